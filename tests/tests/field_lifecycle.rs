//! Faults of other libraries with hangs, lifecycle and framing, each a test named after the fault, at the
//! engine.

use std::time::Duration;

use mcp_proto::role::{Client, Server};
use mcp_proto::testing::{End, Pair, Random, SimNet};
use mcp_proto::types::Ping;
use mcp_proto::{
    CallError, CallOptions, CallTool, CallToolResult, ClientConfig, CloseReason, Connection,
    Endpoint, ErrorObject, Event, Limits, LogLevel, Notification, Progress, Revision, SendError,
    ServerConfig, Timeouts, Violation,
};
use mcp_tests::{
    Hand, RootsChanged, endings, handshake, millis, progress, result, secs, tool_call, values,
    violations, welcome, work,
};

/// FIELD-BUGS 60; R-STDIO-07, R-CANC-07. Handlers and sessions lived on after the end of the input.
#[test]
fn the_end_of_the_input_reaches_every_open_request_once() {
    let mut server = Hand::server();
    let ids = ["5", "\"six\"", "7"].map(|id| server.accept(&tool_call(id, None)));
    server.feed("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":7}}\n");
    server.told();
    server.eof();
    server.pass(secs(60));
    let told = server.told();
    let cancelled = |id: &mcp_proto::RequestId| Event::Cancelled { id: id.clone(), reason: None };
    assert_eq!(
        told,
        [cancelled(&ids[0]), cancelled(&ids[1]), Event::Closed(CloseReason::Eof { unread: 0 })]
    );
    assert_eq!(server.conn().requests_in_flight(), 0);
    let now = server.now();
    assert_eq!(
        server.conn().respond(&ids[0], &CallToolResult::text("late"), now),
        Err(SendError::Closed)
    );
}

/// FIELD-BUGS 62; R-LIFE-10. The server died, the caller hung.
#[test]
fn a_server_that_dies_leaves_no_call_hanging() {
    let half = "{\"jsonrpc\":\"2.0\",\"id\":2,\"resu";
    for (last_words, unread) in
        [("", 0), (half, half.len()), ("Traceback (most recent call last):\n", 0)]
    {
        let mut client = Hand::client();
        let ids: Vec<_> = (0..3).map(|_| client.call(CallOptions::default().tracked())).collect();
        client.feed(last_words);
        client.eof();
        let told: Vec<_> =
            client.told().into_iter().filter(|e| !matches!(e, Event::Violation(_))).collect();
        let reason = CloseReason::Eof { unread };
        let ended = |id: &mcp_proto::RequestId| Event::Response {
            id: id.clone(),
            outcome: Err(CallError::Closed(reason.clone())),
        };
        let mut expected: Vec<_> = ids.iter().map(ended).collect();
        expected.push(Event::Closed(reason.clone()));
        assert_eq!(told, expected);
        assert_eq!(client.conn().poll_timeout(), None);
        let now = client.now();
        let late = client.conn().request(&work(), CallOptions::default(), now);
        assert!(matches!(late, Err(SendError::Closed)));
    }
    // In the handshake, with a call that waits for it.
    let mut client = Hand::client_with(ClientConfig::new("c", "1"));
    let now = client.now();
    let ticket = client.conn().request(&work(), CallOptions::default(), now).unwrap();
    client.eof();
    let told = client.told();
    assert_eq!(endings(&told), [(ticket.id().clone(), false)]);
    assert_eq!(told.len(), 2);
}

/// FIELD-BUGS 65; R-PING-01, R-PING-02.
#[test]
fn a_slow_tool_does_not_block_ping() {
    let mut server = Hand::server();
    let slow = server.accept(&tool_call("5", Some("5")));
    server.feed("{\"jsonrpc\":\"2.0\",\"id\":\"p\",\"method\":\"ping\"}\n");
    assert_eq!(server.said(), ["{\"jsonrpc\":\"2.0\",\"id\":\"p\",\"result\":{}}"]);
    assert_eq!(server.told(), [], "the application has nothing to do with it");
    assert!(!server.conn().is_cancelled(&slow));
    // Before the handshake, and in the other direction while a call runs.
    let mut server = Hand::silent_server(ServerConfig::new("s", "1"));
    server.feed("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n");
    assert_eq!(server.said(), ["{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}"]);
    let mut client = Hand::client();
    client.call(CallOptions::default());
    client.feed("{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"ping\",\"params\":{}}\n");
    assert_eq!(client.said(), ["{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{}}"]);
}

