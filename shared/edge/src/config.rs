//! Configuration: read once at start, every fault reported together.
//!
//! ```
//! use edge::config::{self, Source, Web, variables};
//!
//! struct Config { posts_table: String, web: Web }
//!
//! # let source = Source::from_fn(|name| match name {
//! #     "POSTS_TABLE" => Some("posts".to_owned()),
//! #     "PUBLIC_URL" | "FRONTEND_URL" => Some("https://app.example.com".to_owned()),
//! #     _ => None,
//! # });
//! let config = config::read(&source, |variables| Config {
//!     posts_table: variables.text(variables::POSTS_TABLE),
//!     web: Web::read(variables),
//! })?;
//! # assert_eq!(config.web.allowed_origins, ["https://app.example.com"]);
//! # assert_eq!(config.posts_table, "posts");
//! # Ok::<_, config::ConfigError>(())
//! ```

mod check;
mod entries;
mod groups;
mod platforms;
pub mod variables;

use std::fmt;

use tracing::Level;
use url::Url;

pub use groups::{Billing, PhoneCodes, Prices, Queue, Schedules, Web};
pub use platforms::{Platforms, metrics_paces, platform_addresses};
pub use variables::VARIABLES;

type ReadVariable = dyn Fn(&str) -> Option<String> + Send + Sync;

/// Where variables come from: the process, or whoever drives the tests and the local run.
pub struct Source(Box<ReadVariable>);

impl Source {
    /// The process's environment. A value that is not UTF-8 counts as missing.
    #[expect(clippy::disallowed_methods, reason = "the one place where the environment enters")]
    pub fn system() -> Self {
        Self(Box::new(|name| std::env::var(name).ok()))
    }

    /// Variables that `read` decides.
    pub fn from_fn(read: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        Self(Box::new(read))
    }

    /// One variable as it stands.
    pub fn get(&self, name: &str) -> Option<String> {
        (self.0)(name)
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Source")
    }
}

/// One variable at fault. It names the variable and what was expected, never the value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Not set, or empty.
    Missing(&'static str),
    /// Set to something else than was expected.
    Invalid(&'static str, &'static str),
    /// An entry of a list.
    Entry {
        /// The list's variable.
        variable: &'static str,
        /// Its name, or its place in the list where it has none of ours.
        entry: String,
        /// What was expected.
        expected: String,
    },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(name) => write!(f, "{name} is missing"),
            Self::Invalid(name, expected) => write!(f, "{name} must be {expected}"),
            Self::Entry { variable, entry, expected } => write!(f, "{variable}: {entry} must be {expected}"),
        }
    }
}

/// Every variable at fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("configuration: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
pub struct ConfigError(pub Vec<Fault>);

/// Builds a configuration from `source`. `build` sees placeholders where a variable is at fault, so that it reads on and
/// every fault is found; what it built is then dropped, and the faults are returned.
pub fn read<T>(source: &Source, build: impl FnOnce(&mut Variables<'_>) -> T) -> Result<T, ConfigError> {
    let mut variables = Variables { source, faults: Vec::new() };
    let config = build(&mut variables);
    if variables.faults.is_empty() { Ok(config) } else { Err(ConfigError(variables.faults)) }
}

/// Reads variables and remembers those at fault.
#[derive(Debug)]
pub struct Variables<'a> {
    source: &'a Source,
    faults: Vec<Fault>,
}

