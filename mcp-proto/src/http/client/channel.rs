//! HTTP+SSE of 2024-11-05: one stream for everything that the server says, another address for what it is told.

use http::Uri;

use super::address::resolve;
use super::exchange::{Aim, Entry, Opening, Promise, State};
use super::requests::{self, Session};
use super::{Client, Exchange};
use crate::error::{CallError, HttpError, Violation};
use crate::id::RequestId;
use crate::time::Instant;
use crate::wire::sse::Event;

/// How the two sides are connected.
#[derive(Clone, Debug)]
pub(super) enum Mode {
    /// Streamable HTTP: each request is answered where it was made.
    Streamable,
    /// HTTP+SSE, and the server has not named the address for messages.
    Connecting(Option<Fallback>),
    /// HTTP+SSE, and the address.
    Channel(Uri),
}

/// What was tried before.
#[derive(Clone, Debug)]
pub(super) struct Fallback {
    pub(super) number: i64,
    pub(super) opening: Opening,
    /// Why it did not work: what is told if this does not either.
    pub(super) because: CallError,
}

impl Client {
    /// Opens the stream of a server of the first revision.
    pub(super) fn connect(&mut self, fallback: Option<Fallback>) {
        self.mode = Mode::Connecting(fallback);
        let (uri, headers) = (&self.uri, &self.options.headers);
        let request = requests::get(uri, headers, &Session::default(), &[]);
        // The deadline of the handshake bounds it.
        self.open(Entry::new(Aim::Channel, false), request);
    }

    /// Whether there is a channel on which answers come.
    pub(super) fn has_channel(&self) -> bool {
        matches!(self.mode, Mode::Channel(_))
    }

    pub(super) fn read_channel_event(&mut self, exchange: Exchange, event: Event) {
        let is_address = event.name == "endpoint";
        match &mut self.mode {
            Mode::Connecting(fallback) if is_address => {
                let reference = core::str::from_utf8(&event.data).ok();
                let Some(address) = reference.and_then(|text| resolve(&self.uri, text)) else {
                    return self.fail_to_connect(exchange, HttpError::BadAddress, event.at);
                };
                let fallback = fallback.take();
                self.mode = Mode::Channel(address);
                if let Some(Fallback { number, opening, .. }) = fallback {
                    let message = opening.message.clone();
                    self.post(Aim::Call(number, Some(opening)), message);
                }
            }
            // MUST be the first; 2024-11-05 basic/transports
            Mode::Connecting(_) => {
                self.fail_to_connect(exchange, HttpError::BadAddress, event.at);
            }
            // The channel must not be moved in the middle.
            Mode::Channel(_) if is_address => {
                let violation = Violation::UnexpectedMethod("a second address for messages".into());
                self.endpoint.core_mut().violation(violation);
            }
            Mode::Channel(_) if event.name.is_empty() || event.name == "message" => {
                self.deliver(exchange, event.data, event.at);
            }
            Mode::Channel(_) | Mode::Streamable => {}
        }
    }

    /// The head of the answer to the GET that opens the stream.
    pub(super) fn read_channel_head(&mut self, exchange: Exchange, promise: Promise, now: Instant) {
        match promise {
            Promise::Stream => self.begin_stream(exchange, now),
            // What it says besides belongs to what is told.
            Promise::Error(failing) if failing.is_readable() => {
                self.set_state(exchange, State::Error(failing));
            }
            Promise::Error(failing) => self.fail_to_connect(exchange, failing.error(), now),
            Promise::Nonsense(error) => self.fail_to_connect(exchange, error, now),
            Promise::Json | Promise::Accepted => {
                self.fail_to_connect(exchange, HttpError::ContentType, now);
            }
        }
    }

    /// The exchange of the stream has come to its end.
    pub(super) fn end_channel(&mut self, exchange: Exchange, now: Instant) {
        let Some(entry) = self.exchanges.get(&exchange) else { return };
        let error = match &entry.state {
            State::Error(failing) => failing.error(),
            State::Stream(_) => HttpError::Cut,
            _ => HttpError::Unreachable,
        };
        self.lose_channel(exchange, error, now);
    }

    /// The stream has ended, or could not be opened.
    pub(super) fn lose_channel(&mut self, exchange: Exchange, error: HttpError, now: Instant) {
        if self.has_channel() {
            self.remove(exchange);
            // The session is the stream, and there is no way back into it.
            self.endpoint.core_mut().close_for(HttpError::Cut, now);
        } else {
            self.fail_to_connect(exchange, error, now);
        }
    }

    /// It is not a server of the first revision either.
    fn fail_to_connect(&mut self, exchange: Exchange, error: HttpError, now: Instant) {
        self.abort(exchange);
        let Mode::Connecting(fallback) = core::mem::replace(&mut self.mode, Mode::Streamable)
        else {
            return;
        };
        match fallback {
            Some(Fallback { number, because, .. }) => {
                // What was refused before says more, but not than a demand for credentials or patience.
                let is_telling = match &error {
                    HttpError::Status { .. } => error.says_nothing_of_the_era(),
                    error => *error == HttpError::BadAddress,
                };
                let error = if is_telling { CallError::Http(error) } else { because };
                self.endpoint.handle_call_failed(&RequestId::from(number), error, now);
            }
            None => self.endpoint.core_mut().close_for(error, now),
        }
    }

    /// Takes an opening call to a server of the first revision, if this client speaks it.
    pub(super) fn fall_back(
        &mut self,
        number: i64,
        opening: Opening,
        because: CallError,
    ) -> Result<(), CallError> {
        if !self.speaks_first || !matches!(self.mode, Mode::Streamable) {
            return Err(because);
        }
        self.connect(Some(Fallback { number, opening, because }));
        Ok(())
    }
}
