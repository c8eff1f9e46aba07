//! What decides a server's future, for those that explore it.

use core::hash::Hasher;

use alloc::vec::Vec;

use super::Server;
use super::conversation::Conversation;
use super::exchange::{Entry, Exchanges, Source};
use super::hub::Hub;
use super::session::{Session, Sessions};
use super::stream::Stream;
use crate::digest::Digest;
use crate::time::Instant;

impl Server {
    /// Hashes everything that decides what this machine will do, for a model checker that visits each state once. Feature
    /// `testing`.
    ///
    /// Times count by their distance from `now`. Names count as they are: the caller holds them. Of what is kept for
    /// resumption counts what can still be asked for. Machines with the same options and the same digest behave the
    /// same from now on.
    pub fn digest(&self, now: Instant, hasher: &mut dyn Hasher) {
        let digest = &mut Digest::new(now, hasher);
        let Self { hub, conversations, touched } = self;
        digest.put((conversations.last(), touched, conversations.len()));
        let mut all: Vec<_> = conversations.iter().collect();
        all.sort_unstable_by_key(|conversation| conversation.scope);
        for conversation in all {
            conversation.digest(hub, digest);
        }
        hub.digest(digest);
    }
}

impl Hub {
    fn digest(&self, digest: &mut Digest<'_>) {
        let Self {
            options: _,
            served: _,
            // It belongs to whoever sends.
            #[cfg(feature = "driver")]
                lent: _,
            exchanges,
            sessions,
            timers,
            replay: _, // with its streams
            active,
            finished,
            last_stream,
            waiting_len,
            in_flight,
            clock,
            is_draining,
        } = self;
        exchanges.digest(digest);
        sessions.digest(digest);
        timers.digest(digest);
        digest.put((active, finished, last_stream, waiting_len, in_flight, is_draining));
        digest.time(*clock);
    }
}

impl Exchanges {
    fn digest(&self, digest: &mut Digest<'_>) {
        let Self { entries, last, broken, standing, whole_len, ready } = self;
        digest.put((entries.len(), last, broken, standing, whole_len, ready));
        let mut all: Vec<_> = entries.iter().collect();
        all.sort_unstable_by_key(|(number, _)| *number);
        for (number, entry) in all {
            digest.put(number);
            entry.digest(digest);
        }
    }
}

impl Entry {
    fn digest(&self, digest: &mut Digest<'_>) {
        let Self {
            source,
            is_begun,
            is_hungry,
            is_listed,
            taken_at,
            waits_since,
            armed,
            primes_at,
            is_broken,
            is_standing,
        } = self;
        match source {
            Source::Whole(response) => digest.shown(response),
            Source::Stream(scope, name) => digest.put((scope, name)),
        }
        digest.put((is_begun, is_hungry, is_listed, is_broken, is_standing));
        digest.time(*taken_at);
        for at in [waits_since, armed, primes_at] {
            digest.put(at.is_some());
            digest.time(at.unwrap_or_default());
        }
    }
}

impl Sessions {
    fn digest(&self, digest: &mut Digest<'_>) {
        let Self { by_handle, principals, idle } = self;
        digest.put((by_handle, principals, idle.len()));
        for (at, scope) in idle {
            digest.time(*at);
            digest.put(scope);
        }
    }
}

impl Conversation {
    fn digest(&self, hub: &Hub, digest: &mut Digest<'_>) {
        let Self {
            scope,
            endpoint,
            session,
            streams,
            complete,
            complete_len,
            is_touched,
            is_listed,
            armed,
            waiting_len,
            in_flight,
        } = self;
        digest.put((scope, complete_len, is_touched, is_listed, waiting_len, in_flight));
        digest.put(armed.is_some());
        digest.time(armed.unwrap_or_default());
        endpoint.core().digest(digest);
        digest.put((session.is_some(), streams.len(), complete.len()));
        if let Some(session) = session {
            session.digest(digest);
        }
        for stream in streams {
            stream.digest(hub, digest);
        }
        for (until, stream) in complete {
            digest.time(*until);
            stream.digest(hub, digest);
        }
    }
}

impl Session {
    fn digest(&self, digest: &mut Digest<'_>) {
        let Self {
            id,
            principal,
            opening_until: _, // while it counts, it is the next
            idle_until,
            backlog,
            backlog_len,
            is_held,
        } = self;
        digest.put((id.text(), principal, backlog, backlog_len, is_held));
        digest.put(idle_until.is_some());
        digest.time(idle_until.unwrap_or_default());
    }
}

impl Stream {
    /// With what can be asked for again.
    fn digest(&self, hub: &Hub, digest: &mut Digest<'_>) {
        self.digest_own(digest);
        digest.put(hub.replay.behind(self.key, 0));
    }
}
