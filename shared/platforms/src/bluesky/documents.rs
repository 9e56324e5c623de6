//! What accounts and servers publish of themselves: DID documents (<https://atproto.com/specs/did>), and the metadata of a server that is asked
//! (RFC 9728) and of one that lets in (RFC 8414; what atproto demands of it: <https://atproto.com/specs/oauth>).

use domain::platform::Handle;
use serde::Deserialize;
use url::Url;

use super::handle::{Did, origin};

/// What is wrong with a document. The document itself is not repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct Odd(pub(super) &'static str);

/// Who an account is, by its own document.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Identity {
    /// The names that it says it has.
    pub(super) handles: Vec<Handle>,
    /// Its server.
    pub(super) pds: Url,
}

#[derive(Deserialize)]
struct DidDocument {
    id: String,
    #[serde(default, rename = "alsoKnownAs")]
    also_known_as: Vec<String>,
    #[serde(default)]
    service: Vec<Service>,
}

#[derive(Deserialize)]
struct Service {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(rename = "serviceEndpoint")]
    endpoint: serde_json::Value,
}

/// Reads the document of `did`.
pub(super) fn identity(body: &[u8], did: &Did) -> Result<Identity, Odd> {
    let document: DidDocument = serde_json::from_slice(body).map_err(|_| Odd("the DID document cannot be read"))?;
    if document.id != did.as_str() {
        return Err(Odd("the DID document is of another account"));
    }
    let is_pds = |service: &&Service| {
        let id = service.id.strip_prefix(did.as_str()).unwrap_or(&service.id);
        id == "#atproto_pds" && service.kind == "AtprotoPersonalDataServer"
    };
    let pds = document.service.iter().find(is_pds).and_then(|service| origin(service.endpoint.as_str()?));
    let handles =
        document.also_known_as.iter().filter_map(|name| name.strip_prefix("at://").and_then(|name| Handle::parse(name).ok())).collect();
    Ok(Identity { handles, pds: pds.ok_or(Odd("the DID document names no server"))? })
}

#[derive(Deserialize)]
struct Resource {
    resource: Option<String>,
    #[serde(default)]
    authorization_servers: Vec<String>,
}

/// The issuer that lets into `pds`, by what that publishes of itself. atproto allows one.
pub(super) fn issuer_of(body: &[u8], pds: &Url) -> Result<Url, Odd> {
    let resource: Resource = serde_json::from_slice(body).map_err(|_| Odd("the server's metadata cannot be read"))?;
    if resource.resource.as_deref().and_then(origin).is_some_and(|named| named != *pds) {
        return Err(Odd("the server's metadata is of another server"));
    }
    match resource.authorization_servers.as_slice() {
        [issuer] => origin(issuer).ok_or(Odd("the server names no issuer that could be one")),
        _ => Err(Odd("the server does not name one issuer")),
    }
}

/// Where a server that lets in is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Endpoints {
    /// Who it says it is, letter for letter: what a callback's `iss` is held against.
    pub(super) issuer: String,
    /// Where a person consents.
    pub(super) authorize: Url,
    /// Where a consent is announced (RFC 9126).
    pub(super) par: Url,
    /// Where codes and refresh tokens are shown.
    pub(super) token: Url,
    /// Where grants are taken back (RFC 7009); `None`: nowhere.
    pub(super) revocation: Option<Url>,
}

#[derive(Deserialize)]
struct Metadata {
    issuer: String,
    authorization_endpoint: Url,
    pushed_authorization_request_endpoint: Url,
    token_endpoint: Url,
    revocation_endpoint: Option<Url>,
    #[serde(default)]
    require_pushed_authorization_requests: bool,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
    #[serde(default)]
    client_id_metadata_document_supported: bool,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Vec<String>,
    #[serde(default)]
    dpop_signing_alg_values_supported: Vec<String>,
    #[serde(default)]
    code_challenge_methods_supported: Vec<String>,
    #[serde(default)]
    scopes_supported: Vec<String>,
}

