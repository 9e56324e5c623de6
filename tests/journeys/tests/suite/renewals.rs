//! Accounts that post nothing for long: their grants are renewed, and where one has ended its owner is told before a post is due.

use std::time::Instant;

use domain::id::UserId;
use journeys::{Person, SOON, Stage, play, play_disturbed};
use local::variables::tables;
use serde_json::{Value, json};
use store::Store;

use crate::until;

type Outcome = anyhow::Result<()>;

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;
/// Longer than a quarter of what a refresh token of X lives, and shorter than half of it.
const A_WHILE: i64 = 46 * DAY;
/// How long it lives.
const REFRESH_LIFE: i64 = 180 * DAY;
/// The next run, in seconds.
const A_RUN: i64 = 301;

/// How often a platform was asked to renew a grant.
async fn renewals(person: &Person, platform: &str) -> anyhow::Result<u64> {
    Ok(person.browser.platform_calls(platform).await?["refresh"].as_u64().unwrap_or_default())
}

/// Waits until X was asked so often.
async fn are_renewed(person: &Person, times: u64) -> Outcome {
    let end = Instant::now() + SOON;
    loop {
        let seen = renewals(person, "x").await?;
        if seen == times {
            return Ok(());
        }
        anyhow::ensure!(Instant::now() < end && seen < times, "{seen} renewals, and not {times}");
        tokio::task::yield_now().await;
    }
}

/// The texts to a phone that ask to connect again.
async fn asked(person: &Person, phone: &str) -> anyhow::Result<Vec<String>> {
    let inbox = person.browser.get("/_local/inbox").await?.expect(200)?;
    let texts = inbox.json["items"].as_array().cloned().unwrap_or_default();
    let to_them = texts.into_iter().filter(|text| text["to"] == phone);
    let told = to_them.filter_map(|text| text["text"].as_str().map(str::to_owned));
    Ok(told.filter(|text| text.contains("please connect")).collect())
}

/// The connections of a platform, as their owner sees them.
async fn shown(person: &Person, platform: &str) -> anyhow::Result<Vec<Value>> {
    let listed = person.browser.get("/api/connections").await?.expect(200)?;
    let all = listed.json["items"].as_array().cloned().unwrap_or_default();
    Ok(all.into_iter().filter(|connection| connection["platform"] == platform).collect())
}

/// The sum of what a metric has counted so far.
fn counted(stage: &Stage, name: &str) -> f64 {
    stage.log().iter().filter_map(|line| serde_json::from_str::<Value>(line).ok()).filter_map(|line| line[name].as_f64()).sum()
}

/// Waits for a run that began after this call.
async fn a_whole_run(stage: &Stage, person: &Person) -> Outcome {
    let runs = || stage.log().iter().filter(|line| line.contains("\"grants looked after\"")).count();
    // The one that is on may have begun before.
    for _ in 0..2 {
        let before = runs();
        person.browser.advance(A_RUN).await?;
        until("grants are looked after", || runs() > before).await?;
    }
    Ok(())
}

async fn signed_in_again(person: &mut Person, phone: &str) -> Outcome {
    person.browser.sign_in(phone).await.map(drop)
}

async fn attention(person: &Person) -> anyhow::Result<u64> {
    let page = person.browser.get("/api/user/status").await?.expect(200)?;
    Ok(page.json["attention"]["reconnect"].as_u64().unwrap_or_default())
}

