use proptest::prelude::*;

use super::*;

fn at(secs: i64) -> Timestamp {
    Timestamp::from_second(1_764_000_000 + secs).unwrap()
}

fn user(n: u8) -> UserId {
    UserId::new(at(0), [n; 10])
}

fn claim(n: u8) -> ClaimId {
    ClaimId::new(at(0), [n; 10])
}

fn key() -> IdempotencyKey {
    IdempotencyKey::parse("5f1c9a2e").unwrap()
}

fn print() -> Print {
    key().print("POST", "/api/posts", &[], b"{}")
}

fn first() -> Record {
    Record::open(key().name(Scope::User(&user(1))), print(), claim(1), at(0))
}

fn answer() -> StoredAnswer {
    StoredAnswer { status: 201, headers: Vec::new(), body: "{}".to_owned() }
}

#[test]
fn a_key_is_1_to_128_visible_letters() {
    let longest = "k".repeat(KEY_BYTES_MAX);
    for good in ["k", "\"quoted\"", "a,b", "~!", &longest] {
        assert!(IdempotencyKey::parse(good).is_ok(), "{good}");
    }
    for bad in ["", " ", "a b", "a\tb", "a\n", "ü", "\u{7f}", &format!("{longest}k")] {
        assert!(IdempotencyKey::parse(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn names_and_prints_differ_with_everything_that_they_stand_for() {
    let other = IdempotencyKey::parse("5f1c9a2f").unwrap();
    let (ann, bob) = (user(1), user(2));
    let names = [
        key().name(Scope::User(&ann)),
        key().name(Scope::User(&bob)),
        key().name(Scope::Client(ann.as_str())),
        other.name(Scope::User(&ann)),
    ];
    let prints = [
        print(),
        key().print("POST", "/api/posts", &[], b"{ }"),
        key().print("POST", "/api/posts?", &[], b"{}"),
        key().print("PUT", "/api/posts", &[], b"{}"),
        key().print("POST", "/api/post", &[], b"s{}"),
        other.print("POST", "/api/posts", &[], b"{}"),
        key().print("POST", "/api/posts", &[b""], b"{}"),
        key().print("POST", "/api/posts", &[b"\"1\""], b"{}"),
        key().print("POST", "/api/posts", &[b"\"1\"", b"\"2\""], b"{}"),
        key().print("POST", "/api/posts", &[b"\"1\",\"2\""], b"{}"),
    ];
    let mut all: Vec<_> = names.iter().map(RecordName::as_str).chain(prints.iter().map(Print::as_str)).collect();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), 14);
}

#[test]
fn while_the_first_run_is_at_work_nobody_else_is() {
    assert_eq!(first().meet(print(), claim(2), at(59)), Meeting::InFlight);
}

#[test]
fn a_run_that_was_cut_off_gives_way_when_its_lease_ends() {
    let Meeting::Free(second) = first().meet(print(), claim(2), at(60)) else { panic!("free") };
    assert_eq!((second.rev, &second.claim, second.first_at), (2, &claim(2), at(0)));
    assert_eq!(second.progress, Progress::Running { until: at(120) });
    assert!(second.seed().is_repeat());
    assert_eq!(second.meet(print(), claim(3), at(61)), Meeting::InFlight);
}

#[test]
fn an_answer_is_given_again_for_a_day() {
    let done = first().answered(answer());
    assert_eq!(done.clone().meet(print(), claim(2), at(86_399)), Meeting::Answered(answer()));
    let Meeting::Free(new) = done.meet(print(), claim(2), at(86_400)) else { panic!("forgotten") };
    assert_eq!((new.rev, new.first_at), (3, at(86_400)));
    assert!(!new.seed().is_repeat(), "what is forgotten is a new request");
}

#[test]
fn another_request_is_refused_whatever_became_of_the_first() {
    let other = || key().print("POST", "/api/posts", &[], b"{\"content\":\"other\"}");
    for record in [first(), first().reopened(), first().answered(answer())] {
        assert_eq!(record.meet(other(), claim(2), at(70)), Meeting::Reused);
    }
}

#[test]
fn a_run_without_a_final_answer_lets_the_next_one_run_at_once() {
    let Meeting::Free(second) = first().reopened().meet(print(), claim(2), at(0)) else { panic!("free") };
    assert_eq!(second.rev, 3);
    assert!(second.seed().is_repeat());
}

#[test]
fn every_run_makes_the_same_ids_and_no_two_things_share_one() {
    let Meeting::Free(second) = first().meet(print(), claim(2), at(60)) else { panic!("free") };
    let (one, two) = (first().seed(), second.seed());
    assert!(!one.is_repeat() && two.is_repeat());
    assert_eq!((one.first_at(), one.entropy("post", 0)), (two.first_at(), two.entropy("post", 0)));
    assert_ne!(one.entropy("post", 0), one.entropy("post", 1));
    assert_ne!(one.entropy("post", 0), one.entropy("group", 0));
    let other = Record::open(key().name(Scope::User(&user(2))), print(), claim(1), at(0)).seed();
    assert_ne!(one.entropy("post", 0), other.entropy("post", 0));
}

#[test]
fn a_key_does_not_show_itself() {
    assert_eq!(format!("{:?}", key()), "IdempotencyKey(…)");
    let line = format!("{:?}", first());
    assert!(!line.contains("5f1c9a2e") && !line.contains(first().print.as_str()), "{line}");
}

proptest! {
    #[test]
    fn any_text_is_a_key_or_is_refused(text in "\\PC{0,140}") {
        let visible = (1..=KEY_BYTES_MAX).contains(&text.len()) && text.bytes().all(|byte| (0x21..=0x7e).contains(&byte));
        prop_assert_eq!(IdempotencyKey::parse(&text).is_ok(), visible);
    }

    /// However the times fall, a request runs only when no other run of it can be at work, and an answer is never run over.
    #[test]
    fn no_two_runs_are_at_work_at_once(first_at in 0_i64..200_000, later in 0_i64..200_000) {
        let record = Record { first_at: at(first_at), progress: Progress::Running { until: at(first_at) + LEASE }, ..first() };
        let met = record.meet(print(), claim(2), at(first_at + later));
        prop_assert_eq!(matches!(met, Meeting::Free(_)), later >= LEASE.as_secs());
        let done = Record { first_at: at(first_at), ..first() }.answered(answer());
        let met = done.meet(print(), claim(2), at(first_at + later));
        prop_assert_eq!(matches!(met, Meeting::Answered(_)), later < KEPT.as_secs());
    }
}
