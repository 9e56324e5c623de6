//! A consent is finished once, by the browser that began it, at the platform that was asked.

use domain::id::AttemptId;
use domain::platform::PlatformName;
use futures::future::try_join_all;
use journeys::{SOON, ahead, play};
use local::variables::tables;
use reqwest::Method;
use serde_json::json;
use store::Store;

use super::steps::{Outcome, calls, connections, consented, ended, id_in, leads_to, led_back, somebody, with};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_fifteen_callbacks_at_once_one_exchanges_the_code_and_all_show_what_it_brought() -> Outcome {
    play(async |stage| {
        let ann = somebody(stage, "+61412345701").await?;
        let callback = ann.consent_until_callback("x", "allow", &[]).await?;
        // Long enough that the others come while it is at work.
        ann.fault("x", &json!({ "kind": "slow", "on": "exchange", "seconds": 1 })).await?;
        let rush = try_join_all((0..15).map(|_| ended(&ann, &callback))).await?;
        assert_eq!(calls(&ann, "x", "exchange").await?, 1);
        let standing = connections(&ann).await?;
        assert_eq!(standing.len(), 1);
        let shown = format!("/connections?connected={}", standing[0]["id"].as_str().unwrap_or_default());
        assert!(rush.iter().all(|to| *to == shown), "{rush:?}");
        ann.advance(3_600).await?;
        assert_eq!(ended(&ann, &callback).await?, shown, "also an hour later");

        let callback = ann.consent_until_callback("facebook", "allow", &[]).await?;
        let rush = try_join_all((0..15).map(|_| ended(&ann, &callback))).await?;
        assert!(rush[0].starts_with("/connections?choose=") && rush.iter().all(|to| *to == rush[0]), "{rush:?}");
        assert_eq!(calls(&ann, "facebook", "exchange").await?, 2, "the code, and the short token for the long one");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_platform_refuses_ends_the_flow_and_is_told_again() -> Outcome {
    play(async |stage| {
        let ann = somebody(stage, "+61412345702").await?;
        for (error, told) in [("access_denied", "denied"), ("server_error", "exchange_failed"), ("<script>", "exchange_failed")] {
            let callback = ann.consent_until_callback("x", "allow", &[]).await?;
            let refused = with(&callback, "error", Some(error))?;
            let shown = format!("/connections?error={told}");
            // An error beside a code is an error.
            assert_eq!(ended(&ann, &refused).await?, shown);
            assert_eq!(ended(&ann, &refused).await?, shown);
            assert_eq!(ended(&ann, &callback).await?, shown, "the flow is over, whatever comes after");
        }
        let denied = ann.consent_until_callback("facebook", "deny", &[]).await?;
        assert_eq!(ended(&ann, &denied).await?, "/connections?error=denied");
        let closed = ann.consent_until_callback("facebook", "cancel", &[]).await?;
        assert!(closed.contains("error_code=4201") && !closed.contains("error="), "{closed}");
        assert_eq!(ended(&ann, &closed).await?, "/connections?error=denied");
        let callback = ann.consent_until_callback("x", "allow", &[]).await?;
        assert_eq!(ended(&ann, &with(&callback, "code", Some(""))?).await?, "/connections?error=exchange_failed");
        assert_eq!((calls(&ann, "x", "exchange").await?, calls(&ann, "facebook", "exchange").await?), (0, 0));
        assert!(connections(&ann).await?.is_empty());
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consent_without_a_page_says_so_and_a_page_of_a_business_is_connected_and_posts() -> Outcome {
    play(async |stage| {
        let ann = somebody(stage, "+61412345706").await?;
        ann.redeem("starter").await?;
        let start = "/oauth/facebook/start?return_to=/connections";
        let callback = ann.consent_until_callback("facebook", "allow", &[("page", "none")]).await?;
        for _ in 0..2 {
            assert_eq!(ended(&ann, &callback).await?, "/connections?error=no_accounts");
        }
        assert!(connections(&ann).await?.is_empty());
        let id = id_in(&consented(&ann, start, &[("page", "100000000000003")]).await?, "connected");
        let standing = connections(&ann).await?;
        assert_eq!((&standing[0]["username"], &standing[0]["health"]), (&json!("Demo Cafe"), &json!("ok")));
        let post = ann.write("From the holding", &[&id], &ann.service_time(0).await?).await?.remove(0);
        ann.approve(&post).await?;
        ann.wait_for(&post, "published", SOON).await?;
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_callback_belongs_to_its_session_its_user_and_its_platform() -> Outcome {
    play(async |stage| {
        let ann = somebody(stage, "+61412345703").await?;
        let eve = somebody(stage, "+61412345704").await?;
        ann.advance(61).await?;
        let elsewhere = somebody(stage, "+61412345703").await?;
        let callback = ann.consent_until_callback("x", "allow", &[]).await?;
        let mut twice = ann.clone();
        twice.cookie = ann.cookie.clone().map(|cookie| format!("{cookie}; {cookie}"));
        let mut faker = ann.clone();
        faker.cookie = Some("__Host-session=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA".to_owned());
        for (who, browser) in [
            ("nobody", &stage.browser()),
            ("another user", &eve),
            ("another session", &elsewhere),
            ("a cookie twice", &twice),
            ("a guess", &faker),
        ] {
            assert_eq!(ended(browser, &callback).await?, "/?error=session_mismatch", "{who}");
        }
        for (what, address) in [
            ("another platform", callback.replace("/oauth/x/", "/oauth/facebook/")),
            ("no state", with(&callback, "state", None)?),
            ("a short state", with(&callback, "state", Some("AAAA"))?),
            ("an unknown state", with(&callback, "state", Some(&"A".repeat(43)))?),
            ("two states", format!("{callback}&state={}", "A".repeat(43))),
            ("two codes", format!("{callback}&code=another")),
        ] {
            assert_eq!(ended(&ann, &address).await?, "/?error=state_invalid", "{what}");
        }
        assert_eq!(calls(&ann, "x", "exchange").await?, 0);
        let shown = ended(&ann, &callback).await?;
        assert!(shown.starts_with("/connections?connected="), "nobody ended the flow: {shown}");
        assert_eq!(ended(&eve, &callback).await?, "/?error=session_mismatch");
        assert_eq!(ended(&elsewhere, &callback).await?, "/?error=session_mismatch");
        assert!(connections(&eve).await?.is_empty());
        assert_eq!(calls(&ann, "x", "exchange").await?, 1);

        let late = ann.consent_until_callback("x", "allow", &[]).await?;
        ann.advance(600).await?;
        assert_eq!(ended(&ann, &late).await?, "/?error=state_invalid");
        let unfinished = ann.consent_until_callback("x", "allow", &[]).await?;
        ann.post("/api/logout", None).await?.expect(204)?;
        assert_eq!(ended(&ann, &unfinished).await?, "/?error=session_mismatch");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fetching_ahead_and_heads_begin_and_consume_nothing() -> Outcome {
    play(async |stage| {
        let ann = somebody(stage, "+61412345705").await?;
        let callback = ann.consent_until_callback("x", "allow", &[]).await?;
        let puts = stage.calls("dynamodb.PutItem");
        for address in [&callback, "/oauth/x/start"] {
            for header in
                [("sec-purpose", "prefetch"), ("sec-purpose", "prefetch;prerender"), ("purpose", "prefetch"), ("x-moz", "prefetch")]
            {
                let ahead = ann.request(Method::GET, address, &[header], None).await?.expect(503)?;
                assert!(ahead.headers.contains_key("retry-after"), "{header:?} {address}");
            }
            for method in [Method::HEAD, Method::POST, Method::PUT] {
                let refused = ann.request(method.clone(), address, &[], None).await?.expect(405)?;
                assert_eq!(refused.headers["allow"], "GET", "{method} {address}");
            }
        }
        assert_eq!(stage.calls("dynamodb.PutItem"), puts, "no flow was begun");
        assert_eq!(calls(&ann, "x", "exchange").await?, 0);
        assert!(ended(&ann, &callback).await?.starts_with("/connections?connected="));
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_names_another_issuer_is_nobodys() -> Outcome {
    play(async |stage| {
        let ann = somebody(stage, "+61412345706").await?;
        let base = ann.base_url().to_owned();
        for (issuer, taken) in [
            ("https://evil.example".to_owned(), false),
            (format!("{base}/_sim/facebook"), false),
            (format!("{base}/_sim/x/"), false),
            (format!("{base}/_sim/x"), true),
        ] {
            let callback = ann.consent_until_callback("x", "allow", &[("iss", &issuer)]).await?;
            let shown = ended(&ann, &callback).await?;
            assert_eq!(shown.starts_with("/connections?connected="), taken, "{issuer}: {shown}");
            if !taken {
                assert_eq!(shown, "/?error=state_invalid");
                assert_eq!(calls(&ann, "x", "exchange").await?, 0, "{issuer}");
                // Also an error of another server is not about this flow.
                let error = with(&with(&callback, "code", None)?, "error", Some("access_denied"))?;
                assert_eq!(ended(&ann, &error).await?, "/?error=state_invalid");
            }
        }
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flow_returns_to_a_page_of_the_list_or_home() -> Outcome {
    play(async |stage| {
        let ann = somebody(stage, "+61412345707").await?;
        for (asked, page) in [
            ("/settings", "/settings?"),
            ("/onboarding", "/onboarding?"),
            ("//evil.example", "/?"),
            ("https://evil.example/posts", "/?"),
            ("/posts/../../evil", "/?"),
            ("%2F%2Fevil.example", "/?"),
            ("/posts%3Fconnected%3Dforged", "/?"),
            ("javascript:alert(1)", "/?"),
        ] {
            let shown = consented(&ann, &format!("/oauth/x/start?return_to={asked}"), &[]).await?;
            assert!(shown.starts_with(&format!("{page}connected=")), "{asked}: {shown}");
        }
        for start in ["/oauth/x/start?return_to=/posts&return_to=/settings", "/oauth/x/start?surprise=1"] {
            assert_eq!(ann.get(start).await?.expect(400)?.json["code"], "malformed_request");
        }
        assert_eq!(ann.get("/oauth/elsewhere/start").await?.expect(404)?.json["code"], "not_found");
        assert_eq!(ann.get("/oauth/elsewhere/callback?code=a&state=b").await?.expect(404)?.json["code"], "not_found");
        assert_eq!(stage.browser().get("/oauth/x/start").await?.expect(401)?.json["code"], "session_required");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_consents_of_one_account_at_once_are_one_connection() -> Outcome {
    play(async |stage| {
        let ann = somebody(stage, "+61412345708").await?;
        let mut callbacks = Vec::new();
        for _ in 0..10 {
            callbacks.push(ann.consent_until_callback("x", "allow", &[("account", "ann")]).await?);
        }
        let replies = try_join_all(callbacks.iter().map(|callback| ann.get(callback))).await?;
        let shown: Vec<String> = replies.into_iter().map(leads_to).collect::<Result<_, _>>()?;
        let standing = connections(&ann).await?;
        assert_eq!(standing.len(), 1, "{shown:?}");
        assert!(shown.iter().all(|to| standing[0]["id"] == id_in(to, "connected")), "{shown:?}");
        assert_eq!(super::steps::secrets(stage, "/connection/")?, 1, "whoever came second left no tokens behind");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_that_is_refused_leads_a_person_back_and_another_site_uses_nothing_up() -> Outcome {
    play(async |stage| {
        let ann = somebody(stage, "+61412345709").await?;
        let start = "/oauth/x/start?return_to=/settings";
        let navigate = [("sec-fetch-mode", "navigate"), ("sec-fetch-site", "same-site")];
        let led = leads_to(stage.browser().request(Method::GET, start, &navigate, None).await?)?;
        assert_eq!(led, "/settings?error=session_required");
        let old = leads_to(stage.browser().request(Method::GET, start, &[("accept", "text/html")], None).await?)?;
        assert_eq!(old, led, "a browser that does not say what it does takes HTML");
        let gone = format!("{start}&reconnect=01ARZ3NDEKTSV4RRFFQ69G5FAV");
        assert_eq!(leads_to(ann.request(Method::GET, &gone, &navigate, None).await?)?, "/settings?error=not_found");
        assert_eq!(ann.get(&gone).await?.expect(404)?.json["code"], "not_found");
        // As many as an hour allows, and more.
        let foreign = [("sec-fetch-mode", "navigate"), ("sec-fetch-site", "cross-site")];
        for _ in 0..130 {
            let led = leads_to(ann.request(Method::GET, start, &foreign, None).await?)?;
            assert_eq!(led, "/settings?error=csrf_rejected");
        }
        let begun = ann.request(Method::GET, start, &navigate, None).await?.expect(303)?.location()?;
        assert!(begun.contains("/_sim/x/"), "{begun}");
        for _ in 1..120 {
            ann.request(Method::GET, start, &navigate, None).await?.expect(303)?;
        }
        let used_up = leads_to(ann.request(Method::GET, start, &navigate, None).await?)?;
        assert_eq!(used_up, "/settings?error=too_many_requests");
        assert_eq!(ann.get(start).await?.expect(429)?.json["code"], "too_many_requests");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_that_comes_to_nothing_for_now_leads_a_person_back_and_is_counted() -> Outcome {
    play(async |stage| {
        let ann = somebody(stage, "+61412345720").await?;
        let start = "/oauth/x/start?return_to=/settings";
        let navigate = [("sec-fetch-mode", "navigate"), ("sec-fetch-site", "same-site")];
        stage.fail("secretsmanager.GetSecretValue");
        assert_eq!(leads_to(ann.request(Method::GET, start, &navigate, None).await?)?, "/settings?error=unavailable");
        // The gateway counts what a program is told.
        assert_eq!(ann.get(start).await?.expect(503)?.json["code"], "unavailable");
        stage.heal();
        let begun = ann.request(Method::GET, start, &navigate, None).await?.expect(303)?.location()?;
        assert!(begun.contains("/_sim/x/"), "{begun}");
        assert_eq!(led_back(stage, "oauth-start"), 1);
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_callback_that_comes_to_nothing_for_now_leads_a_person_back_and_succeeds_later() -> Outcome {
    play(async |stage| {
        let ann = somebody(stage, "+61412345710").await?;
        let led = async |callback: &str| -> anyhow::Result<String> {
            leads_to(ann.request(Method::GET, callback, &[("sec-fetch-mode", "navigate")], None).await?)
        };
        let callback = ann.consent_until_callback("x", "allow", &[]).await?;
        for (operation, page) in [
            // Without the flow, the page that the person came from is unknown.
            ("dynamodb.GetItem", "/?error=unavailable"),
            ("secretsmanager.GetSecretValue", "/connections?error=unavailable"),
            ("dynamodb.UpdateItem", "/connections?error=unavailable"),
        ] {
            stage.fail(operation);
            assert_eq!(led(&callback).await?, page, "{operation}");
            stage.heal();
        }
        assert!(led(&callback).await?.starts_with("/connections?connected="));

        // A grant is being taken back for longer than a callback waits.
        let store = Store::new(&stage.service().aws().sdk_config(), tables());
        let ending = AttemptId::new(ahead(), [7; 10]);
        store.begin_ending(PlatformName::Facebook, &ending, ahead()).await?;
        let callback = ann.consent_until_callback("facebook", "allow", &[]).await?;
        assert_eq!(led(&callback).await?, "/connections?error=unavailable");
        assert_eq!(calls(&ann, "facebook", "exchange").await?, 0);
        store.ending_is_over(PlatformName::Facebook, &ending).await?;
        assert!(led(&callback).await?.starts_with("/connections?choose="));
        assert_eq!(led_back(stage, "oauth-callback"), 4, "no 5xx tells of it");
        Ok(())
    })
    .await
}
