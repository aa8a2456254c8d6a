//! Libraries: the one that comes with the program, copies of its models, and what a new version of one changes.

use insta::assert_snapshot;

use crate::workspace::Workspace;

const PIPELINE: &str = "pipelines/key_journeys.yaml";
const OWN: &str = "sql/fct_journey_transition.sql";

/// The workspace of `init`, which uses the library of the program.
fn small_company() -> Workspace {
    let workspace = Workspace::empty();
    workspace.run("init .").ends_with(0);
    workspace
}

#[test]
fn what_is_not_given_is_said_and_no_error() {
    let workspace = small_company();
    let sentence = "no survey answers: satisfaction with a journey and with the relationship is not shown";
    let plan = workspace.run("plan").ends_with(0);
    let words = plan.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    for expected in [sentence, "no billing: ", "no purchases: repurchase is not shown", "not given, so it is empty"] {
        assert!(words.contains(expected), "`{expected}` is not in: {plan}");
    }
    let run = workspace.run("run").ends_with(0);
    assert!(run.stderr.contains(sentence), "{run}");
    assert!(!run.stderr.contains("warning"), "{run}");
    let explained = workspace.run("explain fault").ends_with(0).stdout;
    let words = explained.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        words.contains("survey answers: satisfaction with a journey and with the relationship is not shown"),
        "{words}"
    );
    workspace.run("report --out page.html").ends_with(0);
    let page = std::fs::read_to_string(workspace.path().join("page.html")).expect("the page is written");
    assert!(page.contains("What is not given, and so not shown") && page.contains(sentence), "the page says it");
    let empty = workspace.query("SELECT count(*) AS n FROM fct_expectation_gap").ends_with(0);
    assert_eq!(empty.stdout, "n\n0\n");
    // A column that staging leaves out is null.
    assert_eq!(workspace.query("SELECT count(region) AS n FROM dim_customer").ends_with(0).stdout, "n\n0\n");
}

#[test]
fn a_model_is_left_out_with_its_trigger() {
    let workspace = small_company();
    workspace.edit(PIPELINE, "\nmodels:\n", "\nmodels:\n  fct_account: off\n");
    let plan = workspace.run("plan").ends_with(0);
    assert!(plan.stdout.contains("fct_account is turned off, and what watches it: valuable_account_at_risk"), "{plan}");
    workspace.edit(PIPELINE, "  fct_account: off\n", "  dim_journey: off\n");
    let refused = workspace.run("check").ends_with(2);
    assert!(refused.stderr.contains("error[turned-off]: `dim_journey` is turned off, but "), "{refused}");
    assert!(refused.stderr.contains("`mart_planning`"), "{refused}");
}

