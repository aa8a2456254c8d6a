//! From where on each incremental model has to be made again, and why.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use arrow::array::AsArray;
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};
use chrono::{DateTime, Datelike, NaiveDate};
use datafusion::common::ScalarValue;
use datafusion::functions::expr_fn::least;
use datafusion::functions_aggregate::expr_fn::{count, min};
use datafusion::logical_expr::{Expr, cast, lit, when};
use datafusion::prelude::{SessionContext, ident};
use throughline_config::{Calendar, Materialization, Source, SourceKind, Timestamp};
use throughline_lake::{PartLayout, TableParts, open_source_files};
use throughline_plan::{Graph, Plan, ReplacedRows, Step};

use super::ledger::Ledger;
use super::seen::SeenSums;
use super::window::touchpoints_of;
use crate::expressions::{at, instant, time_type};
use crate::failure::EngineError;
use crate::prepare::Prepared;
use crate::run::rfc3339;

/// What a person asked to be made again.
#[derive(Debug, Clone, Copy, Default)]
pub struct IntervalOptions {
    /// Make everything again.
    pub full_refresh: bool,
    /// Make again from this instant on at least.
    pub start: Option<Timestamp>,
}

/// What a run makes again of each of its incremental models.
#[derive(Debug, Clone, Default)]
pub struct Increments(BTreeMap<String, Increment>);

/// What a run makes again of one model.
#[derive(Debug, Clone)]
pub struct Increment {
    /// From where on; `None`: the whole history.
    pub start: Option<Timestamp>,
    /// Why, in words.
    pub why: String,
    /// Rows that came too late to be taken in.
    pub late: Vec<LateRows>,
    /// For a model of instances, from where on touchpoints are matched again.
    pub(super) matched_from: Option<Timestamp>,
    /// For a model of members or instances, the view of touchpoints that are matched.
    pub(super) touchpoints: Option<String>,
    /// From where on the next run will match again when nothing comes late.
    pub(super) next_matched_from: Timestamp,
    /// What the customers' touchpoints summed up to when the table was made, and from where on they are compared; `None`
    /// where those that are matched again lie before them, too.
    pub(super) seen: Option<(SeenSums, Timestamp)>,
    /// Which rows go into which files.
    pub(crate) layout: PartLayout,
    /// The version that is there, where its rows are kept.
    pub(super) base: Option<TableParts>,
    pub(super) ledger: Ledger,
    pub(super) replaced: ReplacedRows,
}

/// Rows of a source that came later than the lookback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LateRows {
    /// The source.
    pub source: String,
    /// How many.
    pub rows: u64,
    /// The earliest.
    pub since: Timestamp,
}

impl Increments {
    /// The models that are matched from a view of touchpoints.
    pub(super) fn matched_from(&self, view: &str) -> impl Iterator<Item = &Increment> {
        self.0.values().filter(move |increment| increment.touchpoints.as_deref() == Some(view))
    }

    /// What is made again of a model; `None` for one that is not incremental.
    pub fn get(&self, model: &str) -> Option<&Increment> {
        self.0.get(model)
    }
}

impl Increment {
    /// The model's ledger, with what this run has seen of its customers' touchpoints.
    pub(super) fn ledger_with(&self, seen: Option<SeenSums>) -> String {
        Ledger { seen, ..self.ledger.clone() }.text()
    }
}

/// Decides for each incremental model among `steps`. Reads the ledgers, and of the sources the files that are new.
pub async fn increments(
    prepared: &Prepared,
    steps: &[&Step],
    options: IntervalOptions,
) -> Result<Increments, EngineError> {
    let mut deciding = Deciding { prepared, options, decided: Increments::default(), new_files: HashMap::new() };
    for step in steps {
        if let Some(replaced) = &step.replaced {
            let increment = deciding.increment(step, replaced).await?;
            deciding.decided.0.insert(step.name.clone(), increment);
        }
    }
    Ok(deciding.decided)
}

struct Deciding<'a> {
    prepared: &'a Prepared,
    options: IntervalOptions,
    decided: Increments,
    /// What was found in a source's new files, by source, files, the end of what is finished and the lookback's beginning.
    new_files: HashMap<(String, Vec<u64>, Timestamp, Timestamp), NewFiles>,
}

/// The rows of new files before the instant up to which the history is finished.
#[derive(Debug, Clone, Copy, Default)]
struct NewFiles {
    /// The earliest within the lookback.
    earliest: Option<Timestamp>,
    /// Rows before the lookback, and the earliest of them.
    late: u64,
    late_since: Option<Timestamp>,
}

