//! Every secret has one home; a rich journey leaves it nowhere else, in no encoding.

use journeys::{SOON, Stage, play};
use security::canary::{Canary, found};
use security::scene::{request_of, token, with_json};
use security::state::State;
use security::tell;
use security::wire::{Answer, Request, parameter};
use serde_json::{Value, json};

type Outcome = anyhow::Result<()>;

const PHONE: &str = "+61412345741";
const TEXT: &str = "Planted-7f3a91c4 the text of a post";
const NOTE: &str = "Planted-0b52d6e8 the note of an assistant";

/// Everything that must not be told, by what it is.
#[derive(Default)]
struct Secrets(Vec<Canary>);

impl Secrets {
    fn keep(&mut self, name: &str, secret: &str) {
        self.0.push(Canary::new(name, secret));
    }
}

/// Where a secret may be: how its place begins. The inbox stands for the phone itself.
fn is_home(canary: &Canary, place: &str) -> bool {
    let homes: &[&str] = match canary.name.as_str() {
        "phone" => &["postledger-local-users USER#", "texts "],
        "code" => &["texts "],
        // An answer that is kept for its owner's Idempotency-Key holds what its owner wrote, for a day.
        "post text" => &["postledger-local-posts USER#", "postledger-local-sessions KEY#", "sim x posts"],
        "note" => &["postledger-local-posts USER#", "postledger-local-sessions KEY#"],
        "code verifier" => &["postledger-local-sessions FLOW#"],
        "token" | "app secret" | "hash key" => &["secret_versions "],
        _ => &[],
    };
    homes.iter().any(|home| place.starts_with(home))
}

/// A sign-in whose code, cookie and token are kept.
async fn sign_in(stage: &Stage, secrets: &mut Secrets) -> anyhow::Result<local::Browser> {
    let mut ann = stage.browser();
    ann.post("/api/verification-codes", Some(&json!({ "phone": PHONE }))).await?.expect(202)?;
    let code = ann.texted_code(PHONE).await?;
    secrets.0.push(Canary::code("code", &code));
    let wrong = format!("{:06}", (code.parse::<u32>()? + 1) % 1_000_000);
    ann.post("/api/verify-code", Some(&json!({ "phone": PHONE, "code": wrong }))).await?.expect(400)?;
    let verified = ann.post("/api/verify-code", Some(&json!({ "phone": PHONE, "code": code }))).await?.expect(200)?;
    ann.keep_cookie(&verified);
    ann.csrf_token = Some(verified.str("/csrf_token")?);
    secrets.keep("session", &token(&ann));
    secrets.keep("csrf token", &verified.str("/csrf_token")?);
    Ok(ann)
}

/// A consent whose state and code are kept.
async fn connect(stage: &Stage, ann: &local::Browser, platform: &str, secrets: &mut Secrets) -> anyhow::Result<String> {
    let callback = ann.consent_until_callback(platform, "allow", &[]).await?;
    secrets.keep("state", &parameter(&callback, "state"));
    secrets.keep("oauth code", &parameter(&callback, "code"));
    for (_, item) in State::read(stage).await?.kept().filter(|(place, _)| place.contains("FLOW#")) {
        if let Some(verifier) = item.split("; ").find_map(|field| field.strip_prefix("code_verifier=")) {
            secrets.keep("code verifier", verifier);
        }
    }
    ann.get(&callback).await?.expect(303)?.location()
}

/// What the vault holds: tokens, our apps' secrets, the hash key.
fn from_vault(state: &State, secrets: &mut Secrets) -> anyhow::Result<usize> {
    let mut tokens = 0;
    for (place, kept) in state.kept().filter(|(place, _)| place.starts_with("secret_versions ")) {
        let value = kept.split_once(" | ").map_or(kept, |(_, value)| value);
        match serde_json::from_str::<Value>(value) {
            Ok(json) => tokens += from_json(&json, secrets),
            Err(_) if place.contains("hash-key") => secrets.keep("hash key", value),
            Err(_) => anyhow::bail!("{place} is not understood"),
        }
    }
    Ok(tokens)
}

