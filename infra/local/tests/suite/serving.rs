//! A service as a library: several in one process, stopped in order, honest at its edges.

use std::path::Path;
use std::time::Duration;

use edge::lines::Lines;
use local::{Browser, LocalService, Options};
use reqwest::Method;
use serde_json::json;

async fn start(data_dir: &Path) -> anyhow::Result<(LocalService, Browser)> {
    let service = LocalService::start(Options { port: 0, data_dir: data_dir.to_owned(), fresh: false, lines: Lines::silent() }).await?;
    let browser = Browser::new(service.base_url())?;
    Ok((service, browser))
}

#[tokio::test]
async fn a_wrong_method_beside_the_functions_is_a_problem_that_names_the_right_one() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let (service, browser) = start(folder.path()).await?;
    for (method, path, allowed) in [(Method::POST, "/", "GET,HEAD"), (Method::GET, "/_local/clock", "POST")] {
        let reply = browser.request(method, path, &[], None).await?.expect(405)?;
        assert_eq!(reply.str("/code")?, "method_not_allowed", "{path}");
        assert_eq!(reply.headers["allow"], allowed, "{path}");
    }
    service.stop().await;
    Ok(())
}

#[tokio::test]
async fn the_page_shows_commands_for_this_address_and_nothing_of_the_query() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let (service, browser) = start(folder.path()).await?;
    let page = browser.get("/connections?error=evil").await?.expect(200)?;
    assert!(page.text.contains(&format!("url={}", browser.base_url())) && page.text.contains("decision=allow&amp;"));
    assert!(!page.text.contains("evil") && !page.text.contains("<script"));
    service.stop().await;
    Ok(())
}

#[tokio::test]
async fn services_in_one_process_share_nothing() -> anyhow::Result<()> {
    let folders = (tempfile::tempdir()?, tempfile::tempdir()?);
    let ((first, mut one), (second, mut other)) = (start(folders.0.path()).await?, start(folders.1.path()).await?);
    one.sign_in("+61412345671").await?;
    other.sign_in("+61412345671").await?;
    one.redeem("starter").await?;
    other.get("/api/quota").await?.expect(409)?;
    let ahead = one.advance(86_400).await?;
    assert!(other.advance(1).await? < ahead);
    first.stop().await;
    second.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_lets_posts_under_way_come_to_their_end() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let (mut service, mut browser) = start(folder.path()).await?;
    browser.sign_in("+61412345672").await?;
    browser.redeem("professional").await?;
    let x = browser.connect("x", &[], &[]).await?.remove(0);
    // The platform takes its time, so that the stop comes while the publisher waits for the answer.
    browser.fault("x", &json!({ "kind": "slow", "seconds": 1 })).await?;
    let due = browser.service_time(0).await?;
    let post = browser.write("Stopped on the way", &[&x], &due).await?.remove(0);
    browser.approve(&post).await?;
    browser.wait_for(&post, "publishing", Duration::from_secs(5)).await?;
    service.stop().await;
    let signed_in = browser;
    (service, browser) = start(folder.path()).await?;
    (browser.cookie, browser.csrf_token) = (signed_in.cookie, signed_in.csrf_token);
    // Cut off, it would stand at `publishing` until its lease runs out.
    assert_eq!(browser.post_story(&post).await?["status"], "published");
    service.stop().await;
    Ok(())
}
