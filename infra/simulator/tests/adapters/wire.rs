//! A simulator on a free port, the adapters configured for it, and a browser.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU8, Ordering};
use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use domain::content::Content;
use domain::people::CodeVerifier;
use domain::platform::{AccountKind, Named, PlatformName, ServerName};
use domain::token::TokenSet;
use edge::clock::Clock;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use platforms::{
    Account, Advance, AppCredentials, Ask, AuthorizeError, Call, Callback, Consent, ExchangeError, GrantedAccount, Outcome, Platform,
    PlatformAddresses, Platforms, PrepareError, Prepared, RefreshError, Renewed,
};
use reqwest::StatusCode;
use reqwest::header::LOCATION;
use secrecy::SecretString;
use serde_json::Value;
use simulator::Simulator;
use tokio::net::TcpListener;
use tokio::sync::Mutex;
use url::Url;

/// The verifier of RFC 7636, appendix B.
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

/// Where accounts are, of networks that have servers, unless a test says otherwise.
pub(crate) const HOST: &str = "mastodon.example";

/// Who consents at a network that asks for a handle first, unless a test says otherwise.
pub(crate) const HANDLE: &str = "demo.bluesky.example";

/// More steps than any network has before a post can be shown.
const STEPS_MAX: usize = 10;

pub(crate) struct Wire {
    pub(crate) base: Url,
    pub(crate) platforms: Platforms,
    pub(crate) app: AppCredentials,
    pub(crate) browser: reqwest::Client,
    millis: Arc<AtomicI64>,
    /// Our app at each server, made known when it is first needed.
    apps: Mutex<BTreeMap<String, AppCredentials>>,
    /// What the last consent began with.
    carried: Mutex<Option<SecretString>>,
    /// How many were begun.
    begun: AtomicU8,
}

pub(crate) fn platforms_at(base: &Url) -> Platforms {
    Platforms::new(&PlatformAddresses::default().below(&base.join("_sim").unwrap())).unwrap()
}

impl Wire {
    pub(crate) async fn start() -> Self {
        Self::start_in(None).await
    }

    pub(crate) async fn start_in(data_dir: Option<&Path>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        let start: Timestamp = "2026-11-23T09:00:00Z".parse().unwrap();
        let millis = Arc::new(AtomicI64::new(start.as_millisecond()));
        let read = Arc::clone(&millis);
        let clock = Clock::from_fn(move || Timestamp::from_millisecond(read.load(Ordering::SeqCst)).unwrap());
        let simulator = Simulator::open(data_dir, clock, &base).unwrap();
        let app = axum::Router::new().nest("/_sim", simulator.router());
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self {
            platforms: platforms_at(&base),
            app: AppCredentials { client_id: simulator::APP_CLIENT_ID.into(), client_secret: simulator::APP_CLIENT_SECRET.into() },
            browser: reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap(),
            base,
            millis,
            apps: Mutex::default(),
            carried: Mutex::default(),
            begun: AtomicU8::default(),
        }
    }

