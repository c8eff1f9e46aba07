//! A server as a process of its own: `served HOST KIND`.

#[cfg(unix)]
fn main() {
    let mut arguments = std::env::args().skip(1);
    let (host, kind) = (arguments.next().unwrap(), arguments.next().unwrap());
    match host.as_str() {
        "tokio_current_thread" => unix::serve::<mcp_runtimes_tests::TokioCurrentThread>(&kind),
        "tokio_multi_thread" => unix::serve::<mcp_runtimes_tests::TokioMultiThread>(&kind),
        "smol" => unix::serve::<mcp_runtimes_tests::Smol>(&kind),
        "async_std" => unix::serve::<mcp_runtimes_tests::AsyncStd>(&kind),
        "threads" => unix::serve::<mcp_runtimes_tests::Threads>(&kind),
        _ => panic!("no host: {host}"),
    }
}

#[cfg(not(unix))]
fn main() {}

#[cfg(unix)]
mod unix {
    use std::fs::File;
    use std::process::Command;
    use std::time::Duration;

    use mcp_proto::driver::Runtime;
    use mcp_proto::net::prelude::*;
    use mcp_runtimes_tests::tools::tools;
    use mcp_runtimes_tests::{Host, spawn};

    pub(crate) fn serve<H: Host>(kind: &str) {
        H::block_on(async {
            match kind {
                "plain" => plain::<H>().await,
                "routed" => routed::<H>().await,
                "loud" => loud::<H>().await,
                "printing" => noisy::<H>(|| println!("a stray line on standard output")).await,
                "starting" => noisy::<H>(start).await,
                "crowded" => crowded::<H>().await,
                _ => panic!("no kind of server: {kind}"),
            }
        });
    }

    /// A server that answers all that it was sent, except to `never`.
    async fn plain<H: Host>() {
        let config = ServerConfig::new("plain", "1.0").drain_timeout(Duration::from_millis(100));
        let mut server = H::serve_stdio(config).unwrap();
        while let Some(request) = server.accept().await {
            drop(spawn(&H::platform(), answer(request)));
        }
    }

    /// A router's tools.
    async fn routed<H: Host>() {
        let (router, _gate) = tools();
        assert_eq!(H::run_stdio(router).await, CloseReason::Eof { unread: 0 });
    }

    /// The same, with one that prints to standard error and then panics.
    async fn loud<H: Host>() {
        let (router, _gate) = tools();
        let schema = RawJson::parse(r#"{"type":"object"}"#).unwrap();
        let loud = async |_: Context, _: Option<RawJson>| -> CallToolResult {
            eprintln!("this panic is part of the test");
            panic!("this one too")
        };
        let router = router.raw_tool(Tool::new("loud", schema), loud);
        assert_eq!(H::run_stdio(router).await, CloseReason::Eof { unread: 0 });
    }

    async fn answer(request: Incoming) {
        let call: CallTool = request.params().unwrap();
        if call.name == "never" {
            std::future::pending::<()>().await;
        }
        let _ = request.progress(Progress::new(1.0));
        let _ = request.respond(&CallToolResult::text(call.name));
    }

    /// A server whose tool uses standard input and output itself.
    async fn noisy<H: Host>(noise: fn()) {
        let mut server = H::serve_stdio(ServerConfig::new("noisy", "1.0")).unwrap();
        while let Some(request) = server.accept().await {
            noise();
            request.respond(&CallToolResult::text("done")).unwrap();
        }
    }

    /// Lets a child process read and print.
    fn start() {
        let child = Command::new("sh").args(["-c", "cat; echo the child printed"]).status();
        assert!(child.unwrap().success());
    }

    /// A server that has no descriptor left for its standard input.
    async fn crowded<H: Host>() {
        use rustix::process::{Resource, Rlimit, setrlimit};
        // What a runtime needs itself it has by now, also where threads of its own ask for it.
        let platform = H::platform();
        platform.timer(platform.now() + Duration::from_millis(1)).await;
        setrlimit(Resource::Nofile, Rlimit { current: Some(64), maximum: Some(64) }).unwrap();
        let crowd: Vec<_> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
        let error = H::serve_stdio(ServerConfig::new("crowded", "1.0")).unwrap_err();
        drop(crowd);
        eprintln!("no connection: {error}");
    }
}
