//! Sessions: who is signed in, where, and for how long.

use std::fmt;

use data_encoding::BASE64URL_NOPAD;
use hmac::Mac;
use jiff::{SignedDuration, Timestamp};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::hash::{mac, sha256_hex, stored_hash};
use crate::id::{SessionId, UserId};

/// How long a session lives without being used; the cookie's age too.
pub const IDLE: SignedDuration = SignedDuration::from_hours(7 * 24);
/// How long a session lives at most, however much it is used.
pub const ABSOLUTE: SignedDuration = SignedDuration::from_hours(30 * 24);
/// How old the last use has to be for another one to be worth a write.
pub const TOUCH_AFTER: SignedDuration = SignedDuration::from_mins(5);
/// How much of a browser's name is kept.
const USER_AGENT_CHARS_MAX: usize = 200;
/// The length of 32 bytes in base64url.
const TOKEN_LETTERS: usize = 43;

/// A text that is not a session token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a session token")]
pub struct NotASessionToken;

/// The cookie's value: 256 random bits. It is not stored; `Debug` shows nothing of it.
#[derive(Clone)]
pub struct SessionToken(Zeroizing<[u8; 32]>);

impl SessionToken {
    /// A new token from fresh random bytes; every sign-in gets one.
    pub fn from_entropy(entropy: [u8; 32]) -> Self {
        Self(Zeroizing::new(entropy))
    }

    /// Accepts exactly what [`Self::expose`] gives.
    pub fn parse(text: &str) -> Result<Self, NotASessionToken> {
        if text.len() != TOKEN_LETTERS {
            return Err(NotASessionToken);
        }
        let decoded = Zeroizing::new(BASE64URL_NOPAD.decode(text.as_bytes()).map_err(|_| NotASessionToken)?);
        let bytes = <[u8; 32]>::try_from(decoded.as_slice()).map_err(|_| NotASessionToken)?;
        Ok(Self::from_entropy(bytes))
    }

    /// 43 letters of base64url, for the cookie alone.
    pub fn expose(&self) -> String {
        BASE64URL_NOPAD.encode(&*self.0)
    }

    /// The name under which the session is stored. 256 random bits cannot be guessed, so it needs no key.
    pub fn hash(&self) -> SessionHash {
        SessionHash(sha256_hex(&*self.0))
    }

    /// The token that state-changing requests of this session carry in a header. It follows from the cookie's value, so it
    /// is stored nowhere and dies with the session; the cookie's value does not follow from it.
    pub fn csrf_token(&self) -> CsrfToken {
        let mut mac = mac(&*self.0);
        mac.update(b"csrf");
        CsrfToken(BASE64URL_NOPAD.encode(&mac.finalize().into_bytes()))
    }
}

impl fmt::Debug for SessionToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionToken(…)")
    }
}

stored_hash!(
    /// SHA-256 of a session token.
    SessionHash
);

/// Proves that a request comes from our own pages. `Debug` shows nothing of it.
#[derive(Clone)]
pub struct CsrfToken(String);

impl CsrfToken {
    /// 43 letters of base64url, for the frontend.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether `presented` is this token; compared in constant time.
    pub fn matches(&self, presented: &str) -> bool {
        self.0.as_bytes().ct_eq(presented.as_bytes()).into()
    }
}

impl fmt::Debug for CsrfToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CsrfToken(…)")
    }
}

/// One signed-in browser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Its name in lists.
    pub id: SessionId,
    /// Who is signed in.
    pub user_id: UserId,
    /// When they signed in.
    pub created_at: Timestamp,
    /// When it was last used, to within [`TOUCH_AFTER`].
    pub last_seen_at: Timestamp,
    /// From when on it is dead.
    pub expires_at: Timestamp,
    /// What the browser calls itself; only ever shown to its owner.
    pub user_agent: Option<String>,
}

impl Session {
    /// A session that begins at `now`.
    pub fn open(id: SessionId, user_id: UserId, user_agent: Option<&str>, now: Timestamp) -> Self {
        let user_agent = user_agent.map(readable).filter(|name| !name.is_empty());
        Self { id, user_id, created_at: now, last_seen_at: now, expires_at: now + IDLE, user_agent }
    }

    /// Whether it still counts at `now`. The table may keep a dead one for a while.
    pub fn is_live(&self, now: Timestamp) -> bool {
        now < self.expires_at && now < self.created_at + ABSOLUTE
    }

    /// Whether its use at `now` is worth a write.
    pub fn should_touch(&self, now: Timestamp) -> bool {
        self.is_live(now) && now >= self.last_seen_at + TOUCH_AFTER
    }

