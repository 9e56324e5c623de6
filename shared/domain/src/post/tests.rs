use jiff::SignedDuration;

use super::*;
use crate::content::{Content, ContentHash};
use crate::failure::FailureCode;
use crate::id::{AttemptId, ConnectionId, GroupId, PostId, UserId};
use crate::platform::PlatformName;
use crate::wait::Wait;
use jiff::Timestamp;

fn at(secs: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + secs).unwrap()
}

fn attempt_id(n: u8) -> AttemptId {
    AttemptId::new(at(0), [n; 10])
}

fn draft() -> Post {
    let content = Content { text: "hello".into(), ai_recommendation: None };
    Post::draft(
        Draft {
            id: PostId::new(at(0), [1; 10]),
            user_id: UserId::new(at(0), [2; 10]),
            group_id: GroupId::new(at(0), [3; 10]),
            connection_id: ConnectionId::new(at(0), [4; 10]),
            platform: PlatformName::X,
            content_hash: content.hash(),
            due_at: at(600),
            latest_at: at(600) + LATEST_DEFAULT,
            time_zone: None,
            local_time: None,
            lead: jiff::SignedDuration::ZERO,
        },
        at(0),
    )
}

fn scheduled() -> Post {
    draft().approve(at(0), false, at(1)).unwrap()
}

fn held() -> Post {
    scheduled().hold(FailureCode::QuotaLost, at(10)).unwrap().post
}

fn sending() -> Post {
    scheduled().claim(attempt_id(1), Some("7"), at(600)).unwrap()
}

fn claimed() -> Post {
    scheduled().claim(attempt_id(1), None, at(600)).unwrap()
}

/// A post on the platform, made a moment after it was sent.
fn seen(known: Known) -> Publication {
    Publication { platform_post_id: "9".into(), url: None, made_at: Some(at(602)), known }
}

fn unknown() -> Post {
    sending().conclude(Conclusion::AnswerLost, Answer::default(), at(620)).unwrap().post
}

fn searching() -> Post {
    unknown().begin_search(attempt_id(2), at(800)).unwrap().post
}

fn needs_review() -> Post {
    searching().conclude_search(Evidence::Ambiguous, Answer::default(), at(801)).unwrap().post
}

fn published() -> Post {
    let conclusion = Conclusion::Published { platform_post_id: "9".into(), url: None };
    sending().conclude(conclusion, Answer::default(), at(601)).unwrap().post
}

/// A search took something for it.
fn found() -> Post {
    searching().conclude_search(Evidence::Found(seen(Known::BySearch)), Answer::default(), at(801)).unwrap().post
}

fn failed() -> Post {
    sending().conclude(Conclusion::Failed(FailureCode::ContentRejected), Answer::default(), at(601)).unwrap().post
}

fn every_state() -> Vec<Post> {
    let processing = Conclusion::Processing { handle: "h".into(), poll_at: at(700) };
    vec![
        draft(),
        scheduled(),
        claimed(),
        sending(),
        sending().conclude(processing, Answer::default(), at(601)).unwrap().post,
        published(),
        found(),
        failed(),
        unknown(),
        searching(),
        needs_review(),
        scheduled().miss(at(9_999)).unwrap().post,
        draft().cancel(at(2)).unwrap().post,
        held(),
    ]
}

/// A verb of the machine, as far as a table of verbs needs it: the post afterwards and what the ledger does.
type Verb = (&'static str, fn(Post) -> Option<(Post, LedgerEffect)>);

const LATE: i64 = 4_100;

#[expect(clippy::unnecessary_wraps, reason = "the shape of the table")]
fn whole(transition: Transition) -> Option<(Post, LedgerEffect)> {
    Some((transition.post, transition.ledger))
}

fn verbs() -> Vec<Verb> {
    vec![
        ("approve", |p| p.approve(at(0), false, at(LATE)).ok().map(|p| (p, LedgerEffect::Keep))),
        ("edit", |p| p.edit(Edit::default(), at(LATE)).ok().map(|p| (p, LedgerEffect::Keep))),
        ("hold", |p| p.hold(FailureCode::QuotaLost, at(LATE)).ok().and_then(whole)),
        ("tell anew", |p| p.hold(FailureCode::ConnectionGone, at(LATE)).ok().filter(|told| told.from == Status::Held).and_then(whole)),
        ("resume", |p| p.resume(at(0), false, at(LATE)).ok().map(|p| (p, LedgerEffect::Keep))),
        ("cancel", |p| p.cancel(at(LATE)).ok().and_then(whole)),
        ("miss", |p| p.miss(at(LATE)).ok().and_then(whole)),
        ("retry", |p| p.retry((at(LATE), at(LATE + 60)), at(0), false, at(LATE)).ok().map(|p| (p, LedgerEffect::Keep))),
        ("resolve_published", |p| p.resolve_published(None, None, at(LATE)).ok().and_then(whole)),
        ("resolve_not_published", |p| p.resolve_not_published(at(LATE)).ok().and_then(whole)),
        ("claim", |p| p.claim(attempt_id(9), Some("7"), at(LATE)).ok().map(|p| (p, LedgerEffect::Keep))),
        ("take_over", |p| p.take_over(attempt_id(9), at(LATE)).ok().and_then(whole)),
        ("suspect", |p| p.suspect(at(LATE)).ok().and_then(whole)),
        ("lose_binding", |p| p.lose_binding(at(LATE)).ok().and_then(whole)),
        ("begin_search", |p| p.begin_search(attempt_id(9), at(LATE)).ok().and_then(whole)),
    ]
}

#[test]
fn the_legal_edges_are_these_and_no_others() {
    let mut edges = Vec::new();
    for post in every_state() {
        for (verb, act) in verbs() {
            if let Some((after, _)) = act(post.clone()) {
                edges.push(format!("{} -{verb}-> {}", phase_name(&post), phase_name(&after)));
            }
        }
    }
    let expected = [
        "draft -approve-> scheduled",
        "draft -edit-> draft",
        "draft -cancel-> cancelled",
        "scheduled -edit-> scheduled",
        "scheduled -hold-> held",
        "scheduled -cancel-> cancelled",
        "scheduled -miss-> missed",
        "scheduled -claim-> sending",
        "claimed -cancel-> cancelled",
        "claimed -miss-> missed",
        "claimed -take_over-> claimed",
        "sending -suspect-> unknown",
        "published -lose_binding-> unknown",
        "failed -edit-> draft",
        "failed -retry-> scheduled",
        "unknown -resolve_published-> published",
        "unknown -resolve_not_published-> failed",
        "unknown -begin_search-> searching",
        "searching -resolve_published-> published",
        "searching -resolve_not_published-> failed",
        "searching -begin_search-> searching",
        "needs_review -resolve_published-> published",
        "needs_review -resolve_not_published-> failed",
        "missed -edit-> draft",
        "missed -retry-> scheduled",
        "held -approve-> scheduled",
        "held -edit-> held",
        "held -tell anew-> held",
        "held -resume-> scheduled",
        "held -cancel-> cancelled",
        "held -miss-> missed",
    ];
    assert_eq!(edges, expected);
}

fn phase_name(post: &Post) -> &'static str {
    match &post.state {
        State::Publishing { phase: Phase::Claimed, .. } if post.prepared.is_some() => "prepared",
        State::Publishing { phase: Phase::Claimed, .. } => "claimed",
        State::Publishing { phase: Phase::Sending { .. }, .. } => "sending",
        State::Unknown { attempt: Some(_), .. } => "searching",
        _ => post.status().as_str(),
    }
}

