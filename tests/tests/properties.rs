//! What holds for every input, every way to cut it, and every schedule.

use std::collections::BTreeSet;
use std::time::Duration;

use mcp_proto::progress::{Pacing, Weight};
use mcp_proto::role::Role;
use mcp_proto::testing::{End, Pair, Random, SimNet};
use mcp_proto::{
    CallError, CallOptions, CallToolResult, ClientConfig, Connection, ErrorObject, Event, Instant,
    Progress, RequestId, Revision, ServerConfig, Timeouts,
};
use mcp_tests::{
    Hand, endings, handshake, millis, progress, result, secs, tool_call, values, welcome, work,
};
use proptest::prelude::*;

/// Lines that a server may meet: good, bad and ugly.
fn line_for_server() -> impl Strategy<Value = String> {
    prop_oneof![
        (0..6_i64, prop::option::of(0..4_i64))
            .prop_map(|(id, token)| tool_call(&id.to_string(), token.map(|token| token.to_string()).as_deref())),
        (0..6_i64).prop_map(|id| format!(
            "{{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{{\"requestId\":{id}}}}}\n"
        )),
        Just("{\"jsonrpc\":\"2.0\",\"id\":\"p\",\"method\":\"ping\"}\r\n".to_owned()),
        Just("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/é漢\u{1F600}\"}\n".to_owned()),
        Just("\n".to_owned()),
        Just("{\"jsonrpc\":\"1.0\",\"id\":9,\"method\":\"x\"}\n".to_owned()),
        Just("[{\"jsonrpc\":\"2.0\"}]\n".to_owned()),
        "[ -~]{0,40}".prop_map(|junk| junk + "\n"),
    ]
}

/// Lines that a client with two calls in flight (2 and 3) may meet.
fn line_for_client() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => (1..6_i64, -2..20_i64).prop_map(|(token, value)| progress(&token.to_string(), &value.to_string())),
        1 => (1..6_i64).prop_map(result),
        1 => (1..6_i64).prop_map(|id| format!("{{\"jsonrpc\":\"2.0\",\"id\":\"{id}\",\"error\":{{\"code\":-1,\"message\":\"no\"}}}}\n")),
        1 => Just("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"level\":\"info\",\"data\":1}}\n".to_owned()),
        1 => "\\PC{0,30}".prop_map(|junk| junk + "\n"),
    ]
}

/// Feeds `stream` cut at `cuts`, draining sometimes, and gives everything that came out.
fn fed<R: Role>(
    mut hand: Hand<R>,
    stream: &[u8],
    cuts: &[usize],
    ends: bool,
) -> (Vec<Event>, Vec<String>) {
    let mut places: Vec<usize> = cuts.iter().map(|cut| cut % (stream.len() + 1)).collect();
    places.extend([0, stream.len()]);
    places.sort_unstable();
    let (mut told, mut said) = (Vec::new(), Vec::new());
    for pair in places.windows(2) {
        hand.feed(&stream[pair[0]..pair[1]]);
        if pair[1] % 3 == 0 {
            told.extend(hand.told());
        }
        if pair[1] % 5 == 0 {
            said.extend(hand.said());
        }
    }
    if ends {
        hand.eof();
    }
    said.extend(hand.said());
    told.extend(hand.told());
    (told, said)
}

fn client_with_calls() -> Hand<mcp_proto::role::Client> {
    let mut client = Hand::client();
    client.call(CallOptions::default().tracked());
    client.call(CallOptions::default().tracked());
    client
}

