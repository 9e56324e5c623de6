use domain::failure::FailureCode;
use domain::platform::AccountKind;
use domain::platform::PlatformName::Facebook;
use jiff::SignedDuration;
use platforms::{Account, AppCredentials, ExchangeError, GrantedAccount, NoCode, Outcome, ReadError, Renewed};
use secrecy::ExposeSecret;
use serde_json::json;

use crate::wire::{VERIFIER, Wire, account, param, publish};

#[tokio::test]
async fn from_consent_to_revocation() {
    let wire = Wire::start().await;
    let facebook = wire.platform(Facebook);
    let granted = wire.connect(Facebook, &[]).await.unwrap();
    let names: Vec<_> = granted.iter().map(|page| page.username.as_str()).collect();
    assert_eq!(names, ["Demo Bakery", "Demo Garden"]);
    let page = &granted[1];
    assert_eq!((page.kind, page.tokens.expires_at, page.tokens.refresh.is_none()), (AccountKind::Page, None, true));
    assert_ne!(page.tokens.parent.as_ref().unwrap().expose_secret(), page.tokens.access.expose_secret());

    wire.advance(SignedDuration::from_hours(100 * 24));
    let since = wire.now();
    let text = "Open today & tomorrow\nCome by: https://example.com/?a=1&b=2 🌱";
    let Outcome::Accepted { post_id, url, .. } = publish(facebook, account(page), text, wire.now()).await else { panic!("not accepted") };
    assert!(post_id.starts_with(&page.account_id) && url.unwrap().starts_with("https://www.facebook.com/"));
    let own = facebook.own_posts(account(page), since, None, since).await.unwrap();
    assert_eq!((own.len(), &own[0].id, own[0].created_at, own[0].text.as_str()), (1, &post_id, since, text));
    assert!(matches!(
        publish(facebook, account(page), text, wire.now()).await,
        Outcome::Duplicate { post_id: None, url: None, http_status: 400 }
    ));
    assert!(facebook.own_posts(account(&granted[0]), since, None, since).await.unwrap().is_empty());

    assert!(matches!(facebook.renew(&wire.app, account(page), wire.now()).await, Ok(Renewed::Never)));
}

#[tokio::test]
async fn revoking_ends_every_page_of_the_consent() {
    let wire = Wire::start().await;
    let facebook = wire.platform(Facebook);
    let granted = wire.connect(Facebook, &[]).await.unwrap();
    facebook.revoke(&wire.app, account(&granted[0]), wire.now()).await.unwrap();
    facebook.revoke(&wire.app, account(&granted[0]), wire.now()).await.unwrap();
    for page in &granted {
        assert_eq!(publish(facebook, account(page), "hi", wire.now()).await, Outcome::TokenRefused { http_status: 400 });
        assert!(matches!(facebook.own_posts(account(page), wire.now(), None, wire.now()).await, Err(ReadError::TokenRefused)));
    }
}

#[tokio::test]
async fn a_persons_consents_are_one_grant_and_anothers_are_another() {
    let wire = Wire::start().await;
    let facebook = wire.platform(Facebook);
    let (first, second) = (wire.connect_one(Facebook).await, wire.connect_one(Facebook).await);
    let other = wire.connect(Facebook, &[("person", "somebody")]).await.unwrap().remove(0);
    assert_eq!((&first.grantor, &first.account_id), (&second.grantor, &other.account_id));
    assert!(first.grantor.is_some() && first.grantor != other.grantor);
    facebook.revoke(&wire.app, account(&first), wire.now()).await.unwrap();
    assert_eq!(publish(facebook, account(&second), "hi", wire.now()).await, Outcome::TokenRefused { http_status: 400 });
    assert!(matches!(publish(facebook, account(&other), "hi", wire.now()).await, Outcome::Accepted { .. }));
}

#[tokio::test]
async fn a_person_chooses_pages_and_scopes() {
    let wire = Wire::start().await;
    let one = [("page", "100000000000002"), ("granted_scope", "pages_show_list"), ("granted_scope", "pages_read_engagement")];
    let granted = wire.connect(Facebook, &one).await.unwrap();
    assert_eq!(granted.len(), 1);
    assert_eq!(
        (granted[0].username.as_str(), granted[0].missing_scopes.as_slice()),
        ("Demo Garden", &["pages_manage_posts".to_owned()][..])
    );
    let outcome = publish(wire.platform(Facebook), account(&granted[0]), "hi", wire.now()).await;
    assert!(matches!(outcome, Outcome::Rejected { code: FailureCode::PermissionMissing, http_status: 403, .. }), "{outcome:?}");

    let none = wire.connect(Facebook, &[("granted_scope", "pages_manage_posts")]).await.err().unwrap();
    assert!(
        matches!(&none, ExchangeError::ScopeMissing { missing } if missing == &["pages_show_list", "pages_read_engagement"]),
        "{none:?}"
    );
}

