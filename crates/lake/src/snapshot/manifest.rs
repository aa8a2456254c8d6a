//! The manifest: what a snapshot holds, what it was made from, and the checksum of everything, itself included.

use std::collections::BTreeMap;

use arrow::datatypes::{Schema, SchemaRef};
use deltalake::kernel::StructType;
use deltalake::kernel::engine::arrow_conversion::{TryIntoArrow, TryIntoKernel};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::name::SnapshotName;
use crate::warehouse::{is_table_name, read_schema};

/// The format that this program writes; a higher number is another program's.
const FORMAT: u32 = 1;

/// Stands for the manifest's own checksum while that is computed.
const BLANK: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// A file that a person and a program can read beside the data: `manifest.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The format of this file.
    pub format: u32,
    /// SHA-256 of this file's bytes with 64 zeros in this place.
    pub manifest_sha256: String,
    /// The snapshot's name: `2026-Q3.r2`.
    pub snapshot: String,
    /// The revision this one replaces for whoever asks for the newest; it stays readable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub supersedes: Option<Superseded>,
    /// Identifies this snapshot among all attempts at its name.
    pub id: String,
    /// The pipeline.
    pub pipeline: String,
    /// The cut of every source, RFC 3339: the first instant after the period.
    pub as_of: String,
    /// When it was made, RFC 3339.
    pub created_at: String,
    /// The version of the program that made it.
    pub program: String,
    /// A hash over the definitions of all relations: the pipeline's YAML and SQL.
    pub fingerprint: String,
    /// Variables of the pipeline that were set by whoever asked for it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub variables: BTreeMap<String, String>,
    /// What changed against the superseded revision; whoever made it says in which form.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub changes: Value,
    /// The tables by name.
    pub tables: BTreeMap<String, TableManifest>,
    /// The record of the run that computed it: its id, the tables' versions, sources, tests and counts.
    pub run: Value,
}

/// The revision that another one supersedes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Superseded {
    /// Its name.
    pub snapshot: String,
    /// The checksum of its manifest.
    pub manifest_sha256: String,
}

/// One table of a snapshot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TableManifest {
    /// What one row is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Rows of all files.
    pub rows: u64,
    /// Bytes of all files.
    pub bytes: u64,
    /// The version that the computing run gave it.
    pub version: u64,
    /// Columns that identify a row; empty when none do.
    #[serde(default)]
    pub grain: Vec<String>,
    /// A hash over its definition and those of all it reads.
    #[serde(default)]
    pub fingerprint: String,
    /// Columns as Delta names their types, with their comments in `metadata`.
    pub columns: Vec<Value>,
    /// The data files.
    pub files: Vec<FileManifest>,
}

/// One data file: plain Parquet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileManifest {
    /// Its path inside the snapshot's folder: `fct_journey/part-….parquet`.
    pub path: String,
    /// Rows.
    pub rows: u64,
    /// Bytes.
    pub bytes: u64,
    /// SHA-256 of its bytes, in lower-case hexadecimal digits.
    pub sha256: String,
}

/// What the maker of a snapshot decides; the rest follows from the files that are written.
#[derive(Debug, Clone)]
pub struct SnapshotDraft {
    /// Its name.
    pub name: SnapshotName,
    /// The revision it supersedes.
    pub supersedes: Option<Superseded>,
    /// The pipeline.
    pub pipeline: String,
    /// The program's version.
    pub program: String,
    /// A hash over all definitions.
    pub fingerprint: String,
    /// Variables that were set.
    pub variables: BTreeMap<String, String>,
    /// What changed against the superseded revision.
    pub changes: Value,
    /// The computing run's record.
    pub run: Value,
    /// The tables to take, by name.
    pub tables: BTreeMap<String, TableDraft>,
}

/// One table of a draft.
#[derive(Debug, Clone, Default)]
pub struct TableDraft {
    /// The version to take.
    pub version: u64,
    /// Columns that identify a row.
    pub grain: Vec<String>,
    /// A hash over its definition.
    pub fingerprint: String,
}

