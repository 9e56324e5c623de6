//! Parts that fail, stop or come back: no approved post is lost, none goes out twice.

use cloud::vault::Vault;
use journeys::{SOON, Stage, UNTIL_SEARCH_SECS, play, play_disturbed};
use local::variables::tables;
use serde_json::{Value, json};

use crate::until;

type Outcome = anyhow::Result<()>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_stops_between_approval_and_arming_publishes_all_the_same() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412345621", "starter", "ann").await?;
        stage.fail("scheduler.CreateSchedule");
        let post = ann.approved_on_x("Unarmed", 300).await?;
        let cookie = ann.browser.cookie.clone();
        stage.restart().await;
        let mut browser = stage.browser();
        browser.cookie = cookie;
        // The sweeper finds it and arms it, long before its time.
        browser.advance(61).await?;
        assert_eq!(stage.calls("scheduler.CreateSchedule"), 1);
        browser.advance(240).await?;
        browser.wait_for(&post, "published", SOON).await?;
        assert_eq!(browser.on_platform("x", "Unarmed").await?.len(), 1);
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wake_up_that_was_never_sent_is_made_up_for_by_the_sweeper() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412345622", "starter", "ann").await?;
        stage.fail("sqs.SendMessage");
        let post = ann.approved_on_x("Unsent wake-up", 0).await?;
        stage.heal();
        ann.browser.advance(61).await?;
        ann.browser.wait_for(&post, "published", SOON).await?;
        assert_eq!(ann.times_on_x("Unsent wake-up").await?, 1);
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_post_that_nobody_could_send_in_time_is_missed_and_told_so() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412345623", "starter", "ann").await?;
        stage.fail("sqs.SendMessage");
        let post = ann.approved_on_x("Too late", 0).await?;
        stage.heal();
        ann.browser.advance(3_700).await?;
        let story = ann.browser.wait_for(&post, "missed", SOON).await?;
        assert_eq!((&story["error"]["code"], &story["error"]["action"]), (&json!("too_late"), &json!("edit")));
        assert_eq!(ann.times_on_x("Too late").await?, 0);
        ann.has_quota([12, 0, 0, 12]).await?;
        ann.ledger_adds_up().await?;
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_expired_token_is_refreshed_once_under_ten_wake_ups_at_once() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412345624", "professional", "ann").await?;
        let mut posts = Vec::new();
        for n in 0..10 {
            posts.push(ann.approved_on_x(&format!("After two hours {n}"), 7_500).await?);
        }
        ann.browser.advance(7_510).await?;
        for post in &posts {
            ann.browser.wait_for(post, "published", SOON).await?;
        }
        let calls = ann.browser.platform_calls("x").await?;
        assert_eq!((&calls["refresh"], &calls["publish"]), (&json!(1), &json!(10)));
        for n in 0..10 {
            assert_eq!(ann.times_on_x(&format!("After two hours {n}")).await?, 1);
        }
        ann.has_quota([52, 10, 0, 42]).await?;
        ann.ledger_adds_up().await?;
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_the_platform_refuses_early_is_refreshed_and_the_post_goes_out() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412345625", "starter", "ann").await?;
        ann.browser.fault("x", &json!({ "kind": "token_expired", "account": "ann" })).await?;
        let post = ann.approved_on_x("Refresh me", 0).await?;
        ann.browser.wait_for(&post, "published", SOON).await?;
        assert_eq!(ann.browser.platform_calls("x").await?["refresh"], 1);
        assert_eq!(ann.times_on_x("Refresh me").await?, 1);
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_that_are_gone_from_the_vault_hold_the_post_and_ask_for_a_reconnect() -> Outcome {
    play_disturbed(async |stage| {
        let ann = stage.person("+61412345629", "starter", "ann").await?;
        // Longer than any vault is behind.
        ann.browser.advance(120).await?;
        let aws = stage.service().aws();
        for name in aws.secret_names()?.into_iter().filter(|name| name.contains("/connection/")) {
            Vault::open(&aws.sdk_config(), "postledger").delete(&name).await?;
        }
        let post = ann.approved_on_x("Without tokens", 0).await?;
        let story = ann.browser.wait_for(&post, "held", SOON).await?;
        assert_eq!(story["error"]["code"], "reconnect_needed");
        let connections = ann.browser.get("/api/connections").await?.json;
        let x = connections["items"].as_array().and_then(|items| items.iter().find(|item| item["id"] == ann.x.as_str()));
        assert_eq!(x.map(|x| &x["health"]), Some(&json!("needs_reauth")), "no other post is let into the same failure");
        assert_eq!(ann.browser.connect("x", &[("account", "ann")], &[]).await?, std::slice::from_ref(&ann.x));
        let post = ann.approved_on_x("With new ones", 0).await?;
        ann.browser.wait_for(&post, "published", SOON).await?;
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revoked_grant_holds_the_post_asks_for_a_reconnect_and_takes_one() -> Outcome {
    for platform in ["x", "facebook"] {
        play(async |stage| {
            let ann = stage.person("+61412345626", "starter", "ann").await?;
            let connection = if platform == "x" { &ann.x } else { &ann.facebook };
            let account = if platform == "x" { "ann" } else { "Demo Bakery" };
            ann.browser.fault(platform, &json!({ "kind": "token_revoked", "account": account })).await?;
            let due = ann.browser.service_time(0).await?;
            let post = ann.browser.write("Revoked", &[connection], &due).await?.remove(0);
            ann.browser.approve(&post).await?;
            let story = ann.browser.wait_for(&post, "held", SOON).await?;
            assert_eq!((&story["error"]["code"], &story["error"]["action"]), (&json!("reconnect_needed"), &json!("reconnect")));
            ann.has_quota([12, 0, 0, 12]).await?;
            let connections = ann.browser.get("/api/connections").await?.json;
            let health =
                |id: &str| connections["items"].as_array().unwrap().iter().find(|item| item["id"] == id).unwrap()["health"].clone();
            assert_eq!(health(connection), "needs_reauth");

            let fields: &[(&str, &str)] = if platform == "x" { &[("account", "ann")] } else { &[] };
            let again = ann.browser.connect(platform, fields, &["Demo Bakery"]).await?;
            assert_eq!(again, std::slice::from_ref(connection), "the same account keeps its connection");
            let post = ann.browser.write("Reconnected", &[connection], &ann.browser.service_time(0).await?).await?.remove(0);
            ann.browser.approve(&post).await?;
            ann.browser.wait_for(&post, "published", SOON).await?;
            Ok(())
        })
        .await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_answers_of_our_own_database_change_nothing() -> Outcome {
    use embedded::Fault;
    for operation in ["PutItem", "TransactWriteItems", "UpdateItem"] {
        play(async |stage| {
            let ann = stage.person("+61412345627", "starter", "ann").await?;
            // Every first wire attempt lands and loses its answer; the client sends it again.
            let seen = std::sync::atomic::AtomicU64::new(0);
            stage.service().aws().on_call(Box::new(move |call| {
                let hit = call.service == "dynamodb" && call.operation == operation;
                (hit && seen.fetch_add(1, std::sync::atomic::Ordering::SeqCst).is_multiple_of(2)).then_some(Fault::LoseAnswerAfterApply)
            }));
            let post = ann.approved_on_x("Lost answers", 0).await?;
            ann.browser.wait_for(&post, "published", SOON).await?;
            stage.heal();
            assert_eq!(ann.times_on_x("Lost answers").await?, 1, "{operation}");
            assert_eq!(ann.browser.platform_calls("x").await?["publish"], 1, "{operation}");
            ann.has_quota([12, 1, 0, 11]).await?;
            ann.ledger_adds_up().await?;
            Ok(())
        })
        .await?;
    }
    Ok(())
}

/// Whether the row of a post's first try holds the word of a worker that could not write down its result.
fn has_word(stage: &Stage, post: &str) -> bool {
    let scan = json!({ "TableName": tables().posts, "ConsistentRead": true });
    let scanned = stage.service().aws().tables("Scan", &scan).unwrap_or_default();
    let is_first = |row: &&Value| row["sk"]["S"] == format!("POST#{post}#TRY#000001");
    scanned["Items"].as_array().into_iter().flatten().find(is_first).is_some_and(|row| row["late"].is_object())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_platform_has_said_outlives_a_worker_that_could_not_write_it_down() -> Outcome {
    for (fault, ends, used) in [(Some("reject"), "failed", 0), (None, "published", 1)] {
        play(async |stage| {
            let ann = stage.person("+61412345632", "starter", "ann").await?;
            let post = ann.written_on_x("Said and not stored", 0).await?;
            if let Some(kind) = fault {
                ann.browser.fault("x", &json!({ "kind": kind })).await?;
            }
            // The approval and the intent are stored. No other transaction is, until the worker dies.
            stage.fail_after("dynamodb.TransactWriteItems", 2);
            ann.browser.approve(&post).await?;
            until("the word is left", || has_word(stage, &post)).await?;
            let (cookie, csrf_token) = (ann.browser.cookie.clone(), ann.browser.csrf_token.clone());
            stage.restart().await;
            let mut browser = stage.browser();
            (browser.cookie, browser.csrf_token) = (cookie, csrf_token);
            browser.advance(UNTIL_SEARCH_SECS).await?;
            let story = browser.wait_for(&post, ends, SOON).await?;
            assert_eq!(story["attempts"][0]["outcome"], if used == 0 { "rejected" } else { "accepted" }, "{story:#}");
            assert_eq!(browser.quota().await?, [12, used, 0, 12 - used]);
            if used == 0 {
                assert_eq!(story["error"]["code"], "content_rejected");
            }
            // The message that the dead worker had comes back.
            browser.advance(361).await?;
            Ok(())
        })
        .await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_poisoned_message_harms_no_other_and_ends_in_the_dead_letter_queue() -> Outcome {
    play_disturbed(async |stage| {
        let ann = stage.person("+61412345628", "starter", "ann").await?;
        stage.enqueue("{\"not\": \"a wake-up\"}", 1).await?;
        let post = ann.approved_on_x("Unharmed", 0).await?;
        ann.browser.wait_for(&post, "published", SOON).await?;
        for _ in 0..6 {
            ann.browser.advance(361).await?;
        }
        assert_eq!(stage.queue_at_rest().await?, 1);
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_that_come_back_from_the_dead_letters_go_the_way_of_all_others() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412345629", "starter", "ann").await?;
        let published = ann.approved_on_x("Out already", 0).await?;
        ann.browser.wait_for(&published, "published", SOON).await?;
        // Its own wake-up was lost: what comes back is the first that the publisher hears of it.
        stage.fail("sqs.SendMessage");
        let due = ann.approved_on_x("Due, and never woken", 0).await?;
        let missed = ann.approved_on_x("Too late by then", 0).await?;
        stage.heal();
        let user = ann.id().await?;
        for post in [&published, &due] {
            stage.wake(&ann.browser.post_story(post).await?, &user, 2).await?;
        }
        ann.browser.wait_for(&due, "published", SOON).await?;
        ann.browser.advance(3 * 24 * 3_600).await?;
        stage.wake(&ann.browser.post_story(&missed).await?, &user, 1).await?;
        ann.browser.wait_for(&missed, "missed", SOON).await?;
        stage.queue_at_rest().await?;
        assert_eq!(ann.browser.platform_calls("x").await?["publish"], 2);
        ann.has_quota([12, 2, 0, 10]).await?;
        ann.ledger_adds_up().await?;
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_loses_nothing() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412345629", "starter", "ann").await?;
        let later = ann.approved_on_x("After the restart", 300).await?;
        let draft = ann.written_on_x("Still a draft", 600).await?;
        let before = (ann.browser.get("/api/user/status").await?.json, ann.browser.history().await?);
        stage.restart().await;
        let mut browser = stage.browser();
        (browser.cookie, browser.csrf_token) = (ann.browser.cookie.clone(), ann.browser.csrf_token.clone());
        let after = (browser.get("/api/user/status").await?.json, browser.history().await?);
        assert_eq!(before, after);
        assert_eq!(browser.post_story(&draft).await?["status"], "draft");
        browser.advance(301).await?;
        browser.wait_for(&later, "published", SOON).await?;
        assert_eq!(browser.on_platform("x", "After the restart").await?.len(), 1);
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cycle_that_ends_is_closed_and_the_next_holds_a_full_quota() -> Outcome {
    play(async |stage| {
        let mut ann = stage.person("+61412345630", "starter", "ann").await?;
        let post = ann.approved_on_x("In the first cycle", 0).await?;
        ann.browser.wait_for(&post, "published", SOON).await?;
        // Three cycles late: the job closes three and opens three.
        ann.browser.advance(95 * 24 * 3_600).await?;
        ann.browser.sign_in("+61412345630").await?;
        ann.has_quota([12, 0, 0, 12]).await?;
        let reasons: Vec<_> = ann.browser.history().await?.iter().map(|row| row["change_reason"].as_str().unwrap().to_owned()).collect();
        assert_eq!(reasons.iter().filter(|reason| *reason == "cycle_closed").count(), 3, "{reasons:?}");
        assert_eq!(reasons.iter().filter(|reason| *reason == "cycle_opened").count(), 3, "{reasons:?}");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_that_vanished_from_the_vault_hold_the_post_and_end_its_search() -> Outcome {
    play_disturbed(async |stage| {
        let ann = stage.person("+61412345631", "starter", "ann").await?;
        ann.browser.fault("x", &json!({ "kind": "drop_before" })).await?;
        let sent = ann.approved_on_x("Sent, then the vault was emptied", 0).await?;
        ann.browser.wait_for(&sent, "unknown", SOON).await?;
        let vault = cloud::vault::Vault::open(&stage.service().aws().sdk_config(), "postledger/local");
        for connection in [&ann.x, &ann.facebook] {
            vault.delete(&vault.connection_secret(&serde_json::from_value(json!(connection))?)).await?;
        }
        let due = ann.browser.service_time(0).await?;
        let unsent = ann.browser.write("Never sent", &[&ann.facebook], &due).await?.remove(0);
        ann.browser.approve(&unsent).await?;
        // A vault may be a moment behind: only after a while are the tokens taken for gone.
        ann.browser.wait_for(&unsent, "scheduled", SOON).await?;
        ann.browser.advance(130).await?;
        let story = ann.browser.wait_for(&unsent, "held", SOON).await?;
        assert_eq!(story["error"]["code"], "reconnect_needed");
        // The other account's were read before, and are remembered for five minutes: one search is made with them, and no second one.
        assert_eq!(ann.browser.post_story(&sent).await?["status"], "unknown");
        ann.browser.advance(600).await?;
        ann.browser.wait_for(&sent, "needs_review", SOON).await?;
        Ok(())
    })
    .await
}
