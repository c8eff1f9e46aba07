//! The router: tools by name, and the answers to requests about them.

use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use core::fmt;
use core::future::{Future, poll_fn};
use core::panic::AssertUnwindSafe;
use core::pin::{Pin, pin};
use core::task::{self, Poll};
use std::panic::catch_unwind;

use super::context::{Context, State};
use super::handler::{Kind, LocalTool, RawHandler, SendTool};
#[cfg(feature = "schemars")]
use super::info::ToolInfo;
use super::output::for_revision;
use super::table::Table;
#[cfg(feature = "schemars")]
use super::typed::Handler;
use crate::config::ServerConfig;
use crate::driver::Incoming;
use crate::error::ErrorObject;
use crate::json::{Kind as JsonKind, Raw, bounded};
use crate::method::Request;
use crate::progress::Pacing;
use crate::revision::RevisionSet;
use crate::types::{CallTool, CallToolResult, ListTools, ServerCapabilities, Tool, meta};

/// A server as a list of tools. Cheap to clone.
///
/// Handlers of a `Router` are `Send`, so that a runtime may spawn each; those of a [`LocalRouter`] need not
/// be. Tools are listed in the order in which they were registered; a tool with the name of an earlier
/// one takes its place.
pub struct Router<K: ?Sized = SendTool> {
    inner: Arc<Inner<K>>,
}

/// A [`Router`] whose handlers stay on one thread. Begins with [`Router::local`].
pub type LocalRouter = Router<LocalTool>;

struct Inner<K: ?Sized> {
    config: ServerConfig,
    tools: Table<K>,
    state: State,
}

impl Router {
    /// A server of this name and version, without tools yet, that offers tools and log messages.
    pub fn new(name: impl Into<String>, version: impl Into<String>) -> Self {
        Self::with(name.into(), version.into())
    }

    /// The same for handlers that are not `Send`: they are polled on one thread, and may share its `Rc`s.
    pub fn local(name: impl Into<String>, version: impl Into<String>) -> LocalRouter {
        Router::with(name.into(), version.into())
    }
}

impl<K: Kind + ?Sized> Router<K> {
    fn with(name: String, version: String) -> Self {
        let capabilities = ServerCapabilities::default().tools().logging();
        let config = ServerConfig::new(name, version).capabilities(capabilities);
        Self { inner: Arc::new(Inner { config, tools: Table::new(), state: State::default() }) }
    }

    /// Sets how to use this server, for a model.
    #[must_use]
    pub fn instructions(self, instructions: impl Into<String>) -> Self {
        self.configure(|config| config.instructions = Some(instructions.into()))
    }

    /// Sets how often progress leaves.
    #[must_use]
    pub fn pacing(self, pacing: Pacing) -> Self {
        self.configure(|config| config.pacing = pacing)
    }

    /// Sets the revisions that are served.
    #[must_use]
    pub fn revisions(self, revisions: impl Into<RevisionSet>) -> Self {
        self.configure(|config| config.revisions = revisions.into())
    }

    /// Changes anything else of the configuration, such as limits and capabilities.
    #[must_use]
    pub fn configure(self, change: impl FnOnce(&mut ServerConfig)) -> Self {
        self.change(|inner| change(&mut inner.config))
    }

    /// Sets how many tools are on one page of their list. Default 100.
    #[must_use]
    pub fn page_size(self, tools: usize) -> Self {
        self.change(|inner| inner.tools.set_page_size(tools))
    }

