//! Serving HTTP on a socket, until it is to stop.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::pin;
use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use mcp_proto::ServerConfig;
use mcp_proto::driver::Server;
use mcp_proto::driver::http::{self, Responding, Service};
use mcp_proto::http::ServerOptions;
use mcp_proto::router::Router;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::connection::Prompt;
use crate::io::Clock;
use crate::listen::accept_from;
use crate::run::run_handlers;

/// Serves a router's tools to whoever connects, until `until` is ready: HTTP/1.1 and HTTP/2, without TLS. See
/// [`HttpServer`] for what else can be set.
///
/// # Errors
///
/// As [`HttpServer::run`].
pub async fn serve(
    listener: TcpListener,
    router: Router,
    options: ServerOptions,
    until: impl Future<Output = ()>,
) -> io::Result<()> {
    HttpServer::new(listener).options(options).run(router, until).await
}

/// A server on HTTP without a socket, to be nested into a router of axum or into any other server. Requests are to be
/// [accepted](Server::accept); its time moves in a task of its own.
///
/// ```
/// use mcp_tokio::http::ServerOptions;
/// use mcp_tokio::{CallToolResult, ServerConfig};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let config = ServerConfig::new("greeter", "1.0");
/// let (mut server, service) = mcp_tokio::http::service(config, ServerOptions::default());
/// tokio::spawn(async move {
///     while let Some(request) = server.accept().await {
///         let _ = request.respond(&CallToolResult::text("hello"));
///     }
/// });
/// // axum::Router::new().route_service("/mcp", service)
/// # drop(service);
/// # }
/// ```
pub fn service(config: ServerConfig, options: ServerOptions) -> (Server, Service) {
    let (server, service, driver) = http::serve(config, options, Clock::new());
    tokio::spawn(driver);
    (server, service)
}

/// A socket on which HTTP is served: [`run`](Self::run) it.
#[must_use = "nobody is accepted before it runs"]
pub struct HttpServer {
    listener: TcpListener,
    options: ServerOptions,
    max_connections: usize,
    grace: Duration,
}

/// A connection costs some ten kilobytes and a descriptor.
const MAX_CONNECTIONS: usize = 1024;

/// How long requests under way may take once the server is to stop.
const GRACE: Duration = Duration::from_secs(10);

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
    /// Serves on a socket.
    pub fn new(listener: TcpListener) -> Self {
        let options = ServerOptions::default();
        Self { listener, options, max_connections: MAX_CONNECTIONS, grace: GRACE }
    }

    /// Sets what is allowed, and how much.
    pub fn options(mut self, options: ServerOptions) -> Self {
        self.options = options;
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

    /// Serves a router's tools until `until` is ready. Then nobody is accepted any more and no request either;
    /// those under way are finished, or end with their streams once the [grace](Self::grace) is over. Dropping it
    /// ends them at once.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) if a tool's schema says `x-mcp-header` where it must not, or if
    /// others reach the socket and the server knows no name to be reached by, see [`Access::host`](super::Access::host).
    pub async fn run(self, router: Router, until: impl Future<Output = ()>) -> io::Result<()> {
        let Self { listener, options, max_connections, grace } = self;
        if !options.access.fits(listener.local_addr()?.ip()) {
            let why = "this server knows no name to be reached by; see `Access::host`";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        }
        let bad = |error| io::Error::new(io::ErrorKind::InvalidInput, error);
        let options = router.mirror(options).map_err(bad)?;
        let stall_timeout = options.stall_timeout;
        let (server, service, driver) = http::serve(router.config(), options, Clock::new());
        let mut inner = JoinSet::new();
        inner.spawn(async { drop(driver.await) });
        inner.spawn(async { drop(run_handlers(router, server).await) });
        let limits = Limits { max_connections, stall_timeout, grace };
        connections(listener, &service, limits, until).await;
        service.close();
        while inner.join_next().await.is_some() {}
        Ok(())
    }
}

/// What connections may take.
struct Limits {
    max_connections: usize,
    stall_timeout: Duration,
    grace: Duration,
}

/// Accepts connections until `until` is ready, and sees them end.
async fn connections(
    listener: TcpListener,
    service: &Service,
    Limits { max_connections, stall_timeout, grace }: Limits,
    until: impl Future<Output = ()>,
) {
    let (stopping, stopped) = watch::channel(false);
    let mut connections = JoinSet::new();
    let protocol = protocol();
    let mut until = pin!(until);
    loop {
        let is_full = connections.len() >= max_connections;
        tokio::select! {
            biased;
            () = &mut until => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            stream = accept_from(|cx| listener.poll_accept(cx)), if !is_full => {
                let (stream, _) = stream;
                // It fails only if the peer is gone already, which reading shows too.
                let _ = stream.set_nodelay(true);
                let stream = Prompt::new(stream, stall_timeout);
                connections.spawn(connection(stream, service.clone(), protocol.clone(), stopped.clone()));
            }
        }
    }
    drop(listener);
    service.drain();
    let _ = stopping.send(true);
    let mut ended = pin!(async { while connections.join_next().await.is_some() {} });
    if tokio::time::timeout(grace, &mut ended).await.is_err() {
        service.close();
        let _ = tokio::time::timeout(LAST_WORDS, ended).await;
    }
}

fn protocol() -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).max_buf_size(MAX_READ);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .max_send_buf_size(MAX_SEND)
        .keep_alive_interval(PING_AFTER);
    builder
}

async fn connection(
    stream: Prompt<TcpStream>,
    service: Service,
    protocol: auto::Builder<TokioExecutor>,
    mut stopped: watch::Receiver<bool>,
) {
    let io = TokioIo::new(stream);
    let mut connection = pin!(protocol.serve_connection(io, Serves(service)));
    // How a connection ends concerns nobody else: its requests learn of it by themselves.
    tokio::select! {
        _ = &mut connection => return,
        _ = stopped.wait_for(|is_stopped| *is_stopped) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = connection.await;
}

/// The service as hyper calls it.
struct Serves(Service);

impl hyper::service::Service<Request<Incoming>> for Serves {
    type Response = hyper::Response<http::ResponseBody>;
    type Error = std::convert::Infallible;
    type Future = Responding<Incoming>;

    fn call(&self, request: Request<Incoming>) -> Responding<Incoming> {
        self.0.respond(request)
    }
}

impl fmt::Debug for HttpServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpServer")
            .field("listener", &self.listener)
            .field("options", &self.options)
            .field("max_connections", &self.max_connections)
            .field("grace", &self.grace)
            .finish()
    }
}
