//! A Stripe event, as far as it concerns a plan. Everything else in it is not looked at: Stripe adds fields as it likes.
//!
//! Shapes: <https://docs.stripe.com/api/events/object>, and of what an event holds: `subscriptions/object`, `checkout/sessions/object`,
//! `invoices/object` there. Where API versions differ, all known places are looked at.

use domain::billing::{self, AsOf, Paid, Period, Standing};
use domain::id::UserId;
use domain::plan::Plan;
use edge::config::Prices;
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

/// An id of Stripe's is at most so long: <https://docs.stripe.com/upgrades#what-changes-does-stripe-consider-to-be-backwards-compatible>.
const ID_CHARS_MAX: usize = 255;

/// The status of a subscription whose first payment never came: <https://docs.stripe.com/api/subscriptions/object#subscription_object-status>.
const NEVER_PAID: &str = "incomplete_expired";

/// Why a month's invoice was made: <https://docs.stripe.com/api/invoices/object#invoice_object-billing_reason>.
const RENEWAL: &str = "subscription_cycle";

/// What an event says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Told {
    /// Somebody has bought: this customer at the provider is this user.
    Customer {
        /// The user that went to the checkout.
        user: UserId,
        /// The provider's customer.
        customer_id: String,
        /// The page on which they bought.
        session_id: String,
    },
    /// A subscription is so.
    Subscription {
        /// Whose, if the subscription says so.
        user: Option<UserId>,
        /// The word on it.
        paid: Paid,
    },
    /// A payment of a subscription came, or did not.
    Payment {
        /// Whose, at the provider.
        customer_id: String,
        /// For what, at the provider.
        subscription_id: String,
        /// Until when it pays; `None`: it did not come.
        came: Option<Timestamp>,
    },
    /// Nothing that concerns a plan.
    Nothing,
}

/// An event: its identity, and what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event {
    /// Unique; a repetition has the same.
    pub(crate) id: String,
    /// By the provider's clock.
    pub(crate) created: Timestamp,
    /// What it says.
    pub(crate) told: Told,
}

/// Why a signed event cannot be followed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OddEvent {
    /// It is not what Stripe documents.
    #[error("the event is not what Stripe documents")]
    Unreadable(#[source] serde_json::Error),
    /// An id is empty or far too long, or a time is none.
    #[error("the event holds an id or a time that cannot be one")]
    Unfit,
    /// A price that no plan is sold for: the configuration is behind.
    #[error("no plan is sold for the subscription's prices; add them to STRIPE_PRICES")]
    UnknownPrice,
    /// It does not say for which time is paid.
    #[error("the event does not say for which time is paid")]
    NoPeriod,
    /// A state of a subscription that this code does not know.
    #[error("the subscription has a status that is not known here")]
    UnknownStatus,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    id: String,
    created: i64,
    #[serde(rename = "type")]
    kind: String,
    #[serde(borrow)]
    data: Data<'a>,
}

#[derive(Deserialize)]
struct Data<'a> {
    #[serde(borrow)]
    object: &'a RawValue,
    /// What an update has changed, as it was before.
    #[serde(borrow)]
    previous_attributes: Option<&'a RawValue>,
}

/// What a subscription was before an update, as far as it was changed.
#[derive(Default, Deserialize)]
struct Before {
    status: Option<String>,
    items: Option<Items>,
}

#[derive(Deserialize)]
struct CheckoutSession {
    id: String,
    mode: String,
    client_reference_id: Option<String>,
    customer: Option<Reference>,
}

#[derive(Deserialize)]
struct Subscription {
    id: String,
    customer: Reference,
    status: String,
    /// Since 2019-10-17; before that, when it was made says as much.
    start_date: Option<i64>,
    created: Option<i64>,
    billing_cycle_anchor: Option<i64>,
    /// Of all items together, until 2025-03-31; since then each has its own.
    #[serde(flatten)]
    period: ItemPeriod,
    metadata: Option<Metadata>,
    items: Items,
}

#[derive(Clone, Copy, Default, Deserialize)]
struct ItemPeriod {
    current_period_start: Option<i64>,
    current_period_end: Option<i64>,
}

#[derive(Default, Deserialize)]
struct Metadata {
    user_id: Option<String>,
}

#[derive(Deserialize)]
struct Items {
    data: Vec<Line>,
}

impl Items {
    /// The plan of the first that is one of ours, and it.
    fn sold(&self, prices: &Prices) -> Option<(Plan, &Line)> {
        self.data.iter().find_map(|line| Some((prices.plan_of(&line.sold()?.id)?, line)))
    }
}

