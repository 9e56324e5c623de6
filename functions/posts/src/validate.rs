//! What a request says about a post, checked: every field at fault is named.

use domain::platform::PlatformName;
use domain::text;
use domain::timing::{Adjusted, DueTime, TimeError, parse_latest};
use edge::problem::FieldError;
use jiff::civil::DateTime;
use jiff::{SignedDuration, Timestamp};

/// The longest note of an assistant that is kept beside a post.
const AI_RECOMMENDATION_BYTES_MAX: usize = 8_000;

/// The fields that give a time.
#[derive(Debug, Default)]
pub(crate) struct AskedTime<'a> {
    /// The due time that stays if none is given.
    pub(crate) standing: Option<Timestamp>,
    pub(crate) scheduled_for: Option<&'a str>,
    pub(crate) scheduled_local: Option<&'a str>,
    pub(crate) time_zone: Option<&'a str>,
    pub(crate) latest_at: Option<&'a str>,
}

/// When a post is due, checked.
#[derive(Debug, Clone)]
pub(crate) struct Times {
    pub(crate) due_at: Timestamp,
    pub(crate) latest_at: Timestamp,
    pub(crate) time_zone: Option<String>,
    /// The local time that `due_at` is the instant of, if one was given.
    pub(crate) local_time: Option<DateTime>,
    /// Whether the local time did not exist or existed twice, so that one had to be chosen.
    pub(crate) adjusted: Option<Adjusted>,
}

/// Checks the time; a fault is added to `errors`. Without a last moment, it lies `late_by` after the due time.
pub(crate) fn times(asked: &AskedTime<'_>, late_by: SignedDuration, now: Timestamp, errors: &mut Vec<FieldError>) -> Option<Times> {
    let due = match (asked.standing, asked.scheduled_for, asked.scheduled_local) {
        (Some(due_at), None, None) => DueTime::standing(due_at, asked.time_zone),
        (_, scheduled_for, scheduled_local) => DueTime::parse(scheduled_for, scheduled_local, asked.time_zone, now),
    };
    let due = match due {
        Ok(due) => due,
        Err(error) => return note(errors, &error),
    };
    let DueTime { at: due_at, local_time, time_zone, adjusted } = due;
    match parse_latest(asked.latest_at, due_at, late_by, now) {
        Ok(latest_at) => Some(Times { due_at, latest_at, time_zone, local_time, adjusted }),
        Err(error) => note(errors, &error),
    }
}

fn note(errors: &mut Vec<FieldError>, error: &TimeError) -> Option<Times> {
    errors.push(fault(error.pointer(), error.code(), error.fault.to_string()));
    None
}

/// Checks a text against its platform.
pub(crate) fn content(platform: PlatformName, content: &str, pointer: &str, errors: &mut Vec<FieldError>) {
    if let Err(error) = text::check(platform, content) {
        errors.push(fault(pointer.to_owned(), error.code(), error.to_string()));
    }
}

/// Checks what goes with every post: no medium is known, and an assistant's note has a limit.
pub(crate) fn extras(media: &[String], ai_recommendation: Option<&str>, errors: &mut Vec<FieldError>) {
    if !media.is_empty() {
        errors.push(fault("/media/0", "media_unknown", "There is no such medium."));
    }
    if ai_recommendation.is_some_and(|text| text.len() > AI_RECOMMENDATION_BYTES_MAX) {
        errors.push(fault("/ai_recommendation", "text_too_long", "At most 8,000 bytes."));
    }
    if ai_recommendation.is_some_and(text::has_forbidden) {
        let error = text::TextError::ForbiddenCharacter;
        errors.push(fault("/ai_recommendation", error.code(), error.to_string()));
    }
}

pub(crate) fn fault(
    pointer: impl Into<std::borrow::Cow<'static, str>>,
    code: &'static str,
    detail: impl Into<std::borrow::Cow<'static, str>>,
) -> FieldError {
    FieldError { pointer: pointer.into(), code: code.into(), detail: detail.into() }
}
