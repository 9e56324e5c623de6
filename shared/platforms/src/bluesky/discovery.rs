//! From a handle to the servers behind it: the account's DID, its document, its server, and the one that lets in
//! (<https://atproto.com/specs/oauth#identity-authentication>).

use std::time::Duration;

use domain::platform::Handle;
use http::Method;
use serde::Deserialize;
use url::Url;

use super::Bluesky;
use super::documents::{self, Endpoints, Odd};
use super::errors::error_of;
use super::handle::{Did, well_known};
use crate::http::{Answer, Http, SendError};
use crate::{AuthorizeError, address, detail};

/// For one document. People run servers at home, and somebody waits.
const DOCUMENT_TIMEOUT: Duration = Duration::from_secs(5);

/// The longest answer that can be a DID.
const DID_ANSWER_BYTES_MAX: usize = 300;

/// An account, and where it is.
pub(super) struct Found {
    pub(super) did: Did,
    pub(super) pds: Url,
    pub(super) endpoints: Endpoints,
}

/// Why a document is not there.
pub(super) enum Undiscovered {
    /// It says what cannot be, or that there is nothing.
    Odd(String),
    /// It did not come.
    Silent(String),
}

impl From<Odd> for Undiscovered {
    fn from(odd: Odd) -> Self {
        Self::Odd(odd.to_string())
    }
}

impl From<Undiscovered> for AuthorizeError {
    fn from(error: Undiscovered) -> Self {
        match error {
            Undiscovered::Odd(detail) => Self::Refused { detail },
            Undiscovered::Silent(detail) => Self::Unavailable { detail },
        }
    }
}

impl Undiscovered {
    pub(super) fn into_detail(self) -> String {
        match self {
            Self::Odd(detail) | Self::Silent(detail) => detail,
        }
    }
}

#[derive(Deserialize)]
struct Resolved {
    did: String,
}

impl Bluesky {
    /// Everything behind `handle`. The account's own document must name it, too: anybody can claim a name.
    pub(super) async fn discover(&self, handle: &Handle) -> Result<Found, Undiscovered> {
        let did = self.did_of(handle).await?;
        let directory = did.document(&self.directory_url).ok_or(Odd("the account has no document"))?;
        let http = if did.as_str().starts_with("did:plc:") { &self.http } else { &self.named };
        let identity = documents::identity(document(http, directory).await?.body(), &did)?;
        if !identity.handles.contains(handle) {
            return Err(Odd("the account does not have this handle").into());
        }
        let pds = identity.pds;
        let resource = document(&self.named, address::join(&pds, &[".well-known", "oauth-protected-resource"])).await?;
        let issuer = documents::issuer_of(resource.body(), &pds)?;
        let endpoints = self.endpoints_of(&issuer).await?;
        Ok(Found { did, pds, endpoints })
    }

    /// What the server at `issuer` says of itself.
    pub(super) async fn endpoints_of(&self, issuer: &Url) -> Result<Endpoints, Undiscovered> {
        let metadata = document(&self.named, address::join(issuer, &[".well-known", "oauth-authorization-server"])).await?;
        Ok(documents::endpoints(metadata.body(), issuer)?)
    }

    /// The account that has a handle: its own host says so, or else a record of its name, which a server of the network looks up.
    async fn did_of(&self, handle: &Handle) -> Result<Did, Undiscovered> {
        if let Some(url) = well_known(handle)
            && let Ok(answer) = document(&self.named, url).await
            && let Some(did) = stated(&answer)
        {
            return Ok(did);
        }
        self.looked_up(handle).await?.ok_or_else(|| Odd("no account has this handle").into())
    }

    /// The account that has a handle, as a server of the network sees it; `None`: none has.
    pub(super) async fn looked_up(&self, handle: &Handle) -> Result<Option<Did>, Undiscovered> {
        let mut url = address::join(&self.api_url, &["xrpc", "com.atproto.identity.resolveHandle"]);
        url.query_pairs_mut().append_pair("handle", handle.as_str());
        let answer = self.http.send(self.http.request(Method::GET, url), DOCUMENT_TIMEOUT).await;
        let answer = answer.map_err(|error| Undiscovered::Silent(error.into_detail()))?;
        match (answer.status.as_u16(), answer.json::<Resolved>()) {
            (200, Some(resolved)) => Ok(Did::parse(&resolved.did)),
            (400, _) if matches!(error_of(&answer).as_str(), "InvalidRequest" | "HandleNotFound") => Ok(None),
            (status, _) => Err(Undiscovered::Silent(detail::of_answer(status, &[Some("resolveHandle")]))),
        }
    }
}

/// A DID alone, as text.
fn stated(answer: &Answer) -> Option<Did> {
    let body = answer.body();
    Did::parse(std::str::from_utf8(body.get(..DID_ANSWER_BYTES_MAX.min(body.len()))?).ok()?.trim())
}

/// A document that anybody may read. Whatever is no success says that there is none.
async fn document(http: &Http, url: Url) -> Result<Answer, Undiscovered> {
    match http.send(http.request(Method::GET, url), DOCUMENT_TIMEOUT).await {
        Ok(answer) if answer.status.as_u16() == 200 => Ok(answer),
        Ok(answer) if answer.status.is_server_error() || answer.status.as_u16() == 429 => {
            Err(Undiscovered::Silent(detail::of_answer(answer.status.as_u16(), &[Some("document")])))
        }
        Ok(answer) => Err(Undiscovered::Odd(detail::of_answer(answer.status.as_u16(), &[Some("document")]))),
        Err(SendError::Refused(refusal)) => Err(Undiscovered::Odd(refusal.to_string())),
        Err(error) => Err(Undiscovered::Silent(error.into_detail())),
    }
}
