//! The product in one process: its own functions over the real SDK clients, the embedded services, the simulated platform, and a
//! clock that nobody waits for.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use aws_config::SdkConfig;
use aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use axum::Router;
use axum::body::Body;
use cloud::texts::TextMessages;
use cloud::vault::Vault;
use connecting::Connecting;
use domain::analytics::Paces;
use domain::billing::signature::SigningSecret;
use domain::connection::{Connection, Grant, GrantLife};
use domain::id::{AttemptId, ConnectionId, UserId};
use domain::people::HashKey;
use domain::people::gift::{GiftCertificate, GiftCode};
use domain::plan::Plan;
use domain::platform::{AccountKind, PlatformName};
use edge::clock::Clock;
use edge::config::{self, Prices};
use edge::host::Host;
use edge::lines::Lines;
use edge::metrics::Metrics;
use edge::random::Random;
use embedded::{Aws, Reader, Sandbox, ensure_table};
use http::header::{CONTENT_TYPE, COOKIE, IF_MATCH, ORIGIN, SET_COOKIE};
use http::{Method, Request};
use jiff::{SignedDuration, Timestamp};
use local::gateway::{Caller, Gateway, NoAnswer};
use local::variables::{HASH_KEY_SECRET, SECRETS_PREFIX, source, tables};
use platforms::{Payments, Platforms};
use secrecy::SecretString;
use serde_json::{Value, json};
use store::{Store, schema};
use tokio::sync::Notify;
use tokio::time::Instant;
use url::Url;

use crate::actor::{Actor, End, Invocation, Morgue};
use crate::bad_rows;
use crate::dice::Dice;
use crate::money::Spoken;
use crate::network::{Held, Network};
use crate::plan::{Injector, Plan as FaultPlan, Side, aws_fault};
use crate::scenario::{Accounts, BEGIN_ALIKE, Beside, Scenario};
use crate::watch::Watch;

/// The operations that change a table.
pub(crate) const WRITES: [&str; 5] = ["PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems"];
/// The port that addresses name; nothing listens on it.
const PORT: u16 = 3000;
/// The function that reads posts' numbers.
pub(crate) const NUMBERS: &str = "analytics-sync";
/// The function that looks after grants.
pub(crate) const RENEWALS: &str = "renewals";
/// What the API's functions may take, as in the template.
pub(crate) const API_TIMEOUT: Duration = Duration::from_secs(29);
/// People of a template.
const PEOPLE: usize = 2;
/// How long before the end of their cycle a run begins.
const BEFORE_CYCLE_END: SignedDuration = SignedDuration::from_mins(20);
/// When people sign up, in seconds since 1970.
const SIGN_UP: i64 = 1_795_000_000;

/// Somebody signed in.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    pub(crate) user: UserId,
    cookie: String,
    csrf_token: String,
}

/// What stands in the tables when a run begins, made once a thread by the product itself.
struct Template {
    sandbox: Sandbox,
    /// Made once: a client of its own reads every certificate of the machine.
    payments: Payments,
    began: Timestamp,
    people: Vec<Person>,
    /// The code of a certificate that nobody has redeemed.
    spare: String,
}

/// A story's beginning: accounts connected, posts written. What breaks comes later, so runs of one story begin alike, and so do mixtures
/// of neighbouring seeds.
struct Beginning {
    /// What it is made from.
    of: String,
    connections: Vec<Connection>,
    posts: Vec<Value>,
    held: Held,
}

thread_local! {
    static TEMPLATE: RefCell<Option<Rc<Template>>> = const { RefCell::new(None) };
    static BEGINNING: RefCell<Option<Beginning>> = const { RefCell::new(None) };
}

/// The names under which the tables are kept.
const SIGNED_UP: &str = "signed up";
const BEGUN: &str = "begun";

