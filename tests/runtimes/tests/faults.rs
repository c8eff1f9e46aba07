//! What goes wrong around a connection. Every call that waits ends once, with its reason; nothing is left, which is
//! counted; and nothing hangs.
#![cfg(target_os = "linux")] // where what a process holds is a file to read

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::time::{Duration, Instant};

use async_channel::Sender;
use futures_lite::future::{or, poll_once};
use mcp_proto::driver::{ListenerError, Runtime};
use mcp_proto::net::{Platform, prelude::*};
use mcp_runtimes_tests::{
    Asked, Counted, GRACE, Host, Hurried, Job, Narrow, Peer, Torn, Unhurried, answer, apart, done,
    leaves_nothing, on_every_runtime, pair_over, report, script, small_sockets, sockets, spawn,
    talk, until,
};

/// A client on a platform, and its peer.
async fn connected<H: Host>(platform: &Counted<H::Platform>) -> (Client, Peer) {
    let (near, far) = sockets();
    pair_over(platform.clone(), H::stream(near), Peer::new::<H>(far)).await
}

/// A client and a server on a platform.
async fn both<H: Host>(platform: &Counted<H::Platform>) -> (Client, Server) {
    let (near, far) = sockets();
    let config = ServerConfig::new("test", "1.0");
    let server = mcp_proto::net::serve(H::stream(far), config, platform.clone());
    let config = ClientConfig::new("test", "1.0");
    (mcp_proto::net::connect(H::stream(near), config, platform.clone()).await.unwrap(), server)
}

type Called = Result<CallToolResult, CallError>;

fn calls(client: &Client, count: usize, platform: &impl Platform) -> Vec<Job<Called>> {
    (0..count).map(|_| spawn(platform, client.call(CallTool::new("t")))).collect()
}

/// More than sockets and threads hold.
fn big() -> CallTool {
    CallTool::new("big").argument("data", "x".repeat(1 << 19))
}

fn is_internal(error: &CallError) -> bool {
    matches!(error, CallError::Peer(error) if error.code == ErrorObject::INTERNAL_ERROR)
}

