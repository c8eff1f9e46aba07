use super::*;
use crate::config::{CallOptions, ClientConfig, ServerConfig};
use crate::error::{CloseReason, ErrorObject, SendError, Violation};
use crate::event::Event;
use crate::id::RequestId;
use crate::json::RawJson;
use crate::progress::{Pacing, Weight};
use crate::revision::{Era, Revision};
use crate::role::{Client, Server};
use crate::time::Instant;
use crate::types::{CallToolResult, Progress};
use crate::wire::Framing;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::iter::from_fn;
use core::time::Duration;

const LIMITS: Limits = Limits {
    max_message_len: 1_000,
    max_depth: 7,
    max_id_len: 20,
    max_method_len: 30,
    max_calls: 3,
    max_requests: 5,
    max_batch_len: 4,
    max_outbox_len: 3_000,
    max_output_len: 5_000,
    stall_timeout: Duration::from_secs(9),
    max_error_answers_per_second: 4,
    max_error_answers: 6,
    max_violation_reports_per_second: 30,
    max_milestones: 2,
    max_events: 8,
};

/// Where a limit is tried.
#[derive(Clone, Copy, Debug)]
struct Way {
    framing: Framing,
    revision: Revision,
}

/// A side of a conversation that has been opened, and where that is.
struct End<R> {
    conn: Connection<R>,
    way: Way,
}

/// What each role can do of what is tried here.
trait Side: Role + Sized {
    /// In a conversation that has been opened, with nothing more to say.
    fn end(way: Way) -> End<Self>;

    /// The method of a request that its peer may ask of it and its caller answers, if there is one in that era.
    fn asked(way: Way) -> Option<&'static str>;

    /// Whether it may call its peer in that era.
    fn calls(way: Way) -> bool;

    /// Whether it answers nonsense.
    const ANSWERS_NONSENSE: bool;
}

impl Side for Server {
    fn end(way: Way) -> End<Self> {
        let pacing = Pacing::default().burst(1).every(Duration::from_secs(3600));
        let config = ServerConfig::new("s", "1").limits(LIMITS).pacing(pacing);
        let mut end = End { conn: Connection::server(config).framed(way.framing), way };
        if way.revision.era() == Era::Legacy {
            end.tell(&format!(
                "{{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{{\"protocolVersion\":\
                 \"{}\",\"capabilities\":{{}},\"clientInfo\":{{\"name\":\"c\",\"version\":\"1\"}}}}}}",
                way.revision
            ));
            end.tell("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}");
        }
        end.said();
        end
    }

    fn asked(_: Way) -> Option<&'static str> {
        Some("x/y")
    }

    fn calls(way: Way) -> bool {
        way.revision.era() == Era::Legacy
    }

    const ANSWERS_NONSENSE: bool = true;
}

impl Side for Client {
    fn end(way: Way) -> End<Self> {
        let mut config = ClientConfig::new("c", "1").revisions(way.revision).limits(LIMITS);
        config.capabilities.sampling = Some(RawJson::empty_object());
        let mut conn = Connection::client(config, Instant::ZERO).framed(way.framing);
        let _ = conn.poll_transmit().map(<[u8]>::len).map(|len| conn.advance_transmit(len));
        let mut end = End { conn, way };
        let told = end.tell(&match way.revision.era() {
            Era::Legacy => format!(
                "{{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{{\"protocolVersion\":\"{}\",\"capabilities\":{{}},\
                 \"serverInfo\":{{\"name\":\"s\",\"version\":\"1\"}}}}}}",
                way.revision
            ),
            Era::Modern => format!(
                "{{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{{\"resultType\":\"complete\",\"supportedVersions\":\
                 [\"{}\"],\"capabilities\":{{}}}}}}",
                way.revision
            ),
        });
        assert!(matches!(told[..], [Event::Ready(_)]), "{told:?}");
        end.said();
        end
    }

    fn asked(way: Way) -> Option<&'static str> {
        (way.revision.era() == Era::Legacy).then_some("sampling/createMessage")
    }

    fn calls(_: Way) -> bool {
        true
    }

    const ANSWERS_NONSENSE: bool = false;
}

impl<R: Side> End<R> {
    /// A message arrives.
    fn hear(&mut self, message: &str) {
        let now = self.conn.core().clock();
        match self.way.framing {
            Framing::Lines => self.conn.handle_input(format!("{message}\n").as_bytes(), now),
            Framing::Messages => self.conn.handle_input(message.as_bytes(), now),
        }
    }

    fn told(&mut self) -> Vec<Event> {
        from_fn(|| self.conn.poll_event()).collect()
    }

