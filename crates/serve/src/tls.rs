//! Certificates and keys from files.

use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use crate::options::{ServeError, TlsFiles};

/// What both protocols need to encrypt.
pub(crate) struct Tls {
    pub(crate) acceptor: TlsAcceptor,
    pub(crate) certificate: Vec<u8>,
    pub(crate) key: Vec<u8>,
}

impl Tls {
    /// Reads and checks the files.
    pub(crate) fn read(files: &TlsFiles) -> Result<Self, ServeError> {
        let certificate = read(&files.certificate, "--tls-cert")?;
        let key = read(&files.key, "--tls-key")?;
        let wrong = |path: &Path, what: String| {
            ServeError::refused(
                format!("{} cannot be used: {what}", path.display()),
                "both files have to be PEM: a certificate chain (BEGIN CERTIFICATE) and its private key (BEGIN PRIVATE KEY)",
            )
        };
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&certificate)
            .collect::<Result<_, _>>()
            .map_err(|error| wrong(&files.certificate, error.to_string()))?;
        if chain.is_empty() {
            return Err(wrong(&files.certificate, "there is no certificate in it".into()));
        }
        let private = PrivateKeyDer::from_pem_slice(&key).map_err(|error| wrong(&files.key, error.to_string()))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| wrong(&files.certificate, error.to_string()))?
            .with_no_client_auth()
            .with_single_cert(chain, private)
            .map_err(|error| wrong(&files.key, error.to_string()))?;
        // Clients that begin with TLS at once (sslnegotiation=direct) have to name the protocol.
        config.alpn_protocols = vec![b"postgresql".to_vec()];
        Ok(Self { acceptor: TlsAcceptor::from(Arc::new(config)), certificate, key })
    }
}

fn read(path: &Path, option: &str) -> Result<Vec<u8>, ServeError> {
    std::fs::read(path).map_err(|error| {
        ServeError::refused(format!("{} cannot be read: {error}", path.display()), format!("correct {option}"))
    })
}
