//! What a handler may return.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::mem;

use super::error::ToolError;
use crate::json::{Kind, Raw, RawJson};
use crate::revision::{Revision, Rules};
use crate::types::{CallToolResult, ContentBlock, MediaContent, TextContent};

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

/// The result as `revision` can express it (R-VER-17). What it has no place for becomes text, so that nothing is
/// left out without a word.
pub(super) fn for_revision(mut result: CallToolResult, revision: Revision) -> CallToolResult {
    if let Some(content) = &result.structured_content
        && !is_expressible(content.as_raw().kind() == Kind::Object, revision)
    {
        if result.content.is_empty() {
            result.content.push(ContentBlock::text(content.as_str()));
        }
        result.structured_content = None;
    }
    let rules = revision.rules();
    if !(rules.audio && rules.block_links) {
        for block in &mut result.content {
            restrict(block, rules);
        }
    }
    result
}

/// Leaves of a block what `rules` have. Types that no revision defines are the application's own.
fn restrict(block: &mut ContentBlock, rules: &Rules) {
    if let ContentBlock::Other(raw) = block
        && raw.get("type").and_then(Raw::as_str).is_some_and(|name| name != "resource")
        && let Ok(known) = raw.decode()
    {
        // It may be one of ours, written by hand.
        *block = known;
    }
    match block {
        ContentBlock::Audio(audio) if !rules.audio => {
            let text =
                format!("[audio, {}, {} bytes of Base64]", audio.mime_type, audio.data.len());
            *block = said(text, audio.annotations.take());
        }
        ContentBlock::ResourceLink(link) if !rules.block_links => {
            let mut text = format!("{}: {}", link.title.as_ref().unwrap_or(&link.name), link.uri);
            if let Some(description) = &link.description {
                text.push('\n');
                text.push_str(description);
            }
            *block = said(text, link.annotations.take());
        }
        ContentBlock::Text(TextContent { annotations, meta, .. })
        | ContentBlock::Image(MediaContent { annotations, meta, .. })
        | ContentBlock::Audio(MediaContent { annotations, meta, .. })
            if !rules.block_links =>
        {
            *annotations = annotations.take().map(undated);
            *meta = None;
        }
        ContentBlock::Other(raw) if !rules.block_links => {
            let mut bare = mem::replace(raw, RawJson::null()).without_member("_meta");
            if let Some(resource) = bare.get("resource").map(Raw::to_raw_json)
                && resource.get("_meta").is_some()
            {
                bare = bare.with_member("resource", &resource.without_member("_meta"));
            }
            if let Some(annotations) = bare.get("annotations").map(Raw::to_raw_json)
                && annotations.get(LAST_MODIFIED).is_some()
            {
                bare = bare.with_member("annotations", &undated(annotations));
            }
            *raw = bare;
        }
        _ => {}
    }
}

/// Of annotations the one member that came with links.
const LAST_MODIFIED: &str = "lastModified";

fn undated(annotations: RawJson) -> RawJson {
    annotations.without_member(LAST_MODIFIED)
}

fn said(text: String, annotations: Option<RawJson>) -> ContentBlock {
    let annotations = annotations.map(undated);
    ContentBlock::Text(TextContent { text, annotations, ..TextContent::default() })
}

/// Whether `revision` has structured content, of an object or of anything else.
pub(super) fn is_expressible(is_object: bool, revision: Revision) -> bool {
    let rules = revision.rules();
    rules.structured_content && (is_object || rules.structured_any)
}
