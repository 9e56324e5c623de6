//! What goes wrong in a run, and at which calls.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use embedded::Fault;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::actor::Actor;
use crate::dice::Dice;

/// How a call breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names say it; `words` says it in full")]
pub enum Kind {
    NotApplied,
    NotAppliedThrice,
    AnswerLost,
    AnswerLostThrice,
    Throttled,
    Conflict,
    Stalled,
    StalledAfter,
    LandsLate,
    EmptyIndex,
    StaleIndex,
    StaleSecret,
    VaultBusy,
    CrashBefore,
    CrashAfter,
    PauseBefore,
    PauseAfter,
    ClockAhead,
    ClockBehind,
    Unreachable,
    LostBefore,
    LostAfter,
    SlowAfter,
    SilentAfter,
    ArrivesLater,
    Limited,
    AppLimited,
    ThrownAway,
    Refused,
    TokenRefused,
    Meanwhile,
}

/// The other end of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// One of our own services.
    Aws,
    /// A network.
    Platform,
}

const COMMON: [Kind; 6] = [Kind::CrashBefore, Kind::CrashAfter, Kind::PauseBefore, Kind::PauseAfter, Kind::ClockAhead, Kind::ClockBehind];
const AWS: [Kind; 13] = [
    Kind::NotApplied,
    Kind::NotAppliedThrice,
    Kind::AnswerLost,
    Kind::AnswerLostThrice,
    Kind::Throttled,
    Kind::Conflict,
    Kind::Stalled,
    Kind::StalledAfter,
    Kind::LandsLate,
    Kind::EmptyIndex,
    Kind::StaleIndex,
    Kind::StaleSecret,
    Kind::VaultBusy,
];
const PLATFORM: [Kind; 11] = [
    Kind::Unreachable,
    Kind::LostBefore,
    Kind::LostAfter,
    Kind::SlowAfter,
    Kind::SilentAfter,
    Kind::ArrivesLater,
    Kind::Limited,
    Kind::AppLimited,
    Kind::ThrownAway,
    Kind::Refused,
    Kind::TokenRefused,
];

/// Calls that change nothing at the other end.
const READS: [&str; 7] = [".GetItem", ".BatchGetItem", ".Query", ".GetSecretValue", ".DescribeSecret", "own_posts", "numbers"];

fn is_vault_write(name: &str) -> bool {
    name.starts_with("secretsmanager.") && !READS.iter().any(|read| name.ends_with(read))
}

impl Kind {
    /// All that can happen to a call of this side.
    pub fn of(side: Side) -> Vec<Self> {
        let own: &[Self] = match side {
            Side::Aws => &AWS,
            Side::Platform => &PLATFORM,
        };
        own.iter().chain(&COMMON).copied().collect()
    }

    /// Every one that falls on a call by itself: [`Kind::Meanwhile`] needs a story in which somebody waits for it.
    pub fn all() -> Vec<Self> {
        AWS.into_iter().chain(PLATFORM).chain(COMMON).collect()
    }

    /// Whether it means something for an operation.
    pub fn fits(self, side: Side, name: &str) -> bool {
        let of_side = COMMON.contains(&self) || if side == Side::Aws { AWS.contains(&self) } else { PLATFORM.contains(&self) };
        of_side
            && match self {
                Self::Conflict => ["PutItem", "TransactWriteItems", "UpdateItem", "DeleteItem"].iter().any(|write| name.ends_with(write)),
                Self::EmptyIndex | Self::StaleIndex => name.ends_with(".Query"),
                Self::StaleSecret => name.ends_with(".GetSecretValue"),
                Self::VaultBusy => is_vault_write(name),
                Self::AppLimited => name == "publish",
                Self::ThrownAway => ["look_up", "publish"].contains(&name),
                _ => true,
            }
    }

    /// Whether another kind comes to the same at an operation: where nothing is changed, "done, and the answer was lost" is "not done".
    pub(crate) fn is_another_at(self, name: &str) -> bool {
        use Kind::{AnswerLost, AnswerLostThrice, ArrivesLater, CrashAfter, LandsLate, LostAfter, StalledAfter};
        READS.iter().any(|read| name.ends_with(read))
            && matches!(self, AnswerLost | AnswerLostThrice | ArrivesLater | CrashAfter | LandsLate | LostAfter | StalledAfter)
    }

