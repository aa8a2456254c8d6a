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

    /// The z with L·z = `right`; z·z is then `right`·matrix⁻¹·`right`.
    pub fn forward(&self, right: &[f64]) -> Vec<f64> {
        let size = self.size;
        let mut solution = right.to_vec();
        for row in 0..size {
            for column in 0..row {
                solution[row] -= self.lower[row * size + column] * solution[column];
            }
            solution[row] /= self.lower[row * size + row];
        }
        solution
    }

    /// Natural log of the matrix's determinant.
    pub fn log_determinant(&self) -> f64 {
        (0..self.size).map(|row| 2.0 * self.lower[row * self.size + row].ln()).sum()
    }

    /// The x with matrix·x = `right`.
    pub fn solve(&self, right: &[f64]) -> Vec<f64> {
        let size = self.size;
        let mut solution = self.forward(right);
        for row in (0..size).rev() {
            for below in row + 1..size {
                solution[row] -= self.lower[below * size + row] * solution[below];
            }
            solution[row] /= self.lower[row * size + row];
        }
        solution
    }

    /// The inverse of the matrix, row-major.
    pub fn inverse(&self) -> Vec<f64> {
        let size = self.size;
        let mut inverse = vec![0.0; size * size];
        for column in 0..size {
            let mut unit = vec![0.0; size];
            unit[column] = 1.0;
            for (row, value) in self.solve(&unit).into_iter().enumerate() {
                inverse[row * size + column] = value;
            }
        }
        inverse
    }
}

/// A column that is a combination of columns before it.
#[derive(Debug, Clone, PartialEq)]
pub struct Dependence {
    /// The column.
    pub column: usize,
    /// Columns before it with what they add to it; none for a column of zeros.
    pub of: Vec<(usize, f64)>,
}

/// The columns of a matrix X that are no combination of those before them, and how the others depend on them.
///
/// `gram` is Xᵀ·X, row-major, `size` × `size`. A column of which a share of `own_share` or less is its own counts as
/// dependent; one that adds less than the root of `own_share` to another is not among those the other depends on.
pub fn independent_columns(gram: &[f64], size: usize, own_share: f64) -> (Vec<usize>, Vec<Dependence>) {
    let mut kept: Vec<usize> = vec![];
    // The rows of the triangle of the columns kept so far, each as long as its place.
    let mut triangle: Vec<Vec<f64>> = vec![];
    let mut dependences = vec![];
    for column in 0..size {
        let diagonal = gram[column * size + column];
        let mut row: Vec<f64> = Vec::with_capacity(kept.len() + 1);
        for (place, before) in kept.iter().enumerate() {
            let known = triangle[place].iter().zip(&row).fold(0.0, |sum, (left, right)| sum + left * right);
            row.push((gram[column * size + before] - known) / triangle[place][place]);
        }
        let pivot = row.iter().fold(diagonal, |pivot, value| pivot - value * value);
        if pivot > own_share * diagonal {
            row.push(pivot.sqrt());
            kept.push(column);
            triangle.push(row);
            continue;
        }
        // Back through the transposed triangle: the combination of kept columns that this one is.
        let mut combination = row;
        for place in (0..kept.len()).rev() {
            for below in place + 1..kept.len() {
                combination[place] -= triangle[below][place] * combination[below];
            }
            combination[place] /= triangle[place][place];
        }
        let added = |(place, share): (usize, &f64)| (share.abs() > own_share.sqrt()).then_some((kept[place], *share));
        dependences.push(Dependence { column, of: combination.iter().enumerate().filter_map(added).collect() });
    }
    (kept, dependences)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn solves_and_refuses_what_is_singular() {
        let cholesky = Cholesky::new(vec![4.0, 2.0, 2.0, 3.0], 2, 1e-12).unwrap();
        let solution = cholesky.solve(&[8.0, 8.0]);
        assert!((solution[0] - 1.0).abs() < 1e-15 && (solution[1] - 2.0).abs() < 1e-15);
        assert!((cholesky.log_determinant() - 8.0_f64.ln()).abs() < 1e-15);
        assert!((cholesky.forward(&[8.0, 8.0]).iter().map(|value| value * value).sum::<f64>() - 24.0).abs() < 1e-12);
        assert!(Cholesky::new(vec![1.0, 1.0, 1.0, 1.0], 2, 1e-12).is_none());
        assert!(Cholesky::new(vec![f64::NAN], 1, 1e-12).is_none());
        let inverse = cholesky.inverse();
        for (value, expected) in inverse.iter().zip([0.375, -0.25, -0.25, 0.5]) {
            assert!((value - expected).abs() < 1e-15);
        }
    }

    #[test]
    fn a_dependent_column_names_what_it_is_made_of() {
        // Rows (1, 1, 0, 1, 0), (1, 1, 0, 1, 0), (1, 0, 1, 0, 0), (1, 0, 0, 0, 0): the fourth column repeats the second.
        let rows = [
            [1.0, 1.0, 0.0, 1.0, 0.0],
            [1.0, 1.0, 0.0, 1.0, 0.0],
            [1.0, 0.0, 1.0, 0.0, 0.0],
            [1.0, 0.0, 0.0, 0.0, 0.0],
        ];
        let mut gram = vec![0.0; 25];
        for row in rows {
            for left in 0..5 {
                (0..5).for_each(|right| gram[left * 5 + right] += row[left] * row[right]);
            }
        }
        let (kept, dependences) = independent_columns(&gram, 5, 1e-9);
        assert_eq!(kept, [0, 1, 2]);
        assert_eq!(dependences.len(), 2);
        assert_eq!((dependences[0].column, dependences[0].of.len(), dependences[0].of[0].0), (3, 1, 1));
        assert_eq!(dependences[1], Dependence { column: 4, of: vec![] });
    }
}
