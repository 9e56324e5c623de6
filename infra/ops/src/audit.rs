//! `ops audit`.

use anyhow::Context;
use clap::Args;
use domain::audit::Difference;
use domain::id::UserId;
use futures::stream::{self, StreamExt, TryStreamExt};
use serde_json::{Value, json};

use crate::table::Shown;
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

/// What differs, and whether anything does.
pub(crate) async fn run(ops: &Ops, options: Options) -> anyhow::Result<(Shown, bool)> {
    let mut found: Vec<(UserId, Difference)> = Vec::new();
    let mut users = 0;
    if let Some(user) = options.user {
        ops.store.user(&user).await.context("reading the user")?.context("there is no such user")?;
        found.extend(of_user(ops, user).await?);
        users = 1;
    } else {
        let mut place = None;
        loop {
            let (page, next) = ops.store.users(place).await.context("listing users")?;
            users += page.len();
            let page = page.into_iter().collect::<Result<Vec<_>, _>>().context("reading a user")?;
            let mut books = stream::iter(page).map(|user| of_user(ops, user)).buffer_unordered(USERS_AT_ONCE);
            while let Some(differences) = books.try_next().await? {
                found.extend(differences);
            }
            place = next;
            if place.is_none() {
                break;
            }
        }
    }
    let json = json!({
        "users": users,
        "differences": found.iter().map(|(user, difference)| json!({
            "user_id": user, "cycle_start": difference.cycle_start, "what": difference.what.as_str(),
            "ledger": difference.ledger, "computed": difference.computed,
        })).collect::<Value>(),
    });
    let shown = Shown::new(json).line(format!("{users} users, {} differences", found.len()));
    let rows = found.iter().map(|(user, difference)| {
        let (start, what) = (difference.cycle_start.to_string(), difference.what.as_str().to_owned());
        [user.to_string(), start, what, difference.ledger.to_string(), difference.computed.to_string()]
    });
    let differ = !found.is_empty();
    Ok((if differ { shown.with("", ["user", "cycle", "what", "ledger", "computed"], rows) } else { shown }, differ))
}

async fn of_user(ops: &Ops, user: UserId) -> anyhow::Result<Vec<(UserId, Difference)>> {
    let differences = ops.store.audit(&user).await.with_context(|| format!("reading the books of {user}"))?;
    Ok(differences.into_iter().map(|difference| (user.clone(), difference)).collect())
}
