//! The names of accounts: handles, which people know, and DIDs, which stay.

use std::fmt;

use url::{Host, Url};

/// The longest DID that is taken; those in use have up to a few dozen letters.
const DID_BYTES_MAX: usize = 256;

/// A handle: the name of a host, in lower case (<https://atproto.com/specs/handle>).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handle(String);

impl Handle {
    /// Reads what people type; an `@` in front is no part of it.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let text = text.strip_prefix('@').unwrap_or(text).to_ascii_lowercase();
        let is_label = |label: &str| {
            let is_plain = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
            (1..=63).contains(&label.len()) && is_plain && !label.starts_with('-') && !label.ends_with('-')
        };
        let last_is_word = text.rsplit('.').next().is_some_and(|last| last.starts_with(|first: char| first.is_ascii_alphabetic()));
        let is_handle = text.len() <= 253 && text.contains('.') && last_is_word && text.split('.').all(is_label);
        is_handle.then_some(Self(text))
    }

    /// Where its host names its account.
    pub fn well_known(&self) -> Option<Url> {
        Url::parse(&format!("https://{}/.well-known/atproto-did", self.0)).ok()
    }

    /// Itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An account's own name, by one of the two methods that atproto knows (<https://atproto.com/specs/did>).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Did(String);

impl Did {
    /// Reads one.
    pub fn parse(text: &str) -> Option<Self> {
        let is_plc = |id: &str| id.len() == 24 && id.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'2'..=b'7'));
        let is_did = text.len() <= DID_BYTES_MAX
            && match text.strip_prefix("did:plc:") {
                Some(id) => is_plc(id),
                None => text.strip_prefix("did:web:").and_then(Handle::parse).is_some_and(|host| text.ends_with(host.as_str())),
            };
        is_did.then(|| Self(text.to_owned()))
    }

    /// Where its document stands: in the `directory` of `did:plc`, or at its own host.
    pub fn document(&self, directory: &Url) -> Option<Url> {
        match self.0.strip_prefix("did:web:") {
            Some(host) => Url::parse(&format!("https://{host}/.well-known/did.json")).ok(),
            None => Some(crate::address::join(directory, &[&self.0])),
        }
    }

    /// Itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Did {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The origin that `text` names, if it names no more: `https://pds.example`.
pub fn origin(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let is_bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    let is_named = matches!(url.host(), Some(Host::Domain(_))) && url.username().is_empty() && url.password().is_none();
    (url.scheme() == "https" && is_bare && is_named).then_some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_is_the_name_of_a_host() {
        for (typed, handle) in [
            ("jay.bsky.social", "jay.bsky.social"),
            (" @Jay.BSKY.social ", "jay.bsky.social"),
            ("8.cn", "8.cn"),
            ("xn--notarealidn.com", "xn--notarealidn.com"),
        ] {
            assert_eq!(Handle::parse(typed).map(|handle| handle.0).as_deref(), Some(handle), "{typed}");
        }
        let long = format!("{}.com", "a".repeat(64));
        for bad in [
            "",
            "jay",
            "jay.",
            ".com",
            "a..com",
            "-a.com",
            "a-.com",
            "a.1",
            "a.c_m",
            "a/b.com",
            "a.com:80",
            "日.com",
            "@@a.com",
            "john..test",
            &long,
        ] {
            assert_eq!(Handle::parse(bad), None, "{bad}");
        }
        assert_eq!(Handle::parse("a.example").unwrap().well_known().unwrap().as_str(), "https://a.example/.well-known/atproto-did");
    }

    #[test]
    fn a_did_says_where_its_document_is() {
        let plc = "did:plc:z72i7hdynmk6r22z27h6tvur";
        let directory = Url::parse("http://localhost/_sim/bluesky/plc.directory").unwrap();
        let at = |text: &str| Did::parse(text)?.document(&directory).map(String::from);
        assert_eq!(at(plc).unwrap(), format!("http://localhost/_sim/bluesky/plc.directory/{plc}"));
        assert_eq!(at("did:web:a.example").unwrap(), "https://a.example/.well-known/did.json");
        for bad in [
            "",
            "did:plc:",
            "did:plc:short",
            "did:plc:Z72i7hdynmk6r22z27h6tvur",
            "did:web:",
            "did:web:a.example:u",
            "did:web:a.example%3A80",
            "did:web:A.example",
            "did:key:z",
            "a.example",
        ] {
            assert_eq!(Did::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_server_is_an_origin_and_no_more() {
        assert_eq!(origin("https://pds.example").unwrap().as_str(), "https://pds.example/");
        for bad in [
            "http://pds.example",
            "https://pds.example/xrpc",
            "https://pds.example/?a",
            "https://pds.example/#a",
            "https://u@pds.example",
            "https://10.0.0.1",
            "pds.example",
            "",
        ] {
            assert_eq!(origin(bad), None, "{bad}");
        }
    }
}
