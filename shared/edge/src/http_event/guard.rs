//! The check of a raw event, before anything interprets it.
//!
//! API Gateway hands over paths that it decoded once, or did not: its documents say both. A library that normalises them again turns
//! one address into another. So a path may hold only what needs no interpretation, must be of the shape of the route that the gateway
//! chose, and everything else is refused, not repaired.

use aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use http::HeaderMap;

use super::translate::without_stage;
use crate::problem::{Problem, ProblemCode};

/// The longest path that is looked at.
pub const PATH_BYTES_MAX: usize = 2_048;
/// The longest query that is looked at.
pub const QUERY_BYTES_MAX: usize = 4_096;
/// All header names and values together; API Gateway itself stops at 10,240.
pub const HEADERS_BYTES_MAX: usize = 16 * 1_024;
/// The most cookies in one request.
pub const COOKIES_MAX: usize = 50;

/// Octets that no address of ours has in encoded form: controls, `%`, `.`, `/` and `\`. Encoding them is how one address is
/// dressed up as another.
fn is_refused_when_encoded(octet: u8) -> bool {
    octet.is_ascii_control() || matches!(octet, b'%' | b'.' | b'/' | b'\\')
}

/// Accepts an event whose path, query, headers and cookies mean the same to everyone who reads them.
pub(super) fn check(event: &ApiGatewayV2httpRequest) -> Result<(), Problem> {
    let path = event.raw_path.as_deref().unwrap_or_default();
    check_path(path)?;
    check_route(event.route_key.as_deref().unwrap_or_default(), without_stage(path, event.request_context.stage.as_deref()))?;
    let query = event.raw_query_string.as_deref().unwrap_or_default();
    let cookies = event.cookies.as_deref().unwrap_or_default();
    if is_plain_query(query) && are_plain_cookies(cookies) && headers_fit(&event.headers) { Ok(()) } else { Err(malformed()) }
}

pub(super) fn malformed() -> Problem {
    Problem::new(ProblemCode::MalformedRequest)
}

fn check_path(path: &str) -> Result<(), Problem> {
    if path.len() > PATH_BYTES_MAX || !path.starts_with('/') || path.contains("//") || !is_plain_path(path.as_bytes()) {
        return Err(malformed());
    }
    for segment in path.split('/') {
        match segment.to_ascii_lowercase().as_str() {
            "." | ".." => return Err(malformed()),
            "http:" | "https:" => return Err(Problem::not_found()),
            _ => {}
        }
    }
    Ok(())
}

/// Whether the path that is handed over is the one by which the gateway chose the route. Where the one is decoded and the other is
/// not, `/api/posts/{id}%2fapprove` would come as another route than it was, and `/api/%75ser` as one of ours though it is nobody's.
fn check_route(route_key: &str, path: &str) -> Result<(), Problem> {
    // `$default`: the gateway found no route of ours.
    let Some((_, route)) = route_key.split_once(' ') else { return Err(Problem::not_found()) };
    let mut parts = path.split('/');
    let fits = |wanted: &str| parts.next().is_some_and(|part| if wanted.starts_with('{') { !part.is_empty() } else { part == wanted });
    if route.split('/').all(fits) && parts.next().is_none() { Ok(()) } else { Err(malformed()) }
}

/// Only the characters of RFC 3986's `pchar` and `/`, each escape complete and harmless.
fn is_plain_path(path: &[u8]) -> bool {
    let mut rest = path;
    while let Some((&byte, after)) = rest.split_first() {
        rest = match byte {
            b'%' => match decoded(after) {
                Some(octet) if !is_refused_when_encoded(octet) => &after[2..],
                _ => return false,
            },
            byte if byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/".contains(&byte) => after,
            _ => return false,
        };
    }
    true
}

fn decoded(after_percent: &[u8]) -> Option<u8> {
    let digits = std::str::from_utf8(after_percent.get(..2)?).ok()?;
    if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    u8::from_str_radix(digits, 16).ok()
}

/// Visible ASCII without what ends an address or begins markup.
fn is_plain_query(query: &str) -> bool {
    query.len() <= QUERY_BYTES_MAX && query.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"<>#".contains(&byte))
}

fn are_plain_cookies(cookies: &[String]) -> bool {
    let bytes: usize = cookies.iter().map(String::len).sum();
    cookies.len() <= COOKIES_MAX
        && bytes <= HEADERS_BYTES_MAX
        && cookies.iter().all(|cookie| cookie.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()))
}

