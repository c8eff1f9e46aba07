//! What goes out on streams, and what waits (R-HTTP-10 to R-HTTP-27).

use std::time::Duration;

use mcp_proto::http::{Body, Exchange, Scope, ServerOptions};
use mcp_proto::progress::{Pacing, Weight};
use mcp_proto::{CallToolResult, Event, Progress, RequestId, Revision, SendError, ServerConfig};
use mcp_tests::web::{Web, call, get, in_session, modern_call};
use mcp_tests::{millis, secs};
use serde_json::{Value, json};

fn unpaced() -> Web {
    let config = ServerConfig::new("s", "1").pacing(Pacing::UNLIMITED);
    Web::with(config, ServerOptions::default())
}

/// A report with a message of so many bytes.
fn report(value: u32, bytes: usize) -> Progress {
    Progress::new(f64::from(value)).message("x".repeat(bytes))
}

/// FIELD-BUGS 66; R-HTTP-28.
#[test]
fn a_stalled_stream_merges_its_own_reports_and_delays_nobody_else() {
    let mut web = unpaced();
    let stalled = web.send(modern_call(json!(1), "work")).unwrap();
    let (a, a_id) = web.request();
    let read = web.send(modern_call(json!(1), "work")).unwrap();
    let (b, b_id) = web.request();
    let now = web.now;
    for step in 1..=1000 {
        for (scope, id) in [(a, &a_id), (b, &b_id)] {
            let endpoint = web.server.endpoint_mut(scope).unwrap();
            endpoint.report(id, report(step, 1000), Weight::Ordinary, now).unwrap();
        }
        assert_eq!(web.take(read).messages().len(), 1, "each leaves at once");
    }
    assert!(web.server.endpoint(a).unwrap().merged_reports(&a_id) > 900);
    assert_eq!(web.server.endpoint(b).unwrap().merged_reports(&b_id), 0);
    let answer = web.take(stalled);
    assert!(answer.body.len() < 200 << 10, "{}", answer.body.len());
    let values: Vec<_> = answer
        .messages()
        .iter()
        .map(|report| report["params"]["progress"].as_f64().unwrap())
        .collect();
    assert!(values.is_sorted_by(|one, next| one < next));
    assert_eq!(values.last(), Some(&1000.0), "the newest leaves when there is room");
    web.server.endpoint_mut(a).unwrap().respond(&a_id, &CallToolResult::text(""), now).unwrap();
    assert_eq!(web.take(stalled).messages()[0]["id"], 1);
}

#[test]
fn what_waits_before_the_answer_leaves_before_it() {
    let mut web = unpaced();
    let exchange = web.send(modern_call(json!(1), "work")).unwrap();
    let (scope, id) = web.request();
    let now = web.now;
    for step in 1..=500 {
        let endpoint = web.server.endpoint_mut(scope).unwrap();
        endpoint.report(&id, report(step, 1000), Weight::Ordinary, now).unwrap();
        web.server.poll_ready();
    }
    web.server
        .endpoint_mut(scope)
        .unwrap()
        .respond(&id, &CallToolResult::text("end"), now)
        .unwrap();
    let messages = web.take(exchange).messages();
    let (answer, reports) = messages.split_last().unwrap();
    assert_eq!(answer["id"], 1);
    assert_eq!(reports.last().unwrap()["params"]["progress"], 500.0);
}

#[test]
fn a_reader_that_stands_still_is_cut() {
    let mut web = unpaced();
    let exchange = web.send(modern_call(json!(1), "work")).unwrap();
    let (scope, id) = web.request();
    let now = web.now;
    let endpoint = web.server.endpoint_mut(scope).unwrap();
    endpoint.report(&id, Progress::new(1.0), Weight::Ordinary, now).unwrap();
    web.pass(secs(29));
    assert!(web.events.is_empty());
    web.pass(secs(2));
    assert!(matches!(&web.events[..], [(_, Event::Cancelled { .. })]), "as if it had hung up");
    assert_eq!(web.server.exchanges(), 0, "it takes nobody's place, if it never asks again");
    web.server.poll_head(exchange);
    assert_eq!(web.server.poll_body(exchange), Some(Body::Broken));
    assert_eq!((web.server.exchanges(), web.server.poll_body(exchange)), (0, None));
}

