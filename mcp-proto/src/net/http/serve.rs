//! Serving HTTP on a socket, until it is to stop.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::convert::Infallible;
use core::fmt;
use core::future::{Future, poll_fn};
use core::pin::{Pin, pin};
use core::task::{Context, Poll};
use core::time::Duration;
use std::io;
use std::net::SocketAddr;

use ::hyper::body::Incoming;
use ::hyper::{Request, Response, Version};
use hyper_util::server::conn::auto;

use super::connection::Prompt;
use super::idle::Usage;
use super::io::Io;
use super::rt::{Clock, Executor};
use super::using::{Using, UsingBody};
use crate::config::ServerConfig;
use crate::driver::Server;
use crate::driver::http::{self, Service};
#[cfg(doc)]
use crate::http::Access;
use crate::http::{BadAnnotation, Replay, Ring, ServerOptions};
use crate::net::listen::accept;
use crate::net::platform::drive;
use crate::net::run::run_handlers;
use crate::net::signal::{Raised, Signal};
use crate::net::tasks::Tasks;
use crate::net::timing::{unless, within};
use crate::net::{Accept, Platform};
use crate::router::Router;

/// A router's tools as a server on HTTP without a socket, to be nested into any other server. Each request runs in a task of
/// its own. It ends with the last clone of the service, once what is under way is finished.
///
/// # Errors
///
/// [`BadAnnotation`] if a tool's schema says `x-mcp-header` where it must not.
pub fn router_service(
    router: Router,
    options: ServerOptions,
    platform: impl Platform + Clone,
) -> Result<Service, BadAnnotation> {
    let options = router.mirror(options)?;
    let (server, service) = service(router.config(), options, platform.clone());
    let own = Arc::new(platform.clone());
    drive(&platform, async move { run_handlers(router, server, own).await });
    Ok(service)
}

/// A server on HTTP without a socket, to be nested into any other server. Requests are to be
/// [accepted](Server::accept); its time moves in a task of its own.
pub fn service(
    config: ServerConfig,
    options: ServerOptions,
    platform: impl Platform + Clone,
) -> (Server, Service) {
    service_with(config, options, Box::new(Ring::default()), platform)
}

/// As [`service`], and what was sent on streams is kept in this store.
pub fn service_with(
    config: ServerConfig,
    options: ServerOptions,
    replay: Box<dyn Replay>,
    platform: impl Platform + Clone,
) -> (Server, Service) {
    let (server, service, driver) = http::serve_with(config, options, replay, platform.clone());
    drive(&platform, driver);
    (server, service)
}

/// A socket on which HTTP is served: [`run`](Self::run) it. Made by an adapter's `http::server`.
#[must_use = "nobody is accepted before it runs"]
pub struct HttpServer {
    source: Box<dyn Accept>,
    local_addr: SocketAddr,
    platform: Arc<dyn Platform>,
    options: ServerOptions,
    /// A [`Ring`], if none is set.
    replay: Option<Box<dyn Replay>>,
    max_connections: usize,
    grace: Duration,
    idle_timeout: Duration,
}

/// A connection costs some ten kilobytes and a descriptor.
const MAX_CONNECTIONS: usize = 1024;

/// How long requests under way may take once the server is to stop.
const GRACE: Duration = Duration::from_secs(10);

/// How long a connection may be without a request under way.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// How long connections may take to write the ends of their responses after that.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Bytes that hyper reads ahead, and of a request's head at most. Stops giant heads.
const MAX_READ: usize = 64 << 10;

/// Requests at once on one connection of HTTP/2. Stops rapid openings.
const MAX_STREAMS: u32 = 256;

/// Bytes of HTTP/2 that wait to be written for one stream, before no more is asked of it.
const MAX_SEND: usize = 64 << 10;

/// When a connection of HTTP/2 on which nothing comes is asked whether it is still there.
const PING_AFTER: Duration = Duration::from_secs(30);

impl HttpServer {
    /// Serves the connections of `source`, a socket that listens on `local_addr`.
    pub fn new(
        source: impl Accept + 'static,
        local_addr: SocketAddr,
        platform: impl Platform,
    ) -> Self {
        Self {
            source: Box::new(source),
            local_addr,
            platform: Arc::new(platform),
            options: ServerOptions::default(),
            replay: None,
            max_connections: MAX_CONNECTIONS,
            grace: GRACE,
            idle_timeout: IDLE_TIMEOUT,
        }
    }

    /// The address that it listens on; its port is the one that the system has chosen for port 0.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Sets what is allowed, and how much.
    pub fn options(mut self, options: ServerOptions) -> Self {
        self.options = options;
        self
    }

    /// Sets where it is kept what was sent on streams, so that a client whose connection broke has it again. Default
    /// [`Ring::default`]; one of other bounds is a [`Ring::new`].
    pub fn replay(mut self, store: impl Replay + 'static) -> Self {
        self.replay = Some(Box::new(store));
        self
    }

    /// Sets how many connections there may be at once. Default 1,024, at least 1. More wait in the system's queue
    /// until one has ended. Stops a peer that opens connections without end.
    pub fn max_connections(mut self, max: usize) -> Self {
        self.max_connections = max.max(1);
        self
    }

