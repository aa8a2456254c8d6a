//! The lease of a pipeline: of two runs at once one goes on, and the other learns who holds it.
//!
//! On a local disk the lease is an exclusive lock of the operating system on `_locks/<pipeline>.json` ([`disk`]): it
//! ends with the process that holds it, however that ends. In an object store it is the newest of the objects
//! `_locks/<pipeline>/<number>.json` ([`numbered`]): the next number is created by conditional put, so one of many gets
//! it; the holder rewrites its own object as a heartbeat; and a holder without a heartbeat for as long as its lease
//! lasts, by the clock of the store, or whose process is known to be gone, is followed by the next number.
//!
//! A lease keeps runs from working in vain. What keeps tables whole is the conditional commit of each: a holder that
//! slept and lost its lease is stopped by [`Lease::confirm`], and between that and the commit by the commit itself.

mod disk;
mod numbered;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use chrono::{DateTime, Utc};
use tokio::task::JoinHandle;

use self::disk::DiskLock;
use self::numbered::NumberedLock;
use super::Warehouse;
use super::error::WarehouseError;
use super::lease_holder::{self, LeaseHolder};

const FOLDER: &str = "_locks";

/// A pipeline held by this run.
#[derive(Debug)]
pub struct Lease {
    held: Arc<Held>,
    heartbeat: JoinHandle<()>,
    predecessor: Option<LeaseHolder>,
}

#[derive(Debug)]
struct Held {
    pipeline: String,
    lock: Lock,
    lasts: Duration,
    /// What is written as a heartbeat, and when it was last. The wall clock goes on while the machine sleeps.
    state: Mutex<(LeaseHolder, Instant, SystemTime)>,
    /// One put at a time, so that none arrives after the one that gives the lease back.
    putting: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
enum Lock {
    Disk(DiskLock),
    Numbered(Box<NumberedLock>),
}

impl Warehouse {
    /// Takes the lease of a pipeline for a run. In an object store it `lasts` so long after the holder was last heard
    /// of; on a local disk it lasts as long as this process.
    ///
    /// # Errors
    ///
    /// [`WarehouseError::Held`] when another run has it, [`WarehouseError::NoConditionalPut`] when the store overwrites
    /// what it was asked to create, else an error of the store.
    pub async fn lease(&self, pipeline: &str, run_id: &str, lasts: Duration) -> Result<Lease, WarehouseError> {
        let mine = LeaseHolder::this_process(pipeline, run_id, lasts);
        let held = |holder: Option<LeaseHolder>, ends_with_process: bool| {
            let holder = holder.unwrap_or_else(LeaseHolder::unknown);
            let lasts = (!ends_with_process).then_some(holder.lasts().max(lasts));
            WarehouseError::Held { pipeline: pipeline.into(), holder: Box::new(holder), lasts }
        };
        let (lock, predecessor) = match self.disk_lock(pipeline, &mine).await? {
            Some(disk::Taken::Mine(lock, before)) => (Lock::Disk(lock), before),
            Some(disk::Taken::Theirs(holder)) => return Err(held(holder, true)),
            None => {
                let folder = self.location().child(FOLDER).child(pipeline);
                match NumberedLock::take(folder, &mine, lasts).await? {
                    numbered::Taken::Mine(lock, before) => (Lock::Numbered(lock), before),
                    numbered::Taken::Theirs(holder) => return Err(held(Some(holder), false)),
                }
            }
        };
        let state = Mutex::new((mine, Instant::now(), SystemTime::now()));
        let putting = tokio::sync::Mutex::default();
        let held = Arc::new(Held { pipeline: pipeline.into(), lock, lasts, state, putting });
        let beating = Arc::clone(&held);
        let heartbeat = tokio::spawn(async move {
            loop {
                tokio::time::sleep(beating.lasts / 4).await;
                // A heartbeat that fails is made up for by the next one, or found out before a commit.
                let _ = beating.renew().await;
            }
        });
        Ok(Lease { held, heartbeat, predecessor })
    }

