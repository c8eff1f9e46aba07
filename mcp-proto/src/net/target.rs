//! Where a client connects to, the way there, and the headers that it is given for that.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::sync::Arc;
use std::io;

use ::http::{HeaderName, HeaderValue, Uri};
use rustls::ClientConfig;

use super::connect_error::ConnectError;
use super::platform::Dial;
use super::reach::reach;
use super::stream::Stream;
use super::tls;

/// A URL of one of these schemes that leads somewhere. One with a user in it does not: whoever wants to be somebody there
/// says so in a header.
pub(crate) fn url(text: &str, schemes: &[&str]) -> Result<Uri, ConnectError> {
    let url: Uri = text.parse().map_err(|_| ConnectError::Url)?;
    let is_known = url.scheme_str().is_some_and(|scheme| schemes.contains(&scheme));
    let leads =
        url.authority().is_some_and(|at| !at.as_str().contains('@') && !at.host().is_empty());
    if is_known && leads { Ok(url) } else { Err(ConnectError::Url) }
}

/// A header that is one, unless `is_own` says that the protocol sets it. Its value is never shown.
pub(crate) fn header(
    name: &str,
    value: &str,
    is_own: impl FnOnce(&HeaderName) -> bool,
) -> Result<(HeaderName, HeaderValue), ConnectError> {
    let wrong = || ConnectError::Header(name.to_owned());
    let key = HeaderName::try_from(name).map_err(|_| wrong())?;
    let mut value = HeaderValue::try_from(value).map_err(|_| wrong())?;
    if is_own(&key) {
        return Err(wrong());
    }
    value.set_sensitive(true);
    Ok((key, value))
}

/// A server as it is reached.
pub(crate) struct Server {
    host: String,
    port: u16,
    /// How TLS is spoken with it, if it is.
    tls: Option<Arc<ClientConfig>>,
}

impl Server {
    /// The server of a [`url`]. TLS is spoken as it is given, else with those whom the system trusts.
    ///
    /// # Errors
    ///
    /// If the system trusts nobody.
    pub(crate) fn of(url: &Uri, tls: Option<&Arc<ClientConfig>>) -> io::Result<Self> {
        let is_secure = matches!(url.scheme_str(), Some("https" | "wss"));
        let host = url.host().unwrap_or_default();
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let tls = match tls {
            _ if !is_secure => None,
            Some(tls) => Some(tls.clone()),
            None => Some(tls::client_config()?),
        };
        let port = url.port_u16().unwrap_or(if is_secure { 443 } else { 80 });
        Ok(Self { host: host.to_owned(), port, tls })
    }

    /// Offers to speak one of these inside TLS, unless whoever chose how that is spoken did so.
    #[cfg(feature = "net-http")]
    pub(crate) fn offer(&mut self, protocols: &[&[u8]]) {
        if let Some(tls) = &mut self.tls
            && tls.alpn_protocols.is_empty()
        {
            let protocols = protocols.iter().map(|name| name.to_vec()).collect();
            Arc::make_mut(tls).alpn_protocols = protocols;
        }
    }

    /// Connects to it. What both sides agreed to speak inside TLS is returned too, if they did.
    pub(crate) async fn reach(
        &self,
        platform: &dyn Dial,
    ) -> Result<(Stream, Option<tls::Protocol>), ConnectError> {
        let stream = reach(platform, &self.host, self.port).await?;
        match &self.tls {
            Some(tls) => tls::connect(tls.clone(), &self.host, stream).await,
            None => Ok((stream, None)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_says_which_server_to_dial() {
        for (text, host, port) in [
            ("http://localhost/mcp", "localhost", 80),
            ("ws://127.0.0.1:4000", "127.0.0.1", 4000),
            ("http://[::1]:1/x?y=z", "::1", 1),
            ("https://mcp.example.com", "mcp.example.com", 443),
            ("wss://[2001:db8::1]/", "2001:db8::1", 443),
        ] {
            let url = url(text, &["http", "https", "ws", "wss"]).unwrap();
            let provider = Arc::new(rustls::crypto::ring::default_provider());
            let tls = ClientConfig::builder_with_provider(provider)
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_root_certificates(rustls::RootCertStore::empty())
                .with_no_client_auth();
            let server = Server::of(&url, Some(&Arc::new(tls))).unwrap();
            assert_eq!((&*server.host, server.port), (host, port), "{text}");
            assert_eq!(server.tls.is_some(), port == 443, "{text}");
        }
    }
}
