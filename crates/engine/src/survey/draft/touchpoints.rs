//! The staging of touchpoints: one SELECT for each table of events.

use std::fmt::Write as _;

use super::super::column::{ColumnProfile, Holds};
use super::super::guess::{CustomerOf, EventsGuess, Guess, is_called_id, may_be_case, may_be_id};
use super::super::look::TableProfile;
use super::super::words::snake_case;
use super::notes::{Questions, comment, day, shown, thousands};
use super::sources::about;
use super::sql::{SelectList, as_number, as_text, as_time, literal, name, quoted};

/// The columns that touchpoints have a meaning for; nothing else may be called so.
const OWN: &[&str] = &[
    "touchpoint_id",
    "customer_id",
    "occurred_at",
    "known_at",
    "channel",
    "event",
    "topic",
    "function",
    "satisfaction",
    "resolved",
    "duration_s",
    "cost",
    "source",
];

/// What is known while one table's SELECT is written.
struct Staging<'a> {
    tables: &'a [TableProfile],
    table: &'a TableProfile,
    events: &'a EventsGuess,
    /// How the SELECT calls the table, where it joins another.
    relation: Option<&'static str>,
    file: &'a str,
}

/// The SELECT of one table of events. Of several tables' touchpoints each id begins with the table's name.
pub(crate) fn touchpoints(
    tables: &[TableProfile],
    guess: &Guess,
    events: &EventsGuess,
    file: &str,
    questions: &mut Questions,
) -> String {
    let table = &tables[events.table];
    let relation = matches!(events.customer, CustomerOf::By { .. }).then_some("happened");
    let staging = Staging { tables, table, events, relation, file };
    let mut text = comment(0, "-- ", &format!("One row: a touchpoint. From: {}.", staging.sources()));
    text.push_str(&comment(
        0,
        "-- ",
        "`found` is what the data say, `guess` what only looks so; README.md has the questions.",
    ));
    let mut list = SelectList::default();
    staging.identity(guess, &mut list, questions);
    staging.time(&mut list, questions);
    staging.what(&mut list, questions);
    staging.measures(&mut list, questions);
    staging.others(&mut list);
    text.push_str(&list.finish());
    text.push_str(&staging.from());
    text
}

