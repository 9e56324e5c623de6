//! The shapes of X's answers: problems, limits, texts with wrapped links.

use axum::Json;
use axum::response::{IntoResponse, Response};
use data_encoding::BASE32_NOPAD;
use http::{HeaderMap, HeaderValue, StatusCode};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::faults::{Dialect, OwnFault};
use crate::storage::StoredPost;

pub(super) const DIALECT: Dialect = Dialect { limited, app_limited, app_refused, restricted, rejected, duplicate, server_error };

/// `repost_count` and `created_at` are dropped without a word.
pub(super) const FIELD_DROPPED: &str = "field_dropped";

/// What X alone says and does.
pub(super) const OWN_FAULTS: &[OwnFault] = &[
    OwnFault::said("spend_cap", spend_cap),
    OwnFault::said("month_capped", month_capped),
    OwnFault::said("apps_day", apps_day),
    OwnFault::said("automated", automated),
    OwnFault::standing(FIELD_DROPPED),
];

/// 100 posts in 15 minutes; the simulator tells the limit and does not keep it.
const LIMIT: i64 = 100;
const WINDOW: SignedDuration = SignedDuration::from_mins(15);

/// An error as X writes it.
pub(super) fn problem(status: StatusCode, title: &str, kind: &str, detail: &str) -> Response {
    let kind = if kind.is_empty() { "about:blank".to_owned() } else { format!("https://api.x.com/2/problems/{kind}") };
    (status, Json(json!({ "title": title, "type": kind, "status": status.as_u16(), "detail": detail }))).into_response()
}

/// Expired and revoked look alike.
pub(super) fn unauthorized() -> Response {
    problem(StatusCode::UNAUTHORIZED, "Unauthorized", "", "Unauthorized")
}

/// A scope is missing.
pub(super) fn forbidden() -> Response {
    problem(StatusCode::FORBIDDEN, "Forbidden", "", "You are not permitted to perform this action.")
}

pub(super) fn invalid_request() -> Response {
    problem(StatusCode::BAD_REQUEST, "Invalid Request", "invalid-request", "One or more parameters to your request was invalid.")
}

fn rejected() -> Response {
    invalid_request()
}

pub(super) fn duplicate() -> Response {
    problem(StatusCode::FORBIDDEN, "Forbidden", "", "You are not allowed to create a Tweet with duplicate content.")
}

