//! Addresses and ids: what may be called, and what may stand in a path.

use url::{Host, Url};

/// Whether credentials may be sent there: TLS, or this very machine.
pub(crate) fn is_safe(url: &Url) -> bool {
    match url.scheme() {
        "https" => url.has_host(),
        "http" => is_loopback(url),
        _ => false,
    }
}

/// Whether the address is this machine.
fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

/// `base` with `segments` after its path, each encoded as one segment.
pub(crate) fn join(base: &Url, segments: &[&str]) -> Url {
    let mut url = base.clone();
    url.path_segments_mut().expect("every base was checked to have a host").pop_if_empty().extend(segments);
    url
}

/// The address without what a page of the network stands below it: who a network says it is.
pub(crate) fn above(url: &Url, page: &str) -> String {
    let text = url.as_str().trim_end_matches('/');
    text.strip_suffix(page).unwrap_or(text).to_owned()
}

/// Whether `text` can be an id of a network: it goes into paths, keys and links.
pub(crate) fn is_id(text: &str) -> bool {
    (1..=100).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_travel_by_tls_or_stay_on_the_machine() {
        let safe = |text: &str| is_safe(&Url::parse(text).unwrap());
        for ok in ["https://api.x.com", "http://localhost:3000/_sim/x", "http://127.0.0.1:9", "http://[::1]:9/"] {
            assert!(safe(ok), "{ok}");
        }
        for bad in ["http://api.x.com", "http://localhost.example", "ftp://localhost", "data:text/plain,x", "http://10.0.0.1"] {
            assert!(!safe(bad), "{bad}");
        }
    }

    #[test]
    fn a_segment_cannot_leave_its_place() {
        let base = Url::parse("http://localhost/_sim/x/").unwrap();
        assert_eq!(join(&base, &["2", "users", "a/../b?c", "tweets"]).as_str(), "http://localhost/_sim/x/2/users/a%2F..%2Fb%3Fc/tweets");
    }

    #[test]
    fn a_network_is_named_by_what_stands_above_its_page() {
        let above = |text: &str| above(&Url::parse(text).unwrap(), "/i/oauth2/authorize");
        assert_eq!(above("https://x.com/i/oauth2/authorize"), "https://x.com");
        assert_eq!(above("http://localhost:3000/_sim/x/i/oauth2/authorize"), "http://localhost:3000/_sim/x");
        assert_eq!(above("https://www.facebook.com"), "https://www.facebook.com");
    }

    #[test]
    fn ids_are_plain() {
        assert!(is_id("1001_2002"));
        assert!(!is_id("") && !is_id("1/2") && !is_id("a b") && !is_id(&"1".repeat(101)));
    }
}
