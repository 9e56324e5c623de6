//! Lists: in either order, page by page, with several statuses, none of them empty while something follows, and none too long to be sent.

use domain::connection::{Connection, Grant, GrantLife};
use domain::content::Content;
use domain::id::{ConnectionId, GroupId, PostId, UserId};
use domain::ledger::Actor;
use domain::order::Order;
use domain::platform::{AccountKind, PlatformName};
use domain::post::{DRAFTS_MAX, Draft, Event, LATEST_DEFAULT, Post, State, Status};
use domain::token::TokenSet;
use edge::random::Random;
use futures::future::try_join_all;
use jiff::{SignedDuration, Timestamp};
use journeys::{Person, Stage, ahead, play};
use local::variables::tables;
use local::{Browser, Reply};
use reqwest::Method;
use serde_json::{Value, json};
use store::{ConnectionMade, Filter, Start, Store};

type Outcome = anyhow::Result<()>;

/// More than one read of a filtered list looks at.
const MANY: usize = 700;

fn store(stage: &Stage) -> Store {
    Store::new(&stage.service().aws().sdk_config(), tables())
}

/// A post as it stands in the table, due so many minutes after the first.
fn post(user: &UserId, minutes: i64, text: &str, state: State) -> (Post, Content, Event) {
    let (random, due_at) = (Random::system(), ahead() + SignedDuration::from_mins(minutes));
    let content = Content { text: text.to_owned(), ai_recommendation: None };
    let draft = Draft {
        id: PostId::new(due_at, random.bytes()),
        user_id: user.clone(),
        group_id: GroupId::new(due_at, random.bytes()),
        connection_id: ConnectionId::new(due_at, random.bytes()),
        platform: PlatformName::Facebook,
        content_hash: content.hash(),
        due_at,
        latest_at: due_at + LATEST_DEFAULT,
        time_zone: None,
        local_time: None,
        lead: jiff::SignedDuration::ZERO,
    };
    let post = Post { state, ..Post::draft(draft, ahead()) };
    let written = Event { at: ahead(), from: None, to: post.status(), actor: Actor::User, note: "written".into() };
    (post, content, written)
}

async fn store_all(store: &Store, posts: &[(Post, Content, Event)]) -> Outcome {
    for some in posts.chunks(20) {
        anyhow::ensure!(store.create_posts(some, "a test").await?);
    }
    Ok(())
}

async fn user_of(person: &Person) -> anyhow::Result<UserId> {
    Ok(UserId::parse(&person.id().await?)?)
}

/// Every page of a list, each answer with what it brought.
async fn pages(browser: &Browser, list: &str) -> anyhow::Result<Vec<Reply>> {
    let (mut all, mut cursor) = (Vec::new(), None::<String>);
    for _ in 0..200 {
        let and = if list.contains('?') { '&' } else { '?' };
        let address = cursor.as_ref().map_or_else(|| list.to_owned(), |cursor| format!("{list}{and}cursor={cursor}"));
        let page = browser.get(&address).await?.expect(200)?;
        cursor = page.json["next_cursor"].as_str().map(str::to_owned);
        all.push(page);
        if cursor.is_none() {
            return Ok(all);
        }
    }
    anyhow::bail!("{list} does not end")
}

fn items(page: &Reply) -> Vec<Value> {
    page.json["items"].as_array().cloned().unwrap_or_default()
}

