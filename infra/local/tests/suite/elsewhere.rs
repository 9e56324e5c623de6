//! A frontend on another port, and platforms that are not the ones simulated here.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use edge::clock::Clock;
use edge::lines::Lines;
use local::{Browser, LocalService, Options, Settings};
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, COOKIE, HeaderMap, ORIGIN};
use serde_json::{Value, json};
use simulator::Simulator;
use tempfile::TempDir;
use tokio::net::TcpListener;
use url::Url;

const SOON: Duration = Duration::from_secs(15);
const FRONTEND: &str = "http://localhost:5173";
const SECOND: &str = "http://localhost:8080";
const STRANGER: &str = "http://localhost:6666";

async fn start(settings: Settings) -> anyhow::Result<(LocalService, Browser, TempDir)> {
    let folder = tempfile::tempdir()?;
    let options = Options { port: 0, data_dir: folder.path().to_owned(), fresh: false, lines: Lines::silent() };
    let service = LocalService::start_with(options, settings).await?;
    let browser = Browser::new(service.base_url())?;
    Ok((service, browser, folder))
}

/// What a page of `origin` sends, and what its browser sees.
async fn from_page(browser: &Browser, origin: &str, method: Method, path: &str, body: Option<Value>) -> anyhow::Result<(u16, HeaderMap)> {
    let client = reqwest::Client::builder().no_proxy().build()?;
    let mut request = client.request(method.clone(), format!("{}{path}", browser.base_url()));
    request = request.header(ORIGIN, origin).header("sec-fetch-site", "same-site");
    if method == Method::OPTIONS {
        request =
            request.header("access-control-request-method", "POST").header("access-control-request-headers", "content-type,x-csrf-token");
    } else {
        request = browser.cookie.iter().fold(request, |request, cookie| request.header(COOKIE, cookie));
        request = browser.csrf_token.iter().fold(request, |request, token| request.header("x-csrf-token", token));
    }
    if let Some(body) = body {
        request = request.header(CONTENT_TYPE, "application/json").body(body.to_string());
    }
    let answer = request.send().await?;
    Ok((answer.status().as_u16(), answer.headers().clone()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frontend_on_another_port_may_call_and_people_come_back_to_it() -> anyhow::Result<()> {
    let settings = Settings::default().with_frontend(Url::parse(FRONTEND)?).with_origins([SECOND.to_owned()]);
    let (service, mut browser, _folder) = start(settings).await?;
    browser.sign_in("+61412345681").await?;
    browser.redeem("starter").await?;
    let own = service.base_url().to_owned();
    for origin in [FRONTEND, SECOND, &own] {
        let (status, headers) = from_page(&browser, origin, Method::OPTIONS, "/api/posts", None).await?;
        assert_eq!((status, &headers["access-control-allow-origin"]), (204, &origin.parse()?), "the preflight of {origin}");
        assert_eq!(headers["access-control-allow-credentials"], "true");
        assert!(headers["access-control-allow-headers"].to_str()?.contains("x-csrf-token"));
        let (status, headers) = from_page(&browser, origin, Method::GET, "/api/user/status", None).await?;
        assert_eq!((status, &headers["access-control-allow-origin"]), (200, &origin.parse()?), "a call of {origin}");
        let (status, headers) = from_page(&browser, origin, Method::POST, "/api/posts", Some(json!({}))).await?;
        assert_eq!(
            (status, &headers["access-control-allow-origin"]),
            (422, &origin.parse()?),
            "{origin} is let in, and told what is missing"
        );
    }
    let (status, headers) = from_page(&browser, STRANGER, Method::OPTIONS, "/api/posts", None).await?;
    assert!(status == 204 && !headers.contains_key("access-control-allow-origin"), "{headers:?}");
    for (path, body) in [("/api/posts", json!({})), ("/api/verification-codes", json!({ "phone": "+61412345682" }))] {
        let (status, headers) = from_page(&browser, STRANGER, Method::POST, path, Some(body)).await?;
        assert!(status == 403 && !headers.contains_key("access-control-allow-origin"), "{path}: {status} {headers:?}");
    }
    let ended = browser.consent("x", "allow", &[]).await?;
    assert!(ended.as_str().starts_with("http://localhost:5173/connections?connected="), "{ended}");
    let denied = browser.consent("facebook", "deny", &[]).await?;
    assert_eq!(denied.as_str(), "http://localhost:5173/connections?error=denied");
    service.stop().await;
    Ok(())
}

/// A second simulator, on a port and below a path of its own, in which `service` is the registered app.
fn serve_double(listener: TcpListener, service: &LocalService) -> anyhow::Result<()> {
    let simulator = Simulator::open(None, Clock::system(), &Url::parse(service.base_url())?)?;
    let router = axum::Router::new().nest("/some/where", simulator.router());
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(())
}

/// How often anything was called.
async fn calls(browser: &Browser, base: &str, platform: &str) -> anyhow::Result<u64> {
    let told = browser.get(&format!("{base}/{platform}/calls")).await?.expect(200)?.json;
    Ok(told.as_object().into_iter().flatten().filter_map(|(_, times)| times.as_u64()).sum())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn platforms_elsewhere_get_every_call() -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let double = format!("http://{}/some/where", listener.local_addr()?);
    let (service, mut browser, _folder) = start(Settings::default().with_platforms(format!("*={double}"))).await?;
    serve_double(listener, &service)?;
    browser.sign_in("+61412345683").await?;
    browser.redeem("starter").await?;
    for (platform, chosen) in [("x", ""), ("facebook", "Demo Bakery")] {
        let connection = browser.connect(platform, &[], &[chosen]).await?.remove(0);
        let text = format!("Elsewhere on {platform}");
        let due = browser.service_time(0).await?;
        let post = browser.write(&text, &[&connection], &due).await?.remove(0);
        browser.approve(&post).await?;
        browser.wait_for(&post, "published", SOON).await?;
        let held = browser.get(&format!("{double}/{platform}/posts")).await?.expect(200)?.json;
        assert_eq!(held["items"][0]["text"], text.as_str(), "{held}");
        assert!(calls(&browser, &double, platform).await? >= 3, "code, account and post");
        assert_eq!(calls(&browser, "/_sim", platform).await?, 0, "nothing went to the {platform} here");
    }
    service.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_platform_can_be_elsewhere_alone() -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let double = format!("http://{}/some/where", listener.local_addr()?);
    let there = format!("x.api={double}/x,x.authorize={double}/x/i/oauth2/authorize");
    let (service, mut browser, _folder) = start(Settings::default().with_platforms(there)).await?;
    serve_double(listener, &service)?;
    browser.sign_in("+61412345684").await?;
    browser.redeem("starter").await?;
    browser.connect("x", &[], &[]).await?;
    browser.connect("facebook", &[], &["Demo Bakery"]).await?;
    assert_eq!((calls(&browser, "/_sim", "x").await?, calls(&browser, &double, "facebook").await?), (0, 0));
    assert!(calls(&browser, "/_sim", "facebook").await? > 0 && calls(&browser, &double, "x").await? > 0);
    service.stop().await;
    Ok(())
}

fn program() -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_postledger"));
    program.args(["--port", "0"]).env_remove("PLATFORM_ADDRESSES").env_remove("METRICS_PACE");
    program
}

/// Ends it however the test ends.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _gone = self.0.kill().and_then(|()| self.0.wait());
    }
}

