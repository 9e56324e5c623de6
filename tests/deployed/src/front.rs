//! What stands in front of the deployed functions: the routes of the transformed template, turned into invocations, and the
//! simulated platforms beside them.
//!
//! The emulator's own data plane for HTTP APIs sends cookies as a header and asks for no permission, so the events come from the same
//! gateway as in the local run.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock};

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

/// What the deployed functions are called, by what the template calls them.
type Names = Arc<RwLock<BTreeMap<String, String>>>;

/// The running front. Dropping it ends it.
pub(crate) struct Serving {
    names: Names,
    _tasks: JoinSet<()>,
    _stopping: watch::Sender<bool>,
}

#[derive(Clone)]
struct Deployed {
    /// It knows functions by what the template calls them.
    gateway: Arc<Gateway<String>>,
    names: Names,
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

    /// Serves a deployed stack by the routes of the transformed template, and the simulator below `/_sim`.
    pub(crate) fn serve(self, template: &Template, stack: &Stack, emulator: &Emulator) -> anyhow::Result<Serving> {
        let mut paths: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for route in template.routes()? {
            paths.entry(route.function).or_default().push(route.path);
        }
        let names = paths.keys().map(|function| (function.clone(), String::new())).collect();
        let names: Names = Arc::new(RwLock::new(names));
        let listed: Vec<(Vec<&str>, String)> =
            paths.iter().map(|(name, paths)| (paths.iter().map(String::as_str).collect(), name.clone())).collect();
        let gateway = Gateway::new(listed.iter().map(|(paths, name)| (paths.as_slice(), name.clone())).collect());
        let deployed = Deployed {
            gateway: Arc::new(gateway),
            names: names.clone(),
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
        let serving = Serving { names, _tasks: tasks, _stopping: stopping };
        serving.lead_to(stack)?;
        Ok(serving)
    }
}

impl Serving {
    /// From now on the functions of this stack answer.
    pub(crate) fn lead_to(&self, stack: &Stack) -> anyhow::Result<()> {
        for (function, name) in self.names.write().unwrap_or_else(PoisonError::into_inner).iter_mut() {
            stack.resource(function)?.clone_into(name);
        }
        Ok(())
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
    let (lambda, names) = (deployed.lambda.clone(), deployed.names.clone());
    let invoke = async move |function: &String, event: Value| {
        let name = names.read().unwrap_or_else(PoisonError::into_inner).get(function).cloned().ok_or(NoAnswer)?;
        invoke(&lambda, &name, &event).await.map_err(|_| NoAnswer)
    };
    deployed.gateway.answer(&caller, request, invoke).await
}

async fn invoke(lambda: &aws_sdk_lambda::Client, function: &str, event: &Value) -> anyhow::Result<ApiGatewayV2httpResponse> {
    let answer = lambda.invoke().function_name(function).payload(Blob::new(event.to_string())).send().await?;
    anyhow::ensure!(answer.function_error().is_none(), "the function failed");
    serde_json::from_slice(answer.payload().context("no payload")?.as_ref()).context("reading the function's answer")
}
