//! `GET /api/posts/{id}/analytics`: what its platform tells of a post.

use axum::extract::State;
use domain::analytics::{Watch, Watching};
use domain::id::PostId;
use edge::contract::Time;
use edge::json::{Json, Path};
use edge::problem::Problem;
use edge::session::SignedIn;
use serde::Serialize;
use utoipa::ToSchema;

use crate::read::own;
use crate::{Deps, trouble};

/// A post's numbers. What the platform does not tell is `null`, never 0.
#[derive(Default, Serialize, ToSchema)]
#[schema(as = PostAnalytics)]
pub(crate) struct AnalyticsJson {
    /// How often it was shown.
    impressions: Option<u64>,
    /// How many people saw it.
    reach: Option<u64>,
    /// The platform's own count or, where it has none, the sum of what it tells of likes, comments, shares and clicks.
    engagement: Option<u64>,
    /// Likes and other reactions.
    likes: Option<u64>,
    /// Comments and replies.
    comments: Option<u64>,
    /// Shares, reposts and quotes.
    shares: Option<u64>,
    /// Clicks on it.
    clicks: Option<u64>,
    /// When the platform told them; `null`: it has not been asked yet.
    captured_at: Option<Time>,
    /// When it is asked next; `null`: not any more, not while reading is turned off there, or not yet, because the post is not published.
    next_sync_at: Option<Time>,
    /// Why; `null`: the post is not published, or where it is is not known.
    watching: Option<Watching>,
}

impl From<Watch> for AnalyticsJson {
    fn from(watch: Watch) -> Self {
        let Watch { numbers, observed_at: captured_at, next_sync_at, watching, .. } = watch;
        Self {
            impressions: numbers.impressions,
            reach: numbers.reach,
            engagement: numbers.engagement(),
            likes: numbers.likes,
            comments: numbers.comments,
            shares: numbers.shares,
            clicks: numbers.clicks,
            captured_at: captured_at.map(Time::from),
            next_sync_at: next_sync_at.map(Time::from),
            watching: Some(watching),
        }
    }
}

/// What its platform tells of a post.
///
/// Read one hour, six hours, one, three, seven, 14 and 30 days after it was published; on X once in a day of UTC at most. Who runs the
/// service may have platforms read more rarely, or not at all.
#[utoipa::path(get, path = "/api/posts/{id}/analytics", operation_id = "read_post_analytics", tag = "posts",
    params(("id" = PostId, Path, description = "Which post.")), security(("session" = [])),
    responses((status = 200, description = "The numbers that were told last.", body = AnalyticsJson)))]
pub(crate) async fn read(State(deps): State<Deps>, signed_in: SignedIn, Path(id): Path<PostId>) -> Result<Json<AnalyticsJson>, Problem> {
    let (post, _) = own(&deps, &signed_in.session.user_id, &id).await?;
    let told = deps.store.watches_of([&post]).await.and_then(|mut told| told.pop().transpose()).map_err(trouble::store)?;
    Ok(Json(told.map(|watch| deps.paces.told(watch).into()).unwrap_or_default()))
}
