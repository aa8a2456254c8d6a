//! `throughline snapshot verify`: every byte against the manifest.

use serde_json::json;
use throughline_engine::{EngineError, find_snapshot, snapshot_at, snapshots};
use throughline_lake::{Damage, SnapshotError, SnapshotName, Verification};

use crate::arguments::{ReportFormat, SnapshotVerifyArguments, WorkspaceArguments};
use crate::command::options;
use crate::exit::Exit;
use crate::terminal::{bytes, put, say};

/// Verifies what was named, and says of each whether it holds; exit code 1 when one does not.
pub(super) async fn run(workspace: &WorkspaceArguments, arguments: &SnapshotVerifyArguments) -> Result<(), Exit> {
    let mut sound = true;
    if arguments.snapshots.is_empty() {
        let listed = snapshots(&options(workspace)?).await?;
        if listed.is_empty() {
            say("no snapshot yet; `throughline snapshot create 2026-Q3` makes one");
        }
        for listed in listed {
            sound &= match listed.snapshot {
                Ok(snapshot) => tell(&listed.name.to_string(), snapshot.verify().await, arguments.format)?,
                Err(error) => tell(&listed.name.to_string(), Err(error), arguments.format)?,
            };
        }
    }
    for named in &arguments.snapshots {
        // A folder beside us that is called like a snapshot is named with `./`.
        let snapshot = match named.parse::<SnapshotName>() {
            Ok(_) => find_snapshot(&options(workspace)?, named).await?,
            Err(_) => snapshot_at(named).await?,
        };
        sound &= tell(named, snapshot.verify().await, arguments.format)?;
    }
    if sound { Ok(()) } else { Err(Exit::step_failed()) }
}

fn tell(name: &str, outcome: Result<Verification, SnapshotError>, format: ReportFormat) -> Result<bool, Exit> {
    let holds = outcome.as_ref().is_ok_and(Verification::holds);
    let text = match (&outcome, format) {
        (Ok(verification), ReportFormat::Table) => in_words(name, verification),
        (Err(error), ReportFormat::Table) => format!("{name}: NOT SOUND: {error}"),
        (Ok(verification), ReportFormat::Json) => {
            json!({ "snapshot": name, "holds": holds, "verification": verification }).to_string()
        }
        (Err(error), ReportFormat::Json) => {
            json!({ "snapshot": name, "holds": false, "error": error.to_string() }).to_string()
        }
    };
    put(&format!("{text}\n"))?;
    Ok(holds)
}

/// What was found, every damaged file on a line of its own.
pub(super) fn in_words(name: &str, verification: &Verification) -> String {
    if verification.holds() {
        return format!(
            "{name}: sound, {} files, {}; every byte is as the manifest says",
            verification.files,
            bytes(verification.bytes)
        );
    }
    let mut text = format!("{name}: NOT SOUND, {} of {} files", verification.damaged.len(), verification.files);
    for (path, damage) in &verification.damaged {
        text.push_str(&format!("\n  {path}: {}", word(damage)));
    }
    text
}

fn word(damage: &Damage) -> String {
    match damage {
        Damage::Missing => "missing".to_owned(),
        Damage::Size { expected, found } => format!("changed: {found} bytes instead of {expected}"),
        Damage::Changed => "changed: as long as it was, with other bytes".to_owned(),
        Damage::Extra => "extra: the manifest does not name it".to_owned(),
        Damage::Unreadable { reason } => format!("cannot be read: {reason}"),
    }
}

/// One word for a list.
pub(super) fn state(verification: &Verification, every_byte: bool) -> String {
    match (verification.holds(), every_byte) {
        (true, true) => "verified".to_owned(),
        (true, false) => "complete".to_owned(),
        (false, _) => format!("damaged: {} files", verification.damaged.len()),
    }
}

pub(super) fn from_error(error: SnapshotError) -> Exit {
    EngineError::from(error).into()
}
