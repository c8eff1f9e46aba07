//! A client's connections: kept, shared, given up, and made anew, on a clock that is paused: nothing is left to be done when
//! it moves, so that connections can be counted.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use mcp_tokio::{CallError, CallToolResult, Client, ClientConfig, ConnectError, Revision, stream};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::pipes::{pipes, served};
use crate::world::{World, call, soon};

fn config() -> ClientConfig {
    ClientConfig::new("test", "1.0").revisions(Revision::V2026_07_28)
}

/// The next request, or nothing at the end.
async fn read_request(end: &mut DuplexStream) -> Option<String> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        request.push(end.read_u8().await.ok()?);
    }
    let head = String::from_utf8(request).unwrap();
    let length = head.split("content-length: ").nth(1)?.split('\r').next()?.parse().unwrap();
    let mut body = vec![0; length];
    end.read_exact(&mut body).await.ok()?;
    Some(head + &String::from_utf8(body).unwrap())
}

/// Answers one request, whatever it is; gives what it was, and nothing at the end.
async fn answer(end: &mut DuplexStream) -> Option<String> {
    let request = read_request(end).await?;
    let id = request.split("\"id\":").nth(1)?.split([',', '}']).next()?;
    let result = match request.contains("server/discover") {
        true => r#"{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{}}"#,
        false => r#"{"resultType":"complete","content":[{"type":"text","text":"done"}]}"#,
    };
    let body = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#);
    let response = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    end.write_all(response.as_bytes()).await.unwrap();
    Some(request)
}

/// Answers whatever comes on one connection, and says how much that was when it has ended.
fn answers(mut end: DuplexStream) -> JoinHandle<usize> {
    tokio::spawn(async move {
        let mut count = 0;
        while answer(&mut end).await.is_some() {
            count += 1;
        }
        count
    })
}

async fn done(client: &Client) {
    let result: CallToolResult = soon(client.call(call("t"))).await.unwrap();
    assert_eq!(result.content[0].as_text(), Some("done"));
}

