//! `ops posts`.

use anyhow::Context;
use clap::Subcommand;
use domain::id::{PostId, UserId};
use domain::post::Status;
use edge::contract::Time;
use serde_json::{Value, json};

use crate::table::{Shown, or_dash};
use crate::{Ops, user_id};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// One post: where it stands, each try, each thing that people and jobs did. Never what it says.
    Show {
        /// The owner's id.
        #[arg(value_parser = user_id)]
        user: UserId,
        /// The post's id.
        #[arg(value_parser = post_id)]
        post: PostId,
    },
}

fn post_id(text: &str) -> Result<PostId, String> {
    PostId::parse(text).map_err(|_| "not a post's id: 26 capital letters and digits".to_owned())
}

pub(crate) async fn run(ops: &Ops, command: Command) -> anyhow::Result<Shown> {
    let Command::Show { user, post: id } = command;
    let story = ops.store.story(&user, &id).await.context("reading the post")?.context("the user has no such post")?;
    let post = &story.post;
    let error = post.error();
    let watch = ops.store.watches_of([post]).await.and_then(|mut told| told.pop().transpose()).context("reading the post's numbers")?;
    let json = json!({
        "id": post.id, "status": post.status(), "version": post.version, "platform": post.platform, "connection_id": post.connection_id,
        "due_at": Time::from(post.due_at), "latest_at": Time::from(post.latest_at), "approved_at": post.approved_at.map(Time::from),
        "cycle_start": post.cycle_start.map(Time::from),
        "next_attempt_at": post.next_attempt_at().map(Time::from), "wake_at": post.wake_at().map(Time::from),
        "platform_post_id": post.platform_post_id(),
        "numbers": watch.as_ref().map(|watch| json!({
            "watching": watch.watching, "captured_at": watch.observed_at.map(Time::from), "next_sync_at": watch.next_sync_at.map(Time::from),
        })),
        "error": error.map(|code| json!({ "code": code, "action": code.action() })),
        "errors": post.errors.iter().map(|note| json!({ "at": Time::from(note.at), "code": note.code })).collect::<Value>(),
        "attempts": story.attempts.iter().map(|tried| json!({
            "id": tried.id, "number": tried.number, "started_at": Time::from(tried.started_at),
            "ended_at": tried.ended_at.map(Time::from), "outcome": tried.outcome,
            "became": tried.became, "http_status": tried.http_status, "error": tried.error, "detail": tried.detail,
        })).collect::<Value>(),
        "events": story.events.iter().map(|event| json!({
            "at": Time::from(event.at), "from": event.from, "to": event.to, "actor": event.actor, "note": event.note,
        })).collect::<Value>(),
    });
    let facts = [
        ("status", post.status().as_str().to_owned()),
        ("error", or_dash(error.map(|code| format!("{}: {}", code.as_str(), code.message())))),
        ("platform", format!("{}, connection {}", post.platform, post.connection_id)),
        ("due", format!("{}, at the latest {}", Time::from(post.due_at), Time::from(post.latest_at))),
        ("cycle", or_dash(post.cycle_start.map(Time::from))),
        ("next try", or_dash(post.next_attempt_at().map(Time::from))),
        ("looked after from", or_dash(post.wake_at().map(Time::from))),
        ("on the platform", or_dash(post.platform_post_id())),
        (
            "numbers",
            or_dash(watch.as_ref().map(|watch| {
                let (watching, seen, next) =
                    (watch.watching.as_str(), or_dash(watch.observed_at.map(Time::from)), or_dash(watch.next_sync_at.map(Time::from)));
                format!("{watching}, of {seen}, next {next}")
            })),
        ),
    ];
    let word = |value: Value| value.as_str().unwrap_or("-").to_owned();
    let attempts = story.attempts.iter().map(|tried| {
        let (outcome, became) = (word(json!(tried.outcome)), tried.became.as_str().to_owned());
        let about = tried.detail.clone().or_else(|| tried.error.map(|code| code.as_str().to_owned()));
        [tried.number.to_string(), Time::from(tried.started_at).to_string(), outcome, became, or_dash(tried.http_status), or_dash(about)]
    });
    let events = story.events.iter().map(|event| {
        let from = or_dash(event.from.map(Status::as_str));
        [Time::from(event.at).to_string(), from, event.to.as_str().to_owned(), word(json!(event.actor)), event.note.clone()]
    });
    Ok(Shown::new(json)
        .with(format!("post {}, version {}", post.id, post.version), ["what", "is"], facts.map(|(what, is)| [what.to_owned(), is]))
        .with("tries", ["number", "started", "outcome", "became", "http", "about"], attempts)
        .with("events", ["at", "from", "to", "by", "note"], events))
}
