//! A workspace in a temporary folder, and the real program run in it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// A folder that is deleted when the test ends.
pub(crate) struct Workspace {
    folder: TempDir,
}

impl Workspace {
    /// An empty folder.
    pub(crate) fn empty() -> Self {
        Self { folder: tempfile::Builder::new().prefix("workspace").tempdir().expect("a temporary folder") }
    }

    /// The pipelines, SQL and seeds of this repository, without a lake.
    pub(crate) fn of_the_repository() -> Self {
        let workspace = Self::empty();
        let repository = repository();
        for folder in ["pipelines", "sql", "data/seeds"] {
            copy(&repository.join(folder), &workspace.path().join(folder));
        }
        workspace
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file, and the folders above it.
    pub(crate) fn put(&self, file: &str, content: impl AsRef<[u8]>) {
        let path = self.path().join(file);
        let folder = path.parent().expect("a file lies in a folder");
        std::fs::create_dir_all(folder).expect("the folder can be made");
        std::fs::write(path, content).expect("the file can be written");
    }

    /// Copies a folder of the repository into the workspace.
    pub(crate) fn copy_from_repository(&self, from: &str, to: &str) {
        copy(&repository().join(from), &self.path().join(to));
    }

    /// Replaces the one occurrence of `from` in a file.
    pub(crate) fn edit(&self, file: &str, from: &str, to: &str) {
        let path = self.path().join(file);
        let text = std::fs::read_to_string(&path).expect("the file to edit is there");
        assert_eq!(text.matches(from).count(), 1, "`{from}` is not in {file} exactly once");
        std::fs::write(path, text.replacen(from, to, 1)).expect("the file can be written");
    }

    pub(crate) fn remove(&self, file: &str) {
        let path = self.path().join(file);
        if path.is_dir() {
            std::fs::remove_dir_all(path).expect("the folder can be removed");
        } else {
            std::fs::remove_file(path).expect("the file can be removed");
        }
    }

    pub(crate) fn has(&self, path: &str) -> bool {
        self.path().join(path).exists()
    }

    /// The program with `arguments`, not yet started; nothing of the tester's own environment changes what it does.
    pub(crate) fn command<S: AsRef<std::ffi::OsStr>>(&self, arguments: &[S]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_throughline"));
        command.args(arguments).current_dir(self.path()).stdin(Stdio::null());
        let own = ["THROUGHLINE_PROJECT", "WAREHOUSE", "LAKE", "COLUMNS"];
        let of_endpoints =
            ["OPENLINEAGE_URL", "OPENLINEAGE_DISABLED", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];
        for name in own.into_iter().chain(of_endpoints) {
            command.env_remove(name);
        }
        let of_clouds = ["AWS_", "AZURE_", "AZURITE_", "GOOGLE_", "GCE_", "IDENTITY_"];
        for (name, _) in std::env::vars_os() {
            if name.to_str().is_some_and(|name| of_clouds.iter().any(|begins| name.starts_with(begins))) {
                command.env_remove(name);
            }
        }
        // The days of the tests are past or not, by whatever clock.
        command.env("THROUGHLINE_ALLOW_FUTURE", "true");
        command.env("NO_COLOR", "1");
        command
    }

    /// Runs the program to its end with arguments separated by blanks.
    pub(crate) fn run(&self, arguments: &str) -> Outcome {
        self.run_with(&arguments.split(' ').collect::<Vec<_>>(), &[])
    }

    /// Runs the program to its end.
    pub(crate) fn run_with(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Outcome {
        let mut command = self.command(arguments);
        command.envs(environment.iter().copied());
        self.outcome(command.output().expect("the program starts"))
    }

    /// Starts the program with its standard error piped.
    pub(crate) fn start(&self, arguments: &str) -> Child {
        let mut command = self.command(&arguments.split(' ').collect::<Vec<_>>());
        command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the program starts")
    }

    /// `query` as CSV.
    pub(crate) fn query(&self, sql: &str) -> Outcome {
        self.run_with(&["query", sql, "--format", "csv"], &[])
    }

    /// Looks at what a finished program left. A panic anywhere fails the test, and so does an end by a signal.
    pub(crate) fn outcome(&self, output: Output) -> Outcome {
        let text = |bytes: &[u8]| self.normalised(&String::from_utf8_lossy(bytes));
        let outcome =
            Outcome { code: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) };
        assert!(!outcome.stderr.contains("panicked"), "{outcome}");
        assert!(outcome.code.is_some(), "ended by {}: {}", output.status, outcome.stderr);
        outcome
    }

    /// The record of the newest run.
    pub(crate) fn newest_record(&self, warehouse: &str) -> Value {
        let folder = self.path().join(warehouse).join("_runs");
        let listed = std::fs::read_dir(folder).expect("a run left its record");
        let files = listed.map(|entry| entry.expect("the folder can be listed").path());
        let newest = files.filter(|file| !file.to_string_lossy().ends_with(".partial.json")).max();
        let text = std::fs::read_to_string(newest.expect("there is a record")).expect("the record can be read");
        serde_json::from_str(&text).expect("the record is JSON")
    }

    /// Files of a warehouse that no log entry names, and what killed writers leave: unfinished files, progress of runs.
    pub(crate) fn leftovers(&self, warehouse: &str) -> Vec<String> {
        let root = self.path().join(warehouse);
        let mut names = Vec::new();
        list(&root, &root, &mut names);
        let mut named = std::collections::BTreeSet::new();
        for entry in names.iter().filter(|name| name.contains("/_delta_log/") && name.ends_with(".json")) {
            let (table, _) = entry.split_once('/').expect("a log lies in a table");
            let text = std::fs::read_to_string(root.join(entry)).expect("an entry can be read");
            for action in text.lines().map(|line| serde_json::from_str::<Value>(line).expect("an action is JSON")) {
                let paths = ["/add/path", "/remove/path"].map(|path| action.pointer(path).and_then(Value::as_str));
                named.extend(paths.into_iter().flatten().map(|path| format!("{table}/{path}")));
            }
        }
        let is_data = |name: &String| name.contains("part-");
        let unfinished = |name: &String| name.ends_with(".tmp") || name.ends_with(".partial.json");
        names.retain(|name| unfinished(name) || is_data(name) && !named.contains(name));
        names
    }

    /// One line a published table of the warehouse: its name, its rows, and a digest of all of them, whatever their
    /// order. Floats enter the digest with every digit.
    pub(crate) fn fingerprints(&self, warehouse: &str) -> Vec<String> {
        let place = [("WAREHOUSE", warehouse)];
        let ask = |sql: &str| {
            let outcome = self.run_with(&["query", sql, "--format", "csv"], &place);
            assert_eq!(outcome.code, Some(0), "{outcome}");
            outcome.stdout
        };
        let columns =
            ask("SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public' \
                 AND table_name NOT IN ('runs', 'run_steps', 'run_tests')");
        let mut tables: std::collections::BTreeMap<&str, Vec<String>> = std::collections::BTreeMap::new();
        for line in columns.lines().skip(1) {
            let (table, column) = line.split_once(',').expect("two columns");
            let text = format!("coalesce(CAST({column} AS VARCHAR), 'null')");
            tables.entry(table).or_default().push(text);
        }
        assert!(!tables.is_empty(), "nothing is published in {warehouse}");
        let digest = |(table, columns): &(&str, Vec<String>)| {
            format!(
                "SELECT '{table}' AS name, count(*) AS n, md5(coalesce(string_agg(h, '' ORDER BY h), '')) AS digest \
                 FROM (SELECT md5(concat_ws('|', {})) AS h FROM {table})",
                columns.join(", ")
            )
        };
        // Several tables a question, as many as the limit on a statement's length allows.
        let tables: Vec<(&str, Vec<String>)> = tables.into_iter().collect();
        let mut lines = Vec::new();
        for some in tables.chunks(20) {
            let question = some.iter().map(digest).collect::<Vec<_>>().join(" UNION ALL ");
            lines.extend(ask(&question).lines().skip(1).map(str::to_owned));
        }
        lines.sort();
        lines
    }

    /// Paths, run ids, times and sizes are not the same in every run, so words stand for them.
    fn normalised(&self, text: &str) -> String {
        let mut folders: Vec<String> = vec![self.path().display().to_string()];
        folders.extend(self.path().canonicalize().map(|path| path.display().to_string()));
        let mut text = text.to_owned();
        for folder in folders {
            text = text.replace(&folder, "[WORKSPACE]");
        }
        without_changing_numbers(&text)
    }
}

/// The folder that holds the repository.
pub(crate) fn repository() -> PathBuf {
    Path::new(&std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo says where the crate is"))
        .join("../..")
        .canonicalize()
        .expect("the repository is there")
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("the folder can be made");
    for entry in std::fs::read_dir(from).expect("the folder can be listed") {
        let entry = entry.expect("the folder can be listed");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("the file can be copied");
        }
    }
}

/// All files below a folder, by their paths inside `root`.
fn list(folder: &Path, root: &Path, names: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).expect("the folder can be listed") {
        let path = entry.expect("the folder can be listed").path();
        if path.is_dir() {
            list(&path, root, names);
        } else {
            names.push(path.strip_prefix(root).expect("it lies below").display().to_string());
        }
    }
}

