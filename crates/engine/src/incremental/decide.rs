//! Decides which rows of each incremental model a run rebuilds, and why.

use std::collections::BTreeSet;

use throughline_config::{Source, Timestamp};
use throughline_lake::PartLayout;
use throughline_plan::{Graph, ReplacedRows, Step};

use super::late_rows::LateDays;
use super::ledger::Ledger;
use super::new_files::NewFiles;
use super::reach::Reach;
use super::rebuild::{Changes, IntervalOptions, Rebuild, Rebuilds};
use super::window::touchpoints_of;
use crate::failure::EngineError;
use crate::instants::rfc3339;
use crate::workspace::prepare::Prepared;

/// Decides for each incremental model among `steps`. Reads the ledgers, and of the sources the files that are new.
///
/// # Errors
/// A ledger or a source's new files cannot be read.
pub async fn decide_rebuilds(
    prepared: &Prepared,
    steps: &[&Step],
    options: IntervalOptions,
) -> Result<Rebuilds, EngineError> {
    let mut deciding = Deciding { prepared, options, decided: Rebuilds::default(), new_files: NewFiles::of(prepared) };
    for step in steps {
        if let Some(replaced) = &step.replaced {
            let rebuild = deciding.rebuild(step, replaced).await?;
            deciding.decided.add(step.name.clone(), rebuild);
        }
    }
    Ok(deciding.decided)
}

struct Deciding<'a> {
    prepared: &'a Prepared,
    options: IntervalOptions,
    decided: Rebuilds,
    new_files: NewFiles<'a>,
}

/// A model and every relation that it reads, directly or not.
type Closure<'a> = BTreeSet<&'a str>;

impl<'a> Deciding<'a> {
    async fn rebuild(&mut self, step: &Step, replaced: &ReplacedRows) -> Result<Rebuild, EngineError> {
        let plan = &self.prepared.plan;
        let reach = Reach::of(plan, &step.name);
        let closure = Graph::closure([step.name.as_str()], |name| plan.graph.inputs(name));
        let base = self.prepared.warehouse.table_parts(&step.name).await?;
        let before = base.as_ref().and_then(|base| Ledger::parse(base.ledger.as_deref()?));
        let undecided = self.undecided(step, replaced, &reach, &closure);
        if let Some(why) = self.why_whole_history(step, &closure, base.is_some(), before.as_ref()) {
            return Ok(match self.options.start.filter(|_| base.is_none()) {
                Some(start) => undecided.beginning(start),
                None => undecided.whole_history(why),
            });
        }
        let (Some(base), Some(before)) = (base, before) else { return Ok(undecided) };
        let changes = match self.changes(&closure, &before, reach.lookback).await? {
            Ok(changes) => changes,
            Err(source) => {
                let why = format!("`{source}` has changed, and nothing says which of its rows");
                return Ok(undecided.whole_history(why));
            }
        };
        // What the run rebuilds of the models it reads, it has to rebuild too.
        let inputs = closure.iter().filter(|name| **name != step.name);
        let inputs = inputs.filter_map(|name| self.decided.get(name)?.since).min();
        let decided = undecided.of_what_changed(&before, changes, inputs, self.options.start, &reach);
        Ok(Rebuild { base: Some(base), ..decided })
    }

    /// What does not depend on what has changed.
    fn undecided(&self, step: &Step, replaced: &ReplacedRows, reach: &Reach, closure: &Closure<'_>) -> Rebuild {
        let plan = &self.prepared.plan;
        let as_of = plan.parameters.as_of();
        let touchpoints = match replaced {
            ReplacedRows::Members => touchpoints_of(plan, &step.name),
            ReplacedRows::Instances { view, .. } => touchpoints_of(plan, view),
            ReplacedRows::Interval { .. } => None,
        };
        Rebuild {
            since: None,
            why: String::new(),
            late: Vec::new(),
            replaced_files: Vec::new(),
            changed_since: None,
            touchpoints: touchpoints.map(ToOwned::to_owned),
            next_matched_since: reach.matched_since(replaced, as_of.saturating_sub(reach.upstream)),
            digests: None,
            layout: PartLayout {
                by_week_from: as_of.saturating_sub(reach.lookback + reach.whole()),
                unsettled_from: as_of,
            },
            base: None,
            ledger: self.ledger(closure),
            replaced: replaced.clone(),
        }
    }

    /// Why the whole history has to be rebuilt, if it has to.
    fn why_whole_history(
        &self,
        step: &Step,
        closure: &Closure<'_>,
        is_published: bool,
        before: Option<&Ledger>,
    ) -> Option<String> {
        if self.options.full_refresh {
            return Some("asked for by --full-refresh".to_owned());
        }
        let Some(before) = before else {
            let why = if is_published { "published without a ledger" } else { "not published yet" };
            return Some(why.to_owned());
        };
        let mut inputs = closure.iter().filter(|name| **name != step.name);
        if let Some(whole) = inputs.find(|name| self.decided.get(name).is_some_and(|input| input.since.is_none())) {
            return Some(format!("`{whole}`, which it reads, is made as a whole"));
        }
        let plan = &self.prepared.plan;
        let then = |name: &str| before.made_from.get(name).map(String::as_str);
        if let Some(changed) = plan.changed_since(&step.name, then) {
            return Some(plan.changed_in_words(&step.name, changed));
        }
        if self.prepared.plan.parameters.as_of() < before.until {
            return Some(format!("finished up to {}, which is after as_of", rfc3339(before.until)));
        }
        let from = before.from.filter(|from| self.options.start.is_none_or(|start| start < *from));
        from.map(|from| format!("a gap: its history before {} was never made", rfc3339(from)))
    }

    /// The ledger that the table gets when the whole history is rebuilt.
    fn ledger(&self, closure: &Closure<'_>) -> Ledger {
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
            late: LateDays::default(),
            digests: None,
        }
    }

    /// The sources and seeds among the relations that a model reads.
    fn sources(&self, closure: &Closure<'_>) -> Vec<&'a Source> {
        let sources = &self.prepared.plan.pipeline.sources;
        closure.iter().filter_map(|name| sources.get(*name)).collect()
    }

    /// What came into the sources since the ledger was written; the source's name where nothing says which of its rows
    /// changed.
    async fn changes(
        &mut self,
        closure: &Closure<'_>,
        before: &Ledger,
        lookback: Timestamp,
    ) -> Result<Result<Changes, String>, EngineError> {
        let oldest = before.until.saturating_sub(lookback);
        let mut changes = Changes { since: before.until, late: LateDays::default(), replaced: LateDays::default() };
        for source in self.sources(closure) {
            let Some(found) = self.new_files.rows(source, before, oldest).await? else {
                return Ok(Err(source.name.value.clone()));
            };
            changes.since = found.earliest.map_or(changes.since, |earliest| changes.since.min(earliest));
            changes.late.add(&source.name.value, found.late);
            changes.replaced.add(&source.name.value, found.replaced);
        }
        Ok(Ok(changes))
    }
}
