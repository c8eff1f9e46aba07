//! WebSocket inside TLS: on Tokio alone, because it is Tokio's library for TLS that a server stands behind here. Everything
//! else runs on every adapter, in `tests/runtimes`.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::sync::Arc;

use mcp_tokio::ws::{acceptor, connector};
use mcp_tokio::{
    CallTool, CallToolResult, ClientConfig, ConnectError, Context, Delivery, Pacing, Progress,
    RawJson, Router, Tool, ToolError, connect_ws, stream,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// `count` reports 64 steps and answers.
fn router() -> Router {
    let count = async |ctx: Context, _: Option<RawJson>| {
        for step in 1..=64 {
            ctx.progress().report(Progress::new(f64::from(step)).of(64.0))?;
        }
        Ok::<_, ToolError>(CallToolResult::text("counted"))
    };
    let schema = RawJson::parse(r#"{"type":"object"}"#).unwrap();
    let router = Router::new("test", "1.0").pacing(Pacing::UNLIMITED);
    router.raw_tool(Tool::new("count", schema), count)
}

fn config() -> ClientConfig {
    ClientConfig::new("test", "1.0")
}

#[tokio::test]
async fn tls_is_spoken_with_those_who_prove_their_name() {
    let certificate = |pem: &[u8]| CertificateDer::from_pem_slice(pem).unwrap();
    let provider = || Arc::new(rustls::crypto::ring::default_provider());
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("tls/key.pem")).unwrap();
    let server = rustls::ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate(include_bytes!("tls/cert.pem"))], key)
        .unwrap();
    let tls = tokio_rustls::TlsAcceptor::from(Arc::new(server));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let router = router();
    let serving = tokio::spawn(async move {
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            let Ok(socket) = tls.accept(socket).await else { continue };
            acceptor().run(stream(socket), router.clone()).await.unwrap();
        }
    });
    let url = format!("wss://localhost:{port}/");
    let stranger = connect_ws(&url, config()).await;
    assert!(matches!(stranger, Err(ConnectError::Certificate(_))), "{stranger:?}");
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate(include_bytes!("tls/ca.pem"))).unwrap();
    let trusting = rustls::ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = connector().tls(Arc::new(trusting));
    let client = connector.connect(&url, config()).await.unwrap();
    let mut seen = Vec::new();
    let call = client
        .call(CallTool::new("count"))
        .delivery(Delivery::Every)
        .on_progress(|report| seen.push(report.progress));
    assert_eq!(call.await.unwrap().content[0].as_text(), Some("counted"));
    assert_eq!(seen, (1..=64).map(f64::from).collect::<Vec<_>>());
    serving.abort();
}
