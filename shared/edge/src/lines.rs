//! Where log and metric lines go.

use std::fmt;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};

/// A destination of whole lines, shared by logs and metrics so that they never tear each other.
#[derive(Clone)]
pub struct Lines(Option<Arc<Mutex<dyn Write + Send>>>);

impl Lines {
    /// Standard output, which Lambda sends to its log group.
    pub fn stdout() -> Self {
        Self::to(io::stdout())
    }

    /// Wherever `writer` leads.
    pub fn to(writer: impl Write + Send + 'static) -> Self {
        Self(Some(Arc::new(Mutex::new(writer))))
    }

    /// Nowhere.
    pub fn silent() -> Self {
        Self(None)
    }

    /// Writes `line` and a line end in one call. A destination that fails loses the line: there is nowhere left to say so.
    pub fn write(&self, mut line: String) {
        let Some(writer) = &self.0 else { return };
        line.push('\n');
        let mut writer = writer.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let _lost = writer.write_all(line.as_bytes()).and_then(|()| writer.flush());
    }
}

impl fmt::Debug for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lines")
    }
}

/// Lines kept in memory, for tests and for the local run.
#[derive(Debug, Clone, Default)]
pub struct Captured(Arc<Mutex<Vec<u8>>>);

impl Captured {
    /// A destination that ends here.
    pub fn lines(&self) -> Lines {
        Lines::to(self.clone())
    }

    /// Everything written so far, a string a line.
    pub fn read(&self) -> Vec<String> {
        let bytes = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        String::from_utf8_lossy(&bytes).lines().map(str::to_owned).collect()
    }
}

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
