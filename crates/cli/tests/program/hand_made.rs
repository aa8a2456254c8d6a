//! A workspace whose key journeys are written by hand: every tier and status, in two quarters, one that runs, a month.

use crate::workspace::Workspace;

const PIPELINE: &str = "pipelines/hand_made.yaml";

/// The columns of the hand-made `fct_key_journeys` and their types; `counted_at` lets a snapshot see what had been.
const COLUMNS: &[(&str, &str)] = &[
    ("counted_at", "timestamp"),
    ("period_kind", "string"),
    ("period", "string"),
    ("period_start", "timestamp"),
    ("period_end", "timestamp"),
    ("journey", "string"),
    ("segment", "string"),
    ("status", "string"),
    ("reason", "string"),
    ("tier", "string"),
    ("rank", "int64"),
    ("rank_before", "int64"),
    ("flags", "string"),
    ("leaves_at_once", "boolean"),
    ("goes_with", "string"),
    ("is_inseparable", "boolean"),
    ("exposed_customers", "int64"),
    ("exposed_days", "int64"),
    ("unexposed_days", "int64"),
    ("exposed_leavers", "int64"),
    ("unexposed_leavers", "int64"),
    ("leavers", "int64"),
    ("effective_leavers", "float64"),
    ("exposed_churn_rate", "float64"),
    ("like_churn_rate", "float64"),
    ("adjusted_rate_ratio", "float64"),
    ("adjusted_rate_ratio_lower", "float64"),
    ("adjusted_rate_ratio_upper", "float64"),
    ("mutual_rate_ratio", "float64"),
    ("mutual_rate_ratio_lower", "float64"),
    ("mutual_rate_ratio_upper", "float64"),
    ("excess_churners", "float64"),
    ("excess_churners_lower", "float64"),
    ("excess_churners_upper", "float64"),
    ("smallest_detectable_excess", "float64"),
    ("p_value", "float64"),
    ("q_value", "float64"),
    ("e_value", "float64"),
    ("e_value_limit", "float64"),
    ("excess_revenue", "float64"),
    ("excess_revenue_lower", "float64"),
    ("excess_revenue_upper", "float64"),
    ("excess_change", "float64"),
    ("excess_change_lower", "float64"),
    ("excess_change_upper", "float64"),
    ("excess_change_volume", "float64"),
    ("excess_change_volume_lower", "float64"),
    ("excess_change_volume_upper", "float64"),
    ("excess_change_mix", "float64"),
    ("excess_change_mix_lower", "float64"),
    ("excess_change_mix_upper", "float64"),
    ("excess_change_exposed_rate", "float64"),
    ("excess_change_exposed_rate_lower", "float64"),
    ("excess_change_exposed_rate_upper", "float64"),
    ("excess_change_unexposed_rate", "float64"),
    ("excess_change_unexposed_rate_lower", "float64"),
    ("excess_change_unexposed_rate_upper", "float64"),
];

const Q2: &str = "counted_at=2026-06-30 period_kind=quarter period=2026-Q2 period_start=2026-04-01 \
    period_end=2026-07-01 segment=all";
const Q3: &str = "counted_at=2026-09-30 period_kind=quarter period=2026-Q3 period_start=2026-07-01 \
    period_end=2026-10-01 segment=all";
const Q4: &str = "counted_at=2026-10-10 period_kind=quarter period=2026-Q4 period_start=2026-10-01 \
    period_end=2027-01-01 segment=all status=running";
const JULY: &str = "counted_at=2026-07-31 period_kind=month period=2026-07 period_start=2026-07-01 \
    period_end=2026-08-01 segment=all";

