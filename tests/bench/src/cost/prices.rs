//! List prices of us-east-1 on demand, without free tiers, as of 2026-11-23; and what is assumed beside what is counted.

use crate::calls;

/// A price.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Price {
    /// Of what.
    pub of: &'static str,
    /// US dollars…
    pub dollars: f64,
    /// …for so many…
    pub per: f64,
    /// …of these.
    pub unit: &'static str,
    /// AWS's page.
    pub source: &'static str,
}

impl Price {
    /// What so many cost.
    pub fn times(&self, count: f64) -> f64 {
        self.dollars * count / self.per
    }
}

const MILLION: f64 = 1_000_000.0;
const GB: f64 = 1_000_000_000.0;

const fn price(of: &'static str, dollars: f64, (per, unit): (f64, &'static str), source: &'static str) -> Price {
    Price { of, dollars, per, unit, source }
}

/// The gateway.
pub const HTTP: Price = price("HTTP API", 1.0, (MILLION, "million requests"), "Amazon API Gateway pricing");
/// Being started.
pub const INVOCATIONS: Price = price("Lambda requests", 0.2, (MILLION, "million"), "AWS Lambda pricing");
/// Running, on Arm.
pub const COMPUTE: Price = price("Lambda duration", 13.3334, (MILLION, "million GB-seconds, Arm"), "AWS Lambda pricing");
/// Read units.
pub const READS: Price = price("DynamoDB reads", 0.125, (MILLION, "million read units"), "Amazon DynamoDB pricing, on-demand");
/// Write units.
pub const WRITES: Price = price("DynamoDB writes", 0.625, (MILLION, "million write units"), "Amazon DynamoDB pricing, on-demand");
/// What is kept, with what puts it back.
pub const STORAGE: Price =
    price("DynamoDB storage with point-in-time recovery", 0.45, (GB, "GB a month"), "Amazon DynamoDB pricing, on-demand");
/// Calls of the vault.
pub const SECRET_CALLS: Price = price("Secrets Manager calls", 0.05, (10_000.0, "10,000"), "AWS Secrets Manager pricing");
/// A secret.
pub const SECRETS: Price = price("Secrets", 0.4, (1.0, "secret a month"), "AWS Secrets Manager pricing");
/// Schedules that fire.
pub const SCHEDULES: Price = price("Scheduler", 1.0, (MILLION, "million invocations"), "Amazon EventBridge pricing");
/// Requests of the queue.
pub const MESSAGES: Price = price("SQS", 0.4, (MILLION, "million requests"), "Amazon SQS pricing");
/// Log lines, with the gateway's.
pub const LOGS: Price = price("Logs", 0.5, (GB, "GB"), "Amazon CloudWatch pricing");
/// Traces.
pub const TRACES: Price = price("X-Ray", 5.0, (MILLION, "million traces recorded"), "AWS X-Ray pricing");
/// An alarm.
pub const ALARMS: Price = price("Alarms", 0.1, (1.0, "alarm a month"), "Amazon CloudWatch pricing");
/// A metric of our own.
pub const METRICS: Price = price("Custom metrics", 0.3, (1.0, "metric a month"), "Amazon CloudWatch pricing");

/// All of them.
pub const PRICES: [Price; 14] =
    [HTTP, INVOCATIONS, COMPUTE, READS, WRITES, STORAGE, SECRET_CALLS, SECRETS, SCHEDULES, MESSAGES, LOGS, TRACES, ALARMS, METRICS];

/// Something that is not counted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Assumption {
    /// What.
    pub of: &'static str,
    /// How much.
    pub value: f64,
    /// Of what.
    pub unit: &'static str,
}

const fn assumed(of: &'static str, value: f64, unit: &'static str) -> Assumption {
    Assumption { of, value, unit }
}

/// Posts.
pub const POSTS: Assumption = assumed("posts of an account", calls::POSTS_A_MONTH as f64, "a month, half of them on X");
/// Pages.
pub const LOOKS: Assumption = assumed("pages that its owner looks at for a post", 2.0, "of `GET /api/user/status`");
/// Answers.
pub const API_MILLIS: Assumption = assumed("an answer of the API", 60.0, "ms");
/// The first of two wake-ups.
pub const EARLY_MILLIS: Assumption = assumed("a wake-up that comes early", 60.0, "ms");
/// The second.
pub const PUBLISH_MILLIS: Assumption = assumed("a wake-up that publishes, most of it the platform's answer", 1_000.0, "ms");
/// Numbers.
pub const RUNG_MILLIS: Assumption = assumed("a reading of metrics, eight at once", 100.0, "ms of a run");
/// Jobs.
pub const JOB_MILLIS: Assumption = assumed("a run of a job that finds nothing", 300.0, "ms");
/// Memory.
pub const MEMORY_MB: Assumption = assumed("memory of a function", 256.0, "MB");
/// Lines.
pub const LOG_BYTES: Assumption = assumed("log lines of an invocation, with Lambda's and the gateway's", 2_000.0, "bytes");
/// Lines of a reading.
pub const RUNG_LOG_BYTES: Assumption = assumed("log lines of a reading", 300.0, "bytes");
/// Rows.
pub const POST_BYTES: Assumption = assumed("rows of a post, with its history and its indexes", 8_000.0, "bytes");
/// How long they have come together.
pub const MONTHS_KEPT: Assumption =
    assumed("posts that are stored, and that looks and audits go through", calls::MONTHS_KEPT as f64, "months of them");
/// The mapping.
pub const POLLS: Assumption = assumed("looks of the event source mapping into an empty queue", 15.0, "a minute");
/// Traces.
pub const TRACED: Assumption =
    assumed("invocations that are traced, of those that people or posts cause", 1.0, "in a second, and 5 % of the others");

/// All of them.
pub const ASSUMPTIONS: [Assumption; 14] = [
    POSTS,
    LOOKS,
    API_MILLIS,
    EARLY_MILLIS,
    PUBLISH_MILLIS,
    RUNG_MILLIS,
    JOB_MILLIS,
    MEMORY_MB,
    LOG_BYTES,
    RUNG_LOG_BYTES,
    POST_BYTES,
    MONTHS_KEPT,
    POLLS,
    TRACED,
];
