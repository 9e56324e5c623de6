//! Bodies that are not what a call takes, and ids inside them that are not the caller's.

use journeys::play;
use security::attack::{Attack, attack, run};
use security::operations::ALL;
use security::scene::Scene;
use security::scene::Who::{Ann, Eve};
use security::tell;

type Outcome = anyhow::Result<()>;

const DUE: &str = r#""scheduled_for":"{due}""#;
const TARGET: &str = r#""targets":[{"connection_id":"{x}"}]"#;

fn post(what: &str, body: impl Into<String>) -> Attack {
    attack(what, Ann, "POST", "/api/posts").json(body)
}

/// Media types that are not JSON: a browser's form can send some of them without asking.
const TYPES: [&str; 12] = [
    "text/plain",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=evil",
    "text/json",
    "application/evil+json",
    "application/problem+json",
    "application/json; charset=utf-16",
    "application/json; charset=latin1",
    "application/json; evil=1",
    "application/json, text/plain",
    "application/jsonp",
    "*/*",
];

fn media_types() -> Vec<Attack> {
    let mut rows = Vec::new();
    for operation in ALL.iter().filter(|operation| operation.body.is_some() && operation.is_for_people()) {
        let call = |what: &str| {
            let row = attack(format!("{what} to {}", operation.name()), Ann, operation.method, operation.target());
            let row = if operation.method == "PATCH" { row.with("if-match", "\"1\"") } else { row };
            row.bytes(operation.body.unwrap_or_default()).gets(415, "unsupported_media_type")
        };
        rows.extend(TYPES.map(|kind| call(kind).with("content-type", kind)));
        rows.push(call("no media type"));
        rows.push(call("two media types").with("content-type", "application/json").and("content-type", "application/json"));
        rows.push(call("a compressed body").with("content-type", "application/json").with("content-encoding", "gzip"));
    }
    rows
}

