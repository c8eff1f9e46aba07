//! Floods, and what each of them meets (RELIABILITY, section 3).

use bytes::Bytes;
use http::Method;
use mcp_proto::http::{Body, ServerOptions};
use mcp_proto::{CallToolResult, Revision, ServerConfig};
use mcp_tests::secs;
use mcp_tests::web::{Web, bare, call, in_session, initialize, modern_call, post, to_announced};
use serde_json::json;

#[test]
fn a_flood_of_header_fields_is_refused() {
    let mut web = Web::new();
    let mut request = modern_call(json!(1), "x");
    for at in 0..20_000 {
        // As many as the type takes; a hundred thousand it does not.
        let name = http::HeaderName::try_from(format!("x-{at}")).unwrap();
        request.headers_mut().insert(name, "1".parse().unwrap());
    }
    assert_eq!(web.ask(request).status(), 431);
    let mut request = modern_call(json!(1), "x");
    request.headers_mut().insert("x-big", "z".repeat(100_000).parse().unwrap());
    assert_eq!(web.ask(request).status(), 431);
    assert!(web.requests().is_empty());
}

#[test]
fn a_long_address_is_refused_with_its_query() {
    let mut web = Web::new();
    let mut status = |address: String| {
        let mut request = modern_call(json!(1), "x");
        *request.uri_mut() = address.parse().unwrap();
        let exchange = web.send(request);
        exchange.map_or_else(|refusal| refusal.status().as_u16(), |_| 0)
    };
    assert_eq!(status(format!("/mcp?{}", "q".repeat(8 << 10))), 0, "it runs");
    assert_eq!(status(format!("/mcp?{}", "q".repeat(16 << 10))), 431);
    assert_eq!(status(format!("/{}", "p".repeat(16 << 10))), 431);
    assert_eq!(web.requests().len(), 1);
}

#[test]
fn a_long_value_that_repeats_the_body_is_refused_before_the_body_is_read() {
    let mut web = Web::new();
    for name in ["mcp-method", "mcp-name", "mcp-param-region"] {
        let mut status = |len: usize| {
            let mut request = modern_call(json!(1), "x");
            request.headers_mut().insert(name, "z".repeat(len).parse().unwrap());
            web.ask(request).status()
        };
        // Compared, and wrong, or of a tool of which nothing is known.
        let compared = if name == "mcp-param-region" { 0 } else { 400 };
        assert_eq!((status(8 << 10), status((8 << 10) + 1)), (compared, 431), "{name}");
    }
    let mut request = modern_call(json!(1), "x");
    request.headers_mut().insert("x-other", "z".repeat(12 << 10).parse().unwrap());
    assert_eq!(web.ask(request).status(), 0, "what repeats nothing is bounded with all others");
}

#[test]
fn a_body_is_refused_before_it_is_read() {
    let mut config = ServerConfig::new("s", "1");
    config.limits.max_message_len = 1000;
    let web = Web::with(config, ServerOptions::default());
    for (length, status) in [("1000", None), ("1001", Some(413)), ("99999999999", Some(413))] {
        let headers = [("content-type", "application/json"), ("content-length", length)];
        let (head, _) = bare(Method::POST, Bytes::new(), &headers).into_parts();
        let admitted = web.server.handle_head(&head);
        assert_eq!(admitted.as_ref().err().map(|refusal| refusal.status().as_u16()), status);
        if let Ok(admission) = admitted {
            assert_eq!((admission.max_body, admission.body_timeout), (1000, secs(30)));
        }
    }
}

#[test]
fn requests_beyond_the_limit_are_refused_also_if_they_hang_up() {
    let options = ServerOptions::default().max_exchanges(10);
    let mut web = Web::with(ServerConfig::new("s", "1"), options);
    let mut running = Vec::new();
    for at in 0..10 {
        let exchange = web.send(modern_call(json!(1), "slow")).unwrap();
        running.push(web.request());
        if at % 2 == 0 {
            web.hang_up(exchange);
        }
    }
    let refused = web.ask(modern_call(json!(1), "slow"));
    assert_eq!((refused.status(), refused.header("retry-after").is_some()), (503, true));
    let now = web.now;
    let (scope, id) = running.swap_remove(0);
    web.server.endpoint_mut(scope).unwrap().abandon(&id, now);
    web.server.poll_ready();
    web.send(modern_call(json!(1), "slow")).unwrap();
    assert_eq!(web.requests().len(), 1, "one has let go");
}

