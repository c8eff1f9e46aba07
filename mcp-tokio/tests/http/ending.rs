//! The orderly end of a server.

use std::io::ErrorKind;
use std::time::Duration;

use mcp_tokio::http::{self, Access, ServerOptions};
use mcp_tokio::{Revision, Router};
use tokio::net::{TcpListener, TcpStream};

use crate::world::{STEPS, World, call, connect, soon};

#[tokio::test]
async fn what_is_under_way_is_finished_and_nobody_new_is_let_in() {
    for revision in [Revision::V2025_11_25, Revision::V2026_07_28] {
        let world = World::new().await;
        let client = connect(&world.url(), revision).await;
        let calling = tokio::spawn({
            let client = client.clone();
            async move {
                let mut seen = 0;
                let result = client.call(call("slow")).on_progress(|_| seen += 1).await;
                (result, seen)
            }
        });
        soon(world.gate.entered.one_more()).await;
        drop(world.stop);
        // The socket is closed first of all.
        soon(async { while TcpStream::connect(world.address).await.is_ok() {} }).await;
        assert!(!world.task.is_finished());
        world.gate.open.notify_waiters();
        let (result, seen) = soon(calling).await.unwrap();
        assert_eq!(result.unwrap().content[0].as_text(), Some("done"));
        assert_eq!(seen, STEPS);
        soon(world.task).await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn what_takes_too_long_is_ended() {
    for revision in [Revision::V2025_11_25, Revision::V2026_07_28] {
        let world = World::with(|server| server.grace(Duration::ZERO)).await;
        let client = connect(&world.url(), revision).await;
        let calling = tokio::spawn(async move { client.call(call("wait")).await });
        soon(world.gate.entered.one_more()).await;
        drop(world.stop);
        soon(world.gate.cancelled.one_more()).await;
        soon(world.task).await.unwrap().unwrap();
        soon(calling).await.unwrap().unwrap_err();
    }
}

#[tokio::test]
async fn a_server_that_others_reach_must_know_its_names() {
    let router = || Router::new("test", "1.0");
    let bind = async || TcpListener::bind("0.0.0.0:0").await.unwrap();
    let refused = http::server(bind().await).unwrap().run(router(), std::future::pending()).await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::InvalidInput);
    let options = ServerOptions::default().access(Access::local().host("mcp.example.com"));
    let served = http::server(bind().await).unwrap().options(options).run(router(), async {}).await;
    served.unwrap();
}
