//! `pg_catalog`: the tables that clients read to find out what there is.
//!
//! They come from datafusion-pg-catalog. Added here is what it leaves empty, the comments of tables and columns, and
//! numbers (oids) that are the same in every edition with the same tables, since clients look a table up by its name
//! and then ask for more by its number.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use arrow::array::{Array, ArrayRef, AsArray, Int32Array, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int32Type, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{CatalogProvider, MemTable, MemoryCatalogProvider, SchemaProvider, TableProvider};
use datafusion::common::ScalarValue;
use datafusion::datasource::TableType;
use datafusion::error::{DataFusionError, Result};
use datafusion::prelude::{SessionContext, lit};
use datafusion_pg_catalog::pg_catalog::catalog_info::CatalogInfo;
use datafusion_pg_catalog::pg_catalog::context::EmptyContextProvider;
use datafusion_pg_catalog::pg_catalog::{PgCatalogSchemaProvider, PgCatalogStaticTables, setup_pg_catalog};

use crate::functions;
use crate::objects::{Comments, Described, Objects, PG_CLASS, PG_NAMESPACE};
use crate::schemas::{CATALOGUE, MAIN, Schema};

const PG_CATALOG: &str = "pg_catalog";
/// The key of a column's comment in its field's metadata.
pub(crate) const COMMENT: &str = "comment";

/// Adds `pg_catalog` and PostgreSQL's functions to a session.
pub(crate) async fn install(
    session: &SessionContext,
    catalogue: &Arc<MemoryCatalogProvider>,
    schemas: &[Schema],
    user: &str,
) -> Result<()> {
    setup_pg_catalog(session, CATALOGUE, EmptyContextProvider).map_err(|error| *error)?;
    let fixed = Arc::new(PgCatalogStaticTables::try_new()?);
    let names = InOrder(Arc::downgrade(catalogue));
    let tables = Arc::new(PgCatalogSchemaProvider::try_new(names, Arc::clone(&fixed), EmptyContextProvider)?);
    catalogue.register_schema(PG_CATALOG, Arc::clone(&tables) as Arc<dyn SchemaProvider>)?;

    let numbers = Numbers::assigned(session).await?;
    let comments = comments(schemas, &numbers);
    let described = description_table(fixed.pg_description.schema(), fixed.pg_description.data(), &comments)?;
    let mut replaced = BTreeMap::from([("pg_description", described)]);
    if let Some(relations) = tables.table("pg_class").await? {
        replaced.insert("pg_class", with_missing(session, relations)?);
    }
    catalogue.register_schema(PG_CATALOG, Arc::new(WithReplacements { tables, replaced }))?;
    let mut objects = Objects { comments, ..Objects::default() };
    for ((schema, table), number) in numbers.tables {
        let known = schemas.iter().find(|known| known.name == schema);
        let bytes = known.and_then(|known| known.tables.iter().find(|known| known.name == table));
        objects.bytes.insert(number, bytes.map_or(0, |table| i64::try_from(table.bytes).unwrap_or(i64::MAX)));
        if schema == MAIN || schema == PG_CATALOG {
            objects.visible.insert(number);
            objects.numbers.insert(table.clone(), number);
        }
        objects.numbers.insert(format!("{schema}.{table}"), number);
    }
    // Comments belong to objects of these two, under the numbers that they have in every PostgreSQL.
    for (name, number) in [("pg_class", PG_CLASS), ("pg_namespace", PG_NAMESPACE)] {
        objects.numbers.insert(name.to_owned(), number);
        objects.numbers.insert(format!("{PG_CATALOG}.{name}"), number);
    }
    functions::register(session, user, &Arc::new(objects));
    Ok(())
}

/// `pg_class` with the columns that it lacks and clients read: options and grants, of which there are none.
fn with_missing(session: &SessionContext, relations: Arc<dyn TableProvider>) -> Result<Arc<dyn TableProvider>> {
    let nothing = || lit(ScalarValue::Utf8(None));
    let relations = session.read_table(relations)?;
    Ok(relations.with_column("relacl", nothing())?.with_column("reloptions", nothing())?.into_view())
}

fn comments(schemas: &[Schema], numbers: &Numbers) -> Comments {
    let mut comments = Comments::new();
    for schema in schemas {
        if let Some(&object) = numbers.schemas.get(&schema.name) {
            comments.insert(Described { class: PG_NAMESPACE, object, column: 0 }, schema.description.clone());
        }
        for table in &schema.tables {
            let Some(&object) = numbers.tables.get(&(schema.name.clone(), table.name.clone())) else { continue };
            if let Some(text) = &table.description {
                comments.insert(Described { class: PG_CLASS, object, column: 0 }, text.clone());
            }
            for (column, field) in (1..).zip(table.provider.schema().fields()) {
                if let Some(text) = field.metadata().get(COMMENT) {
                    comments.insert(Described { class: PG_CLASS, object, column }, text.clone());
                }
            }
        }
    }
    comments
}

