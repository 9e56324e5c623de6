//! Posting, and reading back what was posted.

use domain::platform::Server;
use http::{Method, StatusCode};
use jiff::Timestamp;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use url::Url;

use super::errors::judge;
use super::html::text_of;
use super::{Mastodon, NO_SERVER, bare, qualified};
use crate::http::{Answer, CALL_TIMEOUT, COMMIT_TIMEOUT};
use crate::{Account, Call, Outcome, OwnPost, PAGES_MAX, ReadError, address, detail};

/// The most that a server lists at once.
const PAGE: usize = 40;

/// As many posts as other networks list in [`PAGES_MAX`] pages of 100.
const SHORT_PAGES_MAX: usize = PAGES_MAX * 100 / PAGE;

/// Who sees it and its language are left to the account's own settings. The server never schedules: it forgets keys of what it schedules.
#[derive(Serialize)]
struct NewStatus<'a> {
    status: &'a str,
    /// What other software, and some of Mastodon's relatives, would otherwise take for Markdown where the account's settings say so.
    content_type: &'static str,
}

#[derive(Deserialize)]
struct Status {
    id: String,
    /// `null` at some software; a link to it is made then.
    url: Option<String>,
    content: String,
    created_at: Timestamp,
    /// Somebody else's post that the account passed on.
    reblog: Option<IgnoredAny>,
}

/// What proves that a post was made.
#[derive(Deserialize)]
struct Created {
    id: String,
    url: Option<String>,
}

impl Mastodon {
    pub(super) async fn create_status(&self, &Call { account, content, key, now, .. }: &Call<'_>) -> Outcome {
        let Some(server) = account.server else { return Outcome::NotSent { detail: NO_SERVER.to_owned() } };
        let request = self.call(Method::POST, address::join(&server.api, &["api", "v1", "statuses"]), account.tokens);
        let request = request.header("idempotency-key", key).json(&NewStatus { status: &content.text, content_type: "text/plain" });
        match self.http.send(request, COMMIT_TIMEOUT).await {
            Ok(answer) => created(&answer, account.username, server, now),
            Err(error) => error.into(),
        }
    }

    /// Newest first, page by page, until one ends before `since`.
    pub(super) async fn list_statuses(
        &self,
        account: Account<'_>,
        (since, until): (Timestamp, Option<Timestamp>),
        now: Timestamp,
    ) -> Result<Vec<OwnPost>, ReadError> {
        let unreadable = |what| ReadError::Unavailable { detail: detail::of_answer(200, &[Some(what)]) };
        let (server, id) = on_its_server(account)?;
        let mut posts = Vec::new();
        let mut before: Option<String> = None;
        for _ in 0..SHORT_PAGES_MAX {
            let mut url = address::join(&server.api, &["api", "v1", "accounts", id, "statuses"]);
            url.query_pairs_mut()
                .append_pair("limit", &PAGE.to_string())
                .append_pair("exclude_reblogs", "true")
                .extend_pairs(before.as_deref().map(|id| ("max_id", id)));
            let answer = self.http.send(self.call(Method::GET, url, account.tokens), CALL_TIMEOUT).await?;
            if answer.status != StatusCode::OK {
                return Err(judge(&answer, now).into());
            }
            let page: Vec<Status> = answer.json().ok_or_else(|| unreadable("unreadable statuses"))?;
            let last = page.last();
            // A list that does not go on would be read for ever, and is no evidence.
            if last.is_some_and(|last| !address::is_id(&last.id) || before.as_deref() == Some(last.id.as_str())) {
                return Err(unreadable("statuses that do not go on"));
            }
            let goes_on = last.filter(|last| last.created_at >= since).map(|last| last.id.clone());
            let is_wanted = |status: &Status| status.created_at >= since && until.is_none_or(|until| status.created_at <= until);
            posts.extend(page.iter().filter(|status| is_wanted(status)).filter_map(|status| own(status, account.username, server)));
            before = goes_on;
            if before.is_none() {
                posts.sort_by_key(|post| std::cmp::Reverse(post.created_at));
                return Ok(posts);
            }
        }
        Err(unreadable("too many statuses"))
    }
}

