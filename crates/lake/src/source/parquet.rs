//! Parquet sources: one schema out of many footers.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use datafusion::common::ScalarValue;
use datafusion::common::stats::Precision;
use datafusion::datasource::physical_plan::parquet::metadata::DFParquetMetadata;
use datafusion::execution::cache::cache_manager::FileMetadataCache;
use datafusion_datasource::PartitionedFile;
use futures::{StreamExt, TryStreamExt};
use object_store::{ObjectMeta, ObjectStoreExt};
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData};
use throughline_config::{ColumnType, Source};

use super::declared::declared_schema;
use super::error::SourceError;
use super::listing::{CONCURRENT_FILES, stamp};
use super::opened::OpenSource;
use super::types::{becomes, declared_name, read_type, type_name};
use crate::scan::{ParquetTable, SortColumn, file_statistics};
use crate::stores::{Location, Stores};

/// Most footers fit, which saves a second request.
const FOOTER_BYTES: usize = 64 * 1024;

/// A file whose footer was read.
struct Footer {
    file: ObjectMeta,
    shown: String,
    schema: Schema,
    metadata: Arc<ParquetMetaData>,
}

/// Opens files of a source. `whole` is the schema of a source of which these are only a part, and which has been held
/// against all of its files before.
pub(super) async fn open(
    source: &Source,
    stores: &Stores,
    location: &Location,
    files: Vec<ObjectMeta>,
    whole: Option<&SchemaRef>,
) -> Result<OpenSource, SourceError> {
    let cache = stores.runtime().cache_manager.get_file_metadata_cache();
    let footers: Vec<Footer> = futures::stream::iter(files)
        .map(|file| footer(source.name.as_str(), location, file, Arc::clone(&cache)))
        .buffered(CONCURRENT_FILES)
        .try_collect()
        .await?;
    let schema = match whole {
        Some(schema) => Arc::clone(schema),
        None if source.columns.is_empty() => united(&footers)?,
        None => declared(source, location, &footers)?,
    };
    let shown = footers.iter().map(|footer| (footer.shown.clone(), footer.file.size)).collect();
    let stamps = footers.iter().map(|footer| stamp(&footer.file, location)).collect();
    let files = footers
        .into_iter()
        .map(|footer| {
            let statistics = file_statistics(&footer.metadata, &footer.schema, &schema);
            PartitionedFile::from(footer.file).with_statistics(Arc::new(statistics))
        })
        .collect();
    let provider = Arc::new(if source.sorted_by.is_empty() {
        ParquetTable::new(Arc::clone(&schema), location, files)
    } else {
        // A missing column is reported when the source is planned.
        let order = source.sorted_by.iter().map(|column| SortColumn::ascending(column.value.as_str())).collect();
        ParquetTable::chained(Arc::clone(&schema), location, files, order)
    });
    Ok(OpenSource { schema, provider, files: shown, stamps, warnings: Vec::new() })
}

/// The columns of one file, as its footer has them.
pub(super) async fn file_schema(stores: &Stores, location: &Location, file: ObjectMeta) -> Result<Schema, SourceError> {
    let cache = stores.runtime().cache_manager.get_file_metadata_cache();
    let shown = location.show(&file.location);
    footer(&shown, location, file, cache).await.map(|footer| footer.schema)
}

async fn footer(
    source_name: &str,
    location: &Location,
    file: ObjectMeta,
    cache: Arc<FileMetadataCache>,
) -> Result<Footer, SourceError> {
    let shown = location.show(&file.location);
    let reader = DFParquetMetadata::new(location.store.as_ref(), &file)
        .with_metadata_size_hint(Some(FOOTER_BYTES))
        .with_file_metadata_cache(Some(cache))
        .with_page_index_policy(Some(PageIndexPolicy::Skip))
        .with_coerce_int96(Some(TimeUnit::Microsecond));
    let read = async {
        Ok::<_, datafusion::error::DataFusionError>((reader.fetch_metadata().await?, reader.fetch_schema().await?))
    };
    let (metadata, schema) = match read.await {
        Ok(read) => read,
        Err(error) => return Err(broken(source_name, location, &file, shown, &error.to_string()).await),
    };
    for (index, field) in schema.fields().iter().enumerate() {
        if schema.fields()[..index].iter().any(|earlier| earlier.name() == field.name()) {
            return Err(SourceError::DuplicateColumn { file: shown, column: field.name().clone() });
        }
    }
    Ok(Footer { file, shown, schema, metadata })
}

