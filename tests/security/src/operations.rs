//! The calls of the contract, read from `infra/openapi.json`, and how each is filled in.
//!
//! Nothing is listed twice: what the contract has is attacked. What a parameter or a field names cannot be read from it, so that is
//! said here; one that nobody has spoken about fails every test that walks the calls.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::LazyLock;

use serde_json::Value;

/// One call.
#[derive(Debug, Clone)]
pub struct Operation {
    /// `GET`, `POST` …
    pub method: &'static str,
    /// With its parameters in braces.
    pub path: String,
    /// Whether it demands a session.
    pub signed_in: bool,
    /// Whether it demands the session's CSRF token.
    pub token: bool,
    /// A body that it takes from its owner, in which `{name}` stands for a thing of the scene.
    pub body: Option<&'static str>,
    /// The names of its query parameters, its body's fields and those inside them.
    fields: BTreeSet<String>,
    /// Its query parameters.
    query: BTreeSet<String>,
}

/// Every call of the contract.
pub static ALL: LazyLock<Vec<Operation>> = LazyLock::new(|| {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../infra/openapi.json");
    let text = std::fs::read_to_string(&path).expect("the contract is there");
    let contract: Value = serde_json::from_str(&text).expect("the contract is JSON");
    let operations = read(&contract);
    assert!(operations.len() > 20, "the contract was not understood");
    operations
});

/// What parameters and fields say that names nothing of anybody's.
const PLAIN: [&str; 26] = [
    // Names accounts within one choice, which the path names.
    "account_ids",
    "ai_recommendation",
    "code",
    "content",
    "error",
    "error_code",
    "from",
    "handle",
    "iss",
    "latest_at",
    "limit",
    "order",
    "outcome",
    "phone",
    "plan",
    "platform",
    "return_to",
    "scheduled_for",
    "scheduled_local",
    "server",
    "state",
    "status",
    "targets",
    "time_zone",
    "to",
    "url",
];

/// What names somebody's things outside the path, and which of the scene's things it can name; none exist of the last kind.
const NAMING: [(&str, &[&str]); 5] = [
    ("connection_id", &["x", "facebook", "draft"]),
    ("cursor", &["posts_cursor", "history_cursor"]),
    ("group_id", &["group"]),
    ("reconnect", &["x"]),
    ("media", &["draft"]),
];

/// A draft for a connection.
const DRAFT: &str = r#"{"content":"Hello","targets":[{"connection_id":"{x}"}],"scheduled_for":"{due}"}"#;

