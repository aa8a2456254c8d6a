//! Every planted truth beside what the pipeline's tables say.

use serde_json::Value;

use crate::company::{Company, list, sum, text};
use crate::sheet::{Sheet, optional};
use crate::{excess, table};

/// Samples a company, runs the pipeline on it and prints planted beside recovered.
pub(crate) fn print(customers: u64, seed: u64) -> Result<(), String> {
    let company = Company::new(customers, seed, true, &[])?;
    let seconds = company.record["seconds"].as_f64().unwrap_or_default();
    println!("{customers} customers, seed {seed}; the run took {seconds:.0} s");
    excess::print(&company)?;

    let mut sheet = Sheet::default();
    relationship(&company, &mut sheet)?;
    channels(&company, &mut sheet)?;
    let header = ["planted truth", "planted", "recovered", "95 % interval", "covers"];
    table::print("What is planted in satisfaction, with an interval", &header, &sheet.rows);
    println!("{} of {} intervals cover what is planted", sheet.covered, sheet.rows.len());

    let mut sheet = Sheet::default();
    excess::traps(&company, &mut sheet)?;
    upgrades(&company, &mut sheet)?;
    satisfied_everywhere(&company, &mut sheet)?;
    drivers(&company, &mut sheet)?;
    table::print("What is planted as more or less", &["planted truth", "planted", "recovered", "holds"], &sheet.rows);

    let mut sheet = Sheet::default();
    counts(&company, &mut sheet)?;
    table::print("What is planted in exact numbers", &["planted truth", "planted", "recovered", "equal"], &sheet.rows);
    Ok(())
}

/// What upgrades add to the bills of 90 days: hardly more than the price of so many months, and not much less, since
/// some give up and some leave.
fn upgrades(company: &Company, sheet: &mut Sheet) -> Result<(), String> {
    let rows = company.query(
        "SELECT journey, sum(exposed * (exposed_sum / exposed - unexposed_sum / unexposed)) / sum(exposed) AS estimate
         FROM (
             SELECT journey, CAST(exposed AS DOUBLE) AS exposed, CAST(unexposed AS DOUBLE) AS unexposed,
                 exposed_sum, unexposed_sum
             FROM fct_key_journeys_outcome_stratum
             WHERE outcome = 'revenue' AND exposed_sum IS NOT NULL AND exposed > 0 AND unexposed > 0
         ) WHERE journey = 'plan_upgrade' GROUP BY journey",
    )?;
    let most = company.truth["upgrade_price"].as_f64().unwrap_or_default() * 90.0 / (365.25 / 12.0);
    for_each_journey(company, &rows, |name, _, row| {
        let found = row["estimate"].as_f64();
        let holds = found.is_some_and(|found| (0.6 * most..1.1 * most).contains(&found));
        let planted = format!("at most about {most:.1}");
        sheet.holds(format!("revenue a customer in 90 days after: {name}"), planted, optional(found), holds);
    });
    Ok(())
}

/// The fall of relationship satisfaction over onboarding, by segment, with the interval of a ratio of means (delta
/// method).
fn relationship(company: &Company, sheet: &mut Sheet) -> Result<(), String> {
    let rows = company.query(
        "SELECT segment, e / s - 1 AS estimate, e / s - 1 - reach AS lower, e / s - 1 + reach AS upper
         FROM (
             SELECT segment, avg(satisfaction_start) AS s, avg(satisfaction_end) AS e,
                 1.959964 * avg(satisfaction_end) / avg(satisfaction_start) * sqrt((
                     var_samp(satisfaction_end) / power(avg(satisfaction_end), 2)
                     + var_samp(satisfaction_start) / power(avg(satisfaction_start), 2)
                     - 2 * covar_samp(satisfaction_start, satisfaction_end)
                         / avg(satisfaction_start) / avg(satisfaction_end)) / count(*)) AS reach
             FROM mart_analyst
             WHERE journey = 'onboarding' AND satisfaction_points IS NOT NULL
             GROUP BY segment
         )",
    )?;
    for planted in list(&company.truth["onboarding_relationship"]) {
        let segment = text(&planted["segment"]);
        if let Some(row) = rows.iter().find(|row| row["segment"] == segment) {
            let key = if planted["key_segment"] == true { ", a key segment" } else { "" };
            let what = format!("relationship over onboarding: {segment}{key}");
            sheet.interval(what, planted["planted_change"].as_f64(), row);
        }
    }
    Ok(())
}

