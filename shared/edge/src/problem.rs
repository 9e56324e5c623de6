//! Refusals, as `application/problem+json` (RFC 9457).
//!
//! A problem carries only what we chose to say: never input, upstream text or a secret. Causes are logged, once, here.

mod code;

use std::borrow::Cow;
use std::error::Error;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderName, HeaderValue, StatusCode};
use jiff::SignedDuration;
use serde::Serialize;
use utoipa::ToSchema;

pub use code::ProblemCode;
pub use domain::field_code::FieldCode;

/// How many causes of an error are logged.
const CAUSES_MAX: usize = 16;

/// One field at fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// Where, as a JSON pointer (RFC 6901) into the body such as `/content`. Of a query it is a parameter's name, such as `/limit`. Empty:
    /// the body or the query itself.
    #[schema(value_type = String, example = "/phone")]
    pub pointer: Cow<'static, str>,
    /// What is wrong, stable and in snake case.
    pub code: FieldCode,
    /// What is wrong and what to do, in sentences that do not repeat the input.
    #[schema(value_type = String, example = "This is no mobile phone number. Give one in international form, such as +61 412 345 678.")]
    pub detail: Cow<'static, str>,
}

impl FieldError {
    /// A fault at `pointer`. The detail says what is wrong and what to do, in sentences; it must not repeat the caller's input.
    pub fn new(pointer: impl Into<Cow<'static, str>>, code: FieldCode, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { pointer: pointer.into(), code, detail: detail.into() }
    }
}

/// A refused call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    code: ProblemCode,
    detail: Cow<'static, str>,
    errors: Vec<FieldError>,
    headers: Vec<(HeaderName, HeaderValue)>,
    passes: bool,
}

/// Of an answer: what it says passes, by itself or by what its reader does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Passes;

impl Problem {
    /// A problem that says what its code says.
    pub fn new(code: ProblemCode) -> Self {
        Self { code, detail: Cow::Borrowed(code.default_detail()), errors: Vec::new(), headers: Vec::new(), passes: false }
    }

    /// Says that the same request may be answered otherwise later: it is not kept under an idempotency key.
    #[must_use]
    pub fn that_passes(self) -> Self {
        Self { passes: true, ..self }
    }

    /// Says more than the code does. The text must not repeat the caller's input.
    #[must_use]
    pub fn with_detail(self, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { detail: detail.into(), ..self }
    }

    /// Names a field at fault.
    #[must_use]
    pub fn with_error(mut self, pointer: impl Into<Cow<'static, str>>, code: FieldCode, detail: impl Into<Cow<'static, str>>) -> Self {
        self.errors.push(FieldError::new(pointer, code, detail));
        self
    }

    /// Sets a header of the answer.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Fields at fault: 422 `validation_failed`.
    pub fn validation(errors: Vec<FieldError>) -> Self {
        Self { errors, ..Self::new(ProblemCode::ValidationFailed) }
    }

    /// A parameter of the query at fault: 400 `malformed_request`.
    pub fn query(error: FieldError) -> Self {
        Self {
            errors: vec![error],
            ..Self::new(ProblemCode::MalformedRequest).with_detail("A parameter of the query is at fault. Correct what `errors` names.")
        }
    }

    /// A cursor that was not given to this user for this list: 400 `invalid_cursor`.
    pub fn invalid_cursor() -> Self {
        let detail = "Give the `next_cursor` of the page before, or leave it out to begin anew.";
        Self::new(ProblemCode::InvalidCursor).with_error("/cursor", FieldCode::CursorUnknown, detail)
    }

    /// A code or certificate that cannot be used, whatever the reason: 400 `invalid_code`.
    pub fn invalid_code() -> Self {
        let detail = "This code cannot be used. Check it letter by letter, or get another one.";
        Self::new(ProblemCode::InvalidCode).with_error("/code", FieldCode::CodeUnusable, detail)
    }

    /// Neither this caller's nor anybody's: 404 `not_found`, the same for both.
    pub fn not_found() -> Self {
        Self::new(ProblemCode::NotFound)
    }

    /// 405 `method_not_allowed`; `allow` lists the methods that the address takes.
    pub fn method_not_allowed(allow: HeaderValue) -> Self {
        Self::new(ProblemCode::MethodNotAllowed).with_header(ALLOW, allow)
    }

    /// Says when it is worth to try again, in whole seconds, rounded up, at least one.
    #[must_use]
    pub fn with_retry_after(self, retry_after: SignedDuration) -> Self {
        self.with_header(RETRY_AFTER, whole_seconds(retry_after))
    }

    /// 429 `too_many_requests`, to be tried again after `retry_after`.
    pub fn too_many_requests(retry_after: SignedDuration) -> Self {
        Self::new(ProblemCode::TooManyRequests).with_retry_after(retry_after)
    }

    /// 503 `unavailable`, to be tried again after `retry_after`.
    pub fn unavailable(retry_after: SignedDuration) -> Self {
        Self::new(ProblemCode::Unavailable).with_retry_after(retry_after)
    }

