//! Browsers that fetch ahead of a click.

use http::HeaderMap;
use jiff::SignedDuration;

use crate::problem::Problem;

/// The headers by which a browser says that nobody has clicked yet: of today (Fetch, `Sec-Purpose`), of old Chromes, of old Safaris and of
/// old Firefoxes.
const HEADERS: [&str; 4] = ["sec-purpose", "purpose", "x-purpose", "x-moz"];

/// Refuses what nobody clicked, for addresses at which a GET does something. An answer with a 2xx or a redirect would be kept and shown for
/// the click; after this one the browser asks again.
pub fn refuse(headers: &HeaderMap) -> Result<(), Problem> {
    let ahead = HEADERS.iter().flat_map(|name| headers.get_all(*name)).any(|value| {
        let value = value.as_bytes().to_ascii_lowercase();
        [&b"prefetch"[..], b"prerender", b"preview"].iter().any(|word| value.starts_with(word))
    });
    if ahead { Err(Problem::unavailable(SignedDuration::from_secs(1))) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn what_nobody_clicked_is_refused_and_a_click_is_not() {
        for (name, value, refused) in [
            ("sec-purpose", "prefetch", true),
            ("sec-purpose", "prefetch;prerender", true),
            ("sec-purpose", "prefetch;anonymous-client-ip", true),
            ("purpose", "prefetch", true),
            ("x-purpose", "preview", true),
            ("x-moz", "Prefetch", true),
            ("purpose", "navigate", false),
            ("sec-fetch-mode", "prefetch", false),
        ] {
            let headers = HeaderMap::from_iter([(name.parse().unwrap(), HeaderValue::from_static(value))]);
            assert_eq!(refuse(&headers).is_err(), refused, "{name}: {value}");
        }
    }
}
