//! A listener at work, and how to wait for it.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use mcp_tokio::{Listener, Router};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// A listener at work, and what ends it.
pub(crate) struct Running {
    pub(crate) address: Option<SocketAddr>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

pub(crate) fn run(listener: Listener, router: Router) -> Running {
    let address = listener.local_addr();
    let (stop, stopped) = oneshot::channel();
    let until = async { drop(stopped.await) };
    Running { address, stop, task: tokio::spawn(listener.run(router, until)) }
}

impl Running {
    /// Tells it to stop, and waits until it has.
    pub(crate) async fn stop(self) {
        let _ = self.stop.send(());
        soon(self.task).await.unwrap();
    }
}

/// Nothing here takes long; what does, fails.
pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future)
        .await
        .unwrap_or_else(|_| panic!("it hangs"))
}