    /// What happens, in words.
    pub fn words(self) -> &'static str {
        match self {
            Self::NotApplied => "the connection broke before it arrived",
            Self::NotAppliedThrice => "the connection broke before it arrived, three times",
            Self::AnswerLost => "done, and the answer was lost",
            Self::AnswerLostThrice => "done, and the answer was lost, three times",
            Self::Throttled => "throttled",
            Self::Conflict => "a transaction held the item",
            Self::Stalled => "never arrived, and no answer came",
            Self::StalledAfter => "done, and no answer came",
            Self::LandsLate => "the connection broke, and it was done 20 s later",
            Self::EmptyIndex => "the index was behind and empty",
            Self::StaleIndex => "the index was behind and answered as it did before",
            Self::StaleSecret => "the vault was behind by 10 s",
            Self::VaultBusy => "the vault took no write for half a minute, and then one of eight",
            Self::CrashBefore => "the function was killed before",
            Self::CrashAfter => "done, and the function was killed",
            Self::PauseBefore => "the function stood still for 40 s before",
            Self::PauseAfter => "done, and the function stood still for 40 s",
            Self::ClockAhead => "the function's clock jumped 5 min ahead",
            Self::ClockBehind => "the function's clock jumped 5 min back",
            Self::Unreachable => "the platform could not be reached",
            Self::LostBefore => "not done, and no readable answer came",
            Self::LostAfter => "done, and no readable answer came",
            Self::SlowAfter => "done, and answered 18 s later",
            Self::SilentAfter => "done, and given up on without an answer",
            Self::ArrivesLater => "no readable answer came, and it was done 25 s later",
            Self::Limited => "refused by a limit for 2 min",
            Self::AppLimited => "refused: our app has used up what it may",
            Self::ThrownAway => "what was prepared and not published is thrown away",
            Self::Refused => "refused",
            Self::TokenRefused => "the token was refused",
            Self::Meanwhile => "the function stood still for a second, and something else was done meanwhile",
        }
    }

    /// How many calls of the same operation break by it.
    fn burst(self) -> u32 {
        match self {
            Self::NotAppliedThrice | Self::AnswerLostThrice => 3,
            _ => 1,
        }
    }

    /// Whether it stops no function and touches no clock, and hits our own services alone.
    pub(crate) fn is_gentle(self) -> bool {
        use Kind::{AnswerLost, AnswerLostThrice, Conflict, NotApplied, NotAppliedThrice, Throttled, VaultBusy};
        matches!(self, NotApplied | NotAppliedThrice | AnswerLost | AnswerLostThrice | Throttled | Conflict | VaultBusy)
    }

    fn touches_clock(self) -> bool {
        matches!(self, Self::ClockAhead | Self::ClockBehind)
    }
}

/// A fault at the call with this number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hit {
    /// Counted over the whole run.
    pub call: usize,
    /// How it breaks.
    pub kind: Kind,
}

/// Which calls break.
#[derive(Debug, Clone)]
pub enum Plan {
    /// These.
    Exactly(Vec<Hit>),
    /// By chance, for so long: the kinds of this run, and how many calls of a thousand each of them hits.
    Swarm {
        /// Kind and rate.
        rates: Vec<(Kind, u64)>,
        /// The chance.
        dice: Dice,
        /// When everything is whole again.
        until: Duration,
    },
}

/// Two faults: what waits behind them has waited once.
const MILD_HITS_MAX: usize = 2;

impl Plan {
    /// Whether so little breaks that no post may wait long for what a single fault costs.
    pub fn is_mild(&self) -> bool {
        matches!(self, Self::Exactly(hits) if hits.len() <= MILD_HITS_MAX)
    }
}

/// A call as it was made.
#[derive(Debug, Clone)]
pub struct Call {
    /// Since the run began.
    pub at: Duration,
    /// Who made it.
    pub actor: Arc<Actor>,
    /// `service.Operation`.
    pub name: String,
    /// The other end.
    pub side: Side,
    /// How it broke.
    pub kind: Option<Kind>,
}

/// A vault whose quota others use up.
struct Busy {
    since: Duration,
    writes: u32,
}

