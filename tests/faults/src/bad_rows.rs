//! Rows that cannot be read, beside everybody else's: whatever a job finds of them, it does the rest of its work.
//!
//! All but a connection of the first person's belong to a person who takes part in no story. Those of an index stand in the same shard as the
//! rows of the first person, before them.

use domain::content::Content;
use domain::failure::FailureCode;
use domain::id::{ConnectionId, GroupId, PostId, UserId};
use domain::ledger::Actor;
use domain::platform::PlatformName;
use domain::post::{Draft, Event, Post, State};
use jiff::{SignedDuration, Timestamp};
use local::variables::tables;
use serde_json::{Value, json};
use store::Store;

use crate::check::field;
use crate::world::World;

/// Every one of them has an attribute of this name.
const MARK: &str = "spoilt";
/// How many there are.
const ROWS: usize = 8;
/// How long before the begin of a run whatever is asked for of them was due.
const SINCE: SignedDuration = SignedDuration::from_hours(3);
/// How many of them a sweep leaves undone: the post, and both notes of waiting posts. The note of a secret is told of and put behind the others.
pub(crate) const OF_A_SWEEP: usize = 3;
/// How many the cycle job, a reading of numbers, or a look after grants leaves undone.
pub(crate) const OF_A_JOB: usize = 1;

/// Whether a row is one of them.
pub(crate) fn is_one(row: &Value) -> bool {
    row.get(MARK).is_some()
}

/// Whether a row's text is one of theirs.
pub(crate) fn is_told(json: &str) -> bool {
    json.contains(MARK)
}

/// An index gives them before all that is later than this.
pub(crate) fn before(began: Timestamp) -> String {
    format!("{:.3}", began - SINCE + SignedDuration::from_hours(2))
}

/// L12: what nothing has disturbed leaves undone what it cannot read, and nothing else. `failed`: what it counted; `None`: it gave up.
pub(crate) fn left(world: &World, job: &str, failed: Option<usize>, unreadable: usize) {
    let unreadable = if world.bad_rows { unreadable } else { 0 };
    if world.injector.hits().is_empty() && failed != Some(unreadable) {
        world.injector.violation(format!("L12: {job} left {failed:?} undone, where it cannot read {unreadable} rows"));
    }
}

/// An id like `id`, with the same last letter: an index has both in one shard.
fn beside(id: &str) -> String {
    let (first, rest) = id.split_at(12);
    format!("{first}{}{}", if rest.starts_with('0') { '1' } else { '0' }, &rest[1..])
}

/// Whose the rows are, and which post.
pub(crate) fn whose(world: &World) -> anyhow::Result<(UserId, PostId)> {
    let posts = world.posts.borrow();
    let post = posts[0]["id"].as_str().unwrap_or_default();
    Ok((UserId::parse(&beside(world.people[0].user.as_str()))?, PostId::parse(&beside(post))?))
}

