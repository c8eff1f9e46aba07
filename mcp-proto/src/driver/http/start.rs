//! How HTTP begins: handles for the application, a service or a driver for the runtime.

use alloc::boxed::Box;

use super::super::client::Client;
use super::super::server::Server;
use super::super::shared::{Handle, Shared};
use super::super::transport::Runtime;
use super::calling::Calling;
use super::client_driver::{ClientDriver, HttpClient};
use super::server_driver::ServerDriver;
use super::service::Service;
use super::serving::Serving;
use crate::config::{ClientConfig, ServerConfig};
use crate::http::{self, ClientOptions, Replay, Ring, ServerOptions};
use ::http::Uri;

/// A client of the server at `uri`, which must be absolute, over any HTTP library. Nothing moves until the driver is
/// polled; the handshake's deadline starts now.
pub fn connect<H: HttpClient>(
    http: H,
    uri: Uri,
    config: ClientConfig,
    mut options: ClientOptions,
    runtime: impl Runtime,
) -> (Client, ClientDriver<H>) {
    options.spread = options.spread.or_else(|| {
        let [a, b, c, d, e, f, g, h, ..] = runtime.seed()?;
        Some(u64::from_be_bytes([a, b, c, d, e, f, g, h]))
    });
    let machine = http::Client::new(config, uri, options, runtime.now());
    let shared = Shared::new(Calling { machine }, false, runtime);
    (Client::new(Handle::new(shared.clone())), ClientDriver::new(shared, http))
}

/// A server on HTTP: what accepts its requests, what an HTTP library serves, and what moves its time.
///
/// Legacy sessions are opened only if the runtime gives [seeds](Runtime::seed) for their ids.
pub fn serve(
    config: ServerConfig,
    options: ServerOptions,
    runtime: impl Runtime,
) -> (Server, Service, ServerDriver) {
    serve_with(config, options, Box::new(Ring::default()), runtime)
}

/// As [`serve`], and what was sent on streams is kept in this store, until it is taken up again or nobody will.
pub fn serve_with(
    config: ServerConfig,
    options: ServerOptions,
    replay: Box<dyn Replay>,
    runtime: impl Runtime,
) -> (Server, Service, ServerDriver) {
    let machine = http::Server::with_replay(config, options, replay);
    let shared = Shared::new(Serving::new(machine), true, runtime);
    let server = Server::new(Handle::new(shared.clone()));
    (server, Service::new(shared.clone()), ServerDriver::new(shared))
}
