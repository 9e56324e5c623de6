//! Containers: a post that nobody sees yet. See <https://developers.facebook.com/docs/threads/posts> and
//! <https://developers.facebook.com/docs/threads/troubleshooting>.
//!
//! A handle is a container's id with a word before it. Of a published container Threads does not tell which post it became: then the handle
//! stands in the place of the post's id, and must not be taken for one.

use std::time::Duration;

use domain::failure::FailureCode;
use http::Method;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use super::Threads;
use super::errors::{is_not_seen, judge, of_look};
use crate::http::{Answer, CALL_TIMEOUT, COMMIT_TIMEOUT, SendError};
use crate::{Account, Advance, Call, HandleState, Outcome, PrepareError, Prepared, ReadError, address, detail};

/// What a handle begins with.
const CONTAINER: &str = "container-";

/// For so long a container can be published.
const LIFE: SignedDuration = SignedDuration::from_hours(24);

/// How long Threads is left alone with a container. Its documents advise 30 seconds before the first look.
const WAIT: SignedDuration = SignedDuration::from_secs(30);

/// A step is two calls at most: a look at what there was, and a new container where that is over.
const CALLS_MAX: u32 = 2;

#[derive(Deserialize)]
struct Created {
    id: String,
}

#[derive(Deserialize)]
struct Container {
    status: String,
    error_message: Option<String>,
}

/// What Threads says of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// At work.
    InProgress,
    /// Ready to be published.
    Finished,
    /// A post by now.
    Published,
    /// Not published within its life.
    Expired,
    /// Broken by what the post holds.
    Refused,
    /// Broken, and no word of why.
    Broken,
    /// There is none, or none that this token may see.
    NotSeen,
}

/// Whether what stands in the place of a post's id is a handle.
pub(super) fn is_handle(id: &str) -> bool {
    id.starts_with(CONTAINER)
}

impl Threads {
    /// One step: a container, or a look at the one that there is. One that cannot be published any more is replaced, but never one that was.
    pub(super) async fn prepare_container(&self, call: &Call<'_>, so_far: Option<Prepared>) -> Result<Advance, PrepareError> {
        let limit = CALL_TIMEOUT.min(call.time_left / CALLS_MAX);
        let Some((made, container)) = so_far.as_ref().and_then(|made| Some((made, container_of(made.handle.as_deref()?)?))) else {
            return self.create_container(call, limit).await;
        };
        let answer = self.read_container(call.account, container, limit).await?;
        match state_of(&answer).map_err(|()| judge(&answer, call.now))? {
            State::InProgress => Ok(Advance::Wait(made.clone(), call.now + WAIT)),
            // What is a post already is never prepared anew: its handle leads to the post.
            State::Finished | State::Published => Ok(Advance::Ready(Prepared { ready: true, ..made.clone() })),
            State::Expired | State::Broken | State::NotSeen => self.create_container(call, limit).await,
            State::Refused => {
                let detail = detail::of_answer(answer.status.as_u16(), &[Some("the container failed")]);
                Err(PrepareError::Rejected { code: FailureCode::ContentRejected, http_status: answer.status.as_u16(), detail })
            }
        }
    }

    /// With `auto_publish_text` it would be visible at once, and no container would tell of it.
    async fn create_container(&self, call: &Call<'_>, limit: Duration) -> Result<Advance, PrepareError> {
        let &Call { account, content, now, .. } = call;
        let form = [("media_type", "TEXT"), ("text", content.text.as_str())];
        let request = self.call(Method::POST, self.graph(&[account.id, "threads"]), account.tokens).form(&form);
        let answer = self.http.send(request, limit).await?;
        let Some(id) = created(&answer) else { return Err(judge(&answer, now).into()) };
        Ok(Advance::Made(Prepared { handle: Some(format!("{CONTAINER}{id}")), expires_at: Some(now + LIFE), ..Prepared::default() }))
    }

    pub(super) async fn publish_container(&self, call: &Call<'_>, prepared: &Prepared) -> Outcome {
        let &Call { account, now, .. } = call;
        let Some(container) = prepared.handle.as_deref().and_then(container_of) else {
            return Outcome::NotSent { detail: "no container was made".to_owned() };
        };
        let request = self.call(Method::POST, self.graph(&[account.id, "threads_publish"]), account.tokens);
        let answer = match self.http.send(request.form(&[("creation_id", container)]), COMMIT_TIMEOUT).await {
            Ok(answer) => answer,
            Err(error) => return error.into(),
        };
        // Published only with an id: a 2xx without one proves nothing.
        let Some(post_id) = created(&answer) else { return judge(&answer, now).into() };
        let url = self.permalink(account, &post_id).await;
        Outcome::Accepted { post_id, url, http_status: answer.status.as_u16() }
    }

