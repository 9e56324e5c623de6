//! Our app at each server, consents, and the account that one is for.

use domain::platform::{AccountKind, Named, PlatformName, Scopes, Server, ServerName};
use domain::token::TokenSet;
use http::Method;
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use url::Url;

use super::server::{address_of, asked, refused};
use super::{Mastodon, NO_SERVER, qualified};
use crate::http::CALL_TIMEOUT;
use crate::oauth::{ClientAuth, TokenEndpoint, challenge, consent_address, exchange_error, revoked};
use crate::{Account, AppCredentials, Ask, AuthorizeError, Callback, Consent, ExchangeError, GrantedAccount, RevokeError, address, detail};

/// The name under which people see our app at their servers.
const APP_NAME: &str = "Postledger";

/// What our app may ever ask for at a server. An app cannot be given more later, so this has more than a consent asks for.
const REGISTERED_SCOPES: &str = "read:accounts read:statuses write:statuses write:media";

#[derive(Deserialize)]
struct App {
    client_id: String,
    client_secret: SecretString,
}

#[derive(Deserialize)]
struct Me {
    id: String,
    username: String,
}

fn scopes() -> &'static Scopes {
    &PlatformName::Mastodon.descriptor().scopes
}

impl Mastodon {
    /// Makes our app known to a server. Each call makes another app.
    pub(super) async fn register_app(&self, server: &ServerName, redirect_uri: &Url) -> Result<AppCredentials, AuthorizeError> {
        let form = [("client_name", APP_NAME), ("redirect_uris", redirect_uri.as_str()), ("scopes", REGISTERED_SCOPES)];
        let request = self.http.request(Method::POST, address::join(&address_of(server)?, &["api", "v1", "apps"])).form(&form);
        let answer = asked(self.http.send(request, CALL_TIMEOUT).await)?;
        match answer.json::<App>() {
            Some(App { client_id, client_secret }) if answer.status.is_success() && !client_id.is_empty() => {
                Ok(AppCredentials { client_id, client_secret })
            }
            // A web site that is no such server answers with a page, leads elsewhere, or knows no such address.
            _ if !answer.status.is_server_error() && answer.status.as_u16() != 429 => Err(refused("the server takes no apps")),
            _ => Err(AuthorizeError::Unavailable { detail: detail::of_answer(answer.status.as_u16(), &[Some("apps")]) }),
        }
    }

    /// The page of the server that the user named. What the server says of itself is carried to the callback, where time is short.
    pub(super) async fn consent(&self, app: &AppCredentials, ask: &Ask<'_>) -> Result<Consent, AuthorizeError> {
        let named = ask.named.and_then(Named::server).ok_or_else(|| refused(NO_SERVER))?;
        let (server, issuer) = self.described(named).await?;
        let page = self.http.address_of(&address::join(&server.api, &["oauth", "authorize"]));
        let page = page.map_err(|refusal| refused(&refusal.to_string()))?;
        // Servers before 4.3 take the challenge, and ask for no verifier.
        let url = consent_address(page, scopes(), app, ask, |request| request.set_pkce_challenge(challenge(ask.code_verifier)));
        let carried = serde_json::to_string(&server).map_err(|_| refused("the server cannot be described"))?;
        Ok(Consent { url, issuer, carried: Some(carried.into()) })
    }

    /// Turns a code into the one account that it is for.
    pub(super) async fn granted_account(
        &self,
        app: &AppCredentials,
        back: &Callback<'_>,
        now: Timestamp,
    ) -> Result<GrantedAccount, ExchangeError> {
        let server = carried(back).ok_or_else(|| ExchangeError::Refused { detail: NO_SERVER.to_owned() })?;
        let url = address::join(&server.api, &["oauth", "token"]);
        let endpoint = TokenEndpoint { url, app, auth: ClientAuth::Form, http: &self.http };
        let answer = endpoint.exchange(back, Some(back.code_verifier)).await.map_err(exchange_error)?;
        let tokens = with_what_is_covered(answer.into_tokens(scopes().required, None, now));
        let missing = scopes().required.iter().filter(|scope| !tokens.scopes.iter().any(|granted| granted == *scope));
        let missing_scopes: Vec<_> = missing.map(|scope| (*scope).to_owned()).collect();
        if missing_scopes.iter().any(|scope| scope == "read:accounts") {
            return Err(ExchangeError::ScopeMissing { missing: missing_scopes });
        }
        self.identified(&server, tokens, missing_scopes).await
    }

