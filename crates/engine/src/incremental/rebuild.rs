//! Which rows of an incremental model a run rebuilds.

use std::collections::BTreeMap;

use throughline_config::Timestamp;
use throughline_lake::{PartLayout, TableParts};
use throughline_plan::ReplacedRows;

use super::calendar::in_days;
use super::late_rows::{LateDays, LateRows};
use super::ledger::{KeptDigests, Ledger};
use super::reach::Reach;
use crate::failure::EngineError;
use crate::instants::rfc3339;

/// What a person asks to be rebuilt, whatever the ledgers say.
#[derive(Debug, Clone, Copy, Default)]
pub struct IntervalOptions {
    /// The whole history of every incremental model.
    pub full_refresh: bool,
    /// Every row of incremental models since this instant.
    pub start: Option<Timestamp>,
}

/// Which rows a run rebuilds of each of its incremental models.
#[derive(Debug, Clone, Default)]
pub struct Rebuilds(BTreeMap<String, Rebuild>);

/// Which rows a run rebuilds of one model.
#[derive(Debug, Clone)]
pub struct Rebuild {
    /// Rows since this instant; `None`: the whole history.
    pub since: Option<Timestamp>,
    /// Why, in words.
    pub why: String,
    /// Rows that came too late to be taken in, in this run or an earlier one.
    pub late: Vec<LateRows>,
    /// Rows before the lookback in files that came in the place of others. They count as unchanged.
    pub replaced_files: Vec<LateRows>,
    /// The instant since which the model's inputs have changed; a model of instances matches its touchpoints since
    /// then.
    pub(super) changed_since: Option<Timestamp>,
    /// For a model of members or instances, the view of touchpoints that are matched.
    pub(super) touchpoints: Option<String>,
    /// The instant since which the next run will match when nothing comes late.
    pub(super) next_matched_since: Timestamp,
    /// The digests of customers' touchpoints that the table was made with, and the instant since which this run
    /// compares its own with them; `None` where touchpoints are matched that are not in them.
    pub(super) digests: Option<(KeptDigests, Timestamp)>,
    /// Which rows go into which files.
    pub(super) layout: PartLayout,
    /// The published version, where some of its rows are kept.
    pub(super) base: Option<TableParts>,
    pub(super) ledger: Ledger,
    pub(super) replaced: ReplacedRows,
}

/// What came into the sources of a model since its table was published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Changes {
    /// The earliest instant of a new row within the lookback, at most the end of the finished history.
    pub(super) since: Timestamp,
    /// Rows that came later than the lookback.
    pub(super) late: LateDays,
    /// Rows before the lookback in files that came in the place of others.
    pub(super) replaced: LateDays,
}

impl Rebuilds {
    pub(super) fn add(&mut self, model: String, rebuild: Rebuild) {
        self.0.insert(model, rebuild);
    }

    /// What is rebuilt of a model; `None` for one that is not incremental.
    pub fn get(&self, model: &str) -> Option<&Rebuild> {
        self.0.get(model)
    }

    /// The models that are matched from a view of touchpoints.
    fn matching<'a>(&'a self, view: &'a str) -> impl Iterator<Item = &'a Rebuild> {
        self.0.values().filter(move |rebuild| rebuild.touchpoints.as_deref() == Some(view))
    }

    /// The earliest instant since which the next run will match touchpoints of a view; `None` when no model is matched
    /// from it.
    pub(super) fn next_matched_since(&self, view: &str) -> Option<Timestamp> {
        self.matching(view).map(|rebuild| rebuild.next_matched_since).min()
    }

    /// For each model that is matched from a view, the digests that its table was made with, and since when they are
    /// compared.
    pub(super) fn compared_digests<'a>(&'a self, view: &'a str) -> impl Iterator<Item = (KeptDigests, Timestamp)> + 'a {
        self.matching(view).filter_map(|rebuild| rebuild.digests)
    }
}

impl Rebuild {
    /// The whole history, for a reason.
    pub(super) fn whole_history(mut self, why: String) -> Self {
        self.why = why;
        self
    }

    /// The history of a table that is not published yet, since the instant that a person asked for.
    pub(super) fn beginning(mut self, start: Timestamp) -> Self {
        self.ledger.from = Some(start);
        self.since = Some(start);
        self.changed_since = Some(start);
        self.why = format!("not published yet, from {} as asked", rfc3339(start));
        self
    }

