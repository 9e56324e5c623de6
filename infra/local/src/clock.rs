//! The service's clock: the machine's, moved ahead by hand.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use edge::clock::Clock;
use jiff::SignedDuration;

/// Two years: further ahead than anything here reaches.
pub const ADVANCE_SECS_MAX: i64 = 63_072_000;

/// How far the service's time is ahead of the machine's. It survives a restart, so that nothing that was done in the future is
/// suddenly not yet due.
#[derive(Debug, Clone)]
pub struct ServiceClock {
    ahead_secs: Arc<AtomicI64>,
    /// The file, and the turn to write it.
    file: Arc<Mutex<PathBuf>>,
}

impl ServiceClock {
    /// The clock of a data folder.
    pub fn open(data_dir: &Path) -> anyhow::Result<Self> {
        let file = data_dir.join("clock-ahead-seconds");
        let ahead_secs = match std::fs::read_to_string(&file) {
            Ok(text) => text.trim().parse().with_context(|| format!("{} holds no number", file.display()))?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => 0,
            Err(error) => return Err(error).with_context(|| format!("reading {}", file.display())),
        };
        Ok(Self { ahead_secs: Arc::new(AtomicI64::new(ahead_secs)), file: Arc::new(Mutex::new(file)) })
    }

    /// The clock that everything in the service is given.
    pub fn clock(&self) -> Clock {
        let (system, ahead_secs) = (Clock::system(), self.ahead_secs.clone());
        Clock::from_fn(move || system.now() + SignedDuration::from_secs(ahead_secs.load(Ordering::SeqCst)))
    }

    /// Moves the clock ahead, first on disk: a crash leaves the old file or the new one.
    pub fn advance(&self, secs: i64) -> anyhow::Result<()> {
        let file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let ahead = self.ahead_secs.load(Ordering::SeqCst) + secs;
        let written = file.with_extension("new");
        std::fs::write(&written, ahead.to_string()).with_context(|| format!("writing {}", written.display()))?;
        std::fs::rename(&written, &*file).with_context(|| format!("writing {}", file.display()))?;
        self.ahead_secs.store(ahead, Ordering::SeqCst);
        Ok(())
    }
}
