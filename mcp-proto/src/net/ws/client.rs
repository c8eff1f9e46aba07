//! The client's side: a URL becomes a connection.

use alloc::borrow::ToOwned;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::future::Future;
use core::time::Duration;
use std::io;

use async_tungstenite::client_async_with_config;
use async_tungstenite::tungstenite::Error;
use async_tungstenite::tungstenite::client::IntoClientRequest;
use async_tungstenite::tungstenite::http::header::SEC_WEBSOCKET_PROTOCOL;
use async_tungstenite::tungstenite::http::{HeaderName, HeaderValue, Request, Uri};

use super::counted::Counted;
use super::socket::{Socket, config};
use super::{PULSE, SUBPROTOCOL};
use crate::config::ClientConfig;
use crate::driver::Client;
use crate::net::timing::within;
use crate::net::{ConnectError, Dial, Stream, client_over_messages, target};

/// How long it may take until the WebSocket is open.
const OPENING: Duration = Duration::from_secs(30);

/// How to connect: with which headers, how long to try, whom to trust. Made by an adapter's `ws::connector`.
#[derive(Clone)]
#[must_use = "nothing happens until it connects"]
pub struct Connector {
    platform: Arc<dyn Dial>,
    headers: Vec<(String, String)>,
    timeout: Duration,
    pulse: Duration,
    tls: Option<Arc<rustls::ClientConfig>>,
}

impl Connector {
    /// No headers of its own; 30 s until the WebSocket is open; a ping after 30 s of silence; TLS with the roots
    /// that the system trusts.
    pub fn new(platform: impl Dial) -> Self {
        Self {
            platform: Arc::new(platform),
            headers: Vec::new(),
            timeout: OPENING,
            pulse: PULSE,
            tls: None,
        }
    }

    /// Sends a header with the handshake, such as `Authorization`. One that is none, or that the handshake itself
    /// sends, fails when it connects.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets how long it may take until the WebSocket is open.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets how long the server may be silent before it is sent a ping; the connection fails when that long again
    /// nothing is heard.
    pub fn ping_after(mut self, silence: Duration) -> Self {
        self.pulse = silence;
        self
    }

    /// Sets how TLS is spoken with a `wss://` URL.
    pub fn tls(mut self, config: Arc<rustls::ClientConfig>) -> Self {
        self.tls = Some(config);
        self
    }

    /// Connects, and waits until the server is ready.
    ///
    /// # Errors
    ///
    /// [`ConnectError`]: there is no connection, or no server at its other end.
    pub async fn connect(&self, url: &str, config: ClientConfig) -> Result<Client, ConnectError> {
        let client = self.open(url, config, |_| ()).await?;
        client.ready().await?;
        Ok(client)
    }

    /// As [`connect`](Self::connect), without waiting for the server to be ready. `prepare` runs before the first
    /// message is read, so that listeners set there miss nothing.
    ///
    /// # Errors
    ///
    /// [`ConnectError`]: there is no WebSocket.
    pub async fn open(
        &self,
        url: &str,
        config: ClientConfig,
        prepare: impl FnOnce(&Client),
    ) -> Result<Client, ConnectError> {
        let socket = self.reach(url, &config).await?;
        Ok(self.start(socket, config, prepare))
    }

    /// A WebSocket to the server at this URL, for messages as long as `config` allows. [`open`](Self::open) is a
    /// [client](crate::net::client_over_messages) over it.
    ///
    /// # Errors
    ///
    /// [`ConnectError`]: there is no WebSocket.
    pub async fn reach(&self, url: &str, config: &ClientConfig) -> Result<Socket, ConnectError> {
        let uri = target::url(url, SCHEMES)?;
        let request = request(&uri, &self.headers)?;
        let opening = async {
            let server = target::Server::of(&uri, self.tls.as_ref())?;
            let (stream, _) = server.reach(&*self.platform).await?;
            self.shake_hands(request, stream, config).await
        };
        self.in_time(opening).await
    }

