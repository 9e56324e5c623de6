//! Who calls, and how the call is named.

use std::convert::Infallible;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use axum::extract::FromRequestParts;
use http::request::Parts;

/// The longest request id that is believed.
const REQUEST_ID_BYTES_MAX: usize = 128;

/// The address that the connection came from, as API Gateway saw it; no header can change it.
///
/// It is a person's data: `Debug` does not show it. Where the event names none, it is the unspecified address, so that
/// limits by address still hold, for all such calls together.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ClientAddress(IpAddr);

impl ClientAddress {
    /// A caller at `address`.
    pub fn new(address: IpAddr) -> Self {
        Self(address)
    }

    pub(super) fn from_source_ip(text: Option<&str>) -> Self {
        Self(text.and_then(|text| text.parse().ok()).unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)))
    }

    /// What limits count by: an IPv4 address, or the /64 that one IPv6 customer is given.
    pub fn limit_key(&self) -> String {
        match self.0.to_canonical() {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                format!("{}/64", Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
            }
        }
    }
}

impl fmt::Debug for ClientAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientAddress")
    }
}

impl<S: Sync> FromRequestParts<S> for ClientAddress {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get::<Self>().copied().unwrap_or_else(|| Self::from_source_ip(None)))
    }
}

/// The id that API Gateway gave the request; every log line of the request carries it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(String);

impl RequestId {
    pub(super) fn from_context(text: Option<&str>) -> Self {
        let sound =
            |text: &&str| !text.is_empty() && text.len() <= REQUEST_ID_BYTES_MAX && text.bytes().all(|byte| byte.is_ascii_graphic());
        Self(text.filter(sound).unwrap_or("none").to_owned())
    }

    /// The id as it stands in logs.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_count_an_ipv6_customer_once() {
        let key = |text| ClientAddress::from_source_ip(Some(text)).limit_key();
        assert_eq!(key("203.0.113.9"), "203.0.113.9");
        assert_eq!(key("::ffff:203.0.113.9"), "203.0.113.9");
        assert_eq!(key("2001:db8:1:2:3:4:5:6"), key("2001:db8:1:2:ffff::1"));
        assert_ne!(key("2001:db8:1:2::1"), key("2001:db8:1:3::1"));
        assert_eq!(key("not an address"), "0.0.0.0");
    }

    #[test]
    fn an_odd_request_id_does_not_reach_the_log() {
        assert_eq!(RequestId::from_context(Some("JKJaXmPLvHcESHA=")).as_str(), "JKJaXmPLvHcESHA=");
        for odd in [None, Some(""), Some("a b"), Some("a\nb")] {
            assert_eq!(RequestId::from_context(odd).as_str(), "none");
        }
    }
}
