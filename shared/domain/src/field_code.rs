//! What is wrong with one field of a request, as a stable name.

use serde::{Serialize, Serializer};
use utoipa::openapi::schema::{ObjectBuilder, SchemaType, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

macro_rules! field_codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal;)*) => {
        /// Every way in which a field or a parameter can be at fault, as the contract names it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum FieldCode {
            $($(#[$doc])* $name,)*
        }

        impl FieldCode {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The stable name, in snake case.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }
        }
    };
}

field_codes! {
    /// A field or parameter that the call needs is not there.
    ValueMissing = "value_missing";
    /// Something else than this field takes: a number for a text, a list for an object.
    ValueOfWrongKind = "value_of_wrong_kind";
    /// None of the names that this field takes.
    ValueUnknown = "value_unknown";
    /// Of the right kind, and not readable.
    ValueMalformed = "value_malformed";
    /// A number or a length of time beyond its limits.
    OutOfRange = "out_of_range";
    /// A name that this call does not take.
    NameUnknown = "name_unknown";
    /// A name that comes twice.
    NameRepeated = "name_repeated";
    /// A period that ends before it begins.
    PeriodReversed = "period_reversed";
    /// A period that holds or lasts more than one answer tells.
    PeriodTooLong = "period_too_long";
    /// A cursor that we did not give this user for this list.
    CursorUnknown = "cursor_unknown";
    /// No number that a text message reaches.
    PhoneInvalid = "phone_invalid";
    /// A code or certificate that cannot be used, whatever the reason.
    CodeUnusable = "code_unusable";
    /// Nothing that can be seen.
    TextEmpty = "text_empty";
    /// Over the limit of the platform or of the field.
    TextTooLong = "text_too_long";
    /// A control character, or a code point that is no character.
    TextForbiddenCharacter = "text_forbidden_character";
    /// More than a minute ago.
    DueInPast = "due_in_past";
    /// More than a year ahead.
    DueTooFar = "due_too_far";
    /// No such zone in the IANA database.
    TimeZoneUnknown = "time_zone_unknown";
    /// Neither offset nor zone.
    TimeWithoutZone = "time_without_zone";
    /// No time was given.
    TimeMissing = "time_missing";
    /// An instant and a local time were given.
    TimeAmbiguous = "time_ambiguous";
    /// Not a time.
    TimeMalformed = "time_malformed";
    /// The last moment is not after the due time.
    LatestNotAfterDue = "latest_not_after_due";
    /// The last moment is over.
    LatestInPast = "latest_in_past";
    /// The last moment is more than a day after the due time.
    LatestTooFar = "latest_too_far";
    /// No such medium.
    MediaUnknown = "media_unknown";
    /// No target, or more than a request takes.
    TargetsCount = "targets_count";
    /// The user has no such connection.
    ConnectionUnknown = "connection_unknown";
    /// Two targets name the same connection.
    ConnectionRepeated = "connection_repeated";
    /// A post stays on its platform.
    ConnectionOfOtherPlatform = "connection_of_other_platform";
    /// No account, or one twice.
    AccountsCount = "accounts_count";
    /// An account that was not offered.
    AccountUnknown = "account_unknown";
    /// No server that an account could be connected at.
    ServerUnknown = "server_unknown";
    /// No account that could be connected.
    HandleUnknown = "handle_unknown";
    /// A post that is not published has no address.
    UrlUnexpected = "url_unexpected";
    /// Not the https address of a website.
    UrlMalformed = "url_malformed";
    /// A plan that is not sold here.
    NotForSale = "not_for_sale";
}

impl Serialize for FieldCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl PartialSchema for FieldCode {
    fn schema() -> RefOr<Schema> {
        let names = Self::ALL.iter().map(|code| code.as_str());
        ObjectBuilder::new()
            .schema_type(SchemaType::Type(Type::String))
            .description(Some("What is wrong with one field or parameter."))
            .enum_values(Some(names))
            .into()
    }
}

impl ToSchema for FieldCode {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_in_snake_case() {
        let mut names: Vec<_> = FieldCode::ALL.iter().map(|code| code.as_str()).collect();
        assert!(names.iter().all(|name| name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')));
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), FieldCode::ALL.len());
    }
}
