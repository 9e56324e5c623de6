//! Where a body is at fault, as a JSON pointer, and what stands there instead.
//!
//! serde tells of a fault in words alone. What is taken from them are names and kinds of our own types: they stand between the first backquotes
//! of a missing field, and behind the last `expected`. What came in stands elsewhere in them, and is never told.

use serde_json::error::Category;
use serde_path_to_error::{Path, Segment};

use super::wording::Expecting;
use crate::problem::{FieldCode, FieldError, Problem, ProblemCode};

const MISSING: &str = "missing field `";
const WRONG_KEY: [&str; 2] = ["unknown field `", "duplicate field `"];
const EXPECTED: &str = ", expected ";

/// The refusal of `body`, which could not be read because of `error`.
pub(super) fn refused(error: &serde_path_to_error::Error<serde_json::Error>, body: &[u8]) -> Problem {
    let (path, error) = (error.path(), error.inner());
    let place = format!("line {}, column {}", error.line(), error.column());
    let text = error.to_string();
    let kind = match error.classify() {
        // A name of a list of names that is a number is told as a fault of the syntax, and is none.
        Category::Syntax if is_json(body) => Category::Data,
        kind => kind,
    };
    if kind != Category::Data {
        return not_json(error);
    }
    let [unknown, repeated] = WRONG_KEY.map(|told| text.starts_with(told));
    if unknown {
        let detail = format!("A key at {place} is none that this object takes{}. Leave it out.", names(&text));
        return Problem::new(ProblemCode::MalformedJson).with_detail(format!("An unknown key at {place}.")).with_error(
            pointer(path, 1),
            FieldCode::NameUnknown,
            detail,
        );
    }
    if repeated {
        let pointer = format!("{}/{}", pointer(path, 0), quoted(&text, WRONG_KEY[1]));
        return Problem::new(ProblemCode::MalformedJson).with_detail(format!("A duplicate key at {place}.")).with_error(
            pointer,
            FieldCode::NameRepeated,
            "Give this key once.",
        );
    }
    let detail = format!("A value is missing or of the wrong kind at {place}. Correct what `errors` names.");
    Problem::validation(vec![value_at_fault(path, &text)]).with_detail(detail)
}

/// The refusal of what is no JSON, or goes on behind its one value.
pub(super) fn not_json(error: &serde_json::Error) -> Problem {
    let detail = format!("The body is not valid JSON at line {}, column {}. Correct it there.", error.line(), error.column());
    Problem::new(ProblemCode::MalformedJson).with_detail(detail)
}

fn value_at_fault(path: &Path, text: &str) -> FieldError {
    if text.starts_with(MISSING) {
        let pointer = format!("{}/{}", pointer(path, 0), quoted(text, MISSING));
        return FieldError::new(pointer, FieldCode::ValueMissing, "This field is needed. Give it too.");
    }
    let pointer = pointer(path, 0);
    if text.starts_with("unknown variant `") {
        return FieldError::new(pointer, FieldCode::ValueUnknown, format!("This value is not known here{}.", names(text)));
    }
    let detail = match expected(text) {
        Some(kind) => format!("Give {} here.", Expecting(kind)),
        None => "Give a value of the kind that the contract names here.".to_owned(),
    };
    FieldError::new(pointer, FieldCode::ValueOfWrongKind, detail)
}

/// What stands behind the last `expected`, without the place.
fn expected(text: &str) -> Option<&str> {
    let (_, expected) = text.rsplit_once(EXPECTED)?;
    Some(expected.rsplit_once(" at line ").map_or(expected, |(expected, _)| expected))
}

/// The names that serde offers instead, as it lists them.
fn names(text: &str) -> String {
    expected(text).filter(|names| names.contains('`')).map_or_else(String::new, |names| format!(": it takes {names}"))
}

/// The name of ours in backquotes after `before`.
fn quoted<'a>(text: &'a str, before: &str) -> &'a str {
    text.strip_prefix(before).and_then(|rest| rest.split_once('`')).map_or("", |(name, _)| name)
}

/// The path as a JSON pointer (RFC 6901, section 3), less what is cut off its end.
fn pointer(path: &Path, cut: usize) -> String {
    let segments: Vec<_> = path.iter().collect();
    let kept = segments.len().saturating_sub(cut);
    segments[..kept]
        .iter()
        .map(|segment| match segment {
            Segment::Seq { index } => format!("/{index}"),
            Segment::Map { key } => format!("/{}", key.replace('~', "~0").replace('/', "~1")),
            // The name that an enum was given is its value, and no place in the body.
            Segment::Enum { .. } | Segment::Unknown => String::new(),
        })
        .collect()
}

fn is_json(body: &[u8]) -> bool {
    serde_json::from_slice::<serde_json::Value>(body).is_ok()
}