/// Why a footer cannot be read: the store fails, the file is cut short, or it is no Parquet at all.
async fn broken(source_name: &str, location: &Location, file: &ObjectMeta, shown: String, reason: &str) -> SourceError {
    let head = match location.store.get_range(&file.location, 0..file.size.min(4)).await {
        Ok(head) => head,
        Err(_) if file.size == 0 => bytes::Bytes::new(),
        Err(error) => return SourceError::Storage { source_name: source_name.into(), path: shown, error },
    };
    let reason = reason.trim_start_matches("Parquet error: ").trim_start_matches("External: ").to_owned();
    if file.size == 0 || head.as_ref() == b"PAR1" {
        SourceError::CutShort { file: shown, bytes: file.size, reason }
    } else {
        SourceError::NotParquet { file: shown, reason }
    }
}

/// The columns of all files, each once, in the order in which they are first seen.
fn united(footers: &[Footer]) -> Result<SchemaRef, SourceError> {
    let mut fields: Vec<Field> = Vec::new();
    let mut first: HashMap<&str, (usize, &Footer)> = HashMap::new();
    for footer in footers {
        for field in footer.schema.fields() {
            let wanted = read_type(field.data_type());
            let Some((index, other)) = first.get(field.name().as_str()).copied() else {
                first.insert(field.name(), (fields.len(), footer));
                fields.push(Field::new(field.name(), wanted, true).with_metadata(comment(field)));
                continue;
            };
            let seen = fields[index].data_type();
            if *seen == DataType::Null {
                // Only nulls so far: the first file with a type decides.
                fields[index] = Field::new(field.name(), wanted, true).with_metadata(comment(field));
                first.insert(field.name(), (index, footer));
            } else if *seen != wanted && wanted != DataType::Null {
                let first_type = other.schema.field_with_name(field.name()).map(|field| type_name(field.data_type()));
                return Err(SourceError::MixedTypes {
                    column: field.name().clone(),
                    first_file: other.shown.clone(),
                    first_type: first_type.unwrap_or_else(|_| type_name(seen)),
                    second_file: footer.shown.clone(),
                    second_type: type_name(field.data_type()),
                });
            }
        }
    }
    Ok(Arc::new(Schema::new(fields)))
}

fn comment(field: &Field) -> HashMap<String, String> {
    field.metadata().get("comment").map(|text| ("comment".to_owned(), text.clone())).into_iter().collect()
}

/// Exactly the declared columns, where each file's column becomes the declared type without loss.
fn declared(source: &Source, location: &Location, footers: &[Footer]) -> Result<SchemaRef, SourceError> {
    for (name, column) in &source.columns {
        let mut anywhere = false;
        for footer in footers {
            let Ok(field) = footer.schema.field_with_name(name) else { continue };
            anywhere = true;
            if !becomes(field.data_type(), column.data_type.value)
                && !whole_numbers_fit(footer, name, column.data_type.value)
            {
                return Err(SourceError::ColumnType {
                    column: name.clone(),
                    file: footer.shown.clone(),
                    found: type_name(field.data_type()),
                    declared: declared_name(column.data_type.value),
                });
            }
        }
        if !anywhere {
            let mut present: Vec<String> = Vec::new();
            for field in footers.iter().flat_map(|footer| footer.schema.fields()) {
                if !present.contains(field.name()) {
                    present.push(field.name().clone());
                }
            }
            let closest = throughline_config::closest(name, present.iter().map(String::as_str)).map(Into::into);
            return Err(SourceError::MissingColumn {
                file: location.to_string(),
                column: name.clone(),
                closest,
                present,
            });
        }
    }
    Ok(declared_schema(source))
}

/// Whether every value of a column of 64-bit whole numbers is exact as a float64, by the footer's bounds. Programs
/// that have no null in whole numbers write the same column now as int64, now as float64.
fn whole_numbers_fit(footer: &Footer, column: &str, declared: ColumnType) -> bool {
    const EXACT: u64 = 1 << 53;
    let Ok(index) = footer.schema.index_of(column) else { return false };
    if declared != ColumnType::Float64 {
        return false;
    }
    let statistics = file_statistics(&footer.metadata, &footer.schema, &Arc::new(footer.schema.clone()));
    let fits = |bound: &Precision<ScalarValue>| match bound.get_value() {
        Some(ScalarValue::Int64(Some(value))) => value.unsigned_abs() <= EXACT,
        Some(ScalarValue::UInt64(Some(value))) => *value <= EXACT,
        _ => false,
    };
    let bounds = &statistics.column_statistics[index];
    fits(&bounds.min_value) && fits(&bounds.max_value)
}
