use std::collections::BTreeMap;

use jiff::SignedDuration;
use proptest::prelude::*;

use super::*;
use crate::id::UserId;
use crate::ledger::HistoryEntry;
use crate::people::gift::{self, GiftCertificate};
use crate::people::phone::PhoneNumber;

const DAY: SignedDuration = SignedDuration::from_hours(24);
const LOW: Plan = Plan::Starter;
const HIGH: Plan = Plan::Professional;

fn start() -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap()
}

/// Somebody with cycles, as they would be stored, and a clock.
struct World {
    user: User,
    now: Timestamp,
    cycles: BTreeMap<Timestamp, Cycle>,
    history: Vec<HistoryEntry>,
    /// What an operator has taken of a cycle, less what they have given.
    taken: BTreeMap<Timestamp, i64>,
    count: u64,
}

impl World {
    fn new() -> Self {
        let phone = PhoneNumber::parse("+61412345678").unwrap();
        let user = User::new(UserId::new(start(), [1; 10]), phone, start());
        Self { user, now: start(), cycles: BTreeMap::new(), history: Vec::new(), taken: BTreeMap::new(), count: 0 }
    }

    fn with(plan: Plan) -> Self {
        let mut world = Self::new();
        world.wish(Wish::Have(plan)).unwrap();
        world
    }

    fn entropy(&mut self) -> IdEntropy {
        self.count += 1;
        let mut entropy = [0; 10];
        entropy[2..].copy_from_slice(&self.count.to_be_bytes());
        entropy
    }

    fn needed(&self) -> Vec<Cycle> {
        self.cycles.range(cycles_needed_from(self.now)..).map(|(_, cycle)| cycle.clone()).collect()
    }

    fn wish(&mut self, wish: Wish) -> Result<(), NotChanged> {
        let (user, cycles, now) = (self.user.clone(), self.needed(), (self.now, Actor::Operator));
        let PlanChange { user, changes } = change_plan(wish, &user, &cycles, now, || self.entropy())?;
        assert_eq!(user.rev, self.user.rev + 1);
        self.take(user, changes);
        Ok(())
    }

    fn redeem(&mut self, plan: Plan, cycles: u32) -> bool {
        let gift = GiftCertificate::issue(plan, cycles, None, self.now);
        let (user, stored, now) = (self.user.clone(), self.needed(), self.now);
        let granted = gift::grant(gift, &user, &stored, now, || self.entropy());
        granted.map(|gift::Grant { user, changes, .. }| self.take(user, changes)).is_ok()
    }

    fn take(&mut self, user: User, changes: Vec<LedgerChange>) {
        self.user = user;
        for change in changes {
            self.store(change);
        }
    }

    fn cause(&mut self) -> Cause {
        Cause { entropy: self.entropy(), at: self.now, actor: Actor::User, post_id: None }
    }

    /// As the cycle job does it: closes the cycles that have ended, and lets the next one follow while the plan runs.
    fn close_ended(&mut self) {
        while let Some(ended) = self.cycles.values().find(|cycle| cycle.closed_at.is_none() && cycle.span.end <= self.now).cloned() {
            let closing = ended.close(self.cause());
            self.store(closing);
            let next = next_cycle(&ended, &self.user, self.now);
            if let Some(fresh) = next.filter(|next| !self.cycles.contains_key(&next.span.start)) {
                let opening = fresh.opening(ChangeReason::CycleOpened, self.cause());
                self.store(opening);
            }
        }
    }

    /// By a function whose clock is behind.
    fn wish_behind(&mut self, by: SignedDuration, wish: Wish) -> Result<(), NotChanged> {
        self.now -= by;
        let wished = self.wish(wish);
        self.now += by;
        wished
    }

    fn store(&mut self, change: LedgerChange) {
        let key = change.cycle.span.start;
        assert_eq!(change.expected_rev, self.cycles.get(&key).map(|cycle| cycle.rev));
        self.history.extend(change.entries);
        self.cycles.insert(key, change.cycle);
    }

    /// As an approval does it.
    fn approve(&mut self, after: SignedDuration) -> bool {
        let (due, now) = (self.now + after, self.now);
        let Some(fresh) = self.user.timeline(now).cycle_at(&self.user.id, due, now) else { return false };
        let start = fresh.span.start;
        if !self.cycles.contains_key(&start) {
            let opening = fresh.opening(ChangeReason::CycleOpened, self.cause());
            self.store(opening);
        }
        let reserved = self.cycles[&start].clone().reserve(self.cause());
        reserved.is_ok_and(|change| {
            self.store(change);
            true
        })
    }

