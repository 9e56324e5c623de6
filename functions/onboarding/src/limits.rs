//! How often codes are asked for and guessed at, beside the limits of one phone (`domain::people::verification`).
//!
//! A text costs money that whoever asks for it does not pay, and some share in it: so one address gets so many codes an hour, and all
//! phones together so many a day. What is not ours to count (a new address for each request) ends at the day's limit.

use domain::people::limit::{AddressHash, Limit, Subject};
use domain::people::phone::Countries;
use domain::people::verification::{DAY, TRIES};
use edge::config::PhoneCodes;
use edge::http_event::ClientAddress;
use jiff::SignedDuration;
use store::StoreError;

use crate::{Deps, HashKeyError};

const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// Who gets codes, and how many.
#[derive(Debug, Clone)]
pub(crate) struct CodeLimits {
    /// Whose phones.
    pub(crate) countries: Countries,
    /// Requests of one address for a code.
    pub(crate) asked_by_address: Limit,
    /// Codes for all phones together that texts go to.
    pub(crate) sent_in_all: Limit,
    /// Codes for all other phones together.
    pub(crate) unserved_in_all: Limit,
    /// Codes of one address that were compared.
    pub(crate) tried_by_address: Limit,
}

impl CodeLimits {
    /// The operator's numbers as limits. An address may use up every try of every code that it may ask for.
    pub(crate) fn new(config: PhoneCodes) -> Self {
        let PhoneCodes { countries, per_address_max, per_day_max } = config;
        Self {
            countries,
            asked_by_address: Limit { name: "codes-asked", max: per_address_max, span: HOUR },
            sent_in_all: Limit { name: "codes-sent", max: per_day_max, span: DAY },
            unserved_in_all: Limit { name: "codes-unserved", max: per_day_max, span: DAY },
            tried_by_address: Limit { name: "codes-tried", max: per_address_max.saturating_mul(TRIES), span: HOUR },
        }
    }
}

/// Counts one more. `Some`: the limit is reached, for so long.
pub(crate) async fn count(deps: &Deps, limit: &Limit, subject: Subject<'_>) -> Result<Option<SignedDuration>, StoreError> {
    let now = deps.clock.now();
    let bucket = limit.bucket(subject, now);
    let counted = deps.store.count(&bucket).await?;
    if !counted {
        tracing::warn!(limit = limit.name, max = limit.max, "a limit was reached");
        deps.metrics.count(now, "limit_reached", &[("limit", limit.name)]);
    }
    Ok((!counted).then(|| bucket.ends_at.duration_since(now)))
}

/// The caller's name in counts.
pub(crate) async fn caller(deps: &Deps, address: ClientAddress) -> Result<AddressHash, HashKeyError> {
    Ok(AddressHash::new(&address.limit_key(), deps.hash_key().await?))
}
