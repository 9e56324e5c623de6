//! AWS on one machine, inside this process.
//!
//! The real SDK clients are given an HTTP connector that hands each request to an engine here instead of the network: signing,
//! serialisation, retries and error mapping are the cloud's own. The database is a `DynamoDB` engine on SQLite; the queue, the
//! scheduler, the secrets and the text messages share one SQLite file, so that a schedule fires into the queue in one transaction.
//! Everything survives a restart, and time is the clock that is handed in. Transactions that overlap conflict, as in the cloud.
//!
//! The files hold secrets unsealed: they are for a developer's machine, and their folder is closed to other users.

mod connector;
mod dynamodb;
mod fault;
mod file;
mod meter;
mod sandbox;
mod scheduler;
mod secrets;
mod sns;
mod sqs;
mod tables;
mod under_way;
mod wire;

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context;
use aws_config::{Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use edge::clock::Clock;
use jiff::Timestamp;
use secrecy::SecretString;
use tokio::sync::watch;

pub use fault::{Afterwards, CallInfo, Conflicts, Fault, Hook};
pub use file::make_private_dir;
pub use meter::Metered;
pub use sandbox::{Reader, Sandbox};
pub use sns::Text;
pub use tables::{ensure_table, ensure_time_to_live};
pub use wire::Answer;

/// The region that all names and addresses of it claim to be in.
pub const REGION: &str = "us-east-1";
/// The account that all of it claims to belong to.
pub const ACCOUNT: &str = "000000000000";
/// The queue of wake-ups.
pub const WAKE_UPS: &str = "postledger-wake-ups";
/// Where a wake-up goes after [`RECEIVES_MAX`] receives.
pub const DEAD_LETTERS: &str = "postledger-dead-letters";
/// How often a wake-up is received before it is set aside.
pub const RECEIVES_MAX: i64 = 5;
/// How long a received message stays hidden when the receiver does not say: six times the publisher's 60 seconds, as in the template.
pub const VISIBILITY_SECS: i64 = 360;

/// The address of a queue.
pub fn queue_url(queue: &str) -> String {
    format!("https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{queue}")
}

/// The resource name of a queue.
pub fn queue_arn(queue: &str) -> String {
    format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{queue}")
}

/// What the clients of one service call their region. The SDK keeps its budget of retries by region for the whole process: in one
/// that holds many services, the calls that fail in one of them must not use up the retries of the others.
fn own_region() -> String {
    static OPENED: AtomicU64 = AtomicU64::new(0);
    format!("us-local-{}", OPENED.fetch_add(1, Ordering::Relaxed))
}

/// The services, opened on a folder. Clones are the same services.
#[derive(Clone)]
pub struct Aws(Arc<Engines>);

struct Engines {
    clock: Clock,
    dynamodb: dynamodb::Dynamodb,
    file: Arc<file::File>,
    region: String,
    watch: fault::Watch,
    meter: meter::Meter,
    under_way: Arc<under_way::UnderWay>,
    /// Counts what was carried out, so that whoever watches knows when there is something new.
    served: AtomicU64,
    /// How many calls put something into a queue or set a schedule.
    work_brought: watch::Sender<u64>,
}

impl Engines {
    fn new(clock: Clock, dynamodb: dynamodb::Dynamodb, file: Arc<file::File>, region: &str, watch: fault::Watch) -> Self {
        let (region, meter, under_way) = (region.to_owned(), meter::Meter::default(), Arc::default());
        Self { clock, dynamodb, file, region, watch, meter, under_way, served: AtomicU64::new(0), work_brought: watch::Sender::new(0) }
    }
}

impl fmt::Debug for Aws {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Aws")
    }
}

impl Aws {
    /// Opens the services on `data_dir`, with all that an earlier run left there; an absent folder is made. The retries of its clients
    /// are its own.
    pub fn open(data_dir: &Path, clock: Clock) -> anyhow::Result<Self> {
        file::make_private_dir(data_dir).with_context(|| format!("making the data folder {}", data_dir.display()))?;
        let dynamodb = dynamodb::Dynamodb::open(&data_dir.join("dynamodb.sqlite")).context("opening the tables")?;
        let file = file::File::open(&data_dir.join("aws.sqlite")).context("opening queue, schedules and secrets")?;
        Ok(Self(Arc::new(Engines::new(clock, dynamodb, Arc::new(file), &own_region(), fault::Watch::default()))))
    }

    /// The services without a folder: all of it is gone with the last clone. The SDK keeps its budget of retries by region for
    /// the whole process; a `region` of its own keeps what happens here apart from what happens elsewhere.
    pub fn in_memory(region: &str, clock: Clock) -> anyhow::Result<Self> {
        let dynamodb = dynamodb::Dynamodb::in_memory().context("opening the tables")?;
        let file = file::File::in_memory().context("opening queue, schedules and secrets")?;
        Ok(Self(Arc::new(Engines::new(clock, dynamodb, Arc::new(file), region, fault::Watch::default()))))
    }

