//! Who holds a lease, as written into it.

use std::fmt;
use std::fs;

use chrono::{SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

/// The run that holds a lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseHolder {
    /// The run.
    pub run_id: String,
    /// The pipeline.
    pub pipeline: String,
    /// The machine's name.
    pub host: String,
    /// The process.
    pub pid: u32,
    /// When the run took the lease, RFC 3339.
    pub since: String,
    /// When it was last heard of, RFC 3339.
    pub heartbeat: String,
    /// Whether it has given the lease back.
    #[serde(default)]
    pub released: bool,
    /// Identifies this machine, since its start, and this set of process ids; empty where unknown.
    #[serde(default)]
    machine: String,
    /// When the process started, as the machine counts: another process with the same id has another one.
    #[serde(default)]
    started: String,
}

impl LeaseHolder {
    pub(super) fn this_process(pipeline: &str, run_id: &str) -> Self {
        let now = now();
        Self {
            run_id: run_id.into(),
            pipeline: pipeline.into(),
            host: host(),
            pid: std::process::id(),
            since: now.clone(),
            heartbeat: now,
            released: false,
            machine: machine(),
            started: start_of("self").unwrap_or_default(),
        }
    }

    pub(super) fn unknown() -> Self {
        Self {
            run_id: "unknown".into(),
            pipeline: String::new(),
            host: "unknown".into(),
            pid: 0,
            since: "unknown".into(),
            heartbeat: "unknown".into(),
            released: false,
            machine: String::new(),
            started: String::new(),
        }
    }

    pub(super) fn given_back(&self) -> Self {
        Self { released: true, ..self.clone() }
    }

    /// Whether its process certainly ended. Only a process of this machine can be looked for.
    pub(super) fn is_gone(&self) -> bool {
        !self.machine.is_empty()
            && self.machine == machine()
            && start_of(&self.pid.to_string()).is_none_or(|started| started != self.started)
    }

    /// Whether it is the process that asks.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.run_id == other.run_id && self.machine == other.machine && self.pid == other.pid
    }
}

impl fmt::Display for LeaseHolder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "run {} on host {} (pid {}) since {}, last heard of at {}",
            self.run_id, self.host, self.pid, self.since, self.heartbeat
        )
    }
}

/// This instant, RFC 3339 to the millisecond.
pub(super) fn now() -> String {
    Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true)
}

fn host() -> String {
    let named = fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let named = named.or_else(|| std::env::var("HOSTNAME").ok()).or_else(|| std::env::var("COMPUTERNAME").ok());
    named.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).unwrap_or_else(|| "unknown".to_owned())
}

/// The machine since its last start, and the name space of its process ids: within one container, pid 1 is another's.
fn machine() -> String {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id");
    let ids = fs::read_link("/proc/self/ns/pid");
    match (boot, ids) {
        (Ok(boot), Ok(ids)) => format!("{} {}", boot.trim(), ids.display()),
        _ => String::new(),
    }
}

/// The start of a process in ticks since the machine's; `None` when there is no such process (or it is a zombie).
fn start_of(pid: &str) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in brackets may hold anything; 20 fields after it stands the start (proc(5)).
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace();
    let state = fields.next()?;
    if state == "Z" || state == "X" {
        return None;
    }
    fields.nth(18).map(ToOwned::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_there_and_another_is_not_taken_for_it() {
        let here = LeaseHolder::this_process("p", "r");
        assert!(!here.is_gone());
        assert!(chrono::DateTime::parse_from_rfc3339(&here.since).is_ok());
        if !here.machine.is_empty() {
            assert!(LeaseHolder { started: "1".into(), ..here.clone() }.is_gone(), "its id was given to another");
            assert!(LeaseHolder { pid: u32::MAX, ..here.clone() }.is_gone());
            assert!(!LeaseHolder { machine: "elsewhere".into(), pid: u32::MAX, ..here }.is_gone());
        }
    }
}
