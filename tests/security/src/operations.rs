//! The calls of the contract, and how each is filled in.

/// One call.
#[derive(Debug, Clone)]
pub struct Operation {
    /// `GET`, `POST` …
    pub method: &'static str,
    /// With its parameters in braces.
    pub path: &'static str,
    /// Whether it demands a session.
    pub signed_in: bool,
    /// A body that it takes from its owner, in which `{name}` stands for a thing of the scene.
    pub body: Option<&'static str>,
}

const fn call(method: &'static str, path: &'static str, signed_in: bool, body: Option<&'static str>) -> Operation {
    Operation { method, path, signed_in, body }
}

const DRAFT: &str = r#"{"content":"Hello","targets":[{"connection_id":"{x}"}],"scheduled_for":"2099-01-01T00:00:00Z"}"#;

/// Every call.
pub const ALL: &[Operation] = &[
    call("POST", "/api/verification-codes", false, Some(r#"{"phone":"+61412345709"}"#)),
    call("POST", "/api/verify-code", false, Some(r#"{"phone":"+61412345709","code":"000000"}"#)),
    call("GET", "/api/plans", false, None),
    call("POST", "/api/redeem-gift", true, Some(r#"{"code":"{gift}"}"#)),
    call("POST", "/api/establish-session", true, None),
    call("POST", "/api/logout", true, None),
    call("GET", "/api/sessions", true, None),
    call("DELETE", "/api/sessions/{id}", true, None),
    call("GET", "/api/user", true, None),
    call("GET", "/api/user/status", true, None),
    call("GET", "/api/quota", true, None),
    call("GET", "/api/quota/history", true, None),
    call("GET", "/api/platforms", true, None),
    call("GET", "/api/connections", true, None),
    call("DELETE", "/api/connections/{id}", true, None),
    call("GET", "/api/connections/choices/{id}", true, None),
    call("POST", "/api/connections/choices/{id}", true, Some(r#"{"account_ids":["100000000000001"]}"#)),
    call("GET", "/api/health", false, None),
    call("POST", "/api/posts", true, Some(DRAFT)),
    call("GET", "/api/posts", true, None),
    call("GET", "/api/posts/{id}", true, None),
    call("PATCH", "/api/posts/{id}", true, Some(r#"{"content":"Edited"}"#)),
    call("DELETE", "/api/posts/{id}", true, None),
    call("POST", "/api/posts/{id}/approve", true, None),
    call("POST", "/api/posts/{id}/cancel", true, None),
    call("POST", "/api/posts/{id}/retry", true, Some("{}")),
    call("POST", "/api/posts/{id}/resolve", true, Some(r#"{"outcome":"not_published"}"#)),
    call("GET", "/oauth/{platform}/start", true, None),
];

/// The things of the scene that a path's `{id}` can stand for, Ann's by name; nothing for a path that has none.
///
/// A path with a parameter that is not known here fails the tests that walk the contract: whoever adds one says what it names.
pub fn ids_of(path: &str) -> &'static [&'static str] {
    match path {
        path if path.starts_with("/api/posts/{id}") => &["draft", "scheduled", "cancelled"],
        "/api/connections/{id}" => &["x", "facebook"],
        "/api/connections/choices/{id}" => &["choice"],
        "/api/sessions/{id}" => &["session"],
        path => {
            let unknown = path.replace("{platform}", "x");
            assert!(!unknown.contains('{'), "what does the parameter of {path} name? Say it here, so that it is attacked");
            &[]
        }
    }
}

impl Operation {
    /// Whether it changes something, so that a foreign page must not be able to call it.
    pub fn changes(&self) -> bool {
        self.method != "GET"
    }

    /// The path with `{name}`s of the scene for its parameters, the first thing that fits.
    pub fn target(&self) -> String {
        let path = self.path.replace("{platform}", "x");
        ids_of(self.path).first().map_or(path.clone(), |name| path.replace("{id}", &format!("{{{name}}}")))
    }
}
