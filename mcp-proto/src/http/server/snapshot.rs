//! A session goes from one server to another.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

use bytes::Bytes;
use http::StatusCode;
use serde::{Deserialize, Serialize};

use super::conversation::Conversation;
use super::hub::Hub;
use super::replay::StreamName;
use super::session::{Session, SessionId};
use super::status::{empty, json_head, refusal_of, stream_head};
use super::stream::{Form, Kind, Stream, StreamForm};
use super::{Scope, Server};
use crate::endpoint::{self, Endpoint, Origin, Outlet};
use crate::role;
use crate::state::{
    self, Envelope, Moments, RestoreError, check, check_count, check_limit, moments,
};
use crate::time::Instant;
use crate::wire::ErrorId;

/// A session of a legacy revision, taken out of a [`Server`]: its id, whose it is, its endpoint with everything in
/// flight, and its streams with what can be said again on them.
///
/// It holds the id, which is a secret, and what both sides have said: it is to be kept like a key.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SessionSnapshot(Envelope<State>);

#[derive(Clone, Serialize, Deserialize)]
struct State {
    #[serde(with = "crate::state::kept")]
    id: SessionId,
    #[serde(with = "crate::state::kept")]
    principal: Option<Bytes>,
    #[serde(with = "crate::state::kept")]
    backlog: VecDeque<Bytes>,
    endpoint: endpoint::State,
    /// By name.
    streams: Vec<StreamForm>,
    /// Those that are complete, the oldest first.
    complete: Vec<StreamForm>,
    /// The name of the newest stream of the server that it was in.
    newest: u64,
}

impl state::State for State {
    const MACHINE: &'static str = "session";
}

moments!(State { endpoint, streams, complete; id, principal, backlog, newest });

impl Server {
    /// Sessions of the legacy revisions that [`export_session`](Self::export_session) can hand over. Feature `snapshot`.
    pub fn session_scopes(&self) -> impl Iterator<Item = Scope> {
        let movable = self.conversations.iter().filter(|conversation| conversation.can_move());
        movable.map(|conversation| conversation.scope)
    }

    /// Takes a session out, for another server with the same configuration. Here it is gone, without an event; moments
    /// are counted from `now`. `None` if there is no such session, or if its stream is the session (HTTP+SSE). Feature
    /// `snapshot`.
    ///
    /// Its responses end, each behind what waits for it: those that are complete as ever, a stream of events in the
    /// middle, as if the connection had been cut. Where events have ids (`resumption`) its client comes back with
    /// `Last-Event-ID` and gets the rest from the other server. Before it has seen an event with an id it cannot: in
    /// 2025-11-25 it is given one now; in earlier revisions a request of which nothing was said yet is refused with
    /// 503, and its answer has no way any more.
    pub fn export_session(&mut self, scope: Scope, now: Instant) -> Option<SessionSnapshot> {
        self.observe(now);
        let conversation = self.conversations.get_mut(scope).filter(|it| it.can_move())?;
        conversation.settle(&mut self.hub);
        conversation.send_away(&mut self.hub);
        let mut state = conversation.state(&self.hub)?;
        self.conversations.remove(scope, |conversation| conversation.discard(&mut self.hub));
        state.rebase(self.hub.clock, Instant::ZERO);
        Some(SessionSnapshot(Envelope::new(state)))
    }

    /// Takes in a session of another server, which goes on at `now`. Its requests in flight are said by
    /// [`Endpoint::in_flight`]. Feature `snapshot`.
    ///
    /// # Errors
    ///
    /// See [`RestoreError`]; nothing has changed then.
    pub fn import_session(
        &mut self,
        snapshot: SessionSnapshot,
        now: Instant,
    ) -> Result<Scope, RestoreError> {
        self.observe(now);
        let mut state = snapshot.0.open()?;
        state.rebase(Instant::ZERO, self.hub.clock);
        if self.hub.is_draining {
            return Err(RestoreError::Config("a server that takes nothing new"));
        }
        let options = self.hub.options.clone();
        check_limit(self.hub.sessions.len() + 1, options.max_sessions, "sessions")?;
        if let Some(principal) = &state.principal {
            let others = self.hub.sessions.of_principal(principal);
            let most = options.max_sessions_per_principal;
            check_limit(others + 1, most, "sessions of one principal")?;
        }
        let all = state.streams.iter().chain(&state.complete);
        let waiting = all.map(StreamForm::len).chain(state.backlog.iter().map(Bytes::len));
        let waiting = waiting.fold(self.hub.waiting(), usize::saturating_add);
        check_limit(waiting, options.max_waiting_len, "bytes that wait for clients")?;
        check_limit(state.complete.len(), options.max_complete_streams, "complete streams")?;
        check(self.hub.sessions.find(&state.id).is_none(), "a session that is here already")?;
        let endpoint = Endpoint::<role::Server>::of(state.endpoint, self.hub.served.clone())?;
        let running = self.hub.in_flight.saturating_add(endpoint.requests_in_flight());
        // A batch that was let in has opened all of its requests.
        let batch = self.hub.served.config.limits.max_batch_len;
        check_limit(running, options.max_exchanges.saturating_add(batch), "requests that run")?;
        state.endpoint = endpoint.state();
        let newest = StreamName(state.newest);
        check_streams(&endpoint, &state.streams, &state.complete, newest)?;

        // From here on nothing is refused but what a stream itself says, which is taken back.
        self.hub.skip_streams(newest);
        let mut session = Session::new(state.id, state.principal, self.hub.opening_until());
        session.backlog_len = state.backlog.iter().map(Bytes::len).sum();
        session.backlog = state.backlog;
        session.is_held = endpoint.core().is_held();
        let scope = self.conversations.name();
        let mut conversation = Conversation::new(scope, endpoint, Some(Box::new(session)));
        let restored = conversation.restore_streams(state.streams, state.complete, &mut self.hub);
        if let Err(error) = restored {
            conversation.discard(&mut self.hub);
            return Err(error);
        }
        if let Some(session) = &conversation.session {
            self.hub.sessions.enter(session, scope);
        }
        self.begin(conversation);
        Ok(scope)
    }
}

