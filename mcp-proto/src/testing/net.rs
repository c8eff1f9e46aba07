//! A network between two ends that cuts, delays, truncates and disconnects as its seed says.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::fmt;
use core::ops::RangeInclusive;
use core::time::Duration;

use super::random::Random;
use crate::time::Instant;

/// One end of a conversation.
#[derive(arbitrary::Arbitrary, Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)] // a conversation has two
pub enum End {
    /// The end that asks.
    Client,
    /// The end that works.
    Server,
}

/// A byte stream each way. The same seed and the same calls give the same run.
///
/// Bytes of one direction keep their order, as on a pipe; what varies is how they are cut into reads, how
/// long they take, and where they stop. A test that fails prints the network: `Display` names the seed.
///
/// ```
/// use std::time::Duration;
/// use mcp_proto::Instant;
/// use mcp_proto::testing::{Arrival, End, SimNet};
///
/// let mut net = SimNet::new(7).chunks(1..=2).delay(Duration::ZERO..=Duration::from_millis(5));
/// let mut now = Instant::ZERO;
/// assert_eq!(net.send(End::Client, b"hello", now), 5);
/// let mut read = Vec::new();
/// while let Some(at) = net.poll_timeout() {
///     now = now.max(at);
///     while let Some(Arrival::Bytes(bytes)) = net.poll(End::Server, now) {
///         assert!(bytes.len() <= 2);
///         read.extend(bytes);
///     }
/// }
/// assert_eq!(read, b"hello");
/// ```
#[derive(Clone)]
pub struct SimNet {
    seed: u64,
    random: Random,
    chunks: RangeInclusive<usize>,
    delay: RangeInclusive<Duration>,
    capacity: usize,
    to_server: Link,
    to_client: Link,
}

/// What an end reads.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)] // a read gives bytes or the end
pub enum Arrival {
    /// One read.
    Bytes(Vec<u8>),
    /// The other end has ended its stream, or the network has. Once.
    Eof,
}

/// One direction.
#[derive(Clone, Default)]
struct Link {
    flight: VecDeque<(Instant, Arrival)>,
    in_flight: usize,
    /// How many more bytes get through.
    budget: Option<usize>,
    /// Nothing that is sent now arrives.
    ended: bool,
    /// When the latest arrival is due: nothing overtakes it.
    latest: Instant,
}

impl End {
    /// The other one.
    #[must_use]
    pub fn peer(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

impl SimNet {
    /// A network that does nothing wrong until it is told to; its chances follow from `seed`.
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            random: Random::new(seed),
            chunks: usize::MAX..=usize::MAX,
            delay: Duration::ZERO..=Duration::ZERO,
            capacity: usize::MAX,
            to_server: Link::default(),
            to_client: Link::default(),
        }
    }

    /// Cuts what is sent into reads of so many bytes, each of its own size. Default: one read for each
    /// send.
    #[must_use]
    pub fn chunks(mut self, bytes: RangeInclusive<usize>) -> Self {
        self.chunks = bytes;
        self
    }

    /// Lets every read take so long, each its own time, without overtaking. Default: no time.
    #[must_use]
    pub fn delay(mut self, delay: RangeInclusive<Duration>) -> Self {
        self.delay = delay;
        self
    }

    /// Takes no more than so many bytes in flight each way, like a pipe that is full; at least 1.
    /// Default: no limit.
    #[must_use]
    pub fn capacity(mut self, bytes: usize) -> Self {
        self.capacity = bytes.max(1);
        self
    }

    /// Lets only so many more bytes of one end through; there its stream ends, in the middle of a message
    /// as like as not.
    #[must_use]
    pub fn cut_after(mut self, from: End, bytes: usize) -> Self {
        self.link(from).budget = Some(bytes);
        self
    }

    /// One end writes. Gives back how many bytes were taken: fewer than all if the pipe is full. Bytes
    /// written after the end of a stream are taken and lost.
    pub fn send(&mut self, from: End, bytes: &[u8], now: Instant) -> usize {
        let capacity = self.capacity;
        let link = self.link(from);
        if link.ended {
            return bytes.len();
        }
        let room = capacity.saturating_sub(link.in_flight);
        let taken = bytes.get(..room.min(bytes.len())).unwrap_or_default();
        let through = link.budget.map_or(taken.len(), |budget| budget.min(taken.len()));
        let is_cut = link.budget.is_some_and(|budget| budget <= taken.len());
        if let Some(budget) = &mut link.budget {
            *budget -= through;
        }
        let mut rest = taken.get(..through).unwrap_or_default();
        while !rest.is_empty() {
            let size = self.random.within_usize(&self.chunks).clamp(1, rest.len());
            let (chunk, tail) = rest.split_at(size);
            rest = tail;
            self.fly(from, Arrival::Bytes(chunk.into()), now);
        }
        if is_cut {
            self.shut(from, now);
        }
        taken.len()
    }

