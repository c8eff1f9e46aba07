//! Streams that are taken up again (R-RESU-01 to R-RESU-07, R-HTTP-18, R-HTTP-19; SEP-1699).

use mcp_proto::http::{Body, Exchange, Ring, Scope, Server, ServerOptions};
use mcp_proto::progress::{Pacing, Weight};
use mcp_proto::{CallToolResult, Event, Progress, RequestId, Revision, ServerConfig};
use mcp_tests::secs;
use mcp_tests::web::{StreamEvent, Web, call, get, in_session};
use serde_json::json;

const REVISIONS: [Revision; 3] =
    [Revision::V2025_03_26, Revision::V2025_06_18, Revision::V2025_11_25];

/// A call that runs in a session.
struct Running {
    web: Web,
    revision: Revision,
    session: String,
    exchange: Exchange,
    scope: Scope,
    id: RequestId,
    last: u32,
}

impl Running {
    fn new(revision: Revision) -> Self {
        Self::with(revision, Ring::default())
    }

    fn with(revision: Revision, ring: Ring) -> Self {
        let config = ServerConfig::new("s", "1").pacing(Pacing::UNLIMITED);
        let mut web = Web::new();
        web.server = Server::with_replay(config, ServerOptions::default(), Box::new(ring));
        let session = web.open(revision);
        let exchange = web.send(in_session(&call(json!(1), "work"), &session, revision)).unwrap();
        let (scope, id) = web.request();
        Self { web, revision, session, exchange, scope, id, last: 0 }
    }

    fn report(&mut self) {
        self.last += 1;
        let now = self.web.now;
        let endpoint = self.web.server.endpoint_mut(self.scope).unwrap();
        let progress = Progress::new(f64::from(self.last));
        endpoint.report(&self.id, progress, Weight::Ordinary, now).unwrap();
        self.web.server.poll_timeout();
    }

    fn respond(&mut self) {
        let now = self.web.now;
        let endpoint = self.web.server.endpoint_mut(self.scope).unwrap();
        endpoint.respond(&self.id, &CallToolResult::text("done"), now).unwrap();
    }

    fn resume(&mut self, last_event: &str) -> u16 {
        match self.web.send(get(&self.session, self.revision, Some(last_event))) {
            Ok(exchange) => {
                self.exchange = exchange;
                self.web.server.poll_head(exchange).map_or(0, |head| head.status().as_u16())
            }
            Err(refusal) => refusal.status().as_u16(),
        }
    }

    fn take(&mut self) -> Vec<StreamEvent> {
        self.web.take(self.exchange).events()
    }
}

/// What the messages among events say: the values of reports, and 0 for the answer.
fn values(events: &[StreamEvent]) -> Vec<u32> {
    let messages = events.iter().filter(|event| !event.data.is_empty());
    let value = |event: &StreamEvent| {
        let message: serde_json::Value = serde_json::from_str(&event.data).unwrap();
        message["params"]["progress"].as_f64().map_or(0, |value| value as u32)
    };
    messages.map(value).collect()
}

#[test]
fn what_was_lost_with_the_connection_is_said_again_in_order_and_once() {
    for revision in REVISIONS {
        let mut running = Running::new(revision);
        running.report();
        running.report();
        let events = running.take();
        assert_eq!(values(&events), [1, 2]);
        let first = events.iter().find(|event| !event.data.is_empty()).unwrap().id.clone();
        running.report();
        let exchange = running.exchange;
        running.web.hang_up(exchange);
        assert!(running.web.events.is_empty(), "it is not cancelled");
        running.report();
        assert_eq!(running.resume(&first), 200);
        assert_eq!(values(&running.take()), [2, 3, 4], "what was taken may be lost, too");
        running.report();
        running.respond();
        let answer = running.web.take(running.exchange);
        assert_eq!((values(&answer.events()), &answer.end), (vec![5, 0], &Some(Body::End)));
        // The end may be lost as well.
        assert_eq!(running.resume(&answer.events()[0].id), 200);
        let answer = running.web.take(running.exchange);
        assert_eq!((values(&answer.events()), &answer.end), (vec![0], &Some(Body::End)));
        assert_eq!(running.web.server.exchanges(), 0);
    }
}

