//! The reference application as a router on the driver's handles, for a server on any runtime.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mcp_proto::driver::Incoming;
use mcp_proto::router::{Context, Router, ToolError, ToolInfo};
use mcp_proto::{Progress, RawJson, RequestId, Revision};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::observed::Handled;
use super::reference::{Answer, Outcome, serve, tools};

/// What the handlers of a server have seen.
#[derive(Clone, Debug, Default)]
pub struct Log(Arc<Mutex<Vec<Handled>>>);

impl Log {
    /// Everything so far.
    pub fn lock(&self) -> MutexGuard<'_, Vec<Handled>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with(&self, id: &RequestId, change: impl FnOnce(&mut Handled)) {
        if let Some(handled) = self.lock().iter_mut().rev().find(|handled| handled.id == *id) {
            change(handled);
        }
    }
}

/// Tools go to the router, whose work is what comes back; what it has no handlers for, resources and prompts, to the application
/// itself.
pub fn handle(
    router: &Router,
    incoming: Incoming,
    log: &Log,
) -> Option<impl Future<Output = ()> + Send + use<>> {
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
        return Some(router.handle(incoming));
    }
    let Outcome { answer, ran } = serve(&method, incoming.raw_params(), incoming.revision());
    log.with(&id, |handled| handled.ran = ran);
    // Every refusal to answer means that nobody waits for it any more.
    let _ = match answer {
        Answer::Result(result) => incoming.respond(&result),
        Answer::Error(error) => incoming.fail(&error),
        Answer::Slow | Answer::Count(_) => incoming.reject_unknown(),
    };
    None
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

/// The tools of the reference application. What they see is written down.
pub fn router(log: &Log) -> Router {
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
            async move { text_of(&log, ctx.id(), ctx.revision()) }
        })
}

/// A tool that tells what the handlers have seen, and in which revision it was asked: for a server in another process.
pub const OBSERVED: &str = "observed";

fn text_of(log: &Log, own: &RequestId, revision: Revision) -> String {
    let rows = log.lock();
    let rows = rows.iter().filter(|handled| handled.id != *own);
    let row = |handled: &Handled| {
        json!([handled.id, handled.method, handled.ran, handled.is_slow, handled.cancelled])
    };
    json!([revision.as_str(), rows.map(row).collect::<Vec<_>>()]).to_string()
}

/// What [`OBSERVED`] told.
pub fn read_observed(text: &str) -> (Option<Revision>, Vec<Handled>) {
    type Row = (Value, String, Option<String>, bool, usize);
    let (revision, rows): (String, Vec<Row>) = serde_json::from_str(text).unwrap();
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
    (Revision::parse(&revision), rows.into_iter().map(handled).collect())
}
