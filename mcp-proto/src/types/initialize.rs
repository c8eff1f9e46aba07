//! The handshake of the legacy era: `basic/lifecycle`.

use alloc::string::String;

use serde::{Deserialize, Serialize};

use super::{ClientCapabilities, Implementation, ServerCapabilities};
use crate::method::{Notification, Request};
use crate::revision::Revision;
use crate::role;

/// `initialize`: opens a session. The engine sends and answers it by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Initialize {
    /// The revision that the client wants.
    pub protocol_version: String,
    /// What the client offers.
    pub capabilities: ClientCapabilities,
    /// Who the client is.
    pub client_info: Implementation,
}

/// What the server answers to [`Initialize`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct InitializeResult {
    /// The revision that will be spoken.
    pub protocol_version: String,
    /// What the server offers.
    #[serde(default)]
    pub capabilities: ServerCapabilities,
    /// Who the server is.
    #[serde(default)]
    pub server_info: Implementation,
    /// How to use the server, for a model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instructions: Option<String>,
}

/// `notifications/initialized`: the client is ready. The engine sends it by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Initialized {}

impl Initialize {
    /// With what `revision` has of the rest.
    pub(crate) fn new(
        revision: Revision,
        capabilities: ClientCapabilities,
        client_info: Implementation,
    ) -> Self {
        Self {
            protocol_version: revision.as_str().into(),
            capabilities: capabilities.for_revision(revision),
            client_info: client_info.for_revision(revision),
        }
    }
}

impl InitializeResult {
    /// With what `revision` has of the rest.
    pub(crate) fn new(
        revision: Revision,
        capabilities: ServerCapabilities,
        server_info: Implementation,
        instructions: Option<String>,
    ) -> Self {
        Self {
            protocol_version: revision.as_str().into(),
            capabilities: capabilities.for_revision(revision),
            server_info: server_info.for_revision(revision),
            instructions,
        }
    }
}

impl Request for Initialize {
    const METHOD: &'static str = "initialize";
    type Sender = role::Client;
    type Output = InitializeResult;
}

impl Notification for Initialized {
    const METHOD: &'static str = "notifications/initialized";
    type Sender = role::Client;
}
