use domain::failure::FailureCode;
use domain::platform::AccountKind;
use domain::platform::PlatformName::LinkedIn;
use jiff::{SignedDuration, Timestamp};
use platforms::{
    Account, AppCredentials, ExchangeError, GrantedAccount, NoCode, Outcome, PlatformAddresses, Platforms, Published, ReadError,
    RefreshError, Renewed, Told,
};
use secrecy::ExposeSecret;
use serde_json::json;

use crate::wire::{VERIFIER, Wire, account, param, publish};

/// Nobody's organization.
const ALONE: [(&str, &str); 1] = [("organization", "none")];

fn days(days: i64) -> SignedDuration {
    SignedDuration::from_hours(24 * days)
}

/// The person's own account.
async fn member(wire: &Wire) -> GrantedAccount {
    wire.connect(LinkedIn, &ALONE).await.unwrap().remove(0)
}

async fn listed(wire: &Wire, granted: &GrantedAccount, since: Timestamp) -> Result<Vec<(String, String)>, ReadError> {
    let posts = wire.platform(LinkedIn).own_posts(account(granted), since, None, wire.now()).await?;
    Ok(posts.into_iter().map(|post| (post.id, post.text)).collect())
}

#[tokio::test]
async fn a_consent_brings_the_person_and_the_organizations_where_they_may_post() {
    let wire = Wire::start().await;
    let granted = wire.connect(LinkedIn, &[("person", "ada")]).await.unwrap();
    let told: Vec<_> = granted.iter().map(|account| (account.username.as_str(), account.kind)).collect();
    let organization = AccountKind::Organization;
    assert_eq!(told, [("ada", AccountKind::Profile), ("Demo Bakery Ltd", organization), ("Demo Garden Ltd", organization)]);
    assert_eq!(granted[1].account_id, "urn:li:organization:90000001");
    assert!(granted[0].account_id.starts_with("urn:li:person:"));
    for account in &granted {
        assert!(account.missing_scopes.is_empty() && account.grantor == granted[0].grantor && account.grantor.is_some());
        assert_eq!(account.tokens.access.expose_secret(), granted[0].tokens.access.expose_secret());
        assert_eq!((account.tokens.expires_at, account.tokens.refresh.is_none()), (Some(wire.now() + days(60)), true));
        assert_eq!(account.tokens.scopes.len(), 6, "scopes come with commas");
    }
    let alone = wire.connect(LinkedIn, &ALONE).await.unwrap();
    assert_eq!(alone.iter().map(|account| account.username.as_str()).collect::<Vec<_>>(), ["demo_linkedin"]);
}

#[tokio::test]
async fn who_came_for_an_organization_is_not_connected_as_themselves_because_the_list_cannot_be_read() {
    let wire = Wire::start().await;
    wire.fault(LinkedIn, json!({ "kind": "roles_lost" })).await;
    let error = wire.connect(LinkedIn, &[]).await.err().unwrap();
    assert!(matches!(error, ExchangeError::Unavailable { .. }), "{error:?}");
    wire.clear_faults(LinkedIn).await;
    wire.fault(LinkedIn, json!({ "kind": "new_token", "on": "identity" })).await;
    let error = wire.connect(LinkedIn, &[]).await.err().unwrap();
    assert!(matches!(&error, ExchangeError::Unavailable { detail } if detail == "401 REVOKED_ACCESS_TOKEN 65601"), "{error:?}");
}

#[tokio::test]
async fn an_organizations_post_is_read_back_as_it_was_written() {
    let wire = Wire::start().await;
    let linkedin = wire.platform(LinkedIn);
    let bakery = wire.connect_one(LinkedIn).await;
    let since = wire.now();
    let text = "Open (today & tomorrow) at C:\\x_y: #bread #2 ~5 € <b> [x] {y} | @home *\nhttps://example.com/a_b?x=(1)#menu 🌱";
    let Outcome::Accepted { post_id, url, http_status: 201 } = publish(linkedin, account(&bakery), text, since).await else {
        panic!("not accepted")
    };
    assert!(post_id.starts_with("urn:li:share:"));
    assert_eq!(url, Some(format!("https://www.linkedin.com/feed/update/{post_id}/")));
    assert_eq!(wire.texts(LinkedIn).await, [text], "nothing was cut off");
    assert_eq!(listed(&wire, &bakery, since).await.unwrap(), [(post_id.clone(), text.to_owned())]);
    assert!(linkedin.comparable(text) == linkedin.comparable(&format!(" {text}\r\n")));
    let again = publish(linkedin, account(&bakery), text, wire.now()).await;
    assert_eq!(again, Outcome::Duplicate { post_id: Some(post_id), url, http_status: 422 });

    let long = publish(linkedin, account(&bakery), &"(".repeat(3_000), wire.now()).await;
    assert!(matches!(long, Outcome::Accepted { .. }), "{long:?}");
    let longer = publish(linkedin, account(&bakery), &"a".repeat(3_001), wire.now()).await;
    assert!(
        matches!(&longer, Outcome::Rejected { code: FailureCode::ContentRejected, detail, .. } if detail == "400 FIELD_LENGTH_TOO_LONG")
    );
}

