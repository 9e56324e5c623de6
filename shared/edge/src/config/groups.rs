//! Variables that are read together.

use domain::people::phone::Countries;
use domain::plan::Plan;
use domain::platform::PlatformName;
use url::Url;

use super::variables as name;
use super::{Fault, Variables, check};

/// Where people and browsers reach us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Web {
    /// The service.
    pub public_url: Url,
    /// The frontend.
    pub frontend_url: Url,
    /// Whose pages may call, as browsers write an origin.
    pub allowed_origins: Vec<String>,
}

impl Web {
    /// Reads it. Without a list, the frontend's own origin is the one that is allowed.
    pub fn read(variables: &mut Variables<'_>) -> Self {
        let public_url = variables.url(name::PUBLIC_URL);
        let frontend_url = variables.url(name::FRONTEND_URL);
        let origins =
            variables.optional(name::ALLOWED_ORIGINS, "origins separated by commas, such as https://app.example.com", check::origins);
        let allowed_origins = origins.unwrap_or_else(|| vec![frontend_url.origin().ascii_serialization()]);
        Self { public_url, frontend_url, allowed_origins }
    }

    /// Where `platform` sends browsers back: registered there letter for letter, so start and callback build it here.
    pub fn callback_url(&self, platform: PlatformName) -> Url {
        self.oauth_url(platform, "callback")
    }

    /// Where a platform reads who our app is, if it knows apps by such a document: our app's id there.
    pub fn client_document_url(&self, platform: PlatformName) -> Url {
        self.oauth_url(platform, "client-metadata.json")
    }

    fn oauth_url(&self, platform: PlatformName, page: &str) -> Url {
        let mut url = self.public_url.clone();
        let mut segments = url.path_segments_mut().expect("an http address has a path");
        segments.pop_if_empty().extend(["oauth", platform.as_str(), page]);
        drop(segments);
        url
    }
}

/// How plans are sold.
#[derive(Debug, Clone)]
pub struct Billing {
    /// The payment provider's API.
    pub api_url: Url,
    /// What plans are sold for.
    pub prices: Prices,
}

impl Billing {
    /// Reads it.
    pub fn read(variables: &mut Variables<'_>) -> Self {
        Self { api_url: variables.url_or(name::STRIPE_API_URL, "https://api.stripe.com"), prices: Prices::read(variables) }
    }
}

/// What plans are sold for: the payment provider's prices. Nothing is sold without any.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Prices(Vec<(Plan, String)>);

impl Prices {
    /// Reads it.
    pub fn read(variables: &mut Variables<'_>) -> Self {
        let expected = "plans and prices such as starter=price_1abc,professional=price_2def, each price once";
        Self(variables.optional(name::STRIPE_PRICES, expected, check::prices).unwrap_or_default())
    }

    /// The plan that a price buys.
    pub fn plan_of(&self, price: &str) -> Option<Plan> {
        self.0.iter().find(|(_, known)| known == price).map(|(plan, _)| *plan)
    }

    /// What a plan is sold for now: the first price that is named for it. Further ones are those of earlier customers.
    pub fn price_of(&self, plan: Plan) -> Option<&str> {
        self.0.iter().find(|(known, _)| *known == plan).map(|(_, price)| price.as_str())
    }
}

/// Where phone codes are sent, and how many: what an operator pays for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PhoneCodes {
    /// Whose phones get them.
    pub countries: Countries,
    /// How many one network address may ask for in an hour.
    pub per_address_max: u32,
    /// How many go out in a day, all together.
    pub per_day_max: u32,
}

impl PhoneCodes {
    /// Reads it. An office or a village may be behind one address, and a day's worth of texts costs as much as its operator can bear.
    pub fn read(variables: &mut Variables<'_>) -> Self {
        Self {
            countries: countries(variables),
            per_address_max: variables.count_or(name::CODES_PER_ADDRESS_MAX, 30),
            per_day_max: variables.count_or(name::CODES_PER_DAY_MAX, 1000),
        }
    }
}

fn countries(variables: &mut Variables<'_>) -> Countries {
    let by_default = || Countries::parse(Countries::DEFAULT).expect("the default is a list of countries");
    let Some(list) = variables.source.get(name::CODE_COUNTRIES).filter(|list| !list.is_empty()) else { return by_default() };
    Countries::parse(&list).unwrap_or_else(|wrong| {
        let variable = name::CODE_COUNTRIES;
        let faults = wrong.into_iter().map(|wrong| Fault::Entry { variable, entry: wrong.entry, expected: wrong.expected.to_owned() });
        variables.faults.extend(faults);
        by_default()
    })
}

/// The queue of wake-ups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queue {
    /// For SQS.
    pub url: Url,
    /// For the scheduler.
    pub arn: String,
}

impl Queue {
    /// Reads it.
    pub fn read(variables: &mut Variables<'_>) -> Self {
        Self { url: variables.url(name::PUBLISH_QUEUE_URL), arn: variables.arn(name::PUBLISH_QUEUE_ARN) }
    }
}

/// What a schedule of ours is made with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedules {
    /// Their group.
    pub group: String,
    /// The role that may send to the queue.
    pub role_arn: String,
    /// Where undeliverable wake-ups go.
    pub dead_letter_arn: String,
}

impl Schedules {
    /// Reads it.
    pub fn read(variables: &mut Variables<'_>) -> Self {
        Self {
            group: variables.text(name::SCHEDULE_GROUP),
            role_arn: variables.arn(name::SCHEDULE_ROLE_ARN),
            dead_letter_arn: variables.arn(name::SCHEDULE_DLQ_ARN),
        }
    }
}
