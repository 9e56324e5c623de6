//! The payment provider: the calls by which somebody gets to pay. What comes of it we are told by its webhooks.
//!
//! Sources: <https://docs.stripe.com/api/checkout/sessions/create>, <https://docs.stripe.com/api/checkout/sessions/expire>, <https://docs.stripe.com/api/customer_portal/sessions/create>.

use http::Method;
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;
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

/// A page on which a subscription is paid for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckoutPage {
    /// The session's id at the provider.
    pub session_id: String,
    /// Where to send the browser.
    pub url: Url,
    /// When the provider closes it.
    pub expires_at: Timestamp,
}

#[derive(Deserialize)]
struct Page {
    url: Url,
}

#[derive(Deserialize)]
struct Session {
    id: String,
    url: Url,
    expires_at: i64,
}

#[derive(Deserialize)]
struct Expired {
    status: String,
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
    pub async fn checkout(&self, api_key: &SecretString, checkout: &Checkout<'_>) -> Result<CheckoutPage, PaymentsError> {
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
        let answer = self.sent(api_key, &["v1", "checkout", "sessions"], &fields).await?;
        judged(&answer, |session: Session| {
            let expires_at = Timestamp::from_second(session.expires_at).ok()?;
            address::is_safe(&session.url).then_some(CheckoutPage { session_id: session.id, url: session.url, expires_at })
        })
    }

    /// Closes a page on which nobody has paid. `false`: it is closed already, or paid.
    pub async fn expire(&self, api_key: &SecretString, session_id: &str) -> Result<bool, PaymentsError> {
        let answer = self.sent(api_key, &["v1", "checkout", "sessions", session_id, "expire"], &[]).await?;
        if answer.status.as_u16() == 400 {
            return Ok(false);
        }
        judged(&answer, |session: Expired| Some(session.status == "expired"))
    }

    /// The page on which a customer changes or ends what they pay for.
    pub async fn portal(&self, api_key: &SecretString, customer_id: &str, return_url: &Url) -> Result<Url, PaymentsError> {
        let fields = [("customer", customer_id), ("return_url", return_url.as_str())];
        // The browser is sent there: nothing but the provider's own https pages, or this machine.
        judged(&self.sent(api_key, &["v1", "billing_portal", "sessions"], &fields).await?, |page: Page| {
            address::is_safe(&page.url).then_some(page.url)
        })
    }

    /// Not repeated: a page that nobody visits does no harm.
    async fn sent(&self, api_key: &SecretString, path: &[&str], fields: &[(&str, &str)]) -> Result<Answer, PaymentsError> {
        let request = self
            .http
            .request(Method::POST, address::join(&self.api_url, path))
            .bearer_auth(api_key.expose_secret())
            .header("stripe-version", API_VERSION)
            .form(fields);
        let sent = self.http.send(request, CALL_TIMEOUT).await;
        sent.map_err(|error| PaymentsError::Unavailable { detail: error.into_detail() })
    }
}

fn judged<T: DeserializeOwned, U>(answer: &Answer, read: impl FnOnce(T) -> Option<U>) -> Result<U, PaymentsError> {
    let status = answer.status.as_u16();
    let refusal = answer.json::<Refusal>().map(|refusal| refusal.error);
    let part = |of: fn(&RefusalBody) -> &Option<String>| refusal.as_ref().and_then(|body| of(body).as_deref());
    let detail = detail::of_answer(status, &[part(|body| &body.kind), part(|body| &body.code), part(|body| &body.param)]);
    match status {
        200 | 201 => {
            let odd = || PaymentsError::Refused { detail: format!("{detail} with another body than is documented") };
            answer.json::<T>().and_then(read).ok_or_else(odd)
        }
        409 | 429 | 500.. => Err(PaymentsError::Unavailable { detail }),
        _ => Err(PaymentsError::Refused { detail }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_leads_to_a_page_or_says_why_not() {
        let judged =
            |status, body: &str| judged(&Answer::recorded(status, &[], body), |page: Page| address::is_safe(&page.url).then_some(page.url));
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
