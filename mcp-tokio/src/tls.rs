//! TLS for clients: rustls with ring, and the certificates that the system trusts.

use std::io;
use std::sync::Arc;

#[cfg(feature = "ws")]
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
#[cfg(feature = "ws")]
use tokio::io::{AsyncRead, AsyncWrite};
#[cfg(feature = "ws")]
use tokio_rustls::TlsConnector;
#[cfg(feature = "ws")]
use tokio_rustls::client::TlsStream;

/// Trusts whom the system trusts. Reads files.
pub(crate) fn client_config() -> io::Result<Arc<ClientConfig>> {
    trusting(system_roots()?)
}

fn system_roots() -> io::Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let why = "no certificate of an authority was found on this system";
        return Err(io::Error::new(io::ErrorKind::NotFound, why));
    }
    Ok(roots)
}

/// Trusts these.
pub(crate) fn trusting(roots: RootCertStore) -> io::Result<Arc<ClientConfig>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// Speaks TLS with `host`, whose certificate must bear that name or address.
#[cfg(feature = "ws")]
pub(crate) async fn connect<S: AsyncRead + AsyncWrite + Unpin>(
    config: Arc<ClientConfig>,
    host: &str,
    stream: S,
) -> io::Result<TlsStream<S>> {
    let name = ServerName::try_from(host.to_owned())
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
    TlsConnector::from(config).connect(name, stream).await
}
