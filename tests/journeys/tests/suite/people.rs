//! People: each sees their own things, bad input changes nothing, and no secret reaches a log.

use journeys::{SOON, Stage, play};
use reqwest::Method;
use serde_json::{Value, json};

type Outcome = anyhow::Result<()>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_people_at_once_never_see_each_others_things() -> Outcome {
    play(async |stage| {
        let (ann, bob) =
            tokio::try_join!(stage.person("+61412345641", "starter", "ann"), stage.person("+61412345642", "professional", "bob"))?;
        let (anns, bobs) = tokio::try_join!(ann.approved_on_x("From Ann", 0), bob.approved_on_x("From Bob", 0))?;
        tokio::try_join!(ann.browser.wait_for(&anns, "published", SOON), bob.browser.wait_for(&bobs, "published", SOON))?;
        let on_x = ann.browser.on_platform("x", "From Ann").await?;
        assert_eq!((on_x.len(), &on_x[0]["account"]), (1, &json!("ann")));
        for (mine, theirs, person) in [(&anns, &bobs, &ann), (&bobs, &anns, &bob)] {
            let listed = person.browser.get("/api/posts").await?.expect(200)?.text;
            assert!(listed.contains(mine.as_str()) && !listed.contains(theirs.as_str()));
            let other = if person.x == ann.x { &bob } else { &ann };
            let session = other.browser.get("/api/sessions").await?.str("/items/0/id")?;
            let foreign = [
                (Method::GET, format!("/api/posts/{theirs}")),
                (Method::DELETE, format!("/api/posts/{theirs}")),
                (Method::POST, format!("/api/posts/{theirs}/approve")),
                (Method::POST, format!("/api/posts/{theirs}/cancel")),
                (Method::DELETE, format!("/api/connections/{}", other.x)),
                (Method::DELETE, format!("/api/sessions/{session}")),
            ];
            for (method, path) in foreign {
                let reply = person.browser.request(method.clone(), &path, &[], None).await?;
                assert_eq!((reply.status.as_u16(), &reply.json["code"]), (404, &json!("not_found")), "{method} {path}");
            }
            let draft =
                json!({ "content": "Not mine", "targets": [{ "connection_id": other.x }], "scheduled_for": "2030-01-01T00:00:00Z" });
            let refused = person.browser.post("/api/posts", Some(&draft)).await?.expect(422)?;
            assert_eq!(refused.json["errors"].as_array().unwrap().iter().filter(|e| e["code"] == "connection_unknown").count(), 1);
        }
        ann.has_quota([12, 1, 0, 11]).await?;
        bob.has_quota([52, 1, 0, 51]).await?;
        Ok(())
    })
    .await
}

