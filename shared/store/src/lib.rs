//! What is kept in DynamoDB: items to domain values and back, every condition and every transaction.
//!
//! Every write is conditional on the `rev` that it was derived from, and asks for the item that stood in its way: if that
//! is our own write (the SDK re-sends what may already have landed), it counts as done.

mod audit;
mod audit_round;
mod billing;
mod choices;
mod client;
mod closing;
mod connections;
mod cursor;
mod cycle_analytics;
mod endings;
mod error;
mod flows;
mod gifts;
mod holds;
mod idempotency;
mod items;
mod key;
mod ledger;
mod leftovers;
mod limits;
mod pauses;
mod plans;
mod posts;
mod returns;
mod rounds;
pub mod schema;
mod servers;
mod sessions;
mod transact;
mod users;
mod verification;
mod watches;

pub use audit::Audit;
pub use audit_round::AuditRound;
pub use billing::{Customer, Follow, Followed};
pub use closing::{AtItsEnd, Closing, ClosingPage, Place};
pub use connections::{ConnectionMade, ConnectionWrite, DueGrant, DueGrants};
pub use cursor::{Cursor, InvalidCursor, List, Page, Start};
pub use error::StoreError;
pub use flows::FlowTaken;
pub use gifts::{Redeemed, Redemption, Revoked};
pub use leftovers::{Leftover, Leftovers, OddLeftover};
pub use plans::PlanStored;
pub use posts::{Commit, Counted, Filter, Owner, PostChange, Settled, Settlement, Story, Unbinding, Wanted};
pub use returns::ReturnNote;
pub use rounds::Rounds;
pub use sessions::StoredSession;
pub use users::{TablePlace, UserPage, UserWithConnections};
pub use verification::SignIn;
pub use watches::{DueWatch, DueWatches, PaidWatches, WatchWrite, Watched};

use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;

use items::LeftOut;

/// The names of the tables. A function leaves those empty that are not its own; a call to one of them fails.
#[derive(Debug, Clone, Default)]
pub struct Tables {
    /// Profiles, connections, gift certificates and what must be unique.
    pub users: String,
    /// Posts with their content, attempts and events.
    pub posts: String,
    /// Cycles and their history.
    pub ledger: String,
    /// What ends by itself: sessions, OAuth flows, verification codes, idempotency records.
    pub sessions: String,
}

/// The tables, through one client.
#[derive(Debug, Clone)]
pub struct Store {
    client: Client,
    tables: Tables,
    left_out: LeftOut,
}

impl Store {
    /// A store on the client configuration `sdk`; cheap, no call is made.
    pub fn new(sdk: &SdkConfig, tables: Tables) -> Self {
        Self { client: client::client(sdk), tables, left_out: LeftOut::default() }
    }

    /// The client itself, for whoever creates tables.
    pub fn client(&self) -> &Client {
        &self.client
    }
}
