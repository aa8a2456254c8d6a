//! Clocks that are wrong: no run under one keeps later runs from being right.

use chrono::{TimeDelta, Utc};

use crate::tiny::RUN;
use crate::workspace::{Outcome, Workspace};

/// A run that may not be as of an instant to come, whatever the environment says.
fn run(workspace: &Workspace, arguments: &str) -> Outcome {
    let strict = [("THROUGHLINE_ALLOW_FUTURE", "false")];
    workspace.run_with(&arguments.split(' ').collect::<Vec<_>>(), &strict)
}

fn in_days(days: i64) -> String {
    (Utc::now() + TimeDelta::days(days)).format("%Y-%m-%d").to_string()
}

#[test]
fn a_day_to_come_is_refused_unless_forced() {
    let workspace = Workspace::tiny();
    let refused = run(&workspace, &format!("run --as-of {}", in_days(2))).ends_with(2);
    assert!(refused.stderr.contains("is still to come by this machine's clock, which says 20"), "{refused}");
    assert!(refused.stderr.contains("`--allow-future` runs all the same"), "{refused}");
    assert!(!workspace.has("warehouse"));
    run(&workspace, &format!("run --as-of {} --allow-future", in_days(2))).ends_with(0);
}

#[test]
fn what_was_published_under_a_clock_that_was_ahead_is_replaced_by_the_next_run() {
    let workspace = Workspace::tiny();
    workspace.run(RUN).ends_with(0);
    let before = workspace.rows();
    run(&workspace, &format!("run --as-of {} --allow-future", in_days(300))).ends_with(0);
    assert_ne!(workspace.rows(), before, "limits have passed");
    let mended = run(&workspace, "run --as-of 2024-02-10").ends_with(0);
    assert!(mended.stderr.contains("warning: the published tables are as of "), "{mended}");
    assert!(mended.stderr.contains("which is still to come"), "{mended}");
    assert_eq!(workspace.rows(), before);
    let next = run(&workspace, "run --as-of 2024-02-11").ends_with(0);
    assert!(!next.stderr.contains("warning"), "{next}");

    // By a clock that is behind everything lies ahead: then it is the clock that is not believed.
    for days in [300, 301] {
        run(&workspace, &format!("run --as-of {} --allow-future", in_days(days))).ends_with(0);
    }
    for record in std::fs::read_dir(workspace.path().join("warehouse/_runs")).expect("the folder is there") {
        let path = record.expect("it can be listed").path();
        if std::fs::read_to_string(&path).expect("it can be read").contains("\"as_of\": \"2024-") {
            std::fs::remove_file(path).expect("it can be removed");
        }
    }
    let refused = run(&workspace, "run --as-of 2024-02-10 --start 2024-02-01").ends_with(2);
    assert!(refused.stderr.contains("this run would be as of 2024-02-10"), "{refused}");
}

/// An id that begins with an instant far ahead, as runs under a clock that was ahead left it.
#[test]
fn the_newest_run_is_the_one_that_came_last_whatever_its_clock() {
    let workspace = Workspace::tiny();
    workspace.run(RUN).ends_with(0);
    let mut ahead = workspace.newest_record("warehouse");
    let id = "20991231T235959999999Z-0000000a";
    ahead["run_id"] = id.into();
    workspace.put(&format!("warehouse/_runs/{id}.json"), ahead.to_string());
    workspace.put("data/contacts/new.csv", format!("{}n1,new,2024-02-09T10:00:00Z,fax,ask,\n", crate::tiny::HEADER));
    workspace.run(RUN).ends_with(0);
    let asked = workspace.query("SELECT count(*) AS n FROM by_channel WHERE channel = 'fax'").ends_with(0);
    assert_eq!(asked.stdout, "n\n1\n", "readers see the run that came last");
    let order = workspace.query("SELECT status FROM runs ORDER BY run_id DESC LIMIT 1").ends_with(0);
    assert_eq!(order.stdout, "status\ndone\n");
    let newest = workspace.newest_record("warehouse");
    assert!(newest["run_id"].as_str().is_some_and(|run| run.starts_with("r00000002-")), "{}", newest["run_id"]);
    // One that was killed there is no newer one either.
    workspace.put(&format!("warehouse/_runs/{}.partial.json", id.replace("0a", "0b")), ahead.to_string());
    let retried = workspace.run(&format!("{RUN} --retry")).ends_with(0);
    assert!(retried.steps().contains("by_channel, 5 rows, taken over"), "{}", retried.steps());
}
