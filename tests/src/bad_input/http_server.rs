//! The layer `http-server`: whole requests, against the server over HTTP with the reference application behind it.
//!
//! What is observed here are responses, so the reactions are other ones than those of a byte stream.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request};
use mcp_proto::http::{Exchange, Scope, ServerOptions};
use mcp_proto::progress::Weight;
use mcp_proto::{CallOptions, Era, Event, Progress, RawJson, RequestId, Revision, ServerConfig};
use serde::Deserialize;
use serde_json::{Value, json};

use super::case::{After, Case, Pending};
use super::memory::{Measure, SLACK};
use super::message::cut;
use super::names::Names;
use super::observed::shown;
use super::reference::{self, Answer as Answered};
use super::run::Outcome;
use super::start::meta;
use crate::secs;
use crate::web::{Answer, Web, get, in_session, modern, modern_call};

/// The layers that are run here.
pub const LAYERS: [&str; 1] = ["http-server"];

/// A request as the layer has it that does not read HTTP/1.1 itself.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sent {
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: String,
}

/// Method, path, headers and body of a request as it is on the wire.
type Wire = (String, String, Vec<(String, Vec<u8>)>, Vec<u8>);

/// What may be seen. An unknown reaction, or an unknown member of one, is refused.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
enum Reaction {
    Http {
        status: Vec<Value>,
        #[serde(default)]
        code: Option<Value>,
        /// `echo`: that of the request.
        #[serde(default)]
        id: Option<String>,
        /// `empty`
        #[serde(default)]
        body: Option<String>,
        #[serde(default)]
        no_header: Option<String>,
        /// `none`
        #[serde(default)]
        replay: Option<String>,
        #[serde(default)]
        own_response: bool,
        #[serde(default)]
        data_has: Vec<String>,
        #[serde(default, rename = "note")]
        _note: Option<String>,
    },
    /// The connection ends: the library that reads HTTP refuses it.
    Close,
    StreamClosed {
        stream: String,
    },
    SubClosed {
        sub: String,
    },
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expect {
    any_of: Vec<Reaction>,
    after: After,
    #[serde(default)]
    never: Vec<String>,
    #[serde(default, rename = "note")]
    _note: Option<String>,
}

/// A server in its starting state, and the application behind it.
struct Subject {
    web: Web,
    names: Names,
    revision: Revision,
    session: Option<String>,
    /// Streams that are open, by name.
    streams: Vec<(String, Exchange)>,
    /// Calls that run.
    pending: Vec<Exchange>,
    /// Requests that run until they are cancelled.
    slow: Vec<(Scope, RequestId)>,
    /// Handlers that ran since the input came.
    ran: Vec<String>,
    /// Requests and notifications that reached the application since.
    processed: usize,
    /// Sessions that there were before.
    sessions: usize,
    /// The session that `streams` and `pending` belong to.
    scope: Option<Scope>,
    transcript: Vec<String>,
}

/// Time in which everything must have been done.
const PROMPT: std::time::Duration = std::time::Duration::from_secs(1);

/// Runs a case in one revision.
pub fn run(case: &Case, revision: Revision, measure: Option<Measure>) -> Outcome {
    let mut subject = Subject::start(case, revision);
    let expect: Expect = case.expect_as(&subject.names);
    let mut answer = None;
    let mut exchange = None;
    // What was sent may be copied once into a buffer that doubles.
    let has_action = case.setup.other.contains_key("action");
    let sent = if has_action { None } else { subject.input(case) };
    let bound = 3 * sent.map_or(0, |(_, request)| length(&request)) + SLACK;
    let mut play = || {
        if has_action {
            for (_, stream) in std::mem::take(&mut subject.streams) {
                subject.web.hang_up(stream);
            }
        } else {
            match subject.input(case) {
                Some((principal, request)) => {
                    let sent = subject.web.send_as(principal.as_deref(), request);
                    subject.serve();
                    answer = Some(match sent {
                        Ok(sent) => {
                            exchange = Some(sent);
                            subject.web.take(sent)
                        }
                        Err(refusal) => Answer::refused(*refusal),
                    });
                }
                None => subject.note("the types of HTTP do not even hold it"),
            }
        }
        subject.web.pass(PROMPT);
        subject.serve();
    };
    let memory = match measure {
        None => {
            play();
            0
        }
        Some(measure) => measure(&[], &mut play).most,
    };
    if let Some(answer) = &answer {
        let body = String::from_utf8_lossy(&answer.body).into_owned();
        subject.note(&format!("> {} {}", answer.status(), cut(&body)));
    }
    let verdicts: Vec<_> = expect
        .any_of
        .iter()
        .map(|reaction| subject.judge(reaction, case, answer.as_ref()))
        .collect();
    let reaction = verdicts.iter().position(Result::is_ok);
    let mut failures = Vec::new();
    if reaction.is_none() {
        let reasons = verdicts.into_iter().filter_map(Result::err).enumerate();
        failures.extend(reasons.map(|(n, why)| format!("not reaction {}: {why}", n + 1)));
    }
    for what in &expect.never {
        if subject.happened(what, case, answer.as_ref(), exchange, memory > bound) {
            failures.push(format!("never: {what}"));
        }
    }
    let faults = Vec::from_iter(
        (memory > bound).then(|| format!("{memory} bytes of memory, more than {bound}")),
    );
    failures.extend(faults.iter().cloned());
    if failures.is_empty() && expect.after == After::Usable {
        failures.extend(subject.probe(case));
    }
    Outcome {
        failures,
        faults,
        reaction,
        is_untold: false,
        transcript: subject.transcript,
        memory,
        flood: None,
    }
}

/// Bytes of a request, as far as they may be many.
fn length(request: &Request<Bytes>) -> usize {
    request.headers().values().map(HeaderValue::len).sum::<usize>() + request.body().len()
}

impl Subject {
    fn start(case: &Case, revision: Revision) -> Self {
        let setup = &case.setup;
        let is_modern = setup.base == "http.modern";
        let mut options = ServerOptions::default();
        for tool in reference::tools() {
            let schema = RawJson::parse(tool["inputSchema"].to_string()).expect("JSON");
            let name = tool["name"].as_str().expect("a name");
            options = options.mirror(name, &schema).expect("annotations");
        }
        let mut config = ServerConfig::new("reference", "1");
        if is_modern {
            config = config.revisions(revision);
        }
        let mut subject = Self {
            web: Web::with(config, options),
            names: Names::default(),
            revision,
            session: None,
            streams: Vec::new(),
            pending: Vec::new(),
            slow: Vec::new(),
            ran: Vec::new(),
            processed: 0,
            sessions: 0,
            scope: None,
            transcript: Vec::new(),
        };
        subject.names.set("version", revision.as_str());
        match setup.base.as_str() {
            "http.fresh" | "http.modern" => {}
            "http.session" => subject.open_sessions(setup.other.get("principal")),
            unknown => panic!("{}: a starting state that is not built: {unknown}", case.id),
        }
        for pending in &setup.pending {
            let Pending::Request { id, tool, .. } = pending else { panic!("{}: a call", case.id) };
            let request = subject.call(id.clone(), tool);
            let exchange = subject.web.send(request).expect("it comes in");
            subject.pending.push(exchange);
        }
        for stream in setup.other.get("streams").and_then(Value::as_array).into_iter().flatten() {
            let name = stream.as_str().expect("a name");
            let request = match name.starts_with('G') {
                true => get(subject.session.as_deref().expect("a session"), revision, None),
                false => modern(json!("L"), "subscriptions/listen", json!({})),
            };
            let exchange = subject.web.send(request).expect("it opens");
            subject.web.take(exchange);
            subject.streams.push((name.to_owned(), exchange));
        }
        for known in setup.other.keys() {
            let is_known = matches!(known.as_str(), "streams" | "principal" | "action");
            assert!(is_known, "{}: nobody knows what {known} is", case.id);
        }
        subject.serve();
        subject.scope = subject.slow.first().map(|(scope, _)| *scope).or(subject.scope);
        (subject.ran, subject.processed) = (Vec::new(), 0);
        subject.sessions = subject.web.server.sessions();
        subject
    }

