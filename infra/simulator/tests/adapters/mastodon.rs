use domain::analytics::Numbers;
use domain::failure::FailureCode;
use domain::people::Issuer;
use domain::platform::PlatformName::Mastodon;
use domain::platform::{AccountKind, Reconcile, Server, ServerName};
use jiff::SignedDuration;
use platforms::{AuthorizeError, ExchangeError, GrantedAccount, NumbersError, Outcome, Published, ReadError};
use reqwest::StatusCode;
use secrecy::ExposeSecret;
use serde_json::json;

use crate::wire::{HOST, VERIFIER, Wire, account, param, publish, publish_as};

/// The id of a post that was made.
fn id_of(outcome: Outcome) -> String {
    let Outcome::Accepted { post_id, .. } = outcome else { panic!("not accepted: {outcome:?}") };
    post_id
}

async fn connect_at(wire: &Wire, host: &str, name: &str) -> GrantedAccount {
    wire.connect_at((Mastodon, host), &[("account", name)]).await.unwrap().remove(0)
}

#[tokio::test]
async fn from_a_servers_name_to_revocation() {
    let wire = Wire::start().await;
    let mastodon = wire.platform(Mastodon);
    let granted = connect_at(&wire, HOST, "ada").await;
    assert_eq!((granted.username.as_str(), granted.kind, granted.missing_scopes.len()), ("ada@mastodon.example", AccountKind::Profile, 0));
    assert!(granted.account_id.ends_with("@mastodon.example") && granted.grantor.as_ref() == Some(&granted.account_id));
    assert_eq!((granted.tokens.expires_at, granted.tokens.refresh.is_some()), (None, false));

    let text = "Fish & chips < 5 € at https://example.com/a/menu?with=a&long=query#and\nwith @bob@other.example\n\nand #rye";
    let since = wire.now();
    let sent = publish(mastodon, account(&granted), text, since).await;
    let Outcome::Accepted { post_id, url, http_status: 200 } = sent else { panic!("{sent:?}") };
    let (number, host) = post_id.split_once('@').unwrap();
    assert_eq!((host, url), ("mastodon.example", Some(format!("https://mastodon.example/@ada/{number}"))));
    let own = mastodon.own_posts(account(&granted), since, None, since).await.unwrap();
    assert_eq!((own.len(), &own[0].id, own[0].created_at), (1, &post_id, since));
    assert_eq!(mastodon.comparable(&own[0].text), mastodon.comparable(text));

    let (_, app) = wire.at(Mastodon, HOST).await;
    mastodon.revoke(&app, account(&granted), wire.now()).await.unwrap();
    mastodon.revoke(&app, account(&granted), wire.now()).await.unwrap();
    assert_eq!(publish(mastodon, account(&granted), "more", wire.now()).await, Outcome::TokenRefused { http_status: 401 });
    assert!(matches!(mastodon.own_posts(account(&granted), since, None, since).await, Err(ReadError::TokenRefused)));
}

#[tokio::test]
async fn a_key_makes_one_post_for_an_hour() {
    let wire = Wire::start().await;
    let (mastodon, granted) = (wire.platform(Mastodon), wire.connect_one(Mastodon).await);
    let first = id_of(publish_as("post-1", mastodon, account(&granted), "hello", wire.now()).await);
    wire.advance(SignedDuration::from_mins(59));
    assert_eq!(id_of(publish_as("post-1", mastodon, account(&granted), "hello", wire.now()).await), first);
    assert_eq!(wire.texts(Mastodon).await.len(), 1);
    // What a person sends anew has another key, and the same text.
    let anew = id_of(publish_as("post-2", mastodon, account(&granted), "hello", wire.now()).await);
    assert_ne!(anew, first);
    wire.advance(SignedDuration::from_mins(2));
    assert_ne!(id_of(publish_as("post-1", mastodon, account(&granted), "hello", wire.now()).await), first);
    assert_eq!(wire.texts(Mastodon).await.len(), 3);
}

#[tokio::test]
async fn a_key_whose_post_was_deleted_makes_no_other_and_proves_nothing() {
    let wire = Wire::start().await;
    let (mastodon, granted) = (wire.platform(Mastodon), wire.connect_one(Mastodon).await);
    let id = id_of(publish_as("post-1", mastodon, account(&granted), "hello", wire.now()).await);
    let gone = wire.base.join(&format!("/_sim/mastodon/posts/{id}")).unwrap();
    assert_eq!(wire.browser.delete(gone).send().await.unwrap().status(), StatusCode::NO_CONTENT);
    let repeated = publish_as("post-1", mastodon, account(&granted), "hello", wire.now()).await;
    assert!(matches!(repeated, Outcome::Unknown { http_status: Some(404), .. }), "{repeated:?}");
    assert!(wire.texts(Mastodon).await.is_empty());
}

