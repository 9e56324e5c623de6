//! A post that waits goes to another account of the same platform.

use journeys::{Person, SOON, play};
use serde_json::{Value, json};

type Outcome = anyhow::Result<()>;

/// Who holds the text on X.
async fn holders(ann: &Person, text: &str) -> anyhow::Result<Vec<Value>> {
    Ok(ann.browser.on_platform("x", text).await?.into_iter().map(|post| post["account"].clone()).collect())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scheduled_post_goes_out_by_the_account_that_it_was_given_and_the_old_one_may_go() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412347301", "starter", "ann").await?;
        let shop = ann.browser.connect("x", &[("account", "shop")], &[]).await?.remove(0);
        let post = ann.approved_on_x("By the shop", 3_600).await?;
        let (path, before) = (format!("/api/posts/{post}"), ann.browser.post_story(&post).await?);
        let moved = ann.browser.patch(&path, "\"1\"", &json!({ "connection_id": shop })).await?.expect(200)?.json;
        assert_eq!((&moved["connection_id"], &moved["status"], &moved["version"]), (&json!(shop), &json!("scheduled"), &json!(2)));
        assert_eq!((&moved["approved_at"], &moved["subscription_cycle"]), (&before["approved_at"], &before["subscription_cycle"]));
        ann.has_quota([12, 0, 1, 11]).await?;
        let same = ann.browser.patch(&path, "\"2\"", &json!({ "connection_id": shop })).await?.expect(200)?.json;
        assert_eq!(same["version"], 2, "it goes there already");
        ann.browser.delete(&format!("/api/connections/{}", ann.x)).await?.expect(204)?;
        ann.browser.advance(3_601).await?;
        stage.wake(&before, &ann.id().await?, 2).await?;
        ann.browser.wait_for(&post, "published", SOON).await?;
        stage.wake(&before, &ann.id().await?, 2).await?;
        stage.queue_at_rest().await?;
        assert_eq!(holders(&ann, "By the shop").await?, ["shop"]);
        ann.has_quota([12, 1, 0, 11]).await?;
        ann.ledger_adds_up().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_draft_and_a_failed_post_go_to_another_account_too() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412347302", "starter", "ann").await?;
        let shop = ann.browser.connect("x", &[("account", "shop")], &[]).await?.remove(0);
        ann.browser.fault("x", &json!({ "kind": "reject", "account": "ann" })).await?;
        let failed = ann.approved_on_x("Refused there", 0).await?;
        ann.browser.wait_for(&failed, "failed", SOON).await?;
        let draft = ann.written_on_x("Written for ann", 0).await?;
        for (post, text) in [(&failed, "Refused there"), (&draft, "Written for ann")] {
            let edit = json!({ "connection_id": shop });
            let moved = ann.browser.patch(&format!("/api/posts/{post}"), "\"1\"", &edit).await?.expect(200)?.json;
            assert_eq!((&moved["status"], &moved["version"]), (&json!("draft"), &json!(2)));
            ann.browser.approve(post).await?;
            ann.browser.wait_for(post, "published", SOON).await?;
            assert_eq!(holders(&ann, text).await?, ["shop"]);
        }
        let gone = ann.browser.patch(&format!("/api/posts/{draft}"), "\"2\"", &json!({ "connection_id": ann.x })).await?.expect(409)?;
        assert_eq!(gone.json["code"], "state_conflict");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_that_cannot_take_the_post_is_refused_and_nothing_changes() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412347303", "starter", "ann").await?;
        let eve = stage.person("+61412347304", "starter", "eve").await?;
        let dead = ann.browser.connect("x", &[("account", "dead")], &[]).await?.remove(0);
        ann.browser.fault("x", &json!({ "kind": "token_revoked", "account": "dead" })).await?;
        let due = ann.browser.service_time(0).await?;
        let post = ann.browser.write("It dies", &[&dead], &due).await?.remove(0);
        ann.browser.approve(&post).await?;
        ann.browser.wait_for(&post, "held", SOON).await?;
        stage.queue_at_rest().await?;

        let post = ann.approved_on_x("Stays where it is", 3_600).await?;
        let path = format!("/api/posts/{post}");
        let refusal = async |id: &str| -> anyhow::Result<Value> {
            let edit = json!({ "connection_id": id });
            Ok(ann.browser.patch(&path, "\"1\"", &edit).await?.expect(422)?.json["errors"].clone())
        };
        let unknown = refusal("01ARZ3NDEKTSV4RRFFQ69G5FAV").await?;
        assert_eq!((&unknown[0]["pointer"], &unknown[0]["code"]), (&json!("/connection_id"), &json!("connection_unknown")));
        assert_eq!((refusal(&eve.x).await?, refusal("no id at all").await?), (unknown.clone(), unknown), "told in the same words");
        let elsewhere = refusal(&ann.facebook).await?;
        assert_eq!((&elsewhere[0]["pointer"], &elsewhere[0]["code"]), (&json!("/connection_id"), &json!("connection_of_other_platform")));
        let edit = json!({ "connection_id": dead });
        assert_eq!(ann.browser.patch(&path, "\"1\"", &edit).await?.expect(409)?.json["code"], "connection_unusable");
        let story = ann.browser.post_story(&post).await?;
        assert_eq!((&story["version"], &story["connection_id"]), (&json!(1), &json!(ann.x)));
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_post_does_not_move_to_an_account_that_is_disconnected_at_the_same_moment() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412347305", "starter", "ann").await?;
        let shop = ann.browser.connect("x", &[("account", "shop")], &[]).await?.remove(0);
        let post = ann.approved_on_x("Whose am I?", 3_600).await?;
        let held = stage.hold("dynamodb.TransactWriteItems");
        let (path, edit) = (format!("/api/posts/{post}"), json!({ "connection_id": shop }));
        let moves = ann.browser.patch(&path, "\"1\"", &edit);
        let leaves = async {
            held.reached().await?;
            let left = ann.browser.delete(&format!("/api/connections/{shop}")).await?.expect(204);
            held.let_go();
            left
        };
        let (answered, _) = futures::future::try_join(moves, leaves).await?;
        assert_eq!(answered.expect(422)?.json["errors"][0]["code"], "connection_unknown");
        assert_eq!(ann.browser.post_story(&post).await?["connection_id"], json!(ann.x));
        Ok(())
    })
    .await
}
