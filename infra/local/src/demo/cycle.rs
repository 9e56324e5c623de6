//! A month later: what the platforms tell of the posts, and what the cycle came to.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::Value;

use super::Walk;
use super::account::PHONE;
use super::report::{items, text};
use crate::say;

/// The longest month, and an hour: a cycle that is paid for is a month by the calendar.
const CYCLE_SECS: i64 = 31 * 24 * 3_600 + 3_600;
/// For the platforms to tell, and the job to close.
const SOON: Duration = Duration::from_secs(5);

/// The cycle ends, and is the sum of what was told of its posts.
pub(super) async fn closed(walk: &mut Walk) -> anyhow::Result<()> {
    walk.browser.advance(CYCLE_SECS).await?;
    walk.browser.sign_in(PHONE).await?;
    let (posts, cycle) = told(walk).await?;
    let quota = walk.browser.quota().await?;
    ensure!(quota == [12, 0, 0, 12], "the next cycle holds 12 posts again, saw {quota:?}");
    walk.saw("move the clock over the cycle", "closed, the next one open, all posts told of by their platforms");
    say(format_args!("\nWhat the platforms tell"));
    say(format_args!("  {:<28} {:<9} {:>11} {:>6} {:>10}  captured", "post", "platform", "impressions", "reach", "engagement"));
    for (post, told) in &posts {
        let [impressions, reach, engagement] = ["impressions", "reach", "engagement"].map(|name| number(&told[name]));
        let (id, platform, captured) = (text(&post["id"]), text(&post["platform"]), text(&told["captured_at"]));
        say(format_args!("  {id:<28} {platform:<9} {impressions:>11} {reach:>6} {engagement:>10}  {captured}"));
    }
    say(format_args!(
        "\nThe cycle from {} to {}: quota {}, used {}, reach {}, engagement {}",
        text(&cycle["cycle_start"]),
        text(&cycle["cycle_end"]),
        number(&cycle["quota"]),
        number(&cycle["posts_used"]),
        number(&cycle["total_reach"]),
        number(&cycle["engagement"])
    ));
    Ok(())
}

/// The published posts with their numbers, and the closed cycle, once the one is the sum of the other.
async fn told(walk: &Walk) -> anyhow::Result<(Vec<(Value, Value)>, Value)> {
    let until = Instant::now() + SOON;
    loop {
        let mut posts = Vec::new();
        for post in items(&walk.browser.get("/api/posts?status=published").await?.expect(200)?.json["items"]) {
            let told = walk.browser.get(&format!("/api/posts/{}/analytics", text(&post["id"]))).await?.expect(200)?.json;
            posts.push((post, told));
        }
        let sum = |name: &str| posts.iter().filter_map(|(_, told)| told[name].as_u64()).sum::<u64>();
        let is_told = posts.len() == 4 && posts.iter().all(|(_, told)| told["captured_at"].is_string());
        let cycles = items(&walk.browser.get("/api/analytics/cycles").await?.expect(200)?.json["items"]);
        let adds_up = |cycle: &&Value| cycle["total_reach"] == sum("reach") && cycle["engagement"] == sum("engagement");
        if let Some(cycle) = cycles.first().filter(|cycle| is_told && adds_up(cycle)) {
            ensure!(cycle["posts_used"] == 4, "four posts were published, the cycle says {}", cycle["posts_used"]);
            return Ok((posts, cycle.clone()));
        }
        let left = until.checked_duration_since(Instant::now());
        left.with_context(|| format!("the cycle is not the sum of its posts: {cycles:?}, {posts:?}"))?;
        tokio::task::yield_now().await;
    }
}

/// What is not told is a dash.
fn number(value: &Value) -> String {
    value.as_u64().map_or_else(|| "-".to_owned(), |number| number.to_string())
}
