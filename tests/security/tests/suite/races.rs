//! Many at once on everything that is checked and then done.

use anyhow::ensure;
use journeys::{Person, SOON, Stage, UNTIL_SEARCH_SECS, play};
use local::Browser;
use security::rush::{RUSH, Rush, rush};
use security::scene::{request_of, token, with_json};
use security::state::State;
use security::tell;
use security::wire::Request;
use serde_json::{Value, json};

type Outcome = anyhow::Result<()>;

/// How often those who were told to come again come again.
const ROUNDS_MAX: usize = 10;
const LATER_SECS: i64 = 2 * 24 * 3_600;

pub(super) fn call(browser: &Browser, method: &str, target: &str, body: Option<&Value>) -> Request {
    let request = request_of(browser, method, target);
    body.map_or(request.clone(), |body| with_json(request, &body.to_string()))
}

async fn all_at_once(stage: &Stage, requests: Vec<Request>) -> anyhow::Result<Rush> {
    rush(stage.service().base_url(), requests).await
}

/// All at once, and again for those that were told to come again, until everyone has an answer that stands.
pub(super) async fn until_answered(stage: &Stage, requests: Vec<Request>) -> anyhow::Result<(Rush, usize)> {
    let (mut waiting, mut answered, mut calls) = (requests, Vec::new(), 0);
    for _ in 0..ROUNDS_MAX {
        calls += waiting.len();
        let answers = all_at_once(stage, waiting.clone()).await?.0;
        let mut again = Vec::new();
        for (request, answer) in waiting.into_iter().zip(answers) {
            match answer.status {
                503 => again.push(request),
                _ => answered.push(answer),
            }
        }
        waiting = again;
        if waiting.is_empty() {
            return Ok((Rush(answered), calls));
        }
    }
    anyhow::bail!("{} calls are never answered", waiting.len())
}

async fn drafts(person: &Person, count: usize) -> anyhow::Result<Vec<String>> {
    let due = person.browser.service_time(LATER_SECS).await?;
    let mut drafts = Vec::new();
    for n in 0..count {
        drafts.push(person.browser.write(&format!("Draft {n}"), &[&person.x], &due).await?.remove(0));
    }
    Ok(drafts)
}

