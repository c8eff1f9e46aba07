//! The server's side: who may connect, and how.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use core::fmt;
use core::time::Duration;
use std::io;

use async_tungstenite::accept_hdr_async_with_config;
use async_tungstenite::tungstenite::Error;
use async_tungstenite::tungstenite::handshake::server::{
    Callback, ErrorResponse, Request, Response,
};
use async_tungstenite::tungstenite::http::header::SEC_WEBSOCKET_PROTOCOL;
use async_tungstenite::tungstenite::http::{HeaderValue, StatusCode};

use super::counted::Counted;
use super::socket::{Socket, config};
use super::{PULSE, SUBPROTOCOL};
use crate::config::ServerConfig;
use crate::driver::Server;
use crate::error::CloseReason;
use crate::http::Access;
use crate::net::run::run_handlers;
use crate::net::timing::{GREETING, within};
use crate::net::{Listener, Platform, Stream, serve_over_messages};
use crate::router::Router;

/// How WebSockets are accepted: from whom, and how long their handshake may take. Made by an adapter's `ws::acceptor`.
#[derive(Clone)]
#[must_use = "nobody is accepted yet"]
pub struct Acceptor {
    platform: Arc<dyn Platform>,
    access: Arc<Access>,
    timeout: Duration,
    pulse: Duration,
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

impl core::error::Error for AcceptError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            _ => None,
        }
    }
}

impl Acceptor {
    /// Programs and pages of this machine; 10 s for the handshake; a ping after 30 s of silence.
    pub fn new(platform: impl Platform) -> Self {
        Self {
            platform: Arc::new(platform),
            access: Arc::default(),
            timeout: GREETING,
            pulse: PULSE,
        }
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

    /// Accepts WebSockets from all who connect to a socket that listens.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) if others reach the socket and this knows no name to be reached
    /// by, see [`Access::host`].
    pub fn over(self, listener: Listener) -> io::Result<Listener> {
        if !listener.local_addr().is_some_and(|address| self.access.fits(address.ip())) {
            let why = "this server knows no name to be reached by; see `Access::host`";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        }
        Ok(listener.opened_by(move |stream, config, stop| {
            let acceptor = self.clone();
            Box::pin(async move {
                let socket = acceptor.shake_hands(stream, &config).await.ok()?;
                Some(acceptor.start(socket.until(&stop), config))
            })
        }))
    }

    /// Accepts a WebSocket over a stream, such as one of a TLS library, and serves it: its requests are to be
    /// [accepted](Server::accept).
    ///
    /// # Errors
    ///
    /// [`AcceptError`]: the client is refused, or is none.
    pub async fn accept(
        &self,
        stream: Stream,
        config: ServerConfig,
    ) -> Result<Server, AcceptError> {
        let socket = self.shake_hands(stream, &config).await?;
        Ok(self.start(socket, config))
    }

    /// Accepts a WebSocket over a stream and serves it with a router's tools, as an adapter's `run` does.
    ///
    /// # Errors
    ///
    /// [`AcceptError`]: the client is refused, or is none.
    pub async fn run(&self, stream: Stream, router: Router) -> Result<CloseReason, AcceptError> {
        let server = self.accept(stream, router.config()).await?;
        Ok(run_handlers(router, server, self.platform.clone()).await)
    }

    async fn shake_hands(
        &self,
        stream: Stream,
        server: &ServerConfig,
    ) -> Result<Socket, AcceptError> {
        let check = Check(&self.access);
        let limits = config(server.max_message_len());
        let stream = Counted::new(stream);
        let shaking = accept_hdr_async_with_config(stream, check, Some(limits));
        match within(self.timeout, shaking, &*self.platform).await {
            Some(Ok(stream)) => Ok(Socket::new(stream, self.pulse, self.platform.clone())),
            Some(Err(Error::Io(error))) => Err(AcceptError::Io(error)),
            Some(Err(Error::Http(response))) => {
                Err(AcceptError::Refused(response.status().as_u16()))
            }
            Some(Err(error)) => Err(AcceptError::NoWebSocket(error.to_string())),
            None => Err(AcceptError::TimedOut),
        }
    }

    fn start(&self, socket: Socket, config: ServerConfig) -> Server {
        serve_over_messages(socket, config, self.platform.clone())
    }
}

impl fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acceptor")
            .field("access", &self.access)
            .field("timeout", &self.timeout)
            .field("pulse", &self.pulse)
            .finish_non_exhaustive()
    }
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
