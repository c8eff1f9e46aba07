//! A client's handle.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::marker::PhantomData;

use serde::Serialize;

use super::afterwards::Listeners;
use super::call::Call;
use super::link::Scope;
use super::shared::{Handle, State};
use super::watchers::Change;
use crate::endpoint::Endpoint;
use crate::error::{CallError, CloseReason, SendError, Violation};
use crate::event::PeerInfo;
use crate::id::RequestId;
use crate::json::{RawJson, write_value};
use crate::method::{Notification, Request};
use crate::role;
use crate::types::{ListTools, LogMessage, Progress, Tool};

/// A client, on any runtime. Cheap to clone; the last clone and the last call close the connection.
#[derive(Clone)]
pub struct Client {
    handle: Handle<role::Client>,
}

/// Pages of a list that are asked for. Stops a server whose list never ends.
const MAX_PAGES: usize = 64;

/// Tools of all pages. Stops a server that fills memory with many small tools: one of a few bytes of JSON
/// takes hundreds once it is read.
const MAX_TOOLS: usize = 10_000;

/// Bytes of JSON of all pages. Stops a server that fills memory with pages that are each as long as a message
/// may be.
const MAX_LIST_LEN: usize = 16 << 20;

impl Client {
    pub(super) fn new(handle: Handle<role::Client>) -> Self {
        Self { handle }
    }

    /// Waits until the server is known. It stays known, even if the connection has ended since.
    ///
    /// # Errors
    ///
    /// Why the connection ended before that.
    pub async fn ready(&self) -> Result<PeerInfo, CloseReason> {
        let look = |state: &mut State<role::Client>| match state.peer() {
            Some(peer) => Some(Ok(peer)),
            None => state.closed.clone().map(Err),
        };
        self.handle.watch(Change::Phase, look).await
    }

    /// Calls the server. The parameters are written at once; nothing is sent before the call is awaited.
    pub fn call<Q>(&self, params: Q) -> Call<Q::Output>
    where
        Q: Request<Sender = role::Client>,
    {
        self.call_as(params, |result| result.decode().map_err(CallError::Decode))
    }

    fn call_as<Q, T>(&self, params: Q, decode: fn(RawJson) -> Result<T, CallError>) -> Call<T>
    where
        Q: Request<Sender = role::Client>,
    {
        let write = |text: &mut Vec<u8>| write_value(text, &params);
        Call::new(self.handle.clone(), Q::METHOD.into(), write, decode)
    }

    /// As [`call`](Self::call), of any method with any parameters.
    pub fn call_raw(&self, method: impl Into<String>, params: Option<RawJson>) -> Call<RawJson> {
        let write = |text: &mut Vec<u8>| {
            text.extend_from_slice(params.as_ref().map_or(&[], RawJson::as_bytes));
            Ok(())
        };
        Call::new(self.handle.clone(), method.into().into(), write, Ok)
    }

    /// Every tool of the server. All pages are read: at most 64, with 10,000 tools and 16 MiB of JSON in all.
    ///
    /// # Errors
    ///
    /// The error of a page, or [`CallError::Protocol`] if the list does not end or is longer than that.
    pub async fn list_tools(&self) -> Result<Vec<Tool>, CallError> {
        let mut tools = Vec::new();
        let mut len = 0_usize;
        let mut page = ListTools::new();
        for _ in 0..MAX_PAGES {
            let read = |raw: RawJson| match raw.decode::<<ListTools as Request>::Output>() {
                Ok(result) => Ok((raw.as_bytes().len(), result)),
                Err(error) => Err(CallError::Decode(error)),
            };
            let (page_len, mut result) = self.call_as(page.clone(), read).await?;
            len = len.saturating_add(page_len);
            if len > MAX_LIST_LEN || result.tools.len() > MAX_TOOLS - tools.len() {
                return Err(unusable("a list that is too long"));
            }
            tools.append(&mut result.tools);
            let Some(cursor) = result.next_cursor else { return Ok(tools) };
            if page.cursor.as_ref() == Some(&cursor) {
                break;
            }
            page = ListTools::new().cursor(cursor);
        }
        Err(unusable("a list that does not end"))
    }

