//! Conversations written as text, that a reader of the specification understands, played to one side.
//!
//! ```text
//! # A call that times out is cancelled.
//! @client 2025-11-25
//! C: {"jsonrpc":"2.0","id":1,"method":"initialize","params":"*"}
//! S: {"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-11-25","capabilities":{},"serverInfo":{"name":"s","version":"1"}}}
//! C: {"jsonrpc":"2.0","method":"notifications/initialized","params":{}}
//! E: ready 2025-11-25
//! ! call total=30s tools/call {"name":"slow"}
//! C: {"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"slow"}}
//! +30s
//! C: {"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":2,"reason":"timed out"}}
//! E: failed 2: timed out: *
//! ```
//!
//! | line | meaning |
//! |---|---|
//! | `@client REVISIONS` or `@server REVISIONS` | who is played: the engine under test, with these revisions (separated by commas, or `all`), then options: `strict`, `probe=10s`, `handshake=60s`, `drain=5s`, `log=debug`, `max-message=1024`, `logging` |
//! | `C:` or `S:` of the other side | the engine reads this text and a newline |
//! | `C>` or `S>` of the other side | the engine reads exactly the characters of this JSON string, no newline added |
//! | `C:` or `S:` of the engine's side | the engine says this: JSON, members in any order, numbers digit by digit; the string `"*"` stands for any value |
//! | `E:` | the engine tells its caller this, see [`describe`]; a final `*` stands for any rest. With one such line in a transcript all events are to be listed |
//! | `+30s` | time passes (`ms`, `s`, `m`, `h`); deadlines on the way pass at their own moments |
//! | `! …` | the caller does something: `call`, `notify`, `cancel`, `respond`, `fail`, `report`, `milestone`, `abandon`, `log`, `close`, and `eof` when the other side ends its stream |
//! | `# …` | a comment |
//!
//! Whatever the engine says must be listed, in order, before anything else happens.

mod line;
mod play;

use alloc::string::String;
use core::fmt;

use crate::config::{ClientConfig, ServerConfig, Tolerance};
use crate::event::Event;
use crate::stdio::Connection;
use crate::time::Instant;
use crate::types::ServerCapabilities;

use line::{Header, parse};
use play::Play;
pub(super) use play::compare;

use super::{Carry, End};

/// Where a transcript and the engine differ.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Mismatch {
    /// The line of the transcript, from 1.
    pub line: usize,
    /// What is wrong there.
    pub what: String,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

impl core::error::Error for Mismatch {}

/// Plays a transcript to the engine that its `@` line describes.
///
/// # Errors
///
/// The first line at which the engine does something else, or that cannot be read.
pub fn play(text: &str) -> Result<(), Mismatch> {
    play_with(text, None)
}

/// As [`play()`], and after each line the engine is replaced by what its snapshot becomes, on a clock that is years ahead
/// or behind.
///
/// # Errors
///
/// As [`play()`], and a snapshot that is refused.
///
/// # Panics
///
/// As [`restored`](super::restored).
pub fn play_restored(text: &str, carry: Carry<'_>) -> Result<(), Mismatch> {
    play_with(text, Some(carry))
}

fn play_with(text: &str, carry: Option<Carry<'_>>) -> Result<(), Mismatch> {
    let (header, lines) = parse(text)?;
    match header.side {
        End::Client => {
            let connection = Connection::client(client_config(&header), Instant::ZERO);
            Play::new(connection, End::Client, &lines).run(&lines, carry)
        }
        End::Server => {
            let connection = Connection::server(server_config(&header));
            Play::new(connection, End::Server, &lines).run(&lines, carry)
        }
    }
}

/// An event in one line, as `E:` lines have it.
///
/// `ready 2025-11-25` · `request 5 tools/call` · `cancelled 5 "why"` · `notification METHOD` ·
/// `progress 2 3/10 "message"` · `response 2 {"content":[]}` · `failed 2: why` · `violation: what` ·
/// `closed: why`
pub fn describe(event: &Event) -> String {
    play::describe(event)
}

