//! What one session is like: everything that its seed decides before it begins.

use std::time::Duration;

use mcp_proto::progress::Pacing;
use mcp_proto::testing::{End, Random, SimNet};
use mcp_proto::types::LogLevel;
use mcp_proto::{CallOptions, ClientConfig, Limits, Revision, RevisionSet, ServerConfig, Timeouts};

use crate::millis;

/// The odds of one session.
#[derive(Clone, Debug)]
#[allow(clippy::exhaustive_structs)]
pub struct Plan {
    /// What the client speaks.
    pub client: RevisionSet,
    /// What the server speaks.
    pub server: RevisionSet,
    /// Random steps before the faults stop.
    pub steps: u64,
    /// Calls in flight at one end at most.
    pub calls: u64,
    /// Whether the limits are small.
    pub small: bool,
    /// Bytes of text that a message has at most beside what it needs.
    pub padding: u64,
    /// Whether every call has deadlines, so that handlers may keep silent for ever.
    pub timed: bool,
    /// How often the connection is harmed: one step in so many.
    pub harm: u64,
    /// The longest time that passes in a step, in milliseconds.
    pub pace: u64,
    pacing: Pacing,
}

impl Plan {
    /// The plan of a seed, and the network for it.
    pub fn new(random: &mut Random) -> (Self, SimNet) {
        let revision = Revision::ALL[random.below(Revision::ALL.len() as u64) as usize];
        let (client, server) = match random.below(6) {
            0 => (RevisionSet::ALL, revision.into()),
            1 => (revision.into(), RevisionSet::ALL),
            2 => (RevisionSet::ALL, RevisionSet::ALL),
            _ => (revision.into(), revision.into()),
        };
        let pacing = match random.below(3) {
            0 => Pacing::UNLIMITED,
            1 => Pacing::default().burst(1),
            _ => Pacing::default().burst(2).every(millis(1 + random.below(2_000))),
        };
        let plan = Self {
            client,
            server,
            steps: 100 + random.below(500),
            calls: 1 + random.below(6),
            small: random.below(3) == 0,
            padding: [0, 300, 6_000][random.below(3) as usize],
            timed: random.below(2) == 0,
            harm: [200, 1_000, u64::MAX][random.below(3) as usize],
            pace: [2, 200, 5_000][random.below(3) as usize],
            pacing,
        };
        (plan, network(random))
    }

    pub(super) fn client_config(&self) -> ClientConfig {
        let mut limits = self.limits();
        limits.max_message_len = 16 << 20;
        let config = ClientConfig::new("c", "1")
            .revisions(self.client)
            .limits(limits)
            .probe_timeout(millis(3_000))
            .handshake_timeout(HANDSHAKE);
        // To set it in the legacy era takes a call, of which the books know nothing.
        let is_modern = self.client == Revision::LATEST.into();
        if is_modern { config.log_level(LogLevel::Debug) } else { config }
    }

    pub(super) fn server_config(&self) -> ServerConfig {
        let config = ServerConfig::new("s", "1");
        let capabilities = config.capabilities.clone().logging();
        config
            .capabilities(capabilities)
            .revisions(self.server)
            .limits(self.limits())
            .pacing(self.pacing)
            .drain_timeout(millis(4_000))
    }

    pub(super) fn limits(&self) -> Limits {
        let mut limits = Limits::default();
        if self.small {
            limits.max_calls = 4;
            limits.max_requests = 2;
            limits.max_outbox_len = 700;
            limits.max_milestones = 2;
            limits.stall_timeout = millis(8_000);
        } else if self.padding > 0 {
            limits.max_outbox_len = 4 << 10;
            limits.stall_timeout = millis(2_000);
        }
        limits
    }

    /// Bytes of text in one message: mostly none.
    pub(super) fn padding(&self, random: &mut Random) -> usize {
        if random.below(3) == 0 { random.below(self.padding + 1) as usize } else { 0 }
    }

    pub(super) fn options(&self, random: &mut Random) -> CallOptions {
        let patience = [100, 5_000, 60_000][random.below(3) as usize];
        let idle = Some(millis(1 + random.below(patience))).filter(|_| random.below(3) > 0);
        let total = Some(millis(1 + 3 * random.below(patience)));
        let total = total.filter(|_| self.timed || random.below(2) == 0);
        let timeouts = Timeouts::NEVER.idle(idle).total(total);
        let options = CallOptions::default().timeouts(timeouts);
        if random.below(3) > 0 { options.tracked() } else { options }
    }
}

/// How long a client waits for its peer to answer the handshake.
pub(super) const HANDSHAKE: Duration = millis(30_000);

fn network(random: &mut Random) -> SimNet {
    let longest = [1, 7, 60, 100_000][random.below(4) as usize];
    let delay = [0, 5, 900][random.below(3) as usize];
    let mut net =
        SimNet::new(random.next_u64()).chunks(1..=longest).delay(Duration::ZERO..=millis(delay));
    if random.below(2) == 0 {
        net = net.capacity(1 + random.below(500) as usize);
    }
    for end in [End::Client, End::Server] {
        if random.below(6) == 0 {
            net = net.cut_after(end, random.below(6_000) as usize);
        }
    }
    net
}
