//! Connections that are cut in the middle of a call.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use mcp_tokio::http::ServerOptions;
use mcp_tokio::{CallError, Revision};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::world::{STEPS, World, call, connect, soon};

/// What lies between a client and a server: it passes bytes on, until it cuts every connection.
struct Cable {
    address: SocketAddr,
    cuts: watch::Sender<usize>,
}

impl Cable {
    async fn new(to: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (cuts, cut) = watch::channel(0);
        tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let mut cut = cut.clone();
                cut.mark_unchanged();
                tokio::spawn(async move {
                    let Ok(mut far) = TcpStream::connect(to).await else { return };
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
                        _ = cut.changed() => {}
                    }
                });
            }
        });
        Self { address, cuts }
    }

    fn cut(&self) {
        self.cuts.send_modify(|cuts| *cuts += 1);
    }
}

#[tokio::test]
async fn a_cut_stream_is_taken_up_again_and_no_report_is_missing() {
    let world = World::new().await;
    let cable = Cable::new(world.address).await;
    let client = connect(&format!("http://{}/mcp", cable.address), Revision::V2025_11_25).await;
    let resumptions = Arc::new(AtomicUsize::new(0));
    let counter = resumptions.clone();
    // The stream for what belongs to no call is cut too.
    client.on_resumption(move |call| {
        counter.fetch_add(call.is_some().into(), Ordering::Relaxed);
    });
    let mut seen = Vec::new();
    let calling = client.call(call("slow")).on_progress(|report| {
        seen.push(report.progress);
        if seen.len() == STEPS as usize / 2 {
            cable.cut();
            world.gate.open.notify_waiters();
        }
    });
    let result = soon(calling).await.unwrap();
    assert_eq!(result.content[0].as_text(), Some("done"));
    assert_eq!(seen, (1..=STEPS).map(f64::from).collect::<Vec<_>>());
    assert_eq!(resumptions.load(Ordering::Relaxed), 1);
    drop(client);
    world.end().await;
}

#[tokio::test]
async fn a_cut_exchange_of_the_modern_era_is_lost_and_says_so() {
    let world = World::new().await;
    let cable = Cable::new(world.address).await;
    let client = connect(&format!("http://{}/mcp", cable.address), Revision::V2026_07_28).await;
    let mut seen = 0;
    let calling = client.call(call("wait")).on_progress(|_| seen += 1);
    let cutting = async {
        soon(world.gate.entered.one_more()).await;
        cable.cut();
    };
    let (result, ()) = soon(async { tokio::join!(calling, cutting) }).await;
    assert!(matches!(result.unwrap_err(), CallError::Http(_)));
    // To the server that was the client hanging up.
    soon(world.gate.cancelled.one_more()).await;
    // The next call finds a new connection.
    soon(client.call(call("steps"))).await.unwrap();
    world.end().await;
}

#[tokio::test]
async fn a_tool_may_send_its_client_away_and_nothing_is_missing_when_it_comes_back() {
    let mut options = ServerOptions::default();
    options.retry = Duration::from_millis(100);
    let world = World::with(|server| server.options(options)).await;
    for (revision, how) in [(Revision::V2025_11_25, "parted"), (Revision::V2026_07_28, "stayed")] {
        let client = connect(&world.url(), revision).await;
        let mut seen = Vec::new();
        let calling = client.call(call("part")).on_progress(|report| seen.push(report.progress));
        let result = soon(calling).await.unwrap();
        assert_eq!(result.content[0].as_text(), Some(how));
        assert_eq!(seen, (1..=STEPS).map(f64::from).collect::<Vec<_>>());
    }
    world.end().await;
}
