//! A number for each row, so that sums show whether rows are the same without comparing them.

use arrow::array::{Array, RecordBatch};
use datafusion::common::Result as DataFusionResult;
use datafusion::common::hash_utils::{QualityRandomState, create_hashes};

/// The same in every run: sums of one run are compared with those of another.
pub const ROW_HASH_SEED: u64 = 0x7365_656e;

/// A number for each row that another row hardly has: over the values of all columns, and over which of them are null,
/// since nulls do not enter Arrow's hashes. Equal texts of different types may have different numbers.
///
/// # Errors
///
/// A column of a type that has no hash.
pub fn row_hashes(batch: &RecordBatch) -> DataFusionResult<Vec<u64>> {
    let state = QualityRandomState::with_seed(ROW_HASH_SEED);
    let mut hashes = vec![0; batch.num_rows()];
    create_hashes(batch.columns(), &state, &mut hashes)?;
    let columns = batch.columns().iter().enumerate();
    for (place, nulls) in columns.filter_map(|(place, column)| Some((place, column.logical_nulls()?))) {
        if nulls.null_count() == 0 {
            continue;
        }
        let mark = (place as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let is_null = nulls.iter().map(|is_valid| !is_valid);
        hashes.iter_mut().zip(is_null).filter(|(_, is_null)| *is_null).for_each(|(hash, _)| {
            *hash = (*hash ^ mark).wrapping_mul(0xff51_afd7_ed55_8ccd).rotate_left(29);
        });
    }
    Ok(hashes)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::Arc;

    use arrow::array::{ArrayRef, StringArray};

    use super::*;

    #[test]
    fn where_a_null_stands_shows_in_the_hash() {
        let column = |texts: [Option<&str>; 4]| Arc::new(StringArray::from_iter(texts)) as ArrayRef;
        let one = column([Some("a"), None, Some("a"), None]);
        let other = column([None, Some("a"), Some("a"), None]);
        let rows = RecordBatch::try_from_iter([("one", one), ("other", other)]).unwrap();
        let hashes: HashSet<u64> = row_hashes(&rows).unwrap().into_iter().collect();
        assert_eq!(hashes.len(), 4);
    }
}
