//! What one connection can hold: the sum over its tables and buffers.

use crate::bound::{sum, times};
use crate::config::Limits;
use crate::endpoint::Endpoint;
use crate::role::Role;
use crate::stdio::Connection;
use crate::wire::{LineDecoder, MAX_READ};

impl Limits {
    /// The bytes that one [`Connection`] asks of the allocator at most, whatever its peer does and however the
    /// two are interrupted: the sum over its tables and buffers, each as large as its limit lets it become.
    ///
    /// | part | bytes, about |
    /// |---|---|
    /// | input | 2 × (`max_message_len` + 64 KiB), and texts copied out of it into events that wait, once more |
    /// | output | 3 × `max_output_len`, and the answers and cancellations that always fit |
    /// | messages in it | 100 × (`max_outbox_len` / 30 + `max_requests` × `max_milestones` + `max_calls`) |
    /// | calls | `max_calls` × (4 entries of about 200 + `max_id_len`) |
    /// | requests | `max_requests` × (2 × `max_id_len` + 80 KiB + `max_milestones` × 200) |
    /// | batches | 3 × `max_outbox_len`, and ids once more |
    /// | timers | (`max_calls` + `max_requests`) × 5 × (40 + `max_id_len`) |
    /// | events | 2 × (`max_events` + `max_calls` + `max_requests` + 3 × `max_batch_len`) entries of about 200, and what they say |
    /// | the peer | 2 × `max_message_len`: what it said of itself, once more while that waits to be polled |
    ///
    /// It holds for a caller that drains events before it reads more, reads only while
    /// [`wants_input`](Connection::wants_input), at most 64 KiB at once. Not in it: what a caller was handed in
    /// events, slices of the input that live as long as it keeps them; the configuration; the working copy
    /// of one message while it is read or written; buffers of the transport; and the futures and queues of
    /// the `driver`, see `docs/memory.md`.
    ///
    /// ```
    /// use mcp_proto::{Limits, role::Server};
    ///
    /// let mut limits = Limits::default();
    /// limits.max_message_len = 64 << 10;
    /// limits.max_output_len = 256 << 10;
    /// limits.max_outbox_len = 64 << 10;
    /// limits.max_requests = 16;
    /// limits.max_calls = 16;
    /// limits.max_milestones = 16;
    /// limits.max_events = 64;
    /// assert!(limits.memory_bound::<Server>() < 8 << 20);
    /// ```
    pub const fn memory_bound<R: Role>(&self) -> usize {
        sum([
            size_of::<Connection<R>>(),
            LineDecoder::bound(self),
            // Of the text of a line an event may hold a copy without its escapes.
            sum([self.max_message_len, MAX_READ]),
            Endpoint::<R>::bound(self),
            // What the peer says of itself, in `peer()` and in `Event::Ready`.
            times(2, self.max_message_len),
            FIXED,
        ])
    }
}

