//! Sessions of 2025-03-26 to 2025-11-25 (R-SESS-01 to R-SESS-08, R-HTTP).

use bytes::Bytes;
use http::Method;
use mcp_proto::http::{Body, Scope, ServerOptions};
use mcp_proto::progress::{Pacing, Weight};
use mcp_proto::{CallOptions, CallToolResult, Event, Progress, RequestId, Revision, ServerConfig};
use mcp_tests::secs;
use mcp_tests::web::{Web, bare, call, get, in_session, initialize, post};
use serde_json::{Value, json};

/// The revisions that have sessions.
pub const REVISIONS: [Revision; 3] =
    [Revision::V2025_03_26, Revision::V2025_06_18, Revision::V2025_11_25];

fn ping() -> Value {
    json!({"jsonrpc": "2.0", "id": 1, "method": "ping"})
}

fn delete(session: &str) -> http::Request<Bytes> {
    bare(Method::DELETE, Bytes::new(), &[("mcp-session-id", session)])
}

#[test]
fn a_session_lives_from_initialize_to_delete() {
    for revision in REVISIONS {
        let mut web = Web::new();
        let session = web.open(revision);
        assert!(session.bytes().all(|byte| (0x21..=0x7E).contains(&byte)), "R-SESS-01");
        let answer = web.ask(in_session(&ping(), &session, revision));
        assert_eq!((answer.status(), answer.json()["result"].clone()), (200, json!({})));
        assert_eq!(answer.header("mcp-session-id"), None, "said once");
        assert_eq!(web.ask(delete(&session)).status(), 204, "R-SESS-07");
        web.listen();
        assert!(matches!(&web.events[..], [(_, Event::Closed(_))]));
        // R-SESS-05
        for request in [
            in_session(&ping(), &session, revision),
            get(&session, revision, None),
            delete(&session),
        ] {
            assert_eq!(web.ask(request).status(), 404);
        }
        assert_eq!((web.server.sessions(), web.server.exchanges()), (0, 0));
    }
}

#[test]
fn without_an_id_there_is_no_session() {
    let mut web = Web::new();
    let session = web.open(Revision::V2025_11_25);
    assert_eq!(web.ask(post(&ping(), &[])).status(), 400, "R-SESS-04");
    assert_eq!(web.ask(post(&json!([initialize(Revision::V2025_11_25)]), &[])).status(), 400);
    let stream = [("accept", "text/event-stream")];
    assert_eq!(web.ask(bare(Method::GET, Bytes::new(), &stream)).status(), 400);
    let mut guess = session.clone();
    guess.replace_range(47.., if session.ends_with('0') { "1" } else { "0" });
    for id in [&guess, "unknown", "", &"x".repeat(5000)] {
        assert_eq!(web.ask(post(&ping(), &[("mcp-session-id", id)])).status(), 404, "{id}");
    }
    let twice = [("mcp-session-id", &*session), ("mcp-session-id", &*session)];
    assert_eq!(web.ask(post(&ping(), &twice)).status(), 400);
    assert_eq!(web.server.sessions(), 1);
    // Entropy failed: no session rather than one that can be guessed.
    let (head, body) = post(&initialize(Revision::V2025_11_25), &[]).into_parts();
    let admission = web.server.handle_head(&head).unwrap();
    let request = http::Request::from_parts(head, body);
    let exchange =
        web.server.handle_request(admission, request, Default::default(), web.now).unwrap();
    assert_eq!(web.take(exchange).status(), 503);
}

#[test]
fn a_session_is_served_to_who_opened_it() {
    // R-SESS-10: the id is no proof.
    let mut web = Web::new();
    let exchange =
        web.send_as(Some("alice"), post(&initialize(Revision::V2025_11_25), &[])).unwrap();
    let session = web.take(exchange).header("mcp-session-id").unwrap().to_owned();
    for (who, status) in [(Some("alice"), 200), (Some("bob"), 404), (None, 404)] {
        let request = in_session(&ping(), &session, Revision::V2025_11_25);
        let exchange = web.send_as(who, request).unwrap();
        assert_eq!(web.take(exchange).status(), status, "{who:?}");
    }
}

