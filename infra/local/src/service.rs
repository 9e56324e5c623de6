//! One running service: everything opened, wired and served.

use std::fs::{File, TryLockError};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use axum::Router;
use axum::extract::{ConnectInfo, Request, State};
use axum::response::Response;
use axum::routing::get;
use cloud::vault::Vault;
use domain::id::HistoryId;
use domain::people::HashKey;
use domain::platform::PlatformName;
use edge::clock::Clock;
use edge::host::Host;
use edge::lines::Lines;
use edge::random::Random;
use edge::telemetry;
use secrecy::{ExposeSecret, SecretString};
use simulator::Simulator;
use store::{Store, schema};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tracing::instrument::WithSubscriber;
use tracing::{Dispatch, Level};
use url::Url;

use crate::aws::{Aws, ensure_table, ensure_time_to_live};
use crate::clock::ServiceClock;
use crate::driver::Driver;
use crate::gateway::{Caller, Gateway};
use crate::routes::Local;
use crate::variables::{self, SECRETS_PREFIX};
use crate::{page, routes};

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
    aws: Aws,
    tasks: JoinSet<()>,
    // Held while the service runs: two on one folder would fight over the clock and the queue.
    _lock: File,
}

impl LocalService {
    /// Opens the data folder and serves on loopback.
    pub async fn start(options: Options) -> anyhow::Result<Self> {
        let lock = lock(&options.data_dir, options.fresh)?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port)).await;
        let listener =
            listener.with_context(|| format!("port {} is taken: stop what listens there, or choose another with --port", options.port))?;
        let port = listener.local_addr()?.port();
        let base_url = format!("http://localhost:{port}");

        let service_clock = ServiceClock::open(&options.data_dir)?;
        let clock = service_clock.clock();
        let aws = Aws::open(&options.data_dir, clock.clone())?;
        let url = Url::parse(&base_url)?;
        let simulator = Simulator::open(Some(&options.data_dir), clock.clone(), &url)?;
        let host = Host {
            variables: variables::source(base_url.clone(), port, simulator::addresses(&url)),
            clock: clock.clone(),
            random: Random::system(),
            lines: options.lines.clone(),
        };
        let hash_key = provide_secrets(&aws, &host).await?;
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
        );
        let local = Local {
            aws: aws.clone(),
            store,
            hash_key,
            service_clock,
            clock: clock.clone(),
            random: host.random.clone(),
            driver: driver.clone(),
        };
        let dispatch = telemetry::scoped(Level::INFO, clock.clone(), options.lines);
        let front = Front { gateway, clock, random: host.random, dispatch: dispatch.clone(), driver: driver.clone() };
        let router = router(front, routes::router(local), simulator.router());

        let mut tasks = JoinSet::new();
        tasks.spawn(driver.run().with_subscriber(dispatch));
        // Browsers may ask for localhost over IPv6 first; where that is not to be had, IPv4 alone serves.
        if let Ok(listener) = TcpListener::bind((Ipv6Addr::LOCALHOST, port)).await {
            tasks.spawn(serve(listener, router.clone()));
        }
        tasks.spawn(serve(listener, router));
        Ok(Self { base_url, aws, tasks, _lock: lock })
    }

    /// Where it is reached, without a slash at the end.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// The services under it, for tests that look or break.
    pub fn aws(&self) -> &Aws {
        &self.aws
    }

    /// Stops it and waits until it is gone. What was under way is found again at the next start.
    pub async fn stop(mut self) {
        self.tasks.shutdown().await;
    }
}

