//! What stands inside a secret: the one place where credentials become text and text becomes credentials.
//!
//! Nothing here is public beyond the vault, and a text that cannot be read is reported without it: `serde_json` quotes values.

use domain::billing::signature::SigningSecret;
use domain::platform::{AccountKind, Server};
use domain::token::TokenSet;
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::ChoiceTokens;

#[derive(PartialEq, Serialize, Deserialize)]
struct Tokens {
    access: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refresh: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    parent: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    dpop_key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refresh_expires_at: Option<Timestamp>,
    scopes: Vec<String>,
}

/// A consent may bring fifty accounts under one token, and a secret holds 64 KB: each token stands in it once.
#[derive(Serialize, Deserialize)]
struct Choice {
    tokens: Vec<Tokens>,
    accounts: Vec<Granted>,
}

#[derive(Serialize, Deserialize)]
struct Granted {
    account_id: String,
    username: String,
    kind: AccountKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    server: Option<Server>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    grantor: Option<String>,
    /// Which of the choice's tokens.
    tokens: usize,
}

#[derive(Serialize, Deserialize)]
struct AppCredentials {
    client_id: String,
    client_secret: String,
}

#[derive(Deserialize)]
struct Billing {
    api_key: String,
    webhook_secrets: Vec<String>,
}

pub(super) fn tokens_to_json(tokens: &TokenSet) -> SecretString {
    to_json(&exposed(tokens))
}

pub(super) fn tokens_from_json(value: &SecretString) -> Option<TokenSet> {
    from_json::<Tokens>(value).map(closed)
}

pub(super) fn choice_to_json(accounts: &[ChoiceTokens]) -> SecretString {
    let mut choice = Choice { tokens: Vec::new(), accounts: Vec::new() };
    for account in accounts {
        let of_it = exposed(&account.tokens);
        let tokens = choice.tokens.iter().position(|tokens| *tokens == of_it).unwrap_or(choice.tokens.len());
        if tokens == choice.tokens.len() {
            choice.tokens.push(of_it);
        }
        choice.accounts.push(exposed_account(account, tokens));
    }
    to_json(&choice)
}

pub(super) fn choice_from_json(value: &SecretString) -> Option<Vec<ChoiceTokens>> {
    let Choice { tokens, accounts } = from_json::<Choice>(value)?;
    let tokens: Vec<TokenSet> = tokens.into_iter().map(closed).collect();
    accounts.into_iter().map(|account| closed_account(account, &tokens)).collect()
}

pub(super) fn credentials_from_json(value: &SecretString) -> Option<(String, SecretString)> {
    let credentials = from_json::<AppCredentials>(value)?;
    Some((credentials.client_id, credentials.client_secret.into()))
}

pub(super) fn credentials_to_json(client_id: &str, client_secret: &SecretString) -> SecretString {
    to_json(&AppCredentials { client_id: client_id.to_owned(), client_secret: client_secret.expose_secret().to_owned() })
}

/// The API key, and the secrets that webhooks may be signed with: at least one.
pub(super) fn billing_from_json(value: &SecretString) -> Option<(SecretString, Vec<SigningSecret>)> {
    let billing = from_json::<Billing>(value)?;
    let secrets = billing.webhook_secrets.into_iter().map(|secret| SigningSecret::parse(secret.into())).collect::<Option<Vec<_>>>()?;
    (!secrets.is_empty() && !billing.api_key.is_empty()).then_some((billing.api_key.into(), secrets))
}

fn to_json(value: &impl Serialize) -> SecretString {
    serde_json::to_string(value).expect("texts, times and lists of them have a JSON form").into()
}

fn from_json<T: for<'a> Deserialize<'a>>(value: &SecretString) -> Option<T> {
    serde_json::from_str(value.expose_secret()).ok()
}

fn exposed(tokens: &TokenSet) -> Tokens {
    let text = |secret: &SecretString| secret.expose_secret().to_owned();
    Tokens {
        access: text(&tokens.access),
        refresh: tokens.refresh.as_ref().map(text),
        parent: tokens.parent.as_ref().map(text),
        dpop_key: tokens.dpop_key.as_ref().map(text),
        expires_at: tokens.expires_at,
        refresh_expires_at: tokens.refresh_expires_at,
        scopes: tokens.scopes.clone(),
    }
}

