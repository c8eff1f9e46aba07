//! Calls whose listeners stand still: what came for them stays unread, and everything else goes on.

use alloc::collections::{BTreeMap, BTreeSet};

use super::exchange::Aim;
use super::{Client, Exchange};
use crate::event::Event;

/// Who is not read, and where something waits to be.
#[derive(Clone, Debug, Default, Hash)]
pub(super) struct Stalled {
    /// Calls that take no more reports.
    calls: BTreeSet<i64>,
    /// Streams on which reports of such a call came beside its own.
    beside: BTreeMap<Exchange, i64>,
    /// Exchanges that have something to be read.
    waiting: BTreeSet<Exchange>,
}

impl Client {
    /// Reads nothing more that may be a report of this call: neither its own stream, nor one for several, nor one on
    /// which such reports come although it is another's.
    #[cfg(feature = "driver")]
    pub(crate) fn stall(&mut self, id: &crate::id::RequestId) {
        if let Some(number) = id.as_i64() {
            self.stalled.calls.insert(number);
        }
    }

    /// Reads on.
    #[cfg(feature = "driver")]
    pub(crate) fn unstall(&mut self, id: &crate::id::RequestId) {
        let Some(number) = id.as_i64() else { return };
        self.stalled.calls.remove(&number);
        self.stalled.beside.retain(|_, of| *of != number);
        self.readable.extend(core::mem::take(&mut self.stalled.waiting));
    }

    /// Whether what comes on this exchange stays unread.
    pub(super) fn is_stalled(&self, exchange: Exchange) -> bool {
        if self.stalled.calls.is_empty() {
            return false;
        }
        match self.exchanges.get(&exchange).map(|entry| &entry.aim) {
            Some(Aim::Call(number, _)) => {
                self.stalled.calls.contains(number) || self.stalled.beside.contains_key(&exchange)
            }
            Some(aim) => aim.is_standing(),
            None => false,
        }
    }

    /// Something of this exchange is to be read later.
    pub(super) fn set_aside(&mut self, exchange: Exchange) {
        self.stalled.waiting.insert(exchange);
    }

    /// Nothing waits there any more.
    pub(super) fn forget_stalled(&mut self, exchange: Exchange) {
        self.stalled.beside.remove(&exchange);
        self.stalled.waiting.remove(&exchange);
    }

    /// Whether the events behind the first `before` have to make this exchange wait, too: a legacy server may report on
    /// the stream of another call, which must not fill the memory of who has stopped to listen.
    pub(super) fn follow_stalled(&mut self, exchange: Exchange, before: usize) {
        if self.stalled.calls.is_empty() {
            return;
        }
        let stalled = self.endpoint.core().events_behind(before).find_map(|event| match event {
            Event::Progress { id, .. } => {
                id.as_i64().filter(|number| self.stalled.calls.contains(number))
            }
            _ => None,
        });
        if let Some(number) = stalled {
            self.stalled.beside.insert(exchange, number);
        }
    }

    /// Reads what has come, whoever waits: that is before a deadline, and no more comes behind it.
    pub(super) fn read_stalled(&mut self) {
        let Stalled { calls, beside, waiting } = core::mem::take(&mut self.stalled);
        self.readable.extend(waiting);
        self.read_all();
        self.stalled.calls = calls;
        self.stalled.beside = beside;
        self.stalled.beside.retain(|exchange, _| self.exchanges.contains_key(exchange));
    }
}