#[test]
fn every_change_raises_rev_and_moves_the_reservation_exactly_when_the_state_says_so() {
    for post in every_state() {
        for (verb, act) in verbs() {
            let Some((after, effect)) = act(post.clone()) else { continue };
            assert_eq!(after.rev, post.rev + 1, "{verb}");
            let reserves_anew = matches!(verb, "approve" | "retry" | "resume");
            match effect {
                LedgerEffect::Keep => assert!(reserves_anew || after.holds_reservation() == post.holds_reservation(), "{verb}"),
                LedgerEffect::Settle => assert!(post.holds_reservation() && after.status() == Status::Published, "{verb}"),
                LedgerEffect::Unsettle => assert!(post.status() == Status::Published && after.holds_reservation(), "{verb}"),
                LedgerEffect::Release => assert!(post.holds_reservation() && !after.holds_reservation(), "{verb}"),
            }
        }
    }
}

#[test]
fn a_takeover_of_a_sending_post_never_sends() {
    let late = at(600) + LEASE;
    assert_eq!(sending().next_step(1, late), Step::Suspect);
    assert!(sending().take_over(attempt_id(2), late).is_err());
    assert!(unknown().claim(attempt_id(2), Some("7"), late).is_err());
    assert!(unknown().intend("7", late).is_err());
}

#[test]
fn a_worker_whose_lease_would_not_outlast_the_send_may_not_intend() {
    let lease_ends = at(600) + LEASE;
    assert!(claimed().intend("7", lease_ends - SEND_DEADLINE).is_err());
    assert!(claimed().intend("7", lease_ends - SEND_DEADLINE - SignedDuration::from_secs(1)).is_ok());
}

#[test]
fn nothing_is_claimed_or_intended_after_the_last_moment() {
    let late = scheduled().latest_at + SignedDuration::from_secs(1);
    assert_eq!(scheduled().claim(attempt_id(1), Some("7"), late), Err(Refused::TooLate));
    let at_the_edge = scheduled().claim(attempt_id(1), None, scheduled().latest_at).unwrap();
    assert_eq!(at_the_edge.intend("7", late), Err(Refused::TooLate));
}

#[test]
fn a_wake_up_does_what_the_state_and_the_time_call_for() {
    let cases: [(Post, u32, i64, Step); 14] = [
        (scheduled(), 2, 700, Step::Nothing),
        (scheduled(), 1, 500, Step::WaitUntil(at(600))),
        (scheduled(), 1, 599, Step::Claim),
        (scheduled(), 1, 600, Step::Claim),
        (scheduled(), 1, 600 + 3_601, Step::Miss),
        (claimed(), 1, 660, Step::Nothing),
        (claimed(), 1, 665, Step::TakeOver),
        (claimed(), 1, 600 + 3_601, Step::Miss),
        (sending(), 1, 664, Step::Nothing),
        (sending(), 1, 665, Step::Suspect),
        (unknown(), 1, 650, Step::WaitUntil(at(700))),
        (unknown(), 1, 700, Step::Search),
        (searching(), 1, 801, Step::Nothing),
        (published(), 1, 700, Step::Nothing),
    ];
    for (post, version, now, step) in cases {
        assert_eq!(post.next_step(version, at(now)), step, "{} at {now}", phase_name(&post));
    }
}

#[test]
fn a_limit_defers_until_the_last_moment_and_then_the_post_is_missed() {
    let deferred = |until| {
        let conclusion = Conclusion::Deferred { code: FailureCode::RateLimited, wait: Wait::Told(until) };
        sending().conclude(conclusion, Answer::default(), at(601)).unwrap()
    };
    let later = deferred(at(1_500));
    assert_eq!(later.post.next_attempt_at(), Some(at(1_500)));
    assert_eq!(later.ledger, LedgerEffect::Keep);
    let too_late = deferred(at(600 + 3_601));
    assert_eq!((too_late.post.status(), too_late.ledger), (Status::Missed, LedgerEffect::Release));
}

#[test]
fn a_wait_that_is_only_guessed_leaves_a_post_one_last_try_before_its_last_moment() {
    let latest = 600 + 3_600;
    let ended = |conclusion, now| sending().conclude(conclusion, Answer::default(), now).unwrap().post;
    let limited = |wait, now| ended(Conclusion::Deferred { code: FailureCode::RateLimited, wait }, now);
    let unsent = |retry_at, now| ended(Conclusion::NotSent { retry_at }, now);
    let cases = [
        (limited(Wait::Guessed(at(900)), at(601)), Some(at(900)), "a guess that ends in time"),
        (limited(Wait::Guessed(at(latest + 1)), at(601)), Some(at(latest - 30)), "a guess that ends too late"),
        (limited(Wait::Guessed(at(latest - 1)), at(601)), Some(at(latest - 30)), "a wake-up may come late"),
        (unsent(at(latest + 200), at(latest - 60)), Some(at(latest - 30)), "our own pause between tries"),
        (limited(Wait::Guessed(at(latest + 1)), at(latest - 30)), None, "that was the last try"),
        (limited(Wait::Guessed(at(latest + 1)), at(latest - 32)), None, "its wake-up came a little early"),
        (unsent(at(latest - 20), at(latest - 25)), Some(at(latest - 20)), "as long as there is time"),
        (unsent(at(latest + 1), at(latest - 25)), None, "and no longer"),
        (limited(Wait::Told(at(latest - 1)), at(601)), Some(at(latest - 1)), "the platform's word is waited for"),
        (limited(Wait::Told(at(latest + 1)), at(601)), None, "and nothing is tried against it"),
    ];
    for (put_off, next, why) in cases {
        let becomes = next.map_or(Status::Missed, |_| Status::Scheduled);
        assert_eq!((put_off.status(), put_off.next_attempt_at()), (becomes, next), "{why}");
    }
}

