//! What stands behind the mutex, by itself.

use super::super::queue::Delivery;
use super::*;
use crate::config::{CallOptions, ClientConfig};
use crate::revision::Revision;
use crate::stdio::Connection;
use crate::types::CallTool;
use alloc::format;
use core::future::Future;
use core::pin::Pin;

const CALLS: i64 = 1_000;
const REPORTS: usize = 200;

struct NoTime;

impl Runtime for NoTime {
    fn now(&self) -> Instant {
        Instant::ZERO
    }

    fn timer(&self, _at: Instant) -> Pin<Box<dyn super::super::transport::Timer>> {
        let never: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(core::future::pending());
        Box::pin(never)
    }
}

#[test]
fn an_event_looks_at_no_call_but_its_own() {
    let config = ClientConfig::new("c", "1").revisions(Revision::V2025_11_25);
    let mut conn = Connection::client(config, Instant::ZERO);
    conn.handle_input(
        b"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"protocolVersion\":\"2025-11-25\",\
          \"capabilities\":{},\"serverInfo\":{\"name\":\"s\",\"version\":\"1\"}}}\n",
        Instant::ZERO,
    );
    let shared = Shared::new(conn, false, NoTime);
    let mut state = shared.lock();
    let mut afterwards = Afterwards::default();
    state.pump(Instant::ZERO, &mut afterwards);
    for _ in 0..CALLS {
        while let Some(length) = state.link.poll_transmit().map(<[u8]>::len) {
            state.link.advance_transmit(length);
        }
        let options = CallOptions::default().tracked();
        let ticket = state.link.request(&CallTool::new("t"), options, Instant::ZERO).unwrap();
        state.calls.insert(ticket.id(), Waiting::new(Delivery::Every));
    }
    let report = |n: usize| {
        format!(
            "{{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{{\"progressToken\":2,\"progress\":{n}}}}}\n"
        )
    };
    let reports: String = (0..REPORTS).map(report).collect();
    state.link.handle_input(reports.as_bytes(), Instant::ZERO);
    state.looks.set(0);
    state.pump(Instant::ZERO, &mut afterwards);
    assert_eq!(state.reports, REPORTS as u64);
    assert!(state.looks.get() <= 2 * REPORTS, "{} looks", state.looks.get());
    assert!(!state.is_paused());
    // The queue fills up, which is noticed; and that it was emptied is noticed too.
    let more: String = (REPORTS..2 * REPORTS).map(report).collect();
    state.link.handle_input(more.as_bytes(), Instant::ZERO);
    state.pump(Instant::ZERO, &mut afterwards);
    assert!(state.is_paused() && state.reports < 2 * REPORTS as u64);
    let id = RequestId::from(2);
    while let Some(waiting) = state.calls.get_mut(&id)
        && waiting.queue.as_mut().unwrap().pop().is_some()
    {}
    assert!(!state.is_paused());
    state.pump(Instant::ZERO, &mut afterwards);
    assert_eq!(state.reports, 2 * REPORTS as u64);
}
