use domain::failure::FailureCode;
use domain::platform::PlatformName::Facebook;
use jiff::SignedDuration;
use platforms::{AccountKind, ExchangeError, Outcome, ReadError, RefreshError};
use secrecy::ExposeSecret;

use crate::wire::{VERIFIER, Wire, account, param};

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
    let Outcome::Accepted { post_id, url, .. } = facebook.publish(account(page), text, wire.now()).await else { panic!("not accepted") };
    assert!(post_id.starts_with(&page.account_id) && url.unwrap().starts_with("https://www.facebook.com/"));
    let own = facebook.own_posts(account(page), since, None, since).await.unwrap();
    assert_eq!((own.len(), &own[0].id, own[0].created_at, own[0].text.as_str()), (1, &post_id, since, text));
    assert!(matches!(facebook.publish(account(page), text, wire.now()).await, Outcome::Duplicate { http_status: 400 }));
    assert!(facebook.own_posts(account(&granted[0]), since, None, since).await.unwrap().is_empty());

    assert!(matches!(facebook.refresh(&wire.app, &page.tokens, wire.now()).await, Err(RefreshError::Dead { .. })));
}

#[tokio::test]
async fn revoking_ends_every_page_of_the_consent() {
    let wire = Wire::start().await;
    let facebook = wire.platform(Facebook);
    let granted = wire.connect(Facebook, &[]).await.unwrap();
    facebook.revoke(&wire.app, &granted[0].tokens).await.unwrap();
    facebook.revoke(&wire.app, &granted[0].tokens).await.unwrap();
    for page in &granted {
        assert_eq!(facebook.publish(account(page), "hi", wire.now()).await, Outcome::TokenRefused { http_status: 400 });
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
    facebook.revoke(&wire.app, &first.tokens).await.unwrap();
    assert_eq!(facebook.publish(account(&second), "hi", wire.now()).await, Outcome::TokenRefused { http_status: 400 });
    assert!(matches!(facebook.publish(account(&other), "hi", wire.now()).await, Outcome::Accepted { .. }));
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
    let outcome = wire.platform(Facebook).publish(account(&granted[0]), "hi", wire.now()).await;
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
}
