//! Handles and listeners that come and go while the driver works.

use std::sync::{Arc, Mutex};

use crate::world::*;

/// The last handle goes as bytes arrive: the driver ends.
#[test]
fn the_last_handle_is_dropped_while_the_driver_wakes() {
    every_interleaving(|| {
        let wire = Wire::new();
        let (client, driver) = client(Peer::new(silent).wire(&wire));
        let driver = run(driver);
        let sent = spawn(move || wire.send(notification("x")));
        drop(client);
        driver.join().unwrap();
        sent.join().unwrap();
    });
}

/// Two threads drop the last two handles: exactly one of them closes.
#[test]
fn two_threads_drop_the_last_handles() {
    every_interleaving(|| {
        let (client, driver) = client(Peer::new(silent));
        let (one, two) = (client.clone(), call(&client));
        let driver = run(driver);
        let dropped = spawn(move || drop(one));
        drop(client);
        drop(two);
        dropped.join().unwrap();
        driver.join().unwrap();
    });
}

/// The handle is gone before the driver is first polled, or while it is: it ends, having said nothing or all.
#[test]
fn a_handle_is_dropped_while_the_driver_starts() {
    every_interleaving(|| {
        let (client, driver) = new_client(Peer::new(echo));
        let driver = run(driver);
        drop(client);
        driver.join().unwrap();
    });
}

/// A listener owns the last handle and drops it in the driver's task, under no lock.
#[test]
fn the_last_handle_is_dropped_inside_a_callback() {
    every_interleaving(|| {
        let wire = Wire::new();
        let (client, driver) = client(Peer::new(silent).wire(&wire));
        let owned = Mutex::new(Some(client.clone()));
        client.on_notification(move |_, _| drop(owned.lock().unwrap().take()));
        let driver = run(driver);
        let sent = spawn(move || wire.send(notification("x")));
        drop(client);
        sent.join().unwrap();
        driver.join().unwrap();
    });
}

/// A listener is replaced while events come: each is heard by one of both, in order.
#[test]
fn a_listener_is_replaced_while_events_arrive() {
    every_interleaving(|| {
        let wire = Wire::new();
        let (client, driver) = client(Peer::new(silent).wire(&wire));
        let heard = Arc::new(Mutex::new(Vec::new()));
        let listener = |name: &'static str| {
            let heard = heard.clone();
            move |method: &str, _: Option<&mcp_proto::RawJson>| {
                heard.lock().unwrap().push((method.to_owned(), name));
            }
        };
        client.on_notification(listener("old"));
        let driver = run(driver);
        let sent = spawn(move || {
            wire.send(notification("a"));
            wire.send(notification("b"));
            wire.hang_up();
        });
        client.on_notification(listener("new"));
        sent.join().unwrap();
        driver.join().unwrap();
        let heard = heard.lock().unwrap();
        let methods: Vec<_> = heard.iter().map(|(method, _)| method.as_str()).collect();
        assert_eq!(methods, ["a", "b"]);
        assert!(heard.is_sorted_by_key(|(_, name)| *name == "new"));
    });
}
