//! A PostgreSQL client.

use std::sync::Arc;

use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

use super::endpoint::Endpoint;

/// A client that is let in.
pub(crate) async fn client(endpoint: &Endpoint) -> Client {
    client_with(endpoint, "user=ann").await.expect("the client is let in")
}

/// A client with these words in its connection string.
pub(crate) async fn client_with(endpoint: &Endpoint, more: &str) -> Result<Client, tokio_postgres::Error> {
    let address = endpoint.postgres;
    let text = format!("host={} port={} dbname=throughline {more}", address.ip(), address.port());
    let (client, connection) = tokio_postgres::connect(&text, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

/// Rows of one or more statements as text: cells with ` | ` between them, nulls as `-`.
pub(crate) async fn rows(client: &Client, sql: &str) -> Vec<String> {
    let messages = client.simple_query(sql).await.unwrap_or_else(|error| panic!("{sql}: {}", whole(&error)));
    let rows = messages.iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => {
            let cells: Vec<&str> = (0..row.len()).map(|cell| row.get(cell).unwrap_or("-")).collect();
            Some(cells.join(" | "))
        }
        _ => None,
    });
    rows.collect()
}

/// The code and message with which a statement fails.
pub(crate) async fn failure(client: &Client, sql: &str) -> (String, String) {
    match client.simple_query(sql).await {
        Ok(_) => panic!("{sql} was answered"),
        Err(error) => code_and_message(&error),
    }
}

pub(crate) fn code_and_message(error: &tokio_postgres::Error) -> (String, String) {
    let answer = error.as_db_error().unwrap_or_else(|| panic!("no answer of the server: {}", whole(error)));
    (answer.code().code().to_owned(), answer.message().to_owned())
}

/// An error with what caused it.
pub(crate) fn whole(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}

/// TLS for `tokio-postgres`, trusting one certificate.
#[derive(Clone)]
pub(crate) struct Trusting(pub(crate) Arc<rustls::ClientConfig>);

impl Trusting {
    /// Trusts what the PEM file holds.
    pub(crate) fn certificate(pem: &str) -> Self {
        use rustls::pki_types::CertificateDer;
        use rustls::pki_types::pem::PemObject;
        let mut roots = rustls::RootCertStore::empty();
        let certificate = CertificateDer::from_pem_slice(pem.as_bytes()).expect("a certificate");
        roots.add(certificate).expect("it can be trusted");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("protocol versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self(Arc::new(config))
    }
}

type Socket = tokio_postgres::Socket;

impl tokio_postgres::tls::MakeTlsConnect<Socket> for Trusting {
    type Stream = Encrypted;
    type TlsConnect = Self;
    type Error = std::convert::Infallible;

    fn make_tls_connect(&mut self, _: &str) -> Result<Self, Self::Error> {
        Ok(self.clone())
    }
}

impl tokio_postgres::tls::TlsConnect<Socket> for Trusting {
    type Stream = Encrypted;
    type Error = std::io::Error;
    type Future = std::pin::Pin<Box<dyn Future<Output = std::io::Result<Encrypted>> + Send>>;

    fn connect(self, socket: Socket) -> Self::Future {
        Box::pin(async move {
            let name = rustls::pki_types::ServerName::try_from("localhost").expect("a name");
            let stream = tokio_rustls::TlsConnector::from(self.0).connect(name, socket).await?;
            Ok(Encrypted(Box::new(stream)))
        })
    }
}

/// An encrypted connection.
pub(crate) struct Encrypted(Box<tokio_rustls::client::TlsStream<Socket>>);

impl tokio_postgres::tls::TlsStream for Encrypted {
    fn channel_binding(&self) -> tokio_postgres::tls::ChannelBinding {
        tokio_postgres::tls::ChannelBinding::none()
    }
}

impl tokio::io::AsyncRead for Encrypted {
    fn poll_read(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
        into: &mut tokio::io::ReadBuf<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::pin::Pin::new(&mut self.0).poll_read(context, into)
    }
}

impl tokio::io::AsyncWrite for Encrypted {
    fn poll_write(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
        bytes: &[u8],
    ) -> std::task::Poll<std::io::Result<usize>> {
        std::pin::Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::pin::Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::pin::Pin::new(&mut self.0).poll_shutdown(context)
    }
}
