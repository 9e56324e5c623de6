//! Limits: reached, and then gone round by whatever a caller can write.

use journeys::{Stage, play, play_with};
use local::Browser;
use security::attack::{Attack, attack, run};
use security::scene::Scene;
use security::scene::Who::{self, Eve, Nobody};
use security::state::State;
use security::tell;
use serde_json::json;

type Outcome = anyhow::Result<()>;

/// Headers by which proxies name the caller: none of them is believed.
const FORGED: [(&str, &str); 11] = [
    ("x-forwarded-for", "203.0.113.9"),
    ("x-forwarded-for", "203.0.113.9, 198.51.100.7"),
    ("forwarded", "for=203.0.113.9;proto=https"),
    ("x-real-ip", "203.0.113.9"),
    ("x-client-ip", "203.0.113.9"),
    ("x-cluster-client-ip", "203.0.113.9"),
    ("true-client-ip", "203.0.113.9"),
    ("cf-connecting-ip", "203.0.113.9"),
    ("fastly-client-ip", "203.0.113.9"),
    ("x-amzn-source-ip", "203.0.113.9"),
    ("x-forwarded-host", "203.0.113.9"),
];
/// How many codes the scene itself asks for, and so how many there are in these tests.
const SCENES_CODES: usize = 4;
/// Where requests are counted.
const COUNTERS: &[&str] = &["CODE#", "COUNT#"];

/// The first seconds of a span that limits count by, so that it does not end meanwhile.
async fn begin_a_span(stage: &Stage, secs: i64) -> anyhow::Result<Browser> {
    let browser = stage.browser();
    let now: jiff::Timestamp = browser.advance(1).await?.parse()?;
    browser.advance(secs + 1 - now.as_second().rem_euclid(secs)).await?;
    Ok(browser)
}

/// The row as it is and once with each forged header, a number of its own in each.
fn with_forged_headers(row: impl Fn(usize) -> Attack) -> Vec<Attack> {
    let forged = FORGED.iter().enumerate().map(|(n, (name, value))| row(n).with(name, *value));
    std::iter::once(row(FORGED.len())).chain(forged).collect()
}

fn ask(phone: &str) -> Attack {
    attack("a code beyond the limit", Nobody, "POST", "/api/verification-codes").json(json!({ "phone": phone }).to_string())
}

fn verify(phone: &str) -> Attack {
    let body = json!({ "phone": phone, "code": "000000" }).to_string();
    attack("a try beyond the limit", Nobody, "POST", "/api/verify-code").json(body)
}

