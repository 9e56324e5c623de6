//! The table of problem codes.

use http::StatusCode;
use utoipa::openapi::schema::{ObjectBuilder, SchemaType, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

macro_rules! problem_codes {
    ($($name:ident = $status:ident, $code:literal, $title:literal, $detail:literal;)*) => {
        /// Every way in which a call can be refused, as the contract names it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[expect(missing_docs, reason = "the contract's own words; titles and details say the rest")]
        pub enum ProblemCode { $($name,)* }

        impl ProblemCode {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The stable name, in snake case.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// The status that it is answered with.
            pub fn status(self) -> StatusCode {
                match self { $(Self::$name => StatusCode::$status,)* }
            }

            /// A short summary that is the same for every occurrence (RFC 9457, section 3.1.3).
            pub fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }

            /// What to tell the caller when the occurrence has nothing better to say.
            pub fn default_detail(self) -> &'static str {
                match self { $(Self::$name => $detail,)* }
            }
        }
    };
}

problem_codes! {
    MalformedJson = BAD_REQUEST, "malformed_json", "Malformed JSON", "The body is not the JSON that this call takes. Correct it.";
    MalformedRequest = BAD_REQUEST, "malformed_request", "Malformed request", "The request could not be read. Check its address, headers and query.";
    InvalidCode = BAD_REQUEST, "invalid_code", "Invalid code", "This code cannot be used. Check it, or get another one.";
    InvalidCursor = BAD_REQUEST, "invalid_cursor", "Invalid cursor", "This cursor does not belong to this list. Begin with the first page.";
    SignatureInvalid = BAD_REQUEST, "signature_invalid", "Invalid signature", "The signature does not match the body. Sign it as it is sent.";
    SessionRequired = UNAUTHORIZED, "session_required", "Session required", "Sign in first.";
    SessionExpired = UNAUTHORIZED, "session_expired", "Session expired", "Sign in again.";
    CsrfRejected = FORBIDDEN, "csrf_rejected", "Cross-site request refused", "The request did not come from our own pages. Load the page anew, and send `X-CSRF-Token`.";
    NotFound = NOT_FOUND, "not_found", "Not found", "There is nothing here for you. Check the address.";
    MethodNotAllowed = METHOD_NOT_ALLOWED, "method_not_allowed", "Method not allowed", "See the Allow header for what this address takes.";
    PostInFlight = CONFLICT, "post_in_flight", "Post in flight", "The post is being published and can no longer be changed. Wait for how it ends.";
    QuotaExhausted = CONFLICT, "quota_exhausted", "Quota exhausted", "The cycle of this post has no posts left. Choose a time in another cycle, or a larger plan.";
    NoActivePlan = CONFLICT, "no_active_plan", "No active plan", "Choose a plan or redeem a gift certificate first.";
    ConnectionUnusable = CONFLICT, "connection_unusable", "Connection unusable",
        "Connect the account again, or choose another one for this post.";
    IdempotencyInFlight = CONFLICT, "idempotency_in_flight", "First request still running", "A request with this Idempotency-Key is still running. Send it again in a moment.";
    StateConflict = CONFLICT, "state_conflict", "State conflict", "This cannot be done in the present state. Read it again.";
    StaleVersion = PRECONDITION_FAILED, "stale_version", "Stale version", "It was changed in the meantime. Read it again.";
    PayloadTooLarge = PAYLOAD_TOO_LARGE, "payload_too_large", "Payload too large", "The body is larger than 1 MiB. Send less.";
    UnsupportedMediaType = UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", "Unsupported media type", "Send application/json.";
    ValidationFailed = UNPROCESSABLE_ENTITY, "validation_failed", "Validation failed", "Some fields are at fault. Correct what `errors` names.";
    IdempotencyKeyReused = UNPROCESSABLE_ENTITY, "idempotency_key_reused", "Idempotency key reused",
        "This Idempotency-Key was used for another request. Take a new one.";
    PreconditionRequired = PRECONDITION_REQUIRED, "precondition_required", "Precondition required", "Send If-Match with the version that you have read.";
    TooManyRequests = TOO_MANY_REQUESTS, "too_many_requests", "Too many requests", "This was asked too often. Try again after the seconds of Retry-After.";
    Internal = INTERNAL_SERVER_ERROR, "internal", "Internal error", "Something went wrong on our side. Try again, and tell us if it stays so.";
    Unavailable = SERVICE_UNAVAILABLE, "unavailable", "Unavailable", "This cannot be done at the moment. Try again shortly.";
}

impl PartialSchema for ProblemCode {
    fn schema() -> RefOr<Schema> {
        let names = Self::ALL.iter().map(|code| code.as_str());
        ObjectBuilder::new()
            .schema_type(SchemaType::Type(Type::String))
            .description(Some("Every way in which a call can be refused."))
            .enum_values(Some(names))
            .into()
    }
}

impl ToSchema for ProblemCode {}
