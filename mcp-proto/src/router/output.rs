//! What a handler may return.

use alloc::string::String;
use alloc::vec::Vec;

use super::error::ToolError;
use crate::json::{Kind, RawJson};
use crate::revision::Revision;
use crate::types::{CallToolResult, ContentBlock};

/// What a handler may return: a result as it is, text, blocks, nothing, `Structured` (feature `schemars`) data, or a `Result`
/// of any of these.
///
/// Implement it for a type of your own to return that.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be what a tool returns",
    note = "a tool returns a `CallToolResult`, text, `ContentBlock`s, `()`, `Structured<T>`, or a `Result` of these whose error can be displayed"
)]
pub trait ToolOutput {
    /// JSON Schema of the structured content, if there is any. Asked for once, when the tool is registered.
    fn schema() -> Option<RawJson> {
        None
    }

    /// The result.
    ///
    /// # Errors
    ///
    /// [`ToolError`]: the tool has failed, or its value has no JSON.
    fn into_result(self) -> Result<CallToolResult, ToolError>;
}

/// Data for programs: it becomes `structuredContent` (from 2025-06-18) and, for models and older clients,
/// the same JSON as text. The tool announces its schema.
///
/// Before 2026-07-28 only an object can be structured content; anything else is then given as text alone.
#[cfg(feature = "schemars")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs)] // a wrapper, to be taken apart
pub struct Structured<T>(pub T);

impl ToolOutput for CallToolResult {
    fn into_result(self) -> Result<CallToolResult, ToolError> {
        Ok(self)
    }
}

impl ToolOutput for String {
    fn into_result(self) -> Result<CallToolResult, ToolError> {
        Ok(CallToolResult::text(self))
    }
}

impl ToolOutput for &'static str {
    fn into_result(self) -> Result<CallToolResult, ToolError> {
        Ok(CallToolResult::text(self))
    }
}

/// A result without content.
impl ToolOutput for () {
    fn into_result(self) -> Result<CallToolResult, ToolError> {
        Ok(CallToolResult::default())
    }
}

impl ToolOutput for ContentBlock {
    fn into_result(self) -> Result<CallToolResult, ToolError> {
        alloc::vec![self].into_result()
    }
}

impl ToolOutput for Vec<ContentBlock> {
    fn into_result(self) -> Result<CallToolResult, ToolError> {
        Ok(CallToolResult { content: self, ..CallToolResult::default() })
    }
}

impl<T: ToolOutput, E: Into<ToolError>> ToolOutput for Result<T, E> {
    fn schema() -> Option<RawJson> {
        T::schema()
    }

    fn into_result(self) -> Result<CallToolResult, ToolError> {
        self.map_err(Into::into)?.into_result()
    }
}

#[cfg(feature = "schemars")]
impl<T: serde::Serialize + schemars::JsonSchema> ToolOutput for Structured<T> {
    fn schema() -> Option<RawJson> {
        super::typed::output_schema::<T>()
    }

    fn into_result(self) -> Result<CallToolResult, ToolError> {
        CallToolResult::structured(&self.0).map_err(|error| {
            ToolError::protocol(crate::error::ErrorObject::internal(alloc::format!(
                "the result cannot be expressed as JSON: {error}"
            )))
        })
    }
}

/// The result as `revision` can express it.
pub(super) fn for_revision(mut result: CallToolResult, revision: Revision) -> CallToolResult {
    result.structured_content = result
        .structured_content
        .filter(|content| is_expressible(content.as_raw().kind() == Kind::Object, revision));
    result
}

/// Whether `revision` has structured content, of an object or of anything else.
pub(super) fn is_expressible(is_object: bool, revision: Revision) -> bool {
    let rules = revision.rules();
    rules.structured_content && (is_object || rules.structured_any)
}
