//! The real program serving a workspace, on free ports of the loopback.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::workspace::Workspace;

/// How long anything may take before the test gives up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A running `throughline serve`; ends with the test.
pub(crate) struct Endpoint {
    pub(crate) postgres: SocketAddr,
    pub(crate) flight: SocketAddr,
    pub(crate) child: Child,
    log: Arc<Mutex<Vec<String>>>,
}

impl Endpoint {
    /// Serves what the workspace has published.
    pub(crate) fn of(workspace: &Workspace, arguments: &[&str]) -> Self {
        Self::with(workspace, arguments, &[])
    }

    pub(crate) fn with(workspace: &Workspace, arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let fixed = ["serve", "--port", "0", "--flight-port", "0", "--log-format", "json"];
        let mut command: Command = workspace.command(&[&fixed, arguments].concat());
        command.env_remove("THROUGHLINE_PASSWORD").envs(environment.iter().copied());
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the program starts");
        let log = BufReader::new(child.stderr.take().expect("standard error is piped"));
        let log = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&log);
        std::thread::spawn(move || {
            for line in log.lines().map_while(Result::ok) {
                heard.lock().expect("no test fails while it holds the log").push(line);
            }
        });
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut endpoint = Self { postgres: nowhere, flight: nowhere, child, log };
        endpoint.postgres = endpoint.listening("postgresql");
        endpoint.flight = endpoint.listening("flight_sql");
        endpoint
    }

    fn listening(&self, protocol: &str) -> SocketAddr {
        let event = self.wait_for("its port", |event| event["event"] == "listening" && event["protocol"] == protocol);
        event["address"].as_str().expect("an address").parse().expect("an address")
    }

    /// Everything it has logged.
    pub(crate) fn log(&self) -> String {
        self.log.lock().expect("no test fails while it holds the log").join("\n")
    }

    pub(crate) fn events(&self) -> Vec<Value> {
        self.log().lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// Waits for an event.
    #[track_caller]
    pub(crate) fn wait_for(&self, what: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            if let Some(event) = self.events().into_iter().find(|event| is_it(event)) {
                return event;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("{what} was not logged: {}", self.log());
    }

    /// Memory the process holds now, in MiB.
    pub(crate) fn resident_mib(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
        line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib / 1024)
    }

    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([name, &self.child.id().to_string()]).status().expect("`kill` runs");
        assert!(sent.success());
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if !std::thread::panicking() {
            assert!(!self.log().contains("panicked"), "{}", self.log());
        }
    }
}

/// The tiny workspace, run once.
pub(crate) fn tiny() -> Workspace {
    let workspace = Workspace::tiny();
    workspace.run(crate::tiny::RUN).ends_with(0);
    workspace
}
