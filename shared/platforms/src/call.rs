//! What a post is made from, and how far an adapter is with it.

use std::time::Duration;

use domain::content::Content;
use jiff::Timestamp;

use crate::Account;

/// A call that works on one post.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// For whom.
    pub account: Account<'a>,
    /// All that the post sends.
    pub content: &'a Content,
    /// Names the post in this version: the same for each repeat, and another one for what a person sends anew.
    pub key: &'a str,
    /// What the call may take.
    pub time_left: Duration,
    /// Now.
    pub now: Timestamp,
}

/// What an adapter has made of a post so far. It is stored with the post, and comes back to whoever goes on with it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Prepared {
    /// What the network can be asked about, and publishes once; `None`: the network has nothing to prepare.
    pub handle: Option<String>,
    /// Whether nothing is left to do before the commit.
    pub ready: bool,
    /// When the network forgets it; `None`: it tells no end.
    pub expires_at: Option<Timestamp>,
}

impl Prepared {
    /// All is done, and `handle` stands for it.
    pub fn ready(handle: String) -> Self {
        Self { handle: Some(handle), ready: true, ..Self::default() }
    }
}

/// What a step of the preparation came to.
#[derive(Debug)]
pub enum Advance {
    /// Something was made at the network. It is to be stored before the next step.
    Made(Prepared),
    /// The network is at work: there is nothing to do before this time.
    Wait(Prepared, Timestamp),
    /// The post can be committed.
    Ready(Prepared),
}
