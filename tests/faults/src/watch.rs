//! The posts' rows, write by write: the life that they really lived, whatever the code says of it.

use std::collections::BTreeMap;

use domain::post::{SEARCH_BUDGET, SETTLE_WAIT};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

/// Where a post stands, a worker's phases apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names are those of the life cycle")]
pub enum Standing {
    Draft,
    Scheduled,
    Held,
    Claimed,
    Prepared,
    Sending,
    Processing,
    Published,
    Failed,
    Unknown,
    NeedsReview,
    Missed,
    Cancelled,
}

/// One step of a post's life.
pub type Edge = (Standing, Standing);

/// Steps that take two faults, or a deed at one moment, most of them of posts with a handle: legal, and not demanded of a sweep.
pub const RARE: [Edge; 17] = {
    use Standing::{
        Cancelled, Claimed, Draft, Failed, Held, Missed, NeedsReview, Prepared, Processing, Published, Scheduled, Sending, Unknown,
    };
    [
        // Edited after it was over.
        (Failed, Draft),
        (Missed, Draft),
        (Prepared, Held),
        (Sending, Held),
        // It waits for something else now, or says something else.
        (Held, Held),
        (Held, Cancelled),
        (Claimed, Failed),
        (Prepared, Prepared),
        (Prepared, Scheduled),
        (Prepared, Cancelled),
        (Prepared, Failed),
        (Prepared, Missed),
        (Sending, Prepared),
        (Processing, Failed),
        (Processing, NeedsReview),
        (Unknown, Processing),
        // What a search took for it is another's.
        (Published, Unknown),
    ]
};

/// Every other step that a post may take.
pub const LEGAL: [Edge; 37] = {
    use Standing::{
        Cancelled, Claimed, Draft, Failed, Held, Missed, NeedsReview, Prepared, Processing, Published, Scheduled, Sending, Unknown,
    };
    [
        (Draft, Draft),
        (Draft, Scheduled),
        (Draft, Cancelled),
        (Scheduled, Scheduled),
        (Scheduled, Cancelled),
        (Scheduled, Missed),
        (Scheduled, Claimed),
        (Scheduled, Sending),
        (Scheduled, Prepared),
        (Claimed, Claimed),
        (Claimed, Sending),
        (Claimed, Scheduled),
        (Claimed, Cancelled),
        (Claimed, Missed),
        (Scheduled, Held),
        (Claimed, Held),
        (Held, Scheduled),
        (Held, Missed),
        (Sending, Claimed),
        (Sending, Scheduled),
        (Sending, Published),
        (Sending, Failed),
        (Sending, Missed),
        (Sending, Unknown),
        (Unknown, Unknown),
        (Unknown, Published),
        // Its owner looked.
        (Unknown, Failed),
        (Unknown, NeedsReview),
        (NeedsReview, Published),
        (NeedsReview, Failed),
        (Failed, Scheduled),
        (Missed, Scheduled),
        (Claimed, Prepared),
        (Prepared, Sending),
        (Sending, Processing),
        (Processing, Processing),
        (Processing, Published),
    ]
};

/// How long a post may be in doubt before a person is asked, with a search under way and the clocks that differ.
const IN_DOUBT_MAX: SignedDuration = SignedDuration::from_secs(SETTLE_WAIT.as_secs() + SEARCH_BUDGET.as_secs() + 3_600);
/// How long a post may be approved and not armed.
const UNARMED_MAX: SignedDuration = SignedDuration::from_mins(5);

/// One version of a row.
#[derive(Debug, Clone)]
struct Seen {
    json: String,
    standing: Standing,
    rev: i64,
    version: i64,
    due: String,
    says: String,
    has_handle: bool,
    armed: Option<bool>,
    attempt: Option<(i64, String)>,
    attempt_count: i64,
    since: Timestamp,
}

/// What the rows went through.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    rows: BTreeMap<String, Seen>,
    edges: BTreeMap<Edge, usize>,
    /// Whether the times of liveness are held: not while everything breaks at every turn.
    strict: bool,
}

impl Watch {
    /// With `strict`, a post must also move in time.
    pub(crate) fn new(strict: bool) -> Self {
        Self { strict, ..Self::default() }
    }

    /// Whether the times of liveness are held.
    pub(crate) fn is_strict(&self) -> bool {
        self.strict
    }

    /// The steps that were taken.
    pub(crate) fn edges(&self) -> &BTreeMap<Edge, usize> {
        &self.edges
    }

    /// How many steps posts have taken.
    pub(crate) fn turns(&self) -> usize {
        self.edges.values().sum()
    }

    /// Looks at all rows after something was carried out at `now`; answers what must never be.
    pub(crate) fn look(&mut self, rows: &[(String, String)], now: Timestamp) -> Vec<String> {
        let mut wrong = Vec::new();
        for (key, json) in rows {
            if self.rows.get(key).is_some_and(|seen| seen.json == *json) {
                continue;
            }
            let Ok(item) = serde_json::from_str::<Value>(json) else {
                wrong.push(format!("S7: {key} cannot be read"));
                continue;
            };
            match Seen::read(json, &item, now) {
                Some(fresh) => self.turn(key, fresh, &mut wrong),
                None => wrong.push(format!("S7: {key} is in no state: {json}")),
            }
        }
        wrong
    }

