//! Every number of the ledger, computed anew: from the history that explains it, and from the posts that it counts.
//!
//! A difference is a bug of ours. It is told, never mended here: whoever mends it does so with a row of its own.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;

use crate::id::HistoryId;
use crate::ledger::{ChangeReason, Cycle, HistoryEntry};
use crate::post::{Post, Status, ZoneChange};

/// All that is stored of one user's ledger, and what the audit has to know of their posts.
#[derive(Debug, Clone, Default)]
pub struct Books {
    /// Every cycle.
    pub cycles: Vec<Cycle>,
    /// Every history row.
    pub history: Vec<HistoryEntry>,
    /// Every post that a cycle pays for or has paid for.
    pub posts: Vec<Claim>,
    /// Every post that waits and whose zone has got other rules. No number, and no bug: the audit of the numbers leaves it aside.
    pub zone_changes: Vec<ZoneChange>,
}

/// What a post says about the cycle that pays for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// Which cycle.
    pub cycle_start: Timestamp,
    /// Whether it was published.
    pub published: bool,
    /// Whether a place is set aside for it.
    pub holds: bool,
}

impl Claim {
    /// What a post claims; `None`: nothing.
    pub fn of(post: &Post) -> Option<Self> {
        let published = post.status() == Status::Published;
        let holds = post.holds_reservation();
        let cycle_start = post.cycle_start.filter(|_| published || holds)?;
        Some(Self { cycle_start, published, holds })
    }
}

/// A number that is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// In which cycle.
    pub cycle_start: Timestamp,
    /// What was compared.
    pub what: What,
    /// What the ledger says.
    pub ledger: u64,
    /// What was computed.
    pub computed: u64,
}

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "as_str says it")]
pub enum What {
    QuotaByHistory,
    RemainingByHistory,
    UsedByHistory,
    ReservedByHistory,
    RowsThatDoNotFollow,
    UsedByPosts,
    ReservedByPosts,
    CycleThatIsNotThere,
    CyclesAtOnce,
}

impl What {
    /// In words.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::QuotaByHistory => "quota, and where the history ends",
            Self::RemainingByHistory => "remaining, and where the history ends",
            Self::UsedByHistory => "used, and the published posts of the history",
            Self::ReservedByHistory => "reserved, and the reservations of the history that have not ended",
            Self::RowsThatDoNotFollow => "history rows that do not follow the one before",
            Self::UsedByPosts => "used, and the posts that are published",
            Self::ReservedByPosts => "reserved, and the posts that hold a place",
            Self::CycleThatIsNotThere => "a cycle that posts or rows name and that is not there",
            Self::CyclesAtOnce => "cycles that run at once",
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cycle {}: {}: {} and {}", self.cycle_start, self.what.as_str(), self.ledger, self.computed)
    }
}

/// What the history of one cycle comes to.
#[derive(Default)]
struct Replayed {
    last: Option<HistoryId>,
    total: u32,
    remaining: u32,
    reserved: u64,
    ended: u64,
    published: u64,
    unbound: u64,
    odd: u64,
}

/// Every difference, by cycle. None: the books are right.
pub fn audit(books: &Books) -> Vec<Difference> {
    let mut replayed: BTreeMap<Timestamp, Replayed> = BTreeMap::new();
    let mut history: Vec<_> = books.history.iter().collect();
    history.sort_by(|one, other| one.id.cmp(&other.id));
    for entry in history {
        replayed.entry(entry.cycle_start).or_default().follow(entry);
    }
    let mut claims: BTreeMap<Timestamp, (u64, u64)> = BTreeMap::new();
    for claim in &books.posts {
        let (published, holding) = claims.entry(claim.cycle_start).or_default();
        *published += u64::from(claim.published);
        *holding += u64::from(claim.holds);
    }
    let mut found = Vec::new();
    for cycle in &books.cycles {
        let start = cycle.span.start;
        let by_history = replayed.remove(&start).unwrap_or_default();
        let by_posts = claims.remove(&start).unwrap_or_default();
        found.extend(compare(cycle, &by_history, by_posts));
    }
    let missing = replayed.into_keys().chain(claims.into_keys());
    found.extend(missing.map(|cycle_start| Difference { cycle_start, what: What::CycleThatIsNotThere, ledger: 0, computed: 1 }));
    found.extend(at_once(&books.cycles));
    found
}

fn compare(cycle: &Cycle, history: &Replayed, (published, holding): (u64, u64)) -> impl Iterator<Item = Difference> {
    let cycle_start = cycle.span.start;
    let [quota, used, reserved, remaining] = [cycle.quota(), cycle.used, cycle.reserved, cycle.remaining()].map(u64::from);
    let ended = history.ended + history.published;
    [
        (What::QuotaByHistory, quota, history.total.into()),
        (What::RemainingByHistory, remaining, history.remaining.into()),
        // Both sides as they would stand without a subtraction that could fail.
        (What::UsedByHistory, used + history.unbound, history.published),
        (What::ReservedByHistory, reserved + ended, history.reserved + history.unbound),
        (What::RowsThatDoNotFollow, 0, history.odd),
        (What::UsedByPosts, used, published),
        (What::ReservedByPosts, reserved, holding),
    ]
    .into_iter()
    .filter(|(_, ledger, computed)| ledger != computed)
    .map(move |(what, ledger, computed)| Difference { cycle_start, what, ledger, computed })
}

