//! Sessions: many at once, one at many places, and none after its end.

use std::collections::BTreeSet;

use futures::future::{join_all, try_join_all};
use journeys::{Stage, play};
use local::Browser;
use serde_json::json;

type Outcome = anyhow::Result<()>;

async fn signed_in(stage: &Stage, phone: &str) -> anyhow::Result<Browser> {
    let mut browser = stage.browser();
    browser.sign_in(phone).await?;
    Ok(browser)
}

async fn sessions(browser: &Browser) -> anyhow::Result<Vec<serde_json::Value>> {
    Ok(browser.get("/api/sessions").await?.expect(200)?.json["items"].as_array().cloned().unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_people_at_once_are_fifty_and_each_sees_only_their_own_things_also_after_a_restart() -> Outcome {
    play(async |stage| {
        let phones: Vec<String> = (0..50).map(|n| format!("+614123460{n:02}")).collect();
        let mut people = {
            let stage = &*stage;
            try_join_all(phones.iter().map(|phone| signed_in(stage, phone))).await?
        };
        try_join_all(people.iter().map(|person| person.redeem("starter"))).await?;
        for round in 0..2 {
            let users = try_join_all(people.iter().map(|person| person.get("/api/user"))).await?;
            let mut ids = BTreeSet::new();
            for (user, phone) in users.iter().zip(&phones) {
                assert_eq!((user.status.as_u16(), &user.json["phone"]), (200, &json!(phone)), "round {round}");
                ids.insert(user.str("/id")?);
            }
            let listed = try_join_all(people.iter().map(sessions)).await?;
            assert!(listed.iter().all(|mine| mine.len() == 1 && mine[0]["current"] == true));
            let session_ids: BTreeSet<_> = listed.iter().map(|mine| mine[0]["id"].to_string()).collect();
            let cookies: BTreeSet<_> = people.iter().map(|person| person.cookie.clone()).collect();
            assert_eq!((ids.len(), session_ids.len(), cookies.len()), (50, 50, 50), "round {round}");
            if round == 0 {
                stage.restart().await;
                for person in &mut people {
                    let kept = (person.cookie.clone(), person.csrf_token.clone());
                    *person = stage.browser();
                    (person.cookie, person.csrf_token) = kept;
                }
            }
        }
        // Nobody's CSRF token opens another's session.
        let mut mixed = people[0].clone();
        mixed.csrf_token.clone_from(&people[1].csrf_token);
        mixed.post("/api/logout", None).await?.expect(403)?;
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_session_serves_many_requests_at_once() -> Outcome {
    play(async |stage| {
        let ann = signed_in(stage, "+61412345671").await?;
        ann.advance(301).await?;
        let rush = join_all((0..30).map(|n| if n % 2 == 0 { ann.get("/api/user") } else { ann.get("/api/sessions") })).await;
        for reply in rush {
            reply?.expect(200)?;
        }
        assert_eq!(sessions(&ann).await?.len(), 1);
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_in_flight_never_brings_back_a_session_that_was_ended() -> Outcome {
    play(async |stage| {
        for round in 0..6 {
            let ann = signed_in(stage, &format!("+6141234568{round}")).await?;
            // From here on every use is worth a write.
            ann.advance(301).await?;
            let (uses, out) =
                tokio::join!(join_all((0..15).map(|_| ann.post("/api/establish-session", None))), ann.post("/api/logout", None));
            out?.expect(204)?;
            for reply in uses {
                assert!(matches!(reply?.status.as_u16(), 200 | 401));
            }
            let dead = ann.get("/api/user").await?.expect(401)?;
            assert_eq!(dead.str("/code")?, "session_expired");
        }
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_are_listed_revoked_one_by_one_and_new_at_every_login() -> Outcome {
    play(async |stage| {
        let laptop = signed_in(stage, "+61412345672").await?;
        laptop.advance(61).await?;
        let phone = signed_in(stage, "+61412345672").await?;
        laptop.advance(61).await?;
        let mut again = laptop.clone();
        again.sign_in("+61412345672").await?;
        assert_ne!(again.cookie, laptop.cookie);
        laptop.get("/api/user").await?.expect(401)?;
        let listed = sessions(&phone).await?;
        assert_eq!(listed.len(), 2, "signing in again in one browser ends the session that it had");
        let other = listed.iter().find(|one| one["current"] == false).unwrap();
        let path = format!("/api/sessions/{}", other["id"].as_str().unwrap());
        let stranger = signed_in(stage, "+61412345673").await?;
        assert_eq!(stranger.delete(&path).await?.expect(404)?.str("/code")?, "not_found");
        phone.delete(&path).await?.expect(204)?;
        phone.delete(&path).await?.expect(404)?;
        again.get("/api/user").await?.expect(401)?;
        let own = sessions(&phone).await?;
        let ended = phone.delete(&format!("/api/sessions/{}", own[0]["id"].as_str().unwrap())).await?.expect(204)?;
        assert!(ended.headers["set-cookie"].to_str()?.contains("Max-Age=0"));
        phone.get("/api/user").await?.expect(401)?;
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_use_keeps_a_session_for_a_week_and_none_keeps_it_for_more_than_a_month() -> Outcome {
    play(async |stage| {
        let (used, idle) = (signed_in(stage, "+61412345674").await?, signed_in(stage, "+61412345675").await?);
        for day in 1..30 {
            used.advance(86_400).await?;
            let reply = used.get("/api/user").await?;
            assert_eq!(reply.status.as_u16(), 200, "day {day}");
            assert_eq!(sessions(&used).await?.len(), 1);
            if day == 7 {
                // Its first look is on the day on which it has been idle too long.
                assert_eq!(idle.get("/api/user").await?.expect(401)?.str("/code")?, "session_expired");
            }
        }
        used.advance(86_400).await?;
        assert_eq!(used.get("/api/user").await?.expect(401)?.str("/code")?, "session_expired");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_signs_in_in_anothers_browser_ends_the_session_that_it_had() -> Outcome {
    play(async |stage| {
        let ann = signed_in(stage, "+61412345690").await?;
        let mut shared = ann.clone();
        shared.sign_in("+61412345691").await?;
        assert_ne!(shared.cookie, ann.cookie);
        shared.get("/api/user").await?.expect(200)?;
        assert_eq!(ann.get("/api/user").await?.expect(401)?.str("/code")?, "session_expired");
        Ok(())
    })
    .await
}
