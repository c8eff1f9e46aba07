//! One end at its place on the network: what a transport would do for it, in steps of any size.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};

use mcp_proto::role::Role;
use mcp_proto::snapshot::RestoreError;
use mcp_proto::testing::{Arrival, End, SimNet, as_json, restored};
use mcp_proto::{Connection, Event, Instant, Revision, Timeouts};

use crate::promises::{Actor, Broken, Kept, Ledger, Machine, Planted, Timing};

/// A connection of either role.
pub(super) trait Stream {
    fn handle_input(&mut self, input: &[u8], now: Instant);
    fn handle_eof(&mut self, now: Instant);
    fn handle_timeout(&mut self, now: Instant);
    fn handle_transport_error(&mut self, now: Instant);
    fn poll_event(&mut self) -> Option<Event>;
    fn poll_transmit(&mut self) -> Option<&[u8]>;
    fn lend_transmit(&mut self, max: usize);
    fn advance_transmit(&mut self, written: usize);
    fn wants_input(&self) -> bool;
    /// Bytes that it would still write.
    fn left(&self) -> usize;
    /// Whether there are any.
    fn has_output(&self) -> bool;
    fn machine(&self) -> &dyn Machine;
    fn machine_mut(&mut self) -> &mut dyn Machine;
    /// Becomes what its snapshot becomes.
    fn restore(&mut self, now: Instant) -> Result<(), RestoreError>;
}

/// A connection and the transport around it.
pub(super) struct Port {
    pub(super) connection: Box<dyn Stream>,
    pub(super) end: End,
    pub(super) reading: Reading,
    /// Bytes that have arrived and that the reader has not taken yet.
    unread: VecDeque<u8>,
    /// The stream has ended behind them.
    ended: bool,
    /// Bytes of the line that is being written which are still to come.
    rest: usize,
    /// Bytes that were lent and written, of which the engine has not been told.
    lent: Option<usize>,
    /// Bytes written since the books were compared.
    since: usize,
    /// It has written everything, and its stream has ended.
    shut: bool,
    timing: Timing,
    /// What was read last ended within a line.
    is_within_line: bool,
    /// Bytes of text in what its application says next.
    pub(super) padding: usize,
    planted: Option<Planted>,
    /// Of what it told and wrote.
    digest: DefaultHasher,
}

/// How fast an end reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    Freely,
    /// One byte at a time.
    Slowly,
    Stopped,
}

/// What was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Read {
    Nothing,
    Bytes,
    End,
}

impl<R: Role + 'static> Stream for Connection<R> {
    fn handle_input(&mut self, input: &[u8], now: Instant) {
        Self::handle_input(self, input, now);
    }
    fn handle_eof(&mut self, now: Instant) {
        Self::handle_eof(self, now);
    }
    fn handle_timeout(&mut self, now: Instant) {
        Self::handle_timeout(self, now);
    }
    fn handle_transport_error(&mut self, now: Instant) {
        Self::handle_transport_error(self, now);
    }
    fn poll_event(&mut self) -> Option<Event> {
        Self::poll_event(self)
    }
    fn poll_transmit(&mut self) -> Option<&[u8]> {
        Self::poll_transmit(self)
    }
    fn lend_transmit(&mut self, max: usize) {
        Self::lend_transmit(self, max);
    }
    fn advance_transmit(&mut self, written: usize) {
        Self::advance_transmit(self, written);
    }
    fn wants_input(&self) -> bool {
        Self::wants_input(self)
    }
    fn left(&self) -> usize {
        let (mut copy, mut left) = (self.clone(), 0);
        while let Some(length) = Self::poll_transmit(&mut copy).map(<[u8]>::len) {
            Self::advance_transmit(&mut copy, length);
            left += length;
        }
        left
    }
    fn has_output(&self) -> bool {
        Self::poll_transmit(&mut self.clone()).is_some()
    }
    fn machine(&self) -> &dyn Machine {
        self
    }
    fn machine_mut(&mut self) -> &mut dyn Machine {
        self
    }
    fn restore(&mut self, now: Instant) -> Result<(), RestoreError> {
        *self = restored(self, now, now, &mut as_json)?;
        Ok(())
    }
}

