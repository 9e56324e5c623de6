//! The functions of a consent and the sweeper, over embedded services and that network, with somebody signed in and a clock that the test moves.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

use anyhow::Context;
use axum::Router;
use cloud::vault::Vault;
use domain::connection::Connection;
use domain::id::{ConnectionId, SessionId, UserId};
use domain::people::{Session, SessionToken};
use edge::clock::Clock;
use edge::host::Host;
use edge::lines::Captured;
use edge::random::Random;
use embedded::{Aws, ensure_table};
use jiff::{SignedDuration, Timestamp};
use local::variables::{SECRETS_PREFIX, source, tables};
use platforms::Platforms;
use reqwest::StatusCode;
use reqwest::header::{COOKIE, LOCATION};
use serde_json::{Value, json};
use store::{Store, schema};
use tokio::net::TcpListener;
use tokio::sync::Barrier;
use url::Url;

use super::app;
use super::many::Many;

pub(super) struct Stage {
    pub(super) store: Store,
    pub(super) vault: Vault,
    pub(super) sweeper: sweeper::Deps,
    user: UserId,
    cookie: String,
    start: Url,
    callback: Url,
    browser: reqwest::Client,
    registered: Arc<AtomicUsize>,
    millis: Arc<AtomicI64>,
}

/// What was answered.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    location: Option<String>,
    body: String,
}

impl Answer {
    pub(super) fn location(&self) -> anyhow::Result<Url> {
        anyhow::ensure!(self.status == StatusCode::SEE_OTHER, "{} {}", self.status, self.body);
        Ok(Url::parse(self.location.as_deref().context("no location")?)?)
    }

    pub(super) fn json(&self) -> anyhow::Result<Value> {
        Ok(serde_json::from_str(&self.body)?)
    }
}

pub(super) fn told(address: &Url, name: &str) -> Option<String> {
    address.query_pairs().find(|(of, _)| of == name).map(|(_, value)| value.into_owned())
}

impl Stage {
    pub(super) async fn open(region: &str) -> anyhow::Result<Self> {
        let millis = Arc::new(AtomicI64::new("2027-01-15T08:00:00Z".parse::<Timestamp>()?.as_millisecond()));
        let read = millis.clone();
        let clock = Clock::from_fn(move || Timestamp::from_millisecond(read.load(Ordering::SeqCst)).expect("a time of this century"));
        let aws = Aws::in_memory(region, clock.clone())?;
        let (sdk, now) = (aws.sdk_config(), clock.now());
        let store = Store::new(&sdk, tables());
        for definition in schema::definitions(&tables()) {
            ensure_table(store.client(), definition).await?;
        }
        let registered = Arc::new(AtomicUsize::new(0));
        let both = Arc::new(Barrier::new(2));
        let many = |_| Box::new(Many { registered: registered.clone(), both: both.clone() }) as Box<dyn platforms::Platform>;
        let platforms = Arc::new(Platforms::of(many));
        let variables = source(3_000, simulator::addresses(&Url::parse("http://localhost:3000")?), &[]);
        let host = Host { variables, clock, random: Random::system(), lines: Captured::default().lines() };
        let start = oauth_start::Deps { platforms: platforms.clone(), ..oauth_start::Deps::new(&host, &sdk)? };
        let callback = oauth_callback::Deps { platforms: platforms.clone(), ..oauth_callback::Deps::new(&host, &sdk)? };
        let sweeper = sweeper::Deps { platforms, ..sweeper::Deps::new(&host, &sdk)? };
        let (user, cookie) = signed_in(&aws, now)?;
        Ok(Self {
            vault: Vault::open(&sdk, SECRETS_PREFIX),
            store,
            sweeper,
            user,
            cookie,
            start: served(oauth_start::router(start)).await?.join("/oauth/x/start")?,
            callback: served(oauth_callback::router(callback)).await?.join("/oauth/x/callback")?,
            browser: reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build()?,
            registered,
            millis,
        })
    }