#[test]
fn the_last_try_comes_after_the_due_time_however_little_its_owner_allows() {
    for allowed_secs in [1, 10, 59, 60, 61, 3_600, 86_400] {
        let post = Post { latest_at: at(600 + allowed_secs), ..scheduled() };
        let guess = Wait::Guessed(at(600 + allowed_secs + 900));
        let put_off = post.clone().defer(FailureCode::RateLimited, guess, at(590)).unwrap().post;
        let next = put_off.next_attempt_at().unwrap();
        assert!(post.due_at < next && next < post.latest_at, "{allowed_secs}: {next}");
        assert!(post.is_at_last_try(next) && !post.is_at_last_try(at(590)));
        let missed = put_off.defer(FailureCode::RateLimited, guess, next).unwrap();
        assert_eq!((missed.post.status(), missed.ledger), (Status::Missed, LedgerEffect::Release));
    }
}

#[test]
fn what_is_never_sent_fails_after_a_bounded_number_of_tries() {
    let mut post = scheduled();
    for n in 1..=NOT_SENT_TRIES_MAX {
        let tried = post.claim(attempt_id(u8::try_from(n).unwrap()), Some("7"), at(700)).unwrap();
        post = tried.conclude(Conclusion::NotSent { retry_at: at(710) }, Answer::default(), at(701)).unwrap().post;
        assert_eq!(post.attempt_count, n);
    }
    assert_eq!(post.state, State::Failed { code: FailureCode::PlatformDown });
    assert!(post.errors.len() <= ERRORS_KEPT);
}

#[test]
fn a_platform_may_be_out_of_reach_for_as_long_as_a_post_has_by_default() {
    // Chance in even steps over the longest wait, which all shorter ones divide.
    let millis = |n| (0..1_000_u64).map(|step| backoff(n, (step * 256).to_be_bytes()).as_millis()).sum::<i128>() / 1_000;
    let waits: i128 = (0..NOT_SENT_TRIES_MAX - 1).map(millis).sum();
    assert!(waits > LATEST_DEFAULT.as_millis(), "{waits} ms");
}

#[test]
fn searches_that_find_nothing_end_with_a_person() {
    let mut post = unknown();
    let mut now = at(700);
    for n in 1..=SEARCHES_MAX {
        let search = post.begin_search(attempt_id(u8::try_from(n).unwrap()), now).unwrap().post;
        post = search.conclude_search(Evidence::NotFound, Answer::default(), now).unwrap().post;
        now = post.next_attempt_at().unwrap_or(now);
    }
    assert_eq!(post.status(), Status::NeedsReview);
    assert!(post.holds_reservation());
}

#[test]
fn reads_that_fail_do_not_count_as_searches_but_end_too() {
    let mut post = unknown();
    let mut now = at(700);
    for n in 0..200 {
        let search = post.begin_search(attempt_id(n), now).unwrap().post;
        post = search.conclude_search(Evidence::Unreadable, Answer::default(), now).unwrap().post;
        let Some(next) = post.next_attempt_at() else { break };
        now = next;
    }
    assert_eq!(post.status(), Status::NeedsReview);
}

#[test]
fn every_state_that_is_not_at_rest_is_looked_after() {
    for post in every_state() {
        let at_rest = matches!(
            post.status(),
            Status::Draft | Status::Published | Status::Failed | Status::NeedsReview | Status::Missed | Status::Cancelled
        );
        assert_eq!(post.wake_at().is_none(), at_rest, "{}", phase_name(&post));
    }
}

#[test]
fn backoff_grows_with_jitter_and_stays_bounded() {
    for tries in 0..40 {
        for entropy in [[0; 8], [255; 8], [7; 8]] {
            let wait = backoff(tries, entropy);
            assert!(wait >= SignedDuration::from_secs(2) && wait <= SignedDuration::from_mins(5));
        }
    }
}

#[test]
fn a_stored_handle_is_taken_over_and_never_made_twice() {
    let prepared = kept("container-7");
    let taken = prepared.clone().take_over(attempt_id(2), at(600) + LEASE).unwrap().post;
    assert_eq!(taken.handle(), Some("container-7"));
    assert!(prepared.clone().cancel(at(612)).is_ok(), "nothing was sent yet");
    assert!(taken.intend("7", at(670)).is_ok());
    assert!(sending().keep_prepared(at(601)).is_err());
    assert!(prepared.keep_prepared(at(600) + LEASE).is_err(), "its lease is over: it is another worker's");
}

/// Taken at its time, and its handle stored.
fn kept(handle: &str) -> Post {
    claimed().with_prepared(handle.into(), true, None, at(601)).unwrap().keep_prepared(at(601)).unwrap()
}

#[test]
fn what_is_prepared_outlives_every_try_that_sends_nothing_and_no_version() {
    let puts_off = [
        Conclusion::Deferred { code: FailureCode::RateLimited, wait: Wait::Told(at(700)) },
        Conclusion::NotSent { retry_at: at(650) },
        Conclusion::Prepared { again_at: Some(at(640)) },
    ];
    for conclusion in puts_off {
        let waiting = kept("h").conclude(conclusion, Answer::default(), at(620)).unwrap().post;
        assert_eq!((waiting.status(), waiting.handle()), (Status::Scheduled, Some("h")));
        let again = waiting.clone().claim(attempt_id(2), Some("7"), at(700)).unwrap();
        assert_eq!(again.handle(), Some("h"), "claim and intent are one write, and the handle is the stored one");
        let edited = waiting.edit(Edit { content_hash: Some(draft().content_hash), ..Edit::default() }, at(630)).unwrap();
        assert_eq!(edited.handle(), None, "it may say something else");
    }
    assert_eq!(kept("h").cancel(at(612)).unwrap().post.handle(), None);
    let failed = kept("h").conclude(Conclusion::Failed(FailureCode::ContentRejected), Answer::default(), at(612)).unwrap().post;
    assert_eq!(failed.retry((at(700), at(900)), at(0), true, at(650)).unwrap().handle(), None);
}

