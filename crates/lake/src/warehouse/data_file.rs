//! The data files of a table's version, as its log names them.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow::datatypes::{DataType, Schema, TimeUnit};
use chrono::DateTime;
use datafusion::common::stats::Precision;
use datafusion::common::{ScalarValue, Statistics};
use datafusion_datasource::PartitionedFile;
use deltalake::{DeltaResult, DeltaTable};
use object_store::ObjectMeta;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::stores::Location;

/// One file of a table's version.
#[derive(Debug, Clone)]
pub(crate) struct DataFile {
    /// Its path inside the table's folder, as the log has it.
    pub(super) path: String,
    pub(crate) object: ObjectMeta,
    /// Its rows, where the log says so.
    pub(super) rows: Option<usize>,
    /// The sum of the hashes of its rows, where the log says so.
    pub(super) row_sum: Option<u128>,
    /// For each column of times, between which of them its values lie, as far as the log says.
    times: BTreeMap<String, (i64, i64)>,
}

impl DataFile {
    /// All files of a loaded version whose table lies in `folder`.
    pub(crate) fn all_of(table: &DeltaTable, folder: &Location) -> DeltaResult<Vec<Self>> {
        let files = table.snapshot()?.log_data();
        let files = files.iter().map(|file| {
            let object = ObjectMeta {
                location: folder.prefix.parts().chain(file.object_store_path().parts()).collect(),
                last_modified: DateTime::from_timestamp_millis(file.modification_time()).unwrap_or_default(),
                size: file.size().try_into().unwrap_or(0),
                e_tag: None,
                version: None,
            };
            let times = file.stats().map(|statistics| times(&statistics)).unwrap_or_default();
            #[allow(deprecated, reason = "nothing else gives a file's tags")]
            let tags = file.add_action().tags;
            let row_sum = tags.and_then(|tags| row_sum_of(&tags));
            Self { path: file.path().to_string(), object, rows: file.num_records(), row_sum, times }
        });
        Ok(files.collect())
    }

    #[cfg(test)]
    pub(super) fn named(path: &str) -> Self {
        let object = ObjectMeta {
            location: path.into(),
            last_modified: DateTime::default(),
            size: 0,
            e_tag: None,
            version: None,
        };
        Self { path: path.to_owned(), object, rows: None, row_sum: None, times: BTreeMap::new() }
    }

    /// The file as a scan takes it, with its number of rows and, for leaving it out, the bounds of its times.
    pub(super) fn partitioned(&self, schema: &Schema) -> PartitionedFile {
        let num_rows = self.rows.map_or(Precision::Absent, Precision::Exact);
        let mut statistics = Statistics { num_rows, ..Statistics::new_unknown(schema) };
        for (field, column) in schema.fields().iter().zip(&mut statistics.column_statistics) {
            if let (DataType::Timestamp(TimeUnit::Microsecond, zone), Some((least, greatest))) =
                (field.data_type(), self.times.get(field.name()))
            {
                let bound = |micros: i64| ScalarValue::TimestampMicrosecond(Some(micros), zone.clone());
                column.min_value = Precision::Inexact(bound(*least));
                column.max_value = Precision::Inexact(bound(*greatest));
            }
        }
        PartitionedFile::from(self.object.clone()).with_statistics(Arc::new(statistics))
    }
}

/// The tag of a file in the log under which the sum of the hashes of its rows stands, 32 hex digits.
const ROW_SUM: &str = "throughline.rowSum128";

/// What the log keeps beside a file of such a sum.
pub(super) fn row_sum_tag(sum: u128) -> HashMap<String, Option<String>> {
    HashMap::from([(ROW_SUM.to_owned(), Some(format!("{sum:032x}")))])
}

fn row_sum_of(tags: &HashMap<String, Option<String>>) -> Option<u128> {
    u128::from_str_radix(tags.get(ROW_SUM)?.as_deref()?, 16).ok()
}

/// The bounds of the columns whose bounds are times. Delta writes milliseconds, which other programs cut.
fn times(statistics: &str) -> BTreeMap<String, (i64, i64)> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Bounds {
        #[serde(default)]
        min_values: Map<String, Value>,
        #[serde(default)]
        max_values: Map<String, Value>,
    }
    const CUT: i64 = 999;
    let Ok(Bounds { min_values, max_values }) = serde_json::from_str(statistics) else { return BTreeMap::new() };
    let time = |value: &Value| Some(DateTime::parse_from_rfc3339(value.as_str()?).ok()?.timestamp_micros());
    let bounds = min_values.into_iter().filter_map(|(column, least)| {
        let greatest = time(max_values.get(&column)?)?.checked_add(CUT)?;
        Some((column, (time(&least)?, greatest)))
    });
    bounds.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_comes_back_from_its_tag() {
        for sum in [0, 1, u128::MAX] {
            assert_eq!(row_sum_of(&row_sum_tag(sum)), Some(sum));
        }
        assert_eq!(row_sum_of(&HashMap::new()), None);
    }

    #[test]
    fn bounds_of_times_hold_although_they_are_cut_to_milliseconds() {
        let bounds = times(
            r#"{"numRecords": 2, "minValues": {"at": "1970-01-01T00:00:00.001Z", "name": "a"},
                "maxValues": {"at": "1970-01-01T00:00:02.003Z", "name": "b"}}"#,
        );
        assert_eq!(bounds, BTreeMap::from([("at".to_owned(), (1_000, 2_003_999))]));
        assert!(times("{").is_empty());
    }
}
