//! LinkedIn: organizations whose posts can be read, and people whose posts nobody may read.

use journeys::{Person, SOON, Stage, UNTIL_SEARCH_SECS, play, play_disturbed};
use serde_json::{Value, json};

type Outcome = anyhow::Result<()>;

const LINKEDIN: &str = "linkedin";

/// The person's own account.
async fn member(person: &Person) -> anyhow::Result<String> {
    Ok(person.browser.connect(LINKEDIN, &[("organization", "none")], &[]).await?.remove(0))
}

async fn approved(person: &Person, account: &str, text: &str) -> anyhow::Result<String> {
    let due = person.browser.service_time(0).await?;
    let post = person.browser.write(text, &[account], &due).await?.remove(0);
    person.browser.approve(&post).await?;
    Ok(post)
}

/// A post whose answer is lost, of which its owner says that they did not find it.
async fn not_found(stage: &Stage, person: &Person, account: &str, (text, kind): (&str, &str)) -> anyhow::Result<String> {
    person.browser.fault(LINKEDIN, &json!({ "kind": kind })).await?;
    let post = approved(person, account, text).await?;
    person.browser.wait_for(&post, "unknown", SOON).await?;
    person.browser.advance(UNTIL_SEARCH_SECS).await?;
    stage.queue_at_rest().await?;
    person.browser.wait_for(&post, "needs_review", SOON).await?;
    person.browser.post(&format!("/api/posts/{post}/resolve"), Some(&json!({ "outcome": "not_published" }))).await?.expect(200)?;
    Ok(post)
}

async fn retry(person: &Person, post: &str) -> anyhow::Result<Value> {
    Ok(person.browser.post(&format!("/api/posts/{post}/retry"), None).await?.expect(200)?.json)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_members_post_that_its_owner_did_not_find_is_the_one_that_the_retry_meets() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412345921", "starter", "ann").await?;
        let account = member(&ann).await?;
        let text = "Did you (all) get this?";
        let post = not_found(stage, &ann, &account, (text, "drop_after")).await?;
        let calls = ann.browser.platform_calls(LINKEDIN).await?;
        assert_eq!((&calls["publish"], &calls["list"]), (&json!(1), &json!(0)), "nothing can be read, and nothing is sent again by itself");
        retry(&ann, &post).await?;
        let story = ann.browser.wait_for(&post, "published", SOON).await?;
        let shown = ann.browser.on_platform(LINKEDIN, text).await?;
        assert_eq!((shown.len(), &shown[0]["id"]), (1, &story["platform_post_id"]));
        let id = shown[0]["id"].as_str().unwrap();
        assert_eq!(story["platform_url"], format!("https://www.linkedin.com/feed/update/{id}/"));
        assert_eq!(story["attempts"].as_array().unwrap().last().unwrap()["outcome"], "found");
        ann.has_quota([12, 1, 0, 11]).await?;
        // A second one of the same text cannot have it, too.
        let twin = not_found(stage, &ann, &account, (text, "drop_before")).await?;
        retry(&ann, &twin).await?;
        ann.browser.wait_for(&twin, "unknown", SOON).await?;
        ann.browser.advance(UNTIL_SEARCH_SECS).await?;
        stage.queue_at_rest().await?;
        assert_eq!(ann.browser.wait_for(&twin, "needs_review", SOON).await?["error"]["action"], "check_platform");
        ann.has_quota([12, 1, 1, 10]).await?;
        ann.ledger_adds_up().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_lost_posts_of_a_member_none_is_the_one_that_a_retry_meets() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412345922", "starter", "ann").await?;
        let account = member(&ann).await?;
        let posts = [
            not_found(stage, &ann, &account, ("Twins", "drop_before")).await?,
            not_found(stage, &ann, &account, ("Twins", "drop_after")).await?,
        ];
        retry(&ann, &posts[0]).await?;
        ann.browser.wait_for(&posts[0], "unknown", SOON).await?;
        ann.browser.advance(UNTIL_SEARCH_SECS).await?;
        stage.queue_at_rest().await?;
        ann.browser.wait_for(&posts[0], "needs_review", SOON).await?;
        assert_eq!(ann.browser.on_platform(LINKEDIN, "Twins").await?.len(), 1);
        ann.ledger_adds_up().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_try_that_is_a_duplicate_is_refused_whatever_it_names() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412345923", "starter", "ann").await?;
        let account = member(&ann).await?;
        let first = approved(&ann, &account, "Said already").await?;
        ann.browser.wait_for(&first, "published", SOON).await?;
        let second = approved(&ann, &account, "Said already").await?;
        assert_eq!(ann.browser.wait_for(&second, "failed", SOON).await?["error"]["code"], "duplicate_content");
        ann.has_quota([12, 1, 0, 11]).await?;
        ann.ledger_adds_up().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_organizations_post_is_found_again_after_a_lost_answer() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412345924", "starter", "ann").await?;
        let organization = ann.browser.connect(LINKEDIN, &[], &["Demo Bakery Ltd"]).await?.remove(0);
        let text = "Open (from seven) at C:\\bakery_1: #bread & *rolls*";
        ann.browser.fault(LINKEDIN, &json!({ "kind": "drop_after" })).await?;
        let post = approved(&ann, &organization, text).await?;
        ann.browser.wait_for(&post, "unknown", SOON).await?;
        ann.browser.advance(UNTIL_SEARCH_SECS).await?;
        ann.browser.wait_for(&post, "published", SOON).await?;
        assert_eq!(ann.browser.on_platform(LINKEDIN, text).await?.len(), 1);
        assert_eq!(ann.browser.platform_calls(LINKEDIN).await?["publish"], 1);
        ann.ledger_adds_up().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_version_that_has_ended_makes_every_post_wait_and_wakes_operators() -> Outcome {
    play_disturbed(async |stage| {
        let ann = stage.person("+61412345925", "starter", "ann").await?;
        let organization = ann.browser.connect(LINKEDIN, &[], &["Demo Bakery Ltd"]).await?.remove(0);
        ann.browser.fault(LINKEDIN, &json!({ "kind": "version_ended" })).await?;
        let waits = approved(&ann, &organization, "Later").await?;
        stage.queue_at_rest().await?;
        assert_eq!(ann.browser.wait_for(&waits, "scheduled", SOON).await?["error"]["code"], "app_unavailable");
        let paused = ann.browser.platform_calls(LINKEDIN).await?["publish"].clone();
        let another = approved(&ann, &organization, "Later, too").await?;
        stage.queue_at_rest().await?;
        ann.browser.wait_for(&another, "scheduled", SOON).await?;
        assert_eq!(ann.browser.platform_calls(LINKEDIN).await?["publish"], paused, "the platform is not asked meanwhile");
        ann.has_quota([12, 0, 2, 10]).await?;
        ann.ledger_adds_up().await
    })
    .await
}