    /// As [`open`](Self::open), over a stream that leads to the server already. The URL is what the handshake names.
    ///
    /// # Errors
    ///
    /// [`ConnectError`]: there is no WebSocket.
    pub async fn open_over(
        &self,
        stream: Stream,
        url: &str,
        config: ClientConfig,
        prepare: impl FnOnce(&Client),
    ) -> Result<Client, ConnectError> {
        let request = request(&target::url(url, SCHEMES)?, &self.headers)?;
        let socket = self.in_time(self.shake_hands(request, stream, &config)).await?;
        Ok(self.start(socket, config, prepare))
    }

    async fn in_time<T>(
        &self,
        opening: impl Future<Output = Result<T, ConnectError>>,
    ) -> Result<T, ConnectError> {
        let opened = within(self.timeout, opening, &*self.platform).await;
        opened.unwrap_or_else(|| Err(ConnectError::Io(io::ErrorKind::TimedOut.into())))
    }

    async fn shake_hands(
        &self,
        request: Request<()>,
        stream: Stream,
        client: &ClientConfig,
    ) -> Result<Socket, ConnectError> {
        let limits = config(client.max_message_len());
        match client_async_with_config(request, Counted::new(stream), Some(limits)).await {
            Ok((stream, _)) => Ok(Socket::new(stream, self.pulse, self.platform.clone())),
            Err(Error::Io(error)) => Err(ConnectError::Io(error)),
            Err(Error::Http(response)) => Err(ConnectError::Status(response.status().as_u16())),
            Err(error) => Err(ConnectError::NoWebSocket(error.to_string())),
        }
    }

    fn start(&self, socket: Socket, config: ClientConfig, prepare: impl FnOnce(&Client)) -> Client {
        client_over_messages(socket, config, self.platform.clone(), prepare)
    }
}

const SCHEMES: &[&str] = &["ws", "wss"];

/// The handshake's request, with headers of its sender's own.
fn request(uri: &Uri, headers: &[(String, String)]) -> Result<Request<()>, ConnectError> {
    let mut request = uri.into_client_request().map_err(|_| ConnectError::Url)?;
    for (name, value) in headers {
        let is_own = |name: &HeaderName| {
            request.headers().contains_key(name) || *name == SEC_WEBSOCKET_PROTOCOL
        };
        let (name, value) = target::header(name, value, is_own)?;
        request.headers_mut().append(name, value);
    }
    let subprotocol = HeaderValue::from_static(SUBPROTOCOL);
    request.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, subprotocol);
    Ok(request)
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What headers say is nobody's business.
        let headers: Vec<_> = self.headers.iter().map(|(name, _)| name).collect();
        f.debug_struct("Connector")
            .field("headers", &headers)
            .field("timeout", &self.timeout)
            .field("pulse", &self.pulse)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_leads_to_a_websocket() {
        for good in ["ws://localhost", "ws://127.0.0.1:80/mcp", "wss://[::1]:1/x?y=z"] {
            assert!(target::url(good, SCHEMES).is_ok(), "{good}");
        }
        for bad in [
            "http://localhost",
            "localhost",
            "/mcp",
            "ws://",
            "ws://user:pw@localhost/",
            "ws:x",
            "",
        ] {
            assert!(matches!(target::url(bad, SCHEMES), Err(ConnectError::Url)), "{bad}");
        }
    }

    #[test]
    fn headers_of_the_handshake_are_its_own() {
        let uri = target::url("ws://localhost/mcp", SCHEMES).unwrap();
        let request =
            |name: &str, value: &str| super::request(&uri, &[(name.to_owned(), value.to_owned())]);
        let good = request("Authorization", "Bearer x").unwrap();
        assert_eq!(good.headers()["authorization"], "Bearer x");
        assert_eq!(good.headers()["sec-websocket-protocol"], "mcp");
        for (name, value) in [
            ("Host", "evil.example"),
            ("Sec-WebSocket-Key", "x"),
            ("sec-websocket-protocol", "other"),
            ("Upgrade", "h2c"),
            ("X", "a\r\nHost: evil.example"),
            ("a b", "c"),
            ("", ""),
        ] {
            assert!(matches!(request(name, value), Err(ConnectError::Header(_))), "{name}");
        }
    }
}
