//! Which addresses are public. Sources: IANA's registries of special addresses,
//! <https://www.iana.org/assignments/iana-ipv4-special-registry> and <https://www.iana.org/assignments/iana-ipv6-special-registry>.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A kind of network that is not public.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network {
    /// No address at all.
    Unspecified,
    /// The machine itself.
    Loopback,
    /// The machines on one wire; clouds tell credentials there.
    LinkLocal,
    /// A network of somebody's own (RFC 1918, RFC 4193).
    Private,
    /// Between a provider and its customers (RFC 6598).
    CarrierNat,
    /// What a cloud tells its machines, under an address that looks public.
    Metadata,
    /// Many at once.
    Multicast,
    /// Examples in texts.
    Documentation,
    /// Measurements in laboratories.
    Benchmark,
    /// Another address in disguise: 6to4, Teredo, a translator of one's own.
    Tunnel,
    /// Nobody's.
    Reserved,
}

impl fmt::Display for Network {
    /// Stands before "address".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unspecified => "unspecified",
            Self::Loopback => "loopback",
            Self::LinkLocal => "link-local",
            Self::Private => "private",
            Self::CarrierNat => "provider-internal",
            Self::Metadata => "metadata",
            Self::Multicast => "multicast",
            Self::Documentation => "documentation",
            Self::Benchmark => "benchmark",
            Self::Tunnel => "tunnel",
            Self::Reserved => "reserved",
        })
    }
}

/// The first block that holds an address decides. What none holds is public.
const V4: &[(Ipv4Addr, u32, Network)] = &[
    (Ipv4Addr::UNSPECIFIED, 32, Network::Unspecified),
    // "This network": Linux connects to this machine.
    (Ipv4Addr::UNSPECIFIED, 8, Network::Reserved),
    (Ipv4Addr::new(10, 0, 0, 0), 8, Network::Private),
    (Ipv4Addr::new(100, 64, 0, 0), 10, Network::CarrierNat),
    (Ipv4Addr::new(127, 0, 0, 0), 8, Network::Loopback),
    // Azure's, for its machines alone.
    (Ipv4Addr::new(168, 63, 129, 16), 32, Network::Metadata),
    (Ipv4Addr::new(169, 254, 0, 0), 16, Network::LinkLocal),
    (Ipv4Addr::new(172, 16, 0, 0), 12, Network::Private),
    (Ipv4Addr::new(192, 0, 0, 0), 24, Network::Reserved),
    (Ipv4Addr::new(192, 0, 2, 0), 24, Network::Documentation),
    (Ipv4Addr::new(192, 88, 99, 0), 24, Network::Tunnel),
    (Ipv4Addr::new(192, 168, 0, 0), 16, Network::Private),
    (Ipv4Addr::new(198, 18, 0, 0), 15, Network::Benchmark),
    (Ipv4Addr::new(198, 51, 100, 0), 24, Network::Documentation),
    (Ipv4Addr::new(203, 0, 113, 0), 24, Network::Documentation),
    (Ipv4Addr::new(224, 0, 0, 0), 4, Network::Multicast),
    // With the broadcast address.
    (Ipv4Addr::new(240, 0, 0, 0), 4, Network::Reserved),
];

/// Likewise, of the addresses that hold no v4 address. What none holds is public within [`PUBLIC_V6`] alone.
const V6: &[(Ipv6Addr, u32, Network)] = &[
    (Ipv6Addr::UNSPECIFIED, 128, Network::Unspecified),
    (Ipv6Addr::LOCALHOST, 128, Network::Loopback),
    // A network's own translator to v4.
    (Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, 0, 0), 48, Network::Tunnel),
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 32, Network::Tunnel),
    (Ipv6Addr::new(0x2001, 2, 0, 0, 0, 0, 0, 0), 48, Network::Benchmark),
    // Protocols' own.
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23, Network::Reserved),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32, Network::Documentation),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16, Network::Tunnel),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20, Network::Documentation),
    (Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7, Network::Private),
    (Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10, Network::LinkLocal),
    (Ipv6Addr::new(0xfec0, 0, 0, 0, 0, 0, 0, 0), 10, Network::Private),
    (Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0), 8, Network::Multicast),
];

/// What is given out to the public internet at all.
const PUBLIC_V6: (Ipv6Addr, u32) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);

/// The well-known prefix of translators to v4 (RFC 6052): names have such addresses in networks without v4.
const TRANSLATED: (Ipv6Addr, u32) = (Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96);

/// What keeps an address from being public. An address that holds a v4 address is judged by that one.
pub(crate) fn special(ip: IpAddr) -> Option<Network> {
    match ip {
        IpAddr::V4(v4) => special_v4(v4),
        IpAddr::V6(v6) => held_v4(v6).map_or_else(|| special_v6(v6), special_v4),
    }
}

fn special_v4(ip: Ipv4Addr) -> Option<Network> {
    let within = |block: Ipv4Addr, bits: u32| (u32::from(ip) ^ u32::from(block)) >> (32 - bits) == 0;
    V4.iter().find(|(block, bits, _)| within(*block, *bits)).map(|(.., network)| *network)
}

fn special_v6(ip: Ipv6Addr) -> Option<Network> {
    let listed = V6.iter().find(|(block, bits, _)| is_within(ip, (*block, *bits))).map(|(.., network)| *network);
    listed.or_else(|| (!is_within(ip, PUBLIC_V6)).then_some(Network::Reserved))
}

fn is_within(ip: Ipv6Addr, (block, bits): (Ipv6Addr, u32)) -> bool {
    (u128::from(ip) ^ u128::from(block)) >> (128 - bits) == 0
}

