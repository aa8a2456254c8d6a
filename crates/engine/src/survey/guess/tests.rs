//! Guesses over small tables of several kinds.

use throughline_config::Format;

use super::super::column::{ColumnObserver, Storage};
use super::super::look::TableProfile;
use super::*;

/// A table out of CSV text, as if it had been read.
fn table(name: &str, csv: &str) -> TableProfile {
    let mut lines = csv.trim().lines().map(|line| line.trim().split(',').collect::<Vec<_>>());
    let names = lines.next().expect("names");
    let mut observers: Vec<ColumnObserver> =
        names.iter().map(|name| ColumnObserver::new(name, Storage::Text)).collect();
    let mut rows = 0;
    for line in lines {
        rows += 1;
        observers.iter_mut().zip(line).for_each(|(observer, value)| observer.see(Some(value)));
    }
    TableProfile {
        name: name.to_owned(),
        path: format!("data/{name}.csv"),
        format: Format::Csv { delimiter: b',' },
        files: 1,
        rows,
        is_whole: true,
        bad_rows: 0,
        first_bad: None,
        columns: observers.into_iter().map(|observer| observer.finish(1_795_996_800_000_000)).collect(),
        left_out: Vec::new(),
    }
}

fn column(table: &TableProfile, place: Option<ColumnIndex>) -> &str {
    place.map_or("-", |place| table.columns[place].name.as_str())
}

fn log() -> TableProfile {
    let mut text = String::from("Case ID,Activity,Resource,Complete Timestamp,note\n");
    for case in 0..20 {
        for (step, activity) in ["register", "check", "decide"].iter().enumerate() {
            text.push_str(&format!("{case},{activity},Pete,2024/03/{:02} 10:0{step}:00.000,n{case}{step}\n", case + 1));
        }
    }
    table("log", &text)
}

#[test]
fn an_event_log_has_a_case_an_activity_and_a_time() {
    let tables = [log()];
    let guess = guess(&tables);
    let customer = guess.customer.clone().expect("a case stands for the customer");
    assert_eq!((customer.column.as_str(), customer.is_stand_in), ("Case ID", true));
    let events = &guess.events[0];
    let named = |place| column(&tables[0], place);
    assert_eq!((named(Some(events.time)), named(events.event)), ("Complete Timestamp", "Activity"));
    assert_eq!((events.customer.clone(), named(events.key)), (CustomerOf::Own(0), "-"));
    assert!(events.event_is_called_so && !events.time_is_unsure && guess.register.is_none());
}

/// Three tables of a company; accounts left by a table of their own.
fn company() -> [TableProfile; 4] {
    let mut accounts = String::from("account_id,account_name,industry,signup_date,churn_flag\n");
    let mut tickets = String::from("ticket_id,account_id,submitted_at,closed_at,priority,satisfaction_score\n");
    let mut subscriptions = String::from("subscription_id,account_id,start_date,end_date,mrr_amount\n");
    let mut usage = String::from("usage_id,subscription_id,usage_date,feature_name,usage_duration_secs\n");
    for n in 0..40 {
        let industry = ["EdTech", "FinTech"][n % 2];
        accounts.push_str(&format!("A-{n},Company {n},{industry},{:02}-01-2023,FALSE\n", n % 28 + 1));
        for m in 0..2 {
            let score = ["", "3", "4", "5"][(n + m) % 4];
            tickets.push_str(&format!(
                "T-{n}-{m},A-{n},{:02}-02-2023,{:02}-03-2023,high,{score}\n",
                n % 28 + 1,
                n % 28 + 1
            ));
            subscriptions.push_str(&format!("S-{n}-{m},A-{n},{:02}-01-2023,,{}\n", n % 28 + 1, 100 + n));
            for k in 0..3 {
                let feature = ["export", "import"][k % 2];
                usage.push_str(&format!("U-{n}-{m}-{k},S-{n}-{m},{:02}-04-2023,{feature},30\n", n % 28 + 1));
            }
        }
    }
    let named = [("accounts", accounts), ("tickets", tickets), ("subscriptions", subscriptions), ("usage", usage)];
    named.map(|(name, text)| table(name, &text))
}

