//! What the user names before a consent: the server, or the handle, from the query or from the connection that is to be made anew.

use domain::connection::Connection;
use domain::platform::{Named, Needs, ServerName};
use edge::problem::{FieldCode, FieldError, Problem};

/// What is needed, as it was asked for; `None`: nothing is.
pub(crate) fn named(
    needs: Option<Needs>,
    (server, handle): (Option<&str>, Option<&str>),
    before: Option<&Connection>,
) -> Result<Option<Named>, Problem> {
    let given = [(Needs::Server, server), (Needs::Handle, handle)];
    if let Some((other, _)) = given.iter().find(|(of, text)| text.is_some() && Some(*of) != needs) {
        return Err(Problem::query(FieldError::new(
            pointer(*other),
            FieldCode::NameUnknown,
            "This platform does not need it. Leave it out.",
        )));
    }
    let Some(needed) = needs else { return Ok(None) };
    let known = before.and_then(|connection| match needed {
        Needs::Server => connection.app_server.as_ref().map(ServerName::as_str),
        Needs::Handle => Some(connection.username.as_str()),
    });
    let Some(text) = given.iter().find_map(|(_, text)| *text).or(known) else {
        let detail = format!("Give `{}` too: this platform needs it.", needed.as_str());
        return Err(Problem::query(FieldError::new(pointer(needed), FieldCode::ValueMissing, detail)));
    };
    Named::parse(needed, text).map(Some).map_err(|_| misnamed(needed, FieldCode::ValueMalformed))
}

/// What the user named leads nowhere.
pub(crate) fn unknown(named: &Named) -> Problem {
    match named {
        Named::Server(_) => misnamed(Needs::Server, FieldCode::ServerUnknown),
        Named::Handle(_) => misnamed(Needs::Handle, FieldCode::HandleUnknown),
    }
}

fn misnamed(needed: Needs, code: FieldCode) -> Problem {
    let detail = match needed {
        Needs::Server => "This is no server that an account could be connected at. Give its name, such as mastodon.social.",
        Needs::Handle => "This is no account that could be connected. Give its whole handle, such as ada.bsky.social.",
    };
    Problem::validation(Vec::new()).with_error(pointer(needed), code, detail)
}

fn pointer(of: Needs) -> &'static str {
    match of {
        Needs::Server => "/server",
        Needs::Handle => "/handle",
    }
}

#[cfg(test)]
mod tests {
    use domain::connection::{Grant, GrantLife};
    use domain::id::{ConnectionId, UserId};
    use domain::platform::{AccountKind, PlatformName, ServerName};
    use domain::token::TokenSet;
    use edge::problem::ProblemCode;
    use jiff::Timestamp;

    use super::*;

    fn before() -> Connection {
        let at = Timestamp::UNIX_EPOCH;
        let names = ("7".to_owned(), "ada.example".to_owned());
        let tokens = TokenSet::bare("a".to_owned().into());
        let grant = Grant::new(PlatformName::X, names, AccountKind::Profile, &tokens, &[]);
        let grant = grant.living_on(None, ServerName::parse("one.example").ok());
        let (id, user) = (ConnectionId::new(at, [1; 10]), UserId::new(at, [2; 10]));
        Connection::connected(id, user, grant, (String::new(), String::new()), GrantLife::unwatched(at), at)
    }

    /// The fault that is told.
    fn fault(named: Result<Option<Named>, Problem>) -> (ProblemCode, String, FieldCode) {
        let problem = named.unwrap_err();
        let error = &problem.errors()[0];
        (problem.code(), error.pointer.clone().into_owned(), error.code)
    }

    #[test]
    fn what_is_needed_is_named_or_known_from_the_connection() {
        let server = |text| Some(Named::Server(ServerName::parse(text).unwrap()));
        assert_eq!(named(None, (None, None), None).unwrap(), None);
        assert_eq!(named(Some(Needs::Server), (Some("two.example"), None), Some(&before())).unwrap(), server("two.example"));
        assert_eq!(named(Some(Needs::Server), (None, None), Some(&before())).unwrap(), server("one.example"));
        let of_before = named(Some(Needs::Handle), (None, None), Some(&before())).unwrap();
        assert_eq!(of_before, Some(Named::parse(Needs::Handle, "ada.example").unwrap()));
    }

    #[test]
    fn what_is_missing_too_much_or_unreadable_is_told_by_its_name() {
        use FieldCode::{NameUnknown, ValueMalformed, ValueMissing};
        use ProblemCode::{MalformedRequest, ValidationFailed};
        let (server, handle) = (Some(Needs::Server), Some(Needs::Handle));
        for (needs, given, told) in [
            (None, (Some("a.example"), None), (MalformedRequest, "/server", NameUnknown)),
            (None, (None, Some("a.example")), (MalformedRequest, "/handle", NameUnknown)),
            (server, (Some("a.example"), Some("a.example")), (MalformedRequest, "/handle", NameUnknown)),
            (handle, (Some("a.example"), None), (MalformedRequest, "/server", NameUnknown)),
            (server, (None, None), (MalformedRequest, "/server", ValueMissing)),
            (handle, (None, None), (MalformedRequest, "/handle", ValueMissing)),
            (server, (Some(""), None), (ValidationFailed, "/server", ValueMalformed)),
            (server, (Some("127.0.0.1"), None), (ValidationFailed, "/server", ValueMalformed)),
            (handle, (None, Some("ada")), (ValidationFailed, "/handle", ValueMalformed)),
        ] {
            let (code, at, field) = fault(named(needs, given, None));
            assert_eq!((code, at.as_str(), field), told, "{needs:?} {given:?}");
        }
    }
}
