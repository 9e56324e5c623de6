//! The people of an attack: Ann, who has something to lose, and Eve, who has an account of her own.

use std::collections::BTreeMap;

use journeys::{Person, Stage};
use local::Browser;
use serde_json::json;

use crate::wire::{Answer, Request};

/// Ann's phone.
pub const ANNS_PHONE: &str = "+61412345701";
/// Eve's phone.
pub const EVES_PHONE: &str = "+61412345702";
/// Two days ahead: due long after every test.
const DUE_IN_SECS: i64 = 2 * 24 * 3_600;

/// Two people with all that people have, and the names of it.
pub struct Scene<'a> {
    /// The service.
    pub stage: &'a Stage,
    /// Whose things are attacked.
    pub ann: Person,
    /// Who attacks, signed in herself.
    pub eve: Person,
    /// What `{name}` stands for in a row: ids, codes, cookies and cursors.
    pub names: BTreeMap<&'static str, String>,
}

impl<'a> Scene<'a> {
    /// Signs both up and gives them plans, accounts, posts, choices and codes.
    pub async fn set(stage: &'a Stage) -> anyhow::Result<Self> {
        let mut ann = stage.person(ANNS_PHONE, "starter", "ann").await?;
        let eve = stage.person(EVES_PHONE, "starter", "eve").await?;
        let mut names = BTreeMap::new();
        anns_sessions(&mut ann, &mut names).await?;
        things_of(&ann, ["draft", "scheduled", "cancelled", "choice", "user", "posts_cursor", "history_cursor", "group"], &mut names)
            .await?;
        let eves =
            ["eves_draft", "eves_scheduled", "eves_cancelled", "eves_choice", "eves_user", "eves_cursor", "eves_history", "eves_group"];
        things_of(&eve, eves, &mut names).await?;
        names.insert("x", ann.x.clone());
        names.insert("facebook", ann.facebook.clone());
        names.insert("eves_x", eve.x.clone());
        names.insert("session", ann.browser.get("/api/sessions").await?.str("/items/0/id")?);
        names.insert("eves_session", eve.browser.get("/api/sessions").await?.str("/items/0/id")?);
        for (name, of) in [("cookie", &ann), ("eves_cookie", &eve)] {
            names.insert(name, token(&of.browser));
        }
        for (name, of) in [("csrf", &ann), ("eves_csrf", &eve)] {
            names.insert(name, of.browser.csrf_token.clone().unwrap_or_default());
        }
        let callback = ann.browser.consent_until_callback("x", "allow", &[("account", "ann_two")]).await?;
        names.insert("callback_query", callback.split_once('?').map(|(_, query)| query.to_owned()).unwrap_or_default());
        let gift = ann.browser.post("/_local/gift-certificates", Some(&json!({ "plan": "professional" }))).await?;
        names.insert("gift", gift.expect(201)?.str("/code")?);
        names.insert("due", ann.browser.service_time(DUE_IN_SECS).await?);
        names.insert("base", stage.service().base_url().to_owned());
        Ok(Self { stage, ann, eve, names })
    }

    /// `text` with every `{name}` in the place of what it stands for.
    pub fn filled(&self, text: &str) -> String {
        self.names.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
    }

    /// A request as this person's browser makes it.
    pub fn request(&self, by: Who, method: &str, target: &str) -> Request {
        let browser = match by {
            Who::Nobody => return Request::new(method, &self.filled(target)),
            Who::Ann => &self.ann.browser,
            Who::Eve => &self.eve.browser,
        };
        request_of(browser, method, &self.filled(target))
    }

    /// Sends it.
    pub async fn send(&self, request: &Request) -> anyhow::Result<Answer> {
        request.send(self.stage.service().base_url()).await
    }
}

/// A request with a browser's cookie, and what its own pages add to a change.
pub fn request_of(browser: &Browser, method: &str, target: &str) -> Request {
    let mut request = Request::new(method, target);
    if let Some(cookie) = &browser.cookie {
        request = request.with("cookie", cookie);
    }
    if method == "GET" {
        return request;
    }
    request = request.with("origin", browser.base_url());
    match &browser.csrf_token {
        Some(token) => request.with("x-csrf-token", token),
        None => request,
    }
}

/// With a JSON body.
#[must_use]
pub fn with_json(request: Request, body: &str) -> Request {
    Request { body: Some(body.as_bytes().to_vec()), ..request.with("content-type", "application/json") }
}

/// The cookie's value.
pub fn token(browser: &Browser) -> String {
    browser.cookie.as_deref().and_then(|cookie| cookie.split_once('=')).map(|(_, token)| token.to_owned()).unwrap_or_default()
}

/// Who sends a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// Without a cookie.
    Nobody,
    /// With the victim's cookie: her browser is made to do it.
    Ann,
    /// With a session of her own.
    Eve,
}

/// Two more sessions: one stays, one was signed out.
async fn anns_sessions(ann: &mut Person, names: &mut BTreeMap<&'static str, String>) -> anyhow::Result<()> {
    for signs_out in [true, false] {
        ann.browser.advance(61).await?;
        let mut browser = Browser::new(ann.browser.base_url())?;
        browser.sign_in(ANNS_PHONE).await?;
        if signs_out {
            browser.post("/api/logout", None).await?.expect(204)?;
            names.insert("dead_cookie", token(&browser));
        } else {
            names.insert("other_cookie", token(&browser));
            names.insert("other_csrf", browser.csrf_token.clone().unwrap_or_default());
        }
    }
    Ok(())
}

async fn things_of(person: &Person, called: [&'static str; 8], names: &mut BTreeMap<&'static str, String>) -> anyhow::Result<()> {
    let browser = &person.browser;
    let due = browser.service_time(DUE_IN_SECS).await?;
    let mut posts = Vec::new();
    for text in ["A draft", "A scheduled post", "A cancelled post"] {
        posts.push(browser.write(text, &[&person.x], &due).await?.remove(0));
    }
    browser.approve(&posts[1]).await?;
    browser.post(&format!("/api/posts/{}/cancel", posts[2]), None).await?.expect(200)?;
    let asked = browser.consent("facebook", "allow", &[]).await?;
    let choice = asked.query_pairs().find(|(name, _)| name == "choose").map(|(_, id)| id.into_owned()).unwrap_or_default();
    let user = browser.get("/api/user").await?.expect(200)?.str("/id")?;
    let cursor = browser.get("/api/posts?limit=1").await?.expect(200)?.str("/next_cursor")?;
    let history = browser.get("/api/quota/history?limit=1").await?.expect(200)?.str("/next_cursor")?;
    let group = browser.post_story(&posts[0]).await?["group_id"].as_str().unwrap_or_default().to_owned();
    let [draft, scheduled, cancelled] = <[String; 3]>::try_from(posts).unwrap_or_default();
    names.extend(called.into_iter().zip([draft, scheduled, cancelled, choice, user, cursor, history, group]));
    Ok(())
}
