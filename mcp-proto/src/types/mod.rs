//! What messages say: of each feature here one superset of the shapes of all revisions, a file per feature. What no revision
//! has is not kept: who passes on what he does not know keeps the [`RawJson`](crate::RawJson).
//!
//! A new feature gets a file here, an `impl Request` or `impl Notification` beside its parameters, and
//! a line below.

mod capabilities;
mod content;
mod discover;
mod initialize;
mod logging;
pub(crate) mod meta;
mod ping;
mod progress;
mod tools;

pub use capabilities::{ClientCapabilities, Implementation, ListChanged, ServerCapabilities};
pub use content::{ContentBlock, MediaContent, ResourceLink, TextContent};
pub use discover::{Discover, DiscoverResult};
pub use initialize::{Initialize, InitializeResult, Initialized};
pub use logging::{LogLevel, LogMessage, SetLevel};
pub use ping::{EmptyResult, Ping};
pub use progress::Progress;
pub use tools::{CallTool, CallToolResult, ListTools, ListToolsResult, Tool, ToolAnnotations};
