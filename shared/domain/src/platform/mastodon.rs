//! Mastodon, and the servers that speak its API: what is known of them. <https://docs.joinmastodon.org/client/>

use jiff::SignedDuration;

use super::{AccountKind, Budget, Descriptor, Facts, Needs, Reconcile, Renewal, Scopes};
use crate::analytics::Rhythm;
use crate::text::{TextRule, TextUnit};

/// The name that servers of Mastodon itself, and those that are built from it, give their software.
const SOFTWARE: &str = "mastodon";

/// How long a server of Mastodon's own keeps a key (`app/services/post_status_service.rs` of <https://github.com/mastodon/mastodon>).
const KEY_LIFE: SignedDuration = SignedDuration::from_hours(1);

/// A cluster may be of any length, so texts are counted in bytes, too: this much is kept of one, and few servers take as much.
const TEXT_BYTES_MAX: u32 = 100_000;

pub(super) static DESCRIPTOR: Descriptor = Descriptor {
    display_name: "Mastodon",
    // Each account is on a server that its owner names.
    hosts: &[],
    version: None,
    needs: Some(Needs::Server),
    // By the names that older servers know, too.
    scopes: Scopes { required: &["read:accounts", "read:statuses", "write:statuses"], optional: &[], separator: " " },
    renewal: Renewal::Never,
    grant_life: None,
    usual_kind: AccountKind::Profile,
    app_proof: false,
    // A second consent of the same person brings the same token.
    grants_are_one: true,
    text: TextRule { max: 500, unit: TextUnit::WeightedGraphemes, bytes_max: Some(TEXT_BYTES_MAX) },
    text_of: Some(text_of),
    reconcile,
    lead: SignedDuration::ZERO,
    // A token may ask 300 times in five minutes.
    numbers: Budget { rhythm: Rhythm::Ladder, posts_max: 1_000 },
};

/// Of other software nobody says that it keeps keys.
fn reconcile(facts: &Facts<'_>) -> Reconcile {
    if is_mastodon(facts) { Reconcile::Key { life: KEY_LIFE } } else { Reconcile::Search }
}

/// As long as the server says. Other software counts each link whole.
fn text_of(facts: &Facts<'_>) -> TextRule {
    let max = facts.server.and_then(|server| server.limits.text_max).unwrap_or(DESCRIPTOR.text.max);
    let unit = if is_mastodon(facts) { TextUnit::WeightedGraphemes } else { TextUnit::Graphemes };
    TextRule { max, unit, bytes_max: Some(TEXT_BYTES_MAX) }
}

fn is_mastodon(facts: &Facts<'_>) -> bool {
    facts.server.is_none_or(|server| server.software == SOFTWARE)
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::super::{PlatformName, Server, ServerLimits};
    use super::*;
    use crate::text;

    fn server(software: &str, text_max: Option<u32>) -> Server {
        let url = Url::parse("https://mastodon.example/").unwrap();
        let limits = ServerLimits { text_max, ..ServerLimits::default() };
        Server { api: url.clone(), issuer: url, software: software.to_owned(), limits }
    }

    fn facts(server: Option<&Server>) -> Facts<'_> {
        Facts { kind: AccountKind::Profile, server }
    }

    #[test]
    fn keys_are_trusted_where_mastodon_itself_keeps_them() {
        let key = Reconcile::Key { life: SignedDuration::from_hours(1) };
        for (software, expected) in
            [("mastodon", key), ("gotosocial", Reconcile::Search), ("pleroma", Reconcile::Search), ("", Reconcile::Search)]
        {
            assert_eq!((DESCRIPTOR.reconcile)(&facts(Some(&server(software, None)))), expected, "{software}");
        }
        assert_eq!((DESCRIPTOR.reconcile)(&DESCRIPTOR.usual_facts()), key);
    }

    #[test]
    fn a_text_is_as_long_as_its_server_takes() {
        let link = "https://example.com/a/path/that/is/longer/than/23";
        for (server, letters, link_counts, fits) in [
            (None, 500 - 24, true, true),
            (None, 500 - 23, true, false),
            (Some(server("mastodon", Some(1_000))), 1_000 - 24, true, true),
            (Some(server("mastodon", None)), 501, false, false),
            (Some(server("gotosocial", Some(500))), 500 - 1 - link.len(), true, true),
            (Some(server("gotosocial", Some(500))), 500 - link.len(), true, false),
        ] {
            let text = format!("{}{}", "a".repeat(letters), if link_counts { format!(" {link}") } else { String::new() });
            let checked = text::check_for(PlatformName::Mastodon, &facts(server.as_ref()), &text);
            assert_eq!(checked.is_ok(), fits, "{server:?} {letters}");
        }
    }
}
