//! A sample company in a temporary folder, and the repository's pipeline run on it.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

/// The day after the sample's last one.
pub(crate) const AS_OF: &str = "2026-10-01";

/// A company whose tables are published.
pub(crate) struct Company {
    folder: TempDir,
    /// What is planted.
    pub(crate) truth: Value,
    /// The record of the run.
    pub(crate) record: Value,
}

impl Company {
    /// Samples a company and runs the pipeline on it, or as much of it as `select` asks for.
    pub(crate) fn new(customers: u64, seed: u64, effects: bool, select: Option<&str>) -> Result<Self, String> {
        let mut company = Company::sampled(customers, seed, effects)?;
        let mut run = vec!["run", "--as-of", AS_OF, "--log-format", "json"];
        run.extend(select.iter().flat_map(|select| ["--select", select]));
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
        let repository = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
        let mut command = Command::new(env!("CARGO_BIN_EXE_throughline"));
        command.args(["--project", repository]).args(arguments);
        command.env("LAKE", self.path("lake")).env("WAREHOUSE", self.path(warehouse));
        command
    }

    fn throughline(&self, arguments: &[&str]) -> Result<String, String> {
        let output = self.command("warehouse", arguments).output().map_err(|error| error.to_string())?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let words = String::from_utf8_lossy(&output.stderr);
        let last: Vec<&str> = words.lines().rev().take(12).collect();
        Err(format!("`throughline {}` failed: {}", arguments[0], last.into_iter().rev().collect::<Vec<_>>().join("\n")))
    }
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
