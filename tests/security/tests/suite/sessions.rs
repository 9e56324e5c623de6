//! Cookies: absent, odd, planted, dead and other people's.

use journeys::play;
use security::attack::{Attack, attack, run};
use security::scene::Who::{Ann, Nobody};
use security::scene::{Scene, request_of, token, with_json};
use security::tell;
use security::wire::Request;
use serde_json::json;

type Outcome = anyhow::Result<()>;

/// Cookie headers that are no session: what, the header.
const NO_SESSION: [(&str, &str); 22] = [
    ("an empty value", "__Host-session="),
    ("no value", "__Host-session"),
    ("another name", "session={cookie}"),
    ("another prefix", "__Secure-session={cookie}"),
    ("small letters", "__host-session={cookie}"),
    ("capital letters", "__HOST-SESSION={cookie}"),
    ("quotes", "__Host-session=\"{cookie}\""),
    ("padding", "__Host-session={cookie}="),
    ("a space before the equals sign", "__Host-session ={cookie}"),
    ("a letter more", "__Host-session={cookie}A"),
    ("standard base64", "__Host-session=++++++++++++++++++++++++++++++++++++++++++A"),
    ("bits behind the end", "__Host-session=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB"),
    ("the session's id", "__Host-session={session}"),
    ("the user's id", "__Host-session={user}"),
    ("percent-encoding", "__Host-session=%41AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
    ("the same twice", "__Host-session={cookie}; __Host-session={cookie}"),
    ("her own and a planted one", "__Host-session={cookie}; __Host-session={eves_cookie}"),
    ("a planted one and her own", "__Host-session={eves_cookie}; __Host-session={cookie}"),
    ("her own and an empty one", "__Host-session={cookie}; __Host-session="),
    ("her own and a short one", "__Host-session=x; a=b; __Host-session={cookie}"),
    ("a comma for a semicolon", "__Host-session={cookie}, __Host-session={cookie}"),
    ("a cookie inside a cookie", "a=__Host-session={cookie}"),
];

/// Cookies in the right form that no live session has: what, the value.
const DEAD: [(&str, &str); 5] = [
    ("made up", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
    ("of a session that was signed out", "{dead_cookie}"),
    ("the CSRF token", "{csrf}"),
    ("another's CSRF token", "{eves_csrf}"),
    ("made of evil letters", "evilevilevilevilevilevilevilevilevilevilevE"),
];

fn cookies() -> Vec<Attack> {
    let mut rows = Vec::new();
    for (method, target) in [("GET", "/api/user"), ("POST", "/api/logout")] {
        rows.extend(NO_SESSION.map(|(what, cookie)| {
            attack(format!("a cookie with {what}"), Ann, method, target).with("cookie", cookie).gets(401, "session_required")
        }));
        rows.extend(DEAD.map(|(what, value)| {
            let cookie = format!("__Host-session={value}");
            attack(format!("a cookie {what}"), Ann, method, target).with("cookie", cookie).gets(401, "session_expired")
        }));
    }
    let two_headers = attack("two cookie headers", Ann, "GET", "/api/user").and("cookie", "__Host-session={eves_cookie}");
    rows.push(two_headers.gets(401, "session_required"));
    let bearer = attack("the cookie's value as a bearer token", Nobody, "GET", "/api/user").with("authorization", "Bearer {cookie}");
    rows.push(bearer.gets(401, "session_required"));
    rows.push(attack("the cookie's value in the query", Nobody, "GET", "/api/user?__Host-session={cookie}").gets(401, "session_required"));
    let many = (0..51).map(|n| format!("c{n}=evil")).collect::<Vec<_>>().join("; ");
    rows.push(attack("fifty-one cookies", Ann, "GET", "/api/user").with("cookie", many).gets(400, "malformed_request"));
    let long = format!("a={}", "evil".repeat(5_000));
    rows.push(attack("twenty kilobytes of cookies", Ann, "GET", "/api/user").with("cookie", long).gets(400, "malformed_request"));
    rows.push(
        attack("other cookies around hers", Ann, "GET", "/api/user").with("cookie", "a=evil; __Host-session={cookie}; b").is_harmless(200),
    );
    rows
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cookie_that_is_not_exactly_one_live_session_is_none() -> Outcome {
    play(async |stage| {
        let scene = Scene::set(stage).await?;
        tell(run(&scene, &cookies()).await?, "attack rows on cookies");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_planted_cookie_never_becomes_a_session_by_signing_in() -> Outcome {
    play(async |stage| {
        let mut eve = stage.browser();
        eve.sign_in("+61412345702").await?;
        let phone = "+61412345703";
        let mut rows = 0;
        // Made up by the attacker; then the attacker's own.
        for planted in ["AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA".to_owned(), token(&eve)] {
            let ann = stage.browser();
            ann.post("/api/verification-codes", Some(&json!({ "phone": phone }))).await?.expect(202)?;
            let code = ann.texted_code(phone).await?;
            let request = Request::new("POST", "/api/verify-code").with("cookie", &format!("__Host-session={planted}"));
            let body = json!({ "phone": phone, "code": code }).to_string();
            let answer = with_json(request, &body).send(stage.service().base_url()).await?.expect(200)?;
            let set = answer.header("set-cookie").unwrap_or_default();
            assert!(set.starts_with("__Host-session=") && !set.contains(&planted), "a new token for every sign-in");
            for part in ["; Secure", "; HttpOnly", "; SameSite=Lax", "; Path=/", "; Max-Age=604800"] {
                assert!(set.contains(part), "{set}");
            }
            assert!(!set.to_ascii_lowercase().contains("domain="), "{set}");
            let as_planted = Request::new("GET", "/api/user").with("cookie", &format!("__Host-session={planted}"));
            let seen = as_planted.send(stage.service().base_url()).await?;
            assert_ne!(seen.json["phone"], phone, "the planted cookie shows Ann's account");
            ann.advance(61).await?;
            rows += 1;
        }
        let ended = eve.get("/api/user").await?.expect(401)?;
        assert_eq!(ended.json["code"], "session_expired", "what stood in the browser in which Ann has signed in is over, whoever's it was");
        tell(rows, "attack rows on session fixation");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_ends_when_it_is_revoked_idle_or_old_and_nothing_brings_it_back() -> Outcome {
    play(async |stage| {
        let mut ann = stage.browser();
        ann.sign_in("+61412345704").await?;
        let dead = async |browser: &local::Browser| {
            let first = browser.get("/api/user").await?.expect(401)?.json["code"] == "session_expired";
            let established = browser.post("/api/establish-session", None).await?.expect(401)?;
            anyhow::ensure!(first && established.json["code"] == "session_expired" && !established.headers.contains_key("set-cookie"));
            let state = security::state::State::read(stage).await?;
            browser.get("/api/sessions").await?.expect(401)?;
            let after = state.differences(&security::state::State::read(stage).await?, &[]);
            anyhow::ensure!(after.is_empty(), "{after:?}");
            anyhow::Ok(())
        };
        // Idle for seven days and a second.
        ann.advance(7 * 24 * 3_600 + 1).await?;
        dead(&ann).await?;
        // Used every six days, and thirty days old.
        ann.sign_in("+61412345704").await?;
        for _ in 0..5 {
            ann.advance(6 * 24 * 3_600 - 60).await?;
            ann.post("/api/establish-session", None).await?.expect(200)?;
        }
        ann.advance(301).await?;
        dead(&ann).await?;
        // Revoked from another browser.
        ann.sign_in("+61412345704").await?;
        ann.advance(61).await?;
        let mut second = stage.browser();
        second.sign_in("+61412345704").await?;
        let listed = second.get("/api/sessions").await?.json["items"].as_array().cloned().unwrap_or_default();
        let other = listed.iter().find(|session| session["current"] == false).and_then(|session| session["id"].as_str()).unwrap();
        second.delete(&format!("/api/sessions/{other}")).await?.expect(204)?;
        second.delete(&format!("/api/sessions/{other}")).await?.expect(404)?;
        dead(&ann).await?;
        // Signed out.
        second.post("/api/logout", None).await?.expect(204)?;
        dead(&second).await?;
        tell(8, "attack rows on dead sessions");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_people_at_once_get_fifty_sessions_and_see_themselves() -> Outcome {
    play(async |stage| {
        let people = (0..50).map(async |n: u32| {
            let mut browser = stage.browser();
            let phone = format!("+614123458{n:02}");
            browser.sign_in(&phone).await?;
            anyhow::Ok((phone, browser))
        });
        let people = futures::future::try_join_all(people).await?;
        let mut tokens: Vec<_> = people.iter().map(|(_, browser)| token(browser)).collect();
        tokens.sort_unstable();
        tokens.dedup();
        assert_eq!(tokens.len(), 50);
        let mut ids = Vec::new();
        for round in 0..2 {
            let base = stage.service().base_url();
            let asked = people.iter().map(async |(phone, browser)| {
                let answer = request_of(browser, "GET", "/api/user").send(base).await?.expect(200)?;
                anyhow::ensure!(answer.json["phone"] == phone.as_str(), "somebody else's account");
                let sessions = request_of(browser, "GET", "/api/sessions").send(base).await?.expect(200)?;
                anyhow::ensure!(sessions.json["items"].as_array().map(Vec::len) == Some(1), "{}", sessions.text);
                anyhow::Ok(answer.json["id"].as_str().unwrap_or_default().to_owned())
            });
            ids.extend(futures::future::try_join_all(asked).await?);
            if round == 0 {
                stage.restart().await;
            }
        }
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), 50, "one user each, the same after a restart");
        tell(250, "calls of fifty people at once");
        Ok(())
    })
    .await
}
