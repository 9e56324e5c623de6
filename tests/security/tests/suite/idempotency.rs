//! `Idempotency-Key` in the wrong hands, in the wrong form, for the wrong request, and thirty times at once.

use journeys::play;
use security::attack::{Attack, attack, run};
use security::rush::{RUSH, rush};
use security::scene::Who::{Ann, Eve, Nobody};
use security::scene::{Scene, request_of, with_json};
use security::state::State;
use security::tell;
use security::wire::Request;
use serde_json::json;

type Outcome = anyhow::Result<()>;

const KEY: &str = "anns-key-1";
const DRAFT: &str = r#"{"content":"Under a key","targets":[{"connection_id":"{x}"}],"scheduled_for":"{due}"}"#;
const OTHER: &str = r#"{"content":"Under the same key","targets":[{"connection_id":"{x}"}],"scheduled_for":"{due}"}"#;

/// Keys in a wrong form.
fn odd_keys() -> Vec<Attack> {
    let post = |what: &str| attack(what, Ann, "POST", "/api/posts").json(DRAFT);
    let long = "k".repeat(129);
    let odd = [("no letter", ""), ("a space", "a b"), ("a tab", "a\tb"), ("129 letters", long.as_str())];
    let mut rows: Vec<_> =
        odd.map(|(what, key)| post(&format!("a key of {what}")).with("idempotency-key", key).gets(400, "malformed_request")).to_vec();
    rows.push(
        attack("an odd key of nobody", Nobody, "POST", "/api/verify-code")
            .json("{}")
            .with("idempotency-key", "a b")
            .gets(400, "malformed_request"),
    );
    rows
}

