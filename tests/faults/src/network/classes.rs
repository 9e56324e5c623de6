//! The classes whose doubts a key or a handle clears up: what the platform keeps of keys and handles, and how it uses them.

use std::collections::BTreeMap;

use domain::failure::FailureCode;
use jiff::{SignedDuration, Timestamp};
use platforms::{Account, HandleState, Outcome, PrepareError, ReadError};
use secrecy::ExposeSecret;

use super::{Broken, Network};

/// From this lag on, what is published under a handle is accepted first and shown later.
const SHOWN_LATER: SignedDuration = SignedDuration::from_mins(5);

/// What was prepared.
#[derive(Clone)]
struct Prepared {
    account: String,
    text: String,
    /// What was published of it, and when.
    published: Option<(String, Timestamp)>,
    /// It never will be.
    gone: bool,
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

    /// Makes a handle; nothing is visible by it.
    pub(super) async fn prepared(&self, account: Account<'_>, text: &str) -> Result<String, PrepareError> {
        let (of, access, text) = (account.id.to_owned(), account.tokens.access.expose_secret().to_owned(), text.to_owned());
        let made = self.call("prepare", account.id, "", move |network| {
            let now = network.clock.now();
            let mut held = network.held();
            if !held.is_live(&of, &access, now) {
                return Err(Broken::Token);
            }
            held.next += 1;
            let handle = format!("h{}", held.next);
            held.classes.handles.insert(handle.clone(), Prepared { account: of, text, published: None, gone: false });
            Ok(handle)
        });
        let detail = "simulated".to_owned();
        made.await.map_err(|broken| match broken {
            Broken::Token => PrepareError::TokenRefused { http_status: 401 },
            Broken::Limited | Broken::AppLimited => PrepareError::Limited { until: None, http_status: 429 },
            Broken::Refused => PrepareError::Rejected { code: FailureCode::ContentRejected, http_status: 400, detail },
            Broken::NotSent | Broken::Lost => PrepareError::Unavailable { detail },
        })
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
            let prepared = network.held().classes.handles.get(&asked).filter(|prepared| !prepared.gone).cloned();
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
                None if prepared.gone => HandleState::Gone { code: FailureCode::ContentRejected },
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
