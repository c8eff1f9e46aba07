//! HTTP for adapters: a server on a socket, and a client that reaches others, over hyper.

mod client;
mod connection;
mod hyper;
mod idle;
mod io;
mod places;
mod pool;
mod rt;
mod serve;
mod using;

pub use self::client::{Connector, client};
pub use self::hyper::{Failure, Hyper, Received};
pub use self::serve::{HttpServer, router_service, service, service_with};
