//! Bugs that the proof of the machine must find: a proof that finds none of them would prove nothing.
//!
//! A bug is a variant of [`Bug`], one expression with [`Bug::is_planted`] at the place that it spoils, and a row in the table of
//! `tests/faults/tests/suite/proof/planted.rs`. The feature `planted` belongs to that crate's tests alone. Without it `is_planted` is the
//! constant `false`, and the compiler drops what is wrong.

#[cfg(all(feature = "planted", not(debug_assertions)))]
compile_error!("planted bugs are for the tests: no build that is optimised for use may contain them");

/// What is wrong with the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    /// Sends without having stored the intent.
    NoIntent,
    /// Stores the intent whoever else has changed the post.
    IntentNotFenced,
    /// Sends again when a search finds nothing.
    ResendUnfound,
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
    /// Of results that are stored together one counts.
    SettledTogetherCountOnce,
    /// An edit of a version that is gone is granted.
    StaleVersionAccepted,
    /// Repeats a send under a key that the platform may have forgotten.
    ResendWithAnOldKey,
    /// Refreshes while another refresh is under way.
    RefreshTokenUsedTwice,
    /// Gives up storing renewed tokens as soon as the client does.
    RenewedTokensGivenUp,
    /// Sends what is prepared ahead of its time at once.
    SentAsSoonAsPrepared,
    /// Publishes under a new version what was prepared for the one before.
    PreparedOutlivesItsVersion,
    /// Forgets a handle whenever a try ends without a send.
    HandleForgotten,
    /// Renews a grant before its platform allows it, or right after its tokens were written.
    GrantRenewedTooSoon,
    /// Leaves alone the grants of accounts that post nothing.
    DormantGrantsForgotten,
    /// Asks an owner to connect again without having written down that it does.
    ReconnectAskedTwice,
    /// Follows a word on a subscription that is older than what is known.
    OldWordFollowed,
    /// Grants a certificate that somebody else has redeemed meanwhile.
    CertificateGrantedTwice,
    /// Writes a cycle whoever else has changed it.
    CycleWithoutCondition,
    /// Adds a post's newer numbers to its older ones.
    NumbersCountedTwice,
    /// Looks for rivals among nobody's posts.
    RivalsIgnored,
    /// Takes the note away that a plan or an account is back, and lets no post go on.
    ReturnForgotten,
    /// Ends the cycle job's work on a shard at a row that it cannot read.
    BadRowStopsTheJob,
}

impl Bug {
    /// Whether it is planted in this thread.
    #[cfg(feature = "planted")]
    pub fn is_planted(self) -> bool {
        PLANTED.get() == Some(self)
    }

    /// Whether it is planted: never.
    #[cfg(not(feature = "planted"))]
    #[inline]
    #[must_use]
    pub const fn is_planted(self) -> bool {
        false
    }
}

#[cfg(feature = "planted")]
thread_local! {
    static PLANTED: std::cell::Cell<Option<Bug>> = const { std::cell::Cell::new(None) };
}

/// Runs `proof` with a bug in this thread, and in no other: tests stand side by side in one process.
#[cfg(feature = "planted")]
pub fn with<T>(bug: Bug, proof: impl FnOnce() -> T) -> T {
    /// A proof that panics leaves nothing behind either.
    struct Planted;
    impl Drop for Planted {
        fn drop(&mut self) {
            PLANTED.set(None);
        }
    }
    PLANTED.set(Some(bug));
    let _planted = Planted;
    proof()
}
