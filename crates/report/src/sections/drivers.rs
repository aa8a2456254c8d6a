//! Do journey scores explain churn beyond touchpoint scores, and the other way round?

use throughline_engine::{EngineError, Figures};

use crate::block::{Block, Figure, Picture, Section};
use crate::chart::{Chart, IntervalMark, IntervalRow, Scale, Series, Unit};
use crate::context::{Context, landmark_name};
use crate::numbers::{small, whole};
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

const HEAD: [&str; 13] = [
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
    "#p journey adds",
    "#p touchpoints add",
    "Verdict",
];

pub(crate) async fn section(context: &Context<'_>) -> Result<Section, EngineError> {
    let title = "Journey scores or touchpoint scores";
    let missing =
        |reason: &str| Section::new("drivers", title, vec![Block::missing(format!("It cannot be told: {reason}."))]);
    let rows = match context.rows("fct_journey_drivers", &COLUMNS, &[]).await? {
        Ok(rows) => rows,
        Err(reason) => return Ok(missing(&reason)),
    };
    let Some(landmark) = context.landmark() else { return Ok(missing("no landmark has matured yet")) };
    let mut table = Table::new("What explains churn among those who answered both", &HEAD);
    let mut drawn = Vec::new();
    for explanation in &context.explanations {
        let label = context.label(&explanation.journey);
        let history = latest_first(&rows, &explanation.journey, &landmark.landmark);
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
         all of them flatter. p: likelihood-ratio tests.",
        landmark_name(landmark)
    );
    let blocks = if drawn.is_empty() {
        let text = "At no landmark could the models be fitted; the reasons are in the table.".to_owned();
        vec![Block::Missing { text }, Block::text(note), Block::Table { table: table.only(&[0, 1, 2, 3, 12]) }]
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
        p("journey_beyond_touchpoint_p_value"),
        p("touchpoint_beyond_journey_p_value"),
        row.text("verdict").or_else(|| row.text("reason")).or_else(|| row.text("status")).unwrap_or_default(),
    ]
}
