//! Secrets: the tokens of connections, choices that wait, our apps' credentials, and the hash key.
//!
//! One secret per connection; each refresh is a version whose id names the attempt that wrote it. A version is read by that id
//! and never as "the current one": the connection's row says which is in force, and a crash between the two writes is found
//! again by asking for the attempt's version. Source: Secrets Manager API reference, `PutSecretValue`.

mod choice;
mod credentials;
mod remembered;
mod sealed;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::operation::create_secret::CreateSecretError;
use aws_sdk_secretsmanager::operation::delete_secret::DeleteSecretError;
use aws_sdk_secretsmanager::operation::get_secret_value::GetSecretValueError;
use domain::id::{AttemptId, ConnectionId};
use domain::platform::App;
use domain::token::TokenSet;
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};

use crate::call::CallFailure;
pub use choice::ChoiceTokens;
pub use credentials::{BillingKeys, CREDENTIALS_LIFE, HASH_KEY_CHARS_MIN, HashKeySecret};
use remembered::Remembered;

/// The most bytes that a secret may have.
const SECRET_BYTES_MAX: usize = 65_536;

/// Why the vault could not do what was asked. No variant carries a value.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The secret, or this version of it, does not exist.
    #[error("secret {name}, or this version of it, does not exist")]
    Missing {
        /// The secret.
        name: String,
    },
    /// A secret of this name exists with another first version.
    #[error("secret {name} exists already")]
    Exists {
        /// The secret.
        name: String,
    },
    /// The value is not what this code writes.
    #[error("secret {name} does not hold what it should")]
    Malformed {
        /// The secret.
        name: String,
    },
    /// The value is larger than a secret may be.
    #[error("secret {name} would be larger than {SECRET_BYTES_MAX} bytes")]
    TooLarge {
        /// The secret.
        name: String,
    },
    /// The call failed.
    #[error("working on secret {name}")]
    Call {
        /// The secret.
        name: String,
        /// Why.
        #[source]
        source: CallFailure,
    },
}

impl VaultError {
    /// Whether the same call may succeed later.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Call { source, .. } if source.is_retryable())
    }
}

/// The secrets under one prefix. Clones share what has been read: app credentials and tokens, for five minutes.
#[derive(Clone)]
pub struct Vault {
    client: Client,
    prefix: String,
    credentials: Arc<Mutex<HashMap<App, credentials::Cached>>>,
    billing: Arc<Mutex<Option<(BillingKeys, Timestamp)>>>,
    tokens: Arc<Mutex<Remembered>>,
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

/// The version that `attempt` writes. Secrets Manager wants 32 to 64 characters; this has 34.
pub fn version_of(attempt: &AttemptId) -> String {
    format!("attempt-{attempt}")
}

impl Vault {
    /// A vault on the client configuration `sdk`, whose secrets are all named `<prefix>/…`.
    pub fn open(sdk: &aws_config::SdkConfig, prefix: impl Into<String>) -> Self {
        Self::new(Client::new(sdk), prefix)
    }

    /// A vault whose secrets are all named `<prefix>/…`.
    pub fn new(client: Client, prefix: impl Into<String>) -> Self {
        let tokens = Arc::new(Mutex::new(Remembered::for_a_while(CREDENTIALS_LIFE)));
        Self { client, prefix: prefix.into(), credentials: Arc::default(), billing: Arc::default(), tokens }
    }

    /// The same secrets for whoever wants each reading of tokens to be a call, as it is in a process that has just started.
    #[must_use]
    pub fn remembering_no_tokens(self) -> Self {
        Self { tokens: Arc::new(Mutex::new(Remembered::for_a_while(SignedDuration::ZERO))), ..self }
    }

    /// The name of a connection's secret.
    pub fn connection_secret(&self, connection: &ConnectionId) -> String {
        format!("{}/connection/{connection}", self.prefix)
    }

    /// Makes the secret with its first tokens and returns their version. Repeating it with the same attempt and tokens is a no-op.
    pub async fn create(&self, name: &str, tokens: &TokenSet, attempt: &AttemptId) -> Result<String, VaultError> {
        let version = version_of(attempt);
        self.create_secret(name, &version, &sealed::tokens_to_json(tokens)).await?;
        Ok(version)
    }

