//! Watching and breaking calls: what tests hold on to.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError, RwLock};
use std::time::Duration;

/// A call that a client is making.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallInfo {
    /// `dynamodb`, `sqs`, `scheduler`, `secretsmanager` or `sns`.
    pub service: &'static str,
    /// The API operation.
    pub operation: String,
}

/// How a call breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The connection breaks before the service saw the call.
    FailBefore,
    /// The service carries the call out, and the answer is lost.
    LoseAnswerAfterApply,
    /// The service refuses the call: too many at the moment.
    Throttle,
    /// The tables refuse a write: somebody else is writing the same items. Elsewhere as [`Fault::Throttle`].
    Conflict,
    /// The service never saw the call, and no answer ever comes.
    Stall,
    /// The service carries the call out, and no answer ever comes.
    StallAfterApply,
    /// The connection breaks at once, and the service carries the call out so much later.
    LandLate(Duration),
    /// An index that is behind: a query on one finds nothing. Elsewhere nothing happens.
    EmptyIndex,
    /// An index that is behind: a query on one is answered as it was the last time, if it was. Elsewhere nothing happens.
    StaleIndex,
    /// A vault that is behind: a version of a secret that is younger than this is not found yet. Elsewhere nothing happens.
    StaleSecret(Duration),
    /// The caller gives way once more before the service sees the call: whoever drives it may let it wait there.
    GiveWay,
    /// The service refuses the call with this code, and does nothing.
    Refuse(&'static str),
}

/// Decides for each call whether, and how, it breaks.
pub type Hook = Box<dyn Fn(&CallInfo) -> Option<Fault> + Send + Sync>;

/// Is told of each call that was carried out, right after it was.
pub type Afterwards = Box<dyn Fn(&str, &str) + Send + Sync>;

/// Is told of each call that meets a transaction under way.
pub type Conflicts = Box<dyn Fn(&CallInfo) + Send + Sync>;

#[derive(Default)]
pub(crate) struct Watch {
    hook: RwLock<Option<Hook>>,
    afterwards: RwLock<Option<Afterwards>>,
    conflicts: RwLock<Option<Conflicts>>,
    /// What indexes answered last.
    indexes: Mutex<BTreeMap<String, String>>,
    calls: Mutex<BTreeMap<String, u64>>,
}

impl Watch {
    pub(crate) fn set_hook(&self, hook: Hook) {
        *self.hook.write().unwrap_or_else(PoisonError::into_inner) = Some(hook);
    }

    /// Counts the call and says how it is to break.
    pub(crate) fn observe(&self, call: &CallInfo) -> Option<Fault> {
        let name = format!("{}.{}", call.service, call.operation);
        *self.calls.lock().unwrap_or_else(PoisonError::into_inner).entry(name).or_default() += 1;
        self.hook.read().unwrap_or_else(PoisonError::into_inner).as_ref().and_then(|hook| hook(call))
    }

    pub(crate) fn has_hook(&self) -> bool {
        self.hook.read().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    pub(crate) fn remember_index(&self, key: String, answer: String) {
        self.indexes.lock().unwrap_or_else(PoisonError::into_inner).insert(key, answer);
    }

    pub(crate) fn index_answer(&self, key: &str) -> Option<String> {
        self.indexes.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    pub(crate) fn set_afterwards(&self, afterwards: Afterwards) {
        *self.afterwards.write().unwrap_or_else(PoisonError::into_inner) = Some(afterwards);
    }

    pub(crate) fn set_conflicts(&self, conflicts: Conflicts) {
        *self.conflicts.write().unwrap_or_else(PoisonError::into_inner) = Some(conflicts);
    }

    /// A call met a transaction under way.
    pub(crate) fn met(&self, call: &CallInfo) {
        if let Some(conflicts) = self.conflicts.read().unwrap_or_else(PoisonError::into_inner).as_ref() {
            conflicts(call);
        }
    }

    /// A call was carried out.
    pub(crate) fn served(&self, service: &str, operation: &str) {
        if let Some(afterwards) = self.afterwards.read().unwrap_or_else(PoisonError::into_inner).as_ref() {
            afterwards(service, operation);
        }
    }

    pub(crate) fn calls(&self) -> BTreeMap<String, u64> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