impl<'a> Deciding<'a> {
    async fn increment(&mut self, step: &Step, replaced: &ReplacedRows) -> Result<Increment, EngineError> {
        let plan = &self.prepared.plan;
        let look = look_of(plan, &step.name);
        let as_of = plan.parameters.as_of();
        let parts = self.prepared.warehouse.table_parts(&step.name).await?;
        let before = parts.as_ref().and_then(|parts| Ledger::parse(parts.ledger.as_deref()?));
        let closure = Graph::closure([step.name.as_str()], |name| plan.graph.inputs(name));
        let mut increment = Increment {
            start: None,
            why: String::new(),
            late: Vec::new(),
            matched_from: None,
            touchpoints: match replaced {
                ReplacedRows::Members => touchpoints_of(plan, &step.name),
                ReplacedRows::Instances { view, .. } => touchpoints_of(plan, view),
                ReplacedRows::Interval { .. } => None,
            }
            .map(ToOwned::to_owned),
            next_matched_from: look.matched_again(replaced, as_of.saturating_sub(look.upstream_reach)),
            seen: None,
            layout: PartLayout {
                by_week_from: as_of.saturating_sub(look.lookback + look.own_reach + look.upstream_reach),
                unsettled_from: as_of,
            },
            base: None,
            ledger: self.ledger(&closure),
            replaced: replaced.clone(),
        };
        let (parts, before) = match self.whole(step, &closure, parts.is_some(), before.as_ref()) {
            Some(why) => {
                increment.why = why;
                // Without a table the history may begin where a person says.
                if let (false, Some(start)) = (parts.is_some(), self.options.start) {
                    increment.ledger.from = Some(start);
                    increment.start = Some(start);
                    increment.matched_from = Some(start);
                    increment.why = format!("not published yet, from {} as asked", rfc3339(start));
                }
                return Ok(increment);
            }
            None => match (parts, before) {
                (Some(parts), Some(before)) => (parts, before),
                _ => return Ok(increment),
            },
        };
        let oldest = before.until.saturating_sub(look.lookback);
        let mut changed_since = before.until;
        let mut late_since = before.late_since;
        for source in self.sources(&closure) {
            let found = match self.new_rows(source, &before, oldest).await? {
                Some(found) => found,
                None => {
                    increment.why = format!("`{}` has changed, and nothing says which of its rows", source.name.value);
                    return Ok(increment);
                }
            };
            changed_since = found.earliest.map_or(changed_since, |earliest| changed_since.min(earliest));
            if let Some(since) = found.late_since {
                increment.late.push(LateRows { source: source.name.value.clone(), rows: found.late, since });
                late_since = Some(late_since.map_or(since, |known| known.min(since)));
            }
        }
        let came_late = changed_since < before.until;
        let mut from = changed_since.saturating_sub(look.upstream_reach);
        let asked = self.options.start.filter(|start| *start < from);
        from = asked.map_or(from, |start| start);
        // What an input has made again further back, in this run, this model makes again too.
        let inputs = closure.iter().filter(|name| **name != step.name);
        let inputs = inputs.filter_map(|name| self.decided.get(name)?.start);
        from = inputs.fold(from, Timestamp::min);
        let start = floor(from.saturating_sub(look.own_reach), look.interval);
        increment.start = Some(start);
        let matched_from = look.matched_again(replaced, from);
        increment.seen = before.seen.and_then(|seen| Some((seen, seen.compared_from(matched_from)?)));
        increment.matched_from = Some(from);
        increment.ledger.from = before.from;
        increment.ledger.late_since = late_since.filter(|since| *since < from);
        increment.base = Some(parts);
        let finished = rfc3339(before.until);
        increment.why = match (asked, came_late) {
            (Some(_), _) => format!("finished up to {finished}; asked for"),
            (None, true) => {
                format!("finished up to {finished}; rows came late, the earliest of {}", rfc3339(changed_since))
            }
            (None, false) => format!("finished up to {finished}"),
        };
        if look.upstream_reach + look.own_reach > 0 && asked.is_none() {
            increment.why += &format!(", reaching {} back", days(look.upstream_reach + look.own_reach));
        }
        Ok(increment)
    }