fn server_error() -> Response {
    problem(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable", "", "Service Unavailable")
}

fn limited(until: Timestamp, _now: Timestamp) -> Response {
    let response = problem(StatusCode::TOO_MANY_REQUESTS, "Too Many Requests", "", "Too Many Requests");
    with_limits(response, 0, until)
}

/// The credits that the app has paid for are used up.
fn app_limited() -> Response {
    problem(StatusCode::PAYMENT_REQUIRED, "CreditsDepleted", "credits", "Your enrolled account does not have any credits.")
}

/// The app is in no project that may post any more.
fn app_refused() -> Response {
    problem(StatusCode::FORBIDDEN, "Client Forbidden", "client-forbidden", "This app is not enrolled for what it asks.")
}

/// The account has to be unlocked by its owner.
fn restricted() -> Response {
    problem(StatusCode::FORBIDDEN, "Forbidden", "", "Your account is suspended and is not permitted to access this feature.")
}

/// The app's money for this cycle is spent.
fn spend_cap(until: Timestamp) -> Response {
    let day = until.strftime("%Y-%m-%d").to_string();
    let detail = format!(
        "Your enrolled account [1] has reached its billing cycle spend cap. API requests will be blocked until the next cycle begins on {day}."
    );
    let kind = "https://api.twitter.com/2/problems/credits";
    let body = json!({ "account_id": 1, "title": "SpendCapReached", "detail": detail, "reset_date": day, "type": kind });
    (StatusCode::FORBIDDEN, Json(body)).into_response()
}

/// The app's posts of this month are used up.
fn month_capped(_until: Timestamp) -> Response {
    let body = json!({
        "account_id": 1, "product_name": "standard-basic", "title": "UsageCapExceeded", "period": "Monthly", "scope": "Product",
        "detail": "Usage cap exceeded: Monthly product cap", "type": "https://api.twitter.com/2/problems/usage-capped",
    });
    (StatusCode::TOO_MANY_REQUESTS, Json(body)).into_response()
}

/// The app's posts of this day are used up.
fn apps_day(until: Timestamp) -> Response {
    let mut response = problem(StatusCode::TOO_MANY_REQUESTS, "Too Many Requests", "", "Too Many Requests");
    let headers = response.headers_mut();
    headers.insert("x-app-limit-24hour-limit", HeaderValue::from_static("10000"));
    headers.insert("x-app-limit-24hour-remaining", HeaderValue::from_static("0"));
    headers.insert("x-app-limit-24hour-reset", HeaderValue::from(until.as_second()));
    response
}

/// The account looks like a robot; later it may not.
fn automated(_until: Timestamp) -> Response {
    problem(StatusCode::FORBIDDEN, "Forbidden", "", AUTOMATED)
}

const AUTOMATED: &str = "This request looks like it might be automated. To protect our users from spam and other malicious activity, we can't complete this action right now. Please try again later.";

/// The headers that every answer of the API carries.
pub(super) fn with_fresh_limits(response: Response, now: Timestamp) -> Response {
    with_limits(response, LIMIT - 1, now + WINDOW)
}

fn with_limits(mut response: Response, remaining: i64, reset: Timestamp) -> Response {
    let headers: &mut HeaderMap = response.headers_mut();
    headers.insert("x-rate-limit-limit", HeaderValue::from(LIMIT));
    headers.insert("x-rate-limit-remaining", HeaderValue::from(remaining));
    headers.insert("x-rate-limit-reset", HeaderValue::from(reset.as_second()));
    response
}

/// What may be asked of a post: by the names of the specification, or the older ones.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Fields {
    #[serde(rename = "post.fields")]
    post: Option<String>,
    #[serde(rename = "tweet.fields")]
    tweet: Option<String>,
}

impl Fields {
    /// Whether a field is asked for. What X does not know is no error.
    pub(super) fn ask(&self, field: &str) -> bool {
        [&self.post, &self.tweet].into_iter().flatten().any(|fields| fields.split(',').any(|asked| asked == field))
    }

    /// The name under which reposts are counted: the answer speaks as the question does.
    pub(super) fn reposts(&self) -> &'static str {
        if self.post.is_some() { "repost_count" } else { "retweet_count" }
    }
}

/// A post in a list: links wrapped, three characters escaped, and what was asked for.
pub(super) fn shown(post: &StoredPost, fields: &Fields, dropped: bool) -> Value {
    let (mut text, mut links) = (String::new(), Vec::new());
    for (index, piece) in post.text.split_inclusive(char::is_whitespace).enumerate() {
        let word = piece.trim_end();
        if word.starts_with("https://") || word.starts_with("http://") {
            let short = format!("https://t.co/{}", link_name(post.seq, index));
            text.push_str(&short);
            links.push(json!({ "url": short, "expanded_url": word }));
        } else {
            text.push_str(&word.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;"));
        }
        text.push_str(&piece[word.len()..]);
    }
    let mut shown = json!({ "id": post.id, "text": text });
    if fields.ask("created_at") && !dropped {
        shown["created_at"] = json!(post.created_at);
    }
    if !links.is_empty() && fields.ask("entities") {
        shown["entities"] = json!({ "urls": links });
    }
    shown
}

fn link_name(seq: i64, index: usize) -> String {
    BASE32_NOPAD.encode(&Sha256::digest(format!("{seq}/{index}").as_bytes())).chars().take(10).collect()
}
