//! The session cookie.

use domain::people::session::SessionToken;
use http::header::COOKIE;
use http::{HeaderMap, HeaderValue};
use jiff::SignedDuration;

/// The prefix makes the browser refuse the cookie unless it is Secure, for this host alone and for every path
/// (RFC 6265bis, section 4.1.3.2).
pub const SESSION_COOKIE: &str = "__Host-session";
/// Lax and not Strict: the way back from a platform's consent page is a navigation from another site, and the callback
/// needs the session.
const ATTRIBUTES: &str = "Path=/; Secure; HttpOnly; SameSite=Lax";

/// The `Set-Cookie` value that begins or extends a session in the browser.
pub fn set_cookie(token: &SessionToken, max_age: SignedDuration) -> HeaderValue {
    let max_age_secs = max_age.as_secs().max(0);
    secret(&format!("{SESSION_COOKIE}={}; Max-Age={max_age_secs}; {ATTRIBUTES}", token.expose()))
}

/// The `Set-Cookie` value that ends it.
pub fn clear_cookie() -> HeaderValue {
    secret(&format!("{SESSION_COOKIE}=; Max-Age=0; {ATTRIBUTES}"))
}

fn secret(text: &str) -> HeaderValue {
    let mut value = HeaderValue::from_str(text).expect("base64url, digits and our own constants are visible ASCII");
    value.set_sensitive(true);
    value
}

/// The session token of a request: the value of exactly one cookie of our name, in our form. Two of them mean that somebody
/// planted one, and nobody can tell which is ours.
pub fn read_token(headers: &HeaderMap) -> Option<SessionToken> {
    let mut found = None;
    for header in headers.get_all(COOKIE) {
        for pair in header.to_str().ok()?.split(';') {
            match pair.trim_matches([' ', '\t']).split_once('=') {
                Some((SESSION_COOKIE, _)) if found.is_some() => return None,
                Some((SESSION_COOKIE, value)) => found = Some(value),
                _ => {}
            }
        }
    }
    SessionToken::parse(found?).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn headers(cookies: &[&str]) -> HeaderMap {
        cookies.iter().map(|cookie| (COOKIE, HeaderValue::from_bytes(cookie.as_bytes()).unwrap())).collect()
    }

    #[test]
    fn the_cookie_is_bound_to_host_scheme_and_script_free_use() {
        let token = SessionToken::from_entropy([7; 32]);
        let set = set_cookie(&token, SignedDuration::from_hours(24));
        assert!(set.is_sensitive());
        assert_eq!(
            set.to_str().unwrap(),
            format!("__Host-session={}; Max-Age=86400; Path=/; Secure; HttpOnly; SameSite=Lax", token.expose())
        );
        assert_eq!(clear_cookie().to_str().unwrap(), "__Host-session=; Max-Age=0; Path=/; Secure; HttpOnly; SameSite=Lax");
    }

    #[test]
    fn one_sound_cookie_is_read_wherever_it_stands() {
        let token = SessionToken::from_entropy([7; 32]).expose();
        let own = format!("__Host-session={token}");
        for cookies in [vec![own.clone()], vec![format!("a=b; {own};c=d")], vec!["a=b".to_owned(), own.clone()], vec![format!("{own};")]] {
            let cookies: Vec<_> = cookies.iter().map(String::as_str).collect();
            assert_eq!(read_token(&headers(&cookies)).unwrap().expose(), token, "{cookies:?}");
        }
    }

    #[test]
    fn absent_planted_and_odd_cookies_are_no_session() {
        let token = SessionToken::from_entropy([7; 32]).expose();
        let own = format!("__Host-session={token}");
        let twice = format!("{own}; {own}");
        let odd = [
            vec![],
            vec![""],
            vec!["a=b"],
            vec!["__Host-session"],
            vec!["__Host-session="],
            vec![&twice],
            vec![&own, &own],
            vec![&own, "__Host-session=x"],
            vec!["__Host-session=short"],
        ];
        for cookies in odd {
            assert!(read_token(&headers(&cookies)).is_none(), "{cookies:?}");
        }
        for form in [
            "__host-session={}",
            "__Host-session=\"{}\"",
            "__Host-session={}=",
            "__Host-session ={}",
            "session={}",
            "ü=1; __Host-session={}",
        ] {
            let cookie = form.replace("{}", &token);
            assert!(read_token(&headers(&[&cookie])).is_none(), "{form}");
        }
    }

    /// Pieces of which cookie headers are made, sound and odd.
    fn piece() -> impl Strategy<Value = String> {
        let token = SessionToken::from_entropy([7; 32]).expose();
        prop_oneof![
            Just(format!("__Host-session={token}")),
            Just("__Host-session=".to_owned()),
            Just(";".to_owned()),
            Just("; ".to_owned()),
            Just("a=b".to_owned()),
            "[ -~]{0,8}",
        ]
    }

    proptest! {
        #[test]
        fn any_header_is_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            if let Ok(value) = HeaderValue::from_bytes(&bytes) {
                prop_assert!(read_token(&HeaderMap::from_iter([(COOKIE, value)])).is_none());
            }
        }

        /// However the cookies are cut and joined, a token is read only where our name stands once, with that token.
        #[test]
        fn a_token_is_read_only_where_our_name_stands_once(pieces in proptest::collection::vec(piece(), 0..6)) {
            let header = pieces.concat();
            let own = SessionToken::from_entropy([7; 32]).expose();
            let named = header.split(';').filter(|pair| pair.trim_matches([' ', '\t']).starts_with("__Host-session=")).count();
            let sound = format!("__Host-session={own}");
            let stands = header.split(';').any(|pair| pair.trim() == sound);
            let read = read_token(&headers(&[&header]));
            prop_assert_eq!(read.map(|token| token.expose()), (named == 1 && stands).then_some(own));
        }
    }
}
