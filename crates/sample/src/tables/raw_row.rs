//! What a row of a raw table can do: it has a time and an id, becomes columns, and can be broken.

use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;

use crate::calendar::{HOUR, Time};

/// A way in which a row breaks its source's contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Defect {
    NoCustomer,
    NoVisitor,
    LoginWithoutCustomer,
    RatingNine,
    Year1970,
    Year2199,
    EndsBeforeStart,
    NegativeAmount,
    OtherCurrency,
    ScoreOffScale,
    UnknownKind,
}

impl Defect {
    /// The name in the truth file.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Defect::NoCustomer => "null_customer",
            Defect::NoVisitor => "null_visitor",
            Defect::LoginWithoutCustomer => "login_without_customer",
            Defect::RatingNine => "rating_9",
            Defect::Year1970 => "year_1970",
            Defect::Year2199 => "year_2199",
            Defect::EndsBeforeStart => "ends_before_start",
            Defect::NegativeAmount => "negative_amount",
            Defect::OtherCurrency => "other_currency",
            Defect::ScoreOffScale => "score_off_scale",
            Defect::UnknownKind => "unknown_kind",
        }
    }
}

/// 1970-01-01 03:00 UTC: a clock that was never set.
pub(crate) const IN_1970: Time = 3 * HOUR;
/// 2199-06-01 00:00 UTC: a placeholder for "no date".
pub(crate) const IN_2199: Time = 7_239_628_800_000_000;

/// A row of a raw table.
pub(crate) trait RawRow: Clone {
    /// Folder of the table in the lake.
    const TABLE: &'static str;
    /// Every way in which a row of it occurs broken.
    const DEFECTS: &'static [Defect];
    /// Whether a row is something that happened, so that its system delivers it by the month.
    const EVENTS: bool = true;

    /// The source's event time.
    fn time(&self) -> Time;
    /// Gives a row that is to be broken or contradicted an id that no other row has.
    fn renumber(&mut self, ids: &mut Ids);
    /// Breaks the row in exactly this way.
    fn spoil(&mut self, defect: Defect);
    /// Changes a column that is no part of the key.
    fn contradict(&mut self);
    /// The rows as columns.
    fn batch(rows: &[Self]) -> Result<RecordBatch, ArrowError>;
}

/// Running numbers of one block, from which a table's ids are made.
#[derive(Debug)]
pub(crate) struct Ids {
    base: u64,
    next: u64,
}

/// Room for the ids of one block.
const IDS_PER_BLOCK: u64 = 1_000_000;

impl Ids {
    /// The ids of block `block`, from 1 on in the first.
    pub(crate) fn of_block(block: u64) -> Self {
        Ids { base: block * IDS_PER_BLOCK, next: 0 }
    }

    /// A number no other row of the sample has, in any table.
    pub(crate) fn next(&mut self) -> u64 {
        self.next += 1;
        self.base + self.next
    }

    /// A customer number that belongs to no customer: for pairs of rows that contradict each other.
    pub(crate) fn stranger(&mut self) -> u64 {
        500_000_000 + self.next()
    }
}
