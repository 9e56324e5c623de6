//! The classes whose doubts a key or a handle clears up: what the platform keeps of keys and handles, and how it uses them.

use std::collections::BTreeMap;

use domain::failure::FailureCode;
use domain::post::HANDLE_MARGIN;
use jiff::{SignedDuration, Timestamp};
use platforms::{Account, Advance, HandleState, Outcome, PrepareError, ReadError};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::{Broken, Network};

/// From this lag on, what is published under a handle is accepted first and shown later.
const SHOWN_LATER: SignedDuration = SignedDuration::from_mins(5);

/// What was prepared.
#[derive(Clone)]
struct Prepared {
    account: String,
    text: String,
    made_at: Timestamp,
    /// When it is forgotten unless it is published.
    forgotten_at: Option<Timestamp>,
    /// What was published of it, and when.
    published: Option<(String, Timestamp)>,
    /// It never will be.
    gone: bool,
}

impl Prepared {
    /// Whether it can be published, or was.
    fn is_known(&self, now: Timestamp) -> bool {
        !self.gone && (self.published.is_some() || self.forgotten_at.is_none_or(|end| now < end))
    }
}

fn told(handle: String, prepared: &Prepared) -> platforms::Prepared {
    platforms::Prepared { handle: Some(handle), ready: false, expires_at: prepared.forgotten_at }
}

/// Keys and handles.
#[derive(Clone, Default)]
pub(super) struct Kept {
    /// By account and key: the post that was made, and when.
    keys: BTreeMap<(String, String), (String, Timestamp)>,
    handles: BTreeMap<String, Prepared>,
}

impl Network {
    /// Publishes, without a key or a handle.
    pub(super) async fn posted(&self, account: Account<'_>, text: &str) -> Outcome {
        self.demand_intent(text);
        let (of, access, sent) = (account.id.to_owned(), account.tokens.access.expose_secret().to_owned(), text.to_owned());
        self.demand_own(account.id, &access);
        let published = self.call("publish", account.id, text, move |network| network.publish(&of, &access, &sent)).await;
        match published {
            Ok((post_id, url)) => Outcome::Accepted { post_id, url, http_status: 201 },
            Err(broken) => self.outcome(Err(broken)),
        }
    }

    /// Publishes under a key: for its `life`, the same key is the same post.
    pub(super) async fn keyed(&self, account: Account<'_>, text: &str, (key, life): (&str, SignedDuration)) -> Outcome {
        self.demand_intent(text);
        let (of, access, sent) = (account.id.to_owned(), account.tokens.access.expose_secret().to_owned(), text.to_owned());
        self.demand_own(account.id, &access);
        let by = (of.clone(), key.to_owned());
        let published = self.call("publish", account.id, text, move |network| {
            let now = network.clock.now();
            if !network.held().is_live(&of, &access, now) {
                return Err(Broken::Token);
            }
            let known = network.held().classes.keys.get(&by).filter(|(_, at)| now < *at + life).map(|(id, _)| id.clone());
            if let Some(id) = known {
                return Ok(id);
            }
            let (id, _) = network.publish(&of, &access, &sent)?;
            network.held().classes.keys.insert(by, (id.clone(), now));
            Ok(id)
        });
        self.outcome(published.await)
    }

    /// The next step before a post can be published: a handle is made, or asked after. Nothing is visible by it.
    pub(super) async fn prepare(
        &self,
        account: Account<'_>,
        text: &str,
        so_far: Option<platforms::Prepared>,
    ) -> Result<Advance, PrepareError> {
        let (of, access, text) = (account.id.to_owned(), account.tokens.access.expose_secret().to_owned(), text.to_owned());
        let asked = so_far.and_then(|so_far| so_far.handle);
        if asked.is_none() {
            // Where it is asked for: one that lands late was asked for before.
            self.demand_no_other(&text);
        }
        let advance = self.call("prepare", account.id, "", move |network| {
            let now = network.clock.now();
            if !network.held().is_live(&of, &access, now) {
                return Err(Broken::Token);
            }
            let known = asked.and_then(|asked| network.held().classes.handles.get(&asked).cloned().map(|prepared| (asked, prepared)));
            if let Some((handle, prepared)) = known.filter(|(_, prepared)| prepared.is_known(now)) {
                return Ok(network.worked(handle, &prepared, now));
            }
            let mut held = network.held();
            held.next += 1;
            let handle = format!("h{}", held.next);
            let forgotten_at = network.handle_life.map(|life| now + life);
            let prepared = Prepared { account: of, text, made_at: now, forgotten_at, published: None, gone: false };
            held.classes.handles.insert(handle.clone(), prepared.clone());
            drop(held);
            if network.works.is_zero() { Ok(network.worked(handle, &prepared, now)) } else { Ok(Advance::Made(told(handle, &prepared))) }
        });
        let detail = "simulated".to_owned();
        advance.await.map_err(|broken| match broken {
            Broken::Token => PrepareError::TokenRefused { http_status: 401 },
            Broken::Limited | Broken::AppLimited => PrepareError::Limited { until: None, http_status: 429 },
            Broken::Refused => PrepareError::Rejected { code: FailureCode::ContentRejected, http_status: 400, detail },
            Broken::NotSent | Broken::Lost => PrepareError::Unavailable { detail },
        })
    }

