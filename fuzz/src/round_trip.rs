//! What is written is what is read, through a whole client and a whole server.

use arbitrary::{Arbitrary, Unstructured};
use mcp_proto::progress::{Pacing, Weight};
use mcp_proto::testing::{take_events, take_output};
use mcp_proto::types::MediaContent;
use mcp_proto::{
    CallError, CallOptions, CallTool, CallToolResult, ClientConfig, Connection, ContentBlock,
    ErrorObject, Event, Instant, ListTools, LogLevel, LogMessage, Progress, RawJson, Request,
    RequestId, Revision, ServerConfig,
};
use mcp_proto::{role::Client, role::Server};
use serde_json::Value;

use crate::scanner::alike;

/// A first byte that is even: the rest is JSON, or something else. Odd: `arbitrary` reads values from it.
pub fn round_trip(input: &[u8]) {
    match input.split_first() {
        Some((mode, json)) if mode % 2 == 0 => json_text(json),
        Some((_, bytes)) => {
            let said = Said::arbitrary(&mut Unstructured::new(bytes));
            said.into_iter().for_each(|said| converse(&said));
        }
        None => {}
    }
}

/// `encode(decode(x))` is a fixed point.
fn json_text(json: &[u8]) {
    let Ok(raw) = RawJson::parse(json.to_vec()) else { return };
    let copied = RawJson::of(&raw).expect("JSON can be written");
    assert_eq!(RawJson::of(&copied).expect("JSON can be written"), copied, "copying changes it");
    assert!(!copied.as_str().contains('\n'), "a line break inside a line: {copied}");
    let Ok(value) = raw.decode::<Value>() else { return };
    let once = RawJson::of(&value).expect("JSON can be written");
    let again = once.decode::<Value>().expect("our own JSON");
    assert_eq!(RawJson::of(&again).expect("JSON can be written"), once, "{raw}");
    assert!(alike(&value, &again), "{value} became {again}");
    let of_copy = copied.decode::<Value>().expect("our own JSON");
    assert!(alike(&value, &of_copy), "{value} was copied as {of_copy}");
}

/// One conversation: what each side says.
#[derive(Arbitrary, Debug)]
struct Said {
    revision: Revision,
    tool: String,
    arguments: Vec<(String, Scalar)>,
    cursor: Option<String>,
    token: Option<Token>,
    reports: Vec<(f64, Option<f64>, Option<String>)>,
    log: String,
    outcome: Outcome,
}

#[derive(Arbitrary, Debug)]
enum Token {
    Number(i64),
    Text(String),
}

#[derive(Arbitrary, Debug)]
enum Outcome {
    Result {
        content: Vec<Block>,
        structured: Option<Vec<(String, Scalar)>>,
        is_error: Option<bool>,
    },
    Error {
        code: i64,
        message: String,
        data: Option<Scalar>,
    },
}

#[derive(Arbitrary, Debug)]
enum Block {
    Text(String),
    Image(String, String),
    Audio(String, String),
}

#[derive(Arbitrary, Debug)]
enum Scalar {
    Null,
    Bool(bool),
    Signed(i64),
    Unsigned(u64),
    Float(f64),
    Text(String),
}

fn converse(said: &Said) {
    let now = Instant::from_nanos(1);
    let (mut client, mut server) = met(said.revision, now);
    let page =
        said.cursor.as_ref().map_or_else(ListTools::new, |cursor| ListTools::new().cursor(cursor));
    ask(&mut client, &mut server, &page, CallOptions::default(), now);

    let mut call = CallTool::new(said.tool.clone());
    call.arguments = Some(object(&said.arguments));
    let mut options = CallOptions::default().tracked();
    match &said.token {
        // Numbers may be in use by the engine itself.
        Some(Token::Number(number)) if *number <= 0 => {
            options = CallOptions::default().progress_token(*number)
        }
        Some(Token::Text(text)) => options = CallOptions::default().progress_token(text.as_str()),
        _ => {}
    }
    let Some((id, request)) = ask(&mut client, &mut server, &call, options, now) else { return };
    report(&mut client, &mut server, said, (&id, &request), now);

    let message = LogMessage::text(LogLevel::Error, &said.log);
    if server.log(Some(&request), &message) == Ok(true) {
        let told = carry(&mut server, &mut client, now);
        let Some(Event::Notification { params: Some(params), .. }) = told.into_iter().next() else {
            panic!("no log message")
        };
        assert_eq!(params.decode::<LogMessage>(), Ok(message));
    }
    answer(&mut client, &mut server, said, (&id, &request), now);
}

