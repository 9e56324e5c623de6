//! Whose turn it is: posts of one account that one batch brings go out in the order in which they were written.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use domain::id::ConnectionId;
use domain::post::Post;
use domain::wake_up::WakeUp;
use edge::deadline::Deadline;
use tokio::sync::watch;

use crate::results::Results;

/// A post waits so long for each one before it: one that hangs lets the others by, and they keep their order.
const TURN_MAX: Duration = Duration::from_secs(5);
/// A post waits so long in all: enough is left of the invocation to send it.
const TURNS_MAX: Duration = Duration::from_secs(15);

/// One invocation: when it is over, and the posts that it was woken for.
#[derive(Debug, Clone)]
pub struct Batch {
    pub(crate) deadline: Deadline,
    seats: Arc<[Seat]>,
}

/// One of the posts.
#[derive(Debug)]
struct Seat {
    wake_up: WakeUp,
    /// Whether its handler has begun: SQS may bring one message twice.
    is_taken: AtomicBool,
    stands: watch::Sender<Stands>,
    /// Results of this one's owner, if no seat before is the same owner's.
    results: Results,
}

/// What the others know of it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Stands {
    /// Nothing yet.
    Unread,
    /// It goes out by this connection.
    GoesBy(ConnectionId),
    /// Nobody waits for it any more.
    Over,
}

impl Batch {
    /// An invocation that is over at `deadline` and was woken for these.
    pub fn of(wake_ups: &[WakeUp], deadline: Deadline) -> Self {
        let seat = |wake_up: &WakeUp| Seat {
            wake_up: wake_up.clone(),
            is_taken: AtomicBool::new(false),
            stands: watch::Sender::new(Stands::Unread),
            results: Results::default(),
        };
        Self { deadline, seats: wake_ups.iter().map(seat).collect() }
    }

    /// Where results of the post's owner are stored. `None`: the batch brought none of that owner's posts.
    pub(crate) fn results(&self, post: &Post) -> Option<&Results> {
        self.seats.iter().find(|seat| seat.wake_up.user_id == post.user_id).map(|seat| &seat.results)
    }

    /// The turn of a post. It is over when it is dropped.
    pub(crate) fn turn(&self, wake_up: &WakeUp) -> Turn<'_> {
        let is_free = |seat: &&Seat| seat.wake_up == *wake_up && !seat.is_taken.swap(true, Ordering::Relaxed);
        Turn { batch: self, seat: self.seats.iter().find(is_free) }
    }
}

/// A post's place among those of its batch.
pub(crate) struct Turn<'a> {
    batch: &'a Batch,
    seat: Option<&'a Seat>,
}

impl Turn<'_> {
    /// Returns when the older posts of this batch that go out by the same connection are through, or have had time enough.
    pub(crate) async fn comes(&self, post: &Post) {
        self.tell(Stands::GoesBy(post.connection_id.clone()));
        let goes_elsewhere = |stands: &Stands| match stands {
            Stands::Unread => false,
            Stands::GoesBy(connection) => *connection != post.connection_id,
            Stands::Over => true,
        };
        let older = self.batch.seats.iter().filter(|seat| seat.wake_up.user_id == post.user_id && seat.wake_up.post_id < post.id);
        let through = async {
            // They stand in the order in which they were written.
            for seat in older {
                let mut stands = seat.stands.subscribe();
                if tokio::time::timeout(TURN_MAX, stands.wait_for(goes_elsewhere)).await.is_err() {
                    tracing::warn!(post_id = %post.id, "an older post of the account takes long; this one goes out beside it");
                }
            }
        };
        if tokio::time::timeout(TURNS_MAX, through).await.is_err() {
            tracing::warn!(post_id = %post.id, "older posts of the account take long; this one goes out beside them");
        }
    }

    /// Nothing is sent in this turn: nobody has to wait for it.
    pub(crate) fn passes(&self) {
        self.tell(Stands::Over);
    }

    fn tell(&self, stands: Stands) {
        if let Some(seat) = self.seat {
            seat.stands.send_replace(stands);
        }
    }
}

/// Also where its handler panicked: the others go on.
impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.tell(Stands::Over);
    }
}

#[cfg(test)]
mod tests {
    use futures::future::join_all;

    use domain::content::Content;
    use domain::id::{GroupId, PostId, UserId};
    use domain::platform::PlatformName;
    use domain::post::Draft;
    use jiff::{SignedDuration, Timestamp};

    use super::*;

