//! `explain`: a planner's words over key journeys written by hand, word for word, and the figures of a small real run.

use insta::assert_snapshot;
use serde_json::Value;

use crate::workspace::Workspace;

fn hand_made() -> Workspace {
    let workspace = Workspace::hand_made(true);
    workspace.run("run --as-of 2026-10-11").ends_with(0);
    workspace
}

/// What is printed, as one line.
fn said(workspace: &Workspace, arguments: &str) -> String {
    let printed = workspace.run(&format!("explain {arguments}")).ends_with(0).stdout;
    printed.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[track_caller]
fn assert_said(said: &str, sentences: &[&str]) {
    for sentence in sentences {
        assert!(said.contains(sentence), "`{sentence}` is not in: {said}");
    }
}

#[test]
fn a_rank_is_explained_in_a_planners_words() {
    let workspace = hand_made();
    assert_snapshot!(workspace.run("explain helping"), @r#"
    exit 0
    --- stdout
    helping, from the tables as of 2026-10-11

    In short
    - Harmful in 2026-Q3: while customers are on it, and up to 90 days after, more of them leave than of
      like customers, beyond chance.
    - Of 100 customers on helping, 8.1 left within 90 days; of like customers who were not, 6.2. That is
      59 more in the quarter (28 to 89), if the journey is the cause.
    - They leave at once, many within a week of it: customers may have decided to leave before, so that
      it is a step of leaving rather than its cause. Look at what they ask for before acting on the
      figure.
    - They leave 1.31 (1.14 to 1.51) times as often as customers of the same segment who have been
      customers as long, in the same month. In brackets: 90 % intervals.
    - At what was billed to customers on it, that is EUR 23,456 (11,000 to 36,000) of revenue a year, if
      the journey is the cause.
    - Together 2 harmful journeys (helping, waiting): 79 more left in the quarter (31 to 127), if they
      are the cause. Journeys overlap, so what each of them makes is never added.

    Its rank
    - Number 1 of 4 ranked in 2026-Q3, all segments. Harmful journeys come first, by the excess that
      they have at least: here 28. Next comes paying, unclear.
    - No expert has judged it.
    - In 2026-Q2 it was number 2. Against 2026-Q2 its excess changed by +12 (-30 to +54) customers: +5.0
      (+2.0 to +8.0) as more or fewer customers were on it, +1.0 (-1.0 to +3.0) as they were others
      (segment, time as a customer, month), +10 (-12 to +32) as those on it leave more or less often,
      -4.0 (-9.0 to +1.0) as like customers do. The parts add up; one whose interval holds 0 may be
      chance.
    - 2026-Q4 is still running and not ranked: so far 4 more left (between 5 fewer and 14 more), if the
      journey is the cause.

    Who was compared with whom
    - On it: 4,216 customers. A customer is on it on each day that follows a touchpoint of it by at most
      90 days, as far as the company knew of it by then; that makes 279,474 days, on which 252 left.
    - Compared with: 1,100,320 days off it of customers who could have been on it, of the same segment,
      as long a customer and in the same month; on them 770 left.
    - Every customer could have been on it.

    How soon they leave
    - 0 to 7 days after their latest touchpoint of it they leave 2.10 (1.60 to 2.75) times as often as
      like customers off it; 100 left.
    - 7 to 30 days after their latest touchpoint of it they leave 1.20 (0.90 to 1.60) times as often as
      like customers off it; 62 left.
    - 30 to 90 days after their latest touchpoint of it they leave 1.04 (0.80 to 1.35) times as often as
      like customers off it; 90 left.

    What to mind
    - They leave at once, in the first seven days after a touchpoint: either it does acute harm, or to
      cancel is a step of the journey itself, which then does not precede it.

    How it performs
    - Missing, performance: the pipeline publishes no fct_journey_performance.

    Journey or touchpoints
    - Not available: the pipeline publishes no fct_journey_drivers.

    For analysts
    - p below 0.001 by itself; q 0.001 among the 4 journeys ranked in the period (Benjamini-Hochberg):
      of all called harmful or protective at q below 0.05, at most that share is expected to be false.
      Looking at many periods or segments and picking the best is not covered.
    - Rate ratio: crude unknown, adjusted 1.31 (1.14 to 1.51), mutually adjusted for the other journeys
      (Poisson regression) 1.28 (1.10 to 1.49).
    - Excess: 59.0 (28.0 to 89.4), detectable with 80 % power 44.0, E-value 1.94, E-value of the limit
      1.50.
    - In numbers: person-days exposed 279,474, unexposed 1,100,320, leavers exposed 252, unexposed 770,
      effective number of leavers compared with 410.2.
    - Flags: leaves_at_once.
    - Intervals: 90 %. Rates: exact Poisson (Garwood); excess: MOVER of those; adjusted rate ratio:
      Mantel-Haenszel for person-time over segment × tenure × month (Greenland and Robins).

    What this is not
    - Customers were compared, nobody was assigned to a journey: "if the journey is the cause" stands
      beside every excess.
    - Like customers are of the same segment, have been customers for about as long and are compared in
      the same month; whatever else tells them apart is not accounted for.
    - Whether a customer is on a journey is settled before each day begins, by what the company knew
      then: nobody counts as on it for having stayed long enough to get there.
    - Customers are on several journeys at once, so excesses of different journeys overlap and are never
      added.
    "#);
    for journey in ["helping", "paying", "waiting", "praising", "moving"] {
        let said = said(&workspace, journey);
        let (for_planners, _) = said.split_once("For analysts").expect("a chapter for analysts");
        for word in ["andmark", "xposed", "dds ratio", "trat", "q 0", "95 %", "ertainly", "ecause of"] {
            assert!(!for_planners.contains(word), "a planner reads `{word}`: {for_planners}");
        }
    }
}

#[test]
fn what_is_not_seen_is_not_called_none_and_signs_are_right() {
    let workspace = hand_made();
    assert_said(
        &said(&workspace, "paying"),
        &[
            "Unclear in 2026-Q3: what is seen may be chance. Not seen is not none: an excess of 81 customers or more in the \
             quarter would have been seen about four times in five; a smaller one may be there, as far as the brackets \
             reach.",
            "Of 100 customers on paying, 5.9 left within 90 days; of like customers who were not, 6.0. That is 4 fewer in the \
             quarter (between 61 fewer and 52 more), if the journey is the cause.",
            "Number 2 of 4 ranked in 2026-Q3, all segments. Unclear journeys come after the harmful ones, by the excess that \
             they may have at most: here 52. Next comes waiting with 38.",
        ],
    );
    assert_said(
        &said(&workspace, "waiting"),
        &[
            "Unclear in 2026-Q3: more of its customers leave than of like ones, but it goes with helping: among customers \
             equally on all other journeys, what is left to it may be chance (they leave 1.02 (0.79 to 1.31) times as often).",
            "That is 20 more in the quarter (3 to 38), if the journey is the cause.",
        ],
    );
    assert_said(
        &said(&workspace, "praising"),
        &[
            "Protective in 2026-Q3: while customers are on it, and up to 90 days after, fewer of them leave than of like \
             customers, beyond chance.",
            "Of 100 customers on praising, 2.8 left within 90 days; of like customers who were not, 5.9. That is 24 fewer in \
             the quarter (10 to 40), if the journey is the cause.",
            "A cause we do not see would have to make being on it at least 3.6-fold (E-value; 1.9-fold for the limit nearer to \
             none) as likely and leaving as many times less likely to explain it away.",
            "Protective journeys come last.",
        ],
    );
}

#[test]
fn what_is_not_ranked_says_why_and_when_it_last_was() {
    let workspace = hand_made();
    assert_said(
        &said(&workspace, "moving"),
        &[
            "Not ranked in 2026-Q3: fewer than 100 customers were on it.",
            "That is 1.3 more in the quarter (between 1.2 fewer and 6.4 more), if the journey is the cause.",
            "Asked for are at least 100 customers on it, 10 of them leaving, and others who leave worth 10 to compare with; \
             there are 61 customers, 4 of whom left, and others worth 30.0.",
            "The newest quarter in which it is ranked is 2026-Q2, number 3, unclear. Of 100 customers on moving, 11.0 left \
             within 90 days",
        ],
    );
    let running = said(&workspace, "helping --period 2026-Q4");
    assert_said(
        &running,
        &[
            "Not ranked in 2026-Q4: 10_of_92_days.",
            "The newest quarter in which it is ranked is 2026-Q3, number 1, harmful.",
        ],
    );
}

#[test]
fn a_period_is_asked_for_by_its_name() {
    let workspace = hand_made();
    let july = said(&workspace, "helping --period 2026-07");
    assert_said(
        &july,
        &[
            "Unclear in 2026-07: what is seen may be chance.",
            "That is 15 more in the month (between 3 fewer and 33 more), if the journey is the cause.",
        ],
    );
    assert_snapshot!(workspace.run("explain helping --period 2026-Q1"), @r#"
    exit 2
    --- stderr
    error: no period `2026-Q1` in `fct_key_journeys`
      = help: did you mean `2026-Q2`? write a quarter or a month; there are: 2026-Q2, 2026-Q3, 2026-Q4; 2026-07
    "#);
    assert_said(
        &said(&workspace, "paying --period 2026-07"),
        &["It has no rank: there are no figures of it in 2026-07."],
    );
    assert_snapshot!(workspace.run("explain helpin"), @r#"
    exit 2
    --- stderr
    error: no journey `helpin`
      = help: did you mean `helping`? published: helping, moving, paying, praising, waiting
    "#);

    // Without the tables beside it, what is not there is said.
    let workspace = Workspace::hand_made(false);
    workspace.run("run --as-of 2026-10-11").ends_with(0);
    assert_said(
        &said(&workspace, "helping"),
        &[
            "Harmful in 2026-Q3",
            "Not available by days: the pipeline publishes no fct_key_journeys_profile.",
            "Missing, performance: the pipeline publishes no fct_journey_performance.",
            "Not available: the pipeline publishes no fct_journey_drivers.",
        ],
    );
}

/// Share as customers of 100, as the program writes it.
fn of_hundred(share: &Value) -> String {
    let of_hundred = share.as_f64().expect("a share") * 100.0;
    if of_hundred < 0.95 { format!("{of_hundred:.2}") } else { format!("{of_hundred:.1}") }
}

#[test]
fn the_words_and_the_facts_are_those_of_the_table() {
    let workspace = Workspace::of_the_repository();
    workspace.run("sample --customers 2000 --out data/lake").ends_with(0);
    let run = workspace.run("run --as-of 2026-10-01").ends_with(0);
    assert!(run.stderr.contains("Key journeys in 2026-Q3, all segments"), "{run}");
    let rows = workspace.run_with(
        &[
            "query",
            "SELECT journey, status, tier, rank, exposed_customers, exposed_leavers, exposed_churn_rate, like_churn_rate, \
             excess_churners, adjusted_rate_ratio FROM fct_key_journeys \
             WHERE segment = 'all' AND period = '2026-Q3' ORDER BY journey",
            "--format",
            "json",
        ],
        &[],
    );
    let (mut ranked, mut unranked) = (0, 0);
    for row in rows.ends_with(0).stdout.lines() {
        let row: Value = serde_json::from_str(row).expect("one object a line");
        let journey = row["journey"].as_str().expect("a name");
        let json = workspace.run(&format!("explain {journey} --format json")).ends_with(0).stdout;
        let facts: Value = serde_json::from_str(&json).expect("one JSON object");
        let period = &facts["period"];
        assert_eq!((&facts["journey"], &period["period"]), (&row["journey"], &Value::from("2026-Q3")));
        for figure in ["status", "exposed_customers", "exposed_leavers", "rank"] {
            assert_eq!(period.get(figure), Some(row.get(figure).unwrap_or(&Value::Null)), "{figure} of {journey}");
        }
        for figure in ["exposed_churn_rate", "like_churn_rate", "excess_churners", "adjusted_rate_ratio"] {
            let published = row.get(figure).unwrap_or(&Value::Null);
            assert_eq!(&period[figure]["value"], published, "{figure} of {journey}");
        }
        let words = said(&workspace, journey);
        if row["status"] == "ok" {
            ranked += 1;
            let tier = row["tier"].as_str().expect("a tier");
            let begins = format!("In short - {}{} in 2026-Q3", tier[..1].to_uppercase(), &tier[1..]);
            let rates = format!(
                "Of 100 customers on {journey}, {} left within 90 days; of like customers who were not, {}. That is ",
                of_hundred(&row["exposed_churn_rate"]),
                of_hundred(&row["like_churn_rate"])
            );
            assert_said(&words, &[&begins, &rates, &format!("Number {} of ", row["rank"])]);
        } else {
            unranked += 1;
            assert_said(&words, &["Not ranked in 2026-Q3: "]);
        }
    }
    assert!(ranked > 2 && unranked > 0, "{ranked} ranked, {unranked} not");
}

#[test]
fn before_a_run_the_command_to_run_is_named() {
    let workspace = Workspace::of_the_repository();
    assert_snapshot!(workspace.run("explain onboarding"), @"
    exit 2
    --- stderr
    error: nothing is published yet in data/warehouse
      = help: make the tables first: throughline run
    ");
    let workspace = Workspace::tiny();
    workspace.run("run --as-of 2024-02-10").ends_with(0);
    assert_snapshot!(workspace.run("explain asking"), @"
    exit 2
    --- stderr
    error: `fct_key_journeys` is not published in tiny
      = help: make it first: throughline run --select +fct_key_journeys
    ");
}
