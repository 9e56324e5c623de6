//! `Idempotency-Key`: what is sent twice is made once, and nobody gets another's answer.

use futures::future::join_all;
use journeys::{Person, ahead, play, play_disturbed};
use local::{Browser, Reply};
use reqwest::Method;
use serde_json::{Value, json};

type Outcome = anyhow::Result<()>;

async fn keyed(browser: &Browser, path: &str, key: &str, body: &Value) -> anyhow::Result<Reply> {
    browser.request(Method::POST, path, &[("idempotency-key", key)], Some(body)).await
}

fn draft(person: &Person, text: &str) -> Value {
    json!({ "content": text, "targets": [{ "connection_id": person.x }, { "connection_id": person.facebook }],
            "scheduled_for": ahead() })
}

async fn drafts(person: &Person) -> anyhow::Result<usize> {
    Ok(person.browser.get("/api/posts").await?.expect(200)?.json["items"].as_array().map_or(0, Vec::len))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_at_once_with_one_key_make_one_thing_and_tell_one_answer() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412345651", "starter", "ann").await?;
        let body = draft(&ann, "Once");
        let rush = join_all((0..20).map(|_| keyed(&ann.browser, "/api/posts", "k1", &body))).await;
        let rush = rush.into_iter().collect::<anyhow::Result<Vec<_>>>()?;
        let told = keyed(&ann.browser, "/api/posts", "k1", &body).await?.expect(201)?;
        assert_eq!(told.headers["idempotency-replayed"], "true");
        for reply in rush {
            match reply.status.as_u16() {
                201 => assert_eq!(reply.text, told.text),
                _ => assert_eq!(reply.expect(409)?.str("/code")?, "idempotency_in_flight"),
            }
        }
        assert_eq!(drafts(&ann).await?, 2);
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_bound_to_its_request_and_its_user_for_a_day() -> Outcome {
    play(async |stage| {
        let (mut ann, bob) = tokio::try_join!(stage.person("+61412345652", "starter", "a"), stage.person("+61412345653", "starter", "b"))?;
        let first = keyed(&ann.browser, "/api/posts", "k1", &draft(&ann, "Ann's")).await?.expect(201)?;
        let reused = keyed(&ann.browser, "/api/posts", "k1", &draft(&ann, "Another")).await?.expect(422)?;
        assert_eq!(reused.str("/code")?, "idempotency_key_reused");
        let post = first.str("/items/0/id")?;
        let reused = keyed(&ann.browser, &format!("/api/posts/{post}/cancel"), "k1", &json!({})).await?.expect(422)?;
        assert_eq!(reused.str("/code")?, "idempotency_key_reused");
        let others = keyed(&bob.browser, "/api/posts", "k1", &draft(&bob, "Bob's")).await?.expect(201)?;
        assert!(!others.text.contains(&post) && !others.headers.contains_key("idempotency-replayed"));
        // The same user's other session has the same keys.
        ann.browser.advance(61).await?;
        ann.browser.sign_in("+61412345652").await?;
        let again = keyed(&ann.browser, "/api/posts", "k1", &draft(&ann, "Ann's")).await?.expect(201)?;
        assert_eq!(again.text, first.text);
        ann.browser.advance(86_401).await?;
        let new = keyed(&ann.browser, "/api/posts", "k1", &draft(&ann, "The next day")).await?.expect(201)?;
        assert_ne!(new.str("/items/0/id")?, post);
        assert_eq!(drafts(&ann).await?, 4);
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_whose_answer_was_lost_is_found_and_not_made_again() -> Outcome {
    play_disturbed(async |stage| {
        let ann = stage.person("+61412345654", "starter", "ann").await?;
        let body = draft(&ann, "Made, then cut off");
        // The transaction lands and its answer does not come back, so that the run ends in 503.
        stage.lose_answers("dynamodb.TransactWriteItems", 100);
        let lost = keyed(&ann.browser, "/api/posts", "k1", &body).await?.expect(503)?;
        assert_eq!(lost.headers["retry-after"], "1");
        stage.heal();
        assert_eq!(drafts(&ann).await?, 2);
        let found = keyed(&ann.browser, "/api/posts", "k1", &body).await?.expect(201)?;
        assert_eq!(found.json["items"].as_array().map(Vec::len), Some(2));
        assert_eq!(found.json["items"][1]["content"], "Made, then cut off");
        assert_eq!(drafts(&ann).await?, 2);
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_cannot_be_claimed_makes_nothing() -> Outcome {
    play_disturbed(async |stage| {
        let ann = stage.person("+61412345655", "starter", "ann").await?;
        stage.fail("dynamodb.PutItem");
        let refused = keyed(&ann.browser, "/api/posts", "k1", &draft(&ann, "Nothing")).await?.expect(503)?;
        assert_eq!((refused.str("/code")?.as_str(), &refused.headers["retry-after"]), ("unavailable", &"1".parse()?));
        stage.heal();
        assert_eq!(drafts(&ann).await?, 0);
        keyed(&ann.browser, "/api/posts", "k1", &draft(&ann, "Nothing")).await?.expect(201)?;
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_with_a_session_is_neither_stored_nor_given_again() -> Outcome {
    play(async |stage| {
        let (browser, other) = (stage.browser(), stage.browser());
        let (phone, ask) = ("+61412345656", json!({ "phone": "+61412345656" }));
        let sent = keyed(&browser, "/api/verification-codes", "k1", &ask).await?.expect(202)?;
        let again = keyed(&browser, "/api/verification-codes", "k1", &ask).await?.expect(202)?;
        assert_eq!((sent.text, &again.headers["idempotency-replayed"]), (again.text, &"true".parse()?));
        let code = browser.texted_code(phone).await?;
        let body = json!({ "phone": phone, "code": code });
        let signed_in = keyed(&browser, "/api/verify-code", "k2", &body).await?.expect(200)?;
        let refused = keyed(&other, "/api/verify-code", "k2", &body).await?.expect(400)?;
        assert_eq!(refused.str("/code")?, "invalid_code");
        assert!(!refused.headers.contains_key("set-cookie"));

        let mut browser = browser;
        browser.keep_cookie(&signed_in);
        browser.csrf_token = Some(signed_in.str("/csrf_token")?);
        for _ in 0..2 {
            let resumed = keyed(&browser, "/api/establish-session", "k3", &json!({})).await?.expect(200)?;
            assert_eq!(Some(resumed.str("/csrf_token")?), browser.csrf_token);
            assert!(!resumed.headers.contains_key("idempotency-replayed"));
        }
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_no_item_holds_comes_back_whole() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412345657", "starter", "ann").await?;
        let pages = ann.browser.connect("facebook", &[], &["Demo Bakery", "Demo Garden"]).await?;
        let targets: Vec<_> = pages.iter().map(|page| json!({ "connection_id": page })).collect();
        // Two texts of 189,000 bytes: more than one item takes.
        let body = json!({ "content": "\u{3042}".repeat(63_000), "targets": targets, "scheduled_for": ahead() });
        let first = keyed(&ann.browser, "/api/posts", "k1", &body).await?.expect(201)?;
        let again = keyed(&ann.browser, "/api/posts", "k1", &body).await?.expect(201)?;
        assert!(again.headers.contains_key("idempotency-replayed") && first.text == again.text && first.text.len() > 370_000);
        Ok(())
    })
    .await
}

/// No call of a frontend: what the payment provider sends has an identity of its own.
const PROVIDERS: &str = "/api/billing/webhook";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_post_of_every_function_reads_the_key() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412345658", "starter", "ann").await?;
        let mut honoured = 0;
        for path in local::paths().filter(|path| path.starts_with('/') && *path != PROVIDERS) {
            let path = path.replace("{id}", "01J00000000000000000000000").replace("{platform}", "x");
            let reply = keyed(&ann.browser, &path, "two words", &json!({})).await?;
            match reply.status.as_u16() {
                405 => {}
                400 => honoured += 1,
                _ => panic!("{path}: {} {}", reply.status, reply.text),
            }
            assert!(["malformed_request", "method_not_allowed"].contains(&reply.str("/code")?.as_str()), "{path}: {}", reply.text);
        }
        assert!(honoured >= 9, "{honoured}");
        Ok(())
    })
    .await
}
