//! What the files of a source hold that came since a ledger was written, of the history that is finished.

use std::collections::{HashMap, HashSet};

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{Int64Type, SchemaRef, TimestampMicrosecondType};
use datafusion::common::ScalarValue;
use datafusion::functions::expr_fn::{date_trunc, least};
use datafusion::functions_aggregate::expr_fn::{count, min};
use datafusion::logical_expr::{Expr, cast, lit, when};
use datafusion::prelude::ident;
use throughline_config::{Source, SourceKind, Timestamp};
use throughline_lake::open_source_files;

use super::late_rows::LateDay;
use super::ledger::Ledger;
use crate::failure::EngineError;
use crate::instants::{at, instant, time_type};
use crate::workspace::prepare::Prepared;

/// The rows of new files before the end of the finished history.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct NewRows {
    /// The earliest within the lookback.
    pub(super) earliest: Option<Timestamp>,
    /// Those before the lookback, by day.
    pub(super) late: Vec<LateDay>,
    /// The same, where files were replaced or removed: most of these rows were in the files before, and nobody knows
    /// which were not.
    pub(super) replaced: Vec<LateDay>,
}

/// The new files of sources; each set of files is read once, however many models ask.
pub(super) struct NewFiles<'a> {
    prepared: &'a Prepared,
    /// By source, files, the end of the finished history and the beginning of the lookback.
    found: HashMap<(String, Vec<u64>, Timestamp, Timestamp), NewRows>,
}

impl<'a> NewFiles<'a> {
    pub(super) fn of(prepared: &'a Prepared) -> Self {
        Self { prepared, found: HashMap::new() }
    }

    /// The rows that came into a source since `before` was written; `oldest` is where the lookback begins. `None` when
    /// a file came or went of a source without a time column.
    pub(super) async fn rows(
        &mut self,
        source: &Source,
        before: &Ledger,
        oldest: Timestamp,
    ) -> Result<Option<NewRows>, EngineError> {
        let name = source.name.value.as_str();
        let Some(open) = self.prepared.sources.get(name) else { return Ok(Some(NewRows::default())) };
        let known: HashSet<u64> = before.stamps(name).collect();
        let now: HashSet<u64> = open.stamps.iter().copied().collect();
        let mut new: Vec<u64> = now.difference(&known).copied().collect();
        let is_any_gone = known.difference(&now).next().is_some();
        if new.is_empty() && !is_any_gone {
            return Ok(Some(NewRows::default()));
        }
        if source.kind == SourceKind::Seed || source.time_column.is_none() {
            return Ok(None);
        }
        new.sort_unstable();
        let key = (name.to_owned(), new, before.until, oldest);
        let mut found = match self.found.get(&key) {
            Some(found) => found.clone(),
            None => {
                let found = self.read(source, &open.schema, &key.1, before.until, oldest).await?;
                self.found.insert(key, found.clone());
                found
            }
        };
        if is_any_gone {
            // Nobody knows which rows were in a file that is gone, so the whole lookback is rebuilt.
            found.earliest = Some(oldest);
            found.replaced = std::mem::take(&mut found.late);
        }
        Ok(Some(found))
    }

    async fn read(
        &self,
        source: &Source,
        schema: &SchemaRef,
        stamps: &[u64],
        until: Timestamp,
        oldest: Timestamp,
    ) -> Result<NewRows, EngineError> {
        let wanted = stamps.iter().copied().collect();
        // A Delta source is not read by its files.
        let Some(opened) = open_source_files(source, &self.prepared.stores, &wanted, schema).await? else {
            return Ok(NewRows { earliest: Some(oldest), ..NewRows::default() });
        };
        let session = self.prepared.session()?;
        let times = source.active_at.iter().chain(source.time_column.iter().filter(|_| source.active_at.is_empty()));
        let mut times: Vec<Expr> = times.map(|time| cast(ident(time.as_str()), time_type())).collect();
        let first = if times.len() > 1 { least(times) } else { times.pop().unwrap_or_else(|| lit(ScalarValue::Null)) };
        let rows = session.read_table(opened.provider)?.select(vec![first.alias("first")])?;
        let rows = rows.filter(ident("first").lt(at(until)))?;
        let (first, is_late) = (|| ident("first"), || ident("first").lt(at(oldest)));
        // One group for all that is in time, and one for each day before.
        let day = when(is_late(), date_trunc(lit("day"), first())).otherwise(lit(instant(None)))?;
        let found = rows.aggregate(
            vec![day.alias("late_day")],
            vec![min(first()).alias("earliest"), count(lit(1_i64)).alias("number")],
        )?;
        Ok(new_rows(&found.collect().await?))
    }
}

fn new_rows(groups: &[RecordBatch]) -> NewRows {
    let mut found = NewRows::default();
    for batch in groups {
        let times = |column: usize| batch.column(column).as_primitive_opt::<TimestampMicrosecondType>();
        let (Some(days), Some(earliest)) = (times(0), times(1)) else { continue };
        let Some(numbers) = batch.column(2).as_primitive_opt::<Int64Type>() else { continue };
        for ((day, since), rows) in days.iter().zip(earliest).zip(numbers) {
            let Some(since) = since else { continue };
            match day {
                None => found.earliest = Some(since),
                Some(_) => {
                    let rows = rows.and_then(|rows| u64::try_from(rows).ok()).unwrap_or(0);
                    found.late.push(LateDay { since, rows });
                }
            }
        }
    }
    found
}