impl Manifest {
    /// The draft as a manifest without tables and without its checksum.
    pub(super) fn of(draft: &SnapshotDraft, id: String) -> Self {
        let now = chrono::Utc::now();
        let rfc3339 = |time: chrono::DateTime<chrono::Utc>| time.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true);
        Self {
            format: FORMAT,
            manifest_sha256: BLANK.to_owned(),
            snapshot: draft.name.to_string(),
            supersedes: draft.supersedes.clone(),
            id,
            pipeline: draft.pipeline.clone(),
            as_of: rfc3339(draft.name.period.end()),
            created_at: now.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
            program: draft.program.clone(),
            fingerprint: draft.fingerprint.clone(),
            variables: draft.variables.clone(),
            changes: draft.changes.clone(),
            tables: BTreeMap::new(),
            run: draft.run.clone(),
        }
    }

    /// Sets the checksum and gives the bytes to write.
    pub(super) fn seal(&mut self) -> Result<Vec<u8>, serde_json::Error> {
        self.manifest_sha256 = BLANK.to_owned();
        self.manifest_sha256 = sha256(self.text()?.as_bytes());
        Ok(self.text()?.into_bytes())
    }

    fn text(&self) -> Result<String, serde_json::Error> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }

    /// Reads a manifest and holds it against its own checksum. Whoever copied it may have changed it, so nothing in it
    /// is believed before.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, String> {
        let value: Value = serde_json::from_slice(bytes).map_err(|error| format!("it is no JSON ({error})"))?;
        if value.get("format").and_then(Value::as_u64).is_some_and(|format| format > u64::from(FORMAT)) {
            return Err("it was written by a newer version of throughline".to_owned());
        }
        let manifest: Self = serde_json::from_value(value).map_err(|error| error.to_string())?;
        let written = manifest.manifest_sha256.as_str();
        let text = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
        // The first occurrence is the field itself, which stands before anything that could repeat it.
        if written.len() != BLANK.len() || sha256(text.replacen(written, BLANK, 1).as_bytes()) != written {
            return Err("its checksum does not fit, so it was changed or damaged".to_owned());
        }
        manifest.check()?;
        Ok(manifest)
    }

    /// Names and paths that stay inside the snapshot's folder.
    fn check(&self) -> Result<(), String> {
        self.snapshot.parse::<SnapshotName>().map_err(|error| error.to_string())?;
        for (name, table) in &self.tables {
            if !is_table_name(name) {
                return Err(format!("`{name}` is no table's name"));
            }
            table.schema().ok_or_else(|| format!("the columns of `{name}` cannot be read"))?;
            for file in &table.files {
                let inside = file.path.strip_prefix(name.as_str()).and_then(|rest| rest.strip_prefix('/'));
                if !inside.is_some_and(is_file_name) {
                    return Err(format!("`{}` is no file of `{name}`", file.path));
                }
            }
        }
        Ok(())
    }

    /// Its name, parsed.
    pub fn name(&self) -> Option<SnapshotName> {
        self.snapshot.parse().ok()
    }

    /// Rows of all tables.
    pub fn rows(&self) -> u64 {
        self.tables.values().map(|table| table.rows).fold(0, u64::saturating_add)
    }

    /// Bytes of all data files.
    pub fn bytes(&self) -> u64 {
        self.tables.values().map(|table| table.bytes).fold(0, u64::saturating_add)
    }

    /// Every data file.
    pub fn files(&self) -> impl Iterator<Item = &FileManifest> {
        self.tables.values().flat_map(|table| &table.files)
    }
}

impl TableManifest {
    /// The columns as they are read, with their comments in the fields' metadata; `None` when they cannot be read.
    pub fn schema(&self) -> Option<SchemaRef> {
        let columns: StructType = serde_json::from_value(json!({ "type": "struct", "fields": self.columns })).ok()?;
        let stored: Schema = (&columns).try_into_arrow().ok()?;
        Some(read_schema(&stored))
    }

    /// Columns as a manifest holds them; `None` for a type that no Delta table holds.
    pub(super) fn columns_of(stored: &Schema) -> Option<Vec<Value>> {
        let columns: StructType = stored.try_into_kernel().ok()?;
        let mut value = serde_json::to_value(&columns).ok()?;
        serde_json::from_value(value.get_mut("fields")?.take()).ok()
    }
}

/// A plain file name: nothing that leads elsewhere on any store.
fn is_file_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 255
        && !name.starts_with('.')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

pub(super) fn sha256(bytes: &[u8]) -> String {
    hexadecimal(&Sha256::digest(bytes))
}

pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        let draft = SnapshotDraft {
            name: "2026-Q3.r2".parse().unwrap(),
            supersedes: Some(Superseded { snapshot: "2026-Q3".into(), manifest_sha256: "ab".into() }),
            pipeline: "key_journeys".into(),
            program: "0.1.0".into(),
            fingerprint: "f".into(),
            variables: BTreeMap::new(),
            changes: Value::Null,
            run: json!({ "run_id": "r" }),
            tables: BTreeMap::new(),
        };
        let mut manifest = Manifest::of(&draft, "one".into());
        let columns = serde_json::from_str(
            r#"[{"name":"journey","type":"string","nullable":true,"metadata":{"comment":"Which"}}]"#,
        );
        let file = FileManifest { path: "fct/part-0.parquet".into(), rows: 1, bytes: 10, sha256: sha256(b"") };
        let table = TableManifest {
            description: None,
            rows: 1,
            bytes: 10,
            version: 0,
            grain: vec!["journey".into()],
            fingerprint: String::new(),
            columns: columns.unwrap(),
            files: vec![file],
        };
        manifest.tables.insert("fct".into(), table);
        manifest
    }

    #[test]
    fn a_manifest_reads_as_it_was_written() {
        let mut written = manifest();
        let bytes = written.seal().unwrap();
        let read = Manifest::read(&bytes).unwrap();
        assert_eq!(read, written);
        assert_eq!(read.as_of, "2026-10-01T00:00:00Z");
        let schema = read.tables["fct"].schema().unwrap();
        assert_eq!(schema.field(0).metadata().get("comment").map(String::as_str), Some("Which"));
    }

    #[test]
    fn no_byte_of_it_can_change_unnoticed() {
        let bytes = manifest().seal().unwrap();
        for position in 0..bytes.len() {
            for flip in [1, 32] {
                let mut changed = bytes.clone();
                changed[position] ^= flip;
                assert!(Manifest::read(&changed).is_err(), "byte {position} of {}", String::from_utf8_lossy(&bytes));
            }
        }
        assert!(Manifest::read(&bytes[..bytes.len() - 1]).is_err());
        assert!(Manifest::read(&[bytes.as_slice(), b" "].concat()).is_err());
    }

    #[test]
    fn paths_stay_inside() {
        for path in ["../x.parquet", "fct/../x", "fct//x", "/etc/passwd", "fct/a/b", "other/x", "fct/", "fct/.x", "fct"]
        {
            let mut manifest = manifest();
            manifest.tables.get_mut("fct").unwrap().files[0].path = path.into();
            let bytes = manifest.seal().unwrap();
            assert!(Manifest::read(&bytes).unwrap_err().contains("no file of"), "{path}");
        }
    }

    #[test]
    fn another_format_is_refused() {
        let mut manifest = manifest();
        manifest.format = 2;
        let bytes = manifest.seal().unwrap();
        assert!(Manifest::read(&bytes).unwrap_err().contains("newer version"));
    }
}
