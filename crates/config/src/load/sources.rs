//! `sources:` and `seeds:`.

use std::path::Path;

use chrono::format::{Item, StrftimeItems};
use indexmap::IndexMap;

use super::fields::{Field, Fields};
use super::folder::inside;
use super::interpolate::interpolate;
use super::names::check_relation_name;
use super::tree::{self, Node, NodeKind};
use super::workspace::Workspace;
use super::{globs, rules};
use crate::{
    Column, ColumnType, Diagnostic, Diagnostics, Duration, Format, Freshness, LoadOptions, Located, RejectedLimits,
    RowLimits, Source, SourceKind,
};

pub(crate) const SOURCE_KEYS: [&str; 14] = [
    "path",
    "format",
    "delimiter",
    "columns",
    "time_column",
    "active_at",
    "key",
    "sorted_by",
    "contract",
    "freshness",
    "rejected",
    "rows",
    "description",
    "owner",
];
pub(crate) const SEED_KEYS: [&str; 3] = ["path", "columns", "description"];
pub(crate) const COLUMN_KEYS: [&str; 2] = ["type", "format"];
pub(crate) const FRESHNESS_KEYS: [&str; 3] = ["column", "warn_after", "error_after"];
pub(crate) const REJECTED_KEYS: [&str; 2] = ["warn", "error"];
pub(crate) const ROWS_KEYS: [&str; 1] = ["min"];
pub(crate) const COLUMN_TYPES: [(&str, ColumnType); 6] = [
    ("string", ColumnType::String),
    ("int64", ColumnType::Int64),
    ("float64", ColumnType::Float64),
    ("boolean", ColumnType::Boolean),
    ("date", ColumnType::Date),
    ("timestamp", ColumnType::Timestamp),
];

/// The sources of `sources:`: a mapping of names to sources, or globs of files that hold such mappings.
pub(super) fn sources(
    field: Field<'_>,
    workspace: &Workspace,
    options: &LoadOptions,
    findings: &mut Diagnostics,
) -> Vec<Source> {
    let paths = match &field.node.kind {
        NodeKind::Mapping(entries) => {
            return entries.iter().filter_map(|(name, node)| source(name, node, findings)).collect();
        }
        NodeKind::Scalar { .. } if field.node.is_null() => {
            findings.push(field.wrong_type("a mapping of names to sources"));
            Vec::new()
        }
        NodeKind::Scalar { .. } => field.text(findings).into_iter().collect(),
        NodeKind::Sequence(_) => field.texts(findings),
    };
    let mut sources = Vec::new();
    for path in globs::files(&paths, "source", "sources/*.yaml", workspace, findings) {
        sources.extend(of_file(&path, workspace, options, findings));
    }
    sources
}

fn of_file(path: &Path, workspace: &Workspace, options: &LoadOptions, findings: &mut Diagnostics) -> Vec<Source> {
    let file = workspace.read(path).map_err(|finding| findings.push(finding)).ok();
    let Some(mut root) = file.and_then(|file| tree::parse(&file, findings)) else { return Vec::new() };
    interpolate(&mut root, &options.environment, findings);
    match &root.kind {
        NodeKind::Mapping(entries) => entries.iter().filter_map(|(name, node)| source(name, node, findings)).collect(),
        _ => {
            let message = format!("a file of sources must be a mapping, found {}", root.described());
            findings.push(
                Diagnostic::error("wrong-type", message)
                    .at(root.place)
                    .help("it maps names to sources: `calls: { path: …, format: parquet }`"),
            );
            Vec::new()
        }
    }
}

/// The entries of `seeds:`.
pub(super) fn seeds(field: Field<'_>, workspace: &Workspace, findings: &mut Diagnostics) -> Vec<Source> {
    let entries = field.entries("a mapping of names to seeds", findings);
    entries.iter().filter_map(|(name, node)| seed(name, node, workspace, findings)).collect()
}

fn source(name: &Located<String>, node: &Node, findings: &mut Diagnostics) -> Option<Source> {
    check_relation_name(name, "source", findings);
    let what = format!("source `{}`", name.value);
    let fields = Fields::open(node, name.place.clone(), what, &SOURCE_KEYS, findings)?;
    let path =
        fields.required("path", "\"${LAKE:-data/lake}/calls/\"", findings).and_then(|field| field.text(findings));
    let format = format(&fields, findings);
    let columns = fields.get("columns").map_or_else(IndexMap::new, |field| columns(field, format, findings));
    if let Some(format) = format {
        require_columns(&fields, format, findings);
    }
    let time_column = fields.text("time_column", findings);
    if fields.get("time_column").is_none() {
        findings.push(
            Diagnostic::warning(
                "no-time-column",
                format!("{} has no `time_column`: `as_of` cannot cut it", fields.what),
            )
            .at(name.place.clone())
            .help(
                "name the column that says when a row happened; without it a rerun for an earlier day sees later rows",
            ),
        );
    }
    let freshness = fields.get("freshness").and_then(|field| freshness(field, time_column.as_ref(), findings));
    Some(Source {
        name: name.clone(),
        kind: SourceKind::Source,
        path: path?,
        format: format?,
        columns,
        active_at: active_at(&fields, time_column.as_ref(), findings),
        time_column,
        key: fields.texts("key", findings),
        sorted_by: sorted_by(&fields, format, findings),
        contract: fields.get("contract").map_or_else(Vec::new, |field| rules::contract(field, findings)),
        freshness,
        rejected: fields.get("rejected").map_or_else(RejectedLimits::default, |field| rejected(field, findings)),
        rows: fields.get("rows").map_or_else(RowLimits::default, |field| rows(field, findings)),
        description: fields.words("description", findings),
        owner: fields.words("owner", findings),
    })
}

