//! Faults of HTTP on every adapter: servers and clients that are gone, connections that are cut, readers that stop.
#![cfg(unix)]

use std::future::pending;
use std::io::{ErrorKind, Read};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_lite::future::or;
use mcp_proto::HttpError;
use mcp_proto::http::{Access, ClientOptions, ServerOptions};
use mcp_proto::net::prelude::*;
use mcp_runtimes_tests::tools::{POURED, STEPS, all, reports, tools};
use mcp_runtimes_tests::{Cable, Shelf, Site, Web, apart, by_hand, on_every_adapter, spawn, until};

/// A client that comes back soon, and tries so often.
async fn client<H: Web>(address: SocketAddr, revision: Revision, max_tries: u32) -> Client {
    let mut options = ClientOptions::default();
    options.max_tries = max_tries;
    options.retry_bounds.0 = Duration::from_millis(10);
    (options.first_wait, options.longest_wait) = (options.retry_bounds.0, options.retry_bounds.0);
    let config = ClientConfig::new("test", "1.0").revisions(revision);
    let connector = H::connector().options(options);
    connector.connect(&format!("http://{address}/mcp"), config).await.unwrap()
}

/// FIELD-BUGS 48, 63; R-LIFE-10, R-TIME-04.
async fn a_server_that_is_gone_in_the_middle_ends_each_call_with_its_reason<H: Web>() {
    let (router, gate) = tools();
    let site = Site::with::<H>(router, |server| server);
    for revision in [Revision::V2025_06_18, Revision::V2025_11_25, Revision::V2026_07_28] {
        let cable = Cable::to(site.address);
        let client = client::<H>(cable.address, revision, 3).await;
        let calls = [(); 3].map(|()| spawn(&H::platform(), client.call(CallTool::new("wait"))));
        for _ in &calls {
            gate.entered.recv().await.unwrap();
        }
        cable.cut();
        for call in calls {
            let error = call.join().await.unwrap_err();
            assert!(matches!(error, CallError::Http(_)), "{revision}: {error:?}");
        }
        // Nobody is there for the next either.
        let error = client.call(CallTool::new("wait")).await.unwrap_err();
        assert!(
            matches!(error, CallError::Http(_) | CallError::Closed(_)),
            "{revision}: {error:?}"
        );
        // Without a session the next call finds a new connection once there can be one.
        if revision == Revision::V2026_07_28 {
            cable.mend();
            assert_eq!(reports(&client, "steps", |_| ()).await, Ok(all("done")));
        }
    }
    // In the modern era hanging up cancels; before, the work goes on for who may come back.
    for _ in 0..3 {
        gate.cancelled.recv().await.unwrap();
    }
    assert!(gate.cancelled.is_empty());
    for _ in 0..6 {
        gate.open.send(()).await.unwrap();
    }
    until(|| gate.open.len(), || gate.open.is_empty()).await;
    assert!(gate.cancelled.is_empty());
    site.stop().await;
}

/// FIELD-BUGS 78; R-RESU-03, R-RESU-04.
async fn a_connection_that_is_cut_in_the_middle_loses_no_report<H: Web>() {
    for (kept, is_whole) in [(64, true), (4, false)] {
        let ((router, gate), shelf) = (tools(), Shelf::of(kept));
        let store = shelf.clone();
        let site = Site::with::<H>(router, |server| server.replay(store));
        let cable = Cable::to(site.address);
        let client = client::<H>(cable.address, Revision::V2025_11_25, 1_000).await;
        let resumptions = Arc::new(AtomicUsize::new(0));
        let counter = resumptions.clone();
        // The stream for what belongs to no call is cut too.
        client.on_resumption(move |call| {
            counter.fetch_add(call.is_some().into(), Ordering::Relaxed);
        });
        // Half is there, and the rest is sent, and lost on its way.
        let calling = reports(&client, "slow", |step| {
            if step == f64::from(STEPS / 2) {
                cable.swallow();
                gate.open.try_send(()).unwrap();
            }
        });
        let mending = async {
            until(|| "not all is said", || cable.has_swallowed("\"result\"")).await;
            cable.cut();
            cable.mend();
        };
        let (called, ()) = futures_lite::future::zip(calling, mending).await;
        match called {
            Ok(seen) => assert!(is_whole && seen == all("done"), "{seen:?}"),
            Err(error) => assert_eq!((error, is_whole), (CallError::Http(HttpError::Cut), false)),
        }
        assert_eq!(shelf.asked(), 1, "the store was asked");
        assert_eq!(resumptions.load(Ordering::Relaxed), usize::from(is_whole));
        drop(client);
        site.stop().await;
    }
}