#[derive(Deserialize)]
struct Line {
    /// Since 2020-08-27.
    price: Option<Price>,
    /// Of all versions.
    plan: Option<Price>,
    #[serde(flatten)]
    period: ItemPeriod,
}

impl Line {
    fn sold(&self) -> Option<&Price> {
        self.price.as_ref().or(self.plan.as_ref())
    }

    /// How many days a period lasts, where it is counted in days or weeks.
    fn days(&self) -> Option<u16> {
        let told = |price: &Price| {
            price
                .recurring
                .as_ref()
                .map(|told| (told.interval.clone(), told.interval_count))
                .or_else(|| Some((price.interval.clone()?, price.interval_count)))
        };
        let (interval, count) = self.sold().and_then(told)?;
        let days = match interval.as_str() {
            "day" => 1,
            "week" => 7,
            _ => return None,
        };
        count.unwrap_or(1).checked_mul(days)
    }
}

#[derive(Deserialize)]
struct Price {
    id: String,
    /// Of a price.
    recurring: Option<Recurring>,
    /// Of a plan.
    interval: Option<String>,
    interval_count: Option<u16>,
}

#[derive(Deserialize)]
struct Recurring {
    interval: String,
    interval_count: Option<u16>,
}

#[derive(Deserialize)]
struct Invoice {
    customer: Reference,
    /// Until 2025-03-31.
    subscription: Option<Reference>,
    /// Since then.
    parent: Option<Parent>,
    lines: Option<InvoiceLines>,
    billing_reason: Option<String>,
}

#[derive(Deserialize)]
struct InvoiceLines {
    data: Vec<InvoiceLine>,
}

/// What is paid for, and for which time.
#[derive(Deserialize)]
struct InvoiceLine {
    period: Option<LinePeriod>,
}

#[derive(Deserialize)]
struct LinePeriod {
    end: i64,
}

#[derive(Deserialize)]
struct Parent {
    subscription_details: Option<SubscriptionDetails>,
}

#[derive(Deserialize)]
struct SubscriptionDetails {
    subscription: Reference,
}

/// Another object: its id, or itself where Stripe was asked to expand it.
#[derive(Deserialize)]
#[serde(untagged)]
enum Reference {
    Id(String),
    Expanded { id: String },
}

impl Reference {
    fn id(&self) -> &str {
        match self {
            Self::Id(id) | Self::Expanded { id } => id,
        }
    }

    fn into_id(self) -> String {
        match self {
            Self::Id(id) | Self::Expanded { id } => id,
        }
    }
}

impl Event {
    /// Reads a body whose signature was believed.
    pub(crate) fn parse(body: &[u8], prices: &Prices) -> Result<Self, OddEvent> {
        let envelope: Envelope<'_> = serde_json::from_slice(body).map_err(OddEvent::Unreadable)?;
        let id = fit(envelope.id)?;
        let created = time(envelope.created)?;
        let Data { object, previous_attributes } = envelope.data;
        let told = match envelope.kind.as_str() {
            "checkout.session.completed" => checkout(read(object)?)?,
            "customer.subscription.created" => subscription(&read(object)?, (&id, created, billing::Told::Created), prices)?,
            "customer.subscription.updated" => {
                updated(subscription(&read(object)?, (&id, created, billing::Told::Updated), prices)?, previous_attributes, prices)
            }
            "customer.subscription.deleted" => subscription(&read(object)?, (&id, created, billing::Told::Deleted), prices)?,
            "invoice.paid" => payment(read(object)?, true)?,
            "invoice.payment_failed" => payment(read(object)?, false)?,
            _ => Told::Nothing,
        };
        Ok(Self { id, created, told })
    }
}

/// For the log: the id of an event that cannot be read further.
pub(crate) fn id_of(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Named {
        id: String,
    }
    serde_json::from_slice(body).ok().and_then(|Named { id }| fit(id).ok())
}

fn read<T: DeserializeOwned>(object: &RawValue) -> Result<T, OddEvent> {
    serde_json::from_str(object.get()).map_err(OddEvent::Unreadable)
}

fn checkout(session: CheckoutSession) -> Result<Told, OddEvent> {
    let user = session.client_reference_id.and_then(|id| UserId::parse(&id).ok());
    match (session.mode.as_str(), user, session.customer) {
        ("subscription", Some(user), Some(customer)) => {
            Ok(Told::Customer { user, customer_id: fit(customer.into_id())?, session_id: fit(session.id)? })
        }
        // Another product's checkout of the same Stripe account.
        _ => Ok(Told::Nothing),
    }
}

