//! Log messages from the server: `server/utilities/logging`.

use serde::{Deserialize, Serialize};

use super::EmptyResult;
use crate::json::{RawJson, Text};
use crate::method::{Notification, Request};
use crate::role;

/// How serious a log message is, least first; the eight names of syslog (RFC 5424).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(clippy::exhaustive_enums)] // fixed by RFC 5424
#[allow(missing_docs)] // the names say it
pub enum LogLevel {
    Debug,
    Info,
    Notice,
    Warning,
    Error,
    Critical,
    Alert,
    Emergency,
}

/// `notifications/message`: one log message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LogMessage {
    /// How serious.
    pub level: LogLevel,
    /// Which part of the server speaks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logger: Option<Text>,
    /// What it says: any JSON, often a string.
    pub data: RawJson,
}

/// `logging/setLevel`: the least serious level that the client wants, for a legacy session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SetLevel {
    /// Messages below it are not sent.
    pub level: LogLevel,
}

impl LogLevel {
    /// All, least serious first.
    pub const ALL: [Self; 8] = [
        Self::Debug,
        Self::Info,
        Self::Notice,
        Self::Warning,
        Self::Error,
        Self::Critical,
        Self::Alert,
        Self::Emergency,
    ];

    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Notice => "notice",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Critical => "critical",
            Self::Alert => "alert",
            Self::Emergency => "emergency",
        }
    }

    /// The level of a wire name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.as_str() == name)
    }
}

impl LogMessage {
    /// A message that is a plain text.
    pub fn text(level: LogLevel, text: &str) -> Self {
        Self { level, logger: None, data: RawJson::string(text) }
    }
}

impl SetLevel {
    /// Asks for messages at or above `level`.
    pub fn new(level: LogLevel) -> Self {
        Self { level }
    }
}

impl Notification for LogMessage {
    const METHOD: &'static str = "notifications/message";
    type Sender = role::Server;
}

impl Request for SetLevel {
    const METHOD: &'static str = "logging/setLevel";
    type Sender = role::Client;
    type Output = EmptyResult;
}
