//! One server, with a clock of its own.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::{Request, StatusCode};
use mcp_proto::http::{Admission, Body, Caller, Exchange, Server, ServerOptions};
use mcp_proto::progress::Pacing;
use mcp_proto::{Instant, ServerConfig};

use super::kept::{Book, Watched};
use super::plan::{Pace, Plan};
use crate::{at, secs};

/// A server and what is known about it.
#[derive(Debug)]
pub(super) struct Host {
    pub(super) server: Server,
    /// When its clock began, as the world counts.
    began: Instant,
    book: Arc<Mutex<Book>>,
}

/// Bytes of a message beside its padding, about.
const MESSAGE: usize = 200;

impl Host {
    pub(super) fn new(plan: &Plan, now: Instant) -> Self {
        let mut config = ServerConfig::new("s", "1");
        match plan.pace {
            Pace::Slow | Pace::Lazy => {}
            Pace::Merged => config = config.pacing(Pacing::default().burst(2)),
            Pace::Unpaced => config = config.pacing(Pacing::UNLIMITED),
        }
        let mut options = ServerOptions::default().http_sse().keep_alive(plan.keep_alive);
        options.max_stream_len = plan.stream_len;
        options.replay_timeout = plan.replay_timeout;
        let (ring, book) = Watched::new(plan.ring);
        let server = Server::with_replay(config, options, Box::new(ring));
        Self { server, began: now, book }
    }

    /// What its clock shows at this time.
    pub(super) fn clock(&self, now: Instant) -> Instant {
        at(secs(1) + (now - self.began))
    }

    /// When it wants to be told that time has passed, as the world counts.
    pub(super) fn due(&mut self) -> Option<Instant> {
        let due = self.server.poll_timeout()?;
        Some(self.began + (due - at(secs(1))))
    }

    /// Whether what was asked for last was kept, if anything was.
    pub(super) fn take_asked(&self) -> Option<bool> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner).asked.take()
    }

    /// Somebody else sends the request of a session.
    pub(super) fn turn_away(
        &mut self,
        admission: Admission,
        request: Request<Bytes>,
        now: Instant,
    ) {
        let caller = Caller::default().principal("a stranger");
        let exchange = self.server.handle_request(admission, request, caller, now).unwrap();
        let head = self.server.poll_head(exchange).expect("it is answered at once");
        assert_eq!(head.status(), StatusCode::NOT_FOUND, "a stranger is let in");
        while self.server.poll_body(exchange) != Some(Body::End) {}
    }

    /// Sees that what waits for a reader who stands still, of a stream for so many calls, is within its limit.
    pub(super) fn weigh(&self, exchange: Exchange, calls: usize, plan: &Plan) {
        let mut copy = self.server.clone();
        let mut waiting = 0;
        while let Some(Body::Chunk(chunk)) = copy.poll_body(exchange) {
            waiting += chunk.len();
        }
        // What names an event is not counted. Of each call the report that was one too many, the one that was merged,
        // questions and the answer are beside it.
        let beside = calls * (2 * plan.padding + 6 * MESSAGE);
        let most = plan.stream_len + plan.stream_len / 4 + beside;
        assert!(waiting <= most, "{waiting} bytes wait on one stream, of at most {most}");
    }

    /// Nothing of what clients did is left.
    pub(super) fn judge(&mut self) {
        let server = &mut self.server;
        let left = (server.sessions(), server.requests_in_flight(), server.exchanges());
        assert_eq!(left, (0, 0, 0), "sessions, requests and exchanges");
        assert_eq!(server.poll_timeout(), None);
        let book = self.book.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(book.is_empty(), "still kept: {book:?}");
    }
}
