//! What all networks with OAuth 2.0 share: the consent address, the code and the refresh token (RFC 6749, RFC 7636).
//!
//! The crate `oauth2` makes the requests and reads the tokens. The calls go over [`Http`], so time-outs, limits and the rule against redirects
//! hold here, too. The crate's own errors are neither read nor shown: some hold the raw body, and only the adapter's table knows what an
//! answer proves. State and code verifier are handed in.

mod answer;
mod refusal;

use std::borrow::Cow;
use std::pin::Pin;
use std::sync::OnceLock;

use domain::people::CodeVerifier;
use domain::platform::Scopes;
use http::header::AUTHORIZATION;
use oauth2::basic::{BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse};
use oauth2::{
    AsyncHttpClient, AuthType, AuthUrl, AuthorizationCode, AuthorizationRequest, ClientId, ClientSecret, CsrfToken, EndpointNotSet,
    EndpointSet, HttpRequest, HttpResponse, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, RefreshToken, RequestTokenError, Scope,
    StandardRevocableToken, TokenUrl,
};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

pub(crate) use answer::TokenAnswer;
pub(crate) use refusal::{RefreshClass, RefreshRow, exchange_error, refresh_error, revoked};

use crate::http::{Answer, CALL_TIMEOUT, Http, SendError};
use crate::{AppCredentials, Ask, Callback};

type Client<Token = EndpointNotSet> = oauth2::Client<
    BasicErrorResponse,
    TokenAnswer,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    Token,
>;

/// Where to send the browser for consent to `scopes`. `asking` adds the challenge and whatever is the network's own.
pub(crate) fn consent_address(
    page: Url,
    scopes: &Scopes,
    app: &AppCredentials,
    ask: &Ask<'_>,
    asking: impl FnOnce(AuthorizationRequest<'_>) -> AuthorizationRequest<'_>,
) -> Url {
    // To the crate they are one scope: it knows no separator but the space.
    let scopes = Scope::new(scopes.asked());
    let client = Client::<EndpointNotSet>::new(ClientId::new(app.client_id.clone()))
        .set_auth_uri(AuthUrl::from_url(page))
        .set_redirect_uri(RedirectUrl::from_url(ask.redirect_uri.clone()));
    let (address, _state) = asking(client.authorize_url(|| CsrfToken::new(owned(ask.state))).add_scope(scopes)).url();
    address
}

/// The `code_challenge` of method `S256`, which anyone may see (RFC 7636 §4.2).
pub(crate) fn challenge(verifier: &CodeVerifier) -> PkceCodeChallenge {
    // The crate panics where a verifier is shorter than 43 letters or longer than 128. Each of ours has 43.
    PkceCodeChallenge::from_code_verifier_sha256(&PkceCodeVerifier::new(owned(verifier.secret())))
}

/// Why there are no tokens.
#[derive(Debug)]
pub(crate) enum NoTokens {
    /// No answer came.
    NoAnswer(SendError),
    /// An answer without tokens, or none of a success, for the adapter's table.
    Answer(Box<Answer>),
}

/// How our app names itself where it is given tokens (RFC 6749 §2.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClientAuth {
    /// By HTTP Basic.
    Basic,
    /// By `client_id` and `client_secret` in the form.
    Form,
}

/// Where a network gives tokens to our app.
pub(crate) struct TokenEndpoint<'a> {
    pub(crate) url: Url,
    pub(crate) app: &'a AppCredentials,
    pub(crate) auth: ClientAuth,
    pub(crate) http: &'a Http,
}

impl TokenEndpoint<'_> {
    /// Redeems a code, once; with its verifier where the consent had a challenge.
    pub(crate) async fn exchange(&self, back: &Callback<'_>, verifier: Option<&SecretString>) -> Result<TokenAnswer, NoTokens> {
        let (client, call) = (self.client(), Call { to: self, kept: OnceLock::new() });
        let request = client
            .exchange_code(AuthorizationCode::new(owned(back.code)))
            .set_redirect_uri(Cow::Owned(RedirectUrl::from_url(back.redirect_uri.clone())));
        let request = match verifier {
            Some(verifier) => request.set_pkce_verifier(PkceCodeVerifier::new(owned(verifier))),
            None => request,
        };
        let answered = request.request_async(&call).await;
        answered.map_err(|error| no_tokens(error, call.kept.into_inner()))
    }

    /// Shows a refresh token, once.
    pub(crate) async fn refresh(&self, token: &SecretString) -> Result<TokenAnswer, NoTokens> {
        let (client, call) = (self.client(), Call { to: self, kept: OnceLock::new() });
        let token = RefreshToken::new(owned(token));
        let answered = client.exchange_refresh_token(&token).request_async(&call).await;
        answered.map_err(|error| no_tokens(error, call.kept.into_inner()))
    }

    fn client(&self) -> Client<EndpointSet> {
        Client::<EndpointNotSet>::new(ClientId::new(self.app.client_id.clone()))
            .set_client_secret(ClientSecret::new(owned(&self.app.client_secret)))
            .set_auth_type(match self.auth {
                ClientAuth::Basic => AuthType::BasicAuth,
                ClientAuth::Form => AuthType::RequestBody,
            })
            .set_token_uri(TokenUrl::from_url(self.url.clone()))
    }
}

