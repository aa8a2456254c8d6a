//! Symmetric positive definite systems, as the normal equations of a regression are.

/// A lower triangular L with L·Lᵀ = the matrix it was made from.
#[derive(Debug)]
pub struct Cholesky {
    size: usize,
    /// Row-major, size × size.
    lower: Vec<f64>,
}

impl Cholesky {
    /// Factorizes a symmetric `size` × `size` matrix, given row-major.
    ///
    /// `None` when a pivot falls to `tolerance` of its diagonal element or below: the column is then, to that accuracy,
    /// a combination of those before it.
    pub fn new(mut matrix: Vec<f64>, size: usize, tolerance: f64) -> Option<Self> {
        for column in 0..size {
            let diagonal = matrix[column * size + column];
            let mut pivot = diagonal;
            for before in 0..column {
                pivot -= matrix[column * size + before].powi(2);
            }
            // Written so that a NaN fails too.
            if !(pivot > tolerance * diagonal && pivot.is_finite()) {
                return None;
            }
            let pivot = pivot.sqrt();
            matrix[column * size + column] = pivot;
            for row in column + 1..size {
                let mut value = matrix[row * size + column];
                for before in 0..column {
                    value -= matrix[row * size + before] * matrix[column * size + before];
                }
                matrix[row * size + column] = value / pivot;
            }
        }
        Some(Self { size, lower: matrix })
    }

    /// The x with matrix·x = `right`.
    pub fn solve(&self, right: &[f64]) -> Vec<f64> {
        let size = self.size;
        let mut solution = right.to_vec();
        for row in 0..size {
            for column in 0..row {
                solution[row] -= self.lower[row * size + column] * solution[column];
            }
            solution[row] /= self.lower[row * size + row];
        }
        for row in (0..size).rev() {
            for below in row + 1..size {
                solution[row] -= self.lower[below * size + row] * solution[below];
            }
            solution[row] /= self.lower[row * size + row];
        }
        solution
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn solves_and_refuses_what_is_singular() {
        let cholesky = Cholesky::new(vec![4.0, 2.0, 2.0, 3.0], 2, 1e-12).unwrap();
        let solution = cholesky.solve(&[8.0, 8.0]);
        assert!((solution[0] - 1.0).abs() < 1e-15 && (solution[1] - 2.0).abs() < 1e-15);
        assert!(Cholesky::new(vec![1.0, 1.0, 1.0, 1.0], 2, 1e-12).is_none());
        assert!(Cholesky::new(vec![f64::NAN], 1, 1e-12).is_none());
    }
}