/// Cycles that grant posts at one time; one whose plan lapsed before it began grants none, whatever was published in it.
fn at_once(cycles: &[Cycle]) -> Vec<Difference> {
    let mut granting: Vec<_> = cycles.iter().filter(|cycle| cycle.granted > 0).map(|cycle| cycle.span).collect();
    granting.sort_by_key(|span| span.start);
    let overlap = |pair: &[crate::plan::CycleSpan]| {
        let (one, next) = (pair[0], pair[1]);
        (next.start < one.end).then_some(Difference { cycle_start: next.start, what: What::CyclesAtOnce, ledger: 1, computed: 2 })
    };
    granting.windows(2).filter_map(overlap).collect()
}

impl Replayed {
    fn follow(&mut self, entry: &HistoryEntry) {
        let follows = (entry.previous_total, entry.previous_remaining) == (self.total, self.remaining);
        self.odd += u64::from(!follows || self.last.as_ref() == Some(&entry.id));
        (self.total, self.remaining, self.last) = (entry.new_total, entry.new_remaining, Some(entry.id.clone()));
        match entry.reason {
            ChangeReason::PostReserved => self.reserved += 1,
            ChangeReason::PostPublished => self.published += 1,
            ChangeReason::PostReleased => self.ended += 1,
            ChangeReason::PostUnbound => self.unbound += 1,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::UserId;
    use crate::ledger::{Actor, Cause, LedgerChange};
    use crate::plan::{CYCLE, CycleSpan, Plan};

    fn cause(n: u8) -> Cause {
        Cause { entropy: [n; 10], at: Timestamp::UNIX_EPOCH, actor: Actor::User, post_id: None }
    }

    fn record(books: &mut Books, change: LedgerChange) -> Cycle {
        let start = change.cycle.span.start;
        books.history.extend(change.entries);
        books.cycles.retain(|cycle| cycle.span.start != start);
        books.cycles.push(change.cycle.clone());
        change.cycle
    }

    /// One published post, one that waits, one that was cancelled.
    fn books() -> Books {
        let start = Timestamp::UNIX_EPOCH;
        let mut books = Books::default();
        let fresh = Cycle::open(UserId::new(start, [1; 10]), CycleSpan { start, end: start + CYCLE }, Plan::Starter, start);
        let mut cycle = record(&mut books, fresh.opening(ChangeReason::PlanStarted, cause(1)));
        for n in 2..5 {
            cycle = record(&mut books, cycle.reserve(cause(n)).unwrap());
        }
        cycle = record(&mut books, cycle.settle(cause(5)).unwrap());
        record(&mut books, cycle.release(cause(6)).unwrap());
        books.posts =
            vec![Claim { cycle_start: start, published: true, holds: false }, Claim { cycle_start: start, published: false, holds: true }];
        books
    }

    fn found(change: impl FnOnce(&mut Books)) -> Vec<What> {
        let mut books = books();
        change(&mut books);
        audit(&books).into_iter().map(|difference| difference.what).collect()
    }

    #[test]
    fn right_books_have_no_difference() {
        assert_eq!(found(|_| {}), []);
        assert_eq!(audit(&Books::default()), []);
    }

    #[test]
    fn each_wrong_number_is_found_and_named() {
        let cycle = |change: fn(&mut Cycle)| found(|books| change(&mut books.cycles[0]));
        assert_eq!(cycle(|cycle| cycle.granted += 1), [What::QuotaByHistory, What::RemainingByHistory]);
        assert_eq!(cycle(|cycle| cycle.used = 2), [What::RemainingByHistory, What::UsedByHistory, What::UsedByPosts]);
        assert_eq!(cycle(|cycle| cycle.reserved = 0), [What::RemainingByHistory, What::ReservedByHistory, What::ReservedByPosts]);
        assert_eq!(found(|books| books.posts[0].published = false), [What::UsedByPosts]);
        assert_eq!(found(|books| books.posts.truncate(1)), [What::ReservedByPosts]);
    }

    #[test]
    fn a_history_that_lost_a_row_or_tells_one_twice_is_found() {
        assert!(found(|books| drop(books.history.remove(2))).contains(&What::RowsThatDoNotFollow));
        assert!(found(|books| books.history.push(books.history[2].clone())).contains(&What::RowsThatDoNotFollow));
        assert!(found(|books| books.history.truncate(5)).contains(&What::RemainingByHistory));
    }

    #[test]
    fn cycles_that_are_not_there_or_run_at_once_are_found() {
        assert_eq!(found(|books| books.cycles.clear()), [What::CycleThatIsNotThere, What::CycleThatIsNotThere]);
        let second = found(|books| {
            let mut other = books.cycles[0].clone();
            other.span.start += jiff::SignedDuration::from_hours(1);
            books.cycles.push(other);
        });
        assert!(second.contains(&What::CyclesAtOnce));
    }
}
