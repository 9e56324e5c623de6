//! `If-Match`: a change of what its caller has read, and of nothing else (RFC 9110, section 13.1.1).
//!
//! The parser is ours: the `headers` crate takes what is no entity tag for one that matches nothing, and a caller whose tag is spelled
//! wrong should hear that.

use axum::extract::FromRequestParts;
use http::header::IF_MATCH;
use http::request::Parts;
use http::{HeaderMap, HeaderValue};
use utoipa::IntoParams;
use utoipa::openapi::Required;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, SchemaType, Type};

use crate::problem::{Problem, ProblemCode};

/// Which versions its caller means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IfMatch {
    /// The header is absent: whatever stands.
    Absent,
    /// `*`: whatever stands.
    Any,
    /// The strong tags of the list; a weak one never matches (section 8.8.3.2).
    Tags(Vec<Vec<u8>>),
}

/// The entity tag of a version.
pub fn entity_tag(version: u32) -> HeaderValue {
    HeaderValue::from_str(&format!("\"{version}\"")).expect("a number in quotes is a header value")
}

impl IfMatch {
    /// Reads the header, whose lines are one list; 400 `malformed_request` for what is none.
    pub fn read(headers: &HeaderMap) -> Result<Self, Problem> {
        let lines: Vec<&[u8]> = headers.get_all(IF_MATCH).iter().map(HeaderValue::as_bytes).collect();
        if lines.is_empty() {
            return Ok(Self::Absent);
        }
        let list = lines.join(&b","[..]);
        if list.trim_ascii() == b"*" {
            return Ok(Self::Any);
        }
        tags(&list).map(Self::Tags).ok_or_else(malformed)
    }

    /// 412 `stale_version` unless `version`, that of the row on which the caller's write is conditional, is one that is meant.
    pub fn admit(&self, version: u32) -> Result<(), Problem> {
        let admitted = match self {
            Self::Absent | Self::Any => true,
            Self::Tags(tags) => tags.iter().any(|tag| tag == entity_tag(version).as_bytes()),
        };
        if admitted { Ok(()) } else { Err(Problem::new(ProblemCode::StaleVersion)) }
    }

    /// 428 `precondition_required` where the header is absent (RFC 6585, section 3).
    pub fn required(self) -> Result<Self, Problem> {
        if self == Self::Absent { Err(Problem::new(ProblemCode::PreconditionRequired)) } else { Ok(self) }
    }
}

fn malformed() -> Problem {
    Problem::new(ProblemCode::MalformedRequest)
        .with_detail("If-Match takes entity tags in quotes, or an asterisk alone. Give the `ETag` that you have read.")
}

/// The strong tags of a list, quotes included. `None`: it is no list of entity tags.
fn tags(mut list: &[u8]) -> Option<Vec<Vec<u8>>> {
    let (mut strong, mut count) = (Vec::new(), 0);
    loop {
        list = list.trim_ascii_start();
        // A list may have empty members (section 5.6.1.2).
        if let Some(rest) = list.strip_prefix(b",") {
            list = rest;
            continue;
        }
        if list.is_empty() {
            return (count > 0).then_some(strong);
        }
        let weak = list.strip_prefix(b"W/");
        let tag = weak.unwrap_or(list);
        let end = tag.strip_prefix(b"\"")?.iter().position(|byte| *byte == b'"')? + 2;
        if !tag[1..end - 1].iter().all(|byte| matches!(byte, 0x21 | 0x23..=0x7e | 0x80..)) {
            return None;
        }
        if weak.is_none() {
            strong.push(tag[..end].to_vec());
        }
        count += 1;
        list = tag[end..].trim_ascii_start();
        if !list.is_empty() && !list.starts_with(b",") {
            return None;
        }
    }
}

impl<S: Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Self::read(&parts.headers)
    }
}

/// The header in the contract, where it may be left out.
impl IntoParams for IfMatch {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![parameter(Required::False)]
    }
}

/// The header in the contract, where a change without it is refused.
#[derive(Debug)]
pub struct RequiredIfMatch;

impl IntoParams for RequiredIfMatch {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![parameter(Required::True)]
    }
}

fn parameter(required: Required) -> Parameter {
    let text = "The `ETag` of the version that is meant. Another one stands: 412. No entity tag: 400.";
    let schema = ObjectBuilder::new().schema_type(SchemaType::Type(Type::String)).pattern(Some(r#"^(\*|"[0-9]+")$"#));
    ParameterBuilder::new()
        .name("If-Match")
        .parameter_in(ParameterIn::Header)
        .required(required)
        .description(Some(text))
        .schema(Some(schema.build()))
        .example(Some("\"1\"".into()))
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &[&str]) -> Result<IfMatch, Problem> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(IF_MATCH, HeaderValue::from_bytes(line.as_bytes()).unwrap());
        }
        IfMatch::read(&headers)
    }

    #[test]
    fn a_version_is_admitted_by_its_own_strong_tag_alone() {
        let admitted: [&[&str]; 9] = [
            &[],
            &["*"],
            &[" * "],
            &["\"7\""],
            &["\"6\", \"7\""],
            &["\"6\",\"7\""],
            &[", W/\"7\" ,, \"7\" ,"],
            &["\"a,b\", \"7\""],
            &["\"6\"", "\"7\""],
        ];
        for lines in admitted {
            assert!(read(lines).unwrap().admit(7).is_ok(), "{lines:?}");
        }
        let stale = ["\"6\"", "\"07\"", "\"+7\"", "\"\"", "W/\"7\"", "W/\"7\", \"6\"", "\"*\"", "\"\u{e9}7\"", "\"6,7\""];
        for line in stale {
            let problem = read(&[line]).unwrap().admit(7).unwrap_err();
            assert_eq!(problem.code(), ProblemCode::StaleVersion, "{line}");
        }
    }

    #[test]
    fn what_is_no_entity_tag_is_refused_as_such() {
        let odd = [
            "",
            " ",
            ",",
            "7",
            "v7",
            "'7'",
            "\"7",
            "7\"",
            "\"7\" \"8\"",
            "\"7\";",
            "\"7\", *",
            "*, \"7\"",
            "**",
            "w/\"7\"",
            "W/7",
            "W/ \"7\"",
            "\"7 8\"",
            "\"7\" , 8",
            "\"7\"\"8\"",
        ];
        for line in odd {
            assert_eq!(read(&[line]).unwrap_err().code(), ProblemCode::MalformedRequest, "{line:?}");
        }
        assert_eq!(read(&["*", "*"]).unwrap_err().code(), ProblemCode::MalformedRequest);
    }

    #[test]
    fn where_a_version_is_demanded_any_will_do_and_none_will_not() {
        assert_eq!(read(&[]).unwrap().required().unwrap_err().code(), ProblemCode::PreconditionRequired);
        assert_eq!(read(&["*"]).unwrap().required().unwrap(), IfMatch::Any);
    }
}
