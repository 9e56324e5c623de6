//! A post as clients see it.

use axum::response::{IntoResponse, Response};
use domain::content::Content;
use domain::failure::{Action, FailureCode};
use domain::id::{AttemptId, ConnectionId, GroupId, PostId};
use domain::ledger::Actor;
use domain::platform::PlatformName;
use domain::post::{Attempt, AttemptOutcome, AttemptRecord, Event, Post, State, Status};
use domain::timing::Adjusted;
use edge::contract::Time;
use edge::if_match::entity_tag;
use edge::json::Json;
use http::header::ETAG;
use serde::Serialize;
use store::Story;
use utoipa::ToSchema;

/// A post as its owner sees it.
#[derive(Serialize, ToSchema)]
#[schema(as = Post)]
pub(crate) struct PostJson {
    /// Names the post.
    id: PostId,
    /// The posts that were made in one request share it.
    group_id: GroupId,
    /// The account that it goes to.
    connection_id: ConnectionId,
    /// Where that account is.
    platform: PlatformName,
    /// The text, as it is sent.
    content: String,
    /// No medium is taken: always empty.
    #[schema(value_type = Vec<String>, max_items = 0)]
    media: [String; 0],
    /// Where the post stands.
    status: Status,
    /// When it is due.
    scheduled_for: Time,
    /// The zone that its time was given in; `null`: none was.
    time_zone: Option<String>,
    /// After that moment it is not sent any more.
    latest_at: Time,
    /// When it was approved; `null`: it is not.
    approved_at: Option<Time>,
    /// When it went out; `null`: it is not known to have.
    published_at: Option<Time>,
    /// When it was written.
    created_at: Time,
    /// When it last changed.
    updated_at: Time,
    /// Grows with each change of what or when is sent; the `ETag`.
    version: u32,
    /// The start of the cycle that it takes a quota slot of; `null`: of none.
    subscription_cycle: Option<Time>,
    /// The platform's own name for it; `null`: not known.
    platform_post_id: Option<String>,
    /// Where it is to be seen; `null`: not known.
    platform_url: Option<String>,
    /// Why it did not go out, or not yet; `null`: nothing is wrong.
    error: Option<ErrorJson>,
    /// What went wrong so far, oldest first.
    error_log: Vec<ErrorLogJson>,
    /// How often it was tried.
    attempt_count: u32,
    /// When we try or look next; `null`: not by ourselves.
    next_attempt_at: Option<Time>,
    /// The note that is kept beside the text; `null`: none.
    ai_recommendation: Option<String>,
    /// Told once, in the answer to the request that gave the local time: `gap` or `fold`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Adjusted, required = false)]
    time_adjusted: Option<Adjusted>,
}

/// What is wrong with a post.
#[derive(Serialize, ToSchema)]
#[schema(as = PostError)]
struct ErrorJson {
    /// What is wrong; stable.
    code: FailureCode,
    /// The same in a plain sentence for its owner.
    message: &'static str,
    /// What its owner can do.
    action: Action,
}

/// What once went wrong with a post.
#[derive(Serialize, ToSchema)]
#[schema(as = LoggedError)]
struct ErrorLogJson {
    /// When.
    at: Time,
    /// What; stable.
    code: FailureCode,
    /// The same in a plain sentence for its owner.
    message: &'static str,
}

/// A post with its story.
#[derive(Serialize, ToSchema)]
#[schema(as = PostStory)]
pub(crate) struct StoryJson {
    #[serde(flatten)]
    post: PostJson,
    /// Every try, oldest first.
    attempts: Vec<AttemptJson>,
    /// Every change of its status, oldest first.
    events: Vec<EventJson>,
}

/// One try at a post.
#[derive(Serialize, ToSchema)]
#[schema(as = Attempt)]
struct AttemptJson {
    /// Names the try.
    id: AttemptId,
    /// Which one of the post's, from 1.
    number: u32,
    /// When it began.
    started_at: Time,
    /// When it ended; `null`: it runs.
    ended_at: Option<Time>,
    /// How it ended.
    outcome: AttemptOutcome,
    /// What the platform answered with; `null`: with nothing.
    http_status: Option<u16>,
    /// What went wrong; `null`: nothing.
    error: Option<ErrorJson>,
}