    /// What happens after this message.
    fn tell(&mut self, message: &str) -> Vec<Event> {
        self.hear(message);
        self.told()
    }

    /// What was said, each message with a newline.
    fn said(&mut self) -> String {
        let mut said = Vec::new();
        while let Some(chunk) = self.conn.poll_transmit() {
            said.extend_from_slice(chunk);
            if self.way.framing == Framing::Messages {
                said.push(b'\n');
            }
            let length = chunk.len();
            self.conn.advance_transmit(length);
        }
        String::from_utf8(said).unwrap()
    }

    /// A request with this id.
    fn request(&self, id: &str) -> String {
        self.request_of(id, R::asked(self.way).unwrap())
    }

    fn request_of(&self, id: &str, method: &str) -> String {
        let stamp = match self.way.revision.era() {
            Era::Legacy => String::new(),
            Era::Modern => format!(
                ",\"io.modelcontextprotocol/protocolVersion\":\"{}\",\
                 \"io.modelcontextprotocol/clientCapabilities\":{{}}",
                self.way.revision
            ),
        };
        format!(
            "{{\"jsonrpc\":\"2.0\",\"id\":\"{id}\",\"method\":\"{method}\",\"params\":{{\"_meta\":{{\
             \"progressToken\":1{stamp}}}}}}}"
        )
    }

    fn ask(&mut self) -> Result<RequestId, SendError> {
        self.ask_with(None, CallOptions::default())
    }

    fn ask_with(
        &mut self,
        params: Option<&RawJson>,
        options: CallOptions,
    ) -> Result<RequestId, SendError> {
        self.conn.request_raw("x/y", params, options, Instant::ZERO)
    }

    /// Puts a message of so many bytes and a few into what waits to be sent.
    fn fill(&mut self, len: usize) {
        if R::asked(self.way).is_some() {
            assert!(is_request(&self.tell(&self.request("filler"))));
            let text = CallToolResult::text("x".repeat(len));
            self.conn.respond(&"filler".into(), &text, Instant::ZERO).unwrap();
        } else {
            self.ask_with(Some(&long(len)), CallOptions::default()).unwrap();
        }
    }
}

/// Parameters of so many bytes and a few.
fn long(len: usize) -> RawJson {
    RawJson::of(&CallToolResult::text("x".repeat(len))).unwrap()
}

const NOTE: &str = "{\"jsonrpc\":\"2.0\",\"method\":\"x/y\"}";

fn is_request(events: &[Event]) -> bool {
    matches!(events, [Event::Request { .. }])
}

fn is_note(events: &[Event]) -> bool {
    matches!(events, [Event::Notification { .. }])
}

/// A field without a test here does not compile. Each is tried on both sides, with both ways to keep messages apart, in both
/// eras, where it means something there.
#[test]
fn every_limit_is_enforced() {
    let mut tried = [0; 12];
    for framing in [Framing::Lines, Framing::Messages] {
        for revision in [Revision::V2025_03_26, Revision::LATEST_LEGACY, Revision::LATEST] {
            let way = Way { framing, revision };
            every_limit::<Server>(way, &mut tried);
            every_limit::<Client>(way, &mut tried);
        }
    }
    // So often; those of requests not on a client of the modern era, those of calls not on such a server.
    assert_eq!(tried, [12, 12, 12, 10, 10, 10, 4, 12, 12, 6, 12, 12]);
}

fn every_limit<R: Side>(way: Way, tried: &mut [usize; 12]) {
    let Limits {
        max_message_len,
        max_depth,
        max_id_len,
        max_method_len,
        max_calls,
        max_requests,
        max_batch_len,
        max_outbox_len,
        max_output_len,
        stall_timeout,
        max_error_answers_per_second,
        max_error_answers,
        max_violation_reports_per_second,
        max_milestones,
        max_events,
    } = LIMITS;
    let is_asked = R::asked(way).is_some();
    let batches = way.revision == Revision::V2025_03_26;
    let cases: [(bool, &dyn Fn()); 12] = [
        (true, &|| message_len::<R>(way, max_message_len)),
        (true, &|| depth::<R>(way, max_depth)),
        (true, &|| id_len::<R>(way, max_id_len)),
        (is_asked, &|| method_len::<R>(way, max_method_len)),
        (R::calls(way), &|| calls::<R>(way, max_calls)),
        (is_asked, &|| requests_and_milestones::<R>(way, max_requests, max_milestones)),
        (batches, &|| batch_len::<R>(way, max_batch_len)),
        (true, &|| outbox_len::<R>(way, max_outbox_len, stall_timeout)),
        (true, &|| output_len::<R>(way, max_output_len)),
        (R::ANSWERS_NONSENSE, &|| {
            let per_second = max_error_answers_per_second as usize;
            error_answers::<R>(way, per_second, max_error_answers as usize);
        }),
        (true, &|| violation_reports::<R>(way, max_violation_reports_per_second as usize)),
        (true, &|| events::<R>(way, max_events)),
    ];
    for ((applies, case), tried) in cases.iter().zip(tried) {
        if *applies {
            case();
            *tried += 1;
        }
    }
}