fn subscription(
    subscription: &Subscription,
    (event_id, at, told): (&str, Timestamp, billing::Told),
    prices: &Prices,
) -> Result<Told, OddEvent> {
    let standing = Standing::from_status(&subscription.status).ok_or(OddEvent::UnknownStatus)?;
    let (plan, line) = match subscription.items.sold(prices) {
        Some((plan, line)) => (plan, Some(line)),
        // It is over, whatever it was: nobody keeps a plan because its price is sold no more.
        None if standing == Standing::Ended => (Plan::Starter, subscription.items.data.first()),
        // It was never paid for, and never will be.
        None if subscription.status == NEVER_PAID => return Ok(Told::Nothing),
        None => return Err(OddEvent::UnknownPrice),
    };
    let started_at = time(subscription.start_date.or(subscription.created).ok_or(OddEvent::Unfit)?)?;
    let period = period(subscription, line, started_at)?;
    // The first period of what runs is paid, or nothing would run; so is a trial.
    let is_paid = standing == Standing::Live && (period.start <= started_at || subscription.status == "trialing");
    let user = subscription.metadata.as_ref().and_then(|metadata| UserId::parse(metadata.user_id.as_ref()?).ok());
    let as_of = AsOf { at, told, changed: false, event_id: event_id.to_owned() };
    let paid = Paid {
        customer_id: fit(subscription.customer.id().to_owned())?,
        subscription_id: fit(subscription.id.clone())?,
        plan,
        standing,
        started_at,
        period,
        paid_until: is_paid.then_some(period.end),
        as_of,
    };
    Ok(Told::Subscription { user, paid })
}

/// The period that runs, in either place.
fn period(subscription: &Subscription, line: Option<&Line>, started_at: Timestamp) -> Result<Period, OddEvent> {
    let of_line = line.map(|line| line.period).unwrap_or_default();
    let either = |line: Option<i64>, all: Option<i64>| line.or(all).ok_or(OddEvent::NoPeriod);
    let start = time(either(of_line.current_period_start, subscription.period.current_period_start)?)?;
    let end = time(either(of_line.current_period_end, subscription.period.current_period_end)?)?;
    let anchor = subscription.billing_cycle_anchor.map_or(Ok(started_at), time)?;
    if end <= start {
        return Err(OddEvent::NoPeriod);
    }
    Ok(Period { start, end, anchor, days: line.and_then(Line::days) })
}

/// An update, and whether it tells of another plan or standing than before: <https://docs.stripe.com/api/events/object#event_object-data-previous_attributes>.
/// What cannot be read there tells of none; the word itself stands.
fn updated(told: Told, previous_attributes: Option<&RawValue>, prices: &Prices) -> Told {
    let Told::Subscription { user, paid } = told else { return told };
    let before = previous_attributes.and_then(|before| serde_json::from_str::<Before>(before.get()).ok()).unwrap_or_default();
    let standing_changed = before.status.is_some_and(|status| Standing::from_status(&status) != Some(paid.standing));
    let plan_changed = before.items.is_some_and(|items| items.sold(prices).map(|(plan, _)| plan) != Some(paid.plan));
    let as_of = AsOf { changed: standing_changed || plan_changed, ..paid.as_of };
    Told::Subscription { user, paid: Paid { as_of, ..paid } }
}

fn payment(invoice: Invoice, came: bool) -> Result<Told, OddEvent> {
    let of_parent = invoice.parent.and_then(|parent| parent.subscription_details).map(|details| details.subscription);
    let Some(subscription) = invoice.subscription.or(of_parent) else { return Ok(Told::Nothing) };
    let (customer_id, subscription_id) = (fit(invoice.customer.into_id())?, fit(subscription.into_id())?);
    let lines = invoice.lines.into_iter().flat_map(|lines| lines.data);
    let ends = lines.filter_map(|line| line.period).map(|period| time(period.end)).collect::<Result<Vec<_>, _>>()?;
    match (came, ends.into_iter().max()) {
        // Any other invoice, such as one of a change of plan, says nothing of the month.
        (false, _) if invoice.billing_reason.as_deref() != Some(RENEWAL) => Ok(Told::Nothing),
        (false, _) => Ok(Told::Payment { customer_id, subscription_id, came: None }),
        (true, Some(until)) => Ok(Told::Payment { customer_id, subscription_id, came: Some(until) }),
        (true, None) => Err(OddEvent::NoPeriod),
    }
}