    /// Gives every handler a value, which it finds by its type: [`Context::state`]. A later value of the
    /// same type replaces the earlier one.
    #[must_use]
    pub fn state<T: Send + Sync + 'static>(self, value: T) -> Self {
        self.change(|inner| {
            let state = Arc::make_mut(&mut inner.state);
            state.retain(|earlier| !(**earlier).is::<T>());
            state.push(Arc::new(value));
        })
    }

    /// Adds a tool: an async function or closure of a [`Context`] and, if it takes any, typed arguments.
    ///
    /// The schema of the arguments is derived once, here. Arguments that do not decode never reach the
    /// handler: the client is told what is wrong with which of them. What a closure captures it clones into
    /// each of its futures, for calls run beside each other; or it is passed by [`state`](Self::state).
    ///
    /// ```
    /// use mcp_proto::router::{Context, Router, ToolError};
    /// use mcp_proto::types::Progress;
    ///
    /// #[derive(serde::Deserialize, schemars::JsonSchema)]
    /// struct Resize {
    ///     /// Which images.
    ///     images: Vec<String>,
    /// }
    ///
    /// async fn resize(ctx: Context, args: Resize) -> Result<String, ToolError> {
    ///     for (done, image) in args.images.iter().enumerate() {
    ///         let progress = Progress::new(done as f64).of(args.images.len() as f64);
    ///         ctx.progress().report(progress.message(image.clone()))?;
    ///     }
    ///     Ok(format!("resized {} images", args.images.len()))
    /// }
    ///
    /// let router = Router::new("images", "1.0").tool("resize", "Resizes images", resize);
    /// # assert_eq!(router.tool_names().collect::<Vec<_>>(), ["resize"]);
    /// ```
    #[cfg(feature = "schemars")]
    #[must_use]
    pub fn tool<M>(
        self,
        name: impl Into<String>,
        description: impl Into<String>,
        handler: impl Handler<M, K>,
    ) -> Self {
        self.tool_as(ToolInfo::new(name).description(description), handler)
    }

    /// Adds a tool with a title or hints.
    #[cfg(feature = "schemars")]
    #[must_use]
    pub fn tool_as<M>(self, info: ToolInfo, handler: impl Handler<M, K>) -> Self {
        let tool = info.into_tool(handler.input_schema(), handler.output_schema());
        self.change(|inner| inner.tools.insert(tool, handler.into_tool()))
    }

    /// Adds a tool that reads its arguments itself. They are an object, if there are any; nobody has
    /// compared them with the tool's schema.
    #[must_use]
    pub fn raw_tool(self, tool: Tool, handler: impl RawHandler<K>) -> Self {
        self.change(|inner| inner.tools.insert(tool, handler.into_raw_tool()))
    }

    fn change(mut self, change: impl FnOnce(&mut Inner<K>)) -> Self {
        change(Arc::make_mut(&mut self.inner));
        self
    }

    /// What a server of this router is and offers.
    pub fn config(&self) -> ServerConfig {
        self.inner.config.clone()
    }

    /// Adds what the schemas of the tools say of headers (`x-mcp-header`, 2026-07-28) to the options of a server on
    /// HTTP.
    ///
    /// # Errors
    ///
    /// [`BadAnnotation`](crate::http::BadAnnotation): a schema says it wrongly, so that clients must leave its tool
    /// out.
    #[cfg(feature = "http")]
    pub fn mirror(
        &self,
        options: crate::http::ServerOptions,
    ) -> Result<crate::http::ServerOptions, crate::http::BadAnnotation> {
        self.inner
            .tools
            .iter()
            .try_fold(options, |options, tool| options.mirror(&tool.name, &tool.input_schema))
    }

    /// The names of the tools, in the order of their list.
    pub fn tool_names(&self) -> impl Iterator<Item = &str> {
        self.inner.tools.names()
    }

    /// Answers one request, once: to be spawned, or polled in place. The future is `Send` if this is no
    /// [`LocalRouter`].
    ///
    /// A handler that panics is answered with an internal error. A handler whose call is cancelled runs on
    /// until it returns, which it may do early ([`Context::cancelled`]); its answer is dropped. If the
    /// future is dropped, the client gets an internal error.
    pub fn handle(&self, incoming: Incoming) -> impl Future<Output = ()> + use<K> {
        let inner = self.inner.clone();
        async move {
            // Every refusal to answer means that nobody waits for it any more.
            let _ = match incoming.method() {
                CallTool::METHOD => match inner.call(&incoming) {
                    Ok(running) => {
                        let mut running = pin!(running);
                        match poll_fn(|cx| caught(running.as_mut(), cx)).await {
                            Ok(Ok(result)) => incoming.respond(&result),
                            Ok(Err(error)) => incoming.fail(&error),
                            Err(Panicked) => {
                                incoming.fail(&ErrorObject::internal("the tool panicked"))
                            }
                        }
                    }
                    Err(error) => incoming.fail(&error),
                },
                ListTools::METHOD => match inner.list(&incoming) {
                    Ok(page) => incoming.respond(&page),
                    Err(error) => incoming.fail(&error),
                },
                _ => incoming.reject_unknown(),
            };
        }
    }
}