/// The crate's way to our client, for one call. Not a closure: where one borrows, Rust cannot see that the crate's future is `Send`.
struct Call<'a> {
    to: &'a TokenEndpoint<'a>,
    /// The answer as it came.
    kept: OnceLock<Answer>,
}

impl<'c> AsyncHttpClient<'c> for Call<'_> {
    type Error = SendError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, SendError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.send(request))
    }
}

impl Call<'_> {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, SendError> {
        let TokenEndpoint { url, app, auth, http } = self.to;
        let (mut parts, form) = request.into_parts();
        // The crate form-encodes id and secret before base64 (RFC 6749 §2.3.1). X's manual takes them as they are, and so does our revocation.
        parts.headers.remove(AUTHORIZATION);
        let request = http.request(parts.method, url.clone()).headers(parts.headers).body(form);
        let request = match auth {
            ClientAuth::Basic => request.basic_auth(&app.client_id, Some(app.client_secret.expose_secret())),
            ClientAuth::Form => request,
        };
        let answer = http.send(request, CALL_TIMEOUT).await?;
        let response = readable(&answer);
        // Nothing was kept before: the crate makes one call a request.
        let _ = self.kept.set(answer);
        Ok(response)
    }
}

/// What the crate reads of an answer. It refuses a 201, and JSON under another content type. After a rotation such a refusal would lose the
/// account, so each success is a bare 200. Of anything else it gets the status alone.
fn readable(answer: &Answer) -> HttpResponse {
    let mut response = HttpResponse::default();
    if answer.status.is_success() {
        answer.body().clone_into(response.body_mut());
    } else {
        *response.status_mut() = answer.status;
    }
    response
}

/// The crate's error is dropped unread where there is an answer.
fn no_tokens(error: RequestTokenError<SendError, BasicErrorResponse>, kept: Option<Answer>) -> NoTokens {
    match (kept, error) {
        (Some(answer), _) => NoTokens::Answer(Box::new(answer)),
        (None, RequestTokenError::Request(error)) => NoTokens::NoAnswer(error),
        (None, _) => NoTokens::NoAnswer(SendError::NotSent { detail: "the request could not be made".to_owned() }),
    }
}

fn owned(secret: &SecretString) -> String {
    secret.expose_secret().to_owned()
}

#[cfg(test)]
mod tests {
    use data_encoding::BASE64URL_NOPAD;

    use super::*;

    #[test]
    fn the_challenge_is_that_of_rfc_7636_appendix_b() {
        let entropy = BASE64URL_NOPAD.decode(b"dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk").unwrap();
        let verifier = CodeVerifier::from_entropy(entropy.try_into().unwrap());
        assert_eq!(challenge(&verifier).as_str(), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }

    #[test]
    fn a_success_of_any_kind_reaches_the_crate_as_a_bare_200_and_no_refusal_shows_its_body() {
        for (status, read, body) in [(200, 200, "{}"), (201, 200, "{}"), (202, 200, "{}"), (302, 302, ""), (400, 400, ""), (503, 503, "")] {
            let response = readable(&Answer::recorded(status, &[("content-type", "text/plain")], "{}"));
            assert_eq!((response.status().as_u16(), response.body().as_slice()), (read, body.as_bytes()), "{status}");
            assert!(response.headers().is_empty(), "{status}");
        }
    }

    #[test]
    fn an_answer_outweighs_what_the_crate_makes_of_it_and_shows_nothing_of_its_body() {
        let app = AppCredentials { client_id: "app".into(), client_secret: "canary-secret".into() };
        let (url, http) = (Url::parse("https://api.example/token").unwrap(), Http::new(true).unwrap());
        let client = TokenEndpoint { url, app: &app, auth: ClientAuth::Basic, http: &http }.client();
        // What the crate says of an answer as it came.
        let said = |response: HttpResponse| {
            let request = client.exchange_code(AuthorizationCode::new("canary-code".to_owned()));
            request.request(&|_| Ok::<_, SendError>(response.clone())).unwrap_err()
        };
        let unread = br#"{"access_token":["canary-token"]}"#.to_vec();
        let refusal = br#"{"error":"invalid_grant","error_description":"canary-token"}"#.to_vec();
        let recorded = || Answer::recorded(400, &[("x-canary", "canary-token")], "canary-token");
        let refused = http::Response::builder().status(400).body(refusal).unwrap();
        let typed = http::Response::builder().header("content-type", "text/canary").body(unread.clone()).unwrap();
        assert!(matches!(said(refused.clone()), RequestTokenError::ServerResponse(_)));
        assert!(matches!(said(typed.clone()), RequestTokenError::Other(_)));
        assert!(matches!(said(HttpResponse::new(unread.clone())), RequestTokenError::Parse(..)));
        for response in [refused, typed, HttpResponse::new(unread)] {
            let judged = no_tokens(said(response.clone()), Some(recorded()));
            assert!(matches!(&judged, NoTokens::Answer(answer) if answer.status.as_u16() == 400), "{judged:?}");
            let unsent = no_tokens(said(response), None);
            assert!(matches!(unsent, NoTokens::NoAnswer(SendError::NotSent { .. })), "{unsent:?}");
            assert!(!format!("{judged:?} {judged:#?} {unsent:?} {unsent:#?}").contains("canary"));
        }
    }
}