    /// 503 `unavailable` because of `error`, which is logged with its causes and not shown.
    pub fn unavailable_because(error: &dyn Error) -> Self {
        tracing::warn!(error = chain(error), "a dependency is unavailable");
        Self::unavailable(SignedDuration::from_secs(1))
    }

    /// 500 `internal` because of `error`, which is logged with its causes and not shown.
    pub fn internal(error: &dyn Error) -> Self {
        tracing::error!(error = chain(error), "a request failed on our side");
        Self::new(ProblemCode::Internal)
    }

    /// Which problem it is.
    pub fn code(&self) -> ProblemCode {
        self.code
    }

    /// The status that it is answered with.
    pub fn status(&self) -> StatusCode {
        self.code.status()
    }

    /// The fields at fault.
    pub fn errors(&self) -> &[FieldError] {
        &self.errors
    }
}

/// An error and its causes on one line, outermost first.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    for _ in 0..CAUSES_MAX {
        let Some(error) = cause else { break };
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

fn whole_seconds(wait: SignedDuration) -> HeaderValue {
    let up = wait.as_secs().saturating_add(i64::from(wait.subsec_nanos() > 0));
    HeaderValue::from(up.max(1))
}

/// The body of a problem (RFC 9457, section 3.1, with our `code` and `errors`).
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemBody<'a> {
    /// Always `about:blank`: `code` tells problems apart.
    r#type: &'static str,
    /// The code in words, the same for every occurrence.
    title: &'static str,
    /// The status that it is answered with.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// Which problem it is; stable.
    #[schema(value_type = ProblemCode)]
    code: &'static str,
    /// What happened and what to do, in sentences.
    detail: &'a str,
    /// The fields at fault; absent where none is.
    #[serde(skip_serializing_if = "<[FieldError]>::is_empty")]
    errors: &'a [FieldError],
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = ProblemBody {
            r#type: "about:blank",
            title: self.code.title(),
            status: self.code.status().as_u16(),
            code: self.code.as_str(),
            detail: &self.detail,
            errors: &self.errors,
        };
        let body = serde_json::to_vec(&body).expect("a problem holds only numbers, strings and lists");
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = self.code.status();
        for (name, value) in self.headers {
            response.headers_mut().insert(name, value);
        }
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        // For whatever stands around the routes: which problem it is, without reading the body.
        response.extensions_mut().insert(self.code);
        if self.passes {
            response.extensions_mut().insert(Passes);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn shown(problem: Problem) -> (http::response::Parts, serde_json::Value) {
        let (parts, body) = problem.into_response().into_parts();
        let bytes = axum::body::to_bytes(body, 10_000).await.unwrap();
        (parts, serde_json::from_slice(&bytes).unwrap())
    }

    #[tokio::test]
    async fn a_problem_has_the_contracts_shape() {
        let problem = Problem::new(ProblemCode::ValidationFailed).with_error("/content", FieldCode::TextTooLong, "The text is too long.");
        let (parts, body) = shown(problem).await;
        assert_eq!(parts.status, 422);
        assert_eq!(parts.headers[CONTENT_TYPE], "application/problem+json");
        assert_eq!(
            body,
            serde_json::json!({
                "type": "about:blank", "title": "Validation failed", "status": 422, "code": "validation_failed",
                "detail": "Some fields are at fault. Correct what `errors` names.",
                "errors": [{"pointer": "/content", "code": "text_too_long", "detail": "The text is too long."}],
            })
        );
    }

    #[tokio::test]
    async fn a_wait_is_rounded_up_and_never_zero() {
        for (millis, header) in [(0, "1"), (1, "1"), (1000, "1"), (1001, "2"), (59_500, "60"), (-5, "1")] {
            let (parts, body) = shown(Problem::too_many_requests(SignedDuration::from_millis(millis))).await;
            assert_eq!(parts.headers[RETRY_AFTER], header, "{millis}");
            assert!(body.get("errors").is_none());
        }
    }

    #[tokio::test]
    async fn the_cause_of_an_internal_error_is_not_shown() {
        #[derive(Debug, thiserror::Error)]
        #[error("saving the post")]
        struct Outer(#[source] std::io::Error);
        let error = Outer(std::io::Error::other("table posts-7 is gone"));
        assert_eq!(chain(&error), "saving the post: table posts-7 is gone");
        let (parts, body) = shown(Problem::internal(&error)).await;
        assert_eq!(parts.status, 500);
        assert!(!body.to_string().contains("posts-7"), "{body}");
    }

    #[test]
    fn codes_are_unique_and_in_snake_case() {
        let mut names: Vec<_> = ProblemCode::ALL.iter().map(|code| code.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ProblemCode::ALL.len());
        for code in ProblemCode::ALL {
            assert!(code.as_str().bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'));
            assert!(code.default_detail().ends_with('.') && code.status().as_u16() >= 400);
            assert!(code.default_detail().starts_with(char::is_uppercase), "{code:?}");
        }
    }
}
