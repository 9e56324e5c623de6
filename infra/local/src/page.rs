//! The page that stands where the frontend would: it says what this is and what to try.

use axum::Router;
use axum::response::Html;
use axum::routing::get;
use domain::platform::{Needs, PlatformName};
use edge::problem::{Problem, ProblemCode};
use http::HeaderValue;
use http::header::CONTENT_SECURITY_POLICY;
use sha2::{Digest, Sha256};

/// The paths that the service sends browsers back to.
const PATHS: [&str; 5] = ["/", "/connections", "/onboarding", "/posts", "/settings"];

const PAGE: &str = include_str!("page.html");

/// The page's own style and nothing else: no script, no image, no form, no frame around it.
fn content_policy() -> String {
    let style = PAGE.split_once("<style>").and_then(|(_, rest)| rest.split_once("</style>")).map_or("", |(style, _)| style);
    let hash = data_encoding::BASE64.encode(&Sha256::digest(style));
    format!("default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
}

/// Commands that walk the main job at `base_url`, to be pasted into a shell.
pub fn what_to_try(base_url: &str) -> String {
    include_str!("what_to_try.txt").replace("$URL", base_url)
}

/// The page on each of its paths. It shows nothing of the query: the address bar does.
pub(crate) fn router(base_url: &str) -> Router {
    let commands = what_to_try(base_url).replace('&', "&amp;").replace('<', "&lt;");
    let there = PlatformName::ALL.map(|platform| format!(r#"<a href="/_sim/{platform}/posts">/_sim/{platform}/posts</a>"#)).join(", ");
    let connect = PlatformName::ALL.map(|platform| {
        let name = platform.descriptor().display_name;
        let named = match platform.descriptor().needs {
            Some(Needs::Handle) => "&amp;handle=demo.bluesky.example",
            Some(Needs::Server) => "&amp;server=mastodon.example",
            None => "",
        };
        format!(r#"<a href="/oauth/{platform}/start?return_to=/connections{named}">connect {name}</a>"#)
    });
    let page = PAGE.replace("$WHAT_IS_THERE", &there).replace("$WHAT_TO_CONNECT", &connect.join(" or "));
    let page = page.replace("$WHAT_TO_TRY", &commands);
    let policy = HeaderValue::from_str(&content_policy()).expect("a policy is visible ASCII");
    let answer = get(move || std::future::ready(([(CONTENT_SECURITY_POLICY, policy.clone())], Html(page.clone()))));
    let router = PATHS.into_iter().fold(Router::new(), |router, path| router.route(path, answer.clone()));
    router.method_not_allowed_fallback(|| async { Problem::new(ProblemCode::MethodNotAllowed) })
}
