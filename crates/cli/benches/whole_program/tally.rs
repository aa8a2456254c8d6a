//! What is counted over the companies of a calibration, and what is asked of it.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::cell::{Parting, limits, number};
use crate::company::{list, text};
use crate::excess::is_its_own;
use crate::proportion::Share;
use crate::table;

/// Fewer intervals say too little about one kind of truth.
const ENOUGH: u32 = 2_000;
/// Of fewer that hold the same days again nothing is said.
const FEW: u32 = 100;
/// Least share that covers.
const LEAST_COVER: f64 = 0.94;
/// Most that miss on one side.
const MOST_MISS: f64 = 0.03;
/// Most that find something where nothing is.
const MOST_FOUND: f64 = 0.05;
/// Exposed leavers to be expected, at which groups of intervals are cut.
const EXPECTED: [f64; 6] = [5.0, 10.0, 15.0, 20.0, 30.0, 50.0];
/// The journey that only follows another one.
const FOLLOWER: &str = "confounded_by_journey";

/// Intervals of one kind of truth.
#[derive(Default, Clone)]
struct Intervals {
    cover: Share,
    /// The whole interval lies above what is planted: too much harm is claimed.
    too_high: Share,
    too_low: Share,
    /// Sums over the intervals.
    planted: f64,
    recovered: f64,
}

/// Whether the guard let an interval pass.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Guard {
    Passed,
    SetAside,
}

/// What was counted.
#[derive(Default)]
pub(crate) struct Tally {
    /// Excess churners by kind of truth.
    excess: BTreeMap<(Parting, Guard, String), Intervals>,
    /// The same by month and segment, all kinds, by group of [`EXPECTED`]: what the guard lets pass, and all.
    expected: BTreeMap<usize, [Intervals; 2]>,
    /// Whether the mutually adjusted rate ratio of the follower covers 1, status ok.
    follower: BTreeMap<Parting, Intervals>,
    /// Whether its tier is harmful.
    follower_harmful: BTreeMap<Parting, Share>,
    /// The same where no mutually adjusted rate ratio could be fitted.
    follower_alone: BTreeMap<Parting, Share>,
    /// Rows with p below 0.05, status ok.
    p_below: BTreeMap<Parting, Share>,
    /// Periods with any q below 0.05 in one family: the journeys of all customers, or all rows of segments.
    any_q: BTreeMap<Parting, Share>,
}

impl Intervals {
    fn count(&mut self, truth: f64, estimate: f64, (lower, upper): (f64, f64)) {
        self.too_high.count(truth < lower);
        self.too_low.count(truth > upper);
        self.cover.count(lower <= truth && truth <= upper);
        self.planted += truth;
        self.recovered += estimate;
    }

    fn add(&mut self, other: &Intervals) {
        self.cover.add(other.cover);
        self.too_high.add(other.too_high);
        self.too_low.add(other.too_low);
        self.planted += other.planted;
        self.recovered += other.recovered;
    }

    /// A line without a verdict.
    fn figures(&self, what: String) -> Vec<String> {
        let miss = |share: Share| format!("{:.1} %", 100.0 * share.of_all());
        let mean = |sum: f64| format!("{:.2}", sum / f64::from(self.cover.trials.max(1)));
        let trials = self.cover.trials.to_string();
        let (planted, recovered) = (mean(self.planted), mean(self.recovered));
        vec![what, trials, self.cover.shown(), miss(self.too_high), miss(self.too_low), planted, recovered]
    }

    /// What is to be said against intervals of excess churners.
    fn faults(&self, counts: bool) -> Vec<String> {
        let mut faults = Vec::new();
        if counts && self.cover.trials < ENOUGH {
            faults.push(format!("fewer than {ENOUGH}"));
        }
        faults.extend(self.cover_faults(counts));
        for (share, side) in [(self.too_high, "too high too often"), (self.too_low, "too low too often")] {
            if bounds(share, counts).0 > MOST_MISS {
                faults.push(side.to_owned());
            }
        }
        faults
    }

