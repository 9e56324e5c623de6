//! Reads texts, one JSON string a line, and prints the length of each as X counts it. `tests/x-length` runs it.

use std::io::{self, BufRead, Write};

use domain::text::weighted_length;

fn main() -> io::Result<()> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    for line in io::stdin().lock().lines() {
        let text: String = serde_json::from_str(&line?)?;
        writeln!(out, "{}", weighted_length(&text))?;
    }
    out.flush()
}
