//! A connection that is closed twice, from two threads, from a callback or a handler, and during the handshake: it ends once,
//! and every time in the same way. Nothing is left, which is counted.
#![cfg(target_os = "linux")] // where what a process holds is a file to read

use std::sync::Arc;

use futures_lite::future::block_on;
use mcp_proto::net::prelude::*;
use mcp_runtimes_tests::{
    Counted, Host, Job, Peer, at_once, leaves_nothing, on_every_runtime, pair_over, report,
    sockets, spawn, talk,
};

/// A client on a platform, and its peer.
async fn connected<H: Host>(platform: &Counted<H::Platform>) -> (Client, Peer) {
    let (near, far) = sockets();
    pair_over(platform.clone(), H::stream(near), Peer::new::<H>(far)).await
}

/// A server on a platform, and its client.
fn served<H: Host>(platform: &Counted<H::Platform>) -> (Peer, Server) {
    let (near, far) = sockets();
    let config = ServerConfig::new("test", "1.0");
    let server = mcp_proto::net::serve(H::stream(far), config, platform.clone());
    (Peer::new::<H>(near), server)
}

/// Closes it, twice in each of two threads, and once more when it has ended.
async fn close_client(client: &Client) {
    let closing = client.clone();
    let reasons = at_once(2, move |_| {
        closing.close();
        closing.close();
        block_on(closing.closed())
    });
    assert_eq!(reasons.await, [CloseReason::Local, CloseReason::Local]);
    has_closed(client).await;
}

async fn close_server(server: Server) {
    let server = Arc::new(server);
    let closing = server.clone();
    let reasons = at_once(2, move |_| {
        closing.close();
        closing.close();
        block_on(closing.closed())
    });
    assert_eq!(reasons.await, [CloseReason::Local, CloseReason::Local]);
    server.close();
    assert_eq!(server.closed().await, CloseReason::Local);
    assert_eq!(server.requests_in_flight(), 0);
}

async fn has_closed(client: &Client) {
    client.close();
    assert_eq!(client.closed().await, CloseReason::Local);
    assert_eq!(client.calls_in_flight(), 0);
    let late = client.call(CallTool::new("late")).await.unwrap_err();
    assert_eq!(late, CallError::Send(SendError::Closed));
}

/// The other end hears of it.
async fn has_hung_up(mut peer: Peer) {
    while peer.line().await.is_some() {}
}

type Called = Job<Result<CallToolResult, CallError>>;

/// A call in a task of its own, that has arrived.
async fn call<H: Host>(
    platform: &Counted<H::Platform>,
    client: &Client,
    peer: &mut Peer,
) -> Called {
    let call = spawn(platform, client.call(CallTool::new("t")));
    assert_eq!(peer.next().await.unwrap().method, "tools/call");
    call
}

async fn is_closed(call: Called) {
    assert_eq!(call.join().await.unwrap_err(), CallError::Closed(CloseReason::Local));
}

async fn a_client_is_closed_twice_by_each_of_two_threads<H: Host>() {
    leaves_nothing::<H>(async |platform| {
        let (client, mut peer) = connected::<H>(platform).await;
        let calls = [
            call::<H>(platform, &client, &mut peer).await,
            call::<H>(platform, &client, &mut peer).await,
        ];
        close_client(&client).await;
        for call in calls {
            is_closed(call).await;
        }
        has_hung_up(peer).await;
    })
    .await;
}

async fn a_server_is_closed_twice_by_each_of_two_threads<H: Host>() {
    leaves_nothing::<H>(async |platform| {
        let (mut peer, mut server) = served::<H>(platform);
        peer.send(&talk(&["t"])).await;
        let request = server.accept().await.unwrap();
        close_server(server).await;
        assert!(request.is_cancelled());
        assert!(request.respond(&CallToolResult::text("late")).is_err());
        let said = peer.rest().await;
        assert!(said.contains(r#""id":0"#) && !said.contains(r#""id":1"#), "{said}");
    })
    .await;
}

/// FIELD-BUGS 81; R-STDIO-06.
async fn a_client_is_closed_in_its_callbacks<H: Host>() {
    leaves_nothing::<H>(async |platform| {
        // While a report is heard, which is the last one then.
        let (client, mut peer) = connected::<H>(platform).await;
        let (closing, (hears, heard)) = (client.clone(), async_channel::unbounded());
        let calling = client.call(CallTool::new("t")).delivery(Delivery::Every);
        let calling = calling.on_progress(move |report| {
            hears.try_send(report.progress).unwrap();
            closing.close();
            closing.close();
        });
        let calling = spawn(platform, calling.into_future());
        let asked = peer.next().await.unwrap();
        peer.send(&report(&asked.token.unwrap(), 1)).await;
        is_closed(calling).await;
        assert_eq!((heard.recv().await, heard.try_recv().is_err()), (Ok(1.0), true));
        has_closed(&client).await;
        has_hung_up(peer).await;

        // While a message of the server's is heard, or is none.
        let log = r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"now"}}"#;
        for line in [log, "no message"] {
            let (client, mut peer) = connected::<H>(platform).await;
            let calling = call::<H>(platform, &client, &mut peer).await;
            let closing = client.clone();
            client.on_log(move |_| {
                closing.close();
                closing.close();
            });
            let closing = client.clone();
            client.on_violation(move |_| {
                closing.close();
                closing.close();
            });
            peer.send(&format!("{line}\n")).await;
            is_closed(calling).await;
            has_closed(&client).await;
            has_hung_up(peer).await;
        }
    })
    .await;
}

async fn a_server_is_closed_in_a_handler<H: Host>() {
    leaves_nothing::<H>(async |platform| {
        let (mut peer, mut server) = served::<H>(platform);
        peer.send(&talk(&["t"])).await;
        let mut handled = 0;
        while let Some(request) = server.accept().await {
            handled += 1;
            server.close();
            server.close();
            assert!(request.respond(&CallToolResult::text("late")).is_err());
        }
        assert_eq!(handled, 1);
        close_server(server).await;
        let said = peer.rest().await;
        assert!(said.contains(r#""id":0"#) && !said.contains(r#""id":1"#), "{said}");
    })
    .await;
}

async fn either_side_is_closed_twice_during_the_handshake<H: Host>() {
    leaves_nothing::<H>(async |platform| {
        let ((near, far), config) = (sockets(), ClientConfig::new("test", "1.0"));
        let mut peer = Peer::new::<H>(far);
        let client = mcp_proto::net::client(H::stream(near), config, platform.clone(), |_| ());
        let waiting = client.clone();
        let ready = spawn(platform, async move { waiting.ready().await });
        let held = spawn(platform, client.call(CallTool::new("t")));
        peer.next().await.unwrap();
        close_client(&client).await;
        assert_eq!(ready.join().await.unwrap_err(), CloseReason::Local);
        let error = held.join().await.unwrap_err();
        // It had been called before, or not yet.
        let is_late = error == CallError::Send(SendError::Closed);
        assert!(is_late || error == CallError::Closed(CloseReason::Local), "{error}");
        has_hung_up(peer).await;

        let (mut peer, server) = served::<H>(platform);
        let talk = talk(&[]);
        peer.send(&talk[..talk.len() / 2]).await;
        close_server(server).await;
        has_hung_up(peer).await;
    })
    .await;
}

on_every_runtime!(
    alone:
    a_client_is_closed_twice_by_each_of_two_threads,
    a_server_is_closed_twice_by_each_of_two_threads,
    a_client_is_closed_in_its_callbacks,
    a_server_is_closed_in_a_handler,
    either_side_is_closed_twice_during_the_handshake,
);
