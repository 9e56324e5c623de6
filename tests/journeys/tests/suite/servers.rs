//! A network of many servers: our app is registered once at each, a consent goes on with the server that was named, and an app that nobody needs
//! is forgotten.

mod many;
mod stage;

use domain::platform::{App, PlatformName, ServerName};
use jiff::SignedDuration;
use reqwest::StatusCode;
use sweeper::Swept;

use stage::{Stage, told};

type Outcome = anyhow::Result<()>;

fn app(server: &str) -> App {
    App { platform: PlatformName::X, server: ServerName::parse(server).ok() }
}

#[tokio::test]
async fn our_app_is_registered_once_at_each_server_that_somebody_names() -> Outcome {
    let stage = Stage::open("us-servers-1").await?;
    let first = stage.start("server=one.example").await?.location()?;
    assert_eq!((first.host_str(), stage.registered()), (Some("one.example"), 1));
    let again = stage.start("server=https://ONE.example/").await?.location()?;
    assert_eq!((told(&again, "client_id"), stage.registered()), (told(&first, "client_id"), 1));
    let elsewhere = stage.start("server=two.example").await?.location()?;
    assert_eq!((elsewhere.host_str(), stage.registered()), (Some("two.example"), 2));
    assert_ne!(told(&elsewhere, "client_id"), told(&first, "client_id"));
    Ok(())
}

#[tokio::test]
async fn two_who_name_a_new_server_at_once_go_on_by_one_app() -> Outcome {
    let stage = Stage::open("us-servers-2").await?;
    // The double registers there only once both have asked.
    let (one, other) = tokio::join!(stage.start("server=both.example"), stage.start("server=both.example"));
    let (one, other) = (one?.location()?, other?.location()?);
    assert_eq!((stage.registered(), told(&one, "client_id")), (2, told(&other, "client_id")));
    let kept = stage.vault.find_app(&app("both.example"), stage.now()).await?.map(|(client_id, _)| client_id);
    assert_eq!(kept, told(&one, "client_id"));
    Ok(())
}

#[tokio::test]
async fn a_user_names_three_new_servers_a_day_and_known_ones_as_often_as_they_like() -> Outcome {
    let stage = Stage::open("us-servers-3").await?;
    for server in ["one.example", "two.example", "three.example", "one.example", "two.example"] {
        stage.start(&format!("server={server}")).await?.location()?;
    }
    let refused = stage.start("server=four.example").await?;
    assert_eq!((refused.status, stage.registered()), (StatusCode::TOO_MANY_REQUESTS, 3));
    stage.pass(SignedDuration::from_hours(24));
    stage.start("server=four.example").await?.location()?;
    Ok(())
}

#[tokio::test]
async fn a_name_that_leads_nowhere_is_told_as_such_to_programs_and_people() -> Outcome {
    let stage = Stage::open("us-servers-4").await?;
    for (query, status, code) in [
        ("server=closed.example", 422, "server_unknown"),
        ("server=localhost", 422, "value_malformed"),
        ("", 400, "value_missing"),
        ("handle=ada.example", 400, "name_unknown"),
    ] {
        let refused = stage.start(query).await?;
        assert_eq!((refused.status.as_u16(), refused.json()?["errors"][0]["code"].as_str()), (status, Some(code)), "{query}");
    }
    let back = stage.click("return_to=/connections&server=closed.example").await?.location()?;
    assert_eq!((back.path(), told(&back, "error").as_deref()), ("/connections", Some("validation_failed")));
    assert_eq!(stage.registered(), 0);
    // None of them counts among the new servers of the day.
    for server in ["closed.example", "one.example", "two.example", "three.example"] {
        let began = stage.start(&format!("server={server}")).await?;
        assert_eq!(began.status.as_u16(), if server == "closed.example" { 422 } else { 303 }, "{server}");
    }
    Ok(())
}

#[tokio::test]
async fn a_consent_is_finished_by_its_own_server_alone_and_the_connection_keeps_it() -> Outcome {
    let stage = Stage::open("us-servers-5").await?;
    let asked = stage.start("server=one.example").await?.location()?;
    for other in ["", "&iss=https://two.example"] {
        let back = stage.callback(&asked, other).await?;
        assert_eq!(told(&back, "error").as_deref(), Some("state_invalid"), "{other}");
    }
    // Nothing was consumed: whoever is not the one that was asked cannot end the flow.
    let back = stage.callback(&asked, "&iss=https://one.example").await?;
    let connection = stage.connection(&told(&back, "connected").expect("a connection")).await?;
    assert_eq!((connection.app(), connection.platform_user_id.as_str()), (app("one.example"), "ada@one.example"));
    assert_eq!(connection.server.as_ref().map(|server| server.api.as_str()), Some("https://one.example/"));

    // Who connects it anew need not name the server, and may name another one.
    let anew = stage.start(&format!("reconnect={}", connection.id)).await?.location()?;
    assert_eq!((anew.host_str(), stage.registered()), (Some("one.example"), 1));
    Ok(())
}

#[tokio::test]
async fn an_app_that_nobody_needs_is_forgotten_after_a_day_and_no_other() -> Outcome {
    let stage = Stage::open("us-servers-6").await?;
    for server in ["left.example", "asked.example", "used.example"] {
        stage.start(&format!("server={server}")).await?.location()?;
    }
    let asked = stage.start("server=used.example").await?.location()?;
    let back = stage.callback(&asked, "&iss=https://used.example").await?;
    let connection = stage.connection(&told(&back, "connected").expect("a connection")).await?;
    assert_eq!(stage.sweep_after(SignedDuration::from_hours(24)).await?, 0, "not before");
    stage.pass(SignedDuration::from_hours(12));
    stage.start("server=asked.example").await?.location()?;
    assert_eq!(stage.sweep_after(SignedDuration::from_hours(12)).await?, 1);
    assert_eq!(stage.kept(&["left.example", "asked.example", "used.example"]).await?, [false, true, true]);
    assert_eq!(stage.sweep_after(SignedDuration::from_hours(48)).await?, 1);
    assert_eq!(stage.kept(&["asked.example", "used.example"]).await?, [false, true]);

    // With its last connection it goes, too, and whoever comes later has another one.
    stage.store.delete_connection(&connection).await?;
    assert_eq!(stage.sweep_after(SignedDuration::from_hours(48)).await?, 1);
    assert_eq!(stage.kept(&["used.example"]).await?, [false]);
    let before = stage.registered();
    stage.start("server=used.example").await?.location()?;
    assert_eq!((stage.registered(), stage.kept(&["used.example"]).await?), (before + 1, vec![true]));
    Ok(())
}

#[tokio::test]
async fn nobody_goes_on_with_an_app_that_is_being_removed() -> Outcome {
    let stage = Stage::open("us-servers-7").await?;
    let server = ServerName::parse("one.example")?;
    stage.start("server=one.example").await?.location()?;
    assert!(!stage.store.begin_server_removal(PlatformName::X, &server, stage.now()).await?, "a consent has just begun");
    stage.pass(SignedDuration::from_hours(24));
    assert!(stage.store.begin_server_removal(PlatformName::X, &server, stage.now()).await?);
    assert_eq!(stage.start("server=one.example").await?.status, StatusCode::SERVICE_UNAVAILABLE);
    // Whoever was at it has vanished.
    stage.pass(SignedDuration::from_mins(2));
    stage.start("server=one.example").await?.location()?;
    assert_eq!((stage.registered(), sweeper::sweep(&stage.sweeper).await?), (1, Swept::default()));
    assert_eq!(stage.kept(&["one.example"]).await?, [true]);
    Ok(())
}
