//! How old a source's newest row is.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, TimeUnit, TimestampMicrosecondType};
use datafusion::error::DataFusionError;
use datafusion::functions_aggregate::expr_fn::max;
use datafusion::prelude::ident;
use throughline_config::{Duration, Freshness};

use super::data_tests::shown_place;
use super::relations::Relations;
use crate::failure::EngineError;
use crate::instants::rfc3339;
use crate::record::events::Event;
use crate::record::step_record::{StepRecord, TestRecord};

/// Compares the newest kept row's time with `as_of`: too old is a warning or an error, as the source says. Each limit
/// is a test in the record.
pub(crate) async fn check_freshness(
    relations: &Relations,
    source: &str,
    record: &mut StepRecord,
) -> Result<(), EngineError> {
    let plan = &relations.prepared.plan;
    let freshness = plan.pipeline.sources.get(source).and_then(|source| source.freshness.as_ref());
    let Some(Freshness { column, warn_after, error_after }) = freshness else { return Ok(()) };
    let name = column.value.as_str();
    let rows = relations.session.table(source).await?;
    let newest = rows.aggregate(vec![], vec![max(ident(name))])?.collect().await?;
    let newest = newest.first().map(newest_instant).transpose()?.flatten();
    let as_of = plan.parameters.as_of();
    let (age, shown) = match newest {
        Some(instant) => (as_of.saturating_sub(instant), format!("its newest `{name}` is {}", rfc3339(instant))),
        None => (i64::MAX, "it has no row".to_owned()),
    };
    let is_over = |limit: &Option<Duration>| limit.is_some_and(|limit| age > limit.0);
    for (severity, limit) in [("warning", warn_after), ("error", error_after)] {
        let Some(Duration(longest)) = limit else { continue };
        record.tests.push(TestRecord {
            test: format!("newest `{name}` at most {} days before as_of", *longest as f64 / 86_400e6),
            kind: Some("freshness".to_owned()),
            column: Some(name.to_owned()),
            severity: severity.to_owned(),
            passed: !is_over(limit),
            count: i64::from(is_over(limit)),
            place: shown_place(&column.place),
        });
    }
    let message = format!("the source `{source}` is stale as of {}: {shown}", rfc3339(as_of));
    if is_over(error_after) {
        return Err(EngineError::Stale { message });
    }
    if is_over(warn_after) {
        relations.observer.event(&Event::Warning { message: &message });
    }
    Ok(())
}

/// Microseconds of the one time in a batch of one row, whatever its unit or zone; a date is its midnight.
fn newest_instant(batch: &RecordBatch) -> Result<Option<i64>, EngineError> {
    let time = DataType::Timestamp(TimeUnit::Microsecond, None);
    let instants = arrow::compute::cast(batch.column(0), &time).map_err(DataFusionError::from)?;
    let instants = instants.as_primitive::<TimestampMicrosecondType>();
    Ok((instants.len() == 1 && instants.is_valid(0)).then(|| instants.value(0)))
}
