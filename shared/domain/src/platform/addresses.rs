//! Where each network is: its own hosts, or others in their place.

use std::collections::BTreeMap;

use url::Url;

use super::{Descriptor, PlatformName};

/// The key of the page on which people consent.
pub const AUTHORIZE: &str = "authorize";
/// The key of where programs are given tokens, if that is not what they call.
pub const OAUTH: &str = "oauth";
/// The key of what programs call.
pub const API: &str = "api";
/// The key of what says where accounts live, at a network of many servers.
pub const DIRECTORY: &str = "directory";

/// A host of a network. Its address is https, or http on this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Host {
    /// Names it beside its network: the `api` of `x.api`.
    pub key: &'static str,
    /// The network's own address.
    pub url: &'static str,
}

/// The version that stands in every address of a network's API. Networks end theirs, so that it is a setting.
#[derive(Debug, Clone, Copy)]
pub struct Version {
    /// The one that the adapter was written for.
    pub default: &'static str,
    /// Whether a text can be one.
    pub is_valid: fn(&str) -> bool,
}

/// What can be set of the networks' addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setting {
    /// One base for every host of every network: a double of them all.
    Everywhere,
    /// One host, by its key.
    Host(PlatformName, &'static str),
    /// A double of all servers of a network, whose hosts people name.
    Servers(PlatformName),
    /// The version of a network's API.
    Version(PlatformName),
}

impl Setting {
    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        let of = |platform: PlatformName| {
            let descriptor @ Descriptor { hosts, version, .. } = platform.descriptor();
            let hosts = hosts.iter().map(move |host| Self::Host(platform, host.key));
            let servers = descriptor.has_named_hosts().then_some(Self::Servers(platform));
            hosts.chain(servers).chain(version.map(|_| Self::Version(platform)))
        };
        [Self::Everywhere].into_iter().chain(PlatformName::ALL.into_iter().flat_map(of))
    }

    /// The name in configuration: `*`, `x.api`, `mastodon.servers`, `facebook.version`.
    pub fn name(self) -> String {
        match self {
            Self::Everywhere => "*".to_owned(),
            Self::Host(platform, key) => format!("{platform}.{key}"),
            Self::Servers(platform) => format!("{platform}.servers"),
            Self::Version(platform) => format!("{platform}.version"),
        }
    }
}

/// Where the networks are. Built from [`PlatformAddresses::default`], their own addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlatformAddresses {
    urls: BTreeMap<(PlatformName, &'static str), Url>,
    servers: BTreeMap<PlatformName, Url>,
    versions: BTreeMap<PlatformName, String>,
}

impl Default for PlatformAddresses {
    fn default() -> Self {
        let own = |host: &Host| Url::parse(host.url).expect("a constant address");
        let hosts = PlatformName::ALL.into_iter().flat_map(|platform| platform.descriptor().hosts.iter().map(move |host| (platform, host)));
        let versions =
            PlatformName::ALL.into_iter().filter_map(|platform| Some((platform, platform.descriptor().version?.default.to_owned())));
        let urls = hosts.map(|(platform, host)| ((platform, host.key), own(host))).collect();
        Self { urls, servers: BTreeMap::new(), versions: versions.collect() }
    }
}

impl PlatformAddresses {
    /// Every host at `<base>/<platform>` and its own path: where a double of all networks is. A host that people name is at
    /// `<base>/<platform>/<host>`.
    #[must_use]
    pub fn below(mut self, base: &Url) -> Self {
        for ((platform, key), url) in &mut self.urls {
            let own = platform.descriptor().hosts.iter().find(|host| host.key == *key).and_then(|host| Url::parse(host.url).ok());
            let own = own.expect("each address is that of a host");
            *url = beneath(base, *platform, own.path_segments().into_iter().flatten());
        }
        let named = PlatformName::ALL.into_iter().filter(|platform| platform.descriptor().has_named_hosts());
        self.servers = named.map(|platform| (platform, beneath(base, platform, []))).collect();
        self
    }

    /// A double of all servers of a network elsewhere.
    #[must_use]
    pub fn with_servers(mut self, platform: PlatformName, base: Url) -> Self {
        self.servers.insert(platform, base);
        self
    }

    /// One host elsewhere. What was to stand for the network's servers stands for them no longer: that host tells of others.
    #[must_use]
    pub fn with_host(mut self, platform: PlatformName, key: &'static str, url: Url) -> Self {
        self.urls.insert((platform, key), url);
        self.servers.remove(&platform);
        self
    }

    /// Another version of a network's API.
    #[must_use]
    pub fn with_version(mut self, platform: PlatformName, version: String) -> Self {
        self.versions.insert(platform, version);
        self
    }

    /// The address of one of the hosts that its [`Descriptor`] lists.
    pub fn url(&self, platform: PlatformName, key: &str) -> &Url {
        let found = self.urls.iter().find(|((of, named), _)| *of == platform && *named == key);
        found.map(|(_, url)| url).expect("an adapter asks for the hosts that its network lists")
    }

    /// Where a double of all servers of a network is; `None`: each server is where it says.
    pub fn servers(&self, platform: PlatformName) -> Option<&Url> {
        self.servers.get(&platform)
    }

