//! What must hold when everything rests, counted in the platform and in the tables. The names are those of the invariants.

use std::collections::{BTreeMap, BTreeSet};

use domain::connection::Health;
use domain::platform::Reconcile;
use domain::post::{LEASE, WAKE_GRACE};
use embedded::{DEAD_LETTERS, WAKE_UPS};
use jiff::{SignedDuration, Timestamp};
use local::variables::tables;
use serde_json::{Value, json};

use crate::bad_rows;
use crate::grants;
use crate::network::{Publication, READS};
use crate::numbers;
use crate::plan::{CLOCK_JUMP_SECS, Kind};
use crate::scenario::{Deed, Scenario};
use crate::waiting;
use crate::world::World;

/// How early or late a post may be by clocks that differ.
const SKEW: SignedDuration = SignedDuration::from_secs(60);
/// A call that was begun in time may end so much later.
const CALL: SignedDuration = SignedDuration::from_secs(90);

/// The most that one answer of ours that is lost, or says "later", may cost; and the most that a run without a fault may.
const SWIFT: SignedDuration = SignedDuration::from_secs(5);
/// The most that one answer may cost that does not come: a time-out more.
const STALLED: SignedDuration = SignedDuration::from_secs(10);
/// The most that a part of ours may cost that fails for all of a call's tries. A wake-up that is lost by it is made good by the sweeper, and a
/// post that is put back meets the lease on its tokens.
const PUT_BACK: SignedDuration = SignedDuration::from_secs(WAKE_GRACE.as_secs() + 60 + 20);

/// A post as its row says.
pub(crate) struct Row {
    pub(crate) id: String,
    pub(crate) user: String,
    pub(crate) status: String,
    pub(crate) text: String,
    pub(crate) due: Timestamp,
    pub(crate) latest: Timestamp,
    approved: Option<Timestamp>,
    /// When it last went on after it was held.
    resumed: Option<Timestamp>,
    cycle: Option<String>,
    /// The platform's id.
    pub(crate) bound: Option<String>,
    pub(crate) person: usize,
    account: String,
    /// What the row says went wrong.
    pub(crate) code: String,
}

/// How much later a queue in disorder may hand out what a post needs.
const DISORDER: SignedDuration = SignedDuration::from_secs(60);
/// Whoever vanishes leaves a post alone for a lease, the grace of its wake-up and a sweep, and a little.
const TAKEN_OVER: SignedDuration = SignedDuration::from_secs(LEASE.as_secs() + WAKE_GRACE.as_secs() + 60 + 15);

/// Checks all of it and returns how the posts ended.
///
/// `jobs_ran`: the jobs ran once more when nothing broke any more.
pub(crate) fn check(world: &World, scenario: &Scenario, jobs_ran: bool) -> anyhow::Result<Vec<String>> {
    let items = scan(world, &tables().posts)?;
    let rows = rows(world, scenario, &items)?;
    let publications = world.network.publications();
    let say = |text: String| world.injector.violation(text);
    rest(&rows, &say);
    published_once(&rows, &publications, &say);
    on_time(world, &rows, &publications, &say);
    undisturbed(world, scenario, &rows, &publications, &say);
    bound_once(&items, &rows, &say);
    numbers::one_row_each(&items, &rows, &say);
    intents(scenario, &items, &rows, &say);
    attempts(&items, &rows, &say);
    story(&items, &rows, &say);
    let (paid, users) = (scan(world, &tables().ledger)?, scan(world, &tables().users)?);
    nobody_elses(world, scenario, &[&items, &paid, &users], &say);
    ledger(&paid, &rows, &say);
    connections(world, scenario, &users, &say)?;
    grants::asked_once(world, scenario, &say)?;
    waiting::told(world, &items, &rows, &say);
    waiting::went_on(world, (users.as_slice(), paid.as_slice()), &rows, &say);
    dead_letters(world, scenario, &say)?;
    closed(world, scenario, jobs_ran, &paid, &say);
    bad_rows::check(world)?;
    Ok(rows.into_iter().map(|row| row.status).collect())
}

