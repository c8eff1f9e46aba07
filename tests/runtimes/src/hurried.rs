//! Clocks that are in a hurry, and that are not.

use std::net::SocketAddr;
use std::pin::Pin;

use mcp_proto::Instant;
use mcp_proto::driver::{Runtime, Timer};
use mcp_proto::net::{Dial, Dialing, Platform, Resolving, Task};

/// A platform on which a hundred times as much time passes: what takes seconds takes some hundredths of one.
#[derive(Clone, Debug)]
pub struct Hurried<P>(pub P);

const FACTOR: u64 = 100;

impl<P: Platform> Runtime for Hurried<P> {
    fn now(&self) -> Instant {
        Instant::from_nanos(self.0.now().as_nanos().saturating_mul(FACTOR))
    }

    fn timer(&self, at: Instant) -> Pin<Box<dyn Timer>> {
        self.0.timer(Instant::from_nanos(at.as_nanos().div_ceil(FACTOR)))
    }
}

impl<P: Platform> Platform for Hurried<P> {
    fn spawn(&self, task: Task) {
        self.0.spawn(task);
    }
}

/// A platform on which a hundredth of the time passes: what may take a second may take minutes of a busy machine's.
#[derive(Clone, Debug)]
pub struct Unhurried<P>(pub P);

impl<P: Platform> Runtime for Unhurried<P> {
    fn now(&self) -> Instant {
        Instant::from_nanos(self.0.now().as_nanos() / FACTOR)
    }

    fn timer(&self, at: Instant) -> Pin<Box<dyn Timer>> {
        self.0.timer(Instant::from_nanos(at.as_nanos().saturating_mul(FACTOR)))
    }
}

impl<P: Platform> Platform for Unhurried<P> {
    fn spawn(&self, task: Task) {
        self.0.spawn(task);
    }
}

impl<P: Dial> Dial for Hurried<P> {
    fn resolve(&self, host: &str, port: u16) -> Resolving {
        self.0.resolve(host, port)
    }

    fn dial(&self, address: SocketAddr) -> Dialing {
        self.0.dial(address)
    }
}
