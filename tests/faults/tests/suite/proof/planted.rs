//! A proof that cannot fail proves nothing: planted bugs are found, by the checks that find what nobody planted.

use std::process::Command;

use domain::planted::{Bug, with};
use faults::scenario::Scenario;
use faults::sweep::{self, Job};

/// What none of the singles shows is looked for in so many mixtures.
const MIXTURES: u64 = 200;

/// One test for each bug, with the story in which it shows first. A bug without a row does not compile.
macro_rules! found {
    ($($test:ident: $bug:ident in $story:literal,)*) => {
        $(
            #[test]
            fn $test() {
                is_found(Bug::$bug, $story);
            }
        )*

        const _: fn(Bug) = |bug| match bug {
            $(Bug::$bug => {})*
        };
    };
}

found! {
    a_send_without_an_intent: NoIntent in "due now",
    an_intent_that_is_not_fenced: IntentNotFenced in "three wake-ups",
    a_resend_when_nothing_was_found: ResendUnfound in "listed late",
    a_settlement_without_a_condition: SettleWithoutCondition in "two of one tenant",
    a_takeover_that_sends: TakeoverSends in "due now",
    a_time_out_taken_as_not_sent: TimeoutTakenAsNotSent in "due now",
    a_disconnect_that_does_not_wait: DisconnectDoesNotWait in "disconnected while sending",
    an_own_write_that_is_not_recognised: OwnWriteNotRecognised in "due now",
    a_reservation_that_is_not_returned: ReservationNotReturned in "cancelled when due",
    a_post_that_is_paid_for_twice: DoubleSettle in "due now",
    results_stored_together_of_which_one_counts: SettledTogetherCountOnce in "three accounts of one owner",
    an_edit_of_a_stale_version: StaleVersionAccepted in "edited when due",
    a_resend_with_an_old_key: ResendWithAnOldKey in "by a key soon forgotten",
    a_refresh_token_used_twice: RefreshTokenUsedTwice in "tokens end, two posts at once",
    renewed_tokens_that_are_given_up: RenewedTokensGivenUp in "tokens end, two posts at once",
    a_post_sent_as_soon_as_it_is_prepared: SentAsSoonAsPrepared in "prepared ahead",
    a_handle_that_outlives_its_version: PreparedOutlivesItsVersion in "edited while it is prepared",
    a_handle_that_is_forgotten: HandleForgotten in "prepared ahead",
    a_grant_renewed_too_soon: GrantRenewedTooSoon in "a long-lived token",
    dormant_grants_that_are_forgotten: DormantGrantsForgotten in "a dormant account",
    an_owner_who_is_asked_twice: ReconnectAskedTwice in "only its owner can renew",
    an_old_word_that_is_followed: OldWordFollowed in "a replaced subscription is heard of late",
    a_certificate_granted_twice: CertificateGrantedTwice in "one certificate for two",
    a_cycle_without_a_condition: CycleWithoutCondition in "two of one tenant",
    numbers_counted_twice: NumbersCountedTwice in "its numbers are read",
    rivals_of_other_customers_ignored: RivalsIgnored in "a shared account",
    a_return_that_is_forgotten: ReturnForgotten in "a reconnect",
    a_job_that_stops_at_a_bad_row: BadRowStopsTheJob in "beside rows that cannot be read",
}

/// The bug leads to a violation. How soon, and to which, is what one wants to see of this.
#[expect(clippy::print_stderr, reason = "`--nocapture` shows it")]
fn is_found(bug: Bug, story: &str) {
    let singles = Scenario::core().into_iter().filter(|told| told.name == story).flat_map(|told| sweep::singles(&told));
    // Made before the bug is planted: where a call stands must not depend on it.
    let jobs: Vec<Job> = singles.chain(sweep::mixtures(0..MIXTURES)).collect();
    let violations = |job: &Job| with(bug, || job.run().seen.violations);
    let found = jobs.iter().zip(1..).find_map(|(job, runs)| Some((runs, violations(job).into_iter().next()?)));
    let (runs, violation): (usize, String) = found.unwrap_or_else(|| panic!("{bug:?} is not found in {} runs", jobs.len()));
    eprintln!("{bug:?}: found after {runs} runs: {violation}");
}

/// What is deployed, and what `cargo run` starts, is built without the bugs. A build for use refuses them by itself (`domain::planted`).
#[test]
fn nothing_that_is_used_is_built_with_planted_bugs() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    let functions = std::fs::read_dir(format!("{root}/functions")).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let used = functions.chain(["local", "ops"].map(str::to_owned)).flat_map(|package| ["--package".to_owned(), package]);
    let tree = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--offline", "--edges", "normal,build", "--prefix", "none", "--format", "{p} [{f}]"])
        .args(used)
        .current_dir(root)
        .output()
        .unwrap();
    let tree = String::from_utf8_lossy(&tree.stdout);
    let domain: Vec<_> = tree.lines().filter(|line| line.starts_with("domain ")).collect();
    assert!(!domain.is_empty() && !domain.iter().any(|line| line.contains("planted")), "{domain:?}");
}