proptest! {
    /// R-STDIO-01: where a read ends means nothing.
    #[test]
    fn any_chunking_gives_a_server_the_same_events_and_answers(
        lines in prop::collection::vec(line_for_server(), 0..20),
        cuts in prop::collection::vec(any::<usize>(), 0..30),
        ends in any::<bool>(),
    ) {
        let stream = lines.concat();
        let whole = fed(Hand::server(), stream.as_bytes(), &[], ends);
        prop_assert_eq!(fed(Hand::server(), stream.as_bytes(), &cuts, ends), whole);
    }

    /// R-STDIO-01: the same for a client.
    #[test]
    fn any_chunking_gives_a_client_the_same_events(
        lines in prop::collection::vec(line_for_client(), 0..20),
        cuts in prop::collection::vec(any::<usize>(), 0..30),
        ends in any::<bool>(),
    ) {
        let stream = lines.concat();
        let whole = fed(client_with_calls(), stream.as_bytes(), &[], ends);
        prop_assert_eq!(fed(client_with_calls(), stream.as_bytes(), &cuts, ends), whole);
    }

    /// D5: N reports and the result in one read arrive as N reports and then the result.
    #[test]
    fn reports_and_result_in_one_read_arrive_as_reports_and_then_the_result(
        steps in prop::collection::vec(0.001_f64..1e6, 0..200),
        cuts in prop::collection::vec(any::<usize>(), 0..5),
        revision in prop::sample::select(Revision::ALL[..4].to_vec()),
    ) {
        let mut client = Hand::client_at(revision);
        let id = client.call(CallOptions::default().tracked());
        let mut value = -1e6;
        let mut sent = Vec::new();
        let mut stream = String::new();
        for step in steps {
            value += step;
            sent.push(value);
            stream += &progress("2", &format!("{value:?}"));
        }
        stream += &result(&id);
        let (told, _) = fed(client, stream.as_bytes(), &cuts, false);
        prop_assert_eq!(values(&told), sent.clone());
        prop_assert_eq!(told.len(), sent.len() + 1);
        prop_assert_eq!(endings(&told), [(id, true)]);
    }

    /// T1: every byte string gives events or violations, at each of the two and at any moment.
    #[test]
    fn nothing_panics_on_arbitrary_bytes(
        bytes in prop::collection::vec(any::<u8>(), 0..400),
        head in 0..3_u8,
        at in any::<u64>(),
    ) {
        let (for_server, for_client) = match head {
            0 => (String::new(), String::new()),
            1 => ("{\"jsonrpc\":\"2.0\",\"id\":".into(), "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":".into()),
            _ => (handshake(Revision::V2025_06_18), welcome(Revision::V2025_11_25)),
        };
        let now = Instant::from_nanos(at);
        let mut server = Connection::server(ServerConfig::new("s", "1"));
        let mut client = Connection::client(ClientConfig::new("c", "1"), Instant::ZERO);
        let _ = client.request(&work(), CallOptions::default().tracked(), Instant::ZERO);
        prop_assert!(survives(&mut server, for_server.as_bytes(), &bytes, now));
        prop_assert!(survives(&mut client, for_client.as_bytes(), &bytes, now));
    }

    /// T1: a message with some bytes changed is the likeliest thing to be read wrongly.
    #[test]
    fn nothing_panics_on_damaged_messages(
        lines in prop::collection::vec(line_for_server(), 1..8),
        damage in prop::collection::vec((any::<usize>(), any::<u8>()), 1..6),
    ) {
        let mut stream = (handshake(Revision::V2025_11_25) + &lines.concat()).into_bytes();
        for (place, byte) in damage {
            let place = place % stream.len();
            stream[place] = byte;
        }
        let mut server = Connection::server(ServerConfig::new("s", "1"));
        prop_assert!(survives(&mut server, &[], &stream, Instant::ZERO));
        let mut client = Connection::client(ClientConfig::new("c", "1"), Instant::ZERO);
        prop_assert!(survives(&mut client, &[], &stream, Instant::ZERO));
    }

    /// Calling it twice, or for nothing, changes nothing; nor does it matter that hours have passed in between.
    #[test]
    fn handle_timeout_is_idempotent(
        lines in prop::collection::vec(line_for_client(), 0..12),
        gaps in prop::collection::vec(prop_oneof![9 => 0..2_000_u64, 1 => 3_600_000..72_000_000_u64], 12),
        idle in 1..3_000_u64,
        total in 1..6_000_u64,
    ) {
        let timeouts = Timeouts::NEVER.idle(millis(idle)).total(millis(total));
        let mut once = Hand::client();
        once.call(CallOptions::default().timeouts(timeouts));
        once.call(CallOptions::default().tracked().timeouts(timeouts));
        let mut often = once.clone();
        let mut now = Instant::ZERO;
        let (mut from_once, mut from_often) = (Vec::new(), Vec::new());
        for (line, gap) in lines.iter().zip(gaps) {
            now = now + millis(gap);
            once.conn().handle_timeout(now);
            for _ in 0..3 {
                often.conn().handle_timeout(now);
            }
            prop_assert!(once.conn().poll_timeout().is_none_or(|due| due > now), "what is due has happened");
            once.conn().handle_input(line.as_bytes(), now);
            often.conn().handle_input(line.as_bytes(), now);
            from_once.extend(once.told());
            from_often.extend(often.told());
            often.conn().handle_timeout(now);
            prop_assert_eq!(once.conn().poll_timeout(), often.conn().poll_timeout());
        }
        prop_assert_eq!(once.said(), often.said());
        prop_assert_eq!(from_once, from_often);
    }
}

/// Feeds bytes to one end and lets it end; whether it closed exactly once.
fn survives<R: Role>(end: &mut Connection<R>, head: &[u8], bytes: &[u8], now: Instant) -> bool {
    end.handle_input(head, Instant::ZERO);
    end.handle_input(bytes, now);
    let mut closed = 0;
    for _ in 0..4 {
        while let Some(event) = end.poll_event() {
            closed += usize::from(matches!(event, Event::Closed(_)));
        }
        while let Some(length) = end.poll_transmit().map(<[u8]>::len) {
            end.advance_transmit(length);
        }
        if let Some(due) = end.poll_timeout() {
            end.handle_timeout(due.max(now));
        }
    }
    end.handle_eof(now);
    end.close(now);
    while let Some(event) = end.poll_event() {
        closed += usize::from(matches!(event, Event::Closed(_)));
    }
    closed == 1
}

/// What happens in one run of a pair over a bad network.
struct Run {
    pair: Pair,
    random: Random,
    revision: Revision,
    /// Calls of the client, and how often each has ended.
    calls: Vec<(RequestId, usize)>,
    /// Requests that the server works on.
    working: Vec<RequestId>,
    /// Requests that have ended at the server, by id.
    over: BTreeSet<RequestId>,
    /// How much of the server's output has been looked at.
    looked_at: usize,
    value: f64,
    /// How the calls ended, and how many reports were looked at: a run in which nothing happens proves nothing.
    seen: Seen,
}

#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    results: u32,
    peer_errors: u32,
    timeouts: u32,
    cancels: u32,
    closes: u32,
    reports_written: u32,
    reports_read: u32,
}