    /// Three sessions: the one that the case is about, another one, and one that has ended.
    fn open_sessions(&mut self, principal: Option<&Value>) {
        let revision = self.revision;
        let ended = self.web.open(revision);
        let end = [("mcp-session-id", &*ended)];
        self.web.ask(crate::web::bare(Method::DELETE, Bytes::new(), &end));
        self.names.set("session.terminated", &ended);
        let other = self.web.open(revision);
        self.names.set("session.b", &other);
        let own = match principal.and_then(Value::as_str) {
            None => self.web.open(revision),
            Some(principal) => {
                let hello = crate::web::post(&crate::web::initialize(revision), &[]);
                let exchange = self.web.send_as(Some(principal), hello).expect("a session");
                let answer = self.web.take(exchange);
                answer.header("mcp-session-id").expect("an id").to_owned()
            }
        };
        self.names.set("session", &own);
        // What its conversation is called shows with the first thing that it tells.
        let hello = json!({"jsonrpc": "2.0", "method": "notifications/hello"});
        let hello = in_session(&hello, &own, revision);
        let who = principal.and_then(Value::as_str);
        let exchange = self.web.send_as(who, hello).expect("it comes in");
        self.web.take(exchange);
        self.session = Some(own);
        self.scope = self.web.events.last().map(|(scope, _)| *scope);
        self.web.events.clear();
    }

