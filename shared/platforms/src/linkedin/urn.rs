//! LinkedIn's ids: `urn:li:<kind>:<id>`.

use crate::address;

/// A member.
pub(super) const PERSON: &str = "person";
/// An organization.
pub(super) const ORGANIZATION: &str = "organization";
/// What a text alone becomes.
pub(super) const SHARE: &str = "share";
/// What a post with an upload becomes.
pub(super) const UGC_POST: &str = "ugcPost";

/// The URN of that kind with this id. `None`: it is no id.
pub(super) fn of(kind: &str, id: &str) -> Option<String> {
    address::is_id(id).then(|| format!("urn:li:{kind}:{id}"))
}

/// The kind and the id of a URN.
pub(super) fn parts(urn: &str) -> Option<(&str, &str)> {
    urn.strip_prefix("urn:li:")?.split_once(':').filter(|(kind, id)| address::is_id(kind) && address::is_id(id))
}

/// Whether it names a post by the name under which the post was made. An `activity` is the same post under another name.
pub(super) fn is_post(urn: &str) -> bool {
    parts(urn).is_some_and(|(kind, _)| [SHARE, UGC_POST].contains(&kind))
}

/// As it stands in an address: `:` would end a part of a Rest.li list.
pub(super) fn encoded(urn: &str) -> String {
    url::form_urlencoded::byte_serialize(urn.as_bytes()).collect()
}

/// Where people see a post.
pub(super) fn permalink(urn: &str) -> String {
    format!("https://www.linkedin.com/feed/update/{urn}/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_share_or_a_post_of_users_names_a_post() {
        assert!(is_post("urn:li:share:6844785523593134080") && is_post("urn:li:ugcPost:7"));
        for other in ["urn:li:activity:7", "urn:li:person:7", "urn:li:share:", "urn:li:share:7/x", "share:7", "urn:li:share:7:8", ""] {
            assert!(!is_post(other), "{other}");
        }
        assert_eq!(of(PERSON, "782bb_-Q").as_deref(), Some("urn:li:person:782bb_-Q"));
        assert_eq!((of(PERSON, "a:b"), of(ORGANIZATION, "")), (None, None));
        assert_eq!(encoded("urn:li:share:7"), "urn%3Ali%3Ashare%3A7");
    }
}