/// Puts them in.
pub(crate) async fn put(world: &World, store: &Store) -> anyhow::Result<()> {
    let (user, post) = whose(world)?;
    let since = world.began - SINCE;
    let at = format!("{since:.3}");
    anyhow::ensure!(store.create_posts(&[held(&user, &post, since)], "a run's beginning").await?, "the stranger has too many drafts");
    let names = tables();
    let pk = format!("USER#{user}");
    let mut spoilt_post = one(world, &names.posts, &pk, &format!("POST#{post}"))?;
    spoilt_post["due_at"] = json!({ "S": "never" });
    let of_first = format!("USER#{}", world.people[0].user);
    let mut cycle = one(world, &names.ledger, &of_first, "CYCLE#")?;
    for name in ["pk", "user_id"] {
        let of_them = field(&cycle, name).replace(world.people[0].user.as_str(), user.as_str());
        cycle[name] = json!({ "S": of_them });
    }
    cycle["granted"] = json!({ "S": "many" });
    let shard = usize::from(post.as_str().bytes().last().unwrap_or_default()) % Store::sync_shards(0).count();
    let rows = [
        (&names.posts, spoilt_post),
        (&names.ledger, cycle),
        (&names.users, json!({ "pk": { "S": pk }, "sk": { "S": "PROFILE" } })),
        (
            &names.users,
            json!({
                "pk": { "S": of_first }, "sk": { "S": format!("CONNECTION#{}", ConnectionId::new(since, [0; 10])) },
                "renew_pk": { "S": "RENEW#0" }, "renew_at": { "S": at },
            }),
        ),
        (&names.users, note(&user, &json!({ "user_id": { "S": user.as_str() }, "mark": { "S": "mark" }, "at": { "S": at } }))),
        (&names.users, note(&UserId::new(since, [0; 10]), &json!({}))),
        (&names.sessions, json!({ "pk": { "S": "LEFTOVERS" }, "sk": { "S": format!("{at}#{user}") } })),
        (
            &names.posts,
            json!({
                "pk": { "S": pk }, "sk": { "S": format!("METRICS#{at}#{post}") }, "sync_pk": { "S": format!("SYNC#{shard}") },
                "sync_at": { "S": at }, "platform": { "S": "x" }, "connection_id": { "S": world.connections[0].id.as_str() },
            }),
        ),
    ];
    for (table, mut row) in rows {
        row[MARK] = json!({ "BOOL": true });
        world.aws.tables("PutItem", &json!({ "TableName": table, "Item": row }))?;
    }
    Ok(())
}

/// S29: none of them is lost by being unreadable.
pub(crate) fn check(world: &World) -> anyhow::Result<()> {
    if !world.bad_rows {
        return Ok(());
    }
    let names = tables();
    let mut there = 0;
    for table in [&names.users, &names.posts, &names.ledger, &names.sessions] {
        there += rows(world, table)?.iter().filter(|row| is_one(row)).count();
    }
    if there != ROWS {
        world.injector.violation(format!("S29: of {ROWS} rows that cannot be read {there} are left"));
    }
    Ok(())
}

fn rows(world: &World, table: &str) -> anyhow::Result<Vec<Value>> {
    let scanned = world.aws.tables("Scan", &json!({ "TableName": table, "ConsistentRead": true }))?;
    Ok(scanned["Items"].as_array().cloned().unwrap_or_default())
}

fn one(world: &World, table: &str, pk: &str, sk: &str) -> anyhow::Result<Value> {
    let is_it = |row: &Value| field(row, "pk") == pk && field(row, "sk").starts_with(sk);
    rows(world, table)?.into_iter().find(is_it).ok_or_else(|| anyhow::anyhow!("no {sk} of {pk}"))
}

fn note(user: &UserId, says: &Value) -> Value {
    let mut note = json!({ "pk": { "S": "RETURNS" }, "sk": { "S": format!("RETURN#{user}") } });
    for (name, value) in says.as_object().into_iter().flatten() {
        note[name] = value.clone();
    }
    note
}

/// A post that wants to be looked at: held, and its last moment passed.
fn held(user: &UserId, id: &PostId, due_at: Timestamp) -> (Post, Content, Event) {
    let content = Content { text: "Of a stranger".into(), ai_recommendation: None };
    let draft = Draft {
        id: id.clone(),
        user_id: user.clone(),
        group_id: GroupId::new(due_at, [0; 10]),
        connection_id: ConnectionId::new(due_at, [0; 10]),
        platform: PlatformName::X,
        content_hash: content.hash(),
        due_at,
        latest_at: due_at + SignedDuration::from_hours(1),
        time_zone: None,
        local_time: None,
        lead: jiff::SignedDuration::ZERO,
    };
    let post = Post { state: State::Held { code: FailureCode::ConnectionGone }, ..Post::draft(draft, due_at) };
    let event = Event { at: due_at, from: None, to: post.status(), actor: Actor::User, note: "written".into() };
    (post, content, event)
}
