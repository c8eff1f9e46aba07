//! How much, how long, and who we are.

use alloc::string::String;
use core::time::Duration;

use crate::id::{ProgressToken, RequestId};
use crate::json::RawJson;
use crate::progress::Pacing;
use crate::revision::RevisionSet;
use crate::types::{ClientCapabilities, Implementation, LogLevel, ServerCapabilities};

/// What a client is and wants.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ClientConfig {
    /// Who we are.
    pub info: Implementation,
    /// What we offer to servers.
    pub capabilities: ClientCapabilities,
    /// The revisions that we speak. Default: all. With both eras the server is probed; with one, the
    /// newest of it is asked for.
    pub revisions: RevisionSet,
    /// Deadlines of a call that sets none.
    pub timeouts: Timeouts,
    /// How long the handshake may take. Default 60 s. Without an answer the connection is closed.
    pub handshake_timeout: Duration,
    /// How long a server may be silent before it counts as legacy. Default 10 s: a slow start is no sign.
    /// A client that speaks no legacy revision waits for the whole handshake.
    pub probe_timeout: Duration,
    /// The least serious log message that we want. Default: what the server sends by itself.
    pub log_level: Option<LogLevel>,
    /// What a peer may make us store and do.
    pub limits: Limits,
    /// How much oddness is let pass.
    pub tolerance: Tolerance,
}

/// What a server is and offers.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ServerConfig {
    /// Who we are.
    pub info: Implementation,
    /// What we offer to clients.
    pub capabilities: ServerCapabilities,
    /// The revisions that we serve. Default: all, both eras in one process.
    pub revisions: RevisionSet,
    /// How to use this server, for a model.
    pub instructions: Option<String>,
    /// How often progress leaves.
    pub pacing: Pacing,
    /// Deadlines of a call to the client that sets none; legacy era only.
    pub timeouts: Timeouts,
    /// How long accepted requests may still be answered after the input has ended. Default 5 s.
    pub drain_timeout: Duration,
    /// What a peer may make us store and do.
    pub limits: Limits,
    /// How much oddness is let pass.
    pub tolerance: Tolerance,
}

/// How much oddness of real peers is let pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Tolerance {
    /// Byte order mark, CRLF, blank lines, a last line without newline, stringified ids and tokens, ids
    /// such as `1.0`, an empty `cacheScope`.
    #[default]
    Lenient,
    /// None of these.
    Strict,
}

/// The deadlines of a call. Default: 300 s without a word of it, 24 h in all.
///
/// ```
/// # use core::time::Duration;
/// # use mcp_proto::Timeouts;
/// let timeouts = Timeouts::default().idle(Duration::from_secs(30)).total(None);
/// assert_eq!((timeouts.max_idle(), timeouts.max_total()), (Some(Duration::from_secs(30)), None));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    pub(crate) idle: Option<Duration>,
    pub(crate) total: Option<Duration>,
    /// Whether the caller set the idle deadline: then progress is asked for, so that it can be re-armed.
    idle_chosen: bool,
}

/// How one call is made.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct CallOptions {
    /// Whether progress is asked for, and under which token.
    pub tracking: Tracking,
    /// Deadlines; the configured ones if absent.
    pub timeouts: Option<Timeouts>,
    /// More members for the request's `_meta`, an object. The engine's own keys win.
    pub meta: Option<RawJson>,
    /// The request of the peer that it is made for. On HTTP it goes where the answer of that request goes.
    pub related: Option<RequestId>,
}

/// Whether a call asks for progress.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Tracking {
    /// Only if the caller set an idle deadline, which progress re-arms.
    #[default]
    IfTimed,
    /// No, not even if the caller set an idle deadline: that is a plain timeout then.
    Never,
    /// Yes, under a token of the engine's own.
    Wanted,
    /// Yes, under the caller's token. Integers that the engine may still use itself are refused.
    Token(ProgressToken),
}

