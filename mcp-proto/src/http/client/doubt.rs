//! A server that may be another one now, of the other era: the one behind the address was exchanged.
//!
//! 2026-07-28 `basic/versioning`: an era that was found out is kept, and found out anew when it fails.

use bytes::Bytes;

use super::Client;
use super::channel::Mode;
use super::closing::MAX_LOST;
use crate::error::ErrorObject;
use crate::time::Instant;

impl Client {
    /// Whether this refusal of an ordinary call makes it doubtful that the server speaks this era. `told` is the error in its
    /// body, its code, and whether it names the call.
    ///
    /// An error that names the call is of this call alone, but for one that finds no request in it: ours are well formed. And
    /// in a legacy session only the word of a modern server counts, since nothing but its end lets us ask: a question would
    /// be a message of another revision.
    pub(super) fn is_doubtful(&self, status: u16, told: Option<&(Bytes, i64, bool)>) -> bool {
        if !matches!(self.mode, Mode::Streamable) {
            return false;
        }
        match told {
            Some((frame, ErrorObject::UNSUPPORTED_VERSION, _)) => {
                (400..500).contains(&status) && self.endpoint.core().is_of_another_era(frame)
            }
            Some((_, ErrorObject::MISSING_CLIENT_CAPABILITY | ErrorObject::HEADER_MISMATCH, _)) => {
                false
            }
            Some((_, code, true)) if *code != ErrorObject::INVALID_REQUEST => false,
            // MUST be the status of a legacy server for a version that it does not know; basic/transports
            _ => status == 400 && self.is_modern(),
        }
    }

    /// Finds out anew which era the server speaks: once at a time, and not without end. Whatever was refused has ended, and
    /// is not said again. In the modern era the rest goes on until the server has shown itself to be another one.
    pub(super) fn doubt(&mut self, now: Instant) {
        if self.lost >= MAX_LOST || self.opening.is_some() || self.is_closing {
            return;
        }
        if self.is_modern() {
            self.opening = self.endpoint.core_mut().doubt(now);
            self.lost += u32::from(self.opening.is_some());
        } else {
            self.lost += 1;
            self.forget_session();
            self.endpoint.core_mut().handle_modern_server(now);
        }
    }

    /// Whether an era that was found out is being found out anew.
    pub(super) fn is_in_doubt(&self) -> bool {
        self.session.revision.is_some() && self.opening.is_some()
    }

    /// The server may have shown itself to be another one: then nothing goes on of what was said to the former.
    pub(super) fn follow_doubt(&mut self) {
        if self.session.revision.is_some() && self.endpoint.peer().is_none() {
            self.forget_session();
        }
    }
}
