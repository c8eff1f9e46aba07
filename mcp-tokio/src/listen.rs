//! Serving whoever connects: each connection by itself, so many at once, until it is to stop.

use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use mcp_proto::ServerConfig;
use mcp_proto::driver::Server;
use mcp_proto::router::Router;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::io::Until;
use crate::run::run_handlers;

/// A socket that listens: [`run`](Self::run) it. Made by [`tcp::listen`](crate::tcp::listen),
/// [`unix::listen`](crate::unix::listen) and `ws::listen`.
///
/// Connections do not know of each other: what one of them sends, and a handler that panics, ends that one at
/// most. Of those that carry lines, a connection whose first character does not begin a message is closed unread, so that a web page
/// which posts to a local port does not reach the tools.
///
/// ```
/// use mcp_tokio::{CallTool, CallToolResult, ClientConfig, Context, RawJson, Router, Tool};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let schema = RawJson::parse(r#"{"type":"object"}"#)?;
/// let hello = async |_: Context, _: Option<RawJson>| CallToolResult::text("hello");
/// let router = Router::new("greeter", "1.0").raw_tool(Tool::new("hello", schema), hello);
///
/// let listener = mcp_tokio::tcp::listen("127.0.0.1:0").await?;
/// let address = listener.local_addr().expect("TCP has one");
/// let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
/// let running = tokio::spawn(listener.run(router, async { drop(stopped.await) }));
///
/// let client = mcp_tokio::tcp::connect(address, ClientConfig::new("example", "1.0")).await?;
/// let result = client.call(CallTool::new("hello")).await?;
/// assert_eq!(result.content[0].as_text(), Some("hello"));
/// drop(stop); // a program would wait for `tokio::signal::ctrl_c()` instead
/// running.await?;
/// # Ok(())
/// # }
/// ```
#[must_use = "nobody is accepted before it runs"]
pub struct Listener {
    source: Box<dyn Source>,
    local_addr: Option<SocketAddr>,
    max_connections: usize,
    opener: Option<Box<Opener>>,
}

/// What makes a server of a connection that begins with a handshake of its own; until the server stops.
type Opener = dyn Fn(Stream, ServerConfig, watch::Receiver<bool>) -> Opening + Send + Sync;

/// `None`: the handshake has failed.
pub(crate) type Opening = Pin<Box<dyn Future<Output = Option<Server>> + Send>>;

/// Where connections come from.
pub(crate) trait Source: Send + Sync {
    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Stream>>;
}

/// The two directions of a connection.
pub(crate) type Stream =
    (Box<dyn AsyncRead + Send + Sync + Unpin>, Box<dyn AsyncWrite + Send + Sync + Unpin>);

/// A connection costs memory up to the limits of its engine, and a descriptor.
const MAX_CONNECTIONS: usize = 64;

/// How long accepting rests after it has failed, at first and at most.
const FIRST_REST: Duration = Duration::from_millis(5);
const LONGEST_REST: Duration = Duration::from_secs(1);

impl Listener {
    pub(crate) fn new(source: impl Source + 'static, local_addr: Option<SocketAddr>) -> Self {
        Self {
            source: Box::new(source),
            local_addr,
            max_connections: MAX_CONNECTIONS,
            opener: None,
        }
    }

