//! Many clients at once, and what their requests cost.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

use local::{Browser, LocalService};

use crate::percentile::percentile;

/// What a load came to.
pub(crate) struct Measured {
    name: &'static str,
    clients: usize,
    /// One a request, shortest first.
    latencies: Vec<Duration>,
    elapsed: Duration,
    /// AWS calls of the whole service meanwhile, by operation; its jobs in the background are among them.
    calls: BTreeMap<String, u64>,
}

/// Lets each of `clients` make `each` requests, one after the other, all clients at once. The first failure ends it.
pub(crate) async fn measure<R>(
    (name, service): (&'static str, &LocalService),
    clients: &[Browser],
    each: usize,
    request: R,
) -> anyhow::Result<Measured>
where
    R: AsyncFn(&Browser, usize) -> anyhow::Result<()>,
{
    let before = service.aws().calls();
    let started = Instant::now();
    let loads = clients.iter().map(|client| async {
        let mut latencies = Vec::with_capacity(each);
        for number in 0..each {
            let started = Instant::now();
            request(client, number).await?;
            latencies.push(started.elapsed());
        }
        anyhow::Ok(latencies)
    });
    let mut latencies = futures::future::try_join_all(loads).await?.concat();
    let elapsed = started.elapsed();
    latencies.sort_unstable();
    let mut calls = service.aws().calls();
    for (operation, count) in &mut calls {
        *count -= before.get(operation).copied().unwrap_or(0);
    }
    calls.retain(|_, count| *count > 0);
    Ok(Measured { name, clients: clients.len(), latencies, elapsed, calls })
}

impl Measured {
    fn per_request(&self, count: u64) -> f64 {
        figure(count) / figure(self.latencies.len() as u64)
    }
}

#[expect(clippy::cast_precision_loss, reason = "for people to read")]
fn figure(count: u64) -> f64 {
    count as f64
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = |latency: Duration| latency.as_secs_f64() * 1_000.0;
        let per_second = figure(self.latencies.len() as u64) / self.elapsed.as_secs_f64();
        let (requests, clients) = (self.latencies.len(), self.clients);
        writeln!(f, "{}: {requests} requests by {clients} clients at once", self.name)?;
        writeln!(
            f,
            "  p50 {:.1} ms, p99 {:.1} ms, {per_second:.0} requests/s",
            millis(percentile(&self.latencies, 50)),
            millis(percentile(&self.latencies, 99))
        )?;
        write!(f, "  AWS calls a request: {:.2}", self.per_request(self.calls.values().sum()))?;
        for (operation, count) in &self.calls {
            write!(f, "; {operation} {:.2}", self.per_request(*count))?;
        }
        Ok(())
    }
}
