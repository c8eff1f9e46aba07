//! Who may speak to a server: the names it is reached by, and the pages that may do so.

use alloc::collections::BTreeSet;
use alloc::string::String;
use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use http::header::{HOST, ORIGIN};
use http::uri::Authority;
use http::{HeaderMap, Uri};

/// Checks `Host` and `Origin` of every request before anything else of it is looked at.
///
/// A page that somebody visits can make their browser speak to a server on their own machine: by sending there
/// (then `Origin` names the page), or by giving its own name the address 127.0.0.1 (then `Host` names the
/// page; "DNS rebinding"). By default only the names of this machine may be spoken to, and only pages from there
/// may speak; a page of the very host that it speaks to always may.
///
/// `basic/transports`, security warning (every revision); 2026-07-28 `basic/transports/streamable-http`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    hosts: Allowed,
    origins: Allowed,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Allowed {
    /// The names of this machine, and these.
    Local(BTreeSet<String>),
    /// Every name: the caller checks them elsewhere.
    Any,
}

/// Why a request may not come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Denied {
    /// Its `Host` is not served here: a name that was rebound to this machine.
    Host,
    /// Its `Origin` is a page that may not speak here.
    Origin,
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host => f.write_str("this host is not served here"),
            Self::Origin => f.write_str("pages of this origin may not speak here"),
        }
    }
}

impl core::error::Error for Denied {}

impl Default for Allowed {
    fn default() -> Self {
        Self::Local(BTreeSet::new())
    }
}

impl Access {
    /// Only the names of this machine: `localhost`, 127.0.0.0/8 and `[::1]`, with any port.
    pub fn local() -> Self {
        Self::default()
    }

    /// Serves this name too, such as `mcp.example.com` or `mcp.example.com:8443`. Without a port it is served on
    /// any. Pages of that name may speak to it.
    #[must_use]
    pub fn host(mut self, host: &str) -> Self {
        self.hosts.add(host);
        self
    }

    /// Lets pages of this origin speak here, such as `https://app.example.com`, from wherever they are.
    #[must_use]
    pub fn origin(mut self, origin: &str) -> Self {
        self.origins.add(origin.strip_suffix('/').unwrap_or(origin));
        self
    }

    /// Looks at no `Host`: something in front of this server has done it.
    #[must_use]
    pub fn any_host(mut self) -> Self {
        self.hosts = Allowed::Any;
        self
    }

    /// Looks at no `Origin`: any page in the world may speak to this server, with what its visitor's browser has.
    #[must_use]
    pub fn any_origin(mut self) -> Self {
        self.origins = Allowed::Any;
        self
    }

    /// Whether a server with this policy can be of use at an address: one that others reach needs names to be
    /// reached by, or it would refuse them all.
    pub fn fits(&self, address: IpAddr) -> bool {
        address.is_loopback() || self.hosts != Allowed::default()
    }