fn message_len<R: Side>(way: Way, limit: usize) {
    let fitting = format!("{NOTE}{}", " ".repeat(limit - NOTE.len()));
    assert!(is_note(&R::end(way).tell(&fitting)));
    let told = R::end(way).tell(&format!("{fitting} "));
    assert_eq!(told, [Event::Violation(Violation::TooLong { limit })], "{way:?}");
}

fn depth<R: Side>(way: Way, limit: usize) {
    let nested = |depth: usize| {
        let (open, close) = ("[".repeat(depth), "]".repeat(depth));
        format!("{{\"jsonrpc\":\"2.0\",\"method\":\"x/y\",\"params\":{{\"v\":{open}{close}}}}}")
    };
    assert!(is_note(&R::end(way).tell(&nested(limit - 2))));
    let told = R::end(way).tell(&nested(limit - 1));
    assert!(matches!(told[..], [Event::Violation(Violation::Refused(_))]), "{way:?} {told:?}");
}

/// Ids of the peer, and tokens of our own.
fn id_len<R: Side>(way: Way, limit: usize) {
    if R::asked(way).is_some() {
        let mut end = R::end(way);
        assert!(is_request(&end.tell(&end.request(&"i".repeat(limit)))));
        let told = end.tell(&end.request(&"i".repeat(limit + 1)));
        let is_refused = matches!(told[..], [Event::Violation(Violation::NotAMessage(_))]);
        assert!(is_refused, "{way:?} {told:?}");
    }
    if R::calls(way) {
        let ask = |len| {
            let options = CallOptions::default().progress_token("t".repeat(len));
            R::end(way).ask_with(None, options).map(drop)
        };
        assert_eq!((ask(limit), ask(limit + 1)), (Ok(()), Err(SendError::TokenTooLong)));
    }
}

fn method_len<R: Side>(way: Way, limit: usize) {
    let ask = |len| {
        let mut end = R::end(way);
        let told = end.tell(&end.request_of("1", &"m".repeat(len)));
        (told, end.said())
    };
    // What a client was never said to do is refused whatever its length.
    let (told, said) = ask(limit);
    assert!(is_request(&told) || (told.is_empty() && said.contains("-32601")), "{way:?} {told:?}");
    let (told, said) = ask(limit + 1);
    assert_eq!(told, []);
    assert!(said.contains("-32601") && !said.contains("mmm"), "{way:?} {said}");
}

fn calls<R: Side>(way: Way, limit: usize) {
    let mut end = R::end(way);
    assert!((0..limit).all(|_| end.ask().is_ok()));
    assert_eq!(end.ask(), Err(SendError::TooManyCalls));
}

fn requests_and_milestones<R: Side>(way: Way, limit: usize, milestones: usize) {
    let mut end = R::end(way);
    assert!((0..limit).all(|n| is_request(&end.tell(&end.request(&n.to_string())))));
    let told = end.tell(&end.request("more"));
    assert_eq!(told, [Event::Violation(Violation::TooManyRequests)]);
    assert!(end.said().contains("\"id\":\"more\",\"error\""));

    let id = RequestId::from("0");
    // Every report of a client leaves at once where its pacing lets it: so many in one moment do not.
    let mut reported = 0_u32;
    while end.conn.merged_reports(&id) == 0 {
        let report = Progress::new(reported.into());
        end.conn.report(&id, report, Weight::Milestone, Instant::ZERO).unwrap();
        reported += 1;
        assert!(reported < 1000, "nothing merges");
    }
    let left_at_once = end.said().lines().count() as u64;
    // The others wait: so many, and the last, which has merged with the one before.
    assert_eq!(u64::from(reported), left_at_once + milestones as u64 + 2, "{way:?}");
}

fn batch_len<R: Side>(way: Way, limit: usize) {
    let tell = |count| R::end(way).tell(&format!("[{}]", [NOTE].repeat(count).join(",")));
    assert_eq!(tell(limit).len(), limit);
    assert!(matches!(tell(limit + 1)[..], [Event::Violation(Violation::BatchTooLong { .. })]));
}

