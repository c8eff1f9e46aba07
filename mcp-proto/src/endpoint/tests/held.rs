//! What was asked for before the peer was ready.

use super::*;

fn small(config: &mut ClientConfig) {
    (config.limits.max_output_len, config.limits.max_outbox_len) = (10_000, 10_000);
}

#[test]
fn a_call_that_is_given_up_while_it_is_held_gives_back_its_own_room_and_no_more() {
    let mut client = new_client(small);
    said(&mut client);
    let first = call(&mut client, 3_000).unwrap();
    call(&mut client, 4_000).unwrap();
    assert_eq!(call(&mut client, 4_000), Err(SendError::OutboxFull));
    client.cancel(&first, None, NOW);
    assert_eq!(call(&mut client, 6_000), Err(SendError::OutboxFull));
    call(&mut client, 5_000).unwrap();
}

#[test]
fn all_that_is_held_leaves_once_the_peer_is_ready() {
    let mut client = new_client(small);
    said(&mut client);
    let calls: Vec<_> = (0..8).map(|_| call(&mut client, 1_000).unwrap()).collect();
    hear(&mut client, &welcome(Revision::V2026_07_28));
    assert!(matches!(told(&mut client)[..], [Event::Ready(_)]));
    let said = said(&mut client);
    assert_eq!(said.len(), calls.len());
    let has_id = |(id, line): (&RequestId, &String)| line.contains(&format!("\"id\":{id},"));
    assert!(calls.iter().zip(&said).all(has_id), "{said:?}");
}

/// The engine's own call takes no place of theirs, whatever it turns out to be.
#[test]
fn as_many_calls_are_held_as_may_be_made() {
    let mut client = new_client(|config| config.limits.max_calls = 1);
    let first = call(&mut client, 10).unwrap();
    assert_eq!(call(&mut client, 10), Err(SendError::TooManyCalls));
    let refused = r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"no"}}"#;
    hear(&mut client, refused);
    assert_eq!(call(&mut client, 10), Err(SendError::TooManyCalls));
    let ready = welcome(Revision::V2025_11_25).replace("\"id\":1", "\"id\":3");
    hear(&mut client, &ready);
    assert!(matches!(told(&mut client)[..], [Event::Ready(_)]));
    assert_eq!(call(&mut client, 10), Err(SendError::TooManyCalls));
    assert_eq!(first.as_i64(), Some(2));
    hear(&mut client, r#"{"jsonrpc":"2.0","id":2,"result":{}}"#);
    assert!(call(&mut client, 10).is_ok());
}

/// Otherwise names of methods, and metadata, would be room for nothing.
#[test]
fn the_name_and_the_metadata_of_what_is_held_count() {
    let thousand = "m".repeat(1_000);
    let meta = RawJson::parse(format!("{{\"x\":\"{}\"}}", "x".repeat(992))).unwrap();
    for (method, options) in
        [(&*thousand, CallOptions::default()), ("m", CallOptions::default().meta(meta))]
    {
        let mut client = new_client(small);
        said(&mut client);
        let mut count = 0;
        while client.request_raw(method, None, options.clone(), NOW).is_ok() {
            count += 1;
        }
        assert!((7..10).contains(&count), "{count} of 1,000 bytes in 10,000");
    }
}

#[test]
fn a_server_asks_in_a_session_that_has_begun_and_not_before_or_behind() {
    let mut server = new_server();
    assert_eq!(call(&mut server, 10), Err(SendError::Unsupported));
    hear(&mut server, &initialize(Revision::V2025_11_25));
    assert_eq!(call(&mut server, 10), Err(SendError::NotReady));
    hear(&mut server, INITIALIZED);
    assert!(call(&mut server, 10).is_ok());
    let mut modern = new_server();
    hear(
        &mut modern,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{},"io.modelcontextprotocol/clientInfo":{"name":"c","version":"1"}}}}"#,
    );
    assert!(matches!(told(&mut modern)[..], [Event::Request { .. }]));
    assert_eq!(call(&mut modern, 10), Err(SendError::Unsupported));
}
