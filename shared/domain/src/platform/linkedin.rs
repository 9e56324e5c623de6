//! LinkedIn, for people and for organizations: what is known of it. <https://learn.microsoft.com/linkedin/marketing/community-management>

use jiff::SignedDuration;

use super::{API, AUTHORIZE, AccountKind, Budget, Descriptor, Facts, Host, OAUTH, Reconcile, Renewal, Scopes, Version};
use crate::analytics::Rhythm;
use crate::text::{TextRule, TextUnit};

pub(super) static DESCRIPTOR: Descriptor = Descriptor {
    display_name: "LinkedIn",
    hosts: &[
        Host { key: AUTHORIZE, url: "https://www.linkedin.com/oauth/v2/authorization" },
        // What `/accessToken` and `/revoke` are appended to.
        Host { key: OAUTH, url: "https://www.linkedin.com/oauth/v2" },
        // What `/rest/...` is appended to.
        Host { key: API, url: "https://api.linkedin.com" },
    ],
    // Sent in a header. A version appears each month and ends about a year later.
    version: Some(Version { default: "202609", is_valid: is_version }),
    needs: None,
    scopes: Scopes {
        required: &["openid", "profile", "w_member_social"],
        // What organizations need. A consent is for all or for nothing, and not everybody acts for an organization.
        optional: &["w_organization_social", "r_organization_social", "r_organization_admin"],
        separator: " ",
    },
    // Access tokens live 60 days. Refresh tokens come to approved partners only; the adapter uses one where it came.
    renewal: Renewal::Consent { warn: SignedDuration::from_hours(7 * 24) },
    // An answer tells it; this is what its documents say.
    grant_life: Some(SignedDuration::from_hours(60 * 24)),
    usual_kind: AccountKind::Profile,
    app_proof: false,
    // A person's accounts share the tokens of one consent.
    grants_are_one: true,
    // The unit is not documented, nor whether escapes count: https://learn.microsoft.com/linkedin/marketing/community-management/shares/posts-api
    // knows an error of too long texts. UTF-16 units never count fewer than characters.
    text: TextRule { max: 3_000, unit: TextUnit::Utf16, bytes_max: None },
    text_of: None,
    reconcile,
    lead: SignedDuration::ZERO,
    // What our app may read a day is not published; a call tells of one post.
    numbers: Budget { rhythm: Rhythm::Ladder, posts_max: 100 },
};

/// An organization's posts can be listed. A person's can not: LinkedIn grants `r_member_social` to nobody new.
fn reconcile(facts: &Facts<'_>) -> Reconcile {
    match facts.kind {
        AccountKind::Organization => Reconcile::Search,
        AccountKind::Profile | AccountKind::Page => Reconcile::Person,
    }
}

/// Year and month.
fn is_version(text: &str) -> bool {
    let is_number = text.len() == 6 && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number
        && text.starts_with("20")
        && text.get(4..).and_then(|month| month.parse().ok()).is_some_and(|month: u8| (1..=12).contains(&month))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_a_year_and_a_month() {
        assert!(is_version("202601") && is_version("202712"));
        for bad in ["", "2026", "202600", "202613", "2026-9", "v26.09", "202609 ", "192609", "2026091"] {
            assert!(!is_version(bad), "{bad}");
        }
    }

    #[test]
    fn only_what_can_be_read_is_searched() {
        let class = |kind| (DESCRIPTOR.reconcile)(&Facts { kind, server: None });
        assert_eq!(class(AccountKind::Organization), Reconcile::Search);
        assert_eq!(class(AccountKind::Profile), Reconcile::Person);
    }
}
