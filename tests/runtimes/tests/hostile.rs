//! Peers that break the rules of WebSockets, or keep to them and mean harm, on every adapter; and who may connect at all.
#![cfg(unix)]

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_lite::future::{or, zip};
use mcp_proto::Limits;
use mcp_proto::http::Access;
use mcp_proto::net::{Dial, Stream, prelude::*, ws};
use mcp_runtimes_tests::listening::serving;
use mcp_runtimes_tests::raw::*;
use mcp_runtimes_tests::tools::{all, reports, tools};
use mcp_runtimes_tests::{
    Hurried, Web, apart, idle, on_every_adapter, small_sockets, sockets, spawn, watched,
};

const LIMIT: usize = 64 << 10;

fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.max_message_len = LIMIT;
    limits
}

fn config() -> ServerConfig {
    ServerConfig::new("s", "1").limits(limits())
}

/// A server over a stream of its host, and its client by hand at the other end of it.
async fn served<H: Web>(near: UnixStream, far: Stream, config: ServerConfig) -> (Server, Raw) {
    let acceptor = H::ws_acceptor();
    let (server, raw) = zip(acceptor.accept(far, config), Raw::open(H::stream(near))).await;
    (server.unwrap(), raw)
}

async fn met<H: Web>() -> (Server, Raw) {
    let (near, far) = sockets();
    served::<H>(near, H::stream(far), config()).await
}

/// A call of 2026-07-28.
fn modern(is_tracked: bool) -> String {
    let token = if is_tracked { "\"progressToken\":1," } else { "" };
    format!(
        "{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\n\"params\":{{\"name\":\"t\",\"_meta\":{{{token}\
         \"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\",\
         \"io.modelcontextprotocol/clientCapabilities\":{{}}}}}}}}"
    )
}

/// What is no message, and the code that it is refused with.
fn harms() -> Vec<(&'static str, Vec<u8>, u16)> {
    let (first, one) = (frame(TEXT, b"{"), frame(0, &[b' '; 100]));
    let endless = [first.clone(), one.repeat(LIMIT / 100 + 1)].concat();
    let empty = [frame(TEXT, b""), frame(0, b"").repeat(10_000)].concat();
    let too_long = [empty, frame(0, &[b' '; LIMIT]), frame(0, b" ")].concat();
    vec![
        ("binary", frame(FIN | BINARY, b"{}"), 1003),
        ("no UTF-8", frame(FIN | TEXT, b"{\"\xC3\x28\":1}"), 1007),
        // It is refused by its head: none of it ever comes.
        ("huge", head(FIN | TEXT, u64::MAX >> 1), 1009),
        ("fragments without end", endless, 1009),
        ("empty fragments, then too long", too_long, 1009),
        ("unmasked", b"\x81\x02{}".to_vec(), 1002),
        ("reserved bits", frame(FIN | 0x40 | TEXT, b"{}"), 1002),
        ("a reserved opcode", frame(FIN | 3, b"{}"), 1002),
        ("a long ping", frame(FIN | PING, &[0; 126]), 1002),
        ("a ping in fragments", frame(PING, b"x"), 1002),
        ("continues nothing", frame(FIN, b"{}"), 1002),
        ("begins in the middle", [first, frame(TEXT, b"}")].concat(), 1002),
    ]
}

async fn what_is_no_message_ends_the_connection_and_is_told_why<H: Web>() {
    for (how, harm, code) in harms() {
        let (server, mut raw) = met::<H>().await;
        raw.send(&harm).await;
        assert_eq!(raw.ended().await, code, "{how}");
        drop(raw);
        assert_eq!(server.closed().await, CloseReason::Transport, "{how}");
    }
}

async fn text_that_is_no_message_is_answered_as_on_a_line<H: Web>() {
    let (server, mut raw) = met::<H>().await;
    raw.say("not json").await;
    assert!(raw.next().await.unwrap().text().contains("-32700"));
    raw.say("{\"jsonrpc\":\"2.0\",\n \"id\":5,\r\n \"method\":\"ping\"}\n").await;
    let pong = raw.next().await.unwrap();
    assert!(pong.text().contains("\"id\":5"), "{}", pong.text());
    assert_eq!(raw.close().await, 1000);
    drop(raw);
    assert_eq!(server.closed().await, CloseReason::Eof { unread: 0 });
}

async fn a_message_in_many_fragments_with_pings_between_them_is_one_message<H: Web>() {
    let (mut server, mut raw) = met::<H>().await;
    let message = modern(false);
    let (first, rest) = message.as_bytes().split_at(1);
    let mut bytes = frame(TEXT, first);
    for byte in rest {
        bytes.extend(frame(FIN | PING, b"p"));
        bytes.extend(frame(0, &[*byte]));
    }
    bytes.extend(frame(FIN, b""));
    raw.pour(&bytes).await;
    assert_eq!(server.accept().await.unwrap().method(), "tools/call");
    assert_eq!(raw.next().await.unwrap(), Frame { opcode: PONG, payload: b"p".to_vec() });
}

