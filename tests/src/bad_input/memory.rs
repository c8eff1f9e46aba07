//! How much memory an input takes, and how much of it stays.
//!
//! A case is held to what its limits let its input fill, and `SLACK`. Where that is more than the input, whoever keeps
//! the whole input is not seen by it. So a case that is about memory is played once more (`flood`): under small limits,
//! with so much of what it repeats that the input is several times the bound; and behind the second half of
//! it no more may be in use than behind the first.

use mcp_proto::role::Role;
use mcp_proto::{Limits, Revision};

use super::case::{Case, Side};
use super::run::PROMPT;
use super::start::{Started, client_config, server_config};
use super::subject::CHUNK;

/// What something took of memory beyond what was in use before, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// At most.
    pub most: usize,
    /// When it was done.
    pub left: isize,
}

/// Does something about an input, and says how much memory that took.
pub type Measure = fn(&[u8], &mut dyn FnMut()) -> Taken;

/// What a case took that was made so long that whoever keeps it is seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flood {
    /// Bytes at most.
    pub most: usize,
    /// How many they may be.
    pub bound: usize,
    /// Bytes by which the second half of the input left more than the first.
    pub left: isize,
    /// Not all of it was taken, and nothing was left to be done.
    pub is_stuck: bool,
}

impl Flood {
    /// Of an input whose first half took this, and its second half that.
    pub(super) fn of(first: Taken, second: Taken, bound: usize) -> Self {
        let most = first.most.max(second.most.saturating_add_signed(first.left));
        Self { most, bound, left: second.left, is_stuck: false }
    }

    /// Whether more is left than belongs to tables of a fixed size.
    pub fn leaves_more(&self) -> bool {
        self.left > MOST_LEFT
    }

    /// What is wrong about it.
    pub fn fault(&self) -> Option<String> {
        let Self { most, bound, left, is_stuck } = self;
        if *is_stuck {
            return Some("a flood of it is not taken".to_owned());
        }
        if most > bound {
            return Some(format!("a flood of it takes {most} bytes of memory, more than {bound}"));
        }
        self.leaves_more().then(|| format!("a flood of it leaves {left} bytes behind"))
    }
}

/// What all that is not counted by a limit may take.
pub(super) const SLACK: usize = 1 << 20;

/// What a flood may leave: timers that are stale, names of a few requests.
const MOST_LEFT: isize = 4 << 10;

/// Limits of a flood where its case names none. That of what waits to be sent, and that of a message.
pub(super) const SMALL: usize = 64 << 10;

/// How often the bound fits into a flood: more than once into each half of it.
const TIMES: usize = 3;

/// Cases that forbid too much memory of which it cannot be shown that too much would be seen, and why.
pub const NOT_JUDGED: [(&str, &str); 2] = [
    ("HSV-s30", "the engine inflates nothing, and the body is no bomb before somebody does"),
    ("HSV-s32", "the head is 100 kB and was kept by whoever read it before the engine refuses it"),
];

/// Whether a case is played as a flood in this revision: the last of its own, because no table is another one in another.
pub(super) fn is_judged(case: &Case, revision: Revision) -> bool {
    is_about(case) && case.revisions().last() == Some(revision)
}

/// Whether a case is about what an input may take of memory.
pub fn is_about(case: &Case) -> bool {
    let forbidden = ["memory_over_limit", "token_table_growth", "unbounded_inflate"];
    let is_flood = ["flood", "storm"].iter().any(|kind| case.behaviour.contains(kind));
    is_flood || case.mentions("events_bounded") || forbidden.iter().any(|it| case.forbids(it))
}

/// What of its limits an input can fill.
pub(super) struct Fill {
    /// Bytes of its longest message.
    message: usize,
    /// Messages in it, at most.
    messages: usize,
    /// Bytes that may wait to be sent.
    output: usize,
}

impl Fill {
    /// Of an input that is read before anything is done about it, as long as it is taken, and answered with so many
    /// bytes; `None` if nobody read these. What waits to be decoded is as long as one message at most.
    pub(super) fn at_once(input: &[u8], output: Option<usize>) -> Self {
        // None is shorter than 16 bytes that reaches a table.
        let (message, messages) = (input.len(), input.len() / 16 + 1);
        Self { message, messages, output: output.unwrap_or(usize::MAX) }
    }

    /// Of one whose messages are dealt with as they come.
    pub(super) fn by_and_by(input: &[u8]) -> Self {
        let lines = input.split(|byte| *byte == b'\n');
        let message = lines.map(<[u8]>::len).max().unwrap_or_default();
        Self { message, ..Self::at_once(input, None) }
    }

    /// Bytes that the limits allow for it. Buffers grow by doubling, and for a moment the old one is beside the new one.
    pub(super) fn bound(&self, limits: &Limits) -> usize {
        let message = self.message.min(limits.max_message_len);
        // One answer more fits than the limit says.
        let output = self.output.min(limits.max_outbox_len.saturating_add(message));
        let request = message.min(limits.max_id_len) + (1 << 10);
        let requests = self.messages.min(limits.max_requests) * request;
        let events = self.messages.min(limits.max_events) * (1 << 8);
        3 * (message + CHUNK) + 3 * output + requests + events + SLACK
    }
}

/// The limits of a case.
pub(super) fn limits(case: &Case, revision: Revision) -> Limits {
    match case.role {
        Side::Server => server_config(case, revision).limits,
        Side::Client => client_config(case, revision).limits,
    }
}

/// The case under small limits, and so much of what it repeats that its input fits `TIMES` bounds.
fn flooding(case: &Case, revision: Revision, length: usize) -> Case {
    let mut flooding = case.clone();
    for (name, limit) in
        [("max_message_bytes", SMALL), ("max_output_bytes", SMALL), ("max_inflight", 64)]
    {
        flooding.setup.limits.entry(name.to_owned()).or_insert(limit);
    }
    let whole = Fill { message: usize::MAX, messages: usize::MAX, output: usize::MAX };
    let bound = whole.bound(&limits(&flooding, revision));
    flooding.repeated(times(bound, length))
}

/// How often an input of that length must be repeated to fit `TIMES` bounds.
pub(super) fn times(bound: usize, length: usize) -> usize {
    (TIMES * bound).div_ceil(length)
}

/// Plays a case that is about memory once more, so that whoever keeps its input is seen.
pub(super) fn flood(case: &Case, revision: Revision, length: usize, measure: Measure) -> Flood {
    fn play<R: Role>(case: &Case, limits: Limits, started: Started<R>, measure: Measure) -> Flood {
        let Started { mut subject, names } = started;
        let input = case.input(&names);
        let bound = Fill::by_and_by(&input).bound(&limits);
        let (first, second) = input.split_at(input.len() / 2);
        let mut is_taken = true;
        let mut half = |half: &[u8]| {
            measure(half, &mut || {
                is_taken &= subject.flood(half);
                subject.pass(PROMPT);
            })
        };
        let (first, second) = (half(first), half(second));
        let may_refuse = case.mentions("backpressure");
        Flood { is_stuck: !is_taken && !may_refuse, ..Flood::of(first, second, bound) }
    }
    let case = flooding(case, revision, length);
    let limits = limits(&case, revision);
    match case.role {
        Side::Server => play(&case, limits, Started::server(&case, revision), measure),
        Side::Client => play(&case, limits, Started::client(&case, revision), measure),
    }
}