    /// What became of a container. That there is none proves nothing: Threads forgets them.
    pub(super) async fn look_up_container(&self, of: Account<'_>, handle: &str) -> Result<HandleState, ReadError> {
        let unavailable = |why: &str| ReadError::Unavailable { detail: detail::of_answer(200, &[Some(why)]) };
        let container = container_of(handle).ok_or_else(|| ReadError::Unavailable { detail: "an odd handle".to_owned() })?;
        let answer = self.read_container(of, container, CALL_TIMEOUT).await?;
        match state_of(&answer).map_err(|()| of_look(judge(&answer, Timestamp::UNIX_EPOCH)))? {
            State::InProgress => Ok(HandleState::InProgress),
            State::Finished => Ok(HandleState::Ready),
            State::Published => Ok(HandleState::Live { post_id: handle.to_owned(), url: None }),
            State::Expired => Ok(HandleState::Gone { code: FailureCode::TooLate }),
            State::Refused => Ok(HandleState::Gone { code: FailureCode::ContentRejected }),
            State::Broken => Err(unavailable("the container failed")),
            State::NotSeen => Err(of_look(judge(&answer, Timestamp::UNIX_EPOCH))),
        }
    }

    async fn read_container(&self, of: Account<'_>, container: &str, limit: Duration) -> Result<Answer, SendError> {
        let url = self.fields(&[container], "id,status,error_message");
        self.http.send(self.call(Method::GET, url, of.tokens), limit).await
    }
}

/// The container behind a handle.
fn container_of(handle: &str) -> Option<&str> {
    handle.strip_prefix(CONTAINER).filter(|id| address::is_id(id))
}

/// The id of what a call made.
fn created(answer: &Answer) -> Option<String> {
    answer.json::<Created>().filter(|created| answer.status.is_success() && address::is_id(&created.id)).map(|created| created.id)
}

/// `Err`: the answer is none of a container, and the table says what it is.
fn state_of(answer: &Answer) -> Result<State, ()> {
    if is_not_seen(answer) {
        return Ok(State::NotSeen);
    }
    let Some(container) = answer.json::<Container>().filter(|_| answer.status.is_success()) else { return Err(()) };
    match container.status.as_str() {
        "IN_PROGRESS" => Ok(State::InProgress),
        "FINISHED" => Ok(State::Finished),
        "PUBLISHED" => Ok(State::Published),
        "EXPIRED" => Ok(State::Expired),
        "ERROR" if container.error_message.as_deref().is_some_and(is_of_content) => Ok(State::Refused),
        "ERROR" => Ok(State::Broken),
        _ => Err(()),
    }
}

/// Whether an error of a container is one of what the post holds.
fn is_of_content(error: &str) -> bool {
    error.starts_with("FAILED_PROCESSING_") || error.starts_with("INVALID_")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(status: u16, body: &str) -> Result<State, ()> {
        state_of(&Answer::recorded(status, &[], body))
    }

    #[test]
    fn a_container_is_what_its_status_says() {
        for (body, expected) in [
            (r#"{"id":"17","status":"IN_PROGRESS"}"#, State::InProgress),
            (r#"{"id":"17","status":"FINISHED"}"#, State::Finished),
            (r#"{"id":"17","status":"PUBLISHED"}"#, State::Published),
            (r#"{"id":"17","status":"EXPIRED"}"#, State::Expired),
            (r#"{"id":"17","status":"ERROR","error_message":"INVALID_ASPEC_RATIO"}"#, State::Refused),
            (r#"{"id":"17","status":"ERROR","error_message":"FAILED_PROCESSING_AUDIO"}"#, State::Refused),
            (r#"{"id":"17","status":"ERROR","error_message":"FAILED_DOWNLOADING_VIDEO"}"#, State::Broken),
            (r#"{"id":"17","status":"ERROR","error_message":"UNKNOWN"}"#, State::Broken),
            (r#"{"id":"17","status":"ERROR"}"#, State::Broken),
        ] {
            assert_eq!(state(200, body), Ok(expected), "{body}");
        }
        assert_eq!(state(400, r#"{"error":{"code":100,"error_subcode":33}}"#), Ok(State::NotSeen));
        for (status, body) in
            [(200, "{}"), (200, r#"{"status":"RESTING"}"#), (500, r#"{"status":"PUBLISHED"}"#), (400, r#"{"error":{"code":190}}"#)]
        {
            assert_eq!(state(status, body), Err(()), "{status} {body}");
        }
    }

    #[test]
    fn a_handle_is_told_from_the_id_of_a_post() {
        assert!(is_handle("container-17") && !is_handle("17"));
        assert_eq!((container_of("container-17"), container_of("17"), container_of("container-1/7")), (Some("17"), None, None));
    }

    #[test]
    fn only_a_success_with_an_id_has_made_something() {
        let of = |status, body| created(&Answer::recorded(status, &[], body));
        assert_eq!(of(200, r#"{"id":"18041234567890123"}"#).as_deref(), Some("18041234567890123"));
        for (status, body) in [(200, "{}"), (200, r#"{"id":"1/2"}"#), (200, "<html>"), (500, r#"{"id":"18"}"#), (302, r#"{"id":"18"}"#)] {
            assert_eq!(of(status, body), None, "{status} {body}");
        }
    }
}
