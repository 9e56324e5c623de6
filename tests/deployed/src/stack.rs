//! The stack: deployed by the real SAM CLI, and what became of it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, bail, ensure};
use serde_json::Value;
use tokio::process::Command;

use crate::emulator::{ADMIN, Emulator, REGION, alone};

/// The stack's name.
pub(crate) const NAME: &str = "postledger-test";
/// The stage's name; part of every secret's.
pub(crate) const STAGE: &str = "test";
/// What a function's file may have. The larger ones have more where they are not optimised as a whole, as `Cargo.toml` says it for what
/// is deployed (`workspace.metadata.lambda.build`).
const FILE_BYTES_MAX: u64 = 12_000_000;

/// The SAM CLI, and what else an operator has in its environment, pointed at the emulator.
pub(crate) struct Sam {
    root: PathBuf,
    venv: PathBuf,
    endpoint: String,
    mark: (&'static str, String),
    log: PathBuf,
}

/// A resource that cannot be made, and that waits for what outlives the stack.
const BREAKS_OFF: &str = "  BreaksOff:
    Type: AWS::SQS::Queue
    DependsOn: [HashKey, LedgerTable, PostsTable, UsersTable]
    Properties:
      RedrivePolicy:
        deadLetterTargetArn: {'Fn::GetAtt': [UsersTable, NoSuchAttribute]}
";

/// What the stack consists of.
pub(crate) struct Stack {
    outputs: BTreeMap<String, String>,
    resources: BTreeMap<String, String>,
}

impl Sam {
    pub(crate) fn new(root: &Path, venv: &Path, emulator: &Emulator, folder: &Path) -> anyhow::Result<Self> {
        let venv = venv.canonicalize().with_context(|| format!("{} is not there: use tests/deployed/run", venv.display()))?;
        let log = folder.join("sam.log");
        std::fs::File::create(&log).context("making the log of sam")?;
        let (name, mark) = emulator.mark();
        Ok(Self { root: root.to_owned(), venv, endpoint: emulator.endpoint.clone(), mark: (name, mark.to_owned()), log })
    }

    /// What `sam build` has left is what an operator deploys: each function's file, and its bytes.
    pub(crate) fn built(&self) -> anyhow::Result<BTreeMap<String, u64>> {
        let folder = self.root.join(".aws-sam/build");
        let mut files = BTreeMap::new();
        for entry in std::fs::read_dir(&folder).with_context(|| format!("{} is not there: use tests/deployed/run", folder.display()))? {
            let entry = entry?;
            if let Ok(file) = std::fs::metadata(entry.path().join("bootstrap")) {
                files.insert(entry.file_name().to_string_lossy().into_owned(), file.len());
            }
        }
        ensure!(!files.is_empty(), "{} holds no function", folder.display());
        for (function, bytes) in &files {
            ensure!(*bytes <= FILE_BYTES_MAX, "{function} has {bytes} bytes: was it built as what is deployed?");
        }
        Ok(files)
    }

    /// `sam deploy` of what was built, as a stack of this name. Only parameters differ from what an operator does.
    pub(crate) async fn deploy_as(&self, stack: &str, parameters: &[(&str, &str)]) -> anyhow::Result<()> {
        self.deploy_with(stack, &[], parameters).await
    }

    /// The same with more options.
    async fn deploy_with(&self, stack: &str, options: &[&str], parameters: &[(&str, &str)]) -> anyhow::Result<()> {
        let mut arguments = vec!["deploy", "--stack-name", stack, "--region", REGION, "--no-progressbar", "--no-confirm-changeset"];
        arguments.extend(options);
        let overrides: Vec<_> = parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
        arguments.push("--parameter-overrides");
        arguments.extend(overrides.iter().map(String::as_str));
        self.run("sam", &arguments).await.map(drop)
    }

    /// A first deploy that breaks off once everything that outlives a stack is there. Returns all that it said.
    pub(crate) async fn deploy_half(&self, stack: &str, parameters: &[(&str, &str)]) -> anyhow::Result<String> {
        let built = self.root.join(".aws-sam/build");
        let template = std::fs::read_to_string(built.join("template.yaml")).context("reading the template that `sam build` made")?;
        let broken = template.replacen("\nResources:\n", &format!("\nResources:\n{BREAKS_OFF}"), 1);
        ensure!(broken != template, "the template that `sam build` made has no resources");
        // Beside the original, because it names the binaries by where they are from there.
        let file = built.join("half.yaml");
        std::fs::write(&file, broken).context("writing the template of half a deploy")?;
        let logged_before = std::fs::read_to_string(&self.log)?.len();
        // SAM looks for its configuration beside the template.
        let (file_name, config) = (file.to_string_lossy(), self.root.join("samconfig.toml"));
        let options = ["--template-file", &file_name, "--config-file", &config.to_string_lossy()];
        let deployed = self.deploy_with(stack, &options, parameters).await;
        std::fs::remove_file(&file)?;
        ensure!(deployed.is_err(), "a deploy that cannot end well did");
        Ok(std::fs::read_to_string(&self.log)?.split_off(logged_before))
    }

