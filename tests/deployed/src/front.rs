//! What stands in front of the deployed functions: the routes of the transformed template, turned into invocations, and the
//! simulated platforms beside them.
//!
//! The emulator's own data plane for HTTP APIs sends cookies as a header and asks for no permission, so the events come from the same
//! gateway as in the local run.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context;
use aws_lambda_events::apigw::ApiGatewayV2httpResponse;
use aws_sdk_lambda::primitives::Blob;
use axum::extract::{ConnectInfo, Request, State};
use axum::response::Response;
use axum::{Json, Router, routing};
use edge::clock::Clock;
use edge::random::Random;
use local::gateway::{Caller, Gateway, NoAnswer};
use local::listen;
use serde_json::{Value, json};
use simulator::Simulator;
use template::Template;
use tokio::sync::watch;
use tokio::task::JoinSet;
use url::Url;

use crate::emulator::Emulator;
use crate::stack::Stack;

/// A port that is taken, and what will be served on it.
pub(crate) struct Front {
    listeners: Vec<tokio::net::TcpListener>,
    /// Where it will be reached.
    pub(crate) base_url: String,
}

/// The running front. Dropping it ends it.
pub(crate) struct Serving {
    _tasks: JoinSet<()>,
    _stopping: watch::Sender<bool>,
}

#[derive(Clone)]
struct Deployed {
    gateway: Arc<Gateway<String>>,
    lambda: aws_sdk_lambda::Client,
    endpoint: String,
    clock: Clock,
    random: Random,
}

impl Front {
    /// Takes a free port, so that the stack can be told of it.
    pub(crate) async fn bind() -> anyhow::Result<Self> {
        let (port, listeners) = listen::bind(0).await?;
        Ok(Self { listeners, base_url: format!("http://localhost:{port}") })
    }

    /// Serves the deployed stack by the routes of the transformed template, and the simulator below `/_sim`.
    pub(crate) fn serve(self, template: &Template, stack: &Stack, emulator: &Emulator) -> anyhow::Result<Serving> {
        let mut paths: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for route in template.routes()? {
            paths.entry(stack.resource(&route.function)?.to_owned()).or_default().push(route.path);
        }
        let listed: Vec<(Vec<&str>, String)> =
            paths.iter().map(|(name, paths)| (paths.iter().map(String::as_str).collect(), name.clone())).collect();
        let gateway = Gateway::new(listed.iter().map(|(paths, name)| (paths.as_slice(), name.clone())).collect());
        let deployed = Deployed {
            gateway: Arc::new(gateway),
            lambda: aws_sdk_lambda::Client::new(&emulator.sdk()),
            endpoint: emulator.endpoint.clone(),
            clock: Clock::system(),
            random: Random::system(),
        };
        let simulator = Simulator::open(None, Clock::system(), &Url::parse(&self.base_url)?)?;
        let inbox = Router::new().route("/_local/inbox", routing::get(inbox));
        let router = inbox.fallback(forward).with_state(deployed).nest("/_sim", simulator.router());
        let (stopping, stopped) = watch::channel(false);
        let mut tasks = JoinSet::new();
        for listener in self.listeners {
            tasks.spawn(listen::serve(listener, router.clone(), stopped.clone()));
        }
        Ok(Serving { _tasks: tasks, _stopping: stopping })
    }
}

/// The text messages where the deployed function sent them, in the shape of the local run's inbox: newest first.
async fn inbox(State(deployed): State<Deployed>) -> Json<Value> {
    let texts = Emulator::texts(&deployed.endpoint).await.unwrap_or_default();
    let items: Vec<_> = texts.into_iter().rev().map(|(to, text)| json!({ "to": to, "text": text })).collect();
    Json(json!({ "items": items }))
}

async fn forward(State(deployed): State<Deployed>, ConnectInfo(peer): ConnectInfo<SocketAddr>, request: Request) -> Response {
    let request_id = data_encoding::HEXLOWER.encode(&deployed.random.bytes::<8>());
    let caller = Caller { source_ip: peer.ip().to_canonical().to_string(), request_id, at: deployed.clock.now() };
    let lambda = deployed.lambda.clone();
    let invoke = async move |function: &String, event: Value| invoke(&lambda, function, &event).await.map_err(|_| NoAnswer);
    deployed.gateway.answer(&caller, request, invoke).await
}

async fn invoke(lambda: &aws_sdk_lambda::Client, function: &str, event: &Value) -> anyhow::Result<ApiGatewayV2httpResponse> {
    let answer = lambda.invoke().function_name(function).payload(Blob::new(event.to_string())).send().await?;
    anyhow::ensure!(answer.function_error().is_none(), "the function failed");
    serde_json::from_slice(answer.payload().context("no payload")?.as_ref()).context("reading the function's answer")
}