fn client_config(header: &Header) -> ClientConfig {
    let mut config = ClientConfig::new("client", "1").revisions(header.revisions);
    config.tolerance = header.tolerance();
    if let Some(probe) = header.probe {
        config.probe_timeout = probe;
    }
    if let Some(handshake) = header.handshake {
        config.handshake_timeout = handshake;
    }
    if let Some(limit) = header.max_message {
        config.limits.max_message_len = limit;
    }
    config.log_level = header.log;
    config
}

fn server_config(header: &Header) -> ServerConfig {
    let mut config = ServerConfig::new("server", "1").revisions(header.revisions);
    config.tolerance = header.tolerance();
    if let Some(drain) = header.drain {
        config.drain_timeout = drain;
    }
    if let Some(limit) = header.max_message {
        config.limits.max_message_len = limit;
    }
    if header.logging {
        config.capabilities = ServerCapabilities::default().tools().logging();
    }
    config
}

impl Header {
    fn tolerance(&self) -> Tolerance {
        if self.strict { Tolerance::Strict } else { Tolerance::Lenient }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    const GOOD: &str = r#"
# A call that times out is cancelled.
@client 2025-11-25
C: {"id":1,"jsonrpc":"2.0","method":"initialize","params":"*"}
S: {"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-11-25","capabilities":{},"serverInfo":{"name":"s","version":"1"}}}
C: {"jsonrpc":"2.0","method":"notifications/initialized","params":{}}
E: ready 2025-11-25
! call total=30s tools/call {"name":"slow"}
C: {"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"slow"}}
+30s
C: {"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":2,"reason":"timed out"}}
E: failed 2: timed out: *
"#;

    #[test]
    fn a_conversation_that_happens_as_written_passes() {
        play(GOOD).unwrap();
    }

    fn fault(from: &str, to: &str) -> Mismatch {
        assert!(GOOD.contains(from));
        play(&GOOD.replace(from, to)).unwrap_err()
    }

    #[test]
    fn what_differs_is_shown_with_its_line() {
        let other = fault(r#"{"name":"slow"}}"#, r#"{"name":"fast"}}"#);
        assert_eq!(other.line, 9);
        assert!(other.to_string().starts_with("line 9: params.name: expected \"fast\""), "{other}");
        assert_eq!(fault("+30s", "+29s").line, 11);
        assert_eq!(fault("E: failed 2: timed out: *", "").line, 11);
        assert_eq!(fault("E: ready 2025-11-25", "E: ready 2024-11-05").line, 7);
        assert_eq!(
            fault("C: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/init", "# {\"").line,
            8
        );
        assert_eq!(fault("\"id\":2,", "\"id\":2.0,").line, 9);
        let what = |from, to| fault(from, to).what;
        assert!(
            what("\"slow\"}}", "\"slow\",\"more\":1}}")
                .contains("params.more: expected, but absent")
        );
        assert!(what(",\"reason\":\"timed out\"", "").contains("params.reason: not expected"));
        assert!(what("{\"requestId\":2,\"reason\":\"timed out\"}", "[]").contains("params"));
        assert!(what("+30s", "E: progress 2 1").contains("the engine told nothing"));
    }

    #[test]
    fn lines_that_cannot_be_read_are_refused() {
        assert_eq!(fault("+30s", "+30 parsecs").line, 10);
        assert_eq!(fault("! call", "! sing").line, 8);
        assert_eq!(fault("@client", "@cliant").line, 3);
        assert_eq!(fault("2025-11-25\nC:", "2025-11-25 loud=1\nC:").line, 3);
        for (from, to) in [
            ("total=30s", "total=soon"),
            ("total=30s", "patience=30s"),
            ("total=30s", "token=null"),
            ("total=30s", "token={}"),
            ("total=30s", "meta={"),
            ("call total=30s tools/call", "log - info"),
            ("call total=30s tools/call", "log - loud"),
            ("call total=30s tools/call", "fail 2 many"),
            ("call total=30s tools/call", "report 2"),
            ("call total=30s tools/call", "cancel"),
        ] {
            assert_eq!(fault(from, to).line, 8, "{to}");
        }
        for line in ["C> 7", "C> \"\"", "X: {}", "nonsense"] {
            assert_eq!(fault("+30s", line).line, 10, "{line}");
        }
        assert_eq!(play("# nobody\n").unwrap_err().what, "no @client or @server line");
    }
}
