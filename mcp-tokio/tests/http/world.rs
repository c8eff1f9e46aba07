//! A server at work on a socket, its tools, and clients of it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use mcp_tokio::http::{self, HttpServer};
use mcp_tokio::{
    CallTool, CallToolResult, Client, ClientConfig, Context, Pacing, Progress, RawJson, Revision,
    Router, Tool, ToolError,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, Semaphore, oneshot};
use tokio::task::JoinHandle;

/// What tests share with the tools that they call.
#[derive(Clone, Default)]
pub(crate) struct Gate {
    pub(crate) entered: Arc<Counter>,
    pub(crate) cancelled: Arc<Counter>,
    pub(crate) open: Arc<Notify>,
}

/// Counts what has happened, so that it can be waited for.
pub(crate) struct Counter(Semaphore);

impl Default for Counter {
    fn default() -> Self {
        Self(Semaphore::new(0))
    }
}

impl Counter {
    fn add(&self) {
        self.0.add_permits(1);
    }

    pub(crate) async fn one_more(&self) {
        self.0.acquire().await.unwrap().forget();
    }
}

/// How many reports `steps` sends.
pub(crate) const STEPS: u32 = 64;

/// `steps` reports each step; `wait` is there until the gate opens or nobody wants it; `slow` reports one half, waits
/// for the gate, and reports the other; `part` sends its client away in the middle; `pour` sends much, for one who reads
/// nothing.
fn router(gate: &Gate) -> Router {
    let schema = || RawJson::parse(r#"{"type":"object"}"#).unwrap();
    let steps = async |ctx: Context, _: Option<RawJson>| {
        for step in 1..=STEPS {
            ctx.progress().report(report(step))?;
        }
        Ok::<_, ToolError>(CallToolResult::text("done"))
    };
    let inside = gate.clone();
    let wait = move |ctx: Context, _: Option<RawJson>| {
        let inside = inside.clone();
        async move {
            let opened = inside.open.notified();
            inside.entered.add();
            tokio::select! {
                () = opened => {}
                () = ctx.cancelled() => inside.cancelled.add(),
            }
            CallToolResult::text("waited")
        }
    };
    let inside = gate.clone();
    let slow = move |ctx: Context, _: Option<RawJson>| {
        let inside = inside.clone();
        async move {
            let opened = inside.open.notified();
            for step in 1..=STEPS / 2 {
                ctx.progress().report(report(step))?;
            }
            inside.entered.add();
            opened.await;
            for step in STEPS / 2 + 1..=STEPS {
                ctx.progress().report(report(step))?;
            }
            Ok::<_, ToolError>(CallToolResult::text("done"))
        }
    };
    let part = async |ctx: Context, _: Option<RawJson>| {
        let mut has_parted = false;
        for step in 1..=STEPS {
            ctx.progress().report(report(step))?;
            has_parted |= step == STEPS / 2 && ctx.close_stream();
        }
        Ok::<_, ToolError>(CallToolResult::text(if has_parted { "parted" } else { "stayed" }))
    };
    let inside = gate.clone();
    let pour = move |ctx: Context, _: Option<RawJson>| {
        let inside = inside.clone();
        async move {
            let message = "x".repeat(10_000);
            for step in 1..=5_000 {
                ctx.progress().report(Progress::new(step.into()).message(message.clone()))?;
            }
            inside.entered.add();
            inside.open.notified().await;
            Ok::<_, ToolError>(CallToolResult::text("done"))
        }
    };
    Router::new("test", "1.0")
        .pacing(Pacing::UNLIMITED)
        .raw_tool(Tool::new("steps", schema()), steps)
        .raw_tool(Tool::new("wait", schema()), wait)
        .raw_tool(Tool::new("slow", schema()), slow)
        .raw_tool(Tool::new("part", schema()), part)
        .raw_tool(Tool::new("pour", schema()), pour)
}

fn report(step: u32) -> Progress {
    Progress::new(step.into()).of(STEPS.into()).message(format!("step {step}"))
}

/// A server, and what ends it.
pub(crate) struct World {
    pub(crate) address: SocketAddr,
    pub(crate) gate: Gate,
    pub(crate) stop: oneshot::Sender<()>,
    pub(crate) task: JoinHandle<io::Result<()>>,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(|server| server).await
    }

    pub(crate) async fn with(set: impl FnOnce(HttpServer) -> HttpServer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        Self::of(set(http::server(listener).unwrap()), address)
    }

    pub(crate) fn of(server: HttpServer, address: SocketAddr) -> Self {
        let gate = Gate::default();
        let router = router(&gate);
        let (stop, stopped) = oneshot::channel::<()>();
        let until = async { drop(stopped.await) };
        let task = tokio::spawn(server.run(router, until));
        Self { address, gate, stop, task }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/mcp", self.address)
    }

    /// Asks the server to stop, and waits until it has.
    pub(crate) async fn end(self) {
        drop(self.stop);
        soon(self.task).await.unwrap().unwrap();
    }
}

pub(crate) async fn connect(url: &str, revision: Revision) -> Client {
    let config = ClientConfig::new("test", "1.0").revisions(revision);
    soon(http::connector().connect(url, config)).await.unwrap()
}

pub(crate) fn call(tool: &'static str) -> CallTool {
    CallTool::new(tool)
}

/// Fails a test that hangs.
pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), future).await.unwrap()
}

/// A call of the modern era by hand, on a connection of its own. The head of the response has not been read.
pub(crate) async fn call_by_hand(address: SocketAddr, tool: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request_by_hand(address, tool).as_bytes()).await.unwrap();
    stream
}

/// The same as a text.
pub(crate) fn request_by_hand(address: SocketAddr, tool: &str) -> String {
    let body = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"{tool}","_meta":{{"progressToken":1,"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{{}}}}}}}}"#
    );
    format!(
        "POST /mcp HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\naccept: application/json, text/event-stream\r\nmcp-protocol-version: 2026-07-28\r\nmcp-method: tools/call\r\nmcp-name: {tool}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// What comes until `text` was there, or the end.
pub(crate) async fn read_until(stream: &mut TcpStream, text: &str) -> String {
    let mut read = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let so_far = String::from_utf8_lossy(&read).into_owned();
        if so_far.contains(text) {
            return so_far;
        }
        match soon(stream.read(&mut buffer)).await.unwrap() {
            0 => return so_far,
            length => read.extend_from_slice(&buffer[..length]),
        }
    }
}
