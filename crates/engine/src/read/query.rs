//! One SELECT over what is published.

use std::sync::Arc;

use datafusion::dataframe::DataFrame;
use datafusion::prelude::{SQLOptions, SessionContext};
use throughline_config::{Diagnostic, SourceFile, closest};
use throughline_plan::{SqlText, TextOrigin, diagnose};

use super::published::Published;
use crate::failure::EngineError;
use crate::record::history::{RUN_TABLES, register_run_tables};
use crate::workspace::locate::locate;
use crate::workspace::options::PrepareOptions;
use crate::workspace::sessions::new_session;

impl Published {
    /// Plans one SELECT over the run's tables and the history of runs. Anything that is not a query is refused.
    ///
    /// # Errors
    /// The text is no SELECT, reads something else, or does not fit the tables: refused. A table cannot be opened.
    pub async fn query(&self, sql: &str) -> Result<DataFrame, EngineError> {
        let parsed = parsed(sql, &self.record.tables.keys().map(String::as_str).collect::<Vec<_>>())?;
        planned(parsed, self.session().await?).await
    }
}

/// Plans one SELECT over what a pipeline has published. Before anything is, the history of runs can be asked.
///
/// # Errors
/// Those of [`Published::open`] and [`Published::query`].
pub async fn query(options: PrepareOptions, sql: &str) -> Result<DataFrame, EngineError> {
    let (pipeline, warehouse, runtime) = locate(&options)?;
    let history_only = SqlText::parse(&query_file(sql)).is_ok_and(|parsed| only_history(&parsed));
    if history_only && Published::latest(&warehouse, &pipeline.name).await?.is_none() {
        let session = new_session(&options.session, &runtime)?;
        register_run_tables(&warehouse, &pipeline.name, &session)?;
        return planned(parsed(sql, &[])?, session).await;
    }
    Published::open(options).await?.query(sql).await
}

fn only_history(parsed: &SqlText) -> bool {
    let mut read = parsed.references.keys();
    read.len() > 0 && read.all(|name| RUN_TABLES.contains(&name.as_str()))
}

fn query_file(sql: &str) -> Arc<SourceFile> {
    Arc::new(SourceFile { path: "query".into(), text: sql.to_owned() })
}

/// The SELECT, when it reads nothing but the `published` tables and the history of runs.
fn parsed(sql: &str, published: &[&str]) -> Result<SqlText, EngineError> {
    let parsed = SqlText::parse(&query_file(sql))?;
    for (name, place) in &parsed.references {
        let known = || published.iter().copied().chain(RUN_TABLES);
        if name.contains('.') || known().any(|table| table == name) {
            continue;
        }
        let mut finding = Diagnostic::error("unknown-relation", format!("no published table `{name}`"))
            .at(place.clone())
            .help(format!("published: {}", known().collect::<Vec<_>>().join(", ")));
        if let Some(near) = closest(name, known()) {
            finding = finding.label(format!("did you mean `{near}`?"));
        }
        return Err(EngineError::Configuration(finding.into()));
    }
    Ok(parsed)
}

async fn planned(parsed: SqlText, session: SessionContext) -> Result<DataFrame, EngineError> {
    let allowed = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
    let origin = TextOrigin::File(Arc::clone(&parsed.file));
    let plan = session.state().statement_to_plan(parsed.statement).await;
    let plan = plan.map_err(|error| EngineError::Configuration(diagnose(&error, &origin)))?;
    allowed.verify_plan(&plan).map_err(|error| EngineError::Configuration(diagnose(&error, &origin)))?;
    Ok(DataFrame::new(session.state(), plan))
}
