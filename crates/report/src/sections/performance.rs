//! How each journey performed in its latest quarter that is mature, and what has changed since the quarter before.

use throughline_engine::{EngineError, Estimate, Figures};

use crate::block::{Block, Figure, Picture, Section, Tile};
use crate::chart::{Bar, Chart, Unit};
use crate::context::Context;
use crate::numbers::{days, fixed, interval, percent_interval, scaled_by, whole};
use crate::table::Table;

/// What is read of `fct_journey_performance`.
const PERFORMANCE: [&str; 7] = ["journey", "segment", "period", "period_kind", "period_start", "instances", "maturity"];

/// Of each journey the latest row that `counts`, in the order of the journeys' names.
fn latest_by_journey(rows: &[Figures], counts: impl Fn(&Figures) -> bool) -> Vec<&Figures> {
    let mut latest: Vec<&Figures> = rows.iter().filter(|row| counts(row)).collect();
    latest.sort_by_key(|row| (row.text("journey"), std::cmp::Reverse(row.instant("period_start"))));
    latest.dedup_by_key(|row| row.text("journey"));
    latest
}

fn is_mature(row: &Figures) -> bool {
    row.text("maturity").as_deref() == Some("mature")
}

async fn all_quarters(context: &Context<'_>) -> Result<Result<Vec<Figures>, String>, EngineError> {
    context.rows("fct_journey_performance", &PERFORMANCE, &[("segment", "all"), ("period_kind", "quarter")]).await
}

/// Of each journey the latest mature quarter; without one the latest in which anything is measured, else the latest.
pub(crate) async fn quarters(context: &Context<'_>) -> Result<Result<Vec<Figures>, String>, EngineError> {
    let rows = match all_quarters(context).await? {
        Ok(rows) => rows,
        Err(reason) => return Ok(Err(reason)),
    };
    if rows.is_empty() {
        return Ok(Err("no instance has started yet".to_owned()));
    }
    let preferred = [
        latest_by_journey(&rows, is_mature),
        latest_by_journey(&rows, |row| row.whole("measured_instances").is_some_and(|measured| measured > 0)),
    ];
    let choice = |row: &Figures| {
        let journey = row.text("journey");
        let mut same = preferred.iter().flatten().filter(|other| other.text("journey") == journey);
        same.next().map_or_else(|| row.clone(), |better| (*better).clone())
    };
    let mut chosen: Vec<Figures> = latest_by_journey(&rows, |_| true).into_iter().map(choice).collect();
    let place = |row: &Figures| {
        let journey = row.text("journey");
        context.explanations.iter().position(|explanation| Some(&explanation.journey) == journey.as_ref())
    };
    chosen.sort_by_key(|row| place(row).unwrap_or(usize::MAX));
    Ok(Ok(chosen))
}

