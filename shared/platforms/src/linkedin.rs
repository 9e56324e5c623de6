//! LinkedIn: members and organizations, by the versioned API.
//!
//! Speaks to the consent page, `/oauth/v2/accessToken`, `/oauth/v2/revoke`, `/v2/userinfo`, `/rest/organizationAcls`, `/rest/organizations`,
//! `/rest/posts` and `/rest/organizationalEntityShareStatistics`; see <https://learn.microsoft.com/linkedin/marketing>. A member may make some
//! 150 posts a day; other limits are not published, and all begin anew at midnight UTC. An account's id is its URN. What a member has posted
//! nobody may read; an organization's posts can be listed. Which of LinkedIn's errors become which of ours stands in `linkedin/errors.rs`.

mod accounts;
mod errors;
mod little;
mod numbers;
mod oauth;
mod paging;
mod posts;
mod urn;

use async_trait::async_trait;
use domain::people::Issuer;
use domain::platform::{API, AUTHORIZE, AccountKind, OAUTH, PlatformAddresses, PlatformName};
use domain::token::TokenSet;
use http::Method;
use jiff::Timestamp;
use outbound::Request;
use secrecy::ExposeSecret;
use url::Url;

use crate::http::{Clients, Http};
use crate::oauth::consent_address;
use crate::{
    Account, AppCredentials, Ask, AuthorizeError, Call, Callback, Consent, ExchangeError, GrantedAccount, NoCode, NumbersError, Outcome,
    OwnPost, Platform, Prepared, Published, ReadError, RefreshError, Renewed, RevokeError, Told, address, comparable,
};

/// What the consent page sends back when the person closes it, or its login.
const CANCELLED: [&str; 2] = ["user_cancelled_login", "user_cancelled_authorize"];

/// The adapter.
pub(crate) struct LinkedIn {
    pub(crate) authorize_url: Url,
    pub(crate) oauth_url: Url,
    pub(crate) api_url: Url,
    pub(crate) version: String,
    pub(crate) http: Http,
}

impl LinkedIn {
    /// LinkedIn where `addresses` say that it is.
    pub(crate) fn new(addresses: &PlatformAddresses, clients: Clients) -> Self {
        let at = |key| addresses.url(PlatformName::LinkedIn, key).clone();
        let version = addresses.version(PlatformName::LinkedIn).to_owned();
        Self { authorize_url: at(AUTHORIZE), oauth_url: at(OAUTH), api_url: at(API), version, http: clients.configured }
    }

    /// The issuer of LinkedIn's `OpenID` metadata, which does not announce `iss`.
    fn issuer(&self) -> Issuer {
        Issuer::unannounced(format!("{}/oauth", address::above(&self.authorize_url, "/oauth/v2/authorization")))
    }

    /// LinkedIn's flow for websites takes no code challenge.
    fn consent_page(&self, app: &AppCredentials, ask: &Ask<'_>) -> Url {
        consent_address(self.authorize_url.clone(), &self.descriptor().scopes, app, ask, |request| request)
    }

    /// The address of a resource of the versioned API. What `query` holds is encoded already: its lists are written with brackets.
    fn resource(&self, name: &str, query: &str) -> Url {
        let mut url = address::join(&self.api_url, &["rest", name]);
        url.set_query(Some(query).filter(|query| !query.is_empty()));
        url
    }

    /// A call of the versioned API. `kind` names what Rest.li cannot tell from method and address alone.
    fn call(&self, method: Method, url: Url, tokens: &TokenSet, kind: Option<&'static str>) -> Request {
        let request = self.http.request(method, url).bearer_auth(tokens.access.expose_secret());
        let request = request.header("LinkedIn-Version", &self.version).header("X-Restli-Protocol-Version", "2.0.0");
        match kind {
            Some(kind) => request.header("X-RestLi-Method", kind),
            None => request,
        }
    }
}

#[async_trait]
impl Platform for LinkedIn {
    fn name(&self) -> PlatformName {
        PlatformName::LinkedIn
    }

