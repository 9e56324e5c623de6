//! What the local service costs while nothing happens: its process's share of a core.

use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;
use local::{LocalService, data_dir};

use crate::requests::Person;

/// How long, if nobody says.
const SECS: u32 = 60;
/// What the start leaves to be done is over by then.
const SETTLE: Duration = Duration::from_secs(5);
/// The unit of the kernel's figures in `/proc`, on every architecture that we know.
const TICK: Duration = Duration::from_millis(10);

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// How many seconds are measured; the sweeper runs once a minute.
    #[arg(long, value_name = "SECONDS", default_value_t = SECS, value_parser = clap::value_parser!(u32).range(10..=3_000))]
    secs: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self { secs: SECS }
    }
}

/// Measures a service with one person in it, whose post is due later.
pub(crate) async fn run(options: &Options) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let (lines, _) = data_dir::open_log(folder.path())?;
    let service = LocalService::start(local::Options { port: 0, data_dir: folder.path().to_owned(), fresh: false, lines }).await?;
    println!("idle: the local service with one post that is due in an hour");
    let measured = share(&service, Duration::from_secs(options.secs.into())).await;
    service.stop().await;
    let (used, passed) = measured?;
    let percent = 100.0 * used.as_secs_f64() / passed.as_secs_f64();
    println!("  {percent:.2} % of a core: {} ms of processor time in {:.0} s", used.as_millis(), passed.as_secs_f64());
    Ok(())
}

/// The processor time that this process takes, and how long it was looked at.
async fn share(service: &LocalService, span: Duration) -> anyhow::Result<(Duration, Duration)> {
    let _person = Box::pin(Person::new(service.base_url(), 0)).await?;
    tokio::time::sleep(SETTLE).await;
    let (before, started) = (processor_time()?, Instant::now());
    tokio::time::sleep(span).await;
    Ok((processor_time()? - before, started.elapsed()))
}

/// What the kernel says that this process has used, in itself and in calls.
fn processor_time() -> anyhow::Result<Duration> {
    let stat = std::fs::read_to_string("/proc/self/stat").context("reading the processor time of this process")?;
    // The name, in brackets, may hold anything. The two times are the 14th and the 15th field; what follows the name begins with the third.
    let (_, fields) = stat.rsplit_once(')').context("no name of the process")?;
    let times = fields.split_whitespace().skip(11).take(2).map(str::parse::<u32>);
    let ticks = times.sum::<Result<u32, _>>().context("no processor time")?;
    Ok(TICK * ticks)
}
