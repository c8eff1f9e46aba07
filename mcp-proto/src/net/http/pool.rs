//! Connections to one server, kept for the next request.
//!
//! hyper-util's pool is for many servers, and brings Tokio's sockets with it.

use alloc::boxed::Box;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;
use std::error::Error;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use ::hyper::body::Incoming;
use ::hyper::client::conn::{TrySendError, http1, http2};
use ::hyper::header::{HOST, HeaderValue};
use ::hyper::http::uri::{Authority, Parts, Scheme};
use ::hyper::{Request, Response, Uri};
use bytes::Bytes;
use http_body_util::Full;

use super::io::Io;
use super::rt::{Clock, Executor};
use crate::net::platform::{Dial, Platform};
use crate::net::signal::Signal;
use crate::net::target::Server;
use crate::net::timing::{sleep, unless};

/// How long a connection may be unused: at least this, at most twice as long.
const IDLE: Duration = Duration::from_secs(45);

/// What is sent.
type Body = Full<Bytes>;

/// The connections to one server. Dropping it closes those that are not used.
pub(super) struct Pool {
    server: Server,
    scheme: Option<Scheme>,
    authority: Option<Authority>,
    host: Option<HeaderValue>,
    /// Whether the server speaks HTTP/2 without being asked.
    is_http2: bool,
    platform: Arc<dyn Dial>,
    connections: Mutex<Connections>,
    end: Signal,
}

#[derive(Default)]
struct Connections {
    /// Of HTTP/1.1, where one request has a connection for itself.
    single: Vec<Single>,
    /// Of HTTP/2, where all share one.
    shared: Option<http2::SendRequest<Body>>,
    /// Whether somebody looks after those that are not used.
    is_swept: bool,
}

struct Single {
    sender: http1::SendRequest<Body>,
    /// It was not used when that was looked at last.
    is_idle: bool,
}

/// A connection, for one request.
enum Sender {
    Single(http1::SendRequest<Body>),
    Shared(http2::SendRequest<Body>),
}

impl Pool {
    /// Of the server at `url`.
    pub(super) fn new(
        url: &Uri,
        mut server: Server,
        is_http2: bool,
        platform: Arc<dyn Dial>,
    ) -> Arc<Self> {
        server.offer(if is_http2 { &[b"h2"] } else { &[b"h2", b"http/1.1"] });
        Arc::new(Self {
            server,
            scheme: url.scheme().cloned(),
            authority: url.authority().cloned(),
            host: host(url),
            is_http2,
            platform,
            connections: Mutex::default(),
            end: Signal::default(),
        })
    }

    /// Sends a request to the server, whatever authority its URI names.
    pub(super) async fn request(
        self: &Arc<Self>,
        mut request: Request<Body>,
    ) -> Result<Response<Incoming>, Failure> {
        // Each that fails is gone, so in the end a new one is tried.
        while let Some(sender) = self.used() {
            match self.send(sender, request).await {
                Ok(response) => return Ok(response),
                // The server closed it before a word was said.
                Err(mut error) => match error.take_message() {
                    Some(unsent) => request = unsent,
                    None => return Err(error.into_error().into()),
                },
            }
        }
        let sender = self.connect().await?;
        self.send(sender, request).await.map_err(|error| error.into_error().into())
    }

    /// A connection that nobody else uses, or that many may use.
    fn used(&self) -> Option<Sender> {
        let mut connections = self.lock();
        if let Some(shared) = &connections.shared {
            if !shared.is_closed() {
                return Some(Sender::Shared(shared.clone()));
            }
            connections.shared = None;
        }
        connections.single.retain(|single| !single.sender.is_closed());
        // The last that was used is the likeliest to be still there.
        let at = connections.single.iter().rposition(|single| single.sender.is_ready())?;
        Some(Sender::Single(connections.single.remove(at).sender))
    }

