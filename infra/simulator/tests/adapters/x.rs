use domain::platform::AccountKind;
use domain::platform::PlatformName::X;
use jiff::SignedDuration;
use platforms::{ExchangeError, Outcome, ReadError, RefreshError};
use reqwest::StatusCode;
use reqwest::header::LOCATION;
use secrecy::ExposeSecret;

use crate::wire::{VERIFIER, Wire, account, acting, param, publish, refresh};

#[tokio::test]
async fn from_consent_to_revocation() {
    let wire = Wire::start().await;
    let x = wire.platform(X);
    let granted = wire.connect(X, &[("account", "ada")]).await.unwrap().remove(0);
    assert_eq!((granted.username.as_str(), granted.kind, granted.missing_scopes.len()), ("ada", AccountKind::Profile, 0));
    assert_eq!(granted.tokens.expires_at, Some(wire.now() + SignedDuration::from_hours(2)));

    let text = "Fish & chips < 5 € at https://example.com/menu?a=1&b=2\nand example.com";
    let since = wire.now();
    let Outcome::Accepted { post_id, url, .. } = publish(x, account(&granted), text, wire.now()).await else { panic!("not accepted") };
    assert_eq!(url, Some(format!("https://x.com/ada/status/{post_id}")));
    let own = x.own_posts(account(&granted), since, None, since).await.unwrap();
    assert_eq!((own.len(), &own[0].id, own[0].created_at), (1, &post_id, since));
    assert!(x.comparable(&own[0].text) == x.comparable(text));
    assert!(matches!(
        publish(x, account(&granted), text, wire.now()).await,
        Outcome::Duplicate { post_id: None, url: None, http_status: 403 }
    ));

    let renewed = refresh(x, &wire.app, &granted.tokens, wire.now()).await.unwrap();
    assert_ne!(renewed.access.expose_secret(), granted.tokens.access.expose_secret());
    x.revoke(&wire.app, acting(&renewed), wire.now()).await.unwrap();
    x.revoke(&wire.app, acting(&renewed), wire.now()).await.unwrap();
    assert_eq!(publish(x, account(&granted), "more", wire.now()).await, Outcome::TokenRefused { http_status: 401 });
    assert!(matches!(x.own_posts(account(&granted), since, None, since).await, Err(ReadError::TokenRefused)));
    let calls = wire.read(X, "calls").await;
    assert_eq!((&calls["exchange"], &calls["refresh"], &calls["publish"], &calls["list"]), (&1.into(), &1.into(), &3.into(), &2.into()));
}

#[tokio::test]
async fn a_refresh_token_that_comes_twice_ends_the_grant() {
    let wire = Wire::start().await;
    let x = wire.platform(X);
    let granted = wire.connect_one(X).await;
    let renewed = refresh(x, &wire.app, &granted.tokens, wire.now()).await.unwrap();
    let again = refresh(x, &wire.app, &granted.tokens, wire.now()).await.err().unwrap();
    assert!(matches!(&again, RefreshError::Dead { detail } if detail == "400 invalid_request"), "{again:?}");
    assert!(matches!(refresh(x, &wire.app, &renewed, wire.now()).await, Err(RefreshError::Dead { .. })));
}

#[tokio::test]
async fn a_person_leaves_scopes_out() {
    let wire = Wire::start().await;
    let reading = [("granted_scope", "tweet.read"), ("granted_scope", "users.read")];
    let granted = wire.connect(X, &reading).await.unwrap().remove(0);
    assert_eq!((granted.missing_scopes.as_slice(), granted.grantor), (&["tweet.write".to_owned(), "offline.access".to_owned()][..], None));
    assert!(granted.tokens.refresh.is_none());
    let none = wire.connect(X, &[("granted_scope", "tweet.write")]).await.err().unwrap();
    assert!(matches!(&none, ExchangeError::ScopeMissing { .. }), "{none:?}");
}

#[tokio::test]
async fn a_callback_names_its_issuer_when_told_to() {
    let wire = Wire::start().await;
    let named = wire.consent(X, &[("decision", "allow"), ("iss", "https://evil.example")]).await;
    assert_eq!(param(&named, "iss").as_deref(), Some("https://evil.example"));
    assert_eq!(param(&wire.consent(X, &[("decision", "deny")]).await, "iss"), None);
    let issuer = wire.authorize(X).await.issuer;
    assert_eq!(issuer.identifier(), format!("{}_sim/x", wire.base));
}

