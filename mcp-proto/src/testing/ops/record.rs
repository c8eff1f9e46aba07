//! The books of one end: its calls, the requests of its peer, and what its application did.

use core::time::Duration;

use crate::error::{Expired, Limit};
use crate::id::{ProgressToken, RequestId};
use crate::json::{Raw, RawJson};
use crate::progress::Weight;
use crate::time::Instant;

/// What is known of a call.
#[derive(Clone, Debug)]
pub(super) struct CallRecord {
    /// Counts calls from 0.
    pub(super) number: u64,
    /// A token of the caller's own.
    pub(super) token: Option<ProgressToken>,
    pub(super) made: Instant,
    pub(super) idle: Option<Duration>,
    pub(super) total: Option<Duration>,
    pub(super) is_tracked: bool,
    pub(super) given_up: bool,
    pub(super) last: Option<f64>,
    pub(super) ending: Option<Ending>,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// The peer answered.
    Answered,
    /// This end gave it up.
    GivenUp,
    /// The connection ended.
    Closed,
}

/// A request of the peer.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) id: RequestId,
    /// The number that it carries, if another end that is watched has sent it.
    pub(super) number: Option<u64>,
    pub(super) last: Option<f64>,
}

/// What an application did, for whoever watches both ends.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Deed {
    /// It called, with this number among its arguments.
    Called(u64, RequestId),
    /// It reported for the request with this number.
    Reported(u64, f64, Weight),
    /// It answered the request with this number: with it as result, as error, or not by itself.
    Answered(u64, Answer),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Result,
    Error,
    Abandoned,
}

/// The code of an error that answers number 0; the next one is below it.
pub(super) const FIRST_CODE: i64 = -1_000_000;

impl CallRecord {
    /// Whether this call was to end at its deadline, and now.
    pub(super) fn check_expired(&self, expired: &Expired, now: Instant) {
        let after = match expired.limit {
            Limit::Idle => self.idle,
            Limit::Total => self.total,
        };
        assert_eq!(after, Some(expired.after), "a deadline that was not set: {expired:?}");
        assert!(self.made + expired.after <= now, "timed out too early: {expired:?}");
        assert!(expired.elapsed >= expired.after, "timed out too early: {expired:?}");
        assert!(self.made + expired.elapsed <= now, "timed out in the future: {expired:?}");
    }
}

/// The token that a request asks for progress with, as JSON.
pub(super) fn token_of(params: Option<&RawJson>) -> Option<Raw<'_>> {
    params?.get("_meta")?.get("progressToken")
}

/// The number that [`Operation::Call`](super::Operation::Call) puts into its request.
pub(super) fn number_of(params: Option<&RawJson>) -> Option<u64> {
    let params = params?;
    let number = match params.get("arguments") {
        Some(arguments) => arguments.get("n")?,
        None => params.get("n")?,
    };
    number.number_text()?.parse().ok()
}