    async fn connect(&self) -> Result<Sender, Failure> {
        let (stream, protocol) = self.server.reach(&*self.platform).await?;
        let io = Io(stream);
        let platform: Arc<dyn Platform> = self.platform.clone();
        if self.is_http2 || protocol.is_some_and(|protocol| protocol == b"h2") {
            let mut builder = http2::Builder::new(Executor(platform.clone()));
            builder.timer(Clock::new(platform.clone()));
            let (sender, connection) = builder.handshake(io).await?;
            platform.spawn(Box::pin(async { drop(connection.await) }));
            self.lock().shared = Some(sender.clone());
            return Ok(Sender::Shared(sender));
        }
        let (sender, connection) = http1::handshake(io).await?;
        platform.spawn(Box::pin(async { drop(connection.await) }));
        Ok(Sender::Single(sender))
    }

    async fn send(
        self: &Arc<Self>,
        sender: Sender,
        mut request: Request<Body>,
    ) -> Result<Response<Incoming>, TrySendError<Request<Body>>> {
        let path = request.uri().path_and_query().cloned();
        match sender {
            Sender::Single(mut sender) => {
                *request.uri_mut() = path.map_or_else(Uri::default, Uri::from);
                if let Some(host) = &self.host {
                    request.headers_mut().insert(HOST, host.clone());
                }
                let response = sender.try_send_request(request).await?;
                self.keep(sender);
                Ok(response)
            }
            Sender::Shared(mut sender) => {
                request.headers_mut().remove(HOST);
                let mut parts = Parts::default();
                parts.scheme = self.scheme.clone();
                parts.authority = self.authority.clone();
                parts.path_and_query = path;
                *request.uri_mut() = Uri::from_parts(parts).unwrap_or_default();
                sender.try_send_request(request).await
            }
        }
    }

    /// Keeps a connection for the next: it is used while the body of its response comes.
    fn keep(self: &Arc<Self>, sender: http1::SendRequest<Body>) {
        let mut connections = self.lock();
        connections.single.push(Single { sender, is_idle: false });
        if !core::mem::replace(&mut connections.is_swept, true) {
            let (pool, platform) = (Arc::downgrade(self), self.platform.clone());
            let ended = self.end.raised();
            self.platform.spawn(Box::pin(async {
                let _ = unless(ended, sweep(pool, platform)).await;
            }));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Connections> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.end.raise();
    }
}

/// Closes connections that nobody has used for long, until none is left.
async fn sweep(pool: Weak<Pool>, platform: Arc<dyn Dial>) {
    loop {
        sleep(IDLE, &*platform).await;
        let Some(pool) = pool.upgrade() else { return };
        let mut connections = pool.lock();
        connections.single.retain_mut(|Single { sender, is_idle }| {
            let was_idle = core::mem::replace(is_idle, sender.is_ready());
            !(sender.is_closed() || was_idle && *is_idle)
        });
        if connections.single.is_empty() {
            connections.is_swept = false;
            return;
        }
    }
}

/// What the server is called in requests of HTTP/1.1: without the port that its scheme has anyway.
fn host(url: &Uri) -> Option<HeaderValue> {
    let authority = url.authority()?;
    let usual = if url.scheme() == Some(&Scheme::HTTPS) { 443 } else { 80 };
    let host = match authority.port_u16() {
        Some(port) if port != usual => authority.as_str(),
        _ => authority.host(),
    };
    HeaderValue::from_str(host).ok()
}

/// Why there is no response.
#[derive(Debug)]
pub(super) enum Failure {
    Io(io::Error),
    Http(::hyper::Error),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<::hyper::Error> for Failure {
    fn from(error: ::hyper::Error) -> Self {
        Self::Http(error)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut cause: &dyn Error = match self {
            Self::Io(error) => error,
            Self::Http(error) => error,
        };
        // The innermost cause says most.
        while let Some(inner) = cause.source() {
            cause = inner;
        }
        write!(f, "{cause}")
    }
}
