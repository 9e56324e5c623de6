//! One consent brought several accounts: one choice, one answer.

use futures::future::try_join_all;
use journeys::play;
use local::Browser;
use serde_json::{Value, json};

use super::steps::{Outcome, connections, consented, id_in, no_token, secrets, somebody};

const BAKERY: &str = "100000000000001";
const GARDEN: &str = "100000000000002";

async fn choice(browser: &Browser) -> anyhow::Result<String> {
    let shown = consented(browser, "/oauth/facebook/start?return_to=/connections", &[]).await?;
    Ok(format!("/api/connections/choices/{}", id_in(&shown, "choose")))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_twenty_choices_at_once_one_connects_and_all_answer_the_same() -> Outcome {
    play(async |stage| {
        let ann = somebody(stage, "+61412345721").await?;
        let path = choice(&ann).await?;
        let bodies = [json!({ "account_ids": [BAKERY, GARDEN] }), json!({ "account_ids": [GARDEN, BAKERY] })];
        let made = stage.calls("secretsmanager.CreateSecret");
        let rush = try_join_all((0..20).map(|n| ann.post(&path, Some(&bodies[n % 2])))).await?;
        assert_eq!(stage.calls("secretsmanager.CreateSecret") - made, 2, "each account is connected by one");
        let standing = connections(&ann).await?;
        assert_eq!(standing.len(), 2);
        for reply in rush {
            no_token(&reply.text);
            let items = reply.expect(201)?.json["items"].as_array().cloned().unwrap_or_default();
            let mut ids: Vec<_> = items.iter().map(|item| item["id"].as_str().unwrap_or_default().to_owned()).collect();
            ids.sort();
            assert_eq!(ids, standing.iter().map(|item| item["id"].as_str().unwrap_or_default()).collect::<Vec<_>>());
        }
        assert_eq!((secrets(stage, "/connection/")?, secrets(stage, "/choice/")?), (2, 0), "nothing is left in the vault");
        let again = ann.post(&path, Some(&bodies[0])).await?.expect(201)?;
        assert_eq!(again.json["items"].as_array().map(Vec::len), Some(2));
        let other = ann.post(&path, Some(&json!({ "account_ids": [BAKERY] }))).await?.expect(409)?;
        assert_eq!(other.json["code"], "state_conflict");
        assert_eq!(connections(&ann).await?, standing);
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_choice_takes_what_was_offered_from_whom_it_was_offered_to_in_time() -> Outcome {
    play(async |stage| {
        let ann = somebody(stage, "+61412345722").await?;
        let eve = somebody(stage, "+61412345723").await?;
        let path = choice(&ann).await?;
        let offered = ann.get(&path).await?.expect(200)?;
        no_token(&offered.text);
        assert_eq!(offered.json["platform"], "facebook");
        assert_eq!(offered.json["accounts"][1], json!({ "account_id": GARDEN, "username": "Demo Garden", "kind": "page" }));
        let many: Vec<_> = (0..100_000).map(|number| number.to_string()).collect();
        let wrong: [(Value, &str, &str); 6] = [
            (json!([]), "/account_ids", "accounts_count"),
            (json!([BAKERY, BAKERY]), "/account_ids", "accounts_count"),
            (json!([BAKERY, GARDEN, BAKERY]), "/account_ids", "accounts_count"),
            (json!(many), "/account_ids", "accounts_count"),
            (json!([BAKERY, "100000000000003"]), "/account_ids/1", "account_unknown"),
            (json!([""]), "/account_ids/0", "account_unknown"),
        ];
        for (ids, pointer, code) in wrong {
            let refused = ann.post(&path, Some(&json!({ "account_ids": ids }))).await?.expect(422)?;
            assert_eq!((&refused.json["errors"][0]["pointer"], &refused.json["errors"][0]["code"]), (&json!(pointer), &json!(code)));
        }
        ann.post(&path, Some(&json!({ "account_ids": [BAKERY], "all": true }))).await?.expect(400)?;
        let body = json!({ "account_ids": [BAKERY] });
        assert_eq!(eve.get(&path).await?.expect(404)?.json["code"], "not_found");
        assert_eq!(eve.post(&path, Some(&body)).await?.expect(404)?.json["code"], "not_found");
        for id in ["01ARZ3NDEKTSV4RRFFQ69G5FAV", "nothing"] {
            ann.get(&format!("/api/connections/choices/{id}")).await?.expect(404)?;
        }
        assert!(connections(&ann).await?.is_empty());
        ann.advance(900).await?;
        ann.get(&path).await?.expect(404)?;
        ann.post(&path, Some(&body)).await?.expect(404)?;
        assert!(connections(&ann).await?.is_empty() && connections(&eve).await?.is_empty());
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_choice_that_stopped_half_way_is_finished_by_the_same_call() -> Outcome {
    play(async |stage| {
        let ann = somebody(stage, "+61412345724").await?;
        let path = choice(&ann).await?;
        let body = json!({ "account_ids": [BAKERY, GARDEN] });
        for operation in ["secretsmanager.GetSecretValue", "secretsmanager.CreateSecret", "dynamodb.TransactWriteItems"] {
            stage.fail(operation);
            let stopped = ann.post(&path, Some(&body)).await?.expect(503)?;
            assert_eq!(stopped.json["code"], "unavailable", "{operation}");
            stage.heal();
        }
        let made = ann.post(&path, Some(&body)).await?.expect(201)?;
        assert_eq!(made.json["items"].as_array().map(Vec::len), Some(2));
        assert_eq!(connections(&ann).await?.len(), 2);
        assert_eq!((secrets(stage, "/connection/")?, secrets(stage, "/choice/")?), (2, 0), "under the names of the first try");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_choice_that_nobody_makes_leaves_the_vault() -> Outcome {
    play(async |stage| {
        let ann = somebody(stage, "+61412345725").await?;
        choice(&ann).await?;
        ann.advance(1_800).await?;
        assert_eq!(secrets(stage, "/choice/")?, 1, "an hour is left to whoever may still be at it");
        ann.advance(1_900).await?;
        assert_eq!(secrets(stage, "/choice/")?, 0);
        Ok(())
    })
    .await
}
