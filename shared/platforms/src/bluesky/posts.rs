//! Posting under a key of ours, and reading back.

use std::time::Duration;

use domain::platform::Handle;
use http::Method;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::Bluesky;
use super::bound::{Body, Bound};
use super::errors::{INVALID_SWAP, RECORD_NOT_FOUND, error_of, judge};
use super::facets::{self, What};
use super::handle::Did;
use super::key::Key;
use super::record::{self, COLLECTION};
use super::record_key::{is_tid, record_key};
use super::tokens::NO_KEY;
use crate::http::{Answer, CALL_TIMEOUT, COMMIT_TIMEOUT};
use crate::{Account, Call, HandleState, Outcome, OwnPost, PAGES_MAX, ReadError, address, detail};

/// For the names in a text, all together. One that is not found in time stays text.
const NAMES_TIMEOUT: Duration = Duration::from_secs(3);
/// How many names in a text are looked up.
const NAMES_MAX: usize = 10;
/// For each of the two calls that write: the first may bring no more than a nonce.
const PUT_TIMEOUT: Duration = Duration::from_secs(7);
/// For the look at what stands under the key already.
const GET_TIMEOUT: Duration = Duration::from_secs(3);

const _: () = {
    let all = NAMES_TIMEOUT.as_secs() + 2 * PUT_TIMEOUT.as_secs() + GET_TIMEOUT.as_secs();
    assert!(all <= COMMIT_TIMEOUT.as_secs(), "a commit ends by itself before the machine gives it up");
};

#[derive(Deserialize)]
struct Written {
    uri: String,
}

#[derive(Deserialize)]
struct Stored {
    value: Value,
}

#[derive(Deserialize)]
struct Feed {
    feed: Vec<Entry>,
    cursor: Option<String>,
}

#[derive(Deserialize)]
struct Entry {
    post: Shown,
    /// Why it stands in this account's feed, where it is none of its own.
    reason: Option<Value>,
}

#[derive(Deserialize)]
struct Shown {
    uri: String,
    record: Value,
    #[serde(rename = "indexedAt")]
    indexed_at: Timestamp,
}

/// What stands under a key.
enum There {
    /// A record.
    Record(Value),
    /// Nothing.
    Nothing,
}

impl Bluesky {
    pub(super) async fn put_post(&self, call: &Call<'_>) -> Outcome {
        let account = call.account;
        let key = account.tokens.dpop_key.as_ref().and_then(Key::from_secret);
        let (Some(did), Some(server), Some(key)) = (Did::parse(account.id), account.server, key) else {
            return Outcome::NotSent { detail: NO_KEY.to_owned() };
        };
        let rkey = record_key(call.key);
        let found = facets::find(&call.content.text);
        let names =
            self.accounts_of(found.iter().filter_map(|one| if let What::Mention(name) = &one.what { Some(name) } else { None })).await;
        let account_of = |name: &Handle| names.iter().find(|(of, _)| of == name).map(|(_, did)| did.clone());
        let record = record::record(&call.content.text, &found, account_of, call.now);
        let url = address::join(&server.api, &["xrpc", "com.atproto.repo.putRecord"]);
        let caller = Bound { http: &self.named, key: &key, access: Some(&account.tokens.access), now: call.now };
        let body = record::put(&did, &rkey, &record);
        match caller.post(&url, PUT_TIMEOUT, |_| Body::Json(body.clone())).await {
            Ok(answer) if answer.status.as_u16() == 400 && error_of(&answer) == INVALID_SWAP => {
                self.under_key(&server.api, &did, &rkey, &call.content.text).await
            }
            Ok(answer) => written(&answer, &did, &rkey, call.now),
            Err(error) => error.into(),
        }
    }

    /// What was refused because something stands under the post's key already. A repeat has another time, so that is the same post if its text is.
    async fn under_key(&self, pds: &Url, did: &Did, rkey: &str, text: &str) -> Outcome {
        let doubt = |detail: String| Outcome::Unknown { http_status: Some(400), detail };
        match self.record_at(pds, did, rkey, GET_TIMEOUT).await {
            Ok(There::Record(record)) if record["text"] == text => accepted(did, rkey, 200),
            Ok(_) => doubt(detail::of_answer(400, &[Some(INVALID_SWAP)])),
            Err(error) => doubt(error.to_string()),
        }
    }