async fn row(stage: &Stage, person: &Person, connection: &str) -> anyhow::Result<domain::connection::Connection> {
    let store = Store::new(&stage.service().aws().sdk_config(), tables());
    let user = UserId::parse(&person.id().await?)?;
    let connections = store.connections(&user).await?;
    connections.into_iter().find(|one| one.id.as_str() == connection).ok_or_else(|| anyhow::anyhow!("no connection"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_that_posts_nothing_outlives_its_refresh_token() -> Outcome {
    play(async |stage| {
        let phone = "+61412348001";
        let mut ann = stage.person(phone, "starter", "ann").await?;
        let (mut times, mut passed) = (0, 0);
        while passed < REFRESH_LIFE + A_WHILE {
            ann.browser.advance(A_WHILE).await?;
            (times, passed) = (times + 1, passed + A_WHILE);
            are_renewed(&ann, times).await?;
        }
        assert_eq!(renewals(&ann, "facebook").await?, 0, "a Page's token has no end");
        signed_in_again(&mut ann, phone).await?;
        assert_eq!(attention(&ann).await?, 0);
        let post = ann.approved_on_x("Here again", 0).await?;
        ann.browser.wait_for(&post, "published", SOON).await?;
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_grant_is_renewed_once_and_not_again_before_a_fifth_of_its_new_life() -> Outcome {
    play(async |stage| {
        let phone = "+61412348002";
        let mut ann = stage.person(phone, "starter", "ann").await?;
        ann.browser.advance(35 * DAY).await?;
        a_whole_run(stage, &ann).await?;
        assert_eq!(renewals(&ann, "x").await?, 0, "a fifth of its life is not over");
        ann.browser.advance(11 * DAY).await?;
        are_renewed(&ann, 1).await?;
        signed_in_again(&mut ann, phone).await?;
        let renewed = row(stage, &ann, &ann.x).await?;
        let next = renewed.life.renew_at.map(|at| at.duration_since(renewed.life.granted_at).as_secs());
        assert!(next.is_some_and(|after| (36 * DAY..45 * DAY).contains(&after)), "{renewed:?}");
        // What a post renews, nobody renews for its age.
        ann.browser.advance(20 * DAY).await?;
        signed_in_again(&mut ann, phone).await?;
        let post = ann.approved_on_x("In the middle", 0).await?;
        ann.browser.wait_for(&post, "published", SOON).await?;
        ann.browser.advance(26 * DAY).await?;
        a_whole_run(stage, &ann).await?;
        signed_in_again(&mut ann, phone).await?;
        let after = row(stage, &ann, &ann.x).await?;
        assert!((counted(stage, "grants_renewed") - 1.0).abs() < f64::EPSILON, "{after:?}");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_platform_that_is_down_is_asked_again_later_and_costs_no_account() -> Outcome {
    play(async |stage| {
        let phone = "+61412348003";
        let mut ann = stage.person(phone, "starter", "ann").await?;
        ann.browser.fault("x", &json!({ "kind": "rate_limited", "on": "refresh", "times": 2 })).await?;
        ann.browser.advance(A_WHILE).await?;
        are_renewed(&ann, 1).await?;
        a_whole_run(stage, &ann).await?;
        assert!(counted(stage, "grants_put_off") >= 1.0);
        assert_eq!(renewals(&ann, "x").await?, 1, "it is not asked at each run");
        ann.browser.advance(6 * HOUR).await?;
        are_renewed(&ann, 2).await?;
        ann.browser.advance(6 * HOUR + A_RUN).await?;
        are_renewed(&ann, 3).await?;
        until("the third is counted", || counted(stage, "grants_renewed") >= 1.0).await?;
        signed_in_again(&mut ann, phone).await?;
        assert_eq!(attention(&ann).await?, 0);
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_grant_that_has_ended_is_told_before_its_posts_are_due_and_they_go_on_after_the_reconnect() -> Outcome {
    play(async |stage| {
        let phone = "+61412348004";
        let mut ann = stage.person(phone, "starter", "ann").await?;
        let post = ann.approved_on_x("In two months", 60 * DAY).await?;
        ann.browser.fault("x", &json!({ "kind": "token_revoked", "account": "ann" })).await?;
        ann.browser.advance(A_WHILE).await?;
        until("it is found out", || counted(stage, "grants_over") >= 1.0).await?;
        signed_in_again(&mut ann, phone).await?;
        ann.browser.advance(61).await?;
        let story = ann.browser.wait_for(&post, "held", SOON).await?;
        assert_eq!((&story["error"]["code"], &story["error"]["action"]), (&json!("reconnect_needed"), &json!("reconnect")));
        assert_eq!(attention(&ann).await?, 1);
        // Nobody asks for a grant that is over again.
        let told = renewals(&ann, "x").await?;
        a_whole_run(stage, &ann).await?;
        ann.browser.connect("x", &[("account", "ann")], &[]).await?;
        assert_eq!((renewals(&ann, "x").await?, attention(&ann).await?), (told, 0));
        ann.browser.advance(61).await?;
        ann.browser.wait_for(&post, "scheduled", SOON).await?;
        ann.browser.advance(60 * DAY - A_WHILE).await?;
        signed_in_again(&mut ann, phone).await?;
        ann.browser.wait_for(&post, "published", SOON).await?;
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_owner_is_asked_once_ahead_of_time_where_only_they_can_renew_and_posts_wait_at_the_end() -> Outcome {
    play(async |stage| {
        let phone = "+61412348006";
        let mut ann = stage.person(phone, "starter", "ann").await?;
        let account = ann.browser.connect("linkedin", &[("organization", "none")], &[]).await?.remove(0);
        let due = ann.browser.service_time(70 * DAY).await?;
        let post = ann.browser.write("In ten weeks", &[&account], &due).await?.remove(0);
        ann.browser.approve(&post).await?;
        ann.browser.advance(52 * DAY).await?;
        a_whole_run(stage, &ann).await?;
        assert!(asked(&ann, phone).await?.is_empty(), "it is not a week ahead");
        ann.browser.advance(DAY + HOUR).await?;
        for _ in 0..3 {
            a_whole_run(stage, &ann).await?;
        }
        signed_in_again(&mut ann, phone).await?;
        let texts = asked(&ann, phone).await?;
        let [told] = shown(&ann, "linkedin").await?.try_into().expect("one account");
        let by = told["reconnect_by"].as_str().unwrap_or_default().to_owned();
        assert_eq!((texts.len(), attention(&ann).await?), (1, 1), "{texts:?}");
        assert!(texts[0].contains("LinkedIn") && !by.is_empty(), "{texts:?} {told}");
        assert_eq!((&told["health"], &told["is_active"]), (&json!("ok"), &json!(true)), "until then it works");
        assert_eq!(ann.browser.post_story(&post).await?["status"], "scheduled");

        ann.browser.advance(7 * DAY).await?;
        until("its end is seen", || counted(stage, "grants_over") >= 1.0).await?;
        signed_in_again(&mut ann, phone).await?;
        ann.browser.advance(61).await?;
        assert_eq!(ann.browser.wait_for(&post, "held", SOON).await?["error"]["action"], "reconnect");
        let [over] = shown(&ann, "linkedin").await?.try_into().expect("one account");
        assert_eq!((&over["health"], attention(&ann).await?), (&json!("needs_reauth"), 1));
        assert_eq!(ann.browser.connect("linkedin", &[("organization", "none")], &[]).await?, [account]);
        ann.browser.advance(61).await?;
        ann.browser.wait_for(&post, "scheduled", SOON).await?;
        let [back] = shown(&ann, "linkedin").await?.try_into().expect("one account");
        assert_eq!((&back["reconnect_by"], attention(&ann).await?), (&Value::Null, 0));
        // Some two hours of the ten weeks have passed beside the days.
        ann.browser.advance(10 * DAY - 2 * HOUR).await?;
        signed_in_again(&mut ann, phone).await?;
        ann.browser.advance(HOUR / 3).await?;
        ann.browser.wait_for(&post, "published", SOON).await?;
        assert_eq!(asked(&ann, phone).await?.len(), 1);
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn accounts_of_one_consent_are_one_text() -> Outcome {
    play(async |stage| {
        let phone = "+61412348007";
        let mut ann = stage.person(phone, "starter", "ann").await?;
        let accounts = ann.browser.connect("linkedin", &[], &[]).await?;
        assert!(accounts.len() > 1);
        ann.browser.advance(53 * DAY + HOUR).await?;
        a_whole_run(stage, &ann).await?;
        signed_in_again(&mut ann, phone).await?;
        let told = shown(&ann, "linkedin").await?;
        assert!(told.iter().all(|account| account["reconnect_by"].is_string()), "{told:#?}");
        assert_eq!(asked(&ann, phone).await?.len(), 1);
        assert_eq!(attention(&ann).await?, u64::try_from(accounts.len())?);
        // Who does as the text says connects one of them again: the consent brings all, and all live on.
        let again = format!("/oauth/linkedin/start?return_to=/connections&reconnect={}", accounts[0]);
        let callback = ann.browser.consent_from(&again, "allow", &[]).await?;
        let back = ann.browser.get(&callback).await?.location()?;
        assert!(back.contains(&format!("connected={}", accounts[0])), "{back}");
        let told = shown(&ann, "linkedin").await?;
        assert!(told.iter().all(|account| account["reconnect_by"].is_null() && account["health"] == "ok"), "{told:#?}");
        assert_eq!(attention(&ann).await?, 0);
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_grant_that_cannot_be_looked_after_keeps_no_other_from_being_renewed() -> Outcome {
    play_disturbed(async |stage| {
        let ann = stage.person("+61412348005", "starter", "ann").await?;
        let mut accounts = Vec::new();
        for account in ["bob", "eve"] {
            accounts.extend(ann.browser.connect("x", &[("account", account)], &[]).await?);
        }
        let aws = stage.service().aws();
        // Whoever changes the one panics, and the other cannot be read.
        let spoilt = [(&accounts[0], "rev", json!({ "N": u64::MAX.to_string() })), (&accounts[1], "scopes", json!({ "S": "odd" }))];
        for (connection, name, value) in spoilt {
            let scanned = aws.tables("Scan", &json!({ "TableName": tables().users, "ConsistentRead": true }))?;
            let rows = scanned["Items"].as_array().cloned().unwrap_or_default();
            let mut row = rows.into_iter().find(|row| row["sk"]["S"] == format!("CONNECTION#{connection}")).unwrap_or_default();
            row[name] = value;
            aws.tables("PutItem", &json!({ "TableName": tables().users, "Item": row }))?;
        }
        ann.browser.advance(A_WHILE).await?;
        are_renewed(&ann, 1).await?;
        until("both are told", || counted(stage, "renewals_failed") >= 2.0).await?;
        for connection in &accounts {
            let told = |line: &String| line.contains("a grant could not be looked after") && line.contains(connection.as_str());
            assert!(stage.log().iter().any(told), "{connection}");
        }
        Ok(())
    })
    .await
}
