//! Sessions that go from one server to another.

use mcp_proto::http::{Body, Scope, Server, ServerOptions};
use mcp_proto::progress::{Pacing, Weight};
use mcp_proto::snapshot::{RestoreError, SessionSnapshot};
use mcp_proto::{
    CallOptions, CallToolResult, Event, Instant, LogLevel, LogMessage, Progress, ProgressToken,
    RequestId, Revision, ServerConfig,
};
use mcp_tests::form::assert_form;
use mcp_tests::hostile;
use mcp_tests::web::{Answer, StreamEvent, Web, call, get, in_session};
use serde_json::{Value, json};

const REVISIONS: [Revision; 3] =
    [Revision::V2025_03_26, Revision::V2025_06_18, Revision::V2025_11_25];

fn server() -> Web {
    let config = ServerConfig::new("s", "1").pacing(Pacing::UNLIMITED);
    let capabilities = config.capabilities.clone().logging();
    Web::with(config.capabilities(capabilities), ServerOptions::default())
}

/// Where the clock has just begun to count, and other sessions are open: with the same names of streams.
fn next_server() -> Web {
    let mut web = server().seeds_from(100);
    web.now = Instant::ZERO;
    for id in 1..4 {
        let session = web.open(Revision::V2025_11_25);
        web.send(in_session(&call(json!(id), "other"), &session, Revision::V2025_11_25)).unwrap();
    }
    web.requests();
    web
}

/// Through both a format for people and one that does not say what it holds.
fn carried(snapshot: SessionSnapshot) -> SessionSnapshot {
    let text = serde_json::to_string(&snapshot).unwrap();
    let snapshot: SessionSnapshot = serde_json::from_str(&text).unwrap();
    let bytes = postcard::to_allocvec(&snapshot).unwrap();
    let again: SessionSnapshot = postcard::from_bytes(&bytes).unwrap();
    assert_eq!(serde_json::to_string(&again).unwrap(), text);
    again
}

fn moved(from: &mut Web, scope: Scope, to: &mut Web) -> Scope {
    let snapshot = from.server.export_session(scope, from.now).expect("a session that can move");
    assert!(from.server.endpoint(scope).is_none(), "here it is gone");
    let scope = to.server.import_session(carried(snapshot), to.now).unwrap();
    to.listen();
    scope
}

fn report(web: &mut Web, scope: Scope, id: &RequestId, value: f64) {
    let endpoint = web.server.endpoint_mut(scope).unwrap();
    endpoint.report(id, Progress::new(value), Weight::Ordinary, web.now).unwrap();
    web.server.poll_timeout();
}

fn respond(web: &mut Web, scope: Scope, id: &RequestId) {
    let endpoint = web.server.endpoint_mut(scope).unwrap();
    endpoint.respond(id, &CallToolResult::text("done"), web.now).unwrap();
}

/// What the messages among events say: the values of reports, and 0 for the answer.
fn values(events: &[StreamEvent]) -> Vec<u32> {
    let messages = events.iter().filter(|event| !event.data.is_empty());
    let value = |event: &StreamEvent| {
        let message: Value = serde_json::from_str(&event.data).unwrap();
        message["params"]["progress"].as_f64().map_or(0, |value| value as u32)
    };
    messages.map(value).collect()
}

fn last_id(answer: &Answer) -> String {
    answer.events().last().expect("an event").id.clone()
}

