//! Sessions that go from one server to another, which has a clock of its own.

use mcp_proto::snapshot::SessionSnapshot;

use super::host::Host;
use super::tools::Talk;
use super::world::World;

impl World {
    /// All sessions go to a new server. What cannot go, exchanges of the modern era and HTTP+SSE, stays where it is.
    pub(super) fn move_sessions(&mut self) {
        let (from, to) = (self.home, self.hosts.len());
        self.hosts.push(Host::new(&self.plan, self.now));
        let scopes: Vec<_> = self.hosts[from].server.session_scopes().collect();
        for scope in scopes {
            let host = &mut self.hosts[from];
            let now = host.clock(self.now);
            let snapshot = host.server.export_session(scope, now).expect("it can move");
            assert!(host.server.endpoint(scope).is_none(), "here it is gone");
            let host = &mut self.hosts[to];
            let now = host.clock(self.now);
            let arrived = host.server.import_session(carried(&snapshot), now).unwrap();
            self.rename((from, scope), (to, arrived));
            self.counts.moved += 1;
        }
        let ends = self.ends.iter_mut().filter(|end| end.has_session());
        ends.flat_map(|end| end.calls.values_mut()).for_each(|call| call.is_slow = true);
        self.home = to;
    }

    /// What is known of a conversation is known of another.
    fn rename(&mut self, old: Talk, new: Talk) {
        let works = self.works.values_mut().filter(|work| work.talk == old);
        works.for_each(|work| work.talk = new);
        self.sessions.iter_mut().filter(|talk| **talk == old).for_each(|talk| *talk = new);
        let questions = std::mem::take(&mut self.questions).into_iter();
        let rename = |talk| if talk == old { new } else { talk };
        self.questions = questions.map(|((talk, id), it)| ((rename(talk), id), it)).collect();
    }
}

/// As it is read again.
fn carried(snapshot: &SessionSnapshot) -> SessionSnapshot {
    serde_json::from_str(&serde_json::to_string(snapshot).unwrap()).unwrap()
}
