//! Tools: `server/tools`.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::ContentBlock;
use crate::json::{EncodeError, RawJson, Text};
use crate::method::Request;
use crate::revision::{Era, Revision};
use crate::role;

/// `tools/list`: one page of the server's tools.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ListTools {
    /// Where the page begins: the `next_cursor` of the page before, unchanged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// One page of tools.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ListToolsResult {
    /// The tools.
    pub tools: Vec<Tool>,
    /// Where the next page begins; absent on the last. The empty string is a cursor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
    /// How long the page may be kept, in milliseconds; from 2026-07-28.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_ms: Option<u64>,
    /// Who may keep it; from 2026-07-28.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_scope: Option<String>,
}

/// What a tool is and takes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Tool {
    /// Its name, for programs.
    pub name: String,
    /// Its name, for people; from 2025-06-18.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What it does, for a model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// JSON Schema of its arguments; the root is an object.
    pub input_schema: RawJson,
    /// JSON Schema of its structured result; from 2025-06-18.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_schema: Option<RawJson>,
    /// Hints, not promises; from 2025-03-26.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotations: Option<ToolAnnotations>,
    /// Its icons, an array; from 2025-11-25.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub icons: Option<RawJson>,
    /// How it may run, such as whether as a task (`taskSupport`); 2025-11-25 alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execution: Option<RawJson>,
    /// Metadata; from 2025-06-18.
    #[serde(default, rename = "_meta", skip_serializing_if = "Option::is_none")]
    pub meta: Option<RawJson>,
}

/// Hints about a tool. Do not trust those of a server that you do not trust.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ToolAnnotations {
    /// Its name, for people; `Tool::title` comes first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// It changes nothing. Default: it may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_only_hint: Option<bool>,
    /// It may destroy. Default: it may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destructive_hint: Option<bool>,
    /// Calling it twice is like calling it once. Default: no.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotent_hint: Option<bool>,
    /// It reaches the outside world. Default: yes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open_world_hint: Option<bool>,
}

/// `tools/call`: runs a tool.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CallTool {
    /// Which tool. A literal costs no copy.
    pub name: Text,
    /// Its arguments, an object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arguments: Option<RawJson>,
}

/// What a tool returned.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct CallToolResult {
    /// What it returned, for a model. May be empty.
    #[serde(default)]
    pub content: Vec<ContentBlock>,
    /// What it returned, for a program; from 2025-06-18.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub structured_content: Option<RawJson>,
    /// Whether the tool failed: the content says how.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_error: Option<bool>,
}

impl ListTools {
    /// The first page.
    pub fn new() -> Self {
        Self::default()
    }

    /// The page that begins at `cursor`.
    #[must_use]
    pub fn cursor(mut self, cursor: impl Into<String>) -> Self {
        self.cursor = Some(cursor.into());
        self
    }
}

impl ListToolsResult {
    /// The last page of a list, or all of it, as `revision` has it: from 2026-07-28 it says that it may not be kept, as
    /// it must say something.
    pub fn new(tools: Vec<Tool>, revision: Revision) -> Self {
        let is_modern = revision.era() == Era::Modern;
        Self {
            tools,
            next_cursor: None,
            ttl_ms: is_modern.then_some(0),
            cache_scope: is_modern.then(|| "private".into()),
        }
    }
}

impl Tool {
    /// A tool without description whose arguments follow `input_schema`.
    pub fn new(name: impl Into<String>, input_schema: RawJson) -> Self {
        Self {
            name: name.into(),
            title: None,
            description: None,
            input_schema,
            output_schema: None,
            annotations: None,
            icons: None,
            execution: None,
            meta: None,
        }
    }
}

impl CallTool {
    /// A call without arguments.
    pub fn new(name: impl Into<Text>) -> Self {
        Self { name: name.into(), arguments: None }
    }

    /// Sets all arguments: anything that serializes to a JSON object.
    ///
    /// # Errors
    ///
    /// If `arguments` cannot be expressed as JSON.
    pub fn arguments<T: Serialize + ?Sized>(mut self, arguments: &T) -> Result<Self, EncodeError> {
        self.arguments = Some(RawJson::of(arguments)?);
        Ok(self)
    }

    /// Adds one argument.
    ///
    /// A value that JSON cannot express (a map whose keys are no strings) becomes `null`.
    #[must_use]
    pub fn argument<T: Serialize>(mut self, name: &str, value: T) -> Self {
        let arguments = self.arguments.take().unwrap_or(RawJson::empty_object());
        self.arguments = Some(arguments.with_member(name, &value));
        self
    }
}

impl CallToolResult {
    /// A result that is one block of text.
    pub fn text(text: impl Into<String>) -> Self {
        Self { content: alloc::vec![ContentBlock::text(text)], ..Self::default() }
    }

    /// A failure of the tool itself, told to the model.
    pub fn error(text: impl Into<String>) -> Self {
        Self { is_error: Some(true), ..Self::text(text) }
    }

    /// A value for programs, and the same JSON as text for models and older clients.
    ///
    /// Before 2026-07-28 the value must be an object.
    ///
    /// # Errors
    ///
    /// If `value` cannot be expressed as JSON.
    pub fn structured<T: Serialize + ?Sized>(value: &T) -> Result<Self, EncodeError> {
        let json = RawJson::of(value)?;
        Ok(Self { structured_content: Some(json.clone()), ..Self::text(json.as_str()) })
    }

    /// Whether the tool failed.
    pub fn failed(&self) -> bool {
        self.is_error == Some(true)
    }
}

impl Request for ListTools {
    const METHOD: &'static str = "tools/list";
    type Sender = role::Client;
    type Output = ListToolsResult;
}

impl Request for CallTool {
    const METHOD: &'static str = "tools/call";
    type Sender = role::Client;
    type Output = CallToolResult;
}
