//! Who answers a consent (RFC 9207).

use serde::{Deserialize, Serialize};

/// Who a network, or a server of it, says it is in the callback's `iss`. It stands with the flow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
}
