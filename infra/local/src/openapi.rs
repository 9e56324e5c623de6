//! The HTTP contract as an OpenAPI document, put together from what the functions say of themselves.
//!
//! A handler's annotation tells what only it knows. What holds for all of them, or follows from the rest of the annotation, is
//! added here (`common`): refusals, the session, `Idempotency-Key`. `cargo run -- openapi` writes the file.

mod common;
mod problems;
mod schemas;

use std::path::PathBuf;

use anyhow::Context;
use domain::id::ChoiceId;
use edge::problem::{FieldCode, FieldError, ProblemBody, ProblemCode};
use serde_json::Value;
use utoipa::OpenApi;

/// The command that brings the file up to date, for whoever finds that it is not.
pub const COMMAND: &str = "cargo run -- openapi";

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Postledger",
        description = "What the web frontend calls. Every refusal is a `Problem`, as `application/problem+json` with a stable `code`. The \
            gateway in front answers by itself what never reaches us: what is too large (413) or too much (429, 503), a header that is no \
            text (400), and a function that does not answer (500). It then sends a status that counts, and no `Problem`.",
        contact(name = "Whoever runs this Postledger"),
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    servers((url = "/", description = "Where the service is reached.")),
    components(schemas(ProblemBody, FieldError, FieldCode, ProblemCode, ChoiceId)),
    tags(
        (name = "onboarding", description = "Signing in by phone, and getting a plan."),
        (name = "session", description = "Who is signed in where."),
        (name = "account", description = "The account and its numbers."),
        (name = "connections", description = "The accounts that the user let us post to."),
        (name = "oauth", description = "Where browsers go for consent; never called by scripts."),
        (name = "posts", description = "Drafts, approval and what became of them."),
        (name = "billing", description = "What the payment provider tells us."),
        (name = "service", description = "The service itself."),
    ),
)]
struct Service;

/// Where the document is kept.
pub fn file() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../openapi.json"))
}

/// The document, as the code says it; the same on every machine.
pub fn document() -> anyhow::Result<Value> {
    let mut api = Service::openapi();
    for function in [
        onboarding::Contract::openapi(),
        account::Contract::openapi(),
        oauth_start::Contract::openapi(),
        oauth_callback::Contract::openapi(),
        posts::Contract::openapi(),
        billing_webhook::Contract::openapi(),
    ] {
        api.merge(function);
    }
    let mut document = serde_json::to_value(&api)?;
    common::complete(&mut document)?;
    schemas::name_items(&mut document)?;
    schemas::describe_nullable(&mut document)?;
    schemas::require_nulls(&mut document)?;
    document.sort_all_objects();
    Ok(document)
}

/// Writes the document to [`file()`], and says how many operations it has.
pub fn write() -> anyhow::Result<usize> {
    let document = document()?;
    let operations = common::operations(&document).count();
    let text = serde_json::to_string_pretty(&document)? + "\n";
    std::fs::write(file(), text).with_context(|| format!("writing {}", file().display()))?;
    Ok(operations)
}