    /// One reserved post of the `n`th cycle ends.
    fn end_one(&mut self, n: usize, published: bool) {
        let Some(cycle) = self.cycles.values().nth(n % self.cycles.len().max(1)).cloned() else { return };
        let cause = self.cause();
        if let Ok(change) = if published { cycle.settle(cause) } else { cycle.release(cause) } {
            self.store(change);
        }
    }

    /// An operator gives posts to the `n`th cycle, or takes free ones.
    fn adjust(&mut self, n: usize, posts: i64) {
        let Some((start, cycle)) = self.cycles.iter().nth(n % self.cycles.len().max(1)).map(|(start, cycle)| (*start, cycle.clone()))
        else {
            return;
        };
        let posts = i32::try_from(posts.max(-i64::from(cycle.remaining()))).unwrap();
        let change = cycle.adjust(posts, ChangeReason::Adjustment, self.cause()).unwrap();
        *self.taken.entry(start).or_default() -= i64::from(posts);
        self.store(change);
    }

    fn running(&self) -> Cycle {
        self.user.running_cycle(&self.needed(), self.now).unwrap()
    }

    fn numbers(&self) -> [u32; 5] {
        let cycle = self.running();
        [cycle.quota(), cycle.used, cycle.reserved, cycle.remaining(), cycle.overdrawn()]
    }

    fn granted(&self) -> Vec<i32> {
        self.cycles.values().map(|cycle| cycle.granted.max(0)).collect()
    }

    fn last_row(&self) -> (ChangeReason, [u32; 4]) {
        let entry = self.history.last().unwrap();
        (entry.reason, [entry.previous_total, entry.new_total, entry.previous_remaining, entry.new_remaining])
    }

    /// What must hold at any moment.
    fn check(&self) {
        for (key, cycle) in &self.cycles {
            let rows: Vec<_> = self.history.iter().filter(|entry| entry.cycle_start == *key).collect();
            let replayed = rows.iter().fold((0, 0), |so_far, entry| {
                assert_eq!(so_far, (entry.previous_total, entry.previous_remaining), "no gap in the history");
                (entry.new_total, entry.new_remaining)
            });
            assert_eq!(replayed, (cycle.quota(), cycle.remaining()));
            assert!(rows.is_sorted_by(|one, next| one.id < next.id));
        }
        // Two that run at once would grant their posts twice.
        let granting: Vec<_> = self.cycles.values().filter(|cycle| cycle.granted > 0).collect();
        assert!(granting.windows(2).all(|pair| pair[0].span.end <= pair[1].span.start), "{granting:?}");
    }
}

#[test]
fn a_plan_begins_with_a_full_cycle_and_one_row() {
    let world = World::with(LOW);
    assert_eq!((world.numbers(), world.last_row()), ([12, 0, 0, 12, 0], (ChangeReason::PlanStarted, [0, 12, 0, 12])));
}

#[test]
fn a_lower_plan_begins_with_the_next_cycle_and_a_higher_one_at_once() {
    let mut world = World::with(HIGH);
    for _ in 0..20 {
        assert!(world.approve(DAY));
        world.end_one(0, true);
    }
    for _ in 0..3 {
        world.wish(Wish::Have(LOW)).unwrap();
        assert_eq!(world.numbers(), [52, 20, 0, 32, 0], "what is paid is had");
        world.wish(Wish::Have(HIGH)).unwrap();
        assert_eq!(world.numbers(), [52, 20, 0, 32, 0], "to and fro gives no post away");
    }
    world.wish(Wish::Have(LOW)).unwrap();
    world.now += DAY * 30;
    world.close_ended();
    assert_eq!(world.numbers(), [12, 0, 0, 12, 0]);
    world.wish(Wish::Have(HIGH)).unwrap();
    assert_eq!(world.numbers(), [52, 0, 0, 52, 0]);
    world.check();
}

#[test]
fn a_lower_plan_names_how_many_posts_ahead_to_hold_and_each_gives_its_place_up() {
    let mut world = World::with(HIGH);
    for _ in 0..15 {
        assert!(world.approve(DAY * 40));
    }
    world.wish(Wish::Have(LOW)).unwrap();
    let ahead = |world: &World| world.cycles.values().nth(1).unwrap().clone();
    assert_eq!((ahead(&world).quota(), ahead(&world).reserved, ahead(&world).to_hold()), (15, 15, 3));
    assert_eq!(ahead(&world).look_at(), Some(ahead(&world).updated_at), "the cycle job finds it at once");
    for left in [2, 1, 0] {
        world.end_one(1, false);
        assert_eq!(ahead(&world).to_hold(), left);
    }
    assert_eq!(world.last_row(), (ChangeReason::PostReleased, [13, 12, 0, 0]));
    world.end_one(1, false);
    assert_eq!((ahead(&world).reserved, ahead(&world).remaining()), (11, 1), "and now a place that comes free is free");
    world.check();
}