#[test]
fn a_stream_that_is_complete_is_kept_for_a_while() {
    let mut running = Running::new(Revision::V2025_11_25);
    let first = running.take()[0].id.clone();
    let exchange = running.exchange;
    running.web.hang_up(exchange);
    running.report();
    running.respond();
    running.web.pass(secs(59));
    assert_eq!(running.resume(&first), 200, "from the first id, which bore no message");
    assert_eq!(values(&running.take()), [1, 0]);
    running.web.pass(secs(2));
    assert_eq!(running.resume(&first), 400);
}

#[test]
fn taking_a_complete_stream_up_again_does_not_keep_it_longer() {
    let mut running = Running::new(Revision::V2025_11_25);
    let first = running.take()[0].id.clone();
    let exchange = running.exchange;
    running.web.hang_up(exchange);
    running.respond();
    running.web.pass(secs(59));
    assert_eq!(running.resume(&first), 200);
    running.web.pass(secs(2));
    let exchange = running.exchange;
    running.web.hang_up(exchange);
    assert_eq!(running.resume(&first), 400, "its time was over while it was read");
}

/// A call in the session of another, complete before its client took the answer: the first id of its stream.
fn complete_another(running: &mut Running, id: u32) -> String {
    let (session, revision) = (&running.session, running.revision);
    let asked = in_session(&call(json!(id), "work"), session, revision);
    running.exchange = running.web.send(asked).unwrap();
    (running.scope, running.id) = running.web.request();
    running.last = id * 10;
    running.report();
    let first = running.take()[0].id.clone();
    let exchange = running.exchange;
    running.web.hang_up(exchange);
    running.report();
    running.respond();
    first
}

#[test]
fn of_complete_streams_the_oldest_go_first_and_each_can_be_taken_up_while_others_run() {
    let mut running = Running::new(Revision::V2025_11_25);
    let (exchange, scope, first_call) = (running.exchange, running.scope, running.id.clone());
    let ids: Vec<_> = (2..67).map(|id| complete_another(&mut running, id)).collect();
    // One more than are kept.
    assert_eq!(running.resume(&ids[0]), 400);
    for (at, id) in ids.iter().enumerate().skip(1) {
        let value = (at as u32 + 2) * 10;
        assert_eq!(running.resume(id), 200, "{at}");
        assert_eq!(values(&running.take()), [value + 1, value + 2, 0], "{at}");
        assert_eq!(running.resume(id), 200, "{at}, whose end may be lost");
        assert_eq!(values(&running.take()), [value + 1, value + 2, 0], "{at}");
    }
    // The first call was there all the time.
    (running.exchange, running.scope, running.id, running.last) = (exchange, scope, first_call, 0);
    running.report();
    running.respond();
    assert_eq!(values(&running.take()), [1, 0]);
    running.web.pass(secs(61));
    assert!(ids.iter().all(|id| running.resume(id) == 400));
}

#[test]
fn events_of_others_are_not_given_out() {
    // R-RESU-05, T33
    let mut running = Running::new(Revision::V2025_11_25);
    running.report();
    let id = running.take().pop().unwrap().id;
    let other = running.web.open(Revision::V2025_11_25);
    let mine = std::mem::replace(&mut running.session, other);
    assert_eq!(running.resume(&id), 400, "of another session");
    running.session = mine;
    let (stream, _) = id.split_once('-').unwrap();
    for forged in ["forged-999", "1", "-", "0-0", "1-", "-1", "+1-1", "99-0"] {
        assert_eq!(running.resume(forged), 400, "{forged}");
    }
    for position in ["2", "99", "18446744073709551615", "18446744073709551616"] {
        assert_eq!(running.resume(&format!("{stream}-{position}")), 400, "{position}");
    }
    assert_eq!(running.resume(&id), 200);
}

