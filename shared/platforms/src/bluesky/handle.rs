//! The names of accounts: handles, which people know (<https://atproto.com/specs/handle>), and DIDs, which stay.

use std::fmt;

use domain::platform::Handle;
use url::{Host, Url};

/// The longest DID that is taken; those in use have up to a few dozen letters.
const DID_BYTES_MAX: usize = 256;

/// Where the host that a handle names says whose it is.
pub(super) fn well_known(handle: &Handle) -> Option<Url> {
    Url::parse(&format!("https://{}/.well-known/atproto-did", handle.as_str())).ok()
}

/// An account's own name, by one of the two methods that atproto knows (<https://atproto.com/specs/did>).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Did(String);

impl Did {
    /// Reads one.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let is_plc = |id: &str| id.len() == 24 && id.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'2'..=b'7'));
        let is_did = text.len() <= DID_BYTES_MAX
            && match text.strip_prefix("did:plc:") {
                Some(id) => is_plc(id),
                None => text.strip_prefix("did:web:").is_some_and(|host| Handle::parse(host).is_ok_and(|read| read.as_str() == host)),
            };
        is_did.then(|| Self(text.to_owned()))
    }

    /// Where its document stands: in the `directory` of `did:plc`, or at its own host.
    pub(super) fn document(&self, directory: &Url) -> Option<Url> {
        match self.0.strip_prefix("did:web:") {
            Some(host) => Url::parse(&format!("https://{host}/.well-known/did.json")).ok(),
            None => Some(crate::address::join(directory, &[&self.0])),
        }
    }

    /// Itself.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Did {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The origin that `text` names, if it names no more: `https://pds.example`. Whether it may be called is judged by whoever calls it: https is
/// demanded there, but on this machine.
pub(super) fn origin(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let is_bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    let is_named = matches!(url.host(), Some(Host::Domain(_))) && url.username().is_empty() && url.password().is_none();
    (matches!(url.scheme(), "https" | "http") && is_bare && is_named).then_some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_says_where_its_account_is_named() {
        let handle = Handle::parse("@Ada.example").unwrap();
        assert_eq!(well_known(&handle).unwrap().as_str(), "https://ada.example/.well-known/atproto-did");
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
        for good in ["https://pds.example", "http://localhost:2583"] {
            assert_eq!(origin(good).unwrap().as_str(), format!("{good}/"));
        }
        for bad in [
            "ftp://pds.example",
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
