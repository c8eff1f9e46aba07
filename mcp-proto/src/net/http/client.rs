//! A client on HTTP: a URL becomes a conversation.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use ::hyper::Uri;

use super::hyper::Hyper;
use crate::config::ClientConfig;
use crate::driver::Client;
use crate::driver::http::{self, HttpClient};
use crate::http::ClientOptions;
use crate::net::platform::drive;
use crate::net::{ConnectError, Dial, Platform, target};

/// How to connect: with which headers, whom to trust, within which limits. Made by an adapter's `http::connector`.
///
/// Streams that are cut are taken up again where the revision allows it, with back-off; see
/// [`ClientOptions`].
#[derive(Clone)]
#[must_use = "nothing happens until it connects"]
pub struct Connector {
    platform: Arc<dyn Dial>,
    options: ClientOptions,
    headers: Vec<(String, String)>,
    tls: Option<Arc<rustls::ClientConfig>>,
    is_http2: bool,
}

impl Connector {
    /// No headers of its own; TLS with the roots that the system trusts.
    pub fn new(platform: impl Dial) -> Self {
        Self {
            platform: Arc::new(platform),
            options: ClientOptions::default(),
            headers: Vec::new(),
            tls: None,
            is_http2: false,
        }
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
        let http = self.reach(url)?;
        let client = self.open_over(http.clone(), url, config, |_| ())?;
        match client.ready().await {
            Ok(_) => Ok(client),
            Err(reason) => Err(http.take_trouble().unwrap_or(ConnectError::NotReady(reason))),
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
        self.open_over(self.reach(url)?, url, config, prepare)
    }

    /// What requests to the server at this URL are sent with. Nothing is sent yet.
    ///
    /// # Errors
    ///
    /// [`ConnectError::Url`], and [`ConnectError::Io`] if the system trusts nobody.
    pub fn reach(&self, url: &str) -> Result<Hyper, ConnectError> {
        let url = target::url(url, SCHEMES)?;
        let server = target::Server::of(&url, self.tls.as_ref())?;
        Ok(Hyper::new(&url, server, self.is_http2, self.platform.clone()))
    }

    /// As [`open`](Self::open), over any HTTP library, or over what [`reach`](Self::reach) gives, inside another that
    /// looks at what passes.
    ///
    /// # Errors
    ///
    /// [`ConnectError::Url`] and [`ConnectError::Header`].
    pub fn open_over<H>(
        &self,
        http: H,
        url: &str,
        config: ClientConfig,
        prepare: impl FnOnce(&Client),
    ) -> Result<Client, ConnectError>
    where
        H: HttpClient<Body: Send, Sending: Send> + Send + 'static,
    {
        let url = target::url(url, SCHEMES)?;
        let mut options = self.options.clone();
        for (name, value) in &self.headers {
            let (name, value) = target::header(name, value, ClientOptions::is_own)?;
            options = options.header(name, value);
        }
        Ok(client(http, url, config, options, self.platform.clone(), prepare))
    }
}

const SCHEMES: &[&str] = &["http", "https"];

/// A client of the server at an absolute `url`, over any HTTP library. It is not waited for: calls leave when the
/// server is ready. `prepare` runs before the first byte is sent.
pub fn client<H>(
    http: H,
    url: Uri,
    config: ClientConfig,
    options: ClientOptions,
    platform: impl Platform + Clone,
    prepare: impl FnOnce(&Client),
) -> Client
where
    H: HttpClient<Body: Send, Sending: Send> + Send + 'static,
{
    let (client, driver) = http::connect(http, url, config, options, platform.clone());
    prepare(&client);
    drive(&platform, driver);
    client
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What headers say is nobody's business.
        let headers: Vec<_> = self.headers.iter().map(|(name, _)| name).collect();
        f.debug_struct("Connector")
            .field("options", &self.options)
            .field("headers", &headers)
            .field("is_http2", &self.is_http2)
            .finish_non_exhaustive()
    }
}
