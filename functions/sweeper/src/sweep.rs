//! One round over all shards of the index.

use std::time::Duration;

use domain::post::Post;
use domain::wake_up::WakeUp;
use edge::metrics::Unit;
use edge::problem::chain;
use futures::FutureExt;
use futures::future::BoxFuture;
use futures::stream::{self, StreamExt};
use jiff::SignedDuration;
use store::{Store, StoreError, Wanted};
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

use crate::Deps;
use crate::attend::{Attention, arm, attend};
use crate::look_through::{Looked, look_through};
use crate::tidy::tidy;

/// Posts that are looked at at once.
const POSTS_AT_ONCE: usize = 10;
/// How often a round begins: what starts one goes by this.
pub const EVERY: SignedDuration = SignedDuration::from_mins(1);
/// How long a round looks at posts, how long it may then still send what the last look found, and how long it arms, goes by notes of returns,
/// and tidies. Together less than the function's time; the next round, which begins at another shard, goes on with what is left over.
const LOOKING_MAX: Duration = Duration::from_secs(15);
const SENDING_MAX: Duration = Duration::from_secs(5);
const ARMING_MAX: Duration = Duration::from_secs(10);
const RETURNING_MAX: Duration = Duration::from_secs(10);
const TIDYING_MAX: Duration = Duration::from_secs(12);

/// What a round did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Posts that stood still.
    pub found: usize,
    /// Wake-ups sent.
    pub woken: usize,
    /// Posts armed.
    pub armed: usize,
    /// Posts closed as missed.
    pub missed: usize,
    /// Held posts that go on.
    pub resumed: usize,
    /// Posts held, or told anew what they wait for.
    pub held: usize,
    /// Secrets removed that nothing needed.
    pub tidied: usize,
    /// Posts, and notes of secrets, that could not be looked after this time.
    pub failed: usize,
}

/// Looks after every post whose time to be looked at has come. One post, row or shard that fails harms no other; and a
/// scheduler that fails keeps no due post waiting, because arming comes last. Where no shard at all can be read, that is the round's error.
pub fn sweep(deps: &Deps) -> BoxFuture<'_, Result<Swept, StoreError>> {
    round(deps).boxed()
}

async fn round(deps: &Deps) -> Result<Swept, StoreError> {
    let now = deps.clock.now();
    let looks_until = Instant::now() + LOOKING_MAX;
    let mut swept = Swept::default();
    let mut unarmed = Vec::new();
    let (mut read, mut unread) = (0, None);
    for shard in Store::wake_shards(now.as_second() / EVERY.as_secs()) {
        let Ok(looked) = timeout_at(looks_until, deps.store.wanting_attention(shard, now)).await else { break };
        match looked {
            Ok(wanted) => {
                sweep_shard(deps, wanted, looks_until, &mut swept, &mut unarmed).await;
                read += 1;
            }
            Err(error) => {
                tracing::error!(shard, error = chain(&error), "a shard could not be read");
                swept.failed += 1;
                unread = Some(error);
            }
        }
    }
    if Instant::now() >= looks_until {
        tracing::error!("looking took too long; the rest is looked at in the next round");
        swept.failed += 1;
    }
    let waiting = unarmed.len();
    let arming = stream::iter(unarmed).map(|post| arm(deps, post)).buffer_unordered(POSTS_AT_ONCE);
    let counting = arming.for_each(|armed| {
        swept.armed += usize::from(armed);
        std::future::ready(())
    });
    if timeout(ARMING_MAX, counting).await.is_err() {
        tracing::error!("arming took too long; the rest is armed in the next round");
    }
    swept.failed += waiting - swept.armed;
    go_by_notes(deps, now.as_second() / EVERY.as_secs(), &mut swept).await;
    // Last: it is in no hurry.
    let (tidied, failed) = timeout(TIDYING_MAX, tidy(deps)).await.unwrap_or_else(|_| {
        tracing::error!("tidying took too long; the next round goes on");
        (0, 1)
    });
    swept.tidied = tidied;
    swept.failed += failed;
    tell(deps, swept);
    match unread {
        Some(error) if read == 0 => Err(error),
        _ => Ok(swept),
    }
}

/// Posts whose account or quota slot came or went.
async fn go_by_notes(deps: &Deps, turn: i64, swept: &mut Swept) {
    let mut looked = Looked::default();
    // On the heap: it is rare, and every round would be as large as it.
    if timeout(RETURNING_MAX, Box::pin(look_through(deps, turn, &mut looked))).await.is_err() {
        tracing::warn!("looking through waiting posts took too long; the next round goes on");
    }
    swept.resumed += looked.resumed;
    swept.held += looked.held;
    swept.failed += looked.failed;
}

async fn sweep_shard(
    deps: &Deps,
    wanted: Vec<Result<Wanted, StoreError>>,
    looks_until: Instant,
    swept: &mut Swept,
    unarmed: &mut Vec<Post>,
) {
    swept.found += wanted.len();
    let attended: Vec<(Option<WakeUp>, Attention)> = stream::iter(wanted)
        .map(|wanted| async {
            let hint = match wanted {
                Ok(wanted) => WakeUp { post_id: wanted.post_id, user_id: wanted.user_id, version: wanted.version },
                Err(error) => {
                    tracing::error!(error = chain(&error), "a row of the index could not be read");
                    return (None, Attention::Failed);
                }
            };
            let attention = attend(deps, &hint).await;
            (Some(hint), attention)
        })
        .buffer_unordered(POSTS_AT_ONCE)
        .take_until(sleep_until(looks_until))
        .collect()
        .await;
    let mut to_wake = Vec::new();
    for (hint, attention) in attended {
        match attention {
            Attention::Wake => to_wake.extend(hint),
            Attention::Arm(post) => unarmed.push(*post),
            Attention::Missed => swept.missed += 1,
            Attention::Failed => swept.failed += 1,
            Attention::None => {}
        }
    }
    let sending = timeout_at(looks_until + SENDING_MAX, deps.timer.queue().send_all(&to_wake));
    let Ok(unsent) = sending.await else {
        tracing::error!(wake_ups = to_wake.len(), "sending wake-ups took too long; the next round sends those that are still needed");
        swept.failed += to_wake.len();
        return;
    };
    for unsent in &unsent {
        tracing::error!(post_id = %unsent.wake_up.post_id, error = chain(&unsent.failure), "a wake-up was not sent; the next round sends it");
    }
    swept.woken += to_wake.len() - unsent.len();
    swept.failed += unsent.len();
}

fn tell(deps: &Deps, swept: Swept) {
    tracing::info!(
        found = swept.found,
        woken = swept.woken,
        armed = swept.armed,
        missed = swept.missed,
        resumed = swept.resumed,
        held = swept.held,
        tidied = swept.tidied,
        failed = swept.failed,
        "swept"
    );
    let count = |name, value: usize| (name, f64::from(u32::try_from(value).unwrap_or(u32::MAX)), Unit::Count);
    let values = [
        count("stood_still", swept.found),
        count("woken", swept.woken),
        count("armed_late", swept.armed),
        count("missed", swept.missed),
        count("resumed", swept.resumed),
        count("account_held", swept.held),
        count("sweep_failures", swept.failed),
    ];
    deps.metrics.emit(deps.clock.now(), &[], &values, &[]);
}
