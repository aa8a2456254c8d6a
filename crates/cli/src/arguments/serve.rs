//! Arguments of the endpoint.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::byte_size::byte_size;
use super::log_format::LogFormat;

pub(super) const SERVE_EXAMPLES: &str = "\
Examples:
  throughline serve                                      for this machine only
  psql \"host=127.0.0.1 port=5433 dbname=throughline\"
  THROUGHLINE_PASSWORD=… throughline serve --host 0.0.0.0 --tls-cert chain.pem --tls-key key.pem

Other addresses than this machine's loopback need a password (in THROUGHLINE_PASSWORD, or --password-file)
and TLS. Nothing can be written; a newer run is served as soon as it is complete. Stops on Ctrl-C (exit 130)
or SIGTERM (exit 0) after the queries that run.";

#[derive(Debug, Args)]
pub(crate) struct ServeArguments {
    /// The address to listen on.
    #[arg(long, value_name = "IP", default_value = "127.0.0.1", value_parser = ip_address)]
    pub(crate) host: IpAddr,
    /// PostgreSQL's wire; 0 takes a free port, `off` leaves it out.
    #[arg(long, value_name = "PORT|off", default_value = "5433", value_parser = port)]
    pub(crate) port: Port,
    /// Arrow Flight SQL; 0 takes a free port, `off` leaves it out.
    #[arg(long, value_name = "PORT|off", default_value = "5434", value_parser = port)]
    pub(crate) flight_port: Port,
    /// Who may log in, when there is a password.
    #[arg(long, value_name = "NAME", default_value = "throughline")]
    pub(crate) user: String,
    /// A file that holds the password, instead of THROUGHLINE_PASSWORD in the environment.
    #[arg(long, value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,
    /// A certificate chain (PEM); connections have to be encrypted then.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// The certificate's private key (PEM).
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,
    /// A query that takes longer is canceled.
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = duration)]
    pub(crate) query_timeout: Duration,
    /// How long a query waits for a place when others run.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    pub(crate) queue_timeout: Duration,
    /// Queries that run at the same time.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) max_queries: u16,
    /// Connections of each protocol.
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) max_connections: u16,
    /// A query whose planning takes longer is canceled.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    pub(crate) planning_timeout: Duration,
    /// What the constants of a query may come to, once they are computed.
    #[arg(long, value_name = "SIZE", default_value = "8MiB", value_parser = byte_size)]
    pub(crate) max_constants: usize,
    /// SQL and values that a connection may keep prepared.
    #[arg(long, value_name = "SIZE", default_value = "1MiB", value_parser = byte_size)]
    pub(crate) max_prepared: usize,
    /// From the first byte of a connection to its login; on Flight SQL, to its first call.
    #[arg(long, value_name = "TIME", default_value = "15s", value_parser = duration)]
    pub(crate) login_timeout: Duration,
    /// A connection that does nothing for longer is closed.
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = duration)]
    pub(crate) idle_timeout: Duration,
    /// Wrong passwords in a row after which an address is locked out.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) max_wrong_passwords: u32,
    /// For how long it is.
    #[arg(long, value_name = "TIME", default_value = "5min", value_parser = duration)]
    pub(crate) lockout: Duration,
    /// How the endpoint's events are printed: plain lines, or one JSON object a line.
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    pub(crate) log_format: LogFormat,
}

/// A port; `None` is off.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Port(pub(crate) Option<u16>);

fn ip_address(text: &str) -> Result<IpAddr, String> {
    let text = if text == "localhost" { "127.0.0.1" } else { text };
    text.parse().map_err(|_| "write an IP address, such as 127.0.0.1, ::1 or 0.0.0.0".to_owned())
}

fn port(text: &str) -> Result<Port, String> {
    if text == "off" {
        return Ok(Port(None));
    }
    text.parse().map(|port| Port(Some(port))).map_err(|_| "write a number up to 65535, or `off`".to_owned())
}

/// `500ms`, `60s`, `5min`, `1h`, or plain seconds.
fn duration(text: &str) -> Result<Duration, String> {
    let split = text.find(|sign: char| !sign.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let number: Option<u64> = number.parse().ok().filter(|number| (1..=1_000_000_000).contains(number));
    match (number, unit.trim()) {
        (Some(number), "ms") => Ok(Duration::from_millis(number)),
        (Some(number), "" | "s") => Ok(Duration::from_secs(number)),
        (Some(number), "min") => Ok(Duration::from_secs(number * 60)),
        (Some(number), "h") => Ok(Duration::from_secs(number * 3600)),
        _ => Err("write a time above zero, e.g. 500ms, 60s or 5min".to_owned()),
    }
}
