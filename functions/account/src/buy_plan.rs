//! `POST /api/billing/checkout` and `/portal`: where somebody pays for a plan, and where they change or end what they pay for.
//!
//! Nothing is bought here: the plan runs once the provider's webhook says so.

use axum::extract::State;
use domain::billing::OpenCheckout;
use domain::id::{HistoryId, UserId};
use domain::people::limit::{Limit, Subject};
use domain::plan::{Plan, Source};
use domain::user::User;
use edge::json::{Empty, Json};
use edge::problem::{FieldCode, FieldError, Problem, ProblemCode};
use edge::session::SignedIn;
use jiff::{SignedDuration, Timestamp};
use platforms::{Checkout, PaymentsError};
use serde::{Deserialize, Serialize};
use store::{PlanStored, Rounds};
use url::Url;
use utoipa::ToSchema;

use crate::{Deps, read_account, trouble};

/// Pages of the payment provider that one account asks for: more than somebody needs who changes their mind now and then.
const PAGES_BY_USER: Limit = Limit { name: "billing-pages", max: 20, span: SignedDuration::from_hours(1) };

/// How often a page is closed already before it counts as paid.
const REFUSED_MAX: usize = 4;
/// A page that closes sooner is left alone, and another is opened.
const STILL_OPEN_FOR: SignedDuration = SignedDuration::from_mins(2);

/// What to buy.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = BuyPlan)]
#[serde(deny_unknown_fields)]
pub(crate) struct Request {
    /// Which plan.
    plan: Plan,
}

/// Where to go.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BillingPage)]
pub(crate) struct PageJson {
    /// A page of the payment provider, for this person alone and for a while.
    #[schema(value_type = String, format = "uri")]
    url: Url,
}

/// A page on which a plan is paid for.
///
/// One page is open at a time, so that nobody pays twice. The provider sends the browser back to the frontend; the plan runs as soon as the
/// payment came.
#[utoipa::path(post, path = "/api/billing/checkout", operation_id = "checkout", tag = "billing", request_body = Request,
    security(("session" = [], "csrf" = [])),
    responses(
        (status = 200, description = "Send the browser there.", body = PageJson),
        (status = 409, description = "state_conflict"),
        (status = 429, description = "too_many_requests"),
        (status = 422, description = "validation_failed"),
        (status = 503, description = "unavailable"),
    ))]
pub(crate) async fn checkout(
    State(deps): State<Deps>,
    signed_in: SignedIn,
    Json(request): Json<Request>,
) -> Result<Json<PageJson>, Problem> {
    let price = deps.prices.price_of(request.plan).ok_or_else(not_for_sale)?;
    let keys = deps.vault.billing_keys(deps.clock.now()).await.map_err(|error| Problem::unavailable_because(&error))?;
    let mut rounds = Rounds::new("opening a page to pay on", signed_in.session.user_id.as_str());
    let mut refused = 0;
    loop {
        rounds.next().await.map_err(trouble::store)?;
        let (user, _) = read_account::account(&deps, &signed_in.session.user_id).await?;
        let now = deps.clock.now();
        may_buy(&user, request.plan, now)?;
        if let Some(open) = user.checkout.as_ref().filter(|open| open.expires_at > now + STILL_OPEN_FOR) {
            if open.plan == request.plan
                && let Ok(url) = Url::parse(&open.url)
            {
                return Ok(Json(PageJson { url }));
            }
            // Two pages could both be paid.
            if !deps.payments.expire(&keys.api_key, &open.session_id).await.map_err(payments_trouble)? {
                // Another request of theirs may be putting another page in its place.
                refused += 1;
                if refused < REFUSED_MAX {
                    continue;
                }
                return Err(
                    conflict("You have just paid for a plan. It runs within a minute; change it in the billing portal.").that_passes()
                );
            }
        }
        let customer_id = user.paid.foremost().map(|paid| paid.customer_id.as_str());
        let checkout = Checkout { price, user_id: user.id.as_str(), customer_id, return_url: &deps.frontend_url };
        count(&deps, &user.id).await?;
        let page = deps.payments.checkout(&keys.api_key, &checkout).await.map_err(payments_trouble)?;
        let open = OpenCheckout {
            session_id: page.session_id.clone(),
            plan: request.plan,
            url: page.url.to_string(),
            expires_at: page.expires_at,
        };
        let user = User { checkout: Some(open), rev: user.rev + 1, ..user };
        let writer = HistoryId::new(now, deps.random.bytes()).to_string();
        if deps.store.change_plan(&user, &[], &writer).await.map_err(trouble::store)? == PlanStored::Done {
            return Ok(Json(PageJson { url: page.url }));
        }
        // Another request was faster: one page stays open.
        if let Err(error) = deps.payments.expire(&keys.api_key, &page.session_id).await {
            tracing::warn!(error = %error, user_id = %user.id, "a second page to pay on stays open");
        }
    }
}

