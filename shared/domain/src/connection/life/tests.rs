use super::*;
use crate::connection::{Grant, Health, REFRESH_LEASE};
use crate::id::{AttemptId, ConnectionId, UserId};
use crate::platform::{AccountKind, PlatformName};

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
const FIRST: [u8; 8] = [0; 8];
const LAST: [u8; 8] = [255; 8];

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn span(seconds: i64) -> SignedDuration {
    SignedDuration::from_secs(seconds)
}

fn terms(renewal: Renewal, life: Option<i64>) -> Terms {
    Terms { renewal, life: life.map(span) }
}

const EXTENDS: Renewal = Renewal::Extends { after: SignedDuration::from_hours(24) };
const CONSENT: Renewal = Renewal::Consent { warn: SignedDuration::from_hours(7 * 24) };

/// Tokens whose access ends so many seconds after the beginning, without a refresh token.
fn tokens(access: Option<i64>) -> TokenSet {
    TokenSet { expires_at: access.map(at), ..TokenSet::bare("a".to_owned().into()) }
}

/// The same with one that ends then, if that was told.
fn refreshable(access: i64, ends: Option<i64>) -> TokenSet {
    TokenSet { refresh: Some("r".to_owned().into()), refresh_expires_at: ends.map(at), ..tokens(Some(access)) }
}

fn connected(terms: &Terms, tokens: &TokenSet) -> Connection {
    let grant = Grant::new(PlatformName::X, ("7".to_owned(), "ann".to_owned()), AccountKind::Profile, tokens, &[]);
    let (id, user) = (ConnectionId::new(at(0), [1; 10]), UserId::new(at(0), [2; 10]));
    Connection::connected(id, user, grant, ("name".to_owned(), "v1".to_owned()), GrantLife::new(terms, tokens, at(0), FIRST), at(0))
}

fn refreshed(connection: Connection, terms: &Terms, tokens: &TokenSet, now: Timestamp) -> Connection {
    let life = connection.life.renewed(terms, tokens, now, FIRST);
    connection.refreshed("v2".to_owned(), tokens, life, now)
}

/// A refresh token of 180 days that is not told, as on X.
fn like_x() -> (Terms, TokenSet) {
    (terms(Renewal::Rotating, Some(180 * DAY)), refreshable(2 * HOUR, None))
}

/// A long-lived token of 60 days, as on Threads.
fn like_threads() -> (Terms, TokenSet) {
    (terms(EXTENDS, None), tokens(Some(60 * DAY)))
}

/// A token of 60 days that only a person can renew.
fn like_linkedin() -> (Terms, TokenSet) {
    (terms(CONSENT, None), tokens(Some(60 * DAY)))
}

#[test]
fn a_grant_ends_and_is_looked_at_as_its_platform_renews_it() {
    for (what, terms, tokens, ends, first, last) in [
        ("untold life", terms(Renewal::Rotating, Some(180 * DAY)), refreshable(HOUR, None), None, Some(36 * DAY), Some(45 * DAY)),
        (
            "told life",
            terms(Renewal::Rotating, Some(180 * DAY)),
            refreshable(HOUR, Some(60 * DAY)),
            Some(60 * DAY),
            Some(12 * DAY),
            Some(15 * DAY),
        ),
        (
            "life of minutes",
            terms(Renewal::Rotating, None),
            refreshable(MINUTE, Some(20 * MINUTE)),
            Some(20 * MINUTE),
            Some(10 * MINUTE),
            Some(11 * MINUTE),
        ),
        ("nothing known", terms(Renewal::Rotating, None), refreshable(HOUR, None), None, None, None),
        ("no refresh token", terms(Renewal::Rotating, Some(180 * DAY)), tokens(Some(HOUR)), None, None, None),
        ("kept by use", terms(Renewal::Stable, Some(180 * DAY)), refreshable(HOUR, None), None, Some(36 * DAY), Some(45 * DAY)),
        (
            "kept to its end",
            terms(Renewal::Stable, None),
            refreshable(HOUR, Some(365 * DAY)),
            Some(365 * DAY),
            Some(351 * DAY),
            Some(351 * DAY),
        ),
        ("long-lived", terms(EXTENDS, None), tokens(Some(60 * DAY)), Some(60 * DAY), Some(12 * DAY), Some(15 * DAY)),
        ("not before it may be", terms(EXTENDS, None), tokens(Some(3 * DAY)), Some(3 * DAY), Some(DAY), Some(DAY + 3 * DAY / 20)),
        ("a person", terms(CONSENT, None), tokens(Some(60 * DAY)), Some(60 * DAY), Some(53 * DAY), Some(53 * DAY)),
        (
            "a person, with a refresh token",
            terms(CONSENT, None),
            refreshable(60 * DAY, Some(365 * DAY)),
            Some(365 * DAY),
            Some(358 * DAY),
            Some(358 * DAY),
        ),
        ("a person, soon", terms(CONSENT, None), tokens(Some(4 * DAY)), Some(4 * DAY), Some(2 * DAY), Some(2 * DAY)),
        ("a person, without an end", terms(CONSENT, None), tokens(None), None, None, None),
        ("never", terms(Renewal::Never, None), tokens(None), None, None, None),
        ("never, whatever ends", terms(Renewal::Never, Some(DAY)), tokens(Some(HOUR)), None, None, None),
    ] {
        let lives = [FIRST, LAST].map(|chance| GrantLife::new(&terms, &tokens, at(0), chance));
        assert_eq!(lives.map(|life| life.ends_at), [ends.map(at); 2], "{what}");
        assert_eq!(lives[0].renew_at, first.map(at), "{what}");
        // The last second that chance can give is the one before.
        let latest = last.map(|last| if Some(last) == first { at(last) } else { at(last - 1) });
        assert_eq!(lives[1].renew_at, latest, "{what}");
    }
}