/// What is no wake-up, or one of a post that cannot be read, ends as a dead letter; without a fault, nothing else does.
fn dead_letters(world: &World, scenario: &Scenario, say: &dyn Fn(String)) -> anyhow::Result<()> {
    let is_bad = |deed: &Deed| matches!(deed, Deed::Poison | Deed::WakeUnreadable);
    let (dead, poison) = (world.aws.messages(DEAD_LETTERS)?, scenario.deeds.iter().filter(|(_, deed)| is_bad(deed)).count());
    let poison = u64::try_from(poison)?;
    if dead < poison || (dead > poison && world.injector.hits().is_empty()) {
        say(format!("S23: {dead} dead letters for {poison} messages that nobody can follow"));
    }
    if world.aws.messages(WAKE_UPS)? > 0 {
        say("S23: a message is neither done nor a dead letter".to_owned());
    }
    Ok(())
}

/// L12: where the cycle job ran undisturbed, no row that it cannot read has kept a cycle open. One fault keeps one run of three from it.
fn closed(world: &World, scenario: &Scenario, jobs_ran: bool, ledger: &[Value], say: &dyn Fn(String)) {
    let again = scenario.deeds.iter().filter(|(_, deed)| *deed == Deed::CloseCycles).count() > 1;
    if !jobs_ran && (!again || world.injector.hits().len() > 1) {
        return;
    }
    let is_over = |cycle: &&Value| field(cycle, "end").parse::<Timestamp>().is_ok_and(|end| end < world.clock.now());
    let cycles = ledger.iter().filter(|item| field(item, "sk").starts_with("CYCLE#")).filter(is_over);
    for cycle in cycles.filter(|cycle| field(cycle, "closed_at").is_empty()) {
        say(format!("L12: the cycle from {} of {} is still open", field(cycle, "start"), field(cycle, "user_id")));
    }
}

/// Nothing of one person's is about another's account.
fn nobody_elses(world: &World, scenario: &Scenario, items: &[&[Value]], say: &dyn Fn(String)) {
    for (person, owner) in world.people.iter().enumerate() {
        let others = || world.people.iter().enumerate().filter(|(other, of)| *other != person && of.user != owner.user);
        let accounts = others().map(|(other, _)| scenario.account(other)).filter(|account| *account != scenario.account(person));
        let foreign: Vec<String> = accounts.chain(others().map(|(_, of)| of.user.to_string())).collect();
        let pk = format!("USER#{}", owner.user);
        for item in items.iter().copied().flatten().filter(|item| item["pk"]["S"] == pk.as_str()) {
            let told = item.to_string();
            if foreign.iter().any(|foreign| told.contains(foreign)) {
                say(format!("S26: {} of {} tells of somebody else", field(item, "sk"), owner.user));
            }
        }
    }
}

fn scan(world: &World, table: &str) -> anyhow::Result<Vec<Value>> {
    let scanned = world.aws.tables("Scan", &json!({ "TableName": table, "ConsistentRead": true }))?;
    let is_good = |item: &&Value| !bad_rows::is_one(item);
    Ok(scanned["Items"].as_array().into_iter().flatten().filter(is_good).cloned().collect())
}

pub(crate) fn field(item: &Value, name: &str) -> String {
    item[name]["S"].as_str().unwrap_or_default().to_owned()
}

pub(crate) fn number(item: &Value, name: &str) -> i64 {
    item[name]["N"].as_str().and_then(|number| number.parse().ok()).unwrap_or(-1)
}

fn rows(world: &World, scenario: &Scenario, items: &[Value]) -> anyhow::Result<Vec<Row>> {
    let find = |sk: &str| items.iter().find(|item| item["sk"]["S"] == sk);
    let mut rows = Vec::new();
    for (n, post) in world.posts.borrow().iter().enumerate() {
        let id = post["id"].as_str().unwrap_or_default().to_owned();
        let item = find(&format!("POST#{id}")).ok_or_else(|| anyhow::anyhow!("post {n} is gone"))?;
        let content = find(&format!("POST#{id}#CONTENT")).ok_or_else(|| anyhow::anyhow!("post {n} has no content"))?;
        let state = &item["state"]["M"];
        rows.push(Row {
            user: field(item, "user_id"),
            status: field(item, "status"),
            text: field(content, "text"),
            due: field(item, "due_at").parse()?,
            latest: field(item, "latest_at").parse()?,
            approved: field(item, "approved_at").parse().ok(),
            resumed: resumed(items, &id),
            cycle: item["cycle_start"]["S"].as_str().map(str::to_owned),
            bound: state["platform_post_id"]["S"].as_str().map(str::to_owned),
            person: scenario.posts[n].person,
            account: scenario.account(scenario.posts[n].person),
            code: state["failure"]["S"].as_str().unwrap_or_default().to_owned(),
            id,
        });
    }
    Ok(rows)
}

