//! One scope: an endpoint, and the streams on which what it says goes out.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::mem;

use bytes::Bytes;
use http::StatusCode;

use super::super::Exchange;
use super::Scope;
use super::exchange::Timer;
use super::hub::Hub;
use super::replay::StreamName;
use super::session::Session;
use super::status::refusal_of;
use super::stream::{Form, Kind, Said, Stream, Taken, joined};
use crate::endpoint::{Endpoint, Origin, Outlet, Route, Settled, Transmit};
use crate::event::Event;
use crate::id::RequestId;
use crate::role;
use crate::time::Instant;
use crate::wire::ErrorId;

/// An endpoint and its streams. A session has many, a modern exchange one.
#[derive(Clone)]
pub(super) struct Conversation {
    pub(super) scope: Scope,
    pub(super) endpoint: Endpoint<role::Server>,
    /// What only a session has.
    pub(super) session: Option<Box<Session>>,
    /// Those with something to come, or with a reader, by name.
    pub(super) streams: Vec<Stream>,
    /// Streams that are complete and may be taken up again, until when. Apart from the others, which are looked at
    /// with each message.
    pub(super) complete: VecDeque<(Instant, Stream)>,
    /// Bytes that wait on them.
    pub(super) complete_len: usize,
    /// Its endpoint was lent out, and may have something to say.
    pub(super) is_touched: bool,
    /// It is among those that have events.
    pub(super) is_listed: bool,
    /// The timer that is set for it.
    pub(super) armed: Option<Instant>,
    /// Bytes of it that were counted as waiting.
    pub(super) waiting_len: usize,
    /// Requests of it that were counted as running.
    pub(super) in_flight: usize,
}

impl Conversation {
    pub(super) fn new(
        scope: Scope,
        endpoint: Endpoint<role::Server>,
        session: Option<Box<Session>>,
    ) -> Self {
        Self {
            scope,
            endpoint,
            session,
            streams: Vec::new(),
            complete: VecDeque::new(),
            complete_len: 0,
            is_touched: false,
            is_listed: false,
            armed: None,
            waiting_len: 0,
            in_flight: 0,
        }
    }

    pub(super) fn find(&mut self, name: StreamName) -> Option<&mut Stream> {
        let at = self.streams.binary_search_by_key(&name, |stream| stream.name).ok()?;
        self.streams.get_mut(at)
    }

    /// One that a client may know from before.
    pub(super) fn find_former(&mut self, name: StreamName) -> Option<&mut Stream> {
        match self.streams.binary_search_by_key(&name, |stream| stream.name) {
            Ok(at) => self.streams.get_mut(at),
            Err(_) => {
                let mut complete = self.complete.iter_mut().map(|(_, stream)| stream);
                complete.find(|stream| stream.name == name)
            }
        }
    }

    /// A stream that was complete is read again.
    pub(super) fn recall(&mut self, name: StreamName) {
        let at = self.complete.iter().position(|(_, stream)| stream.name == name);
        if let Some((_, stream)) = at.and_then(|at| self.complete.remove(at)) {
            let at = self.streams.partition_point(|other| other.name < name);
            self.streams.insert(at, stream);
            self.weigh_complete();
        }
    }

    pub(super) fn weigh_complete(&mut self) {
        self.complete_len = self.complete.iter().map(|(_, stream)| stream.len()).sum();
    }

    /// The stream of HTTP+SSE, where everything goes.
    fn everything(&mut self) -> Option<&mut Stream> {
        self.streams.first_mut().filter(|stream| stream.kind == Kind::Everything)
    }

    /// Whether somebody reads a stream of it.
    pub(super) fn is_read(&self) -> bool {
        self.streams.iter().any(|stream| stream.exchange.is_some())
    }

