//! What a seed makes of a world.

use std::time::Duration;

use mcp_proto::Revision;
use mcp_proto::testing::Random;

/// The sizes and the faults of a world.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Plan {
    /// What every choice follows from.
    pub seed: u64,
    /// The revisions of which each client speaks one.
    pub revision: Option<Revision>,
    /// Clients of the one server.
    pub clients: usize,
    /// Calls of each client.
    pub calls: usize,
    /// Reports of each call, at most.
    pub reports: u32,
    /// Of a thousand pieces that travel, so many are the last of their connection.
    pub cuts: u64,
    /// How long a piece travels at most. Each connection has its own mind.
    pub delay: Duration,
    /// Of a thousand steps of a tool, so many ask the client something first.
    pub asks: u64,
    /// Sessions that the server forgets.
    pub losses: u64,
    /// How fast reports come.
    pub pace: Pace,
}

/// How fast a tool reports.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// Slowly enough that nothing is merged.
    Slow,
    /// 0 to 5 ms apart, so that the engine merges.
    Merged,
    /// 0 to 5 ms apart, to an engine that is to merge nothing.
    Unpaced,
}

impl Plan {
    /// A world of this seed, in which connections break.
    pub fn of(seed: u64) -> Self {
        let mut random = Random::new(seed);
        Self {
            seed,
            revision: None,
            clients: 1 + usize::try_from(random.below(4)).unwrap_or(0),
            calls: 1 + usize::try_from(random.below(6)).unwrap_or(0),
            reports: 1 + u32::try_from(random.below(24)).unwrap_or(0),
            cuts: [0, 0, 10, 30, 80][usize::try_from(random.below(5)).unwrap_or(0)],
            delay: Duration::from_millis(
                [1, 20, 300][usize::try_from(random.below(3)).unwrap_or(0)],
            ),
            asks: [0, 0, 300][usize::try_from(random.below(3)).unwrap_or(0)],
            losses: [0, 0, 0, 1, 3][usize::try_from(random.below(5)).unwrap_or(0)],
            pace: [Pace::Slow, Pace::Merged, Pace::Unpaced]
                [usize::try_from(random.below(3)).unwrap_or(0)],
        }
    }

    /// The same on a network and a server that lose nothing.
    #[must_use]
    pub fn whole(self) -> Self {
        Self { cuts: 0, losses: 0, ..self }
    }

    /// The same where all clients speak this revision.
    #[must_use]
    pub fn speaking(self, revision: Revision) -> Self {
        Self { revision: Some(revision), ..self }
    }
}
