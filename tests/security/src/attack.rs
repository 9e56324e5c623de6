//! One row of an attack table, and what every refusal has to be.

use anyhow::{Context, ensure};

use crate::scene::{Scene, Who};
use crate::state::Watch;
use crate::wire::{Answer, Request};

/// What stands in everything that an attacker makes up: no answer may hold it.
pub const MARK: &str = "evil";

/// The headers that every answer of ours carries.
const ALWAYS: [(&str, &str); 5] = [
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("strict-transport-security", "max-age=63072000; includeSubDomains"),
    ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
    ("cache-control", "no-store"),
];

/// What an attack must meet.
#[derive(Debug, Clone)]
enum Expected {
    /// A problem of ours with this status and code.
    Problem(u16, &'static str),
    /// Not found, or not readable: which of the two is all the same.
    NoSuchAddress,
    /// A redirect to the frontend that ends like this.
    Redirect(&'static str),
    /// A status without a body: the answer to a HEAD.
    Bare(u16),
    /// It does no harm, and is answered as if the odd part were not there.
    Harmless(u16),
}

/// An attack: who sends what, and what comes of it.
#[derive(Debug, Clone)]
pub struct Attack {
    what: String,
    by: Who,
    method: String,
    target: String,
    changes: Vec<Change>,
    body: Option<Vec<u8>>,
    expected: Expected,
    field: Option<&'static str>,
    may_change: &'static [&'static str],
}

#[derive(Debug, Clone)]
enum Change {
    With(&'static str, String),
    And(&'static str, String),
    Without(&'static str),
}

/// An attack called `what`: a request to `target`, in which `{name}` stands for a thing of the scene.
pub fn attack(what: impl Into<String>, by: Who, method: impl Into<String>, target: impl Into<String>) -> Attack {
    Attack {
        what: what.into(),
        by,
        method: method.into(),
        target: target.into(),
        changes: Vec::new(),
        body: None,
        expected: Expected::NoSuchAddress,
        field: None,
        may_change: &[],
    }
}

impl Attack {
    /// With this header instead of the browser's.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.changes.push(Change::With(name, value.into()));
        self
    }

    /// With one more header of this name.
    #[must_use]
    pub fn and(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.changes.push(Change::And(name, value.into()));
        self
    }

    /// Without what the browser sends.
    #[must_use]
    pub fn without(mut self, name: &'static str) -> Self {
        self.changes.push(Change::Without(name));
        self
    }

    /// With this text as JSON, in which `{name}` stands for a thing of the scene.
    #[must_use]
    pub fn json(self, text: impl Into<String>) -> Self {
        let body = text.into().into_bytes();
        Self { body: Some(body), ..self }.with("content-type", "application/json")
    }

    /// With these bytes, whatever they are.
    #[must_use]
    pub fn bytes(self, body: impl Into<Vec<u8>>) -> Self {
        Self { body: Some(body.into()), ..self }
    }

    /// Refused with a problem.
    #[must_use]
    pub fn gets(self, status: u16, code: &'static str) -> Self {
        Self { expected: Expected::Problem(status, code), ..self }
    }

    /// Among the fields at fault is one with this code.
    #[must_use]
    pub fn naming(self, code: &'static str) -> Self {
        Self { field: Some(code), ..self }
    }

    /// Sent to the frontend with this at the end of the address.
    #[must_use]
    pub fn is_sent_to(self, ending: &'static str) -> Self {
        Self { expected: Expected::Redirect(ending), ..self }
    }

    /// Answered with a status alone.
    #[must_use]
    pub fn is_bare(self, status: u16) -> Self {
        Self { expected: Expected::Bare(status), ..self }
    }

    /// Answered as if the odd part were not there.
    #[must_use]
    pub fn is_harmless(self, status: u16) -> Self {
        Self { expected: Expected::Harmless(status), ..self }
    }

    /// What is kept at places with one of these names may change: a counted try, for one.
    #[must_use]
    pub fn may_change(self, places: &'static [&'static str]) -> Self {
        Self { may_change: places, ..self }
    }

    fn request(&self, scene: &Scene<'_>) -> Request {
        let mut request = scene.request(self.by, &self.method, &self.target);
        for change in &self.changes {
            request = match change {
                Change::With(name, value) => request.with(name, &scene.filled(value)),
                Change::And(name, value) => request.and(name, &scene.filled(value)),
                Change::Without(name) => {
                    request.headers.retain(|(known, _)| known != name);
                    request
                }
            };
        }
        let body = self.body.as_ref().map(|body| match std::str::from_utf8(body) {
            Ok(text) => scene.filled(text).into_bytes(),
            Err(_) => body.clone(),
        });
        Request { body, ..request }
    }

    async fn run(&self, scene: &Scene<'_>, watch: &mut Watch) -> anyhow::Result<()> {
        let answer = scene.send(&self.request(scene)).await?;
        let changed = watch.differences(scene.stage, self.may_change).await?;
        self.check(scene, &answer).with_context(|| answer.told())?;
        ensure!(changed.is_empty(), "it changed {changed:#?}");
        Ok(())
    }

    fn check(&self, scene: &Scene<'_>, answer: &Answer) -> anyhow::Result<()> {
        ensure!(!answer.told().to_ascii_lowercase().contains(MARK), "what came in is echoed");
        ensure!(answer.header("set-cookie").is_none(), "a cookie is set");
        match &self.expected {
            Expected::Problem(status, code) => self.is_problem(answer, &[(*status, code)])?,
            Expected::NoSuchAddress if answer.status == 400 && answer.text.is_empty() => return Ok(()), // The server's own parser.
            Expected::NoSuchAddress => self.is_problem(answer, &[(404, "not_found"), (400, "malformed_request")])?,
            Expected::Redirect(ending) => is_sent_to_the_frontend(answer, &scene.filled("{base}"), ending)?,
            Expected::Bare(status) => ensure!(answer.status == *status && answer.text.is_empty(), "expected {status} and no body"),
            Expected::Harmless(status) => ensure!(answer.status == *status, "expected {status}"),
        }
        has_our_headers(answer)
    }

    fn is_problem(&self, answer: &Answer, allowed: &[(u16, &str)]) -> anyhow::Result<()> {
        ensure!(allowed.contains(&(answer.status, answer.code())), "expected {allowed:?}");
        ensure!(answer.header("content-type") == Some("application/problem+json"), "not a problem's content type");
        ensure!(answer.json["status"] == answer.status && answer.json["type"].is_string() && answer.json["title"].is_string());
        let known = ["type", "title", "status", "code", "detail", "errors"];
        let odd = answer.json.as_object().into_iter().flatten().find(|(name, _)| !known.contains(&name.as_str()));
        ensure!(odd.is_none(), "{odd:?} is no part of a problem");
        ensure!(answer.status != 429 && answer.status != 503 || answer.header("retry-after").is_some(), "no Retry-After");
        ensure!(answer.status != 405 || answer.header("allow").is_some(), "no Allow");
        let fields = answer.json["errors"].as_array();
        let named = |code: &str| fields.into_iter().flatten().any(|error| error["code"] == code);
        ensure!(self.field.is_none_or(named), "expected the field's code {:?}", self.field);
        Ok(())
    }
}

/// Whether every answer's headers are there, each once.
pub fn has_our_headers(answer: &Answer) -> anyhow::Result<()> {
    for (name, value) in ALWAYS {
        let found: Vec<_> = answer.headers.iter().filter(|(known, _)| known == name).collect();
        ensure!(found.len() == 1 && found[0].1 == value, "{name}: expected {value}, saw {found:?}");
    }
    Ok(())
}

fn is_sent_to_the_frontend(answer: &Answer, base: &str, ending: &str) -> anyhow::Result<()> {
    ensure!(answer.status == 303, "expected a redirect");
    let location = answer.header("location").context("no Location")?;
    ensure!(location.starts_with(&format!("{base}/")) && location.ends_with(ending), "expected {base}/…{ending}");
    Ok(())
}

/// Runs every row, one after the other, and tells of all that failed. Returns how many there were.
pub async fn run(scene: &Scene<'_>, attacks: &[Attack]) -> anyhow::Result<usize> {
    let mut failed = Vec::new();
    let mut watch = Watch::begin(scene.stage).await?;
    for attack in attacks {
        if let Err(error) = attack.run(scene, &mut watch).await {
            failed.push(format!("{} [{} {}]: {error:#}", attack.what, attack.method, attack.target));
        }
    }
    ensure!(failed.is_empty(), "{} of {} rows failed:\n{}", failed.len(), attacks.len(), failed.join("\n\n"));
    Ok(attacks.len())
}
