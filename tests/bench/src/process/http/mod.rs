//! Servers on HTTP: what a request costs them, beside a bare axum handler that returns the same bytes, and what
//! sessions and streams take. The client of all is the same loop over sockets that are kept.

mod client;
mod memory;

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

use client::Connection;
use mcp_bench::http::servers::Answer;
use mcp_bench::http::{LOADS, Load};

use super::{cpu_of, program};
use crate::report::{Figures, Metric, Spread};

const ROUNDS: usize = 21;

/// Requests of a round, over all connections.
const REQUESTS: usize = 320;

/// Connections, on each of which one request is under way.
const CONNECTIONS: [usize; 2] = [1, 16];

/// What is compared with what.
const RATIOS: [(&str, &str); 4] =
    [("ours", "axum"), ("ours-in-axum", "axum"), ("rmcp", "axum"), ("rmcp", "ours")];

/// Everything that is measured of servers on HTTP.
pub fn measure_all(figures: &mut Figures) {
    for load in LOADS {
        let mut peers = peers(load);
        for connections in CONNECTIONS {
            measure(load, connections, &mut peers, figures);
        }
    }
    memory::measure(figures);
}

/// A server as a process.
struct Server {
    child: Child,
    address: String,
}

impl Server {
    fn start(kind: &str) -> Self {
        Self::start_with(kind, None)
    }

    fn start_with(kind: &str, answer: Option<&Answer>) -> Self {
        let mut child = Command::new(program())
            .arg(kind)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the servers' program");
        if let Some(answer) = answer {
            let line = serde_json::to_string(answer).expect("JSON") + "\n";
            let mut input = child.stdin.take().expect("a pipe");
            input.write_all(line.as_bytes()).expect("a server");
        }
        let mut address = String::new();
        let mut output = BufReader::new(child.stdout.take().expect("a pipe"));
        output.read_line(&mut address).expect("an address");
        Self { child, address: address.trim().to_owned() }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A server under a load.
struct Peer {
    name: &'static str,
    server: Server,
    session: Option<String>,
}

impl Peer {
    fn start(name: &'static str, load: Load) -> Self {
        let kind = match (name, load.in_session()) {
            ("ours", _) => "http-ours",
            ("ours-in-axum", _) => "http-ours-in-axum",
            (_, true) => "http-rmcp-sessions",
            (_, false) => "http-rmcp",
        };
        let server = Server::start(kind);
        let mut connection = Connection::open(&server.address);
        let session = load.in_session().then(|| connection.open_session(&server.address));
        Self { name, server, session }
    }

    fn request(&self, load: Load, id: usize) -> Vec<u8> {
        let headers = load.headers(self.session.as_deref());
        client::request(&self.server.address, &headers, &load.body(id))
    }

    fn connect(&self) -> Connection {
        Connection::open(&self.server.address)
    }
}

/// All servers that answer a load; each was seen to do so.
fn peers(load: Load) -> Vec<Peer> {
    let mut peers = Vec::new();
    let mut answer = None;
    for name in ["ours", "ours-in-axum", "rmcp"] {
        let peer = Peer::start(name, load);
        let answered = peer.connect().answer(load, &peer.request(load, 10));
        answer.get_or_insert(answered);
        peers.push(peer);
    }
    // The yardstick says what ours said.
    let server = Server::start_with("http-axum", answer.as_ref());
    let session = peers[0].session.clone();
    let bare = Peer { name: "axum", server, session };
    bare.connect().answer(load, &bare.request(load, 10));
    peers.push(bare);
    peers
}

/// CPU of the servers in interleaved rounds.
fn measure(load: Load, connections: usize, peers: &mut [Peer], figures: &mut Figures) {
    let mut sockets: Vec<Vec<Connection>> =
        peers.iter().map(|peer| (0..connections).map(|_| peer.connect()).collect()).collect();
    let mut costs: Vec<Vec<f64>> = vec![Vec::new(); peers.len()];
    for round in 0..=ROUNDS {
        for (at, peer) in peers.iter().enumerate() {
            let requests: Vec<_> =
                (0..REQUESTS).map(|n| peer.request(load, 100 + round * REQUESTS + n)).collect();
            let before = cpu_of(&peer.server.child);
            for batch in requests.chunks(connections) {
                for (socket, request) in sockets[at].iter_mut().zip(batch) {
                    socket.send(request);
                }
                sockets[at].iter_mut().for_each(Connection::receive);
            }
            let cost = (cpu_of(&peer.server.child) - before) as f64 / REQUESTS as f64 / 1000.0;
            // The first round is there to warm up.
            if round > 0 {
                costs[at].push(cost);
            }
        }
    }
    let load = format!("http/{}-{connections}", load.name);
    for (peer, costs) in peers.iter().zip(&costs) {
        let case = format!("{load}/{}", peer.name);
        figures.add_spread(&case, Metric::CpuMicroseconds, Spread::of(costs.clone()));
    }
    for (above, below) in RATIOS {
        let of = |name| peers.iter().position(|peer| peer.name == name).expect("it was started");
        let ratios = costs[of(above)].iter().zip(&costs[of(below)]).map(|(a, b)| a / b);
        let case = format!("{load}/{above} ÷ {below}");
        figures.add_spread(&case, Metric::CpuRatio, Spread::of(ratios.collect()));
    }
}
