//! What a seed makes of a world.

use std::time::Duration;

use mcp_proto::Revision;
use mcp_proto::testing::Random;

use crate::{millis, secs};

/// The sizes and the faults of a world.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Plan {
    /// What every choice follows from.
    pub seed: u64,
    /// What all clients speak. None: each something else, some of them everything.
    pub revision: Option<Revision>,
    /// Clients of the one server.
    pub clients: usize,
    /// Calls of each client.
    pub calls: usize,
    /// Calls begin within this time.
    pub opening: Duration,
    /// Reports of each call, at most.
    pub reports: u32,
    /// Bytes of text in each of them.
    pub padding: usize,
    /// Of a thousand calls, so many do not ask for reports.
    pub untracked: u64,
    /// Of a thousand calls, so many are given up, if they take long enough.
    pub cancels: u64,
    /// Of a thousand steps of a tool, so many ask the client something first.
    pub asks: u64,
    /// Of a thousand steps of a tool, so many end the response first, for the client to come back.
    pub parts: u64,
    /// How fast reports come.
    pub pace: Pace,
    /// How long a piece travels at most. Each connection has its own mind.
    pub delay: Duration,
    /// Messages of each stream that are kept for those who come back.
    pub ring: usize,
    /// Bytes that wait on a stream before reports are held back.
    pub stream_len: usize,
    /// Silence before the server says that it is alive.
    pub keep_alive: Duration,
    /// Silence before a client takes a connection for dead.
    pub silence: Duration,
    /// How long a stream that is complete is kept.
    pub replay_timeout: Duration,
    pub faults: Faults,
}

/// What goes wrong, and for whom.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Faults {
    /// Of a thousand pieces that travel, so many are the last of their connection.
    pub cuts: u64,
    /// Of a thousand connections that end so, so many tell nobody.
    pub holes: u64,
    /// Of a thousand connections, so many have a reader that is slow or stands still for a while.
    pub stalls: u64,
    /// Clients to which these happen, the first ones. None: all.
    pub victims: Option<usize>,
    /// Sessions that the server forgets.
    pub losses: u64,
    /// How often all sessions go to another server.
    pub moves: u64,
    /// They go there behind this step of the world, too.
    pub moved_at: Option<u64>,
}

/// How fast a tool reports.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// Slowly enough that nothing is merged.
    Slow,
    /// So slowly that the server has to say that it lives.
    Lazy,
    /// 0 to 5 ms apart, so that the engine merges.
    Merged,
    /// 0 to 5 ms apart, to an engine that is to merge nothing.
    Unpaced,
}

/// Bytes that wait on a stream by default: as many as no call of a world makes.
const WIDE: usize = 64 << 10;

/// Messages of a stream that are kept by default: as many as no call of a world makes.
pub(super) const RING: usize = 256;

impl Plan {
    /// A world of this seed, in which anything may happen.
    pub fn of(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let random = &mut random;
        let is_crowd = random.below(2) == 0;
        let clients = 1 + below(random, if is_crowd { 32 } else { 4 });
        let losses = pick(random, [0, 0, 0, 1, 3]);
        let pace = pick(random, [Pace::Slow, Pace::Slow, Pace::Lazy, Pace::Merged, Pace::Unpaced]);
        Self {
            seed,
            revision: None,
            clients,
            calls: 1 + below(random, if clients > 4 { 3 } else { 6 }),
            opening: if losses > 0 { secs(20) } else { secs(3) },
            reports: 1 + below(random, 24) as u32,
            padding: pick(random, [0, 0, 400]),
            untracked: pick(random, [0, 200]),
            cancels: pick(random, [0, 0, 200]),
            asks: pick(random, [0, 0, 300]),
            parts: pick(random, [0, 0, 50, 300]),
            pace,
            delay: millis(pick(random, [1, 20, 300])),
            ring: match random.below(3) {
                0 => 1 + below(random, 8),
                _ => RING,
            },
            stream_len: pick(random, [WIDE, WIDE, 1 << 10]),
            // The first is over before a request that waits gets its first id.
            keep_alive: pick(random, [millis(500), secs(5), secs(15)]),
            silence: secs(pick(random, [20, 60])),
            replay_timeout: secs(pick(random, [60, 300])),
            faults: Faults {
                cuts: pick(random, [0, 0, 10, 30, 80]),
                holes: pick(random, [0, 0, 200, 1_000]),
                stalls: pick(random, [0, 0, 100, 300]),
                victims: None,
                losses,
                moves: pick(random, [0, 0, 0, 1, 2]),
                moved_at: None,
            },
        }
    }

    /// The same where nothing goes wrong.
    #[must_use]
    pub fn whole(self) -> Self {
        Self { faults: Faults::default(), ..self }
    }

    /// The same where all clients speak this revision.
    #[must_use]
    pub fn speaking(self, revision: Revision) -> Self {
        Self { revision: Some(revision), ..self }
    }

    /// Whether a client is among those whose connections and readers may fail.
    pub(super) fn is_victim(&self, client: usize) -> bool {
        self.faults.victims.is_none_or(|victims| client < victims)
    }

    /// Whether reports of a stream that is not read are held back before long.
    pub fn is_tight(&self) -> bool {
        self.stream_len < WIDE
    }
}

pub(super) fn below(random: &mut Random, end: usize) -> usize {
    random.below(end as u64) as usize
}

pub(super) fn pick<T: Copy, const N: usize>(random: &mut Random, choices: [T; N]) -> T {
    choices[below(random, N)]
}

/// What a lot is drawn for. Each client, connection and call has its own, so that what befalls one changes none of the
/// others'.
#[derive(Clone, Copy, Debug)]
pub(super) enum Lot {
    Client,
    Connection,
    /// What the server is given for a request.
    Request,
    Call,
}

impl Plan {
    /// The randomness of one client's connection or call of this number.
    pub(super) fn lot(&self, of: Lot, client: usize, number: u64) -> Random {
        let parts = [of as u64, client as u64, number];
        Random::new(
            parts
                .iter()
                .fold(self.seed, |sum, part| Random::new(sum.rotate_left(17) ^ part).next_u64()),
        )
    }
}
