//! What the endpoint remembers of a connection that is logged in.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use datafusion::sql::sqlparser::ast::Statement;
use tokio_util::sync::CancellationToken;

use super::cursor::Cursor;
use super::settings::Settings;
use crate::edition::Edition;
use crate::event::Protocol;
use crate::failure::{Failure, sqlstate};
use crate::queries::Asked;
use crate::shared::Shared;

/// Prepared statements, cursors and portals that a connection may keep of each.
const MOST_KEPT: usize = 1000;

/// A connection that is logged in.
pub(super) struct Session {
    pub(super) connection: u64,
    pub(super) user: String,
    pub(super) cancel: Arc<Cancel>,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    settings: Settings,
    /// What the transaction sees, from its beginning to its end.
    pinned: Option<Arc<Edition>>,
    /// Statements of `PREPARE`.
    prepared: BTreeMap<String, Statement>,
    cursors: BTreeMap<String, Cursor>,
    /// Bytes of what is kept under names: statements of `PREPARE`, and the protocol's own statements and portals.
    named: BTreeMap<(Named, String), usize>,
}

/// What is kept under a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Named {
    /// A statement of `PREPARE`.
    Prepared,
    /// A statement of the protocol's `Parse`.
    Statement,
    /// A portal of the protocol's `Bind`.
    Portal,
}

/// Ends what a connection runs or keeps half-read. A request that comes while a query is planned ends it when it
/// starts; one that comes when nothing runs does nothing to the next.
#[derive(Default)]
pub(super) struct Cancel(Mutex<CancellationToken>);

impl Cancel {
    fn token(&self) -> MutexGuard<'_, CancellationToken> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn request(&self) {
        self.token().cancel();
    }

    /// What the next query listens to: what the others do, unless that was used.
    fn of_next(&self) -> CancellationToken {
        let mut token = self.token();
        if token.is_cancelled() {
            *token = CancellationToken::new();
        }
        token.clone()
    }
}

impl Session {
    pub(super) fn new(connection: u64, user: &str) -> Self {
        Self { connection, user: user.to_owned(), cancel: Arc::default(), kept: Mutex::default() }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a statement sees: the transaction's edition, or else the newest one.
    pub(super) fn edition(&self, shared: &Shared) -> Arc<Edition> {
        self.kept().pinned.clone().unwrap_or_else(|| shared.edition())
    }

    /// From here on every statement sees the same.
    pub(super) fn begin(&self, shared: &Shared) {
        self.kept().pinned.get_or_insert_with(|| shared.edition());
    }

    /// From here on every statement sees what is newest. Cursors end, except those declared WITH HOLD.
    pub(super) fn end(&self) {
        let mut kept = self.kept();
        kept.pinned = None;
        kept.cursors.retain(|_, cursor| cursor.holds());
    }

    pub(super) fn settings(&self) -> Settings {
        self.kept().settings.clone()
    }

    pub(super) fn change_settings<T>(&self, change: impl FnOnce(&mut Settings) -> T) -> T {
        change(&mut self.kept().settings)
    }

    pub(super) fn asked(&self, edition: &Edition, sql: &str) -> Asked {
        Asked {
            connection: self.connection,
            protocol: Protocol::Postgres,
            sql: sql.into(),
            run_id: Arc::clone(&edition.run_id),
            timeout: self.kept().settings.statement_timeout(),
            cancel: self.cancel.of_next(),
        }
    }

    pub(super) fn prepare(&self, name: &str, statement: Statement) {
        self.kept().prepared.insert(name.to_owned(), statement);
    }

    pub(super) fn prepared(&self, name: &str) -> Result<Statement, Failure> {
        let missing =
            || Failure::new(sqlstate::NO_SUCH_STATEMENT, format!("there is no prepared statement \"{name}\""));
        self.kept().prepared.get(name).cloned().ok_or_else(missing)
    }

    /// Forgets a statement of `PREPARE`.
    pub(super) fn deallocate(&self, name: &str) {
        let mut kept = self.kept();
        kept.prepared.remove(name);
        kept.named.remove(&(Named::Prepared, name.to_owned()));
    }

    pub(super) fn declare(&self, name: &str, cursor: Cursor) -> Result<(), Failure> {
        let mut kept = self.kept();
        room(kept.cursors.len())?;
        kept.cursors.insert(name.to_owned(), cursor);
        Ok(())
    }

    pub(super) fn cursor(&self, name: &str) -> Result<Cursor, Failure> {
        let missing = || Failure::new(sqlstate::NO_SUCH_CURSOR, format!("there is no cursor \"{name}\""));
        self.kept().cursors.get(name).cloned().ok_or_else(missing)
    }

    /// Closes one cursor, or all.
    pub(super) fn close(&self, name: Option<&str>) {
        let mut kept = self.kept();
        match name {
            Some(name) => drop(kept.cursors.remove(name)),
            None => kept.cursors.clear(),
        }
    }

    /// Counts what is kept under a name from now on. What was kept under it before is replaced.
    pub(super) fn keep(&self, kind: Named, name: &str, bytes: usize, most: usize) -> Result<(), Failure> {
        let mut kept = self.kept();
        let key = (kind, name.to_owned());
        let others = kept.named.iter().filter(|(other, _)| **other != key);
        let together = others.fold(bytes, |sum, (_, bytes)| sum.saturating_add(*bytes));
        if together > most {
            let message = format!("this connection keeps {} MiB of statements and values prepared", mebibytes(most));
            let hint = "close some of them (DEALLOCATE ALL) first, or start the endpoint with a higher --max-prepared";
            return Err(Failure::new(sqlstate::LIMIT_EXCEEDED, message).hint(hint));
        }
        if !kept.named.contains_key(&key) {
            room(kept.named.len())?;
        }
        kept.named.insert(key, bytes);
        Ok(())
    }

    /// The names under which something is kept.
    pub(super) fn names(&self, kind: Named) -> Vec<String> {
        self.kept().named.keys().filter(|(of, _)| *of == kind).map(|(_, name)| name.clone()).collect()
    }

    pub(super) fn forget(&self, kind: Named, name: &str) {
        self.kept().named.remove(&(kind, name.to_owned()));
    }
}

fn mebibytes(bytes: usize) -> usize {
    bytes.div_ceil(1 << 20)
}

fn room(kept: usize) -> Result<(), Failure> {
    if kept < MOST_KEPT {
        return Ok(());
    }
    Err(Failure::new(
        sqlstate::LIMIT_EXCEEDED,
        format!("this connection keeps {MOST_KEPT} statements or cursors already"),
    )
    .hint("close some of them (DEALLOCATE ALL, CLOSE ALL) first"))
}
