//! What the calibration keeps of each company: one line of JSON in a file, so that an interrupted one goes on where it
//! was, and its tables can be printed at any time.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;

use serde_json::Value;

/// The companies of one size whose figures are known.
pub(crate) struct Kept {
    path: PathBuf,
    pub(crate) companies: Vec<Value>,
}

impl Kept {
    /// Reads what is kept in the folder that `CALIBRATION_FOLDER` names, by default one among the build products.
    pub(crate) fn open(customers: u64) -> Result<Self, String> {
        let folder = std::env::var_os("CALIBRATION_FOLDER")
            .map_or_else(|| PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("calibration"), PathBuf::from);
        let path = folder.join(format!("companies_of_{customers}.jsonl"));
        let told = |error: std::io::Error| format!("{}: {error}", path.display());
        std::fs::create_dir_all(&folder).map_err(told)?;
        let text = if path.exists() { std::fs::read_to_string(&path).map_err(told)? } else { String::new() };
        // Who was killed while writing left a line without an end.
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        if whole < text.len() {
            let file = OpenOptions::new().write(true).open(&path).map_err(told)?;
            file.set_len(whole as u64).map_err(told)?;
        }
        let read = |line: &str| serde_json::from_str(line).map_err(|error| format!("{}: {error}", path.display()));
        let companies = text[..whole].lines().map(read).collect::<Result<_, _>>()?;
        Ok(Kept { path, companies })
    }

    /// Whether a company is there already.
    pub(crate) fn has(&self, effects: bool, seed: u64) -> bool {
        self.companies.iter().any(|company| company["effects"] == effects && company["seed"] == seed)
    }

    /// Adds a company.
    ///
    /// # Errors
    ///
    /// Where the file cannot be written, or was made by another version or other definitions: they are never mixed. A
    /// program of the same version that computes otherwise is not noticed.
    pub(crate) fn add(&mut self, company: Value) -> Result<(), String> {
        if self.companies.first().is_some_and(|first| first["made_by"] != company["made_by"]) {
            return Err(format!(
                "{} was made by another version or other definitions: remove it, or let CALIBRATION_FOLDER name \
                 another folder",
                self.path.display()
            ));
        }
        let told = |error: std::io::Error| format!("{}: {error}", self.path.display());
        let mut file: File = OpenOptions::new().create(true).append(true).open(&self.path).map_err(told)?;
        file.write_all(format!("{company}\n").as_bytes()).map_err(told)?;
        self.companies.push(company);
        Ok(())
    }
}
