//! What API Gateway does about pages of other origins, once it is told who may call: it answers preflights by itself, and
//! tells the browser of every other answer who may read it. The functions know nothing of it.

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};

/// What a page may send; as in `template.yaml`.
const ALLOW_METHODS: &str = "GET,POST,PATCH,DELETE";
/// The headers beside the plain ones that a page may send; as in `template.yaml`.
const ALLOW_HEADERS: &str = "content-type,x-csrf-token,if-match,idempotency-key";
/// The headers beside the plain ones that a page may read; as in `template.yaml`.
const EXPOSE_HEADERS: &str = "content-disposition,etag,idempotency-replayed,link,retry-after";
/// For how long a browser remembers a preflight; as in `template.yaml`.
const MAX_AGE_SECS: u64 = 600;

/// Whose pages may call.
#[derive(Debug, Clone)]
pub struct Cors {
    allowed_origins: Vec<String>,
}

impl Cors {
    /// Pages of `allowed_origins`, as browsers write an origin.
    pub fn new(allowed_origins: Vec<String>) -> Self {
        Self { allowed_origins }
    }

    /// The answer to a preflight, which reaches no function; `None`: it is none.
    pub fn preflight<B: Default>(&self, method: &Method, headers: &HeaderMap) -> Option<Response<B>> {
        if method != Method::OPTIONS || !headers.contains_key(ORIGIN) || !headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD) {
            return None;
        }
        let mut response = Response::new(B::default());
        *response.status_mut() = StatusCode::NO_CONTENT;
        if let Some(origin) = self.allowed(headers) {
            self.tell(&origin, response.headers_mut());
            let fixed = [(ACCESS_CONTROL_ALLOW_METHODS, ALLOW_METHODS), (ACCESS_CONTROL_ALLOW_HEADERS, ALLOW_HEADERS)];
            response.headers_mut().extend(fixed.map(|(name, value)| (name, HeaderValue::from_static(value))));
            response.headers_mut().insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from(MAX_AGE_SECS));
        }
        Some(response)
    }

    /// The allowed origin that a request names, if it names one alone.
    pub fn allowed(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        let mut named = headers.get_all(ORIGIN).iter();
        let (Some(origin), None) = (named.next(), named.next()) else { return None };
        self.allowed_origins.iter().any(|allowed| allowed.as_bytes() == origin.as_bytes()).then(|| origin.clone())
    }

    /// Tells a browser that a page of `origin` may read an answer. What the function said about it does not count.
    pub fn tell(&self, origin: &HeaderValue, answer: &mut HeaderMap) {
        let fixed: [(HeaderName, HeaderValue); 4] = [
            (ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone()),
            (ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true")),
            (ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSE_HEADERS)),
            (VARY, HeaderValue::from_static("origin")),
        ];
        for (name, value) in fixed {
            answer.insert(name, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_says_the_same() {
        let template = include_str!("../../../../template.yaml");
        let list = |text: &str| format!("[{}]", text.replace(',', ", "));
        for line in [
            format!("AllowMethods: {}", list(ALLOW_METHODS)),
            format!("AllowHeaders: {}", list(ALLOW_HEADERS)),
            format!("ExposeHeaders: {}", list(EXPOSE_HEADERS)),
            format!("MaxAge: {MAX_AGE_SECS}"),
            "AllowCredentials: true".to_owned(),
            "AllowOrigins: !Ref AllowedOrigins".to_owned(),
        ] {
            assert!(template.contains(&line), "{line}");
        }
    }
}
