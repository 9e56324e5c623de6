//! Bluesky: accounts that are found by their handles, tokens that are bound to keys, and posts under keys of ours.

use journeys::{Person, SOON, UNTIL_SEARCH_SECS, play};
use reqwest::header::CONTENT_TYPE;
use serde_json::{Value, json};

type Outcome = anyhow::Result<()>;

const BLUESKY: &str = "bluesky";
const HANDLE: &str = "ann.bluesky.example";
/// What may be done with posts.
const POSTING: &str = "repo:app.bsky.feed.post?action=create&action=update";
/// Longer than an access token lives.
const HALF_AN_HOUR: i64 = 1_801;
/// A letter of 25 bytes.
const FAMILY: &str = "👨\u{200D}👩\u{200D}👧\u{200D}👦";

async fn approved(person: &Person, account: &str, text: &str) -> anyhow::Result<String> {
    let due = person.browser.service_time(0).await?;
    let post = person.browser.write(text, &[account], &due).await?.remove(0);
    person.browser.approve(&post).await?;
    Ok(post)
}

async fn calls(person: &Person, operation: &str) -> anyhow::Result<u64> {
    Ok(person.browser.platform_calls(BLUESKY).await?[operation].as_u64().unwrap_or_default())
}

async fn connection(person: &Person, id: &str) -> anyhow::Result<Value> {
    let listed = person.browser.get("/api/connections").await?.expect(200)?.json;
    let all = listed["items"].as_array().cloned().unwrap_or_default();
    all.into_iter().find(|one| one["id"] == id).ok_or_else(|| anyhow::anyhow!("no connection {id}"))
}

