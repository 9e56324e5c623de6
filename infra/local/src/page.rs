//! The page that stands where the frontend would: it says what this is and what to try.

use axum::response::Html;

/// The paths that the service sends browsers back to.
pub(crate) const PATHS: [&str; 5] = ["/", "/connections", "/onboarding", "/posts", "/settings"];

pub(crate) async fn page() -> Html<&'static str> {
    Html(include_str!("page.html"))
}
