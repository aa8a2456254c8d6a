//! `semantics:`: measures, joins and other names of published tables, in the pipeline or in a file of their own.
//!
//! What a pipeline says of a table is laid over what its libraries say: `measures` and `joins` by name, all else as a
//! whole. `off` takes a library's measure away.

use indexmap::IndexMap;

use super::fields::{Field, Fields};
use super::tree::{Entries, Entry, Node, NodeKind};
use super::values;
use crate::{Diagnostic, Diagnostics, Located, Measure, MeasureKind, Ratio, RatioInterval, Semantics, TableSemantics};

pub(crate) const KEYS: [&str; 2] = ["tables", "columns"];
pub(crate) const TABLE_KEYS: [&str; 4] = ["synonyms", "one_of", "joins", "measures"];
pub(crate) const MEASURE_KEYS: [&str; 12] = [
    "count",
    "distinct",
    "sum",
    "numerator",
    "denominator",
    "times",
    "interval",
    "non_additive",
    "where",
    "adds_over",
    "description",
    "synonyms",
];
/// What `count` says instead of a column to count all rows.
const ROWS: &str = "rows";
const FORMS: &str = "write `{ count: rows }`, `{ count: column }`, `{ distinct: column }`, `{ sum: column }`, \
                     `{ numerator: measure, denominator: measure }` or `{ non_additive: column }`";

/// The semantics of the libraries with those of the pipeline over them. `entries` are the pipeline's own.
pub(super) fn semantics(libraries: &[&Entries], entries: &[Entry], findings: &mut Diagnostics) -> Semantics {
    let mut all = Semantics::default();
    for library in libraries {
        add(library, true, &mut all, findings);
    }
    add(entries, false, &mut all, findings);
    for table in all.tables.values() {
        check_ratios(table, findings);
    }
    all
}

fn add(entries: &[Entry], of_library: bool, all: &mut Semantics, findings: &mut Diagnostics) {
    for (key, node) in entries {
        let field = Field { key, node };
        match key.value.as_str() {
            "tables" => {
                for (name, node) in field.entries("a mapping of tables", findings) {
                    let before = all.tables.shift_remove(&name.value);
                    if let Some(table) = table(name, node, of_library, before, findings) {
                        all.tables.insert(name.value.clone(), table);
                    }
                }
            }
            "columns" => {
                for (name, node) in field.entries("a mapping of columns to other words", findings) {
                    let words = Field { key: name, node }.texts(findings);
                    all.columns.insert(name.value.clone(), words.into_iter().map(|word| word.value).collect());
                }
            }
            _ => findings.push(super::fields::unknown_key(key, "`semantics`", &KEYS)),
        }
    }
}

fn table(
    name: &Located<String>,
    node: &Node,
    of_library: bool,
    before: Option<TableSemantics>,
    findings: &mut Diagnostics,
) -> Option<TableSemantics> {
    let what = format!("the semantics of `{}`", name.value);
    let fields = Fields::open(node, name.place.clone(), what, &TABLE_KEYS, findings)?;
    let mut table = before.unwrap_or_else(|| TableSemantics {
        name: name.clone(),
        of_library,
        synonyms: Vec::new(),
        one_of: Vec::new(),
        joins: Vec::new(),
        measures: IndexMap::new(),
    });
    if fields.get("synonyms").is_some() {
        table.synonyms = words(&fields, findings);
    }
    if fields.get("one_of").is_some() {
        table.one_of = fields.texts("one_of", findings);
    }
    if let Some(field) = fields.get("joins") {
        for (column, node) in field.entries("a mapping of columns to `table.column`", findings) {
            let Some(to) = (Field { key: column, node }).text(findings) else { continue };
            if to.value.split('.').filter(|part| !part.is_empty()).count() != 2 || to.value.matches('.').count() != 1 {
                findings.push(
                    Diagnostic::error("bad-value", format!("`{}` is no column of a table", to.value))
                        .at(to.place)
                        .help("write `table.column`, e.g. `dim_date.date_day`"),
                );
                continue;
            }
            table.joins.retain(|(known, _)| known.value != column.value);
            table.joins.push((column.clone(), to));
        }
    }
    if let Some(field) = fields.get("measures") {
        for (name, node) in field.entries("a mapping of names to measures", findings) {
            let is_off = matches!(&node.kind, NodeKind::Scalar { text, plain: true } if text == "off");
            if is_off && table.measures.shift_remove(&name.value).is_some() {
                continue;
            }
            if let Some(measure) = measure(name, node, findings) {
                table.measures.insert(name.value.clone(), measure);
            }
        }
    }
    Some(table)
}

fn words(fields: &Fields<'_>, findings: &mut Diagnostics) -> Vec<String> {
    fields.texts("synonyms", findings).into_iter().map(|word| word.value).collect()
}

