//! `export`: the semantic model for BI tools, from the pipelines' own declarations.

use std::collections::BTreeMap;

use insta::assert_snapshot;
use serde_json::Value;

use crate::workspace::Workspace;

const FORMATS: [&str; 4] = ["ossie", "cube", "powerbi", "tableau"];

fn ossie(workspace: &Workspace, options: &str, folder: &str) -> Value {
    workspace.run(&format!("export --ossie --offline --out {folder}{options}")).ends_with(0);
    let listed = std::fs::read_dir(workspace.path().join(folder)).expect("a folder was written");
    let files: Vec<_> = listed.map(|entry| entry.expect("an entry").path()).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    let text = std::fs::read_to_string(&files[0]).expect("the file can be read");
    let model: Value = serde_yaml::from_str(&text).expect("the file is YAML");
    model["semantic_model"][0].clone()
}

fn names(list: &Value) -> Vec<&str> {
    list.as_array().into_iter().flatten().filter_map(|one| one["name"].as_str()).collect()
}

fn expressions(model: &Value) -> BTreeMap<String, String> {
    let metrics = model["metrics"].as_array().expect("metrics");
    let text = |metric: &Value| metric["expression"]["dialects"][0]["expression"].as_str().map(str::to_owned);
    metrics.iter().filter_map(|metric| Some((metric["name"].as_str()?.to_owned(), text(metric)?))).collect()
}

#[test]
fn both_pipelines_are_written_in_every_format() {
    let workspace = Workspace::of_the_repository();
    for format in FORMATS {
        for (pipeline, options) in [("key_journeys", ""), ("retail", " --pipeline retail")] {
            let written = workspace.run(&format!("export --{format} --offline{options}")).ends_with(0);
            let folder = format!("{pipeline}-{format}");
            assert!(written.stderr.contains(&format!("{folder}: ")), "{written}");
            assert_eq!(written.stdout, "");
            assert!(workspace.has(&folder), "{folder}");
        }
    }
    assert!(workspace.has("key_journeys-cube/model/cubes/fct_journey.yml"));
    assert!(workspace.has("key_journeys-powerbi/key_journeys.SemanticModel/definition/tables/fct_journey.tmdl"));
    assert!(workspace.has("retail-tableau/fct_journey.tds"));
}

#[test]
fn the_library_says_what_its_figures_mean() {
    let workspace = Workspace::of_the_repository();
    let model = ossie(&workspace, "", "out");
    let tables = names(&model["datasets"]);
    for table in ["dim_journey", "fct_journey", "fct_journey_risk", "fct_key_journeys", "mart_planning"] {
        assert!(tables.contains(&table), "{table}");
    }
    // What is made on the way to others, and what only staging reads, stays out.
    for table in ["touchpoints", "customers", "key_journey_stratum", "journey_state", "customer_version"] {
        assert!(!tables.contains(&table), "{table}");
    }
    let joins: Vec<String> = names(&model["relationships"]).iter().map(|&name| name.to_owned()).collect();
    for join in [
        "fct_key_journeys__journey__dim_journey",
        "fct_journey__journey__dim_journey",
        "fct_journey_touchpoint__journey_id__fct_journey",
        "mart_analyst__started_on__dim_date",
    ] {
        assert!(joins.iter().any(|known| known == join), "{join} is not in {joins:?}");
    }
    // `customers` is a view of spells: no customer_id identifies a row of it.
    assert!(joins.iter().all(|join| !join.ends_with("__customers")), "{joins:?}");
    let measures = expressions(&model);
    assert_eq!(
        measures["fct_journey_performance__completion_rate"],
        "CASE WHEN COUNT(DISTINCT fct_journey_performance.period_kind) <= 1 AND \
         COUNT(DISTINCT fct_journey_performance.segment) <= 1 THEN 1.0 * \
         SUM(fct_journey_performance.measured_completed) / \
         NULLIF(SUM(fct_journey_performance.measured_instances), 0) END"
    );
    assert_eq!(
        measures["fct_key_journeys__excess_churners"],
        "CASE WHEN COUNT(*) = 1 THEN MAX(fct_key_journeys.excess_churners) END"
    );
    assert!(measures.values().all(|expression| !expression.contains("AVG(")));
}

