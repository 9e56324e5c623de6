//! `ops audit`.

use anyhow::Context;
use clap::Args;
use domain::audit::Difference;
use domain::id::UserId;
use edge::problem::chain;
use futures::stream::{self, StreamExt};
use serde_json::{Value, json};
use store::StoreError;

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

/// What an audit found.
#[derive(Default)]
struct Audited {
    users: usize,
    differences: Vec<(UserId, Difference)>,
    /// Whoever could not be read, where that is known, and why.
    unreadable: Vec<(Option<UserId>, String)>,
}

/// What differs or cannot be read, and whether anything does.
pub(crate) async fn run(ops: &Ops, options: Options) -> anyhow::Result<(Shown, bool)> {
    let mut audited = Audited::default();
    if let Some(user) = options.user {
        ops.store.user(&user).await.context("reading the user")?.context("there is no such user")?;
        audited.add(of_user(ops, Ok(user)).await);
    } else {
        let mut place = None;
        loop {
            let (page, next) = ops.store.users(place).await.context("listing users")?;
            let mut books = stream::iter(page).map(|user| of_user(ops, user)).buffer_unordered(USERS_AT_ONCE);
            while let Some(books) = books.next().await {
                audited.add(books);
            }
            place = next;
            if place.is_none() {
                break;
            }
        }
    }
    Ok((audited.shown(), !audited.differences.is_empty() || !audited.unreadable.is_empty()))
}

/// One user's differences, or why they cannot be read.
type Books = Result<Vec<(UserId, Difference)>, (Option<UserId>, String)>;

async fn of_user(ops: &Ops, user: Result<UserId, StoreError>) -> Books {
    let user = user.map_err(|error| (None, chain(&error)))?;
    match ops.store.audit(&user).await {
        Ok(differences) => Ok(differences.into_iter().map(|difference| (user.clone(), difference)).collect()),
        Err(error) => Err((Some(user), chain(&error))),
    }
}

impl Audited {
    fn add(&mut self, books: Books) {
        self.users += 1;
        match books {
            Ok(differences) => self.differences.extend(differences),
            Err(why) => self.unreadable.push(why),
        }
    }

    fn shown(&self) -> Shown {
        let (found, unreadable) = (&self.differences, &self.unreadable);
        let json = json!({
            "users": self.users,
            "differences": found.iter().map(|(user, difference)| json!({
                "user_id": user, "cycle_start": difference.cycle_start, "what": difference.what.as_str(),
                "ledger": difference.ledger, "computed": difference.computed,
            })).collect::<Value>(),
            "unreadable": unreadable.iter().map(|(user, why)| json!({ "user_id": user, "error": why })).collect::<Value>(),
        });
        let mut shown = Shown::new(json).line(format!("{} users, {} differences", self.users, found.len()));
        if !found.is_empty() {
            let rows = found.iter().map(|(user, difference)| {
                let (start, what) = (difference.cycle_start.to_string(), difference.what.as_str().to_owned());
                [user.to_string(), start, what, difference.ledger.to_string(), difference.computed.to_string()]
            });
            shown = shown.with("", ["user", "cycle", "what", "ledger", "computed"], rows);
        }
        if !unreadable.is_empty() {
            let rows = unreadable.iter().map(|(user, why)| [or_dash(user.as_ref()), why.clone()]);
            shown = shown.with(format!("{} users cannot be read", unreadable.len()), ["user", "error"], rows);
        }
        shown
    }
}