    /// How far the platform is with it.
    fn worked(&self, handle: String, prepared: &Prepared, now: Timestamp) -> Advance {
        let done_at = prepared.made_at + self.works;
        let told = told(handle, prepared);
        if now < done_at { Advance::Wait(told, (now + SignedDuration::from_secs(15)).min(done_at)) } else { Advance::Ready(told) }
    }

    /// Whether a handle of this text is stored already that the platform knows: another one is a container too many.
    fn demand_no_other(&self, text: &str) {
        let now = self.clock.now();
        let scanned = self.aws.tables("Scan", &json!({ "TableName": self.posts_table, "ConsistentRead": true })).unwrap_or(Value::Null);
        let hash = domain::content::Content { text: text.to_owned(), ai_recommendation: None }.hash();
        let items = scanned["Items"].as_array().into_iter().flatten().filter(|item| item["content_hash"]["S"] == hash.as_str());
        let held = self.held();
        let stored = items.filter_map(|item| item["prepared"]["M"]["handle"]["S"].as_str()).find(|handle| {
            let known = held.classes.handles.get(*handle).filter(|known| known.is_known(now + HANDLE_MARGIN));
            known.is_some()
        });
        let stored = stored.map(str::to_owned);
        drop(held);
        // Of two posts that say the same each has its own, and a clock that jumped takes a live lease for over.
        if let Some(stored) = stored.filter(|_| !self.twins && !self.injector.clocks_jumped()) {
            self.injector.violation(format!("S33: another handle is made of {text:?}, and {stored} is stored"));
        }
    }

    /// Publishes what was prepared, once.
    pub(super) async fn published(&self, account: Account<'_>, handle: &str) -> Outcome {
        let text = self.held().classes.handles.get(handle).map(|prepared| prepared.text.clone()).unwrap_or_default();
        self.demand_intent(&text);
        let (access, asked) = (account.tokens.access.expose_secret().to_owned(), handle.to_owned());
        self.demand_own(account.id, &access);
        let about = text.clone();
        let published = self.call("publish", account.id, &about, move |network| {
            let now = network.clock.now();
            let prepared = network.held().classes.handles.get(&asked).filter(|prepared| prepared.is_known(now)).cloned();
            let Some(Prepared { account: of, published: standing, .. }) = prepared else { return Err(Broken::Refused) };
            if !network.held().is_live(&of, &access, now) {
                return Err(Broken::Token);
            }
            if let Some((id, _)) = standing {
                return Ok(id);
            }
            let (id, _) = network.publish(&of, &access, &text)?;
            if let Some(prepared) = network.held().classes.handles.get_mut(&asked) {
                prepared.published = Some((id.clone(), now));
            }
            Ok(id)
        });
        match published.await {
            Ok(_) if self.lag >= SHOWN_LATER => Outcome::Processing { handle: handle.to_owned(), http_status: 202 },
            published => self.outcome(published),
        }
    }

    /// What an account has prepared and not published can be published no more.
    pub(super) fn throw_away(&self, account: &str) {
        for prepared in
            self.held().classes.handles.values_mut().filter(|prepared| prepared.account == account && prepared.published.is_none())
        {
            prepared.gone = true;
        }
    }

    /// What became of a handle.
    pub(super) async fn looked_up(&self, account: Account<'_>, handle: &str) -> Result<HandleState, ReadError> {
        let (access, asked) = (account.tokens.access.expose_secret().to_owned(), handle.to_owned());
        let state = self.call("look_up", account.id, "", move |network| {
            let now = network.clock.now();
            let held = network.held();
            let Some(prepared) = held.classes.handles.get(&asked) else { return Err(Broken::Refused) };
            if !held.is_live(&prepared.account, &access, now) {
                return Err(Broken::Token);
            }
            Ok(match &prepared.published {
                None if !prepared.is_known(now) => HandleState::Gone { code: FailureCode::ContentRejected },
                None => HandleState::Ready,
                Some((_, at)) if network.lag >= SHOWN_LATER && now < *at + network.lag => HandleState::InProgress,
                Some((id, _)) => HandleState::Live { post_id: id.clone(), url: None },
            })
        });
        state.await.map_err(|broken| match broken {
            Broken::Token => ReadError::TokenRefused,
            Broken::Limited | Broken::AppLimited => ReadError::Limited { until: None },
            Broken::NotSent | Broken::Lost | Broken::Refused => ReadError::Unavailable { detail: "simulated".to_owned() },
        })
    }

    fn outcome(&self, published: Result<String, Broken>) -> Outcome {
        let detail = "simulated".to_owned();
        match published {
            Ok(post_id) => Outcome::Accepted { post_id, url: None, http_status: 201 },
            Err(Broken::NotSent) => Outcome::NotSent { detail },
            Err(Broken::Lost) => Outcome::Unknown { http_status: None, detail },
            Err(Broken::Limited) => Outcome::Limited { until: Some(self.clock.now() + SignedDuration::from_mins(2)), http_status: 429 },
            Err(Broken::AppLimited) => Outcome::AppLimited { until: None, http_status: 402, detail },
            Err(Broken::Refused) => Outcome::Rejected { code: FailureCode::ContentRejected, http_status: 400, detail },
            Err(Broken::Token) => Outcome::TokenRefused { http_status: 401 },
        }
    }
}
