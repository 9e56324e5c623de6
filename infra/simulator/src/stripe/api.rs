//! Stripe's double: the two calls that make a page, the pages, and the events that what happens there leads to.
//!
//! Events are delivered to the service itself, as Stripe would: one after the other, and without waiting for anything but the answer.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::extract::{Form, Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use domain::billing::Period;
use domain::billing::signature::SigningSecret;
use http::{HeaderMap, StatusCode};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::{Before, Event};
use crate::consent::Params;
use crate::faults::Failed;
use crate::storage::{Bought, Checkout};
use crate::{BILLING_API_KEY, PROFESSIONAL_PRICE, STARTER_PRICE, WEBHOOK_SECRET, World, page};

type Fields = Vec<(String, String)>;

/// How long the service may take to answer an event.
const DELIVERY_MAX: Duration = Duration::from_secs(10);
/// How long a page for paying stays open.
const CHECKOUT_LIFE: SignedDuration = SignedDuration::from_hours(24);
/// How often an event is sent until it is taken; Stripe goes on for three days.
const DELIVERIES_MAX: usize = 5;

/// The API, and the pages.
pub(crate) fn routes() -> Router<Arc<World>> {
    Router::new()
        .route("/v1/checkout/sessions", post(begin_checkout))
        .route("/v1/checkout/sessions/{id}/expire", post(expire_checkout))
        .route("/v1/billing_portal/sessions", post(begin_portal))
        .route("/pay/{id}", get(ask).post(decide))
        .route("/portal/{customer}", get(manage).post(change))
}

fn refused(status: StatusCode, kind: &str, code: &str, param: &str) -> Response {
    (status, Json(json!({ "error": { "type": kind, "code": code, "param": param, "message": "Simulated." } }))).into_response()
}

fn is_ours(headers: &HeaderMap) -> bool {
    headers.get("authorization").is_some_and(|value| value.as_bytes() == format!("Bearer {BILLING_API_KEY}").as_bytes())
}

async fn begin_checkout(State(world): State<Arc<World>>, headers: HeaderMap, Form(form): Form<Fields>) -> Result<Response, Failed> {
    if !is_ours(&headers) {
        return Ok(refused(StatusCode::UNAUTHORIZED, "invalid_request_error", "api_key_invalid", ""));
    }
    let params = Params(form);
    let price = params.get("line_items[0][price]").filter(|price| [STARTER_PRICE, PROFESSIONAL_PRICE].contains(price));
    let (Some(price), Some("subscription"), Some(return_url)) = (price, params.get("mode"), params.get("success_url")) else {
        return Ok(refused(StatusCode::BAD_REQUEST, "invalid_request_error", "resource_missing", "line_items[0][price]"));
    };
    let text = |name: &str| params.get(name).map(str::to_owned);
    let checkout = Checkout {
        price: price.to_owned(),
        user: text("client_reference_id"),
        customer: text("customer"),
        return_url: return_url.to_owned(),
    };
    let id = world.secret("cs_test_");
    world.storage.add_checkout(&id, &checkout)?;
    let url = format!("{}/_sim/stripe/pay/{id}", world.base);
    let expires_at = (world.clock.now() + CHECKOUT_LIFE).as_second();
    let session =
        json!({ "id": id, "object": "checkout.session", "mode": "subscription", "status": "open", "url": url, "expires_at": expires_at });
    Ok(Json(session).into_response())
}

/// Only an open page can be expired: <https://docs.stripe.com/api/checkout/sessions/expire>.
async fn expire_checkout(State(world): State<Arc<World>>, headers: HeaderMap, Path(id): Path<String>) -> Result<Response, Failed> {
    if !is_ours(&headers) {
        return Ok(refused(StatusCode::UNAUTHORIZED, "invalid_request_error", "api_key_invalid", ""));
    }
    if !world.storage.end_checkout(&id)? {
        return Ok(refused(StatusCode::BAD_REQUEST, "invalid_request_error", "", ""));
    }
    Ok(Json(json!({ "id": id, "object": "checkout.session", "status": "expired", "url": null })).into_response())
}

async fn begin_portal(State(world): State<Arc<World>>, headers: HeaderMap, Form(form): Form<Fields>) -> Result<Response, Failed> {
    if !is_ours(&headers) {
        return Ok(refused(StatusCode::UNAUTHORIZED, "invalid_request_error", "api_key_invalid", ""));
    }
    let params = Params(form);
    let customer = params.get("customer").unwrap_or_default();
    if world.storage.bought(customer)?.is_none() {
        return Ok(refused(StatusCode::BAD_REQUEST, "invalid_request_error", "resource_missing", "customer"));
    }
    let url = format!("{}/_sim/stripe/portal/{customer}", world.base);
    Ok(Json(json!({ "id": world.secret("bps_"), "object": "billing_portal.session", "url": url })).into_response())
}

async fn ask(State(world): State<Arc<World>>, Path(id): Path<String>) -> Result<Response, Failed> {
    let Some(checkout) = world.storage.checkout(&id, false)? else { return Ok(page::refusal("There is nothing to pay here.")) };
    Ok(page::choice("Simulated Stripe", &format!("Pay for {}?", checkout.price), &[("pay", "Pay"), ("leave", "Go back")]))
}

