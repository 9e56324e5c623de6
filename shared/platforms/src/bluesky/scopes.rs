//! Scopes of atproto: a resource, and what may be done with it as a query (<https://atproto.com/specs/permission>). One may be written in more than
//! one way.

use std::collections::BTreeSet;

use domain::platform::PlatformName;
use url::form_urlencoded::parse;

/// A scope, so that two are equal if they grant the same.
fn read(scope: &str) -> (&str, BTreeSet<(String, String)>) {
    let (resource, query) = scope.split_once('?').unwrap_or((scope, ""));
    (resource, parse(query.as_bytes()).into_owned().collect())
}

/// What was granted, each in our own writing where we asked for the same.
pub(super) fn as_asked(granted: &[String]) -> Vec<String> {
    let scopes = &PlatformName::Bluesky.descriptor().scopes;
    let asked: Vec<_> = scopes.required.iter().chain(scopes.optional).collect();
    let ours =
        |scope: &String| asked.iter().find(|asked| read(asked) == read(scope)).map_or_else(|| scope.clone(), |ours| (**ours).to_owned());
    granted.iter().map(ours).collect()
}

/// What posting needs and was not granted.
pub(super) fn missing(granted: &[String]) -> Vec<String> {
    let required = PlatformName::Bluesky.descriptor().scopes.required;
    required.iter().filter(|scope| !granted.iter().any(|granted| granted == *scope)).map(|scope| (*scope).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_is_the_same_in_any_writing_and_a_smaller_one_is_not() {
        let granted = |scopes: &[&str]| as_asked(&scopes.iter().map(|scope| (*scope).to_owned()).collect::<Vec<_>>());
        let all = granted(&["repo:app.bsky.feed.post?action=update&action=create", "atproto"]);
        assert!(missing(&all).is_empty(), "{all:?}");
        for less in ["repo:app.bsky.feed.post?action=create", "repo:app.bsky.feed.like?action=create&action=update", "transition:generic"] {
            assert_eq!(missing(&granted(&["atproto", less])), ["repo:app.bsky.feed.post?action=create&action=update"], "{less}");
        }
    }
}
