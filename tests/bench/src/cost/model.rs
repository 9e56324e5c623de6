//! From counted steps to dollars.

use anyhow::Context;
use domain::analytics::LADDER;

use super::prices::{self, Price};
use crate::calls::{self, Counted, Step};

/// A month of thirty days.
const MONTH_MINUTES: f64 = 30.0 * 24.0 * 60.0;
const MONTH_SECS: f64 = MONTH_MINUTES * 60.0;
/// Of traced invocations beyond one in a second, X-Ray records this share.
const SAMPLED: f64 = 0.05;
/// The template, for what stands in it whether anything happens or not.
const TEMPLATE: &str = include_str!("../../../../template.yaml");
/// Secrets that an operator puts in: the app of each platform, and the payment provider's key.
const OPERATORS_SECRETS: usize = 3;

/// What is charged by use.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Work {
    requests: f64,
    invocations: f64,
    millis: f64,
    read_units: f64,
    write_units: f64,
    secret_calls: f64,
    schedules: f64,
    messages: f64,
    log_bytes: f64,
    traces: f64,
}

impl Work {
    /// What a step calls and reckons.
    fn of(step: &Step) -> Self {
        Self {
            read_units: step.read_units,
            write_units: step.write_units,
            secret_calls: figure(step.calls_of("secretsmanager")),
            messages: figure(step.calls_of("sqs")),
            ..Self::default()
        }
    }

    /// A step that an invocation of its own does, which takes so long.
    fn invoked(step: &Step, millis: f64) -> Self {
        Self { invocations: 1.0, millis, log_bytes: prices::LOG_BYTES.value, ..Self::of(step) }
    }

    /// A step that somebody or some post causes: it is traced.
    fn traced(step: &Step, millis: f64) -> Self {
        Self { traces: 1.0, ..Self::invoked(step, millis) }
    }

    fn asked(step: &Step) -> Self {
        Self { requests: 1.0, ..Self::traced(step, prices::API_MILLIS.value) }
    }

    /// What a wake-up takes beside its step: its message is sent, received and deleted, by whoever that is.
    fn woken(step: &Step, millis: f64) -> Self {
        let work = Self::traced(step, millis);
        Self { messages: work.messages + 2.0, ..work }
    }

    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            requests: self.requests + other.requests,
            invocations: self.invocations + other.invocations,
            millis: self.millis + other.millis,
            read_units: self.read_units + other.read_units,
            write_units: self.write_units + other.write_units,
            secret_calls: self.secret_calls + other.secret_calls,
            schedules: self.schedules + other.schedules,
            messages: self.messages + other.messages,
            log_bytes: self.log_bytes + other.log_bytes,
            traces: self.traces + other.traces,
        }
    }

    pub(super) fn times(self, count: f64) -> Self {
        Self {
            requests: self.requests * count,
            invocations: self.invocations * count,
            millis: self.millis * count,
            read_units: self.read_units * count,
            write_units: self.write_units * count,
            secret_calls: self.secret_calls * count,
            schedules: self.schedules * count,
            messages: self.messages * count,
            log_bytes: self.log_bytes * count,
            traces: self.traces * count,
        }
    }

    /// The dollars of each part, by the price that it has.
    pub(super) fn parts(&self) -> [(Price, f64); 10] {
        let gb_secs = self.millis / 1_000.0 * prices::MEMORY_MB.value / 1_024.0;
        [
            (prices::HTTP, self.requests),
            (prices::INVOCATIONS, self.invocations),
            (prices::COMPUTE, gb_secs),
            (prices::READS, self.read_units),
            (prices::WRITES, self.write_units),
            (prices::SECRET_CALLS, self.secret_calls),
            (prices::SCHEDULES, self.schedules),
            (prices::MESSAGES, self.messages),
            (prices::LOGS, self.log_bytes),
            (prices::TRACES, self.traces),
        ]
        .map(|(price, count)| (price, price.times(count)))
    }

    pub(super) fn dollars(&self) -> f64 {
        self.parts().iter().map(|(_, dollars)| dollars).sum()
    }

    /// The same in a month in which so many traces fall: beyond one in a second, a share is recorded.
    fn sampled(self) -> Self {
        let recorded = if self.traces > MONTH_SECS { MONTH_SECS + (self.traces - MONTH_SECS) * SAMPLED } else { self.traces };
        Self { traces: recorded, ..self }
    }
}

/// One post on a platform.
#[derive(Debug, Clone, Copy)]
pub(super) struct OfPost {
    pub(super) approved: Work,
    pub(super) published: Work,
    pub(super) metrics: Work,
}

