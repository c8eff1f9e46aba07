//! What decides a client's future, for those that explore it.

use core::hash::Hasher;

use super::Client;
use super::exchange::{Aim, Entry, State};
use super::lanes::Lanes;
use super::position::Position;
use super::sending::Parked;
use crate::digest::Digest;
use crate::time::Instant;

impl Client {
    /// Hashes everything that decides what this machine will do, for a model checker that visits each state once. Feature
    /// `testing`.
    ///
    /// Times count by their distance from `now`. Names count as they are: the caller holds them. Machines with the same
    /// options and the same digest behave the same from now on.
    pub fn digest(&self, now: Instant, hasher: &mut dyn Hasher) {
        let digest = &mut Digest::new(now, hasher);
        let Self {
            endpoint,
            options: _,
            uri: _,
            mode,
            speaks_first: _,
            session,
            is_initialized,
            has_listened,
            opening,
            lost,
            is_closing,
            tools,
            refresh,
            exchanges,
            standing: _, // they are counted below
            parked,
            calls,
            listings,
            timers,
            readable,
            stalled,
            buffered,
            lanes,
            outgoing,
            events,
            has_news,
            last,
            spread,
        } = self;
        endpoint.core().digest(digest);
        digest.shown(&(mode, session, tools, refresh, outgoing, events, spread));
        lanes.digest(digest);
        digest.put((is_initialized, has_listened, opening, lost, is_closing, has_news));
        for (number, Parked { message, behind }) in parked {
            digest.put((number, message, behind.saturating_sub(lanes.arrived)));
        }
        digest.put((parked.len(), calls, listings, readable, stalled, buffered, last));
        digest.put(exchanges.len());
        for (exchange, entry) in exchanges {
            digest.put(exchange);
            entry.digest(digest);
        }
        digest.put(timers.len());
        for (at, exchange) in timers {
            digest.time(*at);
            digest.put(exchange);
        }
    }
}

impl Entry {
    fn digest(&self, digest: &mut Digest<'_>) {
        let Self { aim, state, asked, due, ended, in_session, position, message } = self;
        digest.shown(aim);
        match state {
            State::Stream(decoder) => decoder.digest(digest),
            state => digest.shown(state),
        }
        digest.put((due.is_some(), in_session, message, position.is_some()));
        digest.time(due.unwrap_or_default());
        // Of others nobody asks.
        let is_asked = matches!((aim, state), (Aim::Call(..), State::Asked));
        digest.time(if is_asked { *asked } else { Instant::ZERO });
        digest.shown(&ended.map(|(end, _)| end));
        digest.time(ended.map_or(Instant::ZERO, |(_, at)| at));
        if let Some(position) = position {
            position.digest(digest);
        }
    }
}

impl Lanes {
    fn digest(&self, digest: &mut Digest<'_>) {
        let Self { busy, len, announced, arrived } = self;
        digest.put((busy, len, announced - arrived));
    }
}

impl Position {
    fn digest(&self, digest: &mut Digest<'_>) {
        let Self {
            id,
            retry,
            may_part,
            tries,
            opened,
            closed,
            heard,
            is_filled,
            connection,
            seen,
            outage,
        } = self;
        digest.put((id, retry, may_part, tries, connection, seen, outage, opened.is_some()));
        digest.time(opened.unwrap_or_default());
        digest.put(closed.is_some());
        digest.time(closed.unwrap_or_default());
        digest.put(is_filled);
        // Of others nobody asks.
        digest.time(if *is_filled { *heard } else { Instant::ZERO });
    }
}
