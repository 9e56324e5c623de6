//! What is known of a network without a call to it.

use jiff::SignedDuration;
use utoipa::ToSchema;

use super::account_kind::AccountKind;
use super::addresses::{Host, Version};
use super::server::Server;
use crate::analytics::Rhythm;
use crate::connection::Terms;
use crate::text::TextRule;

/// A network as data: whatever is not a call of its API is read here, by all who walk the list of networks.
#[derive(Debug, Clone, Copy)]
pub struct Descriptor {
    /// The name as people write it.
    pub display_name: &'static str,
    /// The hosts that its adapter speaks to, and those that it sends people to.
    pub hosts: &'static [Host],
    /// The version of its API; `None`: its addresses have none that changes.
    pub version: Option<Version>,
    /// What the user must tell before the consent.
    pub needs: Option<Needs>,
    /// What a consent asks for.
    pub scopes: Scopes,
    /// How tokens are renewed.
    pub renewal: Renewal,
    /// How long a grant lives that is not renewed, where the network's answers do not tell; `None`: they do, or it has no end.
    pub grant_life: Option<SignedDuration>,
    /// What most of its accounts are: what counts where no account is at hand.
    pub usual_kind: AccountKind,
    /// Whether each call proves that our own app makes it.
    pub app_proof: bool,
    /// Whether a person's grants to our app are one: taking one back ends all of them, whoever of ours lives on them.
    pub grants_are_one: bool,
    /// How much text a post may hold. It is checked before an adapter is asked.
    pub text: TextRule,
    /// The same for an account with these facts, where servers have limits of their own; `None`: they have none.
    pub text_of: Option<fn(&Facts<'_>) -> TextRule>,
    /// How a lost answer is cleared up, for an account with these facts. It must be the same each time: a post in doubt is judged by it anew.
    pub reconcile: fn(&Facts<'_>) -> Reconcile,
    /// How long before its time a post is prepared; zero: it is not, or so quickly that its own time will do.
    pub lead: SignedDuration,
    /// How much of posts' numbers may be read.
    pub numbers: Budget,
}

impl Descriptor {
    /// What is known of its grants.
    pub fn terms(&self) -> Terms {
        Terms { renewal: self.renewal, life: self.grant_life }
    }

    /// How much text a post of an account with these facts may hold.
    pub fn text_for(&self, facts: &Facts<'_>) -> TextRule {
        self.text_of.map_or(self.text, |text_of| text_of(facts))
    }

    /// Whether many people run servers of it. Our app is another one at each of them.
    pub fn has_servers(&self) -> bool {
        self.needs == Some(Needs::Server)
    }

    /// Whether its hosts are named by people, and by what those hosts say.
    pub fn has_named_hosts(&self) -> bool {
        self.needs.is_some()
    }

    /// What is known of an account where none is at hand.
    pub fn usual_facts(&self) -> Facts<'static> {
        Facts { kind: self.usual_kind, server: None }
    }
}

/// What a network's rules may depend on, of one account.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// What the account is.
    pub kind: AccountKind,
    /// Where it lives, if many people run servers of the network.
    pub server: Option<&'a Server>,
}

/// The scopes that a consent asks for.
#[derive(Debug, Clone, Copy)]
pub struct Scopes {
    /// Those that posting needs.
    pub required: &'static [&'static str],
    /// Those that are not missed where they are not granted.
    pub optional: &'static [&'static str],
    /// What stands between two of them in the consent's address.
    pub separator: &'static str,
}

impl Scopes {
    /// All of them, as they stand in the consent's address.
    pub fn asked(&self) -> String {
        [self.required, self.optional].concat().join(self.separator)
    }
}

/// What the user must tell before the consent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum Needs {
    /// The server's address.
    Server,
    /// The account's handle.
    Handle,
}

impl Needs {
    /// The name in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Handle => "handle",
        }
    }
}

/// How tokens are renewed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Renewal {
    /// By a refresh token that works once: each answer brings the next.
    Rotating,
    /// By a refresh token that stays.
    Stable,
    /// The access token itself is made to last longer.
    Extends {
        /// How old it must be.
        after: SignedDuration,
    },
    /// Only by another consent.
    Consent {
        /// How long before the tokens end their owner is told.
        warn: SignedDuration,
    },
    /// Not at all: they have no end of their own.
    Never,
}

/// How a lost answer is cleared up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reconcile {
    /// The create call takes our key and may be repeated.
    Key {
        /// How long after its first use a key surely still stands for the post that it made.
        life: SignedDuration,
    },
    /// A stored handle can be read or finished.
    Handle,
    /// The account's own posts can be searched.
    Search,
    /// Only a person can tell.
    Person,
}

/// How much may be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// How often one post's numbers may be asked for.
    pub rhythm: Rhythm,
    /// How many posts of all accounts in ten minutes: well below what the network allows our app, because posting lives on it too.
    pub posts_max: usize,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::{API, AUTHORIZE, PlatformName};

    #[test]
    fn every_network_is_described_whole() {
        for platform in PlatformName::ALL {
            let descriptor = platform.descriptor();
            assert!(!descriptor.display_name.is_empty(), "{platform}");
            let keys: Vec<_> = descriptor.hosts.iter().map(|host| host.key).collect();
            let differing: BTreeSet<_> = keys.iter().collect();
            let has_its_own = keys.contains(&API) && keys.contains(&AUTHORIZE);
            assert!(has_its_own != descriptor.has_named_hosts() && differing.len() == keys.len(), "{platform}: {keys:?}");
            assert!(descriptor.hosts.iter().all(|host| host.url.starts_with("https://")), "{platform}");
            let scopes = [descriptor.scopes.required, descriptor.scopes.optional].concat();
            let differing: BTreeSet<_> = scopes.iter().collect();
            assert!(!descriptor.scopes.required.is_empty() && differing.len() == scopes.len(), "{platform}: {scopes:?}");
            assert_eq!(descriptor.scopes.asked().split(descriptor.scopes.separator).collect::<Vec<_>>(), scopes, "{platform}");
            assert_eq!(descriptor.text_for(&descriptor.usual_facts()), descriptor.text, "{platform}");
            assert!(descriptor.text.max > 0 && descriptor.numbers.posts_max > 0, "{platform}");
        }
    }
}