#[test]
fn a_call_in_flight_goes_on_elsewhere_and_its_client_sees_every_report_once() {
    for revision in REVISIONS {
        let (mut old, mut new) = (server(), next_server());
        let session = old.open(revision);
        let exchange = old.send(in_session(&call(json!(1), "work"), &session, revision)).unwrap();
        let (scope, id) = old.request();
        report(&mut old, scope, &id, 1.0);
        report(&mut old, scope, &id, 2.0);
        let first = old.take(exchange);
        report(&mut old, scope, &id, 3.0);
        assert_eq!(old.server.session_scopes().collect::<Vec<_>>(), [scope]);
        let scope = moved(&mut old, scope, &mut new);
        let rest = old.take(exchange);
        assert_eq!((values(&rest.events()), &rest.end), (vec![3], &Some(Body::End)));
        assert_eq!((old.server.exchanges(), old.server.sessions()), (0, 0));
        assert_eq!(old.server.poll_timeout(), None, "nothing of it is left");

        // Who answers it now is told what it was.
        assert_eq!(new.requests(), [], "it is no new request");
        let endpoint = new.server.endpoint(scope).unwrap();
        let [request] = endpoint.in_flight().collect::<Vec<_>>()[..] else { panic!("one request") };
        let asked = request.asked.unwrap();
        assert_eq!((request.id, asked.method.as_str()), (&id, "tools/call"));
        assert_eq!(asked.params.as_ref().unwrap().get("name").unwrap().as_str().unwrap(), "work");
        assert_eq!((request.token, request.is_cancelled), (Some(&ProgressToken::from(1)), false));
        report(&mut new, scope, &id, 4.0);

        // The client may have got some of it or all.
        for (seen, missing) in [(&first, vec![3, 4]), (&rest, vec![4])] {
            let seen =
                seen.events().iter().rfind(|event| !event.data.is_empty()).unwrap().id.clone();
            let again = new.send(get(&session, revision, Some(&seen))).unwrap();
            let again = new.take(again);
            assert_eq!((again.status(), values(&again.events())), (200, missing), "{revision}");
        }
        let resumed = new.send(get(&session, revision, Some(&last_id(&rest)))).unwrap();
        respond(&mut new, scope, &id);
        let resumed = new.take(resumed);
        assert_eq!((values(&resumed.events()), resumed.end), (vec![4, 0], Some(Body::End)));
        // And it is an open session like any other.
        let next = new.ask(in_session(
            &json!({"jsonrpc":"2.0","id":9,"method":"ping"}),
            &session,
            revision,
        ));
        assert_eq!(next.json()["result"], json!({}));
    }
}

#[test]
fn who_has_no_id_yet_gets_one_where_the_revision_has_that_and_is_refused_elsewhere() {
    for revision in REVISIONS {
        let (mut old, mut new) = (server(), next_server());
        let session = old.open(revision);
        // Without a token nothing is said before the answer.
        let ask =
            json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "work"}});
        let exchange = old.send(in_session(&ask, &session, revision)).unwrap();
        let (scope, id) = old.request();
        let scope = moved(&mut old, scope, &mut new);
        let answer = old.take(exchange);
        if revision < Revision::V2025_11_25 {
            assert_eq!((answer.status(), answer.end), (503, Some(Body::End)));
            respond(&mut new, scope, &id);
            assert_eq!(new.server.endpoint(scope).unwrap().in_flight().count(), 0);
            continue;
        }
        assert!(answer.is_stream() && answer.end == Some(Body::End), "{answer:?}");
        assert!(
            answer.body.windows(6).any(|part| part == b"retry:"),
            "it is told how long to wait"
        );
        let named = answer.events().iter().find(|event| !event.id.is_empty()).unwrap().id.clone();
        respond(&mut new, scope, &id);
        let again = new.ask(get(&session, revision, Some(&named)));
        assert_eq!((again.status(), values(&again.events())), (200, vec![0]));
    }
}

#[test]
fn what_a_reader_who_stands_still_has_left_to_read_is_due_only_when_it_is_given_up() {
    let (mut old, mut new) = (server(), next_server());
    let session = old.open(Revision::V2025_11_25);
    let ask =
        json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "work"}});
    let exchange = old.send(in_session(&ask, &session, Revision::V2025_11_25)).unwrap();
    let (scope, _) = old.request();
    moved(&mut old, scope, &mut new);
    // The first id would have been due after a second; the client has it already.
    let (now, options) = (old.now, ServerOptions::default());
    for after in [options.prime_after, options.stall_timeout / 2] {
        old.server.handle_timeout(now + after);
        assert!(old.server.poll_timeout() > Some(now + after), "after {after:?} again at once");
    }
    old.server.handle_timeout(now + options.stall_timeout);
    assert_eq!(old.take(exchange).end, Some(Body::Broken));
}

#[test]
fn what_is_complete_leaves_whole_and_what_is_new_is_told_elsewhere() {
    let (mut old, mut new) = (server(), next_server());
    let (session, revision) = (old.open(Revision::V2025_06_18), Revision::V2025_06_18);
    let ask =
        json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "work"}});
    let exchange = old.send(in_session(&ask, &session, revision)).unwrap();
    let (scope, id) = old.request();
    respond(&mut old, scope, &id);
    // This one nobody has looked at yet.
    let (head, body) = in_session(&call(json!(2), "work"), &session, revision).into_parts();
    let admission = old.server.handle_head(&head).unwrap();
    let request = http::Request::from_parts(head, body);
    old.server.handle_request(admission, request, Default::default(), old.now).unwrap();
    let scope = moved(&mut old, scope, &mut new);
    let answer = old.take(exchange);
    assert_eq!((answer.status(), answer.json()["id"].clone()), (200, json!(1)));
    let (told, id) = new.request();
    assert_eq!((told, id), (scope, RequestId::from(2)));
    assert_eq!(new.server.endpoint(scope).unwrap().in_flight().count(), 1, "once it was told of");
}

