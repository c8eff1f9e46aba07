//! Connections to one server, kept for the next request.
//!
//! hyper-util's pool is for many servers, and brings Tokio's sockets with it.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::fmt;
use core::future::{Future, poll_fn};
use core::pin::Pin;
use core::time::Duration;
use std::error::Error;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use ::hyper::client::conn::{TrySendError, http1, http2};
use ::hyper::header::{HOST, HeaderValue};
use ::hyper::http::uri::{Authority, Parts, Scheme};
use ::hyper::{Request, Response, Uri};
use bytes::Bytes;
use http_body_util::Full;

use super::io::Io;
use super::places::{Place, Places, Received};
use super::rt::{Clock, Executor};
use crate::net::Stream;
use crate::net::connect_error::ConnectError;
use crate::net::platform::{Dial, Platform};
use crate::net::signal::{Raised, Signal};
use crate::net::target::Server;
use crate::net::timing::{sleep, unless, within};

/// How long a connection may be unused: at least this, at most twice as long.
const IDLE: Duration = Duration::from_secs(25);

/// How long it may take to reach the server, TLS included. Stops one that takes connections and says nothing from holding back
/// every request behind the one that waits for it.
const OPENING: Duration = Duration::from_secs(30);

/// When a server of HTTP/2 from which nothing comes is asked whether it is still there.
const PING_AFTER: Duration = Duration::from_secs(30);

/// How long it may take to answer that; then the connection is broken, and all that it carries.
const PING_TIMEOUT: Duration = Duration::from_secs(20);

/// Bytes of one response of HTTP/2 that the server may send before they are read: many reports, or a large result within
/// few round trips.
const STREAM_WINDOW: u32 = 512 << 10;

/// The same of all responses on a connection. So many listeners that stand still hold back nobody else on it.
const CONNECTION_WINDOW: u32 = 64 * STREAM_WINDOW;

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
    /// Why the last request failed, if nobody has asked yet.
    trouble: Mutex<Option<ConnectError>>,
    end: Signal,
}

#[derive(Default)]
struct Connections {
    /// Of HTTP/1.1, where one request has a connection for itself.
    single: Vec<Kept<http1::SendRequest<Body>>>,
    /// Of HTTP/2, where many share one: another is made where all are full. It carries the answers that calls may wait for.
    shared: Vec<Shared>,
    /// One of HTTP/2 is being made: raised when that is over.
    making: Option<Signal>,
    /// How many could not be made. Who has waited for one of these tries for itself.
    failed: usize,
    /// Whether somebody looks after those that are not used.
    is_swept: bool,
}

struct Kept<S> {
    sender: S,
    /// It was not used when that was looked at last, or since then.
    is_idle: bool,
}

impl<S> Kept<S> {
    fn new(sender: S) -> Self {
        Self { sender, is_idle: false }
    }
}

/// One that many use.
struct Shared {
    kept: Kept<http2::SendRequest<Body>>,
    places: Arc<Places>,
    /// It knows what the server allows. Only the task that drives it owns it: what has ended is closed when it is dropped.
    connection: Weak<Mutex<Connection>>,
}

type Connection = http2::Connection<Io<Stream>, Body, Executor>;

/// A connection, for one request.
enum Sender {
    Single(http1::SendRequest<Body>),
    Shared(http2::SendRequest<Body>, Place),
}

impl Shared {
    /// A place on it, if it has one.
    fn take(&mut self) -> Option<Sender> {
        // It may say another number at any time.
        let connection = self.connection.upgrade()?;
        self.places.limit(locked(&connection).current_max_send_streams());
        let place = Places::take(&self.places)?;
        self.kept.is_idle = false;
        Some(Sender::Shared(self.kept.sender.clone(), place))
    }
}

/// A connection of HTTP/2 is being made, until this is dropped.
struct Making<'a> {
    pool: &'a Pool,
    has_failed: bool,
}