impl Busy {
    /// Whether it is so still.
    fn lasts(&self, at: Duration) -> bool {
        at < self.since + BUSY_FOR
    }

    /// Whether it refuses the next write.
    fn refuses(&mut self, at: Duration) -> bool {
        self.writes += 1;
        at < self.since + SHUT_FOR || !self.writes.is_multiple_of(BUSY_TAKES_ONE_OF)
    }
}

/// Watches and breaks the calls of a run.
#[derive(Clone)]
pub struct Injector(Arc<Mutex<State>>, Arc<Notify>);

struct State {
    began: Instant,
    plan: Plan,
    calls: Vec<Call>,
    bursts: BTreeMap<(usize, String), (Kind, u32)>,
    busy: Option<Busy>,
    hits: Vec<Hit>,
    notes: Vec<(usize, String)>,
    violations: Vec<String>,
    healed: bool,
}

impl Injector {
    /// Breaks the calls of one run as `plan` says.
    pub fn new(plan: Plan) -> Self {
        let state = State {
            began: Instant::now(),
            plan,
            calls: Vec::new(),
            bursts: BTreeMap::new(),
            busy: None,
            hits: Vec::new(),
            notes: Vec::new(),
            violations: Vec::new(),
            healed: false,
        };
        Self(Arc::new(Mutex::new(state)), Arc::default())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a call of the function that runs at this moment, and says how it breaks. Calls of nobody are the world's own.
    pub fn decide(&self, side: Side, name: &str) -> Option<Kind> {
        let actor = Actor::current()?;
        let mut state = self.state();
        if state.healed {
            return None;
        }
        let (number, at) = (state.calls.len(), state.began.elapsed());
        let kind = state.choose(side, name, number, at, &actor);
        state.calls.push(Call { at, actor: actor.clone(), name: name.to_owned(), side, kind });
        match kind {
            Some(Kind::CrashBefore | Kind::CrashAfter) => actor.crash(),
            Some(Kind::PauseBefore | Kind::PauseAfter) => actor.freeze(PAUSE),
            Some(Kind::Meanwhile) => {
                actor.freeze(MOMENT);
                self.1.notify_one();
            }
            Some(Kind::ClockAhead) => actor.skew(CLOCK_JUMP_SECS),
            Some(Kind::ClockBehind) => actor.skew(-CLOCK_JUMP_SECS),
            _ => {}
        }
        kind
    }

    /// Waits for [`Kind::Meanwhile`].
    pub async fn meanwhile(&self) {
        self.1.notified().await;
    }

    /// From now on nothing breaks and no call is counted.
    pub fn heal(&self) {
        self.state().healed = true;
    }

    /// A line for the trace.
    pub fn note(&self, text: &str) {
        let mut state = self.state();
        let (place, at) = (state.calls.len(), state.began.elapsed().as_secs_f64());
        state.notes.push((place, format!("{at:>8.1} s  {text}")));
    }

    /// What must never be.
    pub fn violation(&self, text: String) {
        self.state().violations.push(text);
    }

    /// What must never be and was.
    pub fn violations(&self) -> Vec<String> {
        self.state().violations.clone()
    }

    /// The faults so far.
    pub fn hits(&self) -> Vec<Hit> {
        self.state().hits.clone()
    }

    /// The calls so far.
    pub fn calls(&self) -> Vec<Call> {
        self.state().calls.clone()
    }

    /// Whether a clock jumped.
    pub fn clocks_jumped(&self) -> bool {
        self.state().hits.iter().any(|hit| hit.kind.touches_clock())
    }

    /// All that was seen, taken out: the run is over.
    pub fn take(&self) -> Seen {
        let mut state = self.state();
        let (calls, notes) = (std::mem::take(&mut state.calls), std::mem::take(&mut state.notes));
        Seen { violations: std::mem::take(&mut state.violations), hits: std::mem::take(&mut state.hits), calls, notes }
    }
}

/// What an injector saw of a run.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// What must never be and was.
    pub violations: Vec<String>,
    /// The faults that fell.
    pub hits: Vec<Hit>,
    /// Every call.
    pub calls: Vec<Call>,
    /// What else is worth telling, each before the call of its number.
    pub notes: Vec<(usize, String)>,
}

