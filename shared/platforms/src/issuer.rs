//! Who answered a consent (RFC 9207).

use url::Url;

/// Who a network says it is in the callback's `iss`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issuer {
    identifier: String,
    announced: bool,
}

impl Issuer {
    /// A network that does not say that it names itself. If it does all the same, it must be this one.
    pub fn unannounced(identifier: String) -> Self {
        Self { identifier, announced: false }
    }

    /// A network whose metadata says `authorization_response_iss_parameter_supported`: an answer without `iss` is not its own.
    pub fn announced(identifier: String) -> Self {
        Self { identifier, announced: true }
    }

    /// Its name.
    pub fn identifier(&self) -> &str {
        &self.identifier
    }

    /// Whether a callback with this `iss` can be its answer. Compared letter for letter (RFC 9207 §2.4).
    pub fn allows(&self, iss: Option<&str>) -> bool {
        iss.map_or(!self.announced, |iss| iss == self.identifier)
    }

    /// The address without what a page of the network stands below it.
    pub(crate) fn above(url: &Url, page: &str) -> String {
        let text = url.as_str().trim_end_matches('/');
        text.strip_suffix(page).unwrap_or(text).to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_names_itself_must_be_the_one_that_was_asked() {
        let x = "https://x.com";
        let cases = [
            (Issuer::announced(x.to_owned()), Some(x), true),
            (Issuer::announced(x.to_owned()), None, false),
            (Issuer::announced(x.to_owned()), Some("https://x.com/"), false),
            (Issuer::unannounced(x.to_owned()), None, true),
            (Issuer::unannounced(x.to_owned()), Some(x), true),
            (Issuer::unannounced(x.to_owned()), Some("https://evil.example"), false),
            (Issuer::unannounced(x.to_owned()), Some(""), false),
        ];
        for (issuer, iss, expected) in cases {
            assert_eq!(issuer.allows(iss), expected, "{issuer:?} {iss:?}");
        }
    }

    #[test]
    fn a_network_is_named_by_what_stands_above_its_page() {
        let above = |text: &str| Issuer::above(&Url::parse(text).unwrap(), "/i/oauth2/authorize");
        assert_eq!(above("https://x.com/i/oauth2/authorize"), "https://x.com");
        assert_eq!(above("http://localhost:3000/_sim/x/i/oauth2/authorize"), "http://localhost:3000/_sim/x");
        assert_eq!(above("https://www.facebook.com"), "https://www.facebook.com");
    }
}
