//! Batches of any members, in any order of answers.

use mcp_proto::progress::Weight;
use mcp_proto::{CallToolResult, Event, Progress, RequestId};
use mcp_tests::{result, tool_call};
use proptest::prelude::*;
use serde_json::Value;

use super::{NOTIFICATION, batch, cancelled, lines, ping, server};

/// Members that a server may meet; ids are the places, so that none comes twice.
fn member() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => prop::option::of(0..4_i64)
            .prop_map(|token| tool_call("ID", token.map(|token| token.to_string()).as_deref())),
        2 => Just(ping("ID")),
        1 => (0..12_i64).prop_map(|id| cancelled(&id.to_string())),
        1 => Just(NOTIFICATION.to_owned()),
        1 => (0..9_i64).prop_map(result),
        1 => Just("{\"jsonrpc\":\"1.0\",\"id\":ID,\"method\":\"x\"}".to_owned()),
        1 => Just("{\"jsonrpc\":\"2.0\",\"id\":ID,\"method\":\"notifications/x\"}".to_owned()),
        1 => Just("{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":\"x\"}".to_owned()),
        1 => Just("7".to_owned()),
    ]
}

/// What came out: events, answers in the order of their ids, and what is no answer in its own order.
type Outcome = (Vec<Event>, Vec<String>, Vec<Value>);

/// Feeds the stream cut at `cuts`, then answers what was asked in an order that `order` picks.
fn conversation(stream: &str, cuts: &[usize], order: &[usize], ends: bool) -> Outcome {
    let mut server = server();
    let mut places: Vec<usize> = cuts.iter().map(|cut| cut % (stream.len() + 1)).collect();
    places.extend([0, stream.len()]);
    places.sort_unstable();
    let mut told = Vec::new();
    for pair in places.windows(2) {
        server.feed(&stream.as_bytes()[pair[0]..pair[1]]);
        if pair[1] % 3 == 0 {
            told.extend(server.told());
        }
    }
    told.extend(server.told());
    let mut open: Vec<RequestId> = Vec::new();
    for event in &told {
        match event {
            Event::Request { id, .. } => open.push(id.clone()),
            Event::Cancelled { id, .. } => open.retain(|open| open != id),
            _ => {}
        }
    }
    let now = server.now();
    for (step, pick) in order.iter().cycle().enumerate().take(2 * open.len()) {
        let id = open[pick % open.len()].clone();
        match step % 3 {
            0 => {
                let progress = Progress::new(step as f64);
                let _ = server.conn().report(&id, progress, Weight::Milestone, now);
            }
            1 => drop(server.conn().respond(&id, &CallToolResult::text("done"), now)),
            _ => server.conn().abandon(&id, now),
        }
    }
    for id in &open {
        server.conn().abandon(id, now);
    }
    if ends {
        server.eof();
    }
    let mut answers = Vec::new();
    let mut others = Vec::new();
    for line in lines(&server.said()) {
        let messages = match line {
            Value::Array(messages) => messages,
            message => vec![message],
        };
        for message in messages {
            if message.get("method").is_some() {
                others.push(message);
            } else {
                answers.push(message.to_string());
            }
        }
    }
    answers.sort();
    told.extend(server.told());
    (told, answers, others)
}

proptest! {
    /// R-BATCH-01, R-BATCH-04, R-STDIO-01: a batch is what its members are one by one, but for how its
    /// answers are grouped; and where a read ends means nothing.
    #[test]
    fn a_batch_equals_its_members_one_by_one(
        mut members in prop::collection::vec(member(), 1..12),
        cuts in prop::collection::vec(any::<usize>(), 0..20),
        order in prop::collection::vec(any::<usize>(), 1..20),
        ends in any::<bool>(),
    ) {
        for (place, member) in members.iter_mut().enumerate() {
            *member = member.trim_end().replace("ID", &place.to_string());
        }
        let together = conversation(&batch(&members), &cuts, &order, ends);
        let alone = members.join("\n") + "\n";
        prop_assert_eq!(&together, &conversation(&alone, &[], &order, ends));
    }

    /// R-BATCH-04: several batches at once, whatever is cancelled and whoever answers first: each array
    /// has the answers of one of them.
    #[test]
    fn batches_do_not_mix(
        first in 1..6_usize,
        second in 1..6_usize,
        order in Just((0..12).collect::<Vec<i64>>()).prop_shuffle(),
        gone in prop::collection::vec(0..12_i64, 0..3),
    ) {
        let mut server = server();
        let calls = |ids: std::ops::Range<usize>| -> Vec<String> {
            ids.map(|id| tool_call(&id.to_string(), None)).collect()
        };
        server.feed(batch(&calls(0..first)));
        server.feed(batch(&calls(6..6 + second)));
        server.told();
        for id in &gone {
            server.feed(cancelled(&id.to_string()) + "\n");
        }
        server.told();
        let now = server.now();
        for id in order {
            let _ = server.conn().respond(&id.into(), &CallToolResult::text("done"), now);
        }
        let mut arrays: Vec<Vec<i64>> = Vec::new();
        for line in lines(&server.said()) {
            let answers = line.as_array().unwrap().iter();
            let mut ids: Vec<i64> = answers.map(|answer| answer["id"].as_i64().unwrap()).collect();
            ids.sort_unstable();
            arrays.push(ids);
        }
        arrays.sort();
        let left = |ids: std::ops::Range<usize>| -> Vec<i64> {
            ids.map(|id| id as i64).filter(|id| !gone.contains(id)).collect()
        };
        let mut expected = vec![left(0..first), left(6..6 + second)];
        expected.retain(|ids| !ids.is_empty());
        prop_assert_eq!(arrays, expected);
        prop_assert_eq!(server.conn().requests_in_flight(), 0);
    }
}