/// One change of a post's status.
#[derive(Serialize, ToSchema)]
#[schema(as = PostEvent)]
struct EventJson {
    /// When.
    at: Time,
    /// The status before; `null`: there was none.
    from: Option<Status>,
    /// The status after.
    to: Status,
    /// Who did it.
    actor: Actor,
    /// What happened, in words.
    note: String,
}

impl From<FailureCode> for ErrorJson {
    fn from(code: FailureCode) -> Self {
        Self { code, message: code.message(), action: code.action() }
    }
}

impl From<(Post, Content)> for PostJson {
    fn from((post, content): (Post, Content)) -> Self {
        let error = post.error().map(ErrorJson::from);
        let (status, next_attempt_at) = (post.status(), post.next_attempt_at());
        // What is held has given its quota slot back: no cycle pays for it.
        let subscription_cycle = post.cycle_start.filter(|_| !post.is_held());
        let (published_at, platform_post_id, platform_url) = match post.state {
            State::Published { at, platform_post_id, url, guessed: _ } => (Some(Time::from(at)), platform_post_id, url),
            _ => (None, None, None),
        };
        Self {
            id: post.id,
            group_id: post.group_id,
            connection_id: post.connection_id,
            platform: post.platform,
            content: content.text,
            media: [],
            status,
            scheduled_for: post.due_at.into(),
            time_zone: post.time_zone,
            latest_at: post.latest_at.into(),
            approved_at: post.approved_at.map(Time::from),
            published_at,
            created_at: post.created_at.into(),
            updated_at: post.updated_at.into(),
            version: post.version,
            subscription_cycle: subscription_cycle.map(Time::from),
            platform_post_id,
            platform_url,
            error,
            error_log: post
                .errors
                .iter()
                .map(|note| ErrorLogJson { at: note.at.into(), code: note.code, message: note.code.message() })
                .collect(),
            attempt_count: post.attempt_count,
            next_attempt_at: next_attempt_at.map(Time::from),
            ai_recommendation: content.ai_recommendation,
            time_adjusted: None,
        }
    }
}

impl PostJson {
    /// Says how a local time that did not exist, or existed twice, was read.
    pub(crate) fn adjusted(self, adjusted: Option<Adjusted>) -> Self {
        Self { time_adjusted: adjusted, ..self }
    }
}

/// A post under its version as the entity tag.
pub(crate) fn tagged(post: Post, content: Content) -> Response {
    edited(post, content, None)
}

/// The same after an edit that gave a local time.
pub(crate) fn edited(post: Post, content: Content, adjusted: Option<Adjusted>) -> Response {
    let tag = entity_tag(post.version);
    ([(ETAG, tag)], Json(PostJson::from((post, content)).adjusted(adjusted))).into_response()
}

/// A post with its whole story, tagged.
pub(crate) fn told(story: Story) -> Response {
    let tag = entity_tag(story.post.version);
    let Story { post, content, attempts, events } = story;
    let running = post.attempt().map(running);
    let events = events.into_iter().map(EventJson::from).collect();
    let attempts = attempts.into_iter().chain(running).map(AttemptJson::from).collect();
    ([(ETAG, tag)], Json(StoryJson { post: (post, content).into(), attempts, events })).into_response()
}

fn running(attempt: &Attempt) -> AttemptRecord {
    AttemptRecord { ended_at: None, ..attempt.ended(attempt.started_at, AttemptOutcome::Running, Status::Publishing) }
}

impl From<Event> for EventJson {
    fn from(event: Event) -> Self {
        let Event { at, from, to, actor, note } = event;
        Self { at: at.into(), from, to, actor, note }
    }
}

impl From<AttemptRecord> for AttemptJson {
    fn from(record: AttemptRecord) -> Self {
        Self {
            id: record.id,
            number: record.number,
            started_at: record.started_at.into(),
            ended_at: record.ended_at.map(Time::from),
            outcome: record.outcome,
            http_status: record.http_status,
            error: record.error.map(ErrorJson::from),
        }
    }
}
