//! Why there is no connection to the server at a URL, and what to try.

use std::io;

use mcp_tokio::ConnectError;
use mcp_tokio::mcp_proto::HttpError;

use crate::failure::{Failure, Kind, Whereabouts};
use crate::text::one_line;

const TOKEN: &str = "--header \"Authorization: Bearer TOKEN\", if the server asks for one";

/// There is no connection.
pub(crate) fn not_connected(url: &str, error: &ConnectError) -> Failure {
    let shown = one_line(url);
    let cause = match error {
        ConnectError::Io(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            format!("nobody listens there ({})", one_line(&error.to_string()))
        }
        ConnectError::Io(error) => one_line(&error.to_string()),
        ConnectError::Status(status) => format!("HTTP status {status}"),
        error => one_line(&error.to_string()),
    };
    let failure = Failure::new(Kind::Connect, format!("cannot connect to {shown}: {cause}"));
    match error {
        ConnectError::Url => Failure::new(Kind::Usage, format!("{shown} is no URL of a server"))
            .hint(
                "http://HOST:PORT/PATH or ws://HOST:PORT/PATH; https:// or wss:// for one with TLS",
            ),
        ConnectError::Header(name) => {
            Failure::new(Kind::Usage, format!("the header {:?} cannot be sent", one_line(name)))
        }
        ConnectError::Io(error) => match error.kind() {
            io::ErrorKind::ConnectionRefused => {
                failure.hint("check host and port, and that the server is running")
            }
            io::ErrorKind::TimedOut => {
                failure.hint("check host and port, and whether a firewall is between")
            }
            io::ErrorKind::InvalidData => failure.hint(Whereabouts::Url.is_it_mcp()),
            _ => failure.hint(format!(
                "check host and port, and whether it is {} that is served there",
                one_line(&otherwise(url))
            )),
        },
        ConnectError::NoTls(_) => {
            failure.hint(format!("{}, for a server without TLS", one_line(&otherwise(url))))
        }
        ConnectError::NoHttp(_) | ConnectError::NoWebSocket(_) => failure.hint(format!(
            "{}, if the server speaks TLS; else check the port",
            one_line(&otherwise(url))
        )),
        ConnectError::Certificate(_) => failure
            .hint("SSL_CERT_FILE=FILE with the certificate of the authority, if you trust it"),
        ConnectError::Status(401 | 403) => failure.hint(TOKEN),
        ConnectError::Status(_) => failure.hint(
            "check the path of the URL, and that this is an MCP server that speaks WebSocket",
        ),
        _ => failure,
    }
}

/// HTTP failed before the server was ready. `trouble` is why the last request had no response.
pub(crate) fn not_reached(url: &str, error: &HttpError, trouble: Option<ConnectError>) -> Failure {
    if let (HttpError::Unreachable, Some(trouble)) = (error, &trouble) {
        return not_connected(url, trouble);
    }
    let message = format!("cannot connect to {}: {}", one_line(url), one_line(&error.to_string()));
    let failure = Failure::new(Kind::Connect, message);
    match error {
        HttpError::Status { status: 401 | 403, .. } => failure.hint(TOKEN),
        HttpError::Status { .. } | HttpError::ContentType => {
            failure.hint(Whereabouts::Url.is_it_mcp())
        }
        _ => failure,
    }
}

/// The same URL with TLS if it has none, and without if it has.
fn otherwise(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or_default();
    let scheme = scheme.to_ascii_lowercase();
    match scheme.strip_suffix('s') {
        Some(plain) if plain != "w" => format!("{plain}://{rest}"),
        _ => format!("{scheme}s://{rest}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_other_url_differs_in_tls() {
        for (url, other) in [
            ("http://a:1/b", "https://a:1/b"),
            ("HTTPS://a", "http://a"),
            ("ws://a/s://", "wss://a/s://"),
            ("wss://a", "ws://a"),
        ] {
            assert_eq!(otherwise(url), other);
        }
    }

    #[test]
    fn each_failure_has_one_line_of_cause_and_one_of_what_to_try() {
        let refused = || io::Error::from(io::ErrorKind::ConnectionRefused);
        let errors = [
            ConnectError::Io(refused()),
            ConnectError::Io(io::ErrorKind::TimedOut.into()),
            ConnectError::Io(io::Error::other("a\nb")),
            ConnectError::Io(io::ErrorKind::InvalidData.into()),
            ConnectError::NoTls(refused()),
            ConnectError::Certificate(refused()),
            ConnectError::NoHttp("junk".into()),
            ConnectError::NoWebSocket("junk\n".into()),
            ConnectError::Status(401),
            ConnectError::Status(403),
            ConnectError::Status(404),
            ConnectError::Url,
        ];
        for error in errors {
            let failure = not_connected("http://a/\u{7}", &error);
            let said = failure.to_string();
            let lines: Vec<_> = said.lines().collect();
            assert!(
                lines.len() == 2 && lines[1].starts_with("  try: ") && !said.contains('\u{7}'),
                "{said}"
            );
        }
    }
}
