//! The list of the networks' doubles, and what the shared part asks of each.

use std::sync::Arc;

use axum::Router;
use domain::platform::PlatformName;

use crate::World;
use crate::faults::{CommonFault, Dialect, OwnFault};

/// One for each network: with one missing this does not compile.
pub(crate) static DOUBLES: [&dyn Double; PlatformName::ALL.len()] = [
    // A line for each; `mod <name>;` in lib.rs builds its folder.
    &crate::x::SimulatedX,
    &crate::facebook::SimulatedFacebook,
    &crate::linkedin::SimulatedLinkedIn,
    &crate::mastodon::SimulatedMastodon,
    &crate::bluesky::SimulatedBluesky,
    &crate::threads::SimulatedThreads,
];

/// A network's double, as the shared part sees it.
pub(crate) trait Double: Sync {
    /// The network that it stands for; its routes are below this name.
    fn platform(&self) -> PlatformName;

    /// The network's own routes: consent, tokens, posting, reading back.
    fn routes(&self) -> Router<Arc<World>>;

    /// How the network says the things that faults make it say.
    fn dialect(&self) -> &'static Dialect;

    /// The faults that this network alone has.
    fn own_faults(&self) -> &'static [OwnFault];

    /// The common faults that it has no words for: they are refused there, as those of other networks are.
    fn lacks(&self) -> &'static [CommonFault] {
        &[]
    }

    /// The kind of token with which an account is acted for: the one that expires on demand.
    fn acting_token(&self) -> &'static str;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_network_has_one_double() {
        for platform in PlatformName::ALL {
            assert_eq!(DOUBLES.iter().filter(|double| double.platform() == platform).count(), 1, "{platform}");
        }
    }
}
