//! What a value must look like. Each check gives the value or nothing; the reader says what was expected.

use domain::plan::Plan;
use domain::platform::PlatformName;
use tracing::Level;
use url::{Host, Url};

const NAME_CHARS_MAX: usize = 255;
const COUNT_MAX: u32 = 10_000_000;

/// What [`url`] expects, in words.
pub(super) const URL: &str = "an https address, or http on this machine, without query, fragment or credentials";

/// HTTPS, or HTTP on this machine: codes and cookies travel there. No query, fragment or credentials, since paths are
/// appended to it.
pub(super) fn url(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let bare = url.query().is_none() && url.fragment().is_none() && url.username().is_empty() && url.password().is_none();
    let safe = url.scheme() == "https" || (url.scheme() == "http" && is_loopback(&url));
    (bare && safe).then_some(url)
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// Origins exactly as browsers send them, so that they can be compared byte by byte; never `*` or `null`.
pub(super) fn origins(text: &str) -> Option<Vec<String>> {
    text.split(',')
        .map(str::trim)
        .map(|origin| url(origin).filter(|url| url.origin().ascii_serialization() == origin).map(|_| origin.to_owned()))
        .collect()
}

/// Pairs of a plan and a price, each price once.
pub(super) fn prices(list: &str) -> Option<Vec<(Plan, String)>> {
    let pair = |pair: &str| {
        let (plan, price) = pair.trim().split_once('=')?;
        let shape =
            price.starts_with("price_") && text(price).is_some() && price.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        shape.then_some((Plan::parse(plan)?, price.to_owned()))
    };
    let prices: Vec<_> = list.split(',').map(pair).collect::<Option<_>>()?;
    let unique: std::collections::BTreeSet<_> = prices.iter().map(|(_, price)| price).collect();
    (unique.len() == prices.len()).then_some(prices)
}

pub(super) fn arn(text: &str) -> Option<String> {
    let parts: Vec<_> = text.splitn(6, ':').collect();
    let whole = matches!(parts[..], ["arn", partition, service, _, _, resource] if !partition.is_empty() && !service.is_empty() && !resource.is_empty());
    (whole && is_visible(text)).then(|| text.to_owned())
}

pub(super) fn text(text: &str) -> Option<String> {
    (!text.is_empty() && text.len() <= NAME_CHARS_MAX && is_visible(text)).then(|| text.to_owned())
}

/// The characters that Secrets Manager takes in a name, without a slash at either end.
pub(super) fn secrets_prefix(prefix: &str) -> Option<String> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"/_+=.@-".contains(&byte);
    let bounded = !prefix.starts_with('/') && !prefix.ends_with('/') && prefix.bytes().all(allowed);
    text(prefix).filter(|_| bounded)
}

pub(super) fn count(text: &str) -> Option<u32> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|count| digits && (1..=COUNT_MAX).contains(count))
}

pub(super) fn log_level(text: &str) -> Option<Level> {
    let levels = [Level::ERROR, Level::WARN, Level::INFO, Level::DEBUG, Level::TRACE];
    levels.into_iter().find(|level| level.as_str().eq_ignore_ascii_case(text))
}

pub(super) fn platforms(text: &str) -> Option<Vec<PlatformName>> {
    let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
    let mut platforms = names.map(PlatformName::parse).collect::<Option<Vec<_>>>()?;
    platforms.sort_unstable();
    platforms.dedup();
    Some(platforms)
}

fn is_visible(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_https_or_on_this_machine() {
        for good in ["https://api.x.com", "https://a.example/base/", "http://localhost:3000", "http://127.0.0.1:9", "http://[::1]:9"] {
            assert!(url(good).is_some(), "{good}");
        }
        for bad in [
            "http://api.x.com",
            "ftp://localhost",
            "https://u@a.example",
            "https://a.example?x",
            "https://a.example#x",
            "a.example",
            "http://localhost.evil.example",
        ] {
            assert!(url(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn prices_belong_to_plans_and_stand_once() {
        let read = prices("starter=price_a, professional=price_b,starter=price_c").unwrap();
        assert_eq!(read[2], (Plan::Starter, "price_c".to_owned()));
        for bad in
            ["", "starter", "starter=", "starter=prod_a", "galactic=price_a", "starter=price_a,professional=price_a", "starter=price_a,"]
        {
            assert!(prices(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn origins_are_written_as_browsers_write_them() {
        assert_eq!(origins("https://a.example, http://localhost:3000").unwrap(), ["https://a.example", "http://localhost:3000"]);
        for bad in ["", "*", "null", "https://a.example/", "https://A.example", "https://a.example:443", "https://a.example,,"] {
            assert!(origins(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn names_are_checked() {
        assert!(arn("arn:aws:sqs:eu-west-1:123456789012:queue").is_some() && arn("arn:aws-cn:iam::1:role/a:b").is_some());
        assert!(arn("queue").is_none() && arn("arn:aws:sqs:eu-west-1:1:").is_none() && arn("arn:aws:sqs:e:1:a b").is_none());
        assert!(secrets_prefix("postledger/dev").is_some() && secrets_prefix("/a").is_none() && secrets_prefix("a/").is_none());
        assert_eq!(platforms("facebook, x,x").unwrap(), [PlatformName::X, PlatformName::Facebook]);
        assert_eq!((platforms("").unwrap().len(), platforms("myspace")), (0, None));
        assert_eq!((log_level("WARN"), log_level("debug"), log_level("loud")), (Some(Level::WARN), Some(Level::DEBUG), None));
    }
}