impl Staging<'_> {
    fn column(&self, place: usize) -> &ColumnProfile {
        &self.table.columns[place]
    }

    fn text(&self, place: usize) -> String {
        as_text(self.relation, self.column(place))
    }

    /// The column as text, with a word where it is missing.
    fn text_or_unknown(&self, place: usize) -> String {
        match self.column(place).missing {
            0 => self.text(place),
            _ => format!("coalesce({}, 'unknown')", self.text(place)),
        }
    }

    fn sources(&self) -> String {
        match self.events.customer {
            CustomerOf::By { table, .. } => format!("{}, {}", self.table.name, self.tables[table].name),
            CustomerOf::Own(_) => self.table.name.clone(),
        }
    }

    fn from(&self) -> String {
        let table = quoted(&self.table.name);
        let CustomerOf::By { own, table: other, key, .. } = self.events.customer else {
            return format!("FROM {table}\n");
        };
        let other = &self.tables[other];
        let (one, another) = (self.column(own), &other.columns[key]);
        let (left, right) = match one.read_as == another.read_as {
            true => (name(self.relation, &one.name), name(Some("owner"), &another.name)),
            false => (as_text(self.relation, one), as_text(Some("owner"), another)),
        };
        let other = quoted(&other.name);
        format!("FROM {table} AS happened\nJOIN {other} AS owner ON {right} = {left}\n")
    }

    fn identity(&self, guess: &Guess, list: &mut SelectList, questions: &mut Questions) {
        let several = guess.events.len() > 1;
        let rows = thousands(self.table.rows);
        match self.events.key {
            Some(key) => {
                let called = &self.column(key).name;
                let prefix = format!("{} || ", literal(&format!("{}/", self.table.name)));
                let id = format!("{}{}", if several { &prefix } else { "" }, self.text(key));
                list.add(&id, "touchpoint_id", &format!("found: of {rows} rows none has the {called} of another"));
            }
            None => self.made_up_id(list, questions),
        }
        let (id, note) = match &self.events.customer {
            CustomerOf::Own(own) => {
                let (column, others) = (self.column(*own), guess.events.len() - 1);
                let shared = match guess.register.is_some() || others > 0 {
                    true => "the tables share it",
                    false => "it repeats from row to row",
                };
                let count = thousands(column.distinct);
                (self.text(*own), format!("guess: `{}` is the customer; {shared}, {count} different ones", column.name))
            }
            CustomerOf::By { own, table, customer, .. } => {
                let owner = &self.tables[*table];
                let column = &owner.columns[*customer];
                let by = &self.column(*own).name;
                let note = format!("guess: `{}` of {}, whose key `{by}` names", column.name, owner.name);
                (as_text(Some("owner"), column), note)
            }
        };
        let stand_in = guess.customer.as_ref().filter(|customer| customer.is_stand_in);
        let note = match stand_in {
            Some(customer) => {
                let asked = questions.ask(
                    self.file,
                    format!(
                        "Nothing names a customer: `{}` stands for one, so each is somebody of its own who comes once. \
                         Is there a column, or another table, that says whose each is?",
                        customer.column
                    ),
                );
                format!("{note} ({asked})")
            }
            None => note,
        };
        list.add(&id, "customer_id", &note);
    }

    /// An id for rows that have none: whose, when, what, and a number among those that are alike in all three.
    fn made_up_id(&self, list: &mut SelectList, questions: &mut Questions) {
        let events = self.events;
        let customer = match events.customer {
            CustomerOf::Own(own) | CustomerOf::By { own, .. } => own,
        };
        let event = events.event.filter(|event| *event != customer);
        let alike: Vec<String> = [Some(customer), Some(events.time), event]
            .into_iter()
            .flatten()
            .map(|place| name(self.relation, &self.column(place).name))
            .collect();
        let readable = |column: &&ColumnProfile| !matches!(column.holds, Holds::Other(_));
        // Rows that are equal in so many columns are equal in all that is taken from them.
        const MOST_ORDERED: usize = 200;
        let others: Vec<String> = self
            .table
            .columns
            .iter()
            .filter(readable)
            .map(|column| name(self.relation, &column.name))
            .filter(|name| !alike.contains(name))
            .take(MOST_ORDERED)
            .collect();
        let order = if others.is_empty() { &alike[..1] } else { &others[..] };
        let texts: Vec<String> = alike.iter().map(|name| format!("CAST({name} AS VARCHAR)")).collect();
        let one_a_line = order.join(", ").len() > 80;
        let id = format!(
            "concat_ws(\n        '/', {},\n        {},\n        CAST(row_number() OVER (\n            \
             PARTITION BY {}\n            \
             ORDER BY {}\n        ) AS VARCHAR)\n    )",
            literal(&self.table.name),
            texts.join(",\n        "),
            alike.join(", "),
            order.join(if one_a_line { ",\n                " } else { ", " })
        );
        let asked = questions.ask(
            self.file,
            format!(
                "No column of {} identifies its rows. Where two rows are equal in every column, are they one \
                 touchpoint noted twice or two touchpoints? They are taken as two.",
                self.table.name
            ),
        );
        let note = format!("guess: no column identifies a row, so this makes an id ({asked}){}", self.almost_a_key());
        list.add(&id, "touchpoint_id", &note);
    }

    /// A column that is called an identifier and has some values more than once.
    fn almost_a_key(&self) -> String {
        let almost = self.table.columns.iter().find(|column| {
            is_called_id(column)
                && may_be_id(column)
                && column.distinct < column.values
                && column.distinct * 10 > column.values * 9
        });
        almost.map_or_else(String::new, |column| {
            let twice = thousands(column.values - column.distinct);
            format!("; `{}` does not, for {twice} of its values were there before", column.name)
        })
    }

    fn time(&self, list: &mut SelectList, questions: &mut Questions) {
        let column = self.column(self.events.time);
        let mut note = match self.events.time_is_unsure {
            false => format!("found: `{}`, {}", column.name, about(column)),
            true => {
                let others: Vec<String> =
                    self.events.other_times.iter().map(|place| format!("`{}`", self.column(*place).name)).collect();
                let asked = questions.ask(
                    self.file,
                    format!(
                        "When did a row of {} happen? `{}` is taken; {} may be it as well.",
                        self.table.name,
                        column.name,
                        others.join(", ")
                    ),
                );
                format!("guess: `{}`, {} ({asked})", column.name, about(column))
            }
        };
        if let Some(reading) = column.time() {
            if let Some(also) = &reading.also {
                let pattern = column.pattern.clone().unwrap_or_default();
                let asked = questions.ask(
                    &format!("pipelines/sources/{}.yaml", self.table.name),
                    format!(
                        "Does the day or the month come first in `{}` of {}? Every value fits `{pattern}`, which is \
                         taken, and `{also}`.",
                        column.name, self.table.name
                    ),
                );
                let _ = write!(note, " ({asked})");
            }
            if reading.has_time_of_day && !reading.has_zone {
                let asked = questions.ask(
                    &format!("pipelines/sources/{}.yaml", self.table.name),
                    format!(
                        "In which zone are the times of {}? They name none and are read as UTC; a local time needs its \
                         conversion in the staging SQL.",
                        self.table.name
                    ),
                );
                let _ = write!(note, " ({asked})");
            }
        }
        list.add(&as_time(self.relation, column), "occurred_at", &note);
    }

    fn what(&self, list: &mut SelectList, questions: &mut Questions) {
        let events = self.events;
        match events.channel {
            Some(place) => {
                let note = format!("guess: by its name; {}", about(self.column(place)));
                list.add(&self.text_or_unknown(place), "channel", &note);
            }
            None => {
                let asked = questions.ask(
                    self.file,
                    format!(
                        "On which channel do the rows of {} come in (phone, web, store, …)? No column says so; write \
                         the \
                         word in place of 'unknown'.",
                        self.table.name
                    ),
                );
                list.add("'unknown'", "channel", &format!("unclear: no column says the channel ({asked})"));
            }
        }
        match events.event {
            Some(place) => {
                let column = self.column(place);
                let count = thousands(column.distinct);
                let note = match events.event_is_called_so {
                    true => format!("found: {count} different ones"),
                    false => {
                        let asked = questions.ask(
                            self.file,
                            format!("Is `{}` what happened in a row of {}?", column.name, self.table.name),
                        );
                        format!("guess: no column is called an event; this has {count} different values ({asked})")
                    }
                };
                list.add(&self.text_or_unknown(place), "event", &note);
            }
            None => {
                let kind = self.table.name.strip_suffix('s').unwrap_or(&self.table.name);
                let asked = questions.ask(
                    self.file,
                    format!(
                        "What happened in a row of {}? No column says it, so each is the one event '{kind}'.",
                        self.table.name
                    ),
                );
                list.add(&literal(kind), "event", &format!("guess: one event, as the table is called ({asked})"));
            }
        }
        for (place, called) in [(events.topic, "topic"), (events.function, "function")] {
            if let Some(place) = place {
                let note = format!("guess: by its name; {}", about(self.column(place)));
                list.add(&self.text(place), called, &note);
            }
        }
    }

    fn measures(&self, list: &mut SelectList, questions: &mut Questions) {
        let events = self.events;
        if let Some((place, scale)) = &events.score {
            let column = self.column(*place);
            let number = as_number(self.relation, column);
            match scale {
                Some(scale) => {
                    let (least, most) = (scale.least, scale.most);
                    let note = match scale.is_seen {
                        true => format!("found: `{}` from {least} to {most}, scaled to 0..1", column.name),
                        false => {
                            let asked = questions.ask(
                                self.file,
                                format!(
                                    "On which scale is `{}` of {} given? Found are {}; {least} to {most} is taken.",
                                    column.name,
                                    self.table.name,
                                    about(column)
                                ),
                            );
                            format!("guess: `{}` on a scale from {least} to {most} ({asked})", column.name)
                        }
                    };
                    let above = if least == 0.0 { number } else { format!("({number} - {least})") };
                    let width = most - least;
                    let scaled = if width == 1.0 { above } else { format!("{above} / {width}") };
                    list.add(&scaled, "satisfaction", &note);
                }
                None => {
                    let asked = questions.ask(
                        self.file,
                        format!(
                            "On which scale is `{}` of {}? It is called a score, and its values ({}) are on no usual \
                             scale; it is left out.",
                            column.name,
                            self.table.name,
                            about(column)
                        ),
                    );
                    list.add("CAST(NULL AS DOUBLE)", "satisfaction", &format!("unclear: {asked}"));
                }
            }
        }
        if let Some(place) = events.resolved.filter(|place| self.column(*place).marker.is_none()) {
            list.add(&name(self.relation, &self.column(place).name), "resolved", "found");
        }
        if let Some((place, seconds)) = events.duration {
            let number = as_number(self.relation, self.column(place));
            let number = if seconds == 1.0 { number } else { format!("{number} * {seconds}") };
            list.add(&number, "duration_s", &format!("found: `{}`, its unit by its name", self.column(place).name));
        }
        if let Some(place) = events.cost {
            let asked = questions.ask(
                self.file,
                format!(
                    "Is `{}` what a row of {} cost the company? It is added up over each journey.",
                    self.column(place).name,
                    self.table.name
                ),
            );
            let note = format!("guess: `{}` is what it cost the company ({asked})", self.column(place).name);
            list.add(&as_number(self.relation, self.column(place)), "cost", &note);
        }
        list.add(&literal(&self.table.name), "source", "");
    }

    /// Columns that may tell cases apart, and columns with few values, go along as they are.
    fn others(&self, list: &mut SelectList) {
        const MOST_CASES: usize = 3;
        const MOST: usize = 12;
        let events = self.events;
        let customer = match events.customer {
            CustomerOf::Own(own) | CustomerOf::By { own, .. } => own,
        };
        let used = [events.channel, events.event, events.topic, events.function, events.key, Some(customer)];
        let mut taken: Vec<String> = OWN.iter().map(|name| (*name).to_owned()).collect();
        let few = |(place, column): &(usize, &ColumnProfile)| {
            column.is_category() && column.distinct > 1 && column.distinct <= 100 && !used.contains(&Some(*place))
        };
        let case = |(place, column): &(usize, &ColumnProfile)| may_be_case(column) && !used.contains(&Some(*place));
        let columns = || self.table.columns.iter().enumerate();
        let cases = columns().filter(case).take(MOST_CASES).map(|(_, column)| {
            let called = snake_case(&column.name);
            let several = thousands(column.distinct);
            let note = format!(
                "found: {several} different ones, of some rows each; where it is a case or a visit, `discover --key \
                 {called}` and a journey's `key: [customer_id, {called}]` keep it together"
            );
            (column, called, note)
        });
        let mut note = "found: few values each, for conditions of journeys";
        let few = columns().filter(few).take(MOST).map(|(_, column)| {
            let note = std::mem::take(&mut note).to_owned();
            (column, snake_case(&column.name), note)
        });
        for (column, called, note) in cases.chain(few) {
            if !taken.contains(&called) {
                list.add(&as_text(self.relation, column), &called, &note);
                taken.push(called);
            }
        }
    }
}

/// What a table of events is taken for, in a line.
pub(crate) fn summary(tables: &[TableProfile], events: &EventsGuess) -> String {
    let table = &tables[events.table];
    let column = |place: usize| format!("`{}`", shown(&table.columns[place].name));
    let customer = match &events.customer {
        CustomerOf::Own(own) => column(*own),
        CustomerOf::By { own, table, customer, .. } => {
            format!("`{}` of {} by {}", tables[*table].columns[*customer].name, tables[*table].name, column(*own))
        }
    };
    let event =
        events.event.map_or_else(|| "one kind of event".to_owned(), |event| format!("events in {}", column(event)));
    let reading = table.columns[events.time].time();
    let since = reading.map_or_else(String::new, |time| format!(", {} to {}", day(time.earliest), day(time.latest)));
    format!("touchpoints: {event}, time in {}{since}, customer {customer}", column(events.time))
}