#[test]
fn the_customer_is_what_most_tables_share() {
    let tables = company();
    let guess = guess(&tables);
    assert_eq!(guess.customer.as_ref().map(|customer| customer.column.as_str()), Some("account_id"));
    let register = guess.register.as_ref().expect("accounts");
    assert_eq!((register.table, column(&tables[0], register.joined)), (0, "signup_date"));
    assert_eq!(column(&tables[0], register.segment), "industry");
    assert_eq!((column(&tables[0], register.flag), register.left), ("churn_flag", None));
    assert_eq!(
        register.personal.iter().map(|place| column(&tables[0], Some(*place))).collect::<Vec<_>>(),
        ["account_name"]
    );
    let tickets = guess.events.iter().find(|events| events.table == 1).expect("tickets");
    assert_eq!(
        (column(&tables[1], tickets.key), column(&tables[1], Some(tickets.time))),
        ("ticket_id", "submitted_at")
    );
    assert_eq!(tickets.event, None, "a priority is no event");
    let (place, scale) = tickets.score.clone().expect("a score");
    assert_eq!(column(&tables[1], Some(place)), "satisfaction_score");
    assert_eq!(scale, Some(Scale { least: 1.0, most: 5.0, is_seen: false }), "only 3 to 5 is found");
}

#[test]
fn a_table_without_a_customer_finds_it_by_another() {
    let tables = company();
    let guess = guess(&tables);
    let usage = guess.events.iter().find(|events| events.table == 3).expect("usage");
    assert_eq!(usage.customer, CustomerOf::By { own: 1, table: 2, key: 0, customer: 1 });
    assert_eq!((column(&tables[3], usage.event), usage.event_is_called_so), ("feature_name", false));
    assert_eq!(
        usage.duration.map(|(place, seconds)| (column(&tables[3], Some(place)), seconds)),
        Some(("usage_duration_secs", 1.0))
    );
    let subscriptions = guess.events.iter().find(|events| events.table == 2).expect("subscriptions");
    assert_eq!(
        subscriptions.money.iter().map(|place| column(&tables[2], Some(*place))).collect::<Vec<_>>(),
        ["mrr_amount"]
    );
}

#[test]
fn who_left_may_stand_in_a_table_of_its_own() {
    let mut churn = String::from("churn_event_id,account_id,churn_date,reason_code\n");
    for n in 0..12 {
        churn.push_str(&format!("C-{n},A-{},27-10-2024,pricing\n", n % 8));
    }
    let mut tables = company().to_vec();
    tables.push(table("churn_events", &churn));
    let guess = guess(&tables);
    let leaving = guess.register.and_then(|register| register.leaving).expect("churn_events");
    assert_eq!((leaving.table, leaving.repeats), (4, true));
    assert!(guess.events.iter().all(|events| events.table != 4), "leaving is no touchpoint");
}

#[test]
fn a_register_may_call_its_key_id() {
    let users = "id,created_at,plan\n1,2023-01-01,a\n2,2023-01-02,b\n3,2023-01-03,a\n4,2023-01-04,b\n";
    let mut visits = String::from("id,user_id,page,visited_at\n");
    for n in 0..12 {
        visits.push_str(&format!("{n},{},home,2023-02-{:02} 10:00:00\n", n % 4 + 1, n + 1));
    }
    let tables = [table("users", users), table("visits", &visits)];
    let guess = guess(&tables);
    assert_eq!(guess.customer.as_ref().map(|customer| customer.column.as_str()), Some("user_id"));
    let register = guess.register.expect("users");
    assert_eq!((register.table, register.customer), (0, 0));
    assert_eq!(guess.events.len(), 1);
    assert_eq!((guess.events[0].key, guess.events[0].customer.clone()), (Some(0), CustomerOf::Own(1)));
}

#[test]
fn what_is_called_a_time_and_is_none_makes_no_event() {
    let text = "customer_id,timestamp,event\nc1,soon,a\nc1,later,b\nc2,never,a\nc2,soon,b\n";
    let tables = [table("odd", text)];
    let guess = guess(&tables);
    assert!(guess.events.is_empty());
    assert_eq!(guess.unused, [(0, "no column says when its rows happened".to_owned())]);
    assert!(tables[0].columns[1].is_called_time_only());
}

#[test]
fn rows_that_are_nobodys_are_not_used() {
    let text = "day,temperature\n2024-01-01,3\n2024-01-02,4\n2024-01-03,4\n";
    let guess = guess(&[table("weather", text)]);
    assert_eq!(guess.unused, [(0, "no column says whose its rows are".to_owned())]);
}