    /// Sorts what the endpoint has to say into the streams, and sets everything that depends on it.
    pub(super) fn settle(&mut self, hub: &mut Hub) {
        self.is_touched = false;
        hub.clock = hub.clock.max(self.endpoint.core().clock());
        loop {
            while let Some(transmit) = self.endpoint.core_mut().poll_message() {
                self.place(transmit, hub);
            }
            let Some(settled) = self.endpoint.core_mut().poll_settled() else { break };
            self.handle_settled(settled, hub);
        }
        if self.endpoint.is_closed() {
            self.end_session(hub);
        }
        let mut at = 0;
        while at < self.streams.len() {
            self.settle_stream(at, hub);
            if self.rests(at) {
                let stream = self.streams.remove(at);
                self.keep_complete(stream, hub);
            } else {
                at += 1;
            }
        }
        self.streams.retain(|stream| {
            let is_gone = stream.is_gone();
            if is_gone {
                hub.replay.forget(stream.key);
            }
            !is_gone
        });
        self.end_everything(hub);
        self.hold_standalone(hub);
        self.count(hub);
        self.list(hub);
        self.arm(hub);
        self.rest(hub);
    }

    /// A request of one of its streams wants no answer any more.
    fn handle_settled(&mut self, settled: Settled, hub: &mut Hub) {
        let name = StreamName(settled.origin.0);
        let Some(stream) = self.find(name) else { return };
        stream.waiting = stream.waiting.saturating_sub(1);
        stream.is_over |= stream.waiting == 0 && matches!(stream.kind, Kind::Answers(_));
        stream.is_dirty = true;
        if let Some(id) = settled.revoked {
            // R-PROG-04: nothing more leaves for it. What was taken has left.
            stream.take_back(&id, &mut *hub.replay);
            self.let_report(name, hub);
        }
    }

    fn settle_stream(&mut self, at: usize, hub: &mut Hub) {
        let now = hub.clock;
        let Some(stream) = self.streams.get_mut(at).filter(|stream| stream.is_dirty) else {
            return;
        };
        stream.is_dirty = false;
        stream.decide(&mut *hub.replay);
        let max_len = hub.options.max_stream_len;
        if stream.kind != Kind::Standalone && !stream.is_held && stream.is_long(max_len) {
            stream.is_held = true;
            let origin = Origin(stream.name.0);
            self.endpoint.core_mut().set_outlet(origin, Outlet::Held, now);
        }
        let Some(stream) = self.streams.get_mut(at) else { return };
        if let Some(exchange) = stream.exchange
            && stream.has_some()
        {
            hub.signal(exchange);
        }
    }

    /// The stream of HTTP+SSE never ends by itself: if the server stops it ends when nothing runs.
    fn end_everything(&mut self, hub: &mut Hub) {
        let is_quiet = self.endpoint.requests_in_flight() == 0;
        if !hub.is_draining || !is_quiet {
            return;
        }
        if let Some(stream) = self.everything().filter(|stream| !stream.is_over) {
            stream.is_over = true;
            if let Some(exchange) = stream.exchange {
                hub.signal(exchange);
            }
        }
    }

    /// Whether a stream is complete, and its client is away or may not have got all of it.
    fn rests(&self, at: usize) -> bool {
        self.streams.get(at).is_some_and(|stream| stream.is_over && stream.exchange.is_none())
    }

    /// Keeps such a stream, if it can be taken up again.
    fn keep_complete(&mut self, mut stream: Stream, hub: &mut Hub) {
        let is_kept = stream.can_resume() && !stream.is_gone();
        if !is_kept || self.session.is_none() || self.endpoint.is_closed() {
            return hub.replay.forget(stream.key);
        }
        // Taking it up again does not prolong that.
        let until = stream.kept_until.unwrap_or(hub.clock + hub.options.replay_timeout);
        if until <= hub.clock {
            return hub.replay.forget(stream.key);
        }
        stream.kept_until = Some(until);
        hub.replay.complete(stream.key);
        let at = self.complete.partition_point(|(other, _)| *other <= until);
        self.complete.insert(at, (until, stream));
        // Where too much waits, the last one is what its client is most likely to come back for.
        let is_full = hub.waiting() > hub.options.max_waiting_len;
        let most = if is_full { 1 } else { hub.options.max_complete_streams };
        while self.complete.len() > most.min(hub.options.max_complete_streams) {
            self.forget_complete(hub);
        }
        self.weigh_complete();
    }

