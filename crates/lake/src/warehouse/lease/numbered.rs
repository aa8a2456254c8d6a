//! A lease in an object store, by conditional put alone: no store has to know `If-Match`.
//!
//! Holders are numbered. Whoever creates the next number holds the lease, as long as no higher one is there; lower ones
//! are removed by later holders, the highest never. Whether a holder's heartbeat is recent is decided by the store's
//! own clock, so machines whose clocks differ agree on it.

use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{Error, ObjectMeta, ObjectStoreExt, PutMode, PutOptions};
use uuid::Uuid;

use crate::stores::Location;
use crate::warehouse::error::WarehouseError;
use crate::warehouse::lease_holder::LeaseHolder;

/// How often the next number is tried for when others are faster.
const ATTEMPTS: u32 = 5;

/// Puts sent at once, which show whether a store honours their condition in a race.
const RACERS: u8 = 8;

/// An object beside the numbers: of several puts at once, the store was seen to let exactly one create an object.
const CHECKED: &str = "conditional_put_checked";

#[derive(Debug)]
pub(super) struct NumberedLock {
    folder: Location,
    number: u64,
}

pub(super) enum Taken {
    Mine(Box<NumberedLock>, Option<LeaseHolder>),
    Theirs(LeaseHolder),
}

impl NumberedLock {
    pub(super) async fn take(folder: Location, mine: &LeaseHolder, lasts: Duration) -> Result<Taken, WarehouseError> {
        let failed = |error| WarehouseError::Storage { path: folder.to_string(), error };
        for _ in 0..ATTEMPTS {
            let listed = listed(&folder).await.map_err(failed)?;
            if !listed.checked {
                check_race(&folder).await?;
            }
            let mut before = None;
            if let Some((number, object)) = &listed.newest {
                let Some(holder) = read(&folder, *number).await.map_err(failed)? else { continue };
                if !holder.released {
                    // How often the holder is heard of depends on how long its own lease lasts.
                    let lasts = holder.lasts().max(lasts);
                    let silent = holder.is_gone() || silent_for(&folder, object).await.map_err(failed)? > lasts;
                    if !silent {
                        return Ok(Taken::Theirs(holder));
                    }
                    before = Some(holder);
                }
            }
            let lock = Self { number: listed.newest.map_or(1, |(number, _)| number + 1), folder: folder.clone() };
            if !lock.create(mine).await.map_err(failed)? {
                continue;
            }
            if let Err(error) = lock.check_conditional_put(mine).await {
                // Nobody is to wait for a run that does not begin. What cannot be given back ends by itself.
                let _ = lock.write(&mine.given_back()).await;
                return Err(error);
            }
            // Who slept since the list may have created a number that later ones passed and removed.
            if let Some(Some(holder)) = lock.follower().await? {
                return Ok(Taken::Theirs(holder));
            }
            lock.remove_lower().await;
            return Ok(Taken::Mine(Box::new(lock), before));
        }
        let holder = match listed(&folder).await.map_err(failed)?.newest {
            Some((number, _)) => read(&folder, number).await.map_err(failed)?,
            None => None,
        };
        Ok(Taken::Theirs(holder.unwrap_or_else(LeaseHolder::unknown)))
    }

    /// Whether the number is ours now. A lost answer is settled by looking.
    async fn create(&self, mine: &LeaseHolder) -> object_store::Result<bool> {
        match create(&self.folder, &self.path(), bytes(mine)).await {
            Ok(()) => Ok(true),
            Err(error) => match (read(&self.folder, self.number).await?, error) {
                (Some(found), _) => Ok(found.is_same(mine)),
                (None, Error::AlreadyExists { .. }) => Ok(false),
                (None, error) => Err(error),
            },
        }
    }

    /// A second put of the same number must fail: on that rests all that is safe about commits.
    async fn check_conditional_put(&self, mine: &LeaseHolder) -> Result<(), WarehouseError> {
        match create(&self.folder, &self.path(), bytes(mine)).await {
            Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => Ok(()),
            Ok(()) => Err(WarehouseError::NoConditionalPut { path: self.folder.to_string() }),
            Err(error) => Err(WarehouseError::Storage { path: self.folder.to_string(), error }),
        }
    }

    /// The heartbeat. Only the holder writes its number, so it may be overwritten.
    pub(super) async fn write(&self, holder: &LeaseHolder) -> Result<(), WarehouseError> {
        let put = self.folder.store.put(&self.path(), bytes(holder).into()).await;
        put.map(|_| ()).map_err(|error| WarehouseError::Storage { path: self.folder.to_string(), error })
    }

    /// When the store last took this number; `None` when it is not there any more, or in a folder of a file system.
    pub(super) async fn written_at(&self) -> Result<Option<DateTime<Utc>>, WarehouseError> {
        if self.folder.is_file() {
            return Ok(None);
        }
        match self.folder.store.head(&self.path()).await {
            Ok(object) => Ok(Some(object.last_modified)),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(WarehouseError::Storage { path: self.folder.to_string(), error }),
        }
    }

