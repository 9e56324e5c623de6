use aws_sdk_secretsmanager::error::ProvideErrorMetadata;
use cloud::vault::{ChoiceTokens, HashKeySecret, VaultError, version_of};
use domain::id::ChoiceId;
use domain::platform::{AccountKind, App, PlatformName, ServerName};
use domain::token::TokenSet;
use jiff::Timestamp;
use secrecy::ExposeSecret;

use super::stage::{Stage, attempt, connection, secs};

fn tokens(access: &str) -> TokenSet {
    TokenSet { refresh: Some("r".into()), scopes: vec!["post".to_owned()], ..TokenSet::bare(access.into()) }
}

async fn access(stage: &Stage, name: &str, version: &str) -> String {
    stage.vault().read(name, version, stage.now()).await.unwrap().access.expose_secret().to_owned()
}

#[tokio::test]
async fn each_attempts_tokens_are_read_by_their_own_version() {
    let stage = Stage::open();
    let vault = stage.vault();
    let name = vault.connection_secret(&connection());
    let first = vault.create(&name, &tokens("one"), &attempt(1)).await.unwrap();
    let second = vault.put(&name, &tokens("two"), &attempt(2)).await.unwrap();
    let third = vault.put(&name, &tokens("three"), &attempt(3)).await.unwrap();
    assert_eq!(third, version_of(&attempt(3)));
    let stage = stage.restarted();
    for (version, token) in [(first, "one"), (second, "two"), (third, "three")] {
        assert_eq!(access(&stage, &name, &version).await, token);
    }
}

#[tokio::test]
async fn a_write_repeated_with_its_token_changes_nothing_and_another_value_is_refused() {
    let stage = Stage::open();
    let vault = stage.vault();
    let name = vault.connection_secret(&connection());
    vault.create(&name, &tokens("one"), &attempt(1)).await.unwrap();
    vault.create(&name, &tokens("one"), &attempt(1)).await.unwrap();
    assert!(matches!(vault.create(&name, &tokens("x"), &attempt(9)).await, Err(VaultError::Exists { .. })));
    vault.put(&name, &tokens("two"), &attempt(2)).await.unwrap();
    vault.put(&name, &tokens("one"), &attempt(1)).await.unwrap();
    assert!(matches!(vault.put(&name, &tokens("x"), &attempt(2)).await, Err(VaultError::Exists { .. })));
    let current = stage.secrets().get_secret_value().secret_id(&name).send().await.unwrap();
    assert_eq!(current.version_id(), Some(version_of(&attempt(2)).as_str()));
    let previous = stage.secrets().get_secret_value().secret_id(&name).version_stage("AWSPREVIOUS").send().await.unwrap();
    assert_eq!(previous.version_id(), Some(version_of(&attempt(1)).as_str()));
}

#[tokio::test]
async fn after_a_crash_the_attempts_version_is_found_or_known_to_be_absent() {
    let stage = Stage::open();
    let vault = stage.vault();
    let name = vault.connection_secret(&connection());
    assert!(vault.find_version(&name, &attempt(1)).await.unwrap().is_none());
    vault.create(&name, &tokens("one"), &attempt(1)).await.unwrap();
    assert!(vault.find_version(&name, &attempt(1)).await.unwrap().is_some());
    assert!(vault.find_version(&name, &attempt(2)).await.unwrap().is_none());
    assert!(matches!(vault.read(&name, &version_of(&attempt(2)), stage.now()).await, Err(VaultError::Missing { .. })));
    assert!(matches!(vault.put("postledger/none", &tokens("x"), &attempt(1)).await, Err(VaultError::Missing { .. })));
}

#[tokio::test]
async fn a_deleted_secret_is_gone_and_deleting_it_again_is_no_error() {
    let stage = Stage::open();
    let vault = stage.vault();
    let name = vault.connection_secret(&connection());
    vault.create(&name, &tokens("one"), &attempt(1)).await.unwrap();
    vault.delete(&name).await.unwrap();
    vault.delete(&name).await.unwrap();
    assert!(vault.find_version(&name, &attempt(1)).await.unwrap().is_none());
    vault.create(&name, &tokens("again"), &attempt(2)).await.unwrap();
}

