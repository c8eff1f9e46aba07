//! The server's side: who may connect, and how.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use mcp_proto::driver::{self, Server};
use mcp_proto::http::Access;
use mcp_proto::router::Router;
use mcp_proto::{CloseReason, ServerConfig};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::ToSocketAddrs;
use tokio::sync::watch;
use tokio_tungstenite::accept_hdr_async_with_config;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::handshake::server::{
    Callback, ErrorResponse, Request, Response,
};
use tokio_tungstenite::tungstenite::http::header::SEC_WEBSOCKET_PROTOCOL;
use tokio_tungstenite::tungstenite::http::{HeaderValue, StatusCode};

use super::socket::{Socket, config};
use super::{PULSE, SUBPROTOCOL};
use crate::io::Clock;
use crate::listen::Listener;
use crate::run::run_handlers;

/// How long a client may take for its handshake.
const OPENING: Duration = Duration::from_secs(10);

/// Listens for WebSockets on a loopback address, such as `127.0.0.1:4000`, for programs and pages of this machine.
/// With port 0 the system chooses one, see [`Listener::local_addr`].
///
/// # Errors
///
/// [`PermissionDenied`](io::ErrorKind::PermissionDenied) for an address that other machines reach; else why the
/// system refuses it.
pub async fn listen(address: impl ToSocketAddrs) -> io::Result<Listener> {
    Ok(over(crate::tcp::listen(address).await?, Acceptor::new()))
}

/// Listens for WebSockets on any address. What authenticates and encrypts has to be before it, such as a proxy.
///
/// # Errors
///
/// [`InvalidInput`](io::ErrorKind::InvalidInput) if others reach the address and `acceptor` knows no name to be
/// reached by, see [`Access::host`]; else why the system refuses it.
pub async fn listen_exposed(
    address: impl ToSocketAddrs,
    acceptor: Acceptor,
) -> io::Result<Listener> {
    let addresses: Vec<SocketAddr> = tokio::net::lookup_host(address).await?.collect();
    if !addresses.iter().all(|address| acceptor.access.fits(address.ip())) {
        let why = "this server knows no name to be reached by; see `Access::host`";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
    }
    Ok(over(crate::tcp::listen_exposed(&addresses[..]).await?, acceptor))
}

fn over(listener: Listener, acceptor: Acceptor) -> Listener {
    listener.opened_by(move |(reader, writer), config, stopped| {
        let acceptor = acceptor.clone();
        Box::pin(async move {
            let stream = tokio::io::join(reader, writer);
            acceptor.accept_until(stream, config, stopped).await.ok()
        })
    })
}

/// How WebSockets are accepted: from whom, and how long their handshake may take.
#[derive(Clone, Debug)]
#[must_use = "nobody is accepted yet"]
pub struct Acceptor {
    access: Arc<Access>,
    timeout: Duration,
    pulse: Duration,
}

impl Default for Acceptor {
    fn default() -> Self {
        Self { access: Arc::default(), timeout: OPENING, pulse: PULSE }
    }
}

/// Why there is no WebSocket.
#[derive(Debug)]
#[non_exhaustive]
pub enum AcceptError {
    /// The connection failed.
    Io(io::Error),
    /// The client took too long.
    TimedOut,
    /// The client was refused, with this status.
    Refused(u16),
    /// What the client sent is no handshake.
    NoWebSocket(String),
}

impl fmt::Display for AcceptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(what) => write!(f, "the connection failed: {what}"),
            Self::TimedOut => f.write_str("the client took too long"),
            Self::Refused(what) => write!(f, "the client was refused with status {what}"),
            Self::NoWebSocket(what) => write!(f, "no handshake of a WebSocket: {what}"),
        }
    }
}

impl From<io::Error> for AcceptError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl std::error::Error for AcceptError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            _ => None,
        }
    }
}

