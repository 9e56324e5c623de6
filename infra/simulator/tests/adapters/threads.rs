use std::time::Duration;

use domain::analytics::Numbers;
use domain::content::Content;
use domain::failure::FailureCode;
use domain::platform::AccountKind;
use domain::platform::PlatformName::Threads;
use jiff::{SignedDuration, Timestamp};
use platforms::{
    Account, Advance, Call, ExchangeError, GrantedAccount, HandleState, NoCode, NumbersError, Outcome, PrepareError, Prepared, Published,
    ReadError, RefreshError, Renewed, Told,
};
use secrecy::ExposeSecret;
use serde_json::json;

use crate::wire::{VERIFIER, Wire, account, param, publish};

fn hours(hours: i64) -> SignedDuration {
    SignedDuration::from_hours(hours)
}

fn content(text: &str) -> Content {
    Content { text: text.to_owned(), ai_recommendation: None }
}

/// A call that works on one post.
fn call<'a>(of: Account<'a>, content: &'a Content, now: Timestamp) -> Call<'a> {
    Call { account: of, content, key: "01-1", time_left: Duration::from_secs(25), now }
}

async fn prepare(wire: &Wire, granted: &GrantedAccount, text: &str, so_far: Option<Prepared>) -> Result<Advance, PrepareError> {
    wire.platform(Threads).prepare(&call(account(granted), &content(text), wire.now()), so_far).await
}

/// A container that was made a moment ago.
async fn made(wire: &Wire, granted: &GrantedAccount, text: &str) -> Prepared {
    match prepare(wire, granted, text, None).await {
        Ok(Advance::Made(made)) => made,
        other => panic!("{other:?}"),
    }
}

async fn commit(wire: &Wire, granted: &GrantedAccount, prepared: &Prepared) -> Outcome {
    wire.platform(Threads).commit(&call(account(granted), &content(""), wire.now()), prepared).await
}

async fn look_up(wire: &Wire, granted: &GrantedAccount, prepared: &Prepared) -> Result<HandleState, ReadError> {
    wire.platform(Threads).look_up(account(granted), prepared.handle.as_deref().unwrap()).await
}

async fn calls(wire: &Wire, operation: &str) -> i64 {
    wire.read(Threads, "calls").await[operation].as_i64().unwrap()
}

#[tokio::test]
async fn from_consent_to_a_post_that_is_read_back() {
    let wire = Wire::start().await;
    let threads = wire.platform(Threads);
    let granted = wire.connect(Threads, &[("account", "ada")]).await.unwrap().remove(0);
    assert_eq!((granted.username.as_str(), granted.kind, granted.grantor.as_deref()), ("ada", AccountKind::Profile, None));
    assert!(granted.account_id.parse::<u64>().unwrap() > 1 << 53, "no number that is read as one");
    assert_eq!((granted.tokens.scopes.len(), granted.missing_scopes.len(), granted.tokens.refresh.is_none()), (3, 0, true));
    let left = granted.tokens.expires_at.unwrap().duration_since(wire.now());
    assert!(left < hours(60 * 24) && left > hours(60 * 24) - SignedDuration::from_mins(2), "{left}");

    let (since, text) = (wire.now(), "Open today & tomorrow\nCome by: https://example.com/?a=1&b=2 🌱 #bread @ada");
    let Outcome::Accepted { post_id, url: Some(url), http_status: 200 } = publish(threads, account(&granted), text, since).await else {
        panic!("not accepted")
    };
    assert!(url.starts_with("https://www.threads.net/@ada/post/"), "{url}");
    let own = threads.own_posts(account(&granted), since, None, since).await.unwrap();
    assert_eq!((own.len(), &own[0].id, own[0].created_at, own[0].text.as_str()), (1, &post_id, since, text));
    assert_eq!(own[0].url.as_deref(), Some(url.as_str()));
    assert_eq!((calls(&wire, "prepare").await, calls(&wire, "publish").await), (1, 1));
    // Threads refuses no text for having been posted.
    assert!(matches!(publish(threads, account(&granted), text, wire.now()).await, Outcome::Accepted { .. }));
    threads.revoke(&wire.app, account(&granted), wire.now()).await.unwrap();
}

