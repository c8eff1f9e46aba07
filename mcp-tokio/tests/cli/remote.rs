//! Servers that have a URL instead of a command.

use std::net::TcpListener;
use std::time::Duration;

use mcp_tokio::{CallToolResult, Context, Pacing, Progress, RawJson, Router, Tool, ToolError, ws};
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

use super::json_run;

/// A server at work in threads of its own.
struct Remote {
    url: String,
    stop: Option<oneshot::Sender<()>>,
    _runtime: Runtime,
}

impl Remote {
    fn new() -> Self {
        let schema = || RawJson::parse(r#"{"type":"object"}"#).unwrap();
        let count = async |ctx: Context, _: Option<RawJson>| {
            for step in 1..=64 {
                ctx.progress().report(Progress::new(f64::from(step)).of(64.0))?;
            }
            Ok::<_, ToolError>(CallToolResult::text("counted"))
        };
        let waits = async |ctx: Context, _: Option<RawJson>| {
            ctx.progress().report(Progress::new(1.0))?;
            ctx.cancelled().await;
            Ok::<_, ToolError>(CallToolResult::text("cancelled"))
        };
        let router = Router::new("remote", "1.0")
            .configure(|config| *config = config.clone().drain_timeout(Duration::ZERO))
            .pacing(Pacing::UNLIMITED)
            .raw_tool(Tool::new("count", schema()), count)
            .raw_tool(Tool::new("wait", schema()), waits);
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let listener = runtime.block_on(ws::listen("127.0.0.1:0")).unwrap();
        let url = format!("ws://{}/mcp", listener.local_addr().unwrap());
        let (stop, stopped) = oneshot::channel::<()>();
        runtime.spawn(listener.run(router, async { drop(stopped.await) }));
        Self { url, stop: Some(stop), _runtime: runtime }
    }
}

#[test]
fn a_tool_of_a_remote_server_shows_every_report() {
    let remote = Remote::new();
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
    let mut remote = Remote::new();
    let url = remote.url.clone();
    let calling = std::thread::spawn(move || json_run(&["call", "wait", "--url", &url]));
    // Its end is seen by the call that is under way, or refuses the one that comes later.
    drop(remote.stop.take());
    let run = calling.join().unwrap();
    assert_eq!(run.code, 3, "{}", run.stdout);
    let failure = run.events.last().unwrap();
    assert_eq!(failure["event"], "error", "{failure}");
}

#[test]
fn what_cannot_be_connected_to_is_named() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("ws://{nobody}/mcp");
    let run = json_run(&["call", "count", "--url", &url]);
    assert_eq!((run.code, &run.events[0]["kind"]), (3, &"connect".into()), "{}", run.stdout);
    assert!(run.stderr.contains(&format!("cannot connect to {url}: ")), "{}", run.stderr);
    for wrong in ["ftp://localhost/", "localhost:4000", "ws://user:secret@localhost/"] {
        let run = json_run(&["list", "--url", wrong]);
        assert_eq!((run.code, &run.events[0]["kind"]), (2, &"usage".into()), "{}", run.stdout);
        assert!(run.stderr.contains("ws://HOST:PORT/PATH"), "{}", run.stderr);
    }
    let header = ["call", "count", "--url", &url, "--header", "Host: evil.example"];
    assert_eq!(json_run(&header).code, 2);
}