/// One run's product and what is around it.
pub(crate) struct World {
    pub(crate) aws: Aws,
    pub(crate) began: Timestamp,
    /// The true time.
    pub(crate) clock: Clock,
    pub(crate) network: Network,
    pub(crate) injector: Injector,
    pub(crate) watch: Arc<Mutex<Watch>>,
    pub(crate) reader: Reader,
    pub(crate) publisher: publisher::Deps,
    pub(crate) sweeper: sweeper::Deps,
    pub(crate) quota_reset: quota_reset::Deps,
    pub(crate) analytics_sync: analytics_sync::Deps,
    pub(crate) renewals: renewals::Deps,
    pub(crate) queue: aws_sdk_sqs::Client,
    pub(crate) people: Vec<Person>,
    pub(crate) connections: Vec<Connection>,
    pub(crate) posts: RefCell<Vec<Value>>,
    /// Whether rows that cannot be read stand beside theirs.
    pub(crate) bad_rows: bool,
    /// Edits that were granted, by post and by the version that they were made from.
    pub(crate) edits: RefCell<Vec<(usize, u32)>>,
    /// The code of a certificate that nobody has redeemed when the run begins.
    pub(crate) spare: String,
    /// Who asked for it, and the answer's status.
    pub(crate) redeemed: RefCell<Vec<(usize, u16)>>,
    /// What the payment provider has said.
    pub(crate) told: RefCell<Vec<Spoken>>,
    pub(crate) disconnected: RefCell<Vec<(usize, Timestamp)>>,
    /// Whose account was connected again, from when on it may have been, and when it surely was.
    pub(crate) returned: RefCell<Vec<(usize, Timestamp, Timestamp)>>,
    pub(crate) changed: Notify,
    pub(crate) live: Cell<usize>,
    /// In which order the queue hands out, where that is left to chance.
    pub(crate) order: RefCell<Option<Dice>>,
    gateway: Gateway<Router>,
    actors: Cell<usize>,
    morgue: Morgue,
}

/// An answer of the API.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) json: Value,
}

impl World {
    /// The world of `scenario`, with its posts written. A beginning that is made is put back like any other: a run is the same whether
    /// another began like it before or not.
    pub(crate) async fn open(scenario: &Scenario, plan: FaultPlan, seed: u64) -> anyhow::Result<Self> {
        let template = template().await?;
        let Scenario { people, posts, lead_secs, token_secs, keeping, grant_secs, accounts, beside, .. } = scenario;
        let alike = seed / BEGIN_ALIKE;
        let of = format!("{alike} {people} {token_secs} {keeping:?} {grant_secs} {accounts:?} {beside:?} {lead_secs} {posts:?}");
        if !BEGINNING.with_borrow(|beginning| beginning.as_ref().is_some_and(|kept| kept.of == of)) {
            let mut world = Self::at(SIGNED_UP, &template, scenario, FaultPlan::Exactly(Vec::new()), Dice::new(alike, 1))?;
            world.begin(scenario).await?;
            template.sandbox.keep(BEGUN)?;
            let (connections, posts) = (world.connections.clone(), world.posts.take());
            BEGINNING.set(Some(Beginning { of, connections, posts, held: world.network.keep() }));
        }
        // Another chance than the beginning's, from which ids and tokens of transactions came that must not come again.
        let mut world = Self::at(BEGUN, &template, scenario, plan, Dice::new(seed, 6))?;
        world.begin_again();
        world.order.replace(scenario.disorder.then(|| Dice::new(seed, 4)));
        world.watch_writes(scenario);
        let hook = world.injector.clone();
        world.aws.on_call(Box::new(move |call| {
            let kind = hook.decide(Side::Aws, &format!("{}.{}", call.service, call.operation))?;
            aws_fault(kind)
        }));
        world.aws.transactions_take(Duration::from_millis(scenario.transaction_millis));
        let injector = world.injector.clone();
        world.aws.on_conflict(Box::new(move |call| {
            let caller = Actor::current().map_or_else(String::new, |actor| format!("{}#{}: ", actor.name, actor.number));
            injector.note(&format!("{caller}{}.{} meets a transaction", call.service, call.operation));
        }));
        Ok(world)
    }