#[test]
fn a_library_is_listed_and_shown() {
    let workspace = Workspace::empty();
    let listed = workspace.run("library list").ends_with(0).stdout;
    for expected in ["touchpoints", "input, optional", "fct_journey ", "table, incremental", "mart_planning"] {
        assert!(listed.contains(expected), "`{expected}` is not in: {listed}");
    }
    assert!(!listed.contains("as it is"), "there is no pipeline: {listed}");
    let shown = workspace.run("library show dim_date").ends_with(0);
    assert!(shown.stdout.starts_with("-- One row: ") && shown.stdout.contains("SELECT"), "{shown}");
    let columns = workspace.run("library show touchpoints").ends_with(0).stdout;
    assert!(columns.contains("occurred_at without it") && columns.contains("Satisfaction with this one"), "{columns}");
    let variables = workspace.run("library show variables").ends_with(0).stdout;
    assert!(variables.contains("  minimum_exposed: 100  # fewer customers exposed: insufficient\n"), "{variables}");
    let matched = workspace.run("library show fct_journey_touchpoint").ends_with(0);
    assert!(matched.stdout.is_empty() && matched.stderr.contains("made by the matcher"), "{matched}");
    assert_snapshot!(workspace.run("library show fct_jorney"), @"
    exit 2
    --- stderr
    error: no library has a model or an input `fct_jorney`
      = help: did you mean `fct_journey`?
      = help: `throughline library list` lists them
    ");
    workspace.run("init .").ends_with(0);
    workspace.edit(PIPELINE, "\nmodels:\n", "\nmodels:\n  fct_account: off\n");
    let listed = workspace.run("library list").ends_with(0).stdout;
    for expected in ["turned off", "replaced", "as it is", "given"] {
        assert!(listed.contains(expected), "`{expected}` is not in: {listed}");
    }
    // Who is told to look at what is asked for has no pipeline that loads.
    workspace.edit(PIPELINE, "  touchpoints: { sql: sql/staging/touchpoints.sql }\n", "");
    let refused = workspace.run("check").ends_with(2);
    assert!(refused.stderr.contains("the library `key_journeys` needs `touchpoints`"), "{refused}");
    workspace.run("library show touchpoints").ends_with(0);
}

#[test]
fn a_model_is_copied_to_be_changed() {
    let workspace = small_company();
    assert_snapshot!(workspace.run("library eject fct_journey_transition"), @"
    exit 0
    --- stderr
    sql/fct_journey_transition.sql: a copy of library:facts/fct_journey_transition.sql
    pipelines/key_journeys.yaml names it: `fct_journey_transition: { sql: sql/fct_journey_transition.sql }`
    `throughline check` says when the library's own has changed since
    ");
    let copy = std::fs::read_to_string(workspace.path().join(OWN)).expect("the copy is written");
    let note = copy.lines().next().expect("a note");
    assert!(note.starts_with("-- Ejected from the library key_journeys of throughline "), "{note}");
    assert!(note.contains(": library:facts/fct_journey_transition.sql, "), "{note}");
    let checked = workspace.run("check").ends_with(0);
    assert!(!checked.stderr.contains("warning"), "{checked}");
    let again = workspace.run("library eject fct_journey_transition").ends_with(2);
    assert!(
        again.stderr.contains("`fct_journey_transition` is replaced already, in pipelines/key_journeys.yaml:"),
        "{again}"
    );
    // A version of the program whose original is another one.
    let digest = note.trim_end_matches('.').rsplit(' ').next().expect("a digest");
    workspace.put(OWN, copy.replace(digest, "0123456789abcdef"));
    let moved = workspace.run("check").ends_with(0);
    assert!(moved.stderr.contains("the library's `fct_journey_transition` has changed since it was copied"), "{moved}");
    assert!(moved.stderr.contains("--> sql/fct_journey_transition.sql:1:"), "{moved}");

    workspace.put("sql/fct_account.sql", "mine\n");
    assert_snapshot!(workspace.run("library eject fct_account"), @"
    exit 2
    --- stderr
    error: `./sql/fct_account.sql` is there already; nothing was written
      = help: name another file with `--to FILE`, or remove this one
    ");
    let refused = workspace.run("library eject fct_account --to ../out.sql").ends_with(2);
    assert!(refused.stderr.contains("lies outside the workspace"), "{refused}");
    let input = workspace.run("library eject touchpoints").ends_with(2);
    assert!(input.stderr.contains("`touchpoints` is an input"), "{input}");
    let refused = workspace.run("library eject journey_state").ends_with(2);
    assert!(refused.stderr.contains("`journey_state` is not made by SQL"), "{refused}");
}

/// Where the pipeline's file is not laid out so that a line can be added, it stays as it is.
#[test]
fn a_file_that_cannot_be_added_to_stays_as_it_is() {
    let workspace = small_company();
    let pipeline = || std::fs::read_to_string(workspace.path().join(PIPELINE)).expect("the pipeline");
    let flow = pipeline().split("\nmodels:\n").next().expect("a part before").to_owned()
        + "\nmodels: { touchpoints: { sql: sql/staging/touchpoints.sql }, customers: { sql: sql/staging/customers.sql } }\n";
    workspace.put(PIPELINE, &flow);
    let ejected = workspace.run("library eject mart_planning --to sql/own/planning.sql").ends_with(0);
    assert!(ejected.stderr.contains("add this to `models:` of pipelines/key_journeys.yaml:\n"), "{ejected}");
    assert!(ejected.stderr.contains("  mart_planning: { sql: sql/own/planning.sql }\n"), "{ejected}");
    assert_eq!(pipeline(), flow);
}

/// A library in a folder beside the workspace, of which a new version comes.
#[test]
fn a_new_version_says_what_it_makes_anew_and_why() {
    let workspace = Workspace::of_the_repository();
    std::fs::create_dir_all(workspace.path().join("company")).expect("a folder");
    for part in ["library.yaml", "dictionary.yaml", "semantics.yaml", "facts", "marts", "tests"] {
        let (from, to) = (workspace.path().join("sql").join(part), workspace.path().join("company").join(part));
        std::fs::rename(from, to).expect("it can be moved");
    }
    workspace.edit(PIPELINE, "uses: ./sql\n", "uses: ./company\n");
    workspace.run("sample --customers 100 --out data/lake").ends_with(0);
    let run = "run --as-of 2026-10-01 --select +fct_journey --select +fct_journey_transition --select +dim_date";
    workspace.run(run).ends_with(0);
    let plan = run.replacen("run", "plan", 1);
    let same = workspace.run(&plan).ends_with(0).stdout;
    assert!(!same.contains("the library has changed"), "{same}");
    workspace.edit("company/facts/relationship_answer.sql", ")\n\nSELECT\n", ")\n\nSELECT DISTINCT\n");
    workspace.edit("company/facts/fct_journey_transition.sql", "\nFROM ", "\n-- Changed\nFROM ");
    let words = |printed: String| printed.split_whitespace().collect::<Vec<_>>().join(" ");
    let planned = words(workspace.run(&plan).ends_with(0).stdout);
    let expected =
        "the library has changed since the last run: relationship_answer; made anew because of it: fct_journey";
    assert!(planned.contains(expected), "a comment changes nothing: {planned}");
    workspace.run(run).ends_with(0);
    let record = workspace.newest_record("data/warehouse");
    let mut steps = record["steps"].as_array().expect("steps").iter();
    let step = steps.find(|step| step["step"] == "fct_journey").expect("it ran");
    assert_eq!(
        step["increment"]["why"],
        "the definition of `relationship_answer` in the library key_journeys, which it reads, has changed"
    );
}
