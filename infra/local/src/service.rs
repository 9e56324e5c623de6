//! One running service: everything opened, wired and served.

use std::fs::File;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use aws_lambda_events::apigw::ApiGatewayV2httpResponse;
use axum::Router;
use axum::extract::{ConnectInfo, Request, State};
use axum::middleware;
use axum::response::Response;
use cloud::vault::HashKeySecret;
use domain::id::HistoryId;
use domain::people::HashKey;
use domain::platform::{PlatformAddresses, PlatformName};
use edge::clock::Clock;
use edge::config::{self, Web};
use edge::host::Host;
use edge::http_event::SECURITY_HEADERS;
use edge::lines::Lines;
use edge::problem::chain;
use edge::random::Random;
use edge::telemetry;
use futures::FutureExt;
use futures::future::BoxFuture;
use secrecy::{ExposeSecret, SecretString};
use simulator::Simulator;
use store::{Store, schema};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::instrument::WithSubscriber;
use tracing::{Dispatch, Level};
use url::Url;

use crate::clock::ServiceClock;
use crate::driver::Driver;
use crate::gateway::{Caller, Cors, Gateway, NoAnswer};
use crate::routes::Local;
use crate::variables::{self, HASH_KEY_SECRET, SECRETS_PREFIX, Settings};
use crate::{data_dir, listen, page, routes};
use embedded::{Aws, ensure_table, ensure_time_to_live};

/// How long a stop waits for posts under way, and then for requests.
const STOP_MAX: Duration = Duration::from_secs(5);

/// How a service is started.
#[derive(Debug, Clone)]
pub struct Options {
    /// 0: a free one.
    pub port: u16,
    /// Where its state is; made if absent.
    pub data_dir: PathBuf,
    /// Forget what an earlier run left.
    pub fresh: bool,
    /// Where logs and metrics go.
    pub lines: Lines,
}

/// A running service. Dropping it stops it at once, as a crash would.
pub struct LocalService {
    base_url: String,
    frontend_url: Url,
    platforms: PlatformAddresses,
    aws: Aws,
    driver: Running,
    servers: Running,
    // Held while the service runs: two on one folder would fight over the clock and the queue.
    _lock: File,
}

