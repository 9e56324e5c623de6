//! Secrets Manager: versions by the client's token, `AWSCURRENT` and `AWSPREVIOUS`.
//!
//! Deleting is at once and for good; the recovery window and stages of one's own are left out. Source: Secrets Manager API reference.

use jiff::Timestamp;
use rusqlite::{OptionalExtension, Transaction, params};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{ACCOUNT, REGION};
use crate::wire::{Refusal, from_json, to_json, unknown_operation};

/// The most bytes that a secret may have.
const SECRET_BYTES_MAX: usize = 65_536;
/// The most characters of a secret's name.
const NAME_CHARS_MAX: usize = 512;
/// How many secrets one page of a list holds.
const PAGE_MAX: usize = 100;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Write {
    /// `CreateSecret` says `Name`, `PutSecretValue` says `SecretId`.
    #[serde(alias = "SecretId")]
    name: String,
    client_request_token: String,
    secret_string: SecretText,
    version_stages: Option<Vec<String>>,
}

/// A secret on its way into the file; it has no `Debug`.
#[derive(Deserialize)]
struct SecretText(String);

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Read {
    secret_id: String,
    version_id: Option<String>,
    version_stage: Option<String>,
    #[serde(default)]
    force_delete_without_recovery: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct List {
    max_results: Option<usize>,
    next_token: Option<String>,
}

pub(crate) fn serve(tx: &Transaction<'_>, operation: &str, body: &[u8], now: Timestamp) -> Result<String, Refusal> {
    match operation {
        "CreateSecret" => create(tx, &from_json(body)?, now),
        "PutSecretValue" => put(tx, &from_json(body)?, now),
        "GetSecretValue" => get(tx, &from_json(body)?),
        "DescribeSecret" => describe(tx, &from_json(body)?),
        "DeleteSecret" => delete(tx, &from_json(body)?, now),
        "ListSecrets" => list(tx, &from_json(body)?),
        _ => Err(unknown_operation(operation)),
    }
}

/// Makes `value` the current one, unless it is.
pub(crate) fn set_current(tx: &Transaction<'_>, name: &str, value: &SecretString, now: Timestamp) -> Result<(), Refusal> {
    let sql = "SELECT value FROM secret_versions WHERE name = ?1 AND stage = 'AWSCURRENT'";
    let current: Option<String> = tx.query_row(sql, [name], |row| row.get(0)).optional()?;
    if current.as_deref() == Some(value.expose_secret()) {
        return Ok(());
    }
    let versions: i64 = tx.query_row("SELECT COUNT(*) FROM secret_versions WHERE name = ?1", [name], |row| row.get(0))?;
    let version = format!("operator-{:023}", versions + 1);
    add_version(tx, name, &version, value.expose_secret(), now)
}

/// Whether the version that a read names was written after `since`.
pub(crate) fn is_younger(tx: &Transaction<'_>, read: &[u8], since: Timestamp) -> Result<bool, Refusal> {
    let read: Read = from_json(read)?;
    let sql = "SELECT created_ms FROM secret_versions WHERE name = ?1 AND version = ?2";
    let created: Option<i64> = tx.query_row(sql, params![name_of(&read.secret_id), read.version_id], |row| row.get(0)).optional()?;
    Ok(created.is_some_and(|created| created > since.as_millisecond()))
}

/// Every name there is.
pub(crate) fn names(tx: &Transaction<'_>) -> Result<Vec<String>, Refusal> {
    let mut statement = tx.prepare_cached("SELECT DISTINCT name FROM secret_versions ORDER BY name")?;
    let rows = statement.query_map([], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn create(tx: &Transaction<'_>, request: &Write, now: Timestamp) -> Result<String, Refusal> {
    let Write { name, client_request_token: version, secret_string: SecretText(value), .. } = request;
    is_sound(request)?;
    if exists(tx, name)? {
        let same = stored(tx, name, version)?.as_ref() == Some(value);
        return if same { Ok(written(name, version)) } else { Err(taken("The secret already exists.")) };
    }
    add_version(tx, name, version, value, now)?;
    Ok(written(name, version))
}

fn put(tx: &Transaction<'_>, request: &Write, now: Timestamp) -> Result<String, Refusal> {
    let (name, version, SecretText(value)) = (name_of(&request.name), &request.client_request_token, &request.secret_string);
    is_sound(request)?;
    if request.version_stages.as_ref().is_some_and(|stages| stages != &["AWSCURRENT"]) {
        return Err(invalid("Only AWSCURRENT can be set on this machine."));
    }
    if !exists(tx, name)? {
        return Err(unknown());
    }
    match stored(tx, name, version)? {
        Some(known) if &known == value => {}
        Some(_) => return Err(taken("A version with this token and another value exists.")),
        None => add_version(tx, name, version, value, now)?,
    }
    Ok(written(name, version))
}

fn get(tx: &Transaction<'_>, request: &Read) -> Result<String, Refusal> {
    let name = name_of(&request.secret_id);
    let stage = match (&request.version_id, &request.version_stage) {
        (None, None) => Some("AWSCURRENT"),
        (_, stage) => stage.as_deref(),
    };
    let sql = "SELECT version, value, stage, created_ms FROM secret_versions
               WHERE name = ?1 AND (?2 IS NULL OR version = ?2) AND (?3 IS NULL OR stage = ?3)";
    let found = tx.query_row(sql, params![name, request.version_id, stage], |row| {
        let stage: Option<String> = row.get(2)?;
        Ok(json!({
            "ARN": arn(name), "Name": name, "VersionId": row.get::<_, String>(0)?, "SecretString": row.get::<_, String>(1)?,
            "VersionStages": stage.into_iter().collect::<Vec<_>>(), "CreatedDate": row.get::<_, i64>(3)? / 1000,
        }))
    });
    found.optional()?.map(|answer| to_json(&answer)).ok_or_else(unknown)
}

fn describe(tx: &Transaction<'_>, request: &Read) -> Result<String, Refusal> {
    let name = name_of(&request.secret_id);
    let mut statement = tx.prepare_cached("SELECT version, stage FROM secret_versions WHERE name = ?1")?;
    let rows = statement.query_map([name], |row| Ok((row.get::<_, String>(0)?, row.get::<_, Option<String>>(1)?)))?;
    let versions = rows.map(|row| row.map(|(version, stage)| (version, json!(stage.into_iter().collect::<Vec<_>>()))));
    let versions: serde_json::Map<String, Value> = versions.collect::<Result<_, _>>()?;
    if versions.is_empty() {
        return Err(unknown());
    }
    Ok(to_json(&json!({ "ARN": arn(name), "Name": name, "VersionIdsToStages": versions })))
}

/// An unknown secret is no error, as with the service.
fn delete(tx: &Transaction<'_>, request: &Read, now: Timestamp) -> Result<String, Refusal> {
    let name = name_of(&request.secret_id);
    if !request.force_delete_without_recovery {
        return Err(invalid("Secrets are deleted without recovery on this machine."));
    }
    tx.execute("DELETE FROM secret_versions WHERE name = ?1", [name])?;
    Ok(to_json(&json!({ "ARN": arn(name), "Name": name, "DeletionDate": now.as_second() })))
}

fn list(tx: &Transaction<'_>, request: &List) -> Result<String, Refusal> {
    let size = request.max_results.unwrap_or(PAGE_MAX).clamp(1, PAGE_MAX);
    let sql = "SELECT DISTINCT name FROM secret_versions WHERE name > ?1 ORDER BY name LIMIT ?2";
    let mut statement = tx.prepare_cached(sql)?;
    let limit = i64::try_from(size).unwrap_or(1) + 1;
    let rows = statement.query_map(params![request.next_token.as_deref().unwrap_or_default(), limit], |row| row.get(0))?;
    let mut names: Vec<String> = rows.collect::<Result<_, _>>()?;
    let more = names.len() > size;
    names.truncate(size);
    let secrets: Vec<Value> = names.iter().map(|name| json!({ "ARN": arn(name), "Name": name })).collect();
    Ok(to_json(&json!({ "SecretList": secrets, "NextToken": names.last().filter(|_| more) })))
}

/// The new version is the current one, the current one the previous, and the previous has no stage any more.
fn add_version(tx: &Transaction<'_>, name: &str, version: &str, value: &str, now: Timestamp) -> Result<(), Refusal> {
    tx.execute("UPDATE secret_versions SET stage = NULL WHERE name = ?1 AND stage = 'AWSPREVIOUS'", [name])?;
    tx.execute("UPDATE secret_versions SET stage = 'AWSPREVIOUS' WHERE name = ?1 AND stage = 'AWSCURRENT'", [name])?;
    let sql = "INSERT INTO secret_versions (name, version, value, stage, created_ms) VALUES (?1, ?2, ?3, 'AWSCURRENT', ?4)";
    tx.execute(sql, params![name, version, value, now.as_millisecond()])?;
    Ok(())
}

fn exists(tx: &Transaction<'_>, name: &str) -> Result<bool, Refusal> {
    Ok(tx.query_row("SELECT EXISTS (SELECT 1 FROM secret_versions WHERE name = ?1)", [name], |row| row.get(0))?)
}

fn stored(tx: &Transaction<'_>, name: &str, version: &str) -> Result<Option<String>, Refusal> {
    let sql = "SELECT value FROM secret_versions WHERE name = ?1 AND version = ?2";
    Ok(tx.query_row(sql, [name, version], |row| row.get(0)).optional()?)
}

fn is_sound(request: &Write) -> Result<(), Refusal> {
    let name = name_of(&request.name);
    let letters = |byte: u8| byte.is_ascii_alphanumeric() || b"/_+=.@-".contains(&byte);
    if !(1..=NAME_CHARS_MAX).contains(&name.len()) || !name.bytes().all(letters) {
        return Err(invalid("Invalid name."));
    }
    if !(32..=64).contains(&request.client_request_token.len()) {
        return Err(invalid("ClientRequestToken must be 32 to 64 characters."));
    }
    let bytes = request.secret_string.0.len();
    if bytes == 0 || bytes > SECRET_BYTES_MAX { Err(invalid("SecretString must be 1 to 65536 bytes.")) } else { Ok(()) }
}

/// A secret is named by its name or its resource name.
fn name_of(id: &str) -> &str {
    id.strip_prefix(arn("").as_str()).unwrap_or(id)
}

fn arn(name: &str) -> String {
    format!("arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{name}")
}

fn written(name: &str, version: &str) -> String {
    to_json(&json!({ "ARN": arn(name), "Name": name, "VersionId": version, "VersionStages": ["AWSCURRENT"] }))
}

fn invalid(message: &str) -> Refusal {
    Refusal::new("InvalidParameterException", message)
}

fn taken(message: &str) -> Refusal {
    Refusal::new("ResourceExistsException", message)
}

pub(crate) fn unknown() -> Refusal {
    Refusal::new("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
}

/// Every version of every secret.
pub(crate) fn all(tx: &Transaction<'_>) -> Result<Vec<(String, String, String)>, Refusal> {
    let mut statement = tx.prepare_cached("SELECT name, version, value FROM secret_versions ORDER BY name, version")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}
