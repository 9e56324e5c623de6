//! Connecting accounts: one exchange a consent, one account a reconnect, nothing of anybody else's.

mod consents {
    pub(crate) mod callbacks;
    pub(crate) mod choices;
    pub(crate) mod disconnects;
    pub(crate) mod failures;
    pub(crate) mod reconnects;
    pub(crate) mod steps;
}