    /// Forgets the stream that has been complete for the longest time.
    fn forget_complete(&mut self, hub: &mut Hub) {
        if let Some((_, stream)) = self.complete.pop_front() {
            hub.replay.forget(stream.key);
            self.weigh_complete();
        }
    }

    /// The answer to a message that opened no request. Everything else that it provoked goes its way.
    pub(super) fn take_answer(&mut self, origin: Origin, hub: &mut Hub) -> Option<Bytes> {
        let (mut answer, mut rest) = (None, Vec::new());
        while let Some(transmit) = self.endpoint.core_mut().poll_message() {
            if transmit.origin != origin {
                self.place(transmit, hub);
            } else if answer.is_none() {
                answer = Some(transmit.message);
            } else {
                rest.push(transmit.message);
            }
        }
        if rest.is_empty() { answer } else { Some(joined(answer.into_iter().chain(rest))) }
    }

    /// Puts a message where it belongs.
    fn place(&mut self, transmit: Transmit, hub: &mut Hub) {
        let Transmit { route, origin, message } = transmit;
        let said = Said { route, message };
        if let Some(stream) = self.everything() {
            return stream.push(said, &mut *hub.replay);
        }
        let is_answer = !said.is_ours() && !matches!(said.route, Route::Related(_));
        if origin != Origin::NONE {
            match self.find(StreamName(origin.0)) {
                Some(stream) if is_answer || stream.takes_events() => {
                    return stream.push(said, &mut *hub.replay);
                }
                // A call goes where it can; of anything else its request was told that it cannot.
                _ if said.is_ours() => {}
                _ => return,
            }
        }
        self.place_apart(said, hub);
    }

    /// Puts a message where what belongs to no request goes.
    fn place_apart(&mut self, said: Said, hub: &mut Hub) {
        let Some(session) = &mut self.session else { return };
        match standalone(&mut self.streams) {
            Some(stream) => stream.push(said, &mut *hub.replay),
            None => session.keep(said.message),
        }
    }

    /// Lets what belongs to no request wait while what is there of it is not read.
    fn hold_standalone(&mut self, hub: &mut Hub) {
        let everything = self.everything().map(|stream| stream.len());
        let Some(session) = &mut self.session else { return };
        let waiting = everything
            .or_else(|| standalone(&mut self.streams).map(|stream| stream.len()))
            .unwrap_or(session.backlog_len);
        let max_len = hub.options.max_stream_len;
        let is_held = if session.is_held { waiting > max_len / 2 } else { waiting > max_len };
        if mem::replace(&mut session.is_held, is_held) != is_held {
            let outlet = if is_held { Outlet::Held } else { Outlet::Open };
            self.endpoint.core_mut().set_outlet(Origin::NONE, outlet, hub.clock);
        }
    }

    fn count(&mut self, hub: &mut Hub) {
        let backlog = self.session.as_ref().map_or(0, |session| session.backlog_len);
        // Answers that wait for the rest of their batch wait, too.
        let held = backlog + self.endpoint.core().held_in_batches();
        let waiting =
            self.streams.iter().map(Stream::len).sum::<usize>() + self.complete_len + held;
        hub.waiting_len = hub.waiting_len - self.waiting_len + waiting;
        self.waiting_len = waiting;
        let in_flight = self.endpoint.requests_in_flight();
        hub.in_flight = hub.in_flight - self.in_flight + in_flight;
        self.in_flight = in_flight;
    }

    /// Bytes that wait on its streams.
    pub(super) fn waiting_len(&self) -> usize {
        self.waiting_len
    }