#[tokio::test]
async fn our_own_wrong_secret_does_not_kill_a_grant() {
    let mut wire = Wire::start().await;
    let granted = wire.connect_one(X).await;
    let app = wire.app.clone();
    wire.app.client_secret = "wrong".into();
    let error = refresh(wire.platform(X), &wire.app, &granted.tokens, wire.now()).await.err().unwrap();
    assert!(matches!(&error, RefreshError::Unavailable { detail } if detail == "401 unauthorized_client"), "{error:?}");
    refresh(wire.platform(X), &app, &granted.tokens, wire.now()).await.unwrap();
}

#[tokio::test]
async fn a_code_works_once_for_30_seconds_and_with_its_verifier() {
    let wire = Wire::start().await;
    let allow = [("decision", "allow")];
    let code = param(&wire.consent(X, &allow).await, "code").unwrap();
    wire.exchange(X, &code, VERIFIER).await.unwrap();
    assert!(matches!(wire.exchange(X, &code, VERIFIER).await, Err(ExchangeError::Refused { .. })));

    let code = param(&wire.consent(X, &allow).await, "code").unwrap();
    assert!(matches!(wire.exchange(X, &code, "another").await, Err(ExchangeError::Refused { .. })));
    assert!(matches!(wire.exchange(X, &code, VERIFIER).await, Err(ExchangeError::Refused { .. })));

    let code = param(&wire.consent(X, &allow).await, "code").unwrap();
    wire.advance(SignedDuration::from_secs(31));
    assert!(matches!(wire.exchange(X, &code, VERIFIER).await, Err(ExchangeError::Refused { .. })));
}

#[tokio::test]
async fn a_refusal_by_the_person_leads_back_and_one_by_the_platform_does_not() {
    let wire = Wire::start().await;
    let denied = wire.consent(X, &[("decision", "deny")]).await;
    assert_eq!((param(&denied, "error").as_deref(), param(&denied, "state").as_deref()), (Some("access_denied"), Some("a state")));
    assert_eq!(param(&denied, "code"), None);
    for (name, value) in [("client_id", "someone"), ("redirect_uri", "https://evil.example/oauth/x/callback")] {
        let mut url = wire.authorize(X).await.url;
        let changed: Vec<_> =
            url.query_pairs().into_owned().map(|(of, old)| if of == name { (of, value.to_owned()) } else { (of, old) }).collect();
        url.query_pairs_mut().clear().extend_pairs(changed);
        let answer = wire.browser.get(url).send().await.unwrap();
        assert_eq!((answer.status(), answer.headers().get(LOCATION)), (StatusCode::BAD_REQUEST, None), "{name}");
    }
}

#[tokio::test]
async fn posts_are_told_of_one_account_or_of_all() {
    let wire = Wire::start().await;
    let mut ids = Vec::new();
    for handle in ["ada", "bob"] {
        let granted = wire.connect(X, &[("account", handle)]).await.unwrap().remove(0);
        let sent = publish(wire.platform(X), account(&granted), &format!("of {handle}"), wire.now()).await;
        assert!(matches!(sent, Outcome::Accepted { .. }));
        ids.push(granted.account_id);
    }
    let of_bob = wire.read(X, &format!("posts?account_id={}", ids[1])).await;
    let texts: Vec<_> = of_bob["items"].as_array().unwrap().iter().map(|post| &post["text"]).collect();
    assert_eq!(texts, ["of bob"]);
    assert_eq!(wire.texts(X).await.len(), 2);
}

#[tokio::test]
async fn the_state_outlives_the_process() {
    let data_dir = tempfile::tempdir().unwrap();
    let before = Wire::start_in(Some(data_dir.path())).await;
    let granted = before.connect_one(X).await;
    assert!(matches!(publish(before.platform(X), account(&granted), "hello", before.now()).await, Outcome::Accepted { .. }));
    let after = Wire::start_in(Some(data_dir.path())).await;
    assert_eq!(after.texts(X).await, ["hello"]);
    assert!(matches!(publish(after.platform(X), account(&granted), "again", after.now()).await, Outcome::Accepted { .. }));
}
