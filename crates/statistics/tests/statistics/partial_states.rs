//! Partial states of the aggregates: rows split anyhow over accumulators, merged in any order, give the same bits.

use std::sync::Arc;

use datafusion::{
    arrow::{
        array::{ArrayRef, Float64Array, LargeListArray},
        datatypes::{DataType, Field, FieldRef, Float64Type, Schema},
    },
    logical_expr::{Accumulator, AggregateUDF, function::AccumulatorArgs},
    physical_plan::{
        PhysicalExpr,
        expressions::{Column, Literal},
    },
    scalar::ScalarValue,
};
use proptest::prelude::*;
use throughline_statistics::aggregate_functions;

fn function(name: &str) -> Arc<AggregateUDF> {
    aggregate_functions().into_iter().find(|function| function.name() == name).unwrap()
}

/// An accumulator over `columns` of the given types followed by constants.
fn accumulator(name: &str, columns: &[DataType], constants: &[f64]) -> Box<dyn Accumulator> {
    let function = function(name);
    let mut fields: Vec<FieldRef> =
        columns.iter().map(|data_type| Arc::new(Field::new("column", data_type.clone(), true))).collect();
    let mut exprs: Vec<Arc<dyn PhysicalExpr>> =
        (0..columns.len()).map(|index| Arc::new(Column::new("column", index)) as Arc<dyn PhysicalExpr>).collect();
    for constant in constants {
        fields.push(Arc::new(Field::new("constant", DataType::Float64, false)));
        exprs.push(Arc::new(Literal::new(ScalarValue::Float64(Some(*constant)))));
    }
    let types: Vec<DataType> = fields.iter().map(|field| field.data_type().clone()).collect();
    let schema = Schema::new(fields.clone());
    let args = AccumulatorArgs {
        return_field: Arc::new(Field::new(name, function.return_type(&types).unwrap(), true)),
        schema: &schema,
        ignore_nulls: false,
        order_bys: &[],
        is_reversed: false,
        name,
        is_distinct: false,
        exprs: &exprs,
        expr_fields: &fields,
    };
    function.accumulator(args).unwrap()
}

/// Rows as arrays, one a column.
fn columns(rows: &[Vec<Option<f64>>], width: usize) -> Vec<ArrayRef> {
    (0..width)
        .map(|column| Arc::new(rows.iter().map(|row| row[column]).collect::<Float64Array>()) as ArrayRef)
        .collect()
}

/// Rows as an outcome and a list of the rest.
fn outcome_and_list(rows: &[Vec<Option<f64>>]) -> Vec<ArrayRef> {
    let lists = rows.iter().map(|row| Some(row[1..].to_vec()));
    vec![
        Arc::new(rows.iter().map(|row| row[0]).collect::<Float64Array>()),
        Arc::new(LargeListArray::from_iter_primitive::<Float64Type, _, _>(lists)),
    ]
}

/// The result over all rows at once, and over the same rows in the given order, split and merged through their states.
fn whole_and_merged(
    fresh: impl Fn() -> Box<dyn Accumulator>,
    batch: impl Fn(&[Vec<Option<f64>>]) -> Vec<ArrayRef>,
    rows: &[Vec<Option<f64>>],
    shuffled: &[Vec<Option<f64>>],
    pieces: usize,
) -> (String, String) {
    let mut whole = fresh();
    whole.update_batch(&batch(rows)).unwrap();

    let mut merged = fresh();
    for piece in shuffled.chunks(shuffled.len().div_ceil(pieces).max(1)) {
        let mut part = fresh();
        part.update_batch(&batch(piece)).unwrap();
        let state: Vec<ArrayRef> = part.state().unwrap().iter().map(|value| value.to_array().unwrap()).collect();
        merged.merge_batch(&state).unwrap();
    }
    // The text of a float is unique to its bits, and shows which field differs.
    (format!("{:?}", whole.evaluate().unwrap()), format!("{:?}", merged.evaluate().unwrap()))
}

type Rows = Vec<Vec<Option<f64>>>;

/// Rows of an outcome-like first value and numbers, some null, and a shuffle of them.
fn rows(width: usize, flags: &'static [usize], most: i32) -> impl Strategy<Value = (Rows, Rows)> {
    let row = prop::collection::vec((0..most, prop::bool::weighted(0.03)), width).prop_map(move |values| {
        let value = |(column, (value, null)): (usize, (i32, bool))| {
            let number = if flags.contains(&column) { f64::from(value % 2) } else { f64::from(value) / 7.0 };
            (!null).then_some(number)
        };
        values.into_iter().enumerate().map(value).collect()
    });
    prop::collection::vec(row, 0..60).prop_flat_map(|rows: Rows| (Just(rows.clone()), Just(rows).prop_shuffle()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn strata_merge_to_the_same_bits((rows, shuffled) in rows(4, &[], 900), pieces in 1usize..6) {
        for name in ["mantel_haenszel", "excess_churners"] {
            let fresh = || accumulator(name, &[const { DataType::Float64 }; 4], &[]);
            let (whole, merged) = whole_and_merged(fresh, |rows| columns(rows, 4), &rows, &shuffled, pieces);
            prop_assert_eq!(whole, merged);
        }
    }

    #[test]
    fn pairs_merge_to_the_same_bits((rows, shuffled) in rows(2, &[1], 900), pieces in 1usize..6) {
        for name in ["correlation", "auc"] {
            let fresh = || accumulator(name, &[const { DataType::Float64 }; 2], &[]);
            let (whole, merged) = whole_and_merged(fresh, |rows| columns(rows, 2), &rows, &shuffled, pieces);
            prop_assert_eq!(whole, merged);
        }
    }

    #[test]
    fn follow_ups_merge_to_the_same_bits((rows, shuffled) in rows(3, &[1, 2], 900), pieces in 1usize..6) {
        let fresh = || accumulator("kaplan_meier_difference", &[const { DataType::Float64 }; 3], &[90.0]);
        let batch = |rows: &[Vec<Option<f64>>]| {
            let mut batch = columns(rows, 3);
            batch.push(Arc::new(Float64Array::from(vec![90.0; rows.len()])));
            batch
        };
        let (whole, merged) = whole_and_merged(fresh, batch, &rows, &shuffled, pieces);
        prop_assert_eq!(whole, merged);
    }

    #[test]
    fn regressions_merge_to_the_same_bits((rows, shuffled) in rows(4, &[0, 3], 20), pieces in 1usize..6) {
        let fresh = || accumulator("logistic_fit", &[const { DataType::Float64 }; 4], &[]);
        let (whole, merged) = whole_and_merged(fresh, |rows| columns(rows, 4), &rows, &shuffled, pieces);
        prop_assert_eq!(&whole, &merged);

        let list = DataType::LargeList(Arc::new(Field::new_list_field(DataType::Float64, true)));
        let fresh = || accumulator("logistic_fit", &[DataType::Float64, list.clone()], &[]);
        let (_, as_list) = whole_and_merged(fresh, outcome_and_list, &rows, &shuffled, pieces);
        if !rows.is_empty() {
            prop_assert_eq!(merged, as_list);
        }
    }
}
