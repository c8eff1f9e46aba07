//! Whoever is slow holds the handler that reports to them, from socket to handler and from listener to handler, over HTTP/1.1 and
//! HTTP/2, on every adapter; and loses nothing.
#![cfg(unix)]

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context as Task, Poll, Waker};

use futures_lite::future::poll_once;
use mcp_proto::driver::Transport;
use mcp_proto::net::{Stream, http as net, prelude::*};
use mcp_runtimes_tests::tools::{all, reports, tools};
use mcp_runtimes_tests::{Ends, Site, Web, idle, on_every_adapter, small_sockets, until};

/// Reports, and letters in each: more than all buffers and windows on the way hold.
const REPORTS: usize = 2_500;
const LETTERS: usize = 3_000;

/// Among other tools one that waits for the delivery of each of its reports, and how many were delivered.
fn holding() -> (Router, Arc<AtomicUsize>) {
    let told = Arc::new(AtomicUsize::new(0));
    let tells = told.clone();
    let tool = move |ctx: Context, _: Option<RawJson>| {
        let tells = tells.clone();
        async move {
            for step in 1..=REPORTS {
                let report = Progress::new(step as f64).message("x".repeat(LETTERS));
                ctx.progress().milestone(report)?;
                ctx.progress().delivered().await;
                tells.fetch_add(1, Ordering::Relaxed);
            }
            Ok::<_, ToolError>(CallToolResult::text("done"))
        }
    };
    let schema = RawJson::parse(r#"{"type":"object"}"#).unwrap();
    (tools().0.raw_tool(Tool::new("hold", schema), tool), told)
}

/// Lets what is read through, or does not.
#[derive(Clone, Default)]
struct Valve(Arc<Mutex<Shut>>);

#[derive(Default)]
struct Shut {
    is_shut: bool,
    waits: Option<Waker>,
}

impl Valve {
    fn shut(&self) {
        self.0.lock().unwrap().is_shut = true;
    }

    fn open(&self) {
        let mut shut = self.0.lock().unwrap();
        shut.is_shut = false;
        if let Some(waker) = shut.waits.take() {
            waker.wake();
        }
    }
}

/// A stream behind a valve.
struct Valved(Stream, Valve);

impl Transport for Valved {
    type Error = io::Error;

    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Task<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut shut = self.1.0.lock().unwrap();
        if shut.is_shut {
            shut.waits = Some(cx.waker().clone());
            return Poll::Pending;
        }
        drop(shut);
        Pin::new(&mut self.0).poll_read(cx, buf)
    }

    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Task<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Task<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Task<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_close(cx)
    }
}

/// How many reports were delivered when no more are.
async fn held(told: &AtomicUsize) -> usize {
    let count = || told.load(Ordering::Relaxed);
    until(|| "nothing is delivered", || count() > 0).await;
    let (mut last, mut still) = (0, 0);
    while still < 5 {
        idle().await;
        let now = count();
        still = if now == last { still + 1 } else { 0 };
        last = now;
    }
    last
}

/// Who stops.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Stops {
    /// Nothing is read from the connection any more.
    Connection,
    /// The call is not polled any more.
    Listener,
}

/// Calls, and one of them stops until the handler is held; then goes on.
async fn stops_and_goes_on<H: Web>(stops: Stops) {
    for is_http2 in [false, true] {
        let ((router, told), valve) = (holding(), Valve::default());
        let (near, far) = small_sockets();
        let near = Stream::new(Valved(H::stream(near), valve.clone()));
        let site = Site::on::<H>(Ends::of([H::stream(far)]), router);
        let connector = net::Connector::new(Ends::on(H::platform(), [near]));
        let connector = if is_http2 { connector.http2() } else { connector };
        let config = ClientConfig::new("test", "1.0").revisions(Revision::V2026_07_28);
        let client = connector.connect("http://localhost/mcp", config).await.unwrap();

        let mut seen = Vec::new();
        let listener = |report: Progress| {
            seen.push(report.progress);
            assert_eq!(report.message.unwrap().len(), LETTERS);
        };
        let call = client.call(CallTool::new("hold")).delivery(Delivery::Every);
        let mut call = Box::pin(call.on_progress(listener).into_future());
        if stops == Stops::Connection {
            valve.shut();
        }
        let at_once = poll_once(call.as_mut()).await;
        assert!(at_once.is_none(), "{at_once:?}, HTTP/2: {is_http2}");
        let count = held(&told).await;
        assert!(count < REPORTS / 2, "{count} reports are delivered, HTTP/2: {is_http2}");
        valve.open();
        let result = call.as_mut().await.unwrap();
        drop(call);
        assert_eq!(result.content[0].as_text(), Some("done"));
        let all: Vec<_> = (1..=REPORTS).map(|step| step as f64).collect();
        assert!(seen == all, "{} of {REPORTS} were seen", seen.len());
        drop(client);
        site.stop().await;
    }
}

async fn a_client_that_does_not_read_holds_its_handler_and_loses_nothing_over_http<H: Web>() {
    stops_and_goes_on::<H>(Stops::Connection).await;
}

async fn a_listener_that_stops_holds_the_handler_at_the_other_end_and_loses_nothing<H: Web>() {
    stops_and_goes_on::<H>(Stops::Listener).await;
}

/// More than the default window of a connection of HTTP/2 has room for.
const LISTENERS: usize = 3;

async fn listeners_that_stop_hold_back_no_other_call<H: Web>() {
    for is_http2 in [false, true] {
        let (router, told) = holding();
        let site = Site::with::<H>(router, |server| server);
        let connector = if is_http2 { H::connector().http2() } else { H::connector() };
        let config = ClientConfig::new("test", "1.0").revisions(Revision::V2026_07_28);
        let client = connector.connect(&site.url(), config).await.unwrap();
        let mut stopped: Vec<_> = (0..LISTENERS)
            .map(|_| client.call(CallTool::new("hold")).delivery(Delivery::Every))
            .collect();
        for call in &mut stopped {
            assert_eq!(call.next_progress().await.unwrap().progress, 1.0);
        }
        let count = held(&told).await;
        assert!(count < LISTENERS * REPORTS, "{count} reports are delivered, HTTP/2: {is_http2}");
        assert_eq!(reports(&client, "steps", |_| ()).await, Ok(all("done")));
        assert!(told.load(Ordering::Relaxed) < LISTENERS * REPORTS);
        for mut call in stopped {
            let mut seen = 1;
            while let Some(report) = call.next_progress().await {
                seen += 1;
                assert_eq!(report.progress, f64::from(seen));
            }
            assert_eq!(seen as usize, REPORTS);
            assert_eq!(call.await.unwrap().content[0].as_text(), Some("done"));
        }
        drop(client);
        site.stop().await;
    }
}

on_every_adapter!(
    listeners_that_stop_hold_back_no_other_call,
    a_client_that_does_not_read_holds_its_handler_and_loses_nothing_over_http,
    a_listener_that_stops_holds_the_handler_at_the_other_end_and_loses_nothing,
);
