//! The output of states: stretches of days on which a customer is in one state of exposure to a journey (SEMANTICS 5).
//!
//! A day t is the time from its midnight to the next. The latest member known before t decides: how long ago that was,
//! and how its instance goes with status as of t. Of the members of one day only the last decides on later days, so each
//! stretch begins on a day after one with a member, where a band begins, or where an instance has expired. Days are
//! never counted one by one. Of stretches that follow each other without a gap, the first says where the last one ends:
//! it is all that who only asks for exposure needs to read.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray, TimestampMicrosecondArray, UInt32Array};
use arrow::compute::{cast, take};
use datafusion::common::Result;

use crate::classes::Classes;
use crate::customers::Customers;
use crate::grouped::{Grouped, OutputForm};
use crate::measures::{FewKeys, REPEATED_WITHIN};
use crate::parameters::{CUSTOMER_ID, Definition};
use crate::rules::Status;
use crate::texts::NULL;

/// A day in microseconds.
const DAY: i64 = 86_400_000_000;

/// Where a band of days since the latest member ends, in days; the last one ends in the horizon.
const EDGES: [i64; 2] = [7, 30];

/// How the instance of the latest member goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Run {
    /// Completed without a repeat contact or anything unresolved.
    Good,
    /// Anything else that has closed, or is open with a repeat contact or something unresolved.
    Other,
    /// Open, and nothing has gone wrong so far.
    UnderWay,
}

impl Run {
    /// By their numbers.
    const NAMES: [&'static str; 3] = ["good", "other", "under_way"];
}

/// A stretch of days of one state, `[from, until)` in days since 1970.
#[derive(Debug, Clone, Copy)]
struct State {
    customer: u32,
    definition: u32,
    from: i64,
    until: i64,
    band: u32,
    run: Run,
    /// Where the customer was unexposed on the day before: the first day on which they are again.
    exposed_until: Option<i64>,
}

/// A touchpoint as member of an instance, an index into [`Grouped::instances`].
#[derive(Debug, Clone, Copy)]
struct KnownMember {
    /// Its place among all touchpoints of its customer.
    place: u32,
    time: i64,
    instance: u32,
    is_last: bool,
}

/// Bands of days since the latest member.
#[derive(Debug)]
struct Bands {
    /// For each band the time after a member at which it begins and ends: microseconds.
    limits: Vec<(i64, i64)>,
    names: ArrayRef,
}

impl Bands {
    fn new(horizon: i64) -> Self {
        let mut limits = Vec::new();
        let mut begin = 0;
        for end in EDGES.map(|days| days * DAY).into_iter().chain([i64::MAX]) {
            if begin < horizon {
                limits.push((begin, end.min(horizon)));
            }
            begin = end;
        }
        // Whole days as such, so that the usual horizon ends in `90`.
        let days = |time: i64| match time % DAY {
            0 => (time / DAY).to_string(),
            _ => (time as f64 / DAY as f64).to_string(),
        };
        let names = limits.iter().map(|&(begin, end)| format!("{}-{}", days(begin), days(end)));
        Self { names: Arc::new(StringArray::from_iter_values(names)), limits }
    }
}

/// What the output of states needs, and the states of the customers at hand.
#[derive(Debug)]
pub(crate) struct StateOutput {
    bands: Bands,
    /// Limits of each definition, `within` and `idle`; without one, no time is too long.
    limits: Vec<(i64, i64)>,
    runs: ArrayRef,
    topics: FewKeys,
    /// For each touchpoint its place in the order of its customer.
    places: Vec<u32>,
    members: Vec<KnownMember>,
    /// For each instance the place of the first member with which something had gone wrong.
    troubles: Vec<u32>,
    states: Vec<State>,
}

impl StateOutput {
    pub(crate) fn new(definitions: &[Definition], horizon: i64) -> Self {
        let limit = |limit: Option<i64>| limit.unwrap_or(i64::MAX);
        Self {
            bands: Bands::new(horizon),
            limits: definitions.iter().map(|one| (limit(one.within), limit(one.idle))).collect(),
            runs: Arc::new(StringArray::from(Run::NAMES.to_vec())),
            topics: FewKeys::default(),
            places: Vec::new(),
            members: Vec::new(),
            troubles: Vec::new(),
            states: Vec::new(),
        }
    }

    /// States that were found.
    pub(crate) fn len(&self) -> usize {
        self.states.len()
    }

    /// Bytes held, about.
    pub(crate) fn size(&self) -> usize {
        let numbers = self.places.capacity() + self.troubles.capacity();
        numbers * size_of::<u32>()
            + self.members.capacity() * size_of::<KnownMember>()
            + self.states.capacity() * size_of::<State>()
    }

    /// Finds the states of customers, by customer and journey in the order of days.
    pub(crate) fn find(&mut self, grouped: &Grouped, customers: &Customers, classes: &Classes) {
        self.states.clear();
        self.places.clear();
        self.places.resize(customers.times.len(), 0);
        for (place, &row) in (0..).zip(&customers.order) {
            self.places[row as usize] = place;
        }
        self.troubles.clear();
        for instance in 0..grouped.instances.len() {
            let trouble = self.trouble(grouped.rows_of(instance), customers, classes);
            self.troubles.push(trouble);
        }
        let mut from = 0;
        let same = |left: &crate::rules::Instance, right: &crate::rules::Instance| {
            (left.customer, left.definition) == (right.customer, right.definition)
        };
        for instances in grouped.instances.chunk_by(same) {
            let to = from + instances.len();
            self.members.clear();
            for instance in from..to {
                let rows = grouped.rows_of(instance);
                let last = rows.len() - 1;
                self.members.extend(rows.iter().enumerate().map(|(step, &row)| KnownMember {
                    place: self.places[row as usize],
                    time: customers.times[row as usize],
                    instance: instance as u32,
                    is_last: step == last,
                }));
            }
            // Where the customer alone is the key, one instance ends before the next begins and the members already
            // stand in order. With further key columns, instances overlap in time, and their members have to be
            // interleaved.
            self.members.sort_unstable_by_key(|member| member.place);
            self.journey(grouped);
            from = to;
        }
    }

