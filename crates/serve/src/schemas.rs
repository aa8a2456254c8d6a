//! The schemas of an edition and their tables: the newest run and each snapshot.

use std::sync::Arc;

use datafusion::catalog::TableProvider;
use throughline_engine::{EngineError, Published};

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

/// A table; its columns' comments are in the metadata of its fields.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) name: String,
    /// What one row is.
    pub(crate) description: Option<String>,
    /// Of its files.
    pub(crate) bytes: u64,
    pub(crate) provider: Arc<dyn TableProvider>,
}

/// `main`, the newest run, and each snapshot under a name of its own. A snapshot whose manifest is damaged is left out:
/// `throughline snapshot verify` says what is wrong with it.
pub(crate) async fn schemas(published: &Published) -> Result<Vec<Schema>, EngineError> {
    let of_others = published.record.as_of_other_runs();
    let tables = published.tables().await?.into_iter().map(|table| Table {
        description: match of_others.get(table.name.as_str()) {
            Some(as_of) => Some(format!(
                "{}cut at {as_of}, made by an earlier run",
                table.description.map(|description| format!("{description}; ")).unwrap_or_default()
            )),
            None => table.description,
        },
        name: table.name,
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
