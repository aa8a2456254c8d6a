//! An edition: everything that can be asked about, as it was published by one run. It never changes.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::catalog::{
    CatalogProvider, CatalogProviderList, MemoryCatalogProvider, MemoryCatalogProviderList, MemorySchemaProvider,
    SchemaProvider,
};
use datafusion::config::Dialect;
use datafusion::execution::{SessionState, SessionStateBuilder};
use datafusion::prelude::SessionContext;
use throughline_engine::{EngineError, Publications, Published};

use crate::catalogue;
use crate::functions;
use crate::interruptible::interruptible;
use crate::schemas::{CATALOGUE, MAIN, Schema, schemas};

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
    Ok(interruptible(session.state()))
}
