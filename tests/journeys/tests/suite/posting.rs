//! A post's way, black box: on time, once, and accounted for.

use edge::contract::Time;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use journeys::{SOON, Stage, UNTIL_SEARCH_SECS, ahead, play, play_disturbed};
use local::variables::tables;
use serde_json::{Value, json};

use crate::until;

type Outcome = anyhow::Result<()>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_post_due_now_is_on_both_platforms_once_and_its_story_adds_up() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412345601", "starter", "ann").await?;
        let due = ann.browser.service_time(0).await?;
        let posts = ann.browser.write("Hello, both", &[&ann.x, &ann.facebook], &due).await?;
        for post in &posts {
            ann.browser.approve(post).await?;
        }
        for post in &posts {
            let story = ann.browser.wait_for(post, "published", SOON).await?;
            assert!(story["platform_url"].is_string() && story["platform_post_id"].is_string());
            assert_eq!(story["attempts"][0]["outcome"], "accepted");
            let status = if story["platform"] == "x" { 201 } else { 200 };
            assert_eq!(story["attempts"][0]["http_status"], status);
            let steps: Vec<_> = story["events"].as_array().unwrap().iter().map(|event| event["to"].as_str().unwrap()).collect();
            assert_eq!(steps, ["draft", "scheduled", "publishing", "published"]);
        }
        for platform in ["x", "facebook"] {
            assert_eq!(ann.browser.on_platform(platform, "Hello, both").await?.len(), 1);
        }
        ann.has_quota([12, 2, 0, 10]).await?;
        ann.ledger_adds_up().await?;
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_due_later_is_woken_early_by_its_schedule_and_goes_out_at_its_second() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412345602", "starter", "ann").await?;
        let post = ann.approved_on_x("Later", 300).await?;
        assert_eq!((stage.calls("scheduler.CreateSchedule"), stage.calls("sqs.SendMessage")), (1, 0));
        // The schedule stands 75 s before the time and fires within a minute: then the queue has the wake-up, for the second.
        ann.browser.advance(286).await?;
        until("it is woken early", || stage.calls("sqs.SendMessage") == 1).await?;
        assert_eq!(ann.times_on_x("Later").await?, 0);
        // The sweeper looks only 20 s after the time.
        ann.browser.advance(15).await?;
        ann.browser.wait_for(&post, "published", SOON).await?;
        assert_eq!(ann.times_on_x("Later").await?, 1);
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_wake_up_three_times_at_once_publishes_once() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412345603", "starter", "ann").await?;
        let post = ann.approved_on_x("Thrice", 3_000).await?;
        let story = ann.browser.post_story(&post).await?;
        ann.browser.fault("x", &json!({ "kind": "slow", "seconds": 1 })).await?;
        ann.browser.advance(2_980).await?;
        // 20 s early: the publisher sends them back to their time. Then all of them meet the due post.
        stage.wake(&story, &ann.id().await?, 3).await?;
        stage.queue_at_rest().await?;
        assert_eq!(ann.times_on_x("Thrice").await?, 0);
        ann.browser.advance(21).await?;
        stage.wake(&story, &ann.id().await?, 3).await?;
        ann.browser.wait_for(&post, "published", SOON).await?;
        stage.queue_at_rest().await?;
        assert_eq!(ann.times_on_x("Thrice").await?, 1);
        assert_eq!(ann.browser.platform_calls("x").await?["publish"], 1);
        ann.has_quota([12, 1, 0, 11]).await?;
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_accepted_post_whose_answer_is_lost_is_found_and_charged_once() -> Outcome {
    for kind in ["drop_after", "cut_after", "error_after"] {
        for platform in ["x", "facebook"] {
            play(async |stage| {
                let ann = stage.person("+61412345604", "starter", "ann").await?;
                ann.browser.fault(platform, &json!({ "kind": kind })).await?;
                let due = ann.browser.service_time(0).await?;
                let connection = if platform == "x" { &ann.x } else { &ann.facebook };
                let post = ann.browser.write("Was it sent?", &[connection], &due).await?.remove(0);
                ann.browser.approve(&post).await?;
                let unknown = ann.browser.wait_for(&post, "unknown", SOON).await?;
                assert_eq!(unknown["error"]["action"], "wait");
                ann.has_quota([12, 0, 1, 11]).await?;
                ann.browser.advance(UNTIL_SEARCH_SECS).await?;
                let story = ann.browser.wait_for(&post, "published", SOON).await?;
                assert!(story["platform_url"].is_string(), "{kind} on {platform}");
                let shown = ann.browser.on_platform(platform, "Was it sent?").await?;
                assert_eq!(shown.len(), 1, "{kind} on {platform}");
                // Facebook tells whole seconds.
                let at = |of: &Value, name: &str| of[name].as_str().unwrap().parse::<Timestamp>().unwrap().as_second();
                assert_eq!(at(&story, "published_at"), at(&shown[0], "created_at"), "when the platform made it: {kind} on {platform}");
                assert_eq!(ann.browser.platform_calls(platform).await?["publish"], 1);
                ann.has_quota([12, 1, 0, 11]).await?;
                ann.ledger_adds_up().await?;
                Ok(())
            })
            .await?;
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_post_that_was_never_there_ends_with_its_owner_and_keeps_its_place() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412345605", "starter", "ann").await?;
        ann.browser.fault("x", &json!({ "kind": "drop_before" })).await?;
        let post = ann.approved_on_x("Nobody got this", 0).await?;
        ann.browser.wait_for(&post, "unknown", SOON).await?;
        for secs in [UNTIL_SEARCH_SECS, 400, 1_000, 4_000] {
            ann.browser.advance(secs).await?;
            stage.queue_at_rest().await?;
        }
        let story = ann.browser.wait_for(&post, "needs_review", SOON).await?;
        assert_eq!(story["error"]["action"], "check_platform");
        assert_eq!(ann.browser.platform_calls("x").await?["publish"], 1, "it is never sent again");
        ann.has_quota([12, 0, 1, 11]).await?;
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_posts_of_the_same_text_are_never_taken_for_each_other() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412345606", "starter", "ann").await?;
        let first = ann.approved_on_x("Twins", 0).await?;
        ann.browser.wait_for(&first, "published", SOON).await?;
        ann.browser.fault("x", &json!({ "kind": "drop_before" })).await?;
        let second = ann.approved_on_x("Twins", 0).await?;
        ann.browser.wait_for(&second, "unknown", SOON).await?;
        ann.browser.advance(UNTIL_SEARCH_SECS).await?;
        stage.queue_at_rest().await?;
        assert_eq!(ann.browser.post_story(&second).await?["status"], "unknown", "the first one's post is not bound again");
        ann.has_quota([12, 1, 1, 10]).await?;
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_posts_in_doubt_with_the_same_text_none_takes_the_one_that_is_shown() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412345622", "starter", "ann").await?;
        for kind in ["drop_before", "drop_after"] {
            ann.browser.fault("x", &json!({ "kind": kind })).await?;
        }
        let posts = [ann.approved_on_x("Which of us?", 0).await?, ann.approved_on_x("Which of us?", 0).await?];
        for post in &posts {
            ann.browser.wait_for(post, "unknown", SOON).await?;
        }
        ann.browser.advance(UNTIL_SEARCH_SECS).await?;
        for post in &posts {
            let story = ann.browser.wait_for(post, "needs_review", SOON).await?;
            assert_eq!((&story["platform_post_id"], &story["attempts"][1]["outcome"]), (&json!(null), &json!("not_found")));
        }
        ann.has_quota([12, 0, 2, 10]).await?;
        // Its owner alone knows which one it is.
        for (post, outcome) in posts.iter().zip(["not_published", "published"]) {
            ann.browser.post(&format!("/api/posts/{post}/resolve"), Some(&json!({ "outcome": outcome }))).await?.expect(200)?;
        }
        ann.has_quota([12, 1, 0, 11]).await?;
        ann.ledger_adds_up().await?;
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_post_fails_with_words_and_gives_its_place_back() -> Outcome {
    for platform in ["x", "facebook"] {
        play(async |stage| {
            let ann = stage.person("+61412345607", "starter", "ann").await?;
            ann.browser.fault(platform, &json!({ "kind": "reject" })).await?;
            let due = ann.browser.service_time(0).await?;
            let connection = if platform == "x" { &ann.x } else { &ann.facebook };
            let post = ann.browser.write("Refuse me", &[connection], &due).await?.remove(0);
            ann.browser.approve(&post).await?;
            let story = ann.browser.wait_for(&post, "failed", SOON).await?;
            assert_eq!((&story["error"]["code"], &story["error"]["action"]), (&json!("content_rejected"), &json!("edit")));
            assert!(story["error_log"][0]["message"].is_string());
            // The platform's own words are for operators: names and numbers of its error, in the row of the attempt alone.
            let words = stage.attempt_detail(&post)?;
            assert!(words.starts_with("400 ") && words.len() < 300, "{words}");
            let told = story.to_string();
            for own in [words.as_str(), "invalid-request", "OAuthException", "parameter"] {
                assert!(!told.contains(own), "{platform}: {own:?} in {told}");
            }
            assert_eq!(ann.browser.on_platform(platform, "Refuse me").await?.len(), 0);
            ann.has_quota([12, 0, 0, 12]).await?;
            ann.ledger_adds_up().await?;
            Ok(())
        })
        .await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_puts_a_post_off_and_it_goes_out_when_the_platform_allows() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412345608", "starter", "ann").await?;
        ann.browser.fault("x", &json!({ "kind": "rate_limited", "seconds": 300 })).await?;
        let post = ann.approved_on_x("Not so fast", 0).await?;
        ann.is_put_off(&post, "rate_limited").await?;
        ann.has_quota([12, 0, 1, 11]).await?;
        ann.browser.advance(310).await?;
        ann.browser.wait_for(&post, "published", SOON).await?;
        assert_eq!(ann.times_on_x("Not so fast").await?, 1);
        ann.ledger_adds_up().await?;
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_post_that_waits_may_be_given_a_later_last_moment_after_its_time() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412345607", "starter", "ann").await?;
        ann.browser.fault("x", &json!({ "kind": "rate_limited", "seconds": 300 })).await?;
        let post = ann.approved_on_x("Not so fast", 0).await?;
        let story = ann.is_put_off(&post, "rate_limited").await?;
        ann.browser.advance(120).await?;
        let latest = ann.browser.service_time(6 * 3_600).await?;
        let edited = ann.browser.patch(&format!("/api/posts/{post}"), "\"1\"", &json!({ "latest_at": latest })).await?.expect(200)?.json;
        assert_eq!(edited["scheduled_for"], story["scheduled_for"], "only what was asked for");
        let read = |value: &Value| value.as_str().unwrap_or_default().parse::<Timestamp>();
        assert_eq!(read(&edited["latest_at"])?, read(&json!(latest))?);
        ann.browser.advance(190).await?;
        ann.browser.wait_for(&post, "published", SOON).await?;
        assert_eq!(ann.times_on_x("Not so fast").await?, 1);
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_of_an_account_is_waited_out_by_its_other_posts_without_asking() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412345619", "starter", "ann").await?;
        ann.browser.fault("x", &json!({ "kind": "rate_limited", "seconds": 300 })).await?;
        let first = ann.approved_on_x("The one that meets it", 0).await?;
        ann.is_put_off(&first, "rate_limited").await?;
        let second = ann.approved_on_x("The one that is told", 0).await?;
        let story = ann.is_put_off(&second, "rate_limited").await?;
        assert_eq!(story["attempts"], json!([]), "nobody took it");
        assert_eq!(ann.browser.platform_calls("x").await?["publish"], 1);
        ann.browser.advance(310).await?;
        for post in [&first, &second] {
            ann.browser.wait_for(post, "published", SOON).await?;
        }
        ann.has_quota([12, 2, 0, 10]).await?;
        ann.ledger_adds_up().await?;
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_of_our_app_stops_everybodys_posts_to_the_platform_and_no_others() -> Outcome {
    play_disturbed(async |stage| {
        let ann = stage.person("+61412345620", "starter", "ann").await?;
        let bob = stage.person("+61412345621", "starter", "bob").await?;
        for (kind, status) in [("app_limited", 402), ("app_refused", 403), ("spend_cap", 403), ("month_capped", 429), ("apps_day", 429)] {
            let sent_before = ann.browser.platform_calls("x").await?["publish"].as_u64().unwrap_or(0);
            ann.browser.fault("x", &json!({ "kind": kind })).await?;
            let first = ann.approved_on_x(&format!("The one that meets it: {kind}"), 0).await?;
            let story = ann.is_put_off(&first, "app_unavailable").await?;
            assert_eq!(story["attempts"][0]["http_status"], status);
            let second = bob.approved_on_x(&format!("Somebody else's: {kind}"), 0).await?;
            bob.is_put_off(&second, "app_unavailable").await?;
            assert_eq!(ann.browser.platform_calls("x").await?["publish"], sent_before + 1, "{kind}");
            let due = bob.browser.service_time(0).await?;
            let elsewhere = bob.browser.write(&format!("On another platform: {kind}"), &[&bob.facebook], &due).await?.remove(0);
            bob.browser.approve(&elsewhere).await?;
            bob.browser.wait_for(&elsewhere, "published", SOON).await?;
            ann.browser.advance(15 * 60 + 5).await?;
            ann.browser.wait_for(&first, "published", SOON).await?;
            bob.browser.wait_for(&second, "published", SOON).await?;
        }
        bob.has_quota([12, 10, 0, 2]).await?;
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_meta_says_of_our_app_is_no_pages_fault_and_a_suspected_robot_waits() -> Outcome {
    play_disturbed(async |stage| {
        let ann = stage.person("+61412345622", "starter", "ann").await?;
        for (platform, connection, kind, code) in [
            ("facebook", &ann.facebook, "api_blocked", "app_unavailable"),
            ("facebook", &ann.facebook, "app_deleted", "app_unavailable"),
            ("x", &ann.x, "automated", "rate_limited"),
        ] {
            ann.browser.fault(platform, &json!({ "kind": kind })).await?;
            let due = ann.browser.service_time(0).await?;
            let post = ann.browser.write(kind, &[connection], &due).await?.remove(0);
            ann.browser.approve(&post).await?;
            ann.is_put_off(&post, code).await?;
            ann.browser.advance(15 * 60 + 5).await?;
            ann.browser.wait_for(&post, "published", SOON).await?;
        }
        let standing = ann.browser.get("/api/connections").await?.expect(200)?.json;
        assert!(!standing.to_string().contains("needs_reauth"), "{standing}");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edit_after_scheduling_lets_only_the_new_text_out_at_the_new_time() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412345609", "starter", "ann").await?;
        let post = ann.approved_on_x("Old text", 300).await?;
        let due = ann.browser.service_time(600).await?;
        let edit = json!({ "content": "New text", "scheduled_for": due });
        let path = format!("/api/posts/{post}");
        assert_eq!(ann.browser.patch(&path, "\"7\"", &edit).await?.expect(412)?.json["code"], "stale_version");
        let edited = ann.browser.patch(&path, "\"1\"", &edit).await?.expect(200)?;
        assert_eq!((&edited.json["status"], &edited.json["version"]), (&json!("scheduled"), &json!(2)));
        assert_eq!(edited.headers["etag"], "\"2\"");
        ann.browser.advance(350).await?;
        stage.queue_at_rest().await?;
        assert_eq!(ann.times_on_x("Old text").await?, 0);
        ann.browser.advance(251).await?;
        ann.browser.wait_for(&post, "published", SOON).await?;
        assert_eq!((ann.times_on_x("Old text").await?, ann.times_on_x("New text").await?), (0, 1));
        let late = ann.browser.patch(&path, "\"2\"", &json!({ "content": "Too late" })).await?;
        assert_eq!(late.expect(409)?.json["code"], "state_conflict");
        ann.has_quota([12, 1, 0, 11]).await?;
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_post_never_goes_out_even_if_its_schedule_stays_behind() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412345610", "starter", "ann").await?;
        let post = ann.approved_on_x("Never", 300).await?;
        ann.has_quota([12, 0, 1, 11]).await?;
        stage.fail("scheduler.DeleteSchedule");
        for _ in 0..2 {
            let cancelled = ann.browser.post(&format!("/api/posts/{post}/cancel"), None).await?.expect(200)?;
            assert_eq!(cancelled.json["status"], "cancelled");
        }
        stage.heal();
        ann.has_quota([12, 0, 0, 12]).await?;
        ann.browser.advance(400).await?;
        stage.queue_at_rest().await?;
        assert_eq!(ann.times_on_x("Never").await?, 0);
        ann.ledger_adds_up().await?;
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_quota_that_is_used_up_is_said_and_nothing_more_is_reserved_under_a_rush() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412345611", "starter", "ann").await?;
        let mut posts = Vec::new();
        for n in 0..14 {
            posts.push(ann.written_on_x(&format!("Rush {n}"), 3_000).await?);
        }
        let paths: Vec<_> = posts.iter().map(|post| format!("/api/posts/{post}/approve")).collect();
        let replies = futures::future::join_all(paths.iter().map(|path| ann.browser.post(path, None))).await;
        let mut refused = Vec::new();
        for reply in replies {
            let reply = reply?;
            match reply.status.as_u16() {
                200 => {}
                409 => refused.push(reply.str("/code")?),
                // A cycle that too many change at once says so, and the same call later goes through.
                503 => anyhow::bail!("fourteen at once are not too many: {}", reply.text),
                other => anyhow::bail!("{other}: {}", reply.text),
            }
        }
        assert_eq!(refused, ["quota_exhausted", "quota_exhausted"]);
        ann.has_quota([12, 0, 12, 0]).await?;
        ann.ledger_adds_up().await?;
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_local_time_that_does_not_exist_moves_on_and_the_answer_says_so() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412345612", "starter", "ann").await?;
        let target = json!([{ "connection_id": ann.x }]);
        let written =
            |local: &str| json!({ "content": "In spring", "targets": target, "scheduled_local": local, "time_zone": "America/New_York" });
        let (new_york, half_an_hour) = (TimeZone::get("America/New_York")?, SignedDuration::from_mins(30));
        let mut cases = vec![(new_york.to_datetime(ahead()), ahead(), json!(null))];
        // The next two: clocks go forward in spring and back in autumn.
        let from = ahead() - SignedDuration::from_hours(89 * 24);
        for change in new_york.following(from).take(2) {
            let (at, before) = (change.timestamp(), new_york.to_offset(change.timestamp() - half_an_hour));
            let (instant, told) = if change.offset() > before { (at + half_an_hour, "gap") } else { (at - half_an_hour, "fold") };
            cases.push((before.to_datetime(instant), instant, json!(told)));
        }
        assert_eq!(cases.len(), 3);
        for (local, instant, told) in cases {
            let made = ann.browser.post("/api/posts", Some(&written(&local.to_string()))).await?.expect(201)?;
            assert_eq!(
                (&made.json["items"][0]["scheduled_for"], &made.json["items"][0]["time_adjusted"]),
                (&json!(Time::from(instant)), &told)
            );
        }
        Ok(())
    })
    .await
}

/// The local time that the post's row keeps.
fn stored_local_time(stage: &Stage, post: &str) -> anyhow::Result<Option<String>> {
    let scanned = stage.service().aws().tables("Scan", &json!({ "TableName": tables().posts, "ConsistentRead": true }))?;
    let row = scanned["Items"].as_array().into_iter().flatten().find(|item| item["sk"]["S"] == format!("POST#{post}"));
    Ok(row.unwrap_or(&Value::Null)["local_time"]["S"].as_str().map(str::to_owned))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_local_time_is_kept_until_an_edit_gives_an_instant_or_another_zone() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412345615", "starter", "ann").await?;
        let brisbane = TimeZone::get("Australia/Brisbane")?;
        let in_hours = async |hours: i64| -> anyhow::Result<(String, String)> {
            let instant: Timestamp = ann.browser.service_time(hours * 3_600).await?.parse()?;
            Ok((instant.to_string(), brisbane.to_datetime(instant).to_string()))
        };
        let ((_, first), (instant, other)) = (in_hours(24).await?, in_hours(48).await?);
        let latest = in_hours(49).await?.0;
        let body = json!({ "content": "At nine", "targets": [{ "connection_id": ann.x }],
            "scheduled_local": first, "time_zone": "Australia/Brisbane" });
        let post = ann.browser.post("/api/posts", Some(&body)).await?.expect(201)?.str("/items/0/id")?;
        assert_eq!(stored_local_time(stage, &post)?.as_deref(), Some(first.as_str()));
        ann.browser.approve(&post).await?;
        let edits = [
            (json!({ "content": "At nine, or so" }), Some(&first)),
            (json!({ "scheduled_local": other, "time_zone": "Australia/Brisbane" }), Some(&other)),
            (json!({ "latest_at": latest }), Some(&other)),
            (json!({ "time_zone": "Australia/Brisbane" }), Some(&other)),
            (json!({ "time_zone": "Europe/Berlin" }), None),
            (json!({ "scheduled_local": other, "time_zone": "Australia/Brisbane" }), Some(&other)),
            (json!({ "scheduled_for": instant, "time_zone": "Australia/Brisbane" }), None),
            (json!({ "latest_at": latest }), None),
        ];
        for (version, (edit, kept)) in (1..).zip(edits) {
            ann.browser.patch(&format!("/api/posts/{post}"), &format!("\"{version}\""), &edit).await?.expect(200)?;
            assert_eq!(stored_local_time(stage, &post)?.as_ref(), kept, "{edit}");
        }
        let by_instant = ann.written_on_x("At an instant", 3_600).await?;
        assert_eq!(stored_local_time(stage, &by_instant)?, None);
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edit_of_the_time_keeps_how_late_its_owner_allows() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412345613", "starter", "ann").await?;
        let (due, moved, ten_minutes) = (ahead(), ahead() + SignedDuration::from_hours(27), SignedDuration::from_mins(10));
        let body = json!({ "content": "Narrow", "targets": [{ "connection_id": ann.x }],
            "scheduled_for": due, "latest_at": due + ten_minutes });
        let made = ann.browser.post("/api/posts", Some(&body)).await?.expect(201)?;
        let path = format!("/api/posts/{}", made.str("/items/0/id")?);
        let edited = ann.browser.patch(&path, "\"1\"", &json!({ "scheduled_for": moved })).await?.expect(200)?;
        assert_eq!(edited.json["latest_at"], json!(Time::from(moved + ten_minutes)));
        let same = ann.browser.patch(&path, "\"2\"", &json!({})).await?.expect(200)?;
        assert_eq!(same.json["version"], 2, "an edit that changes nothing is none");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_post_is_tried_again_under_a_new_version_and_paid_for_once() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412345614", "starter", "ann").await?;
        ann.browser.fault("x", &json!({ "kind": "reject" })).await?;
        let post = ann.approved_on_x("Second time lucky", 0).await?;
        ann.browser.wait_for(&post, "failed", SOON).await?;
        ann.has_quota([12, 0, 0, 12]).await?;
        let path = format!("/api/posts/{post}/retry");
        let refusal = ann.browser.post(&path, Some(&json!({ "scheduled_for": "2020-01-01T00:00:00Z" }))).await?.expect(422)?;
        assert_eq!(refusal.json["errors"][0]["code"], "due_in_past");
        let due = ann.browser.service_time(300).await?;
        let retried = ann.browser.post(&path, Some(&json!({ "scheduled_for": due }))).await?.expect(200)?;
        assert_eq!((&retried.json["status"], &retried.json["version"]), (&json!("scheduled"), &json!(2)));
        assert_eq!(retried.json["error_log"][0]["code"], "content_rejected");
        ann.has_quota([12, 0, 1, 11]).await?;
        assert_eq!(ann.browser.post(&path, None).await?.expect(409)?.json["code"], "state_conflict");
        ann.browser.advance(301).await?;
        let story = ann.browser.wait_for(&post, "published", SOON).await?;
        assert_eq!(story["attempt_count"], 2);
        assert_eq!(ann.times_on_x("Second time lucky").await?, 1);
        ann.has_quota([12, 1, 0, 11]).await?;
        ann.ledger_adds_up().await?;
        assert_eq!(ann.browser.post(&path, None).await?.expect(409)?.json["code"], "state_conflict");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missed_post_is_tried_again_at_once_and_keeps_its_window() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412345615", "starter", "ann").await?;
        let due = ann.browser.service_time(300).await?.parse::<jiff::Timestamp>()?;
        let body = json!({ "content": "Narrow", "targets": [{ "connection_id": ann.x }], "scheduled_for": due.to_string(),
            "latest_at": (due + jiff::SignedDuration::from_mins(2)).to_string() });
        let post = ann.browser.post("/api/posts", Some(&body)).await?.expect(201)?.str("/items/0/id")?;
        stage.fail("scheduler.CreateSchedule");
        ann.browser.approve(&post).await?;
        ann.browser.advance(600).await?;
        stage.heal();
        ann.browser.wait_for(&post, "missed", SOON).await?;
        let retried = ann.browser.post(&format!("/api/posts/{post}/retry"), None).await?.expect(200)?;
        let at = |field: &str| retried.json[field].as_str().unwrap().parse::<jiff::Timestamp>();
        assert_eq!(at("latest_at")?.duration_since(at("scheduled_for")?), jiff::SignedDuration::from_mins(2));
        ann.browser.wait_for(&post, "published", SOON).await?;
        ann.has_quota([12, 1, 0, 11]).await?;
        ann.ledger_adds_up().await?;
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_owner_found_for_one_post_is_not_taken_for_its_twin() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412345655", "starter", "ann").await?;
        for kind in ["drop_before", "drop_after"] {
            ann.browser.fault("x", &json!({ "kind": kind })).await?;
        }
        let posts = [ann.approved_on_x("One of us is there", 0).await?, ann.approved_on_x("One of us is there", 0).await?];
        for post in &posts {
            ann.browser.wait_for(post, "unknown", SOON).await?;
        }
        let seen = json!({ "outcome": "published" });
        ann.browser.post(&format!("/api/posts/{}/resolve", posts[1]), Some(&seen)).await?.expect(200)?;
        ann.browser.advance(UNTIL_SEARCH_SECS).await?;
        let story = ann.browser.wait_for(&posts[0], "needs_review", SOON).await?;
        assert_eq!((&story["platform_post_id"], &story["attempts"][1]["outcome"]), (&json!(null), &json!("not_found")));
        ann.has_quota([12, 1, 1, 10]).await?;
        ann.ledger_adds_up().await?;
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_its_owner_overlooked_is_found_when_the_platform_refuses_it_as_a_duplicate() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412345629", "starter", "ann").await?;
        ann.browser.fault("x", &json!({ "kind": "drop_after" })).await?;
        ann.browser.fault("x", &json!({ "kind": "list_lag", "seconds": 300 })).await?;
        let post = ann.approved_on_x("Have you looked?", 0).await?;
        ann.browser.wait_for(&post, "unknown", SOON).await?;
        let absent = json!({ "outcome": "not_published" });
        let early = ann.browser.post(&format!("/api/posts/{post}/resolve"), Some(&absent)).await?.expect(409)?;
        assert_eq!(early.json["code"], "post_in_flight", "it may still be on its way");
        ann.browser.advance(UNTIL_SEARCH_SECS).await?;
        stage.queue_at_rest().await?;
        ann.browser.post(&format!("/api/posts/{post}/resolve"), Some(&absent)).await?.expect(200)?;
        ann.browser.advance(15 * 60).await?;
        ann.browser.post(&format!("/api/posts/{post}/retry"), None).await?.expect(200)?;
        ann.browser.wait_for(&post, "unknown", SOON).await?;
        ann.browser.advance(UNTIL_SEARCH_SECS).await?;
        let story = ann.browser.wait_for(&post, "published", SOON).await?;
        let shown = ann.browser.on_platform("x", "Have you looked?").await?;
        assert_eq!((shown.len(), &shown[0]["id"]), (1, &story["platform_post_id"]));
        ann.has_quota([12, 1, 0, 11]).await?;
        ann.ledger_adds_up().await?;
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_owner_ends_the_doubt_about_a_post_and_may_try_again() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412345616", "starter", "ann").await?;
        for _ in 0..2 {
            ann.browser.fault("x", &json!({ "kind": "drop_before" })).await?;
        }
        let (there, gone) = (ann.approved_on_x("Was it found?", 0).await?, ann.approved_on_x("Was it lost?", 0).await?);
        ann.browser.wait_for(&there, "unknown", SOON).await?;
        ann.browser.wait_for(&gone, "unknown", SOON).await?;
        ann.browser.advance(UNTIL_SEARCH_SECS).await?;
        stage.queue_at_rest().await?;
        ann.has_quota([12, 0, 2, 10]).await?;
        let resolve = |post: &str| format!("/api/posts/{post}/resolve");
        let odd = json!({ "outcome": "published", "url": "javascript:alert(1)" });
        assert_eq!(ann.browser.post(&resolve(&there), Some(&odd)).await?.expect(422)?.json["errors"][0]["pointer"], "/url");
        for _ in 0..2 {
            let seen = json!({ "outcome": "published", "url": "https://x.com/ann/status/7" });
            let published = ann.browser.post(&resolve(&there), Some(&seen)).await?.expect(200)?;
            assert_eq!((&published.json["status"], &published.json["platform_url"]), (&json!("published"), &seen["url"]));
            let failed = ann.browser.post(&resolve(&gone), Some(&json!({ "outcome": "not_published" }))).await?.expect(200)?;
            assert_eq!((&failed.json["status"], &failed.json["error"]["code"]), (&json!("failed"), &json!("reported_missing")));
        }
        ann.has_quota([12, 1, 0, 11]).await?;
        let too_late = ann.browser.post(&resolve(&there), Some(&json!({ "outcome": "not_published" }))).await?;
        assert_eq!(too_late.expect(409)?.json["code"], "state_conflict");
        ann.browser.post(&format!("/api/posts/{gone}/retry"), None).await?.expect(200)?;
        ann.browser.wait_for(&gone, "published", SOON).await?;
        let story = ann.browser.post_story(&there).await?;
        let ending = story["events"].as_array().unwrap().last().unwrap().clone();
        assert_eq!((&ending["from"], &ending["to"], &ending["actor"]), (&json!("unknown"), &json!("published"), &json!("user")));
        ann.has_quota([12, 2, 0, 10]).await?;
        ann.ledger_adds_up().await?;
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_of_long_texts_ends_early_and_the_next_one_goes_on() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412345690", "starter", "ann").await?;
        // The longest text there is, three bytes a letter: ten of them are more than a function may answer in one go.
        let text = "\u{6f22}".repeat(63_206);
        let mut written = Vec::new();
        for n in 0..20 {
            let due = ann.browser.service_time(86_400 + n).await?;
            written.push(ann.browser.write(&text, &[&ann.facebook], &due).await?.remove(0));
        }
        let (mut listed, mut pages, mut cursor) = (Vec::new(), 0, String::new());
        for _ in 0..written.len() {
            let page = ann.browser.get(&format!("/api/posts?limit=100{cursor}")).await?.expect(200)?.json;
            pages += 1;
            listed.extend(page["items"].as_array().into_iter().flatten().map(|post| post["id"].as_str().unwrap_or_default().to_owned()));
            let Some(next) = page["next_cursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(listed, written);
        assert!((3..=10).contains(&pages), "{pages} pages");
        // What would be doubled in JSON is no note.
        let body = json!({
            "content": "Hi", "targets": [{ "connection_id": ann.x }], "scheduled_for": ann.browser.service_time(86_400).await?,
            "ai_recommendation": "\u{1}".repeat(8_000),
        });
        let refused = ann.browser.post("/api/posts", Some(&body)).await?.expect(422)?;
        assert_eq!(refused.json["errors"][0]["code"], "text_forbidden_character");
        Ok(())
    })
    .await
}
