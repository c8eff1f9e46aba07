//! A server of `mcp-tokio` with the reference application as a router.

use std::sync::{Arc, Mutex};

use mcp_proto::driver::Server;
use mcp_proto::{CloseReason, Revision};
use mcp_tests::bad_input::application::{Log, handle, router};
use tokio::sync::{mpsc, oneshot};

/// A server at work.
pub struct Served {
    asks: mpsc::UnboundedSender<oneshot::Sender<(usize, Option<Revision>)>>,
    /// Why it ended, once it has.
    pub closed: Arc<Mutex<Option<CloseReason>>>,
}

/// Answers what a server hears.
pub fn start(mut server: Server, log: Log) -> Served {
    let router = router(&log);
    let (asks, mut asked) = mpsc::unbounded_channel::<oneshot::Sender<_>>();
    let closed = Arc::new(Mutex::new(None));
    let reason = closed.clone();
    tokio::spawn(async move {
        loop {
            tokio::select! {
                biased;
                incoming = server.accept() => match incoming {
                    Some(incoming) => drop(handle(&router, incoming, &log).map(tokio::spawn)),
                    None => break,
                },
                Some(answer) = asked.recv() => {
                    let peer = server.peer().map(|peer| peer.revision);
                    let _ = oneshot::Sender::send(answer, (server.requests_in_flight(), peer));
                }
            }
        }
        *reason.lock().unwrap() = Some(server.closed().await);
        drop(asked);
    });
    Served { asks, closed }
}

impl Served {
    /// Requests that wait for an answer, and the revision of the session; nothing once it has ended.
    pub async fn look(&self) -> Option<(usize, Option<Revision>)> {
        let (answer, answered) = oneshot::channel();
        self.asks.send(answer).ok()?;
        answered.await.ok()
    }
}
