//! A double of Lambda's Runtime API for one process. It hands out events, and notes when it was asked for one and when it was answered.
//!
//! Source: <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>.

use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use edge::clock::Clock;
use http::StatusCode;
use jiff::SignedDuration;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

/// How long a process has for each event.
const DEADLINE: SignedDuration = SignedDuration::from_secs(60);
/// A process does one thing at a time.
const AHEAD_MAX: usize = 1;

/// The double, for as long as this is held.
pub(super) struct RuntimeApi {
    /// What a process is told as `AWS_LAMBDA_RUNTIME_API`.
    pub(super) address: String,
    asked: mpsc::Receiver<Asked>,
    answered: mpsc::Receiver<Answered>,
    _serving: JoinSet<()>,
}

/// A process waits for an event.
pub(super) struct Asked {
    /// Since then.
    pub(super) at: Instant,
    event: oneshot::Sender<Value>,
}

struct Answered {
    at: Instant,
    answer: Result<Value, String>,
}

#[derive(Clone)]
struct Notes {
    asked: mpsc::Sender<Asked>,
    answered: mpsc::Sender<Answered>,
}

impl RuntimeApi {
    pub(super) async fn open() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("listening for a function")?;
        let address = listener.local_addr()?.to_string();
        let ((asks, asked), (answers, answered)) = (mpsc::channel(AHEAD_MAX), mpsc::channel(AHEAD_MAX));
        let router = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{id}/response", post(response))
            .route("/2018-06-01/runtime/invocation/{id}/error", post(error))
            .route("/2018-06-01/runtime/init/error", post(error))
            .with_state(Notes { asked: asks, answered: answers });
        let mut serving = JoinSet::new();
        serving.spawn(async move { drop(axum::serve(listener, router).await) });
        Ok(Self { address, asked, answered, _serving: serving })
    }

    /// The process has done all that it had to do, and asks for the next event.
    pub(super) async fn asked(&mut self) -> anyhow::Result<Asked> {
        tokio::select! {
            asked = self.asked.recv() => asked.context("nobody serves the Runtime API any more"),
            answered = self.answered.recv() => match answered.context("nobody serves the Runtime API any more")?.answer {
                Ok(_) => bail!("an answer to no event"),
                Err(error) => bail!("the function failed: {error}"),
            },
        }
    }

    /// Hands out `event`, and gives its answer and how long that took.
    pub(super) async fn hand_out(&mut self, asked: Asked, event: &Value) -> anyhow::Result<(Duration, Value)> {
        let handed_out = Instant::now();
        if asked.event.send(event.clone()).is_err() {
            bail!("the function went away while it waited for an event");
        }
        let answered = self.answered.recv().await.context("nobody serves the Runtime API any more")?;
        match answered.answer {
            Ok(answer) => Ok((answered.at.duration_since(handed_out), answer)),
            Err(error) => bail!("the function failed: {error}"),
        }
    }
}

async fn next(State(notes): State<Notes>) -> Result<Response, StatusCode> {
    let at = Instant::now();
    let (event, handed_out) = oneshot::channel();
    notes.asked.send(Asked { at, event }).await.map_err(|_| StatusCode::GONE)?;
    // No event comes any more. An answer without one would stop the function with a panic.
    let Ok(event) = handed_out.await else { return std::future::pending().await };
    let deadline = Clock::system().now() + DEADLINE;
    let headers = [
        ("lambda-runtime-aws-request-id", "bench".to_owned()),
        ("lambda-runtime-deadline-ms", deadline.as_millisecond().to_string()),
        ("lambda-runtime-invoked-function-arn", format!("arn:aws:lambda:us-east-1:{}:function:bench", embedded::ACCOUNT)),
    ];
    Ok((headers, Json(event)).into_response())
}

async fn response(State(notes): State<Notes>, answer: Bytes) -> StatusCode {
    let at = Instant::now();
    let answer = serde_json::from_slice(&answer).map_err(|_| "an answer that is no JSON".to_owned());
    note(&notes, Answered { at, answer }).await
}

async fn error(State(notes): State<Notes>, told: String) -> StatusCode {
    note(&notes, Answered { at: Instant::now(), answer: Err(told) }).await
}

async fn note(notes: &Notes, answered: Answered) -> StatusCode {
    if notes.answered.send(answered).await.is_ok() { StatusCode::ACCEPTED } else { StatusCode::GONE }
}
