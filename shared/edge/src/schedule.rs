//! Jobs that EventBridge Scheduler starts.

use std::error::Error;

use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde::de::{DeserializeOwned, IgnoredAny};
use tracing::Instrument;

use crate::problem::chain;

/// The invocation failed; the reason is in the log.
#[derive(Debug, thiserror::Error)]
#[error("the scheduled job failed; the reason is in the log")]
pub struct JobFailed;

impl From<JobFailed> for Diagnostic {
    fn from(error: JobFailed) -> Self {
        Self { error_type: "JobFailed".to_owned(), error_message: error.to_string() }
    }
}

/// Runs `job` once for each invocation, until Lambda stops the process. The event says nothing that the job needs: the
/// tables are the truth.
///
/// A failed job is logged once and fails its invocation, so that Lambda tries again and the alarm on errors sees it.
pub async fn run_scheduled<F, Fut, E>(job: F) -> Result<(), lambda_runtime::Error>
where
    F: Fn() -> Fut,
    Fut: Future<Output = Result<(), E>>,
    E: Error + 'static,
{
    run_scheduled_as(|_: IgnoredAny| job()).await
}

/// The same for a function that several schedules start, each with an input of its own.
pub async fn run_scheduled_as<T, F, Fut, E>(job: F) -> Result<(), lambda_runtime::Error>
where
    T: DeserializeOwned,
    F: Fn(T) -> Fut,
    Fut: Future<Output = Result<(), E>>,
    E: Error + 'static,
{
    lambda_runtime::run(service_fn(|event: LambdaEvent<T>| {
        let span = tracing::error_span!("invocation", request_id = event.context.request_id);
        run_once(job(event.payload)).instrument(span)
    }))
    .await
}

/// One run of a job, with its failure logged.
pub async fn run_once<E: Error + 'static>(run: impl Future<Output = Result<(), E>>) -> Result<(), JobFailed> {
    run.await.map_err(|error| {
        tracing::error!(error = chain(&error), "the scheduled job failed");
        JobFailed
    })
}

#[cfg(test)]
mod tests {
    use tracing::instrument::WithSubscriber;

    use super::*;
    use crate::clock::Clock;
    use crate::lines::Captured;
    use crate::telemetry;

    #[tokio::test]
    async fn a_failed_job_is_logged_once_and_fails_the_invocation() {
        let captured = Captured::default();
        let subscriber = telemetry::scoped(tracing::Level::INFO, Clock::system(), captured.lines());
        let run = run_once(async { Err(std::io::Error::other("table is busy")) }).with_subscriber(subscriber);
        assert!(run.await.is_err());
        let lines = captured.read();
        assert_eq!(lines.len(), 1);
        assert!(lines[0].contains("table is busy"));
        assert!(run_once(async { Ok::<_, std::io::Error>(()) }).await.is_ok());
    }
}