    /// Whether a request with this target and these headers may come in.
    ///
    /// # Errors
    ///
    /// Why not; the answer is 403.
    pub fn check(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Denied> {
        if matches!(self.hosts, Allowed::Local(_)) && is_plainly_local(uri, headers) {
            return Ok(());
        }
        self.weigh(uri, headers)
    }

    /// The same for any request.
    fn weigh(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Denied> {
        let mut host = host(uri, headers);
        if let Allowed::Local(names) = &self.hosts {
            let is_allowed = host.as_ref().is_some_and(|host| {
                is_local(host.host())
                    || names.contains(&host.host().to_ascii_lowercase())
                    || names.contains(&host.as_str().to_ascii_lowercase())
            });
            if !is_allowed {
                return Err(Denied::Host);
            }
        } else {
            // Nobody knows whether it is ours, so a page of that name may be anybody's.
            host = None;
        }
        let Allowed::Local(origins) = &self.origins else { return Ok(()) };
        let mut named = headers.get_all(ORIGIN).iter();
        let Some(origin) = named.next() else { return Ok(()) };
        let origin = origin.to_str().ok().filter(|_| named.next().is_none());
        let is_allowed = origin.is_some_and(|origin| {
            origins.contains(&origin.to_ascii_lowercase()) || is_at_home(origin, host.as_ref())
        });
        if is_allowed { Ok(()) } else { Err(Denied::Origin) }
    }
}

impl Allowed {
    fn add(&mut self, name: &str) {
        if let Self::Local(names) = self {
            names.insert(name.to_ascii_lowercase());
        }
    }
}

/// Whether a request comes from no page, and speaks to this machine by a name that is mostly used. What is known without
/// reading the name as an authority.
fn is_plainly_local(uri: &Uri, headers: &HeaderMap) -> bool {
    let mut named = headers.get_all(HOST).iter();
    let (Some(host), None) = (named.next(), named.next()) else { return false };
    let name = ["127.0.0.1", "localhost"].into_iter();
    let behind = name.filter_map(|name| host.as_bytes().strip_prefix(name.as_bytes())).next();
    let is_port = |port: &[u8]| matches!(port.len(), 1..=5) && port.iter().all(u8::is_ascii_digit);
    let is_local = match behind {
        Some([b':', port @ ..]) => is_port(port),
        Some(nothing) => nothing.is_empty(),
        None => false,
    };
    is_local && uri.authority().is_none() && !headers.contains_key(ORIGIN)
}

/// Whom the request is for: HTTP/2 says it in the URI, HTTP/1.1 in a header, of which there must be one.
fn host(uri: &Uri, headers: &HeaderMap) -> Option<Authority> {
    let mut named = headers.get_all(HOST).iter();
    let header = match (named.next(), named.next()) {
        (Some(host), None) => Some(Authority::try_from(host.as_bytes()).ok()?),
        (None, _) => None,
        (Some(_), Some(_)) => return None,
    };
    match (uri.authority(), header) {
        (Some(authority), Some(header)) if *authority != header => None,
        (Some(authority), _) => Some(authority.clone()),
        (None, header) => header,
    }
    .filter(|host| !host.as_str().contains('@'))
}

/// Whether a page comes from this machine, or from the host that it speaks to.
fn is_at_home(origin: &str, host: Option<&Authority>) -> bool {
    let Some((scheme, rest)) = origin.split_once("://") else { return false };
    let Ok(page) = Authority::try_from(rest) else { return false };
    if !matches!(scheme, "http" | "https") || page.as_str().contains('@') {
        return false;
    }
    let port = |authority: &Authority| authority.port_u16();
    let default = Some(if scheme == "https" { 443 } else { 80 });
    let is_same = host.is_some_and(|host| {
        host.host().eq_ignore_ascii_case(page.host())
            && (port(host) == port(&page) || port(host).or(default) == port(&page).or(default))
    });
    is_same || is_local(page.host())
}

/// Whether a name can only mean this machine.
fn is_local(host: &str) -> bool {
    if host.eq_ignore_ascii_case("localhost") {
        return true;
    }
    match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) => address.parse() == Ok(Ipv6Addr::LOCALHOST),
        None => host.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use http::HeaderValue;

    fn check(access: &Access, host: &str, origin: Option<&str>) -> Result<(), Denied> {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_str(host).unwrap());
        if let Some(origin) = origin {
            headers.insert(ORIGIN, HeaderValue::from_str(origin).unwrap());
        }
        access.check(&Uri::from_static("/mcp"), &headers)
    }

    #[test]
    fn only_this_machine_may_be_spoken_to() {
        let local = Access::local();
        for host in
            ["localhost", "LocalHost:80", "127.0.0.1:8080", "127.3.2.1", "[::1]:1", "[0:0::1]"]
        {
            assert_eq!(check(&local, host, None), Ok(()), "{host}");
        }
        for host in [
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example:80",
            "10.0.0.1",
            "0.0.0.0",
            "[::]",
            "[::ffff:127.0.0.1]",
            "2130706433",
            "127.1",
            "",
            ":80",
            "localhost@evil.example",
            "evil@localhost",
        ] {
            assert_eq!(check(&local, host, None), Err(Denied::Host), "{host}");
        }
        // None, two, and two that differ.
        assert_eq!(local.check(&Uri::from_static("/mcp"), &HeaderMap::new()), Err(Denied::Host));
        let mut two = HeaderMap::new();
        two.append(HOST, HeaderValue::from_static("localhost"));
        assert_eq!(local.check(&Uri::from_static("http://localhost/"), &two), Ok(()));
        assert_eq!(local.check(&Uri::from_static("http://evil.example/"), &two), Err(Denied::Host));
        two.append(HOST, HeaderValue::from_static("localhost"));
        assert_eq!(local.check(&Uri::from_static("/mcp"), &two), Err(Denied::Host));
    }

