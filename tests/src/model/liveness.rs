//! That everything ends once nothing goes wrong any more.
//!
//! From each state there is one continuation of each kind, a step at a time. Its next state is a state of
//! the search too, so following it from everywhere is following one arrow from each state: there must be
//! no circle, and where it rests everything must be over.

use super::action::{Action, What};
use super::explore::Node;
use super::world::World;

/// How things go on without faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Continuation {
    /// Messages travel, requests are answered, and only then time passes.
    Answered,
    /// The same, but the applications never answer: deadlines end everything.
    Silent,
}

/// Where a continuation goes on from a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// The state was not looked at.
    Unknown,
    /// Nothing happens any more.
    Rest,
    /// In this state.
    State(u32),
}

impl Continuation {
    pub(super) const ALL: [Self; 2] = [Self::Answered, Self::Silent];

    pub(super) fn unknown() -> [Next; Self::ALL.len()] {
        [Next::Unknown; Self::ALL.len()]
    }

    /// The step that this continuation takes, of those that lead elsewhere.
    pub(super) fn choose(self, world: &World, steps: &[(Action, u32)]) -> Next {
        let next_to_tick = world.next_to_tick();
        let rank = |action: &Action| match action.what {
            What::Deliver => Some(0),
            What::Transmit => Some(1),
            What::Abandon(_) => Some(2),
            What::Respond(_) if self == Self::Answered => Some(3),
            What::Tick if next_to_tick == Some(action.end) => Some(4),
            _ => None,
        };
        let ranked = steps.iter().filter_map(|(action, to)| Some((rank(action)?, *to)));
        ranked.min_by_key(|(rank, _)| *rank).map_or(Next::Rest, |(_, to)| Next::State(to))
    }
}

/// A state from which a continuation never comes to rest, if there is one.
pub(super) fn circle(nodes: &[Node], nth: usize) -> Option<u32> {
    // 0: not seen; otherwise the walk on which it was seen.
    let mut walks = vec![0_u32; nodes.len()];
    for start in 0..nodes.len() {
        let walk = u32::try_from(start).ok()? + 1;
        let mut at = start;
        while walks[at] == 0 {
            walks[at] = walk;
            match nodes[at].next[nth] {
                Next::State(next) => at = next as usize,
                Next::Rest | Next::Unknown => break,
            }
            if walks[at] == walk {
                return u32::try_from(at).ok();
            }
        }
    }
    None
}
