//! However a client leaves, nothing is kept for it that nobody can ask for (R-RESU-01 to R-RESU-05).

use std::time::Duration;

use bytes::Bytes;
use http::Method;
use mcp_proto::http::{Exchange, Ring, Scope, Server, ServerOptions};
use mcp_proto::progress::{Pacing, Weight};
use mcp_proto::{CallToolResult, Progress, RequestId, Revision, ServerConfig};
use mcp_tests::shelf::Shelf;
use mcp_tests::web::{Web, bare, call, get, in_session};
use serde_json::json;

/// A call of a session that has reported once.
struct Calling {
    web: Web,
    session: String,
    revision: Revision,
    exchange: Exchange,
    scope: Scope,
    id: RequestId,
}

impl Calling {
    fn new(revision: Revision, seen: &Shelf) -> Self {
        let config = ServerConfig::new("s", "1").pacing(Pacing::UNLIMITED);
        let mut web = Web::new();
        let options = ServerOptions::default();
        web.server = Server::with_replay(config, options, Box::new(seen.clone()));
        let session = web.open(revision);
        let exchange = web.send(in_session(&call(json!(1), "work"), &session, revision)).unwrap();
        let (scope, id) = web.request();
        let mut calling = Self { web, session, revision, exchange, scope, id };
        calling.report(1);
        assert!(!seen.ring().is_empty(), "{revision:?}: a report is kept");
        calling
    }

    fn report(&mut self, step: u32) {
        let now = self.web.now;
        let endpoint = self.web.server.endpoint_mut(self.scope).unwrap();
        endpoint.report(&self.id, Progress::new(step.into()), Weight::Ordinary, now).unwrap();
        self.web.listen();
    }

    /// Something that belongs to no request.
    fn ask(&mut self) {
        let now = self.web.now;
        let endpoint = self.web.server.endpoint_mut(self.scope).unwrap();
        endpoint.request_raw("roots/list", None, Default::default(), now).unwrap();
        self.web.listen();
    }

    fn respond(&mut self) {
        let now = self.web.now;
        if let Some(endpoint) = self.web.server.endpoint_mut(self.scope) {
            let _ = endpoint.respond(&self.id, &CallToolResult::text("done"), now);
        }
        self.web.listen();
    }

    fn listen_for_more(&mut self) -> Exchange {
        self.web.send(get(&self.session, self.revision, None)).unwrap()
    }

    fn delete(&mut self) {
        let version = self.revision.as_str();
        let headers = [("mcp-session-id", &*self.session), ("mcp-protocol-version", version)];
        assert_eq!(self.web.ask(bare(Method::DELETE, Bytes::new(), &headers)).status(), 204);
    }
}

type Leave = fn(&mut Calling);

/// What a client does, and after how long nothing of it is left.
const WAYS: [(&str, Leave, Duration); 10] = [
    ("before anything was taken", |it| it.web.hang_up(it.exchange), Duration::ZERO),
    (
        "with the head alone",
        |it| {
            assert_eq!(it.web.server.poll_head(it.exchange).unwrap().status(), 200);
            it.web.hang_up(it.exchange);
        },
        Duration::ZERO,
    ),
    (
        "in the middle",
        |it| {
            it.web.take(it.exchange);
            it.report(2);
            it.web.hang_up(it.exchange);
        },
        KEPT,
    ),
    (
        "when all was said and nothing taken",
        |it| {
            it.respond();
            it.web.hang_up(it.exchange);
        },
        KEPT,
    ),
    (
        "at the end",
        |it| {
            it.respond();
            it.web.take(it.exchange);
        },
        KEPT,
    ),
    ("by standing still", |it| it.web.pass(KEPT), KEPT),
    ("with the session", Calling::delete, KEPT),
    (
        "a stream of no request before anything was taken",
        |it| {
            it.web.hang_up(it.exchange);
            let stream = it.listen_for_more();
            it.ask();
            it.web.hang_up(stream);
            let stream = it.listen_for_more();
            it.web.hang_up(stream);
        },
        Duration::ZERO,
    ),
    (
        "a stream of no request in the middle, for another",
        |it| {
            it.web.hang_up(it.exchange);
            let stream = it.listen_for_more();
            it.ask();
            it.web.take(stream);
            it.web.hang_up(stream);
            it.ask();
            let stream = it.listen_for_more();
            it.web.hang_up(stream);
        },
        Duration::ZERO,
    ),
    (
        "when the server stops",
        |it| {
            let now = it.web.now;
            it.web.server.close(now);
            it.web.listen();
        },
        KEPT,
    ),
];

/// A complete stream is kept for so long, and a little more.
const KEPT: Duration = Duration::from_secs(61);

#[test]
fn whoever_leaves_leaves_nothing_in_the_ring() {
    for revision in [Revision::V2025_03_26, Revision::V2025_06_18, Revision::V2025_11_25] {
        for (how, leave, after) in WAYS {
            let seen = Shelf::new(Ring::default());
            let mut calling = Calling::new(revision, &seen);
            leave(&mut calling);
            // What goes on is over at last.
            calling.respond();
            calling.web.pass(after);
            // Where a first id leaves at once, its client can come back.
            if revision == Revision::V2025_11_25 && after == Duration::ZERO {
                calling.web.pass(KEPT);
            }
            let kept = seen.ring().len();
            assert!(seen.ring().is_empty() && kept == 0, "{revision:?}, {how}: {kept} bytes");
        }
    }
}

#[test]
fn streams_that_nobody_read_take_no_room_of_those_that_can_be_taken_up() {
    // R-RESU-03, where the first id is that of the first message
    let seen = Shelf::new(Ring::new(256, 1 << 20, 4 << 10));
    let mut calling = Calling::new(Revision::V2025_06_18, &seen);
    for id in 2..100 {
        let request = in_session(&call(json!(id), "work"), &calling.session, calling.revision);
        let exchange = calling.web.send(request).unwrap();
        let (scope, id) = calling.web.request();
        let now = calling.web.now;
        let endpoint = calling.web.server.endpoint_mut(scope).unwrap();
        endpoint.report(&id, Progress::new(1.0), Weight::Ordinary, now).unwrap();
        calling.web.listen();
        calling.web.hang_up(exchange);
        let endpoint = calling.web.server.endpoint_mut(scope).unwrap();
        endpoint.respond(&id, &CallToolResult::text("done"), now).unwrap();
        calling.web.listen();
    }
    let first = calling.web.take(calling.exchange).events().remove(0).id;
    (2..=5).for_each(|step| calling.report(step));
    // They leave, and do not arrive.
    calling.web.take(calling.exchange);
    calling.web.hang_up(calling.exchange);
    let again = get(&calling.session, calling.revision, Some(&first));
    let answer = calling.web.ask(again);
    assert_eq!((answer.status(), answer.messages().len()), (200, 4), "{answer:?}");
}
