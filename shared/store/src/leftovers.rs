//! Secrets that are about to be made: whoever makes one notes it first, so that a crash in between leaves nothing behind for good.

use aws_sdk_dynamodb::types::{Delete, TransactWriteItem};
use domain::id::{ChoiceId, ConnectionId, UserId};
use domain::platform::{PlatformName, ServerName};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::items::{from_item, keyed, text, to_item};
use crate::key::{Item, Key, LEFTOVERS, sortable};
use crate::posts::{put, transact_put};
use crate::{Store, StoreError};

/// How long after it was noted a secret may be judged: longer than any choice waits and any function runs.
const JUDGED_AFTER: SignedDuration = SignedDuration::from_hours(1);

/// The same of the credentials of our app at a server, which are noted for as long as they are there. They are counted in whole days from the
/// next one on, so that several notes of one server become one.
const APP_JUDGED_AFTER: SignedDuration = SignedDuration::from_hours(24);

/// How long a note that cannot be read is out of sight. A release that can read it may come; until then, operators are told of it once in that
/// time.
const ODD_AGAIN_AFTER: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Notes of one look.
const LEFTOVERS_MAX: i32 = 25;
/// Reads of one look, should some of the notes be of no use.
const PAGES_MAX: usize = 8;

/// A secret that may have no row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Leftover {
    /// The tokens of a connection, unless its row is there and names them.
    Connection {
        /// Whose.
        user_id: UserId,
        /// Which.
        connection_id: ConnectionId,
        /// The id that names the secret: an account that is connected again has its old id and a secret of its own.
        secret_id: ConnectionId,
        /// When it was noted.
        at: Timestamp,
    },
    /// A connection that its owner gave up, and its tokens, unless it is gone or connected anew.
    Disconnect {
        /// Whose.
        user_id: UserId,
        /// Which.
        connection_id: ConnectionId,
        /// When it was noted.
        at: Timestamp,
    },
    /// The accounts of a choice, which nobody needs after its time.
    Choice {
        /// Which.
        choice_id: ChoiceId,
        /// When it was noted.
        at: Timestamp,
    },
    /// The credentials of our app at a server, unless a connection was granted to it or a consent began there. The note stays with them.
    App {
        /// Of which network.
        platform: PlatformName,
        /// Which server.
        server: ServerName,
        /// When it was noted.
        at: Timestamp,
    },
}

#[derive(Serialize, Deserialize)]
struct LeftoverItem {
    leftover: Leftover,
}

/// The notes of one look.
#[derive(Debug)]
pub struct Leftovers {
    /// Those that may be judged.
    pub notes: Vec<Leftover>,
    /// Those that cannot be read.
    pub odd: Vec<OddLeftover>,
}

/// A note that cannot be read, as it stands.
#[derive(Debug)]
pub struct OddLeftover(Item);

impl Leftover {
    /// The same, noted at another time.
    fn noted_at(mut self, now: Timestamp) -> Self {
        match &mut self {
            Self::Connection { at, .. } | Self::Disconnect { at, .. } | Self::Choice { at, .. } | Self::App { at, .. } => *at = now,
        }
        self
    }

    /// Sorts by the time from which on it may be judged.
    fn key(&self) -> Key {
        match self {
            Self::Connection { secret_id: id, at, .. } | Self::Disconnect { connection_id: id, at, .. } => {
                Key::leftover(*at + JUDGED_AFTER, id.as_str())
            }
            Self::Choice { choice_id, at } => Key::leftover(*at + JUDGED_AFTER, choice_id.as_str()),
            Self::App { platform, server, at } => {
                let days = at.as_second().div_euclid(APP_JUDGED_AFTER.as_secs()) + 1;
                let next_day = Timestamp::from_second(days * APP_JUDGED_AFTER.as_secs()).unwrap_or(*at);
                Key::leftover(next_day + APP_JUDGED_AFTER, &format!("{platform}#{server}"))
            }
        }
    }
}

impl Store {
    /// Puts a note behind the others that wait: one that fails each time keeps none of them waiting.
    pub async fn put_leftover_behind(&self, note: &Leftover, now: Timestamp) -> Result<(), StoreError> {
        self.note_leftover(&note.clone().noted_at(now)).await?;
        self.forget_leftover(note).await
    }

    /// Notes a secret, before it is made. Repeating it changes nothing.
    pub async fn note_leftover(&self, leftover: &Leftover) -> Result<(), StoreError> {
        self.client
            .put_item()
            .table_name(&self.tables.sessions)
            .set_item(Some(to_item(leftover.key(), LeftoverItem { leftover: leftover.clone() })))
            .send()
            .await
            .map(|_| ())
            .map_err(StoreError::unavailable("noting a secret"))
    }

    /// The secret is in use or gone. Repeating it does no harm.
    pub async fn forget_leftover(&self, leftover: &Leftover) -> Result<(), StoreError> {
        self.client
            .delete_item()
            .table_name(&self.tables.sessions)
            .set_key(Some(leftover.key().into_item()))
            .send()
            .await
            .map(|_| ())
            .map_err(StoreError::unavailable("forgetting a secret"))
    }

    /// The oldest notes that may be judged, a bounded number. One that cannot be read harms no other: as many that can be read come behind it.
    /// It is left out, and told of as [`Self::leaving_out`] says.
    pub async fn leftovers(&self, now: Timestamp) -> Result<Leftovers, StoreError> {
        let (mut notes, mut odd, mut start) = (Vec::new(), Vec::new(), None);
        let mut reading = self.reading();
        for _ in 0..PAGES_MAX {
            let answer = self
                .client
                .query()
                .table_name(&self.tables.sessions)
                .key_condition_expression("pk = :pk AND sk < :sk")
                .expression_attribute_values(":pk", text(LEFTOVERS))
                .expression_attribute_values(":sk", text(sortable(now)))
                .limit(LEFTOVERS_MAX)
                .set_exclusive_start_key(start)
                .send()
                .await
                .map_err(StoreError::unavailable("listing secrets that may be left over"))?;
            for item in answer.items.unwrap_or_default() {
                let read = keyed(item.clone(), |item| Ok(from_item::<LeftoverItem>("noted secret", item)?.leftover));
                match reading.row(read)? {
                    Some(note) => notes.push(note),
                    None => odd.push(OddLeftover(item)),
                }
            }
            start = answer.last_evaluated_key;
            if start.is_none() || i32::try_from(notes.len()).is_ok_and(|readable| readable >= LEFTOVERS_MAX) {
                break;
            }
        }
        Ok(Leftovers { notes, odd })
    }

    /// Puts a note that cannot be read behind those of the next days, as it is: it may be the only trace of a secret.
    pub async fn put_odd_leftover_behind(&self, odd: &OddLeftover, now: Timestamp) -> Result<(), StoreError> {
        let part = |name: &str| odd.0.get(name).and_then(|value| value.as_s().ok()).cloned().unwrap_or_default();
        let stands = part("sk");
        let name = stands.split_once('#').map_or(stands.as_str(), |(_, name)| name);
        let mut later = odd.0.clone();
        later.extend(Key::leftover(now + ODD_AGAIN_AFTER, name).into_item());
        let gone = Key { pk: part("pk"), sk: stands.clone() };
        let delete = Delete::builder().table_name(&self.tables.sessions).set_key(Some(gone.into_item())).build();
        let legs = vec![
            transact_put(put(&self.tables.sessions, later)),
            TransactWriteItem::builder().delete(delete.expect("table and key are set")).build(),
        ];
        // Neither leg has a condition: nothing can be refused.
        self.transact("putting a note that cannot be read behind", &stands, legs).await.map(drop)
    }
}
