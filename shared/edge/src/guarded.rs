//! Work on one of many: what panics ends alone.

use std::panic::AssertUnwindSafe;

use futures::FutureExt;

/// A piece of work panicked. The line of the panic itself says where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it panicked")]
pub struct Panicked;

/// What `work` comes to. A stored row that does not add up may stop whoever works on it; nobody else's row waits for that. Whatever `work`
/// had borrowed must be whole after each of its steps, or be thrown away.
pub fn guarded<T>(work: impl Future<Output = T>) -> impl Future<Output = Result<T, Panicked>> {
    AssertUnwindSafe(Box::pin(work)).catch_unwind().map(|told| told.map_err(|_| Panicked))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_an_outcome_like_another() {
        assert_eq!(guarded(async { 7 }).await, Ok(7));
        assert_eq!(guarded(async { panic!("a row that does not add up") }).await, Err::<u8, _>(Panicked));
    }
}
