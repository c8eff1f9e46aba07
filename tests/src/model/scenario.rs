//! How much of what may happen in one search.

use std::time::Duration;

use mcp_proto::progress::Pacing;
use mcp_proto::{CallOptions, ClientConfig, Limits, Revision, RevisionSet, ServerConfig, Timeouts};

use crate::promises::Planted;

const LEGACY: Revision = Revision::LATEST_LEGACY;
const MODERN: Revision = Revision::LATEST;
const CLOSE_OR_DROP: Faults = Faults { close: true, disconnect: true, at_most: 1, ..Faults::NONE };

/// The bounds of one search, and who the two ends are.
#[derive(Clone, Debug)]
#[allow(clippy::exhaustive_structs)]
pub struct Scenario {
    /// What it is called.
    pub name: String,
    /// What the client speaks.
    pub client: RevisionSet,
    /// What the server speaks.
    pub server: RevisionSet,
    /// Whether the handshake is part of the search; else it lies behind it.
    pub handshake: bool,
    /// Calls that the client makes at most.
    pub client_calls: u8,
    /// Calls that the server makes at most.
    pub server_calls: u8,
    /// Reports for each request.
    pub reports: u8,
    /// Whether requests may also be answered with an error.
    pub errors: bool,
    /// What may go wrong, and how often in all.
    pub faults: Faults,
    /// Messages on the wire each way; further ones wait at their engine.
    pub wire: usize,
    /// Requests that the server works on at most; further ones are refused.
    pub max_requests: usize,
    /// A fault on purpose, to see that it is found.
    pub planted: Option<Planted>,
    /// States that there are at least: a search that finds fewer has taken different ones for the same, or offered less.
    pub least: usize,
}

/// What may go wrong.
#[derive(Clone, Copy, Debug)]
#[allow(clippy::exhaustive_structs)]
pub struct Faults {
    /// An application closes its connection.
    pub close: bool,
    /// A transport fails.
    pub fault: bool,
    /// A stream ends early.
    pub shut: bool,
    /// Everything on the way is lost.
    pub disconnect: bool,
    /// How many of these there are in one run.
    pub at_most: u8,
}

impl Faults {
    /// None.
    pub const NONE: Self =
        Self { close: false, fault: false, shut: false, disconnect: false, at_most: 0 };

    /// Any, so many of them in one run.
    pub const fn any(at_most: u8) -> Self {
        Self { close: true, fault: true, shut: true, disconnect: true, at_most }
    }
}

impl Scenario {
    /// A client and a server of one revision, so many calls of the client and so many reports for each.
    pub fn new(name: &str, revision: Revision, calls: u8, reports: u8) -> Self {
        Self {
            name: name.to_owned(),
            client: revision.into(),
            server: revision.into(),
            handshake: false,
            client_calls: calls,
            server_calls: 0,
            reports,
            errors: false,
            faults: Faults::any(1),
            wire: 2,
            max_requests: 8,
            planted: None,
            least: 1,
        }
    }

    /// With more behind its name.
    #[must_use]
    pub fn named(mut self, more: &str) -> Self {
        self.name = format!("{}, {more}", self.name);
        self
    }

    /// With the handshake, between ends that speak these.
    #[must_use]
    pub fn opening(mut self, client: RevisionSet, server: RevisionSet) -> Self {
        (self.handshake, self.client, self.server) = (true, client, server);
        self
    }

    /// With so many calls of the server.
    #[must_use]
    pub fn server_calls(mut self, calls: u8) -> Self {
        self.server_calls = calls;
        self
    }

    /// With these faults.
    #[must_use]
    pub fn faults(mut self, faults: Faults) -> Self {
        self.faults = faults;
        self
    }

    /// With so many messages on the wire each way.
    #[must_use]
    pub fn wire(mut self, messages: usize) -> Self {
        self.wire = messages;
        self
    }

    /// With answers that are errors.
    #[must_use]
    pub fn errors(mut self) -> Self {
        self.errors = true;
        self
    }

    /// With a server that works on so many requests at most.
    #[must_use]
    pub fn max_requests(mut self, max: usize) -> Self {
        self.max_requests = max;
        self
    }

    /// With so many states at least.
    #[must_use]
    pub fn least(mut self, states: usize) -> Self {
        self.least = states;
        self
    }

    /// With a fault on purpose.
    #[must_use]
    pub fn planted(mut self, planted: Planted) -> Self {
        self.planted = Some(planted);
        self
    }

