//! The tools of a router, in the order in which they were registered.

use alloc::string::ToString;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::output::is_expressible;
use crate::error::ErrorObject;
use crate::revision::Revision;
use crate::types::{ListToolsResult, Tool};

/// Tools and their functions.
pub(super) struct Table<K: ?Sized> {
    entries: Vec<Entry<K>>,
    /// Where each entry is, in the order of their names.
    by_name: Vec<usize>,
    page_size: usize,
}

struct Entry<K: ?Sized> {
    tool: Tool,
    function: Arc<K>,
}

/// Tools on one page of the list: more than any model wants, few enough to stay below every message limit.
const PAGE_SIZE: usize = 100;

impl<K: ?Sized> Table<K> {
    pub(super) fn new() -> Self {
        Self { entries: Vec::new(), by_name: Vec::new(), page_size: PAGE_SIZE }
    }

    pub(super) fn set_page_size(&mut self, size: usize) {
        self.page_size = size.max(1);
    }

    /// Adds a tool, or puts it in the place of the one with its name.
    pub(super) fn insert(&mut self, tool: Tool, function: Arc<K>) {
        let found = self.find(&tool.name);
        let entry = Entry { tool, function };
        match found {
            Ok(at) => {
                if let Some(earlier) = self.entries.get_mut(at) {
                    *earlier = entry;
                }
            }
            Err(place) => {
                self.by_name.insert(place, self.entries.len());
                self.entries.push(entry);
            }
        }
    }

    /// Where the tool of that name is, or else belongs among the names.
    fn find(&self, name: &str) -> Result<usize, usize> {
        let name_of = |at: usize| self.entries.get(at).map(|entry| &*entry.tool.name);
        let place = self.by_name.partition_point(|at| name_of(*at) < Some(name));
        match self.by_name.get(place) {
            Some(at) if name_of(*at) == Some(name) => Ok(*at),
            _ => Err(place),
        }
    }

    pub(super) fn function(&self, name: &str) -> Option<&Arc<K>> {
        self.entries.get(self.find(name).ok()?).map(|entry| &entry.function)
    }

    #[cfg(feature = "http")]
    pub(super) fn iter(&self) -> impl Iterator<Item = &Tool> {
        self.entries.iter().map(|entry| &entry.tool)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|entry| &*entry.tool.name)
    }

    /// One page. A cursor is the number of tools before it: the list does not change while it is served.
    pub(super) fn page(
        &self,
        cursor: Option<&str>,
        revision: Revision,
    ) -> Result<ListToolsResult, ErrorObject> {
        let start = match cursor {
            None => 0,
            Some(cursor) => cursor
                .parse()
                .ok()
                .filter(|at| *at > 0 && *at < self.entries.len())
                .ok_or_else(|| ErrorObject::invalid_params("no such cursor"))?,
        };
        let rest = self.entries.get(start..).unwrap_or_default();
        let tools = rest.iter().take(self.page_size).map(|entry| listed(&entry.tool, revision));
        let end = start.saturating_add(self.page_size);
        Ok(ListToolsResult {
            next_cursor: (end < self.entries.len()).then(|| end.to_string()),
            // It is not to be kept: the tools of this process do not change, but its next build may differ.
            ..ListToolsResult::new(tools.collect(), revision)
        })
    }
}

/// The tool with what `revision` has, and nothing else (R-VER-17).
fn listed(tool: &Tool, revision: Revision) -> Tool {
    let mut tool = tool.clone();
    tool.output_schema = tool.output_schema.filter(|schema| {
        let root = schema.get("type").and_then(|root| root.as_str());
        is_expressible(root.as_deref() == Some("object"), revision)
    });
    let rules = revision.rules();
    tool.annotations = tool.annotations.filter(|_| rules.tool_annotations);
    tool.title = tool.title.filter(|_| rules.tool_titles);
    tool.meta = tool.meta.filter(|_| rules.tool_titles);
    tool.icons = tool.icons.filter(|_| rules.icons);
    tool.execution = tool.execution.filter(|_| rules.tasks);
    tool
}

impl<K: ?Sized> Clone for Table<K> {
    fn clone(&self) -> Self {
        Self {
            entries: self.entries.clone(),
            by_name: self.by_name.clone(),
            page_size: self.page_size,
        }
    }
}

impl<K: ?Sized> Clone for Entry<K> {
    fn clone(&self) -> Self {
        Self { tool: self.tool.clone(), function: self.function.clone() }
    }
}