fn redeem(what: &'static str, by: Who, code: &str) -> Attack {
    attack(what, by, "POST", "/api/redeem-gift").json(json!({ "code": code }).to_string())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_is_counted_whatever_its_headers_say() -> Outcome {
    play_with(&[("CODES_PER_ADDRESS_MAX", "4")], async |stage| {
        begin_a_span(stage, 3_600).await?;
        let scene = Scene::set(stage).await?;
        let refused = |row: Attack| row.gets(429, "too_many_requests");
        let asks = with_forged_headers(|n| refused(ask(&format!("+614123462{n:02}"))));
        // Five tries a code: those that the scene did not need are used up first.
        let tries: Vec<_> = (0..SCENES_CODES * 4)
            .map(|n| verify(&format!("+614123463{n:02}")).gets(400, "invalid_code").may_change(&["COUNT#"]))
            .chain(with_forged_headers(|n| refused(verify(&format!("+614123464{n:02}")))))
            .collect();
        let count = run(&scene, &asks).await? + run(&scene, &tries).await?;
        let elsewhere = stage.browser_from([127, 0, 0, 2]);
        elsewhere.post("/api/verification-codes", Some(&json!({ "phone": "+61412346299" }))).await?.expect(202)?;
        tell(count, "attack rows on the limits of an address");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_days_codes_are_used_up_for_every_address_and_no_text_goes_out() -> Outcome {
    play_with(&[("CODES_PER_DAY_MAX", "4")], async |stage| {
        begin_a_span(stage, 86_400).await?;
        let scene = Scene::set(stage).await?;
        let rows = with_forged_headers(|n| ask(&format!("+614123465{n:02}")).gets(429, "too_many_requests").may_change(COUNTERS));
        let count = run(&scene, &rows).await?;
        let before = State::read(stage).await?;
        for (n, address) in [[127, 0, 0, 2], [127, 0, 0, 3]].into_iter().enumerate() {
            let phone = format!("+614123466{n:02}");
            let refused =
                stage.browser_from(address).post("/api/verification-codes", Some(&json!({ "phone": phone }))).await?.expect(429)?;
            assert_eq!(refused.json["code"], "too_many_requests");
            assert!(refused.headers.contains_key("retry-after"));
            // Nothing was sent, and what was stored for it opens nothing.
            let guess = json!({ "phone": phone, "code": "000000" });
            stage.browser_from(address).post("/api/verify-code", Some(&guess)).await?.expect(400)?;
        }
        let changed = before.differences(&State::read(stage).await?, COUNTERS);
        assert!(changed.is_empty(), "{changed:#?}");
        tell(count + 4, "attack rows on the limit of a day");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_guesses_certificates_is_stopped_and_the_others_are_not() -> Outcome {
    play(async |stage| {
        begin_a_span(stage, 3_600).await?;
        let scene = Scene::set(stage).await?;
        // What cannot be a code is no guess, and does not bring the limit nearer.
        let slips = (0..40).map(|_| redeem("a slip of the hand", Eve, "evil").gets(400, "invalid_code"));
        let guesses = (0..30).map(|n| {
            redeem("a guess", Eve, &format!("0000-0000-0000-{n:04}")).gets(400, "invalid_code").may_change(&["COUNT#gift-guesses"])
        });
        let beyond = with_forged_headers(|_| redeem("a right code after thirty guesses", Eve, "{gift}").gets(429, "too_many_requests"));
        let count = run(&scene, &slips.chain(guesses).chain(beyond).collect::<Vec<_>>()).await?;
        let mut elsewhere = stage.browser_from([127, 0, 0, 2]);
        (elsewhere.cookie, elsewhere.csrf_token) = (scene.eve.browser.cookie.clone(), scene.eve.browser.csrf_token.clone());
        let code = json!({ "code": scene.names["gift"] });
        let before = State::read(stage).await?;
        let refused = elsewhere.post("/api/redeem-gift", Some(&code)).await?.expect(429)?;
        assert!(refused.headers.contains_key("retry-after"));
        let changed = before.differences(&State::read(stage).await?, &[]);
        assert!(changed.is_empty(), "{changed:#?}");
        scene.ann.browser.post("/api/redeem-gift", Some(&code)).await?.expect(200)?;
        tell(count + 1, "attack rows on guessed certificates");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_begins_consents_without_end_is_stopped_and_nobody_else_is() -> Outcome {
    play(async |stage| {
        begin_a_span(stage, 3_600).await?;
        let scene = Scene::set(stage).await?;
        let mut begun = 0;
        for _ in 0..200 {
            match scene.eve.browser.get("/oauth/x/start").await?.status.as_u16() {
                303 => begun += 1,
                _ => break,
            }
        }
        // The scene has begun three for her.
        assert_eq!(begun, 120 - 3);
        let mut rows =
            with_forged_headers(|_| attack("a consent beyond the limit", Eve, "GET", "/oauth/x/start").gets(429, "too_many_requests"));
        rows.push(attack("on another platform", Eve, "GET", "/oauth/facebook/start").gets(429, "too_many_requests"));
        rows.push(attack("to connect again", Eve, "GET", "/oauth/x/start?reconnect={eves_x}").gets(429, "too_many_requests"));
        let count = run(&scene, &rows).await?;
        scene.ann.browser.get("/oauth/x/start").await?.expect(303)?;
        tell(begun + count, "attack rows on consents without end");
        Ok(())
    })
    .await
}