#[test]
fn a_handle_that_the_platform_forgets_is_made_anew_three_times_at_most() {
    let forgotten = claimed().with_prepared("a".into(), true, Some(at(900)), at(600)).unwrap();
    assert!(forgotten.is_prepared(at(900) - HANDLE_MARGIN - SignedDuration::from_secs(1)));
    assert!(!forgotten.is_prepared(at(900) - HANDLE_MARGIN) && forgotten.prepared_so_far(at(900)).is_none());
    let mut post = forgotten;
    for handle in ["b", "c"] {
        post = post.with_prepared(handle.into(), false, None, at(700)).unwrap();
    }
    assert_eq!(post.prepared.as_ref().map(|prepared| prepared.number), Some(HANDLES_MAX));
    assert!(post.clone().with_prepared("c".into(), true, None, at(701)).is_some(), "the same one, further on");
    assert_eq!(post.with_prepared("d".into(), true, None, at(702)), None);
}

#[test]
fn a_post_with_a_lead_is_prepared_ahead_and_shows_at_its_time() {
    let ahead = Post { lead: SignedDuration::from_secs(300), ..scheduled().armed().unwrap() };
    assert_eq!((ahead.next_step(1, at(299)), ahead.next_step(1, at(300))), (Step::WaitUntil(at(600)), Step::Prepare));
    assert_eq!(ahead.wake_at(), Some(at(300)), "nobody else wakes it for that");
    let unarmed = Post { lead: SignedDuration::from_secs(300), ..scheduled() };
    assert_eq!(unarmed.next_step(1, at(300)), Step::WaitUntil(at(600)), "its wake-up is arranged first");

    let taken = ahead.claim(attempt_id(1), None, at(300)).unwrap();
    assert!(taken.clone().intend("7", at(301)).is_err());
    let working = taken.with_prepared("h".into(), false, None, at(301)).unwrap();
    let slice = working.conclude(Conclusion::Prepared { again_at: Some(at(360)) }, Answer::default(), at(302)).unwrap();
    assert_eq!((slice.post.status(), slice.ledger, slice.post.error()), (Status::Scheduled, LedgerEffect::Keep, None));
    assert_eq!(slice.attempt.as_ref().map(|record| (record.outcome, record.error)), Some((AttemptOutcome::Prepared, None)));
    assert_eq!((slice.post.next_step(1, at(359)), slice.post.next_step(1, at(360))), (Step::WaitUntil(at(600)), Step::Prepare));

    let again = slice.post.claim(attempt_id(2), None, at(360)).unwrap().with_prepared("h".into(), true, None, at(361)).unwrap();
    let ready = again.conclude(Conclusion::Prepared { again_at: None }, Answer::default(), at(362)).unwrap().post;
    assert_eq!((ready.next_step(1, at(597)), ready.next_step(1, at(598))), (Step::WaitUntil(at(600)), Step::Claim));
    assert_eq!(ready.wake_at(), Some(at(600) + WAKE_GRACE));
    assert!(ready.clone().claim(attempt_id(3), Some("7"), at(597)).is_err());
    assert!(ready.claim(attempt_id(3), Some("7"), at(598)).is_ok());
}

#[test]
fn an_accepted_post_is_asked_after_until_it_is_live_refused_or_a_persons_business() {
    let conclusion = Conclusion::Processing { handle: "h".into(), poll_at: at(700) };
    let processing = sending().conclude(conclusion, Answer::default(), at(601)).unwrap().post;
    assert_eq!((processing.next_step(1, at(699)), processing.next_step(1, at(700))), (Step::WaitUntil(at(700)), Step::Poll));
    let live = Progress::Live { platform_post_id: "9".into(), url: None };
    let published = processing.clone().conclude_poll(live.clone(), at(701)).unwrap();
    assert_eq!((published.post.status(), published.ledger), (Status::Published, LedgerEffect::Settle));
    let nevermore = processing.clone().conclude_poll(Progress::Unreachable, at(701)).unwrap();
    assert_eq!((nevermore.post.status(), nevermore.ledger), (Status::NeedsReview, LedgerEffect::Keep));
    let refused = processing.clone().conclude_poll(Progress::Refused(FailureCode::ContentRejected), at(701)).unwrap();
    assert_eq!((refused.post.status(), refused.ledger), (Status::Failed, LedgerEffect::Release));
    let mut post = processing;
    for _ in 0..POLLS_MAX {
        post = post.conclude_poll(Progress::NotYet { poll_at: at(800) }, at(701)).unwrap().post;
    }
    assert_eq!(post.status(), Status::NeedsReview);
    assert!(draft().conclude_poll(live, at(1)).is_err());
}

#[test]
fn a_limit_on_reading_puts_the_search_off_as_long_as_the_platform_says_within_bounds() {
    let next = |until| {
        let limited = searching().conclude_search(Evidence::Limited { until }, Answer::default(), at(801)).unwrap().post;
        limited.next_attempt_at().unwrap()
    };
    assert_eq!(next(at(801 + 600)), at(801 + 600));
    assert_eq!(next(at(0)), at(801 + 60));
    assert_eq!(next(at(99_999)), at(801 + 1_800));
}

#[test]
fn a_worker_that_comes_too_late_tells_what_decides_and_nothing_else() {
    let outcome = |conclusion| sending().conclude(conclusion, Answer::default(), at(601)).unwrap().late(&sending());
    let learned = |conclusion| outcome(conclusion).map(|record| record.late.unwrap().learned);
    let there = Conclusion::Published { platform_post_id: "9".into(), url: None };
    assert_eq!(learned(there), Some(Learned::Published(Publication { made_at: Some(at(601)), ..seen(Known::ByAnswer) })));
    let not_there = |code| Some(Learned::NotThere { code });
    assert_eq!(learned(Conclusion::Failed(FailureCode::ContentRejected)), not_there(FailureCode::ContentRejected));
    let deferred = Conclusion::Deferred { code: FailureCode::RateLimited, wait: Wait::Told(at(700)) };
    assert_eq!(learned(deferred), not_there(FailureCode::RateLimited));
    assert_eq!(learned(Conclusion::AnswerLost), None);
    // A worker that never sent knows nothing of a post that another one may have sent since.
    let given_up = claimed().conclude(Conclusion::Failed(FailureCode::ReconnectNeeded), Answer::default(), at(601)).unwrap();
    assert_eq!(given_up.late(&claimed()), None);
}

