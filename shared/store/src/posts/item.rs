//! The stored shape of a post, its content and its attempts.

use domain::content::{Content, ContentHash};
use domain::failure::FailureCode;
use domain::id::{AttemptId, ConnectionId, GroupId, PostId, UserId};
use domain::platform::PlatformName;
use domain::post::{
    Attempt, AttemptOutcome, AttemptRecord, ErrorNote, Intent, LateResult, Phase, Post, Prepared, SentTo, SetAside, State, Status,
};
use jiff::civil::DateTime;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::StoreError;
use crate::key::{shard, sortable};

/// One flat item: the fields of the state that it is in are set, the others are absent.
#[derive(Serialize, Deserialize)]
pub(super) struct PostItem {
    id: PostId,
    user_id: UserId,
    group_id: GroupId,
    connection_id: ConnectionId,
    platform: PlatformName,
    content_hash: ContentHash,
    version: u32,
    due_at: Timestamp,
    latest_at: Timestamp,
    time_zone: Option<String>,
    local_time: Option<DateTime>,
    created_at: Timestamp,
    updated_at: Timestamp,
    approved_at: Option<Timestamp>,
    cycle_start: Option<Timestamp>,
    attempt_count: u32,
    errors: Vec<ErrorNote>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    unseen: Vec<Intent>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    set_aside: Vec<SetAside>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sent_to: Option<SentTo>,
    #[serde(default, skip_serializing_if = "is_zero")]
    lead_secs: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    prepared: Option<Prepared>,
    rev: u64,
    /// Who wrote this rev: an attempt or a request. It makes our own write recognisable.
    writer: String,
    status: Status,
    #[serde(default)]
    state: StateFields,
    /// The sparse index of posts that need attention.
    wake_pk: Option<String>,
    wake_at: Option<String>,
    /// The index of a user's posts by time.
    list_pk: String,
    list_sk: String,
}

#[derive(Default, Serialize, Deserialize)]
struct StateFields {
    #[serde(skip_serializing_if = "Option::is_none")]
    armed: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_attempt_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    not_sent: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attempt: Option<LiveAttempt>,
    #[serde(skip_serializing_if = "Option::is_none")]
    phase: Option<StoredPhase>,
    #[serde(skip_serializing_if = "Option::is_none")]
    handle: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    intent_first_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    intent_last_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    look_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    looks: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    published_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    platform_post_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<FailureCode>,
}

