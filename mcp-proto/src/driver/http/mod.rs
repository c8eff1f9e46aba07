//! HTTP around the machine, for any runtime and any HTTP library.
//!
//! A server is a [`Service`]: whatever serves those (hyper, axum, tower) serves it. A client sends through an
//! [`HttpClient`], which any client library can be. Nothing here knows a socket either.

mod bells;
mod body;
mod calling;
mod client_driver;
mod intake;
mod server_driver;
mod service;
mod serving;
mod start;

pub use body::{Broken, ResponseBody};
pub use client_driver::{ClientDriver, HttpClient};
pub use server_driver::ServerDriver;
pub use service::{Principal, Responding, Service};
pub use start::{connect, serve, serve_with};
