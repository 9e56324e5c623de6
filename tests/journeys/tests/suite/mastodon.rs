//! Mastodon: servers that people name, of which some keep keys.

use journeys::{Person, SOON, UNTIL_SEARCH_SECS, play};
use serde_json::{Value, json};

type Outcome = anyhow::Result<()>;

const MASTODON: &str = "mastodon";
/// It keeps keys.
const SERVER: &str = "mastodon.example";
/// It keeps none.
const OTHER_SOFTWARE: &str = "gotosocial.example";

/// What comes back as HTML, in paragraphs and with a short mention.
const TEXT: &str =
    "Fish & chips <3 for 5 € at https://example.com/a/menu?with=a&long=query#and\nwith @bob@other.example\n\n#rye & \"more\"";

async fn approved(person: &Person, account: &str, text: &str) -> anyhow::Result<String> {
    let due = person.browser.service_time(0).await?;
    let post = person.browser.write(text, &[account], &due).await?.remove(0);
    person.browser.approve(&post).await?;
    Ok(post)
}

/// How a draft of this text for the account is answered: the status, and the code of the first fault.
async fn drafted(person: &Person, account: &str, text: &str) -> anyhow::Result<(u16, Value)> {
    let due = person.browser.service_time(3_600).await?;
    let body = json!({ "content": text, "targets": [{ "connection_id": account }], "scheduled_for": due });
    let reply = person.browser.post("/api/posts", Some(&body)).await?;
    Ok((reply.status.as_u16(), reply.json["errors"][0]["code"].clone()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_is_connected_at_the_server_that_its_owner_names_and_published_to() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412345931", "starter", "ann").await?;
        let account = ann.browser.connect_at(MASTODON, SERVER, &[("account", "ann")]).await?;
        let elsewhere = ann.browser.connect_at(MASTODON, "https://Other.Example/", &[("account", "ann")]).await?;
        assert_ne!(account, elsewhere, "the same name at another server is another account");
        let listed = ann.browser.get("/api/connections").await?.expect(200)?.json;
        let names: Vec<_> = listed["items"].as_array().unwrap().iter().map(|item| item["username"].as_str().unwrap()).collect();
        assert!(names.contains(&"ann@mastodon.example") && names.contains(&"ann@other.example"), "{names:?}");

        let post = approved(&ann, &account, TEXT).await?;
        let story = ann.browser.wait_for(&post, "published", SOON).await?;
        let shown = ann.browser.on_platform(MASTODON, TEXT).await?;
        assert_eq!((shown.len(), &shown[0]["id"], &shown[0]["account"]), (1, &story["platform_post_id"], &json!("ann@mastodon.example")));
        let number = shown[0]["id"].as_str().unwrap().strip_suffix("@mastodon.example").unwrap();
        assert_eq!(story["platform_url"], format!("https://mastodon.example/@ann/{number}"));
        ann.has_quota([12, 1, 0, 11]).await?;
        // Our app is registered once at each server, however many connect there.
        ann.browser.connect_at(MASTODON, SERVER, &[("account", "ann_too")]).await?;
        assert_eq!(ann.browser.platform_calls(MASTODON).await?["register"], 2);
        ann.ledger_adds_up().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_server_is_refused_before_anything_is_kept() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412345932", "starter", "ann").await?;
        for (query, status, code) in [
            ("", 400, "value_missing"),
            ("?handle=ann.example", 400, "name_unknown"),
            ("?server=localhost", 422, "value_malformed"),
            ("?server=127.0.0.1", 422, "value_malformed"),
            ("?server=169.254.169.254", 422, "value_malformed"),
            ("?server=http://mastodon.example", 422, "value_malformed"),
            ("?server=mastodon.example:8443", 422, "value_malformed"),
            ("?server=metadata.google.internal", 422, "server_unknown"),
            ("?server=website.example", 422, "server_unknown"),
            ("?server=moved.example", 422, "server_unknown"),
        ] {
            let refused = ann.browser.get(&format!("/oauth/mastodon/start{query}")).await?;
            assert_eq!(
                (refused.status.as_u16(), refused.json["errors"][0]["code"].as_str()),
                (status, Some(code)),
                "{query}: {}",
                refused.text
            );
        }
        let secrets = stage.service().aws().secret_names()?;
        assert!(!secrets.iter().any(|name| name.contains("/platform/mastodon/")), "{secrets:?}");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_text_is_as_long_as_the_accounts_own_server_takes() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412345933", "starter", "ann").await?;
        let usual = ann.browser.connect_at(MASTODON, SERVER, &[]).await?;
        let long = ann.browser.connect_at(MASTODON, "long.example", &[]).await?;
        // A link counts 23 there, and a mention without its server.
        let linked = format!("{} https://example.com/{}", "a".repeat(476), "b".repeat(100));
        let mentioning = format!("{} @bob@other.example", "a".repeat(495));
        for (account, text, answer) in [
            (&usual, "a".repeat(500), 201),
            (&usual, "a".repeat(501), 422),
            (&usual, linked, 201),
            (&usual, mentioning, 201),
            (&long, "a".repeat(5_000), 201),
            (&long, "a".repeat(5_001), 422),
        ] {
            let (status, code) = drafted(&ann, account, &text).await?;
            assert_eq!(status, answer, "{} letters: {code}", text.len());
            assert_eq!(code, if answer == 201 { Value::Null } else { json!("text_too_long") });
        }
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_answer_is_cleared_up_by_the_same_key_where_keys_are_kept() -> Outcome {
    for kind in ["drop_after", "drop_before"] {
        play(async |stage| {
            let ann = stage.person("+61412345934", "starter", "ann").await?;
            let account = ann.browser.connect_at(MASTODON, SERVER, &[("account", "ann")]).await?;
            ann.browser.fault(MASTODON, &json!({ "kind": kind })).await?;
            let post = approved(&ann, &account, TEXT).await?;
            ann.browser.wait_for(&post, "unknown", SOON).await?;
            ann.browser.advance(UNTIL_SEARCH_SECS).await?;
            let story = ann.browser.wait_for(&post, "published", SOON).await?;
            let shown = ann.browser.on_platform(MASTODON, TEXT).await?;
            assert_eq!((shown.len(), &shown[0]["id"]), (1, &story["platform_post_id"]), "{kind}");
            let calls = ann.browser.platform_calls(MASTODON).await?;
            assert_eq!((&calls["publish"], &calls["list"]), (&json!(2), &json!(0)), "{kind}: the same call again, and no search");
            ann.has_quota([12, 1, 0, 11]).await?;
            ann.ledger_adds_up().await
        })
        .await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_answer_is_searched_where_nobody_says_that_keys_are_kept() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412345935", "starter", "ann").await?;
        let account = ann.browser.connect_at(MASTODON, OTHER_SOFTWARE, &[("account", "ann")]).await?;
        ann.browser.fault(MASTODON, &json!({ "kind": "drop_after" })).await?;
        let post = approved(&ann, &account, TEXT).await?;
        ann.browser.wait_for(&post, "unknown", SOON).await?;
        ann.browser.advance(UNTIL_SEARCH_SECS).await?;
        let story = ann.browser.wait_for(&post, "published", SOON).await?;
        let shown = ann.browser.on_platform(MASTODON, TEXT).await?;
        assert_eq!((shown.len(), &shown[0]["id"]), (1, &story["platform_post_id"]), "found by what its HTML says");
        let calls = ann.browser.platform_calls(MASTODON).await?;
        assert_eq!(
            (&calls["publish"], &calls["list"]),
            (&json!(1), &json!(2)),
            "nothing is sent again; the second page says that it is the end"
        );
        ann.has_quota([12, 1, 0, 11]).await?;
        ann.ledger_adds_up().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_grant_that_is_taken_back_at_the_server_holds_the_post_until_its_owner_connects_again() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412345936", "starter", "ann").await?;
        let account = ann.browser.connect_at(MASTODON, SERVER, &[("account", "ann")]).await?;
        ann.browser.fault(MASTODON, &json!({ "kind": "token_revoked", "account": "ann@mastodon.example" })).await?;
        let post = approved(&ann, &account, "Revoked").await?;
        let story = ann.browser.wait_for(&post, "held", SOON).await?;
        assert_eq!((&story["error"]["code"], &story["error"]["action"]), (&json!("reconnect_needed"), &json!("reconnect")));
        ann.has_quota([12, 0, 0, 12]).await?;
        // Whoever connects it anew need not name the server.
        let start = format!("/oauth/mastodon/start?return_to=/connections&reconnect={account}");
        let callback = ann.browser.consent_from(&start, "allow", &[("account", "ann")]).await?;
        let ended = ann.browser.get(&callback).await?.expect(303)?.location()?;
        assert!(ended.ends_with(&format!("/connections?connected={account}")), "{ended}");
        let post = approved(&ann, &account, "Reconnected").await?;
        ann.browser.wait_for(&post, "published", SOON).await?;
        // What its owner takes away here ends at the server, too.
        ann.browser.delete(&format!("/api/connections/{account}")).await?.expect(204)?;
        assert_eq!(ann.browser.platform_calls(MASTODON).await?["revoke"], 1);
        ann.ledger_adds_up().await
    })
    .await
}
