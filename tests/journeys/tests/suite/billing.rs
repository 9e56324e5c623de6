//! What the payment provider tells us: believed by its signature alone, followed once, in any order.

use std::sync::atomic::{AtomicUsize, Ordering};

use domain::billing::signature::SigningSecret;
use embedded::{CallInfo, Fault};
use futures::future::try_join_all;
use jiff::{SignedDuration, Timestamp};
use journeys::{Stage, play, play_disturbed};
use local::{Browser, Reply};
use serde_json::{Value, json};
use simulator::stripe::Event;
use simulator::{PROFESSIONAL_PRICE, STARTER_PRICE, WEBHOOK_SECRET};

type Outcome = anyhow::Result<()>;

const WEBHOOK: &str = "/api/billing/webhook";

fn secret() -> SigningSecret {
    SigningSecret::parse(WEBHOOK_SECRET.to_owned().into()).expect("the simulator's secret is one")
}

/// Somebody signed in, and what the provider says of them.
struct Payer {
    browser: Browser,
    phone: String,
    user: String,
    began: Timestamp,
}

impl Payer {
    async fn new(stage: &Stage, phone: &str) -> anyhow::Result<Self> {
        let mut browser = stage.browser();
        browser.sign_in(phone).await?;
        let user = browser.get("/api/user").await?.expect(200)?.str("/id")?;
        let began = browser.service_time(0).await?.parse()?;
        Ok(Self { browser, phone: phone.to_owned(), user, began })
    }

    /// An event, `seconds` after the subscription began.
    fn event(&self, id: &str, kind: &'static str, seconds: i64) -> Event {
        Event {
            id: id.to_owned(),
            kind,
            created: self.began + SignedDuration::from_secs(seconds),
            customer: format!("cus_{}", self.user),
            subscription: format!("sub_{}", self.user),
            started: self.began,
            status: "active".to_owned(),
            price: STARTER_PRICE.to_owned(),
            user: Some(self.user.clone()),
            before: None,
        }
    }

    /// The update from one price to another, `seconds` after the subscription began.
    fn plan_change(&self, id: &str, [from, to]: [&str; 2], seconds: i64) -> Event {
        let event = Event { price: from.to_owned(), ..self.event(id, "customer.subscription.updated", seconds) };
        Event { before: Some(event.as_before()), price: to.to_owned(), ..event }
    }

    async fn tell(&self, event: &Event) -> anyhow::Result<Reply> {
        let body = event.body();
        let now = self.browser.service_time(0).await?.parse()?;
        self.browser.deliver(WEBHOOK, &[("stripe-signature", &secret().header(&body, now))], body).await
    }

    async fn told(&self, event: &Event) -> anyhow::Result<()> {
        assert_eq!(self.tell(event).await?.expect(200)?.json, json!({ "received": true }));
        Ok(())
    }

    /// Posts that are due in so many days, approved.
    async fn approved(&self, days: &[i64]) -> anyhow::Result<Vec<String>> {
        let x = self.browser.connect("x", &[("account", "ann")], &[]).await?.remove(0);
        let mut posts = Vec::new();
        for days in days {
            let due = self.browser.service_time(days * 86_400).await?;
            let post = self.browser.write(&format!("In {days} days"), &[&x], &due).await?.remove(0);
            self.browser.approve(&post).await?;
            posts.push(post);
        }
        Ok(posts)
    }

    /// Why a post waits, if it waits for its owner.
    async fn held(&self, post: &str) -> anyhow::Result<Value> {
        Ok(self.browser.post_story(post).await?["error"]["code"].clone())
    }

    /// So many days later, signed in anew: sessions end on the way.
    async fn later(&mut self, days: i64) -> Outcome {
        self.browser.advance(days * 86_400).await?;
        self.browser.sign_in(&self.phone).await.map(drop)
    }

