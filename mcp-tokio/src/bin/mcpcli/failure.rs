//! How a run ends without success: for people, for programs, and as an exit code.

use std::fmt;
use std::time::Duration;

use mcp_tokio::mcp_proto::{
    CallError, CloseReason, ErrorObject, Expired, HttpError, Instant, Limit, Progress,
};
use serde::Serialize;

use crate::limits::StartLimit;
use crate::text::{amount, count, exact, lines, one_line};

/// Why a run did not succeed, in a sentence, with what the peer said and what to try.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) kind: Kind,
    /// What failed.
    pub(crate) message: String,
    /// The last lines of the server's stderr.
    pub(crate) said: Vec<String>,
    /// What to try.
    pub(crate) hint: Option<String>,
    /// The peer's own error.
    pub(crate) error: Option<Box<ErrorObject>>,
    /// The deadline that passed.
    pub(crate) expired: Option<Box<Deadline>>,
    /// The transport broke, and may have said why.
    pub(crate) is_broken: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// The peer answered with an error.
    Peer,
    /// A deadline passed.
    Timeout,
    /// The user gave up.
    Cancelled,
    /// The connection ended.
    Closed,
    /// Nobody reads what is printed.
    Unread,
    /// What the peer says is no MCP.
    Protocol,
    /// The server's command could not be started.
    Spawn,
    /// There is no connection to the server's URL.
    Connect,
    /// The command line is wrong.
    Usage,
}

/// Where a server is: what to check differs.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Whereabouts {
    /// Behind a command that was started.
    Command,
    /// At a URL.
    Url,
}

/// A deadline and what had happened when it passed. Times in seconds; `elapsed` since the start of the run.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Deadline {
    limit: &'static str,
    after: f64,
    elapsed: f64,
    reports: u64,
    last: Option<f64>,
    /// How long ago the stream of its answer was cut, if it was not taken up again.
    #[serde(skip_serializing_if = "Option::is_none")]
    interrupted: Option<f64>,
}

/// Exit code of a call whose result is a failure of the tool.
pub(crate) const PEER_ERROR: u8 = 1;

impl Kind {
    pub(crate) fn exit_code(self) -> u8 {
        match self {
            Self::Peer => PEER_ERROR,
            Self::Usage => 2,
            Self::Closed | Self::Unread | Self::Protocol | Self::Spawn | Self::Connect => 3,
            Self::Timeout => 4,
            Self::Cancelled => 130,
        }
    }
}

impl Whereabouts {
    /// What to try if what it says is no MCP.
    pub(crate) fn is_it_mcp(self) -> &'static str {
        match self {
            Self::Command => COMMAND,
            Self::Url => "check the path of the URL, and that this is an MCP server",
        }
    }

    /// What to try if it says nothing.
    fn does_it_answer(self) -> &'static str {
        match self {
            Self::Command => COMMAND,
            Self::Url => {
                "check the URL, that this is an MCP server, and whether a firewall is between"
            }
        }
    }
}

