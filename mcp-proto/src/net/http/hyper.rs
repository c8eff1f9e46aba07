//! hyper as the library that a client sends with.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::fmt;
use core::future::Future;
use core::pin::Pin;

use ::hyper::header::LOCATION;
use ::hyper::{Method, Request, Response, StatusCode, Uri};
use bytes::Bytes;
use http_body_util::Full;

pub use super::places::Received;
pub use super::pool::Failure;
use super::pool::Pool;
use crate::driver::http::HttpClient;
use crate::net::target::Server;
use crate::net::{ConnectError, Dial};

/// hyper with a pool of connections to one server, which clones share. Redirects are followed within the origin, five at
/// most. Made by [`Connector::reach`](super::Connector::reach).
#[derive(Clone)]
pub struct Hyper {
    pool: Arc<Pool>,
}

/// Redirects that are followed. Stops a server that sends its clients round and round.
const MAX_REDIRECTS: usize = 5;

impl Hyper {
    /// For the server at `url`; with HTTP/2 alone if it speaks that without TLS and without being asked.
    pub(super) fn new(url: &Uri, server: Server, is_http2: bool, platform: Arc<dyn Dial>) -> Self {
        Self { pool: Pool::new(url, server, is_http2, platform) }
    }

    /// Why its last request had no response, once; none if it had one.
    pub fn take_trouble(&self) -> Option<ConnectError> {
        self.pool.take_trouble()
    }
}

impl HttpClient for Hyper {
    type Body = Received;
    type Error = Failure;
    type Sending = Pin<Box<dyn Future<Output = Result<Response<Received>, Failure>> + Send>>;

    fn send(&mut self, request: Request<Bytes>) -> Self::Sending {
        let pool = self.pool.clone();
        Box::pin(async move {
            let mut request = request.map(Full::new);
            for _ in 0..MAX_REDIRECTS {
                let again = request.clone();
                let response = pool.request(request).await?;
                match redirected(again, &response) {
                    Some(next) => request = next,
                    None => return Ok(response),
                }
            }
            pool.request(request).await
        })
    }
}

/// The same request to where a response sends it, if that is of the same origin and the method stays.
fn redirected(
    mut request: Request<Full<Bytes>>,
    response: &Response<Received>,
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

impl fmt::Debug for Hyper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hyper").finish_non_exhaustive()
    }
}
