//! The machine of a server and the tasks that wait for its exchanges.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::task::{Context, Poll, Waker};

use super::super::afterwards::Afterwards;
use super::super::link::{Link, Say, Scope, Turn};
use super::super::shared::{Shared, State};
use super::super::sync;
use super::super::watchers::Change;
use crate::endpoint::Endpoint;
use crate::error::SendError;
use crate::event::Event;
use crate::http::{self, Exchange};
use crate::id::RequestId;
use crate::role;
use crate::time::Instant;

/// What stands behind the mutex of a server on HTTP.
pub(super) struct Serving {
    pub(super) machine: http::Server,
    /// The tasks of exchanges that had nothing to send when they asked.
    waiting: BTreeMap<Exchange, Waker>,
    /// Tasks whose turn it is, beyond the first.
    due: Vec<Waker>,
    /// It was closed.
    pub(super) is_ending: bool,
    /// When the driver looks again by itself.
    armed: Option<Instant>,
    /// Bytes of bodies that have not arrived completely.
    pub(super) arriving: usize,
}

pub(super) type Serve = sync::Shared<Shared<role::Server, Serving>>;

impl From<http::Scope> for Scope {
    fn from(scope: http::Scope) -> Self {
        Self(scope.0)
    }
}

impl From<Scope> for http::Scope {
    fn from(scope: Scope) -> Self {
        Self(scope.0)
    }
}

impl Serving {
    pub(super) fn new(machine: http::Server) -> Self {
        Self {
            machine,
            waiting: BTreeMap::new(),
            due: Vec::new(),
            is_ending: false,
            armed: None,
            arriving: 0,
        }
    }

    /// The task of the next exchange that has something to send now.
    fn next_ready(&mut self) -> Option<Waker> {
        loop {
            let exchange = self.machine.poll_ready()?;
            if let Some(waker) = self.waiting.remove(&exchange) {
                return Some(waker);
            }
        }
    }

    /// Whether the driver would sleep too long.
    fn is_early(&mut self) -> bool {
        let due = self.machine.poll_timeout();
        due.is_some_and(|due| self.armed.is_none_or(|armed| due < armed))
    }

    /// The driver is here: when it has to look again.
    pub(super) fn arm(&mut self) -> Option<Instant> {
        self.armed = self.machine.poll_timeout();
        self.armed
    }

    /// The task of an exchange waits no longer. Its waker is to be dropped without the lock.
    #[must_use]
    pub(super) fn release(&mut self, exchange: Exchange) -> Option<Waker> {
        self.waiting.remove(&exchange)
    }
}

impl Link<role::Server> for Serving {
    fn endpoint(&self, scope: Scope) -> Option<&Endpoint<role::Server>> {
        self.machine.endpoint(scope.into())
    }

    fn endpoint_mut(&mut self, scope: Scope) -> Option<&mut Endpoint<role::Server>> {
        self.machine.endpoint_mut(scope.into())
    }

    fn poll_event(&mut self, _: bool) -> Option<(Scope, Event)> {
        self.machine.poll_event().map(|(scope, event)| (scope.into(), event))
    }

    fn ends_with(&self, _: Scope) -> bool {
        false
    }

    fn requests_in_flight(&self) -> usize {
        self.machine.requests_in_flight()
    }

    fn close(&mut self, now: Instant) {
        self.is_ending = true;
        self.machine.close(now);
    }

    fn handle_transport_error(&mut self, now: Instant) {
        self.close(now);
    }

    fn announce(&mut self, say: &mut Say<'_, role::Server>) -> Result<(), SendError> {
        if self.is_ending {
            return Err(SendError::Closed);
        }
        let mut said = Ok(());
        for session in self.machine.sessions_open() {
            let Some(endpoint) = self.machine.endpoint_mut(session) else { continue };
            match say(endpoint) {
                // It has ended, or has only begun: nobody has asked for anything yet that could have changed.
                Err(SendError::Closed | SendError::NotReady) => {}
                // One that does not read does not keep it from the others.
                other => said = said.and(other),
            }
        }
        said
    }

    fn close_stream(&mut self, scope: Scope, request: &RequestId, now: Instant) -> bool {
        self.machine.close_stream(scope.into(), request, now)
    }

    fn settle(&mut self) -> Turn {
        let first = self.next_ready();
        while let Some(waker) = self.next_ready() {
            self.due.push(waker);
        }
        let is_driver = !self.due.is_empty()
            || self.machine.has_event()
            || self.machine.is_closed()
            || self.is_early();
        match (first, is_driver) {
            (Some(waker), false) => Turn::Task(waker),
            (Some(waker), true) => {
                self.due.push(waker);
                Turn::Driver
            }
            (None, true) => Turn::Driver,
            (None, false) => Turn::Nobody,
        }
    }
}