#[test]
fn what_belongs_to_no_request_moves_too_and_so_do_calls_of_the_server() {
    let revision = Revision::V2025_11_25;
    let (mut old, mut new) = (server(), next_server());
    let session = old.open(revision);
    let stream = old.send(get(&session, revision, None)).unwrap();
    let scope = old.server.session_scopes().next().unwrap();
    let now = old.now;
    let endpoint = old.server.endpoint_mut(scope).unwrap();
    endpoint.log(None, &LogMessage::text(LogLevel::Error, "one")).unwrap();
    let asked = endpoint.request_raw("roots/list", None, CallOptions::default(), now).unwrap();
    let seen = old.take(stream);
    assert_eq!(seen.messages().len(), 2);
    let scope = moved(&mut old, scope, &mut new);
    let now = new.now;
    let endpoint = new.server.endpoint_mut(scope).unwrap();
    assert_eq!(endpoint.calls_in_flight(), 1);
    endpoint.log(None, &LogMessage::text(LogLevel::Error, "two")).unwrap();
    let again = new.ask(get(&session, revision, Some(&last_id(&seen))));
    assert_eq!(again.messages()[0]["params"]["data"], json!("two"));
    let answer = json!({"jsonrpc": "2.0", "id": asked, "result": {"roots": []}});
    assert_eq!(new.ask(in_session(&answer, &session, revision)).status(), 202);
    let events = std::mem::take(&mut new.events);
    assert!(
        matches!(&events[..], [(told, Event::Response { id, outcome: Ok(_) })] if *told == scope && *id == asked)
    );
    // Its deadlines go on, too: the session is idle from now on.
    new.pass(mcp_tests::secs(400));
    assert_eq!(new.ask(get(&session, revision, None)).status(), 404);
    assert!(now < new.now);
}

#[test]
fn two_servers_can_become_one() {
    let revision = Revision::V2025_11_25;
    let mut new = next_server();
    let mut clients = Vec::new();
    for id in 1..4 {
        let mut old = server().seeds_from(10 * id);
        // Their ids differ, the names of their streams do not.
        (1..id).for_each(|_| drop(old.open(revision)));
        let session = old.open(revision);
        let exchange = old.send(in_session(&call(json!(id), "work"), &session, revision)).unwrap();
        let (scope, asked) = old.request();
        report(&mut old, scope, &asked, f64::from(id) * 10.0);
        let seen = old.take(exchange);
        let scopes: Vec<_> = old.server.session_scopes().filter(|other| *other != scope).collect();
        assert_eq!(scopes.len(), id as usize - 1);
        let scope = moved(&mut old, scope, &mut new);
        clients.push((session, scope, asked, seen, f64::from(id)));
    }
    for (_, scope, asked, _, id) in &clients {
        report(&mut new, *scope, asked, id * 10.0 + 1.0);
        respond(&mut new, *scope, asked);
    }
    for (session, _, _, seen, id) in clients {
        let again = new.ask(get(&session, revision, Some(&last_id(&seen))));
        assert_eq!(values(&again.events()), [id as u32 * 10 + 1, 0]);
        assert_eq!((again.status(), again.end), (200, Some(Body::End)));
    }
}

