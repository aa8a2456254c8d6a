//! Planted against recovered excess churners, by journey and quarter, and the traps laid for whoever counts them.

use serde_json::Value;

use crate::company::{Company, list, text};
use crate::proportion::Share;
use crate::sheet::{Sheet, optional, shown};
use crate::table;

/// What the pipeline says of each journey in each quarter that lies wholly in the days counted.
const QUARTERS: &str = "
SELECT
    journey, period, status, tier,
    excess_churners AS estimate, excess_churners_lower AS lower, excess_churners_upper AS upper
FROM fct_key_journeys
WHERE segment = 'all' AND period_kind = 'quarter' AND status NOT IN ('running', 'partial')
ORDER BY journey, period";

/// The kind of truth that a journey stands for.
pub(crate) fn kind<'a>(truth: &'a Value, journey: &Value) -> &'a str {
    let journeys = list(&truth["journeys"]).iter().find(|planted| planted["journey"] == *journey);
    journeys.map_or("", |planted| text(&planted["kind"]))
}

/// What is planted for a journey and period, all segments together.
pub(crate) fn planted<'a>(truth: &'a Value, row: &Value) -> &'a Value {
    let journey = list(&truth["journeys"]).iter().find(|planted| planted["journey"] == row["journey"]);
    let periods = journey.map_or(&[][..], |journey| list(&journey["periods"]));
    periods.iter().find(|period| period["period"] == row["period"]).unwrap_or(&Value::Null)
}

/// Whether the excess that an interval is to cover is that of the journey alone: not where leaving itself begins it,
/// nor where it follows another one and takes over what that one does.
pub(crate) fn is_its_own(kind: &str) -> bool {
    !matches!(kind, "leakage" | "confounded_by_journey")
}

/// One line a journey and quarter, then one a journey over all of them.
pub(crate) fn print(company: &Company) -> Result<(), String> {
    let rows = company.query(QUARTERS)?;
    let mut lines = Vec::new();
    let mut share = Share::default();
    for row in &rows {
        let truth = planted(&company.truth, row);
        let own = is_its_own(kind(&company.truth, &row["journey"]));
        let [estimate, lower, upper] = ["estimate", "lower", "upper"].map(|name| row[name].as_f64());
        let soon = truth["excess_churners_within_90_days"].as_f64();
        let covers = soon.zip(lower.zip(upper)).map(|(soon, (lower, upper))| lower <= soon && soon <= upper);
        if let Some(covers) = covers.filter(|_| own) {
            share.count(covers);
        }
        lines.push(vec![
            format!("{} {}", text(&row["journey"]), text(&row["period"])),
            optional(truth["excess_churners"].as_f64()),
            optional(soon),
            only_because(truth),
            optional(estimate),
            lower.zip(upper).map_or_else(String::new, |(low, high)| format!("{} to {}", shown(low), shown(high))),
            match (covers, own) {
                (None, _) => text(&row["status"]),
                (_, false) => "not its own",
                (Some(true), _) => "yes",
                (Some(false), _) => "NO",
            }
            .to_owned(),
            row["tier"].as_str().unwrap_or(text(&row["status"])).to_owned(),
        ]);
    }
    let header =
        ["excess churners", "planted", "in 90 days", "only because", "recovered", "95 % interval", "covers", "tier"];
    table::print("Excess churners, planted and recovered, by quarter", &header, &lines);
    println!(
        "{} of {} intervals cover what is planted within 90 days of a touchpoint: {}",
        share.hits,
        share.trials,
        share.shown()
    );
    totals(company, &rows);
    Ok(())
}

fn only_because(truth: &Value) -> String {
    let [left, stayed] = ["left_only_because", "stayed_only_because"].map(|name| truth[name].as_i64().unwrap_or(0));
    (left - stayed).to_string()
}

/// Sums over the quarters: how much of what is planted is recovered.
fn totals(company: &Company, rows: &[Value]) {
    let mut lines = Vec::new();
    for journey in list(&company.truth["journeys"]) {
        let own = || rows.iter().filter(|row| row["journey"] == journey["journey"]);
        let sum = |name: &str| own().filter_map(|row| planted(&company.truth, row)[name].as_f64()).sum::<f64>();
        let recovered: f64 = own().filter_map(|row| row["estimate"].as_f64()).sum();
        let (all, soon) = (sum("excess_churners"), sum("excess_churners_within_90_days"));
        let part = if soon.abs() >= 1.0 { format!("{:.0} %", 100.0 * recovered / soon) } else { String::new() };
        lines.push(vec![
            format!("{} ({})", text(&journey["journey"]), text(&journey["kind"])),
            shown(all),
            shown(soon),
            (sum("left_only_because") - sum("stayed_only_because")).to_string(),
            shown(recovered),
            part,
        ]);
    }
    let header = ["over all these quarters", "planted", "in 90 days", "only because", "recovered", "recovered"];
    table::print("The same, summed", &header, &lines);
}

