//! Bugs that the proof of the machine must find. They are built with the feature `planted` alone, which no build of the product
//! sets: a proof that finds none of them would prove nothing.

use std::cell::Cell;

thread_local! {
    static PLANTED: Cell<Option<Bug>> = const { Cell::new(None) };
}

/// What is wrong with the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    /// Sends without having stored the intent.
    NoIntent,
    /// Stores the intent whoever else has changed the post.
    IntentNotFenced,
    /// Sends again when a search finds nothing.
    ResendWhenNothingFound,
    /// Settles whoever else has changed the post.
    SettleWithoutCondition,
    /// Sends when it takes over from a worker that may have sent.
    TakeoverSends,
    /// Takes a lost answer for proof that nothing was sent.
    TimeoutTakenAsNotSent,
    /// Takes an account away while its posts are under way.
    DisconnectDoesNotWait,
    /// Does not know its own earlier write.
    OwnWriteNotRecognised,
    /// A cancelled post keeps its place.
    ReservationNotReturned,
    /// A published post is paid for twice.
    DoubleSettle,
    /// An edit of a version that is gone is granted.
    StaleVersionAccepted,
    /// Repeats a send under a key that the platform may have forgotten.
    ResendWithAnOldKey,
    /// Refreshes while another refresh is under way.
    RefreshTokenUsedTwice,
    /// Follows a word on a subscription that is older than what is known.
    OldWordFollowed,
    /// Grants a certificate that somebody else has redeemed meanwhile.
    CertificateGrantedTwice,
    /// Writes a cycle whoever else has changed it.
    CycleWithoutCondition,
    /// Adds a post's newer numbers to the sums in which its older ones are.
    NumbersCountedTwice,
    /// Looks for rivals among nobody's posts.
    RivalsIgnored,
}

impl Bug {
    /// Every one.
    pub const ALL: [Self; 18] = [
        Self::NoIntent,
        Self::IntentNotFenced,
        Self::ResendWhenNothingFound,
        Self::SettleWithoutCondition,
        Self::TakeoverSends,
        Self::TimeoutTakenAsNotSent,
        Self::DisconnectDoesNotWait,
        Self::OwnWriteNotRecognised,
        Self::ReservationNotReturned,
        Self::DoubleSettle,
        Self::StaleVersionAccepted,
        Self::ResendWithAnOldKey,
        Self::RefreshTokenUsedTwice,
        Self::OldWordFollowed,
        Self::CertificateGrantedTwice,
        Self::CycleWithoutCondition,
        Self::NumbersCountedTwice,
        Self::RivalsIgnored,
    ];
}

/// Plants a bug in this thread, or none.
pub fn plant(bug: Option<Bug>) {
    PLANTED.set(bug);
}

/// Whether it is planted in this thread.
pub fn is(bug: Bug) -> bool {
    PLANTED.get() == Some(bug)
}
