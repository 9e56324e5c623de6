//! The accounts of one consent, kept while the user chooses among them.

use domain::id::ChoiceId;
use domain::platform::{AccountKind, Server};
use domain::token::TokenSet;

use super::{Vault, VaultError, malformed, sealed, value};

/// One account that a consent granted, with its tokens.
#[derive(Debug, Clone)]
pub struct ChoiceTokens {
    /// Its id on the platform.
    pub account_id: String,
    /// Its name on the platform.
    pub username: String,
    /// What the account is.
    pub kind: AccountKind,
    /// Where it lives, where many people run servers of the platform.
    pub server: Option<Server>,
    /// The platform's id of the person who granted, where that person's grants are one.
    pub grantor: Option<String>,
    /// What lets us act for it.
    pub tokens: TokenSet,
}

impl Vault {
    /// Keeps the accounts until the user has chosen. A choice is written once; repeating it with the same accounts is a no-op.
    pub async fn create_choice(&self, choice: &ChoiceId, accounts: &[ChoiceTokens]) -> Result<(), VaultError> {
        self.create_secret(&self.choice_secret(choice), &choice_version(choice), &sealed::choice_to_json(accounts)).await
    }

    /// Reads the accounts of a choice.
    pub async fn read_choice(&self, choice: &ChoiceId) -> Result<Vec<ChoiceTokens>, VaultError> {
        let name = self.choice_secret(choice);
        match value(&self.client, &name, Some(&choice_version(choice))).await? {
            Some(value) => sealed::choice_from_json(&value).ok_or_else(|| malformed(&name)),
            None => Err(VaultError::Missing { name }),
        }
    }

    /// Forgets a choice: made, given up or too old. An unknown one is as good.
    pub async fn delete_choice(&self, choice: &ChoiceId) -> Result<(), VaultError> {
        self.delete(&self.choice_secret(choice)).await
    }

    fn choice_secret(&self, choice: &ChoiceId) -> String {
        format!("{}/choice/{choice}", self.prefix)
    }
}

/// 33 characters: Secrets Manager wants 32 to 64.
fn choice_version(choice: &ChoiceId) -> String {
    format!("choice-{choice}")
}
