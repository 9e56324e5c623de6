//! What the journey walks in: the deployed stack, and clients that look behind it.

use std::collections::HashSet;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use jiff::{SignedDuration, Timestamp};
use local::Browser;
use serde_json::Value;
use tokio::process::Command;

use crate::emulator::{ADMIN, Emulator, REGION, alone};
use crate::front::Serving;
use crate::stack::{NAME, STAGE, Sam, Stack};

const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// Everything.
pub(crate) struct World {
    pub(crate) root: PathBuf,
    endpoint: String,
    pub(crate) sam: Sam,
    pub(crate) stack: Stack,
    front: Serving,
    /// The parameters that the stack was deployed with.
    pub(crate) parameters: Vec<(String, String)>,
    pub(crate) browser: Browser,
    pub(crate) dynamodb: aws_sdk_dynamodb::Client,
    pub(crate) lambda: aws_sdk_lambda::Client,
    pub(crate) logs: aws_sdk_cloudwatchlogs::Client,
    pub(crate) scheduler: aws_sdk_scheduler::Client,
    pub(crate) secrets: aws_sdk_secretsmanager::Client,
    pub(crate) sqs: aws_sdk_sqs::Client,
    /// The errors in the logs that a step provoked and has looked at.
    pub(crate) provoked: HashSet<String>,
    began: Instant,
}

impl World {
    pub(crate) fn new(
        root: PathBuf,
        emulator: &Emulator,
        sam: Sam,
        (stack, front): (Stack, Serving),
        parameters: Vec<(String, String)>,
        browser: Browser,
    ) -> Self {
        let sdk = emulator.sdk();
        Self {
            root,
            sam,
            stack,
            front,
            parameters,
            browser,
            dynamodb: aws_sdk_dynamodb::Client::new(&sdk),
            lambda: aws_sdk_lambda::Client::new(&sdk),
            logs: aws_sdk_cloudwatchlogs::Client::new(&sdk),
            scheduler: aws_sdk_scheduler::Client::new(&sdk),
            secrets: aws_sdk_secretsmanager::Client::new(&sdk),
            sqs: aws_sdk_sqs::Client::new(&sdk),
            endpoint: emulator.endpoint.clone(),
            provoked: HashSet::new(),
            began: Instant::now(),
        }
    }

    /// One line: what was seen, and when.
    #[expect(clippy::print_stdout, reason = "a command line talks to its terminal")]
    pub(crate) fn saw(&self, what: impl std::fmt::Display) {
        println!("{:>6.1} s  {what}", self.began.elapsed().as_secs_f64());
    }

    /// The parameters that the stack was deployed with.
    pub(crate) fn parameters(&self) -> Vec<(&str, &str)> {
        self.parameters.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }

    /// From now on everything is looked for in the stack `name`.
    pub(crate) async fn turn_to(&mut self, name: &str) -> anyhow::Result<()> {
        self.stack = self.sam.stack(name).await?;
        self.front.lead_to(&self.stack)
    }

    /// Deploys again, with some parameters changed.
    pub(crate) async fn deploy_with(&self, changed: &[(&str, &str)]) -> anyhow::Result<()> {
        let mut parameters = self.parameters();
        parameters.retain(|(name, _)| !changed.iter().any(|(other, _)| other == name));
        parameters.extend(changed);
        self.sam.deploy_as(NAME, &parameters).await
    }

    /// Runs the operator's command line on the stack, as its README says.
    pub(crate) async fn ops(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let run = alone(&mut Command::new(self.root.join("target/debug/ops")))
            .args(arguments)
            .env("USERS_TABLE", self.stack.output("UsersTableName")?)
            .env("HASH_KEY_SECRET", self.stack.output("HashKeySecret")?)
            .env("AWS_ENDPOINT_URL", &self.endpoint)
            .env("AWS_REGION", REGION)
            .env("AWS_ACCESS_KEY_ID", ADMIN)
            .env("AWS_SECRET_ACCESS_KEY", ADMIN)
            .stdin(Stdio::null())
            .output()
            .await
            .context("running target/debug/ops: tests/deployed/run builds it")?;
        ensure!(run.status.success(), "ops {arguments:?}: {}", String::from_utf8_lossy(&run.stderr));
        Ok(String::from_utf8(run.stdout)?.trim().to_owned())
    }

