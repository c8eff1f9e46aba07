//! A call against its response, its reports, its end, and other calls.

use std::sync::{Arc, Mutex};

use mcp_proto::CallError;
use mcp_proto::driver::Delivery;

use crate::world::*;

/// The result reaches the future whatever both threads are doing when it comes.
#[test]
fn a_call_ends_when_its_response_arrives() {
    interruptions(5, || {
        let (client, driver) = client(Peer::new(echo));
        let driver = run(driver);
        let result = block_on(call(&client)).unwrap();
        assert_eq!(result.content[0].as_text(), Some("2"));
        assert_eq!(client.calls_in_flight(), 0);
        drop(client);
        driver.join().unwrap();
    });
}

/// Reports that arrive while the call is being polled wake it, and all are heard in order before the result.
#[test]
fn reports_that_arrive_during_a_poll_are_heard_before_the_result() {
    fn two_reports(line: &str) -> Vec<String> {
        if !is_call(line) {
            return silent(line);
        }
        let id = id(line);
        vec![progress(id, 1), progress(id, 2) + &result(id)]
    }
    interruptions(4, || {
        let (client, driver) = client(Peer::new(two_reports));
        let driver = run(driver);
        let mut heard = Vec::new();
        block_on(call(&client).on_progress(|report| heard.push(report.progress))).unwrap();
        assert_eq!(heard, [1.0, 2.0]);
        drop(client);
        driver.join().unwrap();
    });
}

/// The waker of the last poll counts: a call that changes its task is woken where it is now.
#[test]
fn a_call_that_changes_its_task_is_woken_there() {
    interruptions(3, || {
        let (client, driver) = client(Peer::new(echo));
        let driver = run(driver);
        let mut call = call(&client);
        let polled = poll_once(&mut call);
        let elsewhere = spawn(move || match polled {
            std::task::Poll::Ready(result) => result,
            std::task::Poll::Pending => block_on(call),
        });
        elsewhere.join().unwrap().unwrap();
        drop(client);
        driver.join().unwrap();
    });
}

/// Dropping a call frees its entry at once; the peer hears of it at most once, and never before the request.
#[test]
fn a_call_dropped_while_its_response_arrives_leaves_nothing() {
    interruptions(5, || {
        let peer = Peer::new(echo);
        let heard = peer.heard();
        let (client, driver) = client(peer);
        let driver = run(driver);
        let mut call = call(&client);
        let is_over = poll_once(&mut call).is_ready();
        drop(call);
        assert_eq!(client.calls_in_flight(), 0);
        drop(client);
        driver.join().unwrap();
        let lines = heard.lines();
        let at = |text: &str| lines.iter().position(|line| line.contains(text));
        assert!(heard.count("tools/call") <= 1 && heard.count("cancelled") <= 1);
        assert!(at("cancelled").is_none_or(|cancelled| {
            !is_over && at("tools/call").is_some_and(|called| called < cancelled)
        }));
    });
}

/// Nothing leaves for a call that was never polled, though another thread drops it as the driver works.
#[test]
fn a_call_dropped_before_it_was_sent_leaves_no_trace() {
    interruptions(3, || {
        let peer = Peer::new(echo);
        let heard = peer.heard();
        let (client, driver) = client(peer);
        let driver = run(driver);
        let (unsent, sent) = (call(&client), call(&client));
        let dropped = spawn(move || drop(unsent));
        drop(client);
        block_on(sent).unwrap();
        dropped.join().unwrap();
        driver.join().unwrap();
        assert_eq!((heard.count("tools/call"), heard.count("cancelled")), (1, 0));
    });
}

