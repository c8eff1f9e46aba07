//! Clients and servers at work: drivers spawned, requests accepted, handlers run, the end waited for.

use alloc::sync::Arc;
use core::future::{Future, poll_fn};
use core::pin::pin;
use core::task::Poll;
use std::io;

use super::platform::{Platform, drive};
use super::tasks::Tasks;
use crate::config::{ClientConfig, ServerConfig};
use crate::driver::{self, Client, MessageTransport, Runtime, Server, Transport};
use crate::error::CloseReason;
use crate::router::{LocalRouter, Router};

/// A client over `io`, whose driver runs in the background. It is not waited for: calls leave when the server is
/// ready. `prepare` runs before the first byte is read, so that listeners set there miss nothing.
pub fn client(
    io: impl Transport<Error = io::Error> + Send + 'static,
    config: ClientConfig,
    platform: impl Platform + Clone,
    prepare: impl FnOnce(&Client),
) -> Client {
    let (client, driver) = driver::client(io, config, platform.clone());
    prepare(&client);
    drive(&platform, driver);
    client
}

/// As [`client`], and waits until the server is ready.
///
/// # Errors
///
/// Why the connection ended before the server was ready.
pub async fn connect(
    io: impl Transport<Error = io::Error> + Send + 'static,
    config: ClientConfig,
    platform: impl Platform + Clone,
) -> Result<Client, CloseReason> {
    let client = client(io, config, platform, |_| ());
    client.ready().await?;
    Ok(client)
}

/// A server over `io`, whose driver runs in the background: its requests are to be [accepted](Server::accept).
pub fn serve(
    io: impl Transport<Error = io::Error> + Send + 'static,
    config: ServerConfig,
    platform: impl Platform + Clone,
) -> Server {
    let (server, driver) = driver::server(io, config, platform.clone());
    drive(&platform, driver);
    server
}

/// As [`client`], over a transport that carries whole messages.
pub fn client_over_messages(
    io: impl MessageTransport<Error: Send> + Send + 'static,
    config: ClientConfig,
    platform: impl Platform + Clone,
    prepare: impl FnOnce(&Client),
) -> Client {
    let (client, driver) = driver::client_over_messages(io, config, platform.clone());
    prepare(&client);
    drive(&platform, driver);
    client
}

/// As [`serve`], over a transport that carries whole messages.
pub fn serve_over_messages(
    io: impl MessageTransport<Error: Send> + Send + 'static,
    config: ServerConfig,
    platform: impl Platform + Clone,
) -> Server {
    let (server, driver) = driver::server_over_messages(io, config, platform.clone());
    drive(&platform, driver);
    server
}

/// Serves the client at the other end of `io` with a router's tools. Each request runs in a task of its own.
///
/// Ready when the connection has ended and everything is written: what was accepted is answered first, within the
/// drain limit; what then still runs is dropped.
pub async fn run(
    router: Router,
    io: impl Transport<Error = io::Error> + Send + 'static,
    platform: impl Platform + Clone,
) -> CloseReason {
    let server = serve(io, router.config(), platform.clone());
    run_handlers(router, server, Arc::new(platform)).await
}

/// Runs each request of a connection in a task of its own, until it has ended.
pub(crate) async fn run_handlers(
    router: Router,
    mut server: Server,
    platform: Arc<dyn Platform>,
) -> CloseReason {
    let handlers = Tasks::new(platform);
    while let Some(incoming) = server.accept().await {
        handlers.spawn(router.handle(incoming));
    }
    server.closed().await
}

/// Serves with tools and a transport that need not be `Send`: everything is polled in the task that awaits this.
///
/// Ready as [`run`] is.
pub async fn run_local<T: Transport>(
    router: LocalRouter,
    io: T,
    runtime: impl Runtime,
) -> CloseReason {
    let (server, driver) = driver::server(io, router.config(), runtime);
    let (mut driver, mut served) = (pin!(driver), pin!(router.serve(server)));
    let (mut is_driven, mut reason) = (false, None);
    poll_fn(|cx| {
        if !is_driven {
            is_driven = driver.as_mut().poll(cx).is_ready();
        }
        if reason.is_none()
            && let Poll::Ready(ended) = served.as_mut().poll(cx)
        {
            reason = Some(ended);
        }
        match (is_driven, reason.take()) {
            (true, Some(reason)) => Poll::Ready(reason),
            (_, waiting) => {
                reason = waiting;
                Poll::Pending
            }
        }
    })
    .await
}
