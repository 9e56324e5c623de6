//! The authorization flow that connects an account: state, proof key, and who may finish it.

use std::fmt;

use data_encoding::BASE64URL_NOPAD;
use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use zeroize::Zeroizing;

use super::flow_end::FlowError;
use super::hash::{sha256_hex, stored_hash};
use super::issuer::Issuer;
use super::limit::Limit;
use super::return_path::ReturnPath;
use super::session::SessionHash;
use crate::id::UserId;
use crate::platform::{App, PlatformName, ServerName};

/// How long a person may take at the platform's consent page.
pub const LIFETIME: SignedDuration = SignedDuration::from_mins(10);
/// Flows that one account begins: more than somebody needs who connects a hundred accounts and is refused now and then.
pub const BEGUN_BY_USER: Limit = Limit { name: "consents-begun", max: 120, span: SignedDuration::from_hours(1) };
/// Servers at which one account has our app registered: more than somebody needs who connects what they have, and no way of calling the
/// internet in our name.
pub const SERVERS_OF_USER: Limit = Limit { name: "servers-registered", max: 3, span: SignedDuration::from_hours(24) };
/// The length of 32 bytes in base64url.
const STATE_LETTERS: usize = 43;

/// A text that is not a state of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a state")]
pub struct NotAState;

/// OAuth's `state` (RFC 6749 §10.12): 256 random bits that name the flow. `Debug` shows nothing of it.
#[derive(Clone)]
pub struct FlowState(Zeroizing<[u8; 32]>);

impl FlowState {
    /// A new state from fresh random bytes.
    pub fn from_entropy(entropy: [u8; 32]) -> Self {
        Self(Zeroizing::new(entropy))
    }

    /// Accepts exactly what [`Self::expose`] gives.
    pub fn parse(text: &str) -> Result<Self, NotAState> {
        if text.len() != STATE_LETTERS {
            return Err(NotAState);
        }
        let decoded = BASE64URL_NOPAD.decode(text.as_bytes()).map_err(|_| NotAState)?;
        Ok(Self::from_entropy(<[u8; 32]>::try_from(decoded).map_err(|_| NotAState)?))
    }

    /// 43 letters of base64url, for the authorization request alone.
    pub fn expose(&self) -> String {
        BASE64URL_NOPAD.encode(&*self.0)
    }

    /// The name under which the flow is stored.
    pub fn hash(&self) -> StateHash {
        StateHash(sha256_hex(&*self.0))
    }
}

impl fmt::Debug for FlowState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FlowState(…)")
    }
}

stored_hash!(
    /// SHA-256 of a flow's state.
    StateHash
);

/// The secret of a proof key (PKCE, RFC 7636): 43 letters. `Debug` shows none of them.
#[derive(Debug, Clone)]
pub struct CodeVerifier(SecretString);

impl CodeVerifier {
    /// A new verifier from fresh random bytes.
    pub fn from_entropy(entropy: [u8; 32]) -> Self {
        Self(BASE64URL_NOPAD.encode(&entropy).into())
    }

    /// The verifier, for its challenge, the flow's row and the token request.
    pub fn secret(&self) -> &SecretString {
        &self.0
    }
}

/// A flow between its start and its callback. It is used once: whoever takes the row from the table has it.
#[derive(Debug, Clone)]
pub struct OAuthFlow {
    /// Its name.
    pub state_hash: StateHash,
    /// Who started it.
    pub user_id: UserId,
    /// In which browser.
    pub session_hash: SessionHash,
    /// Where.
    pub platform: PlatformName,
    /// Where the browser goes afterwards.
    pub return_to: ReturnPath,
    /// The platform's id of the one account that may come of it: set where a connection is to be made anew.
    pub account_id: Option<String>,
    /// The server that the user named, where each has an app of ours of its own.
    pub server: Option<ServerName>,
    /// Who may answer; `None` before it is known.
    pub issuer: Option<Issuer>,
    /// Proves to the platform that start and callback are one flow.
    pub code_verifier: SecretString,
    /// What the platform's adapter needs again at the callback.
    pub carried: Option<SecretString>,
    /// When it was started.
    pub created_at: Timestamp,
    /// From when on its callback is refused.
    pub expires_at: Timestamp,
}

impl OAuthFlow {
    /// A flow of `user_id` in the session `session_hash`.
    pub fn open(
        state: &FlowState,
        verifier: &CodeVerifier,
        (user_id, session_hash): (UserId, SessionHash),
        platform: PlatformName,
        return_to: ReturnPath,
        now: Timestamp,
    ) -> Self {
        Self {
            state_hash: state.hash(),
            user_id,
            session_hash,
            platform,
            return_to,
            account_id: None,
            server: None,
            issuer: None,
            code_verifier: verifier.secret().clone(),
            carried: None,
            created_at: now,
            expires_at: now + LIFETIME,
        }
    }

