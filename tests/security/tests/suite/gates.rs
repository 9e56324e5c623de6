//! What stands before every call: the session, the CSRF token, the origin and the method.

use journeys::play;
use security::attack::{Attack, attack, run};
use security::operations::{ALL, Operation};
use security::scene::Scene;
use security::scene::Who::{Ann, Eve, Nobody};
use security::tell;

type Outcome = anyhow::Result<()>;

/// The call as its owner makes it, but for what an attack changes.
fn call(what: &str, by: security::scene::Who, operation: &Operation) -> Attack {
    let row = attack(format!("{what} on {}", operation.name()), by, operation.method, operation.target());
    let row = if operation.method == "PATCH" { row.with("if-match", "\"1\"") } else { row };
    match operation.body {
        Some(body) => row.json(body),
        None => row,
    }
}

fn without_a_session(operation: &Operation) -> Vec<Attack> {
    let dead = call("a dead session", Ann, operation).with("cookie", "__Host-session={dead_cookie}");
    vec![call("no session", Nobody, operation).gets(401, "session_required"), dead.gets(401, "session_expired")]
}

/// Tokens that are not the session's own: what, the header.
const WRONG_TOKENS: [(&str, &str); 6] = [
    ("an empty token", ""),
    ("a made-up token", "evilevilevilevilevilevilevilevilevilevilevi"),
    ("another's token", "{eves_csrf}"),
    ("the token of another session of hers", "{other_csrf}"),
    ("the cookie as the token", "{cookie}"),
    ("the token and more", "{csrf} "),
];

/// Where a forged request says it comes from: what, the header, its value.
const FOREIGN: [(&str, &str, &str); 9] = [
    ("a foreign origin", "origin", "https://evil.example"),
    ("the origin of no page", "origin", "null"),
    ("an origin that begins like ours", "origin", "{base}.evil.example"),
    ("an origin that ends like ours", "origin", "http://evil-localhost"),
    ("our origin under another scheme", "origin", "https://localhost"),
    ("our origin with a slash", "origin", "{base}/"),
    ("our origin and another", "origin", "{base} https://evil.example"),
    ("a cross-site fetch", "sec-fetch-site", "cross-site"),
    ("a cross-site fetch in capitals", "sec-fetch-site", "CROSS-SITE"),
];

fn forged(operation: &Operation) -> Vec<Attack> {
    let mut rows: Vec<_> = FOREIGN.iter().map(|(what, name, value)| call(what, Ann, operation).with(name, *value)).collect();
    let twice = call("our origin, then a foreign one", Ann, operation).and("origin", "https://evil.example");
    rows.push(twice);
    if operation.token {
        rows.push(call("no token", Ann, operation).without("x-csrf-token"));
        rows.extend(
            WRONG_TOKENS
                .iter()
                .filter(|(what, _)| *what != "the token and more")
                .map(|(what, token)| call(what, Ann, operation).with("x-csrf-token", *token)),
        );
        rows.push(call("the token twice", Ann, operation).and("x-csrf-token", "{csrf}"));
        rows.push(call("her token with another's cookie", Eve, operation).with("x-csrf-token", "{csrf}"));
        rows.push(
            call("the token in a cookie", Ann, operation)
                .without("x-csrf-token")
                .with("cookie", "__Host-session={cookie}; x-csrf-token={csrf}"),
        );
    }
    rows.into_iter().map(|row| row.gets(403, "csrf_rejected")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_call_goes_through_without_a_live_session() -> Outcome {
    play(async |stage| {
        let scene = Scene::set(stage).await?;
        let rows: Vec<_> = ALL.iter().filter(|operation| operation.signed_in).flat_map(without_a_session).collect();
        tell(run(&scene, &rows).await?, "attack rows without a session");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_foreign_page_makes_a_browser_change_anything() -> Outcome {
    play(async |stage| {
        let scene = Scene::set(stage).await?;
        let rows: Vec<_> = ALL.iter().filter(|operation| operation.changes() && operation.is_for_people()).flat_map(forged).collect();
        tell(run(&scene, &rows).await?, "attack rows on CSRF");
        Ok(())
    })
    .await
}

/// Methods that nothing of ours takes.
const METHODS: [&str; 7] = ["PUT", "TRACE", "PROPFIND", "get", "PATCH", "DELETE", "POST"];

fn wrong_methods() -> Vec<Attack> {
    let mut paths: Vec<_> = ALL.iter().map(|operation| operation.path.as_str()).collect();
    paths.dedup();
    let mut rows = Vec::new();
    for path in paths {
        let taken: Vec<_> = ALL.iter().filter(|operation| operation.path == path).collect();
        for method in METHODS.into_iter().filter(|method| taken.iter().all(|operation| operation.method != *method)) {
            rows.push(attack("a wrong method", Ann, method, taken[0].target()).gets(405, "method_not_allowed"));
        }
    }
    for name in ["x-http-method-override", "x-http-method", "x-method-override"] {
        rows.push(attack(format!("a method in {name}"), Ann, "GET", "/api/posts/{draft}").with(name, "DELETE").is_harmless(200));
    }
    rows.push(attack("a method in the query", Ann, "GET", "/api/posts/{draft}?_method=DELETE").is_harmless(200));
    rows
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_takes_its_methods_and_no_other() -> Outcome {
    play(async |stage| {
        let scene = Scene::set(stage).await?;
        tell(run(&scene, &wrong_methods()).await?, "attack rows on methods");
        Ok(())
    })
    .await
}