/// PostgreSQL's own comments on its own objects, and ours.
fn description_table(schema: SchemaRef, theirs: &[RecordBatch], ours: &Comments) -> Result<Arc<dyn TableProvider>> {
    let whole = |value: fn(&Described) -> i32| -> ArrayRef {
        Arc::new(ours.keys().map(|key| Some(value(key))).collect::<Int32Array>())
    };
    let columns = schema.fields().iter().map(|field| {
        let column: ArrayRef = match field.name().as_str() {
            "objoid" => whole(|key| key.object),
            "classoid" => whole(|key| key.class),
            "objsubid" => whole(|key| key.column),
            _ => Arc::new(ours.values().map(Some).collect::<StringArray>()),
        };
        cast(&column, field.data_type())
    });
    let columns = columns.collect::<std::result::Result<Vec<_>, _>>()?;
    let batch = RecordBatch::try_new(Arc::clone(&schema), columns)?;
    let mut batches = theirs.to_vec();
    batches.push(batch);
    Ok(Arc::new(MemTable::try_new(schema, vec![batches])?))
}

/// Numbers of schemas and tables.
struct Numbers {
    schemas: BTreeMap<String, i32>,
    tables: BTreeMap<(String, String), i32>,
}

impl Numbers {
    /// Has every number assigned, in the order of the names, and reads them.
    async fn assigned(session: &SessionContext) -> Result<Self> {
        // `pg_class` assigns all of them; asked for alone, it does so undisturbed.
        session.sql("SELECT count(*) FROM pg_catalog.pg_class").await?.collect().await?;
        let sql = "SELECT n.nspname, n.oid, c.relname, c.oid FROM pg_catalog.pg_namespace n \
                   LEFT JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid";
        let mut numbers = Self { schemas: BTreeMap::new(), tables: BTreeMap::new() };
        for batch in session.sql(sql).await?.collect().await? {
            let text = |column: usize| cast(batch.column(column), &DataType::Utf8);
            let whole = |column: usize| cast(batch.column(column), &DataType::Int32);
            let (schemas, tables) = (text(0)?, text(2)?);
            let (schema_numbers, table_numbers) = (whole(1)?, whole(3)?);
            for row in 0..batch.num_rows() {
                let schema = schemas.as_string::<i32>().value(row).to_owned();
                numbers.schemas.insert(schema.clone(), schema_numbers.as_primitive::<Int32Type>().value(row));
                if table_numbers.is_valid(row) {
                    let table = tables.as_string::<i32>().value(row).to_owned();
                    let number = table_numbers.as_primitive::<Int32Type>().value(row);
                    numbers.tables.insert((schema, table), number);
                }
            }
        }
        Ok(numbers)
    }
}

/// The catalogue's names in a fixed order; DataFusion keeps them in none. The catalogue owns this, not the other way
/// round, so that an edition nobody asks any more is freed.
#[derive(Debug, Clone)]
struct InOrder(Weak<MemoryCatalogProvider>);

impl InOrder {
    fn schema(&self, name: &str) -> Option<Arc<dyn SchemaProvider>> {
        self.0.upgrade()?.schema(name)
    }
}

fn sorted(mut names: Vec<String>) -> Vec<String> {
    names.sort_unstable();
    names
}

#[async_trait]
impl CatalogInfo for InOrder {
    async fn catalog_names(&self) -> Result<Vec<String>> {
        Ok(vec![CATALOGUE.to_owned()])
    }

    async fn schema_names(&self, catalogue: &str) -> Result<Option<Vec<String>>> {
        Ok((catalogue == CATALOGUE).then(|| sorted(self.0.upgrade().map(|all| all.schema_names()).unwrap_or_default())))
    }

    async fn table_names(&self, _: &str, schema: &str) -> Result<Option<Vec<String>>> {
        Ok(self.schema(schema).map(|schema| sorted(schema.table_names())))
    }

    async fn table_schema(&self, _: &str, schema: &str, table: &str) -> Result<Option<SchemaRef>> {
        let Some(schema) = self.schema(schema) else { return Ok(None) };
        Ok(schema.table(table).await?.map(|table| table.schema()))
    }

    async fn table_type(&self, _: &str, schema: &str, table: &str) -> Result<Option<TableType>, DataFusionError> {
        match self.schema(schema) {
            Some(schema) => schema.table_type(table).await,
            None => Ok(None),
        }
    }
}

/// A schema of which some tables are ours.
#[derive(Debug)]
struct WithReplacements<S> {
    tables: Arc<S>,
    replaced: BTreeMap<&'static str, Arc<dyn TableProvider>>,
}

#[async_trait]
impl<S: SchemaProvider> SchemaProvider for WithReplacements<S> {
    fn table_names(&self) -> Vec<String> {
        self.tables.table_names()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        match self.replaced.get(name) {
            Some(table) => Ok(Some(Arc::clone(table))),
            None => self.tables.table(name).await,
        }
    }

    fn table_exist(&self, name: &str) -> bool {
        self.tables.table_exist(name)
    }
}
