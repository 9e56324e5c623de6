//! Refusals in the document: by status, each with its codes and what it looks like.

use std::collections::BTreeMap;

use anyhow::{Context, ensure};
use edge::problem::ProblemCode;
use serde_json::{Map, Value, json};

/// What the gateway refuses by itself before a function sees it, and says when a function fails: in a form of its own.
const GATEWAY: [(u16, &str); 3] = [(400, "Bad Request"), (413, "Request Too Long"), (500, "Internal Server Error")];

/// The codes that an operation can be refused with, by status.
#[derive(Debug, Default)]
pub(super) struct Refusals(BTreeMap<u16, Vec<ProblemCode>>);

impl Refusals {
    /// An annotation gives a refusal's codes as its description, separated by commas. They are taken out of `responses`.
    pub(super) fn taken_from(responses: &mut Map<String, Value>) -> anyhow::Result<Self> {
        let mut refusals = Self::default();
        let refused: Vec<String> = responses.keys().filter(|status| status.as_str() >= "400").cloned().collect();
        for status in refused {
            let response = responses.remove(&status).unwrap_or_default();
            for name in response["description"].as_str().unwrap_or_default().split(',').map(str::trim) {
                let code = ProblemCode::ALL.iter().copied().find(|code| code.as_str() == name);
                let code = code.with_context(|| format!("{name:?} is not a problem's code"))?;
                ensure!(code.status().as_str() == status, "{name} is answered with {}, not {status}", code.status());
                refusals.extend([code]);
            }
        }
        Ok(refusals)
    }

    /// Adds codes; one that is there already stays once.
    pub(super) fn extend(&mut self, codes: impl IntoIterator<Item = ProblemCode>) {
        for code in codes {
            let known = self.0.entry(code.status().as_u16()).or_default();
            if !known.contains(&code) {
                known.push(code);
            }
        }
    }

    /// Puts them into `responses`.
    pub(super) fn write(mut self, responses: &mut Map<String, Value>) {
        for (status, codes) in &mut self.0 {
            codes.sort_by_key(|code| code.as_str());
            responses.insert(status.to_string(), response(*status, codes));
        }
    }
}

fn response(status: u16, codes: &[ProblemCode]) -> Value {
    let names: Vec<_> = codes.iter().map(|code| code.as_str()).collect();
    let told: Vec<_> = codes.iter().map(|code| format!("`{}`: {}", code.as_str(), code.title())).collect();
    let mut response = json!({
        "description": told.join("; "),
        "content": { "application/problem+json": {
            "schema": { "allOf": [
                { "$ref": "#/components/schemas/Problem" },
                { "type": "object", "properties": { "status": { "const": status }, "code": { "enum": names } } },
            ] },
            "examples": codes.iter().map(|code| (code.as_str().to_owned(), example(*code))).collect::<Map<_, _>>(),
        } },
    });
    if let Some((_, message)) = GATEWAY.iter().find(|(own, _)| *own == status) {
        response["content"]["application/json"] = json!({
            "schema": { "type": "object", "properties": { "message": { "type": "string" } }, "required": ["message"] },
            "examples": { "gateway": { "summary": "The gateway in front refused it.", "value": { "message": message } } },
        });
    }
    if matches!(status, 429 | 503) {
        response["headers"] = json!({ "Retry-After": {
            "description": "In so many seconds.", "required": true, "schema": { "type": "integer", "minimum": 1 },
        } });
    }
    response
}

/// What it looks like when the occurrence has nothing better to say.
fn example(code: ProblemCode) -> Value {
    let mut body = json!({
        "type": "about:blank", "title": code.title(), "status": code.status().as_u16(),
        "code": code.as_str(), "detail": code.default_detail(),
    });
    if code == ProblemCode::ValidationFailed {
        body["errors"] = json!([{ "pointer": "/phone", "code": "phone_invalid", "detail": "This is not a phone number." }]);
    }
    json!({ "value": body })
}
