//! Which digests of a view's touchpoints a run compares and keeps, and whose touchpoints turn out to have changed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use throughline_config::Timestamp;

use super::calendar::{DAY, midnight_after};
use super::customers::Customers;
use super::digests::CustomerDigests;
use super::ledger::KeptDigests;
use super::rebuild::{Rebuild, Rebuilds};
use crate::failure::EngineError;

/// Before the instant since which the next run matches, digests of so much time are kept for rows that come late.
const KEPT_FOR_LATE_ROWS: Timestamp = 7 * DAY;

/// The table in which a view's digests are kept.
pub(crate) fn digests_table(view: &str) -> String {
    format!("{view}__seen")
}

/// The digests of a view's touchpoints: those that tables were made with, and those that this run computes.
pub(crate) struct Comparison {
    /// Digests that tables were made with, and since when this run compares its own with them.
    wanted: BTreeSet<(u64, Timestamp)>,
    by_version: BTreeMap<u64, KeptDigests>,
    earlier: BTreeMap<u64, (KeptDigests, CustomerDigests)>,
    /// The instant since which the next run matches when nothing comes late.
    next: Timestamp,
    /// The next run needs digests since this midnight.
    kept_since: Timestamp,
    /// This run keeps its own since this midnight: it has read every touchpoint since then.
    read_since: Timestamp,
}

/// The result of a comparison.
pub(crate) struct Compared {
    /// By the version of the digests that were compared, and since when, whose touchpoints differ.
    changed: BTreeMap<(u64, Timestamp), Arc<Customers>>,
    /// What the next run compares with.
    pub(crate) kept: CustomerDigests,
    /// The instant since which they know every touchpoint.
    since: Timestamp,
    next: Timestamp,
}

impl Comparison {
    /// What is compared of a view that is read since `window`, or whole; `None` when no model is matched from it.
    pub(crate) fn of(view: &str, rebuilds: &Rebuilds, window: Option<Timestamp>) -> Option<Self> {
        let next = rebuilds.next_matched_since(view)?;
        Some(Self::new(rebuilds.compared_digests(view), next, window))
    }

    fn new(
        digests: impl Iterator<Item = (KeptDigests, Timestamp)>,
        next: Timestamp,
        window: Option<Timestamp>,
    ) -> Self {
        let (mut wanted, mut by_version) = (BTreeSet::new(), BTreeMap::new());
        // Touchpoints before the window are not read, so nothing can be compared with them.
        for (kept, since) in digests.filter(|(_, since)| window.is_none_or(|window| *since >= window)) {
            by_version.insert(kept.version, kept);
            wanted.insert((kept.version, since));
        }
        let whole_days_since = window.map_or(Timestamp::MIN, midnight_after);
        let kept_since = midnight_after(next.saturating_sub(KEPT_FOR_LATE_ROWS)).min(next);
        let read_since = whole_days_since.max(kept_since).min(next);
        Self { wanted, by_version, earlier: BTreeMap::new(), next, kept_since, read_since }
    }

    /// The versions of kept digests that are needed.
    pub(crate) fn versions(&self) -> Vec<u64> {
        self.by_version.keys().copied().collect()
    }

    /// Adds the digests of a version, as they were kept. Without them, nothing is compared with that version.
    pub(crate) fn add_kept(&mut self, version: u64, digests: CustomerDigests) {
        if let Some(kept) = self.by_version.get(&version) {
            self.earlier.insert(version, (*kept, digests));
        }
    }

    /// The intervals for which this run computes digests: from midnight to midnight for those it keeps, and since
    /// each instant at which it compares.
    pub(crate) fn intervals(&self) -> CustomerDigests {
        let next = self.next;
        let days = std::iter::successors(Some(self.read_since), |day| Some(midnight_after(day + 1)));
        let days = days.take_while(|day| *day < next);
        let compared = self.compared().map(|(_, since)| since);
        CustomerDigests::beginning_at(days.chain([next]).chain(compared))
    }

    fn compared(&self) -> impl Iterator<Item = (u64, Timestamp)> {
        self.wanted.iter().copied().filter(|(version, _)| self.earlier.contains_key(version))
    }

