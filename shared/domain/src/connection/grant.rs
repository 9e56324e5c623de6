//! From a consent to a connection.

use jiff::Timestamp;

use super::{Connection, GrantLife, Health};
use crate::id::{ConnectionId, UserId};
use crate::platform::{AccountKind, PlatformName, Server, ServerName};
use crate::token::TokenSet;

/// What one consent gave for one account, without the tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Where.
    pub platform: PlatformName,
    /// The account's id on the platform.
    pub platform_user_id: String,
    /// The account's name on the platform.
    pub username: String,
    /// What the account is.
    pub kind: AccountKind,
    /// See [`Connection::server`].
    pub server: Option<Server>,
    /// See [`Connection::app_server`].
    pub app_server: Option<ServerName>,
    /// What was granted.
    pub scopes: Vec<String>,
    /// When the access token ends; `None` = no set end.
    pub expires_at: Option<Timestamp>,
    /// Whether there is a refresh token.
    pub refreshable: bool,
    /// Scopes that posting needs and that were not granted.
    pub missing_scopes: Vec<String>,
    /// See [`Connection::grantor`].
    pub grantor: Option<String>,
}

impl Grant {
    /// The grant behind `tokens` for the account of this id and name; `needed` are the scopes without which it can only be
    /// [`Health::Limited`].
    pub fn new(
        platform: PlatformName,
        (platform_user_id, username): (String, String),
        kind: AccountKind,
        tokens: &TokenSet,
        needed: &[&str],
    ) -> Self {
        Self {
            platform,
            platform_user_id,
            username,
            kind,
            server: None,
            app_server: None,
            scopes: tokens.scopes.clone(),
            expires_at: tokens.expires_at,
            refreshable: tokens.refresh.is_some(),
            missing_scopes: needed
                .iter()
                .filter(|scope| !tokens.scopes.iter().any(|granted| granted == *scope))
                .map(|&scope| scope.to_owned())
                .collect(),
            grantor: None,
        }
    }

    /// The same grant, given by the person with this id: taking it back ends all that the person granted.
    #[must_use]
    pub fn given_by(self, grantor: Option<String>) -> Self {
        Self { grantor, ..self }
    }

    /// The same grant for an account that lives on `server`, given to our app at `app_server`.
    #[must_use]
    pub fn living_on(self, server: Option<Server>, app_server: Option<ServerName>) -> Self {
        Self { server, app_server, ..self }
    }

    /// Whether every scope that posting needs was granted.
    pub fn is_complete(&self) -> bool {
        self.missing_scopes.is_empty()
    }

    fn health(&self) -> Health {
        if self.is_complete() { Health::Ok } else { Health::Limited }
    }
}

/// Why a consent does not change a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReconnectRefused {
    /// The connection works, and with this grant it would not.
    #[error("the new grant holds less than the one in force")]
    LessThanNow,
    /// It is being taken down at this moment.
    #[error("the connection is being disconnected")]
    Disconnecting,
}

impl Connection {
    /// A connection of an account that has none; its tokens are `secret_version` of `secret_name`. Its `rev` begins with the time: where the
    /// account was connected before under the same id, whoever still holds that row finds none of its revs.
    pub fn connected(
        id: ConnectionId,
        user_id: UserId,
        grant: Grant,
        (secret_name, secret_version): (String, String),
        life: GrantLife,
        now: Timestamp,
    ) -> Self {
        let health = grant.health();
        let Grant {
            platform,
            platform_user_id,
            username,
            kind,
            server,
            app_server,
            scopes,
            missing_scopes,
            grantor,
            expires_at,
            refreshable,
        } = grant;
        Self {
            id,
            user_id,
            platform,
            platform_user_id,
            username,
            kind,
            server,
            app_server,
            health,
            scopes,
            missing_scopes,
            grantor,
            expires_at,
            refreshable,
            life,
            secret_name,
            secret_version,
            lease: None,
            refreshes_unanswered: 0,
            limited_until: None,
            connected_at: now,
            updated_at: now,
            rev: u64::try_from(now.as_millisecond()).unwrap_or_default().max(1),
        }
    }

