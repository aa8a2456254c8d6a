//! The one way to publish: every commit of a run goes through here.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use throughline_lake::{CommitDetails, Committed, Lease, StagedTable, WarehouseError};
use tokio::sync::RwLock;

use super::stop::StopSignal;
use crate::failure::EngineError;

/// Rows that are staged for one table: those of the warehouse, or fakes in tests.
pub(crate) trait Staged {
    /// The table.
    fn name(&self) -> &str;
    /// Makes them the table's newest version, or not, in one step.
    async fn commit(&self, details: &CommitDetails) -> Result<Committed, WarehouseError>;
    /// Removes them.
    async fn discard(&self) -> Result<(), WarehouseError>;
}

impl Staged for StagedTable {
    fn name(&self) -> &str {
        self.name()
    }

    async fn commit(&self, details: &CommitDetails) -> Result<Committed, WarehouseError> {
        self.commit(details).await
    }

    async fn discard(&self) -> Result<(), WarehouseError> {
        self.discard().await
    }
}

/// A run's hold on its pipeline: that of the warehouse, or a fake in tests.
pub(crate) trait PipelineLease {
    /// Fails when another run has taken over.
    async fn confirm(&self) -> Result<(), WarehouseError>;
}

impl PipelineLease for Lease {
    async fn confirm(&self) -> Result<(), WarehouseError> {
        self.confirm().await
    }
}

/// The commits of one run.
#[derive(Debug)]
pub(crate) struct Commits<L = Lease> {
    stop: StopSignal,
    lease: L,
    /// Read-locked while a commit is under way.
    under_way: RwLock<()>,
    /// Tables whose commit may still arrive.
    unknown: Mutex<BTreeSet<String>>,
    /// Another run has taken over.
    is_lost: AtomicBool,
}

impl<L: PipelineLease> Commits<L> {
    pub(crate) fn new(stop: StopSignal, lease: L) -> Self {
        Self { stop, lease, under_way: RwLock::default(), unknown: Mutex::default(), is_lost: AtomicBool::new(false) }
    }

    /// Returns when a stop was requested and no commit is under way.
    pub(crate) async fn stopped(&self) {
        self.stop.requested().await;
        drop(self.under_way.write().await);
    }

    /// Whether a stop was requested.
    pub(crate) fn is_stopped(&self) -> bool {
        self.stop.is_requested()
    }

    /// Whether nothing more can be published.
    pub(crate) fn is_closed(&self) -> bool {
        self.is_stopped() || self.is_lost.load(Ordering::Relaxed)
    }

    /// Makes sure that the run still holds its pipeline: asked before each commit, and before the record of a run whose
    /// steps are all done, because that record makes their tables the ones that are read.
    pub(crate) async fn confirm(&self) -> Result<(), EngineError> {
        self.lease.confirm().await.map_err(|error| {
            self.is_lost.fetch_or(error.is_held(), Ordering::Relaxed);
            error.into()
        })
    }

    /// Publishes staged rows that have passed their tests. `then` follows a commit that happened, before a stop can end
    /// the step.
    ///
    /// What rows of a table go through, from the step that computes them to the version that is read:
    ///
    /// ```text
    ///                tests pass           the run holds its pipeline
    ///   staged ────────────────▶ tested ────────────────────────────▶ committing
    ///     │                        │                                      │
    ///     │ a test of severity     ├─ a stop was requested:               ├─▶ committed: the version is the newest
    ///     │ error fails            │    not committed, removed            │
    ///     ▼                        │    when the run ends                 ├─▶ not committed: another run was faster,
    ///   discarded                  │                                      │     or the store refused; discarded
    ///                              └─ another run took over, or           │
    ///                                   it is not known: not              └─▶ unknown: the store did not answer, and
    ///                                   committed, discarded                    the commit may still arrive; kept,
    ///                                                                           because the next run finds out
    /// ```
    pub(crate) async fn commit(
        &self,
        staged: &impl Staged,
        details: &CommitDetails,
        then: impl Future<Output = ()>,
    ) -> Result<Committed, EngineError> {
        let _under_way = self.under_way.read().await;
        if self.is_stopped() {
            return Err(EngineError::Interrupted);
        }
        if let Err(error) = self.confirm().await {
            // What cannot be removed now is left to a later run.
            let _ = staged.discard().await;
            return Err(error);
        }
        match staged.commit(details).await {
            Ok(committed) => {
                then.await;
                Ok(committed)
            }
            Err(error) => {
                match error {
                    WarehouseError::Unknown { .. } => {
                        self.unknown().insert(staged.name().to_owned());
                    }
                    _ => {
                        let _ = staged.discard().await;
                    }
                }
                Err(error.into())
            }
        }
    }

