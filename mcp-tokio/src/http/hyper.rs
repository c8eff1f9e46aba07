//! hyper as the library that a client sends with.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::LOCATION;
use hyper::{Method, Request, Response, StatusCode, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::{self, connect::HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use mcp_proto::driver::http::HttpClient;
use rustls::{ClientConfig, RootCertStore};

use crate::tls;

/// hyper with a pool of connections, over TLS by rustls where the URL says so. Redirects are followed within the
/// origin, five at most.
#[derive(Clone)]
pub(super) struct Hyper {
    pool: legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

/// Redirects that are followed. Stops a server that sends its clients round and round.
const MAX_REDIRECTS: usize = 5;

impl Hyper {
    /// For a server at `url`. Certificates are read only where TLS is spoken.
    ///
    /// # Errors
    ///
    /// If the system trusts nobody.
    pub(super) fn new(url: &Uri, is_http2: bool) -> io::Result<Self> {
        let tls = match url.scheme_str() {
            Some("https") => tls::client_config()?,
            // Nobody is asked for a certificate.
            _ => tls::trusting(RootCertStore::empty())?,
        };
        Ok(Self::with(tls, is_http2))
    }

    /// With TLS as it is given, and with HTTP/2 alone if the server speaks that without TLS and without being asked.
    pub(super) fn with(tls: Arc<ClientConfig>, is_http2: bool) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(Arc::unwrap_or_clone(tls))
            .https_or_http()
            .enable_all_versions()
            .wrap_connector(tcp);
        let mut builder = legacy::Client::builder(TokioExecutor::new());
        builder.timer(TokioTimer::new()).pool_timer(TokioTimer::new()).http2_only(is_http2);
        Self { pool: builder.build(connector) }
    }
}

impl HttpClient for Hyper {
    type Body = Incoming;
    type Error = Failure;
    type Sending = Pin<Box<dyn Future<Output = Result<Response<Incoming>, Failure>> + Send>>;

    fn send(&mut self, request: Request<Bytes>) -> Self::Sending {
        let pool = self.pool.clone();
        Box::pin(async move {
            let mut request = request.map(Full::new);
            for _ in 0..MAX_REDIRECTS {
                let again = request.clone();
                let response = pool.request(request).await.map_err(Failure)?;
                match redirected(again, &response) {
                    Some(next) => request = next,
                    None => return Ok(response),
                }
            }
            pool.request(request).await.map_err(Failure)
        })
    }
}

/// The same request to where a response sends it, if that is of the same origin and the method stays.
fn redirected(
    mut request: Request<Full<Bytes>>,
    response: &Response<Incoming>,
) -> Option<Request<Full<Bytes>>> {
    let keeps_method = [StatusCode::TEMPORARY_REDIRECT, StatusCode::PERMANENT_REDIRECT]
        .contains(&response.status());
    let is_plain_get = request.method() == Method::GET
        && [StatusCode::MOVED_PERMANENTLY, StatusCode::FOUND].contains(&response.status());
    if !keeps_method && !is_plain_get {
        return None;
    }
    let place: Uri = response.headers().get(LOCATION)?.to_str().ok()?.parse().ok()?;
    let mut parts = request.uri().clone().into_parts();
    let same = |a: Option<&str>, b: Option<&str>| a.is_none() || a == b;
    let here = request.uri();
    let is_same = same(place.scheme_str(), here.scheme_str())
        && same(place.authority().map(|at| at.as_str()), here.authority().map(|at| at.as_str()));
    if !is_same || !place.path().starts_with('/') {
        return None;
    }
    parts.path_and_query = place.path_and_query().cloned();
    *request.uri_mut() = Uri::from_parts(parts).ok()?;
    Some(request)
}

/// Why a server was not reached.
pub(super) struct Failure(legacy::Error);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The innermost cause says most.
        let mut cause: &dyn std::error::Error = &self.0;
        while let Some(inner) = cause.source() {
            cause = inner;
        }
        write!(f, "{cause}")
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Hyper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hyper").finish_non_exhaustive()
    }
}
