//! The seam: an HTTP client for the SDK that reaches the engines of this process.

use std::sync::atomic::Ordering;
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use url::Url;

use super::{Aws, scheduler, secrets, sns, sqs};
use crate::fault::{CallInfo, Fault};
use crate::under_way::Arrival;
use crate::wire::{Answer, Protocol, Refusal};

impl HttpClient for Aws {
    fn http_connector(&self, _settings: &HttpConnectorSettings, _components: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Aws {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let aws = self.clone();
        // On the caller's thread: a call is under a millisecond of SQLite. It gives way before and after, as a call over a network
        // does: what works at the same time must interleave here as it does there.
        HttpConnectorFuture::new(async move {
            let arrival = address(&request).map_or(Arrival::Free, |call| aws.arrive(&call));
            arrival.pass().await;
            let answer = aws.exchange(request, arrival).await;
            tokio::task::yield_now().await;
            answer
        })
    }
}

/// One request, addressed.
struct Call<'a> {
    service: Service,
    operation: String,
    url: Url,
    body: &'a [u8],
}

impl Call<'_> {
    fn info(&self) -> CallInfo {
        CallInfo { service: self.service.name(), operation: self.operation.clone() }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Service {
    Dynamodb,
    Sqs,
    Secrets,
    Scheduler,
    Sns,
}

impl Service {
    fn name(self) -> &'static str {
        match self {
            Self::Dynamodb => "dynamodb",
            Self::Sqs => "sqs",
            Self::Secrets => "secretsmanager",
            Self::Scheduler => "scheduler",
            Self::Sns => "sns",
        }
    }

    fn protocol(self) -> Protocol {
        match self {
            Self::Dynamodb | Self::Sqs => Protocol::Json10,
            Self::Secrets => Protocol::Json11,
            Self::Scheduler => Protocol::RestJson,
            Self::Sns => Protocol::QueryXml,
        }
    }

    fn throttled(self) -> Answer {
        let (status, code) = match self {
            Self::Dynamodb | Self::Secrets => (400, "ThrottlingException"),
            Self::Sqs => (403, "RequestThrottled"),
            Self::Scheduler => (429, "ThrottlingException"),
            Self::Sns => (429, "Throttled"),
        };
        self.protocol().answer(Err(Refusal::new(code, "Rate exceeded").with_status(status)))
    }
}

impl Aws {
    /// How the call stands to the transactions under way; one itself holds its items from here on.
    fn arrive(&self, call: &Call<'_>) -> Arrival {
        match call.service {
            Service::Dynamodb => self.0.under_way.arrive(&call.operation, call.body, |table| self.0.dynamodb.key_names(table)),
            _ => Arrival::Free,
        }
    }

