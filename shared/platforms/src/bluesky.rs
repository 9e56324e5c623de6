//! Bluesky, and every other server of atproto: OAuth by documents in the place of registrations, and posts under keys of ours.

pub mod client;
pub mod documents;
pub mod facets;
pub mod handle;
pub mod key;
pub mod proof;
pub mod record;
pub mod record_key;