#[test]
fn what_the_platform_names_is_taken_for_the_send_that_its_owner_did_not_find_until_its_true_post_is_known() {
    let unseen = unknown().resolve_not_published(at(800)).unwrap().post;
    let sent = unseen.unseen[0];
    let again = unseen.retry((at(900), at(1_000)), at(0), false, at(850)).unwrap().claim(attempt_id(3), Some("7"), at(900)).unwrap();
    let named = Conclusion::NamedAsThere { platform_post_id: "9".into(), url: None };
    let bound = again.conclude(named.clone(), Answer::default(), at(901)).unwrap();
    assert_eq!((bound.post.platform_post_id(), bound.ledger), (Some("9"), LedgerEffect::Settle));
    assert_eq!(bound.attempt.unwrap().outcome, AttemptOutcome::Found, "this send made nothing");
    assert_eq!(bound.post.lose_binding(at(950)).unwrap().post.in_doubt(), Some(sent));
    assert!(claimed().conclude(named, Answer::default(), at(601)).is_err(), "nothing was sent that it could be");
}

#[test]
fn proof_that_it_is_not_there_fails_a_post_in_doubt_and_frees_its_place() {
    let proof = Evidence::NotThere(FailureCode::ContentRejected);
    let ended = searching().conclude_search(proof, Answer::default(), at(801)).unwrap();
    assert_eq!((ended.post.status(), ended.ledger), (Status::Failed, LedgerEffect::Release));
    assert_eq!(ended.post.error(), Some(FailureCode::ContentRejected));
}

#[test]
fn a_known_limit_puts_a_post_off_without_a_try_and_beyond_its_last_moment_it_is_missed() {
    let put_off = scheduled().defer(FailureCode::RateLimited, Wait::Told(at(900)), at(600)).unwrap();
    assert_eq!((put_off.post.status(), put_off.ledger, put_off.attempt.is_none()), (Status::Scheduled, LedgerEffect::Keep, true));
    assert_eq!((put_off.post.next_attempt_at(), put_off.post.error()), (Some(at(900)), Some(FailureCode::RateLimited)));
    let missed = scheduled().defer(FailureCode::RateLimited, Wait::Told(at(LATE + 900)), at(600)).unwrap();
    assert_eq!((missed.post.status(), missed.ledger), (Status::Missed, LedgerEffect::Release));
}

#[test]
fn a_search_whose_worker_vanished_is_told() {
    let next = searching().begin_search(attempt_id(3), at(900)).unwrap();
    let vanished = next.attempt.unwrap();
    assert_eq!((vanished.id, vanished.outcome), (attempt_id(2), AttemptOutcome::Abandoned));
    let resolved = searching().resolve_published(None, None, at(900)).unwrap();
    assert_eq!(resolved.attempt.unwrap().id, attempt_id(2));
}

#[test]
fn a_held_post_waits_without_a_slot_and_goes_on_under_a_new_version() {
    let Transition { post: held, ledger, .. } = scheduled().hold(FailureCode::QuotaLost, at(10)).unwrap();
    assert_eq!((held.status(), ledger), (Status::Held, LedgerEffect::Release));
    assert_eq!((held.error(), held.holds_reservation()), (Some(FailureCode::QuotaLost), false));
    assert_eq!(held.next_step(held.version, at(700)), Step::Nothing, "no wake-up sends it");
    assert!(held.clone().claim(attempt_id(1), Some("7"), at(700)).is_err());
    let again = held.clone().approve(at(5), true, at(20)).unwrap();
    assert_eq!((again.version, again.cycle_start, again.error()), (held.version + 1, Some(at(5)), None));
    assert_eq!(again.next_step(held.version, at(700)), Step::Nothing, "the old wake-up is stale");
    assert_eq!(again.next_step(again.version, at(700)), Step::Claim);
    let by_itself = held.clone().resume(at(5), true, at(20)).unwrap();
    assert_eq!(by_itself.approved_at, held.approved_at, "its owner's word stands");
    assert_eq!(Post { approved_at: again.approved_at, ..by_itself }, again);
}

#[test]
fn a_held_post_says_what_it_waits_for_now_and_keeps_it_when_it_is_missed() {
    let held = scheduled().hold(FailureCode::ReconnectNeeded, at(10)).unwrap().post;
    assert!(held.clone().hold(FailureCode::ReconnectNeeded, at(20)).is_err(), "nothing new");
    let told = held.hold(FailureCode::QuotaLost, at(20)).unwrap();
    assert_eq!((told.from, told.ledger, told.post.error()), (Status::Held, LedgerEffect::Keep, Some(FailureCode::QuotaLost)));
    let late = told.post.latest_at + SignedDuration::from_secs(1);
    let missed = told.post.miss(late).unwrap().post;
    assert_eq!((missed.status(), missed.error()), (Status::Missed, Some(FailureCode::QuotaLost)));
    let codes: Vec<_> = missed.errors.iter().map(|note| note.code).collect();
    assert_eq!(codes, [FailureCode::ReconnectNeeded, FailureCode::QuotaLost, FailureCode::TooLate]);
}

#[test]
fn a_post_whose_account_is_lost_before_it_was_sent_is_held_until_its_deadline_and_missed_after_it() {
    let lost = |now| claimed().conclude(Conclusion::AccountLost(FailureCode::ConnectionGone), Answer::default(), now).unwrap();
    let held = lost(at(601));
    assert_eq!(
        (held.post.status(), held.ledger, held.attempt.unwrap().outcome),
        (Status::Held, LedgerEffect::Release, AttemptOutcome::NotSent)
    );
    let missed = lost(claimed().latest_at + SignedDuration::from_secs(1));
    assert_eq!(
        (missed.post.status(), missed.ledger, missed.post.error()),
        (Status::Missed, LedgerEffect::Release, Some(FailureCode::ConnectionGone))
    );
}

