//! The keys of `_meta` that the protocol reserves: `basic/index`, general fields.

/// Asks for progress; in a request, every revision.
pub(crate) const PROGRESS_TOKEN: &str = "progressToken";
/// The revision of a request; 2026-07-28, required.
pub(crate) const PROTOCOL_VERSION: &str = "io.modelcontextprotocol/protocolVersion";
/// What the client can do for this request; 2026-07-28, required.
pub(crate) const CLIENT_CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
/// Who sent the request; 2026-07-28.
pub(crate) const CLIENT_INFO: &str = "io.modelcontextprotocol/clientInfo";
/// The least serious log message wanted for this request; 2026-07-28.
pub(crate) const LOG_LEVEL: &str = "io.modelcontextprotocol/logLevel";
/// Which subscription something belongs to, by the id of its request; 2026-07-28, required.
#[cfg(feature = "driver")]
pub(crate) const SUBSCRIPTION_ID: &str = "io.modelcontextprotocol/subscriptionId";
/// What a request says of itself by these the engine says, or nobody: a token that it does not know would be mistaken for one of
/// its own, and a version would make the request one of another era.
pub(crate) const OF_REQUESTS: [&str; 3] = [PROGRESS_TOKEN, PROTOCOL_VERSION, CLIENT_CAPABILITIES];
/// Who answered; in a result, 2026-07-28.
pub(crate) const SERVER_INFO: &str = "io.modelcontextprotocol/serverInfo";
