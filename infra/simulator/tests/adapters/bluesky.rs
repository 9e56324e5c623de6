use std::time::Duration;

use domain::analytics::Numbers;
use domain::content::Content;
use domain::failure::FailureCode;
use domain::platform::AccountKind;
use domain::platform::PlatformName::Bluesky;
use domain::token::TokenSet;
use jiff::{SignedDuration, Timestamp};
use platforms::{
    Account, AuthorizeError, Call, ExchangeError, GrantedAccount, HandleState, NumbersError, Outcome, Prepared, Published, RefreshError,
    Renewed,
};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::wire::{HANDLE, VERIFIER, Wire, account, param, publish};

const ALLOW: [(&str, &str); 1] = [("decision", "allow")];

async fn renewed(wire: &Wire, granted: &GrantedAccount) -> Result<TokenSet, RefreshError> {
    let renewed = wire.platform(Bluesky).renew(&wire.app_of(Bluesky), account(granted), wire.now()).await?;
    let Renewed::Tokens(tokens) = renewed else { panic!("{renewed:?}") };
    Ok(tokens)
}

async fn put(wire: &Wire, account: Account<'_>, key: &str, text: &str) -> Outcome {
    put_at(wire, account, (key, text), wire.now()).await
}

async fn put_at(wire: &Wire, account: Account<'_>, (key, text): (&str, &str), now: Timestamp) -> Outcome {
    let content = Content { text: text.to_owned(), ai_recommendation: None };
    let call = Call { account, content: &content, key, time_left: Duration::from_secs(25), now };
    wire.platform(Bluesky).commit(&call, &Prepared::default()).await
}

/// The record as anybody reads it.
async fn record(wire: &Wire, did: &str, rkey: &str) -> Value {
    let query = format!("repo={did}&collection=app.bsky.feed.post&rkey={rkey}");
    let url = wire.base.join(&format!("/_sim/bluesky/pds.bluesky.example/xrpc/com.atproto.repo.getRecord?{query}")).unwrap();
    wire.browser.get(url).send().await.unwrap().json().await.unwrap()
}