#[tokio::test]
async fn what_a_member_posts_nobody_may_read_but_a_duplicate_names_it() {
    let wire = Wire::start().await;
    let linkedin = wire.platform(LinkedIn);
    let member = member(&wire).await;
    let since = wire.now();
    wire.fault(LinkedIn, json!({ "kind": "drop_after" })).await;
    assert!(matches!(publish(linkedin, account(&member), "Hi (you)", since).await, Outcome::Unknown { http_status: None, .. }));
    let read = listed(&wire, &member, since).await.err().unwrap();
    assert!(matches!(&read, ReadError::Unavailable { detail } if detail == "403 ACCESS_DENIED 100"), "{read:?}");
    let posts = wire.read(LinkedIn, "posts").await;
    let id = posts["items"][0]["id"].as_str().unwrap().to_owned();
    let again = publish(linkedin, account(&member), "Hi (you)", wire.now()).await;
    assert!(
        matches!(&again, Outcome::Duplicate { post_id: Some(named), url: Some(url), .. } if *named == id && url.contains(&id)),
        "{again:?}"
    );
    let numbers = linkedin.numbers(account(&member), Published { id: &id, at: since }, wire.now()).await;
    assert_eq!((numbers, wire.read(LinkedIn, "calls").await["metrics"].as_i64()), (Ok(Told::default()), Some(0)), "nothing is asked");
}

#[tokio::test]
async fn tokens_end_with_60_days_and_only_a_partners_are_renewed() {
    let wire = Wire::start().await;
    let linkedin = wire.platform(LinkedIn);
    let plain = member(&wire).await;
    assert!(matches!(linkedin.renew(&wire.app, account(&plain), wire.now()).await, Ok(Renewed::NeedsConsent)));
    wire.fault(LinkedIn, json!({ "kind": "partner" })).await;
    let mut partner = member(&wire).await;
    let refresh_token = partner.tokens.refresh.as_ref().unwrap().expose_secret().to_owned();
    wire.advance(days(61));
    for granted in [&plain, &partner] {
        assert_eq!(publish(linkedin, account(granted), "hi", wire.now()).await, Outcome::TokenRefused { http_status: 401 });
    }
    // A lost answer costs nothing: the same token is shown again.
    wire.fault(LinkedIn, json!({ "kind": "drop_after", "on": "refresh" })).await;
    let lost = linkedin.renew(&wire.app, account(&partner), wire.now()).await;
    assert!(matches!(lost, Err(RefreshError::Unavailable { .. })), "{lost:?}");
    let Ok(Renewed::Tokens(renewed)) = linkedin.renew(&wire.app, account(&partner), wire.now()).await else { panic!("not renewed") };
    assert_eq!((renewed.refresh.as_ref().unwrap().expose_secret(), renewed.scopes.len()), (refresh_token.as_str(), 6));
    partner.tokens = renewed;
    assert!(matches!(publish(linkedin, account(&partner), "hi", wire.now()).await, Outcome::Accepted { .. }));

    let other = AppCredentials { client_secret: "wrong".into(), ..wire.app.clone() };
    let ours = linkedin.renew(&other, account(&partner), wire.now()).await;
    assert!(matches!(&ours, Err(RefreshError::Unavailable { detail }) if detail == "401 invalid_client"), "{ours:?}");
    wire.advance(days(305));
    let dead = linkedin.renew(&wire.app, account(&partner), wire.now()).await;
    assert!(matches!(&dead, Err(RefreshError::Dead { detail }) if detail == "400 invalid_grant"), "a year after the consent: {dead:?}");
}