#[test]
fn a_look_finds_what_there_is_to_do_then() {
    let (x, threads, linkedin) = (like_x(), like_threads(), like_linkedin());
    let fixed = (terms(Renewal::Stable, None), refreshable(HOUR, Some(365 * DAY)));
    for (what, (terms, tokens), now, step) in [
        ("X, a second before", &x, 36 * DAY - 1, GrantStep::Nothing),
        ("X, at a fifth", &x, 36 * DAY, GrantStep::Renew),
        ("X, when nobody came for a year", &x, 400 * DAY, GrantStep::Renew),
        ("Threads, at a fifth", &threads, 12 * DAY, GrantStep::Renew),
        ("Threads, at the last moment", &threads, 60 * DAY - 1, GrantStep::Renew),
        ("Threads, at its end", &threads, 60 * DAY, GrantStep::Over),
        ("LinkedIn, a second before the warning", &linkedin, 53 * DAY - 1, GrantStep::Nothing),
        ("LinkedIn, a week ahead", &linkedin, 53 * DAY, GrantStep::Ask(at(60 * DAY))),
        ("LinkedIn, at its end", &linkedin, 60 * DAY, GrantStep::Over),
        ("a refresh token with an end", &fixed, 351 * DAY, GrantStep::Ask(at(365 * DAY))),
        ("a refresh token at its end", &fixed, 365 * DAY, GrantStep::Over),
    ] {
        assert_eq!(connected(terms, tokens).grant_step(terms, at(now), FIRST), step, "{what}");
    }
}

#[test]
fn an_account_that_cannot_be_used_is_looked_at_by_nobody() {
    let (terms, tokens) = like_threads();
    let used = connected(&terms, &tokens);
    assert_eq!(used.renews_at(), Some(at(12 * DAY)));
    for health in [Health::NeedsReauth, Health::Limited, Health::Disconnecting] {
        let other = Connection { health, ..used.clone() };
        assert_eq!((other.renews_at(), other.grant_step(&terms, at(20 * DAY), FIRST)), (None, GrantStep::Nothing), "{health:?}");
    }
}

#[test]
fn a_grant_that_was_renewed_since_is_looked_at_at_a_fifth_of_its_new_life() {
    let (terms, tokens) = like_x();
    let written = connected(&terms, &tokens);
    let looked = written.life.renew_at;
    let used = refreshed(written, &terms, &tokens, at(10 * DAY));
    assert_eq!(used.life.renew_at, looked, "a post of each hour does not move the index");
    assert_eq!(used.grant_step(&terms, at(36 * DAY), FIRST), GrantStep::Later(Some(at(46 * DAY))));
    assert_eq!(used.grant_step(&terms, at(36 * DAY), LAST), GrantStep::Later(Some(at(55 * DAY - 1))));
    let moved = used.renewing_at(Some(at(46 * DAY)), at(36 * DAY));
    assert_eq!(moved.grant_step(&terms, at(46 * DAY), FIRST), GrantStep::Renew);
}

#[test]
fn the_index_is_moved_when_half_of_its_time_is_over() {
    let (terms, tokens) = like_x();
    for (now, moved) in [(1, 36 * DAY), (18 * DAY, 36 * DAY), (19 * DAY, 55 * DAY), (40 * DAY, 76 * DAY)] {
        let next = refreshed(connected(&terms, &tokens), &terms, &tokens, at(now));
        assert_eq!(next.life.renew_at, Some(at(moved)), "renewed at {now}");
        assert_eq!(next.life.granted_at, at(now));
    }
}

