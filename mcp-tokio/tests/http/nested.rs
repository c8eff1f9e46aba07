//! Inside a router of axum, which is Tokio's alone, behind a prefix that the service never sees.

use mcp_tokio::ServerConfig;
use mcp_tokio::http::{self, ServerOptions};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

use super::world::read_until;

#[tokio::test]
async fn what_http_sse_announces_leads_back_behind_a_prefix() {
    let options = ServerOptions::default().http_sse();
    let (_requests, service) = http::service(ServerConfig::new("nested", "1.0"), options);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = axum::Router::new().nest_service("/api", service);
    let server = tokio::spawn(async move { axum::serve(listener, app).await });

    let mut stream = TcpStream::connect(address).await.unwrap();
    let head =
        format!("GET /api/sse HTTP/1.1\r\nhost: {address}\r\naccept: text/event-stream\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let event = read_until(&mut stream, "\n\n").await;
    let reference = event.split("data: ").nth(1).unwrap().lines().next().unwrap();
    // As every client resolves it against the address of the stream: urljoin, new URL, and ours.
    let target = match reference.strip_prefix('/') {
        Some(path) => format!("/{path}"),
        None => format!("/api/sse{reference}"),
    };

    let body = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2024-11-05","capabilities":{},"clientInfo":{"name":"c","version":"1"}}}"#;
    let request = format!(
        "POST {target} HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\naccept: application/json, text/event-stream\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut post = TcpStream::connect(address).await.unwrap();
    post.write_all(request.as_bytes()).await.unwrap();
    let answer = read_until(&mut post, "\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 202"), "{target}: {answer}");
    let answer = read_until(&mut stream, "protocolVersion").await;
    assert!(answer.contains("2024-11-05"), "{answer}");
    server.abort();
}