    pub(super) async fn state_of(&self, of: Account<'_>, rkey: &str) -> Result<HandleState, ReadError> {
        let unreadable = |detail: &str| ReadError::Unavailable { detail: detail.to_owned() };
        let did = Did::parse(of.id).ok_or_else(|| unreadable("the account has no DID"))?;
        let server = of.server.ok_or_else(|| unreadable(NO_KEY))?;
        Ok(match self.record_at(&server.api, &did, rkey, CALL_TIMEOUT).await? {
            There::Record(_) => HandleState::Live { post_id: rkey.to_owned(), url: Some(record::permalink(&did, rkey)) },
            There::Nothing => HandleState::Ready,
        })
    }

    /// Reads a record, which anybody may.
    async fn record_at(&self, pds: &Url, did: &Did, rkey: &str, timeout: Duration) -> Result<There, ReadError> {
        let mut url = address::join(pds, &["xrpc", "com.atproto.repo.getRecord"]);
        url.query_pairs_mut().append_pair("repo", did.as_str()).append_pair("collection", COLLECTION).append_pair("rkey", rkey);
        let answer = self.named.send(self.named.request(Method::GET, url), timeout).await?;
        match (answer.status.as_u16(), answer.json::<Stored>()) {
            (200, Some(Stored { value })) => Ok(There::Record(value)),
            (400, _) if error_of(&answer) == RECORD_NOT_FOUND => Ok(There::Nothing),
            (status, _) => Err(ReadError::Unavailable { detail: detail::of_answer(status, &[Some("getRecord")]) }),
        }
    }

    /// Whether a post is at its account's own server.
    pub(super) async fn is_there(&self, of: Account<'_>, rkey: &str) -> Result<bool, ReadError> {
        self.state_of(of, rkey).await.map(|state| matches!(state, HandleState::Live { .. }))
    }

    /// The accounts behind the names in a text, as far as they are found in time.
    async fn accounts_of(&self, names: impl Iterator<Item = &Handle>) -> Vec<(Handle, Did)> {
        let mut wanted: Vec<&Handle> = Vec::new();
        for name in names {
            if wanted.len() < NAMES_MAX && !wanted.contains(&name) {
                wanted.push(name);
            }
        }
        let mut found = Vec::new();
        let looking = async {
            for name in wanted {
                if let Ok(Some(did)) = self.looked_up(name).await {
                    found.push((name.clone(), did));
                }
            }
        };
        // What was found stays, also where the time is up.
        let _ = tokio::time::timeout(NAMES_TIMEOUT, looking).await;
        found
    }

