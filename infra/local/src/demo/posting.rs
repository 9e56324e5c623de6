//! Posts: on time, once, and accounted for, whatever the platform does.

use std::time::{Duration, Instant};

use anyhow::ensure;
use serde_json::json;

use super::Walk;

/// The promise for a post that is due.
const ON_TIME: Duration = Duration::from_secs(2);
/// Longer than the wait before a search can be believed.
const UNTIL_SEARCH_SECS: i64 = 130;

/// One text, two accounts, due now.
pub(super) async fn due_now(walk: &mut Walk) -> anyhow::Result<String> {
    let text = "We are open. Fresh bread from seven.";
    let due = walk.browser.service_time(0).await?;
    let posts = walk.browser.write(text, &[&walk.x, &walk.facebook], &due).await?;
    walk.saw("write a post for both accounts", format!("{} drafts", posts.len()));
    let approved = Instant::now();
    for post in &posts {
        walk.browser.approve(post).await?;
    }
    for post in &posts {
        walk.browser.wait_for(post, "published", ON_TIME).await?;
    }
    let took = approved.elapsed();
    ensure!(took < ON_TIME, "on both platforms within {ON_TIME:?} of approval, took {took:?}");
    for platform in ["x", "facebook"] {
        once_on(walk, platform, text).await?;
    }
    quota(walk, [12, 2, 0, 10]).await?;
    walk.saw("approve both", format!("on X and on Facebook, once each, {} ms after approval", took.as_millis()));
    Ok(posts[0].clone())
}

/// Due in two minutes: a schedule fires it, not a poll of the table.
pub(super) async fn due_later(walk: &mut Walk) -> anyhow::Result<()> {
    let text = "Two minutes later.";
    let due = walk.browser.service_time(120).await?;
    let post = walk.browser.write(text, &[&walk.x], &due).await?.remove(0);
    walk.browser.approve(&post).await?;
    quota(walk, [12, 2, 1, 9]).await?;
    ensure!(walk.browser.on_platform("x", text).await?.is_empty(), "the post went out before its time");
    walk.saw("approve one due in two minutes", "scheduled, a place is reserved");
    walk.browser.advance(121).await?;
    walk.browser.wait_for(&post, "published", ON_TIME).await?;
    once_on(walk, "x", text).await?;
    quota(walk, [12, 3, 0, 9]).await?;
    walk.saw("move the clock two minutes", "published once");
    Ok(())
}

/// The platform takes the post and the answer is lost: found again, not sent again.
pub(super) async fn lost_answer(walk: &mut Walk) -> anyhow::Result<String> {
    let text = "Did you get this?";
    walk.browser.fault("x", &json!({ "kind": "drop_after" })).await?;
    let due = walk.browser.service_time(0).await?;
    let post = walk.browser.write(text, &[&walk.x], &due).await?.remove(0);
    walk.browser.approve(&post).await?;
    let unknown = walk.browser.wait_for(&post, "unknown", ON_TIME).await?;
    quota(walk, [12, 3, 1, 8]).await?;
    walk.saw("X takes a post, its answer is lost", &unknown["error"]["message"]);
    walk.browser.advance(UNTIL_SEARCH_SECS).await?;
    walk.browser.wait_for(&post, "published", ON_TIME).await?;
    once_on(walk, "x", text).await?;
    quota(walk, [12, 4, 0, 8]).await?;
    walk.saw("move the clock two minutes", "found on the timeline: published once, charged once");
    Ok(post)
}

/// The platform says no: the owner is told, and the place is free again.
pub(super) async fn refused(walk: &mut Walk) -> anyhow::Result<()> {
    let text = "This one is refused.";
    walk.browser.fault("facebook", &json!({ "kind": "reject" })).await?;
    let due = walk.browser.service_time(0).await?;
    let post = walk.browser.write(text, &[&walk.facebook], &due).await?.remove(0);
    walk.browser.approve(&post).await?;
    let failed = walk.browser.wait_for(&post, "failed", ON_TIME).await?;
    ensure!(walk.browser.on_platform("facebook", text).await?.is_empty(), "a refused post is on the platform");
    quota(walk, [12, 4, 0, 8]).await?;
    walk.saw("Facebook refuses a post", format!("{} (action: {})", failed["error"]["message"], failed["error"]["action"]));
    Ok(())
}

/// Called off: nothing goes out.
pub(super) async fn cancelled(walk: &mut Walk) -> anyhow::Result<()> {
    let text = "Never mind.";
    let due = walk.browser.service_time(300).await?;
    let post = walk.browser.write(text, &[&walk.x], &due).await?.remove(0);
    walk.browser.approve(&post).await?;
    walk.browser.post(&format!("/api/posts/{post}/cancel"), None).await?.expect(200)?;
    walk.browser.advance(400).await?;
    let story = walk.browser.post_story(&post).await?;
    ensure!(story["status"] == "cancelled", "a cancelled post is {}", story["status"]);
    ensure!(walk.browser.on_platform("x", text).await?.is_empty(), "a cancelled post went out");
    quota(walk, [12, 4, 0, 8]).await?;
    walk.saw("cancel a post, pass its time", "nothing went out, the place is free");
    Ok(())
}

async fn once_on(walk: &Walk, platform: &str, text: &str) -> anyhow::Result<()> {
    let held = walk.browser.on_platform(platform, text).await?.len();
    ensure!(held == 1, "once on {platform} was promised, saw it {held} times");
    Ok(())
}

async fn quota(walk: &Walk, expected: [u64; 4]) -> anyhow::Result<()> {
    let seen = walk.browser.quota().await?;
    ensure!(seen == expected, "quota, used, reserved, remaining: expected {expected:?}, saw {seen:?}");
    Ok(())
}