/// Reads what the server at `issuer` publishes, and refuses one that lacks what atproto demands.
pub(super) fn endpoints(body: &[u8], issuer: &Url) -> Result<Endpoints, Odd> {
    let metadata: Metadata = serde_json::from_slice(body).map_err(|_| Odd("the issuer's metadata cannot be read"))?;
    if origin(&metadata.issuer).as_ref() != Some(issuer) {
        return Err(Odd("the issuer's metadata is of another issuer"));
    }
    let has = |list: &[String], name: &str| list.iter().any(|of| of == name);
    let lacks = [
        (metadata.require_pushed_authorization_requests, "the issuer demands no announcement of consents"),
        (metadata.authorization_response_iss_parameter_supported, "the issuer does not name itself"),
        (metadata.client_id_metadata_document_supported, "the issuer reads no metadata of clients"),
        (has(&metadata.token_endpoint_auth_methods_supported, "private_key_jwt"), "the issuer takes no signature of clients"),
        (has(&metadata.dpop_signing_alg_values_supported, "ES256"), "the issuer binds no tokens by ES256"),
        (has(&metadata.code_challenge_methods_supported, "S256"), "the issuer takes no challenge by S256"),
        (has(&metadata.scopes_supported, "atproto"), "the issuer does not know atproto"),
    ];
    if let Some((_, lack)) = lacks.into_iter().find(|(is_there, _)| !is_there) {
        return Err(Odd(lack));
    }
    Ok(Endpoints {
        issuer: metadata.issuer,
        authorize: metadata.authorization_endpoint,
        par: metadata.pushed_authorization_request_endpoint,
        token: metadata.token_endpoint,
        revocation: metadata.revocation_endpoint,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const DID: &str = "did:plc:z72i7hdynmk6r22z27h6tvur";

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn a_document_names_handles_and_server() {
        let document = |id: &str, service: Value| {
            let body = json!({ "@context": [], "id": id, "alsoKnownAs": ["at://bsky.app", "https://x", "at://other.example"], "verificationMethod": [], "service": service });
            identity(body.to_string().as_bytes(), &Did::parse(DID).unwrap())
        };
        let service = |id: &str, kind: &str, endpoint: Value| json!([{ "id": "#bsky_notif", "type": "N", "serviceEndpoint": {} }, { "id": id, "type": kind, "serviceEndpoint": endpoint }]);
        let pds = "AtprotoPersonalDataServer";
        for id in ["#atproto_pds".to_owned(), format!("{DID}#atproto_pds")] {
            let found = document(DID, service(&id, pds, json!("https://puffball.us-east.host.bsky.network"))).unwrap();
            assert_eq!(found.pds, url("https://puffball.us-east.host.bsky.network"));
            assert_eq!(found.handles, ["bsky.app", "other.example"].map(|name| Handle::parse(name).unwrap()));
        }
        for (id, service) in [
            ("did:plc:aaaaaaaaaaaaaaaaaaaaaaaa", service("#atproto_pds", pds, json!("https://a.example"))),
            (DID, service("#other", pds, json!("https://a.example"))),
            (DID, service("#atproto_pds", "Other", json!("https://a.example"))),
            (DID, service("#atproto_pds", pds, json!("ftp://a.example"))),
            (DID, service("#atproto_pds", pds, json!("https://a.example/path"))),
            (DID, service("#atproto_pds", pds, json!(["https://a.example"]))),
            (DID, json!([])),
        ] {
            assert!(document(id, service.clone()).is_err(), "{service}");
        }
        assert!(identity(b"<html>", &Did::parse(DID).unwrap()).is_err());
    }

    #[test]
    fn a_server_names_one_issuer() {
        let named = |body: Value| issuer_of(body.to_string().as_bytes(), &url("https://pds.example"));
        assert_eq!(
            named(json!({ "resource": "https://pds.example", "authorization_servers": ["https://auth.example"] })),
            Ok(url("https://auth.example"))
        );
        for body in [
            json!({ "resource": "https://other.example", "authorization_servers": ["https://auth.example"] }),
            json!({ "authorization_servers": [] }),
            json!({ "authorization_servers": ["https://a.example", "https://b.example"] }),
            json!({ "authorization_servers": ["ftp://a.example"] }),
            json!([]),
        ] {
            assert!(named(body.clone()).is_err(), "{body}");
        }
    }

    fn metadata() -> Value {
        json!({
            "issuer": "https://auth.example", "authorization_endpoint": "https://auth.example/oauth/authorize",
            "pushed_authorization_request_endpoint": "https://auth.example/oauth/par", "token_endpoint": "https://auth.example/oauth/token",
            "revocation_endpoint": "https://auth.example/oauth/revoke", "require_pushed_authorization_requests": true,
            "authorization_response_iss_parameter_supported": true, "client_id_metadata_document_supported": true,
            "token_endpoint_auth_methods_supported": ["none", "private_key_jwt"], "dpop_signing_alg_values_supported": ["RS256", "ES256"],
            "code_challenge_methods_supported": ["S256"], "scopes_supported": ["atproto", "transition:generic"], "jwks_uri": "https://auth.example/jwks",
        })
    }

    #[test]
    fn an_issuer_tells_where_it_is_asked() {
        let read = |body: &Value| endpoints(body.to_string().as_bytes(), &url("https://auth.example"));
        let found = read(&metadata()).unwrap();
        assert_eq!((found.issuer.as_str(), found.par.as_str()), ("https://auth.example", "https://auth.example/oauth/par"));
        assert_eq!(
            (found.token.as_str(), found.revocation.unwrap().as_str()),
            ("https://auth.example/oauth/token", "https://auth.example/oauth/revoke")
        );
        let mut without = metadata();
        without.as_object_mut().unwrap().remove("revocation_endpoint");
        assert_eq!(read(&without).unwrap().revocation, None);
    }

    #[test]
    fn an_issuer_that_lacks_what_we_need_is_refused() {
        for (field, value) in [
            ("issuer", json!("https://evil.example")),
            ("issuer", json!("https://auth.example/path")),
            ("token_endpoint", json!("token")),
            ("require_pushed_authorization_requests", json!(false)),
            ("authorization_response_iss_parameter_supported", json!(false)),
            ("client_id_metadata_document_supported", json!(false)),
            ("token_endpoint_auth_methods_supported", json!(["none"])),
            ("dpop_signing_alg_values_supported", json!([])),
            ("code_challenge_methods_supported", json!(["plain"])),
            ("scopes_supported", json!(["openid"])),
        ] {
            let mut odd = metadata();
            odd[field] = value;
            assert!(endpoints(odd.to_string().as_bytes(), &url("https://auth.example")).is_err(), "{field}");
        }
    }
}
