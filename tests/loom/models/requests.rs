//! A server's requests: accepting, reporting, answering and cancelling from several threads.

use loom::thread::JoinHandle;
use mcp_proto::driver::{Incoming, Server};
use mcp_proto::progress::ReportError;
use mcp_proto::types::CallToolResult;
use mcp_proto::{CloseReason, Progress, SendError};

use crate::world::*;

/// A server that has accepted a request, and what is around it.
struct Asked<D> {
    server: Server,
    incoming: Incoming,
    driver: D,
    wire: Wire,
    heard: Heard,
}

/// A server that has accepted the request with id 2.
fn asked() -> Asked<ServerDriver> {
    let wire = Wire::new();
    let peer = Peer::new(silent).wire(&wire);
    let heard = peer.heard();
    let (mut server, mut driver) = server(peer);
    wire.send(request(2));
    assert!(poll_once(&mut driver).is_pending());
    let incoming = block_on(server.accept()).unwrap();
    Asked { server, incoming, driver, wire, heard }
}

/// The same, with its driver in a thread of its own.
fn asked_running() -> Asked<JoinHandle<CloseReason>> {
    let Asked { server, incoming, driver, wire, heard } = asked();
    Asked { server, incoming, driver: run(driver), wire, heard }
}

fn answer() -> CallToolResult {
    CallToolResult::text("done")
}

/// A request that arrives while `accept` is being polled is not missed, nor is the end of the input.
#[test]
fn a_request_that_arrives_during_accept_is_accepted_and_answered() {
    interruptions(2, || {
        let wire = Wire::new();
        let peer = Peer::new(silent).wire(&wire);
        let heard = peer.heard();
        let (mut server, driver) = server(peer);
        let driver = run(driver);
        let sent = spawn(move || {
            wire.send(request(2));
            wire.hang_up();
        });
        block_on(async {
            server.accept().await.unwrap().respond(&answer()).unwrap();
            assert!(server.accept().await.is_none());
        });
        sent.join().unwrap();
        driver.join().unwrap();
        assert_eq!(heard.count("done"), 1);
    });
}

/// An answer from another thread against the peer's cancellation: at most one answer, and none if it was refused.
#[test]
fn an_answer_meets_its_cancellation() {
    interruptions(4, || {
        let Asked { server, incoming, driver, wire, heard } = asked_running();
        let sent = spawn(move || wire.send(cancellation(2)));
        let answered = incoming.respond(&answer());
        assert!(matches!(answered, Ok(()) | Err(SendError::Cancelled)), "{answered:?}");
        sent.join().unwrap();
        assert_eq!(server.requests_in_flight(), 0);
        drop(server);
        driver.join().unwrap();
        let answers = heard.count("\"id\":2");
        assert!(answers <= 1 && (answered.is_ok() || answers == 0));
    });
}

/// Who waits for the cancellation is woken by it, whatever the driver was doing.
#[test]
fn a_handler_that_waits_for_its_cancellation_is_woken() {
    interruptions(3, || {
        let Asked { server, incoming, driver, wire, heard } = asked_running();
        let sent = spawn(move || wire.send(cancellation(2)));
        block_on(incoming.cancelled());
        assert!(incoming.is_cancelled());
        drop(incoming);
        sent.join().unwrap();
        assert_eq!(server.requests_in_flight(), 0);
        drop(server);
        driver.join().unwrap();
        assert_eq!(heard.count("\"id\":2"), 0);
    });
}

/// Closing cancels what is being worked on, and wakes who waits for it.
#[test]
fn a_handler_is_woken_when_the_server_closes() {
    interruptions(4, || {
        let Asked { server, incoming, driver, .. } = asked_running();
        let handler = spawn(move || block_on(incoming.cancelled()));
        server.close();
        handler.join().unwrap();
        block_on(server.closed());
        driver.join().unwrap();
    });
}