#[test]
fn the_version_header_is_one_of_those_that_are_served() {
    // PROTOCOL 5.3.5: missing is known from the session, invalid is 400.
    let mut web = Web::new();
    let session = web.open(Revision::V2025_06_18);
    for (version, status) in [
        (None, 200),
        (Some("2025-06-18"), 200),
        (Some("2025-03-26"), 200),
        (Some("banana"), 400),
        (Some(""), 400),
        (Some("2026-07-28"), 400),
    ] {
        let mut headers = vec![("mcp-session-id", &*session)];
        headers.extend(version.map(|version| ("mcp-protocol-version", version)));
        assert_eq!(web.ask(post(&ping(), &headers)).status(), status, "{version:?}");
    }
}

#[test]
fn what_wants_no_answer_gets_none() {
    // R-HTTP-08, R-HTTP-09
    for revision in REVISIONS {
        let mut web = Web::new();
        let session = web.open(revision);
        let mut status = |message: Value| {
            let answer = web.ask(in_session(&message, &session, revision));
            (answer.status(), answer.body.is_empty())
        };
        assert_eq!(status(json!({"jsonrpc": "2.0", "method": "notifications/x"})), (202, true));
        assert_eq!(status(json!({"jsonrpc": "2.0", "id": 9, "result": {}})), (202, true));
        assert_eq!(status(json!({"jsonrpc": "2.0", "id": "x", "error": {"code": 1}})), (400, true));
        assert_eq!(status(json!({"jsonrpc": "2.0", "id": null, "method": "ping"})), (400, false));
        let batch = json!([ping(), {"jsonrpc": "2.0", "method": "notifications/x"}]);
        let expected = if revision == Revision::V2025_03_26 { 200 } else { 400 };
        assert_eq!(status(batch).0, expected);
        let mut two = in_session(&ping(), &session, revision);
        *two.body_mut() = format!("{}\n{}", ping(), ping()).into();
        assert_eq!(web.ask(two).status(), 400, "one message, not two");
    }
}

#[test]
fn a_batch_is_answered_together() {
    let mut web = Web::new();
    let session = web.open(Revision::V2025_03_26);
    let batch = json!([call(json!(1), "a"), call(json!(2), "b"), ping()]);
    let mut batch = batch;
    batch[2]["id"] = json!(3);
    let exchange = web.send(in_session(&batch, &session, Revision::V2025_03_26)).unwrap();
    let now = web.now;
    for (scope, id) in web.requests().into_iter().rev() {
        let result = CallToolResult::text(id.to_string());
        web.server.endpoint_mut(scope).unwrap().respond(&id, &result, now).unwrap();
    }
    let answer = web.take(exchange);
    let ids: Vec<_> =
        answer.json().as_array().unwrap().iter().map(|answer| answer["id"].clone()).collect();
    assert_eq!(ids, [json!(3), json!(2), json!(1)]);
    assert_eq!(answer.end, Some(Body::End));
}

/// FIELD-BUGS 57; R-CANC-07, R-CANC-14.
#[test]
fn a_cancelled_request_gets_no_answer_and_its_exchange_ends() {
    let mut web = Web::new();
    let session = web.open(Revision::V2025_06_18);
    let exchange =
        web.send(in_session(&call(json!(1), "slow"), &session, Revision::V2025_06_18)).unwrap();
    let (scope, id) = web.request();
    let revision = Revision::V2025_06_18;
    assert_eq!(web.ask(in_session(&cancel(), &session, revision)).status(), 202);
    let answer = web.take(exchange);
    assert_eq!((answer.status(), answer.body.len(), answer.end), (202, 0, Some(Body::End)));
    let now = web.now;
    web.server.endpoint_mut(scope).unwrap().abandon(&id, now);
    assert_eq!((web.server.exchanges(), web.server.requests_in_flight()), (0, 0));
}

fn unpaced() -> Web {
    let config = ServerConfig::new("s", "1").pacing(Pacing::UNLIMITED);
    Web::with(config, ServerOptions::default())
}

fn report(web: &mut Web, scope: Scope, id: &RequestId, value: u32) {
    let now = web.now;
    let endpoint = web.server.endpoint_mut(scope).unwrap();
    endpoint.report(id, Progress::new(value.into()), Weight::Ordinary, now).unwrap();
    web.server.poll_ready();
}

/// The token and the value of each report among messages.
fn reports(messages: &[Value]) -> Vec<(u64, f64)> {
    let params = messages.iter().map(|message| &message["params"]);
    let said =
        |params: &Value| Some((params["progressToken"].as_u64()?, params["progress"].as_f64()?));
    params.filter_map(said).collect()
}

/// The client wants no answer to its first request any more.
fn cancel() -> Value {
    json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}})
}

