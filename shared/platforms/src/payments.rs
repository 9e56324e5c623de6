//! The payment provider: the two calls by which somebody gets to pay. What comes of it we are told by its webhooks.
//!
//! Sources: <https://docs.stripe.com/api/checkout/sessions/create>, <https://docs.stripe.com/api/customer_portal/sessions/create>.

use http::Method;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use url::Url;

use crate::address;
use crate::detail;
use crate::directory::PlatformsError;
use crate::http::{Answer, CALL_TIMEOUT, Http};

/// The shapes that this code was written for; the provider keeps answering in them.
const API_VERSION: &str = "2025-09-30.clover";

/// Why there is no page to send the person to. Nothing was paid.
#[derive(Debug, thiserror::Error)]
pub enum PaymentsError {
    /// No answer, or one that says "later".
    #[error("the payment provider did not answer: {detail}")]
    Unavailable {
        /// For operators.
        detail: String,
    },
    /// The provider refuses: a wrong key or price, or a customer that it does not know.
    #[error("the payment provider refused: {detail}")]
    Refused {
        /// For operators.
        detail: String,
    },
}

/// What somebody wants to buy.
#[derive(Debug)]
pub struct Checkout<'a> {
    /// What is sold.
    pub price: &'a str,
    /// Our user: comes back with every event of the subscription.
    pub user_id: &'a str,
    /// The provider's customer, if they have bought before.
    pub customer_id: Option<&'a str>,
    /// Where the browser goes afterwards, paid or not.
    pub return_url: &'a Url,
}

/// The provider's API. Clones share its client.
#[derive(Debug, Clone)]
pub struct Payments {
    api_url: Url,
    http: Http,
}

#[derive(Deserialize)]
struct Page {
    url: Url,
}

#[derive(Deserialize)]
struct Refusal {
    error: RefusalBody,
}

#[derive(Deserialize)]
struct RefusalBody {
    #[serde(rename = "type")]
    kind: Option<String>,
    code: Option<String>,
    param: Option<String>,
}

impl Payments {
    /// Builds the client; no call is made.
    pub fn new(api_url: Url) -> Result<Self, PlatformsError> {
        if !address::is_safe(&api_url) {
            return Err(PlatformsError::UnsafeAddress { name: "stripe_api_url".to_owned() });
        }
        let http = Http::new(api_url.scheme() == "https").map_err(PlatformsError::Client)?;
        Ok(Self { api_url, http })
    }

    /// The page on which somebody pays for a subscription.
    pub async fn checkout(&self, api_key: &SecretString, checkout: &Checkout<'_>) -> Result<Url, PaymentsError> {
        let back = checkout.return_url.as_str();
        let mut fields = vec![
            ("mode", "subscription"),
            ("line_items[0][price]", checkout.price),
            ("line_items[0][quantity]", "1"),
            ("client_reference_id", checkout.user_id),
            ("subscription_data[metadata][user_id]", checkout.user_id),
            ("success_url", back),
            ("cancel_url", back),
        ];
        fields.extend(checkout.customer_id.map(|customer| ("customer", customer)));
        self.page(api_key, &["v1", "checkout", "sessions"], &fields).await
    }

    /// The page on which a customer changes or ends what they pay for.
    pub async fn portal(&self, api_key: &SecretString, customer_id: &str, return_url: &Url) -> Result<Url, PaymentsError> {
        let fields = [("customer", customer_id), ("return_url", return_url.as_str())];
        self.page(api_key, &["v1", "billing_portal", "sessions"], &fields).await
    }

    /// Not repeated: a page that nobody visits does no harm.
    async fn page(&self, api_key: &SecretString, path: &[&str], fields: &[(&str, &str)]) -> Result<Url, PaymentsError> {
        let request = self
            .http
            .request(Method::POST, address::join(&self.api_url, path))
            .bearer_auth(api_key.expose_secret())
            .header("stripe-version", API_VERSION)
            .form(fields);
        let sent = self.http.send(request, CALL_TIMEOUT).await;
        judged(&sent.map_err(|error| PaymentsError::Unavailable { detail: error.into_detail() })?)
    }
}

fn judged(answer: &Answer) -> Result<Url, PaymentsError> {
    let status = answer.status.as_u16();
    let refusal = answer.json::<Refusal>().map(|refusal| refusal.error);
    let part = |of: fn(&RefusalBody) -> &Option<String>| refusal.as_ref().and_then(|body| of(body).as_deref());
    let detail = detail::of_answer(status, &[part(|body| &body.kind), part(|body| &body.code), part(|body| &body.param)]);
    match status {
        // The browser is sent there: nothing but the provider's own https pages, or this machine.
        200 | 201 => match answer.json::<Page>() {
            Some(page) if address::is_safe(&page.url) => Ok(page.url),
            _ => Err(PaymentsError::Refused { detail: format!("{detail} without a page") }),
        },
        409 | 429 | 500.. => Err(PaymentsError::Unavailable { detail }),
        _ => Err(PaymentsError::Refused { detail }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_leads_to_a_page_or_says_why_not() {
        let judged = |status, body: &str| judged(&Answer::recorded(status, &[], body));
        let page = r#"{"id": "cs_1", "url": "https://checkout.stripe.com/c/pay/cs_1"}"#;
        assert_eq!(judged(200, page).unwrap().host_str(), Some("checkout.stripe.com"));
        for (status, body) in [(500, "x"), (503, ""), (429, "{}"), (409, page)] {
            assert!(matches!(judged(status, body), Err(PaymentsError::Unavailable { .. })), "{status}");
        }
        for (status, body) in [(200, "{}"), (200, r#"{"url": "http://pay.example.com"}"#), (302, page), (401, "{}"), (402, "{}")] {
            assert!(matches!(judged(status, body), Err(PaymentsError::Refused { .. })), "{status} {body}");
        }
        let body = r#"{"error": {"type": "invalid_request_error", "code": "resource_missing", "param": "customer", "message": "No such customer: cus_1"}}"#;
        let Err(PaymentsError::Refused { detail }) = judged(400, body) else { panic!("refused") };
        assert_eq!(detail, "400 invalid_request_error resource_missing customer", "never the message: it repeats what was sent");
    }

    #[test]
    fn the_key_does_not_travel_in_the_open() {
        assert!(Payments::new(Url::parse("http://api.stripe.com").unwrap()).is_err());
        assert!(Payments::new(Url::parse("https://api.stripe.com").unwrap()).is_ok());
    }
}
