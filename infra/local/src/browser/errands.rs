//! What people do with the service, each in one call.

use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use edge::contract::Time;
use serde_json::{Value, json};

use super::{Browser, text_at};

/// How often a waiting person looks again.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

impl Browser {
    /// Signs up or in: a code for the phone, read from the inbox, and verified.
    pub async fn sign_in(&mut self, phone: &str) -> anyhow::Result<Value> {
        self.post("/api/verification-codes", Some(&json!({ "phone": phone }))).await?.expect(202)?;
        let code = self.texted_code(phone).await?;
        let reply = self.post("/api/verify-code", Some(&json!({ "phone": phone, "code": code }))).await?.expect(200)?;
        self.keep_cookie(&reply);
        self.csrf_token = Some(reply.str("/csrf_token")?);
        Ok(reply.json)
    }

    /// The last code that was texted to a phone. A text that brings none, such as one that asks for a reconnect, may have come after it.
    pub async fn texted_code(&self, phone: &str) -> anyhow::Result<String> {
        let inbox = self.get("/_local/inbox").await?.expect(200)?;
        let items = inbox.json["items"].as_array().cloned().unwrap_or_default();
        let first_words =
            items.iter().filter(|item| item["to"] == phone).filter_map(|item| item["text"].as_str()?.split_whitespace().next());
        let code = first_words.into_iter().find(|word| word.bytes().all(|byte| byte.is_ascii_digit()));
        Ok(code.with_context(|| format!("no code was texted to {phone}"))?.to_owned())
    }

    /// Gets a gift certificate the local way and redeems it.
    pub async fn redeem(&self, plan: &str) -> anyhow::Result<Value> {
        let issued = self.post("/_local/gift-certificates", Some(&json!({ "plan": plan }))).await?.expect(201)?;
        let redeemed = self.post("/api/redeem-gift", Some(&json!({ "code": issued.str("/code")? }))).await?;
        Ok(redeemed.expect(200)?.json)
    }

    /// Writes a draft for each connection and returns the posts' ids. `due` is an instant with its offset.
    pub async fn write(&self, content: &str, connections: &[&str], due: &str) -> anyhow::Result<Vec<String>> {
        let targets: Vec<Value> = connections.iter().map(|id| json!({ "connection_id": id })).collect();
        let body = json!({ "content": content, "targets": targets, "scheduled_for": due });
        let made = self.post("/api/posts", Some(&body)).await?.expect(201)?;
        made.json["items"].as_array().cloned().unwrap_or_default().iter().map(|item| text_at(item, "/id")).collect()
    }

    /// Approves a post.
    pub async fn approve(&self, post: &str) -> anyhow::Result<Value> {
        Ok(self.post(&format!("/api/posts/{post}/approve"), None).await?.expect(200)?.json)
    }

    /// A post with its story.
    pub async fn post_story(&self, post: &str) -> anyhow::Result<Value> {
        Ok(self.get(&format!("/api/posts/{post}")).await?.expect(200)?.json)
    }

    /// Looks at a post until it has the status, for at most `within`.
    pub async fn wait_for(&self, post: &str, status: &str, within: Duration) -> anyhow::Result<Value> {
        let until = Instant::now() + within;
        loop {
            let story = self.post_story(post).await?;
            if story["status"] == status {
                return Ok(story);
            }
            if Instant::now() > until {
                bail!("after {within:?} the post is {} and not {status}: {story}", story["status"]);
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// Moves the service's clock and returns its time.
    pub async fn advance(&self, secs: i64) -> anyhow::Result<String> {
        self.post("/_local/clock", Some(&json!({ "advance_seconds": secs }))).await?.expect(200)?.str("/now")
    }

    /// The service's time plus `secs`, as an instant for a request.
    pub async fn service_time(&self, secs: i64) -> anyhow::Result<String> {
        let now: jiff::Timestamp = self.advance(1).await?.parse()?;
        Ok(Time::from(now + jiff::SignedDuration::from_secs(secs)).to_string())
    }

    /// What a simulated platform holds with this text.
    pub async fn on_platform(&self, platform: &str, text: &str) -> anyhow::Result<Vec<Value>> {
        let held = self.get(&format!("/_sim/{platform}/posts")).await?.expect(200)?;
        let items = held.json["items"].as_array().cloned().unwrap_or_default();
        Ok(items.into_iter().filter(|item| item["text"] == text).collect())
    }

    /// Disturbs a simulated platform.
    pub async fn fault(&self, platform: &str, fault: &Value) -> anyhow::Result<()> {
        self.post(&format!("/_sim/{platform}/faults"), Some(fault)).await?.expect(201).map(|_| ())
    }

    /// How often each operation of a simulated platform was called.
    pub async fn platform_calls(&self, platform: &str) -> anyhow::Result<Value> {
        Ok(self.get(&format!("/_sim/{platform}/calls")).await?.expect(200)?.json)
    }

    /// The numbers of the running cycle: quota, used, reserved, remaining.
    pub async fn quota(&self) -> anyhow::Result<[u64; 4]> {
        let quota = self.get("/api/quota").await?.expect(200)?.json;
        let number = |name: &str| quota[name].as_u64().with_context(|| format!("no {name} in {quota}"));
        Ok([number("quota")?, number("used_posts")?, number("reserved_posts")?, number("remaining_posts")?])
    }

    /// The reasons in the quota history, newest first.
    pub async fn history(&self) -> anyhow::Result<Vec<Value>> {
        Ok(self.get("/api/quota/history?limit=100").await?.expect(200)?.json["items"].as_array().cloned().unwrap_or_default())
    }
}
