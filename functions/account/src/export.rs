//! `/api/export/…`: the user's own cycles and posts as files for spreadsheets.

use axum::extract::State;
use axum::response::Response;
use domain::analytics::Watch;
use domain::content::Content;
use domain::order::Order;
use domain::post::{Post, State as PostState};
use edge::contract::{LIST_BYTES_MAX, check_period};
use edge::json::{NoFields, Query};
use edge::problem::Problem;
use edge::session::SignedIn;
use jiff::Timestamp;
use serde::Deserialize;
use store::{Cursor, Filter, List, Start};
use utoipa::IntoParams;

use crate::csv_file::{CsvFile, number, time};
use crate::read_cycles::sums;
use crate::{Deps, trouble};

/// Rows read at once.
const PAGE: usize = 100;
/// Pages in one file; a file of posts says where the rest is, and of cycles there are some 25 in two years.
const PAGES_MAX: usize = 10;
/// A file of posts ends before the row with which it would come to so much, as it is sent: an answer of a function is bounded.
const FILE_BYTES_MAX: usize = LIST_BYTES_MAX;

const CYCLE_COLUMNS: [&str; 10] = [
    "cycle_start",
    "cycle_end",
    "quota",
    "posts_used",
    "successful_posts",
    "total_reach",
    "engagement",
    "captured_at",
    "next_sync_at",
    "retention_expiry",
];

const POST_COLUMNS: [&str; 20] = [
    "id",
    "platform",
    "connection_id",
    "status",
    "scheduled_for",
    "published_at",
    "subscription_cycle",
    "platform_post_id",
    "platform_url",
    "content",
    "impressions",
    "reach",
    "engagement",
    "likes",
    "comments",
    "shares",
    "clicks",
    "captured_at",
    "next_sync_at",
    "watching",
];

/// Which posts.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ExportPosts {
    /// Due then or later.
    from: Option<Timestamp>,
    /// Due before then.
    to: Option<Timestamp>,
    /// Where an earlier file ended; opaque to clients.
    cursor: Option<String>,
}

/// Ended cycles as CSV.
///
/// Newest first, with the columns of `/api/analytics/cycles`. What would begin a formula has an apostrophe before it.
#[utoipa::path(get, path = "/api/export/cycles.csv", operation_id = "export_cycles", tag = "account", security(("session" = [])),
    responses((status = 200, description = "All of them, with the columns of `/api/analytics/cycles`.", body = String,
        content_type = "text/csv")))]
pub(crate) async fn cycles(State(deps): State<Deps>, signed_in: SignedIn, _: Query<NoFields>) -> Result<Response, Problem> {
    let (user, now) = (&signed_in.session.user_id, deps.clock.now());
    let mut file = CsvFile::new("cycles.csv", &CYCLE_COLUMNS)?;
    let mut start = Start::first(Order::Desc);
    for _ in 0..PAGES_MAX {
        let page = deps.store.cycle_analytics(user, now, PAGE, start).await.map_err(trouble::store)?;
        let sums = sums(&deps, user, &page.items).await.map_err(trouble::store)?;
        for (told, sums) in page.items.iter().zip(sums) {
            file.row([
                time(Some(told.span.start)),
                time(Some(told.span.end)),
                told.quota.to_string(),
                told.posts_used.to_string(),
                told.successful_posts.to_string(),
                number(sums.reach),
                number(sums.engagement),
                time(sums.captured_at),
                time(sums.next_sync_at),
                time(Some(told.retention_expiry)),
            ])?;
        }
        match page.next {
            Some(next) => start = Start::after(next),
            None => break,
        }
    }
    file.answer(None)
}

/// Posts as CSV.
///
/// By the time that they are due, with their numbers. What would begin a formula has an apostrophe before it. A file holds 1,000 posts and
/// 4 MB at most; `Link` with `rel="next"` leads to the next, and the last has none.
#[utoipa::path(get, path = "/api/export/posts.csv", operation_id = "export_posts", tag = "account", params(ExportPosts),
    security(("session" = [])),
    responses(
        (status = 200, description = "One file.", body = String, content_type = "text/csv",
            headers(("Link" = String, description = "Where the next file is; not there with the last."))),
        (status = 400, description = "invalid_cursor"),
    ))]
pub(crate) async fn posts(State(deps): State<Deps>, signed_in: SignedIn, Query(query): Query<ExportPosts>) -> Result<Response, Problem> {
    let user = &signed_in.session.user_id;
    check_period(query.from, query.to)?;
    let start = Start::asked(query.cursor.as_deref(), None, Order::Asc, (user, List::Posts));
    let mut start = start.map_err(|_| Problem::invalid_cursor())?;
    let filter = Filter { from: query.from, to: query.to, ..Filter::default() };
    let mut file = CsvFile::new("posts.csv", &POST_COLUMNS)?;
    let mut last: Option<Cursor> = None;
    for _ in 0..PAGES_MAX {
        let page = deps.store.posts(user, &filter, PAGE, start).await.map_err(trouble::store)?;
        let told = deps.store.watches_of(page.items.iter().map(|(post, _)| post)).await.and_then(|told| deps.store.readable(told));
        let told: Vec<_> = told.map_err(trouble::store)?.into_iter().map(|watch| deps.paces.told(watch)).collect();
        let rest = page.next.clone();
        for ((post, content), place) in page.into_rows() {
            let cells = row(&post, &content, told.iter().find(|watch| watch.post_id == post.id));
            if let Some(last) = last.as_ref().filter(|_| !file.takes(&cells, FILE_BYTES_MAX)) {
                return file.answer(Some(next(&query, last)));
            }
            file.row(cells)?;
            last = Some(place);
        }
        let Some(rest) = rest else { return file.answer(None) };
        last = Some(rest.clone());
        start = Start::after(rest);
    }
    file.answer(last.map(|last| next(&query, &last)))
}

/// The address of the next file.
fn next(query: &ExportPosts, place: &Cursor) -> String {
    let bounds = [("from", query.from), ("to", query.to)];
    let bounds: String = bounds.into_iter().filter_map(|(name, at)| Some(format!("{name}={}&", at?))).collect();
    format!("/api/export/posts.csv?{bounds}cursor={}", place.encode())
}

fn row(post: &Post, content: &Content, told: Option<&Watch>) -> [String; 20] {
    let (published_at, platform_post_id, url) = match &post.state {
        PostState::Published { at, platform_post_id, url, guessed: _ } => (Some(*at), platform_post_id.clone(), url.clone()),
        _ => (None, None, None),
    };
    let numbers = told.map(|watch| watch.numbers).unwrap_or_default();
    [
        post.id.to_string(),
        post.platform.to_string(),
        post.connection_id.to_string(),
        post.status().as_str().to_owned(),
        time(Some(post.due_at)),
        time(published_at),
        time(post.cycle_start),
        platform_post_id.unwrap_or_default(),
        url.unwrap_or_default(),
        content.text.clone(),
        number(numbers.impressions),
        number(numbers.reach),
        number(numbers.engagement()),
        number(numbers.likes),
        number(numbers.comments),
        number(numbers.shares),
        number(numbers.clicks),
        time(told.and_then(|watch| watch.observed_at)),
        time(told.and_then(|watch| watch.next_sync_at)),
        told.map_or("", |watch| watch.watching.as_str()).to_owned(),
    ]
}
