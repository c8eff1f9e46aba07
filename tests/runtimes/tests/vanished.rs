//! What an adapter opens on TCP is asked by the system whether its peer is still there. Linux tells when it will be.
#![cfg(target_os = "linux")]

use std::fs::read_to_string;

use mcp_proto::net::prelude::*;
use mcp_runtimes_tests::listening::serving;
use mcp_runtimes_tests::{Site, Web, on_every_adapter, until};

/// The timers of connections that were opened to this port of ours, as `/proc/net/tcp` has them: which kind, and in how many
/// hundredths of a second.
fn timers(port: u16) -> Vec<(String, u64)> {
    let all = read_to_string("/proc/net/tcp").unwrap();
    let fields = all.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let to_it = fields.filter(|of| of[2] == format!("0100007F:{port:04X}") && of[3] == "01");
    to_it
        .map(|of| {
            let (kind, wait) = of[5].split_once(':').unwrap();
            (kind.to_owned(), u64::from_str_radix(wait, 16).unwrap())
        })
        .collect()
}

/// The timer of keep-alive, once all that was sent is acknowledged; and not that of two hours, which is the system's own.
async fn asks_within_a_minute(port: u16) {
    let told = || format!("{:?}", timers(port));
    until(told, || {
        let timers = timers(port);
        !timers.is_empty() && timers.iter().all(|(kind, wait)| kind == "02" && *wait <= 6_000)
    })
    .await;
}

async fn what_is_dialled_notices_a_peer_that_vanished<H: Web>() {
    let (config, router) = (|| ClientConfig::new("test", "1.0"), || Router::new("test", "1.0"));
    let site = Site::with::<H>(router(), |server| server);
    let client = H::connect_url(&site.url(), config()).await.unwrap();
    asks_within_a_minute(site.address.port()).await;
    drop(client);
    site.stop().await;

    let listens = serving::<H>(H::ws_listen("127.0.0.1:0").await.unwrap(), router());
    let address = listens.address.unwrap();
    let client = H::connect_ws(&format!("ws://{address}/mcp"), config()).await.unwrap();
    asks_within_a_minute(address.port()).await;
    drop(client);
    listens.stop().await;

    let listens = serving::<H>(H::tcp_listen("127.0.0.1:0").await.unwrap(), router());
    let address = listens.address.unwrap();
    let client = H::tcp_connect(address, config()).await.unwrap();
    asks_within_a_minute(address.port()).await;
    drop(client);
    listens.stop().await;
}

on_every_adapter!(what_is_dialled_notices_a_peer_that_vanished);
