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

/// The contract's Post.
#[derive(Serialize, ToSchema)]
#[schema(as = Post)]
pub(crate) struct PostJson {
    id: PostId,
    group_id: GroupId,
    connection_id: ConnectionId,
    platform: PlatformName,
    content: String,
    #[schema(value_type = Vec<String>, max_items = 0)]
    media: [String; 0],
    status: Status,
    scheduled_for: Time,
    time_zone: Option<String>,
    latest_at: Time,
    approved_at: Option<Time>,
    published_at: Option<Time>,
    created_at: Time,
    updated_at: Time,
    version: u32,
    subscription_cycle: Option<Time>,
    platform_post_id: Option<String>,
    platform_url: Option<String>,
    error: Option<ErrorJson>,
    error_log: Vec<ErrorLogJson>,
    attempt_count: u32,
    next_attempt_at: Option<Time>,
    ai_recommendation: Option<String>,
    /// Told once, in the answer to the request that gave the local time: `gap` or `fold`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Adjusted, required = false)]
    time_adjusted: Option<Adjusted>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = PostError)]
struct ErrorJson {
    code: FailureCode,
    message: &'static str,
    action: Action,
}

#[derive(Serialize, ToSchema)]
#[schema(as = LoggedError)]
struct ErrorLogJson {
    at: Time,
    code: FailureCode,
    message: &'static str,
}

/// A post with its story.
#[derive(Serialize, ToSchema)]
#[schema(as = PostStory)]
pub(crate) struct StoryJson {
    #[serde(flatten)]
    post: PostJson,
    attempts: Vec<AttemptJson>,
    events: Vec<EventJson>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Attempt)]
struct AttemptJson {
    id: AttemptId,
    number: u32,
    started_at: Time,
    ended_at: Option<Time>,
    outcome: AttemptOutcome,
    http_status: Option<u16>,
    error: Option<ErrorJson>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = PostEvent)]
struct EventJson {
    at: Time,
    from: Option<Status>,
    to: Status,
    actor: Actor,
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