fn resumed(items: &[Value], id: &str) -> Option<Timestamp> {
    let prefix = format!("POST#{id}#EVENT#");
    let goes_on =
        |item: &&Value| field(item, "sk").starts_with(&prefix) && field(item, "from") == "held" && field(item, "to") == "scheduled";
    items.iter().filter(goes_on).filter_map(|item| field(item, "at").parse().ok()).max()
}

fn rest(rows: &[Row], say: &dyn Fn(String)) {
    for row in rows {
        if ["scheduled", "held", "publishing", "processing", "unknown"].contains(&row.status.as_str()) {
            say(format!("L1: {} ended {}", row.text, row.status));
        }
    }
}

fn published_once(rows: &[Row], publications: &[Publication], say: &dyn Fn(String)) {
    let mut shown: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for publication in publications {
        *shown.entry((&publication.account, &publication.text)).or_default() += 1;
    }
    for ((account, text), count) in &shown {
        let meant: Vec<&Row> = rows.iter().filter(|row| row.account == *account && row.text == *text).collect();
        if meant.is_empty() {
            say(format!("S9: {account} shows {text:?}, which is not what any of its posts says"));
        } else if *count > meant.len() {
            say(format!("S1: {account} shows {text:?} {count} times for {} posts", meant.len()));
        }
        let published = meant.iter().filter(|row| row.status == "published").count();
        if published > *count {
            say(format!("S2: {account} shows {text:?} {count} times, and {published} posts say that they are there"));
        }
        let may_show = meant.iter().filter(|row| !["cancelled", "draft", "failed", "missed"].contains(&row.status.as_str())).count();
        if *count > may_show && !meant.is_empty() {
            let ended: Vec<_> = meant.iter().map(|row| row.status.as_str()).collect();
            say(format!("S8: {account} shows {text:?} {count} times, and its posts ended {ended:?}"));
        }
    }
    for row in rows.iter().filter(|row| row.status == "published") {
        let found = publications.iter().find(|publication| match &row.bound {
            Some(bound) => publication.id == *bound,
            // Its owner saw it, and no id is known.
            None => publication.account == row.account && publication.text == row.text,
        });
        match found {
            // Who has connected the same account may have sent the same.
            Some(found) if row.bound.is_some() && found.by != row.person => {
                say(format!("S2: {} of person {} is bound to what person {} sent", row.text, row.person, found.by));
            }
            Some(found) if found.text == row.text && found.account == row.account => {}
            Some(found) => say(format!("S2: {} is bound to {:?} of {}", row.text, found.text, found.account)),
            None => say(format!("S2: {} is published and the platform does not hold it", row.text)),
        }
    }
}

fn on_time(world: &World, rows: &[Row], publications: &[Publication], say: &dyn Fn(String)) {
    let jump = if world.injector.clocks_jumped() { SignedDuration::from_secs(CLOCK_JUMP_SECS) } else { SignedDuration::ZERO };
    for row in rows {
        // Bound or not: what only this post says can only be it.
        let alone = rows.iter().filter(|other| other.account == row.account && other.text == row.text).count() == 1;
        let of_row = |publication: &&Publication| match &row.bound {
            Some(bound) => publication.id == *bound,
            None => alone && publication.account == row.account && publication.text == row.text,
        };
        let Some(publication) = publications.iter().find(of_row) else { continue };
        if publication.at + SKEW + jump < row.due {
            say(format!("S10: {} went out at {} and was due at {}", row.text, publication.at, row.due));
        }
        if publication.at > row.latest + CALL + jump {
            say(format!("S22: {} went out at {} and was missed after {}", row.text, publication.at, row.latest));
        }
    }
}

