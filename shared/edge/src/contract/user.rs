//! User.

use domain::entitlement::Term;
use domain::id::UserId;
use domain::ledger::Cycle;
use domain::plan::{Plan, Source};
use domain::user::User;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::Time;

/// A user as their own frontend sees them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = User)]
pub struct UserJson {
    /// Names the account.
    id: UserId,
    /// In E.164 form.
    #[schema(pattern = r"^\+[1-9][0-9]{6,14}$")]
    phone: String,
    /// When it was made.
    created_at: Time,
    /// The plan that is had, or was had last; `null`: there never was one.
    subscription_plan: Option<Plan>,
    /// Whether a cycle runs.
    subscription_active: bool,
    /// When everything that runs is over; `null`: it goes on as far as anybody knows, or nothing runs.
    subscription_ends_at: Option<Time>,
    /// Cycles of certificates that are still to be had, with the running one.
    certificates: Vec<TermJson>,
    /// How many posts the running cycle holds.
    total_posts: u32,
    /// How many are left of them.
    remaining_posts: u32,
    /// Where the plan comes from; `null`: there is none.
    source: Option<Source>,
}

/// So many cycles of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = CertificateCycles)]
struct TermJson {
    /// The plan.
    plan: Plan,
    /// How many cycles of 30 days.
    cycles: u32,
}

impl UserJson {
    /// `running` is the cycle that holds `now`; without one there are no posts.
    pub fn new(user: &User, running: Option<&Cycle>, now: Timestamp) -> Self {
        let timeline = user.timeline(now);
        let last = timeline.last(now);
        let ahead = user.entitled.as_of(&user.paid, now).certificates.terms;
        Self {
            id: user.id.clone(),
            phone: user.phone.as_str().to_owned(),
            created_at: user.created_at.into(),
            subscription_plan: running.map(|cycle| cycle.plan).or(last.map(|(plan, _)| plan)),
            subscription_active: running.is_some(),
            subscription_ends_at: timeline.ends_at(now).map(Time::from),
            certificates: ahead.into_iter().map(|Term { plan, cycles }| TermJson { plan, cycles }).collect(),
            total_posts: running.map_or(0, Cycle::quota),
            remaining_posts: running.map_or(0, Cycle::remaining),
            source: last.map(|(_, source)| source),
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::people::PhoneNumber;
    use domain::plan::CYCLE;

    use super::*;

    #[test]
    fn a_user_has_the_contracts_shape_with_and_without_a_plan() {
        let at = Timestamp::from_second(1_000_000_000).unwrap();
        let phone = PhoneNumber::parse("+61412345678").unwrap();
        let user = User::new(UserId::new(at, [1; 10]), phone, at);
        let id = user.id.to_string();
        assert_eq!(
            serde_json::to_value(UserJson::new(&user, None, at)).unwrap(),
            serde_json::json!({
                "id": id, "phone": "+61412345678", "created_at": "2001-09-09T01:46:40.000Z", "subscription_plan": null,
                "subscription_active": false, "subscription_ends_at": null, "certificates": [], "total_posts": 0, "remaining_posts": 0, "source": null,
            })
        );
        let mut user = user;
        user.entitled.certificates = user.entitled.certificates.with(Plan::Starter, 2).unwrap();
        user.entitled.certificates.anchor = Some(at);
        let cycle = user.running_cycle(&[], at).unwrap();
        let ends_at = Time::from(at + CYCLE * 2);
        assert_eq!(
            serde_json::to_value(UserJson::new(&user, Some(&cycle), at)).unwrap(),
            serde_json::json!({
                "id": id, "phone": "+61412345678", "created_at": "2001-09-09T01:46:40.000Z", "subscription_plan": "starter",
                "subscription_active": true, "subscription_ends_at": ends_at, "certificates": [{ "plan": "starter", "cycles": 2 }], "total_posts": 12, "remaining_posts": 12, "source": "gift",
            })
        );
    }
}
