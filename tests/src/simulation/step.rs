//! One step of a session, as it is drawn.

use std::fmt;

use mcp_proto::progress::Weight;
use mcp_proto::testing::{End, Random};

use super::plan::Plan;
use super::port::Reading;

/// What happens next. Numbers pick one of what there is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    Read(End),
    Write {
        end: End,
        most: usize,
        lend: bool,
    },
    /// The transport does all it can for this end.
    Flow(End),
    Events(End),
    /// The end is told what time it is, if it asked to be.
    Wake(End),
    /// The clock jumps to whatever is due next.
    Due,
    /// The clock jumps by so many milliseconds; 0 is the same instant once more.
    Pass(u64),
    /// The clock goes back by so many milliseconds.
    Back(u64),
    Reading(End, Reading),
    Call(End),
    Cancel(End, u64),
    Report {
        end: End,
        which: u64,
        weight: Weight,
    },
    /// A log message, for a request or, if there is none, for none.
    Log(End, u64),
    Respond(End, u64),
    Fail(End, u64),
    Abandon(End, u64),
    Harm(Harm),
}

/// How a connection is harmed.
#[derive(Clone, Copy, Debug)]
pub(super) enum Harm {
    Close(End),
    Fault(End),
    Shut(End),
    Disconnect,
}

impl Step {
    pub(super) fn draw(random: &mut Random, plan: &Plan) -> Self {
        let end = if random.below(2) == 0 { End::Client } else { End::Server };
        if random.below(plan.harm) == 0 {
            return Self::Harm(match random.below(4) {
                0 => Harm::Close(end),
                1 => Harm::Fault(end),
                2 => Harm::Shut(end),
                _ => Harm::Disconnect,
            });
        }
        let which = random.next_u64();
        match random.below(74) {
            72..74 => Self::Log(End::Server, which),
            60..72 => Self::Flow(end),
            0..12 => Self::Read(end),
            12..24 => {
                let most = [1, 3, 40, usize::MAX][random.below(4) as usize];
                Self::Write { end, most, lend: random.below(3) == 0 }
            }
            24..32 => Self::Events(end),
            32..35 => Self::Wake(end),
            35..38 => Self::Due,
            38 => Self::Pass(0),
            39 => match random.below(40) {
                0 => Self::Pass(3_600_000 * (1 + random.below(48))),
                1..6 => Self::Back(1 + random.below(plan.pace)),
                _ => Self::Pass(random.below(plan.pace)),
            },
            40 => Self::Reading(
                end,
                match random.below(6) {
                    0 => Reading::Stopped,
                    1 => Reading::Slowly,
                    _ => Reading::Freely,
                },
            ),
            41..45 => Self::Call(if random.below(4) == 0 { End::Server } else { End::Client }),
            45 => Self::Cancel(end, which),
            46..53 => {
                let weight = match random.below(8) {
                    0 | 1 => Weight::Milestone,
                    2 => Weight::Heartbeat,
                    _ => Weight::Ordinary,
                };
                Self::Report { end, which, weight }
            }
            53..57 => Self::Respond(end, which),
            57 => Self::Fail(end, which),
            _ => Self::Abandon(end, which),
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}
