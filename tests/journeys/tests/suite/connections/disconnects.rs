//! Disconnecting: at once, or after what is in flight; for oneself, and once.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use embedded::Fault;
use futures::future::try_join_all;
use journeys::{SOON, UNTIL_SEARCH_SECS, play};
use local::Browser;
use serde_json::json;

use super::steps::{Outcome, calls, connections, ended, id_in, secrets, somebody};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disconnect_waits_for_the_post_that_is_in_flight() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412345741", "starter", "ann").await?;
        ann.browser.fault("x", &json!({ "kind": "drop_after" })).await?;
        let post = ann.approved_on_x("In flight", 0).await?;
        ann.browser.wait_for(&post, "unknown", SOON).await?;
        let waiting = ann.approved_on_x("Not begun", 3_000).await?;
        let path = format!("/api/connections/{}", ann.x);
        for _ in 0..2 {
            ann.browser.delete(&path).await?.expect(202)?;
            let standing = connections(&ann.browser).await?;
            let leaving = standing.iter().find(|connection| connection["id"] == ann.x.as_str()).cloned().unwrap_or_default();
            assert_eq!((&leaving["health"], &leaving["is_active"]), (&json!("disconnecting"), &json!(false)));
        }
        let story = ann.browser.post_story(&waiting).await?;
        assert_eq!((&story["status"], &story["error"]["code"]), (&json!("held"), &json!("connection_gone")));
        assert_eq!(calls(&ann.browser, "x", "revoke").await?, 0);
        ann.browser.advance(UNTIL_SEARCH_SECS).await?;
        ann.browser.wait_for(&post, "published", SOON).await?;
        ann.browser.delete(&path).await?.expect(204)?;
        ann.browser.delete(&path).await?.expect(404)?;
        assert_ne!(calls(&ann.browser, "x", "revoke").await?, 0);
        ann.browser.advance(3_000).await?;
        assert_eq!(ann.browser.post_story(&waiting).await?["status"], "held", "it has an hour after its time, as any other");
        assert_eq!((ann.times_on_x("In flight").await?, ann.times_on_x("Not begun").await?), (1, 0));
        ann.has_quota([12, 1, 0, 11]).await?;
        Ok(())
    })
    .await
}

