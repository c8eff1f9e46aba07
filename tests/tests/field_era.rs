//! Faults in finding out which era a server belongs to, each a test named after the fault.

use mcp_proto::{CallToolResult, ClientConfig, Event, SendError};
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
