//! Gift certificates: once under any haste, by the written rule, and never lost.

use std::collections::BTreeMap;

use futures::future::try_join_all;
use journeys::{Stage, play};
use local::{Browser, Reply};
use serde_json::{Value, json};

type Outcome = anyhow::Result<()>;

async fn issue(browser: &Browser, plan: &str) -> anyhow::Result<String> {
    browser.post("/_local/gift-certificates", Some(&json!({ "plan": plan }))).await?.expect(201)?.str("/code")
}

async fn redeem(browser: &Browser, code: &str) -> anyhow::Result<Reply> {
    browser.post("/api/redeem-gift", Some(&json!({ "code": code }))).await
}

/// Somebody signed in with a phone of their own.
async fn person(stage: &Stage, number: usize) -> anyhow::Result<Browser> {
    let mut browser = stage.browser();
    browser.sign_in(&format!("+6141234{number:04}")).await?;
    Ok(browser)
}

fn statuses(replies: &[Reply]) -> BTreeMap<u16, usize> {
    replies.iter().fold(BTreeMap::new(), |mut counts, reply| {
        *counts.entry(reply.status.as_u16()).or_default() += 1;
        counts
    })
}

/// The history, oldest first: reason, totals and remainings before and after.
async fn rows(browser: &Browser) -> anyhow::Result<Vec<(String, [u64; 4])>> {
    let number = |row: &Value, name: &str| row[name].as_u64().unwrap_or(u64::MAX);
    let names = ["previous_total", "new_total", "previous_remaining", "new_remaining"];
    let row = |row: &Value| (row["change_reason"].as_str().unwrap_or_default().to_owned(), names.map(|name| number(row, name)));
    Ok(browser.history().await?.iter().rev().map(row).collect())
}