impl LocalService {
    /// Opens the data folder and serves on loopback.
    pub fn start(options: Options) -> BoxFuture<'static, anyhow::Result<Self>> {
        Self::start_with(options, Settings::default())
    }

    /// The same with some of the functions' variables set otherwise.
    pub fn start_with(options: Options, settings: impl Into<Settings>) -> BoxFuture<'static, anyhow::Result<Self>> {
        Self::open(options, settings.into()).boxed()
    }

    async fn open(options: Options, settings: Settings) -> anyhow::Result<Self> {
        let lock = data_dir::take(&options.data_dir, options.fresh)?;
        let (port, listeners) = listen::bind(options.port).await?;
        let base_url = variables::origin("localhost", port);

        let service_clock = ServiceClock::open(&options.data_dir)?;
        let clock = service_clock.clock();
        let aws = Aws::open(&options.data_dir, clock.clone())?;
        let url = Url::parse(&base_url)?;
        let simulator = Simulator::open(Some(&options.data_dir), clock.clone(), &url)?;
        let host = Host {
            variables: variables::source(port, simulator::addresses(&url), settings),
            clock: clock.clone(),
            random: Random::system(),
            lines: options.lines.clone(),
        };
        let addresses = config::read(&host.variables, config::platform_addresses)?;
        let hash_key = provide_secrets(&aws, &host, (&addresses, &url)).await?;
        let store = Store::new(&aws.sdk_config(), variables::tables());
        create_tables(&store).await?;

        let gateway = gateway(&host, &aws)?;
        let sdk = aws.sdk_config();
        let driver = Driver::new(
            aws.clone(),
            clock.clone(),
            publisher::Deps::new(&host, &sdk)?,
            sweeper::Deps::new(&host, &sdk)?,
            quota_reset::Deps::new(&host, &sdk)?,
            analytics_sync::Deps::new(&host, &sdk)?,
            renewals::Deps::new(&host, &sdk)?,
        );
        let local = Local {
            aws: aws.clone(),
            store,
            hash_key,
            service_clock,
            clock: clock.clone(),
            random: host.random.clone(),
            driver: driver.clone(),
            simulator: simulator.clone(),
        };
        let dispatch = telemetry::scoped(Level::INFO, clock.clone(), options.lines);
        let (web, platforms) = config::read(&host.variables, |variables| (Web::read(variables), config::platform_addresses(variables)))?;
        let cors = Cors::new(web.allowed_origins);
        let front = Front { gateway: Arc::new(gateway), cors, clock, random: host.random, dispatch: dispatch.clone() };
        let router = router(front, simulator.router()).merge(routes::router(local)).merge(page::router(&base_url));
        let router = router.layer(middleware::map_response(with_security_headers));

        let (mut driving, mut serving) = (Running::default(), Running::default());
        driving.tasks.spawn(driver.run(driving.stopping.subscribe()).with_subscriber(dispatch.clone()));
        driving.tasks.spawn(renew_in_time(simulator, driving.stopping.subscribe()).with_subscriber(dispatch));
        for listener in listeners {
            serving.tasks.spawn(listen::serve(listener, router.clone(), serving.stopping.subscribe()));
        }
        Ok(Self { base_url, frontend_url: web.frontend_url, platforms, aws, driver: driving, servers: serving, _lock: lock })
    }

    /// Where it is reached, without a slash at the end.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// Where people come back to from consents and payments.
    pub fn frontend_url(&self) -> &Url {
        &self.frontend_url
    }

    /// Where the platforms are that it speaks to.
    pub fn platforms(&self) -> &PlatformAddresses {
        &self.platforms
    }

    /// The services under it, for tests that look or break.
    pub fn aws(&self) -> &Aws {
        &self.aws
    }

    /// Lets requests and posts that are under way come to their end, for a bounded time, and waits until all of it is gone. What is
    /// cut off then is found again at the next start, as after a crash.
    pub async fn stop(self) {
        // Posts first: the simulated platforms are behind the same servers.
        self.driver.end().await;
        self.servers.end().await;
    }
}

/// Tasks that are told to stop together.
#[derive(Debug, Default)]
struct Running {
    stopping: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

impl Running {
    async fn end(mut self) {
        self.stopping.send_replace(true);
        let at_their_end = async { while self.tasks.join_next().await.is_some() {} };
        let _cut_off_below = tokio::time::timeout(STOP_MAX, at_their_end).await;
        self.tasks.shutdown().await;
    }
}

/// What an operator puts into the vault in the cloud: the platforms' app credentials, and the hash key, made once.
async fn provide_secrets(aws: &Aws, host: &Host, (addresses, base_url): (&PlatformAddresses, &Url)) -> anyhow::Result<HashKey> {
    for platform in PlatformName::ALL {
        let is_doubled = platform != PlatformName::Bluesky || addresses.servers(platform).is_some();
        let simulated = || simulator::app_credentials(platform, base_url);
        let (client_id, client_secret) = if is_doubled { simulated() } else { (app_on_this_machine(base_url)?, "none".to_owned()) };
        let credentials = serde_json::json!({ "client_id": client_id, "client_secret": client_secret });
        aws.set_secret(&format!("{SECRETS_PREFIX}/platform/{platform}"), &SecretString::from(credentials.to_string()))?;
    }
    let billing = serde_json::json!({ "api_key": simulator::BILLING_API_KEY, "webhook_secrets": [simulator::WEBHOOK_SECRET] });
    aws.set_secret(&format!("{SECRETS_PREFIX}/billing/stripe"), &SecretString::from(billing.to_string()))?;
    let secret = HashKeySecret::new(&aws.sdk_config(), HASH_KEY_SECRET);
    let key = if let Ok(key) = secret.read().await {
        key
    } else {
        let key = SecretString::from(data_encoding::HEXLOWER.encode(&host.random.bytes::<48>()));
        aws.set_secret(HASH_KEY_SECRET, &key)?;
        key
    };
    Ok(HashKey::new(key.expose_secret().as_bytes().to_vec())?)
}

/// Who our app is to real servers of Bluesky's network, which cannot read a description of it here: its id says all itself.
fn app_on_this_machine(base_url: &Url) -> anyhow::Result<String> {
    let mut callback = base_url.join("/oauth/bluesky/callback")?;
    callback.set_host(Some("127.0.0.1"))?;
    let scopes = PlatformName::Bluesky.descriptor().scopes.asked();
    let id = Url::parse_with_params("http://localhost", [("redirect_uri", callback.as_str()), ("scope", &scopes)])?;
    Ok(id.into())
}

async fn create_tables(store: &Store) -> anyhow::Result<()> {
    let tables = variables::tables();
    for definition in schema::definitions(&tables) {
        ensure_table(store.client(), definition).await?;
    }
    for table in [&tables.sessions, &tables.ledger] {
        ensure_time_to_live(store.client(), table, schema::TTL_ATTRIBUTE).await?;
    }
    Ok(())
}

/// Every path that a function answers, as the gateway writes them.
pub fn paths() -> impl Iterator<Item = &'static str> {
    [onboarding::PATHS, account::PATHS, posts::PATHS, oauth_start::PATHS, oauth_callback::PATHS, billing_webhook::PATHS]
        .into_iter()
        .flatten()
        .copied()
}

