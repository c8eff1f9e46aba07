//! Whatever becomes of a call, nothing of it is left: after 100,000 of each outcome every table is empty and as
//! many bytes are live as before.
//!
//! A program of its own, because the counting allocator is that of the whole program.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use allocation_counter::measure;
use mcp_proto::driver::Call;
use mcp_proto::progress::Weight;
use mcp_proto::role::{Client, Role, Server};
use mcp_proto::router::{Context, Router, ToolError, ToolInfo};
use mcp_proto::testing::Memory;
use mcp_proto::{
    CallError, CallOptions, CallTool, CallToolResult, ClientConfig, CloseReason, Connection, Era,
    ErrorObject, Event, Instant, Limits, Progress, RawJson, RequestId, Revision, SendError,
    ServerConfig, Timeouts, Violation, testing,
};
use mcp_tests::{handshake, progress, result, secs, welcome, work};

/// Of each outcome, half of them in each era.
const CALLS: usize = 100_000;

/// Of each outcome through the driver: an unoptimised build takes some twenty seconds for a fifth.
const CALLS_THROUGH_THE_DRIVER: usize = if cfg!(debug_assertions) { CALLS / 5 } else { CALLS };

/// Calls after which the tables have the size that they keep.
const WARM_UP: usize = 100;

/// Time in which what a step provokes may be told again.
const PEACE: Duration = Duration::from_millis(100);

/// As many bytes are live after so many more steps as before.
#[track_caller]
fn leaves_nothing(what: &str, count: usize, mut step: impl FnMut(usize)) {
    (0..WARM_UP).for_each(&mut step);
    let counted = measure(|| (WARM_UP..WARM_UP + count).for_each(&mut step));
    assert!(counted.count_total > 0, "nothing was counted");
    assert_eq!(counted.bytes_current, 0, "{what}: bytes left behind");
    assert_eq!(counted.count_current, 0, "{what}: allocations left behind");
}

/// One end on which every step acts.
struct End<R> {
    conn: Connection<R>,
    now: Instant,
}

impl<R: Role> End<R> {
    fn drain(&mut self) {
        while let Some(length) = self.conn.poll_transmit().map(<[u8]>::len) {
            self.conn.advance_transmit(length);
        }
    }

    fn feed(&mut self, line: &str) {
        self.conn.handle_input(line.as_bytes(), self.now);
    }

    fn next(&mut self) -> Event {
        self.conn.poll_event().expect("an event")
    }

    #[track_caller]
    fn is_idle(&mut self) {
        assert_eq!(self.conn.poll_event(), None);
        self.drain();
        assert_eq!((self.conn.calls_in_flight(), self.conn.requests_in_flight()), (0, 0));
        assert_eq!(self.conn.poll_timeout(), None);
    }
}

impl End<Client> {
    fn new(revision: Revision, limits: Limits) -> Self {
        let config = ClientConfig::new("c", "1").revisions(revision).limits(limits);
        let mut conn = Connection::client(config, Instant::ZERO);
        let answer = match revision.era() {
            Era::Legacy => welcome(revision),
            Era::Modern => format!(
                "{{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{{\"supportedVersions\":[\"{revision}\"],\"capabilities\":{{}},\
                 \"resultType\":\"complete\"}}}}\n"
            ),
        };
        conn.poll_transmit();
        conn.handle_input(answer.as_bytes(), Instant::ZERO);
        assert!(matches!(conn.poll_event(), Some(Event::Ready(_))));
        let mut end = Self { conn, now: Instant::ZERO };
        end.is_idle();
        end
    }

    /// A call with progress or without, with a token of its own or ours; queued, not sent.
    fn ask(&mut self, n: usize) -> RequestId {
        let options = match n % 3 {
            0 => CallOptions::default(),
            1 => CallOptions::default().tracked(),
            _ => CallOptions::default().progress_token("mine"),
        };
        let options = options.timeouts(Timeouts::default().idle(secs(1)));
        self.conn.request(&work(), options, self.now).unwrap().id().clone()
    }

    /// As `ask`, sent, and of every other a report has come.
    fn call(&mut self, n: usize) -> RequestId {
        let id = self.ask(n);
        self.drain();
        if matches!(n % 6, 1 | 5) {
            let token = if n % 3 == 1 { id.to_string() } else { "\"mine\"".to_owned() };
            self.feed(&progress(&token, "1"));
            assert!(matches!(self.next(), Event::Progress { .. }));
        }
        id
    }