async fn next(ends: &mut UnboundedReceiver<DuplexStream>) -> DuplexStream {
    soon(ends.recv()).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_kept_for_the_next_request_until_it_is_not_used_for_long() {
    let (connector, mut ends) = pipes();
    let client = connector.open("http://localhost/mcp", config(), |_| ()).unwrap();
    let first = answers(next(&mut ends).await);
    done(&client).await;
    done(&client).await;
    tokio::time::sleep(Duration::from_secs(20)).await;
    done(&client).await;
    assert!(ends.try_recv().is_err(), "one connection is enough");
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert!(!first.is_finished());
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(first.is_finished(), "it is closed when nobody has used it for long");
    assert_eq!(first.await.unwrap(), 4);

    let calling = tokio::spawn(async move { done(&client).await });
    let second = answers(next(&mut ends).await);
    calling.await.unwrap();
    assert_eq!(soon(second).await.unwrap(), 1, "it goes with its client");
}

#[tokio::test(start_paused = true)]
async fn a_shared_connection_too_is_kept_until_it_is_not_used_for_long() {
    let (connector, mut ends) = pipes();
    let (world, server) = served();
    let client = connector.http2().open("http://localhost/mcp", config(), |_| ()).unwrap();
    let passing = tokio::spawn(async move {
        let mut passed = Vec::new();
        while let Some(mut end) = ends.recv().await {
            let (mut near, far) = tokio::io::duplex(1 << 16);
            server.send(stream(far)).unwrap();
            passed.push(tokio::spawn(async move {
                let _ = tokio::io::copy_bidirectional(&mut end, &mut near).await;
            }));
            if passed.len() == 2 {
                return passed[0].is_finished();
            }
        }
        false
    });
    wait_at_once(&world, &client, 2).await;
    tokio::time::sleep(Duration::from_secs(20)).await;
    wait_at_once(&world, &client, 1).await;
    assert!(!passing.is_finished(), "one connection is enough");
    // Less than the server itself waits for.
    tokio::time::sleep(Duration::from_secs(55)).await;
    wait_at_once(&world, &client, 1).await;
    assert!(soon(passing).await.unwrap(), "the first was closed before there was a second");
    drop(client);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_its_server_has_closed_is_made_anew() {
    let (connector, mut ends) = pipes();
    let client = connector.open("http://localhost/mcp", config(), |_| ()).unwrap();
    for _ in 0..3 {
        let calling = tokio::spawn({
            let client = client.clone();
            async move { done(&client).await }
        });
        let mut end = next(&mut ends).await;
        let mut request = String::new();
        while !request.contains("tools/call") {
            request = soon(answer(&mut end)).await.unwrap();
        }
        assert!(request.starts_with("POST /mcp HTTP/1.1\r\n"), "{request}");
        assert!(request.contains("\r\nhost: localhost\r\n"), "{request}");
        soon(calling).await.unwrap();
        drop(end);
    }
}

#[tokio::test(start_paused = true)]
async fn calls_at_once_have_a_connection_each_or_share_one_of_http2() {
    // A server takes 256 at once on one connection: the next, which may be an answer that all of those wait for, has another.
    // As long as a new one has not said so, it gets a hundred. They are made one after the other, and not one for each call.
    for (is_http2, calls, connections) in
        [(false, 3, 3), (true, 3, 1), (true, 256, 1), (true, 300, 2), (true, 1000, 9)]
    {
        let (connector, mut ends) = pipes();
        let connector = if is_http2 { connector.http2() } else { connector };
        let (world, server) = served();
        let client = connector.open("http://localhost/mcp", config(), |_| ()).unwrap();
        let serving = tokio::spawn(async move {
            let mut count = 0;
            while let Some(end) = ends.recv().await {
                count += 1;
                server.send(stream(end)).unwrap();
            }
            count
        });
        wait_at_once(&world, &client, calls).await;
        wait_at_once(&world, &client, 1).await;
        drop((client, connector));
        assert_eq!(soon(serving).await.unwrap(), connections, "{calls} {is_http2}");
        world.end().await;
    }
}

/// Makes so many calls that are all there before the first is answered.
async fn wait_at_once(world: &World, client: &Client, count: usize) {
    let calls: Vec<_> = (0..count)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { client.call(call("wait")).await })
        })
        .collect();
    for _ in 0..count {
        soon(world.gate.entered.one_more()).await;
    }
    world.gate.open.notify_waiters();
    for call in calls {
        soon(call).await.unwrap().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_shared_connection_that_its_server_has_ended_is_made_anew_at_once() {
    let (connector, mut ends) = pipes();
    let (world, server) = served();
    let client = connector.http2().open("http://localhost/mcp", config(), |_| ()).unwrap();
    let (end_it, mut ended) = tokio::sync::mpsc::channel::<()>(1);
    let passing = tokio::spawn(async move {
        for _ in 0..3 {
            let (mut near, far) = tokio::io::duplex(1 << 16);
            server.send(stream(far)).unwrap();
            let mut end = next(&mut ends).await;
            tokio::select! {
                _ = tokio::io::copy_bidirectional(&mut end, &mut near) => {}
                _ = ended.recv() => {}
            }
        }
    });
    for _ in 0..3 {
        let began = tokio::time::Instant::now();
        wait_at_once(&world, &client, 2).await;
        assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
        end_it.send(()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    soon(passing).await.unwrap();
    drop(client);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_shared_connection_that_died_without_a_word_is_noticed_and_made_anew() {
    let (connector, mut ends) = pipes();
    let (world, server) = served();
    let client = connector.http2().open("http://localhost/mcp", config(), |_| ()).unwrap();
    let (die, dies) = oneshot::channel::<()>();
    tokio::spawn(async move {
        let (mut near, far) = tokio::io::duplex(1 << 16);
        server.send(stream(far)).unwrap();
        let mut end = next(&mut ends).await;
        tokio::select! {
            _ = tokio::io::copy_bidirectional(&mut end, &mut near) => panic!("it ends"),
            _ = dies => {}
        }
        server.send(stream(next(&mut ends).await)).unwrap();
        // Both ends of the first are open still, and nothing comes on them.
        std::future::pending::<()>().await;
        drop((end, near));
    });
    let calling = tokio::spawn(client.call(call("wait")).into_future());
    soon(world.gate.entered.one_more()).await;
    let began = tokio::time::Instant::now();
    die.send(()).unwrap();
    let error = calling.await.unwrap().unwrap_err();
    assert!(matches!(error, CallError::Http(_)), "{error:?}");
    assert!(began.elapsed() < Duration::from_secs(55), "{:?}", began.elapsed());
    wait_at_once(&world, &client, 1).await;
    drop(client);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn inside_tls_both_agree_on_the_version_of_http() {
    let certificate = |pem: &[u8]| CertificateDer::from_pem_slice(pem).unwrap();
    let provider = || Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate(include_bytes!("../ws/tls/ca.pem"))).unwrap();
    let trusting = rustls::ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let trusting = Arc::new(trusting);
    for (protocols, connections) in [(&["h2", "http/1.1"][..], 1), (&["http/1.1"], 3), (&[], 3)] {
        let key = PrivateKeyDer::from_pem_slice(include_bytes!("../ws/tls/key.pem")).unwrap();
        let mut config = rustls::ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate(include_bytes!("../ws/tls/cert.pem"))], key)
            .unwrap();
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        let tls = tokio_rustls::TlsAcceptor::from(Arc::new(config));
        let (connector, mut ends) = pipes();
        let (world, server) = served();
        let connector = connector.tls(trusting.clone());
        let client = connector.open("https://localhost/mcp", self::config(), |_| ()).unwrap();
        let serving = tokio::spawn(async move {
            let mut count = 0;
            while let Some(end) = ends.recv().await {
                count += 1;
                server.send(stream(tls.accept(end).await.unwrap())).unwrap();
            }
            count
        });
        wait_at_once(&world, &client, 3).await;
        drop((client, connector));
        assert_eq!(soon(serving).await.unwrap(), connections, "{protocols:?}");
        world.end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_takes_connections_and_says_nothing_is_not_waited_for() {
    let (connector, mut ends) = pipes();
    // The library's own limit for the beginning is out of the way.
    let config = config().handshake_timeout(Duration::from_secs(3_600));
    let began = Instant::now();
    let connecting =
        tokio::spawn(async move { connector.connect("https://localhost/mcp", config).await });
    let _silent = next(&mut ends).await;
    let failed = tokio::time::timeout(Duration::from_secs(600), connecting).await;
    match failed.expect("in time").unwrap().unwrap_err() {
        ConnectError::Io(error) => assert_eq!(error.kind(), ErrorKind::TimedOut),
        error => panic!("{error:?}"),
    }
    assert!(began.elapsed() <= Duration::from_secs(31), "{:?}", began.elapsed());
}
