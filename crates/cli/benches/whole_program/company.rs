//! A sample company in a temporary folder, and the repository's pipeline run on it.

use std::ffi::OsString;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

/// The day after the sample's last one.
pub(crate) const AS_OF: &str = "2026-10-01";

/// The workspace whose pipeline is run.
const REPOSITORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// A company whose tables are published.
pub(crate) struct Company {
    folder: TempDir,
    /// What is planted.
    pub(crate) truth: Value,
    /// The record of the run.
    pub(crate) record: Value,
}

impl Company {
    /// Samples a company and runs the pipeline on it, with what `options` add to `run`.
    pub(crate) fn new(customers: u64, seed: u64, effects: bool, options: &[&str]) -> Result<Self, String> {
        let mut company = Company::sampled(customers, seed, effects)?;
        let mut run = vec!["run", "--as-of", AS_OF, "--log-format", "json"];
        run.extend(options);
        company.throughline(&run)?;
        let runs = company.path("warehouse/_runs");
        let record = std::fs::read_dir(&runs).map_err(|error| error.to_string())?.filter_map(Result::ok).next();
        company.record = json(&record.ok_or("the run left no record")?.path())?;
        Ok(company)
    }

    /// Samples a company.
    pub(crate) fn sampled(customers: u64, seed: u64, effects: bool) -> Result<Self, String> {
        let folder = tempfile::Builder::new().prefix("company").tempdir().map_err(|error| error.to_string())?;
        let mut company = Company { folder, truth: Value::Null, record: Value::Null };
        let lake = company.path("lake");
        let (customers, seed, out) = (customers.to_string(), seed.to_string(), lake.display().to_string());
        let mut sample = vec!["sample", "--customers", &customers, "--seed", &seed, "--out", &out];
        if !effects {
            sample.push("--no-effects");
        }
        company.throughline(&sample)?;
        company.truth = json(&lake.join("_truth.json"))?;
        Ok(company)
    }

    /// The rows of a query over the published tables.
    pub(crate) fn query(&self, sql: &str) -> Result<Vec<Value>, String> {
        let answer = self.throughline(&["query", sql, "--format", "json"])?;
        answer.lines().map(|line| serde_json::from_str(line).map_err(|error| format!("{error}: {line}"))).collect()
    }

    /// What the run took of a source's rows.
    pub(crate) fn intake(&self, source: &str) -> &Value {
        &self.step(source)["intake"]
    }

    /// A step of the run.
    pub(crate) fn step(&self, name: &str) -> &Value {
        let steps = self.record["steps"].as_array().map_or(&[][..], Vec::as_slice);
        steps.iter().find(|step| step["step"] == name).unwrap_or(&Value::Null)
    }

    pub(crate) fn path(&self, inside: &str) -> PathBuf {
        self.folder.path().join(inside)
    }

    /// A command of the program on the company's lake and one of its warehouses.
    pub(crate) fn command(&self, warehouse: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(program());
        command.args(["--project", REPOSITORY]).args(arguments);
        command.env("LAKE", self.path("lake")).env("WAREHOUSE", self.path(warehouse));
        command
    }

    fn throughline(&self, arguments: &[&str]) -> Result<String, String> {
        let output = self.command("warehouse", arguments).output();
        let output = output.map_err(|error| format!("{}: {error}", program().display()))?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let words = String::from_utf8_lossy(&output.stderr);
        let last: Vec<&str> = words.lines().rev().take(12).collect();
        Err(format!("`throughline {}` failed: {}", arguments[0], last.into_iter().rev().collect::<Vec<_>>().join("\n")))
    }
}

/// The program that `THROUGHLINE` names, for instance the one that is shipped; otherwise the daily build.
fn program() -> OsString {
    std::env::var_os("THROUGHLINE").unwrap_or_else(|| env!("CARGO_BIN_EXE_throughline").into())
}

/// A number that changes when any file of the pipelines changes: their YAML, their SQL, their seeds. A step's own
/// fingerprint does not serve, since the folder of the lake is part of it.
pub(crate) fn definitions() -> Result<String, String> {
    let mut hasher = DefaultHasher::new();
    let mut folders: Vec<PathBuf> =
        ["pipelines", "sql", "data/seeds"].map(|name| Path::new(REPOSITORY).join(name)).into();
    while let Some(folder) = folders.pop() {
        let told = |error: std::io::Error| format!("{}: {error}", folder.display());
        let entries = std::fs::read_dir(&folder).map_err(told)?.map(|entry| entry.map(|entry| entry.path()));
        let mut paths = entries.collect::<Result<Vec<_>, _>>().map_err(told)?;
        paths.sort();
        for path in paths {
            if path.is_dir() {
                folders.push(path);
            } else {
                (path.strip_prefix(REPOSITORY).ok(), std::fs::read(&path).map_err(told)?).hash(&mut hasher);
            }
        }
    }
    Ok(format!("{:016x}", hasher.finish()))
}

pub(crate) fn json(path: &Path) -> Result<Value, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))
}

/// The elements of a list, none for anything else.
pub(crate) fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// A text, empty for anything else.
pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The sum of an object's numbers.
pub(crate) fn sum(value: &Value) -> u64 {
    value.as_object().into_iter().flatten().filter_map(|(_, number)| number.as_u64()).sum()
}