    /// The account's posts as the network shows them, newest first, which needs no token.
    pub(super) async fn list_posts(
        &self,
        of: Account<'_>,
        since: Timestamp,
        until: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Vec<OwnPost>, ReadError> {
        let (mut posts, mut cursor) = (Vec::new(), None);
        for _ in 0..PAGES_MAX {
            let Feed { feed, cursor: next } = self.page(of, cursor.as_deref(), now).await?;
            let own: Vec<_> =
                feed.into_iter().filter(|entry| entry.reason.is_none()).filter_map(|entry| own_post(&entry.post, of)).collect();
            let is_past = own.last().is_some_and(|last| last.created_at < since);
            let is_wanted = |post: &OwnPost| post.created_at >= since && until.is_none_or(|until| post.created_at <= until);
            posts.extend(own.into_iter().filter(is_wanted));
            if is_past || next.is_none() {
                return Ok(posts);
            }
            cursor = next;
        }
        Err(ReadError::Unavailable { detail: detail::of_answer(200, &[Some("too many posts")]) })
    }

    async fn page(&self, of: Account<'_>, cursor: Option<&str>, now: Timestamp) -> Result<Feed, ReadError> {
        let mut url = address::join(&self.api_url, &["xrpc", "app.bsky.feed.getAuthorFeed"]);
        url.query_pairs_mut().append_pair("actor", of.id).append_pair("limit", "100").append_pair("filter", "posts_with_replies");
        if let Some(cursor) = cursor {
            url.query_pairs_mut().append_pair("cursor", cursor);
        }
        let answer = self.http.send(self.http.request(Method::GET, url), CALL_TIMEOUT).await?;
        if answer.status.as_u16() != 200 {
            return Err(judge(&answer, now).into());
        }
        answer.json().ok_or_else(|| ReadError::Unavailable { detail: detail::of_answer(200, &[Some("unreadable feed")]) })
    }
}

fn accepted(did: &Did, rkey: &str, http_status: u16) -> Outcome {
    Outcome::Accepted { post_id: rkey.to_owned(), url: Some(record::permalink(did, rkey)), http_status }
}

/// What a server answered to a put. Only the id that was asked for is proof.
fn written(answer: &Answer, did: &Did, rkey: &str, now: Timestamp) -> Outcome {
    let status = answer.status.as_u16();
    if status != 200 {
        return judge(answer, now).into();
    }
    match answer.json::<Written>() {
        Some(Written { uri }) if uri == record::uri(did, rkey) => accepted(did, rkey, status),
        _ => Outcome::Unknown { http_status: Some(status), detail: detail::of_answer(status, &[Some("unreadable")]) },
    }
}

/// A post of the account's own. It was made when its record says, but not after the network saw it: the record's time is its maker's word.
fn own_post(shown: &Shown, of: Account<'_>) -> Option<OwnPost> {
    let (did, rkey) = record::parts(&shown.uri).filter(|(did, rkey)| did.as_str() == of.id && is_tid(rkey))?;
    let told = shown.record["createdAt"].as_str().and_then(|text| text.parse::<Timestamp>().ok());
    Some(OwnPost {
        id: rkey.to_owned(),
        url: Some(record::permalink(&did, rkey)),
        text: shown.record["text"].as_str()?.to_owned(),
        created_at: told.map_or(shown.indexed_at, |told| told.min(shown.indexed_at)),
    })
}

#[cfg(test)]
mod tests {
    use domain::token::TokenSet;

    use super::*;

    const DID: &str = "did:plc:z72i7hdynmk6r22z27h6tvur";
    const RKEY: &str = "3jzfcijpj2z2a";

    fn put(status: u16, body: &str) -> Outcome {
        written(&Answer::recorded(status, &[], body), &Did::parse(DID).unwrap(), RKEY, Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn a_post_is_there_if_the_answer_names_it() {
        let uri = format!(r#"{{"uri":"at://{DID}/app.bsky.feed.post/{RKEY}","cid":"bafy","validationStatus":"valid"}}"#);
        let url = Some(format!("https://bsky.app/profile/{DID}/post/{RKEY}"));
        assert_eq!(put(200, &uri), Outcome::Accepted { post_id: RKEY.into(), url, http_status: 200 });
        for (status, body) in
            [(200, "{}"), (200, "<html>"), (200, &*uri.replace(RKEY, "3jzfcijpj2z2b")), (201, &*uri), (204, ""), (500, "")]
        {
            assert!(matches!(put(status, body), Outcome::Unknown { .. }), "{status} {body}");
        }
    }

    #[test]
    fn a_shown_post_is_the_accounts_own_and_no_older_than_its_record_says() {
        let tokens = TokenSet::bare("a".into());
        let of = Account { id: DID, username: "", kind: domain::platform::AccountKind::Profile, server: None, tokens: &tokens };
        let shown = |uri: &str, created_at: &str| {
            let record = serde_json::json!({ "text": "hi", "createdAt": created_at });
            own_post(&Shown { uri: uri.to_owned(), record, indexed_at: "2026-11-23T09:00:05Z".parse().unwrap() }, of)
        };
        let uri = format!("at://{DID}/app.bsky.feed.post/{RKEY}");
        for (told, counted) in [
            ("2026-11-23T09:00:00Z", "2026-11-23T09:00:00Z"),
            ("2027-01-01T00:00:00Z", "2026-11-23T09:00:05Z"),
            ("soon", "2026-11-23T09:00:05Z"),
        ] {
            let post = shown(&uri, told).unwrap();
            assert_eq!((post.id.as_str(), post.text.as_str(), post.created_at), (RKEY, "hi", counted.parse().unwrap()), "{told}");
        }
        for other in [uri.replace("z72", "aaa"), uri.replace(RKEY, "self"), uri.replace("feed.post", "feed.like")] {
            assert!(shown(&other, "").is_none(), "{other}");
        }
    }
}
