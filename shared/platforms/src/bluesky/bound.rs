//! Calls that prove that we have a key (RFC 9449). A server gives a nonce to show with them, and asks for a new one every few minutes; nothing is
//! kept here, so that a first call may cost a second.

use http::Method;
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use std::time::Duration;
use url::Url;

use super::errors::error_of;
use super::key::Key;
use super::proof::Proof;
use crate::http::{Answer, Http, SendError};

/// What a server asks for a nonce with.
const USE_NONCE: &str = "use_dpop_nonce";

/// The longest nonce that is shown again.
const NONCE_BYTES_MAX: usize = 512;

/// A body and what it is.
pub(super) enum Body {
    /// A form.
    Form(Vec<(&'static str, String)>),
    /// JSON.
    Json(serde_json::Value),
}

impl Body {
    fn bytes(&self) -> (&'static str, Vec<u8>) {
        match self {
            Self::Form(fields) => {
                let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
                ("application/x-www-form-urlencoded", form.into_bytes())
            }
            Self::Json(value) => ("application/json", value.to_string().into_bytes()),
        }
    }
}

/// Who calls.
#[derive(Clone, Copy)]
pub(super) struct Bound<'a> {
    pub(super) http: &'a Http,
    pub(super) key: &'a Key,
    /// Sent along where there is one.
    pub(super) access: Option<&'a SecretString>,
    pub(super) now: Timestamp,
}

impl Bound<'_> {
    /// One POST, and once more where the server took the first for nothing but to give its nonce. `body` is made for each: what is signed in it is
    /// shown once, too. Either ends within `timeout`.
    pub(super) async fn post(&self, url: &Url, timeout: Duration, body: impl Fn(Option<&str>) -> Body) -> Result<Answer, SendError> {
        let first = self.once(url, timeout, &body(None), None).await?;
        match nonce(&first) {
            Some(nonce) => self.once(url, timeout, &body(Some(&nonce)), Some(&nonce)).await,
            None => Ok(first),
        }
    }

    async fn once(&self, url: &Url, timeout: Duration, body: &Body, nonce: Option<&str>) -> Result<Answer, SendError> {
        let (content_type, body) = body.bytes();
        let Self { http, key, access, now } = *self;
        let proof = Proof { method: &Method::POST, url, access, nonce, body: &body, now }.sign(key);
        let mut request = http.request(Method::POST, url.clone()).header("DPoP", &proof).header("Content-Type", content_type);
        if let Some(access) = access {
            request = request.header("Authorization", &format!("DPoP {}", access.expose_secret()));
        }
        http.send(request.body(body), timeout).await
    }
}

/// The nonce that an answer wants to be shown. Whatever else it was asked, it has not done.
fn nonce(answer: &Answer) -> Option<String> {
    let wants = matches!(answer.status.as_u16(), 400 | 401) && error_of(answer) == USE_NONCE;
    let nonce = answer.headers.get("dpop-nonce")?.to_str().ok()?;
    (wants && (1..=NONCE_BYTES_MAX).contains(&nonce.len())).then(|| nonce.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_is_taken_where_it_is_asked_for_and_nowhere_else() {
        let body = r#"{"error":"use_dpop_nonce","error_description":"Authorization server requires nonce in DPoP proof"}"#;
        let header = r#"DPoP error="use_dpop_nonce", error_description="Resource server requires nonce in DPoP proof""#;
        let of = |status, headers: &[(&'static str, &str)], body| nonce(&Answer::recorded(status, headers, body));
        assert_eq!(of(400, &[("dpop-nonce", "n1")], body).as_deref(), Some("n1"));
        assert_eq!(of(401, &[("dpop-nonce", "n1"), ("www-authenticate", header)], "").as_deref(), Some("n1"));
        assert_eq!(of(401, &[("dpop-nonce", "n1")], r#"{"error":"invalid_token"}"#), None);
        assert_eq!(of(200, &[("dpop-nonce", "n1")], body), None);
        assert_eq!(of(400, &[], body), None);
        assert_eq!(of(400, &[("dpop-nonce", &"n".repeat(NONCE_BYTES_MAX + 1))], body), None);
    }
}