/// One wrong request: what is wrong, the method, the path, the body as text, more headers, the status and the code.
type Wrong<'a> = (&'a str, Method, &'a str, Option<&'a str>, &'a [(&'a str, &'a str)], u16, &'a str);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_input_gets_the_contracts_problem_and_changes_nothing() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412345643", "starter", "ann").await?;
        let draft = ann.written_on_x("A draft", 3_000).await?;
        let approve = format!("/api/posts/{draft}/approve");
        let path = format!("/api/posts/{draft}");
        let target = format!("\"targets\":[{{\"connection_id\":\"{}\"}}]", ann.x);
        let long = "x".repeat(281);
        let huge = format!("{{\"content\":\"{}\"}}", "x".repeat(2_000_000));
        let with = |rest: &str| format!("{{\"content\":\"hi\",{target},{rest}}}");
        let (naive, past, far) = (
            with("\"scheduled_for\":\"2030-01-01T09:00:00\""),
            with("\"scheduled_for\":\"2020-01-01T09:00:00Z\""),
            with("\"scheduled_for\":\"2999-01-01T09:00:00Z\""),
        );
        let odd_offset = with("\"scheduled_for\":\"2026-12-24T09:00:00+25:00\"");
        let zone = with("\"scheduled_local\":\"2030-01-01T09:00:00\",\"time_zone\":\"Mars/Base\"");
        let (leap, unset) = (
            with("\"scheduled_for\":\"2026-12-31T23:59:60Z\""),
            with("\"scheduled_local\":\"2030-01-01T09:00:00\",\"time_zone\":\"Factory\""),
        );
        let unseen = format!("{{\"content\":\"\u{3164}\u{2800}\",{target},\"scheduled_for\":\"2026-12-01T09:00:00Z\"}}");
        let too_long = format!("{{\"content\":\"{long}\",{target},\"scheduled_for\":\"2026-12-01T09:00:00Z\"}}");
        let unknown_field = with("\"scheduled_for\":\"2026-12-01T09:00:00Z\",\"surprise\":1");
        let wrong: Vec<Wrong<'_>> = vec![
            ("broken JSON", Method::POST, "/api/posts", Some("{"), &[], 400, "malformed_json"),
            ("duplicate keys", Method::POST, "/api/redeem-gift", Some("{\"code\":\"a\",\"code\":\"b\"}"), &[], 400, "malformed_json"),
            ("an unknown field", Method::POST, "/api/posts", Some(&unknown_field), &[], 400, "malformed_json"),
            ("a wrong type", Method::POST, "/api/redeem-gift", Some("{\"code\":7}"), &[], 422, "validation_failed"),
            ("2 MB", Method::POST, "/api/posts", Some(&huge), &[], 413, "payload_too_large"),
            ("a naive time", Method::POST, "/api/posts", Some(&naive), &[], 422, "time_without_zone"),
            ("a past time", Method::POST, "/api/posts", Some(&past), &[], 422, "due_in_past"),
            ("a far time", Method::POST, "/api/posts", Some(&far), &[], 422, "due_too_far"),
            ("no such zone", Method::POST, "/api/posts", Some(&zone), &[], 422, "time_zone_unknown"),
            ("a leap second", Method::POST, "/api/posts", Some(&leap), &[], 422, "time_malformed"),
            ("the zone of a machine that was never set up", Method::POST, "/api/posts", Some(&unset), &[], 422, "time_zone_unknown"),
            ("a text of invisible letters", Method::POST, "/api/posts", Some(&unseen), &[], 422, "text_empty"),
            ("a missing field", Method::POST, "/api/redeem-gift", Some("{}"), &[], 422, "value_missing"),
            ("a long text", Method::POST, "/api/posts", Some(&too_long), &[], 422, "text_too_long"),
            ("a code in an array", Method::POST, "/api/redeem-gift", Some("[\"AAAA-AAAA-AAAA-AAAA\"]"), &[], 422, "validation_failed"),
            ("an approval with an array", Method::POST, &approve, Some("[]"), &[], 422, "validation_failed"),
            ("an offset past the day", Method::POST, "/api/posts", Some(&odd_offset), &[], 422, "time_malformed"),
            (
                "a span that ends before it begins",
                Method::GET,
                "/api/posts?from=2027-01-02T00:00:00Z&to=2027-01-01T00:00:00Z",
                None,
                &[],
                400,
                "malformed_request",
            ),
            ("a list from a leap second on", Method::GET, "/api/posts?from=2026-12-31T23:59:60Z", None, &[], 400, "time_malformed"),
            ("totals up to a leap second", Method::GET, "/api/analytics/totals?to=2026-12-31T23:59:60Z", None, &[], 400, "time_malformed"),
            ("a file up to a leap second", Method::GET, "/api/export/posts.csv?to=2026-12-31T23:59:60Z", None, &[], 400, "time_malformed"),
            (
                "another spelling of the version",
                Method::PATCH,
                &path,
                Some("{\"content\":\"x\"}"),
                &[("if-match", "\"01\"")],
                412,
                "stale_version",
            ),
            ("no version", Method::PATCH, &path, Some("{\"content\":\"x\"}"), &[], 428, "precondition_required"),
            ("no such gift", Method::POST, "/api/redeem-gift", Some("{\"code\":\"AAAA-AAAA-AAAA-AAAA\"}"), &[], 400, "invalid_code"),
            ("a foreign cursor", Method::GET, "/api/posts?cursor=AAAA", None, &[], 400, "invalid_cursor"),
            ("a limit of 0", Method::GET, "/api/posts?limit=0", None, &[], 400, "out_of_range"),
            ("a limit that is no number", Method::GET, "/api/posts?limit=evil", None, &[], 400, "value_malformed"),
            ("a status that is none", Method::GET, "/api/posts?status=evil", None, &[], 400, "value_unknown"),
            ("an unknown parameter", Method::GET, "/api/posts?evil=1", None, &[], 400, "name_unknown"),
            ("a wrong method", Method::PUT, "/api/posts", None, &[], 405, "method_not_allowed"),
            ("an odd id", Method::GET, "/api/posts/%2e%2e", None, &[], 404, "not_found"),
            ("a foreign origin", Method::POST, &approve, None, &[("origin", "https://evil.example")], 403, "csrf_rejected"),
            ("a cross-site page", Method::POST, &approve, None, &[("sec-fetch-site", "cross-site")], 403, "csrf_rejected"),
            ("no such address", Method::GET, "/git.new/https://evil.example", None, &[], 400, "malformed_request"),
        ];
        for (what, method, path, body, headers, status, code) in wrong {
            let reply = raw(stage, &ann.browser, method, path, body, headers).await?;
            let told = reply.json["code"].as_str().unwrap_or_default().to_owned();
            let fields: Vec<_> = reply.json["errors"].as_array().into_iter().flatten().map(|error| error["code"].clone()).collect();
            assert_eq!(reply.status.as_u16(), status, "{what}: {}", reply.text);
            assert!(told == code || fields.contains(&json!(code)), "{what}: {}", reply.text);
            assert_eq!(reply.headers["content-type"], "application/problem+json", "{what}");
            assert!(!reply.text.contains("evil") && !reply.text.contains("Mars"), "{what} is echoed");
        }
        let mut stranger = stage.browser();
        assert_eq!(stranger.get("/api/user").await?.expect(401)?.json["code"], "session_required");
        stranger.cookie = ann.browser.cookie.clone();
        assert_eq!(stranger.post(&approve, None).await?.expect(403)?.json["code"], "csrf_rejected");
        stranger.cookie = Some("__Host-session=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA".to_owned());
        assert_eq!(stranger.get("/api/user").await?.expect(401)?.json["code"], "session_expired");
        assert_eq!(ann.browser.post_story(&draft).await?["status"], "draft");
        assert_eq!(ann.browser.get("/api/posts").await?.json["items"].as_array().map(Vec::len), Some(1));
        ann.has_quota([12, 0, 0, 12]).await?;
        Ok(())
    })
    .await
}