    /// One end ends its stream: the other reads the end behind everything that was sent.
    pub fn shut(&mut self, from: End, now: Instant) {
        if !self.link(from).ended {
            self.fly(from, Arrival::Eof, now);
            self.link(from).ended = true;
        }
    }

    /// Both streams end at once; what is in flight is lost.
    pub fn disconnect(&mut self, now: Instant) {
        for end in [End::Client, End::Server] {
            let link = self.link(end);
            let told = link.ended && link.flight.is_empty();
            link.flight.clear();
            link.in_flight = 0;
            link.ended = true;
            if !told {
                link.flight.push_back((now, Arrival::Eof));
            }
        }
    }

    /// What one end reads now, if anything.
    pub fn poll(&mut self, to: End, now: Instant) -> Option<Arrival> {
        let link = self.link(to.peer());
        let (_, arrival) = link.flight.pop_front_if(|(at, _)| *at <= now)?;
        if let Arrival::Bytes(bytes) = &arrival {
            link.in_flight -= bytes.len();
        }
        Some(arrival)
    }

    /// When the next read is due, at either end.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let next = |link: &Link| link.flight.front().map(|(at, _)| *at);
        [next(&self.to_server), next(&self.to_client)].into_iter().flatten().min()
    }

    /// The seed.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    fn fly(&mut self, from: End, arrival: Arrival, now: Instant) {
        let delay = self.random.within_duration(&self.delay);
        let link = self.link(from);
        link.latest = link.latest.max(now + delay);
        if let Arrival::Bytes(bytes) = &arrival {
            link.in_flight += bytes.len();
        }
        link.flight.push_back((link.latest, arrival));
    }

    fn link(&mut self, from: End) -> &mut Link {
        match from {
            End::Client => &mut self.to_server,
            End::Server => &mut self.to_client,
        }
    }
}

impl fmt::Display for SimNet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SimNet with seed {}", self.seed)
    }
}

impl fmt::Debug for SimNet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimNet")
            .field("seed", &self.seed)
            .field("to_server", &self.to_server.in_flight)
            .field("to_client", &self.to_client.in_flight)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    fn run(seed: u64) -> Vec<(Instant, Arrival)> {
        let delay = Duration::ZERO..=Duration::from_millis(9);
        let mut net = SimNet::new(seed).chunks(1..=4).delay(delay).cut_after(End::Client, 40);
        for n in 0..10 {
            net.send(End::Client, b"0123456789", Instant::from_nanos(n));
        }
        let mut seen = Vec::new();
        while let Some(at) = net.poll_timeout() {
            seen.extend(net.poll(End::Server, at).map(|arrival| (at, arrival)));
        }
        seen
    }

    #[test]
    fn a_seed_is_a_run() {
        assert_eq!(run(1), run(1));
        assert_ne!(run(1), run(2));
        assert_eq!(SimNet::new(9).to_string(), "SimNet with seed 9");
    }

    #[test]
    fn bytes_keep_their_order_and_end_where_they_are_cut() {
        let seen = run(3);
        let mut bytes = Vec::new();
        for (_, arrival) in &seen {
            if let Arrival::Bytes(chunk) = arrival {
                assert!((1..=4).contains(&chunk.len()));
                bytes.extend_from_slice(chunk);
            }
        }
        assert_eq!(bytes, b"0123456789".repeat(4));
        assert!(seen.is_sorted_by_key(|(at, _)| *at));
        assert_eq!(seen.iter().filter(|(_, arrival)| *arrival == Arrival::Eof).count(), 1);
        assert_eq!(seen.last().unwrap().1, Arrival::Eof);
    }

    #[test]
    fn a_full_pipe_takes_no_more_until_it_is_read() {
        let mut net = SimNet::new(0).capacity(3);
        assert_eq!(net.send(End::Server, b"abcdef", Instant::ZERO), 3);
        assert_eq!(net.send(End::Server, b"def", Instant::ZERO), 0);
        assert_eq!(net.poll(End::Client, Instant::ZERO), Some(Arrival::Bytes(b"abc".into())));
        assert_eq!(net.send(End::Server, b"def", Instant::ZERO), 3);
    }

    #[test]
    fn a_disconnect_is_read_once_at_each_end_and_loses_what_is_in_flight() {
        let mut net = SimNet::new(0);
        net.send(End::Client, b"lost", Instant::ZERO);
        net.disconnect(Instant::ZERO);
        net.disconnect(Instant::ZERO);
        for end in [End::Client, End::Server] {
            assert_eq!(net.poll(end, Instant::ZERO), Some(Arrival::Eof));
            assert_eq!(net.poll(end, Instant::ZERO), None);
        }
        net.disconnect(Instant::ZERO);
        assert_eq!(net.poll(End::Client, Instant::ZERO), None);
        assert_eq!(net.send(End::Client, b"into the void", Instant::ZERO), 13);
    }
}