/// Every text of a secret that is long enough to be one, by the name of its field.
fn from_json(json: &Value, secrets: &mut Secrets) -> usize {
    match json {
        Value::Object(fields) => {
            let mut count = 0;
            for (name, value) in fields {
                count += match value.as_str() {
                    Some(text) if name == "client_secret" => {
                        secrets.keep("app secret", text);
                        0
                    }
                    Some(text) if ["access", "refresh", "parent"].contains(&name.as_str()) => {
                        secrets.keep("token", text);
                        1
                    }
                    _ => from_json(value, secrets),
                };
            }
            count
        }
        Value::Array(items) => items.iter().map(|item| from_json(item, secrets)).sum(),
        _ => 0,
    }
}

/// What somebody else gets to see: every list, with and without a session, and refusals of what holds secrets.
async fn told_to_others(stage: &Stage, ann: &local::Browser, gift: &str) -> anyhow::Result<Vec<(String, Answer)>> {
    let mut eve = stage.browser();
    eve.sign_in("+61412345742").await?;
    let base = stage.service().base_url();
    let mut told = Vec::new();
    for operation in security::operations::ALL.iter().filter(|operation| !operation.changes() && !operation.path.contains('{')) {
        for (who, request) in [("Eve", request_of(&eve, "GET", &operation.path)), ("nobody", Request::new("GET", &operation.path))] {
            told.push((format!("answer to {who}: {}", operation.path), request.send(base).await?));
        }
    }
    // Ann's own things in Eve's mouth: a refusal repeats nothing.
    for body in [json!({ "code": gift }), json!({ "code": TEXT }), json!({ PHONE: TEXT })] {
        let request = with_json(request_of(&eve, "POST", "/api/redeem-gift"), &body.to_string());
        told.push((format!("answer to Eve: {}", request.target), request.send(base).await?));
    }
    let callback = told_of(ann, "/oauth/x/callback?state={}&code={}", base).await?;
    told.push(("answer to nobody: a callback".to_owned(), callback));
    Ok(told)
}

/// The callback's answer to nobody at all.
async fn told_of(ann: &local::Browser, target: &str, base: &str) -> anyhow::Result<Answer> {
    let callback = ann.consent_until_callback("x", "allow", &[]).await?;
    let target = target.replacen("{}", &parameter(&callback, "state"), 1).replacen("{}", &parameter(&callback, "code"), 1);
    Request::new("GET", &target).send(base).await
}