/// FIELD-BUGS 62, 79; R-LIFE-10.
async fn a_peer_that_is_killed_in_the_middle_of_a_message<H: Host>() {
    leaves_nothing::<H>(async |platform| {
        let (client, mut peer) = connected::<H>(platform).await;
        let calls = calls(&client, 3, platform);
        for _ in 0..3 {
            peer.next().await.unwrap();
        }
        peer.send(r#"{"jsonrpc":"2.0","id":"#).await;
        drop(peer);
        let reason = CloseReason::Eof { unread: 22 };
        for call in calls {
            assert_eq!(call.join().await.unwrap_err(), CallError::Closed(reason.clone()));
        }
        assert_eq!((client.closed().await, client.calls_in_flight()), (reason, 0));
        let late = client.call(CallTool::new("late")).await.unwrap_err();
        assert!(matches!(late, CallError::Send(_)), "{late}");
    })
    .await;
}

async fn a_peer_that_stops_reading_while_deadlines_fire<H: Host>() {
    leaves_nothing::<H>(async |platform| {
        let (near, far) = small_sockets();
        // Five seconds are 50 ms here.
        let platform = Hurried(platform.clone());
        let peer = Peer::new::<H>(far);
        let (client, peer) = pair_over(platform.clone(), H::stream(near), peer).await;
        let (patience, began) = (Duration::from_secs(5), platform.now());
        let timeouts = Timeouts::default().total(patience);
        let blocked = spawn(&platform, client.call(big()).timeouts(timeouts));
        let behind = spawn(&platform, client.call(CallTool::new("t")).timeouts(timeouts));
        for call in [blocked, behind] {
            let error = call.join().await.unwrap_err();
            assert!(matches!(error, CallError::TimedOut(_)), "{error}");
            // No machine is a thousand times slower than this.
            let took = platform.now() - began;
            assert!(took >= patience && took < 400 * patience, "{took:?}");
        }
        assert_eq!(client.calls_in_flight(), 0);
        client.close();
        assert_eq!(client.closed().await, CloseReason::Local);
        drop(peer);
    })
    .await;
}

async fn a_half_close_of_the_client<H: Host>() {
    leaves_nothing::<H>(async |platform| {
        let (near, far) = sockets();
        let config = ServerConfig::new("test", "1.0");
        let mut server = mcp_proto::net::serve(H::stream(far), config, platform.clone());
        let mut client = Peer::new::<H>(near);
        client.send(&talk(&["one", "two"])).await;
        client.hang_up().await;
        let requests = [server.accept().await.unwrap(), server.accept().await.unwrap()];
        let mut next = Box::pin(server.accept());
        assert!(poll_once(&mut next).await.is_none(), "two are worked on");
        // By handlers in tasks of their own.
        for request in requests {
            drop(spawn(platform, async move {
                let call: CallTool = request.params().unwrap();
                request.respond(&CallToolResult::text(call.name)).unwrap();
            }));
        }
        // The end comes when everything is written: a program may exit then.
        assert!(next.await.is_none());
        let answers = client.rest().await;
        assert_eq!(answers.lines().count(), 3, "{answers}");
        for text in [r#""text":"one""#, r#""text":"two""#] {
            assert!(answers.contains(text), "{answers}");
        }
        assert_eq!(server.closed().await, CloseReason::Eof { unread: 0 });
        assert_eq!(server.requests_in_flight(), 0);
    })
    .await;
}

async fn a_half_close_of_the_server<H: Host>() {
    leaves_nothing::<H>(async |platform| {
        let (client, mut peer) = connected::<H>(platform).await;
        let calls = calls(&client, 2, platform);
        let asked = peer.next().await.unwrap();
        peer.next().await.unwrap();
        // What it said before still counts, for the call that it was said to.
        peer.send(&done(&asked.id)).await;
        peer.hang_up().await;
        let mut ended = Vec::new();
        for call in calls {
            ended.push(call.join().await);
        }
        ended.sort_by_key(Result::is_err);
        let [Ok(result), Err(error)] = &ended[..] else { panic!("{ended:?}") };
        assert_eq!(result.content[0].as_text(), Some("done"));
        assert_eq!(*error, CallError::Closed(CloseReason::Eof { unread: 0 }));
        assert_eq!(client.calls_in_flight(), 0);
        // The client has ended its side too.
        while peer.next().await.is_some() {}
    })
    .await;
}

async fn a_last_line_without_its_newline<H: Host>() {
    leaves_nothing::<H>(async |platform| {
        // It is a message, and what follows is the end.
        let (client, mut peer) = connected::<H>(platform).await;
        let call = spawn(platform, client.call(CallTool::new("t")));
        let asked = peer.next().await.unwrap();
        peer.send(done(&asked.id).trim_end()).await;
        peer.hang_up().await;
        assert_eq!(call.join().await.unwrap().content[0].as_text(), Some("done"));
        assert_eq!(client.closed().await, CloseReason::Eof { unread: 0 });

        let (near, far) = sockets();
        let config = ServerConfig::new("test", "1.0");
        let mut server = mcp_proto::net::serve(H::stream(far), config, platform.clone());
        let mut client = Peer::new::<H>(near);
        client.send(talk(&["t"]).trim_end()).await;
        client.hang_up().await;
        let request = server.accept().await.unwrap();
        request.respond(&CallToolResult::text("done")).unwrap();
        assert!(server.accept().await.is_none());
        assert!(client.rest().await.ends_with("}\n"), "what it says itself ends with one");
        assert_eq!(server.closed().await, CloseReason::Eof { unread: 0 });
    })
    .await;
}

async fn the_end_of_the_stream_before_any_response<H: Host>() {
    leaves_nothing::<H>(async |platform| {
        let (near, far) = sockets();
        let (config, mut peer) = (ClientConfig::new("test", "1.0"), Peer::new::<H>(far));
        let connecting = mcp_proto::net::connect(H::stream(near), config, platform.clone());
        let connecting = spawn(platform, connecting);
        peer.next().await.unwrap();
        drop(peer);
        assert_eq!(connecting.join().await.unwrap_err(), CloseReason::Eof { unread: 0 });

        let (client, mut peer) = connected::<H>(platform).await;
        let call = spawn(platform, client.call(CallTool::new("t")));
        peer.next().await.unwrap();
        drop(peer);
        let reason = CloseReason::Eof { unread: 0 };
        assert_eq!(call.join().await.unwrap_err(), CallError::Closed(reason));
        let late = client.call(CallTool::new("late")).await.unwrap_err();
        assert_eq!(late, CallError::Send(SendError::Closed));
    })
    .await;
}

async fn reads_and_writes_of_a_few_bytes<H: Host>() {
    leaves_nothing::<H>(async |platform| {
        let (near, far) = sockets();
        let narrow = |socket, most: usize| {
            let mut len = 0;
            let next = move || {
                len = len % most + 1;
                len
            };
            Narrow::new(H::stream(socket), next)
        };
        let config = ServerConfig::new("test", "1.0").pacing(Pacing::UNLIMITED);
        let mut server = mcp_proto::net::serve(narrow(far, 7), config, platform.clone());
        let serving = spawn(platform, async move {
            let request = server.accept().await.unwrap();
            let call: CallTool = request.params().unwrap();
            for step in 1..=20 {
                request.progress(Progress::new(step.into())).unwrap();
            }
            request.respond(&CallToolResult::text(call.name)).unwrap();
            assert!(server.accept().await.is_none());
        });
        let config = ClientConfig::new("test", "1.0");
        let client =
            mcp_proto::net::connect(narrow(near, 5), config, platform.clone()).await.unwrap();
        let (name, mut seen) = ("long ".repeat(400), 0.0);
        let call = client.call(CallTool::new(name.clone()));
        let result = call.on_progress(|report| seen += report.progress).await.unwrap();
        assert_eq!((result.content[0].as_text(), seen), (Some(name.as_str()), 210.0));
        drop(client);
        serving.join().await;
    })
    .await;
}

async fn a_write_that_fails_half_way<H: Host>() {
    leaves_nothing::<H>(async |platform| {
        let (near, far) = sockets();
        let (near, tear) = Torn::new(H::stream(near));
        let patient = Unhurried(platform.clone());
        let (client, mut peer) = pair_over(patient, near, Peer::new::<H>(far)).await;
        let before = spawn(platform, client.call(CallTool::new("before")));
        let asked = peer.next().await.unwrap();
        tear.after(30);
        let mut calls = [(); 3].map(|()| Box::pin(client.call(CallTool::new("t")).outcome()));
        for call in &mut calls {
            assert!(poll_once(call).await.is_none());
        }
        until(|| "the write fails", || tear.is_over()).await;
        // What the peer says then still counts, until it ends or for 1 s.
        peer.send(&done(&asked.id)).await;
        assert_eq!(before.join().await.unwrap().content[0].as_text(), Some("done"));
        peer.hang_up().await;
        let reason = CloseReason::Eof { unread: 0 };
        for call in calls {
            assert_eq!(call.await.result.unwrap_err(), CallError::Closed(reason.clone()));
        }
        assert_eq!((client.closed().await, client.calls_in_flight()), (reason, 0));
        let said = peer.rest().await;
        assert!(said.len() == 30 && said.starts_with("{"), "not a byte more: {said}");

        // The same of a server, where that second is 10 ms.
        let platform = Hurried(platform.clone());
        let (near, far) = sockets();
        let (far, tear) = Torn::new(H::stream(far));
        let config = ServerConfig::new("test", "1.0");
        let mut server = mcp_proto::net::serve(far, config, platform.clone());
        let mut client = Peer::new::<H>(near);
        client.send(&talk(&["one", "two"])).await;
        let requests = [server.accept().await.unwrap(), server.accept().await.unwrap()];
        assert!(client.line().await.unwrap().contains(r#""id":0"#));
        tear.after(30);
        let [one, two] = requests;
        one.respond(&CallToolResult::text("done")).unwrap();
        two.cancelled().await;
        assert!(two.progress(Progress::new(1.0)).is_err());
        assert!(two.respond(&CallToolResult::text("late")).is_err());
        assert!(server.accept().await.is_none());
        assert_eq!(server.closed().await, CloseReason::Transport);
        let said = client.rest().await;
        assert!(said.len() == 30 && said.starts_with("{"), "not a byte more: {said}");
    })
    .await;
}

async fn a_broken_pipe<H: Host>() {
    leaves_nothing::<H>(async |platform| {
        let (near, far) = sockets();
        let peer = Peer::new::<H>(far.try_clone().unwrap());
        let (client, peer) = pair_over(Hurried(platform.clone()), H::stream(near), peer).await;
        // It reads no more, and what it sends stays open: what it says last is waited for, 1 s at most.
        far.shutdown(std::net::Shutdown::Read).unwrap();
        let error = client.call(CallTool::new("t")).await.unwrap_err();
        assert_eq!(error, CallError::Closed(CloseReason::Transport));
        assert_eq!(client.closed().await, CloseReason::Transport);
        assert_eq!(client.calls_in_flight(), 0);
        drop(peer);
    })
    .await;
}

/// Answers the first call, begins to answer the second, and hangs up with some of it unread, which resets the connection.
fn reset(far: UnixStream, has_asked: &Sender<()>) -> io::Result<()> {
    let mut far = BufReader::new(far);
    let heard = |far: &mut BufReader<UnixStream>| -> io::Result<Asked> {
        let mut line = String::new();
        far.read_line(&mut line)?;
        Ok(Asked::of(RawJson::parse(line).unwrap()))
    };
    let asked = heard(&mut far)?;
    let welcome = r#"{"protocolVersion":"2025-11-25","capabilities":{},"serverInfo":{"name":"t","version":"1"}}"#;
    far.get_mut().write_all(answer(&asked.id, welcome).as_bytes())?;
    heard(&mut far)?;
    let asked = heard(&mut far)?;
    has_asked.try_send(()).unwrap();
    assert!(!far.fill_buf()?.is_empty());
    far.get_mut().write_all((done(&asked.id) + r#"{"jsonrpc":"2.0","id":"#).as_bytes())
}

/// What was said before it still counts.
async fn a_connection_that_is_reset_in_the_middle_of_a_message<H: Host>() {
    leaves_nothing::<H>(async |platform| {
        let (near, far) = sockets();
        let (has_asked, asked) = async_channel::bounded(1);
        let peer = spawn(platform, apart(move || reset(far, &has_asked)));
        let client =
            mcp_proto::net::connect(H::stream(near), config(), platform.clone()).await.unwrap();
        let first = spawn(platform, client.call(CallTool::new("t")));
        asked.recv().await.unwrap();
        let long = CallTool::new("long").argument("data", "x".repeat(20_000));
        let second = spawn(platform, client.call(long));
        assert_eq!(first.join().await.unwrap().content[0].as_text(), Some("done"));
        peer.join().await.unwrap();
        let reason = CloseReason::Transport;
        assert_eq!(second.join().await.unwrap_err(), CallError::Closed(reason.clone()));
        assert_eq!((client.closed().await, client.calls_in_flight()), (reason, 0));
        let trouble = client.last_trouble().unwrap_or_default();
        assert!(trouble.contains("reset"), "{trouble:?}");
    })
    .await;
}

fn config() -> ClientConfig {
    ClientConfig::new("test", "1.0").revisions(Revision::V2025_11_25)
}

async fn a_child_that_ignores_the_end_of_its_input<H: Host>() {
    leaves_nothing::<H>(async |platform| {
        // Whoever holds the other end of this pipe lives.
        let (witness, held) = std::io::pipe().unwrap();
        let spawning = H::spawn(script("read -r call; echo asked >&2; exec sleep 1000"));
        let spawning = spawning.on(platform.clone());
        let child = spawning.stderr(held).grace(GRACE).connect(config()).await.unwrap();
        let call = spawn(platform, child.client.call(CallTool::new("t")));
        let mut witness = apart(move || {
            let mut witness = BufReader::new(witness);
            assert_eq!(witness.read_line(&mut String::new()).unwrap(), "asked\n".len());
            witness
        })
        .await;
        let began = Instant::now();
        assert_eq!(child.shutdown().await.unwrap().signal(), Some(15));
        assert!(began.elapsed() >= GRACE, "it had its time");
        assert_eq!(call.join().await.unwrap_err(), CallError::Closed(CloseReason::Local));
        apart(move || witness.read_to_end(&mut Vec::new()).unwrap()).await;
    })
    .await;
}

async fn a_child_whose_child_holds_the_pipe<H: Host>() {
    leaves_nothing::<H>(async |platform| {
        let (mut witness, held) = std::io::pipe().unwrap();
        let spawning = H::spawn(script("read -r call; sleep 1000 & exit 4")).stderr(held);
        let child = spawning.on(platform.clone()).grace(GRACE).connect(config()).await.unwrap();
        let call = spawn(platform, child.client.call(CallTool::new("t")));
        let reason = CloseReason::Eof { unread: 0 };
        assert_eq!(call.join().await.unwrap_err(), CallError::Closed(reason));
        assert_eq!(child.process.exited().await.unwrap().code(), Some(4));
        apart(move || witness.read_to_end(&mut Vec::new()).unwrap()).await;
    })
    .await;
}

/// FIELD-BUGS 74, 79; R-LIFE-11.
async fn a_thousand_starts_leave_no_descriptor_and_no_zombie<H: Host>() {
    leaves_nothing::<H>(async |platform| {
        // Six times this on each of five runtimes.
        for _ in 0..34 {
            let mut command = Command::new(env!("CARGO_BIN_EXE_served"));
            command.args([H::NAME, "plain"]);
            let spawning = H::spawn(command).on(platform.clone()).on_stderr(|_| {});
            let child = spawning.connect(ClientConfig::new("test", "1.0")).await.unwrap();
            let (client, process) = (child.client.clone(), child.process.clone());
            assert!(child.shutdown().await.unwrap().success());
            assert_eq!(client.closed().await, CloseReason::Local);
            let zombie = format!("/proc/{}", process.id().unwrap());
            assert!(!std::path::Path::new(&zombie).exists(), "it is reaped");
        }
    })
    .await;
}

/// FIELD-BUGS 59, 79; R-CANC-04.
async fn a_call_that_is_dropped<H: Host>() {
    leaves_nothing::<H>(async |platform| {
        let (client, mut peer) = connected::<H>(platform).await;
        let mut call = Box::pin(client.call(CallTool::new("t")).outcome());
        assert!(poll_once(&mut call).await.is_none());
        let asked = peer.next().await.unwrap();
        drop(call);
        assert_eq!(client.calls_in_flight(), 0);
        let cancelled = peer.next().await.unwrap();
        assert_eq!(cancelled.method, "notifications/cancelled");
        let id = cancelled.line.get("params").unwrap().get("requestId").unwrap();
        assert_eq!(id.as_bytes(), asked.id.as_bytes());
        // Its late answer changes nothing, and it was cancelled once: the next call comes next, and then the end.
        peer.send(&done(&asked.id)).await;
        let next = spawn(platform, client.call(CallTool::new("next")));
        let asked = peer.next().await.unwrap();
        assert_eq!(asked.method, "tools/call");
        peer.send(&done(&asked.id)).await;
        assert_eq!(next.join().await.unwrap().content[0].as_text(), Some("done"));
        client.close();
        assert!(peer.next().await.is_none());
    })
    .await;
}

async fn a_client_that_is_dropped<H: Host>() {
    leaves_nothing::<H>(async |platform| {
        let (client, mut server) = both::<H>(platform).await;
        let mut call = Box::pin(client.call(CallTool::new("t")).outcome());
        assert!(poll_once(&mut call).await.is_none());
        let request = server.accept().await.unwrap();
        drop((client, call));
        request.cancelled().await;
        assert!(request.respond(&CallToolResult::text("late")).is_err());
        assert!(server.accept().await.is_none());
        assert_eq!(server.closed().await, CloseReason::Eof { unread: 0 });
        assert_eq!(server.requests_in_flight(), 0);
    })
    .await;
}

/// FIELD-BUGS 60, 79; R-CANC-07.
async fn a_server_that_is_dropped_with_work_in_flight<H: Host>() {
    leaves_nothing::<H>(async |platform| {
        // With requests that are held, which answer by themselves when they are dropped.
        let (client, mut server) = both::<H>(platform).await;
        let calls = calls(&client, 2, platform);
        let held = [server.accept().await.unwrap(), server.accept().await.unwrap()];
        drop(server);
        drop(held);
        for call in calls {
            let error = call.join().await.unwrap_err();
            assert!(is_internal(&error), "{error}");
        }
        assert_eq!(client.closed().await, CloseReason::Eof { unread: 0 });

        // With handlers in tasks of their own, which end with what serves.
        let (near, far) = sockets();
        let (enters, entered) = async_channel::unbounded();
        let stuck = move |_: Context, _: Option<RawJson>| {
            let enters = enters.clone();
            async move {
                enters.send(()).await.unwrap();
                std::future::pending::<CallToolResult>().await
            }
        };
        let (stop, stopped) = async_channel::bounded::<()>(1);
        let serving = mcp_proto::net::run(router("t", stuck), H::stream(far), platform.clone());
        let serving = spawn(
            platform,
            or(async { drop(serving.await) }, async move {
                let _ = stopped.recv().await;
            }),
        );
        let config = ClientConfig::new("test", "1.0");
        let client =
            mcp_proto::net::connect(H::stream(near), config, platform.clone()).await.unwrap();
        let call = spawn(platform, client.call(CallTool::new("t")));
        entered.recv().await.unwrap();
        drop(stop);
        serving.join().await;
        let error = call.join().await.unwrap_err();
        assert!(is_internal(&error), "{error}");
        assert_eq!(client.closed().await, CloseReason::Eof { unread: 0 });
    })
    .await;
}

/// A router with one tool.
fn router<F, O>(name: &str, tool: F) -> Router
where
    F: Fn(Context, Option<RawJson>) -> O + Send + Sync + 'static,
    O: Future<Output = CallToolResult> + Send + 'static,
{
    let schema = RawJson::parse(r#"{"type":"object"}"#).unwrap();
    Router::new("test", "1.0").raw_tool(Tool::new(name, schema), tool)
}

async fn a_handler_that_panics<H: Host>() {
    leaves_nothing::<H>(async |platform| {
        let (near, far) = sockets();
        let tool = async |ctx: Context, _: Option<RawJson>| -> CallToolResult {
            let _ = ctx.progress().report(Progress::new(1.0));
            panic!("this panic is part of the test")
        };
        let serving = mcp_proto::net::run(router("t", tool), H::stream(far), platform.clone());
        let serving = spawn(platform, serving);
        let config = ClientConfig::new("test", "1.0");
        let client =
            mcp_proto::net::connect(H::stream(near), config, platform.clone()).await.unwrap();
        for call in calls(&client, 3, platform) {
            let error = call.join().await.unwrap_err();
            assert!(is_internal(&error), "{error}");
        }
        assert_eq!(client.list_tools().await.unwrap().len(), 1, "the connection lives on");
        drop(client);
        assert_eq!(serving.join().await, CloseReason::Eof { unread: 0 });
    })
    .await;
}

/// FIELD-BUGS 37, 79; R-PROG-13.
async fn a_callback_that_panics_or_fails<H: Host>() {
    leaves_nothing::<H>(async |platform| {
        let (client, mut peer) = connected::<H>(platform).await;
        let answering = spawn(platform, async move {
            for _ in 0..4 {
                let asked = peer.next().await.unwrap();
                let token = asked.token.unwrap();
                let reports: String = (1..=5).map(|value| report(&token, value)).collect();
                peer.send(&(reports + &done(&asked.id))).await;
            }
            peer
        });
        let panics = |_: Progress| -> () { panic!("this panic is part of the test") };
        let outcome = client.call(CallTool::new("t")).on_progress(panics).outcome().await;
        assert_eq!(outcome.listener, Err(ListenerError::Panicked));
        assert_eq!(outcome.result.unwrap().content[0].as_text(), Some("done"));
        let panics =
            |report: Progress| assert!(report.progress < 2.0, "this panic is part of the test");
        let outcome = client.call(CallTool::new("t")).on_progress(panics).outcome().await;
        assert_eq!(outcome.listener, Err(ListenerError::Panicked));
        assert_eq!(outcome.result.unwrap().content[0].as_text(), Some("done"));
        let mut seen = 0;
        let fails = |report: Progress| {
            seen += 1;
            if report.progress < 2.0 { Ok(()) } else { Err("the disk is full") }
        };
        let outcome = client.call(CallTool::new("t")).on_progress(fails).outcome().await;
        assert_eq!(outcome.listener, Err(ListenerError::Failed("the disk is full".into())));
        assert_eq!(outcome.result.unwrap().content[0].as_text(), Some("done"));
        assert_eq!(seen, 2, "after a failure it is not called again");
        let fails = async |_: Progress| Err::<(), _>("no");
        let result = client.call(CallTool::new("t")).on_progress_async(fails).await;
        assert_eq!(result.unwrap().content[0].as_text(), Some("done"));
        assert_eq!(client.calls_in_flight(), 0);
        drop(answering.join().await);
    })
    .await;
}

on_every_runtime!(
    alone:
    a_peer_that_is_killed_in_the_middle_of_a_message,
    a_peer_that_stops_reading_while_deadlines_fire,
    a_half_close_of_the_client,
    a_half_close_of_the_server,
    a_last_line_without_its_newline,
    the_end_of_the_stream_before_any_response,
    reads_and_writes_of_a_few_bytes,
    a_write_that_fails_half_way,
    a_broken_pipe,
    a_connection_that_is_reset_in_the_middle_of_a_message,
    a_child_that_ignores_the_end_of_its_input,
    a_child_whose_child_holds_the_pipe,
    a_thousand_starts_leave_no_descriptor_and_no_zombie,
    a_call_that_is_dropped,
    a_client_that_is_dropped,
    a_server_that_is_dropped_with_work_in_flight,
    a_handler_that_panics,
    a_callback_that_panics_or_fails,
);