/// The v4 address that the machine, or a translator on the way, takes it for.
fn held_v4(ip: Ipv6Addr) -> Option<Ipv4Addr> {
    let [.., a, b, c, d] = ip.octets();
    ip.to_ipv4_mapped().or_else(|| is_within(ip, TRANSLATED).then(|| Ipv4Addr::new(a, b, c, d)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(ip: &str) -> Option<Network> {
        special(ip.parse().unwrap())
    }

    #[test]
    fn each_special_block_is_known_from_its_first_address_to_its_last_and_no_further() {
        // The last address before, the first, the last, the first behind; "-" where what is beside it is special, too.
        for (before, first, last, behind, expected) in [
            ("-", "0.0.0.1", "0.255.255.255", "1.0.0.0", Network::Reserved),
            ("9.255.255.255", "10.0.0.0", "10.255.255.255", "11.0.0.0", Network::Private),
            ("100.63.255.255", "100.64.0.0", "100.127.255.255", "100.128.0.0", Network::CarrierNat),
            ("126.255.255.255", "127.0.0.0", "127.255.255.255", "128.0.0.0", Network::Loopback),
            ("168.63.129.15", "168.63.129.16", "168.63.129.16", "168.63.129.17", Network::Metadata),
            ("169.253.255.255", "169.254.0.0", "169.254.255.255", "169.255.0.0", Network::LinkLocal),
            ("172.15.255.255", "172.16.0.0", "172.31.255.255", "172.32.0.0", Network::Private),
            ("191.255.255.255", "192.0.0.0", "192.0.0.255", "192.0.1.0", Network::Reserved),
            ("192.0.1.255", "192.0.2.0", "192.0.2.255", "192.0.3.0", Network::Documentation),
            ("192.88.98.255", "192.88.99.0", "192.88.99.255", "192.88.100.0", Network::Tunnel),
            ("192.167.255.255", "192.168.0.0", "192.168.255.255", "192.169.0.0", Network::Private),
            ("198.17.255.255", "198.18.0.0", "198.19.255.255", "198.20.0.0", Network::Benchmark),
            ("198.51.99.255", "198.51.100.0", "198.51.100.255", "198.51.101.0", Network::Documentation),
            ("203.0.112.255", "203.0.113.0", "203.0.113.255", "203.0.114.0", Network::Documentation),
            ("223.255.255.255", "224.0.0.0", "239.255.255.255", "-", Network::Multicast),
            ("-", "240.0.0.0", "255.255.255.255", "-", Network::Reserved),
            ("2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2001::", "2001:0:ffff:ffff:ffff:ffff:ffff:ffff", "-", Network::Tunnel),
            ("-", "2001:2::", "2001:2:0:ffff:ffff:ffff:ffff:ffff", "-", Network::Benchmark),
            ("-", "2001:2:1::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", "2001:200::", Network::Reserved),
            ("2001:db7:ffff::", "2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db9::", Network::Documentation),
            ("2001:ffff::", "2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2003::", Network::Tunnel),
            ("3ffe:ffff::", "3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff", "3fff:1000::", Network::Documentation),
            ("3fff:ffff::", "4000::", "fbff::", "-", Network::Reserved),
            ("-", "fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "-", Network::Private),
            ("-", "fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "-", Network::LinkLocal),
            ("-", "fec0::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "-", Network::Private),
            ("-", "ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "-", Network::Multicast),
        ] {
            assert_eq!((network(first), network(last)), (Some(expected), Some(expected)), "{first} {last}");
            for public in [before, behind].into_iter().filter(|beside| *beside != "-") {
                assert_eq!(network(public), None, "{public}");
            }
        }
        assert_eq!((network("0.0.0.0"), network("::"), network("::1")), {
            let unspecified = Some(Network::Unspecified);
            (unspecified, unspecified, Some(Network::Loopback))
        });
    }

    #[test]
    fn an_address_that_holds_another_is_judged_by_it_or_refused() {
        for (ip, expected) in [
            ("::ffff:127.0.0.1", Some(Network::Loopback)),
            ("::ffff:169.254.169.254", Some(Network::LinkLocal)),
            ("::ffff:192.168.0.1", Some(Network::Private)),
            ("::ffff:1.1.1.1", None),
            ("64:ff9b::10.0.0.1", Some(Network::Private)),
            ("64:ff9b::127.0.0.1", Some(Network::Loopback)),
            ("64:ff9b::1.1.1.1", None),
            ("64:ff9b:1::1.1.1.1", Some(Network::Tunnel)),
            ("64:ff9b:0:1::1.1.1.1", Some(Network::Reserved)),
            // Both hold 10.0.0.1, and no host of today is reached by either.
            ("2002:a00:1::1", Some(Network::Tunnel)),
            ("2001:0:1:2:3:4:f5ff:fffe", Some(Network::Tunnel)),
            ("::7f00:1", Some(Network::Reserved)),
        ] {
            assert_eq!(network(ip), expected, "{ip}");
        }
    }

    #[test]
    fn no_cloud_tells_us_its_secrets() {
        for metadata in
            ["169.254.169.254", "169.254.170.2", "100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254", "fd20:ce::254"]
        {
            assert!(network(metadata).is_some(), "{metadata}");
        }
    }

    #[test]
    fn what_is_public_is_public() {
        for public in [
            "1.1.1.1",
            "8.8.8.8",
            "151.101.1.69",
            "192.31.196.1",
            "2606:4700:4700::1111",
            "2a00:1450:4001:82a::200e",
            "2001:4860:4860::8888",
        ] {
            assert_eq!(network(public), None, "{public}");
        }
    }
}
