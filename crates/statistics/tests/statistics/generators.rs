//! What the tests of properties are made from: any number, tables, strata of person-time, rows in two orders.

use proptest::prelude::*;
use throughline_statistics::{distributions::Confidence, rates::PersonTime, two_by_two::Cells};

pub(crate) fn confidence() -> Confidence {
    Confidence::new(0.95).unwrap()
}

pub(crate) fn close(left: f64, right: f64) -> bool {
    (left - right).abs() <= 1e-9 * left.abs().max(right.abs()).max(1.0)
}

/// Any float: NaN, infinities, subnormals and 1e308 among them.
pub(crate) fn anything() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<f64>(),
        Just(f64::NAN),
        Just(f64::INFINITY),
        Just(1e308),
        Just(-1e308),
        Just(5e-324),
        Just(0.0),
        Just(-1.0),
        (0..1000).prop_map(f64::from),
        0.0..1e12,
    ]
}

/// A two-by-two table of up to `most` customers a cell.
pub(crate) fn table(most: u32) -> impl Strategy<Value = Cells> {
    let cell = move || (0..most).prop_map(f64::from);
    (cell(), cell(), cell(), cell()).prop_map(|(a, b, c, d)| Cells::new(a, b, c, d).unwrap())
}

/// A stratum of up to `most` days an arm, one in eight arms without any; leavers only where there are days.
pub(crate) fn stratum(most: u32) -> impl Strategy<Value = PersonTime> {
    let arm = move || {
        (prop::bool::weighted(0.125), 1..most, 0.0..0.05).prop_map(|(empty, days, rate): (bool, u32, f64)| {
            let days = if empty { 0.0 } else { f64::from(days) };
            ((days * rate).floor(), days)
        })
    };
    (arm(), arm()).prop_map(|((a, n1), (c, n0))| PersonTime::new(a, n1, c, n0).unwrap())
}

/// The same rows in two orders.
pub(crate) fn shuffled<T: Clone + std::fmt::Debug + 'static>(
    items: impl Strategy<Value = Vec<T>>,
) -> impl Strategy<Value = (Vec<T>, Vec<T>)> {
    items.prop_flat_map(|items| (Just(items.clone()), Just(items).prop_shuffle()))
}
