//! A client on HTTP: a URL becomes a conversation.

use std::io;
use std::sync::Arc;

use hyper::Uri;
use mcp_proto::ClientConfig;
use mcp_proto::driver::Client;
use mcp_proto::driver::http::{self, HttpClient};
use mcp_proto::http::ClientOptions;

use super::hyper::Hyper;
use crate::ConnectError;
use crate::io::Clock;
use crate::target;

/// Connects to the server at an `http://` or `https://` URL, and waits until it is ready. See [`Connector`] for headers
/// and more.
///
/// # Errors
///
/// [`ConnectError`]: there is no server, or none that becomes ready.
pub async fn connect(url: &str, config: ClientConfig) -> Result<Client, ConnectError> {
    Connector::new().connect(url, config).await
}

/// How to connect: with which headers, whom to trust, within which limits.
///
/// Streams that are cut are taken up again where the revision allows it, with back-off; see
/// [`ClientOptions`].
///
/// ```no_run
/// use mcp_tokio::http::Connector;
/// use mcp_tokio::{CallTool, ClientConfig};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let connector = Connector::new().header("Authorization", "Bearer abc");
/// let client = connector.connect("https://example.com/mcp", ClientConfig::new("example", "1.0")).await?;
/// let call = client.call(CallTool::new("resize").argument("width", 800));
/// let result = call.on_progress(|report| println!("{}", report.progress)).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "nothing happens until it connects"]
pub struct Connector {
    options: ClientOptions,
    headers: Vec<(String, String)>,
    tls: Option<Arc<rustls::ClientConfig>>,
    is_http2: bool,
}

impl Connector {
    /// No headers of its own; TLS with the roots that the system trusts.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sends a header with every request, such as `Authorization`. Its value is never shown. One that is none, or
    /// that the protocol sets itself, fails when it connects.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets limits and patience.
    pub fn options(mut self, options: ClientOptions) -> Self {
        self.options = options;
        self
    }

    /// Sets how TLS is spoken with an `https://` URL.
    pub fn tls(mut self, config: Arc<rustls::ClientConfig>) -> Self {
        self.tls = Some(config);
        self
    }

    /// Speaks HTTP/2 without asking, for servers that do so without TLS. With TLS both sides agree by themselves.
    pub fn http2(mut self) -> Self {
        self.is_http2 = true;
        self
    }

    /// Connects, and waits until the server is ready.
    ///
    /// # Errors
    ///
    /// [`ConnectError`]: there is no server, or none that becomes ready.
    pub async fn connect(&self, url: &str, config: ClientConfig) -> Result<Client, ConnectError> {
        let client = self.open(url, config, |_| ())?;
        match client.ready().await {
            Ok(_) => Ok(client),
            Err(reason) => Err(match client.last_trouble() {
                Some(trouble) => ConnectError::Io(io::Error::other(trouble)),
                None => ConnectError::NotReady(reason),
            }),
        }
    }

    /// As [`connect`](Self::connect), without the waiting. `prepare` runs before the first byte is sent, so that
    /// listeners set there miss nothing.
    ///
    /// # Errors
    ///
    /// [`ConnectError::Url`] and [`ConnectError::Header`], and [`ConnectError::Io`] if the system trusts nobody.
    pub fn open(
        &self,
        url: &str,
        config: ClientConfig,
        prepare: impl FnOnce(&Client),
    ) -> Result<Client, ConnectError> {
        let url = target::url(url, &["http", "https"])?;
        let mut options = self.options.clone();
        for (name, value) in &self.headers {
            let (name, value) = target::header(name, value, ClientOptions::is_own)?;
            options = options.header(name, value);
        }
        let hyper = match &self.tls {
            Some(tls) => Hyper::with(tls.clone(), self.is_http2),
            None => Hyper::new(&url, self.is_http2)?,
        };
        Ok(client(hyper, url, config, options, prepare))
    }
}

/// A client of the server at an absolute `url`, over any HTTP library. It is not waited for: calls leave when the
/// server is ready. `prepare` runs before the first byte is sent.
pub fn client<H>(
    http: H,
    url: Uri,
    config: ClientConfig,
    options: ClientOptions,
    prepare: impl FnOnce(&Client),
) -> Client
where
    H: HttpClient<Body: Send, Sending: Send> + Send + 'static,
{
    let (client, driver) = http::connect(http, url, config, options, Clock::new());
    prepare(&client);
    tokio::spawn(driver);
    client
}