impl<K: Kind + ?Sized> Inner<K> {
    fn list(&self, incoming: &Incoming) -> Result<crate::types::ListToolsResult, ErrorObject> {
        let list: ListTools = incoming.params().map_err(invalid)?;
        self.tools.page(list.cursor.as_deref(), incoming.revision())
    }

    /// The handler of a call, not yet begun, and its result as the revision can express it.
    fn call(
        &self,
        incoming: &Incoming,
    ) -> Result<impl Future<Output = Result<CallToolResult, ErrorObject>> + use<K>, ErrorObject>
    {
        let params = incoming.raw_params();
        let (call, capabilities) = match params.and_then(|params| plain_call(params.as_raw())) {
            Some((call, meta)) => (call, meta.and_then(|meta| meta.get(meta::CLIENT_CAPABILITIES))),
            // Decoding says what is wrong with it.
            None => {
                let path = ["_meta", meta::CLIENT_CAPABILITIES];
                (incoming.params().map_err(invalid)?, params.and_then(|it| it.get_in(&path)))
            }
        };
        // Most clients declare nothing.
        let capabilities = capabilities.filter(|it| it.members().next().is_some());
        let function = self.tools.function(&call.name).ok_or_else(|| {
            ErrorObject::invalid_params(format!(
                "unknown tool: {}",
                bounded(&call.name, MAX_NAME_LEN)
            ))
        })?;
        if call.arguments.as_ref().is_some_and(|json| json.as_raw().kind() != JsonKind::Object) {
            return Err(ErrorObject::invalid_params("arguments: not an object"));
        }
        let (function, revision) = (function.clone(), incoming.revision());
        let capabilities = capabilities.map(Raw::to_raw_json);
        let context = Context::new(incoming, self.state.clone(), capabilities);
        Ok(async move {
            let result = function.start(context, call.arguments).await;
            let result = result.or_else(|error| error.into_answer(revision))?;
            Ok(for_revision(result, revision))
        })
    }
}

/// A call with a name, and its `_meta`, which is not read. Anything odd is left to the decoder, which says what it is.
fn plain_call(params: Raw<'_>) -> Option<(CallTool, Option<Raw<'_>>)> {
    let (mut name, mut arguments, mut meta) = (None, None, None);
    for (key, value) in params.members() {
        match &*key {
            "name" if name.is_none() => name = Some(value.as_str()?.into_owned()),
            "arguments" if arguments.is_none() => arguments = Some(value),
            // Whoever stands between may have gone by the other one.
            "name" | "arguments" => return None,
            "_meta" if meta.is_none() => meta = Some(value),
            _ => {}
        }
    }
    let arguments = arguments.filter(|arguments| !arguments.is_null()).map(Raw::to_raw_json);
    Some((CallTool { name: name?.into(), arguments }, meta))
}

fn invalid(error: crate::json::DecodeError) -> ErrorObject {
    ErrorObject::invalid_params(format!("{error}"))
}

/// Bytes of a tool's name that are echoed: as long as one may be.
const MAX_NAME_LEN: usize = 128;

/// The user's code panicked; the panic hook has said where.
struct Panicked;

fn caught<F: Future>(
    future: Pin<&mut F>,
    cx: &mut task::Context<'_>,
) -> Poll<Result<F::Output, Panicked>> {
    match catch_unwind(AssertUnwindSafe(|| future.poll(cx))) {
        Ok(Poll::Ready(output)) => Poll::Ready(Ok(output)),
        Ok(Poll::Pending) => Poll::Pending,
        Err(_) => Poll::Ready(Err(Panicked)),
    }
}

impl<K: ?Sized> Clone for Router<K> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone() }
    }
}

impl<K: ?Sized> Clone for Inner<K> {
    fn clone(&self) -> Self {
        Self { config: self.config.clone(), tools: self.tools.clone(), state: self.state.clone() }
    }
}

impl<K: ?Sized> fmt::Debug for Router<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tools: alloc::vec::Vec<_> = self.inner.tools.names().collect();
        f.debug_struct("Router")
            .field("server", &self.inner.config.info)
            .field("tools", &tools)
            .finish_non_exhaustive()
    }
}
