//! Whether the connection still works behind an input, or has ended as it should.

use std::time::Duration;

use mcp_proto::role::Role;
use mcp_proto::{CallOptions, CloseReason, Revision};

use super::case::{After, Case, Feed, Side};
use super::names::Names;
use super::run::{end, id};
use super::start::{PROBE, server_probe, welcome};
use super::subject::Subject;

/// What is wrong with the connection behind the input.
pub(super) fn after<R: Role>(
    subject: &mut Subject<R>,
    case: &Case,
    names: &Names,
    revision: Revision,
    is_cut: bool,
) -> Vec<String> {
    let after = case.expect(names).after;
    let is_closed = subject.conn.is_closed();
    let mut faults = match (after, is_closed) {
        (After::Closed, true) | (After::Either, true) => Vec::new(),
        (After::Closed, false) => vec!["the connection has not ended".to_owned()],
        (After::Usable, true) => {
            vec![format!("the connection has ended: {:?}", subject.seen.closed)]
        }
        (_, false) if !subject.reads => stall(subject),
        (_, false) => {
            subject.start_watch(b"");
            if is_cut {
                // The input may have left an unfinished line behind.
                subject.feed(b"\n", Feed::Greedy);
                subject.look();
            }
            match case.role {
                Side::Server => server(subject, revision),
                Side::Client => client(subject, names, revision),
            }
        }
    };
    faults.extend(end(subject));
    faults
}

/// A peer that never reads is let go of in the end.
fn stall<R: Role>(subject: &mut Subject<R>) -> Vec<String> {
    subject.pass(Duration::from_secs(60));
    match subject.look().closed {
        Some(CloseReason::Stalled) => Vec::new(),
        other => vec![format!("a peer that does not read is kept: {other:?}")],
    }
}

fn server<R: Role>(subject: &mut Subject<R>, revision: Revision) -> Vec<String> {
    let probe = server_probe(revision);
    subject.feed(probe.as_bytes(), Feed::Greedy);
    subject.pass(Duration::from_secs(1));
    let sent = subject.look().sent;
    match &sent[..] {
        [answer] if answer.is_result() && answer.json["id"] == PROBE => Vec::new(),
        other => vec![format!("the probe was answered with {other:?}")],
    }
}

/// Opens the connection if that is still to be done, calls, and answers that and every other call.
fn client<R: Role>(subject: &mut Subject<R>, names: &Names, revision: Revision) -> Vec<String> {
    let mut faults = Vec::new();
    if subject.opening.is_some() {
        let revision =
            if subject.opening == Some("PROBE") { Revision::LATEST_LEGACY } else { revision };
        let answer = welcome(revision, &subject.opening_id);
        subject.feed(answer.as_bytes(), Feed::Greedy);
        if subject.conn.peer().is_none() {
            faults.push("the handshake cannot be finished".to_owned());
        }
    }
    subject.look();
    let mut waiting: Vec<(String, String)> = Vec::new();
    let pending = subject.look().pending;
    waiting.extend(pending.iter().map(|call| (call.clone(), id(names, call).to_owned())));
    match subject.conn.request_raw("tools/list", None, CallOptions::default(), subject.now) {
        Ok(call) => {
            waiting.push((call.to_string(), call.to_string()));
            subject.pump();
            subject.look();
        }
        Err(error) => faults.push(format!("no call can be made: {error}")),
    }
    for (call, id) in waiting {
        let answer = format!(
            "{{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{{\"resultType\":\"complete\",\"v\":7}}}}\n"
        );
        subject.feed(answer.as_bytes(), Feed::Greedy);
        let endings = subject.look().endings;
        let mine: Vec<_> = endings.iter().filter(|ending| ending.call == call).collect();
        let is_it = matches!(&mine[..], [ending] if ending.value.as_ref().is_some_and(|value| value["v"] == 7));
        if !is_it {
            faults.push(format!("{call} ended with {mine:?}"));
        }
    }
    faults
}