/// FIELD-BUGS 65; R-PING-01. And our own ping is answered while the peer's calls run.
#[test]
fn ping_goes_both_ways_while_calls_run() {
    let mut pair = Pair::ready(Revision::V2025_03_26);
    let _slow = pair.client.request(&work(), CallOptions::default(), pair.now).unwrap();
    pair.settle();
    let of_client =
        pair.client.request(&Ping::<Client>::new(), CallOptions::default(), pair.now).unwrap();
    let of_server =
        pair.server.request(&Ping::<Server>::new(), CallOptions::default(), pair.now).unwrap();
    pair.settle();
    assert_eq!(endings(&pair.client_events), [(of_client.id().clone(), true)]);
    assert_eq!(endings(&pair.server_events), [(of_server.id().clone(), true)]);
}

/// FIELD-BUGS 68; R-ID-06, R-RPC-07.
#[test]
fn an_id_is_echoed_with_its_type_and_digits() {
    for id in [
        "0",
        "-1",
        "9007199254740993",
        "-9223372036854775808",
        "123456789012345678901234567890",
        "1.0",
        "1e2",
        "\"\"",
        "\"5\"",
        "\"a \\\"b\\\" \\u0000 é\"",
    ] {
        let mut server = Hand::server();
        let request = server.accept(&tool_call(id, None));
        let now = server.now();
        server.conn().respond(&request, &CallToolResult::text("done"), now).unwrap();
        let said = server.said();
        let echoed =
            mcp_proto::json::Raw::parse(said[0].as_bytes(), 64).unwrap().get("id").unwrap();
        let sent = mcp_proto::json::Raw::parse(id.as_bytes(), 64).unwrap();
        assert_eq!(echoed.kind(), sent.kind(), "{id}");
        match sent.as_str() {
            Some(text) => assert_eq!(echoed.as_str(), Some(text)),
            None => assert_eq!(echoed.as_bytes(), id.as_bytes()),
        }
    }
    // `5` and `"5"` are two requests, and both may be in flight.
    let mut server = Hand::server();
    let number = server.accept(&tool_call("5", None));
    let text = server.accept(&tool_call("\"5\"", None));
    assert_ne!(number, text);
    assert_eq!(server.conn().requests_in_flight(), 2);
}

/// FIELD-BUGS 68; R-RPC-07, R-RPC-12. An answer whose id changed its type reaches its call, and is said.
#[test]
fn an_id_that_comes_back_as_text_is_no_hang() {
    for id in ["\"2\"", "2.0"] {
        let mut client = Hand::client();
        let call = client.call(CallOptions::default());
        client.feed(result(id));
        let told = client.told();
        assert_eq!(endings(&told), [(call, true)], "{id}");
        assert!(matches!(violations(&told)[..], [Violation::LenientId(_)]), "{id}");
    }
    for id in ["\" 2\"", "\"02\"", "\"2.0\"", "true", "[2]", "2.5", "null"] {
        let mut client = Hand::client();
        let call = client.call(CallOptions::default());
        client.feed(result(id));
        let told = client.told();
        assert_eq!(endings(&told), [], "{id}");
        assert_eq!(violations(&told).len(), 1, "{id}");
        client.feed(result(&call));
        assert_eq!(endings(&client.told()), [(call, true)], "{id}: the right one still comes");
    }
}

/// FIELD-BUGS 69; R-RPC-01, R-RPC-07, R-BATCH-08.
#[test]
fn a_message_of_another_version_or_a_batch_is_not_met_with_silence() {
    for (line, code) in [
        ("{\"jsonrpc\":\"1.0\",\"id\":7,\"method\":\"ping\"}", -32600),
        ("{\"id\":7,\"method\":\"ping\"}", -32600),
        ("{\"jsonrpc\":2.0,\"id\":7,\"method\":\"ping\"}", -32600),
        ("{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":5}", -32600),
        ("{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"ping\",\"params\":[]}", -32600),
        ("{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"no/such\"}", 0),
    ] {
        let mut server = Hand::server();
        server.feed(format!("{line}\n"));
        if code == 0 {
            assert!(
                matches!(&server.told()[..], [Event::Request { .. }]),
                "the application's own methods pass"
            );
            continue;
        }
        let said = server.said();
        assert_eq!(said.len(), 1, "{line}");
        assert!(said[0].contains("\"id\":7,\"error\":{\"code\":"), "{line}: {said:?}");
        assert!(said[0].contains(&code.to_string()), "{line}: {said:?}");
    }
    let batch = "[{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"ping\"},{\"jsonrpc\":\"2.0\",\"id\":8,\"method\":\"ping\"}]\n";
    for batch in [batch, "[]\n"] {
        let mut server = Hand::server();
        server.feed(batch);
        let said = server.said();
        assert_eq!(said.len(), 1);
        assert!(said[0].contains("\"error\":{\"code\":-32600"), "{said:?}");
        assert_eq!(server.told(), [Event::Violation(Violation::Batch)]);
    }
}

