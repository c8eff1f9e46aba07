//! rpc-io: its decoder and its writer, and two of its endpoints, which know JSON-RPC but not MCP.

use std::borrow::Cow;
use std::hint::black_box;
use std::io;
use std::sync::{Arc, Mutex};

use rpc_io::jsonx::{self, DecodeError, FromJson, Reader, json};
use rpc_io::{
    Config, Endpoint, ErrorObject, Id, Incoming, Limits, Message, Notification, Raw, Request,
    Router, Sink, decode,
};

use super::Case;
use crate::meter::{Plan, Sample, each, measured};
use mcp_bench::messages::{self, STEP, TAG, TEXT, TOTAL, Values};

pub const CASES: [(&str, Case); 6] = [
    ("rpc-io/progress-ints/decode", |plan| decode_progress(plan, Values::Integers)),
    ("rpc-io/progress-floats/decode", |plan| decode_progress(plan, Values::Floats)),
    ("rpc-io/call/decode", decode_call),
    ("rpc-io/progress/encode", encode_progress),
    ("rpc-io/call/encode", encode_call),
    ("rpc-io/call/echo", echo),
];

struct Progress<'a> {
    token: i64,
    progress: f64,
    total: Option<f64>,
    message: Option<Cow<'a, str>>,
}

impl<'a> FromJson<'a> for Progress<'a> {
    fn from_json(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let (mut token, mut progress, mut total, mut message) = (None, None, None, None);
        let mut object = reader.read_object()?;
        while let Some(key) = object.next_key()? {
            match &*key {
                "progressToken" => object.field(&mut token)?,
                "progress" => object.field(&mut progress)?,
                "total" => object.field(&mut total)?,
                "message" => object.field(&mut message)?,
                _ => object.skip()?,
            }
        }
        Ok(Self {
            token: object.required(token, "progressToken")?,
            progress: object.required(progress, "progress")?,
            total: object.required(total, "total")?,
            message: object.required(message, "message")?,
        })
    }
}

/// The name of a tool, and its arguments as they are.
struct Call<'a> {
    name: Cow<'a, str>,
    arguments: &'a str,
}

impl<'a> FromJson<'a> for Call<'a> {
    fn from_json(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let (mut name, mut arguments) = (None, None);
        let mut object = reader.read_object()?;
        while let Some(key) = object.next_key()? {
            match &*key {
                "name" => object.field(&mut name)?,
                "arguments" => arguments = Some(object.raw()?),
                _ => object.skip()?,
            }
        }
        let name = object.required(name, "name")?;
        Ok(Self { name, arguments: arguments.unwrap_or("{}") })
    }
}

fn decode_progress(plan: &Plan, values: Values) -> Sample {
    let limits = Limits::default();
    let lines = messages::progress("7", values, plan.warm_up + plan.messages);
    each(plan, &lines, |line| {
        let Incoming::Single(Ok(Message::Notification(notification))) =
            decode(line.trim_ascii_end(), &limits)
        else {
            panic!("no notification")
        };
        let params = notification.params.expect("parameters");
        let progress: Progress<'_> = jsonx::from_str(params.as_str()).expect("progress");
        assert!(progress.message.is_some() && progress.total.is_some());
        black_box((progress.token, progress.progress, progress.total, progress.message));
    })
}

fn decode_call(plan: &Plan) -> Sample {
    let limits = Limits::default();
    let lines = messages::calls(plan.warm_up + plan.messages);
    each(plan, &lines, |line| {
        let Incoming::Single(Ok(Message::Request(request))) =
            decode(line.trim_ascii_end(), &limits)
        else {
            panic!("no request")
        };
        let params = request.params.expect("parameters");
        let call: Call<'_> = jsonx::from_str(params.as_str()).expect("a call");
        assert_eq!(call.name, "echo");
        black_box((call.name, call.arguments));
    })
}

/// The parameters are a value already; what is counted makes a message of it.
fn encode_progress(plan: &Plan) -> Sample {
    let values: Vec<_> = (1..=plan.warm_up + plan.messages)
        .map(
            |step| json!({ "progressToken": 7, "progress": step, "total": TOTAL, "message": STEP }),
        )
        .collect();
    let mut out = String::with_capacity(1024);
    each(plan, &values, |value| {
        out.clear();
        let params = Raw::from_value(value);
        let message = Notification::new("notifications/progress", Some(params));
        Message::Notification(message).write(&mut out);
        black_box(&out);
    })
}

fn encode_call(plan: &Plan) -> Sample {
    let value = json!({ "name": "echo", "arguments": { "text": TEXT, "count": 3, "tag": TAG } });
    let ids: Vec<_> = (0..plan.warm_up + plan.messages).map(|n| n as i64 + 10).collect();
    let mut out = String::with_capacity(1024);
    each(plan, &ids, |id| {
        out.clear();
        let params = Raw::from_value(&value);
        let message = Request::new(Id::from(*id), "tools/call", Some(params));
        Message::Request(message).write(&mut out);
        black_box(&out);
    })
}

/// Keeps the last message, for the other side to be given.
#[derive(Clone, Default)]
pub(super) struct Last(Arc<Mutex<String>>);

impl Sink for Last {
    fn send(&mut self, message: &str) -> io::Result<()> {
        let mut last = self.0.lock().expect("one thread");
        last.clear();
        last.push_str(message);
        Ok(())
    }
}

impl Last {
    pub(super) fn carry<S>(&self, to: &mut Endpoint<S, Self>) {
        let message = std::mem::take(&mut *self.0.lock().expect("one thread"));
        to.handle(message.as_bytes()).expect("an open endpoint");
        let mut last = self.0.lock().expect("one thread");
        if last.is_empty() {
            *last = message;
        }
    }

    pub(super) fn take(&self) -> String {
        std::mem::take(&mut *self.0.lock().expect("one thread"))
    }
}

/// A call through both sides, each of which keeps what it sent last for the other.
fn echo(plan: &Plan) -> Sample {
    let router = Router::new().request("tools/call", |_, params, _| {
        let params = params.parse()?;
        let text = params["arguments"]["text"].as_str();
        let text = text.ok_or_else(|| ErrorObject::invalid_params("text is missing"))?;
        Ok(json!({ "content": [{ "type": "text", "text": text }] }).into_owned())
    });
    let (sent, answered) = (Last::default(), Last::default());
    let config = || Config::mcp().with_timer(false);
    let mut server = Endpoint::new(answered.clone(), router, ()).with_config(config());
    let mut client = Endpoint::new(sent.clone(), Router::new(), ()).with_config(config());
    let peer = client.peer();
    let mut run = |count: usize| {
        for _ in 0..count {
            let params =
                json!({ "name": "echo", "arguments": { "text": TEXT, "count": 3, "tag": TAG } });
            let call = peer.request("tools/call", params).expect("an open endpoint");
            sent.carry(&mut server);
            answered.carry(&mut client);
            let Ok(Ok(result)) = call.try_wait() else { panic!("no response") };
            let result = result.parse().expect("JSON");
            assert_eq!(result["content"][0]["text"].as_str(), Some(TEXT));
            black_box(result);
        }
    };
    run(plan.warm_up);
    measured(plan.messages, || run(plan.messages))
}