    /// Of these tables, those whose files this run may remove: no commit of them may still arrive.
    pub(crate) fn without_unknown(&self, tables: impl Iterator<Item = String>) -> Vec<String> {
        let unknown = self.unknown();
        tables.filter(|table| !unknown.contains(table)).collect()
    }

    fn unknown(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.unknown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Commits {
    /// Gives the pipeline back.
    pub(crate) async fn release(self) {
        self.lease.release().await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use tokio::sync::Notify;

    use super::*;
    use crate::failure::FailureKind;

    struct FakeLease(Option<fn() -> WarehouseError>);

    impl PipelineLease for FakeLease {
        async fn confirm(&self) -> Result<(), WarehouseError> {
            self.0.map_or(Ok(()), |error| Err(error()))
        }
    }

    #[derive(Default)]
    struct FakeStaged {
        fails: Option<fn() -> WarehouseError>,
        /// Where a commit waits until it is let go.
        waits: Option<Arc<Notify>>,
        log: Mutex<Vec<&'static str>>,
    }

    impl FakeStaged {
        fn failing(error: fn() -> WarehouseError) -> Self {
            Self { fails: Some(error), ..Self::default() }
        }

        fn note(&self, what: &'static str) {
            self.log.lock().expect("no panic").push(what);
        }

        fn log(&self) -> Vec<&'static str> {
            self.log.lock().expect("no panic").clone()
        }
    }

    impl Staged for FakeStaged {
        fn name(&self) -> &str {
            "t"
        }

        async fn commit(&self, _details: &CommitDetails) -> Result<Committed, WarehouseError> {
            self.note("commit");
            if let Some(waits) = &self.waits {
                waits.notified().await;
            }
            self.fails.map_or(Ok(Committed { version: 7 }), |error| Err(error()))
        }

        async fn discard(&self) -> Result<(), WarehouseError> {
            self.note("discard");
            Ok(())
        }
    }

    fn details() -> CommitDetails {
        CommitDetails {
            run_id: "run".to_owned(),
            pipeline: "p".to_owned(),
            as_of: None,
            fingerprint: String::new(),
            ledger: None,
            extra: serde_json::Map::new(),
        }
    }

    fn storage_error() -> datafusion::object_store::Error {
        datafusion::object_store::Error::Generic { store: "fake", source: "no answer".into() }
    }

    fn unknown() -> WarehouseError {
        WarehouseError::Unknown { table: "t".to_owned(), version: 7, error: storage_error() }
    }

    fn not_committed() -> WarehouseError {
        WarehouseError::NotCommitted { table: "t".to_owned(), error: storage_error() }
    }

    fn conflict() -> WarehouseError {
        WarehouseError::Conflict { table: "t".to_owned(), version: 7, holder: "run 2".to_owned() }
    }

    fn lease_lost() -> WarehouseError {
        WarehouseError::LeaseLost { pipeline: "p".to_owned(), follower: "run 2".to_owned() }
    }

    fn no_answer() -> WarehouseError {
        WarehouseError::Storage { path: "_locks".to_owned(), error: storage_error() }
    }

    /// Commits `staged`; the log has a `then` where the commit was followed by it.
    async fn commit(commits: &Commits<FakeLease>, staged: &FakeStaged) -> Result<u64, FailureKind> {
        let then = async { staged.note("then") };
        let committed = commits.commit(staged, &details(), then).await;
        committed.map(|committed| committed.version).map_err(|error| error.kind())
    }

    fn commits(lease: FakeLease) -> Commits<FakeLease> {
        Commits::new(StopSignal::default(), lease)
    }

    fn removable(commits: &Commits<FakeLease>) -> Vec<String> {
        commits.without_unknown(["s".to_owned(), "t".to_owned()].into_iter())
    }

    #[tokio::test]
    async fn tested_rows_are_committed() {
        let (commits, staged) = (commits(FakeLease(None)), FakeStaged::default());
        assert_eq!(commit(&commits, &staged).await, Ok(7));
        assert_eq!(staged.log(), ["commit", "then"]);
        assert!(!commits.is_closed());
    }

    #[tokio::test]
    async fn after_a_stop_rows_stay_staged_until_the_run_ends() {
        let (commits, staged) = (commits(FakeLease(None)), FakeStaged::default());
        commits.stop.request();
        assert_eq!(commit(&commits, &staged).await, Err(FailureKind::Interrupted));
        assert_eq!(staged.log(), [""; 0]);
        assert_eq!(removable(&commits), ["s", "t"]);
        assert!(commits.is_closed() && commits.is_stopped());
    }

    #[tokio::test]
    async fn when_another_run_took_over_rows_are_discarded_and_nothing_more_is_published() {
        let (commits, staged) = (commits(FakeLease(Some(lease_lost))), FakeStaged::default());
        assert_eq!(commit(&commits, &staged).await, Err(FailureKind::Held));
        assert_eq!(staged.log(), ["discard"]);
        assert!(commits.is_closed() && !commits.is_stopped());
    }

    #[tokio::test]
    async fn when_it_is_not_known_who_holds_the_pipeline_rows_are_discarded_and_other_tables_may_go_on() {
        let (commits, staged) = (commits(FakeLease(Some(no_answer))), FakeStaged::default());
        assert_eq!(commit(&commits, &staged).await, Err(FailureKind::Rerun));
        assert_eq!(staged.log(), ["discard"]);
        assert!(!commits.is_closed());
    }

    #[tokio::test]
    async fn rows_that_were_not_committed_are_discarded() {
        for (error, kind) in
            [(not_committed as fn() -> _, FailureKind::Rerun), (conflict as fn() -> _, FailureKind::Held)]
        {
            let (commits, staged) = (commits(FakeLease(None)), FakeStaged::failing(error));
            assert_eq!(commit(&commits, &staged).await, Err(kind));
            assert_eq!(staged.log(), ["commit", "discard"]);
            assert_eq!(removable(&commits), ["s", "t"]);
        }
    }

    #[tokio::test]
    async fn a_commit_that_may_still_arrive_keeps_its_files() {
        let (commits, staged) = (commits(FakeLease(None)), FakeStaged::failing(unknown));
        assert_eq!(commit(&commits, &staged).await, Err(FailureKind::Rerun));
        assert_eq!(staged.log(), ["commit"]);
        assert_eq!(removable(&commits), ["s"]);
    }

    #[tokio::test]
    async fn a_stop_waits_for_the_commit_that_is_under_way() {
        let go = Arc::new(Notify::new());
        let commits = commits(FakeLease(None));
        let staged = FakeStaged { waits: Some(Arc::clone(&go)), ..FakeStaged::default() };
        let mut committing = std::pin::pin!(commit(&commits, &staged));
        let mut stopped = std::pin::pin!(commits.stopped());
        let soon = Duration::from_millis(20);
        assert!(tokio::time::timeout(soon, &mut committing).await.is_err(), "the commit has begun and waits");
        commits.stop.request();
        assert!(tokio::time::timeout(soon, &mut stopped).await.is_err(), "and the stop waits for it");
        go.notify_one();
        assert_eq!(committing.await, Ok(7));
        stopped.await;
    }
}
