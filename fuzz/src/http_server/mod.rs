//! Arbitrary requests and disconnects at a server on HTTP: what goes out is judged as each client sees it.

mod client;
mod steps;

use std::collections::BTreeMap;
use std::time::Duration;

use arbitrary::{Arbitrary, Unstructured};
use bytes::Bytes;
use http::Request;
use mcp_proto::http::{Body, Caller, Exchange, Ring, Scope, Server, ServerOptions};
use mcp_proto::progress::{Pacing, Weight};
use mcp_proto::snapshot::SessionSnapshot;
use mcp_proto::testing::check_text;
use mcp_proto::{
    CallOptions, ErrorObject, Event, Instant, Progress, RawJson, RequestId, ServerConfig,
};
use serde_json::json;

use self::client::{Books, Reader};
use self::steps::{Step, request};

/// So low that short inputs reach them.
const MAX_SESSIONS: usize = 3;
const MAX_EXCHANGES: usize = 12;
const MAX_STREAMS: usize = 2;
const MAX_FINISHING: usize = 3;
const MAX_STANDING: usize = 4;
const MAX_KEPT: usize = 1 << 10;

/// A server, the application behind it, and every client.
struct World {
    server: Server,
    now: Instant,
    /// Requests that reached the application and wait.
    running: Vec<Running>,
    readers: BTreeMap<Exchange, Reader>,
    books: Books,
    sessions: Vec<String>,
    seeds: u8,
    tokens: u64,
    /// So much time has passed that readers may be broken off.
    has_waited: bool,
    has_forked: bool,
}

struct Running {
    scope: Scope,
    id: RequestId,
    reported: f64,
}

/// Any bytes are steps, as `arbitrary` reads them.
pub fn http_server(input: &[u8]) {
    let mut world = World::new();
    world.play(input);
    world.finish();
}

impl World {
    fn new() -> Self {
        Self {
            server: server(),
            now: Instant::from_nanos(1),
            running: Vec::new(),
            readers: BTreeMap::new(),
            books: Books::default(),
            sessions: Vec::new(),
            seeds: 0,
            tokens: 0,
            has_waited: false,
            has_forked: false,
        }
    }

    fn play(&mut self, input: &[u8]) {
        let mut source = Unstructured::new(input);
        while !source.is_empty() {
            let Ok(step) = Step::arbitrary(&mut source) else { break };
            self.step(step);
            self.check();
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Send(sent) => {
                self.tokens += 1;
                let is_theirs = sent.is_by_another();
                let sent = request(&sent, &self.sessions, &self.books.last_ids, self.tokens);
                self.send(sent, is_theirs);
            }
            Step::Take(at, pieces) => {
                if let Some(exchange) = self.reader(at) {
                    self.take(exchange, pieces.into());
                }
            }
            Step::HangUp(at) => {
                if let Some(exchange) = self.reader(at) {
                    self.readers.remove(&exchange);
                    self.server.handle_disconnect(exchange, self.now);
                }
            }
            Step::Report(at, length) => self.with(at, |running, endpoint, now| {
                running.reported += 1.0;
                let progress = Progress::new(running.reported).message("x".repeat(length.into()));
                // It may have been cancelled.
                let _ = endpoint.report(&running.id, progress, Weight::Ordinary, now);
            }),
            Step::Call(at) => self.with(at, |running, endpoint, now| {
                let options = CallOptions::default().related(running.id.clone());
                let _ = endpoint.request_raw("elicitation/create", None, options, now);
                let _ = endpoint.request_raw("roots/list", None, CallOptions::default(), now);
            }),
            Step::Respond(at) => self.end(at, |running, server, now| {
                let endpoint = server.endpoint_mut(running.scope);
                endpoint.map(|endpoint| endpoint.respond(&running.id, &json!({}), now));
            }),
            Step::Fail(at, code) => self.end(at, |running, server, now| {
                let error = ErrorObject::new(code.into(), "no");
                let endpoint = server.endpoint_mut(running.scope);
                endpoint.map(|endpoint| endpoint.fail(&running.id, &error, now));
            }),
            Step::CloseStream(at) => {
                if let Some(running) = pick(&self.running, at) {
                    let (scope, id) = (running.scope, running.id.clone());
                    self.server.close_stream(scope, &id, self.now);
                }
            }
            Step::Pass(millis) => self.pass(Duration::from_millis(millis.into())),
            Step::Fork => {
                // It takes as long as all the rest of a run.
                if !self.has_forked {
                    self.could_move();
                }
                self.has_forked = true;
                self.server = self.server.clone();
            }
        }
        self.listen();
        while let Some(ready) = self.server.poll_ready() {
            assert!(!self.readers.is_empty(), "{ready:?} is ready, but there is none");
        }
    }