    pub(super) fn now(&self) -> Timestamp {
        self.sweeper.clock.now()
    }

    pub(super) fn pass(&self, time: SignedDuration) {
        self.millis.fetch_add(i64::try_from(time.as_millis()).expect("not that long"), Ordering::SeqCst);
    }

    /// How often our app was registered.
    pub(super) fn registered(&self) -> usize {
        self.registered.load(Ordering::SeqCst)
    }

    /// A program begins a consent.
    pub(super) async fn start(&self, query: &str) -> anyhow::Result<Answer> {
        self.get(&self.start, query, &[]).await
    }

    /// A browser does, by a click.
    pub(super) async fn click(&self, query: &str) -> anyhow::Result<Answer> {
        self.get(&self.start, query, &[("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")]).await
    }

    /// The browser comes back from the consent page that it was sent to. Gives where it is led.
    pub(super) async fn callback(&self, asked: &Url, more: &str) -> anyhow::Result<Url> {
        let state = told(asked, "state").context("no state")?;
        self.get(&self.callback, &format!("code=c&state={state}{more}"), &[]).await?.location()
    }

    async fn get(&self, address: &Url, query: &str, headers: &[(&str, &str)]) -> anyhow::Result<Answer> {
        let mut address = address.clone();
        address.set_query(Some(query));
        let request = headers.iter().fold(self.browser.get(address), |request, (name, value)| request.header(*name, *value));
        let answer = request.header(COOKIE, &self.cookie).send().await?;
        let location = answer.headers().get(LOCATION).map(|value| value.to_str()).transpose()?.map(str::to_owned);
        Ok(Answer { status: answer.status(), location, body: answer.text().await? })
    }

    pub(super) async fn connection(&self, id: &str) -> anyhow::Result<Connection> {
        self.store.connection(&self.user, &ConnectionId::parse(id)?).await?.context("no connection")
    }

    /// How many secrets the sweeper removes when so much time has passed.
    pub(super) async fn sweep_after(&self, time: SignedDuration) -> anyhow::Result<usize> {
        self.pass(time);
        let swept = sweeper::sweep(&self.sweeper).await?;
        anyhow::ensure!(swept.failed == 0, "{swept:?}");
        Ok(swept.tidied)
    }

    /// Whether the vault holds our app's credentials at each of these servers.
    pub(super) async fn kept(&self, servers: &[&str]) -> anyhow::Result<Vec<bool>> {
        let mut kept = Vec::new();
        for server in servers {
            kept.push(self.vault.find_app(&app(server), self.now()).await?.is_some());
        }
        Ok(kept)
    }
}

async fn served(router: Router) -> anyhow::Result<Url> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = Url::parse(&format!("http://{}", listener.local_addr()?))?;
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(address)
}

/// Somebody's session, which lives as long as these tests, and their cookie.
fn signed_in(aws: &Aws, now: Timestamp) -> anyhow::Result<(UserId, String)> {
    let (user, token) = (UserId::new(now, [1; 10]), SessionToken::from_entropy([2; 32]));
    let session = Session::open(SessionId::new(now, [3; 10]), user.clone(), None, now);
    let pk = format!("SESSION#{}", token.hash().as_str());
    let expires_at = now + SignedDuration::from_hours(30 * 24);
    let item = json!({
        "pk": { "S": pk }, "sk": { "S": "SESSION" },
        "id": { "S": session.id.as_str() }, "user_id": { "S": user.as_str() }, "user_pk": { "S": user.as_str() },
        "created_at": { "S": now.to_string() }, "last_seen_at": { "S": now.to_string() },
        "expires_at": { "S": expires_at.to_string() }, "expires_epoch": { "N": expires_at.as_second().to_string() },
    });
    aws.tables("PutItem", &json!({ "TableName": tables().sessions, "Item": item }))?;
    Ok((user, format!("__Host-session={}", token.expose())))
}
