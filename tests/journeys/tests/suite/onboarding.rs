//! The front door: phone codes, under haste, guesses, floods and failing parts.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use domain::id::{SessionId, UserId};
use domain::people::{Challenge, HashKey, PhoneNumber, Session, SessionToken, VerificationCode};
use domain::user::User;
use embedded::{CallInfo, Fault};
use futures::future::try_join_all;
use journeys::{Stage, play, play_with};
use local::{Browser, Reply};
use serde_json::{Value, json};
use store::{SignIn, Store, Tables};

type Outcome = anyhow::Result<()>;

async fn ask(browser: &Browser, phone: &str) -> anyhow::Result<Reply> {
    browser.post("/api/verification-codes", Some(&json!({ "phone": phone }))).await
}

async fn verify(browser: &Browser, phone: &str, code: &str) -> anyhow::Result<Reply> {
    browser.post("/api/verify-code", Some(&json!({ "phone": phone, "code": code }))).await
}

/// Asks for a code and reads it from the inbox.
async fn fresh_code(browser: &Browser, phone: &str) -> anyhow::Result<String> {
    ask(browser, phone).await?.expect(202)?;
    browser.texted_code(phone).await
}

fn another(code: &str) -> &'static str {
    if code == "000000" { "111111" } else { "000000" }
}

/// The first page, and the connections as they stood before and after it: grants are renewed meanwhile.
async fn status_and_connections(browser: &Browser) -> anyhow::Result<(Value, Value)> {
    let connections = async || anyhow::Ok(browser.get("/api/connections").await?.expect(200)?.json["items"].clone());
    let mut before = connections().await?;
    for _ in 0..20 {
        let status = browser.get("/api/user/status").await?.expect(200)?.json;
        let after = connections().await?;
        if before == after {
            return Ok((status, after));
        }
        before = after;
    }
    anyhow::bail!("the connections change all the time")
}

async fn texts_to(browser: &Browser, phones: &[&str]) -> anyhow::Result<usize> {
    let inbox = browser.get("/_local/inbox").await?.expect(200)?.json;
    let items = inbox["items"].as_array().cloned().unwrap_or_default();
    Ok(items.iter().filter(|item| phones.iter().any(|phone| item["to"] == *phone)).count())
}

fn statuses(replies: &[Reply]) -> BTreeMap<u16, usize> {
    replies.iter().fold(BTreeMap::new(), |mut counts, reply| {
        *counts.entry(reply.status.as_u16()).or_default() += 1;
        counts
    })
}

/// The seconds after which a refusal says to come back.
fn retry_after(refused: &Reply) -> i64 {
    assert_eq!((refused.status.as_u16(), &refused.json["code"]), (429, &json!("too_many_requests")), "{}", refused.text);
    let wait = refused.headers["retry-after"].to_str().ok().and_then(|wait| wait.parse().ok());
    wait.expect("whole seconds")
}

/// Moves the clock to just after the border of two spans of `span_secs`, so that a test does not stand across one.
async fn start_of_a_span(browser: &Browser, span_secs: i64) -> Outcome {
    let now: jiff::Timestamp = browser.advance(1).await?.parse()?;
    browser.advance(span_secs - now.as_second().rem_euclid(span_secs) + 1).await?;
    Ok(())
}

