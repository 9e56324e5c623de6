//! What the README says of settings, options, prices and permissions is what the code does.

use std::process::Command;

use domain::analytics::{Numbers, Pace, Paces, Rhythm, Task, Watch, Watching};
use domain::id::{ConnectionId, PostId, UserId};
use domain::people::CodeVerifier;
use domain::platform::{PlatformAddresses, PlatformName, Setting};
use edge::config::VARIABLES;
use jiff::{SignedDuration, Timestamp};
use platforms::{AppCredentials, Ask, Platforms};
use url::Url;

const README: &str = include_str!("../../../../README.md");
/// What X charges for a post that is read, in tenths of a cent.
const READ_PRICE: usize = 5;

#[test]
fn every_variable_and_every_option_is_told() {
    for variable in VARIABLES {
        assert!(README.contains(&format!("`{variable}`")), "{variable}");
    }
    for setting in Setting::all().filter(|setting| *setting != Setting::Everywhere) {
        assert!(README.contains(&format!("`{}`", setting.name())), "{}", setting.name());
    }
    let help = Command::new(env!("CARGO_BIN_EXE_postledger")).arg("--help").output().unwrap().stdout;
    let help = String::from_utf8(help).unwrap();
    let options = help.split_whitespace().filter(|word| word.starts_with("--") && !matches!(*word, "--help" | "--version"));
    let mut told = 0;
    for option in options {
        assert!(README.contains(&format!("| `{option}")), "{option}");
        told += 1;
    }
    assert!(told >= 7, "{help}");
}

/// How often one post on X is read at most, whatever the hour at which it went out.
fn readings(pace: Pace) -> usize {
    let day = "2026-11-23T00:00:00Z".parse::<Timestamp>().expect("a time");
    let published = (0..48).map(|half_hours| day + SignedDuration::from_mins(30 * half_hours));
    published.map(|published_at| readings_of(published_at, pace)).max().expect("some half hours")
}

fn readings_of(published_at: Timestamp, pace: Pace) -> usize {
    let mut watch = Watch {
        post_id: PostId::new(published_at, [1; 10]),
        user_id: UserId::new(published_at, [2; 10]),
        connection_id: ConnectionId::new(published_at, [3; 10]),
        platform: PlatformName::X,
        platform_post_id: "42".to_owned(),
        published_at,
        cycle_start: None,
        numbers: Numbers::default(),
        observed_at: None,
        asked_at: None,
        watching: Watching::Following,
        next_sync_at: Some(published_at + SignedDuration::from_hours(1)),
        rev: 1,
    };
    let mut readings = 0;
    while let Some(due) = watch.next_sync_at {
        watch = match watch.task(Rhythm::OnceADay, due) {
            Task::Read(begun) | Task::Note(begun) => {
                readings += 1;
                begun.observed(Numbers::default(), Rhythm::OnceADay, pace, due)
            }
            Task::Later(later) => *later,
            Task::Nothing => break,
        };
    }
    readings
}

#[test]
fn the_prices_of_reading_follow_from_the_ladder() {
    for (setting, pace) in [("–", Pace::FULL), ("`x=2`", Pace::OneOf(2)), ("`x=3`", Pace::OneOf(3)), ("`x=6`", Pace::OneOf(6))] {
        let readings = readings(pace);
        let row = format!("| {setting} | {readings} | 0.{:03} |", readings * READ_PRICE);
        assert!(README.contains(&row), "{row}");
    }
    let off: Paces = [(PlatformName::X, Pace::Off)].into_iter().collect();
    assert!(off.of(PlatformName::X) == Pace::Off && README.contains("| `x=off` | 0 | 0 |"));
}

#[test]
fn each_platform_has_its_credentials_told() {
    for platform in PlatformName::ALL {
        let of_it = format!("| {} | `/platform/{platform}` | ", platform.descriptor().display_name);
        let callback = format!(" | `<ApiUrl>/oauth/{platform}/callback` |");
        assert!(README.lines().any(|line| line.trim_start().starts_with(&of_it) && line.ends_with(&callback)), "{platform}");
    }
}

#[tokio::test]
async fn each_permission_that_facebook_is_asked_for_is_told() {
    let platforms = Platforms::new(&PlatformAddresses::default()).unwrap();
    let app = AppCredentials { client_id: "id".to_owned(), client_secret: "secret".into() };
    let redirect_uri = Url::parse("https://api.example.com/callback").unwrap();
    let (state, code_verifier) = ("state".into(), CodeVerifier::from_entropy([7; 32]));
    let (entropy, now) = ([7; 32], Timestamp::UNIX_EPOCH);
    let ask = Ask { state: &state, code_verifier: &code_verifier, redirect_uri: &redirect_uri, named: None, entropy: &entropy, now };
    let page = platforms.get(PlatformName::Facebook).authorize(&app, &ask).await.unwrap().url;
    let (_, scopes) = page.query_pairs().find(|(name, _)| name == "scope").unwrap();
    for scope in scopes.split(',') {
        assert!(README.contains(&format!("| `{scope}` |")), "{scope}");
    }
}
