//! The attack list, the cross-tenant probes, the races and the canaries, over the whole service.

mod bodies;
mod bounds;
mod canaries;
mod gates;
mod idempotency;
mod limits;
mod oauth;
mod onboarding;
mod outages;
mod paths;
mod races;
mod refusals;
mod resolving;
mod sessions;
mod starts;
mod tenants;

use journeys::play;
use security::attack::{attack, run};
use security::scene::Scene;
use security::scene::Who::Ann;

/// A table that cannot fail is worth nothing: rows that change something, are answered otherwise, or are repeated are told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_that_changes_something_or_is_answered_otherwise_fails() -> anyhow::Result<()> {
    play(async |stage| {
        let scene = Scene::set(stage).await?;
        let rows = [
            attack("accounts are connected", Ann, "POST", "/api/connections/choices/{choice}")
                .json(r#"{"account_ids":["100000000000001"]}"#)
                .is_harmless(201),
            attack("a draft is removed", Ann, "DELETE", "/api/posts/{draft}").is_harmless(204),
            attack("another status", Ann, "GET", "/api/user").is_harmless(204),
            attack("another code", Ann, "GET", "/api/posts/{user}").gets(404, "no_such_code"),
            attack("a flow begins", Ann, "GET", "/oauth/x/start").is_harmless(303),
        ];
        for row in rows {
            let told = run(&scene, std::slice::from_ref(&row)).await.expect_err("the row fails").to_string();
            anyhow::ensure!(told.starts_with("1 of 1 rows failed"), "{told}");
        }
        Ok(())
    })
    .await
}
