//! Who a peer is and what it can do.

use alloc::string::String;

use serde::{Deserialize, Serialize};

use crate::json::RawJson;
use crate::revision::Revision;

/// Name and version of a client or server. For display only: never decide by it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Implementation {
    /// Its name, for programs.
    #[serde(default)]
    pub name: String,
    /// Its version.
    #[serde(default)]
    pub version: String,
    /// Its name, for people; from 2025-06-18.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What it is for; from 2025-11-25.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Where to read more; from 2025-11-25.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub website_url: Option<String>,
    /// Its icons, an array; from 2025-11-25.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub icons: Option<RawJson>,
}

impl Implementation {
    /// An implementation with just a name and a version.
    pub fn new(name: impl Into<String>, version: impl Into<String>) -> Self {
        Self { name: name.into(), version: version.into(), ..Self::default() }
    }

    /// What `revision` has of it.
    pub(crate) fn for_revision(self, revision: Revision) -> Self {
        let rules = revision.rules();
        Self {
            title: self.title.filter(|_| rules.titles),
            description: self.description.filter(|_| rules.descriptions),
            website_url: self.website_url.filter(|_| rules.descriptions),
            icons: self.icons.filter(|_| rules.icons),
            ..self
        }
    }
}

/// As its JSON text: members that are absent cannot be told in every format.
#[cfg(feature = "snapshot")]
impl crate::state::Kept for Implementation {
    type Form = String;

    fn form(&self) -> String {
        RawJson::of(self).map_or_else(|_| String::new(), |json| json.as_str().into())
    }

    fn of(form: String) -> Result<Self, &'static str> {
        let json = RawJson::parse(form).map_err(|_| "a name that is no JSON")?;
        json.decode().map_err(|_| "a name that is none")
    }
}

/// What a client offers to its servers. Features that the engine has no type for stay raw.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ClientCapabilities {
    /// Anything that no revision defines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub experimental: Option<RawJson>,
    /// Answers `roots/list`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roots: Option<RawJson>,
    /// Answers `sampling/createMessage`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sampling: Option<RawJson>,
    /// Answers `elicitation/create`; from 2025-06-18.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub elicitation: Option<RawJson>,
    /// What can run as a task; 2025-11-25 alone. The engine runs none: who says it answers what follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tasks: Option<RawJson>,
    /// Extension id to settings; from 2026-07-28.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extensions: Option<RawJson>,
}

/// What a server offers to its clients.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ServerCapabilities {
    /// Anything that no revision defines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub experimental: Option<RawJson>,
    /// Sends log messages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logging: Option<RawJson>,
    /// Completes arguments; from 2025-03-26.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completions: Option<RawJson>,
    /// Has prompts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompts: Option<ListChanged>,
    /// Has resources.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<ListChanged>,
    /// Has tools.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tools: Option<ListChanged>,
    /// What can run as a task; 2025-11-25 alone. The engine runs none: who says it answers what follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tasks: Option<RawJson>,
    /// Extension id to settings; from 2026-07-28.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extensions: Option<RawJson>,
}

/// A feature whose list may change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ListChanged {
    /// Whether changes are announced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub list_changed: Option<bool>,
    /// Whether single entries can be subscribed to (resources only).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subscribe: Option<bool>,
}

impl ClientCapabilities {
    /// What `revision` has of it.
    pub(crate) fn for_revision(self, revision: Revision) -> Self {
        let rules = revision.rules();
        let elicitation = self.elicitation.filter(|_| rules.titles).and_then(|modes| {
            let has_form = modes.get("form").is_some() || modes.get("url").is_none();
            match rules.descriptions {
                true => Some(modes),
                // Without modes there is only the form.
                false => has_form.then(RawJson::empty_object),
            }
        });
        let extensions = self.extensions.filter(|_| rules.extensions);
        let tasks = self.tasks.filter(|_| rules.tasks);
        Self { elicitation, tasks, extensions, ..self }
    }
}

impl ServerCapabilities {
    /// What `revision` has of it.
    pub(crate) fn for_revision(self, revision: Revision) -> Self {
        let rules = revision.rules();
        Self {
            completions: self.completions.filter(|_| rules.completions),
            tasks: self.tasks.filter(|_| rules.tasks),
            extensions: self.extensions.filter(|_| rules.extensions),
            ..self
        }
    }

    /// Announces tools.
    #[must_use]
    pub fn tools(mut self) -> Self {
        self.tools = Some(ListChanged::default());
        self
    }

    /// Announces log messages.
    #[must_use]
    pub fn logging(mut self) -> Self {
        self.logging = Some(RawJson::empty_object());
        self
    }
}
