//! Partial states of the aggregates: rows split anyhow over accumulators, merged in any order, give the same bits.

use std::sync::Arc;

use datafusion::{
    arrow::{
        array::{ArrayRef, Float64Array, LargeListArray, ListArray, ListBuilder, StringBuilder},
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

/// The names that a row has in a list column; `None` for a null list.
type NamesOf<'a> = &'a dyn Fn(&[Option<f64>]) -> Option<Vec<String>>;

/// Rows as leavers, person-days, two controls, journeys exposed to, journeys not eligible for and journeys to do without.
fn joint_columns(rows: &[Vec<Option<f64>>], width: usize) -> Vec<ArrayRef> {
    let lists = |names: NamesOf<'_>| -> ArrayRef {
        let mut builder = ListBuilder::new(StringBuilder::new());
        for row in rows {
            builder.append_option(names(row).map(|names| names.into_iter().map(Some).collect::<Vec<_>>()));
        }
        Arc::new(builder.finish())
    };
    let digit = |value: Option<f64>, modulus: u64| (value.unwrap_or(0.0) * 7.0) as u64 % modulus;
    let journeys = |row: &[Option<f64>], state: u64| {
        let states = (0..3).filter(|place| digit(row[4], 27) / 3_u64.pow(*place) % 3 == state);
        states.map(|place| format!("j{place}")).collect::<Vec<_>>()
    };
    let mut batch: Vec<ArrayRef> = vec![
        Arc::new(rows.iter().map(|row| row[0]).collect::<Float64Array>()),
        Arc::new(rows.iter().map(|row| row[1].map(|days| days * 100.0 + 1.0)).collect::<Float64Array>()),
        lists(&|row| Some(vec![format!("s{}", digit(row[2], 3)), format!("m{}", digit(row[3], 2))])),
        lists(&|row| Some(journeys(row, 1))),
        // Not eligible for nothing is as often a null list as an empty one.
        lists(&|row| Some(journeys(row, 2)).filter(|journeys| !journeys.is_empty())),
        lists(&|_| Some(vec!["j0".to_owned(), "j1".to_owned()])),
    ];
    batch.truncate(width);
    batch
}

/// Rows as an outcome, two controls when asked for, and two lists of scores, of which some are null.
fn score_columns(rows: &[Vec<Option<f64>>], with_controls: bool) -> Vec<ArrayRef> {
    let scores = |columns: std::ops::Range<usize>| -> ArrayRef {
        let lists = rows.iter().map(|row| Some(row[columns.clone()].to_vec()));
        Arc::new(ListArray::from_iter_primitive::<Float64Type, _, _>(lists))
    };
    let mut batch: Vec<ArrayRef> = vec![Arc::new(rows.iter().map(|row| row[0]).collect::<Float64Array>())];
    if with_controls {
        let mut levels = ListBuilder::new(StringBuilder::new());
        for row in rows {
            let digit = |value: Option<f64>| (value.unwrap_or(0.0) * 7.0) as u64 % 3;
            levels.append_value([Some(format!("s{}", digit(row[1]))), Some(format!("t{}", digit(row[2])))]);
        }
        batch.push(Arc::new(levels.finish()));
    }
    batch.extend([scores(3..5), scores(5..6)]);
    batch
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
    fn person_time_merges_to_the_same_bits((rows, shuffled) in rows(8, &[], 900), pieces in 1usize..6) {
        // Days are above 0, so that no leaver is without one.
        let at_risk = |rows: &[Vec<Option<f64>>]| -> Rows {
            let day = |(column, value): (usize, &Option<f64>)| value.map(|value| if column % 2 == 1 { value + 1.0 } else { value });
            rows.iter().map(|row| row.iter().enumerate().map(day).collect()).collect()
        };
        let (rows, shuffled) = (at_risk(&rows), at_risk(&shuffled));
        for (name, width) in [("mantel_haenszel_rates", 4), ("excess_leavers", 4), ("excess_revenue", 5), ("excess_change", 8)] {
            let fresh = || accumulator(name, &vec![DataType::Float64; width], &[]);
            let (whole, merged) = whole_and_merged(fresh, |rows| columns(rows, width), &rows, &shuffled, pieces);
            prop_assert_eq!(whole, merged);
        }
    }

    #[test]
    fn estimates_and_scores_merge_to_the_same_bits((rows, shuffled) in rows(3, &[2], 900), pieces in 1usize..6) {
        let fresh = || accumulator("auc_difference", &[const { DataType::Float64 }; 3], &[]);
        let (whole, merged) = whole_and_merged(fresh, |rows| columns(rows, 3), &rows, &shuffled, pieces);
        prop_assert_eq!(whole, merged);

        let fresh = || accumulator("cochran_q", &[const { DataType::Float64 }; 2], &[]);
        let batch = |rows: &[Vec<Option<f64>>]| {
            let positive: Rows = rows.iter().map(|row| vec![row[0], row[1].map(|value| value + 0.5)]).collect();
            columns(&positive, 2)
        };
        let (whole, merged) = whole_and_merged(fresh, batch, &rows, &shuffled, pieces);
        prop_assert_eq!(whole, merged);
    }

    #[test]
    fn joint_cells_merge_to_the_same_bits((rows, shuffled) in rows(5, &[], 900), pieces in 1usize..6) {
        let names = DataType::new_list(DataType::Utf8, true);
        let types = [DataType::Float64, DataType::Float64, names.clone(), names.clone(), names.clone(), names];
        for (name, width) in [("joint_rate_ratios", 5), ("joint_excess", 6)] {
            let fresh = || accumulator(name, &types[..width], &[]);
            let batch = |rows: &[Vec<Option<f64>>]| joint_columns(rows, width);
            let (whole, merged) = whole_and_merged(fresh, batch, &rows, &shuffled, pieces);
            prop_assert_eq!(whole, merged);
        }
    }

    #[test]
    fn two_lists_of_scores_merge_to_the_same_bits((rows, shuffled) in rows(6, &[0], 20), pieces in 1usize..6) {
        let numbers = DataType::new_list(DataType::Float64, true);
        let names = DataType::new_list(DataType::Utf8, true);
        let types = [DataType::Float64, names, numbers.clone(), numbers.clone()];
        let fresh = || accumulator("compare_scores", &types, &[]);
        let (whole, merged) = whole_and_merged(fresh, |rows| score_columns(rows, true), &rows, &shuffled, pieces);
        prop_assert_eq!(whole, merged);

        let fresh = || accumulator("firth_test", &[DataType::Float64, numbers.clone(), numbers.clone()], &[]);
        let (whole, merged) = whole_and_merged(fresh, |rows| score_columns(rows, false), &rows, &shuffled, pieces);
        prop_assert_eq!(whole, merged);
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

        let fresh = || accumulator("firth_fit", &[const { DataType::Float64 }; 4], &[]);
        let (whole, merged) = whole_and_merged(fresh, |rows| columns(rows, 4), &rows, &shuffled, pieces);
        prop_assert_eq!(whole, merged);
    }
}
