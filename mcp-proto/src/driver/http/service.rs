//! A server as a service of requests and responses.

use core::convert::Infallible;
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, ready};

use alloc::string::String;
use alloc::sync::Arc;
#[cfg(feature = "snapshot")]
use alloc::vec::Vec;
use bytes::Bytes;
use http::{Request, Response, request};
use http_body::Body;

#[cfg(feature = "snapshot")]
use super::super::afterwards::Afterwards;
use super::super::link::Link;
use super::body::{Beginning, Open, ResponseBody};
use super::intake::{Arriving, Intake, Unread};
use super::serving::Serve;
#[cfg(feature = "snapshot")]
use crate::http::SessionSnapshot;
use crate::http::{Admission, Caller, Server};
#[cfg(feature = "snapshot")]
use crate::state::RestoreError;

/// A server on HTTP as a [`tower_service::Service`]: give it to hyper, or nest it in an axum router. Clones are the
/// same server. When the last is dropped nothing new can come: the server ends once what is under way is finished.
///
/// Whoever authenticates requests puts a [`Principal`] into their extensions.
#[derive(Clone)]
pub struct Service {
    shared: Serve,
    _door: Arc<Door>,
}

/// What requests come through. Once it is gone there will be no more: what is under way is finished.
struct Door(Serve);

/// Whose request it is, such as the subject of a token: an extension of the request. A legacy session is served only
/// to who opened it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs)]
pub struct Principal(pub String);

/// A response on its way.
#[must_use = "nothing is read or answered before it is polled"]
pub struct Responding<B> {
    shared: Serve,
    stage: Stage<B>,
}

#[allow(clippy::large_enum_variant)] // it is moved once
enum Stage<B> {
    /// The body is read.
    Reading {
        head: request::Parts,
        admission: Admission,
        body: Intake<B>,
        arriving: Arriving,
    },
    /// The head of the response is waited for.
    Waiting(Open),
    /// A stream has begun, before anybody has worked on it: so many times others have their turn first.
    Yielding(Open, Beginning, u8),
    /// It may not come in.
    Refused(Response<Bytes>),
    Over,
}

impl Service {
    pub(super) fn new(shared: Serve) -> Self {
        Self { _door: Arc::new(Door(shared.clone())), shared }
    }

    /// Takes nothing new: requests are refused, and streams that belong to no request end. What is under way is
    /// finished; [`Server::closed`](crate::driver::Server::closed) tells when.
    pub fn drain(&self) {
        self.shared.turn(|state, now| state.link.machine.drain(now));
    }

    /// Ends everything: requests count as cancelled, and every response ends.
    pub fn close(&self) {
        self.shared.turn(|state, now| state.link.close(now));
    }

    /// Legacy sessions that are open.
    pub fn sessions(&self) -> usize {
        self.shared.lock().link.machine.sessions()
    }

    /// Requests whose response is not complete, streams that stay open included.
    pub fn exchanges(&self) -> usize {
        self.shared.lock().link.machine.exchanges()
    }

    /// Takes out every legacy session that can move, for the process that takes over: see
    /// [`export_session`](Server::export_session). Those who work on its requests see them cancelled. Feature `snapshot`.
    #[cfg(feature = "snapshot")]
    pub fn export_sessions(&self) -> Vec<SessionSnapshot> {
        let mut afterwards = Afterwards::default();
        let sessions = self.shared.turn(|state, now| {
            let scopes: Vec<_> = state.link.machine.session_scopes().collect();
            let mut sessions = Vec::new();
            for scope in scopes {
                sessions.extend(state.link.machine.export_session(scope, now));
                state.depart(scope.into(), &mut afterwards);
            }
            sessions
        });
        afterwards.wake();
        sessions
    }

    /// Takes in a session of another process. Its requests in flight are accepted once more, and
    /// [say so](crate::driver::Incoming::is_resumed). Feature `snapshot`.
    ///
    /// # Errors
    ///
    /// See [`RestoreError`]; nothing has changed then.
    #[cfg(feature = "snapshot")]
    pub fn import_session(&self, session: SessionSnapshot) -> Result<(), RestoreError> {
        let mut afterwards = Afterwards::default();
        let taken = self.shared.turn(|state, now| {
            let scope = state.link.machine.import_session(session, now)?;
            state.resume(scope.into(), now, &mut afterwards);
            Ok(())
        });
        afterwards.wake();
        taken
    }