    /// Whether `grant` may take the place of the one in force: a failed reconnect never erases what works, and what is being
    /// taken down would take the new tokens along.
    pub fn may_reconnect(&self, grant: &Grant, now: Timestamp) -> Result<(), ReconnectRefused> {
        let leased = self.lease.as_ref().is_some_and(|lease| lease.until > now);
        if self.health == Health::Disconnecting && leased {
            Err(ReconnectRefused::Disconnecting)
        } else if self.is_usable() && !grant.is_complete() {
            Err(ReconnectRefused::LessThanNow)
        } else {
            Ok(())
        }
    }

    /// The same account, connected again: `secret_version` is in force, and whoever is refreshing the old tokens has lost.
    #[must_use]
    pub fn reconnected(self, grant: Grant, secret_version: String, life: GrantLife, now: Timestamp) -> Self {
        let health = grant.health();
        let Grant { username, kind, server, app_server, scopes, missing_scopes, grantor, expires_at, refreshable, .. } = grant;
        Self {
            username,
            kind,
            server,
            app_server,
            health,
            scopes,
            missing_scopes,
            grantor,
            expires_at,
            refreshable,
            life,
            secret_version,
            lease: None,
            refreshes_unanswered: 0,
            ..self.changed(now)
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use url::Url;

    use super::*;
    use crate::id::AttemptId;
    use crate::platform::ServerLimits;
    use crate::wait::Wait;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn grant(scopes: &[&str]) -> Grant {
        let scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        let tokens = TokenSet { expires_at: Some(at(100)), scopes, ..TokenSet::bare("a".to_owned().into()) };
        Grant::new(PlatformName::X, ("7".to_owned(), "ann".to_owned()), AccountKind::Profile, &tokens, &["read", "write"])
    }

    fn life(granted: i64) -> GrantLife {
        GrantLife::unwatched(at(granted))
    }

    fn connected(scopes: &[&str]) -> Connection {
        let secret = ("name".to_owned(), "v1".to_owned());
        Connection::connected(ConnectionId::new(at(0), [1; 10]), UserId::new(at(0), [2; 10]), grant(scopes), secret, life(0), at(0))
    }

    #[test]
    fn a_grant_without_a_scope_that_posting_needs_is_limited() {
        assert_eq!(connected(&["read", "write", "more"]).health, Health::Ok);
        let limited = connected(&["read"]);
        assert_eq!((limited.health, limited.missing_scopes), (Health::Limited, vec!["write".to_owned()]));
    }

    #[test]
    fn a_reconnect_keeps_the_id_and_mends_the_health() {
        let before = connected(&["read", "write"]).leased(AttemptId::new(at(1), [3; 10]), at(1)).dead(at(1));
        let after = before.clone().reconnected(grant(&["read", "write"]), "v2".to_owned(), life(2), at(2));
        assert_eq!((after.id, after.rev, after.connected_at), (before.id, before.rev + 1, at(0)));
        assert_eq!((after.health, after.secret_version.as_str(), after.lease, after.life), (Health::Ok, "v2", None, life(2)));
    }

    #[test]
    fn a_reconnect_moves_an_account_to_the_server_and_the_app_of_the_new_consent() {
        let name = |text| ServerName::parse(text).unwrap();
        let server = |text: &str| Server {
            api: Url::parse(&format!("https://{text}")).unwrap(),
            issuer: Url::parse(&format!("https://{text}")).unwrap(),
            software: "mastodon".to_owned(),
            limits: ServerLimits::default(),
        };
        let at_one = grant(&["read", "write"]).living_on(Some(server("one.example")), Some(name("one.example")));
        let (id, user) = (ConnectionId::new(at(0), [1; 10]), UserId::new(at(0), [2; 10]));
        let life = GrantLife::unwatched(at(0));
        let before = Connection::connected(id, user, at_one, ("name".to_owned(), "v1".to_owned()), life, at(0));
        assert_eq!((before.app().to_string().as_str(), before.facts().server), ("x/one.example", Some(&server("one.example"))));
        let at_two = grant(&["read", "write"]).living_on(Some(server("two.example")), Some(name("two.example")));
        let after = before.reconnected(at_two, "v2".to_owned(), life, at(1));
        assert_eq!((after.app().to_string().as_str(), after.facts().server), ("x/two.example", Some(&server("two.example"))));
    }

    #[test]
    fn a_lesser_grant_does_not_replace_one_that_works() {
        let works = connected(&["read", "write"]);
        assert_eq!(works.may_reconnect(&grant(&["read"]), at(1)), Err(ReconnectRefused::LessThanNow));
        assert_eq!(works.may_reconnect(&grant(&["read", "write"]), at(1)), Ok(()));
        assert_eq!(works.dead(at(1)).may_reconnect(&grant(&["read"]), at(1)), Ok(()));
    }

    #[test]
    fn what_is_being_taken_down_is_not_reconnected_under_way() {
        let leaving = connected(&["read", "write"]).disconnecting(at(1)).leased(AttemptId::new(at(1), [3; 10]), at(1));
        let whole = grant(&["read", "write"]);
        assert_eq!(leaving.may_reconnect(&whole, at(2)), Err(ReconnectRefused::Disconnecting));
        assert_eq!(leaving.may_reconnect(&whole, at(1) + SignedDuration::from_mins(5)), Ok(()));
    }

    #[test]
    fn refreshes_without_an_answer_end_with_a_request_to_reconnect() {
        use crate::connection::{REFRESHES_UNANSWERED_MAX, TokenState};
        let mut tried = Connection { refreshable: true, ..connected(&["read", "write"]) };
        let mut now = at(1_000);
        let mut calls = 0;
        while tried.token_state(now) == TokenState::Expired {
            tried = tried.leased(AttemptId::new(now, [3; 10]), now);
            assert_eq!(tried.token_state(now), TokenState::Refreshing);
            (now, calls) = (now + crate::connection::REFRESH_LEASE, calls + 1);
        }
        assert_eq!((tried.token_state(now), calls), (TokenState::Dead, REFRESHES_UNANSWERED_MAX + 1));
        // One that was answered, even with a refusal for the moment, begins anew.
        let answered = tried.clone().released(now).leased(AttemptId::new(now, [4; 10]), now);
        assert_eq!(answered.refreshes_unanswered, 0);
        assert_eq!(tried.reconnected(grant(&["read", "write"]), "v2".to_owned(), life(9), now).refreshes_unanswered, 0);
    }

    #[test]
    fn a_limit_never_ends_sooner_by_a_shorter_one() {
        for wait in [Wait::Told, Wait::Guessed] {
            let limited = connected(&["read", "write"]).limited(wait(at(900)), at(1)).limited(wait(at(300)), at(2));
            assert_eq!(limited.limited_until, Some(wait(at(900))));
        }
    }

    #[test]
    fn the_platforms_own_word_on_a_limit_takes_the_place_of_a_guess_and_of_nothing_else() {
        let limited = |first, second| connected(&["read", "write"]).limited(first, at(1)).limited(second, at(2)).limited_until;
        assert_eq!(limited(Wait::Guessed(at(900)), Wait::Told(at(300))), Some(Wait::Told(at(300))));
        assert_eq!(limited(Wait::Told(at(900)), Wait::Guessed(at(300))), Some(Wait::Told(at(900))));
        assert_eq!(limited(Wait::Told(at(300)), Wait::Guessed(at(900))), Some(Wait::Guessed(at(900))), "the one that ends last");
    }
}
