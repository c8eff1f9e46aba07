//! The same minimal server in every engine, over standard input and output, on one thread where it can be.

use std::convert::Infallible;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::thread;
use std::time::Duration;

use ::rmcp::ServiceExt;
use axum::extract::Request;
use axum::response::IntoResponse;
use axum::serve::ListenerExt;
use mcp_bench::http::{PATH, servers};
use mcp_bench::messages::{INITIALIZED, STEP};
use mcp_bench::tools::{mcp_io, ours, rmcp, stamped};
use mcp_proto::progress::{Pacing, Weight};
use mcp_proto::role::Server;
use mcp_proto::{CallToolResult, Connection, Event, Instant};
use tokio::net::TcpListener;
use tower_service::Service;

fn main() {
    let name = std::env::args().nth(1).unwrap_or_default();
    match name.as_str() {
        "ours" => block_on(serve_ours(Pacing::UNLIMITED)),
        "ours-paced" => block_on(serve_ours(Pacing::default())),
        "ours-blocking" => serve_blocking().expect("open pipes"),
        "rmcp" => block_on(serve_rmcp(::rmcp::transport::stdio())),
        "rmcp-pipes" => block_on(async { serve_rmcp(::rmcp::transport::stdio_pipes()).await }),
        "mcp-io" => {
            mcp_io::tools().serve_stdio().expect("open pipes");
        }
        "http-ours" => block_on(serve_http(servers::serve_ours)),
        "http-ours-in-axum" => {
            block_on(serve_http(|listener| serve_axum(listener, routed(servers::ours()))))
        }
        "http-rmcp" => {
            block_on(serve_http(|listener| serve_axum(listener, routed(servers::rmcp(false)))))
        }
        "http-rmcp-sessions" => {
            block_on(serve_http(|listener| serve_axum(listener, routed(servers::rmcp(true)))))
        }
        "http-axum" => {
            let mut line = String::new();
            io::stdin().read_line(&mut line).expect("an open pipe");
            let answer = serde_json::from_str(&line).expect("an answer");
            block_on(serve_http(|listener| serve_axum(listener, servers::bare(&answer))));
        }
        "raw" => serve_raw().expect("open pipes"),
        _ => panic!(
            "usage: mcp-bench-server ours|ours-paced|ours-blocking|rmcp|rmcp-pipes|mcp-io|raw\
             |http-ours|http-ours-in-axum|http-rmcp|http-rmcp-sessions|http-axum"
        ),
    }
}

fn block_on(serve: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    runtime.block_on(serve);
    // A thread may still wait to read.
    runtime.shutdown_background();
}

async fn serve_ours(pacing: Pacing) {
    let server = mcp_tokio::serve_stdio(ours::config(pacing)).expect("open pipes");
    // In a task of its own: the task that `block_on` polls costs a look at the kernel each time it is woken.
    tokio::spawn(ours::serve(server)).await.expect("no panic");
}

async fn serve_rmcp<R, W>(transport: (R, W))
where
    R: tokio::io::AsyncRead + Send + Unpin + 'static,
    W: tokio::io::AsyncWrite + Send + Unpin + 'static,
{
    let server = rmcp::Tools.serve(transport).await.expect("a handshake");
    let _ = server.waiting().await;
}

/// Serves on a port of this machine, which is said first.
async fn serve_http<F: Future<Output = io::Result<()>>>(serve: impl FnOnce(TcpListener) -> F) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    println!("{}", listener.local_addr().expect("an address"));
    serve(listener).await.expect("a socket that is served");
}

async fn serve_axum(listener: TcpListener, app: axum::Router) -> io::Result<()> {
    axum::serve(listener.tap_io(|stream| drop(stream.set_nodelay(true))), app).await
}

/// A service at the path where clients ask.
fn routed<S>(service: S) -> axum::Router
where
    S: Service<Request, Error = Infallible> + Clone + Send + Sync + 'static,
    S::Response: IntoResponse,
    S::Future: Send + 'static,
{
    axum::Router::new().route_service(PATH, service)
}

/// Standard input and output without the buffers of the standard library.
fn stdio() -> io::Result<(File, File)> {
    let input = io::stdin().as_fd().try_clone_to_owned()?;
    let output = io::stdout().as_fd().try_clone_to_owned()?;
    Ok((input.into(), output.into()))
}