/// A row a line: the period, then what is said of a journey in it.
const ROWS: &[(&str, &str)] = &[
    (
        Q2,
        "journey=helping status=ok tier=harmful rank=2 exposed_customers=3900 exposed_days=260000 exposed_leavers=220 \
         exposed_churn_rate=0.0762 like_churn_rate=0.0599 adjusted_rate_ratio=1.27 adjusted_rate_ratio_lower=1.1 \
         adjusted_rate_ratio_upper=1.47 excess_churners=47 excess_churners_lower=18 excess_churners_upper=75 \
         q_value=0.002",
    ),
    (
        Q3,
        "journey=helping status=ok tier=harmful rank=1 rank_before=2 flags=leaves_at_once leaves_at_once=true \
         exposed_customers=4216 \
         exposed_days=279474 unexposed_days=1100320 exposed_leavers=252 unexposed_leavers=770 leavers=1030 \
         effective_leavers=410.2 exposed_churn_rate=0.08115 like_churn_rate=0.06215 adjusted_rate_ratio=1.31 \
         adjusted_rate_ratio_lower=1.14 adjusted_rate_ratio_upper=1.51 mutual_rate_ratio=1.28 \
         mutual_rate_ratio_lower=1.1 mutual_rate_ratio_upper=1.49 excess_churners=59 excess_churners_lower=28 \
         excess_churners_upper=89.4 smallest_detectable_excess=44 p_value=0.0002 q_value=0.0008 e_value=1.94 \
         e_value_limit=1.5 excess_revenue=23456 excess_revenue_lower=11000 excess_revenue_upper=36000 excess_change=12 \
         excess_change_lower=-30 excess_change_upper=54 excess_change_volume=5 excess_change_volume_lower=2 \
         excess_change_volume_upper=8 excess_change_mix=1 excess_change_mix_lower=-1 excess_change_mix_upper=3 \
         excess_change_exposed_rate=10 excess_change_exposed_rate_lower=-12 excess_change_exposed_rate_upper=32 \
         excess_change_unexposed_rate=-4 excess_change_unexposed_rate_lower=-9 excess_change_unexposed_rate_upper=1",
    ),
    (
        Q3,
        "journey=paying status=ok tier=unclear rank=2 exposed_customers=9100 exposed_days=500000 exposed_leavers=330 \
         exposed_churn_rate=0.0594 like_churn_rate=0.0601 adjusted_rate_ratio=0.99 adjusted_rate_ratio_lower=0.8 \
         adjusted_rate_ratio_upper=1.22 excess_churners=-4 excess_churners_lower=-61 excess_churners_upper=52 \
         smallest_detectable_excess=81 p_value=0.9 q_value=0.9 e_value=1.1 e_value_limit=1",
    ),
    (
        Q3,
        "journey=waiting status=ok tier=unclear rank=3 goes_with=helping exposed_customers=1200 exposed_days=80000 \
         exposed_leavers=80 exposed_churn_rate=0.09 like_churn_rate=0.0675 adjusted_rate_ratio=1.33 \
         adjusted_rate_ratio_lower=1.05 adjusted_rate_ratio_upper=1.68 mutual_rate_ratio=1.02 \
         mutual_rate_ratio_lower=0.79 mutual_rate_ratio_upper=1.31 excess_churners=20 excess_churners_lower=3 \
         excess_churners_upper=38 smallest_detectable_excess=25 p_value=0.01 q_value=0.02 e_value=2 e_value_limit=1.2",
    ),
    (
        Q3,
        "journey=praising status=ok tier=protective rank=4 exposed_customers=800 exposed_days=70000 exposed_leavers=22 \
         exposed_churn_rate=0.02829 like_churn_rate=0.0591 adjusted_rate_ratio=0.48 adjusted_rate_ratio_lower=0.3 \
         adjusted_rate_ratio_upper=0.75 excess_churners=-24 excess_churners_lower=-40 excess_churners_upper=-9.6 \
         smallest_detectable_excess=22 p_value=0.001 q_value=0.003 e_value=3.6 e_value_limit=1.9",
    ),
    (
        Q2,
        "journey=moving status=ok tier=unclear rank=3 exposed_customers=120 exposed_days=9000 exposed_leavers=11 \
         exposed_churn_rate=0.11 like_churn_rate=0.06 adjusted_rate_ratio=1.8 adjusted_rate_ratio_lower=0.9 \
         adjusted_rate_ratio_upper=3.4 excess_churners=5 excess_churners_lower=-1 excess_churners_upper=12 \
         smallest_detectable_excess=9.4 q_value=0.2",
    ),
    (
        Q3,
        "journey=moving status=insufficient reason=too_few exposed_customers=61 exposed_days=4000 exposed_leavers=4 \
         effective_leavers=30 exposed_churn_rate=0.09 like_churn_rate=0.06 excess_churners=1.3 excess_churners_lower=-1.2 \
         excess_churners_upper=6.4",
    ),
    (
        Q4,
        "journey=helping reason=10_of_92_days exposed_customers=4100 exposed_days=30000 exposed_leavers=24 \
         exposed_churn_rate=0.072 like_churn_rate=0.06 excess_churners=4 excess_churners_lower=-5 \
         excess_churners_upper=14",
    ),
    (
        JULY,
        "journey=helping status=ok tier=unclear rank=1 exposed_customers=3000 exposed_days=90000 exposed_leavers=80 \
         exposed_churn_rate=0.08 like_churn_rate=0.065 adjusted_rate_ratio=1.23 adjusted_rate_ratio_lower=0.96 \
         adjusted_rate_ratio_upper=1.58 excess_churners=15 excess_churners_lower=-3 excess_churners_upper=33 \
         smallest_detectable_excess=26 q_value=0.1",
    ),
];

