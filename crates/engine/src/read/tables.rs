//! Rows of published tables, for reports and explanations.

use datafusion::logical_expr::{ident, lit};
use datafusion::prelude::SessionContext;

use super::figures::Figures;
use super::published::Published;
use crate::failure::EngineError;

/// The tables of one run, open in one session.
pub struct PublishedTables<'a> {
    session: SessionContext,
    published: &'a Published,
}

impl<'a> PublishedTables<'a> {
    /// Opens every table of a run.
    ///
    /// # Errors
    /// As [`Published::session`].
    pub async fn of(published: &'a Published) -> Result<Self, EngineError> {
        Ok(Self { session: published.session().await?, published })
    }

    /// Opens some tables of a run; names that it does not have are left out.
    pub async fn some(published: &'a Published, names: &[&str]) -> Result<Self, EngineError> {
        Ok(Self { session: published.session_with(names).await?, published })
    }

    /// The run that the tables belong to.
    pub fn published(&self) -> &Published {
        self.published
    }

    /// Whether the run has a table of this name.
    pub fn has(&self, table: &str) -> bool {
        self.published.record.tables.contains_key(table)
    }

    /// Those of `columns` that a published table lacks.
    ///
    /// # Errors
    /// An error of planning.
    pub async fn lacking<'c>(&self, table: &str, columns: &[&'c str]) -> Result<Vec<&'c str>, EngineError> {
        let frame = self.session.table(table).await?;
        let has = |column: &&str| frame.schema().fields().iter().any(|field| field.name() == *column);
        Ok(columns.iter().copied().filter(|column| !has(column)).collect())
    }

    /// Rows in which text columns have these values; `None` when the run has no such table.
    ///
    /// # Errors
    /// The table has no such column, or its files cannot be read.
    pub async fn rows(&self, table: &str, values: &[(&str, &str)]) -> Result<Option<Vec<Figures>>, EngineError> {
        if !self.has(table) {
            return Ok(None);
        }
        let mut frame = self.session.table(table).await?;
        for (column, value) in values {
            frame = frame.filter(ident(*column).eq(lit(*value)))?;
        }
        Ok(Some(Figures::of(&frame.collect().await?)))
    }

    /// The rows of one SELECT, written by this program, over the run's tables. Refused when a table has other columns
    /// or types than the SELECT asks for, since a pipeline's tables are its own; a failure is one of reading.
    pub async fn select(&self, sql: &str) -> Result<Vec<Figures>, EngineError> {
        let frame = self.session.sql(sql).await.map_err(|error| {
            // The message without the engine's back trace; the cause keeps it.
            EngineError::refused_because(error.strip_backtrace(), "", error)
        })?;
        Ok(Figures::of(&frame.collect().await?))
    }
}
