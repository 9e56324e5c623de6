//! A year of fifty people, in virtual time: posts, changes of plan, lapses, gifts, adjustments, a cycle job that is late, stops and
//! comes again; and a payment provider whose events come late, in any order, and more than once. At the end, and on the way, every number
//! explains itself.

mod provider;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::task::Poll;

use anyhow::Context;
use domain::content::Content;
use domain::id::{AttemptId, ConnectionId, GroupId, HistoryId, PostId, UserId};
use domain::ledger::{Actor, Cause, ChangeReason, Cycle};
use domain::order::Order;
use domain::people::GiftCertificate;
use domain::people::gift::{self, GiftHash, Grant, Redeemed};
use domain::plan::{Plan, Source};
use domain::plan_change::{Wish, change_plan, cycles_needed_from};
use domain::platform::PlatformName;
use domain::post::{Answer, Conclusion, Draft, Event, Post, SETTLE_WAIT, Status};
use domain::reserving::RunningPlan;
use edge::clock::Clock;
use edge::host::Host;
use edge::lines::Lines;
use edge::random::Random;
use embedded::{Aws, CallInfo, Fault, ensure_table};
use jiff::{SignedDuration, Timestamp};
use local::variables::{source, tables};
use serde_json::{Value, json};
use store::{Commit, Filter, PlanStored, PostChange, Redemption, Settled, Settlement, Start, Store, schema};

use provider::Provider;

const PEOPLE: u64 = 50;
const DAYS: i64 = 365;
/// More than the provider has to tell in a year.
const EVENTS_MAX: usize = 5_000;
/// More pages of 1 MB than the ledger of a year fills.
const PAGES_MAX: usize = 1_000;
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// Chance that is the same each time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

struct World {
    aws: Aws,
    store: Store,
    job: quota_reset::Deps,
    secs: Arc<AtomicI64>,
    clock: Clock,
    random: Random,
    dice: Dice,
    people: Vec<UserId>,
    /// When each one was seen to have a plan.
    plans: BTreeMap<UserId, Vec<Timestamp>>,
    posts: u64,
    provider: Provider,
}