/// A fault of our own services that stops no function leaves no doubt about a post (L9), and a lost answer no delay (L8). Nor do
/// transactions that meet, which they may without any fault.
fn undisturbed(world: &World, scenario: &Scenario, rows: &[Row], publications: &[Publication], say: &dyn Fn(String)) {
    let hits = world.injector.hits();
    let kind = match hits.as_slice() {
        [] => None,
        [hit] => Some(hit.kind),
        _ => return,
    };
    let slack = if scenario.disorder { DISORDER } else { SignedDuration::ZERO };
    let most = match kind {
        None | Some(Kind::AnswerLost | Kind::NotApplied | Kind::Throttled | Kind::Conflict) => Some(("L8", SWIFT)),
        Some(Kind::Stalled | Kind::StalledAfter) => Some(("L8", STALLED)),
        Some(Kind::NotAppliedThrice | Kind::AnswerLostThrice | Kind::VaultBusy) => Some(("L8", PUT_BACK)),
        Some(Kind::CrashBefore | Kind::CrashAfter) => Some(("L2", TAKEN_OVER)),
        Some(_) => None,
    };
    for row in rows {
        let Some(publication) = publications.iter().find(|publication| Some(&publication.id) == row.bound.as_ref()) else { continue };
        let asked = row.due.max(row.approved.unwrap_or(row.due)).max(row.resumed.unwrap_or(row.due));
        let asked = asked.max(prepared_by(world, scenario, row)) + slack;
        if let Some((name, most)) = most.filter(|(_, most)| publication.sent_at > asked + *most) {
            say(format!(
                "{name}: {} faults made {} late by more than {} s: {} instead of {asked}",
                hits.len(),
                row.text,
                most.as_secs(),
                publication.sent_at
            ));
        }
    }
    if kind.is_some_and(|kind| !kind.is_gentle()) {
        return;
    }
    // What was accepted and not shown yet when its account went is nobody's to see.
    let unseen = scenario.reconcile == Reconcile::Handle && scenario.deeds.iter().any(|(_, deed)| matches!(deed, Deed::Disconnect(_)));
    let doubted = unseen || scenario.lost_sends > 0;
    for row in rows.iter().filter(|row| !doubted && ["unknown", "needs_review"].contains(&row.status.as_str())) {
        say(format!("L9: {} ended {} though the platform always answered", row.text, row.status));
    }
}

/// When a platform that is at work on its posts is done with one, and we have seen so: a sweep begins it, anew for each version, and we look ever
/// less often.
fn prepared_by(world: &World, scenario: &Scenario, row: &Row) -> Timestamp {
    if scenario.reconcile != Reconcile::Handle || scenario.prepare_secs == 0 {
        return row.due;
    }
    // What is forgotten is made anew when it is due.
    let ahead = if scenario.handle_secs == 0 { scenario.lead_secs } else { 0 };
    let deeds = scenario.deeds.iter().filter(|(_, deed)| !matches!(deed, Deed::ReadNumbers | Deed::RenewGrants | Deed::CloseCycles));
    let last = deeds.map(|(at, _)| i64::try_from(*at).unwrap_or_default()).max().unwrap_or_default();
    let last = world.began + SignedDuration::from_secs(last);
    let begun = last.max(row.due - SignedDuration::from_secs(ahead)) + SignedDuration::from_secs(80);
    begun + SignedDuration::from_secs(scenario.prepare_secs * 5 / 4 + 20)
}

fn bound_once(items: &[Value], rows: &[Row], say: &dyn Fn(String)) {
    let bound: Vec<_> = items.iter().filter(|item| field(item, "pk").starts_with("BOUND#")).collect();
    for row in rows.iter().filter(|row| row.bound.is_some()) {
        let of: Vec<_> = bound.iter().filter(|item| field(item, "post_id") == row.id).collect();
        if of.len() != 1 {
            say(format!("S25: {} is bound {} times", row.text, of.len()));
        }
    }
}

/// What may show on an account has a row there, and nothing else has. What an edited post said before may have one, too.
fn intents(scenario: &Scenario, items: &[Value], rows: &[Row], say: &dyn Fn(String)) {
    let edited = scenario.deeds.iter().any(|(_, deed)| matches!(deed, Deed::Edit(_) | Deed::EditAgain(_)));
    for row in rows {
        let post = items.iter().find(|item| field(item, "sk") == format!("POST#{}", row.id));
        let unseen = post.is_some_and(|post| post["unseen"]["L"].as_array().is_some_and(|sends| !sends.is_empty()));
        let by_its_owner = row.status == "published" && row.bound.is_none();
        let may_show = ["unknown", "needs_review"].contains(&row.status.as_str()) || unseen || by_its_owner;
        let pk = format!("ACCOUNT#x#{}", row.account);
        let sent = post.map(|post| &post["sent_to"]["M"]).filter(|sent| sent.is_object());
        let told: Vec<_> = items.iter().filter(|item| field(item, "pk") == pk && field(item, "post_id") == row.id).collect();
        let of_what_was_sent = |item: &&&Value| sent.is_some_and(|sent| number(item, "version") == number(sent, "version"));
        let stand = if edited { told.iter().filter(of_what_was_sent).count() } else { told.len() };
        // What the platform accepted under a handle and nobody could follow is a person's, and no search looks for it.
        let followed = sent.is_some() || scenario.reconcile != Reconcile::Handle;
        if stand != usize::from(may_show && followed) {
            say(format!("S28: {} is {}, and {stand} intents tell of it", row.text, row.status));
        }
    }
}

