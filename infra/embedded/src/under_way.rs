//! Transactions under way. Whoever touches their items meanwhile is refused, as in the cloud.
//!
//! The engine carries out one call at a time. In the cloud a transaction takes milliseconds and holds its items as long. So here each
//! holds its items from when it arrives until it is carried out. Another transaction on one of them is cancelled, whatever it does with
//! it: a check counts like a write. A plain write on one of them is refused. Reads meet nothing, and plain writes do not meet each other.
//!
//! Harsher than the service where the service leaves it open: a transaction that is sent again with its token meets others like any. What
//! `BatchWriteItem` says is documented nowhere, so it meets nothing.
//! Source: <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html>, transaction conflict handling.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

/// How much longer than it takes a transaction holds its items when its caller stands still or was killed: the service does not wait
/// for a caller.
const CALLER_GONE: Duration = Duration::from_millis(20);

/// The items that transactions hold.
#[derive(Default)]
pub(crate) struct UnderWay {
    held: Mutex<Held>,
    takes_millis: AtomicU64,
}

#[derive(Default)]
struct Held {
    /// Numbers the transactions.
    last: u64,
    items: HashMap<ItemKey, Holder>,
}

/// An item by its table and the values of its key.
#[derive(Clone, PartialEq, Eq, Hash)]
struct ItemKey {
    table: String,
    key: String,
}

struct Holder {
    number: u64,
    until: Instant,
}

/// How a call stands to the transactions under way when it arrives.
pub(crate) enum Arrival {
    /// It meets none, and holds nothing.
    Free,
    /// It is a transaction, and holds its items until this is dropped.
    Holds(Hold),
    /// It meets one, in these of its legs; a plain write has one leg.
    Meets(Vec<bool>),
}

/// Lets go of a transaction's items when it is dropped.
pub(crate) struct Hold {
    under_way: Arc<UnderWay>,
    number: u64,
    takes: Duration,
    items: Vec<ItemKey>,
}

impl Drop for Hold {
    fn drop(&mut self) {
        let mut held = self.under_way.held();
        for item in &self.items {
            // After it has stood still another one may have the item.
            if held.items.get(item).is_some_and(|holder| holder.number == self.number) {
                held.items.remove(item);
            }
        }
    }
}

impl UnderWay {
    /// How long transactions take from now on.
    pub(crate) fn take(&self, time: Duration) {
        self.takes_millis.store(u64::try_from(time.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    fn takes(&self) -> Duration {
        Duration::from_millis(self.takes_millis.load(Ordering::Relaxed))
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A call arrives. `key_names` are those of a table's key attributes; none, where there is no such table.
    pub(crate) fn arrive(self: &Arc<Self>, operation: &str, body: &[u8], key_names: impl Fn(&str) -> Arc<[String]>) -> Arrival {
        let legs = match operation {
            "TransactWriteItems" | "TransactGetItems" => legs(body),
            // Most meet nothing, and need not be read for that.
            "PutItem" | "UpdateItem" | "DeleteItem" if !self.held().items.is_empty() => serde_json::from_slice(body).into_iter().collect(),
            _ => return Arrival::Free,
        };
        let items: Vec<Option<ItemKey>> = legs.iter().map(|leg| item_key(leg, &key_names)).collect();
        let now = Instant::now();
        let mut held = self.held();
        let is_held = |item: &ItemKey| held.items.get(item).is_some_and(|holder| holder.until > now);
        let met: Vec<bool> = items.iter().map(|item| item.as_ref().is_some_and(is_held)).collect();
        if met.contains(&true) {
            return Arrival::Meets(met);
        }
        if operation != "TransactWriteItems" {
            return Arrival::Free;
        }
        held.last += 1;
        let (number, takes) = (held.last, self.takes());
        let until = now + takes + CALLER_GONE;
        let items: Vec<ItemKey> = items.into_iter().flatten().collect();
        held.items.extend(items.iter().map(|item| (item.clone(), Holder { number, until })));
        Arrival::Holds(Hold { under_way: self.clone(), number, takes, items })
    }
}

impl Arrival {
    /// The time that passes until the call is carried out. Each gives way at least, as over a network.
    pub(crate) async fn pass(&self) {
        match self {
            Self::Holds(hold) if !hold.takes.is_zero() => tokio::time::sleep(hold.takes).await,
            _ => tokio::task::yield_now().await,
        }
    }
}

/// What a transaction does with each item.
fn legs(body: &[u8]) -> Vec<Value> {
    let mut body: Value = serde_json::from_slice(body).unwrap_or_default();
    let Value::Array(legs) = body["TransactItems"].take() else { return Vec::new() };
    let what = |leg: Value| match leg {
        Value::Object(leg) => leg.into_iter().map(|(_, what)| what).find(Value::is_object).unwrap_or_default(),
        _ => Value::Null,
    };
    legs.into_iter().map(what).collect()
}

/// The item of a write, a check or a read. `None`: the engine refuses it for what it says.
fn item_key(leg: &Value, key_names: &impl Fn(&str) -> Arc<[String]>) -> Option<ItemKey> {
    let table = leg["TableName"].as_str()?;
    let attributes = leg.get("Item").or_else(|| leg.get("Key"))?;
    let names = key_names(table);
    let values: Vec<&Value> = names.iter().map(|name| attributes.get(name)).collect::<Option<_>>()?;
    (!values.is_empty()).then(|| ItemKey { table: table.to_owned(), key: values.iter().map(ToString::to_string).collect() })
}
