//! Several accounts of one consent, and the choice among them: made once, whoever asks how often.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::id::{AttemptId, ChoiceId, ConnectionId, UserId};
use crate::platform::{AccountKind, PlatformName, ServerName};

/// How long the accounts of a consent wait for the choice.
pub const LIFETIME: SignedDuration = SignedDuration::from_mins(15);

/// More accounts than anybody chooses among, and fewer than a secret holds.
pub const ACCOUNTS_MAX: usize = 50;

/// How long one caller may be connecting what was chosen: longer than a function runs, so that nobody is overtaken at work.
pub const CLAIM: SignedDuration = SignedDuration::from_secs(45);

/// Several accounts of one consent. Their tokens wait in the vault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// Its id.
    pub id: ChoiceId,
    /// Whose.
    pub user_id: UserId,
    /// Where.
    pub platform: PlatformName,
    /// To choose from.
    pub accounts: Vec<ChoiceAccount>,
    /// Scopes that posting needs and that the consent left out.
    #[serde(default)]
    pub missing_scopes: Vec<String>,
    /// Who granted it, where a person's grants are one: it must not end before the choice is made.
    #[serde(default)]
    pub grantor: Option<String>,
    /// The server whose app of ours it was granted to, where each has one.
    #[serde(default)]
    pub app_server: Option<ServerName>,
    /// From when on it is refused.
    pub expires_at: Timestamp,
    /// What was chosen.
    #[serde(default)]
    pub claim: Option<Claim>,
}

/// One account to choose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = OfferedAccount)]
pub struct ChoiceAccount {
    /// The platform's id.
    pub account_id: String,
    /// Its name.
    pub username: String,
    /// A profile or a page.
    #[schema(value_type = String, pattern = "^(profile|page)$")]
    pub kind: AccountKind,
}

/// What was chosen, and who is or was connecting it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// Whose turn it is.
    pub holder: AttemptId,
    /// Until when nobody else may take it over.
    pub until: Timestamp,
    /// The accounts, each with the attempt and the id that it is connected under: whoever takes over goes on under the same, so that what
    /// was written before counts.
    pub picks: Vec<Pick>,
    /// All of them are connected; the ids are those that they really have.
    pub done: bool,
}

/// One chosen account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pick {
    /// The platform's id.
    pub account_id: String,
    /// Names the tokens' version and the writer of the row.
    pub attempt: AttemptId,
    /// Its connection.
    pub connection_id: ConnectionId,
}

/// Why a choice cannot be made as asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotChoosable {
    /// None, more than there are, or one twice.
    #[error("at least one account, each once")]
    Count,
    /// The one at this place was not offered.
    #[error("account {0} was not offered")]
    Unknown(usize),
}

/// What whoever asks has to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turn {
    /// Store this claim; if it is the first to be stored, connect its picks.
    Take(Claim),
    /// Somebody is at it, with the same accounts: look again.
    Wait,
    /// It was done: these are connected.
    Done(Vec<Pick>),
    /// It is being done, or was done, with other accounts.
    Taken,
}

impl Choice {
    /// Whether it can still be looked at and made.
    pub fn is_open(&self, now: Timestamp) -> bool {
        now < self.expires_at
    }

    /// Whether these accounts were offered.
    pub fn check(&self, asked: &[String]) -> Result<(), NotChoosable> {
        // The length first: what comes after costs its square.
        if asked.is_empty() || asked.len() > self.accounts.len() || has_twice(asked) {
            return Err(NotChoosable::Count);
        }
        match asked.iter().position(|id| !self.accounts.iter().any(|account| account.account_id == *id)) {
            None => Ok(()),
            Some(at) => Err(NotChoosable::Unknown(at)),
        }
    }

    /// Whose turn it is when `holder` asks for these accounts, which [`Self::check`] passed; `mint` names a pick that has no names yet.
    pub fn turn(&self, asked: &[String], holder: &AttemptId, now: Timestamp, mut mint: impl FnMut() -> (AttemptId, ConnectionId)) -> Turn {
        let before: &[Pick] = self.claim.as_ref().map_or(&[], |claim| &claim.picks);
        let same = before.len() == asked.len() && before.iter().all(|pick| asked.contains(&pick.account_id));
        match &self.claim {
            Some(claim) if claim.done && same => return Turn::Done(claim.picks.clone()),
            Some(claim) if !claim.done && claim.until > now && same => return Turn::Wait,
            Some(claim) if claim.done || claim.until > now => return Turn::Taken,
            _ => {}
        }
        let picks = asked.iter().map(|account_id| {
            before.iter().find(|pick| pick.account_id == *account_id).cloned().unwrap_or_else(|| {
                let (attempt, connection_id) = mint();
                Pick { account_id: account_id.clone(), attempt, connection_id }
            })
        });
        Turn::Take(Claim { holder: holder.clone(), until: now + CLAIM, picks: picks.collect(), done: false })
    }
}

