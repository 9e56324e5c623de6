//! `GET /api/posts`: a user's posts by time.

use std::sync::LazyLock;

use axum::extract::State;
use domain::id::GroupId;
use domain::order::Order;
use domain::platform::PlatformName;
use domain::post::Status;
use edge::contract::{ListJson, check_period, checked_limit};
use edge::json::{Json, Query};
use edge::problem::Problem;
use edge::session::SignedIn;
use jiff::Timestamp;
use serde::de::Error;
use serde::{Deserialize, Deserializer};
use store::{Cursor, Filter, List, Start};
use utoipa::IntoParams;

use crate::answer::PostJson;
use crate::{Deps, trouble};

/// The query.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListPosts {
    /// In one of these statuses, separated by commas.
    #[serde(default)]
    #[param(value_type = Option<Vec<Status>>, style = Form, explode = false, example = json!(["failed", "missed"]))]
    status: Statuses,
    /// On this platform alone.
    platform: Option<PlatformName>,
    /// The posts that were made in one request.
    group_id: Option<GroupId>,
    /// Due then or later.
    from: Option<Timestamp>,
    /// Due before then.
    to: Option<Timestamp>,
    /// How many; 50 if absent.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<usize>,
    /// The `next_cursor` of the page before; opaque to clients.
    cursor: Option<String>,
    /// Which way the list goes; the post that is due first comes first if absent. A cursor keeps its order: with another one it is
    /// `invalid_cursor`.
    #[param(inline)]
    order: Option<Order>,
}

/// What a refusal says of them.
static NAMES: LazyLock<[&str; Status::ALL.len()]> = LazyLock::new(|| Status::ALL.map(Status::as_str));

/// One status or several, separated by commas.
#[derive(Debug, Default)]
struct Statuses(Vec<Status>);

impl<'de> Deserialize<'de> for Statuses {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let parse = |name: &str| Status::parse(name).ok_or_else(|| D::Error::unknown_variant(name, NAMES.as_slice()));
        // More names than there are say something twice: nobody means that.
        let statuses: Vec<Status> = text.split(',').take(Status::ALL.len() + 1).map(parse).collect::<Result<_, _>>()?;
        if statuses.len() > Status::ALL.len() { Err(D::Error::custom("too many statuses")) } else { Ok(Self(statuses)) }
    }
}

/// The user's posts.
///
/// By the time that they are due, the earliest first unless another order is asked for. A page ends early where the posts are long. It is
/// not empty while something follows that matches.
#[utoipa::path(get, path = "/api/posts", operation_id = "list_posts", tag = "posts", params(ListPosts), security(("session" = [])),
    responses(
        (status = 200, description = "One page.", body = ListJson<PostJson>, links(
            ("read" = (operation_id = "read_post", parameters(("id" = "$response.body#/items/0/id")))),
            ("next" = (operation_id = "list_posts", parameters(("cursor" = "$response.body#/next_cursor")))),
        )),
        (status = 400, description = "invalid_cursor"),
    ))]
pub(crate) async fn list(
    State(deps): State<Deps>,
    signed_in: SignedIn,
    Query(query): Query<ListPosts>,
) -> Result<Json<ListJson<PostJson>>, Problem> {
    let user = &signed_in.session.user_id;
    let limit = checked_limit(query.limit)?;
    check_period(query.from, query.to)?;
    let start = Start::asked(query.cursor.as_deref(), query.order, Order::Asc, (user, List::Posts));
    let start = start.map_err(|_| Problem::invalid_cursor())?;
    let Statuses(statuses) = query.status;
    let filter = Filter { statuses, platform: query.platform, group_id: query.group_id, from: query.from, to: query.to };
    let page = deps.store.posts(user, &filter, limit, start).await.map_err(trouble::store)?;
    let next = page.next.clone();
    Ok(Json(ListJson::of_rows(page.into_rows().map(|(post, place)| (PostJson::from(post), place)), next.as_ref(), Cursor::encode)))
}

#[cfg(test)]
mod tests {
    use serde::de::IntoDeserializer;
    use serde::de::value::{Error as ValueError, StrDeserializer};

    use super::*;

    #[test]
    fn several_statuses_are_named_with_commas_and_no_other_word_is_one() {
        let read = |text: &str| {
            let text: StrDeserializer<'_, ValueError> = text.into_deserializer();
            Statuses::deserialize(text).ok().map(|Statuses(statuses)| statuses)
        };
        assert_eq!(read("failed"), Some(vec![Status::Failed]));
        assert_eq!(read("failed,missed"), Some(vec![Status::Failed, Status::Missed]));
        for bad in ["", ",", "failed,", "failed, missed", "Failed", "failed;missed", &["draft"; 12].join(",")] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
