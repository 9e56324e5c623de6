//! A year in which the account has posted already, stored by the product's own writes: what looks and audits read grows with it.

use anyhow::{Context, ensure};
use domain::analytics::{Numbers, Pace, Rhythm, Watch};
use domain::content::Content;
use domain::id::{AttemptId, ConnectionId, GroupId, IdEntropy, PostId, UserId};
use domain::ledger::{Actor, Cause, ChangeReason, Cycle};
use domain::plan::{CYCLE, CycleSpan, Plan};
use domain::platform::PlatformName;
use domain::post::{Answer, Conclusion, Draft, Event, Post, Status};
use domain::timing::LATEST_MAX;
use jiff::{SignedDuration, Timestamp};
use local::variables::tables;
use store::{Commit, PostChange, Store, WatchWrite};

use super::Stage;
use crate::calls::{MONTHS_KEPT, POSTS_A_MONTH};

/// Who writes.
const WRITER: &str = "a year before";
/// How long before it goes out a post is approved.
const APPROVED: SignedDuration = SignedDuration::from_mins(30);
/// When the year ends: before the person signs up, whose own cycle begins then.
const ENDED: SignedDuration = SignedDuration::from_hours(1);

impl Stage {
    /// Stores as many months of posts as are assumed to be kept, each in a cycle of its own that is closed.
    pub(in crate::calls) async fn post_for_a_year(&self) -> anyhow::Result<()> {
        let mut year = Year {
            store: Store::new(&self.aws.sdk_config(), tables()),
            user: UserId::parse(&self.person.user)?,
            accounts: [(PlatformName::X, &self.person.x[0]), (PlatformName::Facebook, &self.person.facebook[0])]
                .map(|(platform, id)| ConnectionId::parse(id).map(|id| (platform, id)))
                .into_iter()
                .collect::<Result<_, _>>()?,
            made: 0,
        };
        for month in (1..=MONTHS_KEPT).rev() {
            let start = self.began - ENDED - CYCLE * i32::try_from(month)?;
            year.month(CycleSpan { start, end: start + CYCLE }).await?;
        }
        Ok(())
    }
}

struct Year {
    store: Store,
    user: UserId,
    accounts: Vec<(PlatformName, ConnectionId)>,
    /// How many things have been given a name.
    made: u64,
}

impl Year {
    /// Bytes that nothing else has.
    fn entropy(&mut self) -> IdEntropy {
        self.made += 1;
        let mut entropy = IdEntropy::default();
        entropy[2..].copy_from_slice(&self.made.to_be_bytes());
        entropy
    }

    fn cause(&mut self, at: Timestamp, post: Option<&PostId>) -> Cause {
        Cause { entropy: self.entropy(), at, actor: Actor::User, post_id: post.cloned() }
    }

    async fn month(&mut self, span: CycleSpan) -> anyhow::Result<()> {
        let cycle = Cycle::open(self.user.clone(), span, Plan::Professional, span.start);
        let opening = cycle.opening(ChangeReason::PlanStarted, self.cause(span.start, None));
        ensure!(self.store.commit_ledger(std::slice::from_ref(&opening)).await?, "the cycle from {} is there", span.start);
        let drafts: Vec<_> = (1..=POSTS_A_MONTH).map(|nth| self.draft(nth, span)).collect::<anyhow::Result<_>>()?;
        ensure!(self.store.create_posts(&drafts, WRITER).await?, "too many drafts");
        let mut cycle = opening.cycle;
        for (draft, ..) in drafts {
            cycle = self.published(draft, &cycle).await?;
        }
        let closed = cycle.close(self.cause(span.end, None));
        ensure!(self.store.commit_ledger(&[closed]).await?, "the cycle has moved");
        Ok(())
    }

    /// The `nth` of a month.
    fn draft(&mut self, nth: u32, span: CycleSpan) -> anyhow::Result<(Post, Content, Event)> {
        let due_at = span.start + CYCLE / i32::try_from(POSTS_A_MONTH + 1)? * i32::try_from(nth)?;
        let at = due_at - APPROVED;
        let (platform, connection_id) = self.accounts[usize::try_from(nth)? % self.accounts.len()].clone();
        let content = Content { text: format!("Fresh bread from seven tomorrow, batch {:05}.", self.made), ai_recommendation: None };
        let draft = Draft {
            id: PostId::new(at, self.entropy()),
            user_id: self.user.clone(),
            group_id: GroupId::new(at, self.entropy()),
            connection_id,
            platform,
            content_hash: content.hash(),
            due_at,
            latest_at: due_at + LATEST_MAX,
            time_zone: None,
            local_time: None,
            lead: jiff::SignedDuration::ZERO,
        };
        let event = Event { at, from: None, to: Status::Draft, actor: Actor::User, note: "written".to_owned() };
        Ok((Post::draft(draft, at), content, event))
    }

    /// A draft goes out, and its numbers are read for the last time. The cycle afterwards.
    async fn published(&mut self, draft: Post, cycle: &Cycle) -> anyhow::Result<Cycle> {
        let (approved, at) = (draft.due_at - APPROVED, draft.due_at);
        let reserved = cycle.reserve(self.cause(approved, Some(&draft.id)))?;
        ensure!(self.store.commit_ledger(std::slice::from_ref(&reserved)).await?, "the cycle has moved");
        let settled = reserved.cycle.settle(self.cause(at, Some(&draft.id)))?;
        let attempt = AttemptId::new(at, self.entropy());
        let sending = draft.approve(cycle.span.start, true, approved)?.claim(attempt, Some("1001"), at)?;
        let shown = Conclusion::Published {
            platform_post_id: format!("1{:018}", self.made),
            url: Some(format!("https://x.com/ann/status/1{:018}", self.made)),
        };
        let transition = sending.conclude(shown, Answer::default(), at)?;
        // All its steps at once: the row of a post says how often it was written, and nothing that is read here depends on that.
        let post = Post { rev: 2, ..transition.post };
        let event = Event::of(Status::Draft, &post, Actor::User, "published", at);
        let ledger = [settled];
        let change = PostChange { attempt: transition.attempt.as_ref(), ledger: &ledger, ..PostChange::of(&post, WRITER, &event) };
        ensure!(matches!(self.store.commit(&change).await?, Commit::Done), "a post of the year is not stored");
        let watch = Watch::of(&post).context("a published post has numbers")?;
        let numbers = Numbers { impressions: Some(1_234), likes: Some(56), comments: Some(7), shares: Some(8), ..Numbers::default() };
        let ended = watch.observed(numbers, Rhythm::Ladder, Pace::FULL, at + domain::analytics::END_AGE);
        ensure!(self.store.write_watch(&ended, WRITER).await? == WatchWrite::Done, "its numbers are not stored");
        let [settled] = ledger;
        Ok(settled.cycle)
    }
}
