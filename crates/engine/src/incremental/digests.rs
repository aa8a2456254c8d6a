//! Digests of customers' touchpoints: one number for each customer, by which a run knows whose touchpoints have
//! changed.
//!
//! Matching starts again at an instant, but few customers have anything new since then. So a run keeps a digest for
//! each customer: the sum of the hashes of those touchpoints that the next run will read. The next run computes the
//! same digests, with the touchpoints that came since among them: a customer whose digest is the same was matched from
//! the same rows before, and keeps the rows that came of them. Nothing has to be known of the SQL that makes the
//! touchpoints: a login that claims old events, an answer that changes a touchpoint, a contradiction, all show in the
//! rows.
//!
//! Rows that come late make matching start earlier than planned. So the digests of the last days before that are kept
//! apart, a day each, and those of days that a run does not read are kept as they are for the next run.
//!
//! ```text
//!   kept_since         read_since                      next                as_of
//!       |- day -|- day -|- day -|- day -|- part of day -|-- one digest --------|
//!        from the newest kept    computed by this run    computed by this run
//! ```

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef, TimestampMicrosecondType};
use datafusion::common::hash_utils::RandomState;
use datafusion::common::{DataFusionError, Result as DataFusionResult};
use throughline_config::Timestamp;
use throughline_lake::row_hashes;

use super::calendar::midnight_before;
use super::customers::{CUSTOMER, Customers, customer_hashes};
use super::ledger::KeptDigests;

const TIME: &str = "occurred_at";

/// The columns of digests that are stored; a digest is two numbers.
const DIGEST_COLUMNS: [&str; 4] = ["since", "customer_hash", "touchpoints_sum_high", "touchpoints_sum_low"];

/// By the hash of the customer, the sum of the hashes of the touchpoints. Customers whose hashes are equal share a
/// digest and are matched together.
type Digests = HashMap<u64, u128, RandomState>;

/// Digests of touchpoints by the instant at which their interval begins; each interval ends where the next begins.
#[derive(Debug, Default)]
pub(crate) struct CustomerDigests(BTreeMap<Timestamp, Digests>);

impl CustomerDigests {
    /// No touchpoints yet, in intervals that begin at these instants; earlier touchpoints are left out.
    pub(crate) fn beginning_at(instants: impl IntoIterator<Item = Timestamp>) -> Self {
        Self(instants.into_iter().map(|since| (since, Digests::default())).collect())
    }

    /// The same intervals without touchpoints.
    pub(crate) fn emptied(&self) -> Self {
        Self::beginning_at(self.0.keys().copied())
    }

    #[cfg(test)]
    pub(super) fn begins(&self) -> Vec<Timestamp> {
        self.0.keys().copied().collect()
    }

    /// Where the first interval begins.
    pub(crate) fn earliest(&self) -> Option<Timestamp> {
        self.0.keys().next().copied()
    }

    /// Adds touchpoints, each to the interval in which it lies.
    pub(crate) fn add_touchpoints(&mut self, touchpoints: &RecordBatch) -> DataFusionResult<()> {
        let (Some(customers), Some(times)) = (touchpoints.column_by_name(CUSTOMER), touchpoints.column_by_name(TIME))
        else {
            return Err(DataFusionError::Internal("touchpoints without customer or time".to_owned()));
        };
        let customers = customer_hashes(customers)?;
        let times = times.as_primitive::<TimestampMicrosecondType>().values();
        let hashes = row_hashes(touchpoints)?;
        let begins: Vec<Timestamp> = self.0.keys().copied().collect();
        let mut intervals: Vec<&mut Digests> = self.0.values_mut().collect();
        for ((customer, hash), time) in customers.into_iter().zip(hashes).zip(times) {
            let begun = begins.partition_point(|since| since <= time);
            if let Some(digests) = begun.checked_sub(1).and_then(|last| intervals.get_mut(last)) {
                add(digests, customer, hash);
            }
        }
        Ok(())
    }

    /// Adds the digests of other touchpoints.
    pub(crate) fn merge(&mut self, other: Self) {
        for (since, digests) in other.0 {
            let own = self.0.entry(since).or_default();
            digests.into_iter().for_each(|(customer, digest)| add(own, customer, digest));
        }
    }