/// FIELD-BUGS 70; R-STDIO-02. Junk on the server's stdout is skipped, counted and shown.
#[test]
fn junk_on_stdout_closes_nothing() {
    let mut client = Hand::client();
    let id = client.call(CallOptions::default().tracked());
    let junk = [
        "INFO: Started server process [4711]",
        "\u{1b}[32mready\u{1b}[0m",
        "{not json",
        "\"a string\"",
        "42",
        "null",
        "{}",
        "{\"level\":\"info\",\"msg\":\"structured log\"}",
        "   | indented",
        "}{",
    ];
    for line in junk {
        client.feed(format!("{line}\n"));
    }
    client.feed(b"\xff\xfe\x00binary\n");
    let told = client.told();
    assert_eq!(told.len(), junk.len() + 1);
    assert_eq!(violations(&told).len(), junk.len() + 1);
    assert_eq!(client.said(), [""; 0], "it is not answered");
    client.feed(progress("2", "1") + &result(&id));
    let told = client.told();
    assert_eq!((values(&told), endings(&told)), (vec![1.0], vec![(id, true)]));
}

/// FIELD-BUGS 71; R-RPC-02.
#[test]
fn text_that_is_split_across_reads_is_not_torn() {
    let text = "é 漢 \u{1F600} \u{FEFF} \u{2028}";
    let stream = format!(
        "{{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{{\"progressToken\":2,\"progress\":1,\
         \"message\":\"{text}\"}}}}\n"
    );
    let mut first = Hand::client();
    let id = first.call(CallOptions::default().tracked());
    for split in 0..=stream.len() {
        let mut client = first.clone();
        let (head, tail) = stream.as_bytes().split_at(split);
        client.feed(head);
        assert!(split == stream.len() || client.told().is_empty());
        client.feed(tail);
        let told = client.told();
        let [Event::Progress { progress, .. }] = &told[..] else {
            panic!("split at {split}: {told:?}")
        };
        assert_eq!(progress.message.as_ref().unwrap().as_str(), text);
    }
    // A byte order mark is skipped wherever the reads are cut.
    let stream = [b"\xEF\xBB\xBF", handshake(Revision::V2025_06_18).as_bytes()].concat();
    for split in 0..=stream.len() {
        let mut server = Hand::silent_server(ServerConfig::new("s", "1"));
        let (head, tail) = stream.split_at(split);
        server.feed(head);
        server.conn().poll_event();
        server.feed(tail);
        assert_eq!(server.said().len(), 1, "split at {split}");
        assert!(!server.conn().is_closed());
    }
    drop(id);
}

/// FIELD-BUGS 72; R-STDIO-01. A buffer without bound, searched again from its start at every read. What it costs is measured
/// elsewhere: memory in `long_lines.rs`, time in `tests/linear`.
#[test]
fn a_line_without_end_is_skipped_to_its_end_and_answered_once() {
    let mut limits = Limits::default();
    limits.max_message_len = 1 << 20;
    let mut server = Hand::server_with(ServerConfig::new("s", "1").limits(limits));
    // Just within the limit, byte by byte: were it searched from its start each time, these would be
    // 500,000 million steps.
    let filler = "x".repeat((1 << 20) - 100);
    let long = tool_call("5", None).replace("work", &filler);
    assert!(long.len() - 1 <= 1 << 20);
    for byte in long.as_bytes() {
        server.feed([*byte]);
        server.conn().poll_event().inspect(|event| assert!(matches!(event, Event::Request { .. })));
    }
    assert_eq!(server.conn().requests_in_flight(), 1);
    // Beyond it: skipped to its end, answered with the id that stood at its head, and then as before.
    for step in [7, 4096, 1 << 22] {
        let longer = tool_call("6", None).replace("work", &filler.repeat(3));
        for chunk in longer.as_bytes().chunks(step) {
            server.feed(chunk);
            assert!(
                server
                    .told()
                    .iter()
                    .all(|event| matches!(event, Event::Violation(Violation::TooLong { .. })))
            );
        }
        let said = server.said();
        assert_eq!(said.len(), 1);
        assert!(said[0].contains("\"id\":6,\"error\":{\"code\":-32600"), "{said:?}");
        server.feed("{\"jsonrpc\":\"2.0\",\"id\":\"p\",\"method\":\"ping\"}\n");
        assert_eq!(server.said().len(), 1, "it has found its way back");
    }
}

