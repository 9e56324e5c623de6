//! The payment provider of the year: what people do there, and its events, which come as they like.

use std::collections::BTreeMap;

use anyhow::Context;
use axum::Router;
use domain::billing::signature::SigningSecret;
use domain::id::UserId;
use domain::plan::Plan;
use edge::host::Host;
use embedded::Aws;
use jiff::Timestamp;
use local::variables::SECRETS_PREFIX;
use serde_json::{Value, json};
use simulator::stripe::Event;
use simulator::{BILLING_API_KEY, PROFESSIONAL_PRICE, STARTER_PRICE, WEBHOOK_SECRET};

const WEBHOOK: &str = "/api/billing/webhook";

/// What somebody has bought last, as an event would hold it; and how their events have been numbered.
struct Provided {
    now: Event,
    bought: u32,
    /// Until when it was ever paid.
    paid_until: Timestamp,
    /// When the month ends that was told last.
    month_end: Timestamp,
}

/// The webhook's function, and the events that are on their way.
pub(crate) struct Provider {
    webhook: Router,
    secret: SigningSecret,
    provided: BTreeMap<String, Provided>,
    on_their_way: Vec<Event>,
    numbered: u64,
    /// How often each kind of deed was done, and how many events were answered.
    deeds: BTreeMap<&'static str, usize>,
    taken: usize,
}

impl Provider {
    pub(crate) fn open(aws: &Aws, host: &Host) -> anyhow::Result<Self> {
        let keys = json!({ "api_key": BILLING_API_KEY, "webhook_secrets": [WEBHOOK_SECRET] }).to_string();
        aws.set_secret(&format!("{SECRETS_PREFIX}/billing/stripe"), &keys.into())?;
        Ok(Self {
            webhook: billing_webhook::router(billing_webhook::Deps::new(host, &aws.sdk_config())?),
            secret: SigningSecret::parse(WEBHOOK_SECRET.to_owned().into()).context("the simulator's secret")?,
            provided: BTreeMap::new(),
            on_their_way: Vec::new(),
            numbered: 0,
            deeds: BTreeMap::new(),
            taken: 0,
        })
    }