    /// The customers who are new, changed or gone since `before` was computed, by their touchpoints at or after
    /// `since`. An interval of both begins there.
    pub(crate) fn changed(&self, before: &Self, since: Timestamp) -> Customers {
        let (then, now) = (before.since(since), self.since(since));
        let changed = now.iter().filter(|(customer, digest)| then.get(*customer) != Some(*digest));
        let gone = then.iter().filter(|(customer, _)| !now.contains_key(*customer));
        changed.chain(gone).map(|(customer, _)| *customer).collect()
    }

    /// Of the digests that this run computed, and of the `newest` that earlier runs kept, those that the next run
    /// needs; and the instant since which they know every touchpoint.
    ///
    /// The next run needs one digest for `next` and later, and one for each day before that since `kept_since`. This
    /// run has read all touchpoints since `read_since`. Earlier days come from the newest digests, where these follow
    /// without a gap.
    pub(crate) fn kept_for_next_run(
        mut self,
        read_since: Timestamp,
        next: Timestamp,
        kept_since: Timestamp,
        newest: Option<(KeptDigests, Self)>,
    ) -> (Self, Timestamp) {
        let mut kept = Self::default();
        while let Some((since, digests)) = self.0.pop_last().filter(|(since, _)| *since >= read_since) {
            let begin = if since >= next { next } else { midnight_before(since) };
            kept.merge(Self(BTreeMap::from([(begin, digests)])));
        }
        let follows = |newest: &KeptDigests| newest.since < read_since && read_since <= newest.next;
        let Some((newest, mut earlier)) = newest.filter(|(newest, _)| follows(newest)) else {
            return (kept, read_since);
        };
        let since = newest.since.max(kept_since);
        earlier.0.retain(|day, _| (since..read_since).contains(day));
        kept.merge(earlier);
        (kept, since.min(read_since))
    }

    /// One digest for each customer, of all touchpoints at or after `since`, where an interval begins.
    fn since(&self, since: Timestamp) -> Digests {
        let mut later = self.0.range(since..).map(|(_, digests)| digests);
        let mut all = later.next_back().cloned().unwrap_or_default();
        later.flatten().for_each(|(customer, digest)| add(&mut all, *customer, *digest));
        all
    }

    /// The digests as rows, in one order, so that equal digests make equal files.
    pub(crate) fn to_rows(&self) -> DataFusionResult<(SchemaRef, Vec<RecordBatch>)> {
        let column = |name| Field::new(name, DataType::Int64, false);
        let schema = Arc::new(Schema::new(DIGEST_COLUMNS.map(column).to_vec()));
        let rows = |(since, digests): (&Timestamp, &Digests)| {
            let mut pairs: Vec<(u64, u128)> = digests.iter().map(|(customer, digest)| (*customer, *digest)).collect();
            pairs.sort_unstable();
            let columns: Vec<ArrayRef> = vec![
                Arc::new(Int64Array::from_iter_values(std::iter::repeat_n(*since, pairs.len()))),
                Arc::new(Int64Array::from_iter_values(pairs.iter().map(|(customer, _)| customer.cast_signed()))),
                Arc::new(Int64Array::from_iter_values(pairs.iter().map(|(_, digest)| (digest >> 64) as i64))),
                Arc::new(Int64Array::from_iter_values(pairs.iter().map(|(_, digest)| *digest as i64))),
            ];
            RecordBatch::try_new(Arc::clone(&schema), columns)
        };
        let batches = self.0.iter().map(rows).collect::<Result<Vec<_>, _>>()?;
        Ok((schema, batches))
    }

    /// Digests that were kept as rows; `None` when the rows have other columns.
    pub(crate) fn from_rows(batches: &[RecordBatch]) -> Option<Self> {
        let mut kept = Self::default();
        for batch in batches {
            let column = |name: &str| batch.column_by_name(name)?.as_primitive_opt::<Int64Type>();
            let [since, customers, high, low] = DIGEST_COLUMNS.map(column);
            let ends = high?.values().iter().zip(low?.values());
            for ((since, customer), (high, low)) in since?.values().iter().zip(customers?.values()).zip(ends) {
                let digest = u128::from(high.cast_unsigned()) << 64 | u128::from(low.cast_unsigned());
                add(kept.0.entry(*since).or_default(), customer.cast_unsigned(), digest);
            }
        }
        Some(kept)
    }
}

