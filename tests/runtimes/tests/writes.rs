//! What a server says at once leaves in one write, on every adapter: with `TCP_NODELAY` each write is a packet.
#![cfg(unix)]

use std::sync::Arc;

use mcp_runtimes_tests::raw::Raw;
use mcp_runtimes_tests::tools::{Gate, tools};
use mcp_runtimes_tests::{Ends, Seen, Site, Web, by_hand, on_every_adapter, sockets, watched};

/// A server that was asked for a tool, and the connection to it.
async fn asked<H: Web>(tool: &str) -> (Site, Gate, Raw, Arc<Seen>) {
    let (router, gate) = tools();
    let (near, far) = sockets();
    let (far, seen) = watched(H::stream(far));
    let site = Site::on::<H>(Ends::of([far]), router);
    let mut raw = Raw::new(H::stream(near));
    raw.send(by_hand::request(site.address, tool).as_bytes()).await;
    (site, gate, raw, seen)
}

/// What a connection said until its head was there, write by write.
fn said(seen: &Seen) -> Vec<String> {
    seen.writes().into_iter().map(|write| String::from_utf8(write).unwrap()).collect()
}

async fn a_head_and_its_answer_are_one_write<H: Web>() {
    let (site, gate, mut raw, seen) = asked::<H>("wait").await;
    gate.open.send(()).await.unwrap();
    let head = raw.read_head().await;
    assert!(head.contains("content-type: application/json\r\n"), "{head}");
    let said = said(&seen);
    let [answer] = &said[..] else { panic!("{said:?}") };
    assert!(answer.starts_with(&head) && answer.ends_with('}'), "{answer}");
    assert!(answer.contains("\"waited\""), "{answer}");
    drop(raw);
    site.stop().await;
}

async fn the_head_of_a_stream_and_its_first_report_are_one_write<H: Web>() {
    let (site, gate, mut raw, seen) = asked::<H>("slow").await;
    let head = raw.read_head().await;
    assert!(head.contains("content-type: text/event-stream\r\n"), "{head}");
    let first = said(&seen).remove(0);
    assert!(first.starts_with(&head) && first.contains("\"progress\":1,"), "{first}");
    gate.open.send(()).await.unwrap();
    drop(raw);
    site.stop().await;
}

on_every_adapter!(
    a_head_and_its_answer_are_one_write,
    the_head_of_a_stream_and_its_first_report_are_one_write,
);
