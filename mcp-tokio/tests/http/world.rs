//! A server at work, its tools, and requests to it by hand.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use mcp_tokio::http::HttpServer;
use mcp_tokio::{CallTool, CallToolResult, Context, Pacing, Progress, RawJson, Router, Tool};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::sync::{Notify, Semaphore, oneshot};
use tokio::task::JoinHandle;

/// What tests share with the tools that they call.
#[derive(Clone, Default)]
pub(crate) struct Gate {
    pub(crate) entered: Arc<Counter>,
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
    pub(crate) async fn one_more(&self) {
        self.0.acquire().await.unwrap().forget();
    }
}

/// Bytes of a large answer, about.
pub(crate) const LARGE: usize = 100_000;

/// `wait` is there until the gate opens or nobody wants it; `tell` reports three times before that, once at length; `small`
/// and `large` answer at once.
fn router(gate: &Gate) -> Router {
    let inside = gate.clone();
    let wait = move |ctx: Context, _: Option<RawJson>| {
        let inside = inside.clone();
        async move {
            let opened = inside.open.notified();
            inside.entered.0.add_permits(1);
            tokio::select! {
                () = opened => {}
                () = ctx.cancelled() => {}
            }
            CallToolResult::text("waited")
        }
    };
    let waits = wait.clone();
    let tell = move |ctx: Context, arguments: Option<RawJson>| {
        let waits = waits.clone();
        async move {
            for (step, len) in [(1, 10), (2, LARGE), (3, 10)] {
                let report = Progress::new(step.into()).message("x".repeat(len));
                let _ = ctx.progress().report(report);
            }
            waits(ctx, arguments).await
        }
    };
    let small = async |_: Context, _: Option<RawJson>| CallToolResult::text("done");
    let large = async |_: Context, _: Option<RawJson>| CallToolResult::text("x".repeat(LARGE));
    let schema = || RawJson::parse(r#"{"type":"object"}"#).unwrap();
    Router::new("test", "1.0")
        .pacing(Pacing::UNLIMITED)
        .raw_tool(Tool::new("wait", schema()), wait)
        .raw_tool(Tool::new("tell", schema()), tell)
        .raw_tool(Tool::new("small", schema()), small)
        .raw_tool(Tool::new("large", schema()), large)
}

/// A server, and what ends it.
pub(crate) struct World {
    pub(crate) address: SocketAddr,
    pub(crate) gate: Gate,
    stop: oneshot::Sender<()>,
    task: JoinHandle<io::Result<()>>,
}

impl World {
    pub(crate) fn of(server: HttpServer, address: SocketAddr) -> Self {
        let gate = Gate::default();
        let router = router(&gate);
        let (stop, stopped) = oneshot::channel::<()>();
        let until = async { drop(stopped.await) };
        let task = tokio::spawn(server.run(router, until));
        Self { address, gate, stop, task }
    }

    /// Asks the server to stop, and waits until it has.
    pub(crate) async fn end(self) {
        drop(self.stop);
        soon(self.task).await.unwrap().unwrap();
    }
}

pub(crate) fn call(tool: &'static str) -> CallTool {
    CallTool::new(tool)
}

/// Fails a test that hangs.
pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), future).await.unwrap()
}

/// A call of the modern era, as a request.
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