/// Sums do not depend on the order of the rows, so partitions and batches do not matter.
fn add(digests: &mut Digests, customer: u64, hash: u128) {
    let digest = digests.entry(customer).or_default();
    *digest = digest.wrapping_add(hash);
}

#[cfg(test)]
mod tests {
    use arrow::array::{StringArray, TimestampMicrosecondArray};

    use super::super::calendar::DAY;
    use super::*;

    /// One customer's digest for each day.
    fn of_days(days: &[(Timestamp, u128)]) -> CustomerDigests {
        CustomerDigests(days.iter().map(|(day, digest)| (day * DAY, [(1, *digest)].into_iter().collect())).collect())
    }

    fn days(digests: &CustomerDigests) -> Vec<(Timestamp, u128)> {
        digests.0.iter().map(|(day, digests)| (day / DAY, digests[&1])).collect()
    }

    fn touchpoints(rows: &[(&str, Timestamp, &str)]) -> RecordBatch {
        let column = |text: fn(&(&str, Timestamp, &str)) -> String| -> ArrayRef {
            Arc::new(StringArray::from_iter_values(rows.iter().map(text)))
        };
        let times = TimestampMicrosecondArray::from_iter_values(rows.iter().map(|row| row.1)).with_timezone("UTC");
        RecordBatch::try_from_iter([
            (CUSTOMER, column(|row| row.0.to_owned())),
            (TIME, Arc::new(times) as ArrayRef),
            ("event", column(|row| row.2.to_owned())),
        ])
        .expect("columns of one length")
    }

    fn computed(begins: &[Timestamp], batches: &[RecordBatch]) -> CustomerDigests {
        let mut digests = CustomerDigests::beginning_at(begins.iter().copied());
        for batch in batches {
            digests.add_touchpoints(batch).expect("a customer and a time");
        }
        digests
    }

    fn number_changed(before: &[(&str, Timestamp, &str)], now: &[(&str, Timestamp, &str)], since: Timestamp) -> usize {
        let before = computed(&[since], &[touchpoints(before)]);
        computed(&[since], &[touchpoints(now)]).changed(&before, since).len()
    }

    #[test]
    fn digests_add_up_since_a_day() {
        let digests = of_days(&[(1, 5), (2, 6), (4, 7)]);
        assert_eq!(digests.since(DAY)[&1], 18);
        assert_eq!(digests.since(2 * DAY)[&1], 13);
        assert_eq!(digests.since(3 * DAY)[&1], 7);
        assert!(digests.since(5 * DAY).is_empty());
    }

    #[test]
    fn days_that_were_not_read_are_kept_as_they_were() {
        let before =
            || (KeptDigests { version: 1, since: 2 * DAY, next: 9 * DAY }, of_days(&[(2, 1), (5, 2), (8, 3), (9, 4)]));
        let now = || of_days(&[(8, 30), (9, 40), (10, 50), (11, 60)]);
        let (kept, since) = now().kept_for_next_run(8 * DAY, 10 * DAY, 3 * DAY, Some(before()));
        assert_eq!((days(&kept), since / DAY), (vec![(5, 2), (8, 30), (9, 40), (10, 110)], 3));
    }

    #[test]
    fn days_beyond_a_gap_are_not_kept() {
        let before = (KeptDigests { version: 1, since: 2 * DAY, next: 9 * DAY }, of_days(&[(2, 1), (8, 3), (9, 4)]));
        let now = of_days(&[(8, 30), (9, 40), (10, 50), (11, 60)]);
        let (kept, since) = now.kept_for_next_run(10 * DAY, 10 * DAY, 3 * DAY, Some(before));
        assert_eq!((days(&kept), since / DAY), (vec![(10, 110)], 10));
    }

