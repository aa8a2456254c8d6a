//! Do 95 % intervals cover the planted truth 95 times in a hundred, and how often is something found where nothing is?
//!
//! An interval that counts is one journey in one month and one segment of one company: no two of a journey share a
//! customer's day. The same customers live in several months; but what a day adds to leavers, minus the chance of
//! leaving that the customer had that morning, is uncorrelated with all days before it, whatever these were. So the
//! errors of such intervals are uncorrelated, and of different companies independent. Months of all segments, and
//! quarters, hold the same days again: they are shown on lines of their own and never counted in with the others.
//! Intervals of two journeys share customers, which is why each kind of truth is counted alone.
//!
//! The guard (status `ok`) asks for ten exposed leavers, which is a condition on the outcome: where about ten are
//! expected it lets pass the months in which more left by chance. What it lets pass is what people see and what has to
//! cover; all intervals together, which are free of that choice, are shown beside it, by kind of truth and by how many
//! exposed leavers were to be expected.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::cell::cells;
use crate::company::{Company, definitions};
use crate::kept::Kept;
use crate::tally::Tally;

/// For so many companies with the planted effects there is one without any: it has more rows to count.
const TO_ONE_WITHOUT: u64 = 3;

/// What was asked for.
pub(crate) struct Asked {
    /// Companies with the planted effects.
    pub(crate) seeds: u64,
    /// Customers of each.
    pub(crate) customers: u64,
    /// Companies that are sampled and run beside one another, each on one core.
    pub(crate) side_by_side: u64,
    /// No company is begun later.
    pub(crate) minutes: Option<u64>,
}

/// Samples and runs what is not kept yet of the companies asked for, then prints all that are kept.
///
/// # Errors
///
/// Where a company cannot be run, or anything falls short of what is asked, after the tables are printed.
pub(crate) fn run(asked: &Asked) -> Result<(), String> {
    let kept = Kept::open(asked.customers)?;
    let all = (1..=asked.seeds).flat_map(|seed| {
        let without = (seed % TO_ONE_WITHOUT == 0).then_some((false, seed / TO_ONE_WITHOUT));
        [(true, seed)].into_iter().chain(without)
    });
    let to_do: VecDeque<(bool, u64)> = all.filter(|(effects, seed)| !kept.has(*effects, *seed)).collect();
    eprintln!("{} companies are kept, {} are to be run", kept.companies.len(), to_do.len());
    let work = Mutex::new(Work { began: Instant::now(), of: to_do.len(), done: 0, to_do, kept });
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..asked.side_by_side).map(|_| scope.spawn(|| work_off(asked, &work))).collect();
        workers.into_iter().try_for_each(|worker| worker.join().map_err(|_| "a worker panicked".to_owned())?)
    })?;
    print(asked.customers)
}

/// Prints the tables of what is kept of companies of one size.
///
/// # Errors
///
/// Where nothing is kept, or anything falls short of what is asked, after the tables are printed.
pub(crate) fn print(customers: u64) -> Result<(), String> {
    let kept = Kept::open(customers)?;
    if kept.companies.is_empty() {
        return Err(format!("no company of {customers} customers is kept yet"));
    }
    let mut short = Vec::new();
    for effects in [true, false] {
        let of_these = || kept.companies.iter().filter(|company| company["effects"] == effects);
        let seconds: f64 = of_these().filter_map(|company| company["seconds"].as_f64()).sum();
        let mut tally = Tally::default();
        of_these().for_each(|company| tally.add(company));
        let title = format!(
            "{} companies of {customers} customers, {} ({:.0} s each)",
            of_these().count(),
            if effects { "planted effects" } else { "no effect at all" },
            seconds / of_these().count().max(1) as f64
        );
        if effects { tally.print_effects(&title, &mut short) } else { tally.print_without(&title, &mut short) }
    }
    if short.is_empty() { Ok(()) } else { Err(format!("falls short: {}", short.join("; "))) }
}

/// What the workers share.
struct Work {
    began: Instant,
    /// Companies to run in all.
    of: usize,
    done: usize,
    to_do: VecDeque<(bool, u64)>,
    kept: Kept,
}

/// Runs companies until none is left to do or the time is over.
fn work_off(asked: &Asked, work: &Mutex<Work>) -> Result<(), String> {
    loop {
        let next = {
            let mut work = work.lock().unwrap_or_else(PoisonError::into_inner);
            let over = asked.minutes.is_some_and(|minutes| work.began.elapsed() >= Duration::from_secs(60 * minutes));
            if over { None } else { work.to_do.pop_front() }
        };
        let Some((effects, seed)) = next else { return Ok(()) };
        let company = company(asked.customers, seed, effects)?;
        let mut work = work.lock().unwrap_or_else(PoisonError::into_inner);
        work.kept.add(company)?;
        work.done += 1;
        let left = work.began.elapsed().as_secs_f64() / 60.0 * (work.of - work.done) as f64 / work.done as f64;
        eprintln!("{} of {} companies; about {left:.0} minutes left", work.done, work.of);
    }
}

/// One company's line: as much of the pipeline as key journeys need, on one core, since another company has the next.
fn company(customers: u64, seed: u64, effects: bool) -> Result<Value, String> {
    let began = Instant::now();
    let options = ["--select", "+fct_key_journeys", "--threads", "1", "--partitions", "1"];
    let company = Company::new(customers, seed, effects, &options)?;
    let rows = cells(&company)?;
    Ok(json!({
        "seed": seed,
        "effects": effects,
        "made_by": [company.record["program"], company.truth["format"], definitions()?],
        "seconds": began.elapsed().as_secs_f64(),
        "rows": rows,
    }))
}