impl Port {
    pub(super) fn new(connection: impl Stream + 'static, end: End, timing: Timing) -> Self {
        Self {
            connection: Box::new(connection),
            end,
            reading: Reading::Freely,
            unread: VecDeque::new(),
            ended: false,
            rest: 0,
            lent: None,
            since: 0,
            shut: false,
            timing,
            is_within_line: false,
            padding: 0,
            planted: None,
            digest: DefaultHasher::new(),
        }
    }

    /// Of every event that it told and every byte that it wrote, with their times.
    pub(super) fn digest(&self) -> u64 {
        self.digest.finish()
    }

    pub(super) fn plant(&mut self, planted: Option<Planted>) {
        self.planted = planted;
    }

    pub(super) fn actor<'a>(&'a mut self, ledger: &'a mut Ledger, now: Instant) -> Actor<'a> {
        let machine = self.connection.machine_mut();
        let (end, padding, planted) = (self.end, self.padding, self.planted);
        Actor { end, machine, ledger, now, padding, planted }
    }

    /// Its application has made a call.
    pub(super) fn made(&mut self, id: i64, timeouts: Timeouts, now: Instant) {
        self.timing.made(id, timeouts.max_idle(), timeouts.max_total(), now);
    }

    /// When it wants to be woken.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.connection.machine().poll_timeout()
    }

    /// Time has passed. Whether that was due.
    pub(super) fn wake(&mut self, now: Instant) -> bool {
        let is_due = self.poll_timeout().is_some_and(|at| at <= now);
        if is_due && !Planted::misses_deadlines(self.planted, self.end) {
            self.connection.handle_timeout(now);
            return true;
        }
        false
    }

    /// Takes every event, and compares the engine with the books. How many there were.
    pub(super) fn look(&mut self, ledger: &mut Ledger, now: Instant) -> Result<usize, Broken> {
        let mut events = 0;
        while let Some(event) = self.connection.poll_event() {
            (format!("{event:?}"), now).hash(&mut self.digest);
            self.timing.told(&event, now)?;
            self.actor(ledger, now).told(&event)?;
            events += 1;
        }
        self.timing.waits(self.connection.has_output(), now);
        if ledger.is_closed(self.end) {
            ledger.left(self.end, self.connection.left(), self.since)?;
        }
        self.since = 0;
        ledger.tables(self.end, self.connection.machine().tables())?;
        Ok(events)
    }

    /// Reads once, if there is something and it is wanted. Bytes stay undecoded; an end of the stream does not.
    pub(super) fn read(&mut self, net: &mut SimNet, ledger: &mut Ledger, now: Instant) -> Read {
        let is_closed = self.connection.machine().is_closed();
        if self.reading == Reading::Stopped || !(is_closed || self.connection.wants_input()) {
            return Read::Nothing;
        }
        if self.unread.is_empty() && !self.ended {
            match net.poll(self.end, now) {
                Some(Arrival::Bytes(bytes)) => self.unread.extend(bytes),
                Some(Arrival::Eof) => self.ended = true,
                None => return Read::Nothing,
            }
        }
        let most = if self.reading == Reading::Slowly { 1 } else { usize::MAX };
        let bytes: Vec<u8> = self.unread.drain(..most.min(self.unread.len())).collect();
        if !bytes.is_empty() {
            let bytes = self.bundled(bytes);
            self.timing.heard(&bytes, now, |said| ledger.heard(self.end, said));
            self.connection.handle_input(&bytes, now);
            Read::Bytes
        } else if std::mem::take(&mut self.ended) {
            ledger.end_input(self.end);
            if !Planted::misses_eof(self.planted, self.end) {
                self.connection.handle_eof(now);
            }
            Read::End
        } else {
            Read::Nothing
        }
    }

    /// Where batches are in force, whole lines that come in one read come as a batch.
    fn bundled(&mut self, bytes: Vec<u8>) -> Vec<u8> {
        let is_within_line = std::mem::replace(&mut self.is_within_line, !bytes.ends_with(b"\n"));
        let revision = self.connection.machine().revision();
        let start = match bytes.iter().position(|byte| *byte == b'\n') {
            Some(end) if is_within_line => end + 1,
            Some(_) => 0,
            None => return bytes,
        };
        let end = bytes.iter().rposition(|byte| *byte == b'\n').unwrap_or_default().max(start);
        let lines: Vec<_> = bytes[start..end].split(|byte| *byte == b'\n').collect();
        // The answers to a batch are one already.
        let is_plain = lines.iter().all(|line| line.starts_with(b"{"));
        if revision != Some(Revision::V2025_03_26) || !is_plain || !(2..=100).contains(&lines.len())
        {
            return bytes;
        }
        [&bytes[..start], b"[", &lines.join(&b','), b"]", &bytes[end..]].concat()
    }

    /// Writes up to `most` bytes. With `lend` the engine is told only at the next write how many they were,
    /// as by a driver that lets go of it meanwhile.
    pub(super) fn write(
        &mut self,
        most: usize,
        lend: bool,
        net: &mut SimNet,
        ledger: &mut Ledger,
        now: Instant,
    ) -> Result<bool, Broken> {
        if self.give_back() {
            return Ok(true);
        }
        let Some(chunk) = self.connection.poll_transmit() else {
            let ends = self.connection.machine().is_closed() && !self.shut;
            if ends {
                net.shut(self.end, now);
                self.shut = true;
            }
            return Ok(ends);
        };
        let chunk = chunk.to_vec();
        let taken = net.send(self.end, &chunk[..most.min(chunk.len())], now);
        if taken == 0 {
            self.connection.advance_transmit(0);
            return Ok(false);
        }
        (&chunk[..taken], now).hash(&mut self.digest);
        self.announce(&chunk, taken, ledger)?;
        if lend {
            self.connection.lend_transmit(taken);
            self.lent = Some(taken);
        } else {
            let told = match self.planted {
                Some(Planted::ShortWrite) if taken > 1 => taken - 1,
                _ => taken,
            };
            self.connection.advance_transmit(told);
            self.timing.wrote();
            self.since += taken;
        }
        Ok(true)
    }

    /// Tells the engine how much of what it lent was written.
    pub(super) fn give_back(&mut self) -> bool {
        let Some(taken) = self.lent.take() else { return false };
        // An end that is not orderly throws away what is left, also what is being written.
        let counts =
            if self.connection.machine().is_closed() { self.connection.left() } else { taken };
        self.connection.advance_transmit(taken);
        self.timing.wrote();
        self.since += taken.min(counts);
        true
    }

    /// Books the lines that begin among the first `taken` bytes.
    fn announce(&mut self, chunk: &[u8], taken: usize, ledger: &mut Ledger) -> Kept {
        let mut at = self.rest.min(taken);
        self.rest -= at;
        while at < taken {
            let length = chunk[at..].iter().position(|byte| *byte == b'\n');
            let length = length.unwrap_or(chunk.len() - at);
            ledger.written(self.end, &chunk[at..at + length])?;
            let end = at + length + 1;
            self.rest = end.saturating_sub(taken);
            at = end.min(taken);
        }
        Ok(())
    }

    /// Whether it was closed because its peer did not read.
    pub(super) fn has_stalled(&self) -> bool {
        self.timing.has_stalled()
    }

    /// Whether something of what arrived has not been read, or not been given back.
    pub(super) fn is_busy(&self) -> bool {
        !self.unread.is_empty() || self.ended || self.lent.is_some()
    }
}
