//! Arrow Flight SQL: takes connections, and ends them.

mod connection;
mod login;
mod parameters;
mod service;

use std::sync::Arc;
use std::time::Duration;

use arrow_flight::flight_service_server::FlightServiceServer;
use tokio::net::TcpListener;
use tonic::transport::{Identity, Server, ServerTlsConfig};

use crate::event::Event;
use crate::shared::Shared;

use connection::incoming;
use parameters::LONGEST;
use service::Service;

/// Calls of one connection at the same time.
const CALLS_AT_ONCE: usize = 32;
/// A silent client is asked so often whether it is still there, and given so long to say so.
const STILL_THERE: Duration = Duration::from_secs(20);

/// Takes connections until the endpoint stops, and then lets those that work end their work.
pub(crate) async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let service = FlightServiceServer::new(Service::new(Arc::clone(&shared))).max_decoding_message_size(LONGEST);
    let mut builder = Server::builder()
        .concurrency_limit_per_connection(CALLS_AT_ONCE)
        .http2_keepalive_interval(Some(STILL_THERE))
        .http2_keepalive_timeout(Some(STILL_THERE));
    if let Some(tls) = &shared.tls {
        let identity = Identity::from_pem(&tls.certificate, &tls.key);
        // The same files have been read before, so this does not fail.
        builder = match builder.tls_config(ServerTlsConfig::new().identity(identity)) {
            Ok(builder) => builder,
            Err(error) => {
                let message = format!("Flight SQL cannot use the certificate: {error}");
                shared.observer.event(&Event::NotRefreshed { message: &message });
                return;
            }
        };
    }
    let stopping = Arc::clone(&shared);
    let ended = async {
        stopping.stopping().await;
        tokio::time::sleep(shared.options.grace).await;
    };
    let until = Arc::clone(&shared);
    let server = builder
        .add_service(service)
        .serve_with_incoming_shutdown(incoming(listener, Arc::clone(&shared)), async move { until.stopping().await });
    tokio::select! {
        // It ends when all connections have; what is left after the grace is dropped.
        _ = server => {}
        () = ended => {}
    }
}
