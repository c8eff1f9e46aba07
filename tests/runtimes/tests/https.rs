//! HTTPS over real sockets: whom a client trusts, and a call with reports inside TLS. The server is spoken by hand, with
//! a certificate that signs itself.
#![cfg(unix)]

use std::error::Error;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use mcp_proto::net::ConnectError;
use mcp_proto::{CallTool, ClientConfig, RawJson, Revision};
use mcp_runtimes_tests::{Web, on_every_adapter};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{CertificateError, ClientConfig as Tls, RootCertStore, ServerConnection, StreamOwned};

/// A server, and the certificate that proves that it is `localhost`.
struct Secure {
    url: String,
    certificate: CertificateDer<'static>,
}

impl Secure {
    /// Its certificate is issued by somebody of this name, which is itself.
    fn issued_by(name: &str) -> Self {
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
        let url = format!("https://localhost:{}/mcp", listener.local_addr().unwrap().port());
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

/// Answers the requests of one connection: a discovery as JSON, a call with three reports as events.
fn answer(stream: StreamOwned<ServerConnection, TcpStream>) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let (mut len, mut line) = (0, String::new());
        while line != "\r\n" {
            line.clear();
            if stream.read_line(&mut line)? == 0 {
                return Ok(());
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                len = value.trim().parse().unwrap();
            }
        }
        let mut said = vec![0; len];
        stream.read_exact(&mut said)?;
        let said = RawJson::parse(said).unwrap();
        let id = said.get("id").unwrap();
        let (kind, body) = match &*said.get("method").unwrap().as_str().unwrap() {
            "server/discover" => {
                let result = r#"{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{}}}"#;
                let answer = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#);
                ("application/json", answer)
            }
            "tools/call" => {
                let meta = said.get("params").unwrap().get("_meta").unwrap();
                let token = meta.get("progressToken").unwrap();
                let mut events = String::new();
                for step in 1..=3 {
                    events += &format!(
                        "data: {{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":\
                         {{\"progressToken\":{token},\"progress\":{step},\"total\":3}}}}\n\n"
                    );
                }
                events += &format!(
                    "data: {{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{{\"resultType\":\"complete\",\
                     \"content\":[{{\"type\":\"text\",\"text\":\"secret\"}}]}}}}\n\n"
                );
                ("text/event-stream", events)
            }
            other => panic!("{other}"),
        };
        let len = body.len();
        let head = format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {len}\r\n");
        write!(stream.get_mut(), "{head}\r\n{body}")?;
        stream.get_mut().flush()?;
    }
}

fn config() -> ClientConfig {
    ClientConfig::new("test", "1.0").revisions(Revision::V2026_07_28)
}

async fn a_call_reports_inside_tls<H: Web>() {
    let server = Secure::issued_by("itself");
    let connector = H::connector().tls(trusting(&server.certificate));
    let client = connector.connect(&server.url, config()).await.unwrap();
    let mut reports = Vec::new();
    let call = client.call(CallTool::new("t")).on_progress(|report| reports.push(report.progress));
    assert_eq!(call.await.unwrap().content[0].as_text(), Some("secret"));
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

on_every_adapter!(a_call_reports_inside_tls, whom_nobody_vouches_for_is_refused);
