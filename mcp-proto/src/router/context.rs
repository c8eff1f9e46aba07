//! What a handler is given beside its arguments.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::any::Any;
use core::fmt;
use core::future::Future;

use crate::driver::{Incoming, Ongoing, Reporter, unless};
use crate::error::SendError;
use crate::id::RequestId;
use crate::json::RawJson;
use crate::method::Notification;
use crate::revision::Revision;
use crate::role;
use crate::types::{ClientCapabilities, LogLevel, LogMessage};

/// One call of a tool, as its handler sees it: progress, log, cancellation, the router's state.
///
/// Cheap to clone and to send to the tasks that do the work. Once the call is answered a clone that is
/// left over does nothing.
#[derive(Clone)]
pub struct Context {
    reporter: Reporter,
    state: State,
    /// What the request says that its client can do, unless that is nothing.
    capabilities: Option<RawJson>,
}

/// One value of each type, few of them.
pub(super) type State = Arc<Vec<Arc<dyn Any + Send + Sync>>>;

impl Context {
    pub(super) fn new(incoming: &Incoming, state: State, capabilities: Option<RawJson>) -> Self {
        Self { reporter: incoming.reporter(), state, capabilities }
    }

    fn request(&self) -> &Ongoing {
        self.reporter.ongoing()
    }

    /// Reports how far the work has come. Never waits; does nothing if the client did not ask.
    pub fn progress(&self) -> &Reporter {
        &self.reporter
    }

    /// Sends a log message of level *debug*, if the client wants it.
    pub fn debug(&self, text: impl AsRef<str>) {
        self.say(LogLevel::Debug, text.as_ref());
    }

    /// Sends a log message of level *info*, if the client wants it.
    pub fn info(&self, text: impl AsRef<str>) {
        self.say(LogLevel::Info, text.as_ref());
    }

    /// Sends a log message of level *warning*, if the client wants it.
    pub fn warn(&self, text: impl AsRef<str>) {
        self.say(LogLevel::Warning, text.as_ref());
    }

    /// Sends a log message of level *error*, if the client wants it. The call goes on.
    pub fn error(&self, text: impl AsRef<str>) {
        self.say(LogLevel::Error, text.as_ref());
    }

    fn say(&self, level: LogLevel, text: &str) {
        // A tool does not stop because nobody reads its log; who must know uses `log`.
        let _ = self.log(&LogMessage::text(level, text));
    }

    /// Sends any log message. `Ok(false)`: the client does not want it.
    ///
    /// # Errors
    ///
    /// See [`SendError`].
    pub fn log(&self, message: &LogMessage) -> Result<bool, SendError> {
        self.request().log(message)
    }

    /// Announces something that belongs to this call, before its answer.
    ///
    /// # Errors
    ///
    /// See [`SendError`].
    pub fn notify<N: Notification<Sender = role::Server>>(
        &self,
        notification: &N,
    ) -> Result<(), SendError> {
        // The user's code runs before the lock is taken.
        self.request().notify(N::METHOD, &RawJson::of(notification)?)
    }

    /// Closes the connection on which the client waits, while the work goes on: it comes back after a while and gets
    /// what it missed. Whether that can be: over HTTP in 2025-11-25, on a stream that can be resumed.
    pub fn close_stream(&self) -> bool {
        self.request().close_stream()
    }

    /// Whether the client no longer wants the answer. A handler may go on all the same: what it returns is
    /// dropped.
    pub fn is_cancelled(&self) -> bool {
        self.request().is_cancelled()
    }

    /// Waits until the client no longer wants the answer, to be raced against the work.
    pub async fn cancelled(&self) {
        self.request().cancelled().await;
    }

    /// What `work` yields; `None` as soon as the client no longer wants the answer. Then `work` is dropped where it
    /// waits.
    ///
    /// ```
    /// use mcp_proto::router::{Context, ToolError};
    ///
    /// # async fn next_image() -> String { "a.png".into() }
    /// async fn resize(ctx: Context) -> Result<String, ToolError> {
    ///     match ctx.unless_cancelled(next_image()).await {
    ///         Some(image) => Ok(image),
    ///         None => Err("cancelled".into()), // nobody reads it any more
    ///     }
    /// }
    /// ```
    pub async fn unless_cancelled<F: Future>(&self, work: F) -> Option<F::Output> {
        unless(self.cancelled(), work).await
    }

    /// The id of the request.
    pub fn id(&self) -> &RequestId {
        self.request().id()
    }

    /// The revision that the request is spoken in.
    pub fn revision(&self) -> Revision {
        self.request().revision()
    }

    /// What the client says it can do: from 2026-07-28 in this very request, before that in its session (nothing, once the
    /// call is answered). Rely on nothing else of a client (R-CAP-04): answer what lacks by name.
    ///
    /// ```
    /// use mcp_proto::json::RawJson;
    /// use mcp_proto::router::{Context, ToolError};
    /// use mcp_proto::{ErrorObject, types::ClientCapabilities};
    ///
    /// async fn ask(ctx: Context) -> Result<String, ToolError> {
    ///     if ctx.client_capabilities().elicitation.is_none() {
    ///         let mut needed = ClientCapabilities::default();
    ///         needed.elicitation = Some(RawJson::empty_object());
    ///         return Err(ToolError::protocol(ErrorObject::missing_capability(&needed)));
    ///     }
    ///     Ok("asked".into())
    /// }
    /// ```
    pub fn client_capabilities(&self) -> ClientCapabilities {
        let said = self.capabilities.as_ref().and_then(|said| said.decode().ok());
        self.request().client_capabilities(said)
    }

    /// The value of that type that was given to [`Router::state`](super::Router::state).
    pub fn state<T: Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        let value = self.state.iter().find(|value| (***value).is::<T>())?;
        value.clone().downcast().ok()
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("id", self.id())
            .field("revision", &self.revision())
            .finish_non_exhaustive()
    }
}
