//! What everybody meets before a route: methods, odd paths, headers, other origins, a store that is down.

use journeys::{Stage, ahead, play, play_disturbed};
use reqwest::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

type Outcome = anyhow::Result<()>;

const EVERYWHERE: [&str; 3] = ["x-content-type-options", "referrer-policy", "strict-transport-security"];

/// A request whose first line is sent as it stands, as no client library would.
async fn raw(stage: &Stage, first_line: &str) -> anyhow::Result<String> {
    let host = stage.service().base_url().trim_start_matches("http://").to_owned();
    let mut stream = tokio::net::TcpStream::connect(&host).await?;
    stream.write_all(format!("{first_line} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n").as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_method_is_told_the_same_everywhere_and_to_everybody() -> Outcome {
    play(async |stage| {
        let (ann, stranger) = (stage.person("+61412345661", "starter", "ann").await?.browser, stage.browser());
        for path in local::paths().filter(|path| path.starts_with('/')) {
            let path = path.replace("{id}", "01J00000000000000000000000").replace("{platform}", "x");
            let mut told = Vec::new();
            for method in ["PUT", "TRACE", "BREW", "get"] {
                let method = Method::from_bytes(method.as_bytes())?;
                for browser in [&ann, &stranger] {
                    let reply = browser.request(method.clone(), &path, &[], None).await?.expect(405)?;
                    assert_eq!(reply.str("/code")?, "method_not_allowed", "{path}");
                    told.push(reply.headers["allow"].to_str()?.to_owned());
                }
            }
            told.dedup();
            let [allowed] = told.as_slice() else { panic!("{path}: {told:?}") };
            // Whatever is told is taken, and nothing else is.
            for method in ["GET", "HEAD", "POST", "PATCH", "DELETE"] {
                let reply = stranger.request(Method::from_bytes(method.as_bytes())?, &path, &[], None).await?;
                let is_told = allowed.split(',').any(|name| name == method);
                assert_eq!(reply.status.as_u16() != 405, is_told, "{method} {path}: {} {allowed}", reply.status);
                if !is_told {
                    assert_eq!(reply.headers["allow"], allowed.as_str(), "{method} {path}");
                }
            }
        }
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_odd_path_is_refused_on_every_route_and_never_repeated() -> Outcome {
    play(async |stage| {
        let long = format!("/api/user/{}", "marker".repeat(400));
        let mut odd =
            vec![long, "/git.new/marker".to_owned(), "/https://marker.example/".to_owned(), "/marker".to_owned(), "/api/marker".to_owned()];
        for path in local::paths().filter(|path| path.starts_with('/')) {
            let path = path.replace("{id}", "marker").replace("{platform}", "x");
            odd.extend([
                format!("/{path}"),
                path.replacen("/api", "/api/", 1).replacen("/oauth", "/oauth/", 1),
                path.replacen("/api/", "/api%2f", 1).replacen("/oauth/", "/oauth%2F", 1),
                path.replacen("/api/", "/api/./", 1).replacen("/oauth/", "/oauth/../oauth/", 1),
                path.replacen("/api/", "/api/%2e%2e/api/", 1).replacen("/oauth/", "/oauth/%2E/", 1),
                path.replacen("/api/", "/api\\", 1).replacen("/oauth/", "/oauth%5c", 1),
                format!("{path}%00"),
                format!("{path}/https://marker.example"),
                format!("{path}/"),
                path.to_uppercase(),
            ]);
        }
        for path in odd {
            for method in ["GET", "POST", "HEAD"] {
                let answer = raw(stage, &format!("{method} {path}")).await?;
                let status = answer.split(' ').nth(1).unwrap_or_default().to_owned();
                let lower = answer.to_lowercase();
                assert!(matches!(status.as_str(), "400" | "404"), "{method} {path}: {answer}");
                assert!(!lower.contains("marker") && !lower.contains("\nlocation:"), "{method} {path}: {answer}");
                if method == "GET" {
                    assert!(lower.contains("content-type: application/problem+json"), "{path}: {answer}");
                }
            }
        }
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_carries_the_security_headers() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412345662", "starter", "ann").await?.browser;
        let consent = ann.get("/oauth/x/start").await?.expect(303)?;
        let page = consent.location()?;
        let end = ann.get("/oauth/x/callback?error=access_denied").await?.expect(303)?;
        let mut replies = vec![("start", consent), ("callback", end)];
        for path in [
            "/",
            "/api/health",
            "/api/user",
            "/api/nowhere",
            "/_local/inbox",
            "/_sim/x/posts",
            "/_sim/nowhere",
            page.as_str(),
            "/_sim/x/i/oauth2/authorize",
        ] {
            replies.push((path, ann.get(path).await?));
        }
        replies.push(("405", ann.request(Method::PUT, "/api/user", &[], None).await?.expect(405)?));
        replies.push(("400", ann.post("/api/posts", Some(&json!([]))).await?.expect(422)?));
        replies.push(("204", ann.post("/api/logout", None).await?.expect(204)?));
        for (what, reply) in &replies {
            for name in EVERYWHERE {
                assert!(reply.headers.contains_key(name), "{what} has no {name}");
            }
            let policy = reply.headers["content-security-policy"].to_str()?;
            assert!(policy.starts_with("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{what}: {policy}");
            assert!(!policy.contains("unsafe") && !policy.contains('*'), "{what}: {policy}");
            if !what.starts_with("/_") && *what != "/" && !what.starts_with("http") {
                assert_eq!(reply.headers["cache-control"], "no-store", "{what}");
            }
        }
        assert!(ann.get(&page).await?.text.contains("<form"));
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_preflight_is_answered_by_the_gateway_and_only_our_pages_may_read() -> Outcome {
    play(async |stage| {
        let (client, own) = (reqwest::Client::builder().no_proxy().build()?, stage.service().base_url().to_owned());
        let ask = |origin: String| {
            let preflight = client.request(Method::OPTIONS, format!("{own}/api/posts")).header("access-control-request-method", "POST");
            let (preflight, read) = (preflight.header("origin", &origin), client.get(format!("{own}/api/plans")).header("origin", &origin));
            async move {
                let (preflight, read) = (preflight.send().await?, read.send().await?);
                assert_eq!((preflight.status().as_u16(), read.status().as_u16()), (204, 200));
                anyhow::Ok((preflight.headers().clone(), read.headers().clone()))
            }
        };
        let (preflight, read) = ask(own.clone()).await?;
        for told in [&preflight, &read] {
            assert_eq!(
                (told["access-control-allow-origin"].to_str()?, &told["access-control-allow-credentials"]),
                (own.as_str(), &"true".parse()?)
            );
        }
        assert!(preflight["access-control-allow-headers"].to_str()?.contains("idempotency-key"));
        for origin in ["https://evil.example", "null", "http://localhost", &format!("{own}.evil.example")] {
            let (preflight, read) = ask(origin.to_owned()).await?;
            for told in [&preflight, &read] {
                assert!(!told.keys().any(|name| name.as_str().starts_with("access-control-")), "{origin}");
            }
        }
        // Without an origin it is no preflight, and a method like any other.
        assert_eq!(client.request(Method::OPTIONS, format!("{own}/api/posts")).send().await?.status(), 405);
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_is_down_is_unavailable_for_every_call_and_loses_nothing() -> Outcome {
    play_disturbed(async |stage| {
        let ann = stage.person("+61412345663", "starter", "ann").await?;
        let draft = ann.written_on_x("Still here", 3_000).await?;
        let body = json!({ "content": "x", "targets": [{ "connection_id": ann.x }], "scheduled_for": ahead() });
        let gift = json!({ "code": "AAAA-AAAA-AAAA-AAAA" });
        let calls: Vec<(Method, String, Option<&serde_json::Value>)> = vec![
            (Method::GET, "/api/user".into(), None),
            (Method::GET, "/api/user/status".into(), None),
            (Method::GET, "/api/quota".into(), None),
            (Method::GET, "/api/quota/history".into(), None),
            (Method::GET, "/api/sessions".into(), None),
            (Method::GET, "/api/platforms".into(), None),
            (Method::GET, "/api/connections".into(), None),
            (Method::GET, "/api/posts".into(), None),
            (Method::GET, format!("/api/posts/{draft}"), None),
            (Method::GET, "/oauth/x/start".into(), None),
            (Method::POST, "/api/establish-session".into(), None),
            (Method::POST, "/api/posts".into(), Some(&body)),
            (Method::POST, format!("/api/posts/{draft}/approve"), None),
            (Method::POST, format!("/api/posts/{draft}/cancel"), None),
            (Method::POST, "/api/redeem-gift".into(), Some(&gift)),
            (Method::POST, "/api/logout".into(), None),
            (Method::DELETE, format!("/api/posts/{draft}"), None),
            (Method::DELETE, format!("/api/connections/{}", ann.x), None),
        ];
        for broken in ["dynamodb.GetItem", "dynamodb.Query", "dynamodb.BatchGetItem", "dynamodb.TransactWriteItems"] {
            let concerned = |method: &Method, path: &str| match broken {
                "dynamodb.GetItem" => true,
                "dynamodb.TransactWriteItems" => path == "/api/posts" || path.ends_with("/approve"),
                _ => *method == Method::GET,
            };
            for (method, path, body) in calls.iter().filter(|(method, path, _)| concerned(method, path)) {
                stage.fail(broken);
                let reply = ann.browser.request(method.clone(), path, &[], *body).await?;
                stage.heal();
                let status = reply.status.as_u16();
                assert!(status < 500 || status == 503, "{broken}: {method} {path}: {status} {}", reply.text);
                assert!(broken != "dynamodb.GetItem" || status == 503, "{broken}: {method} {path}: {status}");
                if status == 503 {
                    assert_eq!((reply.str("/code")?.as_str(), &reply.headers["retry-after"]), ("unavailable", &"1".parse()?));
                    assert!(!reply.headers.contains_key("set-cookie"), "{method} {path}");
                }
            }
        }
        assert_eq!(ann.browser.post_story(&draft).await?["status"], "draft");
        assert_eq!(ann.browser.get("/api/posts").await?.expect(200)?.json["items"].as_array().map(Vec::len), Some(1));
        ann.has_quota([12, 0, 0, 12]).await?;
        assert_eq!(ann.browser.get("/api/connections").await?.expect(200)?.json["items"].as_array().map(Vec::len), Some(2));
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cursor_of_a_list_with_other_bounds_is_no_failure() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412345664", "starter", "ann").await?;
        for hours in [1, 2, 3] {
            ann.written_on_x("A draft", hours * 3_600).await?;
        }
        let page = ann.browser.get("/api/posts?limit=1").await?.expect(200)?;
        let cursor = page.str("/next_cursor")?;
        for (bounds, left) in [("from=2030-01-01T00:00:00Z", 0), ("to=2020-01-01T00:00:00Z", 0), ("from=2020-01-01T00:00:00Z", 2)] {
            let rest = ann.browser.get(&format!("/api/posts?{bounds}&cursor={cursor}")).await?.expect(200)?;
            assert_eq!(rest.json["items"].as_array().map(Vec::len), Some(left), "{bounds}");
        }
        Ok(())
    })
    .await
}
