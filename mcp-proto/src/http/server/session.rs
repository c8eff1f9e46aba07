//! Sessions of the legacy revisions: their ids, whose they are, and how long they may be idle.
//!
//! 2025-03-26 to 2025-11-25 `basic/transports`, session management.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::string::String;

use bytes::Bytes;

use super::Scope;
use crate::time::Instant;

/// Random bytes of an id: eight to find it by, sixteen that only its owner knows.
pub(super) const SEED_LEN: usize = 24;

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// What a session id is made of: the caller's randomness. 2025-03-26: only visible ASCII, globally unique and
/// cryptographically secure.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct SessionId([u8; SEED_LEN]);

impl SessionId {
    pub(super) fn new(seed: [u8; SEED_LEN]) -> Self {
        Self(seed)
    }

    /// Reads one as it is written, and in no other way.
    pub(super) fn read(text: &[u8]) -> Option<Self> {
        let mut id = [0; SEED_LEN];
        if text.len() != 2 * SEED_LEN {
            return None;
        }
        for (byte, pair) in id.iter_mut().zip(text.chunks_exact(2)) {
            for digit in pair {
                let value = DIGITS.iter().position(|known| known == digit)?;
                *byte = *byte << 4 | u8::try_from(value).ok()?;
            }
        }
        Some(Self(id))
    }

    pub(super) fn text(&self) -> String {
        let digit = |at: u8| char::from(DIGITS.get(usize::from(at)).copied().unwrap_or(b'0'));
        self.0.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
    }

    /// By what it is found. The rest is compared in a time that does not depend on it.
    fn handle(&self) -> u64 {
        self.0.iter().take(8).fold(0, |handle, byte| handle << 8 | u64::from(*byte))
    }

    /// Looks at every byte, whatever the first ones are.
    fn is(&self, other: &Self) -> bool {
        let differs = self.0.iter().zip(&other.0).fold(0, |sum, (one, other)| sum | (one ^ other));
        core::hint::black_box(differs) == 0
    }
}

/// As it is written.
#[cfg(feature = "snapshot")]
impl crate::state::Kept for SessionId {
    type Form = String;

    fn form(&self) -> String {
        self.text()
    }

    fn of(form: String) -> Result<Self, &'static str> {
        Self::read(form.as_bytes()).ok_or("an id that is none of a session")
    }
}

/// What a session has that an exchange has not.
#[derive(Clone)]
pub(super) struct Session {
    pub(super) id: SessionId,
    pub(super) principal: Option<Bytes>,
    /// When it ends if it is only opened.
    pub(super) opening_until: Instant,
    /// When it ends if nothing happens, while it is idle.
    pub(super) idle_until: Option<Instant>,
    /// What belongs to no request, while no stream is open for it.
    pub(super) backlog: VecDeque<Bytes>,
    /// Bytes of it.
    pub(super) backlog_len: usize,
    /// The engine was told that what belongs to no request must wait.
    pub(super) is_held: bool,
}

/// Every session there is.
#[derive(Clone, Debug, Default)]
pub(super) struct Sessions {
    pub(super) by_handle: BTreeMap<u64, Scope>,
    pub(super) principals: BTreeMap<Bytes, usize>,
    /// Those that are idle, and until when.
    pub(super) idle: BTreeSet<(Instant, Scope)>,
}

impl Session {
    pub(super) fn new(id: SessionId, principal: Option<Bytes>, opening_until: Instant) -> Self {
        Self {
            id,
            principal,
            opening_until,
            idle_until: None,
            backlog: VecDeque::new(),
            backlog_len: 0,
            is_held: false,
        }
    }

    /// Keeps what belongs to no request until a stream opens for it.
    pub(super) fn keep(&mut self, message: Bytes) {
        self.backlog_len += message.len();
        self.backlog.push_back(message);
    }

    /// Whether a request may use it: it knows the id, and comes from whom it was opened by.
    pub(super) fn belongs_to(&self, id: &SessionId, principal: Option<&Bytes>) -> bool {
        self.id.is(id) && self.principal.as_ref() == principal
    }
}

impl Sessions {
    pub(super) fn len(&self) -> usize {
        self.by_handle.len()
    }

