//! What holds for every operation, or follows from what its annotation says.

use anyhow::{Context, bail};
use edge::problem::ProblemCode;
use serde_json::{Map, Value, json};

use super::problems::Refusals;

/// The methods that an operation may have here.
const METHODS: [&str; 4] = ["get", "post", "patch", "delete"];

/// Refusals that stand for a key as answers do.
const KEPT_REFUSALS: [&str; 4] = ["400", "404", "409", "422"];

/// Adds to `document` what its operations share.
pub(super) fn complete(document: &mut Value) -> anyhow::Result<()> {
    document["components"]["securitySchemes"] = json!({
        "session": {
            "type": "apiKey", "in": "cookie", "name": edge::session::SESSION_COOKIE,
            "description": "Set by `POST /api/verify-code`, extended by `POST /api/establish-session`.",
        },
        "csrf": {
            "type": "apiKey", "in": "header", "name": "X-CSRF-Token",
            "description": "The `csrf_token` that both of them answer; for everything that changes something.",
        },
    });
    document["components"]["parameters"] = json!({ "IdempotencyKey": {
        "name": "Idempotency-Key", "in": "header", "required": false,
        "description": "The same key and body again bring the stored answer, for 24 hours.",
        "schema": { "type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[!-~]+$" },
    } });
    let paths = document["paths"].as_object_mut().context("a document without paths")?;
    for (path, item) in paths {
        for (method, operation) in item.as_object_mut().into_iter().flatten() {
            complete_operation(path, method, operation).with_context(|| format!("{method} {path}"))?;
        }
    }
    Ok(())
}

/// Every operation of a document: its path, its method and what is said of it.
pub(super) fn operations(document: &Value) -> impl Iterator<Item = (&str, &str, &Value)> {
    let paths = document["paths"].as_object().into_iter().flatten();
    paths.flat_map(|(path, item)| {
        item.as_object().into_iter().flatten().map(|(method, operation)| (path.as_str(), method.as_str(), operation))
    })
}

fn complete_operation(path: &str, method: &str, operation: &mut Value) -> anyhow::Result<()> {
    if !METHODS.contains(&method) {
        bail!("not a method of ours");
    }
    take_null_out_of_the_body(operation);
    take_null_out_of_headers(operation);
    let operation_object = operation.as_object_mut().context("an operation is an object")?;
    // Nothing said would mean what holds for the whole document; a public call says that it wants nothing.
    operation_object.entry("security").or_insert_with(|| json!([]));
    title(operation);
    let shape = Shape::of(path, method, operation);
    if method == "post" {
        let parameters = operation.as_object_mut().context("an operation is an object")?.entry("parameters").or_insert_with(|| json!([]));
        parameters.as_array_mut().context("parameters are a list")?.push(json!({ "$ref": "#/components/parameters/IdempotencyKey" }));
    }
    let responses = operation["responses"].as_object_mut().context("an operation without responses")?;
    let mut refusals = Refusals::taken_from(responses)?;
    refusals.extend(shape.refusals());
    refusals.write(responses);
    describe_headers(responses, method);
    Ok(())
}

/// A summary is shown as a title: without the full stop that its comment has in the code.
fn title(operation: &mut Value) {
    if let Some(summary) = operation["summary"].as_str() {
        operation["summary"] = json!(summary.trim_end_matches('.'));
    }
}

/// An `Option` as the body means that there may be none. A body that says `null` is refused.
fn take_null_out_of_the_body(operation: &mut Value) {
    let Some(schema) = operation.pointer_mut("/requestBody/content/application~1json/schema") else { return };
    let Some(one_of) = schema["oneOf"].as_array() else { return };
    if let Some(other) = one_of.iter().find(|schema| schema["type"] != "null").cloned() {
        *schema = other;
        operation["requestBody"]["required"] = json!(false);
    }
}

/// A header is there or not, and never null.
fn take_null_out_of_headers(operation: &mut Value) {
    let parameters = operation.get_mut("parameters").and_then(Value::as_array_mut);
    for parameter in parameters.into_iter().flatten().filter(|parameter| parameter["in"] == "header") {
        let kinds = parameter["schema"]["type"].as_array();
        if let Some(kind) = kinds.and_then(|kinds| kinds.iter().find(|kind| **kind != "null")).cloned() {
            parameter["schema"]["type"] = kind;
        }
    }
}

/// Headers that are the same everywhere are described once.
fn describe_headers(responses: &mut Map<String, Value>, method: &str) {
    for (status, response) in responses {
        // What sets a cookie is never given again.
        let kept = status.as_str() < "400" || KEPT_REFUSALS.contains(&status.as_str());
        if method == "post" && kept && response.pointer("/headers/Set-Cookie").is_none() {
            response["headers"]["Idempotency-Replayed"] =
                json!({ "description": "There if the answer was given before.", "schema": { "const": "true" } });
        }
        if method == "post" && status == "409" {
            response["headers"]["Retry-After"] = json!({
                "description": "There with `idempotency_in_flight`, and with whatever else passes by itself: in so many seconds.", "schema": { "type": "integer", "minimum": 1 },
            });
        }
        if let Some(tag) = response.pointer_mut("/headers/ETag") {
            *tag = json!({
                "description": "The version, for `If-Match`.", "required": true,
                "schema": { "type": "string", "pattern": "^\"[0-9]+\"$" }, "example": "\"1\"",
            });
        }
    }
}

/// What decides which general refusals an operation can answer.
#[expect(clippy::struct_excessive_bools, reason = "each answers one question about the operation, and all combinations occur")]
struct Shape {
    has_path_parameter: bool,
    is_signed_in: bool,
    takes_body: bool,
    changes_state: bool,
    is_post: bool,
}

impl Shape {
    fn of(path: &str, method: &str, operation: &Value) -> Self {
        let mut schemes = operation["security"].as_array().into_iter().flatten();
        Self {
            has_path_parameter: path.contains('{'),
            is_signed_in: schemes.any(|scheme| scheme.get("session").is_some()),
            takes_body: operation.get("requestBody").is_some(),
            changes_state: method != "get",
            is_post: method == "post",
        }
    }

    fn refusals(&self) -> Vec<ProblemCode> {
        use ProblemCode::{
            CsrfRejected, IdempotencyInFlight, IdempotencyKeyReused, Internal, MalformedJson, MalformedRequest, NotFound, PayloadTooLarge,
            SessionExpired, SessionRequired, Unavailable, UnsupportedMediaType, ValidationFailed,
        };
        let groups: [(bool, &[ProblemCode]); 6] = [
            // A function that lacks what it needs says so whatever it is asked.
            (true, &[MalformedRequest, Internal, Unavailable]),
            // What is no id cannot exist; another user's does not, for this one.
            (self.has_path_parameter, &[NotFound]),
            (self.is_signed_in, &[SessionRequired, SessionExpired]),
            (self.changes_state, &[CsrfRejected]),
            (self.takes_body, &[MalformedJson, PayloadTooLarge, UnsupportedMediaType, ValidationFailed]),
            (self.is_post, &[IdempotencyInFlight, IdempotencyKeyReused]),
        ];
        groups.iter().filter(|(applies, _)| *applies).flat_map(|(_, codes)| codes.iter().copied()).collect()
    }
}
