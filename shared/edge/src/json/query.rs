//! Reading the query strictly, and saying which parameter is at fault.

use std::borrow::Cow;
use std::fmt;

use axum::extract::FromRequestParts;
use domain::timing::{self, TimeError, TimeFault};
use http::request::Parts;
use serde::de::value::{MapAccessDeserializer, StringDeserializer};
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, Error, Expected, IntoDeserializer, MapAccess, Unexpected, Visitor};
use serde::forward_to_deserialize_any;
use url::form_urlencoded;

use super::wording::{Expecting, TIMESTAMP, name_list};
use crate::problem::{FieldCode, FieldError, Problem};

/// The query's parameters. What `T` does not take is 400 `malformed_request`, and the parameter at fault is named. Unknown parameters are
/// refused where `T` says `#[serde(deny_unknown_fields)]`, repeated ones always.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        read(parts.uri.query().unwrap_or_default()).map(Self)
    }
}

fn read<T: DeserializeOwned>(query: &str) -> Result<T, Problem> {
    let mut parameters = Parameters { pairs: form_urlencoded::parse(query.as_bytes()), read: 0, name: None, value: None };
    T::deserialize(MapAccessDeserializer::new(&mut parameters)).map_err(|fault| Problem::query(parameters.at_fault(fault)))
}

/// What is wrong, as serde tells it. Nothing of it repeats the input.
#[derive(Debug)]
enum Fault {
    NameUnknown(&'static [&'static str]),
    NameRepeated(&'static str),
    Missing(&'static str),
    ValueUnknown(&'static [&'static str]),
    Value(String),
    LeapSecond(TimeError),
    Unreadable,
}

impl Error for Fault {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self::Unreadable
    }

    fn invalid_type(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::Value(expected.to_string())
    }

    fn invalid_value(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::Value(expected.to_string())
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        Self::ValueUnknown(expected)
    }

    fn unknown_field(_: &str, expected: &'static [&'static str]) -> Self {
        Self::NameUnknown(expected)
    }

    fn missing_field(field: &'static str) -> Self {
        Self::Missing(field)
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::NameRepeated(field)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a query that is not taken")
    }
}

impl std::error::Error for Fault {}

/// The pairs of a query, and how far they were read.
struct Parameters<'q> {
    pairs: form_urlencoded::Parse<'q>,
    read: usize,
    name: Option<Cow<'q, str>>,
    value: Option<Cow<'q, str>>,
}

impl Parameters<'_> {
    fn at_fault(self, fault: Fault) -> FieldError {
        // A name is told only where it is one that the call takes, and so no input.
        let name = self.name.unwrap_or_default();
        match fault {
            Fault::NameUnknown(known) => {
                let taken = if known.is_empty() { "takes none".to_owned() } else { format!("takes {}", name_list(known, "and")) };
                let detail = format!("Parameter {} of the query is none of this call's, which {taken}. Leave it out.", self.read);
                FieldError::new("", FieldCode::NameUnknown, detail)
            }
            Fault::NameRepeated(name) => FieldError::new(format!("/{name}"), FieldCode::NameRepeated, format!("Give `{name}` once.")),
            Fault::Missing(name) => FieldError::new(format!("/{name}"), FieldCode::ValueMissing, format!("Give `{name}` too.")),
            Fault::ValueUnknown(known) => {
                FieldError::new(format!("/{name}"), FieldCode::ValueUnknown, format!("`{name}` takes {}.", name_list(known, "or")))
            }
            Fault::Value(expected) => {
                FieldError::new(format!("/{name}"), FieldCode::ValueMalformed, format!("`{name}` takes {}.", Expecting(&expected)))
            }
            Fault::LeapSecond(error) => FieldError::new(format!("/{name}"), error.code(), error.detail()),
            Fault::Unreadable => {
                FieldError::new(format!("/{name}"), FieldCode::ValueMalformed, format!("Give `{name}` as an answer of ours gave it."))
            }
        }
    }
}

impl<'de> MapAccess<'de> for Parameters<'_> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Fault> {
        let Some((name, value)) = self.pairs.next() else { return Ok(None) };
        self.read += 1;
        self.value = Some(value);
        let read = seed.deserialize(IntoDeserializer::<Fault>::into_deserializer(name.as_ref()));
        self.name = Some(name);
        read.map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        seed.deserialize(Value(self.value.take().unwrap_or_default()))
    }
}

/// One value, which is a text until its reader wants something else.
struct Value<'q>(Cow<'q, str>);

impl Value<'_> {
    fn text(self) -> StringDeserializer<Fault> {
        self.0.into_owned().into_deserializer()
    }
}

macro_rules! numbers {
    ($($method:ident => $visit:ident),*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
            let number = self.0.parse().map_err(|_| Fault::Value("a whole number".to_owned()))?;
            visitor.$visit(number)
        })*
    };
}

