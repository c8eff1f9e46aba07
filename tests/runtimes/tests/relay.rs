//! Relays: a client, a server that passes its calls on, and the server that does the work. Over standard input and output on
//! one hop and HTTP on the other, either way round.
#![cfg(unix)]

use std::fs;
use std::time::Duration;

use futures_lite::future::{or, zip};
use mcp_proto::Timeouts;
use mcp_proto::net::child::Child;
use mcp_proto::net::prelude::*;
use mcp_runtimes_tests::relay::relay;
use mcp_runtimes_tests::tools::{all, reports, tools};
use mcp_runtimes_tests::{
    Cable, Host, Peer, Site, Web, answer, done, on_every_adapter, pair, report, spawn,
};

/// The server of this kind, on the host that is tried.
fn served<H: Host>(kind: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_served"));
    command.arg(H::NAME).args(kind);
    command
}

fn config(revision: Revision) -> ClientConfig {
    ClientConfig::new("test", "1.0").revisions(revision)
}

/// The client of a relay that is a process of its own, before a server on HTTP.
async fn before_http<H: Web>(url: &str, revision: Revision) -> Child {
    H::spawn(served::<H>(&["relay", url])).connect(config(revision)).await.unwrap()
}

/// A relay on HTTP, before a server on a pipe that is spoken by hand.
async fn before_a_peer<H: Web>() -> (Site, Peer) {
    let (inner, mut peer) = pair::<H>().await;
    let list = async {
        let asked = peer.next().await.unwrap();
        assert_eq!(asked.method, "tools/list");
        let tools = r#"{"tools":[{"name":"t","inputSchema":{"type":"object"}}]}"#;
        peer.send(&answer(&asked.id, tools)).await;
    };
    let (router, ()) = zip(relay(&inner), list).await;
    // From here on the relay's handlers are all that holds the client of the peer.
    (Site::with::<H>(router.unwrap(), |server| server), peer)
}

/// The revisions of Streamable HTTP.
const STREAMABLE: [Revision; 4] =
    [Revision::V2025_03_26, Revision::V2025_06_18, Revision::V2025_11_25, Revision::V2026_07_28];

/// FIELD-BUGS 30; R-PROG-03, R-PROG-05.
async fn every_report_passes_a_relay_in_order_before_the_result<H: Web>() {
    let site = Site::with::<H>(tools().0, |server| server);
    for revision in Revision::ALL {
        let child = before_http::<H>(&site.url(), revision).await;
        assert_eq!(reports(&child.client, "steps", |_| ()).await, Ok(all("done")), "{revision}");
        assert!(child.shutdown().await.unwrap().success());
    }
    site.stop().await;
    // And the other way round.
    let child = H::spawn(served::<H>(&["routed"])).connect(ClientConfig::new("relay", "1.0"));
    let child = child.await.unwrap();
    let site = Site::with::<H>(relay(&child.client).await.unwrap(), |server| server);
    for revision in STREAMABLE {
        let client = site.client::<H>(revision).await;
        assert_eq!(reports(&client, "steps", |_| ()).await, Ok(all("done")), "{revision}");
    }
    site.stop().await;
    assert!(child.shutdown().await.unwrap().success());
}

/// FIELD-BUGS 30; R-PROG-02, R-PROG-06.
async fn each_hop_has_a_token_of_its_own<H: Web>() {
    let (site, mut peer) = before_a_peer::<H>().await;
    for revision in STREAMABLE {
        let client = site.client::<H>(revision).await;
        let mut seen = Vec::new();
        let call = client.call(CallTool::new("t")).progress_token("outer");
        let call = call.on_progress(|report| seen.push(report.progress));
        let behind = async {
            let asked = peer.next().await.unwrap();
            assert_eq!(asked.token.as_ref(), Some(&asked.id), "a number of the relay's own");
            for value in 1..=3 {
                peer.send(&report(&asked.id, value)).await;
            }
            peer.send(&done(&asked.id)).await;
        };
        let (result, ()) = zip(call, behind).await;
        assert_eq!(result.unwrap().content[0].as_text(), Some("done"));
        assert_eq!(seen, [1.0, 2.0, 3.0], "{revision}");
    }
    site.stop().await;
    assert_eq!(peer.rest().await, "", "nothing else was said to it");
}