/// What must be told apart from harm: confounding, leakage, few to compare with, loss that depends on the journey.
pub(crate) fn traps(company: &Company, sheet: &mut Sheet) -> Result<(), String> {
    let rows = company.query(
        "SELECT
             journey, count(*) AS quarters,
             count(*) FILTER (WHERE flags LIKE '%confounded%') AS confounded,
             count(*) FILTER (WHERE flags LIKE '%leaves_at_once%') AS at_once,
             count(*) FILTER (WHERE tier = 'harmful') AS harmful,
             exp(avg(ln(rate_ratio))) AS crude,
             exp(avg(ln(adjusted_rate_ratio))) AS adjusted,
             exp(avg(ln(mutual_rate_ratio))) AS mutual,
             sum(unexposed_share * (exposed_days + unexposed_days)) / sum(exposed_days + unexposed_days) AS unexposed,
             sum(exposed_lost) / sum(CAST(exposed_days AS DOUBLE))
                 / (sum(unexposed_lost) / sum(CAST(unexposed_days AS DOUBLE))) AS loss
         FROM fct_key_journeys
         WHERE segment = 'all' AND period_kind = 'quarter' AND status NOT IN ('running', 'partial') AND rate_ratio > 0
         GROUP BY journey",
    )?;
    let of = |kind_of_truth: &str| rows.iter().find(|row| kind(&company.truth, &row["journey"]) == kind_of_truth);
    let number = |row: &Value, name: &str| row[name].as_f64();
    let least = |found: Option<f64>, least: f64| found.is_some_and(|found| found >= least);
    let about_one = |found: Option<f64>| found.is_some_and(|found| (0.85..1.15).contains(&found));
    let most_quarters =
        |row: &Value, name: &str| 2 * row[name].as_u64().unwrap_or(0) > row["quarters"].as_u64().unwrap_or(0);
    let told = |row: &Value, name: &str| format!("in {} of {} quarters", row[name], row["quarters"]);
    if let Some(row) = of("confounded_by_segment") {
        let name = text(&row["journey"]);
        let (crude, adjusted) = (number(row, "crude"), number(row, "adjusted"));
        sheet.holds(
            format!("crude rate ratio, all of it confounding: {name}"),
            "> 1.2",
            optional(crude),
            least(crude, 1.2),
        );
        sheet.holds(format!("among like customers: {name}"), "about 1", optional(adjusted), about_one(adjusted));
        let flagged = most_quarters(row, "confounded");
        sheet.holds(format!("flagged as confounded: {name}"), "yes", told(row, "confounded"), flagged);
    }
    if let Some(row) = of("confounded_by_journey") {
        let name = text(&row["journey"]);
        let (adjusted, mutual) = (number(row, "adjusted"), number(row, "mutual"));
        let apart = adjusted.zip(mutual).is_some_and(|(adjusted, mutual)| adjusted > mutual);
        sheet.holds(
            format!("looks harmful beside its journey: {name}"),
            "> 1",
            optional(adjusted),
            least(adjusted, 1.05),
        );
        sheet.holds(format!("mutually adjusted: {name}"), "about 1", optional(mutual), about_one(mutual) && apart);
    }
    if let Some(row) = of("leakage") {
        let what = format!("flagged as leaving at once: {}", text(&row["journey"]));
        sheet.holds(what, "yes", told(row, "at_once"), most_quarters(row, "at_once"));
    }
    if let Some(row) = of("near_universal") {
        let found = number(row, "unexposed");
        let few = found.is_some_and(|share| share < 0.2);
        sheet.holds(format!("few days without: {}", text(&row["journey"])), "below 20 %", optional(found), few);
    }
    if let Some(row) = of("rare_and_strong") {
        let loss = number(row, "loss");
        sheet.holds(format!("lost as many times: {}", text(&row["journey"])), "> 5", optional(loss), least(loss, 5.0));
    }
    Ok(())
}
