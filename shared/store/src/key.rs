//! Where each item stands: see the key table in the README.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use domain::id::{ChoiceId, ConnectionId, HistoryId, PostId, UserId};
use domain::platform::{PlatformName, ServerName};
use domain::post::SentTo;
use jiff::Timestamp;

/// A primary key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) pk: String,
    pub(crate) sk: String,
}

pub(crate) type Item = HashMap<String, AttributeValue>;

impl Key {
    fn new(pk: String, sk: impl Into<String>) -> Self {
        Self { pk, sk: sk.into() }
    }

    /// The key of an item that was read.
    pub(crate) fn of(item: &Item) -> Option<Self> {
        let part = |name| item.get(name).and_then(|value: &AttributeValue| value.as_s().ok()).cloned();
        Some(Self { pk: part("pk")?, sk: part("sk")? })
    }

    pub(crate) fn profile(user: &UserId) -> Self {
        Self::new(user_pk(user), PROFILE)
    }

    pub(crate) fn connection(user: &UserId, id: &ConnectionId) -> Self {
        Self::new(user_pk(user), format!("{CONNECTION}{id}"))
    }

    /// One account of a platform is connected once per user.
    pub(crate) fn account(user: &UserId, platform: PlatformName, account_id: &str) -> Self {
        Self::new(user_pk(user), format!("ACCOUNT#{platform}#{account_id}"))
    }

    pub(crate) fn phone(hash: &str) -> Self {
        Self::new(format!("PHONE#{hash}"), "PHONE")
    }

    pub(crate) fn gift(hash: &str) -> Self {
        Self::new(format!("GIFT#{hash}"), GIFT)
    }

    /// A customer of the payment provider's is one user.
    pub(crate) fn customer(id: &str) -> Self {
        Self::new(format!("CUSTOMER#{id}"), "CUSTOMER")
    }

    /// How far the audit has come: one for all.
    pub(crate) fn audit() -> Self {
        Self::new("AUDIT".to_owned(), "AUDIT")
    }

    pub(crate) fn billing_event(id: &str) -> Self {
        Self::new(format!("BILLED#{id}"), "BILLED")
    }

    pub(crate) fn post(user: &UserId, id: &PostId) -> Self {
        Self::new(user_pk(user), format!("{POST}{id}"))
    }

    pub(crate) fn content(user: &UserId, id: &PostId) -> Self {
        Self::new(user_pk(user), format!("{POST}{id}#CONTENT"))
    }

    /// Raised with each connection that a user makes.
    pub(crate) fn connecting(user: &UserId) -> Self {
        Self::new(user_pk(user), "CONNECTING")
    }

    /// How many of a user's posts are drafts.
    pub(crate) fn drafts(user: &UserId) -> Self {
        Self::new(user_pk(user), "DRAFTS")
    }

    /// Numbered with leading zeros, so that they sort.
    pub(crate) fn attempt(user: &UserId, id: &PostId, number: u32) -> Self {
        Self::new(user_pk(user), format!("{POST}{id}#TRY#{number:06}"))
    }

    pub(crate) fn event(user: &UserId, id: &PostId, rev: u64) -> Self {
        Self::new(user_pk(user), format!("{POST}{id}#EVENT#{rev:06}"))
    }

    /// A published post's numbers, by when it became visible. A post that was visible before the cycle that paid for it began stands apart, by
    /// that cycle: all others of a cycle stand from its beginning on.
    pub(crate) fn metrics(user: &UserId, published_at: Timestamp, cycle_start: Option<Timestamp>, id: &PostId) -> Self {
        let sk = match cycle_start.filter(|start| published_at < *start) {
            Some(start) => format!("{EARLY_METRICS}{}#{id}", sortable(start)),
            None => format!("{METRICS}{}#{id}", sortable(published_at)),
        };
        Self::new(user_pk(user), sk)
    }

    pub(crate) fn pause(platform: PlatformName) -> Self {
        Self::new(format!("PLATFORM#{platform}"), "PAUSE")
    }