    async fn authorize(&self, app: &AppCredentials, ask: &Ask<'_>) -> Result<Consent, AuthorizeError> {
        Ok(Consent::at(self.consent_page(app, ask), self.issuer()))
    }

    fn is_denial(&self, instead: NoCode<'_>) -> bool {
        instead.error.is_some_and(|error| error == "access_denied" || CANCELLED.contains(&error))
    }

    async fn exchange(&self, app: &AppCredentials, back: &Callback<'_>, now: Timestamp) -> Result<Vec<GrantedAccount>, ExchangeError> {
        self.granted_accounts(app, back, now).await
    }

    async fn renew(&self, app: &AppCredentials, of: Account<'_>, now: Timestamp) -> Result<Renewed, RefreshError> {
        self.renewed(app, of.tokens, now).await
    }

    async fn commit(&self, call: &Call<'_>, _prepared: &Prepared) -> Outcome {
        self.create_post(call).await
    }

    async fn own_posts(
        &self,
        account: Account<'_>,
        since: Timestamp,
        until: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Vec<OwnPost>, ReadError> {
        self.list_posts(account, (since, until), now).await
    }

    /// A member's numbers are told to approved partners alone, so nothing is asked.
    async fn numbers(&self, account: Account<'_>, post: Published<'_>, now: Timestamp) -> Result<Told, NumbersError> {
        match account.kind {
            AccountKind::Organization => self.read_numbers(account, post, now).await,
            AccountKind::Profile | AccountKind::Page => Ok(Told::default()),
        }
    }

    /// Texts that were read are as people see them already: an escape is undone where it is known to be one.
    fn comparable(&self, text: &str) -> String {
        comparable::plain(text)
    }

    /// Takes back the tokens, which all accounts of the consent share.
    async fn revoke(&self, app: &AppCredentials, of: Account<'_>, _now: Timestamp) -> Result<(), RevokeError> {
        self.revoke_grant(app, of.tokens).await
    }
}

#[cfg(test)]
mod tests {
    use domain::people::CodeVerifier;

    use super::*;

    fn linkedin() -> LinkedIn {
        let http = Http::new(true).unwrap();
        LinkedIn::new(&PlatformAddresses::default(), Clients { configured: http.clone(), named: http })
    }

    #[test]
    fn the_consent_address_carries_no_challenge_and_asks_for_both_kinds_of_account() {
        let app = AppCredentials { client_id: "app".into(), client_secret: "hidden".into() };
        let redirect_uri = Url::parse("https://app.example/oauth/linkedin/callback").unwrap();
        let code_verifier = CodeVerifier::from_entropy([4; 32]);
        let url = linkedin().consent_page(
            &app,
            &Ask {
                state: &"st".into(),
                code_verifier: &code_verifier,
                redirect_uri: &redirect_uri,
                named: None,
                entropy: &[0; 32],
                now: Timestamp::UNIX_EPOCH,
            },
        );
        assert_eq!(
            url.as_str(),
            "https://www.linkedin.com/oauth/v2/authorization?response_type=code&client_id=app&state=st\
             &redirect_uri=https%3A%2F%2Fapp.example%2Foauth%2Flinkedin%2Fcallback\
             &scope=openid+profile+w_member_social+w_organization_social+r_organization_social+r_organization_admin"
        );
    }

    #[test]
    fn leaving_the_page_is_a_denial_and_our_own_fault_is_none() {
        let is_denial = |error| linkedin().is_denial(NoCode { error: Some(error), error_code: None });
        assert!(is_denial("user_cancelled_login") && is_denial("user_cancelled_authorize") && is_denial("access_denied"));
        assert!(!is_denial("unauthorized_scope_error") && !is_denial("server_error"));
        assert_eq!(linkedin().issuer().identifier(), "https://www.linkedin.com/oauth");
    }

    #[test]
    fn an_address_keeps_its_lists_as_they_are() {
        let list = linkedin().resource("posts", "q=author&author=urn%3Ali%3Aorganization%3A7&ids=List(a,b)");
        assert_eq!(list.as_str(), "https://api.linkedin.com/rest/posts?q=author&author=urn%3Ali%3Aorganization%3A7&ids=List(a,b)");
    }
}