    /// `sam delete`.
    pub(crate) async fn delete(&self, stack: &str) -> anyhow::Result<()> {
        self.run("sam", &["delete", "--stack-name", stack, "--region", REGION, "--no-prompts"]).await.map(drop)
    }

    /// Takes what a deleted stack has kept into a stack of another name, as README says.
    pub(crate) async fn bring_back(&self, deleted: &str, into: &str) -> anyhow::Result<()> {
        let printed = self.run("python", &["infra/ops/bring_back.py", deleted, "--into", into, "--yes"]).await?;
        ensure!(printed.starts_with("Account ") && printed.contains(&format!(", Region {REGION}\n")), "it does not say where: {printed}");
        Ok(())
    }

    /// What a deployed stack consists of.
    pub(crate) async fn stack(&self, name: &str) -> anyhow::Result<Stack> {
        let list = async |what: &str| -> anyhow::Result<Value> {
            let printed = self.run("sam", &["list", what, "--stack-name", name, "--region", REGION, "--output", "json"]).await?;
            serde_json::from_str(&printed).with_context(|| format!("reading what `sam list {what}` printed"))
        };
        let pairs = |list: &Value, name: &str, value: &str| {
            let text = |item: &Value, key: &str| item[key].as_str().unwrap_or_default().to_owned();
            list.as_array().into_iter().flatten().map(|item| (text(item, name), text(item, value))).collect()
        };
        Ok(Stack {
            outputs: pairs(&list("stack-outputs").await?, "OutputKey", "OutputValue"),
            resources: pairs(&list("resources").await?, "LogicalResourceId", "PhysicalResourceId"),
        })
    }

    async fn run(&self, program: &str, arguments: &[&str]) -> anyhow::Result<String> {
        let log = std::fs::OpenOptions::new().append(true).open(&self.log).context("opening the log of sam")?;
        let path = self.venv.join("bin").join(program);
        let run = alone(&mut Command::new(&path))
            .args(arguments)
            .current_dir(&self.root)
            .env("AWS_ENDPOINT_URL", &self.endpoint)
            .env("AWS_ACCESS_KEY_ID", ADMIN)
            .env("AWS_SECRET_ACCESS_KEY", ADMIN)
            .env(self.mark.0, &self.mark.1)
            .env("AWS_DEFAULT_REGION", REGION)
            .env("SAM_CLI_TELEMETRY", "0")
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .output()
            .await
            .with_context(|| format!("running {}: tests/deployed/run installs it", path.display()))?;
        let (printed, said) = (String::from_utf8_lossy(&run.stdout).into_owned(), String::from_utf8_lossy(&run.stderr));
        std::io::Write::write_all(&mut &log, format!("$ {program} {}\n{printed}{said}\n", arguments.join(" ")).as_bytes())?;
        ensure!(run.status.success(), "`{program} {}` failed: {}", arguments[0], last_words(&said, &printed));
        Ok(printed)
    }
}

fn last_words(said: &str, printed: &str) -> String {
    let lines: Vec<_> = printed.lines().chain(said.lines()).filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(25)..].join("\n")
}

/// This machine's processor, as the template names it.
pub(crate) fn architecture() -> anyhow::Result<&'static str> {
    match std::env::consts::ARCH {
        "x86_64" => Ok("x86_64"),
        "aarch64" => Ok("arm64"),
        other => bail!("Lambda does not run on {other}"),
    }
}

impl Stack {
    /// An output of the stack.
    pub(crate) fn output(&self, name: &str) -> anyhow::Result<&str> {
        self.outputs.get(name).map(String::as_str).with_context(|| format!("the stack has no output {name}"))
    }

    /// The physical name of a resource.
    pub(crate) fn resource(&self, logical: &str) -> anyhow::Result<&str> {
        self.resources.get(logical).map(String::as_str).with_context(|| format!("the stack has no resource {logical}"))
    }
}
