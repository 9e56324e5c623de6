//! Token answers as no manual has them, from a server on a free port that gives one answer to all.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::routing::{get, post};
use domain::platform::PlatformName::X;
use domain::token::TokenSet;
use jiff::{SignedDuration, Timestamp};
use platforms::{AppCredentials, Callback, ExchangeError, GrantedAccount, Platforms, RefreshError};
use reqwest::StatusCode;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap};
use secrecy::ExposeSecret;
use tokio::net::TcpListener;
use url::Url;

use crate::wire::{VERIFIER, acting, platforms_at, refresh};

const CANARY: &str = "canary7f3a";
const JSON: &str = "application/json";

/// A call as it came: where to, its headers, its form.
type Calls = Arc<Mutex<Vec<(&'static str, HeaderMap, String)>>>;

struct Server {
    platforms: Platforms,
    app: AppCredentials,
    calls: Calls,
}

impl Server {
    /// Gives this answer to whoever asks for tokens, and takes any of them back.
    async fn giving(status: u16, content_type: &'static str, body: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        let calls = Calls::default();
        let (seen, seen_revoked) = (Arc::clone(&calls), Arc::clone(&calls));
        let (status, body) = (StatusCode::from_u16(status).unwrap(), body.to_owned());
        let token = move |headers: HeaderMap, form: String| {
            seen.lock().unwrap().push(("token", headers, form));
            std::future::ready((status, [(CONTENT_TYPE, content_type)], body.clone()))
        };
        let revoke = move |headers: HeaderMap, form: String| {
            seen_revoked.lock().unwrap().push(("revoke", headers, form));
            std::future::ready(r#"{"revoked":true}"#)
        };
        let app = Router::new()
            .route("/_sim/x/2/oauth2/token", post(token))
            .route("/_sim/x/2/oauth2/revoke", post(revoke))
            .route("/_sim/x/2/users/me", get(async || r#"{"data":{"id":"7","username":"ada"}}"#));
        tokio::spawn(async move { axum::serve(listener, app).await });
        let app = AppCredentials { client_id: "app".into(), client_secret: format!("{CANARY}=+/%").into() };
        Self { platforms: platforms_at(&base), app, calls }
    }

    async fn refresh(&self) -> Result<TokenSet, RefreshError> {
        refresh(self.platforms.get(X), &self.app, &old(), now()).await
    }

    async fn exchange(&self) -> Result<GrantedAccount, ExchangeError> {
        let redirect_uri = Url::parse("https://api.example.com/oauth/x/callback").unwrap();
        let (code, verifier) = (format!("{CANARY}-code").into(), VERIFIER.into());
        let back = Callback { code: &code, code_verifier: &verifier, redirect_uri: &redirect_uri, server: None, carried: None };
        self.platforms.get(X).exchange(&self.app, &back, now()).await.map(|mut accounts| accounts.remove(0))
    }
}

fn now() -> Timestamp {
    "2026-11-23T09:00:00Z".parse().unwrap()
}

/// The tokens before a refresh.
fn old() -> TokenSet {
    let scopes = ["tweet.read", "users.read", "offline.access"].map(str::to_owned).to_vec();
    let refresh = Some(format!("{CANARY}-r1").into());
    TokenSet { refresh, scopes, ..TokenSet::bare(format!("{CANARY}-a1").into()) }
}

#[tokio::test]
async fn an_odd_answer_never_loses_a_token() {
    let two_hours = Some(now() + SignedDuration::from_hours(2));
    for (status, content_type, rest, ends) in [
        (200, JSON, r#""token_type":"bearer","expires_in":7200,"scope":"tweet.read users.read""#, two_hours),
        (200, JSON, r#""expires_in":7200,"scope":"tweet.read,users.read""#, two_hours),
        (200, JSON, r#""token_type":"BEARER","expires_in":7200"#, two_hours),
        (200, JSON, r#""token_type":{"odd":[]},"expires_in":"7200","scope":null"#, two_hours),
        (200, JSON, r#""token_type":null,"expires_in":7200.0"#, two_hours),
        (200, JSON, r#""token_type":"bearer""#, None),
        (200, JSON, r#""token_type":"bearer","expires_in":"soon","scope":["tweet.read"]"#, None),
        (200, "text/plain", r#""token_type":"bearer","expires_in":7200"#, two_hours),
        (200, "text/html; charset=utf-8", r#""expires_in":7200"#, two_hours),
        (200, "", r#""expires_in":7200"#, two_hours),
        (201, JSON, r#""expires_in":7200"#, two_hours),
        (206, "text/plain", r#""expires_in":"7200""#, two_hours),
    ] {
        let server = Server::giving(status, content_type, &format!(r#"{{"access_token":"a2","refresh_token":"r2",{rest}}}"#)).await;
        for tokens in [server.refresh().await.unwrap(), server.exchange().await.unwrap().tokens] {
            let refresh = tokens.refresh.as_ref().map(ExposeSecret::expose_secret);
            assert_eq!((tokens.access.expose_secret(), refresh), ("a2", Some("r2")), "{status} {content_type} {rest}");
            assert_eq!(tokens.expires_at, ends, "{status} {content_type} {rest}");
            assert!(tokens.scopes.iter().any(|scope| scope == "users.read"), "{status} {content_type} {rest}: {:?}", tokens.scopes);
        }
    }
}

type Refreshed = fn(&RefreshError) -> bool;
type Exchanged = fn(&ExchangeError) -> bool;
/// An answer, and what a refresh and an exchange make of it.
type Case = (u16, &'static str, String, Refreshed, Exchanged);

#[tokio::test]
async fn an_answer_without_tokens_is_judged_by_the_table_and_shows_no_secret() {
    let dead: Refreshed = |error| matches!(error, RefreshError::Dead { .. });
    let kept: Refreshed = |error| matches!(error, RefreshError::Unavailable { .. });
    let unknown: Refreshed = |error| matches!(error, RefreshError::Unknown { .. });
    let refused: Exchanged = |error| matches!(error, ExchangeError::Refused { .. });
    let unavailable: Exchanged = |error| matches!(error, ExchangeError::Unavailable { .. });
    let error = |name: &str| format!(r#"{{"error":"{name}","error_description":"{CANARY}","access_token":"{CANARY}"}}"#);
    let tokens = format!(r#"{{"access_token":"{CANARY}","refresh_token":"{CANARY}","token_type":"bearer"}}"#);
    let cases: [Case; 16] = [
        (400, JSON, error("invalid_grant"), dead, refused),
        (400, "text/plain", error("invalid_grant"), dead, refused),
        (400, JSON, error("invalid_request"), dead, refused),
        (400, JSON, error("invalid_client"), kept, refused),
        (400, JSON, error("invalid_scope"), unknown, refused),
        (400, "text/html", format!("<html>{CANARY}"), unknown, refused),
        (401, JSON, error("unauthorized_client"), kept, refused),
        (403, "text/html", CANARY.to_owned(), kept, refused),
        (429, JSON, String::new(), kept, refused),
        (500, JSON, error("invalid_grant"), unknown, unavailable),
        (503, "text/html", CANARY.to_owned(), unknown, unavailable),
        (302, JSON, tokens.clone(), unknown, unavailable),
        (500, JSON, tokens, unknown, unavailable),
        (200, JSON, String::new(), unknown, unavailable),
        (200, JSON, format!(r#"{{"access_token":["{CANARY}"]}}"#), unknown, unavailable),
        (200, CANARY, format!(r#"{{"refresh_token":"{CANARY}"}}"#), unknown, unavailable),
    ];
    for (status, content_type, body, refreshed, exchanged) in cases {
        let server = Server::giving(status, content_type, &body).await;
        let refresh = server.refresh().await.unwrap_err();
        let exchange = server.exchange().await.unwrap_err();
        let shown = format!("{refresh:?} {refresh:#?} {refresh} {exchange:?} {exchange:#?} {exchange}");
        assert!(refreshed(&refresh) && exchanged(&exchange), "{status} {body}: {shown}");
        assert!(!shown.contains(CANARY), "{shown}");
        assert!(shown.contains(&status.to_string()), "{shown}");
    }
}

#[tokio::test]
async fn the_app_names_itself_as_x_documents_it_in_every_call() {
    let server = Server::giving(200, JSON, r#"{"access_token":"a2","refresh_token":"r2"}"#).await;
    server.exchange().await.unwrap();
    server.refresh().await.unwrap();
    server.platforms.get(X).revoke(&server.app, acting(&old()), now()).await.unwrap();
    let calls = server.calls.lock().unwrap();
    let to: Vec<_> = calls.iter().map(|(to, ..)| *to).collect();
    assert_eq!(to, ["token", "token", "revoke", "revoke"]);
    let basic = format!("Basic {}", data_encoding::BASE64.encode(format!("app:{CANARY}=+/%").as_bytes()));
    for (to, headers, _) in calls.iter() {
        let given: Vec<_> = headers.get_all(AUTHORIZATION).iter().collect();
        assert_eq!(given, [basic.as_str()], "{to}");
        assert_eq!(headers[CONTENT_TYPE], "application/x-www-form-urlencoded", "{to}");
    }
    assert_eq!(calls[0].1[ACCEPT], JSON);
    let form = |n: usize| {
        let mut fields: Vec<_> = url::form_urlencoded::parse(calls[n].2.as_bytes()).into_owned().collect();
        fields.sort();
        fields
    };
    let fields = |of: &[(&str, &str)]| of.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect::<Vec<_>>();
    let (code, refresh) = (format!("{CANARY}-code"), format!("{CANARY}-r1"));
    assert_eq!(
        form(0),
        fields(&[
            ("code", &code),
            ("code_verifier", VERIFIER),
            ("grant_type", "authorization_code"),
            ("redirect_uri", "https://api.example.com/oauth/x/callback"),
        ])
    );
    assert_eq!(form(1), fields(&[("grant_type", "refresh_token"), ("refresh_token", &refresh)]));
}
