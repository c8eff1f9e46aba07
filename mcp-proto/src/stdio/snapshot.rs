//! The state of a connection as a value.

use serde::{Deserialize, Serialize};

use super::{Connection, Source};
use crate::config::{ClientConfig, ServerConfig};
use crate::endpoint::{self, Endpoint};
use crate::era::Served;
use crate::role::{Client, Role, Server};
use crate::state::{self, Envelope, Moments, RestoreError, check, moments};
use crate::time::Instant;
use crate::wire::{Framing, Input, InputForm};

/// The state of a [`Connection`], of either role: a value that `serde` writes and reads in any format.
///
/// It holds what both sides have said and not heard yet, half a line included, so it is as secret as the conversation.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ConnectionSnapshot(Envelope<State>);

#[derive(Clone, Debug, Serialize, Deserialize)]
struct State {
    endpoint: endpoint::State,
    input: InputForm,
    ended: Option<Instant>,
    failed: Option<Instant>,
}

impl state::State for State {
    const MACHINE: &'static str = "connection";
}

moments!(State { endpoint, input, ended, failed; });

impl<R: Role> Connection<R> {
    /// Everything that it remembers, as a value: of what was lent by
    /// [`poll_transmit`](Self::poll_transmit) and not advanced yet it still wants to know how much was written.
    /// Moments are counted from `now`. Nothing changes. Feature `snapshot`.
    pub fn snapshot(&self, now: Instant) -> ConnectionSnapshot {
        let Self { endpoint, input, source, is_opening: _ } = self;
        let (endpoint, input, ended) = (endpoint.state(), input.form(), source.ended());
        let failed = match *source {
            Source::Failed { at, .. } => Some(at),
            // Whether that is over is said by the endpoint.
            Source::Open | Source::Ended(_) | Source::Over => None,
        };
        let mut state = State { endpoint, input, ended, failed };
        state.rebase(now, Instant::ZERO);
        ConnectionSnapshot(Envelope::new(state))
    }

    /// A machine of this one's configuration, of a snapshot of one with the same.
    #[cfg(feature = "testing")]
    pub(crate) fn again(
        &self,
        snapshot: ConnectionSnapshot,
        now: Instant,
    ) -> Result<Self, RestoreError> {
        Self::of(snapshot, now, |state| self.endpoint.again(state))
    }

    fn of(
        snapshot: ConnectionSnapshot,
        now: Instant,
        endpoint: impl FnOnce(endpoint::State) -> Result<Endpoint<R>, RestoreError>,
    ) -> Result<Self, RestoreError> {
        let mut state = snapshot.0.open()?;
        state.rebase(Instant::ZERO, now);
        let endpoint = endpoint(state.endpoint)?;
        let core = endpoint.core();
        let input = Input::restore(state.input, core.limits(), core.tolerance())?;
        let is_whole = input.framing() == Framing::Lines || core.is_between_messages();
        check(is_whole, "half a message was sent where messages are whole")?;
        let has_input = input.len() > 0 || state.ended.is_some();
        check(has_input || !core.holds_input(), "input is held back that nobody has")?;
        let source = match (state.ended, state.failed) {
            (ended, Some(at)) => Source::Failed { at, ended },
            (Some(at), None) => Source::Ended(at),
            (None, None) if core.is_open() => Source::Open,
            (None, None) => Source::Over,
        };
        Ok(Self { endpoint, input, source, is_opening: false })
    }
}

impl Connection<Client> {
    /// The client that a snapshot was taken of, which goes on at `now` as that one did, byte for byte. Names,
    /// limits, tolerance and the timeouts of what is still to come are those of `config`. Feature `snapshot`.
    ///
    /// # Errors
    ///
    /// See [`RestoreError`].
    pub fn restore(
        snapshot: ConnectionSnapshot,
        config: ClientConfig,
        now: Instant,
    ) -> Result<Self, RestoreError> {
        Self::of(snapshot, now, |state| Endpoint::<Client>::of(state, config))
    }
}

impl Connection<Server> {
    /// The server that a snapshot was taken of, which goes on at `now` as that one did, byte for byte. Names,
    /// limits, tolerance, pacing and the timeouts of what is still to come are those of `config`. Feature `snapshot`.
    ///
    /// What it has to go on with is said by [`in_flight`](crate::Endpoint::in_flight).
    ///
    /// # Errors
    ///
    /// See [`RestoreError`].
    pub fn restore(
        snapshot: ConnectionSnapshot,
        config: ServerConfig,
        now: Instant,
    ) -> Result<Self, RestoreError> {
        Self::of(snapshot, now, |state| Endpoint::<Server>::of(state, Served::new(config).into()))
    }
}
