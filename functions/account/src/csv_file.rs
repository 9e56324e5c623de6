//! Files for spreadsheets: RFC 4180, and nothing in them that a spreadsheet would run.

use axum::response::{IntoResponse, Response};
use csv::{Terminator, Writer, WriterBuilder};
use edge::problem::Problem;
use http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE, LINK};
use jiff::Timestamp;

/// What a spreadsheet takes for the beginning of a formula, if a cell begins with it.
const FORMULA: [char; 7] = ['=', '+', '-', '@', '\t', '\r', '\n'];

/// A file in the making.
pub(crate) struct CsvFile {
    name: &'static str,
    writer: Writer<Vec<u8>>,
}

impl CsvFile {
    /// An empty one with the names of its columns.
    pub(crate) fn new(name: &'static str, columns: &[&str]) -> Result<Self, Problem> {
        let mut writer = WriterBuilder::new().terminator(Terminator::CRLF).from_writer(Vec::new());
        writer.write_record(columns).map_err(|error| Problem::internal(&error))?;
        Ok(Self { name, writer })
    }

    /// One more row, of as many cells as there are columns.
    pub(crate) fn row<const N: usize>(&mut self, cells: [String; N]) -> Result<(), Problem> {
        self.writer.write_record(cells.map(harmless)).map_err(|error| Problem::internal(&error))
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

/// A number, or nothing where nothing is told.
pub(crate) fn number(number: Option<u64>) -> String {
    number.map_or_else(String::new, |number| number.to_string())
}

/// A time, or nothing.
pub(crate) fn time(at: Option<Timestamp>) -> String {
    at.map_or_else(String::new, |at| at.to_string())
}

/// The cell with an apostrophe before what would be a formula: spreadsheets show it as text.
fn harmless(cell: String) -> String {
    if cell.starts_with(FORMULA) { format!("'{cell}") } else { cell }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_file_is_a_formula() {
        for evil in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1"] {
            assert_eq!(harmless(evil.to_owned()), format!("'{evil}"));
        }
        for harmless_already in ["", "a=1", "1", "'=1", " =1", "\"=1\""] {
            assert_eq!(harmless(harmless_already.to_owned()), harmless_already);
        }
    }

    #[test]
    fn quotes_commas_and_lines_stay_in_their_cell() {
        let mut file = CsvFile::new("x.csv", &["a", "b"]).ok().unwrap();
        file.row(["one, \"two\"\nthree".to_owned(), "=\"x\"".to_owned()]).ok().unwrap();
        assert_eq!(String::from_utf8(file.writer.into_inner().unwrap()).unwrap(), "a,b\r\n\"one, \"\"two\"\"\nthree\",\"'=\"\"x\"\"\"\r\n");
    }
}