/// Texts that are not one JSON object: what, the body.
const NOT_JSON: [(&str, &str); 22] = [
    ("nothing", ""),
    ("a word", "evil"),
    ("half an object", r#"{"content":"#),
    ("two objects", r#"{"content":"a","targets":[]}{}"#),
    ("an object and a letter", r#"{"content":"a","targets":[]}x"#),
    ("single quotes", "{'content':'evil'}"),
    ("a comment", "{/*evil*/}"),
    ("a comma too many", r#"{"content":"evil",}"#),
    ("a name without quotes", "{content:1}"),
    ("a number that is none", r#"{"content":NaN}"#),
    ("a number with a leading zero", r#"{"content":01}"#),
    ("half a surrogate pair", r#"{"content":"\ud800"}"#),
    ("a raw control character", "{\"content\":\"\u{1}\"}"),
    ("a byte order mark", "\u{feff}{}"),
    ("a form", "content=evil&targets=evil"),
    ("XML", "<?xml version=\"1.0\"?><!DOCTYPE x [<!ENTITY e SYSTEM \"file:///etc/passwd\">]><x>&e;</x>"),
    ("an unknown name", r#"{"evil":1}"#),
    ("a prototype", r#"{"__proto__":{"admin":true}}"#),
    ("a name in capitals", r#"{"Content":"Hi"}"#),
    ("the same name twice", r#"{"content":"a","content":"evil"}"#),
    ("the same name twice, once escaped", r#"{"content":"a","\u0063ontent":"evil"}"#),
    ("somebody's id", r#"{"user_id":"{eves_user}"}"#),
];

/// JSON of the wrong shape: what, the body.
const WRONG_SHAPE: [(&str, &str); 16] = [
    ("null", "null"),
    ("a number", "1"),
    ("a text", "\"evil\""),
    ("true", "true"),
    ("a list", "[]"),
    ("an object in a list", r#"[{"content":"evil"}]"#),
    ("an empty object", "{}"),
    ("a number for a text", r#"{"content":1}"#),
    ("null for a text", r#"{"content":null}"#),
    ("a list for a text", r#"{"content":["evil"]}"#),
    ("an object for a text", r#"{"content":{"$ne":null}}"#),
    ("a huge number", r#"{"content":1e308}"#),
    ("an object for a list", r#"{"content":"a","targets":{}}"#),
    ("a list for an object", r#"{"content":"a","targets":[["{x}"]],"scheduled_for":"{due}"}"#),
    ("a text for an object", r#"{"content":"a","targets":["{x}"],"scheduled_for":"{due}"}"#),
    ("a number for a time", r#"{"content":"a","targets":[],"scheduled_for":1}"#),
];

fn shapes() -> Vec<Attack> {
    let mut rows: Vec<_> = NOT_JSON.into_iter().map(|(what, body)| post(what, body).gets(400, "malformed_json")).collect();
    rows.extend(WRONG_SHAPE.into_iter().map(|(what, body)| post(what, body).gets(422, "validation_failed")));
    let deep = format!("{{\"content\":{}1{}}}", "[".repeat(200_000), "]".repeat(200_000));
    rows.push(post("two hundred thousand brackets", deep).gets(422, "validation_failed"));
    let deep = format!("{}1{}", "{\"a\":".repeat(100_000), "}".repeat(100_000));
    rows.push(post("a hundred thousand objects in each other", deep).gets(400, "malformed_json"));
    for bytes in [vec![0xff, 0xfe, b'{', 0, b'}', 0], b"{\"content\":\"\xc3\x28\"}".to_vec(), b"{\"content\":\"\xed\xa0\x80\"}".to_vec()] {
        let row = attack("letters that are no UTF-8", Ann, "POST", "/api/posts").bytes(bytes).with("content-type", "application/json");
        rows.push(row.gets(400, "malformed_json"));
    }
    for (what, size) in [("a byte more than a mebibyte", 1_024 * 1_024 + 1), ("five megabytes", 5_000_000)] {
        let body = format!("{{\"content\":\"{}\"}}", "x".repeat(size - 14));
        rows.push(post(what, body).gets(413, "payload_too_large"));
    }
    for target in ["/api/posts/{draft}/approve", "/api/posts/{scheduled}/cancel", "/api/logout", "/api/establish-session"] {
        rows.push(attack("fields where there are none", Ann, "POST", target).json(r#"{"evil":1}"#).gets(400, "malformed_json"));
        rows.push(attack("a list where there is nothing", Ann, "POST", target).json("[]").gets(422, "validation_failed"));
    }
    rows
}

/// Fields of a draft that are at fault: what, the fields, the field's code.
fn fields() -> Vec<Attack> {
    let with = |rest: &str| format!("{{\"content\":\"Hi\",{rest}}}");
    let long = "x".repeat(281);
    let note = "x".repeat(8_001);
    let many = vec![r#"{"connection_id":"{x}"}"#; 21].join(",");
    let cases = [
        ("no target", with(&format!("\"targets\":[],{DUE}")), "targets_count"),
        ("twenty-one targets", with(&format!("\"targets\":[{many}],{DUE}")), "targets_count"),
        (
            "a target twice",
            with(&format!(r#""targets":[{{"connection_id":"{{x}}"}},{{"connection_id":"{{x}}"}}],{DUE}"#)),
            "connection_repeated",
        ),
        ("another's connection", with(&format!(r#""targets":[{{"connection_id":"{{eves_x}}"}}],{DUE}"#)), "connection_unknown"),
        ("a post for a connection", with(&format!(r#""targets":[{{"connection_id":"{{draft}}"}}],{DUE}"#)), "connection_unknown"),
        ("a path for a connection", with(&format!(r#""targets":[{{"connection_id":"../evil"}}],{DUE}"#)), "connection_unknown"),
        ("a key for a connection", with(&format!(r#""targets":[{{"connection_id":"{{x}}#ACCOUNT"}}],{DUE}"#)), "connection_unknown"),
        ("a long text", format!("{{\"content\":\"{long}\",{TARGET},{DUE}}}"), "text_too_long"),
        ("an empty text", format!("{{\"content\":\"\",{TARGET},{DUE}}}"), "text_empty"),
        (
            "a long text of one target's own",
            with(&format!(r#""targets":[{{"connection_id":"{{x}}","content":"{long}"}}],{DUE}"#)),
            "text_too_long",
        ),
        ("a long note", with(&format!("{TARGET},{DUE},\"ai_recommendation\":\"{note}\"")), "text_too_long"),
        ("media that nobody uploaded", with(&format!("{TARGET},{DUE},\"media\":[\"evil\"]")), "media_unknown"),
        ("no time", with(TARGET), "time_missing"),
        ("a past time", with(&format!("{TARGET},\"scheduled_for\":\"2020-01-01T00:00:00Z\"")), "due_in_past"),
        ("a far time", with(&format!("{TARGET},\"scheduled_for\":\"2099-01-01T00:00:00Z\"")), "due_too_far"),
        ("the year 10000", with(&format!("{TARGET},\"scheduled_for\":\"10000-01-01T00:00:00Z\"")), "time_malformed"),
        ("a time without a zone", with(&format!("{TARGET},\"scheduled_for\":\"2026-12-24T09:00:00\"")), "time_without_zone"),
        ("a word for a time", with(&format!("{TARGET},\"scheduled_for\":\"evil\"")), "time_malformed"),
        (
            "a path for a zone",
            with(&format!("{TARGET},\"scheduled_local\":\"2026-12-24T09:00:00\",\"time_zone\":\"../../etc/evil\"")),
            "time_zone_unknown",
        ),
        ("a local time without a zone", with(&format!("{TARGET},\"scheduled_local\":\"2026-12-24T09:00:00\"")), "time_without_zone"),
        ("two times", with(&format!("{TARGET},{DUE},\"scheduled_local\":\"2026-12-24T09:00:00\",\"time_zone\":\"UTC\"")), "time_ambiguous"),
        ("a last moment before the first", with(&format!("{TARGET},{DUE},\"latest_at\":\"2020-01-01T00:00:00Z\"")), "latest_not_after_due"),
    ];
    let mut rows: Vec<_> =
        cases.into_iter().map(|(what, body, code)| post(what, body).gets(422, "validation_failed").naming(code)).collect();
    let choice = |what: &str, ids: &str| {
        let row = attack(what, Ann, "POST", "/api/connections/choices/{choice}").json(format!("{{\"account_ids\":{ids}}}"));
        row.gets(422, "validation_failed")
    };
    rows.push(choice("no account chosen", "[]").naming("accounts_count"));
    rows.push(choice("an account that was not offered", "[\"evil\"]").naming("account_unknown"));
    rows.push(choice("more accounts than were offered", "[\"1\",\"2\",\"3\"]").naming("accounts_count"));
    rows.push(choice("a number for an account", "[1]"));
    rows
}

/// Every call that changes one post.
const CHANGES: [(&str, &str, Option<&str>); 6] = [
    ("PATCH", "/api/posts/{draft}", Some(r#"{"content":"Edited"}"#)),
    ("DELETE", "/api/posts/{draft}", None),
    ("POST", "/api/posts/{draft}/approve", None),
    ("POST", "/api/posts/{draft}/cancel", None),
    ("POST", "/api/posts/{draft}/retry", None),
    ("POST", "/api/posts/{draft}/resolve", Some(r#"{"outcome":"not_published"}"#)),
];

/// Versions that a caller makes up.
fn preconditions() -> Vec<Attack> {
    let stale = ["\"0\"", "\"2\"", "W/\"1\"", "\"0\", W/\"1\"", "\"01\"", "\"+1\"", "\"evil\"", "\"99999999999999999999\"", "\"\""];
    let odd = ["1", "\"1", "'1'", "\"1\" \"2\"", "\"1\", *", "w/\"1\"", "\"1\"; evil", "\"a b\"", ","];
    let mut rows = Vec::new();
    for (method, target, body) in CHANGES {
        let call = |what: &str, tag: &str| {
            let row = attack(what, Ann, method, target).with("if-match", tag);
            if let Some(body) = body { row.json(body) } else { row }
        };
        rows.extend(stale.iter().map(|tag| call("a wrong version", tag).gets(412, "stale_version")));
        rows.extend(odd.iter().map(|tag| call("no entity tag", tag).gets(400, "malformed_request")));
    }
    let edit = |what: &str, by| attack(what, by, "PATCH", "/api/posts/{draft}").json(r#"{"content":"Edited"}"#);
    rows.push(edit("no version", Ann).gets(428, "precondition_required"));
    rows.push(edit("the version as a date", Ann).with("if-unmodified-since", "evil").gets(428, "precondition_required"));
    rows.push(edit("another's post with its right version", Eve).with("if-match", "\"1\"").gets(404, "not_found"));
    rows.push(edit("another's post, whatever its version", Eve).with("if-match", "*").gets(404, "not_found"));
    rows
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_is_not_what_a_call_takes_is_refused_whole() -> Outcome {
    play(async |stage| {
        let scene = Scene::set(stage).await?;
        let rows: Vec<_> = [media_types(), shapes()].concat();
        tell(run(&scene, &rows).await?, "attack rows on bodies");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fields_ids_and_versions_that_are_at_fault_are_named_and_change_nothing() -> Outcome {
    play(async |stage| {
        let scene = Scene::set(stage).await?;
        let rows: Vec<_> = [fields(), preconditions()].concat();
        tell(run(&scene, &rows).await?, "attack rows on fields and versions");
        Ok(())
    })
    .await
}
