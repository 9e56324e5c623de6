//! What one person may have and what one answer may hold: tried from all sides at once, a little below the bound.

use std::collections::BTreeSet;

use anyhow::ensure;
use futures::future::try_join_all;
use journeys::{Person, SOON, Stage, play};
use local::Browser;
use security::attack::has_our_headers;
use security::copies;
use security::rush::{RUSH, Rush, rush};
use security::scene::request_of;
use security::state::State;
use security::tell;
use security::wire::{Answer, parameter};
use serde_json::{Value, json};

use super::races::{call, until_answered};

type Outcome = anyhow::Result<()>;

/// How many accounts a person connects.
const CONNECTIONS_MAX: usize = 100;
/// How many drafts a person keeps.
const DRAFTS_MAX: usize = 1_000;
/// What a function answers with at most. Lambda takes 6 MB, also where this goes as base64.
const ANSWER_BYTES_MAX: usize = 4 * 1_024 * 1_024;
/// More pages than any list here has.
const PAGES_MAX: usize = 40;
const LATER_SECS: i64 = 2 * 24 * 3_600;

/// The target of a callback that would connect an account of X.
async fn callback(stage: &Stage, person: &Person, account: &str) -> anyhow::Result<String> {
    let address = person.browser.consent_until_callback("x", "allow", &[("account", account)]).await?;
    Ok(address.strip_prefix(stage.service().base_url()).unwrap_or(&address).to_owned())
}

/// How many secrets of connections the vault holds.
fn vaulted(stage: &Stage) -> anyhow::Result<usize> {
    Ok(stage.service().aws().secret_names()?.iter().filter(|name| name.contains("/connection/")).count())
}

/// Whether everyone who met the bound is told what to do.
fn all_say(answers: &Rush, words: &str) -> Outcome {
    let silent = answers.0.iter().find(|answer| answer.status == 409 && !says(answer, words));
    ensure!(silent.is_none(), "not {words:?}: {silent:?}");
    Ok(())
}

fn says(answer: &Answer, words: &str) -> bool {
    answer.json["detail"].as_str().is_some_and(|detail| detail.contains(words))
}

/// Every page of a list, or every file of an export.
async fn pages(browser: &Browser, first: &str) -> anyhow::Result<Vec<Answer>> {
    let (mut pages, mut target) = (Vec::new(), first.to_owned());
    for _ in 0..PAGES_MAX {
        let page = request_of(browser, "GET", &target).send(browser.base_url()).await?.expect(200)?;
        let link = page.header("link").and_then(|link| link.strip_prefix('<')?.split('>').next()).map(str::to_owned);
        let cursor = page.json["next_cursor"].as_str().map(|cursor| format!("{first}&cursor={cursor}"));
        pages.push(page);
        match link.or(cursor) {
            Some(next) => target = next,
            None => return Ok(pages),
        }
    }
    anyhow::bail!("{first} does not end")
}

