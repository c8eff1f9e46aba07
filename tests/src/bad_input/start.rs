//! The starting states of the catalogue. A new one is an arm here.

use std::collections::BTreeMap;
use std::time::Duration;

use mcp_proto::role::{Client, Role, Server};
use mcp_proto::types::{ClientCapabilities, ListChanged, ServerCapabilities};
use mcp_proto::{
    CallOptions, CallTool, ClientConfig, Connection, Era, Instant, Limits, RawJson, Request,
    Revision, RevisionSet, ServerConfig, Timeouts,
};
use serde_json::{Value, json};

use super::case::{Case, Pending};
use super::message::Sent;
use super::names::Names;
use super::reference::ClientApplication;
use super::subject::{Application, Subject};

/// An engine in its starting state, and what stands for the placeholders there.
pub struct Started<R> {
    /// The engine.
    pub subject: Subject<R>,
    /// What stands for the placeholders.
    pub names: Names,
}

/// When a case begins: not at zero, so that a time may lie before it.
const BEGINNING: Instant = Instant::from_nanos(1_000_000_000);

/// How long a call may take that is to time out.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// Id of the `initialize` that the peer sends.
const INITIALIZE: &str = "0";

impl Started<Server> {
    /// A server.
    ///
    /// # Panics
    ///
    /// If the state is not known, or is not reached.
    pub fn server(case: &Case, revision: Revision) -> Self {
        let setup = &case.setup;
        assert!(setup.other.is_empty(), "{}: nobody knows what {:?} is", case.id, setup.other);
        let conn = Connection::server(server_config(case, revision));
        let mut started = Self::begin(conn, Application::Server);
        started.names = server_names();
        started.tell(&server_opening(case, revision));
        let subject = &mut started.subject;
        assert_eq!(subject.conn.requests_in_flight(), setup.pending.len(), "{}", case.id);
        match setup.peer.as_deref() {
            None => {}
            Some("does_not_read") => subject.reads = false,
            Some(unknown) => panic!("{}: an unknown peer: {unknown}", case.id),
        }
        started
    }
}

impl Started<Client> {
    /// A client.
    ///
    /// # Panics
    ///
    /// If the state is not known, or is not reached.
    pub fn client(case: &Case, revision: Revision) -> Self {
        let setup = &case.setup;
        assert!(setup.other.is_empty(), "{}: nobody knows what {:?} is", case.id, setup.other);
        let base = setup.base.as_str();
        let caps = setup.caps.clone().unwrap_or_default();
        let config = client_config(case, revision);
        let application = Application::Client(ClientApplication { caps, opened: Vec::new() });
        let mut started = Self::begin(Connection::client(config, BEGINNING), application);
        let opening = if revision.era() == Era::Modern { "PROBE" } else { "INIT" };
        started.subject.opening = Some(opening);
        started.said(opening);
        if !matches!(base, "client.initializing" | "client.probing") {
            let answer = welcome(revision, &started.subject.opening_id);
            started.tell(&answer);
        }
        for pending in &setup.pending {
            let Pending::Call(name) = pending else { panic!("{}: a request", case.id) };
            let mut options = CallOptions::default();
            if setup.with_token {
                options = options.tracked();
            }
            if base == "client.timed_out" {
                options = options.timeouts(Timeouts::NEVER.total(PATIENCE));
            }
            started.call(name, options);
        }
        let subject = &mut started.subject;
        match base {
            "client.initializing" | "client.probing" | "client.ready" | "client.pending" => {}
            "client.timed_out" => subject.pass(PATIENCE),
            "client.closed" => {
                subject.conn.close(subject.now);
                subject.pump();
            }
            unknown => panic!("{}: a starting state that is not built: {unknown}", case.id),
        }
        started
    }

    fn call(&mut self, name: &str, options: CallOptions) {
        let subject = &mut self.subject;
        let params = RawJson::of(&CallTool::new("work")).expect("JSON");
        let id = subject.conn.request_raw(CallTool::METHOD, Some(&params), options, subject.now);
        subject.calls.push((name.to_owned(), id.expect("a call")));
        self.said(name);
    }

    /// Takes the names from the request that the engine has just sent.
    fn said(&mut self, name: &str) {
        self.subject.pump();
        let sent = self.subject.look().sent;
        let request = sent.last().and_then(|request| Some((request, request.id()?)));
        let (request, id) = request.unwrap_or_else(|| panic!("{name} was not sent: {sent:?}"));
        self.names.call(name, &id, token(request).as_deref());
    }
}

impl<R: Role> Started<R> {
    fn begin(conn: Connection<R>, application: Application) -> Self {
        Self { subject: Subject::new(conn, application, BEGINNING), names: Names::default() }
    }

    fn tell(&mut self, lines: &str) {
        let lines = format!("{}\n", lines.trim_end());
        // Room for the handlers that it starts.
        self.subject.start_watch(lines.as_bytes());
        self.subject.feed(lines.as_bytes(), Default::default());
    }
}

/// What a server of a case is.
pub fn server_config(case: &Case, revision: Revision) -> ServerConfig {
    let revisions = match case.setup.base.as_str() {
        "server.fresh" | "server.modern" => revision.into(),
        _ => RevisionSet::ALL,
    };
    let mut config =
        ServerConfig::new("reference", "1").revisions(revisions).capabilities(capabilities());
    limit(&mut config.limits, case);
    config
}

