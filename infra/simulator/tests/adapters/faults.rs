use domain::failure::FailureCode::{self, AccountRestricted, PermissionMissing};
use domain::platform::PlatformName::{Bluesky, Facebook, LinkedIn, Mastodon, Threads, X};
use domain::platform::{PlatformName, Renewal};
use jiff::SignedDuration;
use platforms::{Outcome, ReadError, RefreshError, Renewed};
use reqwest::StatusCode;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

use crate::wire::{Wire, account, platforms_at, publish, refresh, told_end};

/// A fault, whether its outcome is the one to expect, and whether the post is there.
type Case = (&'static str, fn(&Outcome) -> bool, bool);

const CASES: [Case; 10] = [
    ("drop_before", |outcome| matches!(outcome, Outcome::Unknown { http_status: None, .. }), false),
    ("drop_after", |outcome| matches!(outcome, Outcome::Unknown { http_status: None, .. }), true),
    ("cut_after", |outcome| matches!(outcome, Outcome::Unknown { http_status: Some(200 | 201), .. }), true),
    ("error_before", |outcome| matches!(outcome, Outcome::Unknown { http_status: Some(500 | 503), .. }), false),
    ("error_after", |outcome| matches!(outcome, Outcome::Unknown { http_status: Some(500 | 503), .. }), true),
    ("slow", |outcome| matches!(outcome, Outcome::Accepted { .. }), true),
    ("rate_limited", |outcome| matches!(outcome, Outcome::Limited { until: Some(_), .. }), false),
    ("reject", |outcome| matches!(outcome, Outcome::Rejected { code: FailureCode::ContentRejected, .. }), false),
    // Not every network has a word of its own for it.
    ("restricted", |outcome| matches!(outcome, Outcome::Rejected { code: AccountRestricted | PermissionMissing, .. }), false),
    ("duplicate", |outcome| matches!(outcome, Outcome::Duplicate { .. }), false),
];

/// What servers of many people have no words for: our app has no standing beside its accounts', and the same text may come again.
fn lacks(name: PlatformName, kind: &str) -> bool {
    matches!(name, Mastodon | Bluesky) && matches!(kind, "app_limited" | "app_refused" | "duplicate")
}

#[tokio::test]
async fn every_fault_has_its_outcome_once_and_tells_the_truth_about_the_post() {
    for name in PlatformName::ALL {
        let wire = Wire::start().await;
        let granted = wire.connect_one(name).await;
        let platform = wire.platform(name);
        for (kind, expected, applied) in CASES {
            let seconds = if kind == "slow" { 0 } else { 120 };
            let status = wire.fault(name, json!({ "kind": kind, "seconds": seconds, "account": granted.username })).await;
            if lacks(name, kind) {
                assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{name} {kind}");
                continue;
            }
            assert_eq!(status, StatusCode::CREATED);
            let outcome = publish(platform, account(&granted), kind, wire.now()).await;
            assert!(expected(&outcome), "{name} {kind}: {outcome:?}");
            let own = platform.own_posts(account(&granted), wire.now(), None, wire.now()).await.unwrap();
            assert_eq!(own.iter().any(|post| post.text == kind), applied, "{name} {kind}");
            assert_eq!(wire.texts(name).await.iter().any(|text| text == kind), applied, "{name} {kind}");
        }
        assert_eq!(wire.read(name, "faults").await["items"], json!([]));
        assert!(matches!(publish(platform, account(&granted), "after all", wire.now()).await, Outcome::Accepted { .. }), "{name}");
    }
}

/// A fault of one platform and the outcome to expect: whose fault it is.
type Documented = (PlatformName, &'static str, fn(&Outcome) -> bool);

const DOCUMENTED: [Documented; 37] = [
    (X, "app_limited", is_apps),
    (X, "spend_cap", is_apps),
    (X, "month_capped", is_apps),
    (X, "apps_day", is_apps),
    (X, "automated", |outcome| matches!(outcome, Outcome::Limited { until: None, http_status: 403 })),
    (X, "app_refused", is_apps_call),
    (Facebook, "app_limited", is_apps),
    (Facebook, "api_blocked", is_apps),
    (Facebook, "app_deleted", is_apps),
    (Facebook, "bad_address", is_apps),
    (Facebook, "bad_signature", is_apps),
    (Facebook, "unknown_path", is_apps_call),
    (Facebook, "old_version", is_apps_call),
    (Facebook, "page_moved", |outcome| matches!(outcome, Outcome::Rejected { code: FailureCode::ReconnectNeeded, .. })),
    (Facebook, "two_factor", |outcome| matches!(outcome, Outcome::Rejected { code: FailureCode::AccountRestricted, .. })),
    (Bluesky, "scope_missing", |outcome| matches!(outcome, Outcome::Rejected { code: PermissionMissing, .. })),
    (Bluesky, "clock_apart", |outcome| matches!(outcome, Outcome::Limited { until: None, http_status: 401 })),
    (Bluesky, "nonce_again", |outcome| matches!(outcome, Outcome::Unknown { http_status: Some(401), .. })),
    (Bluesky, "deactivated", |outcome| matches!(outcome, Outcome::Rejected { code: AccountRestricted, .. })),
    (LinkedIn, "apps_day", |outcome| matches!(outcome, Outcome::AppLimited { until: Some(_), .. })),
    (LinkedIn, "throttled", |outcome| matches!(outcome, Outcome::Limited { until: None, http_status: 429 })),
    (LinkedIn, "new_token", |outcome| matches!(outcome, Outcome::Limited { until: Some(_), http_status: 401 })),
    (LinkedIn, "unnamed_duplicate", |outcome| matches!(outcome, Outcome::Duplicate { post_id: None, .. })),
    (LinkedIn, "conflict", |outcome| matches!(outcome, Outcome::Unknown { http_status: Some(409), .. })),
    (Mastodon, "unconfirmed", |outcome| matches!(outcome, Outcome::Rejected { code: FailureCode::AccountRestricted, .. })),
    (Mastodon, "closed_down", |outcome| matches!(outcome, Outcome::Rejected { code: FailureCode::AccountRestricted, .. })),
    (Mastodon, "scope_lost", |outcome| matches!(outcome, Outcome::Rejected { code: FailureCode::PermissionMissing, .. })),
    (Mastodon, "translated", |outcome| matches!(outcome, Outcome::Rejected { code: FailureCode::ContentRejected, .. })),
    (Mastodon, "too_busy", |outcome| matches!(outcome, Outcome::Unknown { http_status: Some(503), .. })),
    (Mastodon, "proxy_page", |outcome| matches!(outcome, Outcome::Unknown { http_status: Some(403), .. })),
    (Threads, "app_limited", is_apps),
    (Threads, "blocked_app", is_apps),
    (Threads, "deleted_app", is_apps),
    (Threads, "dead_version", is_apps_call),
    (Threads, "no_permission", |outcome| matches!(outcome, Outcome::Rejected { code: PermissionMissing, .. })),
    (Threads, "not_ready", |outcome| matches!(outcome, Outcome::Unknown { http_status: Some(400), .. })),
    (Threads, "spam", |outcome| matches!(outcome, Outcome::Unknown { http_status: Some(400), .. })),
];

fn is_apps(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::AppLimited { .. })
}

fn is_apps_call(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Rejected { code: FailureCode::AppUnavailable, .. })
}

