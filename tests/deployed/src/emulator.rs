//! The AWS emulator: one process of ours on a free loopback port, with the functions' processes below it.

use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use aws_config::{Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use serde_json::Value;
use tokio::process::{Child, Command};

/// The Region that it plays.
pub(crate) const REGION: &str = "us-east-1";
/// The key id and the secret of its administrator: what `sam deploy` and this test come with. Functions get those of their roles.
pub(crate) const ADMIN: &str = "test";
/// The variable that every process of a run inherits.
const MARK: &str = "POSTLEDGER_DEPLOYED_TEST";
/// How long it may take to answer.
const START_MAX: Duration = Duration::from_mins(1);
/// How long its processes may take to end.
const STOP_MAX: Duration = Duration::from_secs(15);
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// The running emulator. Dropping it ends all of its processes.
pub(crate) struct Emulator {
    process: Child,
    /// What everything that this run starts has in its environment, so that one that was left behind is found.
    mark: String,
    /// Where it answers.
    pub(crate) endpoint: String,
}

impl Emulator {
    /// Starts `ministack` from the Python environment `venv` (by `emulator.py`, which mends seven flaws of it), with its log and its files in `folder`.
    ///
    /// With `AUTH` it does what AWS does and emulators mostly do not: each function runs as its role, and what the role's policies do
    /// not allow is denied.
    pub(crate) async fn start(venv: &Path, folder: &Path) -> anyhow::Result<Self> {
        let port = TcpListener::bind("127.0.0.1:0").context("looking for a free port")?.local_addr()?.port();
        let endpoint = format!("http://127.0.0.1:{port}");
        let mark = format!("{}-{port}", std::process::id());
        let log = std::fs::File::create(folder.join("emulator.log")).context("making the emulator's log")?;
        let python = venv.join("bin/python");
        let files = folder.join("emulator");
        drop(std::fs::remove_dir_all(&files));
        std::fs::create_dir(&files).context("making a folder for the emulator")?;
        let process = alone(&mut Command::new(&python))
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/emulator.py"))
            .env("GATEWAY_PORT", port.to_string())
            .env("BIND_HOST", "127.0.0.1")
            .env("AUTH", "true")
            .env("MINISTACK_REGION", REGION)
            .env("AWS_ENDPOINT_URL", &endpoint)
            .env("AWS_ACCESS_KEY_ID", ADMIN)
            .env("AWS_SECRET_ACCESS_KEY", ADMIN)
            .env("TMPDIR", &files)
            .env(MARK, &mark)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("starting {}: tests/deployed/run installs it", python.display()))?;
        let mut emulator = Self { process, mark, endpoint };
        emulator.answers().await?;
        Ok(emulator)
    }

    async fn answers(&mut self) -> anyhow::Result<()> {
        let until = Instant::now() + START_MAX;
        let health = format!("{}/_ministack/health", self.endpoint);
        while !reqwest::get(&health).await.is_ok_and(|answer| answer.status().is_success()) {
            ensure!(self.process.try_wait()?.is_none(), "the emulator ended at once; its log says why");
            ensure!(Instant::now() < until, "the emulator did not answer within {START_MAX:?}; its log says why");
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        Ok(())
    }

    /// Marks a process as one of this run.
    pub(crate) fn mark(&self) -> (&'static str, &str) {
        (MARK, &self.mark)
    }

    /// What an administrator's SDK clients are built from.
    pub(crate) fn sdk(&self) -> SdkConfig {
        let credentials = Credentials::new(ADMIN, ADMIN, None, None, "emulator");
        SdkConfig::builder()
            .behavior_version(cloud::sdk::behavior())
            .region(Region::from_static(REGION))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .retry_config(cloud::sdk::retries())
            .http_client(cloud::sdk::http_client())
            .endpoint_url(&self.endpoint)
            .build()
    }

    /// The text messages that the deployed functions sent through SNS: phone and text, the newest of a phone last.
    pub(crate) async fn texts(endpoint: &str) -> anyhow::Result<Vec<(String, String)>> {
        let sent: Value = reqwest::get(format!("{endpoint}/_ministack/sns/sms-messages")).await?.json().await?;
        let phones = sent["sms_messages"].as_object().cloned().unwrap_or_default();
        let texts = phones.values().flat_map(|texts| texts.as_array().cloned().unwrap_or_default());
        let field = |text: &Value, name: &str| text[name].as_str().unwrap_or_default().to_owned();
        Ok(texts.map(|text| (field(&text, "PhoneNumber"), field(&text, "Message"))).collect())
    }

    /// Ends it and sees that nothing of it remains.
    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        let mark = self.mark.clone();
        drop(self);
        let until = Instant::now() + STOP_MAX;
        loop {
            let left = marked(&mark);
            if left.is_empty() {
                return Ok(());
            }
            if Instant::now() > until {
                signal("-KILL", &left);
                bail!("processes of the emulator had to be killed: {left:?}");
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }
}

/// Takes everything of AWS out of a program's environment: whoever runs this may have an account, and nothing of it is used.
pub(crate) fn alone(program: &mut Command) -> &mut Command {
    let inherited = std::env::vars_os().map(|(name, _)| name);
    for name in inherited.filter(|name| name.to_string_lossy().starts_with("AWS_")) {
        program.env_remove(name);
    }
    program.env("AWS_CONFIG_FILE", "/dev/null").env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
}

impl Drop for Emulator {
    fn drop(&mut self) {
        // The functions' processes may be in groups of their own: all that carry the mark are told to end.
        signal("-TERM", &marked(&self.mark));
    }
}

fn signal(name: &str, processes: &[u32]) {
    for process in processes {
        let _may_have_ended = std::process::Command::new("kill").args([name, &process.to_string()]).stderr(Stdio::null()).status();
    }
}

/// The processes whose environment carries the mark.
fn marked(mark: &str) -> Vec<u32> {
    let wanted = format!("{MARK}={mark}");
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let carries = |process: &u32| {
        let environment = std::fs::read(format!("/proc/{process}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|variable| variable == wanted.as_bytes())
    };
    numbers.filter(carries).collect()
}