    /// Who holds the lease now, when it is not this one; the inner `None` when that cannot be said.
    pub(super) async fn follower(&self) -> Result<Option<Option<LeaseHolder>>, WarehouseError> {
        let failed = |error| WarehouseError::Storage { path: self.folder.to_string(), error };
        match listed(&self.folder).await.map_err(failed)?.newest {
            Some((number, _)) if number == self.number => Ok(None),
            Some((number, _)) => Ok(Some(read(&self.folder, number).await.map_err(failed)?)),
            None => Ok(Some(None)),
        }
    }

    async fn remove_lower(&self) {
        let Ok(objects) = self.folder.store.list(Some(&self.folder.prefix)).try_collect::<Vec<ObjectMeta>>().await
        else {
            return;
        };
        for object in objects {
            if number(&object.location).is_some_and(|number| number < self.number) {
                // It is of no use to anyone, and later holders try again.
                let _ = self.folder.store.delete(&object.location).await;
            }
        }
    }

    fn path(&self) -> Path {
        path(&self.folder, self.number)
    }
}

struct Listed {
    newest: Option<(u64, ObjectMeta)>,
    checked: bool,
}

async fn listed(folder: &Location) -> object_store::Result<Listed> {
    let objects = match folder.store.list(Some(&folder.prefix)).try_collect::<Vec<ObjectMeta>>().await {
        Ok(objects) => objects,
        // A folder of a file system that is not there yet; a bucket that is not there is an error.
        Err(Error::NotFound { .. }) if folder.is_file() => Vec::new(),
        Err(error) => return Err(error),
    };
    let checked = objects.iter().any(|object| object.location.filename() == Some(CHECKED));
    let numbers = objects.into_iter().filter_map(|object| Some((number(&object.location)?, object)));
    Ok(Listed { newest: numbers.max_by_key(|(number, _)| *number), checked })
}

fn number(path: &Path) -> Option<u64> {
    path.filename()?.strip_suffix(".json")?.parse().ok()
}

fn path(folder: &Location, number: u64) -> Path {
    folder.prefix.clone().join(format!("{number:08}.json"))
}

fn bytes(holder: &LeaseHolder) -> Bytes {
    // Plain text and numbers always become JSON.
    Bytes::from(serde_json::to_vec_pretty(holder).unwrap_or_default())
}

async fn create(folder: &Location, path: &Path, bytes: Bytes) -> object_store::Result<()> {
    let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
    folder.store.put_opts(path, bytes.into(), options).await.map(|_| ())
}

/// The holder of a number; `None` when it is not there. One that cannot be read is somebody all the same.
async fn read(folder: &Location, number: u64) -> object_store::Result<Option<LeaseHolder>> {
    match folder.store.get(&path(folder, number)).await {
        Ok(found) => {
            let bytes = found.bytes().await?;
            Ok(Some(serde_json::from_slice(&bytes).unwrap_or_else(|_| LeaseHolder::unknown())))
        }
        Err(Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// How long ago an object was written, by the store's own clock: that of an object written now.
async fn silent_for(folder: &Location, object: &ObjectMeta) -> object_store::Result<Duration> {
    let clock = folder.prefix.clone().join(format!("clock-{}", Uuid::new_v4()));
    folder.store.put(&clock, Bytes::from_static(b"now").into()).await?;
    let now: DateTime<Utc> = folder.store.head(&clock).await?.last_modified;
    // It is of no use to anyone.
    let _ = folder.store.delete(&clock).await;
    // The holder may have been heard of since the list.
    let last = match folder.store.head(&object.location).await {
        Ok(object) => object.last_modified,
        Err(Error::NotFound { .. }) => object.last_modified,
        Err(error) => return Err(error),
    };
    Ok((now - last).to_std().unwrap_or_default())
}

/// Some stores check first and write afterwards, so that of several puts at once more than one succeeds. Seen once for
/// a pipeline and a warehouse; later runs find the mark.
async fn check_race(folder: &Location) -> Result<(), WarehouseError> {
    let failed = |error| WarehouseError::Storage { path: folder.to_string(), error };
    let contested = folder.prefix.clone().join(format!("race-{}", Uuid::new_v4()));
    let puts = (0..RACERS).map(|racer| create(folder, &contested, Bytes::from(vec![b'0' + racer])));
    let outcomes = futures::future::join_all(puts).await;
    // It is of no use to anyone.
    let _ = folder.store.delete(&contested).await;
    if outcomes.iter().filter(|outcome| outcome.is_ok()).count() > 1 {
        return Err(WarehouseError::NoConditionalPut { path: folder.to_string() });
    }
    let others = |error: &Error| matches!(error, Error::AlreadyExists { .. } | Error::Precondition { .. });
    if let Some(error) = outcomes.into_iter().filter_map(Result::err).find(|error| !others(error)) {
        return Err(failed(error));
    }
    let mark = folder.prefix.clone().join(CHECKED);
    folder
        .store
        .put(&mark, Bytes::from_static(b"one of several puts at once succeeded\n").into())
        .await
        .map_err(failed)?;
    Ok(())
}
