//! The product as it is deployed: the real SAM CLI deploys the real template with what it has built into an AWS emulator, and the main
//! job's journey goes through the real binaries. See README.md; `tests/deployed/run` installs and builds what this needs, and starts it.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line talks to its terminal")]

mod again;
mod emulator;
mod front;
mod inspect;
mod journey;
mod stack;
mod world;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::Parser;
use local::Browser;
use template::Template;
use tokio::signal::unix::{SignalKind, signal};
use url::Url;

use emulator::Emulator;
use front::Front;
use stack::{NAME, STAGE, Sam};
use world::World;

/// The journey may take this long in all.
const JOURNEY_MAX: Duration = Duration::from_mins(15);

/// Deploys what `sam build` left into an emulator, and walks the main job through what was deployed.
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    /// The environment of Python that the SAM CLI and cargo-lambda are installed in.
    #[arg(long, default_value = ".venv")]
    venv: PathBuf,
    /// The environment of Python that the emulator is installed in: it pins other versions of the AWS libraries.
    #[arg(long, default_value = ".venv-emulator")]
    emulator: PathBuf,
    /// Where the logs are kept.
    #[arg(long, default_value = "target/deployed")]
    folder: PathBuf,
}

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(&cli).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}\nThe logs are in {}", cli.folder.display());
            ExitCode::FAILURE
        }
    }
}

/// The signals of a terminal that is closed, of Ctrl-C, and of a time-out around the checks.
async fn told_to_end() -> anyhow::Result<()> {
    let [mut hang_up, mut interrupt, mut terminate] =
        [signal(SignalKind::hangup())?, signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?];
    tokio::select! {
        _ = hang_up.recv() => bail!("the terminal was closed"),
        _ = interrupt.recv() => bail!("stopped"),
        _ = terminate.recv() => bail!("told to end"),
    }
}

/// However the journey ends, what was started is ended, and seen to be.
async fn run(cli: &Cli) -> anyhow::Result<()> {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../..")).canonicalize()?;
    std::fs::create_dir_all(&cli.folder).with_context(|| format!("making {}", cli.folder.display()))?;
    let folder = cli.folder.canonicalize()?;
    let template = Template::transform(&cli.venv.join("bin/python"), &root.join("template.yaml"))?;
    let emulator = Emulator::start(&cli.emulator, &folder).await?;
    let walked = tokio::select! {
        walked = deploy_and_walk(cli, root, &folder, &template, &emulator) => walked,
        told = told_to_end() => told,
    };
    let stopped = emulator.stop().await;
    walked?;
    stopped?;
    println!("Every promise was kept, and nothing of the test is left running.");
    Ok(())
}

async fn deploy_and_walk(cli: &Cli, root: PathBuf, folder: &Path, template: &Template, emulator: &Emulator) -> anyhow::Result<()> {
    println!("{}", built::check(&root.join(".aws-sam/build"), built::LAMBDA_HAS)?);
    let sam = Sam::new(&root, &cli.venv, emulator, folder)?;
    let front = Front::bind().await?;

    let built = sam.built()?;
    println!("{} functions, the largest of {} bytes", built.len(), built.values().max().copied().unwrap_or_default());

    let parameters = parameters(&front.base_url)?;
    let began = Instant::now();
    sam.deploy_as(NAME, &parameters.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect::<Vec<_>>()).await?;
    let stack = sam.stack(NAME).await?;
    println!("{:>6.1} s  sam deploy", began.elapsed().as_secs_f64());

    let browser = Browser::new(&front.base_url)?;
    let serving = front.serve(template, &stack, emulator)?;
    let mut world = World::new(root, emulator, sam, (stack, serving), parameters, browser);
    let walked = tokio::time::timeout(JOURNEY_MAX, walk(&mut world, folder)).await;
    // Also of a journey that failed: it is the first place to look.
    let kept = inspect::keep_logs(&world, &folder.join("functions.log")).await;
    match walked {
        Ok(walked) => walked?,
        Err(_) => bail!("the journey did not end within {JOURNEY_MAX:?}"),
    }
    kept
}

async fn walk(world: &mut World, folder: &Path) -> anyhow::Result<()> {
    journey::missing_credentials(world).await?;
    journey::no_billing_keys(world).await?;
    let mut person = journey::sign_up(world).await?;
    journey::due_now(world, &mut person).await?;
    journey::changed_mind(world, &mut person).await?;
    journey::refreshed(world, &mut person).await?;
    let under_way = journey::set_off(world, &mut person).await?;
    journey::poisoned(world, &mut person).await?;
    journey::deployed_again(world, &under_way).await?;
    journey::arrived(world, &under_way).await?;
    journey::read_back(world).await?;
    journey::hourly_and_nightly(world).await?;
    journey::numbers_read(world).await?;
    journey::grants_looked_after(world).await?;
    inspect::at_rest(world).await?;
    let mut markers = journey::markers(&person);
    markers.extend(inspect::tokens(world).await?);
    inspect::clean_logs(world, &markers).await?;
    journey::disconnect(world, &person).await?;
    journey::log_out(world).await?;
    journey::bought(world).await?;
    journey::wrong_parameter(world).await?;
    // They go with the stack.
    inspect::keep_logs(world, &folder.join("functions-of-the-first.log")).await?;
    let kept = again::deleted(world).await?;
    again::deployed_anew(world, &kept).await?;
    again::brought_back(world, &kept).await?;
    again::broken_off(world).await
}

/// What differs from an operator's deploy: this machine's processor, the simulator's addresses, the stage.
fn parameters(base_url: &str) -> anyhow::Result<Vec<(String, String)>> {
    let parameters = [
        ("Stage", STAGE.to_owned()),
        ("Architecture", stack::architecture()?.to_owned()),
        ("PublicUrl", base_url.to_owned()),
        ("FrontendUrl", base_url.to_owned()),
        ("CodeCountries", "AU".to_owned()),
        ("AllowedOrigins", base_url.to_owned()),
        ("PlatformAddresses", simulator::addresses(&Url::parse(base_url)?)),
        ("StripeApiUrl", format!("{base_url}/_sim/stripe")),
        ("StripePrices", format!("starter={},professional={}", simulator::STARTER_PRICE, simulator::PROFESSIONAL_PRICE)),
    ];
    Ok(parameters.map(|(name, value)| (name.to_owned(), value)).to_vec())
}
