//! async-std as a platform: its tasks, on the reactor that it shares with smol.

use std::net::SocketAddr;
use std::pin::Pin;

use mcp_proto::Instant;
use mcp_proto::driver::{Runtime, Timer};
use mcp_proto::net::{Dial, Dialing, Platform, Resolving, Task};
use mcp_smol::parts;

/// async-std's executor, for what takes a [platform](Platform). Its clock is the system's and starts when it is made.
#[derive(Clone, Copy, Debug)]
pub struct AsyncStd {
    start: std::time::Instant,
}

impl AsyncStd {
    /// That executor, from now.
    pub fn new() -> Self {
        Self { start: std::time::Instant::now() }
    }
}

impl Default for AsyncStd {
    fn default() -> Self {
        Self::new()
    }
}

impl Runtime for AsyncStd {
    fn now(&self) -> Instant {
        self.start.elapsed().into()
    }

    fn timer(&self, at: Instant) -> Pin<Box<dyn Timer>> {
        Box::pin(async_std::task::sleep(at - self.now()))
    }

    #[cfg(feature = "http")]
    fn seed(&self) -> Option<[u8; 24]> {
        parts::seed()
    }
}

impl Platform for AsyncStd {
    fn spawn(&self, task: Task) {
        drop(async_std::task::spawn(task));
    }
}

impl Dial for AsyncStd {
    fn resolve(&self, host: &str, port: u16) -> Resolving {
        parts::resolve(host, port)
    }

    fn dial(&self, address: SocketAddr) -> Dialing {
        parts::dial(address)
    }
}
