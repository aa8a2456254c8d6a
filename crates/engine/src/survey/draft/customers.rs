//! The staging of customers: from a register, or from the touchpoints where there is none.

use super::super::column::ColumnProfile;
use super::super::guess::{CustomerOf, Guess, Leaving, RegisterGuess};
use super::super::look::TableProfile;
use super::super::words::snake_case;
use super::notes::{Questions, comment, thousands};
use super::sources::about;
use super::sql::{SelectList, as_text, as_time, name, quoted};

const FILE: &str = "sql/staging/customers.sql";

/// The columns that customers have a meaning for.
const OWN: &[&str] =
    &["customer_id", "joined_at", "churned_at", "valid_from", "notice_at", "lost_at", "segment", "region"];

const NOBODY_LEFT: &str = "CAST(NULL AS TIMESTAMP)";

/// The text of `sql/staging/customers.sql`.
pub(crate) fn customers(tables: &[TableProfile], guess: &Guess, questions: &mut Questions) -> String {
    match &guess.register {
        Some(register) => {
            ask_who_is_missing(tables, guess, register, questions);
            from_register(tables, register, questions)
        }
        None => from_touchpoints(questions),
    }
}

/// Whose touchpoints belong to nobody in the register is no customer, and nothing else would say so.
fn ask_who_is_missing(tables: &[TableProfile], guess: &Guess, register: &RegisterGuess, questions: &mut Questions) {
    /// A smaller share is a straggler or two.
    const MOST_STRANGERS: f64 = 0.02;
    let known = &tables[register.table].columns[register.customer];
    for events in &guess.events {
        let CustomerOf::Own(own) = events.customer else { continue };
        let (table, seen) = (&tables[events.table], &tables[events.table].columns[own]);
        let strangers = 1.0 - seen.share_in(known);
        if events.table == register.table || strangers <= MOST_STRANGERS {
            continue;
        }
        questions.ask(
            FILE,
            format!(
                "Who are the {:.0} % of the {} different `{}` in {} that are not in {}? They are no customers here, so \
                 they count in no figure of leaving.",
                100.0 * strangers,
                thousands(seen.distinct),
                seen.name,
                table.name,
                tables[register.table].name
            ),
        );
    }
}

/// Without a register: whoever has a touchpoint, since the first one.
fn from_touchpoints(questions: &mut Questions) -> String {
    let asked = questions.ask(
        FILE,
        "Who are the customers, since when, and when did they leave? No table has a row for each. Until one does, \
         everybody is a customer since the first touchpoint and nobody leaves, so no journey can be linked to leaving.",
    );
    let mut text =
        comment(0, "-- ", "One row: a customer. From: touchpoints, for no table is a register of customers.");
    let mut list = SelectList::default();
    list.add("customer_id", "customer_id", "found: everybody who has a touchpoint");
    list.add("min(occurred_at)", "joined_at", &format!("guess: a customer since the first touchpoint ({asked})"));
    list.add(NOBODY_LEFT, "churned_at", &format!("unclear: nothing says who left ({asked})"));
    text.push_str(&list.finish());
    text.push_str("FROM touchpoints\nWHERE occurred_at < $as_of AND customer_id IS NOT NULL\nGROUP BY customer_id\n");
    text
}

fn from_register(tables: &[TableProfile], register: &RegisterGuess, questions: &mut Questions) -> String {
    let table = &tables[register.table];
    let leaving = register.leaving.as_ref();
    let by_touchpoints = register.joined.is_none();
    let joins = leaving.is_some() || by_touchpoints;
    let relation = joins.then_some("register");
    let mut from = vec![table.name.clone()];
    let mut parts = Vec::new();
    if let Some(leaving) = leaving {
        from.push(tables[leaving.table].name.clone());
        parts.push(leaving_part(tables, leaving));
    }
    if by_touchpoints {
        from.push("touchpoints".to_owned());
        parts.push(
            "first_touchpoint AS (\n    SELECT customer_id, min(occurred_at) AS joined_at\n    FROM touchpoints\n    \
             WHERE occurred_at < $as_of\n    GROUP BY customer_id\n)"
                .to_owned(),
        );
    }
    let mut text = comment(0, "-- ", &format!("One row: a customer. From: {}.", from.join(", ")));
    text.push_str(&comment(
        0,
        "-- ",
        "`found` is what the data say, `guess` what only looks so; README.md has the questions.",
    ));
    if !parts.is_empty() {
        text.push_str(&format!("WITH {}\n", parts.join(",\n")));
    }
    let mut list = SelectList::default();
    let customer = &table.columns[register.customer];
    let rows = thousands(table.rows);
    let note = match register.valid_from {
        None => format!("found: of {rows} rows none has the {} of another", customer.name),
        Some(_) => format!("found: {} customers in {rows} rows", thousands(customer.distinct)),
    };
    list.add(&as_text(relation, customer), "customer_id", &note);
    joined(table, register, relation, &mut list, questions);
    if let Some(place) = register.valid_from {
        let column = &table.columns[place];
        let note = format!("guess: a row for each change of a customer's attributes, since `{}`", column.name);
        list.add(&as_time(relation, column), "valid_from", &note);
    }
    left(tables, register, relation, &mut list, questions);
    for (place, called) in [(register.notice, "notice_at"), (register.lost, "lost_at")] {
        if let Some(place) = place {
            let time = as_time(relation, &table.columns[place]);
            let known = format!("CASE WHEN {time} < $as_of THEN {time} END");
            list.add(&known, called, &format!("guess: by its name; {}", about(&table.columns[place])));
        }
    }
    attributes(table, register, relation, &mut list, questions);
    text.push_str(&list.finish());
    text.push_str(&from_clause(tables, register, relation));
    text
}