#[test]
fn a_held_post_has_no_slot_to_give_back() {
    assert_eq!(held().cancel(at(20)).unwrap().ledger, LedgerEffect::Keep);
    let late = held().latest_at + SignedDuration::from_secs(1);
    assert_eq!(held().next_step(1, late), Step::Miss);
    let missed = held().miss(late).unwrap();
    assert_eq!((missed.post.status(), missed.ledger), (Status::Missed, LedgerEffect::Keep));
    assert!(held().edit(Edit { armed: true, ..Edit::default() }, at(20)).unwrap().is_held());
}

#[test]
fn only_what_is_scheduled_can_be_held() {
    for post in every_state() {
        let scheduled = matches!(post.state, State::Scheduled { .. });
        assert_eq!(post.hold(FailureCode::QuotaLost, at(700)).is_ok(), scheduled);
    }
}

#[test]
fn a_repeat_has_an_intent_of_its_own_and_is_not_looked_for_before_it_can_have_ended() {
    let again = searching().send_again(at(810)).unwrap();
    let intent = again.in_doubt().unwrap();
    assert_eq!((intent.first_at, intent.last_at), (at(600), at(810)));
    assert_eq!(again.next_step(1, at(810) + LEASE), Step::WaitUntil(at(810) + SETTLE_WAIT));
    assert_eq!(again.next_step(1, at(810) + SETTLE_WAIT), Step::Search);
    let lost = again.clone().conclude_search(Evidence::SentAgain, Answer::default(), at(830)).unwrap().post;
    assert_eq!((lost.status(), lost.next_attempt_at()), (Status::Unknown, Some(at(810) + SETTLE_WAIT)));
    assert_eq!(unknown().send_again(at(810)).unwrap_err(), Refused::InFlight, "whoever sends has the lease");
    assert_eq!(searching().send_again(at(800) + LEASE).unwrap_err(), Refused::InFlight, "and has it long enough");
}

#[test]
fn that_it_is_not_there_is_heard_when_no_send_can_be_on_its_way() {
    let last_at = unknown().in_doubt().unwrap().last_at;
    let second = SignedDuration::from_secs(1);
    assert_eq!(unknown().resolve_not_published(last_at + SETTLE_WAIT - second).unwrap_err(), Refused::InFlight);
    assert_eq!(unknown().resolve_not_published(last_at + SETTLE_WAIT).unwrap().post.status(), Status::Failed);
    assert_eq!(
        unknown().resolve_published(None, None, last_at + second).unwrap().post.status(),
        Status::Published,
        "what is there is there"
    );
}

/// A post for nine o'clock in New York in June, with the instant that this means as long as there is summer time.
fn timed(post: Post) -> Post {
    Post {
        due_at: "2027-06-01T13:00:00Z".parse().unwrap(),
        time_zone: Some("America/New_York".into()),
        local_time: Some("2027-06-01T09:00:00".parse().unwrap()),
        ..post
    }
}

#[test]
fn a_waiting_post_whose_zone_has_got_other_rules_is_named_with_what_its_time_means_now() {
    let (old_rules, now_means) = ("2027-06-01T14:00:00Z".parse().unwrap(), Some("2027-06-01T13:00:00Z".parse().unwrap()));
    for post in every_state() {
        assert_eq!(ZoneChange::of(&timed(post.clone())), None, "{:?}", post.state);
        let waits = matches!(post.status(), Status::Draft | Status::Scheduled | Status::Held);
        let moved = Post { due_at: old_rules, ..timed(post) };
        let expected = ZoneChange {
            post_id: moved.id.clone(),
            due_at: old_rules,
            local_time: "2027-06-01T09:00:00".parse().unwrap(),
            time_zone: "America/New_York".into(),
            now_means,
        };
        assert_eq!(ZoneChange::of(&moved), waits.then_some(expected), "{:?}", moved.state);
        assert_eq!(ZoneChange::of(&Post { local_time: None, ..moved.clone() }), None, "an instant means itself");
        let nowhere = Post { time_zone: Some("America/Atlantis".into()), ..moved };
        assert_eq!(ZoneChange::of(&nowhere).map(|change| change.now_means), waits.then_some(None), "a zone that is gone says nothing");
    }
}

#[test]
fn a_local_time_stands_only_beside_the_instant_that_it_meant() {
    let kept = timed(scheduled()).edit(Edit::default(), at(20)).unwrap();
    assert_eq!(kept.local_time, timed(scheduled()).local_time);
    let time = NewTime { due_at: at(900), latest_at: at(950), time_zone: None, local_time: None };
    let edited = timed(scheduled()).edit(Edit { time: Some(time), ..Edit::default() }, at(20)).unwrap();
    assert_eq!((edited.due_at, edited.local_time), (at(900), None));
    let retried = timed(failed()).retry((at(900), at(950)), at(0), false, at(800)).unwrap();
    assert_eq!((retried.due_at, retried.local_time), (at(900), None));
}

#[test]
fn a_send_that_its_owner_did_not_find_stays_in_doubt_beside_the_next_one() {
    let (mut post, mut sends) = (unknown(), Vec::new());
    for round in 0..6 {
        let now = at(1_000 * (round + 1));
        let intent = post.in_doubt().unwrap();
        let failed = post.resolve_not_published(intent.last_at + SETTLE_WAIT).unwrap().post;
        assert_eq!(failed.doubts(), [], "nothing is asked after while nothing is in doubt");
        sends.push(intent);
        let again =
            failed.clone().retry((now, now + LATEST_DEFAULT), at(0), true, now).unwrap().claim(attempt_id(9), Some("7"), now).unwrap();
        let kept = &sends[sends.len().saturating_sub(UNSEEN_KEPT)..];
        assert_eq!(again.doubts(), [kept, &[Intent { first_at: now, last_at: now }]].concat());
        let other = Content { text: "another".into(), ai_recommendation: None };
        let edit = Edit { content_hash: Some(other.hash()), ..Edit::default() };
        let waiting = failed.retry((now, now + LATEST_DEFAULT), at(0), true, now).unwrap();
        assert_eq!(
            waiting.clone().edit(Edit { content_hash: Some(waiting.content_hash.clone()), ..edit.clone() }, now).unwrap().unseen,
            kept
        );
        assert_eq!(waiting.edit(edit, now).unwrap().unseen, [], "what may show yet says the old text");
        post = again.conclude(Conclusion::AnswerLost, Answer::default(), now).unwrap().post;
    }
}