#[tokio::test]
async fn a_code_works_once_for_ten_minutes() {
    let wire = Wire::start().await;
    let allow = [("decision", "allow")];
    let code = param(&wire.consent(Facebook, &allow).await, "code").unwrap();
    wire.exchange(Facebook, &code, VERIFIER).await.unwrap();
    assert!(matches!(wire.exchange(Facebook, &code, VERIFIER).await, Err(ExchangeError::Refused { .. })));
    let code = param(&wire.consent(Facebook, &allow).await, "code").unwrap();
    wire.advance(SignedDuration::from_mins(11));
    assert!(matches!(wire.exchange(Facebook, &code, VERIFIER).await, Err(ExchangeError::Refused { .. })));
}

#[tokio::test]
async fn a_refusal_by_the_person_leads_back() {
    let wire = Wire::start().await;
    let denied = wire.consent(Facebook, &[("decision", "deny")]).await;
    assert_eq!(param(&denied, "error").as_deref(), Some("access_denied"));
    assert_eq!(param(&denied, "error_reason").as_deref(), Some("user_denied"));
    let closed = wire.consent(Facebook, &[("decision", "cancel")]).await;
    let (error, error_code) = (param(&closed, "error"), param(&closed, "error_code"));
    assert_eq!((error.as_deref(), error_code.as_deref()), (None, Some("4201")));
    assert!(wire.platform(Facebook).is_denial(NoCode { error: error.as_deref(), error_code: error_code.as_deref() }));
}

fn names(granted: &[GrantedAccount]) -> Vec<&str> {
    granted.iter().map(|page| page.username.as_str()).collect()
}

#[tokio::test]
async fn pages_of_businesses_are_found_beside_a_persons_own_and_each_once() {
    let wire = Wire::start().await;
    let all = ["100000000000001", "100000000000002", "100000000000003", "100000000000004"].map(|id| ("page", id));
    let granted = wire.connect(Facebook, &all).await.unwrap();
    // The holding shows the bakery, too.
    assert_eq!(names(&granted), ["Demo Bakery", "Demo Garden", "Demo Client", "Demo Cafe"]);
    for page in &granted {
        let outcome = publish(wire.platform(Facebook), account(page), "hi", wire.now()).await;
        assert!(matches!(outcome, Outcome::Accepted { .. }), "{}: {outcome:?}", page.username);
    }
    // Nobody has a role on it but by the business.
    assert_eq!(names(&wire.connect(Facebook, &all[2..3]).await.unwrap()), ["Demo Cafe"]);
}

#[tokio::test]
async fn who_does_not_show_businesses_connects_what_is_their_own() {
    let wire = Wire::start().await;
    let scopes = ["pages_show_list", "pages_manage_posts", "pages_read_engagement", "read_insights"].map(|scope| ("granted_scope", scope));
    let mut fields = vec![("page", "100000000000001"), ("page", "100000000000003")];
    fields.extend(scopes);
    let granted = wire.connect(Facebook, &fields).await.unwrap();
    assert_eq!(names(&granted), ["Demo Bakery"]);
    assert!(granted[0].missing_scopes.is_empty(), "a Page can be posted to without its business");
    fields.remove(0);
    // Without that permission nobody knows of their other Pages: it may be what helps.
    let left_out = wire.connect(Facebook, &fields).await;
    assert!(matches!(&left_out, Err(ExchangeError::ScopeMissing { missing }) if *missing == ["business_management"]), "{left_out:?}");
}

#[tokio::test]
async fn a_consent_without_a_page_says_so_and_businesses_that_cannot_be_read_are_not_nothing() {
    let wire = Wire::start().await;
    assert!(matches!(wire.connect(Facebook, &[("page", "none")]).await, Err(ExchangeError::NoAccounts)));
    let lost = || json!({ "kind": "businesses_lost" });
    assert_eq!(wire.fault(Facebook, lost()).await, 201);
    assert!(matches!(wire.connect(Facebook, &[("page", "none")]).await, Err(ExchangeError::Unavailable { .. })));
    let granted = wire.connect(Facebook, &[("page", "100000000000002"), ("page", "100000000000003")]).await.unwrap();
    assert_eq!(names(&granted), ["Demo Garden"]);
}

#[tokio::test]
async fn every_call_with_a_token_proves_that_our_app_makes_it() {
    let wire = Wire::start().await;
    let facebook = wire.platform(Facebook);
    let granted = wire.connect_one(Facebook).await;
    let bare = domain::token::TokenSet { proof: None, ..granted.tokens.clone() };
    let other = AppCredentials { client_secret: "another secret".into(), ..wire.app.clone() };
    let wrong = facebook.proven(&other, granted.tokens.clone());
    for tokens in [&bare, &wrong] {
        let outcome = publish(facebook, Account { tokens, ..account(&granted) }, "hi", wire.now()).await;
        assert!(matches!(&outcome, Outcome::AppLimited { detail, .. } if detail.contains("appsecret_proof")), "{outcome:?}");
    }
    assert!(!format!("{:?}", granted.tokens).contains(granted.tokens.proof.as_ref().unwrap().expose_secret()));
    assert!(facebook.revoke(&other, account(&granted), wire.now()).await.is_err());
    facebook.revoke(&wire.app, account(&granted), wire.now()).await.unwrap();
}
