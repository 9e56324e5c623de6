//! A proof that cannot fail proves nothing: planted bugs are found, by the checks that find what nobody planted. Three of the twelve are
//! not found yet; they are named here and not tried.

use domain::planted::{Bug, plant};
use faults::scenario::Scenario;
use faults::sweep::{self, Job};

/// What no single and no mixture tried so far shows: the proof is blind to these. Either another guard stands behind the one that they
/// remove (the cycle's own condition, the token of a transaction, the check of the connection at each intent), or a story is missing.
const NOT_FOUND_YET: [Bug; 3] = [Bug::SettleWithoutCondition, Bug::OwnWriteNotRecognised, Bug::DisconnectDoesNotWait];

/// Where a bug shows first. What none of the singles shows is looked for in mixtures.
fn story_of(bug: Bug) -> &'static str {
    match bug {
        Bug::NoIntent | Bug::TimeoutTakenAsNotSent | Bug::TakeoverSends | Bug::OwnWriteNotRecognised | Bug::DoubleSettle => "due now",
        Bug::IntentNotFenced => "three wake-ups",
        Bug::ResendWhenNothingFound => "listed late",
        Bug::SettleWithoutCondition => "two of one tenant",
        Bug::DisconnectDoesNotWait => "disconnected when due",
        Bug::ReservationNotReturned => "cancelled when due",
        Bug::StaleVersionAccepted => "edited when due",
        Bug::RefreshTokenUsedTwice => "tokens end, two posts at once",
    }
}

/// The first violation that the bug leads to, and after how many runs.
fn found(bug: Bug) -> Option<(usize, String)> {
    let singles = Scenario::core().into_iter().filter(|story| story.name == story_of(bug)).flat_map(|story| sweep::singles(&story));
    plant(Some(bug));
    let jobs: Vec<Job> = singles.chain(sweep::mixtures(0..20)).collect();
    let found = jobs.iter().enumerate().find_map(|(n, job)| {
        let violations = sweep::run(job).violations;
        violations.into_iter().next().map(|violation| (n + 1, violation))
    });
    plant(None);
    found
}

#[test]
fn nine_of_the_twelve_planted_bugs_are_found() {
    let tried: Vec<Bug> = Bug::ALL.into_iter().filter(|bug| !NOT_FOUND_YET.contains(bug)).collect();
    let missed: Vec<Bug> = std::thread::scope(|scope| {
        let halves = tried.chunks(5).map(|bugs| {
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
