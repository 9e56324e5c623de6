//! The local service's answers under 20 clients at once.

mod measure;

use anyhow::ensure;
use edge::lines::Captured;
use local::{Browser, LocalService, Options};
use serde_json::json;

use measure::measure;

/// How many people there are; each has several clients.
const PEOPLE: usize = 4;
const CLIENTS_EACH: usize = 5;
const REQUESTS_EACH: usize = 50;
/// The longest page of a list.
const PAGE: usize = 100;

/// Starts the service on a folder of its own, and measures it.
pub(crate) async fn run() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let lines = Captured::default();
    let options = Options { port: 0, data_dir: folder.path().to_owned(), fresh: false, lines: lines.lines() };
    let service = LocalService::start(options).await?;
    println!("requests: the local service");
    let measured = answers(&service).await;
    service.stop().await;
    measured
}

async fn answers(service: &LocalService) -> anyhow::Result<()> {
    let mut people = Vec::new();
    for number in 0..PEOPLE {
        people.push(Person::new(service.base_url(), number).await?);
    }
    let clients: Vec<Browser> = people.iter().flat_map(|person| std::iter::repeat_n(&person.browser, CLIENTS_EACH)).cloned().collect();

    let status = async |client: &Browser, _| client.get("/api/user/status").await?.expect(200).map(drop);
    println!("{}", measure(("GET /api/user/status", service), &clients, REQUESTS_EACH, status).await?);

    let due = people[0].browser.service_time(86_400).await?;
    let write = async |client: &Browser, number| {
        let owner = people.iter().find(|person| person.browser.cookie == client.cookie);
        let connection = owner.map(|person| &person.connection);
        let body = json!({
            "content": format!("Fresh bread, batch {number}"),
            "targets": [{ "connection_id": connection }],
            "scheduled_for": due,
        });
        client.post("/api/posts", Some(&body)).await?.expect(201).map(drop)
    };
    println!("{}", measure(("POST /api/posts", service), &clients, REQUESTS_EACH, write).await?);

    let page = async |client: &Browser, _| {
        let page = client.get(&format!("/api/posts?limit={PAGE}")).await?.expect(200)?;
        let posts = page.json["items"].as_array().map_or(0, Vec::len);
        ensure!(posts == PAGE, "{posts} posts on a page");
        Ok(())
    };
    println!("{}", measure(("GET /api/posts?limit=100", service), &clients[..1], REQUESTS_EACH, page).await?);
    Ok(())
}

/// Somebody signed in, with a plan, an account and an approved post.
pub(crate) struct Person {
    browser: Browser,
    connection: String,
}

impl Person {
    pub(crate) async fn new(base_url: &str, number: usize) -> anyhow::Result<Self> {
        let mut browser = Browser::new(base_url)?;
        browser.sign_in(&format!("+6141234567{number}")).await?;
        browser.redeem("professional").await?;
        let account = format!("bench{number}");
        let connection = browser.connect("x", &[("account", &account)], &[]).await?.remove(0);
        let due = browser.service_time(3_600).await?;
        let post = browser.write("Fresh bread", &[&connection], &due).await?.remove(0);
        browser.approve(&post).await?;
        Ok(Self { browser, connection })
    }
}
