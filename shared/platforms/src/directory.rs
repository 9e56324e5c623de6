//! All the adapters, found by name.

pub use domain::platform::PlatformAddresses;

use domain::platform::PlatformName;
use url::Url;

use crate::Platform;
use crate::address;
use crate::facebook::Facebook;
use crate::http::Http;
use crate::x::X;

/// Why the adapters could not be made.
#[derive(Debug, thiserror::Error)]
pub enum PlatformsError {
    /// Credentials would travel in the open.
    #[error("{name} must be an https address, or http on this machine")]
    UnsafeAddress {
        /// The field of [`PlatformAddresses`].
        name: &'static str,
    },
    /// Not of the form `v26.0`.
    #[error("facebook_version must look like v26.0")]
    Version,
    /// The machine has no usable TLS.
    #[error("the HTTP client could not be built")]
    Client(#[source] reqwest::Error),
}

/// One adapter for each [`PlatformName`].
pub struct Platforms {
    x: Box<dyn Platform>,
    facebook: Box<dyn Platform>,
}

impl Platforms {
    /// Checks the addresses and builds the HTTP client that the adapters share.
    pub fn new(addresses: PlatformAddresses) -> Result<Self, PlatformsError> {
        check(&addresses)?;
        let http = Http::new(named(&addresses).iter().all(|(_, url)| url.scheme() == "https")).map_err(PlatformsError::Client)?;
        Ok(Self {
            x: Box::new(X { authorize_url: addresses.x_authorize_url, api_url: addresses.x_api_url, http: http.clone() }),
            facebook: Box::new(Facebook {
                authorize_url: addresses.facebook_authorize_url,
                api_url: addresses.facebook_api_url,
                version: addresses.facebook_version,
                http,
            }),
        })
    }

    /// Adapters from elsewhere in the places of X and Facebook: networks of any class, for proving the machine.
    pub fn of(x: Box<dyn Platform>, facebook: Box<dyn Platform>) -> Self {
        Self { x, facebook }
    }

    /// The adapter for `name`.
    pub fn get(&self, name: PlatformName) -> &dyn Platform {
        match name {
            PlatformName::X => &*self.x,
            PlatformName::Facebook => &*self.facebook,
        }
    }

    /// All of them, in the order of [`PlatformName::ALL`].
    pub fn all(&self) -> impl Iterator<Item = &dyn Platform> {
        PlatformName::ALL.into_iter().map(|name| self.get(name))
    }
}

fn named(addresses: &PlatformAddresses) -> [(&'static str, &Url); 4] {
    [
        ("x_authorize_url", &addresses.x_authorize_url),
        ("x_api_url", &addresses.x_api_url),
        ("facebook_authorize_url", &addresses.facebook_authorize_url),
        ("facebook_api_url", &addresses.facebook_api_url),
    ]
}

fn check(addresses: &PlatformAddresses) -> Result<(), PlatformsError> {
    if let Some((name, _)) = named(addresses).into_iter().find(|(_, url)| !address::is_safe(url)) {
        return Err(PlatformsError::UnsafeAddress { name });
    }
    let digits = |part: &str| !part.is_empty() && part.len() <= 3 && part.bytes().all(|byte| byte.is_ascii_digit());
    let numbers = addresses.facebook_version.strip_prefix('v').and_then(|numbers| numbers.split_once('.'));
    match numbers {
        Some((major, minor)) if digits(major) && digits(minor) => Ok(()),
        _ => Err(PlatformsError::Version),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses() -> PlatformAddresses {
        PlatformAddresses {
            x_authorize_url: Url::parse("https://x.com/i/oauth2/authorize").unwrap(),
            x_api_url: Url::parse("https://api.x.com").unwrap(),
            facebook_authorize_url: Url::parse("https://www.facebook.com").unwrap(),
            facebook_api_url: Url::parse("https://graph.facebook.com").unwrap(),
            facebook_version: "v26.0".into(),
        }
    }

    #[test]
    fn every_name_has_its_adapter() {
        let platforms = Platforms::new(addresses()).unwrap();
        let names: Vec<_> = platforms.all().map(Platform::name).collect();
        assert_eq!(names, PlatformName::ALL);
    }

    #[test]
    fn an_address_in_the_open_is_refused_by_its_name() {
        let open = PlatformAddresses { facebook_api_url: Url::parse("http://graph.facebook.com").unwrap(), ..addresses() };
        assert!(matches!(Platforms::new(open).err().unwrap(), PlatformsError::UnsafeAddress { name: "facebook_api_url" }));
    }

    #[test]
    fn a_version_is_a_version() {
        for bad in ["", "26.0", "v26", "v26.x", "v26.0/../me", "v.0"] {
            let addresses = PlatformAddresses { facebook_version: bad.into(), ..addresses() };
            assert!(matches!(Platforms::new(addresses).err().unwrap(), PlatformsError::Version), "{bad}");
        }
    }
}