/// What a peer may make us store and do. Every limit names the attack that it stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of one message. A longer line is skipped to its end and not kept. Default 16 MiB for a
    /// client, 4 MiB for a server. Stops one giant message from filling memory.
    pub max_message_len: usize,
    /// Levels of nesting in a message. Default 64. Stops stack exhaustion in whatever decodes it later.
    pub max_depth: usize,
    /// Bytes of a string id or token, which we store and echo. Default 1 KiB.
    pub max_id_len: usize,
    /// Bytes of a method name. Default 256; a longer one is an unknown method.
    pub max_method_len: usize,
    /// Calls of ours in flight. Default 1,024. More is `SendError::TooManyCalls`.
    pub max_calls: usize,
    /// Requests of the peer in flight, those included that were cancelled and still run. Default 256.
    /// More are refused. Stops request floods, with or without cancelling (rapid reset).
    pub max_requests: usize,
    /// Messages in one batch (2025-03-26). Default 100; a longer one is refused whole, with one answer. Stops
    /// a line of small requests that asks for as many answers.
    pub max_batch_len: usize,
    /// Bytes that wait for the peer to read, and answers that wait for the rest of their batch. Default
    /// 1 MiB. Above it no input is taken and nothing new can be asked; answers still fit, and those of a batch
    /// no longer wait for each other. Stops a peer that sends and never reads, and one that asks for much
    /// beside something slow.
    pub max_outbox_len: usize,
    /// Bytes that wait for the peer to read, answers included. Default 32 MiB. An answer beyond it is
    /// replaced by an internal error, anything else is [`SendError::OutboxFull`](crate::SendError). Stops a
    /// peer that asks for a lot and reads nothing of it.
    pub max_output_len: usize,
    /// How long the outbox may stay above its limit with nothing read. Default 30 s; then the
    /// connection is closed.
    pub stall_timeout: Duration,
    /// Answers to malformed messages in one second. Default 16; beyond it there is silence.
    pub max_error_answers_per_second: u32,
    /// Answers to malformed messages in the life of a connection. Default 1,024; then it is closed.
    /// Stops error storms, in which two broken peers answer each other for ever.
    pub max_error_answers: u32,
    /// Violations that are reported in one second. Default 64; those beyond it are counted, and the count
    /// is reported. Stops a storm of broken messages from flooding a log.
    pub max_violation_reports_per_second: u32,
    /// Milestones of a request that wait to be sent. Default 256; beyond it they merge like others.
    pub max_milestones: usize,
    /// Events that wait to be polled, before input is decoded no further. Default 1,024. Stops lines of two
    /// bytes, each of which becomes an event a hundred times its size.
    pub max_events: usize,
}

impl ClientConfig {
    /// A client of this name and version, with every default.
    pub fn new(name: impl Into<String>, version: impl Into<String>) -> Self {
        Self {
            info: Implementation::new(name, version),
            capabilities: ClientCapabilities::default(),
            revisions: RevisionSet::ALL,
            timeouts: Timeouts::default(),
            handshake_timeout: Duration::from_secs(60),
            probe_timeout: Duration::from_secs(10),
            log_level: None,
            limits: Limits::client(),
            tolerance: Tolerance::Lenient,
        }
    }

    /// Sets the revisions that we speak.
    #[must_use]
    pub fn revisions(mut self, revisions: impl Into<RevisionSet>) -> Self {
        self.revisions = revisions.into();
        self
    }

    /// Sets the deadlines of calls that set none.
    #[must_use]
    pub fn timeouts(mut self, timeouts: Timeouts) -> Self {
        self.timeouts = timeouts;
        self
    }

    /// Sets what we offer.
    #[must_use]
    pub fn capabilities(mut self, capabilities: ClientCapabilities) -> Self {
        self.capabilities = capabilities;
        self
    }

    /// Sets how strictly the server is judged.
    #[must_use]
    pub fn tolerance(mut self, tolerance: Tolerance) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// Sets how long the handshake may take.
    #[must_use]
    pub fn handshake_timeout(mut self, timeout: Duration) -> Self {
        self.handshake_timeout = timeout;
        self
    }

    /// Sets how long a server may be silent before it counts as legacy.
    #[must_use]
    pub fn probe_timeout(mut self, timeout: Duration) -> Self {
        self.probe_timeout = timeout;
        self
    }

    /// Asks for log messages at or above `level`.
    #[must_use]
    pub fn log_level(mut self, level: LogLevel) -> Self {
        self.log_level = Some(level);
        self
    }

    /// Sets the limits. Begin with [`Limits::client`]: those of a server take shorter messages.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// The bytes of one message at most, for a transport that has to bound what it keeps.
    pub fn max_message_len(&self) -> usize {
        self.limits.max_message_len
    }
}

impl ServerConfig {
    /// A server of this name and version that offers tools, with every default.
    pub fn new(name: impl Into<String>, version: impl Into<String>) -> Self {
        Self {
            info: Implementation::new(name, version),
            capabilities: ServerCapabilities::default().tools(),
            revisions: RevisionSet::ALL,
            instructions: None,
            pacing: Pacing::default(),
            timeouts: Timeouts::default(),
            drain_timeout: Duration::from_secs(5),
            limits: Limits::default(),
            tolerance: Tolerance::Lenient,
        }
    }

    /// Sets the revisions that we serve.
    #[must_use]
    pub fn revisions(mut self, revisions: impl Into<RevisionSet>) -> Self {
        self.revisions = revisions.into();
        self
    }

    /// Sets what we offer.
    #[must_use]
    pub fn capabilities(mut self, capabilities: ServerCapabilities) -> Self {
        self.capabilities = capabilities;
        self
    }