    async fn identified(&self, server: &Server, tokens: TokenSet, missing_scopes: Vec<String>) -> Result<GrantedAccount, ExchangeError> {
        let url = address::join(&server.api, &["api", "v1", "accounts", "verify_credentials"]);
        let sent = self.http.send(self.call(Method::GET, url, &tokens), CALL_TIMEOUT).await;
        let answer = sent.map_err(|error| ExchangeError::Unavailable { detail: error.into_detail() })?;
        match answer.json::<Me>() {
            Some(me) if answer.status.is_success() && address::is_id(&me.id) && is_username(&me.username) => {
                let account_id = qualified(&me.id, server);
                Ok(GrantedAccount {
                    username: qualified(&me.username, server),
                    kind: AccountKind::Profile,
                    server: Some(server.clone()),
                    // Each consent of the person brings the same token, whoever of ours asked for it.
                    grantor: Some(account_id.clone()),
                    account_id,
                    tokens,
                    missing_scopes,
                })
            }
            _ => Err(ExchangeError::Unavailable { detail: detail::of_answer(answer.status.as_u16(), &[Some("verify_credentials")]) }),
        }
    }

    /// A token that the server does not know any more is taken back, and its answer is the same.
    pub(super) async fn revoke_token(&self, app: &AppCredentials, of: Account<'_>) -> Result<(), RevokeError> {
        let server = of.server.ok_or_else(|| RevokeError { detail: NO_SERVER.to_owned() })?;
        let form = [
            ("client_id", app.client_id.as_str()),
            ("client_secret", app.client_secret.expose_secret()),
            ("token", of.tokens.access.expose_secret()),
        ];
        let request = self.http.request(Method::POST, address::join(&server.api, &["oauth", "revoke"])).form(&form);
        revoked(self.http.send(request, CALL_TIMEOUT).await, &[])
    }
}

/// The server that was described when the consent began: the one that the flow names.
fn carried(back: &Callback<'_>) -> Option<Server> {
    let server: Server = serde_json::from_str(back.carried?.expose_secret()).ok()?;
    (server.api.host_str() == back.server.map(ServerName::as_str)).then_some(server)
}

/// The scopes by the names that we ask for them: a server may say that it granted all of `read`.
fn with_what_is_covered(mut tokens: TokenSet) -> TokenSet {
    let wider = |scope: &str| scope.split(':').next().is_some_and(|whole| tokens.scopes.iter().any(|granted| granted == whole));
    let covered: Vec<_> = scopes().required.iter().filter(|scope| wider(scope)).map(|scope| (*scope).to_owned()).collect();
    tokens.scopes.extend(covered);
    tokens
}

/// Whether it can stand in a link: some software has points and hyphens in names.
fn is_username(name: &str) -> bool {
    (1..=100).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wide_scope_covers_what_it_holds() {
        let scopes = |granted: &[&str]| {
            let scopes = granted.iter().map(|scope| (*scope).to_owned()).collect();
            with_what_is_covered(TokenSet { scopes, ..TokenSet::bare("t".into()) }).scopes
        };
        assert_eq!(scopes(&["read", "write"]), ["read", "write", "read:accounts", "read:statuses", "write:statuses"]);
        assert_eq!(scopes(&["read", "write:media"]), ["read", "write:media", "read:accounts", "read:statuses"]);
        assert_eq!(scopes(&["read:accounts"]), ["read:accounts"]);
    }

    #[test]
    fn a_name_stays_a_name_in_a_link() {
        assert!(is_username("ada_l") && is_username("some.one-2"));
        for bad in ["", "a/b", "a b", "a@b", "<b>", &"a".repeat(101)] {
            assert!(!is_username(bad), "{bad}");
        }
    }
}
