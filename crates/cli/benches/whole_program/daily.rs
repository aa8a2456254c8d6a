//! What a daily run costs beside a full rebuild, and that both end in the same rows.
//!
//! The sample has two years; a run as of its last day makes the history, and the run of the day after is measured.
//! Times are those of the whole process, from its start to its end. Bytes are shown twice: those of the steps' scans,
//! as the run's record has them, and all that the process read from files, footers, logs and tests included (Linux).

use std::fs::{self, File};
use std::io::{BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::company::{AS_OF, Company, json, list};
use crate::table;

/// The day before, on which the history ends.
const DAY_BEFORE: &str = "2026-09-30";

/// The incremental models, each with the columns that identify a row.
const MODELS: [(&str, &str); 4] = [
    ("fct_journey_touchpoint", "journey_id, step"),
    ("journey_answer", "answer_id"),
    ("fct_journey", "journey_id"),
    ("web_unknown", "event_id"),
];

/// What one run cost.
struct Cost {
    seconds: f64,
    cpu_seconds: Option<f64>,
    scanned: f64,
    read: Option<f64>,
    written: f64,
}

pub(crate) fn print(customers: u64, runs: u64) -> Result<(), String> {
    eprintln!("sampling {customers} customers …");
    let company = Company::sampled(customers, 42, true)?;
    let only_incremental: Vec<String> = MODELS.iter().map(|(model, _)| format!("+{model}")).collect();
    let only_incremental: Vec<&str> = only_incremental.iter().flat_map(|model| ["--select", model]).collect();
    for (title, selection) in [
        (format!("{customers} customers, incremental models and what they read"), only_incremental.as_slice()),
        (format!("{customers} customers, the whole pipeline"), &[]),
    ] {
        share(&company, &title, selection, runs)?;
    }
    Ok(())
}

fn share(company: &Company, title: &str, selection: &[&str], runs: u64) -> Result<(), String> {
    eprintln!("{title}: the history …");
    for warehouse in ["history", "daily", "full"] {
        remove(&company.path(warehouse))?;
    }
    measured(company, "history", DAY_BEFORE, selection)?;
    let (mut rows, mut shares) = (Vec::new(), Vec::new());
    for number in 1..=runs {
        eprintln!("{title}: run {number} of {runs} …");
        remove(&company.path("full"))?;
        remove(&company.path("daily"))?;
        copy(&company.path("history"), &company.path("daily"))?;
        let full = measured(company, "full", AS_OF, selection)?;
        let daily = measured(company, "daily", AS_OF, selection)?;
        rows.push(row(&format!("full rebuild {number}"), &full));
        rows.push(row(&format!("daily run {number}"), &daily));
        shares.push((full, daily));
    }
    type Figure = fn(&Cost) -> Option<f64>;
    let figures: [Figure; 5] = [
        |cost| Some(cost.seconds),
        |cost| cost.cpu_seconds,
        |cost| Some(cost.scanned),
        |cost| cost.read,
        |cost| Some(cost.written),
    ];
    let spread = |figure: Figure| {
        let shares = shares.iter().map(|(full, daily)| Some(figure(daily)? / figure(full)?));
        let Some(mut shares) = shares.collect::<Option<Vec<f64>>>().filter(|shares| !shares.is_empty()) else {
            return "n/a".to_owned();
        };
        shares.sort_by(f64::total_cmp);
        format!("{:.1} – {:.1} %", 100.0 * shares[0], 100.0 * shares[shares.len() - 1])
    };
    rows.push(["daily / full".to_owned()].into_iter().chain(figures.map(spread)).collect());
    table::print(title, &["", "seconds", "CPU s", "MB scanned", "MB read", "MB written"], &rows);
    for (model, key) in MODELS {
        let sql = format!("SELECT * FROM {model} ORDER BY {key}");
        let (daily, full) = (exported(company, "daily", &sql)?, exported(company, "full", &sql)?);
        if !same(&daily, &full)? {
            return Err(format!("`{model}` differs between the daily run and the full rebuild"));
        }
    }
    println!("the rows of both are equal in {}", MODELS.map(|(model, _)| model).join(", "));
    Ok(())
}

fn row(name: &str, cost: &Cost) -> Vec<String> {
    let optional = |value: Option<f64>| value.map_or_else(|| "n/a".to_owned(), |value| format!("{value:.1}"));
    vec![
        name.to_owned(),
        format!("{:.2}", cost.seconds),
        cost.cpu_seconds.map_or_else(|| "n/a".to_owned(), |seconds| format!("{seconds:.2}")),
        format!("{:.1}", cost.scanned),
        optional(cost.read),
        format!("{:.1}", cost.written),
    ]
}

fn measured(company: &Company, warehouse: &str, as_of: &str, selection: &[&str]) -> Result<Cost, String> {
    let mut arguments = vec!["run", "--as-of", as_of, "--log-format", "json"];
    arguments.extend(selection);
    let mut command = company.command(warehouse, &arguments);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let cpu_before = cpu_of_children();
    let began = Instant::now();
    let read = watched(&mut command)?;
    let seconds = began.elapsed().as_secs_f64();
    let cpu_seconds = cpu_before.zip(cpu_of_children()).map(|(before, after)| after - before);
    let runs = fs::read_dir(company.path(warehouse).join("_runs")).map_err(|error| error.to_string())?;
    let records = runs.filter_map(|entry| Some(entry.ok()?.path()));
    let newest = records.filter(|path| path.extension().is_some_and(|ending| ending == "json")).max();
    let record = json(&newest.ok_or("the run left no record")?)?;
    let sum = |figure: fn(&Value) -> Option<f64>| list(&record["steps"]).iter().filter_map(figure).sum::<f64>() / 1e6;
    Ok(Cost {
        seconds,
        cpu_seconds,
        scanned: sum(|step| step["usage"]["bytes_read"].as_f64()),
        read: read.map(|bytes| bytes / 1e6),
        written: sum(|step| step["bytes"].as_f64()),
    })
}

/// Runs a command to its end; gives the bytes it read through the system's calls, where the system counts them.
fn watched(command: &mut Command) -> Result<Option<f64>, String> {
    let mut child = command.spawn().map_err(|error| error.to_string())?;
    let counters = format!("/proc/{}/io", child.id());
    let mut read = None;
    loop {
        let text = fs::read_to_string(&counters).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("rchar: ")?.parse().ok());
        read = line.or(read);
        if let Some(status) = child.try_wait().map_err(|error| error.to_string())? {
            return if status.success() { Ok(read) } else { Err(format!("the run ended with {status}")) };
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// CPU seconds of all children that have ended (Linux).
fn cpu_of_children() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // After the name in parentheses: the 14th and 15th field are user and system time of the children, in ticks.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks: f64 = fields.get(13)?.parse::<f64>().ok()? + fields.get(14)?.parse::<f64>().ok()?;
    Some(ticks / 100.0)
}

fn exported(company: &Company, warehouse: &str, sql: &str) -> Result<std::path::PathBuf, String> {
    let file = company.path(&format!("{warehouse}.csv"));
    let shown = file.display().to_string();
    let status = company
        .command(warehouse, &["query", sql, "--format", "csv", "--output", &shown])
        .stderr(Stdio::null())
        .status()
        .map_err(|error| error.to_string())?;
    if status.success() { Ok(file) } else { Err(format!("`{sql}` ended with {status}")) }
}

fn same(one: &Path, other: &Path) -> Result<bool, String> {
    let open = |path: &Path| File::open(path).map(BufReader::new).map_err(|error| error.to_string());
    let (mut one, mut other) = (open(one)?, open(other)?);
    let (mut left, mut right) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    loop {
        let taken = one.read(&mut left).map_err(|error| error.to_string())?;
        if taken == 0 {
            return Ok(other.read(&mut right).map_err(|error| error.to_string())? == 0);
        }
        if other.read_exact(&mut right[..taken]).is_err() || left[..taken] != right[..taken] {
            return Ok(false);
        }
    }
}

fn remove(folder: &Path) -> Result<(), String> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.to_string()),
        _ => Ok(()),
    }
}

fn copy(from: &Path, to: &Path) -> Result<(), String> {
    fs::create_dir_all(to).map_err(|error| error.to_string())?;
    for entry in fs::read_dir(from).map_err(|error| error.to_string())? {
        let entry = entry.map_err(|error| error.to_string())?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if source.is_dir() {
            copy(&source, &target)?;
        } else {
            fs::copy(&source, &target).map_err(|error| error.to_string())?;
        }
    }
    Ok(())
}