/// Reports of one thread against the answer of another: in order, before the answer, and none after.
#[test]
fn reports_meet_the_answer() {
    interruptions(3, || {
        let Asked { server, incoming, driver, heard, .. } = asked_running();
        let reporter = incoming.reporter();
        let worker = spawn(move || [1.0, 2.0].map(|value| reporter.report(Progress::new(value))));
        incoming.respond(&answer()).unwrap();
        let reported = worker.join().unwrap();
        assert!(reported.iter().all(|done| matches!(done, Ok(()) | Err(ReportError::Finished))));
        assert!(reported.is_sorted_by_key(Result::is_err), "refused once, refused for ever");
        drop(server);
        driver.join().unwrap();
        let lines: Vec<_> = heard.lines().into_iter().skip(1).collect();
        assert!(lines.iter().is_sorted_by_key(|line| {
            ["\"progress\":1", "\"progress\":2", "done"].iter().position(|text| line.contains(text))
        }));
        assert!(lines.last().unwrap().contains("done"), "{lines:?}");
    });
}

/// A client may use an id again: a report for the first request is refused then, and not sent for the second.
#[test]
fn a_report_never_reaches_a_later_request_of_the_same_id() {
    interruptions(3, || {
        let Asked { mut server, incoming, mut driver, wire, heard } = asked();
        let reporter = incoming.reporter();
        let worker = spawn(move || {
            let reported = reporter.report(Progress::new(1.0));
            assert!(matches!(reported, Ok(()) | Err(ReportError::Finished)));
        });
        incoming.respond(&answer()).unwrap();
        wire.send(request(2));
        assert!(poll_once(&mut driver).is_pending());
        let second = block_on(server.accept()).unwrap();
        worker.join().unwrap();
        second.respond(&answer()).unwrap();
        drop(server);
        block_on(driver);
        let lines: Vec<_> = heard.lines().into_iter().skip(1).collect();
        let reports = lines.len() - 2;
        assert!(reports <= 1 && lines[reports..].iter().all(|line| line.contains("done")));
    });
}

/// Reports while the connection closes are taken or refused; nothing hangs and nothing leaks.
#[test]
fn reports_meet_the_end_of_the_connection() {
    interruptions(4, || {
        let Asked { server, incoming, driver, .. } = asked_running();
        let reporter = incoming.reporter();
        let worker = spawn(move || {
            let reported = [1.0, 2.0].map(|value| reporter.report(Progress::new(value)));
            assert!(
                reported.iter().all(|done| matches!(done, Ok(()) | Err(ReportError::Finished)))
            );
            assert!(reported.is_sorted_by_key(Result::is_err));
        });
        server.close();
        worker.join().unwrap();
        drop(incoming);
        block_on(server.closed());
        driver.join().unwrap();
    });
}

/// Two threads count steps together: none is refused, and what leaves only increases.
#[test]
fn two_threads_count_steps_together() {
    interruptions(3, || {
        let Asked { server, incoming, driver, heard, .. } = asked_running();
        let steps = incoming.reporter().steps(2);
        let other = steps.clone();
        let other = spawn(move || other.step("one").unwrap());
        steps.step("two").unwrap();
        other.join().unwrap();
        assert_eq!(steps.done(), 2);
        incoming.respond(&answer()).unwrap();
        drop((steps, server));
        driver.join().unwrap();
        let lines = heard.lines();
        assert!(lines.iter().any(|line| line.contains("\"progress\":2")));
        assert!(lines.last().unwrap().contains("done"));
    });
}

/// Who waits until everything is delivered is woken by the delivery, or by the answer.
#[test]
fn waiting_for_delivery_ends_with_the_answer() {
    interruptions(3, || {
        let Asked { server, incoming, driver, .. } = asked_running();
        let reporter = incoming.reporter();
        let worker = spawn(move || {
            let _taken_or_finished = reporter.report(Progress::new(1.0));
            block_on(reporter.delivered());
        });
        incoming.respond(&answer()).unwrap();
        worker.join().unwrap();
        drop(server);
        driver.join().unwrap();
    });
}

/// The same, though the request was cancelled and its end says nothing on the wire.
#[test]
fn waiting_for_delivery_ends_though_the_request_ends_in_silence() {
    interruptions(3, || {
        let Asked { server, incoming, driver, wire, .. } = asked_running();
        let reporter = incoming.reporter();
        let worker = spawn(move || {
            let _taken_or_finished = reporter.report(Progress::new(1.0));
            block_on(reporter.delivered());
        });
        wire.send(cancellation(2));
        drop(incoming);
        worker.join().unwrap();
        drop(server);
        driver.join().unwrap();
    });
}