impl Variables<'_> {
    /// A name: visible ASCII, not empty.
    pub fn text(&mut self, name: &'static str) -> String {
        self.required(name, "a name in visible ASCII", check::text).unwrap_or_default()
    }

    /// An address: HTTPS, or HTTP on this machine.
    pub fn url(&mut self, name: &'static str) -> Url {
        self.required(name, check::URL, check::url).unwrap_or_else(placeholder_url)
    }

    /// An address that has a documented default.
    pub fn url_or(&mut self, name: &'static str, default: &'static str) -> Url {
        let url = self.optional(name, check::URL, check::url);
        url.unwrap_or_else(|| Url::parse(default).expect("the default is an address"))
    }

    /// An Amazon resource name.
    pub fn arn(&mut self, name: &'static str) -> String {
        self.required(name, "an ARN", check::arn).unwrap_or_default()
    }

    /// How much is logged; INFO when it is not set.
    pub fn log_level(&mut self) -> Level {
        self.optional(variables::LOG_LEVEL, "error, warn, info, debug or trace", check::log_level).unwrap_or(Level::INFO)
    }

    /// What the names of our secrets begin with.
    pub fn secrets_prefix(&mut self) -> String {
        let expected = "letters, digits and /_+=.@- without a slash at either end";
        self.required(variables::SECRETS_PREFIX, expected, check::secrets_prefix).unwrap_or_default()
    }

    /// A limit that has a documented default.
    pub fn count_or(&mut self, name: &'static str, default: u32) -> u32 {
        self.optional(name, "a whole number from 1 to 10000000", check::count).unwrap_or(default)
    }

    /// A variable that must be set and not empty.
    fn required<T>(&mut self, name: &'static str, expected: &'static str, check: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        match (self.source.0)(name).filter(|value| !value.is_empty()) {
            Some(value) => self.checked(name, expected, check(&value)),
            None => self.missing(name),
        }
    }

    /// A variable that must be set and may be empty.
    fn present<T>(&mut self, name: &'static str, expected: &'static str, check: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        match (self.source.0)(name) {
            Some(value) => self.checked(name, expected, check(&value)),
            None => self.missing(name),
        }
    }

    /// A variable that need not be set; an empty one is not.
    fn optional<T>(&mut self, name: &'static str, expected: &'static str, check: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        let value = (self.source.0)(name).filter(|value| !value.is_empty())?;
        self.checked(name, expected, check(&value))
    }

    fn missing<T>(&mut self, name: &'static str) -> Option<T> {
        self.faults.push(Fault::Missing(name));
        None
    }

    fn checked<T>(&mut self, name: &'static str, expected: &'static str, value: Option<T>) -> Option<T> {
        if value.is_none() {
            self.faults.push(Fault::Invalid(name, expected));
        }
        value
    }
}