/// Signs in, connects, posts, fails, edits, asks again: whatever could write a secret down.
async fn rich_journey(stage: &Stage, secrets: &mut Secrets) -> anyhow::Result<(local::Browser, String, State)> {
    secrets.keep("phone", PHONE);
    secrets.keep("phone", PHONE.trim_start_matches('+'));
    secrets.keep("phone", PHONE.trim_start_matches("+61"));
    secrets.keep("post text", TEXT);
    secrets.keep("note", NOTE);
    let ann = sign_in(stage, secrets).await?;
    let gift = ann.post("/_local/gift-certificates", Some(&json!({ "plan": "starter" }))).await?.expect(201)?.str("/code")?;
    secrets.keep("gift code", &gift);
    secrets.keep("gift code", &gift.replace('-', ""));
    ann.post("/api/redeem-gift", Some(&json!({ "code": gift }))).await?.expect(200)?;
    let connected = connect(stage, &ann, "x", secrets).await?;
    let choice = parameter(&connect(stage, &ann, "facebook", secrets).await?, "choose");
    from_vault(&State::read(stage).await?, secrets)?;
    let choose = json!({ "account_ids": ["100000000000001"] });
    ann.post(&format!("/api/connections/choices/{choice}"), Some(&choose)).await?.expect(201)?;
    let connection = parameter(&connected, "connected");

    let write = async |secs: i64| {
        let due = ann.service_time(secs).await?;
        let body =
            json!({ "content": TEXT, "targets": [{ "connection_id": connection }], "scheduled_for": due, "ai_recommendation": NOTE });
        ann.request(http::Method::POST, "/api/posts", &[("idempotency-key", "Planted-key-55e1")], Some(&body))
            .await?
            .expect(201)?
            .str("/items/0/id")
    };
    let post = write(0).await?;
    ann.approve(&post).await?;
    ann.wait_for(&post, "published", SOON).await?;
    ann.fault("x", &json!({ "kind": "reject" })).await?;
    let due = ann.service_time(0).await?;
    let refused = ann.write(&format!("{TEXT} again"), &[&connection], &due).await?.remove(0);
    ann.approve(&refused).await?;
    ann.wait_for(&refused, "failed", SOON).await?;
    // The access token runs out: it is refreshed before the next post.
    ann.advance(7_500).await?;
    let due = ann.service_time(0).await?;
    let later = ann.write(&format!("{TEXT} later"), &[&connection], &due).await?.remove(0);
    ann.approve(&later).await?;
    ann.wait_for(&later, "published", SOON).await?;

    // A wake-up that stays in the queue and a schedule that waits, so that there is something to look into.
    let (soon, far) = (ann.service_time(30).await?, ann.service_time(90_000).await?);
    let (soon, far) = (ann.write(TEXT, &[&connection], &soon).await?.remove(0), ann.write(TEXT, &[&connection], &far).await?.remove(0));
    ann.approve(&soon).await?;
    ann.approve(&far).await?;
    let waiting = State::read(stage).await?;
    ann.post(&format!("/api/posts/{soon}/cancel"), None).await?.expect(200)?;
    ann.advance(60).await?;
    let tokens = from_vault(&waiting, secrets)?;
    anyhow::ensure!(tokens >= 3, "only {tokens} tokens are known");
    Ok((ann, gift, waiting))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_leaves_its_home_in_any_encoding() -> Outcome {
    play(async |stage| {
        let mut secrets = Secrets::default();
        let (ann, gift, waiting) = rich_journey(stage, &mut secrets).await?;
        let told = told_to_others(stage, &ann, &gift).await?;
        let log: Vec<_> = stage.log().into_iter().enumerate().map(|(n, line)| (format!("log line {n}"), line)).collect();
        let last = State::read(stage).await?;
        assert!(log.len() > 50 && waiting.count("messages ") >= 1 && waiting.count("schedules ") >= 1, "there is something to look into");

        let answers: Vec<_> = told.iter().map(|(place, answer)| (place.as_str(), answer.told())).collect();
        let places: Vec<(&str, &str)> = log
            .iter()
            .map(|(place, line)| (place.as_str(), line.as_str()))
            .chain(waiting.kept())
            .chain(last.kept())
            .chain(answers.iter().map(|(place, text)| (*place, text.as_str())))
            .collect();
        let leaks = found(&secrets.0, places.iter().copied(), is_home);
        assert!(leaks.is_empty(), "{leaks:#?}");

        // The scan sees: every secret that has a home is found there, and a planted one is found anywhere.
        for canary in &secrets.0 {
            let planted = [("log line", format!("{{\"message\":\"{}\"}}", hidden(canary)))];
            let seen = found(std::slice::from_ref(canary), planted.iter().map(|(place, text)| (*place, text.as_str())), is_home);
            assert_eq!(seen.len(), 1, "{} would not be seen", canary.name);
        }
        for name in ["phone", "code", "post text", "note", "token", "app secret", "hash key"] {
            let known: Vec<_> = secrets.0.iter().filter(|canary| canary.name == name).cloned().collect();
            let at_home = found(&known, waiting.kept(), |_, _| false);
            assert!(!at_home.is_empty(), "{name} is not even found at home");
        }
        tell(secrets.0.len(), "secrets looked for");
        tell(places.len(), "places looked into, in twelve encodings");
        Ok(())
    })
    .await
}

/// The secret as base64, one letter in.
fn hidden(canary: &Canary) -> String {
    data_encoding::BASE64.encode(format!("x{}y", canary.plain()).as_bytes())
}
