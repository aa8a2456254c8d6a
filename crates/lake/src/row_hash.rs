//! A number for each row, so that sums show whether rows are the same without comparing them.
//!
//! A row is written as one run of bytes (Arrow's row format) and hashed as a whole by XXH3 (128 bits). So a sum ties
//! each value to its row: two rows that exchange a value have other numbers, which sums of hashes that are put together
//! column by column need not have.
//!
//! Two different collections of rows have equal sums by chance once in 2^128 comparisons: with a million parts of
//! tables compared in each of a million runs, the chance that any change ever goes unnoticed is below 1 in 10^26. That
//! holds against mistakes and accidents. The key is public and XXH3 is not a cryptographic hash, so it does not hold
//! against somebody who makes rows in order to deceive.

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use arrow::row::{RowConverter, SortField};
use xxhash_rust::xxh3::xxh3_128_with_seed;

/// The key: the same in every run, since sums of one run are compared with those of another.
const KEY: u64 = 0x7365_656e_726f_7773;

/// A number for each row, over the values of all columns in their order, nulls among them. Equal values of different
/// types may have different numbers.
///
/// # Errors
///
/// A column of a type that has no row format.
pub fn row_hashes(batch: &RecordBatch) -> Result<Vec<u128>, ArrowError> {
    if batch.num_columns() == 0 {
        return Ok(vec![xxh3_128_with_seed(&[], KEY); batch.num_rows()]);
    }
    let fields = batch.schema_ref().fields().iter().map(|field| SortField::new(field.data_type().clone())).collect();
    let rows = RowConverter::new(fields)?.convert_columns(batch.columns())?;
    Ok(rows.iter().map(|row| xxh3_128_with_seed(row.data(), KEY)).collect())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array, StringArray, UInt32Array};
    use arrow::compute::{cast, concat, take, take_record_batch};
    use arrow::datatypes::{DataType, TimeUnit};

    use super::*;

    fn sum(rows: &RecordBatch) -> u128 {
        row_hashes(rows).unwrap().into_iter().fold(0, u128::wrapping_add)
    }

    fn rows(columns: impl IntoIterator<Item = (&'static str, ArrayRef)>) -> RecordBatch {
        RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, column)| (name, column, true)))
            .unwrap()
    }

    /// A small generator for tests (Marsaglia 2003), below `bound`.
    fn below(state: &mut u64, bound: usize) -> usize {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        (*state % bound as u64) as usize
    }

    /// A column of 40 values of a type, one of them null; neighbours differ.
    fn column(data_type: &DataType) -> ArrayRef {
        let numbers = Int64Array::from_iter((0..40).map(|number| (number != 7).then_some(number)));
        let numbers: ArrayRef = Arc::new(numbers);
        match data_type {
            DataType::Boolean => {
                let parity = Int64Array::from_iter((0..40).map(|number| (number != 7).then_some(number % 2)));
                cast(&parity, data_type).unwrap()
            }
            DataType::Binary => cast(&cast(&numbers, &DataType::Utf8).unwrap(), data_type).unwrap(),
            other => cast(&numbers, other).unwrap(),
        }
    }

    #[test]
    fn where_a_null_stands_shows_in_the_hash() {
        let column = |texts: [Option<&str>; 4]| Arc::new(StringArray::from_iter(texts)) as ArrayRef;
        let one = column([Some("a"), None, Some("a"), None]);
        let other = column([None, Some("a"), Some("a"), None]);
        let hashes: HashSet<u128> = row_hashes(&rows([("one", one), ("other", other)])).unwrap().into_iter().collect();
        assert_eq!(hashes.len(), 4);
    }

    #[test]
    fn two_rows_that_exchange_a_text_have_another_sum() {
        let of = |texts: [&str; 2]| {
            let numbers: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
            let texts: ArrayRef = Arc::new(StringArray::from(texts.to_vec()));
            sum(&rows([("number", numbers), ("text", texts)]))
        };
        assert_ne!(of(["a", "b"]), of(["b", "a"]));
    }

    /// Whatever types the columns have, and whichever of them exchange values between which rows.
    #[test]
    fn rows_that_exchange_values_have_another_sum_in_every_type() {
        let types = [
            DataType::Boolean,
            DataType::Int8,
            DataType::Int64,
            DataType::UInt32,
            DataType::Float64,
            DataType::Decimal128(20, 3),
            DataType::Date32,
            DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            DataType::Utf8,
            DataType::LargeUtf8,
            DataType::Utf8View,
            DataType::Binary,
            DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)),
        ];
        let names = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m"];
        let columns: Vec<(&str, ArrayRef)> =
            names.into_iter().zip(types.iter().map(|data_type| column(data_type))).collect();
        let before = rows(columns.clone());
        let mut state = 42;
        let mut exchanged = 0;
        for round in 0..400 {
            let place = round % columns.len();
            let (one, other) = (below(&mut state, 40), below(&mut state, 40));
            let column = &columns[place].1;
            let mut places: Vec<u32> = (0..40).collect();
            places.swap(one, other);
            let swapped = take(column, &UInt32Array::from(places), None).unwrap();
            if swapped.as_ref() == column.as_ref() {
                continue;
            }
            exchanged += 1;
            let mut after = columns.clone();
            after[place].1 = swapped;
            assert_ne!(sum(&before), sum(&rows(after)), "{}: rows {one} and {other}", names[place]);
        }
        assert!(exchanged > 300, "{exchanged} exchanges that change something");
    }

    #[test]
    fn the_order_of_rows_and_batches_does_not_matter() {
        let all = rows([("number", column(&DataType::Int64)), ("text", column(&DataType::Utf8))]);
        let turned = take_record_batch(&all, &UInt32Array::from_iter_values((0..40).rev())).unwrap();
        let apart = sum(&all.slice(0, 11)).wrapping_add(sum(&all.slice(11, 29)));
        assert_eq!((sum(&turned), apart), (sum(&all), sum(&all)));
    }

    #[test]
    fn a_text_is_the_same_however_its_dictionary_is_numbered() {
        let dictionary = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
        let of = |texts: &[&str]| cast(&StringArray::from(texts.to_vec()), &dictionary).unwrap();
        let one = of(&["a", "b"]);
        let other = concat(&[&of(&["b", "a"]).slice(1, 1), &of(&["b"])]).unwrap();
        assert_eq!(sum(&rows([("text", one)])), sum(&rows([("text", other)])));
    }

    #[test]
    fn rows_without_columns_are_counted() {
        let none = |count: usize| {
            let columns: ArrayRef = Arc::new(Int64Array::from_iter_values(0..count as i64));
            rows([("number", columns)]).project(&[]).unwrap()
        };
        assert_eq!(row_hashes(&none(3)).unwrap().len(), 3);
    }
}