/// FIELD-BUGS 30; R-PROG-08.
async fn who_asks_for_no_progress_has_a_relay_ask_for_none<H: Web>() {
    let (site, mut peer) = before_a_peer::<H>().await;
    for revision in STREAMABLE {
        let client = site.client::<H>(revision).await;
        let behind = async {
            let asked = peer.next().await.unwrap();
            peer.send(&done(&asked.id)).await;
            asked
        };
        let call = client.call(CallTool::new("t").argument("width", 8)).untracked();
        let (result, asked) = zip(call, behind).await;
        result.unwrap();
        assert_eq!(asked.token, None, "{revision}");
        let said = asked.line.to_string();
        assert!(said.contains(r#""arguments":{"width":8}"#), "{said}");
    }
    site.stop().await;
}

/// FIELD-BUGS 30; R-CANC-04, R-CANC-05.
async fn a_call_that_is_dropped_is_cancelled_once_behind_a_relay<H: Web>() {
    let (site, mut peer) = before_a_peer::<H>().await;
    for revision in STREAMABLE {
        let client = site.client::<H>(revision).await;
        let behind = async { Err(peer.next().await.unwrap().id) };
        let call = client.call(CallTool::new("t"));
        let dropped = or(async { Ok(call.await) }, behind).await.unwrap_err();
        let asked = peer.next().await.unwrap();
        assert_eq!(asked.method, "notifications/cancelled", "{revision}");
        let said = asked.line.to_string();
        assert!(said.contains(&format!(r#""requestId":{dropped}"#)), "{said}");
        // What comes next to the server is the next call, and no word of the other.
        let behind = async {
            let asked = peer.next().await.unwrap();
            assert_eq!(asked.method, "tools/call", "{revision}");
            peer.send(&done(&asked.id)).await;
        };
        let (result, ()) = zip(client.call(CallTool::new("t")), behind).await;
        result.unwrap();
    }
    site.stop().await;
    // And the other way round.
    let (router, gate) = tools();
    let site = Site::with::<H>(router, |server| server);
    for revision in Revision::ALL {
        let child = before_http::<H>(&site.url(), revision).await;
        let other = spawn(&H::platform(), child.client.call(CallTool::new("wait")));
        gate.entered.recv().await.unwrap();
        let call = child.client.call(CallTool::new("wait"));
        let entered = async {
            gate.entered.recv().await.unwrap();
            None
        };
        assert!(or(async { Some(call.await) }, entered).await.is_none(), "{revision}");
        gate.cancelled.recv().await.unwrap();
        // The other one goes on.
        gate.open.send(()).await.unwrap();
        other.join().await.unwrap();
        assert!(gate.cancelled.is_empty(), "{revision}: once");
        assert!(child.shutdown().await.unwrap().success());
    }
    site.stop().await;
}

/// FIELD-BUGS 30; R-LIFE-10.
async fn a_server_that_is_gone_behind_a_relay_ends_the_call_with_an_error<H: Web>() {
    let (site, mut peer) = before_a_peer::<H>().await;
    let client = site.client::<H>(Revision::V2025_11_25).await;
    let behind = async {
        peer.next().await.unwrap();
        drop(peer);
    };
    let (ended, ()) = zip(client.call(CallTool::new("t")), behind).await;
    let error = ended.unwrap_err();
    assert!(matches!(error, CallError::Peer(_)), "{error:?}");
    assert!(error.to_string().contains("the connection ended"), "{error}");
    site.stop().await;
    // And the other way round.
    let (router, gate) = tools();
    let site = Site::with::<H>(router, |server| server);
    let cable = Cable::to(site.address);
    let child =
        before_http::<H>(&format!("http://{}/mcp", cable.address), Revision::V2025_11_25).await;
    let behind = async {
        gate.entered.recv().await.unwrap();
        cable.cut();
    };
    let (ended, ()) = zip(child.client.call(CallTool::new("wait")), behind).await;
    assert!(matches!(ended, Err(CallError::Peer(_))), "{ended:?}");
    assert!(child.shutdown().await.unwrap().success());
    site.stop().await;
}

on_every_adapter!(
    every_report_passes_a_relay_in_order_before_the_result,
    each_hop_has_a_token_of_its_own,
    who_asks_for_no_progress_has_a_relay_ask_for_none,
    a_call_that_is_dropped_is_cancelled_once_behind_a_relay,
    a_server_that_is_gone_behind_a_relay_ends_the_call_with_an_error,
);

/// A tool that reports every two seconds, `reports` times, and is done four seconds later.
fn slow(reports: u32) -> Router {
    let schema = RawJson::parse(r#"{"type":"object"}"#).unwrap();
    Router::new("slow", "1.0").raw_tool(Tool::new("t", schema), move |ctx: Context, _| async move {
        for step in 1..=reports {
            tokio::time::sleep(Duration::from_secs(2)).await;
            ctx.progress().report(Progress::new(step.into()))?;
        }
        tokio::time::sleep(Duration::from_secs(4)).await;
        Ok::<_, ToolError>("done")
    })
}

/// A client of a router, over a pipe.
async fn piped(router: Router, config: ClientConfig) -> Client {
    let (near, far) = tokio::io::duplex(1 << 10);
    let (reader, writer) = tokio::io::split(far);
    tokio::spawn(mcp_tokio::run(router, reader, writer));
    let (reader, writer) = tokio::io::split(near);
    mcp_tokio::connect(reader, writer, config).await.unwrap()
}

/// FIELD-BUGS 30, 49; R-PROG-21, R-TIME-03. On Tokio alone, whose clock can be paused.
#[test]
fn reports_from_behind_a_relay_re_arm_the_deadline_of_who_asks_and_the_relay_has_none() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        // The relay's own deadlines are shorter than the work, and may not count.
        let patience =
            Timeouts::default().idle(Duration::from_secs(1)).total(Duration::from_secs(3));
        for (idle, reports, is_done) in
            [(5, 100, true), (3, 100, false), (3, 0, false), (5, 0, true)]
        {
            let inner = ClientConfig::new("relay", "1.0").timeouts(patience);
            let router = relay(&piped(slow(reports), inner).await).await.unwrap();
            let client = piped(router, ClientConfig::new("test", "1.0")).await;
            let began = tokio::time::Instant::now();
            let idle = Duration::from_secs(idle);
            let timeouts = Timeouts::default().idle(idle);
            let called = client.call(CallTool::new("t")).timeouts(timeouts).await;
            // The last report, and four seconds more or the deadline.
            let last = Duration::from_secs(2) * reports;
            match called {
                Ok(_) => assert!(is_done && began.elapsed() >= last + Duration::from_secs(4)),
                Err(CallError::TimedOut(_)) => {
                    assert!(!is_done && (last + idle..last + 2 * idle).contains(&began.elapsed()));
                }
                Err(error) => panic!("{error:?}"),
            }
        }
    });
}

#[test]
fn the_page_has_the_lines_that_are_tried_here() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    let page = fs::read_to_string(format!("{root}/docs/embedding.md")).unwrap();
    let lines = include_str!("../src/relay.rs");
    let (_, handler) = lines.split_once("async fn forward").unwrap();
    assert!(page.contains(handler.trim_end()), "the handler differs");
    let plain: Vec<_> = lines.lines().map(|line| line.trim_start_matches("pub ")).collect();
    let begins = plain.iter().position(|line| line.starts_with("async fn relay")).unwrap();
    assert!(page.contains(&plain[begins..].join("\n")), "the router differs");
}
