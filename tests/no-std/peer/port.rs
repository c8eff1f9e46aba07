//! A connection on two blocking streams: one thread reads, one writes, and whoever asks for the next event thinks.
//!
//! So deadlines pass in time though the peer sends nothing, and though it reads nothing.

use std::io::{ErrorKind, Read, Write};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant as Clock};

use mcp_proto::role::Role;
use mcp_proto::{Connection, Event, Instant};

/// The machine, and what wakes the threads that wait for a change of it.
pub(crate) struct Port<R> {
    conn: Mutex<Connection<R>>,
    changed: Condvar,
    start: Clock,
}

impl<R: Role> Port<R> {
    /// Begins to read and to write. The channel is disconnected when there is nothing more to read.
    pub(crate) fn open(
        conn: Connection<R>,
        source: impl Read + Send + 'static,
        sink: impl Write + Send + 'static,
    ) -> (Arc<Self>, Receiver<()>) {
        let conn = Mutex::new(conn);
        let port = Arc::new(Self { conn, changed: Condvar::new(), start: Clock::now() });
        let (reader, writer) = (port.clone(), port.clone());
        let (is_reading, ended) = channel();
        thread::spawn(move || {
            reader.read(source);
            drop(is_reading);
        });
        thread::spawn(move || writer.write(sink));
        (port, ended)
    }

    /// Does something with the machine, from any thread.
    pub(crate) fn with<T>(&self, act: impl FnOnce(&mut Connection<R>, Instant) -> T) -> T {
        let done = act(&mut self.lock(), self.now());
        self.changed.notify_all();
        done
    }

    /// Sleeps until there is an event. The last one is `Closed`.
    pub(crate) fn next(&self) -> Event {
        let mut conn = self.lock();
        loop {
            if let Some(event) = conn.poll_event() {
                return event;
            }
            self.changed.notify_all(); // there may be an answer to write, or room to read
            let due = conn.poll_timeout();
            let patience = due.map_or(Duration::from_secs(3600), |at| at - self.now());
            let waited = self.changed.wait_timeout(conn, patience);
            conn = waited.unwrap_or_else(PoisonError::into_inner).0;
            if due.is_some_and(|at| at <= self.now()) {
                conn.handle_timeout(self.now());
            }
        }
    }

    fn read(&self, mut source: impl Read) {
        let mut buffer = vec![0; 8192];
        loop {
            drop(self.wait_while(|conn| !conn.wants_input()));
            match source.read(&mut buffer) {
                Ok(length @ 1..) => {
                    let bytes = buffer.get(..length).unwrap_or_default();
                    self.with(|conn, now| conn.handle_input(bytes, now));
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Ok(_) | Err(_) => return self.with(Connection::handle_eof),
            }
        }
    }

    fn write(&self, mut sink: impl Write) {
        loop {
            let mut conn = self.wait_while(|conn| !conn.has_transmit());
            // Nothing left to write: it is closed. The stream closes with this thread.
            let Some(bytes) = conn.lend_transmit(64 << 10).map(<[u8]>::to_vec) else { return };
            drop(conn); // others go on while this one blocks
            match sink.write_all(&bytes).and_then(|()| sink.flush()) {
                Ok(()) => self.with(|conn, _| conn.advance_transmit(bytes.len())),
                Err(_) => return self.with(Connection::handle_transport_error),
            }
        }
    }

    fn wait_while(&self, has_to: impl Fn(&Connection<R>) -> bool) -> MutexGuard<'_, Connection<R>> {
        let is_early = |conn: &mut Connection<R>| !conn.is_closed() && has_to(conn);
        let waited = self.changed.wait_while(self.lock(), is_early);
        waited.unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, Connection<R>> {
        self.conn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Instant {
        self.start.elapsed().into()
    }
}
