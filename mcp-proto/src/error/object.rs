//! The error that one side answers the other with.

use alloc::string::String;
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::json::{OneLine, RawJson, bounded};
#[cfg(feature = "snapshot")]
use crate::state::Kept;
use crate::types::ClientCapabilities;

/// The error member of a response: `basic/index`, error responses.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ErrorObject {
    /// What kind: negative codes from -32768 to -32000 are JSON-RPC's and the protocol's own.
    pub code: i64,
    /// What happened, in a sentence.
    pub message: String,
    /// More, in a form that the code defines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<RawJson>,
}

impl ErrorObject {
    /// -32700: not JSON.
    pub const PARSE_ERROR: i64 = -32700;
    /// -32600: JSON, but no message.
    pub const INVALID_REQUEST: i64 = -32600;
    /// -32601: no such method here.
    pub const METHOD_NOT_FOUND: i64 = -32601;
    /// -32602: the method is known, its parameters are wrong.
    pub const INVALID_PARAMS: i64 = -32602;
    /// -32603: failed inside.
    pub const INTERNAL_ERROR: i64 = -32603;
    /// -32020: an HTTP header differs from the body; from 2026-07-28.
    pub const HEADER_MISMATCH: i64 = -32020;
    /// -32021: the client lacks a capability; from 2026-07-28.
    pub const MISSING_CLIENT_CAPABILITY: i64 = -32021;
    /// -32022: the revision of the request is not served; from 2026-07-28.
    pub const UNSUPPORTED_VERSION: i64 = -32022;

    /// An error without data.
    pub fn new(code: i64, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), data: None }
    }

    /// Adds data.
    #[must_use]
    pub fn data(mut self, data: RawJson) -> Self {
        self.data = Some(data);
        self
    }

    /// The method is not known. The name is not echoed: a peer chose it.
    pub fn method_not_found() -> Self {
        Self::new(Self::METHOD_NOT_FOUND, "method not found")
    }

    /// The parameters are wrong, and how.
    pub fn invalid_params(why: impl Into<String>) -> Self {
        Self::new(Self::INVALID_PARAMS, why)
    }

    /// The request needs what its client does not say it can do, and what that is; 2026-07-28 `basic/index`.
    ///
    /// ```
    /// use mcp_proto::{ErrorObject, RawJson, types::ClientCapabilities};
    ///
    /// let mut needed = ClientCapabilities::default();
    /// needed.sampling = Some(RawJson::parse("{}")?);
    /// let error = ErrorObject::missing_capability(&needed);
    /// assert_eq!(error.data.unwrap().as_str(), r#"{"requiredCapabilities":{"sampling":{}}}"#);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn missing_capability(required: &ClientCapabilities) -> Self {
        let why = "the client has not declared a capability that this needs";
        let data = RawJson::empty_object().with_member("requiredCapabilities", required);
        Self::new(Self::MISSING_CLIENT_CAPABILITY, why).data(data)
    }

    /// Something failed inside.
    pub fn internal(why: impl Into<String>) -> Self {
        Self::new(Self::INTERNAL_ERROR, why)
    }
}

/// Its members one after the other: in JSON one of them may be absent, which not every format can say.
#[cfg(feature = "snapshot")]
impl Kept for ErrorObject {
    type Form = (i64, String, Option<String>);

    fn form(&self) -> Self::Form {
        (self.code, self.message.clone(), self.data.form())
    }

    fn of((code, message, data): Self::Form) -> Result<Self, &'static str> {
        Ok(Self { code, message, data: Option::of(data)? })
    }
}

/// One line for a log: a peer chose the message, so control characters are shown with escapes, and of a long one
/// only the beginning.
impl fmt::Display for ErrorObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = bounded(&self.message, MAX_SHOWN);
        let more = if shown.len() < self.message.len() { "…" } else { "" };
        write!(f, "{}{more} (code {})", OneLine(shown), self.code)
    }
}

/// Bytes of a peer's message that are shown.
const MAX_SHOWN: usize = 1 << 10;

impl core::error::Error for ErrorObject {}
