//! Platforms that take nothing from our app for a while, whoever's the post is. For how long, none of them says: each pause is our guess.

use domain::connection::Connection;
use domain::id::{ConnectionId, UserId};
use domain::platform::PlatformName;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::items::{from_item, text, to_item, written};
use crate::key::{Item, Key, sortable};
use crate::{Store, StoreError};

#[derive(Serialize, Deserialize)]
struct PauseItem {
    /// In the sortable form, so that the later one wins by its own condition.
    paused_until: String,
}

/// When a stored pause ends.
pub(crate) fn until_of(item: Item) -> Result<Timestamp, StoreError> {
    let item: PauseItem = from_item("pause", item)?;
    item.paused_until.parse().map_err(StoreError::corrupt("pause"))
}

impl Store {
    /// A connection, and until when its platform takes nothing from our app; in one read, strongly consistent.
    pub async fn connection_and_pause(
        &self,
        user: &UserId,
        id: &ConnectionId,
        platform: PlatformName,
    ) -> Result<(Option<Connection>, Option<Timestamp>), StoreError> {
        let pause = Key::pause(platform);
        let keys = vec![(self.tables.users.as_str(), Key::connection(user, id)), (self.tables.posts.as_str(), pause.clone())];
        let (mut connection, mut until) = (None, None);
        for item in self.batch_get(keys).await? {
            if item.get("pk").and_then(|pk| pk.as_s().ok()) == Some(&pause.pk) {
                until = Some(until_of(item)?);
            } else {
                connection = Some(crate::connections::read(item)?);
            }
        }
        Ok((connection, until))
    }

    /// The platform takes nothing from our app before `until`. A pause that lasts longer stands.
    pub async fn pause_platform(&self, platform: PlatformName, until: Timestamp) -> Result<(), StoreError> {
        let paused_until = sortable(until);
        let sent = self
            .client
            .put_item()
            .table_name(&self.tables.posts)
            .set_item(Some(to_item(Key::pause(platform), PauseItem { paused_until: paused_until.clone() })))
            .condition_expression("attribute_not_exists(pk) OR paused_until < :until")
            .expression_attribute_values(":until", text(paused_until))
            .send()
            .await;
        written(sent, "pausing a platform").map(|_| ())
    }
}
