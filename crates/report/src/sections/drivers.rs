//! Do journey scores explain churn beyond touchpoint scores, and the other way round?

use throughline_engine::{EngineError, Figures};

use crate::block::{Block, Figure, Picture, Section};
use crate::chart::{Chart, IntervalMark, IntervalRow, Scale, Series, Unit};
use crate::context::Context;
use crate::numbers::{interval, small, whole};
use crate::table::Table;

const MODELS: [(&str, &str); 4] = [
    ("controls_r2", "segment and tenure"),
    ("touchpoint_r2", "+ touchpoint scores"),
    ("journey_r2", "+ journey scores"),
    ("both_r2", "+ both"),
];

const COLUMNS: [&str; 9] = [
    "journey",
    "landmark",
    "status",
    "responders",
    "churners",
    "controls_r2",
    "touchpoint_r2",
    "journey_r2",
    "both_r2",
];

const HEAD: [&str; 16] = [
    "Journey",
    "Landmark",
    "#Responders",
    "#Of them left",
    "#R² controls",
    "#+ touchpoints",
    "#+ journey",
    "#+ both",
    "#AUC touchpoints",
    "#AUC journey",
    "#Difference",
    "#p journey adds",
    "#p touchpoints add",
    "Verdict",
    "#Score and leaving",
    "#Lowest against highest third",
];

pub(crate) async fn section(context: &Context<'_>) -> Result<Section, EngineError> {
    let title = "Journey scores or touchpoint scores";
    let missing =
        |reason: &str| Section::new("drivers", title, vec![Block::missing(format!("It cannot be told: {reason}."))]);
    let rows = match context.rows("fct_journey_drivers", &COLUMNS, &[]).await? {
        Ok(rows) => rows,
        Err(reason) => return Ok(missing(&reason)),
    };
    let known = rows.iter().filter(|row| row.text("status").as_deref() != Some("not_matured"));
    let Some(landmark) = known.filter_map(|row| row.day("landmark")).max() else {
        return Ok(missing("nobody's leaving after a quarter's end is known yet"));
    };
    let mut table = Table::new("What explains churn among those who answered both", &HEAD);
    let mut drawn = Vec::new();
    for explanation in &context.explanations {
        let label = context.label(&explanation.journey);
        let history = latest_first(&rows, &explanation.journey, &landmark);
        let fitted = history.iter().position(|row| row.text("status").as_deref() == Some("ok"));
        // The latest landmark, and the latest at which the models could be fitted, where that is an earlier one.
        let told = history.first().into_iter().chain(fitted.filter(|at| *at > 0).and_then(|at| history.get(at)));
        for row in told {
            table.push(cells(&label, row));
        }
        if let Some(row) = fitted.and_then(|at| history.get(at)) {
            let marks = MODELS.iter().enumerate().filter_map(|(series, (name, _))| {
                Some(IntervalMark { series, value: row.number(name)?, lower: None, upper: None, text: String::new() })
            });
            drawn.push(IntervalRow { label: format!("{label}, {}", period(row)), marks: marks.collect() });
        }
    }
    let note = format!(
        "Landmark {}, or the latest before it at which the models could be fitted: logistic models of churn on the same \
         exposed customers, those with a journey and a touchpoint score before the landmark. McFadden's R²; AUC in-sample, so \
         all of them flatter; the difference of AUCs by DeLong. p: likelihood-ratio tests. Score and leaving: correlation of \
         the journey score with leaving; lowest against highest third: rate ratio of leaving.",
        landmark
    );
    let blocks = if drawn.is_empty() {
        let text = "At no landmark could the models be fitted; the reasons are in the table.".to_owned();
        vec![Block::Missing { text }, Block::text(note), Block::Table { table: table.only(&[0, 1, 2, 3, 13, 14, 15]) }]
    } else {
        let (id, title) = ("drivers-figure".to_owned(), "What explains churn".to_owned());
        vec![Block::Figure(Figure { id, title, note, pictures: vec![picture(drawn)], table })]
    };
    Ok(Section::new("drivers", title, blocks))
}

/// The rows of a journey up to a landmark.
fn latest_first<'a>(rows: &'a [Figures], journey: &str, landmark: &str) -> Vec<&'a Figures> {
    let mut history: Vec<&Figures> = rows
        .iter()
        .filter(|row| row.text("journey").as_deref() == Some(journey))
        .filter(|row| row.day("landmark").is_some_and(|day| day.as_str() <= landmark))
        .collect();
    history.sort_by_key(|row| std::cmp::Reverse(row.instant("landmark")));
    history
}

fn picture(rows: Vec<IntervalRow>) -> Picture {
    Picture {
        id: "drivers-picture".to_owned(),
        title: String::new(),
        summary: format!("McFadden's R² of four models for {} journeys; verdicts are in the table.", rows.len()),
        chart: Chart::Intervals {
            x_label: "McFadden's R²".to_owned(),
            scale: Scale::Linear,
            unit: Unit::Percent,
            reference: None,
            series: Series::named(&MODELS.map(|(_, name)| name)),
            rows,
        },
    }
}

fn period(row: &Figures) -> String {
    row.text("landmark_period").or_else(|| row.day("landmark")).unwrap_or_default()
}

fn cells(label: &str, row: &Figures) -> Vec<String> {
    let dash = || "–".to_owned();
    let number = |name: &str| row.number(name).map_or_else(dash, |number| format!("{number:.3}"));
    let p = |name: &str| row.number(name).map_or_else(dash, small);
    vec![
        label.to_owned(),
        period(row),
        row.whole("responders").map_or_else(dash, whole),
        row.whole("churners").map_or_else(dash, whole),
        number("controls_r2"),
        number("touchpoint_r2"),
        number("journey_r2"),
        number("both_r2"),
        number("touchpoint_auc"),
        number("journey_auc"),
        row.estimate("auc_difference").map_or_else(dash, |difference| interval(difference, 3)),
        p("journey_beyond_touchpoint_p_value"),
        p("touchpoint_beyond_journey_p_value"),
        row.text("verdict").or_else(|| row.text("reason")).or_else(|| row.text("status")).unwrap_or_default(),
        row.estimate("journey_satisfaction_link").map_or_else(dash, |link| interval(link, 2)),
        row.estimate("satisfaction_rate_ratio").map_or_else(dash, |ratio| interval(ratio, 2)),
    ]
}