/// How the program ended and what it said.
pub(crate) struct Outcome {
    /// `None` when a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl fmt::Display for Outcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.code {
            Some(code) => writeln!(formatter, "exit {code}")?,
            None => writeln!(formatter, "ended by a signal")?,
        }
        for (name, text) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            if !text.is_empty() {
                writeln!(formatter, "--- {name}")?;
            }
            for line in text.lines() {
                writeln!(formatter, "{}", line.trim_end())?;
            }
        }
        Ok(())
    }
}

impl Outcome {
    /// Fails unless the program ended with `code`.
    #[track_caller]
    pub(crate) fn ends_with(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self}");
        self
    }

    /// What came of each step of a `run --log-format json`, a line a step, in the order in which they ended.
    pub(crate) fn steps(&self) -> String {
        let mut text = format!("exit {}\n", self.code.unwrap_or(-1));
        for line in self.stderr.lines() {
            let Ok(event) = serde_json::from_str::<Value>(line) else {
                text.push_str(line);
                text.push('\n');
                continue;
            };
            if event["event"] == "step_finished" {
                step(&event["record"], &mut text);
            }
        }
        text
    }
}

fn step(record: &Value, text: &mut String) {
    let word = |name: &str| record[name].as_str().unwrap_or_default();
    text.push_str(&format!("{} {}", word("status"), word("step")));
    if let Some(rows) = record["rows"].as_u64() {
        text.push_str(&format!(", {rows} rows"));
    }
    match (record["version"].is_u64(), record["reused_from"].is_string()) {
        (_, true) => text.push_str(", taken over"),
        (true, false) => text.push_str(", published"),
        (false, false) => {}
    }
    text.push('\n');
    if !word("done_again").is_empty() {
        text.push_str(&format!("  again: {}\n", word("done_again")));
    }
    let rejected = record["intake"]["rejected"].as_object().into_iter().flatten();
    for (reason, rows) in rejected {
        text.push_str(&format!("  {rows} set aside: {reason}\n"));
    }
    for name in ["collapsed", "after_as_of"] {
        if let Some(rows) = record["intake"][name].as_u64().filter(|rows| *rows > 0) {
            text.push_str(&format!("  {rows} {name}\n"));
        }
    }
    for test in record["tests"].as_array().into_iter().flatten().filter(|test| test["passed"] == false) {
        let word = |name: &str| test[name].as_str().unwrap_or_default();
        text.push_str(&format!("  {}: {} ({}), {}\n", word("severity"), word("test"), test["count"], word("place")));
    }
    for line in word("error").lines() {
        text.push_str(&format!("  {line}\n"));
    }
    for line in word("help").lines() {
        text.push_str(&format!("  help: {line}\n"));
    }
}

