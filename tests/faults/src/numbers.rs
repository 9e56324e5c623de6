//! S24: a post's row of numbers holds what the platform told last, each bound post has one, and cycles are added up from these rows alone.

use std::time::Duration;

use domain::analytics::{Sums, Watch, sum};
use domain::ledger::ChangeReason;
use domain::post::Post;
use jiff::SignedDuration;
use serde_json::Value;
use store::Filter;

use crate::check::{Row, field};
use crate::plan::Call;
use crate::world::{NUMBERS, World};

/// More posts than a run has.
const READ_MAX: usize = 100;
/// A write whose connection broke lands so much later at most: whoever has read the row meanwhile is refused.
const LATE: Duration = Duration::from_mins(1);
/// A function's clock may have been so far ahead when it published.
const AHEAD: SignedDuration = SignedDuration::from_mins(6);

/// A bound post has one row, and no other post has any.
pub(crate) fn one_row_each(items: &[Value], rows: &[Row], say: &dyn Fn(String)) {
    let numbers: Vec<_> = items.iter().map(|item| field(item, "sk")).filter(|sk| sk.starts_with("METRICS#")).collect();
    for row in rows {
        let of_it = numbers.iter().filter(|sk| sk.ends_with(&row.id)).count();
        if of_it != usize::from(row.status == "published" && row.bound.is_some()) {
            say(format!("S24: {}, which is {}, has {of_it} rows of numbers", row.text, row.status));
        }
    }
}

/// Of all people: each post's numbers are those that were told last, and each cycle is their sum.
pub(crate) async fn check(world: &World) -> anyhow::Result<()> {
    let store = &world.publisher.store;
    let mut books = Vec::new();
    for owner in &world.people {
        books.push(store.books(&owner.user).await?);
    }
    // The row of one that lost its publication to another post went with all that was told until then.
    let unbound = books.iter().flat_map(|books| &books.history).any(|row| row.reason == ChangeReason::PostUnbound);
    for (person, (owner, books)) in world.people.iter().zip(books).enumerate() {
        let user = &owner.user;
        let posts = store.posts_where(user, &Filter::default(), |post| post.platform_post_id().is_some()).await?;
        let watches = store.watches_of(&posts).await?.into_iter().collect::<Result<Vec<_>, _>>()?;
        for watch in &watches {
            told_last(world, person, watch, unbound);
        }
        let starts: Vec<_> = books.cycles.iter().map(|cycle| cycle.span.start).collect();
        let Some(span) = starts.iter().copied().min().zip(starts.iter().copied().max()) else { continue };
        let paid = store.watches_paid(user, span, world.clock.now() + AHEAD, READ_MAX).await?;
        for start in starts {
            let of_cycle: Vec<_> = posts.iter().filter(|post| post.cycle_start == Some(start)).collect();
            let of_post = |post: &&Post| watches.iter().find(|watch| watch.post_id == post.id)?.numbers.reach;
            let (sums, computed) = (Sums::of(&paid.watches, start), sum(of_cycle.iter().map(of_post)));
            if sums.reach != computed {
                let told = sums.reach;
                world
                    .injector
                    .violation(format!("S24: the cycle from {start} of person {person} reaches {told:?}, its posts {computed:?}"));
            }
        }
    }
    Ok(())
}

/// The last answer of the platform stands, unless something befell the run that had it, or another was at work beside it. Then an older one may.
fn told_last(world: &World, person: usize, watch: &Watch, unbound: bool) {
    let told = world.network.told(&watch.platform_post_id);
    let answered: Vec<_> = told.iter().filter(|reading| reading.answered).collect();
    let stored = watch.observed_at.map(|_| watch.numbers);
    let last = answered.last();
    if stored == last.map(|reading| reading.numbers) {
        return;
    }
    let excused = last.is_some_and(|last| unbound || world.injector.clocks_jumped() || may_be_lost(&world.injector.calls(), last.by));
    let is_older = stored.is_none_or(|stored| answered.iter().any(|reading| reading.numbers == stored));
    if !excused || !is_older {
        world.injector.violation(format!("S24: of a post of person {person} the platform told {told:?}, and stored is {watch:?}"));
    }
}

/// Whether what the run of this number was told may not have been stored.
pub fn may_be_lost(calls: &[Call], by: usize) -> bool {
    let mut own = calls.iter().filter(|call| call.actor.number == by);
    let Some(first) = own.next() else { return true };
    let last = own.next_back().unwrap_or(first);
    let since = first.at.saturating_sub(LATE);
    let mut near = calls.iter().filter(|call| call.actor.name == NUMBERS && call.at >= since && call.at <= last.at);
    near.any(|call| call.kind.is_some() || (call.actor.number != by && call.at >= first.at))
}
