//! `ops plans`.

use anyhow::Context;
use clap::Subcommand;
use domain::id::{HistoryId, UserId};
use domain::ledger::{Actor, Cause};
use domain::plan::Plan;
use domain::plan_change::{PlanChange, Wish, change_plan, cycles_needed_from};
use serde_json::{Value, json};
use store::{PlanStored, Rounds};

use crate::gift_certificates::plan;
use crate::table::Shown;
use crate::users::cycle_json;
use crate::{Ops, user_id};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// The user has this plan until there is news: a higher one now, a lower one from the next cycle on.
    Set {
        /// Whose.
        #[arg(value_parser = user_id)]
        user: UserId,
        /// `starter` or `professional`.
        #[arg(value_parser = plan)]
        plan: Plan,
    },
    /// The plan ends: what runs goes on to its end, nothing new opens, and posts approved for later cycles are held.
    Lapse {
        /// Whose.
        #[arg(value_parser = user_id)]
        user: UserId,
    },
    /// What an operator has let lapse goes on.
    Return {
        /// Whose.
        #[arg(value_parser = user_id)]
        user: UserId,
    },
}

pub(crate) async fn run(ops: &Ops, command: Command) -> anyhow::Result<Shown> {
    let (id, wish) = match command {
        Command::Set { user, plan } => (user, Wish::Have(plan)),
        Command::Lapse { user } => (user, Wish::Lapse),
        Command::Return { user } => (user, Wish::Return),
    };
    let mut rounds = Rounds::new("changing a plan", id.as_str());
    loop {
        rounds.next().await.context("nothing was changed")?;
        let now = ops.clock.now();
        let user = ops.store.user(&id).await.context("reading the user")?.context("there is no such user")?;
        let cycles = ops.store.cycles_from(&id, cycles_needed_from(now)).await.context("reading the cycles")?;
        let PlanChange { user, changes } = change_plan(wish, &user, &cycles, (now, Actor::Operator), || ops.random.bytes())?;
        let writer = HistoryId::new(now, ops.random.bytes()).to_string();
        if ops.store.change_plan(&user, &changes, &writer).await.context("storing the plan")? == PlanStored::Moved {
            continue;
        }
        let mut held = 0;
        for start in changes.iter().map(|change| change.cycle.span.start) {
            let cause = || Cause { entropy: ops.random.bytes(), at: now, actor: Actor::Operator, post_id: None };
            let holding = ops.store.hold_beyond_quota(&id, start, cause).await;
            held += holding.context("the plan is changed; the cycle job holds what has lost its place")?;
        }
        let cycles = changes.iter().map(|change| cycle_json(&change.cycle)).collect::<Value>();
        let line = format!("{} cycles changed, {held} posts held", changes.len());
        return Ok(Shown::new(json!({ "user_id": id, "cycles": cycles, "posts_held": held })).line(line));
    }
}
