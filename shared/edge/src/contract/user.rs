//! User.

use domain::id::UserId;
use domain::ledger::Cycle;
use domain::plan::{Plan, Source};
use domain::user::User;
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
    /// The plan; `null`: there never was one.
    subscription_plan: Option<Plan>,
    /// Whether the plan runs.
    subscription_active: bool,
    /// How many posts the running cycle holds.
    total_posts: u32,
    /// How many are left of them.
    remaining_posts: u32,
    /// Where the plan comes from; `null`: there is none.
    source: Option<Source>,
}

impl UserJson {
    /// `running` is the cycle that holds the present time; without one there are no posts.
    pub fn new(user: &User, running: Option<&Cycle>) -> Self {
        Self {
            id: user.id.clone(),
            phone: user.phone.as_str().to_owned(),
            created_at: user.created_at.into(),
            subscription_plan: user.subscription.map(|subscription| subscription.plan),
            subscription_active: user.subscription.is_some_and(|subscription| subscription.active),
            total_posts: running.map_or(0, |cycle| cycle.quota()),
            remaining_posts: running.map_or(0, |cycle| cycle.remaining()),
            source: user.subscription.map(|subscription| subscription.source),
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::people::PhoneNumber;
    use domain::plan::Subscription;
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn a_user_has_the_contracts_shape_with_and_without_a_plan() {
        let at = Timestamp::from_second(1_000_000_000).unwrap();
        let phone = PhoneNumber::parse("+61412345678").unwrap();
        let user = User::new(UserId::new(at, [1; 10]), phone, at);
        let id = user.id.to_string();
        assert_eq!(
            serde_json::to_value(UserJson::new(&user, None)).unwrap(),
            serde_json::json!({
                "id": id, "phone": "+61412345678", "created_at": "2001-09-09T01:46:40.000Z", "subscription_plan": null,
                "subscription_active": false, "total_posts": 0, "remaining_posts": 0, "source": null,
            })
        );
        let subscription = Subscription { plan: Plan::Starter, anchor: at, active: true, source: Source::Gift };
        let cycle = Cycle::open(user.id.clone(), subscription.cycle_at(at), Plan::Starter, at);
        let user = User { subscription: Some(subscription), ..user };
        assert_eq!(
            serde_json::to_value(UserJson::new(&user, Some(&cycle))).unwrap(),
            serde_json::json!({
                "id": id, "phone": "+61412345678", "created_at": "2001-09-09T01:46:40.000Z", "subscription_plan": "starter",
                "subscription_active": true, "total_posts": 12, "remaining_posts": 12, "source": "gift",
            })
        );
    }
}