    /// Our app as it is registered there, at networks that know one.
    pub(crate) fn app_of(&self, name: PlatformName) -> AppCredentials {
        let (client_id, client_secret) = simulator::app_credentials(name, &self.base);
        AppCredentials { client_id, client_secret: client_secret.into() }
    }

    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(self.millis.load(Ordering::SeqCst)).unwrap()
    }

    pub(crate) fn advance(&self, by: SignedDuration) {
        self.millis.fetch_add(i64::try_from(by.as_millis()).unwrap(), Ordering::SeqCst);
    }

    pub(crate) fn platform(&self, name: PlatformName) -> &dyn Platform {
        self.platforms.get(name)
    }

    pub(crate) fn redirect_uri(&self, name: PlatformName) -> Url {
        self.base.join(&format!("/oauth/{name}/callback")).unwrap()
    }

    /// The server of a network that has servers, and our app as the network or that server knows it.
    pub(crate) async fn at(&self, name: PlatformName, host: &str) -> (Option<ServerName>, AppCredentials) {
        if !name.descriptor().has_servers() {
            return (None, self.app_of(name));
        }
        let server = ServerName::parse(host).unwrap();
        let mut apps = self.apps.lock().await;
        if !apps.contains_key(host) {
            let app = self.platform(name).register(&server, &self.redirect_uri(name)).await.unwrap();
            apps.insert(host.to_owned(), app);
        }
        (Some(server), apps[host].clone())
    }

    pub(crate) async fn authorize(&self, name: PlatformName) -> Consent {
        self.authorize_at(name, usual(name)).await.unwrap()
    }

    /// Begins a consent at a server or of a handle, where the network asks for one.
    pub(crate) async fn authorize_at(&self, name: PlatformName, host: &str) -> Result<Consent, AuthorizeError> {
        let redirect_uri = self.redirect_uri(name);
        let entropy = BASE64URL_NOPAD.decode(VERIFIER.as_bytes()).unwrap();
        let code_verifier = CodeVerifier::from_entropy(entropy.try_into().unwrap());
        let entropy = [self.begun.fetch_add(1, Ordering::SeqCst) + 1; 32];
        let (_, app) = self.at(name, host).await;
        let named = name.descriptor().needs.map(|needs| Named::parse(needs, host).unwrap());
        let (state, named, now) = ("a state".into(), named.as_ref(), self.now());
        let ask = Ask { state: &state, code_verifier: &code_verifier, redirect_uri: &redirect_uri, named, entropy: &entropy, now };
        let consent = self.platform(name).authorize(&app, &ask).await?;
        *self.carried.lock().await = consent.carried.clone();
        Ok(consent)
    }

    /// Opens the consent page, sends its form, and returns what the callback would be called with.
    pub(crate) async fn consent(&self, name: PlatformName, fields: &[(&str, &str)]) -> Url {
        self.consent_at(name, usual(name), fields).await
    }

    pub(crate) async fn consent_at(&self, name: PlatformName, host: &str, fields: &[(&str, &str)]) -> Url {
        let url = self.authorize_at(name, host).await.unwrap().url;
        let page = self.browser.get(url.clone()).send().await.unwrap();
        assert_eq!(page.status(), StatusCode::OK);
        let html = page.text().await.unwrap();
        let asked: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        for (field, _) in &asked {
            assert!(html.contains(&format!("<input type=\"hidden\" name=\"{field}\"")), "{field}");
        }
        let mut address = url;
        address.set_query(None);
        let mut form: Vec<(&str, &str)> = asked.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        form.extend(fields);
        let answer = self.browser.post(address).form(&form).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::SEE_OTHER);
        Url::parse(answer.headers()[LOCATION].to_str().unwrap()).unwrap()
    }

    pub(crate) async fn exchange(&self, name: PlatformName, code: &str, verifier: &str) -> Result<Vec<GrantedAccount>, ExchangeError> {
        self.exchange_at((name, usual(name)), code, verifier).await
    }

    pub(crate) async fn exchange_at(
        &self,
        (name, host): (PlatformName, &str),
        code: &str,
        verifier: &str,
    ) -> Result<Vec<GrantedAccount>, ExchangeError> {
        let redirect_uri = self.redirect_uri(name);
        let (server, app) = self.at(name, host).await;
        let (code, verifier, carried) = (code.into(), verifier.into(), self.carried.lock().await.clone());
        let (server, carried) = (server.as_ref(), carried.as_ref());
        let back = Callback { code: &code, code_verifier: &verifier, redirect_uri: &redirect_uri, server, carried };
        self.platform(name).exchange(&app, &back, self.now()).await
    }

    /// Consent and exchange in one. The tokens are as they are when they leave the vault.
    pub(crate) async fn connect(&self, name: PlatformName, fields: &[(&str, &str)]) -> Result<Vec<GrantedAccount>, ExchangeError> {
        self.connect_at((name, usual(name)), fields).await
    }

    pub(crate) async fn connect_at(
        &self,
        (name, host): (PlatformName, &str),
        fields: &[(&str, &str)],
    ) -> Result<Vec<GrantedAccount>, ExchangeError> {
        let mut form = vec![("decision", "allow")];
        form.extend(fields);
        let callback = self.consent_at(name, host, &form).await;
        assert_eq!(param(&callback, "state").as_deref(), Some("a state"));
        let granted = self.exchange_at((name, host), &param(&callback, "code").unwrap(), VERIFIER).await?;
        let app = self.app_of(name);
        let ready =
            |account: GrantedAccount| GrantedAccount { tokens: self.platform(name).proven(&app, account.tokens.clone()), ..account };
        Ok(granted.into_iter().map(ready).collect())
    }

    pub(crate) async fn connect_one(&self, name: PlatformName) -> GrantedAccount {
        self.connect(name, &[]).await.unwrap().remove(0)
    }

    fn control(&self, name: PlatformName, what: &str) -> Url {
        self.base.join(&format!("/_sim/{name}/{what}")).unwrap()
    }

    pub(crate) async fn read(&self, name: PlatformName, what: &str) -> Value {
        self.browser.get(self.control(name, what)).send().await.unwrap().json().await.unwrap()
    }

    /// The texts that the platform holds, newest first.
    pub(crate) async fn texts(&self, name: PlatformName) -> Vec<String> {
        let posts = self.read(name, "posts").await;
        posts["items"].as_array().unwrap().iter().map(|post| post["text"].as_str().unwrap().to_owned()).collect()
    }

    pub(crate) async fn fault(&self, name: PlatformName, fault: Value) -> StatusCode {
        self.browser.post(self.control(name, "faults")).json(&fault).send().await.unwrap().status()
    }

    pub(crate) async fn clear_faults(&self, name: PlatformName) {
        let status = self.browser.delete(self.control(name, "faults")).send().await.unwrap().status();
        assert_eq!(status, StatusCode::NO_CONTENT);
    }
}