fn headers_fit(headers: &HeaderMap) -> bool {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum::<usize>() <= HEADERS_BYTES_MAX
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn odd_paths_are_refused_and_not_repaired() {
        let odd = [
            "",
            "api",
            "//",
            "//api/user",
            "/api//user",
            "/api/../admin",
            "/api/./user",
            "/..",
            "/.",
            "/api/%2e%2e/admin",
            "/api/%2E%2E/admin",
            "/api/.%2e/admin",
            "/api%2fuser",
            "/api%2Fuser",
            "/api/%5c..%5c",
            "/api/..\\admin",
            "/api\\user",
            "/api/%00",
            "/api/\0",
            "/api/%0d%0a",
            "/api/\r\n",
            "/api/a b",
            "/api/\"x\"",
            "/api/<x>",
            "/api/x#y",
            "/api/x?y",
            "/api/%",
            "/api/%2",
            "/api/%zz",
            "/api/%+1",
            "/api/%252e%252e/",
            "/https://evil.example/",
            "/http:/evil.example",
            "/HTTPS:/evil.example",
            "/api/https:",
            "/api/ü",
            "/api/{x}",
            "/api/|",
            "/api/^",
            "/api/`",
        ];
        for path in odd {
            let problem = check_path(path).expect_err(path);
            assert!(matches!(problem.code(), ProblemCode::MalformedRequest | ProblemCode::NotFound), "{path:?}");
        }
        assert!(check_path(&format!("/{}", "a".repeat(PATH_BYTES_MAX))).is_err());
    }

    #[test]
    fn plain_paths_pass() {
        for path in ["/", "/api/posts/01J", "/oauth/x/callback", "/api/posts/a%20b", "/git.new/x", "/api/a:b@c", "/api/v1.2", "/api/..."] {
            assert!(check_path(path).is_ok(), "{path}");
        }
        assert!(check_path(&format!("/{}", "a".repeat(PATH_BYTES_MAX - 1))).is_ok());
    }

    #[test]
    fn a_query_is_visible_ascii() {
        for query in ["", "a=b&c=%20", "code=abc_-~.&state=x", "r=https://a/b"] {
            assert!(is_plain_query(query), "{query}");
        }
        for query in ["a b", "a=\"", "<", ">", "a#b", "a=\u{7f}", "ü", "a\r\n"] {
            assert!(!is_plain_query(query), "{query:?}");
        }
        assert!(!is_plain_query(&"a".repeat(QUERY_BYTES_MAX + 1)));
    }

    #[test]
    fn cookies_have_no_line_ends_and_are_few() {
        assert!(are_plain_cookies(&["a=b".to_owned(), "c=d".to_owned()]));
        for cookie in ["a=b\r\nX: y", "a=b\n", "a=\0", "a=ü"] {
            assert!(!are_plain_cookies(&[cookie.to_owned()]), "{cookie:?}");
        }
        assert!(!are_plain_cookies(&vec!["a=b".to_owned(); COOKIES_MAX + 1]));
    }

    proptest! {
        /// What passes is one address to everybody: decoding it changes nothing that means anything.
        #[test]
        fn a_path_that_passes_means_the_same_decoded(path in "/[a-z0-9%./:\\\\@ A-F-]{0,24}") {
            if check_path(&path).is_ok() {
                let decoded = String::from_utf8_lossy(&decoded_once(&path)).into_owned();
                prop_assert!(!decoded.contains("//") && !decoded.contains('\\') && !decoded.contains('%'));
                prop_assert_eq!(decoded.matches('/').count(), path.matches('/').count());
                prop_assert!(!decoded.split('/').any(|part| part == "." || part == ".." || part.starts_with("http:")));
            }
        }

        #[test]
        fn any_path_query_and_cookie_is_judged_without_panic(text in "\\PC{0,60}", raw in any::<String>()) {
            for text in [&text, &raw] {
                let _ = (check_path(text), check_path(&format!("/{text}")), is_plain_query(text), are_plain_cookies(std::slice::from_ref(text)));
            }
        }
    }

    fn decoded_once(path: &str) -> Vec<u8> {
        let mut rest = path.as_bytes();
        let mut bytes = Vec::new();
        while let Some((&byte, after)) = rest.split_first() {
            let (byte, after) = match (byte, decoded(after)) {
                (b'%', Some(octet)) => (octet, &after[2..]),
                _ => (byte, after),
            };
            bytes.push(byte);
            rest = after;
        }
        bytes
    }
}
