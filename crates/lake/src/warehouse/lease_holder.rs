//! Who holds a lease, as written into it.

use std::fmt;
use std::fs;
use std::io::ErrorKind;
use std::time::Duration;

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
    /// How long after its last sign of life it still holds the lease, in milliseconds; 0 where a version did not say.
    #[serde(default)]
    lasts_ms: u64,
    /// Identifies this machine, since its start, and this set of process ids; empty where unknown.
    #[serde(default)]
    machine: String,
    /// When the process started, as the machine counts: another process with the same id has another one.
    #[serde(default)]
    started: String,
}

impl LeaseHolder {
    pub(super) fn this_process(pipeline: &str, run_id: &str, lasts: Duration) -> Self {
        let now = now();
        Self {
            run_id: run_id.into(),
            pipeline: pipeline.into(),
            host: host(),
            pid: std::process::id(),
            since: now.clone(),
            heartbeat: now,
            released: false,
            lasts_ms: u64::try_from(lasts.as_millis()).unwrap_or(u64::MAX),
            machine: machine(),
            started: match process("self") {
                Process::Started(at) => at,
                Process::Gone | Process::Unknown => String::new(),
            },
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
            lasts_ms: 0,
            machine: String::new(),
            started: String::new(),
        }
    }

    pub(super) fn given_back(&self) -> Self {
        Self { released: true, ..self.clone() }
    }

    /// How long after its last sign of life it still holds the lease.
    pub(super) fn lasts(&self) -> Duration {
        Duration::from_millis(self.lasts_ms)
    }

    /// Whether its process certainly ended. Only a process of this machine can be looked for.
    pub(super) fn is_gone(&self) -> bool {
        !self.machine.is_empty()
            && !self.started.is_empty()
            && self.machine == machine()
            && match process(&self.pid.to_string()) {
                Process::Started(at) => at != self.started,
                Process::Gone => true,
                Process::Unknown => false,
            }
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

/// What the system says of a process.
enum Process {
    /// It started so many ticks after the machine.
    Started(String),
    /// There is none, or only what is left of one (a zombie).
    Gone,
    /// The system does not say.
    Unknown,
}

fn process(pid: &str) -> Process {
    let stat = match fs::read_to_string(format!("/proc/{pid}/stat")) {
        Ok(stat) => stat,
        Err(error) if error.kind() == ErrorKind::NotFound && !hides_processes() => return Process::Gone,
        Err(_) => return Process::Unknown,
    };
    // The name in brackets may hold anything; 20 fields after it stands the start (proc(5)).
    let mut fields = stat.rsplit_once(')').map(|(_, fields)| fields.split_whitespace()).into_iter().flatten();
    match fields.next() {
        Some("Z" | "X") => Process::Gone,
        Some(_) => fields.nth(18).map_or(Process::Unknown, |start| Process::Started(start.to_owned())),
        None => Process::Unknown,
    }
}

/// Whether processes of other users may be there without being shown, or whether nobody knows.
fn hides_processes() -> bool {
    fs::read_to_string("/proc/self/mountinfo").map_or(true, |mounts| mounts_hide_processes(&mounts))
}

/// `/proc` may be mounted so that each user sees only their own processes: `hidepid` is another than 0 or `off`
/// (proc(5)). Of several mounts over each other the last counts.
fn mounts_hide_processes(mounts: &str) -> bool {
    let options = |line: &str| {
        let (mount, file_system) = line.split_once(" - ")?;
        let is_proc = mount.split(' ').nth(4) == Some("/proc") && file_system.starts_with("proc ");
        is_proc.then(|| file_system.rsplit(' ').next().unwrap_or_default().to_owned())
    };
    let Some(options) = mounts.lines().filter_map(options).next_back() else { return true };
    options.split(',').filter_map(|option| option.strip_prefix("hidepid=")).any(|hides| !matches!(hides, "0" | "off"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_there_and_another_is_not_taken_for_it() {
        let here = LeaseHolder::this_process("p", "r", Duration::from_secs(60));
        assert!(!here.is_gone());
        assert!(chrono::DateTime::parse_from_rfc3339(&here.since).is_ok());
        assert_eq!(here.lasts(), Duration::from_secs(60));
        if !here.machine.is_empty() && !hides_processes() {
            assert!(LeaseHolder { started: "1".into(), ..here.clone() }.is_gone(), "its id was given to another");
            assert!(LeaseHolder { pid: u32::MAX, ..here.clone() }.is_gone());
            assert!(!LeaseHolder { machine: "elsewhere".into(), pid: u32::MAX, ..here }.is_gone());
        }
    }

    #[test]
    fn a_process_that_is_not_shown_is_not_gone() {
        let mounts = |options: &str| {
            format!(
                "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n23 22 0:21 / /proc rw,nosuid shared:5 - proc proc {options}\n"
            )
        };
        for shown in ["rw", "rw,hidepid=0", "rw,hidepid=off,gid=4"] {
            assert!(!mounts_hide_processes(&mounts(shown)), "{shown}");
        }
        for hidden in ["rw,hidepid=2", "rw,gid=4,hidepid=invisible", "rw,hidepid=1", "rw,hidepid=ptraceable"] {
            assert!(mounts_hide_processes(&mounts(hidden)), "{hidden}");
        }
        let remounted = mounts("rw") + &mounts("rw,hidepid=2");
        assert!(mounts_hide_processes(&remounted));
        assert!(mounts_hide_processes(""), "nobody knows");
    }
}
