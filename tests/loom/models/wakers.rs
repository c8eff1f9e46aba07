//! Wake-ups themselves: those without reason, and those for a task that has changed.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Wake, Waker};

use mcp_proto::driver::Client;

use crate::world::*;

/// A driver that is woken for nothing looks once, moves nothing, and waits again.
#[test]
fn wake_ups_without_reason_move_nothing() {
    every_interleaving(|| {
        let wire = Wire::new();
        let peer = Peer::new(echo).wire(&wire);
        let heard = peer.heard();
        let (client, driver) = client(peer);
        let before = heard.lines().len();
        let driver = spawn(move || polled(driver).1);
        wire.knock();
        wire.knock();
        drop(client);
        let polls = driver.join().unwrap();
        assert!(polls <= 5, "two knocks, the end and loom's own make {polls} polls");
        assert_eq!(heard.lines().len(), before);
    });
}

/// A waker may own a handle, as that of an executor owns its task: it is dropped under no lock.
#[test]
fn a_waker_that_owns_a_handle_is_replaced() {
    every_interleaving(|| {
        let (client, mut driver) = client(Peer::new(silent));
        let mut call = call(&client);
        for _ in 0..2 {
            let waker = Waker::from(Arc::new(Owner(client.clone())));
            let mut cx = Context::from_waker(&waker);
            assert!(Pin::new(&mut call).poll(&mut cx).is_pending());
            assert!(Pin::new(&mut driver).poll(&mut cx).is_pending());
        }
        let driver = run(driver);
        drop(client);
        drop(call);
        driver.join().unwrap();
    });
}

struct Owner(Client);

impl Wake for Owner {
    fn wake(self: Arc<Self>) {}
}

impl Drop for Owner {
    fn drop(&mut self) {
        let _seen = self.0.calls_in_flight();
    }
}

/// A future that waits for the end and changes its task is woken where it is now.
#[test]
fn a_watcher_that_changes_its_task_is_woken_there() {
    interruptions(4, || {
        let (client, driver) = client(Peer::new(silent));
        let driver = run(driver);
        let watching = client.clone();
        let mut closed = Box::pin(async move { watching.closed().await });
        let polled = poll_once(&mut closed);
        assert!(polled.is_pending());
        let elsewhere = spawn(move || block_on(closed));
        client.close();
        assert_eq!(elsewhere.join().unwrap(), driver.join().unwrap());
    });
}
