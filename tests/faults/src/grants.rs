//! What must hold of grants: those that were looked after in time live on, and an owner is asked once.

use serde_json::Value;

use crate::check::field;
use crate::scenario::{Deed, Keeping, Scenario};
use crate::world::{World, phone};

/// What only a text that asks to connect again says.
const ASKS: &str = "please connect";

/// L13: no grant that can be renewed by a call has died while our own services alone failed, and no function stopped.
pub(crate) fn live_on(world: &World, scenario: &Scenario, connections: &[&Value], say: &dyn Fn(String)) {
    let looked_after = scenario.all_deeds().any(|deed| deed == Deed::RenewGrants);
    let gentle = world.injector.hits().iter().all(|hit| hit.kind.is_gentle());
    if !looked_after || !gentle || scenario.keeping == Keeping::Consent {
        return;
    }
    for row in connections {
        let account = field(row, "platform_user_id");
        if !world.network.lives_on(&account) {
            say(format!("L13: the grant of {account} has died of its age"));
        }
    }
}

/// S32: no owner is asked twice for one end, and where nothing breaks each is asked.
pub(crate) fn asked_once(world: &World, scenario: &Scenario, say: &dyn Fn(String)) -> anyhow::Result<()> {
    let ends = usize::from(scenario.keeping == Keeping::Consent);
    let texts = world.aws.inbox()?;
    for person in 0..scenario.people {
        let asked = texts.iter().filter(|text| text.phone == phone(person) && text.body.contains(ASKS)).count();
        if asked > ends || (asked < ends && world.injector.hits().is_empty()) {
            say(format!("S32: person {person} was asked {asked} times to connect again, for {ends} ends"));
        }
    }
    Ok(())
}
