//! Calls that are in order, but for one thing that their caller cannot see: refused with the contract's code, and nothing is written.

use journeys::{play, play_with};
use security::attack::{attack, run};
use security::scene::Scene;
use security::scene::Who::{Ann, Eve};
use security::tell;
use serde_json::json;

type Outcome = anyhow::Result<()>;

const DAY_SECS: i64 = 24 * 3_600;
/// What a cycle of Ann's plan holds.
const QUOTA: usize = 12;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_without_a_price_is_not_sold() -> Outcome {
    play_with(&[("STRIPE_PRICES", "starter=price_starter")], async |stage| {
        let scene = Scene::set(stage).await?;
        let buy = attack("a plan without a price", Ann, "POST", "/api/billing/checkout").json(r#"{"plan":"professional"}"#);
        tell(run(&scene, &[buy.gets(422, "validation_failed").naming("not_for_sale")]).await?, "attack rows on what is not for sale");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_goes_on_from_a_place_of_its_own_and_from_no_other() -> Outcome {
    play(async |stage| {
        let scene = Scene::set(stage).await?;
        let export = |what: &str, query: &str| attack(what, Eve, "GET", format!("/api/export/posts.csv?{query}"));
        let rows = [
            export("another's place", "cursor={posts_cursor}").gets(400, "invalid_cursor"),
            export("another's place in another list", "cursor={history_cursor}").gets(400, "invalid_cursor"),
            export("a place in another list", "cursor={eves_history}").gets(400, "invalid_cursor"),
            export("another's id", "user_id={user}").gets(400, "malformed_request"),
            export("another's id beside a place", "cursor={eves_cursor}&user_id={user}").gets(400, "malformed_request"),
            export("her own place", "cursor={eves_cursor}").is_harmless(200),
            attack("another's id for her cycles", Eve, "GET", "/api/export/cycles.csv?user_id={user}").gets(400, "malformed_request"),
        ];
        tell(run(&scene, &rows).await?, "attack rows on files");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edit_into_a_full_cycle_leaves_the_post_and_its_place_as_they_were() -> Outcome {
    play(async |stage| {
        let mut scene = Scene::set(stage).await?;
        let (browser, x) = (scene.ann.browser.clone(), scene.ann.x.clone());
        let later = browser.service_time(40 * DAY_SECS).await?;
        let mut last = String::new();
        for n in 0..QUOTA {
            last = browser.write(&format!("In the next cycle, {n}"), &[&x], &later).await?.remove(0);
            browser.approve(&last).await?;
        }
        let path = format!("/api/posts/{}", scene.names["scheduled"]);
        let version = format!("\"{}\"", browser.get(&path).await?.expect(200)?.json["version"]);
        scene.names.extend([("later", later.clone()), ("version", version.clone())]);
        let edit = |what: &str, body: &str| {
            attack(what, Ann, "PATCH", "/api/posts/{scheduled}").with("if-match", "{version}").json(body).gets(409, "quota_exhausted")
        };
        let rows = [
            edit("another time", r#"{"scheduled_for":"{later}"}"#),
            edit("another time and another text", r#"{"scheduled_for":"{later}","content":"Another text"}"#),
        ];
        tell(run(&scene, &rows).await?, "attack rows on a full cycle");
        // It was the place alone that was missing.
        browser.post(&format!("/api/posts/{last}/cancel"), None).await?.expect(200)?;
        browser.patch(&path, &version, &json!({ "scheduled_for": later })).await?.expect(200)?;
        Ok(())
    })
    .await
}
