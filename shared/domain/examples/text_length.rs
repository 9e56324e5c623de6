//! Reads texts, one JSON string a line, and prints the length of each in the unit that is named, as the contract writes it.
//! `tests/text-length` runs it.

use std::io::{self, BufRead, Write};

use domain::text::TextUnit;

fn main() -> io::Result<()> {
    let unit = std::env::args().nth(1).and_then(|name| TextUnit::ALL.into_iter().find(|unit| unit.as_str() == name));
    let unit = unit.ok_or_else(|| io::Error::other("the first argument names no unit"))?;
    let mut out = io::BufWriter::new(io::stdout().lock());
    for line in io::stdin().lock().lines() {
        let text: String = serde_json::from_str(&line?)?;
        writeln!(out, "{}", unit.measure(&text))?;
    }
    out.flush()
}
