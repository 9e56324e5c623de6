//! What every router of ours does beside its routes.

use axum::Router;
use axum::extract::{MatchedPath, Request};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, Method, StatusCode};

use crate::problem::{Problem, ProblemCode};

/// The template of the route that answered, such as `/api/posts/{id}`. It rides on the answer, for the access log.
#[derive(Debug, Clone)]
pub(crate) struct RouteTemplate(pub(crate) String);

/// Finishes a router: unknown addresses become 404 and known ones with another method 405 problems, the latter with
/// `Allow`. To be called after the last route was added.
pub fn with_fallbacks<S>(router: Router<S>) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    router
        .method_not_allowed_fallback(|| async { Problem::new(ProblemCode::MethodNotAllowed) })
        .fallback(|| async { Problem::not_found() })
        .layer(middleware::from_fn(note_route))
}

/// [`with_fallbacks`] for routes that take GET alone and do something for it: axum would answer a HEAD by carrying it out.
pub fn with_fallbacks_get_alone<S>(router: Router<S>) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    with_fallbacks(router).layer(middleware::from_fn(get_alone))
}

/// Refuses HEAD as any other method that the address does not take, and offers it nowhere.
async fn get_alone(request: Request, next: Next) -> Response {
    let refusal = || Problem::method_not_allowed(HeaderValue::from_static("GET")).into_response();
    if request.method() == Method::HEAD {
        return refusal();
    }
    let response = next.run(request).await;
    // axum names the methods that it would take, HEAD with them, where nobody has named them before.
    if response.status() == StatusCode::METHOD_NOT_ALLOWED { with_route_of(&response, refusal()) } else { response }
}

fn with_route_of(from: &Response, mut to: Response) -> Response {
    to.extensions_mut().extend(from.extensions().clone());
    to
}

async fn note_route(request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map(|path| RouteTemplate(path.as_str().to_owned()));
    let mut response = next.run(request).await;
    if let Some(route) = route {
        response.extensions_mut().insert(route);
    }
    response
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::routing::get;
    use http::header::{ALLOW, CONTENT_TYPE};
    use tower::ServiceExt;

    use super::*;

    async fn ask(method: Method, path: &str) -> Response {
        let router = with_fallbacks(Router::new().route("/api/things/{id}", get(|| async { "ok" }).delete(|| async { "gone" })));
        let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
        router.oneshot(request).await.unwrap()
    }

    #[tokio::test]
    async fn a_wrong_method_is_a_problem_that_names_the_right_ones() {
        let response = ask(Method::POST, "/api/things/7").await;
        assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(response.headers()[ALLOW], "GET,HEAD,DELETE");
        assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
        assert_eq!(response.extensions().get::<RouteTemplate>().unwrap().0, "/api/things/{id}");
    }

    #[tokio::test]
    async fn where_a_get_does_something_a_head_does_nothing() {
        let done = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let count = done.clone();
        let act = move || async move { count.fetch_add(1, std::sync::atomic::Ordering::Relaxed).to_string() };
        let router = with_fallbacks_get_alone(Router::new().route("/act", get(act)));
        for method in ["HEAD", "POST", "OPTIONS", "TRACE", "get", "BREW"] {
            let request = Request::builder().method(method).uri("/act").body(Body::empty()).unwrap();
            let response = router.clone().oneshot(request).await.unwrap();
            assert_eq!((response.status().as_u16(), &response.headers()[ALLOW]), (405, &HeaderValue::from_static("GET")), "{method}");
        }
        assert_eq!(done.load(std::sync::atomic::Ordering::Relaxed), 0);
        let request = Request::builder().uri("/act").body(Body::empty()).unwrap();
        assert_eq!(router.oneshot(request).await.unwrap().status(), 200);
    }

    #[tokio::test]
    async fn an_unknown_address_is_a_problem_that_does_not_repeat_it() {
        for path in ["/git.new/evil", "/api/things", "/api/things/7/", "/"] {
            let response = ask(Method::GET, path).await;
            assert_eq!(response.status(), StatusCode::NOT_FOUND, "{path}");
            let body = axum::body::to_bytes(response.into_body(), 10_000).await.unwrap();
            assert!(!String::from_utf8_lossy(&body).contains("evil"));
        }
    }
}
