//! A server of `mcp-tokio` with the reference application as a router.

use std::sync::{Arc, Mutex, MutexGuard};

use mcp_proto::driver::{Incoming, Server};

use mcp_proto::router::{Context, Router, ToolError, ToolInfo};
use mcp_proto::{CloseReason, Progress, RawJson, RequestId, Revision};
use mcp_tests::bad_input::observed::Handled;
use mcp_tests::bad_input::reference::{Answer, Outcome, serve, tools};

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};

/// What the handlers of a server have seen.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<Handled>>>);

impl Log {
    /// Everything so far.
    pub fn lock(&self) -> MutexGuard<'_, Vec<Handled>> {
        self.0.lock().unwrap()
    }

    fn with(&self, id: &RequestId, change: impl FnOnce(&mut Handled)) {
        if let Some(handled) = self.lock().iter_mut().rev().find(|handled| handled.id == *id) {
            change(handled);
        }
    }
}

/// A server at work.
pub struct Served {
    asks: mpsc::UnboundedSender<oneshot::Sender<(usize, Option<Revision>)>>,
    /// Why it ended, once it has.
    pub closed: Arc<Mutex<Option<CloseReason>>>,
}

/// Answers what a server hears.
pub fn start(mut server: Server, log: Log) -> Served {
    let router = router(&log);
    let (asks, mut asked) = mpsc::unbounded_channel::<oneshot::Sender<_>>();
    let closed = Arc::new(Mutex::new(None));
    let reason = closed.clone();
    tokio::spawn(async move {
        loop {
            tokio::select! {
                biased;
                incoming = server.accept() => match incoming {
                    Some(incoming) => { handle(&router, incoming, &log); }
                    None => break,
                },
                Some(answer) = asked.recv() => {
                    let peer = server.peer().map(|peer| peer.revision);
                    let _ = oneshot::Sender::send(answer, (server.requests_in_flight(), peer));
                }
            }
        }
        *reason.lock().unwrap() = Some(server.closed().await);
        drop(asked);
    });
    Served { asks, closed }
}

impl Served {
    /// Waits until it has ended.
    pub async fn end(self) -> CloseReason {
        // Nobody hears what is asked then.
        self.asks.closed().await;
        self.closed.lock().unwrap().clone().unwrap_or(CloseReason::Local)
    }

    /// Requests that wait for an answer, and the revision of the session; nothing once it has ended.
    pub async fn look(&self) -> Option<(usize, Option<Revision>)> {
        let (answer, answered) = oneshot::channel();
        self.asks.send(answer).ok()?;
        answered.await.ok()
    }
}

/// Tools go to the router; what it has no handlers for, resources and prompts, to the application itself.
fn handle(router: &Router, incoming: Incoming, log: &Log) {
    let id = incoming.id().clone();
    let method = incoming.method().to_owned();
    log.lock().push(Handled {
        id: id.clone(),
        method: method.clone(),
        ran: None,
        is_slow: false,
        cancelled: 0,
    });
    // A router has no way to ask what the client can do.
    let asks_client = incoming.raw_params().is_some_and(|params| {
        params
            .get("name")
            .and_then(|name| name.as_str())
            .is_some_and(|name| name.starts_with("needs_"))
    });
    if method.starts_with("tools/") && !asks_client {
        tokio::spawn(router.handle(incoming));
        return;
    }
    let Outcome { answer, ran } = serve(&method, incoming.raw_params(), incoming.revision());
    log.with(&id, |handled| handled.ran = ran);
    // Every refusal to answer means that nobody waits for it any more.
    let _ = match answer {
        Answer::Result(result) => incoming.respond(&result),
        Answer::Error(error) => incoming.fail(&error),
        Answer::Slow | Answer::Count(_) => incoming.reject_unknown(),
    };
}

#[derive(Deserialize, JsonSchema)]
struct Echo {
    text: String,
}

#[derive(Deserialize, JsonSchema)]
struct Count {
    n: u32,
}

#[derive(Deserialize, JsonSchema)]
struct Route {
    region: String,
    shard: String,
}

fn router(log: &Log) -> Router {
    let ran = |name: &'static str| {
        let log = log.clone();
        move |ctx: &Context| log.with(ctx.id(), |handled| handled.ran = Some(name.to_owned()))
    };
    let (echoed, counted, routed, raw) = (ran("echo"), ran("count"), ran("route"), ran("raw"));
    let (slow, observed) = (log.clone(), log.clone());
    let info = |name: &str| {
        let listed = tools().into_iter().find(|tool| tool["name"] == name);
        let schema =
            listed.map_or_else(|| json!({ "type": "object" }), |tool| tool["inputSchema"].clone());
        ToolInfo::new(name).into_tool(RawJson::of(&schema).unwrap(), None)
    };
    Router::new("reference", "1")
        .tool("echo", "says it again", move |ctx: Context, args: Echo| {
            echoed(&ctx);
            async move { args.text }
        })
        .tool("count", "reports so many steps", move |ctx: Context, args: Count| {
            counted(&ctx);
            async move {
                for step in 1..=args.n {
                    ctx.progress().report(Progress::new(f64::from(step)).of(f64::from(args.n)))?;
                }
                Ok::<_, ToolError>("counted")
            }
        })
        .tool("route", "says where", move |ctx: Context, args: Route| {
            routed(&ctx);
            async move { format!("{}/{}", args.region, args.shard) }
        })
        .raw_tool(info("raw"), move |ctx: Context, args: Option<RawJson>| {
            raw(&ctx);
            async move { args.unwrap_or_else(RawJson::empty_object).as_str().to_owned() }
        })
        .raw_tool(info("slow"), move |ctx: Context, _: Option<RawJson>| {
            let log = slow.clone();
            log.with(ctx.id(), |handled| handled.is_slow = true);
            async move {
                ctx.cancelled().await;
                log.with(ctx.id(), |handled| handled.cancelled += 1);
            }
        })
        .raw_tool(info(OBSERVED), move |ctx: Context, _: Option<RawJson>| {
            let log = observed.clone();
            async move { text_of(&log, ctx.id()) }
        })
}

/// A tool that tells what the handlers have seen: for a server in another process.
pub const OBSERVED: &str = "observed";

fn text_of(log: &Log, own: &RequestId) -> String {
    let rows = log.lock();
    let rows = rows.iter().filter(|handled| handled.id != *own);
    let row = |handled: &Handled| {
        json!([handled.id, handled.method, handled.ran, handled.is_slow, handled.cancelled])
    };
    Value::Array(rows.map(row).collect()).to_string()
}

/// What [`OBSERVED`] told.
pub fn read_observed(text: &str) -> Vec<Handled> {
    let rows: Vec<(Value, String, Option<String>, bool, usize)> =
        serde_json::from_str(text).unwrap();
    let id = |id: Value| match id {
        Value::String(text) => text.into(),
        number => number.as_i64().map_or_else(|| number.to_string().into(), RequestId::from),
    };
    let handled = |(own, method, ran, is_slow, cancelled)| Handled {
        id: id(own),
        method,
        ran,
        is_slow,
        cancelled,
    };
    rows.into_iter().map(handled).collect()
}
