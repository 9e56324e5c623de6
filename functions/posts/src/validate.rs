//! What a request says about a post, checked: every field at fault is named.

use domain::platform::{Facts, PlatformName};
use domain::text;
use domain::timing::{Adjusted, DueTime, TimeError, parse_latest};
use edge::problem::{FieldCode, FieldError};
use jiff::civil::DateTime;
use jiff::{SignedDuration, Timestamp};

/// The longest note of an assistant that is kept beside a post.
const AI_RECOMMENDATION_BYTES_MAX: usize = 8_000;
const AI_RECOMMENDATION: &str = "/ai_recommendation";

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
    errors.push(FieldError::new(error.pointer(), error.code(), error.detail()));
    None
}

/// Checks a text against the rule of its account; where that is not known, against what none takes. A text that several targets share is told
/// of once.
pub(crate) fn content(of: Option<(PlatformName, Facts<'_>)>, content: &str, pointer: &str, errors: &mut Vec<FieldError>) {
    let checked = of.map_or_else(|| text::check_letters(content), |(platform, facts)| text::check_for(platform, &facts, content));
    let Err(error) = checked else { return };
    let told = FieldError::new(pointer.to_owned(), error.code(), error.detail());
    if !errors.contains(&told) {
        errors.push(told);
    }
}

/// Checks what goes with every post: no medium is known, and an assistant's note has a limit.
pub(crate) fn extras(media: &[String], ai_recommendation: Option<&str>, errors: &mut Vec<FieldError>) {
    if !media.is_empty() {
        errors.push(FieldError::new("/media/0", FieldCode::MediaUnknown, "There is no such medium. Leave the list empty."));
    }
    let Some(note) = ai_recommendation else { return };
    if note.len() > AI_RECOMMENDATION_BYTES_MAX {
        let detail = format!("The note has {} bytes, where 8,000 are kept. Shorten it.", note.len());
        errors.push(FieldError::new(AI_RECOMMENDATION, FieldCode::TextTooLong, detail));
    }
    if let Err(error) = text::check_forbidden(note) {
        errors.push(FieldError::new(AI_RECOMMENDATION, error.code(), error.detail()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An account as most are there.
    fn usual(platform: PlatformName) -> (PlatformName, Facts<'static>) {
        (platform, platform.descriptor().usual_facts())
    }

    fn told(platform: Option<PlatformName>, text: &str) -> Vec<(String, String)> {
        let mut errors = Vec::new();
        content(platform.map(usual), text, "/targets/1/content", &mut errors);
        errors.into_iter().map(|error| (error.pointer.into_owned(), error.detail.into_owned())).collect()
    }

    #[test]
    fn a_text_at_fault_is_named_with_its_target_and_what_to_do() {
        let long = "a".repeat(300);
        for (platform, text, detail) in [
            (Some(PlatformName::X), "\u{3164}", "The text shows nothing. Write something that can be seen."),
            (None, "", "The text shows nothing. Write something that can be seen."),
            (None, "hi\u{7}", "Character 3 is U+0007, which no text may hold. Remove it."),
            (Some(PlatformName::X), &long, "The text counts 300 on X, which takes 280. Shorten it by 20."),
        ] {
            assert_eq!(told(platform, text), [("/targets/1/content".to_owned(), detail.to_owned())], "{text:?}");
        }
        assert_eq!(told(None, &long), []);
    }

    #[test]
    fn a_text_that_two_targets_share_is_told_of_once() {
        let mut errors = Vec::new();
        for _ in 0..2 {
            content(Some(usual(PlatformName::X)), "", "/content", &mut errors);
        }
        assert_eq!(errors.len(), 1);
    }

    #[test]
    fn a_note_at_fault_is_named_with_what_to_do() {
        let mut errors = Vec::new();
        extras(&["m".to_owned()], Some(&"\u{1}".repeat(8_001)), &mut errors);
        let told: Vec<_> = errors.iter().map(|error| (error.pointer.as_ref(), error.detail.as_ref())).collect();
        assert_eq!(
            told,
            [
                ("/media/0", "There is no such medium. Leave the list empty."),
                (AI_RECOMMENDATION, "The note has 8001 bytes, where 8,000 are kept. Shorten it."),
                (AI_RECOMMENDATION, "Character 1 is U+0001, which no text may hold. Remove it."),
            ]
        );
    }
}
