//! The rows of a comparison of scores: an outcome, the levels of some controls and two lists of scores.

use std::collections::BTreeMap;

/// How many controls and scores each row has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScoreShape {
    /// Controls, each with one level a row.
    pub controls: usize,
    /// Scores of the first side.
    pub first: usize,
    /// Scores of the second side.
    pub second: usize,
}

impl ScoreShape {
    /// Values of a row: the outcome, levels, scores.
    pub fn width(self) -> usize {
        1 + self.controls + self.first + self.second
    }
}

/// Rows as numbers; a level's name is kept once.
#[derive(Debug, Clone, Default)]
pub struct ScoreRows {
    /// Known from the first row on.
    shape: Option<ScoreShape>,
    places: BTreeMap<String, usize>,
    /// Row-major: the outcome, places of the levels' names, scores; NaN for a score that was not given.
    values: Vec<f64>,
}

/// A row: whether the outcome occurred, its levels as places in the names, its scores.
#[derive(Debug, Clone, PartialEq)]
pub struct ScoreRow {
    /// Whether the outcome occurred.
    pub outcome: bool,
    /// One level of each control, as places in the sorted names.
    pub levels: Vec<usize>,
    /// The first side's scores, then the second's; `None` for one that was not given.
    pub scores: Vec<Option<f64>>,
}

impl ScoreRows {
    /// Adds a row of finite scores.
    ///
    /// # Errors
    /// The shape of the rows before, when this one has another.
    pub fn push<'a>(
        &mut self,
        outcome: bool,
        levels: impl ExactSizeIterator<Item = &'a str>,
        first: impl ExactSizeIterator<Item = Option<f64>>,
        second: impl ExactSizeIterator<Item = Option<f64>>,
    ) -> Result<(), ScoreShape> {
        let shape = ScoreShape { controls: levels.len(), first: first.len(), second: second.len() };
        match self.shape {
            Some(known) if known != shape => return Err(known),
            _ => self.shape = Some(shape),
        }
        self.values.push(f64::from(u8::from(outcome)));
        for level in levels {
            let next = self.places.len();
            let place = match self.places.get(level) {
                Some(place) => *place,
                None => *self.places.entry(level.to_owned()).or_insert(next),
            };
            self.values.push(place as f64);
        }
        self.values.extend(first.chain(second).map(|score| score.unwrap_or(f64::NAN)));
        Ok(())
    }

    /// The shape of every row; `None` without rows.
    pub fn shape(&self) -> Option<ScoreShape> {
        self.shape
    }

    /// The names of all levels in the order of their places, and the rows as numbers.
    pub fn parts(&self) -> (Vec<&str>, &[f64]) {
        let mut names = vec![""; self.places.len()];
        for (name, place) in &self.places {
            if let Some(slot) = names.get_mut(*place) {
                *slot = name;
            }
        }
        (names, &self.values)
    }

    /// Memory of the rows and names, about.
    pub fn bytes(&self) -> usize {
        let names: usize = self.places.keys().map(|name| name.len() + 4 * size_of::<usize>()).sum();
        names + self.values.capacity() * size_of::<f64>()
    }

    /// The names in order and the rows in an order that depends on nothing but them.
    pub fn sorted(&self) -> (Vec<&str>, Vec<ScoreRow>) {
        let Some(shape) = self.shape else { return (vec![], vec![]) };
        let mut ranks = vec![0; self.places.len()];
        for (rank, place) in self.places.values().enumerate() {
            ranks[*place] = rank;
        }
        let mut rows: Vec<&[f64]> = self.values.chunks_exact(shape.width()).collect();
        let levels = |row: &[f64]| -> Vec<usize> {
            row[1..1 + shape.controls].iter().map(|place| ranks[*place as usize]).collect()
        };
        rows.sort_by_cached_key(|row| {
            // −0 equals 0, so it must not have a place of its own.
            let scores: Vec<u64> = row[1 + shape.controls..].iter().map(|score| (score + 0.0).to_bits()).collect();
            (levels(row), row[0] != 0.0, scores)
        });
        let rows = rows.into_iter().map(|row| ScoreRow {
            outcome: row[0] != 0.0,
            levels: levels(row),
            scores: row[1 + shape.controls..]
                .iter()
                .map(|score| if score.is_nan() { None } else { Some(score + 0.0) })
                .collect(),
        });
        (self.places.keys().map(String::as_str).collect(), rows.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_the_same_however_they_came() {
        let given = [(true, "b", Some(0.5)), (false, "a", None), (true, "a", Some(0.25))];
        let rows = |order: [usize; 3]| {
            let mut rows = ScoreRows::default();
            for place in order {
                let (outcome, level, score) = given[place];
                rows.push(outcome, [level].into_iter(), [score].into_iter(), std::iter::empty()).unwrap();
            }
            rows
        };
        let (forward, backward) = (rows([0, 1, 2]), rows([2, 1, 0]));
        assert_eq!(forward.sorted(), backward.sorted());
        let (names, sorted) = forward.sorted();
        assert_eq!((names, sorted[0].scores[0], sorted[2].levels[0]), (vec!["a", "b"], None, 1));
        let mut other = forward.clone();
        let shape = other.push(true, std::iter::empty(), std::iter::empty(), std::iter::empty());
        assert_eq!(shape, Err(ScoreShape { controls: 1, first: 1, second: 0 }));
    }
}
