//! The end of a connection, from any side and at any time.

use mcp_proto::CallError;

use crate::world::*;

/// Two threads close: the call in flight ends once, and both see the same end.
#[test]
fn two_handles_close_at_once() {
    interruptions(3, || {
        let (client, driver) = client(Peer::new(silent));
        let call = call(&client);
        let driver = run(driver);
        let other = client.clone();
        let other = spawn(move || {
            other.close();
            block_on(other.closed())
        });
        client.close();
        assert!(matches!(block_on(call), Err(CallError::Closed(_) | CallError::Send(_))));
        let reason = block_on(client.closed());
        assert_eq!(other.join().unwrap(), reason);
        assert_eq!(driver.join().unwrap(), reason);
    });
}

/// Both peers close: one reason holds, whoever asks.
#[test]
fn the_peer_hangs_up_while_the_client_closes() {
    interruptions(4, || {
        let wire = Wire::new();
        let (client, driver) = client(Peer::new(silent).wire(&wire));
        let mut call = call(&client);
        assert!(poll_once(&mut call).is_pending());
        let driver = run(driver);
        let hung_up = spawn(move || wire.hang_up());
        client.close();
        assert!(matches!(block_on(call), Err(CallError::Closed(_))));
        let reason = block_on(client.closed());
        hung_up.join().unwrap();
        assert_eq!(driver.join().unwrap(), reason);
    });
}

/// The driver is dropped with its runtime: whoever waits, and whoever calls later, is told.
#[test]
fn a_driver_dropped_while_handles_wait_ends_them_all() {
    interruptions(3, || {
        let (client, mut driver) = client(Peer::new(silent));
        let driver = spawn(move || {
            let _ = poll_once(&mut driver);
            drop(driver);
        });
        let other = client.clone();
        let other = spawn(move || block_on(other.closed()));
        assert!(block_on(call(&client)).is_err());
        assert!(block_on(call(&client)).is_err());
        assert_eq!(other.join().unwrap(), block_on(client.closed()));
        assert_eq!(client.calls_in_flight(), 0);
        driver.join().unwrap();
    });
}

/// Closing during the handshake: who waits for the server is told, whichever was first.
#[test]
fn a_client_closes_while_it_shakes_hands() {
    interruptions(2, || {
        let (client, driver) = new_client(Peer::new(echo));
        let driver = run(driver);
        let other = client.clone();
        let other = spawn(move || other.close());
        let was_known = block_on(client.ready()).is_ok();
        let reason = block_on(client.closed());
        let ready = block_on(client.ready());
        assert!(ready.is_ok() || !was_known, "once known, for ever known");
        assert_eq!(ready.err(), client.peer().is_none().then(|| reason.clone()));
        other.join().unwrap();
        assert_eq!(driver.join().unwrap(), reason);
    });
}

/// The peer goes in the middle of the handshake: the call that waits for it ends.
#[test]
fn a_peer_hangs_up_while_a_call_waits_for_the_handshake() {
    interruptions(3, || {
        let wire = Wire::new();
        let (client, driver) = new_client(Peer::new(|_| Vec::new()).wire(&wire));
        let driver = run(driver);
        let hung_up = spawn(move || wire.hang_up());
        assert!(block_on(call(&client)).is_err());
        assert!(block_on(client.ready()).is_err());
        hung_up.join().unwrap();
        driver.join().unwrap();
    });
}

/// Everything that waits for the end wakes, though it waits in two tasks.
#[test]
fn two_tasks_wait_for_the_end() {
    interruptions(3, || {
        let (client, driver) = client(Peer::new(silent));
        let (one, two) = (client.clone(), client.clone());
        let driver = run(driver);
        let one = spawn(move || block_on(one.closed()));
        client.close();
        let reason = block_on(two.closed());
        assert_eq!(one.join().unwrap(), reason);
        assert_eq!(driver.join().unwrap(), reason);
    });
}
