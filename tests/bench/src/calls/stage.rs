//! The product's functions over the embedded services and the simulated platforms, and a clock that is moved by hand.

mod year;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, ensure};
use aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use aws_lambda_events::sqs::SqsEvent;
use axum::Router;
use axum::body::Body;
use domain::platform::{App, PlatformName};
use domain::wake_up::WakeUp;
use edge::clock::Clock;
use edge::deadline::Deadline;
use edge::host::Host;
use edge::lines::{Captured, Lines};
use edge::random::Random;
use edge::sqs::each_record;
use embedded::Aws;
use http::header::{CONTENT_TYPE, COOKIE, ORIGIN};
use http::{Method, Request};
use jiff::{SignedDuration, Timestamp};
use local::gateway::{Caller, Gateway, NoAnswer};
use local::variables::source;
use local::{Browser, LocalService, Options, listen};
use publisher::Batch;
use serde_json::{Value, json};
use simulator::Simulator;
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::JoinSet;
use url::Url;

use super::X;

/// How long a step may take on a slow machine; the publisher's time-out.
const STEP_MAX: Duration = Duration::from_mins(1);
/// How long after signing up the clock begins to stand still.
const AFTER_SIGNING_UP: i64 = 60;

/// Somebody signed in, with two accounts on each platform.
struct Person {
    user: String,
    cookie: String,
    csrf_token: String,
    x: [String; 2],
    facebook: [String; 2],
}

/// A post that was approved.
#[derive(Debug, Default)]
pub(super) struct Post {
    id: String,
    version: Value,
}

/// What the steps are played on.
pub(super) struct Stage {
    aws: Aws,
    began: Timestamp,
    now: Arc<Mutex<Timestamp>>,
    lines: Captured,
    origin: String,
    person: Person,
    gateway: Gateway<Router>,
    publisher: publisher::Deps,
    sweeper: sweeper::Deps,
    quota_reset: quota_reset::Deps,
    analytics_sync: analytics_sync::Deps,
    renewals: renewals::Deps,
    // The platforms answer, and the folder is there, as long as these are.
    _stopping: watch::Sender<bool>,
    _servers: JoinSet<()>,
    _folder: TempDir,
}

impl Stage {
    /// Somebody signs up and connects accounts in the local service, which then stops; what it leaves is opened under a clock that stands.
    pub(super) async fn open() -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let (person, signed_up) = Box::pin(sign_up(folder.path())).await?;
        let began = Timestamp::from_second(signed_up.as_second() + AFTER_SIGNING_UP)?;
        let now = Arc::new(Mutex::new(began));
        let read = now.clone();
        let clock = Clock::from_fn(move || *read.lock().unwrap_or_else(PoisonError::into_inner));