impl World {
    async fn open() -> anyhow::Result<Self> {
        let secs = Arc::new(AtomicI64::new(1_800_000_000));
        let read = secs.clone();
        let clock = Clock::from_fn(move || Timestamp::from_second(read.load(Ordering::Relaxed)).expect("a time of this century"));
        let aws = Aws::in_memory("us-year-1", clock.clone())?;
        let store = Store::new(&aws.sdk_config(), tables());
        for definition in schema::definitions(&tables()) {
            ensure_table(store.client(), definition).await?;
        }
        let random = Random::system();
        let variables = source(3_000, simulator::addresses(&url::Url::parse("http://localhost:3000")?), &[]);
        let host = Host { variables, clock: clock.clone(), random: random.clone(), lines: Lines::silent() };
        let job = quota_reset::Deps::new(&host, &aws.sdk_config())?;
        let provider = Provider::open(&aws, &host)?;
        let (dice, people) = (Dice(0x1234_5678_9abc_def1), Vec::new());
        let mut world = Self { aws, store, job, secs, clock, random, dice, people, plans: BTreeMap::new(), posts: 0, provider };
        for _ in 0..PEOPLE {
            let id = UserId::new(world.now(), world.random.bytes());
            world.aws.tables("PutItem", &json!({ "TableName": tables().users, "Item": profile(&id, world.now()) }))?;
            world.people.push(id);
        }
        Ok(world)
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn pass(&self, secs: u64) -> anyhow::Result<()> {
        self.secs.fetch_add(i64::try_from(secs)?, Ordering::Relaxed);
        Ok(())
    }

    fn somebody(&mut self) -> anyhow::Result<UserId> {
        let nth = usize::try_from(self.dice.roll(PEOPLE))?;
        Ok(self.people[nth].clone())
    }

    fn step(&self, from: Option<Status>, to: Status) -> Event {
        Event { at: self.now(), from, to, actor: Actor::User, note: "as a year brings it".to_owned() }
    }

    fn cause(&self, post: Option<&PostId>) -> Cause {
        Cause { entropy: self.random.bytes(), at: self.now(), actor: Actor::Operator, post_id: post.cloned() }
    }

    /// Every other one pays, and the provider alone says what for; the others' plans are given and taken by an operator.
    async fn change_plan(&mut self) -> anyhow::Result<()> {
        let id = self.somebody()?;
        if self.pays(&id) {
            let (deed, copies) = (self.dice.roll(8), self.dice.roll(3));
            return self.provider.happens(&id, deed, copies, self.clock.now());
        }
        let wish = match self.dice.roll(8) {
            0 => Wish::Lapse,
            1 | 2 => Wish::Return,
            3 => Wish::Have(Plan::Starter),
            4 => Wish::Have(Plan::Professional),
            _ => return self.redeem(&id).await,
        };
        let now = self.now();
        let user = self.store.user(&id).await?.expect("they are there");
        let cycles = self.store.cycles_from(&id, cycles_needed_from(now)).await?;
        let Ok(change) = change_plan(wish, &user, &cycles, (now, Actor::Operator), || self.random.bytes()) else { return Ok(()) };
        let stored = self.store.change_plan(&change.user, &change.changes, "year").await?;
        anyhow::ensure!(stored == PlanStored::Done);
        // Who loses a place by it is held by the job, some time.
        self.note_plan(&id).await
    }

    /// A certificate of some months.
    async fn redeem(&mut self, id: &UserId) -> anyhow::Result<()> {
        let (now, plan) = (self.now(), Plan::ALL[usize::try_from(self.dice.roll(2))?]);
        let gift = GiftCertificate::issue(plan, 1 + u32::try_from(self.dice.roll(3))?, None, now);
        let hash = GiftHash::from_stored(format!("year-{}", HistoryId::new(now, self.random.bytes())));
        self.store.issue_gift(&hash, &gift).await?;
        let Redeemed::Now(gift) = gift.redeem(id.clone(), now)? else { anyhow::bail!("it was theirs before") };
        let user = self.store.user(id).await?.expect("they are there");
        let cycles = self.store.cycles_from(id, cycles_needed_from(now)).await?;
        let Ok(Grant { gift, user, changes }) = gift::grant(gift, &user, &cycles, now, || self.random.bytes()) else { return Ok(()) };
        let redemption = Redemption { hash: &hash, gift: &gift, user: &user, ledger: &changes, writer: "year" };
        anyhow::ensure!(self.store.redeem(&redemption).await? == store::Redeemed::Done);
        self.note_plan(id).await
    }

    /// Writes down that somebody has a plan now, if they do.
    async fn note_plan(&mut self, id: &UserId) -> anyhow::Result<()> {
        let user = self.store.user(id).await?.expect("they are there");
        let now = self.now();
        if user.timeline(now).at(now).is_some() {
            self.plans.entry(id.clone()).or_default().push(now);
        }
        Ok(())
    }

    fn pays(&self, id: &UserId) -> bool {
        self.people.iter().position(|person| person == id).is_some_and(|nth| nth.is_multiple_of(2))
    }

    /// One of the provider's events comes, whichever; some times its answer is lost on the way, and it comes again.
    async fn hear(&mut self) -> anyhow::Result<()> {
        let (which, until) = (self.dice.roll(1_000), usize::try_from(self.dice.roll(30))?);
        let seen = AtomicUsize::new(0);
        let hook = move |_: &CallInfo| (seen.fetch_add(1, Ordering::Relaxed) == until).then_some(Fault::LoseAnswerAfterApply);
        self.aws.on_call(Box::new(hook));
        let heard = self.provider.deliver(usize::try_from(which)?, self.clock.now()).await;
        self.aws.on_call(Box::new(|_: &CallInfo| None));
        match heard? {
            Some(whose) => self.note_plan(&whose).await,
            None => Ok(()),
        }
    }

    /// A post is written and approved for some time in the next hundred days, if there is a place.
    async fn approve(&mut self) -> anyhow::Result<()> {
        let id = self.somebody()?;
        let now = self.now();
        let user = self.store.user(&id).await?.expect("they are there");
        let due_at = now + SignedDuration::from_secs(60 + i64::try_from(self.dice.roll(100 * 86_400))?);
        let content = Content { text: format!("Post {}", self.posts), ai_recommendation: None };
        self.posts += 1;
        let draft = Draft {
            id: PostId::new(now, self.random.bytes()),
            user_id: id.clone(),
            group_id: GroupId::new(now, self.random.bytes()),
            connection_id: ConnectionId::new(now, self.random.bytes()),
            platform: PlatformName::X,
            content_hash: content.hash(),
            due_at,
            // Everybody is looked after once in a while: late is better than never here.
            latest_at: due_at + SignedDuration::from_hours(30 * 24),
            time_zone: None,
            local_time: None,
            lead: jiff::SignedDuration::ZERO,
        };
        let post = Post::draft(draft, now);
        let event = self.step(None, Status::Draft);
        self.store.create_posts(&[(post.clone(), content, event)], "year").await?;
        let plan = RunningPlan::of(&user, now);
        let Some(start) = plan.cycle_start(due_at) else { return Ok(()) };
        let standing = self.store.cycle(&id, start).await?;
        let Ok(reserved) = plan.reserve(standing.as_ref(), due_at, || self.cause(Some(&post.id))) else { return Ok(()) };
        let approved = post.approve(start, true, now)?;
        let event = self.step(Some(Status::Draft), approved.status());
        let change = PostChange { ledger: &[reserved], ..PostChange::of(&approved, "year", &event) };
        anyhow::ensure!(matches!(self.store.commit(&change).await?, Commit::Done));
        Ok(())
    }

    /// Somebody's posts whose time has come end one way or another; some only days later.
    async fn publish(&mut self) -> anyhow::Result<()> {
        let id = self.somebody()?;
        let now = self.now();
        let filter = Filter { to: Some(now), ..Filter::default() };
        for post in self.store.posts_where(&id, &filter, |post| matches!(post.status(), Status::Scheduled | Status::Held)).await? {
            let transition = match self.dice.roll(10) {
                _ if now > post.latest_at => post.miss(now)?,
                _ if post.is_held() => continue,
                0 => post.cancel(now)?,
                1 => continue,
                fate => {
                    let sending = post.claim(AttemptId::new(now, self.random.bytes()), Some("account"), now)?;
                    let event = self.step(Some(Status::Scheduled), sending.status());
                    anyhow::ensure!(matches!(self.store.commit(&PostChange::of(&sending, "year", &event)).await?, Commit::Done));
                    let platform_post_id = format!("{id}-{}", sending.id);
                    let conclusion = match fate {
                        2 => Conclusion::Failed(domain::failure::FailureCode::ContentRejected),
                        3 => Conclusion::AnswerLost,
                        _ => Conclusion::Published { platform_post_id, url: None },
                    };
                    sending.conclude(conclusion, Answer::default(), now)?
                }
            };
            self.settle(&transition).await?;
        }
        // Their owner has looked for what was in doubt, some of it after its cycle.
        let filter = Filter { statuses: vec![Status::Unknown], ..Filter::default() };
        for post in self.store.posts_where(&id, &filter, |_| true).await? {
            let transition = match self.dice.roll(3) {
                0 => post.resolve_published(None, None, now)?,
                1 => post.resolve_not_published(now + SETTLE_WAIT)?,
                _ => continue,
            };
            self.settle(&transition).await?;
        }
        Ok(())
    }

    async fn settle(&self, transition: &domain::post::Transition) -> anyhow::Result<()> {
        let writer = HistoryId::new(self.now(), self.random.bytes()).to_string();
        let cause = self.cause(Some(&transition.post.id));
        let event = self.step(Some(transition.from), transition.post.status());
        let settlement = Settlement { transition, writer: &writer, event: &event, cause };
        anyhow::ensure!(matches!(self.store.settle(&settlement).await?, Settled::Done), "{transition:?}");
        Ok(())
    }

    async fn adjust(&mut self) -> anyhow::Result<()> {
        let (id, now) = (self.somebody()?, self.now());
        let cycles = self.store.cycles_from(&id, cycles_needed_from(now)).await?;
        // As `ops adjust` does: a cycle whose plan has lapsed before it began is left alone.
        let Some(cycle) = cycles.iter().find(|cycle| cycle.granted > 0) else { return Ok(()) };
        let cause = self.cause(None);
        let change = match self.dice.roll(2) {
            0 => cycle.adjust(3, ChangeReason::Adjustment, cause),
            _ if cycle.remaining() >= 2 => cycle.adjust(-2, ChangeReason::Adjustment, cause),
            _ => return Ok(()),
        };
        let change = change.context("far from the most")?;
        anyhow::ensure!(self.store.commit_ledger(&[change.noted("as a year brings it")]).await?);
        Ok(())
    }

    /// The job, stopped at some call by a fault, or whole.
    async fn close(&mut self) -> anyhow::Result<()> {
        let until = usize::try_from(self.dice.roll(40))?;
        let seen = AtomicUsize::new(0);
        let hook = move |_: &CallInfo| (seen.fetch_add(1, Ordering::Relaxed) == until).then_some(Fault::LoseAnswerAfterApply);
        if self.dice.roll(2) == 0 {
            self.aws.on_call(Box::new(hook));
        }
        // Some runs are killed where they stand.
        let (mut run, mut polls) = (std::pin::pin!(quota_reset::run(&self.job)), self.dice.roll(400));
        let killed = self.dice.roll(3) == 0;
        let ended = std::future::poll_fn(|context| {
            polls = polls.saturating_sub(1);
            if killed && polls == 0 { Poll::Ready(None) } else { run.as_mut().poll(context).map(Some) }
        });
        let _killed_or_told = ended.await;
        self.aws.on_call(Box::new(|_: &CallInfo| None));
        Ok(())
    }

    async fn books_are_right(&self) -> anyhow::Result<()> {
        for id in &self.people {
            let found = domain::audit::audit(&self.store.books(id).await?);
            anyhow::ensure!(found.is_empty(), "{id}: {found:#?}");
        }
        Ok(())
    }

    /// Every cycle that ended is closed and told as it stands, each cycle of a plan that runs follows the one before, and none has
    /// promised more than it grants beyond what is under way.
    async fn nothing_is_left(&self) -> anyhow::Result<()> {
        let (mut closed, mut used) = (0, 0);
        for id in &self.people {
            let books = self.store.books(id).await?;
            self.cycles_follow(id, &books.cycles)?;
            let told = self.store.cycle_analytics(id, self.now(), 100, Start::first(Order::Desc)).await?.items;
            for cycle in &books.cycles {
                let row = told.iter().find(|row| row.span.start == cycle.span.start);
                if cycle.span.end <= self.now() {
                    closed += 1;
                    used += cycle.used;
                    anyhow::ensure!(cycle.told, "not told: {cycle:?}");
                    anyhow::ensure!(row.is_none_or(|row| (row.posts_used, row.quota) == (cycle.used, cycle.quota())), "{row:?} {cycle:?}");
                    anyhow::ensure!(row.is_some() || cycle.quota() == 0, "no row for {cycle:?}");
                } else {
                    anyhow::ensure!(row.is_none() && cycle.closed_at.is_none(), "{cycle:?}");
                }
            }
            let owner = self.store.user(id).await?.expect("they are there");
            if self.pays(id) {
                let plan = owner.timeline(self.now()).at(self.now()).map(|slot| (slot.plan, slot.source));
                let kept = owner.entitled.kept.is_some_and(|kept| kept.span.end > self.now());
                let is_right = match self.provider.gives(id) {
                    (Some(bought), _) => plan == Some((bought, Source::Subscription)) || kept,
                    // What was paid is had.
                    (None, paid_until) => plan.is_none() || kept || paid_until.is_some_and(|until| until > self.now()),
                };
                anyhow::ensure!(is_right, "{id} has {plan:?}, and pays for {:?}", self.provider.gives(id));
            }
            if let Some(slot) = owner.timeline(self.now()).at(self.now()) {
                let running = books.cycles.iter().find(|cycle| cycle.span == slot.span);
                anyhow::ensure!(running.is_some(), "{id} has a plan and no cycle for {slot:?}");
            }
        }
        anyhow::ensure!(closed > 300 && used > 200, "a year without a life: {closed} cycles, {used} posts");
        Ok(())
    }

    /// Whenever somebody had a plan there is a cycle for it. That none overlap is a part of the audit.
    fn cycles_follow(&self, id: &UserId, cycles: &[Cycle]) -> anyhow::Result<()> {
        for at in self.plans.get(id).into_iter().flatten() {
            let holds = cycles.iter().any(|cycle| cycle.span.start <= *at && *at < cycle.span.end);
            anyhow::ensure!(
                holds,
                "{id} had a plan at {at}, and no cycle: {:?}",
                cycles.iter().map(|cycle| cycle.span).collect::<Vec<_>>()
            );
        }
        Ok(())
    }

    /// No number stands below zero, and none ever did: the history tells each.
    fn nothing_is_negative(&self) -> anyhow::Result<()> {
        let mut scan = json!({ "TableName": tables().ledger });
        for _ in 0..PAGES_MAX {
            let page = self.aws.tables("Scan", &scan)?;
            for item in page["Items"].as_array().into_iter().flatten() {
                // What an operator has taken beyond what a plan holds is owed.
                let numbers = item.as_object().into_iter().flatten().filter(|(name, _)| !["granted", "withheld"].contains(&name.as_str()));
                let numbers = numbers.filter_map(|(_, value)| value["N"].as_str());
                anyhow::ensure!(numbers.into_iter().all(|number| !number.starts_with('-')), "{item}");
            }
            scan["ExclusiveStartKey"] = page["LastEvaluatedKey"].clone();
            if page["LastEvaluatedKey"].is_null() {
                return Ok(());
            }
        }
        anyhow::bail!("the ledger has no end")
    }
}

fn profile(id: &UserId, now: Timestamp) -> Value {
    let text = |text: &str| json!({ "S": text });
    json!({
        "pk": text(&format!("USER#{id}")), "sk": text("PROFILE"), "id": text(id.as_str()), "phone": text("+61412345678"),
        "created_at": text(&now.to_string()), "rev": { "N": "1" }, "writer": text("year"),
        "entitled": { "M": { "certificates": { "M": { "terms": { "L": [] } } }, "operator": { "M": { "lapsed": { "BOOL": false } } } } },
        "paid": { "L": [] },
    })
}

#[tokio::test]
async fn a_year_of_fifty_people_ends_with_books_that_are_right() -> anyhow::Result<()> {
    let mut world = World::open().await?;
    let end = world.now() + DAY * i32::try_from(DAYS)?;
    let mut until_job = 1;
    while world.now() < end {
        match world.dice.roll(14) {
            0 | 1 => world.change_plan().await?,
            12.. => {
                // So many are always on their way that the order in which they come has little to do with that in which they happened.
                for _ in 0..world.provider.waiting().saturating_sub(60).min(5) {
                    world.hear().await?;
                }
            }
            2 => world.adjust().await?,
            3..=7 => world.approve().await?,
            _ => world.publish().await?,
        }
        let step = world.dice.roll(14_400);
        world.pass(1 + step)?;
        world.provider.renew(world.clock.now())?;
        until_job -= 1;
        if until_job == 0 {
            world.close().await?;
            // Mostly some hours later, sometimes weeks.
            until_job = if world.dice.roll(20) == 0 { 200 } else { 1 + world.dice.roll(30) };
            if world.dice.roll(25) == 0 {
                world.books_are_right().await?;
            }
        }
    }
    world.provider.renew(world.clock.now())?;
    for _ in 0..EVENTS_MAX {
        let Some(whose) = world.provider.deliver(0, world.clock.now()).await? else { break };
        world.note_plan(&whose).await?;
    }
    anyhow::ensure!(world.provider.waiting() == 0, "an event is refused for ever");
    for _ in 0..2 {
        let run = quota_reset::run(&world.job).await?;
        anyhow::ensure!(run.failed == 0 && !run.unfinished, "{run:?}");
    }
    world.books_are_right().await?;
    world.nothing_is_left().await?;
    world.nothing_is_negative()?;
    world.provider.was_busy()?;
    let again = quota_reset::run(&world.job).await?;
    anyhow::ensure!((again.closed, again.opened, again.told) == (0, 0, 0), "a second run has nothing to do: {again:?}");
    Ok(())
}
