//! A server on its standard input and output, with one tool that reports how far it has come.

use std::error::Error;
use std::io::{stdin, stdout};
use std::thread;
use std::time::Duration;

use mcp_proto::progress::Weight;
use mcp_proto::role::Server;
use mcp_proto::types::ListToolsResult;
use mcp_proto::{
    CallTool, CallToolResult, Connection, ErrorObject, Event, Progress, RawJson, RequestId,
    Revision, ServerConfig, Tool,
};

use super::port::Port;

/// Serves until the client has left.
pub(crate) fn serve() -> Result<(), Box<dyn Error>> {
    let conn = Connection::server(ServerConfig::new("image-server", "1.0"));
    let (server, _) = Port::open(conn, stdin(), stdout());
    let schema = RawJson::parse(r#"{"type":"object","properties":{"pause":{"type":"number"}}}"#)?;
    loop {
        let (id, method, params) = match server.next() {
            Event::Request { id, method, params } => (id, method, params),
            Event::Closed(_) => return Ok(()),
            _ => continue,
        };
        let answered = match &*method {
            "tools/list" => {
                let tools = vec![Tool::new("resize", schema.clone())];
                server.with(|conn, now| {
                    let revision = conn.revision_of(&id).unwrap_or(Revision::LATEST);
                    conn.respond(&id, &ListToolsResult::new(tools, revision), now)
                })
            }
            "tools/call" => match params.map(|params| params.decode::<CallTool>()) {
                Some(Ok(call)) if call.name == "resize" => {
                    // On a thread of its own, so that others are heard while it works.
                    let server = server.clone();
                    thread::spawn(move || resize(&server, &id, &call));
                    Ok(())
                }
                _ => {
                    let unknown = ErrorObject::invalid_params("no such tool");
                    server.with(|conn, now| conn.fail(&id, &unknown, now))
                }
            },
            _ => server.with(|conn, now| conn.fail(&id, &ErrorObject::method_not_found(), now)),
        };
        drop(answered); // an answer that nobody wants any more
    }
}

fn resize(server: &Port<Server>, id: &RequestId, call: &CallTool) {
    let pause = call.arguments.as_ref().and_then(|all| all.get("pause")?.as_f64());
    for (done, image) in (1_u8..).zip(["a.png", "b.png", "c.png"]) {
        thread::sleep(Duration::from_secs_f64(pause.unwrap_or(0.5).clamp(0.0, 60.0))); // the work
        if server.with(|conn, _| conn.is_cancelled(id)) {
            return server.with(|conn, now| conn.abandon(id, now));
        }
        let report = Progress::new(done.into()).of(3.0).message(image);
        let _ = server.with(|conn, now| conn.report(id, report, Weight::Ordinary, now));
    }
    drop(server.with(|conn, now| conn.respond(id, &CallToolResult::text("resized 3 images"), now)));
}