#[test]
fn a_gap_is_refused_and_never_silently_short() {
    let mut running = Running::with(Revision::V2025_11_25, Ring::new(4, 1 << 20, 1 << 20));
    let mut ids = vec![running.take()[0].id.clone()];
    for _ in 0..10 {
        running.report();
        ids.push(running.take().pop().unwrap().id);
    }
    for (at, id) in ids.iter().enumerate() {
        let status = if at < 6 { 400 } else { 200 };
        assert_eq!(running.resume(id), status, "{at}");
    }
    assert_eq!(running.resume(&ids[6]), 200);
    assert_eq!(values(&running.take()), [7, 8, 9, 10]);
}

#[test]
fn streams_that_are_complete_make_room_for_those_of_other_sessions_that_go_on() {
    let mut running = Running::with(Revision::V2025_11_25, Ring::new(256, 1 << 20, 8 << 10));
    let Running { exchange, scope, .. } = running;
    let (mine, id) = (running.session.clone(), running.id.clone());
    let first = running.take()[0].id.clone();
    // Another session has read so much to its end that nothing fits any more.
    let revision = running.revision;
    running.session = running.web.open(revision);
    let busy = running.session.clone();
    let complete: Vec<_> = (2..50).map(|id| complete_another(&mut running, id)).collect();
    assert_eq!(running.resume(&complete[0]), 400, "the oldest have gone");
    assert_eq!(running.resume(&complete[47]), 200, "the newest has not");
    // Nor has anything of a call that goes on and is cut.
    (running.session, running.exchange, running.scope, running.id) = (mine, exchange, scope, id);
    running.last = 0;
    (0..10).for_each(|_| running.report());
    assert_eq!(values(&running.take()), (1..=10).collect::<Vec<_>>());
    running.web.hang_up(exchange);
    running.respond();
    assert_eq!(running.resume(&first), 200);
    assert_eq!(values(&running.take()), (1..=10).chain([0]).collect::<Vec<_>>());
    // What went is refused, and not short.
    running.session = busy;
    let kept: Vec<_> = complete.iter().map(|id| running.resume(id)).collect();
    assert!(kept.is_sorted_by(|one, other| one >= other), "the oldest first: {kept:?}");
}

#[test]
fn of_a_stream_that_was_left_before_its_first_event_nothing_is_kept() {
    // Nobody can name it, so nobody comes back.
    let mut running = Running::with(Revision::V2025_06_18, Ring::new(256, 1 << 20, 8 << 10));
    let Running { exchange, scope, .. } = running;
    let id = running.id.clone();
    for id in 2..100 {
        let request = in_session(&call(json!(id), "work"), &running.session, running.revision);
        let left = running.web.send(request).unwrap();
        (running.scope, running.id) = running.web.request();
        running.report();
        running.web.hang_up(left);
    }
    (running.exchange, running.scope, running.id, running.last) = (exchange, scope, id, 0);
    (0..10).for_each(|_| running.report());
    let first = running.take()[0].id.clone();
    running.web.hang_up(exchange);
    assert_eq!(running.resume(&first), 200, "there was room");
    assert_eq!(values(&running.take()), (2..=10).collect::<Vec<_>>());
}

#[test]
fn whoever_takes_a_stream_up_again_takes_it_over() {
    let mut running = Running::new(Revision::V2025_11_25);
    running.report();
    let before = running.exchange;
    let id = running.take().pop().unwrap().id;
    assert_eq!(running.resume(&id), 200);
    assert_eq!(running.web.take(before).end, Some(Body::End), "the broken connection ends");
    running.report();
    assert_eq!(values(&running.take()), [2], "and each message is on one stream (R-HTTP-26)");
}