    /// Something happens, and so many more copies of each event that tells of it are on their way.
    pub(crate) fn happens(&mut self, user: &UserId, deed: u64, copies: u64, now: Timestamp) -> anyhow::Result<()> {
        let known = self.provided.remove(user.as_str());
        let bought = known.as_ref().map_or(0, |known| known.bought);
        let mut paid_until = known.as_ref().map_or(now, |known| known.paid_until);
        let known = known.map(|known| Event { before: Some(known.now.as_before()), ..known.now });
        let (what, next, kinds): (_, Event, &[&'static str]) = match known.filter(|sub| sub.status != "canceled") {
            None => {
                let new = begun(user, bought + 1, now);
                ("begins", new, &["customer.subscription.created", "checkout.session.completed"])
            }
            Some(sub) if sub.status == "incomplete" => {
                let paid = Event { status: "active".to_owned(), ..sub };
                ("is paid for first", paid, &["invoice.paid", "customer.subscription.updated"])
            }
            Some(sub) => match deed {
                0 => ("ends", Event { status: "canceled".to_owned(), ..sub }, &["customer.subscription.deleted"]),
                1 => ("is refunded", sub, &["charge.refunded"]),
                2 => {
                    let kinds = &["charge.refunded", "customer.subscription.deleted"];
                    ("is refunded and ends", Event { status: "canceled".to_owned(), ..sub }, kinds)
                }
                3 => {
                    let kinds = &["invoice.payment_failed", "customer.subscription.updated"];
                    ("falls behind", Event { status: "past_due".to_owned(), ..sub }, kinds)
                }
                4 => ("is paid for", Event { status: "active".to_owned(), ..sub }, &["customer.subscription.updated", "invoice.paid"]),
                5 => ("is lowered", Event { price: STARTER_PRICE.to_owned(), ..sub }, &["customer.subscription.updated"]),
                _ => ("is raised", Event { price: PROFESSIONAL_PRICE.to_owned(), ..sub }, &["customer.subscription.updated"]),
            },
        };
        *self.deeds.entry(what).or_default() += 1;
        let next = Event { created: now, ..next };
        let month_end = next.month().end;
        // What was paid for one that has ended is had, too.
        if kinds.contains(&"invoice.paid") {
            paid_until = paid_until.max(month_end);
        }
        self.send(&next, kinds, copies, now)?;
        let bought = if what == "begins" { bought + 1 } else { bought };
        self.provided.insert(user.to_string(), Provided { now: next, bought, paid_until, month_end });
        Ok(())
    }

    /// What is bought and paid for is renewed month by month, as the provider does by itself.
    pub(crate) fn renew(&mut self, now: Timestamp) -> anyhow::Result<()> {
        let due = |known: &&mut Provided| known.now.status == "active" && known.month_end <= now;
        let mut renewed = Vec::new();
        for known in self.provided.values_mut().filter(due) {
            known.now.created = now;
            known.month_end = known.now.month().end;
            known.paid_until = known.paid_until.max(known.month_end);
            renewed.push(Event { before: None, ..known.now.clone() });
        }
        for event in renewed {
            *self.deeds.entry("is renewed").or_default() += 1;
            self.send(&event, &["customer.subscription.updated", "invoice.paid"], 0, now)?;
        }
        Ok(())
    }

    fn send(&mut self, next: &Event, kinds: &[&'static str], copies: u64, now: Timestamp) -> anyhow::Result<()> {
        for kind in kinds {
            self.numbered += 1;
            let event = Event { id: format!("evt_{}", self.numbered), kind, created: now, ..next.clone() };
            self.on_their_way.extend(std::iter::repeat_n(event, 1 + usize::try_from(copies)?));
        }
        Ok(())
    }

    /// One event comes, and whose it is is returned; `None`: none is on its way. One that is not taken comes again, some time.
    pub(crate) async fn deliver(&mut self, which: usize, now: Timestamp) -> anyhow::Result<Option<UserId>> {
        let Some(index) = which.checked_rem(self.on_their_way.len()) else { return Ok(None) };
        let whose = self.on_their_way[index].user.as_deref().map(UserId::parse).transpose()?;
        let body = self.on_their_way[index].body();
        let request = call(&self.secret.header(&body, now), body, now)?;
        let answer = edge::http_event::answer(self.webhook.clone(), serde_json::from_value(request)?).await;
        anyhow::ensure!([200, 503].contains(&answer.status_code), "{answer:?}");
        if answer.status_code == 200 {
            self.taken += 1;
            self.on_their_way.swap_remove(index);
        }
        Ok(whose)
    }

    /// How many events are on their way.
    pub(crate) fn waiting(&self) -> usize {
        self.on_their_way.len()
    }

    /// The plan that somebody pays for, if it goes on; and until when it was ever paid.
    pub(crate) fn gives(&self, user: &UserId) -> (Option<Plan>, Option<Timestamp>) {
        let Some(known) = self.provided.get(user.as_str()) else { return (None, None) };
        let plan = if known.now.price == STARTER_PRICE { Plan::Starter } else { Plan::Professional };
        ((known.now.status == "active").then_some(plan), Some(known.paid_until))
    }

    pub(crate) fn was_busy(&self) -> anyhow::Result<()> {
        let rare = self.deeds.values().any(|count| *count < 5);
        anyhow::ensure!(self.deeds.len() == 10 && !rare && self.taken > 200, "a year without a life: {:?}, {}", self.deeds, self.taken);
        Ok(())
    }
}

/// The first payment is still to come.
fn begun(user: &UserId, nth: u32, now: Timestamp) -> Event {
    Event {
        id: String::new(),
        kind: "customer.subscription.created",
        created: now,
        customer: format!("cus_{user}"),
        subscription: format!("sub_{user}_{nth}"),
        started: now,
        status: "incomplete".to_owned(),
        price: if nth.is_multiple_of(2) { PROFESSIONAL_PRICE } else { STARTER_PRICE }.to_owned(),
        user: Some(user.to_string()),
        before: None,
    }
}

/// A delivery as the gateway hands it over.
fn call(signature: &str, body: Vec<u8>, now: Timestamp) -> anyhow::Result<Value> {
    Ok(json!({
        "version": "2.0", "routeKey": format!("ANY {WEBHOOK}"), "rawPath": WEBHOOK, "rawQueryString": "",
        "headers": { "content-type": "application/json", "stripe-signature": signature },
        "requestContext": {
            "accountId": "1", "apiId": "year", "domainName": "localhost", "domainPrefix": "year", "requestId": "year", "stage": "$default",
            "routeKey": format!("ANY {WEBHOOK}"), "time": "", "timeEpoch": now.as_millisecond(),
            "http": { "method": "POST", "path": WEBHOOK, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1", "userAgent": "year" },
        },
        "body": String::from_utf8(body)?, "isBase64Encoded": false,
    }))
}