    /// Puts in what an operator puts in: a platform's app credentials.
    pub(crate) async fn put_credentials(&self, platform: &str, value: &str) -> anyhow::Result<()> {
        self.put_secret(&credentials_of(platform), value).await
    }

    /// Puts in a secret, for the first time or again.
    pub(crate) async fn put_secret(&self, name: &str, value: &str) -> anyhow::Result<()> {
        if self.secrets.put_secret_value().secret_id(name).secret_string(value).send().await.is_err() {
            self.secrets.create_secret().name(name).secret_string(value).send().await.with_context(|| format!("creating {name}"))?;
        }
        Ok(())
    }

    /// `secs` from now, as a request says it.
    pub(crate) fn due(secs: i64) -> String {
        (now() + SignedDuration::from_secs(secs)).to_string()
    }

    /// Writes a post for a connection and approves it.
    pub(crate) async fn approved(&self, text: &str, connection: &str, due_secs: i64) -> anyhow::Result<String> {
        let post = self.browser.write(text, &[connection], &Self::due(due_secs)).await?.remove(0);
        self.browser.approve(&post).await?;
        Ok(post)
    }

    /// Looks at a post until it has the status, for at most `secs`.
    pub(crate) async fn until(&self, post: &str, status: &str, secs: u64) -> anyhow::Result<Value> {
        let mut seen = Value::Null;
        let found = eventually(secs, async || {
            seen = self.browser.post_story(post).await?;
            Ok(seen["status"] == status)
        });
        let found = found.await?;
        ensure!(found, "after {secs} s the post is {} and not {status}: {seen}", seen["status"]);
        Ok(seen)
    }

    /// How many messages a queue of the stack holds, those that are being worked on included.
    pub(crate) async fn messages_in(&self, queue: &str) -> anyhow::Result<u64> {
        use aws_sdk_sqs::types::QueueAttributeName as Name;
        let names =
            [Name::ApproximateNumberOfMessages, Name::ApproximateNumberOfMessagesNotVisible, Name::ApproximateNumberOfMessagesDelayed];
        let request = self.sqs.get_queue_attributes().queue_url(self.queue_url(queue)?).set_attribute_names(Some(names.to_vec()));
        let attributes = request.send().await?.attributes.unwrap_or_default();
        names.iter().map(|name| attributes.get(name).map_or(Ok(0), |count| Ok(count.parse::<u64>()?))).sum()
    }

    /// Where a queue is, by the name of its output without `Url`. The emulator's own host name is left aside.
    pub(crate) fn queue_url(&self, queue: &str) -> anyhow::Result<String> {
        let url = url::Url::parse(self.stack.output(&format!("{queue}Url"))?)?;
        Ok(format!("{}{}", self.endpoint, url.path()))
    }
}

/// The name of a platform's credentials.
pub(crate) fn credentials_of(platform: &str) -> String {
    format!("postledger/{STAGE}/platform/{platform}")
}

/// Now, by this machine.
pub(crate) fn now() -> Timestamp {
    edge::clock::Clock::system().now()
}

/// Asks until the answer is yes, for at most `secs`.
pub(crate) async fn eventually(secs: u64, mut ask: impl AsyncFnMut() -> anyhow::Result<bool>) -> anyhow::Result<bool> {
    let until = Instant::now() + Duration::from_secs(secs);
    loop {
        if ask().await? {
            return Ok(true);
        }
        if Instant::now() > until {
            return Ok(false);
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}