    fn outcome(&mut self) -> Result<RawJson, CallError> {
        match self.next() {
            Event::Response { outcome, .. } => outcome,
            event => panic!("{event:?}"),
        }
    }
}

/// Steps of a client in both eras.
#[track_caller]
fn client(what: &str, mut step: impl FnMut(&mut End<Client>, usize)) {
    for revision in [Revision::LATEST_LEGACY, Revision::LATEST] {
        let mut end = End::<Client>::new(revision, ClientConfig::new("c", "1").limits);
        leaves_nothing(&format!("{what}, {revision}"), CALLS / 2, |n| {
            step(&mut end, n);
            end.is_idle();
        });
    }
}

#[test]
fn a_result() {
    client("result", |end, n| {
        let id = end.call(n);
        end.feed(&result(&id));
        end.outcome().unwrap();
    });
}

#[test]
fn an_error() {
    client("error", |end, n| {
        let id = end.call(n);
        end.feed(&format!(
            "{{\"jsonrpc\":\"2.0\",\"id\":{id},\"error\":{{\"code\":-1,\"message\":\"no\",\"data\":[1]}}}}\n"
        ));
        assert!(matches!(end.outcome(), Err(CallError::Peer(_))));
    });
}

#[test]
fn a_malformed_answer() {
    client("malformed", |end, n| {
        end.now = end.now + PEACE;
        let id = end.call(n);
        end.feed(&format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":7}}\n"));
        assert!(matches!(end.outcome(), Err(CallError::Protocol(_))));
        assert!(matches!(end.next(), Event::Violation(Violation::NotAMessage(_))));
    });
}

#[test]
fn a_timeout() {
    client("timeout", |end, n| {
        end.call(n);
        end.now = end.now + secs(1);
        end.conn.handle_timeout(end.now);
        assert!(matches!(end.outcome(), Err(CallError::TimedOut(_))));
    });
}

#[test]
fn a_cancellation() {
    client("cancelled", |end, n| {
        let id = end.call(n);
        end.conn.cancel(&id, Some("enough"), end.now);
        assert_eq!(end.outcome(), Err(CallError::Cancelled));
    });
}

#[test]
fn a_cancellation_before_the_request_leaves() {
    client("taken back", |end, n| {
        let id = end.ask(n);
        end.conn.cancel(&id, None, end.now);
        assert_eq!(end.outcome(), Err(CallError::Cancelled));
        assert_eq!(end.conn.poll_transmit(), None);
    });
}

#[test]
fn an_answer_that_comes_too_late() {
    client("too late", |end, n| {
        end.now = end.now + PEACE;
        let id = end.call(n);
        end.conn.cancel(&id, None, end.now);
        assert_eq!(end.outcome(), Err(CallError::Cancelled));
        end.drain();
        end.feed(&result(&id));
        assert!(matches!(end.next(), Event::Violation(Violation::LateResponse(_))));
        end.feed(&progress(&id.to_string(), "2"));
        assert!(matches!(end.next(), Event::Violation(Violation::LateProgress(_))));
    });
}

#[test]
fn a_refusal_on_this_side() {
    let mut limits = Limits::default();
    (limits.max_calls, limits.max_output_len) = (1, 1_000);
    for revision in [Revision::LATEST_LEGACY, Revision::LATEST] {
        let mut end = End::<Client>::new(revision, limits);
        leaves_nothing("refused", CALLS / 2, |n| {
            let now = end.now;
            let id = end.call(n);
            let mut refused = |call: &CallTool, options: CallOptions| {
                end.conn.request(call, options, now).map(drop).unwrap_err()
            };
            let token = "t".repeat(limits.max_id_len + 1);
            let options = CallOptions::default().progress_token(token);
            assert_eq!(refused(&work(), options), SendError::TokenTooLong);
            assert_eq!(refused(&work(), CallOptions::default()), SendError::TooManyCalls);
            end.feed(&result(&id));
            end.outcome().unwrap();
            let mut refused = |params: &RawJson| {
                end.conn.request_raw("x/y", Some(params), CallOptions::default(), now).unwrap_err()
            };
            let list = RawJson::parse("[1]").unwrap();
            assert!(matches!(refused(&list), SendError::Encode(_)));
            let long = RawJson::of(&CallTool::new("x".repeat(1_000))).unwrap();
            assert_eq!(refused(&long), SendError::OutboxFull);
            end.is_idle();
        });
    }
}