    async fn exchange(&self, request: HttpRequest, arrival: Arrival) -> Result<HttpResponse, ConnectorError> {
        let call = address(&request).map_err(|why| ConnectorError::user(why.into()))?;
        match self.0.watch.observe(&call.info()) {
            None => to_http(self.serve(&call, arrival)),
            Some(Fault::Throttle) => to_http(call.service.throttled()),
            Some(Fault::Conflict) => to_http(conflict(&call, &[true])),
            Some(Fault::Refuse(code)) => to_http(call.service.protocol().answer(Err(Refusal::new(code, "as a test wishes")))),
            Some(Fault::FailBefore) => Err(broken()),
            Some(Fault::LoseAnswerAfterApply) => {
                self.serve(&call, arrival);
                Err(broken())
            }
            Some(Fault::Stall) => {
                drop(arrival);
                std::future::pending().await
            }
            Some(Fault::StallAfterApply) => {
                self.serve(&call, arrival);
                std::future::pending().await
            }
            Some(Fault::LandLate(later)) => {
                let aws = self.clone();
                tokio::spawn(async move {
                    tokio::time::sleep(later).await;
                    if let Ok(call) = address(&request) {
                        aws.serve(&call, aws.arrive(&call));
                    }
                });
                Err(broken())
            }
            Some(Fault::EmptyIndex) if is_index_query(&call) => {
                to_http(call.service.protocol().answer(Ok(r#"{"Items":[],"Count":0,"ScannedCount":0}"#.to_owned())))
            }
            Some(Fault::StaleIndex) => to_http(self.stale_index(&call).unwrap_or_else(|| self.serve(&call, arrival))),
            Some(Fault::StaleSecret(behind)) if call.service == Service::Secrets && self.is_young(&call, behind) => {
                to_http(call.service.protocol().answer(Err(secrets::unknown())))
            }
            Some(Fault::EmptyIndex | Fault::StaleSecret(_) | Fault::GiveWay) => {
                // It has not arrived yet.
                drop(arrival);
                tokio::task::yield_now().await;
                to_http(self.serve(&call, self.arrive(&call)))
            }
        }
    }

    /// For another process on this machine, by the header that names service and operation: the tables, and the key under which codes
    /// are stored. `None`: something else, or not a call.
    pub fn serve_operator(&self, target: &str, body: &[u8]) -> Option<Answer> {
        let (service, operation) = match target.split_once('.')? {
            ("DynamoDB_20120810", operation) => (Service::Dynamodb, operation),
            ("secretsmanager", "GetSecretValue") => (Service::Secrets, "GetSecretValue"),
            _ => return None,
        };
        if service == Service::Secrets {
            let wanted: serde_json::Value = serde_json::from_slice(body).ok()?;
            wanted["SecretId"].as_str().filter(|name| name.ends_with("/hash-key"))?;
        }
        let url = Url::parse("http://localhost/").ok()?;
        let call = Call { service, operation: operation.to_owned(), url, body };
        Some(match self.0.watch.observe(&call.info()) {
            Some(Fault::FailBefore) => no_answer(service),
            Some(Fault::LoseAnswerAfterApply) => {
                self.serve(&call, self.arrive(&call));
                no_answer(service)
            }
            _ => self.serve(&call, self.arrive(&call)),
        })
    }

    /// Carries the call out, unless it meets a transaction. One itself lets go of its items then.
    fn serve(&self, call: &Call<'_>, arrival: Arrival) -> Answer {
        if let Arrival::Meets(legs) = arrival {
            self.0.watch.met(&call.info());
            return conflict(call, &legs);
        }
        self.0.served.fetch_add(1, Ordering::Relaxed);
        let answer = self.carry_out(call);
        self.remember_index(call, &answer);
        self.0.meter.note(call.service.name(), &call.operation, &answer);
        self.0.watch.served(call.service.name(), &call.operation);
        answer
    }

    /// What a query on an index was answered last, for the same key of the index.
    fn stale_index(&self, call: &Call<'_>) -> Option<Answer> {
        self.0.watch.index_answer(&index_key(call)?).map(|body| call.service.protocol().answer(Ok(body)))
    }

    fn remember_index(&self, call: &Call<'_>, answer: &Answer) {
        if answer.status == 200
            && self.0.watch.has_hook()
            && let Some(key) = index_key(call)
        {
            self.0.watch.remember_index(key, answer.body.clone());
        }
    }

    fn is_young(&self, call: &Call<'_>, behind: Duration) -> bool {
        let since = self.0.clock.now() - behind;
        call.operation == "GetSecretValue" && self.0.file.transaction(|tx| secrets::is_younger(tx, call.body, since)).unwrap_or(false)
    }

    fn carry_out(&self, call: &Call<'_>) -> Answer {
        let now = self.0.clock.now();
        let file = &self.0.file;
        let outcome = match call.service {
            Service::Dynamodb => {
                let asking = self.0.meter.asking(&call.operation, call.body);
                return self.0.dynamodb.serve(&call.operation, asking.as_deref().unwrap_or(call.body));
            }
            Service::Sqs => file.transaction(|tx| sqs::serve(tx, &call.operation, call.body, now)),
            Service::Secrets => file.transaction(|tx| secrets::serve(tx, &call.operation, call.body, now)),
            Service::Scheduler => file.transaction(|tx| scheduler::serve(tx, &call.operation, &call.url, call.body, now)),
            Service::Sns => file.transaction(|tx| sns::serve(tx, &call.operation, call.body, now)),
        };
        if call.operation.starts_with("SendMessage") || call.operation == "CreateSchedule" {
            self.0.work_brought.send_modify(|calls| *calls += 1);
        }
        call.service.protocol().answer(outcome)
    }
}

fn address(request: &HttpRequest) -> Result<Call<'_>, &'static str> {
    let url = Url::parse(request.uri()).map_err(|_| "not an address")?;
    let body = request.body().bytes().ok_or("a streamed body")?;
    let (service, operation) = match request.headers().get("x-amz-target").and_then(|target| target.split_once('.')) {
        Some(("DynamoDB_20120810", operation)) => (Service::Dynamodb, operation.to_owned()),
        Some(("AmazonSQS", operation)) => (Service::Sqs, operation.to_owned()),
        Some(("secretsmanager", operation)) => (Service::Secrets, operation.to_owned()),
        Some(_) => return Err("no such service on this machine"),
        None => match url.host_str().and_then(|host| host.split('.').next()) {
            Some("scheduler") => (Service::Scheduler, scheduler::operation(request.method(), url.path()).to_owned()),
            Some("sns") => (Service::Sns, sns::operation(body)),
            _ => return Err("no such service on this machine"),
        },
    };
    Ok(Call { service, operation, url, body })
}

/// What the tables say when a transaction holds an item that a call wants: the items of the legs that are `met`.
fn conflict(call: &Call<'_>, met: &[bool]) -> Answer {
    const ONGOING: &str = "Transaction is ongoing for the item";
    let refusal = match (call.service, call.operation.as_str()) {
        (Service::Dynamodb, "TransactWriteItems" | "TransactGetItems") => {
            let body = serde_json::from_slice::<serde_json::Value>(call.body).unwrap_or_default();
            let legs = body["TransactItems"].as_array().map_or(0, Vec::len);
            let is_met = |leg: usize| met.get(leg).copied().unwrap_or(false);
            let codes: Vec<_> = (0..legs).map(|leg| if is_met(leg) { "TransactionConflict" } else { "None" }).collect();
            let reason = |code: &&str| match *code {
                "None" => serde_json::json!({ "Code": code }),
                code => serde_json::json!({ "Code": code, "Message": ONGOING }),
            };
            let told = codes.join(", ");
            let body = serde_json::json!({
                "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
                "Message": format!("Transaction cancelled, please refer cancellation reasons for specific reasons [{told}]"),
                "CancellationReasons": codes.iter().map(reason).collect::<Vec<_>>(),
            });
            return Answer { status: 400, content_type: "application/x-amz-json-1.0", error_type: None, body: body.to_string() };
        }
        (Service::Dynamodb, "PutItem" | "UpdateItem" | "DeleteItem") => Refusal::new("TransactionConflictException", ONGOING),
        _ => return call.service.throttled(),
    };
    call.service.protocol().answer(Err(refusal))
}

fn is_index_query(call: &Call<'_>) -> bool {
    index_key(call).is_some()
}

/// An index with the key that is asked for, where a query is on one.
fn index_key(call: &Call<'_>) -> Option<String> {
    if call.service != Service::Dynamodb || call.operation != "Query" {
        return None;
    }
    let body = serde_json::from_slice::<serde_json::Value>(call.body).ok()?;
    let index = body["IndexName"].as_str()?;
    Some(format!("{index} {}", body["ExpressionAttributeValues"][":pk"]))
}

fn to_http(answer: Answer) -> Result<HttpResponse, ConnectorError> {
    let status = answer.status.try_into().map_err(|_| ConnectorError::user("not a status".into()))?;
    let mut response = HttpResponse::new(status, SdkBody::from(answer.body));
    response.headers_mut().insert("content-type", answer.content_type);
    response.headers_mut().insert("x-amzn-requestid", "local");
    if let Some(error_type) = answer.error_type {
        response.headers_mut().insert("x-amzn-errortype", error_type);
    }
    Ok(response)
}

/// What another process hears instead of an answer: its client knows as little as when the connection breaks.
fn no_answer(service: Service) -> Answer {
    service.protocol().answer(Err(Refusal::new("InternalServerError", "as a test wishes").with_status(500)))
}

fn broken() -> ConnectorError {
    ConnectorError::io("the connection broke".into())
}