#[test]
fn a_request_that_asks_for_progress_gets_its_first_id_at_once() {
    // R-HTTP-16, R-RESU-02: 2025-11-25
    let mut web = Web::new();
    let revision = Revision::V2025_11_25;
    let session = web.open(revision);
    let exchange = web.send(in_session(&call(json!(1), "work"), &session, revision)).unwrap();
    let answer = web.take(exchange);
    assert!(answer.is_stream());
    let events = answer.events();
    assert_eq!((events.len(), &*events[0].data), (1, ""));
    assert!(!events[0].id.is_empty());
    // Of the earlier ones a client would read the empty event as a message.
    let revision = Revision::V2025_06_18;
    let session = web.open(revision);
    let exchange = web.send(in_session(&call(json!(1), "work"), &session, revision)).unwrap();
    assert_eq!(web.take(exchange).status(), 0);
    let (scope, id) = web.requests().pop().unwrap();
    let now = web.now;
    let endpoint = web.server.endpoint_mut(scope).unwrap();
    endpoint.report(&id, Progress::new(1.0), Weight::Ordinary, now).unwrap();
    let events = web.take(exchange).events();
    assert_eq!(events.len(), 1);
    assert!(events[0].data.contains("progress") && !events[0].id.is_empty());
}

/// A call of a tool that asks for no progress.
fn quiet_call(id: u32) -> Value {
    let mut call = call(json!(id), "work");
    call["params"].as_object_mut().unwrap().remove("_meta");
    call
}

#[test]
fn a_request_that_waits_gets_its_first_id_and_a_quick_one_stays_one_object() {
    // R-HTTP-16: 2025-11-25
    let mut web = Web::new();
    let revision = Revision::V2025_11_25;
    let session = web.open(revision);
    let ask = |web: &mut Web, id| {
        let exchange = web.send(in_session(&quiet_call(id), &session, revision)).unwrap();
        let (scope, id) = web.request();
        (exchange, scope, id)
    };
    let respond = |web: &mut Web, scope, id: &RequestId| {
        let now = web.now;
        let endpoint = web.server.endpoint_mut(scope).unwrap();
        endpoint.respond(id, &CallToolResult::text("done"), now).unwrap();
    };
    let (exchange, scope, id) = ask(&mut web, 1);
    web.pass(millis(999));
    assert_eq!(web.take(exchange).status(), 0, "it may still be one object");
    respond(&mut web, scope, &id);
    let answer = web.take(exchange);
    assert_eq!(
        (answer.header("content-type"), &answer.end),
        (Some("application/json"), &Some(Body::End))
    );

    let (exchange, scope, id) = ask(&mut web, 2);
    web.pass(secs(1));
    assert_eq!(web.server.poll_ready(), Some(exchange));
    let answer = web.take(exchange);
    assert!(answer.is_stream());
    let first = answer.events()[0].clone();
    assert!(!first.id.is_empty() && first.data.is_empty());
    // From here on a cut costs nothing.
    web.hang_up(exchange);
    respond(&mut web, scope, &id);
    let resumed = web.send(get(&session, revision, Some(&first.id))).unwrap();
    assert_eq!(web.take(resumed).messages()[0]["id"], 2);

    // It is said once, and silence is filled as ever.
    let (exchange, ..) = ask(&mut web, 3);
    web.pass(secs(1));
    web.take(exchange);
    web.pass(secs(10));
    assert!(web.take(exchange).body.is_empty());
    web.pass(secs(16));
    assert!(web.take(exchange).body.starts_with(b":"));
}

#[test]
fn only_what_can_be_taken_up_again_is_primed() {
    let waiting = |options: ServerOptions, revision, accept| {
        let mut web = Web::with(ServerConfig::new("s", "1"), options);
        let session = web.open(revision);
        let mut request = in_session(&quiet_call(1), &session, revision);
        request.headers_mut().insert("accept", http::HeaderValue::from_static(accept));
        let exchange = web.send(request).unwrap();
        web.pass(secs(10));
        web.take(exchange).status()
    };
    let both = "application/json, text/event-stream";
    let (new, old) = (Revision::V2025_11_25, Revision::V2025_06_18);
    assert_eq!(waiting(ServerOptions::default(), new, both), 200);
    assert_eq!(waiting(ServerOptions::default(), new, "application/json"), 0);
    assert_eq!(waiting(ServerOptions::default(), old, both), 0);
    let mut options = ServerOptions::default();
    options.resumption = false;
    assert_eq!(waiting(options, new, both), 0);
}

