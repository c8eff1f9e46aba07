//! One client of a world, and what it was told.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{Request, Uri};
use mcp_proto::http::{Client, ClientOptions, Exchange};
use mcp_proto::{
    CallError, CallOptions, CallTool, ClientConfig, Event, HttpError, Instant, RequestId, Revision,
    Timeouts,
};

/// A client and its calls.
#[derive(Clone, Debug)]
pub struct End {
    pub client: Client,
    pub revision: Revision,
    pub is_ready: bool,
    pub calls: BTreeMap<RequestId, Call>,
    /// The calls that were asked on these exchanges.
    pub asked: BTreeMap<Exchange, RequestId>,
    /// Questions of the server that were answered.
    pub answered: u64,
    /// Sessions that it has opened.
    pub sessions: u64,
}

/// What happened to a world.
#[derive(Clone, Copy, Debug)]
pub struct Weather {
    /// Connections broke.
    pub is_cut: bool,
    /// Sessions were forgotten.
    pub is_forgetful: bool,
    /// Reports may have been merged.
    pub merges: bool,
}

/// One call and what became of it.
#[derive(Clone, Debug, Default)]
pub struct Call {
    /// Reports that its tool makes.
    pub total: u32,
    pub reports: Vec<f64>,
    pub outcome: Option<Result<(), CallError>>,
    /// The client was told where to go on.
    pub can_resume: bool,
}

impl End {
    pub fn new(revision: Revision, now: Instant) -> Self {
        Self::with(revision, ClientOptions::default(), now)
    }

    /// Without a stream for what belongs to no call.
    pub fn deaf(revision: Revision, now: Instant) -> Self {
        Self::with(revision, ClientOptions::default().deaf(), now)
    }

    /// With times to wait of its own.
    pub fn spread(revision: Revision, seed: u64, now: Instant) -> Self {
        let mut options = ClientOptions::default();
        options.spread = Some(seed);
        Self::with(revision, options, now)
    }

    fn with(revision: Revision, mut options: ClientOptions, now: Instant) -> Self {
        let config = ClientConfig::new("c", "1").revisions(revision);
        let uri = Uri::from_static("http://localhost/mcp");
        // That it gives up in the end is tried elsewhere: here whatever can come back does.
        options.max_tries = 40;
        let client = Client::new(config, uri, options, now);
        Self {
            client,
            revision,
            is_ready: false,
            calls: BTreeMap::new(),
            asked: BTreeMap::new(),
            answered: 0,
            sessions: 0,
        }
    }

    pub fn call(&mut self, total: u32, now: Instant) {
        let arguments = format!(r#"{{"total":{total}}}"#);
        let arguments = mcp_proto::json::RawJson::parse(arguments).unwrap();
        let call = CallTool::new("count").arguments(&arguments).expect("an object");
        let options = CallOptions::default().tracked().timeouts(Timeouts::NEVER);
        if let Ok(ticket) = self.client.request(&call, options, now) {
            self.calls.insert(ticket.id().clone(), Call { total, ..Call::default() });
        }
    }

    /// Which call a request asks for.
    pub fn open(&mut self, exchange: Exchange, request: &Request<Bytes>) {
        let method = crate::http_hand::method_of(request);
        if method == "initialize" {
            self.is_ready = false;
            self.sessions += 1;
        }
        if method == "tools/call" {
            let id = crate::http_hand::id_of(request).parse::<i64>().unwrap();
            self.asked.insert(exchange, id.into());
        }
    }

    /// Some of an answer reached the client.
    pub fn heard(&mut self, exchange: Exchange, said: &[u8]) {
        let text = String::from_utf8_lossy(said);
        let whole = text.rsplit_once("\n\n").map_or("", |(whole, _)| whole);
        let names_place = whole.starts_with("id: ") || whole.contains("\nid: ");
        if names_place
            && let Some(id) = self.asked.get(&exchange)
            && let Some(call) = self.calls.get_mut(id)
        {
            call.can_resume = true;
        }
    }

    pub fn note(&mut self, event: &Event, now: Instant) {
        match event {
            Event::Request { id, .. } => {
                let roots = serde_json::json!({"roots": []});
                // The server may have given it up meanwhile.
                self.answered += u64::from(self.client.respond(id, &roots, now).is_ok());
            }
            Event::Ready(_) => self.is_ready = true,
            Event::Progress { id, progress } => {
                let call = self.calls.get_mut(id).expect("a call");
                assert!(call.outcome.is_none(), "progress of {id} behind its end");
                let last = call.reports.last().copied().unwrap_or(0.0);
                assert!(progress.progress > last, "{id} went from {last} to {}", progress.progress);
                call.reports.push(progress.progress);
            }
            Event::Response { id, outcome } => {
                let call = self.calls.get_mut(id).expect("a call");
                assert!(call.outcome.is_none(), "{id} ended twice");
                call.outcome = Some(outcome.clone().map(drop));
            }
            _ => {}
        }
    }

    /// What must hold of a call once everything is over.
    pub fn judge(&self, weather: Weather) {
        let is_first = self.revision == Revision::V2024_11_05;
        for (id, call) in &self.calls {
            let outcome = call.outcome.as_ref().unwrap_or_else(|| panic!("{id} never ended"));
            let all: Vec<_> = (1..=call.total).map(f64::from).collect();
            // Reports come one by one from the first: what is lost is lost at the end, with the call.
            // That they increase was seen to as they came.
            let is_whole = weather.merges || all.starts_with(&call.reports);
            assert!(is_whole, "{id}: {:?} of {}", call.reports, call.total);
            match outcome {
                Ok(()) if weather.merges => {
                    assert_eq!(call.reports.last(), all.last(), "{id} in {}", self.revision);
                }
                Ok(()) => assert_eq!(call.reports, all, "{id} in {}", self.revision),
                Err(CallError::Http(HttpError::Unreachable | HttpError::Cut)) => {
                    assert!(weather.is_cut, "{id} was lost on a whole network");
                    let is_lost =
                        self.revision >= Revision::V2026_07_28 || is_first || !call.can_resume;
                    assert!(is_lost, "{id} could have been resumed in {}", self.revision);
                }
                // The stream is the session, and it cannot be taken up again.
                Err(CallError::Closed(_)) if is_first => {
                    assert!(weather.is_cut, "{id} was lost on a whole network");
                }
                Err(CallError::Http(HttpError::SessionExpired)) => {
                    assert!(weather.is_forgetful, "the session of {id} was forgotten by nobody");
                }
                Err(error) => panic!("{id} ended with {error}"),
            }
        }
        assert_eq!(self.client.calls_in_flight(), 0);
        assert!(self.client.is_finished(), "{:?}", self.client);
    }
}
