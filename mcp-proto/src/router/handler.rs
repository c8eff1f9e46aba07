//! How a function becomes a tool, on any thread or on its own.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::future::Future;
use core::pin::Pin;

use super::context::Context;
use super::error::ToolError;
use super::output::ToolOutput;
use crate::json::RawJson;
use crate::types::CallToolResult;

/// A tool's function that may run on any thread.
pub type SendTool = dyn Fn(Context, Option<RawJson>) -> SendRunning + Send + Sync;

/// A tool's function that stays on the thread where it was made.
pub type LocalTool = dyn Fn(Context, Option<RawJson>) -> LocalRunning;

/// A handler at work.
type SendRunning = Pin<Box<dyn Future<Output = Result<CallToolResult, ToolError>> + Send>>;

/// A handler at work on its own thread.
type LocalRunning = Pin<Box<dyn Future<Output = Result<CallToolResult, ToolError>>>>;

/// Where a router's handlers may run: [`SendTool`] or [`LocalTool`]. Sealed.
pub trait Kind: sealed::Sealed + 'static {
    /// A handler at work.
    #[doc(hidden)]
    type Running: Future<Output = Result<CallToolResult, ToolError>>;

    /// Begins the work.
    #[doc(hidden)]
    fn start(&self, context: Context, arguments: Option<RawJson>) -> Self::Running;
}

/// An async function or closure of a [`Context`] and the arguments as JSON, if there are any.
#[diagnostic::on_unimplemented(
    message = "this cannot be a raw tool",
    note = "a raw tool is an async function of `Context` and `Option<RawJson>` that returns a `ToolOutput`",
    note = "in a `Router` it and its future must be `Send`; in a `LocalRouter` they need not"
)]
pub trait RawHandler<K: ?Sized> {
    /// The function, ready to be called.
    #[doc(hidden)]
    fn into_raw_tool(self) -> Arc<K>;
}

impl Kind for SendTool {
    type Running = SendRunning;

    fn start(&self, context: Context, arguments: Option<RawJson>) -> SendRunning {
        self(context, arguments)
    }
}

impl Kind for LocalTool {
    type Running = LocalRunning;

    fn start(&self, context: Context, arguments: Option<RawJson>) -> LocalRunning {
        self(context, arguments)
    }
}

impl<F, Fut> RawHandler<SendTool> for F
where
    F: Fn(Context, Option<RawJson>) -> Fut + Send + Sync + 'static,
    Fut: Future<Output: ToolOutput> + Send + 'static,
{
    fn into_raw_tool(self) -> Arc<SendTool> {
        Arc::new(move |context, arguments| {
            let running = self(context, arguments);
            Box::pin(async move { running.await.into_result() })
        })
    }
}

#[allow(clippy::arc_with_non_send_sync)] // one table holds either kind
impl<F, Fut> RawHandler<LocalTool> for F
where
    F: Fn(Context, Option<RawJson>) -> Fut + 'static,
    Fut: Future<Output: ToolOutput> + 'static,
{
    fn into_raw_tool(self) -> Arc<LocalTool> {
        Arc::new(move |context, arguments| {
            let running = self(context, arguments);
            Box::pin(async move { running.await.into_result() })
        })
    }
}

#[allow(unnameable_types)] // what seals a trait must not be named
mod sealed {
    pub trait Sealed {}
    impl Sealed for super::SendTool {}
    impl Sealed for super::LocalTool {}
}