fn told(pages: &[Reply], field: &str) -> Vec<String> {
    pages.iter().flat_map(items).map(|item| item[field].as_str().unwrap_or_default().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_page_is_empty_while_something_follows_that_matches() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412345770", "starter", "ann").await?;
        let user = user_of(&ann).await?;
        let mut posts: Vec<_> = (0..MANY).map(|n| post(&user, i64::try_from(n).unwrap_or_default(), "A draft", State::Draft)).collect();
        posts.push(post(&user, 10_000, "Called off", State::Cancelled));
        posts.push(post(&user, 10_001, "Called off, too", State::Cancelled));
        store_all(&store(stage), &posts).await?;
        for order in ["", "&order=asc", "&order=desc"] {
            let found = pages(&ann.browser, &format!("/api/posts?status=cancelled&limit=1{order}")).await?;
            assert!(found.iter().all(|page| items(page).len() == 1), "{order}");
            let expected = if order == "&order=desc" { ["Called off, too", "Called off"] } else { ["Called off", "Called off, too"] };
            assert_eq!(told(&found, "content"), expected);
        }
        let both = pages(&ann.browser, "/api/posts?status=cancelled,draft&limit=100").await?;
        assert_eq!(told(&both, "id").len(), MANY + 2);
        assert!(both.iter().all(|page| !items(page).is_empty()));
        assert!(items(&ann.browser.get("/api/posts?status=failed,missed").await?.expect(200)?).is_empty());
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_goes_either_way_and_its_cursor_keeps_the_way() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412345771", "starter", "ann").await?;
        let due: Vec<Timestamp> = (0..5).map(|n| ahead() + SignedDuration::from_mins(n)).collect();
        for (n, due) in due.iter().enumerate() {
            ann.browser.write(&format!("Post {n}"), &[&ann.x], &due.to_string()).await?;
        }
        let up: Vec<String> = (0..5).map(|n| format!("Post {n}")).collect();
        let down: Vec<String> = up.iter().rev().cloned().collect();
        assert_eq!(told(&pages(&ann.browser, "/api/posts?limit=2").await?, "content"), up);
        assert_eq!(told(&pages(&ann.browser, "/api/posts?limit=2&order=asc").await?, "content"), up);
        assert_eq!(told(&pages(&ann.browser, "/api/posts?limit=2&order=desc").await?, "content"), down);
        let bounds = format!("from={}&to={}", due[1], due[4]);
        assert_eq!(
            told(&pages(&ann.browser, &format!("/api/posts?limit=1&order=desc&{bounds}")).await?, "content"),
            ["Post 3", "Post 2", "Post 1"]
        );
        // The first post, approved and called off, leaves rows in the history.
        for n in 0..2 {
            let post = ann.approved_on_x(&format!("Reserved {n}"), 3_000).await?;
            ann.browser.post(&format!("/api/posts/{post}/cancel"), None).await?.expect(200)?;
        }
        let newest_first = told(&pages(&ann.browser, "/api/quota/history?limit=2").await?, "id");
        assert!(newest_first.len() > 4);
        assert_eq!(told(&pages(&ann.browser, "/api/quota/history?limit=2&order=desc").await?, "id"), newest_first);
        let mut oldest_first = told(&pages(&ann.browser, "/api/quota/history?limit=2&order=asc").await?, "id");
        oldest_first.reverse();
        assert_eq!(oldest_first, newest_first);

        for (list, order, other) in [
            ("/api/posts", "desc", "asc"),
            ("/api/posts", "asc", "desc"),
            ("/api/quota/history", "asc", "desc"),
            ("/api/connections", "desc", "asc"),
        ] {
            let first = ann.browser.get(&format!("{list}?limit=1&order={order}")).await?.expect(200)?;
            let cursor = first.str("/next_cursor")?;
            let turned = ann.browser.get(&format!("{list}?limit=1&order={other}&cursor={cursor}")).await?.expect(400)?;
            assert_eq!(turned.json["code"], "invalid_cursor", "{list}");
            let same = ann.browser.get(&format!("{list}?limit=1&order={order}&cursor={cursor}")).await?.expect(200)?;
            let silent = ann.browser.get(&format!("{list}?limit=1&cursor={cursor}")).await?.expect(200)?;
            assert_eq!(same.json, silent.json, "{list}");
        }
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_list_has_the_same_limits_and_refusals() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412345772", "starter", "ann").await?;
        for list in ["/api/posts", "/api/quota/history", "/api/analytics/cycles", "/api/connections", "/api/sessions"] {
            for good in ["limit=1", "limit=100", "order=asc", "order=desc"] {
                ann.browser.get(&format!("{list}?{good}")).await?.expect(200)?;
            }
            for bad in ["limit=0", "limit=101", "limit=-1", "limit=x", "order=up", "order=", "surprise=1"] {
                let refused = ann.browser.get(&format!("{list}?{bad}")).await?.expect(400)?;
                assert_eq!(refused.json["code"], "malformed_request", "{list}?{bad}");
            }
            for bad in ["cursor=", "cursor=AAAA", "cursor=!"] {
                let refused = ann.browser.get(&format!("{list}?{bad}")).await?.expect(400)?;
                assert_eq!(refused.json["code"], "invalid_cursor", "{list}?{bad}");
            }
        }
        for bad in ["status=", "status=failed,", "status=failed,nothing"] {
            ann.browser.get(&format!("/api/posts?{bad}")).await?.expect(400)?;
        }
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_page_says_what_needs_its_owner_and_whether_all_was_counted() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412345773", "starter", "ann").await?;
        let nothing = json!({ "needs_review": 0, "unknown": 0, "held": 0, "failed": 0, "missed": 0, "reconnect": 0, "partial": false });
        assert_eq!(ann.browser.get("/api/user/status").await?.expect(200)?.json["attention"], nothing);
        let (user, store) = (user_of(&ann).await?, store(stage));
        let code = domain::failure::FailureCode::ReportedMissing;
        let posts = [
            post(&user, 1, "Failed", State::Failed { code }),
            post(&user, 2, "Missed", State::Missed { code }),
            post(&user, 3, "Missed, too", State::Missed { code }),
            post(&user, 4, "Called off", State::Cancelled),
            post(&user, 5, "A draft", State::Draft),
        ];
        store_all(&store, &posts).await?;
        ann.browser.delete(&format!("/api/connections/{}", ann.x)).await?.expect(204)?;
        let told = ann.browser.get("/api/user/status").await?.expect(200)?.json["attention"].clone();
        assert_eq!((&told["failed"], &told["missed"], &told["held"], &told["partial"]), (&json!(1), &json!(2), &json!(0), &json!(false)));
        // Those that are due last are looked at first.
        let some = store.count_posts(&user, &[Status::Failed, Status::Missed], 3).await?;
        assert_eq!((some.of(Status::Missed), some.of(Status::Failed), some.partial), (1, 0, true));
        let all = store.count_posts(&user, &[Status::Failed, Status::Missed], 6).await?;
        assert_eq!((all.of(Status::Missed), all.of(Status::Failed), all.partial), (2, 1, false));
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn long_texts_are_told_page_by_page_and_file_by_file_however_they_are_escaped() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412345774", "starter", "ann").await?;
        let user = user_of(&ann).await?;
        for (round, letter) in ["\"", "\\"].into_iter().enumerate() {
            let at = |n: i64| 1_000 * i64::try_from(round).unwrap_or_default() + n;
            let posts: Vec<_> = (0..70).map(|n| post(&user, at(n), &letter.repeat(63_000), State::Draft)).collect();
            for one in &posts {
                anyhow::ensure!(store(stage).create_posts(std::slice::from_ref(one), "a test").await?);
            }
        }
        let listed = pages(&ann.browser, "/api/posts?limit=100").await?;
        assert_eq!(told(&listed, "id").len(), 140);
        assert!(
            listed.iter().all(|page| !items(page).is_empty() && page.text.len() <= 4_100_000),
            "{:?}",
            listed.iter().map(|page| page.text.len()).collect::<Vec<_>>()
        );

        let (mut address, mut rows) = ("/api/export/posts.csv".to_owned(), 0);
        for _ in 0..50 {
            let file = ann.browser.request(Method::GET, &address, &[], None).await?.expect(200)?;
            assert!(file.text.len() <= 4_100_000 && file.text.starts_with("\"id\""), "{}", file.text.len());
            rows += file.text.lines().count() - 1;
            let link = file.headers.get("link").and_then(|link| link.to_str().ok()).map(str::to_owned);
            let Some(link) = link else { break };
            address = link.trim_start_matches('<').split('>').next().unwrap_or_default().to_owned();
        }
        assert_eq!(rows, 140, "each post is a row of one file");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_text_for_many_targets_is_refused_before_anything_is_made() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412345775", "starter", "ann").await?;
        let pages = try_join_all((0..20).map(|n| connected(stage, &ann, n))).await?;
        let targets: Vec<_> = pages.iter().map(|page| json!({ "connection_id": page })).collect();
        let body = json!({ "content": "\u{3042}".repeat(63_000), "targets": targets, "scheduled_for": ahead() });
        let refused = ann.browser.post("/api/posts", Some(&body)).await?.expect(413)?;
        assert_eq!(refused.json["code"], "payload_too_large");
        assert!(items(&ann.browser.get("/api/posts").await?.expect(200)?).is_empty());
        Ok(())
    })
    .await
}