    /// Names of everything that was ever held here, held now or not.
    ///
    /// # Errors
    ///
    /// An error of the store.
    pub async fn lease_names(&self) -> Result<Vec<String>, WarehouseError> {
        let folder = self.location().child(FOLDER);
        match folder.store.list_with_delimiter(Some(&folder.prefix)).await {
            Ok(listed) => {
                let files =
                    listed.objects.iter().filter_map(|object| object.location.filename()?.strip_suffix(".json"));
                let folders = listed.common_prefixes.iter().filter_map(|prefix| prefix.filename());
                Ok(files.chain(folders).map(ToOwned::to_owned).collect())
            }
            Err(object_store::Error::NotFound { .. }) if folder.is_file() => Ok(Vec::new()),
            Err(error) => Err(WarehouseError::Storage { path: folder.to_string(), error }),
        }
    }

    /// The lock on a local disk; `None` where there is none: in an object store, or on a file system without locks.
    async fn disk_lock(&self, pipeline: &str, mine: &LeaseHolder) -> Result<Option<disk::Taken>, WarehouseError> {
        let Some(local) = &self.location().local else { return Ok(None) };
        let path = local.join(FOLDER).join(format!("{pipeline}.json"));
        let (shown, mine) = (path.display().to_string(), mine.clone());
        let taken = tokio::task::spawn_blocking(move || DiskLock::take(path, &mine)).await;
        let failed = |error: std::io::Error| WarehouseError::Storage {
            path: shown,
            error: match error.kind() {
                std::io::ErrorKind::PermissionDenied => {
                    object_store::Error::PermissionDenied { path: local.display().to_string(), source: Box::new(error) }
                }
                _ => object_store::Error::Generic { store: "LocalFileSystem", source: Box::new(error) },
            },
        };
        taken.unwrap_or_else(|error| Err(error.into())).map_err(failed)
    }
}

impl Lease {
    /// The run that held the lease before and did not give it back: it was killed, or lost its lease.
    pub fn predecessor(&self) -> Option<&LeaseHolder> {
        self.predecessor.as_ref()
    }

    /// The time at which the store last took the lease or a heartbeat, by the store's clock; `None` on a local disk,
    /// where there is no other clock than this machine's.
    ///
    /// # Errors
    ///
    /// An error of the store.
    pub async fn store_time(&self) -> Result<Option<DateTime<Utc>>, WarehouseError> {
        match &self.held.lock {
            Lock::Disk(_) => Ok(None),
            Lock::Numbered(lock) => lock.written_at().await,
        }
    }

    /// Makes sure that the lease is still this run's: to be asked before each commit.
    ///
    /// # Errors
    ///
    /// [`WarehouseError::LeaseLost`] when another run has followed, or an error of the store.
    pub async fn confirm(&self) -> Result<(), WarehouseError> {
        let silent = {
            let state = self.held.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.1.elapsed().max(state.2.elapsed().unwrap_or_default())
        };
        if silent > self.held.lasts / 2 {
            self.held.renew().await?;
        }
        match &self.held.lock {
            Lock::Disk(lock) if lock.is_in_place() => Ok(()),
            Lock::Disk(_) => Err(self.held.lost(None)),
            Lock::Numbered(lock) => match lock.follower().await? {
                None => Ok(()),
                Some(follower) => Err(self.held.lost(follower)),
            },
        }
    }

    /// Gives the lease back, so that the next run need not wait.
    pub async fn release(self) {
        drop(self.held.putting.lock().await);
        self.heartbeat.abort();
        {
            let mut state = self.held.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.0.released = true;
        }
        // What cannot be given back ends by itself.
        let _ = self.held.renew().await;
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.heartbeat.abort();
        // The task of the heartbeat lets go of the file a moment later.
        if let Lock::Disk(lock) = &self.held.lock {
            lock.unlock();
        }
    }
}

impl Held {
    async fn renew(&self) -> Result<(), WarehouseError> {
        let _alone = self.putting.lock().await;
        let (began, began_at) = (Instant::now(), SystemTime::now());
        let mine = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.0.heartbeat = lease_holder::now();
            state.0.clone()
        };
        match &self.lock {
            // Only for those who ask who holds the lock; the lock itself needs no renewal.
            Lock::Disk(lock) => {
                let _ = lock.write(&mine);
            }
            Lock::Numbered(lock) => lock.write(&mine).await?,
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        (state.1, state.2) = (began, began_at);
        Ok(())
    }

    fn lost(&self, follower: Option<LeaseHolder>) -> WarehouseError {
        let follower = follower.map_or_else(|| "somebody".to_owned(), |follower| format!("run {}", follower.run_id));
        WarehouseError::LeaseLost { pipeline: self.pipeline.clone(), follower }
    }
}