/// Every try left a row of its own: when all rests, none is under way.
fn attempts(items: &[Value], rows: &[Row], say: &dyn Fn(String)) {
    for row in rows {
        let prefix = format!("POST#{}#TRY#", row.id);
        let told: BTreeSet<i64> =
            items.iter().filter(|item| field(item, "sk").starts_with(&prefix)).map(|item| number(item, "number")).collect();
        let made =
            items.iter().find(|item| field(item, "sk") == format!("POST#{}", row.id)).map_or(0, |post| number(post, "attempt_count"));
        if told != (1..=made).collect() {
            say(format!("S12: {} was tried {made} times, and its rows tell {told:?}", row.text));
        }
    }
    let mut ids = BTreeSet::new();
    for item in items.iter().filter(|item| field(item, "sk").contains("#TRY#")) {
        if !ids.insert(field(item, "id")) {
            say(format!("S12: attempt {} is told twice", field(item, "id")));
        }
    }
}

/// Every stored change of a post left its row, each leads on from the one before, and the last one is where the post stands.
fn story(items: &[Value], rows: &[Row], say: &dyn Fn(String)) {
    for row in rows {
        let prefix = format!("POST#{}#EVENT#", row.id);
        let mut events: Vec<_> = items.iter().filter(|item| field(item, "sk").starts_with(&prefix)).collect();
        events.sort_by_key(|event| field(event, "sk"));
        let revs: Vec<i64> = events.iter().filter_map(|event| field(event, "sk").rsplit('#').next()?.parse().ok()).collect();
        let post = items.iter().find(|item| field(item, "sk") == format!("POST#{}", row.id));
        let rev = post.map_or(0, |post| number(post, "rev"));
        if revs != (1..=rev).collect::<Vec<_>>() {
            say(format!("S7: {} is at rev {rev} and its events tell {revs:?}", row.text));
        }
        let mut stood = String::new();
        for event in events {
            if field(event, "from") != stood {
                say(format!("S7: {} went from {} and stood at {stood}", row.text, field(event, "from")));
            }
            stood = field(event, "to");
        }
        if stood != row.status {
            say(format!("S7: {} is {} and its events end with {stood}", row.text, row.status));
        }
    }
}

fn ledger(items: &[Value], rows: &[Row], say: &dyn Fn(String)) {
    for cycle in items.iter().filter(|item| field(item, "sk").starts_with("CYCLE#")) {
        let (owner, start) = (field(cycle, "user_id"), field(cycle, "start"));
        let [granted, used, reserved] = ["granted", "used", "reserved"].map(|name| number(cycle, name));
        if used < 0 || reserved < 0 {
            say(format!("S3: {used} are used and {reserved} reserved"));
        }
        let total = granted.max(used + reserved);
        let remaining = total - used - reserved;
        let pays = |row: &&Row| row.user == owner && row.cycle.as_deref() == Some(start.as_str());
        let count = |wanted: &[&str]| rows.iter().filter(pays).filter(|row| wanted.contains(&row.status.as_str())).count();
        let (published, holding) = (count(&["published"]), count(&["scheduled", "publishing", "processing", "unknown", "needs_review"]));
        if usize::try_from(used).ok() != Some(published) {
            say(format!("S4: {used} are used and {published} posts of the cycle are published"));
        }
        if usize::try_from(reserved).ok() != Some(holding) {
            say(format!("S5: {reserved} are reserved and {holding} posts hold a place"));
        }
        history(items, &owner, &start, (total, remaining, used, number(cycle, "reservations")), say);
    }
    for row in rows.iter().filter(|row| row.cycle.is_some()) {
        let paid = items.iter().any(|item| {
            field(item, "sk").starts_with("CYCLE#") && field(item, "user_id") == row.user && Some(field(item, "start")) == row.cycle
        });
        if !paid {
            say(format!("S6: the cycle of {} is not there", row.text));
        }
    }
}

