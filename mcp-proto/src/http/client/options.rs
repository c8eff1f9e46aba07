//! How a client speaks HTTP.

use core::time::Duration;

use http::header::{HeaderMap, HeaderName, HeaderValue};

/// What a client sends and waits for beside the protocol itself, and what a server may make it store and do.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ClientOptions {
    /// Headers of every request, such as `Authorization`. Those that the protocol defines are not taken from here.
    pub headers: HeaderMap,
    /// Whether a legacy server gets a stream for what belongs to no call. Default yes; a server that offers none
    /// says so.
    pub listens: bool,
    /// Requests in flight, streams included. Default 2,048; beyond it calls wait, as long as their own deadlines let them. A
    /// stream that stands as long as the session takes no place, and one more is for what is no call: a server that
    /// waits for a reply gets it.
    pub max_exchanges: usize,
    /// Bytes of the head of an answer. Default 64 KiB; a longer one fails. Stops 100,000 headers.
    pub max_head_len: usize,
    /// Bytes of the body of an error that are read. Default 64 KiB; the rest is cut off. Stops endless error pages.
    pub max_error_len: usize,
    /// Bytes of all bodies that wait for their ends. Default 64 MiB; the one that exceeds it fails. Stops many large
    /// answers at once.
    pub max_buffered_len: usize,
    /// Bytes of an event id, which we store and echo. Default 1 KiB; a longer one is ignored.
    pub max_event_id_len: usize,
    /// Tools whose arguments are repeated in headers. Default 1,024; those beyond it are left out of the list. Stops
    /// endless lists.
    pub max_tools: usize,
    /// Bytes of what is kept of them: names, headers and where the arguments are. Default 1 MiB; those beyond it are left
    /// out too. Stops long names.
    pub max_tools_len: usize,
    /// How long to wait before a stream is resumed if the server names no time. Default 1 s.
    pub first_wait: Duration,
    /// Spreads times to wait, so that the clients of a server that comes back do not all come at one moment: another
    /// number for each client, and no secret. Of a time of this client's own at least half is waited; one that the
    /// server names is exceeded by up to a fifth. Default none: nothing is spread; the driver takes it from its
    /// runtime's randomness then.
    pub spread: Option<u64>,
    /// What that grows to with each try that brings nothing. Default 30 s.
    pub longest_wait: Duration,
    /// Bounds of the time that a server may name, by `retry` or by `Retry-After`. Default 100 ms and 5 min. Stops a loop of reconnects, and a
    /// stream that is put off for ever.
    ///
    /// Who names more than the longer one sees its client before that, which R-HTTP-20 (2025-11-25) says it MUST NOT: any
    /// number may be named, and a call is better tried early than lost or put off for years. Where that is to hold to the
    /// letter, raise the bound; the deadlines of a call end it all the same.
    pub retry_bounds: (Duration, Duration),
    /// Tries in a row that bring nothing, before the stream of a call is given up, and the call with it. Default 5; 0: no
    /// stream is resumed. Stops reconnects without end. The stream for what belongs to no call is told once as
    /// [`HttpError::Cut`](crate::HttpError) then, and tried every `longest_wait` as long as the session lives.
    pub max_tries: u32,
    /// How long a server may take to answer what is no call: a notification, a reply, the opening of a stream, the
    /// end of the session. Default 30 s; so long at most do the calls behind a notification wait, in order not to overtake
    /// it. Calls have deadlines of their own.
    pub answer_timeout: Duration,
    /// How long a stream may stay open behind the answer that ends it. Default 1 s; then it is cut.
    pub linger: Duration,
    /// How long nothing may come, not even a comment, on a stream that can be resumed and whose server fills silence with
    /// comments. Default 60 s, which is four comments of those who send one every 15 s; then the connection counts as cut, and
    /// the stream is asked for behind its last event. Stops a call from waiting on a connection that died without a word.
    /// A stream that cannot be resumed is never ended by it, nor one on which no comment has come: there silence says
    /// nothing, and it is left to the connection and to the deadlines of the call. At least 1 s; [`Duration::MAX`]: no
    /// stream is.
    pub silence: Duration,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            headers: HeaderMap::new(),
            listens: true,
            max_exchanges: 2_048,
            max_head_len: 64 << 10,
            max_error_len: 64 << 10,
            max_buffered_len: 64 << 20,
            max_event_id_len: 1 << 10,
            max_tools: 1_024,
            max_tools_len: 1 << 20,
            first_wait: Duration::from_secs(1),
            spread: None,
            longest_wait: Duration::from_secs(30),
            retry_bounds: (Duration::from_millis(100), Duration::from_secs(300)),
            max_tries: 5,
            answer_timeout: Duration::from_secs(30),
            linger: Duration::from_secs(1),
            silence: Duration::from_secs(60),
        }
    }
}

impl ClientOptions {
    /// Adds a header to every request. Mark the value as sensitive if it is a secret.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.append(name, value);
        self
    }

    /// Whether the protocol, or the library below, sets this header itself: then it is not taken from here.
    pub fn is_own(name: &HeaderName) -> bool {
        super::requests::is_own(name)
    }

    /// Opens no stream for what belongs to no call.
    #[must_use]
    pub fn deaf(mut self) -> Self {
        self.listens = false;
        self
    }
}
