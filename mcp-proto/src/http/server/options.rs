//! What a server on HTTP allows, and how much.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::super::access::Access;
use super::super::params::{BadAnnotation, Param, annotations};
use crate::json::RawJson;

/// What a server on HTTP allows, and how much. Every limit names the attack that it stops; those of one
/// conversation are in [`Limits`](crate::Limits).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ServerOptions {
    /// Who may speak to it. Default: this machine only.
    pub access: Access,
    /// Header fields of a request. Default 100; more are 431. Stops a flood of fields, each of which is looked at.
    pub max_head_fields: usize,
    /// Bytes of the path with its query, and of all names and values of header fields. Default 16 KiB; more are 431. Stops
    /// giant values.
    pub max_head_len: usize,
    /// Bytes of one header that repeats what a body says: `Mcp-Method`, `Mcp-Name`, `Mcp-Param-*`. Default 8 KiB; more
    /// are 431, before the body is read. Stops giant names and arguments that are decoded and compared for nothing.
    pub max_mirrored_len: usize,
    /// How long the body of a request may take to arrive. Default 30 s. Stops slow-loris bodies; whoever reads
    /// the body keeps it, as [`Admission::body_timeout`](super::Admission) says.
    pub body_timeout: Duration,
    /// Bytes of bodies that have not arrived completely, of all clients together. Default 64 MiB; a body that would
    /// exceed it is 503. Stops many bodies that arrive slowly; whoever reads them counts, as
    /// [`Admission::max_arriving`](super::Admission) says.
    pub max_arriving_len: usize,
    /// HTTP requests that wait for the rest of their response, and requests whose handlers still run.
    /// Default 1,024; more are 503. A batch that is let in at the limit runs whole, so up to
    /// [`Limits::max_batch_len`](crate::Limits) more do. Stops floods of requests, with or without hanging up (rapid reset).
    pub max_exchanges: usize,
    /// HTTP requests beyond `max_exchanges`, or while the server stops, that only free or finish work: answers to
    /// the server's own calls, cancellations and other notifications, the end of a session, a stream of a request that
    /// is taken up again. Default 128; more are 503. Stops a flood of requests from keeping out what would end it.
    pub max_finishing: usize,
    /// Streams that clients opened by GET and that end only when somebody ends them, of all sessions: those for what
    /// belongs to no request, and those of HTTP+SSE. They take no place of `max_exchanges`. Default 512; more are 503.
    /// Stops many sessions with idle streams from taking every place.
    pub max_standing_streams: usize,
    /// Bytes that wait for all clients together to read. Default 64 MiB; above it new requests are 503, and an
    /// answer longer than `max_stream_len` is replaced by an internal error. Stops clients that ask for much and
    /// read nothing.
    pub max_waiting_len: usize,
    /// Bytes that wait on one stream before the reports of its request are held back, where they merge. Default
    /// 64 KiB; where events can be said again, 128 of them are as many. Stops one slow reader from filling memory,
    /// without delaying the others.
    pub max_stream_len: usize,
    /// How long a client may take nothing of what waits for it. Default 30 s; then its stream is cut. Stops
    /// readers that stand still.
    pub stall_timeout: Duration,
    /// Bytes of the message that opens a session, of which what the client says of itself is kept as long as the
    /// session. Default 64 KiB; a longer one is 413. Stops sessions that are cheap to keep for the client alone.
    pub max_opening_len: usize,
    /// Legacy sessions. Default 1,000; at the limit an idle one ends for a new one, and if none is, the new one
    /// is 503. Stops session floods.
    pub max_sessions: usize,
    /// Legacy sessions of one principal. Default 16; at the limit an idle one of the same principal ends for a new one,
    /// and if none is, the new one is 503. Callers without a principal count only in all. Stops one user from taking
    /// every session.
    pub max_sessions_per_principal: usize,
    /// How long a session may be idle: no request runs, and no stream is open. Default 5 minutes; then it is 404.
    /// Stops sessions that nobody ends.
    pub session_timeout: Duration,
    /// How long a session may take to say `initialized`, or to ask for something that the program answers, whatever streams are open in it.
    /// Default 60 s; then it is 404, and they end. Stops sessions that are only opened.
    pub opening_timeout: Duration,
    /// GET streams of one session. Default 4; more are 409. Stops a client that only opens streams.
    pub max_streams: usize,
    /// Silence on a stream before a comment says that it is alive, and before a response that may still become
    /// one object becomes a stream. Default 15 s; `None`: never.
    pub keep_alive: Option<Duration>,
    /// How long a request may wait for its answer before its response becomes a stream whose first event has an id, so that
    /// a cut costs nothing (2025-11-25, and clients that take streams; one that asks for progress gets that event at
    /// once). Before that it is one JSON object if it can be. Default 1 s. Needs `resumption`.
    pub prime_after: Duration,
    /// How long a client is asked to wait before it takes a closed stream up again. Default 1 s.
    pub retry: Duration,
    /// Whether streams can be taken up again (legacy revisions). Default true.
    pub resumption: bool,
    /// How long a stream that is complete can still be taken up again. Default 60 s.
    pub replay_timeout: Duration,
    /// Complete streams of one session that can be taken up again. Default 64; the oldest go first, and all but one
    /// while more than `max_waiting_len` waits. Stops a client from collecting them.
    pub max_complete_streams: usize,
    /// Whether HTTP+SSE (2024-11-05) is served too: a GET without a session opens its stream. Default false.
    pub http_sse: bool,
    pub(super) mirrored: BTreeMap<String, Vec<Param>>,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            access: Access::local(),
            max_head_fields: 100,
            max_head_len: 16 << 10,
            max_mirrored_len: 8 << 10,
            body_timeout: Duration::from_secs(30),
            max_arriving_len: 64 << 20,
            max_exchanges: 1024,
            max_finishing: 128,
            max_standing_streams: 512,
            max_waiting_len: 64 << 20,
            max_stream_len: 64 << 10,
            stall_timeout: Duration::from_secs(30),
            max_opening_len: 64 << 10,
            max_sessions: 1000,
            max_sessions_per_principal: 16,
            session_timeout: Duration::from_secs(300),
            opening_timeout: Duration::from_secs(60),
            max_streams: 4,
            keep_alive: Some(Duration::from_secs(15)),
            prime_after: Duration::from_secs(1),
            retry: Duration::from_secs(1),
            resumption: true,
            replay_timeout: Duration::from_secs(60),
            max_complete_streams: 64,
            http_sse: false,
            mirrored: BTreeMap::new(),
        }
    }
}

