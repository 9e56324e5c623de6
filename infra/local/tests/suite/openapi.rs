//! The contract's document is what the code says, and what the gateway and the routers do.

use std::collections::BTreeSet;

use edge::lines::Captured;
use local::{Browser, LocalService, Options, openapi};
use reqwest::Method;
use serde_json::Value;

fn documented() -> BTreeSet<String> {
    let document = openapi::document().expect("a document");
    document["paths"].as_object().expect("paths by name").keys().cloned().collect()
}

#[test]
fn the_file_says_what_the_code_says() {
    let file: Value = serde_json::from_slice(&std::fs::read(openapi::file()).unwrap_or_default()).unwrap_or_default();
    assert!(file == openapi::document().unwrap(), "infra/openapi.json is not what the code says; write it anew: {}", openapi::COMMAND);
}

#[test]
fn every_route_of_the_template_is_documented_and_every_documented_path_is_a_route() {
    let template = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../template.yaml")).unwrap();
    let keys: Vec<&str> = template.lines().filter_map(|line| line.trim().strip_prefix("RouteKey: ")).collect();
    let routes = template.lines().filter(|line| line.trim() == "Type: AWS::ApiGatewayV2::Route").count();
    assert_eq!(keys.len(), routes, "a route whose key is not read here");
    let paths: BTreeSet<String> = keys.iter().filter_map(|key| key.strip_prefix("ANY ")).map(str::to_owned).collect();
    assert_eq!(keys.len(), paths.len() + 1, "each key once, as `ANY <path>`, and `$default`: {keys:?}");
    assert_eq!(paths, documented());
}

#[test]
fn every_path_of_a_function_is_documented_and_the_reverse() {
    let served =
        [onboarding::PATHS, account::PATHS, posts::PATHS, oauth_start::PATHS, oauth_callback::PATHS, billing_webhook::PATHS].concat();
    let served: BTreeSet<String> = served.into_iter().filter(|path| *path != "$default").map(str::to_owned).collect();
    assert_eq!(served, documented());
}

/// A router names the methods that it takes when it is asked for another one.
#[tokio::test]
async fn a_router_takes_the_documented_methods_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let lines = Captured::default();
    let options = Options { port: 0, data_dir: folder.path().to_owned(), fresh: false, lines: lines.lines() };
    let service = LocalService::start(options).await.unwrap();
    let mut browser = Browser::new(service.base_url()).unwrap();
    browser.sign_in("+61412345678").await.unwrap();
    for (path, item) in openapi::document().unwrap()["paths"].as_object().unwrap() {
        let asked = path.replace("{platform}", "x").replace("{id}", "01ARZ3NDEKTSV4RRFFQ69G5FAV");
        let refused = browser.request(Method::PUT, &asked, &[], None).await.unwrap().expect(405).unwrap();
        let allowed: BTreeSet<String> =
            refused.headers["allow"].to_str().unwrap().split(',').map(|method| method.trim().to_lowercase()).collect();
        let said: BTreeSet<String> = item.as_object().unwrap().keys().cloned().collect();
        let allowed: BTreeSet<String> = allowed.into_iter().filter(|method| method != "head").collect();
        assert_eq!(allowed, said, "{path}");
    }
    service.stop().await;
}

#[test]
fn operations_are_named_once_and_every_reference_leads_somewhere() {
    let document = openapi::document().unwrap();
    let mut names = BTreeSet::new();
    for item in document["paths"].as_object().unwrap().values() {
        for operation in item.as_object().unwrap().values() {
            let name = operation["operationId"].as_str().unwrap();
            assert!(names.insert(name), "{name} twice");
        }
    }
    let text = document.to_string();
    for reference in text.split("\"$ref\":\"#").skip(1) {
        let pointer = reference.split('"').next().unwrap();
        assert!(document.pointer(pointer).is_some(), "{pointer}");
    }
}

/// The schema, and all that it is made of.
fn schemas<'a>(document: &'a Value, schema: &'a Value, seen: &mut BTreeSet<&'a str>, found: &mut Vec<&'a Value>) {
    found.push(schema);
    if let Some(reference) = schema["$ref"].as_str() {
        if seen.insert(reference) {
            let meant = document.pointer(&reference[1..]).expect("a reference that leads somewhere");
            schemas(document, meant, seen, found);
        }
        return;
    }
    match schema {
        Value::Object(fields) => fields.values().for_each(|part| schemas(document, part, seen, found)),
        Value::Array(parts) => parts.iter().for_each(|part| schemas(document, part, seen, found)),
        _ => {}
    }
}