fn sorted_by(fields: &Fields<'_>, format: Option<Format>, findings: &mut Diagnostics) -> Vec<Located<String>> {
    let Some(field) = fields.get("sorted_by") else { return Vec::new() };
    if format.is_some_and(|format| format != Format::Parquet) {
        findings.push(
            Diagnostic::error("bad-value", "only Parquet files can be `sorted_by` columns")
                .at(field.key.place.clone())
                .help("remove the key: what needs an order makes it"),
        );
    }
    fields.texts("sorted_by", findings)
}

fn active_at(
    fields: &Fields<'_>,
    time_column: Option<&Located<String>>,
    findings: &mut Diagnostics,
) -> Vec<Located<String>> {
    let Some(field) = fields.get("active_at") else { return Vec::new() };
    let times = fields.texts("active_at", findings);
    let names_the_cut = time_column.is_some_and(|cut| times.iter().any(|time| time.value == cut.value));
    if !names_the_cut {
        findings.push(
            Diagnostic::error("bad-value", "`active_at` has to name the `time_column` too")
                .at(field.key.place.clone())
                .help("list every time at which a row says something, its own first"),
        );
    }
    times
}

fn seed(name: &Located<String>, node: &Node, workspace: &Workspace, findings: &mut Diagnostics) -> Option<Source> {
    check_relation_name(name, "seed", findings);
    let what = format!("seed `{}`", name.value);
    let fields = Fields::open(node, name.place.clone(), what, &SEED_KEYS, findings)?;
    let format = Format::Csv { delimiter: b',' };
    let path = fields.required("path", "data/seeds/goals.csv", findings).and_then(|field| field.text(findings));
    if let Some(path) = &path {
        let found = inside(path).and_then(|relative| workspace.resolve(&relative));
        if let Err(finding) = found {
            findings.push(finding.at(path.place.clone()));
        }
    }
    require_columns(&fields, format, findings);
    Some(Source {
        name: name.clone(),
        kind: SourceKind::Seed,
        path: path?,
        format,
        columns: fields.get("columns").map_or_else(IndexMap::new, |field| columns(field, Some(format), findings)),
        time_column: None,
        key: Vec::new(),
        sorted_by: Vec::new(),
        active_at: Vec::new(),
        contract: Vec::new(),
        freshness: None,
        rejected: RejectedLimits::default(),
        rows: RowLimits::default(),
        description: fields.words("description", findings),
        owner: None,
    })
}

fn format(fields: &Fields<'_>, findings: &mut Diagnostics) -> Option<Format> {
    let csv = Format::Csv { delimiter: b',' };
    let words = [("parquet", Format::Parquet), ("csv", csv), ("json", Format::Json), ("delta", Format::Delta)];
    let format = fields.required("format", "parquet", findings)?.one_of(&words, findings)?.value;
    let Some(field) = fields.get("delimiter") else { return Some(format) };
    if format != csv {
        findings.push(
            Diagnostic::error("bad-value", "only CSV has a `delimiter`")
                .at(field.key.place.clone())
                .help("remove the key"),
        );
        return Some(format);
    }
    // Not `text`: a tab is a delimiter and would count as blank.
    let delimiter = match &field.node.kind {
        NodeKind::Scalar { text, .. } if text == "tab" => Some(b'\t'),
        NodeKind::Scalar { text, .. } => match text.as_bytes() {
            [byte] if byte.is_ascii() && !byte.is_ascii_alphanumeric() && !matches!(byte, b'"' | b'\n' | b'\r') => {
                Some(*byte)
            }
            _ => None,
        },
        _ => None,
    };
    if delimiter.is_none() || field.node.is_null() {
        findings.push(
            Diagnostic::error("bad-value", "`delimiter` must be one ASCII sign")
                .at(field.place())
                .help("e.g. `\";\"`, `\"|\"` or `tab`"),
        );
    }
    Some(delimiter.map_or(format, |delimiter| Format::Csv { delimiter }))
}

/// Text formats say nothing about types, and guessing them from a sample changes with the sample.
fn require_columns(fields: &Fields<'_>, format: Format, findings: &mut Diagnostics) {
    if matches!(format, Format::Csv { .. } | Format::Json) && fields.get("columns").is_none() {
        findings.push(
            Diagnostic::error("missing-key", format!("{} has no `columns`", fields.what))
                .at(fields.header.clone())
                .help(
                    "CSV and JSON hold no types, so declare them: `columns: { customer_id: string, amount: float64 }`",
                ),
        );
    }
}