#[test]
fn a_renewal_that_comes_to_nothing_is_tried_again_sooner_the_less_time_is_left() {
    let (terms, tokens) = like_threads();
    for (now, wait) in [(12 * DAY, 6 * HOUR), (58 * DAY, 2 * DAY / 20), (60 * DAY - HOUR, 10 * MINUTE)] {
        let tried = connected(&terms, &tokens).leased(AttemptId::new(at(now), [3; 10]), at(now));
        assert_eq!(tried.life.renew_at, Some(at(now + wait)), "{now}");
        assert_eq!(tried.grant_step(&terms, at(now + wait - 1), FIRST), GrantStep::Nothing);
        assert_eq!(tried.grant_step(&terms, at(now + wait), FIRST), GrantStep::Renew);
        let done = refreshed(tried, &terms, &tokens_of_60_days_from(now), at(now + 1));
        assert_eq!(done.life.renew_at, Some(at(now + 1) + (at(now + 60 * DAY).duration_since(at(now + 1)) / 5)));
    }
    let (terms, tokens) = like_x();
    let untold = connected(&terms, &tokens).leased(AttemptId::new(at(36 * DAY), [3; 10]), at(36 * DAY));
    assert_eq!(untold.life.renew_at, Some(at(36 * DAY + 6 * HOUR)));
    let for_a_post = connected(&terms, &tokens).leased(AttemptId::new(at(DAY), [3; 10]), at(DAY));
    assert_eq!(for_a_post.life.renew_at, Some(at(36 * DAY)), "what is not due is not put off");
}

#[test]
fn what_a_platform_does_not_renew_yet_is_looked_at_when_it_does() {
    let (terms, tokens) = like_threads();
    let leased = || connected(&terms, &tokens).leased(AttemptId::new(at(12 * DAY), [3; 10]), at(12 * DAY));
    for (told, looked) in [(13 * DAY, 13 * DAY), (12 * DAY + 1, 12 * DAY + 10 * MINUTE), (0, 12 * DAY + 10 * MINUTE)] {
        let later = leased().not_renewed_before(at(told), at(12 * DAY));
        assert_eq!((later.renews_at(), later.lease), (Some(at(looked)), None), "{told}");
    }
}

fn tokens_of_60_days_from(now: i64) -> TokenSet {
    tokens(Some(now + 60 * DAY))
}

#[test]
fn an_owner_is_asked_once_for_each_end() {
    let (terms, tokens) = like_linkedin();
    let ends = at(60 * DAY);
    let asked = connected(&terms, &tokens).asked(ends, at(53 * DAY));
    assert_eq!((asked.life.reconnect_by, asked.renews_at(), asked.wants_reconnect()), (Some(ends), Some(ends), true));
    assert_eq!(asked.grant_step(&terms, at(60 * DAY - 1), FIRST), GrantStep::Nothing);
    assert_eq!(asked.grant_step(&terms, ends, FIRST), GrantStep::Over);
    let early = Connection { life: GrantLife { renew_at: Some(at(54 * DAY)), ..asked.life }, ..asked.clone() };
    assert_eq!(early.grant_step(&terms, at(54 * DAY), FIRST), GrantStep::Later(Some(ends)));
    // A consent begins anew; what expired meanwhile is mended, too.
    let again = GrantLife::new(&terms, &tokens_of_60_days_from(55 * DAY), at(55 * DAY), FIRST);
    let grant = Grant::new(PlatformName::X, ("7".to_owned(), "ann".to_owned()), AccountKind::Profile, &tokens, &[]);
    let reconnected = asked.reconnected(grant, "v2".to_owned(), again, at(55 * DAY));
    assert_eq!((reconnected.life, reconnected.wants_reconnect()), (again, false));
    assert_eq!(reconnected.life.renew_at, Some(at(108 * DAY)));
}

#[test]
fn a_text_that_was_surely_not_taken_is_tried_again_and_the_page_shows_the_date_meanwhile() {
    let (terms, tokens) = like_linkedin();
    let unasked = connected(&terms, &tokens).asked(at(60 * DAY), at(53 * DAY)).unasked(at(53 * DAY));
    assert_eq!((unasked.life.reconnect_by, unasked.renews_at()), (Some(at(60 * DAY)), Some(at(53 * DAY + HOUR))));
    assert_eq!(unasked.grant_step(&terms, at(53 * DAY + HOUR), FIRST), GrantStep::Ask(at(60 * DAY)));
}

