//! Lengths of time on a logarithmic scale.

/// Each limit is this much longer than the one before.
const STEP: f64 = 1.08;
/// The first is a second, the last about two years and a half.
pub(crate) const BINS: usize = 237;

/// Upper limits of the bins, microseconds, ascending. What is longer than the last belongs to none.
pub(crate) fn limits() -> [i64; BINS] {
    let mut limit = 1e6;
    std::array::from_fn(|_| {
        let now = limit as i64;
        limit *= STEP;
        now
    })
}

/// The first bin whose limit is not exceeded; `BINS` when all are.
pub(crate) fn bin_of(limits: &[i64; BINS], length: i64) -> usize {
    limits.partition_point(|limit| *limit < length)
}
