//! One definition's way through a batch: from one row that matters to the next.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::row::Rows;

use crate::bits::Bits;
use crate::rules::{Found, RowPlace, Rules, Touchpoint};

/// What all definitions see of a batch.
pub(crate) struct Batch<'a> {
    /// Microseconds; meaningless where the row is not valid.
    pub(crate) times: &'a [i64],
    /// The batch's index among those at hand.
    pub(crate) chunk: u32,
    /// For each customer of the batch the row after its last.
    pub(crate) run_ends: &'a [usize],
    /// Ordinal of the batch's first customer among those at hand.
    pub(crate) first_customer: u32,
    pub(crate) as_of: i64,
}

/// Where one definition's conditions hold, among the rows that are valid for its key.
pub(crate) struct Masks<'a> {
    pub(crate) starts: Bits,
    pub(crate) ends: Option<&'a Bits>,
    pub(crate) abandons: Option<&'a Bits>,
    /// Rows that start, end, abandon or are included: all others can be skipped (see [`Rules::advance`]).
    pub(crate) relevant: Bits,
    /// The further key columns of each row, encoded; `None` when the key is the customer alone.
    pub(crate) keys: Option<Arc<Rows>>,
}

/// The open instances of the customer being read.
enum Slots {
    /// The key is the customer: at most one.
    Single(Option<u32>),
    /// At most one for each value of the further key columns.
    Keyed(HashMap<Box<[u8]>, u32>),
}

/// One definition with what it has open.
pub(crate) struct Scan {
    rules: Rules,
    slots: Slots,
}

impl Scan {
    pub(crate) fn new(rules: Rules, keyed: bool) -> Self {
        Self { rules, slots: if keyed { Slots::Keyed(HashMap::new()) } else { Slots::Single(None) } }
    }

    /// Reads a batch. The customer of the batch's first row must be the one whose instances are open, or none is.
    /// Afterwards the last customer's instances are still open: the next batch may continue it.
    pub(crate) fn read(&mut self, batch: &Batch<'_>, masks: &Masks<'_>, found: &mut Found) {
        let rows = batch.times.len();
        let last = batch.run_ends.len().saturating_sub(1);
        let (mut row, mut run) = (0, 0);
        while row < rows {
            if self.nothing_open() {
                let Some(start) = masks.starts.next_set(row, rows) else { return };
                // Starts are sparse, customers short: the next start is mostly in one of the next runs.
                while batch.run_ends[run] <= start {
                    run += 1;
                }
                row = start;
            } else {
                let run_end = batch.run_ends[run];
                match masks.relevant.next_set(row, run_end) {
                    Some(next) => row = next,
                    None if run == last => return,
                    None => {
                        self.settle(batch.as_of, found);
                        (row, run) = (run_end, run + 1);
                        continue;
                    }
                }
            }
            let touchpoint = Touchpoint {
                place: RowPlace { chunk: batch.chunk, row: row as u32 },
                at: batch.times[row],
                starts: masks.starts.get(row),
                ends: masks.ends.is_some_and(|ends| ends.get(row)),
                abandons: masks.abandons.is_some_and(|abandons| abandons.get(row)),
            };
            self.advance(batch.first_customer + run as u32, row, &touchpoint, masks, found);
            row += 1;
        }
    }

    /// The customer has no further touchpoint.
    pub(crate) fn settle(&mut self, as_of: i64, found: &mut Found) {
        match &mut self.slots {
            Slots::Single(open) => {
                if let Some(instance) = open.take() {
                    self.rules.settle(instance, as_of, found);
                }
            }
            Slots::Keyed(open) => {
                for (_, instance) in open.drain() {
                    self.rules.settle(instance, as_of, found);
                }
            }
        }
    }

    /// Follows a renumbering of the instances.
    pub(crate) fn renumber(&mut self, new_index: &[u32]) {
        match &mut self.slots {
            Slots::Single(open) => open.iter_mut().for_each(|instance| *instance = new_index[*instance as usize]),
            Slots::Keyed(open) => open.values_mut().for_each(|instance| *instance = new_index[*instance as usize]),
        }
    }

    /// Bytes held for open instances, about.
    pub(crate) fn size(&self) -> usize {
        match &self.slots {
            Slots::Single(_) => 0,
            Slots::Keyed(open) => {
                open.capacity() * size_of::<(Box<[u8]>, u32)>() + open.keys().map(|key| key.len()).sum::<usize>()
            }
        }
    }

    fn nothing_open(&self) -> bool {
        match &self.slots {
            Slots::Single(open) => open.is_none(),
            Slots::Keyed(open) => open.is_empty(),
        }
    }

    fn advance(&mut self, customer: u32, row: usize, touchpoint: &Touchpoint, masks: &Masks<'_>, found: &mut Found) {
        match (&mut self.slots, &masks.keys) {
            (Slots::Single(open), _) => *open = self.rules.advance(*open, customer, touchpoint, found),
            (Slots::Keyed(open), Some(keys)) => {
                let key = keys.row(row);
                let key: &[u8] = key.as_ref();
                let before = open.get(key).copied();
                match (before, self.rules.advance(before, customer, touchpoint, found)) {
                    (None, Some(instance)) => {
                        open.insert(key.into(), instance);
                    }
                    (Some(_), None) => {
                        open.remove(key);
                    }
                    (Some(before), Some(instance)) if before != instance => {
                        open.insert(key.into(), instance);
                    }
                    _ => {}
                }
            }
            (Slots::Keyed(_), None) => debug_assert!(false, "a definition with further key columns needs their values"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::Status;

    const DAY: i64 = 86_400_000_000;

    /// The worked example of SEMANTICS 2: one customer's touchpoints by day, `o` starts, `c` ends.
    #[test]
    fn worked_example() {
        let touchpoints =
            [('o', 1), ('x', 2), ('x', 5), ('x', 10), ('o', 12), ('c', 13), ('x', 14), ('o', 20), ('x', 31), ('o', 38)];
        let times: Vec<i64> = touchpoints.iter().map(|(_, day)| day * DAY).collect();
        let rows = times.len();
        let letter = |letter| Bits::from_rows(rows, |row| touchpoints[row].0 == letter);
        let ends = letter('c');
        let masks = Masks {
            starts: letter('o'),
            ends: Some(&ends),
            abandons: None,
            relevant: Bits::filled(rows, true),
            keys: None,
        };
        let batch = Batch { times: &times, chunk: 0, run_ends: &[rows], first_customer: 0, as_of: 40 * DAY };
        let rules = Rules { definition: 0, within: 10 * DAY, idle: 4 * DAY, split: false };
        let (mut scan, mut found) = (Scan::new(rules, false), Found::default());
        scan.read(&batch, &masks, &mut found);
        scan.settle(batch.as_of, &mut found);

        let seen: Vec<_> = (0..found.instances.len())
            .map(|index| {
                let instance = &found.instances[index];
                let days: Vec<i64> = found
                    .members
                    .iter()
                    .filter(|member| member.instance as usize == index)
                    .map(|member| times[member.place.row as usize] / DAY)
                    .collect();
                (days, instance.status, (instance.status != Status::Open).then_some(instance.ended_at / DAY))
            })
            .collect();
        assert_eq!(
            seen,
            [
                (vec![1, 2, 5], Status::Expired, Some(5)),
                (vec![12, 13], Status::Completed, Some(13)),
                (vec![20], Status::Expired, Some(20)),
                (vec![38], Status::Open, None),
            ]
        );
    }
}