const PIPELINE_HEAD: &str = "\
name: hand_made
owner: tests
start: 2024-01-01
warehouse: ${WAREHOUSE:-warehouse}
variables:
  confidence: 0.9
  false_discovery_rate: 0.05
  currency: EUR
sources:
";

const MODELS: &str = "\
models:
  fct_key_journeys:
    sql: sql/fct_key_journeys.sql
    materialized: table
    grain: [period_kind, period_start, journey, segment]
";

const PROFILE: &str = "  fct_key_journeys_profile:
    sql: sql/profile.sql
    materialized: table
    grain: [journey, since_touchpoint]
  fct_key_journeys_together:
    sql: sql/together.sql
    materialized: table
    grain: [period_kind, period_start]
";

const PROFILE_SQL: &str = "\
-- One row: days since the latest touchpoint.
SELECT
    'quarter' AS period_kind,
    CAST('2026-07-01' AS TIMESTAMP) AS period_start,
    'helping' AS journey,
    'all' AS segment,
    column1 AS since_touchpoint,
    column2 AS leavers,
    column3 AS adjusted_rate_ratio,
    column4 AS adjusted_rate_ratio_lower,
    column5 AS adjusted_rate_ratio_upper
FROM (VALUES ('30-90', 90, 1.04, 0.8, 1.35), ('0-7', 100, 2.1, 1.6, 2.75), ('7-30', 62, 1.2, 0.9, 1.6))
";

const TOGETHER_SQL: &str = "\
-- One row: what the harmful journeys of a period make jointly.
SELECT
    'quarter' AS period_kind,
    CAST('2026-07-01' AS TIMESTAMP) AS period_start,
    'helping, waiting' AS journeys,
    951.0 AS expected,
    79.0 AS excess,
    31.0 AS excess_lower,
    127.0 AS excess_upper,
    1030 AS leavers
";

fn figures() -> String {
    let mut text = COLUMNS.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(",");
    text.push('\n');
    for (period, figures) in ROWS {
        let values: Vec<(&str, &str)> = period
            .split_whitespace()
            .chain(figures.split_whitespace())
            .filter_map(|pair| pair.split_once('='))
            .collect();
        let known = |name: &str| COLUMNS.iter().any(|(column, _)| *column == name);
        assert!(values.iter().all(|(name, _)| known(name)), "{values:?}");
        let cell = |(name, kind): &(&str, &str)| {
            let value = values.iter().find(|(other, _)| other == name).map_or("", |(_, value)| value);
            if *kind == "timestamp" { format!("{value}T00:00:00Z") } else { value.to_owned() }
        };
        text.push_str(&COLUMNS.iter().map(cell).collect::<Vec<_>>().join(","));
        text.push('\n');
    }
    text
}

impl Workspace {
    /// Key journeys written by hand, nothing run yet; with the profile and what they make together where asked for.
    pub(crate) fn hand_made(with_sisters: bool) -> Self {
        let workspace = Self::empty();
        let columns: String = COLUMNS.iter().map(|(name, kind)| format!("      {name}: {kind}\n")).collect();
        let source = format!(
            "  figures:\n    path: data/figures.csv\n    format: csv\n    columns:\n{columns}    time_column: counted_at\n"
        );
        let sisters = if with_sisters { PROFILE } else { "" };
        workspace.put(PIPELINE, format!("{PIPELINE_HEAD}{source}{MODELS}{sisters}"));
        workspace.put("data/figures.csv", figures());
        let columns: Vec<&str> = COLUMNS.iter().map(|(name, _)| *name).filter(|name| *name != "counted_at").collect();
        workspace.put(
            "sql/fct_key_journeys.sql",
            format!("-- One row: a journey in a period.\nSELECT {} FROM figures\n", columns.join(", ")),
        );
        workspace.put("sql/profile.sql", PROFILE_SQL);
        workspace.put("sql/together.sql", TOGETHER_SQL);
        workspace
    }
}
