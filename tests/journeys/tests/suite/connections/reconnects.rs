//! Connecting again, with less, with another account, or where somebody else has the same one.

use domain::platform::PlatformName;
use journeys::{SOON, play};
use serde_json::json;

use super::steps::{Outcome, calls, connections, consented, id_in, somebody};

const X: &str = "/oauth/x/start?return_to=/connections";
const FACEBOOK: &str = "/oauth/facebook/start?return_to=/connections";
const BAKERY: &str = "100000000000001";
const GARDEN: &str = "100000000000002";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reconnect_takes_the_account_that_it_is_for_and_no_other() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412345711", "starter", "ann").await?;
        let before = connections(&ann.browser).await?;
        let again = format!("{X}&reconnect={}", ann.x);
        assert_eq!(consented(&ann.browser, &again, &[("account", "bob")]).await?, "/connections?error=account_mismatch");
        assert_eq!(connections(&ann.browser).await?, before, "the old connection is as it was, and no other came");
        let post = ann.approved_on_x("Still mine", 0).await?;
        ann.browser.wait_for(&post, "published", SOON).await?;
        assert_eq!(ann.browser.on_platform("x", "Still mine").await?[0]["account"], "ann");

        let shown = consented(&ann.browser, &again, &[("account", "ann")]).await?;
        assert_eq!(shown, format!("/connections?connected={}", ann.x));
        // Of the Pages that the consent holds, the one that it is for, without a choice.
        let again = format!("{FACEBOOK}&reconnect={}", ann.facebook);
        assert_eq!(consented(&ann.browser, &again, &[]).await?, format!("/connections?connected={}", ann.facebook));
        assert_eq!(consented(&ann.browser, &again, &[("page", GARDEN)]).await?, "/connections?error=account_mismatch");
        assert_eq!(connections(&ann.browser).await?.len(), 2);
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_that_a_reconnect_replaces_are_ended_at_a_platform_that_ends_them_alone() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412345718", "starter", "ann").await?;
        let (x, facebook) = (format!("{X}&reconnect={}", ann.x), format!("{FACEBOOK}&reconnect={}", ann.facebook));
        consented(&ann.browser, &x, &[("account", "ann")]).await?;
        let once = calls(&ann.browser, "x", "revoke").await?;
        assert_ne!(once, 0, "whoever has the old tokens has nothing");
        consented(&ann.browser, &facebook, &[]).await?;
        assert_eq!(calls(&ann.browser, "facebook", "revoke").await?, 0, "it would end the new ones, too");
        // What the platform does not hear of is connected all the same.
        ann.browser.fault("x", &json!({ "kind": "error_before", "on": "revoke" })).await?;
        assert_eq!(consented(&ann.browser, &x, &[("account", "ann")]).await?, format!("/connections?connected={}", ann.x));
        for (connection, text) in [(&ann.x, "By the new tokens"), (&ann.facebook, "By the new tokens of the Page")] {
            let due = ann.browser.service_time(0).await?;
            let post = ann.browser.write(text, &[connection], &due).await?.remove(0);
            ann.browser.approve(&post).await?;
            ann.browser.wait_for(&post, "published", SOON).await?;
        }
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_ones_own_connection_on_this_platform_is_reconnected() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412345712", "starter", "ann").await?;
        let bob = stage.person("+61412345713", "starter", "bob").await?;
        for id in [&bob.x, &ann.facebook, "01ARZ3NDEKTSV4RRFFQ69G5FAV", "..", ""] {
            let refused = ann.browser.get(&format!("{X}&reconnect={id}")).await?.expect(404)?;
            assert_eq!(refused.json["code"], "not_found", "{id}");
        }
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_part_of_the_scopes_connects_what_is_limited_and_says_what_is_missing() -> Outcome {
    play(async |stage| {
        let ann = somebody(stage, "+61412345714").await?;
        ann.redeem("starter").await?;
        let none = [("granted_scope", "tweet.write")];
        assert_eq!(consented(&ann, X, &none).await?, "/connections?error=scope_missing");
        assert_eq!(consented(&ann, FACEBOOK, &[("granted_scope", "pages_manage_posts")]).await?, "/connections?error=scope_missing");
        assert!(connections(&ann).await?.is_empty());

        let reading = [("account", "ann"), ("granted_scope", "tweet.read"), ("granted_scope", "users.read")];
        let shown = consented(&ann, X, &reading).await?;
        let id = id_in(&shown, "connected");
        assert_eq!(shown, format!("/connections?connected={id}&missing=tweet.write+offline.access"));
        let limited = connections(&ann).await?.remove(0);
        assert_eq!((&limited["health"], &limited["is_active"]), (&json!("limited"), &json!(false)));
        assert_eq!(limited["missing_scopes"], json!(["tweet.write", "offline.access"]));
        let post = ann.write("Not yet", &[&id], &ann.service_time(600).await?).await;
        if let Ok(post) = post {
            let refused = ann.post(&format!("/api/posts/{}/approve", post[0]), None).await?.expect(409)?;
            assert_eq!(refused.json["code"], "connection_unusable");
        }

        assert_eq!(consented(&ann, X, &[("account", "ann")]).await?, format!("/connections?connected={id}"));
        let whole = connections(&ann).await?;
        assert_eq!((whole.len(), &whole[0]["health"], &whole[0]["missing_scopes"]), (1, &json!("ok"), &json!([])));
        // What works is not replaced by what would not.
        assert_eq!(consented(&ann, X, &reading).await?, "/connections?error=scope_missing");
        assert_eq!(connections(&ann).await?, whole);
        let post = ann.write("Now it works", &[&id], &ann.service_time(0).await?).await?.remove(0);
        ann.approve(&post).await?;
        ann.wait_for(&post, "published", SOON).await?;
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_choice_of_limited_accounts_says_so_before_it_is_made() -> Outcome {
    play(async |stage| {
        let ann = somebody(stage, "+61412345715").await?;
        let part = [("granted_scope", "pages_show_list"), ("granted_scope", "pages_read_engagement")];
        let choice = id_in(&consented(&ann, FACEBOOK, &part).await?, "choose");
        let path = format!("/api/connections/choices/{choice}");
        assert_eq!(ann.get(&path).await?.expect(200)?.json["missing_scopes"], json!(["pages_manage_posts"]));
        let made = ann.post(&path, Some(&json!({ "account_ids": [BAKERY] }))).await?.expect(201)?;
        assert_eq!(made.json["items"][0]["health"], "limited");
        assert_eq!(made.json["items"][0]["missing_scopes"], json!(["pages_manage_posts"]));
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_account_of_two_customers_leaks_nothing_and_outlives_the_others_disconnect() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412345716", "starter", "shared").await?;
        let bob = stage.person("+61412345717", "starter", "shared").await?;
        let (anns, bobs) = (connections(&ann.browser).await?, connections(&bob.browser).await?);
        assert_eq!((anns.len(), bobs.len()), (2, 2));
        for (mine, theirs) in anns.iter().zip(&bobs) {
            assert_eq!(mine["platform_user_id"], theirs["platform_user_id"]);
            assert_ne!(mine["id"], theirs["id"]);
        }
        assert_eq!(super::steps::secrets(stage, "/connection/")?, 4, "no secret is shared");
        ann.browser.delete(&format!("/api/connections/{}", bob.x)).await?.expect(404)?;
        for id in [&ann.x, &ann.facebook] {
            ann.browser.delete(&format!("/api/connections/{id}")).await?.expect(204)?;
        }
        assert_eq!(calls(&ann.browser, "facebook", "revoke").await?, 0, "Facebook would end it for both");
        assert_ne!(calls(&ann.browser, "x", "revoke").await?, 0);
        assert_eq!(connections(&bob.browser).await?, bobs);
        for connection in [&bob.x, &bob.facebook] {
            let due = bob.browser.service_time(0).await?;
            let post = bob.browser.write("Bob goes on", &[connection], &due).await?.remove(0);
            bob.browser.approve(&post).await?;
            bob.browser.wait_for(&post, "published", SOON).await?;
        }
        bob.browser.delete(&format!("/api/connections/{}", bob.facebook)).await?.expect(204)?;
        assert_eq!(calls(&ann.browser, "facebook", "revoke").await?, 1, "the last one takes the grant back");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_platforms_show_what_can_be_connected_and_what_is() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412345718", "starter", "ann").await?;
        let listed = ann.browser.get("/api/platforms").await?.expect(200)?;
        let items = listed.json["items"].as_array().cloned().unwrap_or_default();
        let named: Vec<_> = items.iter().map(|item| (item["platform"].clone(), item["name"].clone(), item["configured"].clone())).collect();
        let all = PlatformName::ALL.map(|name| (json!(name), json!(name.descriptor().display_name), json!(true)));
        assert_eq!(named, all);
        assert_eq!(items[0]["limits"], json!({ "text_max": 280, "text_unit": "weighted", "text_bytes_max": null, "media": [] }));
        let standing = connections(&ann.browser).await?;
        for (item, id) in items.iter().zip([&ann.x, &ann.facebook]) {
            assert_eq!((&item["needs"], &item["reconcile"]), (&json!(null), &json!("search")));
            let own: Vec<_> = standing.iter().filter(|connection| connection["id"] == id.as_str()).cloned().collect();
            assert_eq!(item["connections"], json!(own));
        }
        assert_eq!(stage.browser().get("/api/platforms").await?.expect(401)?.json["code"], "session_required");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_connects_a_hundred_accounts_and_reconnects_each() -> Outcome {
    play(async |stage| {
        let ann = somebody(stage, "+61412345719").await?;
        for number in 0..100 {
            let shown = consented(&ann, X, &[("account", &format!("account_{number}"))]).await?;
            assert!(shown.starts_with("/connections?connected="), "{number}: {shown}");
        }
        assert_eq!(consented(&ann, X, &[("account", "one_more")]).await?, "/connections?error=too_many_connections");
        let standing = connections(&ann).await?;
        assert_eq!(standing.len(), 100);
        let last = consented(&ann, X, &[("account", "account_99")]).await?;
        assert!(standing.iter().any(|connection| connection["id"] == id_in(&last, "connected")));
        Ok(())
    })
    .await
}
