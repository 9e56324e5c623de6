use domain::analytics::Numbers;
use domain::platform::PlatformName::{self, Facebook, LinkedIn, Threads, X};
use jiff::SignedDuration;
use platforms::{GrantedAccount, NumbersError, Outcome, Published, Told};
use serde_json::json;

use crate::wire::{Wire, account, publish, refresh, told_end};

/// A post that is a day old, and its account.
struct Posted {
    wire: Wire,
    granted: GrantedAccount,
    id: String,
    at: jiff::Timestamp,
    platform: PlatformName,
}

impl Posted {
    async fn on(platform: PlatformName) -> Self {
        let wire = Wire::start().await;
        let granted = wire.connect_one(platform).await;
        let at = wire.now();
        let outcome = publish(wire.platform(platform), account(&granted), "hello", at).await;
        let Outcome::Accepted { post_id: id, .. } = outcome else { panic!("{outcome:?}") };
        wire.advance(SignedDuration::from_hours(1));
        Self { wire, granted, id, at, platform }
    }

    async fn read(&self) -> Result<Told, NumbersError> {
        let post = Published { id: &self.id, at: self.at };
        self.wire.platform(self.platform).numbers(account(&self.granted), post, self.wire.now()).await
    }

    async fn numbers(&self) -> Numbers {
        self.read().await.unwrap().numbers
    }

    async fn fault(&self, kind: &str) {
        assert_eq!(self.wire.fault(self.platform, json!({ "kind": kind })).await, 201);
    }

    async fn calls(&self) -> i64 {
        self.wire.read(self.platform, "calls").await["metrics"].as_i64().unwrap()
    }
}

#[tokio::test]
async fn numbers_grow_and_each_network_tells_its_own() {
    for platform in [X, Facebook, LinkedIn] {
        let posted = Posted::on(platform).await;
        let first = posted.numbers().await;
        let told = [first.impressions, first.likes, first.comments, first.shares, first.clicks, first.engagement()];
        assert!(told.iter().all(Option::is_some), "{platform}: {first:?}");
        assert_eq!((first.reach.is_some(), first.engagements.is_some()), (platform != X, platform == X));
        posted.wire.advance(SignedDuration::from_mins(30));
        let second = posted.numbers().await;
        assert!(second.impressions > first.impressions && second.engagement() > first.engagement(), "{platform}");
        posted.fault("numbers_fall").await;
        assert!(posted.numbers().await.impressions < first.impressions, "{platform}");
        assert_eq!(posted.calls().await, 3, "{platform}: one call each");
    }
}

#[tokio::test]
async fn a_number_that_is_not_told_any_more_leaves_the_others() {
    for (platform, calls) in [(X, 2), (Facebook, 6), (LinkedIn, 1), (Threads, 7)] {
        let posted = Posted::on(platform).await;
        posted.fault("metric_missing").await;
        let numbers = posted.numbers().await;
        assert_eq!((numbers.clicks, numbers.engagements), (None, None), "{platform}");
        assert!(numbers.impressions.is_some() && numbers.likes.is_some() && numbers.comments.is_some(), "{platform}: {numbers:?}");
        assert_eq!(posted.calls().await, calls, "{platform}");
    }
}

#[tokio::test]
async fn a_field_that_was_asked_for_and_does_not_come_is_named() {
    for (platform, kind, field) in [
        (X, "field_dropped", "repost_count"),
        (Facebook, "metric_missing", "post_clicks"),
        (LinkedIn, "metric_missing", "clickCount"),
        (Threads, "metric_missing", "quotes"),
    ] {
        let posted = Posted::on(platform).await;
        assert!(posted.read().await.unwrap().missing.is_empty(), "{platform}");
        posted.fault(kind).await;
        let told = posted.read().await.unwrap();
        assert_eq!(told.missing, [field], "{platform}");
        assert!(told.numbers.likes.is_some(), "{platform}");
    }
}

