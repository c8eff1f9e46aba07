//! Servers that have a URL instead of a command.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener};
use std::time::Duration;

use mcp_tokio::http;
use mcp_tokio::{CallToolResult, Context, Pacing, Progress, RawJson, Router, Tool, ToolError, ws};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::sync::{oneshot, watch};

use super::json_run;

/// A server at work in threads of its own.
pub(super) struct Remote {
    pub(super) url: String,
    stop: Option<oneshot::Sender<()>>,
    runtime: Runtime,
    /// Cuts the connections that go through a cable.
    cuts: watch::Sender<()>,
}

impl Remote {
    /// One of each kind.
    pub(super) fn all() -> [Self; 2] {
        [Self::new(false), Self::new(true)]
    }

    pub(super) fn new(is_http: bool) -> Self {
        let (cuts, _) = watch::channel(());
        let schema = || RawJson::parse(r#"{"type":"object"}"#).unwrap();
        let count = async |ctx: Context, _: Option<RawJson>| {
            for step in 1..=64 {
                ctx.progress().report(Progress::new(f64::from(step)).of(64.0))?;
            }
            Ok::<_, ToolError>(CallToolResult::text("counted"))
        };
        let cutting = cuts.clone();
        let cut = move |ctx: Context, _: Option<RawJson>| {
            let mut cut = cutting.subscribe();
            async move {
                for step in 1..=64 {
                    ctx.progress().report(Progress::new(f64::from(step)).of(64.0))?;
                    if step == 32 {
                        cut.changed().await.unwrap();
                    }
                }
                Ok::<_, ToolError>(CallToolResult::text("counted"))
            }
        };
        let waits = async |ctx: Context, _: Option<RawJson>| {
            ctx.progress().report(Progress::new(1.0))?;
            ctx.cancelled().await;
            Ok::<_, ToolError>(CallToolResult::text("cancelled"))
        };
        let paced = async |ctx: Context, asked: Option<RawJson>| {
            let number = |name| asked.as_ref()?.get(name)?.to_string().parse::<u32>().ok();
            let every = Duration::from_millis(number("every_ms").ok_or("every_ms")?.into());
            for step in 1..=number("steps").ok_or("steps")? {
                ctx.progress().report(Progress::new(step.into()))?;
                tokio::time::sleep(every).await;
            }
            Ok::<_, ToolError>(CallToolResult::text("paced"))
        };
        let router = Router::new("remote", "1.0")
            .configure(|config| *config = config.clone().drain_timeout(Duration::ZERO))
            .pacing(Pacing::UNLIMITED)
            .raw_tool(Tool::new("count", schema()), count)
            .raw_tool(Tool::new("cut", schema()), cut)
            .raw_tool(Tool::new("paced", schema()), paced)
            .raw_tool(Tool::new("wait", schema()), waits);
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let until = async { drop(stopped.await) };
        let url = if is_http {
            let listening = tokio::net::TcpListener::bind("127.0.0.1:0");
            let listener = runtime.block_on(listening).unwrap();
            let url = format!("http://{}/mcp", listener.local_addr().unwrap());
            let server = {
                let _inside = runtime.enter();
                http::server(listener).unwrap()
            };
            runtime.spawn(server.grace(Duration::ZERO).run(router, until));
            url
        } else {
            let listener = runtime.block_on(ws::listen("127.0.0.1:0")).unwrap();
            let url = format!("ws://{}/mcp", listener.local_addr().unwrap());
            runtime.spawn(listener.run(router, until));
            url
        };
        Self { url, stop: Some(stop), runtime, cuts }
    }

    /// The URL of a cable to this server, which breaks when report 32 has passed; until then the tool `cut` waits.
    pub(super) fn through_a_cable(&self) -> String {
        self.cable(true)
    }

    /// The same; if it is not mended, every connection breaks, and whoever comes back is sent away.
    fn cable(&self, is_mended: bool) -> String {
        let to = self.url.trim_start_matches("http://").trim_end_matches("/mcp").to_owned();
        let listener = self.runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("http://{}/mcp", listener.local_addr().unwrap());
        let (cuts, broken) = (self.cuts.clone(), self.cuts.subscribe());
        self.runtime.spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let (to, cuts, mut breaks) = (to.clone(), cuts.clone(), broken.clone());
                if broken.has_changed().unwrap() && !is_mended {
                    continue;
                }
                tokio::spawn(async move {
                    let mut far = TcpStream::connect(to).await.unwrap();
                    let (mut from_near, mut to_near) = near.split();
                    let (mut from_far, mut to_far) = far.split();
                    let back = async {
                        let (mut passed, mut buffer) = (String::new(), [0; 4096]);
                        while let Ok(length @ 1..) = from_far.read(&mut buffer).await {
                            to_near.write_all(&buffer[..length]).await.unwrap();
                            passed.push_str(&String::from_utf8_lossy(&buffer[..length]));
                            // The whole event, so that nobody asks for it again and breaks the cable once more.
                            let at = passed.split_once("\"progress\":32,");
                            if at.is_some_and(|(_, rest)| rest.contains("\n\n")) {
                                cuts.send_replace(());
                                break;
                            }
                        }
                    };
                    tokio::select! {
                        _ = tokio::io::copy(&mut from_near, &mut to_far) => {}
                        () = back => {}
                        _ = breaks.changed(), if !is_mended => {}
                    }
                    // Who is dropped before all that came is read takes back what was written last.
                    drop(far);
                    let _ = to_near.shutdown().await;
                    let _ = tokio::io::copy(&mut from_near, &mut tokio::io::sink()).await;
                });
            }
        });
        url
    }
}