#[tokio::test]
async fn a_post_has_500_letters_and_an_emoji_is_its_bytes() {
    let wire = Wire::start().await;
    let granted = wire.connect_one(Threads).await;
    let threads = wire.platform(Threads);
    for (text, fits) in [("a".repeat(500), true), ("a".repeat(501), false), ("😀".repeat(125), true), ("😀".repeat(126), false)] {
        let outcome = publish(threads, account(&granted), &text, wire.now()).await;
        let is_taken = matches!(outcome, Outcome::Accepted { .. });
        assert!(is_taken == fits && threads.descriptor().text.check("Threads", &text).is_ok() == fits, "{outcome:?}");
        assert!(is_taken || matches!(outcome, Outcome::Rejected { code: FailureCode::ContentRejected, http_status: 400, .. }));
    }
}

#[tokio::test]
async fn a_post_without_an_address_is_out_all_the_same() {
    let wire = Wire::start().await;
    let granted = wire.connect_one(Threads).await;
    let prepared = made(&wire, &granted, "hi").await;
    wire.fault(Threads, json!({ "kind": "error_before", "on": "look_up" })).await;
    assert!(matches!(commit(&wire, &granted, &prepared).await, Outcome::Accepted { url: None, http_status: 200, .. }));
    assert_eq!(wire.texts(Threads).await, ["hi"]);
}

#[tokio::test]
async fn a_step_makes_one_container_and_shows_nothing() {
    let wire = Wire::start().await;
    let granted = wire.connect_one(Threads).await;
    let prepared = made(&wire, &granted, "hi").await;
    assert_eq!((prepared.ready, prepared.expires_at), (false, Some(wire.now() + hours(24))));
    assert_eq!(look_up(&wire, &granted, &prepared).await.unwrap(), HandleState::Ready);
    let handle = prepared.handle.clone();
    let Ok(Advance::Ready(ready)) = prepare(&wire, &granted, "hi", Some(prepared)).await else { panic!("not ready") };
    assert_eq!((ready.ready, &ready.handle), (true, &handle));
    assert_eq!((calls(&wire, "prepare").await, calls(&wire, "publish").await), (1, 0));
    assert!(wire.texts(Threads).await.is_empty());
    assert!(matches!(commit(&wire, &granted, &Prepared::default()).await, Outcome::NotSent { .. }), "nothing was prepared");
}

#[tokio::test]
async fn a_container_that_threads_is_at_work_on_is_waited_for_and_not_made_again() {
    let wire = Wire::start().await;
    let granted = wire.connect_one(Threads).await;
    let prepared = made(&wire, &granted, "hi").await;
    let handle = prepared.handle.clone();
    wire.fault(Threads, json!({ "kind": "in_progress" })).await;
    let mut so_far = prepared;
    for _ in 0..3 {
        let Ok(Advance::Wait(kept, until)) = prepare(&wire, &granted, "hi", Some(so_far)).await else { panic!("no wait") };
        assert!(until > wire.now() && kept.handle == handle && !kept.ready);
        assert_eq!(look_up(&wire, &granted, &kept).await.unwrap(), HandleState::InProgress);
        // Whoever is too fast is refused, and proves nothing.
        assert!(matches!(commit(&wire, &granted, &kept).await, Outcome::Unknown { http_status: Some(400), .. }));
        wire.advance(SignedDuration::from_mins(5));
        so_far = kept;
    }
    wire.clear_faults(Threads).await;
    let Ok(Advance::Ready(ready)) = prepare(&wire, &granted, "hi", Some(so_far)).await else { panic!("not ready") };
    assert!(matches!(commit(&wire, &granted, &ready).await, Outcome::Accepted { .. }));
    assert_eq!((wire.texts(Threads).await.len(), calls(&wire, "prepare").await), (1, 1));
}