/// The measures as SQL, over what a run has published: each one runs, and gives what the table itself says.
#[test]
fn every_measure_runs_and_agrees_with_the_tables() {
    let workspace = Workspace::empty();
    workspace.run("init first").ends_with(0);
    workspace.run("run --project first").ends_with(0);
    let model = ossie(&workspace, " --project first", "out");
    let mut tables: BTreeMap<&str, Vec<(&str, &str)>> = BTreeMap::new();
    let measures = expressions(&model);
    for (name, expression) in &measures {
        let (table, measure) = name.rsplit_once("__").expect("table and measure");
        tables.entry(table).or_default().push((measure, expression));
    }
    assert!(measures.len() > 80, "{}", measures.len());
    let ask = |sql: &str| {
        let answer = workspace.run_with(&["query", sql, "--format", "csv", "--project", "first"], &[]);
        assert_eq!(answer.code, Some(0), "{sql}\n{answer}");
        answer.stdout
    };
    for (table, measures) in &tables {
        let list: Vec<String> = measures.iter().map(|(name, sql)| format!("{sql} AS \"{name}\"")).collect();
        let answer = ask(&format!("SELECT {} FROM {table}", list.join(", ")));
        assert_eq!(answer.lines().count(), 2, "{table}: {answer}");
    }
    let of = |name: &str| measures[name].as_str();
    // For single rows a ratio is the published one, with the same limits.
    for (table, rate, key) in [
        ("fct_journey_performance", "completion_rate", "journey, segment, period_kind, period_start"),
        ("fct_key_journeys", "exposed_churn_rate", "journey, segment, period_kind, period_start"),
    ] {
        let mut differences = Vec::new();
        for end in ["", "_lower", "_upper"] {
            differences.push(format!("max(abs(a.m{end} - b.{rate}{end})) < 1e-9 AS same{end}"));
            differences.push(format!("count(a.m{end}) = count(b.{rate}{end}) AS as_many{end}"));
        }
        let columns = ["", "_lower", "_upper"].map(|end| format!("{} AS m{end}", of(&format!("{table}__{rate}{end}"))));
        let answer = ask(&format!(
            "SELECT {} FROM (SELECT {key}, {} FROM {table} GROUP BY {key}) AS a JOIN {table} AS b USING ({key}) \
             WHERE b.{rate} IS NOT NULL",
            differences.join(", "),
            columns.join(", "),
        ));
        let values = answer.lines().nth(1).expect("a row");
        assert_eq!(values, "true,true,true,true,true,true", "{table}: {answer}");
    }
    // Over months and quarters, or segments and their total, nothing is added.
    assert_eq!(
        ask(&format!("SELECT {} AS m FROM fct_key_journeys", of("fct_key_journeys__exposed_leavers"))),
        "m\n\"\"\n"
    );
    let quarters = "FROM fct_journey_performance WHERE period_kind = 'quarter' AND segment = 'all'";
    let both = ask(&format!(
        "SELECT {}, (SELECT count(*) FROM fct_journey) {quarters}",
        of("fct_journey_performance__instances")
    ));
    let (first, second) = both.lines().nth(1).and_then(|line| line.split_once(',')).expect("two figures");
    assert_eq!(first, second, "instances of all quarters are those of fct_journey");
}

