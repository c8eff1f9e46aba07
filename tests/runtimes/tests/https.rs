//! HTTPS and secure WebSockets over real sockets: whom a client trusts, and a call with reports inside TLS. The server is
//! spoken by hand, with a certificate that signs itself.
#![cfg(unix)]

use std::error::Error;
use std::io::{self, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use http::HeaderValue;
use mcp_proto::net::prelude::*;
use mcp_runtimes_tests::by_hand::Requested;
use mcp_runtimes_tests::{Asked, Web, on_every_adapter};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{CertificateError, ClientConfig as Tls, RootCertStore, ServerConnection, StreamOwned};
use tungstenite::Message;
use tungstenite::handshake::server::{ErrorResponse, Request, Response};

/// A server, and the certificate that proves that it is `localhost`.
struct Secure {
    url: String,
    certificate: CertificateDer<'static>,
}

impl Secure {
    /// It speaks HTTP. Its certificate is issued by somebody of this name, which is itself.
    fn issued_by(name: &str) -> Self {
        Self::speaking("https", answer, name)
    }

    /// The same in another protocol.
    fn speaking(scheme: &str, answer: fn(Inside) -> io::Result<()>, name: &str) -> Self {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        let certificate = params.self_signed(&key).unwrap().der().clone();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let config = rustls::ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.clone()], key)
            .unwrap();
        let (config, listener) = (Arc::new(config), TcpListener::bind("127.0.0.1:0").unwrap());
        let url = format!("{scheme}://localhost:{}/mcp", listener.local_addr().unwrap().port());
        thread::spawn(move || {
            for socket in listener.incoming() {
                let connection = ServerConnection::new(config.clone()).unwrap();
                let stream = StreamOwned::new(connection, socket.unwrap());
                // Whoever does not trust it leaves in the middle.
                thread::spawn(move || drop(answer(stream)));
            }
        });
        Self { url, certificate }
    }
}

/// A connection to a client.
type Inside = StreamOwned<ServerConnection, TcpStream>;

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// A client that trusts this certificate, and none else.
fn trusting(certificate: &CertificateDer<'static>) -> Arc<Tls> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).unwrap();
    let tls = Tls::builder_with_provider(provider()).with_safe_default_protocol_versions();
    Arc::new(tls.unwrap().with_root_certificates(roots).with_no_client_auth())
}

/// Answers a request: a discovery as JSON, a call with three reports as events.
fn answer(stream: Inside) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    if let Some(request) = Requested::next(&mut stream)? {
        stream.get_mut().write_all(request.response(3).as_bytes())?;
        stream.get_mut().conn.send_close_notify();
        stream.get_mut().flush()?;
    }
    Ok(())
}

/// The same over WebSocket, until the client leaves.
#[expect(clippy::result_large_err, reason = "the library asks for it")]
fn converse(stream: Inside) -> io::Result<()> {
    let take = |_: &Request, mut response: Response| -> Result<Response, ErrorResponse> {
        let subprotocol = HeaderValue::from_static("mcp");
        response.headers_mut().insert("sec-websocket-protocol", subprotocol);
        Ok(response)
    };
    let mut socket = tungstenite::accept_hdr(stream, take).map_err(io::Error::other)?;
    while let Ok(message) = socket.read() {
        if let Message::Text(text) = message {
            let asked = Asked::of(RawJson::parse(text.as_str().to_owned()).unwrap());
            for said in asked.answers(3) {
                socket.send(Message::text(said)).map_err(io::Error::other)?;
            }
        }
    }
    Ok(())
}

fn config() -> ClientConfig {
    ClientConfig::new("test", "1.0").revisions(Revision::V2026_07_28)
}

async fn a_call_reports_inside_tls<H: Web>() {
    let server = Secure::issued_by("itself");
    let connector = H::connector().tls(trusting(&server.certificate));
    reports(connector.connect(&server.url, config()).await.unwrap()).await;
}

async fn a_call_reports_over_a_websocket_inside_tls<H: Web>() {
    let server = Secure::speaking("wss", converse, "itself");
    let stranger = H::ws_connector().connect(&server.url, config()).await.unwrap_err();
    assert!(matches!(stranger, ConnectError::Certificate(_)), "{stranger:?}");
    let connector = H::ws_connector().tls(trusting(&server.certificate));
    reports(connector.connect(&server.url, config()).await.unwrap()).await;
}

/// Has a client call once.
async fn reports(client: Client) {
    let mut reports = Vec::new();
    let call = client.call(CallTool::new("t")).on_progress(|report| reports.push(report.progress));
    assert_eq!(call.await.unwrap().content[0].as_text(), Some("done"));
    assert_eq!(reports, [1.0, 2.0, 3.0]);
    client.close();
    client.closed().await;
}

async fn whom_nobody_vouches_for_is_refused<H: Web>() {
    let [server, other] = ["itself", "another"].map(Secure::issued_by);
    let stranger = H::connector().tls(trusting(&other.certificate));
    let refused = stranger.connect(&server.url, config()).await.unwrap_err();
    assert!(matches!(refused, ConnectError::Certificate(_)), "{refused:?}");
    let certificate = why(&refused);
    assert!(matches!(certificate, Some(CertificateError::UnknownIssuer)), "{refused:?}");
    // It proves to be localhost, and nobody else.
    let known = H::connector().tls(trusting(&server.certificate));
    let elsewhere = server.url.replace("localhost", "127.0.0.1");
    let refused = known.connect(&elsewhere, config()).await.unwrap_err();
    assert!(matches!(refused, ConnectError::Certificate(_)), "{refused:?}");
    assert!(!matches!(why(&refused), None | Some(CertificateError::UnknownIssuer)), "{refused:?}");
}

/// What is wrong with the certificate.
fn why(refused: &ConnectError) -> Option<&CertificateError> {
    let error = refused.source()?.downcast_ref::<io::Error>()?;
    match error.get_ref()?.downcast_ref()? {
        rustls::Error::InvalidCertificate(why) => Some(why),
        _ => None,
    }
}

on_every_adapter!(
    a_call_reports_inside_tls,
    a_call_reports_over_a_websocket_inside_tls,
    whom_nobody_vouches_for_is_refused,
);
