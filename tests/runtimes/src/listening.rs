//! A listener at work.

use std::net::SocketAddr;

use async_channel::{Sender, bounded};
use mcp_proto::net::Listener;
use mcp_proto::router::Router;

use crate::{Host, Job, spawn};

/// A listener at work, and what ends it.
#[derive(Debug)]
pub struct Serving {
    /// Where it listens, on TCP.
    pub address: Option<SocketAddr>,
    stop: Sender<()>,
    task: Job<()>,
}

/// Has a listener serve with a router.
pub fn serving<H: Host>(listener: Listener, router: Router) -> Serving {
    let address = listener.local_addr();
    let (stop, stopped) = bounded::<()>(1);
    let until = async move {
        let _ = stopped.recv().await;
    };
    Serving { address, stop, task: spawn(&H::platform(), listener.run(router, until)) }
}

impl Serving {
    /// Tells it to stop, and waits until it has.
    pub async fn stop(self) {
        self.stop.close();
        self.task.join().await;
    }
}
