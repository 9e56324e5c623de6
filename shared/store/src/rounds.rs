//! Rounds of reading and writing anew what others keep changing.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use crate::StoreError;

/// How often the same is tried before whoever asked is told that too much changes at once.
const ROUNDS_MAX: u32 = 40;
/// The longest pause before the second round; it doubles with each.
const FIRST_PAUSE_MILLIS_MAX: u64 = 10;
/// The longest pause while a person waits: 40 rounds take some four seconds.
const PAUSE_MILLIS_MAX: u64 = 200;
/// The shortest pause after too much traffic, and by how much chance makes it longer.
const TRAFFIC_PAUSE: Duration = Duration::from_millis(200);
const TRAFFIC_PAUSE_MILLIS_SPREAD: u64 = 800;
/// The longest pause of a worker that may use all of its invocation.
const PATIENT_PAUSE_MILLIS_MAX: u64 = 4_000;

/// Bounded rounds with a pause between them. Full jitter parts those that collided once; the writer's name draws it, because names differ.
///
/// ```
/// # async fn example() -> Result<(), store::StoreError> {
/// let mut rounds = store::Rounds::new("approving a post", "01JD3N");
/// loop {
///     rounds.next().await?;
///     let came_first = true; // read, decide, and write under a condition
///     if came_first {
///         return Ok(());
///     }
/// }
/// # }
/// ```
#[derive(Debug)]
pub struct Rounds<'a> {
    doing: &'static str,
    writer: &'a str,
    pause_millis_max: u64,
    most: u32,
    round: u32,
}

impl<'a> Rounds<'a> {
    /// Rounds of `doing`, for the error; `writer` names who tries, in other words than anybody else who may at the same time.
    pub fn new(doing: &'static str, writer: &'a str) -> Self {
        Self { doing, writer, pause_millis_max: PAUSE_MILLIS_MAX, most: ROUNDS_MAX, round: 0 }
    }

    /// With pauses that outlast a table that refuses for half a minute.
    #[must_use]
    pub fn patient(self) -> Self {
        Self { pause_millis_max: PATIENT_PAUSE_MILLIS_MAX, ..self }
    }

    /// So many instead, where they stand within rounds of a caller: the two multiply.
    #[must_use]
    pub(crate) fn at_most(self, most: u32) -> Self {
        Self { most, ..self }
    }

    /// Begins the next round: the first at once, each other after its pause. [`StoreError::Contended`] when there were enough.
    pub async fn next(&mut self) -> Result<(), StoreError> {
        if self.round == self.most {
            return Err(StoreError::Contended { doing: self.doing });
        }
        if self.round > 0 {
            tokio::time::sleep(self.pause()).await;
        }
        self.round += 1;
        Ok(())
    }

    /// Pauses before a table is asked again that has refused for too much traffic, about as long as the client does after a plain write.
    pub(crate) async fn after_traffic(&self) {
        tokio::time::sleep(TRAFFIC_PAUSE + self.chance(TRAFFIC_PAUSE_MILLIS_SPREAD)).await;
    }

    fn pause(&self) -> Duration {
        let doublings = (self.round - 1).min(16);
        self.chance((FIRST_PAUSE_MILLIS_MAX << doublings).min(self.pause_millis_max))
    }

    fn chance(&self, ceiling_millis: u64) -> Duration {
        let mut hasher = DefaultHasher::new();
        (self.writer, self.round).hash(&mut hasher);
        Duration::from_millis(1 + hasher.finish() % ceiling_millis)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pauses(writer: &str, patient: bool) -> Vec<Duration> {
        let rounds = Rounds::new("trying", writer);
        let mut rounds = if patient { rounds.patient() } else { rounds };
        let mut pauses = Vec::new();
        for round in 1..ROUNDS_MAX {
            rounds.round = round;
            pauses.push(rounds.pause());
        }
        pauses
    }

    #[test]
    fn two_that_collided_pause_for_different_times() {
        let (one, other) = (pauses("one", false), pauses("other", false));
        assert!(one.iter().zip(&other).filter(|(one, other)| one == other).count() < 4, "{one:?} {other:?}");
        assert_eq!(one, pauses("one", false), "the same run again pauses the same");
    }

    #[test]
    fn pauses_grow_to_their_limit_and_no_further() {
        for (patient, max, sum_max_secs) in [(false, PAUSE_MILLIS_MAX, 8), (true, PATIENT_PAUSE_MILLIS_MAX, 128)] {
            let pauses = pauses("one", patient);
            assert!(pauses[0] <= Duration::from_millis(FIRST_PAUSE_MILLIS_MAX));
            assert!(pauses.iter().all(|pause| *pause <= Duration::from_millis(max)));
            assert!(pauses.iter().sum::<Duration>() < Duration::from_secs(sum_max_secs));
        }
    }

    #[test]
    fn there_is_an_end_of_rounds() {
        for (rounds, max) in [(Rounds::new("trying", "one"), ROUNDS_MAX), (Rounds::new("trying", "one").at_most(12), 12)] {
            let ended = futures_of(Rounds { round: max, ..rounds }.next());
            assert!(matches!(ended, Some(Err(StoreError::Contended { doing: "trying" }))));
        }
    }

    /// What a future that waits for nothing comes to.
    fn futures_of<T>(future: impl Future<Output = T>) -> Option<T> {
        let mut future = std::pin::pin!(future);
        match future.as_mut().poll(&mut std::task::Context::from_waker(std::task::Waker::noop())) {
            std::task::Poll::Ready(value) => Some(value),
            std::task::Poll::Pending => None,
        }
    }
}
