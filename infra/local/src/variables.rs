//! What the functions find in their environment on this machine.

use domain::platform::PlatformName;
use edge::config::{Source, variables as name};
use store::Tables;
use url::Url;

/// What the names of our secrets begin with.
pub const SECRETS_PREFIX: &str = "postledger/local";
/// The secret of the hash key.
pub const HASH_KEY_SECRET: &str = "postledger/local/hash-key";
/// Texts end in an inbox here, so that no carrier asks whose they are: more countries than are served elsewhere by default.
const CODE_COUNTRIES: &str = "AT,AU,BE,CA,CH,DE,DK,ES,FI,FR,GB,GG,IE,IM,IT,JE,JP,LU,NL,NO,NZ,PT,SE,SG,US";
const SCHEDULE_GROUP: &str = "postledger-local";

/// The tables by name.
pub fn tables() -> Tables {
    Tables {
        users: "postledger-local-users".to_owned(),
        posts: "postledger-local-posts".to_owned(),
        ledger: "postledger-local-ledger".to_owned(),
        sessions: "postledger-local-sessions".to_owned(),
    }
}

/// The origin of `host` on `port`, as a browser writes it: without the port that http implies.
pub(crate) fn origin(host: &str, port: u16) -> String {
    if port == 80 { format!("http://{host}") } else { format!("http://{host}:{port}") }
}

/// What is set otherwise than this machine does by itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    variables: Vec<(&'static str, String)>,
    frontend: Option<Url>,
    origins: Vec<String>,
    platforms: Option<String>,
}

impl<const N: usize> From<&[(&'static str, &'static str); N]> for Settings {
    /// Variables, each with its whole value.
    fn from(variables: &[(&'static str, &'static str); N]) -> Self {
        Self { variables: variables.iter().map(|(name, value)| (*name, (*value).to_owned())).collect(), ..Self::default() }
    }
}

impl Settings {
    /// A variable with its whole value.
    #[must_use]
    pub fn with_variable(mut self, name: &'static str, value: String) -> Self {
        self.variables.push((name, value));
        self
    }

    /// The frontend is there, and its pages may call.
    #[must_use]
    pub fn with_frontend(self, url: Url) -> Self {
        Self { frontend: Some(url), ..self }
    }

    /// Pages of these origins may call, too.
    #[must_use]
    pub fn with_origins(mut self, origins: impl IntoIterator<Item = String>) -> Self {
        self.origins.extend(origins);
        self
    }

    /// Platforms are elsewhere, as `PLATFORM_ADDRESSES` says it; those that it does not name stay simulated.
    #[must_use]
    pub fn with_platforms(self, addresses: String) -> Self {
        Self { platforms: Some(addresses), ..self }
    }

    fn allowed_origins(&self, port: u16) -> String {
        let own = [origin("localhost", port), origin("127.0.0.1", port)];
        let frontend = self.frontend.iter().map(|url| url.origin().ascii_serialization());
        own.into_iter().chain(frontend).chain(self.origins.iter().cloned()).collect::<Vec<_>>().join(",")
    }

    /// `simulated` for every platform that nothing else is said of.
    fn platform_addresses(&self, simulated: String) -> String {
        match self.platforms.as_deref().filter(|said| !said.is_empty()) {
            Some(said) if said.split(',').any(|entry| entry.trim_start().starts_with("*=")) => said.to_owned(),
            Some(said) => format!("{simulated},{said}"),
            None => simulated,
        }
    }
}

