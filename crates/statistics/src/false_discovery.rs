//! Control of the share of false discoveries among many tests.

/// The q values of Benjamini and Hochberg (1995), in the order of `p_values`.
///
/// `None` is a test that was not made: it gets no q value and does not count among the tests. Every other p value
/// has to lie within 0..=1; the caller checks, since it can name the row.
pub fn benjamini_hochberg(p_values: &[Option<f64>]) -> Vec<Option<f64>> {
    let mut ranked: Vec<(usize, f64)> =
        p_values.iter().enumerate().filter_map(|(row, p_value)| p_value.map(|p_value| (row, p_value))).collect();
    ranked.sort_by(|left, right| left.1.total_cmp(&right.1));

    let tests = ranked.len() as f64;
    let mut q_values = vec![None; p_values.len()];
    let mut smallest = 1.0_f64;
    for (rank, (row, p_value)) in ranked.into_iter().enumerate().rev() {
        smallest = smallest.min(p_value * (tests / (rank + 1) as f64));
        q_values[row] = Some(smallest);
    }
    q_values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_that_were_not_made_do_not_count() {
        let q_values = benjamini_hochberg(&[Some(0.01), None, Some(0.04), Some(0.03)]);
        assert_eq!(q_values, [Some(0.03), None, Some(0.04), Some(0.04)]);
        assert_eq!(benjamini_hochberg(&[None, None]), [None, None]);
        assert!(benjamini_hochberg(&[]).is_empty());
    }
}
