//! smol as a platform: its timers, its tasks, its sockets.

use std::net::SocketAddr;
use std::pin::Pin;

use mcp_proto::Instant;
use mcp_proto::driver::{Runtime, Timer};
use mcp_proto::net::{Dial, Dialing, Platform, Resolving, Task};

use crate::parts;

/// smol's global executor, for what takes a [platform](Platform). Its clock is the system's and starts when it is made.
#[derive(Clone, Copy, Debug)]
pub struct Smol {
    start: std::time::Instant,
}

impl Smol {
    /// That executor, from now.
    pub fn new() -> Self {
        Self { start: std::time::Instant::now() }
    }
}

impl Default for Smol {
    fn default() -> Self {
        Self::new()
    }
}

impl Runtime for Smol {
    fn now(&self) -> Instant {
        self.start.elapsed().into()
    }

    fn timer(&self, at: Instant) -> Pin<Box<dyn Timer>> {
        parts::timer(at - self.now())
    }

    #[cfg(feature = "http")]
    fn seed(&self) -> Option<[u8; 24]> {
        parts::seed()
    }
}

impl Platform for Smol {
    fn spawn(&self, task: Task) {
        smol::spawn(task).detach();
    }
}

impl Dial for Smol {
    fn resolve(&self, host: &str, port: u16) -> Resolving {
        parts::resolve(host, port)
    }

    fn dial(&self, address: SocketAddr) -> Dialing {
        parts::dial(address)
    }
}