    /// A post that was written so many seconds after the first, for a connection.
    fn post(secs: i64, connection: u8) -> Post {
        let first = Timestamp::from_second(1_800_000_000).unwrap();
        let now = first + SignedDuration::from_secs(secs);
        let draft = Draft {
            id: PostId::new(now, [1; 10]),
            user_id: UserId::new(first, [2; 10]),
            group_id: GroupId::new(now, [3; 10]),
            connection_id: ConnectionId::new(first, [connection; 10]),
            platform: PlatformName::X,
            content_hash: Content { text: "hello".into(), ai_recommendation: None }.hash(),
            due_at: now,
            latest_at: now,
            time_zone: None,
            local_time: None,
            lead: jiff::SignedDuration::ZERO,
        };
        Post::draft(draft, now)
    }

    /// The order in which posts go out whose wake-ups are taken up as they stand here.
    async fn order(posts: &[Post]) -> Vec<usize> {
        let wake_ups: Vec<WakeUp> = posts.iter().map(Post::wake_up).collect();
        let batch = Batch::of(&wake_ups, Deadline::after(Duration::from_mins(1)));
        let sent = std::sync::Mutex::new(Vec::new());
        join_all(posts.iter().zip(&wake_ups).enumerate().map(|(place, (post, wake_up))| {
            let (batch, sent) = (&batch, &sent);
            async move {
                let turn = batch.turn(wake_up);
                turn.comes(post).await;
                tokio::task::yield_now().await;
                sent.lock().unwrap().push(place);
            }
        }))
        .await;
        sent.into_inner().unwrap()
    }

    #[tokio::test]
    async fn posts_of_one_account_go_out_in_the_order_in_which_they_were_written() {
        assert_eq!(order(&[post(30, 1), post(10, 1), post(20, 1), post(0, 1)]).await, [3, 1, 2, 0]);
    }

    #[tokio::test]
    async fn posts_of_other_accounts_wait_for_nobody() {
        let sent = order(&[post(30, 1), post(10, 2), post(20, 3), post(0, 1)]).await;
        assert_eq!(sent.iter().position(|place| *place == 0), Some(3), "{sent:?}");
        assert!(sent.iter().position(|place| *place == 3) < Some(3));
    }

    #[tokio::test]
    async fn nobody_waits_for_a_post_that_needs_nothing_or_whose_handler_panicked() {
        let posts = [post(0, 1), post(10, 1)];
        let wake_ups: Vec<WakeUp> = posts.iter().map(Post::wake_up).collect();
        let batch = Batch::of(&wake_ups, Deadline::after(Duration::from_mins(1)));
        drop(batch.turn(&wake_ups[0]));
        batch.turn(&wake_ups[1]).comes(&posts[1]).await;
    }

    #[tokio::test]
    async fn nobody_waits_for_a_post_that_is_only_looked_after() {
        let posts = [post(0, 1), post(10, 1)];
        let wake_ups: Vec<WakeUp> = posts.iter().map(Post::wake_up).collect();
        let batch = Batch::of(&wake_ups, Deadline::after(Duration::from_mins(1)));
        let looks = batch.turn(&wake_ups[0]);
        looks.passes();
        batch.turn(&wake_ups[1]).comes(&posts[1]).await;
        drop(looks);
    }

    #[test]
    fn results_of_one_owner_are_stored_in_one_place() {
        let (mine, other) = (post(0, 1), Post { user_id: UserId::new(Timestamp::UNIX_EPOCH, [9; 10]), ..post(10, 2) });
        let batch = Batch::of(&[&mine, &mine, &other].map(Post::wake_up), Deadline::after(Duration::from_mins(1)));
        let same = |one: &Post, two: &Post| std::ptr::eq(batch.results(one).unwrap(), batch.results(two).unwrap());
        assert!(same(&mine, &mine) && !same(&mine, &other), "another's cycle is another item");
    }

    #[tokio::test]
    async fn a_message_that_comes_twice_ends_no_turn_but_its_own() {
        let posts = [post(0, 1), post(10, 1)];
        let wake_ups: Vec<WakeUp> = [&posts[0], &posts[0], &posts[1]].map(Post::wake_up).to_vec();
        let batch = Batch::of(&wake_ups, Deadline::after(Duration::from_mins(1)));
        let sending = batch.turn(&wake_ups[0]);
        sending.comes(&posts[0]).await;
        drop(batch.turn(&wake_ups[1]));
        let waits = batch.turn(&wake_ups[2]);
        let mut next = std::pin::pin!(waits.comes(&posts[1]));
        assert!(futures::poll!(next.as_mut()).is_pending(), "the first is still being sent");
        drop(sending);
        next.await;
    }
}
