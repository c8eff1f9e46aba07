//! Where messages go: addresses within one origin.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use http::Uri;

/// The address that a server names by `reference`, seen from `base`. Nothing if it is of another origin, or none.
///
/// RFC 3986, 5.2.
pub(super) fn resolve(base: &Uri, reference: &str) -> Option<Uri> {
    let reference = reference.split('#').next().unwrap_or_default();
    // No address has them, and what they are taken for differs from program to program.
    if reference.bytes().any(|byte| byte <= b' ' || byte == b'\\' || byte == 0x7F) {
        return None;
    }
    let (scheme, authority) = (base.scheme_str()?, base.authority()?.as_str());
    let resolved: Uri = if reference.starts_with("//") {
        format!("{scheme}:{reference}").parse().ok()?
    } else if has_scheme(reference) {
        reference.parse().ok()?
    } else {
        let (path, query) = match reference.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (reference, None),
        };
        let (path, query) = match path {
            "" => (String::from(base.path()), query.or_else(|| base.query())),
            path if path.starts_with('/') => (without_dots(path), query),
            path => {
                let folder = base.path().rsplit_once('/').map_or("", |(folder, _)| folder);
                (without_dots(&format!("{folder}/{path}")), query)
            }
        };
        let query = query.map(|query| format!("?{query}")).unwrap_or_default();
        format!("{scheme}://{authority}{path}{query}").parse().ok()?
    };
    is_same_origin(base, &resolved).then_some(resolved)
}

/// Whether a scheme comes before anything else: a colon before the first slash or question mark.
fn has_scheme(reference: &str) -> bool {
    reference
        .split(['/', '?'])
        .next()
        .and_then(|first| first.split_once(':'))
        .is_some_and(|(scheme, _)| scheme.starts_with(|first: char| first.is_ascii_alphabetic()))
}

fn without_dots(path: &str) -> String {
    let mut kept = Vec::new();
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        match segment {
            "." | ".." => {
                if segment == ".." {
                    kept.pop();
                }
                if is_last {
                    kept.push("");
                }
            }
            segment => kept.push(segment),
        }
    }
    format!("/{}", kept.join("/"))
}

/// Scheme, host and port. An address with a user in it is of no origin.
fn is_same_origin(one: &Uri, other: &Uri) -> bool {
    let origin = |uri: &Uri| {
        let scheme = uri.scheme_str()?.to_ascii_lowercase();
        let authority = uri.authority()?;
        if authority.as_str().contains('@') {
            return None;
        }
        let usual = if scheme == "https" { 443 } else { 80 };
        let port = authority.port_u16().unwrap_or(usual);
        Some((scheme, authority.host().to_ascii_lowercase(), port))
    };
    origin(one).is_some_and(|one| Some(one) == origin(other))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn references_lead_where_rfc_3986_says() {
        let base: Uri = "https://a.example/b/sse?x=1".parse().unwrap();
        for (reference, address) in [
            ("/m?sessionId=1", "https://a.example/m?sessionId=1"),
            ("m", "https://a.example/b/m"),
            ("./m", "https://a.example/b/m"),
            ("../m?y", "https://a.example/m?y"),
            ("../../../m", "https://a.example/m"),
            ("..", "https://a.example/"),
            ("?z=2", "https://a.example/b/sse?z=2"),
            // What our own server announces: the prefix before it is of no account.
            ("?sessionId=1", "https://a.example/b/sse?sessionId=1"),
            ("", "https://a.example/b/sse?x=1"),
            ("//a.example/m", "https://a.example/m"),
            ("https://A.example:443/m#f", "https://a.example:443/m"),
            ("m/a:b", "https://a.example/b/m/a:b"),
        ] {
            let resolved = resolve(&base, reference).map(|uri| uri.to_string());
            assert_eq!(
                resolved.map(|uri| uri.to_ascii_lowercase()).as_deref(),
                Some(address.to_ascii_lowercase().as_str()),
                "{reference}"
            );
        }
    }

    #[test]
    fn other_origins_are_refused() {
        let base: Uri = "https://a.example/sse".parse().unwrap();
        for reference in [
            "//evil.example/m",
            "https://evil.example/m",
            "http://a.example/m",
            "https://a.example:8443/m",
            "https://a.example@evil.example/m",
            "https://evil@a.example/m",
            "\\\\evil.example/m",
            "/\\evil.example/m",
            "javascript:alert(1)",
            "file:///etc/passwd",
            "/m\r\nX: y",
            "/a b",
        ] {
            assert_eq!(resolve(&base, reference), None, "{reference}");
        }
    }
}