    /// A world on the tables as they were at a kept moment, in which nothing is known yet of what they hold.
    fn at(moment: &str, template: &Template, scenario: &Scenario, plan: FaultPlan, mut dice: Dice) -> anyhow::Result<Self> {
        let began = template.began;
        let (true_clock, clock) = clocks(began);
        template.sandbox.rewind(moment)?;
        // The SDK's jitter comes from this generator of the thread, and so do the tokens of its transactions.
        fastrand::seed(dice.roll());
        let aws = template.sandbox.open(&region(), true_clock.clone())?;
        let watch = Arc::new(Mutex::new(Watch::new(plan.is_mild())));
        let injector = Injector::new(plan);
        let network = Network::new(aws.clone(), injector.clone(), true_clock.clone(), scenario, tables().posts);
        let random = random(Arc::new(Mutex::new(dice)));
        let listing = lists(&aws, &injector, scenario.beside == Beside::BadRows);
        let functions = Functions::new(&aws, &clock, &random, &network, (listing, template.payments.clone()))?;
        Ok(Self {
            queue: aws_sdk_sqs::Client::new(&aws.sdk_config()),
            aws,
            began,
            clock: true_clock,
            network,
            injector,
            watch,
            reader: template.sandbox.reader(),
            publisher: functions.publisher,
            sweeper: functions.sweeper,
            quota_reset: functions.quota_reset,
            analytics_sync: functions.analytics_sync,
            renewals: functions.renewals,
            people: if scenario.accounts == Accounts::OneOwners {
                vec![template.people[0].clone(); scenario.people]
            } else {
                template.people.clone()
            },
            connections: Vec::new(),
            posts: RefCell::default(),
            bad_rows: scenario.beside == Beside::BadRows,
            edits: RefCell::default(),
            spare: template.spare.clone(),
            redeemed: RefCell::default(),
            told: RefCell::default(),
            disconnected: RefCell::default(),
            returned: RefCell::default(),
            changed: Notify::new(),
            live: Cell::new(0),
            order: RefCell::default(),
            gateway: functions.gateway,
            actors: Cell::new(0),
            morgue: Arc::default(),
        })
    }

    async fn begin(&mut self, scenario: &Scenario) -> anyhow::Result<()> {
        for person in 0..scenario.people {
            let connection = self.connect(scenario, person).await?;
            self.connections.push(connection);
        }
        for n in 0..scenario.posts.len() {
            self.write(scenario, n).await?;
        }
        if self.bad_rows {
            bad_rows::put(self, &self.publisher.store).await?;
        }
        Ok(())
    }

    /// The tables are put back already.
    fn begin_again(&mut self) {
        BEGINNING.with_borrow(|beginning| {
            let Some(begun) = beginning else { return };
            self.connections.clone_from(&begun.connections);
            self.posts.borrow_mut().clone_from(&begun.posts);
            self.network.put_back(begun.held.clone());
        });
    }

    /// From now on each write is looked at.
    fn watch_writes(&self, scenario: &Scenario) {
        let (posts, ledger) = (self.look_at_posts(), scenario.reads_numbers().then(|| self.look_at_ledger()));
        let look = move || {
            posts();
            if let Some(ledger) = &ledger {
                ledger();
            }
        };
        look();
        self.aws.after_call(Box::new(move |service, operation| {
            if service == "dynamodb" && WRITES.contains(&operation) {
                look();
            }
        }));
    }

    fn look_at_posts(&self) -> impl Fn() + Send + Sync + use<> {
        let reader = self.reader.clone();
        let (watch, injector, clock, posts) = (self.watch.clone(), self.injector.clone(), self.clock.clone(), tables().posts);
        move || match reader.items(&posts, "POST#*", "POST#*#*") {
            Ok(rows) => {
                let mut watch = watch.lock().unwrap_or_else(PoisonError::into_inner);
                let before = watch.turns();
                let wrong = watch.look(&rows, clock.now());
                if watch.turns() > before && are_numbers_read() {
                    injector.violation("S24: the reading of numbers changed a post".to_owned());
                }
                for what in wrong {
                    injector.violation(what);
                }
            }
            Err(error) => injector.violation(format!("the posts cannot be read: {error:#}")),
        }
    }

    /// Cycles and their history: whoever reads numbers leaves them alone.
    fn look_at_ledger(&self) -> impl Fn() + Send + Sync + use<> {
        let (reader, injector, ledger) = (self.reader.clone(), self.injector.clone(), tables().ledger);
        let standing = Mutex::new(Vec::new());
        move || match reader.items(&ledger, "[CH]*", "ANALYTICS#*") {
            Ok(rows) => {
                let before = std::mem::replace(&mut *standing.lock().unwrap_or_else(PoisonError::into_inner), rows.clone());
                if before != rows && are_numbers_read() {
                    injector.violation("S24: the reading of numbers changed the ledger".to_owned());
                }
            }
            Err(error) => injector.violation(format!("the ledger cannot be read: {error:#}")),
        }
    }