/// Stands where a faulty address would; never leaves [`read`].
fn placeholder_url() -> Url {
    Url::parse("https://invalid.invalid").expect("a constant address")
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::collections::HashMap;
    use std::sync::{Arc, Mutex};

    use domain::analytics::Paces;
    use domain::platform::{PlatformAddresses, PlatformName};

    use super::*;

    fn source(values: &[(&'static str, &'static str)]) -> Source {
        let values: HashMap<_, _> = values.iter().copied().collect();
        Source::from_fn(move |name| values.get(name).map(|value| (*value).to_owned()))
    }

    /// Reads everything that can be read.
    fn read_all(variables: &mut Variables<'_>) -> (Vec<String>, Web, Queue, Schedules, Platforms, Level, PhoneCodes, Billing, Paces) {
        let tables = [variables::USERS_TABLE, variables::POSTS_TABLE, variables::LEDGER_TABLE, variables::SESSIONS_TABLE];
        let mut names = tables.map(|table| variables.text(table)).to_vec();
        names.push(variables.secrets_prefix());
        names.push(variables.text(variables::HASH_KEY_SECRET));
        let (web, queue) = (Web::read(variables), Queue::read(variables));
        let (schedules, platforms) = (Schedules::read(variables), Platforms::read(variables));
        let billing = Billing::read(variables);
        let paces = metrics_paces(variables);
        (names, web, queue, schedules, platforms, variables.log_level(), PhoneCodes::read(variables), billing, paces)
    }

    #[test]
    fn every_fault_is_reported_at_once_and_no_value_is_shown() {
        let source = source(&[
            ("USERS_TABLE", "users"),
            ("POSTS_TABLE", ""),
            ("PUBLIC_URL", "http://marker.example"),
            ("FRONTEND_URL", "https://app.example.com"),
            ("ALLOWED_ORIGINS", "*"),
            ("PUBLISH_QUEUE_ARN", "marker"),
            ("PLATFORMS", "x,marker"),
            ("PLATFORM_ADDRESSES", "x.api=marker,marker"),
            ("METRICS_PACE", "x=marker"),
            ("LOG_LEVEL", "marker"),
            ("CODE_COUNTRIES", "AU,marker"),
            ("CODES_PER_ADDRESS_MAX", "0"),
            ("CODES_PER_DAY_MAX", "marker"),
        ]);
        let error = read(&source, read_all).unwrap_err();
        let text = error.to_string();
        for name in [
            "POSTS_TABLE",
            "LEDGER_TABLE",
            "SESSIONS_TABLE",
            "SECRETS_PREFIX",
            "HASH_KEY_SECRET",
            "PUBLISH_QUEUE_URL",
            "SCHEDULE_GROUP",
            "SCHEDULE_ROLE_ARN",
            "SCHEDULE_DLQ_ARN",
        ] {
            assert!(text.contains(&format!("{name} is missing")), "{name}: {text}");
        }
        for name in
            ["PUBLIC_URL", "ALLOWED_ORIGINS", "PUBLISH_QUEUE_ARN", "PLATFORMS", "LOG_LEVEL", "CODES_PER_ADDRESS_MAX", "CODES_PER_DAY_MAX"]
        {
            assert!(text.contains(&format!("{name} must be")), "{name}: {text}");
        }
        for fault in [
            "PLATFORM_ADDRESSES: x.api must be an https",
            "PLATFORM_ADDRESSES: entry 2 must be",
            "METRICS_PACE: x must be off or",
            "CODE_COUNTRIES: entry 2 must be a country's",
        ] {
            assert!(text.contains(fault), "{fault}: {text}");
        }
        assert_eq!(error.0.len(), 20, "{text}");
        assert!(!text.contains("marker"));
    }

    #[test]
    fn only_documented_values_have_defaults() {
        let required = [
            ("USERS_TABLE", "u"),
            ("POSTS_TABLE", "p"),
            ("LEDGER_TABLE", "l"),
            ("SESSIONS_TABLE", "s"),
            ("SECRETS_PREFIX", "postledger/dev"),
            ("HASH_KEY_SECRET", "k"),
            ("PUBLIC_URL", "https://api.example.com"),
            ("FRONTEND_URL", "https://app.example.com/ui"),
            ("PUBLISH_QUEUE_URL", "https://sqs.eu-west-1.amazonaws.com/1/q"),
            ("PUBLISH_QUEUE_ARN", "arn:aws:sqs:eu-west-1:1:q"),
            ("SCHEDULE_GROUP", "g"),
            ("SCHEDULE_ROLE_ARN", "arn:aws:iam::1:role/r"),
            ("SCHEDULE_DLQ_ARN", "arn:aws:sqs:eu-west-1:1:d"),
            ("PLATFORMS", "x"),
        ];
        let (_, web, _, _, platforms, level, codes, _, paces) = read(&source(&required), read_all).unwrap();
        assert_eq!(web.allowed_origins, ["https://app.example.com"]);
        assert_eq!(platforms.configured, [PlatformName::X]);
        assert_eq!((platforms.addresses, level, paces), (PlatformAddresses::default(), Level::INFO, Paces::default()));
        assert_eq!((codes.per_address_max, codes.per_day_max), (30, 1000));
        for missing in required {
            let rest: Vec<_> = required.into_iter().filter(|pair| *pair != missing).collect();
            assert_eq!(read(&source(&rest), read_all).unwrap_err().0, [Fault::Missing(missing.0)]);
        }
    }

    #[test]
    fn the_list_of_variables_is_what_is_read() {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let note = asked.clone();
        let source = Source::from_fn(move |name| {
            note.lock().unwrap().push(name.to_owned());
            None
        });
        let _ = read(&source, read_all);
        let mut asked = asked.lock().unwrap().clone();
        asked.sort_unstable();
        let listed = RefCell::new(VARIABLES.to_vec());
        listed.borrow_mut().sort_unstable();
        assert_eq!(asked, *listed.borrow());
    }
}
