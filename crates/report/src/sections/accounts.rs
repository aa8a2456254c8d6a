//! The account matrix: what customers are billed against how satisfied they are.

use throughline_engine::{EngineError, Figures};

use crate::block::{Block, Quadrant, Section};
use crate::context::Context;
use crate::numbers::{rounded, whole};
use crate::table::Table;

const COLUMNS: [&str; 8] = [
    "quadrant",
    "period",
    "period_start",
    "period_end",
    "revenue",
    "revenue_line",
    "satisfaction_line",
    "lines_period",
];

/// Of the latest two periods that are over: accounts and money in each field. Decimals, so their order does not matter.
const FIELDS: &str = "
WITH finished AS (
    SELECT DISTINCT period_start, period
    FROM fct_account
    WHERE period_end <= arrow_cast('$as_of', 'Timestamp(Microsecond, Some(\"UTC\"))')
),

latest AS (
    SELECT period_start, period, row_number() OVER (ORDER BY period_start DESC) AS recency FROM finished
)

SELECT
    latest.recency,
    latest.period,
    fct_account.quadrant,
    count(*) AS accounts,
    CAST(sum(CAST(fct_account.revenue AS DECIMAL(38, 6))) AS DOUBLE) AS revenue,
    max(fct_account.revenue_line) AS revenue_line,
    max(fct_account.satisfaction_line) AS satisfaction_line,
    max(fct_account.lines_period) AS lines_period
FROM fct_account
INNER JOIN latest ON latest.period_start = fct_account.period_start
WHERE latest.recency <= 2
GROUP BY latest.recency, latest.period, fct_account.quadrant";

/// In reading order: high revenue above, high satisfaction to the right.
const QUADRANTS: [(&str, &str, &str); 4] = [
    ("at_risk", "At risk", "pays much, is dissatisfied"),
    ("model", "Model", "pays much, is satisfied"),
    ("dangling", "Dangling", "pays little, is dissatisfied"),
    ("growth", "Growth", "pays little, is satisfied"),
];

pub(crate) async fn section(context: &Context<'_>) -> Result<Section, EngineError> {
    let sql = FIELDS.replace("$as_of", &context.tables.published().record.as_of.replace('\'', ""));
    let blocks = match context.select("fct_account", &COLUMNS, &sql).await? {
        Err(reason) => vec![Block::missing(format!("There is no account matrix: {reason}."))],
        Ok(mut rows) => {
            rows.sort_by_key(|row| (row.whole("recency"), place(row)));
            blocks(&rows).unwrap_or_else(|| {
                vec![Block::missing(
                    "There is no account matrix: no period that is over has enough billed and asked accounts to draw its lines.",
                )]
            })
        }
    };
    Ok(Section::new("accounts", "Accounts by revenue and satisfaction", blocks))
}

/// Of the row's field; accounts that were not asked come last.
fn place(row: &Figures) -> usize {
    let quadrant = row.text("quadrant");
    QUADRANTS.iter().position(|(key, ..)| Some(*key) == quadrant.as_deref()).unwrap_or(QUADRANTS.len())
}

fn blocks(rows: &[Figures]) -> Option<Vec<Block>> {
    let of = |recency: i64| rows.iter().filter(move |row| row.whole("recency") == Some(recency));
    let period = of(1).next()?.text("period")?;
    let before = of(2).next().and_then(|row| row.text("period"));
    let sum = |recency: i64, name: &str| of(recency).filter_map(|row| row.number(name)).sum::<f64>();
    let asked = |recency: i64| {
        of(recency)
            .filter(|row| !matches!(row.text("quadrant").as_deref(), Some("not_asked" | "no_lines")))
            .filter_map(|row| row.whole("accounts"))
            .sum::<i64>()
    };
    let (all, known, revenue) = (sum(1, "accounts") as i64, asked(1), sum(1, "revenue"));
    if known == 0 {
        return None;
    }
    let known_before = asked(2);
    let percent = |part: f64, of: f64| if of == 0.0 { 0.0 } else { 100.0 * part / of };
    let mut table =
        Table::new(format!("Accounts in {period}"), &["Field", "Period", "#Accounts", "#Of those asked", "#Billed"]);
    let mut quadrants = Vec::new();
    for (key, name, meaning) in QUADRANTS {
        let in_field = |recency: i64, column: &str| {
            of(recency).find(|row| row.text("quadrant").as_deref() == Some(key)).and_then(|row| row.number(column))
        };
        let accounts = in_field(1, "accounts").unwrap_or(0.0);
        let share = percent(accounts, known as f64);
        let billed = in_field(1, "revenue").unwrap_or(0.0);
        let change = before.as_ref().map(|before| {
            let share_before = percent(in_field(2, "accounts").unwrap_or(0.0), known_before as f64);
            match share - share_before {
                change if change.abs() < 0.05 => format!("as large as in {before}"),
                change => format!("{change:+.1} points since {before}"),
            }
        });
        quadrants.push(Quadrant {
            name,
            meaning,
            accounts: rounded(accounts),
            share: format!("{share:.1} %"),
            revenue: format!("{} billed, {:.0} % of all", rounded(billed), percent(billed, revenue)),
            change: change.unwrap_or_default(),
        });
    }
    for row in rows {
        let total = asked(row.whole("recency")?);
        let quadrant = row.text("quadrant")?;
        let without = if quadrant == "no_lines" { "No lines" } else { "Not asked" };
        let placed = QUADRANTS.iter().find(|(key, ..)| *key == quadrant).map(|(_, name, _)| *name);
        let name = placed.unwrap_or(without);
        let accounts = row.number("accounts").unwrap_or(0.0);
        let share =
            if placed.is_none() { "–".to_owned() } else { format!("{:.1} %", percent(accounts, total as f64)) };
        table.push(vec![
            name.to_owned(),
            row.text("period")?,
            rounded(accounts),
            share,
            row.number("revenue").map_or_else(|| "–".to_owned(), rounded),
        ]);
    }
    let line = |name: &str| of(1).find_map(|row| row.number(name)).unwrap_or(0.0);
    // Lines that are kept let satisfaction fall; redrawn ones would call half of the accounts dissatisfied for ever.
    let drawn = match of(1).find_map(|row| row.text("lines_period")) {
        Some(drawn) if drawn == period => format!(" The lines are the medians of {period}."),
        Some(drawn) => format!(" The lines are the medians of {drawn} and stay, so that accounts move."),
        None => String::new(),
    };
    let text = format!(
        "{period}: {} of {} accounts answered a survey and are placed; {} did not and are not. Much means {} billed or more in \
         the period, satisfied {:.0} of 100 or more; an account on a line counts as high.{drawn}",
        whole(known),
        whole(all),
        whole(all - known),
        rounded(line("revenue_line")),
        100.0 * line("satisfaction_line")
    );
    Some(vec![Block::text(text), Block::Matrix { quadrants }, Block::Behind { table }])
}
