//! The ranked journeys at the end of a run: who leaves more, how sure that is, and how many customers it is about.

use std::collections::BTreeMap;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use throughline_engine::{EngineError, Published};
use throughline_report::fixed;

use crate::terminal::summary::right_align;
use crate::terminal::{count, fitted, framed, say, wrapped};

const TABLE: &str = "fct_key_journeys";

/// Every column is cast, so that the ranking prints whatever integer type a pipeline's SQL gives.
const RANKING: &str = "
SELECT
    journey,
    CAST(CAST(landmark AS DATE) AS VARCHAR) AS landmark,
    status,
    coalesce(reason, '') AS reason,
    coalesce(flags, '') AS flags,
    CAST(priority_rank AS BIGINT) AS priority_rank,
    CAST(exposed AS BIGINT) AS exposed,
    CAST(unexposed AS BIGINT) AS unexposed,
    CAST(exposed_churn_rate AS DOUBLE) AS exposed_churn_rate,
    CAST(unexposed_churn_rate AS DOUBLE) AS unexposed_churn_rate,
    CAST(adjusted_odds_ratio AS DOUBLE) AS adjusted_odds_ratio,
    CAST(adjusted_odds_ratio_lower AS DOUBLE) AS lower,
    CAST(adjusted_odds_ratio_upper AS DOUBLE) AS upper,
    CAST(excess_churners AS DOUBLE) AS excess_churners,
    CAST(excess_churners_lower AS DOUBLE) AS excess_lower,
    CAST(excess_churners_upper AS DOUBLE) AS excess_upper,
    CAST(q_value AS DOUBLE) AS q_value
FROM fct_key_journeys
WHERE segment = 'all'
  AND landmark = (
      SELECT max(landmark) FROM fct_key_journeys WHERE segment = 'all' AND status <> 'not_matured'
  )
ORDER BY priority_rank NULLS LAST, exposed DESC, journey";

/// Prints the ranking to standard error, if the pipeline publishes key journeys, and gives the journey ranked first.
pub(crate) async fn print_ranking(published: &Published) -> Result<Option<String>, EngineError> {
    if !published.record.tables.contains_key(TABLE) {
        return Ok(None);
    }
    let batches = published.query(RANKING).await?.collect().await?;
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    if rows == 0 {
        say("\nNo landmark has matured yet: its outcome window must end at or before as_of.");
        return Ok(None);
    }
    let mut table = framed();
    let width = table.width().map_or(usize::MAX, usize::from);
    let mut landmark = String::new();
    let mut rows: Vec<Vec<String>> = Vec::new();
    let mut reasons: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for batch in &batches {
        let batch = plain_text(batch)?;
        for row in 0..batch.num_rows() {
            let ranked = Ranked::of(&batch, row);
            landmark.clone_from(&ranked.landmark);
            if ranked.status != "ok" {
                let reason = format!("not ranked, {}", ranked.reason);
                reasons.entry(reason).or_default().push(ranked.journey.clone());
            }
            if !ranked.flags.is_empty() {
                reasons.entry(format!("flagged {}", ranked.flags)).or_default().push(ranked.journey.clone());
            }
            rows.push(ranked.cells());
        }
    }
    let columns = columns_that_fit(&rows, width);
    table.set_header(columns.iter().map(|column| HEADER[*column]));
    for row in &rows {
        table.add_row(columns.iter().map(|column| row[*column].as_str()));
    }
    for (place, column) in columns.iter().enumerate() {
        if (2..5).contains(column) {
            right_align(&mut table, place..place + 1);
        }
    }
    let title = format!(
        "Key journeys at landmark {landmark}, all segments: who was on a journey before it, and who left after it"
    );
    say(&format!("\n{}", wrapped(&title, "", width)));
    say(&fitted(table));
    let notes = [
        "churned, others: share of the exposed and of the unexposed who left · odds ratio: adjusted by segment × tenure",
        "excess: churners beyond the rate of the unexposed of the same stratum, if causal · brackets: 95 % intervals",
        "#: the rank of the excess's lower limit, weighed with expert judgement where there is any",
    ];
    for note in notes {
        say(&wrapped(note, "", width));
    }
    for (reason, journeys) in &reasons {
        say(&wrapped(&format!("{reason}: {}", journeys.join(", ")), "", width));
    }
    Ok(rows.into_iter().next().and_then(|first| first.into_iter().nth(1)))
}

const HEADER: [&str; 9] =
    ["#", "journey", "exposed", "churned", "others", "odds ratio", "¼ · · · · 1 · · · · 4", "excess", "q"];

/// Columns left out of a narrow terminal, in this order: the bar says what its numbers say, q what the intervals say,
/// and the odds ratio how the others compare.
const DISPENSABLE: [usize; 4] = [6, 8, 4, 7];

/// All columns, or as many as stand side by side without breaking their cells.
fn columns_that_fit(rows: &[Vec<String>], width: usize) -> Vec<usize> {
    let needed = |column: usize| {
        let cells = rows.iter().map(|row| row[column].as_str()).chain([HEADER[column]]);
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0) + 2
    };
    let mut columns: Vec<usize> = (0..HEADER.len()).collect();
    for dispensable in DISPENSABLE {
        if columns.iter().map(|column| needed(*column)).sum::<usize>() <= width {
            break;
        }
        columns.retain(|column| *column != dispensable);
    }
    columns
}