/// What a user names where the network asks for something.
fn usual(name: PlatformName) -> &'static str {
    if name.descriptor().has_servers() { HOST } else { HANDLE }
}

pub(crate) fn account(granted: &GrantedAccount) -> Account<'_> {
    Account {
        id: &granted.account_id,
        username: &granted.username,
        kind: granted.kind,
        server: granted.server.as_ref(),
        tokens: &granted.tokens,
    }
}

/// Whoever these tokens act for, where the network does not ask who it is.
pub(crate) fn acting(tokens: &TokenSet) -> Account<'_> {
    Account { id: "", username: "", kind: AccountKind::Profile, server: None, tokens }
}

/// Publishes a text under a key of its own: all that comes before, and then the call that shows it.
pub(crate) async fn publish(platform: &dyn Platform, account: Account<'_>, text: &str, now: Timestamp) -> Outcome {
    let content = Content { text: text.to_owned(), ai_recommendation: None };
    publish_as(content.hash().as_str(), platform, account, text, now).await
}

/// The same under this key.
pub(crate) async fn publish_as(key: &str, platform: &dyn Platform, account: Account<'_>, text: &str, now: Timestamp) -> Outcome {
    let content = Content { text: text.to_owned(), ai_recommendation: None };
    static CALLS: AtomicI64 = AtomicI64::new(0);
    // No two calls come in one moment, and less than a millisecond shows nowhere.
    let now = now + SignedDuration::from_nanos(CALLS.fetch_add(1, Ordering::SeqCst) % 1_000_000);
    let call = Call { account, content: &content, key, time_left: Duration::from_secs(25), now };
    match prepared(platform, &call).await {
        Ok(prepared) => platform.commit(&call, &prepared).await,
        Err(error) => unprepared(error),
    }
}

/// What is ready to be shown, at a network that makes nobody wait.
pub(crate) async fn prepared(platform: &dyn Platform, call: &Call<'_>) -> Result<Prepared, PrepareError> {
    let mut so_far = None;
    for _ in 0..STEPS_MAX {
        match platform.prepare(call, so_far).await? {
            Advance::Made(made) => so_far = Some(made),
            Advance::Ready(prepared) => return Ok(prepared),
            Advance::Wait(..) => panic!("the network is at work"),
        }
    }
    panic!("the preparation does not end")
}

/// What it means for the post that nothing was prepared.
fn unprepared(error: PrepareError) -> Outcome {
    match error {
        PrepareError::Rejected { code, http_status, detail } => Outcome::Rejected { code, http_status, detail },
        PrepareError::TokenRefused { http_status } => Outcome::TokenRefused { http_status },
        PrepareError::Limited { until, http_status } => Outcome::Limited { until, http_status },
        PrepareError::Unavailable { detail } => Outcome::NotSent { detail },
    }
}

/// Tokens for tokens, at a network that has a refresh token.
pub(crate) async fn refresh(
    platform: &dyn Platform,
    app: &AppCredentials,
    tokens: &TokenSet,
    now: Timestamp,
) -> Result<TokenSet, RefreshError> {
    platform.renew(app, acting(tokens), now).await.map(|renewed| match renewed {
        Renewed::Tokens(tokens) => tokens,
        other => panic!("{other:?}"),
    })
}

/// When a limit ends by the word of a network whose double was told this end. LinkedIn's limits are those of a day of UTC.
pub(crate) fn told_end(name: PlatformName, end: Timestamp) -> Timestamp {
    match name {
        PlatformName::LinkedIn => end.to_zoned(TimeZone::UTC).tomorrow().unwrap().start_of_day().unwrap().timestamp(),
        _ => end,
    }
}

pub(crate) fn param(url: &Url, name: &str) -> Option<String> {
    url.query_pairs().find(|(of, _)| of == name).map(|(_, value)| value.into_owned())
}
