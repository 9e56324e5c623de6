//! Where a request comes from, as the browser says.

use http::HeaderMap;
use http::header::ORIGIN;

use crate::problem::{Problem, ProblemCode};

/// Set by browsers, out of scripts' reach (W3C Fetch Metadata).
const SEC_FETCH_SITE: &str = "sec-fetch-site";

/// Refuses with 403 `csrf_rejected` what a browser sent for another site: an `Origin` that is not in `allowed_origins`, or
/// `Sec-Fetch-Site: cross-site`. Callers that send neither are not browsers, and carry no one else's cookie.
///
/// Cross-site is refused even from an allowed origin: the cookie is `SameSite=Lax`, so no page of ours can live there.
pub fn check_origin(headers: &HeaderMap, allowed_origins: &[String]) -> Result<(), Problem> {
    let is_allowed = |origin: &[u8]| allowed_origins.iter().any(|allowed| allowed.as_bytes() == origin);
    let foreign = headers.get_all(ORIGIN).iter().any(|origin| !is_allowed(origin.as_bytes()));
    let cross_site = headers.get_all(SEC_FETCH_SITE).iter().any(|site| site.as_bytes().eq_ignore_ascii_case(b"cross-site"));
    if foreign || cross_site { Err(Problem::new(ProblemCode::CsrfRejected)) } else { Ok(()) }
}
