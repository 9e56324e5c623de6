//! Asks an owner to connect an account again, ahead of the end of a grant that only they can renew.
//!
//! One text is for all accounts of a platform whose grants end together: one consent often brings several.
//!
//! That they are asked is written down first, and the text is handed over once: so nobody gets two. A crash in between, or an answer that is
//! lost, may cost the text; the date is shown on the account's pages in any case.

use domain::connection::Connection;
use domain::planted::Bug;
use domain::user::User;
use edge::problem::chain;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use store::StoreError;

use crate::Deps;
use crate::look_after::{Became, write};

pub(crate) async fn ask(deps: &Deps, connection: Connection, by: Timestamp, writer: &str) -> Result<Became, StoreError> {
    let owner = deps.store.user(&connection.user_id).await?;
    let speaks_by = connection.speaks_by(&deps.store.connections(&connection.user_id).await?);
    let asked = connection.asked(by, deps.clock.now());
    let is_first = Bug::ReconnectAskedTwice.is_planted() || write(deps, &asked, writer).await?;
    let Some(told) = speaks_by.filter(|_| is_first) else { return Ok(Became::Nothing) };
    let (connection_id, user_id, platform) = (&asked.id, &asked.user_id, asked.platform.as_str());
    tracing::info!(%connection_id, %user_id, platform, %by, "an owner is asked to connect again");
    let Some(owner) = owner else {
        tracing::error!(%connection_id, %user_id, "nobody owns a connection");
        return Ok(Became::Nothing);
    };
    send(deps, asked, &owner, told, writer).await?;
    Ok(Became::Asked)
}

/// What surely was not taken is tried again in an hour. What may have been is not.
async fn send(deps: &Deps, asked: Connection, owner: &User, by: Timestamp, writer: &str) -> Result<(), StoreError> {
    let connection_id = asked.id.clone();
    let error = match deps.texts.send(owner.phone.as_str(), &text_of(&asked, by)).await {
        Ok(accepted) => {
            tracing::info!(%connection_id, message_id = accepted.message_id, "the text that asks to connect again was accepted");
            return Ok(());
        }
        Err(error) => error,
    };
    if error.is_about_the_number() {
        tracing::warn!(%connection_id, error = chain(&error), "a phone takes no texts");
        return Ok(());
    }
    deps.metrics.count(deps.clock.now(), "texts_unsent", &[]);
    tracing::error!(%connection_id, error = chain(&error), "an owner could not be asked to connect again");
    if error.is_surely_unsent() {
        write(deps, &asked.unasked(deps.clock.now()), writer).await?;
    }
    Ok(())
}

/// Of one part, in letters that every phone has: the account's own name may hold others.
fn text_of(connection: &Connection, by: Timestamp) -> String {
    let platform = connection.platform.descriptor().display_name;
    let day = by.to_zoned(TimeZone::UTC).strftime("%-d %B %Y");
    format!("Postledger: please connect {platform} again before {day}. From then on, your posts to it wait until you do.")
}

#[cfg(test)]
mod tests {
    use domain::connection::{Grant, GrantLife};
    use domain::id::{ConnectionId, UserId};
    use domain::platform::{AccountKind, PlatformName};
    use domain::token::TokenSet;

    use super::*;

    /// Letters of a text of one part (3GPP TS 23.038).
    const PART_MAX: usize = 160;

    #[test]
    fn the_text_says_what_to_do_by_which_day_and_what_happens_then_in_one_part() {
        let by: Timestamp = "2026-09-30T23:59:59Z".parse().unwrap();
        for platform in PlatformName::ALL {
            let tokens = TokenSet::bare("a".to_owned().into());
            let grant = Grant::new(platform, ("7".to_owned(), "ann".to_owned()), AccountKind::Profile, &tokens, &[]);
            let (id, user) = (ConnectionId::new(by, [1; 10]), UserId::new(by, [2; 10]));
            let connection = Connection::connected(id, user, grant, (String::new(), String::new()), GrantLife::unwatched(by), by);
            let text = text_of(&connection, by);
            let name = platform.descriptor().display_name;
            assert!(text.contains(name) && text.contains("before 30 September 2026") && text.contains("posts to it wait"), "{text}");
            assert!(text.is_ascii() && text.len() <= PART_MAX, "{} letters: {text}", text.len());
        }
    }
}
