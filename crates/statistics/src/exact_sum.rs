//! Sums of floats without rounding, so that the order of the rows cannot show in a result.

/// The exact sum of the floats added to it, as an expansion of non-overlapping parts (Shewchuk 1997).
///
/// Exact as long as nothing overflows and no product falls below 1e-290; callers bound their values accordingly.
#[derive(Debug, Clone, Default)]
pub struct ExactSum {
    /// Ascending in size; their exact sum is the value.
    parts: Vec<f64>,
}

impl ExactSum {
    /// A sum from the parts of another one, or from any floats.
    pub fn from_parts(parts: impl IntoIterator<Item = f64>) -> Self {
        let mut sum = Self::default();
        parts.into_iter().for_each(|part| sum.add(part));
        sum
    }

    /// What to keep of the sum to add it to another one later.
    pub fn parts(&self) -> &[f64] {
        &self.parts
    }

    /// Adds one float.
    pub fn add(&mut self, value: f64) {
        let mut carried = value;
        let mut kept = 0;
        for index in 0..self.parts.len() {
            let part = self.parts[index];
            let (large, small) = if carried.abs() < part.abs() { (part, carried) } else { (carried, part) };
            let sum = large + small;
            let error = small - (sum - large);
            if error != 0.0 {
                self.parts[kept] = error;
                kept += 1;
            }
            carried = sum;
        }
        self.parts.truncate(kept);
        if carried != 0.0 {
            self.parts.push(carried);
        }
    }

    /// Adds the exact product of two floats.
    pub fn add_product(&mut self, left: f64, right: f64) {
        let product = left * right;
        self.add(product);
        self.add(left.mul_add(right, -product));
    }

    /// Adds another sum.
    pub fn merge(&mut self, other: &Self) {
        other.parts.iter().for_each(|part| self.add(*part));
    }

    /// The float nearest to the exact sum: one value for one set of floats, whatever their order.
    pub fn value(&self) -> f64 {
        let mut rest = self.parts.iter().rev().copied();
        let Some(mut sum) = rest.next() else { return 0.0 };
        let mut error = 0.0;
        for part in rest.by_ref() {
            let larger = sum;
            sum = larger + part;
            error = part - (sum - larger);
            if error != 0.0 {
                break;
            }
        }
        // A tie was rounded to even without a look at the parts below; they decide on which side the sum really lies.
        if let Some(below) = rest.next()
            && (error < 0.0) == (below < 0.0)
            && error != 0.0
        {
            let doubled = error * 2.0;
            let moved = sum + doubled;
            if doubled == moved - sum {
                sum = moved;
            }
        }
        sum
    }

    /// The float nearest to `count`·`product` − `left`·`right`, which cancels almost wholly in a covariance.
    pub fn centred(count: f64, product: &Self, left: &Self, right: &Self) -> f64 {
        let mut difference = Self::default();
        for part in &product.parts {
            difference.add_product(count, *part);
        }
        for left in &left.parts {
            for right in &right.parts {
                difference.add_product(-left, *right);
            }
        }
        difference.value()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_lost_between_large_terms() {
        let sum = ExactSum::from_parts([1e100, 1.0, -1e100, 1e-20, 1e16, -1e16]);
        assert_eq!(sum.value(), 1.0 + 1e-20);
        assert_eq!(ExactSum::default().value(), 0.0);
    }

    #[test]
    fn ties_are_decided_by_what_lies_below() {
        // Half an ulp above 1 and a trace more: to nearest is up, although to even would be down.
        let half_ulp = f64::EPSILON / 2.0;
        assert_eq!(ExactSum::from_parts([1.0, half_ulp, 1e-40]).value(), 1.0 + f64::EPSILON);
        assert_eq!(ExactSum::from_parts([1.0, half_ulp, -1e-40]).value(), 1.0);
    }
}
