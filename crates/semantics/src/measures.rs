//! The measures of a table: what `semantics:` says, held against the table's columns.

use std::collections::BTreeSet;

use throughline_config::{Diagnostic, Diagnostics, Located, Measure, MeasureKind, Ratio, TableSemantics};

use crate::model::{Aggregate, AggregateOf, ColumnKind, Figure, FigureKind, Filter, FilterValue, Table};
use crate::unknown_column::unknown_column;

/// Each measure, a ratio's limits behind it. A table that the pipeline makes in its own way may lack columns that a
/// measure needs: then the measure is left out, with a note, and so are the ratios made of it.
pub(crate) fn figures(
    said: &TableSemantics,
    table: &Table,
    replaced: bool,
    notes: &mut Vec<String>,
    findings: &mut Diagnostics,
) -> Vec<Figure> {
    let mut out = Out { said, table, replaced, notes, findings };
    let one_of: Vec<&Located<String>> = said.one_of.iter().filter(|column| out.has(column, "`one_of`")).collect();
    let mut left_out = BTreeSet::new();
    let mut figures = Vec::new();
    for measure in said.measures.values().filter(|measure| !matches!(measure.kind, MeasureKind::Ratio(_))) {
        if !out.can_be_computed(measure) {
            left_out.insert(measure.name.value.as_str());
        }
    }
    for measure in said.measures.values() {
        for column in &measure.adds_over {
            if said.one_of.iter().all(|one| one.value != column.value) {
                out.findings.push(
                    Diagnostic::error("bad-value", format!("`{}` is not in the table's `one_of`", column.value))
                        .at(column.place.clone())
                        .help("`adds_over` takes columns out of `one_of` for one measure; leave it out"),
                );
            }
        }
        if left_out.contains(measure.name.value.as_str()) {
            continue;
        }
        let adds = |column: &&&Located<String>| measure.adds_over.iter().all(|free| free.value != column.value);
        let one_of: Vec<String> = one_of.iter().filter(adds).map(|column| column.value.clone()).collect();
        let figure = |kind: FigureKind| Figure {
            name: measure.name.value.clone(),
            description: measure.description.clone(),
            synonyms: measure.synonyms.clone(),
            one_of: one_of.clone(),
            kind,
        };
        match &measure.kind {
            MeasureKind::NonAdditive(column) => figures.push(figure(FigureKind::NonAdditive(column.value.clone()))),
            MeasureKind::Ratio(ratio) => {
                if let Some(missing) = [&ratio.numerator, &ratio.denominator]
                    .into_iter()
                    .find(|part| left_out.contains(part.value.as_str()))
                {
                    let (name, missing) = (&measure.name.value, &missing.value);
                    out.notes.push(format!("the measure {name} of {} is left out with {missing}", table.name));
                    continue;
                }
                figures.extend(with_limits(said, table, ratio, figure));
            }
            _ => figures.extend(aggregate(measure, table).map(|aggregate| figure(FigureKind::Aggregate(aggregate)))),
        }
    }
    figures
}

/// A ratio and the limits of its interval, where no other measure has their names.
fn with_limits(
    said: &TableSemantics,
    table: &Table,
    ratio: &Ratio,
    figure: impl Fn(FigureKind) -> Figure,
) -> Vec<Figure> {
    let part = |name: &str| said.measures.get(name).and_then(|measure| aggregate(measure, table));
    let (Some(numerator), Some(denominator)) = (part(&ratio.numerator.value), part(&ratio.denominator.value)) else {
        return Vec::new();
    };
    let (times, interval) = (ratio.times, ratio.interval);
    let names = (ratio.numerator.value.clone(), ratio.denominator.value.clone());
    let estimate = FigureKind::Ratio {
        names: names.clone(),
        numerator: numerator.clone(),
        denominator: denominator.clone(),
        times,
        interval,
    };
    let mut figures = vec![figure(estimate)];
    for (upper, end, word) in [(false, "lower", "Lower"), (true, "upper", "Upper")] {
        let Some(interval) = interval else { continue };
        let (names, numerator, denominator) = (names.clone(), numerator.clone(), denominator.clone());
        let limit = figure(FigureKind::Limit { names, numerator, denominator, times, interval, upper });
        let name = format!("{}_{end}", limit.name);
        if said.measures.contains_key(&name) {
            continue;
        }
        let description = Some(format!("{word} limit of {}", limit.name.replace('_', " ")));
        figures.push(Figure { name, description, synonyms: Vec::new(), ..limit });
    }
    figures
}