/// What a client of a case is.
pub fn client_config(case: &Case, revision: Revision) -> ClientConfig {
    let is_dual = case.setup.base == "client.probing";
    let revisions = if is_dual { RevisionSet::ALL } else { revision.into() };
    let mut config = ClientConfig::new("reference", "1").revisions(revisions);
    config.capabilities = client_capabilities(case.setup.caps.as_ref());
    limit(&mut config.limits, case);
    config
}

/// What stands for the placeholders in what a server is fed.
pub fn server_names() -> Names {
    let mut names = Names::default();
    names.set("initid", INITIALIZE);
    names
}

/// What a server has been told in its starting state, as lines.
///
/// # Panics
///
/// If the state is not known.
pub fn server_opening(case: &Case, revision: Revision) -> String {
    let handshake = crate::handshake(revision);
    let mut lines = match case.setup.base.as_str() {
        "server.fresh" | "server.modern" => Vec::new(),
        "server.initialize_answered" => handshake.lines().take(1).map(str::to_owned).collect(),
        "server.ready" => vec![handshake.trim_end().to_owned()],
        unknown => panic!("{}: a starting state that is not built: {unknown}", case.id),
    };
    lines.extend(case.setup.pre.clone());
    for pending in &case.setup.pending {
        let Pending::Request { id, tool, token } = pending else { panic!("{}: a call", case.id) };
        lines.push(call(id, tool, token.as_ref(), revision));
    }
    lines.iter().map(|line| format!("{line}\n")).collect()
}

/// The answer to what opens the connection, as the peer of a client gives it.
pub fn welcome(revision: Revision, id: &str) -> String {
    match revision.era() {
        Era::Legacy => format!(
            "{{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{{\"protocolVersion\":\"{revision}\",\
             \"capabilities\":{{}},\"serverInfo\":{{\"name\":\"s\",\"version\":\"1\"}}}}}}\n"
        ),
        Era::Modern => format!(
            "{{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{{\"resultType\":\"complete\",\
             \"supportedVersions\":[\"{revision}\"],\"capabilities\":{{}},\"ttlMs\":0,\"cacheScope\":\"private\",\
             \"_meta\":{{\"io.modelcontextprotocol/serverInfo\":{{\"name\":\"s\",\"version\":\"1\"}}}}}}}}\n"
        ),
    }
}

/// The request that tells whether a server still works, with an id that no case uses.
pub fn server_probe(revision: Revision) -> String {
    let (method, params) = match revision.era() {
        Era::Legacy => ("ping", json!({})),
        Era::Modern => ("server/discover", json!({ "_meta": meta() })),
    };
    format!("{}\n", json!({ "jsonrpc": "2.0", "id": PROBE, "method": method, "params": params }))
}

/// The id of that request.
pub const PROBE: &str = "the probe";

/// The progress token of a request that the engine sent.
pub fn token(request: &Sent) -> Option<String> {
    let token = request.json.get("params")?.get("_meta")?.get("progressToken")?;
    Some(token.to_string())
}

/// A call of a tool as a line.
fn call(id: &Value, tool: &str, token: Option<&Value>, revision: Revision) -> String {
    let mut meta = match revision.era() {
        Era::Legacy => json!({}),
        Era::Modern => meta(),
    };
    if let Some(token) = token {
        meta["progressToken"] = token.clone();
    }
    let params = json!({ "name": tool, "arguments": {}, "_meta": meta });
    json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params }).to_string()
}

/// What every modern request carries.
pub fn meta() -> Value {
    json!({
        "io.modelcontextprotocol/protocolVersion": Revision::LATEST.as_str(),
        "io.modelcontextprotocol/clientCapabilities": {},
    })
}

fn capabilities() -> ServerCapabilities {
    let mut list = ListChanged::default();
    let mut capabilities = ServerCapabilities::default().tools().logging();
    capabilities.prompts = Some(list);
    (list.list_changed, list.subscribe) = (Some(true), Some(true));
    capabilities.resources = Some(list);
    capabilities
}

fn client_capabilities(caps: Option<&BTreeMap<String, Value>>) -> ClientCapabilities {
    let mut capabilities = ClientCapabilities::default();
    let raw =
        |name: &str| caps?.get(name).map(|value| RawJson::parse(value.to_string()).expect("JSON"));
    (capabilities.roots, capabilities.sampling) = (raw("roots"), raw("sampling"));
    capabilities.elicitation = raw("elicitation");
    capabilities
}

/// Limits that cases name and the engine does not have, because what they bound is the application's: see `docs/memory.md`.
/// What is judged of such a case is how that application answers.
pub const NOT_SET: [(&str, &str); 1] = [("LIM-s08", "max_subscriptions")];

fn limit(limits: &mut Limits, case: &Case) {
    for (name, value) in &case.setup.limits {
        match name.as_str() {
            "max_message_bytes" => limits.max_message_len = *value,
            "max_inflight" => limits.max_requests = *value,
            "max_output_bytes" => limits.max_outbox_len = *value,
            "max_batch" => limits.max_batch_len = *value,
            other => {
                let is_known = NOT_SET.contains(&(&case.id, other));
                assert!(is_known, "{}: a limit that the engine does not have: {other}", case.id);
            }
        }
    }
}
