//! A sample company, published and served.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;
use tokio_postgres::{Client, NoTls};

/// The day after the sample's last one.
const AS_OF: &str = "2026-10-01";

/// An endpoint that ends with this.
pub(crate) struct Endpoint {
    child: Child,
    pub(crate) postgres: std::net::SocketAddr,
    pub(crate) flight: std::net::SocketAddr,
    _folder: TempDir,
}

impl Endpoint {
    /// Samples, runs and serves.
    pub(crate) fn new(customers: u64, arguments: &[&str]) -> Result<Self, String> {
        Self::with_password(customers, arguments, "")
    }

    /// The same for those who know a password; an empty one is none.
    pub(crate) fn with_password(customers: u64, arguments: &[&str], password: &str) -> Result<Self, String> {
        let folder = tempfile::Builder::new().prefix("endpoint").tempdir().map_err(|error| error.to_string())?;
        let lake = folder.path().join("lake").display().to_string();
        let command = |words: &[&str]| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_throughline"));
            command.args(words).current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."));
            command.env("LAKE", folder.path().join("lake")).env("WAREHOUSE", folder.path().join("warehouse"));
            command.env_remove("THROUGHLINE_PASSWORD").env_remove("THROUGHLINE_PROJECT").stdin(Stdio::null());
            command
        };
        for words in [
            &["sample", "--customers", &customers.to_string(), "--out", &lake][..],
            &["run", "--as-of", AS_OF, "--log-format", "json"],
        ] {
            let output = command(words).output().map_err(|error| error.to_string())?;
            if !output.status.success() {
                return Err(format!("{}: {}", words[0], String::from_utf8_lossy(&output.stderr)));
            }
        }
        let serve = [&["serve", "--port", "0", "--flight-port", "0", "--log-format", "json"], arguments].concat();
        let mut child = command(&serve)
            .env("THROUGHLINE_PASSWORD", password)
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| error.to_string())?;
        let stderr = child.stderr.take().ok_or("standard error is not piped")?;
        let mut lines = BufReader::new(stderr).lines();
        let mut listening = || -> Option<std::net::SocketAddr> {
            let mut events = lines.by_ref().map_while(Result::ok).filter_map(|line| serde_json::from_str(&line).ok());
            let event: Value = events.find(|event: &Value| event["event"] == "listening")?;
            event["address"].as_str()?.parse().ok()
        };
        let (postgres, flight) = (listening(), listening());
        // Nothing may fill the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        match (postgres, flight) {
            (Some(postgres), Some(flight)) => Ok(Self { child, postgres, flight, _folder: folder }),
            _ => Err("the endpoint does not start".into()),
        }
    }

    /// A client that is let in; one that has just left may hold its place for a moment.
    pub(crate) async fn client(&self) -> Result<Client, String> {
        let (host, port) = (self.postgres.ip(), self.postgres.port());
        let text = format!("host={host} port={port} dbname=throughline user=bench");
        let mut tries = 0;
        loop {
            match tokio_postgres::connect(&text, NoTls).await {
                Ok((client, connection)) => {
                    tokio::spawn(connection);
                    return Ok(client);
                }
                Err(error) if tries == 50 => return Err(whole(&error)),
                Err(_) => tries += 1,
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    }

    /// With what a client is refused, unless it is let in.
    pub(crate) async fn refused_client(&self) -> Option<String> {
        let text = format!("host={} port={} dbname=throughline user=bench", self.postgres.ip(), self.postgres.port());
        tokio_postgres::connect(&text, NoTls).await.err().map(|error| whole(&error))
    }

    /// Memory the endpoint holds now, in MiB, where the system says so.
    pub(crate) fn resident_mib(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
        line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib / 1024)
    }

    /// Whether it runs.
    pub(crate) fn lives(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A refusal with its code, as the endpoint sent it.
pub(crate) fn whole(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(error) => format!("{} {}", error.code().code(), error.message()),
        None => error.to_string(),
    }
}