    /// Each session could go to another server, as JSON: with all its requests, and from there to a third one.
    fn could_move(&self) {
        let scopes: Vec<_> = self.server.session_scopes().collect();
        for scope in scopes {
            let mut left = self.server.clone();
            let snapshot = left.export_session(scope, self.now).expect("it can move");
            assert_eq!(left.sessions() + 1, self.server.sessions(), "it is gone here");
            let (mut second, mut third) = (server(), server());
            let there =
                second.import_session(carried(&snapshot), self.now).expect("what was exported");
            let mine = self.running.iter().filter(|running| running.scope == scope);
            assert_eq!((second.sessions(), second.requests_in_flight()), (1, mine.count()));
            let again = second.export_session(there, self.now).expect("it can move on");
            third.import_session(again, self.now).expect("what was exported twice");
            for server in [left, second, third] {
                ends(server, self.now);
            }
        }
    }

    /// `is_theirs`: it comes from somebody who has opened no session.
    fn send(&mut self, request: Request<Bytes>, is_theirs: bool) {
        let (head, body) = request.into_parts();
        let Ok(admission) = self.server.handle_head(&head) else { return };
        assert!(!is_foreign(&head.headers), "a page of elsewhere may not come in");
        if body.len() > admission.max_body {
            return;
        }
        let mut caller = Caller::default().principal(if is_theirs { "mallory" } else { "alice" });
        if admission.wants_seed {
            self.seeds = self.seeds.wrapping_add(1);
            caller = caller.seed([self.seeds; 24]);
        }
        let method = head.method.clone();
        // R-SESS-11: whatever session it names, it uses none.
        let is_stateless =
            head.headers.get("mcp-protocol-version").is_some_and(|it| it == "2026-07-28")
                && serde_json::from_slice::<serde_json::Value>(&body).is_ok_and(|message| {
                    message["method"].is_string() && message.get("id").is_none()
                });
        let request = Request::from_parts(head, body.clone());
        let before = self.server.exchanges();
        let exchange = self.server.handle_request(admission, request, caller, self.now);
        let exchange = exchange.expect("there was room for its head");
        assert_eq!(self.server.exchanges(), before + 1, "each request has one exchange");
        let reader = Reader::new(&method, &body, is_theirs && !is_stateless);
        assert!(self.readers.insert(exchange, reader).is_none(), "a name is used twice");
        self.take(exchange, 0);
    }

    /// Takes the head if there is one, and so many pieces of the body.
    fn take(&mut self, exchange: Exchange, pieces: usize) {
        let Some(reader) = self.readers.get_mut(&exchange) else { return };
        if let Some(head) = self.server.poll_head(exchange) {
            reader.head(&head);
            if let Some(id) = head.headers().get("mcp-session-id") {
                self.sessions.push(id.to_str().expect("visible").to_owned());
            }
        }
        for _ in 0..pieces {
            match self.server.poll_body(exchange) {
                None => break,
                Some(Body::Chunk(chunk)) => reader.chunk(&chunk, &mut self.books),
                Some(end) => {
                    reader.end(end == Body::Broken, &mut self.books);
                    assert_eq!(self.server.poll_body(exchange), None, "nothing follows the end");
                    assert!(self.server.poll_head(exchange).is_none());
                    self.readers.remove(&exchange);
                    break;
                }
            }
        }
    }

    fn listen(&mut self) {
        while let Some((scope, event)) = self.server.poll_event() {
            check_text(&event);
            match event {
                Event::Request { id, .. } => {
                    self.running.push(Running { scope, id, reported: 0.0 });
                }
                Event::Cancelled { id, .. } => {
                    let at = self.running.iter().position(|it| it.scope == scope && it.id == id);
                    let at = at.expect("what is cancelled was running");
                    self.running.swap_remove(at);
                    if let Some(endpoint) = self.server.endpoint_mut(scope) {
                        endpoint.abandon(&id, self.now);
                    }
                }
                _ => {}
            }
        }
    }

    fn with(
        &mut self,
        at: u8,
        act: impl FnOnce(&mut Running, &mut mcp_proto::Endpoint<mcp_proto::role::Server>, Instant),
    ) {
        let count = self.running.len();
        if count > 0
            && let Some(running) = self.running.get_mut(usize::from(at) % count)
        {
            let endpoint =
                self.server.endpoint_mut(running.scope).expect("it waits for its answer");
            act(running, endpoint, self.now);
        }
    }

    fn end(&mut self, at: u8, act: impl FnOnce(&Running, &mut Server, Instant)) {
        if !self.running.is_empty() {
            let running = self.running.swap_remove(usize::from(at) % self.running.len());
            act(&running, &mut self.server, self.now);
        }
    }

    fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        let mut wakes = 0;
        while let Some(due) = self.server.poll_timeout().filter(|due| *due <= until) {
            wakes = if due <= self.now { wakes + 1 } else { 0 };
            assert!(wakes < 100, "it wants to be woken at once, for ever");
            self.now = self.now.max(due);
            self.server.handle_timeout(self.now);
            self.listen();
        }
        self.now = until;
        let stall_timeout = ServerOptions::default().stall_timeout;
        self.has_waited |= self.now.saturating_duration_since(Instant::ZERO) >= stall_timeout;
    }

    fn reader(&self, at: u8) -> Option<Exchange> {
        let count = self.readers.len();
        self.readers.keys().nth(usize::from(at).checked_rem(count)?).copied()
    }

    /// What holds at every moment.
    fn check(&self) {
        assert!(self.server.sessions() <= MAX_SESSIONS, "the limit of sessions");
        // What is refused is under way for a moment, too, as long as nobody takes it.
        let most = MAX_EXCHANGES + MAX_FINISHING + MAX_STANDING;
        assert!(self.server.exchanges() <= most, "the limit of exchanges");
        // Those that were broken off count no longer, and their readers may not know yet.
        let (counted, known) = (self.server.exchanges(), self.readers.len());
        assert!(counted <= known && (counted == known || self.has_waited), "{counted} of {known}");
        assert_eq!(self.server.requests_in_flight(), self.running.len());
    }

    /// Everything is answered and taken: then nothing is left.
    fn finish(&mut self) {
        // It is told in time that it is to stop, or not.
        if self.tokens.is_multiple_of(2) {
            self.server.drain(self.now);
            self.listen();
        }
        while let Some(running) = self.running.pop() {
            if let Some(endpoint) = self.server.endpoint_mut(running.scope) {
                let _ = endpoint.respond(&running.id, &json!({}), self.now);
            }
        }
        self.listen();
        let exchanges: Vec<_> = self.readers.keys().copied().collect();
        for exchange in exchanges {
            self.take(exchange, usize::MAX);
            if let Some(reader) = self.readers.get(&exchange) {
                assert!(
                    reader.may_stay_open(),
                    "a request is answered, and its response is not complete"
                );
            }
        }
        self.server.close(self.now);
        self.listen();
        let exchanges: Vec<_> = self.readers.keys().copied().collect();
        for exchange in exchanges {
            self.take(exchange, usize::MAX);
        }
        self.listen();
        assert!(self.readers.is_empty(), "a response has no end");
        assert_eq!((self.server.exchanges(), self.server.sessions()), (0, 0));
        assert_eq!((self.server.poll_timeout(), self.server.requests_in_flight()), (None, 0));
        assert!(self.server.is_closed());
    }
}

/// A server with the limits of this target.
pub fn server() -> Server {
    let mut options =
        ServerOptions::default().max_exchanges(MAX_EXCHANGES).max_sessions(MAX_SESSIONS);
    (options.max_streams, options.max_stream_len, options.http_sse) = (MAX_STREAMS, 400, true);
    options.max_complete_streams = 3;
    (options.max_finishing, options.max_standing_streams) = (MAX_FINISHING, MAX_STANDING);
    let config = ServerConfig::new("s", "1").pacing(Pacing::default().burst(4));
    Server::with_replay(config, options, Box::new(Ring::new(8, 400, MAX_KEPT)))
}

/// Closed, it is over.
pub fn ends(mut server: Server, now: Instant) {
    server.close(now);
    while server.poll_event().is_some() {}
    assert_eq!((server.sessions(), server.requests_in_flight()), (0, 0));
}

/// As it is read again.
pub fn carried(snapshot: &SessionSnapshot) -> SessionSnapshot {
    let text = RawJson::of(snapshot).expect("a snapshot has JSON");
    text.decode().expect("and is read again")
}

/// Whether a request names a host, or comes from a page, that is certainly not on this machine.
fn is_foreign(headers: &http::HeaderMap) -> bool {
    let named = ["host", "origin"].into_iter().flat_map(|name| headers.get_all(name));
    named.into_iter().any(|value| value.as_bytes().ends_with(b".example"))
}

fn pick<T>(from: &[T], at: u8) -> Option<&T> {
    from.get(usize::from(at).checked_rem(from.len())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn played(seed: &str) -> World {
        let path = format!("{}/corpus/http_server/{seed}", env!("CARGO_MANIFEST_DIR"));
        let mut world = World::new();
        world.play(&std::fs::read(path).expect("a seed"));
        world
    }

    /// `fuzz/seeds` writes them as `arbitrary` reads them.
    #[test]
    fn the_sessions_among_the_seeds_are_what_they_are_called() {
        let world = played("session-0");
        assert_eq!((world.sessions.len(), world.server.sessions()), (1, 0), "opened and ended");
        assert!(world.books.last_ids.len() > 3 && world.readers.is_empty());
        let world = played("resumption-0");
        let all: std::collections::BTreeSet<_> = world.books.last_ids.iter().collect();
        assert!(all.len() >= 4 && world.readers.is_empty(), "{all:?}");
        assert_eq!(played("subscription").server.requests_in_flight(), 0);
        assert_eq!(played("http-sse").sessions.len(), 0);
        let world = played("two-0");
        assert_eq!((world.running.len(), world.server.sessions()), (0, 1));
    }
}