/// FIELD-BUGS 24, 25; R-CANC-07.
#[test]
fn reports_of_a_cancelled_request_do_not_leave() {
    for revision in REVISIONS {
        let mut web = unpaced();
        let session = web.open(revision);
        let exchange = web.send(in_session(&call(json!(1), "slow"), &session, revision)).unwrap();
        let (scope, id) = web.request();
        report(&mut web, scope, &id, 1);
        let seen = web.take(exchange);
        assert_eq!(reports(&seen.messages()).len(), 1);
        // Its reader pauses.
        (2..=4).for_each(|value| report(&mut web, scope, &id, value));
        assert_eq!(web.ask(in_session(&cancel(), &session, revision)).status(), 202);
        let answer = web.take(exchange);
        assert_eq!((&answer.body[..], answer.end), (&b""[..], Some(Body::End)), "{revision:?}");
        // Nor later.
        let last = &seen.events().pop().unwrap().id;
        let again = web.ask(get(&session, revision, Some(last)));
        assert_eq!((again.status(), again.body.len()), (200, 0), "{revision:?}");
    }
}

#[test]
fn of_a_batch_only_what_was_cancelled_is_taken_back() {
    let revision = Revision::V2025_03_26;
    let mut web = unpaced();
    let session = web.open(revision);
    let batch = json!([call(json!(1), "a"), call(json!(2), "b")]);
    let exchange = web.send(in_session(&batch, &session, revision)).unwrap();
    let requests = web.requests();
    requests.iter().for_each(|(scope, id)| report(&mut web, *scope, id, 1));
    let first = web.take(exchange).events().remove(0).id;
    requests.iter().for_each(|(scope, id)| report(&mut web, *scope, id, 2));
    assert_eq!(web.ask(in_session(&cancel(), &session, revision)).status(), 202);
    web.hang_up(exchange);
    let (scope, id) = &requests[1];
    report(&mut web, *scope, id, 3);
    let now = web.now;
    let endpoint = web.server.endpoint_mut(*scope).unwrap();
    endpoint.respond(id, &CallToolResult::text("b"), now).unwrap();
    // What was taken may be lost, and is said again. What follows has the places of what was taken back.
    let answer = web.ask(get(&session, revision, Some(&first)));
    let positions = answer.events().into_iter().map(|event| event.id);
    let (stream, _) = first.split_once('-').unwrap();
    assert!(positions.eq((2..=5).map(|position| format!("{stream}-{position}"))), "{answer:?}");
    let messages = answer.messages();
    assert_eq!(reports(&messages), [(2, 1.0), (2, 2.0), (2, 3.0)]);
    assert_eq!(messages[3][0]["id"], 2);
}

#[test]
fn two_sessions_with_one_id_know_nothing_of_each_other() {
    let mut web = Web::new();
    let revision = Revision::V2025_11_25;
    let (a, b) = (web.open(revision), web.open(revision));
    let first = web.send(in_session(&call(json!(5), "slow"), &a, revision)).unwrap();
    let (of_a, id) = web.request();
    let second = web.send(in_session(&call(json!(5), "fast"), &b, revision)).unwrap();
    let (of_b, _) = web.request();
    let now = web.now;
    for (scope, text) in [(of_b, "b"), (of_a, "a")] {
        let result = CallToolResult::text(text);
        web.server.endpoint_mut(scope).unwrap().respond(&id, &result, now).unwrap();
    }
    for (exchange, text) in [(first, "a"), (second, "b")] {
        let messages = web.take(exchange).messages();
        assert_eq!(messages.last().unwrap()["result"]["content"][0]["text"], text);
    }
}

