//! Rows as a table that fits the terminal: side by side where they fit, one block a row where they do not.

use arrow::array::RecordBatch;
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use comfy_table::CellAlignment;

use crate::terminal::fitted::{fits, fitted};
use crate::terminal::table::{WIDTH_ELSEWHERE, framed};

/// Prints batches of one schema to standard output, and `note` below them.
#[allow(clippy::print_stdout, reason = "the data the person asked for")]
pub(crate) fn print_batches(batches: &[RecordBatch]) -> Result<(), ArrowError> {
    let Some(first) = batches.first() else { return Ok(()) };
    let schema = first.schema();
    let header: Vec<String> = schema.fields().iter().map(|field| field.name().clone()).collect();
    let rows = texts(batches)?;
    let width_of = |column: usize| {
        let longest = rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        longest.max(header[column].chars().count()) + 2
    };
    let natural: usize = (0..header.len()).map(width_of).sum();
    let mut table = framed();
    let available = table.width().map_or(WIDTH_ELSEWHERE, usize::from);
    table.set_header(&header);
    for row in &rows {
        table.add_row(row);
    }
    if natural <= available || (header.len() <= 4 && fits(&table)) {
        for (index, field) in schema.fields().iter().enumerate() {
            if is_number(field.data_type())
                && let Some(column) = table.column_mut(index)
            {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        println!("{}", fitted(table));
    } else {
        let longest = header.iter().map(|name| name.chars().count()).max().unwrap_or(0);
        for (index, row) in rows.iter().enumerate() {
            println!(
                "── row {} {}",
                index + 1,
                "─".repeat(available.saturating_sub(12 + index.to_string().len()).min(60))
            );
            for (name, value) in header.iter().zip(row) {
                println!("{name:>longest$}  {value}");
            }
        }
    }
    Ok(())
}

fn texts(batches: &[RecordBatch]) -> Result<Vec<Vec<String>>, ArrowError> {
    let options = FormatOptions::default()
        .with_null("·")
        .with_timestamp_tz_format(Some("%Y-%m-%d %H:%M:%S"))
        .with_timestamp_format(Some("%Y-%m-%d %H:%M:%S"));
    let mut rows = Vec::new();
    for batch in batches {
        let schema = batch.schema();
        let formatters = batch
            .columns()
            .iter()
            .map(|column| ArrayFormatter::try_new(column.as_ref(), &options))
            .collect::<Result<Vec<_>, _>>()?;
        for row in 0..batch.num_rows() {
            let cells = formatters.iter().zip(schema.fields()).map(|(formatter, field)| {
                let text = formatter.value(row).to_string();
                match field.data_type() {
                    DataType::Float64 | DataType::Float32 => rounded(&text),
                    _ => text,
                }
            });
            rows.push(cells.collect());
        }
    }
    Ok(rows)
}

/// Six significant digits are what a person reads; `--format csv` and `json` keep all.
fn rounded(text: &str) -> String {
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() && value != 0.0 => {
            let magnitude = value.abs().log10().floor();
            if (-4.0..=9.0).contains(&magnitude) {
                let decimals = (5.0 - magnitude).clamp(0.0, 9.0) as usize;
                let text = format!("{value:.decimals$}");
                match text.contains('.') {
                    true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
                    false => text,
                }
            } else {
                format!("{value:.5e}")
            }
        }
        _ => text.to_owned(),
    }
}

fn is_number(data_type: &DataType) -> bool {
    data_type.is_numeric()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_keep_six_significant_digits() {
        assert_eq!(rounded("0.123456789"), "0.123457");
        assert_eq!(rounded("123456.789"), "123457");
        assert_eq!(rounded("2.5"), "2.5");
        assert_eq!(rounded("0.0"), "0.0");
        assert_eq!(rounded("1e-12"), "1.00000e-12");
    }
}
