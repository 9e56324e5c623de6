use super::super::{ByOperator, Certificates, Kept, Term};
use super::*;

const LOW: Plan = Plan::Starter;
const HIGH: Plan = Plan::Professional;

fn start() -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap()
}

fn of(facts: &Entitlements) -> Timeline {
    Timeline::of(facts, &PaidSubscriptions::default(), start())
}

fn certificates(terms: &[(Plan, u32)]) -> Entitlements {
    let terms = terms.iter().map(|(plan, cycles)| Term { plan: *plan, cycles: *cycles }).collect();
    Entitlements { certificates: Certificates { anchor: Some(start()), terms }, ..Entitlements::default() }
}

fn plans(timeline: &Timeline, cycles: i32) -> Vec<Option<Plan>> {
    (0..cycles).map(|nth| timeline.at(start() + CYCLE * nth).map(|slot| slot.plan)).collect()
}

#[test]
fn certificates_bring_so_many_cycles_the_higher_first_and_then_nothing() {
    let timeline = of(&certificates(&[(HIGH, 1), (LOW, 2)]));
    assert_eq!(plans(&timeline, 4), [Some(HIGH), Some(LOW), Some(LOW), None]);
    let slot = timeline.at(start() - CYCLE).unwrap();
    assert_eq!((slot.span.start, slot.span.end), (start(), start() + CYCLE), "what lies before the beginning is of the first");
    assert!(timeline.follows(&slot) && !timeline.follows(&timeline.at(start() + CYCLE * 2).unwrap()));
    assert_eq!(timeline.ends_at(start()), Some(start() + CYCLE * 3));
    assert_eq!(timeline.last(start() + CYCLE * 9), Some((LOW, Source::Gift)), "what was had last");
}

#[test]
fn what_is_over_is_folded_away_and_the_running_cycle_is_the_first_that_is_left() {
    let facts = certificates(&[(HIGH, 2), (LOW, 3)]);
    for (days, anchor, left) in
        [(0, 0, vec![(HIGH, 2), (LOW, 3)]), (59, 30, vec![(HIGH, 1), (LOW, 3)]), (60, 60, vec![(LOW, 3)]), (100, 90, vec![(LOW, 2)])]
    {
        let now = start() + SignedDuration::from_hours(24 * days);
        let folded = facts.as_of(&PaidSubscriptions::default(), now).certificates;
        let expected = certificates(&left).certificates.terms;
        assert_eq!((folded.anchor, folded.terms), (Some(start() + SignedDuration::from_hours(24 * anchor)), expected), "{days}");
        assert_eq!(
            of(&Entitlements { certificates: facts.as_of(&PaidSubscriptions::default(), now).certificates, ..facts.clone() }).at(now),
            of(&facts).at(now)
        );
    }
    assert_eq!(facts.as_of(&PaidSubscriptions::default(), start() + CYCLE * 5).certificates, Certificates::default());
}

#[test]
fn more_of_a_plan_comes_after_what_is_there_and_ten_years_are_the_most() {
    let more = certificates(&[(LOW, 12)]).certificates.with(LOW, 12).unwrap();
    assert_eq!(more.terms, [Term { plan: LOW, cycles: 24 }]);
    let both = more.clone().with(HIGH, 1).unwrap();
    assert_eq!(both.terms, [Term { plan: HIGH, cycles: 1 }, Term { plan: LOW, cycles: 24 }]);
    assert!(both.with(LOW, 95).is_some() && more.clone().with(LOW, 97).is_none() && more.with(LOW, u32::MAX).is_none());
}

#[test]
fn an_operators_word_comes_before_certificates_and_a_kept_cycle_before_both() {
    let kept = Kept { span: CycleSpan { start: start(), end: start() + CYCLE }, plan: HIGH, source: Source::Subscription };
    let set = ByOperator { set: Some((LOW, start() + CYCLE)), lapsed: false };
    let facts = Entitlements { kept: Some(kept), operator: set, ..certificates(&[(HIGH, 9)]) };
    let timeline = of(&facts);
    assert_eq!(plans(&timeline, 3), [Some(HIGH), Some(LOW), Some(LOW)]);
    assert_eq!(timeline.at(start() + CYCLE).unwrap().source, Source::Operator);
    let lapsed = of(&Entitlements { operator: ByOperator { lapsed: true, ..set }, ..facts });
    assert_eq!(plans(&lapsed, 2), [Some(HIGH), None]);
}
