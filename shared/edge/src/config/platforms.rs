//! Which platforms there are, where, and how often their metrics are read.

use domain::analytics::{Pace, Paces};
use domain::platform::{PlatformAddresses, PlatformName, Setting};
use url::Url;

use super::variables as name;
use super::{Variables, check};

/// Which platforms we have credentials for, and where they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Platforms {
    /// With credentials, in the order in which they are shown.
    pub configured: Vec<PlatformName>,
    /// Where each is.
    pub addresses: PlatformAddresses,
}

impl Platforms {
    /// Reads it. The list of platforms has no default.
    pub fn read(variables: &mut Variables<'_>) -> Self {
        let configured = variables.present(name::PLATFORMS, "names of platforms separated by commas", check::platforms).unwrap_or_default();
        Self { configured, addresses: platform_addresses(variables) }
    }
}

/// Where each platform is: at its own hosts, where nothing else is said. What is said of one host counts before what is said of all.
pub fn platform_addresses(variables: &mut Variables<'_>) -> PlatformAddresses {
    let known: Vec<_> = Setting::all().map(|setting| (setting.name(), setting)).collect();
    let mut said = variables.entries(name::PLATFORM_ADDRESSES, &known, Said::read);
    said.sort_by_key(|(setting, _)| match setting {
        Setting::Everywhere => 0,
        Setting::Host(..) | Setting::Version(_) => 1,
        Setting::Servers(_) => 2,
    });
    said.into_iter().fold(PlatformAddresses::default(), |addresses, (_, said)| match said {
        Said::Everywhere(base) => addresses.below(&base),
        Said::Host(platform, key, url) => addresses.with_host(platform, key, url),
        Said::Servers(platform, base) => addresses.with_servers(platform, base),
        Said::Version(platform, version) => addresses.with_version(platform, version),
    })
}

/// A [`Setting`] with what it is set to.
enum Said {
    Everywhere(Url),
    Host(PlatformName, &'static str, Url),
    Servers(PlatformName, Url),
    Version(PlatformName, String),
}

impl Said {
    fn read(setting: Setting, text: &str) -> Result<Self, String> {
        let url = || check::url(text).ok_or_else(|| check::URL.to_owned());
        match setting {
            Setting::Everywhere => Ok(Self::Everywhere(url()?)),
            Setting::Host(platform, key) => Ok(Self::Host(platform, key, url()?)),
            Setting::Servers(platform) => Ok(Self::Servers(platform, url()?)),
            Setting::Version(platform) => {
                let of = platform.descriptor().version;
                let version = of.filter(|version| (version.is_valid)(text)).map(|_| Self::Version(platform, text.to_owned()));
                version.ok_or_else(|| format!("a version such as {}", of.map_or("none", |version| version.default)))
            }
        }
    }
}

/// How often metrics are read: on the whole ladder, where nothing else is said. What is said of one platform counts before what is said of
/// all.
pub fn metrics_paces(variables: &mut Variables<'_>) -> Paces {
    let one = |platform: PlatformName| (platform.to_string(), Some(platform));
    let known: Vec<_> = [("*".to_owned(), None)].into_iter().chain(PlatformName::ALL.map(one)).collect();
    let expected = || format!("off or a whole number from 1 to {}", Pace::ONE_OF_MAX);
    let mut said = variables.entries(name::METRICS_PACE, &known, |_, text| Pace::parse(text).ok_or_else(expected));
    said.sort_by_key(|(platform, _)| platform.is_some());
    let of_each = |(platform, pace): (Option<PlatformName>, Pace)| {
        let meant = PlatformName::ALL.into_iter().filter(move |each| platform.is_none_or(|platform| platform == *each));
        meant.map(move |each| (each, pace))
    };
    said.into_iter().flat_map(of_each).collect()
}

#[cfg(test)]
mod tests {
    use domain::platform::API;

    use super::super::{ConfigError, Source, read};
    use super::*;

    fn set<T>(list: &'static str, build: fn(&mut Variables<'_>) -> T) -> Result<T, String> {
        read(&Source::from_fn(move |_| Some(list.to_owned())), build).map_err(|error: ConfigError| error.to_string())
    }

    #[test]
    fn every_host_can_be_elsewhere_in_whatever_order_it_is_said() {
        let base = Url::parse("http://localhost:3000/_sim").unwrap();
        let double = PlatformAddresses::default().below(&base);
        assert_eq!(set("", platform_addresses), Ok(PlatformAddresses::default()));
        assert_eq!(set("*=http://localhost:3000/_sim", platform_addresses), Ok(double.clone()));
        let x = double.with_host(PlatformName::X, API, Url::parse("https://x.example.com/api").unwrap());
        for list in [
            "*=http://localhost:3000/_sim,x.api=https://x.example.com/api",
            "x.api=https://x.example.com/api, *=http://localhost:3000/_sim",
        ] {
            assert_eq!(set(list, platform_addresses).as_ref(), Ok(&x), "{list}");
        }
        let servers = set("mastodon.servers=https://double.example.com/all", platform_addresses).unwrap();
        assert_eq!(servers.servers(PlatformName::Mastodon).unwrap().as_str(), "https://double.example.com/all");
        let servers = set("bluesky.servers=https://double.example.com/all,bluesky.api=https://a.example.com", platform_addresses).unwrap();
        assert_eq!(servers.servers(PlatformName::Bluesky).unwrap().as_str(), "https://double.example.com/all");
        assert_eq!(set("facebook.version=v25.0", platform_addresses).unwrap().version(PlatformName::Facebook), "v25.0");
    }

    #[test]
    fn what_is_no_address_is_refused_by_its_entry() {
        for bad in [
            "",
            "marker",
            "ftp://a.example",
            "http://a.example",
            "https://u:marker@a.example",
            "https://a.example?marker",
            "https://a.example/#marker",
        ] {
            let list = String::leak(format!("x.api={bad},facebook.version=marker,*={bad}"));
            let refused = set(list, platform_addresses).unwrap_err();
            for entry in
                ["x.api must be an https address", "facebook.version must be a version such as v26.0", "* must be an https address"]
            {
                assert!(refused.contains(&format!("PLATFORM_ADDRESSES: {entry}")), "{entry}: {refused}");
            }
            assert!(!refused.contains("marker"), "{refused}");
        }
    }

    #[test]
    fn reading_is_slowed_or_turned_off_for_one_platform_or_all() {
        let paces = |list| set(list, metrics_paces).map(|paces| PlatformName::ALL.map(|platform| paces.of(platform)));
        let expected = PlatformName::ALL.map(|platform| if platform == PlatformName::X { Pace::Off } else { Pace::OneOf(2) });
        assert_eq!(paces("x=off,*=2"), Ok(expected));
        assert_eq!(paces("*=off"), Ok(PlatformName::ALL.map(|_| Pace::Off)));
        let known = PlatformName::ALL.map(PlatformName::as_str).join(", ");
        let refused = format!(
            "configuration: METRICS_PACE: x must be off or a whole number from 1 to 6; \
             METRICS_PACE: entry 2 (facebok) must be named one of *, {known}"
        );
        assert_eq!(paces("x=7,facebok=2"), Err(refused));
    }
}
