//! `POST /api/billing/webhook`: what the payment provider tells us.

use axum::body::Bytes;
use axum::extract::State;
use edge::json::Json;
use edge::problem::{Problem, ProblemCode, chain};
use http::HeaderMap;
use serde::Serialize;
use store::StoreError;
use utoipa::ToSchema;

use crate::Deps;
use crate::event::{Event, id_of};
use crate::follow::{FollowError, Outcome, TROUBLE, follow, whom};

const SIGNATURE: &str = "stripe-signature";

/// What the provider waits for.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EventReceived)]
pub(crate) struct ReceivedJson {
    /// Always `true`.
    received: bool,
}

/// Takes an event of Stripe's.
///
/// It has to be signed. Known events change the plan of whoever pays, once and in any order; all others are taken and change nothing. The
/// body is Stripe's, as its documentation has it.
#[utoipa::path(post, path = "/api/billing/webhook", operation_id = "billing_webhook", tag = "billing",
    request_body(content = serde_json::Value, description = "A Stripe event, byte for byte as it was signed."),
    params(("Stripe-Signature" = String, Header, description = "`t=<seconds>,v1=<hex>`, over the body as it came.", example = "t=1800000000,v1=5257a869e7ecebeda32affa62cdca3fa51cad7e77a0e56ff536d0ce8e108d8bd")),
    responses(
        (status = 200, description = "Taken: followed, known already, no concern of ours, or not to be read here, which operators are told.", body = ReceivedJson),
        (status = 400, description = "signature_invalid"),
    ))]
pub(crate) async fn receive(State(deps): State<Deps>, headers: HeaderMap, body: Bytes) -> Result<Json<ReceivedJson>, Problem> {
    let now = deps.clock.now();
    let keys = deps.vault.billing_keys(now).await.map_err(|error| Problem::unavailable_because(&error))?;
    // Believed before anything of it is read.
    believe(&headers, &body, &keys.webhook_secrets, now)?;
    let event = match Event::parse(&body, &deps.prices) {
        Ok(event) => event,
        // Another product's, or a configuration or a reading of ours that is behind. To refuse it would only bring it again for days. It is
        // not remembered: sent again from Stripe's dashboard, it is followed.
        Err(error) => {
            tracing::error!(event_id = id_of(&body), error = chain(&error), "a billing event changed nothing");
            deps.metrics.count(now, TROUBLE, &[]);
            return Ok(Json(ReceivedJson { received: true }));
        }
    };
    match follow(&deps, &event).await? {
        Outcome::Stranger => {
            let (user_id, customer_id) = whom(&event);
            let user_id = user_id.map(tracing::field::display);
            tracing::error!(event_id = event.id, user_id, customer_id, "somebody pays who is no user of ours");
            deps.metrics.count(now, TROUBLE, &[]);
        }
        Outcome::Waits => tracing::info!(event_id = event.id, "a billing event waits until somebody says who pays"),
        Outcome::OldWord => tracing::info!(event_id = event.id, "a billing event tells nothing new"),
        Outcome::Followed | Outcome::Nothing => {}
    }
    Ok(Json(ReceivedJson { received: true }))
}

fn believe(
    headers: &HeaderMap,
    body: &[u8],
    secrets: &[domain::billing::signature::SigningSecret],
    now: jiff::Timestamp,
) -> Result<(), Problem> {
    let mut given = headers.get_all(SIGNATURE).iter();
    let header = match (given.next().and_then(|value| value.to_str().ok()), given.next()) {
        (Some(header), None) => header,
        _ => "",
    };
    domain::billing::signature::verify(header, body, secrets, now).map_err(|error| {
        tracing::warn!(error = chain(&error), "a billing event is not believed");
        Problem::new(ProblemCode::SignatureInvalid)
    })
}

impl From<FollowError> for Problem {
    fn from(error: FollowError) -> Self {
        match error {
            FollowError::Store(error @ (StoreError::Corrupt { .. } | StoreError::Ledger(_))) => Self::internal(&error),
            // The provider sends it again, for three days.
            error => Self::unavailable_because(&error),
        }
    }
}
