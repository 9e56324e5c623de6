//! What Stripe would send: whole events in its shapes, signed as it signs them.
//!
//! Shapes as of API version 2025-09-30: <https://docs.stripe.com/api/events/object>.

mod api;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use domain::billing::Period;

pub(crate) use api::{renew, routes};

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
    /// Of an update, what the subscription was before it; `None`: neither status nor price is another.
    pub before: Option<Before>,
}

/// What a subscription was before an update, as far as we look at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Before {
    /// Its `status`.
    pub status: String,
    /// The price that it was sold for.
    pub price: String,
}

impl Event {
    /// The month that runs when the event is made. A subscription is renewed in time.
    pub fn month(&self) -> domain::plan::CycleSpan {
        Period { start: self.started, end: self.started, anchor: self.started, days: None }.cycle_at(self.created.max(self.started))
    }

    /// What the subscription is by this event, for the update that comes after it.
    pub fn as_before(&self) -> Before {
        Before { status: self.status.clone(), price: self.price.clone() }
    }

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
            let previous_attributes = self.previous_attributes(&object);
            return json!({ "object": object, "previous_attributes": previous_attributes });
        }
        json!({ "object": object })
    }

    /// What is another by an update, and nothing else: of a list all members, as they were:
    /// <https://docs.stripe.com/api/events/object#event_object-data-previous_attributes>.
    fn previous_attributes(&self, object: &Value) -> Value {
        let mut previous = Map::new();
        if let Some(before) = &self.before {
            if before.status != self.status {
                previous.insert("status".to_owned(), json!(before.status));
            }
            if before.price != self.price {
                let mut items = object["items"]["data"].clone();
                sell_for(&mut items[0], &before.price);
                previous.insert("items".to_owned(), json!({ "data": items }));
            }
        }
        if previous.is_empty() {
            // There is no update by which nothing is another.
            previous.insert("latest_invoice".to_owned(), json!("in_1SbeforePostledgerDouble"));
        }
        Value::Object(previous)
    }

    fn object(&self) -> Value {
        let parse = |text| serde_json::from_str::<Value>(text).expect("the files beside this hold JSON");
        let (started, month) = (self.started.as_second(), self.month());
        let (month_start, month_end) = (month.start.as_second(), month.end.as_second());
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
                invoice["lines"]["data"][0]["period"] = json!({ "start": month_start, "end": month_end });
                if self.kind.ends_with(".payment_failed") {
                    invoice["status"] = json!("open");
                    invoice["billing_reason"] = json!("subscription_cycle");
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
                subscription["billing_cycle_anchor"] = json!(started);
                subscription["items"]["data"][0]["current_period_start"] = json!(month_start);
                subscription["items"]["data"][0]["current_period_end"] = json!(month_end);
                sell_for(&mut subscription["items"]["data"][0], &self.price);
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

/// Puts a price into an item: Stripe still tells it as a plan, too.
fn sell_for(item: &mut Value, price: &str) {
    item["price"]["id"] = json!(price);
    item["plan"]["id"] = json!(price);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{PROFESSIONAL_PRICE, STARTER_PRICE};

    #[test]
    fn an_update_carries_what_it_changed_as_it_was_before_and_nothing_else() {
        let event = Event {
            id: "evt_1".to_owned(),
            kind: "customer.subscription.updated",
            created: Timestamp::UNIX_EPOCH,
            customer: "cus_1".to_owned(),
            subscription: "sub_1".to_owned(),
            started: Timestamp::UNIX_EPOCH,
            status: "active".to_owned(),
            price: PROFESSIONAL_PRICE.to_owned(),
            user: None,
            before: None,
        };
        let told = |status: &str, price: &str| {
            let before = Some(Before { status: status.to_owned(), price: price.to_owned() });
            let data = Event { before, ..event.clone() }.data();
            let names = data["previous_attributes"].as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect::<Vec<_>>();
            (data, names)
        };
        assert_eq!(told("active", PROFESSIONAL_PRICE).1, ["latest_invoice"]);
        let (data, names) = told("past_due", PROFESSIONAL_PRICE);
        assert_eq!((names, &data["previous_attributes"]["status"]), (vec!["status".to_owned()], &json!("past_due")));

        let (data, names) = told("active", STARTER_PRICE);
        assert_eq!(names, ["items"]);
        let (mut before, now) = (data["previous_attributes"]["items"]["data"][0].clone(), &data["object"]["items"]["data"][0]);
        assert_eq!((&before["price"]["id"], &now["price"]["id"]), (&json!(STARTER_PRICE), &json!(PROFESSIONAL_PRICE)));
        sell_for(&mut before, PROFESSIONAL_PRICE);
        assert_eq!(&before, now, "the whole item, as it was");
        assert_eq!(told("past_due", STARTER_PRICE).1.len(), 2);
        let ended = Event { kind: "customer.subscription.deleted", before: Some(event.as_before()), ..event.clone() };
        assert!(ended.data()["previous_attributes"].is_null(), "an end is no update");
    }
}