/// The fields of the machine that lie behind a pointer: configuration aside, stamps and the like.
const FIXED: usize = 4 << 10;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{CallOptions, ServerConfig};
    use crate::error::{CloseReason, SendError, Violation};
    use crate::event::Event;
    use crate::id::RequestId;
    use crate::progress::{Pacing, Weight};
    use crate::role::Server;
    use crate::time::Instant;
    use crate::types::{CallToolResult, Progress};
    use alloc::format;
    use alloc::string::String;
    use alloc::vec::Vec;
    use core::iter::from_fn;
    use core::time::Duration;

    const LIMITS: Limits = Limits {
        max_message_len: 1_000,
        max_depth: 7,
        max_id_len: 20,
        max_method_len: 30,
        max_calls: 3,
        max_requests: 5,
        max_batch_len: 4,
        max_outbox_len: 3_000,
        max_output_len: 5_000,
        stall_timeout: Duration::from_secs(9),
        max_error_answers_per_second: 4,
        max_error_answers: 6,
        max_violation_reports_per_second: 30,
        max_milestones: 2,
        max_events: 8,
    };

    /// A server in a legacy session, which has said what it had to say.
    fn server() -> Connection<Server> {
        server_of("2025-11-25")
    }

    fn server_of(revision: &str) -> Connection<Server> {
        let pacing = Pacing::default().burst(1).every(Duration::from_secs(3600));
        let config = ServerConfig::new("s", "1").limits(LIMITS).pacing(pacing);
        let mut server = Connection::server(config);
        let hello = "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{\"protocolVersion\":\
             \"REVISION\",\"capabilities\":{},\"clientInfo\":{\"name\":\"c\",\"version\":\"1\"}}}\n\
             {\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}";
        tell(&mut server, &hello.replace("REVISION", revision));
        said(&mut server);
        server
    }

    /// What happens after this line.
    fn tell(server: &mut Connection<Server>, line: &str) -> Vec<Event> {
        server.handle_input(format!("{line}\n").as_bytes(), server.core().clock());
        from_fn(|| server.poll_event()).collect()
    }

    fn said(server: &mut Connection<Server>) -> String {
        let mut said = Vec::new();
        while let Some(chunk) = server.poll_transmit() {
            said.extend_from_slice(chunk);
            let length = chunk.len();
            server.advance_transmit(length);
        }
        String::from_utf8(said).unwrap()
    }

    fn request(id: &str, method: &str) -> String {
        format!(
            "{{\"jsonrpc\":\"2.0\",\"id\":\"{id}\",\"method\":\"{method}\",\"params\":{{\"_meta\":{{\
             \"progressToken\":1}}}}}}"
        )
    }

    fn is_request(events: &[Event]) -> bool {
        matches!(events, [Event::Request { .. }])
    }

    /// A field without a test here does not compile.
    #[test]
    fn every_limit_is_enforced() {
        let Limits {
            max_message_len,
            max_depth,
            max_id_len,
            max_method_len,
            max_calls,
            max_requests,
            max_batch_len,
            max_outbox_len,
            max_output_len,
            stall_timeout,
            max_error_answers_per_second,
            max_error_answers,
            max_violation_reports_per_second,
            max_milestones,
            max_events,
        } = LIMITS;
        message_len(max_message_len);
        depth(max_depth);
        id_len(max_id_len);
        method_len(max_method_len);
        calls(max_calls);
        requests(max_requests);
        batch_len(max_batch_len);
        outbox_len(max_outbox_len, stall_timeout);
        output_len(max_output_len);
        error_answers(max_error_answers_per_second as usize, max_error_answers as usize);
        violation_reports(max_violation_reports_per_second as usize);
        milestones(max_milestones);
        events(max_events);
    }

    fn message_len(limit: usize) {
        let line = request("1", "x/y");
        let fitting = format!("{line}{}", " ".repeat(limit - line.len()));
        assert!(is_request(&tell(&mut server(), &fitting)));
        let told = tell(&mut server(), &format!("{fitting} "));
        assert_eq!(told, [Event::Violation(Violation::TooLong { limit })]);
    }

    fn depth(limit: usize) {
        let nested = |depth: usize| {
            let (open, close) = ("[".repeat(depth), "]".repeat(depth));
            format!(
                "{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x/y\",\"params\":{{\"v\":{open}{close}}}}}"
            )
        };
        assert!(is_request(&tell(&mut server(), &nested(limit - 2))));
        assert!(matches!(
            tell(&mut server(), &nested(limit - 1))[..],
            [Event::Violation(Violation::Refused(_))]
        ));
    }

    fn id_len(limit: usize) {
        assert!(is_request(&tell(&mut server(), &request(&"i".repeat(limit), "x/y"))));
        let told = tell(&mut server(), &request(&"i".repeat(limit + 1), "x/y"));
        assert!(matches!(told[..], [Event::Violation(Violation::NotAMessage(_))]));
        let ask = |len| {
            let options = CallOptions::default().progress_token("t".repeat(len));
            server().request_raw("x/y", None, options, Instant::ZERO).map(drop)
        };
        assert_eq!((ask(limit), ask(limit + 1)), (Ok(()), Err(SendError::TokenTooLong)));
    }

    fn method_len(limit: usize) {
        assert!(is_request(&tell(&mut server(), &request("1", &"m".repeat(limit)))));
        let mut server = server();
        assert_eq!(tell(&mut server, &request("1", &"m".repeat(limit + 1))), []);
        assert!(said(&mut server).contains("-32601"));
    }

    fn calls(limit: usize) {
        let mut server = server();
        let mut ask = || server.request_raw("x/y", None, CallOptions::default(), Instant::ZERO);
        assert!((0..limit).all(|_| ask().is_ok()));
        assert_eq!(ask(), Err(SendError::TooManyCalls));
    }

    fn requests(limit: usize) {
        let mut server = server();
        assert!(
            (0..limit).all(|n| is_request(&tell(&mut server, &request(&format!("{n}"), "x/y"))))
        );
        let told = tell(&mut server, &request("more", "x/y"));
        assert_eq!(told, [Event::Violation(Violation::TooManyRequests)]);
        assert!(said(&mut server).contains("\"id\":\"more\",\"error\""));
    }

    fn batch_len(limit: usize) {
        let members = |count: usize| {
            format!("[{}]", ["{\"jsonrpc\":\"2.0\",\"method\":\"x\"}"].repeat(count).join(","))
        };
        let tell = |count| {
            let mut server = server_of("2025-03-26");
            tell(&mut server, &members(count))
        };
        assert_eq!(tell(limit).len(), limit);
        assert!(matches!(tell(limit + 1)[..], [Event::Violation(Violation::BatchTooLong { .. })]));
    }

    fn outbox_len(limit: usize, stall: Duration) {
        let mut server = server();
        tell(&mut server, &request("1", "x/y"));
        tell(&mut server, &request("2", "x/y"));
        let text = CallToolResult::text("x".repeat(limit));
        server.respond(&"1".into(), &text, Instant::ZERO).unwrap();
        assert!(!server.wants_input());
        let ask = server.request_raw("x/y", None, CallOptions::default(), Instant::ZERO);
        assert_eq!(ask, Err(SendError::OutboxFull));
        assert_eq!(tell(&mut server, &request("3", "x/y")), [], "nothing is decoded");
        server.respond(&"2".into(), &CallToolResult::text("fits"), Instant::ZERO).unwrap();

        let due = server.poll_timeout().unwrap();
        assert_eq!(due, Instant::from(stall));
        server.handle_timeout(due);
        let told: Vec<_> = from_fn(|| server.poll_event()).collect();
        assert_eq!(told, [Event::Closed(CloseReason::Stalled)]);
    }

    fn output_len(limit: usize) {
        let mut server = server();
        let answer = |server: &mut Connection<Server>, len: usize| {
            let id = RequestId::from("1");
            assert!(is_request(&tell(server, &request("1", "x/y"))));
            let answered =
                server.respond(&id, &CallToolResult::text("x".repeat(len)), Instant::ZERO);
            assert_eq!(server.requests_in_flight(), 0, "either way it is answered");
            answered
        };
        let beside = {
            answer(&mut server, 0).unwrap();
            said(&mut server).len() - 1
        };
        assert_eq!(answer(&mut server, limit - beside), Ok(()));
        assert_eq!(said(&mut server).len(), limit + 1);
        assert_eq!(answer(&mut server, limit - beside + 1), Err(SendError::OutboxFull));
        let said = said(&mut server);
        assert!(said.contains("\"id\":\"1\",\"error\":{\"code\":-32603"), "{said}");
        // What waits counts too, and whatever the machine is asked to say is bounded by it.
        tell(&mut server, &request("2", "x/y"));
        let long = CallToolResult::text("x".repeat(limit));
        let params = crate::json::RawJson::of(&long).unwrap();
        let ask = server.request_raw("x/y", Some(&params), CallOptions::default(), Instant::ZERO);
        assert_eq!(ask, Err(SendError::OutboxFull));
        assert_eq!(server.calls_in_flight(), 0);
        let error = crate::error::ErrorObject::new(-7, "e".repeat(limit)).data(params);
        server.fail(&"2".into(), &error, Instant::ZERO).unwrap();
        let said = self::said(&mut server);
        assert!(said.contains("\"code\":-7") && said.len() < 400, "{said}");
    }

    fn error_answers(per_second: usize, in_all: usize) {
        let mut server = server();
        let told: usize = (0..2 * in_all).map(|_| tell(&mut server, "no").len()).sum();
        assert_eq!(told, 2 * in_all, "told they are all");
        assert_eq!(said(&mut server).lines().count(), per_second);
        server.handle_timeout(Instant::from(Duration::from_secs(10)));
        let told: Vec<_> = (0..in_all).flat_map(|_| tell(&mut server, "no")).collect();
        assert_eq!(told.last(), Some(&Event::Closed(CloseReason::TooManyViolations)));
        assert_eq!(told.len(), in_all - per_second + 1);
    }

    fn violation_reports(limit: usize) {
        let mut server = server();
        let told: usize = (0..limit + 2).map(|_| tell(&mut server, "no").len()).sum();
        assert_eq!(told, limit);
        server.handle_timeout(Instant::from(Duration::from_secs(10)));
        let told = tell(&mut server, "no");
        assert!(
            matches!(&told[..], [Event::Violation(Violation::More(2)), Event::Violation(_)]),
            "{told:?}"
        );
    }

    fn milestones(limit: usize) {
        let mut server = server();
        tell(&mut server, &request("1", "x/y"));
        let id = RequestId::from("1");
        for n in 0..10 {
            let report = Progress::new(n.into());
            server.report(&id, report, Weight::Milestone, Instant::ZERO).unwrap();
        }
        // The first leaves at once, so many wait, and of the others the last.
        assert_eq!(server.merged_reports(&id), 10 - 1 - limit as u64 - 1);
    }

    fn events(limit: usize) {
        let mut server = server();
        server.handle_input("0\n".repeat(3 * limit).as_bytes(), Instant::ZERO);
        server.handle_timeout(Instant::ZERO);
        server.handle_timeout(Instant::ZERO);
        assert!(!server.wants_input());
        let queued = from_fn(|| Endpoint::poll_event(&mut server)).count();
        assert_eq!(queued, limit);
        assert_eq!(
            from_fn(|| server.poll_event()).count(),
            2 * limit,
            "the others come when wanted"
        );
        assert!(server.wants_input());
    }
}
