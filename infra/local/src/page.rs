//! The page that stands where the frontend would: it says what this is and what to try.

use axum::Router;
use axum::response::Html;
use axum::routing::get;
use edge::problem::{Problem, ProblemCode};

/// The paths that the service sends browsers back to.
const PATHS: [&str; 5] = ["/", "/connections", "/onboarding", "/posts", "/settings"];

/// Commands that walk the main job at `base_url`, to be pasted into a shell.
pub fn what_to_try(base_url: &str) -> String {
    include_str!("what_to_try.txt").replace("$URL", base_url)
}

/// The page on each of its paths. It shows nothing of the query: the address bar does.
pub(crate) fn router(base_url: &str) -> Router {
    let commands = what_to_try(base_url).replace('&', "&amp;").replace('<', "&lt;");
    let page = include_str!("page.html").replace("$WHAT_TO_TRY", &commands);
    let answer = get(move || std::future::ready(Html(page.clone())));
    let router = PATHS.into_iter().fold(Router::new(), |router, path| router.route(path, answer.clone()));
    router.method_not_allowed_fallback(|| async { Problem::new(ProblemCode::MethodNotAllowed) })
}
