//! Faults of HTTP on every adapter: servers and clients that are gone, connections that are cut, readers that stop.
#![cfg(unix)]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_channel::{Receiver, Sender, unbounded};
use bytes::Bytes;
use mcp_proto::http::{ClientOptions, Replay, Ring, StreamName};
use mcp_proto::net::prelude::*;
use mcp_proto::progress::Pacing;
use mcp_proto::{CallError, HttpError};
use mcp_runtimes_tests::{Cable, Site, Web, apart, on_every_adapter, spawn, until};

/// How many reports `steps` and `slow` send.
const STEPS: u32 = 64;

/// What tests share with the tools that they call.
struct Gate {
    /// One for each call of `wait`, `slow` or `pour` that has come as far as it can.
    entered: Receiver<()>,
    /// One for each call of `wait` that was cancelled.
    cancelled: Receiver<()>,
    /// What is sent here lets one of them go on.
    open: Sender<()>,
}

/// `steps` reports each step; `wait` is there until the gate opens or nobody wants it; `slow` reports one half, waits for
/// the gate, and reports the other; `pour` reports more than any buffer holds, and waits for the gate.
fn router() -> (Router, Gate) {
    let ((enter, entered), (cancel, cancelled), (open, opened)) =
        (unbounded(), unbounded(), unbounded::<()>());
    let schema = || RawJson::parse(r#"{"type":"object"}"#).unwrap();
    let steps = async |ctx: Context, _: Option<RawJson>| {
        report(&ctx, 1..=STEPS)?;
        Ok::<_, ToolError>(CallToolResult::text("done"))
    };
    let (enters, opens): (Sender<()>, _) = (enter.clone(), opened.clone());
    let wait = move |ctx: Context, _: Option<RawJson>| {
        let (enter, cancel, opened) = (enters.clone(), cancel.clone(), opens.clone());
        async move {
            enter.send(()).await.unwrap();
            if ctx.unless_cancelled(opened.recv()).await.is_none() {
                cancel.send(()).await.unwrap();
            }
            CallToolResult::text("waited")
        }
    };
    let (enters, opens) = (enter.clone(), opened.clone());
    let slow = move |ctx: Context, _: Option<RawJson>| {
        let (enter, opened) = (enters.clone(), opens.clone());
        async move {
            report(&ctx, 1..=STEPS / 2)?;
            enter.send(()).await.unwrap();
            opened.recv().await.unwrap();
            report(&ctx, STEPS / 2 + 1..=STEPS)?;
            Ok::<_, ToolError>(CallToolResult::text("done"))
        }
    };
    let pour = move |ctx: Context, _: Option<RawJson>| {
        let (enter, opened) = (enter.clone(), opened.clone());
        async move {
            let message = "x".repeat(10_000);
            for step in 1..=2_000 {
                ctx.progress().report(Progress::new(step.into()).message(message.clone()))?;
            }
            enter.send(()).await.unwrap();
            opened.recv().await.unwrap();
            Ok::<_, ToolError>(CallToolResult::text("done"))
        }
    };
    let router = Router::new("test", "1.0")
        .pacing(Pacing::UNLIMITED)
        .raw_tool(Tool::new("steps", schema()), steps)
        .raw_tool(Tool::new("wait", schema()), wait)
        .raw_tool(Tool::new("slow", schema()), slow)
        .raw_tool(Tool::new("pour", schema()), pour);
    (router, Gate { entered, cancelled, open })
}

fn report(ctx: &Context, steps: impl Iterator<Item = u32>) -> Result<(), ToolError> {
    for step in steps {
        ctx.progress().report(Progress::new(step.into()).of(STEPS.into()))?;
    }
    Ok(())
}

/// A client that comes back soon, and tries so often.
async fn client<H: Web>(address: SocketAddr, revision: Revision, max_tries: u32) -> Client {
    let mut options = ClientOptions::default();
    options.max_tries = max_tries;
    options.retry_bounds.0 = Duration::from_millis(10);
    (options.first_wait, options.longest_wait) = (options.retry_bounds.0, options.retry_bounds.0);
    let config = ClientConfig::new("test", "1.0").revisions(revision);
    let connector = H::connector().options(options);
    connector.connect(&format!("http://{address}/mcp"), config).await.unwrap()
}

/// The reports of a call that ends well, and which of them is to do something.
async fn steps(
    client: &Client,
    tool: &'static str,
    mut at: impl FnMut(f64) + Send,
) -> Result<Vec<f64>, CallError> {
    let mut seen = Vec::new();
    let call = client.call(CallTool::new(tool)).delivery(Delivery::Every).on_progress(|report| {
        seen.push(report.progress);
        at(report.progress);
    });
    let result: CallToolResult = call.await?;
    assert_eq!(result.content[0].as_text(), Some("done"));
    Ok(seen)
}

fn all() -> Vec<f64> {
    (1..=STEPS).map(f64::from).collect()
}

async fn a_server_that_is_gone_in_the_middle_ends_each_call_with_its_reason<H: Web>() {
    let (router, gate) = router();
    let site = Site::with::<H>(router, |server| server);
    for revision in [Revision::V2025_06_18, Revision::V2025_11_25, Revision::V2026_07_28] {
        let cable = Cable::to(site.address);
        let client = client::<H>(cable.address, revision, 3).await;
        let calls = [(); 3].map(|()| spawn(&H::platform(), client.call(CallTool::new("wait"))));
        for _ in &calls {
            gate.entered.recv().await.unwrap();
        }
        cable.cut();
        for call in calls {
            let error = call.join().await.unwrap_err();
            assert!(matches!(error, CallError::Http(_)), "{revision}: {error:?}");
        }
        // Nobody is there for the next either.
        let error = client.call(CallTool::new("wait")).await.unwrap_err();
        assert!(
            matches!(error, CallError::Http(_) | CallError::Closed(_)),
            "{revision}: {error:?}"
        );
    }
    // In the modern era hanging up cancels; before, the work goes on for who may come back.
    for _ in 0..3 {
        gate.cancelled.recv().await.unwrap();
    }
    assert!(gate.cancelled.is_empty());
    for _ in 0..6 {
        gate.open.send(()).await.unwrap();
    }
    until(|| gate.open.len(), || gate.open.is_empty()).await;
    assert!(gate.cancelled.is_empty());
    site.stop().await;
}

/// A store that counts how often somebody comes back.
#[derive(Clone)]
struct Shelf(Arc<Mutex<Ring>>, Arc<AtomicUsize>);

impl Shelf {
    fn of(kept: usize) -> Self {
        let ring = Ring::new(kept, 1 << 20, 1 << 20);
        Self(Arc::new(Mutex::new(ring)), Arc::default())
    }
}

impl Replay for Shelf {
    fn keep(&mut self, stream: StreamName, position: u64, message: &Bytes) {
        self.0.lock().unwrap().keep(stream, position, message);
    }

    fn behind(&self, stream: StreamName, position: u64) -> Vec<Bytes> {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.lock().unwrap().behind(stream, position)
    }

    fn complete(&mut self, stream: StreamName) {
        self.0.lock().unwrap().complete(stream);
    }

    fn forget(&mut self, stream: StreamName) {
        self.0.lock().unwrap().forget(stream);
    }

    fn boxed(&self) -> Box<dyn Replay> {
        Box::new(self.clone())
    }
}

async fn a_connection_that_is_cut_in_the_middle_loses_no_report<H: Web>() {
    for (kept, is_whole) in [(64, true), (4, false)] {
        let ((router, gate), shelf) = (router(), Shelf::of(kept));
        let store = shelf.clone();
        let site = Site::with::<H>(router, |server| server.replay(store));
        let cable = Cable::to(site.address);
        let client = client::<H>(cable.address, Revision::V2025_11_25, 1_000).await;
        // Half is there, and the rest is sent, and lost on its way.
        let calling = steps(&client, "slow", |step| {
            if step == f64::from(STEPS / 2) {
                cable.swallow();
                gate.open.try_send(()).unwrap();
            }
        });
        let mending = async {
            until(|| "not all is said", || cable.has_swallowed("\"result\"")).await;
            cable.cut();
            cable.mend();
        };
        let (called, ()) = futures_lite::future::zip(calling, mending).await;
        match called {
            Ok(seen) => assert!(is_whole && seen == all(), "{seen:?}"),
            Err(error) => assert_eq!((error, is_whole), (CallError::Http(HttpError::Cut), false)),
        }
        assert_eq!(shelf.1.load(Ordering::Relaxed), 1, "the store was asked");
        drop(client);
        site.stop().await;
    }
}

async fn one_who_reads_nothing_delays_nobody_else<H: Web>() {
    let (router, gate) = router();
    let site = Site::with::<H>(router, |server| server);
    let mut stalled = call_by_hand(site.address, "pour");
    gate.entered.recv().await.unwrap();
    for revision in [Revision::V2025_11_25, Revision::V2026_07_28] {
        let client = site.client::<H>(revision).await;
        assert_eq!(steps(&client, "steps", |_| ()).await.unwrap(), all());
    }
    gate.open.send(()).await.unwrap();
    let read = apart(move || {
        let (mut read, mut buffer) = (Vec::new(), [0; 1 << 16]);
        while !read.windows(8).any(|part| part == b"\"result\"") {
            match stalled.read(&mut buffer).unwrap() {
                0 => break,
                len => read.extend_from_slice(&buffer[..len]),
            }
        }
        String::from_utf8(read).unwrap()
    })
    .await;
    assert!(read.contains("\"progress\":2000,") && read.contains("\"result\""), "{}", read.len());
    site.stop().await;
}

/// A call of the modern era by hand, on a connection of its own. Nothing of the response is read.
fn call_by_hand(address: SocketAddr, tool: &str) -> TcpStream {
    let body = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"{tool}","_meta":{{"progressToken":1,"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{{}}}}}}}}"#
    );
    let mut stream = TcpStream::connect(address).unwrap();
    write!(
        stream,
        "POST /mcp HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\naccept: application/json, text/event-stream\r\nmcp-protocol-version: 2026-07-28\r\nmcp-method: tools/call\r\nmcp-name: {tool}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    stream
}

async fn a_client_that_is_gone_cancels_in_the_modern_era<H: Web>() {
    let (router, gate) = router();
    let site = Site::with::<H>(router, |server| server);
    let stream = call_by_hand(site.address, "wait");
    gate.entered.recv().await.unwrap();
    drop(stream);
    gate.cancelled.recv().await.unwrap();
    // A call that is given up is cancelled in every revision.
    for revision in [Revision::V2025_03_26, Revision::V2025_11_25, Revision::V2026_07_28] {
        let client = site.client::<H>(revision).await;
        let calling = client.call(CallTool::new("wait"));
        let leaving = async {
            gate.entered.recv().await.unwrap();
            None
        };
        let ended = futures_lite::future::or(async { Some(calling.await) }, leaving).await;
        assert!(ended.is_none(), "{revision}: {ended:?}");
        gate.cancelled.recv().await.unwrap();
    }
    site.stop().await;
}

async fn a_server_that_stops_finishes_what_is_under_way_within_its_limit<H: Web>() {
    for revision in [Revision::V2025_11_25, Revision::V2026_07_28] {
        let (router, gate) = router();
        let site = Site::with::<H>(router, |server| server);
        let client = site.client::<H>(revision).await;
        let address = site.address;
        let stopping = async {
            gate.entered.recv().await.unwrap();
            site.tell();
            // The socket is closed first of all.
            while TcpStream::connect(address).is_ok() {
                futures_lite::future::yield_now().await;
            }
            gate.open.send(()).await.unwrap();
        };
        let calling = steps(&client, "slow", |_| ());
        let (called, ()) = futures_lite::future::zip(calling, stopping).await;
        assert_eq!(called.unwrap(), all(), "{revision}");
        site.stop().await;
    }
    for revision in [Revision::V2025_11_25, Revision::V2026_07_28] {
        let (router, gate) = router();
        let site = Site::with::<H>(router, |server| server.grace(Duration::ZERO));
        let client = client::<H>(site.address, revision, 3).await;
        let calling = spawn(&H::platform(), client.call(CallTool::new("wait")));
        gate.entered.recv().await.unwrap();
        site.stop().await;
        // Its handler is told, or is gone with all that it held.
        let _ = gate.cancelled.recv().await;
        // As a last word, if there is time for one.
        let error = calling.join().await.unwrap_err();
        assert!(matches!(error, CallError::Peer(_) | CallError::Http(_)), "{error:?}");
    }
}

on_every_adapter!(
    a_server_that_is_gone_in_the_middle_ends_each_call_with_its_reason,
    a_connection_that_is_cut_in_the_middle_loses_no_report,
    one_who_reads_nothing_delays_nobody_else,
    a_client_that_is_gone_cancels_in_the_modern_era,
    a_server_that_stops_finishes_what_is_under_way_within_its_limit,
);
