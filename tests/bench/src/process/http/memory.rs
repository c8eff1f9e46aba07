//! What sessions that idle and streams that stay open take of a server's memory.

use std::fs;

use mcp_bench::http::PATH;

use super::Server;
use super::client::Connection;
use crate::report::{Figures, Metric};

/// Sessions that idle, and how many of them then have a stream open; of rmcp's, which take more, fewer.
const OURS: (usize, usize) = (10_000, 1_000);
const RMCP: (usize, usize) = (2_000, 1_000);

/// Sessions that fill what is kept anyway.
const WARM_UP: usize = 100;

pub fn measure(figures: &mut Figures) {
    for (name, kind, counts) in [("ours", "http-ours", OURS), ("rmcp", "http-rmcp-sessions", RMCP)]
    {
        let (sessions, streams) = counts;
        let server = Server::start(kind);
        let mut connection = Connection::open(&server.address);
        for _ in 0..WARM_UP {
            connection.open_session(&server.address);
        }
        let empty = resident(&server);
        let ids: Vec<_> = (0..sessions).map(|_| connection.open_session(&server.address)).collect();
        let idle = resident(&server);
        let open: Vec<_> = ids.iter().take(streams).map(|id| stream(&server, id)).collect();
        let all = resident(&server);
        open.into_iter().for_each(Connection::assert_is_open);
        let mut add = |what: &str, bytes: f64, count: usize| {
            let case = format!("http-{what}/{name}");
            figures.add(&case, Metric::ResidentBytes, bytes / count as f64);
        };
        add("session", idle - empty, sessions);
        add("stream", all - idle, streams);
    }
}

/// The stream of a session for what belongs to no request, and its connection.
fn stream(server: &Server, session: &str) -> Connection {
    let mut connection = Connection::open(&server.address);
    let head = format!(
        "GET {PATH} HTTP/1.1\r\nhost: {}\r\naccept: text/event-stream\r\nmcp-session-id: {session}\r\nmcp-protocol-version: 2025-11-25\r\n\r\n",
        server.address
    );
    connection.send(head.as_bytes());
    connection.receive_head();
    connection
}

fn resident(server: &Server) -> f64 {
    let file = format!("/proc/{}/status", server.child.id());
    let text = fs::read_to_string(file).expect("Linux");
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a line");
    let kilobytes = line.trim().strip_suffix(" kB").and_then(|number| number.parse::<f64>().ok());
    kilobytes.expect("a number") * 1024.0
}
