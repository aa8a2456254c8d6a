//! `explain` on a small real run, word for word.

use insta::assert_snapshot;
use serde_json::Value;

use crate::workspace::Workspace;

fn published() -> Workspace {
    let workspace = Workspace::of_the_repository();
    workspace.run("sample --customers 2000 --out data/lake").ends_with(0);
    workspace.run("run --as-of 2026-10-01").ends_with(0);
    workspace
}

#[test]
fn a_rank_is_explained_in_plain_words() {
    let workspace = published();
    assert_snapshot!(workspace.run("explain paying_a_bill"), @r#"
    exit 0
    --- stdout
    paying_a_bill, Paying a bill (owner: billing), from the tables as of 2026-10-01

    Its rank
    - It is number 4 of 4 ranked journeys at landmark 2026-07-01 (2026-Q2), all segments.
    - By the data it is number 4 of 4. What counts is the lower limit of its excess churners, here -46:
      volume, strength and certainty in one figure, customers.
    - Experts give it 5 of 5 ("Every customer meets it every month"), number 1 of 4 judged.
    - Priority 0.30 = 0.7 × 0.00 (data) + 0.3 × 1.00 (experts), each rank scaled from 1 for the first to
      0 for the last. The experts put it in their top third, the data does not.
    - The landmark 2026-10-01 (its outcome window runs until 2026-12-30) is not counted: the outcome
      window is not over or its churn is not complete.

    Who was compared with whom
    - Exposed: 986 customers of that day who had started the journey before 2026-07-01 from 2026-04-02
      on.
    - Unexposed: 332 who could have been on it and had no touchpoint of it in that time.
    - Left out: 21 carried over, who were on it but had started earlier, and 5 lost from sight before
      the outcome was known; together with the above that is all 1,344 eligible.
    - Everybody who was a customer at the landmark could have been on it.
    - 2,723 instances of 1,056 customers had started in the window; who left before the landmark is no
      customer at it.
    - Left means: between 2026-07-01 and 2026-09-29.

    Who left
    - 69 of 986 (7.0 %, 5.6 to 8.8) of the exposed left, 27 of 332 (8.1 %, 5.6 to 11.6) of the
      unexposed; in brackets the share with its 95 % interval.
    - A difference of -1.1 (-4.9 to 1.9) percentage points.
    - The odds of leaving are 0.85 (0.53 to 1.35) times those of the others, and 0.89 (0.53 to 1.48)
      times at the same segment and tenure. They are close: segment and tenure explain little of it. The
      adjusted interval holds 1, no difference at all.
    - 10 churners fewer than at the rate of the unexposed of the same segment and tenure (-46 to 25), if
      the journey is the cause.
    - At what was billed to the exposed of each stratum in the exposure window, that is -2,786 of
      revenue.

    How sure that is
    - p 0.643 by itself; q 0.994 among the 4 journeys ranked at this landmark (Benjamini-Hochberg): of
      all called linked at q below 0.05, at most that share is expected to be false. This one is not: it
      may be chance.
    - q controls false findings within one landmark and all segments; looking at many landmarks or
      segments and picking the best is not covered.

    What to mind
    - sparse_strata: 214 of the 986 exposed are in strata whose unexposed all stayed or all left; what
      is expected of them looks more certain than it is, and the interval of the excess is too narrow.

    How it performs
    - 2026-Q3: 2,821 instances started, of them 2,315 completed, 16 run out of time, 112 begun anew, 378
      open; no completion rate yet, 378 of 2821 instances are still open.
    - 2026-Q3: half of the 2,315 completed took 9 days or less, nine of ten within 17 days; target 14
      days.
    - 2026-Q3: 0.0 contacts an instance (0 in 2,821 instances).
    - 2026-Q3: satisfaction cannot be compared, there are no answers about the journey or none about its
      touchpoints.
    - 2026-Q2: 2,756 instances started, of them 2,557 completed, 33 run out of time, 166 begun anew;
      completion 92.8 %, 91.8 to 93.7, target 98 %.
    - 2026-Q2: half of the 2,557 completed took 10 days or less, nine of ten within 18 days; target 14
      days.
    - 2026-Q2: 0.0 contacts an instance (0 in 2,756 instances).
    - 2026-Q2: satisfaction cannot be compared, there are no answers about the journey or none about its
      touchpoints.

    Journey or touchpoints
    - No verdict (insufficient): too few customers with both scores, or too few of them who churned or
      stayed; 0 exposed customers with both scores at landmark 2026-07-01, 0 of whom left.

    What this is not
    - Customers were compared, nobody was assigned to a journey: "if causal" stands beside every excess.
    - Never "ever exposed": who is exposed is settled at the landmark and churn is counted after it, so
      the time a customer had to survive to get onto the journey is not taken for an effect of it
      (immortal time).
    - Nothing that became known after the landmark counts as exposure.
    "#);
    // Too few were on it, and the landmark after has not matured.
    assert_snapshot!(workspace.run("explain moving_house"), @r#"
    exit 0
    --- stdout
    moving_house, Moving house (owner: customer-operations), from the tables as of 2026-10-01

    Its rank
    - It has no rank at landmark 2026-07-01: fewer than 100 exposed. At least 100 exposed, 100 unexposed
      and 10 churners in either arm are asked for; there are 26 exposed with 4 churners and 1,310
      unexposed with 93.
    - The landmark 2026-10-01 (its outcome window runs until 2026-12-30) is not counted: the outcome
      window is not over or its churn is not complete.

    Who was compared with whom
    - Exposed: 26 customers of that day who had started the journey before 2026-07-01 from 2026-04-02
      on.
    - Unexposed: 1,310 who could have been on it and had no touchpoint of it in that time.
    - Left out: 3 carried over, who were on it but had started earlier, and 5 lost from sight before the
      outcome was known; together with the above that is all 1,344 eligible.
    - Everybody who was a customer at the landmark could have been on it.
    - 26 instances of 26 customers had started in the window; who left before the landmark is no
      customer at it.
    - Left means: between 2026-07-01 and 2026-09-29.

    Who left
    - 4 of 26 (15.4 %, 6.2 to 33.5) of the exposed left, 93 of 1,310 (7.1 %, 5.8 to 8.6) of the
      unexposed; in brackets the share with its 95 % interval.
    - A difference of 8.3 (-1.1 to 26.5) percentage points.
    - The odds of leaving are 2.38 (0.80 to 7.05) times those of the others, and 2.38 (0.81 to 6.98)
      times at the same segment and tenure. They are close: segment and tenure explain little of it. The
      adjusted interval holds 1, no difference at all.
    - 2 churners more than at the rate of the unexposed of the same segment and tenure (0 to 5), 2 % of
      the 97 churners compared, if the journey is the cause.
    - At what was billed to the exposed of each stratum in the exposure window, that is -121 of revenue.

    How sure that is
    - p 0.098 by itself; there is no q, because only journeys with status ok are tested together.
    - q controls false findings within one landmark and all segments; looking at many landmarks or
      segments and picking the best is not covered.
    - Small sample: fewer than 100 exposed, so the figures are shown but not ranked.

    What to mind
    - strata_differ: one odds ratio does not fit all strata (Breslow-Day p 0.009); those with most
      exposed: family [365, 1095) days: 0 of 7 exposed left (0 %), 14 of 152 others (9 %); family [1095,
      inf) days: 1 of 5 exposed left (20 %), 6 of 170 others (4 %); family [90, 365) days: 2 of 3
      exposed left (67 %), 7 of 90 others (8 %); business [90, 365) days: 0 of 2 exposed left (0 %), 3
      of 43 others (7 %).

    How it performs
    - 2026-Q3: 25 instances started, of them 15 completed, 1 given up, 2 run out of time, 7 open; no
      completion rate yet, 7 of 25 instances are still open.
    - 2026-Q3: half of the 15 completed took 18 days or less, nine of ten within 26 days.
    - 2026-Q3: 2.6 contacts an instance (64 in 25 instances), 34 % of them about a topic that already
      had one within seven days.
    - 2026-Q3: touchpoints score 85.2 of 100 (22 answers), the journey 61.4 (7 answers) (target 75), a
      gap of 23.8; satisfied at every touchpoint asked about were 15 of 15 instances, with the journey
      as a whole 1 of 7.
    - 2026-Q2: 26 instances started, of them 22 completed, 4 run out of time; completion 84.6 %, 66.5 to
      93.8, target 95 %.
    - 2026-Q2: half of the 22 completed took 25 days or less, nine of ten within 32 days.
    - 2026-Q2: 3.8 contacts an instance (98 in 26 instances), 37 % of them about a topic that already
      had one within seven days.
    - 2026-Q2: touchpoints score 87.5 of 100 (32 answers), the journey 57.1 (7 answers) (target 75), a
      gap of 30.4; satisfied at every touchpoint asked about were 18 of 20 instances, with the journey
      as a whole 0 of 7.

    Journey or touchpoints
    - No verdict (insufficient): too few customers with both scores, or too few of them who churned or
      stayed; 6 exposed customers with both scores at landmark 2026-07-01, 1 of whom left.

    What this is not
    - Customers were compared, nobody was assigned to a journey: "if causal" stands beside every excess.
    - Never "ever exposed": who is exposed is settled at the landmark and churn is counted after it, so
      the time a customer had to survive to get onto the journey is not taken for an effect of it
      (immortal time).
    - Nothing that became known after the landmark counts as exposure.
    "#);
    assert_snapshot!(workspace.run("explain onbording"), @"
    exit 2
    --- stderr
    error: no journey `onbording`
      = help: did you mean `onboarding`? published: billing_dispute, contract_renewal, finding_help, moving_house, onboarding, paying_a_bill, plan_upgrade, technical_repair
    ");

    let json = workspace.run("explain paying_a_bill --format json").ends_with(0);
    let facts: Value = serde_json::from_str(&json.stdout).expect("one JSON object");
    assert_eq!(facts["journey"], "paying_a_bill");
    let landmark = &facts["landmark"];
    let published = workspace.query(
        "SELECT a, exposed, adjusted_odds_ratio FROM fct_key_journeys \
         WHERE journey = 'paying_a_bill' AND segment = 'all' AND landmark = '2026-07-01'",
    );
    let row = format!(
        "{},{},{}",
        landmark["exposed_churners"], landmark["exposed"], landmark["adjusted_odds_ratio"]["value"]
    );
    assert_eq!(published.stdout.lines().nth(1), Some(row.as_str()), "the same figures as in the table");
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