    /// The rows that may differ from those that `before` speaks of: since the earliest of what changed in sources, what
    /// a person asked for, and what the run rebuilds of the models it reads, less its reach. Where that reaches rows
    /// that came later than the lookback, they are taken in as well, with all that they change.
    pub(super) fn of_what_changed(
        mut self,
        before: &Ledger,
        changes: Changes,
        inputs_rebuilt_since: Option<Timestamp>,
        asked: Option<Timestamp>,
        reach: &Reach,
    ) -> Self {
        let changed_since = changes.since.saturating_sub(reach.upstream);
        let asked = asked.filter(|start| *start < changed_since);
        let changed_since = asked.unwrap_or(changed_since);
        let changed_since = inputs_rebuilt_since.map_or(changed_since, |inputs| inputs.min(changed_since));
        let mut late = before.late.clone();
        late.add_all(&changes.late);
        let reached_since = since_late_rows(&late, changed_since, reach);
        let is_late_row_reached = reached_since < changed_since;
        let changed_since = reached_since;
        let matched_since = reach.matched_since(&self.replaced, changed_since);
        self.since = Some(reach.rebuilt_since(changed_since));
        self.changed_since = Some(changed_since);
        self.digests = before.digests.and_then(|kept| Some((kept, kept.compared_since(matched_since)?)));
        self.ledger.from = before.from;
        let came_since = if is_late_row_reached { changed_since + reach.upstream } else { changes.since };
        self.why = why(before.until, came_since, asked.is_some(), reach);
        // What lies after the beginning of the rebuild is taken in by it.
        self.ledger.late = late.before(changed_since.saturating_add(reach.upstream));
        self.late = self.ledger.late.by_source();
        self.replaced_files = changes.replaced.before(changed_since.saturating_add(reach.upstream)).by_source();
        self
    }

    /// The model's ledger, with the digests that this run has kept.
    pub(super) fn ledger_with(&self, digests: Option<KeptDigests>) -> Result<String, EngineError> {
        Ledger { digests, ..self.ledger.clone() }.text()
    }
}

/// The instant since which a model's inputs count as changed, when what is rebuilt because of changes since
/// `changed_since` reaches rows that came later than the lookback. A row that is rebuilt in part would be wrong, so the
/// rebuild is extended until it begins after all rows that it leaves out.
fn since_late_rows(late: &LateDays, mut changed_since: Timestamp, reach: &Reach) -> Timestamp {
    loop {
        let since = reach.rebuilt_since(changed_since);
        match late.earliest_from(since.saturating_add(reach.upstream)).map(|row| row - reach.upstream) {
            Some(row) if row < changed_since => changed_since = row,
            _ => return changed_since,
        }
    }
}

fn why(finished_until: Timestamp, changed_since: Timestamp, is_asked: bool, reach: &Reach) -> String {
    let finished = rfc3339(finished_until);
    let mut why = match (is_asked, changed_since < finished_until) {
        (true, _) => format!("finished up to {finished}; asked for"),
        (false, true) => {
            format!("finished up to {finished}; rows came late, the earliest of {}", rfc3339(changed_since))
        }
        (false, false) => format!("finished up to {finished}"),
    };
    if reach.whole() > 0 && !is_asked {
        why += &format!(", reaching {} back", in_days(reach.whole()));
    }
    why
}

#[cfg(test)]
mod tests {
    use throughline_config::Calendar;

    use super::super::calendar::DAY;
    use super::super::late_rows::LateDay;
    use super::*;

    const UNTIL: Timestamp = 20_000 * DAY;
    const NO_REACH: Reach = Reach { lookback: 7 * DAY, own: 0, upstream: 0, interval: Calendar::Instant };

    fn ledger(until: Timestamp) -> Ledger {
        Ledger {
            from: None,
            until,
            made_from: BTreeMap::new(),
            files: BTreeMap::new(),
            late: LateDays::default(),
            digests: Some(KeptDigests { version: 4, since: UNTIL - 10 * DAY, next: UNTIL - DAY }),
        }
    }

    fn undecided(replaced: ReplacedRows) -> Rebuild {
        Rebuild {
            since: None,
            why: String::new(),
            late: Vec::new(),
            replaced_files: Vec::new(),
            changed_since: None,
            touchpoints: None,
            next_matched_since: 0,
            digests: None,
            layout: PartLayout { by_week_from: 0, unsettled_from: 0 },
            base: None,
            ledger: ledger(UNTIL + DAY),
            replaced,
        }
    }

