//! Sessions that end with calls in flight (2025-03-26 to 2025-11-25): each handler is told, once.

use http::Method;
use mcp_proto::http::{Exchange, Scope, ServerOptions};
use mcp_proto::{CallToolResult, Event, RequestId, Revision, SendError, ServerConfig};
use mcp_tests::secs;
use mcp_tests::web::{Web, bare, call, get, in_session, initialize, post};
use serde_json::json;

use super::sessions::REVISIONS;

/// A session with three calls, of which the second is cancelled already and its handler still at it.
struct Busy {
    web: Web,
    session: String,
    scope: Scope,
    calls: Vec<RequestId>,
    exchanges: Vec<Exchange>,
}

impl Busy {
    fn new(revision: Revision) -> Self {
        let options = ServerOptions::default().keep_alive(None).max_sessions(2);
        let mut web = Web::with(ServerConfig::new("s", "1"), options);
        let session = web.open(revision);
        let send = |id| web.send(in_session(&call(json!(id), "x"), &session, revision)).unwrap();
        let exchanges = (1..=3).map(send).collect();
        let requests = web.requests();
        let scope = requests[0].0;
        let cancel = json!({"jsonrpc": "2.0", "method": "notifications/cancelled",
            "params": {"requestId": 2}});
        web.ask(in_session(&cancel, &session, revision));
        let calls = requests.into_iter().map(|(_, id)| id).collect();
        let mut busy = Self { web, session, scope, calls, exchanges };
        assert_eq!(busy.told(), (vec![2.into()], 0));
        busy
    }

    /// What the server told of cancelled requests, and how often that the conversation is closed.
    fn told(&mut self) -> (Vec<RequestId>, usize) {
        self.web.listen();
        let (mut cancelled, mut closed) = (Vec::new(), 0);
        for (of, event) in std::mem::take(&mut self.web.events) {
            match event {
                Event::Cancelled { id, .. } if of == self.scope => {
                    assert_eq!(closed, 0, "nothing follows the end");
                    cancelled.push(id);
                }
                Event::Closed(_) if of == self.scope => closed += 1,
                _ => {}
            }
        }
        (cancelled, closed)
    }

    fn hang_up(&mut self) {
        self.exchanges.iter().for_each(|exchange| self.web.hang_up(*exchange));
    }

    fn delete(&mut self) {
        let headers = [("mcp-session-id", self.session.as_str())];
        let answer = self.web.ask(bare(Method::DELETE, Default::default(), &headers));
        assert_eq!(answer.status(), 204);
    }

    /// Both calls that are still wanted are cancelled, once, and whoever answers all the same answers nobody.
    fn has_ended(mut self, how: &str) {
        assert_eq!(self.told(), (vec![1.into(), 3.into()], 1), "{how}");
        for id in &self.calls {
            if let Some(endpoint) = self.web.server.endpoint_mut(self.scope) {
                let late = endpoint.respond(id, &CallToolResult::text("late"), self.web.now);
                assert!(matches!(late, Err(SendError::Closed | SendError::Cancelled)), "{late:?}");
            }
        }
        self.web.pass(secs(86_400));
        assert_eq!(self.told(), (vec![], 0), "{how}");
        assert_eq!(self.web.server.requests_in_flight(), 0, "{how}");
    }
}

/// FIELD-BUGS 60; R-SESS-07, R-CANC-07. Handlers lived on after the session that they worked for.
#[test]
fn a_session_that_ends_cancels_each_of_its_calls_once() {
    for revision in REVISIONS {
        for is_away in [false, true] {
            let mut busy = Busy::new(revision);
            if is_away {
                busy.hang_up();
                assert_eq!(busy.told(), (vec![], 0), "hanging up cancels nothing here");
            }
            busy.delete();
            busy.has_ended(&format!("{revision}, deleted, away: {is_away}"));
        }
        let mut busy = Busy::new(revision);
        busy.web.server.close(busy.web.now);
        busy.has_ended(&format!("{revision}, closed"));
    }
}

/// FIELD-BUGS 60; R-SESS-07, R-CANC-07. And none that works is ended by anything else.
#[test]
fn neither_idleness_nor_anothers_need_ends_a_session_with_calls_in_flight() {
    for revision in REVISIONS {
        let mut busy = Busy::new(revision);
        busy.hang_up();
        busy.web.pass(secs(86_400));
        let other = busy.web.open(revision);
        busy.web.send(get(&other, revision, None)).unwrap();
        assert_eq!(busy.web.ask(post(&initialize(revision), &[])).status(), 503, "{revision}");
        assert_eq!((busy.told(), busy.web.server.sessions()), ((vec![], 0), 2), "{revision}");
        busy.delete();
        busy.has_ended(&format!("{revision}, after a day"));
    }
}
