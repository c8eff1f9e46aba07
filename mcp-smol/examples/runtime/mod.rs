//! What the examples need of smol, under the names that they use on every runtime.
#![allow(dead_code, unused_imports)] // none of them needs everything

use std::future::Future;
use std::io;
use std::time::Duration;

use smol::net::unix::UnixStream;

pub(crate) use smol::block_on;
pub(crate) use smol::future::yield_now;
pub(crate) use smol::io::split;
pub(crate) use smol::net::TcpListener;

/// Runs a task beside the others, to its end.
pub(crate) fn spawn(task: impl Future<Output = ()> + Send + 'static) {
    smol::spawn(task).detach();
}

pub(crate) async fn sleep(time: Duration) {
    smol::Timer::after(time).await;
}

/// Ready when standard input has ended.
pub(crate) async fn input_ended() {
    let mut input = smol::Unblock::new(io::stdin());
    // One that fails has ended too.
    let _ = smol::io::copy(&mut input, &mut smol::io::sink()).await;
}

/// Two ends of one connection in memory.
pub(crate) fn pair() -> io::Result<(UnixStream, UnixStream)> {
    UnixStream::pair()
}
