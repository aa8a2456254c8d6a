//! An edition: everything that can be asked about, as it was published by one run. It never changes.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::catalog::{
    CatalogProvider, CatalogProviderList, MemoryCatalogProvider, MemoryCatalogProviderList, MemorySchemaProvider,
    SchemaProvider, TableProvider,
};
use datafusion::config::Dialect;
use datafusion::execution::{SessionState, SessionStateBuilder};
use datafusion::prelude::SessionContext;
use throughline_engine::{EngineError, Publications, Published};

use crate::catalogue;
use crate::functions;

/// The one catalogue, which PostgreSQL calls a database.
pub(crate) const CATALOGUE: &str = "throughline";
/// The schema of the newest complete run.
pub(crate) const MAIN: &str = "main";

/// A schema: its name and its tables.
#[derive(Debug)]
pub(crate) struct Schema {
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) tables: Vec<Table>,
}

/// A table; its columns' comments stand in the metadata of its fields.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) name: String,
    /// What one row is.
    pub(crate) description: Option<String>,
    /// Of its files.
    pub(crate) bytes: u64,
    pub(crate) provider: Arc<dyn TableProvider>,
}

/// Everything that can be asked about.
pub(crate) struct Edition {
    pub(crate) run_id: Arc<str>,
    pub(crate) as_of: String,
    /// Schemas and how many tables each has.
    pub(crate) schemas: Vec<(String, usize)>,
    state: SessionState,
}

impl Edition {
    /// The edition of a run.
    pub(crate) async fn of(
        publications: &Publications,
        published: &Published,
        user: &str,
    ) -> Result<Self, EngineError> {
        let schemas = schemas(published).await?;
        let state = state(publications, &schemas, user).await?;
        Ok(Self {
            run_id: published.record.run_id.as_str().into(),
            as_of: published.record.as_of.clone(),
            schemas: schemas.iter().map(|schema| (schema.name.clone(), schema.tables.len())).collect(),
            state,
        })
    }

    /// A session of its own for one statement, whose unqualified names mean those of `schema`.
    pub(crate) fn session(&self, schema: Option<&str>) -> SessionContext {
        let mut state = self.state.clone();
        if let Some(schema) = schema {
            state.config_mut().options_mut().catalog.default_schema = schema.to_owned();
        }
        let session = SessionContext::new_with_state(state);
        if let Some(schema) = schema {
            functions::register_current_schema(&session, schema);
        }
        session
    }

    /// Whether there is such a schema of tables.
    pub(crate) fn has_schema(&self, name: &str) -> bool {
        self.schemas.iter().any(|(schema, _)| schema == name)
    }
}

/// `main`, the newest run, and each snapshot under a name of its own. A snapshot whose manifest is damaged is left out:
/// `throughline snapshot verify` says what is wrong with it.
async fn schemas(published: &Published) -> Result<Vec<Schema>, EngineError> {
    let tables = published.tables().await?.into_iter().map(|table| Table {
        name: table.name,
        description: table.description,
        bytes: table.bytes,
        provider: table.provider,
    });
    let description = format!("The newest complete run, cut at {}", published.record.as_of);
    let mut schemas = vec![Schema { name: MAIN.into(), description, tables: tables.collect() }];
    for listed in published.snapshots().await? {
        let Ok(snapshot) = listed.snapshot else { continue };
        let tables = snapshot.manifest().tables.iter().filter_map(|(name, table)| {
            let provider = snapshot.table(name)?;
            Some(Table { name: name.clone(), description: table.description.clone(), bytes: table.bytes, provider })
        });
        schemas.push(Schema {
            name: listed.name.sql_schema(),
            description: format!("Snapshot {}, cut at {}", listed.name, snapshot.manifest().as_of),
            tables: tables.collect(),
        });
    }
    Ok(schemas)
}

async fn state(publications: &Publications, schemas: &[Schema], user: &str) -> Result<SessionState, EngineError> {
    let base = publications.session()?.state();
    let mut config = base
        .config()
        .clone()
        .with_default_catalog_and_schema(CATALOGUE, MAIN)
        .with_create_default_catalog_and_schema(false);
    config.options_mut().sql_parser.dialect = Dialect::PostgreSQL;
    let catalogues = Arc::new(MemoryCatalogProviderList::new());
    let catalogue = Arc::new(MemoryCatalogProvider::new());
    for schema in schemas {
        let tables = MemorySchemaProvider::new();
        for table in &schema.tables {
            tables.register_table(table.name.clone(), Arc::clone(&table.provider))?;
        }
        catalogue.register_schema(&schema.name, Arc::new(tables))?;
    }
    catalogues.register_catalog(CATALOGUE.to_owned(), Arc::clone(&catalogue) as Arc<dyn CatalogProvider>);
    // Without factories and formats no statement could open a file, even if one came to be planned.
    let state = SessionStateBuilder::new_from_existing(base)
        .with_config(config)
        .with_catalog_list(catalogues)
        .with_table_factories(HashMap::new())
        .with_file_formats(Vec::new())
        .build();
    let session = SessionContext::new_with_state(state);
    catalogue::install(&session, &catalogue, schemas, user).await?;
    Ok(session.state())
}
