//! Connection.

use domain::connection::{Connection, Health};
use domain::id::ConnectionId;
use domain::platform::PlatformName;
use serde::Serialize;
use utoipa::ToSchema;

use super::Time;

/// A connection as its owner sees it. It names no secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Connection)]
pub struct ConnectionJson {
    /// Names the connection.
    id: ConnectionId,
    /// Where the account is.
    platform: PlatformName,
    /// The platform's own name for the account.
    platform_user_id: String,
    /// The account's name as people know it.
    username: String,
    /// Whether posts can go out through it.
    is_active: bool,
    /// How it stands with the account.
    health: Health,
    /// What was granted.
    scopes: Vec<String>,
    /// What posting needs and was not granted.
    missing_scopes: Vec<String>,
    /// When the grant ends unless it is renewed; `null`: not known, or never.
    expires_at: Option<Time>,
    /// By when its owner has to connect it again, where that is known ahead: posts wait from then on. `null`: nothing is known.
    reconnect_by: Option<Time>,
    /// When it was connected.
    connected_at: Time,
    /// When it last changed.
    updated_at: Time,
}

impl From<&Connection> for ConnectionJson {
    fn from(connection: &Connection) -> Self {
        Self {
            id: connection.id.clone(),
            platform: connection.platform,
            platform_user_id: connection.platform_user_id.clone(),
            username: connection.username.clone(),
            is_active: connection.is_usable(),
            health: connection.health,
            scopes: connection.scopes.clone(),
            missing_scopes: connection.missing_scopes.clone(),
            expires_at: connection.expires_at.map(Time::from),
            reconnect_by: connection.life.reconnect_by.map(Time::from),
            connected_at: connection.connected_at.into(),
            updated_at: connection.updated_at.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::connection::GrantLife;
    use domain::id::UserId;
    use domain::platform::AccountKind;
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn a_connection_has_the_contracts_shape_and_names_no_secret() {
        let at = Timestamp::from_second(1_000_000_000).unwrap();
        let connection = Connection {
            id: ConnectionId::new(at, [1; 10]),
            user_id: UserId::new(at, [2; 10]),
            platform: PlatformName::X,
            platform_user_id: "7".to_owned(),
            username: "ann".to_owned(),
            kind: AccountKind::Profile,
            server: None,
            app_server: None,
            health: Health::NeedsReauth,
            scopes: vec!["tweet.write".to_owned()],
            missing_scopes: vec!["tweet.read".to_owned()],
            grantor: Some("grantor-1".to_owned()),
            expires_at: None,
            refreshable: true,
            life: GrantLife { reconnect_by: Some(at), ..GrantLife::unwatched(at) },
            secret_name: "secret".to_owned(),
            secret_version: "version".to_owned(),
            lease: None,
            refreshes_unanswered: 0,
            limited_until: None,
            connected_at: at,
            updated_at: at,
            rev: 1,
        };
        assert_eq!(
            serde_json::to_value(ConnectionJson::from(&connection)).unwrap(),
            serde_json::json!({
                "id": connection.id.as_str(), "platform": "x", "platform_user_id": "7", "username": "ann", "is_active": false,
                "health": "needs_reauth", "scopes": ["tweet.write"], "missing_scopes": ["tweet.read"], "expires_at": null,
                "reconnect_by": "2001-09-09T01:46:40.000Z",
                "connected_at": "2001-09-09T01:46:40.000Z", "updated_at": "2001-09-09T01:46:40.000Z",
            })
        );
    }
}
