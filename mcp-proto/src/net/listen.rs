//! Serving whoever connects: each connection by itself, so many at once, until it is to stop.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::fmt;
use core::future::{Future, poll_fn, ready};
use core::pin::{Pin, pin};
use core::task::{Context, Poll, ready};
use core::time::Duration;
use std::io;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};

use super::guard::Accepted;
use super::platform::Platform;
use super::run::{run_handlers, serve};
use super::signal::Signal;
use super::stream::Stream;
use super::tasks::Tasks;
use super::timing::{Deadline, unless, within};
use crate::config::ServerConfig;
use crate::driver::{LINGER, Server};
use crate::router::Router;

/// Where connections come from: a socket that listens. Dropping it closes it.
pub trait Accept: Send {
    /// The next connection. One on TCP has `TCP_NODELAY`.
    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Stream>>;
}

/// A socket that listens: [`run`](Self::run) it. Made by an adapter's `tcp::listen`, `unix::listen` and `ws::listen`.
///
/// Connections do not know of each other: what one of them sends, and a handler that panics, ends that one at
/// most. Of those that carry lines, a connection whose first character does not begin a message is closed unread, so
/// that a web page which posts to a local port does not reach the tools; and one whose first line is not there within ten
/// seconds is closed. Afterwards a client may be silent for as long as it likes, and keeps its place.
#[must_use = "nobody is accepted before it runs"]
pub struct Listener {
    source: Box<dyn Accept>,
    local_addr: Option<SocketAddr>,
    platform: Arc<dyn Platform>,
    max_connections: usize,
    opener: Option<Box<Opener>>,
}

/// What makes a server of a connection that begins with a handshake of its own; until the server stops.
type Opener = dyn Fn(Stream, ServerConfig, Signal) -> Opening + Send + Sync;

/// `None`: the handshake has failed.
pub(crate) type Opening = Pin<Box<dyn Future<Output = Option<Server>> + Send>>;

/// A connection costs memory up to the limits of its engine, and a descriptor.
const MAX_CONNECTIONS: usize = 64;

/// How long a connection may take to end once its requests are drained and its last bytes given up. Stops a peer that talks
/// without end, or that takes its answers ever so slowly, from holding up a server that stops.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// How long accepting rests after it has failed, at first and at most.
const FIRST_REST: Duration = Duration::from_millis(5);
const LONGEST_REST: Duration = Duration::from_secs(1);

impl Listener {
    /// Connections of `source`, served on `platform`.
    pub fn new(
        source: impl Accept + 'static,
        local_addr: Option<SocketAddr>,
        platform: impl Platform,
    ) -> Self {
        Self {
            source: Box::new(source),
            local_addr,
            platform: Arc::new(platform),
            max_connections: MAX_CONNECTIONS,
            opener: None,
        }
    }

    /// Has each connection opened by this instead of reading lines from it.
    #[cfg(feature = "net-ws")]
    pub(crate) fn opened_by(
        mut self,
        opener: impl Fn(Stream, ServerConfig, Signal) -> Opening + Send + Sync + 'static,
    ) -> Self {
        self.opener = Some(Box::new(opener));
        self
    }

    /// Sets how many connections there may be at once. Default 64, at least 1. More wait in the system's
    /// queue until one has ended. Stops a peer that opens connections without end from taking all memory and
    /// descriptors.
    pub fn max_connections(mut self, max: usize) -> Self {
        self.max_connections = max.max(1);
        self
    }

    /// The TCP address that it listens on; its port is the one that the system has chosen for port 0.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.local_addr
    }

    /// Serves everyone who connects with a router's tools, until `until` is ready.
    ///
    /// Then nobody is accepted any more, requests that were accepted are answered within the
    /// [drain limit](ServerConfig::drain_timeout), and it is ready when every connection has ended. Six seconds after that limit
    /// those are dropped that have not. Dropping it ends them at once.
    pub async fn run(self, router: Router, until: impl Future<Output = ()>) {
        let (config, platform) = (router.config(), self.platform.clone());
        self.serve(config, until, move |server| {
            let connection = run_handlers(router.clone(), server, platform.clone());
            async move { drop(connection.await) }
        })
        .await;
    }

    /// As [`run`](Self::run), for requests that a program accepts by itself: `each` is called with each
    /// connection, and what it returns is run in a task of its own. The connection ends with it.
    pub async fn serve<F>(
        self,
        config: ServerConfig,
        until: impl Future<Output = ()>,
        each: impl FnMut(Server) -> F + Send + 'static,
    ) where
        F: Future<Output = ()> + Send + 'static,
    {
        let Self { source, platform, max_connections, opener, .. } = self;
        let (stop, each) = (Signal::default(), Arc::new(Mutex::new(each)));
        let limit = config.drain_timeout.saturating_add(LINGER + LAST_WORDS);
        let connections = Tasks::new(platform.clone());
        accept(source, &connections, max_connections, until, |stream| {
            let opening = match &opener {
                Some(open) => open(stream, config.clone(), stop.clone()),
                None => {
                    let io = Accepted::new(stream, &stop, platform.clone());
                    let server = serve(io, config.clone(), platform.clone());
                    Box::pin(ready(Some(server))) as Opening
                }
            };
            let (each, stopped) = (each.clone(), stop.raised());
            connections.spawn(async move {
                // Who has not shaken hands by then is not waited for.
                if let Some(Some(server)) = unless(stopped, opening).await {
                    let served = each.lock().unwrap_or_else(PoisonError::into_inner)(server);
                    served.await;
                }
            });
        })
        .await;
        // To each connection this is the end of its input.
        stop.raise();
        within(limit, connections.ended(), &*platform).await;
    }
}

/// Accepts connections until `until` is ready, as long as there are fewer than `most`, and then closes the socket.
pub(crate) async fn accept(
    mut source: Box<dyn Accept>,
    connections: &Tasks,
    most: usize,
    until: impl Future<Output = ()>,
    mut open: impl FnMut(Stream),
) {
    let runtime = connections.runtime();
    let (mut until, mut rest) = (pin!(until), Duration::ZERO);
    let mut resting: Option<Deadline> = None;
    poll_fn(|cx| {
        loop {
            if until.as_mut().poll(cx).is_ready() {
                return Poll::Ready(());
            }
            if let Some(deadline) = &mut resting {
                ready!(deadline.poll(runtime, cx));
                resting = None;
            }
            ready!(connections.poll_fewer(most, cx));
            match ready!(source.poll_accept(cx)) {
                Ok(stream) => {
                    rest = Duration::ZERO;
                    open(stream);
                }
                // It was taken out of the queue, so the next attempt is another one's.
                Err(error) if concerns_one(&error) => {}
                // Such as no descriptor left: at once it would only fail again.
                Err(_) => {
                    rest = (rest * 2).clamp(FIRST_REST, LONGEST_REST);
                    resting = Some(Deadline::after(rest, runtime));
                }
            }
        }
    })
    .await;
}

fn concerns_one(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
    )
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener")
            .field("local_addr", &self.local_addr)
            .field("max_connections", &self.max_connections)
            .finish_non_exhaustive()
    }
}
