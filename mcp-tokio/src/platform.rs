//! Tokio as a platform: its clock, its timers, its tasks, its sockets.

use std::net::SocketAddr;
use std::pin::Pin;

use mcp_proto::Instant;
use mcp_proto::driver::{Runtime, Timer};
use mcp_proto::net::{Dial, Dialing, Platform, Resolving, Task, tcp};
use tokio::net::{TcpStream, lookup_host};

/// The Tokio runtime that this is used in, for what takes a [platform](Platform). Its clock starts when it is made,
/// and is one that tests can pause.
#[derive(Clone, Copy, Debug)]
pub struct Tokio {
    start: tokio::time::Instant,
}

impl Tokio {
    /// This runtime, from now.
    pub fn new() -> Self {
        Self { start: tokio::time::Instant::now() }
    }
}

impl Default for Tokio {
    fn default() -> Self {
        Self::new()
    }
}

impl Runtime for Tokio {
    fn now(&self) -> Instant {
        self.start.elapsed().into()
    }

    fn timer(&self, at: Instant) -> Pin<Box<dyn Timer>> {
        // Relative, because a deadline centuries away may be no `Instant` of the system.
        Box::pin(tokio::time::sleep(at - self.now()))
    }

    #[cfg(feature = "http")]
    fn seed(&self) -> Option<[u8; 24]> {
        let mut seed = [0; 24];
        getrandom::fill(&mut seed).ok().map(|()| seed)
    }
}

impl Platform for Tokio {
    fn spawn(&self, task: Task) {
        tokio::spawn(task);
    }
}

impl Dial for Tokio {
    fn resolve(&self, host: &str, port: u16) -> Resolving {
        let host = host.to_owned();
        Box::pin(async move { Ok(lookup_host((host, port)).await?.collect()) })
    }

    fn dial(&self, address: SocketAddr) -> Dialing {
        Box::pin(async move {
            let stream = TcpStream::connect(address).await?;
            tcp::prepare(&stream)?;
            Ok(crate::stream(stream))
        })
    }
}