/// A request whose body is text of any kind, and whose headers replace the browser's own.
async fn raw(
    stage: &Stage,
    browser: &local::Browser,
    method: Method,
    path: &str,
    body: Option<&str>,
    headers: &[(&str, &str)],
) -> anyhow::Result<local::Reply> {
    let client = reqwest::Client::builder().no_proxy().build()?;
    let mut request = client.request(method, format!("{}{path}", stage.service().base_url()));
    request = request.header("cookie", browser.cookie.clone().unwrap_or_default());
    request = request.header("x-csrf-token", browser.csrf_token.clone().unwrap_or_default());
    request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    if let Some(body) = body {
        request = request.header("content-type", "application/json").body(body.to_owned());
    }
    let response = request.send().await?;
    let (status, headers) = (response.status(), response.headers().clone());
    let text = response.text().await?;
    let json = serde_json::from_str(&text).unwrap_or(Value::Null);
    Ok(local::Reply { status, headers, text, json })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_code_works_once_takes_five_tries_and_ends_after_five_minutes() -> Outcome {
    play(async |stage| {
        let browser = stage.browser();
        let phone = "+61412345644";
        let ask = json!({ "phone": phone });
        let verify = |code: &str| json!({ "phone": phone, "code": code });
        browser.post("/api/verification-codes", Some(&ask)).await?.expect(202)?;
        let code = browser.texted_code(phone).await?;
        let again = browser.post("/api/verification-codes", Some(&ask)).await?.expect(429)?;
        assert!(again.headers.contains_key("retry-after"));
        let wrong = if code == "000000" { "111111" } else { "000000" };
        for _ in 0..5 {
            assert_eq!(browser.post("/api/verify-code", Some(&verify(wrong))).await?.expect(400)?.json["code"], "invalid_code");
        }
        browser.post("/api/verify-code", Some(&verify(&code))).await?.expect(400)?;

        browser.advance(61).await?;
        browser.post("/api/verification-codes", Some(&ask)).await?.expect(202)?;
        let code = browser.texted_code(phone).await?;
        browser.advance(301).await?;
        browser.post("/api/verify-code", Some(&verify(&code))).await?.expect(400)?;

        browser.post("/api/verification-codes", Some(&ask)).await?.expect(202)?;
        let code = browser.texted_code(phone).await?;
        let body = verify(&code);
        let rush = futures::future::join_all((0..5).map(|_| browser.post("/api/verify-code", Some(&body)))).await;
        let signed_in = rush.into_iter().filter(|reply| reply.as_ref().is_ok_and(|reply| reply.status == 200)).count();
        assert_eq!(signed_in, 1, "one session a code");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gift_is_redeemed_once_under_a_rush_and_its_owner_may_ask_again() -> Outcome {
    play(async |stage| {
        let (mut ann, mut bob) = (stage.browser(), stage.browser());
        ann.sign_in("+61412345645").await?;
        bob.sign_in("+61412345646").await?;
        let gift = ann.post("/_local/gift-certificates", Some(&json!({ "plan": "professional" }))).await?.str("/code")?;
        let body = json!({ "code": gift.to_lowercase().replace('-', " ") });
        let tries = (0..20).map(|n| if n % 2 == 0 { &ann } else { &bob }).map(|browser| browser.post("/api/redeem-gift", Some(&body)));
        let replies = futures::future::try_join_all(tries).await?;
        let ok = |replies: &[local::Reply]| replies.iter().filter(|reply| reply.status == 200).count();
        let (anns, bobs): (Vec<_>, Vec<_>) = replies.into_iter().enumerate().partition(|(n, _)| n % 2 == 0);
        let (anns, bobs): (Vec<_>, Vec<_>) = (anns.into_iter().map(|(_, r)| r).collect(), bobs.into_iter().map(|(_, r)| r).collect());
        assert!((ok(&anns) == 0) != (ok(&bobs) == 0), "one of the two has it");
        let (owner, other) = if ok(&anns) > 0 { (&ann, &bob) } else { (&bob, &ann) };
        assert_eq!(owner.quota().await?, [52, 0, 0, 52]);
        assert_eq!(owner.post("/api/redeem-gift", Some(&body)).await?.expect(200)?.json["plan"], "professional");
        assert_eq!(other.post("/api/redeem-gift", Some(&body)).await?.expect(400)?.json["code"], "invalid_code");
        assert_eq!(other.get("/api/quota").await?.expect(409)?.json["code"], "no_active_plan");
        assert_eq!(owner.history().await?.len(), 1);
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consent_is_finished_once_and_only_by_the_browser_that_began_it() -> Outcome {
    play(async |stage| {
        let (mut ann, mut eve) = (stage.browser(), stage.browser());
        ann.sign_in("+61412345647").await?;
        eve.sign_in("+61412345648").await?;
        let callback = ann.consent_until_callback("x", "allow", &[]).await?;
        let ended = |reply: local::Reply| anyhow::Ok(reply.expect(303)?.location()?);
        assert!(ended(eve.get(&callback).await?)?.ends_with("error=session_mismatch"));
        assert!(ended(stage.browser().get(&callback).await?)?.ends_with("error=session_mismatch"));
        ann.request(Method::HEAD, &callback, &[], None).await?.expect(405)?;
        let rush = futures::future::try_join_all((0..10).map(|_| ann.get(&callback))).await?;
        assert_eq!(ann.platform_calls("x").await?["exchange"], 1);
        assert!(rush.iter().any(|reply| reply.location().is_ok_and(|to| to.contains("connected="))));
        assert!(ended(ann.get(&callback).await?)?.contains("/connections?connected="), "the same callback shows the same connection");
        assert_eq!(ann.get("/api/connections").await?.json["items"].as_array().map(Vec::len), Some(1));
        assert_eq!(eve.get("/api/connections").await?.json["items"].as_array().map(Vec::len), Some(0));
        assert!(ann.consent("x", "deny", &[]).await?.as_str().ends_with("error=denied"));
        let forged = callback.replace("state=", "state=A");
        assert!(ended(ann.get(&forged).await?)?.ends_with("error=state_invalid"));
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disconnected_account_is_gone_at_the_platform_too_and_its_posts_say_so() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412345649", "starter", "ann").await?;
        let post = ann.approved_on_x("Without a home", 300).await?;
        ann.browser.delete(&format!("/api/connections/{}", ann.x)).await?.expect(204)?;
        ann.browser.delete(&format!("/api/connections/{}", ann.x)).await?.expect(404)?;
        assert_ne!(ann.browser.platform_calls("x").await?["revoke"], 0);
        let draft = json!({ "content": "hi", "targets": [{ "connection_id": ann.x }], "scheduled_for": "2026-12-24T09:00:00Z" });
        ann.browser.post("/api/posts", Some(&draft)).await?.expect(422)?;
        assert_eq!(ann.browser.post_story(&post).await?["status"], "held", "it says so at once");
        ann.browser.advance(3_600 + 301 + 21).await?;
        let story = ann.browser.wait_for(&post, "missed", SOON).await?;
        assert_eq!(story["error"]["code"], "connection_gone");
        ann.has_quota([12, 0, 0, 12]).await?;
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_logged_out_session_is_gone_everywhere() -> Outcome {
    play(async |stage| {
        let (mut first, mut second) = (stage.browser(), stage.browser());
        first.sign_in("+61412345650").await?;
        first.advance(61).await?;
        second.sign_in("+61412345650").await?;
        assert_ne!(first.cookie, second.cookie);
        let sessions = second.get("/api/sessions").await?.expect(200)?.json["items"].as_array().cloned().unwrap();
        assert_eq!(sessions.len(), 2);
        let established = second.post("/api/establish-session", None).await?.expect(200)?;
        assert_eq!(established.json["csrf_token"].as_str(), second.csrf_token.as_deref());
        let other = sessions.iter().find(|session| session["current"] == false).unwrap()["id"].as_str().unwrap();
        second.delete(&format!("/api/sessions/{other}")).await?.expect(204)?;
        first.get("/api/user").await?.expect(401)?;
        let out = second.post("/api/logout", None).await?.expect(204)?;
        assert!(out.headers["set-cookie"].to_str()?.contains("Max-Age=0"));
        assert_eq!(second.get("/api/user").await?.expect(401)?.json["code"], "session_expired");
        Ok(())
    })
    .await
}

/// Whether a line holds a token or a one-time code of the simulated platforms: they begin with what they are.
fn holds_token(line: &str) -> bool {
    let words = line.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '-');
    words.into_iter().any(|word| word.len() > 40 && ["xa-", "xr-", "fu-", "fp-", "code-"].iter().any(|kind| word.starts_with(kind)))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_log_line_holds_a_secret_a_phone_number_or_a_post() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412345651", "starter", "ann").await?;
        let marker = "Planted-7f3a marker text";
        let post = ann.approved_on_x(marker, 0).await?;
        ann.browser.wait_for(&post, "published", SOON).await?;
        ann.browser.fault("x", &json!({ "kind": "reject" })).await?;
        let refused = ann.approved_on_x("Planted-7f3a refused", 0).await?;
        ann.browser.wait_for(&refused, "failed", SOON).await?;
        ann.browser.advance(61).await?;
        let code = {
            ann.browser.post("/api/verification-codes", Some(&json!({ "phone": "+61412345651" }))).await?.expect(202)?;
            ann.browser.texted_code("+61412345651").await?
        };
        let cookie = ann.browser.cookie.clone().unwrap();
        let cookie = cookie.split('=').nth(1).unwrap();
        let csrf = ann.browser.csrf_token.clone().unwrap();
        let log = stage.log();
        assert!(log.len() > 30, "a journey leaves lines");
        for line in &log {
            let told: Value = serde_json::from_str(line)?;
            assert!(told["timestamp"].is_string() && told["level"].is_string(), "{line}");
            for secret in ["Planted-7f3a", "412345651", "simulated-app-secret", cookie, &csrf, "code_verifier", "Bearer"] {
                assert!(!line.contains(secret), "{secret} in {line}");
            }
            let words: Vec<_> = line.split(|letter: char| !letter.is_ascii_alphanumeric()).collect();
            assert!(!words.contains(&code.as_str()), "the code in {line}");
            assert!(!holds_token(line), "a token in {line}");
        }
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_success_path_of_a_text_post_takes_these_calls_and_no_more() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412345652", "starter", "ann").await?;
        let post = ann.written_on_x("Counted", 600).await?;
        let counted = |before: &std::collections::BTreeMap<String, u64>, after: &std::collections::BTreeMap<String, u64>| {
            let jobs = ["dynamodb.Query", "sqs.ReceiveMessage", "sqs.DeleteMessageBatch"];
            let grown = after.iter().map(|(name, count)| (name.clone(), count - before.get(name).copied().unwrap_or(0)));
            grown.filter(|(name, count)| *count > 0 && !jobs.contains(&name.as_str())).collect::<Vec<_>>()
        };
        let before = stage.service().aws().calls();
        ann.browser.approve(&post).await?;
        let approved = stage.service().aws().calls();
        let expected =
            [("dynamodb.BatchGetItem", 1), ("dynamodb.GetItem", 4), ("dynamodb.TransactWriteItems", 2), ("scheduler.CreateSchedule", 1)];
        // Session, connection, user and cycle are one read each; the post and its text are one. The approval and the mark that it is
        // armed are each written with their event.
        assert_eq!(counted(&before, &approved), expected.map(|(name, count)| (name.to_owned(), count)));
        ann.browser.advance(601).await?;
        while ann.times_on_x("Counted").await? == 0 {}
        stage.queue_at_rest().await?;
        let published = stage.service().aws().calls();
        let spent: std::collections::BTreeMap<_, _> =
            counted(&approved, &published).into_iter().filter(|(name, _)| !name.starts_with("sqs.Get")).collect();
        // The connection and the platform's pause are one read. The claim is a transaction: it holds only while the connection is not being taken away. The other one settles.
        let expected = [
            ("dynamodb.BatchGetItem", 2),
            ("dynamodb.GetItem", 1),
            ("dynamodb.TransactWriteItems", 2),
            ("secretsmanager.GetSecretValue", 1),
        ];
        assert_eq!(spent, expected.map(|(name, count)| (name.to_owned(), count)).into_iter().collect());
        Ok(())
    })
    .await
}