/// The record of a post, as anybody reads it at the account's own server.
async fn record(person: &Person, did: &Value, rkey: &Value) -> anyhow::Result<Value> {
    let (did, rkey) = (did.as_str().unwrap_or_default(), rkey.as_str().unwrap_or_default());
    let query = format!("repo={did}&collection=app.bsky.feed.post&rkey={rkey}");
    let path = format!("/_sim/bluesky/pds.bluesky.example/xrpc/com.atproto.repo.getRecord?{query}");
    Ok(person.browser.get(&path).await?.expect(200)?.json["value"].clone())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_is_connected_by_its_handle_and_published_to() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412345941", "starter", "ann").await?;
        let account = ann.browser.connect_by_handle(BLUESKY, &format!("@{}", HANDLE.to_uppercase()), &[]).await?;
        let shown = connection(&ann, &account).await?;
        assert_eq!((&shown["username"], &shown["health"]), (&json!(HANDLE), &json!("ok")));
        // Its own host says nothing, and a look-up of its name does.
        ann.browser.connect_by_handle(BLUESKY, "bob.dns.example", &[]).await?;

        let text = "Brot 🍞 by @bob.dns.example at https://example.com/a, #rye & \"more\"";
        let post = approved(&ann, &account, text).await?;
        let story = ann.browser.wait_for(&post, "published", SOON).await?;
        let shown = ann.browser.on_platform(BLUESKY, text).await?;
        assert_eq!((shown.len(), &shown[0]["id"], &shown[0]["account"]), (1, &story["platform_post_id"], &json!(HANDLE)));
        let (did, rkey) = (&shown[0]["account_id"], &shown[0]["id"]);
        assert_eq!(story["platform_url"], format!("https://bsky.app/profile/{}/post/{}", did.as_str().unwrap(), rkey.as_str().unwrap()));
        let record = record(&ann, did, rkey).await?;
        let parts: Vec<_> = record["facets"]
            .as_array()
            .unwrap()
            .iter()
            .map(|facet| {
                let place = |name: &str| usize::try_from(facet["index"][name].as_u64().unwrap()).unwrap();
                (&text[place("byteStart")..place("byteEnd")], facet["features"][0]["$type"].as_str().unwrap())
            })
            .collect();
        assert_eq!(
            parts,
            [
                ("@bob.dns.example", "app.bsky.richtext.facet#mention"),
                ("https://example.com/a", "app.bsky.richtext.facet#link"),
                ("#rye", "app.bsky.richtext.facet#tag"),
            ]
        );
        ann.has_quota([12, 1, 0, 11]).await?;
        ann.ledger_adds_up().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_handle_is_refused_before_anything_is_kept() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412345942", "starter", "ann").await?;
        for (query, status, code) in [
            ("", 400, "value_missing"),
            ("?server=bluesky.example", 400, "name_unknown"),
            ("?handle=ann", 422, "value_malformed"),
            ("?handle=127.0.0.1", 422, "value_malformed"),
            ("?handle=ann.bluesky.example:8443", 422, "value_malformed"),
            ("?handle=https://ann.bluesky.example", 422, "value_malformed"),
            // Nobody has it, by its own host and by the network.
            ("?handle=nobody.bluesky.example", 422, "handle_unknown"),
        ] {
            let refused = ann.browser.get(&format!("/oauth/bluesky/start{query}")).await?;
            let told = (refused.status.as_u16(), refused.json["errors"][0]["code"].as_str());
            assert_eq!(told, (status, Some(code)), "{query}: {}", refused.text);
        }
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_answer_is_cleared_up_by_the_same_key() -> Outcome {
    for (kind, was_there) in [("drop_after", true), ("error_after", true), ("drop_before", false)] {
        play(async |stage| {
            let ann = stage.person("+61412345943", "starter", "ann").await?;
            let account = ann.browser.connect_by_handle(BLUESKY, HANDLE, &[]).await?;
            ann.browser.fault(BLUESKY, &json!({ "kind": kind })).await?;
            let post = approved(&ann, &account, "Once and no more").await?;
            ann.browser.wait_for(&post, "unknown", SOON).await?;
            let before = ann.browser.on_platform(BLUESKY, "Once and no more").await?;
            assert_eq!(before.len(), usize::from(was_there), "{kind}");
            ann.browser.advance(UNTIL_SEARCH_SECS).await?;
            let story = ann.browser.wait_for(&post, "published", SOON).await?;
            let shown = ann.browser.on_platform(BLUESKY, "Once and no more").await?;
            assert_eq!((shown.len(), &shown[0]["id"]), (1, &story["platform_post_id"]), "{kind}");
            assert!(before.first().is_none_or(|before| before == &shown[0]), "{kind}");
            assert_eq!((calls(&ann, "publish").await?, calls(&ann, "list").await?), (2, 0), "{kind}: the same call again, and no search");
            ann.has_quota([12, 1, 0, 11]).await?;
            ann.ledger_adds_up().await
        })
        .await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_text_is_counted_by_letters_and_by_bytes_before_it_is_kept() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412345944", "starter", "ann").await?;
        let account = ann.browser.connect_by_handle(BLUESKY, HANDLE, &[]).await?;
        let due = ann.browser.service_time(3_600).await?;
        // 300 letters each: 112 of 25 bytes, some of two, the others of one.
        let of_bytes = |bytes: usize| format!("{}{}{}", FAMILY.repeat(112), "é".repeat(bytes - 2_988), "a".repeat(188 - (bytes - 2_988)));
        for (text, taken, code) in [
            ("a".repeat(300), 201, Value::Null),
            ("a".repeat(301), 422, json!("text_too_long")),
            (of_bytes(3_000), 201, Value::Null),
            (of_bytes(3_001), 422, json!("text_too_long")),
            // A link counts whole.
            (format!("{} https://example.com/{}", "a".repeat(250), "b".repeat(40)), 422, json!("text_too_long")),
        ] {
            let body = json!({ "content": text, "targets": [{ "connection_id": account }], "scheduled_for": due });
            let reply = ann.browser.post("/api/posts", Some(&body)).await?;
            assert_eq!((reply.status.as_u16(), &reply.json["errors"][0]["code"]), (taken, &code), "{} bytes: {}", text.len(), reply.text);
        }
        let kept = ann.browser.get("/api/posts").await?.expect(200)?;
        assert_eq!(kept.json["items"].as_array().map(Vec::len), Some(2));
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scopes_that_were_left_out_are_asked_for_again() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412345945", "starter", "ann").await?;
        let account = ann.browser.connect_by_handle(BLUESKY, HANDLE, &[("granted_scope", "atproto")]).await?;
        let limited = connection(&ann, &account).await?;
        assert_eq!((&limited["health"], &limited["missing_scopes"]), (&json!("limited"), &json!([POSTING])));
        // Who connects it anew need not give the handle.
        let start = format!("/oauth/bluesky/start?return_to=/connections&reconnect={account}");
        let callback = ann.browser.consent_from(&start, "allow", &[]).await?;
        let ended = ann.browser.get(&callback).await?.expect(303)?.location()?;
        assert!(ended.ends_with(&format!("/connections?connected={account}")), "{ended}");
        assert_eq!(connection(&ann, &account).await?["missing_scopes"], json!([]));
        let post = approved(&ann, &account, "All is allowed").await?;
        ann.browser.wait_for(&post, "published", SOON).await?;
        ann.ledger_adds_up().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_are_renewed_under_their_key_each_time_they_end() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412345946", "starter", "ann").await?;
        let account = ann.browser.connect_by_handle(BLUESKY, HANDLE, &[]).await?;
        for times in 1..=3 {
            // The nonces of before have ended, too.
            ann.browser.advance(HALF_AN_HOUR).await?;
            let post = approved(&ann, &account, &format!("Day {times}")).await?;
            ann.browser.wait_for(&post, "published", SOON).await?;
            assert_eq!(calls(&ann, "refresh").await?, times, "a refresh token is shown once");
        }
        ann.has_quota([12, 3, 0, 9]).await?;
        ann.ledger_adds_up().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_grant_that_ended_there_holds_the_post_and_one_that_ends_here_ends_there() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412345947", "starter", "ann").await?;
        let account = ann.browser.connect_by_handle(BLUESKY, HANDLE, &[]).await?;
        ann.browser.fault(BLUESKY, &json!({ "kind": "token_revoked", "account": HANDLE })).await?;
        let post = approved(&ann, &account, "Revoked").await?;
        let story = ann.browser.wait_for(&post, "held", SOON).await?;
        assert_eq!((&story["error"]["code"], &story["error"]["action"]), (&json!("reconnect_needed"), &json!("reconnect")));
        let again = ann.browser.connect_by_handle(BLUESKY, HANDLE, &[]).await?;
        assert_eq!(again, account, "the same account is the same connection");
        let post = approved(&ann, &account, "Reconnected").await?;
        ann.browser.wait_for(&post, "published", SOON).await?;
        let before = calls(&ann, "revoke").await?;
        ann.browser.delete(&format!("/api/connections/{account}")).await?.expect(204)?;
        assert_eq!(calls(&ann, "revoke").await?, before + 1);
        ann.ledger_adds_up().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn anybody_reads_who_our_app_is_and_nobody_its_key() -> Outcome {
    play(async |stage| {
        let somebody = stage.browser();
        let path = "/oauth/bluesky/client-metadata.json";
        let read = somebody.get(path).await?.expect(200)?;
        assert_eq!(read.headers[CONTENT_TYPE], "application/json");
        assert_eq!(read.headers["cache-control"], "public, max-age=300");
        let base = somebody.base_url().trim_end_matches('/');
        assert_eq!(read.json["client_id"], format!("{base}{path}"));
        assert_eq!(read.json["redirect_uris"], json!([format!("{base}/oauth/bluesky/callback")]));
        assert_eq!((&read.json["scope"], &read.json["dpop_bound_access_tokens"]), (&json!(format!("atproto {POSTING}")), &json!(true)));
        let key = read.json["jwks"]["keys"][0].as_object().unwrap();
        assert!(key.contains_key("x") && key.contains_key("kid") && !key.contains_key("d"), "{}", read.text);
        for other in ["x", "facebook", "linkedin", "elsewhere"] {
            somebody.get(&format!("/oauth/{other}/client-metadata.json")).await?.expect(404)?;
        }
        Ok(())
    })
    .await
}
