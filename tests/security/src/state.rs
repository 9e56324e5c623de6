//! All that is kept, so that before and after can be compared.

use std::collections::BTreeMap;

use anyhow::Context;
use aws_sdk_dynamodb::types::AttributeValue;
use data_encoding::BASE64;
use domain::platform::PlatformName;
use journeys::Stage;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};

use crate::wire::Request;

/// More pages than a test fills.
const PAGES_MAX: usize = 100;
/// What lies beside the tables: each with the columns that name a row. Times of the engine's own are not compared.
const BESIDE: [(&str, &str); 4] = [
    ("messages", "SELECT id, queue, body, group_id FROM messages"),
    ("schedules", "SELECT grp, name, queue, at_ms, input, request FROM schedules"),
    ("secret_versions", "SELECT name, version, stage, value FROM secret_versions"),
    ("texts", "SELECT id, phone, body FROM texts"),
];

/// Where the nightly audit notes how far it has come: it runs when its time has come, whoever calls meanwhile.
const AUDIT: &str = " AUDIT AUDIT";

/// A picture of tables, queue, schedules, vault and text messages: what is kept by where it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct State(BTreeMap<String, String>);

impl State {
    /// Looks at everything.
    pub async fn read(stage: &Stage) -> anyhow::Result<Self> {
        let mut kept = BTreeMap::new();
        let client = aws_sdk_dynamodb::Client::new(&stage.service().aws().sdk_config());
        for table in client.list_tables().send().await?.table_names() {
            read_table(&client, table, &mut kept).await?;
        }
        for what in ["posts", "calls"] {
            for (platform, held) in on_platforms(stage, what).await? {
                kept.insert(format!("sim {platform} {what}"), held);
            }
        }
        let connection = Connection::open_with_flags(stage.data_dir().join("aws.sqlite"), OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        for (name, sql) in BESIDE {
            read_rows(&connection, name, sql, &mut kept)?;
        }
        Ok(Self(kept))
    }

    /// What differs in `later`, a line each, except where a place contains one of `ignored`.
    pub fn differences(&self, later: &Self, ignored: &[&str]) -> Vec<String> {
        let places: std::collections::BTreeSet<_> = self.0.keys().chain(later.0.keys()).collect();
        let changed = places.into_iter().filter(|place| !place.ends_with(AUDIT) && self.0.get(*place) != later.0.get(*place));
        let told = changed.filter(|place| !ignored.iter().any(|part| place.contains(part)));
        told.map(|place| format!("{place}: {:?} -> {:?}", self.0.get(place), later.0.get(place))).collect()
    }

    /// Every place and what is kept there.
    pub fn kept(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(place, kept)| (place.as_str(), kept.as_str()))
    }

    /// How many places contain `part` in their name.
    pub fn count(&self, part: &str) -> usize {
        self.0.keys().filter(|place| place.contains(part)).count()
    }
}

/// What the simulated platforms tell.
async fn on_platforms(stage: &Stage, what: &str) -> anyhow::Result<Vec<(&'static str, String)>> {
    let mut told = Vec::new();
    for platform in PlatformName::ALL.map(PlatformName::as_str) {
        let held = Request::new("GET", &format!("/_sim/{platform}/{what}")).send(stage.service().base_url()).await?.expect(200)?;
        told.push((platform, held.text));
    }
    Ok(told)
}

/// Looks at everything after each step, and in detail only where something was written.
pub struct Watch {
    files: Vec<Connection>,
    seen: (Vec<i64>, Vec<(&'static str, String)>),
    state: State,
}

impl Watch {
    /// Begins with what is kept now.
    pub async fn begin(stage: &Stage) -> anyhow::Result<Self> {
        let names = ["dynamodb.sqlite", "aws.sqlite", "simulator.sqlite3"];
        let open = |name: &str| Connection::open_with_flags(stage.data_dir().join(name), OpenFlags::SQLITE_OPEN_READ_ONLY);
        let files = names.into_iter().map(open).collect::<Result<Vec<_>, _>>()?;
        let seen = (versions(&files)?, on_platforms(stage, "calls").await?);
        Ok(Self { files, seen, state: State::read(stage).await? })
    }

    /// What differs from the last look, as [`State::differences`] tells it.
    pub async fn differences(&mut self, stage: &Stage, ignored: &[&str]) -> anyhow::Result<Vec<String>> {
        let seen = (versions(&self.files)?, on_platforms(stage, "calls").await?);
        if seen == self.seen {
            return Ok(Vec::new());
        }
        let now = State::read(stage).await?;
        let differences = self.state.differences(&now, ignored);
        (self.seen, self.state) = (seen, now);
        Ok(differences)
    }
}

/// A number for each file that changes with every write of anybody else.
fn versions(files: &[Connection]) -> rusqlite::Result<Vec<i64>> {
    files.iter().map(|file| file.query_row("PRAGMA data_version", [], |row| row.get(0))).collect()
}

async fn read_table(client: &aws_sdk_dynamodb::Client, table: &str, kept: &mut BTreeMap<String, String>) -> anyhow::Result<()> {
    let mut start = None;
    for _ in 0..PAGES_MAX {
        let page = client.scan().table_name(table).consistent_read(true).set_exclusive_start_key(start).send().await?;
        for item in page.items() {
            let key = |name: &str| item.get(name).and_then(|value| value.as_s().ok()).cloned().context("an item without a key");
            kept.insert(format!("{table} {} {}", key("pk")?, key("sk")?), written_map(item));
        }
        start = page.last_evaluated_key;
        if start.is_none() {
            return Ok(());
        }
    }
    anyhow::bail!("{table} has more than {PAGES_MAX} pages")
}

/// One spelling for one value: maps in the order of their names.
fn written_map(map: &std::collections::HashMap<String, AttributeValue>) -> String {
    let ordered: BTreeMap<_, _> = map.iter().collect();
    ordered.into_iter().map(|(name, value)| format!("{name}={}", written(value))).collect::<Vec<_>>().join("; ")
}

fn written(value: &AttributeValue) -> String {
    match value {
        AttributeValue::S(text) | AttributeValue::N(text) => text.clone(),
        AttributeValue::B(bytes) => BASE64.encode(bytes.as_ref()),
        AttributeValue::M(map) => format!("{{{}}}", written_map(map)),
        AttributeValue::L(list) => format!("[{}]", list.iter().map(written).collect::<Vec<_>>().join(", ")),
        other => format!("{other:?}"),
    }
}

fn read_rows(connection: &Connection, name: &str, sql: &str, kept: &mut BTreeMap<String, String>) -> anyhow::Result<()> {
    let mut statement = connection.prepare(sql)?;
    let columns = statement.column_count();
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let cells = (0..columns).map(|column| Ok(cell(row.get_ref(column)?))).collect::<rusqlite::Result<Vec<_>>>()?;
        kept.insert(format!("{name} {}", cells[..2].join(" ")), cells[2..].join(" | "));
    }
    Ok(())
}

fn cell(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => "NULL".to_owned(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) => number.to_string(),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => String::from_utf8_lossy(bytes).into_owned(),
    }
}
