//! Faults in finding out which era a server belongs to, each a test named after the fault.

use mcp_proto::{
    CallToolResult, ClientConfig, CloseReason, Event, Revision, RevisionSet, SendError,
    ServerConfig,
};
use mcp_tests::Hand;

/// R-ERA-04. An old server may answer the probe with anything, also with what is no answer at all.
#[test]
fn nonsense_for_an_answer_to_the_probe_means_an_old_server() {
    for answer in [
        "\"error\":{\"code\":-32601}",
        "\"error\":{\"code\":\"x\",\"message\":\"m\"}",
        "\"error\":\"unknown method\"",
        "\"result\":null",
        "\"result\":[]",
    ] {
        let mut client = Hand::client_with(ClientConfig::new("c", "1"));
        let said = client.said();
        assert!(said[0].contains("server/discover"), "{said:?}");
        client.feed(format!("{{\"jsonrpc\":\"2.0\",\"id\":1,{answer}}}\n"));
        let said = client.said();
        assert!(
            matches!(&said[..], [line] if line.contains("\"initialize\"")),
            "{answer}: {said:?}"
        );
        let told = client.told();
        assert!(matches!(told[..], [Event::Violation(_)]), "{answer}: {told:?}");
    }
}

/// R-RPC-15. A request that came before the client knew that the server is modern, which must not ask.
#[test]
fn a_modern_server_is_not_answered_though_it_asked_early() {
    let mut client = Hand::client_with(ClientConfig::new("c", "1"));
    client.said();
    client.feed("{\"jsonrpc\":\"2.0\",\"id\":\"r\",\"method\":\"roots/list\"}\n");
    assert!(matches!(client.told()[..], [Event::Request { .. }]));
    client.feed(
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"resultType\":\"complete\",\"supportedVersions\":\
         [\"2026-07-28\"],\"capabilities\":{}}}\n",
    );
    let told = client.told();
    assert!(matches!(told[..], [Event::Cancelled { .. }, Event::Ready(_)]), "{told:?}");
    let now = client.now();
    let answered = client.conn().respond(&"r".into(), &CallToolResult::text("roots"), now);
    assert_eq!(answered, Err(SendError::Cancelled));
    assert_eq!((client.said(), client.conn().requests_in_flight()), (vec![], 0));
}

/// A session has a revision of the legacy era that this server speaks: what else is asked for is answered with
/// the newest of these.
#[test]
fn initialize_agrees_on_no_revision_without_sessions_and_on_none_that_is_not_spoken() {
    let all = ServerConfig::new("s", "1");
    let some =
        all.clone().revisions(RevisionSet::only(Revision::V2025_06_18).with(Revision::V2026_07_28));
    for (config, asked, agreed) in [
        (&all, "2026-07-28", "2025-11-25"),
        (&all, "2025-03-26", "2025-03-26"),
        (&all, "1999-01-01", "2025-11-25"),
        (&some, "2025-03-26", "2025-06-18"),
        (&some, "2026-07-28", "2025-06-18"),
    ] {
        let mut server = Hand::silent_server(config.clone());
        server.feed(format!(
            "{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{{\"protocolVersion\":\"{asked}\",\
             \"capabilities\":{{}},\"clientInfo\":{{\"name\":\"c\",\"version\":\"1\"}}}}}}\n"
        ));
        let said = server.said();
        let is_agreed = said[0].contains(&format!("\"protocolVersion\":\"{agreed}\""));
        assert!(is_agreed, "{asked}: {said:?}");
    }
}

/// R-LIFE-03. What a client takes for the answer to `initialize`, and what it keeps of it.
#[test]
fn the_answer_to_initialize_is_whole_and_of_a_revision_that_was_offered() {
    let answer = |version: &str, members: &str| {
        let config = ClientConfig::new("c", "1");
        let config =
            config.revisions(RevisionSet::only(Revision::V2025_06_18).with(Revision::V2025_11_25));
        let mut client = Hand::client_with(config);
        client.said();
        client.feed(format!(
            "{{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{{\"protocolVersion\":\"{version}\"{members}}}}}\n"
        ));
        client.told().pop()
    };
    let (info, none) =
        (",\"serverInfo\":{\"name\":\"s\",\"version\":\"1\"}", ",\"capabilities\":{}");
    let words = ",\"instructions\":\"Ask first.\"";
    let Some(Event::Ready(peer)) = answer("2025-06-18", &format!("{none}{info}{words}")) else {
        panic!("it is whole");
    };
    assert_eq!(peer.revision, Revision::V2025_06_18);
    assert_eq!(peer.instructions.as_deref(), Some("Ask first."));
    for version in ["2025-03-26", "2026-07-28", "1999-01-01"] {
        let told = answer(version, &format!("{none}{info}"));
        assert_eq!(told, Some(Event::Closed(CloseReason::NoCommonVersion)), "{version}");
    }
    for part in [info, none, ""] {
        let told = answer("2025-11-25", part);
        assert_eq!(told, Some(Event::Closed(CloseReason::HandshakeInvalid)), "{part}");
    }
}

/// A legacy client that names its revision in `_meta` is told what is wrong with that.
#[test]
fn an_unsupported_version_is_refused_with_what_would_do() {
    for (asked, words) in
        [("2025-06-18", "begins with initialize"), ("1999-01-01", "unsupported protocol version")]
    {
        let mut server = Hand::silent_server(ServerConfig::new("s", "1"));
        server.feed(format!(
            "{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\",\"params\":{{\"_meta\":{{\
             \"io.modelcontextprotocol/protocolVersion\":\"{asked}\",\
             \"io.modelcontextprotocol/clientInfo\":{{\"name\":\"c\",\"version\":\"1\"}},\
             \"io.modelcontextprotocol/clientCapabilities\":{{}}}}}}}}\n"
        ));
        let said = server.said();
        assert!(
            matches!(&said[..], [line] if line.contains(words) && line.contains("-32022")),
            "{asked}: {said:?}"
        );
    }
}
