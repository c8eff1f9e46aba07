//! Tools whose arguments are types: decoded for the handler, their schema derived once.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::future::Future;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};
use serde::de::DeserializeOwned;

use super::context::Context;
use super::error::ToolError;
use super::handler::{LocalTool, SendTool};
use super::output::ToolOutput;
use crate::json::RawJson;

/// An async function or closure of a [`Context`] and, if it takes any, arguments that are
/// `Deserialize + JsonSchema`: a struct, or a map.
///
/// `M` tells the two shapes apart and is always inferred.
#[diagnostic::on_unimplemented(
    message = "this cannot be a tool",
    note = "a tool is an async function of a `Context` and at most one argument, which is `Deserialize + JsonSchema`",
    note = "it returns a `ToolOutput`: a `CallToolResult`, text, `Structured<T>`, or a `Result` of these",
    note = "in a `Router` it and its future must be `Send`; in a `LocalRouter` they need not",
    note = "a closure must name the types of its parameters"
)]
pub trait Handler<M, K: ?Sized> {
    /// JSON Schema of its arguments.
    #[doc(hidden)]
    fn input_schema(&self) -> RawJson;

    /// JSON Schema of its structured result.
    #[doc(hidden)]
    fn output_schema(&self) -> Option<RawJson>;

    /// The function, ready to be called.
    #[doc(hidden)]
    fn into_tool(self) -> Arc<K>;
}

impl<F, Fut, A> Handler<(A,), SendTool> for F
where
    F: Fn(Context, A) -> Fut + Send + Sync + 'static,
    Fut: Future<Output: ToolOutput> + Send + 'static,
    A: DeserializeOwned + JsonSchema,
{
    fn input_schema(&self) -> RawJson {
        input_schema::<A>()
    }

    fn output_schema(&self) -> Option<RawJson> {
        Fut::Output::schema()
    }

    fn into_tool(self) -> Arc<SendTool> {
        Arc::new(move |context, arguments| {
            let running = decode(arguments).map(|arguments| self(context, arguments));
            Box::pin(async move { running?.await.into_result() })
        })
    }
}

impl<F, Fut> Handler<(), SendTool> for F
where
    F: Fn(Context) -> Fut + Send + Sync + 'static,
    Fut: Future<Output: ToolOutput> + Send + 'static,
{
    fn input_schema(&self) -> RawJson {
        no_arguments()
    }

    fn output_schema(&self) -> Option<RawJson> {
        Fut::Output::schema()
    }

    fn into_tool(self) -> Arc<SendTool> {
        Arc::new(move |context, _| {
            let running = self(context);
            Box::pin(async move { running.await.into_result() })
        })
    }
}

#[allow(clippy::arc_with_non_send_sync)] // one table holds either kind
impl<F, Fut, A> Handler<(A,), LocalTool> for F
where
    F: Fn(Context, A) -> Fut + 'static,
    Fut: Future<Output: ToolOutput> + 'static,
    A: DeserializeOwned + JsonSchema,
{
    fn input_schema(&self) -> RawJson {
        input_schema::<A>()
    }

    fn output_schema(&self) -> Option<RawJson> {
        Fut::Output::schema()
    }

    fn into_tool(self) -> Arc<LocalTool> {
        Arc::new(move |context, arguments| {
            let running = decode(arguments).map(|arguments| self(context, arguments));
            Box::pin(async move { running?.await.into_result() })
        })
    }
}

#[allow(clippy::arc_with_non_send_sync)] // one table holds either kind
impl<F, Fut> Handler<(), LocalTool> for F
where
    F: Fn(Context) -> Fut + 'static,
    Fut: Future<Output: ToolOutput> + 'static,
{
    fn input_schema(&self) -> RawJson {
        no_arguments()
    }

    fn output_schema(&self) -> Option<RawJson> {
        Fut::Output::schema()
    }

    fn into_tool(self) -> Arc<LocalTool> {
        Arc::new(move |context, _| {
            let running = self(context);
            Box::pin(async move { running.await.into_result() })
        })
    }
}

/// Absent arguments count as an empty object.
fn decode<A: DeserializeOwned>(arguments: Option<RawJson>) -> Result<A, ToolError> {
    arguments.unwrap_or(RawJson::empty_object()).decode().map_err(ToolError::arguments)
}

/// The schema of arguments. Its root is an object (R-TOOL-02), which an enum of structs, or arguments that
/// may be absent, would not say by itself.
fn input_schema<A: JsonSchema>() -> RawJson {
    let settings = SchemaSettings::draft2020_12().for_deserialize();
    as_object(&settings.into_generator().into_root_schema_for::<A>())
}

/// What does not depend on the type, so that it is not compiled for each.
fn as_object(schema: &Schema) -> RawJson {
    let Some(schema) = text_of(schema) else { return no_arguments() };
    let root = schema.get("type").and_then(|root| root.as_str());
    if root.as_deref() == Some("object") { schema } else { schema.with_member("type", "object") }
}

/// A schema has string keys and finite numbers only, so writing it cannot fail.
fn text_of(schema: &Schema) -> Option<RawJson> {
    RawJson::of(schema).ok()
}

/// The schema of a structured result, as it is written.
pub(super) fn output_schema<T: JsonSchema>() -> Option<RawJson> {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    text_of(&settings.into_generator().into_root_schema_for::<T>())
}

/// Any object: a tool without arguments does not mind some.
fn no_arguments() -> RawJson {
    RawJson::empty_object().with_member("type", "object")
}