    /// What is to be said against intervals of which only the cover is asked.
    fn cover_faults(&self, counts: bool) -> Vec<String> {
        let seldom = bounds(self.cover, counts).1 < LEAST_COVER;
        seldom.then(|| "covers too seldom".to_owned()).into_iter().collect()
    }

    fn line(&self, what: String, faults: &[String], short: &mut Vec<String>) -> Vec<String> {
        short.extend(faults.iter().map(|fault| format!("{what} {fault}")));
        let mut line = self.figures(what);
        line.push(if faults.is_empty() { "as it should".to_owned() } else { faults.join(", ") });
        line
    }
}

impl Tally {
    /// Counts one company's kept line.
    pub(crate) fn add(&mut self, company: &Value) {
        let mut families: BTreeMap<(Parting, String), bool> = BTreeMap::new();
        for row in list(&company["rows"]) {
            let parting = Parting::of(row);
            let guard = if row["status"] == "ok" { Guard::Passed } else { Guard::SetAside };
            self.add_excess(parting, guard, row);
            if guard == Guard::SetAside {
                continue;
            }
            if row["kind"] == FOLLOWER {
                self.add_follower(parting, row);
            }
            if let Some(p) = number(row, "p_value") {
                self.p_below.entry(parting).or_default().count(p < 0.05);
            }
            if let Some(q) = number(row, "q_value") {
                *families.entry((parting, text(&row["period"]).to_owned())).or_default() |= q < 0.05;
            }
        }
        for ((parting, _), found) in families {
            self.any_q.entry(parting).or_default().count(found);
        }
    }

    fn add_excess(&mut self, parting: Parting, guard: Guard, row: &Value) {
        let kind = text(&row["kind"]);
        let figures = number(row, "planted").zip(number(row, "estimate")).zip(limits(row, "lower", "upper"));
        if let Some(((planted, estimate), limits)) = figures.filter(|_| is_its_own(kind)) {
            self.excess.entry((parting, guard, kind.to_owned())).or_default().count(planted, estimate, limits);
            // What the truth says, and as many as left among like customers: neither knows how many exposed left.
            let expected = number(row, "exposed_leavers").map(|exposed| planted + exposed - estimate);
            if let Some(expected) = expected.filter(|_| parting.counts()) {
                let group = EXPECTED.iter().take_while(|least| expected >= **least).count();
                let [passed, all] = self.expected.entry(group).or_default();
                if guard == Guard::Passed {
                    passed.count(planted, estimate, limits);
                }
                all.count(planted, estimate, limits);
            }
        }
    }

    fn add_follower(&mut self, parting: Parting, row: &Value) {
        let harmful = row["tier"] == "harmful";
        self.follower_harmful.entry(parting).or_default().count(harmful);
        match number(row, "mutual").zip(limits(row, "mutual_lower", "mutual_upper")) {
            Some((mutual, limits)) => self.follower.entry(parting).or_default().count(1.0, mutual, limits),
            None => self.follower_alone.entry(parting).or_default().count(harmful),
        }
    }

