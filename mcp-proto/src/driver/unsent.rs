//! A call before it is sent.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::cell::Cell;
use std::thread_local;

use super::calls::Waiting;
use super::link::Scope;
use super::queue::Delivery;
use super::scratch::SCRATCH_LEN;
use super::shared::State;
use crate::config::CallOptions;
use crate::error::SendError;
use crate::id::RequestId;
use crate::json::{EncodeError, Raw};
use crate::role::Client;
use crate::time::Instant;

/// What is needed until the request is sent. Each thread keeps that of a call which it has sent, for the next.
#[derive(Default)]
pub(super) struct Unsent {
    pub(super) options: CallOptions,
    pub(super) delivery: Delivery,
    method: Cow<'static, str>,
    /// JSON; nothing if there are no parameters.
    params: Vec<u8>,
}

thread_local! {
    static SPARE: Cell<Option<Box<Unsent>>> = const { Cell::new(None) };
}

impl Unsent {
    /// A call of that method. `write` appends the parameters: it may be the user's code, so the lock is not held.
    pub(super) fn new(
        method: Cow<'static, str>,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), EncodeError>,
    ) -> Result<Box<Self>, EncodeError> {
        // Taken: what is written may itself make a call. While a thread ends there is none to take.
        let spare = SPARE.try_with(Cell::take).ok().flatten();
        let mut unsent = spare.unwrap_or_default();
        write(&mut unsent.params)?;
        unsent.method = method;
        Ok(unsent)
    }

    /// Sends it, and lets it wait for its answer.
    pub(super) fn send(
        &mut self,
        is_listening: bool,
        state: &mut State<Client>,
        now: Instant,
    ) -> Result<RequestId, SendError> {
        let mut options = core::mem::take(&mut self.options);
        if is_listening || state.listeners.as_ref().is_some_and(|all| all.progress.is_some()) {
            options = options.tracked();
        }
        let params = (!self.params.is_empty()).then(|| Raw::trusted(&self.params));
        let endpoint = state.link.endpoint_mut(Scope::ONLY).ok_or(SendError::Closed)?;
        let id = endpoint.core_mut().request(&self.method, &params, options, now)?;
        state.calls.insert(&id, Waiting::new(self.delivery));
        Ok(id)
    }

    /// Leaves it for the next call of this thread.
    pub(super) fn keep(mut self: Box<Self>) {
        let mut params = core::mem::take(&mut self.params);
        params.clear();
        params.shrink_to(SCRATCH_LEN);
        *self = Self { params, ..Self::default() };
        let _ = SPARE.try_with(|slot| slot.set(Some(self)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unsent(params: &[u8]) -> Box<Unsent> {
        let write = |out: &mut Vec<u8>| {
            out.extend_from_slice(params);
            Ok(())
        };
        Unsent::new("m".into(), write).unwrap()
    }

    #[test]
    fn the_next_call_of_a_thread_takes_the_place_of_one_that_was_sent_and_nothing_else() {
        let mut first = unsent(b"{\"a\":1}");
        first.delivery = Delivery::Every;
        let place = (&raw const *first).addr();
        let other = unsent(b"");
        assert_ne!((&raw const *other).addr(), place, "the first is not sent yet");
        first.keep();
        let next = unsent(b"{}");
        assert_eq!((&raw const *next).addr(), place);
        assert_eq!((next.delivery, &*next.params), (Delivery::default(), &b"{}"[..]));
    }

    #[test]
    fn a_large_call_leaves_no_large_place() {
        unsent(&[b' '; 2 * SCRATCH_LEN]).keep();
        assert!(unsent(b"").params.capacity() <= SCRATCH_LEN);
    }
}