#[tokio::test]
async fn a_container_that_can_not_be_published_any_more_is_made_anew() {
    for (kind, passes) in [(None, 25), (Some("container_failed"), 0), (Some("container_lost"), 0)] {
        let wire = Wire::start().await;
        let granted = wire.connect_one(Threads).await;
        let first = made(&wire, &granted, "hi").await;
        wire.advance(hours(passes));
        if let Some(kind) = kind {
            wire.fault(Threads, json!({ "kind": kind })).await;
        }
        let seen = look_up(&wire, &granted, &first).await;
        match kind {
            None => assert_eq!(seen.unwrap(), HandleState::Gone { code: FailureCode::TooLate }),
            Some(kind) => assert!(matches!(seen, Err(ReadError::Unavailable { .. })), "{kind} proves nothing: {seen:?}"),
        }
        let Ok(Advance::Made(second)) = prepare(&wire, &granted, "hi", Some(first.clone())).await else { panic!("not made anew") };
        wire.clear_faults(Threads).await;
        assert!(second.handle != first.handle && second.expires_at == Some(wire.now() + hours(24)), "{kind:?}");
        assert_eq!(calls(&wire, "prepare").await, 2, "{kind:?}: one creating call a step");
        assert!(matches!(commit(&wire, &granted, &second).await, Outcome::Accepted { .. }), "{kind:?}");
        assert_eq!(wire.texts(Threads).await.len(), 1, "{kind:?}");
    }
}

#[tokio::test]
async fn a_lost_answer_is_cleared_up_by_the_handle() {
    for (kind, is_out) in [("drop_after", true), ("error_after", true), ("cut_after", true), ("drop_before", false), ("not_ready", false)] {
        let wire = Wire::start().await;
        let granted = wire.connect_one(Threads).await;
        let prepared = made(&wire, &granted, "hi").await;
        wire.fault(Threads, json!({ "kind": kind })).await;
        assert!(matches!(commit(&wire, &granted, &prepared).await, Outcome::Unknown { .. }), "{kind}");
        let handle = prepared.handle.clone().unwrap();
        let live = HandleState::Live { post_id: handle.clone(), url: None };
        assert_eq!(look_up(&wire, &granted, &prepared).await.unwrap(), if is_out { live } else { HandleState::Ready }, "{kind}");
        assert_eq!(wire.texts(Threads).await.len(), usize::from(is_out), "{kind}");
        // A container makes one post, however often Threads is asked; the second time it proves nothing.
        let again = commit(&wire, &granted, &prepared).await;
        assert_eq!(matches!(again, Outcome::Accepted { .. }), !is_out, "{kind}: {again:?}");
        assert!(matches!(commit(&wire, &granted, &prepared).await, Outcome::Unknown { http_status: Some(400), .. }), "{kind}");
        wire.advance(hours(48));
        assert!(
            matches!(look_up(&wire, &granted, &prepared).await.unwrap(), HandleState::Live { post_id, url: None } if post_id == handle)
        );
        let Ok(Advance::Ready(kept)) = prepare(&wire, &granted, "hi", Some(prepared)).await else { panic!("{kind}: prepared anew") };
        assert_eq!(kept.handle.as_ref(), Some(&handle), "{kind}: what is a post is never prepared anew");
        assert_eq!((wire.texts(Threads).await.len(), calls(&wire, "prepare").await), (1, 1), "{kind}");
        // The handle is no post's id: Threads is not asked for its numbers.
        let told = wire.platform(Threads).numbers(account(&granted), Published { id: &handle, at: wire.now() }, wire.now()).await;
        assert_eq!((told, calls(&wire, "metrics").await), (Ok(Told::default()), 0), "{kind}");
    }
}