    /// The same flow for one account alone: a consent of another one connects nothing.
    #[must_use]
    pub fn only_for(self, account_id: String) -> Self {
        Self { account_id: Some(account_id), ..self }
    }

    /// The same flow at a server.
    #[must_use]
    pub fn at(self, server: Option<ServerName>) -> Self {
        Self { server, ..self }
    }

    /// The platform was asked: `issuer` may answer, and `carried` comes back to its adapter with the answer.
    #[must_use]
    pub fn begun(self, issuer: Issuer, carried: Option<SecretString>) -> Self {
        Self { issuer: Some(issuer), carried, ..self }
    }

    /// The app that was named to the platform.
    pub fn app(&self) -> App {
        App { platform: self.platform, server: self.server.clone() }
    }

    /// Whether a callback that names `iss` can be the answer of whoever was asked. What another says, good or bad, is not about this flow.
    pub fn allows(&self, iss: Option<&str>) -> bool {
        self.issuer.as_ref().map_or(iss.is_none(), |issuer| issuer.allows(iss))
    }

    /// Whether a callback in the session `session_hash`, on the path of `platform`, may finish this flow.
    pub fn accept(&self, session_hash: &SessionHash, platform: PlatformName, now: Timestamp) -> Result<(), FlowError> {
        if now >= self.expires_at || platform != self.platform {
            Err(FlowError::StateInvalid)
        } else if *session_hash != self.session_hash {
            Err(FlowError::SessionMismatch)
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use secrecy::ExposeSecret;

    use super::*;
    use crate::people::session::SessionToken;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn browser(number: u8) -> SessionHash {
        SessionToken::from_entropy([number; 32]).hash()
    }

    fn flow() -> OAuthFlow {
        let (state, verifier) = (FlowState::from_entropy([3; 32]), CodeVerifier::from_entropy([4; 32]));
        OAuthFlow::open(&state, &verifier, (UserId::new(at(0), [2; 10]), browser(1)), PlatformName::X, ReturnPath::Connections, at(0))
    }

    #[test]
    fn only_the_browser_that_started_a_flow_finishes_it_in_time_at_its_platform() {
        for (why, session, platform, now, expected) in [
            ("in time", browser(1), PlatformName::X, 599, Ok(())),
            ("too late", browser(1), PlatformName::X, 600, Err(FlowError::StateInvalid)),
            ("other platform", browser(1), PlatformName::Facebook, 1, Err(FlowError::StateInvalid)),
            ("other browser", browser(2), PlatformName::X, 1, Err(FlowError::SessionMismatch)),
        ] {
            assert_eq!(flow().accept(&session, platform, at(now)), expected, "{why}");
        }
    }

    #[test]
    fn only_the_one_that_was_asked_may_answer() {
        let asked = flow().begun(Issuer::announced("https://a.example".to_owned()), None);
        let answers = [Some("https://a.example"), Some("https://b.example"), None];
        assert_eq!(answers.map(|iss| asked.allows(iss)), [true, false, false]);
        assert_eq!(answers.map(|iss| flow().allows(iss)), [false, false, true], "one that is not known names nobody");
    }

    #[test]
    fn a_flow_at_a_server_goes_by_the_app_of_that_server() {
        let server = ServerName::parse("mastodon.example").unwrap();
        assert_eq!(flow().at(Some(server)).app().to_string(), "x/mastodon.example");
        assert_eq!(flow().at(None).app(), App::at(PlatformName::X));
    }

    #[test]
    fn debug_lines_show_no_secret() {
        let verifier = CodeVerifier::from_entropy([4; 32]);
        let begun = flow().begun(Issuer::announced("https://x.com".to_owned()), Some("carried-key".to_owned().into()));
        let shown = format!("{begun:?} {begun:#?} {verifier:?} {:?}", FlowState::from_entropy([3; 32]));
        assert!(!shown.contains(verifier.secret().expose_secret()));
        assert!(!shown.contains("carried-key"));
        assert!(!shown.contains(&FlowState::from_entropy([3; 32]).expose()));
    }

    proptest! {
        #[test]
        fn every_state_reads_back_with_the_same_hash(entropy: [u8; 32]) {
            let state = FlowState::from_entropy(entropy);
            prop_assert_eq!(FlowState::parse(&state.expose()).unwrap().hash(), state.hash());
        }

        #[test]
        fn any_text_is_read_without_panic(text in "\\PC{0,50}") {
            let _ = FlowState::parse(&text);
        }
    }
}
