//! Credentials that are read as "the current one". An operator puts those of the platforms' apps into the vault, and the hash key. Those of an app
//! at a server are written here, once, and never changed.

use std::collections::HashMap;
use std::fmt;
use std::sync::{MutexGuard, PoisonError};

use aws_sdk_secretsmanager::Client;
use domain::billing::signature::SigningSecret;
use domain::id::AttemptId;
use domain::platform::{App, Needs, PlatformName};
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};

use super::{Vault, VaultError, malformed, sealed, value, version_of};

/// How long what was read is used without another look: what an operator changes or removes is in force everywhere after this.
pub const CREDENTIALS_LIFE: SignedDuration = SignedDuration::from_mins(5);
/// The shortest hash key that is taken, in characters.
pub const HASH_KEY_CHARS_MIN: usize = 64;
/// How many apps' credentials are remembered at most: far more than one process acts for in so short a time.
const APPS_MAX: usize = 256;

/// What we hold at the payment provider.
#[derive(Clone, Debug)]
pub struct BillingKeys {
    /// What its API is called with.
    pub api_key: SecretString,
    /// What its webhooks are signed with: one, or two while one is being rolled.
    pub webhook_secrets: Vec<SigningSecret>,
}

/// Where the key is that codes, sessions and certificates are hashed with. The stack makes it and gives it a name of its own, so that a key
/// that an earlier stack left behind does not stand in its way.
#[derive(Clone)]
pub struct HashKeySecret {
    client: Client,
    id: String,
}

impl fmt::Debug for HashKeySecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HashKeySecret").field("id", &self.id).finish_non_exhaustive()
    }
}

impl HashKeySecret {
    /// The secret `id`, its name or its ARN.
    pub fn new(sdk: &aws_config::SdkConfig, id: impl Into<String>) -> Self {
        Self { client: Client::new(sdk), id: id.into() }
    }

    /// Reads the key. Once is enough: it never changes.
    pub async fn read(&self) -> Result<SecretString, VaultError> {
        let key = current(&self.client, &self.id).await?;
        if key.expose_secret().chars().count() < HASH_KEY_CHARS_MIN { Err(malformed(&self.id)) } else { Ok(key) }
    }
}

async fn current(client: &Client, name: &str) -> Result<SecretString, VaultError> {
    value(client, name, None).await?.ok_or_else(|| VaultError::Missing { name: name.to_owned() })
}

#[derive(Clone)]
pub(super) struct Cached {
    client_id: String,
    client_secret: SecretString,
    read_at: Timestamp,
}

impl Vault {
    /// The client id and secret of an app of ours, at most [`CREDENTIALS_LIFE`] old.
    pub async fn app_credentials(&self, app: &App, now: Timestamp) -> Result<(String, SecretString), VaultError> {
        let cached = self.cache().get(app).filter(|cached| is_fresh(cached.read_at, now, CREDENTIALS_LIFE)).cloned();
        if let Some(cached) = cached {
            return Ok((cached.client_id, cached.client_secret));
        }
        self.find_app(app, now).await?.ok_or_else(|| VaultError::Missing { name: self.app_secret(app) })
    }

    /// The same as they are in the vault at this moment; `None`: there are none.
    pub async fn find_app(&self, app: &App, now: Timestamp) -> Result<Option<(String, SecretString)>, VaultError> {
        let name = self.app_secret(app);
        let Some(value) = value(&self.client, &name, None).await? else {
            self.cache().remove(app);
            return Ok(None);
        };
        let (client_id, client_secret) = sealed::credentials_from_json(&value).ok_or_else(|| malformed(&name))?;
        self.remember(app, Cached { client_id: client_id.clone(), client_secret: client_secret.clone(), read_at: now });
        Ok(Some((client_id, client_secret)))
    }

    /// Keeps the credentials of an app that was just registered. [`VaultError::Exists`]: somebody else registered one at the same time, and
    /// theirs count. Repeating it with the same attempt and credentials is a no-op.
    pub async fn create_app(
        &self,
        app: &App,
        (client_id, client_secret): (&str, &SecretString),
        attempt: &AttemptId,
    ) -> Result<(), VaultError> {
        let value = sealed::credentials_to_json(client_id, client_secret);
        self.create_secret(&self.app_secret(app), &version_of(attempt), &value).await
    }

    /// Removes an app's credentials at once and for good; unknown ones are as good.
    pub async fn delete_app(&self, app: &App) -> Result<(), VaultError> {
        self.cache().remove(app);
        self.delete(&self.app_secret(app)).await
    }

    fn app_secret(&self, app: &App) -> String {
        format!("{}/platform/{app}", self.prefix)
    }

    /// What is too old goes; of too many, all.
    fn remember(&self, app: &App, fresh: Cached) {
        let mut cache = self.cache();
        cache.retain(|_, cached| is_fresh(cached.read_at, fresh.read_at, CREDENTIALS_LIFE));
        if cache.len() >= APPS_MAX {
            cache.clear();
        }
        cache.insert(app.clone(), fresh);
    }

    /// Our keys at the payment provider, at most [`CREDENTIALS_LIFE`] old.
    pub async fn billing_keys(&self, now: Timestamp) -> Result<BillingKeys, VaultError> {
        let cached = self.billing_cache().clone().filter(|(_, read_at)| is_fresh(*read_at, now, CREDENTIALS_LIFE));
        if let Some((keys, _)) = cached {
            return Ok(keys);
        }
        let name = format!("{}/billing/stripe", self.prefix);
        let value = self.current(&name).await?;
        let (api_key, webhook_secrets) = sealed::billing_from_json(&value).ok_or_else(|| malformed(&name))?;
        let keys = BillingKeys { api_key, webhook_secrets };
        *self.billing_cache() = Some((keys.clone(), now));
        Ok(keys)
    }

    /// Reads the credentials of all `platforms` ahead of the first request that needs them, at once. Returns what is missing or
    /// cannot be read: it is asked for again when a request needs it. Where each server has an app of ours, none is known ahead.
    pub async fn preload(&self, platforms: &[PlatformName], now: Timestamp) -> Vec<VaultError> {
        let has_one = |platform: &&PlatformName| platform.descriptor().needs != Some(Needs::Server);
        let apps: Vec<App> = platforms.iter().filter(has_one).map(|platform| App::at(*platform)).collect();
        let reads = apps.iter().map(|app| self.app_credentials(app, now));
        futures::future::join_all(reads).await.into_iter().filter_map(Result::err).collect()
    }

    async fn current(&self, name: &str) -> Result<SecretString, VaultError> {
        current(&self.client, name).await
    }

    fn billing_cache(&self) -> MutexGuard<'_, Option<(BillingKeys, Timestamp)>> {
        self.billing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn cache(&self) -> MutexGuard<'_, HashMap<App, Cached>> {
        // Only whole entries are ever put in, so a panic elsewhere leaves nothing half-written.
        self.credentials.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A reading from the future comes from a clock that was set back: it is not trusted.
pub(super) fn is_fresh(read_at: Timestamp, now: Timestamp, life: SignedDuration) -> bool {
    (SignedDuration::ZERO..life).contains(&now.duration_since(read_at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_read_again_after_five_minutes_and_after_the_clock_was_set_back() {
        let read_at = Timestamp::from_second(1_000_000).unwrap();
        let cases = [(0, true), (299, true), (300, false), (-1, false)];
        for (secs, fresh) in cases {
            assert_eq!(is_fresh(read_at, read_at + SignedDuration::from_secs(secs), CREDENTIALS_LIFE), fresh, "{secs}");
        }
    }
}