        let (port, listeners) = listen::bind(0).await?;
        let origin = format!("http://localhost:{port}");
        let url = Url::parse(&origin)?;
        let aws = Aws::open(folder.path(), clock.clone())?;
        let simulated = Router::new().nest("/_sim", Simulator::open(Some(folder.path()), clock.clone(), &url)?.router());
        let (stopping, mut servers) = (watch::Sender::new(false), JoinSet::new());
        for listener in listeners {
            servers.spawn(listen::serve(listener, simulated.clone(), stopping.subscribe()));
        }
        let lines = Captured::default();
        let variables = source(port, simulator::addresses(&url), &[]);
        let host = Host { variables, clock, random: Random::system(), lines: lines.lines() };
        let sdk = aws.sdk_config();
        let gateway = Gateway::new(vec![
            (account::PATHS, account::router(account::Deps::new(&host, &sdk)?)),
            (posts::PATHS, posts::router(posts::Deps::new(&host, &sdk)?)),
        ]);
        Ok(Self {
            began,
            now,
            lines,
            origin,
            person,
            gateway,
            publisher: publisher::Deps::new(&host, &sdk)?,
            sweeper: sweeper::Deps::new(&host, &sdk)?,
            quota_reset: quota_reset::Deps::new(&host, &sdk)?,
            analytics_sync: analytics_sync::Deps::new(&host, &sdk)?,
            renewals: renewals::Deps::new(&host, &sdk)?,
            aws,
            _stopping: stopping,
            _servers: servers,
            _folder: folder,
        })
    }

    /// The services under it.
    pub(super) fn aws(&self) -> &Aws {
        &self.aws
    }

    /// The connections on a platform.
    pub(super) fn accounts(&self, platform: &str) -> [&str; 2] {
        let of_one = if platform == X { &self.person.x } else { &self.person.facebook };
        of_one.each_ref().map(String::as_str)
    }

    fn time(&self, secs: i64) -> Timestamp {
        self.began + SignedDuration::from_secs(secs)
    }

    /// The clock stands at so many seconds after the beginning.
    pub(super) fn set_clock(&self, secs: i64) {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner) = self.time(secs);
    }

    fn clock(&self) -> Timestamp {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many lines have been written so far.
    pub(super) fn lines(&self) -> usize {
        self.lines.read().len()
    }

    /// How many metrics of our own have had a value since there were so many lines, each with its dimensions.
    pub(super) fn metrics_since(&self, lines: usize) -> usize {
        let told = self.lines.read();
        let told = told.iter().skip(lines).filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let metrics = told.flat_map(|line| {
            let directive = &line["_aws"]["CloudWatchMetrics"][0];
            let dimensions = directive["Dimensions"][0].as_array().into_iter().flatten().filter_map(Value::as_str);
            let dimensions: Vec<_> = dimensions.map(|name| format!("{name}={}", line[name])).collect();
            let names = directive["Metrics"].as_array().into_iter().flatten().map(|metric| metric["Name"].to_string());
            names.map(|name| format!("{name} {dimensions:?}")).collect::<Vec<_>>()
        });
        metrics.collect::<BTreeSet<_>>().len()
    }

    /// A page is looked at.
    pub(super) async fn get(&self, path: &str) -> anyhow::Result<()> {
        self.ask(Method::GET, path, None).await.map(drop)
    }

    /// A draft for one account, due so many seconds after the beginning; gives its id.
    pub(super) async fn write(&self, account: &str, due: i64) -> anyhow::Result<String> {
        // A network refuses the same text twice.
        let body = json!({
            "content": format!("Fresh bread from seven tomorrow, batch {due:05}."),
            "targets": [{ "connection_id": account }],
            "scheduled_for": self.time(due).to_string(),
        });
        let made = self.ask(Method::POST, "/api/posts", Some(&body)).await?;
        Ok(made["items"][0]["id"].as_str().context("no post")?.to_owned())
    }

    /// Approves a draft.
    pub(super) async fn approve(&self, post: &str) -> anyhow::Result<Post> {
        let approved = self.ask(Method::POST, &format!("/api/posts/{post}/approve"), None).await?;
        Ok(Post { id: post.to_owned(), version: approved["version"].clone() })
    }

    /// Whether a post is out.
    pub(super) async fn is_published(&self, post: &Post) -> anyhow::Result<()> {
        let story = self.ask(Method::GET, &format!("/api/posts/{}", post.id), None).await?;
        ensure!(story["status"] == "published", "{story:#}");
        Ok(())
    }

    /// Hands the publisher a wake-up, as the queue does.
    pub(super) async fn wake(&self, post: &Post) -> anyhow::Result<()> {
        let body = json!({ "post_id": post.id, "user_id": self.person.user, "version": post.version }).to_string();
        let event: SqsEvent = serde_json::from_value(json!({ "Records": [{ "messageId": "1", "receiptHandle": "1", "body": body }] }))?;
        let deps = &self.publisher;
        let deadline = Deadline::after(STEP_MAX);
        let begin = |wake_ups: &[WakeUp]| Batch::of(wake_ups, deadline);
        let handle = |batch, wake_up| async move { publisher::handle(deps, &batch, &wake_up).await };
        let response = each_record(event, &deps.metrics, &deps.clock, begin, handle).await;
        ensure!(response.batch_item_failures.is_empty(), "the wake-up of {} comes back", post.id);
        Ok(())
    }

    /// A run of analytics-sync, which must find so many posts and read their numbers.
    pub(super) async fn read_numbers(&self, expected: usize) -> anyhow::Result<()> {
        let run = analytics_sync::run(&self.analytics_sync).await?;
        ensure!((run.told, run.failed + run.put_off) == (expected, 0), "{expected} expected: {run:?}");
        Ok(())
    }

    /// A run of renewals, which must renew so many grants.
    pub(super) async fn renew_grants(&self, expected: usize) -> anyhow::Result<()> {
        let run = renewals::run(&self.renewals).await?;
        ensure!((run.renewed, run.failed + run.put_off) == (expected, 0), "{expected} expected: {run:?}");
        Ok(())
    }

    /// What `renewals` reads once in five minutes: of two grants at once, one or both would.
    pub(super) async fn read_app_of_renewals(&self) -> anyhow::Result<()> {
        let app = App { platform: PlatformName::X, server: None };
        self.renewals.vault.app_credentials(&app, self.renewals.clock.now()).await?;
        Ok(())
    }

    /// A round of the sweeper.
    pub(super) async fn sweep(&self) -> anyhow::Result<()> {
        let swept = sweeper::sweep(&self.sweeper).await?;
        ensure!(swept.failed == 0, "{swept:?}");
        Ok(())
    }

    /// A run of quota-reset, which must close so many cycles.
    pub(super) async fn close_cycles(&self, expected: usize) -> anyhow::Result<()> {
        let run = quota_reset::run(&self.quota_reset).await?;
        ensure!((run.closed, run.failed) == (expected, 0), "{expected} expected: {run:?}");
        Ok(())
    }

    /// A night's audit of the one user there is.
    pub(super) async fn audit(&self) -> anyhow::Result<()> {
        let audited = quota_reset::audit(&self.quota_reset).await?;
        ensure!((audited.users, audited.differences, audited.failed) == (1, 0, 0), "{audited:?}");
        Ok(())
    }

    async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> anyhow::Result<Value> {
        let Person { cookie, csrf_token, .. } = &self.person;
        let request = Request::builder().method(method.clone()).uri(path).header(ORIGIN, &self.origin);
        let request = request.header(COOKIE, cookie).header("x-csrf-token", csrf_token);
        let request = match body {
            Some(body) => request.header(CONTENT_TYPE, "application/json").body(Body::from(body.to_string()))?,
            None => request.body(Body::empty())?,
        };
        let caller = Caller { source_ip: "127.0.0.1".to_owned(), request_id: "counted".to_owned(), at: self.clock() };
        let response = self.gateway.answer(&caller, request, enter).await;
        let status = response.status();
        let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).await?;
        ensure!(status.is_success(), "{method} {path}: {status} {}", String::from_utf8_lossy(&bytes));
        Ok(serde_json::from_slice(&bytes)?)
    }
}

