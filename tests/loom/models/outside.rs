//! What comes from outside at any moment: time that has passed, a transport that takes nothing, one that fails.

use std::time::Duration;

use mcp_proto::{CallError, CloseReason, Timeouts};

use crate::world::*;

const SECOND: Duration = Duration::from_secs(1);

fn in_a_second() -> Timeouts {
    Timeouts::NEVER.total(SECOND)
}

/// The time of a call comes while another handle goes: the call ends, and its end is that of the connection.
#[test]
fn a_timer_fires_while_a_handle_is_dropped() {
    interruptions(3, || {
        let clock = Clock::new();
        let peer = Peer::new(silent);
        let heard = peer.heard();
        let (client, driver) = client_by(peer, clock.clone());
        let mut call = call(&client).timeouts(in_a_second());
        assert!(poll_once(&mut call).is_pending());
        let driver = run(driver);
        let time = spawn(move || clock.advance(2 * SECOND));
        drop(client);
        assert!(matches!(block_on(call), Err(CallError::TimedOut(_))));
        time.join().unwrap();
        assert_eq!(driver.join().unwrap(), CloseReason::Local);
        // What never left needs no cancelling.
        assert_eq!(heard.count("tools/call"), heard.count("notifications/cancelled"));
    });
}

/// The time of a call comes while it is dropped: it is cancelled once, whichever was first.
#[test]
fn a_timer_fires_while_its_call_is_dropped() {
    interruptions(3, || {
        let clock = Clock::new();
        let peer = Peer::new(silent);
        let heard = peer.heard();
        let (client, mut driver) = client_by(peer, clock.clone());
        let mut call = call(&client).timeouts(in_a_second());
        assert!(poll_once(&mut call).is_pending());
        assert!(poll_once(&mut driver).is_pending());
        let driver = run(driver);
        let time = spawn(move || clock.advance(2 * SECOND));
        drop(call);
        assert_eq!(client.calls_in_flight(), 0);
        drop(client);
        time.join().unwrap();
        assert_eq!(driver.join().unwrap(), CloseReason::Local);
        assert_eq!((heard.count("tools/call"), heard.count("notifications/cancelled")), (1, 1));
    });
}

/// The transport takes nothing for a while, and meanwhile a call is dropped: its request and its cancellation leave
/// both, or neither does, and the connection ends only once they have.
#[test]
fn a_write_blocks_while_a_call_is_dropped() {
    interruptions(3, || {
        let gate = Gate::new();
        let peer = Peer::new(silent).gate(&gate);
        let heard = peer.heard();
        let (client, driver) = client(peer);
        let mut call = call(&client);
        assert!(poll_once(&mut call).is_pending());
        let driver = run(driver);
        let other = spawn(move || {
            gate.block();
            gate.open();
        });
        drop(call);
        drop(client);
        other.join().unwrap();
        assert_eq!(driver.join().unwrap(), CloseReason::Local);
        assert_eq!(heard.count("tools/call"), heard.count("notifications/cancelled"));
    });
}

/// The peer goes while answers wait: writing fails, or its input has ended. The server ends either way, and no answer is
/// written twice.
#[test]
fn a_write_fails_while_answers_wait() {
    interruptions(2, || {
        let (gate, wire) = (Gate::new(), Wire::new());
        let peer = Peer::new(|_| Vec::new()).gate(&gate).wire(&wire);
        let heard = peer.heard();
        let (mut server, mut driver) = server(peer);
        wire.send(request(2) + &request(3));
        assert!(poll_once(&mut driver).is_pending());
        let requests = [block_on(server.accept()), block_on(server.accept())];
        let driver = run(driver);
        let other = spawn(move || {
            gate.fail();
            wire.hang_up();
        });
        for request in requests.into_iter().flatten() {
            // The connection may be gone.
            let _ = request.respond(&mcp_proto::types::CallToolResult::text("here"));
        }
        let reason = block_on(server.closed());
        assert!(matches!(reason, CloseReason::Transport | CloseReason::Eof { .. }), "{reason}");
        other.join().unwrap();
        assert_eq!(driver.join().unwrap(), reason);
        assert!(heard.count("here") <= 2);
    });
}
