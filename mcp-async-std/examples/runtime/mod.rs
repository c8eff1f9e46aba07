//! What the examples need of async-std, under the names that they use on every runtime.
#![allow(dead_code, unused_imports)] // none of them needs everything

use std::io;

use async_std::os::unix::net::UnixStream;

pub(crate) use async_std::net::TcpListener;
pub(crate) use async_std::task::{block_on, sleep, spawn, yield_now};

/// Ready when standard input has ended.
pub(crate) async fn input_ended() {
    // One that fails has ended too.
    let _ = async_std::io::copy(&mut async_std::io::stdin(), &mut async_std::io::sink()).await;
}

/// Two ends of one connection in memory.
pub(crate) fn pair() -> io::Result<(UnixStream, UnixStream)> {
    UnixStream::pair()
}

/// The side of an end that is read, and the one that is written.
pub(crate) fn split(end: UnixStream) -> (UnixStream, UnixStream) {
    (end.clone(), end)
}