/// Through the entry code that Lambda runs.
async fn enter(function: &Router, event: Value) -> Result<ApiGatewayV2httpResponse, NoAnswer> {
    let event = serde_json::from_value::<ApiGatewayV2httpRequest>(event).map_err(|_| NoAnswer)?;
    Ok(edge::http_event::answer(function.clone(), event).await)
}

async fn sign_up(folder: &Path) -> anyhow::Result<(Person, Timestamp)> {
    let options = Options { port: 0, data_dir: folder.to_owned(), fresh: false, lines: Lines::silent() };
    let service = LocalService::start(options).await?;
    let mut browser = Browser::new(service.base_url())?;
    browser.sign_in("+61412345670").await?;
    browser.redeem("professional").await?;
    let mut x = Vec::new();
    for account in ["ann", "bob"] {
        x.extend(browser.connect("x", &[("account", account)], &[]).await?);
    }
    let facebook = browser.connect("facebook", &[], &[]).await?;
    let both = |connections: Vec<String>| <[String; 2]>::try_from(connections).map_err(|seen| anyhow::anyhow!("not two: {seen:?}"));
    let person = Person {
        user: browser.get("/api/user").await?.expect(200)?.str("/id")?,
        cookie: browser.cookie.take().context("no cookie")?,
        csrf_token: browser.csrf_token.take().context("no token")?,
        x: both(x)?,
        facebook: both(facebook)?,
    };
    let signed_up = browser.service_time(0).await?.parse()?;
    // Its connections would keep the service from stopping.
    drop(browser);
    service.stop().await;
    Ok((person, signed_up))
}