#[test]
fn a_search_that_comes_too_late_tells_what_it_found_and_what_it_proved() {
    let learned = |evidence| {
        let transition = searching().conclude_search(evidence, Answer::default(), at(801)).unwrap();
        transition.late(&searching()).map(|record| record.late.unwrap())
    };
    let sent_at = searching().in_doubt().unwrap().last_at;
    let found = Evidence::Found(seen(Known::BySearch));
    let there = Learned::Published(seen(Known::BySearch));
    assert_eq!(learned(found), Some(LateResult { version: 1, sent_at, learned: there }));
    let proof = Evidence::NotThere(FailureCode::ContentRejected);
    let not_there = Learned::NotThere { code: FailureCode::ContentRejected };
    assert_eq!(learned(proof), Some(LateResult { version: 1, sent_at, learned: not_there }));
    for nothing in [Evidence::NotFound, Evidence::Ambiguous, Evidence::Unreadable, Evidence::SentAgain] {
        assert_eq!(learned(nothing.clone()), None, "{nothing:?}");
    }
}

#[test]
fn repeats_whose_answers_are_lost_or_that_are_never_sent_end_with_a_person() {
    for evidence in [Evidence::SentAgain, Evidence::Unreadable] {
        let (mut post, mut now) = (unknown(), at(700));
        for n in 0..200 {
            let again = post.begin_search(attempt_id(n), now).unwrap().post.send_again(now).unwrap();
            post = again.conclude_search(evidence.clone(), Answer::default(), now).unwrap().post;
            let Some(next) = post.next_attempt_at() else { break };
            now = next;
        }
        assert_eq!(post.status(), Status::NeedsReview, "{evidence:?}");
    }
}

#[test]
fn a_handle_stays_with_its_post_until_the_doubt_ends() {
    let sent = kept("h").intend("7", at(602)).unwrap();
    assert_eq!(sent.handle(), Some("h"));
    let refused = sent.clone().token_refused(at(603)).unwrap();
    assert_eq!(refused.handle(), Some("h"), "no second handle is made for the same post");
    let lost = sent.clone().conclude(Conclusion::AnswerLost, Answer::default(), at(610)).unwrap().post;
    let vanished = sent.suspect(at(700)).unwrap().post;
    for doubt in [lost, vanished] {
        let looking = doubt.begin_search(attempt_id(2), at(900)).unwrap().post;
        assert_eq!(looking.handle(), Some("h"));
        let progress = Evidence::Processing { handle: "h".into(), poll_at: at(960) };
        let processing = looking.conclude_search(progress, Answer::default(), at(901)).unwrap();
        assert_eq!((processing.post.status(), processing.post.handle()), (Status::Processing, Some("h")));
        assert_eq!(processing.ledger, LedgerEffect::Keep);
    }
}

#[test]
fn what_was_found_later_was_published_when_the_platform_made_it() {
    let published_at = |post: &Post| match post.state {
        State::Published { at, .. } => at,
        ref other => panic!("{other:?}"),
    };
    assert_eq!(published_at(&found()), at(602));
    let ahead = Publication { made_at: Some(at(9_999)), ..seen(Known::BySearch) };
    let ahead = searching().conclude_search(Evidence::Found(ahead), Answer::default(), at(801)).unwrap().post;
    assert_eq!(published_at(&ahead), at(801), "a platform whose clock is ahead made nothing in the time to come");
    let by_its_owner = needs_review().resolve_published(None, None, at(9_000)).unwrap().post;
    assert_eq!(published_at(&by_its_owner), at(600), "its owner found what was sent then");
}

#[test]
fn a_guess_gives_way_to_the_platforms_own_word_and_the_doubt_is_as_before() {
    let lost = found().lose_binding(at(900)).unwrap();
    assert_eq!((lost.post.status(), lost.ledger), (Status::Unknown, LedgerEffect::Unsettle));
    assert_eq!(lost.post.in_doubt(), unknown().in_doubt());
    assert_eq!(lost.post.sent_to, Some(to_7(1)), "it may show there again");
    assert_eq!(lost.post.next_step(1, at(900)), Step::Search);
    assert!(published().lose_binding(at(900)).is_err(), "of this one the platform itself has spoken");
}

#[test]
fn where_it_was_sent_to_is_known_as_long_as_it_may_show_there() {
    for post in [sending(), unknown(), needs_review()] {
        assert_eq!((post.may_show(), post.sent_to), (true, Some(to_7(1))));
    }
    // The change that ends it knows it still, to remove the row; the next one does not.
    let refused = sending().conclude(Conclusion::Failed(FailureCode::ContentRejected), Answer::default(), at(601)).unwrap().post;
    assert_eq!((refused.sent_to.clone(), refused.may_show()), (Some(to_7(1)), false));
    let retried = refused.retry((at(700), at(800)), at(0), false, at(650)).unwrap();
    assert_eq!(retried.sent_to, None);
    let unseen = unknown().resolve_not_published(at(800)).unwrap().post;
    let retried = unseen.retry((at(900), at(1_000)), at(0), false, at(850)).unwrap();
    assert_eq!((retried.sent_to.clone(), retried.may_show()), (Some(to_7(1)), true), "a send that its owner did not find may show yet");
    let again = retried.clone().claim(attempt_id(3), Some("7"), at(900)).unwrap();
    assert_eq!((again.version, again.sent_to), (2, Some(to_7(1))), "what looks the same shares a row");
    let says_another = Edit { content_hash: Some(ContentHash::from_stored("another".into())), ..Edit::default() };
    let edited = retried.edit(says_another, at(860)).unwrap();
    assert_eq!((edited.sent_to.clone(), edited.may_show()), (None, false), "the row of the old text stays");
    let again = edited.claim(attempt_id(3), Some("7"), at(900)).unwrap();
    assert_eq!((again.version, again.sent_to), (3, Some(to_7(3))));
}

fn to_7(version: u32) -> SentTo {
    SentTo { account: "7".to_owned(), version }
}

