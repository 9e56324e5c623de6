//! How a function starts, and what it says when it cannot.
//!
//! A function that lacks a variable or a secret must not guess, and must not die without a word: a process that ends during its
//! start is started again for every request, and API Gateway tells the caller nothing but 500. So the reason is logged once,
//! with everything that is at fault, and every invocation is then refused until somebody has mended it and deployed again.

use std::error::Error;
use std::time::Duration;

use axum::Router;
use jiff::SignedDuration;
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde::de::IgnoredAny;
use tracing::Level;

use crate::clock::Clock;
use crate::config::ConfigError;
use crate::host::Host;
use crate::http_event::run_http;
use crate::lines::Lines;
use crate::problem::{Problem, chain};
use crate::telemetry;

/// When a caller may ask again after a start that failed: a person has to act first.
const RETRY_AFTER: SignedDuration = SignedDuration::from_mins(1);

/// How long a start reads ahead. Lambda gives it ten seconds in all.
const PRELOAD_MAX: Duration = Duration::from_secs(5);

/// The function could not start; the reason is in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the function could not start; the reason is in its log")]
pub struct NotStarted;

impl From<NotStarted> for Diagnostic {
    fn from(error: NotStarted) -> Self {
        Self { error_type: "NotStarted".to_owned(), error_message: error.to_string() }
    }
}

/// Serves the router that `build` makes, until Lambda stops the process. Without one, every request is answered 503 `unavailable`.
pub async fn http<E: Error + 'static>(build: impl AsyncFnOnce(&Host) -> Result<Router, E>) -> Result<(), lambda_runtime::Error> {
    run_http(on_lambda(build).await.map_or_else(|NotStarted| unavailable(), |(_, router)| router)).await
}

/// Builds what a queue's or a schedule's function works with and hands it to `run`. Without it, every invocation fails: messages
/// come again, and the alarms on errors and dead letters see it.
pub async fn worker<T, E: Error + 'static>(
    build: impl AsyncFnOnce(&Host) -> Result<T, E>,
    run: impl AsyncFnOnce(Host, T) -> Result<(), lambda_runtime::Error>,
) -> Result<(), lambda_runtime::Error> {
    match on_lambda(build).await {
        Ok((host, deps)) => Box::pin(run(host, deps)).await,
        Err(refusal) => lambda_runtime::run(service_fn(|_: LambdaEvent<IgnoredAny>| async move { Err::<(), _>(refusal) })).await,
    }
}

async fn on_lambda<T, E: Error + 'static>(build: impl AsyncFnOnce(&Host) -> Result<T, E>) -> Result<(Host, T), NotStarted> {
    let host = Host::lambda().map_err(|error| {
        // The level itself may be at fault.
        telemetry::init(Level::INFO, Clock::system(), Lines::stdout());
        refused::<ConfigError>(&error)
    })?;
    // Boxed here and below: nested whole, a start's futures are deeper than the compiler cares to lay out.
    let deps = Box::pin(build(&host)).await.map_err(|error| refused(&error))?;
    Ok((host, deps))
}

/// Awaits what a start reads ahead of the first request, for a bounded time, and logs everything that was not to be had. The
/// function serves all the same: what needs the missing thing asks again and answers 503, the rest is not held up by it.
pub async fn preload<E: Error + 'static>(read: impl Future<Output = Vec<E>>) {
    let Ok(errors) = tokio::time::timeout(PRELOAD_MAX, read).await else {
        return tracing::warn!("reading ahead took too long; the first requests read for themselves");
    };
    for error in errors {
        tracing::error!(error = chain(&error), "something that this function needs is missing; what needs it is refused");
    }
}

fn refused<E: Error + 'static>(error: &E) -> NotStarted {
    tracing::error!(error = chain(error), "the function cannot start; mend what is named here and deploy again");
    NotStarted
}

/// What answers when nothing else can.
fn unavailable() -> Router {
    Router::new().fallback(|| async { Problem::unavailable(RETRY_AFTER) })
}

#[cfg(test)]
mod tests {
    use http::header::RETRY_AFTER;
    use http::{Request, StatusCode};
    use tower::ServiceExt;
    use tracing::instrument::WithSubscriber;

    use super::*;
    use crate::config::Fault;
    use crate::lines::Captured;

    #[tokio::test]
    async fn a_function_that_could_not_start_answers_503_on_every_path() {
        for (method, path) in [("GET", "/"), ("POST", "/api/posts"), ("GET", "/oauth/x/start")] {
            let request = Request::builder().method(method).uri(path).body(axum::body::Body::empty()).unwrap();
            let response = unavailable().oneshot(request).await.unwrap();
            assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
            assert_eq!(response.headers()[RETRY_AFTER], "60");
        }
    }

    #[tokio::test]
    async fn what_could_not_be_read_ahead_is_named_in_the_log() {
        let captured = Captured::default();
        let subscriber = telemetry::scoped(Level::INFO, Clock::system(), captured.lines());
        preload(async { vec![std::io::Error::other("secret a/platform/x does not exist")] }).with_subscriber(subscriber).await;
        let lines = captured.read();
        assert_eq!(lines.len(), 1);
        assert!(lines[0].contains("a/platform/x") && lines[0].contains(r#""level":"ERROR""#), "{}", lines[0]);
    }

    #[test]
    fn the_log_names_everything_that_is_at_fault() {
        let captured = Captured::default();
        let subscriber = telemetry::scoped(Level::INFO, Clock::system(), captured.lines());
        let faults = ConfigError(vec![Fault::Missing("POSTS_TABLE"), Fault::Missing("PUBLIC_URL")]);
        tracing::dispatcher::with_default(&subscriber, || assert_eq!(refused(&faults), NotStarted));
        let lines = captured.read();
        assert_eq!(lines.len(), 1);
        assert!(lines[0].contains("POSTS_TABLE is missing") && lines[0].contains("PUBLIC_URL is missing"), "{}", lines[0]);
        assert!(lines[0].contains(r#""level":"ERROR""#), "{}", lines[0]);
    }
}