    /// The place of the first member that is unresolved, or repeats a contact on its topic (SEMANTICS 3).
    fn trouble(&mut self, rows: &[u32], customers: &Customers, classes: &Classes) -> u32 {
        self.topics.clear();
        for &row in rows {
            let traits = classes.traits(customers.classes[row as usize]);
            let time = customers.times[row as usize];
            let mut has_gone_wrong = traits.is_unresolved;
            if traits.is_contact && traits.topic != NULL {
                let before = self.topics.insert(traits.topic, time);
                has_gone_wrong |= before.is_some_and(|before| time.saturating_sub(before) <= REPEATED_WITHIN);
            }
            if has_gone_wrong {
                return self.places[row as usize];
            }
        }
        u32::MAX
    }

    /// The states that the members at hand make, all of one customer and journey.
    fn journey(&mut self, grouped: &Grouped) {
        let first = self.states.len();
        for index in 0..self.members.len() {
            let member = self.members[index];
            let day = member.time.div_euclid(DAY);
            let next = self.members.get(index + 1).map(|next| next.time.div_euclid(DAY));
            if next != Some(day) {
                self.after_day(member, next, first, grouped);
            }
        }
        self.tell_exposures(first);
    }

    /// The states after the last member of a day, until those of the day of the `next` one.
    fn after_day(&mut self, member: KnownMember, next: Option<i64>, first: usize, grouped: &Grouped) {
        let instance = &grouped.instances[member.instance as usize];
        let is_troubled = self.troubles[member.instance as usize] <= member.place;
        let (within, idle) = self.limits[instance.definition as usize];
        let (run, expired) = match instance.status {
            Status::Completed if member.is_last && !is_troubled => (Run::Good, i64::MAX),
            Status::Completed | Status::Abandoned if member.is_last => (Run::Other, i64::MAX),
            _ if is_troubled => (Run::Other, i64::MAX),
            _ => {
                // Both limits are strict: on the day that begins exactly with the last instant it is still open.
                let open_until = instance.started_at.saturating_add(within).min(member.time.saturating_add(idle));
                (Run::UnderWay, day_after(open_until))
            }
        };
        let end = next.map_or(i64::MAX, |next| next + 1);
        for band in 0..self.bands.limits.len() {
            let (begins, ends) = self.bands.limits[band];
            let from = day_after(member.time.saturating_add(begins));
            let until = day_after(member.time.saturating_add(ends)).min(end);
            let state = |from, until, run| State {
                customer: instance.customer,
                definition: instance.definition,
                from,
                until,
                band: band as u32,
                run,
                exposed_until: None,
            };
            self.add(state(from, until.min(expired), run), first);
            self.add(state(from.max(expired), until, Run::Other), first);
        }
    }

    /// Adds a stretch to those of its customer and journey, which begin at `first`, or to the last of them when nothing
    /// changes.
    fn add(&mut self, state: State, first: usize) {
        if state.from >= state.until {
            return;
        }
        if self.states.len() > first
            && let Some(last) = self.states.last_mut()
            && (last.until, last.band, last.run) == (state.from, state.band, state.run)
        {
            last.until = state.until;
            return;
        }
        self.states.push(state);
    }

    /// Of stretches that follow each other without a gap, those of one customer and journey from `first` on, tells the
    /// first where the last one ends.
    fn tell_exposures(&mut self, first: usize) {
        let states = &mut self.states[first..];
        let mut beginning = 0;
        for index in 0..states.len() {
            let until = states[index].until;
            if states.get(index + 1).is_none_or(|next| next.from > until) {
                states[beginning].exposed_until = Some(until);
                beginning = index + 1;
            }
        }
    }

    /// The states `[from, to)` as rows.
    pub(crate) fn rows(&self, from: usize, to: usize, customers: &Customers, form: &OutputForm) -> Result<RecordBatch> {
        let states = &self.states[from..to];
        let codes = |code: fn(&State) -> u32| UInt32Array::from_iter_values(states.iter().map(code));
        let days = |day: fn(&State) -> i64| -> ArrayRef {
            let times = states.iter().map(|state| day(state).saturating_mul(DAY));
            Arc::new(TimestampMicrosecondArray::from_iter_values(times).with_timezone("UTC"))
        };
        let exposures = states.iter().map(|state| Some(state.exposed_until?.saturating_mul(DAY)));
        let ids = take(&customers.ids, &codes(|state| state.customer), None)?;
        let columns = vec![
            cast(&ids, form.schema.field_with_name(CUSTOMER_ID)?.data_type())?,
            take(&form.names, &codes(|state| state.definition), None)?,
            days(|state| state.from),
            days(|state| state.until),
            take(&self.bands.names, &codes(|state| state.band), None)?,
            take(&self.runs, &codes(|state| state.run as u32), None)?,
            Arc::new(TimestampMicrosecondArray::from_iter(exposures).with_timezone("UTC")),
        ];
        Ok(RecordBatch::try_new(Arc::clone(&form.schema), columns)?)
    }
}

/// The first day that begins after an instant.
fn day_after(instant: i64) -> i64 {
    instant.div_euclid(DAY) + 1
}
