//! No runtime: a server on its standard input and output, with one tool that reports how far it has come. One thread reads,
//! one writes, each tool works on one of its own, and the first sees to it that deadlines pass whatever the peer does.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // outside the engine, clocks are fine

use std::error::Error;
use std::io::{ErrorKind, Read, Write, stdin, stdout};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant as Clock};

use mcp_proto::progress::Weight;
use mcp_proto::role::Server;
use mcp_proto::types::ListToolsResult;
use mcp_proto::{
    CallTool, CallToolResult, Connection, ErrorObject, Event, Instant, Progress, RawJson,
    RequestId, Revision, ServerConfig, Tool,
};

/// Serves until the client has left.
pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    let port = Port::open(Connection::server(ServerConfig::new("image-server", "1.0")));
    let schema = RawJson::parse(r#"{"type":"object","properties":{"pause":{"type":"number"}}}"#)?;
    loop {
        let (id, method, params) = match port.next() {
            Event::Request { id, method, params } => (id, method, params),
            Event::Closed(_) => return Ok(()),
            _ => continue,
        };
        // What cannot be said is an answer that nobody wants any more.
        let _ = match (&*method, params.map(|params| params.decode::<CallTool>())) {
            ("tools/list", _) => port.with(|conn, now| {
                let tools = vec![Tool::new("resize", schema.clone())];
                let revision = conn.revision_of(&id).unwrap_or(Revision::LATEST);
                conn.respond(&id, &ListToolsResult::new(tools, revision), now)
            }),
            ("tools/call", Some(Ok(call))) if call.name == "resize" => {
                let port = port.clone();
                thread::spawn(move || resize(&port, &id, &call));
                continue;
            }
            ("tools/call", _) => {
                let unknown = ErrorObject::invalid_params("no such tool");
                port.with(|conn, now| conn.fail(&id, &unknown, now))
            }
            _ => port.with(|conn, now| conn.fail(&id, &ErrorObject::method_not_found(), now)),
        };
    }
}

fn resize(port: &Port, id: &RequestId, call: &CallTool) {
    let pause = call.arguments.as_ref().and_then(|all| all.get("pause")?.as_f64());
    for (done, image) in (1_u8..).zip(["a.png", "b.png", "c.png"]) {
        thread::sleep(Duration::from_secs_f64(pause.unwrap_or(0.5).clamp(0.0, 60.0))); // the work
        if port.with(|conn, _| conn.is_cancelled(id)) {
            return port.with(|conn, now| conn.abandon(id, now));
        }
        let report = Progress::new(done.into()).of(3.0).message(image);
        let _ = port.with(|conn, now| conn.report(id, report, Weight::Ordinary, now));
    }
    drop(port.with(|conn, now| conn.respond(id, &CallToolResult::text("resized 3 images"), now)));
}

/// The machine, and what wakes the threads that wait for a change of it.
struct Port {
    conn: Mutex<Connection<Server>>,
    changed: Condvar,
    start: Clock,
}

impl Port {
    /// Begins to read and to write.
    fn open(conn: Connection<Server>) -> Arc<Self> {
        let (conn, changed, start) = (Mutex::new(conn), Condvar::new(), Clock::now());
        let port = Arc::new(Self { conn, changed, start });
        let (reader, writer) = (port.clone(), port.clone());
        thread::spawn(move || reader.read());
        thread::spawn(move || writer.write());
        port
    }

    /// Does something with the machine, from any thread.
    fn with<T>(&self, act: impl FnOnce(&mut Connection<Server>, Instant) -> T) -> T {
        let done = act(&mut self.lock(), self.start.elapsed().into());
        self.changed.notify_all();
        done
    }

    /// Sleeps until there is an event. The last one is `Closed`.
    fn next(&self) -> Event {
        let mut conn = self.lock();
        loop {
            if let Some(event) = conn.poll_event() {
                return event;
            }
            self.changed.notify_all(); // there may be an answer to write, or room to read
            let now = || Instant::from(self.start.elapsed());
            let due = conn.poll_timeout();
            let patience = due.map_or(Duration::from_secs(3600), |at| at - now());
            let waited = self.changed.wait_timeout(conn, patience);
            conn = waited.unwrap_or_else(PoisonError::into_inner).0;
            if due.is_some_and(|at| at <= now()) {
                conn.handle_timeout(now());
            }
        }
    }

    fn read(&self) {
        let mut buffer = vec![0; 8192];
        loop {
            drop(self.wait_while(|conn| !conn.wants_input()));
            match stdin().read(&mut buffer) {
                Ok(length @ 1..) => {
                    let bytes = buffer.get(..length).unwrap_or_default();
                    self.with(|conn, now| conn.handle_input(bytes, now));
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Ok(_) | Err(_) => return self.with(Connection::handle_eof),
            }
        }
    }

    fn write(&self) {
        loop {
            let mut conn = self.wait_while(|conn| !conn.has_transmit());
            // Nothing left to write: it is closed.
            let Some(bytes) = conn.lend_transmit(64 << 10).map(<[u8]>::to_vec) else { return };
            drop(conn); // others go on while this one blocks
            match stdout().write_all(&bytes).and_then(|()| stdout().flush()) {
                Ok(()) => self.with(|conn, _| conn.advance_transmit(bytes.len())),
                Err(_) => return self.with(Connection::handle_transport_error),
            }
        }
    }

    fn wait_while(
        &self,
        has_to: impl Fn(&Connection<Server>) -> bool,
    ) -> MutexGuard<'_, Connection<Server>> {
        let is_early = |conn: &mut Connection<Server>| !conn.is_closed() && has_to(conn);
        let waited = self.changed.wait_while(self.lock(), is_early);
        waited.unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, Connection<Server>> {
        self.conn.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
