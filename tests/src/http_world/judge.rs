//! What must hold of a client's calls once everything is over.

use mcp_proto::{CallError, HttpError, RequestId, Revision};

use super::counts::Counts;
use super::ends::{Call, End};

/// What happened to a world.
#[derive(Clone, Copy, Debug)]
pub(super) struct Weather {
    /// Sessions were forgotten.
    pub(super) is_forgetful: bool,
    /// Sessions went to another server.
    pub(super) is_moving: bool,
    /// Reports may have been merged, of whatever call.
    pub(super) merges: bool,
    /// … of a call whose stream was not read for a while.
    pub(super) is_tight: bool,
}

impl End {
    /// Judges everything that it was told.
    pub(super) fn judge(&self, weather: Weather, counts: &mut Counts) {
        for (id, call) in &self.calls {
            self.judge_call(id, call, weather, counts);
            counts.calls += 1;
        }
        counts.answered += self.answered;
        counts.reopened += self.sessions.saturating_sub(1);
        assert_eq!(self.client.calls_in_flight(), 0);
        assert!(self.client.is_finished(), "{:?}", self.client);
    }

    fn judge_call(&self, id: &RequestId, call: &Call, weather: Weather, counts: &mut Counts) {
        let is_first = self.revision == Revision::V2024_11_05;
        let outcome = call.outcome.as_ref().unwrap_or_else(|| panic!("{id} never ended"));
        let all: Vec<_> = (1..=call.total).map(f64::from).collect();
        // Reports come one by one from the first: what is lost is lost at the end, with the call.
        // That they increase was seen to as they came.
        let merges = weather.merges || weather.is_tight && (call.is_slow || self.is_slow);
        let is_whole = merges || all.starts_with(&call.reports);
        assert!(is_whole, "{id}: {:?} of {}", call.reports, call.total);
        counts.lost += u64::from(outcome.is_err());
        match outcome {
            Ok(()) if merges => {
                assert_eq!(call.reports.last(), all.last(), "{id} in {}", self.revision);
                counts.merged += u64::from(call.total) - call.reports.len() as u64;
            }
            Ok(()) => assert_eq!(call.reports, all, "{id} in {}", self.revision),
            Err(CallError::Cancelled) => {
                assert!(call.is_cancelled, "{id} was given up by nobody");
                counts.cancelled += 1;
            }
            Err(CallError::TimedOut(_)) => {
                assert!(call.is_timed && self.is_harmed, "nothing was in the way of {id}");
                counts.timed_out += 1;
            }
            Err(CallError::Http(HttpError::Unreachable | HttpError::Cut)) => {
                let can_resume = self.has_session() && call.stream.is_some();
                // A stream that has only said that it is alive cannot be found again elsewhere.
                let is_gone = weather.is_moving || weather.is_forgetful;
                let is_early = self.has_session() && self.revision < Revision::V2025_11_25;
                let has_cause =
                    call.is_harmed || call.is_refused || is_gone && is_early && !can_resume;
                assert!(has_cause, "{id} was lost on a whole network in {}", self.revision);
                let is_lost = call.is_refused || !can_resume;
                assert!(is_lost, "{id} could have been resumed in {}", self.revision);
            }
            // The stream is the session, and it cannot be taken up again.
            Err(CallError::Closed(_)) if is_first => {
                assert!(self.is_harmed, "{id} was lost on a whole network");
            }
            Err(CallError::Http(HttpError::SessionExpired)) => {
                assert!(weather.is_forgetful, "the session of {id} was forgotten by nobody");
            }
            Err(error) => {
                assert!(self.is_turned_away(call, error, weather), "{id} ended with {error}");
                counts.turned_away += 1;
            }
        }
    }

    /// Of a request of which nothing was said yet the answer cannot follow to another server, but in 2025-11-25.
    fn is_turned_away(&self, call: &Call, error: &CallError, weather: Weather) -> bool {
        let is_early = self.has_session() && self.revision < Revision::V2025_11_25;
        let is_unsaid = call.stream.is_none() && call.reports.is_empty();
        let is_said = match error {
            CallError::Peer(error) => error.message.contains("the session moves"),
            // The refusal itself was cut.
            CallError::Http(HttpError::Status { status: 503, .. }) => call.is_harmed,
            _ => false,
        };
        weather.is_moving && is_early && is_unsaid && is_said
    }
}