    fn list(&mut self, hub: &mut Hub) {
        if !self.is_listed && self.endpoint.core().has_event() {
            self.is_listed = true;
            hub.active.push_back(self.scope);
        }
    }

    /// Takes an event, since its turn among those that have some has come. Nothing else of it changes by that.
    pub(super) fn take_event(&mut self, hub: &mut Hub) -> Option<Event> {
        self.is_listed = false;
        let event = self.endpoint.poll_event();
        self.list(hub);
        self.rest(hub);
        event
    }

    fn arm(&mut self, hub: &mut Hub) {
        let complete = self.complete.front().map(|(at, _)| *at);
        let due = self.endpoint.poll_timeout().into_iter().chain(complete).min();
        if let Some(due) = due
            && self.armed.is_none_or(|armed| due < armed)
        {
            hub.timers.set(Timer::Scope(self.scope), self.armed, Some(due));
            self.armed = Some(due);
        }
    }

    /// Whether it is idle, or over.
    fn rest(&mut self, hub: &mut Hub) {
        let is_quiet = !self.is_read() && self.endpoint.requests_in_flight() == 0;
        let is_used = self.endpoint.core().is_used();
        let is_over = match &mut self.session {
            Some(session) if self.endpoint.is_closed() => {
                hub.sessions.remove(session, self.scope);
                is_quiet
            }
            Some(session) => {
                let until = match is_used {
                    true => is_quiet.then(|| hub.clock + hub.options.session_timeout),
                    // Streams alone are no use of it.
                    false => Some(session.opening_until),
                };
                if until.is_none() || session.idle_until.is_none() {
                    hub.sessions.set_idle(session, self.scope, until);
                }
                false
            }
            None => is_quiet,
        };
        if is_over && !self.endpoint.core().has_event() {
            hub.finished.push(self.scope);
        }
    }

    /// Something came for a session: it is not idle from before.
    pub(super) fn wake(&mut self, hub: &mut Hub) {
        if let Some(session) = &mut self.session {
            hub.sessions.set_idle(session, self.scope, None);
        }
    }

    /// Its timer is due.
    pub(super) fn handle_timeout(&mut self, now: Instant, hub: &mut Hub) {
        self.armed = None;
        while self.complete.front().is_some_and(|(at, _)| *at <= now) {
            self.forget_complete(hub);
        }
        if self.endpoint.poll_timeout().is_some_and(|at| at <= now) {
            self.endpoint.handle_timeout(now);
        }
        self.settle(hub);
    }

    /// Takes something for the reader of a stream.
    pub(super) fn take(&mut self, name: StreamName, hub: &mut Hub) -> Taken {
        let Some(stream) = self.find(name) else { return Taken::End };
        let taken = stream.take();
        self.is_touched |= self.let_report(name, hub);
        if taken == Taken::End {
            self.leave(name, hub);
        } else if taken != Taken::Wait {
            self.is_touched |= self.session.as_ref().is_some_and(|session| session.is_held);
            self.count(hub);
        }
        if self.is_touched {
            self.settle(hub);
        }
        taken
    }

    /// Lets the reports of a stream come that were held back, if so little waits there that they may.
    fn let_report(&mut self, name: StreamName, hub: &Hub) -> bool {
        let max_len = hub.options.max_stream_len;
        let stream = self.find(name).filter(|stream| stream.is_held && stream.is_short(max_len));
        let Some(stream) = stream else { return false };
        stream.is_held = false;
        self.endpoint.core_mut().set_outlet(Origin(name.0), Outlet::Open, hub.clock);
        true
    }