/// FIELD-BUGS 73; R-STDIO-07. 312 orphans: servers outlived their clients.
#[test]
fn a_server_ends_in_bounded_time_with_work_in_flight() {
    let mut server = Hand::server_with(ServerConfig::new("s", "1").drain_timeout(secs(5)));
    server.accept(&tool_call("5", Some("5")));
    server.accept(&tool_call("6", None));
    server.eof();
    assert!(!server.conn().is_closed());
    server.pass(secs(5) - Duration::from_nanos(1));
    assert!(!server.conn().is_closed());
    server.pass(Duration::from_nanos(1));
    assert!(server.conn().is_closed());
    assert_eq!(server.told().last(), Some(&Event::Closed(CloseReason::Eof { unread: 0 })));
    // Without work it ends at once, wherever the conversation was.
    for said_before in
        [String::new(), handshake(Revision::V2024_11_05), "{\"jsonrpc\":\"2.0\"".into()]
    {
        let mut server = Hand::silent_server(ServerConfig::new("s", "1"));
        server.feed(said_before);
        server.said();
        server.eof();
        assert!(server.conn().is_closed());
    }
}

/// FIELD-BUGS 74; R-LIFE-11. Five seconds of burning, zombies: after its end an engine wants nothing.
#[test]
fn a_shut_down_connection_neither_waits_nor_spins() {
    let mut client = Hand::client();
    client.call(CallOptions::default().tracked());
    let now = client.now();
    client.conn().close(now);
    assert!(client.conn().is_closed());
    assert_eq!(client.conn().poll_timeout(), None);
    assert!(!client.conn().wants_input());
    assert_eq!(client.told().last(), Some(&Event::Closed(CloseReason::Local)));
    for _ in 0..3 {
        client.feed(result(2));
        client.eof();
        client.pass(secs(100));
        let now = client.now();
        client.conn().close(now);
        assert_eq!((client.told(), client.said()), (vec![], vec![]));
    }
}

/// FIELD-BUGS 75; R-STDIO-07. Requests were piped in, the input ended, and the responses were lost.
#[test]
fn what_was_accepted_before_the_input_ended_is_answered() {
    let mut server = Hand::silent_server(ServerConfig::new("s", "1"));
    // All at once, the last line without a newline, and the end right behind.
    let piped =
        handshake(Revision::V2025_11_25) + &tool_call("5", Some("\"t\"")) + &tool_call("6", None);
    server.feed(piped.trim_end());
    server.eof();
    let requests = server.told().into_iter().filter_map(|event| match event {
        Event::Request { id, .. } => Some(id),
        _ => None,
    });
    let requests: Vec<_> = requests.collect();
    assert_eq!(requests.len(), 2);
    server.pass(secs(2));
    let now = server.now();
    server.conn().report(&requests[0], Progress::new(1.0), Default::default(), now).unwrap();
    server.conn().respond(&requests[0], &CallToolResult::text("done"), now).unwrap();
    assert!(!server.conn().is_closed(), "the other one is still worked on");
    server.conn().respond(&requests[1], &CallToolResult::text("done"), now).unwrap();
    let said = server.said();
    assert_eq!(said.len(), 4, "initialize, a report and two results: {said:?}");
    assert!(server.conn().is_closed(), "and then it is over, without waiting for the limit");
    assert_eq!(server.told(), [Event::Closed(CloseReason::Eof { unread: 0 })]);
}

