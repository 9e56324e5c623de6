//! Which function has a path: a literal part beats a parameter, and `$default` has what nobody has.

/// The routes of a gateway.
#[derive(Debug, Default)]
pub(super) struct Paths {
    routes: Vec<(String, usize)>,
    default: Option<usize>,
}

/// A route and the place of its function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found<'a> {
    /// As it was added.
    pub(super) route: &'a str,
    /// As it was added.
    pub(super) function: usize,
}

impl Paths {
    /// Adds a path, such as `/api/posts/{id}`, or `$default`.
    pub(super) fn add(&mut self, path: &str, function: usize) {
        if path == "$default" {
            self.default = Some(function);
        } else {
            self.routes.push((path.to_owned(), function));
        }
    }

    /// The route of an undecoded path.
    pub(super) fn find(&self, path: &str) -> Option<Found<'_>> {
        let matching = self.routes.iter().filter(|(route, _)| matches(route, path));
        let best = matching.min_by_key(|(route, _)| route.matches('{').count());
        match best {
            Some((route, function)) => Some(Found { route, function: *function }),
            None => self.default.map(|function| Found { route: "$default", function }),
        }
    }
}

fn matches(route: &str, path: &str) -> bool {
    let mut parts = path.split('/');
    route.split('/').all(|wanted| parts.next().is_some_and(|part| if wanted.starts_with('{') { !part.is_empty() } else { part == wanted }))
        && parts.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_literal_beats_a_parameter_and_the_default_has_the_rest() {
        let mut paths = Paths::default();
        for (index, path) in
            ["/api/connections/{id}", "/api/connections/choices/{id}", "/api/user", "/api/{any}", "$default"].iter().enumerate()
        {
            paths.add(path, index);
        }
        let cases = [
            ("/api/connections/1", 0),
            ("/api/connections/choices/1", 1),
            ("/api/user", 2),
            ("/api/other", 3),
            ("/api/connections/", 4),
            ("/api/user/", 4),
            ("/", 4),
            ("//api/user", 4),
        ];
        for (path, function) in cases {
            assert_eq!(paths.find(path).unwrap().function, function, "{path}");
        }
        assert_eq!(Paths::default().find("/api/user"), None);
    }
}
