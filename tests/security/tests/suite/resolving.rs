//! What its owner says of a post in doubt: addresses that are no website's, and words that are no verdict.

use journeys::{SOON, play};
use security::attack::{Attack, attack, run};
use security::scene::Scene;
use security::scene::Who::{Ann, Eve, Nobody};
use security::tell;
use serde_json::json;

type Outcome = anyhow::Result<()>;

/// Addresses that a page must not show as a link.
const NO_ADDRESS: [&str; 26] = [
    "",
    " ",
    "evil",
    "/evil",
    "//x.com/evil",
    "x.com/evil/status/1",
    "http://x.com/evil/status/1",
    "HTTP://x.com/evil",
    "ftp://x.com/evil",
    "file:///etc/evil",
    "javascript:alert('evil')",
    "JaVaScRiPt:alert('evil')",
    "java\\nscript:alert('evil')",
    "data:text/html,<script>evil</script>",
    "vbscript:evil",
    "blob:https://x.com/evil",
    "view-source:https://x.com/evil",
    "mailto:evil@x.com",
    "tel:+61412345678",
    "intent://evil#Intent;scheme=https;end",
    "https:",
    "https://",
    "https://[evil",
    "https://x.com:evil/",
    "https://exa mple.com/evil",
    "https://x.com\\u0000.evil.example/",
];

/// Addresses that are read in more than one way: what a browser makes of them is not where they seem to lead.
const DECEIVING: [&str; 6] = [
    "https://x.com@evil.example/ann/status/1",
    "https://x.com:secret@evil.example/",
    "https://:evil@x.com/",
    "https:\\\\\\\\evil.example\\\\x.com",
    "https:evil.example",
    "https:///evil.example",
];

fn rows() -> Vec<Attack> {
    let says = |what: &str, by, body: String| attack(what, by, "POST", "/api/posts/{doubtful}/resolve").json(body);
    let at = |url: &str| format!(r#"{{"outcome":"published","url":"{url}"}}"#);
    let no_address = NO_ADDRESS.into_iter().map(|url| says("an address that is none", Ann, at(url)));
    let deceiving = DECEIVING.into_iter().map(|url| says("an address that deceives", Ann, at(url)));
    let long = [
        format!("https://x.com/{}", "7".repeat(487)),
        // Short as it comes, long as it would be kept.
        format!("https://x.com/{}", "\u{e9}".repeat(240)),
    ];
    let long = long.iter().map(|url| says("a long address", Ann, at(url)));
    let mut rows: Vec<_> =
        no_address.chain(deceiving).chain(long).map(|row| row.gets(422, "validation_failed").naming("url_malformed")).collect();
    let beside = says("an address of what is not there", Ann, r#"{"outcome":"not_published","url":"https://x.com/1"}"#.to_owned());
    rows.push(beside.gets(422, "validation_failed").naming("url_unexpected"));
    for (what, body) in [
        ("a verdict that is none", r#"{"outcome":"evil"}"#),
        ("a verdict in capitals", r#"{"outcome":"Published"}"#),
        ("no verdict", "{}"),
        ("a number for a verdict", r#"{"outcome":1}"#),
        ("a list for a verdict", r#"{"outcome":["published"]}"#),
        ("a list of addresses", r#"{"outcome":"published","url":["https://x.com/1"]}"#),
    ] {
        rows.push(says(what, Ann, body.to_owned()).gets(422, "validation_failed"));
    }
    rows.push(says("a verdict twice", Ann, r#"{"outcome":"published","outcome":"not_published"}"#.to_owned()).gets(400, "malformed_json"));
    rows.push(says("a name more", Ann, r#"{"outcome":"published","platform_post_id":"evil"}"#.to_owned()).gets(400, "malformed_json"));
    rows.push(says("somebody else's verdict", Eve, r#"{"outcome":"not_published"}"#.to_owned()).gets(404, "not_found"));
    rows.push(says("nobody's verdict", Nobody, r#"{"outcome":"not_published"}"#.to_owned()).gets(401, "session_required"));
    for post in ["draft", "scheduled", "cancelled"] {
        let row = attack("a verdict on what is in no doubt", Ann, "POST", format!("/api/posts/{{{post}}}/resolve"));
        rows.push(row.json(r#"{"outcome":"published"}"#).gets(409, "state_conflict"));
    }
    rows
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_verdict_with_an_odd_address_leaves_the_doubt_and_its_place() -> Outcome {
    play(async |stage| {
        let mut scene = Scene::set(stage).await?;
        scene.ann.browser.fault("x", &json!({ "kind": "drop_before" })).await?;
        let doubtful = scene.ann.approved_on_x("In doubt", 0).await?;
        scene.ann.browser.wait_for(&doubtful, "unknown", SOON).await?;
        scene.names.insert("doubtful", doubtful.clone());
        let count = run(&scene, &rows()).await?;
        // The right words still end it, with the address as it was given.
        let body = json!({ "outcome": "published", "url": "https://x.com/ann/status/7" });
        let resolved = scene.ann.browser.post(&format!("/api/posts/{doubtful}/resolve"), Some(&body)).await?.expect(200)?;
        assert_eq!(resolved.json["platform_url"], "https://x.com/ann/status/7");
        tell(count, "attack rows on verdicts");
        Ok(())
    })
    .await
}