impl OfPost {
    pub(super) fn on(counted: &Counted, platform: &str) -> anyhow::Result<Self> {
        let step = |name| of(counted, name, platform);
        let looks = Work::asked(step(calls::LOOK)?).times(prices::LOOKS.value);
        let approved = Work::asked(step(calls::CREATE)?).plus(Work::asked(step(calls::APPROVE)?)).plus(looks);
        // X's tokens live for two hours, and posts and rungs are further apart. Two rungs fall on one day, of which one is left out.
        let is_x = platform == calls::X;
        let [early, publish, rung] = if is_x {
            [calls::EARLY_RENEWING, calls::PUBLISH_RENEWING, calls::RUNG_RENEWING]
        } else {
            [calls::WAKE_EARLY, calls::PUBLISH, calls::RUNG]
        };
        let rungs = figure(LADDER.len() as u64) - if is_x { 1.0 } else { 0.0 };
        // The schedule sends the first of the two messages, and the publisher the second, which is counted.
        let early = Work::woken(step(early)?, prices::EARLY_MILLIS.value);
        let early = Work { schedules: 1.0, messages: early.messages + 1.0, ..early };
        let published = early.plus(Work::woken(step(publish)?, prices::PUBLISH_MILLIS.value));
        let rung = Work::of(step(rung)?);
        let rung = Work { millis: prices::RUNG_MILLIS.value, log_bytes: prices::RUNG_LOG_BYTES.value, ..rung };
        Ok(Self { approved, published, metrics: rung.times(rungs) })
    }

    pub(super) fn whole(&self) -> Work {
        self.approved.plus(self.published).plus(self.metrics)
    }
}

/// What a month costs in which nothing happens, by part.
pub(super) fn idle(counted: &Counted) -> anyhow::Result<Vec<(String, f64)>> {
    let run = |name| anyhow::Ok(Work::invoked(of(counted, name, "")?, prices::JOB_MILLIS.value));
    let jobs = [(calls::SWEEP, 1.0), (calls::RENEWALS, 5.0), (calls::SYNC, 10.0), (calls::RESET, 60.0)];
    let mut work = Work::default();
    for (name, minutes) in jobs {
        let runs = MONTH_MINUTES / minutes;
        work = work.plus(Work { schedules: 1.0, ..run(name)? }.times(runs));
    }
    work.messages += prices::POLLS.value * MONTH_MINUTES;
    let alarms = TEMPLATE.matches("Type: AWS::CloudWatch::Alarm\n").count();
    let secrets = TEMPLATE.matches("Type: AWS::SecretsManager::Secret\n").count() + OPERATORS_SECRETS;
    let standing = [(prices::ALARMS, alarms), (prices::SECRETS, secrets), (prices::METRICS, counted.metrics_idle)];
    let standing = standing.into_iter().map(|(price, count)| (format!("{}: {count}", price.of), price.times(figure(count as u64))));
    let used = work.parts().into_iter().filter(|(_, dollars)| *dollars > 0.0).map(|(price, dollars)| (price.of.to_owned(), dollars));
    Ok(standing.chain(used).collect())
}

/// A month with so many connected accounts.
pub(super) struct Month {
    pub(super) accounts: f64,
    pub(super) posts: f64,
    /// Whether anything happens or not, and the metrics of an hour in which posts go out.
    pub(super) standing: f64,
    /// By use.
    pub(super) posting: f64,
    /// Cycles and audits.
    pub(super) books: f64,
    /// Rows.
    pub(super) storage: f64,
    /// One secret an account.
    pub(super) secrets: f64,
}

impl Month {
    pub(super) fn of(counted: &Counted, accounts: f64) -> anyhow::Result<Self> {
        let posts = accounts * prices::POSTS.value;
        let both = OfPost::on(counted, calls::X)?.whole().plus(OfPost::on(counted, calls::FACEBOOK)?.whole());
        let books = Work::of(of(counted, calls::CLOSE, "")?).plus(Work::of(of(counted, calls::AUDIT, "")?).times(30.0));
        let idle: f64 = idle(counted)?.iter().map(|(_, dollars)| dollars).sum();
        Ok(Self {
            accounts,
            posts,
            standing: idle + prices::METRICS.times(figure(counted.metrics_busy as u64)),
            posting: both.times(posts / 2.0).sampled().dollars(),
            books: books.times(accounts).dollars(),
            storage: prices::STORAGE.times(posts * prices::MONTHS_KEPT.value * prices::POST_BYTES.value),
            secrets: prices::SECRETS.times(accounts),
        })
    }

    pub(super) fn sum(&self) -> f64 {
        self.standing + self.posting + self.books + self.storage + self.secrets
    }
}

fn of<'a>(counted: &'a Counted, name: &str, on: &str) -> anyhow::Result<&'a Step> {
    counted.step(name, on).with_context(|| format!("nothing was counted of {name} on {on:?}"))
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
fn figure(count: u64) -> f64 {
    count as f64
}