impl Run {
    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let revision = Revision::ALL[usize::try_from(random.below(5)).unwrap()];
        let mut net = SimNet::new(seed)
            .chunks(1..=usize::try_from(1 + random.below(300)).unwrap())
            .delay(Duration::ZERO..=millis(random.below(400)));
        if random.below(2) == 0 {
            net = net.capacity(usize::try_from(1 + random.below(500)).unwrap());
        }
        for end in [End::Client, End::Server] {
            if random.below(4) == 0 {
                net = net.cut_after(end, usize::try_from(random.below(4_000)).unwrap());
            }
        }
        let client = ClientConfig::new("c", "1").revisions(revision);
        let pacing =
            if random.below(2) == 0 { Pacing::UNLIMITED } else { Pacing::default().burst(2) };
        let server = ServerConfig::new("s", "1").revisions(revision).pacing(pacing);
        let pair = Pair::new(client, server).over(net);
        let (calls, working, over) = (Vec::new(), Vec::new(), BTreeSet::new());
        Self {
            pair,
            random,
            revision,
            calls,
            working,
            over,
            looked_at: 0,
            value: 0.0,
            seen: Seen::default(),
        }
    }

    fn act(&mut self) {
        let pair = &mut self.pair;
        let pick = |random: &mut Random, length: usize| {
            usize::try_from(random.below(length as u64)).unwrap()
        };
        match self.random.below(12) {
            0..=2 => {
                let idle = millis(1 + self.random.below(3_000));
                let timeouts = Timeouts::NEVER.idle(idle).total(idle * 3);
                let options = CallOptions::default().tracked().timeouts(timeouts);
                // It may be refused, once the connection has ended.
                if let Ok(ticket) = pair.client.request(&work(), options, pair.now) {
                    self.calls.push((ticket.id().clone(), 0));
                }
            }
            3 if !self.calls.is_empty() => {
                let (id, _) = &self.calls[pick(&mut self.random, self.calls.len())];
                pair.client.cancel(id, Some("changed my mind"), pair.now);
            }
            4..=6 if !self.working.is_empty() => {
                let id = &self.working[pick(&mut self.random, self.working.len())];
                self.value += 1.0;
                let weight =
                    if self.random.below(4) == 0 { Weight::Milestone } else { Weight::Ordinary };
                let _ = pair.server.report(id, Progress::new(self.value), weight, pair.now);
            }
            7..=8 if !self.working.is_empty() => {
                let id = self.working.swap_remove(pick(&mut self.random, self.working.len()));
                match self.random.below(3) {
                    0 => drop(pair.server.respond(&id, &CallToolResult::text("done"), pair.now)),
                    1 => drop(pair.server.fail(&id, &ErrorObject::internal("no"), pair.now)),
                    _ => pair.server.abandon(&id, pair.now),
                }
                self.over.insert(id);
            }
            9 => drop(pair.jump()),
            10 if self.random.below(40) == 0 => match self.random.below(3) {
                0 => pair.client.close(pair.now),
                1 => pair.server.close(pair.now),
                _ => pair.net.disconnect(pair.now),
            },
            _ => pair.advance(millis(self.random.below(500))),
        }
        self.look();
    }

    /// Takes in what both ends were told.
    fn look(&mut self) {
        self.pair.settle();
        for event in self.pair.server_events.drain(..) {
            if let Event::Request { id, .. } = event {
                self.working.push(id);
            }
        }
        let context = format!("{}, {}", self.pair.net, self.revision);
        for event in &self.pair.client_events {
            match event {
                Event::Progress { id, .. } => {
                    let (_, ended) = self.calls.iter().find(|(call, _)| call == id).unwrap();
                    assert_eq!(*ended, 0, "progress of call {id} after its end: {context}");
                    self.seen.reports_read += 1;
                }
                Event::Response { id, outcome } => {
                    let counter = match outcome {
                        Ok(_) => &mut self.seen.results,
                        Err(CallError::Peer(_)) => &mut self.seen.peer_errors,
                        Err(CallError::TimedOut(_)) => &mut self.seen.timeouts,
                        Err(CallError::Cancelled) => &mut self.seen.cancels,
                        Err(CallError::Closed(_)) => &mut self.seen.closes,
                        Err(error) => panic!("call {id}: {error}: {context}"),
                    };
                    *counter += 1;
                    let (_, ended) = self.calls.iter_mut().find(|(call, _)| call == id).unwrap();
                    *ended += 1;
                    assert_eq!(*ended, 1, "call {id} ended twice: {context}");
                }
                Event::Violation(violation) => {
                    let is_late = matches!(
                        violation,
                        mcp_proto::Violation::LateProgress(_)
                            | mcp_proto::Violation::LateResponse(_)
                    );
                    assert!(is_late, "our own server broke the protocol: {violation}: {context}");
                }
                _ => {}
            }
        }
        self.pair.client_events.clear();
    }

    /// What the server has written since the last look is nothing for a request that was over before.
    fn check_silence(&mut self, over_before: &BTreeSet<RequestId>) {
        let sent = &self.pair.server_sent[self.looked_at..];
        let Some(end) = sent.iter().rposition(|byte| *byte == b'\n') else { return };
        for line in sent[..end].split(|byte| *byte == b'\n') {
            let raw = mcp_proto::json::Raw::parse(line, 64).unwrap();
            let Some(token) = raw.get("params").and_then(|params| params.get("progressToken"))
            else {
                continue;
            };
            let id = RequestId::from(token.as_f64().unwrap() as i64);
            self.seen.reports_written += 1;
            assert!(
                !over_before.contains(&id),
                "a report of {id} left after its end: {}",
                self.pair.net
            );
        }
        self.looked_at += end + 1;
    }
}