#[tokio::test]
async fn a_choice_comes_back_with_every_account_and_can_be_forgotten() {
    let stage = Stage::open();
    let vault = stage.vault();
    let choice = ChoiceId::new(Timestamp::UNIX_EPOCH, [3; 10]);
    let account = |id: &str| ChoiceTokens {
        account_id: id.into(),
        username: "Shop".into(),
        kind: AccountKind::Page,
        server: None,
        grantor: None,
        tokens: tokens(id),
    };
    vault.create_choice(&choice, &[account("1"), account("2")]).await.unwrap();
    let read = vault.read_choice(&choice).await.unwrap();
    let ids = read.iter().map(|account| (account.account_id.as_str(), account.tokens.access.expose_secret()));
    assert_eq!(ids.collect::<Vec<_>>(), [("1", "1"), ("2", "2")]);
    vault.delete_choice(&choice).await.unwrap();
    assert!(matches!(vault.read_choice(&choice).await, Err(VaultError::Missing { .. })));
}

#[tokio::test]
async fn what_is_larger_than_a_secret_is_refused_before_it_is_sent() {
    let stage = Stage::open();
    let error = stage.vault().create("postledger/connection/x", &tokens(&"a".repeat(65_536)), &attempt(1)).await.unwrap_err();
    assert!(matches!(error, VaultError::TooLarge { .. }));
    assert!(stage.aws.calls().is_empty());
}

