//! A platform, a table or the vault is down while an account is connected: nothing is half made, and what works goes on working.

use journeys::{SOON, play};
use serde_json::json;

use super::steps::{Outcome, calls, connections, consented, ended, secrets, somebody};

const X: &str = "/oauth/x/start?return_to=/connections";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_down_before_the_code_is_used_costs_another_click_and_no_consent() -> Outcome {
    play(async |stage| {
        let ann = somebody(stage, "+61412345731").await?;
        let callback = ann.consent_until_callback("x", "allow", &[]).await?;
        for operation in ["dynamodb.GetItem", "secretsmanager.GetSecretValue", "dynamodb.UpdateItem"] {
            stage.fail(operation);
            let down = ann.get(&callback).await?.expect(503)?;
            assert_eq!(down.json["code"], "unavailable", "{operation}");
            stage.heal();
        }
        assert_eq!(calls(&ann, "x", "exchange").await?, 0);
        assert!(ended(&ann, &callback).await?.starts_with("/connections?connected="));
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_platform_that_fails_at_the_exchange_connects_nothing_and_is_not_asked_twice() -> Outcome {
    play(async |stage| {
        let ann = somebody(stage, "+61412345732").await?;
        for (platform, on) in [("x", "exchange"), ("x", "identity"), ("facebook", "exchange"), ("facebook", "identity")] {
            for kind in ["drop_before", "drop_after", "cut_after", "error_before", "error_after", "rate_limited"] {
                let callback = ann.consent_until_callback(platform, "allow", &[]).await?;
                ann.fault(platform, &json!({ "kind": kind, "on": on })).await?;
                assert_eq!(ended(&ann, &callback).await?, "/connections?error=exchange_failed", "{kind} on {on} of {platform}");
                let asked = calls(&ann, platform, "exchange").await?;
                assert_eq!(ended(&ann, &callback).await?, "/connections?error=exchange_failed", "{kind} on {on} of {platform}");
                assert_eq!(calls(&ann, platform, "exchange").await?, asked);
            }
        }
        assert!(connections(&ann).await?.is_empty());
        assert_eq!((secrets(stage, "/connection/")?, secrets(stage, "/choice/")?), (0, 0));
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_kept_is_not_half_kept_and_its_tokens_leave_the_vault() -> Outcome {
    play(async |stage| {
        let ann = somebody(stage, "+61412345733").await?;
        for operation in ["secretsmanager.CreateSecret", "dynamodb.TransactWriteItems", "dynamodb.PutItem"] {
            let callback = ann.consent_until_callback("x", "allow", &[]).await?;
            stage.fail(operation);
            assert_eq!(ended(&ann, &callback).await?, "/connections?error=exchange_failed", "{operation}");
            stage.heal();
            assert!(connections(&ann).await?.is_empty(), "{operation}");
        }
        assert_eq!(secrets(stage, "/connection/")?, 1, "the one whose row was not stored");
        let callback = ann.consent_until_callback("x", "allow", &[]).await?;
        assert!(ended(&ann, &callback).await?.starts_with("/connections?connected="));
        ann.advance(3_700).await?;
        assert_eq!(secrets(stage, "/connection/")?, 1, "only what a row names");
        let kept = connections(&ann).await?.remove(0);
        assert!(stage.service().aws().secret_names()?.iter().any(|name| kept["id"].as_str().is_some_and(|id| name.ends_with(id))));
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consent_whose_worker_stopped_is_over_and_its_code_is_never_used_again() -> Outcome {
    play(async |stage| {
        let ann = somebody(stage, "+61412345736").await?;
        let callback = ann.consent_until_callback("x", "allow", &[]).await?;
        // The flow is taken, and then nothing more is heard of it.
        let seen = std::sync::atomic::AtomicBool::new(false);
        stage.service().aws().on_call(Box::new(move |call| {
            let noting = call.operation == "UpdateItem" && seen.swap(true, std::sync::atomic::Ordering::SeqCst);
            (noting || call.operation == "CreateSecret").then_some(embedded::Fault::FailBefore)
        }));
        assert_eq!(ended(&ann, &callback).await?, "/connections?error=exchange_failed");
        stage.heal();
        ann.advance(31).await?;
        assert_eq!(ended(&ann, &callback).await?, "/connections?error=exchange_failed");
        assert_eq!(calls(&ann, "x", "exchange").await?, 1);
        assert!(connections(&ann).await?.is_empty());
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reconnect_that_fails_leaves_what_works() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412345734", "starter", "ann").await?;
        let before = connections(&ann.browser).await?;
        for (n, operation) in ["secretsmanager.PutSecretValue", "dynamodb.TransactWriteItems"].into_iter().enumerate() {
            let callback = ann.browser.consent_from(&format!("{X}&reconnect={}", ann.x), "allow", &[("account", "ann")]).await?;
            stage.fail(operation);
            assert_eq!(ended(&ann.browser, &callback).await?, "/connections?error=exchange_failed", "{operation}");
            stage.heal();
            assert_eq!(connections(&ann.browser).await?, before, "{operation}");
            let text = format!("Works all the same {n}");
            let post = ann.approved_on_x(&text, 0).await?;
            ann.browser.wait_for(&post, "published", SOON).await?;
        }
        for kind in ["error_before", "drop_after"] {
            ann.browser.fault("x", &json!({ "kind": kind, "on": "exchange" })).await?;
            let shown = consented(&ann.browser, &format!("{X}&reconnect={}", ann.x), &[("account", "ann")]).await?;
            assert_eq!(shown, "/connections?error=exchange_failed");
        }
        assert_eq!(connections(&ann.browser).await?, before);
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_answers_of_tables_and_vault_change_nothing_for_a_consent() -> Outcome {
    use embedded::Fault;
    for operation in [
        "dynamodb.PutItem",
        "dynamodb.UpdateItem",
        "dynamodb.TransactWriteItems",
        "secretsmanager.CreateSecret",
        "secretsmanager.PutSecretValue",
    ] {
        play(async |stage| {
            let ann = somebody(stage, "+61412345735").await?;
            // Every first wire attempt lands and loses its answer; the client sends it again.
            let seen = std::sync::atomic::AtomicU64::new(0);
            stage.service().aws().on_call(Box::new(move |call| {
                let hit = format!("{}.{}", call.service, call.operation) == operation;
                (hit && seen.fetch_add(1, std::sync::atomic::Ordering::SeqCst).is_multiple_of(2)).then_some(Fault::LoseAnswerAfterApply)
            }));
            let first = consented(&ann, X, &[("account", "ann")]).await?;
            assert!(first.starts_with("/connections?connected="), "{operation}: {first}");
            assert_eq!(consented(&ann, X, &[("account", "ann")]).await?, first, "{operation}");
            let pages = ann.connect("facebook", &[], &[]).await?;
            assert_eq!((pages.len(), connections(&ann).await?.len()), (2, 3), "{operation}");
            assert_eq!((secrets(stage, "/connection/")?, secrets(stage, "/choice/")?), (3, 0), "{operation}");
            Ok(())
        })
        .await?;
    }
    Ok(())
}
