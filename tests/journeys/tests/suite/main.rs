//! The journeys, in one program: each file is a part of what people live through, and may be run alone by its name.

// Tests begin in the order of their names: this one takes a minute, and would end alone if it began last.
mod a_year;
mod advice;
mod analytics;
mod audit;
mod bad_rows;
mod billing;
mod bluesky;
mod conflicts;
mod connections;
mod cycles;
mod doubts;
mod failing_parts;
mod front_door;
mod gifts;
mod held;
mod idempotency;
mod linkedin;
mod lists;
mod mastodon;
mod moves;
mod onboarding;
mod people;
mod posting;
mod renewals;
mod servers;
mod sessions;
mod sums;
mod sweeping;
mod threads;
mod versions;
mod waits;

use std::time::Instant;

/// Waits for something that the service does by itself.
async fn until(what: &str, mut is_so: impl FnMut() -> bool) -> anyhow::Result<()> {
    let end = Instant::now() + journeys::SOON;
    while !is_so() {
        anyhow::ensure!(Instant::now() < end, "{what}");
        tokio::task::yield_now().await;
    }
    Ok(())
}