#[test]
fn requests_of_sessions_count_too_after_they_hang_up() {
    let options = ServerOptions::default().max_exchanges(10);
    let mut web = Web::with(ServerConfig::new("s", "1"), options);
    let revision = Revision::V2025_11_25;
    let session = web.open(revision);
    for at in 0..10 {
        let exchange = web.send(in_session(&call(json!(at), "slow"), &session, revision)).unwrap();
        web.hang_up(exchange);
    }
    let running = web.requests();
    assert_eq!((running.len(), web.server.exchanges()), (10, 0));
    assert_eq!(web.ask(in_session(&call(json!(10), "slow"), &session, revision)).status(), 503);
    assert_eq!(web.ask(modern_call(json!(1), "slow")).status(), 503);
    let (now, (scope, id)) = (web.now, &running[0]);
    web.server.endpoint_mut(*scope).unwrap().abandon(id, now);
    web.server.poll_ready();
    web.send(modern_call(json!(1), "slow")).unwrap();
    // Nothing of them is counted when they are gone.
    let headers = [("mcp-session-id", &*session)];
    assert_eq!(web.ask(bare(Method::DELETE, Bytes::new(), &headers)).status(), 204);
    for (scope, id) in &running[1..] {
        if let Some(endpoint) = web.server.endpoint_mut(*scope) {
            endpoint.abandon(id, now);
        }
    }
    web.listen();
    for _ in 0..9 {
        web.send(modern_call(json!(1), "slow")).unwrap();
    }
    assert_eq!(web.ask(modern_call(json!(1), "slow")).status(), 503);
}

#[test]
fn a_session_in_which_enough_requests_run_is_asked_to_come_back() {
    // RELIABILITY, section 3
    let mut config = ServerConfig::new("s", "1");
    config.limits.max_requests = 2;
    let mut web = Web::with(config, ServerOptions::default().http_sse());
    let revision = Revision::V2025_11_25;
    let session = web.open(revision);
    let ask = |id: i32| in_session(&call(json!(id), "slow"), &session, revision);
    for id in 1..=2 {
        web.send(ask(id)).unwrap();
    }
    let running = web.requests();
    let refused = web.ask(ask(3));
    assert_eq!((refused.status(), refused.header("retry-after").is_some()), (503, true));
    assert_eq!((refused.json()["id"].clone(), refused.code()), (json!(3), Some(-32603)));
    // What takes no place is answered as ever.
    let ping = json!({"jsonrpc": "2.0", "id": 4, "method": "ping"});
    assert_eq!(web.ask(in_session(&ping, &session, revision)).json()["result"], json!({}));
    let (now, (scope, id)) = (web.now, &running[0]);
    web.server.endpoint_mut(*scope).unwrap().abandon(id, now);
    web.send(ask(3)).unwrap();
    assert_eq!(web.requests().len(), 1, "there is room again");

    let stream = bare(Method::GET, Bytes::new(), &[("accept", "text/event-stream")]);
    let stream = web.send(stream).unwrap();
    let address = web.take(stream).events()[0].data.clone();
    assert_eq!(web.ask(to_announced(&address, &initialize(Revision::V2024_11_05))).status(), 202);
    let statuses =
        [1, 2, 3].map(|id| web.ask(to_announced(&address, &call(json!(id), "slow"))).status());
    assert_eq!(statuses, [202, 202, 503]);
}

