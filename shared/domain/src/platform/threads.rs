//! Threads: what is known of it. <https://developers.facebook.com/docs/threads>

use jiff::SignedDuration;

use super::facebook::is_version;
use super::{API, AUTHORIZE, AccountKind, Budget, Descriptor, Host, Reconcile, Renewal, Scopes, Version};
use crate::analytics::Rhythm;
use crate::text::{TextRule, TextUnit};

pub(super) static DESCRIPTOR: Descriptor = Descriptor {
    display_name: "Threads",
    hosts: &[
        Host { key: AUTHORIZE, url: "https://threads.net/oauth/authorize" },
        // What `/oauth/access_token`, `/access_token`, `/refresh_access_token` and `/{version}/...` are appended to.
        Host { key: API, url: "https://graph.threads.net" },
    ],
    version: Some(Version { default: "v1.0", is_valid: is_version }),
    needs: None,
    scopes: Scopes {
        required: &["threads_basic", "threads_content_publish"],
        // An account can be posted to without its numbers.
        optional: &["threads_manage_insights"],
        separator: ",",
    },
    // A token that has ended is not extended any more.
    renewal: Renewal::Extends { after: SignedDuration::from_hours(24) },
    // An answer tells it; this is what its documents say.
    grant_life: Some(SignedDuration::from_hours(60 * 24)),
    usual_kind: AccountKind::Profile,
    app_proof: false,
    grants_are_one: false,
    // <https://developers.facebook.com/docs/threads/posts>
    text: TextRule { max: 500, unit: TextUnit::EmojiBytes, bytes_max: None },
    text_of: None,
    // A container is published once, and tells for 24 hours whether it was.
    reconcile: |_| Reconcile::Handle,
    // Its documents ask for half a minute between a container and its publication.
    lead: SignedDuration::from_mins(5),
    // An account may make 4,800 calls a day for each time that it was seen, and 48,000 at least.
    numbers: Budget { rhythm: Rhythm::Ladder, posts_max: 1_000 },
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_emoji_counts_as_its_bytes() {
        let fits = |text: &str| DESCRIPTOR.text.check(DESCRIPTOR.display_name, text).is_ok();
        assert!(fits(&"a".repeat(500)) && fits(&"😀".repeat(125)) && fits(&"é".repeat(500)));
        assert!(!fits(&"a".repeat(501)) && !fits(&"😀".repeat(126)));
    }
}