    /// The hosts of this machine that a network has been given: servers that say that they are there are reached.
    pub fn own_hosts(&self, platform: PlatformName) -> Vec<String> {
        let of_it = self.urls.iter().filter(|((of, _), url)| *of == platform && url.scheme() == "http");
        of_it.filter_map(|(_, url)| url.host_str().map(str::to_owned)).collect()
    }

    /// Every double of a network's servers.
    pub fn doubled(&self) -> impl Iterator<Item = (PlatformName, &Url)> {
        self.servers.iter().map(|(platform, base)| (*platform, base))
    }

    /// The version of a network whose API has one.
    pub fn version(&self, platform: PlatformName) -> &str {
        self.versions.get(&platform).expect("an adapter asks for the version that its network lists")
    }

    /// Every host with its address, network by network.
    pub fn hosts(&self) -> impl Iterator<Item = (PlatformName, &'static str, &Url)> {
        self.urls.iter().map(|((platform, key), url)| (*platform, *key, url))
    }

    /// Every version.
    pub fn versions(&self) -> impl Iterator<Item = (PlatformName, &str)> {
        self.versions.iter().map(|(platform, version)| (*platform, version.as_str()))
    }
}

/// `base`, the network's name, and the path of one of its hosts.
fn beneath<'a>(base: &Url, platform: PlatformName, path: impl IntoIterator<Item = &'a str>) -> Url {
    let mut url = base.clone();
    let mut segments = url.path_segments_mut().expect("an http address has a path");
    segments.pop_if_empty().push(platform.as_str()).extend(path.into_iter().filter(|segment| !segment.is_empty()));
    drop(segments);
    url
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_network_is_at_its_own_hosts_unless_told_otherwise() {
        let own = PlatformAddresses::default();
        for platform in PlatformName::ALL {
            for host in platform.descriptor().hosts {
                assert_eq!(own.url(platform, host.key), &Url::parse(host.url).unwrap(), "{platform}.{}", host.key);
            }
            if let Some(Version { default, is_valid }) = platform.descriptor().version {
                assert!(is_valid(default) && own.version(platform) == default);
            }
        }
    }

    #[test]
    fn a_double_has_every_host_below_its_networks_name() {
        for base in ["http://localhost:3000/_sim", "http://localhost:3000/_sim/"] {
            let double = PlatformAddresses::default().below(&Url::parse(base).unwrap());
            for (platform, key, url) in double.hosts() {
                let below = format!("http://localhost:3000/_sim/{platform}");
                assert!(url.as_str() == below || url.as_str().starts_with(&format!("{below}/")), "{platform}.{key}: {url}");
            }
            let at = |key| double.url(PlatformName::X, key).as_str();
            assert_eq!((at(API), at(AUTHORIZE)), ("http://localhost:3000/_sim/x", "http://localhost:3000/_sim/x/i/oauth2/authorize"));
            assert_eq!(double.version(PlatformName::Facebook), "v26.0");
            let doubled: Vec<_> = double.doubled().map(|(platform, base)| format!("{platform}.servers={base}")).collect();
            assert_eq!(doubled, ["mastodon", "bluesky"].map(|name| format!("{name}.servers=http://localhost:3000/_sim/{name}")));
        }
    }

    #[test]
    fn one_host_and_one_version_can_be_set_alone() {
        let url = Url::parse("https://x.example.com").unwrap();
        let set =
            PlatformAddresses::default().with_host(PlatformName::X, API, url.clone()).with_version(PlatformName::Facebook, "v25.0".into());
        assert_eq!((set.url(PlatformName::X, API), set.version(PlatformName::Facebook)), (&url, "v25.0"));
        assert_eq!(set.url(PlatformName::Facebook, API).as_str(), "https://graph.facebook.com/");
        assert_eq!(set.servers(PlatformName::Mastodon), None, "each server is where it says");
        assert_eq!(set.with_servers(PlatformName::Mastodon, url.clone()).servers(PlatformName::Mastodon), Some(&url));
    }

    #[test]
    fn a_network_with_a_host_elsewhere_has_its_servers_there_too() {
        let (sim, own) = (Url::parse("http://localhost:3000/_sim").unwrap(), Url::parse("http://127.0.0.1:2582").unwrap());
        let double = PlatformAddresses::default().below(&sim);
        assert_eq!(double.own_hosts(PlatformName::Bluesky), ["localhost", "localhost"]);
        let set = double.with_host(PlatformName::Bluesky, DIRECTORY, own);
        assert_eq!(
            (set.servers(PlatformName::Bluesky), set.own_hosts(PlatformName::Bluesky)),
            (None, vec!["localhost".into(), "127.0.0.1".into()])
        );
        assert!(PlatformAddresses::default().own_hosts(PlatformName::Bluesky).is_empty());
    }

    #[test]
    fn settings_have_names_that_differ() {
        let names: Vec<_> = Setting::all().map(Setting::name).collect();
        let differing: BTreeSet<_> = names.iter().collect();
        assert_eq!(differing.len(), names.len(), "{names:?}");
        for name in ["*", "x.authorize", "x.api", "facebook.version", "mastodon.servers"] {
            assert!(names.iter().any(|of| of == name), "{name}");
        }
    }
}
