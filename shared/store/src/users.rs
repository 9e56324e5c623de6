//! Profiles and the uniqueness of phone numbers.

use aws_sdk_dynamodb::types::builders::PutBuilder;
use domain::billing::{OpenCheckout, PaidSubscriptions};
use domain::connection::Connection;
use domain::entitlement::Entitlements;
use domain::id::UserId;
use domain::people::phone::{PhoneHash, PhoneNumber};
use domain::user::User;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::connections::{self, CONNECTIONS_MAX};
use crate::items::{from_item, keyed, text, to_item};
use crate::key::{CONNECTION, Item, Key, PROFILE, user_pk};
use crate::posts::put;
use crate::{Store, StoreError};

#[derive(Serialize, Deserialize)]
pub(crate) struct UserItem {
    id: UserId,
    phone: String,
    created_at: Timestamp,
    entitled: Entitlements,
    /// As the payment provider's newest words have it.
    paid: PaidSubscriptions,
    checkout: Option<OpenCheckout>,
    rev: u64,
    writer: String,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct PhoneItem {
    pub(crate) user_id: UserId,
}

impl UserItem {
    pub(crate) fn new(user: &User, writer: &str) -> Self {
        Self {
            id: user.id.clone(),
            phone: user.phone.as_str().to_owned(),
            created_at: user.created_at,
            entitled: user.entitled.clone(),
            paid: user.paid.clone(),
            checkout: user.checkout.clone(),
            rev: user.rev,
            writer: writer.to_owned(),
        }
    }
}

impl From<UserItem> for User {
    fn from(item: UserItem) -> Self {
        Self {
            id: item.id,
            phone: PhoneNumber::from_stored(item.phone),
            created_at: item.created_at,
            entitled: item.entitled,
            paid: item.paid,
            checkout: item.checkout,
            rev: item.rev,
        }
    }
}

/// The legs by which a new user joins a transaction.
pub(crate) fn new_user_puts(table: &str, user: &User, phone: &PhoneHash, writer: &str) -> [PutBuilder; 2] {
    let phone_item = to_item(Key::phone(phone.as_str()), PhoneItem { user_id: user.id.clone() });
    let profile = to_item(Key::profile(&user.id), UserItem::new(user, writer));
    [put(table, phone_item), put(table, profile)].map(|leg| leg.condition_expression("attribute_not_exists(pk)"))
}

/// Items that one page of the whole table looks at: so few that the books of all of them are read well within a minute, even where each
/// user's are read four times over.
const ITEMS_A_PAGE: i32 = 250;

/// Where a page of a whole table stopped.
#[derive(Debug, Clone)]
pub struct TablePlace(pub(crate) Item);

/// A user with their connections.
#[derive(Debug)]
pub struct UserWithConnections {
    /// The user.
    pub user: User,
    /// In the order in which they were made. One that cannot be read harms no other.
    pub connections: Vec<Result<Connection, StoreError>>,
    /// Whether these are all: there may be more than one read takes.
    pub is_whole: bool,
}

/// A page of users, each readable or not, and where the next starts.
pub type UserPage = (Vec<Result<UserId, StoreError>>, Option<TablePlace>);

fn user_id(item: Item) -> Result<UserId, StoreError> {
    keyed(item, |item| Ok(from_item::<UserItem>("user", item)?.id))
}

impl Store {
    /// A page of all users, in no order. It reads the whole table over all its pages: for operators and the nightly audit alone. The
    /// error of one who cannot be read names their item.
    pub async fn users(&self, place: Option<TablePlace>) -> Result<UserPage, StoreError> {
        let (items, next) = self.scan_users("listing users", PROFILE, place).await?;
        Ok((items.into_iter().map(user_id).collect(), next))
    }

    /// The items of one sort key in one page of the whole table.
    pub(crate) async fn scan_users(
        &self,
        doing: &'static str,
        sk: &str,
        place: Option<TablePlace>,
    ) -> Result<(Vec<Item>, Option<TablePlace>), StoreError> {
        let answer = self
            .client
            .scan()
            .table_name(&self.tables.users)
            .filter_expression("sk = :sk")
            .expression_attribute_values(":sk", text(sk))
            .limit(ITEMS_A_PAGE)
            .set_exclusive_start_key(place.map(|place| place.0))
            .send()
            .await
            .map_err(StoreError::unavailable(doing))?;
        Ok((answer.items.unwrap_or_default(), answer.last_evaluated_key.map(TablePlace)))
    }

    /// A user's profile, strongly consistent.
    pub async fn user(&self, id: &UserId) -> Result<Option<User>, StoreError> {
        let item: Option<UserItem> = self.get(&self.tables.users, "user", Key::profile(id)).await?;
        Ok(item.map(Into::into))
    }

    /// A user's profile and their connections, the newest 200 of them: one strongly consistent query, because they stand side by side.
    pub async fn user_with_connections(&self, id: &UserId) -> Result<Option<UserWithConnections>, StoreError> {
        let (first, last) = (CONNECTION.to_owned(), Key::profile(id).sk);
        let answer = self
            .client
            .query()
            .table_name(&self.tables.users)
            .consistent_read(true)
            .key_condition_expression("pk = :pk AND sk BETWEEN :first AND :last")
            .expression_attribute_values(":pk", text(user_pk(id)))
            .expression_attribute_values(":first", text(first))
            .expression_attribute_values(":last", text(&last))
            // The profile comes first, whatever else there is.
            .scan_index_forward(false)
            .limit(1 + CONNECTIONS_MAX)
            .send()
            .await
            .map_err(StoreError::unavailable("reading a user with their connections"))?;
        let is_whole = answer.last_evaluated_key.is_none();
        let mut items = answer.items.unwrap_or_default().into_iter().peekable();
        let is_profile = |item: &Item| item.get("sk").and_then(|sk| sk.as_s().ok()).is_some_and(|sk| *sk == last);
        let Some(profile) = items.next_if(is_profile) else { return Ok(None) };
        let mut connections: Vec<_> = items.map(|item| keyed(item, connections::read)).collect();
        connections.reverse();
        Ok(Some(UserWithConnections { user: from_item::<UserItem>("user", profile)?.into(), connections, is_whole }))
    }

    /// The user that a verified phone number belongs to.
    pub async fn user_by_phone(&self, phone: &PhoneHash) -> Result<Option<User>, StoreError> {
        let item: Option<PhoneItem> = self.get(&self.tables.users, "phone", Key::phone(phone.as_str())).await?;
        match item {
            Some(item) => self.user(&item.user_id).await,
            None => Ok(None),
        }
    }
}