    /// What the SDK clients are built from: the cloud's limits, this machine's engines.
    pub fn sdk_config(&self) -> SdkConfig {
        let credentials = Credentials::new("local", "local", None, None, "local");
        SdkConfig::builder()
            .behavior_version(cloud::sdk::behavior())
            .region(Region::new(self.0.region.clone()))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .retry_config(cloud::sdk::retries())
            .timeout_config(cloud::sdk::timeouts())
            .http_client(self.clone())
            .build()
    }

    /// Puts the input of every schedule whose time has come on its queue, and returns how many fired. Each fires once.
    pub fn fire_due_schedules(&self) -> anyhow::Result<usize> {
        let now = self.0.clock.now();
        Ok(self.0.file.transaction(|tx| scheduler::fire_due(tx, now))?)
    }

    /// When the queue or a schedule has something to do next; what has waited is due now. `None`: nothing is left there.
    pub fn next_due(&self) -> anyhow::Result<Option<Timestamp>> {
        Ok(self.0.file.transaction(file::next_due)?)
    }

    /// The secrets that are kept: name, version and value, unsealed, for checks.
    pub fn secrets(&self) -> anyhow::Result<Vec<(String, String, String)>> {
        Ok(self.0.file.transaction(secrets::all)?)
    }

    /// Changes with every call that puts something into a queue or sets a schedule: whoever drives them need not look before, or before
    /// [`next_due`](Self::next_due).
    pub fn work_brought(&self) -> watch::Receiver<u64> {
        self.0.work_brought.subscribe()
    }

    /// How many messages a queue holds, hidden ones too.
    pub fn messages(&self, queue: &str) -> anyhow::Result<u64> {
        Ok(self.0.file.transaction(|tx| file::messages(tx, queue))?)
    }

    /// Asks the tables past every client, hook and count, with a request and an answer in DynamoDB's own JSON: for checks, and
    /// for putting in what an earlier run left.
    pub fn tables(&self, operation: &str, request: &serde_json::Value) -> anyhow::Result<serde_json::Value> {
        let answer = self.0.dynamodb.serve(operation, request.to_string().as_bytes());
        anyhow::ensure!(answer.status == 200, "{operation}: {}", answer.body);
        Ok(serde_json::from_str(&answer.body)?)
    }

    /// The text messages that were "sent", newest first.
    pub fn inbox(&self) -> anyhow::Result<Vec<Text>> {
        Ok(self.0.file.transaction(sns::inbox)?)
    }

    /// Puts in what an operator puts in by hand in the cloud: app credentials, the hash key. The same value again is a no-op.
    pub fn set_secret(&self, name: &str, value: &SecretString) -> anyhow::Result<()> {
        let now = self.0.clock.now();
        Ok(self.0.file.transaction(|tx| secrets::set_current(tx, name, value, now))?)
    }

    /// The names of all secrets: tests look for what nothing needs.
    pub fn secret_names(&self) -> anyhow::Result<Vec<String>> {
        Ok(self.0.file.transaction(secrets::names)?)
    }

    /// Asks `hook` about every call from now on: tests break calls with it.
    pub fn on_call(&self, hook: Hook) {
        self.0.watch.set_hook(hook);
    }

    /// Tells `afterwards` the service and the operation of every call that was carried out, from now on: tests look at the tables then.
    pub fn after_call(&self, afterwards: Afterwards) {
        self.0.watch.set_afterwards(afterwards);
    }

    /// Tells `conflicts` of every call that meets a transaction under way, from now on.
    pub fn on_conflict(&self, conflicts: Conflicts) {
        self.0.watch.set_conflicts(conflicts);
    }

    /// From now on each transaction takes so long, and holds its items meanwhile. At first it takes the moment that carrying it out takes,
    /// and that is enough for calls that come at once to meet.
    pub fn transactions_take(&self, time: Duration) {
        self.0.under_way.take(time);
    }

    /// Counts up with each call that was carried out, late ones too: as long as it stands still, so does everything here but time.
    pub fn served(&self) -> u64 {
        self.0.served.load(Ordering::Relaxed)
    }

    /// Counts calls and the units that they cost, from now on and from nothing, until [`Self::end_metering`].
    pub fn begin_metering(&self) {
        self.0.meter.begin();
    }

    /// What was counted since [`Self::begin_metering`]. The names are `service.operation`, as in `sqs.SendMessage`.
    pub fn end_metering(&self) -> BTreeMap<String, Metered> {
        self.0.meter.end()
    }

    /// How often each operation was called since the start, broken calls and the SDK's own repetitions included.
    /// The names are `service.operation`, as in `sqs.SendMessage`.
    pub fn calls(&self) -> BTreeMap<String, u64> {
        self.0.watch.calls()
    }
}