impl Shared<role::Server, Serving> {
    /// Changes the machine, hands its events over, and wakes everyone whose turn it is.
    pub(super) fn turn<T>(
        &self,
        change: impl FnOnce(&mut State<role::Server, Serving>, Instant) -> T,
    ) -> T {
        let now = self.now();
        let mut afterwards = Afterwards::default();
        let mut state = self.lock();
        let result = change(&mut state, now);
        state.finish_turn(now, &mut afterwards);
        drop(state);
        afterwards.wake();
        result
    }

    /// Opens an exchange and asks for something of it at once, as [`poll_exchange`](Self::poll_exchange) does.
    pub(super) fn open_exchange<T, E>(
        &self,
        open: impl FnOnce(&mut http::Server, Instant) -> Result<Exchange, E>,
        cx: &mut Context<'_>,
        ask: impl FnOnce(&mut http::Server, Exchange) -> Option<T>,
    ) -> Result<(Exchange, Poll<T>), E> {
        let now = self.now();
        let mut afterwards = Afterwards::default();
        let mut state = self.lock();
        let opened = open(&mut state.link.machine, now);
        let asked = opened.map(|exchange| {
            let (asked, _) = state.ask(exchange, cx, ask, &mut afterwards);
            (exchange, asked)
        });
        state.finish_turn(now, &mut afterwards);
        drop(state);
        afterwards.wake();
        asked
    }

    /// Asks for something of an exchange, and is asked again once there is something.
    pub(super) fn poll_exchange<T>(
        &self,
        exchange: Exchange,
        cx: &mut Context<'_>,
        ask: impl FnOnce(&mut http::Server, Exchange) -> Option<T>,
    ) -> Poll<T> {
        let now = self.now();
        let mut afterwards = Afterwards::default();
        let mut state = self.lock();
        state.link.machine.observe(now);
        let (asked, former) = state.ask(exchange, cx, ask, &mut afterwards);
        if asked.is_ready() {
            state.finish_turn(now, &mut afterwards);
        }
        drop(state);
        drop(former);
        afterwards.wake();
        asked
    }
}

impl Serving {
    /// Keeps the waker of an exchange's task. What it displaces is to be dropped without the lock.
    #[must_use]
    fn keep(&mut self, exchange: Exchange, cx: &Context<'_>) -> Option<Waker> {
        match self.waiting.get_mut(&exchange) {
            Some(waker) if waker.will_wake(cx.waker()) => None,
            Some(waker) => Some(core::mem::replace(waker, cx.waker().clone())),
            None => self.waiting.insert(exchange, cx.waker().clone()),
        }
    }
}

impl State<role::Server, Serving> {
    /// Asks for something of an exchange, or keeps the waker of its task. The one that it had is to be dropped without the
    /// lock.
    fn ask<T>(
        &mut self,
        exchange: Exchange,
        cx: &mut Context<'_>,
        ask: impl FnOnce(&mut http::Server, Exchange) -> Option<T>,
        afterwards: &mut Afterwards,
    ) -> (Poll<T>, Option<Waker>) {
        let scope = self.link.machine.scope_of(exchange);
        let Some(asked) = ask(&mut self.link.machine, exchange) else {
            return (Poll::Pending, self.link.keep(exchange, cx));
        };
        // What was taken makes room, for the same request at least.
        if let Some(scope) = scope {
            self.wake_watchers(Change::Output(scope.into()), afterwards);
        }
        (Poll::Ready(asked), self.link.release(exchange))
    }

    /// Hands events over, and finds whose turn it is.
    fn finish_turn(&mut self, now: Instant, afterwards: &mut Afterwards) {
        self.hand_over(now, afterwards);
        if self.link.is_early() || self.link.machine.is_closed() {
            afterwards.wakers.extend(self.driver.take());
        }
    }

    /// Gives events to those who accept requests, and their turn to those whose exchanges have something to send.
    pub(super) fn hand_over(&mut self, now: Instant, afterwards: &mut Afterwards) {
        while self.link.machine.has_event() {
            self.pump(now, afterwards);
            // Servers have no listeners.
            afterwards.jobs.clear();
            afterwards.handed_over = 0;
        }
        afterwards.wakers.append(&mut self.link.due);
        while let Some(waker) = self.link.next_ready() {
            afterwards.wakers.push(waker);
        }
    }
}
