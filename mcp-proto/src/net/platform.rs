//! What a runtime offers beside its clock: tasks, and connections to elsewhere.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::future::Future;
use core::pin::Pin;
use std::io;
use std::net::SocketAddr;

use super::stream::Stream;
use crate::driver::{Runtime, Timer};
use crate::time::Instant;

/// A runtime that can run tasks in the background.
pub trait Platform: Runtime {
    /// Runs a task to its end, beside everything else. It does not panic, and is dropped only with the runtime.
    fn spawn(&self, task: Task);
}

/// What is run in the background.
pub type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Runs a driver in the background. How it ends, its handles tell.
pub(super) fn drive<D: Future + Send + 'static>(platform: &impl Platform, driver: D) {
    platform.spawn(Box::pin(async { drop(driver.await) }));
}

/// A platform that reaches other machines.
pub trait Dial: Platform {
    /// The addresses of a name, the best first; of what is an address already, that one.
    fn resolve(&self, host: &str, port: u16) -> Resolving;

    /// Opens a TCP connection, [prepared](super::tcp::prepare) as all are.
    fn dial(&self, address: SocketAddr) -> Dialing;
}

/// Addresses on their way.
pub type Resolving = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>>;

/// A connection on its way.
pub type Dialing = Pin<Box<dyn Future<Output = io::Result<Stream>> + Send>>;

impl<P: Runtime + ?Sized> Runtime for Arc<P> {
    fn now(&self) -> Instant {
        (**self).now()
    }

    fn timer(&self, at: Instant) -> Pin<Box<dyn Timer>> {
        (**self).timer(at)
    }

    fn seed(&self) -> Option<[u8; 24]> {
        (**self).seed()
    }
}

impl<P: Platform + ?Sized> Platform for Arc<P> {
    fn spawn(&self, task: Task) {
        (**self).spawn(task);
    }
}

impl<P: Dial + ?Sized> Dial for Arc<P> {
    fn resolve(&self, host: &str, port: u16) -> Resolving {
        (**self).resolve(host, port)
    }

    fn dial(&self, address: SocketAddr) -> Dialing {
        (**self).dial(address)
    }
}