#[test]
fn a_plan_that_lapses_keeps_what_runs_and_takes_what_was_opened_ahead_and_its_return_gives_it_back() {
    let mut world = World::with(LOW);
    assert!(world.approve(DAY) && world.approve(DAY * 40) && world.approve(DAY * 40));
    world.wish(Wish::Lapse).unwrap();
    assert_eq!(world.numbers(), [12, 0, 1, 11, 0], "the running cycle was paid for");
    let ahead = world.cycles.values().next_back().unwrap();
    assert_eq!((ahead.quota(), ahead.reserved, ahead.remaining(), ahead.to_hold()), (2, 2, 0, 2));
    assert_eq!(world.last_row(), (ChangeReason::PlanChanged, [12, 2, 10, 0]));
    assert!(world.approve(DAY), "in the cycle that is had to its end");
    assert!(!world.approve(DAY * 40), "nothing is had then");
    assert_eq!(world.wish(Wish::Lapse), Err(NotChanged::AsItWas));
    world.end_one(1, false);
    world.wish(Wish::Return).unwrap();
    let ahead = world.cycles.values().next_back().unwrap();
    assert_eq!((ahead.quota(), ahead.reserved, ahead.remaining(), ahead.overdrawn()), (12, 1, 11, 0));
    world.check();
}

#[test]
fn what_an_operator_took_comes_back_by_no_change_of_plan() {
    let mut world = World::with(LOW);
    world.approve(DAY * 40);
    for n in [0, 1] {
        world.adjust(n, -10);
    }
    assert_eq!(world.granted(), [2, 2]);
    world.wish(Wish::Have(HIGH)).unwrap();
    assert_eq!(world.granted(), [42, 42]);
    world.adjust(1, -41);
    world.wish(Wish::Have(LOW)).unwrap();
    assert_eq!(world.granted(), [42, 0]);
    world.wish(Wish::Lapse).unwrap();
    world.adjust(1, 42);
    assert_eq!(world.granted(), [42, 3], "what an operator gives is there");
    world.wish(Wish::Return).unwrap();
    assert_eq!(world.granted(), [42, 3]);
    world.wish(Wish::Have(HIGH)).unwrap();
    assert_eq!(world.granted(), [42, 43]);
    world.check();
}

#[test]
fn a_job_that_comes_late_closes_what_a_punctual_one_would_have() {
    let quotas = |world: &World| world.cycles.values().map(Cycle::quota).collect::<Vec<_>>();
    for job_is_late in [false, true] {
        let mut world = World::with(LOW);
        let pass = |world: &mut World, days: i32| {
            for _ in 0..days {
                world.now += DAY;
                if !job_is_late {
                    world.close_ended();
                }
            }
        };
        pass(&mut world, 95);
        world.wish(Wish::Have(HIGH)).unwrap();
        pass(&mut world, 1);
        world.close_ended();
        assert_eq!(quotas(&world), [12, 12, 12, 52], "of the plan that ran then");
        pass(&mut world, 2);
        world.wish(Wish::Lapse).unwrap();
        pass(&mut world, 90);
        world.wish(Wish::Return).unwrap();
        pass(&mut world, 1);
        world.close_ended();
        assert_eq!(quotas(&world), [12, 12, 12, 52, 52], "none of the time in which no plan ran");
        assert_eq!(world.running().span.start, start() + DAY * 188, "what an operator brings back begins anew");
        world.check();
    }
}

#[test]
fn certificates_run_out_and_a_job_that_comes_late_opens_none_after_them() {
    for job_is_late in [false, true] {
        let mut world = World::new();
        assert!(world.redeem(LOW, 2) && world.redeem(HIGH, 1));
        assert_eq!(world.numbers(), [52, 0, 0, 52, 0], "the higher one at once");
        for _ in 0..100 {
            world.now += DAY;
            if !job_is_late {
                world.close_ended();
            }
        }
        world.close_ended();
        assert_eq!(world.cycles.values().map(Cycle::quota).collect::<Vec<_>>(), [52, 12, 12], "job_is_late: {job_is_late}");
        assert!(!world.approve(DAY), "it was no plan for ever");
        assert!(world.redeem(LOW, 1) && world.approve(DAY));
        world.check();
    }
}