#[test]
fn answers_that_are_whole_at_once_count_among_what_waits() {
    let mut options = ServerOptions::default();
    options.max_waiting_len = 10_000;
    let mut web = Web::with(ServerConfig::new("s", "1"), options);
    let session = web.open(Revision::V2025_03_26);
    let ping = |at: i32| json!({"jsonrpc": "2.0", "id": format!("{at}{}", "i".repeat(1000)), "method": "ping"});
    let batch = json!((0..12).map(ping).collect::<Vec<_>>());
    let pings = in_session(&batch, &session, Revision::V2025_03_26);
    let untaken = web.send(pings.clone()).unwrap();
    assert_eq!(web.ask(pings.clone()).status(), 503);
    assert_eq!(web.take(untaken).json().as_array().map(Vec::len), Some(12));
    let hung_up = web.send(pings.clone()).unwrap();
    web.hang_up(hung_up);
    assert_eq!(web.ask(pings).status(), 200);
}

#[test]
fn a_client_that_says_much_of_itself_opens_no_session() {
    let mut web = Web::with(ServerConfig::new("s", "1"), ServerOptions::default().http_sse());
    let mut long = initialize(Revision::V2025_11_25);
    long["params"]["capabilities"] = json!({"experimental": {"x": {"y": "z".repeat(64 << 10)}}});
    assert_eq!(web.ask(post(&long, &[])).status(), 413);
    let stream = bare(Method::GET, Bytes::new(), &[("accept", "text/event-stream")]);
    let stream = web.send(stream).unwrap();
    let address = web.take(stream).events()[0].data.clone();
    assert_eq!(web.ask(to_announced(&address, &long)).status(), 413);
    assert!(web.take(stream).body.is_empty());
}

#[test]
fn responses_that_nobody_takes_are_limited_whatever_they_answer() {
    let mut options = ServerOptions::default().max_exchanges(8);
    options.max_finishing = 2;
    let mut web = Web::with(ServerConfig::new("s", "1"), options);
    let delete = || bare(Method::DELETE, Bytes::new(), &[("mcp-session-id", "x")]);
    let untaken: Vec<_> = (0..10).map(|_| web.send(delete()).unwrap()).collect();
    assert_eq!(web.ask(delete()).status(), 503);
    assert_eq!(web.take(untaken[0]).status(), 404);
    assert_eq!(web.ask(delete()).status(), 404, "there is room again");
}

#[test]
fn a_flood_of_sessions_costs_what_the_limit_allows() {
    let options = ServerOptions::default().max_sessions(100);
    let mut web = Web::with(ServerConfig::new("s", "1"), options);
    for at in 0..10_000_u32 {
        let (head, body) = post(&initialize(Revision::V2025_11_25), &[]).into_parts();
        let admission = web.server.handle_head(&head).unwrap();
        let mut seed = [0; 24];
        seed[..4].copy_from_slice(&at.to_be_bytes());
        seed[4..8].copy_from_slice(&at.to_be_bytes());
        let caller = mcp_proto::http::Caller::default().seed(seed);
        let request = http::Request::from_parts(head, body);
        let exchange = web.server.handle_request(admission, request, caller, web.now).unwrap();
        assert_eq!(web.take(exchange).status(), 200);
        web.listen();
    }
    assert_eq!((web.server.sessions(), web.server.exchanges()), (100, 0));
    web.pass(secs(61));
    assert_eq!((web.server.sessions(), web.server.poll_timeout()), (0, None), "nothing is left");
}

#[test]
fn whoever_does_not_read_is_asked_to_come_back() {
    let mut options = ServerOptions::default();
    options.max_waiting_len = 10_000;
    let mut web = Web::with(ServerConfig::new("s", "1"), options);
    let exchange = web.send(modern_call(json!(1), "x")).unwrap();
    let (scope, id) = web.request();
    let now = web.now;
    let long = CallToolResult::text("y".repeat(20_000));
    web.server.endpoint_mut(scope).unwrap().respond(&id, &long, now).unwrap();
    web.server.poll_ready();
    assert_eq!(web.ask(modern_call(json!(1), "x")).status(), 503);
    assert_eq!(web.take(exchange).end, Some(Body::End));
    web.send(modern_call(json!(1), "x")).unwrap();
}