/// FIELD-BUGS 63; R-LIFE-10.
async fn a_server_that_is_dropped_ends_each_call_with_its_reason<H: Web>() {
    let (router, gate) = tools();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (drops, dropped) = async_channel::bounded::<()>(1);
    let serving = H::run_http(listener, router, ServerOptions::default(), pending());
    let until = async move {
        let _ = dropped.recv().await;
        Ok(())
    };
    let serving = spawn(&H::platform(), or(serving, until));
    let mut calls = Vec::new();
    for revision in [Revision::V2025_06_18, Revision::V2025_11_25, Revision::V2026_07_28] {
        let client = client::<H>(address, revision, 3).await;
        calls.push(spawn(&H::platform(), client.call(CallTool::new("wait"))));
        gate.entered.recv().await.unwrap();
    }
    drop(drops);
    serving.join().await.unwrap();
    for call in calls {
        let error = call.join().await.unwrap_err();
        assert!(matches!(error, CallError::Http(_) | CallError::Closed(_)), "{error:?}");
        gate.left.recv().await.unwrap();
    }
}

/// FIELD-BUGS 78; R-HTTP-18, R-HTTP-20.
async fn a_tool_may_send_its_client_away_and_nothing_is_missing_when_it_comes_back<H: Web>() {
    let mut options = ServerOptions::default();
    options.retry = Duration::from_millis(100);
    let site = Site::with::<H>(tools().0, |server| server.options(options));
    for (revision, how) in [(Revision::V2025_11_25, "parted"), (Revision::V2026_07_28, "stayed")] {
        let client = site.client::<H>(revision).await;
        assert_eq!(reports(&client, "part", |_| ()).await, Ok(all(how)), "{revision}");
    }
    site.stop().await;
}

/// FIELD-BUGS 66; R-HTTP-28.
async fn one_who_reads_nothing_delays_nobody_else<H: Web>() {
    let (router, gate) = tools();
    let site = Site::with::<H>(router, |server| server);
    let mut stalled = Vec::new();
    for _ in 0..4 {
        stalled.push(by_hand::call(site.address, "pour"));
        // Its tool has said all that it has to say, most of which waits or is merged.
        gate.entered.recv().await.unwrap();
    }
    for revision in [Revision::V2025_11_25, Revision::V2026_07_28] {
        let client = site.client::<H>(revision).await;
        assert_eq!(reports(&client, "steps", |_| ()).await, Ok(all("done")));
    }
    // They get the newest report and the result once they read.
    for _ in &stalled {
        gate.open.send(()).await.unwrap();
    }
    for mut stream in stalled {
        let read = apart(move || {
            let (mut read, mut buffer, mut new) = (Vec::new(), [0; 1 << 16], 0);
            while !read[new..].windows(8).any(|part| part == b"\"result\"") {
                new = read.len().saturating_sub(7);
                match stream.read(&mut buffer).unwrap() {
                    0 => break,
                    len => read.extend_from_slice(&buffer[..len]),
                }
            }
            String::from_utf8(read).unwrap()
        })
        .await;
        assert!(read.contains(&format!("\"progress\":{POURED},")), "the last report is there");
        assert!(read.contains("\"result\""), "{}", read.len());
    }
    site.stop().await;
}

async fn a_server_that_others_reach_must_know_its_names<H: Web>() {
    let router = || Router::new("test", "1.0");
    let bind = || TcpListener::bind("0.0.0.0:0").unwrap();
    let options = ServerOptions::default();
    let refused = H::run_http(bind(), router(), options, pending()).await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::InvalidInput);
    let options = ServerOptions::default().access(Access::local().host("mcp.example.com"));
    H::run_http(bind(), router(), options, async {}).await.unwrap();
}