fn gateway(host: &Host, aws: &Aws) -> anyhow::Result<Gateway<Router>> {
    let sdk = aws.sdk_config();
    Ok(Gateway::new(vec![
        (onboarding::PATHS, onboarding::router(onboarding::Deps::new(host, &sdk)?)),
        (account::PATHS, account::router(account::Deps::new(host, &sdk)?)),
        (posts::PATHS, posts::router(posts::Deps::new(host, &sdk)?)),
        (oauth_start::PATHS, oauth_start::router(oauth_start::Deps::new(host, &sdk)?)),
        (oauth_callback::PATHS, oauth_callback::router(oauth_callback::Deps::new(host, &sdk)?)),
        (billing_webhook::PATHS, billing_webhook::router(billing_webhook::Deps::new(host, &sdk)?)),
    ]))
}

/// What is answered beside the functions carries their headers, too, unless it has better ones of its own.
async fn with_security_headers(mut response: Response) -> Response {
    for (name, value) in SECURITY_HEADERS {
        response.headers_mut().entry(name).or_insert(value);
    }
    response
}

/// What answers every request that is not about this machine.
#[derive(Clone)]
struct Front {
    gateway: Arc<Gateway<Router>>,
    cors: Cors,
    clock: Clock,
    random: Random,
    dispatch: Dispatch,
}

fn router(front: Front, simulated: Router) -> Router {
    Router::new().fallback(forward).with_state(front).nest("/_sim", simulated)
}

async fn forward(State(front): State<Front>, ConnectInfo(peer): ConnectInfo<SocketAddr>, request: Request) -> Response {
    if let Some(answer) = front.cors.preflight(request.method(), request.headers()) {
        return answer;
    }
    let origin = front.cors.allowed(request.headers());
    let at = front.clock.now();
    let request_id = HistoryId::new(at, front.random.bytes()).to_string();
    let caller = Caller { source_ip: peer.ip().to_canonical().to_string(), request_id, at };
    let mut response = front.gateway.answer(&caller, request, invoke).with_subscriber(front.dispatch).await;
    if let Some(origin) = origin {
        front.cors.tell(&origin, response.headers_mut());
    }
    response
}

/// Through JSON, as Lambda gets it, and into the entry code that Lambda runs.
async fn invoke(function: &Router, event: serde_json::Value) -> Result<ApiGatewayV2httpResponse, NoAnswer> {
    let event = serde_json::from_value(event).map_err(|_| NoAnswer)?;
    Ok(edge::http_event::answer(function.clone(), event).await)
}

/// How often the simulated platforms do what they do by themselves.
const CATCH_UP_EVERY: Duration = Duration::from_secs(10);

async fn renew_in_time(simulator: Simulator, mut stopping: watch::Receiver<bool>) {
    while !*stopping.borrow() {
        tokio::select! {
            () = tokio::time::sleep(CATCH_UP_EVERY) => {
                if let Err(error) = simulator.catch_up().await {
                    tracing::warn!(error = chain(&*error), "the simulated payment provider could not renew what is bought");
                }
            }
            _stopping = stopping.changed() => {}
        }
    }
}