#[test]
fn an_idle_session_and_a_running_exchange_are_small() {
    let options = ServerOptions::default().max_sessions(1000).max_exchanges(1000);
    let mut web = Web::with(ServerConfig::new("s", "1"), options);
    web.open(Revision::V2025_11_25);
    let sessions = allocation_counter::measure(|| {
        (0..100).for_each(|_| drop(web.open(Revision::V2025_11_25)));
    });
    let each = sessions.bytes_current / 100;
    println!("{each} bytes for an idle session");
    assert!((1..4 << 10).contains(&each), "{each} bytes for an idle session");
    let running = allocation_counter::measure(|| {
        for _ in 0..100 {
            web.send(modern_call(json!(1), "x")).unwrap();
            web.events.clear();
        }
    });
    let each = running.bytes_current / 100;
    println!("{each} bytes for a running exchange");
    assert!((1..4 << 10).contains(&each), "{each} bytes for a running exchange");
}

#[test]
fn long_answers_that_nobody_reads_are_replaced_and_short_ones_are_not() {
    let mut options = ServerOptions::default();
    (options.max_waiting_len, options.max_stream_len) = (100_000, 1_000);
    let mut web = Web::with(ServerConfig::new("s", "1"), options);
    let exchanges: Vec<_> =
        (0..10).map(|_| web.send(modern_call(json!(1), "x")).unwrap()).collect();
    let requests = web.requests();
    let now = web.now;
    for (at, (scope, id)) in requests.iter().enumerate() {
        let length = if at == 9 { 100 } else { 40_000 };
        let endpoint = web.server.endpoint_mut(*scope).unwrap();
        let answered = endpoint.respond(id, &CallToolResult::text("y".repeat(length)), now);
        assert_eq!(answered.is_ok(), at < 2 || at == 9, "{at}");
    }
    for (at, exchange) in exchanges.into_iter().enumerate() {
        let code = web.take(exchange).code();
        assert_eq!(code, if at < 2 || at == 9 { None } else { Some(-32603) }, "{at}");
    }
}

#[test]
fn draining_takes_nothing_new_and_finishes_what_is_under_way() {
    let mut web = Web::new();
    let revision = Revision::V2025_11_25;
    let session = web.open(revision);
    let stream = web.send(mcp_tests::web::get(&session, revision, None)).unwrap();
    let exchange = web.send(in_session(&call(json!(1), "x"), &session, revision)).unwrap();
    let (scope, id) = web.request();
    let now = web.now;
    web.server.drain(now);
    assert_eq!(web.take(stream).end, Some(Body::End));
    assert_eq!(web.ask(modern_call(json!(1), "x")).status(), 503);
    assert!(!web.server.is_closed());
    web.server.endpoint_mut(scope).unwrap().respond(&id, &CallToolResult::text(""), now).unwrap();
    assert_eq!(web.take(exchange).end, Some(Body::End));
    assert!(web.server.is_closed());
    web.server.close(now);
    web.listen();
    assert_eq!((web.server.sessions(), web.server.poll_timeout()), (0, None));
}

#[test]
fn requests_whose_server_or_session_ends_are_not_accepted_in_silence() {
    // R-HTTP-10: 202 is no answer to a request, and a client would wait for one.
    let revision = Revision::V2025_06_18;
    for by_client in [true, false] {
        let mut web = Web::new();
        let session = web.open(revision);
        let exchange = web.send(in_session(&call(json!(1), "x"), &session, revision)).unwrap();
        let modern = web.send(modern_call(json!(1), "x")).unwrap();
        let requests = web.requests();
        if by_client {
            let headers = [("mcp-session-id", &*session)];
            assert_eq!(web.ask(bare(Method::DELETE, Bytes::new(), &headers)).status(), 204);
        } else {
            let now = web.now;
            web.server.close(now);
            assert_eq!(web.take(modern).status(), 503);
        }
        let answer = web.take(exchange);
        assert_eq!(answer.status(), if by_client { 404 } else { 503 });
        assert!(answer.code().is_some(), "{answer:?}");
        assert_eq!(answer.end, Some(Body::End));
        let now = web.now;
        for (scope, id) in requests {
            if let Some(endpoint) = web.server.endpoint_mut(scope) {
                endpoint.abandon(&id, now);
            }
        }
        web.listen();
        assert_eq!(web.server.sessions(), 0);
    }
}