async fn a_thousand_pings_are_answered_and_do_no_harm<H: Web>() {
    let (mut server, mut raw) = met::<H>().await;
    let both = [frame(FIN | PING, b""), frame(FIN | PONG, b"unasked")].concat();
    raw.pour(&both.repeat(1_000)).await;
    raw.pour(&frame(FIN | TEXT, modern(false).as_bytes())).await;
    let pong = Frame { opcode: PONG, payload: Vec::new() };
    let mut is_answered = false;
    let hearing = async {
        while let Some(heard) = raw.next().await {
            assert_eq!(heard, pong);
            is_answered = true;
        }
        None
    };
    assert_eq!(or(server.accept(), hearing).await.unwrap().method(), "tools/call");
    assert!(is_answered || raw.next().await.unwrap() == pong);
}

async fn a_peer_that_only_pings_and_reads_nothing_is_not_read_for_ever<H: Web>() {
    const PINGS: usize = 100_000;
    let (near, far) = sockets();
    let (far, seen) = watched(H::stream(far));
    let (_server, mut raw) = served::<H>(near, far, config()).await;
    let ping = frame(FIN | PING, &[0; 100]);
    // As soon as nothing more can be said to it, no more is taken from it than what is on its way.
    let flood = async {
        raw.send(&ping.repeat(PINGS)).await;
    };
    let enough = async {
        seen.filled().await;
        idle().await;
    };
    or(flood, enough).await;
    let taken = seen.read() / ping.len();
    assert!((10..2_000).contains(&taken), "{taken} pings were taken");
}

async fn a_client_that_does_not_read_holds_its_handler_and_loses_nothing<H: Web>() {
    let (near, far) = small_sockets();
    let (far, seen) = watched(H::stream(far));
    let config = ServerConfig::new("s", "1").pacing(Pacing::UNLIMITED);
    let (mut server, mut raw) = served::<H>(near, far, config).await;
    raw.say(&modern(true)).await;
    let request = server.accept().await.unwrap();
    let reporter = request.reporter();
    let told = Arc::new(AtomicUsize::new(0));
    let tells = told.clone();
    let handler = spawn(&H::platform(), async move {
        for step in 1..=2_000 {
            let report = Progress::new(f64::from(step)).message("x".repeat(100));
            reporter.milestone(report).unwrap();
            // Waits until it has left.
            reporter.delivered().await;
            tells.fetch_add(1, Ordering::Relaxed);
        }
        request.respond(&CallToolResult::text("done")).unwrap();
    });
    // The handler gets as far as buffers reach.
    seen.filled().await;
    let (mut before, mut now) = (usize::MAX, told.load(Ordering::Relaxed));
    while now != before {
        before = now;
        idle().await;
        now = told.load(Ordering::Relaxed);
    }
    assert!(before < 500, "{before} reports left for a client that reads nothing");
    for step in 1..=2_000 {
        let frame = raw.next().await.unwrap();
        let said = frame.text();
        assert!(said.contains(&format!("\"progress\":{step},")), "{step}: {said}");
    }
    assert!(raw.next().await.unwrap().text().contains("done"));
    handler.join().await;
}

async fn a_connection_that_is_cut_is_an_end_like_others<H: Web>() {
    for bytes in [&b""[..], b"\x81", b"\x81\xff\x00\x00", b"\x01\x81\0\0\0\0{"] {
        let (server, mut raw) = met::<H>().await;
        raw.send(bytes).await;
        drop(raw);
        assert_eq!(server.closed().await, CloseReason::Transport, "{bytes:?}");
    }
}

/// A client over a stream, or why there is none, and what stands at its other end: a server by hand that answers so.
async fn opened<H: Web>(headers: &str) -> (Result<Client, ConnectError>, Raw) {
    let (near, far) = sockets();
    let config = ClientConfig::new("c", "1").limits(limits());
    let connector = H::ws_connector();
    let opening = connector.open_over(H::stream(near), "ws://localhost/", config, |_| ());
    zip(opening, Raw::answer(H::stream(far), headers)).await
}

async fn a_server_that_takes_another_subprotocol_or_none_is_none_of_ours<H: Web>() {
    for headers in ["", "Sec-WebSocket-Protocol: chat\r\n"] {
        let (opened, _) = opened::<H>(headers).await;
        assert!(matches!(opened, Err(ConnectError::NoWebSocket(_))), "{opened:?}");
    }
}

async fn a_server_that_breaks_the_rules_ends_the_call_and_is_told_why<H: Web>() {
    // The last one's length is all that ever comes of it.
    let huge = [&[FIN | TEXT, 127][..], &(1_u64 << 40).to_be_bytes()].concat();
    for (frame, code) in [
        (&b"\x82\x02{}"[..], 1003),
        (b"\x81\x01\xff", 1007),
        (b"\x81\x82\0\0\0\0{}", 1002),
        (&huge, 1009),
    ] {
        let (client, mut raw) = opened::<H>("Sec-WebSocket-Protocol: mcp\r\n").await;
        let client = client.unwrap();
        let calling = spawn(&H::platform(), client.call(CallTool::new("t")));
        assert!(raw.next().await.unwrap().text().contains("server/discover"));
        raw.send(frame).await;
        assert_eq!(raw.ended().await, code, "{frame:?}");
        drop(raw);
        assert!(calling.join().await.is_err());
        assert_eq!(client.closed().await, CloseReason::Transport);
    }
}