/// Journey satisfaction on several channels less that on one, where both occur.
fn channels(company: &Company, sheet: &mut Sheet) -> Result<(), String> {
    let rows = company.query(
        "SELECT journey, multi - single AS estimate, multi - single - reach AS lower, multi - single + reach AS upper
         FROM (
             SELECT journey,
                 avg(journey_satisfaction) FILTER (WHERE is_multichannel) AS multi,
                 avg(journey_satisfaction) FILTER (WHERE NOT is_multichannel) AS single,
                 1.959964 * sqrt(
                     var_samp(journey_satisfaction) FILTER (WHERE is_multichannel)
                         / count(journey_satisfaction) FILTER (WHERE is_multichannel)
                     + var_samp(journey_satisfaction) FILTER (WHERE NOT is_multichannel)
                         / count(journey_satisfaction) FILTER (WHERE NOT is_multichannel)) AS reach
             FROM fct_journey
             WHERE journey_satisfaction IS NOT NULL
             GROUP BY journey
             HAVING count(*) FILTER (WHERE is_multichannel) >= 30 AND count(*) FILTER (WHERE NOT is_multichannel) >= 30
         )",
    )?;
    for_each_journey(company, &rows, |name, planted, row| {
        let expected = planted["expected_multichannel_satisfaction"].as_f64();
        let single = planted["expected_single_channel_satisfaction"].as_f64();
        let difference = expected.zip(single).map(|(multi, single)| multi - single);
        sheet.interval(format!("satisfaction, multi- less single-channel: {name}"), difference, row);
    });
    Ok(())
}

/// Every kind of touchpoint is at least nine of ten satisfied.
fn satisfied_everywhere(company: &Company, sheet: &mut Sheet) -> Result<(), String> {
    let rows = company.query(
        "SELECT channel, event, count(*) AS answers, count(*) FILTER (WHERE satisfaction >= 0.75) AS satisfied
         FROM (SELECT DISTINCT touchpoint_id, channel, event, satisfaction FROM fct_journey_touchpoint)
         WHERE satisfaction IS NOT NULL
         GROUP BY channel, event HAVING count(*) >= 50",
    )?;
    let share = |row: &Value| row["satisfied"].as_f64().zip(row["answers"].as_f64()).map(|(part, all)| part / all);
    let lowest = |rows: &[Value]| rows.iter().filter_map(share).fold(1.0, f64::min);
    let planted: Vec<Value> = list(&company.truth["touchpoint_satisfaction"])
        .iter()
        .filter(|kind| rows.iter().any(|row| row["channel"] == kind["channel"] && row["event"] == kind["event"]))
        .cloned()
        .collect();
    let found = lowest(&rows);
    let what = format!("least satisfied of {} kinds of touchpoint in journeys", rows.len());
    sheet.holds(what, format!("{:.1} %", 100.0 * lowest(&planted)), format!("{:.1} %", 100.0 * found), found >= 0.9);
    Ok(())
}

/// Below so many responders, some ten of them churners, a comparison of two scores says nothing.
const FEW: u64 = 200;

/// Journey scores explain churn where experience matters, touchpoint scores hardly: McFadden R² of one score alone,
/// over the responders of all landmarks who gave both.
fn drivers(company: &Company, sheet: &mut Sheet) -> Result<(), String> {
    let matters = list(&company.truth["journeys"]).iter().filter(|journey| journey["experience_matters"] == true);
    let names: Vec<String> = matters.map(|journey| format!("'{}'", text(&journey["journey"]))).collect();
    let rows = company.query(&format!(
        "SELECT coalesce(journey, 'all of these') AS journey, count(*) AS responders,
             logistic_fit(churned, journey_satisfaction)['mcfadden_r2'] AS by_journey,
             logistic_fit(churned, touchpoint_satisfaction)['mcfadden_r2'] AS by_touchpoint
         FROM journey_responder
         WHERE churned IS NOT NULL AND journey_satisfaction IS NOT NULL AND touchpoint_satisfaction IS NOT NULL
             AND journey IN ({})
         GROUP BY GROUPING SETS ((journey), ())
         ORDER BY responders",
        names.join(", ")
    ))?;
    for row in rows {
        let what = format!("explain churn, {} responders: {}", row["responders"], text(&row["journey"]));
        let Some((journey, touchpoint)) = row["by_journey"].as_f64().zip(row["by_touchpoint"].as_f64()) else {
            sheet.rows.push(vec![what, "journey score".to_owned(), "too few churners".to_owned(), String::new()]);
            continue;
        };
        let recovered = format!("R² {journey:.4} against {touchpoint:.4} of touchpoints");
        if row["responders"].as_u64() < Some(FEW) {
            sheet.rows.push(vec![what, "journey score".to_owned(), recovered, "too few to say".to_owned()]);
        } else {
            sheet.holds(what, "journey score", recovered, journey > touchpoint);
        }
    }
    Ok(())
}