/// A call arrives as it was made: its id at the server.
fn ask<Q>(
    client: &mut Connection<Client>,
    server: &mut Connection<Server>,
    call: &Q,
    options: CallOptions,
    now: Instant,
) -> Option<(RequestId, RequestId)>
where
    Q: Request<Sender = Client> + serde::de::DeserializeOwned + PartialEq + std::fmt::Debug,
{
    // A token that is too long for the peer costs the progress, nothing else.
    let ticket = client.request(call, options, now).ok()?;
    let told = carry(client, server, now);
    let request = told.into_iter().find_map(|event| match event {
        Event::Request { id, method, params } => Some((id, method, params)),
        _ => None,
    });
    let Some((id, method, params)) = request else { panic!("{call:?} did not arrive") };
    assert_eq!(method.as_str(), Q::METHOD);
    assert_eq!(id, *ticket.id());
    let arrived = params.expect("a request has parameters").decode::<Q>().expect("our own JSON");
    assert_eq!(arrived, *call);
    Some((ticket.id().clone(), id))
}

fn report(
    client: &mut Connection<Client>,
    server: &mut Connection<Server>,
    said: &Said,
    (id, request): (&RequestId, &RequestId),
    now: Instant,
) {
    let has_message = said.revision != Revision::V2024_11_05;
    for (value, total, message) in &said.reports {
        let mut progress = Progress::new(*value);
        progress.total = *total;
        progress.message = message.clone().map(Into::into);
        let done = server.report(request, progress.clone(), Weight::Ordinary, now);
        let told = carry(server, client, now);
        if done.is_err() || !server.is_progress_wanted(request) {
            assert!(told.is_empty(), "{told:?}");
            continue;
        }
        progress.message = progress.message.filter(|_| has_message);
        assert_eq!(told, [Event::Progress { id: id.clone(), progress }]);
    }
}

fn answer(
    client: &mut Connection<Client>,
    server: &mut Connection<Server>,
    said: &Said,
    (id, request): (&RequestId, &RequestId),
    now: Instant,
) {
    let expected = match &said.outcome {
        Outcome::Result { content, structured, is_error } => {
            let mut result = CallToolResult::default();
            result.content = content.iter().map(Block::block).collect();
            result.structured_content = structured.as_deref().map(object);
            result.is_error = *is_error;
            server.respond(request, &result, now).expect("it waits");
            Ok(result)
        }
        Outcome::Error { code, message, data } => {
            let mut error = ErrorObject::new(*code, message.as_str());
            error.data = data.as_ref().map(Scalar::json);
            server.fail(request, &error, now).expect("it waits");
            Err(CallError::Peer(error))
        }
    };
    let told = carry(server, client, now);
    let [Event::Response { id: answered, outcome }] = &told[..] else { panic!("{told:?}") };
    assert_eq!(answered, id);
    let outcome =
        outcome.clone().map(|result| result.decode::<CallToolResult>().expect("our own JSON"));
    assert_eq!(outcome, expected);
}

/// Two sides that have met, and a server that lets every report go.
fn met(revision: Revision, now: Instant) -> (Connection<Client>, Connection<Server>) {
    let config = ServerConfig::new("server", "1").pacing(Pacing::UNLIMITED);
    let capabilities = config.capabilities.clone().logging();
    let config = config.capabilities(capabilities);
    let mut server = Connection::server(config);
    let client = ClientConfig::new("client", "1").revisions(revision).log_level(LogLevel::Info);
    let mut client = Connection::client(client, now);
    for _ in 0..3 {
        carry(&mut client, &mut server, now);
        carry(&mut server, &mut client, now);
    }
    (client, server)
}

/// What the other end makes of what this one writes.
fn carry<A: mcp_proto::role::Role, B: mcp_proto::role::Role>(
    from: &mut Connection<A>,
    to: &mut Connection<B>,
    now: Instant,
) -> Vec<Event> {
    to.handle_input(&take_output(from), now);
    take_events(to)
}

impl Block {
    fn block(&self) -> ContentBlock {
        match self {
            Self::Text(text) => ContentBlock::text(text),
            Self::Image(data, kind) => ContentBlock::image(data, kind),
            Self::Audio(data, kind) => {
                let mut audio = MediaContent::default();
                (audio.data, audio.mime_type) = (data.clone(), kind.clone());
                ContentBlock::Audio(audio)
            }
        }
    }
}

impl Scalar {
    fn json(&self) -> RawJson {
        let json = match self {
            Self::Null => RawJson::of(&()),
            Self::Bool(value) => RawJson::of(value),
            Self::Signed(value) => RawJson::of(value),
            Self::Unsigned(value) => RawJson::of(value),
            Self::Float(value) => RawJson::of(value),
            Self::Text(value) => RawJson::of(value),
        };
        json.expect("scalars have JSON")
    }
}

fn object(members: &[(String, Scalar)]) -> RawJson {
    // The engine's own keys would be refused by the reader, and a name that occurs twice has no order.
    let members = members.iter().filter(|(name, _)| !name.starts_with('$'));
    let members: std::collections::BTreeMap<_, _> =
        members.map(|(name, value)| (name.as_str(), value.json())).collect();
    RawJson::of(&members).expect("names are strings")
}
