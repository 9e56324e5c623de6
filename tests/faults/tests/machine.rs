//! The proof in small, at each change; the long one is the command's.

use faults::plan::{Hit, Kind, Plan};
use faults::run::play;
use faults::scenario::Scenario;
use faults::sweep::{self, Job};

/// As many as two small machines have.
const THREADS: usize = 2;

fn hold(jobs: &[Job]) -> sweep::Report {
    let report = sweep::run_all(jobs, THREADS);
    assert!(report.failed == 0, "{}\n{}", report.failures.join("\n\n"), report.words());
    report
}

/// How a story's posts end when nothing breaks.
fn ends_of(scenario: &Scenario) -> Vec<&'static str> {
    match scenario.name.as_str() {
        "cancelled when due" => vec!["cancelled"],
        "cancelled and tried again" => vec!["published", "cancelled"],
        // The owner takes the account away in the very second in which the post is due, and is the first.
        "disconnected when due" => vec!["failed"],
        _ => vec!["published"; scenario.posts.len()],
    }
}

#[test]
fn without_faults_every_story_ends_well_and_the_same_each_time() {
    for scenario in Scenario::core() {
        let verdict = play(&scenario, Plan::Exactly(Vec::new()), 1);
        assert!(verdict.violations.is_empty(), "{}: {:#?}\n{}", scenario.name, verdict.violations, verdict.trace);
        assert_eq!(verdict.ends, ends_of(&scenario), "{}\n{}", scenario.name, verdict.trace);
        assert_eq!(play(&scenario, Plan::Exactly(Vec::new()), 1).trace, verdict.trace, "{}", scenario.name);
    }
}

#[test]
fn mixtures_by_chance_break_no_promise() {
    hold(&sweep::mixtures(0..60).collect::<Vec<_>>());
}

#[test]
fn one_fault_at_any_call_breaks_no_promise() {
    hold(&sweep::singles(&Scenario::core()[0]));
}

/// Faults that once broke a promise.
#[test]
fn what_once_failed_holds() {
    let hit = |call, kind| Hit { call, kind };
    let cases = [
        // A worker stood still between reading the connection and claiming the post, and sent after the disconnect was done.
        ("disconnected when due", vec![hit(12, Kind::PauseAfter)]),
        ("disconnected when due", vec![hit(14, Kind::AnswerLost)]),
        ("disconnected when due", vec![hit(14, Kind::StalledAfter)]),
    ];
    for (story, hits) in cases {
        let scenario = Scenario::core().into_iter().find(|scenario| scenario.name == story).unwrap();
        let verdict = play(&scenario, Plan::Exactly(hits.clone()), 1);
        assert!(verdict.violations.is_empty(), "{story} with {hits:?}: {:#?}\n{}", verdict.violations, verdict.trace);
    }
}
