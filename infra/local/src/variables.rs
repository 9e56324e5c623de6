//! What the functions find in their environment on this machine.

use domain::people::phone::Countries;
use edge::config::{Source, variables as name};
use simulator::Addresses;
use store::Tables;

use crate::aws;

/// What the names of our secrets begin with.
pub const SECRETS_PREFIX: &str = "postledger/local";
/// Variables that a test sets otherwise than this machine does.
pub type Settings = &'static [(&'static str, &'static str)];

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

/// Every variable that a function reads, for a service on `port` of this machine; `settings` say otherwise where they say anything.
pub fn source(port: u16, platforms: Addresses, settings: Settings) -> Source {
    let (tables, base_url) = (tables(), origin("localhost", port));
    let allowed = format!("{base_url},{}", origin("127.0.0.1", port));
    Source::from_fn(move |variable| {
        if let Some((_, value)) = settings.iter().find(|(name, _)| *name == variable) {
            return Some((*value).to_owned());
        }
        Some(match variable {
            name::LOG_LEVEL => "info".to_owned(),
            name::USERS_TABLE => tables.users.clone(),
            name::POSTS_TABLE => tables.posts.clone(),
            name::LEDGER_TABLE => tables.ledger.clone(),
            name::SESSIONS_TABLE => tables.sessions.clone(),
            name::PUBLIC_URL | name::FRONTEND_URL => base_url.clone(),
            name::ALLOWED_ORIGINS => allowed.clone(),
            name::PUBLISH_QUEUE_URL => aws::queue_url(aws::WAKE_UPS),
            name::PUBLISH_QUEUE_ARN => aws::queue_arn(aws::WAKE_UPS),
            name::SCHEDULE_GROUP => SCHEDULE_GROUP.to_owned(),
            name::SCHEDULE_ROLE_ARN => format!("arn:aws:iam::{}:role/postledger-local-scheduler", aws::ACCOUNT),
            name::SCHEDULE_DLQ_ARN => aws::queue_arn(aws::DEAD_LETTERS),
            name::PLATFORMS => "x,facebook".to_owned(),
            name::X_AUTHORIZE_URL => platforms.x_authorize_url.clone(),
            name::X_API_URL => platforms.x_api_url.clone(),
            name::FACEBOOK_AUTHORIZE_URL => platforms.facebook_authorize_url.clone(),
            name::FACEBOOK_API_URL => platforms.facebook_api_url.clone(),
            name::FACEBOOK_VERSION => platforms.facebook_version.clone(),
            name::CODE_COUNTRIES => Countries::DEFAULT.to_owned(),
            // Everybody here has one address: limits by it are for the cloud.
            name::CODES_PER_ADDRESS_MAX => "10000".to_owned(),
            name::CODES_PER_DAY_MAX => "100000".to_owned(),
            name::STRIPE_PRICES => format!("starter={},professional={}", simulator::STARTER_PRICE, simulator::PROFESSIONAL_PRICE),
            name::STRIPE_API_URL => format!("{base_url}/_sim/stripe"),
            name::SECRETS_PREFIX => SECRETS_PREFIX.to_owned(),
            _ => return None,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use url::Url;

    #[test]
    fn every_variable_that_a_function_reads_has_a_value_here() {
        let base = Url::parse("http://localhost:3000").unwrap();
        let source = source(3000, simulator::addresses(&base), &[(name::LOG_LEVEL, "debug")]);
        let missing: Vec<_> = name::VARIABLES.iter().filter(|variable| source.get(variable).is_none()).collect();
        assert!(missing.is_empty(), "{missing:?}");
        assert_eq!(source.get(name::LOG_LEVEL).as_deref(), Some("debug"));
    }

    #[test]
    fn an_origin_is_written_as_browsers_write_it() {
        assert_eq!(origin("localhost", 80), "http://localhost");
        assert_eq!(origin("127.0.0.1", 3000), "http://127.0.0.1:3000");
    }
}
