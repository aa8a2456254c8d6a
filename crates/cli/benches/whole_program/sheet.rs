//! What is planted beside what was recovered, a line each.

use serde_json::Value;

/// The rows of a table, and how many of them say yes.
#[derive(Default)]
pub(crate) struct Sheet {
    pub(crate) rows: Vec<Vec<String>>,
    pub(crate) covered: usize,
}

impl Sheet {
    pub(crate) fn interval(&mut self, what: String, planted: Option<f64>, row: &Value) {
        let [recovered, lower, upper] = ["estimate", "lower", "upper"].map(|name| row[name].as_f64());
        let covers =
            planted.zip(lower.zip(upper)).map(|(planted, (lower, upper))| lower <= planted && planted <= upper);
        self.covered += usize::from(covers == Some(true));
        let interval =
            lower.zip(upper).map_or_else(String::new, |(low, high)| format!("{} to {}", shown(low), shown(high)));
        let word = match covers {
            Some(true) => "yes",
            Some(false) => "NO",
            None => "no interval",
        };
        self.rows.push(vec![what, optional(planted), optional(recovered), interval, word.to_owned()]);
    }

    pub(crate) fn holds(
        &mut self,
        what: impl Into<String>,
        planted: impl ToString,
        recovered: impl ToString,
        holds: bool,
    ) {
        let word = if holds { "yes" } else { "NO" };
        self.covered += usize::from(holds);
        self.rows.push(vec![what.into(), planted.to_string(), recovered.to_string(), word.to_owned()]);
    }
}

/// A figure, `none` where there is none.
pub(crate) fn optional(value: Option<f64>) -> String {
    value.map_or_else(|| "none".to_owned(), shown)
}

/// A figure with as many digits as its size deserves.
pub(crate) fn shown(value: f64) -> String {
    if value.abs() >= 100.0 { format!("{value:.0}") } else { format!("{value:.3}") }
}
