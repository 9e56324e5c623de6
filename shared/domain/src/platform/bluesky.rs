//! Bluesky and the other servers of atproto: what is known of them. <https://docs.bsky.app>, <https://atproto.com>

use jiff::SignedDuration;

use super::{API, AccountKind, Budget, DIRECTORY, Descriptor, Host, Needs, Reconcile, Renewal, Scopes};
use crate::analytics::Rhythm;
use crate::text::{TextRule, TextUnit};

/// A record stays under its key: what was put there once is there, or was deleted by its owner. Longer than any post waits.
const KEY_LIFE: SignedDuration = SignedDuration::from_hours(24 * 36_500);

pub(super) static DESCRIPTOR: Descriptor = Descriptor {
    display_name: "Bluesky",
    hosts: &[
        // Shows all posts and looks handles up, for everybody. What `/xrpc/...` is appended to.
        Host { key: API, url: "https://public.api.bsky.app" },
        // Where the documents of `did:plc` are. What `/{did}` is appended to.
        Host { key: DIRECTORY, url: "https://plc.directory" },
    ],
    version: None,
    // Which server an account lives on follows from its handle.
    needs: Some(Needs::Handle),
    scopes: Scopes {
        // Creating by `putRecord` takes both: it could replace, too.
        required: &["atproto", "repo:app.bsky.feed.post?action=create&action=update"],
        optional: &[],
        separator: " ",
    },
    renewal: Renewal::Rotating,
    // What the reference server gives to apps that prove themselves; its answers do not tell.
    grant_life: Some(SignedDuration::from_hours(90 * 24)),
    usual_kind: AccountKind::Profile,
    app_proof: false,
    grants_are_one: false,
    // `maxGraphemes` and `maxLength` of the lexicon `app.bsky.feed.post`. Links count whole.
    text: TextRule { max: 300, unit: TextUnit::Graphemes, bytes_max: Some(3_000) },
    text_of: None,
    reconcile: |_| Reconcile::Key { life: KEY_LIFE },
    lead: SignedDuration::ZERO,
    // Our address may make 3,000 calls in five minutes; a call tells of one post.
    numbers: Budget { rhythm: Rhythm::Ladder, posts_max: 1_000 },
};
