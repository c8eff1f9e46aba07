//! The search: breadth first, each state once, with the shortest way to whatever breaks a promise.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use super::action::Action;
use super::liveness::{Continuation, Next};
use super::scenario::Scenario;
use super::trace::way_to;
use super::world::World;
use crate::promises::Broken;

/// What a search has seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs)]
pub struct Tally {
    /// Different states.
    pub states: usize,
    /// Steps between them, those included that lead back.
    pub transitions: usize,
    /// Steps of the longest of the shortest ways.
    pub depth: usize,
    /// The most states that were equally far away.
    pub widest: usize,
    /// Whether every state was looked at; otherwise the search was cut off.
    pub closed: bool,
}

/// A broken promise, and the shortest way there.
#[derive(Clone, Debug)]
#[allow(clippy::exhaustive_structs)]
pub struct Found {
    /// What is broken.
    pub broken: Broken,
    /// What happened, step by step, in words.
    pub way: Vec<String>,
}

/// How a search ended.
pub type Outcome = Result<Tally, Found>;

/// How a state was reached first.
#[derive(Clone, Copy)]
pub(super) struct Node {
    pub(super) parent: u32,
    pub(super) action: Option<Action>,
    /// Where each fault-free continuation goes on.
    pub(super) next: [Next; Continuation::ALL.len()],
}

/// Visits every state of a scenario, or so many of them.
///
/// # Errors
///
/// A broken promise.
pub fn explore(scenario: &Scenario, most: usize) -> Outcome {
    let root = World::new(scenario).map_err(|broken| Found { broken, way: Vec::new() })?;
    let mut nodes = vec![Node { parent: 0, action: None, next: Continuation::unknown() }];
    let mut known = HashMap::<u128, u32, BuildHasherDefault<Same>>::default();
    known.insert(root.digest(), 0);
    let mut tally = Tally::default();
    let mut frontier = vec![(0_u32, root)];
    while !frontier.is_empty() && nodes.len() < most {
        tally.widest = tally.widest.max(frontier.len());
        let mut ahead = Vec::new();
        for (at, world) in frontier {
            let mut steps = Vec::new();
            for action in world.enabled(scenario) {
                let mut next = world.clone();
                match next.apply(action, scenario) {
                    Ok(false) => continue,
                    Ok(true) => {}
                    Err(broken) => return Err(found(broken, scenario, &nodes, at, Some(action))),
                }
                tally.transitions += 1;
                let fresh = u32::try_from(nodes.len()).expect("fewer than 2^32 states");
                let to = *known.entry(next.digest()).or_insert(fresh);
                if to == fresh {
                    nodes.push(Node {
                        parent: at,
                        action: Some(action),
                        next: Continuation::unknown(),
                    });
                    ahead.push((fresh, next));
                }
                if to != at {
                    steps.push((action, to));
                }
            }
            for (nth, continuation) in Continuation::ALL.iter().enumerate() {
                let next = continuation.choose(&world, &steps);
                if next == Next::Rest
                    && let Err(broken) = world.rests()
                {
                    return Err(found(broken, scenario, &nodes, at, None));
                }
                nodes[at as usize].next[nth] = next;
            }
        }
        frontier = ahead;
        tally.depth += usize::from(!frontier.is_empty());
    }
    tally.states = nodes.len();
    tally.closed = frontier.is_empty();
    for nth in 0..Continuation::ALL.len() {
        if let Some(at) = super::liveness::circle(&nodes, nth) {
            let how = format!("it goes round in a circle for ever: {:?}", Continuation::ALL[nth]);
            let broken = Broken::new("everything_ends", how);
            return Err(found(broken, scenario, &nodes, at, None));
        }
    }
    Ok(tally)
}

/// Visits every state of a scenario, of which there are as many as it names as the least.
///
/// # Errors
///
/// A broken promise with the way there, or too few states, in words.
pub fn close(scenario: &Scenario) -> Result<Tally, String> {
    let name = &scenario.name;
    let tally = explore(scenario, usize::MAX)
        .map_err(|found| format!("{name}:\n{}\n{}", found.way.join("\n"), found.broken))?;
    if !tally.closed || tally.states < scenario.least {
        return Err(format!("{name}: fewer than {} states, or cut off: {tally:?}", scenario.least));
    }
    Ok(tally)
}

fn found(
    broken: Broken,
    scenario: &Scenario,
    nodes: &[Node],
    at: u32,
    last: Option<Action>,
) -> Found {
    Found { broken, way: way_to(scenario, nodes, at, last) }
}

/// The keys are hashes already.
#[derive(Default)]
struct Same(u64);

impl Hasher for Same {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u128(&mut self, key: u128) {
        self.0 = key as u64;
    }
}