    /// The reader of a stream has gone, or was sent away.
    pub(super) fn leave(&mut self, name: StreamName, hub: &mut Hub) {
        let now = hub.clock;
        let is_session = self.session.is_some();
        let Some(stream) = self.find(name) else { return };
        stream.exchange = None;
        stream.is_dirty = true;
        let origin = Origin(name.0);
        match stream.kind {
            // Whoever hangs up wants no answer; 2026-07-28 basic/patterns/cancellation.
            Kind::Answers(_) if !is_session => {
                stream.leave();
                self.endpoint.core_mut().withdraw_from(origin, now);
            }
            // Whoever hangs up may come back, and wants the answer; 2025-03-26 basic/transports.
            Kind::Answers(_) | Kind::Standalone if stream.can_resume() => {}
            Kind::Answers(_) | Kind::Standalone => {
                let is_standalone = stream.kind == Kind::Standalone;
                let is_awaited = stream.waiting > 0;
                let unseen = stream.take_unseen();
                stream.leave();
                if is_awaited {
                    self.endpoint.core_mut().set_outlet(origin, Outlet::Shut, now);
                }
                // A call of ours is as good on another stream.
                let unseen = unseen.into_iter().filter(|said| is_standalone || said.is_ours());
                unseen.for_each(|said| self.place_apart(said, hub));
            }
            // The stream is the session; 2024-11-05 basic/transports.
            Kind::Everything => {
                stream.leave();
                self.endpoint.close(now);
            }
        }
        self.settle(hub);
    }

    /// Opens a stream for what belongs to no request, with what nobody has seen yet.
    pub(super) fn open_standalone(&mut self, mut stream: Stream, hub: &mut Hub) {
        stream.become_stream(&mut *hub.replay);
        for old in self.streams.iter_mut() {
            if old.kind == Kind::Standalone && old.exchange.is_none() {
                let unseen = old.take_unseen();
                unseen.into_iter().for_each(|said| stream.push(said, &mut *hub.replay));
                hub.replay.forget(old.key);
                old.leave();
            }
        }
        if let Some(session) = &mut self.session {
            session.backlog_len = 0;
            let backlog = mem::take(&mut session.backlog);
            let backlog = backlog.into_iter().map(Said::bare);
            backlog.for_each(|said| stream.push(said, &mut *hub.replay));
        }
        self.streams.push(stream);
        self.settle(hub);
    }

    /// Streams that somebody reads for what belongs to no request.
    pub(super) fn standalone_streams(&self) -> usize {
        let is_open =
            |stream: &&Stream| stream.kind == Kind::Standalone && stream.exchange.is_some();
        self.streams.iter().filter(is_open).count()
    }

    /// The server stops: what never ends by itself ends now.
    pub(super) fn drain(&mut self, hub: &mut Hub) {
        let subscription = self.streams.first().filter(|stream| stream.is_subscription);
        if let Some(name) = subscription.map(|stream| stream.name) {
            self.end_subscription(name, hub);
        }
        for stream in self.streams.iter_mut().filter(|stream| stream.kind == Kind::Standalone) {
            stream.is_over = true;
            stream.is_dirty = true;
        }
        self.settle(hub);
    }

    /// Says that a subscription has ended; 2026-07-28 `basic/patterns/subscriptions`.
    fn end_subscription(&mut self, name: StreamName, hub: &mut Hub) {
        // What was said before counts: the result must not be the first message.
        self.settle(hub);
        let now = hub.clock;
        let Some(stream) = self.find(name) else { return };
        if stream.form == Form::Undecided {
            let (status, why) = (StatusCode::SERVICE_UNAVAILABLE, "the server is about to stop");
            self.refuse(name, status, why, hub);
            self.endpoint.core_mut().withdraw_from(Origin(name.0), now);
        } else {
            self.endpoint.core_mut().end_subscriptions(Origin(name.0), now);
        }
    }

    /// Ends the response of a request, which goes on.
    pub(super) fn part(&mut self, request: &RequestId, hub: &mut Hub) -> bool {
        let Some(origin) = self.endpoint.core().origin_of(request) else { return false };
        let Some(stream) = self.find(StreamName(origin.0)) else { return false };
        if !stream.part(&hub.options, &mut *hub.replay) {
            return false;
        }
        stream.is_dirty = true;
        self.settle(hub);
        true
    }