/// FIELD-BUGS 79; R-PROG-11. Listeners, streams and tasks were left behind.
#[test]
fn a_hundred_thousand_calls_of_every_outcome_leave_nothing_behind() {
    let mut pair = Pair::ready(Revision::V2025_11_25);
    let mut random = Random::new(79);
    let timeouts = Timeouts::NEVER.idle(secs(1));
    for n in 0..100_000 {
        let options = match n % 3 {
            0 => CallOptions::default(),
            1 => CallOptions::default().tracked(),
            _ => CallOptions::default().progress_token("mine"),
        };
        let ticket = pair.client.request(&work(), options.timeouts(timeouts), pair.now).unwrap();
        if random.below(10) == 0 {
            pair.client.cancel(ticket.id(), None, pair.now);
        }
        pair.settle();
        let request = pair.server_events.drain(..).find_map(|event| match event {
            Event::Request { id, .. } => Some(id),
            _ => None,
        });
        if let Some(id) = request {
            let _ = pair.server.report(&id, Progress::new(1.0), Default::default(), pair.now);
            match random.below(6) {
                0 => drop(pair.server.respond(&id, &CallToolResult::text("done"), pair.now)),
                1 => drop(pair.server.fail(&id, &ErrorObject::internal("no"), pair.now)),
                2 => pair.server.abandon(&id, pair.now),
                3 => pair.client.cancel(ticket.id(), Some("enough"), pair.now),
                4 => pair.advance(secs(1)),
                _ => {
                    pair.client.cancel(ticket.id(), None, pair.now);
                    drop(pair.server.respond(&id, &CallToolResult::text("crossed"), pair.now));
                }
            }
            pair.settle();
            // Whatever it was, its handler ends at last.
            pair.server.abandon(&id, pair.now);
            pair.settle();
        }
        assert_eq!(endings(&pair.client_events).len(), 1, "call {n}: {:?}", pair.client_events);
        assert_eq!(
            (pair.client.calls_in_flight(), pair.server.requests_in_flight()),
            (0, 0),
            "call {n}"
        );
        pair.forget();
    }
    assert_eq!((pair.client.poll_timeout(), pair.server.poll_timeout()), (None, None));
    assert!(format!("{:?}", pair.client).len() < 20_000, "no table has grown");
    assert!(format!("{:?}", pair.server).len() < 20_000, "no table has grown");
}

/// FIELD-BUGS 80; R-LIFE-04, R-LIFE-05.
#[test]
fn initialized_is_neither_overtaken_nor_overtakes() {
    let mut client =
        Hand::client_with(ClientConfig::new("c", "1").revisions(Revision::V2025_11_25));
    let now = client.now();
    let first = client.conn().request(&work(), CallOptions::default(), now).unwrap();
    client.conn().notify(&RootsChanged {}).unwrap();
    let second = client.conn().request(&work(), CallOptions::default(), now).unwrap();
    let said = client.said();
    assert!(
        said.len() == 1 && said[0].contains("\"initialize\""),
        "the rest is held back: {said:?}"
    );
    client.feed(welcome(Revision::V2025_11_25));
    let said = client.said();
    let found: Vec<_> = said
        .iter()
        .map(|line| mcp_proto::json::Raw::parse(line.as_bytes(), 64).unwrap())
        .map(|raw| {
            (
                raw.get("method").unwrap().as_str().unwrap().into_owned(),
                raw.get("id").map(|id| id.as_f64()),
            )
        })
        .collect();
    let id = |ticket: &mcp_proto::RequestId| Some(ticket.as_i64().map(|id| id as f64));
    assert_eq!(
        found,
        [
            ("notifications/initialized".into(), None),
            ("tools/call".into(), id(first.id())),
            (RootsChanged::METHOD.into(), None),
            ("tools/call".into(), id(second.id())),
        ],
        "in the order in which they were asked for"
    );
}