/// Every variable that a function reads, for a service on `port` of this machine whose platforms are `simulated` there, as far as
/// `settings` say nothing else.
pub fn source(port: u16, simulated: String, settings: impl Into<Settings>) -> Source {
    let (tables, base_url, settings) = (tables(), origin("localhost", port), settings.into());
    let frontend = settings.frontend.as_ref().map_or_else(|| base_url.clone(), |url| url.as_str().trim_end_matches('/').to_owned());
    let (allowed, platforms) = (settings.allowed_origins(port), settings.platform_addresses(simulated));
    Source::from_fn(move |variable| {
        if let Some((_, value)) = settings.variables.iter().find(|(name, _)| *name == variable) {
            return Some(value.clone());
        }
        Some(match variable {
            name::LOG_LEVEL => "info".to_owned(),
            name::USERS_TABLE => tables.users.clone(),
            name::POSTS_TABLE => tables.posts.clone(),
            name::LEDGER_TABLE => tables.ledger.clone(),
            name::SESSIONS_TABLE => tables.sessions.clone(),
            name::PUBLIC_URL => base_url.clone(),
            name::FRONTEND_URL => frontend.clone(),
            name::ALLOWED_ORIGINS => allowed.clone(),
            name::PUBLISH_QUEUE_URL => embedded::queue_url(embedded::WAKE_UPS),
            name::PUBLISH_QUEUE_ARN => embedded::queue_arn(embedded::WAKE_UPS),
            name::SCHEDULE_GROUP => SCHEDULE_GROUP.to_owned(),
            name::SCHEDULE_ROLE_ARN => format!("arn:aws:iam::{}:role/postledger-local-scheduler", embedded::ACCOUNT),
            name::SCHEDULE_DLQ_ARN => embedded::queue_arn(embedded::DEAD_LETTERS),
            name::PLATFORMS => PlatformName::ALL.map(PlatformName::as_str).join(","),
            name::PLATFORM_ADDRESSES => platforms.clone(),
            // Nothing costs here: the whole ladder everywhere.
            name::METRICS_PACE => String::new(),
            name::CODE_COUNTRIES => CODE_COUNTRIES.to_owned(),
            // Everybody here has one address: limits by it are for the cloud.
            name::CODES_PER_ADDRESS_MAX => "10000".to_owned(),
            name::CODES_PER_DAY_MAX => "100000".to_owned(),
            name::STRIPE_PRICES => format!("starter={},professional={}", simulator::STARTER_PRICE, simulator::PROFESSIONAL_PRICE),
            name::STRIPE_API_URL => format!("{base_url}/_sim/stripe"),
            name::HASH_KEY_SECRET => HASH_KEY_SECRET.to_owned(),
            name::SECRETS_PREFIX => SECRETS_PREFIX.to_owned(),
            _ => return None,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_variable_that_a_function_reads_has_a_value_here() {
        let base = Url::parse("http://localhost:3000").unwrap();
        let source = source(3000, simulator::addresses(&base), &[(name::LOG_LEVEL, "debug")]);
        let missing: Vec<_> = name::VARIABLES.iter().filter(|variable| source.get(variable).is_none()).collect();
        assert!(missing.is_empty(), "{missing:?}");
        assert_eq!(source.get(name::LOG_LEVEL).as_deref(), Some("debug"));
    }

    fn set(settings: Settings) -> impl Fn(&str) -> String {
        let source = source(3000, "*=http://localhost:3000/_sim".to_owned(), settings);
        move |variable| source.get(variable).unwrap()
    }

    #[test]
    fn a_frontend_elsewhere_may_call_and_people_come_back_to_it() {
        let alone = set(Settings::default());
        assert_eq!(alone(name::FRONTEND_URL), "http://localhost:3000");
        let vite = Url::parse("http://localhost:5173").unwrap();
        let both = set(Settings::default().with_frontend(vite).with_origins(["http://localhost:8080".to_owned()]));
        assert_eq!((both(name::FRONTEND_URL), both(name::PUBLIC_URL)), ("http://localhost:5173".into(), "http://localhost:3000".into()));
        let allowed = "http://localhost:3000,http://127.0.0.1:3000,http://localhost:5173,http://localhost:8080";
        assert_eq!(both(name::ALLOWED_ORIGINS), allowed);
    }

    #[test]
    fn a_platform_that_is_not_named_stays_simulated() {
        let addresses = |said: &str| set(Settings::default().with_platforms(said.to_owned()))(name::PLATFORM_ADDRESSES);
        assert_eq!(addresses(""), "*=http://localhost:3000/_sim");
        assert_eq!(addresses("x.api=https://api.x.com"), "*=http://localhost:3000/_sim,x.api=https://api.x.com");
        assert_eq!(addresses("x.api=https://api.x.com, *=http://localhost:9"), "x.api=https://api.x.com, *=http://localhost:9");
    }

    #[test]
    fn an_origin_is_written_as_browsers_write_it() {
        assert_eq!(origin("localhost", 80), "http://localhost");
        assert_eq!(origin("127.0.0.1", 3000), "http://127.0.0.1:3000");
    }
}