#[test]
fn what_belongs_to_no_request_waits_for_a_stream_within_bounds() {
    let mut web = Web::new();
    let revision = Revision::V2025_06_18;
    let session = web.open(revision);
    let exchange = web.send(in_session(&call(json!(1), "x"), &session, revision)).unwrap();
    let (scope, id) = web.request();
    let now = web.now;
    let mut sent = 0;
    let refused = loop {
        let params =
            mcp_proto::RawJson::parse(format!("{{\"x\":\"{}\"}}", "y".repeat(1000))).unwrap();
        let endpoint = web.server.endpoint_mut(scope).unwrap();
        match endpoint.request_raw("roots/list", Some(&params), Default::default(), now) {
            Ok(_) => sent += 1,
            Err(refused) => break refused,
        }
        web.server.poll_ready();
    };
    assert_eq!(refused, SendError::OutboxFull);
    assert!((60..80).contains(&sent), "{sent}");
    web.server.endpoint_mut(scope).unwrap().respond(&id, &CallToolResult::text(""), now).unwrap();
    assert_eq!(web.take(exchange).status(), 200, "the answer is not held up");
    let stream = web.send(get(&session, revision, None)).unwrap();
    assert_eq!(web.take(stream).messages().len(), sent, "R-HTTP-23");
    let endpoint = web.server.endpoint_mut(scope).unwrap();
    endpoint.request_raw("roots/list", None, Default::default(), now).unwrap();
    assert_eq!(web.take(stream).messages().len(), 1, "there is room again");
    // A client that drops its stream loses nothing that it has not been given.
    let endpoint = web.server.endpoint_mut(scope).unwrap();
    endpoint.request_raw("roots/list", None, Default::default(), now).unwrap();
    web.hang_up(stream);
    let stream = web.send(get(&session, revision, None)).unwrap();
    assert_eq!(web.take(stream).messages().len(), 1);
}

#[test]
fn streams_of_a_session_are_limited() {
    let mut web = Web::new();
    let revision = Revision::V2025_06_18;
    let session = web.open(revision);
    let streams: Vec<_> =
        (0..4).map(|_| web.send(get(&session, revision, None)).unwrap()).collect();
    assert_eq!(web.ask(get(&session, revision, None)).status(), 409);
    web.hang_up(streams[0]);
    assert_eq!(web.ask(get(&session, revision, None)).status(), 200);
}

#[test]
fn reports_are_on_the_stream_of_their_own_request() {
    // R-PROG-15, R-HTTP-14
    let mut web = unpaced();
    let revision = Revision::V2025_11_25;
    let session = web.open(revision);
    let exchanges: Vec<_> = (1..=3)
        .map(|at| web.send(in_session(&call(json!(at), "work"), &session, revision)).unwrap())
        .collect();
    let requests = web.requests();
    let now = web.now;
    for step in 1..=5 {
        for (scope, id) in &requests {
            let endpoint = web.server.endpoint_mut(*scope).unwrap();
            endpoint.report(id, report(step, 1), Weight::Ordinary, now).unwrap();
        }
    }
    for (at, exchange) in (1..=3).zip(exchanges) {
        let messages = web.take(exchange).messages();
        assert_eq!(messages.len(), 5, "{messages:?}");
        assert!(messages.iter().all(|report| report["params"]["progressToken"] == at));
    }
}

/// Three calls in a session with two streams for what belongs to no call, all of which report faster than their pacing:
/// so there are reports that leave at once, that are flushed later, and that leave right before the result.
struct Paced {
    web: Web,
    revision: Revision,
    session: String,
    calls: Vec<(Scope, RequestId)>,
    exchanges: Vec<Exchange>,
    standing: [Exchange; 2],
}

impl Paced {
    fn new(revision: Revision) -> Self {
        let pacing = Pacing::default().burst(1).every(millis(50));
        let config = ServerConfig::new("s", "1").pacing(pacing);
        let mut web = Web::with(config, ServerOptions::default());
        let session = web.open(revision);
        let standing = [0; 2].map(|_| web.send(get(&session, revision, None)).unwrap());
        standing.iter().for_each(|stream| assert!(web.take(*stream).is_stream()));
        let call = |at| call(json!(at), "work");
        let send = |at| web.send(in_session(&call(at), &session, revision)).unwrap();
        let exchanges = (1..=3).map(send).collect();
        let calls = web.requests();
        Self { web, revision, session, calls, exchanges, standing }
    }

    fn report(&mut self, steps: std::ops::RangeInclusive<u32>) {
        for step in steps {
            for (scope, id) in &self.calls {
                let endpoint = self.web.server.endpoint_mut(*scope).unwrap();
                endpoint.report(id, report(step, 1), Weight::Ordinary, self.web.now).unwrap();
            }
        }
    }

