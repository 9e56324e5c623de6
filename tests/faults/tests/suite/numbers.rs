//! What the proof's own rules are made of.

use std::time::Duration;

use faults::actor::Actor;
use faults::numbers::may_be_lost;
use faults::plan::{Call, Kind, Side};

#[test]
fn an_answer_may_be_lost_by_what_befell_its_own_run_or_one_beside_it() {
    let call = |secs, number, kind| {
        let actor = Actor::new(number, "analytics-sync".to_owned(), Duration::from_mins(5));
        Call { at: Duration::from_secs(secs), actor, name: "numbers".to_owned(), side: Side::Platform, kind }
    };
    let tried = |calls: &[Call]| may_be_lost(calls, 1);
    let own = || vec![call(200, 1, None), call(202, 1, None)];
    let with = |other: Call| [own(), vec![other]].concat();
    assert!(!tried(&own()));
    assert!(tried(&[call(200, 1, None), call(202, 1, Some(Kind::Stalled))]));
    assert!(tried(&with(call(190, 0, Some(Kind::LandsLate)))) && !tried(&with(call(100, 0, Some(Kind::LandsLate)))));
    assert!(tried(&with(call(201, 2, None))) && !tried(&with(call(190, 2, None))) && !tried(&with(call(210, 2, None))));
}
