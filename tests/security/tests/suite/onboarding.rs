//! Numbers, codes and certificates: guessed, odd, used, other people's.

use journeys::play;
use security::attack::{Attack, attack, run};
use security::scene::Who::Nobody;
use security::scene::{Scene, request_of, with_json};
use security::state::State;
use security::tell;
use security::wire::Request;
use serde_json::json;

type Outcome = anyhow::Result<()>;

/// Texts that are no number a code is sent to.
const NO_NUMBER: [&str; 33] = [
    "",
    "+",
    "evil",
    "0412345678",
    "61412345678",
    "0061412345678",
    "++61412345678",
    "+0412345678",
    "+61 412 345 67",
    "+614123456789",
    "+61291234567",
    "+61190123456",
    "+611900123456",
    "+61131234",
    "+000",
    "+1",
    "+999123456789",
    "+8816123456",
    "+979123456789",
    "+61412345678;ext=5",
    "+61412345678 ext 5",
    "+61412345678x5",
    "+61412345678,5",
    "+61412345678,+61412345679",
    "+61412345678\\r\\nBcc: evil",
    "+61412345678\\u0000",
    "tel:+61412345678",
    "+61412345678@evil.example",
    "+61\u{0664}12345678",
    "+61412345678' OR '1'='1",
    "{$ne:null}",
    "+6141234567890123456789012345678901234567890",
    "*#06#",
];

/// One number in other spellings: none of them gets round the wait for the next code.
const SPELLINGS: [&str; 10] = [
    "+61412345702",
    " +61 412 345 702 ",
    "+61-412-345-702",
    "+61(412)345.702",
    "+\u{ff16}\u{ff11}412345702",
    "\u{ff0b}61412345702",
    "+61412345702\\u00a0",
    "+61\u{200b}412345702",
    "\u{202e}+61412345702",
    "\\ufeff+61412345702\\r\\n",
];

/// Texts that are no code.
const NO_CODE: [&str; 13] =
    ["", "12345", "1234567", "abcdef", "12345a", "1e5000", "-12345", "+12345", "0x1234", "12345\\u0000", "\u{0661}23456", "evil", "      "];

/// Texts that are no certificate.
const NO_GIFT: [&str; 12] = [
    "",
    "evil",
    "AAAA-AAAA-AAAA-AAA",
    "AAAA-AAAA-AAAA-AAAAA",
    "UUUU-UUUU-UUUU-UUUU",
    "AAAA_AAAA_AAAA_AAAA",
    "\u{ff21}AAA-AAAA-AAAA-AAA",
    "AAAA-AAAA-AAAA-AAA\\u0000",
    "AAAAAAAAAAAAAAAA' OR '1'='1",
    "GIFT#evil",
    "../AAAA-AAAA-AAAA-AAAA",
    "AAAA\\r\\nAAAA-AAAA-AAA",
];

