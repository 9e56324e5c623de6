//! A post as it is stored: a record of the lexicon `app.bsky.feed.post`
//! (<https://github.com/bluesky-social/atproto/blob/main/lexicons/app/bsky/feed/post.json>), written by `com.atproto.repo.putRecord`.

use domain::platform::Handle;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::facets::{Found, What};
use super::handle::Did;

/// The kind of record that a post is, and the collection that it stands in.
pub(super) const COLLECTION: &str = "app.bsky.feed.post";

/// The record of `text`. A mention whose account was not found stays text. What a repeat sends is the same to the byte, so all is in order.
pub(super) fn record(text: &str, found: &[Found], account: impl Fn(&Handle) -> Option<Did>, created_at: Timestamp) -> Value {
    let feature = |what: &What| match what {
        What::Link(uri) => Some(json!({ "$type": "app.bsky.richtext.facet#link", "uri": uri })),
        What::Mention(handle) => account(handle).map(|did| json!({ "$type": "app.bsky.richtext.facet#mention", "did": did.as_str() })),
        What::Tag(tag) => Some(json!({ "$type": "app.bsky.richtext.facet#tag", "tag": tag })),
    };
    let facet = |one: &Found| {
        let index = json!({ "byteStart": one.bytes.start, "byteEnd": one.bytes.end });
        feature(&one.what).map(|feature| json!({ "index": index, "features": [feature] }))
    };
    let facets: Vec<_> = found.iter().filter_map(facet).collect();
    let mut record = json!({ "$type": COLLECTION, "text": text, "createdAt": format!("{created_at:.3}") });
    if !facets.is_empty() {
        record["facets"] = facets.into();
    }
    record
}

/// The body that creates `record` under `key` if nothing is there. Where the very same is there, the server answers as if it had been created now;
/// where something else is, `InvalidSwap`.
pub(super) fn put(account: &Did, key: &str, record: &Value) -> Value {
    json!({ "repo": account.as_str(), "collection": COLLECTION, "rkey": key, "record": record, "swapRecord": null })
}

/// The network's id of the record under `key`.
pub(super) fn uri(account: &Did, key: &str) -> String {
    format!("at://{account}/{COLLECTION}/{key}")
}

/// The account and the key in an id of a post.
pub(super) fn parts(uri: &str) -> Option<(Did, &str)> {
    let (account, rest) = uri.strip_prefix("at://")?.split_once('/')?;
    let key = rest.strip_prefix(COLLECTION)?.strip_prefix('/')?;
    let is_key = (1..=512).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._~:-".contains(&byte));
    Did::parse(account).filter(|_| is_key && key != "." && key != "..").map(|account| (account, key))
}

/// Where people see it. By the account's own name, which stays when its handle changes.
pub(super) fn permalink(account: &Did, key: &str) -> String {
    format!("https://bsky.app/profile/{account}/post/{key}")
}

#[cfg(test)]
mod tests {
    use super::super::facets::find;
    use super::*;

    const DID: &str = "did:plc:z72i7hdynmk6r22z27h6tvur";

    #[test]
    fn a_record_says_where_its_links_are_and_leaves_unknown_names_alone() {
        let text = "é @a.example @b.example #tag https://c.example";
        let did = Did::parse(DID).unwrap();
        let account = |handle: &Handle| (handle.as_str() == "a.example").then(|| did.clone());
        let made = record(text, &find(text), account, "2026-11-23T09:00:00.1234Z".parse().unwrap());
        let facet =
            |start: usize, end: usize, feature: Value| json!({ "index": { "byteStart": start, "byteEnd": end }, "features": [feature] });
        let expected = json!({
            "$type": "app.bsky.feed.post", "text": text, "createdAt": "2026-11-23T09:00:00.123Z",
            "facets": [
                facet(3, 13, json!({ "$type": "app.bsky.richtext.facet#mention", "did": DID })),
                facet(25, 29, json!({ "$type": "app.bsky.richtext.facet#tag", "tag": "tag" })),
                facet(30, 47, json!({ "$type": "app.bsky.richtext.facet#link", "uri": "https://c.example" })),
            ],
        });
        assert_eq!(made, expected);
        let plain = record("hi", &[], |_| None, Timestamp::UNIX_EPOCH);
        assert_eq!(plain, json!({ "$type": "app.bsky.feed.post", "text": "hi", "createdAt": "1970-01-01T00:00:00.000Z" }));
    }

    #[test]
    fn a_put_creates_and_never_replaces() {
        let body = put(&Did::parse(DID).unwrap(), "3jzfcijpj2z2a", &json!({ "text": "hi" }));
        assert_eq!(
            body,
            json!({ "repo": DID, "collection": "app.bsky.feed.post", "rkey": "3jzfcijpj2z2a", "record": { "text": "hi" }, "swapRecord": null })
        );
    }

    #[test]
    fn an_id_holds_account_and_key() {
        let did = Did::parse(DID).unwrap();
        let id = uri(&did, "3jzfcijpj2z2a");
        assert_eq!(parts(&id), Some((did, "3jzfcijpj2z2a")));
        for bad in [
            "",
            "at://x/app.bsky.feed.post/a",
            &id.replace("feed.post", "feed.like"),
            &format!("{id}/x"),
            &format!("at://{DID}/app.bsky.feed.post/"),
            &format!("at://{DID}/app.bsky.feed.post/.."),
            &id[5..],
        ] {
            assert_eq!(parts(bad), None, "{bad}");
        }
    }
}
