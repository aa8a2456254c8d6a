//! Tables that fit the terminal without breaking a word.

use comfy_table::{ColumnConstraint, Table, Width};

use crate::terminal::wrapped;

/// Cells up to this length stay whole: numbers with their units, days, intervals, names.
const KEPT_WHOLE: usize = 24;
/// In front of what stands below a row's name.
const INDENT: &str = "   ";

/// The table as lines that fit its width. Where not even its longest words fit side by side, each row is a paragraph:
/// its name, below it the other cells with their headings.
pub(crate) fn fitted(mut table: Table) -> String {
    let (Some(width), Some(least)) = (table.width(), least_widths(&table)) else { return table.to_string() };
    if !fits(&table) {
        return paragraphs(&table, usize::from(width));
    }
    for (column, least) in table.column_iter_mut().zip(least) {
        column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(u16::try_from(least).unwrap_or(u16::MAX))));
    }
    table.to_string()
}

/// Whether its words fit side by side.
pub(crate) fn fits(table: &Table) -> bool {
    match (table.width(), least_widths(table)) {
        (Some(width), Some(least)) => least.iter().sum::<usize>() <= usize::from(width),
        _ => true,
    }
}

/// How wide each column has to be, its padding included.
fn least_widths(table: &Table) -> Option<Vec<usize>> {
    let mut least: Vec<usize> = headings(table)?.iter().map(|heading| longest_word(heading)).collect();
    for row in table.row_iter() {
        for (place, (least, cell)) in least.iter_mut().zip(row.cell_iter()).enumerate() {
            let content = cell.content();
            let length = content.chars().count();
            let kept_whole = place == 0 || length <= KEPT_WHOLE;
            *least = (*least).max(if kept_whole { length } else { longest_word(&content) });
        }
    }
    let padding = table.column_iter().map(|column| usize::from(column.padding_width()));
    Some(least.into_iter().zip(padding).map(|(least, padding)| least + padding).collect())
}

fn paragraphs(table: &Table, width: usize) -> String {
    let headings = headings(table).unwrap_or_default();
    // A row's number alone is no name for it.
    let naming = if headings.first().is_some_and(|first| first.is_empty() || first == "#") { 2 } else { 1 };
    let mut lines = Vec::new();
    for row in table.row_iter() {
        let cells: Vec<String> = row.cell_iter().map(comfy_table::Cell::content).collect();
        let (name, others) = cells.split_at(naming.min(cells.len()));
        let others = headings.iter().skip(naming).zip(others).filter(|(_, cell)| !matches!(cell.trim(), "" | "·"));
        lines.push(name.join(" ").trim().to_owned());
        lines.extend(side_by_side(others.map(|(heading, cell)| format!("{heading}: {cell}")), width));
    }
    lines.join("\n")
}

/// Lines that hold as many of the parts as fit; a part longer than a line has lines of its own.
fn side_by_side(parts: impl Iterator<Item = String>, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for part in parts {
        let length = part.chars().count();
        match lines.last_mut() {
            Some(line) if !line.contains('\n') && line.chars().count() + 3 + length <= width => {
                line.push_str(&format!(" · {part}"));
            }
            _ => lines.push(wrapped(&part, INDENT, width)),
        }
    }
    lines
}

fn headings(table: &Table) -> Option<Vec<String>> {
    Some(table.header()?.cell_iter().map(comfy_table::Cell::content).collect())
}

fn longest_word(text: &str) -> usize {
    text.split_whitespace().map(|word| word.chars().count()).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::fitted;
    use crate::terminal::framed;

    fn table(width: u16) -> String {
        let mut table = framed();
        table.set_width(width);
        table.set_header(["table", "set aside", "where rows changed"]);
        table.add_row(["fct_key_journeys", "12 of 30", "adjusted_odds_ratio 48, excess_churners 48, 54 more"]);
        fitted(table)
    }

    #[test]
    fn words_stay_whole_where_columns_are_narrow() {
        let text = table(56);
        for whole in ["fct_key_journeys", "12 of 30", "adjusted_odds_ratio", "excess_churners"] {
            assert!(text.contains(whole), "{text}");
        }
        assert!(text.lines().all(|line| line.chars().count() <= 56), "{text}");
    }

    #[test]
    fn rows_are_paragraphs_where_words_do_not_fit() {
        let expected = "fct_key_journeys\n   set aside: 12 of 30\n   where rows changed:\n   adjusted_odds_ratio 48,\n   excess_churners 48, 54 more";
        assert_eq!(table(36), expected);
    }
}
