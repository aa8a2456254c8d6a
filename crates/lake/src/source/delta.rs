//! Delta tables of other systems, at their newest version.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::catalog::view::ViewTable;
use datafusion::common::{Column, TableReference};
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::{Expr, LogicalPlanBuilder, cast};
use throughline_config::Source;

use super::error::SourceError;
use super::listing::stamp;
use super::opened::OpenSource;
use super::types::{becomes, declared_name, declared_type, read_type, type_name};
use crate::stores::Location;
use crate::warehouse::data_file::DataFile;
use crate::warehouse::delta_log;

pub(super) async fn open(source: &Source, location: &Location) -> Result<OpenSource, SourceError> {
    let name = || source.name.value.clone();
    let failed = |error| SourceError::Delta { source_name: name(), path: location.to_string(), error: Box::new(error) };
    let unplanned =
        |error| SourceError::Plan { source_name: name(), path: location.to_string(), error: Box::new(error) };
    let exists = delta_log::exists(location).await.map_err(|error| SourceError::Storage {
        source_name: name(),
        path: location.to_string(),
        error,
    })?;
    if !exists {
        return Err(SourceError::NotDelta { source_name: name(), path: location.to_string() });
    }
    let table = delta_log::load(location, None).await.map_err(failed)?;
    let objects = DataFile::all_of(&table, location).map_err(failed)?.into_iter().map(|file| file.object);
    let (files, stamps) =
        objects.map(|object| ((location.show(&object.location), object.size), stamp(&object, location))).unzip();
    let provider = table.table_provider().await.map_err(unplanned)?;
    let found = provider.schema();
    let wanted: Vec<(String, DataType)> = if source.columns.is_empty() {
        found.fields().iter().map(|field| (field.name().clone(), read_type(field.data_type()))).collect()
    } else {
        check_declared(source, location, &found)?;
        source.columns.iter().map(|(name, column)| (name.clone(), declared_type(column.data_type.value))).collect()
    };
    let columns: Vec<Expr> = wanted
        .into_iter()
        .map(|(name, wanted)| {
            let column = Expr::Column(Column::from_name(&name));
            let same = found.field_with_name(&name).is_ok_and(|field| *field.data_type() == wanted);
            if same { column } else { cast(column, wanted).alias(name) }
        })
        .collect();
    let scan = TableReference::bare(format!("{}__delta", source.name.value));
    let plan = LogicalPlanBuilder::scan(scan, provider_as_source(provider), None)
        .and_then(|builder| builder.project(columns))
        .and_then(LogicalPlanBuilder::build)
        .map_err(unplanned)?;
    let provider = Arc::new(ViewTable::new(plan, None));
    Ok(OpenSource {
        schema: datafusion::catalog::TableProvider::schema(provider.as_ref()),
        provider,
        files,
        stamps,
        warnings: Vec::new(),
    })
}

fn check_declared(source: &Source, location: &Location, found: &arrow::datatypes::Schema) -> Result<(), SourceError> {
    for (name, column) in &source.columns {
        let Ok(field) = found.field_with_name(name) else {
            let present: Vec<String> = found.fields().iter().map(|field| field.name().clone()).collect();
            let closest = throughline_config::closest(name, present.iter().map(String::as_str)).map(Into::into);
            return Err(SourceError::MissingColumn {
                file: location.to_string(),
                column: name.clone(),
                closest,
                present,
            });
        };
        if !becomes(field.data_type(), column.data_type.value) {
            return Err(SourceError::ColumnType {
                column: name.clone(),
                file: location.to_string(),
                found: type_name(field.data_type()),
                declared: declared_name(column.data_type.value),
            });
        }
    }
    Ok(())
}