fn outbox_len<R: Side>(way: Way, limit: usize, stall: Duration) {
    let mut end = R::end(way);
    let is_asked = R::asked(way).is_some();
    if is_asked {
        end.tell(&end.request("2"));
    }
    end.fill(limit);
    assert!(!end.conn.wants_input());
    if R::calls(way) {
        assert_eq!(end.ask(), Err(SendError::OutboxFull));
    }
    assert_eq!(end.tell(NOTE), [], "nothing is decoded");
    if is_asked {
        let fits = CallToolResult::text("fits");
        end.conn.respond(&"2".into(), &fits, Instant::ZERO).unwrap();
    }

    let due = Instant::from(stall);
    while let Some(at) = end.conn.poll_timeout().filter(|at| *at <= due) {
        end.conn.handle_timeout(at);
    }
    let told = end.told();
    assert!(told.contains(&Event::Closed(CloseReason::Stalled)), "{way:?} {told:?}");
}

fn output_len<R: Side>(way: Way, limit: usize) {
    let mut end = R::end(way);
    if R::calls(way) {
        let ask = |end: &mut End<R>, len| {
            let asked = end.ask_with(Some(&long(len)), CallOptions::default()).map(drop);
            (asked, end.said().len(), end.conn.calls_in_flight())
        };
        let (asked, beside, calls) = ask(&mut end, 0);
        assert_eq!((asked, calls), (Ok(()), 1));
        let fits = limit - (beside - 1);
        assert_eq!(ask(&mut end, fits), (Ok(()), limit + 1, 2), "{way:?}");
        assert_eq!(ask(&mut end, fits + 1), (Err(SendError::OutboxFull), 0, 2), "{way:?}");
    }
    if R::asked(way).is_none() {
        return;
    }
    let answer = |end: &mut End<R>, len: usize| {
        let id = RequestId::from("1");
        assert!(is_request(&end.tell(&end.request("1"))));
        let answered = end.conn.respond(&id, &CallToolResult::text("x".repeat(len)), Instant::ZERO);
        assert_eq!(end.conn.requests_in_flight(), 0, "either way it is answered");
        answered
    };
    answer(&mut end, 0).unwrap();
    let beside = end.said().len() - 1;
    assert_eq!(answer(&mut end, limit - beside), Ok(()));
    assert_eq!(end.said().len(), limit + 1);
    assert_eq!(answer(&mut end, limit - beside + 1), Err(SendError::OutboxFull));
    let said = end.said();
    assert!(said.contains("\"id\":\"1\",\"error\":{\"code\":-32603"), "{said}");
    // What is said of an error is bounded by it too.
    end.tell(&end.request("2"));
    let error = ErrorObject::new(-7, "e".repeat(limit)).data(long(limit));
    end.conn.fail(&"2".into(), &error, Instant::ZERO).unwrap();
    let said = end.said();
    assert!(said.contains("\"code\":-7") && said.len() < 400, "{said}");
}

fn error_answers<R: Side>(way: Way, per_second: usize, in_all: usize) {
    let mut end = R::end(way);
    let told: usize = (0..2 * in_all).map(|_| end.tell("no").len()).sum();
    assert_eq!(told, 2 * in_all, "told they are all");
    assert_eq!(end.said().lines().count(), per_second, "{way:?}");
    end.conn.handle_timeout(Instant::from(Duration::from_secs(10)));
    let told: Vec<_> = (0..in_all).flat_map(|_| end.tell("no")).collect();
    assert_eq!(told.last(), Some(&Event::Closed(CloseReason::TooManyViolations)));
    assert_eq!(told.len(), in_all - per_second + 1);
}

fn violation_reports<R: Side>(way: Way, limit: usize) {
    let mut end = R::end(way);
    let told: usize = (0..limit + 2).map(|_| end.tell("no").len()).sum();
    assert_eq!(told, limit, "{way:?}");
    end.conn.handle_timeout(Instant::from(Duration::from_secs(10)));
    let told = end.tell("no");
    assert!(
        matches!(&told[..], [Event::Violation(Violation::More(2)), Event::Violation(_)]),
        "{way:?} {told:?}"
    );
}

fn events<R: Side>(way: Way, limit: usize) {
    let mut end = R::end(way);
    (0..3 * limit).for_each(|_| end.hear("0"));
    end.conn.handle_timeout(Instant::ZERO);
    end.conn.handle_timeout(Instant::ZERO);
    assert!(!end.conn.wants_input());
    let queued = from_fn(|| end.conn.endpoint_mut().poll_event()).count();
    assert_eq!(queued, limit, "{way:?}");
    assert_eq!(end.told().len(), 2 * limit, "the others come when wanted");
    assert!(end.conn.wants_input());
}
