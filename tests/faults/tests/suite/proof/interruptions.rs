//! Plans, cycles, certificates and numbers that change while a function stands at one of its calls.

use faults::scenario::{Deed, Scenario};
use faults::sweep;

use super::every;

/// As many as two small machines have.
const THREADS: usize = 2;

/// Every such change at every call of the stories that are interrupted: no promise is broken.
#[test]
fn a_change_of_plan_at_any_call_breaks_no_promise() {
    let interrupted = Scenario::interrupted();
    let told = std::sync::Mutex::new(Vec::new());
    let every = every("a change of plan at any call");
    let jobs = interrupted.iter().flat_map(sweep::interruptions).step_by(every);
    let report = sweep::run_all(jobs, THREADS, |failure| told.lock().unwrap().push(failure.to_owned()), |_| {});
    let told = told.into_inner().unwrap();
    assert!(report.failed == 0, "{}\n{}", told.join("\n\n"), report.words());
    assert!(report.runs > 2_000 / every, "only {} runs", report.runs);
    assert_eq!(report.not_fallen, 0, "a change was planned at a call that was not made");
}

/// Another plan takes the place of the one that would have paid for it and ends, and its owner changes its text at any moment of that.
#[test]
fn a_post_that_is_edited_while_its_quota_slot_moves_to_another_plan_goes_out_all_the_same() {
    let mut story = Scenario::core().into_iter().find(|story| story.name == "a plan ends before its next cycle").unwrap();
    // Due before the cycle job comes.
    story.posts[0].due_secs = 1_300;
    story.meanwhile = Some(Deed::Edit(0));
    for job in sweep::interruptions(&story) {
        let verdict = job.run();
        assert!(verdict.seen.violations.is_empty(), "{:#?}\n{}", verdict.seen.violations, verdict.seen.trace());
        // An approval of what its owner has changed since is refused.
        assert!(verdict.ends == ["published"] || verdict.ends == ["draft"], "{:?}\n{}", verdict.ends, verdict.seen.trace());
    }
}