#[test]
fn a_failed_or_missed_post_that_is_edited_waits_as_a_draft_with_its_story() {
    for over in [failed(), scheduled().miss(at(9_999)).unwrap().post] {
        let edited = over.clone().edit(Edit::default(), at(LATE)).unwrap();
        assert_eq!((edited.status(), edited.version, edited.rev), (Status::Draft, over.version + 1, over.rev + 1));
        assert_eq!((edited.approved_at, edited.cycle_start, edited.error()), (None, None, None), "nobody has approved what it says now");
        assert_eq!((edited.attempt_count, &edited.errors), (over.attempt_count, &over.errors));
        assert_eq!(edited.next_step(over.version, at(700)), Step::Nothing);
        assert_eq!(edited.clone().retry((at(LATE), at(LATE + 60)), at(0), true, at(LATE)), Err(Refused::WrongState(Status::Draft)));
        let approved = edited.approve(at(5), true, at(LATE)).unwrap();
        assert_eq!((approved.status(), approved.version), (Status::Scheduled, over.version + 1));
    }
}

#[test]
fn a_send_that_its_owner_did_not_find_is_remembered_through_the_edit_that_makes_a_draft() {
    let sent = unknown().in_doubt().unwrap();
    let failed = unknown().resolve_not_published(sent.last_at + SETTLE_WAIT).unwrap().post;
    let alike = Edit { content_hash: Some(Content { text: "hello ".into(), ai_recommendation: None }.hash()), ..Edit::default() };
    let other = Edit { content_hash: Some(Content { text: "good-bye".into(), ai_recommendation: None }.hash()), ..Edit::default() };
    let elsewhere = Edit { connection_id: Some(ConnectionId::new(at(0), [5; 10])), ..Edit::default() };
    let same_place = Edit { connection_id: Some(failed.connection_id.clone()), ..Edit::default() };
    let cases =
        [(Edit::default(), vec![sent]), (same_place, vec![sent]), (alike, Vec::new()), (other, Vec::new()), (elsewhere, Vec::new())];
    for (edit, unseen) in cases {
        let draft = failed.clone().edit(edit.clone(), at(LATE)).unwrap();
        assert_eq!(draft.unseen, unseen, "{edit:?}");
        let sending = draft.approve(at(5), true, at(LATE)).unwrap().claim(attempt_id(3), Some("7"), at(LATE)).unwrap();
        assert_eq!(sending.doubts().len(), unseen.len() + 1, "{edit:?}");
    }
}

#[test]
fn a_send_that_its_owner_did_not_find_counts_again_when_its_text_and_account_come_back() {
    let sent = unknown().in_doubt().unwrap();
    let failed = unknown().resolve_not_published(sent.last_at + SETTLE_WAIT).unwrap().post;
    let says = |text: &str| Edit { content_hash: Some(Content { text: text.into(), ai_recommendation: None }.hash()), ..Edit::default() };
    let goes_to = |n: u8| Edit { connection_id: Some(ConnectionId::new(at(0), [n; 10])), ..Edit::default() };
    let ways = [[says("good-bye"), says("hello")], [goes_to(5), goes_to(4)]];
    for [away, back] in ways {
        let elsewhere = failed.clone().edit(away.clone(), at(LATE)).unwrap();
        assert_eq!((elsewhere.unseen.len(), elsewhere.sent_to.clone(), elsewhere.may_show()), (0, None, false), "{away:?}");
        // What it is now is lost, too.
        let lost = elsewhere.approve(at(5), true, at(LATE)).unwrap().claim(attempt_id(3), Some("7"), at(LATE)).unwrap();
        let later = lost.in_doubt().unwrap();
        let lost = lost.conclude(Conclusion::AnswerLost, Answer::default(), at(LATE)).unwrap().post;
        let lost = lost.resolve_not_published(later.last_at + SETTLE_WAIT).unwrap().post;
        let returned = lost.edit(back, at(LATE + 200)).unwrap();
        assert_eq!((&*returned.unseen, &returned.sent_to), (&[sent][..], &Some(to_7(1))), "{away:?}");
        assert!(returned.may_show());
        let once_more = returned.edit(away, at(LATE + 201)).unwrap();
        assert_eq!((&*once_more.unseen, once_more.set_aside.len()), (&[later][..], 1));
    }
}

#[test]
fn a_post_remembers_few_texts_that_may_show_yet_the_newest() {
    let says = |text: usize| Edit { content_hash: Some(ContentHash::from_stored(format!("text {text}"))), ..Edit::default() };
    let mut post = draft().edit(says(0), at(1)).unwrap();
    for text in 1..=SET_ASIDE_KEPT + 2 {
        let seen_by_nobody = Intent { first_at: at(i64::try_from(text).unwrap()), last_at: at(i64::try_from(text).unwrap()) };
        post = Post { unseen: vec![seen_by_nobody], ..post }.edit(says(text), at(10)).unwrap();
        assert!(post.set_aside.len() <= SET_ASIDE_KEPT);
    }
    assert_eq!(post.clone().edit(says(0), at(20)).unwrap().unseen, [], "its row still stands as a rival");
    assert_eq!(post.edit(says(SET_ASIDE_KEPT), at(20)).unwrap().unseen.len(), 1);
}

#[test]
fn a_waiting_post_goes_to_another_account_under_a_new_version_and_keeps_its_place() {
    let other = ConnectionId::new(at(0), [5; 10]);
    let edit = Edit { connection_id: Some(other.clone()), armed: true, ..Edit::default() };
    for post in [draft(), scheduled(), held()] {
        let moved = post.clone().edit(edit.clone(), at(20)).unwrap();
        assert_eq!((&moved.connection_id, moved.version, moved.status()), (&other, post.version + 1, post.status()));
        assert_eq!((moved.holds_reservation(), moved.cycle_start), (post.holds_reservation(), post.cycle_start));
    }
    assert_eq!(sending().edit(edit, at(601)), Err(Refused::InFlight));
}

#[test]
fn a_post_is_changed_by_its_owner_so_often_and_no_more_and_can_still_be_called_off() {
    for post in [draft(), scheduled(), held(), failed()] {
        let last = Post { rev: CHANGES_MAX - 1, ..post.clone() };
        assert!(last.edit(Edit::default(), at(20)).is_ok());
        let full = Post { rev: CHANGES_MAX, ..post };
        assert_eq!(full.clone().edit(Edit::default(), at(20)), Err(Refused::ChangedTooOften));
        match full.status() {
            Status::Failed => assert_eq!(full.retry((at(LATE), at(LATE + 60)), at(0), true, at(LATE)), Err(Refused::ChangedTooOften)),
            _ => assert!(full.cancel(at(20)).is_ok()),
        }
    }
}
