//! The main job through the deployed stack, and what goes wrong on its way.

use anyhow::{Context, ensure};
use domain::platform::PlatformName;
use serde_json::{Value, json};

use crate::inspect;
use crate::world::{World, credentials_of, eventually};

/// The person's phone.
pub(crate) const PHONE: &str = "+61412345678";
/// The phone of somebody who buys a plan.
const BUYERS_PHONE: &str = "+61412345679";
/// A post that is due now may take this long: its wake-up is a message, and two functions may have to start.
const SOON_SECS: u64 = 30;
/// What a function logs can be read a moment after its answer.
const LOGGED_SECS: u64 = 10;
/// A lost answer is searched for after 100 s, counted from the intent.
const SEARCHED_SECS: u64 = 160;
/// When a post is due that has a schedule: what is due within 165 s has none.
const SCHEDULED_IN_SECS: i64 = 200;
/// When one is due whose schedule is deleted.
const UNSCHEDULED_IN_SECS: i64 = 180;
/// How long the one with a schedule may take from its approval on.
const SCHEDULED_SECS: u64 = 240;
/// The sweeper comes every minute (the emulator looks every ten seconds) and gives a schedule 20 s of grace.
const SWEPT_SECS: u64 = 150;

/// What the person has.
pub(crate) struct Person {
    pub(crate) x: String,
    pub(crate) page: String,
    /// What must stand in no log and no other place than its own.
    pub(crate) secrets: Vec<(&'static str, String)>,
    texts: Vec<String>,
}

impl Person {
    fn text(&mut self, text: &str) -> String {
        let text = format!("{text} Marker-Kj3vN8.");
        self.texts.push(text.clone());
        text
    }
}

/// An app without credentials: 503, and a log that names what is missing; no deploy is needed once it is there.
pub(crate) async fn missing_credentials(world: &mut World) -> anyhow::Result<()> {
    world.browser.sign_in(PHONE).await?;
    let (missing, unreadable) = ("does not exist", "does not hold what it should");
    for (platform, wrong, said) in
        [("x", None, missing), ("x", Some("not JSON"), unreadable), ("facebook", Some(r#"{"client_id": "only"}"#), unreadable)]
    {
        if let Some(value) = wrong {
            world.put_credentials(platform, value).await?;
        }
        let refused = world.browser.get(&format!("/oauth/{platform}/start")).await?.expect(503)?;
        ensure!(refused.json["code"] == "unavailable", "expected unavailable, saw {}", refused.text);
        ensure!(!refused.text.contains("postledger/"), "the answer names a secret: {}", refused.text);
        // Only what was not there before: the start of the function has named what is missing once already.
        let name = credentials_of(platform);
        let mut new = Vec::new();
        let named = eventually(LOGGED_SECS, async || {
            new = inspect::logged(world, "OauthStartLogs", "").await?;
            new.retain(|line| inspect::is_trouble(line) && !world.provoked.contains(line));
            Ok(new.iter().any(|line| line.contains(&name) && line.contains(said)))
        });
        let named = named.await?;
        ensure!(named, "no new line says that {name} {said}: {new:?}");
        world.provoked.extend(new);
    }
    let credentials = json!({ "client_id": simulator::APP_CLIENT_ID, "client_secret": simulator::APP_CLIENT_SECRET }).to_string();
    for platform in PlatformName::ALL.into_iter().filter(|platform| !platform.descriptor().has_servers()) {
        world.put_credentials(platform.as_str(), &credentials).await?;
    }
    world.saw("missing and unreadable app credentials: 503 unavailable, named in the log");
    Ok(())
}

/// Phone, gift certificate, accounts.
pub(crate) async fn sign_up(world: &mut World) -> anyhow::Result<Person> {
    let code = world.browser.texted_code(PHONE).await?;
    let gift = world.ops(&["gift-certificates", "issue", "--plan", "starter"]).await?;
    world.browser.post("/api/redeem-gift", Some(&json!({ "code": gift }))).await?.expect(200)?;
    quota(world, [12, 0, 0, 12]).await?;
    world.saw("signed up by a text through SNS; an operator's gift certificate redeemed");
    let x = world.browser.connect("x", &[], &[]).await?.remove(0);
    let page = world.browser.connect("facebook", &[], &["Demo Bakery"]).await?.remove(0);
    world.saw("X and a Facebook Page connected");
    let cookie = world.browser.cookie.clone().context("no session")?;
    let session = cookie.split_once('=').map_or(cookie.clone(), |(_, value)| value.to_owned());
    let csrf = world.browser.csrf_token.clone().context("no CSRF token")?;
    let secrets = vec![("verification code", code), ("gift code", gift), ("session", session), ("CSRF token", csrf)];
    Ok(Person { x, page, secrets, texts: Vec::new() })
}

/// Due now: straight to the queue, through the mapping, to both platforms.
pub(crate) async fn due_now(world: &World, person: &mut Person) -> anyhow::Result<()> {
    let text = person.text("Due now.");
    let due = World::due(0);
    let posts = world.browser.write(&text, &[&person.x, &person.page], &due).await?;
    for post in &posts {
        world.browser.approve(post).await?;
    }
    for post in &posts {
        let story = world.until(post, "published", SOON_SECS).await?;
        let attempts = story["attempts"].as_array().map_or(0, Vec::len);
        ensure!(attempts == 1 && story["attempts"][0]["outcome"] == "accepted", "one accepted attempt was expected: {story}");
        ensure!(story["events"].as_array().is_some_and(|events| !events.is_empty()), "no events: {story}");
    }
    for platform in ["x", "facebook"] {
        once(world, platform, &text).await?;
    }
    quota(world, [12, 2, 0, 10]).await?;
    world.saw("two posts due now: once on X, once on Facebook");
    Ok(())
}

/// A post for tomorrow that is written anew, approved and called off: its schedule comes and goes, its quota too.
pub(crate) async fn changed_mind(world: &World, person: &mut Person) -> anyhow::Result<()> {
    let text = person.text("Tomorrow, perhaps.");
    let post = world.browser.write(&text, &[&person.x], &World::due(86_400)).await?.remove(0);
    world.browser.approve(&post).await?;
    quota(world, [12, 2, 1, 9]).await?;
    let version = format!("\"{}\"", world.browser.post_story(&post).await?["version"]);
    let edited = json!({ "content": person.text("The day after, perhaps."), "scheduled_for": World::due(2 * 86_400) });
    let edited = world.browser.patch(&format!("/api/posts/{post}"), &version, &edited).await?.expect(200)?;
    ensure!(edited.json["status"] == "scheduled", "an edit keeps a post scheduled: {}", edited.text);
    // The schedule of the version before goes before the answer; so there is one, and it is of the new version.
    let names = inspect::schedules(world).await?;
    ensure!(names.len() == 1, "one post has one schedule, saw {names:?}");
    world.browser.post(&format!("/api/posts/{post}/cancel"), None).await?.expect(200)?;
    let names = inspect::schedules(world).await?;
    ensure!(names.is_empty(), "a cancelled post has no schedule, saw {names:?}");
    quota(world, [12, 2, 0, 10]).await?;
    world.saw("a post for tomorrow: edited, and cancelled; its schedule and its reservation are gone");
    Ok(())
}

/// A token that X refuses is exchanged for a new one, which is kept, and the post goes out once.
pub(crate) async fn refreshed(world: &World, person: &mut Person) -> anyhow::Result<()> {
    world.browser.fault("x", &json!({ "kind": "token_expired" })).await?;
    let text = person.text("With a new token.");
    let post = world.approved(&text, &person.x, 0).await?;
    world.until(&post, "published", SOON_SECS).await?;
    once(world, "x", &text).await?;
    let calls = world.browser.platform_calls("x").await?;
    ensure!(calls["refresh"] == 1, "one exchange of the token was expected: {calls}");
    world.saw("a token that X refused was exchanged, and the post went out once");
    Ok(())
}

/// Posts that are under way while other things are tried.
pub(crate) struct UnderWay {
    scheduled: (String, String),
    unscheduled: (String, String),
    unanswered: (String, String),
}

/// One that its schedule will wake, one whose schedule is deleted by hand, one whose answer gets lost.
pub(crate) async fn set_off(world: &World, person: &mut Person) -> anyhow::Result<UnderWay> {
    let (text_a, text_b, text_c) = (person.text("By its schedule."), person.text("By the sweeper."), person.text("Answer lost."));
    let scheduled = world.approved(&text_a, &person.x, SCHEDULED_IN_SECS).await?;
    let unscheduled = world.approved(&text_b, &person.page, UNSCHEDULED_IN_SECS).await?;
    let group = world.stack.output("ScheduleGroupName")?;
    let names = inspect::schedules(world).await?;
    ensure!(names.len() == 2, "two posts have a schedule each, saw {names:?}");
    let name = names.iter().find(|name| name.contains(&unscheduled)).context("no schedule is named by its post")?;
    world.scheduler.delete_schedule().group_name(group).name(name).send().await.context("deleting a schedule by hand")?;
    world.browser.fault("x", &json!({ "kind": "drop_after" })).await?;
    let unanswered = world.approved(&text_c, &person.x, 0).await?;
    world.until(&unanswered, "unknown", SOON_SECS).await?;
    quota(world, [12, 3, 3, 6]).await?;
    world.saw("one scheduled, one whose schedule was deleted by hand, one whose answer X lost: unknown");
    Ok(UnderWay { scheduled: (scheduled, text_a), unscheduled: (unscheduled, text_b), unanswered: (unanswered, text_c) })
}

/// A message that is no wake-up goes aside, and harms no other.
pub(crate) async fn poisoned(world: &World, person: &mut Person) -> anyhow::Result<()> {
    let queue = world.queue_url("PublishQueue")?;
    // What came back is hidden for six minutes, five times over: nobody waits for that here. The deploy that follows sets it back.
    set_visibility(world, "2").await?;
    world.sqs.send_message().queue_url(&queue).message_body("no wake-up, with Marker-Kj3vN8").send().await.context("poisoning")?;
    let text = person.text("Beside a poisoned message.");
    let post = world.approved(&text, &person.page, 0).await?;
    world.until(&post, "published", SOON_SECS).await?;
    let aside = eventually(90, async || Ok(world.messages_in("PublishDeadLetters").await? == 1)).await?;
    ensure!(aside, "the poisoned message did not reach the dead letters");
    once(world, "facebook", &text).await?;
    let named = inspect::logged(world, "PublisherLogs", "a message that is no wake-up").await?;
    ensure!(!named.is_empty() && named.iter().all(|line| !line.contains("Marker")), "the log: {named:?}");
    let counted = inspect::logged(world, "PublisherLogs", "record_unreadable").await?;
    ensure!(!counted.is_empty(), "no metric counts the poisoned message");
    world.sqs.purge_queue().queue_url(world.queue_url("PublishDeadLetters")?).send().await.context("emptying the dead letters")?;
    set_visibility(world, "360").await?;
    world.saw("a poisoned message: in the dead letters after five receives, the post beside it went out");
    Ok(())
}

async fn set_visibility(world: &World, secs: &str) -> anyhow::Result<()> {
    let request = world.sqs.set_queue_attributes().queue_url(world.queue_url("PublishQueue")?);
    let request = request.attributes(aws_sdk_sqs::types::QueueAttributeName::VisibilityTimeout, secs);
    request.send().await.context("setting the visibility time-out")?;
    Ok(())
}

/// A deploy with another parameter, while posts are scheduled.
pub(crate) async fn deployed_again(world: &World, under_way: &UnderWay) -> anyhow::Result<()> {
    let before = world.browser.post_story(&under_way.scheduled.0).await?;
    ensure!(before["status"] == "scheduled", "the post is {} before the deploy", before["status"]);
    world.deploy_with(&[("LogLevel", "debug")]).await?;
    let function = world.stack.resource("PublisherFunction")?;
    let configuration = world.lambda.get_function_configuration().function_name(function).send().await?;
    let level = configuration.environment().and_then(|environment| environment.variables()?.get("LOG_LEVEL").cloned());
    ensure!(level.as_deref() == Some("debug"), "the changed parameter did not arrive: {level:?}");
    world.saw("deployed again with a changed parameter while posts are scheduled");
    Ok(())
}

/// All three went out, each once.
pub(crate) async fn arrived(world: &World, under_way: &UnderWay) -> anyhow::Result<()> {
    let (post, text) = &under_way.scheduled;
    let story = world.until(post, "published", SCHEDULED_SECS).await?;
    once(world, "x", text).await?;
    let late = lateness(&story)?;
    // From twenty seconds on it could have been the sweeper.
    ensure!((0.0..20.0).contains(&late), "the post went out {late} s after its time: not by its schedule");
    world.saw(format_args!("the scheduled one went out {late:.1} s after its time, by its schedule"));

    let (post, text) = &under_way.unscheduled;
    let story = world.until(post, "published", SWEPT_SECS).await?;
    once(world, "facebook", text).await?;
    world.saw(format_args!("the one without a schedule went out {:.1} s after its time, by the sweeper", lateness(&story)?));

    let (post, text) = &under_way.unanswered;
    let story = world.until(post, "published", SEARCHED_SECS).await?;
    once(world, "x", text).await?;
    ensure!(story["platform_post_id"].is_string(), "found without an id: {story}");
    world.saw("the one whose answer was lost was found on the timeline: one post, not sent again");
    quota(world, [12, 7, 0, 5]).await
}

/// How long after its time a post was published.
fn lateness(story: &Value) -> anyhow::Result<f64> {
    let at = |field: &str| story[field].as_str().with_context(|| format!("no {field}"))?.parse::<jiff::Timestamp>().context("a time");
    Ok(at("published_at")?.duration_since(at("scheduled_for")?).as_secs_f64())
}

/// Posts, attempts, ledger and history through the API.
pub(crate) async fn read_back(world: &World) -> anyhow::Result<()> {
    let posts = world.browser.get("/api/posts?limit=100").await?.expect(200)?.json;
    let posts = posts["items"].as_array().cloned().unwrap_or_default();
    let of = |status: &str| posts.iter().filter(|post| post["status"] == status).count();
    ensure!((of("published"), of("cancelled"), posts.len()) == (7, 1, 8), "seven published posts, one cancelled: {posts:?}");
    let mut remaining = Value::from(0);
    let history = world.browser.history().await?;
    for row in history.iter().rev() {
        ensure!(row["previous_remaining"] == remaining, "the history does not add up at {row}");
        remaining = row["new_remaining"].clone();
    }
    ensure!(remaining == 5, "the history comes to {remaining}, the ledger says 5");
    let published = history.iter().filter(|row| row["change_reason"] == "post_published").count();
    ensure!(published == 7, "{published} rows tell of a published post");
    world.saw(format_args!("eight posts, their attempts, the ledger and {} rows of history agree", history.len()));
    Ok(())
}

/// The jobs of cycles, called as their schedules do: no cycle of this journey ends, so the one finds nothing to do; the other audits
/// everybody with all that it may do alone.
pub(crate) async fn hourly_and_nightly(world: &World) -> anyhow::Result<()> {
    let function = world.stack.resource("QuotaResetFunction")?;
    for event in [r#"{"source": "scheduled"}"#, r#"{"job": "audit"}"#] {
        let payload = aws_sdk_lambda::primitives::Blob::new(event);
        let ended = world.lambda.invoke().function_name(function).payload(payload).send().await.context("calling a job of cycles")?;
        let said = ended.payload().map(|said| String::from_utf8_lossy(said.as_ref()));
        ensure!(ended.function_error().is_none(), "{event} failed: {said:?}");
    }
    let audited = async || inspect::logged(world, "QuotaResetLogs", "\"audited\"").await;
    ensure!(eventually(LOGGED_SECS, async || Ok(!audited().await?.is_empty())).await?, "the audit tells nothing");
    for line in audited().await? {
        let clean = line.contains("\"differences\":0") && line.contains("\"failed\":0");
        ensure!(clean && !line.contains("\"users\":0"), "the audit: {line}");
    }
    world.saw("the cycle job ran, with nothing to close; the audit read everybody's books and found no difference");
    Ok(())
}

/// The job that reads what platforms tell of posts, called as its schedule does, with all that it may do alone.
pub(crate) async fn numbers_read(world: &World) -> anyhow::Result<()> {
    let due = inspect::numbers_due(world).await?;
    ensure!(due == 7, "the numbers of seven published posts are followed, saw {due}");
    let function = world.stack.resource("AnalyticsSyncFunction")?;
    let event = aws_sdk_lambda::primitives::Blob::new(r#"{"source": "scheduled"}"#);
    let run = world.lambda.invoke().function_name(function).payload(event).send().await.context("calling the job that reads numbers")?;
    ensure!(run.function_error().is_none(), "it failed: {:?}", run.payload().map(|said| String::from_utf8_lossy(said.as_ref())));
    // Its own schedule may have come first: then that run reads.
    let told = eventually(LOGGED_SECS, async || Ok(inspect::numbers_told(world).await? == due)).await?;
    ensure!(told, "of {due} posts {} have their numbers", inspect::numbers_told(world).await?);
    world.saw("both platforms told the numbers of all seven posts");
    Ok(())
}

/// The job that keeps connections alive, called as its schedule does. No grant is so old that it is renewed.
pub(crate) async fn grants_looked_after(world: &World) -> anyhow::Result<()> {
    let function = world.stack.resource("RenewalsFunction")?;
    let event = aws_sdk_lambda::primitives::Blob::new(r#"{"source": "scheduled"}"#);
    let run = world.lambda.invoke().function_name(function).payload(event).send().await.context("calling the job that renews grants")?;
    ensure!(run.function_error().is_none(), "it failed: {:?}", run.payload().map(|said| String::from_utf8_lossy(said.as_ref())));
    let looked = async || inspect::logged(world, "RenewalsLogs", "\"grants looked after\"").await;
    ensure!(eventually(LOGGED_SECS, async || Ok(!looked().await?.is_empty())).await?, "the job tells nothing");
    for line in looked().await? {
        ensure!(line.contains("\"failed\":0"), "the job that renews grants: {line}");
    }
    world.saw("the job that keeps connections alive ran, and no grant was due");
    Ok(())
}

/// What must be in no log: texts of posts beside what the person holds.
pub(crate) fn markers(person: &Person) -> Vec<(String, String)> {
    let mut markers = person.secrets.clone();
    markers.push(("phone number", PHONE.trim_start_matches('+').to_owned()));
    markers.push(("app secret", simulator::APP_CLIENT_SECRET.to_owned()));
    markers.extend(person.texts.iter().map(|text| ("text of a post", text.clone())));
    markers.into_iter().map(|(what, marker)| (what.to_owned(), marker)).collect()
}

/// A disconnect takes the secret with it.
pub(crate) async fn disconnect(world: &World, person: &Person) -> anyhow::Result<()> {
    let gone = world.browser.delete(&format!("/api/connections/{}", person.x)).await?;
    ensure!(gone.status == 204 || gone.status == 202, "{} with {}", gone.status, gone.text);
    let left = inspect::connection_secrets(world).await?;
    ensure!(left.len() == 1, "one connection is left, and {left:?}");
    world.saw("a disconnect removed the secret");
    Ok(())
}

/// After a logout the cookie opens nothing.
pub(crate) async fn log_out(world: &World) -> anyhow::Result<()> {
    world.browser.post("/api/logout", None).await?.expect(204)?;
    let refused = world.browser.get("/api/user/status").await?;
    ensure!(refused.status == 401, "logged out, and still {} with {}", refused.status, refused.text);
    world.saw("logged out: the session is gone");
    Ok(())
}

/// A webhook before there are any keys: 503, so that the provider sends it again, and a log that names the secret. Then the keys.
pub(crate) async fn no_billing_keys(world: &mut World) -> anyhow::Result<()> {
    let name = format!("postledger/{}/billing/stripe", crate::stack::STAGE);
    let refused = world.browser.deliver("/api/billing/webhook", &[("stripe-signature", "t=1,v1=00")], b"{}".to_vec()).await?.expect(503)?;
    ensure!(refused.json["code"] == "unavailable", "expected unavailable, saw {}", refused.text);
    let mut new = Vec::new();
    let named = eventually(LOGGED_SECS, async || {
        new = inspect::logged(world, "BillingWebhookLogs", "").await?;
        new.retain(|line| inspect::is_trouble(line));
        Ok(new.iter().any(|line| line.contains(&name) && line.contains("does not exist")))
    });
    ensure!(named.await?, "no line says that {name} does not exist: {new:?}");
    world.provoked.extend(new);
    let keys = json!({ "api_key": simulator::BILLING_API_KEY, "webhook_secrets": [simulator::WEBHOOK_SECRET] });
    world.put_secret(&name, &keys.to_string()).await?;
    world.saw("a webhook without keys: 503, named in the log");
    Ok(())
}

/// Somebody else buys a plan: a page of the provider's, and what it tells us afterwards.
pub(crate) async fn bought(world: &mut World) -> anyhow::Result<()> {
    let forged = world.browser.deliver("/api/billing/webhook", &[("stripe-signature", "t=1,v1=00")], b"{}".to_vec()).await?.expect(400)?;
    ensure!(forged.json["code"] == "signature_invalid", "expected signature_invalid, saw {}", forged.text);
    world.browser.sign_in(BUYERS_PHONE).await?;
    let page = world.browser.post("/api/billing/checkout", Some(&json!({ "plan": "professional" }))).await?.expect(200)?.str("/url")?;
    world.browser.post_form(&page, &[("decision".to_owned(), "pay".to_owned())]).await?.expect(303)?;
    quota(world, [52, 0, 0, 52]).await?;
    let page = world.browser.post("/api/billing/portal", None).await?.expect(200)?.str("/url")?;
    world.browser.post_form(&page, &[("decision".to_owned(), "end".to_owned())]).await?.expect(303)?;
    // What is paid is had to its end.
    quota(world, [52, 0, 0, 52]).await?;
    let [user, cycle] = [world.browser.get("/api/user").await?.expect(200)?, world.browser.get("/api/quota").await?.expect(200)?];
    let [ends_at, end] = [user.str("/subscription_ends_at")?, cycle.str("/cycle_end")?];
    ensure!(ends_at == end, "the plan should end with the paid month, at {end}, and not at {ends_at}");
    world.saw("a plan was bought and ended on the payment provider's pages; a forged event was refused");
    Ok(())
}

/// A parameter that the code refuses: 503 on every path of the function, and a log that names the variable.
pub(crate) async fn wrong_parameter(world: &World) -> anyhow::Result<()> {
    // A stack of its own: one that is there keeps the values that it has.
    let refused =
        world.sam.deploy_as("postledger-other", &[("Stage", "other")]).await.map_or_else(|error| format!("{error:#}"), |()| String::new());
    ensure!(refused.contains("FrontendUrl"), "a deploy without FrontendUrl must say so: {refused:?}");
    world.deploy_with(&[("PlatformAddresses", "x.api=http://x.example.com")]).await?;
    let refused = world.browser.get("/oauth/facebook/start").await?.expect(503)?;
    ensure!(refused.json["code"] == "unavailable", "expected unavailable, saw {}", refused.text);
    let named = inspect::logged(world, "OauthStartLogs", "PLATFORM_ADDRESSES: x.api must be").await?;
    ensure!(!named.is_empty() && named.iter().all(|line| !line.contains("x.example.com")), "the log: {named:?}");
    world.saw("a missing parameter is named by the deploy; a wrong one by the log, with 503 unavailable");
    Ok(())
}

async fn once(world: &World, platform: &str, text: &str) -> anyhow::Result<()> {
    let held = world.browser.on_platform(platform, text).await?.len();
    ensure!(held == 1, "once on {platform} was promised, it is there {held} times: {text}");
    Ok(())
}

pub(crate) async fn quota(world: &World, expected: [u64; 4]) -> anyhow::Result<()> {
    let seen = world.browser.quota().await?;
    ensure!(seen == expected, "quota, used, reserved, remaining: expected {expected:?}, saw {seen:?}");
    Ok(())
}