    /// Sets how long requests under way may take once the server is to stop. Default 10 s.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Sets how long a connection may be without a request under way, or half as long again; then it is closed. Default
    /// 60 s. A request is one once its head is there, and until its response was taken. Stops peers that hold connections
    /// with nothing: silence, a head that never ends, or on HTTP/2 answers to pings.
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.idle_timeout = timeout;
        self
    }

    /// Serves a router's tools until `until` is ready. Then nobody is accepted any more and no request either;
    /// those under way are finished, or end with their streams once the [grace](Self::grace) is over. Dropping it
    /// ends them at once.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) if a tool's schema says `x-mcp-header` where it must not, or if
    /// others reach the socket and the server knows no name to be reached by, see [`Access::host`].
    pub async fn run(mut self, router: Router, until: impl Future<Output = ()>) -> io::Result<()> {
        if !self.options.access.fits(self.local_addr.ip()) {
            let why = "this server knows no name to be reached by; see `Access::host`";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        }
        let bad = |error| io::Error::new(io::ErrorKind::InvalidInput, error);
        let options = router.mirror(self.options.clone()).map_err(bad)?;
        let stall_timeout = options.stall_timeout;
        let platform = self.platform.clone();
        let replay = self.replay.take().unwrap_or_else(|| Box::new(Ring::default()));
        let (server, service, driver) =
            http::serve_with(router.config(), options, replay, platform.clone());
        let inner = Tasks::new(platform.clone());
        inner.spawn(async { drop(driver.await) });
        inner.spawn(async { drop(run_handlers(router, server, platform).await) });
        self.connections(&service, stall_timeout, until).await;
        service.close();
        inner.ended().await;
        Ok(())
    }

    /// Accepts connections until `until` is ready, and sees them end.
    async fn connections(
        self,
        service: &Service,
        stall_timeout: Duration,
        until: impl Future<Output = ()>,
    ) {
        let Self { source, platform, max_connections, grace, idle_timeout, .. } = self;
        let (stop, protocol) = (Signal::default(), protocol(&platform));
        let connections = Tasks::new(platform.clone());
        accept(source, &connections, max_connections, until, |stream| {
            let usage = Usage::default();
            let stream = Prompt::new(stream, usage.clone(), stall_timeout, platform.clone());
            let (served, stopped) = (Serves { service: service.clone(), usage }, stop.raised());
            let (protocol, platform) = (protocol.clone(), platform.clone());
            let limits = [idle_timeout, stall_timeout];
            connections.spawn(connection(stream, served, protocol, limits, stopped, platform));
        })
        .await;
        service.drain();
        stop.raise();
        if within(grace, connections.ended(), &*platform).await.is_none() {
            service.close();
            within(LAST_WORDS, connections.ended(), &*platform).await;
        }
    }
}

fn protocol(platform: &Arc<dyn Platform>) -> auto::Builder<Executor> {
    let mut builder = auto::Builder::new(Executor(platform.clone()));
    // The limit on idle connections is one on heads, too: hyper's would cost a timer for each request.
    builder.http1().header_read_timeout(None::<Duration>).max_buf_size(MAX_READ);
    builder
        .http2()
        .timer(Clock::new(platform.clone()))
        .max_concurrent_streams(MAX_STREAMS)
        .max_send_buf_size(MAX_SEND)
        .keep_alive_interval(PING_AFTER);
    builder
}

/// Serves a connection until it ends, is idle for too long, or is to stop.
async fn connection(
    stream: Prompt,
    served: Serves,
    protocol: auto::Builder<Executor>,
    [idle_timeout, stall_timeout]: [Duration; 2],
    mut stopped: Raised,
    platform: Arc<dyn Platform>,
) {
    let usage = served.usage.clone();
    let mut connection = pin!(protocol.serve_connection(Io(stream), served));
    let mut idle = pin!(usage.unused(idle_timeout, &*platform));
    // Most connections never need it.
    let mut stalled: Option<Pin<Box<dyn Future<Output = ()> + Send + '_>>> = None;
    // How a connection ends concerns nobody else: its requests learn of it by themselves.
    let mut poll_over = |connection: Pin<&mut _>, cx: &mut Context<'_>| {
        if Future::poll(connection, cx).is_ready() {
            return Poll::Ready(());
        }
        if !usage.is_shared() {
            return Poll::Pending;
        }
        let watch = || Box::pin(usage.stalled(stall_timeout, &*platform)) as _;
        stalled.get_or_insert_with(watch).as_mut().poll(cx)
    };
    let why = poll_fn(|cx| {
        if poll_over(connection.as_mut(), cx).is_ready() {
            return Poll::Ready(Why::Over);
        }
        if Pin::new(&mut stopped).poll(cx).is_ready() {
            return Poll::Ready(Why::Stopped);
        }
        idle.as_mut().poll(cx).map(|()| Why::Idle)
    })
    .await;
    if why == Why::Over {
        return;
    }
    connection.as_mut().graceful_shutdown();
    let over = poll_fn(|cx| poll_over(connection.as_mut(), cx));
    match why {
        // What came before its peer heard of that is answered.
        Why::Idle => drop(unless(usage.unused(LAST_WORDS, &*platform), over).await),
        _ => over.await,
    }
}

/// Why a connection is served no longer.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Why {
    /// It has ended, or its peer has taken nothing of a response for too long.
    Over,
    Stopped,
    Idle,
}

/// The service as hyper calls it.
struct Serves {
    service: Service,
    usage: Usage,
}

impl ::hyper::service::Service<Request<Incoming>> for Serves {
    type Response = Response<UsingBody>;
    type Error = Infallible;
    type Future = Using;

    fn call(&self, request: Request<Incoming>) -> Using {
        let is_shared = request.version() == Version::HTTP_2;
        let used = self.usage.begin(is_shared);
        Using::new(self.service.respond(request), used, is_shared)
    }
}

impl fmt::Debug for HttpServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpServer")
            .field("local_addr", &self.local_addr)
            .field("options", &self.options)
            .field("max_connections", &self.max_connections)
            .field("grace", &self.grace)
            .field("idle_timeout", &self.idle_timeout)
            .finish_non_exhaustive()
    }
}