/// Text columns as plain UTF-8, whatever kind the reader chose.
fn plain_text(batch: &RecordBatch) -> Result<RecordBatch, EngineError> {
    let text = |column: &arrow::array::ArrayRef| match column.data_type() {
        DataType::Utf8View | DataType::LargeUtf8 => arrow::compute::cast(column, &DataType::Utf8),
        _ => Ok(column.clone()),
    };
    let columns = batch.columns().iter().map(text).collect::<Result<Vec<_>, _>>();
    let named = columns.and_then(|columns| {
        RecordBatch::try_from_iter(batch.schema().fields().iter().map(|field| field.name().clone()).zip(columns))
    });
    named.map_err(|error| EngineError::from(datafusion::error::DataFusionError::from(error)))
}

struct Ranked {
    journey: String,
    landmark: String,
    status: String,
    reason: String,
    flags: String,
    rank: Option<i64>,
    exposed: Option<i64>,
    exposed_rate: Option<f64>,
    unexposed_rate: Option<f64>,
    odds_ratio: [Option<f64>; 3],
    excess: [Option<f64>; 3],
    q_value: Option<f64>,
}

impl Ranked {
    fn of(batch: &RecordBatch, row: usize) -> Self {
        let text = |name: &str| {
            let column = batch.column_by_name(name).and_then(|column| column.as_string_opt::<i32>());
            column.filter(|column| column.is_valid(row)).map(|column| column.value(row).to_owned()).unwrap_or_default()
        };
        let integer = |name: &str| {
            let column = batch.column_by_name(name).and_then(|column| column.as_primitive_opt::<Int64Type>());
            column.filter(|column| column.is_valid(row)).map(|column| column.value(row))
        };
        let float = |name: &str| {
            let column = batch.column_by_name(name).and_then(|column| column.as_primitive_opt::<Float64Type>());
            column.filter(|column| column.is_valid(row)).map(|column| column.value(row))
        };
        Self {
            journey: text("journey"),
            landmark: text("landmark"),
            status: text("status"),
            reason: text("reason"),
            flags: text("flags"),
            rank: integer("priority_rank"),
            exposed: integer("exposed"),
            exposed_rate: float("exposed_churn_rate"),
            unexposed_rate: float("unexposed_churn_rate"),
            odds_ratio: [float("adjusted_odds_ratio"), float("lower"), float("upper")],
            excess: [float("excess_churners"), float("excess_lower"), float("excess_upper")],
            q_value: float("q_value"),
        }
    }

    fn cells(&self) -> Vec<String> {
        let percent = |rate: Option<f64>| rate.map_or_else(|| "·".to_owned(), |rate| format!("{:.1} %", rate * 100.0));
        let interval = |[estimate, lower, upper]: [Option<f64>; 3], decimals: usize| match (estimate, lower, upper) {
            (Some(estimate), Some(lower), Some(upper)) => {
                let [estimate, lower, upper] = [estimate, lower, upper].map(|number| fixed(number, decimals));
                format!("{estimate} [{lower}, {upper}]")
            }
            _ => "·".to_owned(),
        };
        vec![
            self.rank.map_or_else(|| "·".to_owned(), |rank| rank.to_string()),
            self.journey.clone(),
            self.exposed.map_or_else(|| "·".to_owned(), |exposed| count(exposed.unsigned_abs())),
            percent(self.exposed_rate),
            percent(self.unexposed_rate),
            interval(self.odds_ratio, 2),
            bar(self.odds_ratio),
            interval(self.excess, 0),
            self.q_value
                .map_or_else(|| "·".to_owned(), |q| if q < 0.0005 { "<0.001".to_owned() } else { format!("{q:.3}") }),
        ]
    }
}

/// The interval of an odds ratio on a logarithmic line from a quarter to four, 21 characters, 1 in the middle.
fn bar([estimate, lower, upper]: [Option<f64>; 3]) -> String {
    const WIDTH: usize = 21;
    let (Some(estimate), Some(lower), Some(upper)) = (estimate, lower, upper) else { return String::new() };
    let column = |ratio: f64| {
        let share = (ratio.max(1e-6).log2() + 2.0) / 4.0;
        (share * (WIDTH - 1) as f64).round().clamp(0.0, (WIDTH - 1) as f64) as usize
    };
    let (from, at, to) = (column(lower), column(estimate), column(upper));
    (0..WIDTH)
        .map(|position| match position {
            position if position == at => '●',
            position if (from..=to).contains(&position) => '─',
            position if position == WIDTH / 2 => '│',
            _ => ' ',
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_narrow_terminal_has_fewer_columns_and_no_broken_cells() {
        let row: Vec<String> =
            ["1", "onboarding", "664", "13.3 %", "9.9 %", "1.49 [1.01, 2.19]", "", "27 [3, 50]", "0.049"]
                .map(str::to_owned)
                .to_vec();
        assert_eq!(columns_that_fit(std::slice::from_ref(&row), 120), (0..9).collect::<Vec<_>>());
        assert_eq!(columns_that_fit(std::slice::from_ref(&row), 90), [0, 1, 2, 3, 4, 5, 7, 8]);
        assert_eq!(columns_that_fit(std::slice::from_ref(&row), 70), [0, 1, 2, 3, 5, 7]);
        assert_eq!(columns_that_fit(&[row], 20), [0, 1, 2, 3, 5]);
    }

    #[test]
    fn a_bar_shows_interval_estimate_and_the_line_of_no_effect() {
        assert_eq!(bar([Some(1.0), Some(0.5), Some(2.0)]), "     ─────●─────     ");
        assert_eq!(bar([Some(4.0), Some(2.0), Some(99.0)]), "          │    ─────●");
        assert_eq!(bar([None, None, None]), "");
    }
}
