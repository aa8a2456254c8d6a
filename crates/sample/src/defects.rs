//! What real source systems do to rows: broken ones, copies, copies that disagree, and rows that arrive late.
//!
//! All of it is added beside the good rows, never in their place, so the planted truths stay exact.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::dice::Dice;
use crate::tables::{Ids, RawRow};

/// Broken rows of each kind, and pairs that contradict each other: one for so many customers.
const CUSTOMERS_PER_DEFECT: u64 = 250;
/// Share of the rows written twice.
const COPIED: f64 = 0.003;
/// Share of the rows that arrive in a later file.
const LATE: f64 = 0.003;

/// What a table holds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TableTruth {
    /// Rows in all files, everything below included.
    pub rows: u64,
    /// Rows that keep the contract, copies collapsed and contradicting ones set aside.
    pub kept: u64,
    /// Second copies that equal the first in every column.
    pub identical_copies: u64,
    /// Ids under which two rows disagree; both are to be set aside.
    pub contradicting_ids: u64,
    /// Rows in `late-*.parquet`: their events are older than the last rows of the files before.
    pub late: u64,
    /// Rows that break the contract, by what is wrong; each breaks it in one way.
    pub malformed: BTreeMap<String, u64>,
}

impl TableTruth {
    pub(crate) fn add(&mut self, other: &TableTruth) {
        self.rows += other.rows;
        self.kept += other.kept;
        self.identical_copies += other.identical_copies;
        self.contradicting_ids += other.contradicting_ids;
        self.late += other.late;
        for (defect, count) in &other.malformed {
            *self.malformed.entry(defect.clone()).or_default() += count;
        }
    }
}

/// A table's rows of one block, ready to be written.
pub(crate) struct Delivered<R> {
    pub(crate) on_time: Vec<R>,
    pub(crate) late: Vec<R>,
    pub(crate) truth: TableTruth,
}

/// Delivers the good rows of a block of `customers` the way source systems do, in order of event time.
pub(crate) fn deliver<R: RawRow>(mut rows: Vec<R>, customers: u64, dice: &mut Dice, ids: &mut Ids) -> Delivered<R> {
    let good = rows.len();
    let mut truth = TableTruth { kept: good as u64, ..TableTruth::default() };
    if good == 0 {
        return Delivered { on_time: rows, late: Vec::new(), truth };
    }
    let times = customers.div_ceil(CUSTOMERS_PER_DEFECT);
    let some_row = |rows: &[R], dice: &mut Dice, ids: &mut Ids| {
        let mut row = rows[dice.between(0, good as i64 - 1) as usize].clone();
        row.renumber(ids);
        row
    };
    for defect in R::DEFECTS {
        for _ in 0..times {
            let mut row = some_row(&rows, dice, ids);
            row.spoil(*defect);
            rows.push(row);
        }
        *truth.malformed.entry(defect.name().to_owned()).or_default() += times;
    }
    for _ in 0..times {
        let row = some_row(&rows, dice, ids);
        let mut other = row.clone();
        other.contradict();
        rows.extend([row, other]);
        truth.contradicting_ids += 1;
    }
    for index in 0..good {
        if dice.chance(COPIED) {
            rows.push(rows[index].clone());
            truth.identical_copies += 1;
        }
    }
    rows.sort_by_key(R::time);
    truth.rows = rows.len() as u64;
    let (late, on_time): (Vec<R>, Vec<R>) = rows.into_iter().partition(|_| dice.chance(LATE));
    truth.late = late.len() as u64;
    Delivered { on_time, late, truth }
}
