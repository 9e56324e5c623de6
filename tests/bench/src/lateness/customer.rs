//! A customer with accounts on X and a quota for many posts.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, ensure};
use domain::id::UserId;
use domain::ledger::{Actor, Cause, ChangeReason};
use domain::plan::CYCLE;
use edge::random::Random;
use jiff::Timestamp;
use local::Browser;
use local::browser::text_at;
use store::Store;

/// How often the count of armed posts is printed.
const PRINTED_EVERY: usize = 1_000;

/// What a customer has.
#[derive(Debug, Clone)]
pub(super) struct Share {
    pub(super) name: String,
    pub(super) posts: usize,
    /// At most: no account is without a post.
    pub(super) accounts: usize,
}

pub(super) struct Customer {
    share: Share,
    pub(super) browser: Browser,
    accounts: Vec<Account>,
}

struct Account {
    connection: String,
    /// Its id on the platform.
    id: String,
}

impl Customer {
    /// The customer with this number signs up and connects accounts; an operator raises the quota.
    pub(super) async fn new((base_url, store): (&str, &Store), number: usize, share: &Share) -> anyhow::Result<Self> {
        let mut browser = Browser::new(base_url)?;
        let signed_in = browser.sign_in(&format!("+614123456{number:02}")).await?;
        let user: UserId = serde_json::from_value(signed_in["user"]["id"].clone())?;
        browser.redeem("professional").await?;
        for account in 0..share.accounts.min(share.posts) {
            browser.connect("x", &[("account", &format!("bench{number}_{account}"))], &[]).await?;
        }
        let listed = browser.get("/api/connections?limit=100").await?.expect(200)?;
        let read = |item| anyhow::Ok(Account { connection: text_at(item, "/id")?, id: text_at(item, "/platform_user_id")? });
        let accounts = listed.json["items"].as_array().into_iter().flatten().map(read).collect::<Result<_, _>>()?;
        grant(store, &user, share.posts, browser.service_time(0).await?.parse()?).await?;
        Ok(Self { share: share.clone(), browser, accounts })
    }

    /// Writes and approves all posts, one after the other; `armed` counts everybody's.
    pub(super) async fn arm(&self, due: &str, armed: &AtomicUsize) -> anyhow::Result<()> {
        let connections: Vec<&str> = self.accounts.iter().map(|account| account.connection.as_str()).collect();
        for first in self.firsts() {
            let count = connections.len().min(self.share.posts - first);
            for post in self.browser.write(&self.text(first), &connections[..count], due).await? {
                self.browser.approve(&post).await?;
                let so_far = armed.fetch_add(1, Ordering::Relaxed) + 1;
                if so_far.is_multiple_of(PRINTED_EVERY) {
                    println!("  {so_far} posts are armed");
                }
            }
        }
        Ok(())
    }

    /// How late each post was. Each must be there, once and not early.
    pub(super) async fn lateness(&self, due: Timestamp) -> anyhow::Result<Vec<Duration>> {
        let mut lateness = Vec::with_capacity(self.share.posts);
        for (index, account) in self.accounts.iter().enumerate() {
            let held = self.browser.get(&format!("/_sim/x/posts?account_id={}", account.id)).await?.expect(200)?;
            let mut texts = Vec::new();
            for item in held.json["items"].as_array().into_iter().flatten() {
                let at: Timestamp = text_at(item, "/created_at")?.parse()?;
                let late = Duration::try_from(at.duration_since(due)).with_context(|| format!("a post due at {due} arrived at {at}"))?;
                lateness.push(late);
                texts.push(text_at(item, "/text")?);
            }
            texts.sort_unstable();
            let mut written: Vec<String> =
                self.firsts().filter(|first| first + index < self.share.posts).map(|first| self.text(first)).collect();
            written.sort_unstable();
            let (name, came, expected) = (&self.share.name, texts.len(), written.len());
            ensure!(texts == written, "account {index} of {name} has {came} posts on the platform instead of {expected}, or other ones");
        }
        Ok(lateness)
    }

    /// The number of the first post of each request: one request goes to all accounts.
    fn firsts(&self) -> impl Iterator<Item = usize> {
        (0..self.share.posts).step_by(self.accounts.len().max(1))
    }

    fn text(&self, first: usize) -> String {
        format!("Fresh bread, batch {first}, from {}", self.share.name)
    }
}

/// Raises the quota of the running cycle by so many posts, as `ops adjust` does.
async fn grant(store: &Store, user: &UserId, posts: usize, now: Timestamp) -> anyhow::Result<()> {
    let cycles = store.cycles_from(user, now - CYCLE).await?;
    let running = cycles.into_iter().find(|cycle| cycle.span.start <= now && now < cycle.span.end).context("no cycle runs")?;
    let cause = Cause { entropy: Random::system().bytes(), at: now, actor: Actor::Operator, post_id: None };
    let change = running.adjust(i32::try_from(posts)?, ChangeReason::Adjustment, cause).context("a cycle cannot hold so many posts")?;
    ensure!(store.commit_ledger(&[change.noted("for the benchmark")]).await?, "the cycle was changed meanwhile");
    Ok(())
}