/// What each call with a body takes.
const BODIES: [(&str, &str); 9] = [
    ("POST /api/billing/checkout", r#"{"plan":"professional"}"#),
    ("POST /api/billing/webhook", "{}"),
    ("POST /api/connections/choices/{id}", r#"{"account_ids":["100000000000001"]}"#),
    ("POST /api/posts", DRAFT),
    ("PATCH /api/posts/{id}", r#"{"content":"Edited"}"#),
    ("POST /api/posts/{id}/resolve", r#"{"outcome":"not_published"}"#),
    ("POST /api/redeem-gift", r#"{"code":"{gift}"}"#),
    ("POST /api/verification-codes", r#"{"phone":"+61412345709"}"#),
    ("POST /api/verify-code", r#"{"phone":"+61412345709","code":"000000"}"#),
];

/// The things of the scene that a path's `{id}` can stand for, Ann's by name; nothing for a path that has none.
pub fn ids_of(path: &str) -> &'static [&'static str] {
    match path {
        path if path.starts_with("/api/posts/{id}") => &["draft", "scheduled", "cancelled"],
        "/api/connections/{id}" => &["x", "facebook"],
        "/api/connections/choices/{id}" => &["choice"],
        "/api/sessions/{id}" => &["session"],
        path => {
            let unknown = path.replace("{platform}", "x");
            assert!(!unknown.contains('{'), "what does the parameter of {path} name? Say it here, so that it is attacked");
            &[]
        }
    }
}

impl Operation {
    /// Whether people call it. What the payment provider calls has no cookie to abuse and is believed by its signature alone, over bytes of
    /// any kind: it is attacked in `tests/journeys/tests/suite/billing.rs`.
    pub fn is_for_people(&self) -> bool {
        self.path != "/api/billing/webhook"
    }

    /// Whether it changes something, so that a foreign page must not be able to call it.
    pub fn changes(&self) -> bool {
        self.method != "GET"
    }

    /// `POST /api/posts`
    pub fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// The path with `{name}`s of the scene for its parameters, the first thing that fits.
    pub fn target(&self) -> String {
        let path = self.path.replace("{platform}", "x");
        let path = ids_of(&self.path).first().map_or(path.clone(), |name| path.replace("{id}", &format!("{{{name}}}")));
        if self.query.contains("state") { format!("{path}?{{callback_query}}") } else { path }
    }

    /// The query parameters and fields that name somebody's things, each with the things that it can name.
    pub fn naming(&self) -> Vec<(&'static str, &'static [&'static str], bool)> {
        let named = NAMING.iter().filter(|(name, _)| self.fields.contains(*name));
        named.map(|(name, things)| (*name, *things, self.query.contains(*name))).collect()
    }
}

fn read(contract: &Value) -> Vec<Operation> {
    let paths = contract["paths"].as_object().into_iter().flatten();
    let calls = paths.flat_map(|(path, item)| {
        let item = item.as_object().into_iter().flatten();
        item.filter_map(move |(method, call)| Some((path, known_method(method)?, call)))
    });
    calls.map(|(path, method, call)| operation(contract, path, method, call)).collect()
}

fn known_method(name: &str) -> Option<&'static str> {
    let upper = name.to_ascii_uppercase();
    let known = ["GET", "POST", "PATCH", "DELETE", "PUT", "HEAD", "OPTIONS", "TRACE"].into_iter().find(|known| *known == upper);
    assert!(known.is_some() || name == "parameters" || name == "summary", "{name} is no method");
    known
}

fn operation(contract: &Value, path: &str, method: &'static str, call: &Value) -> Operation {
    ids_of(path);
    let name = format!("{method} {path}");
    let demands = |scheme: &str| call["security"].as_array().into_iter().flatten().any(|needed| needed.get(scheme).is_some());
    let parameters: Vec<_> = call["parameters"].as_array().into_iter().flatten().map(|given| resolved(contract, given)).collect();
    let query = parameters.iter().filter(|given| given["in"] == "query").filter_map(|given| given["name"].as_str());
    let query: BTreeSet<String> = query.map(str::to_owned).collect();
    let mut fields = query.clone();
    let schema = &call["requestBody"]["content"]["application/json"]["schema"];
    collect_fields(contract, schema, 0, &mut fields);
    for field in &fields {
        let known = PLAIN.contains(&field.as_str()) || NAMING.iter().any(|(naming, _)| naming == field);
        assert!(known, "does {field} of {name} name somebody's things? Say it here, so that it is attacked");
    }
    let optional = call["requestBody"].is_object() && call["requestBody"]["required"] != true;
    let body = BODIES.iter().find(|(of, _)| *of == name).map(|(_, body)| *body).or(optional.then_some("{}"));
    assert!(body.is_some() || call.get("requestBody").is_none(), "what does {name} take? Say it here, so that it is attacked");
    Operation { method, path: path.to_owned(), signed_in: demands("session"), token: demands("csrf"), body, fields, query }
}

fn resolved<'a>(contract: &'a Value, value: &'a Value) -> &'a Value {
    let pointer = value["$ref"].as_str().and_then(|reference| reference.strip_prefix('#'));
    pointer.map_or(value, |pointer| contract.pointer(pointer).expect("what is referred to is there"))
}

/// The names of all properties of a schema, however deep.
fn collect_fields(contract: &Value, schema: &Value, depth: usize, fields: &mut BTreeSet<String>) {
    assert!(depth < 10, "a schema without an end");
    let schema = resolved(contract, schema);
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        fields.insert(name.clone());
        collect_fields(contract, property, depth + 1, fields);
    }
    let inside = ["oneOf", "allOf", "anyOf"].into_iter().flat_map(|name| schema[name].as_array().into_iter().flatten());
    for part in inside.chain(schema.get("items")) {
        collect_fields(contract, part, depth + 1, fields);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn contract(path: &str, method: &str, call: &Value) -> Value {
        let schemas = json!({ "Body": { "properties": { "targets": { "items": { "$ref": "#/components/schemas/Target" } } } },
                              "Target": { "properties": { "connection_id": {} } } });
        json!({ "paths": { path: { method: call } }, "components": { "schemas": schemas } })
    }

    #[test]
    fn a_call_is_read_with_what_it_demands_and_names() {
        let body = json!({ "required": true, "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Body" } } } });
        let call = json!({ "security": [{ "session": [], "csrf": [] }], "requestBody": body });
        let [operation] = &read(&contract("/api/posts", "post", &call))[..] else { panic!("one call") };
        assert!(operation.signed_in && operation.token && operation.body.is_some());
        assert_eq!(operation.naming().iter().map(|(name, ..)| *name).collect::<Vec<_>>(), ["connection_id"]);
    }

    #[test]
    fn what_nobody_has_spoken_about_does_not_pass() {
        let query = |name: &str| json!({ "parameters": [{ "name": name, "in": "query" }] });
        let body = json!({ "requestBody": { "required": true, "content": {} } });
        for (path, method, call) in [
            ("/api/invoices/{id}", "get", json!({})),
            ("/api/posts", "get", query("customer_id")),
            ("/api/invoices", "post", body),
            ("/api/posts", "evil", json!({})),
        ] {
            let contract = contract(path, method, &call);
            assert!(std::panic::catch_unwind(|| read(&contract)).is_err(), "{path} {call}");
        }
    }
}
