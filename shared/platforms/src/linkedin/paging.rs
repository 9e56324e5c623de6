//! Lists that come in parts. See <https://learn.microsoft.com/linkedin/shared/api-guide/concepts/pagination>.

use serde::Deserialize;

/// What is asked for at once. LinkedIn gives less where it likes.
pub(super) const COUNT: usize = 100;

/// What an answer tells of the list that it is a part of.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Paging {
    links: Vec<Link>,
}

#[derive(Deserialize)]
struct Link {
    rel: String,
    #[serde(default)]
    href: String,
}

impl Paging {
    /// Where the next part begins, after one of so many that began at `start`. `None`: there is no more.
    pub(super) fn next(&self, start: usize, got: usize) -> Option<usize> {
        let link = self.links.iter().find(|link| link.rel == "next");
        match link {
            _ if got == 0 => None,
            Some(link) => Some(link.start().filter(|next| *next > start).unwrap_or(start + COUNT)),
            // A full part without a link may be the last one, or not.
            None => (got >= COUNT).then_some(start + COUNT),
        }
    }
}

impl Link {
    /// The `start` of its address, of which nothing else is followed.
    fn start(&self) -> Option<usize> {
        let (_, query) = self.href.split_once('?')?;
        url::form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "start").and_then(|(_, start)| start.parse().ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_goes_on_where_its_link_says_or_behind_a_full_part() {
        let next = |links: &str, start, got| serde_json::from_str::<Paging>(&format!(r#"{{"links":[{links}]}}"#)).unwrap().next(start, got);
        let link = |href: &str| format!(r#"{{"type":"application/json","rel":"next","href":"{href}"}}"#);
        assert_eq!(next(&link("/rest/posts?q=author&start=110&count=10"), 100, 10), Some(110));
        assert_eq!(next(&link("/rest/posts?start=7"), 100, 10), Some(200), "never back");
        assert_eq!(next(&link("https://api.linkedin.com/next"), 100, 10), Some(200));
        assert_eq!(next(&link("/rest/posts?start=110"), 100, 0), None, "nothing is followed by nothing");
        assert_eq!(next(r#"{"rel":"prev","href":"/rest/posts?start=0"}"#, 100, 10), None);
        assert_eq!((next("", 0, 99), next("", 0, 100)), (None, Some(100)));
    }
}