fn measure(name: &Located<String>, node: &Node, findings: &mut Diagnostics) -> Option<Measure> {
    if let Some(finding) = values::check_name(name, "measure", &[]) {
        findings.push(finding);
    } else if name.value.contains("__") {
        // Formats with one list of measures call them table__measure.
        findings.push(
            Diagnostic::error("bad-name", format!("the measure `{}` has two underscores together", name.value))
                .at(name.place.clone())
                .help("write one: where all measures stand in one list, two part the table's name from the measure's"),
        );
    }
    let what = format!("the measure `{}`", name.value);
    let fields = Fields::open(node, name.place.clone(), what, &MEASURE_KEYS, findings)?;
    let kind = kind(&fields, findings);
    let filters = fields.get("where").map_or_else(Vec::new, |field| filters(field, findings));
    if let (Some(MeasureKind::Ratio(_) | MeasureKind::NonAdditive(_)), Some(field)) = (&kind, fields.get("where")) {
        findings.push(
            Diagnostic::error("bad-value", format!("{} cannot have `where`", fields.what))
                .at(field.key.place.clone())
                .help("give it to the measures that are counted or summed"),
        );
    }
    let synonyms = words(&fields, findings);
    let description = fields.words("description", findings);
    let adds_over = fields.texts("adds_over", findings);
    Some(Measure { name: name.clone(), kind: kind?, filters, adds_over, description, synonyms })
}

fn kind(fields: &Fields<'_>, findings: &mut Diagnostics) -> Option<MeasureKind> {
    let forms = ["count", "distinct", "sum", "non_additive", "numerator"];
    let given: Vec<Field<'_>> = forms.iter().filter_map(|form| fields.get(form)).collect();
    let kind = match given.as_slice() {
        [field] => {
            let text = field.text(findings)?;
            match field.key.value.as_str() {
                "count" if text.value == ROWS => MeasureKind::Rows,
                "count" => MeasureKind::Count(text),
                "distinct" => MeasureKind::Distinct(text),
                "sum" => MeasureKind::Sum(text),
                "non_additive" => MeasureKind::NonAdditive(text),
                _ => MeasureKind::Ratio(ratio(text, fields, findings)?),
            }
        }
        given => {
            let (place, how) = match given.get(1) {
                Some(second) => (second.key.place.clone(), "is computed in more than one way"),
                None => (fields.header.clone(), "does not say how it is computed"),
            };
            findings.push(Diagnostic::error("bad-value", format!("{} {how}", fields.what)).at(place).help(FORMS));
            return None;
        }
    };
    if !matches!(kind, MeasureKind::Ratio(_)) {
        for field in ["denominator", "times", "interval"].iter().filter_map(|key| fields.get(key)) {
            findings.push(
                Diagnostic::error("bad-value", format!("`{}` belongs to a ratio", field.key.value))
                    .at(field.key.place.clone())
                    .help("leave it out, or write `numerator` and `denominator`"),
            );
        }
    }
    Some(kind)
}

fn ratio(numerator: Located<String>, fields: &Fields<'_>, findings: &mut Diagnostics) -> Option<Ratio> {
    let denominator = fields.required("denominator", "instances", findings).and_then(|field| field.text(findings))?;
    let times = match fields.text("times", findings) {
        None => 1.0,
        Some(text) => match text.value.parse::<f64>().ok().filter(|number| number.is_finite() && *number > 0.0) {
            Some(number) => number,
            None => {
                findings.push(
                    Diagnostic::error(
                        "bad-value",
                        format!("`times` must be a number above zero, found `{}`", text.value),
                    )
                    .at(text.place),
                );
                return None;
            }
        },
    };
    let intervals = [("wilson", RatioInterval::Wilson), ("poisson", RatioInterval::Poisson)];
    let interval = fields.get("interval").and_then(|field| field.one_of(&intervals, findings));
    if let Some(interval) = interval.as_ref().filter(|one| one.value == RatioInterval::Wilson && times != 1.0) {
        findings.push(
            Diagnostic::error("bad-value", "the interval `wilson` is one of a share, which is not multiplied")
                .at(interval.place.clone())
                .help("leave `times` out, or write `interval: poisson` for events over time"),
        );
    }
    Some(Ratio { numerator, denominator, times, interval: interval.map(|interval| interval.value) })
}

/// Columns, each with the values that count: one, or a list.
fn filters(field: Field<'_>, findings: &mut Diagnostics) -> Vec<(Located<String>, Vec<Located<String>>)> {
    let entries = field.entries("a mapping of columns to values", findings);
    entries
        .iter()
        .map(|(column, node)| {
            let field = Field { key: column, node };
            let values = match node.kind {
                NodeKind::Sequence(_) => field.texts(findings),
                _ => field.text(findings).into_iter().collect(),
            };
            (column.clone(), values)
        })
        .filter(|(_, values)| !values.is_empty())
        .collect()
}

/// Numerators and denominators are measures of the same table that add up.
fn check_ratios(table: &TableSemantics, findings: &mut Diagnostics) {
    for measure in table.measures.values() {
        let MeasureKind::Ratio(ratio) = &measure.kind else { continue };
        for part in [&ratio.numerator, &ratio.denominator] {
            let (message, adds_up) = match table.measures.get(&part.value).map(|part| &part.kind) {
                None => (format!("`{}` has no measure `{}`", table.name.value, part.value), false),
                Some(MeasureKind::Ratio(_)) => (format!("`{}` is a ratio itself", part.value), false),
                Some(MeasureKind::NonAdditive(_)) => (format!("`{}` does not add up", part.value), false),
                Some(_) => (String::new(), true),
            };
            if !adds_up {
                let names = table.measures.keys().map(String::as_str);
                let finding = Diagnostic::error("bad-value", message).at(part.place.clone());
                findings.push(match crate::closest(&part.value, names) {
                    Some(near) if near != part.value => finding.label(format!("did you mean `{near}`?")),
                    _ => finding.help("a ratio is one count or sum over another one of the same table"),
                });
            }
        }
    }
}
