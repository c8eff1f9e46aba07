//! A server as a process of its own: `served HOST KIND`, `served HOST relay URL`, or `served HOST first` and
//! `served HOST second ADDRESS`.

#[cfg(unix)]
fn main() {
    use mcp_runtimes_tests::{AsyncStd, Smol, Threads, TokioCurrentThread, TokioMultiThread};

    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [host, kind @ ..] = arguments.as_slice() else { panic!("no host") };
    let serves = match host.as_str() {
        "tokio_current_thread" => unix::serve_either::<TokioCurrentThread>,
        "tokio_multi_thread" => unix::serve_either::<TokioMultiThread>,
        "smol" => unix::serve_either::<Smol>,
        "async_std" => unix::serve_either::<AsyncStd>,
        "threads" => unix::serve::<Threads>,
        _ => panic!("no host: {host}"),
    };
    serves(&kind.iter().map(String::as_str).collect::<Vec<_>>());
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
    use mcp_runtimes_tests::relay::relay;
    use mcp_runtimes_tests::tools::tools;
    use mcp_runtimes_tests::{Host, Web, spawn};
    use mcp_tests::bad_input::application::{Log, handle, router};
    use mcp_tests::bad_input::case::Case;
    use mcp_tests::bad_input::start::server_config;

    use super::moving;

    /// Over HTTP, or over standard input and output.
    pub(crate) fn serve_either<H: Web>(kind: &[&str]) {
        match kind {
            ["first"] => H::block_on(moving::first::<H>()),
            ["second", address] => H::block_on(moving::second::<H>(address)),
            ["relay", url] => H::block_on(relayed::<H>(url)),
            _ => serve::<H>(kind),
        }
    }

    pub(crate) fn serve<H: Host>(kind: &[&str]) {
        H::block_on(async {
            let kind = match kind {
                [kind] => *kind,
                ["case", id, revision] => return case::<H>(id, revision).await,
                _ => panic!("no kind of server: {kind:?}"),
            };
            match kind {
                "plain" => plain::<H>().await,
                "routed" => routed::<H>().await,
                "loud" => loud::<H>().await,
                "printing" => noisy::<H>(|| println!("a stray line on standard output")).await,
                "starting" => noisy::<H>(start).await,
                "crowded" => crowded::<H>().await,
                "apart" | "looking" | "exiting" => working::<H>(kind).await,
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

    /// The reference application, in the state in which a case of bad input finds it.
    async fn case<H: Host>(id: &str, revision: &str) {
        let case = Case::named(id).unwrap();
        let config = server_config(&case, Revision::parse(revision).unwrap());
        // What still runs then is a tool that never ends.
        let mut server = H::serve_stdio(config.drain_timeout(Duration::from_millis(20))).unwrap();
        let log = Log::default();
        let router = router(&log);
        while let Some(incoming) = server.accept().await {
            if let Some(work) = handle(&router, incoming, &log) {
                drop(spawn(&H::platform(), work));
            }
        }
        let reason = server.closed().await;
        assert!(matches!(reason, CloseReason::Eof { .. }), "{reason}");
    }

    /// A router's tools.
    async fn routed<H: Host>() {
        let (router, _gate) = tools();
        assert_eq!(H::run_stdio(router).await.unwrap(), CloseReason::Eof { unread: 0 });
    }

    /// The tools of a server on HTTP.
    async fn relayed<H: Web>(url: &str) {
        let inner = H::connect_url(url, ClientConfig::new("relay", "1.0")).await.unwrap();
        let router = relay(&inner).await.unwrap();
        assert_eq!(H::run_stdio(router).await.unwrap(), CloseReason::Eof { unread: 0 });
        inner.close();
        inner.closed().await;
    }

    /// The same as `routed`, with one that prints to standard error and then panics.
    async fn loud<H: Host>() {
        let (router, _gate) = tools();
        let schema = RawJson::parse(r#"{"type":"object"}"#).unwrap();
        let loud = async |_: Context, _: Option<RawJson>| -> CallToolResult {
            eprintln!("this panic is part of the test");
            panic!("this one too")
        };
        let router = router.raw_tool(Tool::new("loud", schema), loud);
        assert_eq!(H::run_stdio(router).await.unwrap(), CloseReason::Eof { unread: 0 });
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

    /// A server whose tool works on a thread of its own: for ever, and nobody waits for it (`apart`); until its client is gone, and
    /// the program waits for that (`looking`); for ever on a thread of Tokio's, which would wait for it (`exiting`).
    async fn working<H: Host>(kind: &str) {
        let (is_looking, is_exiting) = (kind == "looking", kind == "exiting");
        let (begins, begun) = std::sync::mpsc::channel();
        let work = move |ctx: Context, _: Option<RawJson>| {
            let begins = begins.clone();
            async move {
                let reporting = ctx.clone();
                let work = move || {
                    let ctx = reporting;
                    for step in 1.. {
                        if is_looking && ctx.is_cancelled() {
                            break;
                        }
                        let _ = ctx.progress().report(Progress::new(step.into()));
                        std::thread::sleep(Duration::from_millis(1));
                    }
                };
                if is_exiting {
                    drop(tokio::task::spawn_blocking(work));
                } else {
                    let _ = begins.send(std::thread::spawn(work));
                }
                ctx.cancelled().await;
                "cancelled"
            }
        };
        let schema = RawJson::parse(r#"{"type":"object"}"#).unwrap();
        let router = Router::new("working", "1.0")
            .configure(|config| config.drain_timeout = Duration::from_millis(100))
            .raw_tool(Tool::new("work", schema), work);
        assert_eq!(H::run_stdio(router).await.unwrap(), CloseReason::Eof { unread: 0 });
        if is_looking {
            begun.recv().unwrap().join().unwrap();
        }
        if is_exiting {
            std::process::exit(0);
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
        let ran = H::run_stdio(Router::new("crowded", "1.0")).await.unwrap_err();
        assert_eq!(ran.to_string(), error.to_string());
        drop(crowd);
        eprintln!("no connection: {error}");
    }
}

/// Two servers, of which the second goes on with the sessions of the first: what it hands over on its standard output comes
/// in on the other's standard input.
#[cfg(unix)]
mod moving {
    use std::io::BufRead;
    use std::net::TcpListener;

    use async_channel::bounded;
    use mcp_proto::http::ServerOptions;
    use mcp_proto::net::prelude::*;
    use mcp_proto::snapshot::SessionSnapshot;
    use mcp_runtimes_tests::{Door, Web, apart, spawn};

    fn config() -> ServerConfig {
        ServerConfig::new("moving", "1.0")
    }

    /// A line of standard input.
    async fn line() -> String {
        let line = apart(|| std::io::stdin().lock().lines().next());
        line.await.unwrap().unwrap()
    }

    fn report(request: &Incoming, steps: impl Iterator<Item = u32>) {
        for step in steps {
            request.progress(Progress::new(step.into()).of(8.0)).unwrap();
        }
    }

    /// Serves until it is told to move, hands its sessions over and ends.
    pub(crate) async fn first<H: Web>() {
        let (mut server, service) = H::http_service(config(), ServerOptions::default());
        let door = Door::open::<H>(TcpListener::bind("127.0.0.1:0").unwrap(), &service);
        println!("{}", door.address);
        let ((moves, moving), (said, all_said)) = (bounded::<()>(1), bounded::<()>(1));
        let work = spawn(&H::platform(), async move {
            let request = server.accept().await.unwrap();
            assert_eq!((request.method(), request.is_resumed()), ("tools/call", false));
            report(&request, 1..=3);
            moving.recv().await.unwrap();
            // These may not leave this process any more.
            report(&request, 4..=5);
            said.send(()).await.unwrap();
            request.cancelled().await;
        });
        assert_eq!(line().await, "move");
        // First nobody can come back here, then the sessions leave.
        let ended = door.close().await;
        moves.send(()).await.unwrap();
        all_said.recv().await.unwrap();
        let sessions = service.export_sessions();
        work.join().await;
        ended.await;
        println!("{}", sessions.len());
        for session in sessions {
            println!("{}", RawJson::of(&session).unwrap());
        }
    }

    /// Takes the sessions in, and goes on where the first server stopped.
    pub(crate) async fn second<H: Web>(address: &str) {
        let (mut server, service) = H::http_service(config(), ServerOptions::default());
        let count = line().await.parse().unwrap();
        for _ in 0..count {
            let session: SessionSnapshot = RawJson::parse(line().await).unwrap().decode().unwrap();
            service.import_session(session).unwrap();
        }
        let request = server.accept().await.unwrap();
        assert_eq!((request.method(), request.is_resumed()), ("tools/call", true));
        let call: CallTool = request.params().unwrap();
        let door = Door::open::<H>(TcpListener::bind(address).unwrap(), &service);
        println!("{}", door.address);
        report(&request, 6..=8);
        request.respond(&CallToolResult::text(format!("{} is done", call.name))).unwrap();
        assert_eq!(line().await, "end");
    }
}