    fn call(&self, id: Value, tool: &str) -> Request<Bytes> {
        match (&self.session, self.revision.era()) {
            (Some(session), Era::Legacy) => {
                let params = json!({"name": tool, "arguments": {}});
                let call =
                    json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params});
                in_session(&call, session, self.revision)
            }
            _ => modern_call(id, tool),
        }
    }

    /// What the case sends, and in whose name. Nothing if the types of HTTP do not hold it.
    fn input(&self, case: &Case) -> Option<(Option<String>, Request<Bytes>)> {
        let fill = |text: &str| self.names.fill(text.as_bytes());
        let (method, path, headers, body) = match &case.http {
            Some(http) => {
                let sent = Sent::deserialize(http).expect("a request");
                let headers = sent.headers.into_iter();
                let headers = headers.map(|(name, value)| (name, fill(&value))).collect();
                (sent.method, sent.path, headers, fill(&sent.body))
            }
            None => Self::read(&case.input(&self.names)),
        };
        let mut request = Request::new(Bytes::from(body));
        *request.method_mut() = method.parse().expect("a method");
        *request.uri_mut() = path.parse().expect("a path");
        let mut principal = case.setup.other.get("principal").map(|_| "alice".to_owned());
        for (name, value) in headers {
            let has_header = !matches!(self.revision, Revision::V2025_03_26);
            if name.eq_ignore_ascii_case("mcp-protocol-version") && !has_header {
                continue;
            }
            if name.eq_ignore_ascii_case("authorization") {
                let token = String::from_utf8(value.clone()).expect("a token");
                principal = token.strip_prefix("Bearer token-of-").map(str::to_owned);
            }
            let name = HeaderName::try_from(name).expect("a name");
            request.headers_mut().append(name, HeaderValue::from_bytes(&value).ok()?);
        }
        Some((principal, request))
    }

    /// A request as it is on the wire.
    fn read(bytes: &[u8]) -> Wire {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("a head");
        let head = std::str::from_utf8(&bytes[..end]).expect("a head in ASCII");
        let mut lines = head.split("\r\n");
        let mut first = lines.next().unwrap_or_default().split(' ');
        let mut word = || first.next().unwrap_or_default().to_owned();
        let (method, path) = (word(), word());
        let header = |line: &str| {
            let (name, value) = line.split_once(':').expect("a header");
            (name.to_owned(), value.trim().as_bytes().to_vec())
        };
        (method, path, lines.map(header).collect(), bytes[end + 4..].to_vec())
    }

    fn note(&mut self, line: &str) {
        if self.transcript.len() < 64 {
            self.transcript.push(cut(line));
        }
    }

    /// The application deals with what has reached it.
    fn serve(&mut self) {
        self.web.listen();
        for (scope, event) in std::mem::take(&mut self.web.events) {
            self.note(&shown(&event));
            match event {
                Event::Request { id, method, params } => {
                    self.processed += 1;
                    self.handle(scope, id, method.as_str(), params.as_ref());
                }
                Event::Notification { .. } => self.processed += 1,
                Event::Cancelled { id, .. } => {
                    self.slow.retain(|slow| *slow != (scope, id.clone()));
                    let now = self.web.now;
                    if let Some(endpoint) = self.web.server.endpoint_mut(scope) {
                        endpoint.abandon(&id, now);
                    }
                }
                _ => {}
            }
        }
        self.web.server.poll_timeout();
    }

    fn handle(&mut self, scope: Scope, id: RequestId, method: &str, params: Option<&RawJson>) {
        let now = self.web.now;
        let Some(endpoint) = self.web.server.endpoint_mut(scope) else { return };
        let Some(revision) = endpoint.revision_of(&id) else { return };
        if method == "subscriptions/listen" {
            return self.slow.push((scope, id));
        }
        let reference::Outcome { answer, ran } = reference::serve(method, params, revision);
        self.ran.extend(ran);
        let done = match answer {
            Answered::Result(result) => endpoint.respond(&id, &result, now),
            Answered::Error(error) => endpoint.fail(&id, &error, now),
            Answered::Slow => return self.slow.push((scope, id)),
            Answered::Count(steps) => {
                for step in 1..=steps {
                    let progress = Progress::new(f64::from(step));
                    endpoint.report(&id, progress, Weight::Ordinary, now).expect("an increase");
                }
                endpoint.respond(&id, &reference::text("counted"), now)
            }
        };
        done.expect("it waits for its answer");
    }

    fn judge(
        &mut self,
        reaction: &Reaction,
        case: &Case,
        answer: Option<&Answer>,
    ) -> Result<(), String> {
        match reaction {
            Reaction::Close => match answer {
                None => Ok(()),
                Some(answer) => Err(format!("it was answered with {}", answer.status())),
            },
            Reaction::StreamClosed { stream } | Reaction::SubClosed { sub: stream } => {
                let is_open = self.streams.iter().any(|(name, _)| name == stream);
                match is_open || self.web.server.exchanges() > self.pending.len() {
                    true => Err(format!("{stream} is still open")),
                    false => Ok(()),
                }
            }
            Reaction::Http {
                status,
                code,
                id,
                body,
                no_header,
                replay,
                own_response,
                data_has,
                _note,
            } => {
                let answer = answer.ok_or("there is no answer")?;
                let is = |wanted: &Value| match wanted {
                    Value::Number(number) => number.as_u64() == Some(answer.status().into()),
                    wanted => wanted == "4xx" && (400..500).contains(&answer.status()),
                };
                if !status.iter().any(is) {
                    return Err(format!("{} is not {status:?}", answer.status()));
                }
                if let Some(code) = code {
                    let found = answer.code();
                    let is_one = match code {
                        Value::Array(codes) => codes.iter().any(|code| code.as_i64() == found),
                        code => code.as_i64() == found,
                    };
                    if found.is_none() || !is_one {
                        return Err(format!("code {found:?} is not {code}"));
                    }
                }
                if id.as_deref() == Some("echo") && answer.json()["id"] != sent_id(case) {
                    return Err(format!(
                        "id {} is not the one of the request",
                        answer.json()["id"]
                    ));
                }
                if body.as_deref() == Some("empty") && !answer.body.is_empty() {
                    return Err("it has a body".to_owned());
                }
                if let Some(name) = no_header
                    && answer.header(name.split(' ').next().unwrap_or_default()).is_some()
                {
                    return Err(format!("it has {name}"));
                }
                if replay.as_deref() == Some("none") && !answer.messages().is_empty() {
                    return Err("it says something again".to_owned());
                }
                if *own_response && answer.status() == 200 {
                    let own = messages(answer).iter().any(|message| message["id"] == sent_id(case));
                    if !own {
                        return Err("it is not its own response".to_owned());
                    }
                }
                let data = || answer.json()["error"]["data"].clone();
                match data_has.iter().find(|name| data().get(name.as_str()).is_none()) {
                    Some(name) => Err(format!("the data has no {name}")),
                    None => Ok(()),
                }
            }
        }
    }

    fn happened(
        &mut self,
        what: &str,
        case: &Case,
        answer: Option<&Answer>,
        exchange: Option<Exchange>,
        takes_too_much: bool,
    ) -> bool {
        let sessions = self.web.server.sessions();
        match what {
            "session_created" => sessions > self.sessions,
            "session_ended" => sessions < self.sessions,
            "processed" => self.processed > 0 || answer.is_some_and(is_result),
            "tool_executed" => !self.ran.is_empty(),
            "stream_opened" => answer.is_some_and(|answer| answer.end.is_none()),
            "only_first_processed" => answer.is_some_and(is_result),
            "wildcard_cors" => {
                answer.is_some_and(|answer| answer.header("access-control-allow-origin").is_some())
            }
            "header_injected" => answer.is_some_and(|answer| answer.header("x-injected").is_some()),
            "foreign_replay" => {
                answer.is_some_and(|answer| answer.status() == 200 && !messages(answer).is_empty())
            }
            "memory_over_limit" | "unbounded_inflate" => takes_too_much,
            "crosswired" => {
                let foreign = |message: &Value| message["id"] != sent_id(case);
                let taken = self.pending.clone().into_iter().map(|pending| self.web.take(pending));
                let taken: Vec<_> = taken.collect();
                answer.is_some_and(|answer| messages(answer).iter().any(foreign))
                    || taken.iter().any(|answer| !answer.messages().is_empty())
            }
            "first_lost" => self.slow.is_empty(),
            "stream_stolen" | "message_on_two_streams" => {
                self.say();
                let first = self.streams.first().map(|(_, stream)| *stream).expect("a stream");
                let on_first = self.web.take(first).messages().len();
                let second = exchange.map(|exchange| self.web.take(exchange).messages().len());
                (on_first, second.unwrap_or_default()) != (1, 0)
            }
            "message_lost_silently" => {
                self.say();
                let session = self.session.clone().expect("a session");
                let answer = self.web.ask(get(&session, self.revision, None));
                answer.messages().len() != 1
            }
            "subscription_leak" => self.web.server.requests_in_flight() > 0,
            unknown => panic!("{}: nobody knows what {unknown} is", case.id),
        }
    }

    /// The server says something that belongs to no request.
    fn say(&mut self) {
        let now = self.web.now;
        let scope = self.scope.expect("a session");
        let endpoint = self.web.server.endpoint_mut(scope).expect("it is open");
        endpoint.request_raw("roots/list", None, CallOptions::default(), now).expect("it can call");
    }

    /// Whether a new, valid exchange works: in its session, unless that was to end, and without one.
    fn probe(&mut self, case: &Case) -> Option<String> {
        let ping = json!({"jsonrpc": "2.0", "id": "the probe", "method": "ping"});
        let answer = match (&self.session, self.revision.era()) {
            (Some(session), Era::Legacy)
                if case.http.as_ref().is_none_or(|http| http["method"] != "DELETE") =>
            {
                let principal = case.setup.other.get("principal").and_then(Value::as_str);
                let request = in_session(&ping, &session.clone(), self.revision);
                match self.web.send_as(principal, request) {
                    Ok(exchange) => self.web.take(exchange),
                    Err(refusal) => Answer::refused(*refusal),
                }
            }
            (_, Era::Legacy) => {
                let session = self.web.open(self.revision);
                self.web.ask(in_session(&ping, &session, self.revision))
            }
            (_, Era::Modern) => self.web.ask(modern(
                json!("the probe"),
                "server/discover",
                json!({ "_meta": meta() }),
            )),
        };
        self.web.pass(secs(1));
        let is_right = answer.status() == 200 && answer.json()["id"] == "the probe";
        (!is_right).then(|| format!("the probe was answered with {answer:?}"))
    }
}

fn sent_id(case: &Case) -> Value {
    let body = case.http.as_ref().and_then(|http| http["body"].as_str()).unwrap_or_default();
    serde_json::from_str::<Value>(body).map_or(Value::Null, |body| body["id"].clone())
}

fn messages(answer: &Answer) -> Vec<Value> {
    if answer.is_stream() {
        return answer.messages();
    }
    serde_json::from_slice(&answer.body).into_iter().collect()
}

fn is_result(answer: &Answer) -> bool {
    messages(answer).iter().any(|message| message.get("result").is_some())
}
