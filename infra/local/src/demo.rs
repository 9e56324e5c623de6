//! `cargo run -- demo`: the main job, walked through HTTP as a browser would, every promise checked.

mod account;
mod cycle;
mod posting;
mod report;

use std::path::Path;
use std::time::Instant;

use anyhow::ensure;
use local::{Browser, LocalService, Options, data_dir};

use crate::{say, shown};

/// What the walk carries along.
pub(super) struct Walk {
    pub(super) browser: Browser,
    /// The connection on X.
    pub(super) x: String,
    /// The chosen Page on Facebook.
    pub(super) facebook: String,
    last: Instant,
}

impl Walk {
    /// One line: what was done, what was seen, and how long it took since the line before.
    pub(super) fn saw(&mut self, did: &str, saw: impl std::fmt::Display) {
        say(format_args!("{:>6} ms  {did:<34} {saw}", self.last.elapsed().as_millis()));
        self.last = Instant::now();
    }
}

/// Starts a service of its own and walks. The first promise that is not kept ends it with an error.
pub(crate) async fn run(folder: &Path) -> anyhow::Result<()> {
    let began = Instant::now();
    let (lines, log) = data_dir::open_log(folder)?;
    let options = Options { port: 0, data_dir: folder.to_owned(), fresh: true, lines };
    let service = LocalService::start(options).await?;
    let browser = Browser::new(service.base_url())?;
    let mut walk = Walk { browser, x: String::new(), facebook: String::new(), last: began };
    walk.saw("start the service", service.base_url());

    account::sign_up(&mut walk).await?;
    account::connect(&mut walk).await?;
    let post = posting::due_now(&mut walk).await?;
    posting::due_later(&mut walk).await?;
    let found = posting::lost_answer(&mut walk).await?;
    posting::refused(&mut walk).await?;
    posting::cancelled(&mut walk).await?;

    report::story(&mut walk, "A post that went straight out", &post).await?;
    report::story(&mut walk, "A post whose answer was lost", &found).await?;
    report::ledger(&mut walk).await?;
    cycle::closed(&mut walk).await?;
    service.stop().await;
    let secs = began.elapsed().as_secs_f64();
    ensure!(secs < 15.0, "the walk took {secs:.1} s, and 15 were promised");
    say(format_args!("\nEvery promise was kept, in {secs:.1} s. The service's own log: {}", shown(&log)));
    Ok(())
}
