//! What all of these journeys do.

use journeys::Stage;
use local::{Browser, Reply};
use serde_json::Value;

pub(crate) type Outcome = anyhow::Result<()>;

/// Somebody new, signed in.
pub(crate) async fn somebody(stage: &Stage, phone: &str) -> anyhow::Result<Browser> {
    let mut browser = stage.browser();
    browser.sign_in(phone).await?;
    Ok(browser)
}

/// Where a callback leads, without the frontend's address.
pub(crate) fn leads_to(reply: Reply) -> anyhow::Result<String> {
    let location = reply.expect(303)?.location()?;
    no_token(&location);
    let path = location.splitn(4, '/').nth(3).unwrap_or_default();
    Ok(format!("/{path}"))
}

/// The address of a callback, called.
pub(crate) async fn ended(browser: &Browser, callback: &str) -> anyhow::Result<String> {
    leads_to(browser.get(callback).await?)
}

/// A consent from `start` to where its callback leads.
pub(crate) async fn consented(browser: &Browser, start: &str, fields: &[(&str, &str)]) -> anyhow::Result<String> {
    let callback = browser.consent_from(start, "allow", fields).await?;
    ended(browser, &callback).await
}

/// A callback's address with one parameter set anew, or taken out.
pub(crate) fn with(callback: &str, name: &str, value: Option<&str>) -> anyhow::Result<String> {
    let mut url = url::Url::parse(callback)?;
    let rest: Vec<_> = url.query_pairs().into_owned().filter(|(of, _)| of != name).collect();
    url.query_pairs_mut().clear().extend_pairs(rest).extend_pairs(value.map(|value| (name, value)));
    Ok(url.into())
}

/// How many people a function has led back because of us.
pub(crate) fn led_back(stage: &Stage, service: &str) -> usize {
    let service = format!("\"service\":\"{service}\"");
    stage.log().iter().filter(|line| line.contains("\"consent_unavailable\":1.0") && line.contains(&service)).count()
}

/// The user's connections, as they are shown.
pub(crate) async fn connections(browser: &Browser) -> anyhow::Result<Vec<Value>> {
    let listed = browser.get("/api/connections").await?.expect(200)?;
    no_token(&listed.text);
    no_token(&browser.get("/api/platforms").await?.expect(200)?.text);
    Ok(listed.json["items"].as_array().cloned().unwrap_or_default())
}

/// How often a platform was asked for an operation.
pub(crate) async fn calls(browser: &Browser, platform: &str, operation: &str) -> anyhow::Result<u64> {
    Ok(browser.platform_calls(platform).await?[operation].as_u64().unwrap_or_default())
}

/// The id that a redirect or an answer names.
pub(crate) fn id_in(redirect: &str, name: &str) -> String {
    let id = redirect.split(&format!("{name}=")).nth(1).unwrap_or_else(|| panic!("no {name} in {redirect}"));
    id.split('&').next().unwrap_or_default().to_owned()
}

/// Secrets below a place in the vault, such as `/choice/`.
pub(crate) fn secrets(stage: &Stage, place: &str) -> anyhow::Result<usize> {
    Ok(stage.service().aws().secret_names()?.iter().filter(|name| name.contains(place)).count())
}

/// Nothing that a platform gave us stands in what we show.
pub(crate) fn no_token(text: &str) {
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '-');
    for word in words {
        let token = ["xa-", "xr-", "fu-", "fp-", "code-"].iter().any(|kind| word.starts_with(kind));
        assert!(!token, "a token in {text}");
    }
    assert!(!text.contains("secret_"), "a secret's name in {text}");
}
