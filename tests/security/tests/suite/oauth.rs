//! Consents: callbacks of other people, other platforms and other times, and ways out of our own frontend.

use journeys::play;
use security::attack::{Attack, attack, has_our_headers, run};
use security::scene::Scene;
use security::scene::Who::{Ann, Eve, Nobody};
use security::state::State;
use security::tell;
use security::wire::{Request, parameter};

type Outcome = anyhow::Result<()>;

/// Callbacks that are none of Ann's open flow, or not Ann's browser that calls. None of them ends her flow.
fn forgeries() -> Vec<Attack> {
    let own = "/oauth/x/callback?{callback_query}";
    let mismatch = "error=session_mismatch";
    let mut rows = vec![
        attack("another's session", Eve, "GET", own).is_sent_to(mismatch),
        attack("no session", Nobody, "GET", own).is_sent_to(mismatch),
        attack("a dead session of hers", Ann, "GET", own).with("cookie", "__Host-session={dead_cookie}").is_sent_to(mismatch),
        attack("another session of hers", Ann, "GET", own).with("cookie", "__Host-session={other_cookie}").is_sent_to(mismatch),
        attack("two cookies", Ann, "GET", own).with("cookie", "__Host-session={cookie}; __Host-session={cookie}").is_sent_to(mismatch),
        attack("another platform", Ann, "GET", "/oauth/facebook/callback?{callback_query}").is_sent_to("error=state_invalid"),
        attack("a platform that is none", Ann, "GET", "/oauth/evil/callback?{callback_query}").gets(404, "not_found"),
        attack("a platform in capitals", Ann, "GET", "/oauth/X/callback?{callback_query}").gets(404, "not_found"),
        attack("only looking", Ann, "HEAD", own).is_bare(405),
        attack("a form", Ann, "POST", own).json("{}").gets(405, "method_not_allowed"),
        attack("fetched ahead", Ann, "GET", own).with("sec-purpose", "prefetch;prerender").gets(503, "unavailable"),
    ];
    // A page of another site sends the browser of somebody who is signed in: nothing is counted, and no session is used.
    let start = "/oauth/x/start?return_to=/connections";
    for by in [Ann, Nobody] {
        rows.push(attack("begun by another site", by, "GET", start).with("sec-fetch-site", "cross-site").gets(403, "csrf_rejected"));
        let navigated = attack("a click on another site", by, "GET", start).with("sec-fetch-site", "cross-site");
        rows.push(navigated.with("sec-fetch-mode", "navigate").is_sent_to("/connections?error=csrf_rejected"));
    }
    rows.push(attack("a program without a session", Nobody, "GET", start).gets(401, "session_required"));
    rows.push(
        attack("a person without a session", Nobody, "GET", start)
            .with("sec-fetch-mode", "navigate")
            .is_sent_to("/connections?error=session_required"),
    );
    let dead = attack("a person with a dead session", Ann, "GET", start).with("cookie", "__Host-session={dead_cookie}");
    rows.push(dead.with("sec-fetch-mode", "navigate").is_sent_to("/connections?error=session_required"));
    let elsewhere = attack("a person who would go elsewhere", Nobody, "GET", "/oauth/x/start?return_to=//evil.example");
    rows.push(elsewhere.with("sec-fetch-mode", "navigate").is_sent_to("/?error=session_required"));
    let reconnects = [
        ("another's connection", Eve, "x", "{x}"),
        ("hers on another platform", Ann, "facebook", "{x}"),
        ("a post", Ann, "x", "{draft}"),
        ("a key", Ann, "x", "..%23evil"),
    ];
    rows.extend(reconnects.map(|(what, by, platform, id)| {
        attack(format!("a reconnect of {what}"), by, "GET", format!("/oauth/{platform}/start?reconnect={id}")).gets(404, "not_found")
    }));
    // Names that stand twice mean one thing to us and another to the platform.
    let more = ["iss=https://evil.example", "iss=evil", "iss=&iss=", "state=evil", "code=evil&code=evil", "state={csrf}"];
    rows.extend(more.map(|more| attack("a parameter more", Ann, "GET", format!("{own}&{more}")).is_sent_to("error=state_invalid")));
    let states = [
        "state=evilevilevilevilevilevilevilevilevilevilevE&code=evil",
        "state=&code=evil",
        "code=evil",
        "error=evil",
        "",
        "state=evil%00&code=evil",
        "state={csrf}&code=evil",
        "state={cookie}&code=evil",
        "state=../FLOW&code=evil",
        "state=FLOW%23evil&code=evil",
    ];
    rows.extend(
        states.map(|query| {
            attack("a state that is none", Ann, "GET", format!("/oauth/x/callback?{query}")).is_sent_to("error=state_invalid")
        }),
    );
    rows
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_callback_that_is_forged_ends_nothing_and_the_right_one_still_works_once() -> Outcome {
    play(async |stage| {
        let scene = Scene::set(stage).await?;
        let rows = forgeries();
        let count = run(&scene, &rows).await?;
        let own = scene.request(Ann, "GET", "/oauth/x/callback?{callback_query}");
        let first = scene.send(&own).await?.expect(303)?;
        let location = first.header("location").unwrap_or_default().to_owned();
        assert!(location.contains("/connections?connected="), "{location}");
        let after = State::read(stage).await?;
        for _ in 0..3 {
            assert_eq!(
                scene.send(&own).await?.expect(303)?.header("location"),
                Some(location.as_str()),
                "the same callback shows the same"
            );
        }
        let other = Request::new("GET", &own.target).with("cookie", &format!("__Host-session={}", scene.names["eves_cookie"]));
        assert!(
            scene.send(&other).await?.header("location").is_some_and(|to| to.ends_with("error=session_mismatch")),
            "not even a finished one"
        );
        let changed = after.differences(&State::read(stage).await?, &[]);
        assert!(changed.is_empty(), "{changed:#?}");
        tell(count + 5, "attack rows on callbacks");
        Ok(())
    })
    .await
}

/// Where Ann may want to go afterwards, that is no page of ours.
const ELSEWHERE: [&str; 22] = [
    "https://evil.example",
    "//evil.example",
    "///evil.example",
    "/%5C/evil.example",
    "/%09/evil.example",
    "/%2Fevil.example",
    "%2F%2Fevil.example",
    "http:evil.example",
    "https:///evil.example",
    "javascript:alert('evil')",
    "data:text/plain,evil",
    "/connections/..//evil.example",
    "/connections%0d%0aLocation:%20https://evil.example",
    "/connections?next=//evil.example",
    "/connections%23evil",
    "/connections@evil.example",
    "/CONNECTIONS",
    "/connections/",
    "connections",
    ".evil.example",
    "@evil.example",
    "",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consent_leads_back_to_a_page_of_ours_and_nowhere_else() -> Outcome {
    play(async |stage| {
        let mut ann = stage.browser();
        ann.sign_in("+61412345701").await?;
        let base = stage.service().base_url();
        let cookie = ann.cookie.clone().unwrap_or_default();
        let get = async |target: &str| Request::new("GET", target).with("cookie", &cookie).with("host", "evil.example").send(base).await;
        for return_to in ELSEWHERE {
            let started = get(&format!("/oauth/x/start?return_to={return_to}")).await?.expect(303)?;
            has_our_headers(&started)?;
            let platform = started.header("location").unwrap_or_default();
            assert!(platform.starts_with(base) && !platform.contains("evil"), "the host is not believed: {platform}");
            assert_eq!(parameter(platform, "redirect_uri"), format!("{base}/oauth/x/callback"));
            assert_eq!(parameter(platform, "code_challenge_method"), "S256");
            let denied =
                get(&format!("/oauth/x/callback?error=access_denied&state={}", parameter(platform, "state"))).await?.expect(303)?;
            assert_eq!(denied.header("location"), Some(format!("{base}/?error=denied").as_str()), "{return_to}");
            has_our_headers(&denied)?;
        }
        let before = State::read(stage).await?;
        for query in ["return_to=/posts&return_to=//evil.example", "return_to=/posts&Return_to=//evil.example", "next=//evil.example"] {
            let refused = get(&format!("/oauth/x/start?{query}")).await?.expect(400)?;
            assert_eq!(refused.code(), "malformed_request", "{query}");
            assert!(!refused.told().contains("evil") && refused.header("location").is_none());
        }
        // Neither the page nor the host is taken from what the platform sends along.
        let started = get("/oauth/x/start?return_to=/settings").await?.expect(303)?;
        let state = parameter(started.header("location").unwrap_or_default(), "state");
        let back =
            format!("/oauth/x/callback?error=access_denied&state={state}&return_to=//evil.example&redirect_uri=https://evil.example");
        assert_eq!(get(&back).await?.expect(303)?.header("location"), Some(format!("{base}/settings?error=denied").as_str()));
        let changed = before.differences(&State::read(stage).await?, &["FLOW#", "COUNT#consents-begun"]);
        assert!(changed.is_empty(), "{changed:#?}");
        tell(ELSEWHERE.len() + 4, "attack rows on return paths");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn codes_states_and_times_that_do_not_belong_together_connect_nothing() -> Outcome {
    play(async |stage| {
        let (mut ann, mut eve) = (stage.browser(), stage.browser());
        ann.sign_in("+61412345701").await?;
        eve.sign_in("+61412345702").await?;
        let ended = async |browser: &local::Browser, target: &str| browser.get(target).await?.expect(303)?.location();
        let callback = async |browser: &local::Browser| browser.consent_until_callback("x", "allow", &[]).await;
        let of = |address: &str, name: &str| parameter(address, name);
        let mut rows = 0;

        // Eve's account under Ann's flow: whoever posts through it would post as Eve.
        let (anns, eves) = (callback(&ann).await?, callback(&eve).await?);
        let injected = format!("/oauth/x/callback?state={}&code={}", of(&anns, "state"), of(&eves, "code"));
        assert!(ended(&ann, &injected).await?.ends_with("error=exchange_failed"), "the code belongs to another verifier");
        assert!(!ended(&ann, &anns).await?.contains("connected="), "the flow is used up");
        // Eve's whole callback in Ann's browser.
        let eves = callback(&eve).await?;
        assert!(ended(&ann, &eves).await?.ends_with("error=session_mismatch"));
        assert!(ended(&eve, &eves).await?.contains("connected="), "and Eve's flow is hers still");
        rows += 3;

        // What the platform says no to, whatever stands beside it.
        let both = format!("{}&error=access_denied", callback(&ann).await?);
        assert!(ended(&ann, &both).await?.ends_with("error=denied"));
        let none = format!("/oauth/x/callback?state={}", of(&callback(&ann).await?, "state"));
        assert!(ended(&ann, &none).await?.contains("error="));
        let empty = format!("/oauth/x/callback?code=&state={}", of(&callback(&ann).await?, "state"));
        assert!(ended(&ann, &empty).await?.contains("error="));
        let made_up = format!("/oauth/x/callback?code=evil&state={}", of(&callback(&ann).await?, "state"));
        assert!(ended(&ann, &made_up).await?.ends_with("error=exchange_failed"));
        rows += 4;

        // Ten minutes and a second later.
        let late = callback(&ann).await?;
        ann.advance(601).await?;
        assert!(ended(&ann, &late).await?.ends_with("error=state_invalid"));
        // Signed out in between, and in again.
        let before = callback(&ann).await?;
        ann.post("/api/logout", None).await?.expect(204)?;
        assert!(ended(&ann, &before).await?.ends_with("error=session_mismatch"));
        ann.sign_in("+61412345701").await?;
        assert!(ended(&ann, &before).await?.ends_with("error=session_mismatch"));
        rows += 3;

        assert_eq!(ann.get("/api/connections").await?.json["items"].as_array().map(Vec::len), Some(0));
        tell(rows, "attack rows on mixed-up consents");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_account_in_two_tenants_is_two_connections_that_know_nothing_of_each_other() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412345701", "starter", "shared").await?;
        let before = ann.browser.get("/api/connections").await?.json;
        let eve = stage.person("+61412345702", "starter", "shared").await?;
        assert_ne!(ann.x, eve.x);
        assert_eq!(ann.browser.get("/api/connections").await?.json, before, "Ann's is untouched");
        eve.browser.delete(&format!("/api/connections/{}", eve.x)).await?.expect(204)?;
        assert_eq!(ann.browser.get("/api/connections").await?.json, before, "and still is");
        let post = ann.approved_on_x("Still mine", 0).await?;
        ann.browser.wait_for(&post, "published", journeys::SOON).await?;
        tell(3, "attack rows on shared accounts");
        Ok(())
    })
    .await
}

/// What the consent holds instead, where it begins, what is chosen on the platform's page, and what the frontend is told.
type Reconnect<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)], &'a str);

/// Where a consent leaves its traces, whatever it brings: the flow, its count, and the calls at the platform.
const TRACES: [&str; 3] = ["FLOW#", "COUNT#consents-begun", "sim x calls"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reconnect_that_brings_another_account_or_less_leaves_the_old_one_as_it_is() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412345701", "starter", "ann").await?;
        let again = format!("/oauth/x/start?return_to=/connections&reconnect={}", ann.x);
        let traces = [TRACES.as_slice(), &["sim facebook calls"]].concat();
        let before = State::read(stage).await?;
        let facebook = format!("/oauth/facebook/start?return_to=/connections&reconnect={}", ann.facebook);
        let cases: [Reconnect<'_>; 6] = [
            ("another account", &again, &[("account", "eve")], "account_mismatch"),
            (
                "another account, with less",
                &again,
                &[("account", "eve"), ("granted_scope", "tweet.read")],
                "account_mismatch|scope_missing",
            ),
            (
                "less than it may now",
                &again,
                &[("account", "ann"), ("granted_scope", "tweet.read"), ("granted_scope", "users.read")],
                "scope_missing",
            ),
            ("nothing that is of use", &again, &[("account", "ann"), ("granted_scope", "tweet.write")], "scope_missing"),
            ("another Page", &facebook, &[("page", "100000000000002")], "account_mismatch"),
            ("a Page without the right to post", &facebook, &[("granted_scope", "pages_show_list")], "scope_missing"),
        ];
        for (what, start, fields, told) in cases {
            let callback = ann.browser.consent_from(start, "allow", fields).await?;
            let location = ann.browser.get(&callback).await?.expect(303)?.location()?;
            let error = location.rsplit_once("error=").map(|(_, error)| error).unwrap_or_default();
            assert!(told.split('|').any(|told| told == error), "{what}: {location}");
            let changed = before.differences(&State::read(stage).await?, &traces);
            assert!(changed.is_empty(), "{what}: row and tokens are as they were: {changed:#?}");
        }
        for (connection, text) in [(&ann.x, "Still X"), (&ann.facebook, "Still the Page")] {
            let due = ann.browser.service_time(0).await?;
            let post = ann.browser.write(text, &[connection], &due).await?.remove(0);
            ann.browser.approve(&post).await?;
            ann.browser.wait_for(&post, "published", journeys::SOON).await?;
        }
        tell(cases.len(), "attack rows on reconnects");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_part_of_the_scopes_is_limited_says_what_is_missing_and_posts_nothing() -> Outcome {
    play(async |stage| {
        let mut ann = stage.browser();
        ann.sign_in("+61412345701").await?;
        ann.redeem("starter").await?;
        let part = [("account", "ann"), ("granted_scope", "tweet.read"), ("granted_scope", "users.read")];
        let callback = ann.consent_until_callback("x", "allow", &part).await?;
        let location = ann.get(&callback).await?.expect(303)?.location()?;
        assert_eq!(parameter(&location, "missing"), "tweet.write offline.access");
        let id = parameter(&location, "connected");
        let limited = ann.get("/api/connections").await?.expect(200)?.json["items"][0].clone();
        assert_eq!((&limited["id"], &limited["health"], &limited["is_active"]), (&id.as_str().into(), &"limited".into(), &false.into()));
        assert_eq!(limited["missing_scopes"], serde_json::json!(["tweet.write", "offline.access"]));

        let due = ann.service_time(3_600).await?;
        let draft = ann.write("Not yet", &[&id], &due).await?.remove(0);
        let before = State::read(stage).await?;
        let refused = ann.post(&format!("/api/posts/{draft}/approve"), None).await?.expect(409)?;
        assert_eq!(refused.json["code"], "connection_unusable");
        let changed = before.differences(&State::read(stage).await?, &[]);
        assert!(changed.is_empty(), "no place is taken: {changed:#?}");
        assert_eq!(ann.quota().await?, [12, 0, 0, 12]);
        tell(3, "attack rows on partial scopes");
        Ok(())
    })
    .await
}