#[tokio::test]
async fn revoking_ends_every_account_of_the_consent_and_no_other() {
    let wire = Wire::start().await;
    let linkedin = wire.platform(LinkedIn);
    let granted = wire.connect(LinkedIn, &[]).await.unwrap();
    let other = wire.connect(LinkedIn, &[("person", "somebody")]).await.unwrap().remove(0);
    assert_ne!(granted[0].grantor, other.grantor);
    // No longer so new that LinkedIn might not know the tokens yet.
    wire.advance(SignedDuration::from_mins(2));
    for _ in 0..2 {
        linkedin.revoke(&wire.app, account(&granted[0]), wire.now()).await.unwrap();
    }
    for account_of_it in &granted {
        assert_eq!(publish(linkedin, account(account_of_it), "hi", wire.now()).await, Outcome::TokenRefused { http_status: 401 });
    }
    assert!(matches!(listed(&wire, &granted[0], wire.now()).await, Err(ReadError::TokenRefused)));
    assert!(matches!(publish(linkedin, account(&other), "hi", wire.now()).await, Outcome::Accepted { .. }));
    let wrong = AppCredentials { client_secret: "wrong".into(), ..wire.app.clone() };
    assert_eq!(linkedin.revoke(&wrong, account(&other), wire.now()).await.unwrap_err().detail, "401 invalid_client");
}

#[tokio::test]
async fn nobody_posts_for_an_organization_that_they_did_not_bring() {
    let wire = Wire::start().await;
    let alone = member(&wire).await;
    let bakery = Account { id: "urn:li:organization:90000001", kind: AccountKind::Organization, ..account(&alone) };
    let outcome = publish(wire.platform(LinkedIn), bakery, "hi", wire.now()).await;
    assert!(matches!(&outcome, Outcome::Rejected { code: FailureCode::PermissionMissing, http_status: 403, .. }), "{outcome:?}");
}

#[tokio::test]
async fn a_version_that_has_ended_stops_everything_and_says_whose_fault_it_is() {
    let wire = Wire::start().await;
    let granted = wire.connect_one(LinkedIn).await;
    let addresses = PlatformAddresses::default().below(&wire.base.join("_sim").unwrap()).with_version(LinkedIn, "202205".into());
    let old = Platforms::new(&addresses).unwrap();
    let outcome = publish(old.get(LinkedIn), account(&granted), "hi", wire.now()).await;
    assert!(matches!(&outcome, Outcome::AppLimited { until: None, http_status: 426, detail } if detail == "426 NONEXISTENT_VERSION"));
    wire.fault(LinkedIn, json!({ "kind": "version_ended" })).await;
    let outcome = publish(wire.platform(LinkedIn), account(&granted), "hi", wire.now()).await;
    assert!(matches!(outcome, Outcome::AppLimited { .. }), "{outcome:?}");
    assert!(matches!(listed(&wire, &granted, wire.now()).await, Err(ReadError::AppLimited { .. })));
    assert!(wire.texts(LinkedIn).await.is_empty());
}

#[tokio::test]
async fn the_apps_day_of_reading_is_no_pause_of_posting() {
    let wire = Wire::start().await;
    let granted = wire.connect_one(LinkedIn).await;
    wire.fault(LinkedIn, json!({ "kind": "apps_day", "on": "list" })).await;
    assert!(matches!(listed(&wire, &granted, wire.now()).await, Err(ReadError::Limited { until: Some(_) })));
}

#[tokio::test]
async fn a_person_who_leaves_the_page_has_said_no() {
    let wire = Wire::start().await;
    let denied = wire.consent(LinkedIn, &[("decision", "deny")]).await;
    assert_eq!((param(&denied, "code"), param(&denied, "state").as_deref()), (None, Some("a state")));
    let error = param(&denied, "error");
    assert!(wire.platform(LinkedIn).is_denial(NoCode { error: error.as_deref(), error_code: None }), "{error:?}");
}

#[tokio::test]
async fn a_code_works_once_and_for_half_an_hour() {
    let wire = Wire::start().await;
    let code = param(&wire.consent(LinkedIn, &[("decision", "allow")]).await, "code").unwrap();
    wire.exchange(LinkedIn, &code, VERIFIER).await.unwrap();
    let spent = wire.exchange(LinkedIn, &code, VERIFIER).await.err().unwrap();
    assert!(matches!(&spent, ExchangeError::Refused { detail } if detail == "400 invalid_request"), "{spent:?}");
    let code = param(&wire.consent(LinkedIn, &[("decision", "allow")]).await, "code").unwrap();
    wire.advance(SignedDuration::from_mins(31));
    assert!(matches!(wire.exchange(LinkedIn, &code, VERIFIER).await, Err(ExchangeError::Refused { .. })));
}
