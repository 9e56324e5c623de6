//! What an address that others named must look like before it is called.

use std::net::IpAddr;

use url::{Host, Url};

use crate::network::{Network, special};

/// The longest address that is called.
const ADDRESS_BYTES_MAX: usize = 2_048;

/// The longest name of a host (RFC 1035 §2.3.4), as text.
const NAME_BYTES_MAX: usize = 253;

/// The longest part of one.
const LABEL_BYTES_MAX: usize = 63;

/// Names that mean another machine in each network (RFC 6761, RFC 6762, RFC 8375, and what ICANN keeps for private use).
const LOCAL_NAMES: [&str; 4] = ["localhost", "local", "internal", "home.arpa"];

/// Why an address is not called, in words for whoever named it. They say nothing of what stands behind a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Longer than any that means well.
    #[error("the address is longer than {ADDRESS_BYTES_MAX} letters")]
    TooLong,
    /// Whatever is sent could be read on its way.
    #[error("the address must begin with https://")]
    NotHttps,
    /// They would be sent, and end up in logs.
    #[error("the address must hold no user name and no password")]
    UserInfo,
    /// Behind another one stands something else than a server of the web.
    #[error("the address must name no port but 443")]
    Port,
    /// Numbers have no certificate, and they go around the look-up that is guarded.
    #[error("the address must hold the name of a host, such as example.com, and no number")]
    Number,
    /// Not one that the public internet looks up.
    #[error("the address must hold the full name of a public host, such as example.com")]
    Name,
    /// The name leads elsewhere than to the public internet.
    #[error("the name of the host leads to a {0} address; only public ones are called")]
    NotPublic(Network),
    /// A name that was to be this machine's.
    #[error("the name of this machine leads elsewhere")]
    Elsewhere,
}

/// Whether `url` may be called, as far as can be told without a look-up.
pub(crate) fn check(url: &Url) -> Result<(), Refusal> {
    if url.as_str().len() > ADDRESS_BYTES_MAX {
        return Err(Refusal::TooLong);
    }
    if url.scheme() != "https" {
        return Err(Refusal::NotHttps);
    }
    check_user_info(url)?;
    // A port that is its scheme's own is not kept in a `Url`.
    if url.port().is_some() {
        return Err(Refusal::Port);
    }
    match url.host() {
        Some(Host::Domain(name)) if is_public(name) => Ok(()),
        Some(Host::Domain(_)) | None => Err(Refusal::Name),
        Some(Host::Ipv4(_) | Host::Ipv6(_)) => Err(Refusal::Number),
    }
}

pub(crate) fn check_user_info(url: &Url) -> Result<(), Refusal> {
    if url.username().is_empty() && url.password().is_none() { Ok(()) } else { Err(Refusal::UserInfo) }
}

/// Whether all of a name's addresses are public. One that is not refuses the others: a name that has both is a trap, or a mistake.
pub(crate) fn check_public(addresses: impl IntoIterator<Item = IpAddr>) -> Result<(), Refusal> {
    addresses.into_iter().find_map(special).map_or(Ok(()), |network| Err(Refusal::NotPublic(network)))
}

