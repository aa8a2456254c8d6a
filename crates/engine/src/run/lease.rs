//! Leases: who may write at the moment. A pipeline is held by one run, a snapshot by the command that makes it.

use std::time::Duration;

use throughline_lake::{Lease, Warehouse, WarehouseError};

use crate::failure::EngineError;

/// In an object store, how long after its last sign of life a run, a vacuum or a snapshot in the making still holds its
/// lease.
pub(crate) const LEASE: Duration = Duration::from_secs(60);

/// Begins the name of a lease that is a snapshot's and no pipeline's, whose names have no `-`.
const SNAPSHOT: &str = "snapshot-";

/// Holder of a lease that is held by a vacuum.
pub(crate) const VACUUM_HOLDER: &str = "vacuum";

/// The name of a snapshot's lease, which is its holder's too.
pub(crate) fn snapshot_lease(name: &str) -> String {
    format!("{SNAPSHOT}{name}")
}

/// Takes the lease of a pipeline or snapshot for a run.
///
/// # Errors
/// Somebody else holds it, or the warehouse cannot be written.
pub(crate) async fn take_lease(
    warehouse: &Warehouse,
    name: &str,
    run_id: &str,
    lasts: Duration,
) -> Result<Lease, EngineError> {
    warehouse.lease(name, run_id, lasts).await.map_err(|error| match &error {
        WarehouseError::Held { pipeline, holder, .. } => {
            let message = match (pipeline.strip_prefix(SNAPSHOT), holder.run_id.as_str()) {
                (Some(snapshot), by) if by != VACUUM_HOLDER => format!(
                    "the snapshot {snapshot} is being made on host {} (pid {}) since {}",
                    holder.host, holder.pid, holder.since
                ),
                _ => error.to_string(),
            };
            let (message, help) = (format!("{message}; nothing ran"), error.help());
            EngineError::Held { message, help, source: Some(Box::new(error)) }
        }
        _ => error.into(),
    })
}
