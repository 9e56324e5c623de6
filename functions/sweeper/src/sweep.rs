//! One round over all shards of the index.

use std::time::Duration;

use cloud::queue::Unsent;
use cloud::timer::IMMINENT;
use connecting::TAKE_BACK_MAX;
use domain::post::{ARM_GRACE, Post};
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
use crate::failures::Failures;
use crate::look_through::{Looked, look_through};
use crate::tidy::{DISCONNECTS_MAX, tidy};

/// Posts that are looked at at once.
const POSTS_AT_ONCE: usize = 10;
/// How often a round begins: what starts one goes by this.
pub const EVERY: SignedDuration = SignedDuration::from_mins(1);
/// How long a round may take; the template sets the same.
pub const TIME_OUT: Duration = Duration::from_secs(55);
/// How long a round looks at posts, how long it may then still send what the last look found, and how long it arms, goes by notes of returns,
/// and tidies. It tidies for longer where the rest took less. The next round, which begins at another shard, goes on with what is left over.
const LOOKING_MAX: Duration = Duration::from_secs(15);
const SENDING_MAX: Duration = Duration::from_secs(5);
const ARMING_MAX: Duration = Duration::from_secs(10);
const RETURNING_MAX: Duration = Duration::from_secs(10);
const TIDYING_MAX: Duration = Duration::from_secs(12);
const ROUND_MAX: Duration =
    LOOKING_MAX.saturating_add(SENDING_MAX).saturating_add(ARMING_MAX).saturating_add(RETURNING_MAX).saturating_add(TIDYING_MAX);

// The relations that the rounds rest on; a change that breaks one does not compile.
const _: () = {
    assert!(
        ARM_GRACE.as_secs() + EVERY.as_secs() <= IMMINENT.as_secs(),
        "a round arms what was forgotten before it is due, unless it was stored as armed"
    );
    assert!(
        DISCONNECTS_MAX as u64 * TAKE_BACK_MAX.as_secs() < TIDYING_MAX.as_secs(),
        "platforms that do not answer leave time to delete the tokens"
    );
    assert!(ROUND_MAX.as_secs() < TIME_OUT.as_secs(), "a round ends in time");
    assert!(TIME_OUT.as_secs() < EVERY.as_secs().unsigned_abs(), "a round ends before the next begins");
};

/// What a round did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Posts that stood still.
    pub found: usize,
    /// Those among them that are woken ahead of their time, to be prepared: nothing is wrong with them.
    pub ahead: usize,
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
    let began = Instant::now();
    let looks_until = began + LOOKING_MAX;
    let mut swept = Swept::default();
    let (mut unarmed, mut failures) = (Vec::new(), Failures::default());
    let (mut read, mut unread) = (0, None);
    for shard in Store::wake_shards(now.as_second() / EVERY.as_secs()) {
        let Ok(looked) = timeout_at(looks_until, deps.store.wanting_attention(shard, now)).await else { break };
        match looked {
            Ok(wanted) => {
                sweep_shard(deps, wanted, looks_until, &mut swept, (&mut unarmed, &mut failures)).await;
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
    if failures.unnamed() > 0 {
        tracing::error!(posts = failures.unnamed(), "more posts could not be looked after");
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
    // Last: it is in no hurry, and has what the others have left over.
    let (tidied, failed) = timeout_at(began + ROUND_MAX, tidy(deps)).await.unwrap_or_else(|_| {
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
    (unarmed, failures): (&mut Vec<Post>, &mut Failures),
) {
    swept.found += wanted.len();
    let attended: Vec<(Option<WakeUp>, Attention)> = stream::iter(wanted)
        .map(|wanted| async {
            let hint = match wanted {
                Ok(wanted) => WakeUp { post_id: wanted.post_id, user_id: wanted.user_id, version: wanted.version },
                Err(error) => return (None, Attention::Failed(chain(&error))),
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
            Attention::Prepare => {
                swept.ahead += 1;
                to_wake.extend(hint);
            }
            Attention::Arm(post) => unarmed.push(*post),
            Attention::Missed => swept.missed += 1,
            Attention::Failed(error) => {
                swept.failed += 1;
                failures.add(|| {
                    if let Some(WakeUp { post_id, user_id, .. }) = &hint {
                        tracing::error!(%post_id, %user_id, error, "a post could not be looked after");
                    } else {
                        tracing::error!(error, "a row of the index could not be read");
                    }
                });
            }
            Attention::None => {}
        }
    }
    let sending = timeout_at(looks_until + SENDING_MAX, deps.timer.queue().send_all(&to_wake));
    let Ok(unsent) = sending.await else {
        tracing::error!(wake_ups = to_wake.len(), "sending wake-ups took too long; the next round sends those that are still needed");
        swept.failed += to_wake.len();
        return;
    };
    for Unsent { wake_up, failure } in &unsent {
        let name =
            || tracing::error!(post_id = %wake_up.post_id, error = chain(failure), "a wake-up was not sent; the next round sends it");
        failures.add(name);
    }
    swept.woken += to_wake.len() - unsent.len();
    swept.failed += unsent.len();
}

fn tell(deps: &Deps, swept: Swept) {
    tracing::info!(
        found = swept.found,
        ahead = swept.ahead,
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
        count("stood_still", swept.found - swept.ahead),
        count("prepared_ahead", swept.ahead),
        count("woken", swept.woken),
        count("armed_late", swept.armed),
        count("missed", swept.missed),
        count("resumed", swept.resumed),
        count("account_held", swept.held),
        count("sweep_failures", swept.failed),
    ];
    deps.metrics.emit(deps.clock.now(), &[], &values, &[]);
}