/// What a try is to end with.
type IsExpected = fn(&PrepareError) -> bool;

#[tokio::test]
async fn trouble_before_the_commit_says_whose_it_is_and_makes_nothing_visible() {
    let wire = Wire::start().await;
    let granted = wire.connect_one(Threads).await;
    let is_unavailable: IsExpected = |error| matches!(error, PrepareError::Unavailable { .. });
    let is_apps: IsExpected = |error| matches!(error, PrepareError::Rejected { code: FailureCode::AppUnavailable, .. });
    let cases: [(&str, IsExpected); 9] = [
        ("drop_before", is_unavailable),
        ("drop_after", is_unavailable),
        ("error_after", is_unavailable),
        ("app_limited", is_apps),
        ("blocked_app", is_apps),
        ("dead_version", is_apps),
        ("rate_limited", |error| matches!(error, PrepareError::Limited { until: Some(_), .. })),
        ("restricted", |error| matches!(error, PrepareError::Rejected { code: FailureCode::AccountRestricted, .. })),
        ("reject", |error| matches!(error, PrepareError::Rejected { code: FailureCode::ContentRejected, .. })),
    ];
    for (kind, expected) in cases {
        wire.fault(Threads, json!({ "kind": kind, "on": "prepare" })).await;
        let error = prepare(&wire, &granted, "hi", None).await.unwrap_err();
        assert!(expected(&error), "{kind}: {error:?}");
    }
    // The same of a look at what there is, which is not given up for it.
    let prepared = made(&wire, &granted, "hi").await;
    for kind in ["drop_before", "error_before"] {
        wire.fault(Threads, json!({ "kind": kind, "on": "look_up", "times": 2 })).await;
        assert!(matches!(prepare(&wire, &granted, "hi", Some(prepared.clone())).await, Err(PrepareError::Unavailable { .. })), "{kind}");
        assert!(matches!(look_up(&wire, &granted, &prepared).await, Err(ReadError::Unavailable { .. })), "{kind}");
    }
    wire.fault(Threads, json!({ "kind": "rate_limited", "on": "look_up" })).await;
    assert!(matches!(look_up(&wire, &granted, &prepared).await, Err(ReadError::Limited { until: None })));
    wire.fault(Threads, json!({ "kind": "token_expired" })).await;
    assert!(matches!(look_up(&wire, &granted, &prepared).await, Err(ReadError::TokenRefused)));
    assert_eq!(prepare(&wire, &granted, "hi", None).await.unwrap_err(), PrepareError::TokenRefused { http_status: 400 });
    assert!(wire.texts(Threads).await.is_empty());
}

#[tokio::test]
async fn a_token_is_extended_after_a_day_and_not_once_it_has_ended() {
    let wire = Wire::start().await;
    let threads = wire.platform(Threads);
    let mut granted = wire.connect_one(Threads).await;
    let began = wire.now();
    let Ok(Renewed::NotYet(from)) = threads.renew(&wire.app, account(&granted), wire.now()).await else { panic!("too soon") };
    assert!(from > began + hours(24) && from < began + hours(26), "{from}");
    assert_eq!(calls(&wire, "refresh").await, 0, "Threads is not asked");
    wire.advance(from.duration_since(began));

    // A lost answer costs nothing: the same token is shown again.
    for kind in ["drop_after", "error_before", "rate_limited", "app_limited"] {
        wire.fault(Threads, json!({ "kind": kind, "on": "refresh" })).await;
        let lost = threads.renew(&wire.app, account(&granted), wire.now()).await;
        assert!(matches!(lost, Err(RefreshError::Unavailable { .. })), "{kind}: {lost:?}");
    }
    let Ok(Renewed::Tokens(renewed)) = threads.renew(&wire.app, account(&granted), wire.now()).await else { panic!("not renewed") };
    assert_ne!(renewed.access.expose_secret(), granted.tokens.access.expose_secret());
    assert_eq!((renewed.scopes.as_slice(), renewed.refresh.is_none()), (granted.tokens.scopes.as_slice(), true));
    assert!(renewed.expires_at.unwrap() > granted.tokens.expires_at.unwrap() + hours(24));
    assert!(matches!(publish(threads, account(&granted), "by the old one", wire.now()).await, Outcome::Accepted { .. }));
    granted.tokens = renewed;
    for _ in 0..3 {
        wire.advance(hours(59 * 24));
        let Ok(Renewed::Tokens(renewed)) = threads.renew(&wire.app, account(&granted), wire.now()).await else { panic!("not renewed") };
        granted.tokens = renewed;
    }
    assert!(matches!(publish(threads, account(&granted), "half a year later", wire.now()).await, Outcome::Accepted { .. }));
    wire.advance(hours(61 * 24));
    assert_eq!(publish(threads, account(&granted), "too late", wire.now()).await, Outcome::TokenRefused { http_status: 400 });
    let dead = threads.renew(&wire.app, account(&granted), wire.now()).await;
    assert!(matches!(&dead, Err(RefreshError::Dead { detail }) if detail == "400 OAuthException 190 463"), "{dead:?}");
}