fn joined(
    table: &TableProfile,
    register: &RegisterGuess,
    relation: Option<&str>,
    list: &mut SelectList,
    questions: &mut Questions,
) {
    let Some(place) = register.joined else {
        let asked = questions.ask(
            FILE,
            format!(
                "Since when is somebody of {} a customer? No column says so; the first touchpoint is taken.",
                table.name
            ),
        );
        let note = format!("guess: a customer since the first touchpoint ({asked})");
        list.add("first_touchpoint.joined_at", "joined_at", &note);
        return;
    };
    let column = &table.columns[place];
    let mut note = format!("found: `{}`, {}", column.name, about(column));
    if !register.joined_is_called_so {
        let asked = questions.ask(
            FILE,
            format!(
                "Does `{}` of {} say since when somebody is a customer? No other time does.",
                column.name, table.name
            ),
        );
        note = format!("guess: `{}`, {} ({asked})", column.name, about(column));
    }
    if let Some(also) = column.time().and_then(|reading| reading.also.as_ref()) {
        let pattern = column.pattern.clone().unwrap_or_default();
        let asked = questions.ask(
            &format!("pipelines/sources/{}.yaml", table.name),
            format!(
                "Does the day or the month come first in `{}` of {}? Every value fits `{pattern}`, which is taken, and \
                 `{also}`.",
                column.name, table.name
            ),
        );
        note.push_str(&format!(" ({asked})"));
    }
    if column.missing > 0 {
        let missing = thousands(column.missing);
        let asked = questions.ask(
            FILE,
            format!(
                "Since when are the {missing} rows of {} customers that have no `{}`? They are left out.",
                table.name, column.name
            ),
        );
        note.push_str(&format!(" ({asked})"));
    }
    list.add(&as_time(relation, column), "joined_at", &note);
}

fn left(
    tables: &[TableProfile],
    register: &RegisterGuess,
    relation: Option<&str>,
    list: &mut SelectList,
    questions: &mut Questions,
) {
    let table = &tables[register.table];
    let flag = register.flag.map(|flag| &table.columns[flag]);
    match (register.left, &register.leaving) {
        (Some(place), _) => {
            let time = as_time(relation, &table.columns[place]);
            let note = left_in_a_column(table, &table.columns[place], flag, questions);
            list.add(&format!("CASE WHEN {time} < $as_of THEN {time} END"), "churned_at", &note);
        }
        (None, Some(leaving)) => {
            let note = left_in_another_table(table, &tables[leaving.table], leaving, flag, questions);
            list.add("first_leaving.churned_at", "churned_at", &note);
        }
        (None, None) => {
            let end_of_all = register.end_of_all.map(|end| &table.columns[end]);
            let note = left_nowhere(table, flag, end_of_all, questions);
            list.add(NOBODY_LEFT, "churned_at", &note);
        }
    }
}

fn left_in_a_column(
    table: &TableProfile,
    column: &ColumnProfile,
    flag: Option<&ColumnProfile>,
    questions: &mut Questions,
) -> String {
    let also = flag.map_or_else(String::new, |flag| {
        format!(" `{}` ({}) says who left, too: where the two differ, which is right?", flag.name, about(flag))
    });
    let asked = questions.ask(
        FILE,
        format!(
            "Is `{}` of {} when somebody left? It is taken so; the end of a contract that goes on would be none.{also}",
            column.name, table.name
        ),
    );
    let (called, known) = (&column.name, about(column));
    format!("guess: `{called}`, by its name; {known}; later than $as_of nobody knows it yet ({asked})")
}

