//! What the examples need of Tokio, under the names that they use on every runtime.
#![allow(dead_code, unused_imports)] // none of them needs everything

use std::future::Future;
use std::io;

use tokio::io::DuplexStream;

pub(crate) use tokio::io::split;
pub(crate) use tokio::net::TcpListener;
pub(crate) use tokio::spawn;
pub(crate) use tokio::task::yield_now;
pub(crate) use tokio::time::sleep;

/// Runs a program. Most programs on Tokio have this attribute on an `async fn main` instead.
#[tokio::main]
pub(crate) async fn block_on<T>(program: impl Future<Output = T>) -> T {
    program.await
}

/// Ready when standard input has ended.
pub(crate) async fn input_ended() {
    // One that fails has ended too.
    let _ = tokio::io::copy(&mut tokio::io::stdin(), &mut tokio::io::sink()).await;
}

/// Two ends of one connection in memory.
pub(crate) fn pair() -> io::Result<(DuplexStream, DuplexStream)> {
    Ok(tokio::io::duplex(4096))
}