fn has_twice(asked: &[String]) -> bool {
    asked.iter().enumerate().any(|(at, id)| asked[..at].contains(id))
}

impl Claim {
    /// The work is done: these are the connections, in the order of the picks.
    #[must_use]
    pub fn finished(self, connections: &[ConnectionId]) -> Self {
        let picks = self.picks.into_iter().zip(connections).map(|(pick, id)| Pick { connection_id: id.clone(), ..pick });
        Self { picks: picks.collect(), done: true, ..self }
    }

    /// The work stopped: whoever asks next goes on at once, also with other accounts.
    #[must_use]
    pub fn given_up(self, now: Timestamp) -> Self {
        Self { until: now, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn holder(number: u8) -> AttemptId {
        AttemptId::new(at(0), [number; 10])
    }

    fn choice(claim: Option<Claim>) -> Choice {
        let account = |id: &str| ChoiceAccount { account_id: id.to_owned(), username: id.to_owned(), kind: AccountKind::Page };
        Choice {
            id: ChoiceId::new(at(0), [1; 10]),
            user_id: UserId::new(at(0), [2; 10]),
            platform: PlatformName::Facebook,
            accounts: ["a", "b", "c"].map(account).to_vec(),
            missing_scopes: Vec::new(),
            grantor: None,
            app_server: None,
            expires_at: at(900),
            claim,
        }
    }

    fn ids(ids: &[&str]) -> Vec<String> {
        ids.iter().map(|id| (*id).to_owned()).collect()
    }

    /// What `number` gets that asks for `asked` at `now`.
    fn turn(choice: &Choice, asked: &[&str], number: u8, now: i64) -> Turn {
        let mut minted = number;
        choice.turn(&ids(asked), &holder(number), at(now), || {
            minted += 10;
            (holder(minted), ConnectionId::new(at(0), [minted; 10]))
        })
    }

    fn claimed(asked: &[&str], number: u8, now: i64) -> Claim {
        match turn(&choice(None), asked, number, now) {
            Turn::Take(claim) => claim,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn only_what_was_offered_is_chosen_each_once() {
        for (asked, expected) in [
            (&["a"][..], Ok(())),
            (&["c", "a", "b"], Ok(())),
            (&[], Err(NotChoosable::Count)),
            (&["a", "a"], Err(NotChoosable::Count)),
            (&["a", "b", "c", "d"], Err(NotChoosable::Count)),
            (&["a", "d"], Err(NotChoosable::Unknown(1))),
            (&[""], Err(NotChoosable::Unknown(0))),
        ] {
            assert_eq!(choice(None).check(&ids(asked)), expected, "{asked:?}");
        }
    }

    #[test]
    fn one_works_and_the_others_wait_for_its_answer() {
        let claim = claimed(&["a", "b"], 1, 0);
        let busy = choice(Some(claim.clone()));
        assert_eq!(turn(&busy, &["b", "a"], 2, 1), Turn::Wait, "the order of the ids says nothing");
        assert_eq!(turn(&busy, &["a"], 2, 1), Turn::Taken);
        let real = [7, 8].map(|number| ConnectionId::new(at(0), [number; 10]));
        let done = choice(Some(claim.finished(&real)));
        let Turn::Done(picks) = turn(&done, &["a", "b"], 2, 1) else { panic!("not done") };
        assert_eq!(picks.iter().map(|pick| &pick.connection_id).collect::<Vec<_>>(), real.iter().collect::<Vec<_>>());
        assert_eq!(turn(&done, &["c"], 2, 800), Turn::Taken);
    }

    #[test]
    fn whoever_takes_over_goes_on_under_the_same_names() {
        let claim = claimed(&["a", "b"], 1, 0);
        let left = choice(Some(claim.clone()));
        assert_eq!(turn(&left, &["a", "b"], 2, 44), Turn::Wait, "it may still be at work");
        let Turn::Take(next) = turn(&left, &["a", "b"], 2, 45) else { panic!("not taken over") };
        assert_eq!((&next.holder, &next.picks), (&holder(2), &claim.picks));
        let given_up = choice(Some(claim.clone().given_up(at(3))));
        let Turn::Take(next) = turn(&given_up, &["c", "b"], 2, 3) else { panic!("not taken over") };
        assert_eq!(next.picks[1], claim.picks[1], "b keeps its names");
        assert_eq!(next.picks[0].account_id, "c");
    }
}