#[tokio::test]
async fn x_tells_the_author_more_than_everybody_for_thirty_days() {
    let mut posted = Posted::on(X).await;
    let hours = 30 * 24 - 1;
    posted.wire.advance(SignedDuration::from_hours(hours));
    let renewed = refresh(posted.wire.platform(X), &posted.wire.app, &posted.granted.tokens, posted.wire.now()).await.unwrap();
    posted.granted.tokens = renewed;
    let numbers = posted.numbers().await;
    assert_eq!((numbers.clicks, numbers.likes.is_some(), posted.calls().await), (None, true, 1), "nothing is asked for that is not told");
}

#[tokio::test]
async fn a_post_that_is_gone_is_gone_and_one_that_is_hidden_is_not() {
    for platform in [X, Facebook, Threads] {
        let posted = Posted::on(platform).await;
        let gone = posted.wire.base.join(&format!("/_sim/{platform}/posts/{}", posted.id)).unwrap();
        assert_eq!(posted.wire.browser.delete(gone.clone()).send().await.unwrap().status(), 204);
        assert_eq!(posted.wire.browser.delete(gone).send().await.unwrap().status(), 404);
        assert_eq!(posted.read().await, Err(NumbersError::Gone), "{platform}");
        assert!(posted.wire.texts(platform).await.is_empty());
    }
    // Graph says the same of another Page's post: the Page is then not seen either.
    let posted = Posted::on(Facebook).await;
    let pages = posted.wire.connect(Facebook, &[]).await.unwrap();
    let other = platforms::Account { id: &pages[0].account_id, username: "", ..account(&pages[1]) };
    let read = posted.wire.platform(Facebook).numbers(other, Published { id: &posted.id, at: posted.at }, posted.wire.now()).await;
    assert!(matches!(read, Err(NumbersError::NotAllowed { .. })), "{read:?}");
}

#[tokio::test]
async fn limits_refused_tokens_and_silence_are_told_apart() {
    for platform in [X, Facebook, LinkedIn, Threads] {
        let posted = Posted::on(platform).await;
        posted.wire.fault(platform, json!({ "kind": "rate_limited", "on": "metrics", "seconds": 600 })).await;
        let limited = posted.read().await;
        let until = told_end(platform, posted.wire.now() + SignedDuration::from_secs(600));
        assert_eq!(limited, Err(NumbersError::Limited { until: Some(until) }), "{platform}");
        posted.wire.fault(platform, json!({ "kind": "error_before", "on": "metrics" })).await;
        assert!(matches!(posted.read().await, Err(NumbersError::Unavailable { .. })), "{platform}");
        assert!(posted.read().await.is_ok(), "{platform}");
        posted.fault("token_expired").await;
        assert_eq!(posted.read().await, Err(NumbersError::TokenRefused), "{platform}");
    }
    let posted = Posted::on(X).await;
    posted.wire.fault(X, json!({ "kind": "app_limited", "on": "metrics" })).await;
    assert!(matches!(posted.read().await, Err(NumbersError::AppLimited { .. })));
}

#[tokio::test]
async fn a_page_that_is_busy_says_so_and_one_without_the_permission_is_not_read() {
    let posted = Posted::on(Facebook).await;
    assert!(!posted.read().await.unwrap().busy);
    posted.fault("busy").await;
    assert!(posted.read().await.unwrap().busy);

    let scopes = ["pages_show_list", "pages_manage_posts", "pages_read_engagement"].map(|scope| ("granted_scope", scope));
    let without = posted.wire.connect(Facebook, &scopes).await.unwrap().remove(0);
    assert!(without.missing_scopes.is_empty(), "a Page can be posted to without its numbers");
    let post = Published { id: &posted.id, at: posted.at };
    let read = posted.wire.platform(Facebook).numbers(account(&without), post, posted.wire.now()).await;
    assert!(matches!(read, Err(NumbersError::NotAllowed { .. })), "{read:?}");
}
