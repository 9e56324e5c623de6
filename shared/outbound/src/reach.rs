//! How far a client goes that calls what others named.

use std::net::IpAddr;
use std::sync::Arc;

use url::{Host, Url};

use crate::named::{self, Refusal};

/// What may be called of what others name. What is deployed has [`Reach::public`].
#[derive(Debug, Clone)]
pub struct Reach(Kind);

#[derive(Debug, Clone)]
enum Kind {
    Public,
    /// And hosts of this machine, by their names in addresses.
    AndOwn(Arc<[String]>),
    /// Nothing but a double of them all.
    Double(Url),
}

impl Reach {
    /// The public internet and nothing else: https, port 443, names alone, and of those whose addresses are all public.
    pub fn public() -> Self {
        Self(Kind::Public)
    }

    /// The same, and `hosts` of this machine, with http and any port, too. Each is as it stands in an address, such as `localhost` or
    /// `127.0.0.1`, and must lead to this machine. For the local run and for tests.
    pub fn public_and(hosts: impl IntoIterator<Item = String>) -> Self {
        Self(Kind::AndOwn(hosts.into_iter().collect()))
    }

    /// No host that others name, but one that our own configuration names, in the place of each: `https://host/path` is called as
    /// `<base>/host/path`. What is refused by its form is refused here, too. For the local run, where a simulator is every server.
    pub fn double(base: Url) -> Self {
        Self(Kind::Double(base))
    }

    /// The address under which `named` is called, by programs and by browsers: itself, or that of its double.
    pub fn address_of(&self, named: &Url) -> Result<Url, Refusal> {
        match &self.0 {
            Kind::AndOwn(hosts) if is_one_of(hosts, named) => own(named),
            Kind::Public | Kind::AndOwn(_) => named::check(named).map(|()| named.clone()),
            Kind::Double(base) => named::check(named).map(|()| below(base, named)),
        }
    }

    /// Whether a name may be called under `addresses`, to which it leads now.
    pub(crate) fn admits(&self, name: &str, addresses: impl IntoIterator<Item = IpAddr>) -> Result<(), Refusal> {
        match &self.0 {
            Kind::Double(_) => Ok(()),
            Kind::AndOwn(hosts) if hosts.iter().any(|host| host == name) => {
                let is_own = addresses.into_iter().all(|address| address.is_loopback());
                if is_own { Ok(()) } else { Err(Refusal::Elsewhere) }
            }
            Kind::Public | Kind::AndOwn(_) => named::check_public(addresses),
        }
    }

    /// Whether nothing that it reaches is called without TLS.
    pub(crate) fn is_https_only(&self) -> bool {
        match &self.0 {
            Kind::Public => true,
            Kind::AndOwn(_) => false,
            Kind::Double(base) => base.scheme() == "https",
        }
    }
}

fn is_one_of(hosts: &[String], url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https") && url.host_str().is_some_and(|named| hosts.iter().any(|host| host == named))
}

/// A number is not looked up, so that it must be this machine's by itself.
fn own(url: &Url) -> Result<Url, Refusal> {
    named::check_user_info(url)?;
    let is_elsewhere = match url.host() {
        Some(Host::Ipv4(ip)) => !ip.is_loopback(),
        Some(Host::Ipv6(ip)) => !ip.is_loopback(),
        Some(Host::Domain(_)) | None => false,
    };
    if is_elsewhere { Err(Refusal::Number) } else { Ok(url.clone()) }
}

fn below(base: &Url, named: &Url) -> Url {
    let mut address = base.clone();
    let host = named.host_str().unwrap_or_default();
    address.set_path(&format!("{}/{host}{}", base.path().trim_end_matches('/'), named.path()));
    address.set_query(named.query());
    address
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::Network;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn a_double_has_each_host_below_its_base_and_refuses_what_the_public_internet_would_not_have() {
        for base in ["http://localhost:3000/_sim/mastodon", "http://localhost:3000/_sim/mastodon/"] {
            let double = Reach::double(url(base));
            let called = |named: &str| double.address_of(&url(named)).map(String::from);
            let below = |path: &str| Ok(format!("http://localhost:3000/_sim/mastodon/{path}"));
            assert_eq!(called("https://mastodon.example"), below("mastodon.example/"));
            assert_eq!(called("https://mastodon.example/a%2Fb/../c%20d?x=1&y=%26"), below("mastodon.example/c%20d?x=1&y=%26"));
            assert_eq!(called("https://xn--bcher-kva.example/a"), below("xn--bcher-kva.example/a"));
            assert_eq!(called("http://mastodon.example"), Err(Refusal::NotHttps));
            assert_eq!(called("https://mastodon.example:3000"), Err(Refusal::Port));
            assert_eq!(called("https://127.0.0.1/"), Err(Refusal::Number));
            assert_eq!(called("https://localhost/"), Err(Refusal::Name));
        }
    }

    #[test]
    fn hosts_of_this_machine_are_reached_where_they_are_named_and_nowhere_else() {
        let reach = Reach::public_and(["localhost", "127.0.0.1", "10.0.0.1"].map(str::to_owned));
        for own in ["http://localhost:4000/hook", "https://localhost/", "http://127.0.0.1:9/", "https://example.com/"] {
            assert_eq!(reach.address_of(&url(own)), Ok(url(own)), "{own}");
        }
        for (other, refused) in [
            ("http://127.0.0.2:9/", Refusal::NotHttps),
            ("https://[::1]/", Refusal::Number),
            ("http://10.0.0.1/", Refusal::Number),
            ("http://u:p@localhost/", Refusal::UserInfo),
            ("ftp://localhost/", Refusal::NotHttps),
            ("http://example.com/", Refusal::NotHttps),
            ("https://a.localhost/", Refusal::Name),
        ] {
            assert_eq!(reach.address_of(&url(other)), Err(refused), "{other}");
        }
        for own in ["http://localhost:4000/", "https://127.0.0.1/"] {
            assert!(Reach::public().address_of(&url(own)).is_err(), "{own}");
        }
    }

    #[test]
    fn a_name_of_this_machine_leads_to_this_machine() {
        let reach = Reach::public_and(["localhost".to_owned()]);
        let admits = |name: &str, address: &str| reach.admits(name, [address.parse().unwrap()]);
        assert_eq!(admits("localhost", "127.0.0.1"), Ok(()));
        assert_eq!(admits("localhost", "10.0.0.1"), Err(Refusal::Elsewhere));
        assert_eq!(admits("localhost", "1.1.1.1"), Err(Refusal::Elsewhere));
        assert_eq!(admits("example.com", "127.0.0.1"), Err(Refusal::NotPublic(Network::Loopback)));
        assert_eq!(Reach::public().admits("localhost", ["127.0.0.1".parse().unwrap()]), Err(Refusal::NotPublic(Network::Loopback)));
    }
}
