//! What a person reads when something goes wrong: it says what happened, and a peer's text cannot garble it.

use mcp_proto::progress::ReportError;
use mcp_proto::{
    CallOptions, CloseReason, ErrorObject, Event, ProgressToken, RequestId, SendError, Timeouts,
    Violation,
};
use mcp_tests::{Hand, progress, secs, work};

#[test]
fn every_ending_of_a_connection_says_why() {
    let refused = ErrorObject::internal("no seat").data(mcp_proto::RawJson::empty_object());
    for (reason, text) in [
        (CloseReason::Local, "closed by this side"),
        (CloseReason::Eof { unread: 0 }, "the peer closed it"),
        (
            CloseReason::Eof { unread: 7 },
            "the peer closed it in the middle of a message, 7 bytes in",
        ),
        (CloseReason::Transport, "the transport failed"),
        (CloseReason::HandshakeTimeout, "the peer did not answer the handshake in time"),
        (
            CloseReason::HandshakeRefused(refused),
            "the peer refused the handshake: no seat (code -32603)",
        ),
        (CloseReason::HandshakeInvalid, "the peer's answer to the handshake cannot be read"),
        (CloseReason::NoCommonVersion, "the two sides share no revision of the protocol"),
        (CloseReason::Stalled, "the peer stopped reading"),
        (CloseReason::TooManyViolations, "the peer broke the protocol too often"),
    ] {
        assert_eq!(reason.to_string(), text);
    }
}

#[test]
fn every_refusal_of_a_report_says_why() {
    for (error, text) in [
        (ReportError::NotFinite, "progress and total must be finite numbers"),
        (
            ReportError::NotIncreasing { last: 0.5 },
            "progress must increase: 0.5 was reported before",
        ),
        (ReportError::Finished, "the request has been answered or cancelled"),
    ] {
        assert_eq!(error.to_string(), text);
    }
}

#[test]
fn every_violation_says_what_the_peer_did() {
    let (id, token) = (RequestId::from(7), ProgressToken::from("t"));
    for (violation, text) in [
        (Violation::NotAMessage("no method".into()), "not a JSON-RPC message: no method"),
        (Violation::TooLong { limit: 9 }, "a line is longer than 9 bytes"),
        (Violation::Batch, "a batch, which this revision does not have"),
        (Violation::DuplicateId(id.clone()), "request id 7 is already in flight"),
        (Violation::TooManyRequests, "too many requests at once"),
        (Violation::LateResponse(id.clone()), "a response to call 7, which has ended"),
        (Violation::UnknownResponse(id.clone()), "a response to 7, which was never called"),
        (
            Violation::AnonymousError(ErrorObject::internal("what?")),
            "an error for no request in particular: what? (code -32603)",
        ),
        (
            Violation::LenientId(id.clone()),
            "a response names its call 7, of another type than was sent",
        ),
        (Violation::InvalidResponse("neither".into()), "an invalid response: neither"),
        (Violation::LateProgress(token.clone()), "progress for \"t\", whose call has ended"),
        (Violation::UnknownToken(token.clone()), "progress for \"t\", which was never given out"),
        (Violation::LenientToken(token), "progress for \"t\", of another type than was sent"),
        (Violation::BadToken, "progress with a token that is neither string nor integer"),
        (Violation::BadProgress, "progress whose value is no finite number"),
        (
            Violation::NotIncreasing { id, last: 2.0, progress: 1.5 },
            "progress of call 7 did not increase: 1.5 after 2",
        ),
        (Violation::UnexpectedMethod("a request".into()), "an unexpected message: a request"),
        (Violation::BadNotification("x".into()), "the parameters of x cannot be read"),
    ] {
        assert_eq!(violation.to_string(), text);
    }
}

#[test]
fn what_is_wrong_with_a_line_is_told_with_its_place_and_its_escaped_start() {
    let mut client = Hand::client();
    let told = |client: &mut Hand<_>, line: &[u8]| {
        client.feed(line);
        match client.told().pop() {
            Some(Event::Violation(violation)) => violation.to_string(),
            other => panic!("{other:?}"),
        }
    };
    let noise = told(&mut client, b"\x1b[31mloading\n");
    assert!(noise.contains("at byte 0 of \"\\u{1b}[31mloading\""), "{noise}");
    assert!(told(&mut client, b"{\"a\":\"\xff\"}\n").contains("not UTF-8 at byte 6"));
    assert!(told(&mut client, b"{\"a\":\"\\ud800\"}\n").contains("half a surrogate pair"));
    let deep = format!("{{\"a\":{}{}}}\n", "[".repeat(100), "]".repeat(100));
    assert!(told(&mut client, deep.as_bytes()).contains("nested too deeply"));
    let key = b"{\"jsonrpc\":\"2.0\",\"method\":\"x\",\"params\":{\"$serde_json::private::RawValue\":\"\"}}\n";
    assert!(told(&mut client, key).contains("a key reserved by serde_json"));
}

#[test]
fn a_timeout_says_whether_reports_could_have_kept_the_call_alive() {
    let idle = || CallOptions::default().timeouts(Timeouts::NEVER.idle(secs(5)));
    let text = |options: CallOptions, reports: &[&str]| {
        let mut client = Hand::client();
        let id = client.call(options);
        reports.iter().for_each(|value| client.feed(progress(&id.to_string(), value)));
        client.pass(secs(5));
        match client.told().pop() {
            Some(Event::Response { outcome: Err(error), .. }) => error.to_string(),
            other => panic!("{other:?}"),
        }
    };
    let silent = "timed out: nothing was heard of the call for 5s";
    assert_eq!(text(idle(), &[]), format!("{silent}; no progress was ever reported"));
    assert!(
        text(idle().untracked(), &[]).starts_with(&format!("{silent}; progress was not asked for"))
    );
    assert_eq!(
        text(idle(), &["1", "2.5"]),
        format!("{silent}; 2 reports had come, the last said 2.5")
    );
    let total = CallOptions::default().timeouts(Timeouts::NEVER.total(secs(5))).tracked();
    assert_eq!(
        text(total, &[]),
        "timed out: the call took longer than 5s in all; no progress was ever reported"
    );
}

#[test]
fn what_cannot_be_written_is_the_callers_error_and_leaves_no_trace() {
    struct Broken;
    impl serde::Serialize for Broken {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("out of ink"))
        }
    }
    impl mcp_proto::Notification for Broken {
        const METHOD: &'static str = "notifications/broken";
        type Sender = mcp_proto::role::Client;
    }
    let mut client = Hand::client();
    let error = client.conn().notify(&Broken).unwrap_err();
    assert!(matches!(error, SendError::Encode(_)) && error.to_string().contains("out of ink"));
    assert_eq!(client.said(), [""; 0]);
    let now = client.now();
    let _ticket = client.conn().request(&work(), CallOptions::default(), now).unwrap();
    assert_eq!(client.said().len(), 1);
}
