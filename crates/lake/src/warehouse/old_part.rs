//! What lies in a part of the version that is replaced, and whether new rows are the same.

use std::collections::BTreeMap;

use super::data_file::DataFile;
use super::settlement::Settled;

/// What lies in a part of the version that is replaced.
#[derive(Debug, Clone)]
pub(super) struct OldPart {
    files: Vec<DataFile>,
    rows: u64,
    /// The sum of the hashes of its rows.
    sum: u128,
}

impl OldPart {
    /// The parts of `files` of which the log says enough. Unsettled rows change with every run and are left out.
    pub(super) fn all_of(files: &[DataFile]) -> BTreeMap<Settled, Self> {
        let mut parts: BTreeMap<Settled, Option<Self>> = BTreeMap::new();
        for file in files {
            let part = parts
                .entry(Settled::of_file(&file.path))
                .or_insert_with(|| Some(Self { files: Vec::new(), rows: 0, sum: 0 }));
            match (part.as_mut(), file.rows, file.row_sum) {
                (Some(part), Some(rows), Some(sum)) => {
                    part.files.push(file.clone());
                    part.rows += rows as u64;
                    part.sum = part.sum.wrapping_add(sum);
                }
                _ => *part = None,
            }
        }
        parts.remove(&Settled::No);
        parts.into_iter().filter_map(|(settled, part)| Some((settled, part?))).collect()
    }
}

/// New rows of a part, as far as they can still be those that lie in it.
pub(super) struct Comparison<'a> {
    old: &'a OldPart,
    rows: u64,
    sum: u128,
}

impl<'a> Comparison<'a> {
    pub(super) fn with(old: &'a OldPart) -> Self {
        Self { old, rows: 0, sum: 0 }
    }

    /// With further rows and the sum of their hashes; `None` when there are more than lie in the part, or they cannot
    /// be summed.
    pub(super) fn and(self, rows: usize, sum: Option<u128>) -> Option<Self> {
        let more = Self { rows: self.rows + rows as u64, sum: self.sum.wrapping_add(sum?), ..self };
        (more.rows <= more.old.rows).then_some(more)
    }

    /// The part's files, when these are all of its rows.
    pub(super) fn unchanged(self) -> Option<Vec<DataFile>> {
        (self.rows == self.old.rows && self.sum == self.old.sum).then(|| self.old.files.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, rows: Option<usize>, row_sum: Option<u128>) -> DataFile {
        let mut file = DataFile::named(path);
        (file.rows, file.row_sum) = (rows, row_sum);
        file
    }

    #[test]
    fn a_part_is_compared_when_all_its_files_say_what_they_hold() {
        let parts = OldPart::all_of(&[
            file("a.settled-2026-09-06.parquet", Some(2), Some(u128::MAX)),
            file("b.settled-2026-09-06.parquet", Some(3), Some(2)),
            file("a.settled-2026-09-13.parquet", Some(2), Some(7)),
            file("b.settled-2026-09-13.parquet", Some(2), None),
            file("a.unsettled.parquet", Some(2), Some(7)),
            file("foreign.parquet", Some(2), None),
        ]);
        let known: Vec<(String, u64, u128)> =
            parts.iter().map(|(settled, part)| (settled.word(), part.rows, part.sum)).collect();
        assert_eq!(known, [("settled-2026-09-06".to_owned(), 5, 1)]);
    }
}