#[test]
fn a_call_of_the_server_goes_where_its_request_goes() {
    // R-HTTP-13, R-HTTP-25, R-HTTP-26
    let mut web = Web::new();
    let revision = Revision::V2025_06_18;
    let session = web.open(revision);
    let stream = web.send(get(&session, revision, None)).unwrap();
    let other = web.send(get(&session, revision, None)).unwrap();
    assert!(web.take(stream).is_stream() && web.take(other).is_stream());
    let exchange = web.send(in_session(&call(json!(1), "ask"), &session, revision)).unwrap();
    let (scope, id) = web.request();
    let now = web.now;
    let endpoint = web.server.endpoint_mut(scope).unwrap();
    let options = CallOptions::default().related(id.clone());
    endpoint.request_raw("elicitation/create", None, options, now).unwrap();
    endpoint.request_raw("roots/list", None, CallOptions::default(), now).unwrap();
    let asked = web.take(exchange);
    assert_eq!(
        asked.messages().iter().map(|m| m["method"].clone()).collect::<Vec<_>>(),
        ["elicitation/create"]
    );
    let asked_id = asked.messages()[0]["id"].clone();
    assert_eq!(web.take(stream).messages()[0]["method"], "roots/list");
    assert!(web.take(other).body.is_empty(), "never on two streams");
    let reply = json!({"jsonrpc": "2.0", "id": asked_id, "result": {"action": "accept"}});
    assert_eq!(web.ask(in_session(&reply, &session, revision)).status(), 202);
    assert!(matches!(&web.events[..], [(of, Event::Response { .. })] if *of == scope));
    web.server.endpoint_mut(scope).unwrap().respond(&id, &CallToolResult::text(""), now).unwrap();
    assert_eq!(web.take(exchange).messages().len(), 1);
}

#[test]
fn a_call_of_the_server_outlives_the_stream_that_it_waits_on() {
    // R-HTTP-13: where its request can be taken up by nobody, another stream is as good.
    let revision = Revision::V2025_06_18;
    for has_stream in [true, false] {
        let mut web = unpaced();
        let session = web.open(revision);
        let stream = has_stream.then(|| web.send(get(&session, revision, None)).unwrap());
        stream.map(|stream| web.take(stream));
        let exchange = web.send(in_session(&call(json!(1), "ask"), &session, revision)).unwrap();
        let (scope, id) = web.request();
        report(&mut web, scope, &id, 1);
        let now = web.now;
        let endpoint = web.server.endpoint_mut(scope).unwrap();
        let options = CallOptions::default().related(id.clone());
        let asked = endpoint.request_raw("roots/list", None, options.clone(), now).unwrap();
        endpoint.request_raw("elicitation/create", None, options, now).unwrap();
        web.listen();
        web.server.endpoint_mut(scope).unwrap().cancel(&asked, None, now);
        web.listen();
        // Its reader has taken nothing of it.
        web.hang_up(exchange);
        let stream = stream.unwrap_or_else(|| web.send(get(&session, revision, None)).unwrap());
        let messages = web.take(stream).messages();
        let methods: Vec<_> = messages.iter().map(|message| message["method"].clone()).collect();
        // What was said of its request is of no use to anybody.
        let expected = ["roots/list", "elicitation/create", "notifications/cancelled"];
        assert_eq!(methods, expected, "{has_stream}");
    }
}

#[test]
fn what_waits_on_one_stream_of_no_request_goes_to_the_next() {
    let mut options = ServerOptions::default();
    options.resumption = false;
    let mut web = Web::with(ServerConfig::new("s", "1"), options);
    let revision = Revision::V2025_06_18;
    let session = web.open(revision);
    let exchange = web.send(in_session(&call(json!(1), "ask"), &session, revision)).unwrap();
    let (scope, _) = web.request();
    let [one, two] = [0; 2].map(|_| web.send(get(&session, revision, None)).unwrap());
    let now = web.now;
    let endpoint = web.server.endpoint_mut(scope).unwrap();
    endpoint.request_raw("roots/list", None, CallOptions::default(), now).unwrap();
    web.listen();
    web.hang_up(one);
    assert_eq!(web.take(two).messages()[0]["method"], "roots/list");
    web.hang_up(exchange);
}

/// FIELD-BUGS 5; R-BATCH-04. One answer to each request.
#[test]
fn a_batch_whose_answers_have_too_little_room_together_is_answered_as_one() {
    let revision = Revision::V2025_03_26;
    let mut config = ServerConfig::new("s", "1");
    config.limits.max_outbox_len = 1000;
    let mut web = Web::with(config, ServerOptions::default());
    let session = web.open(revision);
    let ping = |id: i32| json!({"jsonrpc": "2.0", "id": id, "method": "ping"});
    let mut waiting: Vec<_> = (100..120).map(ping).collect();
    waiting.push(call(json!(1), "slow"));
    web.send(in_session(&json!(waiting), &session, revision)).unwrap();
    let pings = json!((200..220).map(ping).collect::<Vec<_>>());
    let answer = web.ask(in_session(&pings, &session, revision));
    let answers = answer.json();
    let ids: Vec<_> = answers.as_array().unwrap().iter().map(|answer| &answer["id"]).collect();
    assert_eq!(ids, (200..220).collect::<Vec<_>>());
}

