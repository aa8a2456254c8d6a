//! Instances on one channel beside those on several.

use throughline_engine::{EngineError, Figures};

use crate::block::{Block, Figure, Picture, Section};
use crate::chart::{Chart, IntervalMark, IntervalRow, Scale, Series, Unit};
use crate::context::Context;
use crate::numbers::whole;
use crate::sections::performance::{quarter, quarters};
use crate::table::Table;

const KINDS: [(&str, &str); 2] = [("single", "one channel"), ("multi", "several channels")];

pub(crate) async fn section(context: &Context<'_>) -> Result<Section, EngineError> {
    let title = "One channel or several";
    let rows = match quarters(context).await? {
        Ok(rows) => rows,
        Err(reason) => {
            let text = format!("Not available: {reason}.");
            return Ok(Section::new("channels", title, vec![Block::missing(text)]));
        }
    };
    let mut table = Table::new(
        "Single- and multi-channel instances",
        &["Journey", "Quarter", "Instances on", "#Instances", "#Completed", "#Journey score", "#Answers"],
    );
    for row in &rows {
        for (kind, name) in KINDS {
            let Some(instances) = row.whole(&format!("{kind}_channel_instances")) else { continue };
            let dash = || "–".to_owned();
            table.push(vec![
                context.label(&row.text("journey").unwrap_or_default()),
                quarter(row),
                name.to_owned(),
                whole(instances),
                number(row, kind, "completion_rate").map_or_else(dash, |rate| format!("{:.1} %", rate * 100.0)),
                number(row, kind, "journey_satisfaction").map_or_else(dash, |score| format!("{:.1}", score * 100.0)),
                row.whole(&format!("{kind}_channel_journey_responses")).map_or_else(dash, whole),
            ]);
        }
    }
    if table.rows.is_empty() {
        let text = "Not available: `fct_journey_performance` does not separate channels.";
        return Ok(Section::new("channels", title, vec![Block::missing(text)]));
    }
    let pictures: Vec<Picture> = [
        picture(context, &rows, ("journey_satisfaction", "journey_responses"), "Journey score of 100", Unit::Score),
        picture(context, &rows, ("completion_rate", "instances"), "Completion rate", Unit::Percent),
    ]
    .into_iter()
    .flatten()
    .collect();
    let mut blocks = Vec::new();
    if pictures.is_empty() {
        blocks.push(Block::missing(format!("No journey has {FEWEST} instances or answers of either kind to compare.")));
        blocks.push(Block::Table { table });
    } else {
        blocks.push(Block::Figure(Figure {
            id: "channels-figure".to_owned(),
            title: "Journey score and completion, by channels".to_owned(),
            note: format!(
                "The same quarters. Drawn where there are at least {FEWEST} instances or answers of either kind; the table has \
                 all, with their numbers. Who uses several channels may have had more trouble to begin with."
            ),
            pictures,
            table,
        }));
    }
    Ok(Section::new("channels", title, blocks))
}

/// A figure of fewer is left out of the picture, not of the table.
const FEWEST: i64 = 20;

/// A figure with its denominator, where that is large enough to be drawn.
fn drawable(row: &Figures, kind: &str, measure: &str, of: &str) -> Option<f64> {
    let enough = row.whole(&format!("{kind}_channel_{of}")).is_some_and(|answers| answers >= FEWEST);
    number(row, kind, measure).filter(|_| enough)
}

fn number(row: &Figures, kind: &str, measure: &str) -> Option<f64> {
    row.number(&format!("{kind}_channel_{measure}"))
}

fn picture(
    context: &Context<'_>,
    rows: &[Figures],
    (measure, of): (&str, &str),
    title: &str,
    unit: Unit,
) -> Option<Picture> {
    let mut drawn = Vec::new();
    let mut listed = Vec::new();
    for row in rows {
        let (Some(single), Some(multi)) = (drawable(row, "single", measure, of), drawable(row, "multi", measure, of))
        else {
            continue;
        };
        let label = context.label(&row.text("journey")?);
        listed.push(format!("{label} {:.0} and {:.0}", single * 100.0, multi * 100.0));
        let mark = |series, value: f64| IntervalMark { series, value, lower: None, upper: None, text: String::new() };
        drawn.push(IntervalRow { label, marks: vec![mark(0, single), mark(1, multi)] });
    }
    (!drawn.is_empty()).then(|| Picture {
        id: format!("channel-{measure}"),
        title: title.to_owned(),
        summary: format!("{title}, on one channel and on several: {}.", listed.join("; ")),
        chart: Chart::Intervals {
            x_label: title.to_lowercase(),
            scale: Scale::Linear,
            unit,
            reference: None,
            series: Series::named(&["one channel", "several channels"]),
            rows: drawn,
        },
    })
}