    /// The running cycle's plan and how many posts are free in it; and when it begins and ends.
    async fn cycle(&self) -> anyhow::Result<(Value, Value, [Timestamp; 2])> {
        let quota = self.browser.get("/api/quota").await?.expect(200)?.json;
        let time = |name: &str| serde_json::from_value(quota[name].clone());
        Ok((quota["plan"].clone(), quota["remaining_posts"].clone(), [time("cycle_start")?, time("cycle_end")?]))
    }

    async fn plan(&self) -> anyhow::Result<(Value, Value, Value)> {
        let user = self.browser.get("/api/user").await?.expect(200)?.json;
        Ok((user["subscription_plan"].clone(), user["subscription_active"].clone(), user["source"].clone()))
    }

    async fn reasons(&self) -> anyhow::Result<Vec<String>> {
        let rows = self.browser.history().await?;
        Ok(rows.iter().rev().map(|row| row["change_reason"].as_str().unwrap_or_default().to_owned()).collect())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscription_begins_grows_falls_behind_and_ends() -> Outcome {
    play(async |stage| {
        let mut ann = Payer::new(stage, "+61412348001").await?;
        ann.told(&ann.event("evt_checkout", "checkout.session.completed", 1)).await?;
        assert_eq!(ann.plan().await?, (Value::Null, json!(false), Value::Null));

        ann.told(&ann.event("evt_created", "customer.subscription.created", 1)).await?;
        assert_eq!(ann.plan().await?, (json!("starter"), json!(true), json!("subscription")));
        assert_eq!(ann.browser.quota().await?, [12, 0, 0, 12]);

        ann.told(&ann.plan_change("evt_upgrade", [STARTER_PRICE, PROFESSIONAL_PRICE], 5)).await?;
        assert_eq!(ann.browser.quota().await?, [52, 0, 0, 52]);

        // A payment that fails is tried again: the plan runs on. One that comes changes nothing either.
        for (id, kind) in [("evt_failed", "invoice.payment_failed"), ("evt_paid", "invoice.paid")] {
            ann.told(&ann.event(id, kind, 10)).await?;
            assert_eq!(ann.plan().await?, (json!("professional"), json!(true), json!("subscription")));
        }

        // Money that is given back ends nothing by itself.
        let rows = ann.reasons().await?;
        ann.told(&ann.event("evt_refund", "charge.refunded", 15)).await?;
        assert_eq!(ann.plan().await?, (json!("professional"), json!(true), json!("subscription")));
        assert_eq!(ann.reasons().await?, rows);

        let ended = Event {
            status: "canceled".to_owned(),
            price: PROFESSIONAL_PRICE.to_owned(),
            ..ann.event("evt_end", "customer.subscription.deleted", 20)
        };
        ann.told(&ended).await?;
        assert_eq!(ann.plan().await?, (json!("professional"), json!(true), json!("subscription")), "what is paid is had");
        assert_eq!(ann.browser.quota().await?, [52, 0, 0, 52]);
        ann.later(31).await?;
        assert_eq!(ann.plan().await?, (json!("professional"), json!(false), json!("subscription")));
        assert_eq!(ann.browser.get("/api/quota").await?.expect(409)?.json["code"], "no_active_plan");
        let reasons = ann.reasons().await?;
        assert_eq!(reasons[..2], ["plan_started".to_owned(), "plan_changed".to_owned()]);
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscription_that_ends_holds_what_is_due_in_the_next_cycle_before_any_job_has_run() -> Outcome {
    play(async |stage| {
        let ann = Payer::new(stage, "+61412348012").await?;
        ann.told(&ann.event("evt_begin", "customer.subscription.created", 1)).await?;
        let posts = ann.approved(&[2, 40]).await?;
        let ended = Event { status: "canceled".to_owned(), ..ann.event("evt_over", "customer.subscription.deleted", 20) };
        ann.told(&ended).await?;
        assert_eq!((ann.held(&posts[0]).await?, ann.held(&posts[1]).await?), (Value::Null, json!("quota_lost")));
        let reasons = ann.reasons().await?;
        assert_eq!(reasons.last().map(String::as_str), Some("post_released"));
        ann.told(&ended).await?;
        ann.browser.advance(3_601).await?;
        assert_eq!(ann.reasons().await?, reasons, "once");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_is_followed_whatever_becomes_of_the_posts_and_the_job_holds_what_was_left() -> Outcome {
    play(async |stage| {
        let ann = Payer::new(stage, "+61412348013").await?;
        ann.told(&ann.event("evt_begin", "customer.subscription.created", 1)).await?;
        let posts = ann.approved(&[40]).await?;
        // The event's own transaction goes through, and none after it.
        let seen = AtomicUsize::new(0);
        stage.service().aws().on_call(Box::new(move |call: &CallInfo| {
            let later = call.operation == "TransactWriteItems" && seen.fetch_add(1, Ordering::Relaxed) > 0;
            later.then_some(Fault::FailBefore)
        }));
        ann.told(&Event { status: "canceled".to_owned(), ..ann.event("evt_over", "customer.subscription.deleted", 20) }).await?;
        stage.heal();
        assert_eq!(ann.held(&posts[0]).await?, Value::Null);
        ann.browser.advance(3_601).await?;
        assert_eq!(ann.held(&posts[0]).await?, json!("quota_lost"));
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_order_and_any_repetition_ends_the_same() -> Outcome {
    play(async |stage| {
        // All orders of four events, each event twice.
        for (person, order) in orders(4).into_iter().enumerate() {
            let ann = Payer::new(stage, &format!("+614123490{person:02}")).await?;
            let id = |name: &str| format!("evt_{name}_{person}");
            let events = [
                ann.event(&id("checkout"), "checkout.session.completed", 1),
                ann.event(&id("created"), "customer.subscription.created", 1),
                ann.plan_change(&id("upgrade"), [STARTER_PRICE, PROFESSIONAL_PRICE], 2),
                Event { price: PROFESSIONAL_PRICE.to_owned(), ..ann.event(&id("paid"), "invoice.paid", 3) },
            ];
            for index in order.iter().chain(&order) {
                ann.told(&events[*index]).await?;
            }
            assert_eq!(ann.browser.quota().await?, [52, 0, 0, 52], "{order:?}");
            assert_eq!(ann.plan().await?, (json!("professional"), json!(true), json!("subscription")), "{order:?}");
        }
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_plan_changes_of_one_second_end_the_same_whichever_comes_first() -> Outcome {
    play(async |stage| {
        for (person, order) in orders(2).into_iter().enumerate() {
            let ann = Payer::new(stage, &format!("+614123491{person:02}")).await?;
            ann.told(&ann.event(&format!("evt_created_{person}"), "customer.subscription.created", 1)).await?;
            let update = |name: &str, prices| ann.plan_change(&format!("evt_{name}_{person}"), prices, 2);
            let updates = [update("a", [PROFESSIONAL_PRICE, STARTER_PRICE]), update("b", [STARTER_PRICE, PROFESSIONAL_PRICE])];
            for index in order.iter().chain(&order) {
                ann.told(&updates[*index]).await?;
            }
            assert_eq!(ann.browser.quota().await?, [52, 0, 0, 52], "{order:?}");
        }
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_change_stands_whenever_an_update_of_its_second_comes_that_was_made_before_it() -> Outcome {
    play(async |stage| {
        for (person, order) in orders(2).into_iter().enumerate() {
            let ann = Payer::new(stage, &format!("+614123492{person:02}")).await?;
            ann.told(&ann.event(&format!("evt_created_{person}"), "customer.subscription.created", 1)).await?;
            // Its id sorts last, which says nothing of when it was made.
            let unrelated = ann.event(&format!("evt_z_{person}"), "customer.subscription.updated", 2);
            let updates = [ann.plan_change(&format!("evt_a_{person}"), [STARTER_PRICE, PROFESSIONAL_PRICE], 2), unrelated];
            for index in order.iter().chain(&order) {
                ann.told(&updates[*index]).await?;
            }
            assert_eq!(ann.browser.quota().await?, [52, 0, 0, 52], "{order:?}");
        }
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_of_an_old_subscription_leaves_the_new_one_alone_and_two_at_once_are_told() -> Outcome {
    play_disturbed(async |stage| {
        let mut ann = Payer::new(stage, "+61412348011").await?;
        ann.told(&ann.event("evt_old", "customer.subscription.created", 1)).await?;
        let new = Event {
            subscription: "sub_new".to_owned(),
            started: ann.began + SignedDuration::from_secs(5),
            price: PROFESSIONAL_PRICE.to_owned(),
            ..ann.event("evt_new", "customer.subscription.created", 5)
        };
        ann.told(&new).await?;
        ann.told(&Event { status: "canceled".to_owned(), ..ann.event("evt_old_end", "customer.subscription.deleted", 6) }).await?;
        assert_eq!(ann.plan().await?, (json!("professional"), json!(true), json!("subscription")));
        let told = stage.log().into_iter().filter(|line| line.contains("pays for two subscriptions")).count();
        assert_eq!(stage.log().iter().filter(|line| line.contains("\"billing_trouble\":1")).count(), told);
        assert_eq!(told, 1, "while both ran, and not after one had ended");

        // That the first one ever changed is heard when both have ended: it brings nothing back.
        ann.told(&Event { id: "evt_new_end".to_owned(), kind: "customer.subscription.deleted", status: "canceled".to_owned(), ..new })
            .await?;
        ann.told(&ann.event("evt_old_late", "customer.subscription.updated", 2)).await?;
        ann.later(31).await?;
        assert_eq!(ann.plan().await?, (json!("professional"), json!(false), json!("subscription")));
        Ok(())
    })
    .await
}

fn orders(of: usize) -> Vec<Vec<usize>> {
    if of == 0 {
        return vec![Vec::new()];
    }
    let shorter = orders(of - 1).into_iter();
    shorter.flat_map(|order| (0..=order.len()).map(move |at| [&order[..at], &[of - 1], &order[at..]].concat())).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thirty_deliveries_of_one_event_at_once_are_followed_once() -> Outcome {
    play(async |stage| {
        let ann = Payer::new(stage, "+61412348003").await?;
        let created = ann.event("evt_rush", "customer.subscription.created", 1);
        let replies = try_join_all((0..30).map(|_| ann.tell(&created))).await?;
        // Who came too close to another is told to come again, as Stripe does.
        assert!(replies.iter().all(|reply| [200, 503].contains(&reply.status.as_u16())), "{replies:?}");
        ann.told(&created).await?;
        assert_eq!(ann.browser.quota().await?, [12, 0, 0, 12]);
        assert_eq!(ann.reasons().await?, ["plan_started"]);
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_answer_of_the_table_and_a_crash_change_nothing_about_it() -> Outcome {
    play(async |stage| {
        let ann = Payer::new(stage, "+61412348004").await?;
        stage.lose_answers("dynamodb.TransactWriteItems", 2);
        ann.told(&ann.event("evt_lost", "customer.subscription.created", 1)).await?;
        assert_eq!(ann.browser.quota().await?, [12, 0, 0, 12]);
        assert_eq!(ann.reasons().await?, ["plan_started"]);
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_believed_without_a_signature_of_this_body_and_this_time() -> Outcome {
    play(async |stage| {
        let ann = Payer::new(stage, "+61412348005").await?;
        let body = ann.event("evt_forged", "customer.subscription.created", 1).body();
        let now: Timestamp = ann.browser.service_time(0).await?.parse()?;
        let later = |seconds| now + SignedDuration::from_secs(seconds);
        let good = secret().header(&body, now);
        let stranger = SigningSecret::parse("whsec_somebody_elses_secret".to_owned().into()).expect("a secret");
        let compact = serde_json::to_vec(&serde_json::from_slice::<Value>(&body)?)?;
        let rows = [
            ("none", vec![], &body),
            ("empty", vec![String::new()], &body),
            ("bad hex", vec![format!("t={},v1=zz", now.as_second())], &body),
            ("old", vec![secret().header(&body, later(-400))], &body),
            ("future", vec![secret().header(&body, later(400))], &body),
            ("only v0", vec![good.replace("v1=", "v0=")], &body),
            ("another's secret", vec![stranger.header(&body, now)], &body),
            ("re-encoded body", vec![good.clone()], &compact),
            ("two headers", vec![good.clone(), good.clone()], &body),
        ];
        for (what, signatures, body) in rows {
            let headers: Vec<_> = signatures.iter().map(|signature| ("stripe-signature", signature.as_str())).collect();
            let refused = ann.browser.deliver(WEBHOOK, &headers, body.clone()).await?.expect(400)?;
            assert_eq!(refused.json["code"], "signature_invalid", "{what}");
        }
        assert_eq!(ann.plan().await?.0, Value::Null);
        assert!(ann.reasons().await?.is_empty());
        ann.browser.deliver(WEBHOOK, &[("stripe-signature", &good)], body).await?.expect(200)?;
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_followed_changes_nothing_and_is_told_to_the_operator() -> Outcome {
    play_disturbed(async |stage| {
        let ann = Payer::new(stage, "+61412348006").await?;
        let unknown_price =
            Event { price: "price_of_another_product".to_owned(), ..ann.event("evt_price", "customer.subscription.created", 1) };
        let unknown_status = Event { status: "blooming".to_owned(), ..ann.event("evt_status", "customer.subscription.created", 1) };
        let stranger = Event { user: None, ..ann.event("evt_stranger", "customer.subscription.created", 1) };
        let unknown_type = ann.event("evt_type", "customer.tax_id.created", 1);
        for event in [&unknown_price, &unknown_status, &stranger, &unknown_type] {
            ann.told(event).await?;
        }
        assert_eq!(ann.plan().await?.0, Value::Null);
        assert!(ann.reasons().await?.is_empty());
        let errors: Vec<_> = stage.log().into_iter().filter(|line| line.contains("\"level\":\"ERROR\"")).collect();
        for (error, event_id) in errors.iter().zip(["evt_price", "evt_status"]) {
            assert!(error.contains(event_id), "which event: {error}");
        }
        assert_eq!(errors.len(), 2, "all but the type that does not concern us, and whoever may still say who they are");
        let counted = || stage.log().into_iter().filter(|line| line.contains("\"billing_trouble\":1")).count();
        assert_eq!(counted(), 2);
        // Who has said nothing for minutes, and pays on, is somebody to look for.
        ann.browser.advance(601).await?;
        ann.told(&Event { user: None, ..ann.event("evt_stranger_2", "customer.subscription.updated", 2) }).await?;
        assert_eq!(counted(), 3);
        // None of them is remembered: once the price is known, it is followed.
        ann.told(&ann.event("evt_price", "customer.subscription.created", 1)).await?;
        assert_eq!(ann.browser.quota().await?, [12, 0, 0, 12]);

        for odd in ["{\"id\": 7}", "[]", "not even JSON"] {
            let body = odd.as_bytes().to_vec();
            let now = ann.browser.service_time(0).await?.parse()?;
            ann.browser.deliver(WEBHOOK, &[("stripe-signature", &secret().header(&body, now))], body).await?.expect(200)?;
        }
        let errors = stage.log().into_iter().filter(|line| line.contains("\"level\":\"ERROR\"")).count();
        assert_eq!((errors, counted()), (6, 6), "what cannot be read is told too");
        assert_eq!(ann.browser.quota().await?, [12, 0, 0, 12]);
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_pays_for_less_than_a_certificate_gave_keeps_the_certificates_plan() -> Outcome {
    play(async |stage| {
        let ann = Payer::new(stage, "+61412348007").await?;
        ann.browser.redeem("professional").await?;
        ann.told(&ann.event("evt_less", "customer.subscription.created", 1)).await?;
        assert_eq!(ann.browser.quota().await?, [52, 0, 0, 52]);
        assert_eq!(ann.plan().await?, (json!("professional"), json!(true), json!("gift")));
        // Its end takes nothing of the certificate's.
        ann.told(&Event { status: "canceled".to_owned(), ..ann.event("evt_less_end", "customer.subscription.deleted", 9) }).await?;
        assert_eq!(ann.plan().await?, (json!("professional"), json!(true), json!("gift")));
        Ok(())
    })
    .await
}

async fn buy_plan(browser: &Browser, plan: &str) -> anyhow::Result<Reply> {
    browser.post("/api/billing/checkout", Some(&json!({ "plan": plan }))).await
}

/// A page of the provider's, and a decision on it.
async fn decide(browser: &Browser, page: &Reply, decision: &str) -> anyhow::Result<Reply> {
    let address = page.str("/url")?;
    browser.get(&address).await?.expect(200)?;
    browser.post_form(&address, &[("decision".to_owned(), decision.to_owned())]).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_is_bought_changed_and_ended_on_the_providers_pages() -> Outcome {
    play(async |stage| {
        let mut ann = Payer::new(stage, "+61412348008").await?;
        let browser = ann.browser.clone();
        let buy = |plan: &'static str| buy_plan(&browser, plan);
        assert_eq!(ann.browser.post("/api/billing/portal", None).await?.expect(409)?.json["code"], "state_conflict");

        let left = decide(&ann.browser, &buy("starter").await?.expect(200)?, "leave").await?;
        assert_eq!(left.status.as_u16(), 303);
        assert_eq!(ann.plan().await?.0, Value::Null, "whoever goes back has bought nothing");

        decide(&ann.browser, &buy("starter").await?.expect(200)?, "pay").await?.expect(303)?;
        assert_eq!(ann.browser.quota().await?, [12, 0, 0, 12]);
        assert_eq!(buy("professional").await?.expect(409)?.json["code"], "state_conflict", "nobody pays twice");

        let portal = || browser.post("/api/billing/portal", None);
        decide(&ann.browser, &portal().await?.expect(200)?, "professional").await?.expect(303)?;
        assert_eq!(ann.browser.quota().await?, [52, 0, 0, 52]);
        decide(&ann.browser, &portal().await?.expect(200)?, "fail").await?.expect(303)?;
        assert_eq!(ann.plan().await?.1, json!(true), "a payment that is tried again takes nothing");
        decide(&ann.browser, &portal().await?.expect(200)?, "end").await?.expect(303)?;
        assert_eq!(ann.plan().await?, (json!("professional"), json!(true), json!("subscription")), "what is paid is had");

        decide(&ann.browser, &buy("starter").await?.expect(200)?, "pay").await?.expect(303)?;
        assert_eq!(ann.cycle().await?.0, "professional", "who comes back is welcome, and has what they paid for before");
        ann.later(32).await?;
        assert_eq!(ann.plan().await?, (json!("starter"), json!(true), json!("subscription")));
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_for_sale_or_is_held_already_is_not_sold() -> Outcome {
    play(async |stage| {
        let ann = Payer::new(stage, "+61412348009").await?;
        let buy = |plan: &'static str| buy_plan(&ann.browser, plan);
        assert_eq!(buy("galactic").await?.expect(422)?.json["code"], "validation_failed");
        ann.browser.redeem("starter").await?;
        assert_eq!(buy("starter").await?.expect(409)?.json["code"], "state_conflict");
        decide(&ann.browser, &buy("professional").await?.expect(200)?, "pay").await?.expect(303)?;
        assert_eq!(ann.browser.quota().await?, [52, 0, 0, 52]);
        Ok(())
    })
    .await
}

/// The subscription that began on the last day of a month with 31 days, or today: its months are the calendar's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_cycles_of_a_subscription_are_its_paid_months_and_one_that_is_not_paid_holds_what_was_promised() -> Outcome {
    play(async |stage| {
        let mut ann = Payer::new(stage, "+61412348014").await?;
        ann.told(&ann.event("evt_begin", "customer.subscription.created", 1)).await?;
        let first = ann.event("evt_month", "customer.subscription.updated", 1).month();
        let (_, _, [_, end]) = ann.cycle().await?;
        assert_eq!(end.as_second(), first.end.as_second(), "the provider's month, and not 30 days");
        let days = first.end.duration_since(first.start).as_hours() / 24;
        let posts = ann.approved(&[days + 5]).await?;
        // The month is over, and a day later the payment fails.
        let renewed = (first.end + SignedDuration::from_hours(24)).duration_since(ann.began).as_secs();
        ann.later(days).await?;
        ann.told(&ann.event("evt_renewed", "customer.subscription.updated", renewed)).await?;
        assert_eq!((ann.cycle().await?.1, ann.held(&posts[0]).await?), (json!(11), Value::Null), "it is about to be paid");
        ann.told(&ann.event("evt_unpaid", "invoice.payment_failed", renewed + 1)).await?;
        assert_eq!(ann.browser.get("/api/quota").await?.expect(409)?.json["code"], "no_active_plan", "no place that nobody paid for");
        assert_eq!(ann.held(&posts[0]).await?, json!("quota_lost"));
        ann.told(&ann.event("evt_paid_late", "invoice.paid", renewed + 2)).await?;
        ann.browser.advance(61).await?;
        ann.browser.wait_for(&posts[0], "scheduled", journeys::SOON).await?;
        assert_eq!(ann.cycle().await?.1, json!(11));
        // Given up, it is had to its end, and nothing after it.
        ann.told(&Event { status: "canceled".to_owned(), ..ann.event("evt_end", "customer.subscription.deleted", renewed + 3) }).await?;
        assert_eq!(ann.cycle().await?.1, json!(11));
        ann.later(32).await?;
        assert_eq!(ann.browser.get("/api/quota").await?.expect(409)?.json["code"], "no_active_plan");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_month_of_whose_payment_nobody_hears_ends_after_three_days() -> Outcome {
    play(async |stage| {
        let mut ann = Payer::new(stage, "+61412348015").await?;
        ann.told(&ann.event("evt_begin", "customer.subscription.created", 1)).await?;
        let month = ann.event("evt_month", "customer.subscription.updated", 1).month();
        let days = month.end.duration_since(month.start).as_hours() / 24;
        let posts = ann.approved(&[days + 2, days + 5]).await?;
        ann.later(days + 2).await?;
        ann.browser.advance(61).await?;
        ann.browser.wait_for(&posts[0], "published", journeys::SOON).await?;
        ann.browser.advance(86_400 + 2 * 3_601).await?;
        ann.browser.wait_for(&posts[1], "held", journeys::SOON).await?;
        assert_eq!(ann.browser.get("/api/quota").await?.expect(409)?.json["code"], "no_active_plan");
        ann.told(&ann.event("evt_heard", "customer.subscription.updated", (days + 3) * 86_400 + 8_000)).await?;
        ann.browser.advance(61).await?;
        ann.browser.wait_for(&posts[1], "scheduled", journeys::SOON).await?;
        assert_eq!(ann.browser.quota().await?, [12, 1, 1, 10]);
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lower_plan_is_had_from_the_next_month_on_and_a_certificate_waits_for_what_is_bought_over_it() -> Outcome {
    play(async |stage| {
        let mut ann = Payer::new(stage, "+61412348016").await?;
        ann.browser.redeem("starter").await?;
        decide(&ann.browser, &buy_plan(&ann.browser, "professional").await?.expect(200)?, "pay").await?.expect(303)?;
        let portal = async |browser: &Browser, decision: &'static str| {
            decide(browser, &browser.post("/api/billing/portal", None).await?.expect(200)?, decision).await?.expect(303)
        };
        let certificates =
            async |browser: &Browser| Ok::<_, anyhow::Error>(browser.get("/api/user").await?.expect(200)?.json["certificates"].clone());
        assert_eq!(certificates(&ann.browser).await?, json!([{ "plan": "starter", "cycles": 12 }]), "none of its cycles is lost");
        portal(&ann.browser, "starter").await?;
        assert_eq!(ann.cycle().await?.0, "professional", "what is paid is had");
        portal(&ann.browser, "professional").await?;
        assert_eq!(ann.browser.quota().await?, [52, 0, 0, 52], "to and fro gives nothing away");
        portal(&ann.browser, "starter").await?;
        ann.later(32).await?;
        assert_eq!(ann.browser.quota().await?, [12, 0, 0, 12], "renewed, and lower");
        assert_eq!(ann.plan().await?.2, "subscription");
        portal(&ann.browser, "end").await?;
        ann.later(32).await?;
        assert_eq!(ann.plan().await?, (json!("starter"), json!(true), json!("gift")));
        assert_eq!(certificates(&ann.browser).await?, json!([{ "plan": "starter", "cycles": 12 }]));
        Ok(())
    })
    .await
}

/// A payment link names our user at the checkout alone: its subscription does not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_bought_by_a_payment_link_is_had_in_whichever_order_its_events_come() -> Outcome {
    play(async |stage| {
        for (person, order) in orders(3).into_iter().enumerate() {
            let ann = Payer::new(stage, &format!("+614123493{person:02}")).await?;
            let id = |name: &str| format!("evt_{name}_{person}");
            let unnamed = |event: Event| Event { user: None, ..event };
            let events = [
                ann.event(&id("checkout"), "checkout.session.completed", 1),
                unnamed(ann.event(&id("created"), "customer.subscription.created", 1)),
                unnamed(ann.event(&id("paid"), "invoice.paid", 2)),
            ];
            for index in order.iter().chain(&order) {
                ann.told(&events[*index]).await?;
            }
            assert_eq!(ann.browser.quota().await?, [12, 0, 0, 12], "{order:?}");
        }
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_page_to_pay_on_is_open_at_a_time_and_none_once_somebody_has_paid() -> Outcome {
    play_disturbed(async |stage| {
        let ann = Payer::new(stage, "+61412348017").await?;
        let page = async |plan: &'static str| buy_plan(&ann.browser, plan).await?.expect(200)?.str("/url");
        let is_open = async |url: &str| Ok::<_, anyhow::Error>(ann.browser.get(url).await?.text.contains("Pay for"));
        let first = page("starter").await?;
        assert_eq!(page("starter").await?, first, "the same page again");
        let second = page("professional").await?;
        assert!(!is_open(&first).await? && is_open(&second).await?, "two pages could both be paid");
        // Several requests at once leave one page open.
        let urls = try_join_all((0..6).map(|n| page(if n % 2 == 0 { "starter" } else { "professional" }))).await?;
        let mut open = 0;
        for url in std::collections::BTreeSet::from_iter(&urls) {
            open += usize::from(is_open(url).await?);
        }
        assert_eq!(open, 1, "{urls:?}");

        // They pay by a payment link meanwhile: the page is closed.
        ann.told(&ann.event("evt_link", "customer.subscription.created", 1)).await?;
        for url in &urls {
            assert!(!is_open(url).await?);
        }
        assert_eq!(buy_plan(&ann.browser, "professional").await?.expect(409)?.json["code"], "state_conflict");

        // A second subscription that comes all the same is told to whoever pays for it, too.
        let other = Event { subscription: "sub_other".to_owned(), ..ann.event("evt_other", "customer.subscription.created", 5) };
        let notices = async || Ok::<_, anyhow::Error>(ann.browser.get("/api/user/status").await?.expect(200)?.json["notices"].clone());
        assert_eq!(notices().await?, json!([]));
        ann.told(&other).await?;
        assert_eq!(notices().await?[0]["code"], "paid_twice");
        assert!(stage.log().iter().any(|line| line.contains("\"billing_trouble\":1")));
        ann.told(&Event { id: "evt_end".to_owned(), kind: "customer.subscription.deleted", status: "canceled".to_owned(), ..other })
            .await?;
        assert_eq!(notices().await?, json!([]));
        Ok(())
    })
    .await
}
