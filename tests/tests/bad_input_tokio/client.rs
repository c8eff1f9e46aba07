//! A client of `mcp-tokio`, whose calls are futures in tasks of their own.

use std::sync::{Arc, Mutex, MutexGuard};

use mcp_proto::{RawJson, Request, Revision, Timeouts};
use mcp_tests::bad_input::case::{Case, Pending};
use mcp_tests::bad_input::names::Names;
use mcp_tests::bad_input::observed::{Ending, Observed, Report, names_of, names_of_close};
use mcp_tests::bad_input::start::{PATIENCE, client_config, token, welcome};
use mcp_tokio::{CallTool, Client};

use super::wire::{Reader, Wire, Writer};

/// What an application has seen.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Observed>>);

impl Log {
    /// Everything so far.
    pub fn lock(&self) -> MutexGuard<'_, Observed> {
        self.0.lock().unwrap()
    }
}

/// A client in its starting state.
pub struct Started {
    pub client: Client,
    pub names: Names,
    pub log: Log,
    /// Calls that were begun, the one that opens the connection among them.
    pub calls: Vec<String>,
    /// Id of the last request that opens the connection.
    pub opening_id: String,
}

/// Brings a client into the starting state of a case.
pub async fn start(
    reader: Reader,
    writer: Writer,
    wire: &mut Wire,
    case: &Case,
    revision: Revision,
) -> Started {
    let log = Log::default();
    let config = client_config(case, revision);
    let client = mcp_tokio::client(reader, writer, config, |client| listen(client, &log));
    let mut started = Started {
        client,
        names: Names::default(),
        log,
        calls: Vec::new(),
        opening_id: String::new(),
    };
    let base = case.setup.base.as_str();
    let opening = if revision == Revision::LATEST { "PROBE" } else { "INIT" };
    started.opening(opening);
    started.said(wire, opening).await;
    if !matches!(base, "client.initializing" | "client.probing") {
        wire.write(welcome(revision, &started.opening_id).as_bytes(), Default::default()).await;
        wire.take();
    }
    for pending in &case.setup.pending {
        let Pending::Call(name) = pending else { panic!("{}: a request", case.id) };
        let timeouts = (base == "client.timed_out").then(|| Timeouts::NEVER.total(PATIENCE));
        started.call(name, CallTool::METHOD, case.setup.with_token, timeouts);
        started.said(wire, name).await;
    }
    match base {
        "client.timed_out" => tokio::time::sleep(PATIENCE).await,
        "client.closed" => started.client.close(),
        _ => {}
    }
    wire.settle().await;
    started
}

fn listen(client: &Client, log: &Log) {
    let own = log.clone();
    client.on_violation(move |violation| {
        let mut seen = own.lock();
        seen.violated += 1;
        seen.transcript.add(|| format!("  violation: {violation}"));
    });
    let own = log.clone();
    let notified = move |method: &str| {
        let mut seen = own.lock();
        seen.notified += 1;
        seen.notifications.truncate(8);
        seen.notifications.push(method.to_owned());
    };
    let own = notified.clone();
    client.on_log(move |_| own("notifications/message"));
    client.on_notification(move |method, _| notified(method));
}

impl Started {
    fn opening(&mut self, name: &'static str) {
        self.calls.push(name.to_owned());
        let (client, log) = (self.client.clone(), self.log.clone());
        tokio::spawn(async move {
            let names = match client.ready().await {
                Ok(_) => vec!["result"],
                Err(reason) => names_of_close(&reason),
            };
            log.lock().endings.push(Ending { call: name.to_owned(), names, value: None });
        });
        let (client, log) = (self.client.clone(), self.log.clone());
        tokio::spawn(async move {
            let reason = client.closed().await;
            log.lock().closed = Some(reason);
        });
    }

    /// Makes a call, in a task of its own.
    pub fn call(&mut self, name: &str, method: &str, with_token: bool, timeouts: Option<Timeouts>) {
        self.calls.push(name.to_owned());
        let params = RawJson::of(&CallTool::new("work")).unwrap();
        let mut call = self.client.call_raw(method, Some(params));
        if let Some(timeouts) = timeouts {
            call = call.timeouts(timeouts);
        }
        let (log, name) = (self.log.clone(), name.to_owned());
        tokio::spawn(async move {
            let outcome = if with_token {
                let told = |report: mcp_tokio::Progress| {
                    let report = Report {
                        call: name.clone(),
                        progress: report.progress,
                        total: report.total,
                    };
                    log.lock().reports.push(report);
                };
                call.on_progress(told).await
            } else {
                call.await
            };
            let (names, value) = match &outcome {
                Ok(result) => (
                    vec!["result"],
                    (result.as_bytes().len() < 4096).then(|| result.decode().ok()).flatten(),
                ),
                Err(error) => (names_of(error), None),
            };
            log.lock().endings.push(Ending { call: name, names, value });
        });
    }

    /// Takes the names from the request that was sent last.
    pub async fn said(&mut self, wire: &Wire, name: &str) {
        wire.settle().await;
        let (sent, _, _) = wire.take();
        let request = sent.last().and_then(|request| Some((request, request.id()?)));
        let (request, id) = request.unwrap_or_else(|| panic!("{name} was not sent: {sent:?}"));
        if matches!(request.method(), Some("initialize" | "server/discover")) {
            self.opening_id = id.clone();
        }
        self.names.call(name, &id, token(request).as_deref());
    }

    /// Forgets what was seen so far, and which calls have ended.
    pub fn start_watch(&mut self) {
        self.calls = self.pending();
        let mut seen = self.log.lock();
        let closed = seen.closed.take();
        *seen = Observed { closed, ..Observed::default() };
    }

    /// Calls that have not ended.
    pub fn pending(&self) -> Vec<String> {
        let seen = self.log.lock();
        let ended = |name: &&String| !seen.endings.iter().any(|ending| ending.call == **name);
        self.calls.iter().filter(ended).cloned().collect()
    }
}