    /// Has each connection opened by this instead of reading lines from it.
    #[cfg(feature = "ws")]
    pub(crate) fn opened_by(
        mut self,
        opener: impl Fn(Stream, ServerConfig, watch::Receiver<bool>) -> Opening + Send + Sync + 'static,
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
    /// Then nobody is accepted any more, requests that were accepted are answered within the drain limit, and
    /// it is ready when every connection has ended. Dropping it ends them at once.
    pub async fn run(self, router: Router, until: impl Future<Output = ()>) {
        let config = router.config();
        let served = |server| run_handlers(router.clone(), server);
        self.serve(config, until, move |server| {
            let connection = served(server);
            async move { drop(connection.await) }
        })
        .await;
    }

    /// As [`run`](Self::run), for requests that a program accepts by itself: `each` is called with each
    /// connection, and what it returns is run in a task of its own. The connection ends with it.
    pub async fn serve<F>(
        mut self,
        config: ServerConfig,
        until: impl Future<Output = ()>,
        mut each: impl FnMut(Server) -> F,
    ) where
        F: Future<Output = ()> + Send + 'static,
    {
        let (stopping, stopped) = watch::channel(false);
        let mut connections = JoinSet::new();
        // Those that have not shaken hands yet take a place too.
        let mut openings: JoinSet<Option<Server>> = JoinSet::new();
        let mut until = pin!(until);
        loop {
            let is_full = connections.len() + openings.len() >= self.max_connections;
            tokio::select! {
                biased;
                () = &mut until => break,
                Some(opened) = openings.join_next() => {
                    if let Ok(Some(server)) = opened {
                        connections.spawn(each(server));
                    }
                }
                Some(_) = connections.join_next(), if is_full => {}
                stream = accept_from(|cx| self.source.poll_accept(cx)), if !is_full => match &self.opener {
                    Some(open) => {
                        openings.spawn(open(stream, config.clone(), stopped.clone()));
                    }
                    None => {
                        let (reader, writer) = stream;
                        let reader = Until::new(Checked::new(reader), stopped.clone());
                        connections.spawn(each(crate::serve(reader, writer, config.clone())));
                    }
                }
            }
        }
        drop(self.source);
        drop(openings);
        // To each connection this is the end of its input.
        let _ = stopping.send(true);
        while connections.join_next().await.is_some() {}
    }
}

/// The next connection, however often accepting one fails before.
pub(crate) async fn accept_from<S>(
    mut poll_accept: impl FnMut(&mut Context<'_>) -> Poll<io::Result<S>>,
) -> S {
    let mut rest = Duration::ZERO;
    loop {
        match poll_fn(&mut poll_accept).await {
            Ok(stream) => return stream,
            // It was taken out of the queue, so the next attempt is another one's.
            Err(error) if concerns_one(&error) => {}
            // Such as no descriptor left: at once it would only fail again.
            Err(_) => {
                rest = (rest * 2).clamp(FIRST_REST, LONGEST_REST);
                tokio::time::sleep(rest).await;
            }
        }
    }
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

/// A reader that fails if what it reads does not begin as a message does.
///
/// A line that is no message is skipped, as it must be on a server's standard output. To a socket anyone may
/// speak: in the body of an HTTP request, which any web page can make a browser send, there would be good
/// messages behind the lines of the head.
struct Checked<R> {
    reader: R,
    is_checked: bool,
}

impl<R> Checked<R> {
    fn new(reader: R) -> Self {
        Self { reader, is_checked: false }
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for Checked<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.reader).poll_read(cx, buf))?;
        if !self.is_checked {
            let read = buf.filled().get(before..).unwrap_or_default().trim_ascii_start();
            match read.first() {
                // The last is how a byte order mark begins.
                Some(b'{' | b'[' | 0xEF) => self.is_checked = true,
                Some(_) => {
                    buf.set_filled(before);
                    return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
                }
                None => {}
            }
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::Notify;
    use tokio::time::Instant;

    /// Fails always, with this, and tells of the thousandth attempt.
    struct Broken {
        kind: io::ErrorKind,
        attempts: Arc<AtomicUsize>,
        enough: Arc<Notify>,
    }

    impl Source for Broken {
        fn poll_accept(&mut self, _: &mut Context<'_>) -> Poll<io::Result<Stream>> {
            match self.attempts.fetch_add(1, Ordering::Relaxed) {
                0..1000 => Poll::Ready(Err(self.kind.into())),
                _ => {
                    self.enough.notify_one();
                    Poll::Pending
                }
            }
        }
    }

    /// Attempts until so many were made or so much time has passed, and the time.
    async fn attempts(kind: io::ErrorKind, most: Duration) -> (usize, Duration) {
        let (attempts, enough) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
        let source = Broken { kind, attempts: attempts.clone(), enough: enough.clone() };
        let start = Instant::now();
        let until = async { drop(tokio::time::timeout(most, enough.notified()).await) };
        Listener::new(source, None).run(Router::new("test", "1.0"), until).await;
        (attempts.load(Ordering::Relaxed), start.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn a_listener_without_descriptors_rests_and_still_stops() {
        let (attempts, _) = attempts(io::ErrorKind::Other, Duration::from_secs(60)).await;
        assert!((60..80).contains(&attempts), "{attempts} attempts in a minute");
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_is_gone_before_it_is_accepted_delays_nobody() {
        let gone = io::ErrorKind::ConnectionAborted;
        let (attempts, time) = attempts(gone, Duration::from_secs(60)).await;
        assert_eq!((attempts, time), (1001, Duration::ZERO));
    }

    #[tokio::test]
    async fn only_what_begins_as_a_message_is_read() {
        use tokio::io::AsyncReadExt;
        for good in ["{}", " \r\n\t{}", "[]", "\u{feff}{}", ""] {
            let mut read = String::new();
            Checked::new(good.as_bytes()).read_to_string(&mut read).await.unwrap();
            assert_eq!(read, good);
        }
        for bad in ["POST / HTTP/1.1\r\n\r\n{}", "\nGET /", "\u{16}\u{3}\u{1}", "\"x\"", "1"] {
            let mut read = Vec::new();
            let error = Checked::new(bad.as_bytes()).read_to_end(&mut read).await.unwrap_err();
            assert_eq!((error.kind(), read.len()), (io::ErrorKind::InvalidData, 0), "{bad}");
        }
    }
}
