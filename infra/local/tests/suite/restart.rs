//! The binary killed at any moment: every approved post ends published once, or told why not.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context;
use local::Browser;

/// How long anything may take that is due.
const SOON: Duration = Duration::from_secs(15);

/// The built program on a folder. Dropping it kills it.
struct Program(Child);

impl Program {
    /// Starts it on a free port and returns a browser for the address that it prints.
    fn start(data_dir: &Path) -> anyhow::Result<(Self, Browser)> {
        let mut child =
            Command::new(env!("CARGO_BIN_EXE_postledger")).args(["--port", "0", "--data"]).arg(data_dir).stdout(Stdio::piped()).spawn()?;
        let mut first = String::new();
        BufReader::new(child.stdout.take().context("an output")?).read_line(&mut first)?;
        let program = Self(child);
        let address = first.split_whitespace().find(|word| word.starts_with("http")).with_context(|| format!("no address in {first:?}"))?;
        Ok((program, Browser::new(address)?))
    }

    /// `kill -9`, and waits until it is gone.
    fn kill(mut self) -> anyhow::Result<()> {
        self.0.kill()?;
        self.0.wait()?;
        Ok(())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _gone = self.0.kill().and_then(|()| self.0.wait());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_moment_every_approved_post_ends_once_or_told_why_not() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let (mut program, mut browser) = Program::start(folder.path())?;
    browser.sign_in("+61412345661").await?;
    browser.redeem("professional").await?;
    let x = browser.connect("x", &[], &[]).await?.remove(0);
    let mut posts = Vec::new();
    // From before the claim to after the settle: a publish takes about ten milliseconds here.
    for after_millis in [0, 1, 2, 3, 4, 5, 6, 8, 10, 15, 25] {
        let text = format!("Killed after {after_millis} ms");
        let due = browser.service_time(0).await?;
        let post = browser.write(&text, &[&x], &due).await?.remove(0);
        browser.approve(&post).await?;
        let until = Instant::now() + Duration::from_millis(after_millis);
        while Instant::now() < until {
            std::hint::spin_loop();
        }
        program.kill()?;
        posts.push((post, text));
        let again = Program::start(folder.path())?;
        program = again.0;
        let signed_in = std::mem::replace(&mut browser, again.1);
        (browser.cookie, browser.csrf_token) = (signed_in.cookie, signed_in.csrf_token);
    }
    // Leases run out, messages become visible again, searches come due.
    for secs in [70, 70, 130, 370, 400, 1_000] {
        browser.advance(secs).await?;
        tokio::task::yield_now().await;
    }
    for (post, text) in &posts {
        let story = at_rest(&browser, post).await?;
        let held = browser.on_platform("x", text).await?.len();
        match story["status"].as_str() {
            Some("published") => assert_eq!(held, 1, "{text}: {story}"),
            Some("failed" | "missed" | "needs_review") => assert!(held <= 1 && story["error"]["message"].is_string(), "{text}: {story}"),
            _ => panic!("{text} did not come to rest: {story}"),
        }
    }
    let [quota, used, reserved, remaining] = browser.quota().await?;
    assert_eq!(quota, used + reserved + remaining);
    program.kill()
}

async fn at_rest(browser: &Browser, post: &str) -> anyhow::Result<serde_json::Value> {
    let until = Instant::now() + SOON;
    loop {
        let story = browser.post_story(post).await?;
        let moving = ["scheduled", "publishing", "processing", "unknown"].iter().any(|status| story["status"] == *status);
        if !moving || Instant::now() > until {
            return Ok(story);
        }
        browser.advance(120).await?;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_programs_on_one_folder_are_refused_with_what_to_do() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let (program, _) = Program::start(folder.path())?;
    let second = Command::new(env!("CARGO_BIN_EXE_postledger")).args(["--port", "0", "--data"]).arg(folder.path()).output()?;
    assert!(!second.status.success());
    let told = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(told.contains("--data"), "{told}");
    program.kill()
}
