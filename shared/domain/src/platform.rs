//! The social networks: the one list of them, what is known of each, and where each is.

mod account_kind;
mod addresses;
mod app;
mod bluesky;
mod descriptor;
mod facebook;
mod linkedin;
mod mastodon;
mod named;
mod server;
mod threads;
mod x;

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use account_kind::AccountKind;
pub use addresses::{API, AUTHORIZE, DIRECTORY, Host, OAUTH, PlatformAddresses, Setting, Version};
pub use app::App;
pub use descriptor::{Budget, Descriptor, Facts, Needs, Reconcile, Renewal, Scopes};
pub use named::{Handle, Named, NotAHost, ServerName};
pub use server::{Server, ServerLimits};

/// The one list of networks, in the order in which they are shown: each with its name in addresses, JSON, tables and logs. The
/// `DESCRIPTOR` of each stands in the module of this name.
///
/// It hands the list to the macro `$to`. Whoever keeps one thing for each network, such as its adapter, takes the list from here, and does
/// not compile without that thing.
#[macro_export]
macro_rules! each_platform {
    ($to:ident) => {
        $to! {
            /// X, formerly Twitter.
            X = x,
            /// Facebook Pages.
            Facebook = facebook,
            /// LinkedIn, for people and for organizations.
            LinkedIn = linkedin,
            /// Mastodon, on servers that many people run.
            Mastodon = mastodon,
            /// Bluesky, and every other server of atproto.
            Bluesky = bluesky,
            /// Threads.
            Threads = threads,
        }
    };
}

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident = $module:ident,)+) => {
        /// A social network that an adapter exists for.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
        #[serde(rename_all = "lowercase")]
        pub enum PlatformName {
            $($(#[$doc])* $name,)+
        }

        impl PlatformName {
            /// Every platform, in the order in which they are shown.
            pub const ALL: [Self; [$(PlatformName::$name),+].len()] = [$(Self::$name),+];

            /// The name in addresses, JSON, tables and logs.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($module),)+
                }
            }

            /// What is known of it without a call.
            pub const fn descriptor(self) -> &'static Descriptor {
                match self {
                    $(Self::$name => &$module::DESCRIPTOR,)+
                }
            }
        }
    };
}

each_platform!(names);

impl PlatformName {
    /// Reads what [`Self::as_str`] writes.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|platform| platform.as_str() == text)
    }
}

impl fmt::Display for PlatformName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_has_one_name_everywhere() {
        for platform in PlatformName::ALL {
            let name = platform.as_str();
            assert!(!name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase()), "{name}");
            assert_eq!(serde_json::to_value(platform).unwrap(), name);
            assert_eq!((PlatformName::parse(name), platform.to_string().as_str()), (Some(platform), name));
        }
    }
}
