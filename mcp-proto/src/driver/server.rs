//! A server's handle, and one request of its client.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::afterwards::Afterwards;
use super::reporter::Reporter;
use super::scratch::written;
use super::shared::{Accepted, Handle, Key, State};
use super::watchers::Change;
use crate::endpoint::Endpoint;
use crate::error::{CloseReason, ErrorObject, SendError};
use crate::event::PeerInfo;
use crate::id::RequestId;
use crate::json::{DecodeError, EncodeError, Raw, RawJson, Text, write_value};
use crate::method::{LISTEN, Notification};
use crate::progress::ReportError;
use crate::revision::{Era, Revision};
use crate::role;
use crate::time::Instant;
use crate::types::{ClientCapabilities, LogLevel, LogMessage, Progress, meta};
use crate::wire::{Stamps, object_with_meta};

/// A server, on any runtime. When it and every accepted request are gone, the connection closes.
pub struct Server {
    handle: Handle<role::Server>,
}

impl Server {
    pub(super) fn new(handle: Handle<role::Server>) -> Self {
        Self { handle }
    }

    /// The next request; `None` once the connection has ended and everything is written.
    ///
    /// So a program whose loop over it is done may exit: after the end of the input, what was accepted is
    /// answered first, within [`ServerConfig::drain_timeout`](crate::ServerConfig).
    /// Handshakes and pings are answered by the engine and do not appear here.
    pub async fn accept(&mut self) -> Option<Incoming> {
        let look = |state: &mut State<role::Server>| match state.accept() {
            Some(accepted) => Some(Some(accepted)),
            None => state.is_over.then_some(None),
        };
        let accepted = self.handle.watch(Change::Request, look).await?;
        Some(Incoming::new(self.handle.clone(), accepted))
    }

    /// The client of a legacy session, once it is known. In the modern era each request stands alone.
    pub fn peer(&self) -> Option<PeerInfo> {
        self.handle.lock().peer()
    }

    /// Requests that wait for an answer.
    pub fn requests_in_flight(&self) -> usize {
        self.handle.lock().link.requests_in_flight()
    }

    /// What the transport said when it failed, such as that a pipe is broken: the first 512 bytes of it. It stays known when
    /// the connection has ended; none if nothing failed.
    ///
    /// None over HTTP: there a connection carries exchanges, and whatever serves those knows of it.
    pub fn last_trouble(&self) -> Option<String> {
        self.handle.lock().last_trouble()
    }

    /// Announces something that belongs to no request, such as that a list has changed: to the client of a legacy session;
    /// over HTTP to each of them, on the stream that it has open for that, or when it opens one.
    ///
    /// In the modern era it is said to those who have [subscribed](Incoming::notify) to it, and to nobody else (R-SUB-03).
    ///
    /// ```no_run
    /// use mcp_proto::driver::Server;
    /// use mcp_proto::{Notification, SendError, ServerConfig, role};
    ///
    /// /// The tools are others than before.
    /// #[derive(serde::Serialize)]
    /// struct ToolsChanged {}
    ///
    /// impl Notification for ToolsChanged {
    ///     const METHOD: &'static str = "notifications/tools/list_changed";
    ///     type Sender = role::Server;
    /// }
    ///
    /// // Before it is served, it says that there will be such notifications (R-CAP-11).
    /// let mut config = ServerConfig::new("images", "1.0");
    /// config.capabilities.tools.get_or_insert_default().list_changed = Some(true);
    ///
    /// fn tools_have_changed(server: &Server) -> Result<(), SendError> {
    ///     server.notify(&ToolsChanged {})
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// [`SendError::Unsupported`] if the client has no session, [`SendError::NotReady`] if that has only begun, and what else
    /// [`SendError`] says. Over HTTP whoever has no session or a new one is passed over, and what keeps one session from
    /// hearing of it keeps no other: the first refusal is returned.
    pub fn notify<N: Notification<Sender = role::Server>>(
        &self,
        notification: &N,
    ) -> Result<(), SendError> {
        // The user's code runs once, and not under the lock.
        self.announce(N::METHOD, &RawJson::of(notification)?)
    }

    /// As [`notify`](Self::notify), of any method with any parameters.
    ///
    /// # Errors
    ///
    /// As [`notify`](Self::notify).
    pub fn notify_raw(&self, method: &str, params: Option<&RawJson>) -> Result<(), SendError> {
        self.announce(method, &params)
    }

    fn announce<T: Serialize>(&self, method: &str, params: &T) -> Result<(), SendError> {
        self.handle.change(|state, _| {
            state.link.announce(&mut |endpoint| endpoint.core_mut().notify(method, params))
        })
    }