/// What may be done with the key under which Ann made a draft.
fn misuse() -> Vec<Attack> {
    let with_key = |what: &str, by, target: &str| attack(what, by, "POST", target).with("idempotency-key", KEY);
    let own = |what: &str| with_key(what, Ann, "/api/posts").json(DRAFT);
    let reused = |row: Attack| row.gets(422, "idempotency_key_reused");
    vec![
        own("the same again").is_harmless(201),
        reused(with_key("another body", Ann, "/api/posts").json(OTHER)),
        reused(with_key("the same body with a space", Ann, "/api/posts").json(format!("{DRAFT} "))),
        reused(with_key("another call", Ann, "/api/posts/{draft}/approve")),
        reused(with_key("another query", Ann, "/api/posts?evil=1").json(DRAFT)),
        reused(with_key("another call that ends the session", Ann, "/api/logout")),
        own("no token").without("x-csrf-token").gets(403, "csrf_rejected"),
        own("another's token").with("x-csrf-token", "{eves_csrf}").gets(403, "csrf_rejected"),
        own("a foreign page").with("origin", "https://evil.example").gets(403, "csrf_rejected"),
        own("a dead session").with("cookie", "__Host-session={dead_cookie}").gets(401, "session_expired"),
        with_key("no session", Nobody, "/api/posts").json(DRAFT).gets(401, "session_required"),
        // To Eve the key is new, and the connection in the body is not hers.
        with_key("another's key", Eve, "/api/posts")
            .json(DRAFT)
            .gets(422, "validation_failed")
            .naming("connection_unknown")
            .may_change(&["KEY#"]),
        attack("a key on what is no POST", Ann, "GET", "/api/posts/{draft}").with("idempotency-key", KEY).is_harmless(200),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_belongs_to_its_user_and_to_one_request() -> Outcome {
    play(async |stage| {
        let scene = Scene::set(stage).await?;
        let first = with_json(scene.request(Ann, "POST", "/api/posts"), &scene.filled(DRAFT)).with("idempotency-key", KEY);
        let made = scene.send(&first).await?.expect(201)?;
        let again = scene.send(&first).await?.expect(201)?;
        assert_eq!((&made.text, again.header("idempotency-replayed")), (&again.text, Some("true")));
        let count = run(&scene, &odd_keys()).await? + run(&scene, &misuse()).await?;
        // Another session of the same user is the same user.
        let other =
            first.clone().with("cookie", &scene.filled("__Host-session={other_cookie}")).with("x-csrf-token", &scene.names["other_csrf"]);
        assert_eq!(scene.send(&other).await?.expect(201)?.text, made.text);
        // A day and a second later it is a new request.
        scene.ann.browser.advance(24 * 3_600 + 1).await?;
        assert_ne!(scene.send(&first).await?.expect(201)?.text, made.text);
        tell(count + 2, "attack rows on idempotency keys");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cookie_is_never_given_again_for_a_key() -> Outcome {
    play(async |stage| {
        let (base, browser, phone) = (stage.service().base_url(), stage.browser(), "+61412345751");
        browser.post("/api/verification-codes", Some(&json!({ "phone": phone }))).await?.expect(202)?;
        let body = json!({ "phone": phone, "code": browser.texted_code(phone).await? }).to_string();
        let verify = with_json(Request::new("POST", "/api/verify-code"), &body).with("idempotency-key", "guessable");
        let answers = rush(base, vec![verify.clone(); RUSH]).await?;
        answers.only(&[(200, ""), (400, "invalid_code"), (409, "idempotency_in_flight")])?;
        let with_cookie = answers.0.iter().filter(|answer| answer.header("set-cookie").is_some()).count();
        assert_eq!((answers.count(200), with_cookie), (1, 1), "one session, told once");
        let later = verify.send(base).await?.expect(400)?;
        assert!(later.header("set-cookie").is_none() && !later.told().contains("csrf"), "{}", later.told());
        let session = answers.0.iter().find_map(|answer| answer.json["csrf_token"].as_str()).unwrap_or_default();
        let kept = State::read(stage).await?.kept().any(|(_, kept)| kept.contains(session));
        assert!(!kept, "the CSRF token is kept nowhere");
        tell(RUSH + 1, "calls at once on signing in under one key");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thirty_requests_under_one_key_are_made_once() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412345752", "starter", "ann").await?;
        let base = stage.service().base_url();
        let post = |key: &str, n: usize| {
            let body =
                json!({ "content": format!("Text {n}"), "targets": [{ "connection_id": ann.x }], "scheduled_for": "2026-12-24T09:00:00Z" });
            with_json(request_of(&ann.browser, "POST", "/api/posts"), &body.to_string()).with("idempotency-key", key)
        };
        let count = async || anyhow::Ok(ann.browser.get("/api/posts?limit=100").await?.json["items"].as_array().map_or(0, Vec::len));

        let same = rush(base, vec![post("one", 1); RUSH]).await?;
        same.only(&[(201, ""), (409, "idempotency_in_flight")])?;
        assert_eq!(count().await?, 1);
        let settled = post("one", 1).send(base).await?.expect(201)?;
        assert!(same.0.iter().filter(|answer| answer.status == 201).all(|answer| answer.text == settled.text));
        assert!(same.0.iter().filter(|answer| answer.status == 409).all(|answer| answer.header("retry-after").is_some()));

        let mixed = rush(base, (0..RUSH).map(|n| post("two", n % 2)).collect()).await?;
        mixed.only(&[(201, ""), (409, "idempotency_in_flight"), (422, "idempotency_key_reused")])?;
        assert_eq!(count().await?, 2);

        let gift = ann.browser.post("/_local/gift-certificates", Some(&json!({ "plan": "starter" }))).await?.expect(201)?.str("/code")?;
        let body = json!({ "code": gift }).to_string();
        let redeem = with_json(request_of(&ann.browser, "POST", "/api/redeem-gift"), &body).with("idempotency-key", "three");
        let redeemed = rush(base, vec![redeem; RUSH]).await?;
        redeemed.only(&[(200, ""), (400, "invalid_code"), (409, "idempotency_in_flight")])?;
        let draft = settled.json["items"][0]["id"].as_str().unwrap_or_default().to_owned();
        let approve = request_of(&ann.browser, "POST", &format!("/api/posts/{draft}/approve")).with("idempotency-key", "four");
        let approved = rush(base, vec![approve; RUSH]).await?;
        approved.only(&[(200, ""), (409, "idempotency_in_flight")])?;
        assert_eq!(ann.browser.quota().await?[2], 1);
        ann.ledger_adds_up().await?;
        tell(RUSH * 4 + 1, "calls at once under one key");
        Ok(())
    })
    .await
}
