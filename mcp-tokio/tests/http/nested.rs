//! Inside a router of axum, which is Tokio's alone, behind a prefix that the service never sees.

use mcp_tokio::http::{self, ServerOptions};
use mcp_tokio::{CallToolResult, Context, RawJson, Router, ServerConfig, Tool};
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

#[tokio::test]
async fn a_header_that_says_something_else_than_the_body_is_refused_there_too() {
    // R-XHDR-12, R-XHDR-13
    let schema =
        r#"{"type":"object","properties":{"region":{"type":"string","x-mcp-header":"Region"}}}"#;
    let tool = Tool::new("deploy", RawJson::parse(schema).unwrap());
    let deploy = async |_: Context, _: Option<RawJson>| CallToolResult::text("deployed");
    let router = Router::new("nested", "1.0").raw_tool(tool, deploy);
    let service = http::router_service(router, ServerOptions::default()).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = axum::Router::new().route_service("/mcp", service);
    let server = tokio::spawn(async move { axum::serve(listener, app).await });

    let body = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"deploy","arguments":{"region":"eu"},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}"#;
    for (header, status, says) in [
        ("mcp-param-region: eu\r\n", "200", "deployed"),
        ("mcp-param-region: us\r\n", "400", "-32020"),
        ("", "400", "-32020"),
    ] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!(
            "POST /mcp HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\naccept: application/json, text/event-stream\r\nmcp-protocol-version: 2026-07-28\r\nmcp-method: tools/call\r\nmcp-name: deploy\r\n{header}content-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let answer = read_until(&mut stream, says).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{header}: {answer}");
        assert!(answer.contains(says), "{header}: {answer}");
    }
    server.abort();
}