/// Declared columns by name.
pub(super) fn columns(
    field: Field<'_>,
    format: Option<Format>,
    findings: &mut Diagnostics,
) -> IndexMap<String, Column> {
    let entries = field.entries("a mapping of columns to types", findings);
    if entries.is_empty() && matches!(field.node.kind, NodeKind::Mapping(_)) {
        findings.push(Diagnostic::error("empty-value", "`columns` is empty").at(field.key.place.clone()));
    }
    let mut columns = IndexMap::new();
    for (name, node) in entries {
        if let Some(column) = column(name, node, format, findings) {
            columns.insert(name.value.clone(), column);
        }
    }
    columns
}

fn column(name: &Located<String>, node: &Node, format: Option<Format>, findings: &mut Diagnostics) -> Option<Column> {
    if !matches!(node.kind, NodeKind::Mapping(_)) {
        let data_type = Field { key: name, node }.one_of(&COLUMN_TYPES, findings)?;
        return Some(Column { data_type, format: None });
    }
    let what = format!("column `{}`", name.value);
    let fields = Fields::open(node, name.place.clone(), what, &COLUMN_KEYS, findings)?;
    let data_type =
        fields.required("type", "timestamp", findings).and_then(|field| field.one_of(&COLUMN_TYPES, findings));
    let pattern = fields.text("format", findings);
    let data_type = data_type?;
    if let Some(pattern) = &pattern {
        let wrong = |message: &str| Diagnostic::error("bad-value", message).at(pattern.place.clone());
        if !matches!(data_type.value, ColumnType::Date | ColumnType::Timestamp) {
            findings.push(wrong("only dates and timestamps have a `format`").help("remove the key"));
        } else if matches!(format, Some(Format::Parquet | Format::Delta)) {
            findings.push(
                wrong("Parquet and Delta hold times as such; a `format` is for CSV and JSON").help("remove the key"),
            );
        } else if StrftimeItems::new(pattern).any(|item| matches!(item, Item::Error)) {
            findings.push(
                wrong("this is no `strftime` pattern")
                    .help("e.g. `%d.%m.%Y` or `%Y-%m-%d %H:%M:%S`; a percent sign is `%%`"),
            );
        }
    }
    Some(Column { data_type, format: pattern })
}

fn freshness(field: Field<'_>, time_column: Option<&Located<String>>, findings: &mut Diagnostics) -> Option<Freshness> {
    let fields =
        Fields::open(field.node, field.key.place.clone(), "`freshness`".to_owned(), &FRESHNESS_KEYS, findings)?;
    let column = match (fields.get("column"), time_column) {
        (Some(field), _) => field.text(findings),
        (None, Some(column)) => Some(column.clone()),
        (None, None) => fields.required("column", "started_at", findings).and_then(|field| field.text(findings)),
    };
    let (warn_after, error_after) = (fields.limit("warn_after", findings), fields.limit("error_after", findings));
    if fields.get("warn_after").is_none() && fields.get("error_after").is_none() {
        findings.push(
            Diagnostic::error("missing-key", "`freshness` has neither `warn_after` nor `error_after`")
                .at(fields.header.clone())
                .help("add e.g. `warn_after: 2 days`"),
        );
    }
    if let (Some(Duration(warn)), Some(Duration(error))) = (warn_after, error_after)
        && warn > error
    {
        findings.push(
            Diagnostic::error("bad-value", "`error_after` comes before `warn_after`")
                .at(field.node.place.clone())
                .help("the run would stop before it ever warns: swap them"),
        );
    }
    Some(Freshness { column: column?, warn_after, error_after })
}

fn rejected(field: Field<'_>, findings: &mut Diagnostics) -> RejectedLimits {
    let plain = RejectedLimits::default();
    let what = "`rejected`".to_owned();
    let Some(fields) = Fields::open(field.node, field.key.place.clone(), what, &REJECTED_KEYS, findings) else {
        return plain;
    };
    let error = fields.share("error", findings).unwrap_or(plain.error);
    let warn = fields.share("warn", findings).unwrap_or(plain.warn.min(error));
    if warn > error {
        findings.push(
            Diagnostic::error("bad-value", "`error` is less than `warn`")
                .at(field.node.place.clone())
                .help("the run would stop before it ever warns: swap them"),
        );
    }
    RejectedLimits { warn, error }
}

fn rows(field: Field<'_>, findings: &mut Diagnostics) -> RowLimits {
    let fields = Fields::open(field.node, field.key.place.clone(), "`rows`".to_owned(), &ROWS_KEYS, findings);
    let min = fields.and_then(|fields| fields.required("min", "1", findings)?.integer(0, i64::MAX, findings));
    min.map_or_else(RowLimits::default, |min| RowLimits { min: min.unsigned_abs() })
}
