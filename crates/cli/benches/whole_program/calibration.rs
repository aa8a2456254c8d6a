//! Do 95 % intervals cover the planted truth 95 times in a hundred, and how often is something found where nothing is?

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use serde_json::Value;

use crate::company::Company;
use crate::excess::{QUARTERS, is_its_own, kind, planted};
use crate::proportion::Share;
use crate::table;

/// Fewer intervals say too little about one kind of truth.
const ENOUGH: u32 = 2_000;
/// Least share that covers.
const LEAST_COVER: f64 = 0.94;
/// Most that miss on one side.
const MOST_MISS: f64 = 0.03;
/// Most that find something where nothing is.
const MOST_FOUND: f64 = 0.05;
/// Companies that are sampled and run beside one another.
const SIDE_BY_SIDE: usize = 2;

/// Intervals of one kind of truth.
#[derive(Default)]
struct Intervals {
    cover: Share,
    /// The whole interval lies above what is planted: too much harm is claimed.
    too_high: Share,
    too_low: Share,
}

/// What was counted over the companies.
#[derive(Default)]
struct Tally {
    /// Excess churners by kind of truth, status ok.
    excess: BTreeMap<String, Intervals>,
    /// Whether the mutually adjusted rate ratio of the journey that only follows another one covers 1.
    follower: Intervals,
    /// Whether its tier is harmful.
    follower_harmful: Share,
    /// Rows with p below 0.05.
    p_below: Share,
    /// Quarters with any q below 0.05.
    any_q: Share,
}

/// Samples and runs `seeds` companies with the planted effects and `seeds` without any.
///
/// # Errors
///
/// Where anything falls short of what is asked, after the tables are printed.
pub(crate) fn print(seeds: u64, customers: u64) -> Result<(), String> {
    let mut short = Vec::new();
    for (effects, title) in [(true, "planted effects"), (false, "no effect at all")] {
        let began = Instant::now();
        let tally = tally(seeds, customers, effects)?;
        let minutes = began.elapsed().as_secs_f64() / 60.0;
        let title = format!("{seeds} companies of {customers} customers, {title} ({minutes:.0} minutes)");
        if effects {
            tally.print_effects(&title, &mut short);
        } else {
            tally.print_without(&title, &mut short);
        }
    }
    if short.is_empty() { Ok(()) } else { Err(format!("falls short: {}", short.join("; "))) }
}

/// Counts over companies with the seeds `1..=seeds`, some side by side: a company alone does not keep two cores busy.
fn tally(seeds: u64, customers: u64, effects: bool) -> Result<Tally, String> {
    let next = AtomicU64::new(1);
    let tally = Mutex::new(Tally::default());
    let work = || -> Result<(), String> {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed > seeds {
                return Ok(());
            }
            let company = Company::new(customers, seed, effects, Some("+fct_key_journeys"))?;
            let rows = company.query(QUARTERS)?;
            tally.lock().unwrap_or_else(PoisonError::into_inner).add(&company.truth, &rows);
        }
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..SIDE_BY_SIDE).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| worker.join().map_err(|_| "a worker panicked".to_owned())?)
    })?;
    Ok(tally.into_inner().unwrap_or_else(PoisonError::into_inner))
}

impl Intervals {
    fn count(&mut self, truth: f64, (lower, upper): (f64, f64)) {
        self.too_high.count(truth < lower);
        self.too_low.count(truth > upper);
        self.cover.count(lower <= truth && truth <= upper);
    }

    fn line(&self, what: &str, short: &mut Vec<String>) -> Vec<String> {
        let mut verdict = Vec::new();
        if self.cover.trials < ENOUGH {
            verdict.push(format!("fewer than {ENOUGH}"));
        }
        if self.cover.of_all() < LEAST_COVER {
            verdict.push("covers too seldom".to_owned());
        }
        if self.too_high.of_all().max(self.too_low.of_all()) > MOST_MISS {
            verdict.push("misses on one side".to_owned());
        }
        short.extend(verdict.iter().map(|verdict| format!("{what} {verdict}")));
        let miss = |share: Share| format!("{:.1} %", 100.0 * share.of_all());
        let verdict = if verdict.is_empty() { "as it should".to_owned() } else { verdict.join(", ") };
        let trials = self.cover.trials.to_string();
        vec![what.to_owned(), trials, self.cover.shown(), miss(self.too_high), miss(self.too_low), verdict]
    }
}

impl Tally {
    fn add(&mut self, truth: &Value, rows: &[Value]) {
        let number = |row: &Value, name: &str| row[name].as_f64();
        let mut families: BTreeMap<String, bool> = BTreeMap::new();
        for row in rows.iter().filter(|row| row["status"] == "ok") {
            let kind = kind(truth, &row["journey"]);
            let limits = number(row, "lower").zip(number(row, "upper"));
            let expected = number(planted(truth, row), "excess_churners_within_90_days");
            if let Some((expected, limits)) = expected.zip(limits).filter(|_| is_its_own(kind)) {
                self.excess.entry(kind.to_owned()).or_default().count(expected, limits);
            }
            if kind == "confounded_by_journey" {
                let mutual = number(row, "mutual_rate_ratio_lower").zip(number(row, "mutual_rate_ratio_upper"));
                if let Some(limits) = mutual {
                    self.follower.count(1.0, limits);
                }
                self.follower_harmful.count(row["tier"] == "harmful");
            }
            if let Some(p) = number(row, "p_value") {
                self.p_below.count(p < 0.05);
            }
            if let Some(q) = number(row, "q_value") {
                *families.entry(row["period"].to_string()).or_default() |= q < 0.05;
            }
        }
        families.into_values().for_each(|found| self.any_q.count(found));
    }

    fn print_effects(&self, title: &str, short: &mut Vec<String>) {
        let mut lines: Vec<Vec<String>> = self.excess.iter().map(|(kind, of)| of.line(kind, short)).collect();
        lines.push(self.follower.line("follower, mutually adjusted, against 1", short));
        let header = ["95 % intervals of excess churners", "with one", "cover", "too high", "too low", ""];
        table::print(title, &header, &lines);
        let line = found("follower called harmful", self.follower_harmful, short);
        table::print("Found where nothing is", &["", "of", "found", "share", ""], &[line]);
    }

    fn print_without(&self, title: &str, short: &mut Vec<String>) {
        let lines = [
            found("rows with p below 0.05", self.p_below, short),
            found("quarters with any q below 0.05", self.any_q, short),
        ];
        table::print(title, &["", "of", "found", "share", ""], &lines);
    }
}

fn found(what: &str, share: Share, short: &mut Vec<String>) -> Vec<String> {
    let verdict = if share.of_all() > MOST_FOUND { "too often" } else { "as it should" };
    if share.of_all() > MOST_FOUND {
        short.push(format!("{what}: {}", share.shown()));
    }
    vec![what.to_owned(), share.trials.to_string(), share.hits.to_string(), share.shown(), verdict.to_owned()]
}
