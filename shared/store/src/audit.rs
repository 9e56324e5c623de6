//! One user's books, read for the audit.

use std::time::Duration;

use domain::audit::{Books, Claim, Difference, audit};
use domain::id::UserId;
use domain::post::{Post, ZoneChange};

use crate::items::{from_item, text};
use crate::key::{CYCLE, HISTORY, Item, user_pk};
use crate::ledger::{CycleItem, HistoryItem};
use crate::posts::Filter;
use crate::{Store, StoreError};

/// Pages of 1 MB of one user's ledger: some million rows.
const PAGES_MAX: usize = 500;
/// The books are read while others write in them: a difference counts when it is there each time.
const ROUNDS: usize = 4;
/// Longer than a transaction, or an index that is behind, takes.
const PAUSE: Duration = Duration::from_millis(500);

/// What an audit of one user found.
#[derive(Debug, Clone, Default)]
pub struct Audit {
    /// What is wrong with the ledger.
    pub differences: Vec<Difference>,
    /// Posts that wait and whose zone has got other rules, also those whose time has passed.
    pub zone_changes: Vec<ZoneChange>,
}

/// The read would not end.
#[derive(Debug, thiserror::Error)]
#[error("there are more rows than one read may take")]
struct TooMany;

impl Store {
    /// What is wrong with a user's ledger, by its history and by the posts, and which posts a change of their zone's rules concerns;
    /// nothing is written. A difference that comes from writes that happen meanwhile is looked at again, for up to two seconds.
    pub async fn audit(&self, user: &UserId) -> Result<Audit, StoreError> {
        let books = self.books(user).await?;
        let mut differences = audit(&books);
        for _ in 1..ROUNDS {
            if differences.is_empty() {
                break;
            }
            tokio::time::sleep(PAUSE).await;
            let again = audit(&self.books(user).await?);
            differences.retain(|difference| again.contains(difference));
        }
        Ok(Audit { differences, zone_changes: books.zone_changes })
    }

    /// All cycles, all history, what all posts claim, and which of them a change of their zone's rules concerns.
    pub async fn books(&self, user: &UserId) -> Result<Books, StoreError> {
        let mut books = Books::default();
        let mut start = None;
        for page in 0.. {
            if page == PAGES_MAX {
                return Err(StoreError::Unavailable { doing: "reading a user's books", source: Box::new(TooMany) });
            }
            let answer = self
                .client
                .query()
                .table_name(&self.tables.ledger)
                .consistent_read(true)
                .key_condition_expression("pk = :pk")
                .expression_attribute_values(":pk", text(user_pk(user)))
                .set_exclusive_start_key(start)
                .send()
                .await
                .map_err(StoreError::unavailable("reading a user's books"))?;
            for item in answer.items.unwrap_or_default() {
                enter(&mut books, item)?;
            }
            start = answer.last_evaluated_key;
            if start.is_none() {
                break;
            }
        }
        let concerns = |post: &Post| Claim::of(post).is_some() || ZoneChange::of(post).is_some();
        let posts = self.posts_where(user, &Filter::default(), concerns).await?;
        books.posts = posts.iter().filter_map(Claim::of).collect();
        books.zone_changes = posts.iter().filter_map(ZoneChange::of).collect();
        Ok(books)
    }
}

fn enter(books: &mut Books, item: Item) -> Result<(), StoreError> {
    let sk = item.get("sk").and_then(|sk| sk.as_s().ok()).cloned().unwrap_or_default();
    if sk.starts_with(CYCLE) {
        books.cycles.push(from_item::<CycleItem>("cycle", item)?.into());
    } else if sk.starts_with(HISTORY) {
        books.history.push(from_item::<HistoryItem>("history row", item)?.into());
    }
    Ok(())
}