fn numbers() -> Vec<Attack> {
    let ask = |body: String| attack("a number that no code goes to", Nobody, "POST", "/api/verification-codes").json(body);
    let text = |phone: &str| ask(format!("{{\"phone\":\"{phone}\"}}")).gets(422, "validation_failed").naming("phone_invalid");
    let mut rows: Vec<_> = NO_NUMBER.into_iter().map(text).collect();
    rows.extend(SPELLINGS.map(|phone| ask(format!("{{\"phone\":\"{phone}\"}}")).gets(429, "too_many_requests").may_change(COUNTERS)));
    for shape in ["61412345678", "null", "[\"+61412345678\"]", "{\"$ne\":1}", "true"] {
        rows.push(ask(format!("{{\"phone\":{shape}}}")).gets(422, "validation_failed"));
    }
    rows.push(ask(r#"{"phone":"+61412345709","code":"evil"}"#.to_owned()).gets(400, "malformed_json"));
    rows.push(ask(r#"{"phone":"+61412345709","phone":"+61412345708"}"#.to_owned()).gets(400, "malformed_json"));
    rows
}

fn codes() -> Vec<Attack> {
    let verify = |what: &str, phone: &str, code: &str| {
        let row = attack(what, Nobody, "POST", "/api/verify-code").json(format!(r#"{{"phone":"{phone}","code":"{code}"}}"#));
        row.gets(400, "invalid_code").may_change(COUNTERS)
    };
    let mut rows: Vec<_> = NO_CODE.into_iter().map(|code| verify("a code that is none", "+61412345701", code)).collect();
    rows.extend(["", "evil", "0412345678", "+61291234567"].map(|phone| verify("a code for what is no number", phone, "000000")));
    rows.push(verify("a code that nobody asked for", "+61412345799", "000000"));
    rows
}

/// Where tries are counted.
const COUNTERS: &[&str] = &["CODE#", "COUNT#"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_number_that_no_code_goes_to_is_refused_by_its_field_and_no_text_is_sent() -> Outcome {
    play(async |stage| {
        let scene = Scene::set(stage).await?;
        scene.eve.browser.post("/api/verification-codes", Some(&json!({ "phone": security::scene::EVES_PHONE }))).await?.expect(202)?;
        tell(run(&scene, &numbers()).await?, "attack rows on phone numbers");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_code_that_cannot_be_used_gets_one_answer() -> Outcome {
    play(async |stage| {
        let scene = Scene::set(stage).await?;
        tell(run(&scene, &codes()).await?, "attack rows on codes");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_code_opens_the_number_that_it_was_sent_to_once_and_in_time() -> Outcome {
    play(async |stage| {
        let base = stage.service().base_url();
        let browser = stage.browser();
        let (ann, eve) = ("+61412345701", "+61412345702");
        let ask = async |phone: &str| browser.post("/api/verification-codes", Some(&json!({ "phone": phone }))).await?.expect(202);
        let verify = async |phone: &str, code: &str| {
            let body = json!({ "phone": phone, "code": code }).to_string();
            with_json(Request::new("POST", "/api/verify-code"), &body).send(base).await
        };
        ask(ann).await?;
        ask(eve).await?;
        let (anns, eves) = (browser.texted_code(ann).await?, browser.texted_code(eve).await?);
        let mut refused = Vec::new();
        if anns != eves {
            refused.push(verify(ann, &eves).await?);
        }
        verify(ann, &anns).await?.expect(200)?;
        refused.push(verify(ann, &anns).await?);
        // A new code kills the old one.
        browser.advance(61).await?;
        ask(ann).await?;
        let second = browser.texted_code(ann).await?;
        if second != anns {
            refused.push(verify(ann, &anns).await?);
        }
        browser.advance(301).await?;
        refused.push(verify(ann, &second).await?);
        refused.push(verify("+61412345798", "000000").await?);
        for answer in &refused {
            assert_eq!(answer.told(), refused[0].told(), "one refusal for every reason");
            assert_eq!((answer.status, answer.code()), (400, "invalid_code"));
        }
        tell(refused.len(), "attack rows on other people's, used and old codes");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn known_and_unknown_numbers_cost_the_same_and_are_told_the_same() -> Outcome {
    play(async |stage| {
        let mut ann = stage.browser();
        ann.sign_in("+61412345701").await?;
        ann.advance(61).await?;
        let mut told = Vec::new();
        // Ann's, nobody's, and one of a country that gets no texts.
        for phone in ["+61412345701", "+61412345797", "+18762101234"] {
            let before = stage.service().aws().calls();
            let answer = with_json(Request::new("POST", "/api/verification-codes"), &json!({ "phone": phone }).to_string());
            let answer = answer.send(stage.service().base_url()).await?.expect(202)?;
            let after = stage.service().aws().calls();
            // The queue is asked all the time, whoever signs in.
            let spent = after.into_iter().map(|(name, count)| (name.clone(), count - before.get(&name).copied().unwrap_or(0)));
            let spent: Vec<_> =
                spent.filter(|(name, count)| *count > 0 && !name.starts_with("sqs.") && !name.starts_with("sns.")).collect();
            let fields: Vec<_> = answer.json.as_object().unwrap().keys().cloned().collect();
            // A moment may end in zeros that are not written.
            let headers = answer.headers.into_iter().filter(|(name, _)| name != "date" && name != "content-length");
            let headers: Vec<_> = headers.collect();
            told.push((fields, headers, spent));
        }
        assert_eq!(told[0], told[1]);
        assert_eq!(told[0], told[2]);
        assert_eq!(State::read(stage).await?.count("texts "), 3, "a text to each, but for the country");
        tell(3, "probes of known, unknown and blocked numbers");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_that_cannot_be_used_gets_one_answer_whatever_is_wrong() -> Outcome {
    play(async |stage| {
        let scene = Scene::set(stage).await?;
        let mut mallory = stage.browser();
        mallory.sign_in("+61412345705").await?;
        let used = mallory.post("/_local/gift-certificates", Some(&json!({ "plan": "starter" }))).await?.expect(201)?.str("/code")?;
        let mut carol = stage.browser();
        carol.sign_in("+61412345706").await?;
        carol.post("/api/redeem-gift", Some(&json!({ "code": used }))).await?.expect(200)?;
        let expiring = json!({ "plan": "professional", "valid_seconds": 60 });
        let expired = mallory.post("/_local/gift-certificates", Some(&expiring)).await?.expect(201)?.str("/code")?;
        mallory.advance(60).await?;
        let revoked = mallory.post("/_local/gift-certificates", Some(&json!({ "plan": "starter" }))).await?.expect(201)?.str("/code")?;
        mallory.post("/_local/gift-certificates/revoke", Some(&json!({ "code": revoked }))).await?.expect(204)?;
        let before = State::read(stage).await?;
        let mut refused = Vec::new();
        let valid_once = [used.as_str(), &expired, &revoked, "0000-0000-0000-0000"];
        for code in NO_GIFT.into_iter().chain(valid_once) {
            let body = format!("{{\"code\":\"{code}\"}}");
            refused.push(scene.send(&with_json(request_of(&mallory, "POST", "/api/redeem-gift"), &body)).await?);
        }
        for answer in &refused {
            assert_eq!(answer.told(), refused[0].told(), "one refusal for every reason");
            assert_eq!((answer.status, answer.code()), (400, "invalid_code"));
        }
        let changed = before.differences(&State::read(stage).await?, COUNTERS);
        assert!(changed.is_empty(), "{changed:#?}");
        // Also to whoever has nothing, and to whom it belonged.
        mallory.get("/api/quota").await?.expect(409)?;
        carol.post("/api/redeem-gift", Some(&json!({ "code": used }))).await?.expect(200)?;
        tell(refused.len(), "attack rows on certificates");
        Ok(())
    })
    .await
}
