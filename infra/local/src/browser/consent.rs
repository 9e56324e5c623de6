//! The simulated consent page, read and answered as a person would.

use anyhow::{Context, bail};
use url::Url;

use super::Browser;

impl Browser {
    /// Walks a consent from our start to our callback, and returns the address that the callback sent the browser to.
    /// `fields` are what the person picks on the page, beside the button.
    pub async fn consent(&self, platform: &str, decision: &str, fields: &[(&str, &str)]) -> anyhow::Result<Url> {
        let callback = self.consent_until_callback(platform, decision, fields).await?;
        let ended = self.get(&callback).await?.expect(303)?;
        Ok(Url::parse(&ended.location()?)?)
    }

    /// The same walk up to the callback's address, which is not called.
    pub async fn consent_until_callback(&self, platform: &str, decision: &str, fields: &[(&str, &str)]) -> anyhow::Result<String> {
        self.consent_from(&format!("/oauth/{platform}/start?return_to=/connections"), decision, fields).await
    }

    /// The same walk from any address that begins one.
    pub async fn consent_from(&self, start: &str, decision: &str, fields: &[(&str, &str)]) -> anyhow::Result<String> {
        let started = self.get(start).await?.expect(303)?;
        let page = self.get(&started.location()?).await?.expect(200)?;
        let mut form = hidden_inputs(&page.text);
        form.push(("decision".to_owned(), decision.to_owned()));
        form.extend(fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let mut action = Url::parse(&started.location()?)?;
        action.set_query(None);
        self.post_form(action.as_str(), &form).await?.expect(303)?.location()
    }

    /// Connects accounts: the one that a consent brings, or the chosen ones of several. Returns their connections' ids.
    pub async fn connect(&self, platform: &str, fields: &[(&str, &str)], chosen: &[&str]) -> anyhow::Result<Vec<String>> {
        let ended = self.consent(platform, "allow", fields).await?;
        let (name, value) = ended.query_pairs().next().with_context(|| format!("nothing is said in {ended}"))?;
        match name.as_ref() {
            "connected" => Ok(vec![value.into_owned()]),
            "choose" => self.choose(&value, chosen).await,
            _ => bail!("the consent ended at {ended}"),
        }
    }

    /// Connects the one account of a consent at a server that its owner names. Returns the connection's id.
    pub async fn connect_at(&self, platform: &str, server: &str, fields: &[(&str, &str)]) -> anyhow::Result<String> {
        self.connect_named(platform, ("server", server), fields).await
    }

    /// Connects the account whose owner gives their handle. Returns the connection's id.
    pub async fn connect_by_handle(&self, platform: &str, handle: &str, fields: &[(&str, &str)]) -> anyhow::Result<String> {
        self.connect_named(platform, ("handle", handle), fields).await
    }

    async fn connect_named(&self, platform: &str, (name, value): (&str, &str), fields: &[(&str, &str)]) -> anyhow::Result<String> {
        let start = format!("/oauth/{platform}/start?return_to=/connections&{name}={value}");
        let callback = self.consent_from(&start, "allow", fields).await?;
        let ended = Url::parse(&self.get(&callback).await?.expect(303)?.location()?)?;
        let connected = ended.query_pairs().find(|(name, _)| name == "connected").map(|(_, id)| id.into_owned());
        connected.with_context(|| format!("the consent ended at {ended}"))
    }

    async fn choose(&self, choice: &str, chosen: &[&str]) -> anyhow::Result<Vec<String>> {
        let path = format!("/api/connections/choices/{choice}");
        let offered = self.get(&path).await?.expect(200)?;
        let accounts = offered.json["accounts"].as_array().cloned().unwrap_or_default();
        let ids: Vec<_> = accounts
            .iter()
            .filter(|account| chosen.is_empty() || chosen.iter().any(|name| account["username"] == *name || account["account_id"] == *name))
            .map(|account| account["account_id"].clone())
            .collect();
        let made = self.post(&path, Some(&serde_json::json!({ "account_ids": ids }))).await?.expect(201)?;
        let items = made.json["items"].as_array().cloned().unwrap_or_default();
        items.iter().map(|item| super::text_at(item, "/id")).collect()
    }
}

/// The name and value of each hidden input.
fn hidden_inputs(page: &str) -> Vec<(String, String)> {
    let attribute = |tag: &str, name: &str| {
        let rest = tag.split_once(&format!("{name}=\""))?.1;
        Some(unescaped(rest.split_once('"')?.0))
    };
    let tags = page.split("<input").skip(1).filter_map(|rest| rest.split_once('>')).map(|(tag, _)| tag);
    tags.filter(|tag| tag.contains("type=\"hidden\"")).filter_map(|tag| Some((attribute(tag, "name")?, attribute(tag, "value")?))).collect()
}

fn unescaped(text: &str) -> String {
    text.replace("&quot;", "\"")
        .replace("&#39;", "'")
        .replace("&#x27;", "'")
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_inputs_are_read_as_a_browser_reads_them() {
        let page = r#"<form><input type="hidden" name="state" value="a&amp;b"><input name="account" value="x"><input type="hidden" name="s" value=""></form>"#;
        assert_eq!(hidden_inputs(page), [("state".to_owned(), "a&b".to_owned()), ("s".to_owned(), String::new())]);
    }
}