fn without_changing_numbers(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    let mut before = ' ';
    while let Some(first) = rest.chars().next() {
        let within_word = before.is_alphanumeric() || "_.,:-".contains(before);
        let begins_word = (first.is_ascii_digit() || first == 'r') && !within_word;
        let replaced = if begins_word { run_id(rest).or_else(|| measured(rest)) } else { None };
        match replaced {
            Some((length, word)) => {
                result.push_str(word);
                before = ']';
                rest = &rest[length..];
            }
            None => {
                result.push(first);
                before = first;
                rest = &rest[first.len_utf8()..];
            }
        }
    }
    result
}

/// `r00000042-20261124T065003123456Z-1f2e3d4c` at the beginning, or without the number, as earlier versions wrote it.
fn run_id(text: &str) -> Option<(usize, &'static str)> {
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (number, text) = match text.strip_prefix('r') {
        Some(numbered) => {
            let (number, text) = numbered.split_once('-').filter(|(number, _)| digits(number))?;
            (2 + number.len(), text)
        }
        None => (0, text),
    };
    let (instant, random) = text.split_once("Z-")?;
    let (day, time) = instant.split_once('T')?;
    let hex = random.get(..8)?.bytes().all(|byte| byte.is_ascii_hexdigit());
    (day.len() == 8 && digits(day) && time.len() >= 6 && digits(time) && hex)
        .then_some((number + instant.len() + 2 + 8, "[RUN]"))
}

/// `0.05 s` or `4.4 kB` at the beginning.
fn measured(text: &str) -> Option<(usize, &'static str)> {
    let number = text.find(|sign: char| !(sign.is_ascii_digit() || sign == '.' || sign == ','))?;
    let rest = &text[number..];
    for (unit, word) in [(" s", "[TIME]"), (" B", "[SIZE]"), (" kB", "[SIZE]"), (" MB", "[SIZE]"), (" GB", "[SIZE]")] {
        let Some(after) = rest.strip_prefix(unit) else { continue };
        if !after.starts_with(char::is_alphanumeric) {
            return Some((number + unit.len(), word));
        }
    }
    None
}