#[tokio::test]
async fn a_lost_answer_is_found_by_its_key_and_by_a_search() {
    let wire = Wire::start().await;
    let (mastodon, granted) = (wire.platform(Mastodon), wire.connect_one(Mastodon).await);
    wire.fault(Mastodon, json!({ "kind": "drop_after" })).await;
    let since = wire.now();
    let lost = publish_as("post-1", mastodon, account(&granted), "hello", since).await;
    assert!(matches!(lost, Outcome::Unknown { http_status: None, .. }), "{lost:?}");
    let repeated = id_of(publish_as("post-1", mastodon, account(&granted), "hello", since).await);
    let own = mastodon.own_posts(account(&granted), since, None, since).await.unwrap();
    assert_eq!((own.len(), &own[0].id), (1, &repeated));
}

#[tokio::test]
async fn a_key_is_an_accounts_own_and_other_software_keeps_none() {
    let wire = Wire::start().await;
    let mastodon = wire.platform(Mastodon);
    for (host, kept) in [(HOST, true), ("gotosocial.example", false)] {
        let (ada, bob) = (connect_at(&wire, host, "ada").await, connect_at(&wire, host, "bob").await);
        let class = (Mastodon.descriptor().reconcile)(&domain::platform::Facts { kind: ada.kind, server: ada.server.as_ref() });
        assert_eq!(matches!(class, Reconcile::Key { .. }), kept, "{host}");
        let first = id_of(publish_as("post-1", mastodon, account(&ada), "hello", wire.now()).await);
        let again = id_of(publish_as("post-1", mastodon, account(&ada), "hello", wire.now()).await);
        assert_eq!(first == again, kept, "{host}");
        assert_ne!(id_of(publish_as("post-1", mastodon, account(&bob), "hello", wire.now()).await), first, "{host}");
    }
    let granted = wire.connect_one(Mastodon).await;
    wire.fault(Mastodon, json!({ "kind": "keys_forgotten" })).await;
    let twice = [
        id_of(publish_as("post-9", mastodon, account(&granted), "hello", wire.now()).await),
        id_of(publish_as("post-9", mastodon, account(&granted), "hello", wire.now()).await),
    ];
    assert_ne!(twice[0], twice[1]);
}

#[tokio::test]
async fn each_server_has_its_own_accounts_apps_and_tokens() {
    let wire = Wire::start().await;
    let mastodon = wire.platform(Mastodon);
    let (here, there) = (connect_at(&wire, HOST, "ada").await, connect_at(&wire, "other.example", "ada").await);
    assert_ne!(here.account_id, there.account_id);
    let ids = [
        id_of(publish_as("post-1", mastodon, account(&here), "here", wire.now()).await),
        id_of(publish_as("post-1", mastodon, account(&there), "there", wire.now()).await),
    ];
    assert!(ids[0].ends_with("@mastodon.example") && ids[1].ends_with("@other.example"), "{ids:?}");
    let own = mastodon.own_posts(account(&there), wire.now(), None, wire.now()).await.unwrap();
    assert_eq!(own.iter().map(|post| post.text.as_str()).collect::<Vec<_>>(), ["there"]);
    // A server knows neither another one's token nor its app, and is not asked about its posts and accounts.
    let astray = platforms::Account { server: there.server.as_ref(), ..account(&here) };
    assert!(matches!(publish(mastodon, astray, "hi", wire.now()).await, Outcome::TokenRefused { .. }));
    assert!(matches!(mastodon.own_posts(astray, wire.now(), None, wire.now()).await, Err(ReadError::Unavailable { .. })));
    let read = mastodon.numbers(account(&there), Published { id: &ids[0], at: wire.now() }, wire.now()).await;
    assert!(matches!(read, Err(NumbersError::Unavailable { .. })), "{read:?}");
    let (_, app) = wire.at(Mastodon, "other.example").await;
    assert_eq!(mastodon.revoke(&app, account(&here), wire.now()).await.unwrap_err().detail, "403 unauthorized_client");
    assert!(matches!(publish(mastodon, account(&here), "still", wire.now()).await, Outcome::Accepted { .. }));
}

