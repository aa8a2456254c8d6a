//! How each journey performed in its latest quarter in which every instance is over.

use throughline_engine::{EngineError, Figures};

use crate::block::{Block, Figure, Picture, Section};
use crate::chart::{Bar, Chart, Unit};
use crate::context::Context;
use crate::numbers::{days, percent_interval, whole};
use crate::table::Table;

/// What is read of `fct_journey_performance`.
pub(crate) const PERFORMANCE: [&str; 7] =
    ["journey", "segment", "period", "period_kind", "period_start", "instances", "completion_status"];

/// Of each journey the latest row that `counts`, in the order of the journeys' names.
pub(crate) fn latest_by_journey(rows: &[Figures], counts: impl Fn(&Figures) -> bool) -> Vec<&Figures> {
    let mut latest: Vec<&Figures> = rows.iter().filter(|row| counts(row)).collect();
    latest.sort_by_key(|row| (row.text("journey"), std::cmp::Reverse(row.instant("period_start"))));
    latest.dedup_by_key(|row| row.text("journey"));
    latest
}

/// The same, by quarters that are over; a journey without one has its latest quarter.
pub(crate) async fn quarters(context: &Context<'_>) -> Result<Result<Vec<Figures>, String>, EngineError> {
    let values = [("segment", "all"), ("period_kind", "quarter")];
    let rows = match context.rows("fct_journey_performance", &PERFORMANCE, &values).await? {
        Ok(rows) => rows,
        Err(reason) => return Ok(Err(reason)),
    };
    if rows.is_empty() {
        return Ok(Err("no instance has started yet".to_owned()));
    }
    let over = latest_by_journey(&rows, |row| row.text("completion_status").as_deref() == Some("ok"));
    let any = latest_by_journey(&rows, |_| true);
    let mut chosen: Vec<Figures> = any
        .into_iter()
        .map(|row| over.iter().find(|over| over.text("journey") == row.text("journey")).copied().unwrap_or(row).clone())
        .collect();
    let place = |row: &Figures| {
        let journey = row.text("journey");
        context.explanations.iter().position(|explanation| Some(&explanation.journey) == journey.as_ref())
    };
    chosen.sort_by_key(|row| place(row).unwrap_or(usize::MAX));
    Ok(Ok(chosen))
}

pub(crate) async fn section(context: &Context<'_>) -> Result<Section, EngineError> {
    let blocks = match quarters(context).await? {
        Err(reason) => vec![Block::missing(format!("It cannot be told: {reason}."))],
        Ok(rows) => {
            let mut blocks = vec![
                Block::text(format!(
                    "As of {}: of each journey the latest quarter in which every instance is over, all segments; where there \
                     is none yet, its latest quarter without a completion rate. An instance belongs to the quarter in which \
                     it started.",
                    context.as_of()
                )),
                Block::Table { table: table(context, &rows) },
            ];
            blocks.extend(friction(context, &rows));
            blocks
        }
    };
    Ok(Section::new("performance", "How each journey performs", blocks))
}

fn table(context: &Context<'_>, rows: &[Figures]) -> Table {
    let mut table = Table::new(
        "Performance of each journey",
        &[
            "Journey",
            "Quarter",
            "#Instances",
            "#Completed",
            "#Median time",
            "#Contacts each",
            "#Hand-offs each",
            "#Touchpoints",
            "#Journey",
            "#Gap",
        ],
    );
    for row in rows {
        let dash = || "–".to_owned();
        let number = |name: &str| row.number(name).map_or_else(dash, |number| format!("{number:.1}"));
        let score = |name: &str, answers: &str| match (row.number(name), row.whole(answers)) {
            (Some(score), Some(answers)) => format!("{:.0} ({})", score * 100.0, whole(answers)),
            _ => "not asked".to_owned(),
        };
        table.push(vec![
            context.label(&row.text("journey").unwrap_or_default()),
            row.text("period").unwrap_or_default(),
            row.whole("instances").map_or_else(dash, whole),
            match row.estimate("completion_rate") {
                Some(rate) => percent_interval(rate),
                None => row.text("completion_reason").unwrap_or_else(dash),
            },
            row.number("duration_p50_s").map_or_else(dash, days),
            number("contacts_per_instance"),
            number("handoffs_per_instance"),
            score("touchpoint_satisfaction", "touchpoint_responses"),
            score("journey_satisfaction", "journey_responses"),
            row.number("satisfaction_gap").map_or_else(dash, |gap| format!("{:.0}", gap * 100.0)),
        ]);
    }
    table
}

/// Hand-offs and repeat contacts.
fn friction(context: &Context<'_>, rows: &[Figures]) -> Vec<Block> {
    let mut handoffs = Vec::new();
    let mut repeats = Vec::new();
    let mut table = Table::new(
        "Hand-offs and repeat contacts",
        &["Journey", "Quarter", "#Instances", "#Hand-offs each", "#Contacts", "#Of them repeated", "#Target"],
    );
    for row in rows {
        let label = context.label(&row.text("journey").unwrap_or_default());
        let dash = || "–".to_owned();
        let (each, rate) = (row.number("handoffs_per_instance"), row.number("repeat_contact_rate"));
        let target = row.number("repeat_contact_rate_target");
        table.push(vec![
            label.clone(),
            row.text("period").unwrap_or_default(),
            row.whole("instances").map_or_else(dash, whole),
            each.map_or_else(dash, |each| format!("{each:.1}")),
            row.whole("contacts").map_or_else(dash, whole),
            rate.map_or_else(|| "no contacts".to_owned(), |rate| format!("{:.0} %", rate * 100.0)),
            target.map_or_else(dash, |target| format!("{:.0} %", target * 100.0)),
        ]);
        if let Some(value) = each {
            handoffs.push(Bar { label: label.clone(), value, target: None, text: format!("{value:.1}") });
        }
        if let Some(value) = rate {
            repeats.push(Bar { label, value, target, text: format!("{:.0} %", value * 100.0) });
        }
    }
    let told =
        |bars: &[Bar]| bars.iter().map(|bar| format!("{} {}", bar.label, bar.text)).collect::<Vec<_>>().join(", ");
    let picture = |id: &str, title: &str, x_label: &str, unit, rows: Vec<Bar>| Picture {
        id: id.to_owned(),
        title: title.to_owned(),
        summary: format!("{title}: {}.", told(&rows)),
        chart: Chart::Bars { x_label: x_label.to_owned(), unit, rows },
    };
    let mut pictures = Vec::new();
    // Nothing but zeros is no picture; the table has them.
    let any = |bars: &[Bar]| bars.iter().any(|bar| bar.value > 0.0);
    if any(&handoffs) {
        pictures.push(picture("handoffs", "Hand-offs an instance", "hand-offs", Unit::Number, handoffs));
    }
    if any(&repeats) {
        pictures.push(picture("repeats", "Repeated contacts, share of contacts", "share", Unit::Percent, repeats));
    }
    if pictures.is_empty() {
        return vec![
            Block::heading("Hand-offs and repeat contacts"),
            Block::missing("There are none of either."),
            Block::Behind { table },
        ];
    }
    vec![Block::Figure(Figure {
        id: "friction-figure".to_owned(),
        title: "Hand-offs and repeat contacts".to_owned(),
        note: "The same quarters. A hand-off: consecutive touchpoints of different departments. A repeated contact: about a \
               topic that already had one in the same instance within seven days. A vertical tick is the target, where one is \
               set."
            .to_owned(),
        pictures,
        table,
    })]
}
