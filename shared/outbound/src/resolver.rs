//! The look-up of names, guarded: what it gives is what is connected to, so a name that changes after a check gains nothing.

use std::net::SocketAddr;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::reach::Reach;

/// The machine's own look-up.
pub(crate) struct System;

impl Resolve for System {
    fn resolve(&self, name: Name) -> Resolving {
        let name = name.as_str().to_owned();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name, 0)).await?;
            Ok(Box::new(found) as Addrs)
        })
    }
}

/// Gives the addresses of names that may be called, or fails with the refusal.
pub(crate) struct Guarded<R> {
    pub(crate) names: R,
    pub(crate) reach: Reach,
}

impl<R: Resolve> Resolve for Guarded<R> {
    fn resolve(&self, name: Name) -> Resolving {
        let (reach, host) = (self.reach.clone(), name.as_str().to_owned());
        let found = self.names.resolve(name);
        Box::pin(async move {
            // As many as one answer of a name server holds.
            let addresses: Vec<SocketAddr> = found.await?.collect();
            reach.admits(&host, addresses.iter().map(SocketAddr::ip))?;
            // Port 0: that of the address that is called.
            Ok(Box::new(addresses.into_iter().map(|address| SocketAddr::new(address.ip(), 0))) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::named::Refusal;
    use crate::network::Network;

    /// Each name is at these addresses.
    struct At(&'static [&'static str]);

    impl Resolve for At {
        fn resolve(&self, _: Name) -> Resolving {
            let addresses = self.0.iter().map(|address| SocketAddr::new(address.parse().unwrap(), 9));
            Box::pin(async move { Ok(Box::new(addresses) as Addrs) })
        }
    }

    async fn resolved(at: &'static [&'static str]) -> Result<Vec<String>, Option<Refusal>> {
        let guarded = Guarded { names: At(at), reach: Reach::public() };
        match guarded.resolve("example.com".parse().unwrap()).await {
            Ok(addresses) => Ok(addresses.map(|address| address.to_string()).collect()),
            Err(error) => Err(error.downcast_ref().copied()),
        }
    }

    #[tokio::test]
    async fn what_was_judged_is_what_is_connected_to() {
        assert_eq!(resolved(&["1.1.1.1", "2606:4700::1111"]).await.unwrap(), ["1.1.1.1:0", "[2606:4700::1111]:0"]);
    }

    #[tokio::test]
    async fn one_private_address_takes_the_public_ones_along() {
        let refused = |network| Err(Some(Refusal::NotPublic(network)));
        assert_eq!(resolved(&["1.1.1.1", "192.168.0.1"]).await, refused(Network::Private));
        assert_eq!(resolved(&["127.0.0.1", "1.1.1.1"]).await, refused(Network::Loopback));
        assert_eq!(resolved(&["2606:4700::1111", "::ffff:169.254.169.254"]).await, refused(Network::LinkLocal));
    }
}
