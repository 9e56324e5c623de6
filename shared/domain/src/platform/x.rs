//! X: what is known of it. <https://docs.x.com/x-api>

use jiff::SignedDuration;

use super::{API, AUTHORIZE, AccountKind, Budget, Descriptor, Host, Reconcile, Renewal, Scopes};
use crate::analytics::Rhythm;
use crate::text::{TextRule, TextUnit};

pub(super) static DESCRIPTOR: Descriptor = Descriptor {
    display_name: "X",
    hosts: &[
        Host { key: AUTHORIZE, url: "https://x.com/i/oauth2/authorize" },
        // What `/2/...` is appended to.
        Host { key: API, url: "https://api.x.com" },
    ],
    version: None,
    needs: None,
    scopes: Scopes { required: &["tweet.read", "tweet.write", "users.read", "offline.access"], optional: &[], separator: " " },
    renewal: Renewal::Rotating,
    // X does not tell it; developers report about six months.
    grant_life: Some(SignedDuration::from_hours(180 * 24)),
    usual_kind: AccountKind::Profile,
    app_proof: false,
    grants_are_one: false,
    // <https://docs.x.com/fundamentals/counting-characters>. Longer posts of paying accounts are not offered: the API does not tell
    // reliably which account may write them.
    text: TextRule { max: 280, unit: TextUnit::Weighted, bytes_max: None },
    text_of: None,
    reconcile: |_| Reconcile::Search,
    lead: SignedDuration::ZERO,
    // Each post that is read costs. The app may read 3,500 in 15 minutes.
    numbers: Budget { rhythm: Rhythm::OnceADay, posts_max: 1_000 },
};
