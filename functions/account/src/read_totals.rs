//! `/api/analytics/totals`: what the posts of a period come to, platform by platform.

use axum::extract::State;
use domain::analytics::{Numbers, Watch};
use domain::platform::PlatformName;
use edge::contract::{ListJson, Time, check_period};
use edge::json::{Json, Query};
use edge::problem::{FieldCode, FieldError, Problem};
use edge::session::SignedIn;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{Deps, trouble};

/// The period that is told where none is asked for, up to now.
const PERIOD: SignedDuration = SignedDuration::from_hours(30 * 24);
/// The longest.
const PERIOD_MAX: SignedDuration = SignedDuration::from_hours(366 * 24);
/// Posts that are added up in one answer.
const POSTS_MAX: usize = 5_000;

/// Which period.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Period {
    /// Published then or later; 30 days before `to` if absent, 366 at most.
    from: Option<Timestamp>,
    /// Published before then; now if absent.
    to: Option<Timestamp>,
}

/// What the posts of one platform come to. What none of them tells is `null`.
#[derive(Serialize, ToSchema)]
#[schema(as = PlatformTotals)]
pub(crate) struct TotalsJson {
    /// Which platform.
    platform: PlatformName,
    /// How many were published under an id that is known; one that its owner found there by looking is in its cycle's sum alone.
    posts: usize,
    /// Of how many the platform has told something.
    posts_told: usize,
    /// How often they were shown.
    impressions: Option<u64>,
    /// The sum of the posts' reaches: somebody who saw two is in it twice.
    reach: Option<u64>,
    /// The sum of the posts' engagements.
    engagement: Option<u64>,
    /// Likes and other reactions.
    likes: Option<u64>,
    /// Comments and replies.
    comments: Option<u64>,
    /// Shares, reposts and quotes.
    shares: Option<u64>,
    /// Clicks on them.
    clicks: Option<u64>,
    /// When the platform last told something of one of them; `null`: it has not.
    captured_at: Option<Time>,
    /// When it is asked next for one of them; `null`: not any more.
    next_sync_at: Option<Time>,
}

impl TotalsJson {
    /// `None`: no post of the period is on the platform.
    fn of(platform: PlatformName, watches: &[Watch]) -> Option<Self> {
        let watches: Vec<_> = watches.iter().filter(|watch| watch.platform == platform).collect();
        let told = watches.iter().filter(|watch| watch.observed_at.is_some());
        let sums = told.clone().map(|watch| watch.numbers).reduce(Numbers::plus).unwrap_or_default();
        (!watches.is_empty()).then(|| Self {
            platform,
            posts: watches.len(),
            posts_told: told.clone().count(),
            impressions: sums.impressions,
            reach: sums.reach,
            engagement: sums.engagement(),
            likes: sums.likes,
            comments: sums.comments,
            shares: sums.shares,
            clicks: sums.clicks,
            captured_at: told.filter_map(|watch| watch.observed_at).max().map(Time::from),
            next_sync_at: watches.iter().filter_map(|watch| watch.next_sync_at).min().map(Time::from),
        })
    }
}

impl Period {
    /// From when, until when.
    fn bounds(&self, now: Timestamp) -> Result<(Timestamp, Timestamp), Problem> {
        let refused = |pointer, code, detail| Problem::query(FieldError::new(pointer, code, detail));
        let to = self.to.unwrap_or(now);
        let from = match self.from {
            Some(from) => from,
            None => {
                to.checked_sub(PERIOD).map_err(|_| refused("/to", FieldCode::OutOfRange, "`to` lies before all time. Give a later one."))?
            }
        };
        check_period(Some(from), Some(to))?;
        if to.duration_since(from) > PERIOD_MAX {
            return Err(refused(
                "/from",
                FieldCode::PeriodTooLong,
                "A period has 366 days at most. Give a later `from`, or an earlier `to`.",
            ));
        }
        Ok((from, to))
    }
}

/// What the posts of a period come to.
///
/// The posts that were published in the period, platform by platform. A period that ends before it begins, is longer than 366 days or
/// holds more than 5,000 posts is refused.
#[utoipa::path(get, path = "/api/analytics/totals", operation_id = "analytics_totals", tag = "account", params(Period),
    security(("session" = [])),
    responses(
        (status = 200, description = "One item for each platform that has posts of the period.", body = ListJson<TotalsJson>),
    ))]
pub(crate) async fn list(
    State(deps): State<Deps>,
    signed_in: SignedIn,
    Query(period): Query<Period>,
) -> Result<Json<ListJson<TotalsJson>>, Problem> {
    let (from, to) = period.bounds(deps.clock.now())?;
    let watches = deps.store.watches(&signed_in.session.user_id, from, to, POSTS_MAX).await.map_err(trouble::store)?;
    let watches = watches.ok_or_else(|| {
        let detail = "The period holds more than 5,000 posts. Give a later `from`, or an earlier `to`.";
        Problem::query(FieldError::new("/from", FieldCode::PeriodTooLong, detail))
    })?;
    let watches: Vec<_> = watches.into_iter().map(|watch| deps.paces.told(watch)).collect();
    Ok(Json(ListJson::whole(PlatformName::ALL.into_iter().filter_map(|platform| TotalsJson::of(platform, &watches)).collect())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_has_a_beginning_an_end_and_a_length() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let (now, day) = (at("2026-11-25T00:00:00Z"), at("2026-11-01T00:00:00Z"));
        let bounds = |from, to| Period { from, to }.bounds(now).ok();
        assert_eq!(bounds(None, None), Some((at("2026-10-26T00:00:00Z"), now)));
        assert_eq!(bounds(Some(day), None), Some((day, now)));
        assert_eq!(bounds(Some(day), Some(day)), Some((day, day)));
        assert_eq!(bounds(Some(now), Some(day)), None);
        assert_eq!(bounds(Some(at("2025-11-23T00:00:00Z")), Some(now)), None);
        assert_eq!(bounds(None, Some(Timestamp::MIN)), None);
    }
}
