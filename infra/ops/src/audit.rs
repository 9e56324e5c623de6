//! `ops audit`.

use anyhow::Context;
use clap::Args;
use domain::audit::Difference;
use domain::id::UserId;
use domain::post::ZoneChange;
use edge::contract::Time;
use edge::guarded::guarded;
use edge::problem::chain;
use futures::stream::{self, StreamExt};
use serde_json::{Value, json};
use store::{Audit, StoreError};

use crate::table::{Shown, or_dash};
use crate::{Ops, user_id};

/// Users whose books are read at once.
const USERS_AT_ONCE: usize = 8;

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Options {
    /// One user.
    #[arg(long, value_parser = user_id)]
    user: Option<UserId>,
    /// Everybody. Reads the whole users table, and each user's ledger and posts.
    #[arg(long)]
    all: bool,
}

/// What was found of all who were asked for.
#[derive(Default)]
struct Found {
    users: usize,
    differences: Vec<(UserId, Difference)>,
    zone_changes: Vec<(UserId, ZoneChange)>,
    /// Whoever could not be read, where that is known, and why.
    unreadable: Vec<(Option<UserId>, String)>,
}

/// What was found, and whether a number differs or cannot be read. A zone that has got other rules is no fault of the books, and nothing
/// that an operator could mend: it does not count.
pub(crate) async fn run(ops: &Ops, options: Options) -> anyhow::Result<(Shown, bool)> {
    let mut found = Found::default();
    if let Some(user) = options.user {
        ops.store.user(&user).await.context("reading the user")?.context("there is no such user")?;
        found.add(of_user(ops, Ok(user)).await);
    } else {
        let mut place = None;
        loop {
            let (page, next) = ops.store.users(place).await.context("listing users")?;
            let mut books = stream::iter(page).map(|user| of_user(ops, user)).buffer_unordered(USERS_AT_ONCE);
            while let Some(books) = books.next().await {
                found.add(books);
            }
            place = next;
            if place.is_none() {
                break;
            }
        }
    }
    Ok((found.shown(), !found.differences.is_empty() || !found.unreadable.is_empty()))
}

/// What an audit found of one user, or why they cannot be read.
type Books = Result<(UserId, Audit), (Option<UserId>, String)>;

async fn of_user(ops: &Ops, user: Result<UserId, StoreError>) -> Books {
    let user = user.map_err(|error| (None, chain(&error)))?;
    // One whose rows stop the audit keeps nobody else from being read.
    match guarded(ops.store.audit(&user)).await.map_err(|panicked| chain(&panicked)).and_then(|audit| audit.map_err(|error| chain(&error)))
    {
        Ok(mut audit) => {
            let now = ops.clock.now();
            audit.zone_changes.retain(|change| change.due_at > now);
            Ok((user, audit))
        }
        Err(why) => Err((Some(user), why)),
    }
}

impl Found {
    fn add(&mut self, books: Books) {
        self.users += 1;
        match books {
            Ok((user, audit)) => {
                self.differences.extend(audit.differences.into_iter().map(|difference| (user.clone(), difference)));
                self.zone_changes.extend(audit.zone_changes.into_iter().map(|change| (user.clone(), change)));
            }
            Err(why) => self.unreadable.push(why),
        }
    }

    fn shown(&self) -> Shown {
        let json = json!({
            "users": self.users,
            "differences": self.differences.iter().map(|(user, difference)| json!({
                "user_id": user, "cycle_start": Time::from(difference.cycle_start), "what": difference.what.as_str(),
                "ledger": difference.ledger, "computed": difference.computed,
            })).collect::<Value>(),
            "zone_changes": self.zone_changes.iter().map(|(user, change)| json!({
                "user_id": user, "post_id": change.post_id, "due_at": Time::from(change.due_at), "local_time": format!("{:.3}", change.local_time),
                "time_zone": change.time_zone, "now_means": change.now_means.map(Time::from),
            })).collect::<Value>(),
            "unreadable": self.unreadable.iter().map(|(user, why)| json!({ "user_id": user, "error": why })).collect::<Value>(),
        });
        let mut shown = Shown::new(json).line(format!("{} users, {} differences", self.users, self.differences.len()));
        if !self.differences.is_empty() {
            let rows = self.differences.iter().map(|(user, difference)| {
                let (start, what) = (Time::from(difference.cycle_start).to_string(), difference.what.as_str().to_owned());
                [user.to_string(), start, what, difference.ledger.to_string(), difference.computed.to_string()]
            });
            shown = shown.with("", ["user", "cycle", "what", "ledger", "computed"], rows);
        }
        if !self.zone_changes.is_empty() {
            let rows = self.zone_changes.iter().map(|(user, change)| {
                let (due, local) = (Time::from(change.due_at).to_string(), format!("{:.3}", change.local_time));
                [
                    user.to_string(),
                    change.post_id.to_string(),
                    due,
                    local,
                    change.time_zone.clone(),
                    or_dash(change.now_means.map(Time::from)),
                ]
            });
            let title = format!("{} posts whose zone has got other rules; the time that is stored stands", self.zone_changes.len());
            shown = shown.with(title, ["user", "post", "due", "local time", "zone", "means now"], rows);
        }
        if !self.unreadable.is_empty() {
            let rows = self.unreadable.iter().map(|(user, why)| [or_dash(user.as_ref()), why.clone()]);
            shown = shown.with(format!("{} users cannot be read", self.unreadable.len()), ["user", "error"], rows);
        }
        shown
    }
}