/// One process a folder.
fn lock(data_dir: &Path, fresh: bool) -> anyhow::Result<File> {
    std::fs::create_dir_all(data_dir).with_context(|| format!("making the data folder {}", data_dir.display()))?;
    let path = data_dir.join("lock");
    let file = File::create(&path).with_context(|| format!("making {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            bail!("another process uses {}: stop it, or choose another folder with --data", data_dir.display())
        }
        Err(TryLockError::Error(error)) => return Err(error).with_context(|| format!("locking {}", path.display())),
    }
    if fresh {
        for entry in std::fs::read_dir(data_dir)? {
            let entry = entry?.path();
            // Only what a service of ours leaves there: a mistyped folder loses nothing.
            let ours = entry
                .file_name()
                .and_then(|name| name.to_str())
                .is_some_and(|name| name.contains(".sqlite") || name == "clock-ahead-seconds");
            if ours {
                std::fs::remove_file(&entry).with_context(|| format!("removing {}", entry.display()))?;
            }
        }
    }
    Ok(file)
}

/// What an operator puts into the vault in the cloud: the platforms' app credentials, and the hash key, made once.
async fn provide_secrets(aws: &Aws, host: &Host) -> anyhow::Result<HashKey> {
    let credentials = serde_json::json!({ "client_id": simulator::APP_CLIENT_ID, "client_secret": simulator::APP_CLIENT_SECRET });
    for platform in PlatformName::ALL {
        aws.set_secret(&format!("{SECRETS_PREFIX}/platform/{platform}"), &SecretString::from(credentials.to_string()))?;
    }
    let vault = Vault::open(&aws.sdk_config(), SECRETS_PREFIX);
    let key = if let Ok(key) = vault.hash_key().await {
        key
    } else {
        let key = SecretString::from(data_encoding::HEXLOWER.encode(&host.random.bytes::<48>()));
        aws.set_secret(&format!("{SECRETS_PREFIX}/hash-key"), &key)?;
        key
    };
    Ok(HashKey::new(key.expose_secret().as_bytes().to_vec())?)
}

async fn create_tables(store: &Store) -> anyhow::Result<()> {
    let tables = variables::tables();
    for definition in schema::definitions(&tables) {
        ensure_table(store.client(), definition).await?;
    }
    ensure_time_to_live(store.client(), &tables.sessions, schema::TTL_ATTRIBUTE).await
}

fn gateway(host: &Host, aws: &Aws) -> anyhow::Result<Gateway> {
    let sdk = aws.sdk_config();
    Ok(Gateway::new(vec![
        (onboarding::PATHS, onboarding::router(onboarding::Deps::new(host, &sdk)?)),
        (account::PATHS, account::router(account::Deps::new(host, &sdk)?)),
        (posts::PATHS, posts::router(posts::Deps::new(host, &sdk)?)),
        (oauth_start::PATHS, oauth_start::router(oauth_start::Deps::new(host, &sdk)?)),
        (oauth_callback::PATHS, oauth_callback::router(oauth_callback::Deps::new(host, &sdk)?)),
    ]))
}

/// What answers every request that is not about this machine.
#[derive(Clone)]
struct Front {
    gateway: Gateway,
    clock: Clock,
    random: Random,
    dispatch: Dispatch,
    driver: std::sync::Arc<Driver>,
}

fn router(front: Front, local: Router, simulated: Router) -> Router {
    let mut router = Router::new();
    for path in page::PATHS {
        router = router.route(path, get(page::page));
    }
    router.fallback(forward).with_state(front).nest("/_sim", simulated).merge(local)
}

async fn forward(State(front): State<Front>, ConnectInfo(peer): ConnectInfo<SocketAddr>, request: Request) -> Response {
    let at = front.clock.now();
    let request_id = HistoryId::new(at, front.random.bytes()).to_string();
    let caller = Caller { source_ip: peer.ip().to_canonical().to_string(), request_id, at };
    let response = front.gateway.answer(&caller, request).with_subscriber(front.dispatch).await;
    front.driver.nudge();
    response
}

async fn serve(listener: TcpListener, router: Router) {
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    if let Err(error) = axum::serve(listener, service).await {
        tracing::error!(error = edge::problem::chain(&error), "the server ended");
    }
}