    /// Announces something to the server. What is called after it reaches the server after it.
    ///
    /// Over HTTP, where each message is a request of its own, a later call waits for that until the server has answered
    /// the notification, or has had `ClientOptions::answer_timeout` to do so. Its deadlines
    /// go on. What gives up a call waits for nothing, and nothing waits for it.
    ///
    /// # Errors
    ///
    /// See [`SendError`].
    pub fn notify<N: Notification<Sender = role::Client>>(
        &self,
        notification: &N,
    ) -> Result<(), SendError> {
        let written = Written(RawJson::of(notification)?, PhantomData::<N>);
        self.handle.change(|state, _| {
            let endpoint = state.link.endpoint_mut(Scope::ONLY).ok_or(SendError::Closed)?;
            endpoint.notify(&written)
        })
    }

    /// Listens to the progress of every call that has no listener of its own and is sent from now on. It
    /// runs where the call is awaited.
    pub fn on_progress(&self, listener: impl Fn(&RequestId, &Progress) + Send + Sync + 'static) {
        self.listen(|listeners| listeners.progress = Some(Arc::new(listener)));
    }

    /// Listens to the server's log messages, in the driver's task: it must not block.
    pub fn on_log(&self, listener: impl Fn(LogMessage) + Send + Sync + 'static) {
        self.listen(|listeners| listeners.log = Some(Arc::new(listener)));
    }

    /// Listens to what the server does against the protocol, in the driver's task: it must not block.
    pub fn on_violation(&self, listener: impl Fn(Violation) + Send + Sync + 'static) {
        self.listen(|listeners| listeners.violation = Some(Arc::new(listener)));
    }

    /// Listens to every other notification, in the driver's task: it must not block.
    pub fn on_notification(
        &self,
        listener: impl Fn(&str, Option<&RawJson>) + Send + Sync + 'static,
    ) {
        self.listen(|listeners| listeners.notification = Some(Arc::new(listener)));
    }

    /// Listens to streams that were cut and are to be taken up again, in the driver's task: it must not block. It hears
    /// which call the stream answers; none if it is the one for what belongs to no call.
    #[cfg(feature = "http")]
    pub fn on_interruption(&self, listener: impl Fn(Option<&RequestId>) + Send + Sync + 'static) {
        self.listen(|listeners| listeners.interruption = Some(Arc::new(listener)));
    }

    /// Listens to streams that were [interrupted](Self::on_interruption) and go on, once each time, in the driver's
    /// task: it must not block. A call that ends instead has its error.
    #[cfg(feature = "http")]
    pub fn on_resumption(&self, listener: impl Fn(Option<&RequestId>) + Send + Sync + 'static) {
        self.listen(|listeners| listeners.resumption = Some(Arc::new(listener)));
    }

    fn listen(&self, add: impl FnOnce(&mut Listeners)) {
        let mut state = self.handle.lock();
        let mut listeners = state.listeners.as_deref().cloned().unwrap_or_default();
        add(&mut listeners);
        let former = state.listeners.replace(Arc::new(listeners));
        drop(state);
        drop(former);
    }

    /// What the transport said when it failed, such as that the connection was reset: the first 512 bytes of it. It stays
    /// known when the connection has ended; none if nothing failed.
    ///
    /// Over HTTP each request can fail by itself, and its response too: it is what failed last, however long ago.
    pub fn last_trouble(&self) -> Option<String> {
        self.handle.lock().last_trouble()
    }

    /// Reports of all calls that have come so far. A listener of the connection sees exactly those that came
    /// before what it hears, so log messages and reports can be put in one order.
    pub fn reports_received(&self) -> u64 {
        self.handle.lock().reports
    }

    /// The server, once it is known.
    pub fn peer(&self) -> Option<PeerInfo> {
        self.handle.lock().peer()
    }

    /// Calls in flight.
    pub fn calls_in_flight(&self) -> usize {
        self.handle.lock().link.endpoint(Scope::ONLY).map_or(0, Endpoint::calls_in_flight)
    }

    /// Closes the connection: every call ends. What was queued is still written, for at most 5 s.
    pub fn close(&self) {
        self.handle.change(|state, now| state.link.close(now));
    }

    /// Waits until the connection has ended and everything is written, or given up.
    pub async fn closed(&self) -> CloseReason {
        self.handle.over().await
    }
}

fn unusable(list: &'static str) -> CallError {
    CallError::Protocol(Violation::InvalidResponse(list.into()))
}

/// A notification whose parameters are written already: the user's `Serialize` runs without the lock.
#[derive(Serialize)]
#[serde(transparent)]
struct Written<N>(RawJson, #[serde(skip)] PhantomData<N>);

impl<N: Notification> Notification for Written<N> {
    const METHOD: &'static str = N::METHOD;
    type Sender = N::Sender;
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("peer", &self.peer()).finish_non_exhaustive()
    }
}