    fn respond(&mut self) {
        for (scope, id) in &self.calls {
            let endpoint = self.web.server.endpoint_mut(*scope).unwrap();
            endpoint.respond(id, &CallToolResult::text("done"), self.web.now).unwrap();
        }
    }

    /// What each call's stream has said since: the values that were reported to its token, and its result.
    fn said(&mut self, is_over: bool, values: &[f64]) {
        for (at, exchange) in (1..).zip(&self.exchanges) {
            let mut messages = self.web.take(*exchange).messages();
            if is_over {
                assert_eq!(messages.pop().unwrap()["id"], at, "{}", self.revision);
            }
            let params = messages.iter().map(|message| &message["params"]);
            let seen: Vec<_> = params.clone().map(|params| &params["progress"]).collect();
            assert_eq!(seen, values, "{}", self.revision);
            assert!(params.clone().all(|params| params["progressToken"] == at), "{messages:?}");
        }
        for stream in self.standing {
            let messages = self.web.take(stream).messages();
            assert!(messages.is_empty(), "{}: {messages:?}", self.revision);
        }
    }

    /// Each call's client hangs up, and comes back behind the last event that it saw.
    fn cut(&mut self, last_seen: &[String], meanwhile: impl FnOnce(&mut Self)) {
        self.exchanges.iter().for_each(|exchange| self.web.hang_up(*exchange));
        meanwhile(self);
        let resume = |id: &String| get(&self.session, self.revision, Some(id));
        let again = last_seen.iter().map(|id| self.web.send(resume(id)).unwrap());
        self.exchanges = again.collect();
    }
}

/// FIELD-BUGS 26, 27; R-PROG-24, R-PROG-25, R-HTTP-25. Two reports of three were lost, or went to the stream for what
/// belongs to no call.
#[test]
fn paced_reports_are_on_the_stream_of_their_own_request_and_on_no_other() {
    for revision in super::sessions::REVISIONS {
        let mut paced = Paced::new(revision);
        paced.report(1..=10);
        paced.said(false, &[1.0]);
        paced.web.pass(secs(1));
        paced.said(false, &[10.0]);
        paced.report(11..=13);
        paced.respond();
        paced.said(true, &[11.0, 13.0]);
    }
}

/// FIELD-BUGS 26, 27; R-PROG-24, R-PROG-25, R-RESU-03. And so after a cut.
#[test]
fn paced_reports_of_a_stream_that_was_taken_up_again_are_on_it_and_on_no_other() {
    for revision in super::sessions::REVISIONS {
        let mut paced = Paced::new(revision);
        paced.report(1..=1);
        let last: Vec<_> = paced
            .exchanges
            .iter()
            .map(|exchange| paced.web.take(*exchange).events().pop().unwrap().id)
            .collect();
        paced.cut(&last, |paced| {
            paced.web.pass(millis(10));
            paced.report(2..=10);
            paced.web.pass(secs(1));
        });
        paced.said(false, &[10.0]);
        paced.report(11..=13);
        paced.said(false, &[11.0]);
        paced.web.pass(secs(1));
        paced.said(false, &[13.0]);
        paced.report(14..=16);
        paced.respond();
        paced.said(true, &[14.0, 16.0]);
    }
}

#[test]
fn silence_is_filled_before_the_first_id_would_come() {
    // R-HTTP-16; whichever comes first opens the stream, and its reader is told
    let first = |keep_alive: Duration, prime_after: Duration| {
        let mut options = ServerOptions::default().keep_alive(keep_alive);
        options.prime_after = prime_after;
        let mut web = Web::with(ServerConfig::new("s", "1"), options);
        let revision = Revision::V2025_11_25;
        let session = web.open(revision);
        let exchange = web.send(in_session(&quiet_call(1), &session, revision)).unwrap();
        assert_eq!(web.take(exchange).status(), 0);
        web.pass(keep_alive.min(prime_after));
        assert_eq!(web.server.poll_ready(), Some(exchange), "{keep_alive:?} {prime_after:?}");
        let answer = web.take(exchange);
        assert!(answer.is_stream() && !answer.events()[0].id.is_empty(), "{answer:?}");
        // It is said once, and from there on silence is filled.
        web.pass(keep_alive);
        assert_eq!(web.take(exchange).body, b":\n\n");
    };
    first(millis(500), secs(1));
    first(secs(15), secs(30));
    first(secs(15), secs(1));
}
