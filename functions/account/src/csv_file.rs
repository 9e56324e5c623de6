//! Files for spreadsheets: RFC 4180, and nothing in them that a spreadsheet would run.

use axum::response::{IntoResponse, Response};
use csv::{QuoteStyle, Terminator, Writer, WriterBuilder};
use edge::contract::Time;
use edge::problem::Problem;
use http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE, LINK};
use jiff::Timestamp;

/// What a spreadsheet takes for the beginning of a formula, if a cell begins with it: <https://owasp.org/www-community/attacks/CSV_Injection>.
const SIGNS: [char; 8] = ['=', '+', '-', '@', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}'];
/// After what a cell begins for a spreadsheet that was told, or takes it from its country, that something else than a comma divides
/// cells: our quotation marks say nothing to it.
const DIVIDERS: [char; 4] = [';', '\t', '\r', '\n'];

/// A file in the making.
pub(crate) struct CsvFile {
    name: &'static str,
    /// What its rows come to at most.
    bytes: usize,
    writer: Writer<Vec<u8>>,
}

impl CsvFile {
    /// An empty one with the names of its columns.
    pub(crate) fn new(name: &'static str, columns: &[&str]) -> Result<Self, Problem> {
        // All texts, not those alone that hold a comma: for a spreadsheet that divides cells at commas and at semicolons.
        let mut builder = WriterBuilder::new();
        let mut writer = builder.terminator(Terminator::CRLF).quote_style(QuoteStyle::NonNumeric).from_writer(Vec::new());
        writer.write_record(columns).map_err(|error| Problem::internal(&error))?;
        Ok(Self { name, bytes: 0, writer })
    }

    /// Whether one more row leaves the file within `bytes_max`, with all that is written twice or before a sign.
    pub(crate) fn takes<const N: usize>(&self, cells: &[String; N], bytes_max: usize) -> bool {
        self.bytes + row_bytes(cells) <= bytes_max
    }

    /// One more row, of as many cells as there are columns.
    pub(crate) fn row<const N: usize>(&mut self, cells: [String; N]) -> Result<(), Problem> {
        self.bytes += row_bytes(&cells);
        self.writer.write_record(cells.map(|cell| harmless(&cell))).map_err(|error| Problem::internal(&error))
    }

    /// The answer; `next` is the address of the rest, where there is one.
    pub(crate) fn answer(self, next: Option<String>) -> Result<Response, Problem> {
        let bytes = self.writer.into_inner().map_err(|error| Problem::internal(error.error()))?;
        let disposition = format!("attachment; filename=\"{}\"", self.name);
        let headers = [
            (CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()),
            (CONTENT_DISPOSITION, disposition),
            (CACHE_CONTROL, "no-store".to_owned()),
        ];
        let link = next.map(|next| [(LINK, format!("<{next}>; rel=\"next\""))]);
        Ok(match link {
            Some(link) => (headers, link, bytes).into_response(),
            None => (headers, bytes).into_response(),
        })
    }
}

/// What a row comes to: a quotation mark is written twice, and each cell has two around it and a divider behind.
fn row_bytes(cells: &[String]) -> usize {
    let cell_bytes = |cell: &String| harmless(cell).len() + cell.matches('"').count() + 3;
    cells.iter().map(cell_bytes).sum::<usize>() + 1
}

/// A number, or nothing where nothing is told.
pub(crate) fn number(number: Option<u64>) -> String {
    number.map_or_else(String::new, |number| number.to_string())
}

/// A time as all answers tell it, or nothing.
pub(crate) fn time(at: Option<Timestamp>) -> String {
    at.map_or_else(String::new, |at| Time::from(at).to_string())
}

/// The cell with an apostrophe before each sign with which a formula would begin, wherever a spreadsheet may let a cell begin, and
/// whatever it drops before it looks: it then shows a text. A list whose lines begin with hyphens has one before each. Numbers and times of
/// ours begin with no such sign.
fn harmless(cell: &str) -> String {
    let (mut safe, mut may_begin) = (String::with_capacity(cell.len()), true);
    for letter in cell.chars() {
        if may_begin && SIGNS.contains(&letter) {
            safe.push('\'');
        }
        may_begin = DIVIDERS.contains(&letter) || (may_begin && (letter.is_whitespace() || letter.is_control() || letter == '"'));
        safe.push(letter);
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_file_is_a_formula() {
        for sign in SIGNS {
            for before in ["", " ", "\t", "\r", "\n", "\u{a0}\u{0}\u{1b} ", "\"", "x;", "x; ", "x;\"", "x\t", "x\r\n", "x\n \"", ";;"] {
                assert_eq!(harmless(&format!("{before}{sign}1+1")), format!("{before}'{sign}1+1"));
            }
        }
        assert_eq!(harmless("=1;=2\t@x"), "'=1;'=2\t'@x");
        assert_eq!(harmless("=-1"), "'=-1", "one is enough");
    }

    #[test]
    fn what_people_write_and_what_we_count_stays_as_it_is() {
        for plain in [
            "",
            "1",
            "18446744073709551615",
            "2026-11-24T09:00:00Z",
            "a=1",
            "Bread, cake; and more - from 8+ @ the corner",
            "Fresh, @ann; well-baked",
            "one\ntwo\r\nthree\tfour",
            "'=1",
            "https://x.com/ann/status/1?a=1;b=2",
        ] {
            assert_eq!(harmless(plain), plain);
        }
    }

    #[test]
    fn a_file_knows_before_a_row_whether_it_is_too_long_with_it() {
        let row = || ["\"".repeat(100), "-\n".repeat(100), "x".to_owned()];
        let mut file = CsvFile::new("x.csv", &["a", "b", "c"]).ok().unwrap();
        let mut rows = 0;
        while file.takes(&row(), 5_000) {
            file.row(row()).ok().unwrap();
            rows += 1;
        }
        let (counted, written) = (file.bytes, file.writer.into_inner().unwrap().len());
        assert!(rows == 9 && counted <= 5_000 && written <= counted + 20, "{rows} {counted} {written}");
    }

    #[test]
    fn texts_stay_in_their_cell_and_numbers_are_numbers() {
        let mut file = CsvFile::new("x.csv", &["a", "b", "c"]).ok().unwrap();
        file.row(["one, \"two\"\nthree".to_owned(), "x;=\"x\"".to_owned(), number(Some(7))]).ok().unwrap();
        let written = String::from_utf8(file.writer.into_inner().unwrap()).unwrap();
        assert_eq!(written, "\"a\",\"b\",\"c\"\r\n\"one, \"\"two\"\"\nthree\",\"x;'=\"\"x\"\"\",7\r\n");
    }
}