fn fit(id: String) -> Result<String, OddEvent> {
    let fits = !id.is_empty() && id.len() <= ID_CHARS_MAX && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if fits { Ok(id) } else { Err(OddEvent::Unfit) }
}

fn time(second: i64) -> Result<Timestamp, OddEvent> {
    Timestamp::from_second(second).ok().filter(|at| *at >= Timestamp::UNIX_EPOCH).ok_or(OddEvent::Unfit)
}

#[cfg(test)]
mod tests {
    use edge::config::{self, Source};
    use serde_json::{Value, json};

    use super::*;

    const USER: &str = "01ARZ3NDEKTSV4RRFFQ69G5FAV";

    fn prices() -> Prices {
        let source = Source::from_fn(|_| Some("starter=price_a,professional=price_b,starter=price_old".to_owned()));
        config::read(&source, Prices::read).unwrap()
    }

    fn parse(kind: &str, object: &Value) -> Result<Told, OddEvent> {
        let event = json!({ "id": "evt_1", "created": 1_800_000_000, "type": kind, "data": { "object": object } });
        Event::parse(event.to_string().as_bytes(), &prices()).map(|event| event.told)
    }

    fn subscription(price: &str) -> Value {
        json!({
            "id": "sub_1", "customer": "cus_1", "status": "active", "start_date": 1_799_999_999, "billing_cycle_anchor": 1_799_999_999,
            "metadata": { "user_id": USER },
            "items": { "data": [{ "price": { "id": price, "recurring": { "interval": "month", "interval_count": 1 } },
                "current_period_start": 1_799_999_999, "current_period_end": 1_802_678_399 }] },
        })
    }

    #[test]
    fn a_subscription_tells_its_plan_by_any_price_that_it_was_ever_sold_for() {
        for (price, plan) in [("price_a", Plan::Starter), ("price_b", Plan::Professional), ("price_old", Plan::Starter)] {
            let Told::Subscription { user, paid } = parse("customer.subscription.updated", &subscription(price)).unwrap() else { panic!() };
            assert_eq!((user.unwrap().to_string(), paid.plan, paid.standing), (USER.to_owned(), plan, Standing::Live));
        }
        assert!(matches!(parse("customer.subscription.updated", &subscription("price_z")), Err(OddEvent::UnknownPrice)));
        let mut over = subscription("price_z");
        over["status"] = json!("canceled");
        let Told::Subscription { paid, .. } = parse("customer.subscription.deleted", &over).unwrap() else { panic!() };
        assert_eq!(paid.standing, Standing::Ended, "an end needs no price");
        over["status"] = json!("incomplete_expired");
        assert_eq!(parse("customer.subscription.updated", &over).unwrap(), Told::Nothing);
    }