    /// A platform's post belongs to one post of ours.
    pub(crate) fn bound(platform: PlatformName, platform_post_id: &str) -> Self {
        Self::new(format!("BOUND#{platform}#{platform_post_id}"), "BOUND")
    }

    /// All that may show on an account of a platform, whoever's it is.
    pub(crate) fn account_pk(platform: PlatformName, account: &str) -> String {
        format!("ACCOUNT#{platform}#{account}")
    }

    /// A post of that, in the version that was sent.
    pub(crate) fn intent(platform: PlatformName, to: &SentTo, id: &PostId) -> Self {
        Self::new(Self::account_pk(platform, &to.account), format!("INTENT#{id}#{}", to.version))
    }

    pub(crate) fn cycle(user: &UserId, start: Timestamp) -> Self {
        Self::new(user_pk(user), format!("{CYCLE}{}", sortable(start)))
    }

    pub(crate) fn history(user: &UserId, id: &HistoryId) -> Self {
        Self::new(user_pk(user), format!("{HISTORY}{id}"))
    }

    /// What a closed cycle came to.
    pub(crate) fn cycle_analytics(user: &UserId, start: Timestamp) -> Self {
        Self::new(user_pk(user), format!("{ANALYTICS}{}", sortable(start)))
    }

    pub(crate) fn session(hash: &str) -> Self {
        Self::new(format!("SESSION#{hash}"), "SESSION")
    }

    pub(crate) fn flow(state_hash: &str) -> Self {
        Self::new(format!("FLOW#{state_hash}"), "FLOW")
    }

    pub(crate) fn challenge(phone_hash: &str) -> Self {
        Self::new(format!("CODE#{phone_hash}"), "CODE")
    }

    pub(crate) fn count(bucket: &str) -> Self {
        Self::new(format!("COUNT#{bucket}"), "COUNT")
    }

    pub(crate) fn idempotency(name: &str) -> Self {
        Self::new(format!("KEY#{name}"), "KEY")
    }

    /// A further part of a long answer; it belongs to the record of that `rev` alone.
    pub(crate) fn answer_part(name: &str, rev: u64, number: usize) -> Self {
        Self::new(format!("KEY#{name}"), format!("PART#{rev:06}#{number:02}"))
    }

    pub(crate) fn choice(user: &UserId, id: &ChoiceId) -> Self {
        Self::new(user_pk(user), format!("CHOICE#{id}"))
    }

    /// Connections whose grants come from one person: taking it back at the platform ends all of them, whoever's they are.
    pub(crate) fn grant(platform: PlatformName, grantor: &str, user: &UserId, id: &ConnectionId) -> Self {
        Self::new(grant_pk(platform, grantor), format!("{}#{CONNECTION}{id}", user_pk(user)))
    }

    /// Connections that were granted to our app at one server, whoever's they are.
    pub(crate) fn at_server(platform: PlatformName, server: &ServerName, user: &UserId, id: &ConnectionId) -> Self {
        Self::new(server_pk(platform, server), format!("{}#{CONNECTION}{id}", user_pk(user)))
    }

    /// Until when our app at a server is needed, whoever is connected.
    pub(crate) fn server(platform: PlatformName, server: &ServerName) -> Self {
        Self::new(server_pk(platform, server), "SERVER")
    }

    /// Consents under way at a platform, and grants that are being taken back there.
    pub(crate) fn grants_pk(platform: PlatformName) -> String {
        format!("GRANTS#{platform}")
    }

    /// Who else needs one person's grant.
    pub(crate) fn grants_of_pk(platform: PlatformName, grantor: &str) -> String {
        format!("GRANTS#{platform}#{grantor}")
    }

    /// All in one partition, one a user: plans and accounts change rarely.
    pub(crate) fn return_note(user: &UserId) -> Self {
        Self::new(RETURNS.to_owned(), format!("RETURN#{user}"))
    }