    /// The tables of companies with planted effects.
    pub(crate) fn print_effects(&self, title: &str, short: &mut Vec<String>) {
        println!("\n{title}");
        let header = ["95 % intervals", "number", "cover", "too high", "too low", "planted", "recovered", ""];
        let passed = |wanted: fn(Parting) -> bool| {
            self.excess.iter().filter(move |((parting, guard, _), _)| wanted(*parting) && *guard == Guard::Passed)
        };
        let follower = |(parting, of): (&Parting, &Intervals), short: &mut Vec<String>| {
            let what = format!("follower's mutual rate ratio, by {}", parting.words());
            of.line(what, &of.cover_faults(parting.counts()), short)
        };
        let mut lines: Vec<_> =
            passed(Parting::counts).map(|((_, _, kind), of)| of.line(kind.clone(), &of.faults(true), short)).collect();
        lines.extend(self.follower.iter().map(|of| follower(of, short)));
        table::print("Excess churners by month and segment, where the guard lets pass", &header, &lines);

        let lines: Vec<_> = passed(|parting| !parting.counts())
            .map(|((parting, _, kind), of)| {
                of.line(format!("{kind}, by {}", parting.words()), &of.faults(false), short)
            })
            .collect();
        table::print("The same days again", &header, &lines);
        self.print_guard(&header[..7]);

        let mut lines = found("follower called harmful", &self.follower_harmful, short);
        let alone = |(parting, share): (&Parting, &Share)| {
            let what = format!("of these without a mutual rate ratio, by {}", parting.words());
            vec![what, share.trials.to_string(), share.hits.to_string(), share.shown(), String::new()]
        };
        lines.extend(self.follower_alone.iter().map(alone));
        table::print("Found where nothing is", &["", "of", "found", "share", ""], &lines);
    }

    /// What the guard does: the intervals that it lets pass beside all of them, by what was to be expected, and all by
    /// kind of truth.
    fn print_guard(&self, header: &[&str]) {
        let mut lines = Vec::new();
        for (group, [passed, both]) in &self.expected {
            lines.push(passed.figures(format!("{}, passed", words_of_group(*group))));
            lines.push(both.figures(format!("{}, all", words_of_group(*group))));
        }
        let title = "By month and segment, all kinds, by how many of the exposed were to be expected to leave";
        table::print(title, header, &lines);

        let mut all: BTreeMap<&str, Intervals> = BTreeMap::new();
        for ((_, _, kind), of) in self.excess.iter().filter(|((parting, _, _), _)| parting.counts()) {
            all.entry(kind).or_default().add(of);
        }
        let lines: Vec<_> = all.into_iter().map(|(kind, of)| of.figures(kind.to_owned())).collect();
        table::print("By month and segment, also what the guard sets aside", header, &lines);
    }

    /// The tables of companies without any effect.
    pub(crate) fn print_without(&self, title: &str, short: &mut Vec<String>) {
        let mut lines = found("rows with p below 0.05", &self.p_below, short);
        lines.extend(found("periods with any q below 0.05", &self.any_q, short));
        table::print(title, &["", "of", "found", "share", ""], &lines);
    }
}

fn words_of_group(group: usize) -> String {
    let least = group.checked_sub(1).map(|index| EXPECTED[index]);
    match (least, EXPECTED.get(group)) {
        (None, Some(below)) => format!("below {below}"),
        (Some(least), Some(below)) => format!("{least} to {below}"),
        (least, None) => format!("{} and more", least.unwrap_or_default()),
    }
}

/// Between which shares the true one is taken to lie. The share itself where it counts; where the same days are counted
/// again, the limits of chance, and nothing is said of few.
fn bounds(share: Share, counts: bool) -> (f64, f64) {
    match share.interval() {
        Some(_) if counts => (share.of_all(), share.of_all()),
        Some(interval) if share.trials >= FEW => interval,
        _ => (0.0, 1.0),
    }
}

/// A line for all rows together, whose share itself counts, and one for each parting, which falls short beyond chance.
fn found(what: &str, shares: &BTreeMap<Parting, Share>, short: &mut Vec<String>) -> Vec<Vec<String>> {
    let mut all = Share::default();
    shares.values().for_each(|share| all.add(*share));
    let mut line = |what: String, share: Share, counts: bool| {
        let often = bounds(share, counts).0 > MOST_FOUND;
        if often {
            short.push(format!("{what}: {}", share.shown()));
        }
        let verdict = if often { "too often" } else { "as it should" };
        vec![what, share.trials.to_string(), share.hits.to_string(), share.shown(), verdict.to_owned()]
    };
    let mut lines = vec![line(what.to_owned(), all, true)];
    lines.extend(shares.iter().map(|(parting, share)| line(format!("  by {}", parting.words()), *share, false)));
    lines
}
