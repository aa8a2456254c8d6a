//! How well a score tells one outcome from the other.

/// A score with how many times each outcome was seen at it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ScoredCount {
    /// The score, in any unit; not NaN.
    pub score: f64,
    /// Observations with the outcome.
    pub positives: u64,
    /// Observations without it.
    pub negatives: u64,
}

/// The area under the ROC curve: the probability that a positive scores above a negative, ties counting half.
///
/// Mann–Whitney's U over the number of pairs, with mid-ranks for ties. Counted in whole halves of pairs, so it does not
/// depend on the order. `None` without a positive or without a negative.
pub fn auc(mut counts: Vec<ScoredCount>) -> Option<f64> {
    counts.sort_by(|left, right| left.score.total_cmp(&right.score));
    let (mut half_pairs, mut negatives_below, mut positives) = (0_u128, 0_u128, 0_u128);
    // 0.0 and −0.0 are apart in the order but are one score.
    for tied in counts.chunk_by(|left, right| left.score == right.score) {
        let tied_positives: u128 = tied.iter().map(|count| u128::from(count.positives)).sum();
        let tied_negatives: u128 = tied.iter().map(|count| u128::from(count.negatives)).sum();
        half_pairs += tied_positives * (2 * negatives_below + tied_negatives);
        negatives_below += tied_negatives;
        positives += tied_positives;
    }
    let pairs = positives * negatives_below;
    (pairs > 0).then(|| half_pairs as f64 / 2.0 / pairs as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(score: f64, outcome: bool) -> ScoredCount {
        ScoredCount { score, positives: u64::from(outcome), negatives: u64::from(!outcome) }
    }

    #[test]
    fn ties_count_half() {
        assert_eq!(auc(vec![one(1.0, false), one(2.0, true)]), Some(1.0));
        assert_eq!(auc(vec![one(2.0, false), one(1.0, true)]), Some(0.0));
        assert_eq!(auc(vec![one(0.0, false), one(-0.0, true)]), Some(0.5));
        assert_eq!(auc(vec![one(1.0, true), one(2.0, false), one(2.0, true), one(3.0, false)]), Some(0.125));
    }

    #[test]
    fn one_outcome_alone_has_no_area() {
        assert_eq!(auc(vec![]), None);
        assert_eq!(auc(vec![one(1.0, true), one(2.0, true)]), None);
    }
}