#[tokio::test]
async fn from_a_handle_to_revocation() {
    let wire = Wire::start().await;
    let bluesky = wire.platform(Bluesky);
    let granted = wire.connect_one(Bluesky).await;
    assert_eq!((granted.username.as_str(), granted.kind, granted.missing_scopes.len()), (HANDLE, AccountKind::Profile, 0));
    assert_eq!(granted.tokens.expires_at, Some(wire.now() + SignedDuration::from_mins(30)));
    let server = granted.server.as_ref().unwrap();
    assert_eq!((server.api.as_str(), server.issuer.as_str()), ("https://pds.bluesky.example/", "https://auth.bluesky.example/"));

    let since = wire.now();
    let text = "Bread 🍞 by @ada.bluesky.example #baking https://example.com/a";
    let Outcome::Accepted { post_id, url, http_status: 200 } = publish(bluesky, account(&granted), text, since).await else {
        panic!("not accepted")
    };
    let did = granted.account_id.as_str();
    assert_eq!(url, Some(format!("https://bsky.app/profile/{did}/post/{post_id}")));
    let own = bluesky.own_posts(account(&granted), since, None, since).await.unwrap();
    assert_eq!((own.len(), &own[0].id, &own[0].url, own[0].created_at), (1, &post_id, &url, since));
    assert_eq!(own[0].text, text);
    let facets = record(&wire, did, &post_id).await["value"]["facets"].clone();
    let kinds: Vec<_> = facets.as_array().unwrap().iter().map(|facet| facet["features"][0]["$type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["mention", "tag", "link"].map(|kind| format!("app.bsky.richtext.facet#{kind}")));
    assert!(facets[0]["features"][0]["did"].as_str().unwrap().starts_with("did:plc:"));

    let tokens = renewed(&wire, &granted).await.unwrap();
    assert_ne!(tokens.access.expose_secret(), granted.tokens.access.expose_secret());
    let live = GrantedAccount { tokens, ..granted.clone() };
    assert!(matches!(publish(bluesky, account(&live), "more", wire.now()).await, Outcome::Accepted { .. }));
    for _ in 0..2 {
        bluesky.revoke(&wire.app_of(Bluesky), account(&live), wire.now()).await.unwrap();
        wire.advance(SignedDuration::from_secs(1));
    }
    assert_eq!(publish(bluesky, account(&live), "late", wire.now()).await, Outcome::TokenRefused { http_status: 401 });
    assert!(matches!(renewed(&wire, &live).await, Err(RefreshError::Dead { .. })));
}

#[tokio::test]
async fn two_puts_under_one_key_are_one_post() {
    let wire = Wire::start().await;
    let granted = wire.connect_one(Bluesky).await;
    let Outcome::Accepted { post_id, .. } = put(&wire, account(&granted), "01-1", "hello").await else { panic!("not accepted") };
    // Within the millisecond it is the same to the byte; later it is another record.
    for later in [SignedDuration::from_nanos(1), SignedDuration::from_secs(90)] {
        let again = put_at(&wire, account(&granted), ("01-1", "hello"), wire.now() + later).await;
        assert!(matches!(&again, Outcome::Accepted { post_id: same, .. } if *same == post_id), "{again:?}");
    }
    assert_eq!(wire.texts(Bluesky).await, ["hello"]);
    let other = put(&wire, account(&granted), "01-1", "another text").await;
    assert!(matches!(other, Outcome::Unknown { http_status: Some(400), .. }), "{other:?}");
    assert_eq!(wire.texts(Bluesky).await, ["hello"]);
    assert!(matches!(put(&wire, account(&granted), "01-2", "another text").await, Outcome::Accepted { .. }));
}

#[tokio::test]
async fn a_lost_answer_is_cleared_up_by_the_same_key() {
    for (kind, was_there) in [("drop_before", false), ("drop_after", true), ("cut_after", true), ("error_after", true)] {
        let wire = Wire::start().await;
        let granted = wire.connect_one(Bluesky).await;
        wire.fault(Bluesky, json!({ "kind": kind })).await;
        assert!(matches!(put(&wire, account(&granted), "01-1", "hello").await, Outcome::Unknown { .. }), "{kind}");
        assert_eq!(wire.texts(Bluesky).await.len(), usize::from(was_there), "{kind}");
        wire.advance(SignedDuration::from_mins(5));
        assert!(matches!(put(&wire, account(&granted), "01-1", "hello").await, Outcome::Accepted { .. }), "{kind}");
        assert_eq!(wire.texts(Bluesky).await, ["hello"], "{kind}");
    }
}

#[tokio::test]
async fn a_record_is_looked_up_by_its_key_and_a_deleted_one_comes_back_by_a_repeat() {
    let wire = Wire::start().await;
    let (bluesky, granted) = (wire.platform(Bluesky), wire.connect_one(Bluesky).await);
    let Outcome::Accepted { post_id, .. } = put(&wire, account(&granted), "01-1", "hello").await else { panic!("not accepted") };
    let live = bluesky.look_up(account(&granted), &post_id).await.unwrap();
    assert!(matches!(live, HandleState::Live { post_id: id, .. } if id == post_id));
    let gone = wire.base.join(&format!("/_sim/bluesky/posts/{post_id}")).unwrap();
    assert_eq!(wire.browser.delete(gone).send().await.unwrap().status(), 204);
    assert_eq!(bluesky.look_up(account(&granted), &post_id).await.unwrap(), HandleState::Ready);
    assert!(matches!(put(&wire, account(&granted), "01-1", "hello").await, Outcome::Accepted { .. }));
    assert_eq!(wire.texts(Bluesky).await, ["hello"]);
}

#[tokio::test]
async fn a_handle_leads_to_its_account_by_its_own_page_or_by_the_network() {
    let wire = Wire::start().await;
    for handle in ["ada.bluesky.example", "@Ada.dns.example"] {
        let callback = wire.consent_at(Bluesky, handle, &ALLOW).await;
        let granted = wire.exchange(Bluesky, &param(&callback, "code").unwrap(), VERIFIER).await.unwrap().remove(0);
        assert_eq!(granted.username, handle.trim_start_matches('@').to_lowercase());
    }
    let refused = wire.authorize_at(Bluesky, "nobody.bluesky.example").await;
    assert!(matches!(refused, Err(AuthorizeError::Refused { .. })), "{refused:?}");
}

#[tokio::test]
async fn a_callback_names_the_issuer_that_was_asked() {
    let wire = Wire::start().await;
    let callback = wire.consent(Bluesky, &ALLOW).await;
    let issuer = wire.authorize(Bluesky).await.issuer;
    assert!(issuer.allows(param(&callback, "iss").as_deref()));
    let other = wire.consent(Bluesky, &[("decision", "allow"), ("iss", "https://evil.example")]).await;
    assert!(!issuer.allows(param(&other, "iss").as_deref()) && !issuer.allows(None));
    assert_eq!(issuer.identifier(), "https://auth.bluesky.example");
    let denied = wire.consent(Bluesky, &[("decision", "deny")]).await;
    assert_eq!((param(&denied, "error").as_deref(), param(&denied, "iss").is_some()), (Some("access_denied"), true));
}

#[tokio::test]
async fn a_code_is_bound_to_its_verifier_its_key_and_its_account() {
    let wire = Wire::start().await;
    let code = param(&wire.consent(Bluesky, &ALLOW).await, "code").unwrap();
    wire.exchange(Bluesky, &code, VERIFIER).await.unwrap();
    assert!(matches!(wire.exchange(Bluesky, &code, VERIFIER).await, Err(ExchangeError::Refused { .. })));

    let code = param(&wire.consent(Bluesky, &ALLOW).await, "code").unwrap();
    assert!(matches!(wire.exchange(Bluesky, &code, "another").await, Err(ExchangeError::Refused { .. })));

    // Another consent was begun meanwhile: it carries another key and, here, another account.
    let code = param(&wire.consent_at(Bluesky, "ada.bluesky.example", &ALLOW).await, "code").unwrap();
    wire.authorize_at(Bluesky, "bob.bluesky.example").await.unwrap();
    assert!(matches!(wire.exchange(Bluesky, &code, VERIFIER).await, Err(ExchangeError::Refused { .. })));
}

#[tokio::test]
async fn a_person_leaves_scopes_out() {
    let wire = Wire::start().await;
    let granted = wire.connect(Bluesky, &[("granted_scope", "atproto")]).await.unwrap().remove(0);
    assert_eq!(granted.missing_scopes, ["repo:app.bsky.feed.post?action=create&action=update"]);
    let refused = publish(wire.platform(Bluesky), account(&granted), "hi", wire.now()).await;
    assert!(matches!(refused, Outcome::Rejected { code: FailureCode::PermissionMissing, http_status: 403, .. }), "{refused:?}");
}

#[tokio::test]
async fn a_refresh_token_that_comes_twice_ends_the_session() {
    let wire = Wire::start().await;
    let granted = wire.connect_one(Bluesky).await;
    let next = GrantedAccount { tokens: renewed(&wire, &granted).await.unwrap(), ..granted.clone() };
    wire.advance(SignedDuration::from_secs(1));
    let again = renewed(&wire, &granted).await.err().unwrap();
    assert!(matches!(&again, RefreshError::Dead { detail } if detail == "400 invalid_grant"), "{again:?}");
    assert!(matches!(renewed(&wire, &next).await, Err(RefreshError::Dead { .. })));
}

#[tokio::test]
async fn tokens_without_their_key_or_with_another_do_nothing() {
    let wire = Wire::start().await;
    let (mine, other) = (wire.connect_one(Bluesky).await, wire.connect_one(Bluesky).await);
    let stolen = GrantedAccount { tokens: TokenSet { dpop_key: other.tokens.dpop_key.clone(), ..mine.tokens.clone() }, ..mine.clone() };
    assert_eq!(publish(wire.platform(Bluesky), account(&stolen), "hi", wire.now()).await, Outcome::TokenRefused { http_status: 401 });
    assert!(matches!(renewed(&wire, &stolen).await, Err(RefreshError::Dead { .. })));
    let bare = GrantedAccount { tokens: TokenSet { dpop_key: None, ..mine.tokens.clone() }, ..mine.clone() };
    assert!(matches!(publish(wire.platform(Bluesky), account(&bare), "hi", wire.now()).await, Outcome::NotSent { .. }));
    assert!(matches!(renewed(&wire, &bare).await, Err(RefreshError::Dead { .. })));
    assert!(matches!(publish(wire.platform(Bluesky), account(&mine), "hi", wire.now()).await, Outcome::Accepted { .. }));
}

#[tokio::test]
async fn our_own_wrong_key_and_a_lost_refresh_do_not_kill_a_session() {
    let wire = Wire::start().await;
    let granted = wire.connect_one(Bluesky).await;
    let mut app = wire.app_of(Bluesky);
    app.client_secret = data_encoding::BASE64.encode(&[9; 32]).into();
    let error = wire.platform(Bluesky).renew(&app, account(&granted), wire.now()).await.err().unwrap();
    assert!(matches!(&error, RefreshError::Unavailable { detail } if detail == "401 invalid_client"), "{error:?}");
    for (kind, survives) in [("drop_before", true), ("error_before", true), ("rate_limited", true), ("drop_after", false)] {
        wire.advance(SignedDuration::from_secs(1));
        wire.fault(Bluesky, json!({ "kind": kind, "on": "refresh" })).await;
        let error = renewed(&wire, &granted).await.err().unwrap();
        assert_eq!(matches!(error, RefreshError::Unavailable { .. }), kind == "rate_limited", "{kind}: {error:?}");
        assert!(!matches!(error, RefreshError::Dead { .. }), "{kind}: {error:?}");
        if !survives {
            wire.advance(SignedDuration::from_secs(1));
            assert!(matches!(renewed(&wire, &granted).await, Err(RefreshError::Dead { .. })));
        }
    }
}

#[tokio::test]
async fn a_limit_of_our_address_is_no_word_on_anybody_elses_posts() {
    let wire = Wire::start().await;
    let (bluesky, granted) = (wire.platform(Bluesky), wire.connect_one(Bluesky).await);
    wire.fault(Bluesky, json!({ "kind": "address_limited" })).await;
    let limited = publish(bluesky, account(&granted), "hi", wire.now()).await;
    assert!(matches!(limited, Outcome::Limited { until: None, http_status: 429 }), "{limited:?}");
    wire.fault(Bluesky, json!({ "kind": "address_limited", "on": "metrics" })).await;
    let Outcome::Accepted { post_id, .. } = publish(bluesky, account(&granted), "hi", wire.now()).await else { panic!("not accepted") };
    let post = Published { id: &post_id, at: wire.now() };
    assert_eq!(bluesky.numbers(account(&granted), post, wire.now()).await, Err(NumbersError::Limited { until: None }));
}

#[tokio::test]
async fn numbers_grow_until_the_post_is_gone() {
    let wire = Wire::start().await;
    let (bluesky, granted) = (wire.platform(Bluesky), wire.connect_one(Bluesky).await);
    let at = wire.now();
    let Outcome::Accepted { post_id, .. } = publish(bluesky, account(&granted), "hi", at).await else { panic!("not accepted") };
    let post = Published { id: &post_id, at };
    let read = async || bluesky.numbers(account(&granted), post, wire.now()).await;
    assert_eq!(read().await.unwrap().numbers, Numbers { likes: Some(0), comments: Some(0), shares: Some(0), ..Numbers::default() });
    wire.advance(SignedDuration::from_hours(24));
    let told = read().await.unwrap();
    assert!(told.numbers.likes > Some(0) && told.missing.is_empty(), "{told:?}");
    wire.fault(Bluesky, json!({ "kind": "metric_missing" })).await;
    assert_eq!(read().await.unwrap().missing, ["repostCount"]);
    let gone = wire.base.join(&format!("/_sim/bluesky/posts/{post_id}")).unwrap();
    assert_eq!(wire.browser.delete(gone).send().await.unwrap().status(), 204);
    assert_eq!(read().await, Err(NumbersError::Gone));
}

#[tokio::test]
async fn the_app_is_described_by_a_document_at_its_id() {
    let wire = Wire::start().await;
    let (app, redirect_uri) = (wire.app_of(Bluesky), wire.redirect_uri(Bluesky));
    let document = wire.platform(Bluesky).client_document(&app, &redirect_uri).unwrap();
    assert_eq!(document["client_id"], app.client_id);
    assert_eq!(document["redirect_uris"], json!([redirect_uri]));
    assert!(!document.to_string().contains(app.client_secret.expose_secret()));
}