fn history(items: &[Value], owner: &str, start: &str, held: (i64, i64, i64, i64), say: &dyn Fn(String)) {
    let of_cycle = |item: &&Value| {
        let sk = field(item, "sk");
        sk.starts_with("HISTORY#") && field(item, "pk") == format!("USER#{owner}") && field(item, "cycle_start") == start
    };
    let mut rows: Vec<_> = items.iter().filter(of_cycle).collect();
    rows.sort_by_key(|item| field(item, "id"));
    let story: Vec<_> = rows.iter().map(|row| (field(row, "reason"), number(row, "new_total"))).collect();
    let (mut total, mut free, mut published, mut reserved, mut opened) = (0, 0, 0, 0, 0);
    for row in rows {
        if number(row, "previous_total") != total || number(row, "previous_remaining") != free {
            say(format!("S7: history row {} does not follow the one before", field(row, "id")));
        }
        (total, free) = (number(row, "new_total"), number(row, "new_remaining"));
        published += i64::from(field(row, "reason") == "post_published") - i64::from(field(row, "reason") == "post_unbound");
        reserved += i64::from(field(row, "reason") == "post_reserved");
        // A cycle ahead of a plan that lapses is emptied, may be filled again, and is closed as it is: none of that opens it.
        opened +=
            i64::from(number(row, "previous_total") == 0 && !["plan_changed", "cycle_closed"].contains(&field(row, "reason").as_str()));
    }
    let told = (total, free, published, reserved);
    if told != held {
        say(format!("S7: the history comes to {told:?} and the cycle holds {held:?}"));
    }
    if opened != 1 {
        say(format!("S6: the cycle from {start} was opened {opened} times: {story:?}"));
    }
}

fn connections(world: &World, scenario: &Scenario, items: &[Value], say: &dyn Fn(String)) -> anyhow::Result<()> {
    let secrets = world.aws.secrets()?;
    let rows: Vec<_> = items.iter().filter(|item| field(item, "sk").starts_with("CONNECTION#")).collect();
    for row in &rows {
        let (name, version) = (field(row, "secret_name"), field(row, "secret_version"));
        if !secrets.iter().any(|(of, at, _)| *of == name && *at == version) {
            say(format!("S15: the tokens of {} cannot be read", field(row, "username")));
        }
    }
    grants::live_on(world, scenario, &rows, say);
    // Whatever our own services do while no function is stopped, tokens that a platform has renewed are kept.
    let gentle = world.injector.hits().iter().all(|hit| hit.kind.is_gentle());
    for row in rows.iter().filter(|row| gentle && field(row, "health") == Health::NeedsReauth.as_str()) {
        say(format!("S30: the grant of {} is lost", field(row, "username")));
    }
    for (name, ..) in secrets.iter().filter(|(name, ..)| name.contains("/connection/")) {
        if !rows.iter().any(|row| field(row, "secret_name") == *name) {
            say(format!("S16: {name} belongs to no connection"));
        }
    }
    for (person, gone_at) in world.disconnected.borrow().iter() {
        // A consent that was under way at the end of the disconnect may be stored after it: then its row stands, or went by another disconnect.
        let account = scenario.account(*person);
        let stands = rows.iter().any(|row| field(row, "platform_user_id") == account);
        let may_be_later = stands || world.disconnected.borrow().iter().any(|(who, at)| who == person && at > gone_at);
        let returned = world.returned.borrow();
        let is_after = |begins: &Timestamp, at: &Timestamp| begins >= gone_at || (may_be_later && at >= gone_at);
        let came_back = returned.iter().filter(|(who, begins, at)| who == person && is_after(begins, at));
        let came_back = came_back.map(|(_, begins, _)| *begins).min();
        for (account_id, call, at) in world.network.acted() {
            let is_gone = at > *gone_at && came_back.is_none_or(|begins| at < begins);
            if account_id == account && is_gone && call != "revoke" && !READS.contains(&call) {
                say(format!("S17: {call} for {account_id} at {at}, after it was disconnected at {gone_at}"));
            }
        }
        if came_back.is_none() && stands {
            say(format!("S17: the row of {account} is still there"));
        }
    }
    Ok(())
}