#[test]
fn own_tables_have_measures_joins_and_other_words() {
    let workspace = Workspace::empty();
    workspace.run("init first").ends_with(0);
    let pipeline = "first/pipelines/key_journeys.yaml";
    let text = std::fs::read_to_string(workspace.path().join(pipeline)).expect("the pipeline");
    workspace.put("first/sql/own.sql", "SELECT journey, count(*) AS n FROM fct_journey GROUP BY journey\n");
    let with_model = |semantics: &str| {
        let model = "models:\n  fct_own: { sql: sql/own.sql, materialized: table, grain: [journey] }\n";
        workspace.put(pipeline, format!("{}\n{semantics}", text.replacen("models:\n", model, 1)));
    };
    with_model(
        "semantics:\n  columns: { n: [\"how many: of them\"] }\n  tables:\n    fct_own:\n      synonyms: [own]\n      \
         measures:\n        total: { sum: n }\n        journeys: { count: rows }\n        \
         mean: { numerator: total, denominator: journeys }\n    fct_journey:\n      measures: { cost: off, \
         cost_per_instance: off, instances: { count: rows, description: Ours } }\n",
    );
    workspace.run("check --project first").ends_with(0);
    let model = ossie(&workspace, " --project first", "out");
    let measures = expressions(&model);
    assert_eq!(measures["fct_own__mean"], "1.0 * SUM(fct_own.n) / NULLIF(COUNT(*), 0)");
    assert!(!measures.contains_key("fct_journey__cost"), "turned off");
    assert!(names(&model["relationships"]).contains(&"fct_own__journey__dim_journey"));
    let own = model["datasets"].as_array().expect("datasets").iter().find(|one| one["name"] == "fct_own");
    assert_eq!(own.expect("the table")["fields"][1]["ai_context"]["synonyms"][0], "how many: of them");

    let refused = |semantics: &str| {
        with_model(&format!("semantics: {semantics}\n"));
        let check = workspace.run("check --project first --offline").ends_with(2);
        let export = workspace.run("export --cube --project first --offline --out never").ends_with(2);
        assert!(!workspace.has("never"));
        assert_eq!(check.stderr, export.stderr);
        check.stderr
    };
    for (semantics, message) in [
        ("{ tables: { fct_owm: {} } }", "`semantics` speaks of `fct_owm`, and no table is called so"),
        ("{ tables: { customers: {} } }", "`semantics` speaks of `customers`, which is not published for readers"),
        ("{ tables: { fct_own: { measures: { a: { sum: m } } } } }", "no column `m` in `fct_own`"),
        ("{ tables: { fct_own: { measures: { a: { sum: journey } } } } }", "`journey` holds no numbers"),
        ("{ tables: { fct_own: { measures: { a: { count: rows, where: { n: x } } } } } }", "`x` is no value of `n`"),
        ("{ tables: { fct_own: { joins: { n: dim_date.year } } } }", "`dim_date.year` does not identify a row"),
        ("{ tables: { fct_own: { one_of: [nn] } } }", "no column `nn` in `fct_own`"),
        ("{ tables: { fct_own: { measures: { a: {} } } } }", "the measure `a` does not say how it is computed"),
        ("{ tables: { fct_own: { measures: { a: { sum: n, count: n } } } } }", "is computed in more than one way"),
        (
            "{ tables: { fct_own: { measures: { a: { count: rows }, b: { numerator: a, denominator: c } } } } }",
            "`fct_own` has no measure `c`",
        ),
        (
            "{ tables: { fct_own: { measures: { a: { count: rows, adds_over: [n] } } } } }",
            "not in the table's `one_of`",
        ),
        ("{ tables: { fct_own: { measures: { a__b: { count: rows } } } } }", "two underscores together"),
    ] {
        let refusal = refused(semantics);
        assert!(refusal.contains(message) && refusal.contains("help") | refusal.contains("did you mean"), "{refusal}");
    }
}

#[test]
fn what_cannot_be_written_is_refused_before_anything_is() {
    let workspace = Workspace::of_the_repository();
    let refusal = workspace.run("export --looker").ends_with(2);
    assert!(refusal.stderr.contains("unexpected argument '--looker'"), "{refusal}");
    let refusal = workspace.run("export --offline").ends_with(2);
    assert!(refusal.stderr.contains("<--ossie|--cube|--powerbi|--tableau>"), "{refusal}");
    workspace.run("export --ossie --cube").ends_with(2);
    for host in ["bi.example.com:5433", "user@host", "a/b", ""] {
        workspace.run_with(&["export", "--cube", "--offline", "--host", host], &[]).ends_with(2);
    }
    workspace.put("key_journeys-cube/mine.txt", "mine");
    assert_snapshot!(workspace.run("export --cube --offline"), @"
    exit 2
    --- stderr
    error: the folder key_journeys-cube holds files already, and nothing in it is replaced
      = help: name another one with --out, or remove it
    ");
    workspace.run("export --cube --offline --out pipelines/key_journeys.yaml").ends_with(2);
    std::fs::create_dir(workspace.path().join("empty")).expect("a folder");
    workspace.run("export --cube --offline --out empty").ends_with(0);
    assert!(workspace.has("empty/cube.env"));
    workspace.run("export --ossie --offline --out new/deep/").ends_with(0);
    assert!(workspace.has("new/deep/key_journeys.ossie.yaml"));
    let left = std::fs::read_dir(workspace.path().join("new")).expect("a folder").count();
    assert_eq!(left, 1, "nothing else is left");

    let workspace = Workspace::empty();
    workspace.put("pipelines/p.yaml", "name: p\nstart: 2024-10-01\nwarehouse: w\nmodels:\n  a: { sql: a.sql }\n");
    workspace.put("a.sql", "SELECT 1 AS x\n");
    workspace.run("check").ends_with(0);
    let refusal = workspace.run("export --ossie").ends_with(2);
    assert!(refusal.stderr.contains("the pipeline `p` publishes no table for its readers"), "{refusal}");
    workspace.put("a.sql", "SELECT y AS x\n");
    let refusal = workspace.run("export --ossie").ends_with(2);
    assert!(refusal.stderr.contains("a.sql:1:8"), "{refusal}");
    assert!(!workspace.has("p-ossie"));
}