/// FIELD-BUGS 81; R-STDIO-07. Close waited for a stream, or for a peer that said nothing.
#[test]
fn close_is_bounded_in_every_state() {
    type Prepare = fn(&mut Hand<Client>);
    let states: [(&str, ClientConfig, Prepare); 6] = [
        ("probing", ClientConfig::new("c", "1"), |_| {}),
        ("shaking hands", ClientConfig::new("c", "1").revisions(Revision::V2024_11_05), |_| {}),
        ("holding calls back", ClientConfig::new("c", "1"), |client| {
            let now = client.now();
            let _ticket = client.conn().request(&work(), CallOptions::default(), now).unwrap();
        }),
        ("ready", ClientConfig::new("c", "1").revisions(Revision::V2025_11_25), |client| {
            client.feed(welcome(Revision::V2025_11_25));
        }),
        (
            "in the middle of a line",
            ClientConfig::new("c", "1").revisions(Revision::V2025_11_25),
            |client| {
                client.feed(welcome(Revision::V2025_11_25) + "{\"jsonrpc\"");
            },
        ),
        (
            "with a write half done",
            ClientConfig::new("c", "1").revisions(Revision::V2025_11_25),
            |client| {
                client.feed(welcome(Revision::V2025_11_25));
                client.said();
                client.call(CallOptions::default());
                let now = client.now();
                let _ticket = client.conn().request(&work(), CallOptions::default(), now).unwrap();
                client.conn().poll_transmit();
                client.conn().advance_transmit(3);
            },
        ),
    ];
    for (state, config, prepare) in states {
        let mut client = Hand::client_with(config);
        prepare(&mut client);
        let now = client.now();
        client.told();
        let calls = client.conn().calls_in_flight();
        client.conn().close(now);
        let told = client.told();
        assert!(endings(&told).len() <= calls, "{state}");
        assert_eq!(told.last(), Some(&Event::Closed(CloseReason::Local)), "{state}");
        assert_eq!(client.conn().calls_in_flight(), 0, "{state}");
        assert_eq!(client.conn().poll_timeout(), None, "{state}: nothing to wait for");
    }
    // A server with work in flight, and one that drains.
    for ended in [false, true] {
        let mut server = Hand::server();
        server.accept(&tool_call("5", None));
        if ended {
            server.eof();
        }
        let now = server.now();
        server.conn().close(now);
        let told = server.told();
        assert!(matches!(&told[..], [Event::Cancelled { .. }, Event::Closed(_)]), "{told:?}");
        assert_eq!(server.conn().poll_timeout(), None);
    }
    // A peer that reads nothing and says nothing holds nobody up either.
    let mut pair = Pair::ready(Revision::V2025_11_25)
        .over(SimNet::new(1).capacity(1).cut_after(End::Server, 0));
    let _ticket = pair.client.request(&work(), CallOptions::default(), pair.now).unwrap();
    pair.client.close(pair.now);
    assert!(pair.client.is_closed());
}

/// FIELD-BUGS 82; R-LIFE-10. A session that ends in another task than it began in.
#[test]
fn a_connection_may_move_between_threads_at_any_step() {
    fn is_send<T: Send>() {}
    is_send::<Connection<Client>>();
    is_send::<Connection<Server>>();
    is_send::<Endpoint<Client>>();
    is_send::<Event>();
    is_send::<Pair>();
    let mut pair = Pair::ready(Revision::V2025_11_25);
    let _ticket = pair.client.request(&work(), CallOptions::default().tracked(), pair.now).unwrap();
    let steps: [fn(&mut Pair); 4] = [
        |pair| pair.settle(),
        |pair| {
            let Some(Event::Request { id, .. }) = pair.server_events.pop() else { panic!() };
            pair.server.report(&id, Progress::new(1.0), Default::default(), pair.now).unwrap();
            pair.server.respond(&id, &CallToolResult::text("done"), pair.now).unwrap();
        },
        |pair| pair.advance(millis(10)),
        |pair| pair.client.close(pair.now),
    ];
    for step in steps {
        let (sender, receiver) = std::sync::mpsc::channel();
        let worker = std::thread::Builder::new().spawn(move || {
            step(&mut pair);
            sender.send(pair).unwrap();
        });
        pair = receiver.recv().unwrap();
        worker.unwrap().join().unwrap();
    }
    pair.run();
    assert_eq!(values(&pair.client_events), [1.0]);
    assert_eq!(endings(&pair.client_events).len(), 1);
}

/// RELIABILITY §3, output queue: what the application had asked for early was as long as all that may wait.
#[test]
fn the_log_level_is_asked_for_however_much_was_held_back() {
    let config = ClientConfig::new("c", "1").revisions(Revision::V2025_11_25);
    let mut client = Hand::client_with(config.log_level(LogLevel::Debug));
    let large = CallTool::new("t").argument("v", "x".repeat(2 << 20));
    let now = client.now();
    let _ticket = client.conn().request(&large, CallOptions::default(), now).unwrap();
    client.said();
    let welcome = welcome(Revision::V2025_11_25);
    client.feed(welcome.replace("\"capabilities\":{}", "\"capabilities\":{\"logging\":{}}"));
    let said = client.said();
    assert!(said.iter().any(|line| line.contains("logging/setLevel")), "{} messages", said.len());
}