pub(crate) async fn section(context: &Context<'_>) -> Result<Section, EngineError> {
    let blocks = match quarters(context).await? {
        Err(reason) => vec![Block::missing(format!("Not available: {reason}."))],
        Ok(rows) => {
            let mut blocks = vec![
                Block::text(format!(
                    "As of {}: of each journey the latest quarter that is mature, which is over with each of its instances, \
                     all segments. Where there is none yet, its latest quarter, and figures of those instances alone that \
                     started so early that they are over however they went: the short ones are over first. An instance \
                     belongs to the quarter in which it started. The gap is of the instances in which both were asked; their \
                     number stands beside it.",
                    context.as_of()
                )),
                Block::Table { table: table(context, &rows) },
            ];
            blocks.extend(changes(context, &rows));
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
        let gap = match (row.number("satisfaction_gap"), row.whole("gap_instances")) {
            (Some(gap), Some(instances)) => format!("{:.0} ({})", gap * 100.0, whole(instances)),
            (None, Some(instances)) if instances > 0 => format!("too few ({})", whole(instances)),
            _ => dash(),
        };
        table.push(vec![
            context.label(&row.text("journey").unwrap_or_default()),
            quarter(row),
            instances(row),
            match row.estimate("completion_rate") {
                Some(rate) => percent_interval(rate),
                None => row.text("maturity_reason").unwrap_or_else(dash),
            },
            row.number("duration_p50_s").map_or_else(dash, days),
            number("contacts_per_instance"),
            number("handoffs_per_instance"),
            score("touchpoint_satisfaction", "touchpoint_responses"),
            score("journey_satisfaction", "journey_responses"),
            gap,
        ]);
    }
    table
}

/// `2026-Q2`, and whether it is maturing.
pub(crate) fn quarter(row: &Figures) -> String {
    let period = row.text("period").unwrap_or_default();
    if is_mature(row) { period } else { format!("{period}, maturing") }
}

/// `2,756`, or `1,904 of 2,821` where not all are measured.
fn instances(row: &Figures) -> String {
    match (row.whole("measured_instances"), row.whole("instances")) {
        (Some(measured), Some(all)) if measured < all => format!("{} of {}", whole(measured), whole(all)),
        (_, Some(all)) => whole(all),
        (_, None) => "–".to_owned(),
    }
}

/// What may have changed: its column, what it is called, and the unit of a hundredth.
const CHANGES: [(&str, &str, &str); 6] = [
    ("completion_rate_change", "#Completion", "points"),
    ("duration_p50_s_change", "#Median time", "%"),
    ("repeat_contact_rate_change", "#Repeat contacts", "points"),
    ("cost_per_instance_change", "#Cost each", "%"),
    ("touchpoint_satisfaction_change", "#Touchpoints", "points"),
    ("journey_satisfaction_change", "#Journey", "points"),
];

/// Changes since the quarter before; nothing where no journey has a quarter before.
fn changes(context: &Context<'_>, rows: &[Figures]) -> Vec<Block> {
    let mut head = vec!["Journey", "Quarter"];
    head.extend(CHANGES.iter().map(|(_, name, ..)| *name));
    let mut table = Table::new("Changes since the quarter before", &head);
    for row in rows {
        let changed = CHANGES.map(|(column, _, unit)| row.estimate(column).map(|by| change(by, unit)));
        if changed.iter().all(Option::is_none) {
            continue;
        }
        let mut cells = vec![context.label(&row.text("journey").unwrap_or_default()), quarter(row)];
        cells.extend(changed.map(|text| text.unwrap_or_else(|| "–".to_owned())));
        table.push(cells);
    }
    if table.rows.is_empty() {
        return Vec::new();
    }
    let confidence = context.settings.confidence;
    let text = format!(
        "Both quarters are uncertain, so each change has the {:.0} % interval of the difference. One whose interval holds 0 is \
         no change seen, which is not the same as none; of a hundred changes that are none, about {:.0} are taken for one.",
        confidence * 100.0,
        (1.0 - confidence) * 100.0
    );
    vec![Block::heading("Changes since the quarter before"), Block::text(text), Block::Table { table }]
}

fn change(by: Estimate, unit: &str) -> String {
    let scaled = scaled_by(by, 100.0);
    match (scaled.lower, scaled.upper) {
        (Some(lower), Some(upper)) if lower <= 0.0 && upper >= 0.0 => {
            format!("no change seen ({} to {} {unit})", signed(lower), signed(upper))
        }
        (Some(lower), Some(upper)) => {
            format!("{} {unit} ({} to {})", signed(scaled.value), signed(lower), signed(upper))
        }
        _ => "too few to tell".to_owned(),
    }
}

/// `+1.2`, `-0.3`; what rounds to nothing has no sign.
fn signed(number: f64) -> String {
    let text = fixed(number, 1);
    if number > 0.0 && text != "0.0" { format!("+{text}") } else { text }
}

/// The widest gap between touchpoints and journey, each journey in its latest quarter that has one: mature ones first.
pub(crate) async fn gap_tile(context: &Context<'_>) -> Result<Option<Tile>, EngineError> {
    let Ok(rows) = all_quarters(context).await? else { return Ok(None) };
    let has_gap = |row: &Figures| row.number("satisfaction_gap").is_some();
    let mut gaps = latest_by_journey(&rows, |row| is_mature(row) && has_gap(row));
    if gaps.is_empty() {
        gaps = latest_by_journey(&rows, has_gap);
    }
    let gap = |row: &Figures| row.number("satisfaction_gap").unwrap_or(f64::NEG_INFINITY);
    let widest = gaps.into_iter().max_by(|left, right| gap(left).total_cmp(&gap(right)));
    Ok(widest.and_then(|row| {
        let score = |name: &str| row.number(name).map(|score| score * 100.0);
        let (touchpoints, journey) = (score("gap_touchpoint_satisfaction")?, score("gap_journey_satisfaction")?);
        Some(Tile {
            value: format!("{touchpoints:.0} → {journey:.0}"),
            label: format!("of 100: touchpoints, and the journey as a whole: {}", context.label(&row.text("journey")?)),
            note: format!(
                "{}; {} instances in which both were asked, gap {} points; the widest of all journeys",
                quarter(row),
                whole(row.whole("gap_instances")?),
                interval(scaled_by(row.estimate("satisfaction_gap")?, 100.0), 1)
            ),
        })
    }))
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
            quarter(row),
            instances(row),
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
    let listed =
        |bars: &[Bar]| bars.iter().map(|bar| format!("{} {}", bar.label, bar.text)).collect::<Vec<_>>().join(", ");
    let picture = |id: &str, title: &str, x_label: &str, unit, rows: Vec<Bar>| Picture {
        id: id.to_owned(),
        title: title.to_owned(),
        summary: format!("{title}: {}.", listed(&rows)),
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
