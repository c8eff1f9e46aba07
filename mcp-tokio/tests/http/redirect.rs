//! Redirects: within the origin they are followed, elsewhere not, and credentials go nowhere else.

use mcp_tokio::http::connector;
use mcp_tokio::{CallError, ClientConfig, CloseReason, ConnectError, Revision};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

use crate::world::{World, call, read_until, soon};

/// Answers every request with a redirect to `place`, and gives the heads of those that it got.
async fn redirects(listener: &TcpListener, status: &str, place: &str) -> (TcpStream, String) {
    let (mut stream, _) = soon(listener.accept()).await.unwrap();
    let head = read_until(&mut stream, "\r\n\r\n").await;
    let response =
        format!("HTTP/1.1 {status} Elsewhere\r\nlocation: {place}\r\ncontent-length: 0\r\n\r\n");
    stream.write_all(response.as_bytes()).await.unwrap();
    (stream, head)
}

fn config() -> ClientConfig {
    ClientConfig::new("test", "1.0").revisions(Revision::V2026_07_28)
}

#[tokio::test]
async fn within_the_origin_a_redirect_is_followed_with_everything() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/old", listener.local_addr().unwrap());
    let connector = connector().header("Authorization", "Bearer secret");
    let _client = connector.open(&url, config(), |_| ()).unwrap();
    let (mut stream, first) = redirects(&listener, "307", "/new?x=1").await;
    assert!(first.starts_with("POST /old HTTP/1.1"), "{first}");
    let second = read_until(&mut stream, "server/discover\",").await;
    assert!(second.starts_with("POST /new?x=1 HTTP/1.1"), "{second}");
    assert!(second.contains("authorization: Bearer secret"), "{second}");
}

#[tokio::test]
async fn to_another_origin_nothing_is_sent() {
    let world = World::new().await;
    let elsewhere = world.url();
    for status in ["301", "302", "303", "307", "308"] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/mcp", listener.local_addr().unwrap());
        let connector = connector().header("Authorization", "Bearer secret");
        let connecting = connector.connect(&url, config());
        let (connected, _) =
            soon(async { tokio::join!(connecting, redirects(&listener, status, &elsewhere)) })
                .await;
        let error = connected.unwrap_err();
        assert!(matches!(error, ConnectError::NotReady(CloseReason::Http(_))), "{error:?}");
    }
    world.end().await;
}

#[tokio::test]
async fn a_server_that_sends_its_clients_round_and_round_is_left() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    let client = connector().open(&url, config(), |_| ()).unwrap();
    let calling = tokio::spawn(async move { client.call(call("t")).await });
    let (mut stream, _) = redirects(&listener, "308", "/mcp").await;
    let mut requests = 1;
    while !read_until(&mut stream, "server/discover\",").await.is_empty() && requests < 20 {
        requests += 1;
        let again = "HTTP/1.1 308 Elsewhere\r\nlocation: /mcp\r\ncontent-length: 0\r\n\r\n";
        stream.write_all(again.as_bytes()).await.unwrap();
        if calling.is_finished() || requests == 6 {
            break;
        }
    }
    let error = soon(calling).await.unwrap().unwrap_err();
    assert!(matches!(error, CallError::Closed(CloseReason::Http(_))), "{error:?}");
    assert_eq!(requests, 6, "the first and five redirects");
}