#[test]
fn a_session_stays_its_owners_and_limits_hold() {
    let revision = Revision::V2025_11_25;
    let mut old = server();
    let open = in_session(&mcp_tests::web::initialize(revision), "", revision);
    let mut open = open.map(|body| body);
    open.headers_mut().remove("mcp-session-id");
    let exchange = old.send_as(Some("alice"), open).unwrap();
    let session = old.take(exchange).header("mcp-session-id").unwrap().to_owned();
    let scope = old.server.session_scopes().next().unwrap();
    let snapshot = carried(old.server.export_session(scope, old.now).unwrap());
    assert!(old.server.export_session(scope, old.now).is_none());

    let mut options = ServerOptions::default();
    options.max_sessions = 0;
    let config = || ServerConfig::new("s", "1");
    let refused = |config: ServerConfig, options: ServerOptions| {
        let mut server = Server::new(config, options);
        server.import_session(snapshot.clone(), Instant::ZERO).unwrap_err()
    };
    assert_eq!(refused(config(), options), RestoreError::Limit("sessions"));
    let other = config().revisions(Revision::V2025_06_18);
    let error = refused(other, ServerOptions::default());
    assert_eq!(error, RestoreError::Config("the revision of the session"));

    let mut new = server();
    new.server.import_session(snapshot.clone(), new.now).unwrap();
    let error = new.server.import_session(snapshot, new.now).unwrap_err();
    assert_eq!(error, RestoreError::Invalid("a session that is here already"));
    let ping = json!({"jsonrpc": "2.0", "id": 9, "method": "ping"});
    for (who, status) in [(Some("bob"), 404), (None, 404), (Some("alice"), 200)] {
        let exchange = new.send_as(who, in_session(&ping, &session, revision)).unwrap();
        assert_eq!(new.take(exchange).status(), status, "{who:?}");
    }
}

/// A batch that is let in brings more requests than the limit of exchanges says, and goes wherever that is the same.
#[test]
fn a_session_moves_with_all_requests_of_a_batch() {
    let revision = Revision::V2025_03_26;
    let server =
        || Web::with(ServerConfig::new("s", "1"), ServerOptions::default().max_exchanges(2));
    let mut old = server();
    let session = old.open(revision);
    let batch: Value = (1..=4).map(|id| call(json!(id), "work")).collect();
    old.send(in_session(&batch, &session, revision)).unwrap();
    let scope = old.requests()[0].0;
    let mut new = server();
    moved(&mut old, scope, &mut new);
    assert_eq!(new.server.requests_in_flight(), 4);
}

#[test]
fn the_session_of_http_sse_is_its_stream_and_stays() {
    let options = ServerOptions::default().http_sse();
    let mut web = Web::with(ServerConfig::new("s", "1"), options);
    web.send(mcp_tests::web::bare(http::Method::GET, Default::default(), &[])).unwrap();
    assert_eq!((web.server.sessions(), web.server.session_scopes().count()), (1, 0));
}

/// Whatever is changed in a snapshot: it is refused, or the session that comes of it works.
#[test]
fn a_hostile_snapshot_is_refused_or_harmless() {
    let revision = Revision::V2025_11_25;
    let mut old = server();
    let session = old.open(revision);
    let exchange = old.send(in_session(&call(json!(1), "work"), &session, revision)).unwrap();
    let (scope, id) = old.request();
    report(&mut old, scope, &id, 1.0);
    old.take(exchange);
    report(&mut old, scope, &id, 2.0);
    let snapshot = old.server.export_session(scope, old.now).unwrap();
    assert_form("session", [&*serde_json::to_string(&snapshot).unwrap()]);
    let tree = serde_json::to_value(&snapshot).unwrap();
    let (mut taken, mut refused) = (0, 0);
    hostile::each_change(&tree, |what, changed| {
        let Ok(snapshot) = serde_json::from_value::<SessionSnapshot>(changed) else {
            refused += 1;
            return;
        };
        let mut new = server();
        let Ok(scope) = new.server.import_session(snapshot, new.now) else {
            refused += 1;
            assert_eq!((new.server.sessions(), new.server.poll_timeout()), (0, None), "{what}");
            return;
        };
        println!("{what}"); // shown if it fails
        taken += 1;
        new.listen();
        let ids: Vec<_> = match new.server.endpoint(scope) {
            Some(endpoint) => endpoint.in_flight().map(|request| request.id.clone()).collect(),
            None => Vec::new(),
        };
        for id in &ids {
            let Some(endpoint) = new.server.endpoint_mut(scope) else { break };
            let _ = endpoint.report(id, Progress::new(9.0), Weight::Ordinary, new.now);
            let _ = endpoint.respond(id, &CallToolResult::text("done"), new.now);
        }
        for from in 0..3 {
            if let Ok(exchange) = new.send(get(&session, revision, Some(&format!("3-{from}")))) {
                new.take(exchange);
                new.hang_up(exchange);
            }
        }
        new.pass(mcp_tests::secs(90_000));
        new.server.close(new.now);
        new.listen();
        assert_eq!((new.server.sessions(), new.server.requests_in_flight()), (0, 0), "{what}");
    });
    assert!(refused > 300 && taken > 10, "{refused} refused, {taken} taken");
}
