//! No runtime at all: a client and a server on plain threads with blocking pipes.
//!
//! `cargo run -p mcp-proto --example no_runtime`
#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // outside the engine, clocks are fine

use std::error::Error;
use std::io::{PipeReader, PipeWriter, Read, Write, pipe};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant as Clock};

use mcp_proto::progress::Weight;
use mcp_proto::role::Role;
use mcp_proto::{
    CallOptions, CallTool, CallToolResult, ClientConfig, Connection, ErrorObject, Event, Instant,
    Progress, ServerConfig, Timeouts,
};

fn main() -> Result<(), Box<dyn Error>> {
    run(&mut std::io::stdout())
}

/// Connects the two with pipes, as a parent and its child would be.
pub(crate) fn run(out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    let (from_client, to_server) = pipe()?;
    let (from_server, to_client) = pipe()?;
    let server =
        thread::spawn(move || serve(from_client, to_client).map_err(|error| error.to_string()));
    client(from_server, to_server, out)?;
    server.join().map_err(|_| "the server panicked")??;
    Ok(())
}

fn client(
    from_server: PipeReader,
    mut to_server: PipeWriter,
    out: &mut impl Write,
) -> Result<(), Box<dyn Error>> {
    let start = Clock::now();
    let now = || Instant::from(start.elapsed());
    let chunks = read_in_a_thread(from_server);

    let mut conn = Connection::client(ClientConfig::new("resize-cli", "1.0"), now());
    let patience =
        Timeouts::default().idle(Duration::from_secs(10)).total(Duration::from_secs(300));
    let options = CallOptions::default().tracked().timeouts(patience);
    let ticket = conn.request(&CallTool::new("resize").argument("width", 800), options, now())?;

    loop {
        while let Some(event) = conn.poll_event() {
            match event {
                Event::Progress { progress, .. } => {
                    writeln!(out, "{} of {:?}", progress.progress, progress.total)?
                }
                Event::Response { id, outcome } if id == *ticket.id() => {
                    let result = ticket.decode(outcome)?;
                    writeln!(
                        out,
                        "{}",
                        result
                            .content
                            .first()
                            .and_then(|block| block.as_text())
                            .unwrap_or_default()
                    )?;
                    return Ok(());
                }
                Event::Closed(reason) => return Err(reason.into()),
                _ => {}
            }
        }
        while let Some(bytes) = conn.poll_transmit() {
            let written = to_server.write(bytes)?;
            conn.advance_transmit(written);
        }
        wait(&mut conn, &chunks, now);
    }
}

fn serve(from_client: PipeReader, mut to_client: PipeWriter) -> Result<(), Box<dyn Error>> {
    let start = Clock::now();
    let now = || Instant::from(start.elapsed());
    let chunks = read_in_a_thread(from_client);
    let mut conn = Connection::server(ServerConfig::new("image-server", "1.0"));
    loop {
        while let Some(event) = conn.poll_event() {
            match event {
                Event::Request { id, method, .. } if method == "tools/call" => {
                    for (done, image) in (1_u8..).zip(["a.png", "b.png", "c.png"]) {
                        let progress = Progress::new(done.into()).of(3.0).message(image);
                        conn.report(&id, progress, Weight::Ordinary, now())?;
                    }
                    conn.respond(&id, &CallToolResult::text("resized 3 images"), now())?;
                }
                Event::Request { id, .. } => {
                    conn.fail(&id, &ErrorObject::method_not_found(), now())?
                }
                Event::Closed(_) => return Ok(()),
                _ => {}
            }
        }
        while let Some(bytes) = conn.poll_transmit() {
            let written = to_client.write(bytes)?;
            conn.advance_transmit(written);
        }
        wait(&mut conn, &chunks, now);
    }
}

/// Sleeps until bytes come or it is time for something.
fn wait<R: Role>(conn: &mut Connection<R>, chunks: &Receiver<Vec<u8>>, now: impl Fn() -> Instant) {
    let patience = conn.poll_timeout().map_or(Duration::from_secs(3600), |at| at - now());
    match chunks.recv_timeout(patience) {
        Ok(chunk) => conn.handle_input(&chunk, now()),
        Err(RecvTimeoutError::Timeout) => conn.handle_timeout(now()),
        Err(RecvTimeoutError::Disconnected) => conn.handle_eof(now()),
    }
}

/// Blocking reads live on a thread of their own; the machine does not care where its bytes come from.
fn read_in_a_thread(mut input: PipeReader) -> Receiver<Vec<u8>> {
    let (sender, chunks): (Sender<Vec<u8>>, _) = channel();
    thread::spawn(move || {
        let mut buffer = vec![0; 8192];
        while let Ok(length @ 1..) = input.read(&mut buffer) {
            if sender.send(buffer.iter().take(length).copied().collect()).is_err() {
                break;
            }
        }
    });
    chunks
}
