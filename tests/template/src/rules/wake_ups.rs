//! Queues and schedules: what wakes a function, and what becomes of a wake-up that nobody could take.

use edge::sqs::RECORDS_AT_ONCE;
use jiff::SignedDuration;
use serde_json::Value;

use crate::transformed::{listed, target_of};
use crate::{Product, Template};

/// The messages of a queue stay hidden for this many time-outs of the function that reads it (AWS's own advice for Lambda).
const TIME_OUTS_HIDDEN: u64 = 6;

/// The functions that nothing starts but the clock, and when: a job's turn follows from how often it runs.
fn on_a_schedule() -> [(&'static str, String); 5] {
    [
        ("analytics-sync", rate(analytics_sync::EVERY)),
        ("quota-reset", rate(quota_reset::EVERY)),
        ("quota-reset", "cron(23 3 * * ? *)".to_owned()),
        ("renewals", rate(renewals::EVERY)),
        ("sweeper", rate(sweeper::EVERY)),
    ]
}

/// As a schedule says it.
fn rate(every: SignedDuration) -> String {
    match (every.as_hours(), every.as_mins()) {
        (1, 60) => "rate(1 hour)".to_owned(),
        (_, 1) => "rate(1 minute)".to_owned(),
        (_, minutes) => format!("rate({minutes} minutes)"),
    }
}

/// The mappings, each with its function and its queue.
fn mappings(template: &Template) -> impl Iterator<Item = (&str, &Value, Option<&Value>, Option<&Value>)> {
    template.of_type("AWS::Lambda::EventSourceMapping").map(|(name, mapping)| {
        let properties = &mapping["Properties"];
        let function = target_of(&properties["FunctionName"]).and_then(|function| template.resource("AWS::Lambda::Function", function));
        let queue = target_of(&properties["EventSourceArn"]).and_then(|queue| template.resource("AWS::SQS::Queue", queue));
        (name, properties, function, queue)
    })
}

pub(super) fn stay_hidden(template: &Template, _: &Product) -> Vec<String> {
    let mut faults = Vec::new();
    for (name, _, function, queue) in mappings(template) {
        let time_out = function.and_then(|function| function["Properties"]["Timeout"].as_u64());
        let hidden = queue.and_then(|queue| queue["Properties"]["VisibilityTimeout"].as_u64());
        match (time_out, hidden) {
            (Some(time_out), Some(hidden)) if hidden >= TIME_OUTS_HIDDEN * time_out => {}
            _ => faults.push(format!("{name}: hidden for {hidden:?} s, time-out {time_out:?} s")),
        }
    }
    faults
}

pub(super) fn answer_one_by_one(template: &Template, _: &Product) -> Vec<String> {
    let whole = mappings(template).filter(|(_, properties, _, _)| {
        !listed(&properties["FunctionResponseTypes"]).iter().any(|kind| *kind == "ReportBatchItemFailures")
    });
    whole.map(|(name, ..)| format!("{name} takes a batch as one: a single failure would bring all of it back")).collect()
}

pub(super) fn have_dead_letters(template: &Template, _: &Product) -> Vec<String> {
    let mut faults = Vec::new();
    for (name, _, _, queue) in mappings(template) {
        let properties = queue.map_or(&Value::Null, |queue| &queue["Properties"]);
        let redrive = &properties["RedrivePolicy"];
        let letters = target_of(&redrive["deadLetterTargetArn"]).and_then(|letters| template.resource("AWS::SQS::Queue", letters));
        if !redrive["maxReceiveCount"].as_u64().is_some_and(|receives| (3..=10).contains(&receives)) {
            faults.push(format!("the queue of {name} sets nothing aside after 3 to 10 receives"));
        }
        // A message keeps the age that it had: letters that are kept no longer than the queue's own would be gone at once.
        let keeps = |queue: &Value| queue["Properties"]["MessageRetentionPeriod"].as_u64().unwrap_or_default();
        if letters.is_none_or(|letters| keeps(letters) <= queue.map_or(u64::MAX, keeps)) {
            faults.push(format!("the dead letters of {name} are not kept longer than its messages"));
        }
    }
    for letters in dead_letters(template) {
        let watched = template.of_type("AWS::CloudWatch::Alarm").any(|(_, alarm)| {
            listed(&alarm["Properties"]["Dimensions"]).iter().any(|dimension| target_of(&dimension["Value"]) == Some(letters))
        });
        if !watched {
            faults.push(format!("no alarm watches {letters}"));
        }
    }
    faults
}

/// Every queue that something is set aside in.
fn dead_letters(template: &Template) -> Vec<&str> {
    let queues = template.of_type("AWS::SQS::Queue").map(|(_, queue)| &queue["Properties"]["RedrivePolicy"]["deadLetterTargetArn"]);
    let schedules = template.of_type("AWS::Scheduler::Schedule").map(|(_, rule)| &rule["Properties"]["Target"]["DeadLetterConfig"]["Arn"]);
    let mut letters: Vec<_> = queues.chain(schedules).filter_map(target_of).collect();
    letters.sort_unstable();
    letters.dedup();
    letters
}

pub(super) fn schedules_are_safe(template: &Template, _: &Product) -> Vec<String> {
    let mut faults = Vec::new();
    for (name, schedule) in template.of_type("AWS::Scheduler::Schedule") {
        let properties = &schedule["Properties"];
        if !properties["Name"].is_null() {
            faults.push(format!("{name} has a name: a second stage in the same account would collide with it"));
        }
        let letters = target_of(&properties["Target"]["DeadLetterConfig"]["Arn"]);
        if letters.and_then(|letters| template.resource("AWS::SQS::Queue", letters)).is_none() {
            faults.push(format!("{name} has no dead letters"));
        }
        if properties["Target"]["RetryPolicy"]["MaximumEventAgeInSeconds"].is_null() {
            faults.push(format!("{name} would be tried for a day"));
        }
    }
    for (binary, at) in on_a_schedule() {
        let function = template.functions().find(|(of, _, _)| *of == binary).map(|(_, function, _)| function);
        let runs = template.of_type("AWS::Scheduler::Schedule").any(|(_, schedule)| {
            let properties = &schedule["Properties"];
            let starts = target_of(&properties["Target"]["Arn"]) == function && properties["ScheduleExpression"] == at.as_str();
            function.is_some() && starts && properties["State"] != "DISABLED"
        });
        if !runs {
            faults.push(format!("no schedule starts {binary} at {at}"));
        }
    }
    faults
}

pub(super) fn time_outs_of_jobs(template: &Template, _: &Product) -> Vec<String> {
    let counted_on = [("sweeper", sweeper::TIME_OUT), ("renewals", renewals::TIME_OUT)];
    let mut faults = Vec::new();
    for (job, counted_on) in counted_on {
        let function = template.functions().find(|(binary, _, _)| *binary == job);
        let time_out = function.and_then(|(_, _, function)| function["Properties"]["Timeout"].as_u64());
        if time_out != Some(counted_on.as_secs()) {
            faults.push(format!("the template says {time_out:?} s, a round of {job} counts on {}", counted_on.as_secs()));
        }
    }
    faults
}

pub(super) fn work_on_all_of_a_batch(template: &Template, _: &Product) -> Vec<String> {
    let most = u64::try_from(RECORDS_AT_ONCE).unwrap_or_default();
    let larger = mappings(template).filter(|(_, properties, _, _)| properties["BatchSize"].as_u64().is_none_or(|size| size > most));
    larger.map(|(name, ..)| format!("{name} brings more than the {most} records that are worked on at once")).collect()
}

pub(super) fn publisher_time_out(template: &Template, _: &Product) -> Vec<String> {
    let publisher = template.functions().find(|(binary, _, _)| *binary == "publisher");
    let time_out = publisher.and_then(|(_, _, function)| function["Properties"]["Timeout"].as_i64());
    if time_out == Some(domain::post::FUNCTION_TIMEOUT.as_secs()) {
        return Vec::new();
    }
    vec![format!("the template says {time_out:?} s, the machine counts on {}", domain::post::FUNCTION_TIMEOUT.as_secs())]
}
