//! The client's side: a URL becomes a connection.

use std::sync::Arc;
use std::time::Duration;

use mcp_proto::ClientConfig;
use mcp_proto::driver::{self, Client};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_tungstenite::client_async_with_config;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::header::SEC_WEBSOCKET_PROTOCOL;
use tokio_tungstenite::tungstenite::http::{HeaderName, HeaderValue, Request, Uri};

use super::socket::{Socket, config};
use super::{PULSE, SUBPROTOCOL};
use crate::ConnectError;
use crate::io::Clock;
use crate::target;

/// How long it may take until the WebSocket is open.
const OPENING: Duration = Duration::from_secs(30);

/// Connects to the server at a `ws://` or `wss://` URL, and waits until it is ready. See [`Connector`] for headers
/// and more.
///
/// # Errors
///
/// [`ConnectError`]: there is no connection, or no server at its other end.
pub async fn connect(url: &str, config: ClientConfig) -> Result<Client, ConnectError> {
    Connector::new().connect(url, config).await
}

/// How to connect: with which headers, how long to try, whom to trust.
///
/// ```no_run
/// # async fn example() -> Result<(), mcp_tokio::ConnectError> {
/// use mcp_tokio::ClientConfig;
/// use mcp_tokio::ws::Connector;
///
/// let connector = Connector::new().header("Authorization", "Bearer abc");
/// let client = connector.connect("wss://mcp.example.com/mcp", ClientConfig::new("example", "1.0")).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "nothing happens until it connects"]
pub struct Connector {
    headers: Vec<(String, String)>,
    timeout: Duration,
    pulse: Duration,
    tls: Option<Arc<rustls::ClientConfig>>,
}

impl Default for Connector {
    fn default() -> Self {
        Self { headers: Vec::new(), timeout: OPENING, pulse: PULSE, tls: None }
    }
}

/// A connection to a server before it is a WebSocket.
trait Pipe: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Pipe for S {}

impl Connector {
    /// No headers of its own; 30 s until the WebSocket is open; a ping after 30 s of silence; TLS with the roots
    /// that the system trusts.
    pub fn new() -> Self {
        Self::default()
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
        let uri = target::url(url, SCHEMES)?;
        let request = self.request(&uri)?;
        let opening = async {
            let pipe = self.reach(&uri).await?;
            self.shake_hands(request, pipe, &config).await
        };
        let socket = within(self.timeout, opening).await?;
        Ok(start(socket, config, prepare))
    }

    /// As [`open`](Self::open), over a stream that leads to the server already. The URL is what the handshake names.
    ///
    /// # Errors
    ///
    /// [`ConnectError`]: there is no WebSocket.
    pub async fn open_over<S>(
        &self,
        stream: S,
        url: &str,
        config: ClientConfig,
        prepare: impl FnOnce(&Client),
    ) -> Result<Client, ConnectError>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let request = self.request(&target::url(url, SCHEMES)?)?;
        let socket = within(self.timeout, self.shake_hands(request, stream, &config)).await?;
        Ok(start(socket, config, prepare))
    }

    async fn reach(&self, uri: &Uri) -> Result<Box<dyn Pipe>, ConnectError> {
        let is_secure = uri.scheme_str() == Some("wss");
        let host = uri.host().unwrap_or_default();
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let port = uri.port_u16().unwrap_or(if is_secure { 443 } else { 80 });
        let stream = TcpStream::connect((host, port)).await?;
        stream.set_nodelay(true)?;
        if !is_secure {
            return Ok(Box::new(stream));
        }
        let tls = self.tls.clone().map_or_else(crate::tls::client_config, Ok)?;
        Ok(Box::new(crate::tls::connect(tls, host, stream).await?))
    }

    async fn shake_hands<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        request: Request<()>,
        stream: S,
        client: &ClientConfig,
    ) -> Result<Socket<S>, ConnectError> {
        let limits = config(client.max_message_len());
        match client_async_with_config(request, stream, Some(limits)).await {
            Ok((stream, _)) => Ok(Socket::new(stream, self.pulse)),
            Err(Error::Io(error)) => Err(ConnectError::Io(error)),
            Err(Error::Http(response)) => Err(ConnectError::Status(response.status().as_u16())),
            Err(error) => Err(ConnectError::NoWebSocket(error.to_string())),
        }
    }

    fn request(&self, uri: &Uri) -> Result<Request<()>, ConnectError> {
        let mut request = uri.into_client_request().map_err(|_| ConnectError::Url)?;
        for (name, value) in &self.headers {
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
}

const SCHEMES: &[&str] = &["ws", "wss"];

async fn within<T>(
    limit: Duration,
    opening: impl Future<Output = Result<T, ConnectError>>,
) -> Result<T, ConnectError> {
    match tokio::time::timeout(limit, opening).await {
        Ok(opened) => opened,
        Err(_) => Err(ConnectError::Io(std::io::ErrorKind::TimedOut.into())),
    }
}

fn start<S>(socket: Socket<S>, config: ClientConfig, prepare: impl FnOnce(&Client)) -> Client
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (client, driver) = driver::client_over_messages(socket, config, Clock::new());
    prepare(&client);
    tokio::spawn(driver);
    client
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
        let request = |name: &str, value: &str| Connector::new().header(name, value).request(&uri);
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