#[test]
fn an_idle_session_ends_and_one_that_works_goes_on() {
    let options = ServerOptions::default().keep_alive(None);
    let mut web = Web::with(ServerConfig::new("s", "1"), options);
    let revision = Revision::V2025_06_18;
    let (idle, busy) = (web.open(revision), web.open(revision));
    let stream = web.send(get(&busy, revision, None)).unwrap();
    web.take(stream);
    web.pass(secs(299));
    assert_eq!(web.server.sessions(), 2);
    web.ask(in_session(&ping(), &idle, revision));
    web.pass(secs(299));
    assert_eq!(web.server.sessions(), 2, "a request makes it young again");
    web.take(stream);
    web.pass(secs(2));
    assert_eq!(web.server.sessions(), 1);
    assert_eq!(web.ask(in_session(&ping(), &idle, revision)).status(), 404);
    assert_eq!(web.ask(in_session(&ping(), &busy, revision)).status(), 200);

    let answer = web.ask(post(&initialize(revision), &[]));
    let unfinished = answer.header("mcp-session-id").unwrap().to_owned();
    web.take(stream);
    web.pass(secs(59));
    assert_eq!(web.server.sessions(), 2);
    web.pass(secs(2));
    assert_eq!(web.ask(in_session(&ping(), &unfinished, revision)).status(), 404);
}

#[test]
fn a_session_that_is_only_opened_ends_whatever_is_open_in_it() {
    // RELIABILITY, section 3, T36
    let options = ServerOptions::default().keep_alive(None);
    let mut web = Web::with(ServerConfig::new("s", "1"), options);
    let revision = Revision::V2025_06_18;
    let opening = web.ask(post(&initialize(revision), &[]));
    let session = opening.header("mcp-session-id").unwrap().to_owned();
    let stream = web.send(get(&session, revision, None)).unwrap();
    web.take(stream);
    web.pass(secs(30));
    assert_eq!(web.ask(in_session(&ping(), &session, revision)).status(), 200);
    web.pass(secs(29));
    assert_eq!(web.server.sessions(), 1);
    web.pass(secs(2));
    assert_eq!((web.server.sessions(), web.take(stream).end), (0, Some(Body::End)));
    assert_eq!(web.ask(in_session(&ping(), &session, revision)).status(), 404);

    // Whoever asks for something uses it, though `initialized` was lost.
    let opening = web.ask(post(&initialize(revision), &[]));
    let session = opening.header("mcp-session-id").unwrap().to_owned();
    web.listen();
    web.events.clear();
    let exchange = web.send(in_session(&call(json!(1), "x"), &session, revision)).unwrap();
    let (scope, id) = web.request();
    let now = web.now;
    web.server.endpoint_mut(scope).unwrap().respond(&id, &CallToolResult::text(""), now).unwrap();
    web.take(exchange);
    web.pass(secs(299));
    assert_eq!(web.ask(in_session(&ping(), &session, revision)).status(), 200);
}

#[test]
fn at_the_limit_an_idle_session_makes_room_and_a_busy_one_does_not() {
    let mut web = Web::with(ServerConfig::new("s", "1"), ServerOptions::default().max_sessions(2));
    let revision = Revision::V2025_06_18;
    let first = web.open(revision);
    web.pass(secs(1));
    let second = web.open(revision);
    let third = web.open(revision);
    assert_eq!(web.server.sessions(), 2);
    assert_eq!(web.ask(in_session(&ping(), &first, revision)).status(), 404, "the oldest went");
    for session in [&second, &third] {
        assert_eq!(web.ask(in_session(&ping(), session, revision)).status(), 200);
        web.send(get(session, revision, None)).unwrap();
    }
    let answer = web.ask(post(&initialize(revision), &[]));
    assert_eq!((answer.status(), answer.header("retry-after").is_some()), (503, true));
    assert_eq!(web.server.sessions(), 2);
}

#[test]
fn no_session_ends_for_one_that_is_not_opened() {
    let options = ServerOptions::default().max_sessions(1);
    let mut web = Web::with(ServerConfig::new("s", "1"), options);
    let revision = Revision::V2025_06_18;
    let session = web.open(revision);
    let refused = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize"});
    assert_eq!(web.ask(post(&refused, &[])).code(), Some(-32602));
    assert_eq!(web.ask(in_session(&ping(), &session, revision)).status(), 200);
    // One that is opened takes its place.
    assert_eq!(web.ask(post(&initialize(revision), &[])).status(), 200);
    assert_eq!(web.ask(in_session(&ping(), &session, revision)).status(), 404);
    assert_eq!(web.server.sessions(), 1);
}