#[test]
fn without_ids_what_follows_is_lost_and_the_author_is_told_once() {
    let config = ServerConfig::new("s", "1").pacing(Pacing::UNLIMITED);
    let mut options = ServerOptions::default();
    options.resumption = false;
    let mut web = Web::with(config, options);
    let revision = Revision::V2025_11_25;
    let session = web.open(revision);
    let exchange = web.send(in_session(&call(json!(1), "work"), &session, revision)).unwrap();
    let (scope, id) = web.request();
    web.hang_up(exchange);
    let now = web.now;
    for step in 1..=3 {
        let endpoint = web.server.endpoint_mut(scope).unwrap();
        endpoint.report(&id, Progress::new(f64::from(step)), Weight::Ordinary, now).unwrap();
    }
    web.server.endpoint_mut(scope).unwrap().respond(&id, &CallToolResult::text(""), now).unwrap();
    web.listen();
    assert!(matches!(&web.events[..], [(_, Event::Undelivered { .. })]), "{:?}", web.events);
    assert_eq!((web.server.exchanges(), web.server.poll_ready()), (0, None));
}

#[test]
fn a_stream_may_end_early_and_its_client_polls() {
    // SEP-1699, R-HTTP-18, R-HTTP-19: 2025-11-25 only
    let mut running = Running::new(Revision::V2025_11_25);
    let now = running.web.now;
    assert!(running.web.server.close_stream(running.scope, &running.id, now));
    let answer = running.web.take(running.exchange);
    assert_eq!(answer.end, Some(Body::End));
    let text = String::from_utf8(answer.body.clone()).unwrap();
    assert!(text.contains("retry: 1000\n"), "{text}");
    let first = answer.events()[0].clone();
    assert_eq!(first.data, "", "the first event bears an id and no data");
    assert!(!running.web.server.close_stream(running.scope, &running.id, now), "it is closed");
    running.report();
    running.respond();
    assert_eq!(running.resume(&first.id), 200);
    assert_eq!(values(&running.take()), [1, 0]);
    let mut older = Running::new(Revision::V2025_06_18);
    let now = older.web.now;
    assert!(!older.web.server.close_stream(older.scope, &older.id, now));
}

#[test]
fn while_a_client_is_away_its_reports_merge_above_the_bound() {
    let mut running = Running::new(Revision::V2025_11_25);
    let first = running.take()[0].id.clone();
    let exchange = running.exchange;
    running.web.hang_up(exchange);
    for _ in 0..5000 {
        running.report();
    }
    let endpoint = running.web.server.endpoint(running.scope).unwrap();
    assert!(endpoint.merged_reports(&running.id) > 4000);
    assert_eq!(running.resume(&first), 200, "what nobody has seen is not lost");
    let mut seen = values(&running.take());
    running.respond();
    seen.extend(values(&running.take()));
    assert_eq!(seen.pop(), Some(0));
    assert!(seen.is_sorted() && seen.len() < 1000);
    assert_eq!(seen.last(), Some(&5000), "and the newest is there");
}

#[test]
fn what_was_lost_is_still_there_after_many_short_reports() {
    // The ring keeps 256 events: those that wait must leave room for those that were taken and did not arrive.
    let mut running = Running::new(Revision::V2025_11_25);
    running.report();
    let arrived = running.take().pop().unwrap().id;
    for _ in 0..20 {
        running.report();
    }
    running.take();
    let exchange = running.exchange;
    running.web.hang_up(exchange);
    for _ in 0..300 {
        running.report();
    }
    assert_eq!(running.resume(&arrived), 200);
    let mut seen = values(&running.take());
    running.respond();
    seen.extend(values(&running.take()));
    assert_eq!(seen.pop(), Some(0));
    assert!(seen.is_sorted() && seen[..20] == (2..=21).collect::<Vec<_>>()[..]);
    assert_eq!(seen.last(), Some(&321), "and the newest is there");
}
