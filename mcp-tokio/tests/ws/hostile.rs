//! Peers that break the rules of WebSockets, or keep to them and mean harm.

use mcp_tokio::mcp_proto::Limits;
use mcp_tokio::ws::connector;
use mcp_tokio::{CallTool, ClientConfig, CloseReason, ConnectError, ServerConfig, stream};
use tokio::io::AsyncWriteExt;

use super::{modern, raw::*, served, soon};

const LIMIT: usize = 64 << 10;

fn config() -> ServerConfig {
    let mut limits = Limits::default();
    limits.max_message_len = LIMIT;
    ServerConfig::new("s", "1").limits(limits)
}

#[derive(Debug)]
enum Harm {
    Binary,
    NoUtf8,
    Huge,
    FragmentsWithoutEnd,
    EmptyFragmentsThenTooLong,
    Unmasked,
    ReservedBits,
    ReservedOpcode,
    LongPing,
    FragmentedPing,
    ContinuesNothing,
    BeginsInTheMiddle,
}

async fn harm<S>(raw: &mut Raw<S>, harm: &Harm)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    match harm {
        Harm::Binary => raw.send(FIN | BINARY, b"{}").await,
        Harm::NoUtf8 => raw.send(FIN | TEXT, b"{\"\xC3\x28\":1}").await,
        // It is refused by its head: none of it ever comes.
        Harm::Huge => raw.begin(FIN | TEXT, u64::MAX >> 1).await,
        Harm::FragmentsWithoutEnd => {
            raw.send(TEXT, b"{").await;
            for _ in 0..LIMIT / 100 + 1 {
                raw.send(0, &[b' '; 100]).await;
            }
        }
        Harm::EmptyFragmentsThenTooLong => {
            raw.send(TEXT, b"").await;
            for _ in 0..10_000 {
                raw.send(0, b"").await;
            }
            raw.send(0, &[b' '; LIMIT]).await;
            raw.send(0, b" ").await;
        }
        Harm::Unmasked => raw.0.write_all(b"\x81\x02{}").await.unwrap(),
        Harm::ReservedBits => raw.send(FIN | 0x40 | TEXT, b"{}").await,
        Harm::ReservedOpcode => raw.send(FIN | 3, b"{}").await,
        Harm::LongPing => raw.send(FIN | PING, &[0; 126]).await,
        Harm::FragmentedPing => raw.send(PING, b"x").await,
        Harm::ContinuesNothing => raw.send(FIN, b"{}").await,
        Harm::BeginsInTheMiddle => {
            raw.send(TEXT, b"{").await;
            raw.send(TEXT, b"}").await;
        }
    }
}

#[tokio::test]
async fn what_is_no_message_ends_the_connection_and_is_told_why() {
    for (how, code) in [
        (Harm::Binary, 1003),
        (Harm::NoUtf8, 1007),
        (Harm::Huge, 1009),
        (Harm::FragmentsWithoutEnd, 1009),
        (Harm::EmptyFragmentsThenTooLong, 1009),
        (Harm::Unmasked, 1002),
        (Harm::ReservedBits, 1002),
        (Harm::ReservedOpcode, 1002),
        (Harm::LongPing, 1002),
        (Harm::FragmentedPing, 1002),
        (Harm::ContinuesNothing, 1002),
        (Harm::BeginsInTheMiddle, 1002),
    ] {
        let (server, mut raw) = served(1 << 20, config()).await;
        soon(harm(&mut raw, &how)).await;
        assert_eq!(soon(raw.ended()).await, code, "{how:?}");
        drop(raw);
        assert_eq!(soon(server.closed()).await, CloseReason::Transport, "{how:?}");
    }
}

#[tokio::test]
async fn text_that_is_no_message_is_answered_as_on_a_line() {
    let (server, mut raw) = served(1 << 20, config()).await;
    raw.say("not json").await;
    assert!(soon(raw.next()).await.unwrap().text().contains("-32700"));
    raw.say("{\"jsonrpc\":\"2.0\",\n \"id\":5,\r\n \"method\":\"ping\"}\n").await;
    let pong = soon(raw.next()).await.unwrap();
    assert!(pong.text().contains("\"id\":5"), "{}", pong.text());
    assert_eq!(soon(raw.close()).await, 1000);
    drop(raw);
    assert_eq!(soon(server.closed()).await, CloseReason::Eof { unread: 0 });
}