    /// All in one partition, by time: connecting is rare.
    pub(crate) fn leftover(due: Timestamp, name: &str) -> Self {
        Self::new(LEFTOVERS.to_owned(), format!("{}#{name}", sortable(due)))
    }

    pub(crate) fn into_item(self) -> Item {
        Item::from([("pk".into(), AttributeValue::S(self.pk)), ("sk".into(), AttributeValue::S(self.sk))])
    }
}

pub(crate) const GIFT: &str = "GIFT";
pub(crate) const PROFILE: &str = "PROFILE";
pub(crate) const CONNECTION: &str = "CONNECTION#";
pub(crate) const POST: &str = "POST#";
pub(crate) const METRICS: &str = "METRICS#";
/// Behind every time: letters sort after digits.
pub(crate) const EARLY_METRICS: &str = "METRICS#EARLY#";
pub(crate) const CYCLE: &str = "CYCLE#";
pub(crate) const HISTORY: &str = "HISTORY#";
pub(crate) const ANALYTICS: &str = "ANALYTICS#";

pub(crate) const LEFTOVERS: &str = "LEFTOVERS";
pub(crate) const RETURNS: &str = "RETURNS";

pub(crate) fn grant_pk(platform: PlatformName, grantor: &str) -> String {
    format!("GRANT#{platform}#{grantor}")
}

pub(crate) fn server_pk(platform: PlatformName, server: &ServerName) -> String {
    format!("SERVER#{platform}#{server}")
}

/// Everything that a customer owns begins with the id taken from the session: another's item cannot be addressed.
pub(crate) fn user_pk(user: &UserId) -> String {
    format!("USER#{user}")
}

/// An instant as text of fixed width, so that text order is time order.
pub(crate) fn sortable(at: Timestamp) -> String {
    format!("{at:.3}")
}

/// How many partitions the indexes of work to do are spread over; a partition takes 1,000 writes a second.
pub(crate) const SHARDS: u8 = 8;

/// All shards in the `turn`-th run of a job, each turn beginning with the next one: a run that its time cuts off leaves out others than the
/// run before.
pub(crate) fn shards(turn: i64) -> impl Iterator<Item = u8> {
    let first = u8::try_from(turn.rem_euclid(SHARDS.into())).expect("a remainder is less than what divided");
    (0..SHARDS).map(move |nth| (first + nth) % SHARDS)
}

/// The shard that an id falls into: its last letter is random.
pub(crate) fn shard(id: &str) -> u8 {
    id.bytes().last().unwrap_or(0) % SHARDS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_a_post_stand_by_its_publication_unless_a_later_cycle_paid_for_it() {
        let at = |secs| Timestamp::from_second(secs).unwrap();
        let (user, post) = (UserId::new(at(0), [1; 10]), PostId::new(at(0), [2; 10]));
        let sk = |published, cycle: Option<i64>| Key::metrics(&user, at(published), cycle.map(at), &post).sk;
        assert_eq!(sk(9, Some(9)), format!("METRICS#1970-01-01T00:00:09.000Z#{post}"));
        assert_eq!((sk(9, Some(5)), sk(9, None)), (sk(9, Some(9)), sk(9, Some(9))));
        assert_eq!(sk(8, Some(9)), format!("METRICS#EARLY#1970-01-01T00:00:09.000Z#{post}"));
        assert!(sk(8, Some(9)) > sk(4_000_000_000, None), "no read of a period finds it by accident");
    }

    #[test]
    fn every_shard_is_read_in_every_turn_and_each_comes_first_in_its_own() {
        let turns: Vec<Vec<u8>> = (0..i64::from(SHARDS)).map(|turn| shards(turn + 12_345).collect()).collect();
        for turn in &turns {
            let mut read = turn.clone();
            read.sort_unstable();
            assert_eq!(read, (0..SHARDS).collect::<Vec<_>>());
        }
        let mut first: Vec<_> = turns.iter().map(|turn| turn[0]).collect();
        first.sort_unstable();
        assert_eq!(first, (0..SHARDS).collect::<Vec<_>>());
    }
}