    /// Why the whole history has to be made, if it has to.
    fn whole(&self, step: &Step, closure: &BTreeSet<&str>, published: bool, before: Option<&Ledger>) -> Option<String> {
        if self.options.full_refresh {
            return Some("asked for by --full-refresh".to_owned());
        }
        let Some(before) = before else {
            let why = if published { "published without a ledger" } else { "not published yet" };
            return Some(why.to_owned());
        };
        let plan = &self.prepared.plan;
        let upstream = closure.iter().filter(|name| **name != step.name);
        if let Some(whole) =
            upstream.clone().find(|name| self.decided.get(name).is_some_and(|input| input.start.is_none()))
        {
            return Some(format!("`{whole}`, which it reads, is made as a whole"));
        }
        let changed: Vec<&str> = closure
            .iter()
            .copied()
            .filter(|name| plan.step(name).is_some_and(|step| before.made_from.get(*name) != Some(&step.fingerprint)))
            .collect();
        // A relation's fingerprint holds those of all it reads, so the first to change explains the others.
        let first = changed.iter().find(|name| !plan.graph.inputs(name).any(|input| changed.contains(&input)));
        if let Some(first) = first.or(changed.first()) {
            return Some(match *first == step.name {
                true => "its definition has changed".to_owned(),
                false => format!("the definition of `{first}`, which it reads, has changed"),
            });
        }
        if plan.parameters.as_of() < before.until {
            return Some(format!("finished up to {}, which is after as_of", rfc3339(before.until)));
        }
        let from = before.from.filter(|from| self.options.start.is_none_or(|start| start < *from));
        from.map(|from| format!("a gap: its history before {} was never made", rfc3339(from)))
    }

    fn ledger(&self, closure: &BTreeSet<&str>) -> Ledger {
        let plan = &self.prepared.plan;
        let steps = closure.iter().filter_map(|name| plan.step(name));
        let files = self.sources(closure).into_iter().filter_map(|source| {
            let open = self.prepared.sources.get(&source.name.value)?;
            Some((source.name.value.clone(), open.stamps.iter().map(|stamp| format!("{stamp:016x}")).collect()))
        });
        Ledger {
            from: None,
            until: plan.parameters.as_of(),
            made_from: steps.map(|step| (step.name.clone(), step.fingerprint.clone())).collect(),
            files: files.collect(),
            late_since: None,
            seen: None,
        }
    }

    /// The sources and seeds among the relations that a model reads, directly or not.
    fn sources(&self, closure: &BTreeSet<&str>) -> Vec<&'a Source> {
        let sources = &self.prepared.plan.pipeline.sources;
        closure.iter().filter_map(|name| sources.get(*name)).collect()
    }

    /// What the files hold that came since the ledger was written, of the time that is finished; `None` when a file came
    /// or went that has no times to go by.
    async fn new_rows(
        &mut self,
        source: &Source,
        before: &Ledger,
        oldest: Timestamp,
    ) -> Result<Option<NewFiles>, EngineError> {
        let Some(open) = self.prepared.sources.get(&source.name.value) else { return Ok(Some(NewFiles::default())) };
        let known: HashSet<u64> = before.stamps(&source.name.value).collect();
        let now: HashSet<u64> = open.stamps.iter().copied().collect();
        let mut new: Vec<u64> = now.difference(&known).copied().collect();
        let gone = known.difference(&now).next().is_some();
        if new.is_empty() && !gone {
            return Ok(Some(NewFiles::default()));
        }
        if source.kind == SourceKind::Seed || source.time_column.is_none() {
            return Ok(None);
        }
        new.sort_unstable();
        let asked = (source.name.value.clone(), new, before.until, oldest);
        let mut found = match self.new_files.get(&asked) {
            Some(found) => *found,
            None => {
                let found = self.look_into(source, &asked.1, before.until, oldest).await?;
                self.new_files.insert(asked, found);
                found
            }
        };
        if gone {
            // Which rows a file that is gone had is not known; within the lookback all is made again.
            found.earliest = Some(oldest);
        }
        Ok(Some(found))
    }

    async fn look_into(
        &self,
        source: &Source,
        stamps: &[u64],
        until: Timestamp,
        oldest: Timestamp,
    ) -> Result<NewFiles, EngineError> {
        let wanted = stamps.iter().copied().collect();
        let opened = open_source_files(source, &self.prepared.stores, &wanted).await;
        let opened = opened.map_err(|error| EngineError::failed(error.to_string(), error.help()))?;
        // A Delta source is not read by its files.
        let Some(opened) = opened else { return Ok(NewFiles { earliest: Some(oldest), ..NewFiles::default() }) };
        let session: SessionContext = self.prepared.session()?;
        let rows = session.read_table(opened.provider)?;
        let times = source.active_at.iter().chain(source.time_column.iter().filter(|_| source.active_at.is_empty()));
        let mut times: Vec<Expr> = times.map(|time| cast(ident(time.as_str()), time_type())).collect();
        let first = if times.len() > 1 { least(times) } else { times.pop().unwrap_or_else(|| lit(ScalarValue::Null)) };
        let rows = rows.select(vec![first.alias("first")])?.filter(ident("first").lt(at(until)))?;
        let (first, is_late) = (|| ident("first"), || ident("first").lt(at(oldest)));
        let never = || lit(instant(None));
        let sums = vec![
            min(when(is_late(), never()).otherwise(first())?).alias("earliest"),
            count(when(is_late(), lit(1_i64)).otherwise(lit(ScalarValue::Int64(None)))?).alias("late"),
            min(when(is_late(), first()).otherwise(never())?).alias("late_since"),
        ];
        let found = rows.aggregate(vec![], sums)?.collect().await?;
        let Some(found) = found.first().filter(|batch| batch.num_rows() == 1) else { return Ok(NewFiles::default()) };
        let time = |column: usize| {
            found.column(column).as_primitive_opt::<TimestampMicrosecondType>()?.iter().next().flatten()
        };
        let late = found.column(1).as_primitive_opt::<Int64Type>().and_then(|numbers| numbers.iter().next().flatten());
        Ok(NewFiles {
            earliest: time(0),
            late: late.and_then(|late| u64::try_from(late).ok()).unwrap_or(0),
            late_since: time(2),
        })
    }
}