impl Acceptor {
    /// Programs and pages of this machine; 10 s for the handshake; a ping after 30 s of silence.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets who may connect.
    pub fn access(mut self, access: Access) -> Self {
        self.access = Arc::new(access);
        self
    }

    /// Sets how long a client may take for its handshake. Stops clients that say nothing from holding a place.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets how long a client may be silent before it is sent a ping; the connection fails when that long again
    /// nothing is heard.
    pub fn ping_after(mut self, silence: Duration) -> Self {
        self.pulse = silence;
        self
    }

    /// Accepts a WebSocket over a stream, such as one of a TLS library, and serves it: its requests are to be
    /// [accepted](Server::accept).
    ///
    /// # Errors
    ///
    /// [`AcceptError`]: the client is refused, or is none.
    pub async fn accept<S>(&self, stream: S, config: ServerConfig) -> Result<Server, AcceptError>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let socket = self.shake_hands(stream, &config).await?;
        Ok(start(socket, config))
    }

    /// Accepts a WebSocket over a stream and serves it with a router's tools, as [`run`](crate::run()) does.
    ///
    /// # Errors
    ///
    /// [`AcceptError`]: the client is refused, or is none.
    pub async fn run<S>(&self, stream: S, router: Router) -> Result<CloseReason, AcceptError>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let server = self.accept(stream, router.config()).await?;
        Ok(run_handlers(router, server).await)
    }

    /// As [`accept`](Self::accept), until `stopped` says that the server stops.
    pub(crate) async fn accept_until<S>(
        &self,
        stream: S,
        config: ServerConfig,
        stopped: watch::Receiver<bool>,
    ) -> Result<Server, AcceptError>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let socket = self.shake_hands(stream, &config).await?.until(stopped);
        Ok(start(socket, config))
    }

    async fn shake_hands<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: S,
        server: &ServerConfig,
    ) -> Result<Socket<S>, AcceptError> {
        let check = Check(&self.access);
        let limits = config(server.max_message_len());
        let shaking = accept_hdr_async_with_config(stream, check, Some(limits));
        match tokio::time::timeout(self.timeout, shaking).await {
            Ok(Ok(stream)) => Ok(Socket::new(stream, self.pulse)),
            Ok(Err(Error::Io(error))) => Err(AcceptError::Io(error)),
            Ok(Err(Error::Http(response))) => Err(AcceptError::Refused(response.status().as_u16())),
            Ok(Err(error)) => Err(AcceptError::NoWebSocket(error.to_string())),
            Err(_) => Err(AcceptError::TimedOut),
        }
    }
}

fn start<S>(socket: Socket<S>, config: ServerConfig) -> Server
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (server, driver) = driver::server_over_messages(socket, config, Clock::new());
    tokio::spawn(driver);
    server
}

/// Looks at the head of a handshake.
struct Check<'a>(&'a Access);

impl Callback for Check<'_> {
    fn on_request(
        self,
        request: &Request,
        mut response: Response,
    ) -> Result<Response, ErrorResponse> {
        self.0
            .check(request.uri(), request.headers())
            .map_err(|denied| refusal(StatusCode::FORBIDDEN, &denied.to_string()))?;
        let offered = request.headers().get_all(SEC_WEBSOCKET_PROTOCOL);
        let mut offered = offered.iter().filter_map(|offer| offer.to_str().ok());
        if !offered.any(|offer| offer.split(',').any(|name| name.trim() == SUBPROTOCOL)) {
            let why = "the subprotocol of this WebSocket is `mcp`";
            return Err(refusal(StatusCode::BAD_REQUEST, why));
        }
        let subprotocol = HeaderValue::from_static(SUBPROTOCOL);
        response.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, subprotocol);
        Ok(response)
    }
}

fn refusal(status: StatusCode, why: &str) -> ErrorResponse {
    let mut response = ErrorResponse::new(Some(format!("{why}\n")));
    *response.status_mut() = status;
    response
}