    /// Compares the digests that this run has computed, and says which are kept.
    pub(crate) fn conclude(mut self, now: CustomerDigests) -> Compared {
        let changed = self.compared().filter_map(|(version, since)| {
            let (_, then) = self.earlier.get(&version)?;
            Some(((version, since), Arc::new(now.changed(then, since))))
        });
        let changed = changed.collect();
        let newest = self.earlier.pop_last().map(|(_, newest)| newest);
        let (kept, since) = now.kept_for_next_run(self.read_since, self.next, self.kept_since, newest);
        Compared { changed, kept, since, next: self.next }
    }
}

/// Whose touchpoints have changed, as far as the steps of a run know by now.
#[derive(Debug, Default)]
pub(crate) struct ChangedCustomers(Mutex<BTreeMap<String, OfView>>);

#[derive(Debug)]
struct OfView {
    /// The digests that this run has kept.
    kept: KeptDigests,
    changed: BTreeMap<(u64, Timestamp), Arc<Customers>>,
}

impl ChangedCustomers {
    /// Adds the result of comparing a view's digests, once they are kept as `version`.
    pub(crate) fn add(&self, view: &str, version: u64, compared: Compared) {
        let Compared { changed, since, next, .. } = compared;
        let kept = KeptDigests { version, since, next };
        self.of_views().insert(view.to_owned(), OfView { kept, changed });
    }

    /// The customers whose touchpoints differ from those that a model's table was made from; `None` when that is not
    /// known.
    pub(crate) fn of(&self, rebuild: &Rebuild) -> Option<Arc<Customers>> {
        let (kept, since) = rebuild.digests?;
        self.of_views().get(rebuild.touchpoints.as_ref()?)?.changed.get(&(kept.version, since)).cloned()
    }

    /// The ledger of a model once this run has published it.
    pub(crate) fn ledger(&self, rebuild: &Rebuild) -> Result<String, EngineError> {
        let view = rebuild.touchpoints.as_ref();
        rebuild.ledger_with(view.and_then(|view| Some(self.of_views().get(view)?.kept)))
    }

    fn of_views(&self) -> MutexGuard<'_, BTreeMap<String, OfView>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEXT: Timestamp = 20 * DAY + 5;

    fn kept(version: u64) -> KeptDigests {
        KeptDigests { version, since: 10 * DAY, next: 18 * DAY }
    }

    fn compared(comparison: &Comparison) -> Vec<(u64, Timestamp)> {
        comparison.compared().collect()
    }

    #[test]
    fn a_run_over_everything_keeps_a_week_in_days() {
        let comparison = Comparison::new(std::iter::empty(), NEXT, None);
        assert_eq!((comparison.kept_since, comparison.read_since), (14 * DAY, 14 * DAY));
        let begins: Vec<Timestamp> = (14..=20).map(|day| day * DAY).chain([NEXT]).collect();
        assert_eq!(comparison.intervals().begins(), begins);
    }

    #[test]
    fn a_run_that_reads_little_keeps_only_days_that_it_has_read_as_a_whole() {
        let comparison = Comparison::new(std::iter::empty(), NEXT, Some(18 * DAY + 1));
        assert_eq!((comparison.kept_since, comparison.read_since), (14 * DAY, 19 * DAY));
        let comparison = Comparison::new(std::iter::empty(), NEXT, Some(25 * DAY));
        assert_eq!(comparison.read_since, NEXT, "it has read no day before the next matching");
    }

    #[test]
    fn digests_since_before_what_is_read_are_not_compared() {
        let digests = [(kept(1), 17 * DAY), (kept(2), 18 * DAY)];
        let mut comparison = Comparison::new(digests.into_iter(), NEXT, Some(18 * DAY));
        assert_eq!(comparison.versions(), [2]);
        assert!(compared(&comparison).is_empty(), "they are not read yet");
        comparison.add_kept(2, CustomerDigests::default());
        comparison.add_kept(1, CustomerDigests::default());
        assert_eq!(compared(&comparison), [(2, 18 * DAY)]);
    }

    #[test]
    fn digests_that_are_gone_are_not_compared() {
        let digests = [(kept(1), 18 * DAY), (kept(2), 18 * DAY)];
        let mut comparison = Comparison::new(digests.into_iter(), NEXT, None);
        comparison.add_kept(2, CustomerDigests::default());
        let now = comparison.intervals();
        let compared = comparison.conclude(now);
        assert_eq!(compared.changed.keys().copied().collect::<Vec<_>>(), [(2, 18 * DAY)]);
        assert_eq!((compared.since, compared.next), (14 * DAY, NEXT));
    }
}
