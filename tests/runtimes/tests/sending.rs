//! What several threads send at once is whole messages on the wire, one after the other, and nobody's is lost.
#![cfg(unix)]

use std::sync::{Arc, Mutex};

use futures_lite::future::{block_on, poll_once, zip};
use mcp_proto::net::prelude::*;
use mcp_runtimes_tests::{
    Host, Narrow, Peer, at_once, done, on_every_runtime, pair_over, sockets, talk,
};

const THREADS: usize = 4;
const CALLS: usize = 50;
const STEPS: u32 = 200;

/// A stream that writes at most some hundred bytes at a time, so that a message leaves in many pieces.
fn pieces<H: Host>(socket: std::os::unix::net::UnixStream) -> Narrow<impl FnMut() -> usize> {
    let mut len = 0;
    Narrow::new(H::stream(socket), move || {
        len = len % 331 + 17;
        len
    })
}

async fn calls_of_many_threads_are_whole_lines_and_each_gets_its_own_result<H: Host>() {
    let (near, far) = sockets();
    let (client, mut peer) = pair_over(H::platform(), pieces::<H>(near), Peer::new::<H>(far)).await;
    let calling = at_once(THREADS, move |thread| {
        let begin = |n| {
            let call = CallTool::new(format!("{thread}-{n}")).argument("data", "x".repeat(1_000));
            let mut call = Box::pin(client.call(call).outcome());
            let early = block_on(poll_once(&mut call));
            (call, early)
        };
        // All of them leave before the first is waited for.
        let calls: Vec<_> = (0..CALLS).map(begin).collect();
        for (n, (call, early)) in calls.into_iter().enumerate() {
            let result = early.unwrap_or_else(|| block_on(call)).result.unwrap();
            assert_eq!(result.content[0].as_text(), Some(&*format!("{thread}-{n}")));
        }
    });
    let answering = async {
        let mut next = [0; THREADS];
        for _ in 0..THREADS * CALLS {
            // A line that is no whole message is no JSON.
            let asked = peer.next().await.unwrap();
            assert_eq!(asked.method, "tools/call");
            let call: CallTool = asked.line.get("params").unwrap().decode().unwrap();
            let (thread, n) = call.name.split_once('-').unwrap();
            let (thread, n): (usize, usize) = (thread.parse().unwrap(), n.parse().unwrap());
            assert_eq!(n, next[thread], "each thread's in their order, and each once");
            next[thread] += 1;
            peer.send(&done(&asked.id).replace("done", &call.name)).await;
        }
    };
    zip(calling, answering).await;
    // The client has gone with its threads.
    assert!(peer.next().await.is_none(), "nothing else was said");
}

async fn answers_of_many_threads_are_whole_lines_and_reports_stand_before_their_own<H: Host>() {
    let (near, far) = sockets();
    let config = ServerConfig::new("test", "1.0").pacing(Pacing::UNLIMITED);
    let mut server = mcp_proto::net::serve(pieces::<H>(far), config, H::platform());
    let mut peer = Peer::new::<H>(near);
    let with_token = |line: &str| match line.split_once(r#","params":{"name""#) {
        Some((ask, name)) => {
            let id = ask.split_once(r#""id":"#).unwrap().1.split(',').next().unwrap();
            format!(r#"{ask},"params":{{"_meta":{{"progressToken":{id}}},"name"{name}"#)
        }
        None => line.to_owned(),
    };
    let lines: Vec<_> = talk(&["t"; THREADS]).lines().map(with_token).collect();
    peer.send(&(lines.join("\n") + "\n")).await;
    let mut requests = Vec::new();
    for _ in 0..THREADS {
        requests.push(Some(server.accept().await.unwrap()));
    }
    let requests = Arc::new(Mutex::new(requests));
    let working = at_once(THREADS, move |thread| {
        let request = requests.lock().unwrap()[thread].take().unwrap();
        for step in 1..=STEPS {
            let report = Progress::new(step.into()).message("y".repeat(300));
            request.progress(report).unwrap();
        }
        request.respond(&CallToolResult::text("x".repeat(1_000))).unwrap();
    });
    let reading = async {
        assert!(peer.line().await.unwrap().contains(r#""id":0"#));
        let (mut last, mut answered) = ([0; THREADS], 0);
        while answered < THREADS {
            let said = peer.next().await.unwrap();
            let number = |path: &[&str]| -> usize {
                let value =
                    path.iter().fold(said.line.as_raw(), |raw, name| raw.get(name).unwrap());
                value.as_f64().unwrap() as usize
            };
            if said.method.is_empty() {
                let id = number(&["id"]);
                assert_eq!(last[id - 1], STEPS as usize, "the last report stands before");
                last[id - 1] = usize::MAX;
                answered += 1;
            } else {
                let id = number(&["params", "progressToken"]);
                let step = number(&["params", "progress"]);
                assert!(step > last[id - 1], "{step} behind {}", last[id - 1]);
                last[id - 1] = step;
            }
        }
    };
    zip(working, reading).await;
    drop(server);
    assert!(peer.next().await.is_none(), "nothing else was said");
}

on_every_runtime!(
    calls_of_many_threads_are_whole_lines_and_each_gets_its_own_result,
    answers_of_many_threads_are_whole_lines_and_reports_stand_before_their_own,
);