impl Drop for Making<'_> {
    fn drop(&mut self) {
        let mut connections = self.pool.lock();
        connections.failed = connections.failed.wrapping_add(usize::from(self.has_failed));
        let making = connections.making.take();
        drop(connections);
        if let Some(over) = making {
            over.raise();
        }
    }
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
            trouble: Mutex::default(),
            end: Signal::default(),
        })
    }

    /// Why the last request failed, once.
    pub(super) fn take_trouble(&self) -> Option<ConnectError> {
        locked(&self.trouble).take()
    }

    /// Sends a request to the server, whatever authority its URI names.
    pub(super) async fn request(
        self: &Arc<Self>,
        request: Request<Body>,
    ) -> Result<Response<Received>, Failure> {
        let (answered, trouble) = match self.try_request(request).await {
            Ok(response) => (Ok(response), None),
            Err(error) => (Err(Failure::of(&error)), Some(error)),
        };
        *locked(&self.trouble) = trouble;
        answered
    }

    async fn try_request(
        self: &Arc<Self>,
        mut request: Request<Body>,
    ) -> Result<Response<Received>, ConnectError> {
        let failed = self.lock().failed;
        let mut making = loop {
            // Each that fails is gone, so in the end a new one is tried.
            while let Some(sender) = self.used() {
                match self.send(sender, request).await {
                    Ok(response) => return Ok(response),
                    // The server closed it before a word was said.
                    Err(mut error) => match error.take_message() {
                        Some(unsent) => request = unsent,
                        None => return Err(refused(&error.into_error())),
                    },
                }
            }
            match self.make() {
                Ok(making) => break making,
                // Where one could not be made, each tries for itself.
                Err(_) if self.lock().failed != failed => break None,
                Err(over) => over.await,
            }
        };
        let connected = self.connect().await;
        if let Some(making) = &mut making {
            making.has_failed = connected.is_err();
        }
        drop(making);
        let sender = connected?;
        self.send(sender, request).await.map_err(|error| refused(&error.into_error()))
    }

    /// A connection that nobody else uses, or that many may use.
    fn used(&self) -> Option<Sender> {
        let mut connections = self.lock();
        connections.shared.retain(|shared| !shared.kept.sender.is_closed());
        if let Some(sender) = connections.shared.iter_mut().find_map(Shared::take) {
            return Some(sender);
        }
        connections.single.retain(|single| !single.sender.is_closed());
        // The last that was used is the likeliest to be still there.
        let at = connections.single.iter().rposition(|single| single.sender.is_ready())?;
        Some(Sender::Single(connections.single.remove(at).sender))
    }

    /// Says that a connection is being made, if that is one for many; or else when the one that is being made is there.
    fn make(&self) -> Result<Option<Making<'_>>, Raised> {
        let mut connections = self.lock();
        if !self.is_http2 && connections.shared.is_empty() {
            return Ok(None);
        }
        if let Some(making) = &connections.making {
            return Err(making.raised());
        }
        connections.making = Some(Signal::default());
        Ok(Some(Making { pool: self, has_failed: false }))
    }

    async fn connect(self: &Arc<Self>) -> Result<Sender, ConnectError> {
        let reached = within(OPENING, self.server.reach(&*self.platform), &*self.platform).await;
        let too_late = || Err(ConnectError::Io(io::ErrorKind::TimedOut.into()));
        let (stream, protocol) = reached.unwrap_or_else(too_late)?;
        let io = Io(stream);
        let platform: Arc<dyn Platform> = self.platform.clone();
        if self.is_http2 || protocol.is_some_and(|protocol| protocol == b"h2") {
            let mut builder = http2::Builder::new(Executor(platform.clone()));
            builder
                .timer(Clock::new(platform.clone()))
                .initial_stream_window_size(STREAM_WINDOW)
                .initial_connection_window_size(CONNECTION_WINDOW)
                .keep_alive_interval(PING_AFTER)
                .keep_alive_timeout(PING_TIMEOUT)
                // So that the next request does not go into one that is dead.
                .keep_alive_while_idle(true);
            let (sender, connection) =
                builder.handshake(io).await.map_err(|error| refused(&error))?;
            let driven = Arc::new(Mutex::new(connection));
            let connection = Arc::downgrade(&driven);
            platform.spawn(Box::pin(poll_fn(move |cx| {
                Pin::new(&mut *locked(&driven)).poll(cx).map(drop)
            })));
            let places = Arc::<Places>::default();
            let place = Places::first(&places);
            let kept = Kept::new(sender.clone());
            let mut connections = self.lock();
            connections.shared.push(Shared { kept, places, connection });
            self.look_after(&mut connections);
            drop(connections);
            return Ok(Sender::Shared(sender, place));
        }
        let (sender, connection) = http1::handshake(io).await.map_err(|error| refused(&error))?;
        platform.spawn(Box::pin(async { drop(connection.await) }));
        Ok(Sender::Single(sender))
    }

    async fn send(
        self: &Arc<Self>,
        sender: Sender,
        mut request: Request<Body>,
    ) -> Result<Response<Received>, TrySendError<Request<Body>>> {
        let path = request.uri().path_and_query().cloned();
        match sender {
            Sender::Single(mut sender) => {
                *request.uri_mut() = path.map_or_else(Uri::default, Uri::from);
                if let Some(host) = &self.host {
                    request.headers_mut().insert(HOST, host.clone());
                }
                let response = sender.try_send_request(request).await?;
                self.keep(sender);
                Ok(response.map(|body| Received::new(body, None)))
            }
            Sender::Shared(mut sender, place) => {
                request.headers_mut().remove(HOST);
                let mut parts = Parts::default();
                parts.scheme = self.scheme.clone();
                parts.authority = self.authority.clone();
                parts.path_and_query = path;
                *request.uri_mut() = Uri::from_parts(parts).unwrap_or_default();
                let response = sender.try_send_request(request).await?;
                Ok(response.map(|body| Received::new(body, Some(place))))
            }
        }
    }

    /// Keeps a connection for the next: it is used while the body of its response comes.
    fn keep(self: &Arc<Self>, sender: http1::SendRequest<Body>) {
        let mut connections = self.lock();
        connections.single.push(Kept::new(sender));
        self.look_after(&mut connections);
    }

    /// Sees to it that connections are closed that nobody uses.
    fn look_after(self: &Arc<Self>, connections: &mut Connections) {
        if !core::mem::replace(&mut connections.is_swept, true) {
            let (pool, platform) = (Arc::downgrade(self), self.platform.clone());
            let ended = self.end.raised();
            self.platform.spawn(Box::pin(async {
                let _ = unless(ended, sweep(pool, platform)).await;
            }));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Connections> {
        locked(&self.connections)
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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
        connections.single.retain_mut(|Kept { sender, is_idle }| {
            let was_idle = core::mem::replace(is_idle, sender.is_ready());
            !(sender.is_closed() || was_idle && *is_idle)
        });
        // Responses that still come on it end as they would; the next request has a connection of its own.
        connections.shared.retain_mut(|Shared { kept, .. }| {
            let was_idle = core::mem::replace(&mut kept.is_idle, true);
            !(kept.sender.is_closed() || was_idle)
        });
        if connections.single.is_empty() && connections.shared.is_empty() {
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

/// Why there is no response, or no more of it, in words. The error itself, if there is no response, is the [trouble](super::Hyper::take_trouble).
#[derive(Debug)]
pub struct Failure(String);

impl Failure {
    pub(super) fn of(error: &ConnectError) -> Self {
        Self(match error {
            // That there is no connection is said by whoever tells of it.
            ConnectError::Io(error) => error.to_string(),
            other => other.to_string(),
        })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for Failure {}

/// What hyper's error comes to.
pub(super) fn refused(error: &::hyper::Error) -> ConnectError {
    let mut cause: &dyn Error = error;
    // The innermost cause says most.
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    let system = cause.downcast_ref::<io::Error>().and_then(io::Error::raw_os_error);
    match system {
        // It speaks HTTP, and says too much.
        _ if error.is_parse_too_large() => {
            let what = "the head of the response is too long";
            ConnectError::Io(io::Error::new(io::ErrorKind::InvalidData, what))
        }
        _ if error.is_parse() => ConnectError::NoHttp(cause.to_string()),
        Some(code) => ConnectError::Io(io::Error::from_raw_os_error(code)),
        None => ConnectError::Io(io::Error::other(cause.to_string())),
    }
}