/// FIELD-BUGS 57, 58, 59; R-CANC-05, R-CANC-14.
async fn a_client_that_is_gone_cancels_in_the_modern_era<H: Web>() {
    let (router, gate) = tools();
    let site = Site::with::<H>(router, |server| server);
    let stream = by_hand::call(site.address, "wait");
    gate.entered.recv().await.unwrap();
    drop(stream);
    gate.cancelled.recv().await.unwrap();
    // A call that is given up is cancelled in every revision.
    for revision in [Revision::V2025_03_26, Revision::V2025_11_25, Revision::V2026_07_28] {
        let client = site.client::<H>(revision).await;
        let calling = client.call(CallTool::new("wait"));
        let leaving = async {
            gate.entered.recv().await.unwrap();
            None
        };
        let ended = futures_lite::future::or(async { Some(calling.await) }, leaving).await;
        assert!(ended.is_none(), "{revision}: {ended:?}");
        gate.cancelled.recv().await.unwrap();
    }
    site.stop().await;
}

/// FIELD-BUGS 60; R-SESS-07, R-CANC-07. Sessions lived on, and their handlers with them.
async fn a_client_that_closes_cancels_each_of_its_calls_once<H: Web>() {
    let (router, gate) = tools();
    let site = Site::with::<H>(router, |server| server);
    for revision in
        [Revision::V2025_03_26, Revision::V2025_06_18, Revision::V2025_11_25, Revision::V2026_07_28]
    {
        // One beside it goes on.
        let other = site.client::<H>(revision).await;
        let going_on = spawn(&H::platform(), other.call(CallTool::new("wait")));
        gate.entered.recv().await.unwrap();
        let client = site.client::<H>(revision).await;
        let calls = [(); 3].map(|()| spawn(&H::platform(), client.call(CallTool::new("wait"))));
        for _ in &calls {
            gate.entered.recv().await.unwrap();
        }
        client.close();
        for call in calls {
            let error = call.join().await.unwrap_err();
            assert_eq!(error, CallError::Closed(CloseReason::Local), "{revision}");
            gate.cancelled.recv().await.unwrap();
            gate.left.recv().await.unwrap();
        }
        client.closed().await;
        gate.open.send(()).await.unwrap();
        going_on.join().await.unwrap();
        gate.left.recv().await.unwrap();
        assert!(gate.cancelled.is_empty(), "{revision}: each once");
    }
    site.stop().await;
    assert!(gate.cancelled.is_empty() && gate.left.is_empty());
}

async fn a_server_that_stops_finishes_what_is_under_way_within_its_limit<H: Web>() {
    for revision in [Revision::V2025_11_25, Revision::V2026_07_28] {
        let (router, gate) = tools();
        let site = Site::with::<H>(router, |server| server);
        let client = site.client::<H>(revision).await;
        let address = site.address;
        let stopping = async {
            gate.entered.recv().await.unwrap();
            site.tell();
            // The socket is closed first of all.
            while TcpStream::connect(address).is_ok() {
                futures_lite::future::yield_now().await;
            }
            assert!(!site.is_over(), "a call is under way");
            gate.open.send(()).await.unwrap();
        };
        let calling = reports(&client, "slow", |_| ());
        let (called, ()) = futures_lite::future::zip(calling, stopping).await;
        assert_eq!(called, Ok(all("done")), "{revision}");
        site.stop().await;
    }
    for revision in [Revision::V2025_11_25, Revision::V2026_07_28] {
        let (router, gate) = tools();
        let site = Site::with::<H>(router, |server| server.grace(Duration::ZERO));
        let client = client::<H>(site.address, revision, 3).await;
        let calling = spawn(&H::platform(), client.call(CallTool::new("wait")));
        gate.entered.recv().await.unwrap();
        site.stop().await;
        // Its handler is told where nothing else happens meanwhile, and is gone everywhere.
        gate.left.recv().await.unwrap();
        if H::NAME == "tokio_current_thread" {
            gate.cancelled.recv().await.unwrap();
        }
        // As a last word, if there is time for one.
        let error = calling.join().await.unwrap_err();
        assert!(matches!(error, CallError::Peer(_) | CallError::Http(_)), "{error:?}");
    }
}

on_every_adapter!(
    a_server_that_is_gone_in_the_middle_ends_each_call_with_its_reason,
    a_server_that_is_dropped_ends_each_call_with_its_reason,
    a_connection_that_is_cut_in_the_middle_loses_no_report,
    a_tool_may_send_its_client_away_and_nothing_is_missing_when_it_comes_back,
    one_who_reads_nothing_delays_nobody_else,
    a_client_that_is_gone_cancels_in_the_modern_era,
    a_client_that_closes_cancels_each_of_its_calls_once,
    a_server_that_stops_finishes_what_is_under_way_within_its_limit,
    a_server_that_others_reach_must_know_its_names,
);