#[tokio::test]
async fn a_grant_that_its_owner_ended_is_dead() {
    let wire = Wire::start().await;
    let threads = wire.platform(Threads);
    let ada = wire.connect(Threads, &[("account", "ada")]).await.unwrap().remove(0);
    let bob = wire.connect(Threads, &[("account", "bob")]).await.unwrap().remove(0);
    wire.advance(hours(48));
    wire.fault(Threads, json!({ "kind": "token_revoked", "account": "ada" })).await;
    assert!(matches!(threads.renew(&wire.app, account(&ada), wire.now()).await, Err(RefreshError::Dead { .. })));
    assert!(matches!(threads.own_posts(account(&ada), wire.now(), None, wire.now()).await, Err(ReadError::TokenRefused)));
    assert!(matches!(publish(threads, account(&bob), "hi", wire.now()).await, Outcome::Accepted { .. }));
}

#[tokio::test]
async fn a_person_leaves_scopes_out() {
    let wire = Wire::start().await;
    let threads = wire.platform(Threads);
    let silent = [("granted_scope", "threads_basic"), ("granted_scope", "threads_content_publish")];
    let granted = wire.connect(Threads, &silent).await.unwrap().remove(0);
    assert!(granted.missing_scopes.is_empty(), "an account can be posted to without its numbers");
    let Outcome::Accepted { post_id, .. } = publish(threads, account(&granted), "hi", wire.now()).await else { panic!("not accepted") };
    let read = threads.numbers(account(&granted), Published { id: &post_id, at: wire.now() }, wire.now()).await;
    assert!(matches!(read, Err(NumbersError::NotAllowed { .. })), "{read:?}");

    let reading = wire.connect(Threads, &silent[..1]).await.unwrap().remove(0);
    assert_eq!(reading.missing_scopes, ["threads_content_publish"]);
    let outcome = publish(threads, account(&reading), "hi", wire.now()).await;
    assert!(matches!(outcome, Outcome::Rejected { code: FailureCode::PermissionMissing, .. }), "{outcome:?}");

    let none = wire.connect(Threads, &silent[1..]).await.err().unwrap();
    assert!(matches!(&none, ExchangeError::ScopeMissing { missing } if *missing == ["threads_basic"]), "{none:?}");
    // Where Threads does not tell, all that was asked for counts as granted, until it is needed.
    wire.fault(Threads, json!({ "kind": "scopes_untold" })).await;
    let untold = wire.connect(Threads, &silent[..1]).await.unwrap().remove(0);
    assert_eq!((untold.missing_scopes.len(), untold.tokens.scopes.len()), (0, 3));
}

