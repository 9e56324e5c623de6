//! One round over all shards of the index.

use domain::wake_up::WakeUp;
use edge::metrics::Unit;
use futures::stream::{self, StreamExt, TryStreamExt};
use store::{Store, StoreError};

use crate::Deps;
use crate::attend::{Attention, attend};

/// The most of one shard in one round: what is left over stands at the head of the next.
const POSTS_PER_SHARD_MAX: i32 = 500;
/// Shards that are read at once.
const SHARDS_AT_ONCE: usize = 4;
/// Posts that are looked at at once.
const POSTS_AT_ONCE: usize = 10;

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
    /// Posts that could not be looked after this time.
    pub failed: usize,
}

/// Looks after every post whose time to be looked at has come. One post that fails harms no other.
pub async fn sweep(deps: &Deps) -> Result<Swept, StoreError> {
    let now = deps.clock.now();
    let wanted: Vec<_> = stream::iter(Store::wake_shards())
        .map(|shard| deps.store.wanting_attention(shard, now, POSTS_PER_SHARD_MAX))
        .buffer_unordered(SHARDS_AT_ONCE)
        .try_concat()
        .await?;
    let mut swept = Swept { found: wanted.len(), ..Swept::default() };
    let attended: Vec<(WakeUp, Attention)> = stream::iter(wanted)
        .map(|wanted| WakeUp { post_id: wanted.post_id, user_id: wanted.user_id, version: wanted.version })
        .map(|wake_up| async {
            let attention = attend(deps, &wake_up).await;
            (wake_up, attention)
        })
        .buffer_unordered(POSTS_AT_ONCE)
        .collect()
        .await;
    let mut to_wake = Vec::new();
    for (wake_up, attention) in attended {
        match attention {
            Attention::Wake => to_wake.push(wake_up),
            Attention::Armed => swept.armed += 1,
            Attention::Missed => swept.missed += 1,
            Attention::Failed => swept.failed += 1,
            Attention::None => {}
        }
    }
    let unsent = deps.timer.queue().send_all(&to_wake).await;
    swept.woken = to_wake.len() - unsent.len();
    swept.failed += unsent.len();
    tell(deps, swept);
    Ok(swept)
}

fn tell(deps: &Deps, swept: Swept) {
    tracing::info!(found = swept.found, woken = swept.woken, armed = swept.armed, missed = swept.missed, failed = swept.failed, "swept");
    let count = |name, value: usize| (name, f64::from(u32::try_from(value).unwrap_or(u32::MAX)), Unit::Count);
    let values = [
        count("stood_still", swept.found),
        count("woken", swept.woken),
        count("armed_late", swept.armed),
        count("missed", swept.missed),
        count("sweep_failures", swept.failed),
    ];
    deps.metrics.emit(deps.clock.now(), &[], &values, &[]);
}
