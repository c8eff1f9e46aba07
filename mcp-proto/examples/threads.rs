//! No runtime: a client that starts a server as its child and shows how far its tool has come, on plain threads with
//! blocking pipes: `cargo run -p mcp-proto --example threads -- target/debug/examples/threads_server`.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // outside the engine, clocks are fine

use std::error::Error;
use std::io::{self, ErrorKind, Read, Write};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant as Clock};

use mcp_proto::role::Role;
use mcp_proto::{CallOptions, CallTool, ClientConfig, Connection, ErrorObject, Event, Instant};

/// What has happened.
enum Woken {
    /// These bytes came; none: the input has ended.
    Read(Vec<u8>),
    /// So many bytes were written.
    Written(io::Result<usize>),
}

/// Reads each time that it is asked to, so that a peer which sends more than is wanted has to wait.
fn read(mut input: impl Read, asks: Receiver<()>, wakes: SyncSender<Woken>) {
    let mut buf = vec![0; 16 << 10];
    for () in asks {
        // What cannot be read has ended.
        let len = retried(|| input.read(&mut buf)).unwrap_or(0);
        if wakes.send(Woken::Read(buf.get(..len).unwrap_or_default().to_vec())).is_err() || len == 0
        {
            return;
        }
    }
}

/// Writes, on a thread of its own, because deadlines must pass while a peer reads nothing.
fn write(mut output: impl Write, pieces: Receiver<Vec<u8>>, wakes: SyncSender<Woken>) {
    for piece in pieces {
        // `write_all` begins again after a signal, and fails if nothing is taken any more.
        let written = output.write_all(&piece).and_then(|()| retried(|| output.flush()));
        if wakes.send(Woken::Written(written.map(|()| piece.len()))).is_err() {
            return;
        }
    }
}

/// A system call that a signal interrupted has done nothing: it is made again.
fn retried<T>(mut attempt: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match attempt() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}

/// Drives a connection to its end, whichever role it has.
pub(crate) fn drive<R: Role>(
    conn: &mut Connection<R>,
    start: Clock,
    input: impl Read + Send + 'static,
    output: impl Write + Send + 'static,
    mut hear: impl FnMut(&mut Connection<R>, Event, Instant),
) {
    // One piece is read at a time and one written, so none of these ever holds more than two.
    let ((ask, asks), (send, pieces)) = (sync_channel(1), sync_channel(1));
    let (wakes, woken) = sync_channel(2);
    let wakes_too = wakes.clone();
    thread::spawn(move || read(input, asks, wakes_too));
    thread::spawn(move || write(output, pieces, wakes));

    let now = || Instant::from(start.elapsed());
    let (mut is_reading, mut is_writing) = (false, false);
    loop {
        while let Some(event) = conn.poll_event() {
            hear(conn, event, now());
        }
        if conn.is_closed() && !conn.has_transmit() {
            return;
        }
        if !is_writing && let Some(bytes) = conn.lend_transmit(64 << 10) {
            is_writing = send.send(bytes.to_vec()).is_ok();
        }
        if !is_reading && conn.wants_input() {
            is_reading = ask.send(()).is_ok();
        }
        let most = if conn.is_closed() {
            Some(Duration::from_secs(2)) // it is over; what is left is written, if the peer still reads
        } else {
            conn.poll_timeout().map(|at| at - now())
        };
        let happened = match most {
            Some(most) => woken.recv_timeout(most),
            None => woken.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        match happened {
            Ok(Woken::Read(bytes)) if bytes.is_empty() => conn.handle_eof(now()),
            Ok(Woken::Read(bytes)) => {
                is_reading = false;
                conn.handle_input(&bytes, now());
            }
            Ok(Woken::Written(Ok(len))) => {
                is_writing = false;
                conn.advance_transmit(len);
            }
            // The peer is gone: calls end, and there is nothing to write any more.
            Ok(Woken::Written(Err(_))) => conn.handle_transport_error(now()),
            Err(_) if conn.is_closed() => return,
            Err(RecvTimeoutError::Timeout) => conn.handle_timeout(now()),
            Err(RecvTimeoutError::Disconnected) => conn.handle_transport_error(now()),
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut client = Connection::client(ClientConfig::new("app", "1.0"), Instant::ZERO);
    let call = CallTool::new("resize").argument("width", 800);
    let ticket = client.request(&call, CallOptions::default().tracked(), Instant::ZERO)?; // tracked: progress is wanted

    let named = std::env::args().nth(1); // or else the one of the README
    let mut command = Command::new(named.as_deref().unwrap_or("target/debug/image-server"));
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let (Some(output), Some(input)) = (child.stdin.take(), child.stdout.take()) else {
        return Err("the child has no pipes".into());
    };
    drive(&mut client, Clock::now(), input, output, |conn, event, now| match event {
        Event::Progress { progress: it, .. } => eprintln!("{} of {:?}", it.progress, it.total),
        Event::Response { id, outcome } if id == *ticket.id() => {
            match ticket.decode(outcome) {
                Ok(result) => println!("{:?}", result.content),
                Err(error) => eprintln!("{error}"),
            }
            conn.close(now); // nothing more is wanted: `drive` returns once all is written
        }
        // A server may ask something too; what a client does not know it refuses.
        Event::Request { id, .. } => drop(conn.fail(&id, &ErrorObject::method_not_found(), now)),
        _ => {}
    });

    // Its input has ended, so it leaves; if it does not, it is ended.
    let patience = Clock::now() + Duration::from_secs(2);
    while child.try_wait()?.is_none() {
        if Clock::now() > patience {
            child.kill()?;
        }
        thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}
