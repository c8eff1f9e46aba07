//! How a handler fails.

use alloc::format;
use alloc::string::String;
use core::fmt;

use crate::error::ErrorObject;
use crate::json::DecodeError;
use crate::revision::Revision;
use crate::types::CallToolResult;

/// Why a tool failed.
///
/// Everything that can be displayed becomes one, so `?` works on any error and on plain text. What it
/// says is told to the model as a result with `isError`, from which the model may learn; the sources of
/// an error are included if its alternate form (`{:#}`) includes them. An error of the protocol, which
/// the client's program gets instead, is made by [`protocol`](Self::protocol).
pub struct ToolError(Failure);

enum Failure {
    Told(CallToolResult),
    Protocol(ErrorObject),
    Arguments(DecodeError),
}

impl ToolError {
    /// A failure that is told to the model.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Failure::Told(CallToolResult::error(text)))
    }

    /// A JSON-RPC error: for faults of the request or the server, which no model can learn from.
    pub fn protocol(error: ErrorObject) -> Self {
        Self(Failure::Protocol(error))
    }

    /// The arguments are not what the tool takes: told to the model from 2025-11-25, an error of the
    /// protocol before. Typed tools do this by themselves.
    pub fn arguments(error: DecodeError) -> Self {
        Self(Failure::Arguments(error))
    }

    /// What is answered. Input validation is told to the model from 2025-11-25 (R-TOOL-09); before it was
    /// an error of the protocol.
    pub(super) fn into_answer(self, revision: Revision) -> Result<CallToolResult, ErrorObject> {
        match self.0 {
            Failure::Told(result) => Ok(result),
            Failure::Protocol(error) => Err(error),
            Failure::Arguments(error) => {
                let why = format!("invalid arguments: {error}");
                if revision.rules().tells_argument_errors {
                    Ok(CallToolResult::error(why))
                } else {
                    Err(ErrorObject::invalid_params(why))
                }
            }
        }
    }
}

impl<E: fmt::Display> From<E> for ToolError {
    fn from(error: E) -> Self {
        Self::new(format!("{error:#}"))
    }
}

/// A failure with content of the tool's own. It counts as failed whatever `is_error` says.
impl From<CallToolResult> for ToolError {
    fn from(mut result: CallToolResult) -> Self {
        result.is_error = Some(true);
        Self(Failure::Told(result))
    }
}

impl fmt::Debug for ToolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Failure::Told(result) => f.debug_tuple("ToolError").field(result).finish(),
            Failure::Protocol(error) => f.debug_tuple("ToolError").field(error).finish(),
            Failure::Arguments(error) => f.debug_tuple("ToolError").field(error).finish(),
        }
    }
}
