//! Every variable that a function of ours reads, by name, so that the template can be compared with the code.

/// The table of users, their connections and their gift certificates.
pub const USERS_TABLE: &str = "USERS_TABLE";
/// The table of posts, attempts and what came of them.
pub const POSTS_TABLE: &str = "POSTS_TABLE";
/// The table of cycles and their history.
pub const LEDGER_TABLE: &str = "LEDGER_TABLE";
/// The table of what lives for a while: sessions, flows, codes, idempotency records.
pub const SESSIONS_TABLE: &str = "SESSIONS_TABLE";
/// Where the service is reached; platforms send people back there.
pub const PUBLIC_URL: &str = "PUBLIC_URL";
/// Where the frontend is reached.
pub const FRONTEND_URL: &str = "FRONTEND_URL";
/// Whose pages may call, separated by commas; the frontend's own when it is not set.
pub const ALLOWED_ORIGINS: &str = "ALLOWED_ORIGINS";
/// The queue of wake-ups, as SQS addresses it.
pub const PUBLISH_QUEUE_URL: &str = "PUBLISH_QUEUE_URL";
/// The queue of wake-ups, as the scheduler addresses it.
pub const PUBLISH_QUEUE_ARN: &str = "PUBLISH_QUEUE_ARN";
/// The group that our schedules are in.
pub const SCHEDULE_GROUP: &str = "SCHEDULE_GROUP";
/// The role by which the scheduler may send to the queue.
pub const SCHEDULE_ROLE_ARN: &str = "SCHEDULE_ROLE_ARN";
/// Where wake-ups go that the scheduler could not deliver.
pub const SCHEDULE_DLQ_ARN: &str = "SCHEDULE_DLQ_ARN";
/// The platforms that we have credentials for, separated by commas; may be empty.
pub const PLATFORMS: &str = "PLATFORMS";
/// Where the platforms are, if not at their own hosts, and the versions of their APIs: `x.api=https://…,facebook.version=v26.0`,
/// `*=http://localhost:3000/_sim`; may be empty.
pub const PLATFORM_ADDRESSES: &str = "PLATFORM_ADDRESSES";
/// How often metrics are read, platform by platform: `x=off,facebook=2`; may be empty.
pub const METRICS_PACE: &str = "METRICS_PACE";
/// The countries whose phones get codes, separated by commas; [`domain::people::phone::Countries::DEFAULT`] when it is not set.
pub const CODE_COUNTRIES: &str = "CODE_COUNTRIES";
/// How many codes one network address may ask for in an hour.
pub const CODES_PER_ADDRESS_MAX: &str = "CODES_PER_ADDRESS_MAX";
/// How many codes are sent in a day, to all phones together.
pub const CODES_PER_DAY_MAX: &str = "CODES_PER_DAY_MAX";
/// The prices that plans are sold for at Stripe, `plan=price` separated by commas; may be empty.
pub const STRIPE_PRICES: &str = "STRIPE_PRICES";
/// Stripe's API.
pub const STRIPE_API_URL: &str = "STRIPE_API_URL";
/// How much is logged: `error`, `warn`, `info`, `debug` or `trace`.
pub const LOG_LEVEL: &str = "LOG_LEVEL";
/// The secret of the hash key: its name or its ARN.
pub const HASH_KEY_SECRET: &str = "HASH_KEY_SECRET";
/// What the names of our other secrets begin with, such as `postledger/dev`.
pub const SECRETS_PREFIX: &str = "SECRETS_PREFIX";

/// All of them.
pub const VARIABLES: &[&str] = &[
    USERS_TABLE,
    POSTS_TABLE,
    LEDGER_TABLE,
    SESSIONS_TABLE,
    PUBLIC_URL,
    FRONTEND_URL,
    ALLOWED_ORIGINS,
    PUBLISH_QUEUE_URL,
    PUBLISH_QUEUE_ARN,
    SCHEDULE_GROUP,
    SCHEDULE_ROLE_ARN,
    SCHEDULE_DLQ_ARN,
    PLATFORMS,
    PLATFORM_ADDRESSES,
    METRICS_PACE,
    CODE_COUNTRIES,
    CODES_PER_ADDRESS_MAX,
    CODES_PER_DAY_MAX,
    STRIPE_PRICES,
    STRIPE_API_URL,
    LOG_LEVEL,
    HASH_KEY_SECRET,
    SECRETS_PREFIX,
];