/// Whether a name has the form of one that the public internet looks up. It is in lower case and in ASCII, as a `Url` keeps it.
fn is_public(name: &str) -> bool {
    let is_label = |label: &str| {
        (1..=LABEL_BYTES_MAX).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    let is_local = LOCAL_NAMES.iter().any(|local| name.strip_suffix(local).is_some_and(|rest| rest.is_empty() || rest.ends_with('.')));
    name.len() <= NAME_BYTES_MAX && name.contains('.') && !is_local && name.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(url: &str) -> Result<(), Refusal> {
        check(&Url::parse(url).unwrap())
    }

    #[test]
    fn a_number_is_no_name_however_it_is_written() {
        for host in [
            "127.0.0.1",
            "127.1",
            "127.0.0.1.",
            "2130706433",
            "0x7f000001",
            "0x7f.1",
            "0177.0.0.1",
            "017700000001",
            "0",
            "1.1.1.1",
            "%31%32%37.0.0.1",
            "１２７.０.０.１",
            "127。0。0。1",
            "169.254.169.254",
            "[::1]",
            "[::]",
            "[::ffff:7f00:1]",
            "[::ffff:127.0.0.1]",
            "[64:ff9b::7f00:1]",
            "[2002:7f00:1::]",
            "[fe80::1]",
            "[fd00:ec2::254]",
            "[2606:4700:4700::1111]",
        ] {
            assert_eq!(checked(&format!("https://{host}/")), Err(Refusal::Number), "{host}");
        }
        for odd in ["https://127.0.0.1.1/", "https://256.0.0.1/", "https://1.2.3.0x100/", "https://[fe80::1%25eth0]/", "https://:443/"] {
            assert!(Url::parse(odd).is_err(), "{odd}");
        }
    }

    #[test]
    fn nothing_but_tls_to_its_own_port_and_without_credentials() {
        for (url, refused) in [
            ("http://example.com", Refusal::NotHttps),
            ("ftp://example.com", Refusal::NotHttps),
            ("file:///etc/passwd", Refusal::NotHttps),
            ("gopher://example.com:443/", Refusal::NotHttps),
            ("data:text/plain,x", Refusal::NotHttps),
            ("https://user@example.com", Refusal::UserInfo),
            ("https://:secret@example.com", Refusal::UserInfo),
            ("https://example.com@evil.example", Refusal::UserInfo),
            ("https://example.com:0/", Refusal::Port),
            ("https://example.com:80/", Refusal::Port),
            ("https://example.com:8443/", Refusal::Port),
            ("https://example.com:22/", Refusal::Port),
        ] {
            assert_eq!(checked(url), Err(refused), "{url}");
        }
        assert_eq!(checked(&format!("https://example.com/{}", "a".repeat(ADDRESS_BYTES_MAX))), Err(Refusal::TooLong));
    }

    #[test]
    fn a_name_is_one_that_the_public_internet_looks_up() {
        let (label, long) = ("a".repeat(64), "a.".repeat(130));
        for name in [
            "localhost",
            "LOCALHOST",
            "localhost.",
            "a.localhost",
            "printer.local",
            "metadata.google.internal",
            "router.home.arpa",
            "intranet",
            "example.com.",
            "exa!mple.com",
            &format!("{label}.com"),
            &format!("{long}com"),
        ] {
            assert_eq!(checked(&format!("https://{name}/")), Err(Refusal::Name), "{name}");
        }
        for url in [
            "https://example.com",
            "https://example.com:443/hook?x=1",
            "https://mastodon.example/api/v1/apps",
            "HTTPS://Bücher.Example/",
            "https://notlocalhost.com",
            "https://local.example.com",
            "https://127.0.0.1.nip.io",
            "https://1password.com",
        ] {
            assert_eq!(checked(url), Ok(()), "{url}");
        }
    }

    #[test]
    fn one_address_that_is_not_public_refuses_a_name_that_has_public_ones_too() {
        let checked = |addresses: &[&str]| check_public(addresses.iter().map(|address| address.parse().unwrap()));
        assert_eq!(checked(&["1.1.1.1", "2606:4700:4700::1111"]), Ok(()));
        assert_eq!(checked(&["1.1.1.1", "10.0.0.1"]), Err(Refusal::NotPublic(Network::Private)));
        assert_eq!(checked(&["::1", "1.1.1.1"]), Err(Refusal::NotPublic(Network::Loopback)));
    }

    #[test]
    fn a_refusal_says_what_was_wrong_and_no_address() {
        for (refusal, words) in [
            (Refusal::NotHttps, "the address must begin with https://"),
            (Refusal::TooLong, "the address is longer than 2048 letters"),
            (Refusal::NotPublic(Network::LinkLocal), "the name of the host leads to a link-local address; only public ones are called"),
        ] {
            assert_eq!(refusal.to_string(), words);
        }
    }
}