    /// The session after its use at `now`: the idle time starts anew, never past the absolute limit. A dead one stays dead.
    #[must_use]
    pub fn touched(self, now: Timestamp) -> Self {
        if !self.is_live(now) {
            return self;
        }
        let expires_at = (now + IDLE).min(self.created_at + ABSOLUTE).max(self.expires_at);
        Self { last_seen_at: now.max(self.last_seen_at), expires_at, ..self }
    }
}

fn readable(user_agent: &str) -> String {
    user_agent.chars().filter(|letter| !letter.is_control()).take(USER_AGENT_CHARS_MAX).collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(day: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24 * day)
    }

    fn session() -> Session {
        Session::open(SessionId::new(at(0), [1; 10]), UserId::new(at(0), [2; 10]), Some("Browser/1.0"), at(0))
    }

    #[test]
    fn a_session_dies_after_seven_idle_days() {
        assert!(session().is_live(at(7) - SignedDuration::from_secs(1)));
        assert!(!session().is_live(at(7)));
    }

    #[test]
    fn use_keeps_a_session_alive_but_never_beyond_thirty_days() {
        let mut used = session();
        for day in 1..30 {
            used = used.touched(at(day));
            assert!(used.is_live(at(day)));
        }
        assert_eq!(used.expires_at, at(30));
        assert!(!used.is_live(at(30)));
    }

    #[test]
    fn a_dead_session_is_not_revived() {
        assert_eq!(session().touched(at(8)), session());
        assert!(!session().should_touch(at(8)));
    }

    #[test]
    fn only_every_fifth_minute_is_worth_a_write() {
        assert!(!session().should_touch(at(0) + TOUCH_AFTER - SignedDuration::from_secs(1)));
        assert!(session().should_touch(at(0) + TOUCH_AFTER));
    }

    #[test]
    fn a_clock_that_runs_behind_takes_nothing_away() {
        let used = session().touched(at(3));
        assert_eq!(used.clone().touched(at(2)), used);
    }

    #[test]
    fn a_browser_cannot_fill_the_table_with_its_name() {
        let long = "é".repeat(5000);
        let open = |name| Session::open(SessionId::new(at(0), [1; 10]), UserId::new(at(0), [2; 10]), name, at(0)).user_agent;
        assert_eq!(open(Some(&long)).map(|name| name.chars().count()), Some(USER_AGENT_CHARS_MAX));
        assert_eq!(open(Some("a\r\nb\u{0}")).as_deref(), Some("ab"));
        assert_eq!(open(Some(" \n ")), None);
        assert_eq!(open(None), None);
    }

    #[test]
    fn only_the_sessions_own_csrf_token_matches() {
        let (mine, other) = (SessionToken::from_entropy([1; 32]), SessionToken::from_entropy([2; 32]));
        assert!(mine.csrf_token().matches(mine.csrf_token().expose()));
        for wrong in [other.csrf_token().expose(), &mine.expose(), "", &mine.csrf_token().expose()[..42]] {
            assert!(!mine.csrf_token().matches(wrong));
        }
    }

    #[test]
    fn what_is_no_token_is_refused() {
        let good = SessionToken::from_entropy([255; 32]).expose();
        // The last letter carries two unused bits: a second spelling of the same bytes must not exist.
        let respelled = format!("{}9", &good[..42]);
        for text in ["", &good[..42], &format!("{good}="), &format!(" {good}"), &good.replace('_', "/"), &respelled] {
            assert!(SessionToken::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn debug_lines_show_no_secret() {
        let token = SessionToken::from_entropy([1; 32]);
        assert_eq!(format!("{token:?} {:?}", token.csrf_token()), "SessionToken(…) CsrfToken(…)");
    }

    proptest! {
        #[test]
        fn every_token_reads_back_with_the_same_hash(entropy: [u8; 32]) {
            let token = SessionToken::from_entropy(entropy);
            let read = SessionToken::parse(&token.expose()).unwrap();
            prop_assert_eq!(read.hash(), token.hash());
            prop_assert_eq!(read.expose(), token.expose());
        }

        #[test]
        fn what_is_read_is_spelled_in_one_way(text in "[A-Za-z0-9_-]{43}") {
            if let Ok(token) = SessionToken::parse(&text) {
                prop_assert_eq!(token.expose(), text);
            }
        }

        #[test]
        fn any_text_is_read_without_panic(text in "\\PC{0,50}") {
            let _ = SessionToken::parse(&text);
        }
    }
}
