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
        }
    }

    /// The same where all clients speak this revision.
    #[must_use]
    pub fn speaking(self, revision: Revision) -> Self {
        Self { revision: Some(revision), ..self }
    }
}