    /// Adds tokens as a version and returns it. Repeating it with the same attempt and tokens is a no-op; other tokens are refused.
    pub async fn put(&self, name: &str, tokens: &TokenSet, attempt: &AttemptId) -> Result<String, VaultError> {
        let version = version_of(attempt);
        let value = sealed::tokens_to_json(tokens);
        fits(name, &value)?;
        let request = self.client.put_secret_value().secret_id(name).client_request_token(&version);
        match request.secret_string(value.expose_secret()).send().await {
            Ok(_) => Ok(version),
            Err(error) => match error.as_service_error() {
                Some(refusal) if refusal.is_resource_exists_exception() => Err(VaultError::Exists { name: name.to_owned() }),
                Some(refusal) if refusal.is_resource_not_found_exception() => Err(VaultError::Missing { name: name.to_owned() }),
                _ => Err(failed(name, CallFailure::of("PutSecretValue", &error))),
            },
        }
    }

    /// The tokens of one version. They never change, so they are read once in [`CREDENTIALS_LIFE`]: what an operator removes is out of use
    /// everywhere after that, and what [`Self::delete`] removes is forgotten here at once.
    pub async fn read(&self, name: &str, version: &str, now: Timestamp) -> Result<TokenSet, VaultError> {
        let remembered = self.remembered().tokens(name, version, now);
        if let Some(tokens) = remembered {
            return Ok(tokens);
        }
        let tokens = self.find(name, version).await?.ok_or_else(|| VaultError::Missing { name: name.to_owned() })?;
        self.remembered().keep(name, version, &tokens, now);
        Ok(tokens)
    }

    /// The tokens that `attempt` wrote, if its write arrived: what a worker asks after a crash, before it refreshes again.
    pub async fn find_version(&self, name: &str, attempt: &AttemptId) -> Result<Option<TokenSet>, VaultError> {
        self.find(name, &version_of(attempt)).await
    }

    /// Removes the secret at once and for good; an unknown one is as good.
    pub async fn delete(&self, name: &str) -> Result<(), VaultError> {
        let deleted = self.client.delete_secret().secret_id(name).force_delete_without_recovery(true).send().await;
        // Whatever was answered: it may be gone.
        self.remembered().forget(name);
        match deleted {
            Ok(_) => Ok(()),
            Err(error) if error.as_service_error().is_some_and(DeleteSecretError::is_resource_not_found_exception) => Ok(()),
            Err(error) => Err(failed(name, CallFailure::of("DeleteSecret", &error))),
        }
    }

    fn remembered(&self) -> MutexGuard<'_, Remembered> {
        // Only whole entries are ever put in, so a panic elsewhere leaves nothing half-written.
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn find(&self, name: &str, version: &str) -> Result<Option<TokenSet>, VaultError> {
        let value = value(&self.client, name, Some(version)).await?;
        value.map(|value| sealed::tokens_from_json(&value).ok_or_else(|| malformed(name))).transpose()
    }

    async fn create_secret(&self, name: &str, version: &str, value: &SecretString) -> Result<(), VaultError> {
        fits(name, value)?;
        let request = self.client.create_secret().name(name).client_request_token(version);
        match request.secret_string(value.expose_secret()).send().await {
            Ok(_) => Ok(()),
            Err(error) if error.as_service_error().is_some_and(CreateSecretError::is_resource_exists_exception) => {
                Err(VaultError::Exists { name: name.to_owned() })
            }
            Err(error) => Err(failed(name, CallFailure::of("CreateSecret", &error))),
        }
    }
}

/// Reads a version, or, with `None`, the current one: for what an operator sets and no worker writes.
async fn value(client: &Client, name: &str, version: Option<&str>) -> Result<Option<SecretString>, VaultError> {
    let answer = client.get_secret_value().secret_id(name).set_version_id(version.map(str::to_owned)).send().await;
    match answer {
        Ok(answer) => answer.secret_string.map(|value| Some(SecretString::from(value))).ok_or_else(|| malformed(name)),
        Err(error) if error.as_service_error().is_some_and(GetSecretValueError::is_resource_not_found_exception) => Ok(None),
        Err(error) => Err(failed(name, CallFailure::of("GetSecretValue", &error))),
    }
}

fn fits(name: &str, value: &SecretString) -> Result<(), VaultError> {
    if value.expose_secret().len() > SECRET_BYTES_MAX { Err(VaultError::TooLarge { name: name.to_owned() }) } else { Ok(()) }
}

fn malformed(name: &str) -> VaultError {
    VaultError::Malformed { name: name.to_owned() }
}

fn failed(name: &str, source: CallFailure) -> VaultError {
    VaultError::Call { name: name.to_owned(), source }
}