/// Two threads call at once: both end with their own result, and the frames are whole.
#[test]
fn two_threads_call_at_once_and_each_gets_its_own_result() {
    interruptions(2, || {
        let peer = Peer::new(echo);
        let heard = peer.heard();
        let (client, driver) = client(peer);
        let driver = run(driver);
        let one = |client: &mcp_proto::driver::Client| {
            let mut call = call(client);
            block_on(async {
                assert!(call.next_progress().await.is_none());
                let id = call.id().unwrap().to_string();
                assert_eq!(call.await.unwrap().content[0].as_text(), Some(id.as_str()));
                id
            })
        };
        let other = client.clone();
        let other = spawn(move || one(&other));
        let mut ids = [one(&client), other.join().unwrap()];
        ids.sort();
        assert_eq!(ids, ["2", "3"]);
        drop(client);
        driver.join().unwrap();
        let mut called: Vec<_> =
            heard.lines().iter().filter(|line| is_call(line)).map(|line| id(line)).collect();
        called.sort_unstable();
        assert_eq!(called, [2, 3]);
    });
}

/// A call that ends by the peer's silence is cancelled from two sides at once: by its owner and by the end.
#[test]
fn a_call_cancelled_while_the_peer_hangs_up_ends_once() {
    interruptions(3, || {
        let wire = Wire::new();
        let peer = Peer::new(silent).wire(&wire);
        let heard = peer.heard();
        let (client, driver) = client(peer);
        let mut call = call(&client);
        assert!(poll_once(&mut call).is_pending());
        let driver = run(driver);
        let hung_up = spawn(move || wire.hang_up());
        call.cancel("enough");
        assert_eq!(client.calls_in_flight(), 0);
        hung_up.join().unwrap();
        block_on(client.closed());
        assert!(matches!(
            block_on(self::call(&client)),
            Err(CallError::Closed(_) | CallError::Send(_))
        ));
        driver.join().unwrap();
        assert!(heard.count("cancelled") <= heard.count("tools/call"));
    });
}

/// Reports of one call that fill its queue: nothing more is read before one is taken.
fn fills_a_queue(line: &str) -> Vec<String> {
    if !is_call(line) {
        return silent(line);
    }
    match id(line) {
        2 => vec![(0..256).map(|n| progress(2, n)).collect::<String>()],
        other => vec![result(other)],
    }
}

/// What is taken from a full queue lets the driver read on, whatever it was doing.
#[test]
fn taking_from_a_full_queue_lets_the_driver_read_on() {
    interruptions(4, || {
        let (client, mut driver) = client(Peer::new(fills_a_queue));
        let mut slow = call(&client).delivery(Delivery::Every);
        let mut next = Box::pin(slow.next_progress());
        assert!(poll_once(&mut next).is_pending());
        drop(next);
        let mut other = call(&client);
        settle(&mut driver);
        assert!(poll_once(&mut other).is_pending());
        settle(&mut driver);
        assert!(poll_once(&mut other).is_pending(), "its response is behind what waits");
        let driver = run(driver);
        assert_eq!(block_on(slow.next_progress()).unwrap().progress, 0.0);
        block_on(other).unwrap();
        drop((slow, client));
        driver.join().unwrap();
    });
}

/// So does dropping the call whose queue is full.
#[test]
fn dropping_a_call_with_a_full_queue_lets_the_driver_read_on() {
    interruptions(2, || {
        let (client, mut driver) = client(Peer::new(fills_a_queue));
        let mut slow = call(&client).delivery(Delivery::Every);
        let mut next = Box::pin(slow.next_progress());
        assert!(poll_once(&mut next).is_pending());
        drop(next);
        settle(&mut driver);
        let driver = run(driver);
        let other = call(&client);
        let dropped = spawn(move || drop(slow));
        block_on(other).unwrap();
        dropped.join().unwrap();
        drop(client);
        driver.join().unwrap();
    });
}

/// A listener that closes the connection from within: its call still ends, once.
#[test]
fn a_listener_that_closes_the_connection_ends_its_call() {
    fn one_report(line: &str) -> Vec<String> {
        if is_call(line) { vec![progress(id(line), 1)] } else { silent(line) }
    }
    interruptions(4, || {
        let (client, driver) = client(Peer::new(one_report));
        let driver = run(driver);
        let heard = Arc::new(Mutex::new(0));
        let counter = heard.clone();
        let call = call(&client).on_progress(move |_| {
            *counter.lock().unwrap() += 1;
            client.close();
        });
        assert!(matches!(block_on(call), Err(CallError::Closed(_))));
        assert_eq!(*heard.lock().unwrap(), 1);
        driver.join().unwrap();
    });
}