    /// Connects a person's account, the first time or again.
    pub(crate) async fn connect(&self, scenario: &Scenario, person: usize) -> anyhow::Result<Connection> {
        let life = SignedDuration::from_secs(scenario.token_secs);
        let account = scenario.account(person);
        let tokens = self.network.grant(&account, person, life);
        let grant = Grant::new(PlatformName::X, (account.clone(), account), AccountKind::Profile, &tokens, &["post"]);
        let now = self.clock.now();
        let random = &self.publisher.random;
        let terms = self.publisher.platforms.get(PlatformName::X).descriptor().terms();
        let connecting = Connecting {
            user: &self.people[person].user,
            grant: &grant,
            tokens: &tokens,
            life: GrantLife::new(&terms, &tokens, now, random.bytes()),
            fresh_id: ConnectionId::new(now, random.bytes()),
            attempt: AttemptId::new(now, random.bytes()),
        };
        Ok(connecting::connect(&self.sweeper.store, &self.publisher.vault, &connecting, now).await?.connection)
    }

    async fn write(&self, scenario: &Scenario, n: usize) -> anyhow::Result<()> {
        let written = scenario.posts[n];
        let due = self.began + SignedDuration::from_secs(written.due_secs);
        let twin_of = if written.same_text { n - 1 } else { n };
        let mut body = json!({
            "content": text(twin_of, 1),
            "targets": [{ "connection_id": self.connections[written.person].id.as_str() }],
            "scheduled_for": due.to_string(),
        });
        if written.late_secs > 0 {
            body["latest_at"] = json!((due + SignedDuration::from_secs(written.late_secs)).to_string());
        }
        let reply = self.request(written.person, Method::POST, "/api/posts", Some(&body), None).await;
        anyhow::ensure!(reply.status == 201, "{reply:?}");
        self.lead(&reply.json["items"][0]["id"], scenario, written.person)?;
        self.posts.borrow_mut().push(reply.json["items"][0].clone());
        Ok(())
    }

    /// The story's platform prepares posts so long ahead; the one whose name it has does not.
    fn lead(&self, post: &Value, scenario: &Scenario, person: usize) -> anyhow::Result<()> {
        let key = json!({ "pk": { "S": format!("USER#{}", self.people[person].user) },
            "sk": { "S": format!("POST#{}", post.as_str().unwrap_or_default()) } });
        let values = json!({ ":lead": { "N": scenario.lead_secs.to_string() } });
        let request = json!({ "TableName": tables().posts, "Key": key, "UpdateExpression": "SET lead_secs = :lead",
            "ExpressionAttributeValues": values });
        self.aws.tables("UpdateItem", &request)?;
        Ok(())
    }

    /// A request of a person, as it reaches the functions.
    pub(crate) async fn request(&self, person: usize, method: Method, path: &str, body: Option<&Value>, version: Option<u32>) -> Reply {
        ask(&self.gateway, &self.people[person], self.clock.now(), method, path, body, version).await
    }

    /// An event of the payment provider's, signed now; answers the status.
    pub(crate) async fn provider_sends(&self, body: Vec<u8>) -> u16 {
        let secret = SigningSecret::parse(SecretString::from(simulator::WEBHOOK_SECRET)).expect("the double's own secret");
        let at = self.clock.now();
        let request = Request::builder().method(Method::POST).uri("/api/billing/webhook").header(CONTENT_TYPE, "application/json");
        let request = request.header("stripe-signature", secret.header(&body, at)).body(Body::from(body));
        let Ok(request) = request else { return 400 };
        let caller = Caller { source_ip: "127.0.0.1".to_owned(), request_id: "event".to_owned(), at };
        self.gateway.answer(&caller, request, enter).await.status().as_u16()
    }