fn connections(browser: &Browser) -> impl Future<Output = anyhow::Result<usize>> {
    let browser = browser.clone();
    async move { Ok(browser.get("/api/connections").await?.expect(200)?.json["items"].as_array().map_or(0, Vec::len)) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_phone_gets_one_text_and_a_code_one_session_and_five_tries() -> Outcome {
    play(async |stage| {
        let (browser, phone) = (stage.browser(), "+61412345711");
        let ask = call(&browser, "POST", "/api/verification-codes", Some(&json!({ "phone": phone })));
        let asked = all_at_once(stage, vec![ask.clone(); RUSH]).await?;
        asked.only(&[(202, ""), (429, "too_many_requests"), (503, "unavailable")])?;
        assert_eq!((asked.count(202), State::read(stage).await?.count("texts ")), (1, 1), "one code and one text");

        let code = browser.texted_code(phone).await?;
        let verify = |code: &str| call(&browser, "POST", "/api/verify-code", Some(&json!({ "phone": phone, "code": code })));
        let verified = all_at_once(stage, vec![verify(&code); RUSH]).await?;
        verified.only(&[(200, ""), (400, "invalid_code")])?;
        let state = State::read(stage).await?;
        assert_eq!((verified.count(200), state.count("SESSION#"), state.count("PROFILE")), (1, 1, 1), "one session, one user");

        browser.advance(61).await?;
        ask.send(stage.service().base_url()).await?.expect(202)?;
        let code = browser.texted_code(phone).await?;
        let wrong = (0..50).map(|n| verify(&format!("{:06}", (code.parse::<u32>().unwrap() + 1 + n) % 1_000_000))).collect();
        let tried = all_at_once(stage, wrong).await?;
        tried.only(&[(400, "invalid_code")])?;
        verify(&code).send(stage.service().base_url()).await?.expect(400)?;
        tell(RUSH * 2 + 51, "calls at once on codes");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_has_one_owner_and_each_counts_once() -> Outcome {
    play(async |stage| {
        let mut people = [stage.browser(), stage.browser(), stage.browser()];
        for (n, person) in people.iter_mut().enumerate() {
            person.sign_in(&format!("+6141234572{n}")).await?;
        }
        let issue =
            async || people[0].post("/_local/gift-certificates", Some(&json!({ "plan": "starter" }))).await?.expect(201)?.str("/code");
        let redeem = |browser: &Browser, code: &str| call(browser, "POST", "/api/redeem-gift", Some(&json!({ "code": code })));
        let gift = issue().await?;
        let rushed: Vec<_> = (0..36).map(|n| redeem(&people[n % 3], &gift)).collect();
        let (answers, first) = until_answered(stage, rushed).await?;
        answers.only(&[(200, ""), (400, "invalid_code")])?;
        let mut owners = 0;
        for person in &people {
            owners += usize::from(person.get("/api/quota").await?.status == 200);
        }
        assert_eq!(owners, 1);

        // One person, five certificates, six times each.
        let mut carol = stage.browser();
        carol.sign_in("+61412345725").await?;
        let mut gifts = Vec::new();
        for _ in 0..5 {
            gifts.push(issue().await?);
        }
        let rushed: Vec<_> = (0..RUSH).map(|n| redeem(&carol, &gifts[n % 5])).collect();
        let (_, second) = until_answered(stage, rushed).await?;
        let mut counted = 0;
        for gift in &gifts {
            counted += u64::from(carol.post("/api/redeem-gift", Some(&json!({ "code": gift }))).await?.status == 200);
        }
        assert!(counted >= 1);
        assert_eq!(carol.quota().await?, [12, 0, 0, 12]);
        let ahead = carol.get("/api/user").await?.expect(200)?.json["certificates"].clone();
        assert_eq!(ahead, json!([{ "plan": "starter", "cycles": 12 * counted }]), "each certificate counts once");
        let carol = Person { browser: carol, x: String::new(), facebook: String::new() };
        carol.ledger_adds_up().await?;
        tell(first + second, "calls at once on certificates");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_places_of_a_cycle_are_given_away_once_each() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412345731", "starter", "ann").await?;
        let drafts = drafts(&ann, 16).await?;
        let approve = |id: &String| call(&ann.browser, "POST", &format!("/api/posts/{id}/approve"), None);
        // Eleven of twelve places first, so that the rush is about the last one.
        for draft in &drafts[..11] {
            ann.browser.approve(draft).await?;
        }
        let rushed: Vec<_> = (0..40).map(|n| approve(&drafts[11 + n % 5])).collect();
        let (answers, calls) = until_answered(stage, rushed).await?;
        answers.only(&[(200, ""), (409, "quota_exhausted")])?;
        let listed = ann.browser.get("/api/posts?status=scheduled&limit=100").await?.expect(200)?;
        assert_eq!(listed.json["items"].as_array().map(Vec::len), Some(12));
        ann.has_quota([12, 0, 12, 0]).await?;
        ann.ledger_adds_up().await?;

        // Everyone cancels: each place comes back once.
        let cancel = |id: &String| call(&ann.browser, "POST", &format!("/api/posts/{id}/cancel"), None);
        let rushed: Vec<_> = drafts[..11].iter().flat_map(|id| vec![cancel(id); 4]).collect();
        let (answers, cancelled) = until_answered(stage, rushed).await?;
        answers.only(&[(200, "")])?;
        ann.has_quota([12, 0, 1, 11]).await?;
        ann.ledger_adds_up().await?;
        tell(calls + cancelled, "calls at once on approving and cancelling");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_approves_cancels_edits_and_removes_at_once_leaves_one_story() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412345732", "starter", "ann").await?;
        let posts = drafts(&ann, 4).await?;
        let to = |id: &str, what: &str| call(&ann.browser, "POST", &format!("/api/posts/{id}/{what}"), None);
        let remove = |id: &str| call(&ann.browser, "DELETE", &format!("/api/posts/{id}"), None);
        let edit = |id: &str, n: usize| {
            let body = json!({ "content": format!("Edited by {n}") });
            call(&ann.browser, "PATCH", &format!("/api/posts/{id}"), Some(&body)).with("if-match", "\"1\"")
        };

        // Approve against cancel: cancelling is always allowed, so cancelled it is.
        let rushed = (0..RUSH).map(|n| to(&posts[0], if n % 2 == 0 { "approve" } else { "cancel" })).collect();
        let (answers, first) = until_answered(stage, rushed).await?;
        answers.only(&[(200, ""), (409, "state_conflict")])?;
        assert_eq!(ann.browser.post_story(&posts[0]).await?["status"], "cancelled");
        ann.has_quota([12, 0, 0, 12]).await?;

        // Thirty edits of the same version: one.
        ann.browser.approve(&posts[1]).await?;
        let (answers, second) = until_answered(stage, (0..RUSH).map(|n| edit(&posts[1], n)).collect()).await?;
        answers.only(&[(200, ""), (412, "stale_version")])?;
        let story = ann.browser.post_story(&posts[1]).await?;
        assert_eq!((answers.count(200), &story["version"], &story["status"]), (1, &json!(2), &json!("scheduled")));

        // Approve against edit: what goes out is what was read, or what was edited and then approved.
        let rushed = (0..RUSH).map(|n| if n % 2 == 0 { to(&posts[2], "approve") } else { edit(&posts[2], n) }).collect();
        let (answers, third) = until_answered(stage, rushed).await?;
        answers.only(&[(200, ""), (412, "stale_version")])?;

        // Approve against remove: it is there with its place, or gone without one.
        let rushed = (0..RUSH).map(|n| if n % 2 == 0 { to(&posts[3], "approve") } else { remove(&posts[3]) }).collect();
        let (answers, fourth) = until_answered(stage, rushed).await?;
        answers.only(&[(200, ""), (204, ""), (404, "not_found"), (409, "state_conflict")])?;
        let reserved =
            1 + u64::from(status(&ann, &posts[2]).await? == "scheduled") + u64::from(status(&ann, &posts[3]).await? == "scheduled");
        ann.has_quota([12, 0, reserved, 12 - reserved]).await?;
        ann.ledger_adds_up().await?;
        tell(first + second + third + fourth, "calls at once on one post");
        Ok(())
    })
    .await
}

async fn status(person: &Person, post: &str) -> anyhow::Result<String> {
    let answer = person.browser.get(&format!("/api/posts/{post}")).await?;
    Ok(answer.json["status"].as_str().unwrap_or("gone").to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_doubt_is_resolved_once_and_a_retry_pays_once() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412345733", "starter", "ann").await?;
        ann.browser.fault("x", &json!({ "kind": "reject" })).await?;
        let failed = ann.approved_on_x("Refused", 0).await?;
        ann.browser.wait_for(&failed, "failed", SOON).await?;
        ann.browser.fault("x", &json!({ "kind": "drop_before" })).await?;
        let doubtful = ann.approved_on_x("In doubt", 0).await?;
        ann.browser.wait_for(&doubtful, "unknown", SOON).await?;
        ann.browser.advance(UNTIL_SEARCH_SECS).await?;
        stage.queue_at_rest().await?;
        ann.has_quota([12, 0, 1, 11]).await?;

        let later = json!({ "scheduled_for": ann.browser.service_time(LATER_SECS).await? });
        let retry = call(&ann.browser, "POST", &format!("/api/posts/{failed}/retry"), Some(&later));
        let (answers, first) = until_answered(stage, vec![retry; RUSH]).await?;
        answers.only(&[(200, ""), (409, "state_conflict")])?;
        assert!(answers.count(200) >= 1);
        ann.has_quota([12, 0, 2, 10]).await?;

        let resolve = |n: usize| {
            let outcome = if n.is_multiple_of(2) { "published" } else { "not_published" };
            call(&ann.browser, "POST", &format!("/api/posts/{doubtful}/resolve"), Some(&json!({ "outcome": outcome })))
        };
        let (answers, second) = until_answered(stage, (0..RUSH).map(resolve).collect()).await?;
        answers.only(&[(200, ""), (409, "state_conflict")])?;
        let used = u64::from(status(&ann, &doubtful).await? == "published");
        ann.has_quota([12, used, 1, 11 - used]).await?;
        ann.ledger_adds_up().await?;
        tell(first + second, "calls at once on retrying and resolving");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consent_is_exchanged_once_and_an_account_connected_once() -> Outcome {
    play(async |stage| {
        let mut ann = stage.browser();
        ann.sign_in("+61412345734").await?;
        let callback = ann.consent_until_callback("x", "allow", &[("account", "ann")]).await?;
        let target = callback.strip_prefix(stage.service().base_url()).unwrap_or(&callback).to_owned();
        let answers = all_at_once(stage, vec![call(&ann, "GET", &target, None); RUSH]).await?;
        answers.only(&[(303, "")])?;
        assert_eq!((&ann.platform_calls("x").await?["exchange"], connections(&ann).await?), (&json!(1), 1));

        // Ten consents for one account at once are one connection.
        let mut targets = Vec::new();
        for _ in 0..10 {
            let callback = ann.consent_until_callback("x", "allow", &[("account", "ann")]).await?;
            targets.push(callback.strip_prefix(stage.service().base_url()).unwrap_or(&callback).to_owned());
        }
        let answers = all_at_once(stage, targets.iter().flat_map(|target| vec![call(&ann, "GET", target, None); 3]).collect()).await?;
        answers.only(&[(303, "")])?;
        assert_eq!(connections(&ann).await?, 1);

        // One choice, thirty times.
        let asked = ann.consent("facebook", "allow", &[]).await?;
        let choice = asked.query_pairs().find(|(name, _)| name == "choose").map(|(_, id)| id.into_owned()).unwrap_or_default();
        let target = format!("/api/connections/choices/{choice}");
        let offered = ann.get(&target).await?.expect(200)?;
        let ids: Vec<_> = offered.json["accounts"].as_array().into_iter().flatten().map(|account| account["account_id"].clone()).collect();
        let chosen = call(&ann, "POST", &target, Some(&json!({ "account_ids": ids })));
        let (answers, calls) = until_answered(stage, vec![chosen; RUSH]).await?;
        answers.only(&[(201, ""), (404, "not_found")])?;
        assert!(answers.count(201) >= 1);
        assert_eq!((ids.len(), connections(&ann).await?), (2, 3));

        // Disconnected thirty times at once, and by nobody else.
        let listed = ann.get("/api/connections").await?.json;
        let id = listed["items"].as_array().into_iter().flatten().find(|item| item["platform"] == "x").and_then(|item| item["id"].as_str());
        let gone = call(&ann, "DELETE", &format!("/api/connections/{}", id.unwrap_or_default()), None);
        let (answers, last) = until_answered(stage, vec![gone; RUSH]).await?;
        answers.only(&[(204, ""), (202, ""), (404, "not_found")])?;
        assert_eq!(connections(&ann).await?, 2);
        tell(RUSH * 2 + calls + last, "calls at once on consents, choices and connections");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn approving_while_the_account_is_disconnected_leaves_a_ledger_that_adds_up() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412345735", "starter", "ann").await?;
        let posts = drafts(&ann, 8).await?;
        let gone = call(&ann.browser, "DELETE", &format!("/api/connections/{}", ann.x), None);
        let approve = |n: usize| call(&ann.browser, "POST", &format!("/api/posts/{}/approve", posts[n % 8]), None);
        let rushed = (0..40).map(|n| if n % 5 == 4 { gone.clone() } else { approve(n) }).collect();
        let (answers, calls) = until_answered(stage, rushed).await?;
        answers.only(&[(200, ""), (202, ""), (204, ""), (404, "not_found"), (409, "connection_unusable")])?;
        let listed = ann.browser.get("/api/posts?status=scheduled").await?.expect(200)?;
        let reserved = listed.json["items"].as_array().map_or(0, Vec::len) as u64;
        ann.has_quota([12, 0, reserved, 12 - reserved]).await?;
        ann.ledger_adds_up().await?;
        tell(calls, "calls at once on approving and disconnecting");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_on_its_way_never_brings_a_session_back() -> Outcome {
    play(async |stage| {
        let mut ann = stage.browser();
        ann.sign_in("+61412345736").await?;
        // Long enough ago that everything that touches a session would write it.
        ann.advance(301).await?;
        let calls = [("POST", "/api/logout"), ("POST", "/api/establish-session"), ("GET", "/api/user"), ("GET", "/api/user/status")];
        let rushed: Vec<_> = (0..40).map(|n| call(&ann, calls[n % 4].0, calls[n % 4].1, None)).collect();
        let answers = all_at_once(stage, rushed).await?;
        answers.only(&[(200, ""), (204, ""), (401, "session_expired")])?;
        ensure!(answers.count(204) >= 1);
        assert_eq!(State::read(stage).await?.count("SESSION#"), 0);
        ann.get("/api/user").await?.expect(401)?;

        // Revoked from another browser, by many at once, while it is used.
        ann.sign_in("+61412345736").await?;
        ann.advance(301).await?;
        let mut second = stage.browser();
        second.sign_in("+61412345736").await?;
        let listed = second.get("/api/sessions").await?.json["items"].as_array().cloned().unwrap_or_default();
        let id = listed.iter().find(|session| session["current"] == false).and_then(|session| session["id"].as_str()).unwrap_or_default();
        let revoke = call(&second, "DELETE", &format!("/api/sessions/{id}"), None);
        let rushed: Vec<_> =
            (0..40).map(|n| if n % 2 == 0 { revoke.clone() } else { call(&ann, "POST", "/api/establish-session", None) }).collect();
        let answers = all_at_once(stage, rushed).await?;
        answers.only(&[(200, ""), (204, ""), (401, "session_expired"), (404, "not_found")])?;
        assert_eq!(answers.count(204), 1, "it is ended once");
        assert_eq!(State::read(stage).await?.count("SESSION#"), 1, "and only the other one is left");
        ensure!(token(&ann) != token(&second));
        tell(80, "calls at once on sessions");
        Ok(())
    })
    .await
}
