//! Which rows of an incremental model a run rebuilds.

use std::collections::BTreeMap;

use throughline_config::Timestamp;
use throughline_lake::{PartLayout, TableParts};
use throughline_plan::ReplacedRows;

use super::calendar::in_days;
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
    /// Rows that came too late to be taken in.
    pub late: Vec<LateRows>,
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

/// Rows of a source that came later than the lookback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LateRows {
    /// The source.
    pub source: String,
    /// How many rows.
    pub rows: u64,
    /// The instant of the earliest of them.
    pub since: Timestamp,
}

/// What came into the sources of a model since its table was published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Changes {
    /// The earliest instant of a new row within the lookback, at most the end of the finished history.
    pub(super) since: Timestamp,
    /// Rows that came later than the lookback.
    pub(super) late: Vec<LateRows>,
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
    /// a person asked for, and what the run rebuilds of the models it reads, less its reach.
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
        let matched_since = reach.matched_since(&self.replaced, changed_since);
        let newly_late = changes.late.iter().map(|late| late.since);
        let late_since = newly_late.chain(before.late_since).min();
        self.since = Some(reach.rebuilt_since(changed_since));
        self.changed_since = Some(changed_since);
        self.digests = before.digests.and_then(|kept| Some((kept, kept.compared_since(matched_since)?)));
        self.ledger.from = before.from;
        // What lies after the beginning of the rebuild is taken in by it.
        self.ledger.late_since = late_since.filter(|since| *since < changed_since);
        self.why = why(before.until, changes.since, asked.is_some(), reach);
        self.late = changes.late;
        self
    }

    /// The model's ledger, with the digests that this run has kept.
    pub(super) fn ledger_with(&self, digests: Option<KeptDigests>) -> Result<String, EngineError> {
        Ledger { digests, ..self.ledger.clone() }.text()
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
    use super::*;

    const UNTIL: Timestamp = 20_000 * DAY;
    const NO_REACH: Reach = Reach { lookback: 7 * DAY, own: 0, upstream: 0, interval: Calendar::Instant };

    fn ledger(until: Timestamp) -> Ledger {
        Ledger {
            from: None,
            until,
            made_from: BTreeMap::new(),
            files: BTreeMap::new(),
            late_since: None,
            digests: Some(KeptDigests { version: 4, since: UNTIL - 10 * DAY, next: UNTIL - DAY }),
        }
    }

    fn undecided(replaced: ReplacedRows) -> Rebuild {
        Rebuild {
            since: None,
            why: String::new(),
            late: Vec::new(),
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

    fn nothing_new() -> Changes {
        Changes { since: UNTIL, late: Vec::new() }
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
        let rebuild = decided(Changes { since: late, late: Vec::new() }, None, None, &NO_REACH);
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

    #[test]
    fn rows_beyond_the_lookback_stay_in_the_ledger_until_they_are_taken_in() {
        let late = LateRows { source: "calls".to_owned(), rows: 3, since: UNTIL - 20 * DAY };
        let changes = || Changes { since: UNTIL, late: vec![late.clone()] };
        let rebuild = decided(changes(), None, None, &NO_REACH);
        assert_eq!((rebuild.ledger.late_since, rebuild.late.as_slice()), (Some(late.since), [late.clone()].as_slice()));
        let rebuild = decided(changes(), None, Some(late.since), &NO_REACH);
        assert_eq!(rebuild.ledger.late_since, None);
        let known = Ledger { late_since: Some(UNTIL - 40 * DAY), ..ledger(UNTIL) };
        let undecided = undecided(ReplacedRows::Members);
        let rebuild = undecided.of_what_changed(&known, changes(), None, None, &NO_REACH);
        assert_eq!(rebuild.ledger.late_since, Some(UNTIL - 40 * DAY), "the earlier of the two");
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