#[test]
fn a_connection_that_ends() {
    for revision in [Revision::LATEST_LEGACY, Revision::LATEST] {
        leaves_nothing("closed", CALLS / 8, |n| {
            let mut end = End::<Client>::new(revision, Limits::default());
            // Four calls: one is not sent, one has a report.
            (0..3).for_each(|call| drop(end.call(call)));
            end.ask(0);
            let reason = match n % 3 {
                0 => {
                    end.conn.handle_eof(end.now);
                    CloseReason::Eof { unread: 0 }
                }
                1 => {
                    end.conn.handle_transport_error(end.now);
                    CloseReason::Transport
                }
                _ => {
                    end.conn.close(end.now);
                    CloseReason::Local
                }
            };
            for _ in 0..4 {
                assert_eq!(end.outcome(), Err(CallError::Closed(reason.clone())));
            }
            assert_eq!(end.next(), Event::Closed(reason));
            end.is_idle();
        });
    }
}

/// Steps of a server, with one request in flight, in both eras.
#[track_caller]
fn server(what: &str, mut step: impl FnMut(&mut End<Server>, &RequestId, usize)) {
    for era in [Era::Legacy, Era::Modern] {
        let mut limits = Limits::default();
        limits.max_error_answers = u32::MAX;
        let conn = Connection::server(ServerConfig::new("s", "1").limits(limits));
        let mut end = End { conn, now: Instant::ZERO };
        let meta = match era {
            Era::Legacy => {
                end.feed(&handshake(Revision::LATEST_LEGACY));
                assert!(matches!(end.next(), Event::Ready(_)));
                ""
            }
            Era::Modern => {
                ",\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\",\
                 \"io.modelcontextprotocol/clientCapabilities\":{}"
            }
        };
        end.is_idle();
        leaves_nothing(&format!("{what}, {era:?}"), CALLS / 2, |n| {
            // Ids of both types, constant or not.
            let id = match n % 3 {
                0 => n.to_string(),
                1 => format!("\"{n}\""),
                _ => "7".to_owned(),
            };
            end.feed(&format!(
                "{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"tools/call\",\"params\":{{\"name\":\"work\",\
                 \"_meta\":{{\"progressToken\":\"t\"{meta}}}}}}}\n"
            ));
            let Event::Request { id, .. } = end.next() else { panic!("no request") };
            step(&mut end, &id, n);
            end.is_idle();
        });
    }
}

#[test]
fn an_answer() {
    server("answered", |end, id, _| {
        for value in [1.0, 2.0] {
            end.conn.report(id, Progress::new(value), Weight::Ordinary, end.now).unwrap();
        }
        end.conn.respond(id, &CallToolResult::text("done"), end.now).unwrap();
        let twice = end.conn.respond(id, &CallToolResult::text("done"), end.now);
        assert_eq!(twice, Err(SendError::UnknownRequest));
    });
}

#[test]
fn a_failure() {
    server("failed", |end, id, n| match n % 2 {
        0 => end.conn.fail(id, &ErrorObject::internal("no"), end.now).unwrap(),
        _ => end.conn.abandon(id, end.now),
    });
}

#[test]
fn a_cancellation_by_the_peer() {
    server("cancelled by the peer", |end, id, n| {
        end.conn.report(id, Progress::new(1.0), Weight::Milestone, end.now).unwrap();
        let line = |id: &RequestId| {
            format!(
                "{{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{{\"requestId\":{id}}}}}\n"
            )
        };
        end.feed(&line(id));
        assert!(matches!(end.next(), Event::Cancelled { .. }));
        match n % 2 {
            0 => end.conn.abandon(id, end.now),
            _ => {
                let answered = end.conn.respond(id, &CallToolResult::text("x"), end.now);
                assert_eq!(answered, Err(SendError::Cancelled));
            }
        }
        // Nor does one for a request that never was.
        end.feed(&line(&RequestId::from("never")));
    });
}