fn aggregate(measure: &Measure, table: &Table) -> Option<Aggregate> {
    let of = match &measure.kind {
        MeasureKind::Rows => AggregateOf::Rows,
        MeasureKind::Count(column) => AggregateOf::Count(column.value.clone()),
        MeasureKind::Distinct(column) => AggregateOf::Distinct(column.value.clone()),
        MeasureKind::Sum(column) => AggregateOf::Sum(column.value.clone()),
        MeasureKind::Ratio(_) | MeasureKind::NonAdditive(_) => return None,
    };
    let filters = measure.filters.iter().filter_map(|(column, values)| {
        let kind = table.column(&column.value)?.kind;
        let values = values.iter().filter_map(|text| value(&text.value, kind)).collect();
        Some(Filter { column: column.value.clone(), values })
    });
    Some(Aggregate { of, filters: filters.collect() })
}

/// A filter's value in the column's type; `None` where it is none.
fn value(text: &str, kind: ColumnKind) -> Option<FilterValue> {
    match kind {
        ColumnKind::Text => Some(FilterValue::Text(text.to_owned())),
        ColumnKind::Boolean => text.parse().ok().map(FilterValue::Boolean),
        kind if kind.is_number() => {
            text.parse().ok().filter(|number: &f64| number.is_finite()).map(FilterValue::Number)
        }
        _ => None,
    }
}

/// What a measure is held against, and where findings go.
struct Out<'a> {
    said: &'a TableSemantics,
    table: &'a Table,
    replaced: bool,
    notes: &'a mut Vec<String>,
    findings: &'a mut Diagnostics,
}

impl Out<'_> {
    /// Whether the table has the column; else a finding, or a note where the pipeline makes a library's table itself.
    fn has(&mut self, column: &Located<String>, what: &str) -> bool {
        if self.table.column(&column.value).is_some() {
            return true;
        }
        if self.replaced {
            let table = &self.table.name;
            self.notes.push(format!("{what} of {table} is left out: your own {table} has no `{}`", column.value));
        } else {
            self.findings.push(unknown_column(column, self.said, self.table));
        }
        false
    }

    fn can_be_computed(&mut self, measure: &Measure) -> bool {
        let what = format!("the measure {}", measure.name.value);
        let mut can = true;
        match &measure.kind {
            MeasureKind::Rows | MeasureKind::Ratio(_) => {}
            MeasureKind::Count(column) | MeasureKind::Distinct(column) => can &= self.has(column, &what),
            MeasureKind::Sum(column) | MeasureKind::NonAdditive(column) => {
                can &= self.has(column, &what) && self.is_number(column);
            }
        }
        for (column, values) in &measure.filters {
            if !self.has(column, &what) {
                can = false;
                continue;
            }
            let Some(kind) = self.table.column(&column.value).map(|column| column.kind) else { continue };
            for text in values.iter().filter(|text| value(&text.value, kind).is_none()) {
                can = false;
                let message = format!("`{}` is no value of `{}`", text.value, column.value);
                self.findings.push(
                    Diagnostic::error("bad-value", message)
                        .at(text.place.clone())
                        .help("`where` chooses rows by texts, numbers, true or false, as the column has them"),
                );
            }
        }
        can
    }

    fn is_number(&mut self, column: &Located<String>) -> bool {
        let is_number = self.table.column(&column.value).is_some_and(|column| column.kind.is_number());
        if !is_number {
            self.findings.push(
                Diagnostic::error("type-mismatch", format!("`{}` holds no numbers", column.value))
                    .at(column.place.clone())
                    .help("sum a column of numbers, or count: `{ count: column }`"),
            );
        }
        is_number
    }
}