    /// Closes the connection: requests count as cancelled. What was queued is still written, for at most
    /// 5 s.
    pub fn close(&self) {
        self.handle.change(|state, now| state.link.close(now));
    }

    /// Waits until the connection has ended and everything is written.
    pub async fn closed(&self) -> CloseReason {
        self.handle.over().await
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").finish_non_exhaustive()
    }
}

/// One request of the client, to be answered once.
///
/// Dropped without an answer it answers by itself: with silence if it was cancelled, else with an internal
/// error, so that a handler that panics cannot hang its client.
#[must_use = "dropping a request answers it with an internal error"]
pub struct Incoming {
    core: Ongoing,
    method: Text,
    params: Option<RawJson>,
    is_resumed: bool,
    is_answered: bool,
}

/// A request that is being worked on, as its reporters and its handler see it.
#[derive(Clone)]
pub(crate) struct Ongoing {
    handle: Handle<role::Server>,
    key: Key,
    id: RequestId,
    revision: Revision,
}

impl Incoming {
    fn new(handle: Handle<role::Server>, accepted: Accepted) -> Self {
        let Accepted { key, id, revision, method, params, is_resumed } = accepted;
        let core = Ongoing { handle, key, id, revision };
        Self { core, method, params, is_resumed, is_answered: false }
    }

    /// Its method.
    pub fn method(&self) -> &str {
        &self.method
    }

    /// Its id.
    pub fn id(&self) -> &RequestId {
        &self.core.id
    }

    /// The revision that it is spoken in.
    pub fn revision(&self) -> Revision {
        self.core.revision
    }

    /// Its parameters, decoded; absent ones count as an empty object.
    ///
    /// # Errors
    ///
    /// [`DecodeError`]: they are not what was wanted.
    pub fn params<T: DeserializeOwned>(&self) -> Result<T, DecodeError> {
        self.params.clone().unwrap_or(RawJson::empty_object()).decode()
    }

    /// Its parameters as they came.
    pub fn raw_params(&self) -> Option<&RawJson> {
        self.params.as_ref()
    }

    /// What its client says it can do: from 2026-07-28 in this very request, before that in its session. Rely on nothing
    /// else of a client (R-CAP-04); what lacks is said by [`ErrorObject::missing_capability`].
    pub fn client_capabilities(&self) -> ClientCapabilities {
        let said = self.params.as_ref().and_then(|params| {
            params.get_in(&["_meta", meta::CLIENT_CAPABILITIES])?.decode_owned().ok()
        });
        self.core.client_capabilities(said)
    }

    /// Whether another process was told of it before, and worked on it until its session
    /// came here (`driver::http::Service`). Always false without the features `http` and `snapshot`.
    pub fn is_resumed(&self) -> bool {
        self.is_resumed
    }

    /// Reports progress. Never waits; does nothing if the client did not ask.
    ///
    /// # Errors
    ///
    /// [`ReportError`]: the report was refused here and never sent.
    pub fn progress(&self, progress: Progress) -> Result<(), ReportError> {
        self.reporter().report(progress)
    }

    /// A handle to report progress with, for the tasks that do the work.
    pub fn reporter(&self) -> Reporter {
        Reporter::new(self.core.clone())
    }

    /// Sends a log message. `Ok(false)`: the client does not want it.
    ///
    /// # Errors
    ///
    /// See [`SendError`].
    pub fn log(&self, message: &LogMessage) -> Result<bool, SendError> {
        self.core.log(message)
    }

    /// Sends a plain text as a log message of level *info*.
    ///
    /// # Errors
    ///
    /// See [`SendError`].
    pub fn info(&self, text: &str) -> Result<bool, SendError> {
        self.log(&LogMessage::text(LogLevel::Info, text))
    }