#[tokio::test]
async fn a_second_consent_brings_the_same_token_which_ends_for_both() {
    let wire = Wire::start().await;
    let mastodon = wire.platform(Mastodon);
    let (first, second) = (connect_at(&wire, HOST, "ada").await, connect_at(&wire, HOST, "ada").await);
    assert_eq!(first.tokens.access.expose_secret(), second.tokens.access.expose_secret());
    let (_, app) = wire.at(Mastodon, HOST).await;
    mastodon.revoke(&app, account(&first), wire.now()).await.unwrap();
    assert!(matches!(publish(mastodon, account(&second), "hi", wire.now()).await, Outcome::TokenRefused { .. }));
    let anew = connect_at(&wire, HOST, "ada").await;
    assert!(matches!(publish(mastodon, account(&anew), "hi", wire.now()).await, Outcome::Accepted { .. }));
}

#[tokio::test]
async fn a_server_is_described_as_it_describes_itself() {
    let wire = Wire::start().await;
    for (host, software, text_max, link_letters) in [
        ("mastodon.example", "mastodon", 500, Some(23)),
        ("long.example", "mastodon", 5_000, Some(23)),
        ("gotosocial.example", "gotosocial", 500, Some(23)),
        ("pleroma.example", "pleroma", 500, None),
        ("old.example", "mastodon", 500, Some(23)),
    ] {
        let Server { api, issuer, software: told, limits } = connect_at(&wire, host, "ada").await.server.unwrap();
        assert_eq!((api.as_str(), issuer.as_str()), (format!("https://{host}/").as_str(), api.as_str()), "{host}");
        assert_eq!((told.as_str(), limits.text_max, limits.link_letters), (software, Some(text_max), link_letters), "{host}");
        let consent = wire.authorize_at(Mastodon, host).await.unwrap();
        assert_eq!(consent.issuer, Issuer::unannounced(api.to_string()), "{host}");
    }
}

#[tokio::test]
async fn what_is_no_public_server_is_refused_in_words() {
    let wire = Wire::start().await;
    let redirect_uri = wire.redirect_uri(Mastodon);
    let nowhere = crate::wire::platforms_at(&"http://127.0.0.1:1".parse().unwrap());
    let name = "the address must hold the full name of a public host, such as example.com";
    for (platform, host, why) in [
        (wire.platform(Mastodon), "metadata.google.internal", name),
        (wire.platform(Mastodon), "printer.local", name),
        (wire.platform(Mastodon), "website.example", "the server takes no apps"),
        (wire.platform(Mastodon), "moved.example", "the server takes no apps"),
        (nowhere.get(Mastodon), HOST, "no server answers under this name"),
    ] {
        let refused = platform.register(&ServerName::parse(host).unwrap(), &redirect_uri).await;
        assert!(matches!(&refused, Err(AuthorizeError::Refused { detail }) if detail == why), "{host}: {refused:?}");
    }
}

#[tokio::test]
async fn what_a_consent_began_with_is_of_the_server_that_the_flow_names() {
    let wire = Wire::start().await;
    let code = param(&wire.consent_at(Mastodon, "other.example", &[("decision", "allow")]).await, "code").unwrap();
    let astray = wire.exchange_at((Mastodon, HOST), &code, VERIFIER).await;
    assert!(matches!(&astray, Err(ExchangeError::Refused { detail }) if detail == "the account has no server"), "{astray:?}");
    assert!(wire.exchange_at((Mastodon, "other.example"), &code, VERIFIER).await.is_ok(), "the code was not shown to anybody");
}

#[tokio::test]
async fn a_server_that_does_not_take_our_app_now_is_asked_again_later() {
    let wire = Wire::start().await;
    let server = ServerName::parse(HOST).unwrap();
    let redirect_uri = wire.redirect_uri(Mastodon);
    for kind in ["rate_limited", "error_before", "drop_before", "cut_after"] {
        assert_eq!(wire.fault(Mastodon, json!({ "kind": kind, "on": "register" })).await, StatusCode::CREATED);
        let refused = wire.platform(Mastodon).register(&server, &redirect_uri).await;
        assert!(matches!(refused, Err(AuthorizeError::Unavailable { .. })), "{kind}: {refused:?}");
    }
    wire.fault(Mastodon, json!({ "kind": "reject", "on": "register" })).await;
    assert!(matches!(wire.platform(Mastodon).register(&server, &redirect_uri).await, Err(AuthorizeError::Refused { .. })));
    assert!(wire.platform(Mastodon).register(&server, &redirect_uri).await.is_ok());
}

