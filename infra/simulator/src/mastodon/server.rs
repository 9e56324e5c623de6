//! What a server says of itself to everybody.

use axum::Json;
use axum::extract::{Path, RawPathParams, Request};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Redirect, Response};
use http::StatusCode;
use serde_json::json;

use super::Host;
use super::shapes::error;

/// Hosts that are something else answer every address alike: a web site with its page, one that has moved with where it is now.
pub(super) async fn of_another_kind(params: RawPathParams, request: Request, next: Next) -> Response {
    let host = params.iter().find(|(name, _)| *name == "host").map(|(_, host)| Host(host));
    match host.filter(Host::speaks_no_api) {
        Some(host) if host.first_label() == "moved" => Redirect::permanent("https://mastodon.example/").into_response(),
        Some(_) => Html("<html><head><title>Welcome</title></head></html>").into_response(),
        None => next.run(request).await,
    }
}

/// `GET /.well-known/nodeinfo`.
pub(super) async fn links(Path(host): Path<String>) -> Response {
    let rel = "http://nodeinfo.diaspora.software/ns/schema/2.0";
    Json(json!({ "links": [{ "rel": rel, "href": format!("https://{host}/nodeinfo/2.0") }] })).into_response()
}

/// `GET /nodeinfo/2.0`.
pub(super) async fn nodeinfo(Path(host): Path<String>) -> Response {
    let software = json!({ "name": Host(&host).software(), "version": version(&Host(&host)) });
    let usage = json!({ "users": { "total": 1, "activeMonth": 1, "activeHalfyear": 1 }, "localPosts": 0 });
    let told = json!({
        "version": "2.0", "software": software, "protocols": ["activitypub"], "services": { "outbound": [], "inbound": [] }, "usage": usage,
        "openRegistrations": false, "metadata": {},
    });
    Json(told).into_response()
}

/// `GET /.well-known/oauth-authorization-server`, since 4.3.
pub(super) async fn metadata(Path(host): Path<String>) -> Response {
    if Host(&host).is_old() || !Host(&host).is_mastodon() {
        return error(StatusCode::NOT_FOUND, "Not Found");
    }
    let at = |path: &str| format!("https://{host}/{path}");
    let told = json!({
        "issuer": at(""), "authorization_endpoint": at("oauth/authorize"), "token_endpoint": at("oauth/token"),
        "revocation_endpoint": at("oauth/revoke"), "scopes_supported": ["read", "write", "profile"], "response_types_supported": ["code"],
        "grant_types_supported": ["authorization_code", "client_credentials"], "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"], "app_registration_endpoint": at("api/v1/apps"),
    });
    Json(told).into_response()
}

/// `GET /api/v2/instance`. `GoToSocial` has it, Pleroma has the first version alone.
pub(super) async fn instance_v2(Path(host): Path<String>) -> Response {
    let server = Host(&host);
    if server.software() == "pleroma" {
        return error(StatusCode::NOT_FOUND, "Not implemented");
    }
    let statuses = json!({ "max_characters": server.text_max(), "max_media_attachments": 4, "characters_reserved_per_url": 23 });
    let configuration = json!({ "urls": {}, "accounts": { "max_featured_tags": 10 }, "statuses": statuses });
    Json(json!({ "domain": host, "title": host, "version": version(&server), "configuration": configuration })).into_response()
}

/// `GET /api/v1/instance`.
pub(super) async fn instance_v1(Path(host): Path<String>) -> Response {
    let server = Host(&host);
    let told = json!({ "uri": host, "title": host, "version": version(&server), "max_toot_chars": server.text_max() });
    Json(told).into_response()
}

fn version(server: &Host<'_>) -> &'static str {
    match server.software() {
        "gotosocial" => "0.20.1",
        "pleroma" => "2.9.1",
        _ if server.is_old() => "4.2.17",
        _ => "4.5.0",
    }
}