#[tokio::test]
async fn app_credentials_are_kept_for_five_minutes() {
    let stage = Stage::open();
    let vault = stage.vault();
    let set = |id: &str| stage.aws.set_secret("postledger/platform/x", &format!(r#"{{"client_id":"{id}","client_secret":"s"}}"#).into());
    set("old").unwrap();
    let client_id = async |later| vault.app_credentials(&App::at(PlatformName::X), stage.now() + secs(later)).await.unwrap().0;
    assert_eq!(client_id(0).await, "old");
    set("new").unwrap();
    assert_eq!(client_id(299).await, "old");
    assert_eq!(client_id(300).await, "new");
    assert!(matches!(vault.app_credentials(&App::at(PlatformName::Facebook), stage.now()).await, Err(VaultError::Missing { .. })));
}

#[tokio::test]
async fn an_app_at_a_server_is_kept_once_and_whoever_comes_second_reads_the_firsts() {
    let stage = Stage::open();
    let (first, second) = (stage.vault(), stage.vault());
    let at = |server: &str| App { platform: PlatformName::X, server: Some(ServerName::parse(server).unwrap()) };
    let app = at("one.example");
    let found = async |vault: &cloud::vault::Vault, app: &App| vault.find_app(app, stage.now()).await.unwrap().map(|(id, _)| id);
    assert_eq!(found(&first, &app).await, None);
    first.create_app(&app, ("first", &"s".into()), &attempt(1)).await.unwrap();
    first.create_app(&app, ("first", &"s".into()), &attempt(1)).await.unwrap();
    assert!(matches!(second.create_app(&app, ("second", &"s".into()), &attempt(2)).await, Err(VaultError::Exists { .. })));
    assert_eq!(found(&second, &app).await.as_deref(), Some("first"));
    first.app_credentials(&app, stage.now()).await.unwrap();
    assert_eq!((found(&first, &at("two.example")).await, found(&first, &App::at(PlatformName::X)).await), (None, None));

    // What one process has removed, another may still remember; whoever begins a consent looks anew.
    second.delete_app(&app).await.unwrap();
    second.delete_app(&app).await.unwrap();
    assert!(first.app_credentials(&app, stage.now()).await.is_ok());
    assert_eq!((found(&first, &app).await, first.app_credentials(&app, stage.now()).await.is_ok()), (None, false));
    assert!(matches!(second.app_credentials(&app, stage.now()).await, Err(VaultError::Missing { .. })));
}

#[tokio::test]
async fn a_version_is_read_once_in_five_minutes_and_forgotten_with_its_secret() {
    let stage = Stage::open();
    let vault = stage.vault();
    let name = vault.connection_secret(&connection());
    let first = vault.create(&name, &tokens("one"), &attempt(1)).await.unwrap();
    let second = vault.put(&name, &tokens("two"), &attempt(2)).await.unwrap();
    let readings = || stage.aws.calls().get("secretsmanager.GetSecretValue").copied().unwrap_or(0);
    let access = async |version: &str, later| {
        let read = vault.clone().read(&name, version, stage.now() + secs(later)).await;
        read.map(|tokens| tokens.access.expose_secret().to_owned())
    };
    assert_eq!((access(&first, 0).await.unwrap(), access(&first, 299).await.unwrap(), readings()), ("one".to_owned(), "one".to_owned(), 1));
    assert_eq!((access(&second, 0).await.unwrap(), readings()), ("two".to_owned(), 2), "another version is another reading");
    assert_eq!((access(&first, 300).await.unwrap(), readings()), ("one".to_owned(), 3));

    // By somebody else: known here for as long as a process may not look.
    stage.secrets().delete_secret().secret_id(&name).force_delete_without_recovery(true).send().await.unwrap();
    assert_eq!(access(&first, 599).await.unwrap(), "one");
    assert!(matches!(access(&first, 600).await, Err(VaultError::Missing { .. })));

    let third = vault.create(&name, &tokens("three"), &attempt(3)).await.unwrap();
    assert_eq!(access(&third, 600).await.unwrap(), "three");
    vault.delete(&name).await.unwrap();
    assert!(matches!(access(&third, 600).await, Err(VaultError::Missing { .. })), "what this process removes it forgets");
}

#[tokio::test]
async fn a_vault_that_remembers_no_tokens_asks_each_time() {
    let stage = Stage::open();
    let vault = stage.vault().remembering_no_tokens();
    let version = vault.create("postledger/connection/a", &tokens("one"), &attempt(1)).await.unwrap();
    for _ in 0..2 {
        vault.read("postledger/connection/a", &version, stage.now()).await.unwrap();
    }
    assert_eq!(stage.aws.calls()["secretsmanager.GetSecretValue"], 2);
}

#[tokio::test]
async fn a_hash_key_that_is_missing_or_too_short_is_refused() {
    let stage = Stage::open();
    let secret = HashKeySecret::new(&stage.aws.sdk_config(), "a-name-of-its-own");
    assert!(matches!(secret.read().await, Err(VaultError::Missing { .. })));
    stage.aws.set_secret("a-name-of-its-own", &"k".repeat(63).into()).unwrap();
    assert!(matches!(secret.read().await, Err(VaultError::Malformed { .. })));
    stage.aws.set_secret("a-name-of-its-own", &"k".repeat(64).into()).unwrap();
    assert_eq!(secret.read().await.unwrap().expose_secret().len(), 64);
}

#[tokio::test]
async fn secrets_are_listed_and_described_without_their_values() {
    let stage = Stage::open();
    let vault = stage.vault();
    vault.create("postledger/connection/a", &tokens("one"), &attempt(1)).await.unwrap();
    vault.create("postledger/connection/b", &tokens("two"), &attempt(1)).await.unwrap();
    let listed = stage.secrets().list_secrets().send().await.unwrap();
    assert_eq!(listed.secret_list().iter().filter_map(|entry| entry.name()).collect::<Vec<_>>().len(), 2);
    let described = stage.secrets().describe_secret().secret_id("postledger/connection/a").send().await.unwrap();
    assert_eq!(described.version_ids_to_stages().unwrap()[&version_of(&attempt(1))], ["AWSCURRENT"]);
}

#[tokio::test]
async fn a_token_of_the_wrong_length_is_refused() {
    let stage = Stage::open();
    let request = stage.secrets().create_secret().name("n").client_request_token("short").secret_string("v");
    let error = request.send().await.unwrap_err().into_service_error();
    assert_eq!(error.code(), Some("InvalidParameterException"));
}
