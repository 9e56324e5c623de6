//! `cargo run -p template`: transforms `template.yaml`, lints the result, and holds it against the product's own code.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line talks to its terminal")]

mod breakages;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, bail, ensure};
use clap::Parser;
use template::rules::{self, RULES};
use template::{Product, Template};

use breakages::BREAKAGES;

/// Checks the template as CloudFormation will see it. Ends with an error that names everything at fault.
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    /// The environment of Python that the SAM CLI is installed in.
    #[arg(long, default_value = ".venv")]
    venv: PathBuf,
    /// The SAM template.
    #[arg(long, default_value = "template.yaml")]
    template: PathBuf,
    /// Where the transformed template is written.
    #[arg(long, default_value = "target/template.json")]
    transformed: PathBuf,
    /// Print what every role may do, for `tests/template/grants.txt`, and check nothing.
    #[arg(long)]
    grants: bool,
}

fn main() -> ExitCode {
    match check(&Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn check(cli: &Cli) -> anyhow::Result<()> {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    let product = Product::at(root)?;
    let template = Template::transform(&cli.venv.join("bin/python"), &cli.template)?;
    if cli.grants {
        for grant in rules::grants(&template) {
            println!("{grant}");
        }
        return Ok(());
    }
    std::fs::write(&cli.transformed, serde_json::to_vec_pretty(&template.0)?)
        .with_context(|| format!("writing {}", cli.transformed.display()))?;
    println!("transformed: {}", cli.transformed.display());
    lint(cli)?;
    hold(&template, &product)?;
    prove(&template, &product)
}

/// cfn-lint on the transformed template: what it says of the SAM template itself leaves out what the transform makes.
fn lint(cli: &Cli) -> anyhow::Result<()> {
    let linter = cli.venv.join("bin/cfn-lint");
    let mut run = Command::new(&linter);
    run.args(["--regions", "us-east-1", "--non-zero-exit-code", "warning", "--template"]).arg(&cli.transformed);
    let output = run.output().with_context(|| format!("running {}, which comes with the SAM CLI", linter.display()))?;
    ensure!(output.status.success(), "cfn-lint:\n{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    println!("cfn-lint: nothing to say");
    Ok(())
}

fn hold(template: &Template, product: &Product) -> anyhow::Result<()> {
    let mut faults = 0;
    for rule in RULES {
        let found = (rule.check)(template, product);
        println!("{}  {}", if found.is_empty() { "ok   " } else { "FAULT" }, rule.name);
        for fault in &found {
            println!("         {fault}");
        }
        faults += found.len();
    }
    ensure!(faults == 0, "{faults} faults in the template");
    Ok(())
}

/// Breaks the template in every way that we know, and sees that the right rule notices.
fn prove(template: &Template, product: &Product) -> anyhow::Result<()> {
    for breakage in BREAKAGES {
        let Some(rule) = RULES.iter().find(|rule| rule.name.contains(breakage.noticed_by)) else {
            bail!("no rule is named like {:?}", breakage.noticed_by)
        };
        let mut broken = template.clone();
        (breakage.change)(&mut broken.0[breakage.section]);
        let found = (rule.check)(&broken, product);
        ensure!(!found.is_empty(), "nobody noticed that {} (rule: {})", breakage.what, rule.name);
    }
    println!("{} rules hold; {} ways to break the template were each noticed", RULES.len(), BREAKAGES.len());
    Ok(())
}