fn ids(pages: &[Answer]) -> BTreeSet<&str> {
    let items = pages.iter().flat_map(|page| page.json["items"].as_array().into_iter().flatten());
    items.filter_map(|item| item["id"].as_str()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_connects_a_hundred_accounts_however_many_callbacks_come_at_once() -> Outcome {
    const ROOM: usize = 3;
    play(async |stage| {
        let ann = stage.person("+61412345761", "starter", "ann").await?;
        let (base, user) = (stage.service().base_url(), ann.id().await?);
        // X and Facebook stand already.
        copies::connections(stage, &user, &ann.x, CONNECTIONS_MAX - 2 - ROOM)?;
        let mut calls = Vec::new();
        for number in 0..10 {
            let target = callback(stage, &ann, &format!("account_{number}")).await?;
            calls.extend(vec![call(&ann.browser, "GET", &target, None); 3]);
        }
        let callbacks = calls.len();
        // Who chooses among Pages connects at another address.
        let choice = parameter(ann.browser.consent("facebook", "allow", &[]).await?.as_str(), "choose");
        let garden = json!({ "account_ids": ["100000000000002"] });
        let choose = call(&ann.browser, "POST", &format!("/api/connections/choices/{choice}"), Some(&garden));
        calls.extend(vec![choose; 5]);

        let (before, secrets) = (State::read(stage).await?, vaulted(stage)?);
        let (answers, count) = until_answered(stage, calls).await?;
        answers.only(&[(303, ""), (201, ""), (409, "state_conflict")])?;
        all_say(&answers, "Disconnect one first")?;
        let locations: Vec<&str> = answers.0.iter().filter_map(|answer| answer.header("location")).collect();
        let connected: BTreeSet<String> =
            locations.iter().map(|to| parameter(to, "connected")).filter(|connection| !connection.is_empty()).collect();
        let chosen = usize::from(answers.count(201) > 0);
        assert_eq!(connected.len() + chosen, ROOM, "{locations:?}");
        let refused = locations.iter().filter(|to| to.ends_with("/connections?error=too_many_connections")).count();
        assert_eq!(refused, callbacks - 3 * connected.len(), "all callbacks of one consent are told the same: {locations:?}");

        let after = State::read(stage).await?;
        assert_eq!(after.count(" CONNECTION#"), CONNECTIONS_MAX);
        assert_eq!(after.count(" ACCOUNT#"), before.count(" ACCOUNT#") + ROOM);
        assert_eq!(vaulted(stage)?, secrets + ROOM, "what was refused left no tokens behind");
        assert_eq!(after.count(" LEFTOVERS "), before.count(" LEFTOVERS "), "and nothing to be cleared up");

        let late = callback(stage, &ann, "one_more").await?;
        let before = State::read(stage).await?;
        let refused = call(&ann.browser, "GET", &late, None).send(base).await?.expect(303)?;
        assert_eq!(parameter(refused.header("location").unwrap_or_default(), "error"), "too_many_connections");
        let changed = before.differences(&State::read(stage).await?, &["FLOW#", "sim x calls"]);
        assert!(changed.is_empty(), "{changed:#?}");
        // Who chooses among Pages of which none is connected is told what to do.
        let pages = [("page", "100000000000003"), ("page", "100000000000004")];
        let choice = parameter(ann.browser.consent("facebook", "allow", &pages).await?.as_str(), "choose");
        let cafe = json!({ "account_ids": ["100000000000003"] });
        let choose = call(&ann.browser, "POST", &format!("/api/connections/choices/{choice}"), Some(&cafe));
        let refused = choose.send(base).await?.expect(409)?;
        ensure!(refused.code() == "state_conflict" && says(&refused, "Disconnect one first"), "{}", refused.told());
        // One that is disconnected makes room for one.
        ann.browser.delete(&format!("/api/connections/{}", ann.x)).await?.expect(204)?;
        let again = callback(stage, &ann, "one_more").await?;
        let shown = call(&ann.browser, "GET", &again, None).send(base).await?.expect(303)?;
        assert!(shown.header("location").is_some_and(|to| to.contains("/connections?connected=")), "{}", shown.told());
        assert_eq!(State::read(stage).await?.count(" CONNECTION#"), CONNECTIONS_MAX);
        tell(count + 3, "calls at once on a person's last accounts");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_keeps_a_thousand_drafts_however_many_are_written_at_once() -> Outcome {
    const ROOM: usize = 5;
    play(async |stage| {
        let ann = stage.person("+61412345762", "starter", "ann").await?;
        let (base, user) = (stage.service().base_url(), ann.id().await?);
        ann.browser.fault("x", &json!({ "kind": "reject" })).await?;
        let failed = ann.approved_on_x("Refused", 0).await?;
        let version = ann.browser.wait_for(&failed, "failed", SOON).await?["version"].clone();
        let first = ann.written_on_x("A draft", LATER_SECS).await?;
        let copied = copies::drafts(stage, &user, &first, DRAFTS_MAX - 1 - ROOM)?;

        let due = ann.browser.service_time(LATER_SECS).await?;
        let write = |connections: &[&str]| {
            let targets: Vec<Value> = connections.iter().map(|id| json!({ "connection_id": id })).collect();
            let body = json!({ "content": "One more", "targets": targets, "scheduled_for": due });
            call(&ann.browser, "POST", "/api/posts", Some(&body))
        };
        let (one, two) = (write(&[ann.x.as_str()]), write(&[ann.x.as_str(), ann.facebook.as_str()]));
        // A post that failed is a draft again once it is edited.
        let edited = json!({ "content": "Edited", "scheduled_for": due });
        let edit = call(&ann.browser, "PATCH", &format!("/api/posts/{failed}"), Some(&edited)).with("if-match", &format!("\"{version}\""));
        let mut calls: Vec<_> = (0..RUSH).map(|n| if n % 3 == 1 { two.clone() } else { one.clone() }).collect();
        calls.extend(vec![edit; 6]);
        let (answers, count) = until_answered(stage, calls).await?;
        answers.only(&[(201, ""), (200, ""), (409, "state_conflict"), (412, "stale_version")])?;
        all_say(&answers, "Approve, cancel or delete some first")?;
        let listed = pages(&ann.browser, "/api/posts?status=draft&limit=100").await?;
        assert_eq!(ids(&listed).len(), DRAFTS_MAX);
        let full = State::read(stage).await?;
        let counted = full.kept().find(|(place, _)| place.ends_with(" DRAFTS")).map(|(_, kept)| kept).unwrap_or_default();
        assert!(counted.starts_with("drafts=1000;"), "{counted}");

        for request in [&one, &two] {
            let refused = request.send(base).await?.expect(409)?;
            ensure!(refused.code() == "state_conflict" && says(&refused, "Approve, cancel or delete some first"), "{}", refused.told());
        }
        let changed = full.differences(&State::read(stage).await?, &[]);
        assert!(changed.is_empty(), "no draft is kept in part: {changed:#?}");
        // Whoever does what the refusal says may send the same again, under the same key.
        let under_key = one.clone().with("idempotency-key", "one-more");
        under_key.send(base).await?.expect(409)?;
        ann.browser.delete(&format!("/api/posts/{}", copied[0])).await?.expect(204)?;
        under_key.send(base).await?.expect(201)?;
        one.send(base).await?.expect(409)?;
        tell(count + 5, "calls at once on a person's last drafts");
        Ok(())
    })
    .await
}

/// Whether a function may answer with it.
fn fits(answer: &Answer) -> Outcome {
    ensure!(answer.text.len() <= ANSWER_BYTES_MAX, "{} bytes", answer.text.len());
    has_our_headers(answer)
}

/// Texts that grow on their way out, each with how many drafts of it one request makes: as JSON, as CSV, or because of their letters.
const GROWING: [(&str, usize, usize); 4] = [("\"", 63_000, 20), ("\\", 63_000, 20), ("a\n", 31_500, 20), ("\u{3042}", 63_000, 15)];
/// All of them.
const GROWN: usize = 75;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_answer_is_longer_than_may_be_sent_whatever_its_letters_become() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412345763", "starter", "ann").await?;
        let (base, user) = (stage.service().base_url(), ann.id().await?);
        let connections = copies::connections(stage, &user, &ann.facebook, 20)?;
        let targets: Vec<Value> = connections.iter().map(|id| json!({ "connection_id": id })).collect();
        let due = ann.browser.service_time(LATER_SECS).await?;
        let write = |text: &str, targets: &[Value]| {
            let body = json!({ "content": text, "targets": targets, "scheduled_for": due });
            call(&ann.browser, "POST", "/api/posts", Some(&body))
        };

        // A request that is short, and whose drafts no transaction and no answer holds.
        let before = State::read(stage).await?;
        let short = write(&"\u{3042}".repeat(63_000), &targets);
        let answers = rush(base, vec![short; 10]).await?;
        answers.only(&[(413, "payload_too_large")])?;
        assert!(answers.0.iter().all(|answer| says(answer, "Name fewer targets at once")));
        let changed = before.differences(&State::read(stage).await?, &[]);
        assert!(changed.is_empty(), "no draft is made: {changed:#?}");

        // The longest ones that are taken, told once more under their keys.
        for (n, (letters, times, drafts)) in GROWING.into_iter().enumerate() {
            let request = write(&letters.repeat(times), &targets[..drafts]).with("idempotency-key", &format!("long-{n}"));
            let (made, again) = (request.send(base).await?.expect(201)?, request.send(base).await?.expect(201)?);
            assert!(made.text == again.text && again.header("idempotency-replayed") == Some("true"), "{letters:?}");
            fits(&made)?;
        }

        let lists = ["/api/posts?limit=100", "/api/posts?limit=100&order=desc", "/api/posts?status=draft&limit=100"];
        let mut calls = 0;
        for list in try_join_all(lists.map(|first| pages(&ann.browser, first))).await? {
            list.iter().try_for_each(fits)?;
            ensure!(list.len() > 1 && list.iter().all(|page| page.json["items"][0].is_object()), "no page is empty");
            assert_eq!(ids(&list).len(), GROWN, "and nothing is left out");
            calls += list.len();
        }
        let files = pages(&ann.browser, "/api/export/posts.csv").await?;
        files.iter().try_for_each(fits)?;
        let rows: usize = files.iter().map(|file| file.text.matches(",\"facebook\",").count()).sum();
        ensure!(files.len() > 1 && rows == GROWN, "{rows} rows in {} files", files.len());
        tell(calls + files.len() + 18, "calls for more than an answer may hold");
        Ok(())
    })
    .await
}
