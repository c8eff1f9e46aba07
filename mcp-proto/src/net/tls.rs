//! TLS for clients: rustls with ring, and the certificates that the system trusts.

use alloc::borrow::ToOwned;
use alloc::sync::Arc;
use core::pin::Pin;
use core::task::{Context, Poll};
use std::io;

use futures_io::{AsyncRead, AsyncWrite};
use futures_rustls::TlsConnector;
use futures_rustls::client::TlsStream;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};

use super::connect_error::ConnectError;
use super::halves::{Input, Output};
use super::stream::Stream;

/// Trusts whom the system trusts. Reads files.
pub(crate) fn client_config() -> io::Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let why = "no certificate of an authority was found on this system";
        return Err(io::Error::new(io::ErrorKind::NotFound, why));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// Speaks TLS with `host`, whose certificate must bear that name or address. What both have agreed to speak inside is
/// returned too, if they did.
pub(crate) async fn connect(
    config: Arc<ClientConfig>,
    host: &str,
    stream: Stream,
) -> Result<(Stream, Option<Protocol>), ConnectError> {
    let name = ServerName::try_from(host.to_owned())
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
    let stream = TlsConnector::from(config).connect(name, stream).await.map_err(refused)?;
    let protocol = stream.get_ref().1.alpn_protocol().map(<[u8]>::to_vec);
    Ok((Stream::of(Tls(stream)), protocol))
}

/// Why there is no TLS.
fn refused(error: io::Error) -> ConnectError {
    match error.get_ref().and_then(|inner| inner.downcast_ref()) {
        Some(rustls::Error::InvalidMessage(_)) => ConnectError::NoTls(error),
        Some(rustls::Error::InvalidCertificate(_)) => ConnectError::Certificate(error),
        // Many a server without TLS leaves without a word; one with it says what is wrong.
        None if error.kind() == io::ErrorKind::UnexpectedEof => ConnectError::NoTls(error),
        _ => ConnectError::Io(error),
    }
}

/// A protocol, as ALPN names it.
pub(crate) type Protocol = alloc::vec::Vec<u8>;

/// A stream inside TLS.
struct Tls(TlsStream<Stream>);

impl Tls {
    fn inner(&mut self) -> Pin<&mut TlsStream<Stream>> {
        Pin::new(&mut self.0)
    }
}

impl Input for Tls {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        self.inner().poll_read(cx, buf)
    }
}

impl Output for Tls {
    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.inner().poll_write(cx, buf)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner().poll_flush(cx)
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner().poll_close(cx)
    }
}
