//! The hosts whose adapters speak HTTP and WebSocket: all but threads.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use ::http::Uri;
use async_channel::{Sender, bounded};
use mcp_proto::driver::http::{HttpClient, Service};
use mcp_proto::driver::{Client, Server};
use mcp_proto::http::{BadAnnotation, ClientOptions, Replay, ServerOptions};
use mcp_proto::net::http::HttpServer;
use mcp_proto::net::{ConnectError, Dial, Listener, http, ws};
use mcp_proto::router::Router;
use mcp_proto::{ClientConfig, Revision, ServerConfig};

use crate::doomed::{Doomed, Source};
use crate::hosts::{AsyncStd, Smol, TokioCurrentThread, TokioMultiThread};
use crate::{Ends, Host, Job, hosts, spawn};

/// A host whose adapter speaks HTTP and WebSocket.
pub trait Web: Host<Platform: Dial, Doomed: Doomed<Platform: Dial>> {
    /// The adapter's `http::connector`.
    fn connector() -> http::Connector;

    /// The adapter's `connect_url`.
    fn connect_url(
        url: &str,
        config: ClientConfig,
    ) -> impl Future<Output = Result<Client, ConnectError>> + Send;

    /// The adapter's `http::client`.
    fn http_client<L>(
        http: L,
        url: Uri,
        config: ClientConfig,
        options: ClientOptions,
        prepare: impl FnOnce(&Client),
    ) -> Client
    where
        L: HttpClient<Body: Send, Sending: Send> + Send + 'static;

    /// The adapter's `http::router_service`.
    ///
    /// # Errors
    ///
    /// If a tool asks for a header where it must not.
    fn http_router_service(
        router: Router,
        options: ServerOptions,
    ) -> Result<Service, BadAnnotation>;

    /// The adapter's `http::service`.
    fn http_service(config: ServerConfig, options: ServerOptions) -> (Server, Service);

    /// The adapter's `http::service_with`.
    fn http_service_with(
        config: ServerConfig,
        options: ServerOptions,
        replay: Box<dyn Replay>,
    ) -> (Server, Service);

    /// The adapter's `run_http`, on a socket that was bound elsewhere.
    fn run_http(
        listener: TcpListener,
        router: Router,
        options: ServerOptions,
        until: impl Future<Output = ()> + Send,
    ) -> impl Future<Output = io::Result<()>> + Send;

    /// The adapter's `http::server`, on a socket that was bound elsewhere.
    ///
    /// # Errors
    ///
    /// If its runtime does not take it.
    fn http_server(listener: TcpListener) -> io::Result<HttpServer>;

    /// The connections of a socket that was bound elsewhere.
    ///
    /// # Errors
    ///
    /// If its runtime does not take it.
    fn accept(listener: TcpListener) -> io::Result<Source>;

    /// The adapter's `ws::connector`.
    fn ws_connector() -> ws::Connector;

    /// The adapter's `ws::acceptor`.
    fn ws_acceptor() -> ws::Acceptor;

    /// The adapter's `connect_ws`.
    fn connect_ws(
        url: &str,
        config: ClientConfig,
    ) -> impl Future<Output = Result<Client, ConnectError>> + Send;

    /// The adapter's `ws::listen`.
    fn ws_listen(address: &str) -> impl Future<Output = io::Result<Listener>> + Send;

    /// The adapter's `ws::listen_exposed`.
    fn ws_listen_exposed(
        address: &str,
        acceptor: ws::Acceptor,
    ) -> impl Future<Output = io::Result<Listener>> + Send;
}

macro_rules! web {
    ($host:ident, $adapter:ident, $listener:expr, $accept:path) => {
        impl Web for $host {
            fn connector() -> http::Connector {
                $adapter::http::connector()
            }

            async fn connect_url(url: &str, config: ClientConfig) -> Result<Client, ConnectError> {
                $adapter::connect_url(url, config).await
            }

            fn http_client<L>(
                http: L,
                url: Uri,
                config: ClientConfig,
                options: ClientOptions,
                prepare: impl FnOnce(&Client),
            ) -> Client
            where
                L: HttpClient<Body: Send, Sending: Send> + Send + 'static,
            {
                $adapter::http::client(http, url, config, options, prepare)
            }

            fn http_router_service(
                router: Router,
                options: ServerOptions,
            ) -> Result<Service, BadAnnotation> {
                $adapter::http::router_service(router, options)
            }

            fn http_service(config: ServerConfig, options: ServerOptions) -> (Server, Service) {
                $adapter::http::service(config, options)
            }

            fn http_service_with(
                config: ServerConfig,
                options: ServerOptions,
                replay: Box<dyn Replay>,
            ) -> (Server, Service) {
                $adapter::http::service_with(config, options, replay)
            }

            async fn run_http(
                listener: TcpListener,
                router: Router,
                options: ServerOptions,
                until: impl Future<Output = ()> + Send,
            ) -> io::Result<()> {
                listener.set_nonblocking(true)?;
                $adapter::run_http($listener(listener)?, router, options, until).await
            }

            fn http_server(listener: TcpListener) -> io::Result<HttpServer> {
                listener.set_nonblocking(true)?;
                $adapter::http::server($listener(listener)?)
            }

            fn accept(listener: TcpListener) -> io::Result<Source> {
                $accept(listener)
            }

            fn ws_connector() -> ws::Connector {
                $adapter::ws::connector()
            }

            fn ws_acceptor() -> ws::Acceptor {
                $adapter::ws::acceptor()
            }

            async fn connect_ws(url: &str, config: ClientConfig) -> Result<Client, ConnectError> {
                $adapter::connect_ws(url, config).await
            }

            async fn ws_listen(address: &str) -> io::Result<Listener> {
                $adapter::ws::listen(address).await
            }

            async fn ws_listen_exposed(
                address: &str,
                acceptor: ws::Acceptor,
            ) -> io::Result<Listener> {
                $adapter::ws::listen_exposed(address, acceptor).await
            }
        }
    };
}