impl Seen {
    /// The run in words, one line a call.
    pub fn trace(&self) -> String {
        let mut lines = String::new();
        let mut notes = self.notes.iter().peekable();
        for (number, call) in self.calls.iter().enumerate() {
            while let Some((_, note)) = notes.next_if(|(place, _)| *place <= number) {
                let _infallible = writeln!(lines, "{note}");
            }
            let broke = call.kind.map_or_else(String::new, |kind| format!("   <-- {}", kind.words()));
            let actor = format!("{}#{}", call.actor.name, call.actor.number);
            let _infallible = writeln!(lines, "{:>8.1} s  {number:>4}  {actor:<28} {}{broke}", call.at.as_secs_f64(), call.name);
        }
        for (_, note) in notes {
            let _infallible = writeln!(lines, "{note}");
        }
        lines
    }
}

/// How much more often the platform's calls break in a run by chance…
const PLATFORM_TIMES: u64 = 5;
/// …and how often one kind hits a call at most, of a thousand.
const RATE_MAX: u64 = 500;
/// How long a function stands still: less than it may live.
const PAUSE: Duration = Duration::from_secs(40);
/// How long it stands still where something is done meanwhile: no call of whoever does it takes any time.
const MOMENT: Duration = Duration::from_secs(1);
/// How long a vault is busy, for how long of it no write is taken, and which of them then.
const BUSY_FOR: Duration = Duration::from_mins(1);
const SHUT_FOR: Duration = Duration::from_secs(30);
const BUSY_TAKES_ONE_OF: u32 = 8;
/// How far a clock jumps.
pub const CLOCK_JUMP_SECS: i64 = 300;

impl State {
    fn choose(&mut self, side: Side, name: &str, number: usize, at: Duration, actor: &Actor) -> Option<Kind> {
        let burst = (actor.number, name.to_owned());
        if let Some((kind, left)) = self.bursts.get_mut(&burst).filter(|(_, left)| *left > 0) {
            *left -= 1;
            return Some(*kind);
        }
        if let Some(busy) = self.busy.as_mut().filter(|busy| busy.lasts(at) && is_vault_write(name)) {
            return busy.refuses(at).then_some(Kind::VaultBusy);
        }
        let kind = match &mut self.plan {
            Plan::Exactly(hits) => hits.iter().find(|hit| hit.call == number).map(|hit| hit.kind),
            Plan::Swarm { until, .. } if at >= *until => None,
            Plan::Swarm { rates, dice, .. } => {
                // Every rate is asked, so that the same chance falls on the same call whatever the kinds are. Of a run's calls only a
                // few go to the platform: what can happen there happens there more often.
                let often = if side == Side::Platform { PLATFORM_TIMES } else { 1 };
                let mut struck = None;
                for (kind, rate) in rates.iter() {
                    let falls = dice.chance((*rate * often).min(RATE_MAX));
                    if falls && struck.is_none() && kind.fits(side, name) {
                        struck = Some(*kind);
                    }
                }
                struck
            }
        }?;
        self.hits.push(Hit { call: number, kind });
        if kind == Kind::VaultBusy {
            self.busy = Some(Busy { since: at, writes: 1 });
        }
        if kind.burst() > 1 {
            self.bursts.insert(burst, (kind, kind.burst() - 1));
        }
        Some(kind)
    }
}

/// The fault of the embedded services that a kind stands for.
pub fn aws_fault(kind: Kind) -> Option<Fault> {
    Some(match kind {
        Kind::NotApplied | Kind::NotAppliedThrice => Fault::FailBefore,
        Kind::AnswerLost | Kind::AnswerLostThrice => Fault::LoseAnswerAfterApply,
        Kind::Throttled | Kind::VaultBusy => Fault::Throttle,
        Kind::Conflict => Fault::Conflict,
        Kind::Stalled | Kind::CrashBefore => Fault::Stall,
        Kind::StalledAfter | Kind::CrashAfter => Fault::StallAfterApply,
        Kind::LandsLate => Fault::LandLate(Duration::from_secs(20)),
        Kind::EmptyIndex => Fault::EmptyIndex,
        Kind::StaleIndex => Fault::StaleIndex,
        Kind::StaleSecret => Fault::StaleSecret(Duration::from_secs(10)),
        Kind::PauseBefore | Kind::Meanwhile => Fault::GiveWay,
        _ => return None,
    })
}
