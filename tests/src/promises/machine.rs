//! What does the work at one end, of either role.

use std::any::Any;
use std::hash::Hasher;

use bytes::Bytes;
use mcp_proto::progress::{ReportError, Weight};
use mcp_proto::role::{Role, Server};
use mcp_proto::types::{LogLevel, LogMessage};
use mcp_proto::{
    CallOptions, Connection, Endpoint, ErrorObject, Event, Instant, Progress, RawJson, RequestId,
    Revision, SendError,
};

use super::ledger::Tables;

/// What an application has before it, whatever moves the messages.
#[allow(missing_docs)] // the methods are those of `Endpoint`
pub trait Machine {
    fn request(
        &mut self,
        method: &str,
        params: Option<&RawJson>,
        options: CallOptions,
        now: Instant,
    ) -> Result<RequestId, SendError>;
    /// Nothing if this end sends none.
    fn log(&mut self, request: Option<&RequestId>, text: &str) -> Option<Result<bool, SendError>>;
    fn revision(&self) -> Option<Revision>;
    fn cancel(&mut self, id: &RequestId, now: Instant);
    fn report(
        &mut self,
        id: &RequestId,
        progress: Progress,
        weight: Weight,
        now: Instant,
    ) -> Result<(), ReportError>;
    fn respond(&mut self, id: &RequestId, result: &RawJson, now: Instant) -> Result<(), SendError>;
    fn fail(&mut self, id: &RequestId, error: &ErrorObject, now: Instant) -> Result<(), SendError>;
    fn abandon(&mut self, id: &RequestId, now: Instant);
    fn last_report(&self, id: &RequestId) -> Option<f64>;
    fn close(&mut self, now: Instant);
    fn poll_timeout(&self) -> Option<Instant>;
    fn is_closed(&self) -> bool;
    fn tables(&self) -> Tables;
}

/// One that is fed with whole messages.
#[allow(missing_docs)] // the methods are those of `Endpoint`
pub trait Engine: Machine {
    fn handle_message(&mut self, message: Bytes, now: Instant);
    fn handle_eof(&mut self, now: Instant);
    fn handle_transport_error(&mut self, now: Instant);
    fn handle_timeout(&mut self, now: Instant);
    fn poll_event(&mut self) -> Option<Event>;
    fn poll_transmit(&mut self) -> Option<Bytes>;
    fn digest(&self, now: Instant, hasher: &mut dyn Hasher);
    /// Messages that it would still write.
    fn messages_left(&self) -> usize;
}

/// Those of both kinds have the same commands, and are looked at in the same way.
macro_rules! machine {
    ($kind:ident) => {
        impl<R: Role + 'static> Machine for $kind<R> {
            fn request(
                &mut self,
                method: &str,
                params: Option<&RawJson>,
                options: CallOptions,
                now: Instant,
            ) -> Result<RequestId, SendError> {
                self.request_raw(method, params, options, now)
            }
            fn log(
                &mut self,
                request: Option<&RequestId>,
                text: &str,
            ) -> Option<Result<bool, SendError>> {
                let server = (self as &mut dyn Any).downcast_mut::<$kind<Server>>()?;
                Some(server.log(request, &LogMessage::text(LogLevel::Error, text)))
            }
            fn revision(&self) -> Option<Revision> {
                Some(self.peer()?.revision)
            }
            fn cancel(&mut self, id: &RequestId, now: Instant) {
                Self::cancel(self, id, None, now);
            }
            fn report(
                &mut self,
                id: &RequestId,
                progress: Progress,
                weight: Weight,
                now: Instant,
            ) -> Result<(), ReportError> {
                Self::report(self, id, progress, weight, now)
            }
            fn respond(
                &mut self,
                id: &RequestId,
                result: &RawJson,
                now: Instant,
            ) -> Result<(), SendError> {
                Self::respond(self, id, result, now)
            }
            fn fail(
                &mut self,
                id: &RequestId,
                error: &ErrorObject,
                now: Instant,
            ) -> Result<(), SendError> {
                Self::fail(self, id, error, now)
            }
            fn abandon(&mut self, id: &RequestId, now: Instant) {
                Self::abandon(self, id, now);
            }
            fn last_report(&self, id: &RequestId) -> Option<f64> {
                Endpoint::<R>::last_report(self, id).map(|(last, _)| last)
            }
            fn close(&mut self, now: Instant) {
                Self::close(self, now);
            }
            fn poll_timeout(&self) -> Option<Instant> {
                Endpoint::<R>::poll_timeout(self)
            }
            fn is_closed(&self) -> bool {
                Endpoint::<R>::is_closed(self)
            }
            fn tables(&self) -> Tables {
                Tables {
                    calls: self.calls_in_flight(),
                    requests: self.requests_in_flight(),
                    has_timer: Endpoint::<R>::poll_timeout(self).is_some(),
                    closed: Endpoint::<R>::is_closed(self),
                }
            }
        }
    };
}

machine!(Endpoint);
machine!(Connection);

impl<R: Role + 'static> Engine for Endpoint<R> {
    fn handle_message(&mut self, message: Bytes, now: Instant) {
        Self::handle_message(self, message, now);
    }
    fn handle_eof(&mut self, now: Instant) {
        Self::handle_eof(self, 0, now);
    }
    fn handle_transport_error(&mut self, now: Instant) {
        Self::handle_transport_error(self, now);
    }
    fn handle_timeout(&mut self, now: Instant) {
        Self::handle_timeout(self, now);
    }
    fn poll_event(&mut self) -> Option<Event> {
        Self::poll_event(self)
    }
    fn poll_transmit(&mut self) -> Option<Bytes> {
        Self::poll_transmit(self).map(|transmit| transmit.message)
    }
    fn digest(&self, now: Instant, hasher: &mut dyn Hasher) {
        Self::digest(self, now, hasher);
    }
    fn messages_left(&self) -> usize {
        let mut copy = self.clone();
        std::iter::from_fn(|| Self::poll_transmit(&mut copy)).count()
    }
}