async fn decide(State(world): State<Arc<World>>, Path(id): Path<String>, Form(form): Form<Fields>) -> Result<Response, Failed> {
    let pays = Params(form).get("decision") == Some("pay");
    let Some(checkout) = world.storage.checkout(&id, pays)? else { return Ok(page::refusal("There is nothing to pay here.")) };
    if pays {
        let customer = checkout.customer.unwrap_or_else(|| world.secret("cus_"));
        let started = world.clock.now().as_second();
        let (subscription, status) = (world.secret("sub_"), "active".to_owned());
        let month_end = month_end(started, started)?;
        let bought = Bought { customer, subscription, user: checkout.user, price: checkout.price, status, started, month_end };
        world.storage.put_bought(&bought)?;
        for kind in ["customer.subscription.created", "invoice.paid", "checkout.session.completed"] {
            deliver(&world, kind, &bought, None).await?;
        }
    }
    Ok(Redirect::to(&checkout.return_url).into_response())
}

async fn manage(State(world): State<Arc<World>>, Path(customer): Path<String>) -> Result<Response, Failed> {
    let Some(bought) = world.storage.bought(&customer)? else { return Ok(page::refusal("There is no such customer.")) };
    let choices = [
        ("starter", "Change to starter"),
        ("professional", "Change to professional"),
        ("fail", "Let a payment fail"),
        ("pay", "Let a payment come"),
        ("end", "End it"),
    ];
    Ok(page::choice("Simulated Stripe", &format!("{} is {}.", bought.price, bought.status), &choices))
}

async fn change(State(world): State<Arc<World>>, Path(customer): Path<String>, Form(form): Form<Fields>) -> Result<Response, Failed> {
    let Some(mut bought) = world.storage.bought(&customer)? else { return Ok(page::refusal("There is no such customer.")) };
    let (status, price, first) = match Params(form).get("decision") {
        Some("starter") => (bought.status.clone(), STARTER_PRICE, None),
        Some("professional") => (bought.status.clone(), PROFESSIONAL_PRICE, None),
        Some("fail") => ("past_due".to_owned(), bought.price.as_str(), Some("invoice.payment_failed")),
        Some("pay") => ("active".to_owned(), bought.price.as_str(), Some("invoice.paid")),
        Some("end") => ("canceled".to_owned(), bought.price.as_str(), None),
        _ => return Ok(page::refusal("Nothing was decided.")),
    };
    let ended = status == "canceled";
    let before = Before { status: bought.status.clone(), price: bought.price.clone() };
    let month_end = month_end(bought.started, world.clock.now().as_second())?;
    bought = Bought { price: price.to_owned(), status, month_end, ..bought };
    world.storage.put_bought(&bought)?;
    if let Some(kind) = first {
        deliver(&world, kind, &bought, None).await?;
    }
    let kind = if ended { "customer.subscription.deleted" } else { "customer.subscription.updated" };
    deliver(&world, kind, &bought, Some(before)).await?;
    Ok(Redirect::to(&format!("{}/", world.base)).into_response())
}

/// Renews what is paid for month by month, as Stripe does by itself, and tells of it. Of months that went by at once, the last one alone is
/// told of.
pub(crate) async fn renew(world: &World) -> anyhow::Result<()> {
    let now = world.clock.now().as_second();
    while let Some(bought) = world.storage.to_renew(now)? {
        let bought = Bought { month_end: month_end(bought.started, now)?, ..bought };
        world.storage.put_bought(&bought)?;
        for kind in ["customer.subscription.updated", "invoice.paid"] {
            deliver(world, kind, &bought, None).await?;
        }
    }
    Ok(())
}

fn month_end(started: i64, now: i64) -> anyhow::Result<i64> {
    let (started, now) = (Timestamp::from_second(started)?, Timestamp::from_second(now)?);
    Ok(Period { start: started, end: started, anchor: started, days: None }.cycle_at(now).end.as_second())
}

/// Sends an event until it is taken.
async fn deliver(world: &World, kind: &'static str, bought: &Bought, before: Option<Before>) -> anyhow::Result<()> {
    let now = world.clock.now();
    let event = Event {
        // Of two updates of one second the id decides: here, what was decided later sorts after what was decided before.
        id: format!("evt_{:012x}{}", now.as_millisecond(), world.secret("")),
        kind,
        created: now,
        customer: bought.customer.clone(),
        subscription: bought.subscription.clone(),
        started: Timestamp::from_second(bought.started)?,
        status: bought.status.clone(),
        price: bought.price.clone(),
        user: bought.user.clone(),
        before,
    };
    let body = event.body();
    let secret = SigningSecret::parse(WEBHOOK_SECRET.to_owned().into()).context("the simulated secret")?;
    let client = reqwest::Client::builder().tls_backend_preconfigured(tls::client()).no_proxy().timeout(DELIVERY_MAX).build()?;
    for _ in 0..DELIVERIES_MAX {
        let request = client.post(format!("{}/api/billing/webhook", world.base)).header("content-type", "application/json");
        let request = request.header("stripe-signature", secret.header(&body, world.clock.now())).body(body.clone());
        match request.send().await {
            Ok(answer) if answer.status().is_success() => return Ok(()),
            Ok(answer) => tracing::info!(status = answer.status().as_u16(), kind, "an event was not taken"),
            Err(error) => tracing::info!(error = %error.without_url(), kind, "an event did not arrive"),
        }
    }
    // As with Stripe, whoever paid is sent back all the same.
    tracing::warn!(kind, "an event was given up on");
    Ok(())
}
