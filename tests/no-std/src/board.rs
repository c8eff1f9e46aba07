//! The firmware: an MCP server on a serial line, whose tool blinks and reports each time.
//!
//! One loop, no interrupts, no threads: a byte in, a byte out, a look at the clock, sleep.

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use mcp_proto::progress::Weight;
use mcp_proto::role::Server;
use mcp_proto::types::ListToolsResult;
use mcp_proto::{
    CallTool, CallToolResult, Connection, ErrorObject, Event, Instant, Limits, Progress, RawJson,
    RequestId, Revision, ServerConfig, Tool,
};

/// What a board is made of.
pub(crate) trait Hardware {
    /// What has come on the line.
    fn receive(&mut self) -> Line;
    /// Sends a byte if the transmitter is free for one; whether it was.
    fn send(&mut self, byte: u8) -> bool;
    /// The time since the board was switched on.
    fn now(&self) -> Instant;
    /// Switches the LED.
    fn set_led(&mut self, is_on: bool);
    /// Sleeps until a byte has come, or that time; if there is something to send, also until that is possible.
    fn sleep(&mut self, until: Option<Instant>, is_sending: bool);
}

/// What a serial line has.
pub(crate) enum Line {
    Byte(u8),
    Nothing,
    /// The cable was pulled out.
    Gone,
}

/// A call that is being worked on.
struct Blink {
    id: RequestId,
    done: u32,
    times: u32,
    every: Duration,
    next: Instant,
}

const SCHEMA: &str = r#"{"type":"object","properties":{"times":{"type":"integer","minimum":1},"every_ms":{"type":"integer","minimum":1}}}"#;

/// Serves until the cable is pulled out. `None`: what is built in is not right.
pub(crate) fn run(board: &mut impl Hardware) -> Option<()> {
    let schema = RawJson::parse(SCHEMA).ok()?;
    let mut conn = Connection::server(ServerConfig::new("board", "1.0").limits(limits()));
    let mut blinks: Vec<Blink> = Vec::new();
    while !conn.is_closed() {
        let now = board.now();
        let mut is_idle = true;
        if conn.wants_input() {
            match board.receive() {
                Line::Byte(byte) => {
                    conn.handle_input(&[byte], now);
                    is_idle = false;
                }
                Line::Gone => conn.handle_eof(now),
                Line::Nothing => {}
            }
        }
        if conn.poll_timeout().is_some_and(|at| at <= now) {
            conn.handle_timeout(now);
        }
        while let Some(event) = conn.poll_event() {
            if let Event::Request { id, method, params } = event {
                match &*method {
                    "tools/list" => list(&mut conn, &id, &schema, now),
                    "tools/call" => blinks.extend(begin(&mut conn, id, params, now)),
                    _ => drop(conn.fail(&id, &ErrorObject::method_not_found(), now)),
                }
            }
        }
        blinks.retain_mut(|blink| blink.next > now || blink.go_on(board, &mut conn, now));
        // A text of all that waits to be sent would not fit beside it.
        #[cfg(feature = "snapshot")]
        if !conn.has_transmit() && conn.in_flight().next().is_some() {
            let text = RawJson::of(&conn.snapshot(now)).ok()?;
            let config = ServerConfig::new("board", "1.0").limits(limits());
            conn = Connection::<Server>::restore(text.decode().ok()?, config, now).ok()?;
        }
        if let Some([byte, ..]) = conn.poll_transmit() {
            let byte = *byte;
            let is_sent = board.send(byte);
            conn.advance_transmit(is_sent.into());
            is_idle &= !is_sent;
        }
        if is_idle && !conn.is_closed() {
            let due = blinks.iter().map(|blink| blink.next).chain(conn.poll_timeout()).min();
            board.sleep(due, conn.has_transmit());
        }
    }
    Some(())
}

/// What a peer can make a board store: little.
fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.max_message_len = 4 << 10;
    limits.max_id_len = 64;
    limits.max_depth = 16;
    limits.max_calls = 1;
    limits.max_requests = 4;
    limits.max_batch_len = 4;
    limits.max_outbox_len = 4 << 10;
    limits.max_output_len = 8 << 10;
    limits.max_milestones = 4;
    limits.max_events = 4;
    limits
}

fn list(conn: &mut Connection<Server>, id: &RequestId, schema: &RawJson, now: Instant) {
    let revision = conn.revision_of(id).unwrap_or(Revision::LATEST);
    let tools = vec![Tool::new("blink", schema.clone())];
    drop(conn.respond(id, &ListToolsResult::new(tools, revision), now));
}

/// A call that can be worked on; any other is answered.
fn begin(
    conn: &mut Connection<Server>,
    id: RequestId,
    params: Option<RawJson>,
    now: Instant,
) -> Option<Blink> {
    let call = params.and_then(|params| params.decode::<CallTool>().ok());
    let Some(call) = call.filter(|call| call.name == "blink") else {
        drop(conn.fail(&id, &ErrorObject::invalid_params("no such tool"), now));
        return None;
    };
    let number = |name| call.arguments.as_ref().and_then(|all| all.get(name)?.as_f64());
    let times = number("times").map_or(3, |times| times as u32).max(1);
    let every = Duration::from_millis(number("every_ms").map_or(200, |every| every as u64).max(1));
    Some(Blink { id, done: 0, times, every, next: now + every })
}

impl Blink {
    /// One step. Whether there is another.
    fn go_on(
        &mut self,
        board: &mut impl Hardware,
        conn: &mut Connection<Server>,
        now: Instant,
    ) -> bool {
        if conn.is_cancelled(&self.id) {
            conn.abandon(&self.id, now);
            return false;
        }
        self.done += 1;
        self.next = now + self.every;
        board.set_led(self.done % 2 == 1);
        // What cannot be sent is of no interest to a client that has left.
        let report = Progress::new(self.done.into()).of(self.times.into()).message("blink");
        let _ = conn.report(&self.id, report, Weight::Ordinary, now);
        if self.done < self.times {
            return true;
        }
        board.set_led(false);
        let result = CallToolResult::text(format!("blinked {} times", self.times));
        drop(conn.respond(&self.id, &result, now));
        false
    }
}