async fn nobody_waits_for_ever_for_a_handshake<H: Web>() {
    // 10 s and 30 s, which here are hundredths of that.
    let (_silent, far) = sockets();
    let acceptor = ws::Acceptor::new(Hurried(H::platform()));
    let accepted = acceptor.accept(H::stream(far), config()).await;
    assert!(matches!(accepted, Err(ws::AcceptError::TimedOut)), "{accepted:?}");
    let (near, _silent) = sockets();
    let (connector, config) =
        (ws::Connector::new(Hurried(H::platform())), ClientConfig::new("c", "1"));
    let opened = connector.open_over(H::stream(near), "ws://localhost/", config, |_| ()).await;
    let Err(ConnectError::Io(error)) = opened else { panic!("{opened:?}") };
    assert_eq!(error.kind(), ErrorKind::TimedOut);
}

/// The status that a handshake with these headers is answered with.
async fn status(address: SocketAddr, headers: String) -> String {
    apart(move || {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(handshake(&headers).as_bytes()).unwrap();
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).unwrap();
        String::from_utf8_lossy(&answer[9..]).into_owned()
    })
    .await
}

async fn only_this_machine_may_connect_and_only_for_mcp<H: Web>() {
    let serving = serving::<H>(H::ws_listen("127.0.0.1:0").await.unwrap(), tools().0);
    let offer = "Sec-WebSocket-Protocol: mcp\r\n";
    for (headers, expected) in [
        (format!("Host: localhost\r\n{offer}"), "101"),
        (format!("Host: 127.0.0.1:80\r\nOrigin: http://localhost:3000\r\n{offer}"), "101"),
        ("Host: localhost\r\nSec-WebSocket-Protocol: chat, mcp\r\n".into(), "101"),
        (
            "Host: localhost\r\nSec-WebSocket-Protocol: chat\r\nSec-WebSocket-Protocol: mcp\r\n"
                .into(),
            "101",
        ),
        ("Host: localhost\r\n".into(), "400"),
        ("Host: localhost\r\nSec-WebSocket-Protocol: chat\r\n".into(), "400"),
        ("Host: localhost\r\nSec-WebSocket-Protocol: mcp2\r\n".into(), "400"),
        (format!("Host: evil.example\r\n{offer}"), "403"),
        (format!("Host: localhost\r\nHost: localhost\r\n{offer}"), "403"),
        (offer.into(), "403"),
        (format!("Host: localhost\r\nOrigin: http://evil.example\r\n{offer}"), "403"),
        (format!("Host: localhost\r\nOrigin: null\r\n{offer}"), "403"),
    ] {
        let status = status(serving.address.unwrap(), headers.clone()).await;
        assert_eq!(status, expected, "{headers}");
    }
    serving.stop().await;
}

async fn what_others_reach_must_know_its_name<H: Web>() {
    let refused = H::ws_listen_exposed("0.0.0.0:0", H::ws_acceptor()).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::InvalidInput);
    let refused = H::ws_listen("0.0.0.0:0").await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::PermissionDenied);
    let acceptor = H::ws_acceptor().access(Access::local().host("mcp.example.com"));
    let listener = H::ws_listen_exposed("0.0.0.0:0", acceptor).await.unwrap();
    let serving = serving::<H>(listener, tools().0);
    let address = SocketAddr::from(([127, 0, 0, 1], serving.address.unwrap().port()));
    let (stream, config) =
        (H::platform().dial(address).await.unwrap(), ClientConfig::new("c", "1"));
    let url = "ws://mcp.example.com/mcp";
    let client = H::ws_connector().open_over(stream, url, config, |_| ()).await.unwrap();
    assert_eq!(reports(&client, "steps", |_| ()).await.unwrap(), all("done"));
    drop(client);
    serving.stop().await;
}

on_every_adapter!(
    what_is_no_message_ends_the_connection_and_is_told_why,
    text_that_is_no_message_is_answered_as_on_a_line,
    a_message_in_many_fragments_with_pings_between_them_is_one_message,
    a_thousand_pings_are_answered_and_do_no_harm,
    a_peer_that_only_pings_and_reads_nothing_is_not_read_for_ever,
    a_client_that_does_not_read_holds_its_handler_and_loses_nothing,
    a_connection_that_is_cut_is_an_end_like_others,
    a_server_that_takes_another_subprotocol_or_none_is_none_of_ours,
    a_server_that_breaks_the_rules_ends_the_call_and_is_told_why,
    nobody_waits_for_ever_for_a_handshake,
    only_this_machine_may_connect_and_only_for_mcp,
    what_others_reach_must_know_its_name,
);
