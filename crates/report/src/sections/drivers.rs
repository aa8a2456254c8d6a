//! Which scores explain leaving better, of the journey or of its touchpoints, and how satisfaction goes with leaving.

use throughline_engine::{EngineError, Estimate, Figures};

use crate::block::{Block, Figure, Picture, Section};
use crate::chart::{Chart, IntervalMark, IntervalRow, Scale, Series, Unit};
use crate::context::Context;
use crate::numbers::{interval, small, whole};
use crate::table::Table;

const COLUMNS: [&str; 12] = [
    "journey",
    "landmark",
    "status",
    "verdict",
    "responders",
    "churners",
    "scored_events",
    "touchpoint_auc",
    "journey_auc",
    "auc_difference",
    "journey_beyond_touchpoint_q_value",
    "satisfaction_rate_ratio",
];

const MODELS_HEAD: [&str; 17] = [
    "Journey",
    "Judged as of",
    "#Answered about both",
    "#Of them left",
    "What explains leaving better",
    "#AUC journey score",
    "#AUC touchpoint scores",
    "#Difference",
    "#q journey adds",
    "#q touchpoints add",
    "#R² controls",
    "#R² + touchpoints",
    "#R² + journey",
    "#R² + both",
    "Touchpoint scores",
    "#Left out",
    "Left out: who all left or all stayed",
];

const SATISFACTION_HEAD: [&str; 8] = [
    "Journey",
    "Judged as of",
    "#Answered",
    "#Correlation with leaving",
    "#Lowest third left",
    "#Highest third left",
    "#Lowest against highest",
    "Why not",
];

pub(crate) async fn section(context: &Context<'_>) -> Result<Section, EngineError> {
    let title = "Journey scores or touchpoint scores";
    let missing =
        |reason: &str| Section::new("drivers", title, vec![Block::missing(format!("Not available: {reason}."))]);
    let rows = match context.rows("fct_journey_drivers", &COLUMNS, &[]).await? {
        Ok(rows) => rows,
        Err(reason) => return Ok(missing(&reason)),
    };
    let known: Vec<&Figures> = rows.iter().filter(|row| row.text("status").as_deref() != Some("not_matured")).collect();
    if known.is_empty() {
        return Ok(missing("it is not yet known who left after the end of any quarter"));
    }
    let mut models = Table::new("What explains leaving among those who answered about both", &MODELS_HEAD);
    let mut satisfaction = Table::new("Satisfaction with the journey, and leaving after it", &SATISFACTION_HEAD);
    let mut drawn = Vec::new();
    for explanation in &context.explanations {
        let label = context.label(&explanation.journey);
        let history = latest_first(&known, &explanation.journey);
        let fitted = history.iter().position(|row| row.text("status").as_deref() == Some("ok"));
        // The latest landmark, and the latest at which the models could be fitted, where that is an earlier one.
        let shown = history.first().into_iter().chain(fitted.filter(|at| *at > 0).and_then(|at| history.get(at)));
        for row in shown {
            models.push(model_cells(&label, row));
        }
        if let Some(row) = history.first() {
            satisfaction.push(satisfaction_cells(&label, row));
        }
        if let Some((row, difference)) =
            fitted.and_then(|at| history.get(at)).and_then(|row| Some((row, row.estimate("auc_difference")?)))
        {
            drawn.push(IntervalRow { label: format!("{label}, {}", period(row)), marks: vec![mark(difference)] });
        }
    }
    let mut blocks = if drawn.is_empty() {
        let text = "At no landmark could the models be fitted; the reasons are in the table.".to_owned();
        vec![Block::Missing { text }, Block::text(NOTE), Block::Table { table: models.only(&[0, 1, 2, 3, 4]) }]
    } else {
        vec![Block::Figure(Figure {
            id: "drivers-figure".to_owned(),
            title: "Which scores tell better who leaves".to_owned(),
            note: NOTE.to_owned(),
            pictures: vec![picture(drawn)],
            table: models,
        })]
    };
    blocks.push(Block::text(SATISFACTION_NOTE));
    blocks.push(Block::Table { table: satisfaction });
    Ok(Section::new("drivers", title, blocks))
}

const NOTE: &str = "At the latest end of a quarter after which it is known who left, or the latest before it at which the \
    models could be fitted. Logistic models of leaving on the same customers, who were on the journey and had answered \
    about it and about its touchpoints before. Controls are segment, tenure and which touchpoints they had answered about. \
    AUC: of one who left and one who stayed, how often the model says which, on the customers it was fitted to, so that \
    all flatter; intervals of the difference are DeLong's. q: likelihood-ratio tests, Benjamini-Hochberg over the journeys. \
    Undecided means that the data do not decide, not that neither matters.";