    /// Those that take seconds unoptimized.
    pub fn small() -> Vec<Self> {
        let mut all = Vec::new();
        for (revision, name) in [(LEGACY, "legacy"), (MODERN, "modern")] {
            let one = Self::new("1 call, 1 report", revision, 1, 1).faults(Faults::any(2));
            all.push(one.named(name).least(10_000));
            let two = Self::new("2 calls", revision, 2, 0).faults(Faults::NONE).errors();
            all.push(two.named(name).least(6_200));
        }
        let each_way = Self::new("a call each way, legacy", LEGACY, 1, 0).server_calls(1);
        all.push(each_way.faults(Faults::NONE).least(3_400));
        all
    }

    /// Those of every change: minutes, optimized.
    pub fn usual() -> Vec<Self> {
        let mut all = Vec::new();
        for (revision, name) in [(LEGACY, "legacy"), (MODERN, "modern")] {
            let one = Self::new("1 call, 2 reports, 3 faults", revision, 1, 2);
            all.push(one.errors().wire(3).faults(Faults::any(3)).named(name).least(120_000));
            let two = Self::new("2 calls, 1 report, 1 fault", revision, 2, 1);
            all.push(two.named(name).least(550_000));
            let two = Self::new("2 calls, 2 reports, close or drop", revision, 2, 2).wire(1);
            all.push(two.faults(CLOSE_OR_DROP).named(name).least(3_900_000));
        }
        let each_way = Self::new("a call each way, 1 report, 1 fault", LEGACY, 1, 1);
        all.push(each_way.server_calls(1).named("legacy").least(780_000));
        let both = Self::new("1 call, 2 of the server, close or drop, legacy", LEGACY, 1, 0)
            .server_calls(2)
            .wire(1);
        all.push(both.faults(CLOSE_OR_DROP).least(880_000));
        let both = Self::new("2 calls, 1 of the server, close or drop, legacy", LEGACY, 2, 0)
            .server_calls(1)
            .wire(1);
        all.push(both.faults(CLOSE_OR_DROP).least(900_000));
        let full = Self::new("2 calls, room for 1", MODERN, 2, 1).max_requests(1);
        all.push(full.faults(Faults::NONE).least(15_000));
        for (client, server, name, least) in [
            (RevisionSet::ALL, RevisionSet::ALL, "both eras at both ends", 260_000),
            (RevisionSet::ALL, LEGACY.into(), "both eras meet a legacy server", 300_000),
            (LEGACY.into(), RevisionSet::ALL, "a legacy client meets both eras", 52_000),
            (MODERN.into(), LEGACY.into(), "no revision in common", 1_900),
        ] {
            let opening = Self::new("handshake, 1 call, 2 reports, 2 faults", LEGACY, 1, 2)
                .opening(client, server)
                .faults(Faults::any(2));
            all.push(opening.named(name).least(least));
        }
        all
    }

    /// Those of now and then.
    pub fn deep() -> Vec<Self> {
        let mut all = Vec::new();
        for (revision, name) in [(LEGACY, "legacy"), (MODERN, "modern")] {
            let three = Self::new("3 calls", revision, 3, 0).faults(Faults::NONE).wire(1);
            all.push(three.named(name).least(83_000));
        }
        let each_way = Self::new("a call each way, 2 reports, 1 fault", LEGACY, 1, 2);
        all.push(each_way.server_calls(1).wire(1).least(6_500_000));
        all
    }

    pub(super) fn client_config(&self) -> ClientConfig {
        let mut config = ClientConfig::new("c", "1")
            .revisions(self.client)
            .probe_timeout(Duration::from_secs(5))
            .handshake_timeout(Duration::from_secs(20));
        config.limits = Self::limits(config.limits);
        config
    }

    pub(super) fn server_config(&self) -> ServerConfig {
        let mut config = ServerConfig::new("s", "1")
            .revisions(self.server)
            .drain_timeout(Duration::from_secs(3))
            .pacing(Pacing::default().burst(1).every(Duration::from_secs(1)));
        config.limits = Self::limits(config.limits);
        config.limits.max_requests = self.max_requests;
        config
    }

    fn limits(mut limits: Limits) -> Limits {
        // How fast violations are told is nothing that the rest depends on, but would make states differ.
        limits.max_violation_reports_per_second = u32::MAX;
        limits
    }

    /// Each call has deadlines of its own: reports move one of them, nothing the other.
    pub(super) fn options(&self, nth: u64) -> CallOptions {
        let timeouts = Timeouts::NEVER
            .idle(Duration::from_secs(10 + nth))
            .total(Duration::from_secs(15 + nth));
        CallOptions::default().tracked().timeouts(timeouts)
    }
}
