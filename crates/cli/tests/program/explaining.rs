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
    - It is number 1 of 4 ranked journeys at landmark 2026-07-01 (2026-Q2), all segments.
    - By the data it is number 1 of 4. What counts is the lower limit of its excess churners, here 11:
      volume, strength and certainty in one figure, customers. Next comes technical_repair with -5.
    - Experts give it 5 of 5 ("Every customer meets it every month"), number 1 of 4 judged.
    - Priority 1.00 = 0.7 × 1.00 (data) + 0.3 × 1.00 (experts), each rank scaled from 1 for the first to
      0 for the last. Data and experts both put it in their top third.
    - The landmark 2026-10-01 (its outcome window runs until 2026-12-30) is not counted: the outcome
      window is not over or its churn is not complete.

    Who was compared with whom
    - Exposed: 971 customers of that day who had started the journey before 2026-07-01 from 2026-04-02
      on.
    - Unexposed: 361 who could have been on it and had no touchpoint of it in that time.
    - Left out: 14 carried over, who were on it but had started earlier, and 1 lost from sight before
      the outcome was known; together with the above that is all 1,347 eligible.
    - Everybody who was a customer at the landmark could have been on it.
    - 2,638 instances of 1,012 customers had started in the window; who left before the landmark is no
      customer at it.
    - Left means: between 2026-07-01 and 2026-09-29.

    Who left
    - 68 of 971 (7.0 %, 5.6 to 8.8) of the exposed left, 23 of 361 (6.4 %, 4.3 to 9.4) of the unexposed;
      in brackets the share with its 95 % interval.
    - A difference of 0.6 (-2.7 to 3.4) percentage points.
    - The odds of leaving are 1.11 (0.68 to 1.80) times those of the others, and 2.21 (1.12 to 4.36)
      times at the same segment and tenure. They are more than a fifth apart: who is on the journey
      hides part of the difference.
    - 37 churners more than at the rate of the unexposed of the same segment and tenure (11 to 63), 40 %
      of the 91 churners compared, if the journey is the cause.
    - At what was billed to the exposed of each stratum in the exposure window, that is 8,884 of
      revenue.

    How sure that is
    - p 0.021 by itself; q 0.085 among the 4 journeys ranked at this landmark (Benjamini-Hochberg): of
      all called linked at q below 0.05, at most that share is expected to be false. This one is not: it
      may be chance.
    - q controls false findings within one landmark and all segments; looking at many landmarks or
      segments and picking the best is not covered.

    What to mind
    - confounded: odds ratio 1.11 crude and 2.21 adjusted lie more than 20 % apart; read the adjusted
      one, and mind that only segment and tenure are adjusted for.

    How it performs
    - 2026-Q3: 2,792 instances started, of them 2,313 completed, 27 run out of time, 99 begun anew, 353
      open; no completion rate yet, 353 of 2792 instances are still open.
    - 2026-Q3: half of the 2,313 completed took 10 days or less, nine of ten within 18 days; target 14
      days.
    - 2026-Q3: 0.0 contacts an instance (0 in 2,792 instances).
    - 2026-Q3: satisfaction cannot be compared, there are no answers about the journey or none about its
      touchpoints.
    - 2026-Q2: 2,667 instances started, of them 2,517 completed, 21 run out of time, 129 begun anew;
      completion 94.4 %, 93.4 to 95.2, target 98 %.
    - 2026-Q2: half of the 2,517 completed took 10 days or less, nine of ten within 18 days; target 14
      days.
    - 2026-Q2: 0.0 contacts an instance (0 in 2,667 instances).
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
      and 10 churners in either arm are asked for; there are 31 exposed with 9 churners and 1,309
      unexposed with 84.
    - The landmark 2026-10-01 (its outcome window runs until 2026-12-30) is not counted: the outcome
      window is not over or its churn is not complete.

    Who was compared with whom
    - Exposed: 31 customers of that day who had started the journey before 2026-07-01 from 2026-04-02
      on.
    - Unexposed: 1,309 who could have been on it and had no touchpoint of it in that time.
    - Left out: 6 carried over, who were on it but had started earlier, and 1 lost from sight before the
      outcome was known; together with the above that is all 1,347 eligible.
    - Everybody who was a customer at the landmark could have been on it.
    - 32 instances of 32 customers had started in the window; who left before the landmark is no
      customer at it.
    - Left means: between 2026-07-01 and 2026-09-29.

    Who left
    - 9 of 31 (29.0 %, 16.1 to 46.6) of the exposed left, 84 of 1,309 (6.4 %, 5.2 to 7.9) of the
      unexposed; in brackets the share with its 95 % interval.
    - A difference of 22.6 (9.6 to 40.2) percentage points.
    - The odds of leaving are 5.97 (2.66 to 13.36) times those of the others, and 5.73 (2.36 to 13.92)
      times at the same segment and tenure. They are close: segment and tenure explain little of it.
    - 7 churners more than at the rate of the unexposed of the same segment and tenure (3 to 10), 7 % of
      the 93 churners compared, if the journey is the cause.
    - At what was billed to the exposed of each stratum in the exposure window, that is 923 of revenue.

    How sure that is
    - p below 0.001 by itself; there is no q, because only journeys with status ok are tested together.
    - q controls false findings within one landmark and all segments; looking at many landmarks or
      segments and picking the best is not covered.
    - Small sample: fewer than 100 exposed, so the figures are shown but not ranked.

    What to mind
    - No flag is raised: crude and adjusted odds ratios agree, few left in the first days, hardly
      anybody was lost from sight or cannot be compared, and the strata do not differ beyond chance.

    How it performs
    - 2026-Q3: 20 instances started, of them 11 completed, 1 given up, 1 run out of time, 7 open; no
      completion rate yet, 7 of 20 instances are still open.
    - 2026-Q3: half of the 11 completed took 23 days or less, nine of ten within 38 days.
    - 2026-Q3: 2.9 contacts an instance (58 in 20 instances), 26 % of them about a topic that already
      had one within seven days.
    - 2026-Q3: touchpoints score 91.7 of 100 (27 answers), the journey 61.3 (8 answers) (target 75), a
      gap of 30.4; satisfied at every touchpoint asked about were 17 of 17 instances, with the journey
      as a whole 1 of 8.
    - 2026-Q2: 33 instances started, of them 28 completed, 1 given up, 4 run out of time; completion
      84.8 %, 69.1 to 93.3, target 95 %.
    - 2026-Q2: half of the 28 completed took 25 days or less, nine of ten within 35 days.
    - 2026-Q2: 3.5 contacts an instance (116 in 33 instances), 38 % of them about a topic that already
      had one within seven days.
    - 2026-Q2: touchpoints score 87.5 of 100 (44 answers), the journey 53.3 (12 answers) (target 75), a
      gap of 34.2; satisfied at every touchpoint asked about were 24 of 25 instances, with the journey
      as a whole 4 of 12.

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
