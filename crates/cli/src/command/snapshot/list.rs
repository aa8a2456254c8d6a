//! `throughline snapshot list`.

use serde_json::{Value, json};
use throughline_engine::{ListedSnapshot, snapshots};

use super::verify::{from_error, state};
use crate::arguments::{ReportFormat, SnapshotListArguments, WorkspaceArguments};
use crate::command::options;
use crate::exit::Exit;
use crate::terminal::{bytes, count, day, fitted, framed, put, right_align, say};

/// Lists the snapshots, by period and revision.
pub(super) async fn run(workspace: &WorkspaceArguments, arguments: &SnapshotListArguments) -> Result<(), Exit> {
    let listed = snapshots(&options(workspace)?).await?;
    if arguments.format == ReportFormat::Json {
        let mut all = Vec::new();
        for snapshot in &listed {
            all.push(as_json(snapshot, arguments.verify).await?);
        }
        return put(&format!("{:#}\n", Value::Array(all)));
    }
    if listed.is_empty() {
        say("no snapshot yet; `throughline snapshot create 2026-Q3` makes one");
        return Ok(());
    }
    let mut table = framed();
    table.set_header(["snapshot", "as of", "created", "tables", "rows", "size", "state"]);
    for snapshot in &listed {
        let state = checked(snapshot, arguments.verify).await?;
        match &snapshot.snapshot {
            Ok(found) => {
                let manifest = found.manifest();
                table.add_row([
                    snapshot.name.to_string(),
                    day(&manifest.as_of).to_owned(),
                    manifest.created_at.clone(),
                    manifest.tables.len().to_string(),
                    count(manifest.rows()),
                    bytes(manifest.bytes()),
                    state,
                ]);
            }
            Err(_) => {
                let unknown = || "·".to_owned();
                let name = snapshot.name.to_string();
                table.add_row([name, unknown(), unknown(), unknown(), unknown(), unknown(), state]);
            }
        }
    }
    right_align(&mut table, 3..6);
    put(&format!("{}\n", fitted(table)))
}

async fn checked(listed: &ListedSnapshot, every_byte: bool) -> Result<String, Exit> {
    let snapshot = match &listed.snapshot {
        Ok(snapshot) => snapshot,
        Err(error) => return Ok(format!("damaged: {error}")),
    };
    let verification = if every_byte { snapshot.verify().await } else { snapshot.verify_sizes().await };
    Ok(state(&verification.map_err(from_error)?, every_byte))
}

async fn as_json(listed: &ListedSnapshot, every_byte: bool) -> Result<Value, Exit> {
    let state = checked(listed, every_byte).await?;
    Ok(match &listed.snapshot {
        Ok(snapshot) => {
            let manifest = snapshot.manifest();
            json!({
                "snapshot": manifest.snapshot,
                "as_of": manifest.as_of,
                "created_at": manifest.created_at,
                "supersedes": manifest.supersedes.as_ref().map(|superseded| &superseded.snapshot),
                "tables": manifest.tables.len(),
                "rows": manifest.rows(),
                "bytes": manifest.bytes(),
                "state": state,
            })
        }
        Err(_) => json!({ "snapshot": listed.name.to_string(), "state": state }),
    })
}