fn row(reason: &str, numbers: [u64; 4]) -> (String, [u64; 4]) {
    (reason.to_owned(), numbers)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_redeems_by_one_person_are_one_and_all_get_its_answer() -> Outcome {
    play(async |stage| {
        let ann = person(stage, 7001).await?;
        let code = issue(&ann, "starter").await?;
        let replies = try_join_all((0..50).map(|_| redeem(&ann, &code))).await?;
        for reply in &replies {
            assert_eq!((reply.status.as_u16(), &reply.text), (200, &replies[0].text));
        }
        assert_eq!(ann.quota().await?, [12, 0, 0, 12]);
        assert_eq!(rows(&ann).await?, [row("gift_redeemed", [0, 12, 0, 12])]);
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_is_redeemed_as_it_was_pasted() -> Outcome {
    play(async |stage| {
        let ann = person(stage, 7002).await?;
        let code = issue(&ann, "starter").await?;
        let pasted = [format!("“{}”.", code.replace('-', "–")), code.replace('-', "—\r\n"), format!("\u{feff}{code}.")];
        for written in pasted {
            redeem(&ann, &written).await?.expect(200)?;
        }
        assert_eq!(rows(&ann).await?, [row("gift_redeemed", [0, 12, 0, 12])]);
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_people_at_once_redeem_one_code_and_one_has_it() -> Outcome {
    play(async |stage| {
        let people = try_join_all((0..50).map(|n| person(stage, 7100 + n))).await?;
        let code = issue(&people[0], "professional").await?;
        let replies = try_join_all(people.iter().map(|browser| redeem(browser, &code))).await?;
        assert_eq!(statuses(&replies), BTreeMap::from([(200, 1), (400, 49)]));
        for (browser, reply) in people.iter().zip(&replies) {
            if reply.status == 200 {
                assert_eq!(browser.quota().await?, [52, 0, 0, 52]);
                assert_eq!(redeem(browser, &code).await?.expect(200)?.text, reply.text);
            } else {
                assert_eq!(reply.json["code"], "invalid_code");
                assert_eq!(browser.get("/api/quota").await?.expect(409)?.json["code"], "no_active_plan");
                assert!(rows(browser).await?.is_empty());
            }
        }
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_redeems_that_have_read_the_same_are_one_after_the_other() -> Outcome {
    play(async |stage| {
        let (ann, bob) = (person(stage, 7016).await?, person(stage, 7017).await?);
        let shared = issue(&ann, "starter").await?;
        stage.meet("dynamodb.TransactWriteItems");
        let replies = try_join_all([&ann, &bob].map(|browser| redeem(browser, &shared))).await?;
        stage.heal();
        assert_eq!(statuses(&replies), BTreeMap::from([(200, 1), (400, 1)]));
        let owner = if replies[0].status == 200 { &ann } else { &bob };
        // The plan is there; two more certificates meet on its cycle.
        let codes = [issue(owner, "starter").await?, issue(owner, "professional").await?];
        stage.meet("dynamodb.TransactWriteItems");
        let replies = try_join_all(codes.iter().map(|code| redeem(owner, code))).await?;
        stage.heal();
        assert_eq!(statuses(&replies), BTreeMap::from([(200, 2)]));
        // Whichever came first: the higher one runs, and all of the lower ones' cycles come after it.
        assert_eq!(owner.quota().await?, [52, 0, 0, 52]);
        assert_eq!(cycles_ahead(owner).await?, json!([{ "plan": "professional", "cycles": 12 }, { "plan": "starter", "cycles": 24 }]));
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_certificates_of_one_person_at_once_all_count_and_none_twice() -> Outcome {
    play(async |stage| {
        let ann = person(stage, 7002).await?;
        let single = json!({ "plan": "starter", "cycles": 1 });
        let issued = try_join_all((0..20).map(|_| ann.post("/_local/gift-certificates", Some(&single)))).await?;
        let mut left = issued.into_iter().map(|reply| reply.expect(201)?.str("/code")).collect::<anyhow::Result<Vec<_>>>()?;
        // Who lost every race is told to come again, and their certificate is whole.
        for _ in 0..20 {
            let replies = try_join_all(left.iter().map(|code| redeem(&ann, code))).await?;
            assert!(replies.iter().all(|reply| [200, 503].contains(&reply.status.as_u16())), "{:?}", statuses(&replies));
            let open = left.into_iter().zip(&replies).filter(|(_, reply)| reply.status == 503);
            left = open.map(|(code, _)| code).collect();
        }
        assert!(left.is_empty(), "{} certificates were not redeemed", left.len());
        assert_eq!(ann.quota().await?, [12, 0, 0, 12]);
        let told = rows(&ann).await?;
        let expected: Vec<_> = (0..20).map(|n| row("gift_redeemed", if n == 0 { [0, 12, 0, 12] } else { [12; 4] })).collect();
        assert_eq!((told, cycles_ahead(&ann).await?), (expected, json!([{ "plan": "starter", "cycles": 20 }])));
        // More than ten years ahead is more than anybody has.
        let long = json!({ "plan": "professional", "cycles": 101 });
        let code = ann.post("/_local/gift-certificates", Some(&long)).await?.expect(201)?.str("/code")?;
        let refused = redeem(&ann, &code).await?.expect(409)?;
        assert!(refused.json["code"] == "state_conflict" && refused.str("/detail")?.contains("stays valid"), "{}", refused.text);
        redeem(&person(stage, 7018).await?, &code).await?.expect(200)?;
        Ok(())
    })
    .await
}

/// The cycles of certificates that are still to be had.
async fn cycles_ahead(browser: &Browser) -> anyhow::Result<Value> {
    Ok(browser.get("/api/user").await?.expect(200)?.json["certificates"].clone())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_goes_on_after_what_runs_or_raises_it_now() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412347003", "starter", "ann").await?;
        ann.approved_on_x("This month", 3_000).await?;
        ann.approved_on_x("Next month", 40 * 86_400).await?;
        let first = ann.browser.get("/api/quota").await?.expect(200)?.json;
        let same = issue(&ann.browser, "starter").await?;
        let longer = redeem(&ann.browser, &same).await?.expect(200)?;
        assert_eq!((longer.str("/plan")?.as_str(), &longer.json["quota"]["quota"]), ("starter", &json!(12)));
        ann.has_quota([12, 0, 1, 11]).await?;
        assert_eq!(cycles_ahead(&ann.browser).await?, json!([{ "plan": "starter", "cycles": 24 }]));

        let higher = issue(&ann.browser, "professional").await?;
        let raised = redeem(&ann.browser, &higher).await?.expect(200)?;
        assert_eq!((raised.str("/plan")?, raised.str("/quota/plan")?), ("professional".to_owned(), "professional".to_owned()));
        ann.has_quota([52, 0, 1, 51]).await?;
        for name in ["cycle_start", "cycle_end"] {
            assert_eq!(raised.json["quota"][name], first[name], "{name} stays");
        }
        let user = ann.browser.get("/api/user").await?.expect(200)?.json;
        assert_eq!(
            (&user["subscription_plan"], &user["total_posts"], &user["remaining_posts"]),
            (&json!("professional"), &json!(52), &json!(51))
        );
        // Each brings twelve cycles of 30 days, and the running one is the first of the higher plan's.
        let end: jiff::Timestamp = serde_json::from_value(user["subscription_ends_at"].clone())?;
        let start: jiff::Timestamp = serde_json::from_value(first["cycle_start"].clone())?;
        assert_eq!(end.duration_since(start).as_hours(), 36 * 30 * 24);

        let lower = issue(&ann.browser, "starter").await?;
        redeem(&ann.browser, &lower).await?.expect(200)?;
        ann.has_quota([52, 0, 1, 51]).await?;
        assert_eq!(
            cycles_ahead(&ann.browser).await?,
            json!([{ "plan": "professional", "cycles": 12 }, { "plan": "starter", "cycles": 36 }])
        );
        let expected = [
            row("gift_redeemed", [0, 12, 0, 12]),
            row("post_reserved", [12, 12, 12, 11]),
            row("cycle_opened", [0, 12, 0, 12]),
            row("post_reserved", [12, 12, 12, 11]),
            row("gift_redeemed", [12, 12, 11, 11]),
            row("plan_changed", [12, 52, 11, 51]),
            row("plan_changed", [12, 52, 11, 51]),
            row("gift_redeemed", [52, 52, 51, 51]),
            row("gift_redeemed", [52, 52, 51, 51]),
        ];
        assert_eq!(rows(&ann.browser).await?, expected);

        // What came before is answered as before.
        for (code, plan) in [(&same, "starter"), (&higher, "professional"), (&lower, "starter")] {
            assert_eq!(redeem(&ann.browser, code).await?.expect(200)?.str("/plan")?, plan);
        }
        let bob = person(stage, 7004).await?;
        assert_eq!(redeem(&bob, &lower).await?.expect(400)?.json["code"], "invalid_code");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_ends_after_its_cycles_and_says_so() -> Outcome {
    play(async |stage| {
        let mut ann = person(stage, 7031).await?;
        let code =
            ann.post("/_local/gift-certificates", Some(&json!({ "plan": "starter", "cycles": 2 }))).await?.expect(201)?.str("/code")?;
        redeem(&ann, &code).await?.expect(200)?;
        for day in [31, 28] {
            assert_eq!(ann.quota().await?, [12, 0, 0, 12]);
            ann.advance(day * 86_400).await?;
            ann.sign_in("+61412347031").await?;
        }
        ann.advance(2 * 86_400).await?;
        assert_eq!(ann.get("/api/quota").await?.expect(409)?.json["code"], "no_active_plan", "it was no plan for ever");
        let user = ann.get("/api/user").await?.expect(200)?.json;
        assert_eq!(
            (&user["subscription_active"], &user["subscription_plan"], &user["source"]),
            (&json!(false), &json!("starter"), &json!("gift"))
        );
        let opened =
            rows(&ann).await?.into_iter().filter(|(reason, _)| ["gift_redeemed", "cycle_opened"].contains(&reason.as_str())).count();
        assert_eq!(opened, 2);
        Ok(())
    })
    .await
}

/// Approves a post whose cycle nobody has opened, while the plan is raised: each once first and once last.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cycle_that_is_opened_beside_an_upgrade_holds_what_the_new_plan_holds() -> Outcome {
    play(async |stage| {
        for (n, approval_waits) in [true, false].into_iter().enumerate() {
            let phone = format!("+6141234702{n}");
            let mut ann = stage.person(&phone, "starter", &format!("ann{n}")).await?;
            // The next cycle, early: what becomes of it can be seen once it runs.
            let post = ann.written_on_x("Fresh bread", 31 * 86_400).await?;
            let code = issue(&ann.browser, "professional").await?;
            let held = stage.hold("dynamodb.TransactWriteItems");
            let (approve, upgrade) = (ann.browser.approve(&post), redeem(&ann.browser, &code));
            if approval_waits {
                let overtaking = async {
                    held.reached().await?;
                    let upgraded = upgrade.await;
                    held.let_go();
                    upgraded?.expect(200)
                };
                tokio::try_join!(approve, overtaking)?;
            } else {
                let overtaking = async {
                    held.reached().await?;
                    let approved = approve.await;
                    held.let_go();
                    approved
                };
                let (upgraded, _) = tokio::try_join!(upgrade, overtaking)?;
                upgraded.expect(200)?;
            }
            stage.heal();
            ann.has_quota([52, 0, 0, 52]).await?;
            ann.browser.advance(30 * 86_400 + 60).await?;
            ann.browser.sign_in(&phone).await?;
            ann.has_quota([52, 0, 1, 51]).await?;
        }
        Ok(())
    })
    .await
}

/// The same with the job that opens the next cycle when one has ended.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cycle_that_the_job_opens_beside_an_upgrade_holds_what_the_new_plan_holds() -> Outcome {
    play(async |stage| {
        let mut ann = person(stage, 7030).await?;
        redeem(&ann, &issue(&ann, "starter").await?).await?.expect(200)?;
        let code = issue(&ann, "professional").await?;
        ann.advance(30 * 86_400 - 60).await?;
        ann.sign_in("+61412347030").await?;
        // The job's transaction waits, with a cycle of the old plan in its hands.
        let held = stage.hold("dynamodb.TransactWriteItems");
        let overtaking = async {
            held.reached().await?;
            let upgraded = redeem(&ann, &code).await;
            held.let_go();
            upgraded?.expect(200)
        };
        tokio::try_join!(ann.advance(3_700), overtaking)?;
        stage.heal();
        assert_eq!(ann.quota().await?, [52, 0, 0, 52]);
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_code_that_gives_nothing_gets_one_refusal() -> Outcome {
    play(async |stage| {
        let (ann, bob) = (person(stage, 7005).await?, person(stage, 7006).await?);
        let taken = issue(&ann, "starter").await?;
        redeem(&ann, &taken).await?.expect(200)?;
        let body = json!({ "plan": "starter", "valid_seconds": 60 });
        let expiring = bob.post("/_local/gift-certificates", Some(&body)).await?.expect(201)?.str("/code")?;
        bob.advance(61).await?;
        let revoked = issue(&bob, "starter").await?;
        let revoke = async |code: &str| bob.post("/_local/gift-certificates/revoke", Some(&json!({ "code": code }))).await;
        revoke(&revoked).await?.expect(204)?;
        revoke(&revoked).await?.expect(204)?;
        revoke("0000-0000-0000-0000").await?.expect(404)?;
        revoke(&taken).await?.expect(409)?;
        let odd = ["", "0000-0000-0000-0000", "U000-0000-0000-0000", "0000-0000-0000-000", "００００-0000-0000-0000", "' OR 1=1 --"];
        let mut texts = Vec::new();
        for code in [taken.as_str(), &expiring, &revoked].into_iter().chain(odd) {
            texts.push(redeem(&bob, code).await?.expect(400)?.text);
        }
        texts.dedup();
        assert_eq!(texts.len(), 1, "{texts:#?}");
        assert!(texts[0].contains("\"invalid_code\""));
        assert_eq!(bob.get("/api/quota").await?.expect(409)?.json["code"], "no_active_plan");
        // Its owner keeps what cannot be taken back any more.
        redeem(&ann, &taken).await?.expect(200)?;
        ann.post("/_local/gift-certificates", Some(&json!({ "plan": "starter", "valid_seconds": 60 }))).await?.expect(201)?;
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_code_is_read_as_people_write_it() -> Outcome {
    play(async |stage| {
        let ann = person(stage, 7007).await?;
        let code = issue(&ann, "starter").await?;
        let bare = code.replace('-', "");
        let sloppy = format!("  {}  ", bare.to_lowercase().replace('0', "o").replace('1', "l"));
        let grouped: String = bare.chars().flat_map(|letter| [letter, ' ']).collect();
        for written in [&sloppy, &grouped, &bare.replace('0', "O").replace('1', "I"), &code] {
            assert_eq!(redeem(&ann, written).await?.expect(200)?.json["plan"], "starter", "{written}");
        }
        assert_eq!(ann.quota().await?, [12, 0, 0, 12]);
        Ok(())
    })
    .await
}

/// A well-formed code that is nobody's.
fn guess(number: usize) -> String {
    format!("0000-0000-0000-{number:04}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guesses_are_counted_also_at_once_and_honest_people_are_not_locked_out() -> Outcome {
    play(async |stage| {
        let (eve, ann) = (person(stage, 7008).await?, person(stage, 7009).await?);
        // In the first minutes of an hour, so that it does not end meanwhile.
        let now: jiff::Timestamp = eve.advance(1).await?.parse()?;
        eve.advance(3_601 - now.as_second().rem_euclid(3_600)).await?;
        let code = issue(&eve, "starter").await?;
        let guesses: Vec<_> = (0..50).map(guess).collect();
        let rush = try_join_all(guesses.iter().map(|code| redeem(&eve, code))).await?;
        assert_eq!(statuses(&rush), BTreeMap::from([(400, 30), (429, 20)]));
        let refused = redeem(&eve, &code).await?.expect(429)?;
        assert_eq!(refused.json["code"], "too_many_requests");
        let wait: i64 = refused.headers["retry-after"].to_str()?.parse()?;
        assert!((1..=3_600).contains(&wait), "{wait}");

        // Everybody here has one address; three more use up what it may guess.
        for n in 0..3 {
            let mallory = person(stage, 7010 + n).await?;
            try_join_all(guesses[..30].iter().map(|code| redeem(&mallory, code))).await?;
        }
        redeem(&ann, &code).await?.expect(200)?;
        let late = person(stage, 7013).await?;
        redeem(&late, &guess(1)).await?.expect(400)?;
        redeem(&late, &guess(2)).await?.expect(429)?;

        let other = issue(&eve, "starter").await?;
        eve.advance(wait).await?;
        redeem(&eve, &other).await?.expect(200)?;
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_is_down_loses_no_certificate_and_gives_none_twice() -> Outcome {
    play(async |stage| {
        let ann = person(stage, 7014).await?;
        for part in ["dynamodb.GetItem", "dynamodb.TransactWriteItems"] {
            let code = issue(&ann, "starter").await?;
            stage.fail(part);
            let refused = redeem(&ann, &code).await?.expect(503)?;
            assert_eq!(refused.json["code"], "unavailable", "{part}");
            assert!(refused.headers.contains_key("retry-after"), "{part}");
            stage.heal();
            redeem(&ann, &code).await?.expect(200)?;
            assert_eq!(ann.quota().await?, [12, 0, 0, 12], "{part}");
        }
        stage.lose_answers("dynamodb.PutItem", 1);
        let code = issue(&ann, "starter").await?;
        // All three times that the client sends it, so that the caller learns nothing either.
        for lost in [1, 3] {
            stage.lose_answers("dynamodb.TransactWriteItems", lost);
            let status = redeem(&ann, &code).await?.status.as_u16();
            assert!([200, 503].contains(&status), "{status}");
        }
        stage.heal();
        redeem(&ann, &code).await?.expect(200)?;
        assert_eq!((ann.quota().await?, rows(&ann).await?.len()), ([12, 0, 0, 12], 3));
        assert_eq!(cycles_ahead(&ann).await?, json!([{ "plan": "starter", "cycles": 36 }]));
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_gift_code_reaches_a_log_or_an_answer() -> Outcome {
    play(async |stage| {
        let ann = person(stage, 7015).await?;
        let (code, lower) = (issue(&ann, "professional").await?, issue(&ann, "starter").await?);
        let mut told = vec![redeem(&ann, &code).await?.text, redeem(&ann, &lower).await?.text, redeem(&ann, &guess(1)).await?.text];
        told.extend(stage.log());
        for line in &told {
            for secret in [&code, &lower, &code.replace('-', ""), &guess(1)] {
                assert!(!line.to_uppercase().contains(secret.as_str()), "{line}");
            }
        }
        Ok(())
    })
    .await
}
