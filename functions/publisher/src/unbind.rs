//! Takes a binding back that a search guessed, for the post to whose send the platform itself has answered.

use domain::id::AttemptId;
use domain::ledger::{Actor, Cause};
use domain::post::{Event, Post, State};
use store::{Owner, Unbinding};

use crate::deps::Deps;
use crate::intent::looks;
use crate::progress::StepError;

/// The post that had what `heir` was published as, in doubt again: settling `heir` may be tried once more. `None`: it keeps what it has,
/// because the platform itself has spoken of it, or because `heir` has no more than a guess.
pub(crate) async fn take_back(deps: &Deps, owner: &Owner, heir: &Post) -> Result<Option<Post>, StepError> {
    let State::Published { platform_post_id: Some(id), guessed: None, .. } = &heir.state else { return Ok(None) };
    let Some((before, content)) = deps.store.post(&owner.user_id, &owner.post_id).await? else { return Ok(None) };
    let now = deps.clock.now();
    if before.platform_post_id() != Some(id) {
        return Ok(None);
    }
    let Ok(transition) = before.clone().lose_binding(now) else { return Ok(None) };
    let writer = AttemptId::new(now, deps.random.bytes()).to_string();
    let note = "what was found on the platform is another post, by the platform's own word; it is looked for again";
    let event = Event::of(transition.from, &transition.post, Actor::Publisher, note, now);
    let cause = Cause { entropy: deps.random.bytes(), at: now, actor: Actor::Publisher, post_id: Some(before.id.clone()) };
    let looks = looks(deps, before.platform, &content);
    let unbinding = Unbinding { before: &before, transition: &transition, heir, looks: &looks, writer: &writer, event: &event, cause };
    let is_free = deps.store.unbind(&unbinding).await?;
    if is_free {
        deps.metrics.count(now, "binding_taken_back", &[("platform", before.platform.as_str())]);
        tracing::warn!(post_id = %before.id, user_id = %before.user_id, heir_id = %heir.id, "a search had taken another post for this one");
    }
    Ok(is_free.then_some(transition.post))
}