/// D7: whatever the order of bytes, time and drops, a call ends exactly once, and nothing leaves for one
/// that has ended. Afterwards no table holds anything.
#[test]
fn every_call_ends_exactly_once_under_any_schedule() {
    let mut seen = Seen::default();
    for seed in 0..1_500 {
        let mut run = Run::new(seed);
        run.seen = seen;
        run.look();
        for _ in 0..80 {
            let over = run.over.clone();
            let was_empty = !run.pair.server.has_transmit();
            run.act();
            if was_empty {
                run.check_silence(&over);
            } else {
                run.looked_at = run.pair.server_sent.len();
            }
        }
        // The faults stop; what is left must come to an end by itself.
        for id in std::mem::take(&mut run.working) {
            run.pair.server.abandon(&id, run.pair.now);
        }
        run.pair.advance(secs(200));
        run.look();
        for id in std::mem::take(&mut run.working) {
            run.pair.server.abandon(&id, run.pair.now);
        }
        run.pair.advance(secs(200));
        run.look();
        for (id, ended) in &run.calls {
            assert_eq!(
                *ended, 1,
                "call {id} of {}: {}, {:?}",
                run.revision, run.pair.net, run.pair.client
            );
        }
        assert_eq!(run.pair.client.calls_in_flight(), 0, "{}", run.pair.net);
        assert_eq!(run.pair.server.requests_in_flight(), 0, "{}", run.pair.net);
        seen = run.seen;
    }
    let Seen { results, peer_errors, timeouts, cancels, closes, reports_written, reports_read } =
        seen;
    for count in [results, peer_errors, timeouts, cancels, closes, reports_written, reports_read] {
        assert!(count > 500, "too little happened: {seen:?}");
    }
}