    /// Responds to one request.
    pub fn respond<B: Body>(&self, request: Request<B>) -> Responding<B> {
        let (head, body) = request.into_parts();
        let admitted = self.shared.lock().link.machine.handle_head(&head);
        let stage = match admitted {
            Err(refusal) => Stage::Refused(refusal),
            Ok(admission) => {
                let body = Intake::new(body, admission.max_body, admission.body_timeout);
                Stage::Reading {
                    head,
                    admission,
                    body,
                    arriving: Arriving::new(self.shared.clone()),
                }
            }
        };
        Responding { shared: self.shared.clone(), stage }
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.0.turn(|state, now| state.link.machine.drain(now));
    }
}

impl<B: Body> tower_service::Service<Request<B>> for Service {
    type Response = Response<ResponseBody>;
    type Error = Infallible;
    type Future = Responding<B>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // What is too much is refused, not queued.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Responding<B> {
        self.respond(request)
    }
}

/// Turns that others have before a stream leaves which has only begun: whoever accepts its request, and its handler. What
/// they say at once then leaves with the head, in one write.
const TURNS: u8 = 2;

/// Hands a request in: what becomes of it.
#[allow(clippy::result_large_err)] // a response goes out as it is
fn open<B>(
    shared: &Serve,
    head: &request::Parts,
    admission: &Admission,
    body: Bytes,
    cx: &mut Context<'_>,
) -> Stage<B> {
    let mut caller = Caller::default();
    if let Some(Principal(name)) = head.extensions.get() {
        caller = caller.principal(name.clone());
    }
    if admission.wants_seed
        && let Some(seed) = shared.runtime().seed()
    {
        caller = caller.seed(seed);
    }
    let enter =
        |machine: &mut Server, now| machine.handle_parts(admission, head, body, caller, now);
    match shared.open_exchange(enter, cx, Beginning::ask) {
        Err(refusal) => Stage::Refused(refusal),
        Ok((exchange, begun)) => {
            let open = Open::new(shared.clone(), exchange);
            match begun {
                Poll::Pending => Stage::Waiting(open),
                Poll::Ready(begun) => {
                    let turns = if begun.goes_on() { TURNS } else { 0 };
                    Stage::Yielding(open, begun, turns)
                }
            }
        }
    }
}

impl<B: Body> Future for Responding<B> {
    type Output = Result<Response<ResponseBody>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { shared, stage } = self.get_mut();
        if let Stage::Reading { head, admission, body, arriving } = stage {
            let read = match body.poll(shared.runtime(), cx) {
                Poll::Ready(read) => read,
                Poll::Pending if arriving.grow(body.len(), admission.max_arriving) => {
                    return Poll::Pending;
                }
                Poll::Pending => Err(Unread::TooMuch),
            };
            *stage = match read {
                Ok(body) => open(shared, head, admission, body, cx),
                Err(Unread::TooLong) => Stage::Refused(Server::too_long()),
                Err(Unread::TooMuch) => Stage::Refused(Server::too_busy()),
                Err(Unread::Broken) => Stage::Refused(Server::unreadable()),
            };
            if let Stage::Waiting(_) = stage {
                return Poll::Pending;
            }
        }
        match stage {
            Stage::Waiting(open) => {
                let begun = ready!(open.poll(cx, Beginning::ask));
                let stage = core::mem::replace(stage, Stage::Over);
                let Stage::Waiting(open) = stage else { return Poll::Pending };
                return Poll::Ready(Ok(begun.respond(open)));
            }
            Stage::Yielding(.., turns @ 1..) => {
                *turns -= 1;
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            _ => {}
        }
        match core::mem::replace(stage, Stage::Over) {
            Stage::Yielding(open, begun, _) => Poll::Ready(Ok(begun.respond(open))),
            Stage::Refused(refusal) => Poll::Ready(Ok(refusal.map(ResponseBody::whole))),
            _ => Poll::Pending,
        }
    }
}

/// Nothing in it is pinned: the body has a box of its own.
impl<B> Unpin for Responding<B> {}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service").field("machine", &self.shared.lock().link.machine).finish()
    }
}

impl<B> fmt::Debug for Responding<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Responding").finish_non_exhaustive()
    }
}