    fn changes(since: Timestamp, late: LateDays) -> Changes {
        Changes { since, late, replaced: LateDays::default() }
    }

    fn nothing_new() -> Changes {
        changes(UNTIL, LateDays::default())
    }

    fn decided(changes: Changes, inputs: Option<Timestamp>, asked: Option<Timestamp>, reach: &Reach) -> Rebuild {
        undecided(ReplacedRows::Members).of_what_changed(&ledger(UNTIL), changes, inputs, asked, reach)
    }

    #[test]
    fn without_news_rows_are_rebuilt_since_the_finished_history_ends() {
        let rebuild = decided(nothing_new(), None, None, &NO_REACH);
        assert_eq!((rebuild.since, rebuild.changed_since), (Some(UNTIL), Some(UNTIL)));
        assert_eq!(rebuild.why, format!("finished up to {}", rfc3339(UNTIL)));
    }

    #[test]
    fn reach_and_calendar_move_the_beginning_back() {
        let reach = Reach { own: DAY / 2, upstream: DAY, interval: Calendar::Day, ..NO_REACH };
        let rebuild = decided(nothing_new(), None, None, &reach);
        assert_eq!(rebuild.changed_since, Some(UNTIL - DAY), "what it reads may change a day before");
        assert_eq!(rebuild.since, Some(UNTIL - 2 * DAY), "half a day before that, and to midnight");
        assert!(rebuild.why.ends_with(", reaching 36.0 hours back"), "{}", rebuild.why);
    }

    #[test]
    fn rows_that_came_late_are_taken_in() {
        let late = UNTIL - 3 * DAY;
        let rebuild = decided(changes(late, LateDays::default()), None, None, &NO_REACH);
        assert_eq!(rebuild.since, Some(late));
        let why = format!("finished up to {}; rows came late, the earliest of {}", rfc3339(UNTIL), rfc3339(late));
        assert_eq!(rebuild.why, why);
    }

    #[test]
    fn what_is_asked_for_counts_when_it_is_earlier() {
        let earlier = UNTIL - 30 * DAY;
        let rebuild = decided(nothing_new(), None, Some(earlier), &NO_REACH);
        assert_eq!(rebuild.since, Some(earlier));
        assert!(rebuild.why.ends_with("; asked for"), "{}", rebuild.why);
        let rebuild = decided(nothing_new(), None, Some(UNTIL + DAY), &NO_REACH);
        assert_eq!(rebuild.since, Some(UNTIL));
        assert!(!rebuild.why.contains("asked for"), "{}", rebuild.why);
    }

    #[test]
    fn a_model_is_rebuilt_at_least_as_far_back_as_what_it_reads() {
        let inputs = UNTIL - 5 * DAY;
        assert_eq!(decided(nothing_new(), Some(inputs), None, &NO_REACH).since, Some(inputs));
        assert_eq!(decided(nothing_new(), Some(UNTIL + DAY), None, &NO_REACH).since, Some(UNTIL));
    }

    /// Rows of `calls` that came late, in one day.
    fn late(since: Timestamp, rows: u64) -> LateDays {
        let mut late = LateDays::default();
        late.add("calls", [LateDay { since, rows }]);
        late
    }

    fn of_calls(since: Timestamp, rows: u64) -> Vec<LateRows> {
        vec![LateRows { source: "calls".to_owned(), rows, since }]
    }

    #[test]
    fn rows_beyond_the_lookback_stay_in_the_ledger_until_they_are_taken_in() {
        let row = UNTIL - 20 * DAY;
        let with_late_rows = || changes(UNTIL, late(row, 3));
        let rebuild = decided(with_late_rows(), None, None, &NO_REACH);
        assert_eq!((&rebuild.ledger.late, &rebuild.late), (&late(row, 3), &of_calls(row, 3)));
        let rebuild = decided(with_late_rows(), None, Some(row), &NO_REACH);
        assert_eq!((&rebuild.ledger.late, &rebuild.late), (&LateDays::default(), &Vec::new()));

        // They are told every night, with what came in others.
        let known = Ledger { late: late(UNTIL - 40 * DAY, 2), ..ledger(UNTIL) };
        let next =
            |changes, asked| undecided(ReplacedRows::Members).of_what_changed(&known, changes, None, asked, &NO_REACH);
        assert_eq!(next(nothing_new(), None).late, of_calls(UNTIL - 40 * DAY, 2));
        assert_eq!(next(with_late_rows(), None).late, of_calls(UNTIL - 40 * DAY, 5));
        assert_eq!(next(with_late_rows(), Some(row)).late, of_calls(UNTIL - 40 * DAY, 2));
        assert_eq!(next(with_late_rows(), Some(UNTIL - 40 * DAY)).late, Vec::new());
    }