const SATISFACTION_NOTE: &str = "Satisfaction with the journey as customers had scored it before the end of the quarter, and \
    whether they left in the time after. Lowest against highest: how many times as often the third with the lowest scores \
    leaves as the third with the highest; 1 is as often. Customers with the same score are in the same third. Whether the \
    satisfaction is the cause, no table says.";

/// The rows of a journey.
fn latest_first<'a>(rows: &[&'a Figures], journey: &str) -> Vec<&'a Figures> {
    let mut history: Vec<&Figures> =
        rows.iter().copied().filter(|row| row.text("journey").as_deref() == Some(journey)).collect();
    history.sort_by_key(|row| std::cmp::Reverse(row.instant("landmark")));
    history
}

fn mark(difference: Estimate) -> IntervalMark {
    let text = interval(difference, 3);
    IntervalMark { series: 0, value: difference.value, lower: difference.lower, upper: difference.upper, text }
}

fn picture(rows: Vec<IntervalRow>) -> Picture {
    Picture {
        id: "drivers-picture".to_owned(),
        title: String::new(),
        summary: format!(
            "AUC with the journey score less AUC with the touchpoint scores for {} journeys; right of 0 the journey score \
             tells better who leaves, left of 0 the touchpoint scores.",
            rows.len()
        ),
        chart: Chart::Intervals {
            x_label: "touchpoints tell better ← AUC difference → the journey tells better".to_owned(),
            scale: Scale::Linear,
            unit: Unit::Ratio,
            reference: Some(0.0),
            series: Series::named(&["journey score less touchpoint scores"]),
            rows,
        },
    }
}

fn period(row: &Figures) -> String {
    row.text("landmark_period")
        .map(|period| format!("end of {period}"))
        .or_else(|| row.day("landmark"))
        .unwrap_or_default()
}

/// The verdict in words, with what the reason adds; without one the reason alone.
fn in_words(row: &Figures) -> String {
    let reason = row.text("reason");
    let Some(verdict) = row.text("verdict") else {
        return reason.or_else(|| row.text("status")).unwrap_or_default();
    };
    let words = match verdict.as_str() {
        "journey" => "The score of the journey as a whole",
        "touchpoints" => "The scores of its touchpoints",
        "undecided" => "Undecided",
        other => other,
    };
    reason.map_or_else(|| words.to_owned(), |reason| format!("{words} ({reason})"))
}

fn dash() -> String {
    "–".to_owned()
}

fn model_cells(label: &str, row: &Figures) -> Vec<String> {
    let number = |name: &str| row.number(name).map_or_else(dash, |number| format!("{number:.3}"));
    let q = |name: &str| row.number(name).map_or_else(dash, small);
    let count = |name: &str| row.whole(name).map_or_else(dash, whole);
    vec![
        label.to_owned(),
        period(row),
        count("responders"),
        count("churners"),
        in_words(row),
        number("journey_auc"),
        number("touchpoint_auc"),
        row.estimate("auc_difference").map_or_else(dash, |difference| interval(difference, 3)),
        q("journey_beyond_touchpoint_q_value"),
        q("touchpoint_beyond_journey_q_value"),
        number("controls_r2"),
        number("touchpoint_r2"),
        number("journey_r2"),
        number("both_r2"),
        row.text("scored_events").unwrap_or_else(dash),
        count("left_out_responders"),
        row.text("dropped_controls").unwrap_or_else(dash),
    ]
}

fn satisfaction_cells(label: &str, row: &Figures) -> Vec<String> {
    let of = |left: &str, all: &str| match (row.whole(left), row.whole(all)) {
        (Some(left), Some(all)) => format!("{} of {}", whole(left), whole(all)),
        _ => dash(),
    };
    let estimate = |name: &str| row.estimate(name).map_or_else(dash, |estimate| interval(estimate, 2));
    vec![
        label.to_owned(),
        period(row),
        row.whole("journey_satisfaction_customers").map_or_else(dash, whole),
        estimate("journey_satisfaction_link"),
        of("satisfaction_lowest_churners", "satisfaction_lowest_customers"),
        of("satisfaction_highest_churners", "satisfaction_highest_customers"),
        estimate("satisfaction_rate_ratio"),
        row.text("satisfaction_reason").unwrap_or_default(),
    ]
}