#[tokio::test]
async fn every_documented_error_is_laid_at_the_right_door_and_publishes_nothing() {
    for name in PlatformName::ALL {
        let wire = Wire::start().await;
        let granted = wire.connect_one(name).await;
        for (_, kind, expected) in DOCUMENTED.iter().filter(|(of, ..)| *of == name) {
            assert_eq!(wire.fault(name, json!({ "kind": kind })).await, StatusCode::CREATED, "{name} {kind}");
            let outcome = publish(wire.platform(name), account(&granted), kind, wire.now()).await;
            assert!(expected(&outcome), "{name} {kind}: {outcome:?}");
        }
        if wire.fault(name, json!({ "kind": "app_limited", "on": "list" })).await == StatusCode::CREATED {
            let listed = wire.platform(name).own_posts(account(&granted), wire.now(), None, wire.now()).await;
            assert!(matches!(&listed, Err(ReadError::AppLimited { .. })), "{name}: {:?}", listed.err());
        } else {
            assert!(lacks(name, "app_limited"), "{name}");
        }
        assert!(wire.texts(name).await.is_empty(), "{name}");
        assert!(
            matches!(publish(wire.platform(name), account(&granted), "after all", wire.now()).await, Outcome::Accepted { .. }),
            "{name}"
        );
    }
    let wire = Wire::start().await;
    assert_eq!(wire.fault(X, json!({ "kind": "api_blocked" })).await, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(wire.fault(Facebook, json!({ "kind": "spend_cap" })).await, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn a_list_of_x_without_times_is_no_evidence() {
    let wire = Wire::start().await;
    let granted = wire.connect_one(X).await;
    let since = wire.now();
    assert!(matches!(publish(wire.platform(X), account(&granted), "hi", since).await, Outcome::Accepted { .. }));
    wire.fault(X, json!({ "kind": "field_dropped" })).await;
    let listed = wire.platform(X).own_posts(account(&granted), since, None, since).await;
    assert!(matches!(&listed, Err(ReadError::Unavailable { detail }) if detail.contains("created_at")), "{:?}", listed.err());
}

#[tokio::test]
async fn an_accounts_posts_are_read_over_pages_and_up_to_an_end() {
    for name in PlatformName::ALL {
        let wire = Wire::start().await;
        let granted = wire.connect_one(name).await;
        let (platform, began) = (wire.platform(name), wire.now());
        let write = async |from: usize, to: usize| {
            for n in from..to {
                let outcome = publish(platform, account(&granted), &format!("number {n}"), wire.now()).await;
                assert!(matches!(outcome, Outcome::Accepted { .. }), "{name} {n}: {outcome:?}");
            }
        };
        write(0, 101).await;
        assert_eq!(platform.own_posts(account(&granted), began, None, began).await.unwrap().len(), 101, "{name}");
        let end = wire.now() + SignedDuration::from_secs(5);
        wire.advance(SignedDuration::from_secs(60));
        write(101, 103).await;
        assert_eq!(platform.own_posts(account(&granted), began, None, began).await.unwrap().len(), 103, "{name}");
        let own = platform.own_posts(account(&granted), began, Some(end), began).await.unwrap();
        assert_eq!(own.len(), 101, "{name}");
    }
}

#[tokio::test]
async fn a_limit_tells_its_end() {
    for name in PlatformName::ALL {
        let wire = Wire::start().await;
        let granted = wire.connect_one(name).await;
        wire.fault(name, json!({ "kind": "rate_limited", "seconds": 120 })).await;
        let outcome = publish(wire.platform(name), account(&granted), "hi", wire.now()).await;
        let end = told_end(name, wire.now() + SignedDuration::from_mins(2));
        assert!(matches!(&outcome, Outcome::Limited { until: Some(until), .. } if *until == end), "{name}: {outcome:?}");
    }
}

#[tokio::test]
async fn an_expired_token_is_refused_and_a_refresh_mends_it_where_there_is_one() {
    for name in PlatformName::ALL {
        let wire = Wire::start().await;
        let mut granted = wire.connect_one(name).await;
        let platform = wire.platform(name);
        wire.fault(name, json!({ "kind": "token_expired" })).await;
        assert!(matches!(publish(platform, account(&granted), "hi", wire.now()).await, Outcome::TokenRefused { .. }), "{name}");
        let renewed = platform.renew(&wire.app_of(name), account(&granted), wire.now()).await.unwrap();
        assert_eq!(matches!(renewed, Renewed::Never), platform.descriptor().renewal == Renewal::Never, "{name}");
        let Renewed::Tokens(tokens) = renewed else { continue };
        granted.tokens = tokens;
        assert!(matches!(publish(platform, account(&granted), "hi", wire.now()).await, Outcome::Accepted { .. }), "{name}");
    }
}

#[tokio::test]
async fn a_revoked_grant_is_dead_and_leaves_other_accounts_alone() {
    let wire = Wire::start().await;
    let x = wire.platform(X);
    let ada = wire.connect(X, &[("account", "ada")]).await.unwrap().remove(0);
    let bob = wire.connect(X, &[("account", "bob")]).await.unwrap().remove(0);
    wire.fault(X, json!({ "kind": "token_revoked", "account": "ada" })).await;
    assert!(matches!(publish(x, account(&ada), "hi", wire.now()).await, Outcome::TokenRefused { .. }));
    assert!(matches!(refresh(x, &wire.app, &ada.tokens, wire.now()).await, Err(RefreshError::Dead { .. })));
    assert!(matches!(publish(x, account(&bob), "hi", wire.now()).await, Outcome::Accepted { .. }));
}

#[tokio::test]
async fn a_lost_answer_of_a_refresh_leaves_the_tokens_in_doubt() {
    let wire = Wire::start().await;
    let x = wire.platform(X);
    let granted = wire.connect_one(X).await;
    for (kind, survives) in [("drop_before", true), ("error_before", true), ("drop_after", false)] {
        wire.fault(X, json!({ "kind": kind, "on": "refresh" })).await;
        assert!(matches!(refresh(x, &wire.app, &granted.tokens, wire.now()).await, Err(RefreshError::Unknown { .. })), "{kind}");
        let still_good = matches!(publish(x, account(&granted), kind, wire.now()).await, Outcome::Accepted { .. });
        assert!(still_good, "{kind}");
        if !survives {
            assert!(matches!(refresh(x, &wire.app, &granted.tokens, wire.now()).await, Err(RefreshError::Dead { .. })));
        }
    }
    wire.fault(X, json!({ "kind": "rate_limited", "on": "refresh" })).await;
    assert!(matches!(refresh(x, &wire.app, &granted.tokens, wire.now()).await, Err(RefreshError::Unavailable { .. })));
}

#[tokio::test]
async fn a_limit_of_a_list_is_told_by_the_time_at_which_it_is_asked() {
    for name in PlatformName::ALL {
        let wire = Wire::start().await;
        let granted = wire.connect_one(name).await;
        let now = wire.now();
        wire.fault(name, json!({ "kind": "rate_limited", "on": "list", "seconds": 600 })).await;
        let limited = wire.platform(name).own_posts(account(&granted), now - SignedDuration::from_hours(3), None, now).await;
        let Err(ReadError::Limited { until: Some(until) }) = limited else { panic!("{name}: {:?}", limited.err()) };
        let seconds = until.duration_since(told_end(name, now + SignedDuration::from_secs(600))).as_secs();
        assert!(seconds.abs() <= 60, "{name}: {seconds}");
    }
}

#[tokio::test]
async fn a_lagging_list_shows_a_post_only_later() {
    for name in PlatformName::ALL {
        let wire = Wire::start().await;
        let granted = wire.connect_one(name).await;
        let platform = wire.platform(name);
        let since = wire.now();
        wire.fault(name, json!({ "kind": "list_lag", "seconds": 30 })).await;
        assert!(matches!(publish(platform, account(&granted), "hi", since).await, Outcome::Accepted { .. }));
        assert!(platform.own_posts(account(&granted), since, None, since).await.unwrap().is_empty());
        wire.advance(SignedDuration::from_secs(31));
        assert_eq!(platform.own_posts(account(&granted), since, None, since).await.unwrap().len(), 1);
        wire.clear_faults(name).await;
        assert_eq!(wire.read(name, "faults").await["items"], json!([]));
    }
}

#[tokio::test]
async fn a_closed_port_is_not_sent_and_keeps_the_tokens() {
    let wire = Wire::start().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let closed = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    drop(listener);
    let platforms = platforms_at(&closed);
    for name in PlatformName::ALL {
        let granted = wire.connect_one(name).await;
        let outcome = publish(platforms.get(name), account(&granted), "hi", wire.now()).await;
        assert!(matches!(outcome, Outcome::NotSent { .. }), "{outcome:?}");
    }
    let granted = wire.connect_one(X).await;
    let refreshed = refresh(platforms.get(X), &wire.app, &granted.tokens, wire.now()).await;
    assert!(matches!(refreshed, Err(RefreshError::Unavailable { .. })));
}

#[tokio::test]
async fn a_dropped_answer_is_a_closed_connection_without_a_byte() {
    let wire = Wire::start().await;
    wire.fault(X, json!({ "kind": "drop_before", "on": "refresh" })).await;
    let mut stream = TcpStream::connect(wire.base.authority()).await.unwrap();
    let body = "grant_type=refresh_token&refresh_token=x";
    let head = "POST /_sim/x/2/oauth2/token HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-www-form-urlencoded\r\n";
    stream.write_all(format!("{head}content-length: {}\r\n\r\n{body}", body.len()).as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    assert_eq!(answer, b"");
}

#[tokio::test]
async fn a_fault_hits_the_calls_that_it_names_and_a_wrong_one_is_refused() {
    let wire = Wire::start().await;
    let granted = wire.connect_one(X).await;
    let fault = json!({ "kind": "error_before", "times": 2, "on": "list", "account": "someone_else", "seconds": null });
    wire.fault(X, fault.clone()).await;
    assert!(matches!(publish(wire.platform(X), account(&granted), "hi", wire.now()).await, Outcome::Accepted { .. }));
    assert!(wire.platform(X).own_posts(account(&granted), wire.now(), None, wire.now()).await.is_ok());
    assert_eq!(wire.read(X, "faults").await["items"], json!([fault]));
    for wrong in [
        json!({ "kind": "slow" }),
        json!({ "kind": "drop_after", "times": 0 }),
        json!({ "kind": "earthquake" }),
        json!({ "kind": "slow", "x": 1 }),
    ] {
        assert_eq!(wire.fault(X, wrong.clone()).await, StatusCode::UNPROCESSABLE_ENTITY, "{wrong}");
    }
}
