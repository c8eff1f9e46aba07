//! The way to a server whose name has several addresses (RFC 8305).
//!
//! An address that does not answer fails only after minutes, such as one of IPv6 where only IPv4 works. So the next one is
//! tried beside it, and the first that answers is taken.

use alloc::vec::Vec;
use core::future::poll_fn;
use core::iter;
use core::mem;
use core::task::Poll;
use core::time::Duration;
use std::io;
use std::net::SocketAddr;

use super::platform::{Dial, Dialing};
use super::stream::Stream;
use super::timing::Deadline;

/// How long one address is tried alone.
const HEAD_START: Duration = Duration::from_millis(250);

/// Connects to the first address of a name that answers.
///
/// # Errors
///
/// Why the last one that failed did.
pub(super) async fn reach(platform: &dyn Dial, host: &str, port: u16) -> io::Result<Stream> {
    let mut rest = by_turns(platform.resolve(host, port).await?);
    let mut failed = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    let mut tried: Vec<Dialing> = Vec::new();
    let mut alone: Option<Deadline> = None;
    poll_fn(|cx| {
        loop {
            let mut at = 0;
            while let Some(dialing) = tried.get_mut(at) {
                match dialing.as_mut().poll(cx) {
                    Poll::Ready(Ok(stream)) => return Poll::Ready(Ok(stream)),
                    Poll::Ready(Err(error)) => {
                        drop(tried.remove(at));
                        (failed, alone) = (error, None);
                    }
                    Poll::Pending => at += 1,
                }
            }
            if alone.as_mut().is_some_and(|deadline| deadline.poll(platform, cx).is_pending()) {
                return Poll::Pending;
            }
            alone = None;
            match rest.next() {
                Some(address) => {
                    tried.push(platform.dial(address));
                    alone = Some(Deadline::after(HEAD_START, platform));
                }
                None if tried.is_empty() => {
                    return Poll::Ready(Err(mem::replace(
                        &mut failed,
                        io::ErrorKind::NotFound.into(),
                    )));
                }
                None => return Poll::Pending,
            }
        }
    })
    .await
}

/// In their order, but of IPv6 and IPv4 by turns.
fn by_turns(addresses: Vec<SocketAddr>) -> impl Iterator<Item = SocketAddr> {
    let is_first_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) =
        addresses.into_iter().partition(|address| address.is_ipv6() == is_first_v6);
    let (mut next, mut other) = (second.into_iter(), first.into_iter());
    iter::from_fn(move || {
        mem::swap(&mut next, &mut other);
        next.next().or_else(|| other.next())
    })
}

#[cfg(test)]
mod tests {
    use super::super::platform::{Platform, Resolving, Task};
    use super::*;
    use crate::driver::{Runtime, Timer};
    use crate::net::Duplex;
    use crate::net::{Input, Output};
    use crate::time::Instant;
    use alloc::boxed::Box;
    use alloc::sync::Arc;
    use core::future::{Future, pending, ready};
    use core::pin::{Pin, pin};
    use core::sync::atomic::{AtomicU64, Ordering};
    use core::task::{Context, Waker};
    use std::sync::Mutex;

    /// A network on a clock of its own: what comes of dialling an address is told by its port.
    #[derive(Default)]
    struct Network {
        addresses: Vec<SocketAddr>,
        millis: Arc<AtomicU64>,
        dialled: Mutex<Vec<u16>>,
    }

    const ANSWERS: u16 = 1000;
    const REFUSES: u16 = 2000;
    const IS_SILENT: u16 = 3000;

    impl Runtime for Network {
        fn now(&self) -> Instant {
            Duration::from_millis(self.millis.load(Ordering::Relaxed)).into()
        }

        fn timer(&self, at: Instant) -> Pin<Box<dyn Timer>> {
            let millis = self.millis.clone();
            Box::pin(poll_fn(move |_| {
                match Instant::from(Duration::from_millis(millis.load(Ordering::Relaxed))) >= at {
                    true => Poll::Ready(()),
                    false => Poll::Pending,
                }
            }))
        }
    }

    impl Platform for Network {
        fn spawn(&self, _: Task) {}
    }

    impl Dial for Network {
        fn resolve(&self, _: &str, _: u16) -> Resolving {
            Box::pin(ready(Ok(self.addresses.clone())))
        }

        fn dial(&self, address: SocketAddr) -> Dialing {
            self.dialled.lock().unwrap().push(address.port());
            match address.port() / 1000 * 1000 {
                ANSWERS => Box::pin(ready(Ok(Stream::new(Duplex::new(Nothing, Nothing))))),
                REFUSES => Box::pin(ready(Err(io::ErrorKind::ConnectionRefused.into()))),
                _ => Box::pin(pending()),
            }
        }
    }

    struct Nothing;

    impl Input for Nothing {
        fn poll_read(&mut self, _: &mut Context<'_>, _: &mut [u8]) -> Poll<io::Result<usize>> {
            Poll::Ready(Ok(0))
        }
    }

    impl Output for Nothing {
        fn poll_write(&mut self, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
            Poll::Ready(Ok(buf.len()))
        }

        fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_close(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    fn of(ports: &[u16]) -> Vec<SocketAddr> {
        ports.iter().map(|port| SocketAddr::from(([127, 0, 0, 1], *port))).collect()
    }

    /// What comes of a name with these addresses, after how many milliseconds, and which were dialled.
    fn reached(ports: &[u16]) -> (Result<(), io::ErrorKind>, u64, Vec<u16>) {
        let network = Network { addresses: of(ports), ..Network::default() };
        let mut reaching = pin!(reach(&network, "name", 1));
        let cx = &mut Context::from_waker(Waker::noop());
        for millis in 0..10_000 {
            network.millis.store(millis, Ordering::Relaxed);
            if let Poll::Ready(reached) = reaching.as_mut().poll(cx) {
                let reached = reached.map(drop).map_err(|error| error.kind());
                return (reached, millis, network.dialled.lock().unwrap().clone());
            }
        }
        panic!("nothing comes of it")
    }

    #[test]
    fn the_first_that_answers_is_taken_and_a_silent_one_delays_little() {
        assert_eq!(reached(&[ANSWERS, ANSWERS + 1]), (Ok(()), 0, [ANSWERS].into()));
        let ports = [IS_SILENT, IS_SILENT + 1, ANSWERS];
        assert_eq!(reached(&ports), (Ok(()), 500, ports.into()));
    }

    #[test]
    fn after_one_that_refuses_the_next_is_tried_at_once() {
        let ports = [REFUSES, REFUSES + 1, ANSWERS];
        assert_eq!(reached(&ports), (Ok(()), 0, ports.into()));
        let refused = Err(io::ErrorKind::ConnectionRefused);
        assert_eq!(reached(&[REFUSES, REFUSES + 1]).0, refused);
        assert_eq!(reached(&[]), (Err(io::ErrorKind::NotFound), 0, Vec::new()));
        // The one that refuses ends the head start of the one before it.
        let ports = [IS_SILENT, REFUSES, ANSWERS];
        assert_eq!(reached(&ports), (Ok(()), 250, ports.into()));
    }

    #[test]
    fn both_versions_of_ip_have_their_turns() {
        let six = |port| SocketAddr::from(([0_u16; 8], port));
        let four = |port| SocketAddr::from(([0_u8; 4], port));
        let found = by_turns([six(1), six(2), six(3), four(4), four(5)].into());
        assert_eq!(found.map(|address| address.port()).collect::<Vec<_>>(), [1, 4, 2, 5, 3]);
    }
}
