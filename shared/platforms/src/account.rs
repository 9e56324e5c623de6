//! Accounts, and what they show.

use domain::connection::Connection;
use domain::platform::{AccountKind, Server};
use domain::token::TokenSet;
use jiff::Timestamp;

/// An account that a consent lets us post to, with its own tokens.
#[derive(Debug, Clone)]
pub struct GrantedAccount {
    /// The network's id of the account; where many people run servers of the network, one that no other server gives.
    pub account_id: String,
    /// The name that people know.
    pub username: String,
    /// What it is.
    pub kind: AccountKind,
    /// Where it lives, where many people run servers of the network.
    pub server: Option<Server>,
    /// The network's id of the person who granted, where [`Platform::revoke`](crate::Platform::revoke) ends all that the person granted,
    /// whoever asked for it.
    pub grantor: Option<String>,
    /// What acts for it.
    pub tokens: TokenSet,
    /// Scopes that posting needs and that were not granted.
    pub missing_scopes: Vec<String>,
}

/// The account that a call acts for.
#[derive(Debug, Clone, Copy)]
pub struct Account<'a> {
    /// The network's id.
    pub id: &'a str,
    /// Its name, for permalinks.
    pub username: &'a str,
    /// What it is.
    pub kind: AccountKind,
    /// The server that it lives on, where many people run servers of the network.
    pub server: Option<&'a Server>,
    /// Its credentials.
    pub tokens: &'a TokenSet,
}

impl<'a> Account<'a> {
    /// The account behind a connection, acting by `tokens`.
    pub fn of(connection: &'a Connection, tokens: &'a TokenSet) -> Self {
        let Connection { platform_user_id: id, username, kind, server, .. } = connection;
        Self { id, username, kind: *kind, server: server.as_ref(), tokens }
    }
}

/// A post of the account as the network shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct OwnPost {
    /// The network's id.
    pub id: String,
    /// Where people see it.
    pub url: Option<String>,
    /// Its text, with the network's own link wrappers taken off.
    pub text: String,
    /// The network's clock.
    pub created_at: Timestamp,
}