/// This engine without a runtime: it reads, answers, and writes, and has no need of a timer as its tools
/// do their work at once.
fn serve_blocking() -> io::Result<()> {
    let (mut input, mut output) = stdio()?;
    let start = std::time::Instant::now();
    let mut server = Connection::server(ours::config(Pacing::UNLIMITED));
    let mut buffer = vec![0; 64 << 10];
    loop {
        let read = input.read(&mut buffer)?;
        let now = Instant::from(start.elapsed());
        if read == 0 {
            return Ok(());
        }
        server.handle_input(&buffer[..read], now);
        while let Some(event) = server.poll_event() {
            if let Event::Request { id, params, .. } = event {
                let params = params.as_ref();
                let name = params.and_then(|params| params.get("name")?.as_str());
                let result = if name.as_deref() == Some("stamp") {
                    for step in 1..=ours::argument(params, "count").expect("a count") {
                        thread::sleep(Duration::from_millis(1));
                        let (progress, now) = (ours::stamp(step), start.elapsed().into());
                        let sent = server.report(&id, progress, Weight::Ordinary, now);
                        sent.expect("a report that is wanted");
                        write_all(&mut server, &mut output)?;
                    }
                    CallToolResult::text("")
                } else {
                    ours::echo(params)
                };
                server.respond(&id, &result, now).expect("a request that waits");
            }
        }
        write_all(&mut server, &mut output)?;
    }
}

fn write_all(server: &mut Connection<Server>, output: &mut File) -> io::Result<()> {
    while let Some(bytes) = server.poll_transmit() {
        let written = output.write(bytes)?;
        server.advance_transmit(written);
    }
    Ok(())
}

/// The yardstick: reads what is there, answers each line with a line as long as an answer, and writes once.
/// It knows a few lines by their first bytes and understands nothing.
fn serve_raw() -> io::Result<()> {
    let (mut input, mut output) = stdio()?;
    let mut buffer = vec![0; 64 << 10];
    let (mut filled, mut out) = (0, Vec::new());
    let answer = [b"{".as_slice(), &[b'a'; 250], b"}\n"].concat();
    loop {
        let read = input.read(&mut buffer[filled..])?;
        if read == 0 {
            return Ok(());
        }
        filled += read;
        let Some(end) = buffer[..filled].iter().rposition(|byte| *byte == b'\n') else { continue };
        out.clear();
        for line in buffer[..=end].split_inclusive(|byte| *byte == b'\n') {
            match raw_count(line) {
                Some((b'r', count)) => raw_reports(&mut output, count)?,
                Some((_, count)) => raw_stamps(&mut output, count)?,
                None if line == INITIALIZED.as_bytes() => continue,
                None => {}
            }
            out.extend_from_slice(&answer);
        }
        output.write_all(&out)?;
        buffer.copy_within(end + 1..filled, 0);
        filled -= end + 1;
    }
}

/// The kind and the count of `report 100` and `stamp 100`.
fn raw_count(line: &[u8]) -> Option<(u8, usize)> {
    let (kind, count) = std::str::from_utf8(line).ok()?.trim_end().split_once(' ')?;
    matches!(kind, "report" | "stamp").then_some(())?;
    Some((kind.as_bytes()[0], count.parse().ok()?))
}

fn raw_line(step: usize, message: &str) -> String {
    format!(
        "{{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{{\"progressToken\":7,\"progress\":{step},\"total\":100000,\"message\":\"{message}\"}}}}\n"
    )
}

fn raw_reports(output: &mut File, count: usize) -> io::Result<()> {
    let line = raw_line(50_000, STEP);
    let chunk = line.repeat((64 << 10) / line.len());
    let (whole, rest) = (count * line.len() / chunk.len(), count * line.len() % chunk.len());
    for _ in 0..whole {
        output.write_all(chunk.as_bytes())?;
    }
    output.write_all(&chunk.as_bytes()[..rest])
}

fn raw_stamps(output: &mut File, count: usize) -> io::Result<()> {
    for step in 1..=count {
        thread::sleep(Duration::from_millis(1));
        output.write_all(raw_line(step, &stamped()).as_bytes())?;
    }
    Ok(())
}
