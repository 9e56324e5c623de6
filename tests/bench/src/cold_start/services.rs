//! AWS for functions in processes of their own: the embedded services behind an address of this machine, with empty tables.

use std::path::Path;

use anyhow::Context;
use aws_smithy_runtime_api::client::http::HttpConnector;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use domain::platform::PlatformName;
use edge::clock::Clock;
use embedded::{Aws, ensure_table};
use http::{StatusCode, Uri};
use local::variables::{HASH_KEY_SECRET, SECRETS_PREFIX, tables};
use serde_json::json;
use store::{Store, schema};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// No call of a function that has nothing to do is nearly as long.
const CALL_BYTES_MAX: usize = 1_000_000;

/// The services, for as long as this is held.
pub(super) struct Services {
    /// What functions are told as `AWS_ENDPOINT_URL`.
    pub(super) endpoint: String,
    _serving: JoinSet<()>,
}

impl Services {
    pub(super) async fn open(folder: &Path) -> anyhow::Result<Self> {
        let aws = Aws::open(folder, Clock::system())?;
        let store = Store::new(&aws.sdk_config(), tables());
        for definition in schema::definitions(&tables()) {
            ensure_table(store.client(), definition).await?;
        }
        put_secrets(&aws)?;
        let listener = TcpListener::bind("127.0.0.1:0").await.context("listening for calls of AWS")?;
        let endpoint = format!("http://{}", listener.local_addr()?);
        let router = Router::new().fallback(answer).with_state(aws);
        let mut serving = JoinSet::new();
        serving.spawn(async move { drop(axum::serve(listener, router).await) });
        Ok(Self { endpoint, _serving: serving })
    }
}

/// What functions read ahead of their first event.
fn put_secrets(aws: &Aws) -> anyhow::Result<()> {
    let app = json!({ "client_id": simulator::APP_CLIENT_ID, "client_secret": simulator::APP_CLIENT_SECRET });
    for platform in PlatformName::ALL {
        aws.set_secret(&format!("{SECRETS_PREFIX}/platform/{platform}"), &app.to_string().into())?;
    }
    let billing = json!({ "api_key": simulator::BILLING_API_KEY, "webhook_secrets": [simulator::WEBHOOK_SECRET] });
    aws.set_secret(&format!("{SECRETS_PREFIX}/billing/stripe"), &billing.to_string().into())?;
    aws.set_secret(HASH_KEY_SECRET, &"0".repeat(96).into())
}

/// Hands a call to the service that its header names.
async fn answer(State(aws): State<Aws>, request: Request) -> Result<Response, StatusCode> {
    let (mut parts, body) = request.into_parts();
    let body = to_bytes(body, CALL_BYTES_MAX).await.map_err(|_| StatusCode::PAYLOAD_TOO_LARGE)?;
    parts.uri = Uri::from_static("http://localhost/");
    let call = HttpRequest::try_from(http::Request::from_parts(parts, SdkBody::from(body))).map_err(|_| StatusCode::BAD_REQUEST)?;
    let answer = aws.call(call).await.map_err(|_| StatusCode::NOT_FOUND)?;
    let answer = answer.try_into_http1x().map_err(|_| StatusCode::BAD_GATEWAY)?;
    Ok(answer.map(|body| Body::from(body.bytes().unwrap_or_default().to_vec())))
}
