//! What Stripe would send: whole events in its shapes, signed as it signs them.
//!
//! Shapes as of API version 2025-09-30: <https://docs.stripe.com/api/events/object>.

mod api;

use jiff::Timestamp;
use serde_json::{Value, json};

pub(crate) use api::routes;

/// After a payment that failed, Stripe tries again some days later.
const RETRY_SECS: i64 = 3 * 86_400;

/// One event, of somebody's subscription.
#[derive(Debug, Clone)]
pub struct Event {
    /// Its id, `evt_…`; the same one again is a repetition.
    pub id: String,
    /// Its type, such as `customer.subscription.updated`.
    pub kind: &'static str,
    /// When it was made.
    pub created: Timestamp,
    /// The provider's customer, `cus_…`.
    pub customer: String,
    /// The subscription, `sub_…`.
    pub subscription: String,
    /// When the subscription began.
    pub started: Timestamp,
    /// The subscription's `status`.
    pub status: String,
    /// The price that it is sold for.
    pub price: String,
    /// Our user, where the checkout said who buys.
    pub user: Option<String>,
}

impl Event {
    /// The body, as it goes over the wire.
    pub fn body(&self) -> Vec<u8> {
        let event = json!({
            "id": self.id,
            "object": "event",
            "api_version": "2025-09-30.clover",
            "created": self.created.as_second(),
            "data": self.data(),
            "livemode": false,
            "pending_webhooks": 1,
            "request": { "id": null, "idempotency_key": null },
            "type": self.kind,
        });
        // Stripe indents what it sends: whoever parses and writes it again gets other bytes.
        serde_json::to_vec_pretty(&event).expect("JSON has a text")
    }

    /// The object, and of an update what it was before.
    fn data(&self) -> Value {
        let object = self.object();
        if self.kind.ends_with(".updated") {
            return json!({ "object": object, "previous_attributes": { "latest_invoice": "in_1SbeforePostledgerDouble" } });
        }
        json!({ "object": object })
    }

    fn object(&self) -> Value {
        let parse = |text| serde_json::from_str::<Value>(text).expect("the files beside this hold JSON");
        let started = self.started.as_second();
        match self.kind.split('.').next() {
            Some("checkout") => {
                let mut session = parse(include_str!("stripe/checkout_session.json"));
                session["customer"] = json!(self.customer);
                session["subscription"] = json!(self.subscription);
                session["client_reference_id"] = json!(self.user);
                session
            }
            Some("invoice") => {
                let mut invoice = parse(include_str!("stripe/invoice.json"));
                invoice["customer"] = json!(self.customer);
                invoice["parent"]["subscription_details"]["subscription"] = json!(self.subscription);
                if self.kind.ends_with(".payment_failed") {
                    invoice["status"] = json!("open");
                    invoice["amount_remaining"] = invoice["amount_due"].clone();
                    invoice["amount_paid"] = json!(0);
                    invoice["status_transitions"]["paid_at"] = Value::Null;
                    invoice["next_payment_attempt"] = json!(self.created.as_second() + RETRY_SECS);
                }
                invoice
            }
            Some("charge") => {
                let mut charge = parse(include_str!("stripe/charge.json"));
                charge["customer"] = json!(self.customer);
                charge
            }
            _ => {
                let mut subscription = parse(include_str!("stripe/subscription.json"));
                subscription["id"] = json!(self.subscription);
                subscription["customer"] = json!(self.customer);
                subscription["status"] = json!(self.status);
                subscription["start_date"] = json!(started);
                subscription["created"] = json!(started);
                subscription["items"]["data"][0]["price"]["id"] = json!(self.price);
                subscription["items"]["data"][0]["plan"]["id"] = json!(self.price);
                if self.kind.ends_with(".deleted") {
                    subscription["canceled_at"] = json!(self.created.as_second());
                    subscription["ended_at"] = json!(self.created.as_second());
                }
                subscription["metadata"]["user_id"] = json!(self.user);
                subscription
            }
        }
    }
}