fn left_in_another_table(
    table: &TableProfile,
    other: &TableProfile,
    leaving: &Leaving,
    flag: Option<&ColumnProfile>,
    questions: &mut Questions,
) -> String {
    let (rows, distinct) = (thousands(other.rows), thousands(other.columns[leaving.customer].distinct));
    let mut note = format!("guess: `{}` of {}", other.columns[leaving.time].name, other.name);
    if leaving.repeats {
        let asked = questions.ask(
            FILE,
            format!(
                "{} has {rows} rows of {distinct} customers: does somebody who left come back? Each one's first is \
                 taken; who comes back needs a row for each membership.",
                other.name
            ),
        );
        note.push_str(&format!(", the first of a customer's ({asked})"));
    }
    if let Some(flag) = flag {
        let asked = questions.ask(
            FILE,
            format!(
                "`{}` of {} ({}) says who left, too: where it and {} differ, which is right? {} is taken.",
                flag.name,
                table.name,
                about(flag),
                other.name,
                other.name
            ),
        );
        note.push_str(&format!("; `{}` says who left, too ({asked})", flag.name));
    }
    note
}

fn left_nowhere(
    table: &TableProfile,
    flag: Option<&ColumnProfile>,
    end_of_all: Option<&ColumnProfile>,
    questions: &mut Questions,
) -> String {
    let flag = flag.map(|flag| format!("; `{}` says that, but not when", flag.name));
    let of_all =
        end_of_all.map(|end| format!("; `{}` is there for every customer, so it cannot be when they left", end.name));
    let asked = questions.ask(
        FILE,
        format!(
            "When did a customer of {} leave? No time says so{}{}. Until it is known nobody leaves, so no journey can \
             be linked to leaving.",
            table.name,
            flag.unwrap_or_default(),
            of_all.unwrap_or_default()
        ),
    );
    format!("unclear: nothing says when a customer left ({asked})")
}

fn attributes(
    table: &TableProfile,
    register: &RegisterGuess,
    relation: Option<&str>,
    list: &mut SelectList,
    questions: &mut Questions,
) {
    if let Some(place) = register.segment {
        let column = &table.columns[place];
        let asked = questions.ask(
            FILE,
            format!(
                "By which segments are customers compared? `{}` of {} is taken: {}.",
                column.name,
                table.name,
                about(column)
            ),
        );
        list.add(&as_text(relation, column), "segment", &format!("guess: {} ({asked})", about(column)));
    }
    let mut taken: Vec<String> = OWN.iter().map(|name| (*name).to_owned()).collect();
    let mut note = "found: few values each, for `eligible` and for dim_customer";
    for place in &register.attributes {
        let column = &table.columns[*place];
        let called = snake_case(&column.name);
        if taken.contains(&called) || column.marker.is_some() {
            continue;
        }
        list.add(&name(relation, &column.name), &called, note);
        note = "";
        taken.push(called);
    }
}

/// When each customer left first.
fn leaving_part(tables: &[TableProfile], leaving: &Leaving) -> String {
    let table = &tables[leaving.table];
    let customer = as_text(None, &table.columns[leaving.customer]);
    let time = as_time(None, &table.columns[leaving.time]);
    format!(
        "first_leaving AS (\n    SELECT {customer} AS customer_id, min({time}) AS churned_at\n    FROM {}\n    \
         WHERE {time} < $as_of\n    GROUP BY {customer}\n)",
        quoted(&table.name)
    )
}

fn from_clause(tables: &[TableProfile], register: &RegisterGuess, relation: Option<&str>) -> String {
    let table = &tables[register.table];
    let customer = as_text(relation, &table.columns[register.customer]);
    let mut text = format!("FROM {}", quoted(&table.name));
    if let Some(relation) = relation {
        text.push_str(&format!(" AS {relation}"));
    }
    text.push('\n');
    if register.leaving.is_some() {
        text.push_str(&format!("LEFT JOIN first_leaving ON first_leaving.customer_id = {customer}\n"));
    }
    if register.joined.is_none() {
        text.push_str(&format!("JOIN first_touchpoint ON first_touchpoint.customer_id = {customer}\n"));
    }
    if let Some(joined) = register.joined.map(|place| &table.columns[place]).filter(|joined| joined.missing > 0) {
        text.push_str(&format!("WHERE {} IS NOT NULL\n", name(relation, &joined.name)));
    }
    if !register.personal.is_empty() {
        let names: Vec<String> = register.personal.iter().map(|place| table.columns[*place].name.clone()).collect();
        let note = format!("Not taken, for no figure needs to know who somebody is: {}.", names.join(", "));
        text.push_str(&comment(0, "-- ", &note));
    }
    text
}

/// What the register is taken for, in a line.
pub(crate) fn summary(tables: &[TableProfile], register: &RegisterGuess) -> String {
    let table = &tables[register.table];
    let column = |place: usize| format!("`{}`", table.columns[place].name);
    let joined = register.joined.map_or("the first touchpoint".to_owned(), column);
    let left = match (&register.left, &register.leaving) {
        (Some(left), _) => format!("left in {}", column(*left)),
        (None, Some(leaving)) => {
            let other = &tables[leaving.table];
            format!("left in `{}` of {}", other.columns[leaving.time].name, other.name)
        }
        (None, None) => "nothing says when they left".to_owned(),
    };
    format!("customers: {} since {joined}, {left}", column(register.customer))
}