#[test]
fn a_tool_of_a_remote_server_shows_every_report() {
    Remote::all().iter().for_each(shows_every_report);
}

fn shows_every_report(remote: &Remote) {
    let run = json_run(&["call", "count", "--url", &remote.url, "--header", "X-Trace: 1"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(run.events[0]["server"]["name"], "remote");
    let values: Vec<_> = run.of("progress").iter().map(|one| one["progress"].clone()).collect();
    assert_eq!(values, (1..=64).map(serde_json::Value::from).collect::<Vec<_>>());
    assert_eq!(run.events.last().unwrap()["content"][0]["text"], "counted");

    let run = json_run(&["list", "--url", &remote.url]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stdout.contains("\"count\"") && run.stdout.contains("\"wait\""), "{}", run.stdout);
}

#[test]
fn a_remote_server_that_stops_in_the_middle_is_told_of() {
    for mut remote in Remote::all() {
        let mut child = super::start(&["call", "--json", "wait", "--url", &remote.url]);
        let watchdog = super::watchdog(child.id());
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut events = lines.map(|line| line.unwrap().parse::<serde_json::Value>().unwrap());
        // Its tool is at work.
        assert!(events.any(|event| event["event"] == "progress"));
        drop(remote.stop.take());
        let status = child.wait().unwrap();
        let failure = events.last().unwrap();
        let ended = (failure["kind"].as_str().unwrap(), status.code().unwrap());
        assert!([("closed", 3), ("peer", 1)].contains(&ended), "{failure}");
        drop(watchdog);
    }
}

#[test]
fn a_timeout_says_that_the_connection_was_lost_and_since_when() {
    let remote = Remote::new(true);
    let url = remote.cable(false);
    let words = ["call", "cut", "--revision", "2025-11-25", "--idle-timeout", "2s", "--url", &url];
    let run = json_run(&words);
    let last = run.events.last().unwrap();
    assert_eq!((run.code, &last["kind"], &last["reports"]), (4, &"timeout".into(), &32.into()));
    let interrupted = last["interrupted"].as_f64().unwrap();
    assert!(interrupted > 1.0 && interrupted <= last["elapsed"].as_f64().unwrap(), "{last}");
    assert!(run.stderr.contains("; the connection was lost "), "{}", run.stderr);
    // Where it is there, nothing of it is said.
    let words = ["call", "wait", "--idle-timeout", "500ms", "--url", &remote.url];
    let run = json_run(&words);
    assert_eq!((run.code, &run.events.last().unwrap()["interrupted"]), (4, &().into()));
}

#[test]
fn a_cut_stream_is_resumed_and_the_tool_says_so() {
    let remote = Remote::new(true);
    let url = remote.through_a_cable();
    let run = json_run(&["call", "cut", "--revision", "2025-11-25", "--url", &url]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let values: Vec<_> = run.of("progress").iter().map(|one| one["progress"].clone()).collect();
    assert_eq!(values, (1..=64).map(serde_json::Value::from).collect::<Vec<_>>());
    let asides = |run: &super::Run| {
        let is_one = |event: &&serde_json::Value| {
            event["event"] == "interrupted" || event["event"] == "resumed"
        };
        let found = run.events.iter().filter(is_one);
        found.map(|event| event["event"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(asides(&run), ["interrupted", "resumed"], "{}", run.stdout);
    let url = remote.through_a_cable();
    let shown = super::run(&["call", "cut", "--revision", "2025-11-25", "--url", &url]);
    for said in ["connection lost, resuming…\n", "connection resumed\n"] {
        assert_eq!(shown.stderr.matches(said).count(), 1, "{}", shown.stderr);
    }
    // In the modern era what is cut is lost.
    let run = json_run(&["call", "cut", "--revision", "2026-07-28", "--url", &url]);
    assert_eq!((run.code, asides(&run).len()), (3, 0), "{}", run.stdout);
    let failure = run.events.last().unwrap();
    assert_eq!(failure["kind"], "closed");
    let message = failure["message"].as_str().unwrap();
    let (_, why) = message.split_once(" before the server answered: ").expect("why it was lost");
    assert!(!why.is_empty(), "{message}");
}

#[test]
fn what_cannot_be_connected_to_is_named() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for scheme in ["ws", "http"] {
        let url = format!("{scheme}://{nobody}/mcp");
        let run = json_run(&["call", "count", "--url", &url]);
        assert_eq!((run.code, &run.events[0]["kind"]), (3, &"connect".into()), "{}", run.stdout);
        assert!(run.stderr.contains(&format!("cannot connect to {url}: ")), "{}", run.stderr);
        let header = ["call", "count", "--url", &url, "--header", "Host: evil.example"];
        assert_eq!(json_run(&header).code, 2);
    }
    for wrong in [
        "ftp://localhost/",
        "localhost:4000",
        "ws://user:secret@localhost/",
        "http://user:secret@localhost/",
    ] {
        let run = json_run(&["list", "--url", wrong]);
        assert_eq!((run.code, &run.events[0]["kind"]), (2, &"usage".into()), "{}", run.stdout);
        assert!(run.stderr.contains("ws://HOST:PORT/PATH"), "{}", run.stderr);
    }
}

/// A server that says this to whoever says something first, and leaves; where it is.
fn saying(answer: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            let mut socket = socket.unwrap();
            let _ = socket.read(&mut [0; 4096]);
            let _ = socket.write_all(answer).and_then(|()| socket.shutdown(Shutdown::Write));
            // The rest, so that the system does not reset the connection.
            let _ = std::io::copy(&mut socket, &mut std::io::sink());
        }
    });
    address.to_string()
}

/// The alert with which a server that speaks TLS refuses what is none: `decode_error`.
const ALERT: &[u8] = &[21, 3, 3, 0, 2, 2, 50];

#[test]
fn a_failure_to_connect_says_why_and_what_to_try() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let [http, websocket] = Remote::all();
    let at = |url: &str| url.split_once("://").unwrap().1.trim_end_matches("/mcp").to_owned();
    let tls = saying(ALERT);
    let unauthorized =
        saying(b"HTTP/1.1 401 Unauthorized\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
    let forbidden =
        saying(b"HTTP/1.1 403 Forbidden\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
    let missing =
        saying(b"HTTP/1.1 404 Not Found\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
    let fields = "x-field: 1\r\n".repeat(1_000);
    let talkative = saying(format!("HTTP/1.1 200 OK\r\n{fields}\r\n").leak().as_bytes());
    for (scheme, address, cause, hint) in [
        ("http", &nobody, "nobody listens there", "check host and port"),
        ("ws", &nobody, "nobody listens there", "check host and port"),
        ("https", &nobody, "nobody listens there", "check host and port"),
        ("https", &at(&http.url), "the server does not speak TLS", "http://"),
        ("wss", &at(&websocket.url), "the server does not speak TLS", "ws://"),
        ("http", &tls, "the server does not speak HTTP", "https://"),
        ("ws", &tls, "the server does not speak WebSocket", "wss://"),
        ("ws", &unauthorized, "status 401", "--header \"Authorization"),
        ("ws", &forbidden, "status 403", "--header \"Authorization"),
        ("ws", &missing, "status 404", "check the path"),
        ("http", &unauthorized, "status 401", "--header \"Authorization"),
        ("http", &missing, "status 404", "check the path"),
        ("http", &talkative, "the head of the response is too long", "check the path"),
    ] {
        let url = format!("{scheme}://{address}/mcp");
        let run = json_run(&["call", "count", "--url", &url]);
        let told = run.events.last().unwrap();
        assert_eq!((run.code, &told["kind"]), (3, &"connect".into()), "{url}: {}", run.stdout);
        let lines: Vec<_> = run.stderr.lines().collect();
        let [said, tried] = lines[..] else { panic!("{url}: {}", run.stderr) };
        assert!(said.starts_with(&format!("error: cannot connect to {url}: ")), "{said}");
        assert!(said.contains(cause), "{url}: {said}");
        assert!(tried.starts_with(&format!("  try: {hint}")), "{url}: {tried}");
        assert_eq!(told["hint"].as_str().unwrap(), tried.trim_start_matches("  try: "));
    }
}

#[test]
fn a_url_where_no_mcp_is_spoken_is_not_looked_for_behind_a_command() {
    // The system connects whoever comes, and nobody says a word.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent_at = silent.local_addr().unwrap().to_string();
    let refusing = saying(
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n\
          {\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32000,\"message\":\"not today\"}}",
    );
    let no_answer = "timed out: the server has not answered the handshake within 0.3s";
    let firewall = "check the URL, that this is an MCP server, and whether a firewall is between";
    let refused = "this is no MCP server: it refuses the handshake: not today";
    let path = "check the path of the URL, and that this is an MCP server";
    for (scheme, address, ended, cause, hint) in [
        ("http", &silent_at, (4, "timeout"), no_answer, firewall),
        ("ws", &silent_at, (4, "timeout"), no_answer, firewall),
        ("http", &refusing, (3, "protocol"), refused, path),
    ] {
        let url = format!("{scheme}://{address}/mcp");
        let mut arguments = vec!["list", "--revision", "2025-11-25", "--url", &url];
        if ended.0 == 4 {
            arguments.extend(["--timeout", "300ms"]);
        }
        let run = json_run(&arguments);
        let told = run.events.last().unwrap();
        assert_eq!((run.code, told["kind"].as_str().unwrap()), ended, "{url}: {}", run.stdout);
        let lines: Vec<_> = run.stderr.lines().collect();
        let [said, tried] = lines[..] else { panic!("{url}: {}", run.stderr) };
        assert_eq!(said, format!("error: {cause}"));
        assert!(tried.starts_with(&format!("  try: {hint}")), "{url}: {tried}");
    }
    drop(silent);
}
