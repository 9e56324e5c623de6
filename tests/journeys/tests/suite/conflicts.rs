//! What comes at once meets at the rows that it shares.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::future::try_join_all;
use jiff::{SignedDuration, Timestamp};
use journeys::{SOON, play};
use serde_json::Value;

type Outcome = anyhow::Result<()>;

/// Far less than a worker's lease: whoever gave up at a conflict would leave its post for that long.
const ON_TIME: SignedDuration = SignedDuration::from_secs(10);

/// Long enough that the transactions of all of them overlap: each approval and each intent checks the row of the account.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn posts_of_one_account_whose_transactions_meet_go_out_on_time() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412345797", "starter", "ann").await?;
        let due = ann.browser.service_time(0).await?;
        let mut posts = Vec::new();
        for text in ["One of three", "Two of three", "Three of three"] {
            posts.extend(ann.browser.write(text, &[&ann.x], &due).await?);
        }
        let met = Arc::new(AtomicUsize::new(0));
        let counted = met.clone();
        let aws = stage.service().aws();
        aws.transactions_take(Duration::from_millis(100));
        aws.on_conflict(Box::new(move |_| {
            counted.fetch_add(1, Ordering::Relaxed);
        }));
        try_join_all(posts.iter().map(|post| ann.browser.approve(post))).await?;
        for post in &posts {
            let story = ann.browser.wait_for(post, "published", SOON).await?;
            let steps: Vec<_> = story["events"].as_array().unwrap().iter().map(|event| event["to"].as_str().unwrap()).collect();
            assert_eq!(steps, ["draft", "scheduled", "publishing", "published"], "nobody had to take it over: {story:#}");
            let at = |of: &Value, name: &str| of[name].as_str().unwrap().parse::<Timestamp>().unwrap();
            let late = at(&story, "published_at").duration_since(at(&story, "scheduled_for"));
            assert!(late < ON_TIME, "{late:?}");
        }
        assert!(met.load(Ordering::Relaxed) > 0, "nothing met");
        ann.has_quota([12, 3, 0, 9]).await?;
        ann.ledger_adds_up().await?;
        Ok(())
    })
    .await
}