    #[test]
    fn who_is_plainly_local_may_speak_when_all_is_weighed() {
        let hosts =
            ["localhost", "127.0.0.1", "Localhost", "127.0.0.2", "localhost.example", "[::1]", ""];
        let ports = [
            "", ":", ":0", ":80", ":65535", ":99999", ":123456", ":8o", ":80:80", ":-1", "@a", ".",
        ];
        let policies = [
            Access::local(),
            Access::local().host("a.example").origin("http://b.example"),
            Access::local().any_origin(),
        ];
        let mut plain = 0;
        for (host, port) in hosts.iter().flat_map(|host| ports.map(|port| (host, port))) {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, HeaderValue::from_str(&format!("{host}{port}")).unwrap());
            let local = Uri::from_static("/mcp");
            if is_plainly_local(&local, &headers) {
                plain += 1;
                for policy in &policies {
                    assert_eq!(policy.weigh(&local, &headers), Ok(()), "{headers:?}");
                }
            }
            assert!(!is_plainly_local(&Uri::from_static("http://localhost/"), &headers));
            let mut more = headers.clone();
            more.append(HOST, headers[HOST].clone());
            assert!(!is_plainly_local(&local, &more));
            headers.insert(ORIGIN, HeaderValue::from_static("http://localhost"));
            assert!(!is_plainly_local(&local, &headers));
        }
        assert_eq!(plain, 2 * 5, "two names, with the ports that are numbers and without");
    }

    #[test]
    fn only_pages_of_this_machine_and_of_the_host_may_speak() {
        let local = Access::local();
        for origin in ["http://localhost:3000", "https://127.0.0.1", "http://[::1]:5173"] {
            assert_eq!(check(&local, "127.0.0.1:8080", Some(origin)), Ok(()), "{origin}");
        }
        for origin in [
            "http://evil.example",
            "http://localhost.evil.example:8080",
            "null",
            "",
            "localhost",
            "file://localhost",
            "http://localhost/path",
            "http://evil.example@localhost",
            "chrome-extension://localhost",
        ] {
            assert_eq!(
                check(&local, "127.0.0.1:8080", Some(origin)),
                Err(Denied::Origin),
                "{origin}"
            );
        }
        let named = Access::local().host("MCP.example.com").origin("https://app.example.com/");
        let host = "mcp.example.com:8443";
        for origin in
            ["https://mcp.example.com:8443", "https://app.example.com", "http://localhost"]
        {
            assert_eq!(check(&named, host, Some(origin)), Ok(()), "{origin}");
        }
        for origin in
            ["https://mcp.example.com", "https://app.example.com:1", "http://app.example.com"]
        {
            assert_eq!(check(&named, host, Some(origin)), Err(Denied::Origin), "{origin}");
        }
        assert_eq!(check(&named, "mcp.example.com", Some("https://mcp.example.com")), Ok(()));
        assert_eq!(check(&named, "mcp.example.com.evil.example", None), Err(Denied::Host));
    }

    #[test]
    fn a_name_with_a_port_is_served_on_that_port_only() {
        let access = Access::local().host("mcp.example.com:8443");
        assert_eq!(check(&access, "mcp.example.com:8443", None), Ok(()));
        assert_eq!(check(&access, "mcp.example.com", None), Err(Denied::Host));
    }

    #[test]
    fn where_no_host_is_checked_a_page_of_that_host_is_still_a_stranger() {
        let access = Access::local().any_host();
        assert_eq!(check(&access, "evil.example", None), Ok(()));
        let own = Some("http://evil.example");
        assert_eq!(check(&access, "evil.example", own), Err(Denied::Origin));
        assert_eq!(check(&access.any_origin(), "evil.example", own), Ok(()));
    }

    #[test]
    fn two_origins_are_none() {
        let mut headers = HeaderMap::new();
        headers.append(HOST, HeaderValue::from_static("localhost"));
        headers.append(ORIGIN, HeaderValue::from_static("http://localhost"));
        headers.append(ORIGIN, HeaderValue::from_static("http://localhost"));
        let denied = Access::local().check(&Uri::from_static("/mcp"), &headers);
        assert_eq!(denied, Err(Denied::Origin));
    }

    #[test]
    fn a_server_that_others_reach_must_know_its_names() {
        let everywhere = IpAddr::from(Ipv4Addr::UNSPECIFIED);
        assert!(!Access::local().fits(everywhere));
        assert!(Access::local().fits(IpAddr::from(Ipv6Addr::LOCALHOST)));
        assert!(Access::local().host("mcp.example.com").fits(everywhere));
        assert!(Access::local().any_host().fits(everywhere));
    }
}