/// Opens a session for somebody: its id, or the status of the refusal.
fn open_as(web: &mut Web, who: &str) -> Result<String, u16> {
    let exchange = web.send_as(Some(who), post(&initialize(Revision::V2025_06_18), &[])).unwrap();
    let answer = web.take(exchange);
    let id = answer.header("mcp-session-id").ok_or_else(|| answer.status())?;
    let ready = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    assert_eq!(ask_as(web, who, in_session(&ready, id, Revision::V2025_06_18)), 202);
    Ok(id.to_owned())
}

fn ask_as(web: &mut Web, who: &str, request: http::Request<Bytes>) -> u16 {
    let exchange = web.send_as(Some(who), request).unwrap();
    web.take(exchange).status()
}

#[test]
fn one_user_does_not_take_every_session() {
    let revision = Revision::V2025_06_18;
    let mut web = Web::new();
    let theirs = open_as(&mut web, "bob").unwrap();
    let mut mine = Vec::new();
    for _ in 0..16 {
        web.pass(secs(1));
        mine.push(open_as(&mut web, "alice").unwrap());
    }
    assert_eq!(web.server.sessions(), 17);
    // At the limit the oldest idle one of the same user makes room, though somebody else's is older.
    mine.push(open_as(&mut web, "alice").unwrap());
    assert_eq!(web.server.sessions(), 17);
    assert_eq!(ask_as(&mut web, "bob", in_session(&ping(), &theirs, revision)), 200);
    assert_eq!(ask_as(&mut web, "alice", in_session(&ping(), &mine[0], revision)), 404);
    // One that works goes on, and where all do there is no room.
    for session in &mine[1..] {
        web.send_as(Some("alice"), get(session, revision, None)).unwrap();
    }
    assert_eq!(open_as(&mut web, "alice"), Err(503));
    assert!(open_as(&mut web, "bob").is_ok());
    for session in &mine[1..] {
        assert_eq!(ask_as(&mut web, "alice", in_session(&ping(), session, revision)), 200);
    }
}

#[test]
fn a_session_that_is_about_to_be_used_is_not_ended_for_another() {
    let revision = Revision::V2025_06_18;
    let mut web = Web::new();
    let mine: Vec<_> = (0..16).map(|_| open_as(&mut web, "alice").unwrap()).collect();
    // These are idle for five minutes, and the next one has one to begin.
    web.pass(secs(60));
    let exchange = web.send_as(Some("alice"), post(&initialize(revision), &[])).unwrap();
    let opened = web.take(exchange).header("mcp-session-id").unwrap().to_owned();
    web.send_as(Some("alice"), get(&opened, revision, None)).unwrap();
    open_as(&mut web, "alice").unwrap();
    assert_eq!(ask_as(&mut web, "alice", in_session(&ping(), &opened, revision)), 200);
    let ended = mine
        .iter()
        .filter(|session| ask_as(&mut web, "alice", in_session(&ping(), session, revision)) == 404);
    assert_eq!(ended.count(), 2);
}

#[test]
fn a_session_is_opened_whatever_version_the_header_names() {
    // R-ERA-12: `initialize` without a modern `_meta` is of the legacy era, and of no session yet.
    for named in ["2025-11-25", "2026-07-28"] {
        let mut web = Web::new();
        let opening = post(&initialize(Revision::V2025_11_25), &[("mcp-protocol-version", named)]);
        assert_eq!(web.ask(opening).status(), 200, "{named}");
    }
}

#[test]
fn a_query_names_no_session_where_http_sse_is_not_served() {
    let mut web = Web::new();
    let mut opening = post(&initialize(Revision::V2025_11_25), &[]);
    *opening.uri_mut() = "/mcp?sessionId=of-somebody-else".parse().unwrap();
    let answer = web.ask(opening);
    assert_eq!(answer.status(), 200);
    let session = answer.header("mcp-session-id").unwrap();
    let mut ping = post(&ping(), &[]);
    *ping.uri_mut() = format!("/mcp?sessionId={session}").parse().unwrap();
    assert_eq!(web.ask(ping).status(), 400, "an id in an address is written into logs");
}