#[test]
fn a_plan_that_begins_anew_ends_the_cycle_that_still_ran() {
    let mut world = World::with(LOW);
    assert!(world.approve(DAY * 20));
    world.wish(Wish::Lapse).unwrap();
    world.now += DAY * 10;
    assert!(world.redeem(HIGH, 1));
    assert_eq!(world.numbers(), [52, 0, 0, 52, 0]);
    let old = &world.cycles[&start()];
    assert_eq!((old.span.end, old.reserved), (world.now, 1), "what was approved in it is still paid for by it");
    world.check();
}

/// How far clocks are apart.
const BEHIND: SignedDuration = SignedDuration::from_mins(5);

#[test]
fn a_plan_that_begins_by_a_clock_that_is_behind_begins_when_the_closed_cycle_ended() {
    let mut world = World::with(LOW);
    assert!(world.approve(DAY * 40));
    world.wish(Wish::Lapse).unwrap();
    world.now += DAY * 30;
    world.close_ended();
    world.wish_behind(BEHIND, Wish::Have(HIGH)).unwrap();
    assert_eq!((world.running().span.start, world.numbers()), (start() + DAY * 30, [52, 0, 1, 51, 0]), "the row that was there is its own");
    world.check();
}

#[test]
fn a_change_by_a_clock_that_is_behind_is_one_of_the_cycle_that_runs_and_not_of_the_closed_one() {
    let mut world = World::with(LOW);
    world.now += DAY * 30;
    world.close_ended();
    let closed = world.cycles[&start()].clone();
    world.wish_behind(BEHIND, Wish::Have(HIGH)).unwrap();
    assert_eq!(world.numbers(), [52, 0, 0, 52, 0]);
    world.wish_behind(BEHIND, Wish::Lapse).unwrap();
    assert_eq!(world.numbers(), [52, 0, 0, 52, 0], "it had begun, and stays as it was paid for");
    assert_eq!(world.cycles[&start()], closed);
    world.check();
}

#[test]
fn nothing_changes_where_nothing_is_to_change() {
    let mut world = World::new();
    assert_eq!((world.wish(Wish::Lapse), world.wish(Wish::Return)), (Err(NotChanged::NoPlan), Err(NotChanged::NoPlan)));
    let mut world = World::with(LOW);
    assert_eq!((world.wish(Wish::Have(LOW)), world.wish(Wish::Return)), (Err(NotChanged::AsItWas), Err(NotChanged::AsItWas)));
}

proptest! {
    #[test]
    fn plans_in_any_order_among_posts_add_up_and_explain_themselves(steps in proptest::collection::vec((0_u8..11, 0_u8..60), 0..120)) {
        let mut world = World::new();
        for (step, by) in steps {
            // A cycle's key is when it began.
            world.now += SignedDuration::from_secs(1);
            let plan = if by % 2 == 0 { LOW } else { HIGH };
            match step {
                0 => drop(world.wish(Wish::Have(plan))),
                1 => drop(world.redeem(plan, 1 + u32::from(by % 3))),
                2 => drop(world.wish(Wish::Lapse)),
                3 => drop(world.wish(Wish::Return)),
                4 | 5 => drop(world.approve(DAY * i32::from(by) + SignedDuration::from_hours(1))),
                6 => world.end_one(by.into(), true),
                7 => world.end_one(by.into(), false),
                10 => {
                    // What grants nothing may be of a plan that another has replaced.
                    let nth = usize::from(by / 8) % world.cycles.len().max(1);
                    if world.cycles.values().nth(nth).is_some_and(|cycle| cycle.granted > 0) {
                        world.adjust(nth, i64::from(by % 8) - 4);
                    }
                }
                8 => drop(world.wish_behind(BEHIND, [Wish::Have(plan), Wish::Lapse, Wish::Return][usize::from(by % 3)])),
                _ => {
                    world.now += DAY * i32::from(by % 7);
                    world.close_ended();
                }
            }
            world.check();
            if let Some(slot) = world.user.timeline(world.now).at(world.now)
                && let Some(cycle) = world.cycles.get(&slot.span.start)
            {
                let taken = world.taken.get(&cycle.span.start).copied().unwrap_or_default().max(0);
                prop_assert!(i64::from(cycle.granted) >= i64::from(slot.plan.quota()) - taken, "who has a plan has its posts: {:?}", cycle);
            }
        }
    }
}
