//! All the adapters, found by name.

pub use domain::platform::PlatformAddresses;

use domain::platform::{PlatformName, Setting};
use outbound::Reach;

use crate::Platform;
use crate::address;
use crate::http::{Clients, Http};

/// Why the adapters could not be made.
#[derive(Debug, thiserror::Error)]
pub enum PlatformsError {
    /// Credentials would travel in the open.
    #[error("{name} must be an https address, or http on this machine")]
    UnsafeAddress {
        /// The name of its setting.
        name: String,
    },
    /// It would not stay a segment of an address.
    #[error("{platform}.version is none")]
    Version {
        /// Whose.
        platform: PlatformName,
    },
    /// The machine has no usable TLS.
    #[error(transparent)]
    Client(outbound::ClientError),
}

macro_rules! adapters {
    ($($(#[$_doc:meta])* $name:ident = $module:ident,)+) => {
        /// The adapter of a network: the type that has the network's name, in the module that has it, too.
        fn adapter(of: PlatformName, addresses: &PlatformAddresses, clients: Clients) -> Box<dyn Platform> {
            match of {
                $(PlatformName::$name => Box::new(crate::$module::$name::new(addresses, clients)),)+
            }
        }
    };
}

domain::each_platform!(adapters);

/// One adapter for each [`PlatformName`].
pub struct Platforms([Box<dyn Platform>; PlatformName::ALL.len()]);

impl Platforms {
    /// Checks the addresses and builds the HTTP clients: one for what they name, and a guarded one for what people and documents name.
    pub fn new(addresses: &PlatformAddresses) -> Result<Self, PlatformsError> {
        check(addresses)?;
        let configured = Http::new(addresses.hosts().all(|(_, _, url)| url.scheme() == "https")).map_err(PlatformsError::Client)?;
        let public = Http::guarded(Reach::public()).map_err(PlatformsError::Client)?;
        let named = PlatformName::ALL.map(|name| reach(addresses, name).map_or_else(|| Ok(public.clone()), Http::guarded));
        let named = named.into_iter().collect::<Result<Vec<_>, _>>().map_err(PlatformsError::Client)?;
        let clients = |name: PlatformName| Clients { configured: configured.clone(), named: named[name as usize].clone() };
        Ok(Self::of(|name| adapter(name, addresses, clients(name))))
    }

    /// Adapters from elsewhere in the places of ours: networks of any class, for proving the machine.
    pub fn of(adapter: impl Fn(PlatformName) -> Box<dyn Platform>) -> Self {
        Self(PlatformName::ALL.map(adapter))
    }

    /// The adapter for `name`.
    pub fn get(&self, name: PlatformName) -> &dyn Platform {
        // The list makes both the names and their order.
        &*self.0[name as usize]
    }

    /// All of them, in the order of [`PlatformName::ALL`].
    pub fn all(&self) -> impl Iterator<Item = &dyn Platform> {
        self.0.iter().map(|adapter| &**adapter)
    }
}

/// How far calls go to what people and documents name, where that is not the public internet alone: to a double of it, or, where our
/// configuration is on this machine, to this machine, too.
fn reach(addresses: &PlatformAddresses, of: PlatformName) -> Option<Reach> {
    let own = || Some(addresses.own_hosts(of)).filter(|hosts| !hosts.is_empty()).map(Reach::public_and);
    addresses.servers(of).map(|base| Reach::double(base.clone())).or_else(own)
}

fn check(addresses: &PlatformAddresses) -> Result<(), PlatformsError> {
    if let Some((platform, key, _)) = addresses.hosts().find(|(_, _, url)| !address::is_safe(url)) {
        return Err(PlatformsError::UnsafeAddress { name: Setting::Host(platform, key).name() });
    }
    if let Some((platform, _)) = addresses.doubled().find(|(_, base)| !address::is_safe(base)) {
        return Err(PlatformsError::UnsafeAddress { name: Setting::Servers(platform).name() });
    }
    let is_odd = |(platform, version): &(PlatformName, &str)| platform.descriptor().version.is_none_or(|of| !(of.is_valid)(version));
    addresses.versions().find(is_odd).map_or(Ok(()), |(platform, _)| Err(PlatformsError::Version { platform }))
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::*;

    #[test]
    fn every_name_has_its_adapter() {
        let platforms = Platforms::new(&PlatformAddresses::default()).unwrap();
        let names: Vec<_> = platforms.all().map(Platform::name).collect();
        assert_eq!(names, PlatformName::ALL);
        assert_eq!(PlatformName::ALL.map(|name| platforms.get(name).name()), PlatformName::ALL);
    }

    #[test]
    fn an_address_in_the_open_is_refused_by_its_name() {
        for (platform, key, _) in PlatformAddresses::default().hosts() {
            let open = PlatformAddresses::default().with_host(platform, key, Url::parse("http://graph.facebook.com").unwrap());
            let refused = Platforms::new(&open).err().unwrap();
            assert_eq!(refused.to_string(), format!("{platform}.{key} must be an https address, or http on this machine"));
        }
        let open = PlatformAddresses::default().with_servers(PlatformName::Mastodon, Url::parse("http://double.example.com").unwrap());
        assert!(Platforms::new(&open).err().unwrap().to_string().starts_with("mastodon.servers must be"));
    }

    #[test]
    fn a_version_that_is_none_is_refused() {
        let addresses = PlatformAddresses::default().with_version(PlatformName::Facebook, "v26.0/../me".into());
        assert!(matches!(Platforms::new(&addresses).err().unwrap(), PlatformsError::Version { platform: PlatformName::Facebook }));
    }
}
