//! The figure that so many in a hundred do not exceed.

use std::time::Duration;

/// The duration that `percent` in a hundred of `sorted`, shortest first, do not exceed; nothing for an empty list.
pub(crate) fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or_default()
}