#[tokio::test]
async fn a_code_works_once_for_ten_minutes_with_its_verifier_where_the_server_asks_for_it() {
    let wire = Wire::start().await;
    for (host, asks) in [(HOST, true), ("old.example", false)] {
        let code = async || param(&wire.consent_at(Mastodon, host, &[("decision", "allow")]).await, "code").unwrap();
        let first = code().await;
        wire.exchange_at((Mastodon, host), &first, VERIFIER).await.unwrap();
        let again = wire.exchange_at((Mastodon, host), &first, VERIFIER).await;
        assert!(matches!(&again, Err(ExchangeError::Refused { detail }) if detail == "400 invalid_grant"), "{again:?}");
        let stolen = wire.exchange_at((Mastodon, host), &code().await, "another").await;
        assert_eq!(matches!(stolen, Err(ExchangeError::Refused { .. })), asks, "{host}");
        let late = code().await;
        wire.advance(SignedDuration::from_secs(601));
        assert!(matches!(wire.exchange_at((Mastodon, host), &late, VERIFIER).await, Err(ExchangeError::Refused { .. })), "{host}");
    }
    let denied = wire.consent(Mastodon, &[("decision", "deny")]).await;
    assert_eq!((param(&denied, "error").as_deref(), param(&denied, "code")), (Some("access_denied"), None));
}

#[tokio::test]
async fn the_browser_is_sent_to_the_page_of_the_server() {
    let wire = Wire::start().await;
    let url = wire.authorize(Mastodon).await.url;
    assert_eq!(url.path(), "/_sim/mastodon/mastodon.example/oauth/authorize");
    assert_eq!(param(&url, "scope").as_deref(), Some("read:accounts read:statuses write:statuses"));
    assert_eq!(param(&url, "code_challenge_method").as_deref(), Some("S256"));
    for (name, value) in [("client_id", "someone"), ("redirect_uri", "https://evil.example/"), ("scope", "admin:write")] {
        let mut changed = url.clone();
        let pairs: Vec<_> =
            url.query_pairs().into_owned().map(|(of, old)| if of == name { (of, value.to_owned()) } else { (of, old) }).collect();
        changed.query_pairs_mut().clear().extend_pairs(pairs);
        assert_eq!(wire.browser.get(changed).send().await.unwrap().status(), StatusCode::BAD_REQUEST, "{name}");
    }
}

#[tokio::test]
async fn a_text_is_taken_as_far_as_its_server_takes_it() {
    let wire = Wire::start().await;
    let mastodon = wire.platform(Mastodon);
    for (host, letters, taken) in [(HOST, 500, true), (HOST, 501, false), ("long.example", 501, true)] {
        let granted = wire.connect_at((Mastodon, host), &[]).await.unwrap().remove(0);
        let outcome = publish(mastodon, account(&granted), &"a".repeat(letters), wire.now()).await;
        match outcome {
            Outcome::Accepted { .. } => assert!(taken, "{host} {letters}"),
            Outcome::Rejected { code, detail, .. } => {
                assert!(!taken && code == FailureCode::ContentRejected, "{host} {letters}");
                assert_eq!(detail, "422", "never the message: it may repeat what was sent");
            }
            other => panic!("{host} {letters}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn numbers_are_those_that_servers_tell() {
    let wire = Wire::start().await;
    let (mastodon, granted, at) = (wire.platform(Mastodon), wire.connect_one(Mastodon).await, wire.now());
    let id = id_of(publish(mastodon, account(&granted), "hello", at).await);
    wire.advance(SignedDuration::from_hours(24));
    let read = async || mastodon.numbers(account(&granted), Published { id: &id, at }, wire.now()).await;
    let told = read().await.unwrap();
    let Numbers { impressions, reach, likes, comments, shares, clicks, .. } = told.numbers;
    assert!([likes, comments, shares].iter().all(|number| number.is_some_and(|number| number > 0)), "{:?}", told.numbers);
    assert_eq!((impressions, reach, clicks, told.busy, told.missing.len()), (None, None, None, false, 0));
    wire.fault(Mastodon, json!({ "kind": "metric_missing" })).await;
    wire.fault(Mastodon, json!({ "kind": "busy" })).await;
    let told = read().await.unwrap();
    assert_eq!((told.numbers.comments, told.missing.as_slice(), told.busy), (None, ["replies_count"].as_slice(), true));
    wire.clear_faults(Mastodon).await;
    wire.fault(Mastodon, json!({ "kind": "rate_limited", "on": "metrics", "seconds": 600 })).await;
    assert_eq!(read().await, Err(NumbersError::Limited { until: Some(wire.now() + SignedDuration::from_secs(600)) }));
    let gone = wire.base.join(&format!("/_sim/mastodon/posts/{id}")).unwrap();
    assert_eq!(wire.browser.delete(gone).send().await.unwrap().status(), StatusCode::NO_CONTENT);
    assert_eq!(read().await, Err(NumbersError::Gone));
}
