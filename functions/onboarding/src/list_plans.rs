//! `GET /api/plans`: what is on offer.

use domain::plan::Plan;
use edge::contract::ListJson;
use edge::json::Json;
use serde::Serialize;
use utoipa::ToSchema;

/// One plan.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OfferedPlan)]
pub(crate) struct PlanJson {
    /// Its name.
    plan: Plan,
    /// How many posts one cycle holds.
    quota: u32,
}

/// The plans on offer.
///
/// Each with the number of posts that one cycle holds.
#[utoipa::path(get, path = "/api/plans", operation_id = "list_plans", tag = "onboarding",
    responses((status = 200, description = "Smallest first.", body = ListJson<PlanJson>)))]
pub(crate) async fn answer() -> Json<ListJson<PlanJson>> {
    Json(ListJson::whole(Plan::ALL.map(|plan| PlanJson { plan, quota: plan.quota() }).into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_plans_have_the_contracts_names_and_quotas() {
        let shown = serde_json::to_value(answer().await.0).unwrap();
        let plans = serde_json::json!([{"plan": "starter", "quota": 12}, {"plan": "professional", "quota": 52}]);
        assert_eq!(shown["items"], plans);
    }
}