    #[test]
    fn an_event_that_cannot_be_read_further_is_named_by_its_id() {
        assert_eq!(id_of(br#"{"id":"evt_1","created":"odd"}"#).as_deref(), Some("evt_1"));
        for odd in [br#"{"id":"evt 1"}"#.as_slice(), br#"{"id":1}"#, b"[]", b""] {
            assert_eq!(id_of(odd), None);
        }
    }

    #[test]
    fn an_update_tells_whether_the_plan_or_the_standing_is_another() {
        let items = |price: &str| json!({ "data": [{ "price": { "id": price }, "current_period_end": 1 }] });
        for (before, changed) in [
            (Value::Null, false),
            (json!({ "latest_invoice": "in_1" }), false),
            (json!({ "items": items("price_a") }), false),
            (json!({ "items": items("price_old") }), false),
            (json!({ "status": "trialing" }), false),
            (json!({ "items": "odd" }), false),
            (json!("odd"), false),
            (json!({ "items": items("price_b") }), true),
            (json!({ "items": items("price_of_another_product") }), true),
            (json!({ "status": "past_due", "latest_invoice": "in_1" }), true),
        ] {
            let data = json!({ "object": subscription("price_a"), "previous_attributes": before });
            let event = json!({ "id": "evt_1", "created": 1_800_000_000, "type": "customer.subscription.updated", "data": data });
            let Told::Subscription { paid, .. } = Event::parse(event.to_string().as_bytes(), &prices()).unwrap().told else { panic!() };
            assert_eq!((paid.as_of.changed, paid.plan), (changed, Plan::Starter), "{before}");
        }
    }

    #[test]
    fn an_invoice_names_its_subscription_in_either_place() {
        let came = Some(Timestamp::from_second(1_802_678_399).unwrap());
        let paid = Told::Payment { customer_id: "cus_1".to_owned(), subscription_id: "sub_1".to_owned(), came };
        let lines =
            json!({ "data": [{ "period": { "start": 1, "end": 1_800_000_000 } }, { "period": { "start": 1, "end": 1_802_678_399 } }] });
        for mut object in [
            json!({ "customer": "cus_1", "subscription": "sub_1" }),
            json!({ "customer": { "id": "cus_1" }, "subscription": { "id": "sub_1" } }),
            json!({ "customer": "cus_1", "parent": { "subscription_details": { "subscription": "sub_1" } } }),
        ] {
            assert!(matches!(parse("invoice.paid", &object), Err(OddEvent::NoPeriod)), "nobody knows until when: {object}");
            object["lines"] = lines.clone();
            assert_eq!(parse("invoice.paid", &object).unwrap(), paid, "the last of what it pays for: {object}");
        }
        for object in [json!({ "customer": "cus_1" }), json!({ "customer": "cus_1", "parent": { "subscription_details": null } })] {
            assert_eq!(parse("invoice.paid", &object).unwrap(), Told::Nothing, "an invoice by hand");
        }
    }

    #[test]
    fn a_subscription_is_read_in_the_shapes_of_all_versions_since_2019() {
        let month = (1_799_999_999, 1_802_678_399);
        let old = json!({
            "id": "sub_1", "customer": "cus_1", "status": "active", "created": month.0, "metadata": null,
            "current_period_start": month.0, "current_period_end": month.1, "billing_cycle_anchor": month.0,
            "items": { "data": [{ "plan": { "id": "price_a", "interval": "month", "interval_count": 1 } }] },
        });
        let new = subscription("price_a");
        for object in [&old, &new] {
            let Told::Subscription { paid, .. } = parse("customer.subscription.updated", object).unwrap() else { panic!("{object}") };
            let Period { start, end, anchor, days } = paid.period;
            assert_eq!([start, end, anchor].map(Timestamp::as_second), [month.0, month.1, month.0], "{object}");
            assert_eq!((days, paid.plan, paid.paid_until), (None, Plan::Starter, Some(end)), "{object}");
        }
        let mut weekly = old.clone();
        weekly["items"]["data"][0]["plan"]["interval"] = json!("week");
        let Told::Subscription { paid, .. } = parse("customer.subscription.updated", &weekly).unwrap() else { panic!() };
        assert_eq!(paid.period.days, Some(7));
        let mut renewed = new.clone();
        renewed["start_date"] = json!(1_700_000_000);
        let Told::Subscription { paid, .. } = parse("customer.subscription.updated", &renewed).unwrap() else { panic!() };
        assert_eq!(paid.paid_until, None, "a later period is paid when its payment came");
        let mut without = new;
        without["items"]["data"][0]["current_period_end"] = Value::Null;
        assert!(matches!(parse("customer.subscription.updated", &without), Err(OddEvent::NoPeriod)));
    }

    #[test]
    fn a_checkout_of_something_else_is_no_concern_of_ours() {
        let session = |mode: &str, user: Value| json!({ "id": "cs_1", "mode": mode, "client_reference_id": user, "customer": "cus_1" });
        assert!(matches!(parse("checkout.session.completed", &session("subscription", json!(USER))).unwrap(), Told::Customer { .. }));
        for (mode, user) in [("payment", json!(USER)), ("subscription", Value::Null), ("subscription", json!("cart-17"))] {
            assert_eq!(parse("checkout.session.completed", &session(mode, user)).unwrap(), Told::Nothing);
        }
    }

    #[test]
    fn what_is_no_event_is_refused_and_what_is_unknown_is_not() {
        for body in ["", "[]", "{}", r#"{"id": "evt_1"}"#, r#"{"id": "", "created": 1, "type": "x", "data": {"object": {}}}"#] {
            assert!(Event::parse(body.as_bytes(), &prices()).is_err(), "{body}");
        }
        let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
        assert!(Event::parse(deep.as_bytes(), &prices()).is_err());
        // Money that is given back says nothing of the subscription.
        for kind in ["customer.tax_id.created", "charge.refunded", "refund.created", "charge.dispute.created"] {
            assert_eq!(parse(kind, &json!({ "customer": "cus_1", "anything": [1, 2] })).unwrap(), Told::Nothing, "{kind}");
        }
        assert!(matches!(parse("customer.subscription.updated", &json!({})), Err(OddEvent::Unreadable(_))));
        let odd_id = json!({ "customer": "cus 1", "subscription": "sub_1", "lines": { "data": [] } });
        assert!(matches!(parse("invoice.paid", &odd_id), Err(OddEvent::Unfit)));
    }
}