impl Failure {
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            said: Vec::new(),
            hint: None,
            error: None,
            expired: None,
            is_broken: false,
        }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// What to try if it ended before it was ready, for no reason that has an advice of its own.
    pub(crate) fn or_hint(mut self, at: Whereabouts, when: &str) -> Self {
        if self.kind == Kind::Closed && when.starts_with("before") {
            self.hint.get_or_insert_with(|| at.is_it_mcp().into());
        }
        self
    }

    /// The user pressed Ctrl-C.
    pub(crate) fn cancelled() -> Self {
        Self::new(Kind::Cancelled, "cancelled")
    }

    /// Nobody reads what is printed, so nobody waits for the result either.
    pub(crate) fn unread() -> Self {
        Self::new(Kind::Unread, "cancelled: nobody reads the output any more")
    }

    /// The server never became ready.
    pub(crate) fn of_start(reason: CloseReason, at: Whereabouts) -> Self {
        match reason {
            CloseReason::HandshakeRefused(error) => {
                let message = format!(
                    "this is no MCP server: it refuses the handshake: {}",
                    one_line(&error.message)
                );
                Self { error: Some(error.into()), ..Self::new(Kind::Protocol, message) }
                    .hint(at.is_it_mcp())
            }
            CloseReason::HandshakeInvalid => {
                Self::new(Kind::Protocol, "the server's answer to the handshake makes no sense")
                    .hint(at.is_it_mcp())
            }
            CloseReason::NoCommonVersion => {
                Self::new(Kind::Protocol, "the server does not speak this revision of the protocol")
                    .hint("leave out --revision, so that client and server agree on one")
            }
            reason => Self::of_close(reason, at),
        }
    }

    /// The server was not ready in time; `now` counts from the start of the run.
    pub(crate) fn of_slow_start(
        StartLimit { kind, after }: StartLimit,
        now: Instant,
        at: Whereabouts,
    ) -> Self {
        let message =
            format!("timed out: the server has not answered the handshake within {}", exact(after));
        let failure = Self::late(kind.name(), after, now, message);
        let (check, longer) = (at.does_it_answer(), exact(after.saturating_mul(10)));
        failure.hint(format!("{check}; or a longer limit, such as --timeout {longer}"))
    }

    /// The list was not complete in time.
    pub(crate) fn of_slow_list(total: Duration, now: Instant) -> Self {
        let message =
            format!("timed out: the list of tools took longer than {} in all", exact(total));
        let longer = exact(total.saturating_mul(10));
        Self::late("total", total, now, message)
            .hint(format!("a longer limit, such as --timeout {longer}, or --timeout none"))
    }

    fn late(limit: &'static str, after: Duration, now: Instant, message: String) -> Self {
        let (after, elapsed) = (after.as_secs_f64(), (now - Instant::ZERO).as_secs_f64());
        let expired = Deadline { limit, after, elapsed, reports: 0, last: None, interrupted: None };
        Self { expired: Some(expired.into()), ..Self::new(Kind::Timeout, message) }
    }

    /// The connection ended in the middle.
    pub(crate) fn of_close(reason: CloseReason, at: Whereabouts) -> Self {
        match reason {
            CloseReason::TooManyViolations => {
                Self::new(Kind::Protocol, "the server broke the protocol too often")
                    .hint(at.is_it_mcp())
            }
            CloseReason::Stalled => Self::new(Kind::Closed, "the server stopped reading"),
            reason => {
                let is_broken = matches!(reason, CloseReason::Transport);
                let message = format!("the connection ended: {reason}");
                Self { is_broken, ..Self::new(Kind::Closed, message) }
            }
        }
    }

    /// A call ended without a result. `last` is its last report.
    pub(crate) fn of_call(
        error: CallError,
        what: &str,
        last: Option<&Progress>,
        at: Whereabouts,
    ) -> Self {
        match error {
            CallError::Cancelled => Self::cancelled(),
            CallError::Closed(reason) => Self::of_close(reason, at),
            CallError::Peer(error) => {
                let message = format!(
                    "the server answered {what} with an error: {} (code {})",
                    lines(&error.message),
                    error.code
                );
                Self { error: Some(error.into()), ..Self::new(Kind::Peer, message) }
            }
            CallError::TimedOut(expired) => Self::of_timeout(expired, what, last),
            CallError::Http(HttpError::Cut) => {
                let message = format!("{what}: the connection was lost before the server answered");
                let lost = Self { is_broken: true, ..Self::new(Kind::Closed, message) };
                lost.hint(
                    "the call once more, if it does no harm that it may be done twice; \
                     with --revision 2025-11-25 a cut is taken up again, if the server keeps what it sent",
                )
            }
            CallError::Http(error) => Self::new(Kind::Closed, format!("{what}: {error}"))
                .hint("the call once more, if it does no harm that it may be done twice"),
            CallError::Send(error) => {
                Self::new(Kind::Closed, format!("{what} could not be sent: {error}"))
            }
            error => Self::new(Kind::Protocol, format!("{what}: {error}")),
        }
    }

    fn of_timeout(expired: Expired, what: &str, last: Option<&Progress>) -> Self {
        let after = exact(expired.after);
        let (limit, mut message, option) = match expired.limit {
            Limit::Idle => (
                "idle",
                format!("timed out: nothing was heard of {what} for {after}"),
                "--idle-timeout",
            ),
            Limit::Total => {
                ("total", format!("timed out: {what} took longer than {after} in all"), "--timeout")
            }
        };
        match last {
            Some(last) => {
                let of =
                    last.total.map(|total| format!(" of {}", amount(total))).unwrap_or_default();
                let text = last
                    .message
                    .as_deref()
                    .map(|text| format!(", {:?}", one_line(text)))
                    .unwrap_or_default();
                let reports = count(expired.reports, "report");
                message.push_str(&format!(
                    "; {reports} until then, the last: {}{of}{text}",
                    amount(last.progress)
                ));
            }
            None if expired.tracked => message.push_str("; no progress was ever reported"),
            None => message.push_str("; progress was not asked for"),
        }
        if let Some(interrupted) = expired.interrupted() {
            let before = exact(interrupted);
            message.push_str(&format!(
                "; the connection was lost {before} before, and not taken up again"
            ));
        }
        let deadline = Deadline {
            limit,
            after: expired.after.as_secs_f64(),
            elapsed: expired.elapsed.as_secs_f64(),
            reports: expired.reports,
            last: expired.last,
            interrupted: expired.interrupted().map(|time| time.as_secs_f64()),
        };
        Self { expired: Some(deadline.into()), ..Self::new(Kind::Timeout, message) }.hint(format!(
            "a longer limit, such as {option} {}, or {option} none",
            exact(expired.after.saturating_mul(10))
        ))
    }
}