/// What a claim does to it: the claim's transaction holds the connection's row for a moment.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disconnect_whose_writes_each_meet_a_transaction_ends_all_the_same() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412345796", "starter", "ann").await?;
        let met = Mutex::new(BTreeMap::new());
        stage.service().aws().on_call(Box::new(move |call| {
            let is_write = ["PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems"].contains(&call.operation.as_str());
            let mut met = met.lock().unwrap_or_else(PoisonError::into_inner);
            let meets = met.entry(call.operation.clone()).or_insert(false);
            *meets = is_write && !*meets;
            meets.then_some(Fault::Conflict)
        }));
        ann.browser.delete(&format!("/api/connections/{}", ann.x)).await?.expect(204)?;
        assert!(stage.calls("dynamodb.UpdateItem") >= 2, "a write met a transaction, and was made again");
        stage.heal();
        assert_eq!(connections(&ann.browser).await?.len(), 1);
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_twenty_disconnects_at_once_one_ends_it() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412345742", "starter", "ann").await?;
        let eve = somebody(stage, "+61412345743").await?;
        let path = format!("/api/connections/{}", ann.x);
        assert_eq!(eve.delete(&path).await?.expect(404)?.json["code"], "not_found");
        let rush = try_join_all((0..20).map(|_| ann.browser.delete(&path))).await?;
        let count = |status: u16| rush.iter().filter(|reply| reply.status == status).count();
        assert_eq!((count(204), count(202) + count(404)), (1, 19), "{:?}", rush.iter().map(|reply| reply.status).collect::<Vec<_>>());
        assert_eq!(connections(&ann.browser).await?.len(), 1);
        assert_eq!(secrets(stage, "/connection/")?, 1);
        assert_eq!(calls(&ann.browser, "x", "revoke").await?, 2, "the refresh token and the access token, each once");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_platform_that_is_down_keeps_nobody_connected() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412345744", "starter", "ann").await?;
        ann.browser.fault("x", &json!({ "kind": "error_before", "on": "revoke", "times": 10 })).await?;
        ann.browser.delete(&format!("/api/connections/{}", ann.x)).await?.expect(204)?;
        assert_eq!(secrets(stage, "/connection/")?, 1, "our tokens are gone all the same");
        let again = ann.browser.connect("x", &[("account", "ann")], &[]).await?;
        assert_eq!(again[0], ann.x, "the same account has the same connection");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_of_one_person_that_leave_at_once_take_the_grant_back() -> Outcome {
    play(async |stage| {
        let ann = somebody(stage, "+61412345745").await?;
        let pages = ann.connect("facebook", &[], &[]).await?;
        let paths: Vec<_> = pages.iter().map(|id| format!("/api/connections/{id}")).collect();
        let both = try_join_all(paths.iter().map(|path| ann.delete(path))).await?;
        assert!(both.iter().all(|reply| reply.status == 204), "{both:?}");
        assert_ne!(calls(&ann, "facebook", "revoke").await?, 0, "at least the last one sees that nobody is left");
        assert_eq!(secrets(stage, "/connection/")?, 0);

        // One of two leaves: the other Page goes on.
        let pages = ann.connect("facebook", &[], &[]).await?;
        let revoked = calls(&ann, "facebook", "revoke").await?;
        ann.delete(&format!("/api/connections/{}", pages[0])).await?.expect(204)?;
        assert_eq!(calls(&ann, "facebook", "revoke").await?, revoked);
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disconnect_that_nobody_repeats_is_finished_for_them() -> Outcome {
    play(async |stage| {
        // Once because a post was in flight, and once because the call stopped half-way.
        let ann = stage.person("+61412345746", "starter", "ann").await?;
        ann.browser.fault("x", &json!({ "kind": "drop_after" })).await?;
        let post = ann.approved_on_x("In flight", 0).await?;
        ann.browser.wait_for(&post, "unknown", SOON).await?;
        ann.browser.delete(&format!("/api/connections/{}", ann.x)).await?.expect(202)?;
        stage.fail("secretsmanager.DeleteSecret");
        ann.browser.delete(&format!("/api/connections/{}", ann.facebook)).await?.expect(503)?;
        stage.heal();
        assert_eq!(connections(&ann.browser).await?.len(), 2);
        ann.browser.advance(UNTIL_SEARCH_SECS).await?;
        ann.browser.wait_for(&post, "published", SOON).await?;
        ann.browser.advance(3_700).await?;
        assert!(connections(&ann.browser).await?.is_empty());
        assert_eq!(secrets(stage, "/connection/")?, 0);
        assert_ne!(calls(&ann.browser, "x", "revoke").await?, 0);
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_connected_again_or_still_needed_is_not_taken_down() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412345747", "starter", "ann").await?;
        stage.fail("secretsmanager.DeleteSecret");
        ann.browser.delete(&format!("/api/connections/{}", ann.facebook)).await?.expect(503)?;
        stage.heal();
        ann.browser.advance(70).await?;
        let again = ann.browser.connect("facebook", &[], &["Demo Bakery"]).await?;
        assert_eq!(again[0], ann.facebook, "under the id that it had");
        // The search finds nothing, and goes on for more than an hour.
        ann.browser.fault("x", &json!({ "kind": "drop_before" })).await?;
        let post = ann.approved_on_x("Lost", 0).await?;
        ann.browser.wait_for(&post, "unknown", SOON).await?;
        ann.browser.delete(&format!("/api/connections/{}", ann.x)).await?.expect(202)?;
        for _ in 0..3 {
            ann.browser.advance(1_230).await?;
        }
        assert_eq!(ann.browser.post_story(&post).await?["status"], "unknown");
        let standing = connections(&ann.browser).await?;
        let health = |id: &str| standing.iter().find(|connection| connection["id"] == id).map(|connection| connection["health"].clone());
        assert_eq!((health(&ann.x), health(&ann.facebook)), (Some(json!("disconnecting")), Some(json!("ok"))));
        for _ in 0..3 {
            ann.browser.advance(4_000).await?;
        }
        ann.browser.wait_for(&post, "needs_review", SOON).await?;
        ann.browser.advance(4_000).await?;
        assert_eq!(connections(&ann.browser).await?.len(), 1);
        Ok(())
    })
    .await
}

/// Posts to a Page at once.
async fn posts(browser: &Browser, page: &str, text: &str) -> Outcome {
    let post = browser.write(text, &[page], &browser.service_time(0).await?).await?.remove(0);
    browser.approve(&post).await?;
    browser.wait_for(&post, "published", SOON).await.map(drop)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disconnect_ends_no_grant_that_another_customer_is_about_to_have() -> Outcome {
    play(async |stage| {
        let (ann, bob) = (somebody(stage, "+61412345748").await?, somebody(stage, "+61412345749").await?);
        bob.redeem("starter").await?;
        // Bob has been asked which Page he wants when Ann leaves.
        let anns = ann.connect("facebook", &[], &["Demo Bakery"]).await?.remove(0);
        let choice = bob.consent("facebook", "allow", &[]).await?;
        let choice = choice.query_pairs().next().map(|(_, id)| id.into_owned()).unwrap_or_default();
        ann.delete(&format!("/api/connections/{anns}")).await?.expect(204)?;
        assert_eq!(calls(&ann, "facebook", "revoke").await?, 0);
        let path = format!("/api/connections/choices/{choice}");
        let account = bob.get(&path).await?.expect(200)?.str("/accounts/0/account_id")?;
        let made = bob.post(&path, Some(&json!({ "account_ids": [account] }))).await?.expect(201)?;
        let bobs = made.str("/items/0/id")?;
        posts(&bob, &bobs, "Chosen").await?;
        bob.delete(&format!("/api/connections/{bobs}")).await?.expect(204)?;
        assert_eq!(calls(&ann, "facebook", "revoke").await?, 1, "a choice that is made holds nothing any more");

        // Bob's code is being exchanged when Ann leaves.
        let anns = ann.connect("facebook", &[], &["Demo Bakery"]).await?.remove(0);
        let callback = bob.consent_until_callback("facebook", "allow", &[("page", "100000000000001")]).await?;
        let before = calls(&ann, "facebook", "exchange").await?;
        ann.fault("facebook", &json!({ "kind": "slow", "on": "exchange", "seconds": 1 })).await?;
        let leaves = async {
            let until = Instant::now() + SOON;
            while calls(&ann, "facebook", "exchange").await? == before && Instant::now() < until {
                tokio::task::yield_now().await;
            }
            ann.delete(&format!("/api/connections/{anns}")).await
        };
        let (shown, left) = tokio::join!(ended(&bob, &callback), leaves);
        let left = left?;
        assert!(left.status == 204 || left.status == 202, "{}", left.status);
        let bobs = id_in(&shown?, "connected");
        posts(&bob, &bobs, "Exchanged").await?;
        assert_eq!(calls(&ann, "facebook", "revoke").await?, 1);
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_comes_of_a_disconnect_and_a_consent_at_once_nobody_has_a_dead_connection() -> Outcome {
    play(async |stage| {
        let (ann, bob) = (somebody(stage, "+61412345751").await?, somebody(stage, "+61412345752").await?);
        bob.redeem("professional").await?;
        for round in 0..12 {
            let anns = ann.connect("facebook", &[], &["Demo Bakery"]).await?.remove(0);
            let callback = bob.consent_until_callback("facebook", "allow", &[("page", "100000000000001")]).await?;
            let path = format!("/api/connections/{anns}");
            let (shown, left) = tokio::join!(ended(&bob, &callback), ann.delete(&path));
            if left?.status == 202 {
                ann.advance(60).await?;
                ann.delete(&path).await?;
            }
            let shown = shown?;
            if shown.contains("connected=") {
                let bobs = id_in(&shown, "connected");
                posts(&bob, &bobs, &format!("Round {round}")).await?;
                bob.delete(&format!("/api/connections/{bobs}")).await?.expect(204)?;
            } else {
                // The grant had ended before the code came: he is told, and clicks again.
                assert_eq!(shown, "/connections?error=exchange_failed", "round {round}");
            }
        }
        Ok(())
    })
    .await
}
