//! Logs: one JSON object a line, in the shape that Lambda's JSON format wants.
//!
//! `timestamp` (RFC 3339, UTC) and `level` stand in every line; without both Lambda calls every line INFO. The fields of
//! the event and of the spans around it are at the top level, so that `request_id` can be searched for by name.

use std::fmt;
use std::sync::LazyLock;

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::NoSubscriber;
use tracing::{Dispatch, Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

use crate::clock::Clock;
use crate::lines::Lines;

/// Crates whose own lines below WARN show headers, bodies or nothing of use, whatever level ours have.
const QUIET_TARGETS: [&str; 8] = ["aws_", "h2", "hyper", "lambda_runtime", "reqwest", "rustls", "tokio", "tower"];
/// The runtime repeats errors and panics that are logged here already.
const SILENT_TARGET: &str = "lambda_runtime::layers::panic";
/// Of a longer text only this much is kept: Lambda cuts a line at 256 KB, and no line of ours needs a page.
const VALUE_CHARS_MAX: usize = 4_000;

/// Starts logging for the whole process. Panics are logged by their place; their text only where it is a literal, since
/// a formatted one may hold anything.
///
/// A second call changes nothing.
pub fn init(level: Level, clock: Clock, lines: Lines) {
    if tracing::subscriber::set_global_default(subscriber(level, clock, lines)).is_ok() {
        std::panic::set_hook(Box::new(|panic| {
            let location = panic.location().map(ToString::to_string).unwrap_or_default();
            let literal = panic.payload().downcast_ref::<&'static str>().copied().unwrap_or("(not a literal)");
            tracing::error!(location, panic = literal, "panic");
        }));
    }
}

/// What [`init`] installs, for a scope of one's own: `future.with_subscriber(..)` or `tracing::dispatcher::with_default`.
pub fn scoped(level: Level, clock: Clock, lines: Lines) -> Dispatch {
    // As long as a process has one dispatcher only, tracing lets the thread that meets a log line first decide for all
    // threads whether it is wanted, and a thread outside the scope says no. A second dispatcher makes it ask them all.
    static SECOND: LazyLock<Dispatch> = LazyLock::new(|| Dispatch::new(NoSubscriber::new()));
    LazyLock::force(&SECOND);
    Dispatch::new(subscriber(level, clock, lines))
}

fn subscriber(level: Level, clock: Clock, lines: Lines) -> impl Subscriber + Send + Sync {
    let level = LevelFilter::from_level(level);
    let quiet = level.min(LevelFilter::WARN);
    let targets = Targets::new()
        .with_default(level)
        .with_targets(QUIET_TARGETS.map(|target| (target, quiet)))
        .with_target(SILENT_TARGET, LevelFilter::OFF);
    tracing_subscriber::registry().with(JsonLines { clock, lines }.with_filter(targets))
}

/// Writes events as lines.
struct JsonLines {
    clock: Clock,
    lines: Lines,
}

/// The fields of one span, kept with it.
struct SpanFields(Fields);

impl<S> Layer<S> for JsonLines
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(SpanFields(fields));
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(fields) = span.extensions_mut().get_mut::<SpanFields>()
        {
            values.record(&mut fields.0);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut line = Fields::default();
        for span in context.event_scope(event).into_iter().flat_map(tracing_subscriber::registry::Scope::from_root) {
            if let Some(fields) = span.extensions().get::<SpanFields>() {
                line.0.extend(fields.0.0.clone());
            }
        }
        event.record(&mut line);
        // Last, so that no field can take their place.
        line.put("timestamp", Value::String(format!("{:.3}", self.clock.now())));
        line.put("level", Value::String(event.metadata().level().to_string()));
        line.put("target", Value::String(event.metadata().target().to_owned()));
        self.lines.write(Value::Object(line.0).to_string());
    }
}

/// Fields by name.
#[derive(Default)]
struct Fields(Map<String, Value>);

impl Fields {
    fn put(&mut self, name: &str, value: Value) {
        self.0.insert(name.to_owned(), value);
    }

    fn put_text(&mut self, name: &str, text: &str) {
        self.put(name, Value::String(text.chars().take(VALUE_CHARS_MAX).collect()));
    }
}

impl Visit for Fields {
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field.name(), value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field.name(), value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field.name(), value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field.name(), value.into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put_text(field.name(), value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put_text(field.name(), &format!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::lines::Captured;

    fn logged(level: Level, log: impl FnOnce()) -> Vec<Value> {
        let captured = Captured::default();
        let clock = Clock::from_fn(|| Timestamp::from_millisecond(1_764_000_000_120).unwrap());
        tracing::dispatcher::with_default(&scoped(level, clock, captured.lines()), log);
        captured.read().iter().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn a_line_has_timestamp_level_and_the_request_id_of_its_span() {
        let lines = logged(Level::INFO, || {
            let span = tracing::info_span!("request", request_id = "req-1", user_id = tracing::field::Empty);
            let _entered = span.enter();
            span.record("user_id", "u-1");
            tracing::warn!(attempt = 3, ok = false, name = %"x", "deferred\nby a limit");
        });
        assert_eq!(
            lines,
            [serde_json::json!({
                "timestamp": "2025-11-24T16:00:00.120Z", "level": "WARN", "target": "edge::telemetry::tests", "message": "deferred\nby a limit",
                "request_id": "req-1", "user_id": "u-1", "attempt": 3, "ok": false, "name": "x",
            })]
        );
    }

    #[test]
    fn lines_below_the_level_and_the_chatter_of_others_are_left_out() {
        let lines = logged(Level::DEBUG, || {
            tracing::trace!("too fine");
            tracing::debug!("kept");
            tracing::debug!(target: "hyper::proto", "headers");
            tracing::info!(target: "aws_smithy_runtime::client", "body");
            tracing::warn!(target: "aws_config", "kept too");
            tracing::error!(target: "lambda_runtime::layers::panic", "said already");
        });
        let messages: Vec<_> = lines.iter().map(|line| line["message"].as_str().unwrap()).collect();
        assert_eq!(messages, ["kept", "kept too"]);
    }

    #[test]
    fn a_field_cannot_pose_as_the_level_and_a_long_one_is_cut() {
        let lines = logged(Level::INFO, || tracing::info!(level = "ERROR", long = "ä".repeat(VALUE_CHARS_MAX + 1), "x"));
        assert_eq!(lines[0]["level"], "INFO");
        assert_eq!(lines[0]["long"].as_str().unwrap().chars().count(), VALUE_CHARS_MAX);
    }
}