/// For people: what failed, what the server said, what to try.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.message)?;
        if !self.said.is_empty() {
            f.write_str("\n  its last words:")?;
            self.said.iter().try_for_each(|line| write!(f, "\n    {}", one_line(line)))?;
        }
        match &self.hint {
            Some(hint) => write!(f, "\n  try: {hint}"),
            None => Ok(()),
        }
    }
}

const COMMAND: &str =
    "check that the command starts an MCP server that speaks on its stdin and stdout";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::StartLimitKind;

    #[test]
    fn every_kind_has_its_exit_code() {
        let all = [
            Kind::Peer,
            Kind::Usage,
            Kind::Closed,
            Kind::Unread,
            Kind::Protocol,
            Kind::Spawn,
            Kind::Connect,
            Kind::Timeout,
            Kind::Cancelled,
        ];
        assert_eq!(all.map(Kind::exit_code), [1, 2, 3, 3, 3, 3, 3, 4, 130]);
    }

    #[test]
    fn a_refused_handshake_says_what_to_check() {
        let refused =
            CloseReason::HandshakeRefused(ErrorObject::new(-32601, "no\nsuch\x1b[1m method"));
        let failure = Failure::of_start(refused, Whereabouts::Command);
        assert_eq!(failure.kind, Kind::Protocol);
        assert_eq!(
            failure.to_string(),
            "error: this is no MCP server: it refuses the handshake: no such\u{fffd}[1m method\n  \
             try: check that the command starts an MCP server that speaks on its stdin and stdout"
        );
    }

    #[test]
    fn a_slow_start_says_which_limit_passed_and_when() {
        let limit = StartLimit { kind: StartLimitKind::Total, after: Duration::from_secs(2) };
        let now = Duration::from_millis(2010).into();
        let failure = Failure::of_slow_start(limit, now, Whereabouts::Command);
        assert_eq!(
            failure.to_string(),
            "error: timed out: the server has not answered the handshake within 2s\n  try: check that the \
             command starts an MCP server that speaks on its stdin and stdout; or a longer limit, such as \
             --timeout 20s"
        );
        let expired = failure.expired.unwrap();
        assert_eq!((expired.limit, expired.after, expired.elapsed), ("total", 2.0, 2.01));
    }

    #[test]
    fn at_a_url_there_is_no_command_to_check() {
        let limit = StartLimit { kind: StartLimitKind::Handshake, after: Duration::from_secs(60) };
        let closed = CloseReason::Eof { unread: 0 };
        for failure in [
            Failure::of_start(CloseReason::HandshakeInvalid, Whereabouts::Url),
            Failure::of_close(CloseReason::TooManyViolations, Whereabouts::Url),
            Failure::of_slow_start(limit, limit.after.into(), Whereabouts::Url),
            Failure::of_start(closed, Whereabouts::Url).or_hint(Whereabouts::Url, "before"),
        ] {
            let hint = failure.hint.unwrap();
            assert!(hint.starts_with("check the ") && hint.contains("URL"), "{hint}");
        }
        let later = Failure::of_close(CloseReason::Stalled, Whereabouts::Url);
        assert_eq!(later.or_hint(Whereabouts::Url, "in the middle of the call").hint, None);
    }

    #[test]
    fn last_words_are_shown_before_the_advice() {
        let closed = CloseReason::Eof { unread: 0 };
        let mut failure = Failure::of_close(closed, Whereabouts::Command).hint("another server");
        failure.said = vec!["Traceback".into(), "  OSError: \x07full".into()];
        assert_eq!(
            failure.to_string(),
            "error: the connection ended: the peer closed it\n  its last words:\n    Traceback\n    \
             OSError: \u{fffd}full\n  try: another server"
        );
    }
}
