//! What a command shows: tables for people, JSON for programs.

use std::fmt::Display;

use serde_json::Value;

/// What a command found or did.
#[derive(Debug, Default)]
pub(crate) struct Shown {
    tables: Vec<Table>,
    json: Value,
}

#[derive(Debug)]
struct Table {
    title: String,
    rows: Vec<Vec<String>>,
}

impl Shown {
    pub(crate) fn new(json: Value) -> Self {
        Self { tables: Vec::new(), json }
    }

    /// With a table below the others; the first row is its head.
    pub(crate) fn with<const N: usize>(
        mut self,
        title: impl Into<String>,
        head: [&str; N],
        rows: impl IntoIterator<Item = [String; N]>,
    ) -> Self {
        let head = head.iter().map(|name| name.to_uppercase()).collect();
        let rows = std::iter::once(head).chain(rows.into_iter().map(Vec::from)).collect();
        self.tables.push(Table { title: title.into(), rows });
        self
    }

    /// With a line of its own.
    pub(crate) fn line(mut self, text: impl Into<String>) -> Self {
        self.tables.push(Table { title: text.into(), rows: Vec::new() });
        self
    }

    pub(crate) fn print(&self, as_json: bool) {
        if as_json {
            if !self.json.is_null() {
                println!("{}", self.json);
            }
            return;
        }
        for table in &self.tables {
            println!("{}", table.title);
            for row in &table.rows {
                println!("  {}", table.aligned(row));
            }
        }
    }
}

impl Table {
    fn aligned(&self, row: &[String]) -> String {
        let width = |column: usize| self.rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let cells = row.iter().enumerate().map(|(column, cell)| format!("{cell:<width$}", width = width(column)));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    }
}

/// What is there, or a dash.
pub(crate) fn or_dash(value: Option<impl Display>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}