/// A page on which a subscription is changed.
///
/// There it is changed or ended, and bills are seen. Who has bought nothing has none.
#[utoipa::path(post, path = "/api/billing/portal", operation_id = "billing_portal", tag = "billing",
    security(("session" = [], "csrf" = [])),
    responses(
        (status = 200, description = "Send the browser there.", body = PageJson),
        (status = 409, description = "state_conflict"),
        (status = 429, description = "too_many_requests"),
        (status = 503, description = "unavailable"),
    ))]
pub(crate) async fn portal(State(deps): State<Deps>, signed_in: SignedIn, _: Empty) -> Result<Json<PageJson>, Problem> {
    let (user, _) = read_account::account(&deps, &signed_in.session.user_id).await?;
    let Some(paid) = user.paid.foremost() else { return Err(conflict("Nothing was bought with this account yet. Buy a plan first.")) };
    let keys = deps.vault.billing_keys(deps.clock.now()).await.map_err(|error| Problem::unavailable_because(&error))?;
    count(&deps, &user.id).await?;
    let url = deps.payments.portal(&keys.api_key, &paid.customer_id, &deps.frontend_url).await.map_err(payments_trouble)?;
    Ok(Json(PageJson { url }))
}

/// Or 429: each page is a call in our name, and stays open at the provider.
async fn count(deps: &Deps, user_id: &UserId) -> Result<(), Problem> {
    let now = deps.clock.now();
    let bucket = PAGES_BY_USER.bucket(Subject::User(user_id), now);
    if deps.store.count(&bucket).await.map_err(trouble::store)? {
        return Ok(());
    }
    tracing::warn!(%user_id, limit = PAGES_BY_USER.name, max = PAGES_BY_USER.max, "a limit was reached");
    Err(Problem::too_many_requests(bucket.ends_at.duration_since(now)))
}

/// Nobody pays twice, or for less than they have.
fn may_buy(user: &User, plan: Plan, now: Timestamp) -> Result<(), Problem> {
    if user.paid.giving().is_some() {
        return Err(conflict("A subscription is running. Change its plan in the billing portal."));
    }
    let running = user.timeline(now).at(now).filter(|slot| slot.source == Source::Subscription);
    let goes_on = |end| user.timeline(now).at(end).is_some_and(|next| next.source == Source::Subscription);
    if running.is_some_and(|slot| goes_on(slot.span.end)) {
        return Err(conflict("Months that you have paid for are still to come. Buy again in the last of them.").that_passes());
    }
    let given = user.timeline(now).at(now).filter(|running| running.source == Source::Gift);
    match given {
        Some(running) if running.plan >= plan => {
            Err(conflict("Your certificate's plan holds as many posts, and runs on. Choose a larger one."))
        }
        _ => Ok(()),
    }
}

fn conflict(detail: &'static str) -> Problem {
    Problem::new(ProblemCode::StateConflict).with_detail(detail)
}

fn not_for_sale() -> Problem {
    Problem::validation(vec![FieldError::new("/plan", FieldCode::NotForSale, "This plan is not for sale. Choose another one.")])
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err takes")]
fn payments_trouble(error: PaymentsError) -> Problem {
    if matches!(error, PaymentsError::Refused { .. }) {
        // A wrong key or price: only an operator can mend it.
        tracing::error!(error = %error, "the payment provider takes no orders from us");
    }
    Problem::unavailable_because(&error)
}