/// How far a model looks back, in microseconds.
struct Look {
    lookback: Timestamp,
    own_reach: Timestamp,
    /// The reach of the incremental models that it reads, directly or not.
    upstream_reach: Timestamp,
    interval: Calendar,
}

impl Look {
    /// From where on touchpoints are matched again when they may have changed since `from`.
    fn matched_again(&self, replaced: &ReplacedRows, from: Timestamp) -> Timestamp {
        match replaced {
            ReplacedRows::Members => floor(from.saturating_sub(self.own_reach), self.interval),
            ReplacedRows::Instances { .. } | ReplacedRows::Interval { .. } => from,
        }
    }
}

fn look_of(plan: &Plan, name: &str) -> Look {
    let own = |name: &str| match plan.pipeline.models.get(name)?.materialized {
        Materialization::Incremental(increment) => Some(increment),
        Materialization::View | Materialization::Table => None,
    };
    let closure = Graph::closure([name], |name| plan.graph.inputs(name));
    let upstream = closure.iter().filter(|input| **input != name && own(input).is_some());
    let upstream_reach = upstream.map(|input| {
        let look = look_of(plan, input);
        look.own_reach + look.upstream_reach
    });
    let upstream_reach = upstream_reach.max().unwrap_or(0);
    match own(name) {
        Some(increment) => Look {
            lookback: increment.lookback.0,
            own_reach: increment.reach.0,
            upstream_reach,
            interval: increment.interval,
        },
        None => Look { lookback: 0, own_reach: 0, upstream_reach, interval: Calendar::Instant },
    }
}

/// The last boundary of the calendar at or before an instant.
pub(super) fn floor(instant: Timestamp, interval: Calendar) -> Timestamp {
    let Some(date) = DateTime::from_timestamp_micros(instant).map(|time| time.date_naive()) else { return instant };
    let first = match interval {
        Calendar::Instant => return instant,
        Calendar::Day => Some(date),
        Calendar::Month => NaiveDate::from_ymd_opt(date.year(), date.month(), 1),
        Calendar::Quarter => NaiveDate::from_ymd_opt(date.year(), date.month0() / 3 * 3 + 1, 1),
    };
    let midnight = first.and_then(|first| first.and_hms_opt(0, 0, 0));
    midnight.map_or(instant, |midnight| midnight.and_utc().timestamp_micros())
}

fn days(length: Timestamp) -> String {
    const DAY: Timestamp = 86_400_000_000;
    match length % DAY {
        0 => format!("{} day{}", length / DAY, if length == DAY { "" } else { "s" }),
        _ => format!("{:.1} hours", length as f64 / 3.6e9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_begin_at_boundaries_of_the_calendar() {
        let instant = |text: &str| DateTime::parse_from_rfc3339(text).map(|time| time.timestamp_micros()).unwrap_or(0);
        let third_of_may = instant("2026-05-03T10:20:30Z");
        assert_eq!(floor(third_of_may, Calendar::Instant), third_of_may);
        assert_eq!(floor(third_of_may, Calendar::Day), instant("2026-05-03T00:00:00Z"));
        assert_eq!(floor(third_of_may, Calendar::Month), instant("2026-05-01T00:00:00Z"));
        assert_eq!(floor(third_of_may, Calendar::Quarter), instant("2026-04-01T00:00:00Z"));
        assert_eq!(floor(instant("1969-12-31T23:00:00Z"), Calendar::Quarter), instant("1969-10-01T00:00:00Z"));
    }
}