#[derive(Serialize, Deserialize)]
struct LiveAttempt {
    id: AttemptId,
    number: u32,
    started_at: Timestamp,
    lease_until: Timestamp,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StoredPhase {
    Claimed,
    Sending,
}

/// A state lacks a field that it cannot be without.
#[derive(Debug, thiserror::Error)]
#[error("{status:?} without {field}")]
struct Incomplete {
    status: Status,
    field: &'static str,
}

impl PostItem {
    pub(super) fn new(post: &Post, writer: &str) -> Self {
        let wake_at = post.wake_at().map(sortable);
        Self {
            id: post.id.clone(),
            user_id: post.user_id.clone(),
            group_id: post.group_id.clone(),
            connection_id: post.connection_id.clone(),
            platform: post.platform,
            content_hash: post.content_hash.clone(),
            version: post.version,
            due_at: post.due_at,
            latest_at: post.latest_at,
            time_zone: post.time_zone.clone(),
            local_time: post.local_time,
            created_at: post.created_at,
            updated_at: post.updated_at,
            approved_at: post.approved_at,
            cycle_start: post.cycle_start,
            attempt_count: post.attempt_count,
            errors: post.errors.clone(),
            unseen: post.unseen.clone(),
            set_aside: post.set_aside.clone(),
            sent_to: post.sent_to.clone(),
            lead_secs: post.lead.as_secs(),
            prepared: post.prepared.clone(),
            rev: post.rev,
            writer: writer.to_owned(),
            status: post.status(),
            state: StateFields::new(&post.state),
            wake_pk: wake_at.as_ref().map(|_| wake_pk(shard(post.id.as_str()))),
            wake_at,
            list_pk: post.user_id.to_string(),
            list_sk: format!("{}#{}", sortable(post.due_at), post.id),
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_zero(secs: &i64) -> bool {
    *secs == 0
}

pub(super) fn wake_pk(shard: u8) -> String {
    format!("WAKE#{shard}")
}

impl TryFrom<PostItem> for Post {
    type Error = StoreError;

    fn try_from(item: PostItem) -> Result<Self, StoreError> {
        let state = item.state.read(item.status).map_err(StoreError::corrupt("post"))?;
        Ok(Self {
            id: item.id,
            user_id: item.user_id,
            group_id: item.group_id,
            connection_id: item.connection_id,
            platform: item.platform,
            content_hash: item.content_hash,
            version: item.version,
            due_at: item.due_at,
            latest_at: item.latest_at,
            time_zone: item.time_zone,
            local_time: item.local_time,
            created_at: item.created_at,
            updated_at: item.updated_at,
            approved_at: item.approved_at,
            cycle_start: item.cycle_start,
            attempt_count: item.attempt_count,
            errors: item.errors,
            unseen: item.unseen,
            set_aside: item.set_aside,
            sent_to: item.sent_to,
            lead: SignedDuration::from_secs(item.lead_secs),
            prepared: item.prepared,
            state,
            rev: item.rev,
        })
    }
}

impl StateFields {
    fn new(state: &State) -> Self {
        let none = Self::default();
        match state.clone() {
            State::Draft | State::Cancelled => none,
            State::Scheduled { armed, next_attempt_at, not_sent } => {
                Self { armed: Some(armed), next_attempt_at, not_sent: Some(not_sent), ..none }
            }
            State::Publishing { attempt, phase, not_sent } => {
                let fields = Self { attempt: Some(attempt.into()), not_sent: Some(not_sent), ..none };
                match phase {
                    Phase::Claimed => Self { phase: Some(StoredPhase::Claimed), ..fields },
                    Phase::Sending { intent } => Self { phase: Some(StoredPhase::Sending), ..fields.with(intent) },
                }
            }
            State::Processing { handle, since, poll_at, polls } => {
                Self { handle: Some(handle), since: Some(since), look_at: Some(poll_at), looks: Some(polls), ..none }
            }
            State::Published { at, platform_post_id, url, guessed } => {
                let fields = Self { published_at: Some(at), platform_post_id, url, ..none };
                match guessed {
                    Some(intent) => fields.with(intent),
                    None => fields,
                }
            }
            State::Held { code } | State::Failed { code } | State::Missed { code } => Self { failure: Some(code), ..none },
            State::Unknown { intent, searches, search_at, attempt } => {
                Self { looks: Some(searches), look_at: Some(search_at), attempt: attempt.map(Into::into), ..none.with(intent) }
            }
            State::NeedsReview { intent } => none.with(intent),
        }
    }

    fn with(self, intent: Intent) -> Self {
        Self { intent_first_at: Some(intent.first_at), intent_last_at: Some(intent.last_at), ..self }
    }

    fn read(self, status: Status) -> Result<State, Incomplete> {
        let lacks = |field| Incomplete { status, field };
        let intent = || -> Result<Intent, Incomplete> {
            let first_at = self.intent_first_at.ok_or(lacks("intent_first_at"))?;
            Ok(Intent { first_at, last_at: self.intent_last_at.ok_or(lacks("intent_last_at"))? })
        };
        Ok(match status {
            Status::Draft => State::Draft,
            Status::Cancelled => State::Cancelled,
            Status::Scheduled => State::Scheduled {
                armed: self.armed.ok_or(lacks("armed"))?,
                next_attempt_at: self.next_attempt_at,
                not_sent: self.not_sent.ok_or(lacks("not_sent"))?,
            },
            Status::Held => State::Held { code: self.failure.ok_or(lacks("failure"))? },
            Status::Publishing => State::Publishing {
                phase: match self.phase.ok_or(lacks("phase"))? {
                    StoredPhase::Claimed => Phase::Claimed,
                    StoredPhase::Sending => Phase::Sending { intent: intent()? },
                },
                attempt: self.attempt.ok_or(lacks("attempt"))?.into(),
                not_sent: self.not_sent.ok_or(lacks("not_sent"))?,
            },
            Status::Processing => State::Processing {
                handle: self.handle.ok_or(lacks("handle"))?,
                since: self.since.ok_or(lacks("since"))?,
                poll_at: self.look_at.ok_or(lacks("look_at"))?,
                polls: self.looks.ok_or(lacks("looks"))?,
            },
            Status::Published => State::Published {
                at: self.published_at.ok_or(lacks("published_at"))?,
                platform_post_id: self.platform_post_id,
                url: self.url,
                guessed: self.intent_first_at.zip(self.intent_last_at).map(|(first_at, last_at)| Intent { first_at, last_at }),
            },
            Status::Failed => State::Failed { code: self.failure.ok_or(lacks("failure"))? },
            Status::Missed => State::Missed { code: self.failure.ok_or(lacks("failure"))? },
            Status::Unknown => State::Unknown {
                intent: intent()?,
                searches: self.looks.ok_or(lacks("looks"))?,
                search_at: self.look_at.ok_or(lacks("look_at"))?,
                attempt: self.attempt.map(Into::into),
            },
            Status::NeedsReview => State::NeedsReview { intent: intent()? },
        })
    }
}

impl From<Attempt> for LiveAttempt {
    fn from(attempt: Attempt) -> Self {
        Self { id: attempt.id, number: attempt.number, started_at: attempt.started_at, lease_until: attempt.lease_until }
    }
}

impl From<LiveAttempt> for Attempt {
    fn from(item: LiveAttempt) -> Self {
        Self { id: item.id, number: item.number, started_at: item.started_at, lease_until: item.lease_until }
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct ContentItem {
    text: String,
    ai_recommendation: Option<String>,
}

impl From<&Content> for ContentItem {
    fn from(content: &Content) -> Self {
        Self { text: content.text.clone(), ai_recommendation: content.ai_recommendation.clone() }
    }
}

impl From<ContentItem> for Content {
    fn from(item: ContentItem) -> Self {
        Self { text: item.text, ai_recommendation: item.ai_recommendation }
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct AttemptItem {
    id: AttemptId,
    number: u32,
    started_at: Timestamp,
    ended_at: Option<Timestamp>,
    outcome: AttemptOutcome,
    became: Status,
    http_status: Option<u16>,
    error: Option<FailureCode>,
    detail: Option<String>,
    late: Option<LateResult>,
}

impl From<&AttemptRecord> for AttemptItem {
    fn from(record: &AttemptRecord) -> Self {
        let AttemptRecord { id, number, started_at, ended_at, outcome, became, http_status, error, detail, late } = record.clone();
        Self { id, number, started_at, ended_at, outcome, became, http_status, error, detail, late }
    }
}

impl From<AttemptItem> for AttemptRecord {
    fn from(item: AttemptItem) -> Self {
        let AttemptItem { id, number, started_at, ended_at, outcome, became, http_status, error, detail, late } = item;
        Self { id, number, started_at, ended_at, outcome, became, http_status, error, detail, late }
    }
}

#[cfg(test)]
mod tests {
    use domain::post::{Draft, LATEST_DEFAULT};

    use super::*;
    use crate::items::{from_item, text, to_item};
    use crate::key::Key;

    fn post(local_time: Option<&str>) -> Post {
        let now = Timestamp::UNIX_EPOCH;
        let due_at = "2027-06-01T13:00:00Z".parse().unwrap();
        let content = Content { text: "In summer".into(), ai_recommendation: None };
        let draft = Draft {
            id: PostId::new(now, [1; 10]),
            user_id: UserId::new(now, [2; 10]),
            group_id: GroupId::new(now, [3; 10]),
            connection_id: ConnectionId::new(now, [4; 10]),
            platform: PlatformName::X,
            content_hash: content.hash(),
            due_at,
            latest_at: due_at + LATEST_DEFAULT,
            time_zone: Some("America/New_York".into()),
            local_time: local_time.map(|local_time| local_time.parse().unwrap()),
            lead: SignedDuration::ZERO,
        };
        Post::draft(draft, now)
    }

    #[test]
    fn a_local_time_comes_back_as_it_was_asked_and_a_row_without_one_is_read() {
        for local_time in [Some("2027-06-01T09:00:00"), Some("2027-06-01T09:00:00.0001"), None] {
            let post = post(local_time);
            let item = to_item(Key::post(&post.user_id, &post.id), PostItem::new(&post, "a test"));
            assert_eq!(item.get("local_time"), local_time.map(text).as_ref());
            let read: Post = from_item::<PostItem>("post", item).unwrap().try_into().unwrap();
            assert_eq!(read, post);
        }
    }
}