#[tokio::test]
async fn a_code_works_once_for_an_hour_with_or_without_what_stands_behind_it() {
    let wire = Wire::start().await;
    let allow = [("decision", "allow")];
    let back = wire.consent(Threads, &allow).await;
    assert_eq!(back.fragment(), Some("_"));
    let code = param(&back, "code").unwrap();
    wire.exchange(Threads, &format!("{code}#_"), VERIFIER).await.unwrap();
    let spent = wire.exchange(Threads, &code, VERIFIER).await.err().unwrap();
    assert!(matches!(&spent, ExchangeError::Refused { detail } if detail == "400 OAuthException"), "{spent:?}");
    let code = param(&wire.consent(Threads, &allow).await, "code").unwrap();
    wire.advance(SignedDuration::from_mins(61));
    assert!(matches!(wire.exchange(Threads, &code, VERIFIER).await, Err(ExchangeError::Refused { .. })));
    for kind in ["drop_after", "error_before"] {
        let code = param(&wire.consent(Threads, &allow).await, "code").unwrap();
        wire.fault(Threads, json!({ "kind": kind, "on": "exchange" })).await;
        assert!(matches!(wire.exchange(Threads, &code, VERIFIER).await, Err(ExchangeError::Unavailable { .. })), "{kind}");
    }
}

#[tokio::test]
async fn a_refusal_by_the_person_leads_back() {
    let wire = Wire::start().await;
    let denied = wire.consent(Threads, &[("decision", "deny")]).await;
    assert_eq!((param(&denied, "code"), param(&denied, "state").as_deref()), (None, Some("a state")));
    let error = param(&denied, "error");
    assert!(wire.platform(Threads).is_denial(NoCode { error: error.as_deref(), error_code: None }), "{error:?}");
    assert_eq!(wire.authorize(Threads).await.issuer.identifier(), format!("{}_sim/threads", wire.base));
}

#[tokio::test]
async fn nobody_posts_for_another_account() {
    let wire = Wire::start().await;
    let ada = wire.connect(Threads, &[("account", "ada")]).await.unwrap().remove(0);
    let bob = wire.connect(Threads, &[("account", "bob")]).await.unwrap().remove(0);
    let mixed = Account { tokens: &bob.tokens, ..account(&ada) };
    let outcome = publish(wire.platform(Threads), mixed, "hi", wire.now()).await;
    assert!(matches!(outcome, Outcome::NotSent { .. }), "{outcome:?}");
    // A container is seen by its own account alone.
    let of_ada = made(&wire, &ada, "hi").await;
    assert!(matches!(look_up(&wire, &bob, &of_ada).await, Err(ReadError::Unavailable { .. })));
    assert!(matches!(commit(&wire, &bob, &of_ada).await, Outcome::Unknown { .. }));
    assert!(wire.texts(Threads).await.is_empty());
}

#[tokio::test]
async fn numbers_grow_and_three_kinds_of_sharing_are_one() {
    let wire = Wire::start().await;
    let threads = wire.platform(Threads);
    let granted = wire.connect_one(Threads).await;
    let at = wire.now();
    let Outcome::Accepted { post_id, .. } = publish(threads, account(&granted), "hi", at).await else { panic!("not accepted") };
    let read = async || threads.numbers(account(&granted), Published { id: &post_id, at }, wire.now()).await.unwrap();
    wire.advance(hours(6));
    let Told { numbers: first, busy: false, .. } = read().await else { panic!("busy") };
    let Numbers { impressions: Some(_), likes: Some(_), comments: Some(_), shares: Some(shares), reach: None, clicks: None, .. } = first
    else {
        panic!("{first:?}")
    };
    assert!(shares > 3);
    wire.advance(hours(6));
    wire.fault(Threads, json!({ "kind": "busy" })).await;
    let second = read().await;
    assert!(second.busy && second.numbers.impressions > first.impressions && second.numbers.shares > first.shares);
    assert_eq!(calls(&wire, "metrics").await, 2, "one call each");
}
