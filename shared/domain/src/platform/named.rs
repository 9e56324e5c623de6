//! What a user names before a consent: a server of the network, or their handle. Both are names of hosts on the internet.

use std::fmt;

use serde::{Deserialize, Serialize};
use url::Host;

use super::Needs;

/// More letters than any name of a host has, in whatever script (RFC 1035 §2.3.4 allows 253 in ASCII).
const TEXT_BYTES_MAX: usize = 1_000;
/// The longest name of a host (RFC 1035 §2.3.4).
const NAME_CHARS_MAX: usize = 253;
/// The longest part between two dots.
const LABEL_CHARS_MAX: usize = 63;

/// A text that names no host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the name of a host on the internet")]
pub struct NotAHost;

/// The name of a server of a network that many people run, such as `mastodon.social`: lower case, ASCII, without scheme, port and path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ServerName(String);

/// The handle of an account that is itself the name of a host, such as `ada.bsky.social`: lower case, ASCII, without `@`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handle(String);

/// What the user named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    /// Their server.
    Server(ServerName),
    /// Their account.
    Handle(Handle),
}

impl ServerName {
    /// Reads what people type or paste: also an address, with `https://` before the name and a slash behind it.
    pub fn parse(text: &str) -> Result<Self, NotAHost> {
        let text = text.trim();
        let text = text.strip_prefix("https://").unwrap_or(text);
        host(text.strip_suffix('/').unwrap_or(text)).map(Self)
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Handle {
    /// Reads what people type: also with an `@` before it.
    pub fn parse(text: &str) -> Result<Self, NotAHost> {
        let text = text.trim();
        host(text.strip_prefix('@').unwrap_or(text)).map(Self)
    }

    /// The handle.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Named {
    /// Reads what is needed.
    pub fn parse(needs: Needs, text: &str) -> Result<Self, NotAHost> {
        match needs {
            Needs::Server => ServerName::parse(text).map(Self::Server),
            Needs::Handle => Handle::parse(text).map(Self::Handle),
        }
    }

    /// The server, if it is one.
    pub fn server(&self) -> Option<&ServerName> {
        match self {
            Self::Server(server) => Some(server),
            Self::Handle(_) => None,
        }
    }
}

impl fmt::Display for ServerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for ServerName {
    type Error = NotAHost;

    fn try_from(text: String) -> Result<Self, NotAHost> {
        Self::parse(&text)
    }
}

impl From<ServerName> for String {
    fn from(name: ServerName) -> Self {
        name.0
    }
}

/// A public name: of two parts at least, and no number of any spelling (<https://url.spec.whatwg.org/#host-parsing>). Whether the address
/// behind it is public is seen when it is called.
fn host(text: &str) -> Result<String, NotAHost> {
    if text.len() > TEXT_BYTES_MAX || text.contains('%') {
        return Err(NotAHost);
    }
    let Ok(Host::Domain(name)) = Host::parse(text) else { return Err(NotAHost) };
    let is_top = |label: &str| label.bytes().any(|byte| byte.is_ascii_alphabetic());
    let is_named = name.rsplit_once('.').is_some_and(|(_, top)| is_top(top));
    if name.len() > NAME_CHARS_MAX || !is_named || !name.split('.').all(is_label) {
        return Err(NotAHost);
    }
    Ok(name)
}

fn is_label(label: &str) -> bool {
    let inside = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=LABEL_CHARS_MAX).contains(&label.len()) && label.bytes().all(inside) && !label.starts_with('-') && !label.ends_with('-')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_server_is_read_as_people_write_it() {
        for text in ["mastodon.social", " Mastodon.Social ", "https://mastodon.social", "https://mastodon.social/", "mastodon。social"] {
            assert_eq!(ServerName::parse(text).unwrap().as_str(), "mastodon.social", "{text}");
        }
        assert_eq!(ServerName::parse("bücher.example").unwrap().as_str(), "xn--bcher-kva.example");
        assert_eq!(Handle::parse("@Ada.bsky.social").unwrap().as_str(), "ada.bsky.social");
        assert_eq!(Named::parse(Needs::Handle, "ada.example").unwrap().server(), None);
    }

    #[test]
    fn what_could_lead_elsewhere_is_no_server() {
        let long = "a".repeat(64);
        let many = "a.".repeat(127) + "example";
        for text in [
            "",
            "localhost",
            "127.0.0.1",
            "127.1",
            "0x7f.1",
            "2130706433",
            "[::1]",
            "mastodon.social:8080",
            "mastodon.social.",
            ".mastodon.social",
            "a..example",
            "user@mastodon.social",
            "user:word@mastodon.social",
            "mastodon.social/path",
            "mastodon.social?x=1",
            "mastodon.social#x",
            "mastodon.social\\x",
            "masto%64on.social",
            "mast odon.social",
            "mastodon.social\0",
            "http://mastodon.social",
            "https://https://mastodon.social",
            "-a.example",
            "a-.example",
            "a_b.example",
            "a.123",
            &format!("{long}.example"),
            &many,
            &"é".repeat(600),
        ] {
            assert_eq!(ServerName::parse(text), Err(NotAHost), "{text}");
            assert_eq!(Handle::parse(text), Err(NotAHost), "{text}");
        }
        assert!(Handle::parse("@@ada.example").is_err() && ServerName::parse("@mastodon.social").is_err());
    }

    #[test]
    fn a_stored_server_is_read_by_the_same_rules() {
        let name = ServerName::parse("mastodon.social").unwrap();
        assert_eq!(serde_json::to_string(&name).unwrap(), r#""mastodon.social""#);
        assert_eq!(serde_json::from_str::<ServerName>(r#""mastodon.social""#).unwrap(), name);
        assert!(serde_json::from_str::<ServerName>(r#""127.0.0.1""#).is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic_and_what_is_read_reads_back(text in "\\PC{0,80}") {
            if let Ok(name) = ServerName::parse(&text) {
                prop_assert_eq!(ServerName::parse(name.as_str()).unwrap(), name);
            }
        }
    }
}