    pub(super) fn of_principal(&self, principal: &Bytes) -> usize {
        self.principals.get(principal).copied().unwrap_or_default()
    }

    /// The scope that an id may name; the session says whether it does.
    pub(super) fn find(&self, id: &SessionId) -> Option<Scope> {
        self.by_handle.get(&id.handle()).copied()
    }

    /// Enters one. Two that are found alike there cannot be.
    pub(super) fn enter(&mut self, session: &Session, scope: Scope) -> bool {
        let handle = session.id.handle();
        if self.by_handle.contains_key(&handle) {
            return false;
        }
        self.by_handle.insert(handle, scope);
        if let Some(principal) = &session.principal {
            *self.principals.entry(principal.clone()).or_default() += 1;
        }
        true
    }

    pub(super) fn remove(&mut self, session: &mut Session, scope: Scope) {
        self.set_idle(session, scope, None);
        if self.by_handle.get(&session.id.handle()) != Some(&scope) {
            return;
        }
        self.by_handle.remove(&session.id.handle());
        if let Some(principal) = &session.principal
            && let Some(count) = self.principals.get_mut(principal)
        {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.principals.remove(principal);
            }
        }
    }

    /// Says until when a session may be idle, or that it is not.
    pub(super) fn set_idle(&mut self, session: &mut Session, scope: Scope, until: Option<Instant>) {
        if session.idle_until == until {
            return;
        }
        if let Some(before) = session.idle_until {
            self.idle.remove(&(before, scope));
        }
        self.idle.extend(until.map(|until| (until, scope)));
        session.idle_until = until;
    }

    /// The session that is idle and ends first.
    pub(super) fn next_idle(&self) -> Option<(Instant, Scope)> {
        self.idle.first().copied()
    }
}

impl core::fmt::Debug for Session {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        // The id is a secret.
        f.debug_struct("Session").field("idle_until", &self.idle_until).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_as_it_is_written_and_in_no_other_way() {
        let id = SessionId::new(core::array::from_fn(|at| at as u8 * 11));
        let text = id.text();
        assert!(text.bytes().all(|byte| (0x21..=0x7E).contains(&byte)), "R-SESS-01");
        assert!(SessionId::read(text.as_bytes()) == Some(id));
        for other in [&text[1..], &text.to_uppercase(), "", &(text.clone() + "0"), "abc"] {
            assert!(SessionId::read(other.as_bytes()).is_none(), "{other}");
        }
    }

    #[test]
    fn a_session_is_its_owners_and_nobody_elses() {
        let mut seed = [7; SEED_LEN];
        let id = SessionId::new(seed);
        let session = Session::new(id, Some("alice".into()), Instant::ZERO);
        assert!(session.belongs_to(&id, Some(&"alice".into())));
        assert!(!session.belongs_to(&id, Some(&"bob".into())) && !session.belongs_to(&id, None));
        for at in 0..SEED_LEN {
            seed[at] ^= 1;
            assert!(!session.belongs_to(&SessionId::new(seed), Some(&"alice".into())), "{at}");
            seed[at] ^= 1;
        }
    }

    #[test]
    fn nothing_is_left_of_a_session_that_has_ended() {
        let mut sessions = Sessions::default();
        let mut session =
            Session::new(SessionId::new([1; SEED_LEN]), Some("alice".into()), Instant::ZERO);
        assert!(sessions.enter(&session, Scope(1)));
        assert!(!sessions.enter(&session, Scope(2)), "its handle is taken");
        let later = Instant::from_nanos(5);
        sessions.set_idle(&mut session, Scope(1), Some(later));
        sessions.set_idle(&mut session, Scope(1), Some(Instant::from_nanos(9)));
        assert_eq!(sessions.next_idle(), Some((Instant::from_nanos(9), Scope(1))));
        assert_eq!(sessions.of_principal(&"alice".into()), 1);
        sessions.remove(&mut session, Scope(1));
        sessions.remove(&mut session, Scope(1));
        assert_eq!((sessions.len(), sessions.next_idle()), (0, None));
        assert_eq!(sessions.of_principal(&"alice".into()), 0);
    }
}
