//! What a server says of itself.

use domain::people::Issuer;
use domain::platform::{Server, ServerLimits, ServerName};
use http::{Method, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use url::Url;

use super::Mastodon;
use crate::http::{Answer, CALL_TIMEOUT, SendError};
use crate::{AuthorizeError, address};

/// What the relation of a description of a server begins with (<https://nodeinfo.diaspora.software/protocol>).
const NODEINFO_2: &str = "http://nodeinfo.diaspora.software/ns/schema/2.";

/// The software of a server that does not say.
const UNKNOWN: &str = "unknown";

/// The longest name of an issuer that is kept: it stands with the flow and the connection.
const ISSUER_BYTES_MAX: usize = 300;

/// The most letters of a software's name that are kept.
const SOFTWARE_CHARS_MAX: usize = 40;

#[derive(Deserialize)]
struct Links {
    links: Vec<Link>,
}

#[derive(Deserialize)]
struct Link {
    rel: String,
    href: Url,
}

#[derive(Deserialize)]
struct NodeInfo {
    software: Software,
}

#[derive(Deserialize)]
struct Software {
    name: String,
}

/// See <https://docs.joinmastodon.org/methods/oauth/#authorization-server-metadata>.
#[derive(Deserialize)]
struct Metadata {
    /// As it is told, for it is compared letter for letter.
    issuer: String,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

/// `/api/v2/instance`, and the first version of it, which some software still has alone.
#[derive(Deserialize)]
struct Instance {
    /// v2.
    domain: Option<String>,
    /// v1.
    uri: Option<String>,
    #[serde(default)]
    configuration: Configuration,
    /// Pleroma's.
    max_toot_chars: Option<u32>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Configuration {
    statuses: Statuses,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Statuses {
    max_characters: Option<u32>,
    characters_reserved_per_url: Option<u32>,
}

impl Mastodon {
    /// The server as it describes itself, and who may answer a consent there.
    pub(super) async fn described(&self, name: &ServerName) -> Result<(Server, Issuer), AuthorizeError> {
        let api = address_of(name)?;
        let (software, issuer, limits) = tokio::try_join!(self.software(&api), self.issuer_of(&api), self.limits(&api))?;
        let issuer_url = Url::parse(issuer.identifier()).unwrap_or_else(|_| api.clone());
        Ok((Server { issuer: issuer_url, api, software, limits }, issuer))
    }

    /// What it runs. What cannot be read is no software that we know.
    async fn software(&self, api: &Url) -> Result<String, AuthorizeError> {
        let links: Option<Links> = self.told(address::join(api, &[".well-known", "nodeinfo"])).await?;
        let found = links.and_then(|links| links.links.into_iter().rev().find(|link| link.rel.starts_with(NODEINFO_2)));
        // A server speaks for itself alone.
        let Some(link) = found.filter(|link| link.href.origin() == api.origin()) else { return Ok(UNKNOWN.to_owned()) };
        let info: Option<NodeInfo> = self.told(link.href).await?;
        let name = info.map(|info| info.software.name.to_ascii_lowercase());
        Ok(name.filter(|name| address::is_id(name) && name.len() <= SOFTWARE_CHARS_MAX).unwrap_or_else(|| UNKNOWN.to_owned()))
    }

    /// Who it says it is. Servers before 4.3 have no such metadata, and a server speaks for itself alone.
    async fn issuer_of(&self, api: &Url) -> Result<Issuer, AuthorizeError> {
        let metadata: Option<Metadata> = self.told(address::join(api, &[".well-known", "oauth-authorization-server"])).await?;
        let is_own = |issuer: &str| issuer.len() <= ISSUER_BYTES_MAX && Url::parse(issuer).is_ok_and(|url| url.origin() == api.origin());
        Ok(match metadata.filter(|metadata| is_own(&metadata.issuer)) {
            Some(Metadata { issuer, authorization_response_iss_parameter_supported: true }) => Issuer::announced(issuer),
            Some(Metadata { issuer, .. }) => Issuer::unannounced(issuer),
            None => Issuer::unannounced(api.to_string()),
        })
    }

    /// What it takes. A server that describes itself in neither version does not speak the API.
    async fn limits(&self, api: &Url) -> Result<ServerLimits, AuthorizeError> {
        for version in ["v2", "v1"] {
            let instance: Option<Instance> = self.told(address::join(api, &["api", version, "instance"])).await?;
            if let Some(instance) = instance.filter(|instance| instance.domain.is_some() || instance.uri.is_some()) {
                return Ok(limits(&instance));
            }
        }
        Err(refused("the server does not speak Mastodon's API"))
    }

    /// A server's public answer to whoever asks; `None`: it says nothing of the kind.
    async fn told<T: DeserializeOwned>(&self, url: Url) -> Result<Option<T>, AuthorizeError> {
        let answer = asked(self.http.send(self.http.request(Method::GET, url), CALL_TIMEOUT).await)?;
        if answer.status.is_server_error() || answer.status == StatusCode::TOO_MANY_REQUESTS {
            return Err(AuthorizeError::Unavailable { detail: answer.status.as_u16().to_string() });
        }
        Ok(if answer.status == StatusCode::OK { answer.json() } else { None })
    }
}

/// An answer of a server that somebody has just named: they may have the name wrong.
pub(super) fn asked(sent: Result<Answer, SendError>) -> Result<Answer, AuthorizeError> {
    sent.map_err(|error| match error {
        SendError::Refused(refusal) => refused(&refusal.to_string()),
        SendError::NotSent { .. } => refused("no server answers under this name"),
        SendError::Lost { detail, .. } => AuthorizeError::Unavailable { detail },
    })
}

pub(super) fn refused(why: &str) -> AuthorizeError {
    AuthorizeError::Refused { detail: why.to_owned() }
}

fn limits(instance: &Instance) -> ServerLimits {
    let Statuses { max_characters, characters_reserved_per_url } = instance.configuration.statuses;
    let text_max = max_characters.or(instance.max_toot_chars).filter(|max| *max > 0);
    ServerLimits { text_max, link_letters: characters_reserved_per_url }
}

/// Where paths of a server are appended to.
pub(super) fn address_of(name: &ServerName) -> Result<Url, AuthorizeError> {
    Url::parse(&format!("https://{name}/")).map_err(|_| refused("this is no name of a server"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read_from_each_version_of_the_description() {
        let read = |body: &str| limits(&serde_json::from_str(body).unwrap());
        let both = r#"{"domain":"a.example","configuration":{"statuses":{"max_characters":1000,"max_media_attachments":4,"characters_reserved_per_url":23}}}"#;
        assert_eq!(read(both), ServerLimits { text_max: Some(1_000), link_letters: Some(23) });
        assert_eq!(read(r#"{"uri":"a.example","max_toot_chars":5000}"#).text_max, Some(5_000));
        assert_eq!(read(r#"{"uri":"a.example"}"#), ServerLimits::default());
        assert_eq!(read(r#"{"uri":"a.example","max_toot_chars":0}"#).text_max, None);
    }
}