#[test]
fn what_is_no_request() {
    server("malformed", |end, id, n| {
        let lines = [
            format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"tools/call\"}}\n"),
            format!("{{\"jsonrpc\":\"2.0\",\"id\":{n},\"method\":7}}\n"),
            "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n".to_owned(),
            "no\n".to_owned(),
        ];
        for line in lines {
            end.feed(&line);
            assert!(matches!(end.next(), Event::Violation(_)));
        }
        end.now = end.now + secs(1);
        end.conn.respond(id, &CallToolResult::text("done"), end.now).unwrap();
    });
}

/// Answers that wait for the rest of their batch, and one of them that never comes.
#[test]
fn a_batch() {
    let mut conn = Connection::server(ServerConfig::new("s", "1"));
    conn.handle_input(handshake(Revision::V2025_03_26).as_bytes(), Instant::ZERO);
    let mut end = End { conn, now: Instant::ZERO };
    assert!(matches!(end.next(), Event::Ready(_)));
    end.is_idle();
    leaves_nothing("batch", CALLS / 2, |n| {
        let ask = |id: &str| {
            let params = "{\"name\":\"work\",\"_meta\":{\"progressToken\":\"t\"}}";
            format!(
                "{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"tools/call\",\"params\":{params}}}"
            )
        };
        let ping = format!("{{\"jsonrpc\":\"2.0\",\"id\":{n},\"method\":\"ping\"}}");
        end.feed(&format!("[{},{ping},{}]\n", ask("\"a\""), ask("\"b\"")));
        let ids: Vec<_> = (0..2)
            .map(|_| match end.next() {
                Event::Request { id, .. } => id,
                event => panic!("{event:?}"),
            })
            .collect();
        end.conn.report(&ids[0], Progress::new(1.0), Weight::Ordinary, end.now).unwrap();
        end.conn.respond(&ids[0], &CallToolResult::text("done"), end.now).unwrap();
        match n % 3 {
            0 => end.conn.respond(&ids[1], &CallToolResult::text("done"), end.now).unwrap(),
            1 => end.conn.abandon(&ids[1], end.now),
            _ => {
                let cancelled = format!(
                    "{{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{{\"requestId\":{}}}}}\n",
                    ids[1]
                );
                end.feed(&cancelled);
                assert!(matches!(end.next(), Event::Cancelled { .. }));
                end.conn.abandon(&ids[1], end.now);
            }
        }
        end.is_idle();
    });
}

async fn serve(context: Context, params: Option<RawJson>) -> Result<String, ToolError> {
    let kind = params.as_ref().and_then(|params| params.get("kind")).and_then(|kind| kind.as_str());
    let _ = context.progress().report(Progress::new(1.0));
    match kind.as_deref() {
        Some("fail") => Err(ToolError::new("no")),
        Some("hang") => {
            context.cancelled().await;
            Err(ToolError::new("cancelled"))
        }
        _ => Ok("done".into()),
    }
}

/// Calls through futures, handles and a router, on both sides.
#[test]
fn calls_through_the_driver() {
    let tool =
        ToolInfo::new("work").into_tool(RawJson::parse(r#"{"type":"object"}"#).unwrap(), None);
    let mut memory = testing::connect(Router::new("s", "1").raw_tool(tool, serve));
    let call = |memory: &Memory, kind: &str| memory.client().call(work().argument("kind", kind));
    // Sends it, and no more than that.
    fn begin<T, L>(memory: &mut Memory, call: &mut Call<T, L>)
    where
        Call<T, L>: Future + Unpin,
    {
        memory.run(poll_fn(|cx| {
            assert!(pin!(&mut *call).poll(cx).is_pending());
            Poll::Ready(())
        }));
    }
    leaves_nothing("driver", 5 * CALLS_THROUGH_THE_DRIVER, |n| {
        match n % 5 {
            0 => {
                let mut seen = 0;
                let call = call(&memory, "").on_progress(|_| seen += 1);
                memory.run(call).unwrap();
                assert_eq!(seen, 1);
            }
            1 => {
                let result = memory.run(call(&memory, "fail")).unwrap();
                assert!(result.failed());
            }
            2 => drop(call(&memory, "")),
            3 => {
                let mut call = call(&memory, "hang");
                begin(&mut memory, &mut call);
                drop(call);
            }
            _ => {
                let call = call(&memory, "hang").timeouts(Timeouts::NEVER.total(secs(1)));
                assert!(matches!(memory.run(call), Err(CallError::TimedOut(_))));
            }
        }
        memory.settle();
        assert_eq!(memory.client().calls_in_flight(), 0);
    });
}