fn closed(tokens: Tokens) -> TokenSet {
    TokenSet {
        access: tokens.access.into(),
        refresh: tokens.refresh.map(SecretString::from),
        parent: tokens.parent.map(SecretString::from),
        dpop_key: tokens.dpop_key.map(SecretString::from),
        expires_at: tokens.expires_at,
        refresh_expires_at: tokens.refresh_expires_at,
        scopes: tokens.scopes,
        proof: None,
    }
}

fn exposed_account(account: &ChoiceTokens, tokens: usize) -> Granted {
    Granted {
        account_id: account.account_id.clone(),
        username: account.username.clone(),
        kind: account.kind,
        server: account.server.clone(),
        grantor: account.grantor.clone(),
        tokens,
    }
}

fn closed_account(account: Granted, tokens: &[TokenSet]) -> Option<ChoiceTokens> {
    let Granted { account_id, username, kind, server, grantor, tokens: of_it } = account;
    Some(ChoiceTokens { account_id, username, kind, server, grantor, tokens: tokens.get(of_it)?.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens() -> TokenSet {
        TokenSet {
            access: "access-1".into(),
            refresh: Some("refresh-1".into()),
            parent: None,
            dpop_key: Some("dpop-1".into()),
            expires_at: Some(Timestamp::UNIX_EPOCH),
            refresh_expires_at: Some(Timestamp::MAX),
            scopes: vec!["tweet.write".to_owned(), "offline.access".to_owned()],
            proof: Some("proof-1".into()),
        }
    }

    #[test]
    fn tokens_come_back_as_they_went_in() {
        let read = tokens_from_json(&tokens_to_json(&tokens())).unwrap();
        assert_eq!(read.access.expose_secret(), "access-1");
        assert_eq!(read.refresh.unwrap().expose_secret(), "refresh-1");
        assert_eq!(read.dpop_key.unwrap().expose_secret(), "dpop-1");
        assert!(read.parent.is_none());
        assert!(read.proof.is_none(), "a proof is as old as the secret that it was made with");
        assert_eq!((read.expires_at, read.refresh_expires_at), (Some(Timestamp::UNIX_EPOCH), Some(Timestamp::MAX)));
        assert_eq!(read.scopes, tokens().scopes);
    }

    #[test]
    fn the_same_tokens_are_the_same_text_so_that_a_repeated_write_is_a_no_op() {
        assert_eq!(tokens_to_json(&tokens()).expose_secret(), tokens_to_json(&tokens()).expose_secret());
    }

    fn account(id: &str, tokens: TokenSet) -> ChoiceTokens {
        let (account_id, username) = (id.to_owned(), "page".to_owned());
        ChoiceTokens { account_id, username, kind: AccountKind::Page, server: None, grantor: None, tokens }
    }

    #[test]
    fn fifty_accounts_under_the_longest_token_fit_into_one_secret() {
        let long = TokenSet { refresh: Some("r".repeat(2_000).into()), ..TokenSet::bare("a".repeat(2_000).into()) };
        let mut accounts: Vec<_> = (0..50).map(|n| account(&format!("urn:li:organization:{n}"), long.clone())).collect();
        accounts.push(account("alone", tokens()));
        let sealed = choice_to_json(&accounts);
        assert!(sealed.expose_secret().len() < 16_000, "{}", sealed.expose_secret().len());
        let read = choice_from_json(&sealed).unwrap();
        assert_eq!(read.len(), 51);
        assert_eq!(read[49].tokens.access.expose_secret().len(), 2_000);
        assert_eq!((read[50].account_id.as_str(), read[50].tokens.access.expose_secret()), ("alone", "access-1"));
        let astray = sealed.expose_secret().replace("\"tokens\":1", "\"tokens\":7");
        assert!(choice_from_json(&astray.into()).is_none());
    }

    #[test]
    fn what_holds_a_token_shows_none() {
        let account = account("1", tokens());
        let shown = format!("{account:?}{:?}", tokens_to_json(&tokens()));
        assert!(!shown.contains("access-1") && !shown.contains("refresh-1") && !shown.contains("dpop-1"), "{shown}");
    }

    #[test]
    fn a_text_that_is_no_secret_of_ours_is_refused() {
        for text in ["", "null", "{}", "[]", r#"{"access":1,"scopes":[]}"#, r#"{"client_id":"x"}"#] {
            assert!(tokens_from_json(&text.into()).is_none(), "{text}");
            assert!(credentials_from_json(&text.into()).is_none(), "{text}");
        }
        assert!(choice_from_json(&"{}".into()).is_none());
    }
}