    /// A source that is one file, written anew each night, is not late each night.
    #[test]
    fn rows_of_replaced_files_are_told_and_not_kept() {
        let reach = Reach { own: 10 * DAY, ..NO_REACH };
        let (near, far) = (UNTIL - 9 * DAY, UNTIL - 30 * DAY);
        let mut replaced = late(near, 1);
        replaced.add("calls", [LateDay { since: far, rows: 2 }]);
        let rebuild = decided(Changes { replaced, ..nothing_new() }, None, None, &reach);
        assert_eq!((rebuild.changed_since, rebuild.since), (Some(UNTIL), Some(UNTIL - 10 * DAY)));
        assert_eq!((rebuild.late, rebuild.ledger.late), (Vec::new(), LateDays::default()));
        assert_eq!(rebuild.replaced_files, of_calls(far, 3));
    }

    #[test]
    fn late_rows_that_are_reached_are_taken_in_with_all_that_they_change() {
        let reach = Reach { own: 10 * DAY, ..NO_REACH };
        let (near, far) = (UNTIL - 9 * DAY, UNTIL - 18 * DAY);
        let mut both = late(near, 1);
        both.add("calls", [LateDay { since: far, rows: 2 }, LateDay { since: UNTIL - 30 * DAY, rows: 4 }]);
        let rebuild = decided(changes(UNTIL, both), None, None, &reach);
        assert_eq!(rebuild.changed_since, Some(far), "the nearer one reaches the farther one");
        assert_eq!(rebuild.since, Some(far - 10 * DAY));
        assert_eq!(rebuild.late, of_calls(UNTIL - 30 * DAY, 4));
        assert!(rebuild.why.contains(&format!("rows came late, the earliest of {}", rfc3339(far))), "{}", rebuild.why);
        let through_inputs = Reach { own: 0, upstream: 10 * DAY, ..NO_REACH };
        let rebuild = decided(changes(UNTIL, late(near, 1)), None, None, &through_inputs);
        assert_eq!((rebuild.changed_since, rebuild.late), (Some(UNTIL - 10 * DAY), of_calls(near, 1)));
        let rebuild = decided(changes(UNTIL, late(near, 1)), Some(near - 10 * DAY), None, &through_inputs);
        assert_eq!(rebuild.late, Vec::new(), "what it reads has taken it in");
    }

    #[test]
    fn digests_are_compared_only_where_they_reach() {
        let compared = |asked| decided(nothing_new(), None, asked, &NO_REACH).digests.map(|(_, since)| since);
        assert_eq!(compared(None), Some(UNTIL - DAY), "since the instant planned for this run");
        assert_eq!(compared(Some(UNTIL - 3 * DAY)), Some(UNTIL - 3 * DAY), "since a day that is kept apart");
        assert_eq!(compared(Some(UNTIL - 11 * DAY)), None, "they do not reach back to it");
    }

    #[test]
    fn members_are_matched_as_far_back_as_they_are_rebuilt_and_instances_are_not() {
        let reach = Reach { own: 4 * DAY, ..NO_REACH };
        let compared = |replaced| {
            let rebuild = undecided(replaced).of_what_changed(&ledger(UNTIL), nothing_new(), None, None, &reach);
            (rebuild.since, rebuild.digests.map(|(_, since)| since))
        };
        assert_eq!(compared(ReplacedRows::Members), (Some(UNTIL - 4 * DAY), Some(UNTIL - 4 * DAY)));
        let instances = ReplacedRows::Instances { view: "instance".to_owned(), members: "member".to_owned() };
        assert_eq!(compared(instances), (Some(UNTIL - 4 * DAY), Some(UNTIL - DAY)));
    }

    #[test]
    fn a_new_table_may_begin_where_a_person_asks() {
        let rebuild = undecided(ReplacedRows::Members).beginning(UNTIL);
        assert_eq!((rebuild.since, rebuild.ledger.from), (Some(UNTIL), Some(UNTIL)));
        let whole = undecided(ReplacedRows::Members).whole_history("not published yet".to_owned());
        assert_eq!((whole.since, whole.why.as_str()), (None, "not published yet"));
    }
}
