//! A service on HTTP behind a socket, as who serves with hyper by hand does it: an adapter's own server makes its service
//! itself, and gives it to nobody.

use std::future::poll_fn;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use async_channel::{Receiver, Sender, bounded};
use futures_lite::future::or;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use mcp_proto::driver::Transport;
use mcp_proto::driver::http::Service;
use mcp_proto::net::{Accept, Stream};

use crate::{Job, Web, spawn, until};

/// A socket on which a service is served, over HTTP/1.1.
#[derive(Debug)]
pub struct Door {
    /// Where it listens.
    pub address: SocketAddr,
    stop: Sender<()>,
    accepting: Job<()>,
    count: Arc<Count>,
}

/// Connections: that do not know yet that the door is closed, and all of them.
#[derive(Debug, Default)]
struct Count {
    untold: AtomicUsize,
    open: AtomicUsize,
}

impl Door {
    /// Serves whoever comes.
    pub fn open<H: Web>(listener: TcpListener, service: &Service) -> Self {
        let address = listener.local_addr().expect("its address");
        let (stop, stopped) = bounded::<()>(1);
        let (count, service) = (Arc::<Count>::default(), service.clone());
        let mut source = H::accept(listener).expect("a socket that listens");
        let counted = count.clone();
        let accepting = spawn(&H::platform(), async move {
            loop {
                let accepted = poll_fn(|cx| source.poll_accept(cx));
                let told = async {
                    let _ = stopped.recv().await;
                    Err(io::ErrorKind::Interrupted.into())
                };
                // Nobody comes in behind the end: it is looked at first.
                let Ok(stream) = or(told, accepted).await else { return };
                let (service, stopped) = (service.clone(), stopped.clone());
                counted.untold.fetch_add(1, Ordering::AcqRel);
                counted.open.fetch_add(1, Ordering::AcqRel);
                let count = counted.clone();
                drop(spawn(&H::platform(), async move {
                    connection(stream, service, stopped, &count).await;
                    count.open.fetch_sub(1, Ordering::AcqRel);
                }));
            }
        });
        Self { address, stop, accepting, count }
    }

    /// Lets nobody in any more, and has each connection end with its response. What comes back is what waits for that.
    pub async fn close(self) -> impl Future<Output = ()> {
        let Self { stop, accepting, count, .. } = self;
        stop.close();
        accepting.join().await;
        let left = |number: &AtomicUsize| number.load(Ordering::Acquire);
        until(|| "all are told", || left(&count.untold) == 0).await;
        async move { until(|| "all have ended", || left(&count.open) == 0).await }
    }
}

async fn connection(stream: Stream, service: Service, stopped: Receiver<()>, count: &Count) {
    let served = service_fn(move |request| service.respond(request));
    let mut connection = pin!(http1::Builder::new().serve_connection(Io(stream), served));
    let mut stopped = pin!(stopped.recv());
    let mut is_told = false;
    let tell = || count.untold.fetch_sub(1, Ordering::AcqRel);
    poll_fn(|cx| {
        let is_told_now = !is_told && stopped.as_mut().poll(cx).is_ready();
        if is_told_now {
            is_told = true;
            connection.as_mut().graceful_shutdown();
        }
        let polled = connection.as_mut().poll(cx);
        // One that idles has ended with this.
        if is_told_now || (!is_told && polled.is_ready()) {
            tell();
        }
        polled.map(drop)
    })
    .await;
}

/// A stream as hyper wants it.
struct Io(Stream);

impl Read for Io {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let mut bytes = [0; 4096];
        let len = buf.remaining().min(bytes.len());
        let read = Transport::poll_read(Pin::new(&mut self.0), cx, &mut bytes[..len]);
        read.map_ok(|read| buf.put_slice(&bytes[..read]))
    }
}

impl Write for Io {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Transport::poll_write(Pin::new(&mut self.0), cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Transport::poll_flush(Pin::new(&mut self.0), cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Transport::poll_close(Pin::new(&mut self.0), cx)
    }
}
