//! Where a browser may be sent after an OAuth flow.

use serde::{Deserialize, Serialize};

/// A page of the frontend. There is no way to name any other place, so no flow can be made to leave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReturnPath {
    /// `/`
    #[default]
    Home,
    /// `/connections`
    Connections,
    /// `/onboarding`
    Onboarding,
    /// `/posts`
    Posts,
    /// `/settings`
    Settings,
}

impl ReturnPath {
    /// Every page that may be asked for.
    pub const ALL: [Self; 5] = [Self::Home, Self::Connections, Self::Onboarding, Self::Posts, Self::Settings];

    /// The path, as it stands in addresses and tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Home => "/",
            Self::Connections => "/connections",
            Self::Onboarding => "/onboarding",
            Self::Posts => "/posts",
            Self::Settings => "/settings",
        }
    }

    /// Reads what [`Self::as_str`] writes, letter for letter.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|path| path.as_str() == text)
    }

    /// What a request asked for, or home.
    pub fn from_request(asked: Option<&str>) -> Self {
        asked.and_then(Self::parse).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_pages_read_back() {
        for path in ReturnPath::ALL {
            assert_eq!(ReturnPath::from_request(Some(path.as_str())), path);
        }
    }

    #[test]
    fn everything_else_leads_home() {
        for asked in [
            "",
            "//evil.example",
            "https://evil.example/posts",
            "/posts/",
            "/POSTS",
            "/posts?x=1",
            "/\\evil.example",
            "/%2f",
            " /posts",
            "posts",
        ] {
            assert_eq!(ReturnPath::from_request(Some(asked)), ReturnPath::Home, "{asked}");
        }
        assert_eq!(ReturnPath::from_request(None), ReturnPath::Home);
    }

    /// Pieces of texts that lead elsewhere in some reader of addresses.
    const PIECES: &[&str] = &[
        "/",
        "//",
        "\\",
        ":",
        "@",
        "?",
        "#",
        "%",
        "..",
        ";",
        "\t",
        "\r\n",
        "\0",
        "https",
        "javascript",
        "data",
        "evil.example",
        "posts",
        "connections",
        "settings",
        "%2f",
        "%5c",
        "%2e",
        "%00",
        "／",
        "．",
        "\u{200b}",
    ];

    /// Anything, pieces put together, and pages with something behind them.
    fn asked() -> impl Strategy<Value = String> {
        prop_oneof![
            "\\PC{0,40}",
            proptest::collection::vec(proptest::sample::select(PIECES), 0..8).prop_map(|pieces| pieces.concat()),
            (proptest::sample::select(&ReturnPath::ALL[..]), "\\PC{1,8}").prop_map(|(path, rest)| format!("{}{rest}", path.as_str())),
        ]
    }

    proptest! {
        #[test]
        fn whatever_is_asked_for_leads_to_a_page_of_the_list(asked in asked()) {
            let path = ReturnPath::from_request(Some(&asked));
            prop_assert!(ReturnPath::ALL.contains(&path));
            // Nothing of what was asked survives unless it is a page, letter for letter.
            prop_assert!(path == ReturnPath::Home || path.as_str() == asked);
        }
    }
}
