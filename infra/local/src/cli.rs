//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use edge::config::{self, Fault, Source, Variables, Web, variables as name};
use local::Settings;
use url::Url;

/// The whole of Postledger on this machine: no AWS account, no platform account.
#[derive(Debug, Parser)]
#[command(name = "postledger", version)]
pub(crate) struct Cli {
    /// The port on localhost; 0 takes a free one.
    #[arg(long, default_value_t = 3000, global = true)]
    pub(crate) port: u16,
    /// The folder that holds the state; `local` in the target folder unless told otherwise.
    #[arg(long, value_name = "DIR", global = true)]
    pub(crate) data: Option<PathBuf>,
    /// Forget what an earlier run left in the folder.
    #[arg(long, global = true)]
    pub(crate) fresh: bool,
    /// The target folder of cargo.
    #[arg(long, env = "CARGO_TARGET_DIR", hide = true, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target"))]
    pub(crate) target_dir: PathBuf,
    #[command(flatten)]
    pub(crate) elsewhere: Elsewhere,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// What is elsewhere, while the service is served. The demo has all of it here.
#[derive(Debug, Args)]
pub(crate) struct Elsewhere {
    /// The frontend, such as `http://localhost:5173`: people come back there from consents and payments, and its pages may call.
    #[arg(long, value_name = "URL", global = true, value_parser = frontend_url)]
    frontend_url: Option<Url>,
    /// Pages of this origin may call, too; may be given more than once.
    #[arg(long = "allow-origin", value_name = "ORIGIN", global = true, value_parser = origin)]
    allowed_origins: Vec<String>,
    /// Platforms that are not simulated here: `x.api=https://…,facebook.version=v25.0`, `*=http://localhost:4000/base` for all.
    #[arg(long, value_name = "LIST", env = name::PLATFORM_ADDRESSES, global = true, value_parser = platform_addresses)]
    platform_addresses: Option<String>,
    /// How often metrics are read: `x=off,facebook=2`.
    #[arg(long, value_name = "LIST", env = name::METRICS_PACE, global = true, value_parser = metrics_pace)]
    metrics_pace: Option<String>,
}

impl Elsewhere {
    /// The same for the functions.
    pub(crate) fn settings(&self) -> Settings {
        let settings = Settings::default().with_origins(self.allowed_origins.iter().cloned());
        let settings = self.frontend_url.iter().cloned().fold(settings, Settings::with_frontend);
        let settings = self.platform_addresses.iter().cloned().fold(settings, Settings::with_platforms);
        self.metrics_pace.iter().cloned().fold(settings, |settings, pace| settings.with_variable(name::METRICS_PACE, pace))
    }
}

fn frontend_url(text: &str) -> Result<Url, String> {
    checked(name::FRONTEND_URL, text, |variables| variables.url(name::FRONTEND_URL))
}

fn origin(text: &str) -> Result<String, String> {
    let any = "https://localhost";
    let source = [(name::PUBLIC_URL, any), (name::FRONTEND_URL, any), (name::ALLOWED_ORIGINS, text)];
    let web = read(&source, Web::read)?;
    let is_one = web.allowed_origins == [text];
    is_one.then(|| text.to_owned()).ok_or_else(|| "must be one origin, such as http://localhost:5173".to_owned())
}

fn platform_addresses(text: &str) -> Result<String, String> {
    checked(name::PLATFORM_ADDRESSES, text, config::platform_addresses).map(|_| text.to_owned())
}

fn metrics_pace(text: &str) -> Result<String, String> {
    checked(name::METRICS_PACE, text, config::metrics_paces).map(|_| text.to_owned())
}

/// What the functions would make of `text` in a variable.
fn checked<T>(variable: &'static str, text: &str, build: impl FnOnce(&mut Variables<'_>) -> T) -> Result<T, String> {
    read(&[(variable, text)], build)
}

fn read<T>(variables: &[(&'static str, &str)], build: impl FnOnce(&mut Variables<'_>) -> T) -> Result<T, String> {
    let variables: Vec<_> = variables.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    let source = Source::from_fn(move |asked| variables.iter().find(|(name, _)| *name == asked).map(|(_, value)| value.clone()));
    let told = |fault: &Fault| match fault {
        Fault::Missing(name) => format!("{name} must be set"),
        Fault::Invalid(..) | Fault::Entry { .. } => fault.to_string(),
    };
    config::read(&source, build).map_err(|error| error.0.iter().map(told).collect::<Vec<_>>().join("; "))
}

/// What to do.
#[derive(Debug, Clone, Copy, Subcommand)]
pub(crate) enum Command {
    /// Serve until Ctrl-C; what happens without a command.
    Serve,
    /// Walk the main job through HTTP, check every promise, and say what was seen.
    Demo,
    /// Write the HTTP contract into infra/openapi.json.
    Openapi,
}

impl Cli {
    pub(crate) fn data_dir(&self) -> PathBuf {
        self.data.clone().unwrap_or_else(|| self.target_dir.join("local"))
    }

    /// The demo begins anew each time, so it has a folder of its own: it never touches what a served one holds.
    pub(crate) fn demo_dir(&self) -> PathBuf {
        self.data.as_ref().unwrap_or(&self.target_dir).join("demo")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serving_is_the_default_and_options_stand_before_or_after_the_command() {
        let cli = Cli::parse_from(["postledger"]);
        assert!(cli.command.is_none() && cli.port == 3000 && !cli.fresh);
        let cli = Cli::parse_from(["postledger", "demo", "--data", "/d", "--port", "0"]);
        assert_eq!((cli.demo_dir(), cli.port), (PathBuf::from("/d/demo"), 0));
        assert!(Cli::try_parse_from(["postledger", "--port", "x"]).is_err());
    }

    #[test]
    fn what_is_no_address_is_refused_before_anything_starts() {
        let refused =
            |flag: &str, value: &str| Cli::try_parse_from(["postledger", flag, value]).map(drop).map_err(|error| error.to_string());
        for (flag, good, bad) in [
            (
                "--frontend-url",
                "http://localhost:5173",
                ["", "localhost:5173", "ftp://localhost", "http://app.example.com", "https://u@a.example"],
            ),
            ("--allow-origin", "http://localhost:5173", ["", "*", "null", "http://localhost:5173/", "http://app.example.com"]),
            (
                "--platform-addresses",
                "x.api=https://x.example.com",
                ["x", "x.api=x", "y.api=https://a.example", "x.api=ftp://a.example", "*=/"],
            ),
            ("--metrics-pace", "x=off", ["x", "x=on", "y=1", "x=0", "x=1,x=1"]),
        ] {
            assert_eq!(refused(flag, good), Ok(()), "{flag} {good}");
            for bad in bad {
                let told = refused(flag, bad).expect_err(bad);
                assert!(told.contains(flag) && told.contains("must be"), "{flag} {bad}: {told}");
            }
        }
        let all = refused("--platform-addresses", "x.api=x,facebook.version=x,y.api=x").unwrap_err();
        for entry in ["x.api must be", "facebook.version must be", "entry 3 (y.api) must be named one of"] {
            assert!(all.contains(entry), "{entry}: {all}");
        }
    }

    #[test]
    fn origins_may_be_several() {
        let cli = Cli::parse_from(["postledger", "--allow-origin", "http://localhost:1", "serve", "--frontend-url", "http://localhost:2"]);
        let expected =
            Settings::default().with_origins(["http://localhost:1".to_owned()]).with_frontend(Url::parse("http://localhost:2").unwrap());
        assert_eq!(cli.elsewhere.settings(), expected);
    }
}