/// What one request cost, beside what the jobs in the background do.
async fn cost(stage: &Stage, request: impl Future<Output = anyhow::Result<Reply>>) -> anyhow::Result<(Reply, BTreeMap<String, u64>)> {
    let before = stage.service().aws().calls();
    let reply = request.await?;
    let after = stage.service().aws().calls();
    let jobs = |name: &str| name.starts_with("sqs.") || name == "dynamodb.Query";
    let grown = after.into_iter().map(|(name, count)| (name.clone(), count - before.get(&name).copied().unwrap_or(0)));
    Ok((reply, grown.filter(|(name, count)| *count > 0 && !jobs(name)).collect()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn known_unknown_and_blocked_numbers_get_one_answer_for_the_same_work() -> Outcome {
    play(async |stage| {
        let (known, unknown, blocked) = ("+61412346001", "+61412346002", "+2250712345678");
        let mut browser = stage.browser();
        browser.sign_in(known).await?;
        browser.advance(61).await?;
        let mut seen = Vec::new();
        for phone in [known, unknown, blocked] {
            let (reply, mut calls) = cost(stage, ask(&stage.browser(), phone)).await?;
            let sent = calls.remove("sns.Publish").unwrap_or(0);
            let reply = reply.expect(202)?;
            let keys: Vec<_> = reply.json.as_object().into_iter().flatten().map(|(key, _)| key.clone()).collect();
            let span = |from: &str, to: &str| -> anyhow::Result<i64> {
                let [from, to] = [reply.str(from)?, reply.str(to)?].map(|at| at.parse::<jiff::Timestamp>());
                Ok(to?.duration_since(from?).as_secs())
            };
            assert_eq!((keys, span("/resend_after", "/expires_at")?), (vec!["expires_at".to_owned(), "resend_after".to_owned()], 240));
            assert_eq!(sent, u64::from(phone != blocked), "{phone}");
            let again = retry_after(&ask(&browser, phone).await?);
            assert!((59..=60).contains(&again), "{phone}: {again}");
            seen.push(calls);
        }
        assert_eq!(seen[0], seen[1], "known and unknown");
        assert_eq!(seen[0], seen[2], "known and blocked");
        let mut guesses = Vec::new();
        for phone in [known, unknown, blocked] {
            let wrong = if phone == blocked { "000000" } else { another(&browser.texted_code(phone).await?) };
            let (reply, calls) = cost(stage, verify(&stage.browser(), phone, wrong)).await?;
            guesses.push((reply.expect(400)?.text, calls));
        }
        assert!(guesses.iter().all(|guess| *guess == guesses[0]), "{guesses:#?}");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_uses_of_one_code_at_once_open_one_session() -> Outcome {
    play(async |stage| {
        let (phone, browser) = ("+61412346003", stage.browser());
        let code = fresh_code(&browser, phone).await?;
        let before = stage.calls("dynamodb.TransactWriteItems");
        // One that meets another is sent again.
        let again = Arc::new(AtomicU64::new(0));
        let counted = again.clone();
        stage.service().aws().on_conflict(Box::new(move |call| {
            counted.fetch_add(u64::from(call.operation == "TransactWriteItems"), Ordering::Relaxed);
        }));
        let replies = try_join_all((0..50).map(|_| verify(&browser, phone, &code))).await?;
        assert_eq!(statuses(&replies), BTreeMap::from([(200, 1), (400, 49)]));
        let sent = stage.calls("dynamodb.TransactWriteItems") - before - again.load(Ordering::Relaxed);
        assert!(sent <= 5, "each code that matched wanted a session: five at most");
        let winner = replies.iter().find(|reply| reply.status == 200).unwrap();
        let refusals: Vec<_> = replies.iter().filter(|reply| reply.status != 200).collect();
        assert!(refusals.iter().all(|reply| reply.json["code"] == "invalid_code" && reply.headers.get("set-cookie").is_none()));
        let mut signed_in = stage.browser();
        signed_in.keep_cookie(winner);
        assert_eq!(signed_in.get("/api/sessions").await?.expect(200)?.json["items"].as_array().map(Vec::len), Some(1));
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_guesses_at_once_are_five_guesses() -> Outcome {
    play(async |stage| {
        let (phone, browser) = ("+61412346004", stage.browser());
        let code = fresh_code(&browser, phone).await?;
        let wrong: Vec<_> = (0..50).map(|n| format!("{:06}", (code.parse::<u32>().unwrap() + 1 + n) % 1_000_000)).collect();
        let replies = try_join_all(wrong.iter().map(|wrong| verify(&browser, phone, wrong))).await?;
        assert_eq!(statuses(&replies), BTreeMap::from([(400, 50)]));
        // Five were compared, the rest were not: the code is dead, also for whoever has it.
        assert_eq!(verify(&browser, phone, &code).await?.expect(400)?.json["code"], "invalid_code");
        browser.advance(60).await?;
        let code = fresh_code(&browser, phone).await?;
        for _ in 0..4 {
            verify(&browser, phone, another(&code)).await?.expect(400)?;
        }
        verify(&browser, phone, &code).await?.expect(200)?;
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_requests_at_once_send_one_text() -> Outcome {
    play(async |stage| {
        let (phone, browser) = ("+61412346005", stage.browser());
        let replies = try_join_all((0..50).map(|_| ask(&browser, phone))).await?;
        assert_eq!(statuses(&replies), BTreeMap::from([(202, 1), (429, 49)]));
        for refused in replies.iter().filter(|reply| reply.status == 429) {
            assert!((1..=60).contains(&retry_after(refused)));
        }
        assert_eq!(texts_to(&browser, &[phone]).await?, 1);
        let code = browser.texted_code(phone).await?;
        verify(&browser, phone, &code).await?.expect(200)?;
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_requests_that_have_read_the_same_send_one_text() -> Outcome {
    play(async |stage| {
        let (phone, browser) = ("+61412346016", stage.browser());
        for (round, texts) in [("the first code", 1), ("the next", 2)] {
            stage.meet("dynamodb.PutItem");
            let replies = try_join_all((0..2).map(|_| ask(&browser, phone))).await?;
            stage.heal();
            assert_eq!(statuses(&replies), BTreeMap::from([(202, 1), (429, 1)]), "{round}");
            assert_eq!(texts_to(&browser, &[phone]).await?, texts, "{round}");
            let code = browser.texted_code(phone).await?;
            verify(&browser, phone, &code).await?.expect(200)?;
            browser.advance(61).await?;
        }
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_phone_gets_five_codes_in_ten_minutes_ten_a_day_and_the_last_one_counts() -> Outcome {
    play(async |stage| {
        let (phone, browser) = ("+61412346006", stage.browser());
        let mut codes = Vec::new();
        for _ in 0..5 {
            codes.push(fresh_code(&browser, phone).await?);
            browser.advance(60).await?;
        }
        let wait = retry_after(&ask(&browser, phone).await?);
        assert!((290..=300).contains(&wait), "five in ten minutes: {wait}");
        for old in codes.iter().take(4).filter(|code| **code != codes[4]) {
            verify(&browser, phone, old).await?.expect(400)?;
        }
        verify(&browser, phone, &codes[4]).await?.expect(200)?;
        browser.advance(wait).await?;
        for _ in 0..5 {
            ask(&browser, phone).await?.expect(202)?;
            browser.advance(300).await?;
        }
        let wait = retry_after(&ask(&browser, phone).await?);
        assert!((80_000..86_400).contains(&wait), "ten a day: {wait}");
        browser.advance(wait - 30).await?;
        ask(&browser, phone).await?.expect(429)?;
        browser.advance(31).await?;
        ask(&browser, phone).await?.expect(202)?;
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_gets_so_many_codes_an_hour_and_others_get_theirs() -> Outcome {
    play_with(&[("CODES_PER_ADDRESS_MAX", "3")], async |stage| {
        let (greedy, other) = (stage.browser_from([127, 0, 0, 2]), stage.browser_from([127, 0, 0, 3]));
        let phones: Vec<_> = (0..20).map(|n| format!("+614123461{n:02}")).collect();
        start_of_a_span(&other, 3600).await?;
        let replies = try_join_all(phones.iter().map(|phone| ask(&greedy, phone))).await?;
        assert_eq!(statuses(&replies), BTreeMap::from([(202, 3), (429, 17)]));
        let wait = replies.iter().filter(|reply| reply.status == 429).map(retry_after).max().unwrap();
        assert!((1..=3600).contains(&wait), "{wait}");
        let texted = texts_to(&other, &phones.iter().map(String::as_str).collect::<Vec<_>>()).await?;
        assert_eq!(texted, 3);
        let code = fresh_code(&other, "+61412346007").await?;
        // Fifteen tries for three codes; the sixteenth waits, on whichever phone.
        let tries = try_join_all((0..20).map(|n| verify(&greedy, &phones[n], "000000"))).await?;
        assert_eq!(statuses(&tries), BTreeMap::from([(400, 15), (429, 5)]));
        verify(&other, "+61412346007", &code).await?.expect(200)?;
        greedy.advance(wait).await?;
        ask(&greedy, "+61412346008").await?.expect(202)?;
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_day_has_so_many_codes_whoever_asks_and_a_refused_phone_uses_up_none() -> Outcome {
    play_with(&[("CODES_PER_DAY_MAX", "3")], async |stage| {
        let browser = stage.browser();
        start_of_a_span(&browser, 86_400).await?;
        ask(&browser, "+61412346200").await?.expect(202)?;
        for _ in 0..5 {
            retry_after(&ask(&browser, "+61412346200").await?);
        }
        // Numbers to which no text goes, as India's, have a count of their own and take nobody's place.
        for n in 0..3 {
            ask(&browser, &format!("+9198765432{n:02}")).await?.expect(202)?;
        }
        retry_after(&ask(&browser, "+919876543299").await?);
        let phones: Vec<_> = (0..20).map(|n| format!("+614123463{n:02}")).collect();
        let replies = try_join_all(phones.iter().map(|phone| ask(&browser, phone))).await?;
        assert_eq!(statuses(&replies), BTreeMap::from([(202, 2), (429, 18)]));
        assert_eq!(texts_to(&browser, &phones.iter().map(String::as_str).collect::<Vec<_>>()).await?, 2);
        let refused = ask(&stage.browser_from([127, 0, 0, 2]), "+61412346201").await?;
        let wait = retry_after(&refused);
        assert!((1..=86_400).contains(&wait), "{wait}");
        // No more than the phone's own limits stand in the way of the next day.
        browser.advance(wait.max(61)).await?;
        ask(&browser, "+61412346201").await?.expect(202)?;
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_phone_is_one_person_however_its_number_is_written() -> Outcome {
    play(async |stage| {
        let browser = stage.browser();
        let mut people = Vec::new();
        for written in ["+61412346009", "+61 (0) 412 346 009", "＋６１　４１２－３４６－００９", "+61.412/346-009"] {
            ask(&browser, written).await?.expect(202)?;
            let code = browser.texted_code("+61412346009").await?;
            let spaced = format!("{} {}", &code[..3], &code[3..]);
            let signed_in = verify(&browser, written, &spaced).await?.expect(200)?;
            assert_eq!(signed_in.str("/user/phone")?, "+61412346009");
            people.push(signed_in.str("/user/id")?);
            browser.advance(150).await?;
        }
        people.dedup();
        assert_eq!(people.len(), 1);
        for (why, odd) in [
            ("empty", ""),
            ("national form", "0412 346 009"),
            ("extension", "+61412346009 ext 5"),
            ("extension", "+61412346009;ext=5"),
            ("letters", "+61412FLOWER"),
            ("premium rate", "+61 1900 123 456"),
            ("fixed line", "+61 2 9374 4000"),
            ("too long", "+614123460091234567"),
            ("a list", "+61412346009,+61412346010"),
            ("a line break", "+61412346009\r\nTo: x"),
            ("no text", "\u{0}"),
        ] {
            let refused = ask(&browser, odd).await?.expect(422)?;
            assert_eq!(refused.json["errors"][0]["pointer"], "/phone", "{why}");
            assert_eq!(verify(&browser, odd, "123456").await?.expect(400)?.json["code"], "invalid_code", "{why}");
        }
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pasted_code_signs_in_and_what_cannot_be_one_uses_up_no_try() -> Outcome {
    play(async |stage| {
        let (phone, browser) = ("+61412346031", stage.browser());
        let code = fresh_code(&browser, phone).await?;
        // More slips than a code has tries.
        for slip in ["", "12345", "1234567", "abcdef", "12 34", "1.2.3.4.5.6", "code"] {
            assert_eq!(verify(&browser, phone, slip).await?.expect(400)?.json["code"], "invalid_code", "{slip}");
        }
        let wide: Vec<char> = code.chars().filter_map(|digit| char::from_u32(u32::from(digit) + 0xFEE0)).collect();
        let pasted = format!("\u{feff}{}\u{a0}{}\r\n", String::from_iter(&wide[..3]), String::from_iter(&wide[3..]));
        let signed_in = verify(&browser, &format!("\u{202a}{phone}\u{202c}\n"), &pasted).await?.expect(200)?;
        assert_eq!(signed_in.str("/user/phone")?, phone);
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_phones_that_sign_up_at_once_are_two_people_and_one_phone_is_one() -> Outcome {
    play(async |stage| {
        let phones: Vec<_> = (0..20).map(|n| format!("+614123464{n:02}")).collect();
        let mut browsers: Vec<_> = phones.iter().map(|_| stage.browser()).collect();
        let signed: Vec<Value> = try_join_all(browsers.iter_mut().zip(&phones).map(|(browser, phone)| browser.sign_in(phone))).await?;
        let mut ids: Vec<_> = signed.iter().map(|signed| signed["user"]["id"].to_string()).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), 20);
        for (browser, phone) in browsers.iter().zip(&phones) {
            assert_eq!(&browser.get("/api/user").await?.expect(200)?.str("/phone")?, phone);
        }
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_part_that_is_down_answers_503_and_costs_no_code() -> Outcome {
    play(async |stage| {
        let (phone, browser) = ("+61412346010", stage.browser());
        // The hash key is read by the first who needs it; while it cannot be read, nothing can be hashed.
        for part in ["secretsmanager.GetSecretValue", "dynamodb.GetItem", "dynamodb.PutItem", "dynamodb.UpdateItem"] {
            stage.fail(part);
            let refused = ask(&browser, phone).await?.expect(503)?;
            assert_eq!(refused.json["code"], "unavailable", "{part}");
            assert!(refused.headers.contains_key("retry-after"), "{part}");
            assert!(!refused.text.contains("dynamo"), "{part}");
            stage.heal();
        }
        stage.fail("sns.Publish");
        let refused = ask(&browser, phone).await?.expect(503)?;
        assert_eq!((&refused.json["code"], &refused.headers["retry-after"]), (&json!("unavailable"), &"60".parse()?));
        stage.heal();
        assert_eq!(texts_to(&browser, &[phone]).await?, 0);
        retry_after(&ask(&browser, phone).await?);
        browser.advance(60).await?;
        let code = fresh_code(&browser, phone).await?;
        for part in ["dynamodb.GetItem", "dynamodb.UpdateItem", "dynamodb.TransactWriteItems"] {
            stage.fail(part);
            assert_eq!(verify(&browser, phone, &code).await?.expect(503)?.json["code"], "unavailable", "{part}");
            stage.heal();
        }
        verify(&browser, phone, &code).await?.expect(200)?;
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_is_lost_on_the_way_loses_nobody_their_sign_in() -> Outcome {
    play(async |stage| {
        for (n, part) in ["dynamodb.PutItem", "dynamodb.UpdateItem", "dynamodb.TransactWriteItems", "sns.Publish"].into_iter().enumerate() {
            let (phone, browser) = (format!("+6141234605{n}"), stage.browser());
            stage.lose_answers(part, 1);
            ask(&browser, &phone).await?.expect(202)?;
            stage.lose_answers(part, 1);
            let code = browser.texted_code(&phone).await?;
            verify(&browser, &phone, &code).await?.expect(200)?;
            stage.heal();
        }
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sign_in_that_is_stored_again_by_the_same_request_is_done_and_by_another_the_code_is_gone() -> Outcome {
    play(async |stage| {
        let names = |kind: &str| format!("postledger-local-{kind}");
        let tables = Tables { users: names("users"), sessions: names("sessions"), ..Tables::default() };
        let store = Store::new(&stage.service().aws().sdk_config(), tables);
        let (now, phone) = (jiff::Timestamp::UNIX_EPOCH, PhoneNumber::parse("+61412346015")?);
        let (key, code) = (HashKey::new(vec![7; 32])?, VerificationCode::parse("123456")?);
        let challenge = Challenge::open(phone.keyed_hash(&key), &code, &key, None, now)?;
        assert!(store.replace_challenge(&challenge, None).await?);
        let user = User::new(UserId::new(now, [1; 10]), phone, now);
        for (first, came_to) in [(true, SignIn::Done), (true, SignIn::Done), (false, SignIn::CodeGone)] {
            // Each by a transaction of its own, as when the table no longer knows the first one.
            let entropy = if first { [1; 32] } else { [2; 32] };
            let session = Session::open(SessionId::new(now, [entropy[0]; 10]), user.id.clone(), None, now);
            let hash = SessionToken::from_entropy(entropy).hash();
            assert_eq!(store.sign_in(&challenge, (&hash, &session), Some(&user)).await?, came_to);
        }
        Ok(())
    })
    .await
}

/// Refuses the call of `operation` that comes after `passed` others of its kind, once.
fn refuse(stage: &Stage, operation: &'static str, passed: usize, code: &'static str) {
    let seen = AtomicUsize::new(0);
    let hook = move |call: &CallInfo| {
        let meant = format!("{}.{}", call.service, call.operation) == operation;
        (meant && seen.fetch_add(1, Ordering::Relaxed) == passed).then_some(Fault::Refuse(code))
    };
    stage.service().aws().on_call(Box::new(hook));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_that_meets_a_transaction_is_made_again() -> Outcome {
    play(async |stage| {
        let (phone, browser) = ("+61412346012", stage.browser());
        refuse(stage, "dynamodb.PutItem", 0, "TransactionConflictException");
        let code = fresh_code(&browser, phone).await?;
        // The first count is of the address, the second of the try.
        refuse(stage, "dynamodb.UpdateItem", 1, "TransactionConflictException");
        verify(&browser, phone, &code).await?.expect(200)?;
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_number_that_takes_no_texts_gets_the_same_answer_and_a_sender_without_rights_does_not() -> Outcome {
    play(async |stage| {
        let (phone, browser) = ("+61412346013", stage.browser());
        refuse(stage, "sns.Publish", 0, "InvalidParameter");
        let told = ask(&browser, phone).await?.expect(202)?;
        assert_eq!(told.json.as_object().map(serde_json::Map::len), Some(2), "{}", told.text);
        assert_eq!(texts_to(&browser, &[phone]).await?, 0);
        assert_eq!(verify(&browser, phone, "000000").await?.expect(400)?.json["code"], "invalid_code");
        refuse(stage, "sns.Publish", 0, "AuthorizationError");
        ask(&browser, "+61412346014").await?.expect(503)?;
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_code_and_no_number_reaches_a_log_or_an_answer() -> Outcome {
    play(async |stage| {
        let (phone, browser) = ("+61412346011", stage.browser());
        let code = fresh_code(&browser, phone).await?;
        let replies = [
            verify(&browser, phone, another(&code)).await?.expect(400)?,
            verify(&browser, phone, "12345").await?.expect(400)?,
            ask(&browser, phone).await?.expect(429)?,
        ];
        stage.fail("sns.Publish");
        browser.advance(61).await?;
        let unsent = ask(&browser, phone).await?.expect(503)?;
        stage.heal();
        let mut told = stage.log();
        told.extend(replies.map(|reply| reply.text));
        told.push(unsent.text);
        for line in &told {
            assert!(!line.contains("412346011") && !line.contains("127.0.0.1"), "{line}");
            assert!(!line.split(|letter: char| !letter.is_ascii_alphanumeric()).any(|word| word == code), "{line}");
        }
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_page_tells_how_far_somebody_has_come_and_what_is_done_stays_done() -> Outcome {
    play(async |stage| {
        let mut ann = stage.browser();
        ann.sign_in("+61412346020").await?;
        let steps = async |ann: &Browser| {
            let (status, connections) = status_and_connections(ann).await?;
            let user = ann.get("/api/user").await?.expect(200)?.json;
            anyhow::ensure!(status["user"] == user, "{} is not {user}", status["user"]);
            anyhow::ensure!(status["connections"] == connections, "{} is not {connections}", status["connections"]);
            let quota = ann.get("/api/quota").await?;
            anyhow::ensure!(quota.status != 200 || status["quota"] == quota.json, "{} is not {}", status["quota"], quota.json);
            let names = ["phone_verified", "plan_active", "platform_connected", "post_scheduled"];
            anyhow::Ok(names.map(|name| status["onboarding"][name] == true))
        };
        assert_eq!(steps(&ann).await?, [true, false, false, false]);
        ann.redeem("starter").await?;
        assert_eq!(steps(&ann).await?, [true, true, false, false]);
        let x = ann.connect("x", &[("account", "ann")], &[]).await?.remove(0);
        ann.connect("facebook", &[], &["Demo Bakery"]).await?;
        let post = ann.write("Fresh bread", &[&x], &ann.service_time(3 * 86_400).await?).await?.remove(0);
        assert_eq!(steps(&ann).await?, [true, true, true, false], "a draft is not scheduled");
        ann.approve(&post).await?;
        assert_eq!(steps(&ann).await?, [true, true, true, true]);
        ann.post(&format!("/api/posts/{post}/cancel"), None).await?.expect(200)?;
        ann.delete(&format!("/api/posts/{post}")).await?.expect(204)?;
        assert_eq!(steps(&ann).await?, [true, true, true, true], "who has done it once knows how");
        for _ in 0..2 {
            ann.advance(31 * 86_400).await?;
            ann.sign_in("+61412346020").await?;
            assert_eq!(steps(&ann).await?, [true, true, true, true], "also in a later cycle");
        }
        Ok(())
    })
    .await
}