    /// Sets how to use this server, for a model.
    #[must_use]
    pub fn instructions(mut self, instructions: impl Into<String>) -> Self {
        self.instructions = Some(instructions.into());
        self
    }

    /// Sets how often progress leaves.
    #[must_use]
    pub fn pacing(mut self, pacing: Pacing) -> Self {
        self.pacing = pacing;
        self
    }

    /// Sets the deadlines of calls that set none.
    #[must_use]
    pub fn timeouts(mut self, timeouts: Timeouts) -> Self {
        self.timeouts = timeouts;
        self
    }

    /// Sets how strictly the client is judged.
    #[must_use]
    pub fn tolerance(mut self, tolerance: Tolerance) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// Sets how long accepted requests may still be answered after the input has ended.
    #[must_use]
    pub fn drain_timeout(mut self, timeout: Duration) -> Self {
        self.drain_timeout = timeout;
        self
    }

    /// Sets the limits.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// The bytes of one message at most, for a transport that has to bound what it keeps.
    pub fn max_message_len(&self) -> usize {
        self.limits.max_message_len
    }
}

impl Timeouts {
    /// No deadline at all.
    pub const NEVER: Self = Self { idle: None, total: None, idle_chosen: false };

    /// Sets how long nothing may be heard of a call, or lifts that deadline with `None`. Progress that is accepted re-arms it,
    /// so a call with a deadline of its own asks for progress, unless [`untracked`](CallOptions::untracked).
    #[must_use]
    pub fn idle(mut self, idle: impl Into<Option<Duration>>) -> Self {
        self.idle = idle.into();
        self.idle_chosen = self.idle.is_some();
        self
    }

    /// Sets how long a call may take in all, or lifts that deadline with `None`. Nothing re-arms it.
    #[must_use]
    pub fn total(mut self, total: impl Into<Option<Duration>>) -> Self {
        self.total = total.into();
        self
    }

    /// How long nothing may be heard of a call.
    pub fn max_idle(&self) -> Option<Duration> {
        self.idle
    }

    /// How long a call may take in all.
    pub fn max_total(&self) -> Option<Duration> {
        self.total
    }

    pub(crate) fn wants_progress(&self) -> bool {
        self.idle_chosen
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            idle: Some(Duration::from_secs(300)),
            total: Some(Duration::from_secs(24 * 60 * 60)),
            idle_chosen: false,
        }
    }
}

impl CallOptions {
    /// Asks for progress.
    #[must_use]
    pub fn tracked(mut self) -> Self {
        if self.tracking == Tracking::IfTimed {
            self.tracking = Tracking::Wanted;
        }
        self
    }

    /// Asks for no progress, whatever the deadlines are.
    #[must_use]
    pub fn untracked(mut self) -> Self {
        self.tracking = Tracking::Never;
        self
    }

    /// Asks for progress under a token of the caller's own: a text, or a number that is not positive, since those are ids
    /// of calls. After a text that reads as a number, reports are no longer matched with ids of another type.
    ///
    /// If an earlier call had the same token and was given up, what the peer had said of that one before it heard of
    /// this counts for the new one: a token that is never used twice is the better one.
    #[must_use]
    pub fn progress_token(mut self, token: impl Into<ProgressToken>) -> Self {
        self.tracking = Tracking::Token(token.into());
        self
    }

    /// Sets the deadlines.
    #[must_use]
    pub fn timeouts(mut self, timeouts: Timeouts) -> Self {
        self.timeouts = Some(timeouts);
        self
    }

    /// Adds members to the request's `_meta`, such as trace context.
    #[must_use]
    pub fn meta(mut self, meta: RawJson) -> Self {
        self.meta = Some(meta);
        self
    }

    /// Makes it for a request of the peer, which must wait for its answer still.
    #[must_use]
    pub fn related(mut self, request: RequestId) -> Self {
        self.related = Some(request);
        self
    }
}

impl Limits {
    /// Those of a client that sets none: messages of 16 MiB, for it receives results.
    pub fn client() -> Self {
        Self { max_message_len: 16 << 20, ..Self::server() }
    }

    /// Those of a server that sets none: messages of 4 MiB.
    pub fn server() -> Self {
        Self::default()
    }
}

/// Those of a [server](Limits::server).
impl Default for Limits {
    fn default() -> Self {
        Self {
            max_message_len: 4 << 20,
            max_depth: 64,
            max_id_len: 1 << 10,
            max_method_len: 256,
            max_calls: 1024,
            max_requests: 256,
            max_batch_len: 100,
            max_outbox_len: 1 << 20,
            max_output_len: 32 << 20,
            stall_timeout: Duration::from_secs(30),
            max_error_answers_per_second: 16,
            max_error_answers: 1024,
            max_violation_reports_per_second: 64,
            max_milestones: 256,
            max_events: 1024,
        }
    }
}
