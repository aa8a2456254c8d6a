//! Tables of the page: every picture has one behind it.

use serde::Serialize;

/// Rows of text under a head.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Table {
    /// What it holds, for those who do not see it.
    pub(crate) caption: String,
    /// Its columns.
    pub(crate) head: Vec<Column>,
    /// Its rows, a cell a column. The first cell names the row.
    pub(crate) rows: Vec<Vec<String>>,
}

/// A column's name, and whether it holds numbers.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) is_number: bool,
}

impl Table {
    /// A table whose columns begin with `#` where they hold numbers.
    pub(crate) fn new(caption: impl Into<String>, head: &[&str]) -> Self {
        let column = |name: &&str| match name.strip_prefix('#') {
            Some(name) => Column { name: name.to_owned(), is_number: true },
            None => Column { name: (*name).to_owned(), is_number: false },
        };
        Self { caption: caption.into(), head: head.iter().map(column).collect(), rows: Vec::new() }
    }

    /// The same with these columns alone.
    pub(crate) fn only(&self, columns: &[usize]) -> Self {
        let row = |row: &Vec<String>| columns.iter().filter_map(|at| row.get(*at).cloned()).collect();
        Self {
            caption: self.caption.clone(),
            head: columns.iter().filter_map(|at| self.head.get(*at).cloned()).collect(),
            rows: self.rows.iter().map(row).collect(),
        }
    }

    /// Adds a row.
    pub(crate) fn push(&mut self, row: Vec<String>) {
        debug_assert_eq!(row.len(), self.head.len(), "a cell a column in `{}`", self.caption);
        self.rows.push(row);
    }
}
