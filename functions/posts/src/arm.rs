//! Seeing to it that a scheduled post is woken at its time.

use domain::ledger::Actor;
use domain::post::{Event, Post};
use edge::problem::chain;
use store::PostChange;

use crate::Deps;

/// Arranges the wake-up. The post is stored already: if this fails, or we do, the sweeper arranges it.
pub(crate) async fn arm(deps: &Deps, post: &Post) {
    let now = deps.clock.now();
    if let Err(error) = deps.timer.set(&post.wake_up(), post.due_at, now).await {
        tracing::warn!(post_id = %post.id, error = chain(&error), "a post was not armed; the sweeper arms it");
        return;
    }
    // What is imminent was stored as armed: the queue may have handed it to the publisher already.
    let Some(armed) = post.clone().armed() else { return };
    let event = Event::of(post.status(), &armed, Actor::User, "its wake-up is arranged", now);
    // Whether this write lands does not matter to the post: arming twice makes one schedule, or two messages.
    if let Err(error) = deps.store.commit(&PostChange::of(&armed, armed.id.as_str(), &event)).await {
        tracing::warn!(post_id = %post.id, error = chain(&error), "a post was armed and not marked");
    }
}

/// Takes back the wake-up of a version that is gone.
pub(crate) async fn disarm(deps: &Deps, post: &Post) {
    if let Err(error) = deps.timer.unset(&post.wake_up(), post.due_at).await {
        tracing::warn!(post_id = %post.id, error = chain(&error), "a schedule was left behind");
    }
}