#[test]
fn of_accounts_whose_grants_end_together_one_speaks_for_all() {
    let (terms, tokens) = like_linkedin();
    let account = |number: u8, ends: i64| {
        let account = connected(&terms, &tokens);
        let life = GrantLife { ends_at: Some(at(ends)), ..account.life };
        Connection { id: ConnectionId::new(at(0), [number; 10]), life, ..account }
    };
    let (first, second, third) = (account(1, 60 * DAY), account(2, 61 * DAY), account(3, 63 * DAY));
    let all = [third.clone(), second.clone(), first.clone()];
    assert_eq!([&first, &second, &third].map(|one| one.speaks_by(&all)), [Some(at(60 * DAY)), None, Some(at(63 * DAY))]);
    // The second is spoken for, and does not silence the one that ends a day before it.
    let chain = [account(1, 62 * DAY), account(2, 61 * DAY), account(3, 60 * DAY)];
    assert_eq!(chain.each_ref().map(|one| one.speaks_by(&chain)), [Some(at(61 * DAY)), None, Some(at(60 * DAY))]);
    // Who speaks may end last.
    let later = Connection { life: GrantLife { ends_at: Some(at(61 * DAY + HOUR)), ..first.life }, ..first.clone() };
    assert_eq!(later.speaks_by(&[second.clone(), later.clone()]), Some(at(61 * DAY)));
    for other in [
        Connection { platform: PlatformName::Facebook, ..first.clone() },
        Connection { health: Health::NeedsReauth, ..first.clone() },
        Connection { life: GrantLife { ends_at: None, ..first.life }, ..first },
    ] {
        assert_eq!(second.speaks_by(&[other, second.clone()]), Some(at(61 * DAY)));
    }
}

#[test]
fn an_access_token_that_is_renewed_for_a_post_does_not_ask_the_owner_anew() {
    let terms = terms(CONSENT, None);
    let of_a_year = |access: i64| refreshable(access, Some(365 * DAY));
    let asked = connected(&terms, &of_a_year(60 * DAY)).asked(at(365 * DAY), at(358 * DAY));
    let renewed = refreshed(asked.clone(), &terms, &of_a_year(420 * DAY), at(360 * DAY));
    assert_eq!((renewed.life, renewed.expires_at), (asked.life, Some(at(420 * DAY))));
    let unasked = refreshed(connected(&terms, &of_a_year(60 * DAY)), &terms, &of_a_year(420 * DAY), at(357 * DAY));
    assert_eq!(unasked.renews_at(), Some(at(358 * DAY)), "it is as near to its end as before");
    // Another end is another matter.
    let longer = refreshed(renewed, &terms, &refreshable(900 * DAY, Some(720 * DAY)), at(361 * DAY));
    assert_eq!((longer.life.reconnect_by, longer.life.asked_at, longer.renews_at()), (None, None, Some(at(713 * DAY))));
}

#[test]
fn what_an_account_wants_of_its_owner_is_counted_in_every_state() {
    let (terms, tokens) = like_linkedin();
    let fine = connected(&terms, &tokens);
    let asked = fine.clone().asked(at(60 * DAY), at(53 * DAY));
    for (connection, health, wants) in [
        (&fine, Health::Ok, false),
        (&asked, Health::Ok, true),
        (&fine, Health::NeedsReauth, true),
        (&fine, Health::Limited, true),
        (&asked, Health::Disconnecting, false),
    ] {
        assert_eq!(Connection { health, ..connection.clone() }.wants_reconnect(), wants, "{health:?}");
    }
}

#[test]
fn a_platform_that_is_kept_in_another_way_by_now_is_looked_at_accordingly() {
    let (_, tokens) = like_threads();
    let never = terms(Renewal::Never, None);
    let connection = connected(&terms(EXTENDS, None), &tokens);
    assert_eq!(connection.grant_step(&never, at(12 * DAY), FIRST), GrantStep::Later(None));
    assert_eq!(connection.clone().renewing_at(None, at(12 * DAY)).renews_at(), None);
    assert_eq!(connection.grant_step(&terms(CONSENT, None), at(12 * DAY), FIRST), GrantStep::Later(Some(at(53 * DAY))));
}

#[test]
fn a_grant_is_late_when_half_of_its_life_has_passed() {
    for ((terms, tokens), half) in [(like_threads(), 30 * DAY), (like_x(), 90 * DAY)] {
        let life = GrantLife::new(&terms, &tokens, at(0), FIRST);
        assert_eq!([half, half + 1].map(|now| life.is_late(&terms, at(now))), [false, true]);
    }
    let endless = GrantLife::unwatched(at(0));
    assert!(!endless.is_late(&terms(Renewal::Never, None), at(4_000 * DAY)));
}

#[test]
fn a_lease_tells_when_it_was_taken() {
    let (terms, tokens) = like_x();
    let leased = connected(&terms, &tokens).leased(AttemptId::new(at(9), [3; 10]), at(9));
    let lease = leased.lease.unwrap();
    assert_eq!((lease.taken_at(), lease.until), (at(9), at(9) + REFRESH_LEASE));
}
