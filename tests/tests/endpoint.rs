//! The machine on whole messages, for transports that have no stream of bytes.

use std::marker::PhantomData;
use std::ops::DerefMut;

use mcp_proto::progress::Weight;
use mcp_proto::role::{Client, Server};
use mcp_proto::types::ClientCapabilities;
use mcp_proto::{
    CallError, CallOptions, CallToolResult, ClientConfig, CloseReason, Connection, Endpoint,
    ErrorObject, Event, Instant, Progress, Revision, ServerConfig,
};
use mcp_tests::{endings, handshake, values, work};

#[test]
fn two_ends_that_hand_each_other_whole_messages_complete_a_call() {
    for revision in [Revision::V2025_11_25, Revision::V2026_07_28] {
        let now = Instant::ZERO;
        let config = ClientConfig::new("c", "1").revisions(revision);
        let mut client = Endpoint::client(config, now);
        let mut server = Endpoint::server(ServerConfig::new("s", "1"));
        let ticket = client.request(&work(), CallOptions::default().tracked(), now).unwrap();
        let (mut told, mut routes) = (Vec::new(), Vec::new());
        loop {
            let mut moved = false;
            while let Some(sent) = client.poll_transmit() {
                assert!(!sent.message.contains(&b'\n'), "a message has no newline of its own");
                server.handle_message(sent.message, now);
                moved = true;
            }
            while let Some(event) = server.poll_event() {
                let Event::Request { id, .. } = event else { continue };
                server.report(&id, Progress::new(1.0), Weight::Ordinary, now).unwrap();
                server.respond(&id, &CallToolResult::text("done"), now).unwrap();
            }
            while let Some(sent) = server.poll_transmit() {
                routes.push(format!("{:?}", sent.route));
                client.handle_message(sent.message, now);
                moved = true;
            }
            told.extend(std::iter::from_fn(|| client.poll_event()));
            if !moved {
                break;
            }
        }
        assert_eq!((values(&told), endings(&told)), (vec![1.0], vec![(ticket.id().clone(), true)]));
        // The handshake, then the report and the result, which belong to one request.
        assert_eq!(routes.len(), 3, "{routes:?}");
        assert_ne!(routes[0], routes[2]);
        assert!(routes[1..].iter().all(|route| route.contains("2")), "{routes:?}");
    }
}

/// Answers to a client whose input has ended, or that is being left: nothing of it has a way out.
#[test]
fn what_a_failed_transport_cannot_carry_is_dropped_however_the_conversation_ended() {
    let now = Instant::ZERO;
    for ended in ["not", "input", "closed"] {
        let mut server = Endpoint::server(ServerConfig::new("s", "1"));
        for message in handshake(Revision::V2025_11_25).lines() {
            server.handle_message(message.to_owned().into(), now);
        }
        assert!(matches!(server.poll_event(), Some(Event::Ready(_))));
        match ended {
            "input" => server.handle_eof(0, now),
            "closed" => server.close(now),
            _ => {}
        }
        assert_eq!(server.is_closed(), ended == "closed");
        let sends = |server: &Endpoint<_>| server.clone().poll_transmit().is_some();
        assert!(sends(&server), "{ended}: the answer to the handshake waits");
        server.handle_transport_error(now);
        assert!(!sends(&server), "{ended}");
        assert!(matches!(server.poll_event(), Some(Event::Closed(_))));
        assert_eq!((server.poll_event(), server.poll_timeout()), (None, None));
    }
}

/// A transport of one's own, whose requests fail one by one, may have the peer's own error for the probe.
#[test]
fn an_error_that_the_transport_has_for_the_probe_counts_as_one_that_was_said() {
    let now = Instant::ZERO;
    let needed = ErrorObject::missing_capability(&ClientCapabilities::default());
    let handshake = Some("\"method\":\"initialize\"");
    for (error, next) in [
        (needed, None),
        (ErrorObject::new(-32020, "no"), None),
        // Without its data the code may be of any server (R-ERA-04).
        (ErrorObject::new(-32021, "no"), handshake),
        (ErrorObject::new(-32022, "no"), handshake),
        (ErrorObject::new(-32601, "no"), handshake),
    ] {
        let code = error.code;
        let mut client = Endpoint::client(ClientConfig::new("c", "1"), now);
        assert!(client.poll_transmit().is_some_and(|sent| sent.message.starts_with(b"{")));
        client.handle_call_failed(&1.into(), CallError::Peer(error), now);
        let said =
            client.poll_transmit().map(|sent| String::from_utf8_lossy(&sent.message).into_owned());
        assert!(said.is_some() == next.is_some(), "{code}: {said:?}");
        assert!(said.zip(next).is_none_or(|(said, next)| said.contains(next)));
        let told: Vec<_> = std::iter::from_fn(|| client.poll_event()).collect();
        let refused = matches!(&told[..], [Event::Closed(CloseReason::HandshakeRefused(error))] if error.code == code);
        assert_eq!(refused, next.is_none(), "{told:?}");
    }
}

/// What is fed to a connection or to a client on HTTP, and polled from it, has the same names at the endpoint inside, where it does
/// less: nobody is to call that by mistake.
#[test]
fn what_moves_messages_lends_its_endpoint_only_to_be_looked_at() {
    struct Lent<T>(PhantomData<T>);
    trait Otherwise {
        const TO_BE_CHANGED: bool = false;
    }
    impl<T> Otherwise for Lent<T> {}
    impl<T: DerefMut> Lent<T> {
        const TO_BE_CHANGED: bool = true;
    }
    assert_eq!([Lent::<Box<u8>>::TO_BE_CHANGED], [true], "the probe finds what it looks for");
    let lent = [
        Lent::<Connection<Client>>::TO_BE_CHANGED,
        Lent::<Connection<Server>>::TO_BE_CHANGED,
        Lent::<mcp_proto::http::Client>::TO_BE_CHANGED,
    ];
    assert_eq!(lent, [false; 3]);
    // To look at it, it is there.
    let connection = Connection::server(ServerConfig::new("s", "1"));
    assert!(!connection.is_closed() && connection.peer().is_none());
}