    /// Runs `work` as an invocation that may live for `limit`.
    pub(crate) async fn invoke<F: Future + 'static>(&self, name: &str, limit: Duration, work: F) -> End<F::Output> {
        let number = self.actors.get();
        self.actors.set(number + 1);
        self.live.set(self.live.get() + 1);
        self.changed.notify_one();
        let end = Invocation::new(Actor::new(number, name.to_owned(), limit), self.morgue.clone(), work).await;
        self.live.set(self.live.get() - 1);
        if matches!(end, End::Killed) {
            self.injector.note(&format!("{name}#{number} is no more"));
        }
        self.changed.notify_one();
        end
    }

    /// Lets go of what was killed.
    pub(crate) fn bury(&self) {
        self.morgue.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// Whether it is the reading of numbers that calls at this moment.
fn are_numbers_read() -> bool {
    Actor::current().is_some_and(|actor| actor.name == NUMBERS)
}

/// The number by which a person signs in.
pub(crate) fn phone(person: usize) -> String {
    format!("+6141234500{person}")
}

/// What a post says in a version.
pub(crate) fn text(post: usize, version: u32) -> String {
    format!("post {post} in version {version}")
}

/// The true clock, and the one that functions see: theirs may have jumped.
fn clocks(began: Timestamp) -> (Clock, Clock) {
    let started = Instant::now();
    let true_clock = Clock::from_fn(move || {
        let passed = SignedDuration::try_from(started.elapsed()).unwrap_or(SignedDuration::MAX);
        began + passed
    });
    let base = true_clock.clone();
    let seen = Clock::from_fn(move || {
        let skew_secs = Actor::current().map_or(0, |actor| actor.skew_secs());
        base.now() + SignedDuration::from_secs(skew_secs)
    });
    (true_clock, seen)
}

fn random(dice: Arc<Mutex<Dice>>) -> Random {
    Random::from_fn(move |bytes| dice.lock().unwrap_or_else(PoisonError::into_inner).fill(bytes))
}

async fn create_tables(aws: &Aws) -> anyhow::Result<()> {
    let store = Store::new(&aws.sdk_config(), tables());
    for definition in schema::definitions(&tables()) {
        ensure_table(store.client(), definition).await?;
    }
    Ok(())
}

fn hash_key() -> String {
    "0123456789abcdef".repeat(6)
}

fn put_secrets(aws: &Aws) -> anyhow::Result<()> {
    aws.set_secret(HASH_KEY_SECRET, &SecretString::from(hash_key()))?;
    let credentials = json!({ "client_id": "app", "client_secret": "secret" }).to_string();
    for platform in PlatformName::ALL {
        aws.set_secret(&format!("{SECRETS_PREFIX}/platform/{platform}"), &SecretString::from(credentials.clone()))?;
    }
    let billing = json!({ "api_key": simulator::BILLING_API_KEY, "webhook_secrets": [simulator::WEBHOOK_SECRET] });
    aws.set_secret(&format!("{SECRETS_PREFIX}/billing/stripe"), &SecretString::from(billing.to_string()))?;
    Ok(())
}

struct Functions {
    gateway: Gateway<Router>,
    publisher: publisher::Deps,
    sweeper: sweeper::Deps,
    quota_reset: quota_reset::Deps,
    analytics_sync: analytics_sync::Deps,
    renewals: renewals::Deps,
}

impl Functions {
    /// `listing` is the store of those whose lists leave out what cannot be read.
    fn new(aws: &Aws, clock: &Clock, random: &Random, network: &Network, (listing, payments): (Store, Payments)) -> anyhow::Result<Self> {
        let host = host(clock, random)?;
        let sdk = aws.sdk_config();
        let (store, posts) = (Store::new(&sdk, tables()), posts::Deps { store: listing, ..posts::Deps::new(&host, &sdk)? });
        // Each reading of tokens is a call that may fail.
        let vault = Vault::open(&sdk, SECRETS_PREFIX).remembering_no_tokens();
        let platforms = Arc::new(Platforms::of(|name| network.adapter(name)));
        let account = account::Deps {
            store: posts.store.clone(),
            vault: vault.clone(),
            platforms: platforms.clone(),
            configured: PlatformName::ALL.to_vec(),
            paces: Paces::default(),
            clock: clock.clone(),
            random: random.clone(),
            allowed_origins: vec![origin()],
            // Nobody buys here: what the provider tells changes plans by the same way as a certificate.
            payments: payments.clone(),
            prices: Prices::default(),
            frontend_url: Url::parse(&origin())?,
        };
        let publisher = publisher::Deps {
            store: store.clone(),
            vault: vault.clone(),
            wake_ups: cloud::queue::WakeUps::new(&sdk, embedded::queue_url(embedded::WAKE_UPS)),
            platforms: platforms.clone(),
            configured: PlatformName::ALL.to_vec(),
            clock: clock.clone(),
            random: random.clone(),
            metrics: Metrics::silent(),
        };
        let analytics_sync = analytics_sync::Deps {
            store: store.clone(),
            vault: vault.clone(),
            configured: PlatformName::ALL.to_vec(),
            paces: Paces::default(),
            platforms: platforms.clone(),
            clock: clock.clone(),
            random: random.clone(),
            metrics: Metrics::silent(),
        };
        let renewals = renewals::Deps {
            store: posts.store.clone(),
            vault: vault.clone(),
            configured: PlatformName::ALL.to_vec(),
            platforms: platforms.clone(),
            texts: TextMessages::tried_once(&sdk),
            clock: clock.clone(),
            random: random.clone(),
            metrics: Metrics::silent(),
        };
        let sweeper = sweeper::Deps {
            store: posts.store.clone(),
            vault,
            platforms,
            timer: posts.timer.clone(),
            clock: clock.clone(),
            random: random.clone(),
            metrics: Metrics::silent(),
        };
        let quota_reset =
            quota_reset::Deps { store: store.clone(), clock: clock.clone(), random: random.clone(), metrics: Metrics::silent() };
        let webhook = billing_webhook::Deps {
            store,
            vault: account.vault.clone(),
            payments,
            prices: config::read(&host.variables, Prices::read)?,
            clock: clock.clone(),
            random: random.clone(),
            metrics: Metrics::silent(),
        };
        let onboarding = onboarding::Deps::new(&host, &sdk)?;
        let gateway = Gateway::new(vec![
            (account::PATHS, account::router(account)),
            (billing_webhook::PATHS, billing_webhook::router(webhook)),
            (onboarding::PATHS, onboarding::router(onboarding)),
            (posts::PATHS, posts::router(posts)),
        ]);
        Ok(Self { gateway, publisher, sweeper, quota_reset, analytics_sync, renewals })
    }
}

/// The store of the functions that show lists, which leave out a row that cannot be read. In a run without bad rows there must be none.
fn lists(aws: &Aws, injector: &Injector, bad_rows: bool) -> Store {
    let injector = injector.clone();
    Store::new(&aws.sdk_config(), tables()).leaving_out(move |_| {
        if !bad_rows {
            injector.violation("S29: a row that nobody has spoilt cannot be read".to_owned());
        }
    })
}

fn host(clock: &Clock, random: &Random) -> anyhow::Result<Host> {
    let addresses = simulator::addresses(&Url::parse(&origin())?);
    Ok(Host { variables: source(PORT, addresses, &[]), clock: clock.clone(), random: random.clone(), lines: Lines::silent() })
}

fn origin() -> String {
    format!("http://localhost:{PORT}")
}

async fn ask(
    gateway: &Gateway<Router>,
    person: &Person,
    at: Timestamp,
    method: Method,
    path: &str,
    body: Option<&Value>,
    version: Option<u32>,
) -> Reply {
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header(ORIGIN, origin())
        .header(COOKIE, &person.cookie)
        .header("x-csrf-token", &person.csrf_token);
    if let Some(version) = version {
        request = request.header(IF_MATCH, format!("\"{version}\""));
    }
    let request = match body {
        Some(body) => request.header(CONTENT_TYPE, "application/json").body(Body::from(body.to_string())),
        None => request.body(Body::empty()),
    };
    let Ok(request) = request else { return Reply { status: 400, json: Value::Null } };
    let caller = Caller { source_ip: "127.0.0.1".to_owned(), request_id: "run".to_owned(), at };
    let response = gateway.answer(&caller, request, enter).await;
    let status = response.status().as_u16();
    let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap_or_default();
    Reply { status, json: serde_json::from_slice(&bytes).unwrap_or(Value::Null) }
}

/// Through the entry code that Lambda runs.
async fn enter(function: &Router, event: Value) -> Result<ApiGatewayV2httpResponse, NoAnswer> {
    let event = serde_json::from_value::<ApiGatewayV2httpRequest>(event).map_err(|_| NoAnswer)?;
    Ok(edge::http_event::answer(function.clone(), event).await)
}

/// A region of its own for each run: the SDK keeps its budget of retries by region for the whole process, and a run that finds
/// the budget of an earlier one is not the same run.
fn region() -> String {
    static RUNS: AtomicU64 = AtomicU64::new(0);
    format!("us-run-{}", RUNS.fetch_add(1, Ordering::Relaxed))
}

async fn template() -> anyhow::Result<Rc<Template>> {
    if let Some(template) = TEMPLATE.with_borrow(Clone::clone) {
        return Ok(template);
    }
    let made = Rc::new(make_template().await.context("signing people up")?);
    TEMPLATE.set(Some(made.clone()));
    Ok(made)
}

/// People sign up and redeem a certificate; nearly a cycle later they sign in again.
async fn make_template() -> anyhow::Result<Template> {
    let ahead = Arc::new(Mutex::new(Timestamp::from_second(SIGN_UP)?));
    let read = ahead.clone();
    let clock = Clock::from_fn(move || *read.lock().unwrap_or_else(PoisonError::into_inner));
    let sandbox = Sandbox::new()?;
    let aws = sandbox.open(&region(), clock.clone())?;
    create_tables(&aws).await?;
    put_secrets(&aws)?;
    let random = random(Arc::new(Mutex::new(Dice::new(7, 1))));
    let (host, sdk) = (host(&clock, &random)?, aws.sdk_config());
    let gateway = Gateway::new(vec![(onboarding::PATHS, onboarding::router(onboarding::Deps::new(&host, &sdk)?))]);
    let mut people = Vec::new();
    let spare = issue(&sdk, &clock, &random).await?;
    for person in 0..PEOPLE {
        let signed_up = sign_in(&aws, &gateway, &clock, person).await?;
        redeem(&sdk, &gateway, &clock, &random, &signed_up).await?;
    }
    let began = Timestamp::from_second(SIGN_UP)? + domain::plan::CYCLE - BEFORE_CYCLE_END;
    *ahead.lock().unwrap_or_else(PoisonError::into_inner) = began - SignedDuration::from_secs(60);
    for person in 0..PEOPLE {
        people.push(sign_in(&aws, &gateway, &clock, person).await?);
    }
    sandbox.keep(SIGNED_UP)?;
    Ok(Template { sandbox, payments: Payments::new(Url::parse(&origin())?)?, began, people, spare })
}

async fn sign_in(aws: &Aws, gateway: &Gateway<Router>, clock: &Clock, person: usize) -> anyhow::Result<Person> {
    let nobody = Person { user: UserId::new(Timestamp::UNIX_EPOCH, [0; 10]), cookie: String::new(), csrf_token: String::new() };
    let phone = phone(person);
    let asked = json!({ "phone": phone });
    let reply = ask(gateway, &nobody, clock.now(), Method::POST, "/api/verification-codes", Some(&asked), None).await;
    anyhow::ensure!(reply.status == 202, "{reply:?}");
    let texts = aws.inbox()?;
    let code = texts.iter().find(|text| text.phone == phone).and_then(|text| text.body.split_whitespace().next()).context("no code")?;
    let body = json!({ "phone": phone, "code": code }).to_string();
    let request = Request::builder().method(Method::POST).uri("/api/verify-code").header(ORIGIN, origin());
    let request = request.header(CONTENT_TYPE, "application/json").body(Body::from(body))?;
    let caller = Caller { source_ip: "127.0.0.1".to_owned(), request_id: "sign-in".to_owned(), at: clock.now() };
    let response = gateway.answer(&caller, request, enter).await;
    let cookie = response.headers().get(SET_COOKIE).and_then(|cookie| cookie.to_str().ok()).context("no cookie")?;
    let cookie = cookie.split(';').next().unwrap_or_default().to_owned();
    let verified: Value = serde_json::from_slice(&axum::body::to_bytes(response.into_body(), usize::MAX).await?)?;
    let user = UserId::parse(verified["user"]["id"].as_str().context("no user")?)?;
    let csrf_token = verified["csrf_token"].as_str().context("no token")?.to_owned();
    Ok(Person { user, cookie, csrf_token })
}

/// Issues a certificate and answers its code.
async fn issue(sdk: &SdkConfig, clock: &Clock, random: &Random) -> anyhow::Result<String> {
    let code = GiftCode::from_entropy(random.bytes());
    let hash = code.keyed_hash(&HashKey::new(hash_key().into_bytes())?);
    Store::new(sdk, tables())
        .issue_gift(&hash, &GiftCertificate::issue(Plan::Starter, domain::people::gift::CYCLES_DEFAULT, None, clock.now()))
        .await?;
    Ok(code.expose().clone())
}

async fn redeem(sdk: &SdkConfig, gateway: &Gateway<Router>, clock: &Clock, random: &Random, person: &Person) -> anyhow::Result<()> {
    let body = json!({ "code": issue(sdk, clock, random).await? });
    let reply = ask(gateway, person, clock.now(), Method::POST, "/api/redeem-gift", Some(&body), None).await;
    anyhow::ensure!(reply.status == 200, "{reply:?}");
    Ok(())
}