    /// Announces something that belongs to this request, before its answer: over HTTP on the stream of the answer.
    ///
    /// So a subscription is served: what is said for `subscriptions/listen`, and its result, carry its id (R-SUB-02,
    /// R-SUB-09) without your doing. Acknowledge it first (R-SUB-01), and say nothing that was not asked for (R-SUB-03).
    ///
    /// ```
    /// use mcp_proto::driver::Incoming;
    /// use mcp_proto::{Notification, RawJson, SendError, role};
    ///
    /// /// What of a subscription is honoured.
    /// #[derive(serde::Serialize)]
    /// struct Acknowledged {
    ///     notifications: RawJson,
    /// }
    ///
    /// impl Notification for Acknowledged {
    ///     const METHOD: &'static str = "notifications/subscriptions/acknowledged";
    ///     type Sender = role::Server;
    /// }
    ///
    /// /// Tells whoever has asked for that when the tools change, until nobody listens any more.
    /// async fn listen(request: Incoming, mut changed: impl AsyncFnMut()) -> Result<(), SendError> {
    ///     let asked = request.raw_params().and_then(|params| params.get_in(&["notifications", "toolsListChanged"]));
    ///     let is_asked = asked.is_some_and(|asked| asked.as_bytes() == b"true");
    ///     let honoured = if is_asked { r#"{"toolsListChanged":true}"# } else { "{}" };
    ///     request.notify(&Acknowledged { notifications: RawJson::parse(honoured).expect("JSON") })?;
    ///     if !is_asked {
    ///         request.cancelled().await;
    ///     }
    ///     while !request.is_cancelled() {
    ///         changed().await; // raced against `request.cancelled()` in a real server
    ///         request.notify_raw("notifications/tools/list_changed", None)?;
    ///     }
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// See [`SendError`].
    pub fn notify<N: Notification<Sender = role::Server>>(
        &self,
        notification: &N,
    ) -> Result<(), SendError> {
        self.announce(N::METHOD, notification)
    }

    /// As [`notify`](Self::notify), of any method with any parameters.
    ///
    /// # Errors
    ///
    /// See [`SendError`].
    pub fn notify_raw(&self, method: &str, params: Option<&RawJson>) -> Result<(), SendError> {
        self.announce(method, &params)
    }

    fn announce<T: Serialize>(&self, method: &str, params: &T) -> Result<(), SendError> {
        written(|text| {
            self.write(text, params)?; // the user's code, so not under the lock
            self.core.notify(method, &Raw::trusted(text))
        })
    }

    /// Writes what is said for it: of a subscription all of that carries its id.
    fn write<T: Serialize + ?Sized>(
        &self,
        text: &mut Vec<u8>,
        value: &T,
    ) -> Result<(), EncodeError> {
        if self.method != *LISTEN {
            return write_value(text, value);
        }
        let mut id = Vec::new();
        self.core.id.write(&mut id);
        let meta: &[(&str, &[u8])] = &[(meta::SUBSCRIPTION_ID, &id)];
        object_with_meta(text, value, Stamps { meta, ..Stamps::default() })
    }

    /// Closes the connection on which the client waits for this request, which goes on: the client comes back after a
    /// while and gets what it missed. Whether that can be: over HTTP in 2025-11-25, on a stream that can be resumed.
    pub fn close_stream(&self) -> bool {
        self.core.close_stream()
    }

    /// Whether the client no longer wants the answer.
    pub fn is_cancelled(&self) -> bool {
        self.core.is_cancelled()
    }

    /// Waits until the client no longer wants the answer.
    pub async fn cancelled(&self) {
        self.core.cancelled().await;
    }

    /// Answers it. Progress that still waits leaves first, and none after.
    ///
    /// # Errors
    ///
    /// [`SendError::Cancelled`] if nobody wants the answer any more, [`SendError::Closed`] if the connection has ended, or
    /// over HTTP the session or exchange; [`SendError::Encode`] if `result` is no JSON object, [`SendError::OutboxFull`] if it
    /// is beyond [`Limits::max_output_len`](crate::Limits): of these two the client is told as an internal error.
    pub fn respond<T: Serialize + ?Sized>(mut self, result: &T) -> Result<(), SendError> {
        let answered = written(|text| {
            self.write(text, result)?; // the user's code, so not under the lock
            let result = Raw::trusted(text);
            self.core.answer(|endpoint, id, now| endpoint.respond(id, &result, now))
        });
        self.is_answered = !matches!(answered, Err(SendError::Encode(_)));
        answered
    }

    /// Answers it with an error.
    ///
    /// # Errors
    ///
    /// [`SendError::Cancelled`] if nobody wants the answer any more, [`SendError::Closed`] if the connection has ended, or
    /// over HTTP the session or exchange.
    pub fn fail(mut self, error: &ErrorObject) -> Result<(), SendError> {
        self.is_answered = true;
        self.core.answer(|endpoint, id, now| endpoint.fail(id, error, now))
    }

    /// Answers that there is no such method.
    ///
    /// # Errors
    ///
    /// As [`fail`](Self::fail).
    pub fn reject_unknown(self) -> Result<(), SendError> {
        self.fail(&ErrorObject::method_not_found())
    }
}

impl Ongoing {
    pub(crate) fn id(&self) -> &RequestId {
        &self.id
    }

    pub(crate) fn revision(&self) -> Revision {
        self.revision
    }

