//! While a code is exchanged, nobody takes a grant back that its tokens would end with.

use std::time::Duration;

use domain::id::AttemptId;
use domain::platform::PlatformName;
use edge::problem::{Problem, chain};
use jiff::SignedDuration;

use crate::Deps;

/// A grant that is being taken back is waited for so often…
const LOOKS_MAX: usize = 20;
/// …this far apart: the exchange still has its time afterwards.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// That a consent is under way is noted, where a person's grants are one. It ends by itself, should nobody let go.
pub(crate) struct Held<'a> {
    deps: &'a Deps,
    noted: Option<(PlatformName, AttemptId)>,
}

/// Notes the consent, and waits until no grant is being taken back at the platform. 503 where that takes long: nothing was consumed.
pub(crate) async fn hold<'a>(deps: &'a Deps, platform: PlatformName, attempt: &AttemptId) -> Result<Held<'a>, Problem> {
    if !deps.platforms.get(platform).descriptor().grants_are_one {
        return Ok(Held { deps, noted: None });
    }
    deps.store.begin_consent(platform, attempt, deps.clock.now()).await.map_err(|error| Problem::unavailable_because(&error))?;
    let held = Held { deps, noted: Some((platform, attempt.clone())) };
    for _ in 0..LOOKS_MAX {
        match deps.store.is_ending_under_way(platform, deps.clock.now()).await {
            Ok(false) => return Ok(held),
            Ok(true) => tokio::time::sleep(LOOK_AGAIN).await,
            Err(error) => {
                held.let_go().await;
                return Err(Problem::unavailable_because(&error));
            }
        }
    }
    held.let_go().await;
    tracing::warn!(platform = platform.as_str(), "grants are being taken back; a consent has to wait");
    Err(Problem::unavailable(SignedDuration::from_secs(5)))
}

/// A consent that brought no code brings no tokens either.
pub(crate) fn nothing_to_hold(deps: &Deps) -> Held<'_> {
    Held { deps, noted: None }
}

impl Held<'_> {
    /// What the consent brought is stored, or lost.
    pub(crate) async fn let_go(self) {
        let Some((platform, attempt)) = self.noted else { return };
        if let Err(error) = self.deps.store.consent_is_over(platform, &attempt).await {
            tracing::warn!(platform = platform.as_str(), error = chain(&error), "a note about a consent stays until it ends by itself");
        }
    }
}
