//! Events on their way: a bounded queue and a thread that writes or posts them.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use serde_json::Value;

use crate::failure::LineageError;
use crate::options::LineageTarget;

/// Events that may wait; a run has a few hundred.
const MOST_WAITING: usize = 4_096;
/// For one request, connecting included.
const REQUEST_LIMIT: Duration = Duration::from_secs(5);
/// After so many failures in a row no further event is tried: the endpoint is not there.
const PATIENCE: u64 = 3;
/// How long the end of a run waits for events under way.
const LAST_WAIT: Duration = Duration::from_secs(10);

/// What became of the events.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Delivered {
    /// Events made.
    pub events: u64,
    /// Of these, how many did not arrive, as far as is known.
    pub lost: u64,
    /// Why the first of them did not.
    pub reason: Option<String>,
}

/// The queue and its thread.
pub(crate) struct Delivery {
    queue: SyncSender<Value>,
    outcome: Receiver<Outcome>,
    events: AtomicU64,
    overflowed: AtomicU64,
    gives_up: Arc<AtomicBool>,
}

#[derive(Default)]
struct Outcome {
    arrived: u64,
    reason: Option<String>,
}

impl Delivery {
    pub(crate) fn start(target: &LineageTarget) -> Result<Self, LineageError> {
        let (queue, waiting) = sync_channel(MOST_WAITING);
        let (report, outcome) = sync_channel(1);
        let gives_up = Arc::new(AtomicBool::new(false));
        let mut sink = Sink::open(target, Arc::clone(&gives_up))?;
        let work = move || {
            let outcome = sink.work_off(&waiting);
            let _ = report.send(outcome);
        };
        std::thread::Builder::new().name("openlineage".to_owned()).spawn(work).map_err(LineageError::NoThread)?;
        Ok(Self { queue, outcome, events: AtomicU64::new(0), overflowed: AtomicU64::new(0), gives_up })
    }

    /// Queues an event; with a full queue it is lost rather than waited for.
    pub(crate) fn send(&self, event: Value) {
        self.events.fetch_add(1, Ordering::Relaxed);
        if self.queue.try_send(event).is_err() {
            self.overflowed.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn finish(self) -> Delivered {
        let Self { queue, outcome, events, overflowed, gives_up } = self;
        drop(queue);
        let events = events.into_inner();
        let outcome = outcome.recv_timeout(LAST_WAIT).unwrap_or_else(|_| {
            gives_up.store(true, Ordering::Relaxed);
            Outcome { arrived: 0, reason: Some(format!("no answer within {} s", LAST_WAIT.as_secs())) }
        });
        let lost = events - outcome.arrived.min(events);
        let full = (overflowed.into_inner() > 0).then(|| "more events than the queue holds".to_owned());
        Delivered { events, lost, reason: outcome.reason.or(full).filter(|_| lost > 0) }
    }
}

enum Sink {
    File(File),
    Http(Box<Endpoint>),
}

struct Endpoint {
    client: reqwest::Client,
    url: reqwest::Url,
    api_key: Option<String>,
    runtime: tokio::runtime::Runtime,
    gives_up: Arc<AtomicBool>,
}

impl Sink {
    fn open(target: &LineageTarget, gives_up: Arc<AtomicBool>) -> Result<Self, LineageError> {
        match target {
            LineageTarget::File(path) => appending(path).map(Self::File),
            LineageTarget::Http { url, api_key } => {
                let parsed = reqwest::Url::parse(url).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
                let Some(url) = parsed else {
                    return Err(LineageError::NoAddress { url: url.clone() });
                };
                // A redirect would carry the key to another host.
                let client = reqwest::Client::builder()
                    .timeout(REQUEST_LIMIT)
                    .redirect(reqwest::redirect::Policy::none())
                    .build()
                    .map_err(LineageError::NoClient)?;
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .map_err(LineageError::NoThread)?;
                Ok(Self::Http(Box::new(Endpoint { client, url, api_key: api_key.clone(), runtime, gives_up })))
            }
        }
    }

    /// Delivers until the queue is closed.
    fn work_off(&mut self, waiting: &Receiver<Value>) -> Outcome {
        let mut outcome = Outcome::default();
        let mut in_a_row = 0;
        for event in waiting {
            if in_a_row >= PATIENCE {
                continue;
            }
            match self.deliver(&event) {
                Ok(()) => {
                    outcome.arrived += 1;
                    in_a_row = 0;
                }
                Err(reason) => {
                    outcome.reason.get_or_insert(reason);
                    in_a_row += 1;
                }
            }
        }
        outcome
    }

    fn deliver(&mut self, event: &Value) -> Result<(), String> {
        match self {
            Self::File(file) => file.write_all(format!("{event}\n").as_bytes()).map_err(|error| error.to_string()),
            Self::Http(endpoint) => endpoint.post(event),
        }
    }
}

impl Endpoint {
    fn post(&self, event: &Value) -> Result<(), String> {
        if self.gives_up.load(Ordering::Relaxed) {
            return Err("the run is over".to_owned());
        }
        let mut request = self.client.post(self.url.clone()).header("Content-Type", "application/json");
        if let Some(key) = &self.api_key {
            request = request.bearer_auth(key);
        }
        let request = request.body(event.to_string());
        self.runtime.block_on(async {
            // Without the address: it may hold a password.
            let response = request.send().await.map_err(|error| because(&error.without_url()))?;
            let status = response.status();
            if status.is_success() { Ok(()) } else { Err(format!("the endpoint answered {status}")) }
        })
    }
}

/// An error with what caused it.
fn because(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

fn appending(path: &Path) -> Result<File, LineageError> {
    let opened = OpenOptions::new().create(true).append(true).open(path);
    opened.map_err(|source| LineageError::File { path: path.display().to_string(), source })
}