    #[test]
    fn without_earlier_digests_a_run_keeps_its_own() {
        let now = of_days(&[(8, 30), (9, 40), (10, 50), (11, 60)]);
        let (kept, since) = now.kept_for_next_run(8 * DAY, 10 * DAY, 3 * DAY, None);
        assert_eq!((days(&kept), since / DAY), (vec![(8, 30), (9, 40), (10, 110)], 8));
    }

    #[test]
    fn a_part_of_a_day_before_the_next_matching_belongs_to_its_day() {
        let digests = CustomerDigests(
            [(8 * DAY, 1), (8 * DAY + 5, 2), (8 * DAY + 9, 4)]
                .map(|(since, digest)| (since, [(1, digest)].into_iter().collect()))
                .into(),
        );
        let (kept, _) = digests.kept_for_next_run(8 * DAY, 8 * DAY + 9, 8 * DAY, None);
        let begins: Vec<_> = kept.0.iter().map(|(since, digests)| (*since, digests[&1])).collect();
        assert_eq!(begins, [(8 * DAY, 3), (8 * DAY + 9, 4)]);
    }

    #[test]
    fn who_is_new_changed_or_gone_has_changed() {
        let before = [("same", 1, "call"), ("changed", 2, "call"), ("gone", 3, "call")];
        let now = [("same", 1, "call"), ("changed", 2, "visit"), ("new", 3, "call")];
        assert_eq!(number_changed(&before, &now, 0), 3);
        assert_eq!(number_changed(&before, &before, 0), 0);
    }

    #[test]
    fn a_customer_changes_with_a_touchpoint_in_any_column_or_number() {
        let one = [("a", 1, "call")];
        assert_eq!(number_changed(&one, &[("a", 2, "call")], 0), 1, "another time");
        assert_eq!(number_changed(&one, &[("a", 1, "call"), ("a", 1, "call")], 0), 1, "twice");
        assert_eq!(number_changed(&[], &[], 0), 0);
    }

    #[test]
    fn two_touchpoints_that_exchange_a_text_are_a_change() {
        let before = [("a", 1, "call"), ("a", 2, "visit")];
        assert_eq!(number_changed(&before, &[("a", 1, "visit"), ("a", 2, "call")], 0), 1);
    }

    #[test]
    fn touchpoints_before_the_first_interval_do_not_count() {
        assert_eq!(number_changed(&[("a", 1, "call")], &[("a", 1, "visit")], 2), 0);
        assert_eq!(number_changed(&[("a", 2, "call")], &[("a", 2, "visit")], 2), 1, "its beginning belongs to it");
    }

    #[test]
    fn the_order_of_rows_and_batches_does_not_matter() {
        let rows = [("a", 1, "call"), ("b", 5, "web"), ("a", 7, "visit"), ("c", 9, "call")];
        let mut turned = rows;
        turned.reverse();
        let (together, apart) = (touchpoints(&rows), turned.map(|row| touchpoints(&[row])));
        let before = computed(&[0, 6], &[together]);
        let mut now = computed(&[0, 6], &apart[..2]);
        now.merge(computed(&[0, 6], &apart[2..]));
        for since in [0, 6] {
            assert!(now.changed(&before, since).is_empty());
        }
    }

    #[test]
    fn digests_that_are_stored_read_the_same() {
        let digests = computed(&[0, 6], &[touchpoints(&[("a", 1, "call"), ("b", 7, "web"), ("a", 8, "web")])]);
        let (_, rows) = digests.to_rows().expect("rows");
        assert_eq!(rows.iter().map(RecordBatch::num_rows).sum::<usize>(), 3);
        let read = CustomerDigests::from_rows(&rows).expect("columns of numbers");
        assert_eq!(read.0, digests.0);
        assert!(CustomerDigests::from_rows(&[touchpoints(&[("a", 1, "call")])]).is_none(), "another table");
    }

    #[test]
    fn touchpoints_without_a_time_are_refused() {
        let batch = touchpoints(&[("a", 1, "call")]).project(&[0, 2]).expect("two columns");
        assert!(CustomerDigests::beginning_at([0]).add_touchpoints(&batch).is_err());
    }
}