impl Conversation {
    fn can_move(&self) -> bool {
        let is_stream = self.streams.first().is_some_and(|first| first.kind == Kind::Everything);
        self.session.is_some() && !is_stream && !self.endpoint.is_closed()
    }

    /// Ends the exchanges that read its streams, behind what waits for them.
    fn send_away(&mut self, hub: &mut Hub) {
        let read: Vec<_> =
            self.streams.iter().filter_map(|it| Some((it.name, it.exchange?))).collect();
        for (name, exchange) in read {
            let id = self.endpoint.core().only_request_of(Origin(name.0));
            let Some(stream) = self.find(name) else { continue };
            let last = stream.take_last(&hub.options, &mut *hub.replay);
            let head = match stream.form {
                Form::Json(status) => json_head(status),
                Form::Nothing => empty(StatusCode::ACCEPTED).map(drop),
                _ => stream_head(),
            };
            let response = match last {
                Some(last) => head.map(|()| last),
                None => {
                    let why = "the session moves, and the answer cannot follow";
                    let id = id.as_ref().map_or(ErrorId::Absent, ErrorId::Known);
                    refusal_of(StatusCode::SERVICE_UNAVAILABLE, id, why)
                }
            };
            hub.exchanges.conclude(exchange, response, hub.clock);
            hub.arm(exchange);
            self.leave(name, hub);
        }
    }

    fn state(&self, hub: &Hub) -> Option<State> {
        let session = self.session.as_deref()?;
        let form = |stream: &Stream| stream.form(&*hub.replay);
        Some(State {
            id: session.id,
            principal: session.principal.clone(),
            backlog: session.backlog.clone(),
            endpoint: self.endpoint.state(),
            streams: self.streams.iter().filter_map(form).collect(),
            complete: self.complete.iter().filter_map(|(_, stream)| form(stream)).collect(),
            newest: hub.newest_stream().0,
        })
    }

    fn restore_streams(
        &mut self,
        streams: Vec<StreamForm>,
        complete: Vec<StreamForm>,
        hub: &mut Hub,
    ) -> Result<(), RestoreError> {
        for form in streams {
            let key = hub.name_stream();
            self.streams.push(Stream::restore(form, key, &mut *hub.replay)?);
        }
        for form in complete {
            let until = form.kept_until().unwrap_or(hub.clock);
            let key = hub.name_stream();
            self.complete.push_back((until, Stream::restore(form, key, &mut *hub.replay)?));
            hub.replay.complete(key);
        }
        self.weigh_complete();
        Ok(())
    }
}

/// Whether the streams are those of this endpoint: each request has one that waits for it, or none and knows it.
fn check_streams(
    endpoint: &Endpoint<role::Server>,
    streams: &[StreamForm],
    complete: &[StreamForm],
    newest: StreamName,
) -> Result<(), RestoreError> {
    let core = endpoint.core();
    let is_ready = endpoint.peer().is_some() && !endpoint.is_closed();
    let is_whole = core.is_between_messages() && !core.holds_input();
    check(is_ready && is_whole, "a session that is not open")?;
    check_count(newest.0)?;
    let names = streams.iter().map(StreamForm::name);
    check(names.is_sorted_by(|one, other| one < other), "streams out of order")?;
    let mut names: Vec<_> = streams.iter().chain(complete).map(|stream| stream.name().0).collect();
    names.sort_unstable();
    let is_unique = names.is_sorted_by(|one, other| one < other);
    let is_issued = names.first() != Some(&0) && names.last().is_none_or(|last| *last <= newest.0);
    check(is_unique && is_issued, "two streams of one name")?;
    check(
        core.newest_origin() <= Origin(newest.0),
        "a request from a stream that is still to come",
    )?;
    let dates = complete.iter().map(StreamForm::kept_until);
    let is_dated = dates.clone().all(|until| until.is_some()) && dates.is_sorted();
    check(is_dated, "complete streams out of order")?;
    for stream in streams {
        let (waiting, is_held) = stream.duties();
        let outlets = core.outlets_of(Origin(stream.name().0));
        let expected = if is_held { Outlet::Held } else { Outlet::Open };
        let is_alike = outlets.clone().all(|outlet| outlet == expected);
        let is_awaited = waiting == outlets.count() as u64;
        let is_live = !stream.is_over() && (waiting > 0) != stream.is_standalone();
        check(is_alike && is_awaited && is_live, "a stream that waits for other requests")?;
    }
    let of_streams = |origin: Origin| streams.iter().any(|stream| stream.name().0 == origin.0);
    check(core.strays_are_shut(of_streams), "a request that has no stream and does not know it")?;
    let is_over = complete.iter().all(|stream| stream.is_over() && stream.duties().0 == 0);
    check(is_over, "a stream that is complete and goes on")
}

impl core::fmt::Debug for State {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        // The id is a secret.
        f.debug_struct("Session").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}