#[tokio::test]
async fn a_message_in_many_fragments_with_pings_between_them_is_one_message() {
    let (mut server, mut raw) = served(1 << 20, config()).await;
    let message = modern("count", false);
    let (first, rest) = message.as_bytes().split_at(1);
    raw.send(TEXT, first).await;
    for byte in rest {
        raw.send(FIN | PING, b"p").await;
        raw.send(0, &[*byte]).await;
    }
    raw.send(FIN, b"").await;
    assert_eq!(soon(server.accept()).await.unwrap().method(), "tools/call");
    assert_eq!(soon(raw.next()).await.unwrap(), Frame { opcode: PONG, payload: b"p".to_vec() });
}

#[tokio::test]
async fn a_peer_that_only_pings_and_reads_nothing_is_not_read_for_ever() {
    // Room for 1 KiB each way: what the server takes beyond that, it keeps.
    let (_server, mut raw) = served(1 << 10, config()).await;
    let flood = async {
        for sent in 0..100_000_u32 {
            tokio::select! {
                biased;
                () = raw.send(FIN | PING, &[0; 100]) => {}
                () = idle() => return sent,
            }
        }
        100_000
    };
    let sent = soon(flood).await;
    assert!((10..2_000).contains(&sent), "{sent} pings were taken");
}

/// Ready when nobody has had anything to do for a long time.
async fn idle() {
    for _ in 0..10_000 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_thousand_pings_are_answered_and_do_no_harm() {
    let (mut server, mut raw) = served(1 << 20, config()).await;
    for _ in 0..1_000 {
        raw.send(FIN | PING, b"").await;
        raw.send(FIN | PONG, b"unasked").await;
    }
    raw.say(&modern("count", false)).await;
    assert_eq!(soon(server.accept()).await.unwrap().method(), "tools/call");
}

#[tokio::test]
async fn a_connection_that_is_cut_is_an_end_like_others() {
    for bytes in [&b""[..], b"\x81", b"\x81\xff\x00\x00", b"\x01\x81\0\0\0\0{"] {
        let (server, mut raw) = served(1 << 20, config()).await;
        raw.0.write_all(bytes).await.unwrap();
        drop(raw);
        assert_eq!(soon(server.closed()).await, CloseReason::Transport, "{bytes:?}");
    }
}

const TAKEN: &str = "Sec-WebSocket-Protocol: mcp\r\n";

#[tokio::test]
async fn a_server_that_takes_another_subprotocol_or_none_is_none_of_ours() {
    for headers in ["", "Sec-WebSocket-Protocol: chat\r\n"] {
        let (near, far) = tokio::io::duplex(1 << 16);
        let answering = tokio::spawn(Raw::answer(far, headers));
        let config = ClientConfig::new("c", "1");
        let opened = connector().open_over(stream(near), "ws://localhost/", config, |_| ()).await;
        assert!(matches!(opened, Err(ConnectError::NoWebSocket(_))), "{opened:?}");
        answering.await.unwrap();
    }
}

#[tokio::test]
async fn a_server_that_breaks_the_rules_ends_the_call_and_is_told_why() {
    // The last one's length is all that ever comes of it.
    let huge = [&[FIN | TEXT, 127][..], &(1_u64 << 40).to_be_bytes()].concat();
    for (frame, code) in [
        (&b"\x82\x02{}"[..], 1003),
        (b"\x81\x01\xff", 1007),
        (b"\x81\x82\0\0\0\0{}", 1002),
        (&huge, 1009),
    ] {
        let (near, far) = tokio::io::duplex(1 << 16);
        let answering = tokio::spawn(Raw::answer(far, TAKEN));
        let mut limits = Limits::default();
        limits.max_message_len = LIMIT;
        let config = ClientConfig::new("c", "1").limits(limits);
        let client =
            connector().open_over(stream(near), "ws://localhost/", config, |_| ()).await.unwrap();
        let mut raw = answering.await.unwrap();
        let calling = client.call(CallTool::new("t"));
        let calling = tokio::spawn(calling);
        assert!(soon(raw.next()).await.unwrap().text().contains("server/discover"));
        raw.0.write_all(frame).await.unwrap();
        assert_eq!(soon(raw.ended()).await, code, "{frame:?}");
        drop(raw);
        assert!(soon(calling).await.unwrap().is_err());
        assert_eq!(soon(client.closed()).await, CloseReason::Transport);
    }
}
