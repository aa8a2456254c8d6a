//! `report`: one page that says what the tables say, asks for nothing and lets no text of others run.

use insta::assert_snapshot;
use serde_json::Value;

use crate::workspace::Workspace;

/// Small enough to mail: a third is the library of the charts, a quarter what each column of fifty tables is made of.
const MOST_BYTES: usize = 1_000_000;
/// The charts' data, the library and the page's own script.
const SCRIPTS: usize = 3;

fn page(workspace: &Workspace) -> String {
    workspace.run("report").ends_with(0);
    std::fs::read_to_string(workspace.path().join("report.html")).expect("the page was written")
}

/// The data of the charts, by name.
fn charts(page: &str) -> Value {
    let (_, rest) = page.split_once(r#"id="charts""#).expect("the page has charts");
    let (_, rest) = rest.split_once('>').expect("the element begins");
    let (data, _) = rest.split_once("</script>").expect("the element ends");
    serde_json::from_str(data).expect("the data is JSON")
}

/// Nothing but the library's names of XML vocabularies looks like an address.
#[track_caller]
fn asks_for_nothing(page: &str) {
    for vocabulary in ["2000/svg", "1999/xhtml", "1999/xlink", "2000/xmlns/", "XML/1998/namespace"] {
        assert!(page.contains(vocabulary), "{vocabulary}");
    }
    let addresses = page.matches("http:").count() + page.matches("https:").count() + page.matches("\"//").count();
    // The library's licence names another one.
    let named = page.matches("http://www.w3.org/").count() + page.matches("http://www.apache.org/licenses/").count();
    assert_eq!(addresses, named, "the page contains an address");
    let script = page.find("<script nonce").expect("the page has scripts");
    for loading in [" src=", "url(", "@import", "<link", "<iframe", "<object", "<embed", "<base"] {
        assert!(!page[..script].contains(loading), "{loading}");
    }
    for loading in ["fetch(", "XMLHttpRequest", "sendBeacon", "importScripts", "import("] {
        assert!(!page[script..].contains(loading), "{loading}");
    }
    assert!(page.contains("default-src 'none'"), "the page allows the browser to load something");
    assert!(page.len() < MOST_BYTES, "{} bytes", page.len());
}

fn thousands(number: &str) -> String {
    let mut text = String::new();
    for (place, digit) in number.chars().enumerate() {
        if place > 0 && (number.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[test]
fn the_page_says_what_the_tables_say() {
    let workspace = Workspace::of_the_repository();
    workspace.run("sample --customers 2000 --out data/lake").ends_with(0);
    workspace.run("run --as-of 2026-10-01").ends_with(0);
    let page = page(&workspace);
    asks_for_nothing(&page);
    assert_eq!(page.matches("<script").count(), SCRIPTS);

    let rows = workspace.query(
        "SELECT label, rank, exposed_customers, tier, adjusted_rate_ratio, adjusted_rate_ratio_lower, \
         adjusted_rate_ratio_upper, exposed_churn_rate, like_churn_rate \
         FROM fct_key_journeys INNER JOIN dim_journey USING (journey) \
         WHERE segment = 'all' AND period = '2026-Q3' AND status = 'ok' ORDER BY rank, journey",
    );
    let map = charts(&page)["key-journey-map"]["groups"][0].clone();
    assert_eq!(map["name"], "all segments");
    let mut ranked = 0;
    for (place, row) in rows.stdout.lines().skip(1).enumerate() {
        let cells: Vec<&str> = row.split(',').collect();
        let float = |at: usize| cells[at].parse::<f64>().expect("a number");
        let point = &map["points"][place];
        assert_eq!(point["label"], cells[0]);
        assert_eq!((point["x"].to_string().as_str(), &point["tier"]), (cells[2], &Value::from(cells[3])));
        for (name, at) in [("y", 4), ("lower", 5), ("upper", 6)] {
            // The page's JSON is read here to within the last bit.
            let drawn = point[name].as_f64().expect("a number");
            assert!((drawn - float(at)).abs() <= 1e-15 * float(at).max(1.0), "{name} of {}: {drawn}", cells[0]);
        }
        let heading = format!(
            r#"<th scope="row">{}</th><td>all</td><td>{}</td><td class="n">{}</td><td class="n">{}</td><td class="n">{:.1}</td><td class="n">{:.1}</td><td class="n">{:.2} ({:.2} to {:.2})</td>"#,
            cells[0],
            cells[3],
            cells[1],
            thousands(cells[2]),
            float(7) * 100.0,
            float(8) * 100.0,
            float(4),
            float(5),
            float(6)
        );
        assert!(page.contains(&heading), "{heading}");
        ranked += 1;
    }
    assert!(ranked > 2, "{rows}");
    // Who is not ranked is named with the reason.
    assert!(page.contains("Moving house (fewer than 100 customers were on it)"), "a figure that is missing says why");

    let accounts =
        workspace.query("SELECT count(*) FROM fct_account WHERE quadrant = 'at_risk' AND period_end = '2026-10-01'");
    let at_risk = accounts.stdout.lines().nth(1).expect("a count");
    assert!(page.contains(&format!("{} accounts</p>", thousands(at_risk))), "{at_risk} accounts are at risk");

    // Every picture has its data, a name and a table behind it.
    let data = charts(&page);
    let pictures = page.matches(r#"data-chart=""#).count();
    assert_eq!(data.as_object().map(serde_json::Map::len), Some(pictures));
    assert!(!page.contains(r#"data-summary="""#), "a picture without a name");
    for figure in page.split(r#"<figure class="chart""#).skip(1) {
        let (figure, _) = figure.split_once("</figure>").expect("a figure ends");
        assert!(figure.contains("Figures as a table") && figure.contains("<tbody>"), "a figure without a table");
    }
    assert!(page == self::page(&workspace), "the same tables give the same bytes");
    tells_performance(&workspace, &page);
}

/// The gap is of those who were asked both, no quarter that is not mature passes for one, and chance is no change.
fn tells_performance(workspace: &Workspace, page: &str) {
    let gap = workspace.query(
        "SELECT period, gap_instances, gap_touchpoint_satisfaction, gap_journey_satisfaction FROM ( \
         SELECT *, row_number() OVER (PARTITION BY journey ORDER BY period_start DESC) AS recency \
         FROM fct_journey_performance WHERE segment = 'all' AND period_kind = 'quarter' AND maturity = 'mature' \
         AND satisfaction_gap IS NOT NULL) WHERE recency = 1 ORDER BY satisfaction_gap DESC LIMIT 1",
    );
    let cells: Vec<&str> = gap.stdout.lines().nth(1).expect("a gap").split(',').collect();
    let score = |at: usize| 100.0 * cells[at].parse::<f64>().expect("a score");
    assert!(page.contains(&format!("{:.0} → {:.0}", score(2), score(3))), "{gap}");
    let words = format!("{}; {} instances in which both were asked", cells[0], thousands(cells[1]));
    assert!(page.contains(&words), "{words}");
    assert!(page.contains("no change seen (-"), "a change within chance is called one");
    let quarters = workspace.query(
        "SELECT max(period) FROM fct_journey_performance WHERE segment = 'all' AND period_kind = 'quarter' \
         AND journey = 'onboarding' AND maturity = 'mature'",
    );
    let mature = quarters.stdout.lines().nth(1).expect("a quarter");
    assert!(page.contains(&format!(r#"<th scope="row">New-customer onboarding</th><td>{mature}</td>"#)), "{mature}");
}

/// The part of a page that a planner reads.
fn planners(page: &str) -> &str {
    let begin = page.find(r#"<article class="view" id="executive""#).expect("the page has an executive's view");
    let end = page.find(r#"<article class="view" id="analyst""#).expect("the page has an analyst's view");
    &page[begin..end]
}

#[test]
fn a_planner_reads_the_tier_first_and_no_word_of_a_statistician() {
    let workspace = Workspace::hand_made(true);
    workspace.run("run --as-of 2026-10-11").ends_with(0);
    let page = page(&workspace);
    asks_for_nothing(&page);
    let planners = planners(&page);
    for sentence in [
        "In 2026-Q3, helping stands first. Of 100 customers on helping, 8.1 left within 90 days; of like customers who were \
         not, 6.2. That is 59 more in the quarter (28 to 89), if the journey is the cause.",
        "They leave at once, many within a week of it: customers may have decided to leave before",
        "That is 24 fewer in the quarter (10 to 40), if the journey is the cause.",
        "That is 4 fewer in the quarter (between 61 fewer and 52 more), if the journey is the cause.",
        "Not seen is not none: an excess of 81 customers or more in the quarter would have been seen about four times in five",
        "but it goes with helping: among customers equally on all other journeys, what is left to it may be chance",
        "Together 2 harmful journeys (helping, waiting): 79 more left in the quarter (31 to 127), if they are the cause. \
         Journeys overlap, so what each of them makes is never added.",
        "EUR 23,456 (11,000 to 36,000)",
        "90 % intervals",
        "moving (fewer than 100 customers were on it)",
        "2026-Q3 against 2026-Q2",
        "<td class=\"n\">+12 (-30 to +54)</td><td class=\"n\">+5.0 (+2.0 to +8.0)</td>",
        "<td>0 to 7</td>",
    ] {
        assert!(planners.contains(sentence), "{sentence}");
    }
    let badge = planners.find(r#"<span class="badge harmful">▲ harmful</span> helping"#);
    assert!(badge.is_some(), "the tier stands before the name");
    for word in ["andmark", "xposed", "dds ratio", "tratum", "q value", "95 %", "ertainly", "ecause of"] {
        assert!(!planners.contains(word), "a planner reads `{word}`");
    }
    let data = charts(&page);
    assert_eq!(data["profile-helping"]["ticks"], serde_json::json!(["0-7", "7-30", "30-90"]));
    assert_eq!(data["profile-helping"]["points"][0]["y"], 2.1);

    // A month, and a period that is not there.
    workspace.run("report --period 2026-07 --out july.html").ends_with(0);
    let july = std::fs::read_to_string(workspace.path().join("july.html")).expect("the page was written");
    assert!(
        july.contains("In 2026-07 no journey is found harmful, which is not to say that none is"),
        "a month's lead"
    );
    let refused = workspace.run("report --period 2026-Q5").ends_with(2);
    assert!(refused.stderr.contains("there are: 2026-Q2, 2026-Q3, 2026-Q4; 2026-07"), "{refused}");

    // Without the tables beside it, the page says so and the rest stands.
    let workspace = Workspace::hand_made(false);
    workspace.run("run --as-of 2026-10-11").ends_with(0);
    let page = self::page(&workspace);
    assert!(page.contains("In 2026-Q3, helping stands first."));
    assert!(page.contains("Not available: the pipeline publishes no fct_key_journeys_profile."), "no profile");
    let refused = Workspace::tiny();
    refused.run("run --as-of 2024-02-10").ends_with(0);
    let refused = refused.run("report --period 2026-Q3").ends_with(2);
    assert!(refused.stderr.contains("this pipeline publishes no `fct_key_journeys`"), "{refused}");
}

#[test]
fn no_text_of_others_runs() {
    let workspace = Workspace::empty();
    workspace.run("init .").ends_with(0);
    let evil = "<script>alert(1)</script>";
    workspace.edit("pipelines/journeys/fault.yaml", "Having a fault repaired", &format!("\"{evil}\""));
    workspace.edit(
        "pipelines/journeys/fault.yaml",
        "owner: network",
        "owner: \"</script><img src=x onerror=alert(2)>\"",
    );
    workspace.edit("pipelines/journeys/fault.yaml", "fault:\n", "fault:   # </code></pre><script>alert(3)</script>\n");
    workspace.edit(
        "pipelines/key_journeys.yaml",
        "of a small internet provider",
        "of </title><script>alert(4)</script>",
    );
    let customers = std::fs::read_to_string(workspace.path().join("data/lake/customers.csv")).expect("the customers");
    workspace.put("data/lake/customers.csv", customers.replace(",home", ",<b>home</b>\u{2028}"));
    workspace.run("run").ends_with(0);
    let page = page(&workspace);
    assert_eq!(page.matches("<script").count(), SCRIPTS, "no element but the page's own");
    for (written, escaped) in [
        ("<img", "&lt;img src=x onerror=alert(2)&gt;"),
        ("<b>home", "&lt;b&gt;home&lt;&#x2f;b&gt;"),
        ("<script>alert", "&lt;script&gt;alert(1)&lt;&#x2f;script&gt;"),
    ] {
        assert!(!page.contains(written), "{written}");
        assert!(page.contains(escaped), "{escaped}");
    }
    let data = charts(&page);
    assert!(data.to_string().contains(evil), "the chart has the label as it is");
    assert!(page.contains(r"\u003cscript\u003ealert(1)\u003c/script\u003e"), "but not in the page's own text");
}

#[test]
fn what_a_pipeline_lacks_is_reported() {
    let workspace = Workspace::tiny();
    assert_snapshot!(workspace.run("report"), @"
    exit 2
    --- stderr
    error: nothing is published yet in warehouse
      = help: make the tables first: throughline run
    ");
    assert!(!workspace.has("report.html"), "no page is left behind");
    workspace.run("run --as-of 2024-02-10").ends_with(0);
    let page = page(&workspace);
    for sentence in [
        "Nothing can be said of leaving: this pipeline publishes no <code>fct_key_journeys</code>.",
        "There is no account matrix: this pipeline publishes no <code>fct_account</code>.",
        "It cannot be shown: this pipeline publishes no <code>fct_journey_satisfaction_path</code>.",
        "Not available: this pipeline publishes no <code>fct_journey_performance</code>.",
        "Not available: this pipeline publishes no <code>fct_recurring_issue</code>.",
        "No trigger is known: this pipeline publishes no <code>fct_trigger</code>.",
    ] {
        assert!(page.contains(sentence), "{sentence}");
    }
    // What there is, is there: rows read, definitions, lineage.
    assert!(page.contains("The worked example") && page.contains("by_channel"));
    asks_for_nothing(&page);
    // A table of the same name with other columns is no failure either.
    workspace.edit("pipelines/tiny.yaml", "  by_channel:\n    sql", "  fct_account:\n    sql");
    workspace.run("run --as-of 2024-02-10").ends_with(0);
    assert!(
        self::page(&workspace)
            .contains("There is no account matrix: <code>fct_account</code> has no column quadrant, period")
    );
}

#[test]
fn the_page_goes_where_it_is_asked_to() {
    let workspace = Workspace::empty();
    workspace.run("init .").ends_with(0);
    workspace.run("run").ends_with(0);
    let printed = workspace.run_with(&["report", "--out", "-"], &[]).ends_with(0);
    assert!(printed.stdout.starts_with("<!doctype html>") && printed.stdout.trim_end().ends_with("</html>"));
    let run = |page: &str| page.split("Run r").nth(1).and_then(|rest| rest.split(' ').next()).map(str::to_owned);
    // Two nights on which nothing came: the same page but for the run it names.
    workspace.run("run").ends_with(0);
    let written = page(&workspace);
    workspace.run("run").ends_with(0);
    let again = page(&workspace);
    assert!(again.contains("Of the touchpoints that this run matched"), "an increment counts its own");
    let (first, second) = (run(&written).expect("a run"), run(&again).expect("a run"));
    assert_ne!(first, second);
    assert!(written.replace(&first, "X") == again.replace(&second, "X"), "equal inputs give equal pages");
    assert_snapshot!(workspace.run("report --out no/such/folder.html"), @"
    exit 2
    --- stderr
    error: cannot write no/such/folder.html: No such file or directory (os error 2)
      = help: name another file with --out
    ");
}
