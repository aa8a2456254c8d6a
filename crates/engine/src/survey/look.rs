//! From files to profiles: a bounded number of a table's rows is read and looked at.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::catalog::TableProvider;
use datafusion::prelude::SessionContext;
use futures::StreamExt;
use throughline_config::Format;
use throughline_lake::{
    FoundTable, OpenSource, PROBLEM_COLUMN, Stores, open_source, open_source_files, plain_words, type_name,
};

use super::column::{ColumnObserver, ColumnProfile, Storage};
use crate::failure::EngineError;

/// Rows of a table that are looked at.
pub(crate) const MOST_ROWS: usize = 200_000;

/// Files of a table that are looked into, spread over all it has.
const MOST_FILES: usize = 8;

/// What is known of a table.
#[derive(Debug, Clone)]
pub(crate) struct TableProfile {
    /// Its name in SQL.
    pub(crate) name: String,
    /// Its location, as a pipeline of the new workspace writes it.
    pub(crate) path: String,
    /// How its bytes are read.
    pub(crate) format: Format,
    /// How many files it has; 0 for a Delta table.
    pub(crate) files: usize,
    /// Rows that were looked at.
    pub(crate) rows: u64,
    /// Whether these are all its rows.
    pub(crate) is_whole: bool,
    /// Rows that cannot be read; the profiles leave them out.
    pub(crate) bad_rows: u64,
    /// What is wrong with the first of them.
    pub(crate) first_bad: Option<String>,
    /// The columns that can be read.
    pub(crate) columns: Vec<ColumnProfile>,
    /// Columns that a source cannot read, each with the reason.
    pub(crate) left_out: Vec<(String, String)>,
}

/// Looks at a table, or says why that cannot be done.
pub(crate) async fn look(
    table: &FoundTable,
    stores: &Stores,
    session: &SessionContext,
    now: i64,
) -> Result<TableProfile, String> {
    let source = table.source();
    let open = open_source(&source, stores).await.map_err(|error| format!("{error}; {}", error.help()))?;
    let (providers, all_files) = spread(table, &open, stores).await?;
    let observed: Vec<_> = table.columns.iter().filter(|column| table.has_one(&column.name)).collect();
    let mut rows = Rows {
        observers: observed
            .iter()
            .map(|column| (column.name.clone(), ColumnObserver::new(&column.name, storage(column.data_type.as_ref()))))
            .collect(),
        good: 0,
        bad: 0,
        first_bad: None,
    };
    let share = MOST_ROWS.div_ceil(providers.len().max(1));
    let mut is_whole = all_files;
    for provider in providers {
        let seen = read(provider, share, session, &mut rows).await;
        is_whole &= seen.map_err(|error| plain_words(&error.to_string()))? < share;
    }
    if rows.good == 0 {
        return Err(rows.first_bad.map_or_else(
            || "it holds no row".to_owned(),
            |first| format!("none of its {} rows can be read: {first}", rows.bad),
        ));
    }
    let left_out = table.columns.iter().filter(|column| !table.has_one(&column.name));
    let why = |name: &str| match name {
        "" => "it has no name".to_owned(),
        name => format!("several columns are called `{name}`, or the name is kept for this program's own use"),
    };
    Ok(TableProfile {
        name: String::new(),
        path: table.path.clone(),
        format: table.format,
        files: table.files,
        rows: rows.good,
        is_whole,
        bad_rows: rows.bad,
        first_bad: rows.first_bad,
        columns: rows.observers.into_iter().map(|(_, observer)| observer.finish(now)).collect(),
        left_out: left_out.map(|column| (column.name.clone(), why(&column.name))).collect(),
    })
}

type Spread = (Vec<Arc<dyn TableProvider>>, bool);

/// The tables to read rows from, a few files each where there are many; and whether these are all files.
async fn spread(table: &FoundTable, open: &OpenSource, stores: &Stores) -> Result<Spread, String> {
    if open.stamps.len() <= 1 || table.format == Format::Delta {
        return Ok((vec![Arc::clone(&open.provider)], true));
    }
    let step = open.stamps.len().div_ceil(MOST_FILES);
    let mut providers = Vec::new();
    for stamp in open.stamps.iter().step_by(step) {
        let opened = open_source_files(&table.source(), stores, &HashSet::from([*stamp]), &open.schema).await;
        providers.extend(opened.map_err(|error| error.to_string())?.map(|open| open.provider));
    }
    Ok((providers, step == 1))
}

struct Rows {
    observers: Vec<(String, ColumnObserver)>,
    good: u64,
    bad: u64,
    first_bad: Option<String>,
}

/// Looks at the first `most` rows; returns how many there were.
async fn read(
    provider: Arc<dyn TableProvider>,
    most: usize,
    session: &SessionContext,
    rows: &mut Rows,
) -> Result<usize, EngineError> {
    let mut batches = session.read_table(provider)?.limit(0, Some(most))?.execute_stream().await?;
    let mut seen = 0;
    while let Some(batch) = batches.next().await {
        let batch = batch?;
        seen += batch.num_rows();
        rows.see(&batch)?;
    }
    Ok(seen)
}

impl Rows {
    fn see(&mut self, batch: &RecordBatch) -> Result<(), EngineError> {
        let problems = batch.column_by_name(PROBLEM_COLUMN).map(|problems| problems.as_string::<i32>().clone());
        let is_bad = |row: usize| problems.as_ref().is_some_and(|problems| problems.is_valid(row));
        for row in (0..batch.num_rows()).filter(|row| is_bad(*row)) {
            self.bad += 1;
            if let (None, Some(problems)) = (&self.first_bad, &problems) {
                self.first_bad = Some(problems.value(row).to_owned());
            }
        }
        self.good += (0..batch.num_rows()).filter(|row| !is_bad(*row)).count() as u64;
        for (name, observer) in &mut self.observers {
            let Some(column) = batch.column_by_name(name) else { continue };
            // Values of nested types are not looked at.
            let Ok(texts) = cast(column, &DataType::Utf8) else { continue };
            let texts = texts.as_string::<i32>();
            for row in (0..batch.num_rows()).filter(|row| !is_bad(*row)) {
                let text = texts.is_valid(row).then(|| texts.value(row));
                observer.see(text.filter(|text| *text != "NaN" || !column.data_type().is_floating()));
            }
        }
        Ok(())
    }
}

/// How a file stores a column, by its type there.
fn storage(data_type: Option<&DataType>) -> Storage {
    let Some(data_type) = data_type else { return Storage::Text };
    match data_type {
        DataType::Dictionary(_, values) => storage(Some(values)),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Storage::TypedText,
        DataType::Int8
        | DataType::Int16
        | DataType::Int32
        | DataType::Int64
        | DataType::UInt8
        | DataType::UInt16
        | DataType::UInt32 => Storage::Whole,
        DataType::Float16 | DataType::Float32 | DataType::Float64 | DataType::Decimal32(..) => Storage::Number,
        DataType::Decimal64(digits, _) | DataType::Decimal128(digits, _) if *digits <= 15 => Storage::Number,
        DataType::UInt64 | DataType::Decimal64(..) | DataType::Decimal128(..) | DataType::Decimal256(..) => {
            Storage::Decimal
        }
        DataType::Boolean => Storage::Truth,
        DataType::Date32 | DataType::Date64 => Storage::Time { has_zone: true },
        DataType::Timestamp(_, zone) => Storage::Time { has_zone: zone.is_some() },
        other => Storage::Other(type_name(other)),
    }
}
