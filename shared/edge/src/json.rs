//! Reading requests strictly, and answering in JSON.
//!
//! A refusal says where the input is at fault, never what stood there.

mod address;
mod fault;
mod query;
mod wording;

use std::fmt;
use std::marker::PhantomData;

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, OptionalFromRequest, Request};
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

pub use address::Path;
pub use query::Query;

use crate::http_event::BODY_BYTES_MAX;
use crate::problem::{Problem, ProblemCode};

/// A JSON body, in a request or in an answer.
///
/// In a request: `application/json` in UTF-8, at most 1 MiB, one value, no duplicate keys. Unknown keys are refused where
/// `T` says `#[serde(deny_unknown_fields)]`, which every request type of ours does. `Option<Json<T>>` also takes no body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned, S: Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        check_media_type(request.headers())?;
        let bytes = read(request).await?;
        parse(&bytes).map(Self)
    }
}

impl<T: DeserializeOwned, S: Sync> OptionalFromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Option<Self>, Problem> {
        let headers = request.headers().clone();
        let bytes = read(request).await?;
        if bytes.is_empty() {
            return Ok(None);
        }
        check_media_type(&headers)?;
        parse(&bytes).map(|value| Some(Self(value)))
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.0) {
            Ok(bytes) => {
                let mut response = Response::new(Body::from(bytes));
                response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
                response
            }
            Err(error) => Problem::internal(&error).into_response(),
        }
    }
}

/// A call that takes no input: no body, or `{}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Empty;

/// `{}` and nothing else.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NoFields {}

impl<S: Sync> FromRequest<S> for Empty {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        <Json<NoFields> as OptionalFromRequest<S>>::from_request(request, state).await.map(|_| Self)
    }
}

/// Reads one JSON value: 400 `malformed_json` for what is not JSON and for unknown or duplicate keys, 422
/// `validation_failed` for values that `T` does not take. What is at fault is named by its JSON pointer.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let mut body = serde_json::Deserializer::from_slice(bytes);
    let read = serde_path_to_error::deserialize::<_, Object<T>>(&mut body).map_err(|error| fault::refused(&error, bytes))?;
    body.end().map_err(|error| fault::not_json(&error))?;
    Ok(read.0)
}

/// A value that is written as a JSON object. serde also reads a struct from an array, by position: a body that nobody means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Object<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor(PhantomData)).map(Self)
    }
}

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map))
    }
}

async fn read(request: Request) -> Result<Bytes, Problem> {
    // In Lambda the whole body is in memory already: what fails here is the limit.
    axum::body::to_bytes(request.into_body(), BODY_BYTES_MAX).await.map_err(|_| Problem::new(ProblemCode::PayloadTooLarge))
}

fn check_media_type(headers: &HeaderMap) -> Result<(), Problem> {
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    let json = matches!((types.next(), types.next()), (Some(value), None) if is_json(value));
    if json && !headers.contains_key(CONTENT_ENCODING) { Ok(()) } else { Err(Problem::new(ProblemCode::UnsupportedMediaType)) }
}

fn is_json(value: &HeaderValue) -> bool {
    let Ok(text) = value.to_str() else { return false };
    let mut parts = text.split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default();
    essence.eq_ignore_ascii_case("application/json")
        && parts.all(|parameter| parameter.eq_ignore_ascii_case("charset=utf-8") || parameter.eq_ignore_ascii_case("charset=\"utf-8\""))
}

#[cfg(test)]
mod tests;
