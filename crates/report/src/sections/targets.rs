//! What each journey is to reach, and how far it is.

use throughline_engine::{EngineError, Figures};

use crate::block::{Block, Figure, Picture, Section};
use crate::chart::{Chart, IntervalMark, IntervalRow, Scale, Series, Unit};
use crate::context::Context;
use crate::numbers::{days, whole};
use crate::sections::performance::{quarter, quarters};
use crate::table::Table;

/// A measure, what it is called, how it is written, and what it is of.
type Measure = (&'static str, &'static str, fn(f64) -> String, &'static str);

const MEASURES: [Measure; 4] = [
    ("completion_rate", "completion", percent, "measured_instances"),
    ("duration_p50_s", "median time", days, "measured_completed"),
    ("repeat_contact_rate", "repeat contacts", percent, "contacts"),
    ("journey_satisfaction", "journey score", score, "journey_responses"),
];

pub(crate) async fn section(context: &Context<'_>) -> Result<Section, EngineError> {
    let blocks = match quarters(context).await? {
        Err(reason) => vec![Block::missing(format!("Not available: {reason}."))],
        Ok(rows) => figure(context, &rows).map_or_else(
            || vec![Block::missing("No targets are set: the pipeline has no experience goals.")],
            |figure| vec![Block::Figure(figure)],
        ),
    };
    Ok(Section::new("targets", "Targets", blocks))
}

fn figure(context: &Context<'_>, rows: &[Figures]) -> Option<Figure> {
    let mut table = Table::new(
        "Targets and what was reached",
        &["Journey", "Measure", "Quarter", "#Reached", "#Of", "#Target", "#Attainment"],
    );
    let mut drawn = Vec::new();
    let (mut met, mut all) = (0, 0);
    for row in rows {
        let label = context.label(&row.text("journey")?);
        for (measure, name, written, of) in MEASURES {
            let Some(target) = row.number(&format!("{measure}_target")) else { continue };
            let reached = row.number(measure);
            let attainment = row.number(&format!("{measure}_attainment"));
            let why = || row.text("maturity_reason").unwrap_or_else(|| "no figure yet".to_owned());
            table.push(vec![
                label.clone(),
                name.to_owned(),
                quarter(row),
                reached.map_or_else(why, written),
                row.whole(of).map_or_else(|| "–".to_owned(), |count| format!("{} {}", whole(count), counted(of))),
                written(target),
                attainment.map_or_else(|| "–".to_owned(), |share| format!("{:.0} %", share * 100.0)),
            ]);
            let (Some(reached), Some(value)) = (reached, attainment.filter(|value| *value > 0.0)) else { continue };
            all += 1;
            met += usize::from(value >= 1.0);
            drawn.push(IntervalRow {
                label: format!("{label}: {name}"),
                marks: vec![IntervalMark {
                    series: usize::from(value < 1.0),
                    value,
                    lower: None,
                    upper: None,
                    text: format!("{}, goal {}", written(reached), written(target)),
                }],
            });
        }
    }
    if table.rows.is_empty() {
        return None;
    }
    // The farthest from its target first: that is what a reader looks for.
    drawn.sort_by(|left, right| left.marks[0].value.total_cmp(&right.marks[0].value));
    Some(Figure {
        id: "targets-figure".to_owned(),
        title: format!("{met} of {all} targets are met"),
        note: "The same quarters as above. 100 % is the target; left of it is worse, whichever way the measure goes (for times \
               and repeat contacts: target over what was reached). Beside each mark: what was reached, and the goal."
            .to_owned(),
        pictures: vec![Picture {
            id: "targets-picture".to_owned(),
            title: String::new(),
            summary: format!(
                "Attainment of {all} targets, {met} met. Farthest from it: {}.",
                drawn.first().map_or_else(|| "none".to_owned(), |row| row.label.clone())
            ),
            chart: Chart::Intervals {
                x_label: "attainment".to_owned(),
                scale: Scale::Linear,
                unit: Unit::Percent,
                reference: Some(1.0),
                series: Series::named(&["met", "missed"]),
                rows: drawn,
            },
        }],
        table,
    })
}

/// What a column counts, for people: what is not measured has no figure to begin with.
fn counted(column: &str) -> String {
    column.trim_start_matches("measured_").replace('_', " ")
}

fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

fn score(score: f64) -> String {
    format!("{:.0}", score * 100.0)
}
