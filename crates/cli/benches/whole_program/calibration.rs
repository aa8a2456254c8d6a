//! Do 95 % intervals cover the planted truth 95 times in a hundred, and how often is something found where nothing is?

use std::collections::BTreeMap;
use std::time::Instant;

use serde_json::Value;

use crate::company::{Company, list, text};
use crate::proportion::Share;
use crate::table;

/// Adjusted odds ratios of each journey over all matured landmarks: the strata are landmark × segment × tenure band.
const POOLED: &str = "
SELECT
    journey,
    'all' AS landmark,
    'pooled' AS status,
    estimate['lower'] AS lower,
    estimate['upper'] AS upper,
    benjamini_hochberg(estimate['p_value']) OVER () AS q_value
FROM (
    SELECT journey, mantel_haenszel(a, b, c, d) AS estimate
    FROM fct_key_journeys_stratum
    WHERE a IS NOT NULL
    GROUP BY journey
)";

/// Those of each landmark as the pipeline publishes them.
const EACH: &str = "
SELECT
    journey,
    CAST(CAST(landmark AS DATE) AS VARCHAR) AS landmark,
    status,
    adjusted_odds_ratio_lower AS lower,
    adjusted_odds_ratio_upper AS upper,
    q_value
FROM fct_key_journeys
WHERE segment = 'all' AND status <> 'not_matured'";

/// What was counted over the data sets.
#[derive(Default)]
struct Tally {
    /// Journeys over all landmarks: how many intervals cover, and how many had none.
    pooled: BTreeMap<String, (Share, u32)>,
    /// Journeys at each landmark, whatever their status.
    each: Share,
    /// Those with status ok.
    ranked: Share,
    /// Landmarks with a q value: whether any is below 0.05.
    discoveries: Share,
    /// Data sets: whether any q value over all landmarks is below 0.05.
    pooled_discoveries: Share,
}

/// Samples and runs `seeds` companies with the planted effects and `seeds` without any.
pub(crate) fn print(seeds: u64, customers: u64) -> Result<(), String> {
    for (effects, title) in [(true, "planted effects"), (false, "no effect at all")] {
        let began = Instant::now();
        let mut tally = Tally::default();
        for seed in 1..=seeds {
            tally.add(&Company::new(customers, seed, effects, Some("+fct_key_journeys"))?)?;
        }
        let minutes = began.elapsed().as_secs_f64() / 60.0;
        tally.print(&format!("{seeds} data sets of {customers} customers, {title} ({minutes:.0} minutes)"), effects);
    }
    Ok(())
}

impl Tally {
    fn add(&mut self, company: &Company) -> Result<(), String> {
        let pooled = company.query(POOLED)?;
        let mut found_any = false;
        for journey in list(&company.truth["journeys"]) {
            let name = text(&journey["journey"]);
            let row = pooled.iter().find(|row| row["journey"] == name);
            let (share, without) = self.pooled.entry(name.to_owned()).or_default();
            match row.and_then(|row| covers(row, &journey["all_landmarks"])) {
                Some(covered) => share.count(covered),
                None => *without += 1,
            }
            found_any |= row.is_some_and(is_discovery);
        }
        self.pooled_discoveries.count(found_any);
        self.add_landmarks(&company.query(EACH)?, &company.truth);
        Ok(())
    }

    fn add_landmarks(&mut self, rows: &[Value], truth: &Value) {
        let mut families: BTreeMap<&str, bool> = BTreeMap::new();
        for row in rows {
            let journey = list(&truth["journeys"]).iter().find(|journey| journey["journey"] == row["journey"]);
            let landmarks = journey.map_or(&[][..], |journey| list(&journey["landmarks"]));
            let planted = landmarks.iter().find(|planted| planted["landmark"] == row["landmark"]);
            if let Some(covered) = planted.and_then(|planted| covers(row, planted)) {
                self.each.count(covered);
                if row["status"] == "ok" {
                    self.ranked.count(covered);
                }
            }
            if row["q_value"].is_number() {
                *families.entry(text(&row["landmark"])).or_default() |= is_discovery(row);
            }
        }
        families.into_values().for_each(|found| self.discoveries.count(found));
    }

    fn print(&self, title: &str, effects: bool) {
        let row = |name: &str, share: Share, without: String| {
            vec![
                name.to_owned(),
                share.trials.to_string(),
                without,
                share.hits.to_string(),
                share.shown(),
                share.verdict(0.95).to_owned(),
            ]
        };
        let mut rows = Vec::new();
        let (mut all, mut none) = (Share::default(), 0);
        for (journey, (share, without)) in &self.pooled {
            rows.push(row(journey, *share, without.to_string()));
            all.add(*share);
            none += without;
        }
        rows.push(row("all journeys", all, none.to_string()));
        rows.push(row("each landmark, any status", self.each, String::new()));
        rows.push(row("each landmark, status ok", self.ranked, String::new()));
        let header = ["95 % intervals of the adjusted odds ratio", "with one", "without", "cover", "share", ""];
        table::print(title, &header, &rows);
        let found = |name: &str, share: Share| {
            let judged = if effects { "" } else { share.verdict(0.05) };
            vec![name.to_owned(), share.trials.to_string(), share.hits.to_string(), share.shown(), judged.to_owned()]
        };
        let rows = [
            found("a landmark's journeys with status ok", self.discoveries),
            found("a data set's journeys over all landmarks", self.pooled_discoveries),
        ];
        table::print("any q value below 0.05", &["among", "families", "with one", "share", ""], &rows);
    }
}

/// Whether the row's interval covers the expected ratio; `None` where one of the two is missing.
fn covers(row: &Value, planted: &Value) -> Option<bool> {
    let expected = planted["expected_adjusted_odds_ratio"].as_f64()?;
    Some(row["lower"].as_f64()? <= expected && expected <= row["upper"].as_f64()?)
}

fn is_discovery(row: &Value) -> bool {
    row["q_value"].as_f64().is_some_and(|q| q < 0.05)
}