impl<'de> Deserializer<'de> for Value<'_> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let expected = (&visitor as &dyn Expected).to_string();
        // As in bodies: the parser of a timestamp takes more spellings, and a leap second for the second before it.
        if expected == TIMESTAMP
            && let Err(error) = timing::instant(&self.0, "")
        {
            return Err(if error.fault == TimeFault::LeapSecond { Fault::LeapSecond(error) } else { Fault::Value(expected) });
        }
        // What a type says of a text that it cannot read may repeat it; what it takes does not.
        self.text().deserialize_any(visitor).map_err(|fault| match fault {
            Fault::Unreadable => Fault::Value(expected),
            fault => fault,
        })
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(self, name: &'static str, names: &'static [&'static str], visitor: V) -> Result<V::Value, Fault> {
        self.text().deserialize_enum(name, names, visitor)
    }

    numbers! {
        deserialize_u8 => visit_u8, deserialize_u16 => visit_u16, deserialize_u32 => visit_u32, deserialize_u64 => visit_u64,
        deserialize_i8 => visit_i8, deserialize_i16 => visit_i16, deserialize_i32 => visit_i32, deserialize_i64 => visit_i64
    }

    forward_to_deserialize_any! {
        bool i128 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use domain::id::GroupId;
    use domain::platform::PlatformName;
    use jiff::Timestamp;
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only whether it is read matters")]
    struct Filter {
        limit: Option<u8>,
        from: Option<Timestamp>,
        platform: Option<PlatformName>,
        group_id: Option<GroupId>,
        word: String,
    }

    fn refused(query: &str) -> (String, &'static str, String) {
        let problem = read::<Filter>(query).unwrap_err();
        assert_eq!(problem.code(), crate::problem::ProblemCode::MalformedRequest);
        let [error] = problem.errors() else { panic!("one parameter is at fault: {query}") };
        assert!(!error.detail.contains("evil"), "{}", error.detail);
        (error.pointer.to_string(), error.code.as_str(), error.detail.to_string())
    }

    #[test]
    fn a_sound_query_is_read() {
        let all = "word=a%20b+c&limit=7&from=2026-11-24T09:00:00Z&platform=x&group_id=01ARZ3NDEKTSV4RRFFQ69G5FAV";
        let read = read::<Filter>(all).unwrap();
        assert_eq!((read.word.as_str(), read.limit), ("a b c", Some(7)));
    }

    #[test]
    fn the_parameter_at_fault_is_named_with_what_it_takes() {
        let platforms = format!("`platform` takes {}.", name_list(&PlatformName::ALL.map(PlatformName::as_str), "or"));
        for (query, pointer, code, told) in [
            ("word=a&limit=evil", "/limit", "value_malformed", "`limit` takes a whole number."),
            ("word=a&limit=256", "/limit", "value_malformed", "`limit` takes a whole number."),
            ("word=a&limit=", "/limit", "value_malformed", "`limit` takes a whole number."),
            ("word=a&platform=evil", "/platform", "value_unknown", &platforms),
            ("word=a&from=evil", "/from", "value_malformed", "`from` takes a time with its offset, such as 2026-11-24T09:00:00Z."),
            (
                "word=a&from=20261231T235960Z",
                "/from",
                "value_malformed",
                "`from` takes a time with its offset, such as 2026-11-24T09:00:00Z.",
            ),
            ("word=a&from=2026-12-31T23:59:60Z", "/from", "time_malformed", "Leap seconds are not taken. Give a second from 00 to 59."),
            ("word=a&from=2016-12-31T23:59:60.5Z", "/from", "time_malformed", "Leap seconds are not taken. Give a second from 00 to 59."),
            ("word=a&group_id=evil", "/group_id", "value_malformed", "Give `group_id` as an answer of ours gave it."),
            ("word=a&limit=1&limit=2", "/limit", "name_repeated", "Give `limit` once."),
            ("limit=1", "/word", "value_missing", "Give `word` too."),
        ] {
            assert_eq!(refused(query), (pointer.to_owned(), code, told.to_owned()), "{query}");
        }
    }

    #[test]
    fn an_unknown_parameter_is_told_by_its_place_and_not_repeated() {
        let (pointer, code, detail) = refused("word=a&evil=1");
        assert_eq!((pointer.as_str(), code), ("", "name_unknown"));
        assert!(detail.starts_with("Parameter 2 of the query is none of this call's, which takes `limit`, `from`,"), "{detail}");
        let none = read::<super::super::NoFields>("a=1").unwrap_err();
        assert_eq!(none.errors()[0].detail, "Parameter 1 of the query is none of this call's, which takes none. Leave it out.");
    }
}
