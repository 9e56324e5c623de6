//! Facebook Pages: what is known of them. <https://developers.facebook.com/docs/pages-api>

use jiff::SignedDuration;

use super::{API, AUTHORIZE, AccountKind, Budget, Descriptor, Host, Reconcile, Renewal, Scopes, Version};
use crate::analytics::Rhythm;
use crate::text::{TextRule, TextUnit};

pub(super) static DESCRIPTOR: Descriptor = Descriptor {
    display_name: "Facebook",
    hosts: &[
        // What `/{version}/dialog/oauth` is appended to.
        Host { key: AUTHORIZE, url: "https://www.facebook.com" },
        // What `/{version}/...` is appended to.
        Host { key: API, url: "https://graph.facebook.com" },
    ],
    // Versions end about two years after they appear.
    version: Some(Version { default: "v26.0", is_valid: is_version }),
    needs: None,
    scopes: Scopes {
        required: &["pages_show_list", "pages_manage_posts", "pages_read_engagement"],
        // A Page can be posted to without its numbers, and a person may have no business.
        optional: &["read_insights", "business_management"],
        separator: ",",
    },
    // A Page's token has no end.
    renewal: Renewal::Never,
    grant_life: None,
    usual_kind: AccountKind::Page,
    app_proof: true,
    grants_are_one: true,
    // The unit is not documented; UTF-16 units never count fewer than characters.
    text: TextRule { max: 63_206, unit: TextUnit::Utf16, bytes_max: None },
    text_of: None,
    reconcile: |_| Reconcile::Search,
    lead: SignedDuration::ZERO,
    numbers: Budget { rhythm: Rhythm::Ladder, posts_max: 1_000 },
};

/// A version of Graph: two numbers behind a `v`.
pub(super) fn is_version(text: &str) -> bool {
    let is_number = |part: &str| (1..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    text.strip_prefix('v').and_then(|numbers| numbers.split_once('.')).is_some_and(|(major, minor)| is_number(major) && is_number(minor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_a_version() {
        for bad in ["", "26.0", "v26", "v26.x", "v26.0/../me", "v.0", "v1234.0"] {
            assert!(!is_version(bad), "{bad}");
        }
    }
}