    fn turn(&mut self, key: &str, mut fresh: Seen, wrong: &mut Vec<String>) {
        if let Some(old) = self.rows.get(key) {
            let edge = (old.standing, fresh.standing);
            *self.edges.entry(edge).or_default() += 1;
            let told = format!("{key} from {:?} (rev {}) to {:?} (rev {})", old.standing, old.rev, fresh.standing, fresh.rev);
            if !LEGAL.contains(&edge) && !RARE.contains(&edge) {
                wrong.push(format!("S7: {told} is no step of a post's life"));
            }
            if fresh.rev != old.rev + 1 {
                wrong.push(format!("S7: {told} does not follow the rev before"));
            }
            if fresh.due != old.due && fresh.version <= old.version {
                wrong.push(format!("S11: {told} changed the due time without a new version"));
            }
            let may_send = matches!(
                fresh.standing,
                Standing::Scheduled | Standing::Claimed | Standing::Prepared | Standing::Sending | Standing::Unknown
            );
            if old.has_handle && !fresh.has_handle && may_send && fresh.version == old.version {
                wrong.push(format!("S33: {told} forgot what is prepared of it"));
            }
            if fresh.says != old.says && fresh.version <= old.version {
                wrong.push(format!("S9: {told} says something else without a new version"));
            }
            wrong.extend(old.attempts_wrong(&fresh).map(|what| format!("S12: {told} {what}")));
            let stood = fresh.since.duration_since(old.since);
            if edge.0 == Standing::Unknown && edge.1 != Standing::Unknown && self.strict && stood > IN_DOUBT_MAX {
                wrong.push(format!("L3: {told} after {} s in doubt", stood.as_secs()));
            }
            if old.armed == Some(false) && fresh.armed != Some(false) && self.strict && stood > UNARMED_MAX {
                wrong.push(format!("L7: {told} after {} s unarmed", stood.as_secs()));
            }
            // Doubt and unarmed time are counted from where they began.
            if (edge.0 == Standing::Unknown && edge.1 == Standing::Unknown) || (old.armed == Some(false) && fresh.armed == Some(false)) {
                fresh.since = old.since;
            }
        }
        self.rows.insert(key.to_owned(), fresh);
    }
}

impl Seen {
    fn read(json: &str, item: &Value, since: Timestamp) -> Option<Self> {
        let state = &item["state"]["M"];
        let standing = match item["status"]["S"].as_str()? {
            "draft" => Standing::Draft,
            "scheduled" => Standing::Scheduled,
            "held" => Standing::Held,
            "publishing" => match state["phase"]["S"].as_str()? {
                "claimed" if item["prepared"]["M"].is_object() => Standing::Prepared,
                "claimed" => Standing::Claimed,
                "sending" => Standing::Sending,
                _ => return None,
            },
            "processing" => Standing::Processing,
            "published" => Standing::Published,
            "failed" => Standing::Failed,
            "unknown" => Standing::Unknown,
            "needs_review" => Standing::NeedsReview,
            "missed" => Standing::Missed,
            "cancelled" => Standing::Cancelled,
            _ => return None,
        };
        let attempt = &state["attempt"]["M"];
        Some(Self {
            json: json.to_owned(),
            standing,
            rev: number(item, "rev")?,
            version: number(item, "version")?,
            due: text(item, "due_at"),
            says: text(item, "content_hash"),
            has_handle: item["prepared"]["M"].is_object(),
            armed: state["armed"]["BOOL"].as_bool(),
            attempt: number(attempt, "number").map(|number| (number, text(attempt, "id"))),
            attempt_count: number(item, "attempt_count")?,
            since,
        })
    }

    /// What is wrong with the attempts of the row that follows.
    fn attempts_wrong(&self, next: &Self) -> Option<String> {
        if next.attempt_count < self.attempt_count {
            return Some("forgot an attempt".to_owned());
        }
        let (number, id) = next.attempt.as_ref()?;
        match &self.attempt {
            Some((old_number, old_id)) if old_id == id && old_number == number => None,
            Some((old_number, _)) if number <= old_number => Some(format!("went from attempt {old_number} to attempt {number}")),
            Some(_) if self.standing == Standing::Sending && next.standing == Standing::Sending => {
                Some("sends for a second attempt".to_owned())
            }
            _ if *number <= self.attempt_count => Some(format!("gave the number {number} a second time")),
            _ => None,
        }
    }
}

fn text(item: &Value, name: &str) -> String {
    item[name]["S"].as_str().unwrap_or_default().to_owned()
}

fn number(item: &Value, name: &str) -> Option<i64> {
    item[name]["N"].as_str()?.parse().ok()
}
