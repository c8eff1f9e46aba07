//! A server on blocking standard input and output, with one tool that reports.

mod handler;

use std::error::Error;
use std::io::{Read, Write, stdin, stdout};
use std::time::Instant as Clock;

use mcp_proto::types::ListToolsResult;
use mcp_proto::{Connection, ErrorObject, Event, Instant, RawJson, Revision, ServerConfig, Tool};

const SCHEMA: &str =
    r#"{"type":"object","properties":{"images":{"type":"array","items":{"type":"string"}}}}"#;

fn main() -> Result<(), Box<dyn Error>> {
    let start = Clock::now();
    let mut conn = Connection::server(ServerConfig::new("images", "1.0"));
    let mut buffer = vec![0; 8192];
    while !conn.is_closed() {
        let length = stdin().read(&mut buffer)?;
        let now = Instant::from(start.elapsed());
        // What is due is looked at whenever something arrives: one thread that blocks in a read cannot do it sooner.
        if conn.poll_timeout().is_some_and(|at| at <= now) {
            conn.handle_timeout(now);
        }
        match buffer.get(..length).unwrap_or_default() {
            [] => conn.handle_eof(now),
            bytes => conn.handle_input(bytes, now),
        }
        while let Some(event) = conn.poll_event() {
            let Event::Request { id, method, params } = event else { continue };
            match &*method {
                "tools/list" => {
                    let revision = conn.revision_of(&id).unwrap_or(Revision::LATEST);
                    let tools = vec![Tool::new("resize", RawJson::parse(SCHEMA)?)];
                    conn.respond(&id, &ListToolsResult::new(tools, revision), now)?;
                }
                "tools/call" => handler::resize(&mut conn, &id, params, now)?,
                _ => conn.fail(&id, &ErrorObject::method_not_found(), now)?,
            }
        }
        while let Some(bytes) = conn.poll_transmit() {
            let written = stdout().write(bytes)?;
            conn.advance_transmit(written);
        }
        stdout().flush()?;
    }
    Ok(())
}