#[test]
fn every_time_in_an_answer_has_three_digits_of_a_second() {
    let document = openapi::document().unwrap();
    let (mut times, mut odd) = (0, Vec::new());
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let mut found = Vec::new();
            schemas(&document, &operation["responses"], &mut BTreeSet::new(), &mut found);
            let told: Vec<_> = found.into_iter().filter(|schema| schema["format"] == "date-time").collect();
            times += told.len();
            let plain = told.iter().any(|schema| !schema["pattern"].as_str().is_some_and(|pattern| pattern.ends_with(r"\.\d{3}Z$")));
            odd.extend(plain.then(|| format!("{method} {path}")));
        }
    }
    assert!(times > 10 && odd.is_empty(), "{times} times; in another form: {odd:?}");
}

fn each_operation(document: &Value) -> impl Iterator<Item = (String, &Value)> {
    let paths = document["paths"].as_object().into_iter().flatten();
    paths.flat_map(|(path, item)| {
        item.as_object().into_iter().flatten().map(move |(method, operation)| (format!("{method} {path}"), operation))
    })
}

/// A client that knows one error type knows them all.
#[test]
fn every_refusal_is_a_problem_and_of_one_media_type() {
    let document = openapi::document().unwrap();
    let mut refusals = 0;
    for (operation, said) in each_operation(&document) {
        for (status, response) in said["responses"].as_object().unwrap().iter().filter(|(status, _)| status.as_str() >= "400") {
            let kinds: Vec<_> = response["content"].as_object().unwrap().iter().collect();
            let [(kind, content)] = kinds.as_slice() else { panic!("{operation} {status}: one kind of body") };
            assert_eq!(*kind, "application/problem+json", "{operation} {status}");
            assert_eq!(content["schema"]["allOf"][0]["$ref"], "#/components/schemas/Problem", "{operation} {status}");
            refusals += 1;
        }
    }
    assert!(refusals > 200, "{refusals}");
    let code = &document["components"]["schemas"]["FieldError"]["properties"]["code"];
    assert_eq!(code["$ref"], "#/components/schemas/FieldCode");
    assert_eq!(document["components"]["schemas"]["FieldCode"]["enum"].as_array().unwrap().len(), edge::problem::FieldCode::ALL.len());
}

#[test]
fn every_operation_has_a_short_title_a_description_and_says_whether_it_is_public() {
    let document = openapi::document().unwrap();
    let mut public = BTreeSet::new();
    for (operation, said) in each_operation(&document) {
        let summary = said["summary"].as_str().unwrap_or_default();
        assert!((5..=60).contains(&summary.len()) && !summary.ends_with('.'), "{operation}: {summary:?}");
        assert!(said["description"].as_str().is_some_and(|text| text.ends_with('.')), "{operation}");
        if said["security"].as_array().unwrap_or_else(|| panic!("{operation} says nothing of security")).is_empty() {
            public.insert(said["operationId"].as_str().unwrap());
        }
    }
    let known = ["billing_webhook", "describe_app", "finish_consent", "health", "list_plans", "send_code", "verify_code"];
    assert_eq!(public, BTreeSet::from(known));
}

#[test]
fn every_property_and_every_parameter_is_described() {
    let document = openapi::document().unwrap();
    let described = |value: &Value| value["description"].as_str().is_some_and(|text| text.len() > 3);
    let mut bare = Vec::new();
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        let parts = std::iter::once(schema).chain(schema["allOf"].as_array().into_iter().flatten());
        let properties = parts.filter_map(|part| part["properties"].as_object()).flatten();
        bare.extend(properties.filter(|(_, property)| !described(property)).map(|(field, _)| format!("{name}.{field}")));
        bare.extend((!described(schema)).then(|| name.clone()));
    }
    for (operation, said) in each_operation(&document) {
        let own = said["parameters"].as_array().into_iter().flatten().filter(|parameter| parameter.get("$ref").is_none());
        bare.extend(own.filter(|parameter| !described(parameter)).map(|parameter| format!("{operation} {}", parameter["name"])));
    }
    assert_eq!(bare, [""; 0]);
}
