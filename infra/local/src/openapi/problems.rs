//! Refusals in the document: by status, each with its codes and what it looks like.

use std::collections::BTreeMap;

use anyhow::{Context, ensure};
use edge::problem::{FieldCode, FieldError, ProblemCode};
use serde_json::{Map, Value, json};

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
                { "type": "object", "properties": {
                    "status": { "type": "integer", "const": status, "description": "The status that it is answered with." },
                    "code": { "type": "string", "enum": names, "description": "Which problem it is: one of those that this call has." },
                } },
            ] },
            "examples": codes.iter().map(|code| (code.as_str().to_owned(), example(*code))).collect::<Map<_, _>>(),
        } },
    });
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
        body["errors"] =
            json!([FieldError::new("/phone", FieldCode::PhoneInvalid, "This is no mobile phone number. Give one in international form.")]);
    }
    json!({ "value": body })
}