    /// A request has waited for its answer: its client gets an id with which it can come back. What has been decided stays.
    pub(super) fn prime(&mut self, name: StreamName, hub: &mut Hub) {
        let Some(stream) = self.find(name).filter(|stream| stream.form == Form::Undecided) else {
            return;
        };
        stream.become_stream(&mut *hub.replay);
        if let Some(exchange) = stream.exchange {
            hub.signal(exchange);
        }
    }

    /// A stream is silent: it says that it is alive.
    pub(super) fn keep_alive(&mut self, name: StreamName, hub: &mut Hub) {
        let Some(stream) = self.find(name) else { return };
        if stream.keep_alive(&mut *hub.replay)
            && let Some(exchange) = stream.exchange
        {
            hub.signal(exchange);
        }
    }

    /// The exchange that reads a stream, while it does.
    pub(super) fn reader(&self, name: StreamName) -> Option<Exchange> {
        let at = self.streams.binary_search_by_key(&name, |stream| stream.name).ok()?;
        self.streams.get(at)?.exchange
    }

    /// Ends it. Who still waits for an answer is told while the ids are known.
    pub(super) fn close(&mut self, hub: &mut Hub) {
        // What was said before counts.
        self.settle(hub);
        self.refuse_all(hub);
        self.endpoint.close(hub.clock);
        self.settle(hub);
    }

    fn end_session(&mut self, hub: &mut Hub) {
        if let Some(session) = &mut self.session {
            hub.sessions.remove(session, self.scope);
            session.backlog.clear();
            session.backlog_len = 0;
        }
        self.refuse_all(hub);
        for stream in &mut self.streams {
            stream.is_dirty |= !stream.is_over;
            stream.is_over = true;
        }
    }

    /// Says that no request will be answered of which nothing was said yet.
    fn refuse_all(&mut self, hub: &mut Hub) {
        let (status, why) = match hub.is_draining {
            true => (StatusCode::SERVICE_UNAVAILABLE, "the server has stopped"),
            false => (StatusCode::NOT_FOUND, "the session has ended"),
        };
        let unanswered = self.streams.iter().filter(|stream| stream.is_unanswered());
        let unanswered: Vec<_> = unanswered.map(|stream| stream.name).collect();
        unanswered.into_iter().for_each(|name| self.refuse(name, status, why, hub));
    }

    /// Says on a stream that its request will not be answered.
    fn refuse(&mut self, name: StreamName, status: StatusCode, why: &'static str, hub: &mut Hub) {
        let id = self.endpoint.core().only_request_of(Origin(name.0));
        let refusal = refusal_of(status, id.as_ref().map_or(ErrorId::Absent, ErrorId::Known), why);
        if let Some(stream) = self.find(name) {
            stream.refuse(refusal, &mut *hub.replay);
        }
    }

    /// It is over: nothing of it stays.
    pub(super) fn discard(&mut self, hub: &mut Hub) {
        hub.timers.set(Timer::Scope(self.scope), self.armed, None);
        hub.waiting_len -= self.waiting_len;
        hub.in_flight -= self.in_flight;
        for stream in self.streams.iter().chain(self.complete.iter().map(|(_, stream)| stream)) {
            hub.replay.forget(stream.key);
        }
        if let Some(session) = &mut self.session {
            hub.sessions.remove(session, self.scope);
        }
    }
}

/// Where what belongs to no request goes: the first stream that is read, or else the last whose reader may come
/// back. One, never two: 2025-03-26 `basic/transports`, multiple connections.
fn standalone(streams: &mut [Stream]) -> Option<&mut Stream> {
    let is_one =
        |stream: &Stream| stream.kind == Kind::Standalone && !stream.is_over && !stream.is_gone();
    let open = |stream: &Stream| is_one(stream) && stream.exchange.is_some();
    let at = streams.iter().position(open).or_else(|| streams.iter().rposition(is_one))?;
    streams.get_mut(at)
}
