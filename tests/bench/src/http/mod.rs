//! Requests over HTTP, and the servers that answer them.

pub mod servers;

use std::fmt::Write as _;

use crate::messages::TEXT;

/// Where every server answers.
pub const PATH: &str = "/mcp";

/// Reports of one call.
pub const REPORTS: usize = 10;

/// What is asked over and over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    pub name: &'static str,
    /// In a session of 2025-11-25, else a request of 2026-07-28 that stands for itself.
    in_session: bool,
    /// Of a tool that reports [`REPORTS`] times before it answers, else of the echo tool.
    reports: bool,
}

pub const CALL: Load = Load { name: "http-call", in_session: false, reports: false };
pub const REPORT: Load = Load { name: "http-progress", in_session: false, reports: true };
pub const SESSION_CALL: Load = Load { name: "session-call", in_session: true, reports: false };
pub const SESSION_REPORT: Load = Load { name: "session-progress", in_session: true, reports: true };

pub const LOADS: [Load; 4] = [CALL, REPORT, SESSION_CALL, SESSION_REPORT];

/// The messages that open a session.
pub const OPENING: [&str; 2] = [crate::messages::INITIALIZE, crate::messages::INITIALIZED];

impl Load {
    pub fn in_session(self) -> bool {
        self.in_session
    }

    /// The headers of a request, but for those of HTTP itself.
    pub fn headers(self, session: Option<&str>) -> Vec<(&'static str, &str)> {
        let mut headers = MEDIA.to_vec();
        match session {
            Some(session) => headers
                .extend([("mcp-session-id", session), ("mcp-protocol-version", "2025-11-25")]),
            None => headers.extend([
                ("mcp-protocol-version", "2026-07-28"),
                ("mcp-method", "tools/call"),
                ("mcp-name", self.tool()),
            ]),
        }
        headers
    }

    /// A call, with everything that its revision wants in it.
    pub fn body(self, id: usize) -> String {
        let arguments = match self.reports {
            true => format!(r#"{{"count":{REPORTS}}}"#),
            false => format!(r#"{{"text":"{TEXT}","count":3}}"#),
        };
        let mut meta: Vec<&str> = Vec::new();
        if !self.in_session {
            meta.push(MODERN_META);
        }
        if self.reports {
            meta.push(r#""progressToken":7"#);
        }
        let mut body = format!(
            r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"{}","arguments":{arguments}"#,
            self.tool()
        );
        if !meta.is_empty() {
            let _ = write!(body, r#","_meta":{{{}}}"#, meta.join(","));
        }
        body + "}}"
    }

    /// Whether that is the whole answer: the text, or every report and an empty one.
    pub fn is_answered(self, body: &str) -> bool {
        let reports = body.matches("\"notifications/progress\"").count();
        let text = if self.reports { "\"text\":\"\"" } else { TEXT };
        reports == if self.reports { REPORTS } else { 0 } && body.contains(text)
    }

    fn tool(self) -> &'static str {
        if self.reports { "report" } else { "echo" }
    }
}

/// What every request says about media.
pub const MEDIA: [(&str, &str); 2] =
    [("content-type", "application/json"), ("accept", "application/json, text/event-stream")];

const MODERN_META: &str = r#""io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"bench","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}"#;
