//! The simulated platform: what it holds is the truth that the checks count. It takes calls in this process, in virtual time, and
//! breaks them as the plan says.

mod classes;
mod grants;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use domain::analytics::{Numbers, Rhythm};
use domain::people::Issuer;
use domain::platform::{AccountKind, Budget, Descriptor, Facts, PlatformName, Reconcile, Renewal, Scopes};
use domain::post::FUNCTION_TIMEOUT;
use domain::token::TokenSet;
use edge::clock::Clock;
use embedded::Aws;
use jiff::{SignedDuration, Timestamp};
use platforms::{
    Account, Advance, AppCredentials, Ask, AuthorizeError, Call, Callback, Consent, ExchangeError, GrantedAccount, HandleState,
    NumbersError, Outcome, OwnPost, Platform, PrepareError, Prepared, Published, ReadError, RefreshError, Renewed, RevokeError, Told,
};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use url::Url;

use self::grants::Lives;
use crate::actor::Actor;
use crate::plan::{Injector, Kind, Side};
use crate::scenario::{Keeping, Scenario};

/// How often an account may hear that its grant is over.
const TOLD_MAX: usize = 4;
/// No call of an adapter takes longer: its client gives up.
const CALL_ENDS: Duration = Duration::from_secs(20);
/// How long an access token lives after a refresh.
const TOKEN_LIFE: SignedDuration = SignedDuration::from_hours(2);

static SEARCH: Descriptor = descriptor(|_| Reconcile::Search);
static HANDLE: Descriptor = descriptor(|_| Reconcile::Handle);
static PERSON: Descriptor = descriptor(|_| Reconcile::Person);
/// One for each life that a story gives to a key: the class is a function, and knows no story.
static KEYS: [(i64, Descriptor); 4] =
    [(60, descriptor(key::<60>)), (700, descriptor(key::<700>)), (1_200, descriptor(key::<1_200>)), (3_600, descriptor(key::<3_600>))];

fn key<const SECS: i64>(_: &Facts<'_>) -> Reconcile {
    Reconcile::Key { life: SignedDuration::from_secs(SECS) }
}