    /// What its client can do, where `said` is what this request says of it.
    pub(crate) fn client_capabilities(
        &self,
        said: Option<ClientCapabilities>,
    ) -> ClientCapabilities {
        match self.revision.era() {
            Era::Modern => said,
            Era::Legacy => self.look(None, |endpoint, _| {
                endpoint.peer().and_then(|peer| peer.capabilities.decode().ok())
            }),
        }
        .unwrap_or_default()
    }

    /// Changes its endpoint if the request is still this one.
    pub(super) fn with<T>(
        &self,
        gone: T,
        change: impl FnOnce(&mut Endpoint<role::Server>, &RequestId, Instant) -> T,
    ) -> T {
        self.handle.change(|state, now| match state.serving_mut(self.key, &self.id) {
            Some(endpoint) => change(endpoint, &self.id, now),
            None => gone,
        })
    }

    /// Looks at its endpoint if the request is still this one.
    pub(super) fn look<T>(
        &self,
        gone: T,
        look: impl FnOnce(&Endpoint<role::Server>, &RequestId) -> T,
    ) -> T {
        match self.handle.lock().serving(self.key, &self.id) {
            Some(endpoint) => look(endpoint, &self.id),
            None => gone,
        }
    }

    /// Waits until everything reported so far has left, or need not any more.
    pub(super) async fn delivered(&self) {
        let is_delivered = |state: &mut State<role::Server>| {
            let serving = state.serving(self.key, &self.id).filter(|_| state.closed.is_none());
            serving.is_none_or(|endpoint| endpoint.is_progress_flushed(&self.id)).then_some(())
        };
        self.handle.watch(Change::Output(self.key.0), is_delivered).await;
    }

    fn answer(
        &self,
        answer: impl FnOnce(&mut Endpoint<role::Server>, &RequestId, Instant) -> Result<(), SendError>,
    ) -> Result<(), SendError> {
        let mut afterwards = Afterwards::default();
        let answered = self.handle.change(|state, now| {
            let endpoint = state.serving_mut(self.key, &self.id).ok_or(SendError::Closed)?;
            let answered = answer(endpoint, &self.id, now);
            if !matches!(answered, Err(SendError::Encode(_))) {
                // Whoever waits for a cancellation need not wait any longer, nor who waits for reports to leave: a cancellation
                // may take them back together with the answer, and then nothing is written.
                state.wake_watchers(Change::Cancelled(self.key), &mut afterwards);
                state.wake_watchers(Change::Output(self.key.0), &mut afterwards);
            }
            answered
        });
        afterwards.wake();
        answered
    }

    pub(super) fn now(&self) -> Instant {
        self.handle.now()
    }

    pub(crate) fn log(&self, message: &LogMessage) -> Result<bool, SendError> {
        self.say(|endpoint| endpoint.log(Some(&self.id), message))
    }

    /// Announces what belongs to it.
    pub(crate) fn notify<T: Serialize + ?Sized>(
        &self,
        method: &str,
        params: &T,
    ) -> Result<(), SendError> {
        self.say(|endpoint| endpoint.core_mut().notify_for(&self.id, method, params))
    }

    /// Says something for it before its answer.
    fn say<T>(
        &self,
        say: impl FnOnce(&mut Endpoint<role::Server>) -> Result<T, SendError>,
    ) -> Result<T, SendError> {
        self.handle.change(|state, _| {
            let gone = match state.is_closed(self.key.0) {
                true => SendError::Closed,
                false => SendError::UnknownRequest,
            };
            say(state.serving_mut(self.key, &self.id).ok_or(gone)?)
        })
    }

    pub(crate) fn close_stream(&self) -> bool {
        self.handle.change(|state, now| {
            let is_serving = state.serving(self.key, &self.id).is_some();
            is_serving && state.link.close_stream(self.key.0, &self.id, now)
        })
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.look(true, Endpoint::is_cancelled)
    }

    pub(crate) async fn cancelled(&self) {
        let is_cancelled = |state: &mut State<role::Server>| {
            let serving = state.serving(self.key, &self.id);
            serving.is_none_or(|endpoint| endpoint.is_cancelled(&self.id)).then_some(())
        };
        self.handle.watch(Change::Cancelled(self.key), is_cancelled).await;
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        if !self.is_answered {
            // Nobody is left to be told whether it could be said.
            let _ = self.core.answer(|endpoint, id, now| {
                endpoint.abandon(id, now);
                Ok(())
            });
        }
    }
}

impl fmt::Debug for Incoming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Incoming")
            .field("id", self.id())
            .field("method", &self.method)
            .finish_non_exhaustive()
    }
}
