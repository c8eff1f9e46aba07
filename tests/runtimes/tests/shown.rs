//! What errors of adapters say to people, and what their types show of themselves: no credentials.

use std::collections::BTreeSet;
use std::error::Error;
use std::fmt::Display;
use std::io;
use std::process::Command;
use std::time::Duration;

use mcp_proto::CloseReason;
use mcp_proto::net::ConnectError;
use mcp_proto::net::ws::AcceptError;
use mcp_tests::shown::shows;
use mcp_tokio::{http, ws};

fn are_all_told_apart<E: Display>(errors: &[E]) {
    let texts: BTreeSet<_> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(texts.len(), errors.len(), "{texts:#?}");
    for text in texts {
        assert!(!text.contains('\n') && !text.ends_with('.') && text.len() > 5, "{text:?}");
        assert!(!text.starts_with(|first: char| first.is_uppercase() && first != 'H'), "{text:?}");
    }
}

fn lost() -> io::Error {
    io::Error::other("the cable is cut")
}

#[test]
fn every_way_to_fail_is_told_apart_and_names_its_cause() {
    let failed: [ConnectError; 9] = [
        lost().into(),
        ConnectError::NoTls(lost()),
        ConnectError::Certificate(lost()),
        ConnectError::NoHttp("a greeting".into()),
        CloseReason::HandshakeTimeout.into(),
        ConnectError::Url,
        ConnectError::Header("Host".into()),
        ConnectError::Status(502),
        ConnectError::NoWebSocket("a page".into()),
    ];
    are_all_told_apart(&failed);
    for error in &failed {
        let has_cause = matches!(
            error,
            ConnectError::Io(_)
                | ConnectError::NoTls(_)
                | ConnectError::Certificate(_)
                | ConnectError::NotReady(_)
        );
        let cause = error.source().map(ToString::to_string);
        assert_eq!(cause.is_some(), has_cause, "{error}");
        assert!(cause.is_none_or(|cause| error.to_string().ends_with(&cause)), "{error}");
    }
    let refused: [AcceptError; 4] = [
        lost().into(),
        AcceptError::TimedOut,
        AcceptError::Refused(403),
        AcceptError::NoWebSocket("a greeting".into()),
    ];
    are_all_told_apart(&refused);
    assert_eq!(refused.iter().filter(|error| error.source().is_some()).count(), 1);
}

#[test]
fn what_is_shown_of_connectors_and_servers_tells_how_they_are_set_up_and_no_credentials() {
    let bearer = "Bearer hunter2";
    let soon = Duration::from_secs(7);
    let over_http = http::connector().header("Authorization", bearer);
    shows(&over_http, &["Connector", "Authorization"]);
    let over_ws = ws::connector().header("Authorization", bearer).timeout(soon).ping_after(soon);
    shows(&over_ws, &["Connector", "Authorization", "timeout: 7s", "pulse: 7s"]);
    shows(
        &ws::acceptor().timeout(soon).ping_after(soon),
        &["Acceptor", "timeout: 7s", "pulse: 7s"],
    );
}

#[test]
fn what_is_shown_of_what_listens_is_where() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = mcp_tokio::tcp::listen("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        shows(&listener.max_connections(7), &["Listener", &address, "max_connections: 7"]);
        let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap().to_string();
        let server = http::server(socket)
            .unwrap()
            .max_connections(0)
            .grace(Duration::from_secs(7))
            .idle_timeout(Duration::from_secs(8));
        // None could connect.
        let parts =
            ["HttpServer", &*address, "max_connections: 1", "grace: 7s", "idle_timeout: 8s"];
        shows(&server, &parts);
        let (near, _far) = tokio::io::duplex(64);
        shows(&mcp_tokio::stream(near), &["Stream"]);
        let mut command = Command::new("cat");
        command.arg("--key=hunter2").env("API_KEY", "hunter2");
        shows(&mcp_tokio::spawn(command), &["Spawn", "cat", "grace"]);
    });
}