web!(TokioCurrentThread, mcp_tokio, tokio::net::TcpListener::from_std, hosts::tokio_accept);
web!(TokioMultiThread, mcp_tokio, tokio::net::TcpListener::from_std, hosts::tokio_accept);
web!(Smol, mcp_smol, smol::net::TcpListener::try_from, hosts::smol_accept);
web!(
    AsyncStd,
    mcp_async_std,
    |socket| io::Result::Ok(async_std::net::TcpListener::from(socket)),
    hosts::smol_accept
);

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
        let server = H::http_server(listener).expect("a socket that listens");
        Self::of::<H>(set(server), address, router)
    }

    /// Serves a router's tools on connections that are there already.
    pub fn on<H: Web>(ends: Ends, router: Router) -> Self {
        let address = SocketAddr::from(([127, 0, 0, 1], 80));
        Self::of::<H>(HttpServer::new(ends, address, H::platform()), address, router)
    }

    fn of<H: Web>(server: HttpServer, address: SocketAddr, router: Router) -> Self {
        let (stop, stopped) = bounded::<()>(1);
        let until = async move {
            let _ = stopped.recv().await;
        };
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

    /// Whether it has stopped.
    pub fn is_over(&self) -> bool {
        self.task.is_over()
    }

    /// Tells it to stop, and waits until it has.
    pub async fn stop(self) {
        self.tell();
        self.task.join().await.expect("it ran");
    }
}

/// What lies between a client and a server: it passes bytes on, until it is cut.
#[derive(Debug)]
pub struct Cable {
    /// Where it begins.
    pub address: SocketAddr,
    inside: Arc<Mutex<Inside>>,
}

#[derive(Debug, Default)]
struct Inside {
    /// Both ends of each connection.
    ends: Vec<TcpStream>,
    is_cut: bool,
    /// What the server said and the client does not hear, if it is so.
    swallowed: Option<Vec<u8>>,
}

impl Cable {
    /// One that leads here.
    pub fn to(address: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a socket");
        let cable =
            Self { address: listener.local_addr().expect("its address"), inside: Arc::default() };
        let shared = cable.inside.clone();
        thread::spawn(move || {
            while let Ok((near, _)) = listener.accept() {
                // Locked all the while: nobody comes in behind a cut.
                let mut inside = lock(&shared);
                let Some(far) = (!inside.is_cut).then(|| TcpStream::connect(address)) else {
                    continue;
                };
                let Ok(far) = far else { continue };
                let (mut from, mut to) = (again(&near), again(&far));
                thread::spawn(move || {
                    let _ = io::copy(&mut from, &mut to);
                    let _ = to.shutdown(Shutdown::Write);
                });
                let (from, to, shared) = (again(&far), again(&near), shared.clone());
                thread::spawn(move || drop(pass(from, to, &shared)));
                inside.ends.extend([near, far]);
            }
        });
        cable
    }

    /// Swallows what the server says from now on.
    pub fn swallow(&self) {
        lock(&self.inside).swallowed = Some(Vec::new());
    }

    /// Whether it has swallowed this.
    pub fn has_swallowed(&self, text: &str) -> bool {
        let inside = lock(&self.inside);
        let swallowed = inside.swallowed.as_deref().unwrap_or_default();
        swallowed.windows(text.len()).any(|part| part == text.as_bytes())
    }

    /// Ends every connection, and lets no other in.
    pub fn cut(&self) {
        let mut inside = lock(&self.inside);
        inside.is_cut = true;
        for end in inside.ends.drain(..) {
            // One that has ended is no longer connected.
            let _ = end.shutdown(Shutdown::Both);
        }
    }

    /// Lets connections in again, and everything through.
    pub fn mend(&self) {
        let mut inside = lock(&self.inside);
        (inside.is_cut, inside.swallowed) = (false, None);
    }
}

/// Passes on what a server says, or swallows it.
fn pass(mut from: TcpStream, mut to: TcpStream, inside: &Mutex<Inside>) -> io::Result<()> {
    let mut buffer = [0; 1 << 14];
    loop {
        let said = match from.read(&mut buffer)? {
            0 => return to.shutdown(Shutdown::Write),
            len => &buffer[..len],
        };
        let is_swallowed = match &mut lock(inside).swallowed {
            Some(swallowed) => {
                swallowed.extend_from_slice(said);
                true
            }
            None => false,
        };
        if !is_swallowed {
            to.write_all(said)?;
        }
    }
}

fn again(socket: &TcpStream) -> TcpStream {
    socket.try_clone().expect("a descriptor")
}

fn lock(inside: &Mutex<Inside>) -> MutexGuard<'_, Inside> {
    inside.lock().unwrap_or_else(PoisonError::into_inner)
}