/// What the stories do not ask for is that of X.
const fn descriptor(reconcile: fn(&Facts<'_>) -> Reconcile) -> Descriptor {
    Descriptor {
        needs: None,
        scopes: Scopes { required: &["post"], optional: &[], separator: " " },
        renewal: Renewal::Rotating,
        usual_kind: AccountKind::Profile,
        app_proof: false,
        grants_are_one: false,
        reconcile,
        numbers: Budget { rhythm: Rhythm::Ladder, posts_max: 1_000 },
        ..*PlatformName::X.descriptor()
    }
}

/// Calls that change nothing and that no lease guards: one that stood still may come after a disconnect, with a token that is dead.
pub(crate) const READS: [&str; 2] = ["look_up", "numbers"];

/// A post that the platform holds.
#[derive(Debug, Clone)]
pub(crate) struct Publication {
    /// Its id.
    pub(crate) id: String,
    /// The account that it stands under.
    pub(crate) account: String,
    /// Who sent it: whose grant it was sent with.
    pub(crate) by: usize,
    /// What it says.
    pub(crate) text: String,
    /// When it was sent: earlier, where the story's network is slow.
    pub(crate) sent_at: Timestamp,
    /// When it became visible.
    pub(crate) at: Timestamp,
}

/// A use of a refresh token.
#[derive(Clone)]
struct Rotation {
    successor: String,
}

/// Numbers that were told of a post.
#[derive(Debug, Clone)]
pub(crate) struct Reading {
    /// Which.
    pub(crate) numbers: Numbers,
    /// The number of the run that asked.
    pub(crate) by: usize,
    /// Whether the answer came.
    pub(crate) answered: bool,
}

/// What the platform holds.
#[derive(Clone, Default)]
pub(crate) struct Held {
    publications: Vec<Publication>,
    /// Access tokens: whose, until when.
    access: BTreeMap<String, (String, Timestamp)>,
    /// Refresh tokens that are spent.
    spent: BTreeMap<String, Rotation>,
    /// Refresh tokens that can be used: whose, and until when.
    fresh: BTreeMap<String, (String, Option<Timestamp>)>,
    /// The newest access token of each account, and when it was given.
    newest: BTreeMap<String, (String, Timestamp)>,
    revoked: Vec<String>,
    /// Calls under way: account, what, which post, and caller.
    flying: Vec<(String, &'static str, String, Arc<Actor>)>,
    /// How often an account was told that its grant is over.
    ended: BTreeMap<String, usize>,
    /// Every call that acts for an account, with its time.
    acted: Vec<(String, &'static str, Timestamp)>,
    /// What was told of each post, in order, also in answers that were lost.
    told: BTreeMap<String, Vec<Reading>>,
    classes: classes::Kept,
    next: u64,
}

/// The platform. Clones are the same one.
#[derive(Clone)]
pub(crate) struct Network {
    held: Arc<Mutex<Held>>,
    injector: Injector,
    aws: Aws,
    /// The true time, whatever a function's own clock says.
    clock: Clock,
    /// How long a post takes to be listed.
    lag: SignedDuration,
    reconcile: Reconcile,
    /// How long it is at work on what is prepared.
    works: SignedDuration,
    /// How long it knows a handle that is not published.
    handle_life: Option<SignedDuration>,
    /// Whether a refresh token can be used once.
    rotates: bool,
    /// What keeps a grant alive, and how long it lives by itself.
    keeping: Keeping,
    grant_life: Option<SignedDuration>,
    /// Whether posts say the same, so that a text is not one post's.
    twins: bool,
    /// How many further sends are lost on their way.
    lost_sends: Arc<AtomicUsize>,
    /// How much later they arrive; never, if zero.
    arrive: Duration,
    posts_table: String,
}

/// The platform did not answer as it should.
enum Broken {
    /// Not a byte was sent.
    NotSent,
    /// No readable answer.
    Lost,
    /// A limit.
    Limited,
    /// A limit of our app's.
    AppLimited,
    /// A refusal.
    Refused,
    /// The token.
    Token,
}

impl Network {
    /// An empty platform for `scenario`.
    pub(crate) fn new(aws: Aws, injector: Injector, clock: Clock, scenario: &Scenario, posts_table: String) -> Self {
        let (reconcile, lag) = (scenario.reconcile, SignedDuration::from_secs(scenario.lag_secs));
        let (rotates, twins) = (scenario.rotates, scenario.posts.iter().any(|post| post.same_text));
        let (keeping, arrive) = (scenario.keeping, Duration::from_secs(scenario.arrive_secs));
        let [grant_life, handle_life] = [scenario.grant_secs, scenario.handle_secs]
            .map(|secs| Some(SignedDuration::from_secs(secs)).filter(SignedDuration::is_positive));
        let works = SignedDuration::from_secs(scenario.prepare_secs);
        let lost_sends = Arc::new(AtomicUsize::new(scenario.lost_sends));
        Self {
            held: Arc::default(),
            injector,
            aws,
            clock,
            lag,
            reconcile,
            works,
            handle_life,
            rotates,
            keeping,
            grant_life,
            twins,
            lost_sends,
            arrive,
            posts_table,
        }
    }

    /// The same platform as an adapter.
    pub(crate) fn adapter(&self, name: PlatformName) -> Box<dyn Platform> {
        Box::new(Adapter { name, network: self.clone() })
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All of it, to put back in a later run.
    pub(crate) fn keep(&self) -> Held {
        self.held().clone()
    }

    /// What an earlier run kept.
    pub(crate) fn put_back(&self, held: Held) {
        *self.held() = held;
    }

    /// What it holds.
    pub(crate) fn publications(&self) -> Vec<Publication> {
        self.held().publications.clone()
    }

    /// Whether an account shows a text at this moment, to somebody who looks.
    pub(crate) fn shows(&self, account: &str, text: &str) -> bool {
        self.held().publications.iter().any(|publication| publication.account == account && publication.text == text)
    }

    /// What was told of a post.
    pub(crate) fn told(&self, post: &str) -> Vec<Reading> {
        self.held().told.get(post).cloned().unwrap_or_default()
    }

    /// The run has the last answer that it was given of a post.
    fn answered(&self, post: &str, by: usize) {
        let mut held = self.held();
        let told = held.told.get_mut(post).and_then(|told| told.iter_mut().rfind(|reading| reading.by == by));
        if let Some(reading) = told {
            reading.answered = true;
        }
    }

    /// The calls that acted for an account, with their times.
    pub(crate) fn acted(&self) -> Vec<(String, &'static str, Timestamp)> {
        self.held().acted.clone()
    }

    /// A fresh grant of a person for an account, whose access token lives for `life`.
    pub(crate) fn grant(&self, account: &str, person: usize, life: SignedDuration) -> TokenSet {
        let now = self.clock.now();
        let mut held = self.held();
        if held.revoked.iter().any(|revoked| revoked == account) {
            // What was taken back stays so; the account is granted anew.
            held.revoked.retain(|revoked| revoked != account);
            held.access.retain(|_, (of, _)| of != account);
            held.fresh.retain(|_, (of, _)| of != account);
            held.ended.remove(account);
        }
        held.issue(account, person, self.lives(now, life))
    }

    /// One call for `account`: it breaks as the plan says, or `apply` gives the answer.
    async fn call<T>(
        &self,
        name: &'static str,
        account: &str,
        about: &str,
        apply: impl FnOnce(&Self) -> Result<T, Broken> + Send + 'static,
    ) -> Result<T, Broken>
    where
        T: Send + 'static,
    {
        tokio::task::yield_now().await;
        self.take_off(account, name, about);
        let kind = self.injector.decide(Side::Platform, name);
        if matches!(kind, Some(Kind::PauseBefore | Kind::Meanwhile)) {
            tokio::task::yield_now().await;
        }
        self.held().acted.push((account.to_owned(), name, self.clock.now()));
        let answer = match kind {
            Some(Kind::CrashBefore) => std::future::pending().await,
            Some(Kind::Unreachable) => Err(Broken::NotSent),
            Some(Kind::LostBefore) => Err(Broken::Lost),
            Some(Kind::LostAfter) => apply(self).and(Err(Broken::Lost)),
            Some(Kind::SlowAfter) => {
                let answer = apply(self);
                tokio::time::sleep(Duration::from_secs(18)).await;
                answer
            }
            Some(Kind::SilentAfter) => {
                let _lost = apply(self);
                tokio::time::sleep(CALL_ENDS).await;
                Err(Broken::Lost)
            }
            Some(Kind::CrashAfter) => {
                let _lost = apply(self);
                std::future::pending().await
            }
            Some(Kind::ArrivesLater) => {
                let network = self.clone();
                tokio::spawn(async move {
                    tokio::time::sleep(Duration::from_secs(25)).await;
                    let _lost = apply(&network);
                });
                Err(Broken::Lost)
            }
            Some(Kind::Limited) => Err(Broken::Limited),
            Some(Kind::AppLimited) => Err(Broken::AppLimited),
            Some(Kind::ThrownAway) => {
                self.throw_away(account);
                apply(self)
            }
            Some(Kind::Refused) => Err(Broken::Refused),
            Some(Kind::TokenRefused) => Err(Broken::Token),
            _ => apply(self),
        };
        tokio::task::yield_now().await;
        self.land(account, name, about);
        answer
    }

    /// Makes a post visible. The intent must be stored by then: the table is asked, not the code.
    fn publish(&self, account: &str, access: &str, text: &str) -> Result<(String, Option<String>), Broken> {
        let now = self.clock.now();
        if !self.held().is_live(account, access, now) {
            return Err(Broken::Token);
        }
        let is_lost = self.lost_sends.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok();
        if is_lost {
            self.arrives_later(account, access, text);
            return Err(Broken::Lost);
        }
        let mut held = self.held();
        held.next += 1;
        let id = format!("p{}", held.next);
        let (account, text) = (account.to_owned(), text.to_owned());
        held.publications.push(Publication { id: id.clone(), account, by: grantor(access), text: text.clone(), sent_at: now, at: now });
        drop(held);
        self.injector.note(&format!("the platform shows {text:?} as {id}"));
        Ok((id.clone(), Some(format!("https://platform.example/{id}"))))
    }

    /// A send that was lost on its way arrives all the same, where the story says so.
    fn arrives_later(&self, account: &str, access: &str, text: &str) {
        if self.arrive.is_zero() {
            return;
        }
        let (network, arrive, sent_at) = (self.clone(), self.arrive, self.clock.now());
        let (account, access, text) = (account.to_owned(), access.to_owned(), text.to_owned());
        tokio::spawn(async move {
            tokio::time::sleep(arrive).await;
            let Ok((id, _)) = network.publish(&account, &access, &text) else { return };
            network.held().publications.iter_mut().filter(|shown| shown.id == id).for_each(|shown| shown.sent_at = sent_at);
        });
    }

    /// Whether the post of `text` stands in the table as being sent by somebody. The text begins with the post's mark.
    fn demand_intent(&self, text: &str) {
        let scanned = self.aws.tables("Scan", &json!({ "TableName": self.posts_table, "ConsistentRead": true })).unwrap_or(Value::Null);
        let items = scanned["Items"].as_array().cloned().unwrap_or_default();
        let hash = domain::content::Content { text: text.to_owned(), ai_recommendation: None }.hash();
        let sent_by = |item: &Value| item["content_hash"]["S"] == hash.as_str();
        let intended = items.iter().filter(|item| sent_by(item)).any(|item| {
            let phase = &item["state"]["M"]["phase"]["S"];
            let status = item["status"]["S"].as_str().unwrap_or_default();
            let repeats = matches!(self.reconcile, Reconcile::Key { .. } | Reconcile::Handle);
            let again = status == "unknown" && item["state"]["M"]["attempt"]["M"].is_object() && repeats;
            // The lease of a worker whose clock is behind is over for others at once: its intent is stored, and the post in doubt or its owner
            // asked, before it sends.
            let taken = self.injector.clocks_jumped() && ["unknown", "needs_review"].contains(&status);
            // Or sent before it under the same key or handle, of which the platform makes one post.
            let taken = taken || (self.injector.clocks_jumped() && repeats && status == "published");
            let at = item["state"]["M"]["intent_last_at"]["S"].as_str().and_then(|at| at.parse::<Timestamp>().ok());
            // Whoever looks for it counts from the intent: a send that comes later than a function lives would come behind the search.
            let fresh = self.injector.clocks_jumped() || at.is_some_and(|at| self.clock.now() <= at + FUNCTION_TIMEOUT);
            ((status == "publishing" && phase == "sending") || again || taken) && fresh
        });
        if !intended {
            self.injector.violation(format!("S13: {text:?} is sent without a stored intent"));
        }
    }

    fn rotate(&self, account: &str, refresh: &str) -> Result<TokenSet, Broken> {
        let now = self.clock.now();
        let mut held = self.held();
        if let Some(rotation) = held.spent.get(refresh) {
            let successor = rotation.successor.clone();
            let stored = self.aws.secrets().unwrap_or_default().iter().any(|(_, _, value)| value.contains(&successor));
            // A clock that is ahead takes the lease of a worker that stands still for over: the two then come one after the other.
            if stored && !self.injector.clocks_jumped() {
                self.injector.violation(format!("S14: a refresh token of {account} is used again after its successor was stored"));
            }
            // A token that comes twice ends the grant.
            held.revoked.push(account.to_owned());
            return Err(Broken::Refused);
        }
        let lives = held.fresh.get(refresh).is_some_and(|(_, until)| until.is_none_or(|until| now < until));
        if held.revoked.iter().any(|revoked| revoked == account) || !lives {
            return Err(Broken::Refused);
        }
        let next = self.lives(now, TOKEN_LIFE);
        if !self.rotates {
            let mut tokens = held.issue(account, grantor(refresh), next);
            tokens.refresh = Some(refresh.to_owned().into());
            return Ok(tokens);
        }
        held.fresh.remove(refresh);
        let tokens = held.issue(account, grantor(refresh), next);
        let successor = tokens.refresh.as_ref().map(|token| token.expose_secret().to_owned()).unwrap_or_default();
        held.spent.insert(refresh.to_owned(), Rotation { successor });
        Ok(tokens)
    }

    /// What living functions are calling for an account at this moment.
    pub(crate) fn in_flight(&self, account: &str) -> Vec<&'static str> {
        let mut held = self.held();
        held.flying.retain(|(.., actor)| actor.is_alive());
        held.flying.iter().filter(|(of, ..)| of == account).map(|(_, call, ..)| *call).collect()
    }

    /// Notes a call, and that another of the same kind is under way, where only one may be.
    fn take_off(&self, account: &str, call: &'static str, about: &str) {
        let Some(actor) = Actor::current() else { return };
        let mut held = self.held();
        held.flying.retain(|(.., other)| other.is_alive());
        let twice = held.flying.iter().any(|(of, other, what, _)| of == account && *other == call && what == about);
        match call {
            // A lease is a matter of time: for a clock that is five minutes ahead, another's is over.
            "refresh" if twice && !self.injector.clocks_jumped() => {
                self.injector.violation(format!("S14: two token calls for {account} at once"));
            }
            // For such a clock, a try is over that is still under way: the same key or handle may be on its way twice, and makes one post.
            "publish" if twice && self.injector.clocks_jumped() && matches!(self.reconcile, Reconcile::Key { .. } | Reconcile::Handle) => {}
            "publish" if twice && !self.twins => self.injector.violation(format!("S12: {about:?} is sent twice at once")),
            _ => {}
        }
        held.flying.push((account.to_owned(), call, about.to_owned(), actor));
    }

    fn land(&self, account: &str, call: &'static str, about: &str) {
        let Some(actor) = Actor::current() else { return };
        let mut held = self.held();
        let place = held
            .flying
            .iter()
            .position(|(of, other, what, by)| of == account && *other == call && what == about && by.number == actor.number);
        if let Some(place) = place {
            held.flying.remove(place);
        }
    }

    /// A grant that is over is told once or twice; whoever keeps asking runs in a circle. A fault may make somebody forget it.
    fn told_over(&self, account: &str) {
        let most = TOLD_MAX + self.injector.hits().len();
        let mut held = self.held();
        let times = held.ended.entry(account.to_owned()).or_default();
        *times += 1;
        if *times > most {
            self.injector.violation(format!("L6: {account} is asked for tokens again and again, and its grant is over"));
        }
    }

    /// Whose token this is: another account's must never be used.
    fn demand_own(&self, account: &str, access: &str) {
        let other = self.held().access.get(access).filter(|(of, _)| of != account).map(|(of, _)| of.clone());
        if let Some(other) = other {
            self.injector.violation(format!("S15: a token of {other} is used for {account}"));
        }
    }
}

/// The person whose grant a token is of.
fn grantor(token: &str) -> usize {
    token.split('-').nth(3).and_then(|person| person.parse().ok()).unwrap_or_default()
}

impl Held {
    fn issue(&mut self, account: &str, person: usize, lives: Lives) -> TokenSet {
        self.next += 1;
        let name = |kind| format!("{kind}-{account}-{}-{person}-end", self.next);
        let (access, refresh) = (name("access"), name("refresh"));
        self.access.insert(access.clone(), (account.to_owned(), lives.access));
        self.newest.insert(account.to_owned(), (access.clone(), lives.now));
        if lives.is_refreshable {
            self.fresh.insert(refresh.clone(), (account.to_owned(), lives.refresh));
        }
        TokenSet {
            refresh: lives.is_refreshable.then(|| refresh.into()),
            expires_at: Some(lives.access),
            refresh_expires_at: lives.refresh,
            scopes: vec!["post".to_owned()],
            ..TokenSet::bare(access.into())
        }
    }

    fn is_live(&self, account: &str, access: &str, now: Timestamp) -> bool {
        let revoked = self.revoked.iter().any(|revoked| revoked == account);
        !revoked && self.access.get(access).is_some_and(|(of, until)| of == account && now < *until)
    }
}

/// The platform under one of our names.
struct Adapter {
    name: PlatformName,
    network: Network,
}

#[async_trait]
impl Platform for Adapter {
    fn name(&self) -> PlatformName {
        self.name
    }

    fn descriptor(&self) -> &'static Descriptor {
        match self.network.keeping {
            Keeping::Refresh => {}
            Keeping::Extend => return &grants::EXTENDED,
            Keeping::Consent => return &grants::CONSENTED,
        }
        match self.network.reconcile {
            Reconcile::Key { life } => {
                let of = KEYS.iter().find(|(secs, _)| *secs == life.as_secs());
                &of.expect("each life of a story's key has its descriptor").1
            }
            Reconcile::Handle => &HANDLE,
            Reconcile::Person => &PERSON,
            Reconcile::Search => &SEARCH,
        }
    }

    async fn authorize(&self, _: &AppCredentials, _: &Ask<'_>) -> Result<Consent, AuthorizeError> {
        let issuer = Issuer::unannounced("https://platform.example".to_owned());
        Ok(Consent::at(Url::parse("https://platform.example/").expect("an address"), issuer))
    }

    async fn exchange(&self, _: &AppCredentials, _: &Callback<'_>, _: Timestamp) -> Result<Vec<GrantedAccount>, ExchangeError> {
        Err(ExchangeError::NoAccounts)
    }

    async fn renew(&self, _: &AppCredentials, of: Account<'_>, _: Timestamp) -> Result<Renewed, RefreshError> {
        let access = of.tokens.access.expose_secret().to_owned();
        let refresh = of.tokens.refresh.as_ref().map(|token| token.expose_secret().to_owned());
        let account = access.split('-').nth(1).unwrap_or_default().to_owned();
        self.network.demand_apart(&account);
        let of = account.clone();
        let renewed = self.network.call("refresh", &account, "", move |network| match refresh {
            Some(refresh) => network.rotate(&of, &refresh).map(Renewed::Tokens),
            None => network.extend(&of, &access),
        });
        let renewed = renewed.await;
        if matches!(renewed, Err(Broken::Refused)) {
            self.network.told_over(&account);
        }
        let detail = || "simulated".to_owned();
        renewed.map_err(|broken| match broken {
            Broken::NotSent | Broken::Limited | Broken::AppLimited | Broken::Token => RefreshError::Unavailable { detail: detail() },
            Broken::Lost => RefreshError::Unknown { detail: detail() },
            Broken::Refused => RefreshError::Dead { detail: detail() },
        })
    }

    async fn prepare(&self, call: &Call<'_>, so_far: Option<Prepared>) -> Result<Advance, PrepareError> {
        self.network.prepare(call.account, &call.content.text, so_far).await
    }

    async fn commit(&self, &Call { account, content, key, .. }: &Call<'_>, prepared: &Prepared) -> Outcome {
        match (self.network.reconcile, &prepared.handle) {
            (Reconcile::Handle, Some(handle)) => self.network.published(account, handle).await,
            (Reconcile::Key { life }, _) => self.network.keyed(account, &content.text, (key, life)).await,
            _ => self.network.posted(account, &content.text).await,
        }
    }

    async fn numbers(&self, account: Account<'_>, post: Published<'_>, _: Timestamp) -> Result<Told, NumbersError> {
        let (of, access, id) = (account.id.to_owned(), account.tokens.access.expose_secret().to_owned(), post.id.to_owned());
        self.network.demand_own(account.id, &access);
        let by = Actor::current().map_or(usize::MAX, |actor| actor.number);
        let told = self.network.call("numbers", account.id, post.id, move |network| {
            let (mut held, now) = (network.held(), network.clock.now());
            if !held.is_live(&of, &access, now) {
                return Err(Broken::Token);
            }
            let shown = held.publications.iter().find(|publication| publication.id == id).ok_or(Broken::Refused)?;
            // They rise and fall.
            let age_secs = u64::try_from(now.duration_since(shown.at).as_secs()).unwrap_or_default();
            let numbers = Numbers { impressions: Some(age_secs), reach: Some(age_secs % 100), ..Numbers::default() };
            held.told.entry(id).or_default().push(Reading { numbers, by, answered: false });
            Ok(Told { numbers, missing: Vec::new(), busy: age_secs.is_multiple_of(7) })
        });
        let told = told.await;
        if told.is_ok() {
            self.network.answered(post.id, by);
        }
        told.map_err(|broken| match broken {
            Broken::Token => NumbersError::TokenRefused,
            Broken::Limited | Broken::AppLimited => NumbersError::Limited { until: None },
            Broken::Refused => NumbersError::Gone,
            Broken::NotSent | Broken::Lost => NumbersError::Unavailable { detail: "simulated".to_owned() },
        })
    }

    async fn look_up(&self, account: Account<'_>, handle: &str) -> Result<HandleState, ReadError> {
        self.network.looked_up(account, handle).await
    }

    async fn own_posts(
        &self,
        account: Account<'_>,
        since: Timestamp,
        until: Option<Timestamp>,
        _now: Timestamp,
    ) -> Result<Vec<OwnPost>, ReadError> {
        let (of, access) = (account.id.to_owned(), account.tokens.access.expose_secret().to_owned());
        self.network.demand_own(account.id, &access);
        let listed = self.network.call("own_posts", account.id, "", move |network| {
            let now = network.clock.now();
            let held = network.held();
            if !held.is_live(&of, &access, now) {
                return Err(Broken::Token);
            }
            let visible = |post: &&Publication| {
                post.account == of && post.at >= since && until.is_none_or(|until| post.at <= until) && post.at + network.lag <= now
            };
            let show = |post: &Publication| OwnPost { id: post.id.clone(), url: None, text: post.text.clone(), created_at: post.at };
            let mut posts: Vec<_> = held.publications.iter().filter(visible).map(show).collect();
            posts.sort_by_key(|post| std::cmp::Reverse(post.created_at));
            posts.truncate(100);
            Ok(posts)
        });
        let detail = "simulated".to_owned();
        listed.await.map_err(|broken| match broken {
            Broken::Token => ReadError::TokenRefused,
            Broken::Limited | Broken::AppLimited => ReadError::Limited { until: None },
            Broken::NotSent | Broken::Lost | Broken::Refused => ReadError::Unavailable { detail },
        })
    }

    fn comparable(&self, text: &str) -> String {
        text.to_owned()
    }

    async fn revoke(&self, _: &AppCredentials, of: Account<'_>, _: Timestamp) -> Result<(), RevokeError> {
        let account = of.tokens.access.expose_secret().split('-').nth(1).unwrap_or_default().to_owned();
        let of = account.clone();
        let revoked = self.network.call("revoke", &account, "", move |network| {
            network.held().revoked.push(of);
            Ok(())
        });
        revoked.await.map_err(|_| RevokeError { detail: "simulated".to_owned() })
    }
}