fn connection(user: &UserId, account: &str) -> Connection {
    let (random, now) = (Random::system(), ahead());
    let scopes = ["pages_manage_posts".to_owned()].to_vec();
    let tokens = TokenSet { scopes, ..TokenSet::bare("a".to_owned().into()) };
    let grant = Grant::new(PlatformName::Facebook, (account.to_owned(), account.to_owned()), AccountKind::Page, &tokens, &[]);
    let (id, secret) = (ConnectionId::new(now, random.bytes()), ("secret".into(), "version".into()));
    Connection::connected(id, user.clone(), grant, secret, GrantLife::unwatched(now), now)
}

/// A Page that is connected as far as the tables know.
async fn connected(stage: &Stage, person: &Person, number: usize) -> anyhow::Result<String> {
    let connection = connection(&user_of(person).await?, &format!("20000000000{number:04}"));
    let made = store(stage).create_connection(&connection, false, 100, connection.id.as_str()).await?;
    anyhow::ensure!(made == ConnectionMade::Done, "{made:?}");
    Ok(connection.id.to_string())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_twenty_connections_at_once_no_more_are_made_than_there_is_room_for() -> Outcome {
    play(async |stage| {
        let (ann, store) = (stage.person("+61412345776", "starter", "ann").await?, store(stage));
        let user = user_of(&ann).await?;
        // Two stand already.
        let all: Vec<_> = (0..20).map(|n| connection(&user, &format!("account-{n}"))).collect();
        let rush = try_join_all(all.iter().map(|one| store.create_connection(one, false, 12, one.id.as_str()))).await?;
        let made = rush.iter().filter(|made| **made == ConnectionMade::Done).count();
        let refused = rush.iter().filter(|made| **made == ConnectionMade::TooMany).count();
        assert_eq!((made, refused, store.connections(&user).await?.len()), (10, 10, 12));
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_drafts_are_kept_and_one_that_is_gone_makes_room() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412345777", "starter", "ann").await?;
        let (user, store) = (user_of(&ann).await?, store(stage));
        let posts: Vec<_> =
            (0..DRAFTS_MAX - 3).map(|n| post(&user, i64::try_from(n).unwrap_or_default(), "A draft", State::Draft)).collect();
        store_all(&store, &posts).await?;
        let write = async || {
            let body = json!({ "content": "One more", "targets": [{ "connection_id": ann.x }], "scheduled_for": ahead() });
            ann.browser.post("/api/posts", Some(&body)).await
        };
        let rush = try_join_all((0..10).map(|_| write())).await?;
        let made: Vec<_> = rush.iter().filter(|reply| reply.status == 201).collect();
        let refused = rush.iter().filter(|reply| reply.status == 409 && reply.json["code"] == "state_conflict").count();
        assert_eq!((made.len(), refused), (3, 7));
        assert_eq!(store.drafts(&user).await?, DRAFTS_MAX);
        // Deleted, approved and called off: each makes room for one.
        let ids: Vec<_> = made.iter().map(|reply| reply.str("/items/0/id")).collect::<Result<_, _>>()?;
        ann.browser.delete(&format!("/api/posts/{}", ids[0])).await?.expect(204)?;
        ann.browser.approve(&ids[1]).await?;
        ann.browser.post(&format!("/api/posts/{}/cancel", ids[2]), None).await?.expect(200)?;
        for _ in 0..3 {
            write().await?.expect(201)?;
        }
        write().await?.expect(409)?;
        assert_eq!(store.drafts(&user).await?, DRAFTS_MAX);
        let drafts = Filter { statuses: vec![Status::Draft], ..Filter::default() };
        let first = store.posts(&user, &drafts, 100, Start::first(Order::Desc)).await?;
        assert_eq!(first.items.len(), 100);
        Ok(())
    })
    .await
}
