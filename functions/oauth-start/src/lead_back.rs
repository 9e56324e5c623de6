//! What stands before everything else at the start of a consent: no other site may begin one, and no person sees a refusal as JSON.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use domain::people::ReturnPath;
use edge::frontend::{count_led_back, is_navigation, redirect};
use edge::prefetch;
use edge::problem::ProblemCode;
use edge::session::check_origin;
use url::form_urlencoded;

use crate::Deps;

/// Refuses what a page of another site made the browser send, before anything is read, counted or written: a person's consents of an hour
/// would be used up by it. A refusal of a navigation leads back to the frontend, with the problem's code as `error`.
pub(crate) async fn lead_back(State(deps): State<Deps>, request: Request, next: Next) -> Response {
    let navigates = is_navigation(request.headers()) && prefetch::refuse(request.headers()).is_ok();
    let return_to = asked_page(request.uri().query().unwrap_or_default());
    let answer = match check_origin(request.headers(), &deps.web.allowed_origins) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    };
    let refused = answer.extensions().get::<ProblemCode>().filter(|_| navigates).copied();
    let Some((code, told)) = refused.and_then(|code| Some((code, told(code)?))) else { return answer };
    count_led_back(&deps.metrics, deps.clock.now(), code);
    redirect(&deps.web.frontend_url, return_to, [("error", told.to_owned())])
}

/// What the frontend is told; `None`: the request is nothing that a page of ours sends.
fn told(code: ProblemCode) -> Option<&'static str> {
    match code {
        // To the frontend both mean the same: sign in.
        ProblemCode::SessionRequired | ProblemCode::SessionExpired => Some(ProblemCode::SessionRequired.as_str()),
        // A page that was loaded a while ago may name a connection that is gone, or a platform that is no longer connected here.
        ProblemCode::NotFound
        | ProblemCode::CsrfRejected
        // What the person typed is no server and no account.
        | ProblemCode::ValidationFailed
        | ProblemCode::TooManyRequests
        | ProblemCode::Unavailable
        | ProblemCode::Internal => Some(code.as_str()),
        _ => None,
    }
}

/// The page that the request asks for; one that asks twice comes from no page of ours.
fn asked_page(query: &str) -> ReturnPath {
    let mut asked = form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name == "return_to");
    match (asked.next(), asked.next()) {
        (Some((_, page)), None) => ReturnPath::from_request(Some(&page)),
        _ => ReturnPath::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_leads_to_the_page_that_was_asked_for_or_home() {
        for (query, page) in [
            ("return_to=/connections", ReturnPath::Connections),
            ("a=b&return_to=%2Fposts", ReturnPath::Posts),
            ("return_to=/posts&return_to=/settings", ReturnPath::Home),
            ("return_to=//evil.example", ReturnPath::Home),
            ("", ReturnPath::Home),
        ] {
            assert_eq!(asked_page(query), page, "{query}");
        }
    }

    #[test]
    fn what_no_page_of_ours_sends_leads_nowhere() {
        for code in [ProblemCode::MalformedRequest, ProblemCode::MethodNotAllowed] {
            assert_eq!(told(code), None);
        }
    }
}
