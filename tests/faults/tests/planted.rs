//! A proof that cannot fail proves nothing: planted bugs are found, by the checks that find what nobody planted.

use domain::planted::{Bug, plant};
use faults::scenario::Scenario;
use faults::sweep::{self, Job};

/// Where a bug shows first. What none of the singles shows is looked for in mixtures.
fn story_of(bug: Bug) -> &'static str {
    match bug {
        Bug::NoIntent | Bug::TimeoutTakenAsNotSent | Bug::TakeoverSends | Bug::OwnWriteNotRecognised | Bug::DoubleSettle => "due now",
        Bug::IntentNotFenced => "three wake-ups",
        Bug::ResendWhenNothingFound => "listed late",
        Bug::SettleWithoutCondition => "two of one tenant",
        Bug::DisconnectDoesNotWait => "disconnected while sending",
        Bug::ReservationNotReturned => "cancelled when due",
        Bug::StaleVersionAccepted => "edited when due",
        Bug::ResendWithAnOldKey => "by a key soon forgotten",
        Bug::RefreshTokenUsedTwice => "tokens end, two posts at once",
        Bug::OldWordFollowed => "a replaced subscription is heard of late",
        Bug::CertificateGrantedTwice => "one certificate for two",
        Bug::CycleWithoutCondition => "two of one tenant",
        Bug::NumbersCountedTwice => "its numbers are read",
    }
}

/// The first violation that the bug leads to, and after how many runs.
fn found(bug: Bug) -> Option<(usize, String)> {
    let singles = Scenario::core().into_iter().filter(|story| story.name == story_of(bug)).flat_map(|story| sweep::singles(&story));
    // Made before the bug is planted: where a call stands must not depend on it.
    let jobs: Vec<Job> = singles.chain(sweep::mixtures(0..200)).collect();
    plant(Some(bug));
    let found = jobs.iter().enumerate().find_map(|(n, job)| {
        let violations = job.run().seen.violations;
        violations.into_iter().next().map(|violation| (n + 1, violation))
    });
    plant(None);
    found
}

#[test]
#[expect(clippy::print_stderr, reason = "how soon each was found is what one wants to see of this")]
fn every_planted_bug_is_found() {
    let missed: Vec<Bug> = std::thread::scope(|scope| {
        let halves = Bug::ALL.chunks(Bug::ALL.len().div_ceil(2)).map(|bugs| {
            scope.spawn(move || {
                let mut missed = Vec::new();
                for &bug in bugs {
                    match found(bug) {
                        Some((runs, violation)) => eprintln!("{bug:?}: found after {runs} runs: {violation}"),
                        None => missed.push(bug),
                    }
                }
                missed
            })
        });
        halves.collect::<Vec<_>>().into_iter().flat_map(|half| half.join().unwrap()).collect()
    });
    assert!(missed.is_empty(), "not found: {missed:?}");
}
