//! What somebody does to a post they do to the version that they have read.

use journeys::{Person, SOON, UNTIL_SEARCH_SECS, play};
use local::Reply;
use reqwest::Method;
use serde_json::{Value, json};

type Outcome = anyhow::Result<()>;

async fn call(ann: &Person, method: Method, path: &str, tag: &str, body: Option<&Value>) -> anyhow::Result<Reply> {
    ann.browser.request(method, path, &[("if-match", tag)], body).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_has_read_is_not_approved() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412347201", "starter", "ann").await?;
        let post = ann.written_on_x("As it was read", 3_600).await?;
        let (path, approve) = (format!("/api/posts/{post}"), format!("/api/posts/{post}/approve"));
        ann.browser.patch(&path, "\"1\"", &json!({ "content": "As nobody has read it" })).await?.expect(200)?;
        for stale in ["\"1\"", "W/\"2\"", "\"1\", W/\"2\""] {
            assert_eq!(call(&ann, Method::POST, &approve, stale, None).await?.expect(412)?.json["code"], "stale_version", "{stale}");
        }
        assert_eq!(call(&ann, Method::POST, &approve, "2", None).await?.expect(400)?.json["code"], "malformed_request");
        assert_eq!(ann.browser.post_story(&post).await?["status"], "draft");
        ann.has_quota([12, 0, 0, 12]).await?;
        for read in ["\"2\"", "\"2\"", "*", "\"1\", \"2\""] {
            let approved = call(&ann, Method::POST, &approve, read, None).await?.expect(200)?;
            assert_eq!((&approved.json["status"], approved.headers["etag"].to_str()?), (&json!("scheduled"), "\"2\""));
        }
        assert_eq!(call(&ann, Method::POST, &approve, "\"1\"", None).await?.expect(412)?.json["code"], "stale_version");
        ann.has_quota([12, 0, 1, 11]).await?;
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edit_that_comes_between_reading_and_writing_stops_what_was_meant_for_the_version_before() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412347202", "starter", "ann").await?;
        ann.browser.fault("x", &json!({ "kind": "reject" })).await?;
        let failed = ann.approved_on_x("Refused", 0).await?;
        ann.browser.wait_for(&failed, "failed", SOON).await?;
        let (draft, removed) = (ann.written_on_x("Draft", 3_600).await?, ann.written_on_x("Removed", 3_600).await?);
        let scheduled = ann.approved_on_x("Scheduled", 3_600).await?;
        let cases = [
            (Method::POST, &draft, "/approve", "draft"),
            (Method::POST, &scheduled, "/cancel", "scheduled"),
            (Method::POST, &failed, "/retry", "draft"),
            (Method::DELETE, &removed, "", "draft"),
        ];
        for (method, post, verb, stays) in cases {
            let path = format!("/api/posts/{post}");
            let held = stage.hold("dynamodb.TransactWriteItems");
            let target = format!("{path}{verb}");
            let meant = call(&ann, method, &target, "\"1\"", None);
            let edited = async {
                held.reached().await?;
                let edited = ann.browser.patch(&path, "\"1\"", &json!({ "content": "Another text" })).await?.expect(200);
                held.let_go();
                edited
            };
            let (meant, edited) = futures::future::try_join(meant, edited).await?;
            assert_eq!((meant.expect(412)?.json["code"].clone(), &edited.json["version"]), (json!("stale_version"), &json!(2)), "{verb}");
            let story = ann.browser.post_story(post).await?;
            assert_eq!(
                (&story["status"], &story["version"], &story["content"]),
                (&json!(stays), &json!(2), &json!("Another text")),
                "{verb}"
            );
        }
        stage.heal();
        ann.has_quota([12, 0, 1, 11]).await?;
        ann.ledger_adds_up().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_call_that_changes_a_post_takes_the_version_that_stands() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412347203", "starter", "ann").await?;
        ann.browser.fault("x", &json!({ "kind": "drop_before" })).await?;
        let post = ann.approved_on_x("Was it there?", 0).await?;
        ann.browser.wait_for(&post, "unknown", SOON).await?;
        ann.browser.advance(UNTIL_SEARCH_SECS).await?;
        stage.queue_at_rest().await?;
        let (path, absent) = (format!("/api/posts/{post}"), json!({ "outcome": "not_published" }));
        let later = json!({ "scheduled_for": ann.browser.service_time(3_600).await? });
        let text = json!({ "content": "Say it otherwise" });
        let steps = [
            (Method::POST, "/resolve", "\"1\"", Some(&absent), "failed"),
            (Method::POST, "/retry", "\"1\"", Some(&later), "scheduled"),
            (Method::PATCH, "", "\"2\"", Some(&text), "scheduled"),
            (Method::POST, "/cancel", "\"3\"", None, "cancelled"),
        ];
        for (method, verb, tag, body, becomes) in steps {
            let target = format!("{path}{verb}");
            assert_eq!(call(&ann, method.clone(), &target, "\"9\"", body).await?.expect(412)?.json["code"], "stale_version", "{verb}");
            let done = call(&ann, method, &target, tag, body).await?.expect(200)?;
            assert_eq!(done.json["status"], becomes, "{verb}");
        }
        call(&ann, Method::DELETE, &path, "\"2\"", None).await?.expect(412)?;
        call(&ann, Method::DELETE, &path, "\"3\"", None).await?.expect(204)?;
        ann.has_quota([12, 0, 0, 12]).await?;
        ann.ledger_adds_up().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idempotency_key_is_for_one_version() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412347204", "starter", "ann").await?;
        let approve = format!("/api/posts/{}/approve", ann.written_on_x("Once", 3_600).await?);
        let under =
            async |tag: &str| ann.browser.request(Method::POST, &approve, &[("if-match", tag), ("idempotency-key", "k1")], None).await;
        let first = under("\"1\"").await?.expect(200)?;
        let again = under("\"1\"").await?.expect(200)?;
        assert_eq!((&again.json, again.headers.contains_key("idempotency-replayed")), (&first.json, true));
        for other in ["\"2\"", "*"] {
            assert_eq!(under(other).await?.expect(422)?.json["code"], "idempotency_key_reused", "{other}");
        }
        Ok(())
    })
    .await
}
