//! What a tool says of itself beside its schema.

use alloc::string::String;

use crate::json::RawJson;
use crate::types::{Tool, ToolAnnotations};

/// What a tool says of itself; its schema comes from its arguments.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct ToolInfo {
    /// Its name, for programs: up to 128 of `A-Z a-z 0-9 _ . -`.
    pub name: String,
    /// Its name, for people.
    pub title: Option<String>,
    /// What it does, for a model.
    pub description: Option<String>,
    /// Hints, not promises.
    pub annotations: Option<ToolAnnotations>,
    /// Its icons, an array.
    pub icons: Option<RawJson>,
    /// Metadata, an object.
    pub meta: Option<RawJson>,
}

impl ToolInfo {
    /// A tool of that name.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// Sets its name for people.
    #[must_use]
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.title = Some(title.into());
        self
    }

    /// Sets what it does, for a model.
    #[must_use]
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.description = Some(description.into());
        self
    }

    /// Sets all hints at once.
    #[must_use]
    pub fn annotations(mut self, annotations: ToolAnnotations) -> Self {
        self.annotations = Some(annotations);
        self
    }

    /// Hints that it changes nothing.
    #[must_use]
    pub fn read_only(self) -> Self {
        self.hint(|hints| hints.read_only_hint = Some(true))
    }

    /// Hints whether it may destroy something. Without a hint it may.
    #[must_use]
    pub fn destructive(self, destructive: bool) -> Self {
        self.hint(|hints| hints.destructive_hint = Some(destructive))
    }

    /// Hints that calling it twice is like calling it once.
    #[must_use]
    pub fn idempotent(self) -> Self {
        self.hint(|hints| hints.idempotent_hint = Some(true))
    }

    /// Hints whether it reaches the outside world. Without a hint it does.
    #[must_use]
    pub fn open_world(self, open: bool) -> Self {
        self.hint(|hints| hints.open_world_hint = Some(open))
    }

    /// Sets its icons, an array; said from 2025-11-25 on.
    #[must_use]
    pub fn icons(mut self, icons: RawJson) -> Self {
        self.icons = Some(icons);
        self
    }

    /// Sets its metadata, an object.
    #[must_use]
    pub fn meta(mut self, meta: RawJson) -> Self {
        self.meta = Some(meta);
        self
    }

    fn hint(mut self, set: impl FnOnce(&mut ToolAnnotations)) -> Self {
        set(self.annotations.get_or_insert_default());
        self
    }

    /// The tool, with the schemas of its arguments and, if it has any, of its structured result.
    pub fn into_tool(
        self,
        input_schema: RawJson,
        output_schema: impl Into<Option<RawJson>>,
    ) -> Tool {
        let Self { name, title, description, annotations, icons, meta } = self;
        let (output_schema, execution) = (output_schema.into(), None);
        Tool {
            name,
            title,
            description,
            input_schema,
            output_schema,
            annotations,
            icons,
            execution,
            meta,
        }
    }
}