/// The lines that a served program says before what to try.
fn greeting(program: &mut Command) -> anyhow::Result<Vec<String>> {
    let folder = tempfile::tempdir()?;
    let mut running = Running(program.arg("--data").arg(folder.path()).stdout(Stdio::piped()).spawn()?);
    let lines = BufReader::new(running.0.stdout.take().expect("it is piped")).lines();
    Ok(lines.take_while(|line| line.as_ref().is_ok_and(|line| !line.is_empty())).collect::<Result<_, _>>()?)
}

#[test]
fn it_says_at_its_start_whom_it_speaks_to() -> anyhow::Result<()> {
    let said = greeting(&mut program())?;
    let base = said[0].rsplit(' ').next().unwrap_or_default().to_owned();
    assert!(
        said.contains(&format!("X: api {base}/_sim/x (simulated), authorize {base}/_sim/x/i/oauth2/authorize (simulated)")),
        "{said:#?}"
    );
    assert!(said.contains(&format!("Frontend: {base}/")), "{said:#?}");

    let set =
        greeting(program().env("PLATFORM_ADDRESSES", "x.api=https://x.example.com").args(["--frontend-url", "http://127.0.0.1:5173"]))?;
    assert!(set.iter().any(|line| line.starts_with("X: api https://x.example.com/, authorize http://localhost:")), "{set:#?}");
    assert!(set.iter().any(|line| line.starts_with("Facebook: api http://localhost:") && line.ends_with(", v26.0")), "{set:#?}");
    assert!(set.contains(&"Frontend: http://127.0.0.1:5173/".to_owned()), "{set:#?}");
    assert!(set.iter().any(|line| line.contains("another site")) && set.iter().any(|line| line.contains("credentials")), "{set:#?}");
    Ok(())
}

/// Arguments, a variable, and what the refusal says.
type Case = (&'static [&'static str], Option<(&'static str, &'static str)>, &'static [&'static str]);

#[test]
fn what_is_no_address_is_refused_with_code_2_and_nothing_is_started() -> anyhow::Result<()> {
    let refused = |arguments: &[&str], variable: Option<(&str, &str)>| -> anyhow::Result<(Output, bool)> {
        let folder = tempfile::tempdir()?;
        let data = folder.path().join("data");
        let output = program().args(arguments).envs(variable).arg("--data").arg(&data).output()?;
        Ok((output, data.exists()))
    };
    let cases: [Case; 5] = [
        (&["--frontend-url", "localhost:5173"], None, &["--frontend-url", "must be an https address"]),
        (&["--allow-origin", "http://localhost:5173", "--allow-origin", "*"], None, &["--allow-origin", "must be origins"]),
        (
            &["--platform-addresses", "x.api=nowhere,facebook.version=26,twitter.api=https://a.example"],
            None,
            &[
                "x.api must be an https address",
                "facebook.version must be a version such as v26.0",
                "entry 3 (twitter.api) must be named one of",
            ],
        ),
        (&[], Some(("PLATFORM_ADDRESSES", "x.api=http://u:p@localhost")), &["x.api must be an https address"]),
        (&[], Some(("METRICS_PACE", "x=sometimes")), &["x must be off or a whole number from 1 to 6"]),
    ];
    for (arguments, variable, expected) in cases {
        let (output, started) = refused(arguments, variable)?;
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{arguments:?} {variable:?}: {told}");
        assert!(expected.iter().all(|part| told.contains(part)), "{arguments:?} {variable:?}: {told}");
        assert!(!started && output.stdout.is_empty(), "{arguments:?} {variable:?}: it was started");
    }
    Ok(())
}
