//! The endpoint as a whole: starts, refreshes, stops.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use throughline_engine::{EngineError, Publications};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::edition::Edition;
use crate::event::{Event, Observer, Protocol};
use crate::failure::Hidden;
use crate::options::{ServeError, ServeOptions};
use crate::queries::Queries;
use crate::shared::Shared;
use crate::tls::Tls;
use crate::{flight, postgres};

/// An endpoint that runs until it is stopped. Dropping it ends it at once.
pub struct Server {
    postgres_address: Option<SocketAddr>,
    flight_address: Option<SocketAddr>,
    grace: Duration,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

impl Server {
    /// Checks the options, opens what is published, and opens the ports.
    ///
    /// # Errors
    ///
    /// An address that other machines reach without password and TLS, files that cannot be read, a port in use, or
    /// nothing published yet.
    pub async fn start(
        publications: Publications,
        options: ServeOptions,
        observer: Arc<dyn Observer>,
    ) -> Result<Self, ServeError> {
        options.check()?;
        // Two providers are compiled in, and tonic takes the process's; one that is set already stays.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let tls = options.tls.as_ref().map(Tls::read).transpose()?;
        let newest = publications.newest().await?;
        let Some(published) = publications.latest().await? else {
            let message = format!("nothing is published yet in {}", publications.address());
            return Err(EngineError::refused(message, "make the tables first: throughline run").into());
        };
        let edition = Edition::of(&publications, &published, &options.user).await?;
        let postgres = listener(&options, options.postgres_port, "--port").await?;
        let flight = listener(&options, options.flight_port, "--flight-port").await?;

        report_serving(observer.as_ref(), &edition);
        let (publish, edition) = watch::channel(Arc::new(edition));
        let (stop, stopping) = watch::channel(false);
        let hidden = Hidden::new(publications.location_texts());
        let grace = options.grace;
        let queries = Queries::new(options.limits, hidden, Arc::clone(&observer));
        let shared = Arc::new(Shared::new(options, tls, queries, observer, edition, stopping));
        let mut server =
            Self { postgres_address: None, flight_address: None, grace, stop, tasks: Vec::with_capacity(3) };
        server.tasks.push(tokio::spawn(refresh(publications, Arc::clone(&shared), publish, newest)));
        if let Some((listener, address)) = postgres {
            server.postgres_address = Some(address);
            listening(&shared, Protocol::Postgres, address);
            server.tasks.push(tokio::spawn(postgres::serve(listener, Arc::clone(&shared))));
        }
        if let Some((listener, address)) = flight {
            server.flight_address = Some(address);
            listening(&shared, Protocol::Flight, address);
            server.tasks.push(tokio::spawn(flight::serve(listener, shared)));
        }
        Ok(server)
    }

    /// Where PostgreSQL's wire is spoken.
    pub fn postgres_address(&self) -> Option<SocketAddr> {
        self.postgres_address
    }

    /// Where Flight SQL is spoken.
    pub fn flight_address(&self) -> Option<SocketAddr> {
        self.flight_address
    }

    /// Takes no more connections, lets running queries end for as long as the options allow, and closes.
    pub async fn stop(mut self) {
        // Nobody listening any more is fine.
        let _ = self.stop.send(true);
        let all = futures::future::join_all(std::mem::take(&mut self.tasks));
        // The ports' tasks keep to the grace themselves; this is for one that does not.
        let _ = tokio::time::timeout(self.grace + Duration::from_secs(2), all).await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

async fn listener(
    options: &ServeOptions,
    port: Option<u16>,
    option: &str,
) -> Result<Option<(TcpListener, SocketAddr)>, ServeError> {
    let Some(port) = port else { return Ok(None) };
    let address = SocketAddr::new(options.host, port);
    let failed = |error: std::io::Error| {
        ServeError::refused(
            format!("cannot listen on {address}: {error}"),
            format!("end the program that uses the port, or choose another one with {option}; 0 takes a free one"),
        )
    };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok(Some((listener, address)))
}

fn listening(shared: &Shared, protocol: Protocol, address: SocketAddr) {
    shared.observer.event(&Event::Listening {
        protocol,
        address,
        encrypted: shared.tls.is_some(),
        password: shared.options.password.is_some(),
    });
}

fn report_serving(observer: &dyn Observer, edition: &Edition) {
    observer.event(&Event::Serving { run_id: &edition.run_id, as_of: &edition.as_of, schemas: &edition.schemas });
}

/// Looks for newer runs until the endpoint stops. One that cannot be served is reported once and tried again.
async fn refresh(
    publications: Publications,
    shared: Arc<Shared>,
    publish: watch::Sender<Arc<Edition>>,
    mut newest: String,
) {
    let mut reported_problem = String::new();
    loop {
        tokio::select! {
            () = shared.stopping() => return,
            () = tokio::time::sleep(shared.options.refresh) => {}
        }
        match newer(&publications, &shared, &newest).await {
            Ok((found, edition)) => {
                if let Some(edition) = edition {
                    report_serving(shared.observer.as_ref(), &edition);
                    publish.send_replace(Arc::new(edition));
                }
                newest = found;
                reported_problem.clear();
            }
            Err(error) => {
                let problem = error.to_string();
                if problem != reported_problem {
                    shared.observer.event(&Event::NotRefreshed { message: &problem });
                    reported_problem = problem;
                }
            }
        }
    }
}

/// What is newest and, when it is something else than before, the edition to be served from now on.
async fn newer(
    publications: &Publications,
    shared: &Shared,
    newest: &str,
) -> Result<(String, Option<Edition>), EngineError> {
    let found = publications.newest().await?;
    if found == newest {
        return Ok((found, None));
    }
    let Some(published) = publications.latest().await? else { return Ok((found, None)) };
    let edition = Edition::of(publications, &published, &shared.options.user).await?;
    let served = shared.edition();
    let same = edition.run_id == served.run_id && edition.schemas == served.schemas;
    Ok((found, (!same).then_some(edition)))
}
