//! The hosts whose adapters speak HTTP and WebSocket: all but threads.

use std::io;
use std::net::{SocketAddr, TcpListener};

use async_channel::{Sender, bounded};
use mcp_proto::driver::Client;
use mcp_proto::net::http::HttpServer;
use mcp_proto::net::{ConnectError, Listener, http, ws};
use mcp_proto::router::Router;
use mcp_proto::{ClientConfig, Revision};

use crate::hosts::{AsyncStd, Smol, TokioCurrentThread, TokioMultiThread};
use crate::{Host, Job, spawn};

/// A host whose adapter speaks HTTP and WebSocket.
pub trait Web: Host {
    /// The adapter's `http::connector`.
    fn connector() -> http::Connector;

    /// The adapter's `connect_url`.
    fn connect_url(
        url: &str,
        config: ClientConfig,
    ) -> impl Future<Output = Result<Client, ConnectError>> + Send;

    /// The adapter's `http::server`, on a socket that was bound elsewhere.
    ///
    /// # Errors
    ///
    /// If its runtime does not take it.
    fn http_server(listener: TcpListener) -> io::Result<HttpServer>;

    /// The adapter's `ws::connector`.
    fn ws_connector() -> ws::Connector;

    /// The adapter's `connect_ws`.
    fn connect_ws(
        url: &str,
        config: ClientConfig,
    ) -> impl Future<Output = Result<Client, ConnectError>> + Send;

    /// The adapter's `ws::listen`.
    fn ws_listen(address: &str) -> impl Future<Output = io::Result<Listener>> + Send;
}

macro_rules! web {
    ($host:ident, $adapter:ident, $listener:expr) => {
        impl Web for $host {
            fn connector() -> http::Connector {
                $adapter::http::connector()
            }

            async fn connect_url(url: &str, config: ClientConfig) -> Result<Client, ConnectError> {
                $adapter::connect_url(url, config).await
            }

            fn http_server(listener: TcpListener) -> io::Result<HttpServer> {
                listener.set_nonblocking(true)?;
                $adapter::http::server($listener(listener)?)
            }

            fn ws_connector() -> ws::Connector {
                $adapter::ws::connector()
            }

            async fn connect_ws(url: &str, config: ClientConfig) -> Result<Client, ConnectError> {
                $adapter::connect_ws(url, config).await
            }

            async fn ws_listen(address: &str) -> io::Result<Listener> {
                $adapter::ws::listen(address).await
            }
        }
    };
}

web!(TokioCurrentThread, mcp_tokio, tokio::net::TcpListener::from_std);
web!(TokioMultiThread, mcp_tokio, tokio::net::TcpListener::from_std);
web!(Smol, mcp_smol, smol::net::TcpListener::try_from);
web!(AsyncStd, mcp_async_std, |socket| io::Result::Ok(async_std::net::TcpListener::from(socket)));

/// A server on HTTP at work, and what ends it.
#[derive(Debug)]
pub struct Site {
    /// Where it listens.
    pub address: SocketAddr,
    stop: Sender<()>,
    task: Job<io::Result<()>>,
}

impl Site {
    /// Serves a router's tools, set up like this.
    pub fn with<H: Web>(router: Router, set: impl FnOnce(HttpServer) -> HttpServer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a socket");
        let address = listener.local_addr().expect("its address");
        let (stop, stopped) = bounded::<()>(1);
        let until = async move {
            let _ = stopped.recv().await;
        };
        let server = set(H::http_server(listener).expect("a socket that listens"));
        Self { address, stop, task: spawn(&H::platform(), server.run(router, until)) }
    }

    /// Where it is found.
    pub fn url(&self) -> String {
        format!("http://{}/mcp", self.address)
    }

    /// A client of it.
    pub async fn client<H: Web>(&self, revision: Revision) -> Client {
        let config = ClientConfig::new("test", "1.0").revisions(revision);
        H::connect_url(&self.url(), config).await.expect("it is there")
    }

    /// Tells it to stop.
    pub fn tell(&self) {
        self.stop.close();
    }

    /// Tells it to stop, and waits until it has.
    pub async fn stop(self) {
        self.tell();
        self.task.join().await.expect("it ran");
    }
}