/// Rows that were broken, copied or late, web events, touchpoints, instances, and who left.
fn counts(company: &Company, sheet: &mut Sheet) -> Result<(), String> {
    let mut totals = [
        ("rows read", 0, 0),
        ("identical copies", 0, 0),
        ("contradicting rows", 0, 0),
        ("malformed rows", 0, 0),
        ("rows kept, the late ones among them", 0, 0),
    ];
    let mut late = 0;
    for (table, planted) in company.truth["tables"].as_object().into_iter().flatten() {
        let intake = company.intake(if table == "customers" { "customer_register" } else { table });
        let contradicting: u64 = intake["rejected"]
            .as_object()
            .into_iter()
            .flatten()
            .filter(|(reason, _)| reason.starts_with("contradicts"))
            .filter_map(|(_, rows)| rows.as_u64())
            .sum();
        let number = |value: &Value| value.as_u64().unwrap_or(0);
        let pairs = [
            (number(&planted["rows"]), number(&intake["read"])),
            (number(&planted["identical_copies"]), number(&intake["collapsed"])),
            (2 * number(&planted["contradicting_ids"]), contradicting),
            (sum(&planted["malformed"]), sum(&intake["rejected"]) - contradicting),
            (number(&planted["kept"]), number(&intake["kept"])),
        ];
        for (total, (planted, found)) in totals.iter_mut().zip(pairs) {
            total.1 += planted;
            total.2 += found;
        }
        late += number(&planted["late"]);
    }
    for (what, planted, found) in totals {
        sheet.holds(what, planted, found, planted == found);
    }
    sheet.rows.push(vec!["of the rows read, in late files".to_owned(), late.to_string(), String::new(), String::new()]);
    let unknown = company.query("SELECT count(*) AS events FROM web_unknown")?;
    let (planted, found) = (&company.truth["web"]["unknown"], &unknown[0]["events"]);
    sheet.holds("web events of nobody", planted, found, planted == found);
    let conservation = list(&company.step("fct_journey_touchpoint")["conservation"]);
    let read = conservation.first().map_or(&Value::Null, |row| &row["read"]);
    sheet.holds("touchpoints", &company.truth["touchpoints"], read, company.truth["touchpoints"] == *read);
    let instances = company.query("SELECT journey, count(*) AS instances FROM fct_journey GROUP BY journey")?;
    for_each_journey(company, &instances, |name, planted, row| {
        let (planted, found) = (&planted["instances"], &row["instances"]);
        sheet.holds(format!("instances: {name}"), planted, found, planted == found);
    });
    let notices = company.query(
        "SELECT count(*) AS spells
         FROM (SELECT DISTINCT customer_id, joined_at FROM dim_customer WHERE left_by = 'notice')",
    )?;
    let (planted, found) = (&company.truth["notices"], &notices[0]["spells"]);
    sheet.holds("spells with a notice", planted, found, planted == found);
    leavers(company, sheet)
}

/// Who left, by quarter and the segment of that day; on a journey for which everybody is eligible.
fn leavers(company: &Company, sheet: &mut Sheet) -> Result<(), String> {
    let rows = company.query(
        "SELECT period, segment, leavers FROM fct_key_journeys
         WHERE period_kind = 'quarter' AND journey = 'moving_house' AND status NOT IN ('running', 'partial')",
    )?;
    for row in rows.iter().filter(|row| row["segment"] == "all") {
        let period = text(&row["period"]);
        let planted = &company.truth["leavers"][period];
        let found = |segment: &str| {
            let row = rows.iter().find(|row| row["period"] == period && row["segment"] == segment);
            row.and_then(|row| row["leavers"].as_u64()).unwrap_or(0)
        };
        let of_segments = planted.as_object().into_iter().flatten();
        let equal = of_segments.clone().filter(|(segment, left)| left.as_u64() == Some(found(segment))).count();
        let holds = equal == of_segments.count() && sum(planted) == found("all");
        sheet.holds(format!("who left in {period}, each segment equal"), sum(planted), found("all"), holds);
    }
    Ok(())
}

/// Calls with each journey's name, truth and row, in the order of the truth; journeys without a row are passed over.
fn for_each_journey(company: &Company, rows: &[Value], mut with: impl FnMut(&str, &Value, &Value)) {
    for planted in list(&company.truth["journeys"]) {
        let name = text(&planted["journey"]);
        if let Some(row) = rows.iter().find(|row| row["journey"] == name) {
            with(name, planted, row);
        }
    }
}