impl ServerOptions {
    /// Sets who may speak to it.
    #[must_use]
    pub fn access(mut self, access: Access) -> Self {
        self.access = access;
        self
    }

    /// Serves HTTP+SSE (2024-11-05) too, on the same address.
    #[must_use]
    pub fn http_sse(mut self) -> Self {
        self.http_sse = true;
        self
    }

    /// Sets how many requests may wait for their response.
    #[must_use]
    pub fn max_exchanges(mut self, max: usize) -> Self {
        self.max_exchanges = max;
        self
    }

    /// Sets how many streams that clients opened by GET may be open, of all sessions.
    #[must_use]
    pub fn max_standing_streams(mut self, max: usize) -> Self {
        self.max_standing_streams = max;
        self
    }

    /// Sets how many legacy sessions there may be.
    #[must_use]
    pub fn max_sessions(mut self, max: usize) -> Self {
        self.max_sessions = max;
        self
    }

    /// Sets how long a stream may be silent, or lets it be silent for ever with `None`.
    #[must_use]
    pub fn keep_alive(mut self, after: impl Into<Option<Duration>>) -> Self {
        self.keep_alive = after.into();
        self
    }

    /// Checks the arguments of a tool against their headers, where the schema of its input says `x-mcp-header`
    /// (2026-07-28). Of a tool that is not named here no header is known.
    ///
    /// # Errors
    ///
    /// [`BadAnnotation`]: clients must leave a tool with such a schema out.
    pub fn mirror(mut self, tool: &str, schema: &RawJson) -> Result<Self, BadAnnotation> {
        let params = annotations(schema.as_raw())?;
        if params.is_empty() {
            self.mirrored.remove(tool);
        } else {
            self.mirrored.insert(tool.into(), params);
        }
        Ok(self)
    }
}