/// The account's server, and its id there.
pub(super) fn on_its_server(account: Account<'_>) -> Result<(&Server, &str), ReadError> {
    let found = account.server.and_then(|server| Some((server, bare(account.id, server)?)));
    found.ok_or_else(|| ReadError::Unavailable { detail: NO_SERVER.to_owned() })
}

fn own(status: &Status, username: &str, server: &Server) -> Option<OwnPost> {
    (status.reblog.is_none() && address::is_id(&status.id)).then(|| OwnPost {
        url: Some(permalink(status.url.as_deref(), username, &status.id, server)),
        text: text_of(&status.content),
        created_at: status.created_at,
        id: qualified(&status.id, server),
    })
}

/// Published only with an id: a 2xx without one proves nothing.
fn created(answer: &Answer, username: &str, server: &Server, now: Timestamp) -> Outcome {
    match answer.json::<Created>() {
        Some(Created { id, url }) if answer.status.is_success() && address::is_id(&id) => Outcome::Accepted {
            url: Some(permalink(url.as_deref(), username, &id, server)),
            post_id: qualified(&id, server),
            http_status: answer.status.as_u16(),
        },
        _ => judge(answer, now).into(),
    }
}

/// Where people see it: the server's own word, as long as it is a page of that server.
fn permalink(told: Option<&str>, username: &str, id: &str, server: &Server) -> String {
    let told = told.and_then(|told| Url::parse(told).ok()).filter(|url| url.origin() == server.api.origin());
    told.map_or_else(|| of_mastodon(username, id, server), String::from)
}

fn of_mastodon(username: &str, id: &str, server: &Server) -> String {
    let name = username.split('@').next().unwrap_or_default();
    address::join(&server.api, &[&format!("@{name}"), id]).into()
}

#[cfg(test)]
mod tests {
    use domain::platform::ServerLimits;

    use super::*;

    fn server() -> Server {
        let url = Url::parse("https://mastodon.example/").unwrap();
        Server { api: url.clone(), issuer: url, software: "mastodon".into(), limits: ServerLimits::default() }
    }

    #[test]
    fn a_post_without_an_id_is_in_doubt() {
        let outcome =
            |status, body| created(&Answer::recorded(status, &[], body), "ada@mastodon.example", &server(), Timestamp::UNIX_EPOCH);
        let url = "https://mastodon.example/@ada/109";
        let status = format!(r#"{{"id":"109","url":"{url}","content":"<p>hi</p>","visibility":"public"}}"#);
        let accepted = Outcome::Accepted { post_id: "109@mastodon.example".into(), url: Some(url.into()), http_status: 200 };
        assert_eq!(outcome(200, &status), accepted);
        for (status, body) in
            [(200, "{}"), (200, "<html>"), (200, r#"{"id":""}"#), (200, r#"{"id":7}"#), (202, ""), (200, r#"{"error":"x"}"#)]
        {
            assert!(matches!(outcome(status, body), Outcome::Unknown { .. }), "{status} {body}");
        }
    }

    #[test]
    fn a_link_leads_to_the_accounts_own_server() {
        let link = |told| permalink(told, "ada@mastodon.example", "109", &server());
        assert_eq!(link(Some("https://mastodon.example/notes/109")), "https://mastodon.example/notes/109");
        for odd in
            [None, Some("javascript:alert(1)"), Some("https://evil.example/@ada/109"), Some("http://mastodon.example/@ada/109"), Some("")]
        {
            assert_eq!(link(odd), "https://mastodon.example/@ada/109", "{odd:?}");
        }
    }

    #[test]
    fn what_was_passed_on_is_no_post_of_the_account() {
        let read = |reblog: &str| {
            let body = format!(r#"{{"id":"1","url":null,"content":"<p>x</p>","created_at":"2026-11-23T09:00:00.000Z","reblog":{reblog}}}"#);
            own(&serde_json::from_str(&body).unwrap(), "ada@mastodon.example", &server())
        };
        assert_eq!(read("null").unwrap().text, "x");
        assert!(read(r#"{"id":"2"}"#).is_none());
    }
}
