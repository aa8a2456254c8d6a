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

/// The rows of a period: the latest that is over, or the one before it.
fn of(rows: &[Figures], recency: i64) -> impl Iterator<Item = &Figures> {
    rows.iter().filter(move |row| row.whole("recency") == Some(recency))
}

const LATEST: i64 = 1;
const BEFORE: i64 = 2;

/// Accounts of the period that answered a survey, so that they are placed.
fn placed_accounts(rows: &[Figures], recency: i64) -> i64 {
    of(rows, recency)
        .filter(|row| !matches!(row.text("quadrant").as_deref(), Some("not_asked" | "no_lines")))
        .filter_map(|row| row.whole("accounts"))
        .sum()
}

fn percent(part: f64, of: f64) -> f64 {
    if of == 0.0 { 0.0 } else { 100.0 * part / of }
}

/// `None` when no account of the latest period is placed.
fn blocks(rows: &[Figures]) -> Option<Vec<Block>> {
    let period = of(rows, LATEST).next()?.text("period")?;
    let placed = placed_accounts(rows, LATEST);
    if placed == 0 {
        return None;
    }
    let all = of(rows, LATEST).filter_map(|row| row.number("accounts")).sum::<f64>() as i64;
    let line = |name: &str| of(rows, LATEST).find_map(|row| row.number(name)).unwrap_or(0.0);
    // Lines that are kept let satisfaction fall; redrawn ones would call half of the accounts dissatisfied for ever.
    let drawn = match of(rows, LATEST).find_map(|row| row.text("lines_period")) {
        Some(drawn) if drawn == period => format!(" The lines are the medians of {period}."),
        Some(drawn) => format!(" The lines are the medians of {drawn} and stay, so that accounts move."),
        None => String::new(),
    };
    let text = format!(
        "{period}: {} of {} accounts answered a survey and are placed; {} did not and are not. Much means {} billed or more in \
         the period, satisfied {:.0} of 100 or more; an account on a line counts as high.{drawn}",
        whole(placed),
        whole(all),
        whole(all - placed),
        rounded(line("revenue_line")),
        100.0 * line("satisfaction_line")
    );
    let (quadrants, table) = (quadrants(rows), table(rows, &period)?);
    Some(vec![Block::text(text), Block::Matrix { quadrants }, Block::Behind { table }])
}

/// The four fields in the latest period, and how their shares of the placed accounts moved since the period before.
fn quadrants(rows: &[Figures]) -> Vec<Quadrant> {
    let placed = placed_accounts(rows, LATEST) as f64;
    let placed_before = placed_accounts(rows, BEFORE) as f64;
    let before = of(rows, BEFORE).next().and_then(|row| row.text("period"));
    let revenue = of(rows, LATEST).filter_map(|row| row.number("revenue")).sum::<f64>();
    let fields = QUADRANTS.map(|(key, name, meaning)| {
        let in_field = |recency: i64, column: &str| {
            let row = of(rows, recency).find(|row| row.text("quadrant").as_deref() == Some(key));
            row.and_then(|row| row.number(column)).unwrap_or(0.0)
        };
        let accounts = in_field(LATEST, "accounts");
        let billed = in_field(LATEST, "revenue");
        let share = percent(accounts, placed);
        let change = before.as_ref().map(|before| match share - percent(in_field(BEFORE, "accounts"), placed_before) {
            change if change.abs() < 0.05 => format!("as large as in {before}"),
            change => format!("{change:+.1} points since {before}"),
        });
        Quadrant {
            name,
            meaning,
            accounts: rounded(accounts),
            share: format!("{share:.1} %"),
            revenue: format!("{} billed, {:.0} % of all", rounded(billed), percent(billed, revenue)),
            change: change.unwrap_or_default(),
        }
    });
    fields.into()
}

/// All fields in both periods, and the accounts without one.
fn table(rows: &[Figures], period: &str) -> Option<Table> {
    let head = ["Field", "Period", "#Accounts", "#Of those asked", "#Billed"];
    let mut table = Table::new(format!("Accounts in {period}"), &head);
    for row in rows {
        let placed = placed_accounts(rows, row.whole("recency")?);
        let quadrant = row.text("quadrant")?;
        let without = if quadrant == "no_lines" { "No lines" } else { "Not asked" };
        let field = QUADRANTS.iter().find(|(key, ..)| *key == quadrant).map(|(_, name, _)| *name);
        let accounts = row.number("accounts").unwrap_or(0.0);
        let share = field.map_or_else(|| "–".to_owned(), |_| format!("{:.1} %", percent(accounts, placed as f64)));
        table.push(vec![
            field.unwrap_or(without).to_owned(),
            row.text("period")?,
            rounded(accounts),
            share,
            row.number("revenue").map_or_else(|| "–".to_owned(), rounded),
        ]);
    }
    Some(table)
}
