//! Connecting accounts: one exchange a consent, one account a reconnect, nothing of anybody else's.

mod callbacks;
mod choices;
mod disconnects;
mod failures;
mod reconnects;
mod steps;
